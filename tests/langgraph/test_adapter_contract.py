"""The contract of adapters, on LangGraph's: a step is a superstep of a graph, a retry is LangGraph's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.types import RetryPolicy

from concordant import Workspace
from concordant.testing import AdapterContract
from concordant.testing.adapters import Work
from concordant_langgraph import MergeStore


class State(TypedDict, total=False):
    """Nothing: all is in the store."""

    done: bool


class TestLangGraph(AdapterContract):
    """LangGraph's adapter keeps the contract."""

    retries = True

    def connect(self, workspace: Workspace) -> None:
        self.store = MergeStore(workspace=workspace)

    def run(self, steps: Sequence[Mapping[str, Work]]) -> None:
        for step in steps:
            builder = StateGraph(State)
            for name, work in step.items():
                builder.add_node(name, calling(work))
                builder.add_edge(START, name)
            builder.compile(store=self.store).invoke({})

    def retry(self, name: str, work: Work) -> None:
        attempts = iter([True, False])

        def node(_: State) -> dict[str, Any]:
            work()
            if next(attempts):
                raise ConnectionError("lost")
            return {}

        builder = StateGraph(State)
        builder.add_node(name, node, retry_policy=RetryPolicy(max_attempts=2, initial_interval=0.0, jitter=False))
        builder.add_edge(START, name)
        builder.compile(store=self.store).invoke({})


def calling(work: Work) -> Any:
    """A node that does some work."""

    def node(_: State) -> dict[str, Any]:
        work()
        return {}

    return node
