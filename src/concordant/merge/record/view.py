"""``view``: what a record shows, and what in it is contested."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from concordant.merge.causality import Stamp, has_met
from concordant.merge.kinds import Contest, Field, Look
from concordant.merge.kinds.base import Memory
from concordant.merge.kinds.nested import OpenRecord, split_slot
from concordant.merge.record.drift import Fit, adapted_standing, fitted, former_names
from concordant.merge.record.fitting import Fitting
from concordant.merge.record.leases import earlier_lives, living
from concordant.merge.record.parked import ask_about_parked, parked_names
from concordant.merge.record.record import Record
from concordant.merge.registers import PARKED, Path, Tree, restored
from concordant.merge.registers.standing import StandingTree, keepers
from concordant.values import ABSENT, JSON, MANY_TEXTS, alike, copied, encode_read, is_shallow

__all__ = ["View", "by_path", "holds_back", "view"]

Settled = tuple[tuple[str, ...], str]

LARGE = 256
"""A container of more parts is not read anew after each change."""


class View:
    """What a record shows.

    Attributes:
        exists: whether there is a document.
        undeclared: the names of stored fields that the model does not have.
        drifts: whether some of what is stored is not such as the model makes.
    """

    __slots__ = ("_body", "_contests", "_memory", "_settled", "_value", "drifts", "exists", "undeclared")

    def __init__(
        self,
        body: JSON | None,
        contests: Iterable[Contest] = (),
        settled: Iterable[Settled] = (),
        undeclared: tuple[str, ...] = (),
        drifts: bool = False,
    ) -> None:
        self.exists = body is not None
        self.undeclared = undeclared
        self.drifts = drifts
        self._body = body
        self._value: Any = ABSENT
        self._memory: Memory | None = None
        self._contests = by_path(contests)
        self._settled = tuple(sorted(settled))

    @classmethod
    def of(cls, value: Any, look: Look, undeclared: tuple[str, ...], drifts: bool) -> View:
        """Tells what was read."""
        memory = look.memory
        made = cls(None, look.contests if memory is None else (), look.settled, undeclared, drifts)
        made._value, made._memory = value, memory
        made.exists = value is not ABSENT
        return made

    @property
    def body(self) -> JSON | None:
        """The value's JSON (``None``: there is no document)."""
        if self._body is None and self.exists:
            self._body = encode_read(self._value)
            if self._memory is None or len(self._body) < MANY_TEXTS or not is_shallow(self._value, self._body):
                self._value = ABSENT  # else it is kept anyway, and copied faster than its JSON is read
        return self._body

    @property
    def contests(self) -> tuple[Contest, ...]:
        """What is contested, in the order of paths: a view that grew with its record says it as a fresh one does."""
        if self._memory is None:
            return self._contests
        if not self._memory.contests:
            return ()
        return by_path([contest for found in self._memory.contests.values() for contest in found])

    def contests_near(self, place: Path) -> Iterable[Contest]:
        """Tells what is contested, what is contested at a place first."""
        if self._memory is not None:
            yield from self._memory.contests.get(place, ())
        yield from self.contests

    @property
    def settled(self) -> tuple[Settled, ...]:
        """What policies settled (path, policy)."""
        if self._memory is None:
            return self._settled
        return tuple(sorted([one for found in self._memory.settled.values() for one in found]))

    @property
    def news(self) -> Mapping[Path, tuple[tuple[Contest, ...], tuple[Contest, ...]]] | None:
        """What was contested and what is now, at the places where that has changed since ``told``; ``None``: nobody
        was told."""
        memory = self._memory
        if memory is None or memory.news is None:
            return None
        return {place: (before, memory.contests.get(place, ())) for place, before in memory.news.items()}

    def is_of(self, memory: Memory | None) -> bool:
        """Tells whether it was read with this memory."""
        return self._memory is memory

    def alone(self) -> View:
        """Returns the same, without what was read of its record, which goes on changing."""
        if self._memory is None:
            return self
        return self.shows(self.body, self._value)

    def told(self) -> None:
        """Takes note that whoever has to know of the contests does."""
        if self._memory is not None:
            self._memory.news = {}

    def settled_at(self, paths: Iterable[Path]) -> tuple[Settled, ...]:
        """Tells what policies settled at places that a write changed."""
        if self._memory is None:
            return self._settled
        settled = self._memory.settled
        found: dict[Settled, None] = {}
        for path in paths if settled else ():
            for depth in range(len(path) + 1):
                found |= dict.fromkeys(settled.get(path[:depth], ()))
        return tuple(found)

    @property
    def value(self) -> Any:
        """The value, where it need not be read of its JSON; nobody may change it. Else ``ABSENT``."""
        return self._value

    def shows(self, body: JSON | None, value: Any = ABSENT) -> View:
        """Returns the same with another value.

        Args:
            value: what the JSON says, to be kept beside it.
        """
        made = View(body, self.contests, self.settled, self.undeclared, self.drifts)
        made._value = value
        return made

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, View):
            return NotImplemented
        mine = (self.body, self.contests, self.settled, self.undeclared)
        return mine == (other.body, other.contests, other.settled, other.undeclared)

    __hash__ = None  # type: ignore[assignment]


