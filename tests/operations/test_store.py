"""The store's own checks: labels, filters over texts and times, options, and any value in any place."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore

from concordant import ConcordantError, SqliteOptions, Workspace
from concordant_langgraph import MergeStore

from .zoo import zoo

NS = ("docs",)
BAD = [("a.b",), ("",), ("a\x00b",), (1,), ("ok", "a.b"), ("\ud800",), "docs"]


@pytest.mark.parametrize("bad", BAD)
def test_labels_are_checked_on_reads_too(bad: Any) -> None:
    """``get``, ``aget`` and all other calls refuse a label that ``put`` refuses, with the stock error."""
    store = MergeStore()
    calls: list[Callable[[], Any]] = [
        lambda: store.get(bad, "k"),
        lambda: asyncio.run(store.aget(bad, "k")),
        lambda: store.put(bad, "k", {"a": 1}),
        lambda: asyncio.run(store.aput(bad, "k", {"a": 1})),
        lambda: store.delete(bad, "k"),
        lambda: asyncio.run(store.adelete(bad, "k")),
        lambda: store.search(bad),
        lambda: asyncio.run(store.asearch(bad)),
        lambda: store.list_namespaces(prefix=bad),
        lambda: store.list_namespaces(suffix=bad),
    ]
    for call in calls:
        with pytest.raises(InvalidNamespaceError) as refused:
            call()
        assert bad != "docs" or isinstance(refused.value, ConcordantError) or "string" in str(refused.value)
    assert store.list_namespaces() == []


def test_nothing_is_in_the_empty_namespace() -> None:
    """The empty namespace holds nothing: a get finds nothing there, a delete is silent, a put is refused."""
    store = MergeStore()
    assert store.get((), "k") is None and asyncio.run(store.aget((), "k")) is None
    store.delete((), "k")
    with pytest.raises(InvalidNamespaceError):
        store.put((), "k", {"a": 1})


BAD_OPS = [
    PutOp(("a.b",), "k", {"text": "bad"}),
    GetOp(("",), "k"),
    SearchOp(("a.b",)),
    ListNamespacesOp((MatchCondition("prefix", ("a.b",)),)),
]


@pytest.mark.parametrize("op", BAD_OPS)
def test_one_bad_label_in_a_raw_batch_fails_alone(op: Any) -> None:
    """A raw batch with a bad label fails before anything of it is done; those of others go on, searches included."""
    store = MergeStore(index={"dims": 2, "embed": lambda texts: [[1.0, float(len(t))] for t in texts]})
    store.put(NS, "a", {"text": "good"})
    with pytest.raises(InvalidNamespaceError):
        store.batch([PutOp(NS, "b", {"text": "with it"}), op])
    with pytest.raises(InvalidNamespaceError):
        asyncio.run(store.abatch([PutOp(NS, "b", {"text": "with it"}), op]))
    store.put(NS, "c", {"text": "later"})
    assert {item.key for item in store.search(NS, query="good")} == {"a", "c"}
    assert store.get(NS, "b") is None


@pytest.mark.parametrize("shared", [False, True])
def test_a_label_that_no_store_takes_does_not_poison_the_view(shared: bool, tmp_path: Path) -> None:
    """A document that was written past the store, under a label that vectors cannot have, harms no other's vectors."""
    index: Any = {"dims": 2, "embed": lambda texts: [[1.0, float(len(t))] for t in texts]}
    with Workspace(f"sqlite:///{tmp_path}/w.db") as ws:
        store = MergeStore(workspace=ws, index=index)
        if shared:
            from concordant_langgraph.view import StoreView

            store._mirror.view = StoreView(ws, Strict(index=index), shared=True)
        ws.agent("ada").write(("a.b",), "odd", {"text": "odd"})
        for number in range(3):
            ws.agent("ada").write(NS, f"k{number}", {"text": "x" * number})
        found = store.search((), query="x")
        assert {item.key for item in found} == {"k0", "k1", "k2", "odd"}
        assert found[-1].key == "odd" and found[-1].score is None
        assert store.catch_up() == 0
        ws.agent("ada").write(("a.b",), "odd", {"text": "odder"})
        assert {item.key for item in store.search(NS, query="x")} == {"k0", "k1", "k2"}


