"""Places, times and values as people read and write them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from concordant.errors import ConcordantError
from concordant.escalation import DELETED
from concordant.values import ABSENT, portable

__all__ = ["age", "parsed", "place", "placed", "prefix", "reason_given", "told_path", "told_value"]


def place(namespace: tuple[str, ...], key: str) -> str:
    """Writes a document's place so that ``placed`` reads it: ``briefs/2026:launch``; ``/``, ``:`` and ``%`` in names
    are escaped as in a URL.

    >>> place(("users", "a/b"), "x:y")
    'users/a%2Fb:x:y'
    """
    return f"{'/'.join(map(_escaped, namespace))}:{_escaped(key, '%')}"


def placed(text: str) -> tuple[tuple[str, ...], str]:
    """Reads a document's place.

    Raises:
        ConcordantError: it is none.

    >>> placed("users/a%2Fb:x:y")
    (('users', 'a/b'), 'x:y')
    """
    namespace, colon, key = text.partition(":")
    if not colon:
        raise ConcordantError(f"{text!r} is no place of a document: write NAMESPACE:KEY, such as briefs/2026:launch")
    return prefix(namespace), unquote(key)


def prefix(text: str) -> tuple[str, ...]:
    """Reads a namespace, or the beginning of one: its parts joined by ``/``."""
    return tuple(unquote(part) for part in text.split("/") if part)


def reason_given(text: str) -> str | None:
    """Reads the reason that somebody typed; ``None``: none."""
    return text.replace("\r\n", "\n").strip() or None


def _escaped(name: str, special: str = "/:%") -> str:
    return "".join(c if c.isprintable() and c not in special else quote(c, safe="") for c in name)


def told_path(path: tuple[Any, ...]) -> str:
    """Returns a path inside a document, for people."""
    return ".".join(map(str, path)) or "the document"


def told_value(value: Any, most: int) -> str:
    """Returns a value for people: a text as it is, anything else as JSON.

    Args:
        most: how many characters are shown; the rest is counted.
    """
    if value is DELETED:
        return "(deleted)"
    if value is ABSENT:
        return "(nothing)"
    text = value if isinstance(value, str) else json.dumps(portable(value), ensure_ascii=False)
    if len(text) > most:
        return f"{text[:most]}… ({len(text) - most:,} more characters)"
    return text


def parsed(text: str) -> Any:
    """Reads JSON.

    Raises:
        ValueError: it is none, or nested too deeply to be read.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def age(at: datetime, now: datetime | None = None) -> str:
    """Tells how long ago something was, in one unit.

    >>> age(datetime(2026, 5, 1, 12, tzinfo=UTC), datetime(2026, 5, 3, tzinfo=UTC))
    '36 h'
    """
    seconds = max(0.0, ((now or datetime.now(UTC)) - at).total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"
