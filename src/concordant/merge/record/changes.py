"""Changes as bytes, for a journal: enough to take them back and to tell what they did.

A register is kept as it was before and after. Of a text or list, which may be large, and of a register of many entries
only the difference is kept, from the later content to the earlier; it can be taken back as long as all changes after it
are taken back first.
"""

from __future__ import annotations

from collections.abc import Sequence as Items
from typing import Any

from pydantic_core import from_json, to_json

from concordant.merge.causality import Stamp
from concordant.merge.record.codec import (
    CodecError,
    Number,
    dump_leaf,
    dump_piece,
    load_leaf,
    load_path,
    load_piece,
    load_stamps,
    load_text,
)
from concordant.merge.registers import Leaf, LeafChange
from concordant.merge.registers.crowds import MANY, Exchanged, exchange
from concordant.merge.sequence.pieces import Sequence, Strike
from concordant.merge.sequence.splice import Spliced, splice

__all__ = ["dump_changes", "journalled", "load_changes"]

_NOTHING: Any = Spliced(0, 0, (), (), ())
"""For what a text or list became: it is known from what is later."""


def journalled(changes: Items[LeafChange]) -> tuple[LeafChange, ...]:
    """Changes as a journal keeps them: of a text or list, and of a register of many entries, the difference, so that no
    earlier content is held."""
    return tuple(map(_journalled, changes))


def _journalled(change: LeafChange) -> LeafChange:
    path, before, after = change
    if isinstance(after, Sequence):
        was: Any = splice(before, after) if isinstance(before, Sequence) else before
        return LeafChange(path, was, _NOTHING)
    if isinstance(before, tuple) and len(before) >= MANY and after:
        moved: Any = exchange(before, after)
        if moved is not None:
            return LeafChange(path, moved, after[len(after) - moved.came :])
    return change


def dump_changes(changes: Items[LeafChange], effect: Items[LeafChange] | None, upto: int | None = None) -> bytes:
    """A journal row's changes and effect, and up to which commit its writer had seen."""
    stamps: dict[Stamp, int] = {}

    def number(stamp: Stamp) -> int:
        return stamps.setdefault(stamp, len(stamps))

    def dumped(items: Items[LeafChange]) -> list[Any]:
        return [[path, *_dump(before, after, number)] for path, before, after in journalled(items)]

    body = [dumped(changes), None if effect is None else dumped(effect)]
    return to_json([list(stamps), *body] if upto is None else [list(stamps), *body, upto])


def load_changes(data: bytes) -> tuple[tuple[LeafChange, ...], tuple[LeafChange, ...] | None, int | None]:
    """What ``dump_changes`` was given, texts and lists as ``Spliced``.

    Raises:
        CodecError: these are no such bytes.
    """
    try:
        table, changes, effect, *rest = from_json(data)
        stamps = load_stamps(table)
        return _loaded(changes, stamps), None if effect is None else _loaded(effect, stamps), *_upto(*rest)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise CodecError(f"no journal row ({type(error).__name__}: {error})") from error


def _upto(n: int | None = None) -> tuple[int | None]:
    """What a row says of up to which commit its writer had seen; rows of before do not."""
    return (None if n is None else int(n),)


def _loaded(data: Any, stamps: list[Stamp]) -> tuple[LeafChange, ...]:
    return tuple(
        LeafChange(load_path(path), _load(before, stamps), _load(after, stamps)) for path, before, after in data
    )


def _dump(before: Any, after: Any, number: Number) -> tuple[Any, Any]:
    if isinstance(before, Exchanged):
        return {"leaf": dump_leaf(before.gone, number), "at": [before.head, before.came]}, _dump_whole(after, number)
    if not isinstance(before, Spliced):  # what a text or list became needs no content
        return _dump_whole(before, number), {} if isinstance(after, Spliced) else _dump_whole(after, number)
    pieces = [dump_piece(piece, number) for piece in before.pieces]
    removed = [[number(s.stamp), s.k] for s in before.removed]
    return [before.head, before.tail, pieces, before.added, removed], {}


def _dump_whole(leaf: Leaf | None, number: Number) -> Any:
    return None if leaf is None else {"leaf": dump_leaf(leaf, number)}


def _load(data: Any, stamps: list[Stamp]) -> Any:
    if data is None:
        return None
    if isinstance(data, dict):
        leaf: Any = load_leaf(data["leaf"], stamps) if data else _NOTHING
        return Exchanged(int(data["at"][0]), leaf, int(data["at"][1])) if "at" in data else leaf
    head, tail, pieces, added, removed = data
    return Spliced(
        int(head),
        int(tail),
        [load_piece(piece, stamps) for piece in pieces],
        [(load_text(replica), int(n), int(k)) for replica, n, k in added],
        [Strike(stamps[stamp], int(k)) for stamp, k in removed],
    )
