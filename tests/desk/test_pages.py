"""The pages without JavaScript: every flow works by links and forms alone."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import date
from html import unescape
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import Scalar, Schema, Workspace
from tests.desk.conftest import FIRST, NOTES, NS, PLACE, Brief, Browser, Plan, Size, disagree

Questions = Callable[[str], Any]


def test_inbox_lists_the_oldest_first_and_narrows(ws: Workspace, browser: Browser) -> None:
    """Each question with its sides and names; filters by namespace, reason, agent, age and who claimed it."""
    assert "status" in browser.get("/") and "1 to 2 of 2" in browser.text
    assert "draft" in browser.text and "ada" in browser.text and "bob" in browser.text
    disagree(ws, carl={"due": date(2026, 6, 1)}, dora={"due": date(2026, 7, 1)})
    text = browser.get("/") and browser.text
    assert text.index("status in") < text.index("due in") and "of 3" in text
    [late] = [one for one in ws.escalations() if one.path == ("due",)]
    ws.claim(late, by="eve")
    for narrowed, count in {
        "namespace=briefs": 3,
        "namespace=other": 0,
        "reason=text": 1,
        "agent=carl": 1,
        "age=1h": 0,
        "claimed=nobody": 2,
        "claimed=somebody": 1,
        "claimed=eve": 1,
    }.items():
        browser.get(f"/?{narrowed}")
        assert (f"of {count}" in browser.text) == (count > 0), narrowed
        assert ("No open question matches" in browser.text) == (count == 0)


def test_an_empty_inbox_says_so() -> None:
    """Nothing waits."""
    browser = Browser(Workspace())
    browser.get("/")
    assert "Nothing waits for a decision" in browser.text
    for page in ("documents", "decisions", "numbers", "who"):
        browser.get(f"/{page}")
        assert browser.status == 200, page


def test_inbox_has_pages() -> None:
    """Fifty questions a page, in order, each once."""
    ws = Workspace()
    ada, bob = ws.agent("ada"), ws.agent("bob")
    for agent, value in ((ada, 1), (bob, 2)):
        agent.write(("plans",), "many", {f"field{n:03}": value for n in range(120)})
    browser, seen = Browser(ws), []
    for start in (0, 50, 100):
        browser.get(f"/?from={start}")
        seen += [f"field{n:03}" for n in range(120) if f">field{n:03}<" in browser.html]
    assert sorted(seen) == [f"field{n:03}" for n in range(120)]
    browser.get("/?from=9999999")
    assert "101 to 120 of 120" in browser.text


def test_question_shows_base_sides_and_the_place(browser: Browser, question_of: Questions) -> None:
    """Base and sides beside each other, with names, times, origins and differences; the sentence among its
    neighbours."""
    question = question_of("notes")
    browser.get(f"/question/{question.id}")
    assert "Base agreed before The fox jumps over the dog." in browser.text
    assert "The <ins>red </ins>fox jumps over the dog." in browser.html
    assert "over the <ins>lazy </ins>dog." in browser.html
    assert "We ship in May. <mark>The fox jumps over the dog.</mark> Nobody objects." in browser.html
    assert "Take the suggestion" in browser.text and question.contenders[0].origin in browser.text
    browser.get(f"/question/{question_of('status').id}")
    assert "In its place status new due 2026-05-01".replace(" ", "") in browser.text.replace(" ", "")


@pytest.mark.parametrize("button", ["take", "suggestion", "base", "dismiss"])
def test_one_click_decides(ws: Workspace, browser: Browser, question_of: Questions, button: str) -> None:
    """A side, the suggestion, the base; then the inbox says so, and takes it back."""
    question = question_of("notes")
    url = f"/question/{question.id}"
    number = [side.agent for side in question.contenders].index("bob") + 1
    browser.get(url)
    browser.post(url, action=f"take-{number}" if button == "take" else button)
    assert "by maria" in browser.text and "of 1" in browser.text
    expected = {"take": "over the lazy dog", "suggestion": "The red fox jumps over the lazy dog"}.get(button, NOTES)
    document = ws.get(NS, "launch")
    assert document is not None and expected in document.value["notes"]
    assert ws.history(NS, "launch")[0].agent == "maria"
    browser.post(url, action="reopen")
    again = question_of("notes")
    assert {side.agent for side in again.contenders} == {"ada", "bob"} and again.base == question.base


def test_claiming_tells_others(ws: Workspace, browser: Browser, question_of: Questions) -> None:
    """Who opens it then sees who is at it, and may take over knowingly."""
    url = f"/question/{question_of('status').id}"
    other = Browser(ws, "eve")
    browser.get(url), other.get(url)
    browser.post(url, action="claim")
    assert "Claimed by maria" in browser.text
    other.get(url)
    assert "Claimed by maria" in other.text
    other.post(url, action="take-1")
    assert question_is(ws, "status") == "resolved"


def question_is(ws: Workspace, name: str) -> str:
    [found] = [one for one in ws.escalations(state="all") if one.path == (name,)]
    return found.state


def test_what_is_sent_twice_is_done_once(ws: Workspace, browser: Browser, question_of: Questions) -> None:
    """The same decision by the same person is no refusal; another one, or by another, is."""
    question = question_of("status")
    browser.get(f"/question/{question.id}")
    page = browser.html
    for action, status in (("take-1", 200), ("take-1", 200), ("take-2", 409), ("dismiss", 409)):
        browser.html = page
        browser.post(f"/question/{question.id}", action=action)
        assert browser.status == status, action
    eve = Browser(ws, user="eve")
    eve.get(f"/question/{question_of('notes').id}")
    assert "resolved by maria" not in eve.text
    assert [entry.act for entry in ws.history(NS, "launch")].count("resolve") == 1


def test_only_deciders_decide(tmp_path: Path) -> None:
    """By the name that `user=` gives: others see the sides and who may, get no buttons, and a form that they send all
    the same is refused; so is one whose own side it is."""
    with Workspace(f"sqlite:///{tmp_path}/x.db", schemas={NS: Schema(Brief, deciders=("human:*",))}) as ws:
        ws.agent("planner").write(NS, "launch", FIRST)
        fox = {name: {"notes": NOTES.replace("fox", animal)} for name, animal in (("ada", "cat"), ("human:eve", "cow"))}
        disagree(ws, **fox)
        [question] = ws.escalations()
        for user, said in (("bob", "may not decide about"), ("human:eve", "its own")):
            browser = Browser(ws, user=user)
            csrf = re.search(r'name="csrf" value="([^"]+)"', browser.get("/"))
            assert csrf is not None
            browser.get(f"/question/{question.id}")
            assert ("Take this" in browser.text) == (user != "bob") and "cat" in browser.text
            assert user != "bob" or said in browser.text
            for action in ("take-1", "dismiss", "edit"):
                sent = {"csrf": csrf[1], "version": question.version, "action": action, "v": "Typed."}
                answer = browser.client.post(f"/question/{question.id}", data=sent)
                assert answer.status_code == 403 and said in answer.text, (user, action)
            pick = f"{question.id}@{question.version}"
            bulk = {"csrf": csrf[1], "confirmed": "1", "choice": "latest", "pick": pick}
            answer = browser.client.post("/bulk", data=bulk)
            assert said in answer.text and ws.escalations() == [question]
            if user == "bob":
                for path, sent in (("/override", {"path": '["rank"]'}), ("/undo", {"agent": "ada"})):
                    answer = browser.client.post(path, data={"csrf": csrf[1], "doc": f"{NS[0]}/{NS[1]}:launch", **sent})
                    assert said in answer.text and ws.escalations() == [question], path
        maria = Browser(ws, user="human:maria")
        maria.get(f"/question/{question.id}")
        maria.post(f"/question/{question.id}", action="take-1")
        assert ws.escalations() == []
        eve = browser  # whose side was settled; bob never may
        for user, status in ((Browser(ws, user="bob"), 403), (eve, 200)):
            user.get("/")
            csrf = re.search(r'name="csrf" value="([^"]+)"', user.html)
            assert csrf is not None
            again = user.client.post(f"/question/{question.id}", data={"csrf": csrf[1], "action": "reopen"})
            assert again.status_code == status and len(ws.escalations()) == (status == 200)


def test_a_question_says_why_it_is_one(ws: Workspace, browser: Browser) -> None:
    """In words; a side that does not fit the model has no button."""
    ws.agent("carl").write(NS, "launch", {"euros": "many"})
    [question] = [one for one in ws.escalations() if one.reason == "type"]
    browser.get(f"/question/{question.id}")
    assert "not of the field's type" in browser.text and "It does not fit the model" in browser.text
    assert "take-1" not in browser.html


def test_names_in_any_script_read_as_they_are_written() -> None:
    """Each part of a place has a direction of its own; what joins an emoji, or letters of a script that needs it, is no
    escape; what could deceive is."""
    ws = Workspace()
    names = {
        "\u05d0\u05d1": "family \U0001f469\u200d\U0001f467",
        "\u0645\u06cc\u200c\u062e": "a\u200db",
        "x": "\u202eevil",
    }
    for agent in [ws.agent(name) for name in ("ada", "bob")]:
        for field, key in names.items():
            agent.write(("\u05e0\u05e1", "2026"), key, {field: agent.name})
    browser = Browser(ws)
    browser.get("/")
    assert "<bdi>\u05e0\u05e1</bdi>/<bdi>2026</bdi>:<bdi>family \U0001f469\u200d\U0001f467</bdi>" in browser.html
    assert "<bdi>\u0645\u06cc\u200c\u062e</bdi>" in browser.html
    assert "<bdi>a\\u200db</bdi>" in browser.html and "\\u202eevil" in browser.html and "\u202e" not in browser.html


def test_a_document_of_a_thousand_fields() -> None:
    """Its page shows the first and those that are asked about, and the way to all; a question shows its neighbours."""
    ws = Workspace()
    ada, bob = ws.agent("ada"), ws.agent("bob")
    for agent, value in ((ada, {f"field{n:03}": n for n in range(1000)}), (bob, {"field500": "x", "field900": "y"})):
        agent.write(NS, "large", value)
    browser = Browser(ws)
    browser.get("/document?doc=briefs/2026:large")
    assert browser.html.count("<dt>") == 152 and "848 more fields" in browser.text
    assert browser.html.count("open question</a>") == 2
    browser.get("/document?doc=briefs/2026:large&all=1")
    assert browser.html.count("<dt>") == 1000
    browser.get(f"/question/{ws.escalations()[0].id}")
    assert (
        browser.html.count("<dt>") == 25 and "488 fields above" in browser.text and "487 fields below" in browser.text
    )


def test_a_side_that_came_meanwhile_refuses_and_loses_nothing(
    ws: Workspace, browser: Browser, question_of: Questions
) -> None:
    """What was typed stands in the form, the new side is marked, and the next attempt decides."""
    question = question_of("notes")
    url = f"/question/{question.id}"
    browser.get(url)
    with ws.agent("carl", seen=ws.get(NS, "launch", at=1).token).edit(NS, "launch") as brief:  # type: ignore[union-attr]
        brief.notes = NOTES.replace("the dog", "a cat")
    browser.post(url, action="edit", v="What I <typed>.")
    assert browser.status == 409 and "Another side came while you looked" in browser.text
    assert "What I &lt;typed&gt;.</textarea>" in browser.html
    assert 'class="side fresh"' in browser.html and browser.html.count('<span class="tag">new</span>') == 1
    browser.post(url, action="edit", v="What I <typed>.")
    assert browser.status == 200
    assert ws.get(NS, "launch").value["notes"] == NOTES.replace("The fox jumps over the dog.", "What I <typed>.")  # type: ignore[union-attr]


def test_two_who_decide_at_once(ws: Workspace, browser: Browser, question_of: Questions) -> None:
    """The first counts; the second is told what was decided and keeps what she typed."""
    url = f"/question/{question_of('notes').id}"
    other = Browser(ws, "eve")
    browser.get(url), other.get(url)
    browser.post(url, action="take-1")
    other.post(url, action="edit", v="My own words.")
    assert other.status == 409 and "resolved by maria" in other.text and "My own words." in other.text


@pytest.mark.parametrize(
    ("field", "sides", "sort", "typed", "stored"),
    [
        ("status", ("draft", "final"), "<select", {"v": '"new"'}, "new"),
        ("status", ("draft", "final"), "<select", {"v": ""}, None),
        ("size", (Size.SMALL, Size.LARGE), "<select", {"v": '"large"'}, "large"),
        ("due", (date(2026, 6, 1), date(2026, 7, 1)), 'type="date"', {"v": "2026-08-01"}, "2026-08-01"),
        ("euros", (1, 2), 'type="number"', {"v": "7"}, 7),
        (
            "plan",
            (Plan(title="a", euros=1), Plan(title="b", euros=2)),
            "<fieldset",
            {"v.title": "c", "v.euros": "3", "v.due": "", "v.steps": "one\r\ntwo"},
            {"title": "c", "euros": 3, "due": None, "steps": ["one", "two"]},
        ),
    ],
)
def test_the_form_is_typed_by_the_model(
    ws: Workspace, browser: Browser, question_of: Questions, field: str, sides: Any, sort: str, typed: Any, stored: Any
) -> None:
    """Enum and literal make a choice, a date a date, a number a number, a nested model its fields."""
    for question in ws.escalations():
        ws.dismiss(question, by="maria")
    seen = ws.get(NS, "launch")
    assert seen is not None
    for agent, value in zip(("ada", "bob"), sides, strict=True):
        with ws.agent(agent, seen=seen.token).edit(NS, "launch") as brief:
            setattr(brief, field, value)
    url = f"/question/{question_of(field).id}"
    browser.get(url)
    assert sort in browser.html.partition('class="edit"')[2]
    browser.post(url, action="edit", **typed)
    assert browser.status == 200, browser.text
    assert ws.get(NS, "launch").value[field] == stored  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("field", "typed", "said", "beside"),
    [
        ("euros", {"v": "-1"}, "greater than or equal to 0", "v"),
        ("euros", {"v": "many"}, "This is not a number", "v"),
        ("status", {"v": '"lost"'}, "Input should be 'new', 'draft' or 'final'", "v"),
        ("due", {"v": "tomorrow"}, "valid date", "v"),
        ("plan", {"v.title": "c", "v.euros": "-3"}, "greater than or equal to 0", "v.euros"),
    ],
)
def test_the_models_own_messages_are_told_beside_the_input(
    ws: Workspace, browser: Browser, question_of: Questions, field: str, typed: Any, said: str, beside: str
) -> None:
    """What does not fit is refused with the model's words, and stands in the form still."""
    seen = ws.get(NS, "launch", at=1)
    assert seen is not None
    values: Any = {"euros": (1, 2), "status": ("draft", "final"), "due": (date(2026, 6, 1), date(2026, 7, 1))}
    values["plan"] = (Plan(title="a", euros=1), Plan(title="b", euros=2))
    if field != "status":
        for agent, value in zip(("ada", "bob"), values[field], strict=True):
            with ws.agent(agent, seen=seen.token).edit(NS, "launch") as brief:
                setattr(brief, field, value)
    url = f"/question/{question_of(field).id}"
    browser.get(url)
    browser.post(url, action="edit", **typed)
    assert browser.status == 422 and said in browser.text
    assert f'aria-describedby="{beside}-wrong"' in browser.html
    assert question_of(field).state == "open"


