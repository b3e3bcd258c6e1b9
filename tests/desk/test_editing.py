"""The page on which a document opens in an editor: who may come in, what browsers are told, and if there is none."""

from __future__ import annotations

import asyncio
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from concordant import Workspace
from concordant.desk import app, editing
from concordant_loro import protocol
from concordant_loro.desk import _Shared
from concordant_loro.protocol import DOCUMENT, MessageKind
from tests.desk.conftest import NS, PLACE, Browser

EDITOR = f"/editor?doc={PLACE}"


def only(monkeypatch: pytest.MonkeyPatch, *entries: EntryPoint) -> None:
    monkeypatch.setattr(editing, "entry_points", lambda group: list(entries))


def test_a_document_leads_to_its_editor(browser: Browser) -> None:
    """Its page has a link; the editor's loads the script, and tells it the document and its texts."""
    assert f'href="{EDITOR}"' in browser.get(f"/document?doc={PLACE}").replace("%2F", "/").replace("%3A", ":")
    html = browser.get(EDITOR)
    assert 'data-doc="briefs/2026:launch"' in html and "text:notes" in html and 'data-user="maria"' in html
    script = html.partition('<script type="module" src="')[2].partition('"')[0]
    assert browser.client.get(script).status_code == 200
    wasm = html.partition('data-wasm="')[2].partition('"')[0]
    assert browser.client.get(f"/editor/{wasm}").headers["content-type"] == "application/wasm"


def test_webassembly_is_allowed_on_that_page_alone(browser: Browser) -> None:
    """Nor does any page allow scripts or styles from elsewhere, or inline ones without the page's own secret."""
    policies = []
    for path in (EDITOR, EDITOR, "/", f"/document?doc={PLACE}", "/editor?doc=nowhere:x"):
        policies.append(browser.client.get(path).headers["content-security-policy"])
    first, second, *others = policies
    assert "script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'nonce-" in first and first != second
    for policy in policies:
        assert "unsafe-inline" not in policy and "'unsafe-eval'" not in policy and "http" not in policy
        assert "default-src 'none'" in policy and "connect-src 'self'" in policy
    assert all("wasm" not in policy and "nonce" not in policy for policy in others)


def test_without_an_editor_the_page_says_how_to_install_one(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk works without the package that brings it, and where that cannot be imported."""
    for entries in ((), (EntryPoint("loro", "no_such_module:Editor", editing.GROUP),)):
        only(monkeypatch, *entries)
        browser = Browser(ws)
        assert "pip install 'concordant-loro[desk]'" in browser.get(EDITOR).replace("&#39;", "'")
        assert browser.status == 200 and "<script type" not in browser.html
        assert browser.client.get("/editor/credits").status_code == 404
        assert "Who wrote what" in browser.get(f"/document?doc={PLACE}")


def test_what_has_no_texts_is_not_opened(ws: Workspace, browser: Browser) -> None:
    """The page says why: no model, or one without texts."""
    ws.agent("ada").write(("plans",), "x", {"a": 1})
    assert "has no model" in browser.get("/editor?doc=plans:x")
    assert "Open in the editor" not in browser.get("/document?doc=plans:x")


def join(client: TestClient, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """Joins by the protocol; what the server answers."""
    with client.websocket_connect("ws://127.0.0.1/editor/live", headers=headers or {}) as socket:
        head = DOCUMENT + protocol._block(PLACE.encode())
        socket.send_bytes(head + bytes([MessageKind.JOIN]) + protocol._block(b"") + b"\0")
        answer = socket.receive_bytes()
        reader = protocol._Reader(answer[len(head) + 1 :])
        return {
            "kind": answer[len(head)],
            "permission": reader.block(),
            "version": reader.block(),
            "who": reader.block(),
        }


@pytest.mark.parametrize(
    ("settings", "headers"),
    [
        ({"user": lambda request: None}, {}),
        ({"user": lambda request: "maria"}, {"origin": "http://evil.example"}),
        ({"user": lambda request: "maria"}, {"sec-fetch-site": "cross-site"}),
        ({"user": lambda request: "maria", "hosts": ["desk.example"]}, {}),
        ({"token": "secret"}, {}),
        ({}, {"x-forwarded-for": "1.2.3.4"}),
    ],
)
def test_nobody_connects_who_may_not_come_in(ws: Workspace, settings: dict[str, Any], headers: dict[str, str]) -> None:
    """Strangers, other sites' pages, other names of the host, without the token, through a proxy: as for pages."""
    client = TestClient(app(ws, **settings), base_url="http://127.0.0.1", client=("127.0.0.1", 1))
    with pytest.raises(WebSocketDisconnect):
        join(client, headers)


async def somebody(request: Any) -> str:
    """Who somebody is, as an application tells it from its login."""
    assert request.url.scheme == "http" and request.method in ("GET", "POST")
    return str(request.cookies["login"])


@pytest.mark.parametrize(("settings", "headers"), [({}, {}), ({"token": "secret"}, {"authorization": "Bearer secret"})])
def test_whoever_may_come_in_connects(ws: Workspace, settings: dict[str, Any], headers: dict[str, str]) -> None:
    """From this machine, or with the token, where there is no login."""
    with TestClient(app(ws, **settings), base_url="http://127.0.0.1", client=("127.0.0.1", 1)) as client:
        assert join(client, headers)["permission"] == b"write"


def test_the_login_gives_the_name(ws: Workspace) -> None:
    """Who is asked by ``user=`` is who writes, whatever the client says; a coroutine may say so."""
    with TestClient(app(ws, user=somebody), base_url="http://127.0.0.1", cookies={"login": "john"}) as client:
        found = join(client, {"origin": "http://127.0.0.1"})
        assert found["kind"] == MessageKind.JOINED and b'"name": "john"' in found["who"]
        answer = client.get(f"/editor/credits?doc={PLACE}").json()
        assert "planner" in answer["names"] and sum(run[0] for run in answer["texts"]["text:notes"]) > 20
        assert client.get("/editor/credits?doc=briefs/2026:other").status_code == 409
    assert ws.get(NS, "launch") is not None


async def test_who_wrote_what_is_found_once_for_all_who_ask() -> None:
    """Of those who ask while it is found, all are told of what is found after that, and by one search."""
    found: list[int] = []
    go_on = asyncio.Event()

    async def find() -> bytes:
        found.append(len(found))
        await go_on.wait()
        return bytes([found[-1]])

    shared = _Shared()
    first = asyncio.create_task(shared.ask(find))
    while not found:
        await asyncio.sleep(0)
    later = [asyncio.create_task(shared.ask(find)) for _ in range(5)]
    await asyncio.sleep(0)
    later[0].cancel()  # who goes away takes nothing from the others
    go_on.set()
    assert await first == bytes([0])
    assert await asyncio.gather(*later[1:]) == [bytes([1])] * 4
    assert found == [0, 1]
