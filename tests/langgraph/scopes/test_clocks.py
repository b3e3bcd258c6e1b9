"""No clock on the wall decides an order that is known without it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from concordant import Workspace
from concordant.storage import clocks as course
from concordant_langgraph import MergeStore
from tests.nursery import Spoken

from .support import AT, NS, RETRY, Brief, State, chain, contenders, merging, run_node, shown

STEPS = (-300.0, -1.0, -0.05, 0.0, 30.0, 300.0)
Clock = Callable[[float], None]


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stepping(monkeypatch)


def stepping(patch: pytest.MonkeyPatch) -> Clock:
    """A function that steps the clock on the wall."""
    real, off = time.time, [0.0]
    patch.setattr(time, "time", lambda: real() + off[0])

    def by(seconds: float) -> None:
        off[0] += seconds

    return by


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def url(request: pytest.FixtureRequest, fresh_url: Callable[[str], str | None]) -> str | None:
    return fresh_url(request.param)


@pytest.fixture
def store(url: str | None) -> Iterator[MergeStore]:
    with Workspace(url, schemas={NS: Brief}) as workspace:
        yield MergeStore(workspace=workspace)


def beside(call: Callable[[], Any]) -> None:
    """Runs a call in a thread of its own, outside of every task."""
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


class Elsewhere:
    """Another process that writes, with a clock of its own."""

    def __init__(self, url: str) -> None:
        self._process = Spoken("tests.langgraph.scopes.write_elsewhere", [url])
        assert self._answer() == "ready"

    def write(self, key: str, seconds: float) -> None:
        """Writes there, after a step of the clock there."""
        print(key, seconds, file=self._process.stdin)
        assert self._answer() == "written"

    def _answer(self) -> str:
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        self._process.end(60)


@pytest.mark.parametrize("seconds", STEPS)
def test_a_step_of_the_clock_at_any_point_of_a_graph_loses_and_alarms_nothing(
    store: MergeStore, step: Clock, seconds: float
) -> None:
    """What was written while a task ran is beside its put, what was there when it began is before it."""
    points = range(6)  # before the graph; before and after the put of its first and of its second node; after it
    for stepped in points:
        keys = [f"{stepped}/{other}" for other in points]
        for key in keys:
            store.workspace.agent("seed").write(NS, key, {"status": "base"})

        def point(number: int, stepped: int = stepped, keys: list[str] = keys) -> None:
            """Here the clock may step, and somebody else writes to one of the documents."""
            if number == stepped:
                step(seconds)
            beside(lambda: store.workspace.agent("other").write(NS, keys[number], {"status": "other"}))

        def node(name: str, first: int, point: Any = point, keys: list[str] = keys) -> Callable[[State], State]:
            def body(state: State) -> State:
                point(first)
                for key in keys:
                    store.put(NS, key, {"status": name})
                point(first + 1)
                return {}

            return body

        point(0)
        chain(node("one", 1), node("two", 3)).compile(store=store).invoke({"x": 0})
        found = {e.key: sorted(c.value for c in e.contenders) for e in store.escalations()}
        point(5)
        # The second node has seen what the first had not, and puts over it; not what came while it ran itself.
        assert {key: found.get(key) for key in keys if key in found} == {keys[3]: ["other", "two"]}
        step(-seconds)


def test_a_node_has_not_seen_what_was_written_while_it_ran(store: MergeStore, step: Clock) -> None:
    """Nor, later, what the clock says is older."""
    for number, seconds in enumerate(STEPS):
        key = f"k{number}"
        store.workspace.agent("seed").write(NS, key, {"status": "base"})

        def node(state: State, key: str = key, seconds: float = seconds) -> State:
            step(seconds)
            beside(lambda: store.workspace.agent("other").write(NS, key, {"status": "other"}))
            step(seconds)
            store.put(NS, key, {"status": "mine"})
            return {}

        chain(node).compile(store=store).invoke({"x": 0})
        [question] = [e for e in store.escalations() if e.key == key]
        assert sorted(c.value for c in question.contenders) == ["mine", "other"]


@pytest.mark.parametrize("options", [{}, {"timeout": 60.0}])
def test_a_retried_node_began_with_its_first_attempt(options: dict[str, Any]) -> None:
    """What was written between its attempts it has not seen, with a timeout (a context for each attempt) as without."""
    store, attempts = merging(), []

    async def node(state: State) -> State:
        attempts.append(1)
        if len(attempts) == 1:
            beside(lambda: store.workspace.agent("other").write(*AT, {"status": "other"}))
            raise ConnectionError("again")
        await store.aput(*AT, {"status": "mine"})
        return {}

    run_node(store, node, retry_policy=RETRY, **options)
    assert contenders(store) == ["mine", "other"]


def test_a_step_between_sequential_puts_and_deletions_outside_a_graph_changes_nothing(
    store: MergeStore, step: Clock
) -> None:
    """Without framework and name the order of calls decides, on coroutines too."""
    for seconds in STEPS:
        store.put(("u",), "k", {"b": 1})
        step(seconds)
        store.delete(("u",), "k")
        step(-seconds)
        asyncio.run(store.aput(("u",), "k", {"x": 1}))
        step(seconds)
        asyncio.run(store.aput(("u",), "k", {"y": 1}))
        item = store.get(("u",), "k")
        assert item is not None and item.value == {"y": 1} and store.escalations() == []


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_what_another_process_wrote_before_a_task_began_is_told_by_the_file(
    is_async: bool, tmp_path: Path, step: Clock
) -> None:
    """A SQLite file is asked when a task begins, on an event loop too, whatever clocks did."""
    url = f"sqlite:///{tmp_path}/team.db"
    with Workspace(url, schemas={NS: Brief}) as other:
        course._known.clear()  # as in another process
        with Workspace(url, schemas={NS: Brief}) as workspace:
            store = MergeStore(workspace=workspace)
            for number, seconds in enumerate(STEPS):
                early, late = f"early{number}", f"late{number}"

                def node(state: State, early: str = early, late: str = late, seconds: float = seconds) -> State:
                    step(seconds)
                    beside(lambda: other.agent("other").write(NS, late, {"status": "other"}))
                    beside(lambda: store.workspace.get(NS, late))  # heard of here, but not by the node
                    store.put(NS, early, {"status": "mine"})
                    store.put(NS, late, {"status": "mine"})
                    return {}

                async def anode(state: State, node: Any = node) -> State:
                    given: State = node(state)
                    return given

                other.agent("other").write(NS, early, {"status": "other"})
                step(-seconds)
                if is_async:
                    asyncio.run(chain(anode).compile(store=store).ainvoke({"x": 0}))
                else:
                    chain(node).compile(store=store).invoke({"x": 0})
                assert [e.key for e in store.escalations() if e.key in (early, late)] == [late]


def test_a_store_that_each_node_opens_by_itself_is_one_store(
    fresh_url: Callable[[str], str | None], step: Clock
) -> None:
    """What this process has committed it knows, whichever workspace did."""
    for kind, seconds in (("sqlite", -300.0), ("sqlite", 300.0), ("postgres", -1.0)):
        url = fresh_url(kind)
        assert url is not None

        def node(name: str, url: str = url, seconds: float = seconds) -> Callable[[State], State]:
            def body(state: State) -> State:
                step(seconds)
                with MergeStore.from_conn_string(url, {NS: Brief}) as store:
                    store.put(*AT, {"status": name})
                return {}

            return body

        chain(node("one"), node("two"), node("three")).compile().invoke({"x": 0})
        with Workspace(url, schemas={NS: Brief}) as workspace:
            assert (
                workspace.escalations(state="all") == [] and shown(MergeStore(workspace=workspace))["status"] == "three"
            )


@pytest.mark.parametrize("seconds", [-300.0, 0.0, 300.0])
def test_what_another_process_wrote_before_a_node_opened_its_file_is_beside_it(
    tmp_path: Path, step: Clock, seconds: float
) -> None:
    """A step of the clock between what was written while the node ran and its own opening of the file hides nothing."""
    url = f"sqlite:///{tmp_path}/team.db"
    with Workspace(url, schemas={NS: Brief}) as other:

        def node(state: State) -> State:
            beside(lambda: other.agent("other").write(*AT, {"status": "other"}))
            step(seconds)
            course._known.clear()  # as in another process
            with MergeStore.from_conn_string(url, {NS: Brief}) as store:
                store.put(*AT, {"status": "mine"})
            return {}

        chain(node).compile().invoke({"x": 0})
        [question] = other.escalations()
        assert sorted(c.value for c in question.contenders) == ["mine", "other"]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_step_of_either_processs_clock_loses_and_alarms_nothing(
    kind: str, fresh_url: Callable[[str], str | None], step: Clock
) -> None:
    """What another process wrote before a task began is before it, what it wrote while the task ran is beside it."""
    url = fresh_url(kind)
    assert url is not None
    other = Elsewhere(url)
    try:
        with Workspace(url, schemas={NS: Brief}) as workspace:
            store = MergeStore(workspace=workspace)
            for number, (there, here) in enumerate(product(STEPS[::3], STEPS[::2])):
                early, late, blind = (f"{word}{number}" for word in ("early", "late", "blind"))

                def node(state: State, late: str = late, early: str = early, here: float = here) -> State:
                    step(here)
                    other.write(late, 0.0)
                    store.put(NS, early, {"status": "mine"})
                    store.put(NS, late, {"status": "mine"})
                    return {}

                other.write(early, there)
                time.sleep(0.02)  # longer than by how much two processes' sights of the database's clock may differ
                chain(node).compile(store=store).invoke({"x": 0})
                open_ = [e.key for e in store.escalations() if e.key in (early, late, blind)]
                assert (open_, there, here) == ([late], there, here)
                step(-here)
                other.write(blind, -there)
    finally:
        other.end()