class Strict(InMemoryStore):
    """A store that refuses a batch with a bad label, as those with a database do."""

    def batch(self, ops: Any) -> Any:
        from langgraph.store.base import validate_op_namespace

        ops = list(ops)
        for op in ops:
            validate_op_namespace(op)
        return super().batch(ops)


def keys(store: BaseStore, **wanted: Any) -> list[str]:
    return sorted(item.key for item in store.search(NS, filter=wanted, limit=100))


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, fresh_url: Callable[[str], str | None]) -> Any:
    options = SqliteOptions(synchronous="normal") if request.param == "sqlite" else None
    with Workspace(fresh_url(request.param), options=options) as ws:
        yield MergeStore(workspace=ws)


def test_string_and_date_ranges_in_filters(store: MergeStore) -> None:
    """Texts compare as texts, times as instants, whatever zone they name, numbers (also written as text) as numbers."""
    values: dict[str, Any] = {
        "a": "2026-01-05",
        "b": "2026-02-05",
        "early": "2026-02-01T00:30:00+02:00",
        "late": "2026-01-31T23:30:00-02:00",
        "word": "zebra",
        "ten": "10",
        "nine": 9,
        "none": None,
        "list": ["2026-03-01"],
    }
    for key, value in values.items():
        store.put(NS, key, {"at": value})
    assert keys(store, at={"$gt": "2026-01-31", "$lt": "2027"}) == ["b", "early", "late"]
    assert keys(store, at={"$gte": "2026-02-01T00:00:00Z"}) == ["b", "late", "word"]
    assert keys(store, at={"$gte": dt.datetime(2026, 2, 1, tzinfo=dt.UTC)}) == ["b", "late"]
    assert keys(store, at={"$gt": dt.date(2026, 2, 1)}) == ["b", "late"]
    assert keys(store, at={"$lt": dt.date(2026, 2, 1)}) == ["a", "early"]
    assert keys(store, at={"$gt": "y"}) == ["word"]
    assert keys(store, at={"$gt": "9.5"}) == ["ten", "word"]
    assert keys(store, at={"$gt": 9.5}) == ["ten"]
    assert keys(store, at=dt.date(2026, 1, 5)) == ["a"]


@given(st.text(max_size=5), st.text(max_size=5), st.sampled_from(["$gt", "$gte", "$lt", "$lte"]))
def test_texts_that_are_no_numbers_compare_as_texts(one: str, other: str, operator: str) -> None:
    """For any two texts that are neither numbers nor times an operator says what Python says of them."""
    one, other = f"t{one}", f"t{other}"
    from concordant_langgraph.filters import matches

    truth = {"$gt": one > other, "$gte": one >= other, "$lt": one < other, "$lte": one <= other}[operator]
    assert matches(one, {operator: other}) == truth


@given(st.datetimes(timezones=st.just(dt.UTC)), st.datetimes(), st.integers(-23, 23))
def test_times_compare_as_instants(one: dt.datetime, other: dt.datetime, hours: int) -> None:
    """A time compares by when it is, not by how it is written; without a zone it counts as UTC."""
    from concordant_langgraph.filters import matches

    if not dt.datetime(2, 1, 1) < other < dt.datetime(9998, 1, 1):
        return
    shifted = other.replace(tzinfo=dt.UTC).astimezone(dt.timezone(dt.timedelta(hours=hours)))
    truth = one > other.replace(tzinfo=dt.UTC)
    assert matches(one.isoformat(), {"$gt": shifted.isoformat()}) == truth
    assert matches(one.isoformat(), {"$gt": other}) == truth


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_options_of_the_stock_stores(kind: str, fresh_url: Callable[[str], str | None]) -> None:
    """``from_conn_string`` takes ``ttl=`` as LangGraph's stores do, and ``on_conflict=``; both are in force."""
    url = fresh_url(kind)
    assert url is not None
    with MergeStore.from_conn_string(url, {}, ttl={"default_ttl": 5}, on_conflict="raise") as store:
        store.put(NS, "a", {"x": 1})
        item: Any = store.get(NS, "a")
        assert dt.timedelta(minutes=4) < item.expires_at - item.updated_at < dt.timedelta(minutes=6)
        assert store.ttl_config == {"default_ttl": 5}
    with pytest.raises(ConcordantError, match="on_conflict"), MergeStore.from_conn_string(url, on_conflict="x"):  # type: ignore[arg-type]
        pass


