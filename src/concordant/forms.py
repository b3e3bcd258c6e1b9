"""A question in the forms that other tools know, and their answers back: one mapping for every channel.

| form | asks with | is answered with |
|---|---|---|
| ``"hitl"`` | LangChain's ``HITLRequest`` | ``HITLResponse``, or one decision |
| ``"agent-inbox"`` | agent-inbox's ``HumanInterrupt``, in a list | a ``HumanResponse``, or a list of one |
| ``"ag-ui"`` | AG-UI's ``Interrupt`` | a ``ResumeEntry``, a list of one, or its payload |

A request is about one question: these tools show one at a time. What it offers is the same in all of them: ``take`` is
the number of a side, ``"suggestion"`` or ``"base"``; ``value`` is any other value and goes before ``take``.

>>> from concordant import Workspace, forms
>>> ws = Workspace()
>>> ada, bob = ws.agent("ada"), ws.agent("bob")
>>> _ = ada.write(("plans",), "launch", {"status": "draft"})
>>> _ = bob.write(("plans",), "launch", {"status": "final"})
>>> [question] = ws.escalations()
>>> request = forms.request(question, "hitl")
>>> request["action_requests"][0]["name"], request["review_configs"][0]["allowed_decisions"]
('resolve_conflict', ['edit', 'reject', 'respond'])
>>> edited = {"name": "resolve_conflict", "args": {"take": 2}}
>>> answer = forms.answer(question, {"decisions": [{"type": "edit", "edited_action": edited}]}, "hitl")
>>> answer.act, answer.value
('resolve', 'final')
>>> forms.settle(ws, question, answer, by="maria")
True
>>> ws.get(("plans",), "launch").value
{'status': 'final'}
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from concordant.errors import ConcordantError, told
from concordant.escalation import DELETED, Escalation
from concordant.values import portable
from concordant.workspace import Workspace

__all__ = ["FORMS", "AnswerError", "FormName", "Reply", "answer", "ref_of", "request", "settle", "worded"]

FormName: TypeAlias = Literal["hitl", "agent-inbox", "ag-ui"]

ACTION = "resolve_conflict"
"""What a person is asked to do, as the name of an action."""
MOST_SHOWN = 2_000
"""How many characters of a value a text for people shows."""

_QUESTIONS = {
    "scalar": "Which value is right for {path} of {document}?",
    "text": "Which words are to stand in {path} of {document}?",
    "delete": "Is {path} of {document} to be deleted, or to stay as updated?",
    "type": "Which value is {path} of {document} to have? One that does not fit its type was given.",
    "schema": "Which value is {path} of {document} to have? It holds values from before the model was changed.",
    "invalid": "Which value is {path} of {document} to have? Together these contributions break the model's rules.",
}
_NOT_TO_CHOOSE = ("type", "invalid")
"""Of a value that does not fit, or a mere contribution to a value, nothing is to be chosen."""
_REF = re.compile(r"[0-9a-f]{20}\.[0-9a-f]{8}")


class AnswerError(ConcordantError):
    """An answer that does not fit its form or its question; says what would."""


class Reply(NamedTuple):
    """What somebody wants done about a question.

    Attributes:
        act: ``"resolve"`` for a value, ``"dismiss"`` all sides, or ``"ignore"``: it stays open.
        value: what it is resolved to.
        why: the reason, if one was given.
    """

    act: Literal["resolve", "dismiss", "ignore"]
    value: Any = None
    why: str | None = None


def worded(escalation: Escalation) -> str:
    """Returns a question in words."""
    document = f"{'/'.join(escalation.namespace)}:{escalation.key}"
    path = ".".join(map(str, escalation.path))
    question = _QUESTIONS[escalation.reason] if path else _QUESTIONS[escalation.reason].replace("{path} of ", "")
    return question.format(path=path, document=document)


def ref_of(escalation: Escalation) -> str:
    """Names what a person was shown: the escalation, its contenders, and this opening of it.

    Answers go by it, so that one sent twice, or from a page that is no longer current, is to what it was meant for.
    """
    state = f"{escalation.version} {escalation.opened_at.timestamp():.6f}"
    return f"{escalation.id}.{hashlib.sha256(state.encode()).hexdigest()[:8]}"


def request(escalation: Escalation, form: FormName, *, problem: str = "") -> Any:
    """Returns a question in a form, as JSON.

    Args:
        form: ``"hitl"``, ``"agent-inbox"`` or ``"ag-ui"``.
        problem: why it is asked again.

    Raises:
        ConcordantError: there is no such form.
    """
    return _form(form).request(escalation, problem)


def answer(escalation: Escalation, response: Any, form: FormName) -> Reply:
    """Reads what came back for a question.

    Args:
        escalation: the question as it was asked.
        response: the answer, in its form's JSON.
        form: in which it was asked.

    Raises:
        AnswerError: it is none in this form, or none to this question.
        ConcordantError: there is no such form.
    """
    return _form(form).answer(escalation, response)


def settle(workspace: Workspace, escalation: Escalation, answer: Reply, *, by: str) -> bool:
    """Does what an answer says, on the contenders that were asked about.

    Returns:
        Whether that decided the question; not if it stays open.

    Raises:
        StaleDecisionError: its contenders have changed since, or it is settled.
        InvalidWriteError: the value does not fit the model.
    """
    if answer.act == "resolve":
        workspace.resolve(escalation, answer.value, by=by, why=answer.why)
    elif answer.act == "dismiss":
        workspace.dismiss(escalation, by=by, why=answer.why)
    return answer.act != "ignore"


class _Form(Protocol):
    def request(self, escalation: Escalation, problem: str) -> Any: ...

    def answer(self, escalation: Escalation, response: Any) -> Reply: ...


def _form(name: Any) -> _Form:
    found = FORMS.get(name) if isinstance(name, str) else None
    if found is None:
        raise ConcordantError(f"form= is one of {', '.join(FORMS)}, not {told(name)}")
    return found


# -- what every form offers ------------------------------------------------------------------------------------------


def _choices(escalation: Escalation) -> list[int | str]:
    """What can be taken."""
    sides: list[int | str] = []
    if escalation.reason not in _NOT_TO_CHOOSE:
        sides += range(1, len(escalation.contenders) + 1)
    return [*sides, *(["suggestion"] if escalation.suggestion is not None else []), "base"]


def _arguments(escalation: Escalation) -> dict[str, Any]:
    """The action's arguments as they are proposed: which question, and what to change to answer it."""
    choices = _choices(escalation)
    proposed = "suggestion" if "suggestion" in choices else choices[0]
    return {"question": ref_of(escalation), "take": proposed, "value": None}


