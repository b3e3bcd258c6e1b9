"""``undone``: the change that takes writes back on which others may have worked since. Pure, as ``apply`` is.

What stands of the writes goes, and what they had replaced or removed comes back, unless somebody else replaced it as
well, without having seen them. Where somebody has worked on what they left, both stand: the later work and what was
there before the writes, which the field's kind merges, or asks about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence as Items, Set
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import Any

from concordant.merge.causality import (
    Agreed,
    Dots,
    Entry,
    Register,
    SeenBy,
    Stamp,
    order_of,
    seen_everything,
    source_of,
)
from concordant.merge.kinds import Counter, Field
from concordant.merge.kinds.counter import amount_of, sum_of
from concordant.merge.kinds.folding import add, negative
from concordant.merge.kinds.nested import field_at
from concordant.merge.record.apply import Applied
from concordant.merge.record.held import Held, Turn
from concordant.merge.record.leases import living, living_leaves, with_dead
from concordant.merge.record.past import (
    Identity,
    Past,
    PastCommit,
    Taken,
    author_of,
    deletes,
    identity_of,
)
from concordant.merge.record.record import Record
from concordant.merge.record.reinstating import Reinstating, kept_in, part_of, runs_of
from concordant.merge.registers import PARKED, PRESENT, Change, Leaf, LeafChange, Path
from concordant.merge.registers.leaf import as_register, as_sequence, is_sequence, stamps_of, uncovered, without
from concordant.merge.registers.register import oldest_of_each_agent
from concordant.merge.registers.tree import gathered, kept_by
from concordant.merge.sequence.overlap import Rules
from concordant.merge.sequence.pieces import Sequence
from concordant.merge.sequence.trim import untrimmed
from concordant.merge.sequence.undo import SOMETHING, Taking, undone as sequence_undone
from concordant.values import ABSENT, decode, same

__all__ = ["undone"]


def undone(record: Record, root: Field, past: Past, stamp: Stamp, time: float) -> Applied:
    """Returns the changes that take those of some commits back that go, for ``record.commit``.

    Args:
        record: as it is now.
        root: the compiled schema's root field.
        past: what was done to it since the first of them.
        stamp: of the write that takes them back.
        time: the present.
    """
    gone = record.gone(time)
    tree = record.tree if gone is None else living(record.tree, gone)
    change = Change(tree, stamp, seen_everything, covering=record.covering or bool(record.tombs))
    work = _Undoing(change, record, root, Taken(past.steps, stamp.replica))
    work.run(past if gone is None else past._replace(found=living_leaves(past.found, gone)))
    changes = change.changes()
    whole = changes if gone is None or not changes else with_dead(record.tree, tree, changes)
    return Applied(whole, whole, work.dots.known)


class _Undoing:
    """One document from which writes are taken out.

    Attributes:
        dots: of the entries that are put back.
    """

    def __init__(self, change: Change, record: Record, root: Field, gone: Taken) -> None:
        self.change = change
        self.record = record
        self.root = root
        self.gone = gone
        self.dots = Dots(change.stamp)
        self._kept: dict[Path, frozenset[Identity]] = {}
        self._deleted: set[Path] = set()
        self._steps: Items[PastCommit] = ()
        self._numbers: dict[Identity, int] = {}
        self._earlier: list[Stamp] = []
        self._undos: dict[Path, list[Turn]] = {}

    def run(self, past: Past) -> None:
        """Collects the change: of what was deleted and nobody else has touched, which stands as it stood; then of
        containers, for what is deleted with them stands again with them."""
        steps = [step for step in past.steps if not step.undoes]
        self._steps = steps
        self._earlier = [step.stamp for step in past.steps if step.undoes]
        self._numbers = {(step.stamp.time, step.stamp.agent): step.stamp.n for step in steps}
        met = self._reinstate(past, self._met(past.steps))
        self._deleted = {path for path, story in met.items() if path[-1] is not None and _was_deleted(path, story)}
        counters: dict[Path, None] = {}
        for path in sorted(met, key=lambda path: (path[-1] is not None, len(path))):
            if path[-1] is None:
                self._container(path, met[path])
            elif path[0] != PARKED and isinstance(field_at(self.root, path).kind, Counter):
                counters[path[:-1]] = None
            else:
                self._leaf(path, met[path])
        for place in counters:
            self._counter(place)
        self._drop_idle_marks()

    def _met(self, steps: Items[PastCommit]) -> dict[Path, list[Turn]]:
        """The stories of the places that go back; notes what the writes changed in what a deletion keeps."""
        stories: dict[Path, list[Turn]] = {}
        for step in steps:
            for path, before, after in step.changes:
                stories.setdefault(path, []).append(Turn(step, before, after))
            for path, authors in step.kept.items() if step.gone else ():
                self._kept[path] = self._kept.get(path, frozenset()) | authors
        self._undos = {path: story for path, story in stories.items() if all(turn.step.undoes for turn in story)}
        return {path: story for path, story in stories.items() if any(turn.step.goes for turn in story)}

    def _reinstate(self, past: Past, met: Mapping[Path, list[Turn]]) -> dict[Path, list[Turn]]:
        """Has the parts that nobody else has touched stand as they stood; returns the stories of the others, without
        what took back others before."""
        done: set[Path] = set()
        nodes = {path[:-1] for path, story in met.items() if path[-1] is None and _keeps(story)}
        parts = self._parts(met, nodes)
        stood: dict[Path, dict[Path, Leaf | None]] = {part: {} for part in parts}
        for path, story in self._undos.items():
            if path[:-1] in parts:  # a counter where nobody but undos has put amounts since
                stood[path[:-1]][path] = story[0].before
        for path, leaf in past.found.items():
            for part in _prefixes(path):
                if part in parts:
                    stood[part][path] = leaf
        for part in self._untouched(met, parts, nodes):
            Reinstating(part, self.change, self.gone, self._again, self._rules).run(stood[part])
            done.add(part)
        return {
            path: [turn for turn in story if not turn.step.undoes]
            for path, story in met.items()
            if done.isdisjoint(_prefixes(path))
        }

    def _parts(self, met: Iterable[Path], nodes: Set[Path]) -> dict[Path, list[Path]]:
        """The places that the writes changed, by the part that each is in: a container that they deleted, or had stand
        again, with all that is in it; a counter; a single place.

        Args:
            nodes: those containers.
        """
        parts: dict[Path, list[Path]] = {}
        for path in met:
            node = next((node for node in _prefixes(path) if node in nodes), None)
            parts.setdefault(self._part_of(path) if node is None else node, []).append(path)
        return parts

    def _untouched(
        self, met: Mapping[Path, list[Turn]], parts: Mapping[Path, list[Path]], nodes: Set[Path]
    ) -> Iterator[Path]:
        """The parts in which nobody else has touched what the writes changed."""
        for part, inside in parts.items():
            alone = all(_is_theirs(met[path]) and not self._was_deleted_since(path, met[path], part) for path in inside)
            if alone and (part in nodes or not any(map(self._is_kept, inside))):
                yield part

    def _was_deleted_since(self, path: Path, story: list[Turn], part: Path) -> bool:
        """Whether others have deleted what is around a part since the first of the writes that go at a place in it."""
        since = next(turn.step.stamp.n for turn in story if turn.step.goes)
        return any(
            entry.value is None and not self.gone(entry.stamp) and self._number(entry.stamp) > since
            for depth in range(len(part))
            for entry in as_register(self.change.live((*path[:depth], None)))
        )

    def _part_of(self, path: Path) -> Path:
        """The counter that a place is in, or the place itself."""
        is_leaf = path[0] != PARKED and path[-1] is not None
        return path[:-1] if is_leaf and isinstance(field_at(self.root, path).kind, Counter) else path

    def _leaf(self, path: Path, story: list[Turn]) -> None:
        if self._others_deleted(path, story):
            self._deleted.add(path)
        if any(is_sequence(leaf) for turn in story for leaf in turn[1:]):
            self._sequence(path, story)
        else:
            self._register(path, story)

    # -- registers -------------------------------------------------------------------------------------------------

    def _register(self, path: Path, story: list[Turn]) -> None:
        field = field_at(self.root, path)
        held = self._held(path, story, field)
        current = self.change.register(path)
        standing = [entry for entry in current if not self.gone(entry.stamp)]
        there = set(map(author_of, standing))
        back = [entry for entry, _ in held.back.values() if author_of(entry) not in there]
        if held.deleted and len(standing) == len(current) and not self._is_kept(path):
            back = []  # what was deleted is gone for good
        stale: list[Entry] = []
        if field.kind.is_leaf and path[0] != PARKED:
            back, stale = self._asked(held, standing, back, field)
        self._put(path, current, standing, back, stale)

    def _asked(
        self, held: Held, standing: list[Entry], back: list[Entry], field: Field
    ) -> tuple[list[Entry], list[Entry]]:
        """What stands again of a value that is asked about where others differ, and what stands and carried one of the
        writes' values as the one that was agreed: with what is agreed now."""
        if not held.back and held.from_nothing and any(entry.value is not None for entry in standing):
            back = [Entry(self.change.stamp, None)]
        base = self._base_of(held, standing, back, field)
        stale = [entry._replace(base=base) for entry in standing if self.gone.based(entry.base)]
        return [entry._replace(base=base if held.built else entry.base) for entry in back], stale

    def _held(self, path: Path, story: list[Turn], field: Field) -> Held:
        held = Held(path, self.gone, self._knew, field.canon)
        held.follow(story)
        return held

    def _put(self, path: Path, current: Register, standing: list[Entry], back: list[Entry], stale: list[Entry]) -> None:
        """Puts entries back under dots of this write, and takes from those that stand whom they confirmed.

        Args:
            stale: those that stand and carry another value now as the one that was agreed.
        """
        rebased = {identity_of(entry): entry for entry in stale}
        shared = [e for e in standing if identity_of(e) in rebased or any(map(self.gone, e.confirms))]
        again = [*back, *(rebased.get(identity_of(entry), entry) for entry in shared)]
        if not again and len(standing) == len(current):
            return
        made = [self._again(path, entry) for entry in again]
        kept = [entry for entry in standing if entry not in shared]
        leaf = tuple(sorted([*kept, *made], key=lambda entry: order_of(entry.stamp)))
        if path[-1] is None:
            self.change.after[path] = leaf
        else:
            self._set(path, leaf)

    def _set(self, path: Path, leaf: Leaf | None) -> None:
        """Replaces a leaf; what stands again in what others deleted is deleted with it, and not written beside that."""
        change = self.change
        node, tomb, parts = self._deletion_of(path)
        if tomb is None or leaf is None or not any(map(self._is_new, stamps_of(leaf))):
            change.set(path, leaf)
            return
        below = path[len(node) - 1 :]
        kept = parts.get(below)
        inside = set(stamps_of(kept)) if kept is not None else set()
        deleted, authors = path in self._deleted, self._kept.get(path, frozenset())

        def is_inside(stamp: Stamp) -> bool:
            return (deleted or (stamp.time, stamp.agent) in authors) if self._is_new(stamp) else stamp in inside

        change.set(path, without(leaf, self._is_new))
        left = change.live(path)  # what no deletion keeps
        live = set(stamps_of(left)) if left is not None else set()
        change.after[path] = without(leaf, lambda one: is_inside(one) if self._is_new(one) else one not in live)
        part = without(leaf, lambda stamp: not is_inside(stamp))
        if not part:
            return
        tomb = next(entry for entry in as_register(change.live(node)) if entry.stamp == tomb.stamp)
        again = tomb if self._is_new(tomb.stamp) else self._again(node, tomb)
        again = again._replace(covered=tuple({**dict(tomb.covered), below: part}.items()))
        change.after[node] = tuple(again if entry is tomb else entry for entry in as_register(change.live(node)))

    def _is_new(self, stamp: Stamp) -> bool:
        return stamp.n == self.change.stamp.n and source_of(stamp.replica) == self.change.stamp.replica

    def _deletion_of(self, path: Path) -> tuple[Path, Entry | None, Mapping[Path, Any]]:
        """A deletion that stands and keeps what is at a path, with its place and all that it keeps."""
        known = path in self._kept or path in self._deleted
        for depth in range(len(path)):
            for entry, kept in self.change.marks(path[:depth]):
                if entry.value is None and (known or path[depth:] in kept):
                    return (*path[:depth], None), entry, kept
        return (), None, {}

    def _is_kept(self, path: Path) -> bool:
        """Whether what was deleted at a path is kept, by the deletion or since it stands again."""
        return any(path[depth:] in kept for depth in range(len(path)) for _, kept in self.change.marks(path[:depth]))

    def _again(self, path: Path, entry: Entry, *, under: tuple[Path, int] | None = None) -> Entry:
        """An entry under a new dot.

        Args:
            under: a place and the number of a dot there; else it is the next one of its own.
        """
        first = (
            () if entry.stamp == self.change.stamp or path[-1] is None else (entry.stamp,)
        )  # keeps its place in the order
        confirms = oldest_of_each_agent([one for one in (*entry.confirms, *first) if not self.gone(one)])
        dots = self.dots
        stamp = dots.under(path, entry.stamp) if under is None else dots.numbered(under[0], entry.stamp, under[1])
        return entry._replace(stamp=stamp, confirms=confirms)

    def _base_of(self, held: Held, standing: list[Entry], back: list[Entry], field: Field) -> Agreed | None:
        """What is agreed now; what earlier undos have put back counts as what stands again."""
        again = [entry for entry in standing if author_of(entry) in held.back]
        if not held.built or not (back or again):
            return held.agreed
        return self._base([entry for entry in standing if entry not in again], [*back, *again], field)

    def _base(self, standing: list[Entry], back: list[Entry], field: Field) -> Agreed:
        """What is shown while it is asked: the later work, where that is one value; else what stood before."""
        one = standing and all(same(entry.value, standing[0].value, field.canon) for entry in standing)
        shown = standing[0] if one else max(back or standing, key=lambda entry: order_of(entry.stamp))
        return Agreed(*order_of(self.change.stamp), shown.value)

    def _knew(self, step: PastCommit, stamp: Stamp, guess: bool) -> bool:
        """Whether the writer of a step had seen a write; ``guess`` where that is not told."""
        if step.upto is None:
            return guess
        return self._number(stamp) <= step.upto or (bool(stamp.origin) and stamp.origin == step.stamp.origin)

    def _number(self, stamp: Stamp) -> int:
        """The number of the commit by which a write became known here, whatever put it back since."""
        n = self.record.position(stamp, self.change.stamp.replica)[0]
        first = self._steps[0].stamp
        if n <= first.n:
            return n
        found = self._numbers.get((stamp.time, stamp.agent))
        return found if found is not None else first.n - 1 if stamp.time < first.time else n

    # -- containers ------------------------------------------------------------------------------------------------

    def _container(self, path: Path, story: list[Turn]) -> None:
        """A container's own mark: what was deleted stands again, unless others deleted it as well."""
        if self._is_kept(path):
            self._drop_kept(path)
            return  # it stands, or not, with what is around it
        current = as_register(self.change.live(path))
        standing = [entry for entry in current if not self.gone(entry.stamp)]
        going = [entry for entry in current if self.gone(entry.stamp)]
        back = [*self._marked_again(path, story, standing, going), *self._undeleted(standing, going)]
        if standing:  # that it exists needs to be said once, and is not said of what others deleted
            back = [entry for entry in back if entry.value is None or entry.covered]
        if any(entry.covered for entry in back):
            self.change.covering = True
        self._put(path, current, standing, back, [])

    def _drop_idle_marks(self) -> None:
        """Takes out the marks of earlier undos by which something stood again, where nothing of that is left."""
        made = {(stamp.time, stamp.agent) for stamp in self._earlier}
        for path in [path for path in self.change.after if path[-1] is None] if made else ():
            marks = as_register(self.change.after[path])
            left = [mark for mark in marks if (mark.stamp.time, mark.stamp.agent) not in made or not _is_idle(mark)]
            self.change.after[path] = marks if len(left) == len(marks) else tuple(left)

    def _drop_kept(self, path: Path) -> None:
        """Takes their own marks out of what deletions around a container keep of it."""
        for depth in range(len(path)):
            node, below = (*path[:depth], None), path[depth:]
            register = as_register(self.change.live(node))
            left = tuple(_keeping(entry, below, self.gone) for entry in register)
            if left != register:
                self.change.after[node] = left

    def _undeleted(self, standing: list[Entry], going: list[Entry]) -> Iterator[Entry]:
        """What their deletions keep stands again."""
        for tomb in going:
            if tomb.value is None and self.gone.made(tomb.stamp):
                yield from self._standing_again(self._left_of(tomb, standing).covered)

    def _marked_again(self, path: Path, story: list[Turn], standing: list[Entry], going: list[Entry]) -> list[Entry]:
        """The marks and deletions that stand again: the latter keep what the writes had let stand."""
        held = self._held(path, story, field_at(self.root, path))
        there = set(map(author_of, standing))
        replaced = _replaced_by_others(story)
        back = [_less(entry, replaced) for entry, _ in held.back.values() if author_of(entry) not in there]
        back = [self._as_it_stands(path, entry) for entry in back]
        freed = gathered(kept_by([e for e in going if e.value is not None or not self.gone.made(e.stamp)]))
        if any(entry.value is None for entry in (*back, *standing)):
            return [entry if entry.value is not None else entry._replace(covered=freed) for entry in back]
        return [*back, *self._standing_again(freed)]  # the deletion that they had replaced is gone too

    def _as_it_stands(self, path: Path, mark: Entry) -> Entry:
        """A mark with what it kept, under the dots by which that stands now. What stands no more gets new ones, for its
        own are known elsewhere as gone."""
        if not mark.covered:
            return mark
        places = (((*path[:-1], *below), below, leaf) for below, leaf in mark.covered)
        return _covering(mark, [(below, self._part_as_it_stands(place, leaf)) for place, below, leaf in places])

    def _part_as_it_stands(self, path: Path, leaf: Any) -> Leaf | None:
        standing = [one for one in self._standing_at(path) if one]
        if is_sequence(leaf):  # what stands no more of a text is put back with the text
            left = part_of(as_sequence(leaf), runs_of(standing))
            return left if left.is_alive() else None
        others = [entry for one in standing for entry in as_register(one) if not self.gone(entry.stamp)]
        there = {author_of(entry): entry for entry in others}
        known = {entry.stamp for entry in others}
        return tuple(
            self._as_it_stands(path, entry)
            if self.gone(entry.stamp) or entry.stamp in known
            else there.get(author_of(entry)) or self._as_it_stands(path, self._again(path, entry))
            for entry in as_register(leaf)
        )

    def _standing_at(self, path: Path) -> list[Leaf | None]:
        """What stands at a place, live or kept by marks."""
        nodes = [(*path[:depth], None) for depth in range(len(path))]
        return [self.change.live(path), *kept_in({node: self.change.live(node) for node in nodes}).get(path, ())]

    def _standing_again(self, covered: tuple[tuple[Path, Any], ...]) -> Iterator[Entry]:
        """A mark of what a deletion kept, if others made a part of that."""
        if any(without(leaf, self.gone) for _, leaf in covered):
            yield Entry(self.change.stamp, PRESENT, covered=covered)

    def _left_of(self, tomb: Entry, standing: list[Entry]) -> Entry:
        """A deletion with what it alone took away."""
        for other in standing:
            if other.value is None:
                tomb = self._not_deleted_by(other, uncovered(tomb, other.covered))
        return tomb

    def _not_deleted_by(self, other: Entry, tomb: Entry) -> Entry:
        """What a deletion keeps that another's author had not seen, and so did not delete as well."""
        step = self._step_of(other)
        if step is None:
            return tomb
        return _covering(tomb, ((below, without(leaf, partial(self._saw, step))) for below, leaf in tomb.covered))  # type: ignore[arg-type]

    def _others_deleted(self, path: Path, story: list[Turn]) -> bool:
        """Whether a deletion by others stands around a place, whose author knew all that the first of the writes found
        there: both have taken it away."""
        found = next((t.before for t in story if t.step.gone and t.before is not SOMETHING), None)
        stood = [stamp for stamp in stamps_of(found) if not self.gone(stamp)] if found is not None else []
        for depth in range(len(path) if stood else 0):
            for entry, _ in self.change.marks(path[:depth]):
                step = self._step_of(entry)
                if entry.value is None and step is not None and all(self._saw(step, stamp) for stamp in stood):
                    return True
        return False

    def _step_of(self, entry: Entry) -> PastCommit | None:
        """The step that others made by which an entry came to stand, if it is one of those that are known."""
        time, agent, _ = author_of(entry)
        return next((s for s in self._steps if (s.stamp.time, s.stamp.agent) == (time, agent) and not s.gone), None)

    def _saw(self, step: PastCommit, stamp: Stamp) -> bool:
        """Whether the writer of a step had seen a write, as far as can be told."""
        return self._knew(step, stamp, self._number(stamp) < step.stamp.n)

    # -- texts, lists, counters ------------------------------------------------------------------------------------

    def _rules(self, path: Path) -> Rules:
        """How changes of the text or list at a place are weighed."""
        rules: Rules = field_at(self.root, path).kind.rules
        return rules

    def _sequence(self, path: Path, story: list[Turn]) -> None:
        change = self.change
        current = change.sequence(path)
        turns = [Taking(_content(before), _content(after), step.gone) for step, before, after in story]
        known = current
        for turn in reversed(turns):
            if not turn.gone and turn.before and turn.after:
                known = untrimmed(known, turn.before, turn.after)
        rules, gone = self._rules(path), Taken(self._steps, change.stamp.replica)
        made = sequence_undone(known, change.stamp, turns, gone, rules, change.next_run, self._earlier)
        if made != known:
            self._set(path, made)

    def _counter(self, place: Path) -> None:
        """What the writes added to a counter is taken from it: their own amounts, or a negative one."""
        self._drop_doubles(place)
        owed, again, deleted = self._amounts(place)
        if deleted:  # and may stand again
            owed = add(owed, self._begun_by_them(place, deleted))
        self._take_amount(place, owed, again)

    def _amounts(self, place: Path) -> tuple[Any, dict[Path, Register], int]:
        """What they added to a counter since others deleted it last, the entries that they took away, and the number of
        that deletion; 0: there is none."""
        owed: Any = 0
        deleted = 0
        again: dict[Path, Register] = {}
        for step in self._steps:
            inside = _amounts_in(step, place)
            if step.goes:
                inside = [c for c in inside if c.after is not None or not self._stands(step, c)]
                owed = add(owed, add(_total(map(_after, inside)), negative(_total(map(_before, inside)))))
                owed = add(owed, self._taken_away(step, inside, again))
            elif not step.gone and deletes(step, place) and not all(self._stands(step, c) for c in inside):
                owed, deleted = 0, step.stamp.n
        return owed, {path: entries for path, entries in again.items() if entries}, deleted

    def _taken_away(self, step: PastCommit, inside: list[LeafChange], again: dict[Path, Register]) -> Any:
        """What a commit took away that has been taken back by now; notes the entries that it took away else."""
        found: Any = 0
        for change in (c for c in inside if c.after is None):
            settled = self._taken_back_since(step, change.path)
            found = add(found, settled)
            again[change.path] = as_register(change.before) if _is_same_amount(settled, 0) else ()
        return found

    def _taken_back_since(self, step: PastCommit, path: Path) -> Any:
        """What there was of an amount, when a commit took it away, that has been taken back by now."""
        found: Any = 0
        for earlier in self._steps:
            if earlier.stamp.n < step.stamp.n < earlier.already:
                for _, before, after in (c for c in _amounts_in(earlier, path[:-1]) if c.path == path):
                    found = add(found, add(_total([after]), negative(_total([before]))))
        return found

    def _drop_doubles(self, place: Path) -> None:
        """Takes out the amounts that the writes put back and that stand again by themselves."""
        for path, entries in self._own(place).items():
            register = self.change.register(path)
            there = {author_of(entry) for entry in register if entry not in entries}
            doubled = [entry for entry in entries if author_of(entry) in there]
            if doubled:
                self._set(path, tuple(entry for entry in register if entry not in doubled))

    def _begun_by_them(self, place: Path, before: int) -> Any:
        """What stands in sums that begin with one of the writes that came before a commit."""
        numbers = {step.stamp.n for step in self._steps if step.gone and step.stamp.n < before}
        found = [entry for entries in self._own(place).values() for entry in entries]
        return _total([tuple(e for e in found if _begin_of(e) in numbers)])

    def _own(self, place: Path) -> dict[Path, Register]:
        """The writes' own amounts in a counter."""
        found = {(*place, key): self.change.register((*place, key)) for key in self.change.keys(place)}
        own = {path: tuple(e for e in entries if self.gone(e.stamp)) for path, entries in found.items()}
        return {path: entries for path, entries in own.items() if entries}

    def _take_amount(self, place: Path, owed: Any, again: Mapping[Path, Register]) -> None:
        """Takes an amount away: their own entries where these are it, entries that stand again where these make it up,
        else a negative amount."""
        change, own = self.change, self._own(place)
        if own and _is_same_amount(_total(own.values()), owed):
            for path in own:
                self._set(path, tuple(e for e in change.register(path) if not self.gone(e.stamp)))
        elif _is_same_amount(owed, 0):
            return
        elif again and not any(map(change.register, again)) and _is_same_amount(_total(again.values()), negative(owed)):
            for path, entries in again.items():
                self._set(path, tuple(self._again(path, entry) for entry in entries))
        elif all(self._deletion_of((*place, key))[1] is None for key in change.keys(place)):
            field = field_at(self.root, place)
            field.kind.contribute(change, field, place, negative(owed))

    def _stands(self, step: PastCommit, change: LeafChange) -> bool:
        """Whether what a deletion took away is kept by it, or by another, and so comes back, or goes, with that; or
        was, until somebody went on from it."""
        there = [*self.change.register(change.path)]
        for later in self._steps:
            if later.stamp.n > step.stamp.n:
                inside = (c for c in _amounts_in(later, change.path[:-1]) if c.path == change.path)
                there += [entry for one in inside for entry in as_register(one.before)]
        known, sums = set(map(author_of, there)), set(map(_begin_of, there))
        return all(author_of(entry) in known or _begin_of(entry) in sums for entry in as_register(change.before))


