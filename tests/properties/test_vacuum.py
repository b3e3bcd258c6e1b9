"""Stores that forget what was removed, whenever they may, show and merge what stores show that never forget."""

from __future__ import annotations

import itertools
import random
import re
import time
from collections.abc import Sequence as Items
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import DELETED, List, MissingBaseError, StaleDecisionError, Text, Workspace
from concordant.workspace import forgetting, frontier, onward, writing

from .fuzz import explore
from .world import exact

DAY = timedelta(seconds=10)
"""For how long somebody may go on from what was read, in these histories."""

START = time.time() + 12 * 3_600.0
"""When histories begin: later than any of them is played, or the clock would stand still in them; sooner than a day,
or stores would not take it."""

WORDS = ["one", "two", "six", "ten", "red"]
SENTENCES = ["We ship in May.", "Nobody knows.", "It is late.", "Ada asks.", "Ask Bob."]


class Note(BaseModel):
    """A text and a list."""

    text: Annotated[str, Text()] = ""
    steps: Annotated[list[str], List()] = []


PLACE = (("notes",), "n")
SCHEMAS: dict[tuple[str, ...], Any] = {("notes",): Note}


class Stores:
    """Some stores that exchange frames, each with two agents.

    Attributes:
        frames: those on their way: to which store, what, and the same with whole documents.
        forgotten: how many pieces were forgotten.
    """

    def __init__(self, count: int, forget: bool, folder: Path | None = None) -> None:
        self.forget = forget
        self.folder = folder
        self.forgotten = 0
        self.frames: list[tuple[int, bytes, bytes]] = []
        self.drafts: dict[tuple[int, int], Any] = {}
        self.time = START
        self.spaces = [self.opened(number) for number in range(count)]
        self.agents = [[space.agent(f"{name}{at}") for name in "ab"] for at, space in enumerate(self.spaces)]
        self.spaces[0].agent("first").write(
            *PLACE, {"text": "One is here. Two is here.\nThree is here.", "steps": ["a", "b"]}
        )
        for one in self.spaces:
            for other in self.spaces:
                if one is not other:
                    one.exchange(other)

    def opened(self, number: int) -> Workspace:
        name = f"store{number}"
        url = f"sqlite:///{self.folder}/{name}-{self.forget}.db" if self.folder else None
        return Workspace(url, schemas=SCHEMAS, replica=name, forgets=self.forget)

    def act(self, name: str, seed: int) -> None:
        self.tick(0.01)
        rnd = random.Random(seed)
        at, who = rnd.randrange(len(self.spaces)), rnd.randrange(2)
        space, agent = self.spaces[at], self.agents[at][who]
        if name == "edit":
            with agent.edit(*PLACE) as note:
                changed(rnd, note)
        elif name == "write":
            agent.write(*PLACE, {"text": rnd.choice(SENTENCES), "steps": [rnd.choice(WORDS)]})
        elif name == "open" and (at, who) not in self.drafts:
            manager = agent.edit(*PLACE)
            self.drafts[at, who] = (manager, manager.__enter__())
        elif name == "close" and (at, who) in self.drafts:
            manager, note = self.drafts.pop((at, who))
            changed(rnd, note)
            manager.__exit__(None, None, None)
        elif name == "refresh":
            agent.refresh()
        elif name == "decide":
            self.decide(rnd, space)
        elif name == "undo":
            space.undo(agent=rnd.choice(["a", "b"]) + str(at), by="eve", dry_run=False)
        elif name in ("send", "meet"):
            self.exchange(rnd, at, wait=name == "send")
        elif name == "deliver" and self.frames:
            self.deliver(*rnd.choice(self.frames))
        elif name == "day":
            self.wait()
        elif name == "round":
            self.meet()
        elif name == "vacuum" and self.forget:
            self.forgotten += space.vacuum(removed=DAY).pieces
        elif name == "restart" and self.folder:
            self.restart(at)

    def exchange(self, rnd: random.Random, at: int, *, wait: bool) -> None:
        to = rnd.choice([other for other in range(len(self.spaces)) if other != at])
        since = None if rnd.random() < 0.2 else self.spaces[to].version_vector()
        frame, whole = self.spaces[at].export(since), self.spaces[at].export(since, whole=True)
        if wait:
            self.frames.append((to, frame, whole))
        else:
            self.deliver(to, frame, whole)

    def deliver(self, to: int, frame: bytes, whole: bytes) -> None:
        """Brings a frame; where what it tells of was not kept, that with whole documents."""
        try:
            self.spaces[to].import_(frame)
        except MissingBaseError:
            self.spaces[to].import_(whole)

    def wait(self) -> None:
        """A day goes by: nobody goes on from what was read before."""
        self.drafts.clear()
        for agent in (agent for agents in self.agents for agent in agents):
            agent.refresh()
        self.tick(1.5 * DAY.total_seconds())

    def tick(self, seconds: float) -> None:
        """Time goes by, for all stores alike: what is forgotten takes commits of its own, which is not to tell."""
        self.time += seconds
        for space in self.spaces:
            space.storage.advance(self.time)

    def restart(self, at: int) -> None:
        """The store is opened anew."""
        for who in range(2):
            self.drafts.pop((at, who), None)
        self.spaces[at].close()
        self.spaces[at] = self.opened(at)
        self.agents[at] = [self.spaces[at].agent(f"{name}{at}") for name in "ab"]

    @staticmethod
    def decide(rnd: random.Random, space: Workspace) -> None:
        found = sorted(space.escalations(), key=lambda e: (e.path, exact(e.base) if e.has_base else ""))
        if found:
            contenders = sorted(found[0].contenders, key=lambda c: (c.value is DELETED, str(c.value)))
            with suppress(StaleDecisionError):
                space.resolve(found[0], rnd.choice(contenders).value, by="editor")

    def meet(self) -> None:
        """All tell each other all."""
        for _ in range(2):
            for one in self.spaces:
                for other in self.spaces:
                    if one is not other:
                        one.exchange(other)


