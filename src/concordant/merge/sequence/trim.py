"""Forgetting the removed parts of a text or list that nobody can refer to any more.

What stood behind a forgotten piece is anchored where the tree of runs had that piece: behind the nearest character
before it in the tree that is left, as long as that leaves the order as it is; otherwise the piece stays. So what a run
is anchored to is told by which pieces are left, and two replicas that forget different ones agree again when they meet
(``concordant.merge.sequence.order.join``). What was written by somebody who had seen the removal stands where it would
stand without: of all that is left behind one character it is the newest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence as Items
from typing import NamedTuple

from concordant.merge.causality import Stamp
from concordant.merge.sequence.blame import remembered
from concordant.merge.sequence.family import Family, home_of
from concordant.merge.sequence.order import in_order
from concordant.merge.sequence.pieces import START, Anchor, Piece, RunId, Sequence, first_of, last_of, run_of

__all__ = ["Trimmed", "lost_between", "removed", "trimmed", "untrimmed", "weighed"]

_ROUNDS = 16
"""How often pieces that hold the order are put back, before all stay that hold the place of something."""


class Trimmed(NamedTuple):
    """A sequence without removed pieces.

    Attributes:
        sequence: what is left.
        stamps: of the writes of which something is forgotten.
        pieces: how many pieces are.
    """

    sequence: Sequence
    stamps: Items[Stamp]
    pieces: int


def trimmed(
    sequence: Sequence, goes: Callable[[Stamp, Stamp], bool], dropped: Callable[[Stamp], bool]
) -> Trimmed | None:
    """The sequence without removed pieces; ``None`` if none can go.

    Args:
        goes: whether nobody can refer any more to what one write has put and another has struck.
        dropped: whether that holds of what a write had put that was taken out since, not struck.
    """
    gone = _forgettable(sequence, goes, dropped)
    _keep_whole(sequence, gone)
    if not gone:
        return None
    pieces = sequence.pieces()
    kept = _in_place(pieces, gone, Family(pieces))
    needed = {run for piece in kept for run in piece.struck}
    over = {run for number in gone for run in pieces[number].struck}
    strikes = {run: strike for run, strike in sequence.strikes.items() if run in needed or run not in over}
    kept = _credited(kept, sequence, over | {run_of(pieces[number]) for number in gone}, needed)
    left = Sequence(kept, strikes, sequence.newest_root, None if sequence.overlapping else False)
    if not gone or not left.is_alive():
        return None
    stamps = [pieces[number].stamp for number in gone]
    return Trimmed(left, stamps + sequence.strikes.stamps(sequence.strikes.standing(over)), len(gone))


def _in_place(pieces: list[Piece], gone: set[int], family: Family) -> list[Piece]:
    """The pieces that are left, anchored so that they stand where they did.

    Args:
        gone: the numbers of those that may go; loses those that have to stay.
    """
    together = _together(pieces)
    rounds = 0
    while True:
        moving = rounds < _ROUNDS  # then only what holds the place of nothing
        kept, moved = _without(pieces, gone, family, moving=moving)
        while held := _held(kept, moved) if moving else set(moved.values()):
            gone -= held | _all_of(held, pieces, together)
            kept, moved = _without(pieces, gone, family, moving=moving)
        held = _out_of_order(kept, moved) if moving else set()
        if not held:
            return kept
        gone -= held | _all_of(held, pieces, together)
        rounds += 1


def untrimmed(sequence: Sequence, before: Sequence, after: Sequence) -> Sequence:
    """A sequence with what was forgotten of it when it became another: what had been removed is there again, as
    removed.

    Args:
        before, after: what it was then, and what it became.
    """
    forgotten = lost_between(before, after)
    if not forgotten:
        return sequence
    was, now, there = Family(before), Family(after), Family(sequence)
    lost = [piece for piece in forgotten if there.at(first_of(piece)) is None]  # others were put back before
    strikes = {run: before.strikes[run] for piece in lost for run in before.strikes.standing(piece.struck)}
    here = there.runs
    pieces = []
    for piece in (*sequence, *lost):
        run = run_of(piece)
        one = here[run][0] if run in here else piece
        if run in was.runs and (run not in now.runs or home_of(now.runs[run][0]) == home_of(one)):
            one = was.runs[run][0]._replace(credits=one.credits)
        same = one._replace(offset=piece.offset, content=piece.content, struck=piece.struck, live=piece.live)
        pieces.append(piece if same == piece else same)
    return Sequence(in_order(pieces), {**strikes, **sequence.strikes}, sequence.newest_root)


def lost_between(before: Sequence, after: Sequence) -> list[Piece]:
    """What had been removed from a sequence and was forgotten when it became another."""
    gone = [piece for piece, over in removed(before) if over and piece.live]
    now = Family(after if gone else ())
    return [piece for piece in gone if now.at(first_of(piece)) is None]


def removed(sequence: Sequence) -> Iterator[tuple[Piece, list[Stamp]]]:
    """The pieces that were removed, each with the writes whose strikes are over it."""
    strikes = sequence.strikes
    for piece in sequence:
        over = strikes.stamps(strikes.standing(piece.struck)) if piece.struck else []
        if over or not piece.live:
            yield piece, over


def weighed(sequence: Sequence) -> set[RunId]:
    """The strikes and insertions that are weighed against others: what they concern is not forgotten."""
    found: set[RunId] = set()
    if sequence.overlapping:
        for piece in sequence.struck_twice():
            standing = sequence.strikes.standing(piece.struck)
            if len(standing) > 1:
                found.update(standing)
        for runs in sequence.alike():
            found.update(runs)
    return found


def _forgettable(
    sequence: Sequence, goes: Callable[[Stamp, Stamp], bool], dropped: Callable[[Stamp], bool]
) -> set[int]:
    """The numbers of the pieces to which nobody can refer."""
    busy = weighed(sequence)
    strikes = sequence.strikes
    gone = set()
    for number, piece in enumerate(sequence):
        over = strikes.stamps(strikes.standing(piece.struck)) if piece.struck else []
        if (piece.live and not over) or (busy and (run_of(piece) in busy or not busy.isdisjoint(piece.struck))):
            continue
        if all(goes(piece.stamp, stamp) for stamp in over) if over else dropped(piece.stamp):
            gone.add(number)
    return gone


def _credited(kept: list[Piece], sequence: Sequence, runs: set[RunId], needed: set[RunId]) -> list[Piece]:
    """What is kept, with who wrote what of it where that is told by what goes.

    Args:
        runs: of what goes, and in the place of which they were put.
        needed: the strikes that are kept.
    """
    credits = remembered(sequence, {run_of(piece) for piece in kept if isinstance(piece.content, str)} & runs)
    left = []
    for piece in kept:
        run = run_of(piece)
        told = credits.get(run, piece.credits)
        is_plain = run not in needed and [stamps for *_, stamps in told] == [(piece.stamp,)]
        left.append(piece._replace(credits=() if is_plain else told) if told or piece.credits else piece)
    return left


def _together(pieces: list[Piece]) -> dict[RunId, set[int]]:
    """The pieces in the place of which something was put, by its run. Who wrote that is told by a comparison with all
    of them: they go together."""
    runs = {run_of(piece) for piece in pieces}
    found: dict[RunId, set[int]] = {}
    for number, piece in enumerate(pieces):
        for run in piece.struck:
            if run in runs:
                found.setdefault(run, set()).add(number)
    return found


def _all_of(numbers: set[int], pieces: list[Piece], together: dict[RunId, set[int]]) -> set[int]:
    """The pieces that go together with some."""
    return set().union(*(together.get(run, ()) for number in numbers for run in pieces[number].struck))


def _keep_whole(sequence: Sequence, gone: set[int]) -> None:
    """Keeps what one strike is over as long as anything of it is kept, for it may be weighed yet; and what was put in
    the place of that: by it is told what has become of it."""
    over: dict[RunId, list[int]] = {}
    parts: dict[RunId, list[int]] = {}
    waiting: list[RunId] = []
    for number, piece in enumerate(sequence):
        if number not in gone:
            waiting.extend(piece.struck)
            continue
        parts.setdefault(run_of(piece), []).append(number)
        for run in piece.struck:
            over.setdefault(run, []).append(number)
    while waiting:
        run = waiting.pop()
        for number in (*parts.pop(run, ()), *over.pop(run, ())):
            if number in gone:
                gone.discard(number)
                waiting.extend(sequence[number].struck)


def _without(
    pieces: list[Piece], gone: set[int], family: Family, *, moving: bool
) -> tuple[list[Piece], dict[RunId, int]]:
    """The other pieces, anchored anew; and for those runs that are the number of the piece that would have to stay, for
    them to stay where they are.

    Args:
        moving: whether anything may be anchored elsewhere; otherwise nothing is, and what would have to be is told.
    """
    numbers = {first_of(pieces[number]): number for number in gone}
    kept: list[Piece] = []
    moved: dict[RunId, int] = {}
    homes: dict[RunId, tuple[Anchor | None, bool]] = {}
    for number, piece in enumerate(pieces):
        if number in gone:
            continue
        run = run_of(piece)
        if run not in homes:
            homes[run], holder = _home(piece, family, numbers)
            if holder >= 0:
                moved[run] = holder
        kept.append(family.moved(piece, *homes[run]) if run in moved and moving else piece)
    return kept, moved


def _home(
    piece: Piece, family: Family, gone: dict[tuple[str, int, int, int], int]
) -> tuple[tuple[Anchor | None, bool], int]:
    """What a run is anchored to when some pieces are gone, whether it replaces that; and the number of the last of
    those that held it, which is right behind that; -1 if none did."""
    anchor, replaces, holder = piece.parent, piece.replaces, -1
    while anchor is not None and anchor != START:
        host = family.at(anchor)
        number = -1 if host is None else gone.get(first_of(host), -1)
        if host is None or number < 0:
            break
        holder = number
        anchor, replaces = family.before(host)
    return (anchor, replaces), holder


def _held(kept: list[Piece], moved: dict[RunId, int]) -> set[int]:
    """The pieces without which something would not stand right behind what it is anchored to."""
    held = set()
    last: Anchor = START
    begun: set[RunId] = set()
    for piece in kept:
        run = run_of(piece)
        if run in moved and run not in begun and piece.parent != last:
            held.add(moved[run])
        begun.add(run)
        last = last_of(piece)
    return held


def _out_of_order(kept: list[Piece], moved: dict[RunId, int]) -> set[int]:
    """The pieces without which the order would be another one."""
    for mine, theirs in zip(kept, in_order(kept), strict=False):
        if mine != theirs:
            return {moved[run] for run in (run_of(mine), run_of(theirs)) if run in moved} or set(moved.values())
    return set()
