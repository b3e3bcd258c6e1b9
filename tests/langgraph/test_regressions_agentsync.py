"""The faults of agentsync 0.1.0, the earlier merging store for LangGraph: none of them here, sync or async.

Each test names one fault as it was reproduced there.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.types import RetryPolicy
from pydantic import BaseModel

from concordant import DELETED, Event, InvalidWriteError, List, Map, Scalar, Set, Text
from concordant_langgraph import MergeStore

NS = ("team",)
OPEN = ("open",)
KEY = "k"


class Plan(BaseModel):
    tags: Annotated[list[Any], Set()] = []
    log: Annotated[str, Text()] = ""
    steps: Annotated[list[Any], List()] = []
    status: Annotated[Any, Scalar()] = None
    owners: Annotated[dict[str, Any], Map()] = {}
    login: Annotated[str, Scalar()] = ""
    catalog: Annotated[str, Scalar()] = ""
    technology: Annotated[str, Scalar()] = ""


class State(TypedDict, total=False):
    x: int


@pytest.fixture(params=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "async")


def run(store: MergeStore, works: dict[str, list[dict[str, Any]]], is_async: bool, namespace: Any = NS) -> None:
    """Puts each node's values, the nodes in parallel."""
    graph: StateGraph[State] = StateGraph(State)
    for name, values in works.items():
        if is_async:

            async def anode(state: State, values: Any = values, *, store: BaseStore) -> State:
                for value in values:
                    await store.aput(namespace, KEY, value)
                    await asyncio.sleep(0)
                return {}

            graph.add_node(name, anode)
        else:

            def node(state: State, values: Any = values, *, store: BaseStore) -> State:
                for value in values:
                    store.put(namespace, KEY, value)
                return {}

            graph.add_node(name, node)
        graph.add_edge(START, name)
    compiled = graph.compile(store=store)
    if is_async:
        asyncio.run(compiled.ainvoke({"x": 1}))
    else:
        compiled.invoke({"x": 1})


def value(store: MergeStore, namespace: Any = NS) -> dict[str, Any]:
    item = store.get(namespace, KEY)
    assert item is not None
    return item.value


def test_parallel_contributions_are_all_kept(is_async: bool) -> None:
    """It lost writes in its headline case, and aput passed the merge by."""
    store = MergeStore({NS: Plan})
    run(store, {f"n{n}": [{"tags": [n], "log": f"line {n}"}] for n in range(32)}, is_async)
    assert set(value(store)["tags"]) == set(range(32))
    assert len(value(store)["log"].split("\n")) == 32


def test_one_agents_sequence_is_no_conflict(is_async: bool) -> None:
    """One agent's draft, review, done escalated against itself."""
    store = MergeStore({NS: Plan})
    run(store, {"ada": [{"status": word} for word in ("draft", "review", "done")]}, is_async)
    assert value(store)["status"] == "done"
    assert store.escalations(state="all") == []


def test_reading_then_overwriting_is_no_conflict() -> None:
    """Read-then-overwrite and a sequential graph escalated."""
    store = MergeStore({NS: Plan})
    for word in ("a", "b", "c"):
        run(store, {word: [{"status": word}]}, False)
    with store.acting_as("maria"):
        assert value(store)["status"] == "c"
        store.put(NS, KEY, {"status": "d"})
    assert value(store)["status"] == "d"
    assert store.escalations(state="all") == []


def test_agreement_clears_a_conflict() -> None:
    """Agreement never cleared a conflict."""
    store = MergeStore({NS: Plan})
    began = store.workspace.moment()
    ada, bob = (store.workspace.agent(name, began=began) for name in ("ada", "bob"))
    ada.write(NS, KEY, {"status": "x"})
    bob.write(NS, KEY, {"status": "y"})
    assert len(store.escalations()) == 1
    bob.write(NS, KEY, {"status": "x"})
    assert store.escalations() == []
    assert [e.state for e in store.escalations(state="all")] == ["agreed"]


def test_a_retry_does_not_triple_text() -> None:
    """RetryPolicy tripled text."""
    tries: list[int] = []

    def flaky(state: State, *, store: BaseStore) -> State:
        store.put(NS, KEY, {"log": "once"})
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError
        return {}

    store = MergeStore({NS: Plan})
    graph: StateGraph[State] = StateGraph(State)
    graph.add_node("flaky", flaky, retry_policy=RetryPolicy(initial_interval=0.001, retry_on=ConnectionError))
    graph.add_edge(START, "flaky")
    graph.compile(store=store).invoke({"x": 1})
    assert len(tries) == 3
    assert value(store)["log"] == "once"


def test_an_answer_settles_and_is_no_third_contender(is_async: bool) -> None:
    """An answer became a third contender."""
    store = MergeStore({NS: Plan})
    run(store, {"ada": [{"status": "x"}], "bob": [{"status": "y"}]}, is_async)
    (escalation,) = store.escalations()
    store.resolve(escalation, "z", by="maria")
    assert store.escalations() == []
    assert value(store)["status"] == "z"


def test_a_callback_fires_once_and_knows_where() -> None:
    """The callback fired 51 times for one conflict, without namespace or key, and a raising one poisoned the key."""
    store = MergeStore({NS: Plan})
    events: list[Event] = []
    logging.disable(logging.CRITICAL)
    try:
        store.on_escalation(lambda event: 1 / 0)
        store.on_escalation(events.append)
        run(store, {"ada": [{"status": "x"}], "bob": [{"status": "y"}]}, False)
        for number in range(50):
            store.workspace.agent("eve").write(NS, KEY, {"tags": [number]})
    finally:
        logging.disable(logging.NOTSET)
    assert [(e.kind, e.escalation.namespace, e.escalation.key, e.escalation.path) for e in events] == [
        ("opened", NS, KEY, ("status",))
    ]
    assert len(value(store)["tags"]) == 50


