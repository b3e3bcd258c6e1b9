"""What a sequence remembers of one scope's pieces is what a look at all of them gives."""

from __future__ import annotations

import random
from functools import partial

import pytest

from concordant.merge.causality import Stamp, seen_everything
from concordant.merge.sequence.edit import append, splice
from concordant.merge.sequence.layout import layout
from concordant.merge.sequence.overlap import Rules, analyse
from concordant.merge.sequence.pieces import Sequence
from concordant.merge.sequence.units import unit_hunks

RULES = Rules("word")
HUNKS = partial(unit_hunks, unit="word")


@pytest.mark.parametrize("number", range(20))
def test_remembered_pieces_are_those_that_are_there(seed: str, number: int) -> None:
    """Through appends, insertions and strikes by three scopes, one of which asks again and again."""
    rnd = random.Random(f"{seed}/{number}")
    sequence = Sequence([], {})
    for n in range(1, 60):
        origin = rnd.choice(["one", "two", "three"])
        stamp = Stamp(float(n), "r", n, "ada", origin, "write")
        if rnd.random() < 0.4:
            sequence = append(sequence, stamp, 1, f"\nline {n}", line=True)
        else:
            shown = layout(sequence, analyse(sequence, RULES), "\n", "word").content("")
            at = rnd.randint(0, len(shown))
            new = shown[:at] + f" {n} " + shown[at + rnd.randint(0, 5) :]
            sequence = splice(
                sequence, stamp, shown, new, HUNKS(shown, new), seen=seen_everything, rules=RULES, drift_of=HUNKS,
                separator="\n",
            )  # fmt: skip
        asked = rnd.choice(["one", "one", "one", "two"])
        struck = {run for run, strike in sequence.strikes.items() if strike.stamp.origin == asked}
        mine = [(i, p) for i, p in enumerate(sequence) if p.stamp.origin == asked and p.live]
        assert [*sequence.standing_of(asked)] == [(i, p) for i, p in mine if struck.isdisjoint(p.struck)]
