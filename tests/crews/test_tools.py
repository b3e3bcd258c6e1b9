"""The tools of a ``SharedState`` in real crews: what agents do with them, and what they are told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from crewai import Agent, Crew
from pydantic import BaseModel, Field

from concordant import Counter, Map, NotAllowedError, Scalar, Schema, Set, Text, Workspace
from concordant_crewai import SharedState
from tests.patience import PATIENCE

from .support import agent, parallel, task


class Plan(BaseModel):
    """What the team is about to do."""

    tags: Annotated[set[str], Set()] = Field(set(), description="What it is about.")
    notes: Annotated[str, Text()] = ""
    owners: Annotated[dict[str, str], Map()] = {}
    spent: Annotated[int, Counter()] = 0
    status: Annotated[str | None, Scalar()] = None


@pytest.fixture(params=["memory", "sqlite"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    with Workspace(None if request.param == "memory" else f"sqlite:///{tmp_path}/plan.db") as workspace:
        yield SharedState(Plan, workspace=workspace)


def update(**arguments: Any) -> tuple[str, dict[str, Any]]:
    return "update_plan", arguments


def listening(heard: list[str], *turns: Any) -> list[Callable[[Any], Any]]:
    """A script that keeps what its tools answered."""

    def turn_of(turn: Any) -> Callable[[Any], Any]:
        def answer(messages: Any) -> Any:
            heard[:] = [str(m["content"]) for m in messages if m.get("role") == "tool"]
            return turn

        return answer

    return [turn_of(turn) for turn in [*turns, "done"]]


def test_agents_read_and_change(state: SharedState[Plan]) -> None:
    """One after the other, parallel calls in one turn included; each under its role, nothing cached."""
    heard: list[str] = []
    ada = agent("ada", [[update(tags=["crdt"], spent=3), update(tags=["agents"], spent=4)]], state.tools())
    turns = [
        [("read_plan", {})],
        [update(remove_tags=["crdt"], notes="Twelve sources.", status="ready")],
        [("read_plan", {})],
    ]
    bob = agent("bob", listening(heard, *turns), state.tools())
    Crew(agents=[ada, bob], tasks=[task(ada), task(bob)], cache=True).kickoff()
    assert state.value == {"tags": ["agents"], "spent": 7, "notes": "Twelve sources.", "status": "ready"}
    assert '"crdt"' in heard[0] and '"agents"' in heard[0] and 'tags: ["agents"]' in heard[2]
    agents = {path: {c.agent for c in credits} for path, credits in state.blame().items()}
    assert agents == {("tags",): {"ada"}, ("spent",): {"ada"}, ("notes",): {"bob"}, ("status",): {"bob"}}


def test_agents_at_work_at_once_are_told_of_each_other(state: SharedState[Plan]) -> None:
    """What merged, what is in conflict and with whom; a third settles it by the id in its own tool's answer."""
    both = threading.Barrier(2)

    def meeting(turn: Any) -> Callable[[Any], Any]:
        def answer(messages: Any) -> Any:
            both.wait(PATIENCE)
            return turn

        return answer

    tools = state.tools()
    ada = agent("ada", [meeting([update(tags=["crdt"], status="ready")])], tools)
    bob = agent("bob", [meeting([update(tags=["memory"], status="needs sources")])], tools)
    parallel(ada, bob).kickoff()
    assert set(state.value["tags"]) == {"crdt", "memory"} and state.model.status is None
    [question] = state.escalations()
    assert {c.agent: c.value for c in question.contenders} == {"ada": "ready", "bob": "needs sources"}

    heard: list[str] = []

    def settle(messages: Any) -> Any:
        text = next(str(m["content"]) for m in reversed(messages) if m.get("role") == "tool")
        heard.append(text)
        keep = 1 if '1. "ready"' in text else 2
        return [("resolve_plan_conflict", {"id": text.split("id ")[1].split()[0], "keep": keep})]

    maria = agent("maria", [[("list_plan_conflicts", {})], settle], tools)
    Crew(agents=[maria], tasks=[task(maria)]).kickoff()
    assert '"ready" by "ada"' in heard[0] and '"needs sources" by "bob"' in heard[0]
    assert state.value["status"] == "ready" and state.escalations() == []
    assert [c.agents for c in state.blame()[("status",)]] == [("ada", "maria")]


