"""``SharedState`` in real crews: who wrote, in which unit of work, and what came of it."""

from __future__ import annotations

import threading
from typing import Annotated, Any

import pytest
from crewai import Crew
from crewai.events import crewai_event_bus
from crewai.tools import BaseTool
from pydantic import BaseModel

from concordant import Counter, Scalar, SchemaError, Set, Text, Workspace
from concordant_crewai import EscalationEvent, SharedState
from tests.patience import PATIENCE

from .support import agent, parallel, task


class Plan(BaseModel):
    tags: Annotated[set[str], Set()]
    notes: Annotated[str, Text()]
    spent: Annotated[int, Counter()]
    status: Annotated[str | None, Scalar()] = None


class Doing(BaseTool):
    """A tool that runs a function of the test."""

    name: str = "do"
    description: str = "Does what the test says."
    does: Any = None

    def _run(self, what: str = "") -> str:
        self.does(what)
        return "ok"


def do(what: str = "") -> list[tuple[str, dict[str, Any]]]:
    return [("do", {"what": what})]


def test_the_agents_of_a_crew_are_the_writers() -> None:
    """What a tool writes in a crew's task is credited to the role of the task's agent."""
    state = SharedState(Plan)
    tool = Doing(does=lambda what: state.write({"tags": [what]}))
    ada, bob = agent("ada", [do("a")], [tool]), agent("bob", [do("b")], [tool])
    Crew(agents=[ada, bob], tasks=[task(ada), task(bob)]).kickoff()
    assert {c.value: c.agents for c in state.blame()[("tags",)]} == {"a": ("ada",), "b": ("bob",)}


def test_tasks_that_run_at_once_are_concurrent() -> None:
    """Two tasks that began before either wrote escalate what cannot be merged, and merge the rest."""
    state, both = SharedState(Plan), threading.Barrier(2)

    def does(what: str) -> None:
        both.wait(PATIENCE)
        state.write({"tags": [what], "notes": f"{what} was here", "spent": 2, "status": what})

    tool = Doing(does=does)
    parallel(agent("ada", [do("a")], [tool]), agent("bob", [do("b")], [tool])).kickoff()
    assert sorted(state.value["tags"]) == ["a", "b"] and state.value["spent"] == 4
    assert sorted(state.value["notes"].splitlines()) == ["a was here", "b was here"]
    [question] = state.escalations()
    assert sorted((c.value, c.agent) for c in question.contenders) == [("a", "ada"), ("b", "bob")]
    assert state.model.status is None
    state.resolve(question, "b", by="maria", why="Bob asked.")
    assert state.model.status == "b" and state.escalations() == []
    assert state.escalations(state="resolved")[0].remarks[-1] == ("maria", "Bob asked.")


def test_tasks_that_follow_each_other_are_ordered() -> None:
    """A task has seen what was written before it began, and its own writes: nothing escalates."""
    state = SharedState(Plan)
    tool = Doing(does=lambda what: state.write({"status": what}))
    ada, bob = agent("ada", [do("draft"), do("done")], [tool]), agent("bob", [do("final")], [tool])
    Crew(agents=[ada, bob], tasks=[task(ada), task(bob)]).kickoff()
    assert state.value == {"status": "final"} and state.escalations(state="all") == []


def test_crews_share_a_state_through_the_workspace() -> None:
    """Two crews with their own handles of one workspace, namespace and key have one state."""
    ws = Workspace()
    for name in ("ada", "bob"):
        state = SharedState(Plan, workspace=ws, namespace=("plans",), key="launch")
        worker = agent(name, [do(name)], [Doing(does=lambda what, state=state: state.write({"tags": [what]}))])
        Crew(agents=[worker], tasks=[task(worker)]).kickoff()
    assert ws.get(("plans",), "launch").value == {"tags": ["ada", "bob"]}  # type: ignore[union-attr]


def test_delegated_work_is_the_coworkers_and_seen_by_who_delegated() -> None:
    """What a coworker writes is the coworker's; the agent that delegated it has seen it and may go on from there."""
    state = SharedState(Plan)
    tool = Doing(does=lambda what: state.write({"status": what}))
    bob = agent("bob", [do("by bob"), "done"], [tool])
    delegate = ("delegate_work_to_coworker", {"task": "t", "context": "c", "coworker": "bob"})
    ada = agent("ada", [[delegate], do("by ada")], [tool], allow_delegation=True)
    Crew(agents=[ada, bob], tasks=[task(ada)]).kickoff()
    assert [(e.agent, e.value) for e in reversed(state.workspace.history(state.namespace, state.key))] == [
        ("bob", {"status": "by bob"}),
        ("ada", {"status": "by ada"}),
    ]
    assert state.value == {"status": "by ada"} and state.escalations(state="all") == []


def test_an_agents_own_kickoff_is_its_unit_of_work() -> None:
    """An agent that is kicked off without a crew writes under its role."""
    state = SharedState(Plan)
    agent("ada", [do("a")], [Doing(does=lambda what: state.write({"tags": [what]}))]).kickoff("go")
    assert [c.agents for c in state.blame()[("tags",)]] == [("ada",)]


