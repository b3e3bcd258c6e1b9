"""The pages: inbox, question, document, decisions, numbers; and what their forms do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response

from concordant.desk import looks, numbers
from concordant.desk.choosing import AGES, Filter, Plan, apply, planned
from concordant.desk.differences import words
from concordant.desk.editing import editing
from concordant.desk.forms import Control, Form, form_of
from concordant.desk.undoing import undo, undo_preview
from concordant.desk.visit import Visit, status_of
from concordant.desk.wording import parsed, place, placed, prefix, reason_given
from concordant.errors import (
    ConcordantError,
    InvalidWriteError,
    NotAllowedError,
    StaleDecisionError,
    UnknownEscalationError,
)
from concordant.escalation import DELETED, Escalation
from concordant.values import ABSENT
from concordant.workspace import Document, Workspace
from concordant.workspace.permission import check_decider

__all__ = ["PAGES"]

OPEN = ("open", "claimed")
PAGE = 50
COLOURS = 8
IN_A_ROW = 400
"""How many characters of a side the inbox shows."""
FIELDS = 150
"""How many fields of a document a page shows at first."""
EDITABLE = 200_000
"""How many characters of a value can be edited in a browser."""
WHY = {
    "scalar": "Each wrote another value, and had not seen the others'.",
    "text": "Each changed the same sentence in another way, and had not seen the others'.",
    "delete": "One deleted what another changed.",
    "type": "A value waits that is not of the field's type.",
    "schema": "What is stored was written under another model.",
    "invalid": "All together would break a rule of the model.",
}
REASONS = tuple(WHY)
MISFITS = ("type", "schema", "invalid")


# -- inbox -----------------------------------------------------------------------------------------------------------


def inbox(visit: Visit) -> Response:
    """Tells what waits for a decision; the part of the page that is fetched anew when something happens, if asked
    for."""
    live = visit.live()
    narrowed = _filter(visit.get)
    found = narrowed.listed(visit.workspace)
    start = min(visit.number("from", 0) or 0, max(len(found) - 1, 0) // PAGE * PAGE)
    shown = [(question, looks.sides(question, IN_A_ROW)[1]) for question in found[start : start + PAGE]]
    agents = sorted({agent for question in found for one in question.contenders for agent in one.agents})
    claimers = sorted({question.by for question in found if question.state == "claimed" and question.by})
    asked = {name: visit.get(name) for name in ("namespace", "reason", "agent", "age", "claimed")}
    template = "_list.html" if visit.get("part") == "list" else "inbox.html"
    return visit.page(
        template,
        here="inbox",
        live=live,
        rows=shown,
        total=len(found),
        start=start,
        following=start + PAGE if start + PAGE < len(found) else None,
        previous=max(start - PAGE, 0) if start else None,
        filter=asked,
        is_narrowed=any(asked.values()),
        agents=agents,
        claimers=claimers,
        ages=AGES,
        reasons=REASONS,
        done=_done(visit),
    )


def _filter(get: Callable[[str], str]) -> Filter:
    return Filter(prefix(get("namespace")), get("reason"), get("agent"), get("age"), get("claimed"))


def _done(visit: Visit) -> Escalation | None:
    """The question that was just settled, so that it can be taken back."""
    id_ = visit.get("done")
    found = visit.workspace.escalation(id_) if id_ else None
    return found if found is not None and found.state not in OPEN else None


def bulk(visit: Visit) -> Response:
    """Shows what many questions would become; decides, once that was confirmed."""
    choice, agent = visit.post("choice"), visit.post("of")
    if choice not in ("agent", "latest", "base", "dismiss"):
        raise HTTPException(400, "Say what is to be decided.")
    if visit.post("confirmed"):
        return _applied(visit, choice, agent)
    if visit.post("all"):
        chosen = _filter(visit.post).listed(visit.workspace)
    else:
        open_ = {question.id: question for question in visit.workspace.escalations()}
        picked = [name.partition("@")[0] for name in visit.all("pick")]
        chosen = [open_[id_] for id_ in dict.fromkeys(picked) if id_ in open_]
    plans = planned(chosen, choice, agent)
    rows = [(plan, looks.title(plan.question), looks.text(plan.value, 300)) for plan in plans]
    return visit.page("bulk.html", here="inbox", rows=rows, choice=choice, agent=agent)


def _applied(visit: Visit, choice: str, agent: str) -> Response:
    """Decides the questions as they were shown: those with other sides by now are refused."""
    open_ = {question.id: question for question in visit.workspace.escalations()}
    plans, late = [], []
    for name in visit.all("pick"):
        id_, _, version = name.partition("@")
        question = open_.get(id_)
        if question is None or question.version != version:
            shown = question or visit.workspace.escalation(id_)
            if shown is not None:
                late.append(Plan(shown, why_not="it has other sides, or is settled, since you saw it"))
            continue
        plans += planned([question], choice, agent)
    outcome = apply(visit.workspace, [*plans, *late], visit.user, reason_given(visit.post("why")))
    refused = [(plan, looks.title(plan.question), why) for plan, why in outcome.refused]
    return visit.page("bulk_done.html", here="inbox", done=len(outcome.done), refused=refused)


# -- question --------------------------------------------------------------------------------------------------------


def question(visit: Visit) -> Response:
    """Returns one question: base and sides, its place, and what can be decided."""
    visit.live()
    found = _question(visit)
    return _question_page(visit, found, part=visit.get("part"))


def _question(visit: Visit) -> Escalation:
    id_ = visit.request.path_params["id"]
    found = visit.workspace.escalation(id_)
    if found is None:
        found = next((one for one in visit.workspace.escalations() if one.id == id_), None)
    if found is None:
        raise UnknownEscalationError(id_)
    return found


def _form(workspace: Workspace, found: Escalation) -> tuple[Form, Control] | None:
    """The form for another value; ``None`` where it would be too long for a browser."""
    form = form_of(workspace.registry.find(found.namespace).model, found.path, plain=found.reason == "text")
    value = found.base if found.has_base else ABSENT
    if value is ABSENT or value is None:
        value = next((one.value for one in found.contenders if one.value is not DELETED), ABSENT)
    shown = looks.text(value, EDITABLE)
    return None if shown.more else (form, form.control(value))


def _question_page(
    visit: Visit,
    found: Escalation,
    status: int = 200,
    *,
    notice: str = "",
    typed: Control | None = None,
    part: str = "",
) -> Response:
    base, sides = looks.sides(found)
    _mark_misfits(visit.workspace, found, sides)
    document = visit.workspace.get(found.namespace, found.key)
    refused = _refused(visit, found)
    made = None if found.state not in OPEN or refused else _form(visit.workspace, found)
    newest = max((one.at for one in found.contenders), default=found.opened_at)
    return visit.page(
        "_sides.html" if part == "sides" else "question.html",
        status,
        here="inbox",
        live=visit.live(),
        question=found,
        why=WHY[found.reason],
        said=visit.post("why"),
        base=base,
        sides=sides,
        is_open=found.state in OPEN and not refused,
        refused=refused,
        suggestion=looks.text(found.suggestion) if found.suggestion is not None else None,
        suggested=_suggested(found),
        decision=looks.text(found.decision) if found.state == "resolved" else None,
        spot=looks.in_place(found, document),
        control=typed if typed is not None else made[1] if made is not None else None,
        typed=typed is not None,
        is_text=_is_text(found),
        notice=notice,
        newest=newest.isoformat(),
        since=_time(visit.post("newest")),
    )


def _refused(visit: Visit, found: Escalation) -> str:
    """Why somebody may not decide here; empty if she may."""
    try:
        check_decider(visit.workspace.registry.find(found.namespace), found.namespace, found.key, visit.user)
    except NotAllowedError as error:
        return str(error)
    return ""


def _mark_misfits(workspace: Workspace, found: Escalation, sides: Sequence[looks.SideLook]) -> None:
    """Notes which sides cannot be taken, as the model has no place for them."""
    if found.reason in MISFITS:
        schema = workspace.registry.find(found.namespace)
        for side, one in zip(sides, found.contenders, strict=True):
            side.misfit = not side.deletes and schema.fit(found.path, one.value) is ABSENT


def _suggested(found: Escalation) -> Sequence[Any]:
    if found.suggestion is None or not isinstance(found.base, str):
        return ()
    return looks.seen(words(found.base, found.suggestion))


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def decide(visit: Visit) -> Response:
    """Does what a button of a question's page says, for the version of it that the page showed."""
    visit.live()
    found, action = _question(visit), visit.post("action")
    if action == "reopen":
        return visit.redirect(f"question/{visit.workspace.reopen(found, by=visit.user).id}")
    typed, value = _typed(visit, found)
    try:
        if found.state not in OPEN or found.version != visit.post("version"):
            raise StaleDecisionError(found, found)
        return _decided(visit, found, action, typed, value)
    except NotAllowedError as error:
        return _question_page(visit, found, 403, notice=f"{error} Nothing was decided.", typed=typed)
    except InvalidWriteError as error:
        faults = [f"{fault.problem}. {fault.mend}." for fault in error.faults]
        if action != "edit" or typed is None:
            return _question_page(visit, found, 422, notice=" ".join(["It does not fit:", *faults]), typed=typed)
        typed.errors += faults
        return _question_page(visit, found, 422, notice="What you typed does not fit.", typed=typed)
    except StaleDecisionError as error:
        current = visit.workspace.escalation(found.id) or found
        if _is_done(visit, current, action, value):
            return visit.redirect("", done=current.id)
        return _question_page(visit, current, 409, notice=_why_not(visit, current, error), typed=typed)