class Older(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    rank: Annotated[str | None, Scalar()] = None


class Newer(BaseModel):
    status: Annotated[int | None, Scalar()] = None
    rank: Annotated[str | None, Scalar()] = None


def test_a_side_that_does_not_fit_the_model_any_more(tmp_path: Path) -> None:
    """What the model of today does not take is told on the question's page, and can be typed anew."""
    url = f"sqlite:///{tmp_path}/old.db"
    with Workspace(url, schemas={NS: Older}) as ws:
        for agent in [ws.agent(name) for name in ("ada", "bob")]:
            agent.write(NS, "old", {"status": agent.name})
    with Workspace(url, schemas={NS: Newer}) as ws:
        browser, question = Browser(ws), ws.escalations()[0]
        address = f"/question/{question.id}"
        browser.get(address)
        browser.post(address, action="take-1")
        assert browser.status == 422 and "It does not fit" in browser.text and "Edit and take" in browser.text
        browser.post(address, action="edit", v="7")
        assert ws.get(NS, "old").value["status"] == 7  # type: ignore[union-attr]


def test_a_free_value_is_typed_as_json() -> None:
    """Without a model a text is a text, and anything else JSON."""
    ws = Workspace()
    ada, bob = ws.agent("ada"), ws.agent("bob")
    ada.write(NS, "free", {"a": {"deep": 1}, "b": "text"})
    bob.write(NS, "free", {"a": {"deep": 2}, "b": "other"})
    browser = Browser(ws)
    for name, wrong, typed, stored in (("a", "{", '{"deep": 3}', {"deep": 3}), ("b", None, "third", "third")):
        [question] = [one for one in ws.escalations() if one.path == (name,)]
        url = f"/question/{question.id}"
        browser.get(url)
        if wrong is not None:
            browser.post(url, action="edit", v=wrong)
            assert browser.status == 422 and "This is not JSON" in browser.text and ">\n{</textarea>" in browser.html
        browser.post(url, action="edit", v=typed)
        assert ws.get(NS, "free").value[name] == stored  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("choice", "of", "left", "values"),
    [
        ("agent", "bob", 1, {"status": "final", "due": "2026-05-01"}),
        ("agent", "dora", 2, {"status": "new", "due": "2026-07-01"}),
        ("latest", "bob", 0, {"status": "final", "due": "2026-07-01"}),
        ("base", "bob", 0, {"status": "new", "due": "2026-05-01"}),
        ("dismiss", "bob", 0, {"status": "new", "due": "2026-05-01"}),
    ],
)
def test_many_are_decided_at_once(
    ws: Workspace, browser: Browser, choice: str, of: str, left: int, values: dict[str, Any]
) -> None:
    """A preview of every value, then all that could be decided is; what could not is listed once, with reasons."""
    disagree(ws, carl={"due": date(2026, 6, 1)}, dora={"due": date(2026, 7, 1)})
    browser.get("/")
    browser.post("/bulk", all="1", choice=choice, of=of)
    assert f"{3 - left} of 3 questions" in browser.text
    assert f"{of} has no side in it" in browser.text or not left
    picks = [f"{one.id}@{one.version}" for one in ws.escalations()]
    browser.post("/bulk", pick=picks)
    assert f"{3 - left} decided" in browser.text
    assert len(ws.escalations()) == left
    document = ws.get(NS, "launch")
    assert document is not None and {name: document.value[name] for name in values} == values


