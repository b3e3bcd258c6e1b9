"""What others may try on the desk: scripts in every name and value, forged forms, rebinding, tokens, paths, size."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from concordant import ConcordantError, Workspace
from concordant.desk import app
from concordant.desk.wording import place
from tests.desk.conftest import NS, PLACE, Browser, disagree

NASTY = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}${7*7}javascript:alert(1)\x1b[2J\u202ex"
LOCAL = ("127.0.0.1", 50_000)


class Tags(HTMLParser):
    """The tags and attributes that a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.bad: list[Any] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name.startswith("on") or name == "style" or (value or "").strip().lower().startswith("javascript:"):
                self.bad.append((tag, name, value))
        if tag == "script" and not dict(attrs).get("src"):
            self.bad.append((tag, attrs))
        if tag in ("img", "iframe", "object", "embed", "base"):
            self.bad.append((tag, attrs))


def nasty_workspace() -> Workspace:
    """A store in which every name, key and value tries something."""
    ws = Workspace()
    ada, bob = ws.agent(NASTY), ws.agent(f"{NASTY}2")
    for agent, value in ((ada, NASTY), (bob, {NASTY: [NASTY]})):
        agent.write((NASTY, "b"), NASTY, {NASTY: value, "other": [NASTY, agent.name]})
    return ws


def test_nothing_that_is_stored_becomes_markup() -> None:
    """Names, keys, values, agents, origins and errors are text on every page, whatever they are."""
    ws = nasty_workspace()
    browser = Browser(ws, NASTY)
    [first, second] = ws.escalations()
    doc = place((NASTY, "b"), NASTY)
    urls = ["/", "/documents", "/decisions", "/numbers", "/who", f"/question/{first.id}", f"/question/{second.id}"]

    def check() -> None:
        assert Tags(browser.html).bad == [], browser.html
        shown = re.sub(r"<textarea.*?</textarea>", "", browser.html, flags=re.S)  # what can be edited is as it is
        shown = re.sub(r"<[^>]*>", "", shown)
        assert "\x1b" not in shown and "\u202e" not in shown and "{{7*7}}" in shown
        assert "alert(1)" in browser.text

    def get(url: str, **params: str) -> None:
        browser._took(browser.client.get(url, params=params))
        check()

    for url in urls:
        get(url)
    get("/document", doc=doc, one="1", two="2")
    get("/document", doc=doc, at="1")
    get("/document", doc=NASTY)
    get("/who", name=NASTY)
    get("/undo", agent=NASTY, namespace=NASTY)
    get("/undo", agent="nobody")
    get("/", namespace=NASTY, agent=NASTY, reason=NASTY, claimed=NASTY)
    get(f"/question/{first.id}")
    browser.post(f"/question/{first.id}", action="edit", v=NASTY)
    check()
    browser.post(f"/question/{first.id}", action=NASTY)
    get("/")
    browser.post("/bulk", choice="agent", of=NASTY, all="1")
    check()
    browser.post("/bulk", pick=[f"{second.id}@{NASTY}"])
    check()
    get("/decisions")
    answer = browser.client.get(f"/question/{first.id}/raw?side=1")
    assert answer.headers["content-type"].startswith("text/plain") and "attachment" in str(answer.headers)


def test_every_answer_tells_browsers_what_not_to_do(browser: Browser) -> None:
    """No inline script or style, no other origin, no frame, no guess of types, no address told to others, no cache."""
    for url in ("/", "/nowhere", "/static/desk.js", "/numbers/open.csv"):
        headers = browser.client.get(url).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy and "style-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "same-origin"
    assert browser.client.get("/").headers["cache-control"] == "no-store"
    assert not re.search(r'(?:src|href)="(?:https?:)?//', browser.get("/"))


def test_forged_forms_are_refused(ws: Workspace, browser: Browser, question_of: Any) -> None:
    """Without the secret of one's own page, or from another site, nothing is decided."""
    question = question_of("status")
    url = f"/question/{question.id}"
    browser.get(url)
    csrf = re.search(r'name="csrf" value="([^"]+)"', browser.html)[1]  # type: ignore[index]
    good = {"csrf": csrf, "version": question.version, "action": "take-1"}
    for sent, headers in (
        ({**good, "csrf": ""}, {}),
        ({**good, "csrf": "x" * 43}, {}),
        ({name: value for name, value in good.items() if name != "csrf"}, {}),
        (good, {"Origin": "https://evil.example"}),
        (good, {"Origin": "null"}),
        (good, {"Sec-Fetch-Site": "cross-site"}),
        (good, {"Sec-Fetch-Site": "same-site"}),
    ):
        assert browser.client.post(url, data=sent, headers=headers).status_code == 403, (sent, headers)
    stranger = Browser(ws)
    assert stranger.client.post(url, data=good).status_code == 403
    for other in ("/bulk", "/document"):
        assert browser.client.post(other, data={"choice": "dismiss", "all": "1"}).status_code == 403
    assert question_of("status").state == "open"
    assert browser.client.post(url, data=good, headers={"Origin": "http://testserver"}).status_code == 200


