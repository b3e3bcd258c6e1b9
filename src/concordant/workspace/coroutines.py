"""Calls made by coroutines: what they start is waited for, and what waits for a database leaves the event loop free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextvars import Context, ContextVar, copy_context
from threading import get_ident
from typing import Any, NamedTuple, ParamSpec, TypeAlias, TypeVar
from weakref import ReferenceType, ref

__all__ = ["Runner", "Started", "has_ended", "ident", "off_loop", "run_waiting", "running", "start"]

P = ParamSpec("P")
T = TypeVar("T")

Started: TypeAlias = "asyncio.Future[None] | Future[None]"
"""An async resolver that runs: started on this loop, or from a thread."""


Runner: TypeAlias = "ReferenceType[asyncio.Task[Any]]"
"""A coroutine's task."""


class _Call(NamedTuple):
    """A call under way for a coroutine: its loop and task, and the async resolvers that it started."""

    loop: asyncio.AbstractEventLoop
    started: list[Started]
    task: asyncio.Task[Any] | None


_call: ContextVar[_Call | None] = ContextVar("concordant_call", default=None)


def _task() -> asyncio.Task[Any] | None:
    """The coroutine's task that calls. A call of a coroutine that waits for a database beside the loop is its."""
    loop = asyncio._get_running_loop()
    if loop is not None:
        return asyncio.current_task(loop)
    call = _call.get()
    return call.task if call is not None else None


def ident() -> int:
    """The identity of what runs the code that calls: a coroutine's task, or a thread."""
    task = _task()
    return get_ident() if task is None else id(task)


def running() -> tuple[int, Runner | None]:
    """The same, with the coroutine's task."""
    task = _task()
    return (id(task), ref(task)) if task is not None else (get_ident(), None)


def has_ended(runner: Runner | None) -> bool:
    """Whether a coroutine has ended; a thread (``None``) counts as one that has, for it may be a pool's."""
    task = runner() if runner is not None else None
    return task is None or task.done()


async def run_waiting(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs a call and waits for the async resolvers that it started."""
    call = _Call(asyncio.get_running_loop(), [], asyncio.current_task())
    token = _call.set(call)
    try:
        result = function(*args, **kwargs)
    finally:
        _call.reset(token)
    await _ended(call.started)
    return result


async def off_loop(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The same in a thread of its own, in the caller's context: what the call notes there (a read) stays noted."""
    call = _Call(asyncio.get_running_loop(), [], asyncio.current_task())
    token = _call.set(call)
    context = copy_context()
    _call.reset(token)
    result = await call.loop.run_in_executor(None, lambda: context.run(function, *args, **kwargs))
    _take_over(context)
    await _ended(call.started)
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


async def _ended(started: list[Started]) -> None:
    for task in started:
        await (asyncio.wrap_future(task) if isinstance(task, Future) else task)


def _take_over(context: Context) -> None:
    """Sets here what was set in a copy of this context."""
    for variable, value in context.items():
        if variable is not _call and variable.get(None) is not value:
            variable.set(value)
