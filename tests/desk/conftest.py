"""A team with questions, and a desk for it."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from enum import Enum
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import pytest
import uvicorn
from pydantic import BaseModel, Field
from starlette.testclient import TestClient

from concordant import Counter, Map, Scalar, Schema, Set, Text, Workspace
from concordant.desk import app
from tests.conftest import CHROMIUM
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium, BrowserContext, Page

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
Open: TypeAlias = "Callable[..., Page]"
FORESEEN = re.compile("status of 4|response code: 403|ERR_CONNECTION_REFUSED")  # of a refusal, or of no server
NS = ("briefs", "2026")
PLACE = "briefs/2026:launch"
NOTES = "We ship in May. The fox jumps over the dog. Nobody objects."


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Plan(BaseModel):
    title: str
    euros: int = Field(ge=0)
    due: date | None = None
    steps: list[str] = []


class Brief(BaseModel):
    status: Annotated[Literal["new", "draft", "final"] | None, Scalar()] = None
    size: Annotated[Size | None, Scalar()] = None
    due: Annotated[date | None, Scalar()] = None
    rank: Annotated[int | None, Scalar(resolve="max")] = None
    euros: Annotated[int | None, Field(ge=0, le=1000), Scalar()] = None
    done: Annotated[bool, Scalar()] = False
    plan: Annotated[Plan | None, Scalar()] = None
    notes: Annotated[str, Text()] = ""
    tags: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, str], Map()] = {}
    views: Annotated[int, Counter()] = 0


class Rule(BaseModel):
    body: Annotated[str, Text()] = ""


class Leaf(BaseModel):
    title: Annotated[str, Text()] = ""
    body: Annotated[str, Text()] = ""


SCHEMAS: dict[tuple[str, ...], Any] = {
    ("briefs", "*"): Schema(Brief),
    ("rules",): Schema(Rule, writers=("ada",)),
    ("leaves",): Schema(Leaf),
}
FIRST = {"status": "new", "due": "2026-05-01", "notes": NOTES, "tags": ["a"], "owners": {"docs": "eve"}}


def disagree(ws: Workspace, **sides: dict[str, Any]) -> None:
    """Has agents, who have all seen what stands now, edit the launch."""
    document = ws.get(NS, "launch")
    assert document is not None
    for agent, value in sides.items():
        with ws.agent(agent, seen=document.token).edit(NS, "launch") as brief:
            for name, one in value.items():
                setattr(brief, name, one)


@contextmanager
def team(url: str) -> Iterator[Workspace]:
    """A store with a launch that two agents disagree about, in a status and in a sentence."""
    with Workspace(url, schemas=SCHEMAS) as workspace:
        workspace.agent("planner").write(NS, "launch", FIRST)
        disagree(
            workspace,
            ada={"status": "draft", "notes": NOTES.replace("The fox", "The red fox"), "rank": 1},
            bob={"status": "final", "notes": NOTES.replace("the dog", "the lazy dog"), "rank": 2},
        )
        yield workspace


@pytest.fixture
def ws(request: pytest.FixtureRequest, fresh_url: Callable[[str], str]) -> Iterator[Workspace]:
    """The team's store; on another kind of storage where a test says so."""
    with team(fresh_url(getattr(request, "param", "sqlite"))) as workspace:
        yield workspace


class Browser:
    """A browser without JavaScript: follows links, and sends the forms that pages have."""

    def __init__(self, workspace: Workspace, user: str = "maria", **settings: Any) -> None:
        settings.setdefault("user", lambda request: user)
        self.client = TestClient(app(workspace, **settings), follow_redirects=True)
        self.html = ""
        self.status = 0

    def get(self, url: str) -> str:
        return self._took(self.client.get(url))

    def post(self, url: str, **sent: Any) -> str:
        """Sends a form of the page that is shown, with what is hidden in its first form with this address."""
        hidden = re.search(rf'<form[^>]*method="post"[^>]*action="{re.escape(url)}"[^>]*>(.*?)</form>', self.html, re.S)
        assert hidden is not None, f"no form for {url}"
        given = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', hidden[1]))
        return self._took(self.client.post(url, data={**{k: unescape(v) for k, v in given.items()}, **sent}))

    def _took(self, answer: Any) -> str:
        self.html, self.status = answer.text, answer.status_code
        return self.html

    @property
    def text(self) -> str:
        """What the page says, without its markup."""
        return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", self.html)))


@pytest.fixture
def browser(ws: Workspace) -> Browser:
    """Maria's browser."""
    return Browser(ws)


class Server:
    """A desk on a port of this machine, as a program serves it."""

    def __init__(self, workspace: Workspace, port: int = 0, **settings: Any) -> None:
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self._listener.listen()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        config = uvicorn.Config(
            app(workspace, **settings), access_log=False, log_level="warning", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()


@pytest.fixture
def question_of(ws: Workspace) -> Callable[[str], Any]:
    """The open question about a field."""

    def find(name: str) -> Any:
        [found] = [question for question in ws.escalations() if question.path[0] == name]
        return found

    return find


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """One browser for all tests here; each has windows of its own."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture
def window(chromium: Chromium, desk: Server) -> Iterator[Open]:
    """Opens windows of people; at the end nothing may have gone wrong in any, nor have left this machine."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_(path: str = "", user: str = "maria", **options: Any) -> Page:
        options.setdefault("viewport", {"width": 1100, "height": 800})
        context = chromium.new_context(extra_http_headers={"X-User": user}, **options)
        context.set_default_timeout(PATIENCE * 1000)
        context.add_cookies([{"name": "who", "value": user, "url": desk.url}])
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "console",
            lambda said: wrong.append(said.text) if said.type == "error" and not FORESEEN.search(said.text) else None,
        )
        page.on(
            "request", lambda asked: wrong.append(asked.url) if not asked.url.startswith((desk.url, "data:")) else None
        )
        page.goto(f"{desk.url}/{path}")
        return page

    yield open_
    for context in contexts:
        context.close()
    assert wrong == []