@pytest.mark.parametrize(
    "ttl", [{"defaultttl": 5}, {"default_ttl": "soon"}, {"default_ttl": -1}, {"default_ttl": True}, 5]
)
def test_settings_of_lifetimes_that_mean_nothing_are_refused(ttl: Any) -> None:
    """A setting that LangGraph does not have, and a time that is none, are told when the store is made."""
    with pytest.raises(ConcordantError, match="ttl"):
        MergeStore(ttl=ttl)


TEXTS = ["red apple", "green apple", "blue sky", "red sky", "apple", "", "red red", "car", "bus", "red", "red apple"]


def embedded(texts: Any) -> list[list[float]]:
    words = ("red", "green", "blue", "apple", "sky", "car")
    return [[0.01 + text.split().count(word) for word in words] for text in texts]


def test_ranked_search_is_alike_on_all_backends(fresh_url: Callable[[str], str | None]) -> None:
    """The same documents give the same items, order and scores, whatever keeps them and their vectors: of equal ones
    the oldest is first, and what has no vectors stands at the end without a score."""
    index: Any = {"dims": 6, "embed": embedded, "fields": ["text"]}
    found = []
    stores: list[Any] = [
        nullcontext(MergeStore(index=index)),
        nullcontext(MergeStore.wrap(InMemoryStore(index=index))),
        MergeStore.from_conn_string(str(fresh_url("sqlite")), index=index),
        MergeStore.from_conn_string(str(fresh_url("postgres")), index=index),
    ]
    for opening in stores:
        with opening as store:
            for number, text in enumerate(TEXTS):
                store.put(("d", "a" if number % 2 else "b"), f"k{number}", {"text": text, "n": number})
            store.put(("d", "a"), "without", {"text": "apple", "n": 20}, index=False)
            store.put(("d", "a"), "no text", {"n": 21})
            asked = [
                store.search(("d",), query=query, **more)
                for query in ("apple", "red sky", "bus")
                for more in ({"limit": 3}, {"limit": 30}, {"limit": 4, "offset": 2}, {"filter": {"n": {"$gt": 4}}})
            ]
            found.append([[(i.key, i.score and round(i.score, 4)) for i in items] for items in asked])
    assert found[1:] == found[:1] * 3
    assert found[0][1][-2:] == [("without", None), ("no text", None)]
    assert len(found[0][1]) == len(TEXTS) + 2


