"""A task that runs again: its n-th put takes the place of the n-th put of its earlier execution."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import Counter, List, Map, Scalar, Set, StaleWriteError, Text
from concordant.merge.sequence.units import UnitName

from .support import AT, NS, Tasks, kinds, only, pair, recorded, shown, sides, workspace


class Brief(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    tags: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, str], Map()] = {}
    body: Annotated[str, Text()] = ""
    votes: Annotated[int, Counter()] = 0
    steps: Annotated[list[str], List()] = []


FIELDS: list[tuple[str, Any, Any, Any]] = [
    # field, what stood before, first execution, second execution
    ("status", "old", "draft", "final"),
    ("tags", ["old"], ["a", "b"], ["b", "c"]),
    ("owners", {"old": "x"}, {"a": "1", "b": "1"}, {"b": "2", "c": "2"}),
    ("body", "old", "first", "second"),
    ("votes", 10, 3, 5),
    ("steps", ["old"], ["a", "b"], ["b", "c"]),
]
TOGETHER: dict[str, Any] = {
    "status": "final",
    "tags": ["old", "b", "c"],
    "owners": {"old": "x", "b": "2", "c": "2"},
    "body": "old\nsecond",
    "votes": 15,
    "steps": ["old", "b", "c"],
}


@pytest.mark.parametrize("field", TOGETHER)
@pytest.mark.parametrize("before", [True, False])
def test_another_value_takes_the_place_of_the_earlier(field: str, before: bool) -> None:
    """Nothing of the earlier execution's put remains, whatever the field's kind."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    name, old, first, second = next(row for row in FIELDS if row[0] == field)
    if before:
        ws.put(*AT, {name: old})
    with tasks.run("node", execution=1):
        ws.put(*AT, {name: first})
    with tasks.run("node", execution=2):
        ws.put(*AT, {name: second})
    assert shown(ws) == {name: TOGETHER[name] if before else second}
    assert ws.escalations(state="all") == []


@pytest.mark.parametrize("field", TOGETHER)
@pytest.mark.parametrize("executions", [2, 4])
def test_an_equal_value_changes_nothing(field: str, executions: int) -> None:
    """The document keeps its value and its version, and nobody is told of anything."""
    ws = workspace(Brief)
    events = recorded(ws)
    tasks = Tasks(ws)
    name, old, first, _ = next(row for row in FIELDS if row[0] == field)
    ws.put(*AT, {name: old})
    with tasks.run("node", execution=1):
        ws.put(*AT, {name: first})
    before = ws.get(*AT)
    for execution in range(2, executions + 1):
        with tasks.run("node", execution=execution):
            ws.put(*AT, {name: first})
    after = ws.get(*AT)
    assert before is not None and after is not None
    assert (after.value, after.version) == (before.value, before.version)
    assert events == []


@pytest.mark.parametrize("field", TOGETHER)
def test_a_third_execution_takes_the_place_of_the_second(field: str) -> None:
    """However often a task is retried, its put has one effect."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    name, old, first, second = next(row for row in FIELDS if row[0] == field)
    ws.put(*AT, {name: old})
    for execution, value in enumerate((first, second, first, second), 1):
        with tasks.run("node", execution=execution):
            ws.put(*AT, {name: value})
    assert shown(ws) == {name: TOGETHER[name]}
    assert ws.escalations(state="all") == []


@pytest.mark.parametrize("model", [Brief, None])
def test_a_persons_edit_before_an_equal_replay_stands(model: Any) -> None:
    """After an interrupt the node writes the same again: what a person made of it meanwhile stays."""
    ws = workspace(model)
    tasks = Tasks(ws)
    with tasks.run("node", execution=1):
        ws.put(*AT, {"status": "draft"})
    with ws.agent("person").edit(*AT) as brief:
        if model is None:
            brief["status"] = "final"
        else:
            brief.status = "final"
    with tasks.run("node", execution=2):
        ws.put(*AT, {"status": "draft"})
    assert shown(ws) == {"status": "final"} and ws.escalations(state="all") == []


def test_a_persons_removal_before_an_equal_replay_stands() -> None:
    """What a person removed does not come back with the replay."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    with tasks.run("node", execution=1):
        ws.put(*AT, {"tags": ["a", "b"], "body": "One. Two.", "steps": ["x", "y"]})
    with ws.agent("person").edit(*AT) as brief:
        brief.tags.discard("a")
        brief.body = "One."
        brief.steps.remove("x")
    with tasks.run("node", execution=2):
        ws.put(*AT, {"tags": ["a", "b"], "body": "One. Two.", "steps": ["x", "y"]})
    assert shown(ws) == {"tags": ["b"], "body": "One.", "steps": ["y"]}


