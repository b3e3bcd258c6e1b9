"""agentsync: a LangGraph store that merges by what it guesses from names and shapes; its plain calls alone merge."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any, TypedDict

from agentsync import SyncedStore  # type: ignore[import-not-found]
from langgraph.graph import START, StateGraph
from langgraph.types import RetryPolicy, Send

from concordant.bench import Costs, Outcome, Strategy, Task, Workload
from concordant.bench.workload import changed

__all__ = ["STRATEGY"]

NS = ("bench",)


class _State(TypedDict):
    number: int


class _FailedError(RuntimeError):
    pass


class _Session:
    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._store = SyncedStore()
        for key, value in workload.start.items():
            self._store.put(NS, key, dict(value))

    def begin(self) -> None:
        """A round is a run of its own."""

    def round(self, tasks: Sequence[Task], costs: Costs) -> None:
        have_read = threading.Barrier(len(tasks))
        failed: set[int] = set()

        def work(state: _State) -> dict[str, Any]:
            number = state["number"]
            task = tasks[number]
            with self._store.acting_as(task.agent):
                with costs.call():
                    items = {key: self._store.get(NS, key) for key in task.changes}
                if number not in failed:
                    have_read.wait()
                time.sleep(costs.think(task))
                with costs.call():
                    for key, change in task.changes.items():
                        if change is None:
                            self._store.delete(NS, key)
                        else:
                            before = items[key].value if items[key] is not None else {}
                            self._store.put(NS, key, changed(self._workload.fields, before, change))
            if task.fails and number not in failed:
                failed.add(number)
                costs.retries += 1
                raise _FailedError
            return {}

        builder = StateGraph(_State)
        policy = RetryPolicy(max_attempts=2, initial_interval=0.001, jitter=False, retry_on=_FailedError)
        builder.add_node("work", work, retry_policy=policy)
        sends = [Send("work", {"number": number}) for number in range(len(tasks))]
        builder.add_conditional_edges(START, lambda _: sends, ["work"])
        builder.compile(store=self._store).invoke({"number": 0}, {"max_concurrency": len(tasks)})

    def outcome(self) -> Outcome:
        keys = self._workload.documents
        items = {key: self._store.get(NS, key) for key in keys}
        contenders: dict[Any, Any] = {}
        for (_, key), engine in self._store._engines.items():
            for one in engine.escalations():
                entries = [(contender.value, (contender.agent_id,)) for contender in one.contenders]
                contenders.setdefault((key, (one.field,)), []).extend(entries)
        values = {key: None if item is None else item.value for key, item in items.items()}
        return Outcome(values, frozenset(contenders), contenders)

    def close(self) -> None:
        """Nothing to give up."""


STRATEGY = Strategy("agentsync 0.1.0", _Session)  # type: ignore[arg-type]
