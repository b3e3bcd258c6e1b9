"""What a tool tells the model that called it: what is there, what merged, what is in conflict, how to mend a call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from pydantic import ValidationError

from concordant.errors import Fault
from concordant.merge.kinds import Field
from concordant.merge.kinds.tree import is_inside
from concordant.tooling.handles import handle_of
from concordant.tooling.quoting import dotted, is_short, on_one_line, quoted, shortened
from concordant.values import ABSENT
from concordant.workspace import DELETED, Contender, Document, Escalation
from concordant.workspace.amending import Company

__all__ = ["IsMine", "ToolNames", "call_faults", "conflicts", "is_whole", "merged", "refused", "settled", "value_lines"]


class ToolNames(NamedTuple):
    """The names of the tools, by which their texts point to each other; without ``resolve`` agents do not decide."""

    read: str
    update: str
    conflicts: str
    resolve: str | None

    @classmethod
    def of(cls, what: str, *, resolve: bool = True) -> ToolNames:
        """Returns the names made of what a document is called."""
        deciding = f"resolve_{what}_conflict" if resolve else None
        return cls(f"read_{what}", f"update_{what}", f"list_{what}_conflicts", deciding)


def value_lines(document: Document, field: Field) -> list[str]:
    """Returns a document's value, a line for each field, and which fields have none yet."""
    value = document.value
    lines = [f"{name}: {quoted(value[name])}" for name in field.fields if name in value]
    empty = [name for name in field.fields if name not in value]
    return [*lines, *([f"Not written yet: {', '.join(empty)}."] if empty else [])]


IsMine: TypeAlias = Callable[[str, str], bool]
"""Tells of a contribution's agent and origin whether it is of the agent that is answered."""


def conflicts(
    escalations: Iterable[Escalation], names: ToolNames, what: str, is_mine: IsMine, *, with_key: bool = False
) -> list[str]:
    """Lists open escalations, each with its handle and its numbered sides, and what to do about them."""
    lines: list[str] = []
    for escalation in escalations:
        where = f"{what} {shortened(escalation.key)}, " if with_key else ""
        handle = f", id {handle_of(escalation)}" if names.resolve is not None else ""
        lines.append(f"- {where}{_subject(escalation, what)}{handle}")
        for number, contender in enumerate(escalation.contenders, 1):
            lines.append(f"  {number}. {_said(contender.value)} by {_people(contender, is_mine)}")
        lines.append(f"  {_meanwhile(escalation)}")
    if lines and names.resolve is not None:
        lines.append(
            f"Nothing of it is lost. Settle one with {names.resolve}: its id, and `keep` (the number of a value "
            "above), `value` (another one) or `dismiss`. If it is not for you to decide, leave it open."
        )
    elif lines:
        lines.append("Nothing of it is lost, and it is not for you to decide: leave it open, and go on.")
    return lines


def is_whole(escalation: Escalation) -> bool:
    """Tells whether an answer shows all sides of an escalation whole."""
    return all(contender.value is DELETED or is_short(contender.value) for contender in escalation.contenders)


def merged(
    company: Mapping[str, Company], fields: Mapping[str, Field], document: Document | None, wanted: Mapping[str, Any]
) -> list[str]:
    """Tells what others had written to the fields of an update, unseen by its writer, that is in the value now."""
    value = document.value if document is not None else {}
    contested = [e for e in document.contested.values() if e.path] if document is not None else []
    lines = []
    for name, (agents, part) in company.items():
        theirs = _uncontested(part, [e for e in contested if e.path[0] == name])
        line = None if theirs is ABSENT else _merged_with(fields[name], theirs, agents, value, wanted)
        if line is not None:
            lines.append(f"- {name}: {line}")
    return lines


def _merged_with(
    field: Field, theirs: Any, agents: Sequence[str], value: Mapping[str, Any], wanted: Mapping[str, Any]
) -> str | None:
    """What others had written to one field; ``None`` if there is nothing to tell."""
    name, who = field.name, _and([shortened(agent) for agent in agents])
    if field.kind.is_leaf:
        if name not in value or name not in wanted:
            return None
        stands = value[name]
        if len(agents) == 1 and field.kind.alike(field, stands, theirs) and stands == wanted[name]:
            return f"{who} wrote the same."
        return f"{who} wrote {shortened(theirs)}; {shortened(stands)} stands, as the model declares."
    if field.kind.holds == "amount":
        return f"{shortened(theirs)} by {who}; it is {shortened(value.get(name))} now."
    if field.kind.holds == "text":
        return f"{who} wrote {shortened(theirs)}."
    return f"{shortened(theirs)} by {who}."


def settled(escalation: Escalation | None, what: str) -> str:
    """Tells what became of an escalation that is no longer open."""
    if escalation is None:
        return "It is not open any more."
    how = {
        "resolved": f"{shortened(escalation.by)} decided for {_said(escalation.decision)}",
        "dismissed": f"{shortened(escalation.by)} dismissed it, the last agreed value stays",
        "superseded": "somebody who knew all sides wrote another value",
        "agreed": "all who disagreed have agreed",
    }.get(escalation.state, escalation.state)
    return f"It is settled already: {_subject(escalation, what)}: {how}."


def call_faults(error: ValidationError, known: Sequence[str]) -> list[Fault]:
    """Tells what is wrong with the arguments of a call."""
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
            faults.append(Fault(path, f"{problem}; you gave {shortened(item['input'])}", "", item["input"]))
    return faults


def refused(faults: Iterable[Fault]) -> str:
    """Returns a call was refused: why, and how to mend it."""
    return "\n".join(["Nothing was written. Mend the call and try again:", *(f"- {_fault(fault)}" for fault in faults)])


def _fault(fault: Fault) -> str:
    text = f"{dotted(fault.path, 'the whole')}: {fault.problem}."
    return on_one_line(f"{text} {fault.mend}" if fault.mend else text)


def _uncontested(part: Any, escalations: Sequence[Escalation]) -> Any:
    """A contribution without what is in conflict: that is told by itself."""
    if any(part == contender.value for e in escalations for contender in e.contenders):
        return ABSENT
    keys = {e.path[1] for e in escalations if len(e.path) > 1}
    if not keys or not isinstance(part, dict):
        return part
    return {key: value for key, value in part.items() if key not in keys} or ABSENT


def _subject(escalation: Escalation, what: str) -> str:
    place = dotted(escalation.path, f"the whole {what}")
    types = "values of different types" if is_inside(escalation.place) else "a value of the wrong type"
    return {
        "scalar": f"{place}: different values",
        "text": f"{place}: different rewrites of the words {shortened(escalation.base)}",
        "delete": f"{place}: deleted by one, changed by another",
        "type": f"{place}: {types}",
        "invalid": f"{place}: together these would break a rule of the model",
        "schema": f"{place}: stored as another kind than the model has now",
    }[escalation.reason]


def _said(value: Any) -> str:
    return "deleted" if value is DELETED else shortened(value)


def _meanwhile(escalation: Escalation) -> str:
    if escalation.reason == "delete":
        return "Until it is settled it is read as changed."
    if not escalation.has_base:
        return "There is no value that all agreed on; until it is settled it is read as empty."
    return f"Until it is settled it is read as {shortened(escalation.base)}."


def _people(contender: Contender, is_mine: IsMine) -> str:
    mine = [is_mine(agent, contender.origin if agent == contender.agent else "") for agent in contender.agents]
    return _and(
        [f"{shortened(a)} (you)" if own else shortened(a) for a, own in zip(contender.agents, mine, strict=True)]
    )


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
