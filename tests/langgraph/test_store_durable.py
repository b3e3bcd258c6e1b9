"""``MergeStore`` on a database: opened by its url, the same after reopening, shared by two stores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.config import get_store
from langgraph.graph import START, StateGraph
from pydantic import BaseModel

from concordant import Counter, Scalar, Set, StorageError
from concordant_langgraph import MergeStore

SPACE = ("briefs",)
FreshUrl = Callable[[str], str]


class Brief(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    status: Annotated[str | None, Scalar()] = None
    tokens: Annotated[int, Counter()] = 0


class State(TypedDict, total=False):
    done: bool


@pytest.fixture(params=["sqlite"])
def url(request: pytest.FixtureRequest, fresh_url: FreshUrl) -> str:
    return fresh_url(request.param)


def contribute(tag: str) -> Callable[[State], dict[str, Any]]:
    def node(state: State) -> dict[str, Any]:
        store = get_store()
        item = store.get(SPACE, "launch")
        value = item.value if item else {"tags": [], "tokens": 0}
        store.put(SPACE, "launch", {**value, "tags": [*value["tags"], tag], "tokens": value["tokens"] + 10})
        return {}

    return node


def team(store: MergeStore) -> Any:
    builder = StateGraph(State)
    for tag in ("crdt", "memory", "agents"):
        builder.add_node(tag, contribute(tag))
        builder.add_edge(START, tag)
    return builder.compile(store=store)


def test_parallel_nodes_lose_nothing_on_a_database(url: str) -> None:
    """A graph of parallel nodes, run again after the store was reopened: every contribution is there."""
    for run in (1, 2):
        with MergeStore.from_conn_string(url, {SPACE: Brief}) as store:
            team(store).invoke({})
            item = store.get(SPACE, "launch")
            assert item is not None
            assert set(item.value["tags"]) == {"crdt", "memory", "agents"} and item.value["tokens"] == 30 * run


async def test_parallel_async_nodes_lose_nothing_on_a_database(url: str) -> None:
    """The same with async nodes and ``async with``."""

    def node(tag: str) -> Callable[[State], Any]:
        async def work(state: State) -> dict[str, Any]:
            store = get_store()
            item = await store.aget(SPACE, "launch")
            value = item.value if item else {"tags": [], "tokens": 0}
            new = {**value, "tags": [*value["tags"], tag], "tokens": value["tokens"] + 10}
            await store.aput(SPACE, "launch", new)
            return {}

        return work

    for run in (1, 2):
        async with MergeStore.from_conn_string(url, {SPACE: Brief}) as store:
            builder = StateGraph(State)
            for number in range(6):
                builder.add_node(f"n{number}", node(f"t{number}"))
                builder.add_edge(START, f"n{number}")
            await builder.compile(store=store).ainvoke({})
            item = await store.aget(SPACE, "launch")
            assert item is not None
            assert len(item.value["tags"]) == 6 and item.value["tokens"] == 60 * run
            assert [i.key for i in await store.asearch(SPACE)] == ["launch"]


def test_two_stores_on_one_database_escalate_to_each_other(url: str) -> None:
    """Nodes in two stores (as in two processes) that had not seen each other's write: a question in both."""
    with MergeStore.from_conn_string(url, {SPACE: Brief}) as one, MergeStore.from_conn_string(url) as two:
        began = one.workspace.moment()
        one.workspace.agent("ada", began=began).write(SPACE, "launch", {"status": "draft"})
        two.workspace.agent("bob", began=began).write(SPACE, "launch", {"status": "final"})
        (question,) = two.escalations()
        one.resolve(question, "final", by="eve")
        assert two.escalations() == []


def test_items_with_an_end_are_read_where_nothing_may_be_written(fresh_url: FreshUrl) -> None:
    """A read that would begin a time to live anew leaves it as it is on a standby, or without the right to write."""
    url = fresh_url("postgres")
    with MergeStore.from_conn_string(url) as store:
        store.put(("notes",), "k", {"x": 1}, ttl=60)
    with MergeStore.from_conn_string(f"{url}%20-cdefault_transaction_read_only%3Don") as store:
        found = store.get(("notes",), "k")
        assert found is not None and found.value == {"x": 1}
        assert [item.key for item in store.search(("notes",))] == ["k"]
        with pytest.raises(StorageError, match="read-only"):
            store.put(("notes",), "k", {"x": 2})
