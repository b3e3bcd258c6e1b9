"""An embedding that fails loses no write: what it could not make vectors of waits, and is found all the same."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from langgraph.store.base import BaseStore, Op, PutOp, Result
from langgraph.store.memory import InMemoryStore

from concordant_langgraph import MergeStore
from concordant_langgraph.backlog import EAGER, Backlog

from .support import NS, AsyncEmbedder, Embedder, config, fresh, keys, ranking


@pytest.fixture
def embedder() -> Embedder:
    return Embedder()


@pytest.fixture
def store(embedder: Embedder) -> MergeStore:
    return MergeStore(index=config(embedder))


def test_a_put_is_kept_and_said(store: MergeStore, embedder: Embedder, caplog: pytest.LogCaptureFixture) -> None:
    """A put whose text cannot be embedded is stored and readable; one line of the log says what waits, and why."""
    embedder.failing = ConnectionError
    with caplog.at_level(logging.WARNING, "concordant"):
        store.put(NS, "a", {"text": "apple"})
    assert store.get(NS, "a").value == {"text": "apple"}  # type: ignore[union-attr]
    assert keys(store.search(NS)) == ["a"]
    assert [record.name for record in caplog.records] == ["concordant"]
    assert "docs:a" in caplog.text and "ConnectionError: the embedding service is away" in caplog.text


def test_a_query_that_cannot_be_embedded_raises(store: MergeStore, embedder: Embedder) -> None:
    """Without the embedding no query can be answered: its own error comes through, as from LangGraph's own store."""
    store.put(NS, "a", {"text": "apple"})
    embedder.failing = ConnectionError
    with pytest.raises(ConnectionError, match="away"):
        store.search(NS, query="apple")


def test_what_waits_is_embedded_by_the_next_search(store: MergeStore, embedder: Embedder) -> None:
    """When the embedding is back, the next search finds everything ranked."""
    embedder.failing = ConnectionError
    store.put(NS, "a", {"text": "apple"})
    store.put(NS, "b", {"text": "banana"})
    embedder.failing = None
    found = store.search(NS, query="banana")
    assert keys(found) == ["b", "a"] and found[0].score is not None
    assert ranking(store, "banana") == ranking(fresh(store), "banana")


def test_catch_up_tries_again_and_counts(store: MergeStore, embedder: Embedder) -> None:
    """catch_up says how many documents still wait for their vectors."""
    embedder.failing = TimeoutError
    for key in "abc":
        store.workspace.agent("ada").write(NS, key, {"text": key})
    assert store.catch_up() == 3
    embedder.failing = None
    assert store.catch_up() == 0


async def test_the_async_way_fails_the_same() -> None:
    """aput keeps what cannot be embedded, asearch raises, acatch_up mends it."""
    embedder = AsyncEmbedder()
    store = MergeStore(index=config(embedder))
    embedder.failing = ConnectionError
    await store.aput(NS, "a", {"text": "apple"})
    assert (await store.aget(NS, "a")).value == {"text": "apple"}  # type: ignore[union-attr]
    with pytest.raises(ConnectionError):
        await store.asearch(NS, query="apple")
    assert await store.acatch_up() == 1
    embedder.failing = None
    assert await store.acatch_up() == 0
    assert (await store.asearch(NS, query="apple"))[0].score is not None


def test_one_bad_text_holds_up_nothing_else(store: MergeStore, embedder: Embedder) -> None:
    """Of many documents that are due together all but the one that cannot be embedded are ranked; it comes last."""
    embedder.poison = "poison"
    for number in range(30):
        store.workspace.agent("ada").write(NS, f"k{number:02}", {"text": f"w{number}" if number != 7 else "poison"})
    found = store.search(NS, query="w3", limit=40)
    assert keys(found)[0] == "k03" and keys(found)[-1] == "k07"
    assert [item.key for item in found if item.score is None] == ["k07"]
    assert len(found) == 30


def test_a_store_that_is_away_is_not_asked_for_every_document(store: MergeStore, embedder: Embedder) -> None:
    """While the embedding is away, catching up with many documents asks a handful of times, not once for each."""
    embedder.failing = ConnectionError
    for number in range(50):
        store.workspace.agent("ada").write(NS, str(number), {"text": f"w{number}"})
    calls = len(embedder.asked)
    assert store.catch_up() == 50
    assert len(embedder.asked) - calls <= 50 + 3  # one request with all of them, and three with one


