"""`@task`s of one caller: one that was called with the result of another in hand comes after it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackManager
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy, interrupt

from concordant_langgraph import MergeStore
from concordant_langgraph.lineage import relation
from tests.patience import PATIENCE

from .support import AT, State, contenders, current_task, merging, shown

TAKES: dict[str, Callable[[Any], Any]] = {
    "result": lambda future: future.result(),
    "exception": lambda future: future.exception(),
    "wait": lambda future: concurrent.futures.wait([future]) and future.done(),
    "as_completed": lambda future: [done.result() for done in concurrent.futures.as_completed([future])],
}


def saying(store: MergeStore) -> Any:
    """A `@task` that puts a status without having read any."""

    @task
    def say(status: str) -> str:
        store.put(*AT, {"status": status, "tags": [status]})
        return status

    return say


def asaying(store: MergeStore) -> Any:
    @task
    async def say(status: str) -> str:
        await store.aput(*AT, {"status": status, "tags": [status]})
        return status

    return say


@pytest.mark.parametrize("take", TAKES)
def test_a_task_that_is_called_after_another_had_returned_has_seen_it(take: str) -> None:
    """In whatever way its caller takes the result."""
    store = merging()
    say = saying(store)

    @entrypoint(store=store)
    def flow(_: Any) -> None:
        for status in "abc":
            TAKES[take](say(status))

    flow.invoke("go")
    assert shown(store) == {"status": "c", "tags": ["a", "b", "c"]} and store.escalations(state="all") == []


@pytest.mark.parametrize("how", ["await", "gather", "wait", "wait_for"])
def test_a_task_that_is_called_after_another_was_awaited_has_seen_it(how: str) -> None:
    """Coroutines too."""
    store = merging()
    say = asaying(store)
    waits: dict[str, Callable[[Any], Any]] = {
        "await": lambda future: future,
        "gather": asyncio.gather,
        "wait": lambda future: asyncio.wait([future]),
        "wait_for": lambda future: asyncio.wait_for(future, 60),
    }

    @entrypoint(store=store)
    async def flow(_: Any) -> None:
        for status in "abc":
            await waits[how](say(status))

    asyncio.run(flow.ainvoke("go"))
    assert shown(store) == {"status": "c", "tags": ["a", "b", "c"]} and store.escalations(state="all") == []


@pytest.mark.parametrize("threads", [3, 20])
def test_tasks_that_are_called_side_by_side_are_concurrent_whatever_the_pool_makes_of_them(threads: int) -> None:
    """A pool that has room for one (LangGraph itself takes two) runs them one after the other; and one that ends before
    the next is called is beside it all the same."""
    store = merging()
    say = saying(store)

    @entrypoint(store=store)
    def flow(_: Any) -> None:
        futures = []
        for status in "abc":
            futures.append(say(status))
            time.sleep(0.05)  # it ends meanwhile
        for future in futures:
            future.result()

    flow.invoke("go", {"max_concurrency": threads})
    assert contenders(store) == ["a", "b", "c"] and sorted(shown(store)["tags"]) == ["a", "b", "c"]


def test_gathered_tasks_are_concurrent() -> None:
    """Coroutines called side by side, though all of them end before any is looked at."""
    store = merging()
    say = asaying(store)

    @entrypoint(store=store)
    async def flow(_: Any) -> None:
        await asyncio.gather(*(say(status) for status in "abc"))

    asyncio.run(flow.ainvoke("go"))
    assert contenders(store) == ["a", "b", "c"]


@pytest.mark.parametrize("is_async", [False, True])
def test_tasks_of_a_sync_entrypoint_that_is_run_on_a_loop(is_async: bool) -> None:
    """Its calls come from a thread; what it takes counts, what it does not take does not."""
    store = merging()
    say = (asaying if is_async else saying)(store)

    @entrypoint(store=store)
    def flow(_: Any) -> None:
        say("a").result()
        for future in [say("b"), say("c")]:
            future.result()

    asyncio.run(flow.ainvoke("go"))
    assert contenders(store) == ["b", "c"]


@pytest.mark.parametrize("is_async", [False, True])
def test_of_any_two_calls_the_later_is_after_the_earlier_if_its_result_was_taken(is_async: bool, seed: str) -> None:
    """In flows that take results in any order, at any time: the verdict on each pair is what the caller knew."""
    for number in range(12):
        rng = random.Random(f"{seed}/{is_async}/{number}")
        takes = [[rng.random() < 0.4 for _ in range(call)] for call in range(8)]
        naps = [rng.random() < 0.3 for _ in range(8)]
        tokens: dict[int, str] = {}
        after: dict[int, set[int]] = {}

        def note(call: int, tokens: dict[int, str] = tokens) -> None:
            found = current_task()
            assert found is not None
            tokens[call] = found.token

        taken: set[int] = set()

        def taking(call: int, takes: Any = takes, taken: set[int] = taken, after: Any = after) -> list[int]:
            now = [other for other in range(call) if takes[call][other] and other not in taken]
            taken.update(now)
            after[call] = set(taken)
            return now

        if is_async:

            @task
            async def anoting(call: int, note: Any = note) -> None:
                note(call)

            @entrypoint()
            async def aflow(_: Any, anoting: Any = anoting, taking: Any = taking, naps: Any = naps) -> None:
                futures: list[Any] = []
                for call in range(8):
                    for other in taking(call):
                        await futures[other]
                    futures.append(anoting(call))
                    if naps[call]:
                        await asyncio.sleep(0.003)
                await asyncio.gather(*futures)

            asyncio.run(aflow.ainvoke("go"))
        else:

            @task
            def noting(call: int, note: Any = note) -> None:
                note(call)

            @entrypoint()
            def flow(_: Any, noting: Any = noting, taking: Any = taking, naps: Any = naps) -> None:
                futures: list[Any] = []
                for call in range(8):
                    for other in taking(call):
                        futures[other].result()
                    futures.append(noting(call))
                    if naps[call]:
                        time.sleep(0.003)
                for future in futures:
                    future.result()

            flow.invoke("go")
        for later in range(8):
            for earlier in range(later):
                expected = "ordered" if earlier in after[later] else "concurrent"
                assert relation(tokens[later], tokens[earlier]) == expected
                assert relation(tokens[earlier], tokens[later]) == expected


@pytest.mark.parametrize("side_by_side", [False, True])
def test_a_resumed_entrypoint_keeps_what_was_after_what(side_by_side: bool) -> None:
    """Results of the first execution come from the checkpoint at once; what was beside them is so still."""
    store = merging()
    say = saying(store)

    @task
    def ask(status: str) -> None:
        answer = interrupt("?")
        store.put(*AT, {"status": status, "tags": [answer]})

    @entrypoint(store=store, checkpointer=InMemorySaver())
    def flow(_: Any) -> None:
        first = say("a")
        if not side_by_side:
            first.result()
        ask("b").result()
        first.result()

    config: Any = {"configurable": {"thread_id": "t"}}
    flow.invoke("go", config)
    flow.invoke(Command(resume="yes"), config)
    if side_by_side:
        assert contenders(store) == ["a", "b"]
    else:
        assert shown(store)["status"] == "b" and store.escalations(state="all") == []
    assert sorted(shown(store)["tags"]) == ["a", "yes"]


def test_a_retried_caller_keeps_what_was_after_what() -> None:
    """Every attempt's calls are known again by their number, and have their effect once."""
    store = merging()
    say = saying(store)
    attempts = 0

    def node(state: State) -> State:
        nonlocal attempts
        attempts += 1
        say("a").result()
        for future in [say("b"), say("c")]:
            future.result()
        if attempts < 3:
            raise ConnectionError("again")
        return {}

    builder: Any = StateGraph(State)
    policy = RetryPolicy(max_attempts=5, initial_interval=0.001, jitter=False)
    builder.add_node("n", node, retry_policy=policy).add_edge(START, "n")
    builder.compile(store=store).invoke({})
    assert attempts == 3 and contenders(store) == ["b", "c"] and sorted(shown(store)["tags"]) == ["a", "b", "c"]


