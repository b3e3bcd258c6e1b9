"""Forgetting the removed parts of a text or list that nobody can refer to any more.

What stood behind a forgotten piece is anchored where the tree of runs had that piece: behind the nearest character
before it in the tree that is left, as long as that leaves the order as it is; otherwise the piece stays. So what a run
is anchored to is told by which pieces are left, and two replicas that forget different ones agree again when they meet
(``concordant.merge.sequence.order.join``). What was written by somebody who had seen the removal stands where it would
stand without: of all that is left behind one character it is the newest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence as Items, Set
from itertools import chain, combinations
from typing import NamedTuple

from concordant.merge.causality import Stamp
from concordant.merge.sequence.blame import remembered
from concordant.merge.sequence.family import Family, home_of
from concordant.merge.sequence.order import comes_first, in_order
from concordant.merge.sequence.pieces import (
    START,
    Anchor,
    Edit,
    Piece,
    RunId,
    Sequence,
    first_of,
    is_seal,
    last_of,
    run_of,
)
from concordant.merge.sequence.units import is_blank

__all__ = ["Trimmed", "lost_between", "removed", "trimmed", "untrimmed", "weighed"]

_MOST_BACK = 64
"""How far it is looked back for who wrote what, before all is looked at."""


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
    sequence: Sequence, goes: Callable[[Stamp, Stamp], bool], dropped: Callable[[Stamp], bool], within: range
) -> Trimmed | None:
    """Returns the sequence without removed pieces; ``None`` if none can go.

    Args:
        goes: whether nobody can refer any more to what one write has put and another has struck.
        dropped: whether that holds of what a write had put that was taken out since, not struck.
        within: the numbers of the pieces that are looked at.
    """
    gone = _forgettable(sequence, goes, dropped, within)
    concerned = {run for piece in gone.values() for run in (run_of(piece), *piece.struck)}
    near = dict(sequence.under(concerned)) if gone else {}
    _keep_whole(near, gone, sequence.marks())
    moves = _moves(sequence, near, gone)
    if not gone:
        return None
    over = {run for piece in gone.values() for run in piece.struck}
    needed = {run for number, piece in near.items() if number not in gone for run in piece.struck}
    others = {number: move.piece for number, move in moves.items()}
    others |= _credited(sequence, gone, others, needed)
    strikes = sequence.strikes.but({}, {*sequence.strikes.standing(over - needed)})
    left = sequence.without(_edits(sequence, gone, others, within), strikes, bool(moves))
    if not left.is_alive():
        return None
    stamps = [piece.stamp for piece in gone.values()]
    return Trimmed(left, stamps + sequence.strikes.stamps(sequence.strikes.standing(over)), len(gone))


def _edits(sequence: Sequence, gone: Mapping[int, Piece], others: Mapping[int, Piece], within: range) -> list[Edit]:
    """What comes in the place of what: of the pieces that were looked at one edit, so that they lie together."""
    window = [others.get(at, piece) for at, piece in _numbered(sequence, within) if at not in gone]
    edits = [Edit(at, at + 1, [piece]) for at, piece in others.items() if at not in within]
    return sorted([*edits, Edit(within.start, within.stop, window)])


class _Move(NamedTuple):
    """A piece of a run that is anchored elsewhere.

    Attributes:
        piece: what it becomes.
        holder: the number of the piece that would have to stay, for it to stay where it is.
    """

    piece: Piece
    holder: int


def _moves(sequence: Sequence, near: Mapping[int, Piece], gone: dict[int, Piece]) -> dict[int, _Move]:
    """The pieces that are anchored anew, by number, so that all that is left stands where it did.

    A run may be anchored to the nearest character before it in the tree that is left if it stands right behind that,
    and would of all that is: then whoever goes through the tree comes to it at the same place.

    Args:
        near: what the strikes over what goes are over.
        gone: the pieces that may go; loses those that have to stay.
    """
    hosted = dict(sequence.anchored({last_of(piece) for piece in gone.values()})) if gone else {}
    while True:
        moves = _anchored_anew(sequence, hosted, gone)
        held = _held(sequence, gone, moves)
        if not held:
            return moves
        for number in held | _together(held, near):
            gone.pop(number, None)


def _anchored_anew(sequence: Sequence, hosted: Mapping[int, Piece], gone: Mapping[int, Piece]) -> dict[int, _Move]:
    numbers = {last_of(piece): number for number, piece in gone.items()}
    homes: dict[Anchor, _Home] = {}
    moves: dict[int, _Move] = {}
    for number, piece in hosted.items():
        anchor = piece.parent
        if number in gone or anchor is None or anchor not in numbers:
            continue
        if anchor not in homes:
            homes[anchor] = _home(sequence, anchor, numbers)
        home = homes[anchor]
        replaces = piece.replaces if home.replaces is None else home.replaces
        moves[number] = _Move(Family.moved(piece, home.anchor, replaces), home.holder)
    return moves


def _held(sequence: Sequence, gone: Mapping[int, Piece], moves: Mapping[int, _Move]) -> set[int]:
    """The pieces without which something would not stand right behind what it is anchored to."""
    firsts: dict[RunId, int] = {}
    for number, move in moves.items():
        firsts.setdefault(run_of(move.piece), number)
    parents = {move.piece.parent for move in moves.values()}
    siblings: dict[Anchor | None, list[Piece]] = {}
    for number, piece in sequence.anchored({parent for parent in parents if parent is not None}):
        if number not in gone and number not in moves:
            siblings.setdefault(piece.parent, []).append(piece)
    held = set()
    for number in firsts.values():
        piece, holder = moves[number]
        before = number - 1
        while before in gone:
            before -= 1
        last = last_of(sequence[before]) if before >= 0 else START
        if piece.parent != last or any(comes_first(other, piece) for other in siblings.get(piece.parent, ())):
            held.add(holder)
    return held


def untrimmed(sequence: Sequence, before: Sequence, after: Sequence) -> Sequence:
    """Returns a sequence with what was forgotten of it when it became another: what had been removed is there again, as
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
    """Returns what had been removed from a sequence and was forgotten when it became another."""
    gone = [piece for piece, over in removed(before) if over and piece.live]
    now = Family(after if gone else ())
    return [piece for piece in gone if now.at(first_of(piece)) is None]


