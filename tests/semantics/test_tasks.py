"""A framework's tasks as scopes: supersteps are concurrent, reads are a task's own, values travel."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel

from concordant import List, Scalar, Set, Text

from .support import AT, Tasks, only, shown, sides, workspace


class Brief(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    body: Annotated[str, Text()] = ""
    steps: Annotated[list[str], List()] = []
    status: Annotated[str | None, Scalar()] = None


def test_tasks_of_one_superstep_are_concurrent() -> None:
    """Though the second began after the first had written."""
    ws = workspace()
    tasks = Tasks(ws)
    with tasks.run("ada"):
        ws.put(*AT, {"x": 1})
    with tasks.run("bob"):
        ws.put(*AT, {"x": 2})
    assert sides(only(ws)) == {"ada": 1, "bob": 2}


def test_tasks_of_later_supersteps_have_seen_the_earlier() -> None:
    """A task of a later superstep replaces what one of an earlier wrote."""
    ws = workspace()
    tasks = Tasks(ws)
    with tasks.run("ada", step=1):
        ws.put(*AT, {"x": 1})
    with tasks.run("bob", step=2):
        ws.put(*AT, {"x": 2})
    assert shown(ws) == {"x": 2} and ws.escalations(state="all") == []


def test_a_task_is_concurrent_with_what_others_commit_while_it_runs() -> None:
    """Against everything else the scope began when the execution of the task began."""
    ws = workspace()
    tasks = Tasks(ws)
    person = ws.agent("person")
    person.write(*AT, {"x": 0})
    with tasks.run("ada"):
        ws.put(*AT, {"y": 0})
        person.write(*AT, {"x": 1})
        ws.put(*AT, {"x": 2, "y": 0})
    assert sides(only(ws)) == {"person": 1, "ada": 2}
    assert only(ws).base == 0


def test_a_task_that_reads_another_ones_write_has_seen_it() -> None:
    """A read inside the task orders it after what it read, in the same superstep too."""
    ws = workspace()
    tasks = Tasks(ws)
    with tasks.run("ada"):
        ws.put(*AT, {"x": 1})
    with tasks.run("bob"):
        ws.read_current(*AT)
        ws.put(*AT, {"x": 2})
    assert shown(ws) == {"x": 2} and ws.escalations(state="all") == []


def test_acting_as_inside_a_task_changes_the_name_only() -> None:
    """The scope stays the task's: its reads and its beginning; only the agent is another."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    ws.put(*AT, {"tags": ["a", "b"], "status": "draft"})
    with tasks.run("node"):
        ws.read_current(*AT)
        with ws.acting_as("editor"):
            ws.put(*AT, {"tags": ["b"], "status": "final"})
        ws.put(*AT, {"tags": ["b", "c"], "status": "done"})
    assert shown(ws) == {"tags": ["b", "c"], "status": "done"}
    assert [entry.agent for entry in ws.history(*AT)] == ["node", "editor", "anonymous"]
    assert ws.escalations(state="all") == []


def test_acting_as_inside_a_task_does_not_begin_anew() -> None:
    """What was committed after the task began stays concurrent under another name."""
    ws = workspace()
    tasks = Tasks(ws)
    person = ws.agent("person")
    with tasks.run("node"):
        person.write(*AT, {"x": 1})
        with ws.acting_as("editor"):
            ws.put(*AT, {"x": 2})
    assert sides(only(ws)) == {"person": 1, "editor": 2}


def test_two_names_in_one_task_do_not_conflict() -> None:
    """Several names within one task are one scope."""
    ws = workspace()
    tasks = Tasks(ws)
    with tasks.run("node"):
        with ws.acting_as("ada"):
            ws.put(*AT, {"x": 1})
        with ws.acting_as("bob"):
            ws.put(*AT, {"x": 2})
    assert shown(ws) == {"x": 2} and ws.escalations(state="all") == []


def test_an_agents_handle_inside_a_task_takes_the_tasks_beginning() -> None:
    """``ws.agent(name)`` inside a task is concurrent with what was committed after the task began."""
    ws = workspace()
    tasks = Tasks(ws)
    person = ws.agent("person")
    with tasks.run("node"):
        ws.put(*AT, {"y": 1})
        person.write(*AT, {"x": 1})
        ws.agent("helper").write(*AT, {"x": 2})
    assert sides(only(ws)) == {"person": 1, "helper": 2}


