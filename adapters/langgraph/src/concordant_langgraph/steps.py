"""One way of doing I/O for callers with and without an event loop.

What needs the store behind a view is written once, as a generator that yields steps: operations to run on that store,
a claim to wait for, or something else to do with the store. ``run`` and ``arun`` carry the steps out, in the calling
thread or on its loop.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Generator, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeAlias, TypeVar

from langgraph.store.base import BaseStore, Op

from concordant import Workspace
from concordant.spi import free_in_child

__all__ = ["Claim", "RunOnce", "Steps", "arun", "run"]

T = TypeVar("T")

PATIENCE = 30.0
"""For how many seconds to wait for somebody else's work before doing it again oneself."""


class Claim:
    """Work that one caller has taken on, and that others may wait for. It is never held by one that waits."""

    __slots__ = ("_done", "_thread")

    def __init__(self) -> None:
        self._done: Future[None] = Future()
        self._done.set_running_or_notify_cancel()  # so that no waiting coroutine can cancel it
        self._thread = threading.get_ident()

    def end(self) -> None:
        """Takes note that the work is done, or given up."""
        self._done.set_result(None)

    def wait(self) -> bool:
        """Waits in this thread; returns whether the work has ended. That of a coroutine of this thread's own loop
        cannot end before the caller returns, so on a loop it is not waited for."""
        if self._thread == threading.get_ident() or asyncio._get_running_loop() is not None:
            return self._done.done()
        try:
            self._done.result(PATIENCE)
        except TimeoutError:
            return False
        return True

    async def await_(self) -> bool:
        """Waits on the loop; returns whether the work has ended."""
        done, _ = await asyncio.wait([asyncio.wrap_future(self._done)], timeout=PATIENCE)
        return bool(done)


Step: TypeAlias = "Sequence[Op] | Claim | Callable[[], object | Awaitable[object]]"
Steps: TypeAlias = Generator[Step, Any, T]
"""A computation that yields what it needs done: operations (answered by their results), a claim to wait for (answered
by whether it ended), or a call (answered by what it gives; by ``None`` if it wants a loop and there is none)."""


def run(steps: Steps[T], store: BaseStore) -> T:
    """Carries steps out in this thread."""
    answer: Any = None
    try:
        while True:
            at = _go_on(steps, answer)
            if at.ended:
                result: T = at.result
                return result
            try:
                answer = _done(at.step, store)
            except Exception as error:
                answer = _Failed(error)
    finally:
        steps.close()


async def arun(steps: Steps[T], store: BaseStore, workspace: Workspace) -> T:
    """Carries steps out on the running loop; what is between them beside it, if the workspace waits for a database."""
    answer: Any = None
    try:
        while True:
            at = await workspace.acall(_go_on, steps, answer)
            if at.ended:
                result: T = at.result
                return result
            try:
                answer = await _adone(at.step, store)
            except Exception as error:
                answer = _Failed(error)
    finally:
        steps.close()


class _Failed(NamedTuple):
    """The answer to a step that raised."""

    error: Exception


class _At(NamedTuple):
    """Where a computation stands: at a step to be done, or at its end."""

    ended: bool
    step: Step = ()
    result: Any = None


def _go_on(steps: Steps[Any], answer: Any) -> _At:
    try:
        return _At(False, steps.throw(answer.error) if isinstance(answer, _Failed) else steps.send(answer))
    except StopIteration as end:
        return _At(True, result=end.value)


def _done(step: Step, store: BaseStore) -> Any:
    if isinstance(step, Claim):
        return step.wait()
    if not callable(step):
        return store.batch(step)
    answer = step()
    if not inspect.iscoroutine(answer):
        return answer
    answer.close()
    return None


async def _adone(step: Step, store: BaseStore) -> Any:
    if isinstance(step, Claim):
        return await step.await_()
    if not callable(step):
        return await _abatch(store, step)
    answer = step()
    return await answer if inspect.isawaitable(answer) else answer


async def _abatch(store: BaseStore, ops: Sequence[Op]) -> Any:
    # `abatch`, never `aput`: the queue behind `aput` of some stores drops all but the last put of a key.
    try:
        return await store.abatch(ops)
    except NotImplementedError:  # a store with sync calls alone, such as SqliteStore
        return await asyncio.to_thread(store.batch, ops)


class RunOnce:
    """Work that the first caller does, while others wait for it; if it fails, the next one tries.

    Attributes:
        done: set when the work has ended, or by whoever has done it another way.
    """

    def __init__(self, work: Callable[[], Steps[Any]]) -> None:
        self._work = work
        self._lock = free_in_child(threading.Lock())
        self._claim: Claim | None = None
        self.done = False

    def first(self) -> Steps[None]:
        """Does the work unless it is done; waits for whoever is at it."""
        while not self.done:
            with self._lock:
                others = self._claim
                if others is None:
                    self._claim = Claim()
            if others is not None and (yield others):
                continue
            try:
                yield from self._work()
                self.done = True
            finally:
                if others is None:
                    with self._lock:
                        claim, self._claim = self._claim, None
                    assert claim is not None
                    claim.end()