def _is_done(visit: Visit, current: Escalation, action: str, value: Any) -> bool:
    """Whether somebody has already decided what they ask for: a click came twice, or its answer was lost on the way."""
    if current.by != visit.user or current.version != visit.post("version"):
        return False
    if current.state == "dismissed":
        return action in ("dismiss", "base")
    if current.state != "resolved" or action in ("dismiss", "base", "claim", "file"):
        return False
    return looks.is_same(current.decision, value if action == "edit" else _side(current, action))


def _typed(visit: Visit, found: Escalation) -> tuple[Control | None, Any]:
    """The form as it was sent, and the value in it (``ABSENT``: none, or one that does not fit)."""
    made = _form(visit.workspace, found)
    if made is None or not any(name.startswith("v") for name, _ in visit.sent if name != "version"):
        return None, ABSENT
    return made[1], made[0].read(made[1], dict(visit.sent))


def _why_not(visit: Visit, current: Escalation, error: StaleDecisionError) -> str:
    """What is told to somebody whose decision came too late."""
    if current.state == "claimed" and current.version == visit.post("version"):
        return f"{current.by} has claimed it meanwhile."
    why = "Another side came while you looked." if current.state in OPEN else str(error)
    return f"{why} Nothing was decided, and nothing that you typed is lost."


