"""The cheap look that spares a contribution the reading of the whole text or list never hides what that begins with."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import List, Text, Workspace
from concordant.merge.kinds.base import ITEM_RULES as RULES
from concordant.merge.sequence.layout import layout
from concordant.merge.sequence.overlap import Rules, analyse
from concordant.merge.sequence.pieces import Sequence

PLACE = (("plans",), "p")
WORDS = ["plan", "read", "write", "ship"]


class Plan(BaseModel):
    text: Annotated[str, Text()] = ""
    steps: Annotated[list[str], List()] = []


def look_at_all(patch: pytest.MonkeyPatch) -> Counter[tuple[bool, bool]]:
    """Has each cheap look compared with what its writer is really shown; counts what it said, and whether anything is
    shown."""
    said: Counter[tuple[bool, bool]] = Counter()
    cheap = Sequence.may_open_with

    def compared(self: Sequence, seen: Any, fits: Callable[[Any], bool]) -> bool:
        found = cheap(self, seen, fits)
        rules = RULES if self.is_list() else Rules("sentence")
        part = self.only(seen)
        shown = layout(part, part.analysed(rules, analyse), "\n", rules.unit)
        said[found, bool(shown.pieces)] += 1
        assert found or not shown.pieces or not fits(shown.pieces[0]), "the writer was shown what it begins with"
        return found

    patch.setattr(Sequence, "may_open_with", compared)
    return said


def play(rnd: random.Random, steps: int) -> None:
    """Agents edit one document, and contribute what they have read, or the beginning of it, with more."""
    ws = Workspace(schemas={PLACE[0]: Plan})
    agents = [ws.agent(name) for name in ("ada", "bob", "cyd")]
    for _ in range(steps):
        agent, word = rnd.choice(agents), rnd.choice(WORDS)
        document = agent.read(*PLACE) if rnd.random() < 0.5 else ws.get(*PLACE)
        value = document.value if document is not None else {}
        known: list[str] = value.get("steps", [])
        lines: list[str] = [line for line in value.get("text", "").split("\n") if line]
        kept = rnd.randint(0, 3)
        if rnd.random() < 0.6:
            agent.write(*PLACE, {"steps": [*known[:kept], word], "text": "\n".join([*lines[:kept], word])})
        else:
            with agent.edit(*PLACE) as plan:
                for items in (plan.steps, changed := [line for line in plan.text.split("\n") if line]):
                    if items and rnd.random() < 0.6:
                        items.pop(rnd.randrange(len(items)))
                    if rnd.random() < 0.5:
                        items.insert(rnd.randint(0, len(items)), word)
                plan.text = "\n".join(changed)
        if rnd.random() < 0.3:
            rnd.choice(agents).refresh()


def test_g1_a_cheap_look_misses_nothing(seed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In random histories, what a writer is shown first is never taken for something else."""
    said = look_at_all(monkeypatch)
    rnd = random.Random(seed)
    for _ in range(40):
        play(rnd, 15)
    assert min(said[True, True], said[False, True], said[False, False]) > 10


@pytest.mark.torture
def test_g1_a_cheap_look_misses_nothing_in_long_histories(seed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in three thousand, longer ones."""
    look_at_all(monkeypatch)
    rnd = random.Random(seed)
    for _ in range(3_000):
        play(rnd, 30)
