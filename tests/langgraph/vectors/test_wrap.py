"""Wrapping a store that exists: what it holds is taken over, and it holds the merged values from then on."""

from __future__ import annotations

import asyncio
import random
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from pathlib import Path
from typing import Any

import aiosqlite
import pysqlite3
import pytest
from langgraph.store.base import BaseStore, SearchItem
from langgraph.store.memory import InMemoryStore
from langgraph.store.sqlite import AsyncSqliteStore, SqliteStore

from concordant import Workspace
from concordant_langgraph import AdoptionError, MergeStore

from .support import NS, WORDS, Note, config, embed_one, fresh, keys, ranking, scored

FIELDS = ("text", "title", "tags[*]")


def sqlite(path: Any = ":memory:", *fields: str) -> SqliteStore:
    """LangGraph's SQLite store, on a build of SQLite that takes extensions whatever this Python's own does."""
    connection = pysqlite3.connect(str(path), check_same_thread=False, isolation_level=None)
    index = {
        "dims": 129,
        "embed": lambda texts: [embed_one(text) for text in texts],
        "text_fields": list(fields) or ["$"],
    }
    store = SqliteStore(connection, index=index)  # type: ignore[arg-type]
    store.setup()
    return store


@pytest.fixture(params=["memory", "sqlite"])
def inner(request: pytest.FixtureRequest) -> Iterator[BaseStore]:
    if request.param == "memory":
        yield InMemoryStore(index=config(None, *FIELDS))
        return
    store = sqlite(":memory:", *FIELDS)
    yield store
    store.conn.close()


def held(inner: BaseStore) -> dict[tuple[tuple[str, ...], str], Any]:
    """What a store holds."""
    return {(tuple(item.namespace), item.key): item.value for item in inner.search((), limit=10_000)}


def read(store: MergeStore) -> dict[tuple[tuple[str, ...], str], Any]:
    """What is read through ours."""
    return {(item.namespace, item.key): item.value for item in store.search((), limit=10_000)}


# -- taking over -----------------------------------------------------------------------------------------------------


def test_nothing_that_was_there_goes_missing(inner: BaseStore) -> None:
    """Items from before the swap are got, listed, searched, filtered and ranked through ours, as they were."""
    for number in range(250):
        inner.put(("memories", f"u{number % 7}"), f"k{number}", {"text": f"{WORDS[number % 8]} w{number}", "n": number})
    inner.put(("memories",), "above", {"text": "apple"})
    before = held(inner)
    ranked = scored(inner.search(("memories", "u3"), query="apple w3", limit=500))
    store = MergeStore.wrap(inner)
    assert store.get(("memories", "u3"), "k3").value == {"text": "date w3", "n": 3}  # type: ignore[union-attr]
    assert read(store) == before == held(inner)
    assert store.list_namespaces() == [("memories",), *(("memories", f"u{n}") for n in range(7))]
    assert keys(store.search(("memories",), filter={"n": 33})) == ["k33"]
    assert scored(store.search(("memories", "u3"), query="apple w3", limit=500)) == ranked


def test_items_keep_their_times(inner: BaseStore) -> None:
    """created_at and updated_at are those the item had, aware."""
    inner.put(NS, "a", {"text": "apple"})
    before = inner.get(NS, "a")
    after = MergeStore.wrap(inner).get(NS, "a")
    assert before is not None and after is not None
    assert after.created_at.utcoffset() is not None
    assert after.created_at == before.created_at.replace(tzinfo=UTC)
    assert after.updated_at == before.updated_at.replace(tzinfo=UTC)


def test_adopting_embeds_nothing() -> None:
    """Opening a store of many items embeds none of them, then or at the first search: that embeds the query, again
    where a page would cut through equally similar items."""
    asked: list[str] = []

    def embed(texts: Any) -> list[list[float]]:
        asked.extend(texts)
        return [embed_one(text) for text in texts]

    inner = InMemoryStore(index=config(embed))
    for number in range(20):
        inner.put(NS, str(number), {"text": f"w{number}"})
    asked.clear()
    store = MergeStore.wrap(inner)
    assert store.adopt() == 20
    assert store.adopt() == 0
    store.search(NS, query="w3")
    assert set(asked) == {"w3"}


