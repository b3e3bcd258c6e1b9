"""Which tool call of a model is under way: all those of a `ToolNode` are one task to LangGraph."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any, NamedTuple
from uuid import UUID

from langchain_core import tools

from concordant import Instant

__all__ = [
    "ToolCall",
    "listen_to_threads",
    "runnable_begins",
    "tool_call",
    "tool_call_begins",
    "tool_call_ends",
    "tool_call_of",
]


class ToolCall(NamedTuple):
    """One tool call of a model, under way."""

    run: UUID
    """Identifies it."""
    id: str
    """The model's id for it, the same when it is executed again."""
    namespace: str
    """The `checkpoint_ns` of the task that executes it."""
    after: Instant | None
    """When the code that makes it last began a runnable or model, or ended a tool call: what others committed from then
    on may have been beside it."""
    attempt: int
    """How often it has failed right before."""
    outer: ToolCall | None
    """The tool call inside which it is."""
    texts: tuple[str, ...] = ()
    """The texts among the arguments that the model gave it."""

    def says(self, value: Any) -> bool:
        """Tells whether a value is one of the texts that the model gave: it was there before the tool read anything."""
        return type(value) is str and value != "" and value in self.texts

    @property
    def turn(self) -> int:
        """Its place among all that happened in this process: calls with one turn were made at once (0: with their
        task)."""
        return self.after.tick if self.after is not None else 0


class _Ended(NamedTuple):
    """A tool call that has ended in this context."""

    namespace: str
    when: Instant
    id: str
    attempt: int
    failed: bool


_under_way: ContextVar[ToolCall | None] = ContextVar("concordant_langgraph_tool_call", default=None)
_runnable: ContextVar[tuple[str, Instant] | None] = ContextVar("concordant_langgraph_runnable", default=None)
_ended: ContextVar[_Ended | None] = ContextVar("concordant_langgraph_tool_call_ended", default=None)
_in_thread: ContextVar[list[_Ended] | None] = ContextVar("concordant_langgraph_tool_call_in_thread", default=None)


tool_call: Callable[[], ToolCall | None] = _under_way.get
"""The innermost tool call that the calling code runs in; None outside of one."""


def tool_call_of(checkpoint_ns: str) -> ToolCall | None:
    """Returns the innermost tool call that a task is executing, if the calling code runs in one of its."""
    call = _under_way.get()
    while call is not None and call.namespace != checkpoint_ns:
        call = call.outer
    return call


def runnable_begins(checkpoint_ns: str, now: Instant) -> None:
    """Notes in the context that a runnable or model begins, whose tool calls are made after it."""
    _runnable.set((checkpoint_ns, now))


def tool_call_begins(run: UUID, id_: str, checkpoint_ns: str, arguments: Any = None) -> None:
    """Notes in the context that a tool call begins; everything that the tool runs inherits it."""
    last = _ended.get()
    runnable, attempt = _runnable.get(), 0
    after = runnable[1] if runnable is not None and runnable[0] == checkpoint_ns else None
    if last is not None and last.namespace == checkpoint_ns:
        after = last.when if after is None else max(after, last.when)
        attempt = last.attempt + 1 if last.failed and last.id == id_ else 0
    _under_way.set(ToolCall(run, id_, checkpoint_ns, after, attempt, _under_way.get(), _texts(arguments)))


def _texts(arguments: Any) -> tuple[str, ...]:
    return tuple(v for v in arguments.values() if type(v) is str) if isinstance(arguments, dict) else ()


def tool_call_ends(run: UUID, *, failed: bool) -> None:
    """Notes in the context that a tool call has ended."""
    call = _under_way.get()
    while call is not None and call.run != run:
        call = call.outer
    if call is not None:
        _under_way.set(call.outer)
        ended = _Ended(call.namespace, Instant.now(), call.id, call.attempt, failed)
        _ended.set(ended)
        waiting = _in_thread.get()
        if waiting is not None:
            waiting.append(ended)


def listen_to_threads() -> None:
    """Has coroutines know, from now on, in all of this process, that a tool call has ended which ran in a thread for
    them: LangChain calls back in the context of the thread."""
    for kind in ("StructuredTool", "Tool"):
        tool: Any = getattr(tools, kind, None)
        if tool is not None and not hasattr(tool.ainvoke, "__wrapped__"):
            tool.ainvoke = _noting(tool.ainvoke)


def _noting(original: Any) -> Any:
    @wraps(original)
    async def ainvoke(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self.coroutine:
            return await original(self, *args, **kwargs)
        ended: list[_Ended] = []
        token = _in_thread.set(ended)
        try:
            return await original(self, *args, **kwargs)
        finally:
            _in_thread.reset(token)
            if ended:
                _ended.set(ended[-1])

    return ainvoke
