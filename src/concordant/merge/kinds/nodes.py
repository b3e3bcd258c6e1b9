"""Containers that were deleted: whether they still stand, and what is contested about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from concordant.merge.causality import Entry, Register, Stamp, are_asked, order_of
from concordant.merge.kinds.base import Contest, Field, Look, Option
from concordant.merge.registers import PARKED, Path, Tree, is_alive, leaf_at, leaves, place_leaf
from concordant.merge.registers.leaves import gathered, kept_by
from concordant.values import ABSENT, encode

__all__ = ["node_is_shown", "standing_stamps"]


def node_is_shown(
    look: Look,
    field: Field,
    path: Path,
    public: tuple[str, ...],
    cell: Tree,
    read: Callable[[Look, Tree], Any],
) -> bool:
    """Whether a container stands: not deleted, or kept readable by updates concurrent with its deletion."""
    register: Register = look.entries(cell.get(None, ()))
    tombs = [entry for entry in register if entry.value is None]
    if not tombs:
        return True
    own: set[Stamp] = {entry.stamp for entry in register}
    kept = {stamp for _, leaf in kept_by(register) for stamp in standing_stamps(leaf)}
    others = own | kept
    later = [s for p, leaf in leaves(cell) if p[0] != PARKED for s in standing_stamps(leaf) if s not in others]
    later += [s for entry in register if entry.value is not None for s in entry.stamps]
    if look.included is not None:
        later = [stamp for stamp in later if look.included(stamp)]
    alive = bool(later) and is_alive({k: v for k, v in cell.items() if k is not None or len(register) > len(tombs)})
    if not alive:
        return False
    if look.on_delete != "escalate" and not are_asked(tombs):
        look.settled.append((public, look.on_delete))
        return look.on_delete == "update"
    quiet = Look(on_delete="update")
    before: Tree = {}
    for below, leaf in gathered(kept_by(tombs)):
        place_leaf(before, below, leaf)
    for below, leaf in leaves(cell):
        # What the update replaced was there too: it carries that value.
        if isinstance(leaf, tuple) and below[-1] is not None and leaf_at(before, below) is None:
            replaced = max((e.base for e in leaf if e.base and e.stamp in later), key=lambda b: b[:3], default=None)
            if replaced is not None and replaced.value is not None and below[0] != PARKED:
                stamp = Stamp(replaced.time, replaced.replica, replaced.n, "", "", "")
                place_leaf(before, below, (Entry(stamp, replaced.value),))
    base = read(quiet, before) if before else ABSENT
    shown = read(quiet, {**cell, None: tuple(entry for entry in register if entry.value is not None)})
    if shown is ABSENT:
        return False
    look.contests.append(
        Contest(
            public,
            path,
            "delete",
            "",
            ABSENT if base is ABSENT else encode(base),
            (
                Option(encode(shown), tuple(sorted(set(later), key=order_of))),
                Option(None, tuple(sorted(dict.fromkeys([s for t in tombs for s in (*t.confirms, t.stamp)])))),
            ),
            field,
            asked=are_asked(tombs),
        )
    )
    return True


def standing_stamps(leaf: Any) -> list[Stamp]:
    """The writes that stand in a leaf."""
    if isinstance(leaf, tuple):
        return [entry.stamp for entry in leaf if entry.value is not None]
    return list(leaf.stamps())
