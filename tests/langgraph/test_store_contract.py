"""The contract of LangGraph's stores, on its own store and on ours: the same operations give the same results."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from langgraph.store.base import (
    BaseStore,
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    SearchItem,
    SearchOp,
)
from langgraph.store.memory import InMemoryStore
from langgraph.store.sqlite import SqliteStore

from concordant import InvalidWriteError, Workspace
from concordant_langgraph import MergeStore

NS = ("docs", "user")


NOT_SQLITE = ["InMemoryStore", "MergeStore", "MergeStore on SQLite"]
"""``SqliteStore`` has no async calls (its sister has no others), and takes a nested value in a filter for operators."""
OURS = ["MergeStore", "MergeStore on SQLite"]
STORES = ["InMemoryStore", "SqliteStore", "MergeStore", "MergeStore on SQLite"]
"""LangGraph's own stores, which say what the contract is, and ours."""


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BaseStore]:
    if request.param == "InMemoryStore":
        yield InMemoryStore()
    elif request.param == "SqliteStore":
        with SqliteStore.from_conn_string(str(tmp_path / "stock.db")) as stock:
            stock.setup()
            yield stock
    elif request.param == "MergeStore":
        yield MergeStore()
    else:
        with Workspace(f"sqlite:///{tmp_path}/ours.db") as workspace:
            yield MergeStore(workspace=workspace)


def test_put_get_delete(store: BaseStore) -> None:
    """A value put is got back, a deleted one is gone, a missing one is None and deleting it is no error."""
    assert store.get(NS, "a") is None
    store.put(NS, "a", {"x": 1})
    item = store.get(NS, "a")
    assert isinstance(item, Item)
    assert (item.namespace, item.key, item.value) == (NS, "a", {"x": 1})
    store.delete(NS, "a")
    store.delete(NS, "a")
    assert store.get(NS, "a") is None


def test_put_replaces_the_whole_value(store: BaseStore) -> None:
    """Sequential puts without a model replace the value, fields left out go away."""
    store.put(NS, "a", {"x": 1, "y": 2})
    store.put(NS, "a", {"y": 3})
    assert store.get(NS, "a").value == {"y": 3}  # type: ignore[union-attr]
    store.put(NS, "a", {})
    assert store.get(NS, "a").value == {}  # type: ignore[union-attr]


@pytest.mark.parametrize("store", NOT_SQLITE, indirect=True)
async def test_async_twins(store: BaseStore) -> None:
    """The async calls give what the sync calls give."""
    await store.aput(NS, "a", {"x": 1})
    await store.aput(NS, "b", {"x": 2})
    assert (await store.aget(NS, "a")).value == {"x": 1}  # type: ignore[union-attr]
    assert [item.key for item in await store.asearch(NS)] == ["a", "b"]
    await store.adelete(NS, "a")
    assert await store.aget(NS, "a") is None
    assert await store.alist_namespaces() == [NS]


def test_keys_are_made_text(store: BaseStore) -> None:
    """A key that is no string is stored under its text in a batch of operations as in a call."""
    store.put(NS, 5, {"x": 1})  # type: ignore[arg-type]
    assert store.get(NS, "5").value == {"x": 1}  # type: ignore[union-attr]


@pytest.mark.parametrize("namespace", [(), ("a.b",), ("",), ("langgraph", "x"), (1,), ("a\x00b",)])
def test_bad_namespaces_are_refused(store: BaseStore, namespace: Any) -> None:
    """put refuses namespaces that LangGraph reserves or cannot address."""
    with pytest.raises(InvalidNamespaceError):
        store.put(namespace, "a", {"x": 1})


def test_the_root_langgraph_is_writable_by_an_operation(store: BaseStore) -> None:
    """Operations pass the checks of the public methods by."""
    store.batch([PutOp(("langgraph", "x"), "a", {"x": 1})])
    assert store.get(("langgraph", "x"), "a").value == {"x": 1}  # type: ignore[union-attr]


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"n": 2}, ["b"]),
    ({"n": {"$eq": 2}}, ["b"]),
    ({"n": {"$ne": 2}}, ["a", "c"]),
    ({"n": {"$gt": 1}}, ["b", "c"]),
    ({"n": {"$gte": 2, "$lt": 10}}, ["b"]),
    ({"n": {"$lte": 2}}, ["a", "b"]),
    ({"tag": "x", "n": 1}, ["a"]),
    ({"list": [1, 2]}, ["c"]),
    ({}, ["a", "b", "c"]),
]


