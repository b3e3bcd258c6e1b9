"""Changes as bytes, for a journal: enough to take them back, to make them once more, and to tell what they did.

A register is kept as it was before and after. Of a text or list, which may be large, and of a register of many entries
only the difference is kept: it can be taken back as long as all changes after it are taken back first, and made once
more where all before it have been.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence as Items
from typing import Any

from pydantic_core import from_json, to_json

from concordant.merge.causality import Stamp
from concordant.merge.record.codec import (
    CodecError,
    Number,
    Numbers,
    dump_leaf,
    dump_spliced,
    load_leaf,
    load_path,
    load_piece,
    load_spliced,
    load_stamps,
    load_strikes,
    load_text,
)
from concordant.merge.record.record import Record
from concordant.merge.registers import Leaf, LeafChange, leaf_at
from concordant.merge.registers.crowds import MANY, Exchanged, exchange
from concordant.merge.sequence.pieces import EMPTY, Sequence
from concordant.merge.sequence.splice import (
    Former,
    Spliced,
    splice,
)

__all__ = ["dump_changes", "follow", "journalled", "later_leaf", "load_changes", "packed"]

_NOTHING: Any = Spliced((), (), ())
"""For what a text or list became: what stands beside it tells, or it is known from what is later."""


def journalled(changes: Items[LeafChange]) -> tuple[LeafChange, ...]:
    """Changes as a journal keeps them: of a text or list, and of a register of many entries, the difference, so that no
    earlier content is held."""
    return tuple(map(_journalled, changes))


def _journalled(change: LeafChange) -> LeafChange:
    path, before, after = change
    if isinstance(after, Sequence):
        if not isinstance(before, Sequence):
            return LeafChange(path, before, splice(EMPTY, after))  # type: ignore[arg-type]
        told = (path, splice(before, after), _NOTHING)
        return tuple.__new__(LeafChange, told)  # the class's own is slower, being Python
    if isinstance(before, tuple) and len(before) >= MANY and after:
        moved: Any = exchange(before, after)
        if moved is not None:
            return LeafChange(path, moved, after[len(after) - moved.came :])
    return change


def packed(changes: Items[LeafChange]) -> bytes | Items[LeafChange]:
    """Gives journalled changes as a journal in memory keeps them: those of texts and lists as bytes (``load_changes``).

    As objects they are a dozen for each edit, and Python's garbage collector walks through all there are. Those of
    registers share their entries with each other, and stay.
    """
    is_apart = changes and all(change.after is _NOTHING for change in changes)
    return dump_changes(changes, None) if is_apart else changes


def later_leaf(change: LeafChange, earlier: Leaf | None) -> Leaf | None:
    """Tells what a journalled change makes of what was there before it.

    Raises:
        ConcordantError: that is not what it was made of.
    """
    before: Any = change.before
    after: Any = change.after
    if isinstance(before, Exchanged):
        return before.later(earlier, after)
    if isinstance(before, Spliced):
        return before.later(earlier)
    return after.later(EMPTY) if isinstance(after, Spliced) else after


def follow(record: Record, changes: Iterable[LeafChange]) -> None:
    """Makes changes once more, as a row of the journal tells of them.

    Raises:
        ConcordantError: they are no changes of what is there.
    """
    for change in changes:
        earlier = leaf_at(record.tree, change.path)
        record.commit((LeafChange(change.path, earlier, later_leaf(change, earlier)),))
    record.untold = None


def dump_changes(
    changes: Items[LeafChange],
    effect: Items[LeafChange] | None,
    upto: int | None = None,
    *,
    onward: bool = True,
) -> bytes:
    """Returns a journal row's changes and effect, and up to which commit its writer had seen.

    Args:
        onward: whether the changes can be made once more; else they can only be taken back.
    """
    stamps = Numbers()
    number = stamps.__getitem__

    def dumped(items: Items[LeafChange], onward: bool) -> list[Any]:
        return [[path, *_dump(before, after, number, onward)] for path, before, after in journalled(items)]

    body = [dumped(changes, onward), None if effect is None else dumped(effect, onward=False)]
    return to_json([stamps.table(), *body] if upto is None else [stamps.table(), *body, upto])


def load_changes(data: bytes) -> tuple[tuple[LeafChange, ...], tuple[LeafChange, ...] | None, int | None]:
    """Tells what ``dump_changes`` was given, texts and lists as ``Spliced``.

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


def _dump(before: Any, after: Any, number: Number, onward: bool) -> tuple[Any, Any]:
    if isinstance(before, Exchanged):
        return {"leaf": dump_leaf(before.gone, number), "at": [before.head, before.came]}, _dump_whole(after, number)
    if isinstance(before, Spliced):
        return dump_spliced(before, number, onward), {}
    if isinstance(after, Spliced):
        return _dump_whole(before, number), dump_spliced(after, number, onward) if onward else {}
    return _dump_whole(before, number), _dump_whole(after, number)


def _dump_whole(leaf: Leaf | None, number: Number) -> Any:
    return None if leaf is None else {"leaf": dump_leaf(leaf, number)}


def _load(data: Any, stamps: list[Stamp]) -> Any:
    if data is None:
        return None
    if isinstance(data, list):  # as they were kept before
        head, tail, pieces, runs, gone = data
        named = [(load_text(replica), int(n), int(k)) for replica, n, k in runs]
        return Former(
            int(head), int(tail), [load_piece(piece, stamps) for piece in pieces], named, load_strikes(gone, stamps)
        )
    if "hunks" in data:
        return load_spliced(data, stamps)
    leaf: Any = load_leaf(data["leaf"], stamps) if data else _NOTHING
    return Exchanged(int(data["at"][0]), leaf, int(data["at"][1])) if "at" in data else leaf
