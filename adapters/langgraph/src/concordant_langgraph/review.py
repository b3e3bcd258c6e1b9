"""A node that asks a person about what is contested, and settles it by the answer.

The node runs a small graph of its own: ``look`` settles what was answered and lists what is open, ``ask`` interrupts
with that list. So what was asked is in the checkpoint: a resumed ``ask`` finds the very questions that it had shown,
whatever has become of the store meanwhile, and a ``look`` that is executed again finds the same answers to the same
questions. Each round of questions is a task of its own, with one interrupt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypedDict

from langchain_core.runnables import Runnable, RunnableLambda
from langgraph.config import get_store
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

from concordant import ConcordantError, Escalation, InvalidWriteError, StaleDecisionError
from concordant.spi import FormName, forms
from concordant_langgraph.questions import (
    Question,
    ReviewAnswer,
    answer_in,
    answers_of,
    as_shown,
    decided,
    payload,
    ref_of,
    shown,
)
from concordant_langgraph.steps import Steps, arun, run
from concordant_langgraph.store import MergeStore

__all__ = ["review_conflicts"]


class _State(TypedDict):
    """What the node remembers between its questions; plain JSON, as it goes into checkpoints."""

    questions: list[Question]
    problems: list[str]
    answers: Any
    outcomes: list[dict[str, Any]]


_NOTHING_ASKED: _State = {"questions": [], "problems": [], "answers": None, "outcomes": []}


class _Calls(NamedTuple):
    """The store's calls, or their twins for coroutines."""

    escalations: Callable[..., Any]
    resolve: Callable[..., Any]
    dismiss: Callable[..., Any]


def review_conflicts(
    store: MergeStore | None,
    namespace: Sequence[str] = (),
    *,
    by: str = "person",
    report: str | None = None,
    form: FormName | None = None,
) -> Runnable[Any, Any]:
    """Returns a node that asks a person, by ``interrupt``, about everything open under a namespace, and settles it.

    One interrupt has all questions. What it shows, and how it is answered, is in ``docs/langgraph.md``; in short::

        asked = graph.invoke(input, config)["__interrupt__"][0].value
        graph.invoke(Command(resume={question["ref"]: {"choose": 1} for question in asked["questions"]}), config)

    Decisions are pinned to the contenders shown. A question whose contenders have changed, an answer that does not fit
    and what was opened meanwhile are asked in a further interrupt, and what was answered well is not asked again. A
    question that somebody else settled first is left as it is. When nothing is open but what was skipped, the graph
    goes on.

    Args:
        store: the store to review; ``None``: the one that the graph runs with.
        namespace: a prefix; ``()`` is everything.
        by: who decides, where the answer does not name somebody.
        report: a key of the graph's state that is given what became of each question: a list of dicts with ``ref``,
            ``id``, ``namespace``, ``key``, ``path``, ``outcome`` (the escalation's state, or ``skipped``, or ``gone``),
            ``by`` and ``value``.
        form: ask one question an interrupt, in the form of LangChain's middleware (``"hitl"``), of agent-inbox
            (``"agent-inbox"``) or of AG-UI (``"ag-ui"``), and take answers in it (``concordant.forms``).

    Returns:
        A runnable for ``add_node``, in sync and async graphs. With something to ask, the graph needs a checkpointer.

    Raises:
        TypeError: the store is no ``MergeStore``, or the namespace a string.
        ConcordantError: there is no such form.
    """
    if form is not None and form not in forms.FORMS:
        raise ConcordantError(f"form= is one of {', '.join(forms.FORMS)}, not {form!r}")
    if isinstance(namespace, str):
        raise TypeError(f"a namespace is a tuple, such as ({namespace!r},), not the string {namespace!r}")
    if store is not None:
        _checked(store)
    rounds = _rounds(store, tuple(namespace), by, form)

    def review(_: Any) -> dict[str, Any] | None:
        return _reported(rounds.invoke(_NOTHING_ASKED), report)

    async def areview(_: Any) -> dict[str, Any] | None:
        return _reported(await rounds.ainvoke(_NOTHING_ASKED), report)

    return RunnableLambda(review, areview, name="review_conflicts")