def test_the_old_vector_does_not_stand_for_the_new_text(store: MergeStore, embedder: Embedder) -> None:
    """A document whose new text cannot be embedded is not ranked by its old one."""
    store.put(NS, "a", {"text": "apple"})
    store.put(NS, "b", {"text": "banana"})
    embedder.poison = "poison"
    store.put(NS, "a", {"text": "poison"})
    found = store.search(NS, query="apple")
    assert keys(found) == ["b", "a"] and found[1].score is None and found[1].value == {"text": "poison"}


def test_failures_are_tried_again_ever_more_seldom() -> None:
    """After some failures a document is due only after a while, which doubles up to five minutes; a new change of it is
    due at once."""
    now = [0.0]
    store = MergeStore()
    backlog = Backlog(store.workspace, clock=lambda: now[0])
    store.put(NS, "a", {"text": "x"})
    place = (NS, "a")

    def fail() -> None:
        share = backlog.take(backlog.due())
        assert share is not None and share.addresses == [place]
        backlog.end(share, failed=[place])

    backlog.pull()
    for _ in range(EAGER):
        fail()
    waits = []
    while len(waits) < 12:
        assert not backlog.due() and backlog.waiting() == [place]
        before = now[0]
        while not backlog.due():
            now[0] += 0.5
        waits.append(now[0] - before)
        fail()
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    store.put(NS, "a", {"text": "y"})
    backlog.pull()
    assert [*backlog.due()] == [place]


class Unreliable(InMemoryStore):
    """A store whose puts fail altogether for a while, as a database does that is away."""

    away = False

    def batch(self, ops: Any) -> list[Result]:
        ops = list(ops)
        if self.away and any(isinstance(op, PutOp) for op in ops):
            raise OSError("no connection")
        return super().batch(ops)


def test_a_wrapped_store_that_is_away_loses_nothing() -> None:
    """Puts and deletions made while the wrapped store is away reach it when it is back."""
    inner = Unreliable(index=config())
    store = MergeStore.wrap(inner)
    store.put(NS, "a", {"text": "apple"})
    store.put(NS, "b", {"text": "banana"})
    inner.away = True
    store.put(NS, "a", {"text": "cherry"})
    store.delete(NS, "b")
    assert store.get(NS, "a").value == {"text": "cherry"} and store.get(NS, "b") is None  # type: ignore[union-attr]
    assert keys(store.search(NS, query="cherry")) == ["a"]
    inner.away = False
    assert store.catch_up() == 0
    assert {item.key: item.value for item in inner.search(())} == {"a": {"text": "cherry"}}
    assert ranking(store, "cherry") == ranking(fresh(store), "cherry")


class Plain(BaseStore):
    """A store of somebody else: it ranks, and tells nothing of how."""

    def __init__(self) -> None:
        self.inner = InMemoryStore(index=config(None, "text", "tags[*]"))
        self.index_config = {"dims": 3}

    def batch(self, ops: Any) -> list[Result]:
        return self.inner.batch(ops)

    async def abatch(self, ops: Any) -> list[Result]:
        return await self.inner.abatch(ops)


def test_a_store_that_does_not_tell_how_it_indexes_keeps_no_old_vectors() -> None:
    """Where the names of vectors cannot be known, a document is taken out before each change."""
    store = MergeStore.wrap(Plain())
    for value in ({"text": "apple", "tags": ["banana", "cherry"]}, {"tags": ["date"]}, {"text": "elder"}):
        store.put(NS, "a", value)
        for word in ("apple", "banana", "cherry", "date", "elder"):
            assert ranking(store, word) == ranking(fresh(store, "text", "tags[*]"), word)


def test_a_failing_callback_of_ops_is_the_callers_error(store: MergeStore) -> None:
    """An operation that is none raises, and nothing of its batch is stored."""
    ops: list[Op] = [PutOp(NS, "a", {"text": "apple"}), "no op"]  # type: ignore[list-item]
    with pytest.raises(ValueError, match="Unknown operation"):
        store.batch(ops)
    assert store.get(NS, "a") is None
