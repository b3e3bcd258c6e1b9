"""What writes gave, for a journal in memory: of a large value only how it differs from the one given before it.

An agent that edits a text gives all of it each time. One of so many is kept whole, and of the others what they have
not in common with their predecessor at the beginning and at the end.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from concordant.merge.sequence.diff import common_prefix, common_suffix

__all__ = ["LARGE", "Bodies", "Delta", "whole"]

LARGE = 4096
"""From how many bytes on a value is kept by its difference."""
MOST_IN_ROW = 400
"""How many in a row are kept so, before one is kept whole again."""
STEP = 20
"""Every how many of them one is remembered while many are asked for."""
MOST_KNOWN = 1000
"""Of how many documents the value given last is at hand."""


class Delta:
    """A value by what it has in common with an earlier one.

    Attributes:
        before: the earlier one.
        head, tail: how many bytes are the same at the beginning and at the end.
        middle: what is between them.
        number: how many such differences it is away from one that is whole.
    """

    __slots__ = ("before", "head", "middle", "number", "tail")

    def __init__(self, before: bytes | Delta, head: int, tail: int, middle: bytes, number: int) -> None:
        self.before = before
        self.head = head
        self.tail = tail
        self.middle = middle
        self.number = number


def whole(body: Any, known: dict[Delta, bytes] | None = None) -> Any:
    """The bytes of a value that ``Bodies.kept`` returned; anything else itself.

    Args:
        known: some that were made already, for whoever asks for many in a row; takes up others.
    """
    found = {} if known is None else known
    steps: list[Delta] = []
    while isinstance(body, Delta) and body not in found:
        steps.append(body)
        body = body.before
    body = found.get(body, body) if isinstance(body, Delta) else body
    if len(found) + len(steps) // STEP > MOST_IN_ROW // STEP:
        found.clear()
    for step in reversed(steps):
        body = body[: step.head] + step.middle + body[len(body) - step.tail :]
        if step.number % STEP == 0:
            found[step] = body
    return body


class Bodies:
    """The values given last, by document."""

    def __init__(self) -> None:
        self._last: OrderedDict[Any, tuple[bytes, bytes | Delta]] = OrderedDict()

    def kept(self, place: Any, body: bytes) -> bytes | Delta:
        """A value as the journal keeps it.

        Args:
            place: the document.
            body: what was given.
        """
        known = self._last.get(place)
        made = body if known is None else _difference(*known, body)
        self._last[place] = (body, made)
        if known is None and len(self._last) > MOST_KNOWN:
            self._last.popitem(last=False)
        return made

    def forget(self, place: Any = None) -> None:
        """Forgets the value given last, of one document or of all."""
        if place is None:
            self._last.clear()
        else:
            self._last.pop(place, None)


def _difference(last: bytes, before: bytes | Delta, body: bytes) -> bytes | Delta:
    number = before.number + 1 if isinstance(before, Delta) else 1
    if number > MOST_IN_ROW:
        return body
    head = common_prefix(last, body)
    tail = common_suffix(last, body, min(len(last), len(body)) - head)
    middle = body[head : len(body) - tail]
    return Delta(before, head, tail, middle, number) if 2 * len(middle) < len(body) else body
