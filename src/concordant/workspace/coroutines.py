"""Calls made by coroutines: what they start is waited for, and what waits for a database leaves the event loop free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextvars import Context, ContextVar, copy_context
from threading import get_ident
from typing import Any, ParamSpec, TypeAlias, TypeVar
from weakref import ReferenceType, ref

from concordant.storage.forking import Workers

__all__ = [
    "Awaited",
    "CoroutineCall",
    "Runner",
    "Started",
    "are_gathered",
    "awaited_by",
    "has_ended",
    "ident",
    "off_loop",
    "run_waiting",
    "running",
    "start",
    "take_over",
    "workers",
]

P = ParamSpec("P")
T = TypeVar("T")

Started: TypeAlias = "asyncio.Future[None] | Future[None]"
"""An async resolver that runs: started on this loop, or from a thread."""


Runner: TypeAlias = "ReferenceType[asyncio.Task[Any]]"
"""A coroutine's task."""

Awaited: TypeAlias = "tuple[ReferenceType[Any], ...]"
"""What waits for a coroutine: a ``gather`` or a ``TaskGroup`` is one for all whom it runs."""


class CoroutineCall:
    """A call under way for the coroutine that makes it.

    Attributes:
        loop, task: where the coroutine runs.
        started: the async resolvers that the call started.
    """

    __slots__ = ("loop", "started", "task")

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.task = asyncio.current_task()
        self.started: list[Started] = []

    def context(self) -> Context:
        """Gives a copy of the coroutine's context, for what is done for it in a thread."""
        token = _call.set(self)
        copy = copy_context()
        _call.reset(token)
        return copy

    async def end(self) -> None:
        """Waits for what the call started."""
        for task in self.started:
            await (asyncio.wrap_future(task) if isinstance(task, Future) else task)


def take_over(context: Context) -> None:
    """Sets here what was set in a copy of this context: a read that was noted there stays noted."""
    for variable, value in context.items():
        if variable is not _call and variable.get(None) is not value:
            variable.set(value)


MOST_AT_ONCE = 64
"""How many calls of coroutines wait for databases at the same time."""

workers = Workers(MOST_AT_ONCE, "concordant")
"""Threads of our own: the loop's few serve others too, and those who wait for one commit are to wait together."""

_call: ContextVar[CoroutineCall | None] = ContextVar("concordant_call", default=None)


def _task() -> asyncio.Task[Any] | None:
    """The coroutine's task that calls. A call of a coroutine that waits for a database beside the loop is its."""
    loop = asyncio._get_running_loop()
    if loop is not None:
        return asyncio.current_task(loop)
    call = _call.get()
    return call.task if call is not None else None


def ident() -> int:
    """Returns the identity of what runs the code that calls: a coroutine's task, or a thread."""
    if asyncio._get_running_loop() is None and _call.get() is None:
        return get_ident()
    task = _task()
    return get_ident() if task is None else id(task)


def running() -> tuple[int, Runner | None]:
    """Returns the same, with the coroutine's task."""
    task = _task()
    return (id(task), ref(task)) if task is not None else (get_ident(), None)


def has_ended(runner: Runner | None) -> bool:
    """Tells whether a coroutine has ended; a thread (``None``) counts as one that has, for it may be a pool's."""
    task = runner() if runner is not None else None
    return task is None or task.done()


def awaited_by(runner: Runner | None) -> Awaited:
    """Tells what waits for a coroutine, but for coroutines, each of which awaits one after the other."""
    task = runner() if runner is not None else None
    callbacks = [callback for callback, _ in getattr(task, "_callbacks", None) or ()]
    owners = [getattr(callback, "__self__", callback) for callback in callbacks]
    return tuple(ref(owner) for owner in owners if not isinstance(owner, asyncio.Future))


def are_gathered(one: Awaited, other: Awaited) -> bool:
    """Tells whether something waits for two coroutines together, so that they run side by side."""
    return any(known() is not None and known() is waiting() for known in one for waiting in other)


async def run_waiting(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs a call and waits for the async resolvers that it started."""
    call = CoroutineCall()
    token = _call.set(call)
    try:
        result = function(*args, **kwargs)
    finally:
        _call.reset(token)
    if call.started:
        await call.end()
    return result


async def off_loop(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs the same in a thread of its own, in the caller's context."""
    call = CoroutineCall()
    context = call.context()
    result = await call.loop.run_in_executor(workers.pool(), lambda: context.run(function, *args, **kwargs))
    take_over(context)
    await call.end()
    return result


def start(work: Coroutine[Any, Any, None], tasks: set[Started]) -> None:
    """Runs a coroutine: on the loop of the call under way, else on the running one, else to its end at once.

    Args:
        tasks: keeps what runs until it ends.
    """
    call = _call.get()
    try:
        task: Started = asyncio.get_running_loop().create_task(work)
    except RuntimeError:
        if call is None:
            asyncio.run(work)
            return
        task = asyncio.run_coroutine_threadsafe(work, call.loop)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    if call is not None:
        call.started.append(task)
