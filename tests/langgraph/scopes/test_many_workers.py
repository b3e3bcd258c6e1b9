"""A crowd on one document."""

from __future__ import annotations

import asyncio
import operator
import random
from typing import Annotated, Any, TypedDict

from langgraph.config import get_store
from langgraph.graph import START, StateGraph
from langgraph.types import Send
from pydantic import BaseModel

from concordant import Counter, Map, Set, Text
from concordant_langgraph import MergeStore

NS = ("crowd",)
RUNS, WORKERS = 2, 200


class Board(BaseModel):
    names: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, str], Map()] = {}
    votes: Annotated[int, Counter()] = 0
    log: Annotated[str, Text()] = ""


class State(TypedDict, total=False):
    run: int
    done: Annotated[int, operator.add]


async def work(given: dict[str, Any]) -> dict[str, int]:
    store = get_store()
    item = await store.aget(NS, "board")
    value = item.value if item is not None else {}
    await asyncio.sleep(random.Random(given["name"]).random() / 20)
    name = given["name"]
    await store.aput(
        NS,
        "board",
        {
            "names": [*value.get("names", ()), name],
            "owners": {**value.get("owners", {}), name: "x"},
            "votes": value.get("votes", 0) + 1,
            "log": "\n".join(filter(None, [value.get("log", ""), f"{name} was here"])),
        },
    )
    return {"done": 1}


async def test_g1_g2_every_contribution_of_every_run_is_kept() -> None:
    """Runs of 200 parallel workers that get, think and put: nothing is lost, nothing is doubled, nothing asked."""
    store = MergeStore({NS: Board})
    builder = StateGraph(State)
    builder.add_node("work", work)
    builder.add_conditional_edges(
        START, lambda state: [Send("work", {"name": f"{state['run']}-{n}"}) for n in range(WORKERS)]
    )
    graph = builder.compile(store=store)
    for run in range(RUNS):
        assert (await graph.ainvoke({"run": run, "done": 0}))["done"] == WORKERS
    item = store.get(NS, "board")
    expected = {f"{run}-{n}" for run in range(RUNS) for n in range(WORKERS)}
    assert item is not None and set(item.value["names"]) == set(item.value["owners"]) == expected
    assert item.value["votes"] == RUNS * WORKERS
    assert sorted(item.value["log"].splitlines()) == sorted(f"{name} was here" for name in expected)
    assert store.escalations(state="all") == []