def test_a_persons_deletion_before_an_equal_replay_stands() -> None:
    """A document that a person deleted stays deleted."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    with tasks.run("node", execution=1):
        ws.put(*AT, {"status": "draft"})
    ws.agent("person").delete(*AT)
    with tasks.run("node", execution=2):
        ws.put(*AT, {"status": "draft"})
    assert shown(ws) is None and ws.escalations(state="all") == []


@pytest.mark.parametrize("model", [Brief, None])
def test_a_persons_decision_before_an_equal_replay_stands(model: Any) -> None:
    """The replay of a contender does not reopen what was decided."""
    ws = workspace(model)
    tasks = Tasks(ws)
    for name in ("ada", "bob"):
        with tasks.run(name, execution=1):
            ws.put(*AT, {"status": name})
    ws.resolve(only(ws), "ours", by="person")
    events = recorded(ws)
    for name in ("ada", "bob"):
        with tasks.run(name, execution=2):
            ws.put(*AT, {"status": name})
    assert shown(ws) == {"status": "ours"}
    assert events == [] and ws.escalations() == []


def test_another_value_after_a_persons_edit_is_concurrent_with_it() -> None:
    """It takes the place of the earlier put, beginning included, so neither is lost."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    with tasks.run("node", execution=1):
        ws.put(*AT, {"status": "draft"})
    ws.agent("person").write(*AT, {"status": "final"})
    with tasks.run("node", execution=2):
        ws.put(*AT, {"status": "other"})
    assert sides(only(ws)) == {"person": "final", "node": "other"}


@pytest.mark.parametrize("reads", [False, True])
@pytest.mark.parametrize("unit", ["sentence", "line", "whole"])
def test_what_a_person_made_of_a_text_stands_beside_another_one(unit: UnitName, reads: bool) -> None:
    """The words of the earlier put go, what was made of them stays, and the new ones stand there too (a named limit:
    that is no question)."""

    class Page(BaseModel):
        body: Annotated[str, Text(unit=unit)] = ""

    ws = workspace(Page)
    tasks = Tasks(ws)
    for execution, body in enumerate(("A first one.", "A second one."), 1):
        with tasks.run("node", execution=execution):
            assert not reads or (ws.get(*AT) is None) == (execution == 1)
            ws.put(*AT, {"body": body})
        if execution == 1:
            with ws.agent("person").edit(*AT) as page:
                page.body = "A better one."
    assert (shown(ws), ws.escalations()) == ({"body": "A better one.\nA second one."}, [])


def test_another_value_that_a_read_ordered_is_no_conflict() -> None:
    """A new execution that reads what a person wrote meanwhile has seen it."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    with tasks.run("node", execution=1):
        ws.put(*AT, {"status": "draft"})
    ws.agent("person").write(*AT, {"status": "final"})
    with tasks.run("node", execution=2):
        document = ws.read_current(*AT)
        assert document is not None and document.value == {"status": "final"}
        ws.put(*AT, {"status": "published"})
    assert shown(ws) == {"status": "published"}
    assert ws.escalations() == []


def test_the_others_contender_is_untouched() -> None:
    """A retry with another value replaces its own contender and no other."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    for name in ("ada", "bob"):
        with tasks.run(name, execution=1):
            ws.put(*AT, {"status": name})
    with tasks.run("ada", execution=2):
        ws.put(*AT, {"status": "ada again"})
    assert sides(only(ws)) == {"ada": "ada again", "bob": "bob"}


