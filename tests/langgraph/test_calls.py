"""What a call of the store costs, told by how many functions it calls: times of microseconds are too noisy."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Annotated

import pytest
from langgraph.store.base import BaseStore
from pydantic import BaseModel

from benchmarks.graphs import in_node, run
from benchmarks.writers import calls
from concordant import Counter, Scalar, Set, Text, Workspace
from concordant_langgraph import MergeStore

NS = ("briefs",)
MOST = {
    "fresh": 46,
    "second": 86,
    "third": 76,
    "get": 24,
    "write": 25,
    "looked": 104,
    "line": 385,
    "row": 65,
    "merged": 190,
}
LINES = 64
ROW = 12
VALUE = {"tags": ["a", "b"], "status": "draft", "notes": "A finding.", "hits": 1}


class Brief(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    status: Annotated[str | None, Scalar()] = None
    notes: Annotated[str, Text()] = ""
    hits: Annotated[int, Counter()] = 0


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    """Whoever is told of a collection of garbage is called, too."""
    gc.disable()
    yield
    gc.enable()


def of_the_second(store: BaseStore, *calls_of: Callable[[str], int]) -> list[int]:
    """What is called in a node by each of some calls, in turn, for a second key."""

    def node() -> list[int]:
        store.put(NS, "first of the node", VALUE)
        return [[call(key) for call in calls_of] for key in ("one", "two")][1]

    found: list[int] = in_node(store, node)
    return found


def test_the_calls_of_a_put_and_a_get() -> None:
    """In a node: a put of a fresh key, another put of it, one more, a get of what was put once, and a get of a fresh
    key with the put that follows."""
    store = MergeStore({NS: Brief})

    def put(key: str) -> int:
        return calls(lambda: store.put(NS, key, VALUE))

    def get(key: str) -> int:
        store.put(NS, f"{key} read", VALUE)
        return calls(lambda: store.get(NS, f"{key} read"))

    def look(key: str) -> int:
        return calls(lambda: (store.get(NS, f"{key} new"), store.put(NS, f"{key} new", VALUE)))

    fresh, second, third, got, looked = of_the_second(store, put, put, put, get, look)
    found = {"fresh": fresh, "second": second, "third": third, "get": got, "looked": looked}
    assert {name: count for name, count in found.items() if count > MOST[name]} == {}


def test_the_calls_of_lines_in_a_row() -> None:
    """Lines put to a text by one node, each in the place of the one before: with what they take to be merged."""
    store = MergeStore({NS: Brief})

    def puts(key: str) -> int:
        store.put(NS, key, {"notes": "A text."})
        lines = [{"notes": f"Finding {number}: a line."} for number in range(LINES)]
        return calls(lambda: [store.put(NS, key, line) for line in lines])

    [made] = of_the_second(store, puts)
    assert made <= MOST["line"] * LINES


def test_the_calls_of_puts_in_a_row_and_a_get_of_what_they_made() -> None:
    """However many puts of one node wait for a get, what each of them had read is told by the one before it."""
    store = MergeStore({NS: Brief})

    def puts(key: str) -> int:
        store.put(NS, key, VALUE)
        for number in range(ROW):
            store.put(NS, key, {**VALUE, "hits": number})
        return calls(lambda: store.get(NS, key).value)  # type: ignore[union-attr]

    [made] = of_the_second(store, puts)
    assert made <= MOST["row"] * ROW


def test_the_calls_of_the_first_get_after_a_merge() -> None:
    """Two nodes beside each other wrote what can be merged; a third reads it, the second of two such documents."""
    store, found = MergeStore({NS: Brief}), list[int]()

    def writer(tag: str) -> Callable[[], object]:
        return lambda: [store.put(NS, key, {"tags": [tag], "notes": f"By {tag}."}) for key in ("one", "two")]

    def read(key: str) -> int:
        return calls(lambda: store.get(NS, key).value)  # type: ignore[union-attr]

    run(store, [writer("a"), writer("b")], [lambda: found.extend(map(read, ("one", "two")))])
    assert found[1] <= MOST["merged"]


def test_the_calls_of_an_agents_write() -> None:
    """A write of a fresh key without a framework."""
    ada = Workspace(schemas={NS: Brief}).agent("ada")
    ada.write(NS, "one", VALUE)
    made = calls(lambda: ada.write(NS, "two", VALUE))
    assert made <= MOST["write"]
