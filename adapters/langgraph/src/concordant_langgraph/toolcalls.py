"""Which tool call of a model is under way: all those of a `ToolNode` are one task to LangGraph."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import NamedTuple
from uuid import UUID

from concordant.workspace.shown import tick

__all__ = ["ToolCall", "runnable_begins", "tool_call", "tool_call_begins", "tool_call_ends"]


class ToolCall(NamedTuple):
    """One tool call of a model, under way."""

    run: UUID
    """Identifies it."""
    id: str
    """The model's id for it, the same when it is executed again."""
    namespace: str
    """The `checkpoint_ns` of the task that executes it."""
    after: float
    """When the code that makes it last began a runnable or model, or ended a tool call, in epoch seconds: what others
    committed from then on may have been beside it."""
    attempt: int
    """How often it has failed right before."""
    turn: int
    """The same among all that happened in this process: calls with one turn were made at once (0: with their task)."""
    outer: ToolCall | None
    """The tool call inside which it is."""


class _Ended(NamedTuple):
    """A tool call that has ended in this context."""

    namespace: str
    when: float
    id: str
    attempt: int
    failed: bool
    turn: int


_under_way: ContextVar[ToolCall | None] = ContextVar("concordant_langgraph_tool_call", default=None)
_runnable: ContextVar[tuple[str, float, int]] = ContextVar("concordant_langgraph_runnable", default=("", 0.0, 0))
_ended: ContextVar[_Ended | None] = ContextVar("concordant_langgraph_tool_call_ended", default=None)


def tool_call() -> ToolCall | None:
    """The innermost tool call that the calling code runs in; None outside of one."""
    return _under_way.get()


def runnable_begins(checkpoint_ns: str) -> None:
    """Notes in the context that a runnable or model begins, whose tool calls are made after it."""
    _runnable.set((checkpoint_ns, time.time(), tick()))


def tool_call_begins(run: UUID, id_: str, checkpoint_ns: str) -> None:
    """Notes in the context that a tool call begins; everything that the tool runs inherits it."""
    last = _ended.get()
    namespace, after, turn = _runnable.get()
    if namespace != checkpoint_ns:
        after, turn = 0.0, 0
    attempt = 0
    if last is not None and last.namespace == checkpoint_ns:
        after, turn = max(after, last.when), max(turn, last.turn)
        attempt = last.attempt + 1 if last.failed and last.id == id_ else 0
    _under_way.set(ToolCall(run, id_, checkpoint_ns, after, attempt, turn, _under_way.get()))


def tool_call_ends(run: UUID, *, failed: bool) -> None:
    """Notes in the context that a tool call has ended."""
    call = _under_way.get()
    while call is not None and call.run != run:
        call = call.outer
    if call is not None:
        _under_way.set(call.outer)
        _ended.set(_Ended(call.namespace, time.time(), call.id, call.attempt, failed, tick()))