def test_reads_do_not_show_the_tasks_own_earlier_execution() -> None:
    """A retried node sees the document as it would be without its first attempt."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    ws.put(*AT, {name: old for name, old, _, _ in FIELDS})
    before = shown(ws)
    with tasks.run("node", execution=1):
        ws.put(*AT, {name: first for name, _, first, _ in FIELDS})
    assert shown(ws) != before
    with tasks.run("node", execution=2):
        document = ws.read_current(*AT)
    assert document is not None and document.value == before


def test_reads_show_what_others_did_meanwhile() -> None:
    """Only the own earlier execution is hidden."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    with tasks.run("node", execution=1):
        ws.put(*AT, {"tags": ["mine"], "votes": 1})
    ws.agent("person").write(*AT, {"tags": ["theirs"], "votes": 2})
    with tasks.run("node", execution=2):
        document = ws.read_current(*AT)
    assert document is not None and document.value == {"tags": ["theirs"], "votes": 2}


def test_a_document_that_only_the_earlier_execution_wrote_reads_as_missing() -> None:
    """What the first attempt created is not there for the second."""
    ws = workspace()
    tasks = Tasks(ws)
    with tasks.run("node", execution=1):
        ws.put(*AT, {"x": 1})
    with tasks.run("node", execution=2):
        assert ws.read_current(*AT) is None
        ws.put(*AT, {"x": 2})
    assert shown(ws) == {"x": 2} and ws.escalations(state="all") == []


def test_the_own_put_of_this_execution_is_shown() -> None:
    """After its put a task reads what it put, in the second execution as in the first."""
    ws = workspace()
    tasks = Tasks(ws)
    for execution in (1, 2):
        with tasks.run("node", execution=execution):
            ws.put(*AT, {"x": execution})
            document = ws.read_current(*AT)
            assert document is not None and document.value == {"x": execution}


@pytest.mark.parametrize("executions", [1, 2, 3])
def test_a_read_modify_write_has_its_effect_once(executions: int) -> None:
    """A retried node that adds to what it reads adds once, in every kind."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    ws.put(*AT, {name: old for name, old, _, _ in FIELDS})
    for execution in range(1, executions + 1):
        with tasks.run("node", execution=execution):
            document = ws.read_current(*AT)
            assert document is not None
            value = document.value
            value["votes"] += 1
            value["tags"].append("new")
            value["body"] += "\nnew"
            value["steps"].append("new")
            value["owners"]["new"] = "n"
            value["status"] += "!"
            ws.put(*AT, value)
    assert shown(ws) == {
        "status": "old!",
        "tags": ["old", "new"],
        "owners": {"old": "x", "new": "n"},
        "body": "old\nnew",
        "votes": 11,
        "steps": ["old", "new"],
    }


@pytest.mark.parametrize("executions", [1, 2, 3])
def test_a_read_modify_write_has_its_effect_once_without_a_model(executions: int) -> None:
    """The same in an undeclared namespace."""
    ws = workspace()
    tasks = Tasks(ws)
    ws.put(*AT, {"n": 1, "gone": True})
    for execution in range(1, executions + 1):
        with tasks.run("node", execution=execution):
            document = ws.read_current(*AT)
            assert document is not None
            ws.put(*AT, {"n": document.value["n"] + 1})
    assert shown(ws) == {"n": 2} and ws.escalations(state="all") == []


def test_a_retry_after_a_persons_edit_of_another_part_keeps_both() -> None:
    """A retried read-modify-write merges with what came between its executions."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    ws.put(*AT, {"votes": 1, "tags": ["a"]})
    for execution in (1, 2):
        with tasks.run("node", execution=execution):
            document = ws.read_current(*AT)
            assert document is not None
            ws.put(*AT, {"votes": document.value["votes"] + 1})
        if execution == 1:
            ws.agent("person").write(*AT, {"votes": 10, "tags": ["b"]})
    assert shown(ws) == {"votes": 12, "tags": ["a", "b"]}


def test_puts_that_are_not_repeated_stay() -> None:
    """A shorter second execution leaves the later puts of the first (a named limit)."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    with tasks.run("node", execution=1):
        ws.put(NS, "one", {"status": "a"})
        ws.put(NS, "two", {"status": "a"})
    with tasks.run("node", execution=2):
        ws.put(NS, "one", {"status": "b"})
    assert [d.value for d in ws.list(NS)] == [{"status": "b"}, {"status": "a"}]


def test_the_nth_put_takes_the_place_of_the_nth_put() -> None:
    """Several puts to one document are told apart by their order."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    with tasks.run("node", execution=1):
        ws.put(*AT, {"status": "draft"})
        ws.put(*AT, {"votes": 1})
        ws.put(*AT, {"tags": ["a"]})
    with tasks.run("node", execution=2):
        ws.put(*AT, {"status": "draft"})
        ws.put(*AT, {"votes": 2})
        ws.put(*AT, {"tags": ["b"]})
    assert shown(ws) == {"status": "draft", "votes": 2, "tags": ["b"]}


