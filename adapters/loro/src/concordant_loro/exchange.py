"""Documents as bytes that any Loro tool reads, and back."""

from __future__ import annotations

import json
from typing import Any

from concordant import Document
from concordant.spi import compile_schema
from concordant_loro.child import Child
from concordant_loro.errors import LoroError, guarded
from concordant_loro.replica import snapshot_of
from concordant_loro.shape import META, dumps, roots_of, value_of

__all__ = ["MOST_BYTES", "from_loro", "to_loro"]

MOST_BYTES = 64 * 1024 * 1024
"""The largest Loro document that is read."""


def to_loro(document: Document) -> bytes:
    """Returns a document as a Loro document: a snapshot that ``LoroDoc.import_`` reads, in any language.

    Texts are Loro texts (``text:body``), lists are Loro lists (``list:steps``), all else is in Loro maps; values are
    JSON text (docs/live.md). Who wrote what, and what is open, stays here: of a contested field it has the value shown.

    Raises:
        LoroError: Loro does not take it, such as a text of more than 4 GB.

    >>> from typing import Annotated
    >>> from pydantic import create_model
    >>> from concordant import Text, Workspace
    >>> ws = Workspace(schemas={("pages",): create_model("Page", body=(Annotated[str, Text()], ""))})
    >>> _ = ws.agent("ada").write(("pages",), "home", {"body": "Twelve sources."})
    >>> from_loro(to_loro(ws.get(("pages",), "home")))
    {'body': 'Twelve sources.'}
    """
    model = document.model
    field = None if isinstance(model, dict) else compile_schema(type(model)).root
    roots = roots_of(document.value, field)
    meta: Any = roots.setdefault(META, {})
    meta["version"] = dumps(document.version)
    with guarded("To make a Loro document"):
        return snapshot_of(roots)


def from_loro(data: bytes, model: type[Any] | None = None, *, most: int = MOST_BYTES) -> dict[str, Any]:
    """Reads the value of a document from a Loro document that is laid out as ``to_loro`` does it.

    Bytes from strangers can make Loro abort the process, so they are read in a child process, which is started at the
    first call and serves later ones. The value is for ``Agent.write`` or ``Agent.edit``.

    Args:
        data: a snapshot, or updates from the beginning on.
        model: a state model: what it has is read, and checked as a write would be.
        most: how many bytes are read at most.

    Returns:
        The JSON values by field.

    Raises:
        LoroError: it is no Loro document, is not laid out so, or is too large.
        InvalidWriteError: it does not fit the model; the error lists each fault.
    """
    if not isinstance(data, (bytes, bytearray)):
        raise LoroError(f"from_loro takes the bytes of a Loro document, not a {type(data).__name__}")
    if len(data) > most:
        raise LoroError(f"The Loro document has {len(data):,} bytes; most={most:,} are read")
    roots, _ = Child.shared("read").ask("roots", bytes(data))
    if model is None:
        return value_of(roots)
    schema = compile_schema(model)
    value = value_of(roots, schema.root)
    body, _ = schema.strict.incoming(("loro",), "document", value)
    return json.loads(body)  # type: ignore[no-any-return]
