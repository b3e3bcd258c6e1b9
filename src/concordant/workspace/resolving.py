"""Telling callbacks and asking resolvers, after the commit and outside all locks."""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from concordant.errors import InvalidWriteError, StaleDecisionError
from concordant.escalation import ABSTAIN, Escalation, Event
from concordant.kinds import Priority, Scalar
from concordant.storage.forking import free_in_child
from concordant.workspace.waiting import Started, start

if TYPE_CHECKING:
    from concordant.workspace.workspace import Workspace

__all__ = ["Subscribers"]

log = logging.getLogger("concordant")


class Subscribers:
    """The callbacks of a workspace, and its declared resolvers."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._callbacks: dict[int, Callable[[Event], Any]] = {}
        self._next = 0
        self._lock = free_in_child(threading.Lock())
        self._tasks: set[Started] = set()

    def add(self, callback: Callable[[Event], Any]) -> Callable[[], None]:
        """Subscribes; returns a function that ends it."""
        with self._lock:
            number = self._next
            self._next += 1
            self._callbacks = {**self._callbacks, number: callback}

        def stop() -> None:
            with self._lock:
                self._callbacks = {n: c for n, c in self._callbacks.items() if n != number}

        return stop

    def deliver(self, events: Iterable[Event]) -> None:
        """Tells every subscriber of every event, then asks the resolvers of what is open."""
        events = list(events)
        self.tell(events)
        for event in events:
            if event.kind in ("opened", "grew", "reopened"):
                resolver = _resolver_of(event.escalation)
                if resolver is not None:
                    self._ask(resolver, event.escalation)

    def tell(self, events: Iterable[Event]) -> None:
        """Tells every subscriber of every event."""
        for event in events:
            for callback in self._callbacks.values():
                try:
                    callback(event)
                except Exception:
                    log.exception("a callback failed on %s of %s", event.kind, event.escalation)

    def ask(self, escalations: Iterable[Escalation]) -> None:
        """Asks the resolvers of escalations, those that answer at once."""
        for escalation in escalations:
            resolver = _resolver_of(escalation)
            if resolver is not None and not _is_coroutine(resolver):
                self._ask(resolver, escalation)

    def _ask(self, resolver: Callable[..., Any], escalation: Escalation) -> None:
        try:
            answer = resolver(escalation)
        except Exception:
            log.exception("the resolver of %s failed, it stays open", escalation)
            return
        if not inspect.isawaitable(answer):
            self._settle(resolver, escalation, answer)
            return

        async def later() -> None:
            try:
                value = await answer
            except Exception:
                log.exception("the resolver of %s failed, it stays open", escalation)
                return
            await self._workspace.acall(self._settle, resolver, escalation, value)

        start(later(), self._tasks)

    def _settle(self, resolver: Callable[..., Any], escalation: Escalation, answer: Any) -> None:
        if answer is ABSTAIN:
            return
        name = getattr(resolver, "__name__", type(resolver).__name__)
        try:
            self._workspace.resolve(escalation, answer, by=f"resolver:{name}")
        except StaleDecisionError:
            log.info("the answer of resolver %s to %s came too late", name, escalation)
        except InvalidWriteError as error:
            log.error("the resolver %s gave no valid value, the escalation stays open: %s", name, error)


def _resolver_of(escalation: Escalation) -> Callable[..., Any] | None:
    field = escalation.field_
    if field is None or not isinstance(field.kind, Scalar) or escalation.reason not in ("scalar", "delete"):
        return None
    resolve = field.kind.resolve
    if resolve is None or isinstance(resolve, (str, Priority)):
        return None
    return resolve


def _is_coroutine(resolver: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(resolver) or inspect.iscoroutinefunction(type(resolver).__call__)
