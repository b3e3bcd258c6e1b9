"""Real LangGraph graphs to run stores in.

This module needs LangGraph alone, so that a peer's own environment can use it too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore

__all__ = ["Step", "in_node", "looped", "run"]


class _State(TypedDict, total=False):
    go: bool


Step = Callable[[], Any]


def run(store: BaseStore, *supersteps: Sequence[Step]) -> None:
    """Runs each group of functions as the parallel nodes of one superstep of a real graph."""
    _compiled(store, [[_node(step) for step in steps] for steps in supersteps]).invoke(
        {"go": True}, _config(supersteps)
    )


def in_node(store: BaseStore, step: Step) -> Any:
    """Runs a function as the only node of a graph and returns what it returned."""
    found: list[Any] = []
    run(store, [lambda: found.append(step())])
    return found[0]


def looped(store: BaseStore, puts: Sequence[tuple[Any, ...]]) -> tuple[Any, Any]:
    """A graph of one node that makes one put in each of as many supersteps, and the config to run it with."""
    left = [*puts]

    def node(state: _State) -> _State:
        store.put(*left.pop())
        return {"go": bool(left)}

    builder = StateGraph(_State).add_node("node", node).add_edge(START, "node")
    builder.add_conditional_edges("node", lambda state: "node" if state["go"] else END)
    return builder.compile(store=store), _config(puts)


def _compiled(store: BaseStore, layers: Sequence[Sequence[Any]]) -> CompiledStateGraph[Any, Any, Any, Any]:
    builder = StateGraph(_State)
    before: list[str] = []
    for depth, nodes in enumerate(layers):
        names = [f"node{depth}_{number}" for number in range(len(nodes))]
        for name, node in zip(names, nodes, strict=True):
            builder.add_node(name, node)
            if before:
                builder.add_edge(before, name)
            else:
                builder.set_entry_point(name)
        before = names
    return builder.compile(store=store)


def _config(supersteps: Sequence[Any]) -> Any:
    return {"recursion_limit": len(supersteps) + 2}


def _node(step: Step) -> Callable[[_State], None]:
    def node(state: _State) -> None:
        step()

    return node