def _is_idle(mark: Entry) -> bool:
    """Whether a container's mark is no deletion, and keeps nothing."""
    return mark.value is not None and not mark.covered


def _keeping(entry: Entry, below: Path, gone: SeenBy) -> Entry:
    """A deletion that keeps no more at a place what some writes made."""
    parts: dict[Path, Any] = dict(entry.covered)
    if below not in parts or (part := without(parts[below], gone)) is parts[below]:
        return entry
    return _covering(entry, {**parts, below: part}.items())


def _covering(entry: Entry, parts: Iterable[tuple[Path, Any]]) -> Entry:
    """A mark that keeps some parts, as far as there is anything of them."""
    return entry._replace(covered=tuple((place, leaf) for place, leaf in parts if leaf))


def _replaced_by_others(story: list[Turn]) -> set[tuple[Any, ...]]:
    """The values below a container, by place and author, that others have replaced while a deletion kept them."""
    replaced: set[tuple[Any, ...]] = set()
    for step, before, after in story:
        if not step.gone and before is not SOMETHING:
            replaced |= _kept_values(before) - _kept_values(after)
    return replaced


def _kept_values(leaf: Leaf | None) -> set[tuple[Any, ...]]:
    """The values, by place and author, that a container's marks keep."""
    parts = (part for entry in as_register(leaf) for part in entry.covered)
    return {(below, *author_of(entry)) for below, leaf in parts if not is_sequence(leaf) for entry in as_register(leaf)}