def _decided(visit: Visit, found: Escalation, action: str, typed: Control | None, value: Any) -> Response:
    workspace, by = visit.workspace, visit.user
    if action == "claim":
        workspace.claim(found, by=by)
        return visit.redirect(f"question/{found.id}")
    why = reason_given(visit.post("why"))
    if action in ("base", "dismiss"):
        workspace.dismiss(found, by=by, why=why)
    elif action == "file":
        workspace.resolve(found, _sent(found, visit.post("file")), by=by, why=why)
    elif action == "edit":
        if value is ABSENT or typed is None:
            return _question_page(visit, found, 422, notice="What you typed does not fit.", typed=typed)
        workspace.resolve(found, value, by=by, why=why)
    else:
        workspace.resolve(found, _side(found, action), by=by, why=why)
    return visit.redirect("", done=found.id)


def _is_text(found: Escalation) -> bool:
    """Whether all that was said is text."""
    said = [
        *(one.value for one in found.contenders if one.value is not DELETED),
        *([found.base] if found.has_base else []),
    ]
    return all(isinstance(value, str) for value in said)


def _sent(found: Escalation, text: str) -> Any:
    """The value in a file: a text as it is, anything else as JSON."""
    if not text:
        raise HTTPException(422, "Choose a file first. Nothing was decided.")
    if _is_text(found):
        return text
    try:
        return parsed(text)
    except ValueError as error:
        raise HTTPException(422, f"The file is not JSON: {error}. Nothing was decided.") from error


