"""Plays workloads: the tasks of a round as threads or as coroutines, and what each call took."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter, sleep
from typing import Any

from concordant.bench.steps import Alarm, Call, Steps, Strategy, Think
from concordant.bench.workload import Task, Workload

__all__ = ["Seen", "Stage", "Trace", "play"]


@dataclass(slots=True)
class Seen:
    """What a task's last read of a document gave and when it was made, and when its write was done."""

    value: dict[str, Any] | None = None
    began: float = -1.0
    written: float = float("inf")
    has_read: bool = False


@dataclass
class Trace:
    """What happened while a workload was played.

    Attributes:
        seen: by task number and document.
        before: by round and document: what stood there when the round began.
        contested: by round: the conflicts that were open when it began.
        times: how long each call of the store took, in seconds, waits for locks included.
        thinks: how many calls of a model were made.
        retries: how many of them repeated an earlier one because of a conflict.
        seconds: how long it took altogether.
    """

    seen: dict[tuple[int, str], Seen] = field(default_factory=dict)
    before: dict[tuple[int, str], dict[str, Any] | None] = field(default_factory=dict)
    contested: dict[int, list[Alarm]] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)
    thinks: int = 0
    retries: int = 0
    tasks: int = 0
    seconds: float = 0.0


class Stage:
    """Drives the tasks of a workload through a strategy; a subclass may run them elsewhere.

    Args:
        thinking: by how much thinking takes its time; 0 leaves it out.
    """

    def __init__(self, workload: Workload, strategy: Strategy, thinking: float = 1.0) -> None:
        self.workload = workload
        self.strategy = strategy
        self.thinking = thinking
        self.trace = Trace()
        self._lock = threading.Lock()

    def play(self) -> Trace:
        """Plays all rounds."""
        for tasks in self.workload.rounds():
            for doc in {change.doc for task in tasks for change in task.changes}:
                self.trace.before[tasks[0].round, doc] = self.strategy.value(doc)
            self.trace.contested[tasks[0].round] = [alarm for alarm in self.strategy.alarms() if alarm.open]
            began = perf_counter()
            self.strategy.begin_round()
            self.round(tasks)
            self.trace.seconds += perf_counter() - began
            self.trace.tasks += len(tasks)
        return self.trace

    def round(self, tasks: Sequence[Task]) -> None:
        """Runs the tasks of a round at the same time."""
        if self.workload.asynchronous:
            asyncio.run(self._coroutines(tasks))
        elif len(tasks) == 1:
            self.thread(tasks[0], lambda: None)
        else:
            barrier = threading.Barrier(len(tasks), timeout=60)
            with ThreadPoolExecutor(len(tasks)) as pool:
                for done in [pool.submit(self.thread, task, barrier.wait) for task in tasks]:
                    done.result()

    def thread(self, task: Task, meet: Callable[[], Any]) -> None:
        """Executes a task, as often as it is to be executed, in this thread."""
        for execution in range(task.runs):
            self.execution(task, execution, meet if execution == 0 else lambda: None)

    def execution(self, task: Task, execution: int, meet: Callable[[], Any]) -> None:
        """Executes a task once in this thread."""
        steps, answer = self.strategy.perform(task, execution), None
        while (step := _next(steps, answer)) is not None:
            answer = None
            if isinstance(step, Call):
                began = perf_counter()
                answer = step.run()
                self.note(task, step, began, answer)
            elif isinstance(step, Think):
                self.thought(step)
                sleep(task.think * self.thinking / 1e3)
            else:
                meet()

    async def aexecution(self, task: Task, execution: int, meet: Callable[[], Any], pool: ThreadPoolExecutor) -> None:
        """Executes a task once as a coroutine; calls that block wait in a thread."""
        steps, answer = self.strategy.perform(task, execution), None
        while (step := _next(steps, answer)) is not None:
            answer = None
            if isinstance(step, Call):
                began = perf_counter()
                if step.arun is not None:
                    answer = await step.arun()
                elif step.act == "lock":
                    answer = await asyncio.get_running_loop().run_in_executor(pool, step.run)
                else:
                    answer = step.run()
                self.note(task, step, began, answer)
            elif isinstance(step, Think):
                self.thought(step)
                await asyncio.sleep(task.think * self.thinking / 1e3)
            elif execution == 0:
                await meet()

    async def _coroutines(self, tasks: Sequence[Task]) -> None:
        barrier = asyncio.Barrier(len(tasks))

        async def execute(task: Task) -> None:
            for execution in range(task.runs):
                await self.aexecution(task, execution, barrier.wait, pool)

        with ThreadPoolExecutor(len(tasks)) as pool:
            await asyncio.gather(*(execute(task) for task in tasks))

    def note(self, task: Task, call: Call, began: float, answer: Any) -> None:
        """Writes down a call that was made."""
        ended = perf_counter()
        with self._lock:
            self.trace.times.append(ended - began)
            seen = self.trace.seen.setdefault((task.number, call.doc), Seen())
            if call.act == "read":
                shown = answer if call.shows is None else call.shows(answer)
                seen.value, seen.began, seen.has_read = shown, began, True
            elif call.act == "write":
                seen.written = ended

    def thought(self, think: Think) -> None:
        """Counts a call of the model."""
        with self._lock:
            self.trace.thinks += 1
            self.trace.retries += think.again


def play(workload: Workload, strategy: Strategy, thinking: float = 1.0) -> Trace:
    """Plays a workload with threads, or with coroutines if it says so."""
    return Stage(workload, strategy, thinking).play()


def _next(steps: Steps, answer: Any) -> Any:
    try:
        return steps.send(answer)
    except StopIteration:
        return None
