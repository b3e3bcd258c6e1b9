"""``List``: ordered, duplicates kept; a write appends, an edit inserts, removes, moves."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import List, Workspace

from .support import AT, pair, shown, workspace


class Plan(BaseModel):
    steps: Annotated[list[Any], List()] = []


class Growing(BaseModel):
    steps: Annotated[list[str], List(grow_only=True)] = []


def edits(ws: Workspace, base: list[Any], **versions: list[Any]) -> list[Any]:
    """Everybody edits what all had read before; returns what comes of it."""
    ws.agent("eve").write(*AT, {"steps": base})
    began = ws.moment()
    entered = []
    for name, steps in versions.items():
        edit = ws.agent(name, began=began).edit(*AT)
        edit.__enter__().steps = steps
        entered.append(edit)
    for edit in entered:
        edit.__exit__(None, None, None)
    assert ws.escalations(state="all") == []
    found: list[Any] = (shown(ws) or {})["steps"]
    return found


def test_write_appends() -> None:
    """In order, duplicates included."""
    ws = workspace(Plan)
    ws.agent("ada").write(*AT, {"steps": ["b", "a", "b"]})
    ws.agent("bob").write(*AT, {"steps": ["a"]})
    assert shown(ws) == {"steps": ["b", "a", "b", "a"]}


def test_concurrent_appends_stand_in_commit_order() -> None:
    """Each writer's items together, the first to commit first."""
    ws = workspace(Plan)
    ada, bob = pair(ws)
    bob.write(*AT, {"steps": ["b1", "b2"]})
    ada.write(*AT, {"steps": ["a1", "a2"]})
    assert shown(ws) == {"steps": ["b1", "b2", "a1", "a2"]} and ws.escalations(state="all") == []


def test_equal_concurrent_appends_are_both_kept() -> None:
    """Duplicates are kept: two agents that append the same did it twice."""
    ws = workspace(Plan)
    ada, bob = pair(ws)
    for agent in (ada, bob):
        agent.write(*AT, {"steps": ["x"]})
    assert shown(ws) == {"steps": ["x", "x"]}


def test_an_edit_inserts_removes_and_appends() -> None:
    """Where it did."""
    ws = workspace(Plan)
    assert edits(ws, ["a", "b", "c"], ada=["new", "a", "c", "end"]) == ["new", "a", "c", "end"]


def test_concurrent_edits_are_both_carried_out() -> None:
    """Insertions, removals and appends at different places merge."""
    ws = workspace(Plan)
    merged = edits(ws, ["a", "b", "c", "d"], ada=["new", "a", "b", "d"], bob=["a", "c", "d", "end"])
    assert merged == ["new", "a", "d", "end"]


def test_insertions_at_the_same_place_are_both_kept() -> None:
    """Each writer's insertions stay together."""
    ws = workspace(Plan)
    merged = edits(ws, ["a", "z"], ada=["a", "1", "2", "z"], bob=["a", "3", "4", "z"])
    assert merged in (["a", "1", "2", "3", "4", "z"], ["a", "3", "4", "1", "2", "z"])


def test_two_removals_of_one_item_are_one() -> None:
    """An equal item that nobody removed stays."""
    ws = workspace(Plan)
    assert edits(ws, ["x", "y", "x"], ada=["y", "x"], bob=["y", "x"]) == ["y", "x"]


def test_a_move_keeps_the_item_once() -> None:
    """An item moved by one writer, beside what another appends."""
    ws = workspace(Plan)
    merged = edits(ws, ["a", "b", "c"], ada=["c", "a", "b"], bob=["a", "b", "c", "d"])
    assert sorted(merged) == ["a", "b", "c", "d"] and merged.index("c") < merged.index("a")


def test_a_move_does_not_bring_back_what_another_removed_elsewhere() -> None:
    """Moving one item and removing another merge."""
    ws = workspace(Plan)
    assert edits(ws, ["a", "b", "c"], ada=["c", "a", "b"], bob=["b", "c"]) == ["c", "b"]


def test_an_append_and_a_clearing_edit() -> None:
    """What the clearing edit had not seen stays."""
    ws = workspace(Plan)
    ws.agent("eve").write(*AT, {"steps": ["a", "b"]})
    ada, bob = pair(ws)
    with ada.edit(*AT) as plan:
        plan.steps.clear()
    bob.write(*AT, {"steps": ["c"]})
    assert shown(ws) == {"steps": ["c"]}


def test_an_emptied_list_stays_written() -> None:
    """Empty, not absent; an empty write of a full list changes nothing."""
    ws = workspace(Plan)
    ws.agent("ada").write(*AT, {"steps": []})
    assert shown(ws) == {"steps": []}
    ws.agent("ada").write(*AT, {"steps": ["a"]})
    ws.agent("bob").write(*AT, {"steps": []})
    assert shown(ws) == {"steps": ["a"]}
    with ws.agent("bob").edit(*AT) as plan:
        plan.steps.clear()
    assert shown(ws) == {"steps": []}


def test_a_write_that_begins_with_the_whole_list_adds_the_rest() -> None:
    """As far as its scope has seen the list; a mere part of it is a contribution."""
    ws = workspace(Plan)
    ws.agent("ada").write(*AT, {"steps": ["a", "b"]})
    ws.agent("bob").write(*AT, {"steps": ["a", "b", "c"]})
    assert shown(ws) == {"steps": ["a", "b", "c"]}
    ws.agent("bob").write(*AT, {"steps": ["a"]})
    assert shown(ws) == {"steps": ["a", "b", "c", "a"]}


def test_a_prefix_compares_by_type_and_value() -> None:
    """``1`` is not ``True``: a list that only looks like a prefix is a contribution."""
    ws = workspace(Plan)
    ws.agent("ada").write(*AT, {"steps": [1]})
    ws.agent("bob").write(*AT, {"steps": [True, 2]})
    assert repr(shown(ws)) == repr({"steps": [1, True, 2]})


def test_a_write_that_has_not_seen_the_list_appends_all() -> None:
    """A concurrent writer's equal beginning is no prefix of what it has seen."""
    ws = workspace(Plan)
    ada, bob = pair(ws)
    ada.write(*AT, {"steps": ["a"]})
    bob.write(*AT, {"steps": ["a", "b"]})
    assert shown(ws) == {"steps": ["a", "a", "b"]}


def test_grow_only_ignores_removals() -> None:
    """Additions of an edit count, what it leaves out stays."""
    ws = workspace(Growing)
    ws.agent("ada").write(*AT, {"steps": ["a", "b"]})
    with ws.agent("bob").edit(*AT) as plan:
        plan.steps = ["b", "c"]
    assert shown(ws) == {"steps": ["a", "b", "c"]}


@pytest.mark.parametrize("item", [None, True, 1.5, {"a": [1]}, [[]], "text", float("inf"), 2**70])
def test_items_of_any_json_value(item: Any) -> None:
    """They come back as they were written, through merges too."""
    ws = workspace(Plan)
    ada, bob = pair(ws)
    ada.write(*AT, {"steps": [item, item]})
    bob.write(*AT, {"steps": [item]})
    assert repr(shown(ws)) == repr({"steps": [item, item, item]})


def test_blame_names_the_agent_of_each_item() -> None:
    """One credit an item, in order."""
    ws = workspace(Plan)
    ws.agent("ada").write(*AT, {"steps": ["a", "b"]})
    with ws.agent("bob").edit(*AT) as plan:
        plan.steps.insert(1, "new")
    credits = [(credit.value, credit.agent) for credit in ws.blame(*AT)[("steps",)]]
    assert credits == [("a", "ada"), ("new", "bob"), ("b", "ada")]