def test_a_crew_started_by_a_tool_is_part_of_the_task() -> None:
    """The inner crew's agents are the writers of their own writes, which the outer task has seen."""
    state = SharedState(Plan)
    inner_tool = Doing(does=lambda what: state.write({"status": what}))

    def start_crew(what: str) -> None:
        worker = agent("inner", [do("by inner")], [inner_tool])
        Crew(agents=[worker], tasks=[task(worker)]).kickoff()
        state.write({"status": "by outer"})

    outer = agent("outer", [do()], [Doing(does=start_crew)])
    Crew(agents=[outer], tasks=[task(outer)]).kickoff()
    assert [e.agent for e in state.workspace.history(state.namespace, state.key)] == ["outer", "inner"]
    assert state.value == {"status": "by outer"} and state.escalations(state="all") == []


def test_a_thread_that_a_tool_starts_says_who_it_is() -> None:
    """Where CrewAI's context does not reach, ``acting_as`` names the writer; without it there is no name."""
    state = SharedState(Plan)

    def named() -> None:
        with state.acting_as("helper"):
            state.write({"tags": ["named"]})

    def start_threads(what: str) -> None:
        for work in (named, lambda: state.write({"tags": ["unnamed"]})):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()

    worker = agent("ada", [do()], [Doing(does=start_threads)])
    Crew(agents=[worker], tasks=[task(worker)]).kickoff()
    assert {c.value: c.agents for c in state.blame()[("tags",)]} == {"named": ("helper",), "unnamed": ("anonymous",)}


def test_edits_of_one_text_by_two_tasks_merge() -> None:
    """An edit in a task changes what it read there; two tasks' edits of different sentences both stand."""
    state, both = SharedState(Plan), threading.Barrier(2)
    with state.acting_as("maria"):
        state.write({"notes": "the plan is short. It is cheap."})

    def does(what: str) -> None:
        old, new = what.split(">")
        with state.edit() as plan:
            both.wait(PATIENCE)
            plan.notes = plan.notes.replace(old, new)

    tool = Doing(does=does)
    parallel(agent("ada", [do("short>long")], [tool]), agent("bob", [do("cheap>dear")], [tool])).kickoff()
    assert state.value["notes"] == "the plan is long. It is dear."


def test_escalations_go_out_on_the_event_bus() -> None:
    """CrewAI's bus tells of every transition of an escalation, and whose work caused it."""
    state, both, told = SharedState(Plan), threading.Barrier(2), []

    def does(what: str) -> None:
        both.wait(PATIENCE)
        state.write({"status": what})

    with crewai_event_bus.scoped_handlers():

        @crewai_event_bus.on(EscalationEvent)
        def tell(source: Any, event: EscalationEvent) -> None:
            told.append(event)

        tool = Doing(does=does)
        parallel(agent("ada", [do("a")], [tool]), agent("bob", [do("b")], [tool])).kickoff()
        [question] = state.escalations()
        state.resolve(question, "a", by="maria")
        crewai_event_bus.flush()
    opened, resolved = sorted(told, key=lambda event: event.kind)
    assert (opened.kind, opened.path, opened.reason) == ("opened", ("status",), "scalar")
    assert opened.agent_role in ("ada", "bob") and "'a' by ada" in opened.text
    assert sorted((c["value"], c["agents"]) for c in opened.contenders) == [("a", ["ada"]), ("b", ["bob"])]
    assert (resolved.kind, resolved.by, resolved.decision) == ("resolved", "maria", "a")


def test_a_namespace_has_one_model() -> None:
    """A second state of another model in the same namespace is refused with what to do about it."""

    class Other(BaseModel):
        status: Annotated[str | None, Scalar()] = None

    ws = Workspace()
    SharedState(Plan, workspace=ws, namespace=("plans",))
    SharedState(Plan, workspace=ws, namespace=("plans",), key="another")
    with pytest.raises(SchemaError, match="plans has another schema already"):
        SharedState(Other, workspace=ws, namespace=("plans",))


def test_state_without_a_crew() -> None:
    """Outside of crews a state is read as its model's defaults, written, edited and read again."""
    state = SharedState(Plan)
    assert state.value == {} and state.document is None and state.model == Plan(tags=set(), notes="", spent=0)
    state.write(Plan(tags={"x"}, notes="", spent=1))
    with state.edit() as plan:
        plan.tags.add("y")
        plan.spent += 1
    assert state.model.tags == {"x", "y"} and state.model.spent == 2
    assert repr(state) == "SharedState(Plan, shared/Plan:state)"


def test_a_person_acts_by_what_she_was_shown() -> None:
    """A read that went out as a token is what an edit by it is made of, and a question is settled by its id."""
    state = SharedState(Plan)
    with state.acting_as("planner"):
        state.write({"tags": ["a", "b"], "status": "draft"})
    assert state.document is not None
    token = state.document.token
    with state.acting_as("ada"):
        state.write({"tags": ["c"], "status": "ready"})
    with state.acting_as("maria", seen=token), state.edit() as plan:
        assert plan.tags == {"a", "b"}
        plan.tags, plan.status = {"b"}, "dropped"
    assert state.value["tags"] == ["b", "c"]
    [question] = state.escalations()
    state.resolve(question.id, "dropped", by="maria", version=question.version)
    assert state.value["status"] == "dropped"
