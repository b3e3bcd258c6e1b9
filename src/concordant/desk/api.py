"""The JSON API: all that the desk does, for another front end or another language."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema
from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from concordant.desk import api_models as models, numbers
from concordant.desk.choosing import Filter, Plan, apply, planned
from concordant.desk.differences import changes as differences_of
from concordant.desk.feed import Feed
from concordant.desk.guard import SAFE
from concordant.desk.undoing import since_of
from concordant.desk.visit import body_of, status_of
from concordant.desk.wording import place, placed, prefix
from concordant.errors import (
    ConcordantError,
    InvalidWriteError,
    StaleDecisionError,
    StaleWriteError,
    UnknownEscalationError,
)
from concordant.escalation import DELETED, Escalation
from concordant.storage import Told
from concordant.values import ABSENT, portable
from concordant.workspace import Document, HistoryEntry, Workspace

__all__ = ["is_api", "problem", "routes"]

OPEN = ("open", "claimed")
PAGE = 100
MOST = 1_000
DOC = {"doc": "NAMESPACE:KEY, such as briefs/2026:launch; /, : and % in names as in a URL."}


@dataclass
class Call:
    """One call: who makes it, with what."""

    request: Request
    workspace: Workspace
    user: str
    body: Any = None

    def get(self, name: str) -> str:
        """Returns a parameter of the address."""
        return self.request.query_params.get(name, "")

    def number(self, name: str) -> int | None:
        """Returns a whole number of the address.

        Raises:
            HTTPException: it is none.
        """
        given = self.get(name)
        if not given:
            return None
        if not (given.isascii() and given.isdecimal() and len(given) < 16):
            raise HTTPException(400, f"{name} is a whole number.")
        return int(given)

    @property
    def document(self) -> tuple[tuple[str, ...], str]:
        """The place that the address names."""
        return placed(self.get("doc"))

    @property
    def question(self) -> Escalation:
        """The question that the address names."""
        id_ = self.request.path_params["id"]
        found = self.workspace.escalation(id_) or next((e for e in self.workspace.escalations() if e.id == id_), None)
        if found is None:
            raise UnknownEscalationError(id_)
        return found

    def pinned(self) -> Escalation:
        """Returns the question, as long as it is the version that ``If-Match`` says."""
        wanted = self.request.headers.get("if-match", "").removeprefix("W/").strip('"')
        if not wanted:
            raise HTTPException(428, "Say with If-Match which version was looked at: the ETag, or question.version.")
        found = self.question
        if found.state not in OPEN or found.version != wanted:
            raise StaleDecisionError(replace(found, version=wanted), found)
        return found


Answer = tuple[Any, str]
"""What is answered, and its version for the ETag (empty: none)."""


class Operation(NamedTuple):
    """One thing that can be asked for: how, and what comes back."""

    method: str
    path: str
    act: Callable[[Call], Answer]
    gives: type[BaseModel] | None
    takes: type[BaseModel] | None = None
    asks: Mapping[str, str] = {}
    pinned: bool = False


# -- questions -------------------------------------------------------------------------------------------------------


def questions(call: Call) -> Answer:
    """List questions: open ones the oldest first, closed ones the newest first."""
    state = call.get("state") or "open"
    narrowed = Filter(
        prefix(call.get("namespace")), call.get("reason"), call.get("agent"), call.get("age"), call.get("claimed")
    )
    if state == "open":
        found = narrowed.listed(call.workspace)
    else:
        found = [one for one in call.workspace.escalations(narrowed.namespace, state=state) if narrowed.means(one)]
        found.sort(key=lambda one: one.closed_at or one.opened_at, reverse=True)
    start, limit = call.number("from") or 0, min(call.number("limit") or PAGE, MOST)
    page = [one.to_dict() for one in found[start : start + limit]]
    following = start + limit if start + limit < len(found) else None
    return {"questions": page, "total": len(found), "next": following}, ""


def question(call: Call) -> Answer:
    """Get one question. Its version is the ETag."""
    found = call.question
    return found.to_dict(), found.version


def resolve(call: Call) -> Answer:
    """Decide a question, for the version that If-Match says."""
    found, decision = call.pinned(), call.body
    if len(decision.model_fields_set - {"why"}) != 1:
        raise HTTPException(422, "Give exactly one of value, take, suggestion and deleted.")
    receipt = call.workspace.resolve(found, _decided(found, decision), by=call.user, why=decision.why)
    return receipt.to_dict(), ""


def _decided(found: Escalation, decision: models.Decision) -> Any:
    if decision.deleted:
        return DELETED
    if decision.suggestion:
        if found.suggestion is None:
            raise HTTPException(422, "There is no suggestion: two sides change the same words, or this is no text.")
        return found.suggestion
    if decision.take is not None:
        if decision.take > len(found.contenders):
            raise HTTPException(422, f"It has {len(found.contenders)} sides.")
        return found.contenders[decision.take - 1].value
    return decision.value


def dismiss(call: Call) -> Answer:
    """Decide against all sides, for the version that If-Match says."""
    return call.workspace.dismiss(call.pinned(), by=call.user, why=call.body.why).to_dict(), ""


def claim(call: Call) -> Answer:
    """Tell others that somebody is at it, for the version that If-Match says."""
    found = call.workspace.claim(call.pinned(), by=call.user)
    return found.to_dict(), found.version


def reopen(call: Call) -> Answer:
    """Ask a settled question again, with all its sides."""
    found = call.workspace.reopen(call.question, by=call.user)
    return found.to_dict(), found.version


def bulk(call: Call) -> Answer:
    """Decide many questions, each for the version that was looked at; what is refused stops none of the others."""
    open_ = {one.id: one for one in call.workspace.escalations()}
    plans: list[Plan] = []
    late: list[dict[str, str]] = []
    for picked in call.body.questions:
        found = open_.get(picked.id)
        if found is None or found.version != picked.version:
            late.append({"id": picked.id, "why": "it has other sides, or is settled, since it was looked at"})
        else:
            plans += planned([found], call.body.choice, call.body.agent)
    outcome = apply(call.workspace, plans, call.user, call.body.why)
    refused = [{"id": plan.question.id, "why": why} for plan, why in outcome.refused]
    return {"decided": [plan.question.id for plan in outcome.done], "refused": [*refused, *late]}, ""


# -- documents -------------------------------------------------------------------------------------------------------


def documents(call: Call) -> Answer:
    """List the documents under a namespace."""
    start, limit = call.number("from") or 0, min(call.number("limit") or PAGE, MOST)
    found: list[Document] = []
    for number, one in enumerate(call.workspace.list(prefix(call.get("namespace")))):
        if number > start + limit:
            break
        if number >= start:
            found.append(one)
    page = [
        {
            "place": place(one.namespace, one.key),
            "namespace": list(one.namespace),
            "key": one.key,
            "version": one.version,
            "updated_at": one.updated_at.isoformat(),
            "open": len(one.contested),
        }
        for one in found[:limit]
    ]
    return {"documents": page, "next": start + limit if len(found) > limit else None}, ""


def _read(call: Call, at: int | None) -> Document:
    found = call.workspace.get(*call.document, at=at)
    if found is None:
        raise HTTPException(404, "There is no such document.")
    return found


def document(call: Call) -> Answer:
    """Get a document, or what it was at a version. The present version is the ETag."""
    found = _read(call, call.number("at"))
    return found.to_dict(), str(found.version)


def put(call: Call) -> Answer:
    """Write fields of a document. With If-Match it is refused unless the document is at that version (0: not there)."""
    namespace, key = call.document
    wanted = call.request.headers.get("if-match", "").strip('"')
    if call.body.token is not None:
        with call.workspace.acting_as(call.user, seen=call.body.token):
            return call.workspace.put(namespace, key, call.body.value).to_dict(), ""
    if wanted and not (wanted.isascii() and wanted.isdecimal()):
        raise HTTPException(400, "If-Match is the version of a document, a number.")
    version = int(wanted) if wanted else None
    return call.workspace.agent(call.user).write(namespace, key, call.body.value, if_version=version).to_dict(), ""


def history(call: Call) -> Answer:
    """List the changes of a document, the newest first."""
    return _changes(call.workspace.history(*call.document))


def blame(call: Call) -> Answer:
    """Tell who stands for each part of a document."""
    found = [
        {
            "path": list(path),
            "value": portable(one.value),
            "agent": one.agent,
            "agents": list(one.agents),
            "at": one.at.isoformat(),
        }
        for path, parts in call.workspace.blame(*call.document).items()
        for one in parts
    ]
    return {"credits": found}, ""


def diff(call: Call) -> Answer:
    """Tell what differs between two versions of a document; without `two`, between one and the present."""
    before, after = (call.workspace.get(*call.document, at=call.number(name)) for name in ("one", "two"))
    found = [
        {
            "path": list(change.path),
            "added": change.before is ABSENT,
            "removed": change.after is ABSENT,
            "before": None if change.before is ABSENT else portable(change.before),
            "after": None if change.after is ABSENT else portable(change.after),
        }
        for change in differences_of(before.value if before else {}, after.value if after else {})
    ]
    return {"differences": found}, ""


def restore(call: Call) -> Answer:
    """Give a document the value of an earlier version."""
    return call.workspace.restore(*call.document, call.body.version, by=call.user).to_dict(), ""


def ask(call: Call) -> Answer:
    """Ask people what a declared policy has settled in a document."""
    found = call.workspace.ask(*call.document, tuple(call.body.path), by=call.user)
    return found.to_dict(), found.version


def undo(call: Call) -> Answer:
    """Show what taking back an agent's contributions would do, or do it."""
    given = call.body
    since = since_of("" if given.since is None else str(given.since))
    found = call.workspace.undo(
        agent=given.agent, since=since, prefix=prefix(given.namespace), by=call.user, dry_run=given.dry_run
    )
    return found.to_dict(), ""