def changed(rnd: random.Random, note: Any) -> None:
    """Some change of a draft: words, sentences, items."""
    if rnd.random() < 0.7:
        parts = note.text.split(" ") if rnd.random() < 0.6 else note.text.split(". ")
        glue = " " if " ".join(parts) == note.text else ". "
        at = rnd.randrange(len(parts) + 1)
        parts[at : at + rnd.randrange(4)] = rnd.choices(WORDS, k=rnd.randrange(3))
        note.text = glue.join(parts)
    if rnd.random() < 0.5:
        steps = [*note.steps]
        at = rnd.randrange(len(steps) + 1)
        steps[at : at + rnd.randrange(3)] = rnd.choices("abcdef", k=rnd.randrange(3))
        note.steps = steps


def shown(space: Workspace) -> tuple[Any, Any, Any]:
    """What is shown of the document, what is asked about it, and who is named for which part of it."""
    document = space.get(*PLACE)
    if document is None:
        return None, [], {}
    asked = sorted(
        (e.reason, str(e.path), repr(e.base), sorted((repr(c.value), sorted(c.agents)) for c in e.contenders))
        for e in space.escalations()
    )
    credits = space.blame(*PLACE)
    return exact(document.value), asked, {p: [(exact(c.value), c.agents) for c in cs] for p, cs in credits.items()}


ACTS = ["edit"] * 8 + ["write"] * 2 + ["open", "close"] * 3 + ["refresh"] + ["send"] * 3 + ["deliver"] * 3
ACTS += ["meet"] * 6 + ["round"] * 2 + ["day"] * 4 + ["vacuum"] * 5 + ["decide"] * 2


def vacuum_history(rnd: random.Random, steps: int, *more: str) -> list[Any]:
    """A random history of stores, that forget or do not."""
    begin: Any = ("begin", rnd.randint(2, 3), {})
    return [begin, *((rnd.choice([*ACTS, *more]), rnd.randrange(2**32), {}) for _ in range(steps))]


def undo_history(rnd: random.Random, steps: int) -> list[Any]:
    """One in which agents are undone."""
    return vacuum_history(rnd, steps, "undo")


def durable_history(rnd: random.Random, steps: int) -> list[Any]:
    """One in which stores are opened anew."""
    return vacuum_history(rnd, steps, "restart", "restart")


def check_vacuum(acts: Items[Any]) -> None:
    """Of stores that do the same some forget all that they may."""
    check(acts)


def check(acts: Items[Any], folder: Path | None = None) -> int:
    """Plays a history with stores that forget and such that do not; returns how many pieces were forgotten."""
    _, count, _ = acts[0]
    kept, forgetful = (Stores(count, forget, folder) for forget in (False, True))
    named = not any(name == "undo" for name, *_ in acts)
    for name, seed, _ in acts[1:]:
        for stores in (kept, forgetful):
            stores.act(name, seed)
        if not compare(kept, forgetful, named):
            break  # from here on they do different things
    for stores in (kept, forgetful):
        stores.wait()
        stores.meet()
    compare(kept, forgetful, named)
    for _ in range(2):
        for space in forgetful.spaces:
            forgetful.forgotten += space.vacuum(removed=DAY).pieces
        forgetful.wait()
        forgetful.meet()
    compare(kept, forgetful, named)
    pictures = [shown(space)[:2] for space in forgetful.spaces]
    assert all(one == pictures[0] for one in pictures)
    for space in (*kept.spaces, *forgetful.spaces):
        space.close()
    return forgetful.forgotten