def test_a_first_put_that_is_replayed_does_not_undo_the_second() -> None:
    """Replaying a put whose later sibling replaced it leaves the later one standing."""
    ws = workspace()
    tasks = Tasks(ws)
    with tasks.run("node", execution=1):
        ws.put(*AT, {"x": 1})
        ws.put(*AT, {"x": 2})
    with tasks.run("node", execution=2):
        ws.put(*AT, {"x": 1})
        assert shown(ws) == {"x": 2}
        ws.put(*AT, {"x": 2})
    assert shown(ws) == {"x": 2} and ws.escalations(state="all") == []


def test_more_puts_than_before_are_new() -> None:
    """A longer second execution adds what it adds."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    with tasks.run("node", execution=1):
        ws.put(*AT, {"tags": ["a"]})
    with tasks.run("node", execution=2):
        ws.put(*AT, {"tags": ["a"]})
        ws.put(*AT, {"tags": ["a", "b"]})
    assert shown(ws) == {"tags": ["a", "b"]}


def test_a_replayed_deletion_changes_nothing() -> None:
    """A document that a person wrote anew after the first execution's deletion survives the replay."""
    ws = workspace()
    tasks = Tasks(ws)
    ws.put(*AT, {"x": 1})
    with tasks.run("node", execution=1):
        ws.remove(*AT)
    ws.agent("person").write(*AT, {"x": 2})
    with tasks.run("node", execution=2):
        ws.remove(*AT)
    assert shown(ws) == {"x": 2} and ws.escalations(state="all") == []


@pytest.mark.parametrize("model", [None, Brief], ids=["no model", "model"])
@pytest.mark.parametrize("executions", [2, 3])
def test_a_deletion_that_found_nothing_deletes_nothing_the_next_time(model: Any, executions: int) -> None:
    """A node that clears a document and writes it anew leaves what it wrote, wherever an execution of it broke off."""
    ws = workspace(model) if model else workspace()
    tasks = Tasks(ws)
    for execution in range(1, executions + 1):
        with tasks.run("node", execution=execution):
            ws.remove(*AT)
            if execution != 2 or executions == 2:
                ws.put(*AT, {"status": "new"})
    assert shown(ws) == {"status": "new"} and ws.escalations(state="all") == []


def test_a_deletion_in_the_place_of_a_put() -> None:
    """A second execution that deletes where the first put leaves nothing of it."""
    ws = workspace()
    tasks = Tasks(ws)
    with tasks.run("node", execution=1):
        ws.put(*AT, {"x": 1})
    with tasks.run("node", execution=2):
        ws.remove(*AT)
    assert shown(ws) is None and ws.escalations() == []


def test_a_put_in_the_place_of_a_deletion() -> None:
    """A second execution that puts where the first deleted leaves its value, without a question."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    ws.put(*AT, {"status": "old", "tags": ["old"]})
    with tasks.run("node", execution=1):
        ws.remove(*AT)
    with tasks.run("node", execution=2):
        ws.put(*AT, {"status": "new"})
    assert shown(ws) == {"status": "new", "tags": ["old"]} and ws.escalations() == []


@pytest.mark.parametrize("field", [row[0] for row in FIELDS])
def test_a_put_in_the_place_of_a_deletion_that_an_update_met(field: str) -> None:
    """The deletion is taken back as a whole: what it covered is there again, beside the concurrent update."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    name, old, update, _ = next(row for row in FIELDS if row[0] == field)
    other = "votes" if name == "status" else "status"
    ws.put(*AT, {name: old})
    with tasks.run("deleter", execution=1):
        ws.remove(*AT)
    with tasks.run("updater", execution=1):
        ws.put(*AT, {name: update})
    with tasks.run("deleter", execution=2):
        ws.put(*AT, {other: 1 if other == "votes" else "kept"})
    without_deletion = workspace(Brief)
    for value in ({name: old}, {name: update}, {other: 1 if other == "votes" else "kept"}):
        without_deletion.put(*AT, value)
    assert shown(ws) == shown(without_deletion)
    assert ws.escalations() == []


