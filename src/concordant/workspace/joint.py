"""Writes of coroutines: those that wait at the same time are made ready in one thread, and committed together.

A thread for each would do as well, but to go there and back costs more than the write itself.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from contextvars import Context
from typing import Any

from concordant.storage import Storage
from concordant.storage.forking import call_in_child, free_in_child
from concordant.storage.grouping import MOST
from concordant.workspace.coroutines import CoroutineCall, run_waiting, take_over, workers
from concordant.workspace.document import Receipt
from concordant.workspace.transaction import Pending

__all__ = ["JointWrites"]


class _Write:
    """A coroutine's write on its way.

    Attributes:
        prepare: makes it ready, or makes it.
        pending: what is to be committed, once it is ready.
        result, error: what came of it.
    """

    __slots__ = ("context", "error", "future", "loop", "pending", "prepare", "result")

    def __init__(
        self, prepare: Callable[[], Pending | Receipt], call: CoroutineCall, future: asyncio.Future[Receipt]
    ) -> None:
        self.prepare = prepare
        self.loop = call.loop
        self.context: Context = call.context()
        self.future = future
        self.pending: Pending | None = None
        self.result: Receipt | None = None
        self.error: BaseException | None = None

    def run(self, step: Callable[..., Any], *args: Any) -> Any:
        """Runs a step in the coroutine's context; its error is the write's."""
        try:
            return self.context.run(step, *args)
        except BaseException as error:
            self.error = error
            return None


class JointWrites:
    """Makes the writes of coroutines.

    Args:
        storage: what they are committed to.
        committed: tells what came of one that was committed.
        failed: takes back what one noted that was not.
    """

    def __init__(
        self,
        storage: Storage,
        committed: Callable[[Pending], Receipt],
        failed: Callable[[Pending], None],
    ) -> None:
        self._storage = storage
        self._committed = committed
        self._failed = failed
        self._lock = free_in_child(threading.Lock())
        self.begin()
        call_in_child(self.begin)

    def begin(self) -> None:
        """Begins with nothing that waits."""
        self._waiting: deque[_Write] = deque()
        self._busy = False

    def make(self, prepare: Callable[[], Receipt]) -> Coroutine[Any, Any, Receipt]:
        """Gives what makes a write once it is awaited.

        Args:
            prepare: makes the write, or, unless the storage is live, gives what is to be committed; it may wait for the
                database.
        """
        # A storage that is live waits for nothing.
        return run_waiting(prepare) if self._storage.live else self._made_with_others(prepare)

    async def _made_with_others(self, prepare: Callable[[], Pending | Receipt]) -> Receipt:
        call = CoroutineCall()
        write = _Write(prepare, call, call.loop.create_future())
        with self._lock:
            self._waiting.append(write)
            begins, self._busy = not self._busy, True
        if begins:
            workers.pool().submit(self._work)
        receipt = await write.future
        take_over(write.context)
        if call.started:
            await call.end()
        return receipt

    def _work(self) -> None:
        """Makes what waits, until nothing does."""
        while True:
            with self._lock:
                writes = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST))]
                if not writes:
                    self._busy = False
                    return
            self._make_all(writes)

    def _make_all(self, writes: Sequence[_Write]) -> None:
        ready: list[_Write] = []
        for write in writes:
            prepared = write.run(write.prepare)
            if isinstance(prepared, Pending):
                write.pending = prepared
                ready.append(write)
            else:
                write.result = prepared
        if ready:
            self._commit_all(ready)
        done: dict[asyncio.AbstractEventLoop, list[_Write]] = {}
        for write in writes:
            if write.pending is not None and write.pending.events and write.error is None:
                workers.pool().submit(self._told, write)  # whoever is told may take his time
            else:
                done.setdefault(write.loop, []).append(write)
        for loop, ended in done.items():
            _hand_over(loop, ended)

    def _commit_all(self, ready: Sequence[_Write]) -> None:
        pending = [write.pending for write in ready if write.pending is not None]
        errors: Sequence[BaseException | None]
        try:
            errors = self._storage.commit_each([(one.namespace, one.key, one.update) for one in pending])
        except BaseException as failure:
            errors = [failure] * len(ready)
        for write, one, error in zip(ready, pending, errors, strict=True):
            if error is not None:
                write.run(self._failed, one)
                write.error = error
            elif not one.events:
                write.result = write.run(self._committed, one)

    def _told(self, write: _Write) -> None:
        write.result = write.run(self._committed, write.pending)
        _hand_over(write.loop, [write])


def _hand_over(loop: asyncio.AbstractEventLoop, writes: Sequence[_Write]) -> None:
    with suppress(RuntimeError):  # the loop was closed: nobody waits
        loop.call_soon_threadsafe(_end, writes)


def _end(writes: Sequence[_Write]) -> None:
    for write in writes:
        if write.future.done():
            continue  # it was cancelled
        if write.error is not None:
            write.future.set_exception(write.error)
        else:
            assert write.result is not None
            write.future.set_result(write.result)
