"""What was set aside: the contenders of a question that was settled, by a decision or by a later write.

They are not shown any more, and a seal is over them. Who had not heard of it may have gone on from one of them, in
another store, or in an edit that begins with what a token had shown: that differs from what was put in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from math import inf
from typing import NamedTuple

from concordant.merge.causality import Stamp
from concordant.merge.sequence.pieces import (
    SEAL,
    Edit,
    Piece,
    RunId,
    Sequence,
    Strike,
    Strikes,
    is_mark,
    is_note,
    is_opening,
    run_of,
    struck_by,
)

__all__ = ["Raised", "as_it_stood", "raised"]


class Raised(NamedTuple):
    """A sequence without seals, in which some of what was set aside stands again.

    Attributes:
        sequence: it, with pieces of the same numbers.
        runs: what stands again.
        kept: the seals that are in it all the same, for they are a side: where nothing was put in the place of what was
            set aside, with what was kept there.
        copies: the strikes that an undo has made again of what stands again itself now.
    """

    sequence: Sequence
    runs: Set[RunId]
    kept: Mapping[RunId, list[Piece]]
    copies: Set[RunId]


def raised(sequence: Sequence, seals: Set[RunId]) -> Raised:
    """Has contenders that were set aside stand again, from which somebody has gone on who had not heard of that: then
    what was made of them meets what was put in their place, as a change of the same units."""
    aside = _set_aside(sequence, seals)
    runs = _gone_on_from(sequence, aside)
    others: dict[int, Piece] = {}
    for number, piece in sequence.under(seals) if runs else ():
        stands = run_of(piece) in runs and number in aside.get(run_of(piece), ())
        struck = tuple([run for run in piece.struck if run not in seals])
        others[number] = piece._replace(live=piece.live or stands, struck=struck)
    kept: dict[RunId, list[Piece]] = {}
    for number, piece in _left_alone(sequence, runs):
        over = [part.struck for run in runs.intersection(piece.struck) for part in aside[run].values()]
        mine = seals & set[RunId]().union(*over)
        others[number] = piece._replace(struck=struck_by(piece.struck, mine))
        for seal in mine:
            kept.setdefault(seal, []).append(piece)
    again = {run: Strike(piece.stamp, piece.k) for run in runs for piece in aside[run].values()}
    strikes = sequence.strikes.but(again, seals - kept.keys())
    edits = [Edit(number, number + 1, [others[number]]) for number in sorted(others)]
    return Raised(sequence.spliced(edits, strikes, alone=False), runs, kept, _copies(sequence.strikes, again))


def _copies(strikes: Strikes, again: Mapping[RunId, Strike]) -> set[RunId]:
    """The strikes that an undo has made again of some: they have their author and time."""
    found: set[RunId] = set()
    for run, (stamp, _) in again.items():
        others = strikes.standing(strikes.of(stamp.origin)) if stamp.origin else ()
        found.update(one for one in others if strikes[one].stamp.time == stamp.time and one[:2] != run[:2])
    return found


def _set_aside(sequence: Sequence, seals: Set[RunId]) -> dict[RunId, dict[int, Piece]]:
    """What is sealed, by run and number; of what was taken back since marks tell."""
    aside: dict[RunId, dict[int, Piece]] = {}
    for number, piece in sequence.under(seals):
        if not (piece.live or any(is_mark(sequence.strikes[run]) for run in sequence.strikes.standing(piece.struck))):
            aside.setdefault(run_of(piece), {})[number] = piece
    return aside


def _left_alone(sequence: Sequence, runs: Set[RunId]) -> Iterator[tuple[int, Piece]]:
    """The pieces in whose place some runs stood, and in whose place nothing does, with their numbers."""
    for number, piece in sequence.under(runs) if runs else ():
        if piece.live and not _others_over(sequence.strikes, [piece]):
            yield number, piece


def _gone_on_from(sequence: Sequence, aside: Mapping[RunId, Mapping[int, Piece]]) -> set[RunId]:
    """The runs that others have gone on from, and those that these had gone on from themselves."""
    builders = {run: _unaware(sequence.strikes, parts.values()) for run, parts in aside.items()}
    for _, piece in sequence.under({run for run in builders if builders[run]}):
        for run in builders.keys() & piece.struck:  # who is over what it had replaced as well has seen all sides
            builders[run].difference_update(piece.struck)
    runs = {run for run in builders if builders[run]}
    waiting = [*runs]
    while waiting:
        below = {run_of(piece) for _, piece in sequence.under({waiting.pop()})} & aside.keys() - runs
        runs |= below
        waiting += below
    return runs


def _unaware(strikes: Strikes, pieces: Iterable[Piece]) -> set[RunId]:
    """The strikes over some pieces that are no notes, without those of the writes that have set these aside."""
    pieces = [*pieces]
    settled = {run[:2] for piece in pieces for run in piece.struck if run[2] == SEAL}
    return {run for run in _others_over(strikes, pieces) if run[:2] not in settled}


def _others_over(strikes: Strikes, pieces: Iterable[Piece]) -> set[RunId]:
    """The strikes over some pieces that are no notes."""
    return {run for piece in pieces for run in strikes.standing(piece.struck) if not is_note(strikes[run])}


def as_it_stood(sequence: Sequence, part: Sequence, seen: Callable[[Stamp], bool]) -> Sequence:
    """Returns what somebody was shown, with the contenders that were set aside since.

    Args:
        part: what of the sequence is seen by who has not seen all of it.
        seen: tells which writes were.
    """
    strikes, seals = sequence.strikes, sequence.seals()
    unseen = {run for run in seals if not seen(strikes[run].stamp)}
    if not unseen:
        return part
    gone = {number: piece for number, piece in sequence.under(unseen) if not piece.live and seen(piece.stamp)}
    replaced = _replaced_seals(sequence, gone.values(), seen)
    known = (seals - unseen) | replaced.keys()
    back = [number for number, piece in gone.items() if known.isdisjoint(piece.struck)]
    edits = [Edit(number, number + 1, [part[number]._replace(live=True)]) for number in back]
    again = replaced | _removals(sequence, gone, known, seen)
    stood = [piece for piece in map(part.__getitem__, back) if not is_opening(piece)]
    again |= {run_of(piece): Strike(piece.stamp, piece.k) for piece in stood}
    return part.spliced(edits, part.strikes.but(again, set()), alone=False) if edits or again else part


def _removals(
    sequence: Sequence, gone: Mapping[int, Piece], known: Set[RunId], seen: Callable[[Stamp], bool]
) -> dict[RunId, Strike]:
    """The strikes that somebody has seen, that put nothing, and that were set aside together with what did: they stay
    named on what they were over.

    Args:
        gone: what was set aside since, by number.
        known: the seals that she has seen: what was set aside by their writes stays so.
    """
    before = {run[:2] for run in known}
    found: dict[RunId, Strike] = {}
    pieces = [*gone.values(), *[piece for _, piece in sequence.under({*map(run_of, gone.values())})]]
    while pieces:
        named = {run for piece in pieces for run in piece.struck if run[2] != SEAL}.difference(sequence.strikes, found)
        named -= _set_aside_by(sequence, named, before)
        alone = named.difference([run_of(piece) for _, piece in sequence.touching(named)] if named else ())
        news = {run: Strike(stamp, run[2]) for run, stamp in _stamps(sequence, alone).items() if seen(stamp)}
        found |= news
        pieces = [piece for _, piece in sequence.under(news.keys())]
    return found


def _set_aside_by(sequence: Sequence, runs: Set[RunId], writes: Set[tuple[str, int]]) -> set[RunId]:
    """Those of some strikes that do not stand any more, and were over what some writes have struck as well."""
    found: set[RunId] = set()
    for _, piece in sequence.under(runs) if runs and writes else ():
        if not writes.isdisjoint([run[:2] for run in piece.struck]):
            found |= runs & {*piece.struck}
    return found


def _replaced_seals(sequence: Sequence, pieces: Iterable[Piece], seen: Callable[[Stamp], bool]) -> dict[RunId, Strike]:
    """The seals over some pieces in whose place others have come, as far as somebody has seen them."""
    strikes = sequence.strikes
    replaced = {run for piece in pieces for run in piece.struck if run[2] == SEAL and run not in strikes}
    return {run: Strike(stamp, SEAL) for run, stamp in _stamps(sequence, replaced).items() if seen(stamp)}


def _stamps(sequence: Sequence, runs: Set[RunId]) -> dict[RunId, Stamp]:
    """The stamps of strikes that do not stand any more, as far as they are known from what the same writes have put."""
    dots = {run[:2] for run in runs}
    known = {run_of(piece)[:2]: piece.stamp for piece in sequence if run_of(piece)[:2] in dots} if runs else {}
    return {run: known.get(run[:2]) or Stamp(inf, run[0], run[1], "", "", "") for run in runs}
