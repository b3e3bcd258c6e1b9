"""Plays a workload: the tasks of a round at the same time, in threads or as coroutines, and measures what they cost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

from concordant.bench.outcome import Outcome
from concordant.bench.workload import Task, Workload

__all__ = ["Costs", "Session", "Step", "play"]

Step: TypeAlias = "float | threading.Lock | None"
"""What a task waits for: an agent that thinks (seconds), a lock to be had, or (``None``) until all tasks of the round
have read."""

_PAUSE = 0.0005


class Costs:
    """What playing a workload cost.

    Attributes:
        calls: how often a store was asked, in seconds each.
        model_calls: how often an agent had to think.
        retries: how often a task's write was refused, or the task failed, so that it read and thought again.
        seconds: all in all, by the clock.
        thinking: whether thinking takes its time; if not, only what the store costs is left.
    """

    def __init__(self, *, thinking: bool = True) -> None:
        self.calls: list[float] = []
        self.model_calls = 0
        self.retries = 0
        self.seconds = 0.0
        self.thinking = thinking

    @contextmanager
    def call(self) -> Iterator[None]:
        """Measures a call of the store."""
        begun = time.perf_counter()
        yield
        self.calls.append(time.perf_counter() - begun)

    def think(self, task: Task) -> float:
        """Returns an agent thinks: for how long a task has to wait."""
        self.model_calls += 1
        return task.think if self.thinking else 0.0

    def quantile(self, share: float) -> float:
        """Tells how long so many of the calls took at most, in seconds."""
        ordered = sorted(self.calls)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Session(Protocol):
    """One workload on one store of its own."""

    def begin(self) -> None:
        """Takes note that a round begins."""
        ...

    def work(self, task: Task, costs: Costs, attempt: int = 0) -> Generator[Step, None, None]:
        """Does a task: yields what it waits for. One that fails is done again, as the next attempt."""
        ...

    def outcome(self) -> Outcome:
        """Tells what there is in the end."""
        ...

    def close(self) -> None:
        """Gives up the store."""
        ...


def play(workload: Workload, session: Any, costs: Costs, *, coroutines: bool = False) -> Outcome:
    """Plays all rounds and gives what came of it; closes the session.

    Args:
        session: a ``Session``, or one that plays a round itself (``round(tasks, costs)``).
        coroutines: the tasks of a round are coroutines of one loop, not threads.
    """
    begun = time.perf_counter()
    try:
        for tasks in workload.rounds:
            session.begin()
            if hasattr(session, "round"):
                session.round(tasks, costs)
            elif coroutines:
                asyncio.run(_as_coroutines(session, tasks, costs))
            else:
                _in_threads(session, tasks, costs)
        costs.seconds = time.perf_counter() - begun
        found: Outcome = session.outcome()
        return found
    finally:
        session.close()


def _steps(session: Session, task: Task, costs: Costs) -> Iterator[tuple[int, Step]]:
    """What a task waits for in each of its attempts; one that fails does so when it has written."""
    for attempt in range(1 + task.fails):
        costs.retries += attempt
        for step in session.work(task, costs, attempt):
            yield attempt, step


def _in_threads(session: Session, tasks: Sequence[Task], costs: Costs) -> None:
    have_read = threading.Barrier(len(tasks))

    def run(task: Task) -> None:
        try:
            for attempt, step in _steps(session, task, costs):
                if step is None:
                    if attempt == 0:
                        have_read.wait()
                elif isinstance(step, (int, float)):
                    time.sleep(step)
                else:
                    step.acquire()
        except BaseException:
            have_read.abort()
            raise

    with ThreadPoolExecutor(len(tasks)) as pool:
        for done in [pool.submit(run, task) for task in tasks]:
            done.result()


async def _as_coroutines(session: Session, tasks: Sequence[Task], costs: Costs) -> None:
    have_read = asyncio.Barrier(len(tasks))

    async def run(task: Task) -> None:
        for attempt, step in _steps(session, task, costs):
            if step is None:
                if attempt == 0:
                    await have_read.wait()
            elif isinstance(step, (int, float)):
                await asyncio.sleep(step)
            else:
                while not step.acquire(blocking=False):
                    await asyncio.sleep(_PAUSE)

    await asyncio.gather(*(run(task) for task in tasks))
