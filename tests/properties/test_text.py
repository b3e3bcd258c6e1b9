"""Texts and lists against models by hand: rewrites of words on a fixed base, appended lines, removals."""

from __future__ import annotations

import random
from typing import Annotated, Any

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import BaseModel

from concordant import List, Text, Workspace
from concordant.merge.sequence import edit
from tests.rounds import rounds

PLACE = (("pages",), "p")
BASE = [f"w{i}" for i in range(9)]
NEW = st.sampled_from(["red", "blue", "green"])
# Only every second word is rewritten, so that ranges of different words never touch.
REWRITES = st.dictionaries(st.sampled_from(range(0, 9, 2)), NEW, max_size=3)


class Page(BaseModel):
    text: Annotated[str, Text(unit="word")] = ""
    steps: Annotated[list[Any], List()] = []


def spaces(count: int, value: dict[str, Any]) -> list[Workspace]:
    made = [Workspace(schemas={("pages",): Page}, replica=f"r{i}") for i in range(count)]
    made[0].agent("base").write(*PLACE, value)
    for other in made[1:]:
        other.import_(made[0].export())
    return made


def exchange(made: list[Workspace]) -> None:
    for _ in range(2):
        frames = [workspace.export() for workspace in made]
        for workspace in made:
            for frame in frames:
                workspace.import_(frame)


@given(st.lists(REWRITES, min_size=1, max_size=5), st.integers(1, 3))
@settings(max_examples=80)
def test_g1_g2_g3_g4_words_rewritten_once_merge_and_twice_escalate(edits: list[dict[int, str]], replicas: int) -> None:
    """Rewrites of different words merge, equal ones count once, different ones of one word escalate."""
    made = spaces(replicas, {"text": " ".join(BASE)})
    drafts = []
    for i in range(len(edits)):
        draft = made[i % replicas].agent(f"a{i}").edit(*PLACE)
        drafts.append((draft, draft.__enter__()))
    for (draft, page), rewrites in zip(drafts, edits, strict=True):
        page.text = " ".join(rewrites.get(i, word) for i, word in enumerate(BASE))
        draft.__exit__(None, None, None)
    exchange(made)
    sides: dict[int, dict[str, set[str]]] = {}
    for number, rewrites in enumerate(edits):
        for at, word in rewrites.items():
            sides.setdefault(at, {}).setdefault(word, set()).add(f"a{number}")
    shown = [next(iter(sides[i])) if len(sides.get(i, ())) == 1 else word for i, word in enumerate(BASE)]
    wanted = sorted(
        (BASE[at], sorted((w, sorted(a)) for w, a in words.items())) for at, words in sides.items() if len(words) > 1
    )
    for workspace in made:
        document = workspace.get(*PLACE)
        assert document is not None
        assert document.value["text"] == " ".join(shown)
        found = [(e.base, sorted((c.value, sorted(c.agents)) for c in e.contenders)) for e in workspace.escalations()]
        assert sorted(found) == wanted
    ids = [sorted(e.id for e in workspace.escalations()) for workspace in made]
    assert all(one == ids[0] for one in ids)


@given(st.lists(st.tuples(st.integers(0, 3), NEW), max_size=10))
@settings(max_examples=60)
def test_g1_g2_appended_lines_and_items_stand_in_commit_order(appends: list[tuple[int, str]]) -> None:
    """Lines and items appended by agents that do not see each other stand in commit order, all of them."""
    (workspace,) = spaces(1, {"text": "start", "steps": ["start"]})
    agents = [workspace.agent(f"a{i}") for i in range(4)]
    for number, (who, word) in enumerate(appends):
        agents[who].write(*PLACE, {"text": f"{word} {number}", "steps": [f"{word} {number}"]})
    lines = ["start", *(f"{word} {number}" for number, (_, word) in enumerate(appends))]
    document = workspace.get(*PLACE)
    assert document is not None
    assert document.value == {"text": "\n".join(lines), "steps": lines}
    assert not workspace.escalations(state="all")


@given(
    st.lists(st.sets(st.integers(0, 5), max_size=4), min_size=1, max_size=4),
    st.lists(st.booleans(), min_size=4, max_size=4),
)
@settings(max_examples=60)
def test_g1_g4_g12_list_items_removed_by_anyone_stay_removed(removals: list[set[int]], adds: list[bool]) -> None:
    """An item goes if anyone who saw it removed it; what others append meanwhile stays, in the order of commits."""
    base = [f"i{i}" for i in range(6)]
    made = spaces(2, {"steps": base})
    agents = [made[i % 2].agent(f"a{i}") for i in range(len(removals))]
    drafts = [agent.edit(*PLACE) for agent in agents]
    pages = [draft.__enter__() for draft in drafts]
    added = []
    for number, (draft, page, gone) in enumerate(zip(drafts, pages, removals, strict=True)):
        page.steps = [item for i, item in enumerate(page.steps) if i not in gone]
        if adds[number]:
            page.steps.append(f"new{number}")
            added.append(f"new{number}")
        draft.__exit__(None, None, None)
    exchange(made)
    every: set[int] = set().union(*removals)
    values = []
    for workspace in made:
        document = workspace.get(*PLACE)
        assert document is not None
        values.append(document.value["steps"])
        kept = [item for item in values[-1] if item.startswith("i")]
        assert kept == [item for i, item in enumerate(base) if i not in every]
        assert sorted(item for item in values[-1] if item.startswith("new")) == sorted(added)
    assert values[0] == values[1]


@given(st.lists(st.lists(st.sampled_from(["one", "two", "six"]), max_size=4).map(" ".join), min_size=1, max_size=5))
@settings(max_examples=120)
def test_g1_g4_sequential_edits_leave_the_last_text(texts: list[str]) -> None:
    """One writer's edits, one after another, leave the text as the last one left it, here and on a replica."""
    workspace, other = (Workspace(schemas={("pages",): Page}, replica=name) for name in "lr")
    ada = workspace.agent("ada")
    for text in texts:
        with ada.edit(*PLACE) as page:
            page.text = text
    other.import_(workspace.export())
    for one in (workspace, other):
        document = one.get(*PLACE)
        assert (document.value.get("text", "") if document else "") == texts[-1]


def _edited_in_turn(seed: str, separator: str, rounds: int) -> None:
    """Each of several agents leaves a text of its own: it is what the next one reads, merged or not."""

    class Note(BaseModel):
        text: Annotated[str, Text(separator=separator)] = ""

    for number in range(rounds):
        chance = random.Random(f"{seed}/{number}")
        ws = Workspace(schemas={("notes",): Note})
        for step in range(5):
            left = "".join(chance.choices(["a", "b", " ", separator], k=chance.randrange(6)))
            with ws.agent(f"agent {step}").edit(("notes",), "n") as note:
                note.text = left
            ws.history(("notes",), "n")  # has the writes that wait merged
            found = ws.get(("notes",), "n")
            assert (found.value["text"] if found else "") == left, number


@rounds(120, 400)
@pytest.mark.parametrize("separator", ["\n", "--"])
def test_an_edit_shows_what_its_writer_left(separator: str, seed: str, rounds: int) -> None:
    """Whatever separators an edit adds, removes or lays bare, the text reads as its writer left it."""
    _edited_in_turn(seed, separator, rounds)


def test_a_separator_that_vanishes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a second look at the lines that an edit touches the test fails."""
    monkeypatch.setattr(edit._Writer, "corrected", lambda self, before, sequence, new, show: sequence)
    with pytest.raises(AssertionError):
        _edited_in_turn("mutant", "--", 400)
