"""Real graphs on MergeStore: nothing parallel is lost, nothing sequential is an alarm, a retry has its effect once."""

from __future__ import annotations

import asyncio
import operator
import threading
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_store
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.store.base import BaseStore, GetOp, PutOp, SearchOp
from langgraph.types import Command, RetryPolicy, Send, interrupt
from pydantic import BaseModel

from concordant import Counter, List, Map, Scalar, Set, Text, Workspace
from concordant_langgraph import MergeStore, batches

NS = ("briefs",)
KEY = "launch"


class Brief(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    log: Annotated[str, Text()] = ""
    votes: Annotated[int, Counter()] = 0
    steps: Annotated[list[str], List()] = []
    owners: Annotated[dict[str, str], Map()] = {}
    status: Annotated[str | None, Scalar()] = None


class State(TypedDict, total=False):
    x: int
    item: dict[str, Any]
    names: Annotated[list[str], operator.add]


def read(store: BaseStore) -> dict[str, Any]:
    item = store.get(NS, KEY)
    return dict(item.value) if item is not None else {}


def fan(store: BaseStore, work: Callable[[str, BaseStore], Any], names: list[str], *, is_async: bool = False) -> None:
    """Runs ``work`` in parallel nodes of the given names."""
    graph = StateGraph(State)
    for name in names:
        if is_async:

            async def anode(state: State, name: str = name, *, store: BaseStore) -> State:
                await work(name, store)
                return {}

            graph.add_node(name, anode)
        else:

            def node(state: State, name: str = name, *, store: BaseStore) -> State:
                work(name, store)
                return {}

            graph.add_node(name, node)
        graph.add_edge(START, name)
    compiled = graph.compile(store=store)
    if is_async:
        asyncio.run(compiled.ainvoke({"x": 1}))
    else:
        compiled.invoke({"x": 1}, {"max_concurrency": 16})


def contribution(name: str) -> dict[str, Any]:
    return {"tags": [name], "log": f"by {name}", "votes": 1, "steps": [name], "owners": {name: name}}


def check_all_there(store: BaseStore, names: list[str], before: int = 0) -> None:
    value = read(store)
    assert set(names) <= set(value["tags"])
    assert sorted(value["log"].split("\n"))[: len(names)] == sorted(f"by {name}" for name in names)
    assert value["votes"] == len(names) + before
    assert sorted(value["steps"]) == sorted(names)
    assert value["owners"] == {name: name for name in names}


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("run", range(2))
def test_64_parallel_nodes_on_one_key(is_async: bool, run: int) -> None:
    """64 parallel nodes contribute to one key in every kind, and nothing is missing or doubled."""
    store = MergeStore({NS: Brief})
    names = [f"n{number:02}" for number in range(64)]

    def work(name: str, store: BaseStore) -> None:
        store.put(NS, KEY, contribution(name))

    async def awork(name: str, store: BaseStore) -> None:
        await store.aput(NS, KEY, contribution(name))

    fan(store, awork if is_async else work, names, is_async=is_async)
    check_all_there(store, names)
    assert store.escalations() == []


@pytest.mark.torture
@pytest.mark.parametrize("run", range(100))
def test_64_parallel_nodes_a_hundred_times(run: int) -> None:
    """The same, a hundred times."""
    test_64_parallel_nodes_on_one_key(run % 2 == 1, run)


def get_think_put(name: str, store: BaseStore) -> None:
    value = read(store)
    threading.Event().wait(0.001)
    store.put(
        NS,
        KEY,
        {
            "tags": [*value.get("tags", []), name],
            "votes": value.get("votes", 0) + 1,
            "steps": [*value.get("steps", []), name],
            "log": "\n".join(filter(None, [value.get("log", ""), f"by {name}"])),
            "owners": {**value.get("owners", {}), name: name},
        },
    )


def check_long_history(writes: int) -> None:
    store = MergeStore({NS: Brief})
    ada = store.workspace.agent("ada")
    for _ in range(writes):
        ada.write(NS, KEY, {"votes": 1})
    names = [f"n{number}" for number in range(8)]
    fan(store, get_think_put, names)
    check_all_there(store, names, before=writes)


def test_8_nodes_on_a_key_with_a_long_history() -> None:
    """Eight parallel read-modify-writes of a key with 2,000 earlier writes all have their effect once."""
    check_long_history(2_000)


@pytest.mark.torture
def test_8_nodes_on_a_key_with_a_long_history_a_hundred_times() -> None:
    """The same, a hundred times."""
    for _ in range(100):
        check_long_history(2_000)


def test_200_async_workers_get_think_put() -> None:
    """200 parallel async nodes read, think and put one document; every contribution is kept."""
    store = MergeStore({NS: Brief})
    names = [f"n{number:03}" for number in range(200)]

    async def work(name: str, store: BaseStore) -> None:
        item = await store.aget(NS, KEY)
        votes = item.value.get("votes", 0) if item else 0
        tags = item.value.get("tags", []) if item else []
        await asyncio.sleep(0.002)
        await store.aput(NS, KEY, {"votes": votes + 1, "tags": [*tags, name]})

    fan(store, work, names, is_async=True)
    assert read(store)["votes"] == 200
    assert set(read(store)["tags"]) == set(names)


def chain(*nodes: Callable[..., Any], **options: Any) -> StateGraph[State]:
    graph: StateGraph[State] = StateGraph(State)
    before = START
    for number, node in enumerate(nodes):
        name = f"{node.__name__}{number}"
        graph.add_node(name, node, **options)
        graph.add_edge(before, name)
        before = name
    graph.add_edge(before, END)
    return graph


def status(word: str) -> Callable[..., Any]:
    def node(state: State, *, store: BaseStore) -> State:
        store.put(NS, KEY, {"status": word, "log": f"{word}."})
        return {}

    node.__name__ = word
    return node


@pytest.mark.parametrize("models", [{NS: Brief}, None])
def test_g2_a_sequence_raises_no_alarm(models: Any) -> None:
    """Nodes that follow each other replace each other's values, blindly or after reading."""

    def rewrite(state: State, *, store: BaseStore) -> State:
        value = read(store)
        store.put(NS, KEY, {**value, "status": "rewritten"})
        return {}

    store = MergeStore(models)
    events: list[Any] = []
    store.on_escalation(events.append)
    chain(status("draft"), status("review"), rewrite, status("done")).compile(store=store).invoke({"x": 1})
    assert read(store)["status"] == "done"
    assert events == []


def test_g2_a_loop_raises_no_alarm() -> None:
    """A node that runs again and again reads and replaces its own values."""

    def step(state: State, *, store: BaseStore) -> State:
        value = read(store)
        store.put(NS, KEY, {"votes": value.get("votes", 0) + 1, "status": f"round {state['x']}"})
        return {"x": state["x"] + 1}

    graph: StateGraph[State] = StateGraph(State)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", lambda state: "step" if state["x"] < 10 else END)
    store = MergeStore({NS: Brief})
    graph.compile(store=store).invoke({"x": 0})
    assert read(store) == {"votes": 10, "status": "round 9"}
    assert store.escalations(state="all") == []


def test_g3_parallel_scalars_escalate_and_equal_ones_agree() -> None:
    """Parallel nodes that set one scalar differently are contested with both names; equal values agree."""
    store = MergeStore({NS: Brief})
    fan(store, lambda name, s: s.put(NS, KEY, {"status": name[0]}), ["ada", "bob", "bea"])
    (escalation,) = store.escalations()
    assert {c.value: set(c.agents) for c in escalation.contenders} == {"a": {"ada"}, "b": {"bob", "bea"}}
    item = store.get(NS, KEY)
    assert list(item.contested) == [("status",)]  # type: ignore[union-attr]
    store.resolve(escalation, "b", by="maria")
    assert read(store)["status"] == "b"
    assert store.get(NS, KEY).contested == {}  # type: ignore[union-attr]


@pytest.mark.parametrize("blind", [True, False])
def test_g5_a_retried_node_has_its_effect_once(blind: bool) -> None:
    """A node that fails after its put and is retried does not double text, counters or lists."""
    attempts: list[int] = []
    seen: list[dict[str, Any]] = []

    def flaky(state: State, *, store: BaseStore) -> State:
        attempts.append(1)
        if blind:
            store.put(NS, KEY, {"log": "found it", "votes": 1, "steps": ["s"], "tags": ["t"]})
        else:
            value = read(store)
            seen.append(value)
            store.put(
                NS,
                KEY,
                {
                    "log": value["log"] + "\nfound it",
                    "votes": value["votes"] + 1,
                    "steps": [*value["steps"], "s"],
                    "tags": ["t"],
                },
            )
        if len(attempts) < 3:
            raise ConnectionError("again")
        return {}

    store = MergeStore({NS: Brief})
    store.workspace.agent("ada").write(NS, KEY, {"log": "start", "votes": 5, "steps": ["a"]})
    policy = RetryPolicy(initial_interval=0.001, max_attempts=5, retry_on=ConnectionError)
    chain(flaky, retry_policy=policy).compile(store=store).invoke({"x": 1})
    assert len(attempts) == 3
    assert read(store) == {"tags": ["t"], "log": "start\nfound it", "votes": 6, "steps": ["a", "s"]}
    assert all(value == seen[0] for value in seen)
    assert store.escalations(state="all") == []


def test_g5_an_interrupted_node_has_its_effect_once_and_a_persons_edit_stands() -> None:
    """A put before an interrupt is made again at the resume, where it changes nothing, a person's edit included."""

    def ask(state: State, *, store: BaseStore) -> State:
        store.put(NS, KEY, {"status": "waiting", "log": "asked"})
        answer = interrupt("approve?")
        store.put(NS, KEY, {"log": f"asked\nanswered {answer}"})
        return {}

    store = MergeStore({NS: Brief})
    graph = chain(ask).compile(store=store, checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    graph.invoke({"x": 1}, config)
    person = store.workspace.agent("maria")
    person.write(NS, KEY, {"status": "looked at"})
    graph.invoke(Command(resume="yes"), config)
    assert read(store) == {"log": "asked\nanswered yes", "status": "looked at"}
    assert store.escalations(state="all") == []


def test_a_subgraph_and_its_parent_are_one_sequence() -> None:
    """What a sub-graph wrote, the parent's next node replaces; parallel nodes inside the sub-graph are concurrent."""
    inner: StateGraph[State] = StateGraph(State)
    inner.add_node("left", status("left"))
    inner.add_node("right", status("right"))
    inner.add_edge(START, "left")
    inner.add_edge(START, "right")
    store = MergeStore({NS: Brief})
    opened: list[str] = []
    store.on_escalation(lambda event: opened.append(event.kind))
    graph: StateGraph[State] = StateGraph(State)
    graph.add_node("before", status("before"))
    graph.add_node("team", inner.compile())
    graph.add_node("after", status("after"))
    for one, other in [(START, "before"), ("before", "team"), ("team", "after"), ("after", END)]:
        graph.add_edge(one, other)
    graph.compile(store=store).invoke({"x": 1})
    assert opened == ["opened", "superseded"]
    assert read(store)["status"] == "after"
    agents = {c.agent for credits in store.workspace.blame(NS, KEY).values() for c in credits}
    assert {"team/left", "team/right", "before", "after"} <= agents | {"before"}


def test_send_fans_out_and_joins() -> None:
    """Tasks made by Send are concurrent; the node after them has seen them all."""

    def worker(state: dict[str, Any], *, store: BaseStore) -> State:
        store.put(NS, KEY, {"tags": [state["name"]], "votes": 1})
        return {}

    def join(state: State, *, store: BaseStore) -> State:
        value = read(store)
        store.put(NS, KEY, {"tags": [tag for tag in value["tags"] if tag != "w0"], "status": "joined"})
        return {}

    graph: StateGraph[State] = StateGraph(State)
    graph.add_node("worker", worker)
    graph.add_node("join", join)
    graph.add_conditional_edges(START, lambda _: [Send("worker", {"name": f"w{n}"}) for n in range(10)], ["worker"])
    graph.add_edge("worker", "join")
    store = MergeStore({NS: Brief})
    graph.compile(store=store).invoke({"x": 1})
    assert read(store)["votes"] == 10
    assert set(read(store)["tags"]) == {f"w{n}" for n in range(1, 10)}
    assert store.escalations(state="all") == []


def test_an_item_that_travels_through_state_does_not_double() -> None:
    """A load node puts the item into the state, a save node puts it back with something added."""

    def load(state: State, *, store: BaseStore) -> State:
        return {"item": read(store)}

    def save(state: State, *, store: BaseStore) -> State:
        item = state["item"]
        added = {"log": item["log"] + "\nsaved", "steps": [*item["steps"], "save"], "tags": item["tags"]}
        store.put(NS, KEY, {**item, **added, "votes": 0})
        return {}

    store = MergeStore({NS: Brief})
    store.workspace.agent("ada").write(NS, KEY, {"log": "one\ntwo", "steps": ["a"], "tags": ["t"], "votes": 3})
    chain(load, save).compile(store=store).invoke({"x": 1})
    value = read(store)
    assert (value["log"], value["steps"], value["tags"]) == ("one\ntwo\nsaved", ["a", "save"], ["t"])


def test_a_planners_read_does_not_make_researchers_remove() -> None:
    """What a planner read does not turn a researcher's contribution into a removal."""

    def plan(state: State, *, store: BaseStore) -> State:
        read(store)
        return {}

    store = MergeStore({NS: Brief})
    store.workspace.agent("ada").write(NS, KEY, {"tags": ["old"], "log": "old"})

    def research(state: State, *, store: BaseStore) -> State:
        store.put(NS, KEY, {"tags": ["new"], "log": "new"})
        return {}

    chain(plan, research).compile(store=store).invoke({"x": 1})
    assert read(store) == {"tags": ["old", "new"], "log": "old\nnew"}


def test_put_after_put_after_one_get() -> None:
    """A second put in a task is an edit of what the first one put."""

    def node(state: State, *, store: BaseStore) -> State:
        value = read(store)
        store.put(NS, KEY, {"votes": value["votes"] + 1, "log": value["log"] + "\na"})
        store.put(NS, KEY, {"votes": value["votes"] + 3, "log": value["log"] + "\na\nb"})
        return {}

    store = MergeStore({NS: Brief})
    store.workspace.agent("ada").write(NS, KEY, {"votes": 10, "log": "start"})
    chain(node).compile(store=store).invoke({"x": 1})
    assert read(store) == {"votes": 13, "log": "start\na\nb"}


def test_acting_as_names_the_agent_inside_parallel_nodes() -> None:
    """Inside a task acting_as changes the name and nothing else."""
    store = MergeStore({NS: Brief})

    def work(name: str, base: BaseStore) -> None:
        with store.acting_as(f"human {name}"):
            base.put(NS, KEY, {"status": name})

    fan(store, work, ["ada", "bob"])
    (escalation,) = store.escalations()
    assert {contender.agent for contender in escalation.contenders} == {"human ada", "human bob"}


def test_every_way_to_the_store_is_attributed() -> None:
    """Injected stores, get_store(), Runtime.store and the functional API all write as their node or task."""

    def injected(state: State, *, store: BaseStore) -> State:
        store.put(NS, "injected", {"x": 1})
        return {}

    def asked(state: State) -> State:
        get_store().put(NS, "asked", {"x": 1})
        return {}

    def runtime(state: State, runtime: Runtime[Any]) -> State:
        assert runtime.store is not None
        runtime.store.put(NS, "runtime", {"x": 1})
        return {}

    store = MergeStore()
    chain(injected, asked, runtime).compile(store=store).invoke({"x": 1})

    @task
    def work() -> int:
        get_store().put(NS, "task", {"x": 1})
        return 1

    @entrypoint(store=store)
    def flow(x: int) -> int:
        return work().result()

    flow.invoke(1)
    writers = {
        row.key: history[0].agent
        for row in store.workspace.list()
        if (history := store.workspace.history(row.namespace, row.key))
    }
    assert writers == {"injected": "injected0", "asked": "asked1", "runtime": "runtime2", "task": "flow/work"}


def test_50_parallel_nodes_put_the_same_value_then_a_later_run_replaces_it() -> None:
    """Equal parallel puts agree, and a later run replaces the whole document."""
    store = MergeStore()
    names = [f"n{number}" for number in range(50)]
    fan(store, lambda _, s: s.put(NS, KEY, {"a": 1, "b": [1]}), names)
    assert read(store) == {"a": 1, "b": [1]}
    chain(status("later")).compile(store=store).invoke({"x": 1})
    assert read(store) == {"status": "later", "log": "later."}
    assert store.escalations(state="all") == []


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(
    "reading", [GetOp(NS, KEY), SearchOp(NS), SearchOp(NS, query="a")], ids=["get", "search", "query"]
)
def test_a_read_in_a_batch_is_none_for_its_puts(is_async: bool, reading: Any) -> None:
    """What a batch puts was decided before its reads were carried out: it contributes, and replaces nobody unseen."""
    index: Any = {"dims": 1, "embed": lambda texts: [[1.0] for _ in texts], "fields": ["status"]}
    store = MergeStore({NS: Brief}, index=index)
    store.put(NS, KEY, {"tags": ["old"], "votes": 1})

    def ops(name: str) -> list[Any]:
        return [reading, PutOp(NS, KEY, {"tags": [name], "votes": 1, "status": name})]

    def work(name: str, store: BaseStore) -> Any:
        return store.abatch(ops(name)) if is_async else store.batch(ops(name))

    fan(store, work, ["ann", "bob"], is_async=is_async)
    assert sorted(read(store)["tags"]) == ["ann", "bob", "old"] and read(store)["votes"] == 3
    [question] = store.escalations()
    assert sorted(contender.value for contender in question.contenders) == ["ann", "bob"]


def test_a_read_that_counts_for_its_batch_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store in which a read counts for the puts of its batch replaces what others wrote."""
    monkeypatch.setattr(batches, "_places", lambda puts: frozenset())
    for reading in (GetOp(NS, KEY), SearchOp(NS), SearchOp(NS, query="a")):
        with pytest.raises((AssertionError, ValueError)):
            test_a_read_in_a_batch_is_none_for_its_puts(False, reading)


def test_a_batch_is_an_edit_of_what_was_read_before_it() -> None:
    """A read in an earlier call counts for a put in a batch as for any other; what a batch gives is as it was."""
    store = MergeStore({NS: Brief}, ttl={"default_ttl": 5, "refresh_on_read": True})
    store.put(NS, KEY, {"tags": ["old"]})
    with store.acting_as("ann"):
        store.get(NS, KEY)
        found, none, _, _ = store.batch(
            [GetOp(NS, KEY), GetOp(NS, "new"), PutOp(NS, KEY, {"tags": ["new"]}), PutOp(NS, "new", {"votes": 1})]
        )
    assert found is not None and found.value == {"tags": ["old"]} and none is None  # type: ignore[union-attr]
    assert read(store)["tags"] == ["new"] and not store.escalations()


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("then", ["put", "delete"])
def test_a_program_that_runs_a_graph_goes_on_after_it(
    then: str, declared: bool, kind: str, is_async: bool, fresh_url: Callable[[str], str | None]
) -> None:
    """What a graph puts that was run between a read and a write is seen by whoever ran it, as on the stock store."""

    def node(state: State, store: BaseStore) -> None:
        store.put((*NS,), KEY, {"status": "by the graph"})

    with Workspace(fresh_url(kind), schemas={NS: Brief} if declared else None) as workspace:
        store = MergeStore(workspace=workspace)
        told: list[Any] = []
        store.on_escalation(told.append)
        graph = StateGraph(State).add_node(node).add_edge(START, "node").compile(store=store)
        store.put(NS, KEY, {"status": "before"})

        async def program() -> None:
            await store.aget(NS, KEY)
            await graph.ainvoke({})
            await (store.aput(NS, KEY, {"status": "after"}) if then == "put" else store.adelete(NS, KEY))

        if is_async:
            asyncio.run(program())
        else:
            assert store.get(NS, KEY) is not None
            graph.invoke({})
            _ = store.put(NS, KEY, {"status": "after"}) if then == "put" else store.delete(NS, KEY)
        item = store.get(NS, KEY)
        assert (item and item.value, told) == ({"status": "after"} if then == "put" else None, [])
