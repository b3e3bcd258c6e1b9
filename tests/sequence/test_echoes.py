"""What two inserted alike at one place counts once, however the pieces of it are cut."""

from __future__ import annotations

import pytest

from concordant.merge.causality import Stamp
from concordant.merge.sequence import echoes
from concordant.merge.sequence.edit import splice
from concordant.merge.sequence.layout import layout
from concordant.merge.sequence.order import cut
from concordant.merge.sequence.overlap import Rules, analyse
from concordant.merge.sequence.pieces import Sequence
from concordant.merge.sequence.units import unit_hunks

RULES = Rules(unit="word", separator="\n")


def put(sequence: Sequence, n: int, base: str, new: str, seen: int) -> Sequence:
    """An edit by somebody who had seen some writes."""
    stamp = Stamp(float(n), "a", n, f"agent {n}", f"agent {n}", "edit")

    def hunks(base: str, new: str) -> object:
        return unit_hunks(base, new, "word")

    return splice(
        sequence,
        stamp,
        base,
        new,
        hunks(base, new),
        seen=lambda s: s.n <= seen,
        rules=RULES,
        drift_of=hunks,
        separator="\n",
    )  # type: ignore[arg-type]


def shown(sequence: Sequence) -> str:
    text: str = layout(sequence, sequence.analysed(RULES, analyse), "\n", "word").content("")
    return text


def check_that_cuts_make_no_difference() -> None:
    sequence = put(Sequence([], {}), 1, "", "A.", 0)
    sequence = put(sequence, 2, "A.", "A.\nOne. Two.", 1)
    sequence = put(sequence, 3, "A.", "A.\n One. Two.", 1)
    for at in range(1, 10):
        parts = [part for piece in sequence for part in cut(piece, [at])]
        assert shown(Sequence(parts, sequence.strikes, sequence.newest_root)) == shown(sequence)


def test_cuts_make_no_difference() -> None:
    """Where a run is cut, as it is where a part of it was removed once, no word of it becomes the same as another's."""
    check_that_cuts_make_no_difference()


def test_units_of_single_pieces_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test fails where each piece is looked at by itself."""
    monkeypatch.setattr(echoes, "_stretches", lambda seen: [(part.offset, str(part.content)) for part in seen])
    with pytest.raises(AssertionError):
        check_that_cuts_make_no_difference()
