"""What a sequence remembers, of one scope's pieces and of what was removed, is what a look at all of it gives."""

from __future__ import annotations

import random
import re
from functools import partial
from typing import Any

import pytest

from concordant.merge.causality import Stamp, seen_everything
from concordant.merge.sequence import layout as layouts, order
from concordant.merge.sequence.edit import append, splice
from concordant.merge.sequence.layout import layout
from concordant.merge.sequence.order import join
from concordant.merge.sequence.overlap import NOTHING, Rules, analyse
from concordant.merge.sequence.pieces import WORTH_REMEMBERING, Changed, Gone, Sequence
from concordant.merge.sequence.units import unit_hunks

RULES = Rules("word")
SENTENCES = Rules("sentence")
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


def test_what_was_removed_is_not_looked_at_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence is written anew a thousand times: an edit looks at those removed pieces alone that are news."""
    looked = [0]
    look = layouts._Fold._remove

    def counted(*args: Any) -> None:
        looked[0] += 1
        look(*args)

    monkeypatch.setattr(layouts._Fold, "_remove", counted)
    rules, hunks = Rules("sentence"), partial(unit_hunks, unit="sentence")
    text = "It begins.\nStep 0 of many.\nIt ends."
    sequence = append(Sequence([], {}), Stamp(1.0, "r", 1, "ada", "one", "write"), 1, text)
    for n in range(2, 1_000):
        stamp, new = Stamp(float(n), "r", n, "ada", "one", "write"), text.replace(f"Step {n - 2} ", f"Step {n - 1} ")
        looked[0] = 0
        sequence = splice(
            sequence, stamp, text, new, hunks(text, new), seen=seen_everything, rules=rules, drift_of=hunks,
            separator="\n",
        )  # fmt: skip
        text = new
        assert looked[0] <= (2 if n > 2 * WORTH_REMEMBERING else 2 * WORTH_REMEMBERING)
        if n % 100 == 0:
            assert layout(Sequence(sequence.pieces(), sequence.strikes), NOTHING, "\n", "sentence").content("") == text


def test_what_was_removed_beside_an_edit_is_not_looked_at_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three sentences are written anew in turn: what was removed in front of the next one is passed over too, and the
    text is laid out as one that nobody has edited before."""
    looked = [0]
    look = layouts._Fold._remove

    def counted(*args: Any) -> None:
        looked[0] += 1
        look(*args)

    rules, hunks = Rules("sentence"), partial(unit_hunks, unit="sentence")
    lines = ["It begins.", "It goes on.", "It ends."]
    sequence = append(Sequence([], {}), Stamp(1.0, "r", 1, "ada", "one", "write"), 1, "\n".join(lines), line=True)
    for n in range(2, 300):
        stamp, text = Stamp(float(n), "r", n, "ada", "one", "write"), "\n".join(lines)
        lines[n % 3] = f"This is step {n}."
        new = "\n".join(lines)
        with monkeypatch.context() as patch:
            patch.setattr(layouts._Fold, "_remove", counted)
            looked[0] = 0
            sequence = splice(
                sequence, stamp, text, new, hunks(text, new), seen=seen_everything, rules=rules, drift_of=hunks,
                separator="\n",
            )  # fmt: skip
        assert looked[0] <= (4 if n > 3 * WORTH_REMEMBERING else 4 * WORTH_REMEMBERING)
        edited = layout(sequence, NOTHING, "\n", "sentence")
        anew = layout(Sequence(sequence.pieces(), sequence.strikes), NOTHING, "\n", "sentence")
        assert (edited.numbers, edited.contents) == (anew.numbers, anew.contents)


def test_notes_of_removed_pieces_move_with_them() -> None:
    """What was noted behind a change has other numbers then; it is forgotten where it may show another way now, because
    it was changed itself, or because a separator in it was hidden for what stood in front."""
    gone = Gone(frozenset(), frozenset(["one"]), (1.0, "r", 1), "x.")
    before, in_it, hidden, behind = (layouts.Passed(first, first + 9, gone, first == 40) for first in (0, 20, 40, 60))
    change = Changed(20, 30, 20, 33)
    found = [*layouts._still_there([before, in_it, hidden, behind], change, change)]
    assert found == [before, layouts.Passed(63, 72, gone, False)]


def test_a_join_looks_at_what_differs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two replicas of a text of hundreds of sentences are both edited: their join is sorted nowhere, and shares with
    the one that takes it all blocks in which nothing differs."""
    text = " ".join(f"Sentence {n} of many." for n in range(500))
    sequence = append(Sequence([], {}), Stamp(1.0, "a", 1, "ada", "one", "write"), 1, text)
    for n in range(2, 400):
        sequence = edited(sequence, Stamp(float(n), "a", n, "ada", "one", "edit"), n)
    one = edited(sequence, Stamp(400.0, "a", 400, "ada", "one", "edit"), 30)
    two = edited(sequence, Stamp(401.0, "b", 1, "bob", "two", "edit"), 300)
    vectors = {"a": 400}, {"a": 399, "b": 1}
    whole = Sequence(order.in_order(order.united(one, two)), {**one.strikes, **two.strikes})

    def never(pieces: object) -> list[Any]:
        raise AssertionError("all pieces are sorted")

    monkeypatch.setattr(order, "in_order", never)
    joined = join(one, two, *vectors)
    assert joined is not None and joined == whole
    blocks = {id(block) for block in one._blocks}
    assert len([block for block in joined._blocks if id(block) not in blocks]) < 4 < len(blocks)


def edited(sequence: Sequence, stamp: Stamp, number: int) -> Sequence:
    """A text in which a sentence is written anew."""
    shown = layout(sequence, analyse(sequence, SENTENCES), "", "sentence").content("")
    new = re.sub(rf"Sentence {number} of \w+\.", f"Sentence {number} of step{stamp.n}.", shown)
    hunks = partial(unit_hunks, unit="sentence")
    return splice(
        sequence, stamp, shown, new, hunks(shown, new), seen=seen_everything, rules=SENTENCES, drift_of=hunks,
    )  # fmt: skip
