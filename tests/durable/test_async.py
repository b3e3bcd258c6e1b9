"""Coroutines on a database: the event loop stays free, and what a call notes in its context is kept."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import Counter, Escalation, Scalar, Workspace

PLAN = (("plans",), "launch")


class Plan(BaseModel):
    votes: Annotated[int, Counter()] = 0
    status: Annotated[str | None, Scalar()] = None


@pytest.fixture
def ws(path: Path) -> Iterator[Workspace]:
    with Workspace(f"sqlite:///{path}", schemas={("plans",): Plan}) as workspace:
        yield workspace


async def test_a_waiting_write_leaves_the_loop_free(path: Path, ws: Workspace) -> None:
    """While a write waits for another process's lock, the event loop goes on."""
    ada = ws.agent("ada")
    await ada.awrite(*PLAN, {"votes": 1})
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(ada.awrite(*PLAN, {"votes": 1}))
    for _ in range(20):
        await asyncio.sleep(0.005)
    assert not writing.done()
    other.execute("ROLLBACK")
    other.close()
    await writing
    document = await ws.aget(*PLAN)
    assert document is not None and document.value == {"votes": 2}


async def test_a_read_without_a_name_is_noted_for_the_put_after_it(ws: Workspace) -> None:
    """A put after a get in one coroutine is an edit of what the get returned, though both ran in threads."""
    await ws.acall(ws.put, *PLAN, {"votes": 5})
    document = await ws.acall(ws.read_current, *PLAN)
    assert document is not None
    await ws.acall(ws.put, *PLAN, {"votes": document.value["votes"] + 1})
    document = await ws.aget(*PLAN)
    assert document is not None and document.value["votes"] == 6


async def test_coroutines_that_write_at_once_lose_nothing(ws: Workspace) -> None:
    """Many coroutines, each an agent of its own, edit one document."""
    began = ws.moment()

    async def work(name: str) -> None:
        agent = ws.agent(name, began=began)
        for _ in range(5):
            async with agent.aedit(*PLAN) as plan:
                await asyncio.sleep(0)
                plan.votes += 1

    await asyncio.gather(*(work(f"w{number}") for number in range(10)))
    document = await ws.aget(*PLAN)
    assert document is not None and document.value["votes"] == 50


async def test_an_async_resolver_runs_on_the_callers_loop(path: Path) -> None:
    """The resolver of a conflict that a coroutine made runs on its loop, and the call waits for its decision."""
    loops: list[Any] = []

    async def settle(escalation: Escalation) -> str:
        loops.append(asyncio.get_running_loop())
        await asyncio.sleep(0.01)
        return "settled"

    class Judged(BaseModel):
        status: Annotated[str | None, Scalar(resolve=settle)] = None

    with Workspace(f"sqlite:///{path}", schemas={("plans",): Judged}) as ws:
        ada, bob = ws.agent("ada"), ws.agent("bob")
        await ada.awrite(*PLAN, {"status": "a"})
        await bob.awrite(*PLAN, {"status": "b"})
        document = await ws.aget(*PLAN)
        assert document is not None and document.value == {"status": "settled"}
        assert loops == [asyncio.get_running_loop()]