def _side(found: Escalation, action: str) -> Any:
    """The value that a button takes."""
    if action == "suggestion" and found.suggestion is not None:
        return found.suggestion
    sort, _, number = action.partition("-")
    if sort == "take" and number.isascii() and number.isdecimal() and 1 <= int(number) <= len(found.contenders):
        return found.contenders[int(number) - 1].value
    raise HTTPException(400, "There is no such button.")


def raw(visit: Visit) -> Response:
    """Returns a whole value as plain text, where a page shows a part."""
    found = _question(visit)
    number = visit.number("side", 0) or 0
    values = [found.base if found.has_base else ABSENT, *(one.value for one in found.contenders)]
    if number >= len(values):
        raise HTTPException(404, "There is no such side.")
    return _plain(values[number])


def _plain(value: Any) -> Response:
    shown = looks.text(value, 2**31)
    text = value if isinstance(value, str) else shown.shown
    return PlainTextResponse(text, headers={"Content-Disposition": 'attachment; filename="value.txt"'})


# -- documents -------------------------------------------------------------------------------------------------------


def document(visit: Visit) -> Response:
    """Returns a document: who wrote each part, its versions, and what differs between two."""
    namespace, key = placed(visit.get("doc"))
    workspace = visit.workspace
    entries = workspace.history(namespace, key)
    present = workspace.get(namespace, key)
    if present is None and not entries:
        raise HTTPException(404, "There is no such document.")
    newest = max(entries[0].version if entries else 0, present.version if present is not None else 0)

    def at(version: int | None) -> Document | None:
        return present if version is None or version >= newest else workspace.get(namespace, key, at=version)

    asked, one, two = visit.number("at"), visit.number("one"), visit.number("two")
    shown = at(asked)
    is_past = shown is not present
    fields, agents = ([], {}) if is_past else _fields(workspace, present)
    foremost = fields if visit.get("all") else _foremost(fields)
    return visit.page(
        "document.html",
        here="documents",
        title=place(namespace, key),
        is_declared=workspace.registry.find(namespace).declared,
        document=shown,
        is_past=is_past,
        at=newest if asked is None else asked,
        newest=newest,
        versions=[entry.version for entry in reversed(entries)],
        entries=entries[:200],
        more=max(len(entries) - 200, 0),
        fields=None if shown is None or is_past else foremost,
        hidden=len(fields) - len(foremost),
        past=[(looks.visible(name), looks.text(value)) for name, value in _value(shown).items()],
        agents=agents,
        differences=None if one is None else looks.differences(_value(at(one)), _value(at(two))),
        one=one,
        two=two,
    )


def _fields(workspace: Workspace, present: Document | None) -> tuple[Sequence[looks.FieldLook], dict[str, int]]:
    """The fields of a document, and the colours of those who wrote them."""
    if present is None:
        return [], {}
    credits = workspace.blame(present.namespace, present.key)
    agents = _colours([credit.agent for parts in credits.values() for credit in parts])
    return looks.fields(present, credits, agents), agents


