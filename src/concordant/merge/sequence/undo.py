"""Taking writes out of a text or list on which others have worked since.

What they inserted goes, what they removed comes back. Who has rewritten what they inserted built on it: the rewrite
stays, and where that differs from what stood there before, the two are the sides of a question.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence as Items, Set
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any, NamedTuple, TypeAlias

from concordant.merge.causality import SeenBy, Stamp
from concordant.merge.sequence.echoes import Spans
from concordant.merge.sequence.edit import withdraw
from concordant.merge.sequence.layout import text_of
from concordant.merge.sequence.normal import content_of
from concordant.merge.sequence.order import cut, in_order
from concordant.merge.sequence.overlap import Rules, analyse
from concordant.merge.sequence.pieces import (
    END,
    SEAL,
    START,
    TAKEN_BACK,
    Anchor,
    Content,
    Piece,
    RunId,
    Sequence,
    Strike,
    Under,
    first_of,
    is_mark,
    is_note,
    is_opening,
    is_seal,
    last_of,
    newest_root,
    run_of,
    standing_again,
    struck_by,
    under_gone,
)
from concordant.merge.sequence.splice import joined, splice
from concordant.merge.sequence.units import is_blank

__all__ = ["SOMETHING", "Taking", "reinstated", "takes_away", "undone"]

SOMETHING = Sequence([], {}, overlapping=False)
"""Stands for a text or list of which nothing need be known."""


Over: TypeAlias = dict[RunId, set[tuple[RunId, int, int]]]
"""Of strikes over which parts of runs they are."""


class Taking(NamedTuple):
    """What one write made of a sequence, and whether it is taken back."""

    before: Sequence | None
    after: Sequence | None
    gone: bool


def takes_away(before: Sequence, after: Sequence) -> bool:
    """Tells whether a change may have dropped strikes, or runs that stood."""
    change = splice(before, after)
    stand = {run_of(piece) for hunk in change.hunks for piece in hunk.now if piece.live}
    return bool(change.removed) or any(p.live and run_of(p) not in stand for hunk in change.hunks for p in hunk.was)


def undone(
    sequence: Sequence,
    stamp: Stamp,
    turns: Items[Taking],
    gone: SeenBy,
    rules: Rules,
    next_run: Callable[[], int],
    earlier: Items[Stamp] = (),
) -> Sequence | None:
    """Returns the sequence without what some writes did to it; ``None`` if nothing stands any more.

    Args:
        sequence: as it stands now.
        stamp: of the write that takes them back.
        turns: what was made of it since the first of them, oldest first.
        gone: which writes are taken back.
        rules: how changes of the sequence are weighed against each other.
        next_run: gives a number for a run or a strike that no other of the write has.
        earlier: the writes that have taken back some of these before.
    """
    alike = _cut_alike(sequence, [turn.before for turn in turns if turn.gone and turn.before is not None])
    taken = {run for turn in turns if turn.gone and turn.before for run in _no_more(turn.before, turn.after, gone)}
    below = _Below(alike, gone, set() if earlier else taken, again=bool(earlier or taken))
    work = _Undoing(alike, stamp, gone, rules, next_run, below)
    reopened = work.reopen(_Asked(alike, earlier)) if earlier else set()
    work.put_back(turns)
    for part in work.built_on(reopened):
        work.settle(part, rules.escalate)
    work.mark()
    work.seal()
    made = work.result(alike)
    return sequence if made == alike else made


def reinstated(
    sequence: Sequence, stamp: Stamp, before: Sequence, gone: SeenBy, rules: Rules, next_run: Callable[[], int]
) -> tuple[Sequence | None, Mapping[RunId, RunId]]:
    """Returns the sequence as it was before writes on which nobody has worked since, ``None`` if nothing stood; and of
    the runs and strikes that were made again which these are.

    Args:
        sequence, stamp, gone, rules, next_run: as for ``undone``.
        before: what stood before the first of the writes.
    """
    alike = _cut_alike(sequence, [before])
    work = _Undoing(alike, stamp, gone, rules, next_run, _Below(alike, gone), exact=True)
    work.drop(_struck_since(before, alike, work.strikes))
    work.put_back([Taking(before, alike, True)])
    work.mark()
    work.seal()
    return work.result(alike), work.origins


def _cut_alike(sequence: Sequence, earlier: Iterable[Sequence]) -> Sequence:
    """The sequence with its runs cut wherever they were: what was forgotten in between took its cuts with it."""
    bounds = _bounds(chain.from_iterable(earlier))
    pieces = [part for piece in sequence for part in cut(piece, bounds.get(run_of(piece), []))]
    return sequence if len(pieces) == len(sequence) else Sequence(pieces, sequence.strikes, sequence.newest_root)


def _struck_since(before: Sequence, after: Sequence, strikes: Mapping[RunId, Strike]) -> set[RunId]:
    """The runs over which strikes are that were not over them before, and go on standing."""
    known: dict[RunId, set[RunId]] = {}
    for piece in before:
        known.setdefault(run_of(piece), set()).update(piece.struck)
    return {
        run_of(piece)
        for piece in after
        if any(run in strikes and run not in known.get(run_of(piece), ()) for run in piece.struck)
    }


class _Part(NamedTuple):
    """Something that was built on what is taken back.

    Attributes:
        strikes: the rewrites by which it was.
        standing: what stands there.
        before: what stood there before the writes that are taken back; several things, where they came in turns with
            others.
        author: of the newest write that stands for the first.
        contested: whether several had rewritten it differently, which is a question already.
    """

    strikes: set[RunId]
    standing: list[Piece]
    before: list[list[Piece]]
    author: Stamp
    contested: bool = False


@dataclass
class _Way:
    """How far copies have been made of an earlier content.

    Attributes:
        numbers: those that were given to rewrites, as long as they are not used.
        last: the end of what stands last: of a copy, or of what is still there.
        copied: the ends of what there are copies of.
        begun: copies of runs that may go on, by the ends of what they are copies of.
    """

    numbers: dict[RunId, int]
    last: Anchor | None = None
    copied: set[Anchor | None] = field(default_factory=set)
    begun: dict[Anchor, Piece] = field(default_factory=dict)


class _Below:
    """What stood where something stands, as far as writes are taken back that came in between.

    Args:
        taken: the runs of the writes that stood until they were deleted by one of these.
        again: whether some do not stand any more.

    Attributes:
        over: the pieces that each strike is over, or was.
        gone: the runs of the writes: those that stand, or all if some were taken back before.
    """

    def __init__(
        self, sequence: Sequence, gone: SeenBy, taken: Set[RunId] = frozenset(), *, again: bool = False
    ) -> None:
        self.over: dict[RunId, list[Piece]] = {}
        self._above: dict[RunId, set[RunId]] = {}
        for piece in sequence:
            for run in piece.struck:
                self.over.setdefault(run, []).append(piece)
            self._above.setdefault(run_of(piece), set()).update(piece.struck)
        self.gone = {run_of(piece) for piece in sequence if (again or piece.live) and gone(piece.stamp)}
        self._going = {run_of(piece) for piece in sequence if piece.live and gone(piece.stamp)} | taken

    def goes(self, piece: Piece) -> bool:
        """Whether a piece stood until now."""
        return run_of(piece) in self._going

    def rewritten(self, pieces: Iterable[Piece]) -> list[Piece]:
        """What pieces were put in the place of."""
        return [below for piece in pieces for below in self.over.get(run_of(piece), ())]

    def trace(self, pieces: Iterable[Piece]) -> list[Piece]:
        """Pieces, with what those of them are in the place of that the writes made, and so on."""
        found, waiting, known = [], [*pieces], set[RunId]()
        while waiting:
            piece = waiting.pop()
            found.append(piece)
            run = run_of(piece)
            if run in self.gone and run not in known:
                known.add(run)
                waiting.extend(self.over.get(run, ()))
        return found

    def was_built_on_what_goes(self, piece: Piece) -> bool:
        """Whether something that goes stood in the place of a piece, or of what the writes put there."""
        waiting, known = [*piece.struck], set[RunId]()
        while waiting:
            run = waiting.pop()
            if run in self._going:
                return True
            if run in self.gone and run not in known:
                known.add(run)
                waiting.extend(self._above.get(run, ()))
        return False


class _Asked:
    """The strikes by which earlier undos asked about what was built, or kept it.

    Args:
        sequence: in which they stand.
        earlier: the stamps of those undos.
    """

    def __init__(self, sequence: Sequence, earlier: Items[Stamp]) -> None:
        self._sequence = sequence
        self._sides = tuple(map(_origin_of_sides, earlier))
        self._own = {(stamp.time, stamp.agent) for stamp in earlier}

    def questions(self) -> list[list[RunId]]:
        """The sides of each question: over the same pieces."""
        over: dict[RunId, set[Anchor]] = {}
        for piece in self._sequence:
            for run in self._sequence.strikes.standing(piece.struck):
                if self._is_side(run):
                    over.setdefault(run, set()).add(first_of(piece))
        sides: dict[frozenset[Anchor], list[RunId]] = {}
        for run, places in over.items():
            sides.setdefault(frozenset(places), []).append(run)
        return [*sides.values()]

    def settled(self) -> list[RunId]:
        """The strikes over what something else stands for."""
        strikes = self._sequence.strikes
        over = {run for piece in self._sequence for run in strikes.standing(piece.struck) if not is_note(strikes[run])}
        return sorted(run for run in over if self._identity(run) in self._own and not self._is_side(run))

    def _is_side(self, run: RunId) -> bool:
        return self._sequence.strikes[run].stamp.origin.startswith(self._sides)

    def _identity(self, run: RunId) -> tuple[float, str]:
        return _author_of(self._sequence.strikes[run])


class _Undoing:
    """One sequence from which writes are taken out."""

    def __init__(
        self,
        sequence: Sequence,
        stamp: Stamp,
        gone: SeenBy,
        rules: Rules,
        next_run: Callable[[], int],
        below: _Below,
        *,
        exact: bool = False,
    ) -> None:
        self.stamp = stamp
        self.gone = gone
        self.rules = rules
        self.next_run = next_run
        self.sequence = sequence
        self.below = below
        left = withdraw(sequence, gone)
        self.pieces = [p._replace(live=False) if gone(p.stamp) else p for p in sequence] if left is None else [*left]
        self.strikes = {} if left is None else dict(left.strikes)
        self.withdrawn = sequence.strikes.keys() - self.strikes.keys()
        self.exact = exact
        self.order = count(1)
        self.origins: dict[RunId, RunId] = {}
        self.alike: dict[RunId, list[RunId]] = {}
        self.settled: set[RunId] = set()

    # -- what comes back -------------------------------------------------------------------------------------------

    def drop(self, runs: set[RunId]) -> None:
        """Takes runs out, which are to be made again."""
        self.pieces = [p._replace(live=False) if run_of(p) in runs else p for p in self.pieces] if runs else self.pieces

    def put_back(self, turns: Items[Taking]) -> None:
        """Has what they took away stand again, under the new write: strikes (a decision drops those that it settles),
        and what stood with them."""
        over: Over = {}
        taken = [(turn.before, turn.after) for turn in turns if turn.gone and turn.before is not None]
        strikes = self._dropped(taken, over)
        done = {run_of(piece) for piece in self.pieces if piece.live}
        lost = [self._lost(before, None if self.exact else after) - done for before, after in taken]
        shown = set().union(*lost)
        names = self._struck_again(strikes, over, shown)
        for (before, _), runs in zip(taken, lost, strict=True):
            below = self._below(before, names) - shown - done  # once, also where several of them took it away
            self._shown_again(before, self._missing(before, runs - done) | below, names)
            done |= runs | below
        self._strike_alike()

    def _dropped(self, taken: list[tuple[Sequence, Sequence | None]], over: Over) -> list[Strike]:
        """The strikes of others that do not stand any more, under whatever id; notes over what they were."""
        standing = dict(self.strikes)
        for before, after in taken:
            kept = after.strikes if after is not None else {}
            dropped = {run: s for run, s in before.strikes.items() if run not in kept and self._is_put_back(s)}
            again: dict[Any, list[RunId]] = {}
            for run, strike in standing.items():
                if run not in before.strikes:
                    again.setdefault(_author_of(strike), []).append(run)
            for run in [run for run in dropped if run not in standing]:
                there = again.get(_author_of(dropped[run]))
                if there:
                    self.origins.setdefault(there.pop(0), run)
                else:
                    standing[run] = dropped[run]
            if dropped:
                _note_struck(before, over)
        return [strike for run, strike in standing.items() if run not in self.strikes]

    def _is_put_back(self, strike: Strike) -> bool:
        return not (is_seal(strike) or self.gone(strike.stamp))

    def _missing(self, before: Sequence, runs: set[RunId]) -> set[RunId]:
        """Those of some runs that do not stand under another id, having been put back before."""
        copies = self._copies(before) if runs else {}
        contents: dict[RunId, list[Piece]] = {}
        for piece in before if copies else ():
            if piece.live and run_of(piece) in runs and _author_of(piece) in copies:
                contents.setdefault(run_of(piece), []).append(piece)
        there = {run: _taken(copies[_author_of(parts[0])], _joined(parts)) for run, parts in contents.items()}
        for run, found in there.items():
            self.origins = {**dict.fromkeys(found, run), **self.origins}
        return runs - {run for run, found in there.items() if found}

    def _copies(self, before: Sequence) -> dict[Any, list[tuple[Content, RunId]]]:
        """What stands now and did not in an earlier content, by its authors."""
        known = {run_of(piece) for piece in before}
        copies: dict[Any, list[tuple[Content, RunId]]] = {}
        for piece in self.pieces:
            if piece.live and run_of(piece) not in known:
                copies.setdefault(_author_of(piece), []).append((piece.content, run_of(piece)))
        return copies

    def _lost(self, before: Sequence, after: Sequence | None) -> set[RunId]:
        """The runs of others that do not stand any more after a write."""
        stand = {run_of(piece) for piece in after or () if piece.live}
        return {run_of(p) for p in before if p.live and run_of(p) not in stand and not self.gone(p.stamp)}

    def _struck_again(self, strikes: list[Strike], over: Over, lost: set[RunId]) -> dict[RunId, int]:
        """Makes strikes anew; returns the numbers of the new ones.

        Args:
            over: the parts of runs that each was over.
            lost: the runs that will stand again: the strikes are over those copies alone.
        """
        names = {run_of(strike): self.next_run() for strike in strikes}
        for strike in strikes:
            self.origins[self._add(strike.stamp, names[run_of(strike)])] = run_of(strike)
        spans: dict[RunId, list[tuple[int, int, int]]] = {}
        for old, k in names.items():
            for run, start, end in over.get(old, ()):
                if run not in lost:
                    spans.setdefault(run, []).append((start, end, k))
        if spans:
            self.pieces = [self._struck_by(piece, spans.get(run_of(piece), ())) for piece in self.pieces]
        return names

    def _struck_by(self, piece: Piece, spans: Iterable[tuple[int, int, int]]) -> Piece:
        """A piece with more strikes over it: from where to where in its run, and their numbers."""
        new = {self._id(k): None for start, end, k in spans if start <= piece.offset < end}
        return piece._replace(struck=struck_by(piece.struck, new)) if new else piece

    def _renamed(self, struck: tuple[RunId, ...], names: dict[RunId, int]) -> tuple[RunId, ...]:
        struck = tuple([run for run in struck if not self._is_note(run)])
        new = [self._id(names[run]) for run in struck if run in names]
        return struck_by(struck, new) if new else struck

    def _is_note(self, run: RunId) -> bool:
        return run in self.strikes and is_note(self.strikes[run])

    def _is_mark(self, run: RunId) -> bool:
        return run in self.strikes and is_mark(self.strikes[run])

    def _shown_again(self, before: Sequence, runs: set[RunId], names: dict[RunId, int]) -> None:
        """Puts copies of runs where they stood: what is not live once never is again. So they are of what stood no more
        and strikes were over, for by that it is told that these meet."""
        if not runs:
            return
        doubled = self._doubled(before, runs)
        here = {first_of(piece): piece for piece in self.pieces}
        way = _Way(dict(names))
        for was, again in self._in_parts(before, runs, doubled):
            known = first_of(was) in here
            part = here.get(first_of(was), was)._replace(live=was.live)
            if again:
                struck = self._renamed(was.struck if self.exact else part.struck, names)
                self._put(way, was, part, struck, names, known=known)
            elif was.live and known:
                way.last = last_of(part)
                way.begun.clear()

    def _below(self, before: Sequence, names: Mapping[RunId, int]) -> set[RunId]:
        """The runs that were not live, of which nothing is left, and over which some strikes were."""
        if not names:
            return set()
        here = set(map(run_of, self.pieces))
        below = {run_of(p) for p in before if not p.live and not names.keys().isdisjoint(p.struck)}
        return below - here

    def _put(
        self, way: _Way, was: Piece, part: Piece, struck: tuple[RunId, ...], names: dict[RunId, int], *, known: bool
    ) -> None:
        """Puts a copy of a piece where it stood.

        Args:
            was: the piece as it was; ``part`` is what there is of it now.
            known: whether there is anything.
        """
        begun = way.begun.pop((*run_of(was), was.offset - 1), None)
        if begun is not None and begun.live == part.live:  # all that stands in between is in the copy as well
            self.pieces.append(begun._replace(offset=_past(begun), content=part.content, struck=struck))
        else:
            # Behind a copy nothing else stands; elsewhere this is the first that does.
            chained = self._is_own(way.last) and (not known or (part.parent in way.copied and not part.offset))
            place = way.last if chained or not known else last_of(part)
            if not chained:
                way.begun.clear()
            run = run_of(was)
            k = way.numbers.pop(run) if run in way.numbers else self._next_of(names.get(run), part)
            self._copy(part, k, START if place is None and part.parent else place, struck, chained=chained)
        way.copied.add(last_of(part))
        way.last = last_of(self.pieces[-1])
        way.begun[last_of(was)] = self.pieces[-1]

    def _in_parts(
        self, before: Sequence, runs: set[RunId], doubled: Mapping[RunId, Spans]
    ) -> Iterator[tuple[Piece, bool]]:
        """The pieces of an earlier content, cut as they are now; for each whether it is put back: what is of some runs,
        and was shown."""
        bounds = _bounds(self.pieces)
        for run, spans in doubled.items():
            bounds[run] = sorted({*bounds.get(run, ()), *chain.from_iterable(spans)})
        for piece in before:
            run = run_of(piece)
            for part in cut(piece, bounds.get(run, [])):
                is_doubled = any(start <= part.offset < end for start, end in doubled.get(run, ()))
                yield part, run in runs and not is_doubled

    def _next_of(self, rewrite: int | None, part: Piece) -> int:
        """A number for a run; where that is a further part of what a rewrite put there, it is a rewrite of the same,
        unless that would be one that says the same twice."""
        k = self.next_run()
        if rewrite is not None:
            known = self.alike.setdefault(self._id(rewrite), [])
            said = [content_of([piece]) for piece in self.pieces if run_of(piece) in (self._id(rewrite), *known)]
            if content_of([part]) not in said:
                known.append(self._id(k))
                self._add(self.strikes[self._id(rewrite)].stamp, k)
        return k

    def _strike_alike(self) -> None:
        """Has the strikes of one rewrite be over the same pieces."""
        for number, piece in enumerate(self.pieces) if self.alike else ():
            more = [one for run in piece.struck for one in self.alike.get(run, ())]
            if more:
                self.pieces[number] = piece._replace(struck=struck_by(piece.struck, more))

    def _doubled(self, before: Sequence, runs: set[RunId]) -> Mapping[RunId, Spans]:
        """The parts of runs that were shown once with what somebody else had inserted alike: that stands for both. Cuts
        what there is of them now likewise."""
        places: dict[Any, set[RunId]] = {}
        for piece in before:
            if piece.beside is not None and piece.live and not self.gone(piece.stamp):
                places.setdefault((piece.parent, piece.beside), set()).add(run_of(piece))
        if not any(len(found) > 1 and not runs.isdisjoint(found) for found in places.values()):
            return {}
        left = withdraw(Sequence(before.pieces(), before.strikes), self.gone)
        found = {} if left is None else analyse(left, self.rules).doubled
        cuts = {run: sorted({*chain.from_iterable(spans)}) for run, spans in found.items()}
        self.pieces = [part for piece in self.pieces for part in cut(piece, cuts.get(run_of(piece), []))]
        return found

    def _copy(self, part: Piece, k: int, place: Anchor | None, struck: tuple[RunId, ...], *, chained: bool) -> None:
        line = part.line and not part.offset
        opens = is_opening(part) and not part.offset
        place = None if opens else place
        replaces = not chained and place is not None
        is_edit = not replaces and (part.replaces or part.beside is not None)  # so that gaps are laid out as they were
        beside = END if is_edit and isinstance(part.content, str) else None
        beside = part.beside if opens else beside
        copy = Piece(self._as(part.stamp), k, 0, part.content, place, line, struck, part.live, replaces, beside)
        self.pieces.append(copy)
        self.origins[run_of(copy)] = run_of(part)

    def _is_own(self, place: Anchor | None) -> bool:
        """Whether a place is in what the new write puts there."""
        return place is not None and place[:2] == (self.stamp.replica, self.stamp.n)

    # -- what was built on it --------------------------------------------------------------------------------------

    def reopen(self, asked: _Asked) -> set[Anchor]:
        """Takes out what earlier undos had made of what was built on writes, where a part of that goes: it is told
        anew, without what both take back.

        Returns:
            The places of what was asked about, or stood for.
        """
        reopened: set[Anchor] = set()
        for sides in asked.questions():
            base = self.below.over[sides[0]]
            seen = [*self.below.trace(base), *self.below.trace(self.below.rewritten(base))]
            if any(map(self._changes, seen)) or any(run not in self.strikes for run in sides):
                self._forget(sides)
                reopened.update(map(first_of, seen))
        for run in asked.settled():
            over = self.below.over[run]
            if any(first_of(piece) in reopened or self.below.was_built_on_what_goes(piece) for piece in over):
                self._forget([run])
                reopened.update(map(first_of, over))
        return reopened

    def _forget(self, runs: Iterable[RunId]) -> None:
        """Takes out strikes, and what they put."""
        for run in runs:
            self.strikes.pop(run, None)
        self.drop({*runs})

    def built_on(self, reopened: Set[Anchor]) -> Iterator[_Part]:
        """What others made of what is taken back.

        Args:
            reopened: where that is told anew of what was taken back before.
        """
        over = self.below.over
        layers = {run: {run} for run in self.sequence.strikes if run in self.strikes and self._builds(run)}
        _unite(layers, {run: {*self._roots(over[run]), *map(first_of, over[run])} for run in layers})
        parts = {id(layer): self._part(layer) for layer in layers.values()}
        for part in _chained([*parts.values()]):
            there = {first_of(piece) for one in (part.standing, *part.before) for piece in one}
            if not reopened.isdisjoint(there) or any(map(self._changes, self._around(part.strikes))):
                yield part

    def _builds(self, run: RunId) -> bool:
        """Whether a strike is over something that is taken back, or was."""
        over = () if is_note(self.strikes[run]) else self.below.over.get(run, ())
        return any(run_of(piece) in self.below.gone and not is_blank(piece.content) for piece in over)

    def _changes(self, piece: Piece) -> bool:
        """Whether a piece goes, or something that stood in its place."""
        return self.below.goes(piece) or not self.withdrawn.isdisjoint(piece.struck)

    def _around(self, layer: set[RunId]) -> Iterator[Piece]:
        """What is taken back of that over which rewrites are, and all that they put, and rewrites of that."""
        for run in layer:
            yield from (p for p in self.below.over[run] if run_of(p) in self.below.gone and not is_blank(p.content))
        family = self._rewrites(layer, self.sequence.strikes)
        yield from (piece for piece in self.sequence if run_of(piece) in family)

    def _part(self, layer: set[RunId]) -> _Part:
        over = self.below.over
        wanted = {place for run in layer for place in self._roots(over[run])}
        before = [p for p in self.pieces if first_of(p) in wanted and self._stands_but_for(p, layer)]
        rewrites = self._rewrites(layer, self.strikes)
        standing = [p for p in self.pieces if run_of(p) in rewrites and self._is_shown(p)]
        newest = self.strikes[max(layer, key=lambda run: self.strikes[run].stamp)].stamp
        author, contested = standing[-1].stamp if standing else newest, self._is_contested(layer)
        return _Part(layer, standing, [before] if before else [], author, contested)

    def _is_contested(self, layer: set[RunId]) -> bool:
        """Whether several writers have rewritten one piece of what is taken back."""
        writers: dict[Any, set[Any]] = {}
        for run in layer:
            stamp = self.strikes[run].stamp
            for piece in self.below.over[run]:
                if run_of(piece) in self.below.gone and not is_blank(piece.content):
                    writers.setdefault(first_of(piece), set()).add(stamp.origin or (stamp.replica, stamp.n))
        return any(len(different) > 1 for different in writers.values())

    def _roots(self, pieces: Iterable[Piece]) -> Iterator[Anchor]:
        """What stood where pieces are, before the writes that are taken back."""
        return (first_of(piece) for piece in self.below.trace(pieces) if run_of(piece) not in self.below.gone)

    def _rewrites(self, family: set[RunId], strikes: Iterable[RunId]) -> set[RunId]:
        """The runs of rewrites, and of those of some strikes that are rewrites of these."""
        found, size, over = set(family), 0, self.below.over
        while len(found) > size:
            size = len(found)
            found |= {run for run in strikes if any(run_of(piece) in found for piece in over.get(run, ()))}
        return found

    def settle(self, part: _Part, asks: bool) -> None:
        """Asks about what was built, or keeps it where it says what stood there before."""
        self.settled |= part.strikes
        standing = part.standing
        sides = [before for before in part.before if self._plain(before) != self._plain(standing)]
        shown = [piece for before in part.before for piece in before if self._is_shown(piece)]
        if part.contested and asks:
            self._strike_with(shown, part.strikes)
        elif not sides and (part.before or not standing):
            self._strike(shown, self.stamp)
        elif asks and (standing or shown):
            self._ask(part, shown, sides)

    def _ask(self, part: _Part, shown: list[Piece], sides: list[list[Piece]]) -> None:
        """Makes the sides of a question about what is shown: what was built, else what stood there before."""
        base = part.standing or shown
        self._side(base, part.standing, part.author)
        for side in sides or [[]]:
            self._side(base, side, side[0].stamp if side else self.stamp)
        if part.standing:
            self._strike(shown, self.stamp)

    def _side(self, base: list[Piece], content: list[Piece], author: Stamp) -> None:
        """Makes one side of a question: a rewrite by its author, apart from the other side's."""
        stamp = self._as(author)._replace(origin=f"{_origin_of_sides(self.stamp)}{next(self.order)}")
        k = self._strike(base, stamp)
        if content:
            said = self._content(content)
            self.pieces.append(Piece(stamp, k, 0, said, last_of(base[-1]), replaces=True))

    def _content(self, pieces: list[Piece]) -> Content:
        """What pieces say together: with gaps between units that were not written side by side."""
        is_text = isinstance(pieces[0].content, str)
        return text_of(pieces, "", self.rules.unit) if is_text else _joined(pieces)

    def _plain(self, pieces: list[Piece]) -> Any:
        content = self._content(pieces) if pieces else ""
        return content.strip() if isinstance(content, str) else content

    def _strike_with(self, pieces: list[Piece], strikes: set[RunId]) -> None:
        """Has strikes be over pieces as well: what stood there before is what they are rewrites of."""
        self._strike_at(dict.fromkeys(map(first_of, pieces), strikes))

    def _strike(self, pieces: list[Piece], stamp: Stamp) -> int:
        """Strikes pieces; returns the number of the strike."""
        k = self.next_run()
        if pieces:
            self._strike_at(dict.fromkeys(map(first_of, pieces), (self._add(stamp, k),)))
        return k

    def _strike_at(self, places: Mapping[Anchor, Collection[RunId]]) -> None:
        """Has strikes be over the pieces that begin at some places as well, each over its own."""
        for number, piece in enumerate(self.pieces if places else ()):
            new = places.get(first_of(piece))
            if new is not None:
                self.pieces[number] = piece._replace(struck=struck_by(piece.struck, new))

    # -- what may be built on it elsewhere ----------------------------------------------------------------------------

    def mark(self) -> None:
        """Marks what is taken back, and what was before: who has built on that in another store, and hears of it only
        later, differs from what stands there again. What is known to be built on is told already."""
        if not self.rules.escalate:
            return
        marks = self._marks()
        wanted = self._to_be_marked(set().union(*marks.values()))
        self._link_copies({run_of(piece) for pieces in wanted for piece in pieces})
        kept = self._marks_over(wanted, marks)
        for run in [run for run in self.strikes if self._is_mark(run) and run not in kept]:
            del self.strikes[run]

    def seal(self) -> None:
        """Goes on saying of what was set aside by writes that are taken back that it was: what stands again of it are
        copies, and who has gone on from it in another store is asked."""
        gone = {run for run in self.withdrawn if run[2] == SEAL}
        over = {first_of(p) for p in self.pieces if not (p.live or gone.isdisjoint(p.struck))} if gone else None
        if over:
            new = self._add(self.stamp, SEAL)
            self.pieces = [
                p._replace(struck=struck_by(p.struck, (new,))) if first_of(p) in over else p for p in self.pieces
            ]

    def _marks(self) -> dict[RunId, set[Anchor]]:
        """The marks that stood, or stand again, each with what it is over."""
        over = {run: set[Anchor]() for run in (*self.sequence.marks(), *filter(self._is_mark, self.strikes))}
        for piece in self.pieces if over else ():
            for run in over.keys() & piece.struck:
                over[run].add(first_of(piece))
        return over

    def _marks_over(self, wanted: list[list[Piece]], marks: Mapping[RunId, set[Anchor]]) -> set[RunId]:
        """The marks over what is to be marked, new ones where none of those is it."""
        known: dict[Any, RunId] = {}
        for run, over in marks.items():
            if run in self.strikes:
                known.setdefault((frozenset(over), _author_of(self.strikes[run])), run)
        under, new, kept = under_gone(self.pieces, self.strikes), dict[Anchor, tuple[RunId]](), set[RunId]()
        for pieces in wanted:
            author, places = self._stands_for(pieces, under), frozenset(map(first_of, pieces))
            mark = known.get((places, (author.time, author.agent)))
            if mark is None:
                mark = self._add(self._as(author)._replace(origin=TAKEN_BACK), self.next_run())
                new.update(dict.fromkeys(places, (mark,)))
            kept.add(mark)
        self._strike_at(new)
        return kept

    def _to_be_marked(self, before: Set[Anchor]) -> list[list[Piece]]:
        """The pieces that are to be marked, together where the one was put in the place of the other.

        Args:
            before: those that were.
        """
        copied = {*self.origins.values()}
        found = [piece for piece in self.pieces if self._is_to_be_marked(piece, before, copied)]
        families = {run: {run} for run in map(run_of, found)}
        for piece in found:
            for run in (run for run in piece.struck if run in families):
                both = families[run] | families[run_of(piece)]
                families.update(dict.fromkeys(both, both))
        parts: dict[int, list[Piece]] = {}
        for piece in found:
            parts.setdefault(id(families[run_of(piece)]), []).append(piece)
        return [*parts.values()]

    def _is_to_be_marked(self, piece: Piece, before: Set[Anchor], copied: Set[RunId]) -> bool:
        if piece.live or is_blank(piece.content) or not self.settled.isdisjoint(piece.struck):
            return False
        if not self.below.goes(piece) and run_of(piece) not in copied:
            return first_of(piece) in before
        built = any(run in self.strikes and not self._is_note(run) for run in piece.struck)
        return not built and (first_of(piece) in before or self.below.goes(piece))

    def _link_copies(self, runs: Set[RunId]) -> None:
        """Has what stands again under another id be known as standing in the place of what it is a copy of.

        Args:
            runs: of what is marked.
        """
        for number, piece in enumerate(self.pieces):
            run = self.origins.get(run_of(piece))
            if run is not None and run in runs and run not in self.strikes:
                self.pieces[number] = piece._replace(struck=struck_by(piece.struck, [run]))

    def _stands_for(self, pieces: list[Piece], under: Under) -> Stamp:
        """Who wrote what stands again where something was that is taken back; who takes it back if there is nothing."""
        again = [piece for _, piece in standing_again(under, set(map(run_of, pieces)))]
        shown = [piece for piece in again if self._is_shown(piece)]
        return shown[-1].stamp if shown else self.stamp

    # -- small things ----------------------------------------------------------------------------------------------

    def _as(self, stamp: Stamp) -> Stamp:
        """The stamp of what somebody wrote, made again by the new write."""
        return stamp._replace(replica=self.stamp.replica, n=self.stamp.n)

    def _id(self, k: int) -> RunId:
        return (self.stamp.replica, self.stamp.n, k)

    def _add(self, stamp: Stamp, k: int) -> RunId:
        self.strikes[self._id(k)] = Strike(self._as(stamp), k)
        return self._id(k)

    def _is_shown(self, piece: Piece) -> bool:
        return piece.live and not any(run in self.strikes for run in piece.struck)

    def _stands_but_for(self, piece: Piece, strikes: set[RunId]) -> bool:
        return piece.live and not any(run in self.strikes and run not in strikes for run in piece.struck)

    def result(self, before: Sequence) -> Sequence | None:
        """The sequence as it is then."""
        pieces = in_order(self.pieces) if len(self.pieces) > len(before) else self.pieces
        made = Sequence(pieces, self.strikes, newest_root(pieces))
        return made if made.is_alive() else None


