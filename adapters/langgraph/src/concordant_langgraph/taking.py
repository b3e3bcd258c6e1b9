"""Tells when `@task`s are called and when their results are taken.

LangGraph tells when a `@task` runs, not when it was called, and a pool may run one after the other, or to its end at
once, what was called side by side. So a call is noted where it is made, and its future notes who takes its result.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Generator
from functools import wraps
from typing import Any

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables.config import var_child_runnable_config
from langgraph import func

from concordant_langgraph.beginnings import calls_of
from concordant_langgraph.calls import Calls, call

__all__ = ["listen_to_calls"]


def listen_to_calls() -> None:
    """Has LangGraph's `@task`s tell when they are called, from now on, in all of this process."""
    function: Any = getattr(func, "_TaskFunction", None)
    if function is not None and not hasattr(function.__call__, "__wrapped__"):
        function.__call__ = _telling(function.__call__)


def _telling(original: Any) -> Any:
    @wraps(original)
    def calling(self: Any, *args: Any, **kwargs: Any) -> Any:
        config: Any = var_child_runnable_config.get() or {}
        caller: Any = (config.get("configurable") or {}).get("checkpoint_ns")
        calls = calls_of(caller)
        if calls is None:
            return original(self, *args, **kwargs)
        made = calls.make(caller)
        token, own = call.set(made), var_child_runnable_config.set(_with_own_callbacks(config))
        try:
            future = original(self, *args, **kwargs)
        finally:
            var_child_runnable_config.reset(own)
            call.reset(token)
        return _watched(future, calls, made.number)

    return calling


def _with_own_callbacks(config: Any) -> Any:
    """A config for one call. LangGraph gives the callbacks of the caller to all its calls, and each notes in them what
    it is: where two begin at once, one would be told of under the name of the other."""
    callbacks = config.get("callbacks")
    return {**config, "callbacks": callbacks.copy()} if isinstance(callbacks, BaseCallbackManager) else config


def _watched(future: Any, calls: Calls, number: int) -> Any:
    """The future of a call, as one that tells when its result is taken."""
    if asyncio.isfuture(future):
        return _Awaited(future, calls, number)
    if type(future) is concurrent.futures.Future:
        waited: Any = future  # LangGraph made it for this caller alone
        waited.__class__ = _Waited
        waited.calls, waited.number = calls, number
    return future


class _Waited(concurrent.futures.Future[Any]):
    """A future of a thread."""

    calls: Calls
    number: int

    def result(self, timeout: float | None = None) -> Any:
        try:
            return super().result(timeout)
        finally:
            self.done()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        try:
            return super().exception(timeout)
        finally:
            self.done()

    def done(self) -> bool:
        done = super().done()
        if done:
            self.calls.take(self.number)
        return done


class _Awaited(asyncio.Future[Any]):
    """A future of a loop: what becomes of another becomes of it."""

    def __init__(self, source: asyncio.Future[Any], calls: Calls, number: int) -> None:
        super().__init__(loop=source.get_loop())
        self._source, self._calls, self._number = source, calls, number
        self.add_done_callback(_end_source)
        if source.done():
            self._become(source)
        else:
            source.add_done_callback(self._become)

    def _become(self, source: asyncio.Future[Any]) -> None:
        if super().done():
            return
        if source.cancelled():
            self.cancel()
        elif (error := source.exception()) is not None:
            self.set_exception(error)
        else:
            self.set_result(source.result())

    def __await__(self) -> Generator[Any, None, Any]:
        try:
            return (yield from super().__await__())
        finally:
            self.done()

    __iter__ = __await__

    def result(self) -> Any:
        self.done()
        return super().result()

    def exception(self) -> BaseException | None:
        self.done()
        return super().exception()

    def done(self) -> bool:
        done = super().done()
        if done:
            self._calls.take(self._number)
        return done


def _end_source(future: asyncio.Future[Any]) -> None:
    if future.cancelled() and isinstance(future, _Awaited):
        future._source.cancel()