STORE_CALLS: dict[str, Callable[[MergeStore, Any], Any]] = {
    "put(namespace)": lambda s, v: s.put(v, "k", {"a": 1}),
    "put(key)": lambda s, v: s.put(NS, v, {"a": 1}),
    "put(value)": lambda s, v: s.put(NS, "k", v),
    "put(field)": lambda s, v: s.put(NS, "k", {"a": v}),
    "put(index)": lambda s, v: s.put(NS, "k", {"a": 1}, index=v),
    "put(ttl)": lambda s, v: s.put(NS, "k", {"a": 1}, ttl=v),
    "get(namespace)": lambda s, v: s.get(v, "k"),
    "get(key)": lambda s, v: s.get(NS, v),
    "get(refresh_ttl)": lambda s, v: s.get(NS, "k", refresh_ttl=v),
    "delete(namespace)": lambda s, v: s.delete(v, "k"),
    "delete(key)": lambda s, v: s.delete(NS, v),
    "search(prefix)": lambda s, v: s.search(v),
    "search(query)": lambda s, v: s.search(NS, query=v),
    "search(filter)": lambda s, v: s.search(NS, filter=v),
    "search(operand)": lambda s, v: s.search(NS, filter={"a": v}),
    "search(range)": lambda s, v: s.search(NS, filter={"a": {"$gt": v}}),
    "search(limit)": lambda s, v: s.search(NS, limit=v),
    "search(offset)": lambda s, v: s.search(NS, offset=v),
    "list_namespaces(prefix)": lambda s, v: s.list_namespaces(prefix=v),
    "list_namespaces(suffix)": lambda s, v: s.list_namespaces(suffix=v),
    "list_namespaces(max_depth)": lambda s, v: s.list_namespaces(max_depth=v),
    "list_namespaces(limit)": lambda s, v: s.list_namespaces(limit=v),
    "batch": lambda s, v: s.batch(v),
    "batch of one": lambda s, v: s.batch([v]),
    "batch, put(namespace)": lambda s, v: s.batch([PutOp(NS, "good", {"a": 1}), PutOp(v, "k", {"a": 1})]),
    "batch, put(key)": lambda s, v: s.batch([PutOp(NS, v, {"a": 1})]),
    "batch, put(value)": lambda s, v: s.batch([PutOp(NS, "good", {"a": 1}), PutOp(NS, "k", v)]),
    "batch, search": lambda s, v: s.batch([SearchOp(NS, filter=v, limit=3)]),
    "aget": lambda s, v: asyncio.run(s.aget(v, "k")),
    "aput": lambda s, v: asyncio.run(s.aput(NS, "k", v)),
    "escalations": lambda s, v: s.escalations(v),
    "resolve": lambda s, v: s.resolve(v, 1, by="eve"),
    "claim": lambda s, v: s.claim(v, by="eve"),
    "acting_as": lambda s, v: s.acting_as(v),
    "on_escalation": lambda s, v: s.on_escalation(v),
    "start_ttl_sweeper": lambda s, v: (s.start_ttl_sweeper(v), s.stop_ttl_sweeper()),
    "MergeStore(schemas)": lambda s, v: MergeStore(v),
    "MergeStore(workspace)": lambda s, v: MergeStore(workspace=v),
    "MergeStore(ttl)": lambda s, v: MergeStore(ttl=v),
    "MergeStore(on_conflict)": lambda s, v: MergeStore(on_conflict=v),
    "wrap": lambda s, v: MergeStore.wrap(v),
}


def shown(store: MergeStore) -> list[Any]:
    """Which item stands at which version."""
    return [(i.namespace, i.key, i.version) for i in store.search((), limit=10_000)]  # type: ignore[attr-defined]


def works_on(store: MergeStore, number: int) -> None:
    store.put(("after",), "k", {"n": number})
    item = store.get(("after",), "k")
    assert item is not None and item.value == {"n": number}


def wrong_of(store: MergeStore, chosen: Callable[[int], list[int]]) -> list[str]:
    wrong, values = [], zoo()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, call in STORE_CALLS.items():
            before = shown(store)
            for number in chosen(len(values)):
                try:
                    call(store, values[number])
                except (ConcordantError, InvalidNamespaceError):
                    if before != shown(store):
                        wrong.append(f"{name} with value {number}: refused, and yet something was done")
                except Exception as error:
                    wrong.append(f"{name} with value {number}: {type(error).__name__}: {str(error)[:100]}")
                else:
                    before = shown(store)
            works_on(store, len(name))
    return wrong


def test_g11_every_call_of_the_store_takes_any_value(store: MergeStore, seed: str) -> None:
    """A call of the store given any value raises our error (or LangGraph's for a namespace), or works."""
    chance = random.Random(seed)
    assert wrong_of(store, lambda size: chance.sample(range(size), 6)) == []


def test_g11_a_filter_is_looked_through_however_deep_it_is(store: MergeStore) -> None:
    """A condition thousands of levels deep, or one that holds itself, matches or is refused; an operator is found."""
    deep: Any = {"$near": 1}
    for _ in range(20_000):
        deep = {"a": [deep]}
    with pytest.raises(ConcordantError, match="near"):
        store.search(NS, filter=deep)
    endless: list[Any] = []
    endless.append(endless)
    assert store.search(NS, filter={"a": endless}) == []


@pytest.mark.torture
def test_g11_every_call_of_the_store_takes_every_value(store: MergeStore) -> None:
    """The same with every call and every value of the zoo."""
    assert wrong_of(store, lambda size: list(range(size))) == []