def test_concurrent_writes_of_adopted_items_merge(inner: BaseStore) -> None:
    """Two agents merge over what was there before the swap, and what they change replaces it without a question."""
    inner.put(NS, "a", {"text": "apple", "tags": ["old"], "title": "first"})
    store = MergeStore.wrap(inner, {NS: Note})
    began = store.workspace.moment()
    ada, bob = (store.workspace.agent(name, began=began) for name in ("ada", "bob"))
    store.adopt()
    ada.write(NS, "a", {"tags": ["ada"], "title": "second"})
    bob.write(NS, "a", {"tags": ["bob"]})
    assert store.get(NS, "a").value == {  # type: ignore[union-attr]
        "text": "apple", "tags": ["old", "ada", "bob"], "title": "second",
    }  # fmt: skip
    assert store.escalations() == []
    assert store.workspace.blame(NS, "a")[("text",)][0].agent == type(inner).__name__


def test_what_does_not_fit_is_told_and_left_as_it_is(inner: BaseStore) -> None:
    """Items that do not fit their model make every call fail with one error that lists them; nothing is changed."""
    inner.put(NS, "good", {"text": "apple"})
    inner.put(NS, "bad", {"text": "apple", "unknown": 1})
    inner.put(NS, "worse", {"text": 5, "tags": 7})
    inner.put(("open",), "free", {"whatever": [1]})
    before = held(inner)
    store = MergeStore.wrap(inner, {NS: Note})
    for call in (
        lambda: store.get(NS, "good"),
        lambda: store.put(NS, "new", {}),
        store.adopt,
        lambda: store.search(NS),
    ):
        with pytest.raises(AdoptionError, match="unknown") as refused:
            call()
        assert sorted(error.key for error in refused.value.refused) == ["bad", "worse"]
    assert held(inner) == before
    inner.put(NS, "bad", {"text": "apple"})
    inner.delete(NS, "worse")
    assert store.adopt() == 1
    assert read(store) == held(inner)


def test_adoption_is_done_once_by_whoever_comes_first() -> None:
    """Threads whose first calls come together adopt each item once."""
    inner = InMemoryStore()
    for number in range(300):
        inner.put(NS, str(number), {"n": number})
    store = MergeStore.wrap(inner)
    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(lambda n: store.get(NS, str(n)).value["n"], range(300))] == list(range(300))  # type: ignore[union-attr]
    assert store.workspace.stats().writes == {"adopt": 300}


def test_a_workspace_that_knows_better_is_the_truth(inner: BaseStore) -> None:
    """Of a document that the workspace has, or had, the store's item is brought up to date, not adopted."""
    inner.put(NS, "same", {"text": "apple"})
    inner.put(NS, "older", {"text": "apple"})
    inner.put(NS, "deleted", {"text": "apple"})
    inner.put(NS, "unknown", {"text": "apple"})
    ws = Workspace(schemas={NS: Note})
    ada = ws.agent("ada")
    for key, text in (("same", "apple"), ("older", "banana"), ("deleted", "x"), ("missing", "cherry")):
        ada.write(NS, key, {"text": text})
    ada.delete(NS, "deleted")
    store = MergeStore.wrap(inner, workspace=ws)
    assert store.adopt() == 1
    assert store.catch_up() == 0
    expected = {"same": "apple", "older": "banana", "missing": "cherry", "unknown": "apple"}
    assert {key: value["text"] for (_, key), value in held(inner).items()} == expected
    assert {key: value["text"] for (_, key), value in read(store).items()} == expected


def test_items_that_others_add_later_are_left_alone(inner: BaseStore) -> None:
    """An item put into the wrapped store beside ours is not found until adopt is called again, and never removed."""
    store = MergeStore.wrap(inner)
    store.put(NS, "a", {"text": "apple"})
    inner.put(NS, "b", {"text": "apple banana"})
    assert keys(store.search(NS, query="apple")) == ["a"] and store.catch_up() == 0
    assert inner.get(NS, "b") is not None
    assert store.adopt() == 1
    assert keys(store.search(NS, query="apple")) == ["a", "b"]


def test_wrapping_a_merge_store_is_refused() -> None:
    """A MergeStore in a MergeStore is a mistake, and said to be."""
    with pytest.raises(TypeError, match="MergeStore"):
        MergeStore.wrap(MergeStore())


# -- the view --------------------------------------------------------------------------------------------------------


