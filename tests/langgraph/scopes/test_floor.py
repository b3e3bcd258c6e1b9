"""Before a run began nobody can have been a sibling of the tasks in the supersteps that it makes."""

from __future__ import annotations

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from concordant.merge.record.record import RECENT
from concordant.storage.deferred import LazyRecord
from concordant.workspace import visibility
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


def test_a_sibling_that_wrote_before_a_crash_is_concurrent() -> None:
    """A task goes on in another process: what stood beside it wrote before this run began, and it has not seen it."""
    store = merging()

    def quick(state: State) -> State:
        store.put(NS, "launch", {"status": "quick"})
        return {}

    def asks(state: State) -> State:
        store.put(NS, "launch", {"status": interrupt("?")})
        return {}

    team = StateGraph(State).add_node("quick", quick).add_node("asks", asks)
    team = team.add_edge(START, "quick").add_edge(START, "asks")
    graph = team.compile(store=store, checkpointer=InMemorySaver())
    graph.invoke({"x": 0}, THREAD)  # type: ignore[arg-type]
    attempts._known.clear()
    attempts._invocations.clear()
    graph.invoke(Command(resume="slow"), THREAD)  # type: ignore[arg-type]
    assert contenders(store) == ["quick", "slow"]
