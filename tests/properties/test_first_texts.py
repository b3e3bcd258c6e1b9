"""What several make of a text at once that nobody has written yet, where they have read that."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from benchmarks.graphs import run
from concordant import Map, Text, Workspace
from concordant.merge.record import Record
from concordant.merge.record.apply import Write
from concordant.merge.registers import sequences
from concordant.merge.sequence import pieces
from concordant.merge.sequence.units import UnitName
from concordant.workspace import Agent
from concordant.workspace.transaction import Pending
from concordant_langgraph import MergeStore

PLACE = (("notes",), "n")
UNITS: list[UnitName] = ["sentence", "line", "word"]
PARTS = ["A.", "B.", "C c.", "D d"]


def model(unit: UnitName, **options: Any) -> type[BaseModel]:
    class Note(BaseModel):
        text: Annotated[str, Text(unit=unit, **options)] = ""
        topic: Annotated[str, Text()] = ""
        by_key: Annotated[dict[str, Annotated[str, Text(unit=unit, **options)]], Map()] = {}

    return Note


def space(note: type[BaseModel], url: str | None = None) -> Workspace:
    return Workspace(url, schemas={("notes",): note})


def leave(agent: Agent, name: str, content: str) -> None:
    """An edit that leaves a text in a field, or in a key of a map."""
    with agent.edit(*PLACE) as page:
        if name == "by_key":
            page.by_key["k"] = content
        else:
            page.text = content


def at_once(workspaces: list[Workspace], name: str, texts: list[str]) -> None:
    """Edits that all begin before one of them ends, in turn in each of the workspaces."""
    with ExitStack() as stack:
        for number, text in enumerate(texts):
            workspace = workspaces[number % len(workspaces)]
            page = stack.enter_context(workspace.agent(f"w{number}").edit(*PLACE))
            if name == "by_key":
                page.by_key["k"] = text
            else:
                page.text = text


def exchange(made: list[Workspace]) -> None:
    for one in [*made, *made]:
        for other in made:
            if one is not other:
                other.import_(one.export())


def shown(workspace: Workspace, name: str = "text") -> str:
    document = workspace.get(*PLACE)
    assert document is not None
    assert not workspace.escalations()
    found = document.value[name]
    return str(found["k"] if isinstance(found, dict) else found)


def beside_another(note: type[BaseModel], texts: list[str]) -> str:
    """What the same becomes behind a line that is there."""
    with space(note) as workspace:
        workspace.agent("base").write(*PLACE, {"text": "X."})
        at_once([workspace], "text", [f"X.\n{text}" for text in texts])
        return shown(workspace).removeprefix("X.\n")


def test_g2_what_several_make_of_no_text_is_as_what_they_add_to_one(seed: str) -> None:
    """Texts that several put at once where none was become what they would become as lines behind one that is there:
    what they have in common counts once; in one store and in several, in a document that is there or not."""
    chance = random.Random(seed)
    for _ in range(40):
        note, name = model(chance.choice(UNITS)), chance.choice(["text", "by_key"])
        texts = [
            "".join(chance.choice(PARTS) + chance.choice(" \n") for _ in range(chance.choice([1, 1, 2, 3]))).strip()
            for _ in range(chance.choice([2, 2, 3]))
        ]
        made = [space(note) for _ in range(chance.choice([1, 2]))]
        if chance.random() < 0.3:
            made[0].agent("base").write(*PLACE, {"topic": "x"})
            exchange(made)
        at_once(made, name, texts)
        exchange(made)
        assert [shown(workspace, name) for workspace in made] == [beside_another(note, texts)] * len(made), texts
        for workspace in made:
            workspace.close()


@pytest.mark.parametrize("unit", [*UNITS, "whole"])
def test_g2_equal_first_texts_count_once(unit: UnitName, tmp_path: Path) -> None:
    """Two who put the same where no document was have it once, both named; so it stays after a restart, and in a store
    that hears of it then."""
    url, note = f"sqlite:///{tmp_path / 'team.db'}", model(unit)
    with space(note, url) as workspace:
        at_once([workspace], "text", ["A.", "A."])
        assert shown(workspace) == "A."
    with space(note, url) as workspace, space(note) as other:
        other.import_(workspace.export())
        assert shown(workspace) == shown(other) == "A."
        [said] = other.blame(*PLACE)["text",]
        assert {*said.agents} == {"w0", "w1"}


def puts(store: MergeStore, text: str, *looks: bool) -> list[Callable[[], object]]:
    """Nodes that put a text, once all have looked for the document that are to do so."""
    looked = threading.Barrier(len(looks))

    def node(looks: bool) -> None:
        assert not looks or store.get(*PLACE) is None
        looked.wait(60)
        store.put(*PLACE, {"text": text})

    return [partial(node, one) for one in looks]


def test_g2_nodes_that_have_read_that_there_is_nothing() -> None:
    """Two nodes that look for a document, and put the same text, have it once; what a node puts without a look is
    added."""
    for unit in UNITS:
        store = MergeStore({("notes",): model(unit)})
        run(store, puts(store, "A.", True, True))
        assert shown(store.workspace) == "A."
        assert [entry.act for entry in store.workspace.history(*PLACE)] == ["put", "edit"]
        run(store, puts(store, "B.", False))
        assert shown(store.workspace) == "A.\nB."


def test_g1_blind_first_texts_are_added() -> None:
    """Two that write without a look have made two contributions, also beside one who has looked; where agents only add,
    all do."""
    for unit in UNITS:
        with space(model(unit)) as workspace:
            ada, bob = workspace.agent("ada"), workspace.agent("bob")
            ada.write(*PLACE, {"text": "A."})
            bob.write(*PLACE, {"text": "A."})
            assert shown(workspace) == "A.\nA."
        store = MergeStore({("notes",): model(unit)})
        run(store, puts(store, "A.", False, False, True))
        assert shown(store.workspace) == "A.\nA.\nA."
        with space(model(unit, grow_only=True)) as workspace:
            at_once([workspace], "text", ["A.", "A."])
            assert shown(workspace) == "A.\nA."


def told_by_its_mode(write: Write) -> bool:
    """Whether a write changes what was read, as it was told where a document's only write counted as blind."""
    return write.mode == "edit" or (write.mode == "put" and write.base is not None and write.own is None)