def _less(entry: Entry, replaced: Set[tuple[Any, ...]]) -> Entry:
    """A mark that keeps none of some values."""

    def left(below: Path, leaf: Any) -> Any:
        if is_sequence(leaf):
            return leaf
        return tuple(one for one in as_register(leaf) if (below, *author_of(one)) not in replaced)

    if not replaced or not entry.covered:
        return entry
    return _covering(entry, ((below, left(below, leaf)) for below, leaf in entry.covered))


def _amounts_in(step: PastCommit, place: Path) -> list[LeafChange]:
    """What a commit changed in a counter, its own mark apart. What a deletion kept counts with that."""
    inside = [change for change in step.changes if change.path[:-1] == place and change.path[-1] is not None]
    kept = step.kept
    live = [_but_kept(change, kept[change.path]) for change in inside if change.path in kept]
    return [change for change in inside if change.path not in kept] + [c for c in live if c.before or c.after]


def _but_kept(change: LeafChange, authors: Set[Identity]) -> LeafChange:
    """A change of an amount without what some have written that a deletion kept, unless the sum goes on from it."""
    sums = set(map(_begin_of, as_register(change.after)))
    kept = (e for e in as_register(change.before) if (e.stamp.time, e.stamp.agent) in authors)
    kept_for_good = {identity_of(entry) for entry in kept if _begin_of(entry) not in sums}
    left = tuple(entry for entry in as_register(change.before) if identity_of(entry) not in kept_for_good)
    return change._replace(before=left or None)


