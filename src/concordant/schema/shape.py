"""How a model's fields merge, as text: what has to be known to read a write that was made under it.

The only write of a document is kept as the JSON of its value, and nothing in that tells a list from a set. So a store
remembers the shape of each model that it was written under, by the model's fingerprint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from concordant.merge.kinds import OPEN, OPEN_TREE, Field, OpenRecord
from concordant.merge.kinds.forms import field_of, form_of

__all__ = ["are_alike", "root_of", "shape_of"]

_DEEP = '{"tag":"tree"}'
"""The shape of no model, where dicts and lists merge as in a ``Tree``."""


def shape_of(root: Field) -> str:
    """Returns the shape of a compiled model; empty for that of no model."""
    if isinstance(root.kind, OpenRecord):
        return _DEEP if root.kind.deep else ""
    return json.dumps(form_of(root), sort_keys=True, separators=(",", ":"))


def root_of(shape: str, present: Field) -> Field:
    """Returns the root field of a model with this shape.

    Raises:
        MisshapenError: it has a kind that is not known here.

    Args:
        present: that of the present model, from which is taken how values of a type compare where the kind is the
            same.
    """
    if not shape or shape == _DEEP:
        return OPEN_TREE if shape else OPEN
    return field_of("", _parsed(shape), present)


def are_alike(shape: str, present: Field, value: Mapping[str, Any]) -> bool:
    """Tells whether a document's value merges under the present model as under one with this shape."""
    before = _parsed(shape).get("fields") if shape else None
    is_deep = isinstance(present.kind, OpenRecord) and present.kind.deep
    for name, part in value.items():
        field = present.fields.get(name)
        now = _open_part(is_deep, part) if field is None else form_of(field)
        then = _open_part(shape == _DEEP, part) if before is None else before.get(name)
        if then is None or (field is None and present.fields) or then != now:
            return False
    return True


def _open_part(deep: bool, value: Any) -> dict[str, Any]:
    """How a field of no model merges."""
    return {"tag": "node" if deep and isinstance(value, (dict, list)) else "scalar"}


@lru_cache(maxsize=256)
def _parsed(shape: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shape)
    return found
