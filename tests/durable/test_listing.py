"""Listing and filters of a database: what the columns beside the records rule out is not loaded, and nothing else."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from langgraph.store.memory import InMemoryStore
from pydantic import BaseModel, Field, field_validator

from concordant import Counter, Scalar, Schema, Set, Workspace
from concordant.storage import Condition
from concordant_langgraph import MergeStore
from concordant_langgraph.filters import conditions
from tests.rounds import rounds

FreshUrl = Callable[[str], str]
NS = ("jobs",)
DURABLE = ["sqlite", "postgres"]

TEXTS = [
    "a",
    "b",
    "A",
    "",
    "1",
    "2.5",
    "nan",
    "ä",
    'say "hi"',
    "back\\slash",
    "line\nend",
    "nul\0",
    "😀",
    "NaN",
    "\\ud800",
]
NUMBERS = [0, 1, -1, 2, 1.0, 2.5, -0.0, 1e300, 1e-300, 5e-324, 2**53, 2**53 + 1, 10**30, 10**400, math.nan, math.inf]
VALUES = [*TEXTS, *NUMBERS, True, False, None, [], [1], ["a"], {}, {"a": 1}, {"a": {"b": "x"}}]
NAMES = ["a", "b", "a b", 'q"', "ä", "_1", "$x"]


class Job(BaseModel):
    state: Annotated[str, Scalar()] = "new"
    tries: Annotated[int, Counter()] = 0
    tags: Annotated[set[str], Set()]


def loaded(store: MergeStore, wanted: dict[str, Any], prefix: tuple[str, ...] = NS) -> int:
    """How many documents a search with a filter loads."""
    return len(list(store.workspace.storage.showing(prefix, tuple(conditions(wanted)))))


def some_filter(rnd: random.Random, depth: int = 0) -> dict[str, Any]:
    names = rnd.sample(["a", "b", "_1", 'q"', "ä"], rnd.choice([1, 1, 2]))
    return {name: some_part(rnd, depth) for name in names}


def some_part(rnd: random.Random, depth: int) -> Any:
    roll = rnd.random()
    if roll < 0.4:
        return rnd.choice(VALUES)
    if roll < 0.9:
        operators = rnd.sample(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"], rnd.choice([1, 2]))
        return {operator: rnd.choice([*NUMBERS, *TEXTS, True, None]) for operator in operators}
    return some_filter(rnd, depth + 1) if depth < 2 else 1


def found(store: Any, wanted: dict[str, Any]) -> list[str]:
    return sorted(item.key for item in store.search(("random",), filter=wanted, limit=1000))


@rounds(120, 400)
@pytest.mark.parametrize("kind", DURABLE)
def test_filters_find_what_the_stock_store_finds(fresh_url: FreshUrl, seed: str, kind: str, rounds: int) -> None:
    """Random values and filters, odd texts and numbers among them: the same keys as LangGraph's own store in memory."""
    rnd = random.Random(seed)
    stock = InMemoryStore()
    with MergeStore.from_conn_string(fresh_url(kind)) as store:
        for number in range(120):
            value = {name: rnd.choice(VALUES) for name in rnd.sample(NAMES, rnd.randint(1, 4))}
            for one in (stock, store):
                one.put(("random",), str(number), value)
                if number % 3 == 0:  # what was written twice is held another way
                    one.put(("random",), str(number), {**value, "twice": True})
        for _ in range(rounds):
            wanted = some_filter(rnd)
            try:
                expected = found(stock, wanted)
            except (TypeError, ValueError, OverflowError):  # the stock store compares what has no order
                found(store, wanted)
                continue
            assert found(store, wanted) == expected, wanted


@pytest.mark.parametrize("kind", DURABLE)
def test_a_filter_loads_what_it_finds(fresh_url: FreshUrl, kind: str) -> None:
    """Numbers are compared as numbers, texts as texts, and what does not meet the filter is never loaded."""
    with MergeStore.from_conn_string(fresh_url(kind), {NS: Job}) as store:
        for number in range(40):
            store.put(NS, str(number), {"state": "done" if number % 10 == 0 else "open", "tries": number})
            if number % 2:
                store.put(NS, str(number), {"tags": ["odd"]})
        for wanted, count in [
            ({"state": "done"}, 4),
            ({"tries": {"$gte": 9}}, 31),
            ({"tries": {"$lt": 10, "$gt": 8}}, 1),
            ({"tries": 7}, 1),
            ({"state": "gone"}, 0),
            ({"missing": None}, 40),
            ({"state": "done", "tries": 30}, 1),
        ]:
            assert len(store.search(NS, filter=wanted, limit=100)) == count
            assert loaded(store, wanted) <= count + 2, wanted  # bounds are a little wide
            assert loaded(store, wanted, ()) <= count + 2, wanted


