"""Rounds as supersteps of real LangGraph graphs, on any ``BaseStore``: each task is a node's work."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.types import RetryPolicy, Send

from concordant.bench import Costs, Outcome, Task, Workload
from concordant.bench.strategies import NS, outcome_of
from concordant.bench.workload import changed

__all__ = ["GraphSession", "State", "fail_once", "superstep"]


class State(TypedDict):
    """Which task a node does."""

    number: int


class _FailedError(RuntimeError):
    """The first attempt of a task fails, once it has written."""


def fail_once(task: Task, number: int, failed: set[int], costs: Costs) -> None:
    """Fails at the end of a task's first attempt, if the task is one that fails."""
    if task.fails and number not in failed:
        failed.add(number)
        costs.retries += 1
        raise _FailedError


def superstep(store: BaseStore, work: Any, count: int) -> tuple[Any, Any, Any]:
    """A graph that does so many tasks side by side, what it is given, and its config."""
    builder = StateGraph(State)
    policy = RetryPolicy(max_attempts=2, initial_interval=0.001, jitter=False, retry_on=_FailedError)
    builder.add_node("work", work, retry_policy=policy)
    sends = [Send("work", {"number": number}) for number in range(count)]
    builder.add_conditional_edges(START, lambda _: sends, ["work"])
    return builder.compile(store=store), {"number": 0}, {"max_concurrency": count}


class GraphSession:
    """One workload in graphs over a store.

    Args:
        store: LangGraph's, or one that merges.
        close: what to call in the end.
    """

    def __init__(self, workload: Workload, store: BaseStore, close: Any = None) -> None:
        self._workload = workload
        self._store = store
        self._close = close
        for key, value in workload.start.items():
            store.put(NS, key, dict(value))

    def begin(self) -> None:
        """A round is a run of its own."""

    def round(self, tasks: Sequence[Task], costs: Costs) -> None:
        """Plays the tasks as the nodes of one superstep."""
        asyncio.run(self._round(tasks, costs))

    async def _round(self, tasks: Sequence[Task], costs: Costs) -> None:
        have_read = asyncio.Barrier(len(tasks))
        failed: set[int] = set()
        store: Any = self._store

        async def work(state: State) -> dict[str, Any]:
            number = state["number"]
            task = tasks[number]
            with store.acting_as(task.agent) if hasattr(store, "acting_as") else nullcontext():
                with costs.call():
                    items = {key: await store.aget(NS, key) for key in task.changes}
                if number not in failed:
                    await have_read.wait()
                await asyncio.sleep(costs.think(task))
                with costs.call():
                    for key, change in task.changes.items():
                        if change is None:
                            await store.adelete(NS, key)
                        else:
                            before = items[key].value if items[key] is not None else {}
                            await store.aput(NS, key, changed(self._workload.fields, before, change))
            fail_once(task, number, failed, costs)
            return {}

        graph, given, config = superstep(self._store, work, len(tasks))
        await graph.ainvoke(given, config)

    def outcome(self) -> Outcome:
        """What the store has; with conflicts and names, if it knows any."""
        keys = self._workload.documents
        if hasattr(self._store, "workspace"):
            return outcome_of(self._store.workspace, NS, keys)
        items = {key: self._store.get(NS, key) for key in keys}
        return Outcome({key: None if item is None else item.value for key, item in items.items()})

    def close(self) -> None:
        """Closes the store, if it is to be closed."""
        if self._close is not None:
            self._close()