def _foremost(rows: Sequence[looks.FieldLook]) -> Sequence[looks.FieldLook]:
    """The first fields of a document, and all that are asked about."""
    return [row for number, row in enumerate(rows) if number < FIELDS or row.question is not None]


def _value(found: Document | None) -> dict[str, Any]:
    return {} if found is None else found.value


def _colours(agents: Sequence[str]) -> dict[str, int]:
    """A colour for each agent, the most frequent first."""
    return {agent: number % COLOURS for number, (agent, _) in enumerate(Counter(agents).most_common())}


def restore(visit: Visit) -> Response:
    """Gives a document back what it was at a version."""
    namespace, key = placed(visit.post("doc"))
    version = visit.post("restore")
    if not (version.isascii() and version.isdecimal()):
        raise HTTPException(400, "Say which version.")
    visit.workspace.restore(namespace, key, int(version), by=visit.user)
    return visit.redirect("document", doc=place(namespace, key))


def documents(visit: Visit) -> Response:
    """Returns the documents under a namespace."""
    below = prefix(visit.get("namespace"))
    start = visit.number("from", 0) or 0
    found: list[Document] = []
    following = None
    for number, one in enumerate(visit.workspace.list(below)):
        if number >= start + PAGE:
            following = start + PAGE
            break
        if number >= start:
            found.append(one)
    rows = [(one, place(one.namespace, one.key)) for one in found]
    return visit.page(
        "documents.html",
        here="documents",
        rows=rows,
        namespace=visit.get("namespace"),
        start=start,
        following=following,
    )


def who(visit: Visit) -> Response:
    """Tells what an agent, or everybody, did."""
    name = visit.get("name")
    before = visit.number("before")
    entries = visit.workspace.log(agent=name or None, before=before, limit=PAGE)
    rows = [(entry, place(entry.namespace, entry.key)) for entry in entries]
    return visit.page(
        "who.html",
        here="documents",
        name=name,
        rows=rows,
        following=entries[-1].version if len(entries) == PAGE else None,
    )


# -- decisions and numbers -------------------------------------------------------------------------------------------


def decisions(visit: Visit) -> Response:
    """Tells what was settled, by whom or what, newest first."""
    before = visit.number("before")
    closed = [one for one in visit.workspace.escalations(state="all") if one.state not in OPEN]
    rows: list[tuple[datetime, Any]] = [(one.closed_at or one.opened_at, one) for one in closed]
    found: list[tuple[datetime, Any]] = []
    cursor, looked = None, 0
    while looked < 5_000:
        entries = visit.workspace.log(before=cursor, limit=1_000)
        found += [(entry.at, (entry, path, policy)) for entry in entries for path, policy in entry.settled]
        looked += len(entries)
        if len(entries) < 1_000:
            break
        cursor = entries[-1].version
    rows += found
    rows.sort(key=lambda row: row[0], reverse=True)
    start = before or 0
    shown = [_decision_row(visit, at, one) for at, one in rows[start : start + PAGE]]
    following = start + PAGE if len(rows) > start + PAGE else None
    return visit.page("decisions.html", here="decisions", rows=shown, total=len(rows), following=following)


def _decision_row(visit: Visit, at: datetime, one: Any) -> dict[str, Any]:
    if isinstance(one, Escalation):
        by = {"superseded": "a later write", "agreed": "agreement"}.get(one.state, "")
        return {
            "at": at,
            "doc": place(one.namespace, one.key),
            "path": one.path,
            "how": one.state,
            "by": one.by if not by else "",
            "what": by,
            "value": looks.text(one.decision, 200) if one.state == "resolved" else None,
            "sides": [(side.agents, looks.text(side.value, 120)) for side in one.contenders[:6]],
            "question": one,
            "remarks": one.remarks,
        }
    entry, path, policy = one
    document = visit.workspace.get(entry.namespace, entry.key)
    value: Any = _value(document)
    for part in path:
        value = value.get(part, ABSENT) if isinstance(value, dict) else ABSENT
    credits = visit.workspace.blame(entry.namespace, entry.key).get(path, ()) if document is not None else ()
    sides = [(one.agents, looks.text(one.value, 120)) for one in credits]
    return {
        "at": at,
        "doc": place(entry.namespace, entry.key),
        "path": path,
        "how": "by policy",
        "by": "",
        "what": f"policy {policy}",
        "value": looks.text(value, 200),
        "sides": sides or [((entry.agent,), looks.text(_given(entry.value, path), 120))],
        "question": None,
        "remarks": (),
        "path_json": json.dumps(path),
    }