def _schema(escalation: Escalation) -> dict[str, Any]:
    """The JSON schema of the arguments."""
    return {
        "type": "object",
        "properties": {
            "question": {"type": "string", "description": "What was shown; leave it as it is."},
            "take": {"enum": _choices(escalation), "description": "A side by its number, the suggestion, or the base."},
            "value": {"description": "Any other value; goes before take."},
        },
        "anyOf": [{"required": ["take"]}, {"required": ["value"]}],
    }


def _described(escalation: Escalation, problem: str) -> str:
    """The question for people, as Markdown in which values are code: what agents wrote marks nothing up."""
    lines = [f"{problem.strip()}\n"] if problem else []
    lines += [_code_free(worded(escalation)), ""]
    if escalation.has_base:
        lines.append(f"- base: {_code(escalation.base)}")
    numbered = escalation.reason not in _NOT_TO_CHOOSE
    for number, side in enumerate(escalation.contenders, 1):
        value = "deleted" if side.value is DELETED else _code(side.value)
        lines.append(f"- {f'{number}: ' if numbered else ''}{value} by {_code_free(' and '.join(side.agents))}")
    if escalation.more:
        lines.append(f"- and {escalation.more:,} more")
    if escalation.suggestion is not None:
        lines.append(f"- suggestion: {_code(escalation.suggestion)}")
    lines += ["", f"Give `take` ({', '.join(map(str, _choices(escalation)))}), or another `value`."]
    return "\n".join(lines)


def _code(value: Any) -> str:
    text = json.dumps(portable(value), ensure_ascii=False)
    text = text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    return f"{fence} {text} {fence}"


def _code_free(text: str) -> str:
    """Names in a text of Markdown, in which they mark nothing up."""
    return re.sub(r"([\\`*_\[\]<>#|!~])", r"\\\1", " ".join(text.split()))


def _chosen(escalation: Escalation, given: Any, why: str | None = None) -> Reply:
    """The answer that arguments are."""
    if not isinstance(given, Mapping):
        raise AnswerError(f'{told(given)} is none of {{"take": ...}} and {{"value": ...}}')
    asked = given.get("question")
    if asked is not None and asked != ref_of(escalation):
        raise AnswerError("the answer was to another question, or to an earlier state of it")
    if given.get("value") is not None or ("value" in given and "take" not in given):
        return Reply("resolve", _typed(escalation, given["value"]), why)
    return _taken(escalation, given.get("take"), why)


def _taken(escalation: Escalation, take: Any, why: str | None) -> Reply:
    choices = _choices(escalation)
    typed = take.strip() if isinstance(take, str) else take  # perhaps into a field of a form
    if isinstance(typed, str) and typed.isascii() and typed.isdecimal() and len(typed) < 10:
        typed = int(typed)
    if typed in ("base", 0) and typed is not False:
        return Reply("dismiss", None, why)
    if type(typed) not in (int, str) or typed not in choices:
        raise AnswerError(f"{told(take)} is none of {', '.join(map(str, choices))}; or give another value")
    if type(typed) is int:
        return Reply("resolve", escalation.contenders[typed - 1].value, why)
    return Reply("resolve", escalation.suggestion, why)


