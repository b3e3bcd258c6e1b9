"""Strands: coroutines and threads that one task runs side by side are writers of their own."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from concordant import Workspace
from concordant_langgraph import MergeStore

from .support import AT, NS, RETRY, Brief, State, contenders, merging, run_node, shown

WORDS = [f"w{i}" for i in range(6)]


def added(value: dict[str, Any], word: str) -> dict[str, Any]:
    return {
        "tags": [*value.get("tags", []), word],
        "steps": [*value.get("steps", []), word],
        "votes": value.get("votes", 0) + 1,
        "owners": {**value.get("owners", {}), word: word},
        "log": "\n".join([*value.get("log", "").splitlines(), word]),
    }


def check_all_there(store: MergeStore, words: list[str] = WORDS) -> None:
    value = shown(store)
    assert sorted(value["tags"]) == sorted(value["steps"]) == sorted(value["owners"]) == sorted(words)
    assert sorted(value["log"].split("\n")) == sorted(words) and value["votes"] == len(words)
    assert store.escalations(state="all") == []


async def get_think_put(store: MergeStore, word: str) -> None:
    found = await store.aget(*AT)
    await asyncio.sleep(0.001)
    await store.aput(*AT, added(found.value if found else {}, word))


@pytest.mark.parametrize("url", ["", "sqlite"])
@pytest.mark.parametrize("read_before", [False, True])
def test_gathered_coroutines_lose_nothing(read_before: bool, url: str, tmp_path: Any) -> None:
    """Each has what it read itself, though all of them are one task; over a database too."""
    workspace = Workspace(f"sqlite:///{tmp_path / 'team.db'}" if url else None, schemas={NS: Brief})
    with workspace:
        store = MergeStore(workspace=workspace)

        async def node(state: State) -> State:
            if read_before:
                await store.aput(*AT, {})
                await store.aget(*AT)
            await asyncio.gather(*(get_think_put(store, word) for word in WORDS))
            return {}

        run_node(store, node)
        check_all_there(store)


def test_threads_of_a_pool_lose_nothing() -> None:
    """Jobs that a node gives to threads, in its context, are writers of their own, whatever threads they get."""
    store = merging()

    def job(word: str) -> None:
        found = store.get(*AT)
        store.put(*AT, added(found.value if found else {}, word))

    def node(state: State) -> State:
        with ThreadPoolExecutor(3) as pool:
            for future in [pool.submit(contextvars.copy_context().run, job, word) for word in WORDS]:
                future.result()
        return {}

    run_node(store, node)
    check_all_there(store)


def test_gathered_coroutines_that_disagree_escalate() -> None:
    """Two values for one scalar, put side by side, are a question, not the last one's."""
    store = merging()

    async def decide(word: str) -> None:
        await store.aget(*AT)
        await asyncio.sleep(0.001)
        await store.aput(*AT, {"status": word})

    async def node(state: State) -> State:
        await asyncio.gather(decide("yes"), decide("no"))
        return {}

    run_node(store, node)
    assert contenders(store) == ["no", "yes"]


async def _in_tasks(store: MergeStore) -> None:
    found = await asyncio.create_task(store.aget(*AT))
    await asyncio.create_task(store.aput(*AT, changed(found)))


async def _with_timeouts(store: MergeStore) -> None:
    found = await asyncio.wait_for(store.aget(*AT), 5)
    await asyncio.wait_for(store.aput(*AT, changed(found)), 5)


async def _read_in_a_thread(store: MergeStore) -> None:
    found = await asyncio.to_thread(store.get, *AT)
    store.put(*AT, changed(found))


async def _put_in_a_thread(store: MergeStore) -> None:
    found = await store.aget(*AT)
    await asyncio.to_thread(store.put, *AT, changed(found))


async def _both_in_threads(store: MergeStore) -> None:
    found = await asyncio.to_thread(store.get, *AT)
    await asyncio.to_thread(store.put, *AT, changed(found))


async def _gathered_reads(store: MergeStore) -> None:
    found, _ = await asyncio.gather(store.aget(*AT), store.aget(NS, "other"))
    await store.aput(*AT, changed(found))


def changed(found: Any) -> dict[str, Any]:
    """Something of everything is taken away, something put in its place."""
    value = found.value
    return {
        "tags": [tag for tag in value["tags"] if tag != "w1"] + ["new"],
        "votes": value["votes"] + 1,
        "log": value["log"].replace("w1", "new"),
        "steps": ["new" if step == "w1" else step for step in value["steps"]],
    }


WAYS = [_in_tasks, _with_timeouts, _read_in_a_thread, _put_in_a_thread, _both_in_threads, _gathered_reads]


@pytest.mark.parametrize("rounds", [1, 2])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__.strip("_"))
def test_a_read_and_a_put_of_one_coroutine_are_an_edit(way: Callable[[MergeStore], Any], rounds: int) -> None:
    """However a coroutine has its read and its put carried out, the put is an edit of what was read."""
    store = merging()
    store.put(*AT, {"tags": ["w0", "w1"], "votes": 5, "log": "w0 w1", "steps": ["w0", "w1"]})

    async def node(state: State) -> State:
        for _ in range(rounds):
            await way(store)
        return {}

    run_node(store, node)
    value = shown(store)
    assert value["tags"] == ["w0", "new"] and value["votes"] == 5 + rounds
    assert value["log"] == "w0 new" and value["steps"] == ["w0", "new"]
    assert store.escalations(state="all") == []


