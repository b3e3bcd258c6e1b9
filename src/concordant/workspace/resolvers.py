"""Asking declared resolvers, after the commit and outside all locks."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable
from typing import Any

from concordant.errors import InvalidWriteError, StaleDecisionError
from concordant.escalation import ABSTAIN, Escalation
from concordant.merge.kinds import Priority, Scalar
from concordant.workspace.coroutines import Started, start

__all__ = ["Resolvers"]

log = logging.getLogger("concordant")


class Resolvers:
    """The functions and models that a schema declares to answer escalations.

    Args:
        resolve: decides an escalation by an answer, under the name of who gave it.
        acall: runs a call for a coroutine (``Core.acall``).
    """

    def __init__(self, resolve: Callable[[Escalation, Any, str], object], acall: Callable[..., Any]) -> None:
        self._resolve = resolve
        self._acall = acall
        self._tasks: set[Started] = set()

    def ask(self, escalation: Escalation) -> None:
        """Asks the resolver that is declared for an escalation, if there is one."""
        resolver = _resolver_of(escalation)
        if resolver is not None:
            self._ask(resolver, escalation)

    def ask_at_once(self, escalations: Iterable[Escalation]) -> None:
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
            await self._acall(self._settle, resolver, escalation, value)

        start(later(), self._tasks)

    def _settle(self, resolver: Callable[..., Any], escalation: Escalation, answer: Any) -> None:
        if answer is ABSTAIN:
            return
        name = getattr(resolver, "__name__", type(resolver).__name__)
        try:
            self._resolve(escalation, answer, f"resolver:{name}")
        except StaleDecisionError:
            log.info("the answer of resolver %s to %s came too late", name, escalation)
        except InvalidWriteError as error:
            log.error("the resolver %s gave no valid value, the escalation stays open: %s", name, error)


def _resolver_of(escalation: Escalation) -> Callable[..., Any] | None:
    field = escalation.field_
    if (
        escalation.asked
        or field is None
        or not isinstance(field.kind, Scalar)
        or escalation.reason not in ("scalar", "delete")
    ):
        return None
    resolve = field.kind.resolve
    if resolve is None or isinstance(resolve, (str, Priority)):
        return None
    return resolve


def _is_coroutine(resolver: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(resolver) or inspect.iscoroutinefunction(type(resolver).__call__)