def test_the_wrapped_store_holds_the_merged_values(inner: BaseStore) -> None:
    """After any way of writing the wrapped store holds what is read, under the same names: taking ours out again leaves
    a store that works."""
    store = MergeStore.wrap(inner, {NS: Note})
    store.put(NS, "a", {"tags": ["x"], "title": "one"})
    ada, bob = store.workspace.agent("ada"), store.workspace.agent("bob")
    ada.write(NS, "a", {"tags": ["y"], "title": "two"})
    bob.write(NS, "a", {"tags": ["z"], "title": "three"})
    store.put(("open",), "b", {"text": "apple"})
    store.put(("open",), "c", {"text": "banana"})
    store.delete(("open",), "c")
    assert store.catch_up() == 0
    assert held(inner) == read(store)
    assert held(inner)[NS, "a"] == {"tags": ["x", "y", "z"], "title": "one"}
    store.resolve(store.escalations()[0], "three", by="maria")
    assert held(inner)[NS, "a"]["title"] == "three"


def test_no_vector_of_an_old_value_is_left(inner: BaseStore) -> None:
    """What a document no longer has, or a deleted one had, the wrapped store does not find, put again or not."""
    store = MergeStore.wrap(inner)
    inner_before = fresh_like(inner)
    store.put(NS, "a", {"title": "apple", "tags": ["banana", "cherry", "date"]})
    for value in ({"tags": ["elder"]}, {"title": "fig"}, None, {"text": "grape"}, {"title": "honey", "text": "grape"}):
        store.put(NS, "a", value)  # type: ignore[arg-type]
        inner_before.delete(NS, "a")
        if value is not None:
            inner_before = fresh_like(inner)
            inner_before.put(NS, "a", value)
        for word in WORDS:
            assert scored(inner.search(NS, query=word)) == scored(inner_before.search(NS, query=word))


def fresh_like(inner: BaseStore) -> BaseStore:
    """An empty store of the same sort."""
    return (
        InMemoryStore(index=config(None, *FIELDS)) if isinstance(inner, InMemoryStore) else sqlite(":memory:", *FIELDS)
    )


def test_old_vectors_of_adopted_items_go_too(inner: BaseStore) -> None:
    """The first change of an adopted item takes the vectors with it that the store had made before the swap."""
    inner.put(NS, "a", {"title": "apple", "tags": ["banana", "cherry"]})
    store = MergeStore.wrap(inner)
    store.put(NS, "a", {"title": "date"})
    for word in ("apple", "banana", "cherry"):
        [found] = store.search(NS, query=word)
        assert found.score == pytest.approx(0, abs=0.01)


def test_after_any_history_the_ranking_is_that_of_the_merged_values(seed: str, inner: BaseStore) -> None:
    """Whatever was done by whatever way, a search ranks as a store of the same sort, freshly filled."""
    chance = random.Random(seed)
    for key in "abcd":
        inner.put(NS, key, {"text": f"text {chance.choice(WORDS)}", "tags": chance.sample(WORDS, 3)})
    store = MergeStore.wrap(inner, {NS: Note})
    store.adopt()
    agents = [store.workspace.agent(name) for name in ("ada", "bob")]
    for _ in range(120):
        key, agent = chance.choice("abcdef"), chance.choice(agents)
        value: dict[str, Any] = {"tags": chance.sample(WORDS, chance.randint(0, 3))}
        if chance.random() < 0.5:
            value["title"] = f"title {chance.choice(WORDS)}"
        match chance.choice(["put", "open", "index", "write", "delete", "settle"]):
            case "put":
                store.put(NS, key, value)
            case "open":
                store.put(("open",), key, value)
            case "index":
                store.put(("open",), key, value, index=chance.choice([False, ["title"]]))  # type: ignore[arg-type]
            case "write":
                agent.write(NS, key, value)
                agent.refresh()
            case "delete":
                store.delete(chance.choice([NS, ("open",)]), key)
            case _:
                while questions := store.escalations():
                    store.workspace.dismiss(questions[0], by="maria")
        if chance.random() < 0.3:
            stock = fresh_like(inner)
            for document in store.workspace.list():
                stock.put(document.namespace, document.key, document.value, index=document.setting("index"))
            prefix, word = chance.choice([(), NS, ("open",)]), chance.choice(WORDS)
            # The SQLite store looks at twice as many vectors as documents are wanted, so ask it for all. It leaves out
            # what has no vectors, which a search of ours gives last.
            found, expected = (s.search(prefix, query=word, limit=500) for s in (store, stock))
            ranked = [[item for item in items if item.score is not None] for items in (found, expected)]
            assert scored(ranked[0]) == scored(ranked[1])
            assert len(found) == len([*store.workspace.list(prefix)])


