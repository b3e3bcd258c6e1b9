"""What a tool has shown an agent counts as read in its later calls of the same task, in real crews."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from crewai import Crew

from concordant_crewai import SharedState, context
from concordant_crewai.context import Work
from tests.patience import PATIENCE

from .support import agent, task
from .test_tools import Plan, update

READ = [("read_plan", {})]


def after(act: Callable[[], Any], turn: Any) -> Callable[[Any], Any]:
    """A turn that is decided after something else has happened."""

    def answer(messages: Any) -> Any:
        thread = threading.Thread(target=act)
        thread.start()
        thread.join()
        return turn

    return answer


def run(state: SharedState[Plan], *turns: Any, tools: list[Any] | None = None) -> list[str]:
    """Has an agent make its calls; returns what its tools answered."""
    heard: list[str] = []

    def listen(messages: Any) -> Any:
        heard[:] = [str(m["content"]) for m in messages if m.get("role") == "tool"]
        return "done"

    ada = agent("ada", [*turns, listen], state.tools() if tools is None else tools)
    Crew(agents=[ada], tasks=[task(ada)]).kickoff()
    return heard


def eve(state: SharedState[Plan], **values: Any) -> Callable[[], Any]:
    return lambda: state.workspace.agent("eve").write(state.namespace, state.key, values)


def test_a_stale_overwrite_escalates() -> None:
    """What others wrote after the agent was shown the state is not replaced."""
    state = SharedState(Plan)
    eve(state, status="draft")()
    answers = run(state, READ, after(eve(state, status="stopped"), [update(status="ready", tags=["x"])]))
    [question] = state.escalations()
    assert question.path == ("status",) and state.value == {"status": "draft", "tags": ["x"]}
    assert '"stopped" by "eve"' in answers[1] and '"ready" by "ada" (you)' in answers[1]


def test_what_was_shown_may_be_removed_and_own_writes_are_known() -> None:
    """Over all calls of the task; the agent's own writes are no strangers."""
    state = SharedState(Plan)
    eve(state, tags=["a", "b"], owners={"a": "eve"})()
    answers = run(
        state,
        READ,
        [update(remove_tags=["a"], remove_owners=["a"], status="one")],
        [update(status="two")],
    )
    assert state.value == {"tags": ["b"], "owners": {}, "status": "two"} and state.escalations() == []
    assert "not among" not in answers[1]


def test_two_calls_side_by_side_do_not_fight() -> None:
    """The calls of one turn are the task's own."""
    state = SharedState(Plan)
    run(state, READ, [update(status="one"), update(status="two", tags=["x"])], [update(status="three")])
    assert state.value == {"status": "three", "tags": ["x"]} and state.escalations(state="all") == []


def test_a_look_beside_a_call_is_no_sight_of_it() -> None:
    """What another call of the turn is shown has not decided this one, though it was there first."""
    state = SharedState(Plan)
    eve(state, status="draft")()
    looked, both = threading.Event(), threading.Barrier(2)
    read, change = state.tools()[:2]

    class Look(type(read)):  # type: ignore[misc]
        def _run(self, **arguments: Any) -> str:
            both.wait(PATIENCE)
            text: str = super()._run(**arguments)
            looked.set()
            return text

    class Act(type(change)):  # type: ignore[misc]
        def _run(self, **arguments: Any) -> str:
            both.wait(PATIENCE)
            assert looked.wait(PATIENCE)
            text: str = super()._run(**arguments)
            return text

    look, act = read.model_copy(update={"name": "look"}), change.model_copy()
    look.__class__, act.__class__ = Look, Act
    run(
        state,
        READ,
        after(eve(state, status="stopped"), [("look", {}), update(status="ready")]),
        tools=[read, look, act],
    )
    assert [question.path for question in state.escalations()] == [("status",)]


def test_another_task_has_not_seen_what_this_one_was_shown() -> None:
    """Each task is judged by what it was shown, and by its beginning."""
    state = SharedState(Plan)
    eve(state, status="draft")()
    ada = agent("ada", [READ], state.tools())
    bob = agent("bob", [[update(status="ready")]], state.tools())
    closing = task(ada)
    closing.callback = lambda _: eve(state, status="stopped")()
    Crew(agents=[ada, bob], tasks=[closing, task(bob)]).kickoff()
    assert state.value["status"] == "ready" and state.escalations() == []


def test_without_resolve_agents_do_not_decide() -> None:
    """The deciding tool is left out."""
    names = [tool.name for tool in SharedState(Plan).tools(resolve=False)]
    assert names == ["read_plan", "update_plan", "list_plan_conflicts"]


def test_sights_that_count_at_once_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the turns of a task's calls, a look beside a call would count as seen by it."""
    monkeypatch.setattr(context, "_turn_of", lambda record, started: None)
    assert Work("a", ("t",), 0.0).turn is None
    with pytest.raises(AssertionError):
        test_a_look_beside_a_call_is_no_sight_of_it()
