"""When the tasks under way began: noted as they begin, for LangGraph tells it by a clock that may step."""

from __future__ import annotations

from contextvars import ContextVar
from typing import NamedTuple

from concordant import Instant

__all__ = ["began", "task_begins"]


class _Begun(NamedTuple):
    """A task that was begun in this context, and the one around it."""

    namespace: str
    attempts: tuple[Instant, ...]
    outer: _Begun | None


_begun: ContextVar[_Begun | None] = ContextVar("concordant_langgraph_begun", default=None)


def task_begins(checkpoint_ns: str, now: Instant) -> None:
    """Notes in the context that a task begins an attempt; everything that it runs inherits it."""
    around = _begun.get()
    attempts: tuple[Instant, ...] = ()
    while around is not None and not checkpoint_ns.startswith(f"{around.namespace}|"):
        if around.namespace == checkpoint_ns:
            attempts = around.attempts
        around = around.outer
    _begun.set(_Begun(checkpoint_ns, (*attempts, now), around))


def began(checkpoint_ns: str, attempt: int) -> Instant | None:
    """When the execution of a task began that makes its so-maniest attempt; ``None`` where that was not noted."""
    begun = _begun.get()
    while begun is not None:
        if begun.namespace == checkpoint_ns:
            return begun.attempts[-min(attempt, len(begun.attempts))]
        begun = begun.outer
    return None