def test_a_retry_that_fails_before_its_put_leaves_the_first_attempts() -> None:
    """The execution that wrote stands until another puts."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    with tasks.run("node", execution=1):
        ws.put(*AT, {"status": "a"})
    with tasks.run("node", execution=2):
        ws.read_current(*AT)
    assert shown(ws) == {"status": "a"}


def test_a_replay_by_acting_as_is_a_replay() -> None:
    """A name in force inside the task changes nothing of it."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    for execution in (1, 2):
        with tasks.run("node", execution=execution), ws.acting_as("editor"):
            ws.put(*AT, {"votes": 1, "body": "line"})
    assert shown(ws) == {"votes": 1, "body": "line"}


def test_writes_by_an_agents_handle_in_a_task_are_replayed_too() -> None:
    """``ws.agent(name)`` inside a task belongs to the task: writes and edits have their effect once."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    for execution in (1, 2, 3):
        with tasks.run("node", execution=execution):
            helper = ws.agent("helper")
            helper.write(*AT, {"votes": 1, "body": "line"})
            with helper.edit(*AT) as brief:
                brief.votes += 1
                brief.tags.add("x")
    assert shown(ws) == {"votes": 2, "body": "line", "tags": ["x"]}


@pytest.mark.parametrize("executions", [2, 3])
@pytest.mark.parametrize("way", ["handle", "handles", "names", "mixed"])
def test_every_way_of_writing_in_a_task_counts_its_puts_together(way: str, executions: int) -> None:
    """Handles and names within a task are one scope: each of their puts has its place in the task's order."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    ws.put(*AT, {"votes": 10})
    for execution in range(1, executions + 1):
        with tasks.run("node", execution=execution):
            handle = ws.agent("helper")
            for number, amount in enumerate((1, execution)):
                if way == "names" or (way == "mixed" and number == 0):
                    with ws.acting_as(f"name{number}"):
                        document = ws.read_current(*AT)
                        assert document is not None
                        ws.put(*AT, {"votes": document.value["votes"] + amount})
                    continue
                with (handle if way == "handle" else ws.agent("helper")).edit(*AT) as brief:
                    brief.votes += amount
        assert shown(ws) == {"votes": 11 + execution}


def test_another_value_after_a_persons_deletion_has_its_effect_once() -> None:
    """Contested with the deletion; what the earlier execution put is not restored beside it."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    with tasks.run("node", execution=1):
        ws.put(*AT, {"status": "draft", "votes": 1, "body": "draft", "tags": ["draft"]})
    ws.agent("person").delete(*AT)
    with tasks.run("node", execution=2):
        ws.put(*AT, {"status": "other", "votes": 1, "body": "other", "tags": ["other"]})
    assert only(ws).reason == "delete"
    assert shown(ws) == {"status": "other", "votes": 1, "body": "other", "tags": ["other"]}


def test_an_equal_outcome_raises_no_event_while_contested() -> None:
    """A replay of a contender neither opens, grows nor closes its escalation."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    for name in ("ada", "bob"):
        with tasks.run(name, execution=1):
            ws.put(*AT, {"status": name})
    before = only(ws)
    events = recorded(ws)
    for name in ("ada", "bob"):
        with tasks.run(name, execution=2):
            ws.put(*AT, {"status": name})
    assert events == []
    assert (only(ws).id, only(ws).version) == (before.id, before.version)


def test_a_retry_that_agrees_closes_the_escalation() -> None:
    """A retry whose other value equals the other contender settles the question."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    for name in ("ada", "bob"):
        with tasks.run(name, execution=1):
            ws.put(*AT, {"status": name})
    events = recorded(ws)
    with tasks.run("ada", execution=2):
        ws.put(*AT, {"status": "bob"})
    assert shown(ws) == {"status": "bob"}
    assert ws.escalations() == [] and kinds(events) == ["agreed"]


def test_the_replay_is_in_the_journal() -> None:
    """A put that took the place of another leaves both in the history."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    for execution, status in ((1, "draft"), (2, "final")):
        with tasks.run("node", execution=execution):
            ws.put(*AT, {"status": status})
    assert [entry.value for entry in ws.history(*AT)] == [{"status": "final"}, {"status": "draft"}]


