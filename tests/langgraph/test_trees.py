"""``MergeStore(undeclared="tree")``: what has no model merges at any depth."""

from __future__ import annotations

import threading
from typing import Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from concordant import SchemaError
from concordant_langgraph import MergeStore
from tests.patience import PATIENCE

AT = (("config",), "web")


class State(TypedDict, total=False):
    together: bool


READ = threading.Barrier(3)
"""Where nodes wait for each other between their reads and their writes."""


def ran(*nodes: Any, store: BaseStore) -> BaseStore:
    """Runs one node, then the others in one superstep."""
    graph = StateGraph(State)
    for node in nodes:
        graph.add_node(node.__name__, node)
    graph.add_edge(START, nodes[0].__name__)
    for node in nodes[1:]:
        graph.add_edge(nodes[0].__name__, node.__name__)
    graph.compile(store=store).invoke({"together": len(nodes) > 2})
    return store


def meet(state: State) -> None:
    """All three have read when the first goes on, if they run in one superstep."""
    if state.get("together"):
        READ.wait(PATIENCE)


def begin(state: State, *, store: BaseStore) -> State:
    store.put(*AT, {"log": {"level": "info"}, "hosts": ["a", "b"], "port": 80})
    return {}


def operator(state: State, *, store: BaseStore) -> State:
    item = store.get(*AT)
    assert item is not None
    meet(state)
    item.value["log"]["level"] = "debug"
    item.value["hosts"].append("c")
    store.put(*AT, item.value)
    return {}


def developer(state: State, *, store: BaseStore) -> State:
    item = store.get(*AT)
    assert item is not None
    meet(state)
    item.value["log"]["file"] = "web.log"
    item.value["hosts"].remove("a")
    item.value["port"] = {"http": 80}
    store.put(*AT, item.value)
    return {}


def mover(state: State, *, store: BaseStore) -> State:
    item = store.get(*AT)
    assert item is not None
    meet(state)
    item.value["port"] = 8080
    store.put(*AT, item.value)
    return {}


def test_nodes_of_one_superstep_change_one_configuration() -> None:
    """Read-modify-write in parallel nodes loses nothing; two types at one place are a question with its path."""
    store = MergeStore(undeclared="tree")
    ran(begin, operator, developer, mover, store=store)
    item = store.get(*AT)
    assert item is not None
    assert item.value == {"log": {"level": "debug", "file": "web.log"}, "hosts": ["b", "c"], "port": 80}
    [question] = store.escalations()
    assert (question.path, question.reason) == (("port",), "type")
    assert sorted(map(repr, (c.value for c in question.contenders))) == ["8080", "{'http': 80}"]


def test_one_node_after_the_other_is_as_in_the_stock_store() -> None:
    """A sequential program gets what ``InMemoryStore`` gives."""
    values = []
    stores: tuple[BaseStore, ...] = (InMemoryStore(), MergeStore(undeclared="tree"))
    for store in stores:
        for node in (operator, developer, mover):
            ran(begin, node, store=store)
        item = store.get(*AT)
        assert item is not None
        values.append(item.value)
    assert values[0] == values[1]


def test_what_undeclared_takes() -> None:
    """Anything else is refused when the store is made."""
    with pytest.raises(SchemaError, match='"merge", "tree" or "reject"'):
        MergeStore(undeclared="deep")  # type: ignore[arg-type]
