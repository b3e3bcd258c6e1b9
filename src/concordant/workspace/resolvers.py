"""Asking declared resolvers, after the commit and outside all locks."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from concordant.errors import ConcordantError, InvalidWriteError, StaleDecisionError
from concordant.escalation import ABSTAIN, Escalation
from concordant.merge.kinds import Priority, Scalar
from concordant.workspace.coroutines import Started, start
from concordant.workspace.judging import Beside, Case, Judge, Ruling, as_kept

__all__ = ["Resolvers"]

log = logging.getLogger("concordant")


PATIENCE = 30.0
"""For how many seconds closing waits for judges."""


class Inbox(Protocol):
    """What resolvers do with escalations."""

    def answer(self, escalation: Escalation, value: Any, by: str, why: str | None = None) -> object:
        """Decides one."""

    def remark(self, escalation: Escalation, by: str, text: str) -> None:
        """Keeps on record why somebody did not decide."""

    def claimant(self, escalation: Escalation) -> str | None:
        """Tells who has claimed it, with those sides."""

    def case(self, escalation: Escalation) -> Case | None:
        """Gives what a judge is told; ``None`` if it is not that question any more."""


class Resolvers:
    """The functions and models that a schema declares to answer escalations.

    Args:
        inbox: decides escalations.
        acall: runs a call for a coroutine (``Core.acall``).
    """

    def __init__(self, inbox: Inbox, acall: Callable[..., Any]) -> None:
        self._inbox = inbox
        self._acall = acall
        self._tasks: set[Started] = set()
        self._beside = Beside()

    def ask(self, escalation: Escalation, elsewhere: bool) -> None:
        """Asks the resolver that is declared for an escalation, if there is one.

        Args:
            elsewhere: the latest of its sides was written in another store: there the judge is asked.
        """
        resolver = _resolver_of(escalation)
        if isinstance(resolver, Judge):
            if not elsewhere:
                self._beside.run(lambda: self._judge(resolver, escalation))
        elif resolver is not None:
            self._ask(resolver, escalation)

    def join(self, timeout: float | None) -> bool:
        """Waits until no judge is at work (``Workspace.join_judges``)."""
        return self._beside.join(timeout)

    def close(self) -> None:
        """Waits for judges for a while, and asks no more."""
        if not self._beside.join(PATIENCE):
            log.warning("closed while judges were at work: what they were asked stays open")
        self._beside.close()

    def _judge(self, judge: Judge, escalation: Escalation) -> None:
        try:
            case = self._inbox.case(escalation)
            if case is None:
                self._pass_by(judge, escalation)
                return
            try:
                value, why, by = judge.rule(case)
            except (Exception, SystemExit) as error:
                log.exception("the judge %s failed on %s, it stays open", judge.name, escalation)
                value, why, by = Ruling(ABSTAIN, f"failed ({type(error).__name__})")
            self._conclude(escalation, value, as_kept(why), f"resolver:{_name_among(by, judge.name)}")
        except ConcordantError as error:
            log.error("what judge %s said of %s could not be kept: %s", judge.name, escalation, error)

    def _pass_by(self, judge: Judge, escalation: Escalation) -> None:
        """Says why it was not asked where somebody has claimed it meanwhile. If it is settled nobody need be; if it has
        other sides by now, it is asked about these."""
        claimant = self._inbox.claimant(escalation)
        if claimant is not None:
            self._inbox.remark(escalation, f"resolver:{_name_among(judge.name)}", f"not asked: {claimant} is at it")

    def _conclude(self, escalation: Escalation, value: Any, why: str, by: str) -> None:
        if value is ABSTAIN:
            self._inbox.remark(escalation, by, why)
            return
        try:
            self._inbox.answer(escalation, value, by, why=why)
        except StaleDecisionError:
            log.info("the answer of judge %s to %s came too late", by, escalation)
        except InvalidWriteError as error:
            log.warning("the judge %s gave no valid value, %s stays open: %s", by, escalation, error)
            self._inbox.remark(escalation, by, f"its answer does not fit the field ({why})")

    def ask_at_once(self, escalations: Iterable[Escalation]) -> None:
        """Asks the resolvers of escalations, those that answer at once."""
        for escalation in escalations:
            resolver = _resolver_of(escalation)
            if resolver is not None and not (isinstance(resolver, Judge) or _is_coroutine(resolver)):
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
            self._inbox.answer(escalation, answer, f"resolver:{name}")
        except StaleDecisionError:
            log.info("the answer of resolver %s to %s came too late", name, escalation)
        except InvalidWriteError as error:
            log.error("the resolver %s gave no valid value, the escalation stays open: %s", name, error)


def _name_among(*names: Any) -> str:
    """The first that is one."""
    return next((name for name in names if isinstance(name, str) and name and name.isprintable()), "judge")


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