def test_bulk_refuses_what_changed_since_the_preview(ws: Workspace, browser: Browser, question_of: Questions) -> None:
    """A question with a new side, and one that is settled by now, are refused by name; the others are decided."""
    disagree(ws, carl={"due": date(2026, 6, 1)}, dora={"due": date(2026, 7, 1)})
    browser.get("/")
    picks = [f"{one.id}@{one.version}" for one in ws.escalations()]
    browser.post("/bulk", pick=picks, choice="latest")
    assert "3 of 3 questions" in browser.text
    ws.resolve(question_of("status"), "new", by="eve")
    disagree(ws, frank={"due": date(2026, 8, 1)})
    with ws.agent("gina", seen=ws.get(NS, "launch", at=1).token).edit(NS, "launch") as brief:  # type: ignore[union-attr]
        brief.notes = NOTES.replace("the dog", "a cat")
    browser.post("/bulk", pick=picks)
    assert "1 decided" not in browser.text or "2 refused" in browser.text
    assert browser.text.count("since you saw it") == browser.html.count("<li>")
    assert question_of("notes").state == "open"


def test_document_tells_who_wrote_what_and_goes_back(ws: Workspace, browser: Browser) -> None:
    """Parts with names and colours, a timeline, what differs between two versions, and restoring one."""
    url = f"/document?doc={PLACE}"
    browser.get(url)
    assert "planner" in browser.text and "open question" in browser.text
    assert 'class="piece c0"' in browser.html
    browser.get(f"{url}&at=1")
    assert "Version 1" in browser.text and "Restore version 1" in browser.text
    with ws.agent("carl").edit(NS, "launch") as brief:
        brief.due, brief.tags = date(2027, 1, 1), {"z"}
    browser.get(f"{url}&one=1&two=99")
    assert "<ins>2027-01-01</ins>" in browser.html.replace("</del><ins>", "<ins>") or "<ins>2027" in browser.html
    browser.get(f"{url}&at=1")
    browser.post("/document", restore="1")
    document = ws.get(NS, "launch")
    assert document is not None and (document.value["due"], document.value["tags"]) == ("2026-05-01", ["a"])
    assert ws.history(NS, "launch")[0].agent == "maria"
    browser.get("/who?name=carl")
    assert "due, tags" in browser.text and "ada" not in browser.text
    browser.get("/documents?namespace=briefs")
    assert PLACE in browser.text