def _no_more(before: Sequence, after: Sequence | None, gone: SeenBy) -> set[RunId]:
    """The runs of some writes that stood before a change, and do not after it."""
    stand = {run_of(piece) for piece in after or () if piece.live}
    return {run_of(piece) for piece in before if piece.live and gone(piece.stamp)} - stand


def _past(piece: Piece) -> int:
    """Where a piece ends in its run."""
    return piece.offset + len(piece.content)


def _author_of(item: Piece | Strike) -> tuple[float, str]:
    """What a piece or strike keeps where it is put back."""
    return (item.stamp.time, item.stamp.agent)


def _taken(parts: list[tuple[Content, RunId]], content: Any) -> set[RunId]:
    """Takes a content out of parts of which it may consist, however it is cut; returns their runs, if it does."""
    left, runs = [*parts], set[RunId]()
    while len(content):
        found = next((at for at, (part, _) in enumerate(left) if part[: len(content)] == content[: len(part)]), None)
        if found is None:
            return set()
        part, run = left.pop(found)
        runs.add(run)
        if len(part) > len(content):
            left.insert(found, (part[len(content) :], run))
        content = content[len(part) :]
    parts[:] = left
    return runs


def _bounds(pieces: Iterable[Piece]) -> dict[RunId, list[int]]:
    """Where pieces of each run begin and end, in order."""
    bounds: dict[RunId, set[int]] = {}
    for piece in pieces:
        bounds.setdefault(run_of(piece), set()).update((piece.offset, piece.offset + len(piece.content)))
    return {run: sorted(places) for run, places in bounds.items()}