def _rounds(store: MergeStore | None, namespace: tuple[str, ...], by: str, form: FormName | None) -> Runnable[Any, Any]:
    """The graph inside the node: look and ask in turns, until nothing is to be asked."""

    def look(state: _State) -> dict[str, Any]:
        used = store or _checked(get_store())
        return run(_look(state, namespace, by, form, _Calls(used.escalations, used.resolve, used.dismiss)), used)

    async def alook(state: _State) -> dict[str, Any]:
        used = store or _checked(get_store())
        steps = _look(state, namespace, by, form, _Calls(used.aescalations, used.aresolve, used.adismiss))
        return await arun(steps, used, used.workspace)

    def ask(state: _State) -> dict[str, Any]:
        return {"answers": interrupt(_asked(state, namespace, form))}

    builder = StateGraph(_State)
    builder.add_node("look", RunnableLambda(look, alook)).add_node("ask", ask)
    builder.add_edge(START, "look").add_edge("ask", "look")
    builder.add_conditional_edges("look", lambda state: "ask" if state["questions"] else END, ["ask", END])
    return builder.compile(name="review_conflicts")


def _asked(state: _State, namespace: tuple[str, ...], form: FormName | None) -> Any:
    """What an interrupt asks."""
    if form is None:
        return payload(namespace, state["questions"], state["problems"])
    [question] = state["questions"]
    return forms.request(as_shown(question), form, problem=question.get("problem", ""))


def _answers(state: _State, by: str, form: FormName | None) -> tuple[list[ReviewAnswer], str, list[str]]:
    """An answer for each question that was asked, who decides, and what is wrong with the whole."""
    if form is not None:
        return [answer_in(form, question, state["answers"]) for question in state["questions"]], by, []
    return answers_of(state["questions"], state["answers"], by, [outcome["ref"] for outcome in state["outcomes"]])


def _look(
    state: _State, namespace: tuple[str, ...], by: str, form: FormName | None, calls: _Calls
) -> Steps[dict[str, Any]]:
    """Settles what was answered, and lists what is to be asked now."""
    outcomes = [*state["outcomes"]]
    notes: dict[str, str] = {}
    problems: list[str] = []
    if state["questions"]:
        answers, by, problems = _answers(state, by, form)
        now_open = {escalation.id: escalation for escalation in (yield partial(calls.escalations, namespace))}
        for question, answer in zip(state["questions"], answers, strict=True):
            current = now_open.get(question["id"])
            if answer.act == "again":
                notes[question["id"]] = answer.problem
            elif answer.act == "skip":
                outcomes.append(_outcome(question, "skipped", by))
            elif current is not None and ref_of(current) != question["ref"]:
                notes[question["id"]] = _changed(question, current)
            else:
                outcome = yield from _settle(question, answer, by, calls)
                if isinstance(outcome, str):
                    notes[question["id"]] = outcome
                else:
                    outcomes.append(outcome)
    skipped = {outcome["ref"] for outcome in outcomes if outcome["outcome"] == "skipped"}
    questions = [shown(escalation) for escalation in (yield partial(calls.escalations, namespace))]
    left = [_noted(question, notes) for question in questions if question["ref"] not in skipped]
    return {
        "questions": left if form is None else left[:1],
        "problems": problems,
        "outcomes": outcomes,
    }


def _changed(question: Question, current: Escalation) -> str:
    if current.version != question["version"]:
        return "its contenders changed since it was shown"
    # By an earlier execution of this very task, perhaps: an answer does not count twice.
    return "it was settled since it was shown, and opened again"


def _settle(question: Question, answer: ReviewAnswer, by: str, calls: _Calls) -> Steps[dict[str, Any] | str]:
    """Carries out an answer; returns what became of the question, or why it is to be asked again."""
    escalation = as_shown(question)
    try:
        if answer.act == "resolve":
            yield partial(calls.resolve, escalation, answer.value, by=by, why=answer.why)
            return _outcome(question, "resolved", by, answer.value)
        yield partial(calls.dismiss, escalation, by=by, why=answer.why)
        return _outcome(question, "dismissed", by, question["base"])
    except InvalidWriteError as error:
        return "; ".join(map(str, error.faults))
    except StaleDecisionError as error:
        current = error.current
        if current is None:
            return _outcome(question, "gone", None)
        if current.state in ("open", "claimed"):
            return _changed(question, current)
        return _outcome(question, current.state, current.by, current.decision)


def _outcome(question: Question, outcome: str, by: str | None, value: Any = None) -> dict[str, Any]:
    place = {name: question[name] for name in ("ref", "id", "namespace", "key", "path")}
    return {**place, "outcome": outcome, "by": by, **decided(value)}


def _noted(question: Question, notes: dict[str, str]) -> Question:
    problem = notes.get(question["id"])
    return {**question, "problem": problem} if problem else question


def _reported(state: dict[str, Any], report: str | None) -> dict[str, Any] | None:
    return {report: state["outcomes"]} if report is not None else None


def _checked(store: Any) -> MergeStore:
    if not isinstance(store, MergeStore):
        raise TypeError(f"review_conflicts settles what a MergeStore has open, and was given a {type(store).__name__}")
    return store