def test_a_deleted_document_has_its_history(ws: Workspace, browser: Browser) -> None:
    """It is said to be deleted, and can be restored."""
    agent = ws.agent("carl")
    agent.read(NS, "launch")
    agent.delete(NS, "launch")
    for question in ws.escalations():
        ws.dismiss(question, by="carl")
    browser.get(f"/document?doc={PLACE}")
    assert browser.status == 200 and "delete" in browser.text
    browser.get(f"/document?doc={PLACE}&at=1")
    browser.post("/document", restore="1")
    assert ws.get(NS, "launch") is not None


def test_decisions_show_people_writes_and_policies(ws: Workspace, browser: Browser, question_of: Questions) -> None:
    """What people, later writes and policies settled, newest first; each can be overridden."""
    ws.agent("carl").write(NS, "launch", {"status": "draft"})
    question = question_of("notes")
    ws.resolve(question, question.contenders[0].value, by="maria")
    browser.get("/decisions")
    assert "policy max" in browser.text and "a later write" in browser.text and "by maria" in browser.text
    assert browser.text.index("by maria") < browser.text.index("policy max")
    browser.post(f"/question/{question.id}", action="reopen")
    assert question_of("notes").state == "open" and "Take this" in browser.text


def test_what_a_policy_settled_can_be_overridden(ws: Workspace, browser: Browser, question_of: Questions) -> None:
    """The sides between which it decided, and a button that asks; what a person takes then stands."""
    browser.get("/decisions")
    assert "ada: 1 · bob: 2" in browser.text
    browser.post("/override")
    question = question_of("rank")
    assert str(browser.client.get(f"/question/{question.id}").url).endswith(question.id)
    assert browser.text.count("Take this") == 2 and "rank" in browser.text
    ws.resolve(question, 1, by="maria")
    assert ws.get(NS, "launch").value["rank"] == 1  # type: ignore[union-attr]
    browser.get("/decisions")
    assert "by policy" in browser.text and "resolved by maria" in browser.text
    for path in ("", "7", "[", '{"a": 1}'):
        browser.get("/decisions")
        browser.post("/override", path=path)
        assert browser.status == 400, browser.text
    answer = browser.client.post("/override", data={"csrf": "x"})
    assert answer.status_code == 403


