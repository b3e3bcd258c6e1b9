"""The desk in a real Chromium: live, by keyboard, by two at once, on a phone, for everybody, without JavaScript."""

from __future__ import annotations

import os
import re
import runpy
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from concordant import Workspace
from concordant.desk.feed import Feed
from tests.desk.conftest import AXE, NOTES, NS, PLACE, Open, Server, disagree
from tests.patience import PATIENCE

pytestmark = pytest.mark.xdist_group("browser")  # one browser

HERE = Path(__file__).parent
EXAMPLES = HERE.parent.parent / "examples"
SHOTS = HERE.parent.parent / "docs" / "desk"
LOOKS = ["light", "dark", "phone"]
PAGES = (
    "",
    "documents",
    f"document?doc={PLACE}&one=1",
    f"document?doc={PLACE}&at=1",
    "who?name=ada",
    "undo?agent=ada",
    "decisions",
    "subscriptions?forget=webhook:team.example-1a2b3c",
    "numbers",
)

RUN = "() => axe.run({resultTypes: ['violations']})"
RUN_COLOURS = "() => axe.run({runOnly: ['color-contrast'], resultTypes: ['violations']})"

LONG = pytest.param("postgres", marks=pytest.mark.torture)  # what a desk hears of there has tests without a browser
on_databases = pytest.mark.parametrize("ws", ["sqlite", LONG], indirect=True)
DONE = re.compile(r"\?done=")


@pytest.fixture
def desk(ws: Workspace) -> Iterator[Server]:
    """The desk of the team, at which a header says who one is."""
    with Server(ws, user=lambda request: request.headers.get("x-user")) as server:
        yield server


