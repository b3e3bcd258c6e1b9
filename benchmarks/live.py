"""Live documents: what a person's letter costs the server, and how long it is on its way to another person."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated, Any

import websockets
from loro import ExportMode, LoroDoc
from pydantic import BaseModel

from benchmarks.measure import Note, Row, collecting, once
from benchmarks.subjects import Sizes
from benchmarks.texts import prose
from concordant import Counter, Text, Workspace
from concordant_loro import LiveDocument, LiveServer

__all__ = ["GROUP", "has_client", "rows"]

GROUP = "live documents"
PLACE = ("briefs",), "launch"
ROOM = "briefs:launch"
NPM = Path(__file__).parent.parent / "tests" / "live" / "npm"
PERSONS = ("maria", "john")
AGENTS = ("ada", "bob")
LETTERS = 0x4E00
"""Each person has a thousand letters from here on, that stand in no other text."""


class Draft(BaseModel):
    body: Annotated[str, Text()] = ""
    edits: Annotated[int, Counter()] = 0


def rows(sizes: Sizes) -> Iterator[Row | Note]:
    """All rows about live documents."""
    for size, budget in sizes.live:
        yield from received(size, budget, sizes)
    yield from on_the_way(sizes)


def begin(ws: Workspace, size: int) -> Workspace:
    """Writes a document with a sentence of each person and each agent."""
    own = [*(f"{name} says" for name in PERSONS), *(f"So {name} thinks." for name in AGENTS)]
    ws.agent("planner").write(*PLACE, {"body": "\n".join([*own, prose(size, 4)])})
    return ws


def started(size: int) -> Workspace:
    """Such a document in memory."""
    return begin(Workspace(schemas={PLACE[0]: Draft}), size)


def received(size: int, budget: float, sizes: Sizes) -> Iterator[Row]:
    """Letters typed one by one: taken in, committed, and what the person and another are to be sent, made."""
    with started(size) as ws, LiveDocument(ws, *PLACE) as live:
        session, other = live.connect("maria"), live.connect("john")
        doc = LoroDoc()  # type: ignore[no-untyped-call]
        doc.peer_id = session.peer
        for each in (session, other):
            doc.import_(each.outgoing() or b"")
        text, chance, times = doc.get_text("text:body"), random.Random(5), []
        known, at = doc.oplog_vv, 0

        def answer(update: bytes) -> None:
            session.receive(update)
            answers.append(session.outgoing())
            other.outgoing()

        with collecting(False):
            for number in range(sizes.typed):
                at = at + 1 if number % 20 else chance.randrange(len(text))
                text.insert(at, "x")
                doc.commit()
                answers: list[bytes | None] = []
                times.append(once(answer, doc.export(ExportMode.Updates(known))) / 1e3)
                assert answers[0] is not None
                doc.import_(answers[0])
                known = doc.oplog_vv
        assert doc.get_text("text:body").to_string() == ws.get(*PLACE).value["body"]  # type: ignore[union-attr]
    label = f"a letter at {size / 1e3:,.0f} kB: received, committed, and answered"
    yield Row(GROUP, label, median(times), unit="ms", budget=budget, absolute=True)
    yield Row(GROUP, f"{label}: mean", sum(times) / len(times), unit="ms")


def on_the_way(sizes: Sizes) -> Iterator[Row | Note]:
    """Two persons and two agents: how long a letter of one person is on its way to the other."""
    size = sizes.live[0][0]
    for where, way in (("npm's client", through_clients), ("the desk's editor", through_browsers)):
        for is_loaded in sizes.loaded:
            with busy(is_loaded):
                times = way(size, sizes)
            if isinstance(times, str):
                yield Note(GROUP, times)
                break
            label = f"a letter at {size / 1e3:,.0f} kB from {where} to another"
            label += ", every core has something else to compute" if is_loaded else ""
            yield Row(GROUP, f"{label}: median", median(times), unit="ms", budget=50, absolute=True)
            yield Row(GROUP, f"{label}: 95th percentile", quantiles(times, n=20)[-1], unit="ms")


def has_client() -> bool:
    """Whether npm's client is set up."""
    return shutil.which("node") is not None and (NPM / "node_modules").exists()


def through_clients(size: int, sizes: Sizes) -> list[float] | str:
    """By npm's client, in a process for each person."""
    if not has_client():
        return "npm's client is not set up: make test-core does it, where there are node and npm."
    return asyncio.run(typed(size, sizes))