def test_what_an_agent_did_is_taken_back_after_a_look(ws: Workspace, browser: Browser) -> None:
    """The preview shows each document before and after, and the questions; nothing is written until it is confirmed.
    Then it can be taken back itself."""
    ws.agent("mallory").write(NS, "launch", {"done": True, "tags": ["bad"]})
    ws.agent("carl").write(NS, "launch", {"done": False})
    browser.get("/who?name=mallory")
    assert "/undo?agent=mallory" in browser.html
    before = ws.get(NS, "launch")
    browser.get("/undo?agent=mallory")
    assert before is not None and ws.get(NS, "launch").value == before.value  # type: ignore[union-attr]
    assert "would be taken back in 1 document" in browser.text and "bad" in browser.html and PLACE in browser.text
    browser.post("/undo")
    assert "was taken back in 1 document" in browser.text
    after = ws.get(NS, "launch")
    assert after is not None and "bad" not in after.value["tags"] and ws.history(NS, "launch")[0].agent == "maria"
    again = re.search(r'href="(/undo\?agent=maria&amp;since=\d+)"', browser.html)
    assert again is not None
    browser.get(unescape(again[1]))
    browser.post("/undo")
    assert "bad" in ws.get(NS, "launch").value["tags"]  # type: ignore[union-attr]
    for url, status in {"/undo": 200, "/undo?agent=nobody": 200, "/undo?agent=a&since=x": 400}.items():
        browser.get(url)
        assert browser.status == status, (url, browser.text)
    browser.get("/undo?agent=nobody")
    assert "Those who have written" in browser.text