def _origin_of_sides(stamp: Stamp) -> str:
    """With what the origin of each side begins of the questions that an undo asks."""
    return f"{stamp.replica}:undo:{stamp.n}:"


def _note_struck(sequence: Sequence, over: Over) -> None:
    """Notes of strikes over which parts of runs they are."""
    for piece in sequence:
        for run in piece.struck:
            over.setdefault(run, set()).add((run_of(piece), piece.offset, piece.offset + len(piece.content)))


def _unite(layers: dict[RunId, set[RunId]], roots: Mapping[RunId, set[Any]]) -> None:
    """Makes sets of rewrites one that have what they rewrote, or what stood there before, in common."""
    for one in layers:
        for other in layers:
            if layers[one] is not layers[other] and not roots[one].isdisjoint(roots[other]):
                both = layers[one] | layers[other]
                for run in both:
                    layers[run] = both


def _chained(parts: list[_Part]) -> Iterator[_Part]:
    """Parts, those as one of which one was built on what another made: the last is what stands."""
    while parts:
        part = parts.pop(0)
        for other in [*parts]:
            made = {run_of(piece) for before in part.before for piece in before}
            theirs = {run_of(piece) for before in other.before for piece in before}
            if made & other.strikes or theirs & part.strikes:
                before = [*part.before, *other.before]
                inside = {first_of(piece) for one in before for piece in one}
                both = {first_of(piece): piece for piece in (*part.standing, *other.standing)}
                standing = [piece for place, piece in both.items() if place not in inside]
                author = standing[-1].stamp if standing else max(part.author, other.author)
                contested = max(part.contested, other.contested)
                part = _Part(part.strikes | other.strikes, standing, before, author, contested)
                parts.remove(other)
        yield part


def _joined(pieces: list[Piece]) -> Content:
    return joined([piece.content for piece in pieces])