def local(ws: Workspace, address: Any = LOCAL, **settings: Any) -> TestClient:
    return TestClient(app(ws, **settings), base_url="http://127.0.0.1:8737", client=address, follow_redirects=False)


def test_without_a_login_it_is_for_this_machine_alone(ws: Workspace) -> None:
    """Another address, a proxy's word for another, and a name that somebody's DNS points here are refused."""
    assert local(ws).get("/").status_code == 200
    for host in ("localhost", "localhost:1234", "127.0.0.1", "[::1]:8737"):
        assert local(ws).get("/", headers={"Host": host}).status_code == 200, host
    for host in (
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.example:8737",
        "",
        "a@b",
        "[",
    ):
        for url in ("/", "/events", "/static/desk.js"):
            assert local(ws).get(url, headers={"Host": host}).status_code == 421, host
    for address in (("192.168.0.7", 1), ("::ffff:8.8.8.8", 1), ("8.8.8.8", 1), ("nonsense", 1)):
        assert local(ws, address).get("/").status_code == 403, address
    assert local(ws).get("/", headers={"X-Forwarded-For": "8.8.8.8"}).status_code == 403


def test_the_link_has_a_token_that_is_told_to_nobody(ws: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    """It is taken out of the address at once, kept in a cookie that scripts cannot read, and logged nowhere."""
    token = "s3cret-token-of-the-desk"
    client = local(ws, token=token)
    with caplog.at_level(logging.DEBUG):
        for url in ("/", "/decisions", "/static/desk.css", "/events", "/?token=wrong", "/?token="):
            assert client.get(url).status_code == 401, url
        assert local(ws, token=token).get("/", headers={"Cookie": "concordant_desk_8737=wrong"}).status_code == 401
        entered = client.get(f"/documents?token={token}&namespace=briefs")
        assert (entered.status_code, entered.headers["location"]) == (303, "/documents?namespace=briefs")
        cookie = entered.headers["set-cookie"]
        assert "HttpOnly" in cookie and "samesite" in cookie.lower() and entered.headers["referrer-policy"]
        page = client.get("/documents?namespace=briefs")
        assert page.status_code == 200 and token not in page.text
    lines = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert not [line for line in lines if token in line]
    elsewhere = local(ws, token=token)
    for url in (f"//evil.example/?token={token}", f"/\\evil.example/?token={token}"):
        where = elsewhere.get(f"http://127.0.0.1:8737{url}").headers.get("location", "/")
        assert re.match(r"/(?![/\\])", where), where
    assert local(ws, token=token).get("/", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert local(ws, token=token).get("/", headers={"Authorization": "Bearer wrong"}).status_code == 401


async def test_user_says_who_may_come_in(ws: Workspace) -> None:
    """The team's own login: a plain or an async function, mounted anywhere; who is nobody is refused."""

    async def user(request: Any) -> str | None:
        return request.headers.get("x-user")  # type: ignore[no-any-return]

    outer = Starlette(routes=[Mount("/desk", app(ws, user=user))])
    client = TestClient(outer, base_url="https://team.example")
    assert client.get("/desk/").status_code == 403
    page = client.get("/desk/", headers={"X-User": "zoe"})
    assert "zoe" in page.text and 'href="/desk/decisions"' in page.text
    assert "Secure" in page.headers["set-cookie"] and "Path=/desk" in page.headers["set-cookie"]
    for url in re.findall(r'(?:href|src|action)="(/[^"]*)"', page.text):
        assert url.startswith("/desk/") and client.get(
            url.replace("&amp;", "&"), headers={"X-User": "zoe"}
        ).status_code in (200, 405)
    named = TestClient(app(ws, user=user, hosts=["team.example"]), base_url="http://evil.example")
    assert named.get("/", headers={"X-User": "zoe"}).status_code == 421


def test_no_path_leads_out(browser: Browser) -> None:
    """Nothing but the desk's own files is served, however an address is written."""
    for url in (
        "/static/../web.py",
        "/static/..%2fweb.py",
        "/static/%2e%2e/%2e%2e/errors.py",
        "/static//etc/passwd",
        "/static/....//web.py",
        "/question/..%2f..%2fetc%2fpasswd",
        "/numbers/..%2f..%2fetc.csv",
        "/document?doc=../../etc:passwd",
    ):
        answer = browser.client.get(url)
        assert answer.status_code == 404 and "root:" not in answer.text and "import " not in answer.text, url


def test_ten_megabytes_make_no_heavy_page() -> None:
    """Of a huge value a page shows the beginning and how much more there is; all of it can be fetched."""
    ws = Workspace()
    big = "".join(f"Word {n} of many. " for n in range(600_000))[: 10 * 2**20]
    ada, bob = ws.agent("ada"), ws.agent("bob")
    ada.write(NS, "big", {"text": big, "other": 1})
    bob.write(NS, "big", {"text": f"{big}!", "other": 2})
    browser = Browser(ws)
    question = next(one for one in ws.escalations() if one.path == ("text",))
    for url in ("/", f"/question/{question.id}", "/decisions", "/document?doc=briefs/2026:big&one=1"):
        browser.get(url)
        assert browser.status == 200 and len(browser.html) < 400_000, (url, len(browser.html))
    browser.get(f"/question/{question.id}")
    assert "too long to edit" in browser.text and "more characters" in browser.text
    assert browser.client.get(f"/question/{question.id}/raw?side=1").text == big
    sent = {"csrf": re.search(r'name="csrf" value="([^"]+)"', browser.html)[1], "version": question.version}  # type: ignore[index]
    for name, content, status in (("", b"", 422), ("f.txt", b"\xff", 400), ("f.txt", f"{big}\r\n--x?".encode(), 200)):
        answer = browser.client.post(
            f"/question/{question.id}", data={**sent, "action": "file"}, files={"file": (name, content)}
        )
        assert answer.status_code == status, answer.text[:1000]
    assert ws.get(NS, "big").value["text"] == f"{big}\r\n--x?"  # type: ignore[union-attr]
    number = ws.reopen(next(one for one in ws.escalations() if one.path == ("other",)), by="eve")
    for content, status in ((b"many,", 422), (b"7", 200)):
        answer = browser.client.post(
            f"/question/{number.id}",
            data={**sent, "action": "file", "version": number.version},
            files={"file": ("f", content)},
        )
        assert answer.status_code == status, answer.text[:1000]
    assert ws.get(NS, "big").value["other"] == 7  # type: ignore[union-attr]
    csrf = re.search(r'name="csrf" value="([^"]+)"', browser.html)[1]  # type: ignore[index]
    answer = browser.client.post(f"/question/{question.id}", data={"csrf": csrf, "v": "x" * (17 * 2**20)})
    assert answer.status_code == 413


def test_many_long_sides_make_no_heavy_page() -> None:
    """Fifty questions of twenty long sides each: a row shows the beginning of some."""
    ws = Workspace()
    for agent in [ws.agent(f"agent{n}") for n in range(20)]:
        agent.write(NS, "many", {f"field{n}": f"{agent.name} says word after word. " * 1_000 for n in range(50)})
    browser = Browser(ws)
    browser.get("/")
    assert "of 50" in browser.text and len(browser.html) < 1_000_000, len(browser.html)
    browser.get(f"/question/{ws.escalations()[0].id}")
    assert len(browser.html) < 1_000_000, len(browser.html)


def test_what_is_nested_too_deeply_is_told(ws: Workspace, browser: Browser, question_of: Any) -> None:
    """A message, and nothing was decided."""
    free = Workspace()
    for agent in [free.agent(name) for name in ("ada", "bob")]:
        agent.write(NS, "free", {"field": {"by": agent.name}})
    browser = Browser(free)
    [question] = free.escalations()
    browser.get(f"/question/{question.id}")
    browser.post(f"/question/{question.id}", action="edit", v="[" * 200_000)
    assert browser.status == 422 and "This is not JSON" in browser.text


def test_a_spreadsheet_runs_nothing() -> None:
    """Names that begin like a formula are quoted in CSV."""
    ws = Workspace()
    for agent in [ws.agent(name) for name in ("=cmd()", "@x", "+1", "-1")]:
        agent.write(("=n",), "k", {"=f": agent.name})
    browser = Browser(ws)
    for name in ("writes", "fields"):
        found = browser.client.get(f"/numbers/{name}.csv").text
        assert ("=cmd()" in found or "=f" in found) and not re.search(r"(?m)(?:^|,)[=@+-]", found), found


def test_without_the_extra_it_says_what_to_install() -> None:
    """The core imports no web library; the desk says what it needs; a thing that is no workspace is refused."""
    code = (
        "import sys, concordant, concordant.desk\n"
        "assert not {'starlette', 'jinja2', 'uvicorn'} & set(sys.modules)\n"
        "sys.modules['jinja2'] = None\n"
        "try: concordant.desk.app(concordant.Workspace())\n"
        "except concordant.ConcordantError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'concordant[desk]'" in done.stdout
    with pytest.raises(ConcordantError, match="not of a str"):
        app("team.db")  # type: ignore[arg-type]


def test_an_error_inside_is_told_to_nobody(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback leaves the server."""
    monkeypatch.setattr(Workspace, "stats", lambda self: 1 / 0)
    client = TestClient(app(ws, user=lambda request: "maria"), raise_server_exceptions=False)
    answer = client.get("/numbers")
    assert answer.status_code == 500 and "division" not in answer.text


def test_questions_by_place(ws: Workspace, browser: Browser) -> None:
    """A document is asked for by its place as the command line writes it."""
    disagree(ws, carl={"done": True})
    browser.get(f"/document?doc={PLACE}")
    assert browser.status == 200