def changes(call: Call) -> Answer:
    """List the changes of all documents, the newest first."""
    limit = min(call.number("limit") or PAGE, MOST)
    agent, before = call.get("agent") or None, call.number("before")
    return _changes(call.workspace.log(prefix(call.get("namespace")), agent=agent, before=before, limit=limit))


def _changes(entries: Sequence[HistoryEntry]) -> Answer:
    return {"changes": [entry.to_dict() for entry in entries]}, ""


def stats(call: Call) -> Answer:
    """Count documents, writes and questions, and what became of values by namespace and field."""
    return call.workspace.stats().to_dict(), ""


def subscriptions(call: Call) -> Answer:
    """List who hears of questions under a name, and how far each is behind."""
    return {"subscriptions": [lag.to_dict() for lag in call.workspace.subscriptions()]}, ""


def forget(call: Call) -> Answer:
    """Forget a subscription, with what waits for it."""
    call.workspace.unsubscribe(call.body.name)
    return subscriptions(call)


def figures(call: Call) -> Answer:
    """Get the numbers behind the plots."""
    found = {name: table._asdict() for name, table in numbers.tables(call.workspace).items()}
    return found, ""


_NARROW = {
    "namespace": "Only below this namespace, its parts joined by /.",
    "reason": "Only those for this reason.",
    "agent": "Only those in which this agent has a side.",
    "age": "Only older ones: 1h, 1d or 7d.",
    "claimed": "nobody, somebody, or who claimed it.",
}
_PAGES = {"from": "Where the page begins (`next` of the one before).", "limit": "How many at most."}