def test_who_may_not_decide_is_told_so() -> None:
    """A role that the schema does not name among its deciders, in its tool's answer; also who decides by the state."""
    state = SharedState(Schema(Plan, deciders=("lead",)))
    began, heard = state.workspace.moment(), list[str]()
    for name in ("ada", "bob"):
        with state.acting_as(name, began=began):
            state.write({"status": f"by {name}"})
    [question] = state.escalations()

    def settle(messages: Any) -> Any:
        text = next(str(m["content"]) for m in reversed(messages) if m.get("role") == "tool")
        return [("resolve_plan_conflict", {"id": text.split("id ")[1].split()[0], "keep": 1})]

    def hear(messages: Any) -> Any:
        heard[:] = [str(m["content"]) for m in messages if m.get("role") == "tool"]
        return "done"

    for role in ("eve", "lead"):
        worker = agent(role, [[("list_plan_conflicts", {})], settle, hear], state.tools())
        Crew(agents=[worker], tasks=[task(worker)]).kickoff()
        if role == "eve":
            assert "'eve' may not decide" in heard[-1] and state.escalations() == [question]
            with pytest.raises(NotAllowedError, match="'eve' may not decide"):
                state.resolve(question, "mine", by="eve")
    assert state.escalations() == [] and state.value["status"] == "by ada"


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [({"tags": "crdt"}, "tags"), ({"colour": "red"}, "colour"), ({"spent": "much"}, "spent"), ({}, "at least one")],
)
def test_a_wrong_call_is_told_how_to_mend_it(arguments: dict[str, Any], mend: str) -> None:
    """In the tool's answer: the agent goes on, and nothing of the call is written."""
    state, heard = SharedState(Plan), list[str]()
    turns = [[("update_plan", arguments)], [update(tags=["mended"])]]
    ada = agent("ada", listening(heard, *turns), state.tools())
    Crew(agents=[ada], tasks=[task(ada)]).kickoff()
    assert mend in heard[0] and "othing was written" in heard[0] and heard[1].startswith("Written")
    assert state.value == {"tags": ["mended"]}


def test_what_agents_are_shown_of_the_tools() -> None:
    """Names, the model's own words, and arguments by kind."""
    tools = SharedState(Plan).tools(name="trip")
    assert [t.name for t in tools] == ["read_trip", "update_trip", "list_trip_conflicts", "resolve_trip_conflict"]
    assert "What the team is about to do." in tools[1].description
    schema = tools[1].args_schema.model_json_schema()
    arguments = {"tags", "remove_tags", "notes", "replace_notes", "owners", "remove_owners", "spent", "status", "clear"}
    assert {*schema["properties"]} == arguments
    assert schema["properties"]["tags"]["description"].startswith("What it is about.")


@pytest.mark.parametrize("rounds", [10, pytest.param(50, marks=pytest.mark.torture)])
def test_truly_parallel_agents_lose_nothing(state: SharedState[Plan], rounds: int) -> None:
    """Three agents in rounds of parallel tool calls: every contribution is there, under the right role."""
    names = ["ada", "bob", "cyd"]
    turn = threading.Barrier(len(names))

    def working(name: str) -> Agent:
        def round_of(number: int) -> Callable[[Any], Any]:
            def answer(messages: Any) -> Any:
                turn.wait(PATIENCE)
                own = f"{name}-{number}"
                entry = {"key": own, "value": name}
                return [update(tags=[own], spent=1, owners=[entry]), update(notes=f"{own} was here", spent=1)]

            return answer

        return agent(name, [round_of(number) for number in range(rounds)], state.tools(), max_iter=rounds + 5)

    parallel(*map(working, names)).kickoff()
    value = state.value
    expected = {f"{name}-{number}" for name in names for number in range(rounds)}
    assert set(value["tags"]) == set(value["owners"]) == expected
    assert {line.split()[0] for line in value["notes"].splitlines()} == expected
    assert value["spent"] == 2 * len(expected) and state.escalations() == []
    blame = state.blame()
    assert all(credit.value.startswith(f"{credit.agent}-") for credit in blame[("tags",)])
    assert all(credit.agent in credit.value for credit in blame[("notes",)])


def test_a_tool_works_without_a_crew() -> None:
    """Under the name in force."""
    state = SharedState(Plan)
    tool = next(tool for tool in state.tools() if tool.name == "update_plan")
    with state.acting_as("maria"):
        assert tool.run(tags=["x"]).startswith("Written")
    assert [c.agent for c in state.blame()[("tags",)]] == ["maria"]