def _prefixes(path: Path) -> Iterator[Path]:
    """The containers that a path leads through, from the outermost on, and the path itself."""
    return (path[:depth] for depth in range(len(path) + 1))


def _keeps(story: list[Turn]) -> bool:
    """Whether a container was deleted, or what a deletion keeps is part of its story."""
    leaves_ = (leaf for _, before, after in story for leaf in (before, after))
    return any(entry.value is None or entry.covered for leaf in leaves_ for entry in as_register(leaf))


def _is_theirs(story: list[Turn]) -> bool:
    """Whether nobody else has had a part in it since the first of the writes that go, and what that found counts."""
    first = next(number for number, turn in enumerate(story) if turn.step.goes)
    since = story[first].step.stamp.n
    if any(turn.step.already for turn in story[:first]):
        return False
    return all(step.gone or (step.undoes and min(step.undoes) >= since) for step, _, _ in story[first:])


def _begin_of(amount: Entry) -> Any:
    """The write with which a sum of amounts began that goes on from it."""
    return decode(amount.value or b"[0,0]")[1]


_before = attrgetter("before")
_after = attrgetter("after")


def _was_deleted(path: Path, story: list[Turn]) -> bool:
    """Whether others deleted a container with what the writes left at a path."""
    first = next(number for number, turn in enumerate(story) if turn.step.gone)
    return any(not step.gone and after is None and deletes(step, path[:-1]) for step, _, after in story[first:])


def _content(leaf: Leaf | None) -> Sequence | None:
    return as_sequence(leaf) if is_sequence(leaf) else None


def _is_same_amount(one: Any, other: Any) -> bool:
    return not Decimal(add(one, negative(other)))


def _total(leaves: Iterable[Leaf | None]) -> Any:
    amounts = [amount_of(entry.value) for leaf in leaves for entry in as_register(leaf)]
    total = sum_of(amounts)
    return 0 if total is ABSENT else total
