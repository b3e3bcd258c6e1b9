"""What a tool tells the model that called it: what is there, what merged, what is in conflict, how to mend a call."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from concordant.errors import Fault
from concordant.kinds import Counter, Field, Scalar, Text
from concordant.tooling.handles import handle_of
from concordant.values import ABSENT
from concordant.workspace import DELETED, Document, Escalation
from concordant.workspace.amending import Company

__all__ = ["ToolNames", "call_faults", "conflicts", "merged", "refused", "settled", "value_lines"]

LONGEST = 400
"""Characters of a value in a message, beyond which it is cut; a read gives values whole."""


class ToolNames(NamedTuple):
    """The names of the tools, by which their texts point to each other."""

    read: str
    update: str
    conflicts: str
    resolve: str

    @classmethod
    def of(cls, what: str) -> ToolNames:
        """The names made of what a document is called."""
        return cls(f"read_{what}", f"update_{what}", f"list_{what}_conflicts", f"resolve_{what}_conflict")


def value_lines(document: Document, field: Field) -> list[str]:
    """A document's value, a line for each field, and which fields have none yet."""
    value = document.value
    lines = [f"{name}: {_json(value[name])}" for name in field.fields if name in value]
    empty = [name for name in field.fields if name not in value]
    return [*lines, *([f"Not written yet: {', '.join(empty)}."] if empty else [])]


def conflicts(
    escalations: Iterable[Escalation], names: ToolNames, what: str, agent: str, *, with_key: bool = False
) -> list[str]:
    """Open escalations, each with its handle and its numbered sides, and what to do about them."""
    lines: list[str] = []
    for escalation in escalations:
        where = f"{what} {_json(escalation.key)}, " if with_key else ""
        lines.append(f"- {where}{_subject(escalation, what)}, id {handle_of(escalation)}")
        for number, contender in enumerate(escalation.contenders, 1):
            lines.append(f"  {number}. {_said(contender.value, escalation)} by {_people(contender.agents, agent)}")
        lines.append(f"  {_meanwhile(escalation)}")
    if lines:
        lines.append(
            f"Nothing of it is lost. Settle one with {names.resolve}: its id, and `keep` (the number of a value "
            "above), `value` (another one) or `dismiss`. If it is not for you to decide, leave it open."
        )
    return lines


def merged(
    company: Mapping[str, Company], fields: Mapping[str, Field], document: Document | None, wanted: Mapping[str, Any]
) -> list[str]:
    """What others had written to the fields of an update, unseen by its writer, that is in the value now."""
    value = document.value if document is not None else {}
    contested = [e for e in document.contested.values() if e.path] if document is not None else []
    lines = []
    for name, (agents, part) in company.items():
        kind, who = fields[name].kind, _and(agents)
        theirs = _uncontested(part, [e for e in contested if e.path[0] == name])
        if theirs is ABSENT:
            continue
        if isinstance(kind, Scalar):
            if name not in value or name not in wanted:
                continue
            stands = fields[name].kind.alike(fields[name], value[name], theirs)
            lines.append(
                f"- {name}: {who} wrote {_json(theirs)}; {_json(value[name])} stands, as the model declares."
                if len(agents) > 1 or not stands or value[name] != wanted[name]
                else f"- {name}: {who} wrote the same."
            )
        elif isinstance(kind, Counter):
            lines.append(f"- {name}: {_json(theirs)} by {who}; it is {_json(value.get(name))} now.")
        elif isinstance(kind, Text):
            lines.append(f"- {name}: {who} wrote {_json(theirs)}.")
        else:
            lines.append(f"- {name}: {_json(theirs)} by {who}.")
    return lines


def settled(escalation: Escalation | None, what: str) -> str:
    """What became of an escalation that is no longer open."""
    if escalation is None:
        return "It is not open any more."
    how = {
        "resolved": f"{escalation.by} decided for {_said(escalation.decision, escalation)}",
        "dismissed": f"{escalation.by} dismissed it, the last agreed value stays",
        "superseded": "somebody who knew all sides wrote another value",
        "agreed": "all who disagreed have agreed",
    }.get(escalation.state, escalation.state)
    return f"It is settled already: {_subject(escalation, what)}: {how}."


def call_faults(error: ValidationError, known: Sequence[str]) -> list[Fault]:
    """What is wrong with the arguments of a call."""
    faults = []
    for item in error.errors(include_url=False):
        path = item["loc"]
        if item["type"] == "extra_forbidden":
            mend = f"The arguments are: {', '.join(known)}" if len(path) == 1 else "Leave it out"
            faults.append(Fault(path, "there is no such argument", mend, item["input"]))
        elif item["type"] == "missing":
            faults.append(Fault(path, "it is missing", "Give it"))
        else:
            problem = item["msg"][:1].lower() + item["msg"][1:]
            faults.append(Fault(path, f"{problem}; you gave {_json(item['input'])}", "", item["input"]))
    return faults


def refused(faults: Iterable[Fault]) -> str:
    """A call was refused: why, and how to mend it."""
    return "\n".join(["Nothing was written. Mend the call and try again:", *(f"- {fault}" for fault in faults)])


def _uncontested(part: Any, escalations: Sequence[Escalation]) -> Any:
    """A contribution without what is in conflict: that is told by itself."""
    if any(part == contender.value for e in escalations for contender in e.contenders):
        return ABSENT
    keys = {e.path[1] for e in escalations if len(e.path) > 1}
    if not keys or not isinstance(part, dict):
        return part
    return {key: value for key, value in part.items() if key not in keys} or ABSENT


def _subject(escalation: Escalation, what: str) -> str:
    place = ".".join(escalation.path) or f"the whole {what}"
    return {
        "scalar": f"{place}: different values",
        "text": f"{place}: different rewrites of the words {_json(escalation.base)}",
        "delete": f"{place}: deleted by one, changed by another",
        "type": f"{place}: a value of the wrong type",
        "invalid": f"{place}: together these would break a rule of the model",
        "schema": f"{place}: stored as another kind than the model has now",
    }[escalation.reason]


def _said(value: Any, escalation: Escalation) -> str:
    return "deleted" if value is DELETED else _json(value)


def _meanwhile(escalation: Escalation) -> str:
    if escalation.reason == "delete":
        return "Until it is settled it is read as changed."
    if not escalation.has_base:
        return "There is no value that all agreed on; until it is settled it is read as empty."
    return f"Until it is settled it is read as {_json(escalation.base)}."


def _people(agents: Sequence[str], me: str) -> str:
    return _and([f"{agent} (you)" if agent == me else agent for agent in agents])


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _json(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(text)} characters)"
