"""The past of a document, as far as writes are to be taken out of it: its commits with whole leaves, and whose each
entry, piece and strike is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence as Items, Set
from typing import Any, NamedTuple, TypeAlias

from concordant.merge.causality import Agreed, Entry, Register, Stamp, dot_of, source_of
from concordant.merge.record.record import Record
from concordant.merge.registers import Leaf, LeafChange, Path, leaf_at, place_leaf
from concordant.merge.registers.crowds import Exchanged
from concordant.merge.registers.leaf import as_register, as_sequence, beside, is_sequence, stamps_of
from concordant.merge.registers.tree import gathered, kept_by
from concordant.merge.sequence.pieces import RunId, run_of
from concordant.merge.sequence.splice import Former, Spliced
from concordant.merge.sequence.trim import lost_between
from concordant.merge.sequence.undo import SOMETHING, takes_away

__all__ = [
    "Identity",
    "Past",
    "PastCommit",
    "Taken",
    "author_of",
    "deletes",
    "identity_of",
    "past_of",
]

Identity: TypeAlias = tuple[float, str]
"""Time and agent of a write: what it wrote keeps them when it is put back under another dot."""


class PastCommit(NamedTuple):
    """One commit to a document.

    Attributes:
        stamp: its stamp.
        changes: what it changed; as a journal keeps it, or with whole texts and lists (``past_of``).
        upto: the number of the newest commit that its writer had seen, its own apart; ``None``: all, or that is not
            known.
        gone: whether it is to be taken back, or has been.
        already: of one that has been the number of the commit that did; else 0.
        undoes: of a commit that took others back, which still are: their numbers.
        imported: whether it brought what others wrote elsewhere.
        forgets: whether it may have forgotten what had been removed from texts and lists.
        kept: the places at which it changed what a deletion keeps, and whose writes stood there.
        deleted: the containers that it deleted.
    """

    stamp: Stamp
    changes: Items[LeafChange]
    upto: int | None = None
    gone: bool = False
    already: int = 0
    undoes: frozenset[int] = frozenset()
    imported: bool = False
    forgets: bool = False
    kept: Mapping[Path, frozenset[Identity]] = {}
    deleted: Set[Path] = frozenset()

    @property
    def goes(self) -> bool:
        """Whether it is to be taken back now."""
        return self.gone and not self.already


class Past(NamedTuple):
    """What was done to a document.

    Attributes:
        steps: its commits, oldest first.
        found: what the first of those that are to be taken back found at each place that they changed.
    """

    steps: Items[PastCommit] = ()
    found: Mapping[Path, Leaf | None] = {}


class Taken:
    """Tells which entries, pieces and strikes are of writes that are taken back, under whatever dot they stand; with
    those that commits wrote themselves that took such writes back, not what these put back of others.

    Args:
        steps: all that are known.
        replica: whose they are.
    """

    def __init__(self, steps: Items[PastCommit], replica: str) -> None:
        stamps = [step.stamp for step in steps if step.gone]
        self._replica = replica
        self._numbers = {stamp.n for stamp in stamps}
        made = [*stamps, *(step.stamp for step in steps if step.undoes)]
        self._identities: set[Identity] = {(stamp.time, stamp.agent) for stamp in made}
        self._times = {stamp.time for stamp in stamps}
        self._undos = {stamp.n for stamp in made[len(stamps) :]}

    def made(self, stamp: Stamp) -> bool:
        """Tells whether it is what one of them wrote, not what one of them put back."""
        return (stamp.time, stamp.agent) in self._identities

    def based(self, base: Agreed | None) -> bool:
        """Tells whether it is the value of one of them that an entry carries as the one that was agreed, or what an
        earlier undo has told of that."""
        if base is None:
            return False
        stamp = Stamp(base.time, base.replica, base.n, "", "", "")
        is_told = base.n in self._undos and source_of(base.replica) == self._replica
        return is_told or base.time in self._times or self._is_under(stamp)

    def __call__(self, stamp: Stamp) -> bool:
        return self.made(stamp) or self._is_under(stamp)

    def _is_under(self, stamp: Stamp) -> bool:
        return stamp.n in self._numbers and source_of(stamp.replica) == self._replica


def past_of(record: Record, steps: Iterable[PastCommit]) -> Past:
    """Returns steps with whole texts and lists before and after each, and what the first that goes found.

    Args:
        record: as it is after the last of them.
        steps: the newest first, without a gap.
    """
    twin = record.copy()
    done: list[PastCommit] = []
    found: dict[Path, Leaf | None] = {}
    for step in steps:
        whole = []
        for path, before, _ in step.changes:
            after = leaf_at(twin.tree, path)
            whole.append(LeafChange(path, _earlier(before, after), after))
        for path, earlier, _ in whole:
            place_leaf(twin.tree, path, earlier)
            if step.goes:
                found[path] = earlier
        if step.imported:  # what it only tidied up is nobody's work
            whole = [change for change in whole if _is_news(change)]
        changes, kept = _with_kept(whole, step.gone)
        changes = [_as_needed(change, step) for change in changes]
        done.append(step._replace(changes=changes, kept=kept, deleted=_deleted_by(changes)))
    return Past(done[::-1], found)


def _is_news(change: LeafChange) -> bool:
    """Whether something stands after a change that did not, or the other way round."""
    return _standing(change.before) != _standing(change.after)


def _standing(leaf: Leaf | None) -> object:
    if not is_sequence(leaf):
        return leaf
    content, lengths = as_sequence(leaf), Counter[RunId]()
    for piece in content:
        lengths[run_of(piece)] += len(piece.content) if piece.live else 0
    return +lengths, content.strikes


def _earlier(before: Any, after: Leaf | None) -> Leaf | None:
    """A leaf before a change, of which a journal may keep but the difference."""
    return before.earlier(after) if isinstance(before, (Spliced, Former, Exchanged)) else before


def _as_needed(change: LeafChange, step: PastCommit) -> LeafChange:
    """A change, without the contents of texts and lists that say nothing: of those that took nothing away."""
    path, before, after = change
    if not is_sequence(before) and not is_sequence(after):
        return change
    if step.forgets and before and after and lost_between(as_sequence(before), as_sequence(after)):
        return change
    if step.gone and is_sequence(before) and (after is None or takes_away(as_sequence(before), as_sequence(after))):
        return change
    return LeafChange(path, None if before is None else SOMETHING, None if after is None else SOMETHING)


def _with_kept(changes: list[LeafChange], gone: bool) -> tuple[list[LeafChange], dict[Path, frozenset[Identity]]]:
    """Changes with those of what deletions keep, and of what was deleted and stands again; and the places of the
    first, with whose writes stood there.

    Args:
        gone: whether they are taken back; then the deletions that they took away stand again.
    """
    places: dict[Path, frozenset[Identity]] = {}
    found = {change.path: change for change in changes}
    for path, before, after in changes:
        if path[-1] is None:
            old, new = as_register(before), as_register(after)
            everything = gone or _goes_on(path, old, new, alone=len(changes) == 1)
            for below, one, other in _kept_and_left(old, new, everything):
                place = (*path[:-1], *below)
                if one is not None and any(entry.value is None for entry in old):
                    places[place] = frozenset((stamp.time, stamp.agent) for stamp in stamps_of(one))
                known = found.get(place, LeafChange(place, None, None))
                found[place] = LeafChange(place, _both(known.before, one), _both(known.after, other))
    return list(found.values()), places


def _goes_on(path: Path, old: Register, new: Register, *, alone: bool) -> bool:
    """Whether a writer has gone on from what deletions kept, which was shown: what a mark does not keep then was
    replaced.

    Args:
        alone: whether nothing else was changed; then the mark may say no more than that the container is there.
    """
    known = set(map(author_of, old))
    marks = [entry for entry in new if entry.value is not None and author_of(entry) not in known]
    return any(mark.covered or (path == (None,) and not alone) for mark in marks)


def _kept_and_left(old: Register, new: Register, everything: bool) -> Iterator[tuple[Path, Leaf | None, Leaf | None]]:
    """What the entries of a container keep, before and after a change, where that differs.

    Args:
        everything: whether what the deletions kept that it took away counts as well.
    """
    both = {author_of(entry) for entry in old} & {author_of(entry) for entry in new}
    one, other = (
        dict(gathered(kept_by([e for e in register if e.value is not None or whole or author_of(e) in both])))
        for register, whole in ((old, everything), (new, False))
    )
    for below in {**one, **other}:
        if one.get(below) != other.get(below):
            yield below, one.get(below), other.get(below)


def author_of(entry: Entry) -> tuple[Any, ...]:
    """Tells what an entry has in common with the one that it was put back from."""
    return (entry.stamp.time, entry.stamp.agent, entry.value)


def identity_of(entry: Entry) -> tuple[Any, ...]:
    """Tells what tells an entry from all others of its register."""
    return (*dot_of(entry.stamp), entry.value)


def deletes(step: PastCommit, place: Path) -> bool:
    """Tells whether a commit deleted a container, or one around it."""
    return bool(step.deleted) and any(place[:depth] in step.deleted for depth in range(len(place) + 1))


def _deleted_by(changes: Iterable[LeafChange]) -> Set[Path]:
    return {
        path[:-1]
        for path, before, after in changes
        if path[-1] is None
        and any(entry.value is None for entry in as_register(after) if entry not in as_register(before))
    }


def _both(live: Leaf | None, kept: Leaf | None) -> Leaf | None:
    return live if kept is None else beside(live, kept)
