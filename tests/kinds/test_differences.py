"""What changed between two lists is found by a look at little of them: the same as by a look at every item."""

from __future__ import annotations

import random
from typing import Any

from concordant.merge.kinds import list as lists
from concordant.merge.sequence.diff import Hunk, list_hunks
from concordant.values import alike, encode, encode_each, same

TEXTS = ["a", "b", "1.1", "1.10", 'é\n"', "x\u2028,\n "]
ITEMS = [*TEXTS, None, True, False, 1, 1.0, 0.0, -0.0, float("nan"), [1], [True], {"a": 1}]


class Field:
    """Of a type of which two ways to write a value are equal."""

    @staticmethod
    def canon(text: bytes) -> bytes:
        return b'"1.1"' if text == b'"1.10"' else text


def slowly(before: tuple[bytes, ...], after: tuple[bytes, ...]) -> list[Hunk]:
    """The difference of all items, by type and value."""
    hunks, drift = [], 0
    for hunk in list_hunks(list(map(Field.canon, before)), list(map(Field.canon, after))):
        start = hunk.start + drift
        hunks.append(Hunk(hunk.start, hunk.end, after[start : start + len(hunk.content)]))
        drift += len(hunk.content) - (hunk.end - hunk.start)
    return hunks


def test_lists_are_compared_as_item_by_item(seed: str) -> None:
    """Their JSON, whether they are equal, and what changed, over random neighbours."""
    chance, field = random.Random(seed), Field()
    for number in range(4000):
        pool: list[Any] = TEXTS if number % 2 else ITEMS
        before = chance.choices(pool, k=chance.randrange(24))
        after = [*before]
        for _ in range(chance.randrange(3)):
            at = chance.randrange(len(after) + 1)
            after[at : at + chance.randrange(3)] = [chance.choice(pool)] * chance.randrange(3)
        one, other = encode_each(before), encode_each(after)
        assert one == tuple(map(encode, before))
        assert lists._hunks(field, one, other) == slowly(one, other)  # type: ignore[arg-type]
        is_equal = len(one) == len(other) and not lists._trimmed(field, one, other).before  # type: ignore[arg-type]
        assert is_equal == (list(map(Field.canon, one)) == list(map(Field.canon, other)))
        assert alike(before, after) == same(encode(before), encode(after))
