"""What stands at one place of a tree: a *register* or a *sequence*, and what both can be asked.

A register is a plain tuple of entries, which costs no object of its own beside them; a sequence is a ``Sequence``.
Whoever deals with leaves of any sort asks here, so that nobody else has to tell the two apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from operator import attrgetter
from typing import Any, TypeAlias

from concordant.merge.causality import Entry, Register, SeenBy, Stamp, VersionVector, is_covered, order_of
from concordant.merge.registers.register import known_of
from concordant.merge.sequence.edit import withdraw
from concordant.merge.sequence.order import united
from concordant.merge.sequence.pieces import EMPTY, Sequence

__all__ = [
    "Leaf",
    "Path",
    "adds",
    "as_register",
    "as_sequence",
    "as_writer_knows",
    "begins_at",
    "beside",
    "common",
    "contents_of",
    "covers",
    "is_seen",
    "is_sequence",
    "less",
    "only",
    "parted",
    "renamed",
    "replaced_what_was_seen",
    "split_by",
    "stamps_of",
    "stamps_within",
    "stands",
    "supporters_of",
    "uncovered",
    "without",
    "writes_of",
]

Path: TypeAlias = tuple[str | None, ...]
Leaf: TypeAlias = "Register | Sequence"


def is_sequence(leaf: Any) -> bool:
    """Tells whether a leaf is a text or list."""
    return isinstance(leaf, Sequence)


def as_register(leaf: Any) -> Register:
    """Returns a leaf that is a register; an empty one in the place of anything else."""
    return leaf if isinstance(leaf, tuple) else ()


def as_sequence(leaf: Any) -> Sequence:
    """Returns a leaf that is a sequence; an empty one in the place of anything else."""
    return leaf if isinstance(leaf, Sequence) else EMPTY


# -- who wrote it ----------------------------------------------------------------------------------------------------


def stamps_of(leaf: Leaf) -> Iterator[Stamp]:
    """Iterates the writes that are in a leaf, deletions included: of an entry the last that said it."""
    return leaf.stamps() if isinstance(leaf, Sequence) else (entry.stamp for entry in leaf)


def writes_of(leaf: Leaf) -> Iterator[Stamp]:
    """Iterates the same without deletions."""
    return leaf.writes() if isinstance(leaf, Sequence) else (entry.stamp for entry in leaf if entry.value is not None)


def contents_of(leaf: Leaf) -> Iterator[Stamp]:
    """Iterates the writes of which something is shown, or could be: of a sequence what was removed does not count."""
    if isinstance(leaf, Sequence):
        return (piece.stamp for piece in leaf if piece.live)
    return (entry.stamp for entry in leaf if entry.value is not None)


def adds(leaf: Leaf, known: VersionVector) -> bool:
    """Tells whether one of these writes is one which a version vector does not know."""
    if isinstance(leaf, Sequence):
        return leaf.has_beyond(known)
    return any(entry.value is not None and not is_covered(entry.stamp, known) for entry in leaf)


def begins_at(leaf: Leaf) -> float:
    """Tells when the first of these writes was made; infinite if there is none."""
    if isinstance(leaf, Sequence):
        return leaf.begins_at()
    return min([entry[0][0] for entry in leaf if entry[1] is not None], default=math.inf)


def supporters_of(leaf: Leaf) -> Iterator[Stamp]:
    """Iterates all writes that stand for what is in a leaf, those that only confirmed it included."""
    return leaf.writes() if isinstance(leaf, Sequence) else (stamp for entry in leaf for stamp in entry.stamps)


_STAMPS = attrgetter("stamps")


def is_seen(leaf: Leaf, seen: SeenBy) -> bool:
    """Tells whether somebody has seen all of them. What was written last is looked at first."""
    if isinstance(leaf, Sequence):
        return leaf.is_seen(seen)
    return all(map(seen, chain.from_iterable(map(_STAMPS, reversed(leaf)))))


def stamps_within(leaf: Leaf) -> Iterator[Stamp]:
    """Iterates every stamp in a leaf: of what no longer stands, and of what deletions keep, as well."""
    if isinstance(leaf, Sequence):
        yield from (piece.stamp for piece in leaf)
        yield from (strike.stamp for strike in leaf.strikes.values())
        yield from (stamp for piece in leaf if piece.credits for *_, stamps in piece.credits for stamp in stamps)
        return
    for entry in leaf:
        yield from entry.stamps
        for _, kept in entry.covered:
            yield from stamps_within(kept)  # type: ignore[arg-type]


# -- whether it stands -----------------------------------------------------------------------------------------------


def stands(leaf: Leaf) -> bool:
    """Tells whether a leaf holds more than deletions."""
    return isinstance(leaf, Sequence) or any(entry.value is not None for entry in leaf)


def covers(leaf: Any) -> bool:
    """Tells whether a deletion in a leaf keeps something."""
    return isinstance(leaf, tuple) and any(entry.covered for entry in leaf)


def replaced_what_was_seen(leaf: Leaf, seen: SeenBy) -> bool:
    """Tells whether something in a leaf took the place of what a writer had seen."""
    if isinstance(leaf, Sequence):
        return any(seen(piece.stamp) for piece in leaf)
    bases = [entry.base for entry in leaf if entry.base is not None and entry.base.replica]
    return any(seen(Stamp(base.time, base.replica, base.n, "", "", "")) for base in bases)


# -- parts of it -----------------------------------------------------------------------------------------------------


def only(leaf: Leaf, included: SeenBy) -> Leaf:
    """Tells what a leaf is made of by the writes included alone."""
    return leaf.only(included) if isinstance(leaf, Sequence) else tuple(e for e in leaf if included(e.stamp))


def without(leaf: Leaf, gone: SeenBy) -> Leaf | None:
    """Tells what remains of a leaf if some writes are taken away; the leaf itself if none of them is in it."""
    if isinstance(leaf, Sequence):
        return withdraw(leaf, gone) if any(gone(stamp) for stamp in leaf.stamps()) else leaf
    kept = tuple(entry for entry in leaf if not gone(entry.stamp))
    return leaf if len(kept) == len(leaf) else kept


def split_by(leaf: Leaf, seen: SeenBy) -> tuple[Leaf | None, Leaf | None]:
    """Returns a leaf as the part that a writer has seen and the rest; ``None`` for a part that is empty."""
    rest = without(leaf, seen)
    if rest is leaf:
        return None, leaf
    if rest == ():
        return leaf, None
    return only(leaf, seen), rest or None


def as_writer_knows(leaf: Leaf, seen: SeenBy) -> Leaf | None:
    """Returns a leaf as its writer knows it: without what unseen writes made, with what they replaced, as far as they
    tell."""
    if isinstance(leaf, Sequence):
        known = leaf.only(seen)
        return known if known.is_alive() else None
    entries = (known_of(entry, seen) for entry in leaf)
    return tuple({entry.stamp: entry for entry in entries if entry is not None}.values())


def renamed(leaf: Leaf, name: Callable[[str], str]) -> Leaf:
    """Returns the same leaf with other names for the replicas in its dots, also of what its deletions keep."""
    if isinstance(leaf, Sequence):
        return leaf.renamed(name)
    return tuple(
        entry._replace(
            stamp=entry.stamp._replace(replica=name(entry.stamp.replica)),
            covered=tuple((path, renamed(part, name)) for path, part in entry.covered),  # type: ignore[arg-type]
        )
        for entry in leaf
    )


# -- two of one place ------------------------------------------------------------------------------------------------


def beside(live: Leaf | None, covered: Leaf) -> Leaf:
    """Tells what is live and what a deletion keeps, as one leaf."""
    if live is None:
        return covered
    if isinstance(live, Sequence):
        return united(live, covered) if isinstance(covered, Sequence) else live
    if isinstance(covered, Sequence) or (live is covered and len(live) == 1):
        return covered
    known = {entry.stamp for entry in live}
    return tuple(sorted((*live, *(e for e in covered if e.stamp not in known)), key=lambda e: order_of(e.stamp)))


def less(leaf: Leaf, other: Leaf) -> Leaf | None:
    """Returns a leaf without what is in another one of its sort; ``None`` if nothing remains."""
    if is_sequence(leaf) != is_sequence(other):
        return leaf
    known = set(stamps_of(other))
    if isinstance(leaf, Sequence):
        return withdraw(leaf, known.__contains__)
    return tuple(entry for entry in leaf if entry.stamp not in known) or None


def uncovered(entry: Entry, gone: Iterable[tuple[Path, Any]]) -> Entry:
    """Returns a deletion that no longer keeps what another one, which gives way, keeps as well."""
    if not entry.covered:
        return entry
    kept: dict[Path, Any] = dict(entry.covered)
    for below, leaf in gone:
        if kept.get(below) is not None:
            kept[below] = less(kept[below], leaf)
    return entry._replace(covered=tuple((below, leaf) for below, leaf in kept.items() if leaf is not None))


def parted(leaf: Leaf | None, covered: Leaf) -> tuple[Leaf | None, Leaf | None]:
    """Splits a leaf into what is live and what belongs to a deletion that keeps ``covered``."""
    if leaf is None or leaf == ():
        return None, None
    if is_sequence(leaf) != is_sequence(covered):
        return leaf, covered
    if isinstance(leaf, Sequence) and isinstance(covered, Sequence):
        standing = set(leaf.stamps())
        return less(leaf, covered), withdraw(covered, lambda stamp: stamp not in standing)
    known = set(stamps_of(covered))
    entries = as_register(leaf)
    live = tuple(entry for entry in entries if entry.stamp not in known)
    return live, tuple(entry for entry in entries if entry.stamp in known) or None


def common(leaf: Leaf, other: Leaf, identity: Callable[[Entry], object]) -> Leaf | None:
    """Tells what is in both of two leaves, as it stands in the first; that one if they are of different sorts.

    Args:
        identity: tells the entries of registers apart.
    """
    if is_sequence(leaf) != is_sequence(other):
        return leaf
    if isinstance(leaf, Sequence):
        standing = set(stamps_of(other))
        return withdraw(leaf, lambda stamp: stamp not in standing)
    known = {identity(entry) for entry in as_register(other)}
    return tuple(entry for entry in leaf if identity(entry) in known) or None
