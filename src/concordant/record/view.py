"""``view``: what a record shows, and what in it is contested."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from concordant.causal import Stamp, has_met, order_of
from concordant.kinds import Contest, Field, Look, Option
from concordant.kinds.base import reading
from concordant.kinds.record import OpenRecord, field_at, public_path, split_slot
from concordant.record.drift import Fit, adapted, fitted, former_names
from concordant.record.leases import earlier_lives, living
from concordant.record.parked import ask_about_parked, parked_names
from concordant.record.record import Record
from concordant.sequence.pieces import Sequence
from concordant.tree import PARKED, Path, Tree, leaf_at, leaves, place_leaf, restored
from concordant.values import ABSENT, JSON, encode

__all__ = ["View", "view"]


class View(NamedTuple):
    """What a record shows: the value's JSON (``None``: there is no document), the contests, what policies settled
    (path, policy), the names of stored fields that the model does not have, and whether some of what is stored is not
    such as the model makes."""

    body: JSON | None
    contests: tuple[Contest, ...]
    settled: tuple[tuple[tuple[str, ...], str], ...]
    undeclared: tuple[str, ...]
    drifts: bool = False


def view(
    record: Record,
    root: Field,
    *,
    on_delete: str = "escalate",
    fits: Callable[[Any], bool] | None = None,
    fit: Fit | None = None,
) -> View:
    """Reads a record.

    Args:
        fits: whether a value satisfies the model's constraints, where it has any beyond its fields' types; writes
            that break them are held back, in (time, dot) order, and contested.
        fit: gives parts of the value in the model's form; for a record that was not written under it.
    """
    tree, drifts = _standing(record), False
    if fit is not None:
        tree, moves = adapted(tree, root, fit)
        drifts = bool(moves)
    look = Look(on_delete, sort_keys=has_met(record.vector))

    def shown(look: Look, tree: Tree) -> Any:
        nonlocal drifts
        value: Any = root.kind.read(look, root, (), (), tree) if tree else ABSENT
        if fit is not None:
            value, misfits = fitted(look, root, tree, value, fit)
            drifts = drifts or misfits
        return value

    value = shown(look, tree)
    drifts = drifts or any(contest.reason == "schema" for contest in look.contests)
    if value is not ABSENT and fits is not None and not fits(value):
        value, drifts = _largest_fitting(tree, root, look, fits, shown), True
    if value is ABSENT and PARKED in tree and not tree.get(None):
        value = {}
    if value is ABSENT:
        return View(None, tuple(look.contests), tuple(look.settled), (), drifts)
    if PARKED in tree:
        ask_about_parked(look, root, tree, value)
    undeclared = _undeclared(tree, root) if len(tree) > len(value) else ()
    return View(encode(value), tuple(look.contests), tuple(look.settled), undeclared, drifts)


def _standing(record: Record) -> Tree:
    """What a reader finds of a record's tree: not what lived before, but what a deletion removed while it is asked."""
    gone = earlier_lives(record.leases)
    tree = record.tree if gone is None else living(record.tree, gone)
    return restored(tree) if record.covering else tree


def _undeclared(tree: Tree, root: Field) -> tuple[str, ...]:
    if isinstance(root.kind, OpenRecord):
        return ()
    known = {*root.fields, *former_names(root)}
    names = [split_slot(slot)[1] for slot in tree if slot is not None and slot != PARKED] + parked_names(tree)
    return tuple(dict.fromkeys(name for name in names if name not in known))


def _largest_fitting(
    tree: Tree, root: Field, look: Look, fits: Callable[[Any], bool], shown: Callable[[Look, Tree], Any]
) -> Any:
    """Applies the live writes in (time, dot) order and holds back each that would break a constraint.

    A write is taken as a whole if it fits, else entry by entry, so that one bad field does not cost the others.
    """
    contested = {contest.path for contest in look.contests}
    by_write: dict[tuple[Any, ...], set[tuple[Stamp, Path]]] = {}
    for path, leaf in leaves(tree):
        if path[0] == PARKED:
            continue
        stamps = leaf.stamps() if isinstance(leaf, Sequence) else (entry.stamp for entry in leaf)
        for stamp in stamps:
            by_write.setdefault(order_of(stamp), set()).add((stamp, _cell(root, path)))
    taken: set[tuple[Stamp, Path]] = set()
    held: dict[tuple[tuple[str, ...], Path], list[tuple[Stamp, Any]]] = {}
    value: Any = ABSENT
    quiet_kept = look.contests[:]

    def read(parts: set[tuple[Stamp, Path]]) -> Any:
        return shown(Look(look.on_delete), _restricted(tree, root, parts))

    for order in sorted(by_write):
        parts = by_write[order]
        candidate = read(taken | parts)
        if candidate is ABSENT or fits(candidate):
            taken |= parts
            continue
        for part in sorted(parts, key=lambda item: repr(item[1])):
            candidate = read(taken | {part})
            if candidate is ABSENT or fits(candidate):
                taken.add(part)
                continue
            stamp, cell = part
            path = public_path(root, cell)
            if path not in contested:
                held.setdefault((path, cell), []).append((stamp, _own_value(tree, root, cell, stamp)))
    value = read(taken)
    look.contests[:] = [contest for contest in quiet_kept if contest.path not in {path for path, _ in held}]
    for (path, cell), items in held.items():
        current: Any = {} if value is ABSENT else value
        for name in path:
            current = current.get(name, ABSENT) if isinstance(current, dict) else ABSENT
        groups: dict[bytes, list[Stamp]] = {}
        for stamp, own in items:
            groups.setdefault(encode(own), []).append(stamp)
        options = tuple(Option(text, tuple(sorted(stamps, key=order_of))) for text, stamps in groups.items())
        base = ABSENT if current is ABSENT else encode(current)
        look.contests.append(Contest(path, cell, "invalid", "", base, options, field_at(root, cell)))
    return value if value is not ABSENT else {}


def _cell(root: Field, path: Path) -> Path:
    """The place of the field (or map key) that a leaf belongs to."""
    return _places(root, path)


def _places(root: Field, path: Path) -> Path:
    depth = len(public_path(root, path))
    return path[:depth]


def _restricted(tree: Tree, root: Field, parts: set[tuple[Stamp, Path]]) -> Tree:
    """The tree made of the given writes at the given places alone."""
    result: Tree = {}
    for path, leaf in leaves(tree):
        cell = _cell(root, path)
        if isinstance(leaf, Sequence):
            only = leaf.only(lambda stamp, cell=cell: (stamp, cell) in parts)  # type: ignore[misc]
            if only.is_alive():
                place_leaf(result, path, only)
        else:
            place_leaf(result, path, tuple(entry for entry in leaf if (entry.stamp, cell) in parts))
    return result


def _own_value(tree: Tree, root: Field, cell: Path, stamp: Stamp) -> Any:
    """What one write contributed at a place, as a value of the field's kind."""
    only = _restricted({**tree}, root, {(stamp, cell)})
    part = leaf_at(only, cell)
    field = field_at(root, cell)
    if part is None:
        return None
    value = reading(field, part)
    return None if value is ABSENT else value