def test_numbers_are_tables_and_csv(ws: Workspace, browser: Browser) -> None:
    """Each plot is made of a table that reads without it, and there is a CSV of each."""
    browser.get("/numbers")
    assert browser.html.count("<table") == 6 and "Writes by agent and day" in browser.text
    rows = {}
    for name in ("outcomes", "shares", "fields", "open", "decided", "writes"):
        answer = browser.client.get(f"/numbers/{name}.csv")
        assert answer.headers["content-type"].startswith("text/csv")
        rows[name] = list(csv.reader(io.StringIO(answer.text)))
    assert rows["outcomes"][0] == ["day", "merged", "agreed", "settled", "escalated"]
    assert rows["outcomes"][1][1:] == ["0", "0", "1", "2"]
    assert rows["shares"][1][1:] == ["0.0", "0.0", "33.3", "66.7"]
    one = browser.client.get("/numbers/outcomes.csv?of=briefs/2026:rank").text.splitlines()[1]
    assert one.endswith(",0,0,1,0")
    browser.get("/numbers?of=briefs/2026:rank")
    assert '<option value="briefs/2026:rank" selected>' in browser.html
    assert ["briefs/2026", "status", "0", "0", "0", "1", "0.0"] in rows["fields"]
    assert rows["writes"][0][1:] == ["ada", "bob", "planner"] or set(rows["writes"][0][1:]) == {"ada", "bob", "planner"}
    assert rows["open"][1] == ["< 1 min", "2"]


