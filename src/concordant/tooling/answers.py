"""What each tool does, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from concordant.errors import Fault, InvalidWriteError, StaleDecisionError
from concordant.merge.kinds import Field
from concordant.storage.cut import Cut
from concordant.tooling import wording
from concordant.tooling.elements import SetPart
from concordant.tooling.forms import ArgumentForm
from concordant.tooling.handles import find
from concordant.tooling.parts import Remarks, shown
from concordant.tooling.quoting import is_short, quoted
from concordant.tooling.wording import ToolNames
from concordant.workspace import Document, Escalation, Workspace
from concordant.workspace.amending import Amended, Changes

__all__ = ["AgentCall", "Answer", "Subject", "list_conflicts", "read", "resolve", "update"]


class Answer(NamedTuple):
    """What a tool answers.

    Attributes:
        text: for the model that called it.
        failed: nothing was done, and the text tells how to mend the call.
    """

    text: str
    failed: bool = False


@dataclass(frozen=True)
class Subject:
    """What the tools are about.

    Attributes:
        what: what a document is called in texts.
        key: the key of the one document, ``None`` if there may be many.
        root: the compiled model.
        form: the arguments of an update.
    """

    what: str
    key: str | None
    names: ToolNames
    root: Field
    form: ArgumentForm

    def title(self, key: str) -> str:
        """Returns a document in a sentence."""
        return f"{self.what} {quoted(key)}"


class AgentCall(NamedTuple):
    """One call: where it works, and on which document."""

    workspace: Workspace
    namespace: tuple[str, ...]
    key: str | None

    def is_mine(self, agent: str, origin: str) -> bool:
        """Tells whether the agent that calls wrote it."""
        return self.workspace.amending.is_mine(agent, origin)

    def shows(self, key: str, at: Cut, fields: Iterable[str]) -> None:
        """Notes that the answer shows all there is in fields of a document, up to a commit."""
        shown = frozenset(fields)
        if shown:
            self.workspace.amending.note_shown(self.namespace, key, at, shown)

    def escalations(self, state: str) -> list[Escalation]:
        """Returns those of the document, or of all documents."""
        found = self.workspace.escalations(self.namespace, state=state)
        return [e for e in found if e.namespace == self.namespace and self.key in (None, e.key)]


def read(subject: Subject, call: AgentCall, given: Any) -> Answer:
    """Shows a document, or the keys of all."""
    workspace, namespace, key = call.workspace, call.namespace, call.key
    if key is None:
        keys = [document.key for document in workspace.list(namespace) if document.namespace == namespace]
        if not keys:
            return Answer(f"There is no {subject.what} yet; {subject.names.update} makes one.")
        return Answer(f"The keys of all: {quoted(keys)}. Read one with its key.")
    document = workspace.amending.show(namespace, key)
    if document is None:
        return Answer(f"There is no {subject.title(key)} yet; {subject.names.update} makes it.")
    lines = [f"{subject.title(key)}:", *wording.value_lines(document, subject.root)]
    lines += _in_conflict(subject, call, document.contested.values())
    return Answer("\n".join(lines))


def update(subject: Subject, call: AgentCall, given: Any) -> Answer:
    """Changes a document, and tells what came of it."""
    workspace, namespace, key = call.workspace, call.namespace, call.key
    assert key is not None
    form, remarks = subject.form, Remarks()
    contribution = form.contribution(given)

    def plan(seen: Mapping[str, Any]) -> Changes:
        before, after = form.difference(given, seen, (), remarks) or ({}, {})
        if remarks.faults:
            raise InvalidWriteError(namespace, key, remarks.faults)
        return Changes(contribution, before, after)

    amended = workspace.amending.amend(namespace, key, plan)
    if not amended.fields:
        notes = remarks.notes or ["give at least one change"]
        return Answer("\n".join(["Nothing was written:", *(f"- {note}." for note in notes)]), failed=True)
    document = amended.document
    lines = [f"Written to {subject.title(key)}."]
    lines += [f"- {note}." for note in [*remarks.notes, *_standing(form, given, amended, document)]]
    beside = wording.merged(amended.company, subject.root.fields, document, contribution)
    if beside:
        lines += ["Merged with what others wrote meanwhile, which you had not seen:", *beside]
    contested = document.contested.values() if document is not None else ()
    touched = [e for e in contested if not e.path or e.path[0] in amended.fields]
    lines += _in_conflict(subject, call, touched)
    call.shows(key, amended.at, _shown_whole(amended, touched))
    return Answer("\n".join(lines))


def _shown_whole(amended: Amended, contested: Iterable[Escalation]) -> Iterable[str]:
    """The fields of an update of which the answer shows all that its writer had not seen."""
    cut = {e.path[0] for e in contested if e.path and not wording.is_whole(e)}
    cut |= {name for name, company in amended.company.items() if not is_short(company.value)}
    return (name for name in amended.fields if name not in cut)


def list_conflicts(subject: Subject, call: AgentCall, given: Any) -> Answer:
    """Lists what is in conflict."""
    at = call.workspace.moment().n
    escalations = call.escalations("open")
    for escalation in escalations:
        if wording.is_whole(escalation) and _is_scalar(subject, escalation.path):
            call.shows(escalation.key, at, escalation.path)
    lines = _in_conflict(subject, call, escalations, with_key=subject.key is None)
    return Answer("\n".join(lines) or "Nothing is in conflict.")


def resolve(subject: Subject, call: AgentCall, given: Any) -> Answer:
    """Settles a conflict, if its sides are those that were shown with its id."""
    escalation, exact = find(given.id, call.escalations("open"))
    if escalation is None:
        closed, _ = find(given.id, call.escalations("all"))
        if closed is not None:
            return Answer(wording.settled(closed, subject.what), failed=True)
        mend = f"{subject.names.conflicts} gives the ids of all that are"
        return Answer(wording.refused([Fault(("id",), "nothing with this id is in conflict", mend)]), failed=True)
    if not exact:
        return _stale(subject, call, escalation)
    faults = _choice_faults(given, escalation)
    if faults:
        return Answer(wording.refused(faults), failed=True)
    try:
        _decide(call, given, escalation)
    except StaleDecisionError as error:
        return _stale(subject, call, error.current)
    at = call.workspace.moment().n
    document = call.workspace.get(escalation.namespace, escalation.key)
    value: dict[str, Any] = document.value if document is not None else {}
    name = escalation.path[0] if escalation.path else None
    if document is None or name is None or name not in value:
        return Answer("Settled.")
    if name not in {path[0] for path in document.contested if path}:
        call.shows(escalation.key, at, [name])
    return Answer(f"Settled. {name} is {quoted(value[name])} now.")


def _is_scalar(subject: Subject, path: tuple[str, ...]) -> bool:
    return len(path) == 1 and subject.root.fields[path[0]].kind.is_leaf


def _in_conflict(
    subject: Subject, call: AgentCall, escalations: Iterable[Escalation], *, with_key: bool = False
) -> list[str]:
    lines = wording.conflicts(escalations, subject.names, subject.what, call.is_mine, with_key=with_key)
    return ["In conflict:", *lines] if lines else []


def _standing(form: ArgumentForm, given: Any, amended: Amended, document: Document | None) -> list[str]:
    """What was to be removed from sets and stands all the same."""
    value = document.value if document is not None else {}
    sets = [part for part in form.parts if isinstance(part, SetPart) and part.name in amended.fields]
    return [
        f"{part.name}: {shown(element)} is still there, somebody else added it meanwhile"
        for part in sets
        for element in part.standing(given, value.get(part.name))
    ]


def _decide(call: AgentCall, given: Any, escalation: Escalation) -> None:
    workspace, by = call.workspace, call.workspace.amending.agent()
    if given.dismiss:
        workspace.dismiss(escalation, by=by)
    elif given.keep is not None:
        workspace.resolve(escalation, escalation.contenders[given.keep - 1].value, by=by)
    else:
        try:
            workspace.resolve(escalation, given.value, by=by)
        except InvalidWriteError:
            value = _from_json(given.value)
            if value is given.value:
                raise
            workspace.resolve(escalation, value, by=by)


def _stale(subject: Subject, call: AgentCall, current: Escalation | None) -> Answer:
    """The answer to a decision on other sides than there are now."""
    if current is None or current.state not in ("open", "claimed"):
        return Answer(wording.settled(current, subject.what), failed=True)
    lines = wording.conflicts([current], subject.names, subject.what, call.is_mine, with_key=subject.key is None)
    first = "Not settled: its sides have changed since you read them. Look at them and decide again:"
    return Answer("\n".join([first, *lines]), failed=True)


def _choice_faults(given: Any, escalation: Escalation) -> list[Fault]:
    chosen = [name for name in ("keep", "value") if getattr(given, name) is not None] + ["dismiss"] * bool(
        given.dismiss
    )
    if len(chosen) != 1:
        problem = f"you gave {' and '.join(chosen)}" if chosen else "you gave no decision"
        return [Fault(("keep",), problem, "Give one of keep, value and dismiss")]
    sides = len(escalation.contenders)
    if given.keep is not None and not 1 <= given.keep <= sides:
        return [Fault(("keep",), f"there is no number {given.keep}", f"Give a number from 1 to {sides}")]
    return []


def _from_json(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