def by_path(contests: Iterable[Contest]) -> tuple[Contest, ...]:
    """Orders contests by path, so that it does not matter how they were found; those of one place stay as they stand
    in it."""
    found = tuple(contests)
    return found if len(found) < 2 else tuple(sorted(found, key=lambda contest: (contest.path, contest.place)))


def view(
    record: Record,
    root: Field,
    *,
    on_delete: str = "escalate",
    fits: Callable[[Any], bool] | None = None,
    fit: Fit | None = None,
) -> View:
    """Reads a record.

    Where something is or may be contested, what was read is kept with the record, and the next reading after a change
    reads what has changed; but not with one that others may read meanwhile.

    Args:
        fits: whether a value satisfies the model's constraints, where it has any beyond its fields' types; writes
            that break them are held back, in (time, dot) order, and contested.
        fit: gives parts of the value in the model's form; for a record that was not written under it.
    """
    fits = None if fits is None else _on_copies(fits)
    if fit is not None:
        return _adapted_view(record, root, on_delete, fits, fit)
    if record.covering and fits is None and earlier_lives(record.leases) is None and not record.shared:
        return _standing_view(record, root, on_delete)
    tree, look = _standing(record), _look_at(record, on_delete)
    if tree is record.tree:
        look.tombs, look.doubts = record.tombs, fits is None
    if record.shared:
        return _viewed(tree, root, look, fits, None, False)
    if tree is record.tree and (record.suspects or fits or _is_large(tree)):
        look.memory = _memory_of(record, root, look)
    else:
        record.memory = None
    try:
        return _viewed(tree, root, look, fits, None, False)
    except BaseException:
        record.memory = None
        raise


def _look_at(record: Record, on_delete: str) -> Look:
    keeps = keepers(record.tree) if record.covering else None
    return Look(on_delete, sort_keys=has_met(record.vector), keeps=keeps)


def _adapted_view(record: Record, root: Field, on_delete: str, fits: Callable[[Any], bool] | None, fit: Fit) -> View:
    """Reads a record that was not written under the present model."""
    tree, moves = adapted_standing(_standing(record), root, fit)
    if not record.shared:
        record.memory = None
    return _viewed(tree, root, _look_at(record, on_delete), fits, fit, bool(moves))


def _standing_view(record: Record, root: Field, on_delete: str) -> View:
    """Reads a record in which deletions keep what they removed."""
    standing = record.standing
    if standing is None:
        standing = record.standing = StandingTree(record.tree)
    look = Look(on_delete, sort_keys=has_met(record.vector), tombs=standing.tombs, keeps=standing.keeps, doubts=True)
    look.memory = _memory_of(record, root, look)
    try:
        shown = _viewed(standing.tree, root, look, None, None, False)
    except BaseException:
        record.standing = record.memory = None
        raise
    if not shown.exists:
        record.standing = record.memory = None  # nobody asks about it, so nothing is kept for that
    return shown


