"""LangGraph's contract for vectors: what its own stores do, on them and on ours. Differences are named at the end."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pysqlite3
import pytest
from langchain_core.embeddings import Embeddings
from langgraph.store.base import BaseStore, GetOp, PutOp, SearchItem, SearchOp
from langgraph.store.memory import InMemoryStore
from langgraph.store.sqlite import SqliteStore

from concordant_langgraph import MergeStore

DIMS = 300
NS = ("docs", "user")


def vector(text: str) -> list[float]:
    found = [0.0] * DIMS
    for word in "".join(c if c.isalnum() else " " for c in text.lower()).split():
        found[zlib.crc32(word.encode()) % DIMS] += 1.0
    return found


class Vectors(Embeddings):
    """An embedding as LangChain has them, with both ways."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [vector(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return vector(text)


def function(texts: Sequence[str]) -> list[list[float]]:
    return [vector(text) for text in texts]


def memory(fields: list[str], embed: Any) -> InMemoryStore:
    return InMemoryStore(index={"dims": DIMS, "embed": embed, "fields": fields})


CONNECTIONS: list[Any] = []


def sqlite(fields: list[str], embed: Any) -> SqliteStore:
    connection = pysqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    CONNECTIONS.append(connection)
    store = SqliteStore(connection, index={"dims": DIMS, "embed": embed, "text_fields": fields})  # type: ignore[typeddict-unknown-key]
    store.setup()
    return store


STORES: dict[str, Callable[[list[str], Any], BaseStore]] = {
    "InMemoryStore": memory,
    "SqliteStore": sqlite,
    "MergeStore": lambda fields, embed: MergeStore(index={"dims": DIMS, "embed": embed, "fields": fields}),
    "MergeStore over InMemoryStore": lambda fields, embed: MergeStore.wrap(memory(fields, embed)),
    "MergeStore over SqliteStore": lambda fields, embed: MergeStore.wrap(sqlite(fields, embed)),
}
OURS = [name for name in STORES if name.startswith("MergeStore")]
Make = Callable[..., BaseStore]


def maker(name: str) -> Iterator[Make]:
    yield lambda *fields, embed=function: STORES[name](list(fields) or ["$"], embed)
    while CONNECTIONS:
        CONNECTIONS.pop().close()


@pytest.fixture(params=STORES)
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    yield from maker(request.param)


@pytest.fixture(params=OURS)
def ours(request: pytest.FixtureRequest) -> Iterator[Make]:
    yield from maker(request.param)


def keys(items: Sequence[SearchItem]) -> list[str]:
    return [item.key for item in items]


def ranked(store: BaseStore, query: str, **options: Any) -> list[str]:
    """The keys of what is similar at all."""
    return [item.key for item in store.search(NS[:1], query=query, **options) if (item.score or 0) > 0.001]


@pytest.mark.parametrize("embed", [function, Vectors()], ids=["function", "Embeddings"])
def test_the_most_similar_comes_first_with_its_score(make: Make, embed: Any) -> None:
    """Items are ranked by cosine similarity, scores fall, and are None in a plain listing."""
    store = make(embed=embed)
    store.put(NS, "both", {"text": "red apple"})
    store.put(NS, "one", {"text": "red car and many more words"})
    store.put(NS, "none", {"text": "green"})
    found = store.search(NS, query="red apple")
    assert keys(found) == ["both", "one", "none"]
    scores = [item.score or 0.0 for item in found]
    assert scores == sorted(scores, reverse=True) and scores[0] > scores[1] > scores[2] >= 0
    assert scores[0] == pytest.approx(2 / (2**0.5 * 3**0.5), abs=1e-3)
    assert [item.score for item in store.search(NS)] == [None] * 3


def test_the_best_of_several_vectors_counts(make: Make) -> None:
    """A document with several texts is found once, by the one that is nearest."""
    store = make("title", "chapters[*].text", "meta.tags[*]")
    store.put(
        NS, "a", {"title": "red", "chapters": [{"text": "green"}, {"text": "blue"}], "meta": {"tags": ["x", "y"]}}
    )
    store.put(NS, "b", {"title": "blue green"})
    for query, first in (("red", "a"), ("blue", "a"), ("green", "a"), ("y", "a"), ("blue green", "b")):
        found = store.search(NS, query=query)
        assert sorted(keys(found)) == ["a", "b"] and found[0].key == first
        assert found[0].score == pytest.approx(1.0, abs=1e-3)


