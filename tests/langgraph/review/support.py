"""What the tests of escalations in LangGraph share: a model, graphs whose parallel nodes disagree, ways to run them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from pydantic import BaseModel, Field

from concordant import Counter, Escalation, Scalar, Set, Text
from concordant_langgraph import MergeStore

NS = ("briefs",)
KEY = "launch"
AT = (NS, KEY)

ASYNC = [False, True]


class Brief(BaseModel):
    tags: Annotated[set[str], Set(), Field(max_length=3)]
    body: Annotated[str, Text(unit="word")]
    tokens: Annotated[int, Counter()] = 0
    status: Annotated[str | None, Scalar()] = None
    title: Annotated[str | None, Scalar()] = None


class State(TypedDict, total=False):
    x: int
    report: list[dict[str, Any]]


def putting(
    name: str, value: Mapping[str, Any] | None, key: str = KEY, *, is_async: bool = False
) -> Callable[..., Any]:
    """A node that puts a value; ``None`` deletes."""
    if is_async:

        async def anode(state: State, *, store: BaseStore) -> State:
            await store.aput(NS, key, value)  # type: ignore[arg-type]
            return {}

        anode.__name__ = name
        return anode

    def node(state: State, *, store: BaseStore) -> State:
        store.put(NS, key, value)  # type: ignore[arg-type]
        return {}

    node.__name__ = name
    return node


def parallel(*nodes: Callable[..., Any], **options: Any) -> StateGraph[State]:
    """A graph whose nodes run in one superstep, in the order of their names."""
    graph: StateGraph[State] = StateGraph(State)
    for node in nodes:
        graph.add_node(node.__name__, node, **options)
        graph.add_edge(START, node.__name__)
    return graph


def disagreeing(fields: Mapping[str, tuple[Any, ...]] | None = None, key: str = KEY) -> StateGraph[State]:
    """A graph whose nodes ada, bob, cid, ... put different values of each field."""
    fields = fields or {"status": ("draft", "ready")}
    names = ["ada", "bob", "cid", "dan"][: max(map(len, fields.values()))]
    return parallel(
        *(
            putting(name, {field: values[place] for field, values in fields.items() if place < len(values)}, key)
            for place, name in enumerate(names)
        )
    )


def invoke(graph: Any, given: Any, config: Any = None, *, is_async: bool = False, **options: Any) -> Any:
    """Runs a graph, without or on an event loop."""
    if is_async:
        return asyncio.run(graph.ainvoke(given, config, **options))
    return graph.invoke(given, config, **options)


def stream(graph: Any, given: Any, config: Any = None, *, is_async: bool = False, **options: Any) -> list[Any]:
    """What a graph's custom stream gives."""
    if not is_async:
        return [*graph.stream(given, config, stream_mode="custom", **options)]

    async def collect() -> list[Any]:
        return [chunk async for chunk in graph.astream(given, config, stream_mode="custom", **options)]

    return asyncio.run(collect())


def thread(name: str = "1") -> Any:
    return {"configurable": {"thread_id": name}}


def contest(
    store: MergeStore, field: str = "status", values: tuple[Any, ...] = ("draft", "ready"), key: str = KEY
) -> Escalation:
    """Leaves a field contested by ada, bob, ...; returns the question."""
    began = store.workspace.moment()
    for name, value in zip(["ada", "bob", "cid", "dan"], values, strict=False):
        store.workspace.agent(name, began=began).write(NS, key, {field: value})
    [escalation] = [e for e in store.escalations() if (e.key, e.path) == (key, (field,))]
    return escalation


def only(store: MergeStore, **kwargs: Any) -> Escalation:
    [escalation] = store.escalations(**kwargs)
    return escalation


def value(store: MergeStore, key: str = KEY) -> dict[str, Any]:
    item = store.get(NS, key)
    return dict(item.value) if item is not None else {}


def decisions(store: MergeStore, key: str = KEY) -> list[tuple[str, str, Any]]:
    """The decisions in a document's journal, oldest first: who, what, which value."""
    journal = reversed(store.history(NS, key))
    return [(e.agent, e.act, e.value["decision"]) for e in journal if e.act in ("resolve", "dismiss")]
