"""Rounds as supersteps of real LangGraph graphs, and stores behind LangGraph's interface as strategies."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.types import RetryPolicy

from concordant.bench import Alarm, Call, Credits, Stage, Steps, Task, Think, Together, Workload, changed, contributed
from concordant.bench.strategies.ours import alarms_of, credits_of, settled_by

__all__ = ["GraphStage", "MergeStoreStrategy", "StoreStrategy"]


class _State(TypedDict, total=False):
    go: bool


class _Again(Exception):
    """A task fails after all its work was done, so that it is executed again."""


class GraphStage(Stage):
    """Each task is a node; those of a round run in one superstep. A node fails until it has run often enough."""

    def round(self, tasks: Sequence[Task]) -> None:
        """Runs the tasks as parallel nodes."""
        asynchronous = self.workload.asynchronous
        barrier: Any = asyncio.Barrier(len(tasks)) if asynchronous else threading.Barrier(len(tasks), timeout=60)
        again = RetryPolicy(initial_interval=0.001, max_interval=0.001, jitter=False, max_attempts=10, retry_on=_Again)
        executions: Counter[int] = Counter()
        builder = StateGraph(_State)
        with ThreadPoolExecutor(len(tasks)) as pool:
            for task in tasks:
                node = (
                    self._coroutine(task, executions, barrier.wait, pool)
                    if asynchronous
                    else self._node(task, executions, barrier.wait)
                )
                builder.add_node(task.agent, node, retry_policy=again)
                builder.add_edge(START, task.agent).add_edge(task.agent, END)
            graph = builder.compile(store=getattr(self.strategy, "store", None))
            config: Any = {"max_concurrency": len(tasks)}
            if asynchronous:
                asyncio.run(graph.ainvoke({"go": True}, config))
            else:
                graph.invoke({"go": True}, config)

    def _node(self, task: Task, executions: Counter[int], meet: Callable[[], Any]) -> Callable[[_State], None]:
        def node(state: _State) -> None:
            number = executions[task.number]
            self.execution(task, number, meet if number == 0 else lambda: None)
            executions[task.number] += 1
            if number + 1 < task.runs:
                raise _Again

        return node

    def _coroutine(self, task: Task, executions: Counter[int], meet: Callable[[], Any], pool: Any) -> Any:
        async def node(state: _State) -> None:
            number = executions[task.number]
            await self.aexecution(task, number, meet, pool)
            executions[task.number] += 1
            if number + 1 < task.runs:
                raise _Again

        return node


class StoreStrategy:
    """Get, think, put on a LangGraph store; the very same nodes whatever the store."""

    def __init__(self, name: str, store: BaseStore, workload: Workload) -> None:
        self.name = name
        self.store = store
        self.workload = workload

    def begin_round(self) -> None:
        """A superstep begins by itself."""

    def perform(self, task: Task, execution: int) -> Steps:
        """Gets, thinks, puts."""
        space, store, seen = self.workload.namespace, self.store, dict[str, Any]()
        for doc in task.reads:
            item = yield Call("read", doc, partial(store.get, space, doc), partial(store.aget, space, doc), _shown)
            seen[doc] = _shown(item)
        yield Together()
        yield Think()
        for doc, changes in task.by_document().items():
            fields = self.workload.fields
            value = changed(seen[doc], changes, fields) if doc in seen else contributed(changes, fields)
            if value is None:
                yield Call("write", doc, partial(store.delete, space, doc), partial(store.adelete, space, doc))
            else:
                yield Call("write", doc, partial(store.put, space, doc, value), partial(store.aput, space, doc, value))

    def value(self, doc: str) -> dict[str, Any] | None:
        """What a reader gets."""
        return _shown(self.store.get(self.workload.namespace, doc))

    def alarms(self) -> list[Alarm]:
        """A plain store tells of none."""
        return []

    def settled(self, doc: str) -> set[tuple[str, ...]]:
        """A plain store has no policies."""
        return set()

    def credits(self, doc: str) -> Credits | None:
        """A plain store does not know."""
        return None

    def close(self) -> None:
        """The store belongs to whoever made it."""


class MergeStoreStrategy(StoreStrategy):
    """The same on a ``MergeStore``, with a declared model."""

    store: Any

    def alarms(self) -> list[Alarm]:
        """All escalations."""
        return alarms_of(self.store.workspace)

    def settled(self, doc: str) -> set[tuple[str, ...]]:
        """What the journal says."""
        return settled_by(self.store.workspace, self.workload.namespace, doc)

    def credits(self, doc: str) -> Credits | None:
        """What ``blame`` says."""
        return credits_of(self.store.workspace, self.workload.namespace, doc)

    def close(self) -> None:
        """Closes the workspace."""
        self.store.workspace.close()


def _shown(item: Any) -> dict[str, Any] | None:
    return None if item is None else item.value
