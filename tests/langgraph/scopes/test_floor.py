"""Before a superstep began nobody can have been a sibling of the tasks in it."""

from __future__ import annotations

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from concordant.merge.record.record import RECENT
from concordant.storage.deferred import LazyRecord
from concordant.workspace import visibility
from concordant.workspace.scope import Scope
from concordant_langgraph import MergeStore, attempts

from .support import NS, State, chain, contenders, merging

THREAD = {"configurable": {"thread_id": "one"}}


def put(store: MergeStore, text: str) -> None:
    store.put(NS, "launch", {"log": text})


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The commits that are judged one by one."""
    found: list[int] = []
    sees = visibility._sees

    def counted(scope: visibility.Scope, n: int, *rest: float) -> bool:
        found.append(n)
        return sees(scope, n, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(visibility, "_sees", counted)
    return found


@pytest.mark.parametrize("checkpointed", [False, True])
def test_a_put_of_a_node_looks_at_no_commit_of_those_before(checkpointed: bool, looks: list[int]) -> None:
    """However many supersteps have written a document, puts that follow look at none of their commits, and are put off;
    where a superstep may have begun before the run, from the next one on."""
    store = merging()
    for n in range(2 * RECENT + 10):
        chain(lambda _, n=n: put(store, f"line {n}")).compile(store=store).invoke({"x": 0})

    def node(state: State) -> State:
        looks.clear()
        for n in range(5):
            put(store, f"mine {n}")
        return {}

    graph = chain(lambda _: {}, node)
    if checkpointed:
        graph.compile(store=store, checkpointer=InMemorySaver()).invoke({"x": 0}, THREAD)  # type: ignore[arg-type]
    else:
        graph.compile(store=store).invoke({"x": 0})
    assert not looks
    assert isinstance(store.workspace.core.storage.load(NS, "launch"), LazyRecord)


@pytest.mark.parametrize("crashed", [False, True])
def test_a_sibling_that_wrote_before_a_task_went_on_is_concurrent(crashed: bool) -> None:
    """A task goes on after an interrupt, here or in another process: what stood beside it wrote before, and it has not
    seen it."""
    store = merging()

    def quick(state: State) -> State:
        store.put(NS, "launch", {"status": "quick"})
        return {}

    def asks(state: State) -> State:
        store.put(NS, "launch", {"status": interrupt("?")})
        return {}

    team = StateGraph(State).add_node("first", lambda _: {}).add_node("quick", quick).add_node("asks", asks)
    team = team.add_edge(START, "first").add_edge("first", "quick").add_edge("first", "asks")
    graph = team.compile(store=store, checkpointer=InMemorySaver())
    graph.invoke({"x": 0}, THREAD)  # type: ignore[arg-type]
    if crashed:
        attempts._known.clear()
        attempts._invocations.clear()
    graph.invoke(Command(resume="slow"), THREAD)  # type: ignore[arg-type]
    assert contenders(store) == ["quick", "slow"]


@pytest.mark.parametrize("checkpointed", [False, True])
def test_a_put_looks_at_no_commit_of_earlier_supersteps_of_its_run(
    checkpointed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often a run has written a document, a put in a later superstep asks of none of these commits whose they
    are."""
    store, asked = merging(), list[int]()
    is_own = Scope.is_own
    monkeypatch.setattr(Scope, "is_own", lambda scope, n, origin: asked.append(n) or is_own(scope, n, origin))

    def write(state: State) -> State:
        put(store, f"line {state['x']}")
        return {"x": state["x"] + 1}

    team = StateGraph(State).add_node("write", write).add_edge(START, "write")
    team.add_conditional_edges("write", lambda state: "write" if state["x"] < 40 else END)
    graph = team.compile(store=store, checkpointer=InMemorySaver() if checkpointed else None)
    graph.invoke({"x": 0}, {**THREAD, "recursion_limit": 50})  # type: ignore[arg-type]
    assert len(asked) <= 5