def test_a_put_replaces_the_vector(make: Make) -> None:
    """An item put again is found by its new text alone."""
    store = make("text")
    store.put(NS, "a", {"text": "red"})
    store.put(NS, "b", {"text": "green"})
    store.put(NS, "a", {"text": "blue"})
    assert ranked(store, "blue") == ["a"] and ranked(store, "red") == []


def test_a_deleted_item_is_not_found(make: Make) -> None:
    """A deletion takes the item out of searches."""
    store = make()
    store.put(NS, "a", {"text": "red"})
    store.put(NS, "b", {"text": "red car"})
    store.delete(NS, "a")
    assert keys(store.search(NS, query="red")) == ["b"]


def test_only_under_the_prefix(make: Make) -> None:
    """A search finds what is in its namespace and those below, label by label."""
    store = make()
    for namespace in [("a",), ("a", "b"), ("a", "b", "c"), ("ab",), ("b",)]:
        store.put(namespace, "k", {"text": "red"})
    for prefix, count in [((), 5), (("a",), 3), (("a", "b"), 2), (("ab",), 1), (("c",), 0)]:
        assert len(store.search(prefix, query="red")) == count


def test_a_filter_and_a_query(make: Make) -> None:
    """What meets the filter is ranked, operators included."""
    store = make("text")
    for number in range(6):
        store.put(NS, f"k{number}", {"text": "red" if number % 2 else "red car", "n": number, "even": number % 2 == 0})
    assert sorted(keys(store.search(NS, query="red", filter={"even": True}))) == ["k0", "k2", "k4"]
    assert keys(store.search(NS, query="red car", filter={"n": {"$gte": 3, "$lt": 5}})) == ["k4", "k3"]
    assert store.search(NS, query="red", filter={"n": 77}) == []


def test_limits(make: Make) -> None:
    """limit bounds what is found, ten by default."""
    store = make()
    for number in range(15):
        store.put(NS, f"k{number}", {"text": "red " * (number + 1)})
    assert len(store.search(NS, query="red")) == 10
    assert len(store.search(NS, query="red", limit=3)) == 3
    assert len(store.search(NS, query="red", limit=100)) == 15


def test_offsets_page_through_the_ranking(make: Make) -> None:
    """Two pages are the two halves of what one search finds."""
    store = make("text")
    words = ["red", "green", "blue", "pink", "gold", "grey"]
    for number in range(6):
        store.put(NS, f"k{number}", {"text": " ".join(words[: number + 1])})
    whole = keys(store.search(NS, query="red", limit=6))
    assert whole == [f"k{number}" for number in range(6)]
    assert keys(store.search(NS, query="red", limit=3)) == whole[:3]
    assert keys(store.search(NS, query="red", limit=3, offset=3)) == whole[3:]


def test_a_put_may_choose_its_paths(make: Make) -> None:
    """index= of a put takes the place of the store's paths; with False there is no vector."""
    store = make("text")
    store.put(NS, "default", {"text": "red", "title": "green"})
    store.put(NS, "title", {"text": "red", "title": "green"}, index=["title"])
    store.put(NS, "none", {"text": "red", "title": "green"}, index=False)
    assert ranked(store, "red") == ["default"] and ranked(store, "green") == ["title"]
    assert store.get(NS, "none").value == {"text": "red", "title": "green"}  # type: ignore[union-attr]
    assert sorted(keys(store.search(NS))) == ["default", "none", "title"]


def test_a_text_that_is_missing_makes_no_vector(make: Make) -> None:
    """An item without any of the paths is stored, and similar to nothing."""
    store = make("text")
    store.put(NS, "a", {"other": "red"})
    store.put(NS, "b", {"text": None})
    store.put(NS, "c", {"text": "red"})
    assert ranked(store, "red") == ["c"]
    assert len(store.search(NS)) == 3


def test_other_texts_than_strings(make: Make) -> None:
    """Numbers, lists and records at a path are indexed as text."""
    store = make("n", "list", "record")
    store.put(NS, "a", {"n": 42, "list": ["red"], "record": {"x": "green"}})
    for query in ("42", "red", "green"):
        assert ranked(store, query) == ["a"]