def test_pages_over_sqlite_are_whole() -> None:
    """Pages of a ranking show each document once, also where the store counts vectors instead of documents."""
    inner = sqlite(":memory:", *FIELDS)
    store = MergeStore.wrap(inner)
    for number in range(40):
        store.put(NS, f"k{number}", {"title": WORDS[number % 8], "tags": [f"{word} {number}" for word in WORDS[:6]]})
    for size in (3, 10, 40):
        shown = [
            key for at in range(0, 60, size) for key in keys(store.search(NS, query="apple", limit=size, offset=at))
        ]
        assert len(shown) == 40 and len(set(shown)) == 40
    inner.conn.close()


def test_values_survive_the_process_in_sqlite(tmp_path: Path) -> None:
    """What was merged is there when the store is opened again, ranked without being embedded anew."""
    inner = sqlite(tmp_path / "store.db", *FIELDS)
    store = MergeStore.wrap(inner, {NS: Note})
    ada, bob = store.workspace.agent("ada"), store.workspace.agent("bob")
    ada.write(NS, "a", {"tags": ["apple"]})
    bob.write(NS, "a", {"tags": ["banana"]})
    store.catch_up()
    inner.conn.close()
    again = sqlite(tmp_path / "store.db", *FIELDS)
    store = MergeStore.wrap(again, {NS: Note})
    assert store.get(NS, "a").value == {"tags": ["apple", "banana"]}  # type: ignore[union-attr]
    assert keys(store.search(NS, query="banana")) == ["a"]
    again.conn.close()


# -- async -----------------------------------------------------------------------------------------------------------


async def connected() -> tuple[Any, AsyncSqliteStore]:
    def connect() -> Any:
        return pysqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)

    connection = await aiosqlite.Connection(connect, iter_chunk_size=64)
    index: Any = {"dims": 129, "embed": lambda texts: [embed_one(text) for text in texts], "text_fields": list(FIELDS)}
    store = AsyncSqliteStore(connection, index=index)
    await store.setup()
    return connection, store


async def test_an_async_store_is_wrapped() -> None:
    """A store for coroutines is adopted, ranked and kept up to date, vectors included, by our async calls."""
    connection, inner = await connected()
    try:
        await inner.abatch([])
        await inner.aput(NS, "a", {"title": "apple", "tags": ["banana", "cherry"]})
        store = MergeStore.wrap(inner, {NS: Note})
        assert (await store.aget(NS, "a")).value["title"] == "apple"  # type: ignore[union-attr]
        assert keys(await store.asearch(NS, query="banana")) == ["a"]
        await store.aput(("open",), "b", {"title": "apple", "tags": ["date", "elder"]})
        await store.aput(("open",), "b", {"tags": ["fig"]})
        await asyncio.gather(*(store.aput(("open",), f"k{n}", {"text": f"w{n}"}) for n in range(20)))
        [gone, *_] = [item for item in await store.asearch(("open",), query="date", limit=50) if item.key == "b"]
        assert gone.score == pytest.approx(0, abs=0.01)
        await store.adelete(NS, "a")
        items = await inner.asearch((), limit=50)
        assert {item.key for item in items} == {"b", *(f"k{n}" for n in range(20))}
        assert await store.acatch_up() == 0
    finally:
        await connection.close()


async def test_a_sync_call_on_an_async_store_keeps_the_write() -> None:
    """A sync put from a coroutine cannot reach a store for coroutines; it is kept, and is there after the next async
    call."""
    connection, inner = await connected()
    try:
        store = MergeStore.wrap(inner)
        assert await store.aadopt() == 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # LangGraph's own: a coroutine made and not awaited
            store.put(NS, "a", {"text": "apple"})
        assert store.get(NS, "a").value == {"text": "apple"}  # type: ignore[union-attr]
        assert keys(await store.asearch(NS, query="apple")) == ["a"]
        assert await inner.aget(NS, "a") is not None
    finally:
        await connection.close()


async def test_a_store_with_sync_calls_alone_serves_coroutines() -> None:
    """Our async calls work over a store that refuses its own."""
    inner = sqlite(":memory:", *FIELDS)
    inner.put(NS, "a", {"text": "apple"})
    store = MergeStore.wrap(inner)
    await store.aput(NS, "b", {"text": "banana"})
    found: list[SearchItem] = await store.asearch(NS, query="banana")
    assert keys(found) == ["b", "a"]
    assert ranking(store, "apple") == scored(fresh(store, *FIELDS).search((), query="apple"))
    inner.conn.close()
