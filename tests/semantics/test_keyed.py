"""``Set(by=...)``: records in a list are a map keyed by one of their fields, in every respect."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import BaseModel

from concordant import DELETED, Counter, InvalidWriteError, Scalar, Schema, Set, Text

from .support import AT, only, pair, shown, sides, values, workspace


class Todo(BaseModel):
    id: Annotated[str, Scalar()]
    title: Annotated[str | None, Scalar()] = None
    tags: Annotated[set[str], Set()] = set()
    notes: Annotated[str, Text()] = ""
    votes: Annotated[int, Counter()] = 0


class Plain(BaseModel):
    id: int
    title: str = ""


class Board(BaseModel):
    todos: Annotated[list[Todo], Set(by="id")] = []


class PlainBoard(BaseModel):
    todos: Annotated[list[Plain], Set(by="id")] = []


def test_records_merge_field_by_field() -> None:
    """Concurrent writes of one record's different fields merge, each field by its own kind."""
    ws = workspace(Board)
    ws.agent("eve").write(*AT, {"todos": [{"id": "1", "title": "Build"}]})
    ada, bob = pair(ws)
    ada.write(*AT, {"todos": [{"id": "1", "tags": ["a"], "votes": 1, "notes": "A."}]})
    bob.write(*AT, {"todos": [{"id": "1", "tags": ["b"], "votes": 2, "notes": "B."}, {"id": "2"}]})
    assert shown(ws) == {
        "todos": [
            {"id": "1", "title": "Build", "tags": ["a", "b"], "notes": "A.\nB.", "votes": 3},
            {"id": "2"},
        ]
    }
    assert ws.escalations(state="all") == []


def test_a_fields_conflict_has_the_records_path() -> None:
    """The path leads through the record's key."""
    ws = workspace(Board)
    ada, bob = pair(ws)
    ada.write(*AT, {"todos": [{"id": "1", "title": "a"}]})
    bob.write(*AT, {"todos": [{"id": "1", "title": "b"}]})
    escalation = only(ws)
    assert (escalation.path, escalation.reason) == (("todos", "1", "title"), "scalar")
    assert sides(escalation) == {"ada": "a", "bob": "b"}
    ws.resolve(escalation, "c", by="editor")
    assert shown(ws) == {"todos": [{"id": "1", "title": "c"}]}


def test_records_keep_the_order_in_which_they_came() -> None:
    """The record first added stands first; a change moves none."""
    ws = workspace(Board)
    ws.agent("ada").write(*AT, {"todos": [{"id": "z"}, {"id": "a"}]})
    ws.agent("bob").write(*AT, {"todos": [{"id": "m"}, {"id": "z", "title": "t"}]})
    assert [todo["id"] for todo in (shown(ws) or {})["todos"]] == ["z", "a", "m"]


def test_an_edit_removes_changes_and_adds_records() -> None:
    """An edit's effect is the difference, record by record."""
    ws = workspace(Board)
    ws.agent("ada").write(*AT, {"todos": [{"id": "1", "title": "a"}, {"id": "2", "title": "b"}]})
    with ws.agent("bob").edit(*AT) as board:
        del board.todos[0]
        board.todos[0].title = "changed"
        board.todos.append(Todo(id="3", title="c"))
    assert ws.escalations() == []
    document = ws.get(*AT)
    assert document is not None
    assert [(todo.id, todo.title) for todo in document.model.todos] == [("2", "changed"), ("3", "c")]


def test_a_put_after_a_read_removes_the_records_it_leaves_out() -> None:
    """Read-modify-write of the list works, and keeps what another added."""
    ws = workspace(Board)
    ws.put(*AT, {"todos": [{"id": "1"}, {"id": "2"}]})
    ws.read_current(*AT)
    ws.agent("ada").write(*AT, {"todos": [{"id": "3"}]})
    ws.put(*AT, {"todos": [{"id": "2"}]})
    assert shown(ws) == {"todos": [{"id": "2"}, {"id": "3"}]}


