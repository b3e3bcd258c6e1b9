"""What a put does, beyond recording it, where its value is contested: tell the run, or raise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple, TypeAlias

from langgraph.config import get_stream_writer

from concordant import ConcordantError, Escalation, Event, Workspace
from concordant_langgraph.provider import task_scope
from concordant_langgraph.questions import shown

__all__ = ["Conflicts", "OnConflict", "Put", "PutConflictError"]

OnConflict: TypeAlias = Literal["record", "stream", "raise"]

Put: TypeAlias = tuple[tuple[str, ...], str, Any]
"""Namespace, key and value; ``None`` deletes."""

_OPENING = ("opened", "grew", "reopened")
_CLOSING = ("resolved", "dismissed", "superseded", "agreed")


class PutConflictError(ConcordantError):
    """A put is stored, and contested (``MergeStore(on_conflict="raise")``). Nothing is lost or has to be repeated.

    Attributes:
        escalations: the open questions in which values of this put are contenders.
    """

    def __init__(self, escalations: Sequence[Escalation]) -> None:
        self.escalations = tuple(escalations)
        lines = "".join(f"\n  - {escalation}" for escalation in self.escalations)
        super().__init__(
            f"The put is stored, and contested:{lines}\n"
            "Settle each with store.resolve(escalation, value, by=...), or catch this error and go on: "
            "reads give the last agreed value until somebody settles it."
        )


class _Watch(NamedTuple):
    """What happens to escalations during a call of a store's."""

    owner: Conflicts
    events: list[Event]


# Tasks and threads that the call starts inherit the watch, so an async resolver's decision is noted as well.
_watch: ContextVar[_Watch | None] = ContextVar("concordant_langgraph_watch", default=None)


class Conflicts:
    """Watches the puts of a store for escalations that they leave open.

    Args:
        workspace: the store's.
        on_conflict: what to do about one.
    """

    __slots__ = ("_raises", "_workspace")

    def __init__(self, workspace: Workspace, on_conflict: Literal["stream", "raise"]) -> None:
        self._workspace = workspace
        self._raises = on_conflict == "raise"
        workspace.on_escalation(self._note)

    @contextmanager
    def watch(self, puts: Sequence[Put]) -> Iterator[None]:
        """Surrounds the storing of puts, resolvers included.

        Raises:
            PutConflictError: after the body, if it is to be raised.
        """
        with self._noting() as events:
            yield
        if self._raises:
            _raise(events, self._repeated(puts))

    @asynccontextmanager
    async def awatch(self, puts: Sequence[Put]) -> AsyncIterator[None]:
        """Runs ``watch`` for coroutines."""
        with self._noting() as events:
            yield
        if self._raises:
            _raise(events, await self._workspace.acall(self._repeated, puts))

    @contextmanager
    def _noting(self) -> Iterator[list[Event]]:
        """Gives the events of the body, and streams them at its end, if they are to be streamed."""
        events: list[Event] = []
        token = _watch.set(_Watch(self, events))
        try:
            yield events
        finally:
            _watch.reset(token)
            if not self._raises:  # whatever else failed: what was committed is told once
                _stream(_left_open(events))

    def _note(self, event: Event) -> None:
        watch = _watch.get()
        if watch is not None and watch.owner is self:
            watch.events.append(event)

    def _repeated(self, puts: Sequence[Put]) -> dict[str, Escalation]:
        """What is open about values that the present task has put, if these puts give those fields again.

        A put that is executed again (a retry, a resume) changes nothing, so that nothing opens or grows. It is as
        contested as it was the first time.
        """
        task = task_scope()
        if task is None:
            return {}
        return {
            escalation.id: escalation
            for namespace, key, value in puts
            for escalation in self._open_at(namespace, key)
            if _concerns(escalation, value)
            and any(contender.origin == task.origin for contender in escalation.contenders)
        }

    def _open_at(self, namespace: tuple[str, ...], key: str) -> list[Escalation]:
        document = self._workspace.get(namespace, key)
        if document is not None and not document.contested:
            return []  # as a rule: what is open under the whole namespace, which may be much, is not listed for it
        return [one for one in self._workspace.escalations(namespace) if (one.namespace, one.key) == (namespace, key)]


def _left_open(events: Sequence[Event]) -> list[Event]:
    """The events by which something opened or grew that is still open after all of them."""
    found: list[Event] = []
    for event in events:
        if event.kind in _OPENING:
            found.append(event)
        elif event.kind in _CLOSING:
            found = [earlier for earlier in found if earlier.escalation.id != event.escalation.id]
    return found


def _raise(events: Sequence[Event], repeated: dict[str, Escalation]) -> None:
    escalations = {event.escalation.id: event.escalation for event in _left_open(events)} | repeated
    if escalations:
        raise PutConflictError([*escalations.values()])


def _concerns(escalation: Escalation, value: Any) -> bool:
    if not escalation.path:
        return True
    return not isinstance(value, Mapping) or escalation.path[0] in value


def _stream(events: Sequence[Event]) -> None:
    """Writes events to the custom stream of the run under way."""
    if not events:
        return
    try:
        write = get_stream_writer()
    except (RuntimeError, KeyError):
        return  # outside of a graph there is no stream; the escalations are recorded all the same
    for event in events:
        write({"type": "concordant.escalation", "event": event.kind, **shown(event.escalation)})
