"""Which changes of a sequence meet in one unit, and what is shown while that is open.

Two strikes over one piece come from writers that did not see each other, for a writer can strike only what it was
shown. Equal rewrites count once, removals of the same units agree, all else is an overlap: the smallest range of
whole units that covers it shows what all had read, and each writer's text of that range is a contender. Gaps between
units are nobody's, so strikes that share no more than a gap do not meet; where nothing but a gap stood, who leaves
nothing but a gap has changed nothing. What insertions at one place have in common counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from itertools import chain, islice
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from concordant.merge.causality import Stamp, order_of
from concordant.merge.sequence.echoes import Echoes, Spans, echoes_of
from concordant.merge.sequence.normal import NormalForm, content_of, normal_form
from concordant.merge.sequence.pieces import (
    SEAL,
    Agreement,
    Anchor,
    Content,
    Piece,
    RunId,
    Sequence,
    first_of,
    is_note,
    run_of,
)
from concordant.merge.sequence.units import is_blank

__all__ = ["NOTHING", "Analysis", "Overlap", "Rules", "Side", "analyse"]

Group: TypeAlias = list[RunId]
"""Strikes that meet, in (time, dot) order."""
Owners: TypeAlias = dict[RunId, set[RunId]]
"""Runs that exist only because of some strikes, with these."""
Reading: TypeAlias = tuple[tuple[Piece, ...], set[RunId]]
"""The pieces that one side shows of a contested range, and its runs."""


class Rules(NamedTuple):
    """How the changes of a sequence are weighed.

    Attributes:
        unit: the name of the unit that two may not change differently; ``"item"`` for a list.
        escalate: whether changes of one unit are contested; else all are kept side by side.
        show_all: whether all sides of a contested range are shown one after the other, instead of its base.
        separator: what a line begins with.
    """

    unit: str
    escalate: bool = True
    show_all: bool = False
    separator: str = "\n"


class Side(NamedTuple):
    """One reading of a contested range: the pieces shown, and the writes that stand for it."""

    shown: tuple[Piece, ...]
    stamps: tuple[Stamp, ...]


class Overlap(NamedTuple):
    """A contested range.

    Attributes:
        anchor: where it begins.
        strikes: the strikes involved; their ids are those of the runs they inserted.
        struck: the numbers of the pieces struck; none where that was an empty text.
        base: what all had read.
        sides: what each writer made of it.
        inline: whether it begins within a line, so that blanks before it are no indentation.
    """

    anchor: Anchor
    strikes: frozenset[RunId]
    struck: tuple[int, ...]
    base: tuple[Piece, ...]
    sides: tuple[Side, ...]
    inline: bool


class Analysis(NamedTuple):
    """What to do when showing a sequence.

    Attributes:
        suspended: strikes that are not to count.
        hidden: runs that are not to be shown.
        overlaps: the open overlaps, in document order.
        also: of a run that several wrote alike the stamps of the others.
        doubled: the parts of runs (by offset) that are there already, in another insertion at their place.
        echoes: the parts of runs that others inserted as well, with their stamps.
    """

    suspended: frozenset[RunId]
    hidden: frozenset[RunId]
    overlaps: tuple[Overlap, ...]
    also: dict[RunId, tuple[Stamp, ...]]
    doubled: dict[RunId, Spans]
    echoes: dict[RunId, Echoes]

    @property
    def agreed(self) -> frozenset[RunId]:
        """What is not shown for being there already."""
        return self.hidden.difference(*[overlap.strikes for overlap in self.overlaps])

    @property
    def opened(self) -> frozenset[RunId]:
        """What is in dispute in the place of an empty text."""
        return frozenset().union(*[overlap.strikes for overlap in self.overlaps if not overlap.struck])


_NUMBER = itemgetter(0)

NOTHING = Analysis(frozenset(), frozenset(), (), {}, {}, {})


def analyse(sequence: Sequence, rules: Rules) -> Analysis:
    """Weighs all changes of a sequence against each other."""
    if not sequence.overlapping:
        return NOTHING
    form = normal_form(sequence, whole=rules.unit == "whole", marked=rules.escalate)
    return _Weighing(form, rules).result()


Key: TypeAlias = tuple[frozenset[int], Content, RunId | None]
"""What makes two changes the same: what they removed, gaps aside, and what they put there; of one that was set aside,
and that somebody has gone on from, what became of it is another."""


class _Sided(NamedTuple):
    """A side in the making: its number, its strikes, and of equal ones the first."""

    number: int
    runs: Group
    first: dict[Key, RunId]


class _Sides:
    """The sides of a contest, with what tells where a writer may belong without asking each."""

    def __init__(self) -> None:
        self.sides: list[_Sided] = []
        self._alike: dict[Key, list[_Sided]] = {}
        self._taken: dict[int, set[int]] = {}  # by piece the sides that have changed it

    def near(self, changes: list[tuple[Key, bool]]) -> list[_Sided]:
        """The sides that a writer with these changes may join; for each, whether it puts nothing."""
        taken = set().union(*(self._taken.get(number, ()) for (solid, *_), _ in changes for number in solid))
        if len(taken) < len(self.sides) or any(removes for _, removes in changes):
            return self.sides  # one of them may be beside what the writer changed, or have removed the same
        return [side for key, _ in changes for side in self._alike.get(key, ())]

    def begin(self) -> _Sided:
        self.sides.append(_Sided(len(self.sides), [], {}))
        return self.sides[-1]

    def add(self, side: _Sided, run: RunId, key: Key) -> RunId | None:
        """Puts a strike on a side; returns the equal one that is there already."""
        side.runs.append(run)
        twin = side.first.setdefault(key, run)
        for number in key[0]:
            self._taken.setdefault(number, set()).add(side.number)
        if twin != run:
            return twin
        self._alike.setdefault(key, []).append(side)
        return None


class _Weighing:
    """The work of one ``analyse`` call."""

    def __init__(self, form: NormalForm, rules: Rules) -> None:
        sequence = form.sequence
        self.raised = form.raised
        self.copies = form.copies
        self.homes: dict[RunId, RunId] = {}
        self.strikes = sequence.strikes
        self.sequence = sequence
        self.rules = rules
        self.is_one = rules.unit == "whole"
        self.touched: dict[RunId, list[int]] = {}
        self.inserted: dict[RunId, list[int]] = {}
        self.solid: dict[RunId, frozenset[int]] = {}
        self.pieces: dict[int, Piece] = {}
        self.built: dict[RunId, set[RunId]] = {}
        self.kept = form.texts.keys()
        self.texts: dict[RunId, Content] = {**form.texts}
        self.suspended: set[RunId] = set()
        self.hidden: set[RunId] = set()
        self.also: dict[RunId, tuple[Stamp, ...]] = {}
        self.agreed = sequence.agreements(rules)
        self.meeting: set[RunId] = set()
        self.inner: list[tuple[frozenset[RunId], list[set[RunId]]]] = []

    def _learn(self, runs: Set[RunId]) -> None:
        """Finds the pieces that strikes are over and that were put in their place, and the strikes over the latter."""
        runs = runs - self.touched.keys()
        for run in runs:
            self.touched[run], self.inserted[run], self.built[run] = [], [], set()
        for number, piece in self.sequence.touching(runs) if runs else ():
            self.pieces[number] = piece
            for run in piece.struck:
                if run in runs and run in self.strikes:
                    self.touched[run].append(number)
            run = run_of(piece)
            if run in runs:
                self.built[run].update(piece.struck)
                if run in self.strikes and piece.live:
                    self.inserted[run].append(number)
        for run in runs:
            self.solid[run] = self._solid(self.touched[run])

    def _place(self, run: RunId) -> tuple[Any, ...]:
        """The place of a strike among all."""
        return (*order_of(self.strikes[run].stamp), run[2])

    def _between(self, first: int, past: int) -> Iterable[tuple[int, Piece]]:
        """The pieces with numbers from one up to another."""
        return enumerate(self.sequence.since(first, past), first)

    def result(self) -> Analysis:
        contested: list[Group] = []
        for group in self._groups():
            if self._is_of_gaps(group):
                agreement = self._greatest(group)
                self._follow(agreement)
                self.agreed.update(dict.fromkeys(group, agreement))
                continue
            sides, agreement = self._sides(group)
            if len(sides) > 1 and self.rules.escalate:
                self._follow(agreement)
                contested.append(self._with_gaps_inside(group))
            else:
                agreement = self._without_gaps(agreement)
                self._follow(agreement)
                self.agreed.update(dict.fromkeys(group, agreement))
        self.sequence.remember_agreements(self.rules, self.agreed, self.meeting)
        overlaps: list[Overlap] = []
        self._dependents([run for group in contested for run in group])  # all is learnt at once, not group by group
        found = [
            (group, owners) for group in contested if not self._ends_alike(group, owners := self._dependents(group))
        ]
        if not self.rules.show_all:
            for _, owners in found:
                self.suspended.update(owners)
                self.hidden.update(owners)
            found = self._without_inner(found)
        for group, owners in self._touching(found):
            overlaps.append(self._overlap(group, self._sides(group)[0], owners))
        suspended, hidden = frozenset(self.suspended), frozenset(self.hidden)
        doubled, echoes = echoes_of(self.sequence, self.rules.unit, suspended)
        return Analysis(suspended, hidden, tuple(overlaps), self.also, doubled, echoes)

    def _without_inner(self, found: list[tuple[Group, Owners]]) -> list[tuple[Group, Owners]]:
        """The contested groups but for those within one side of another, which has several readings for that."""
        outer: list[tuple[Group, Owners]] = []
        for group, owners in sorted(found, key=lambda one: len(one[1]), reverse=True):
            if any(known.keys() > owners.keys() for _, known in found):
                parts = [standing for _, standing in self._readings(group, self._sides(group)[0], owners)]
                self.inner.append((frozenset(owners), parts))
            else:
                outer.append((group, owners))
        return outer

    def _solid(self, numbers: list[int]) -> frozenset[int]:
        """Of pieces those that hold more than a gap; all of them where that is none."""
        solid = frozenset(n for n in numbers if not is_blank(self.pieces[n].content))
        return solid or (frozenset(numbers) if self.is_one else solid)

    def _groups(self) -> list[Group]:
        """Strikes connected by pieces they share, those of each group in order: without those of which it is known
        what comes of them, which count already."""
        leader: dict[RunId, RunId] = {}

        def find(run: RunId) -> RunId:
            while leader[run] != run:
                leader[run] = leader[leader[run]]
                run = leader[run]
            return run

        def join(runs: list[RunId]) -> None:
            for run in runs:
                leader.setdefault(run, run)
            for run in runs[1:]:
                leader[find(run)] = find(runs[0])

        gaps: list[list[RunId]] = []
        unknown: Iterable[RunId] = self.sequence.crowd.difference(self.agreed)
        while unknown:
            again: set[RunId] = set()
            for piece, standing in self.sequence.crowded(unknown):
                self.meeting.update(standing)
                again.update(*[self.agreed[run].runs for run in standing if run in self.agreed])
                if self.is_one or not is_blank(piece.content):
                    join(standing)
                else:
                    gaps.append(standing)
            again = again or self._agreed_with_what_goes_along(leader.keys())
            for run in again:  # another strike has come to them
                del self.agreed[run]
            unknown = again
        for agreement in {id(agreement): agreement for agreement in self.agreed.values()}.values():
            self._follow(agreement)
        self._learn({*leader, *chain.from_iterable(gaps)})
        for standing in gaps:
            join(self._changes_of_a_gap(standing))
        for root, run in self._going_along(leader.keys()):
            self.homes.setdefault(run, root)
            join([root, run])
        groups: dict[RunId, Group] = {}
        for run in sorted(leader, key=self._place):
            groups.setdefault(find(run), []).append(run)
        return [*groups.values()]

    def _changes_of_a_gap(self, runs: list[RunId]) -> list[RunId]:
        """The strikes over nothing but a gap, that have put nothing else, with those that have rewritten units on both
        sides of it, if there are several in all."""
        changes = [run for run in runs if self._is_of_a_gap(run)]
        if not changes:
            return []
        within = max(self.touched[run][0] for run in changes)
        changes += [run for run in runs if self._text(run) and self._is_around(run, within)]
        return changes if len(changes) > 1 else []

    def _is_of_a_gap(self, run: RunId) -> bool:
        """Whether a strike is over nothing but a gap, and has put nothing else."""
        return not self.solid[run] and not self._text(run)

    def _is_around(self, run: RunId, number: int) -> bool:
        """Whether a strike is over units on both sides of a piece."""
        return bool(self.solid[run]) and min(self.solid[run]) < number < max(self.solid[run])

    def _is_of_gaps(self, group: Group) -> bool:
        """Whether strikes are over gaps alone."""
        return not self.is_one and not any(self.solid[run] for run in group)

    def _greatest(self, group: Group) -> Agreement:
        """Of what several made of one gap the greater one stays."""
        put = {run: "".join(str(self.pieces[number].content) for number in self.inserted[run]) for run in group}
        shown = max(group, key=lambda run: (put[run].count("\n"), len(put[run])))
        alike = [self.strikes[run].stamp for run in group if run != shown and put[run] == put[shown]]
        hidden = tuple(run for run in group if run != shown and self.inserted[run])
        return Agreement(tuple(group), hidden, ((shown, tuple(alike)),) if alike else ())

    def _without_gaps(self, agreement: Agreement) -> Agreement:
        """What comes of strikes that agree: of units that were rewritten together no gap between them stays."""
        gaps = [run for run in agreement.runs if self._is_of_a_gap(run) and self.inserted[run]]
        return agreement._replace(hidden=(*agreement.hidden, *gaps)) if gaps else agreement

    def _going_along(self, runs: Set[RunId]) -> Iterator[tuple[RunId, RunId]]:
        """What goes the way of something that stands again, each with that."""
        for root in sorted(self.raised & runs, key=self._place):
            for run in self._gone_on_from(root):
                yield root, run

    def _agreed_with_what_goes_along(self, runs: Set[RunId]) -> set[RunId]:
        """The strikes of which it was known that they agree, where one of them goes another's way by now."""
        along = [run for _, run in self._going_along(runs) if run in self.agreed]
        return {one for run in along for one in self.agreed[run].runs}

    def _gone_on_from(self, root: RunId) -> list[RunId]:
        """The strikes over what was made of something that stands again, and over more than that: they go its way."""
        family, newest = {root}, {root}
        while newest:
            self._learn(newest)
            newest = {run for one in newest for run in self.built[one] if run in self.strikes} - family
            family |= newest
        return [run for run in sorted(family, key=self._place) if run != root and not self._struck_by(run) <= family]

    def _follow(self, agreement: Agreement) -> None:
        """Shows what several wrote alike once."""
        self.hidden.update(agreement.hidden)
        self.also.update(agreement.also)

    def _ends_alike(self, group: Group, owners: Owners) -> bool:
        """Whether all writers have come to the same text in the end; then the first one's is shown, for all of them."""
        said = self._said(group, owners, self._readings(group, self._sides(group)[0], owners))
        first, *others = sorted(said, key=lambda reading: not self.raised.isdisjoint(reading[1]))
        reads = self._own if self.is_one else content_of
        if any(reads(first[0]) != reads(other[0]) for other in others):
            return False
        self.hidden.update(owners.keys() - first[1])
        stamps = tuple(self.strikes[run].stamp for run in owners.keys() - first[1])
        for run in {run_of(piece) for piece in first[0]}.intersection(first[1]):
            self.also[run] = (*self.also.get(run, ()), *sorted(stamps, key=order_of))
        return True

    def _said(self, group: Group, owners: Owners, readings: list[Reading]) -> list[Reading]:
        """The readings of a contested range that count: where there is nothing but a gap not those that leave that."""
        if not self.is_one or self._own(self._shown(group, set(), owners)):
            return readings
        return [(shown, standing) for shown, standing in readings if self._says(shown, standing)] or readings

    def _says(self, shown: tuple[Piece, ...], standing: set[RunId]) -> bool:
        """Whether a side has made something of a text in which nothing was, or has decided that it stay so."""
        if self._own(shown):
            return True
        put = [self.pieces[number] for run in standing for number in self.inserted[run]]
        over = [(piece.stamp, run) for piece in put if piece.content for run in self.strikes.standing(piece.struck)]
        return any(self.strikes[run].stamp == stamp for stamp, run in over)

    def _own(self, pieces: Iterable[Piece]) -> str:
        """What pieces of a text say, without what lines begin with and the gaps around."""
        begins = [(str(p.content), self.rules.separator if p.line and not p.offset else "") for p in pieces]
        return "".join([content.removeprefix(separator) for content, separator in begins]).strip()

    def _with_gaps_inside(self, group: Group) -> Group:
        """A contested group with the strikes over gaps between its units: they go the way of the units."""
        first, last = self._range(group)
        between = self._between(first + 1, last)
        runs = {run for _, piece in between for run in piece.struck if run[2] != SEAL or run in self.kept}
        inside = {*self.strikes.standing(runs)}
        self._learn(inside)
        gaps = [run for run in inside.difference(group) if not self.solid[run] and self.touched[run][-1] < last]
        return sorted([*group, *gaps], key=self._place) if gaps else group

    # -- sides --------------------------------------------------------------------------------------------------

    def _sides(self, group: Group) -> tuple[list[Group], Agreement]:
        """Puts writers whose changes can stand together on one side; an equal rewrite is one with its twin: not shown,
        its writer credited."""
        writers: dict[Any, Group] = {}
        hidden: list[RunId] = []
        also: dict[RunId, tuple[Stamp, ...]] = {}
        for run in group:
            writers.setdefault(self._writer_of(run), []).append(run)
        made = _Sides()
        for runs in writers.values():
            able = made.near([(self._key(run), not self._text(run)) for run in runs])
            home = next((side for side in able if all(self._joins(run, side) for run in runs)), None)
            if home is None:
                home = made.begin()
            for run in runs:
                twin = made.add(home, run, self._key(run))
                if twin is not None and self.inserted[run]:
                    hidden.append(run)
                    also[twin] = (*also.get(twin, ()), self.strikes[run].stamp)
        return [side.runs for side in made.sides], Agreement(tuple(group), tuple(hidden), tuple(also.items()))

    def _writer_of(self, run: RunId) -> Any:
        """Whose change a strike is. What stands again is none with what its writer put in the place of it."""
        root = self.homes.get(run, run)
        stamp = self.strikes[root].stamp
        writer = stamp.origin or (stamp.replica, stamp.n)
        return (writer, stamp.time) if root in self.raised or root in self.copies else writer

    def _joins(self, run: RunId, side: _Sided) -> bool:
        twin = side.first.get(self._key(run))
        if twin is not None and self.inserted[run]:
            return not self._went_on(run, twin)
        return twin is not None or all(self._agree(run, other) for other in side.runs)

    def _went_on(self, run: RunId, twin: RunId) -> bool:
        """Whether somebody has changed what one of two writers had put alike who saw that one alone: who sees both is
        shown the first, and changes that."""
        mine, theirs = self._over(run), self._over(twin)
        nothing = self.is_one and all(self._own([self.pieces[number]]) == "" for number in self.solid[run])
        return mine != theirs if nothing else not mine <= theirs

    def _over(self, run: RunId) -> set[RunId]:
        """The strikes over what a strike has put."""
        return {*self.strikes.standing(other for number in self.inserted[run] for other in self.pieces[number].struck)}

    def _agree(self, one: RunId, other: RunId) -> bool:
        mine, theirs = self.solid[one], self.solid[other]
        if not mine & theirs:
            return True
        if self._text(one) or self._text(other):
            return False
        return self.rules.unit != "word" or mine <= theirs or theirs <= mine

    def _key(self, run: RunId) -> Key:
        return self.solid[run], self._text(run), run if run in self.raised else None

    def _text(self, run: RunId) -> Content:
        """What a strike has put in the place of what it removed, gaps aside."""
        if run not in self.texts:
            self.texts[run] = content_of(self.pieces[index] for index in self.inserted.get(run, ()))
        return self.texts[run]

    # -- ranges -------------------------------------------------------------------------------------------------

    def _dependents(self, group: Group) -> Owners:
        """Runs that exist only because of the group (its insertions, and rewrites of those), with their owners."""
        owners: Owners = {run: {run} for run in group}
        newest = {*group}
        while newest:
            self._learn(newest)
            over = {run for one in newest for run in self.built[one] if run in self.strikes and run not in owners}
            self._learn(over)
            newest = set()
            for run in sorted(over, key=self._place):
                roots = self._struck_by(run)
                if roots <= owners.keys():
                    owners[run] = set().union(*(owners[root] for root in roots))
                    newest.add(run)
        return owners

    def _struck_by(self, run: RunId) -> set[RunId]:
        """The runs that a strike is over."""
        return {run_of(self.pieces[number]) for number in self._live(self.solid[run] or self.touched[run])}

    def _touching(self, found: list[tuple[Group, Owners]]) -> list[tuple[Group, Owners]]:
        """The contested groups in document order, neighbours with nothing but gaps between them as one."""
        found.sort(key=lambda one: self._range(one[0])[0])
        result: list[tuple[Group, Owners]] = []
        for group, owners in found:
            if result and not self._is_over_nothing(group):
                before, their_owners = result[-1]
                both = their_owners | owners
                if self._is_clear(self._range(before)[1] + 1, self._range(group)[0], both):
                    together = sorted([*before, *group], key=self._place)
                    result[-1] = (together, both)
                    continue
            result.append((group, owners))
        return result

    def _is_over_nothing(self, group: Group) -> bool:
        """Whether what was put into an empty text is in dispute."""
        return not all(self.pieces[number].content for number in self.touched[group[0]])

    def _range(self, group: Group) -> tuple[int, int]:
        numbers = self._live(self._numbers(group))
        return min(numbers), max(numbers)

    def _numbers(self, group: Group) -> Iterator[int]:
        return (number for run in group for number in self.solid[run] or self.touched[run])

    def _live(self, numbers: Iterable[int]) -> list[int]:
        """Those pieces that are live, for what is not is gone, or stands again elsewhere; all of them if none is."""
        known = [*numbers]
        return [number for number in known if self.pieces[number].live] or known

    def _is_clear(self, first: int, past: int, owners: Owners) -> bool:
        """Whether nothing is seen between two places but gaps, and what belongs to the contest."""
        for piece in islice(self.sequence.onward(first), max(past - first, 0)):
            if is_blank(piece.content) or not piece.live or run_of(piece) in owners or run_of(piece) in self.hidden:
                continue
            if not any(run in self.strikes and run not in self.suspended for run in piece.struck):
                return False
        return True

    def _overlap(self, group: Group, sides: list[Group], owners: Owners) -> Overlap:
        struck = sorted({index for run in group for index in self.touched[run] if self.pieces[index].content})
        said = self._said(group, owners, self._readings(group, sides, owners))
        readings = [Side(shown, self._who_stands_for(standing)) for shown, standing in said]
        first = self.pieces[min(self._numbers(group))]  # also where that is gone: the question keeps its name
        seen = (p for p in self.sequence.backward(self._range(group)[0]) if self._stands(p, set(), owners))
        before = next((p.content[-1:] for p in seen), "\n")
        return Overlap(
            first_of(first),
            frozenset(owners),
            tuple(struck),
            self._shown(group, set(), owners),
            tuple(readings),
            before != "\n",
        )

    def _who_stands_for(self, standing: set[RunId]) -> tuple[Stamp, ...]:
        """The writes of a side; a mark, or a seal, stands for one only where nobody has written on there."""
        runs = [run for run in standing if not is_note(self.strikes[run])] or standing
        return tuple(sorted({self.strikes[run].stamp for run in runs}, key=order_of))

    def _readings(self, group: Group, sides: list[Group], owners: Owners) -> list[Reading]:
        """What each side makes of a contested range."""
        found = []
        sides = self._seen_together(sides, owners) if self.is_one else sides
        dependents = [(run, by) for run, by in owners.items() if run not in group]
        for side in sides:
            members = set(side)
            standing = members.union(run for run, by in dependents if by <= members)
            first: dict[Any, RunId] = {}
            twins = {run for run in side if first.setdefault(self._key(run), run) != run}
            for part in self._in_parts(standing):
                found.append((self._shown(group, part - twins - self.copies, owners), part))
        return found

    def _seen_together(self, sides: list[Group], owners: Owners) -> list[Group]:
        """The sides of a contest, as one those of which somebody has changed all: they were shown together once."""
        for by in [by for by in owners.values() if len(by) > 1]:
            seen = [side for side in sides if not by.isdisjoint(side)]
            sides = [*[side for side in sides if side not in seen], sorted(chain.from_iterable(seen), key=self._place)]
        return sorted(sides, key=lambda side: self._place(side[0]))

    def _in_parts(self, standing: set[RunId]) -> list[set[RunId]]:
        """The runs of a side; of one within which something is in dispute those of each side of that."""
        found = [standing]
        for runs, parts in self.inner:
            found = [one for old in found for one in ([old - runs | part for part in parts] if runs <= old else [old])]
        return found

    def _shown(self, group: Group, standing: set[RunId], owners: Owners) -> tuple[Piece, ...]:
        """The pieces of a contested range that are seen where, of the changes in dispute, only those standing count."""
        touched = self._live(number for run in group for number in self.touched[run])
        put = [number for run in owners for number in self.inserted.get(run, ()) if self.pieces[number].parent]
        last = max([*touched, *put])  # what an empty text became stands apart
        common = [(n, p) for n, p in self._between(min(touched), last + 1) if run_of(p) not in owners]
        own = [(n, self.pieces[n]) for run in standing for n in self.inserted.get(run, ())]
        seen = sorted([*common, *own], key=_NUMBER) if own else common
        return tuple(piece for _, piece in seen if self._stands(piece, standing, owners))

    def _stands(self, piece: Piece, standing: set[RunId], owners: Owners) -> bool:
        """Whether a piece is seen where, of the changes in dispute, only those standing count."""
        run = run_of(piece)
        if not piece.live or (run in owners and run not in standing) or (run in self.hidden and run not in owners):
            return False
        return not any(
            s in self.strikes and (s in standing or (s not in self.suspended and s not in owners)) and s[2] != SEAL
            for s in piece.struck
        )