def test_a_conflict_is_decided_by_keyboard(ws: Workspace, window: Open, question_of: Any) -> None:
    """Down, open, take the second side, undo: each with one key."""
    page = window()
    expect(page.locator(".row")).to_have_count(2)
    page.keyboard.press("j")
    expect(page.locator(".row.at")).to_contain_text(
        "notes" if question_of("notes").id in page.locator(".row").first.inner_html() else "status"
    )
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/question/*")
    second = page.locator("article.side .number").nth(1)
    expect(second).to_have_text("2")
    page.keyboard.press("2")
    page.wait_for_url(DONE)
    expect(page.locator(".row")).to_have_count(1)
    assert len(ws.escalations()) == 1
    page.keyboard.press("u")
    page.wait_for_url("**/question/*")
    assert len(ws.escalations()) == 2
    page.keyboard.press("c")
    expect(page.get_by_text("Claimed by maria")).to_be_visible()
    page.wait_for_load_state("load")
    page.keyboard.press("d")
    page.wait_for_url(DONE)
    assert {one.state for one in ws.escalations(state="all")} >= {"open", "dismissed"}


def test_the_inbox_takes_a_side_at_once(ws: Workspace, window: Open) -> None:
    """A digit in the inbox decides the question at the cursor; without a cursor, or in an input, keys do nothing."""
    page = window()
    page.keyboard.press("1")
    page.locator(".filter input").press("1")
    assert len(ws.escalations()) == 2
    page.locator("h1").click()
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator(".row.at input[name=pick]")).to_be_checked()
    page.keyboard.press("9")
    page.keyboard.press("1")
    page.wait_for_url(DONE)
    assert len(ws.escalations()) == 1


@on_databases
def test_the_inbox_is_live(ws: Workspace, window: Open, question_of: Any) -> None:
    """A new question comes, and a decided one goes, without a reload; what was selected stays so."""
    page = window()
    page.locator(f"#row-{question_of('status').id} input[name=pick]").check()
    disagree(ws, carl={"due": date(2026, 6, 1)}, dora={"due": date(2026, 7, 1)})
    expect(page.locator(".row")).to_have_count(3)
    expect(page.locator("h1 .count")).to_have_text("3")
    expect(page.locator("input[name=pick]:checked")).to_have_count(1)
    ws.resolve(question_of("notes"), NOTES, by="eve")
    expect(page.locator(".row")).to_have_count(2)


@on_databases
def test_a_side_that_comes_while_one_types(ws: Workspace, window: Open, question_of: Any) -> None:
    """It is shown at once and said aloud; nothing that was typed is lost, nor decided without a look at it."""
    page = window(f"question/{question_of('notes').id}")
    page.locator("#v").fill("My own sentence.")
    first = ws.get(NS, "launch", at=ws.history(NS, "launch")[-1].version)
    assert first is not None
    with ws.agent("carl", seen=first.token).edit(NS, "launch") as brief:
        brief.notes = NOTES.replace("the dog", "a cat")
    expect(page.locator("article.side .number")).to_have_count(3)
    expect(page.locator("#came")).to_be_visible()
    expect(page.locator("#said")).to_have_text("The sides of this question have changed.")
    expect(page.locator("#v")).to_have_value("My own sentence.")
    page.get_by_role("button", name="Take what I typed").click()
    expect(page.get_by_role("alert")).to_contain_text("Another side came while you looked")
    expect(page.locator("#v")).to_have_value("My own sentence.")
    expect(page.locator("article.fresh")).to_contain_text("carl")
    assert question_of("notes").state == "open"
    page.get_by_role("button", name="Take what I typed").click()
    page.wait_for_url(DONE)
    document = ws.get(NS, "launch")
    assert document is not None and "My own sentence." in document.value["notes"]


@on_databases
def test_two_decide_at_once(ws: Workspace, window: Open, question_of: Any) -> None:
    """One does; the other is told by whom and what, and what she typed is there."""
    path = f"question/{question_of('status').id}"
    maria, eve = window(path), window(path, user="eve", java_script_enabled=False)
    eve.locator("select[name=v]").select_option(label="draft")
    maria.locator("button[value=take-1]").click()
    maria.wait_for_url(DONE)
    eve.get_by_role("button", name="Take what I typed").click()
    expect(eve.get_by_role("alert")).to_contain_text("resolved by now")
    expect(eve.get_by_role("status")).to_contain_text("resolved by maria")
    expect(eve.locator("select[name=v]")).to_have_value('"draft"')
    assert ws.history(NS, "launch")[0].agent == "maria"


def test_a_draft_outlives_a_reload(window: Open, question_of: Any) -> None:
    """What was typed is there again, until it was sent."""
    page = window(f"question/{question_of('notes').id}")
    page.locator("#v").fill("Half a senten")
    page.reload()
    expect(page.locator("#v")).to_have_value("Half a senten")
    page.get_by_role("button", name="Take what I typed").click()
    page.wait_for_url(DONE)
    assert page.evaluate("() => Object.keys(sessionStorage).filter((name) => name.startsWith('desk-draft'))") == []


def test_a_page_says_when_it_hears_no_more(
    ws: Workspace, chromium: Browser, question_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logged out while one types: the page says so and keeps what was typed; logged in again, it goes on by itself."""
    monkeypatch.setattr(Feed, "longest", 0.5)
    people = ["maria"]
    with Server(ws, user=lambda request: people[0] or None) as server:
        page = chromium.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.goto(f"{server.url}/question/{question_of('notes').id}")
        page.locator("#v").fill("Half a senten")
        people[0] = ""
        expect(page.locator("#quiet")).to_contain_text("you are logged out")
        page.get_by_role("button", name="Take what I typed").click()
        expect(page.locator("body")).to_contain_text("log in again in another tab")
        assert question_of("notes").state == "open"
        people[0] = "maria"
        page.go_back()
        expect(page.locator("#v")).to_have_value("Half a senten")
        expect(page.locator("#quiet")).to_have_count(0)
        page.get_by_role("button", name="Take what I typed").click()
        page.wait_for_url(DONE)
        page.close()


def test_a_second_click_and_the_way_back(ws: Workspace, window: Open, question_of: Any) -> None:
    """On a slow line a click that comes twice decides once; the page before then tells what was decided."""
    id_ = question_of("status").id
    page = window(f"question/{id_}")
    sent: list[str] = []

    def slowly(route: Any) -> None:
        if route.request.method == "POST":
            sent.append(route.request.url)
            page.wait_for_timeout(400)
        route.continue_()

    page.route("**/question/*", slowly)
    page.locator("button[value=take-2]").dblclick(no_wait_after=True)
    page.wait_for_url(DONE)
    assert len(sent) == 1 and len(ws.escalations()) == 1
    page.go_back()
    expect(page.get_by_role("status").first).to_contain_text("resolved by maria")
    page.go_forward()
    page.wait_for_url(DONE)


def test_many_are_decided_with_a_preview(ws: Workspace, window: Open) -> None:
    """Filter, choose, look at every value, decide; then what was refused."""
    disagree(ws, carl={"due": date(2026, 6, 1)}, dora={"due": date(2026, 7, 1)})
    page = window()
    page.locator("input[name=all]").check()
    page.locator("select[name=of]").select_option("bob")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(page.locator("main")).to_contain_text("over the lazy dog")
    ws.dismiss(next(one for one in ws.escalations() if one.path == ("status",)), by="eve")
    page.get_by_role("button", name="Decide 2").click()
    expect(page.locator("h1")).to_have_text("1 decided")
    expect(page.locator(".refused li")).to_have_count(1)
    assert [one.path for one in ws.escalations()] == [("due",)]


def test_documents_go_back_by_the_slider(ws: Workspace, window: Open) -> None:
    """The slider shows a version; one button restores it."""
    with ws.agent("carl").edit(NS, "launch") as brief:
        brief.tags = {"z"}
    page = window(f"document?doc={PLACE}")
    page.locator("#at").focus()
    page.keyboard.press("Home")
    page.wait_for_url("**at=1*")
    page.get_by_role("button", name="Restore version 1").click()
    expect(page.locator(".fields")).to_contain_text("a")
    document = ws.get(NS, "launch")
    assert document is not None and document.value["tags"] == ["a"]


@on_databases
def test_policies_and_people_are_overridden(ws: Workspace, window: Open, question_of: Any) -> None:
    """Decisions shows both, and one click opens the question again."""
    ws.resolve(question_of("status"), "final", by="eve")
    page = window("decisions")
    for name in ("status", "rank"):
        page = window("decisions")
        page.get_by_role("button", name=re.compile(f"Override {name}")).click()
        page.wait_for_url("**/question/*")
        assert question_of(name).state == "open"
    page.get_by_role("button", name=re.compile("Take this")).first.click()
    page.wait_for_url("**/?done=*")
    document = ws.get(NS, "launch")
    assert document is not None and document.value["rank"] == 1