def test_an_agents_handle_inside_a_task_is_concurrent_with_the_superstep() -> None:
    """Handles of two tasks of one superstep are concurrent, as their tasks are."""
    ws = workspace()
    tasks = Tasks(ws)
    with tasks.run("one"):
        ws.agent("ada").write(*AT, {"x": 1})
    with tasks.run("two"):
        ws.agent("bob").write(*AT, {"x": 2})
    assert sides(only(ws)) == {"ada": 1, "bob": 2}


def test_an_agents_handle_with_a_beginning_keeps_it_inside_a_task() -> None:
    """``began=`` wins over the task."""
    ws = workspace()
    tasks = Tasks(ws)
    person = ws.agent("person")
    with tasks.run("node"):
        ws.put(*AT, {"y": 1})
        person.write(*AT, {"x": 1})
        ws.agent("helper", began=ws.moment()).write(*AT, {"x": 2, "y": 2})
    assert ws.escalations(state="all") == []


def test_a_planners_read_is_no_researchers_read() -> None:
    """Reads of other tasks do not count: a contribution does not become a removal."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    ws.put(*AT, {"tags": ["goal"], "body": "Plan."})
    with tasks.run("planner", step=1):
        ws.read_current(*AT)
    for researcher in ("ada", "bob"):
        with tasks.run(researcher, step=2):
            ws.put(*AT, {"tags": [researcher], "body": f"Found by {researcher}."})
    assert shown(ws) == {"tags": ["goal", "ada", "bob"], "body": "Plan.\nFound by ada.\nFound by bob."}


def test_a_second_put_of_a_task_edits_its_first() -> None:
    """What a task has read is its own last put if that came later."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    with tasks.run("node"):
        ws.put(*AT, {"body": "first draft", "tags": ["a", "b"]})
        ws.put(*AT, {"body": "second draft", "tags": ["b"]})
    assert shown(ws) == {"body": "second draft", "tags": ["b"]}


def test_what_a_load_node_read_does_not_double_when_a_save_node_puts_it() -> None:
    """A contribution that begins with the whole text or list that its scope has seen adds only the rest."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    ws.put(*AT, {"body": "One.", "steps": ["plan"]})
    with tasks.run("load", step=1):
        document = ws.read_current(*AT)
        assert document is not None
        state = document.value
    with tasks.run("save", step=2):
        ws.put(*AT, {"body": state["body"] + "\nTwo.", "steps": [*state["steps"], "build"]})
    assert shown(ws) == {"body": "One.\nTwo.", "steps": ["plan", "build"]}


def test_what_a_load_node_read_does_not_double_when_it_is_put_unchanged() -> None:
    """The whole text or list alone adds nothing."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    ws.put(*AT, {"body": "One.", "steps": ["plan"]})
    with tasks.run("load", step=1):
        document = ws.read_current(*AT)
        assert document is not None
    with tasks.run("save", step=2):
        ws.put(*AT, document.value)
    assert shown(ws) == {"body": "One.", "steps": ["plan"]}


def test_a_save_node_keeps_what_another_added_meanwhile() -> None:
    """Two save nodes of one superstep each add their rest to what both loaded."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    ws.put(*AT, {"body": "One.", "steps": ["plan"]})
    for name in ("ada", "bob"):
        with tasks.run(name, step=1):
            ws.put(*AT, {"body": f"One.\nBy {name}.", "steps": ["plan", name]})
    assert shown(ws) == {"body": "One.\nBy ada.\nBy bob.", "steps": ["plan", "ada", "bob"]}


def test_a_rest_in_the_same_line_continues_it() -> None:
    """What follows the text that was seen without a new line continues its last line."""
    ws = workspace(Brief)
    ws.agent("ada").write(*AT, {"body": "Hello"})
    ws.agent("bob").write(*AT, {"body": "Hello world"})
    assert shown(ws) == {"body": "Hello world"}


def test_a_repeated_blind_line_is_a_contribution_of_its_own() -> None:
    """Only the whole of what was seen is left out: a line that merely ends it is added again."""
    ws = workspace(Brief)
    ws.agent("ada").write(*AT, {"body": "one\ntwo"})
    ws.agent("bob").write(*AT, {"body": "two"})
    assert shown(ws) == {"body": "one\ntwo\ntwo"}
