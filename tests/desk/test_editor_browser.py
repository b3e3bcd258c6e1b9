"""The desk's editor in a real Chromium: people and agents in one text, live."""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from concordant import Workspace
from concordant_loro import LiveServer
from tests.desk.conftest import AXE, NOTES, NS, Open, Server, disagree
from tests.patience import until

pytestmark = pytest.mark.xdist_group("editor")  # one browser, and one child process of Loro's

SHOTS = Path(__file__).parent.parent.parent / "docs" / "desk"
NOTES_AT = "[data-root='text:notes'] .cm-content"
TEXT = "() => document.querySelector(\"[data-root='text:notes'] .cm-content\").cmTile.root.view.state.doc.toString()"


@pytest.fixture
def desk(ws: Workspace) -> Iterator[Server]:
    """The desk of the team; a cookie says who one is, as websockets send no headers of a page's."""
    with Server(ws, user=lambda request: request.cookies.get("who") or request.headers.get("x-user")) as server:
        yield server


PASTE = """([at, count]) => {
  const clipboardData = new DataTransfer();
  clipboardData.setData("text/plain", "x".repeat(count));
  const paste = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
  document.querySelector(at).dispatchEvent(paste);
}"""


def opened(window: Open, user: str, key: str = "launch") -> Page:
    """Somebody's window, with the editor open."""
    page = window(f"editor?doc=briefs/2026:{key}", user=user)
    expect(page.locator(NOTES_AT)).to_contain_text("ship in")
    return page


def text_of(page: Page) -> str:
    """What an editor holds: lines that are out of sight are not in the page."""
    found: str = page.evaluate(TEXT)
    return found


def value(ws: Workspace, key: str = "launch") -> str:
    document = ws.get(NS, key)
    assert document is not None
    notes: str = document.value["notes"]
    return notes


def agent(ws: Workspace, name: str) -> None:
    """An agent that writes in a sentence of its own, each time by what it has read."""
    handle = ws.agent(name)
    for number in range(6):
        with handle.edit(NS, "shared") as brief:
            brief.notes = brief.notes.replace(f"{name} says", f"{name} says {name}{number}", 1)
        time.sleep(0.03)


def test_two_persons_and_two_agents_write_one_text(ws: Workspace, window: Open) -> None:
    """What they write at once is equal in all editors and in the store, each credited by name, in the page too."""
    ws.agent("planner").write(NS, "shared", {"notes": "We ship in May.\nA second line.\nSo ada says.\nSo bob says."})
    maria, john = opened(window, "maria", "shared"), opened(window, "john", "shared")
    agents = [threading.Thread(target=agent, args=(ws, name)) for name in ("ada", "bob")]
    for page, line in ((maria, "We ship in"), (john, "A second")):
        page.locator(".cm-line", has_text=line).click()
        page.keyboard.press("End")
    for one in agents:
        one.start()
    for number in range(4):
        maria.keyboard.type(f" m{number}")
        john.keyboard.type(f" j{number}")
    for one in agents:
        one.join()
    until(lambda: text_of(maria) == text_of(john) == value(ws, "shared"))
    assert all(word in value(ws, "shared") for word in ("May. m0 m1 m2 m3", "line. j0 j1 j2 j3", "ada5", "bob5"))
    credits = {agent for credit in ws.blame(NS, "shared")[("notes",)] for agent in credit.agents}
    assert credits == {"planner", "maria", "john", "ada", "bob"}
    expect(john.locator(".by[title=maria]")).to_have_text(" m0 m1 m2 m3")
    expect(maria.locator(".by[title=john]")).to_have_text(" j0 j1 j2 j3")
    expect(maria.locator(".by[title=bob]").first).to_contain_text("bob5")
    expect(maria.locator(".caret .flag")).to_have_text("john")
    expect(john.locator("[aria-label='Who is here']")).to_contain_text("maria")
    maria.keyboard.press("Control+z")
    until(lambda: "m3" not in value(ws, "shared") and text_of(maria) == text_of(john) == value(ws, "shared"))


