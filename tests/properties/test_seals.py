"""Seals against an exact model: a unit of a text is a register, and what was settled replaced what was seen of it.

Each write of the unit, and each decision about it, replaces what its store knew to stand there, and nothing else. So
whoever goes on from a contender that somebody has dropped elsewhere stands against that; who had seen it dropped does
not. Each write says something new, and no two decisions the same: what two say alike is another matter.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import pytest
from hypothesis import Phase, given, settings, strategies as st
from pydantic import BaseModel

from concordant import Map, Text, Workspace
from concordant.escalation import Escalation
from concordant.merge.sequence.aside import Raised, _gone_on_from, raised
from concordant.merge.sequence.edit import _Edit

from ..mutants.breaking import swap
from ..semantics.support import KEY, NS

BASE = "It jumps."
STORES = 3
SAID = ["It sings.", "It barks.", "It roars.", "It is so.", "It hums.", "It naps.", "It eats.", "It digs."]


class Brief(BaseModel):
    notes: Annotated[str, Text()] = ""
    lines: Annotated[str, Text(unit="line")] = ""
    words: Annotated[str, Text(unit="word")] = ""
    whole: Annotated[str, Text(unit="whole")] = ""
    empty: Annotated[str, Text(unit="whole")] = ""
    texts: Annotated[dict[str, Annotated[str, Text()]], Map()] = {}


FORMS: dict[str, Callable[[str], Any]] = {
    "notes": lambda one: f"We go. {one} It ends.",
    "lines": lambda one: f"We go\n{one}\nIt ends",
    "words": lambda one: f"go {_bare(one)} end",
    "whole": lambda one: one,
    "empty": lambda one: one,
    "texts": lambda one: {"a": f"We go. {one}"},
}


def _bare(said: str) -> str:
    return said.removeprefix("It ").strip(".").replace(" ", "")


class Step(NamedTuple):
    """One step of a history.

    Attributes:
        act: ``write`` the unit, ``decide`` the question about it by ``choice``, ``send`` all to the store ``choice``,
            or ``restart``.
        store: where.
    """

    act: str
    store: int
    choice: int


class Entry(NamedTuple):
    """One write of the unit: what it says, and what it replaced."""

    said: str
    replaced: frozenset[int]


class Team:
    """Stores that write one unit of a text, beside the model of it."""

    def __init__(self, field: str, place: Path | None) -> None:
        self.field, self.place = field, place
        self.stores = [self.opened(number) for number in range(STORES)]
        base = "" if field == "empty" else BASE
        self.writes = [Entry(base, frozenset())]
        self.known: list[set[int]] = [set() for _ in range(STORES)]
        self.fresh = iter(SAID)
        self.decided: set[str] = set()
        self._edit(self.stores[0], BASE, "eve")
        self._edit(self.stores[0], base, "eve")
        self.known[0] = {0}
        for number in range(1, STORES):
            self.send(0, number)

    def opened(self, number: int) -> Workspace:
        url = None if self.place is None else f"sqlite:///{self.place / str(number)}.db"
        return Workspace(url, schemas={NS: Brief})

    def standing(self, store: int) -> set[int]:
        """The writes that a store knows, and knows nobody to have replaced."""
        known = self.known[store]
        return known - frozenset[int]().union(*(self.writes[one].replaced for one in known))

    def said(self, store: int) -> set[str]:
        return {self.writes[one].said for one in self.standing(store)}

    def question(self, workspace: Workspace) -> Escalation | None:
        asked = workspace.escalations()
        assert len(asked) <= 1
        return asked[0] if asked else None

    # -- steps -----------------------------------------------------------------------------------------------------

    def run(self, step: Step) -> None:
        if step.act == "write":
            self.write(step.store)
        elif step.act == "decide":
            self.decide(step.store, step.choice)
        elif step.act == "send":
            self.send(step.store, step.choice)
        elif self.place is not None:
            self.stores[step.store].close()
            self.stores[step.store] = self.opened(step.store)
        self.check(step.store)

    def write(self, store: int) -> None:
        said = next(self.fresh, None)
        if said is not None:
            self._edit(self.stores[store], said, f"w{len(self.writes)}")
            self._note(store, said)

    def _edit(self, workspace: Workspace, said: str, who: str) -> None:
        with workspace.agent(who).edit(NS, KEY) as brief:
            setattr(brief, self.field, FORMS[self.field](said))

    def decide(self, store: int, choice: int) -> None:
        asked = self.question(self.stores[store])
        if asked is None:
            return
        told = {self._side(one.said): one.said for one in self.writes}
        options = [one for one in sorted({*self.said(store), told[asked.base]}) if one not in self.decided]
        if not options:
            return
        said = options[choice % len(options)]
        self.decided.add(said)
        if self._side(said) == asked.base:
            self.stores[store].dismiss(asked, by="judge")
        else:
            self.stores[store].resolve(asked, self._side(said), by="judge")
        self._note(store, said)

    def _note(self, store: int, said: str) -> None:
        self.writes.append(Entry(said, frozenset(self.standing(store))))
        self.known[store].add(len(self.writes) - 1)

    def send(self, store: int, other: int) -> None:
        if store != other:
            self.stores[other].import_(self.stores[store].export())
            self.known[other] |= self.known[store]
            self.check(other)

    def finish(self, order: list[int]) -> None:
        """All learn of all, in an order; and so does a store that has known nothing."""
        new = Workspace(schemas={NS: Brief})
        for number in order:
            new.import_(self.stores[number].export())
            for other in range(STORES):
                self.send(number, other)
        for number in range(STORES):
            self.send(order[-1], number)
        told = {str((self.shown(one), self._told(one))) for one in [*self.stores, new]}
        assert len(told) == 1, told
        for one in [*self.stores, new]:
            one.close()

    # -- what is shown -----------------------------------------------------------------------------------------------

    def _side(self, said: str) -> str:
        """What stands for the unit in a question."""
        return {"lines": said, "words": _bare(said)}.get(self.field, said)

    def shown(self, workspace: Workspace) -> Any:
        document = workspace.get(NS, KEY)
        assert document is not None
        return document.value[self.field]

    def _told(self, workspace: Workspace) -> Any:
        asked = self.question(workspace)
        return asked and (asked.id, asked.version, asked.base, sorted(str(c.value) for c in asked.contenders))

    def check(self, store: int) -> None:
        """A store asks what the model says is in dispute; or shows what stands there."""
        said, workspace = self.said(store), self.stores[store]
        asked = self.question(workspace)
        if len(said) == 1:
            assert asked is None, (said, asked)
            assert self.shown(workspace) == FORMS[self.field](*said)
        else:
            assert asked is not None, said
            assert {c.value for c in asked.contenders} == {*map(self._side, said)}
            assert self.shown(workspace) in [FORMS[self.field](one.said) for one in self.writes]


STEPS = st.builds(
    Step,
    st.sampled_from(["write", "write", "decide", "decide", "send", "send", "restart"]),
    st.integers(0, STORES - 1),
    st.integers(0, STORES - 1),
)
HISTORIES = (
    st.sampled_from([*FORMS]),
    st.lists(STEPS, min_size=3, max_size=14),
    st.permutations(range(STORES)),
    st.booleans(),
)


def play(field: str, steps: list[Step], order: list[int], lasts: bool) -> None:
    with tempfile.TemporaryDirectory() as place:
        team = Team(field, Path(place) if lasts else None)
        for store in (0, 1):
            team.write(store)
        team.send(0, 1)
        for step in steps:
            team.run(step)
        team.finish(order)


@given(*HISTORIES)
def test_g8_who_goes_on_from_what_was_dropped_is_asked(
    field: str, steps: list[Step], order: list[int], lasts: bool
) -> None:
    """Whatever stores write, decide and hear of one unit, in whatever order: what has not seen each other is in
    dispute, dropped contenders from which somebody went on included; nothing else is."""
    play(field, steps, order, lasts)


def dropped_without_a_seal(patch: pytest.MonkeyPatch) -> None:
    """Nobody is known to have gone on from what was dropped."""
    swap(patch, _Edit.set_aside, _Edit.drop)


def nothing_stands_again(patch: pytest.MonkeyPatch) -> None:
    """Who has gone on from what was dropped is not weighed against what was settled."""
    swap(patch, raised, lambda sequence, seals: Raised(sequence, frozenset(), {}, frozenset()))


def all_that_is_sealed_stands_again(patch: pytest.MonkeyPatch) -> None:
    """Whoever settled something counts as having gone on from what that dropped."""
    swap(patch, _gone_on_from, lambda sequence, aside: {*aside})


@pytest.mark.parametrize("mutant", [dropped_without_a_seal, nothing_stands_again, all_that_is_sealed_stands_again])
def test_a_broken_seal_is_noticed(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each deliberate fault fails the property, within as many histories as it looks at."""
    broken = settings(max_examples=60, phases=[Phase.explicit, Phase.generate], database=None, derandomize=True)
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        broken(given(*HISTORIES)(play))()
