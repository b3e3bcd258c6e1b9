"""What writes gave, for a journal in memory: of a large value only how it differs from the one given before it.

An agent that edits a text gives all of it each time. One of so many is kept whole, and of the others what they have
not in common with their predecessor at the beginning and at the end.
"""

from __future__ import annotations

import re
import zlib
from collections import OrderedDict
from typing import Any

from pydantic_core import from_json, to_json

from concordant.merge.sequence.diff import common_prefix, common_suffix

__all__ = ["LARGE", "Bodies", "Delta", "difference", "patched", "whole"]

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
    """Returns the bytes of a value that ``Bodies.kept`` returned; anything else itself.

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

    def kept(self, address: Any, body: bytes) -> bytes | Delta:
        """Returns a value as the journal keeps it.

        Args:
            address: the document.
            body: what was given.
        """
        known = self._last.get(address)
        made = body if known is None else _difference(*known, body)
        self._last[address] = (body, made)
        if known is None and len(self._last) > MOST_KNOWN:
            self._last.popitem(last=False)
        return made

    def forget(self, address: Any = None) -> None:
        """Forgets the value given last, of one document or of all."""
        if address is None:
            self._last.clear()
        else:
            self._last.pop(address, None)


_NEAR = 512
"""What is shorter between the common beginning and the common end is not looked through for parts of before."""
_PART = 400
"""How long the parts of a value are at most, on average, of which each is looked for in an earlier one."""


def difference(before: bytes, after: bytes) -> bytes:
    """Tells how a value differs from an earlier one, wherever it does; ``patched`` makes it of that again.

    Parts that both have are told by their places: they begin and end where the text has a line or a word.
    """
    head = common_prefix(before, after)
    tail = common_suffix(before, after, min(len(before), len(after)) - head)
    steps: list[list[int]] = [[0, head, 0]]  # from where so much is taken, and how much of what is new comes then
    new: list[bytes] = []
    middle = after[head : len(after) - tail]
    if len(middle) > _NEAR:
        _compare(before[head : len(before) - tail], middle, head, steps, new)
    elif middle:
        steps[-1][2] = len(middle)
        new.append(middle)
    steps.append([len(before) - tail, tail, 0])
    return to_json([zlib.crc32(after), steps]) + b"\n" + b"".join(new)


def _compare(before: bytes, after: bytes, begin: int, steps: list[list[int]], new: list[bytes]) -> None:
    """Takes a value apart into what an earlier one has as well and what is new, for ``difference``."""
    most = len(after) // _PART
    mark = next((mark for mark in (b"\\n", b",", b". ") if after.count(mark) > most), b" ")
    places: dict[bytes, int] = {}
    at = 0
    for part in before.split(mark):
        places.setdefault(part, at)
        at += len(part) + len(mark)
    for part in re.split(b"(?<=" + re.escape(mark) + b")", after):
        body = part.removesuffix(mark)
        start, length, fresh = steps[-1]
        expected = start + length - begin
        if not fresh and before[expected : expected + len(part)] == part:
            steps[-1][1] += len(part)
            continue
        at = places.get(body, -1)
        if len(part) > _WORTH and at >= 0 and before[at : at + len(part)] == part:
            steps.append([begin + at, len(part), 0])
        else:
            steps[-1][2] += len(part)
            new.append(part)


_WORTH = 24
"""From how many bytes on a part is told by its place."""


def patched(before: bytes, change: bytes) -> bytes:
    """Returns the value of which ``difference`` gave the difference.

    Raises:
        ValueError: ``before`` is not what it was compared with.
    """
    told, _, new = change.partition(b"\n")
    sum_, steps = from_json(told)
    parts: list[bytes] = []
    at = 0
    for start, length, fresh in steps:
        parts += before[start : start + length], new[at : at + fresh]
        at += fresh
    after = b"".join(parts)
    if zlib.crc32(after) != sum_:
        raise ValueError("what was given is not told by what was given before it: one of them is damaged")
    return after


def _difference(last: bytes, before: bytes | Delta, body: bytes) -> bytes | Delta:
    number = before.number + 1 if isinstance(before, Delta) else 1
    if number > MOST_IN_ROW:
        return body
    head = common_prefix(last, body)
    tail = common_suffix(last, body, min(len(last), len(body)) - head)
    middle = body[head : len(body) - tail]
    return Delta(before, head, tail, middle, number) if 2 * len(middle) < len(body) else body