def test_g4_what_was_stored_as_blind_meets_what_is_told_since(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores that have the first write of a text as it was made before its reader counted agree with such as have it as
    it is told now."""
    note = model("sentence")
    made = [space(note) for _ in range(3)]
    leave(made[0].agent("ada"), "text", "A.")
    leave(made[2].agent("cyd"), "text", "A.")
    with monkeypatch.context() as patch:
        patch.setattr(Write, "is_edit", property(told_by_its_mode))
        made[1].import_(made[0].export())
        made[1].agent("bob").write(*PLACE, {"text": "B."})
    for one, other in [(0, 1), (1, 0), (2, 0), (2, 1), (0, 1), (1, 0), (0, 2)]:
        made[other].import_(made[one].export())
    assert len({shown(workspace) for workspace in made}) == 1
    states = [workspace.storage.load(*PLACE) for workspace in made]
    trees = [state.tree for state in states if isinstance(state, Record)]
    assert len(trees) == len(made)
    assert len({text.digest() for tree in trees for _, text in sequences(tree)}) == 1


def test_many_first_texts_cost_no_more_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many put something at one place at once, each is compared with the others by a search for its own units
    alone: theirs are not told anew for each."""
    asked: list[str] = []
    units_of = pieces._units_of

    def counted(text: str) -> set[str]:
        asked.append(text)
        return units_of(text)

    monkeypatch.setattr(pieces, "_units_of", counted)
    with space(model("sentence")) as workspace:
        at_once([workspace], "text", [f"Of number {number}." for number in range(60)])
        assert len(shown(workspace).splitlines()) == 60
    assert len(asked) <= 2 * 60


def all_are_blind(patch: pytest.MonkeyPatch) -> None:
    """The only write of a document counts as one that was made without a look."""
    patch.setattr(Write, "is_edit", property(told_by_its_mode))


def all_have_looked(patch: pytest.MonkeyPatch) -> None:
    """Whoever puts the first of a document counts as one who has read that it is not there."""
    patch.setattr(Pending, "_has_read", lambda _: True)
    patch.setattr(Write, "is_edit", True)


def none_are_alike(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks for what was put at the same place."""
    patch.setattr(pieces, "has_twin", lambda *_: False)


@pytest.mark.parametrize(
    ("mutant", "check"),
    [
        (all_are_blind, lambda: test_g2_nodes_that_have_read_that_there_is_nothing()),
        (all_are_blind, lambda: test_g2_what_several_make_of_no_text_is_as_what_they_add_to_one("mutant")),
        (all_have_looked, lambda: test_g1_blind_first_texts_are_added()),
        (none_are_alike, lambda: test_g2_nodes_that_have_read_that_there_is_nothing()),
    ],
)
def test_a_broken_first_write_is_noticed(
    mutant: Callable[[pytest.MonkeyPatch], None], check: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each deliberate fault fails the test of what it breaks."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        check()