def test_a_contested_sentence_is_marked_and_settled(ws: Workspace, window: Open) -> None:
    """Its base is marked, its sides stand below it, and a side is taken there; others see it go."""
    page, other = opened(window, "maria"), opened(window, "john")
    expect(page.locator(".contested")).to_have_text("The fox jumps over the dog.")
    card = page.locator(f"{NOTES_AT} .contest")
    expect(card.locator("li")).to_have_count(2)
    expect(card.locator("li").nth(1)).to_contain_text("bob The fox jumps over the lazy dog.")
    expect(page.locator("#more-title + div h3")).to_have_text("status")
    card.get_by_role("button", name="Take side 2, by bob").click()
    for one in (page, other):
        expect(one.locator(f"{NOTES_AT} .contest")).to_have_count(0)
        expect(one.locator(NOTES_AT)).to_contain_text("over the lazy dog")
    assert [one.by for one in ws.escalations(state="resolved")] == ["maria"]
    disagree(ws, carl={"notes": NOTES.replace("May", "June")}, dora={"notes": NOTES.replace("May", "July")})
    other.locator(f"{NOTES_AT} .contest").get_by_role("button", name="Keep what stands").click()
    expect(other.locator(f"{NOTES_AT} .contest")).to_have_count(0)
    assert [one.path for one in ws.escalations()] == [("status",)]