@pytest.mark.parametrize("kind", DURABLE)
def test_a_search_sees_what_another_schema_shows(fresh_url: FreshUrl, kind: str) -> None:
    """What a record showed under another schema, or without one, is not believed any more."""

    class Latest(BaseModel):
        state: Annotated[str, Scalar(resolve="max")] = "new"

    url = fresh_url(kind)
    for schemas, shown in (({NS: Job}, "draft"), ({NS: Latest}, "ready"), ({}, "draft")):
        with Workspace(url, schemas=schemas) as ws:
            if shown == "draft" and schemas:
                began = ws.moment()
                ws.agent("eve").write(NS, "k", {"state": "draft"})
                ws.agent("ada", began=began).write(NS, "k", {"state": "ready"})
                ws.agent("bob", began=began).write(NS, "sure", {"state": "draft"})
            store = MergeStore(workspace=ws)
            item = store.get(NS, "k")
            assert item is not None
            for prefix in (NS, ()):
                keys = [one.key for one in store.search(prefix, filter={"state": item.value.get("state")})]
                assert "k" in keys, (schemas, prefix)


@pytest.mark.parametrize("kind", DURABLE)
def test_deleted_and_expired_documents_are_ruled_out(fresh_url: FreshUrl, kind: str) -> None:
    """Neither is loaded for a listing, nor does a namespace with nothing else in it count."""
    with MergeStore.from_conn_string(fresh_url(kind), {("jobs", "*"): Job}) as store:
        for name in ("kept", "deleted", "expired", "swept"):
            namespace = ("jobs", name)
            store.put(namespace, "k", {"state": "a"}, ttl=-1 if name in ("expired", "swept") else None)
            store.put(namespace, "k", {"state": "b"}, ttl=-1 if name in ("expired", "swept") else None)
            if name == "swept":
                store.sweep_ttl()
        store.delete(("jobs", "deleted"), "k")
        store.put(("plain",), "k", {"x": 1})
        storage = store.workspace.storage
        assert dict(storage.namespaces(())) == {
            ("jobs", "kept"): True,
            ("plain",): True,
        } | {namespace: False for namespace in dict(storage.namespaces(())) if namespace[-1] in ("expired", "swept")}
        assert store.list_namespaces() == [("jobs", "kept"), ("plain",)]
        assert store.list_namespaces(prefix=("jobs",)) == [("jobs", "kept")]
        assert store.list_namespaces(suffix=("kept",), max_depth=1) == [("jobs",)]
        assert [place for *place, _ in storage.showing((), [Condition(("state",), "equal", "b")])] == [
            [("jobs", "kept"), "k"]
        ]


@pytest.mark.parametrize("kind", DURABLE)
def test_namespaces_after_a_change_of_schema(fresh_url: FreshUrl, kind: str) -> None:
    """Whether a document is there may depend on the schema: then it is looked at."""
    url = fresh_url(kind)
    with Workspace(url, schemas={NS: Schema(Job, on_delete="delete")}) as ws:
        ws.agent("ada").write(NS, "k", {"state": "open"})
        began = ws.moment()
        ws.agent("ada", began=began).delete(NS, "k")
        ws.agent("eve", began=began).write(NS, "k", {"state": "late"})
        assert ws.get(NS, "k") is None
        assert MergeStore(workspace=ws).list_namespaces() == []
    with Workspace(url, schemas={NS: Job}) as ws:
        assert ws.get(NS, "k") is not None
        assert MergeStore(workspace=ws).list_namespaces() == [NS]
        assert [item.key for item in MergeStore(workspace=ws).search(NS, filter={"state": "late"})] == ["k"]


def test_what_a_validator_does_is_not_told_from_outside(fresh_url: FreshUrl) -> None:
    """Of models with the same fields, those that differ in a constraint have another fingerprint, and that of one with
    Python in it is marked."""

    class Bounded(BaseModel):
        tries: Annotated[int, Counter(), Field(le=3)] = 0

    class Wider(BaseModel):
        tries: Annotated[int, Counter(), Field(le=4)] = 0

    class Judged(BaseModel):
        tries: Annotated[int, Counter()] = 0

        @field_validator("tries")
        @classmethod
        def few(cls, value: int) -> int:
            return value

    prints = [
        Workspace(schemas={NS: model}).registry.find(NS).fingerprint
        for model in (Bounded, Schema(Bounded), Wider, Schema(Bounded, on_delete="update"), Judged)
    ]
    assert len(set(prints)) == 4
    assert [one.endswith("?") for one in prints] == [False] * 4 + [True]
