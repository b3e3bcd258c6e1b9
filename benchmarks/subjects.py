"""What is measured: the model, values of about 200 bytes, the stores, and real LangGraph graphs to run them in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from langgraph.graph import StateGraph
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from pydantic import BaseModel

from concordant import Counter, Scalar, Set, Text
from concordant_langgraph import MergeStore

__all__ = [
    "FULL",
    "PLAIN",
    "QUICK",
    "SPACE",
    "STOCK",
    "Brief",
    "Sizes",
    "in_node",
    "merge_store",
    "run",
    "stock_store",
    "value",
]

SPACE = ("briefs",)
"""The namespace with a model."""
PLAIN = ("notes",)
"""A namespace without one."""
STOCK = "InMemoryStore"


class Brief(BaseModel):
    """Four declared fields, one of each common kind."""

    tags: Annotated[set[str], Set()] = set()
    status: Annotated[str | None, Scalar()] = None
    notes: Annotated[str, Text()] = ""
    hits: Annotated[int, Counter()] = 0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work a run does; the quick sizes only show that the harness works."""

    rounds: int = 30
    batch: int = 200
    history: int = 5_000
    fields: int = 1_000
    documents: int = 20_000
    crowd: int = 100_000
    text: int = 1_000_000
    edited: int = 100_000
    edits: int = 1_000
    slow_rounds: int = 3
    threads: int = 8
    puts: int = 8_000
    trials: int = 20


FULL = Sizes()
QUICK = Sizes(
    rounds=2,
    batch=10,
    history=60,
    fields=100,
    documents=200,
    crowd=1_000,
    text=10_000,
    edited=2_000,
    edits=10,
    slow_rounds=1,
    threads=8,
    puts=160,
    trials=1,
)


def value(number: int) -> dict[str, Any]:
    """A document of four fields, about 200 bytes as JSON."""
    return {
        "tags": ["agents", "merge", f"topic-{number % 50}"],
        "status": f"draft {number}",
        "notes": f"Finding {number}: two writers of one key in one superstep, one contribution is gone.",
        "hits": 1 + number % 5,
    }


def merge_store() -> MergeStore:
    """Ours, in memory."""
    return MergeStore({SPACE: Brief})


def stock_store() -> InMemoryStore:
    """LangGraph's own, in memory."""
    return InMemoryStore()


class _State(TypedDict, total=False):
    go: bool


Step = Callable[[], Any]


def run(store: BaseStore, *supersteps: Sequence[Step]) -> None:
    """Runs each group of functions as the parallel nodes of one superstep of a real graph."""
    builder = StateGraph(_State)
    before: list[str] = []
    for depth, steps in enumerate(supersteps):
        names = [f"node{depth}_{number}" for number in range(len(steps))]
        for name, step in zip(names, steps, strict=True):
            builder.add_node(name, _node(step))
            if before:
                builder.add_edge(before, name)
            else:
                builder.set_entry_point(name)
        before = names
    graph = builder.compile(store=store)
    graph.invoke({"go": True}, {"recursion_limit": len(supersteps) + 2})


def in_node(store: BaseStore, step: Callable[[], Any]) -> Any:
    """Runs a function as the only node of a graph and returns what it returned."""
    found: list[Any] = []
    run(store, [lambda: found.append(step())])
    return found[0]


def _node(step: Step) -> Callable[[_State], None]:
    def node(state: _State) -> None:
        step()

    return node