OPERATIONS: Sequence[Operation] = (
    Operation(
        "GET",
        "/questions",
        questions,
        models.Questions,
        asks={**_NARROW, "state": "open (the default), claimed, a closed state, or all.", **_PAGES},
    ),
    Operation("POST", "/questions/bulk", bulk, models.BulkOutcome, models.Bulk),
    Operation("GET", "/questions/{id}", question, models.Question),
    Operation("POST", "/questions/{id}/resolve", resolve, models.Receipt, models.Decision, pinned=True),
    Operation("POST", "/questions/{id}/dismiss", dismiss, models.Receipt, models.Dismissal, pinned=True),
    Operation("POST", "/questions/{id}/claim", claim, models.Question, models.Nothing, pinned=True),
    Operation("POST", "/questions/{id}/reopen", reopen, models.Question, models.Nothing),
    Operation("GET", "/documents", documents, models.Documents, asks={"namespace": _NARROW["namespace"], **_PAGES}),
    Operation("GET", "/document", document, models.Document, asks={**DOC, "at": "A version."}),
    Operation("PUT", "/document", put, models.Receipt, models.Put, asks=DOC),
    Operation("GET", "/document/history", history, models.Changes, asks=DOC),
    Operation("GET", "/document/blame", blame, models.Credits, asks=DOC),
    Operation("GET", "/document/diff", diff, models.Differences, asks={**DOC, "one": "A version.", "two": "Another."}),
    Operation("POST", "/document/restore", restore, models.Receipt, models.Restore, asks=DOC),
    Operation("POST", "/document/ask", ask, models.Question, models.Ask, asks=DOC),
    Operation(
        "GET",
        "/changes",
        changes,
        models.Changes,
        asks={
            "namespace": _NARROW["namespace"],
            "agent": "Only what this agent wrote or decided.",
            "before": "Only what is older than this version.",
            "limit": _PAGES["limit"],
        },
    ),
    Operation("POST", "/undo", undo, models.Undone, models.Undo),
    Operation("GET", "/subscriptions", subscriptions, models.Subscriptions),
    Operation("POST", "/subscriptions/forget", forget, models.Subscriptions, models.Forget),
    Operation("GET", "/stats", stats, None),
    Operation("GET", "/numbers", figures, None),
)


def routes(workspace: Workspace, feed: Feed) -> list[BaseRoute]:
    """Returns the routes of the API, below ``/api``."""
    made: list[BaseRoute] = [
        Route(f"/api{one.path}", _endpoint(workspace, one), methods=[one.method]) for one in OPERATIONS
    ]
    made.append(Route("/api/events", feed.endpoint(_event)))
    made.append(Route("/api/openapi.json", _described))
    return made


def _event(told: Told) -> tuple[str, Any]:
    return told.event.kind, told.event.to_dict()


