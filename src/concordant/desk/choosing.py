"""What is decided about many questions at once: which are meant, and what each would become."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from concordant.errors import ConcordantError
from concordant.escalation import Contender, Escalation
from concordant.values import ABSENT
from concordant.workspace import Workspace

__all__ = ["AGES", "BulkOutcome", "Filter", "Plan", "apply", "planned"]

AGES = {"": "any age", "1h": "over an hour", "1d": "over a day", "7d": "over a week"}
_SPANS = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "7d": timedelta(days=7)}


class Filter(NamedTuple):
    """Which questions are meant; what is empty narrows nothing."""

    namespace: tuple[str, ...] = ()
    reason: str = ""
    agent: str = ""
    age: str = ""
    claimed: str = ""

    def listed(self, workspace: Workspace) -> list[Escalation]:
        """Returns the open questions that are meant, the oldest first."""
        found = [question for question in workspace.escalations(self.namespace) if self.means(question)]
        return sorted(found, key=lambda question: question.opened_at)

    def means(self, question: Escalation) -> bool:
        """Tells whether a question is meant, in whatever namespace."""
        if self.reason and question.reason != self.reason:
            return False
        if self.agent and not any(self.agent in contender.agents for contender in question.contenders):
            return False
        if self.age in _SPANS and datetime.now(UTC) - question.opened_at < _SPANS[self.age]:
            return False
        claimed = question.by if question.state == "claimed" else None
        return {"": True, "nobody": claimed is None, "somebody": claimed is not None}.get(
            self.claimed, claimed == self.claimed
        )


@dataclass
class Plan:
    """What one question is to become.

    Attributes:
        value: what is decided; ``ABSENT`` where all sides are dismissed.
        dismisses: whether it is.
        why_not: why nothing is decided about it.
    """

    question: Escalation
    value: Any = ABSENT
    dismisses: bool = False
    why_not: str = ""


class BulkOutcome(NamedTuple):
    """What became of the plans: how many were decided, and those that were refused, with the reasons."""

    done: Sequence[Plan]
    refused: Sequence[tuple[Plan, str]]


def planned(questions: Iterable[Escalation], choice: str, agent: str = "") -> list[Plan]:
    """Tells what each question would become.

    Args:
        choice: ``agent`` (what that agent wrote), ``latest``, ``base`` or ``dismiss``.
    """
    return [_plan(question, choice, agent) for question in questions]


def _plan(question: Escalation, choice: str, agent: str) -> Plan:
    if choice == "dismiss":
        return Plan(question, question.base if question.has_base else ABSENT, dismisses=True)
    if choice == "base":
        if question.has_base:
            return Plan(question, question.base, dismisses=True)
        return Plan(question, why_not="nothing was agreed before")
    if question.more:
        return Plan(question, why_not="not all of its sides are shown")
    sides = [one for one in question.contenders if agent in one.agents] if choice == "agent" else [_latest(question)]
    if len(sides) != 1:
        return Plan(question, why_not=f"{agent} has {'several sides' if sides else 'no side'} in it")
    return Plan(question, sides[0].value)


def _latest(question: Escalation) -> Contender:
    return max(question.contenders, key=lambda contender: contender.at)


def apply(workspace: Workspace, plans: Iterable[Plan], by: str, why: str | None = None) -> BulkOutcome:
    """Decides what is planned, one question after another, all for one reason; what is refused stops none of the
    others."""
    done: list[Plan] = []
    refused: list[tuple[Plan, str]] = []
    for plan in plans:
        if plan.why_not:
            refused.append((plan, plan.why_not))
            continue
        try:
            if plan.dismisses:
                workspace.dismiss(plan.question, by=by, why=why)
            else:
                workspace.resolve(plan.question, plan.value, by=by, why=why)
        except ConcordantError as error:
            refused.append((plan, str(error)))
        else:
            done.append(plan)
    return BulkOutcome(done, refused)