def test_no_sentinel_stands_in_a_value(is_async: bool) -> None:
    """A plain string stood for a conflict, was read back and broke numeric filters."""
    store = MergeStore()
    store.put(OPEN, KEY, {"n": 1})
    run(store, {"ada": [{"n": 2}], "bob": [{"n": 3}]}, is_async, OPEN)
    assert value(store, OPEN)["n"] in (1, 2, 3)
    assert len(store.search(OPEN, filter={"n": {"$gt": 0}})) == 1
    assert [e.path for e in store.escalations()] == [("n",)]


@pytest.mark.parametrize("bad", ["a/b", "a\x00b", "", "a.b"])
def test_any_field_name_and_any_value_work(bad: str, is_async: bool) -> None:
    """Dict values, "/" or NUL in a name and lists of dicts poisoned the key."""
    store = MergeStore()
    works: dict[str, list[dict[str, Any]]] = {
        "ada": [{bad: {"deep": {"er": [1]}}, "list": [{"a": 1}, {"b": 2}]}],
        "bob": [{bad: {"deep": {"er": [1]}}, "other": None}],
    }
    run(store, works, is_async, OPEN)
    assert value(store, OPEN) == {bad: {"deep": {"er": [1]}}, "list": [{"a": 1}, {"b": 2}], "other": None}


def test_a_refused_put_is_not_half_applied() -> None:
    """A failed put was half applied."""
    store = MergeStore({NS: Plan})
    store.put(NS, KEY, {"tags": ["a"], "status": "x"})
    with pytest.raises(InvalidWriteError):
        store.put(NS, KEY, {"tags": ["b"], "unknown": 1})
    assert value(store) == {"tags": ["a"], "status": "x"}


def test_a_list_against_a_scalar_drops_neither(is_async: bool) -> None:
    """List against scalar dropped one side silently."""
    store = MergeStore({NS: Plan})
    run(store, {"ada": [{"tags": ["x"], "status": ["x"]}], "bob": [{"tags": "y", "status": "y"}]}, is_async)
    assert value(store)["tags"] == ["x"]
    reasons = {e.path: (e.reason, {str(c.value) for c in e.contenders}) for e in store.escalations()}
    assert reasons == {("tags",): ("type", {"['x']", "y"}), ("status",): ("scalar", {"['x']", "y"})}


def test_lists_keep_their_order_and_shrink() -> None:
    """Lists were sorted as strings and never shrank."""
    store = MergeStore({NS: Plan})
    store.put(NS, KEY, {"steps": [10, 9, 1], "tags": ["z", "a"]})
    with store.workspace.agent("ada").edit(NS, KEY) as plan:
        plan.steps.remove(9)
        plan.tags.remove("z")
    assert value(store) == {"steps": [10, 1], "tags": ["a"]}


def test_true_one_and_one_point_zero_differ(is_async: bool) -> None:
    """True, 1 and 1.0 collapsed."""
    store = MergeStore({NS: Plan})
    run(store, {"a": [{"tags": [True]}], "b": [{"tags": [1]}], "c": [{"tags": [1.0]}]}, is_async)
    assert sorted(map(repr, value(store)["tags"])) == ["1", "1.0", "True"]


def test_no_kind_is_inferred_from_a_name(is_async: bool) -> None:
    """Names such as login, catalog, technology were taken for logs and concatenated."""
    store = MergeStore({NS: Plan})
    same = {"login": "ada", "catalog": "x", "technology": "y"}
    run(store, {"ada": [same], "bob": [{**same, "login": "bob"}]}, is_async)
    assert {e.path for e in store.escalations()} == {("login",)}
    assert (value(store)["catalog"], value(store)["technology"]) == ("x", "y")


def test_read_modify_write_of_text_does_not_double() -> None:
    """Read-modify-write doubled text: 65,535 lines for 16."""
    store = MergeStore({NS: Plan})
    for number in range(16):
        with store.acting_as("ada"):
            item = store.get(NS, KEY)
            log = item.value["log"] + "\n" if item else ""
            store.put(NS, KEY, {"log": f"{log}line {number}"})
    assert value(store)["log"].split("\n") == [f"line {number}" for number in range(16)]


def test_delete_then_put_does_not_resurrect(is_async: bool) -> None:
    """A put after a delete brought the old content back."""
    store = MergeStore({NS: Plan})
    store.put(NS, KEY, {"tags": ["old"], "log": "old"})
    store.delete(NS, KEY)
    run(store, {"ada": [{"tags": ["new"]}]}, is_async)
    assert value(store) == {"tags": ["new"]}


def test_agents_are_told_apart_by_their_names() -> None:
    """Agents 5 and "5" collided; here a name is text, anything else is refused."""
    store = MergeStore({NS: Plan})
    with pytest.raises(Exception, match="name"):
        store.workspace.agent(5)  # type: ignore[arg-type]


def test_an_update_against_a_deletion_is_asked_about(is_async: bool) -> None:
    """A deletion concurrent with an update escalates, and either answer can be given."""
    store = MergeStore({NS: Plan})
    store.put(NS, KEY, {"status": "x", "tags": ["a"]})
    began = store.workspace.moment()
    store.workspace.agent("ada", began=began).delete(NS, KEY)
    store.workspace.agent("bob", began=began).write(NS, KEY, {"status": "y"})
    (escalation,) = store.escalations()
    assert escalation.reason == "delete"
    assert value(store) == {"status": "y", "tags": ["a"]}
    store.resolve(escalation, DELETED, by="maria")
    assert store.get(NS, KEY) is None
