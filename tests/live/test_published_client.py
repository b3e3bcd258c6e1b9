"""The published client of the Loro protocol (npm's ``loro-websocket``), unchanged, in processes of its own."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from concordant import Workspace
from tests.patience import PATIENCE

from .simulation import PLACE, Brief, prose
from .test_wire import ROOM, serving

NPM = Path(__file__).parent / "npm"


async def agent(ws: Workspace, name: str, seed: int) -> int:
    """An agent that rewrites words as people type; returns how much it has added to the counter."""
    handle, chance, number = ws.agent(name), random.Random(seed), 0
    try:
        while True:
            with handle.edit(*PLACE) as brief:
                await asyncio.sleep(0.02)  # it thinks
                words = brief.body.split(" ")
                at = chance.randrange(min(60, len(words)))
                words[at] = f"{name}{number}" if chance.random() < 0.5 else f"{words[at]} {name}{number}"
                brief.body, brief.tokens = " ".join(words), brief.tokens + 1
            number += 1
            await asyncio.sleep(0.03)
    except asyncio.CancelledError:
        return number


async def people(ws: Workspace, url: str, seconds: float, names: tuple[str, ...]) -> list[Any]:
    """Persons at the published client, in processes of their own; what each has at the end."""
    pipe = asyncio.subprocess.PIPE
    processes = [
        await asyncio.create_subprocess_exec(
            "node", "person.mjs", url, ROOM, name, str(seconds), str(number), cwd=NPM, stdin=pipe, stdout=pipe,
            limit=2**24,
        )
        for number, name in enumerate(names)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), seconds + PATIENCE) == b"done\n"
    version = -1
    while version != (version := ws.get(*PLACE).version):
        await asyncio.sleep(0.7)  # what they sent last is on its way, and agents may be at work
    found = [await asyncio.wait_for(process.communicate(f"{version}\n".encode()), PATIENCE) for process in processes]
    return [json.loads(out) for out, _ in found]


def check_agreed(ws: Workspace, told: list[Any], added: int) -> None:
    """All documents are equal, the counter is exact, and each person is named."""
    document = ws.get(*PLACE)
    for one in told:
        assert one["value"]["text:body"] == document.value["body"], one["name"]
        assert one["value"]["fields"]["tokens"] == str(document.value["tokens"])
        assert [json.loads(row) for row in one["value"]["list:rows"]] == document.value.get("rows", [])
        assert one["typed"] > 3
    assert document.value["tokens"] == sum(one["more"] for one in told) + added
    named = {name for credits in ws.blame(*PLACE).values() for credit in credits for name in credit.agents}
    assert {one["name"] for one in told} <= named


async def test_the_published_client_converges() -> None:
    """Two persons at npm's client and two agents: all documents equal, the counter exact, each named."""
    with Workspace(schemas={PLACE[0]: Brief}) as ws:
        ws.agent("seed").write(*PLACE, {"body": prose(random.Random(1), 2_000), "tokens": 0})
        async with serving(ws) as (_, url):
            agents = [asyncio.create_task(agent(ws, f"ag{number}x", number)) for number in range(2)]
            asyncio.get_running_loop().call_later(2.0, lambda: [one.cancel() for one in agents])
            told = await people(ws, url, 1.0, ("maria", "john"))
            added = sum(await asyncio.gather(*agents))
        check_agreed(ws, told, added)
        assert all(one["anew"] == 0 for one in told)


@pytest.mark.torture
async def test_the_published_client_outlives_its_servers() -> None:
    """Three persons at npm's client, two agents, and four servers one after the other: as with one."""
    with Workspace(schemas={PLACE[0]: Brief}) as ws:
        ws.agent("seed").write(*PLACE, {"body": prose(random.Random(1), 2_000), "tokens": 0})
        agents = [asyncio.create_task(agent(ws, f"ag{number}x", number)) for number in range(2)]
        asyncio.get_running_loop().call_later(20.0, lambda: [one.cancel() for one in agents])
        async with serving(ws) as (_, url):
            port = int(url.rpartition(":")[2])
            persons = asyncio.create_task(people(ws, url, 20, ("maria", "john", "eve")))
            await asyncio.sleep(7)
        for seconds in (5, 5, None):
            async with serving(ws, port):
                await asyncio.sleep(seconds) if seconds else await persons
        told = persons.result()
        check_agreed(ws, told, sum(await asyncio.gather(*agents)))
        assert all(one["anew"] > 0 for one in told)