@pytest.mark.parametrize("model", [Brief, None])
def test_a_persons_decision_stands_though_another_field_is_written_anew(model: Any) -> None:
    """Field by field: what the second execution gives again is as it was left, what it gives anew is replaced."""
    ws = workspace(model)
    tasks = Tasks(ws)
    for name in ("ada", "bob"):
        with tasks.run(name, execution=1):
            ws.put(*AT, {"status": name, "by": name} if model is None else {"status": name, "body": f"{name} one"})
        if model is None:
            break
    if model is None:
        with tasks.run("bob", execution=1):
            ws.put(*AT, {"status": "bob"})
    ws.resolve(only(ws) if model is not None else ws.escalations()[0], "ours", by="person")
    events = recorded(ws)
    with tasks.run("ada", execution=2):
        ws.put(*AT, {"status": "ada", "by": "ada again"} if model is None else {"status": "ada", "body": "ada two"})
    shown_now = shown(ws)
    assert shown_now is not None and shown_now["status"] == "ours"
    if model is None:
        assert shown_now["by"] == "ada again"
    else:
        assert sorted(shown_now["body"].split("\n")) == ["ada two", "bob one"]
    assert events == [] and ws.escalations() == []


@pytest.mark.parametrize("field", TOGETHER)
def test_an_equal_put_after_another_one_is_an_edit_of_that(field: str) -> None:
    """What the second put of an execution gives again replaces what the first one gives anew."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    name, old, first, second = next(row for row in FIELDS if row[0] == field)
    for execution, value in ((1, first), (2, second)):
        with tasks.run("node", execution=execution):
            ws.put(*AT, {name: value})
            ws.put(*AT, {name: old})
    assert shown(ws) == {name: old} and ws.escalations(state="all") == []


def test_what_a_later_put_is_not_to_replace_any_more_stands() -> None:
    """The second execution's last word on a field is its first put: the first execution's second put is over."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    with tasks.run("node", execution=1):
        ws.put(*AT, {"status": "a", "votes": 1})
        ws.put(*AT, {"status": "b"})
    with tasks.run("node", execution=2):
        ws.put(*AT, {"status": "c", "votes": 1})
        ws.put(*AT, {"tags": ["t"]})
    assert shown(ws) == {"status": "c", "votes": 1, "tags": ["t"]} and ws.escalations(state="all") == []


def test_a_failed_put_leaves_the_earlier_one_in_its_place() -> None:
    """A put that is refused replaces nothing; the next one is the one that does."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    with tasks.run("node", execution=1):
        ws.put(*AT, {"votes": 1})
    with tasks.run("node", execution=2):
        with pytest.raises(StaleWriteError):
            ws.agent("helper").write(*AT, {"votes": 5}, if_version=77)
        ws.put(*AT, {"votes": 2})
    assert shown(ws) == {"votes": 2}


@pytest.mark.parametrize("second", [{"votes": 1}, {"status": "X2"}])
def test_a_contest_that_is_put_back_travels(second: dict[str, Any]) -> None:
    """An execution that had settled a contest runs again: where it no longer gives the field its sides stand again,
    each a write of its own, which other stores take; the store is as its journal says."""
    ws, other = workspace(Brief, replica="here"), workspace(Brief, replica="there")
    tasks = Tasks(ws)
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "ada", "tags": ["t"]})
    bob.write(*AT, {"status": "bob"})
    question = only(ws)
    with tasks.run("node", execution=1):
        ws.read_current(*AT)
        ws.put(*AT, {"status": "X"})
    saw_x = ws.agent("late")
    assert saw_x.read(*AT) is not None
    with tasks.run("node", execution=2):
        ws.read_current(*AT)
        ws.put(*AT, second)
    if "status" in second:
        assert shown(ws) == {"status": "X2", "tags": ["t"]} and ws.escalations() == []
    else:
        assert sides(only(ws)) == sides(question)
    other.import_(ws.export())
    assert shown(other) == shown(ws) and other.escalations() == ws.escalations()
    ws.import_(other.export())
    assert ws.check().ok and other.check().ok
    saw_x.write(*AT, {"status": "late"})
    if "votes" in second:
        assert {"ada", "bob", "late"} <= {c.agent for c in only(ws).contenders}, (
            "who had seen X had not seen them again"
        )
    other.import_(ws.export())
    assert other.escalations() == ws.escalations() and ws.check().ok