def test_what_is_not_there_is_told(browser: Browser) -> None:
    """Pages that say what is wrong, and no traceback."""
    for url, status in {
        "/question/nonsense": 404,
        "/document?doc=nonsense": 400,
        "/document?doc=a:b": 404,
        "/nowhere": 404,
        "/numbers/nothing.csv": 404,
        f"/document?doc={PLACE}&at=0": 200,
        f"/document?doc={PLACE}&at=x&one=-1&two=": 200,
        "/?from=x&age=z&reason=%00": 200,
        "/who?before=x": 200,
    }.items():
        browser.get(url)
        assert browser.status == status, (url, browser.text)


def test_reasons_are_told_with_decisions_and_questions(ws: Workspace, browser: Browser, question_of: Questions) -> None:
    """Why somebody decided stands with the decision and on the question's page; markup in it is text."""
    question = question_of("status")
    ws.resolve(question, "final", by="lead", why="The <b>client</b> said so.")
    for page in ("/decisions", f"/question/{question.id}"):
        browser.get(page)
        assert "The &lt;b&gt;client&lt;/b&gt; said so." in browser.html and "<b>client" not in browser.html


@pytest.mark.parametrize("action", ["take-1", "dismiss", "edit"])
def test_who_decides_says_why(ws: Workspace, browser: Browser, question_of: Questions, action: str) -> None:
    """If she likes: what she typed is with the decision, in the document's history and in what she did; a decision that
    comes too late keeps it on the page."""
    question = question_of("notes")
    why = "The <b>client</b> said so,\r\nby phone. "
    browser.get(f"/question/{question.id}")
    typed = {"v": "My own words."} if action == "edit" else {}
    with ws.agent("carl", seen=ws.get(NS, "launch", at=1).token).edit(NS, "launch") as brief:  # type: ignore[union-attr]
        brief.notes = NOTES.replace("the dog", "a cat")
    browser.post(f"/question/{question.id}", action=action, why=why, **typed)
    assert browser.status == 409 and ws.escalation(question.id).state == "open"  # type: ignore[union-attr]
    assert "The &lt;b&gt;client&lt;/b&gt; said so," in browser.html
    browser.post(f"/question/{question.id}", action=action, why=why, **typed)
    settled = ws.escalation(question.id)
    assert settled is not None and settled.state != "open"
    assert settled.remarks[-1] == ("maria", "The <b>client</b> said so,\nby phone.")
    for page in ("/decisions", f"/document?doc={PLACE}", "/who?name=maria", f"/question/{question.id}"):
        browser.get(page)
        assert "<b>client</b> said so, by phone." in browser.text and "<b>client" not in browser.html, page


