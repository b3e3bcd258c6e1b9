"""What differs between two texts, word by word, and between two values, path by path."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from concordant.merge.sequence.diff import list_hunks
from concordant.values import ABSENT

__all__ = ["DiffPart", "FieldChange", "changes", "shortened", "words"]

Sort: TypeAlias = Literal["same", "added", "removed", "left out"]
_WORD = re.compile(r"\w+(?:[-.,:/'\u2019]\w+)*|\n|[^\S\n]+|[^\w\s]")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_MOST = 50_000
"""How many characters are compared by words; what is longer is compared by lines."""


class DiffPart(NamedTuple):
    """A piece of two texts: of both, of the new one, or of the old one; or how much of both is left out."""

    sort: Sort
    text: str


class FieldChange(NamedTuple):
    """What became of a value: ``ABSENT`` stands for none."""

    path: tuple[str, ...]
    before: Any
    after: Any


def words(before: str, after: str) -> list[DiffPart]:
    """Compares two texts by words (by lines where they are very long).

    Returns:
        The parts of both, in order.

    >>> [(part.sort, part.text) for part in words("The fox.", "The red fox.")]
    [('same', 'The '), ('added', 'red '), ('same', 'fox.')]
    """
    token = _WORD if max(len(before), len(after)) <= _MOST else _LINE
    old, new = token.findall(before), token.findall(after)
    parts: list[DiffPart] = []
    at = 0
    for hunk in [*list_hunks(old, new), None]:
        start, end = (hunk.start, hunk.end) if hunk is not None else (len(old), len(old))
        pieces: list[tuple[Sort, Sequence[str]]] = [("same", old[at:start]), ("removed", old[start:end])]
        pieces.append(("added", hunk.content if hunk is not None else ()))
        parts.extend(DiffPart(sort, "".join(content)) for sort, content in pieces if content)
        at = end
    return _joined(parts)


def _joined(parts: Sequence[DiffPart]) -> list[DiffPart]:
    """Takes rewritten words together that only a blank parts, so that a rewritten phrase reads as one."""
    found: list[DiffPart] = []
    removed = added = ""
    for n, part in enumerate(parts):
        is_blank = part.sort == "same" and part.text.isspace() and "\n" not in part.text
        inside = bool(is_blank and removed and added and n + 1 < len(parts))
        if part.sort == "same" and not inside:
            found += [*_changed(removed, added), part]
            removed = added = ""
            continue
        removed += part.text if part.sort != "added" else ""
        added += part.text if part.sort != "removed" else ""
    return [*found, *_changed(removed, added)]


def _changed(removed: str, added: str) -> list[DiffPart]:
    return [DiffPart("removed", removed)] * bool(removed) + [DiffPart("added", added)] * bool(added)


def shortened(parts: Sequence[DiffPart], around: int = 60) -> list[DiffPart]:
    """Leaves out what is the same, but for some characters beside each change.

    Args:
        around: how many characters are kept before and after.

    Returns:
        The parts; ``left out`` tells how many characters are not shown.
    """
    found: list[DiffPart] = []
    for n, part in enumerate(parts):
        keep = (around if n else 0) + (around if n + 1 < len(parts) else 0)
        if part.sort != "same" or len(part.text) <= keep + 20:
            found.append(part)
            continue
        head = part.text[:around] if n else ""
        tail = part.text[len(part.text) - around :] if n + 1 < len(parts) else ""
        cut = len(part.text) - len(head) - len(tail)
        found += [DiffPart("same", head)] if head else []
        found.append(DiffPart("left out", f"{cut:,}"))
        found += [DiffPart("same", tail)] if tail else []
    return found


def changes(before: Any, after: Any, path: tuple[str, ...] = ()) -> Iterator[FieldChange]:
    """Compares two values, dicts key by key at any depth.

    >>> [change.path for change in changes({"a": {"b": 1}}, {"a": {"b": 2, "c": 3}})]
    [('a', 'b'), ('a', 'c')]
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys([*before, *after]):
            yield from changes(before.get(name, ABSENT), after.get(name, ABSENT), (*path, str(name)))
    elif type(before) is not type(after) or before != after:
        yield FieldChange(path, before, after)