def _is_large(cell: Tree) -> bool:
    """Whether so much is in a container that what was read of it is worth keeping."""
    containers = [cell]
    for one in containers:
        if len(one) > LARGE:
            return True
        for part in one.values():
            if isinstance(part, dict):
                containers.append(part)
    return False


def holds_back(record: Record, shown: View, stamp: Stamp) -> bool:
    """Tells whether something of a write is held back because it breaks a constraint.

    Args:
        shown: what was read of the record, for the first time.
    """
    fitting: Fitting | None = record.memory.fitting if record.memory is not None else None
    if fitting is not None:
        return fitting.holds(stamp)
    return any(
        stamp in option.stamps
        for contest in shown.contests
        if contest.reason == "invalid"
        for option in contest.options
    )


def _on_copies(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """What was read stays as it is, whatever validators do to what they are given."""
    return lambda value: fits(copied(value))


def _memory_of(record: Record, root: Field, look: Look) -> Memory:
    """What is known of a record, if it was read in the same way."""
    way = (root, look.on_delete, look.sort_keys, record.standing)
    memory = record.memory
    if memory is None or memory.way[0] is not root or memory.way != way:
        memory = record.memory = Memory(way, record.version)
    return memory


def _viewed(
    tree: Tree, root: Field, look: Look, fits: Callable[[Any], bool] | None, fit: Fit | None, drifts: bool
) -> View:
    value: Any = look.whole(root, tree) if tree else ABSENT
    if fit is not None:
        stored = value
        value, misfits = fitted(look, root, tree, value, fit)
        # What is shown in another form than it is stored in has to be looked at as of another model again.
        drifts |= misfits or not alike(value, stored)
    drifts = drifts or any(contest.reason == "schema" for contest in look.contests)
    if value is not ABSENT and fits is not None:
        value, breaks = _fitted(tree, root, look, value, fits, fit)
        drifts = drifts or breaks
    if value is ABSENT and PARKED in tree and not tree.get(None):
        value = {}
    undeclared: tuple[str, ...] = ()
    if value is not ABSENT:
        if PARKED in tree:
            ask_about_parked(look, root, tree, value)
        undeclared = _undeclared(tree, root) if len(tree) > len(value) else ()
    look.close()
    return View.of(value, look, undeclared, drifts)


def _standing(record: Record) -> Tree:
    """What a reader finds of a record's tree: not what lived before, but what a deletion removed while it is asked."""
    gone = earlier_lives(record.leases)
    tree = record.tree if gone is None else living(record.tree, gone)
    return restored(tree) if record.covering else tree


def _undeclared(tree: Tree, root: Field) -> tuple[str, ...]:
    if isinstance(root.kind, OpenRecord):
        return ()
    strange = tree.keys() - root.slots
    if strange <= {None}:
        return ()
    known = {*root.fields, *former_names(root)}
    names = [split_slot(slot)[1] for slot in tree if slot and slot != PARKED and slot in strange] + parked_names(tree)
    return tuple(dict.fromkeys(name for name in names if name not in known))


def _fitted(
    tree: Tree, root: Field, look: Look, value: Any, fits: Callable[[Any], bool], fit: Fit | None
) -> tuple[Any, bool]:
    """What is shown of a value that may break a constraint, and whether it does: then the writes that fit, in their
    order."""
    memory = look.memory
    fitting: Fitting | None = memory.fitting if memory is not None else None
    changes = memory.changes if memory is not None else []
    if fits(value):
        if fitting is not None:
            fitting.put_off(changes)
        return value, False
    if fitting is None or not fitting.goes_on(changes):
        fitting = Fitting(tree, root, look, value, fits, fit)
    if memory is not None:
        memory.fitting = fitting
    contested = {contest.path for contest in look.found()}
    for place, contest in fitting.contests(contested):
        look.add(place, contest)
    return fitting.value, True