async def _gathered(*work: Coroutine[Any, Any, Any]) -> None:
    await asyncio.gather(*work)


async def _in_a_group(*work: Coroutine[Any, Any, Any]) -> None:
    async with asyncio.TaskGroup() as group:
        for one in work:
            group.create_task(one)


async def _waited_for(*work: Coroutine[Any, Any, Any]) -> None:
    await asyncio.wait([asyncio.create_task(one) for one in work])


async def _as_they_end(*work: Coroutine[Any, Any, Any]) -> None:
    for one in asyncio.as_completed(work):
        await one


@pytest.mark.parametrize("reader_lives", [0, 0.02])
@pytest.mark.parametrize(
    "together", [_gathered, _in_a_group, _waited_for, _as_they_end], ids=lambda way: way.__name__.strip("_")
)
@pytest.mark.parametrize("url", ["", "sqlite"])
def test_a_reader_beside_a_coroutine_has_not_read_for_it(
    url: str, together: Any, reader_lives: float, tmp_path: Any
) -> None:
    """A put without a read of its own adds, whether or not a coroutine beside it has read the same and ended."""
    with Workspace(f"sqlite:///{tmp_path / 'team.db'}" if url else None, schemas={NS: Brief}) as workspace:
        store = MergeStore(workspace=workspace)
        store.put(*AT, {"tags": ["w0"], "votes": 5, "log": "w0", "steps": ["w0"]})

        async def reader() -> None:
            await store.aget(*AT)
            await asyncio.sleep(reader_lives)

        async def adder() -> None:
            await asyncio.sleep(0.01)
            await store.aput(*AT, {"tags": ["w1"], "votes": 1, "log": "w1", "steps": ["w1"]})

        async def node(state: State) -> State:
            await together(reader(), adder())
            return {}

        run_node(store, node)
        assert shown(store) == {"tags": ["w0", "w1"], "votes": 6, "log": "w0\nw1", "steps": ["w0", "w1"]}


@pytest.mark.parametrize("together", [_gathered, _in_a_group], ids=["gather", "group"])
def test_what_one_group_has_read_the_next_may_put(together: Any) -> None:
    """Coroutines that a node gathers after others go on with what those have read, one after the other."""
    store = merging()
    store.put(*AT, {"tags": ["w0", "w1"], "votes": 5, "log": "w0 w1", "steps": ["w0", "w1"]})
    found: list[Any] = []

    async def reader() -> None:
        found.append(await store.aget(*AT))

    async def node(state: State) -> State:
        await together(reader())
        await together(store.aput(*AT, changed(found[0])))
        return {}

    run_node(store, node)
    assert shown(store) == {"tags": ["w0", "new"], "votes": 6, "log": "w0 new", "steps": ["w0", "new"]}


@pytest.mark.parametrize("rounds", [2, 4])
def test_what_was_gathered_is_seen_by_what_comes_after(rounds: int) -> None:
    """A node that gathers, goes on, and gathers again is a sequence of its rounds."""
    store = merging()

    async def put(word: str) -> None:
        await store.aput(*AT, {"status": word, "tags": [word]})

    async def node(state: State) -> State:
        for number in range(rounds):
            await asyncio.gather(put(f"round {number}"))
            await store.aput(*AT, {"status": f"after {number}"})
        return {}

    run_node(store, node)
    value = shown(store)
    assert value["status"] == f"after {rounds - 1}" and len(value["tags"]) == rounds
    assert store.escalations(state="all") == []


def test_gathered_coroutines_of_a_retried_node_have_their_effect_once() -> None:
    """A node that gathers the same coroutines again, each putting blindly, changes nothing."""
    store = merging()
    tries: list[int] = []

    async def put(word: str) -> None:
        await store.aput(*AT, {"tags": [word], "votes": 1, "steps": [word], "owners": {word: word}, "log": word})

    async def node(state: State) -> State:
        tries.append(1)
        await asyncio.gather(*(put(word) for word in WORDS))
        if len(tries) < 3:
            raise ConnectionError
        return {}

    run_node(store, node, retry_policy=RETRY)
    check_all_there(store)


def test_retried_coroutines_that_get_and_put_have_their_effect_once() -> None:
    """The same where each first reads: it does not see what the earlier execution put."""
    store = merging()
    tries: list[int] = []

    async def node(state: State) -> State:
        tries.append(1)
        await asyncio.gather(*(get_think_put(store, word) for word in WORDS))
        if len(tries) < 3:
            raise ConnectionError
        return {}

    run_node(store, node, retry_policy=RETRY)
    check_all_there(store)


def test_200_gathered_workers_lose_nothing() -> None:
    """200 workers that one node gathers get, think and put."""
    store = merging()
    words = [f"w{i}" for i in range(200)]

    async def node(state: State) -> State:
        await asyncio.gather(*(get_think_put(store, word) for word in words))
        return {}

    run_node(store, node)
    check_all_there(store, words)
