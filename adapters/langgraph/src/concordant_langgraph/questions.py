"""Escalations as JSON for people and their programs, and the answers that come back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias

from concordant import DELETED, Contender, Escalation
from concordant.spi import FormName, forms

ref_of, worded = forms.ref_of, forms.worded

__all__ = ["Question", "ReviewAnswer", "answer_in", "answers_of", "as_shown", "decided", "payload", "ref_of", "shown"]

Question: TypeAlias = dict[str, Any]
"""An escalation as JSON."""

# Of a value that does not fit, or a mere contribution to a value, nothing is to be chosen.
_NOT_TO_CHOOSE = ("type", "invalid")

_HOW = (
    'Resume with a dict that answers each question by its "ref": {"choose": n} takes contender n, {"value": ...} gives '
    'any other value, "dismiss" keeps the base (nothing, where there is none), "skip" leaves it open. "by" names who '
    "decides. Questions left out, and answers that do not fit, are asked again."
)


def shown(escalation: Escalation) -> Question:
    """Returns an escalation as JSON: what is told in a stream, and asked of a person."""
    to_choose = escalation.reason not in _NOT_TO_CHOOSE
    return {
        "ref": ref_of(escalation),
        "id": escalation.id,
        "version": escalation.version,
        "opened_at": escalation.opened_at.isoformat(),
        "namespace": list(escalation.namespace),
        "key": escalation.key,
        "path": list(escalation.path),
        "reason": escalation.reason,
        "question": worded(escalation),
        "base": escalation.base,
        "has_base": escalation.has_base,
        "contenders": [
            {**({"choose": number} if to_choose else {}), **_contender(contender)}
            for number, contender in enumerate(escalation.contenders, 1)
        ],
        "more": escalation.more,
    }


def _contender(contender: Contender) -> dict[str, Any]:
    return {
        **decided(contender.value),
        "agent": contender.agent,
        "agents": list(contender.agents),
        "at": contender.at.isoformat(),
    }


def decided(value: Any) -> dict[str, Any]:
    """Returns a value, or a deletion, as JSON."""
    return {"value": None, "deleted": True} if value is DELETED else {"value": value}


def as_shown(question: Question) -> Escalation:
    """Returns the escalation as it was shown, to pin a decision to it."""
    return Escalation(
        id=question["id"],
        version=question["version"],
        namespace=tuple(question["namespace"]),
        key=question["key"],
        path=tuple(question["path"]),
        reason=question["reason"],
        base=question["base"],
        contenders=tuple(map(_as_contender, question["contenders"])),
        has_base=question["has_base"],
        opened_at=datetime.fromisoformat(question["opened_at"]),
        more=question.get("more", 0),
    )


def _as_contender(shown: Mapping[str, Any]) -> Contender:
    value = DELETED if shown.get("deleted") else shown["value"]
    return Contender(value, shown["agent"], tuple(shown["agents"]), datetime.fromisoformat(shown["at"]), "")


def payload(namespace: Sequence[str], questions: Sequence[Question], problems: Sequence[str]) -> dict[str, Any]:
    """Tells what an interrupt asks."""
    return {
        "type": "concordant.review",
        "namespace": list(namespace),
        "questions": list(questions),
        **({"problems": list(problems)} if problems else {}),
        "how_to_answer": _HOW,
        "answer": {question["ref"]: "skip" for question in questions},
    }


class ReviewAnswer(NamedTuple):
    """What a person wants done about a question; for ``again``, why it is asked again (or ``""``)."""

    act: Literal["resolve", "dismiss", "skip", "again"]
    value: Any = None
    problem: str = ""
    why: str | None = None


def answer_in(form: FormName, question: Question, resume: Any) -> ReviewAnswer:
    """Reads what a graph was resumed with that had asked one question in a form of others (``concordant.forms``)."""
    try:
        given = forms.answer(as_shown(question), resume, form)
    except forms.AnswerError as error:
        return ReviewAnswer("again", problem=str(error))
    return ReviewAnswer("skip" if given.act == "ignore" else given.act, given.value, why=given.why)


def answers_of(
    questions: Sequence[Question], resume: Any, by: str, settled: Collection[str]
) -> tuple[list[ReviewAnswer], str, list[str]]:
    """Reads what a graph was resumed with.

    Args:
        by: who decides, if the answer does not say.
        settled: the refs of earlier questions, which an answer that is sent again still has.

    Returns:
        An answer for each question, who decides, and what is wrong with the whole.
    """
    if not isinstance(resume, Mapping):
        return [ReviewAnswer("again")] * len(questions), by, [f"a {type(resume).__name__} is no dict of answers"]
    by = resume.get("by", by)
    if not isinstance(by, str) or not by:
        problem = f'"by" names who decides, as a non-empty string, not {by!r}'
        return [ReviewAnswer("again")] * len(questions), "", [problem]
    unknown = [ref for ref in resume if ref != "by" and ref not in settled]
    answers = []
    for question in questions:
        outdated = [ref for ref in unknown if str(ref).startswith(question["id"]) and ref != question["ref"]]
        answers.append(_answer(question, resume, outdated=bool(outdated)))
        unknown = [ref for ref in unknown if ref not in (question["ref"], *outdated)]
    return answers, by, [f"no question has the ref {ref!r}" for ref in unknown]


def _answer(question: Question, resume: Mapping[Any, Any], *, outdated: bool) -> ReviewAnswer:
    if question["ref"] not in resume:
        return ReviewAnswer("again", problem="the answer was to an earlier state of it" if outdated else "")
    given = resume[question["ref"]]
    if given in ("dismiss", "skip"):
        return ReviewAnswer(given)
    if isinstance(given, Mapping) and len(given) == 1:
        if "value" in given:
            return ReviewAnswer("resolve", given["value"])
        if "choose" in given:
            return _choice(question, given["choose"])
    problem = f'{given!r} is none of {{"choose": n}}, {{"value": ...}}, "dismiss" and "skip"'
    return ReviewAnswer("again", problem=problem)


def _choice(question: Question, number: Any) -> ReviewAnswer:
    for contender in question["contenders"]:
        # Of one type: True is no number of a contender.
        if type(number) is int and contender.get("choose") == number:
            return ReviewAnswer("resolve", DELETED if contender.get("deleted") else contender["value"])
    numbers = [contender["choose"] for contender in question["contenders"] if "choose" in contender]
    if not numbers:
        return ReviewAnswer("again", problem='its contenders cannot be chosen: give {"value": ...} for the whole')
    return ReviewAnswer("again", problem=f"{number!r} is none of the contenders {', '.join(map(str, numbers))}")
