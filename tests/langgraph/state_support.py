"""What the tests of state channels share: models with every kind, and graphs of one superstep."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

from langgraph.graph import START, StateGraph
from pydantic import BaseModel, Field

from concordant import Counter, List, Map, Scalar, Set, Text
from concordant_langgraph import state_schema


class Person(BaseModel):
    name: Annotated[str, Scalar()] = ""
    skills: Annotated[set[str], Set()]
    tasks: Annotated[int, Counter()] = 0


class Source(BaseModel):
    id: Annotated[str, Scalar()]
    quotes: Annotated[list[str], List()] = []
    stars: Annotated[int, Counter()] = 0
    verdict: Annotated[str | None, Scalar()] = None


class Brief(BaseModel):
    tags: Annotated[set[str], Set()]
    draft: Annotated[str, Text(unit="word")]
    steps: Annotated[list[str], List()]
    tokens: Annotated[int, Counter()] = 0
    cost: Annotated[Decimal, Counter()] = Decimal(0)
    owners: Annotated[dict[str, str], Map()]
    votes: Annotated[dict[str, Annotated[int, Counter()]], Map()]
    sources: Annotated[list[Source], Set(by="id")]
    lead: Person = Person(skills=set())
    status: Annotated[str | None, Scalar()] = None
    score: Annotated[float, Scalar(resolve="max")] = 0.0
    budget: Annotated[int, Counter(), Field(ge=0)] = 0


State = state_schema(Brief)


def parallel(schema: Any, *nodes: Any, **options: Any) -> Any:
    """A graph whose nodes n00, n01, ... run in one superstep; each is a function, or the update that it returns."""
    builder: Any = StateGraph(schema)
    for number, node in enumerate(nodes):
        name = f"n{number:02}"
        builder.add_node(name, node if callable(node) else lambda state, update=node: update)
        builder.add_edge(START, name)
    return builder.compile(**options)


def chain(schema: Any, *nodes: Any, **options: Any) -> Any:
    """A graph whose nodes n00, n01, ... run one after the other."""
    builder: Any = StateGraph(schema)
    before = START
    for number, node in enumerate(nodes):
        name = f"n{number:02}"
        builder.add_node(name, node if callable(node) else lambda state, update=node: update)
        builder.add_edge(before, name)
        before = name
    return builder.compile(**options)


def merged(field: str, base: Any, *updates: Any, schema: Any = State) -> Any:
    """What a field holds after parallel nodes returned these updates of it."""
    graph = parallel(schema, *[update if callable(update) else {field: update} for update in updates])
    return graph.invoke({field: base})[field]


def thread() -> Any:
    """The config of a thread of its own."""
    return {"configurable": {"thread_id": uuid.uuid4().hex}}


Node = Callable[[Any], Any]
