"""When the tasks under way began: noted as they begin, for LangGraph tells it by a clock that may step."""

from __future__ import annotations

from contextvars import ContextVar
from typing import NamedTuple

from concordant import Instant
from concordant_langgraph.calls import Calls

__all__ = ["began", "calls_of", "task_begins"]


class _Begun(NamedTuple):
    """A task that was begun in this context, with the calls of its present attempt, and the one around it."""

    namespace: str
    attempts: tuple[Instant, ...]
    calls: Calls
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
    begun = (checkpoint_ns, (*attempts, now), Calls(), around)
    _begun.set(tuple.__new__(_Begun, begun))  # the class's own is slower, being Python


def began(checkpoint_ns: str, attempt: int) -> Instant | None:
    """Tells when the execution of a task began that makes its so-maniest attempt; ``None`` where that was not noted
    here (a node with a timeout has a context for each attempt)."""
    begun = _find(checkpoint_ns)
    return begun.attempts[-attempt] if begun is not None and attempt <= len(begun.attempts) else None


def calls_of(checkpoint_ns: str) -> Calls | None:
    """Returns the calls of `@task`s by the present attempt of a task; ``None`` where its beginning was not noted."""
    begun = _find(checkpoint_ns)
    return begun.calls if begun is not None else None


def _find(checkpoint_ns: str) -> _Begun | None:
    begun = _begun.get()
    while begun is not None and begun.namespace != checkpoint_ns:
        begun = begun.outer
    return begun