def test_a_failed_or_cancelled_task_has_returned_as_well() -> None:
    """Its error is its result, and a future that is cancelled takes the call with it."""
    store = merging()
    say = asaying(store)
    started = threading.Event()

    @task
    async def fail(status: str) -> None:
        await store.aput(*AT, {"status": status})
        raise ConnectionError(status)

    @task
    async def hang() -> None:
        started.set()
        await asyncio.sleep(600)

    @entrypoint(store=store)
    async def flow(_: Any) -> None:
        with pytest.raises(ConnectionError):
            await fail("a")
        await say("b")
        hanging = hang()
        while not started.is_set():
            await asyncio.sleep(0.001)
        assert hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging

    asyncio.run(flow.ainvoke("go"))
    assert shown(store)["status"] == "b" and store.escalations(state="all") == []


def test_tasks_that_begin_at_once_are_not_confused() -> None:
    """LangGraph gives them one set of callbacks, in which each notes what it is; retried, each has its effect once."""
    store = merging()
    failed: list[bool] = []
    barrier = threading.Barrier(3, timeout=PATIENCE)

    @task
    def note(word: str) -> None:
        store.put(*AT, {"tags": [word], "votes": 1, "log": f"{word} {len(failed)}"})

    @entrypoint(store=store)
    def flow(_: Any) -> None:
        for future in [note(word) for word in "abc"]:
            future.result()

    def node(state: State) -> State:
        flow.invoke("go")
        if not failed:
            failed.append(True)
            raise ConnectionError
        return {}

    def meet(self: BaseCallbackManager, metadata: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        add_metadata(self, metadata, *args, **kwargs)
        if metadata.get("langgraph_node") == "note":
            barrier.wait()

    add_metadata = BaseCallbackManager.add_metadata
    builder = StateGraph(State).add_node("node", node, retry_policy=RetryPolicy(initial_interval=0.001, jitter=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseCallbackManager, "add_metadata", meet)
        builder.add_edge(START, "node").compile(store=store).invoke({})
    assert sorted(shown(store)["log"].split("\n")) == ["a 1", "b 1", "c 1"]
    assert shown(store)["votes"] == 3 and sorted(shown(store)["tags"]) == ["a", "b", "c"]
