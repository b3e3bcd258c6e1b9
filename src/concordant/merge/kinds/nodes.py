"""Containers that were deleted: whether they still stand, and what is contested about it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

from concordant.merge.causality import Entry, Register, Stamp, are_asked
from concordant.merge.kinds.base import Contest, Field, Look
from concordant.merge.kinds.doubt import Doubt, replaced
from concordant.merge.kinds.weighing import Option
from concordant.merge.registers import PARKED, Path, Tree, is_alive, leaf_at, leaves, place_leaf
from concordant.merge.registers.leaf import as_register, writes_of
from concordant.merge.registers.tree import gathered, kept_by
from concordant.values import ABSENT, encode

__all__ = ["node_value"]

Read = Callable[[Look, Tree], Any]


def node_value(
    look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Tree, read: Read, gone: Any = ABSENT
) -> Any:
    """Tells what a container shows; ``gone`` if it does not stand: it was deleted, and no update concurrent with that
    keeps it readable.

    Args:
        read: reads what is in it.
    """
    here = look.here
    if here is None or here.doubt is None:
        register, tombs = _tombs(look, path, cell)
        if not tombs:
            return read(look, cell)
        if here is None or look.on_delete != "escalate" or not look.doubts:
            return read(look, cell) if _is_shown(look, field, path, public, cell, register, tombs, read) else gone
        here.doubt = Doubt(path)
    doubt: Doubt = here.doubt
    doubt.follow(cell)
    if not doubt.tombs:
        here.doubt = None
        return read(look, cell)
    if not doubt.is_alive(cell):
        return gone
    first = len(look.contests)
    shown = read(look, {**cell, None: tuple(doubt.marks)})
    if shown is ABSENT:
        return gone
    look.contests.insert(first, doubt.contest(look, field, public, shown, read))
    return shown


def _is_shown(
    look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Tree, register: Register, tombs: list[Entry],
    read: Read,
) -> bool:  # fmt: skip
    """Whether a container that was deleted stands, and what is contested about it, by a look at all of it."""
    later = _after_deletion(look, cell, register)
    stays = {part: node for part, node in cell.items() if part is not None or len(register) > len(tombs)}
    if not later or not is_alive(stays):
        return False
    if look.on_delete != "escalate" and not are_asked(tombs):
        look.settled.append((public, look.on_delete))
        return look.on_delete == "update"
    as_shown = Look(on_delete="update", sort_keys=look.sort_keys, keeps=look.keeps)
    shown = read(as_shown, {**cell, None: tuple(entry for entry in register if entry.value is not None)})
    if shown is ABSENT:
        return False
    before = _before_deletion(cell, tombs, later)
    options = Option(encode(shown), tuple(sorted(later))), Option(None, _deleted_by(tombs))
    base = _encoded(read(Look(on_delete="update", sort_keys=True), before) if before else ABSENT)
    look.contests.append(Contest(public, path, "delete", "", base, options, field, asked=are_asked(tombs)))
    return True


def _tombs(look: Look, path: Path, cell: Tree) -> tuple[Register, list[Entry]]:
    """The register of a container as far as it is taken into account, and the deletions in it."""
    if look.tombs is not None and (*path, None) not in look.tombs:
        return (), []
    register: Register = look.entries(cell.get(None, ()))
    return register, [entry for entry in register if entry.value is None]


def _encoded(value: Any) -> Any:
    return ABSENT if value is ABSENT else encode(value)


def _deleted_by(tombs: list[Entry]) -> tuple[Stamp, ...]:
    stamps = sorted([stamp for tomb in tombs for stamp in tomb.stamps])
    return tuple([stamp for stamp, _ in groupby(stamps)])


def _after_deletion(look: Look, cell: Tree, register: Register) -> set[Stamp]:
    """The writes to a container that its deletions had not seen and deletions in it have not taken away, as far as the
    reading takes them into account."""
    known = {stamp for _, leaf in kept_by(register) for stamp in writes_of(leaf)}
    later = _standing(look, cell) - known
    if not {s.n for s in later}.isdisjoint([entry.stamp.n for entry in register]):  # numbers are compared faster
        later -= {entry.stamp for entry in register}
    later |= {s for entry in register if entry.value is not None for s in entry.stamps}
    return later if look.included is None else set(filter(look.included, later))


def _standing(look: Look, cell: Tree) -> set[Stamp]:
    """The writes to a container, without what the deletions in it keep."""
    inside = _kept_inside(look, cell)
    there = ((leaf, inside.get(path, ())) for path, leaf in leaves(cell) if path[0] != PARKED)
    return {stamp for leaf, kept in there for stamp in writes_of(leaf) if stamp not in kept}


def _kept_inside(look: Look, cell: Tree) -> dict[Path, set[Stamp]]:
    """The writes that the deletions in a container keep, by place."""
    found: dict[Path, set[Stamp]] = {}
    for path, leaf in leaves(cell):
        if path[-1] is None and len(path) > 1 and path[0] != PARKED:
            for below, part in kept_by(entry for entry in look.entries(as_register(leaf)) if entry.value is None):
                found.setdefault((*path[:-1], *below), set()).update(writes_of(part))
    return found


def _before_deletion(cell: Tree, tombs: list[Entry], later: set[Stamp]) -> Tree:
    """What was there before a container was deleted: what its deletions keep, and what a later update replaced, which
    carries that value."""
    before: Tree = {}
    for below, leaf in gathered(kept_by(tombs)):
        place_leaf(before, below, leaf)
    for below, leaf in leaves(cell):
        if below[-1] is not None and below[0] != PARKED and leaf_at(before, below) is None:
            place_leaf(before, below, replaced(leaf, later.__contains__))
    return before