def removed(sequence: Sequence) -> Iterator[tuple[Piece, list[Stamp]]]:
    """Gives the pieces that were removed, each with the writes whose strikes are over it."""
    strikes = sequence.strikes
    for piece in sequence:
        over = strikes.stamps(strikes.standing(piece.struck)) if piece.struck else []
        if over or not piece.live:
            yield piece, over


def weighed(sequence: Sequence) -> set[RunId]:
    """Returns the strikes and insertions that are weighed against others: what they concern is not forgotten. Removals
    that agree by whatever rules are none of them."""
    found: set[RunId] = set()
    if sequence.overlapping:
        crowds = [{*standing} for _, standing in sequence.crowded(sequence.crowd)]
        meetings = [crowd for crowd in crowds if not all(is_seal(sequence.strikes[run]) for run in crowd)]
        found.update(_disputed(sequence, meetings))
        for runs in sequence.alike():
            found.update(runs)
        found.update(_openings(sequence))
    return found


def _openings(sequence: Sequence) -> set[RunId]:
    """What several put into an empty text, if more than one thing has come of that which was not removed again."""
    left = {
        run
        for run, parts in sequence.openings().items()
        if any(_is_left(sequence, piece) for piece in parts if not (piece.line and not piece.offset and parts[1:]))
    }
    return left if len(left) > 1 else set()


def _is_left(sequence: Sequence, piece: Piece) -> bool:
    """Whether a piece stands, or something was put in its place."""
    over = sequence.strikes.standing(piece.struck)
    return not over or any(map(sequence.has_run, over))


def _disputed(sequence: Sequence, meetings: list[set[RunId]]) -> set[RunId]:
    """Of strikes that meet those that may not agree: all but removals of which each two have removed different units,
    or one of them all that the other has, and whatever they meet likewise.

    Args:
        meetings: the strikes over each piece that several are over.
    """
    runs = set(chain.from_iterable(meetings))
    over: dict[RunId, set[int]] = {run: set() for run in runs}
    disputed: set[RunId] = set()
    for number, piece in sequence.touching(runs) if runs else ():
        if run_of(piece) in runs:
            disputed.add(run_of(piece))  # a rewrite
        if not is_blank(piece.content):
            for run in runs.intersection(piece.struck):
                over[run].add(number)
    for meeting in meetings:
        if not all(_agree(over[one], over[other]) for one, other in combinations(meeting, 2)):
            disputed |= meeting
    grown = True
    while grown:
        near = [meeting for meeting in meetings if not meeting.isdisjoint(disputed) and not meeting <= disputed]
        disputed.update(*near)
        grown = bool(near)
    return disputed


def _agree(one: Set[int], other: Set[int]) -> bool:
    return one <= other or other <= one or one.isdisjoint(other)


def _numbered(sequence: Sequence, within: range) -> Iterator[tuple[int, Piece]]:
    return enumerate(sequence.since(within.start, within.stop), within.start)