@pytest.mark.parametrize("seconds", [0.0, 0.1])
def test_an_editor_outlives_its_server(
    ws: Workspace, window: Open, desk: Server, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """What is typed while the server is away, and while there is one again, is kept: each letter, in its place, also
    where one types faster than the server answers."""
    commit = LiveServer._commit

    async def slow(server: LiveServer, member: Any, data: bytes) -> Any:
        await asyncio.sleep(seconds)
        return await commit(server, member, data)

    monkeypatch.setattr(LiveServer, "_commit", slow)
    page = opened(window, "maria")
    page.locator(NOTES_AT).click()
    page.keyboard.press("Control+End")
    desk.__exit__()
    expect(page.locator(".state")).to_contain_text("Offline")
    page.keyboard.type(" Typed alone.")
    with Server(ws, port=int(desk.url.rpartition(":")[2]), user=lambda request: request.cookies.get("who")):
        for number in range(12):
            page.keyboard.type(f" t{number}.")
            page.wait_for_timeout(60)
        typed = "Typed alone. " + " ".join(f"t{number}." for number in range(12))
        until(lambda: typed in value(ws), lambda: value(ws))
        until(lambda: text_of(page) == value(ws), lambda: (text_of(page), value(ws)))
        expect(page.locator(".state")).to_have_text("Connected")
        page.goto("about:blank")


def test_what_is_too_much_at_once_is_told(ws: Workspace, window: Open) -> None:
    """A paste that no server would take changes nothing, and its person is told; what they do then counts."""
    page = opened(window, "maria")
    page.locator(NOTES_AT).click()
    page.keyboard.press("Control+End")
    before = text_of(page)
    for count in (100_001, 90_000):
        page.evaluate(PASTE, [NOTES_AT, count])
    expect(page.get_by_role("alert")).to_have_text("")
    until(lambda: len(value(ws)) == len(before) + 90_000)
    page.evaluate(PASTE, [NOTES_AT, 100_001])
    expect(page.get_by_role("alert")).to_contain_text("too much at once: 100,001 letters")
    assert len(text_of(page)) == len(before) + 90_000
    page.keyboard.type("!")
    until(lambda: len(value(ws)) == len(before) + 90_001 and text_of(page) == value(ws))
    expect(page.get_by_role("alert")).to_have_text("")
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    until(lambda: value(ws) == "")


def test_what_is_typed_stays_in_its_text(ws: Workspace, window: Open) -> None:
    """A text whose cursor stood at the end of a wrapped line does not take the focus from the one that is typed in."""
    ws.agent("ada").write(("leaves",), "one", {"title": "A long title. " * 2_000, "body": "Short."})
    page = window("editor?doc=leaves:one", user="maria")
    title, body = (page.locator(f"[data-root='text:{name}'] .cm-content") for name in ("title", "body"))
    title.click()
    page.keyboard.press("End")
    for word in ["", "And", "so", "it", "is."]:
        body.click()
        page.keyboard.press("Control+End")
        page.keyboard.type(f" {word}", delay=20)
    until(lambda: "so" in str(ws.get(("leaves",), "one").value["body"]))  # type: ignore[union-attr]
    found = ws.get(("leaves",), "one")
    assert found is not None and found.value["title"] == ("A long title. " * 2_000)


def test_who_is_not_known_any_more_is_told(ws: Workspace, window: Open, desk: Server) -> None:
    """Whose login has ended while the desk was started anew is told so, and that what they type is kept; it comes in
    once they are known again."""
    page = opened(window, "maria")
    page.locator(NOTES_AT).click()
    page.keyboard.press("Control+End")
    cookies = page.context.cookies()
    page.context.clear_cookies()
    desk.__exit__()
    with Server(ws, port=int(desk.url.rpartition(":")[2]), user=lambda request: request.cookies.get("who")):
        page.keyboard.type(" Typed alone.")
        expect(page.locator(".state")).to_contain_text("The desk does not know you any more")
        page.context.add_cookies([{**one} for one in cookies])  # type: ignore[typeddict-item]
        until(lambda: "Typed alone." in value(ws))
        expect(page.locator(".state")).to_have_text("Connected")
        page.goto("about:blank")


@pytest.mark.torture
def test_an_editor_waits_for_every_answer(
    ws: Workspace, window: Open, desk: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is typed while another document takes the place of one whose server is gone arrives, though the server is
    slow with it and is restarted meanwhile: the earlier connection stays until all of it is answered."""
    commit = LiveServer._commit

    async def slow(server: LiveServer, member: Any, data: bytes) -> Any:
        if member.had:  # of a replica that it has taken in as a whole before
            await asyncio.sleep(3600)
        return await commit(server, member, data)

    monkeypatch.setattr(LiveServer, "_commit", slow)
    page = opened(window, "maria")
    page.locator(NOTES_AT).click()
    page.keyboard.press("Control+End")
    desk.__exit__()
    expect(page.locator(".state")).to_contain_text("Offline")
    page.keyboard.type(" Typed alone.")
    address = {"port": int(desk.url.rpartition(":")[2]), "user": lambda request: request.cookies.get("who")}
    with Server(ws, **address):
        until(lambda: "Typed alone." in value(ws))
        page.keyboard.type(" t0. t1.", delay=60)
        page.wait_for_timeout(4_000)
        assert "t0" not in value(ws)
    monkeypatch.setattr(LiveServer, "_commit", commit)
    with Server(ws, **address):
        until(lambda: "Typed alone. t0. t1." in value(ws) and text_of(page) == value(ws))
        page.goto("about:blank")


def test_the_editor_can_be_read_by_everybody(window: Open) -> None:
    """No finding of axe-core, in light, dark and on a phone, where nothing is wider than 360 px; pictures of it, if
    CONCORDANT_SCREENSHOTS is set, replace those of the documentation."""
    page = opened(window, "maria")
    if into := os.environ.get("CONCORDANT_SCREENSHOTS"):
        john = opened(window, "john")
        john.locator(".cm-line", has_text="We ship in").click()
        john.keyboard.press("End")
        john.keyboard.type(" Or so we hope.")
        expect(page.locator(".caret")).to_be_visible()
        expect(page.locator(".by[title=john]")).to_be_visible()
    expect(page.locator(f"{NOTES_AT} .contest")).to_be_visible()
    expect(page.locator(".by").first).to_be_visible()
    page.evaluate(AXE)
    found = []
    for look, width in (("light", 1000), ("dark", 1000), ("dark", 360)):
        page.emulate_media(color_scheme=look)
        page.set_viewport_size({"width": width, "height": 740})
        result = page.evaluate("() => axe.run({resultTypes: ['violations']})")
        if into:
            page.screenshot(path=SHOTS / f"editor-{look if width > 360 else 'phone'}.png")
        found += [(look, one["id"], one["nodes"][0]["html"][:200]) for one in result["violations"]]
    assert found == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_who_may_only_read_is_told(ws: Workspace, window: Open) -> None:
    """A document whose namespace has writers is read-only in the editor of others, and live."""
    page = window("editor?doc=rules:first", user="maria")
    at = page.locator("[data-root='text:body'] .cm-content")
    expect(page.locator(".state")).to_contain_text("you may read only")
    ws.agent("ada").write(("rules",), "first", {"body": "Be kind."})
    expect(at).to_have_text("Be kind.")
    at.click()
    page.keyboard.type("Not this.")
    expect(at).to_have_text("Be kind.")
    expect(page.locator("h1")).to_have_text(re.compile("rules:first"))
