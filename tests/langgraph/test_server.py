"""``server_store``: what an agent server enters for each of its event loops."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from concordant import ConcordantError, SchemaError
from concordant_langgraph import MergeStore, PutConflictError, server_store
from tests.patience import PATIENCE

from .review.support import AT, NS, Brief


def check_that_loops_share_one_store() -> None:
    """Two event loops, each in a thread of its own, enter a factory at once: what one puts the other gets, and the
    first to leave takes nothing from the other."""
    factory = server_store({NS: Brief})
    both_are_in, one_is_out = threading.Barrier(2), threading.Event()
    stores: list[MergeStore] = []
    found: list[object] = []

    async def one() -> None:
        async with factory() as store:
            stores.append(store)
            await store.aput(*AT, {"status": "x"})
            await asyncio.to_thread(both_are_in.wait, 20)
        one_is_out.set()

    async def other() -> None:
        async with factory() as store:
            stores.append(store)
            await asyncio.to_thread(both_are_in.wait, 20)
            await asyncio.to_thread(one_is_out.wait, 20)
            item = await store.aget(*AT)
            found.append(item.value if item else None)

    threads = [threading.Thread(target=asyncio.run, args=(work(),)) for work in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert stores[0] is stores[1] and found == [{"status": "x"}]


def test_loops_share_one_store() -> None:
    """As long as one of them is in."""
    check_that_loops_share_one_store()


async def test_the_last_to_leave_closes_the_store(tmp_path: Path) -> None:
    """Also by an error; who enters later gets a new store, with what the database holds."""
    factory = server_store({NS: Brief}, url=f"sqlite:///{tmp_path / 'team.db'}")

    async def fail() -> None:
        async with factory() as store:
            stores.append(store)
            async with factory():
                await store.aput(*AT, {"status": "x"})
            assert await store.aget(*AT) is not None
            raise ZeroDivisionError

    stores: list[MergeStore] = []
    with pytest.raises(ZeroDivisionError):
        await fail()
    [first] = stores
    with pytest.raises(ConcordantError):
        await first.aget(*AT)
    async with factory() as second:
        assert second is not first
        item = await second.aget(*AT)
        assert item is not None and item.value == {"status": "x"}


async def test_it_takes_what_a_store_takes() -> None:
    """What to do about conflicts, what to index, and that undeclared namespaces are refused."""
    async with server_store(
        {NS: Brief},
        undeclared="reject",
        index={"dims": 1, "embed": lambda texts: [[1.0] for _ in texts]},
        on_conflict="raise",
    )() as store:
        await store.aput(*AT, {"status": "x"})
        assert [item.score for item in await store.asearch(NS, query="x")] == [1.0]
        with pytest.raises(ConcordantError):
            await store.aput(("notes",), "k", {})
        with store.acting_as("bob"):
            store.workspace.agent("ada").write(*AT, {"status": "y"})
            with pytest.raises(PutConflictError):
                await store.aput(*AT, {"status": "z"})


async def test_a_bad_model_is_told_when_the_server_starts() -> None:
    """And each start tells it: nothing half open is left."""

    class Bad(Brief):
        stray: int = 0

    factory = server_store({NS: Bad})
    for _ in range(2):
        with pytest.raises(SchemaError, match="stray"):
            async with factory():
                pass