def test_a_batch(make: Make) -> None:
    """In a batch searches see the state before it; puts and deletions of it count afterwards."""
    store = make()
    store.put(NS, "old", {"text": "red"})
    got, found, *_ = store.batch(
        [
            GetOp(NS, "old"),
            SearchOp(NS, query="red"),
            PutOp(NS, "new", {"text": "red apple"}),
            PutOp(NS, "old", None),
            PutOp(NS, "hidden", {"text": "red"}, index=False),
        ]
    )
    assert got.value == {"text": "red"} and keys(found) == ["old"]  # type: ignore[union-attr, arg-type]
    assert ranked(store, "red") == ["new"]


def test_several_searches_in_one_batch(make: Make) -> None:
    """Each search of a batch is answered by itself, with and without a query, in its place."""
    store = make("text")
    for word in ("red", "green", "blue"):
        store.put(NS, word, {"text": word})
    one, two, three, four = store.batch(
        [
            SearchOp(NS, query="green", limit=1),
            SearchOp(NS, limit=2),
            SearchOp(NS, query="blue", limit=1),
            SearchOp(("nobody",), query="blue"),
        ]
    )
    assert keys(one) == ["green"] and keys(three) == ["blue"]  # type: ignore[arg-type]
    assert len(two) == 2 and four == []  # type: ignore[arg-type]


def test_async_twins(make: Make) -> None:
    """aput, adelete, asearch and abatch do what the sync calls do."""
    store = make("text")
    if isinstance(store, SqliteStore):
        with pytest.raises(NotImplementedError):
            asyncio.run(store.abatch([]))
        return

    async def work() -> list[list[str]]:
        await asyncio.gather(*(store.aput(NS, word, {"text": word}) for word in ("red", "green", "blue")))
        await store.aput(NS, "hidden", {"text": "red"}, index=False)
        await store.adelete(NS, "blue")
        [found] = await store.abatch([SearchOp(NS, query="green", limit=1)])
        return [keys(await store.asearch(NS, query="red", limit=1)), keys(found)]  # type: ignore[arg-type]

    assert asyncio.run(work()) == [["red"], ["green"]]
    assert ranked(store, "red") == ["red"] and ranked(store, "blue") == []


def test_unicode(make: Make) -> None:
    """Text of any script is indexed and found."""
    store = make("text")
    for word in ("Grüße", "日本語", "здравствуйте"):
        store.put(NS, word, {"text": word})
        assert ranked(store, word) == [word]


# -- where ours does better, by name ---------------------------------------------------------------------------------


def test_no_vector_of_an_old_value_stays(ours: Make) -> None:
    """LangGraph's stores find an item by texts that it no longer has; SQLite's also after a deletion."""
    store = ours("title", "tags[*]")
    store.put(NS, "a", {"title": "red", "tags": ["green", "blue", "pink"]})
    store.put(NS, "a", {"tags": ["gold", "grey"]})
    assert [ranked(store, word) for word in ("red", "green", "blue", "pink")] == [[], [], [], []]
    assert ranked(store, "gold") == ["a"]
    store.delete(NS, "a")
    store.put(NS, "a", {"title": "red"})
    assert ranked(store, "gold") == [] and ranked(store, "red") == ["a"]
    store.put(NS, "a", {"title": "red"}, index=False)
    assert ranked(store, "red") == []


def test_equal_texts_are_indexed(ours: Make) -> None:
    """InMemoryStore refuses a value, or a batch, in which a text stands twice."""
    store = ours("title", "text", "tags[*]")
    store.batch([PutOp(NS, key, {"title": "red", "text": "red", "tags": ["red", "red"]}) for key in "ab"])
    assert sorted(ranked(store, "red")) == ["a", "b"]


def test_any_page_of_many_vectors(ours: Make) -> None:
    """SqliteStore counts vectors where it should documents, so that later pages are short or empty."""
    store = ours("words[*]")
    for number in range(12):
        store.put(NS, f"k{number:02}", {"words": [f"red x{n}" for n in range(8)] + [f"y{number}"]})
    pages = [keys(store.search(NS, query="red", limit=4, offset=at)) for at in (0, 4, 8, 12)]
    assert sorted(key for page in pages for key in page) == [f"k{n:02}" for n in range(12)] and pages[3] == []


def test_found_items_are_ours_alone(ours: Make) -> None:
    """InMemoryStore hands out its own values; ours can be changed by whoever found them. Times are aware."""
    store = ours()
    store.put(NS, "a", {"tags": ["red"]})
    [found] = store.search(NS, query="red")
    found.value["tags"].append("green")
    assert store.get(NS, "a").value == {"tags": ["red"]}  # type: ignore[union-attr]
    assert found.created_at.utcoffset() is not None and found.namespace == NS