def test_numbers_are_plotted(window: Open) -> None:
    """Each table that can be has a plot of it."""
    page = window("numbers")
    expect(page.locator(".plot canvas")).to_have_count(5)


def test_all_of_it_works_without_javascript(ws: Workspace, window: Open, question_of: Any) -> None:
    """Filter, open, edit with a mistake, mend it, decide, take it back, by links and buttons alone."""
    page = window(java_script_enabled=False)
    page.locator("select[name=reason]").select_option("text")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(".row")).to_have_count(1)
    page.get_by_role("link", name="notes").click()
    page.locator("#v").fill("Written without scripts.")
    page.get_by_role("button", name="Take what I typed").click()
    expect(page.get_by_role("status")).to_contain_text("resolved by maria")
    page.get_by_role("button", name="Undo").click()
    assert question_of("notes").state == "open"
    page.goto(page.url.rpartition("/question/")[0] + f"/document?doc={PLACE}")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#diff-title")).to_be_visible()


def test_two_thousand_questions(chromium: Browser) -> None:
    """The first page has fifty, the cursor moves at once, and the rest is a link away."""
    ws = Workspace()
    ada, bob = ws.agent("ada"), ws.agent("bob")
    for agent, value in ((ada, "draft of ada"), (bob, "final of bob")):
        for n in range(200):
            agent.write(("plans",), f"plan{n}", {f"field{m}": value for m in range(10)})
    with Server(ws, user=lambda request: "maria") as server:
        page = chromium.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        page.goto(server.url)
        expect(page.locator("h1 .count")).to_have_text("2000")
        expect(page.locator(".row")).to_have_count(50)
        for _ in range(30):
            page.keyboard.press("j")
        at = page.locator(".row").nth(29)
        expect(at).to_have_class(re.compile("at"))
        expect(at).to_be_in_viewport()
        page.get_by_role("link", name="Newer").click()
        expect(page.locator(".pager")).to_contain_text("51 to 100 of 2000")
        page.close()


