"""How the changes of a sequence are weighed, said without regard to what it costs: the measure of ``analyse``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from concordant.merge.causality import SeenBy, Stamp, order_of
from concordant.merge.sequence.echoes import Echoes, Inserted, Spans, both
from concordant.merge.sequence.normal import content_of
from concordant.merge.sequence.overlap import (
    NOTHING,
    Analysis,
    Group,
    Key,
    Overlap,
    Owners,
    Rules,
    Side,
    _Sided,
    _Sides,
)
from concordant.merge.sequence.pieces import (
    EMPTIED,
    NOTHING_THERE,
    SEAL,
    Content,
    Piece,
    RunId,
    Sequence,
    Strike,
    _have_common_units,
    is_seal,
    run_of,
)
from concordant.merge.sequence.units import is_blank, units

__all__ = ["counting", "known", "weighed", "withdrawn"]


class Text(NamedTuple):
    """The pieces of a sequence, of each its run and between which neighbours it was inserted, and the strikes."""

    pieces: list[Piece]
    runs: list[RunId]
    places: list[int | None]
    strikes: dict[RunId, Strike]


OPENING = 0
"""The number of the place at which an empty text became something."""

_numbers: dict[Any, int] = {(None, NOTHING_THERE): OPENING}
_facts: dict[int, tuple[RunId, int | None, Piece]] = {}  # by id: a piece that is held here is no other one


def text_of(sequence: Sequence) -> Text:
    """Takes a sequence apart. What is said by a piece alone is remembered, for pieces never change."""
    pieces = sequence.pieces()
    if len(_facts) > 8 * len(pieces) + 10_000:
        _facts.clear()
        _numbers.clear()
        _numbers[None, NOTHING_THERE] = OPENING
    for piece in pieces:
        if id(piece) not in _facts:
            _facts[id(piece)] = (run_of(piece), _place_of(piece), piece)
    found = [_facts[id(piece)] for piece in pieces]
    strikes = dict(zip(sequence.strikes, sequence.strikes.all(), strict=True))
    return Text(pieces, [run for run, *_ in found], [place for _, place, _ in found], strikes)


def _place_of(piece: Piece) -> int | None:
    """A number for the neighbours between which a text was inserted; ``None`` if it is no insertion."""
    if piece.beside is None or not piece.live or not isinstance(piece.content, str):
        return None
    place = (None, NOTHING_THERE) if piece.beside[3] == EMPTIED else (piece.parent, piece.beside)
    return _numbers.setdefault(place, len(_numbers))


def weighed(sequence: Sequence, rules: Rules) -> tuple[bool, Analysis]:
    """Whether a sequence has to be ``overlapping``, and what ``analyse`` has to find."""
    text = text_of(sequence)
    return (True, _Weighing(text, rules).result()) if _overlap(text) else (False, NOTHING)


def _with_nothing(text: Text) -> Text:
    """A text in which what an empty text became is a rewrite of nothing, that was put there when it was emptied."""
    strikes = dict(text.strikes)
    nothing: dict[RunId, Piece] = {}
    openings: dict[RunId, Piece] = {}
    for piece, run, place in zip(text.pieces, text.runs, text.places, strict=True):
        if place == OPENING:
            openings.setdefault(run, piece)
    named = {(piece.beside or NOTHING_THERE)[:3] for piece in openings.values()}
    meeting = {run: {run} for run in named if run in strikes}
    for piece in text.pieces:
        together = set().union(*(meeting[run] for run in piece.struck if run in meeting))
        meeting.update(dict.fromkeys(together, together))
    same = {run: min(several) for run, several in meeting.items()}
    for run, piece in openings.items():
        strikes[run] = Strike(piece.stamp, run[2])
        by = same.get((piece.beside or NOTHING_THERE)[:3], ("", 0, 0))
        stamp = text.strikes[by].stamp if by in text.strikes else Stamp(0.0, "", 0, "", "", "")
        known = nothing.get(by, Piece(stamp, by[2], EMPTIED, "", None))
        nothing[by] = known._replace(struck=tuple(sorted((*known.struck, run))))
    more = [nothing[run] for run in sorted(nothing)]
    runs = [*text.runs, *map(run_of, more)]
    return Text([*text.pieces, *more], runs, [*text.places, *map(_place_of, more)], strikes)


def _sealed(text: Text, seals: set[RunId]) -> dict[RunId, list[Piece]]:
    """The pieces under seals by their runs."""
    sealed: dict[RunId, list[Piece]] = {}
    for piece, run in zip(text.pieces, text.runs, strict=True):
        if not seals.isdisjoint(piece.struck):
            sealed.setdefault(run, []).append(piece)
    return sealed


def _raised(text: Text, seals: set[RunId], sealed: Mapping[RunId, list[Piece]]) -> set[RunId]:
    """The runs that were set aside, and from which somebody has gone on who had not heard of it; what those had gone on
    from themselves, as well."""
    aside = {run for run, parts in sealed.items() if not all(piece.live for piece in parts)}
    onto: dict[RunId, list[Piece]] = {}
    for piece in text.pieces if aside else ():
        for run in piece.struck if not aside.isdisjoint(piece.struck) else ():
            onto.setdefault(run, []).append(piece)
    raised: set[RunId] = set()
    for run in aside:
        over = {one for piece in sealed[run] for one in piece.struck if one in text.strikes} - seals
        settled = {one[:2] for piece in sealed[run] for one in piece.struck if one[2] == SEAL}
        over = {one for one in over if one[:2] not in settled}
        below = {one for piece in onto.get(run, ()) for one in piece.struck}
        if over - below:
            raised.add(run)
    grown = True
    while grown:
        more = {run_of(piece) for one in raised for piece in onto.get(one, ())} & aside - raised
        raised |= more
        grown = bool(more)
    return raised


def _with_what_was_set_aside(
    text: Text, seals: set[RunId], sealed: Mapping[RunId, list[Piece]], raised: set[RunId]
) -> tuple[Text, dict[RunId, Content]]:
    """A text without seals, in which some runs stand that were set aside; where nothing was put in their place, with
    their seals over what was kept there, and that."""
    over = {run: {s for p in sealed[run] for s in p.struck if s in seals} for run in raised}
    strikes = {run: strike for run, strike in text.strikes.items() if run not in seals}
    pieces, places = [*text.pieces], [*text.places]
    kept: dict[RunId, list[Any]] = {}
    for index, piece in enumerate(text.pieces):
        if not piece.struck or (seals.isdisjoint(piece.struck) and raised.isdisjoint(piece.struck)):
            continue
        run, struck = text.runs[index], {one for one in piece.struck if one not in seals}
        if run in raised and not piece.live and seals.intersection(piece.struck):
            piece = piece._replace(live=True)
            strikes[run] = Strike(piece.stamp, piece.k)
        elif piece.live and raised & struck and not struck & (strikes.keys() - raised):
            mine = set[RunId]().union(*(over[one] for one in raised & struck))
            struck |= mine
            for seal in mine:
                strikes[seal] = text.strikes[seal]
                kept.setdefault(seal, []).append(piece.content)
        pieces[index] = piece if struck == {*piece.struck} else piece._replace(struck=tuple(sorted(struck)))
        places[index] = _place_of(piece)
    said = {seal: "".join(p).strip() if isinstance(p[0], str) else sum(p, ()) for seal, p in kept.items()}
    return Text(pieces, text.runs, places, strikes), said


def _overlap(text: Text) -> bool:
    """Whether several strikes stand over one piece, or insertions between the same neighbours have units in common, or
    an empty text has become several."""
    strikes = text.strikes
    if any(len(piece.struck) > 1 and sum(run in strikes for run in piece.struck) > 1 for piece in text.pieces):
        return True
    shared = _shared_places(text)
    return OPENING in shared or any(map(_have_units_in_common, shared.values()))


def _shared_places(text: Text) -> dict[int, dict[RunId, list[Piece]]]:
    """The insertions of texts between the same neighbours, where there are several."""
    first: dict[int, RunId] = {}
    several = {
        place
        for run, place in zip(text.runs, text.places, strict=True)
        if place is not None and first.setdefault(place, run) != run
    }
    found: dict[int, dict[RunId, list[Piece]]] = {}
    for piece, run, place in zip(text.pieces, text.runs, text.places, strict=True) if several else ():
        if place in several:
            found.setdefault(place, {}).setdefault(run, []).append(piece)
    return found


def _have_units_in_common(runs: Mapping[RunId, list[Piece]]) -> bool:
    """Whether insertions have."""
    return _have_common_units([[str(piece.content) for piece in parts] for parts in runs.values()])


def known(sequence: Sequence, seen: SeenBy) -> Sequence:
    """What ``only`` has to make of a sequence."""
    strikes = {run: strike for run, strike in sequence.strikes.items() if seen(strike.stamp)}
    pieces = [piece if seen(piece.stamp) else piece._replace(live=False) for piece in counting(sequence, strikes)]
    return Sequence(pieces, strikes, sequence.newest_root)


def withdrawn(sequence: Sequence, gone: SeenBy) -> Sequence:
    """What ``withdraw`` has to make of a sequence in which something else stands."""
    pieces = [piece._replace(live=False) if gone(piece.stamp) else piece for piece in sequence]
    strikes = {run: strike for run, strike in sequence.strikes.items() if not gone(strike.stamp)}
    return Sequence(pieces, strikes, sequence.newest_root)


def counting(sequence: Sequence, strikes: Mapping[RunId, Strike]) -> list[Piece]:
    """The pieces of a sequence with those strikes alone that count."""
    return [piece._replace(struck=tuple(run for run in piece.struck if run in strikes)) for piece in sequence]


class _Weighing:
    """Looks at every piece and every strike."""

    def __init__(self, text: Text, rules: Rules) -> None:
        seals = {run for run in text.strikes if run[2] == SEAL}
        sealed = _sealed(text, seals)
        self.raised = _raised(text, seals, sealed)
        self.homes: dict[RunId, RunId] = {}
        text, self.texts = _with_what_was_set_aside(text, seals, sealed, self.raised)
        self.text = text = _with_nothing(text) if rules.unit == "whole" else text
        self.strikes = strikes = text.strikes
        self.pieces = text.pieces
        self.rules = rules
        self.touched: dict[RunId, list[int]] = {}
        self.own: dict[RunId, list[int]] = {}
        for index, piece in enumerate(text.pieces):
            for run in piece.struck:
                if run in strikes:
                    self.touched.setdefault(run, []).append(index)
        for index, run in enumerate(text.runs):
            if run in strikes:
                self.own.setdefault(run, []).append(index)
        self.solid = _Solid(self._solid)
        self.suspended: set[RunId] = set()
        self.hidden: set[RunId] = set()
        self.also: dict[RunId, tuple[Stamp, ...]] = {}
        self.inner: list[tuple[set[RunId], list[set[RunId]]]] = []

    def rank(self, run: RunId) -> tuple[float, str, int, int]:
        """Where a strike stands in the order in which all were made."""
        return (*order_of(self.strikes[run].stamp), run[2])

    def result(self) -> Analysis:
        contested: list[Group] = []
        for group in self._groups():
            if self.rules.unit != "whole" and not any(self.solid[run] for run in group):
                self._greatest(group)
            elif len(self._sides(group, note=True)) > 1 and self.rules.escalate:
                contested.append(self._with_gaps_inside(group))
            else:  # no gap stays between units that were rewritten together
                self.hidden.update(run for run in group if self._is_of_a_gap(run) and self._put(run))
        overlaps: list[Overlap] = []
        found = [
            (group, owners) for group in contested if not self._ends_alike(group, owners := self._dependents(group))
        ]
        if not self.rules.show_all:
            for _, owners in found:
                self.suspended.update(owners)
                self.hidden.update(owners)
        outer = [one for one in found if not any(one[1].keys() < other[1].keys() for other in found)]
        for group, owners in sorted(found, key=lambda one: -len(one[1])) if not self.rules.show_all else ():
            if (group, owners) not in outer:
                parts = [standing for _, standing in self._readings(group, self._sides(group, note=False), owners)]
                self.inner.append((set(owners), parts))
        for group, owners in self._touching(found if self.rules.show_all else outer):
            overlaps.append(self._overlap(group, self._sides(group, note=False), owners))
        suspended, hidden = frozenset(self.suspended), frozenset(self.hidden)
        doubled: dict[RunId, Spans] = {}
        echoes: dict[RunId, Echoes] = {}
        if self.rules.unit != "item":
            self._echoes(doubled, echoes)
        return Analysis(suspended, hidden, tuple(overlaps), self.also, doubled, echoes)

    def _solid(self, run: RunId) -> frozenset[int]:
        """Of the pieces under a strike those that hold more than a gap; all of them where that is none."""
        numbers = self.touched[run]
        solid = frozenset(n for n in numbers if not is_blank(self.pieces[n].content))
        return solid or (frozenset(numbers) if self.rules.unit == "whole" else solid)

    def _groups(self) -> list[Group]:
        """Strikes connected by pieces they share."""
        leader: dict[RunId, RunId] = {}

        def find(run: RunId) -> RunId:
            while (above := leader.setdefault(run, run)) != run:
                leader[run] = leader[above]
                run = above
            return run

        for piece in self.pieces:
            if len(piece.struck) > 1:
                standing = [run for run in piece.struck if run in self.touched]
                if self.rules.unit != "whole" and is_blank(piece.content):
                    standing = self._changes_of_a_gap(standing)
                for run in standing[1:]:
                    leader[find(run)] = find(standing[0])
        sizes = Counter(map(find, [*leader]))
        for root in [run for run in sorted(self.raised & leader.keys(), key=self.rank) if sizes[find(run)] > 1]:
            for run in self._gone_on_from(root):
                leader[find(run)] = find(root)
                self.homes.setdefault(run, root)
        groups: dict[RunId, Group] = {}
        for run in sorted(leader, key=self.rank):
            groups.setdefault(find(run), []).append(run)
        return [group for group in groups.values() if len(group) > 1]

    def _changes_of_a_gap(self, standing: list[RunId]) -> list[RunId]:
        """The strikes over nothing but a gap, and those that have rewritten what is on both sides of it."""
        gaps = [run for run in standing if self._is_of_a_gap(run)]
        at = max((self.touched[run][0] for run in gaps), default=-1)
        around = {run for run in standing if {number > at for number in self.solid[run]} == {False, True}}
        return gaps and [run for run in standing if run in gaps or (run in around and self._text(run))]

    def _is_of_a_gap(self, run: RunId) -> bool:
        return not self.solid[run] and not self._text(run)

    def _greatest(self, group: Group) -> None:
        """Of gaps in the place of one the greatest is shown, by line breaks and length, of equal ones the first."""
        put = {run: "".join(str(self.pieces[n].content) for n in self._put(run)) for run in group}
        best = max((put[run].count("\n"), len(put[run])) for run in group)
        shown = next(run for run in group if (put[run].count("\n"), len(put[run])) == best)
        others = [run for run in group if run != shown]
        self.hidden |= {run for run in others if put[run]}
        alike = tuple(self.strikes[run].stamp for run in others if put[run] == put[shown])
        if alike:
            self.also[shown] = (*self.also.get(shown, ()), *alike)

    def _above(self, runs: Iterable[RunId]) -> list[RunId]:
        """What strikes out something of some runs, of what does that, and so on; in order."""
        waiting, found = [*runs], set[RunId]()
        while waiting:
            more = {run for n in self.own.get(waiting.pop(), ()) for run in self.pieces[n].struck} - found
            more &= self.touched.keys()
            found |= more
            waiting += more
        return sorted(found, key=self.rank)

    def _gone_on_from(self, root: RunId) -> list[RunId]:
        """What was made of something that stands again, and of more than that."""
        above = self._above([root])
        family = {root, *above}
        return [run for run in above if run != root and not self._roots(run) <= family]

    def _roots(self, run: RunId) -> set[RunId]:
        struck = [self.pieces[i] for i in self.solid[run] or self.touched[run]]
        return {run_of(piece) for piece in struck if piece.live} or {run_of(piece) for piece in struck}

    def _ends_alike(self, group: Group, owners: Owners) -> bool:
        """Whether all writers have come to the same text in the end; then the first one's is shown, for all of them."""
        readings = self._readings(group, self._sides(group, note=False), owners)
        first, *others = sorted(self._said(group, owners, readings), key=lambda reading: bool(self.raised & reading[1]))
        reads = self._own if self.rules.unit == "whole" else content_of
        if any(reads(first[0]) != reads(other[0]) for other in others):
            return False
        self.hidden.update(owners.keys() - first[1])
        stamps = tuple(self.strikes[run].stamp for run in owners.keys() - first[1])
        for run in {run_of(piece) for piece in first[0]}.intersection(first[1]):
            self.also[run] = (*self.also.get(run, ()), *sorted(stamps, key=order_of))
        return True

    def _said(self, group: Group, owners: Owners, readings: list[Any]) -> list[Any]:
        """The readings that count: where nothing was not those that leave nothing."""
        if self.rules.unit == "whole" and not self._own(self._shown(group, set(), owners)):
            return [reading for reading in readings if self._says(*reading)] or readings
        return readings

    def _own(self, shown: tuple[Piece, ...]) -> str:
        """What pieces say without what lines begin with."""
        begins = [(str(p.content), self.rules.separator if p.line and not p.offset else "") for p in shown]
        return "".join(content.removeprefix(separator) for content, separator in begins).strip()

    def _says(self, shown: tuple[Piece, ...], standing: set[RunId]) -> bool:
        """Whether a side has made something of nothing, or has decided that there be nothing."""
        if self._own(shown):
            return True
        put = [piece for piece in self.pieces if run_of(piece) in standing and piece.live]
        over = [(piece, run) for piece in put if piece.content for run in piece.struck if run in self.strikes]
        return any(self.strikes[run].stamp == piece.stamp for piece, run in over)

    def _with_gaps_inside(self, group: Group) -> Group:
        """A contested group with the strikes over gaps between its units: they go the way of the units."""
        first, last = self._range(group)
        inside = {run for number in range(first + 1, last) for run in self.pieces[number].struck if run in self.touched}
        gaps = [run for run in inside.difference(group) if not self.solid[run] and self.touched[run][-1] < last]
        return sorted([*group, *gaps], key=self.rank) if gaps else group

    # -- sides --------------------------------------------------------------------------------------------------

    def _sides(self, group: Group, *, note: bool) -> list[Group]:
        """Puts writers whose changes can stand together on one side.

        Args:
            note: whether an equal rewrite is noted to be one with its twin: not shown, its writer credited.
        """
        writers: dict[Any, Group] = {}
        for run in group:
            root = self.homes.get(run, run)
            stamp = self.strikes[root].stamp
            writer: Any = stamp.origin or (stamp.replica, stamp.n)
            writers.setdefault((writer, stamp.time) if root in self.raised else writer, []).append(run)
        made = _Sides()
        for runs in writers.values():
            able = made.near([(self._key(run), not self._text(run)) for run in runs])
            home = next((side for side in able if all(self._joins(run, side) for run in runs)), None)
            if home is None:
                home = made.begin()
            for run in runs:
                twin = made.add(home, run, self._key(run))
                if twin is not None and note and self._put(run):
                    self.hidden.add(run)
                    self.also[twin] = (*self.also.get(twin, ()), self.strikes[run].stamp)
        return [side.runs for side in made.sides]

    def _joins(self, run: RunId, side: _Sided) -> bool:
        twin = side.first.get(self._key(run))
        if twin is not None and self._put(run):
            mine, theirs = self._over(run), self._over(twin)
            one = self.rules.unit == "whole" and not any(self._own((self.pieces[n],)) for n in self.solid[run])
            return mine == theirs if one else mine <= theirs
        return twin is not None or all(self._agree(run, other) for other in side.runs)

    def _over(self, run: RunId) -> set[RunId]:
        return {other for n in self._put(run) for other in self.pieces[n].struck if other in self.strikes}

    def _agree(self, one: RunId, other: RunId) -> bool:
        mine, theirs = self.solid[one], self.solid[other]
        if not mine & theirs:
            return True
        if self._text(one) or self._text(other):
            return False
        return self.rules.unit != "word" or mine <= theirs or theirs <= mine

    def _put(self, run: RunId) -> list[int]:
        """What a strike has put in the place of what it removed, as far as it is there."""
        return [n for n in self.own.get(run, ()) if self.pieces[n].live]

    def _key(self, run: RunId) -> Key:
        return self.solid[run], self._text(run), run if run in self.raised else None

    def _text(self, run: RunId) -> Content:
        """What a strike has put in the place of what it removed, gaps aside."""
        if run not in self.texts:
            parts: list[Any] = [self.pieces[index].content for index in self._put(run)]
            self.texts[run] = "".join(parts).strip() if all(isinstance(p, str) for p in parts) else sum(parts, ())
        return self.texts[run]

    # -- ranges -------------------------------------------------------------------------------------------------

    def _dependents(self, group: Group) -> Owners:
        """Runs that exist only because of the group (its insertions, and rewrites of those), with their owners."""
        owners: Owners = {run: {run} for run in group}
        above = [(run, self._roots(run)) for run in self._above(group)]
        grown = True
        while grown:
            grown = False
            for run, roots in above:
                if run not in owners and roots <= owners.keys():
                    owners[run] = set().union(*(owners[root] for root in roots))
                    grown = True
        return owners

    def _touching(self, found: list[tuple[Group, Owners]]) -> list[tuple[Group, Owners]]:
        """The contested groups in document order, neighbours with nothing but gaps between them as one."""
        found.sort(key=lambda one: self._range(one[0])[0])
        result: list[tuple[Group, Owners]] = []
        for group, owners in found:
            nothing = any(not self.pieces[number].content for run in group for number in self.touched[run])
            if result and not nothing:
                before, their_owners = result[-1]
                both = their_owners | owners
                if self._is_clear(self._range(before)[1] + 1, self._range(group)[0], both):
                    together = sorted([*before, *group], key=self.rank)
                    result[-1] = (together, both)
                    continue
            result.append((group, owners))
        return result

    def _range(self, group: Group) -> tuple[int, int]:
        numbers = [number for run in group for number in self.solid[run] or self.touched[run]]
        live = [number for number in numbers if self.pieces[number].live]
        return min(live or numbers), max(live or numbers)

    def _is_clear(self, first: int, past: int, owners: Owners) -> bool:
        """Whether nothing is seen between two places but gaps, and what belongs to the contest."""
        for number in range(first, past):
            piece = self.pieces[number]
            if is_blank(piece.content) or not piece.live or run_of(piece) in owners or run_of(piece) in self.hidden:
                continue
            if not any(run in self.strikes and run not in self.suspended for run in piece.struck):
                return False
        return True

    def _overlap(self, group: Group, sides: list[Group], owners: Owners) -> Overlap:
        struck = sorted({index for run in group for index in self.touched[run] if self.pieces[index].content})
        readings = [
            Side(shown, tuple(sorted({self.strikes[run].stamp for run in self._speaking(standing)}, key=order_of)))
            for shown, standing in self._said(group, owners, self._readings(group, sides, owners))
        ]
        start = self._range(group)[0]
        first = self.pieces[min(number for run in group for number in self.solid[run] or self.touched[run])]
        seen = (p for p in reversed(self.pieces[:start]) if self._stands(p, set(), owners))
        before = next((p.content[-1:] for p in seen), "\n")
        return Overlap(
            (*run_of(first), first.offset),
            frozenset(owners),
            tuple(struck),
            self._shown(group, set(), owners),
            tuple(readings),
            before != "\n",
        )

    def _speaking(self, standing: set[RunId]) -> set[RunId]:
        """The strikes that a side is told by: a seal only where there is no other."""
        return {run for run in standing if not is_seal(self.strikes[run])} or standing

    def _readings(self, group: Group, sides: list[Group], owners: Owners) -> list[tuple[tuple[Piece, ...], set[RunId]]]:
        """For each side the pieces that it shows of a contested range, and its runs."""
        found = []
        dependents = [(run, by) for run, by in owners.items() if run not in group]
        for by in owners.values() if self.rules.unit == "whole" else ():
            together = [side for side in sides if by & {*side}]
            if len(together) > 1:
                sides = [side for side in sides if side not in together]
                sides.append(sorted({run for side in together for run in side}, key=self.rank))
        sides = sorted(sides, key=lambda side: self.rank(side[0]))
        for side in sides:
            members = set(side)
            standing = members.union(run for run, by in dependents if by <= members)
            first: dict[Any, RunId] = {}
            twins = {run for run in side if first.setdefault(self._key(run), run) != run}
            several = [standing]
            for runs, parts in self.inner:
                several = [
                    new for one in several for new in ([one - runs | p for p in parts] if runs <= one else [one])
                ]
            found += [(self._shown(group, one - twins, owners), one) for one in several]
        return found

    def _shown(self, group: Group, standing: set[RunId], owners: Owners) -> tuple[Piece, ...]:
        """The pieces of a contested range that are seen where, of the changes in dispute, only those standing count."""
        touched = [number for run in group for number in self.touched[run]]
        touched = [number for number in touched if self.pieces[number].live] or touched
        put = [n for run in owners for n in self._put(run) or [0] if self.pieces[n].parent is not None]
        last = max([*touched, *put])
        common = [n for n in range(min(touched), last + 1) if run_of(self.pieces[n]) not in owners]
        own = [n for run in standing for n in self._put(run)]
        seen = sorted([*common, *own]) if own else common
        return tuple(self.pieces[n] for n in seen if self._stands(self.pieces[n], standing, owners))

    def _stands(self, piece: Piece, standing: set[RunId], owners: Owners) -> bool:
        """Whether a piece is seen where, of the changes in dispute, only those standing count."""
        run = run_of(piece)
        if not piece.live or (run in owners and run not in standing) or (run in self.hidden and run not in owners):
            return False
        return not any(
            s in self.strikes
            and not is_seal(self.strikes[s])
            and (s in standing or (s not in self.suspended and s not in owners))
            for s in piece.struck
        )

    # -- insertions at one place --------------------------------------------------------------------------------

    def _echoes(self, doubled: dict[RunId, Spans], echoes: dict[RunId, Echoes]) -> None:
        """Finds what several inserted alike between the same neighbours: the first one's is shown."""
        for place, runs in _shared_places(self.text).items():
            if (self.rules.unit == "whole" and place == OPENING) or not _have_units_in_common(runs):
                continue
            there: list[Inserted] = []  # the units shown
            oldest_first = sorted(runs.items(), key=lambda item: (*order_of(item[1][0].stamp), item[0][2]))
            wholes: dict[str, RunId] = {}
            for run, parts in oldest_first:
                past, text = parts[-1].offset + len(parts[-1].content), "".join(str(part.content) for part in parts)
                is_seen = not any(s in self.strikes and s not in self.suspended for p in parts for s in p.struck)
                is_all = len(text) == past - parts[0].offset and is_seen
                if is_all and text in wholes:
                    first = runs[wholes[text]][0].offset
                    doubled.setdefault(run, []).append((parts[0].offset, past))
                    echoes.setdefault(wholes[text], []).append((first, first + len(text), parts[0].stamp))
                    continue
                if is_all:
                    wholes[text] = run
                mine = self._units_of(run, parts)
                again = both(there, mine)
                for shown, same in again:
                    doubled.setdefault(run, []).append((same.start, same.end))
                    echoes.setdefault(shown.run, []).append((shown.start, shown.end, parts[0].stamp))
                known = {same for _, same in again}
                there += [one for one in mine if one not in known]

    def _units_of(self, run: RunId, parts: list[Piece]) -> list[Inserted]:
        """The units of an insertion as far as they are seen, each with its offsets, the gap beside it included."""
        seen = [part for part in parts if not any(s in self.strikes and s not in self.suspended for s in part.struck)]
        unit = "line" if self.rules.unit == "line" else "sentence"
        letters = {part.offset + at: letter for part in seen for at, letter in enumerate(str(part.content))}
        result: list[Inserted] = []
        for first in [at for at in letters if at - 1 not in letters]:
            past = next(at for at in range(first, max(letters) + 2) if at not in letters)
            text = "".join(letters[at] for at in range(first, past))
            spans = [*units(text, unit)]
            leads = bool(spans) and spans[0][0] > 0  # each unit with the gap before it, else with the one behind it
            for number, (start, end) in enumerate(spans):
                if leads:
                    low, high = spans[number - 1][1] if number else 0, end
                else:
                    low, high = start, spans[number + 1][0] if number + 1 < len(spans) else len(text)
                result.append(Inserted(text[start:end], run, low + first, high + first))
        return result


class _Solid(dict[RunId, frozenset[int]]):
    """By strike the pieces under it that hold more than a gap, found when they are asked for."""

    def __init__(self, find: Callable[[RunId], frozenset[int]]) -> None:
        self.find = find

    def __missing__(self, run: RunId) -> frozenset[int]:
        self[run] = found = self.find(run)
        return found