def override(visit: Visit) -> Response:
    """Asks what a policy has settled."""
    namespace, key = placed(visit.post("doc"))
    try:
        path = tuple(map(str, parsed(visit.post("path"))))
    except (ValueError, TypeError) as error:
        raise HTTPException(400, "Say what is to be asked.") from error
    return visit.redirect(f"question/{visit.workspace.ask(namespace, key, path, by=visit.user).id}")


def _given(value: Any, path: Sequence[str]) -> Any:
    for part in path:
        value = value.get(part, ABSENT) if isinstance(value, dict) else ABSENT
    return value


def subscriptions(visit: Visit) -> Response:
    """Tells who hears of questions under a name, and how far each is behind; one of them to be forgotten is asked
    about."""
    lags = visit.workspace.subscriptions()
    asked = next((lag for lag in lags if lag.name == visit.get("forget")), None)
    return visit.page("subscriptions.html", here="subscriptions", lags=lags, asked=asked)


def forget(visit: Visit) -> Response:
    """Forgets a subscription."""
    visit.workspace.unsubscribe(visit.post("name"))
    return visit.redirect("subscriptions")


def figures(visit: Visit) -> Response:
    """Plots of what became of writes and questions, of all fields or of one."""
    of = visit.get("of")
    tables = numbers.tables(visit.workspace, placed(of) if of else None)
    stats = visit.workspace.stats()
    fields = [place(namespace, name) for (namespace, name), shares in stats.fields.items() if shares.met]
    return visit.page("numbers.html", here="numbers", tables=[*tables.values()], stats=stats, fields=fields, of=of)


def figures_csv(visit: Visit) -> Response:
    """Returns one of the tables as CSV."""
    name, of = visit.request.path_params["name"], visit.get("of")
    if name not in numbers.TABLES:
        raise HTTPException(404, "There are no such numbers.")
    table = numbers.tables(visit.workspace, placed(of) if of else None)[name]
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(table.csv(), media_type="text/csv; charset=utf-8", headers=headers)


PAGES: Sequence[tuple[str, str, Callable[[Visit], Response]]] = (
    ("GET", "/", inbox),
    ("POST", "/bulk", bulk),
    ("GET", "/question/{id}", question),
    ("POST", "/question/{id}", decide),
    ("GET", "/question/{id}/raw", raw),
    ("GET", "/document", document),
    ("POST", "/document", restore),
    ("GET", "/documents", documents),
    ("GET", "/editor", editing),
    ("GET", "/who", who),
    ("GET", "/undo", undo_preview),
    ("POST", "/undo", undo),
    ("GET", "/decisions", decisions),
    ("POST", "/override", override),
    ("GET", "/subscriptions", subscriptions),
    ("POST", "/subscriptions", forget),
    ("GET", "/numbers", figures),
    ("GET", "/numbers/{name}.csv", figures_csv),
)
"""Method, address and function of each page."""


def failed(visit: Visit, error: Exception) -> Response:
    """Returns the page that tells what went wrong."""
    if isinstance(error, HTTPException):
        return visit.page("error.html", error.status_code, here="", message=error.detail)
    status = status_of(error) if isinstance(error, ConcordantError) else 500
    message = str(error) if isinstance(error, ConcordantError) else "Something went wrong; the log tells what."
    return visit.page("error.html", status, here="", message=message)