def _typed(escalation: Escalation, value: Any) -> Any:
    """A value that may have been typed into a field of a form, where all are texts: JSON, where no side is a text."""
    sides = [side.value for side in escalation.contenders] + [escalation.base]
    if isinstance(value, str) and not any(isinstance(side, str) for side in sides):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _only(response: Any, what: str) -> Any:
    """The one of a list of one."""
    if isinstance(response, Sequence) and not isinstance(response, (str, bytes)):
        if len(response) != 1:
            raise AnswerError(f"one question was asked, and {len(response)} {what} came")
        return response[0]
    return response


def _kind(response: Any, allowed: Sequence[str], form: str) -> str:
    kind = response.get("type") if isinstance(response, Mapping) else None
    if kind not in allowed:
        raise AnswerError(f"{told(response)} is no answer in the form {form}: its type is one of {', '.join(allowed)}")
    return str(kind)


def _text(given: Any) -> str | None:
    return given if isinstance(given, str) and given.strip() else None


# -- the forms -------------------------------------------------------------------------------------------------------


class _Hitl:
    """LangChain's middleware for human review (langchain.agents.middleware.human_in_the_loop)."""

    def request(self, escalation: Escalation, problem: str) -> Any:
        action = {
            "name": ACTION,
            "args": _arguments(escalation),
            "description": _described(escalation, problem),
        }
        config = {
            "action_name": ACTION,
            "allowed_decisions": self._allowed(escalation),
            "args_schema": _schema(escalation),
        }
        return {"action_requests": [action], "review_configs": [config]}

    def _allowed(self, escalation: Escalation) -> list[str]:
        """To approve takes what is proposed: only a suggestion is, which has all sides in it."""
        return [*(["approve"] if escalation.suggestion is not None else []), "edit", "reject", "respond"]

    def answer(self, escalation: Escalation, response: Any) -> Reply:
        if isinstance(response, Mapping) and "decisions" in response:
            response = _only(response["decisions"], "decisions")
        kind = _kind(response, self._allowed(escalation), "hitl")
        if kind == "approve":
            return _taken(escalation, "suggestion", None)
        if kind == "reject":
            return Reply("dismiss", None, _text(response.get("message")))
        if kind == "respond":
            message = response.get("message")
            if not isinstance(message, str):
                raise AnswerError(f"a response has the value as its message, a text, not {told(message)}")
            return Reply("resolve", _typed(escalation, message))
        edited = response.get("edited_action")
        return _chosen(escalation, edited.get("args") if isinstance(edited, Mapping) else edited)


class _AgentInbox:
    """LangChain's agent-inbox (``HumanInterrupt``). It shows the first of a list, and answers with a list."""

    def request(self, escalation: Escalation, problem: str) -> Any:
        config = {
            "allow_ignore": True,
            "allow_respond": True,
            "allow_edit": True,
            "allow_accept": escalation.suggestion is not None,
        }
        action = {"action": ACTION, "args": _arguments(escalation)}
        return [{"action_request": action, "config": config, "description": _described(escalation, problem)}]

    def answer(self, escalation: Escalation, response: Any) -> Reply:
        response = _only(response, "responses")
        accept = ("accept",) if escalation.suggestion is not None else ()
        kind = _kind(response, (*accept, "edit", "response", "ignore"), "agent-inbox")
        given = response.get("args")
        if kind == "ignore":
            return Reply("ignore")
        if kind == "accept":
            return _taken(escalation, "suggestion", None)
        if kind == "response":
            if not isinstance(given, str):
                raise AnswerError(f"a response has the value as its args, a text, not {told(given)}")
            return Reply("resolve", _typed(escalation, given))
        return _chosen(escalation, given.get("args") if isinstance(given, Mapping) else given)


class _AgUi:
    """AG-UI's interrupts: structured input that a run needs. Cancelled, the question stays open."""

    def request(self, escalation: Escalation, problem: str) -> Any:
        return {
            "id": ref_of(escalation),
            "reason": "input_required",
            "message": _described(escalation, problem),
            "responseSchema": _schema(escalation),
            "metadata": {"concordant": escalation.to_dict()},
        }

    def answer(self, escalation: Escalation, response: Any) -> Reply:
        response = _only(response, "entries")
        if isinstance(response, Mapping) and "status" in response:
            interrupt = response.get("interruptId", response.get("interrupt_id"))
            if isinstance(interrupt, str) and _REF.fullmatch(interrupt) and interrupt != ref_of(escalation):
                raise AnswerError("the answer was to another question, or to an earlier state of it")
            if response["status"] == "cancelled":
                return Reply("ignore")
            if response["status"] != "resolved":
                raise AnswerError(f"a status is resolved or cancelled, not {told(response['status'])}")
            response = response.get("payload")
        return _chosen(escalation, response)


FORMS: Mapping[str, _Form] = {"hitl": _Hitl(), "agent-inbox": _AgentInbox(), "ag-ui": _AgUi()}
"""The forms by their names."""