@pytest.mark.parametrize("look", ["light and dark", "phone"])
def test_pages_can_be_read_by_everybody(ws: Workspace, window: Open, question_of: Any, look: str) -> None:
    """No serious finding of axe-core on any page, in light, dark and on a phone, and nothing is wider than 360 px."""
    options: dict[str, Any] = {"viewport": {"width": 360, "height": 740}} if look == "phone" else {}
    disagree(ws, carl={"due": date(2026, 6, 1)}, dora={"due": date(2026, 7, 1)})
    ws.resolve(question_of("due"), date(2026, 6, 1), by="eve")
    for name in ("slack-bot", "webhook:team.example-1a2b3c"):
        ws.subscribe(name, from_start=True).close()
    page = window(**options)
    found = []
    questions = [f"question/{one.id}" for one in ws.escalations(state="all")]
    for path in (*PAGES, *questions, "nowhere"):
        page.goto(f"{page.url.split('/')[0]}//{page.url.split('/')[2]}/{path}")
        if look == "phone":
            assert page.evaluate("() => document.documentElement.scrollWidth") <= 360, path
            if path in PAGES[1:]:
                continue  # there it is the same page in the same colours
        page.evaluate(AXE)
        results = [page.evaluate(RUN)]
        if look != "phone":
            page.emulate_media(color_scheme="dark")
            results.append(page.evaluate(RUN_COLOURS))
            page.emulate_media(color_scheme="light")
        found += [
            (path, one["id"], one["nodes"][0]["html"][:200], one["nodes"][0]["failureSummary"][:300])
            for result in results
            for one in result["violations"]
            if one["impact"] in ("serious", "critical", "moderate")
        ]
    assert found == []


@pytest.mark.parametrize("look", LOOKS if os.environ.get("CONCORDANT_SCREENSHOTS") else LOOKS[:1])
def test_the_screenshots_of_the_documentation(chromium: Browser, tmp_path: Path, look: str) -> None:
    """The team of `make desk` in pictures; CONCORDANT_SCREENSHOTS makes them, in all looks, the documentation's."""
    example = SimpleNamespace(**runpy.run_path(str(EXAMPLES / "desk.py")))
    into = SHOTS if os.environ.get("CONCORDANT_SCREENSHOTS") else tmp_path
    into.mkdir(exist_ok=True)
    size = {"width": 360, "height": 740} if look == "phone" else {"width": 1000, "height": 700}
    ws = Workspace(schemas=example.SCHEMAS)
    example.work(ws)
    [notes] = [one for one in ws.escalations() if one.path == ("notes",)]
    with Server(ws, user=lambda request: "maria") as server:
        page = chromium.new_page(viewport=size, color_scheme="dark" if look == "dark" else "light")
        page.set_default_timeout(PATIENCE * 1000)
        shots = {"inbox": "", "question": f"question/{notes.id}", "document": "document?doc=briefs/2026:launch"}
        for name, path in {**shots, "numbers": "numbers"}.items():
            page.goto(f"{server.url}/{path}")
            page.wait_for_timeout(100)
            page.screenshot(path=into / f"{name}-{look}.png", full_page=name != "inbox")
            assert (into / f"{name}-{look}.png").stat().st_size > 10_000
        page.close()
