"""What a sequence shows: its visible pieces, by number, and the part of each that is seen.

A layout is remembered with its sequence. An edit makes the next layout from the last by replacing what it touched, so
that editing a large text does not go through all of its pieces again.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import Any

from concordant.causal import Stamp
from concordant.sequence.overlap import NOTHING, Analysis
from concordant.sequence.pieces import Content, Piece, Sequence

__all__ = ["Layout", "layout", "own_layout", "patched"]


class Layout:
    """The visible pieces in order, as parallel lists.

    Attributes:
        numbers: each piece's number in its sequence.
        pieces: the pieces.
        contents: what is seen of each: all of it, or all but a separator that nothing stands before.
    """

    __slots__ = ("_starts", "contents", "numbers", "pieces")

    def __init__(self, numbers: list[int], pieces: list[Piece], contents: list[Any]) -> None:
        self.numbers = numbers
        self.pieces = pieces
        self.contents = contents
        self._starts: list[int] | None = None

    @property
    def starts(self) -> list[int]:
        """The offset of each visible piece in what is shown, and the length of all."""
        if self._starts is None:
            self._starts = [0, *accumulate(map(len, self.contents))]
        return self._starts

    def content(self, empty: Content) -> Any:
        """The text (or the tuple of items) that the pieces make."""
        if isinstance(empty, str):
            return "".join(self.contents)
        return tuple(item for content in self.contents for item in content)

    def copy(self) -> Layout:
        """A copy to be continued."""
        return Layout([*self.numbers], [*self.pieces], [*self.contents])

    def skipped(self, position: int) -> int:
        """How many characters of the piece at this position are not shown."""
        return len(self.pieces[position].content) - len(self.contents[position])


def layout(sequence: Sequence, analysis: Analysis, separator: str) -> Layout:
    """The visible pieces. A line's own separator shows only after something that does not end with it."""
    return sequence.laid_out(
        (analysis, separator), lambda begun, done: _layout(sequence, analysis, separator, begun, done)
    )


def _layout(sequence: Sequence, analysis: Analysis, separator: str, begun: Layout | None, done: int) -> Layout:
    strikes, hidden, suspended = sequence.strikes, analysis.hidden, analysis.suspended
    result = Layout([], [], []) if begun is None else begun.copy()
    for number, piece in enumerate(sequence.since(done), done):
        stamp, k, offset, content, _, line, struck, live = piece
        if not live or (hidden and (stamp.replica, stamp.n, k) in hidden):
            continue
        for run in struck:
            if run in strikes and run not in suspended:
                break
        else:
            seen: Any = content
            if line and offset == 0 and _at_line_start(result.contents, separator):
                seen = content[len(separator) :]
            if len(seen):
                result.numbers.append(number)
                result.pieces.append(piece)
                result.contents.append(seen)
    return result


def own_layout(sequence: Sequence, origin: str, separator: str) -> Layout:
    """What one scope's writes alone show: the pieces it put, but for those that it struck itself."""
    strikes = sequence.strikes
    result = Layout([], [], [])
    mine = [(number, piece) for number, piece in sequence.made_in(origin) if piece.live]
    for number, piece in mine:
        if any(run in strikes and strikes[run].stamp.origin == origin for run in piece.struck):
            continue
        content: Any = piece.content
        if piece.line and piece.offset == 0 and _at_line_start(result.contents, separator):
            content = content[len(separator) :]
        if len(content):
            result.numbers.append(number)
            result.pieces.append(piece)
            result.contents.append(content)
    return result


def _at_line_start(contents: list[Any], separator: str) -> bool:
    """Whether what is shown so far is empty or ends with the separator."""
    if contents and len(contents[-1]) >= len(separator):
        return bool(contents[-1].endswith(separator))
    tail = ""
    for content in reversed(contents):
        tail = content[-len(separator) :] + tail
        if len(tail) >= len(separator):
            return bool(tail.endswith(separator))
    return not contents


def patched(before: Sequence, after: Sequence, parts: dict[int, list[Piece]], first: list[Piece], stamp: Stamp) -> None:
    """Gives ``after`` its layout from that of ``before``, if that is known and the edit is a plain one.

    Args:
        parts: what became of the pieces that the edit touched, by their numbers in ``before``.
        first: pieces that it put at the beginning.
        stamp: that of the edit.
    """
    known = before.remembered_layout
    if known is None or before.overlapping or after.overlapping or known[0][0] is not NOTHING:
        return
    old: Layout = known[1]
    numbers, pieces, contents = [], [], []
    done = shift = 0
    if first:
        if old.pieces and old.pieces[0].line:
            return  # its separator begins to show
        numbers, pieces = list(range(len(first))), [*first]
        contents = [piece.content for piece in first]
        shift = len(first)
    for number in sorted(parts):
        at = bisect_left(old.numbers, number)
        visible = at < len(old.numbers) and old.numbers[at] == number
        following = at + visible
        if following < len(old.pieces) and old.pieces[following].line and old.pieces[following].offset == 0:
            return  # whether its separator shows may change
        numbers += [n + shift for n in old.numbers[done:at]] if shift else old.numbers[done:at]
        pieces += old.pieces[done:at]
        contents += old.contents[done:at]
        done = following
        host = old.pieces[at] if visible else None
        hidden = old.skipped(at) if visible else 0
        for place, part in enumerate(parts[number]):
            own = part.stamp is not stamp
            if own and (host is None or len(part.struck) > len(host.struck)):
                if hidden and part.offset == 0:
                    return  # its separator was not shown: the next piece begins the text
                continue
            content: Any = part.content[hidden:] if own and hidden and part.offset == 0 else part.content
            if len(content):
                numbers.append(number + shift + place)
                pieces.append(part)
                contents.append(content)
        shift += len(parts[number]) - 1
    numbers += [n + shift for n in old.numbers[done:]] if shift else old.numbers[done:]
    pieces += old.pieces[done:]
    contents += old.contents[done:]
    after.remember_layout(known[0], Layout(numbers, pieces, contents))
