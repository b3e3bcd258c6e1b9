"""Coroutines over a database: what waits for it does so beside the event loop, which all users of a server share."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.store.base import GetOp, ListNamespacesOp, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command

from concordant import Workspace
from concordant_langgraph import MergeStore, PutConflictError, review_conflicts, server_store

from .review.support import AT, KEY, NS, Brief, State, contest, parallel, putting, thread

INDEX: Any = {"dims": 1, "embed": lambda texts: [[float(len(text))] for text in texts], "fields": ["$"]}
KINDS = ["plain", "index", "wrapped", "raise"]


@contextmanager
def sqlite_calls() -> Iterator[list[str]]:
    """The calls of SQLite that are made in this thread: the loop's."""
    made: list[str] = []

    def note(frame: Any, event: str, called: Any) -> None:
        if event == "c_call" and isinstance(getattr(called, "__self__", None), (sqlite3.Connection, sqlite3.Cursor)):
            made.append(f"{called.__name__} for {frame.f_code.co_qualname}")

    sys.setprofile(note)
    try:
        yield made
    finally:
        sys.setprofile(None)


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(f"sqlite:///{tmp_path / 'team.db'}", schemas={NS: Brief}) as workspace:
        yield workspace


def opened(kind: str, ws: Workspace) -> MergeStore:
    if kind == "wrapped":
        inner = InMemoryStore(index=INDEX)
        inner.put(NS, "before", {"status": "x"})
        return MergeStore.wrap(inner, workspace=ws)
    if kind == "index":
        return MergeStore(workspace=ws, index=INDEX)
    return MergeStore(workspace=ws, on_conflict="raise" if kind == "raise" else "record")


async def test_a_sync_call_on_the_loop_is_noticed(ws: Workspace) -> None:
    """The check of this file sees what it is to see."""
    with sqlite_calls() as made:
        MergeStore(workspace=ws).get(*AT)
    assert made


@pytest.mark.parametrize("kind", KINDS)
async def test_no_call_of_the_store_waits_on_the_loop(kind: str, ws: Workspace) -> None:
    """Neither for documents, nor for the view of them, nor for the inbox."""
    store = opened(kind, ws)
    with sqlite_calls() as made:
        await store.aput(*AT, {"status": "x"})
        item = await store.aget(*AT)
        found = await store.asearch(NS, query="x", filter={"status": "x"})
        await store.abatch(
            [GetOp(*AT), PutOp(NS, "b", {"status": "y"}), SearchOp(()), ListNamespacesOp(max_depth=1), PutOp(*AT, None)]
        )
        await store.acatch_up()
    assert item is not None and item.value == {"status": "x"} and KEY in [one.key for one in found]
    escalation = contest(store)
    with sqlite_calls() as of_the_inbox:
        await store.aescalations(NS)
        await store.aclaim(escalation, by="ada")
        await store.aresolve(escalation, "z", by="ada")
        await store.ablame(*AT)
        await store.ahistory(*AT)
        await store.adelete(*AT)
    assert made + of_the_inbox == []


@pytest.mark.parametrize("kind", KINDS)
async def test_no_graph_waits_on_the_loop(kind: str, ws: Workspace) -> None:
    """Parallel nodes that disagree, the error for it, and the review of what is open."""
    store = opened(kind, ws)
    names = ["ada", "bob"]
    builder = parallel(*(putting(name, {"status": name}, is_async=True) for name in names))
    builder.add_node("review", review_conflicts(store, NS)).add_edge(names, "review")
    graph = builder.compile(store=store, checkpointer=InMemorySaver())
    with sqlite_calls() as made:
        if kind == "raise":
            with pytest.raises(PutConflictError):
                await graph.ainvoke({"x": 1}, thread())
            alone: StateGraph[State] = StateGraph(State)
            alone.add_node("review", review_conflicts(store, NS)).add_edge(START, "review")
            graph = alone.compile(store=store, checkpointer=InMemorySaver())
        result = await graph.ainvoke({"x": 1}, thread("2"))
        while "__interrupt__" in result:
            [question] = result["__interrupt__"][0].value["questions"]
            result = await graph.ainvoke(Command(resume={question["ref"]: {"choose": 1}}), thread("2"))
    assert made == [] and store.escalations() == []


async def test_a_server_opens_and_closes_its_store_beside_the_loop(tmp_path: Path) -> None:
    """However slow the disk is."""
    factory = server_store({NS: Brief}, url=f"sqlite:///{tmp_path / 'team.db'}")
    with sqlite_calls() as made:
        async with factory() as store:
            await asyncio.gather(*(store.aput(NS, str(number), {"status": "x"}) for number in range(5)))
    assert made == []
