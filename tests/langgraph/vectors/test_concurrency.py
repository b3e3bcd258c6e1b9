"""Many at once: threads, coroutines and both on one loop. No old value stands over a newer one, nobody waits for
himself, and what is there is found at every moment."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langgraph.store.base import PutOp, Result
from langgraph.store.memory import InMemoryStore

from concordant_langgraph import MergeStore
from tests.patience import PATIENCE

from .support import NS, WORDS, AsyncEmbedder, Embedder, Note, config, embed_one, fresh, keys, ranking, scored


def settled(store: MergeStore, *fields: str) -> None:
    """What is ranked is what is read."""
    for word in WORDS:
        assert ranking(store, word) == ranking(fresh(store, *fields), word)


class Slow(Embedder):
    """Embeds the old text of a document later than its new one."""

    def __init__(self, slow: str) -> None:
        super().__init__()
        self.slow = slow
        self.reached, self.gate = threading.Event(), threading.Event()

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        if any(self.slow in text for text in texts):
            self.reached.set()
            assert self.gate is not None and self.gate.wait(PATIENCE)
        return [embed_one(text) for text in texts]


def test_an_old_value_does_not_come_after_a_newer_one() -> None:
    """A put whose embedding takes long, and a later put of the same document: what stands in the end is the later."""
    embedder = Slow("apple")
    store = MergeStore(index=config(embedder))
    with ThreadPoolExecutor() as pool:
        first = pool.submit(store.put, NS, "a", {"text": "apple"})
        assert embedder.reached.wait(PATIENCE)
        store.put(NS, "a", {"text": "banana"})  # does not wait for the other's embedding
        found = pool.submit(store.search, NS, query="banana")
        assert embedder.gate is not None
        embedder.gate.set()
        first.result(PATIENCE)
        assert [round(item.score or 0, 3) for item in found.result(PATIENCE)] == [
            item.score and round(item.score, 3) for item in fresh(store).search(NS, query="banana")
        ]
    settled(store)


def test_no_lock_is_held_while_texts_are_embedded() -> None:
    """While a put waits for its embedding, others get, put, list, and search other things without it."""
    embedder = Slow("apple")
    store = MergeStore(index=config(embedder))
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(store.put, NS, "a", {"text": "apple"})
        assert embedder.reached.wait(PATIENCE)
        store.put(NS, "b", {"text": "banana"})
        assert store.get(NS, "a").value == {"text": "apple"}  # type: ignore[union-attr]
        assert keys(store.search(NS)) == ["a", "b"]
        store.workspace.agent("ada").write(NS, "c", {"text": "cherry"})
        store.delete(NS, "b")
        assert not slow.done()
        assert embedder.gate is not None
        embedder.gate.set()
        slow.result(PATIENCE)
    settled(store)


@pytest.mark.parametrize("fields", [(), ("text", "tags[*]")])
def test_threads_that_do_everything_at_once(seed: str, fields: tuple[str, ...]) -> None:
    """After puts, writes, deletions and searches of eight threads, what is ranked is what is read; no call fails."""
    store = MergeStore({NS: Note}, index=config(None, *fields))

    def work(number: int) -> None:
        chance = random.Random(f"{seed}/{number}")
        agent = store.workspace.agent(f"agent {number}")
        for step in range(40):
            key = chance.choice("abcd")
            value = {"text": f"{chance.choice(WORDS)} {number}.{step}", "tags": chance.sample(WORDS, 2)}
            match chance.choice(["put", "put", "write", "delete", "search", "catch up"]):
                case "put":
                    store.put(chance.choice([NS, ("open",)]), key, value)
                case "write":
                    agent.write(NS, key, value)
                    agent.refresh()
                case "delete":
                    store.delete(chance.choice([NS, ("open",)]), key)
                case "search":
                    store.search((), query=chance.choice(WORDS))
                case _:
                    store.catch_up()

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(work, number) for number in range(8)]:
            done.result(PATIENCE)
    settled(store, *fields)


async def test_coroutines_that_do_everything_at_once(seed: str) -> None:
    """The same for a hundred coroutines with an embedding for coroutines, which they use while others wait for it."""
    store = MergeStore({NS: Note}, index=config(AsyncEmbedder(), "text", "tags[*]"))

    async def work(number: int) -> None:
        chance = random.Random(f"{seed}/{number}")
        for step in range(8):
            key = chance.choice("abcd")
            value = {"text": f"{chance.choice(WORDS)} {number}.{step}", "tags": chance.sample(WORDS, 2)}
            match chance.choice(["put", "put", "put", "delete", "search", "get"]):
                case "put":
                    await store.aput(chance.choice([NS, ("open",)]), key, value)
                case "delete":
                    await store.adelete(chance.choice([NS, ("open",)]), key)
                case "search":
                    await store.asearch((), query=chance.choice(WORDS))
                case _:
                    await store.aget(NS, key)

    await asyncio.gather(*(work(number) for number in range(100)))
    stock = fresh(store, "text", "tags[*]")
    for word in WORDS:
        assert scored(await store.asearch((), query=word, limit=99)) == scored(stock.search((), query=word, limit=99))


class TwoWay(AsyncEmbedder):
    """Embeds for coroutines with turns of the loop, and at once for everybody else."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, texts: Sequence[str]) -> list[list[float]]:  # type: ignore[override]
        self.waiting.set()
        await self.go_on.wait()
        return [embed_one(text) for text in texts]