@pytest.mark.parametrize(("wanted", "keys"), FILTERS)
def test_filters(store: BaseStore, wanted: dict[str, Any], keys: list[str]) -> None:
    """Filters compare by equality, nested values and operators, all of which must hold."""
    store.put(NS, "a", {"n": 1, "tag": "x", "deep": {"k": 1, "l": 2}, "list": [1]})
    store.put(NS, "b", {"n": 2, "tag": "x", "deep": {"k": 2}, "list": []})
    store.put((*NS, "below"), "c", {"n": 10, "tag": "y", "deep": 1, "list": [1, 2]})
    found = store.search(("docs",), filter=wanted)
    assert all(isinstance(item, SearchItem) for item in found)
    assert sorted(item.key for item in found) == keys


@pytest.mark.parametrize("store", NOT_SQLITE, indirect=True)
def test_nested_filters(store: BaseStore) -> None:
    """A nested value is compared field by field."""
    store.put(NS, "a", {"deep": {"k": 1, "l": 2}})
    store.put(NS, "b", {"deep": {"k": 2}})
    assert [item.key for item in store.search(NS, filter={"deep": {"k": 1}})] == ["a"]


def test_an_unknown_operator_is_an_error(store: BaseStore) -> None:
    """A filter with an unknown operator raises ValueError."""
    store.put(NS, "a", {"n": 1})
    with pytest.raises(ValueError, match="operator"):
        store.search(NS, filter={"n": {"$near": 1}})


@pytest.mark.parametrize("store", ["SqliteStore", *OURS], indirect=True)
@pytest.mark.parametrize("wanted", [{"n": {"$near": 1}}, {"n": 1, "m": {"$in": [1]}}, {"n": {"$gt": 1, "k": 2}}])
def test_an_unknown_operator_is_an_error_whatever_is_there(store: BaseStore, wanted: dict[str, Any]) -> None:
    """It is refused where nothing is compared with it too: in an empty store, or beside a condition that none meets."""
    with pytest.raises(ValueError, match="operator"):
        store.search(NS, filter=wanted)
    store.put(NS, "a", {"n": 2})
    with pytest.raises(ValueError, match="operator"):
        store.search(NS, filter=wanted)


def test_limit_and_offset(store: BaseStore) -> None:
    """search pages through what it finds, in the order of insertion (``SqliteStore``: what changed in the last second
    comes first)."""
    for number in range(12):
        store.put(NS, f"k{number:02}", {"n": number})
    first, second = store.search(NS), store.search(NS, limit=3, offset=10)
    keys = [item.key for item in (*first, *second)]
    if isinstance(store, SqliteStore):
        keys.sort()
    assert (len(first), len(second)) == (10, 2)
    assert keys == [f"k{number:02}" for number in range(12)]
    assert store.search(("nobody",)) == []


def test_list_namespaces(store: BaseStore) -> None:
    """Namespaces are listed sorted, by prefix, suffix, wildcard and depth."""
    for namespace in [("a", "b", "c"), ("a", "b", "d", "e"), ("b", "x", "c"), ("a",)]:
        store.put(namespace, "k", {"x": 1})
    assert store.list_namespaces() == [("a",), ("a", "b", "c"), ("a", "b", "d", "e"), ("b", "x", "c")]
    assert store.list_namespaces(prefix=("a", "b")) == [("a", "b", "c"), ("a", "b", "d", "e")]
    assert store.list_namespaces(suffix=("c",)) == [("a", "b", "c"), ("b", "x", "c")]
    assert store.list_namespaces(prefix=("*", "x")) == [("b", "x", "c")]
    assert store.list_namespaces(prefix=("a",), max_depth=2) == [("a",), ("a", "b")]
    assert store.list_namespaces(limit=1, offset=1) == [("a", "b", "c")]


def operations() -> Iterator[Op]:
    yield GetOp(NS, "old")
    yield PutOp(NS, "old", {"x": 2})
    yield SearchOp(NS)
    yield PutOp(NS, "gone", {"x": 1})
    yield PutOp(NS, "gone", None)
    yield PutOp(NS, "new", {"x": 1})
    yield PutOp(NS, "new", {"x": 9})
    yield ListNamespacesOp(match_conditions=(MatchCondition("prefix", ("docs",)),))
    yield GetOp(NS, "new")


def test_a_batch_reads_the_state_before_it(store: BaseStore) -> None:
    """In one batch reads see the state before it, puts apply after, the last put of a key wins; any iterable does."""
    check_batch(store, store.batch)