@pytest.mark.parametrize("policy", ["escalate", "delete", "update"])
def test_removing_a_record_against_its_update(policy: str) -> None:
    """As with a map's key: contested, or settled by ``on_delete``."""
    ws = workspace(Schema(Board, on_delete=policy))  # type: ignore[arg-type]
    ws.agent("eve").write(*AT, {"todos": [{"id": "1", "title": "a", "tags": ["x"]}]})
    ada, bob = pair(ws)
    with ada.edit(*AT) as board:
        board.todos.clear()
    bob.write(*AT, {"todos": [{"id": "1", "title": "b"}]})
    updated = {"todos": [{"id": "1", "title": "b", "tags": ["x"]}]}
    if policy == "escalate":
        escalation = only(ws)
        assert (escalation.path, escalation.reason) == (("todos", "1"), "delete")
        assert DELETED in values(escalation)
        assert shown(ws) == updated
    else:
        assert ws.escalations(state="all") == []
        assert shown(ws) == (updated if policy == "update" else {"todos": []})


def test_records_without_kinds_are_scalars_by_key() -> None:
    """A record that is no state model is one value a key."""
    ws = workspace(PlainBoard)
    ada, bob = pair(ws)
    ada.write(*AT, {"todos": [{"id": 1, "title": "a"}, {"id": 2, "title": "same"}]})
    bob.write(*AT, {"todos": [{"id": 1, "title": "b"}, {"id": 2, "title": "same"}, {"id": 3}]})
    escalation = only(ws)
    assert escalation.path == ("todos", "1")
    assert [value["title"] for value in values(escalation)] == ["a", "b"]
    assert [todo["id"] for todo in (shown(ws) or {})["todos"]] == [2, 3]


def test_two_records_with_one_key_in_a_write_are_no_valid_value() -> None:
    """They would be one: ill-typed, so refused where the namespace says so."""
    ws = workspace(Schema(Board, on_invalid="raise"))
    with pytest.raises(InvalidWriteError, match="'1'"):
        ws.agent("ada").write(*AT, {"todos": [{"id": "1"}, {"id": "1"}]})
    assert shown(ws) is None


def test_a_record_without_its_key_is_no_valid_value() -> None:
    """Without the field that identifies it a record has no place."""
    ws = workspace(Schema(Board, on_invalid="raise"))
    with pytest.raises(InvalidWriteError, match="id"):
        ws.agent("ada").write(*AT, {"todos": [{"title": "x"}]})


def test_the_model_holds_records() -> None:
    """``model`` has instances of the record's class."""
    ws = workspace(Board)
    ws.agent("ada").write(*AT, {"todos": [{"id": "1", "votes": 2}]})
    document = ws.get(*AT)
    assert document is not None and document.model.todos == [Todo(id="1", votes=2)]


def test_model_instances_may_be_written() -> None:
    """A write may give records as instances, with the fields that were set."""
    ws = workspace(Board)
    ws.agent("ada").write(*AT, Board(todos=[Todo(id="1", title="a")]))
    ws.agent("bob").write(*AT, {"todos": [Todo(id="1", tags={"x"})]})
    assert shown(ws) == {"todos": [{"id": "1", "title": "a", "tags": ["x"]}]}


def test_grow_only_keeps_records() -> None:
    """Removals of records by an edit are ignored, changes and additions count."""

    class Log(BaseModel):
        todos: Annotated[list[Todo], Set(by="id", grow_only=True)] = []

    ws = workspace(Log)
    ws.agent("ada").write(*AT, {"todos": [{"id": "1"}, {"id": "2", "title": "a"}]})
    ws.read_current(*AT)
    ws.put(*AT, {"todos": [{"id": "2", "title": "b"}, {"id": "3"}]})
    assert shown(ws) == {"todos": [{"id": "1"}, {"id": "2", "title": "b"}, {"id": "3"}]}
