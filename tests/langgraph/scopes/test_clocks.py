"""No clock on the wall decides an order that is known without it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from concordant import Workspace
from concordant_langgraph import MergeStore

from .support import NS, Brief, State, chain

STEPS = (-300.0, -1.0, -0.05, 0.0, 30.0, 300.0)
TESTS = Path(__file__).parents[1]
Clock = Callable[[float], None]


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A function that steps the clock on the wall."""
    real, off = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + off[0])

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
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.write_elsewhere", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=TESTS,
        )
        assert self._answer() == "ready"

    def write(self, key: str, seconds: float) -> None:
        """Writes there, after a step of the clock there."""
        assert self._process.stdin is not None
        print(key, seconds, file=self._process.stdin, flush=True)
        assert self._answer() == "written"

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        self._process.communicate(timeout=60)


def play(store: MergeStore, key: str, at: Callable[[int], None], other: int) -> None:
    """Two nodes that put blindly, one after the other; at point ``other`` somebody else writes."""

    def point(number: int) -> None:
        at(number)
        if number == other:
            beside(lambda: store.workspace.agent("other").write(NS, key, {"status": "other"}))

    def node(name: str, first: int) -> Callable[[State], State]:
        def body(state: State) -> State:
            point(first)
            store.put(NS, key, {"status": name})
            point(first + 1)
            return {}

        return body

    store.workspace.agent("seed").write(NS, key, {"status": "base"})
    graph = chain(node("one", 1), node("two", 3)).compile(store=store)
    point(0)
    graph.invoke({"x": 0})
    point(5)


@pytest.mark.parametrize("seconds", STEPS)
def test_a_step_of_the_clock_at_any_point_of_a_graph_loses_and_alarms_nothing(
    store: MergeStore, step: Clock, seconds: float
) -> None:
    """What was written while a task ran is beside its put, what was there when it began is before it."""
    for stepped, other in product(range(6), range(6)):
        key = f"{stepped}/{other}"
        play(store, key, lambda number, stepped=stepped: step(seconds) if number == stepped else None, other)  # type: ignore[misc]
        # What is written after a node's put has seen it; before it, in the node, neither has seen the other.
        expected = [["one", "other"]] if other == 1 else [["other", "two"]] if other == 3 else []
        questions = [e for e in store.escalations() if e.key == key]
        found = [sorted(c.value for c in e.contenders) for e in questions]
        if other == 1:  # the second node has not seen what the first had not
            expected = []
        assert (found, key) == (expected, key)
        step(-seconds)


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
            for number, (there, here) in enumerate(product(STEPS, STEPS)):
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