@pytest.mark.parametrize("store", NOT_SQLITE, indirect=True)
def test_an_async_batch_does_the_same(store: BaseStore) -> None:
    """As above."""
    check_batch(store, lambda ops: asyncio.run(store.abatch(ops)))


def check_batch(store: BaseStore, run: Callable[[Iterator[Op]], Any]) -> None:
    store.put(NS, "old", {"x": 1})
    results = run(operations())
    assert [type(result).__name__ for result in results].count("NoneType") == 6
    assert results[0].value == {"x": 1}
    assert [item.value for item in results[2]] == [{"x": 1}]
    assert results[7] == [NS]
    values = {key: item.value for key in ("old", "new", "gone") if (item := store.get(NS, key)) is not None}
    assert values == {"old": {"x": 2}, "new": {"x": 9}}


_VALUES = st.dictionaries(
    st.sampled_from(["a", "b", "login", "catalog", "", "x/y", "d.e"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)
_STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "delete", "get", "edit"]), st.sampled_from(["k", "l"]), _VALUES), max_size=12
)


@given(_STEPS)
@settings(max_examples=150)
def test_g9_sequential_code_sees_the_stock_store(steps: list[tuple[str, str, dict[str, Any]]]) -> None:
    """Any sequential program gets from a namespace without a model exactly what LangGraph's store gives."""
    stores: list[BaseStore] = [InMemoryStore(), MergeStore()]
    for act, key, value in steps:
        for store in stores:
            item = store.get(NS, key) if act in ("get", "edit") else None
            if act == "put":
                store.put(NS, key, value)
            elif act == "delete":
                store.delete(NS, key)
            elif act == "edit":
                store.put(NS, key, {**(dict(item.value) if item else {}), **value})
        stock, ours = (store.get(NS, key) for store in stores)
        assert (stock and stock.value) == (ours and ours.value)
    ours = stores[1]
    assert isinstance(ours, MergeStore)
    assert ours.escalations() == []


# -- where ours does better, by name -------------------------------------------------------------------------------


@pytest.mark.parametrize("store", OURS, indirect=True)
def test_created_at_stays_and_times_are_aware(store: BaseStore) -> None:
    """An update keeps created_at and moves updated_at; both are aware."""
    store.put(NS, "a", {"x": 1})
    first = store.get(NS, "a")
    store.put(NS, "a", {"x": 2})
    second = store.get(NS, "a")
    assert first is not None and second is not None
    assert second.created_at == first.created_at < second.updated_at
    assert second.created_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize("store", OURS, indirect=True)
def test_no_live_references(store: BaseStore) -> None:
    """Changing a value after putting it, or one that was got, changes nothing stored."""
    value = {"list": [1], "deep": {"x": 1}}
    store.put(NS, "a", value)
    value["list"].append(2)  # type: ignore[attr-defined]
    got = store.get(NS, "a")
    assert got is not None
    got.value["deep"]["x"] = 99
    found = store.search(NS)[0]
    found.value["list"] = []
    assert store.get(NS, "a").value == {"list": [1], "deep": {"x": 1}}  # type: ignore[union-attr]


@pytest.mark.parametrize("store", OURS, indirect=True)
def test_a_failed_batch_leaves_nothing(store: BaseStore) -> None:
    """A batch with one bad put applies none of its puts, and the store works on."""
    store.put(NS, "a", {"x": 1})
    with pytest.raises(InvalidWriteError):
        store.batch([PutOp(NS, "a", {"x": 2}), PutOp(NS, "b", {"x": object()})])
    assert store.get(NS, "a").value == {"x": 1}  # type: ignore[union-attr]
    assert store.get(NS, "b") is None
    store.batch([PutOp(NS, "a", {"x": 3}), PutOp(NS, "b", {"x": 4})])
    assert store.get(NS, "b").value == {"x": 4}  # type: ignore[union-attr]


@pytest.mark.parametrize("store", OURS, indirect=True)
def test_a_filter_without_order_does_not_break_the_search(store: BaseStore) -> None:
    """A value that cannot be ordered against the operand does not match, the others are found."""
    store.put(NS, "a", {"n": "many"})
    store.put(NS, "b", {"n": 5})
    assert [item.key for item in store.search(NS, filter={"n": {"$gt": 1}})] == ["b"]


def test_undeclared_namespaces_can_be_refused() -> None:
    """With undeclared="reject" a namespace without a model takes no writes."""
    with pytest.raises(InvalidWriteError, match="no schema"):
        MergeStore(undeclared="reject").put(NS, "a", {"x": 1})
