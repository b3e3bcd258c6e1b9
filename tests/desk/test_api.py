"""The JSON API: what the pages do, for programs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, get_type_hints

import httpx
import pytest
from pydantic import BaseModel, ConfigDict, create_model
from starlette.testclient import TestClient

from concordant import DELETED, Schema, Workspace
from concordant.desk import app
from concordant.desk.api import OPERATIONS
from concordant.desk.feed import Feed
from tests.desk.conftest import NOTES, NS, PLACE, Brief, Server, disagree
from tests.patience import PATIENCE

Questions = Callable[[str], Any]


class Api:
    """A program that uses the API."""

    def __init__(self, ws: Workspace) -> None:
        self.client = TestClient(app(ws, user=lambda request: request.headers.get("x-user", "maria")))

    def get(self, path: str, status: int = 200, **params: Any) -> Any:
        return self._took(self.client.get(f"/api{path}", params=params), status)

    def send(
        self, path: str, body: Any = None, status: int = 200, *, match: str = "", put: bool = False, **params: Any
    ) -> Any:
        headers = {"If-Match": f'"{match}"'} if match else {}
        send = self.client.put if put else self.client.post
        return self._took(send(f"/api{path}", json=body or {}, headers=headers, params=params), status)

    def _took(self, answer: httpx.Response, status: int) -> Any:
        assert answer.status_code == status, answer.text
        kind = "application/json" if status < 400 else "application/problem+json"
        assert answer.headers["content-type"] == kind
        return answer.json()


@pytest.fixture
def api(ws: Workspace) -> Api:
    return Api(ws)


def test_questions_are_listed_and_got(ws: Workspace, api: Api) -> None:
    """As the workspace has them, narrowed, in pages; the version is the ETag."""
    listed = api.get("/questions")
    assert listed["questions"] == [one.to_dict() for one in ws.escalations()] and listed["total"] == 2
    assert [one["reason"] for one in api.get("/questions", reason="text")["questions"]] == ["text"]
    assert api.get("/questions", limit=1)["next"] == 1
    assert api.get("/questions", limit=1, **{"from": 1}) == {**listed, "questions": listed["questions"][1:]}
    question = listed["questions"][0]
    answer = api.client.get(f"/api/questions/{question['id']}")
    assert answer.json() == question and answer.headers["etag"] == f'"{question["version"]}"'
    assert api.client.get(answer.url.path, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert api.get("/questions/nonsense", 404)["title"] == "UnknownEscalationError"
    assert api.get("/questions", 400, state="lost")["status"] == 400
    assert api.get("/questions", 400, limit="x")["detail"] == "limit is a whole number."


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"take": 1}, None),
        ({"value": "The cat jumps."}, "The cat jumps."),
        ({"suggestion": True}, "The red fox jumps over the lazy dog."),
    ],
)
def test_a_question_is_decided(
    ws: Workspace, api: Api, question_of: Questions, body: Any, expected: str | None
) -> None:
    """A side by its number, a value, or the suggestion, by who is logged in."""
    question = question_of("notes")
    api.send(f"/questions/{question.id}/resolve", body, match=question.version)
    expected = expected or question.contenders[0].value
    assert ws.get(NS, "launch").value["notes"] == NOTES.replace("The fox jumps over the dog.", expected)  # type: ignore[union-attr]
    [closed] = api.get("/questions", state="resolved")["questions"]
    assert (closed["by"], closed["decision"]) == ("maria", expected) and closed["closed_at"]
    again = api.send(f"/questions/{question.id}/reopen")
    assert again["state"] == "open" and len(again["contenders"]) == 2


def test_dismiss_and_claim(api: Api, question_of: Questions) -> None:
    """The other two answers."""
    question = question_of("status")
    url = f"/questions/{question.id}"
    assert api.send(f"{url}/claim", match=question.version)["by"] == "maria"
    assert api.send(f"{url}/dismiss", match=question.version)["escalations"] == []
    assert api.get(url)["state"] == "dismissed"


def test_a_decision_needs_the_version_that_was_looked_at(ws: Workspace, api: Api, question_of: Questions) -> None:
    """Without one it is refused, with an old one too, and the answer has the question as it is now."""
    question = question_of("status")
    url = f"/questions/{question.id}/resolve"
    assert "If-Match" in api.send(url, {"take": 1}, 428)["detail"]
    began = ws.get(NS, "launch", at=1)
    assert began is not None
    ws.agent("carl", seen=began.token).write(NS, "launch", {"status": None})
    stale = api.send(url, {"take": 1}, 412, match=question.version)
    assert stale["type"] == "urn:concordant:StaleDecisionError"
    assert stale["current"]["version"] == question_of("status").version and len(stale["current"]["contenders"]) == 3
    for action in ("dismiss", "claim"):
        api.send(f"/questions/{question.id}/{action}", {}, 412, match=question.version)
    ws.resolve(question_of("status"), "final", by="eve")
    assert api.send(url, {"take": 1}, 409, match=question.version)["current"]["state"] == "resolved"


def test_only_deciders_decide(ws: Workspace) -> None:
    """By the name that `user=` gives; others get 403 and problem details, for each way of deciding and writing."""
    rules = {("briefs", "*"): Schema(Brief, writers=("planner",), deciders=("human:*",))}
    with Workspace(schemas=rules) as strict:
        strict.import_(ws.export())
        api = Api(strict)
        [first, _] = strict.escalations()
        for action in ("resolve", "dismiss", "claim"):
            body = {"take": 1} if action == "resolve" else {}
            problem = api.send(f"/questions/{first.id}/{action}", body, 403, match=first.version)
            assert problem["title"] == "NotAllowedError" and "'maria' may not decide" in problem["detail"]
        picked = [{"id": first.id, "version": first.version}]
        told = api.send("/questions/bulk", {"choice": "latest", "questions": picked})
        assert told["decided"] == [] and "may not decide" in told["refused"][0]["why"]
        api.send("/document/ask", {"path": ["rank"]}, 403, doc=PLACE)
        api.send("/document/restore", {"version": 1}, 403, doc=PLACE)
        assert "may not write" in api.send("/document", {"value": {"tags": ["z"]}}, 403, put=True, doc=PLACE)["detail"]
        strict.agent("planner").write(NS, "other", {"tags": ["a"]})
        undone = api.send("/undo", {"agent": "planner", "dry_run": False})
        assert undone["documents"] == [] and "'maria' may not" in f"{undone['skipped']}"
        assert len(strict.escalations()) == 2
        strict.dismiss(first, by="human:eve")
        assert "may not decide" in api.send(f"/questions/{first.id}/reopen", status=403)["detail"]
        assert len(strict.escalations()) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "exactly one"),
        ({"take": 1, "suggestion": True}, "exactly one"),
        ({"take": 9}, "2 sides"),
        ({"take": 0}, "not what is taken here"),
        ({"suggestion": True}, "no suggestion"),
        ({"value": "lost"}, "field's type"),
        ({"deleted": True}, "DELETED decides only about a deletion"),
        ({"nothing": 1}, "not what is taken here"),
    ],
)
def test_what_is_no_decision_is_told(api: Api, question_of: Questions, body: Any, said: str) -> None:
    """With problem details that name the part that is wrong; nothing is decided."""
    question = question_of("status")
    problem = api.send(f"/questions/{question.id}/resolve", body, 422, match=question.version)
    assert said in json.dumps(problem)
    assert question_of("status").state == "open"


def test_deletions_are_told_and_decided(ws: Workspace, api: Api) -> None:
    """A side that deletes is no null, and a decision can be for it."""
    for question in ws.escalations():
        ws.dismiss(question, by="maria")
    ada, bob = ws.agent("ada"), ws.agent("bob")
    ada.read(NS, "launch"), bob.read(NS, "launch")
    ada.delete(NS, "launch")
    bob.write(NS, "launch", {"status": "final"})
    [question] = api.get("/questions")["questions"]
    assert sorted(side["deleted"] for side in question["contenders"]) == [False, True]
    api.send(f"/questions/{question['id']}/resolve", {"deleted": True}, match=question["version"])
    assert ws.escalation(question["id"]).decision is DELETED  # type: ignore[union-attr]
    api.get("/document", 404, doc=PLACE)


def test_many_are_decided(ws: Workspace, api: Api) -> None:
    """Each by the version that was looked at; what is refused is listed with its reason."""
    disagree(ws, carl={"due": date(2026, 6, 1)}, dora={"due": date(2026, 7, 1)})
    picked = [{"id": one.id, "version": one.version} for one in ws.escalations()]
    picked[0]["version"] = "old"
    outcome = api.send("/questions/bulk", {"choice": "agent", "agent": "bob", "questions": picked})
    assert len(outcome["decided"]) == 1 and len(outcome["refused"]) == 2
    assert {one["why"] for one in outcome["refused"]} == {
        "bob has no side in it",
        "it has other sides, or is settled, since it was looked at",
    }


def test_decisions_have_reasons(ws: Workspace, api: Api, question_of: Questions) -> None:
    """``why`` stands beside a decision, a dismissal, and many at once; it is no decision by itself."""
    status, text = question_of("status"), question_of("notes")
    problem = api.send(f"/questions/{status.id}/resolve", {"why": "so"}, 422, match=status.version)
    assert "exactly one" in problem["detail"]
    api.send(f"/questions/{status.id}/resolve", {"value": "final", "why": "x" * 2_001}, 422, match=status.version)
    api.send(f"/questions/{status.id}/resolve", {"take": 1, "why": "The client said so."}, match=status.version)
    api.send(f"/questions/{text.id}/dismiss", {"why": "Neither is true."}, match=text.version)
    assert api.get(f"/questions/{status.id}")["remarks"] == [{"by": "maria", "text": "The client said so."}]
    said = [one["value"].get("why") for one in api.get("/document/history", doc=PLACE)["changes"][:2]]
    assert said == ["Neither is true.", "The client said so."]
    disagree(ws, carl={"due": date(2026, 6, 1)}, dora={"due": date(2026, 7, 1)})
    picked = [{"id": one.id, "version": one.version} for one in ws.escalations()]
    api.send("/questions/bulk", {"choice": "latest", "questions": picked, "why": "It is late."})
    assert ws.escalation(picked[0]["id"]).remarks[-1].text == "It is late."  # type: ignore[union-attr]


def test_documents_are_read_and_written(ws: Workspace, api: Api) -> None:
    """Value, token and version; what is written is added, or changes what was read; history, blame and differences."""
    [listed] = api.get("/documents", namespace="briefs")["documents"]
    assert (listed["place"], listed["open"]) == (PLACE, 2)
    read = api.get("/document", doc=PLACE)
    assert read == ws.get(NS, "launch").to_dict()  # type: ignore[union-attr]
    api.send("/document", {"value": {"tags": ["b"]}}, put=True, doc=PLACE)
    api.send("/document", {"value": {"tags": ["c"]}, "token": read["token"]}, put=True, doc=PLACE)
    assert set(api.get("/document", doc=PLACE)["value"]["tags"]) == {"b", "c"}
    assert api.send("/document", {"value": {}}, 412, put=True, match="1", doc=PLACE)["title"] == "StaleWriteError"
    faults = api.send("/document", {"value": {"nothing": 1}}, 422, put=True, doc=PLACE)["errors"]
    assert faults[0]["path"] == ["nothing"] and faults[0]["mend"]
    assert api.send("/document", {"value": {}, "token": "x"}, 400, put=True, doc=PLACE)["title"] == "InvalidTokenError"
    changes = api.get("/document/history", doc=PLACE)["changes"]
    assert changes == [entry.to_dict() for entry in ws.history(NS, "launch")]
    assert api.get("/changes", agent="ada")["changes"][0]["agent"] == "ada"
    credits = api.get("/document/blame", doc=PLACE)["credits"]
    assert {"ada", "bob", "planner", "maria"} == {one["agent"] for one in credits}
    [tags] = [one for one in api.get("/document/diff", doc=PLACE, one=1)["differences"] if one["path"] == ["tags"]]
    assert tags["before"] == ["a"]
    api.send("/document/restore", {"version": 1}, doc=PLACE)
    assert api.get("/document", doc=PLACE)["value"]["tags"] == ["a"]
    assert api.get("/document", doc=PLACE, at=1)["version"] == 1
    assert api.get("/stats")["documents"] == 1 and "writes" in api.get("/numbers")
    assert api.get("/nowhere", 404)["status"] == 404
    assert api.get("/document", 400, doc="nonsense")["title"] == "ConcordantError"


def test_other_sites_cannot_use_it(api: Api, question_of: Questions) -> None:
    """What a form of another page can send is no JSON that says so, and a browser tells where it comes from."""
    question = question_of("status")
    url, match = f"/api/questions/{question.id}/dismiss", {"If-Match": question.version}
    for headers, status in (
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({}, 415),
        ({"Content-Type": "application/json", "Origin": "https://evil.example"}, 403),
        ({"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}, 403),
    ):
        assert api.client.post(url, content="{}", headers={**match, **headers}).status_code == status, headers
    answer = api.client.options(url, headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers
    assert question_of("status").state == "open"


def strict(model: type[BaseModel]) -> type[BaseModel]:
    """A model that takes no other names, here and below."""

    def made(kind: Any) -> Any:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return strict(kind)
        arguments = getattr(kind, "__args__", None)
        return kind.__origin__[made(arguments[0])] if arguments and getattr(kind, "__origin__", None) is list else kind

    fields: Any = {name: (made(kind), ...) for name, kind in get_type_hints(model).items() if name != "model_config"}
    return create_model(model.__name__, __config__=ConfigDict(extra="forbid"), **fields)


def test_the_openapi_document_says_what_comes(ws: Workspace, api: Api) -> None:
    """Every operation is in it, and what each gives is as its schema says, neither more nor less."""
    described = api.get("/openapi.json")
    assert described["openapi"].startswith("3.1") and described["servers"] == [{"url": "/api"}]
    text = json.dumps(described)
    for reference in {part.split('"')[0] for part in text.split('"$ref": "')[1:]}:
        assert reference.rpartition("/")[2] in described["components"]["schemas"], reference
    [first, second] = ws.escalations()
    ids = {"reopen": first.id}
    bodies: dict[str, Any] = {
        "resolve": ({"take": 1}, first),
        "reopen": ({}, first),
        "claim": ({}, second),
        "dismiss": ({}, second),
        "bulk": ({"choice": "latest", "questions": []}, None),
        "put": ({"value": {"tags": ["z"]}}, None),
        "restore": ({"version": 1}, None),
        "ask": ({"path": ["rank"]}, None),
        "undo": ({"agent": "ada", "since": 1}, None),
        "forget": ({"name": "nobody"}, None),
    }
    order = ["claim", "resolve", "reopen", "dismiss", "bulk", "ask", "put"]
    acts = sorted(OPERATIONS, key=lambda one: (one.method != "GET", *[one.act.__name__ != name for name in order]))
    for operation in [*acts, *[one for one in OPERATIONS if one.method == "GET"]]:
        name = operation.act.__name__
        assert described["paths"][operation.path][operation.method.lower()]["summary"]
        body, question = bodies.get(name, (None, second))
        path = operation.path.replace("{id}", ids.get(name, question.id if question else ""))
        params = {"doc": PLACE} if "doc" in operation.asks else {}
        if operation.method == "GET":
            given = api.get(path, **params, **({"one": 1} if name == "diff" else {}))
        else:
            given = api.send(
                path, body, match=question.version if operation.pinned else "", put=operation.method == "PUT", **params
            )
        if operation.gives is not None:
            strict(operation.gives).model_validate(given)


def test_subscriptions_are_listed_and_forgotten(ws: Workspace, api: Api) -> None:
    """Each with how many events wait for it, since when, and whether somebody receives."""
    with ws.subscribe("bot", from_start=True), ws.subscribe("hook"):
        listed = api.get("/subscriptions")["subscriptions"]
        assert [(one["name"], one["waiting"], one["receiving"]) for one in listed] == [
            ("bot", 2, True),
            ("hook", 0, True),
        ]
        assert listed == [lag.to_dict() for lag in ws.subscriptions()] and listed[0]["since"] and not listed[1]["since"]
    left = api.send("/subscriptions/forget", {"name": "bot"})["subscriptions"]
    assert [(one["name"], one["receiving"]) for one in left] == [("hook", False)]
    assert api.send("/subscriptions/forget", {"name": 7}, 422)["title"] == "RequestError"


def events(url: str, after: str = "") -> Iterator[tuple[str, str, Any]]:
    """What a client of the stream hears: id, kind and data."""
    headers = {"Last-Event-ID": after} if after else {}
    with httpx.Client(timeout=PATIENCE) as client, client.stream("GET", f"{url}/api/events", headers=headers) as stream:
        found: dict[str, str] = {}
        for line in stream.iter_lines():
            if line.startswith(":"):
                continue  # a sign of life
            name, _, value = line.partition(": ")
            found[name] = value
            if not line and len(found) > 1:
                yield found.get("id", ""), found.get("event", ""), json.loads(found.get("data", "null"))
                found = {}


def test_a_stream_ends_by_itself_and_nothing_is_missed(
    ws: Workspace, question_of: Questions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds up no server that wants to stop; a browser comes again by itself, and goes on where it was."""
    monkeypatch.setattr(Feed, "longest", 0.2)
    with Server(ws, user=lambda request: "maria") as server:
        [(start, kind, _)] = list(events(server.url))
        assert kind == ""
        ws.resolve(question_of("status"), "final", by="eve")
        assert [kind for _, kind, _ in events(server.url, start)] == ["", "resolved"]


def test_events_are_streamed_and_go_on_where_a_client_broke_off(ws: Workspace, question_of: Questions) -> None:
    """Each transition once and in order, also those that happened while the client was away."""
    with Server(ws, user=lambda request: "maria") as server:
        stream = events(server.url)
        start, kind, _ = next(stream)
        assert kind == ""
        waiting = question_of("status")
        writer = threading.Thread(target=lambda: ws.claim(waiting, by="eve"))
        writer.start()
        first, kind, told = next(stream)
        writer.join()
        assert (kind, told["kind"], told["escalation"]["by"]) == ("claimed", "claimed", "eve")
        stream.close()  # type: ignore[attr-defined]
        ws.resolve(question_of("status"), "final", by="eve")
        again = events(server.url, first)
        next(again)
        assert next(again)[1] == "resolved"
        again.close()  # type: ignore[attr-defined]
        all_ = events(server.url, start)
        next(all_)
        assert [next(all_)[1], next(all_)[1]] == ["claimed", "resolved"]
        all_.close()  # type: ignore[attr-defined]