def through_browsers(size: int, sizes: Sizes) -> list[float] | str:
    """By the desk's editor, in a window of Chromium's for each person; from where a letter is shown to where it is."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        return "Chromium is not here: the desk's editor was not measured."
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "benchmarks.live_desk", str(size)]
    with sync_playwright() as playwright, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as desk:
        assert desk.stdout is not None
        try:
            url = desk.stdout.readline().strip()
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            pages = [_window(browser, url, name) for name in PERSONS]
            for number in range(sizes.letters):
                for each, page in enumerate(pages):
                    page.keyboard.insert_text(chr(LETTERS + 1_000 * each + number))
                    page.wait_for_timeout(60)
            all_ = sizes.letters * len(PERSONS)
            for page in pages:
                page.wait_for_function(f"() => Object.keys(window.shown).length === {all_}")
            told: list[dict[str, float]] = [page.evaluate("() => window.shown") for page in pages]
            browser.close()
        finally:
            desk.kill()
    return [abs(told[0][letter] - told[1][letter]) for letter in told[0]]


SHOWN = """() => {
  const text = document.querySelector("[data-root='text:body'] .cm-content");
  window.shown = {};
  new MutationObserver(() => {
    const at = performance.timeOrigin + performance.now();
    for (const letter of text.textContent.match(/[\\u4e00-\\u9fff]/g) ?? []) window.shown[letter] ??= at;
  }).observe(text, { subtree: true, childList: true, characterData: true });
}"""
"""Notes when a page has shown each letter first."""


def _window(browser: Any, url: str, name: str) -> Any:
    """The editor in a window of somebody's, with the cursor behind their sentence."""
    context = browser.new_context()
    context.set_default_timeout(300_000)
    context.add_cookies([{"name": "who", "value": name, "url": url}])
    page = context.new_page()
    page.goto(f"{url}/editor?doc={ROOM}")
    page.locator(".cm-line", has_text=f"{name} says").click()
    page.keyboard.press("End")
    page.evaluate(SHOWN)
    return page


@contextmanager
def busy(is_loaded: bool) -> Iterator[None]:
    """Has as many processes as there are cores compute meanwhile."""
    count = (os.cpu_count() or 1) if is_loaded else 0
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


async def typed(size: int, sizes: Sizes) -> list[float]:
    """Lets the two persons type, in processes of their own; for each letter the milliseconds until the other had it."""
    with started(size) as ws:
        async with serving(ws) as url:
            agents = [asyncio.create_task(agent(ws, name)) for name in AGENTS]
            persons = [await person(url, name, number, sizes) for number, name in enumerate(PERSONS)]
            for word in ("ready", "done"):
                for one in persons:
                    line = await asyncio.wait_for(one.stdout.readline(), 300)
                    assert line.strip() == word.encode(), line
                for one in persons:
                    one.stdin.write(b"\n")
                    await one.stdin.drain()
            for one in agents:
                one.cancel()
            told = [json.loads((await asyncio.wait_for(one.communicate(), 60))[0]) for one in persons]
    found = []
    for mine, others in (told, told[::-1]):
        found += [others["seen"][letter] - when for letter, when in mine["typed"].items()]
    return found


async def person(url: str, name: str, number: int, sizes: Sizes) -> Any:
    """Starts somebody who types."""
    pipe = asyncio.subprocess.PIPE
    given = [url, ROOM, name, sizes.letters, 120, LETTERS + 1_000 * number]
    command = ["node", "typist.mjs", *map(str, given)]
    return await asyncio.create_subprocess_exec(*command, cwd=NPM, stdin=pipe, stdout=pipe, limit=2**24)


async def agent(ws: Workspace, name: str) -> None:
    """An agent that writes in a sentence of its own, each time by what it has read."""
    handle, number = ws.agent(name), 0
    while True:
        number += 1
        with handle.edit(*PLACE) as draft:
            await asyncio.sleep(0.1)
            draft.body = thought(draft.body, name, number)
            draft.edits += 1
        await asyncio.sleep(0.1)


def thought(body: str, name: str, number: int) -> str:
    """What a body says when an agent has written in its sentence."""
    return re.sub(rf"So {name} thinks.*?[.]", f"So {name} thinks {number}.", body, count=1)


@asynccontextmanager
async def serving(ws: Workspace) -> AsyncIterator[str]:
    """The address of a server; whoever says a name is it."""
    server = LiveServer(ws, lambda _, auth: auth.decode())
    async with websockets.serve(server.serve, "127.0.0.1", 0, max_size=2**20, close_timeout=0.5) as sockets:
        yield f"ws://127.0.0.1:{next(iter(sockets.sockets)).getsockname()[1]}"
        await server.close()
