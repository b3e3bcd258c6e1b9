"""Parts of leaves: what a writer has seen of one, what a deletion keeps of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence as Items

from concordant.merge.causality import Entry, Register, Seen, SeenBy, Stamp, order_of
from concordant.merge.registers.leaves import PARKED, Leaf, Path, Tree, leaves, place_leaf
from concordant.merge.sequence.edit import withdraw
from concordant.merge.sequence.pieces import Sequence

__all__ = [
    "as_seen",
    "confirmed",
    "oldest_of_each_agent",
    "parted",
    "parted_by",
    "replaced_what_was_seen",
    "split_by",
    "stamps_below",
    "uncovered",
    "unseen_part",
]


def stamps_below(cell: object) -> tuple[Stamp, ...]:
    """The stamps of all writes that stand below a place, oldest first."""
    found: set[Stamp] = set()
    for _, leaf in leaves(cell):
        if isinstance(leaf, Sequence):
            found.update(leaf.stamps())
        else:
            found.update(stamp for entry in leaf for stamp in entry.stamps)
    return tuple(sorted(found, key=order_of))


MOST_NAMED = 256
"""How many agents an entry names that said the same before its own; who came later is in the journal."""


def unseen_part(leaf: Leaf, seen: SeenBy) -> Leaf | None:
    """What remains of a leaf for a writer who takes away all it has seen."""
    if isinstance(leaf, Sequence):
        return withdraw(leaf, seen) if any(seen(stamp) for stamp in leaf.stamps()) else leaf
    kept = tuple(entry for entry in leaf if not seen(entry.stamp))
    return leaf if len(kept) == len(leaf) else kept


def parted_by(register: Register, seen: SeenBy) -> tuple[list[Entry], Register]:
    """The entries of a register that a writer has seen, and the rest."""
    mine = seen.among(register) if isinstance(seen, Seen) else [entry for entry in register if seen(entry.stamp)]
    if not mine:
        return mine, register
    known = set(map(id, mine))
    return mine, tuple([entry for entry in register if id(entry) not in known])


def replaced_what_was_seen(leaf: Leaf, seen: SeenBy) -> bool:
    """Whether something in a leaf took the place of what a writer had seen."""
    if isinstance(leaf, Sequence):
        return any(seen(piece.stamp) for piece in leaf)
    bases = [entry.base for entry in leaf if entry.base is not None and entry.base.replica]
    return any(seen(Stamp(base.time, base.replica, base.n, "", "", "")) for base in bases)


def split_by(leaf: Leaf, seen: SeenBy) -> tuple[Leaf | None, Leaf | None]:
    """A leaf as the part that a writer has seen and the rest; ``None`` for a part that is empty."""
    rest = unseen_part(leaf, seen)
    if rest is leaf:
        return None, leaf
    if rest == ():
        return leaf, None
    mine = leaf.only(seen) if isinstance(leaf, Sequence) else tuple(entry for entry in leaf if seen(entry.stamp))
    return mine, rest or None


def as_seen(tree: Tree, seen: SeenBy) -> Tree:
    """A tree as its writer knows it: what unseen writes made is not there, what they replaced is there again, as far as
    they tell of it."""
    result: Tree = {}
    for path, leaf in leaves(tree):
        if path[0] == PARKED:
            continue
        if isinstance(leaf, Sequence):
            known = leaf.only(seen)
            place_leaf(result, path, known if known.is_alive() else None)
        else:
            entries = (_known(entry, seen) for entry in leaf)
            place_leaf(result, path, tuple({entry.stamp: entry for entry in entries if entry is not None}.values()))
    return result


def _known(entry: Entry, seen: SeenBy) -> Entry | None:
    stamp = next((stamp for stamp in entry.stamps if seen(stamp)), None)
    if stamp is not None:
        return entry._replace(stamp=stamp, confirms=())
    base = entry.base
    if base is None or not base.replica:
        return None
    stamp = Stamp(base.time, base.replica, base.n, "", "", "")
    return Entry(stamp, base.value) if seen(stamp) else None


def uncovered(entry: Entry, gone: Iterable[tuple[Path, object]]) -> Entry:
    """A deletion that no longer keeps what another one, which gives way, keeps as well."""
    if not entry.covered:
        return entry
    kept: dict[Path, Leaf | None] = dict(entry.covered)  # type: ignore[arg-type]
    for below, leaf in gone:
        mine = kept.get(below)
        if isinstance(mine, Sequence) and isinstance(leaf, Sequence):
            stamps = set(leaf.stamps())
            kept[below] = withdraw(mine, lambda stamp, stamps=stamps: stamp in stamps)  # type: ignore[misc]
        elif isinstance(mine, tuple) and isinstance(leaf, tuple):
            known = {e.stamp for e in leaf}
            kept[below] = tuple(e for e in mine if e.stamp not in known) or None
    return entry._replace(covered=tuple((below, leaf) for below, leaf in kept.items() if leaf is not None))


def parted(leaf: Leaf | None, covered: Leaf) -> tuple[Leaf | None, Leaf | None]:
    """Splits a leaf into what is live and what belongs to a deletion that keeps ``covered``."""
    if leaf is None or leaf == ():
        return None, None
    if isinstance(leaf, Sequence):
        if not isinstance(covered, Sequence):
            return leaf, covered
        old = set(covered.stamps())
        standing = set(leaf.stamps())
        return withdraw(leaf, lambda s: s in old), withdraw(covered, lambda s: s not in standing)
    if isinstance(covered, Sequence):
        return leaf, covered
    old_entries = {entry.stamp for entry in covered}
    live = tuple(entry for entry in leaf if entry.stamp not in old_entries)
    rest = tuple(entry for entry in leaf if entry.stamp in old_entries)
    return live, rest or None


def confirmed(entries: Items[Entry]) -> tuple[Stamp, ...]:
    """What an entry confirms that replaces these, which are equal to it."""
    if len(entries) == 1:
        known, last = entries[0].confirms, entries[0].stamp
        if len(known) >= MOST_NAMED or last.agent in [stamp.agent for stamp in known]:
            return known
        return (*known, last)
    return oldest_of_each_agent([stamp for entry in entries for stamp in entry.stamps])


def oldest_of_each_agent(stamps: Iterable[Stamp]) -> tuple[Stamp, ...]:
    """The first of each agent's writes, in order, of the first agents."""
    oldest: dict[str, Stamp] = {}
    for stamp in sorted(stamps, key=order_of):
        oldest.setdefault(stamp.agent, stamp)
    return tuple(oldest.values())[:MOST_NAMED]
