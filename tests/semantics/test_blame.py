"""Who wrote what, asked again and again while a text grows."""

from __future__ import annotations

import random
import time
from typing import Annotated

import pytest
from pydantic import BaseModel

from concordant import Text, Workspace
from concordant.merge.sequence import blame

PLACE = ("pages",), "home"
WORDS = ("agents", "share", "state", "write", "read", "merge")


class Page(BaseModel):
    body: Annotated[str, Text()] = ""


def test_who_asks_again_has_nothing_compared_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a sentence that grows letter by letter each form is compared once with the one before, however often one
    asks."""
    compared: list[str] = []
    hunks = blame.unit_hunks
    monkeypatch.setattr(blame, "unit_hunks", lambda old, new, unit: compared.append(new) or hunks(old, new, unit))
    with Workspace(schemas={PLACE[0]: Page}) as ws:
        ada = ws.agent("ada")
        ada.write(*PLACE, {"body": "We write. It is read."})
        for letter in "and so on":
            with ada.edit(*PLACE) as page:
                page.body = page.body.replace(". It", f"{letter}. It")
            ws.blame(*PLACE)
        assert len(compared) == len("and so on")


def test_what_was_told_of_other_writes_is_not_taken_over() -> None:
    """A store that is restored from a backup numbers other writes alike: what was told of the earlier ones says nothing
    of them, nor of what has replaced them."""
    told = []
    for first in ("Ada writes it.", "Ada reads it."):
        with Workspace(replica="one", schemas={PLACE[0]: Page}) as ws:
            ws.agent("ada").write(*PLACE, {"body": first})
            for agent, body in (("bob", "Bob writes it."), ("eve", "Eve writes it.")):
                with ws.agent(agent).edit(*PLACE) as page:
                    page.body = body
            told.append(ws.reading._blamed)
            ws.reading._blamed.update(told[0])
            found = ws.blame(*PLACE)["body",]
    assert [(credit.value, credit.agent) for credit in found] == [
        ("Eve", "eve"),
        (" ", "ada"),
        ("writes", "bob"),
        (" it.", "ada"),
    ]


def changed(text: str, chance: random.Random) -> str:
    words = text.split(" ")
    at = chance.randrange(len(words))
    way = chance.random()
    if way < 0.5:
        words[at] = chance.choice(WORDS) + "." * (chance.random() < 0.2)
    elif way < 0.8 or len(words) < 4:
        words.insert(at, chance.choice(WORDS))
    else:
        del words[at]
    return " ".join(words)


def test_what_is_remembered_of_it_changes_no_answer(seed: str) -> None:
    """Agents that write at once, decide, take back and forget: whoever has asked before is told what others are."""
    for part in range(4):
        chance = random.Random(f"{seed}/{part}")
        with Workspace(schemas={PLACE[0]: Page}) as ws, Workspace(schemas={PLACE[0]: Page}) as other:
            ws.agent("ada").write(*PLACE, {"body": "We share state. Agents write and read. All is merged."})
            other.import_(ws.export())
            for _ in range(40):
                way = chance.random()
                store = ws if chance.random() < 0.7 else other
                if way < 0.6:
                    with store.agent(chance.choice(("ada", "bob", "eve"))).edit(*PLACE) as page:
                        page.body = changed(page.body, chance)
                elif way < 0.7:
                    with store.agent("ada").edit(*PLACE) as one, store.agent("bob").edit(*PLACE) as two:
                        one.body, two.body = changed(one.body, chance), changed(two.body, chance)
                elif way < 0.78:
                    for question in store.escalations():
                        store.resolve(question, chance.choice(question.contenders).value, by="maria")
                elif way < 0.84:
                    store.undo(agent=chance.choice(("ada", "bob", "eve")), by="maria")
                elif way < 0.9:
                    store.vacuum()
                else:
                    frames = ws.export(), other.export()
                    ws.import_(frames[1])
                    other.import_(frames[0])
                asked = ws.blame(*PLACE)
                ws.reading._blamed.clear()
                assert ws.blame(*PLACE) == asked, (seed, part)
                if chance.random() < 0.5:
                    ws.reading._blamed.clear()


def test_one_long_word_is_told_in_the_time_of_its_length() -> None:
    """What encodes a picture, or is a script without blanks, is one word: twice its length takes twice the time, not
    four times."""

    def cost(length: int) -> float:
        with Workspace(schemas={PLACE[0]: Page}) as ws:
            ws.agent("ada").write(*PLACE, {"body": "x" * length})
            ws.blame(PLACE[0], "other")
            begun = time.process_time()
            assert [len(credit.value) for credit in ws.blame(*PLACE)[("body",)]] == [length]
            return time.process_time() - begun

    assert cost(1_600_000) < 20 * min(cost(200_000) for _ in range(3))