async def test_sync_calls_on_a_loop_do_not_wait_for_coroutines_of_it() -> None:
    """A sync search in a coroutine, while another coroutine's put waits for its embedding, does that document's work
    itself instead of waiting for ever; what is ranked in the end is the newest."""

    class Both(TwoWay):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [embed_one(text) for text in texts]

    both = Both()
    store = MergeStore(index=config())
    view = store._mirror.view
    assert view is not None and isinstance(view.store, InMemoryStore)
    made = view.store.embeddings
    assert made is not None
    object.__setattr__(made, "aembed_documents", both)  # slow for coroutines alone
    slow = asyncio.create_task(store.aput(NS, "a", {"text": "apple"}))
    await both.waiting.wait()
    store.put(NS, "a", {"text": "banana"})
    assert [item.score is not None for item in store.search(NS, query="banana")] == [True]
    assert ranking(store, "banana") == ranking(fresh(store), "banana")
    both.go_on.set()
    await slow
    settled(store)


async def test_a_cancelled_put_is_kept_and_embedded_later() -> None:
    """A coroutine that is cancelled while its text is embedded leaves a stored document, found by the next search."""
    both = TwoWay()
    store = MergeStore(index=config(both))
    task = asyncio.create_task(store.aput(NS, "a", {"text": "apple"}))
    await both.waiting.wait()
    searching = asyncio.create_task(store.asearch(NS, query="apple"))  # waits for the put's work
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    both.go_on.set()
    assert [item.score is not None for item in await searching] == [True]
    assert await store.acatch_up() == 0


async def test_a_cancelled_search_disturbs_nobody() -> None:
    """A search that is cancelled while it waits for another's embedding leaves that one to finish."""
    both = TwoWay()
    store = MergeStore(index=config(both))
    task = asyncio.create_task(store.aput(NS, "a", {"text": "apple"}))
    await both.waiting.wait()
    searching = asyncio.create_task(store.asearch(NS, query="apple"))
    await asyncio.sleep(0)
    searching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await searching
    both.go_on.set()
    await task
    assert keys(await store.asearch(NS, query="apple")) == ["a"]


class Halting(InMemoryStore):
    """A store that can be stopped between taking a document out and putting it in again."""

    halt: threading.Event | None = None
    taken: threading.Event

    def batch(self, ops: Any) -> list[Result]:
        ops = list(ops)
        if self.halt is not None and any(isinstance(op, PutOp) and op.value is not None for op in ops):
            self.taken.set()
            assert self.halt.wait(PATIENCE)
        return super().batch(ops)


def test_a_document_that_changes_is_found_meanwhile() -> None:
    """A search during a change that has to take a document out of the view first still finds it."""
    inner = Halting(index=config(None, "title", "text"))
    inner.taken = threading.Event()
    store = MergeStore.wrap(inner)
    store.put(NS, "a", {"title": "apple", "text": "banana"})
    store.put(NS, "b", {"title": "cherry"})
    with ThreadPoolExecutor() as pool:
        inner.halt = threading.Event()
        change = pool.submit(store.put, NS, "a", {"title": "apple"})
        assert inner.taken.wait(PATIENCE)
        assert inner.get(NS, "a") is None
        found = pool.submit(store.search, NS, query="apple")
        inner.halt.set()
        change.result(PATIENCE)
        inner.halt = None
        assert keys(found.result(PATIENCE)) == ["a", "b"]
        assert found.result()[0].score == pytest.approx(1.0, abs=0.01)


def test_two_stores_on_one_workspace_see_each_others_writes() -> None:
    """Each store of a workspace has vectors of its own, which follow what is put through the other."""
    one = MergeStore(index=config())
    two = MergeStore(workspace=one.workspace, index=config(None, "text"))
    one.put(NS, "a", {"text": "apple"})
    two.put(NS, "b", {"text": "banana"})
    one.delete(NS, "a")
    two.put(NS, "c", {"text": "cherry"})
    settled(one)
    settled(two, "text")
    assert sorted(keys(two.search(NS, query="x"))) == ["b", "c"]