def test_a_decision_needs_no_reason(ws: Workspace, browser: Browser, question_of: Questions) -> None:
    """What is left empty, or is blank, is none; one that is too long is refused."""
    question = question_of("status")
    browser.get(f"/question/{question.id}")
    browser.post(f"/question/{question.id}", action="take-1", why="x" * 2_001)
    assert browser.status == 400 and "2,000" in browser.text
    browser.get(f"/question/{question.id}")
    browser.post(f"/question/{question.id}", action="take-1", why=" \r\n ")
    assert ws.escalation(question.id).remarks == ()  # type: ignore[union-attr]


def test_many_are_decided_for_one_reason(ws: Workspace, browser: Browser) -> None:
    """It is with each of the decisions."""
    browser.get("/")
    browser.post("/bulk", all="1", choice="dismiss", of="")
    picks = re.findall(r'name="pick" value="([^"]+)"', browser.html)
    browser.post("/bulk", pick=picks, why="All of it was a test.")
    assert [one.remarks[-1].text for one in ws.escalations(state="dismissed")] == ["All of it was a test."] * 2


def test_reasons_from_another_store_are_told(browser: Browser, ws: Workspace, question_of: Questions) -> None:
    """The history of a document tells why it was decided elsewhere."""
    other = Workspace(schemas={NS: Brief})
    other.import_(ws.export())
    [question] = [one for one in other.escalations() if one.path == ("status",)]
    other.resolve(question, "final", by="lead", why="The client said so.")
    ws.import_(other.export())
    for page in (f"/document?doc={PLACE}", "/who", "/decisions"):
        browser.get(page)
        assert "lead: The client said so." in browser.text, page


def test_subscriptions_are_shown_with_their_lag(ws: Workspace, browser: Browser) -> None:
    """Who receives, what waits and since when; one is forgotten after a look at what that loses; names are text."""
    assert "Nobody is subscribed" in (browser.get("/subscriptions") and browser.text)
    with ws.subscribe("bot"):
        ws.subscribe("<b>old</b>", from_start=True).close()
        browser.get("/subscriptions")
        assert "<b>old" not in browser.html
        assert re.search(r"<b>old</b>away2.*Forget.*botreceiving0", browser.text)
        browser.get("/subscriptions?forget=%3Cb%3Eold%3C/b%3E")
        assert "Forget <b>old</b>? It will never hear of the 2 that wait." in browser.text
        assert len(ws.subscriptions()) == 2
        browser.post("/subscriptions")
        assert [one.name for one in ws.subscriptions()] == ["bot"] and "<b>old" not in browser.text
        browser.get("/subscriptions?forget=bot")
        assert "Somebody receives under this name now" in browser.text
        browser.get("/subscriptions?forget=nobody")
        assert "Forget nobody" not in browser.text