def compare(kept: Stores, forgetful: Stores, named: bool) -> bool:
    """What the one show the others show, but for blanks where several removed what stood between; tells whether even
    these are the same.

    Args:
        named: whether also the same are named for it. Who is for a side of a question may be told by what it was made
            of, and differs where that came back.
    """
    alike = True
    for one, other in zip(kept.spaces, forgetful.spaces, strict=True):
        whole, rest = shown(one), shown(other)
        assert but_for_blanks(whole, named) == but_for_blanks(rest, named), f"{whole} is shown as {rest}"
        alike = alike and whole == rest
    return alike


def but_for_blanks(found: tuple[Any, Any, Any], named: bool = True) -> Any:
    """What is shown without any blanks."""
    value, asked, credits = found
    who = [[agents for part, agents in parts for _ in BLANKS.sub("", part)] for parts in credits.values()]
    questions = [
        (reason, path, BLANKS.sub("", base), sorted((BLANKS.sub("", side), named and agents) for side, agents in sides))
        for reason, path, base, sides in asked
    ]
    return BLANKS.sub("", value or ""), sorted(questions), who if named else None


BLANKS = re.compile(r"(?:\\+n|\s)+")
"""Also as they are told of in JSON."""


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days are short, what is short travels as what became of it, and with every second edit of anything a few pieces
    are forgotten."""
    shorten(monkeypatch)


def shorten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(frontier, "REMOVED_KEPT", DAY)
    patch.setattr(onward, "LONG", 4)
    patch.setattr(writing, "LARGE", -1)
    patch.setattr(forgetting, "EVERY", 2)
    patch.setattr(forgetting, "WINDOW", 6)


def test_g1_g4_what_all_have_seen_removed_is_missed_by_nobody(seed: str) -> None:
    """Values, questions, attribution and later merges are the same with and without forgetting, whoever hears of what
    and when."""
    explore(check_vacuum, seed, 3, 40, vacuum_history)


def test_g1_what_was_forgotten_is_undone_as_what_is_known(seed: str) -> None:
    """Undoing an agent leaves the same with and without forgetting."""
    explore(check_vacuum, seed, 2, 40, undo_history)


@pytest.mark.torture
@pytest.mark.parametrize("history", [vacuum_history, undo_history])
def test_g1_g4_long_histories_of_forgetting(history: Any, seed: str) -> None:
    """The same for hundreds of longer histories."""
    explore(check_vacuum, seed, 300, 80, history)


@pytest.mark.torture
def test_g10_stores_that_are_opened_anew_forget_the_same(seed: str, tmp_path: Path) -> None:
    """The same in files, with restarts at any moment."""
    counter = itertools.count()

    def check_anew(acts: Items[Any]) -> None:
        folder = tmp_path / str(next(counter))
        folder.mkdir()
        check(acts, folder)

    explore(check_anew, seed, 40, 40, durable_history)


@pytest.mark.torture
def test_g1_g4_a_thousand_edits(seed: str) -> None:
    """The same for one long history; compared now and then, and in all at its end."""
    rnd = random.Random(seed)
    kept, forgetful = Stores(2, False), Stores(2, True)
    acts = ["edit"] * 60 + ["meet"] * 8 + ["round"] * 4 + ["day"] * 2 + ["vacuum"]
    edits = 0
    while edits < 1_000:
        name, step = rnd.choice(acts), rnd.randrange(2**32)
        edits += name == "edit"
        for stores in (kept, forgetful):
            stores.act(name, step)
            if name == "edit":
                shorten_text(stores)
        if edits % 200 == 0 and name == "edit":
            values = [[read(space) for space in stores.spaces] for stores in (kept, forgetful)]
            assert values[0] == values[1]
    for stores in (kept, forgetful):
        stores.wait()
        stores.meet()
    compare(kept, forgetful, True)
    assert forgetful.forgotten > 100


def shorten_text(stores: Stores) -> None:
    """Keeps the document small: what grows is its history."""
    for space, agents in zip(stores.spaces, stores.agents, strict=True):
        document = space.get(*PLACE)
        if document is not None and len(document.value.get("text", "")) > 2_000:
            with agents[0].edit(*PLACE) as note:
                note.text, note.steps = note.text[1_000:], note.steps[-20:]


def read(space: Workspace) -> tuple[str, int]:
    """What is shown, without blanks, and how much of it is asked about."""
    document = space.get(*PLACE)
    return BLANKS.sub("", exact(document.value) if document is not None else ""), len(space.escalations())
