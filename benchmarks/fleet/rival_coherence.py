"""agent-coherence: a coordinator that refuses stale writes; its ``write_cas`` lets the writer read and think again."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ccs.adapters.base import CoherenceAdapterCore  # type: ignore[import-not-found]
from ccs.core.exceptions import CasRetriesExhausted, CoherenceError  # type: ignore[import-not-found]

from concordant.bench import Costs, Outcome, Strategy, Task, Workload
from concordant.bench.workload import changed

__all__ = ["STRATEGY"]


class _Session:
    """Documents are artifacts that hold JSON."""

    def __init__(self, workload: Workload) -> None:
        self._workload = workload
        self._core = CoherenceAdapterCore()
        self._ids = {
            key: self._core.register_artifact(name=key, content=json.dumps(workload.start.get(key))).id
            for key in workload.documents
        }
        self._core.register_agent("reader")
        for task in workload.tasks:
            self._core.register_agent(task.agent)
        self._tick = 0

    def begin(self) -> None:
        self._tick += 1

    def round(self, tasks: Sequence[Task], costs: Costs) -> None:
        have_read = threading.Barrier(len(tasks))
        with ThreadPoolExecutor(len(tasks)) as pool:
            for done in [pool.submit(self._work, task, costs, have_read) for task in tasks]:
                done.result()

    def _work(self, task: Task, costs: Costs, have_read: threading.Barrier) -> None:
        for attempt in range(1 + task.fails):
            costs.retries += attempt
            self._attempt(task, costs, have_read if attempt == 0 else None)

    def _attempt(self, task: Task, costs: Costs, have_read: threading.Barrier | None) -> None:
        runtime = self._core.runtime(task.agent)
        for key in task.changes:
            with costs.call():
                runtime.read(self._ids[key], now_tick=self._tick)
        if have_read is not None:
            have_read.wait()
        thought = False
        for key, change in task.changes.items():
            tries = 0

            def made(_: Any, key: str = key, change: Any = change) -> tuple[str, None]:
                nonlocal thought, tries
                tries += 1
                if tries > 1:
                    costs.retries += 1
                if tries > 1 or not thought:  # once about all that it has read, and about what it reads again
                    thought = True
                    time.sleep(costs.think(task))
                value = json.loads(runtime.content(self._ids[key]) or "null")
                return json.dumps(None if change is None else changed(self._workload.fields, value or {}, change)), None

            begun, slept = time.perf_counter(), costs.model_calls
            while True:
                where: dict[str, Any] = {
                    "agent_name": task.agent,
                    "artifact_id": self._ids[key],
                    "now_tick": self._tick,
                }
                try:
                    self._core.write_cas(make_content=made, **where)
                    break
                except CasRetriesExhausted:
                    continue  # a typed refusal, nothing stored: the agent begins again
                except CoherenceError as error:
                    if "commit_cas_not_allowed" not in str(error):
                        raise
                    # Who reads alone holds the document exclusively, and writes it as its owner.
                    self._core.write(content=made(None)[0], **where)
                    break
            spent = time.perf_counter() - begun
            if costs.model_calls == slept or not costs.thinking:
                costs.calls.append(spent)

    def outcome(self) -> Outcome:
        values = {}
        for key, artifact in self._ids.items():
            self._core.read(agent_name="reader", artifact_id=artifact, now_tick=self._tick + 1)
            values[key] = json.loads(self._core.content(agent_name="reader", artifact_id=artifact) or "null")
        return Outcome(values)

    def close(self) -> None:
        """Nothing to give up."""


STRATEGY = Strategy("agent-coherence 0.15.0", _Session, serial=True)  # type: ignore[arg-type]
