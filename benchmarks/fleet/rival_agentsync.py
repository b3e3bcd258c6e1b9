"""agentsync: a LangGraph store that merges by what it guesses from names and shapes; its plain calls alone merge."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from agentsync import SyncedStore  # type: ignore[import-not-found]

from benchmarks.fleet.graphs import GraphSession, State, fail_once, superstep
from concordant.bench import Costs, Outcome, Strategy, Task, Workload
from concordant.bench.strategies import NS
from concordant.bench.workload import changed

__all__ = ["STRATEGY"]


class _Session(GraphSession):
    _store: Any

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload, SyncedStore())

    def round(self, tasks: Sequence[Task], costs: Costs) -> None:
        have_read = threading.Barrier(len(tasks))
        failed: set[int] = set()

        def work(state: State) -> dict[str, Any]:
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
            fail_once(task, number, failed, costs)
            return {}

        graph, given, config = superstep(self._store, work, len(tasks))
        graph.invoke(given, config)

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


STRATEGY = Strategy("agentsync 0.1.0", _Session)  # type: ignore[arg-type]