def _endpoint(workspace: Workspace, operation: Operation) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        call = Call(request, workspace, request.scope["who"])
        if request.method not in SAFE and operation.takes is not None:
            call.body = _validated(request, await body_of(request), operation.takes)
        answer, version = await run_in_threadpool(operation.act, call)
        headers = {"ETag": f'"{version}"'} if version else {}
        if version and request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(to_json(answer), media_type="application/json", headers=headers)

    return endpoint


def _validated(request: Request, body: bytes, takes: type[BaseModel]) -> BaseModel:
    """What was sent. Only JSON that says so is taken: another site's form cannot."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Send application/json.")
    return takes.model_validate_json(body or b"{}")


def is_api(request: Request) -> bool:
    """Tells whether a request was made to the API."""
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    return path == "/api" or path.startswith("/api/")


def problem(error: Exception) -> Response:
    """Returns the problem details of what went wrong."""
    more: dict[str, Any] = {}
    if isinstance(error, HTTPException):
        kind, status, detail = "RequestError", error.status_code, error.detail
    elif isinstance(error, ValidationError):
        kind, status, detail = "RequestError", 422, "What was sent is not what is taken here."
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        more["errors"] = [{"path": [str(part) for part in fault["loc"]], "problem": fault["msg"]} for fault in faults]
    elif isinstance(error, ConcordantError):
        kind, status, detail = type(error).__name__, _status(error), str(error)
        more = _data_of(error)
    else:
        kind, status, detail = "Error", 500, "Something went wrong; the log tells what."
    body = {"type": f"urn:concordant:{kind}", "title": kind, "status": status, "detail": detail, **more}
    return Response(to_json(body), status, media_type="application/problem+json")


def _status(error: ConcordantError) -> int:
    if isinstance(error, StaleWriteError):
        return 412
    if isinstance(error, StaleDecisionError) and error.current is not None and error.current.state in OPEN:
        return 412 if error.current.version != error.escalation.version else 409
    return status_of(error)


def _data_of(error: ConcordantError) -> dict[str, Any]:
    if isinstance(error, StaleDecisionError) and error.current is not None:
        return {"current": error.current.to_dict()}
    if isinstance(error, InvalidWriteError):
        return {
            "errors": [
                {"path": [str(part) for part in fault.path], "problem": fault.problem, "mend": fault.mend}
                for fault in error.faults
            ]
        }
    return {}


# -- the OpenAPI document --------------------------------------------------------------------------------------------


async def _described(request: Request) -> Response:
    return Response(to_json(openapi(request.scope.get("root_path", ""))), media_type="application/json")


def openapi(root: str) -> dict[str, Any]:
    """Returns the OpenAPI document of the API."""
    used: set[type[BaseModel]] = {
        one for operation in OPERATIONS for one in (operation.gives, operation.takes) if one is not None
    }
    used.add(models.Problem)
    names: list[tuple[type[BaseModel], Any]] = [(one, "validation") for one in sorted(used, key=lambda m: m.__name__)]
    _, schemas = models_json_schema(names, ref_template="#/components/schemas/{model}")
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    events = "Server-sent events: `id` (give the last as Last-Event-ID, or `after=`), `event` (the kind), `data`."
    paths["/events"] = {
        "get": {
            "operationId": "events",
            "summary": "Hear of each transition of a question as it happens.",
            "parameters": [_parameter("after", "The id of the last event that was received.")],
            "responses": {"200": {"description": events, "content": {"text/event-stream": {}}}},
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Concordant desk", "version": "1", "description": __doc__},
        "servers": [{"url": f"{root}/api"}],
        "paths": paths,
        "components": {"schemas": schemas["$defs"]},
    }


def _parameter(name: str, description: str, *, where: str = "query", required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": where, "required": required, "description": description, "schema": {"type": "string"}}


def _operation(operation: Operation) -> dict[str, Any]:
    parameters = [_parameter(name, about, required=name == "doc") for name, about in operation.asks.items()]
    if "{id}" in operation.path:
        parameters.append(_parameter("id", "The id of the question.", where="path", required=True))
    if operation.pinned:
        parameters.append(_parameter("If-Match", "The version that was looked at.", where="header", required=True))
    gives = {"schema": _reference(operation.gives)} if operation.gives is not None else {}
    found: dict[str, Any] = {
        "operationId": operation.act.__name__,
        "summary": (operation.act.__doc__ or "").strip(),
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": gives}},
            "default": {
                "description": "Not done, and why.",
                "content": {"application/problem+json": {"schema": _reference(models.Problem)}},
            },
        },
    }
    if operation.takes is not None:
        body = {"application/json": {"schema": _reference(operation.takes)}}
        found["requestBody"] = {"required": True, "content": body}
    return found


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