def _forgettable(
    sequence: Sequence, goes: Callable[[Stamp, Stamp], bool], dropped: Callable[[Stamp], bool], within: range
) -> dict[int, Piece]:
    """The pieces to which nobody can refer, by number. What of insertions between the same neighbours is alike is told
    by all that was inserted."""
    busy = weighed(sequence)
    strikes, twins = sequence.strikes, sequence.twins
    gone = {}
    for number, piece in _numbered(sequence, within):
        if piece.beside is not None and (piece.parent, piece.beside) in twins:
            continue
        over = strikes.stamps(strikes.standing(piece.struck)) if piece.struck else []
        if (piece.live and not over) or (busy and (run_of(piece) in busy or not busy.isdisjoint(piece.struck))):
            continue
        if all(goes(piece.stamp, stamp) for stamp in over) if over else dropped(piece.stamp):
            gone[number] = piece
    return gone


def _credited(
    sequence: Sequence, gone: Mapping[int, Piece], others: Mapping[int, Piece], needed: Set[RunId]
) -> dict[int, Piece]:
    """The pieces that are kept, and of which it is told by what goes who wrote what of them: with that, by number.

    Args:
        others: pieces that become others otherwise.
        needed: the strikes that are kept.
    """
    runs = {run for piece in gone.values() for run in (run_of(piece), *piece.struck)}
    kept = {
        number: others.get(number, piece)
        for number, piece in sequence.touching(runs)
        if number not in gone and run_of(piece) in runs and isinstance(piece.content, str)
    }
    runs = {run_of(piece) for piece in kept.values()}
    credits = remembered(_told_by(sequence, runs), runs)
    found = {}
    for number, piece in kept.items():
        told = credits[run_of(piece)]
        is_plain = run_of(piece) not in needed and [stamps for *_, stamps in told] == [(piece.stamp,)]
        found[number] = piece._replace(credits=() if is_plain else told)
    return found


def _told_by(sequence: Sequence, runs: Set[RunId]) -> Iterable[Piece]:
    """The pieces by which it is told who wrote what of some runs: what these have replaced, and so on."""
    found: dict[int, Piece] = {}
    known: set[RunId] = set()
    for _ in range(_MOST_BACK):
        if not runs:
            return [found[number] for number in sorted(found)]
        parts = dict(sequence.touching(runs))
        found |= parts
        known |= runs
        runs = {*map(run_of, parts.values())} - known
    return sequence


def _together(numbers: Set[int], near: Mapping[int, Piece]) -> set[int]:
    """The pieces that go together with some: who wrote what was put in their place is told by a comparison with all of
    these."""
    runs = {run for number in numbers if number in near for run in near[number].struck}
    return {number for number, piece in near.items() if not runs.isdisjoint(piece.struck)} if runs else set()


def _keep_whole(near: Mapping[int, Piece], gone: dict[int, Piece], marks: Set[RunId]) -> None:
    """Keeps what one strike is over as long as anything of it is kept, for it may be weighed yet; and what was put in
    the place of that, unless that was taken back: by it is told what has become of it."""
    over: dict[RunId, list[int]] = {}
    parts: dict[RunId, list[int]] = {}
    waiting: list[RunId] = []
    for number, piece in near.items():
        if number not in gone:
            waiting.extend(piece.struck)
            continue
        if marks.isdisjoint(piece.struck):
            parts.setdefault(run_of(piece), []).append(number)
        for run in piece.struck:
            over.setdefault(run, []).append(number)
    while waiting:
        run = waiting.pop()
        for number in (*parts.pop(run, ()), *over.pop(run, ())):
            if number in gone:
                waiting.extend(gone.pop(number).struck)


class _Home(NamedTuple):
    """What stands where a removed piece did, for what was behind that.

    Attributes:
        anchor: the nearest character before it in the tree that is left.
        replaces: whether it takes the place of that; ``None``: as it did.
        holder: the number of the last of the removed pieces that held it, which is right behind that.
    """

    anchor: Anchor | None
    replaces: bool | None
    holder: int


def _home(sequence: Sequence, anchor: Anchor | None, gone: Mapping[Anchor, int]) -> _Home:
    """Finds that of what was behind a character.

    Args:
        gone: the last characters of removed pieces, with the numbers of these.
    """
    replaces, holder = None, -1
    while anchor is not None and anchor in gone:
        holder = gone[anchor]
        anchor, replaces = _before(sequence, holder)
    return _Home(anchor, replaces, holder)


def _before(sequence: Sequence, number: int) -> tuple[Anchor | None, bool]:
    """The character before a piece in the tree, and whether the piece replaces it: in its run, whose pieces stand in
    order, or what the run stands behind."""
    piece = sequence[number]
    run, parent = run_of(piece), piece.parent
    for other in sequence.backward(number) if piece.offset else ():
        if run_of(other) == run:
            return last_of(other), False
        if last_of(other) == parent:
            break
    return parent, piece.replaces
