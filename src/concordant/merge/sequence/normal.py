"""A sequence in the form in which its changes are weighed: all that can meet is a strike over a piece.

What an empty text became is a rewrite of a piece that holds nothing. What was taken back by an undo stands again for
whoever had rewritten it, and what was set aside for whoever had gone on from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any, NamedTuple

from concordant.merge.causality import Stamp
from concordant.merge.sequence.aside import raised
from concordant.merge.sequence.pieces import (
    EMPTIED,
    NOTHING_THERE,
    Content,
    Edit,
    Piece,
    RunId,
    Sequence,
    Strike,
    is_mark,
    run_of,
    standing_again,
    struck_by,
    under_gone,
)

__all__ = ["NormalForm", "content_of", "normal_form"]

_NOBODY = Stamp(0.0, "", 0, "", "", "")


class NormalForm(NamedTuple):
    """A sequence whose changes can be weighed.

    Attributes:
        sequence: it, with pieces of the same numbers; those that hold nothing are the last.
        texts: of marks, and seals, what stands where that was which was taken back, or set aside.
        raised: the runs that were set aside, and stand for what others made of them.
        copies: the strikes that an undo has made again of those.
    """

    sequence: Sequence
    texts: Mapping[RunId, Content]
    raised: Set[RunId]
    copies: Set[RunId]


def normal_form(sequence: Sequence, *, whole: bool, marked: bool) -> NormalForm:
    """Puts a sequence into the form in which its changes are weighed.

    Args:
        whole: whether all of a text is one unit.
        marked: whether what was taken back matters.
    """
    texts: dict[RunId, Content] = {}
    again: Set[RunId] = frozenset()
    copies: Set[RunId] = frozenset()
    if marked and (marks := _beside_others(sequence, sequence.marks())):
        sequence, texts = _with_what_stands_again(sequence, marks)
    if _beside_others(sequence, sequence.seals()):
        sequence, again, kept, copies = raised(sequence, sequence.seals())
        texts |= {seal: content_of(pieces) for seal, pieces in kept.items()}
    if whole and (openings := sequence.openings()):
        sequence = _over_nothing(sequence, openings)
    return NormalForm(sequence, texts, again, copies)


def _beside_others(sequence: Sequence, notes: Set[RunId]) -> Set[RunId]:
    """Those of some strikes that stand over something together with others."""
    return {run for _, standing in sequence.crowded(notes) for run in standing if run in notes} if notes else notes


def _over_nothing(sequence: Sequence, openings: Mapping[RunId, list[Piece]]) -> Sequence:
    """A sequence in which what an empty text became is a rewrite of a piece that holds nothing, put there by the strike
    by which the text was emptied. Such pieces are the last."""
    strikes = {run: Strike(parts[0].stamp, run[2]) for run, parts in openings.items()}
    by = {run: (parts[0].beside or NOTHING_THERE)[:3] for run, parts in openings.items()}
    same = _alike(sequence, {*by.values()})
    over: dict[RunId, list[RunId]] = {}
    for run in openings:
        over.setdefault(same.get(by[run], NOTHING_THERE[:3]), []).append(run)
    emptied = {run: sequence.strikes[run] if run in sequence.strikes else Strike(_NOBODY, 0) for run in sorted(over)}
    nothing = [Piece(*by, EMPTIED, "", None, struck=struck_by((), over[run])) for run, by in emptied.items()]
    edit = Edit(len(sequence), len(sequence), nothing)
    return sequence.spliced([edit], sequence.strikes.but(strikes, frozenset()), alone=False)


def _alike(sequence: Sequence, runs: Set[RunId]) -> dict[RunId, RunId]:
    """Of some strikes those that stand; for those over one piece the first of them stands for all."""
    same = {run: run for run in sequence.strikes.standing(runs)}
    for _, piece in sequence.under(same.keys()) if len(same) > 1 else ():
        first, *others = sorted({same[run] for run in piece.struck if run in same})
        same.update({run: first for run in same if same[run] in others})
    return same


def _with_what_stands_again(sequence: Sequence, marks: Set[RunId]) -> tuple[Sequence, dict[RunId, Content]]:
    """A sequence in which who has rewritten what was taken back has rewritten what stands there again; and of each mark
    what that is.

    Args:
        marks: those that stand over something together with other strikes.
    """
    strikes = sequence.strikes
    over: dict[RunId, set[RunId]] = {}
    others: dict[RunId, set[RunId]] = {}
    for _, piece in sequence.under(marks):
        standing = strikes.standing(piece.struck)
        for mark in marks & {*standing}:
            over.setdefault(mark, set()).add(run_of(piece))
            others.setdefault(mark, set()).update(run for run in standing if not is_mark(strikes[run]))
    said = _said_by(sequence, set().union(*others.values()))
    under = under_gone(sequence, strikes)
    texts: dict[RunId, Content] = {}
    more: dict[int, set[RunId]] = {}
    for mark, runs in over.items():
        again = standing_again(under, runs)
        shown = [piece for _, piece in again if not strikes.standing(piece.struck)]
        texts[mark] = content_of(shown or [piece for _, piece in again])
        for number, _ in again:
            more.setdefault(number, set()).update(run for run in others[mark] if said[run] != texts[mark])
    pieces = [p._replace(struck=struck_by(p.struck, more[n])) if n in more else p for n, p in enumerate(sequence)]
    return Sequence(pieces, strikes, sequence.newest_root), texts


def _said_by(sequence: Sequence, runs: Set[RunId]) -> dict[RunId, Content]:
    """What some strikes have put in the place of what they are over."""
    parts: dict[RunId, list[Piece]] = {run: [] for run in runs}
    for _, piece in sequence.touching(runs):
        if piece.live and run_of(piece) in runs:
            parts[run_of(piece)].append(piece)
    return {run: content_of(pieces) for run, pieces in parts.items()}


def content_of(pieces: Iterable[Piece]) -> Content:
    """Returns what pieces say together, a text without the gaps around it."""
    parts: list[Any] = [piece.content for piece in pieces]
    return "".join(parts).strip() if all(isinstance(part, str) for part in parts) else sum(parts, ())
