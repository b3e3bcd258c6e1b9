"""``MergeStore(on_conflict=...)``: a conflict is recorded, and told: in the stream, or by an error."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.config import get_store
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore, GetOp, PutOp
from langgraph.store.memory import InMemoryStore
from langgraph.types import RetryPolicy, Send
from pydantic import BaseModel

from concordant import ABSTAIN, ConcordantError, Escalation, Event, Scalar
from concordant_langgraph import MergeStore, PutConflictError
from concordant_langgraph.questions import ref_of
from tests.patience import PATIENCE

from .support import ASYNC, AT, KEY, NS, Brief, State, disagreeing, invoke, only, parallel, putting, stream, value

RETRY = RetryPolicy(initial_interval=0.001, max_attempts=3, jitter=False)


def told(chunks: list[Any]) -> list[tuple[str, str, list[Any]]]:
    """Of each streamed event: which transition, at which path, between which values."""
    return [
        (chunk["event"], ".".join(chunk["path"]), [contender["value"] for contender in chunk["contenders"]])
        for chunk in chunks
    ]


def noted(store: MergeStore) -> list[Event]:
    events: list[Event] = []
    store.on_escalation(events.append)
    return events


# -- record --------------------------------------------------------------------------------------------------------


def test_by_default_a_conflict_is_recorded_and_nothing_else() -> None:
    """Nothing is streamed, nothing raised, the escalation is in the inbox."""
    store = MergeStore({NS: Brief})
    assert stream(disagreeing().compile(store=store), {"x": 1}) == []
    assert only(store).path == ("status",)


def test_another_word_is_refused() -> None:
    """With an error that lists the three."""
    with pytest.raises(ConcordantError, match='"record", "stream" or "raise"'):
        MergeStore(on_conflict="ignore")  # type: ignore[arg-type]


# -- stream --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", ASYNC)
def test_each_transition_is_streamed_once_to_the_run(is_async: bool) -> None:
    """The second of three parallel puts opens, the third grows; a callback sees the same transitions. Each is told by
    the thread that made it, so that among threads their order is open."""
    store = MergeStore({NS: Brief}, on_conflict="stream")
    events = noted(store)
    nodes = [putting(name, {"status": name}, is_async=is_async) for name in ("ada", "bob", "cid")]
    chunks = stream(parallel(*nodes).compile(store=store), {"x": 1}, is_async=is_async)
    assert sorted((len(values), kind) for kind, _, values in told(chunks)) == [(2, "opened"), (3, "grew")]
    assert {(e.kind, e.escalation.version) for e in events} == {(c["event"], c["version"]) for c in chunks}
    assert len(events) == len(chunks)


def test_what_is_streamed_is_json_and_tells_all() -> None:
    """What it is about, the agreed value, every contender with its agents and time, and how it can be chosen."""
    store = MergeStore({NS: Brief}, on_conflict="stream")
    store.put(*AT, {"status": "idea"})
    [chunk] = stream(disagreeing().compile(store=store), {"x": 1})
    escalation = only(store)
    assert json.loads(json.dumps(chunk)) == {
        "type": "concordant.escalation",
        "event": "opened",
        "ref": ref_of(escalation),
        "id": escalation.id,
        "version": escalation.version,
        "opened_at": escalation.opened_at.isoformat(),
        "namespace": ["briefs"],
        "key": "launch",
        "path": ["status"],
        "reason": "scalar",
        "question": "Which value is right for status of briefs:launch?",
        "base": "idea",
        "has_base": True,
        "contenders": [
            {
                "choose": number,
                "value": contender.value,
                "agent": contender.agent,
                "agents": [contender.agent],
                "at": contender.at.isoformat(),
            }
            for number, contender in enumerate(escalation.contenders, 1)
        ],
        "more": 0,
    }


@pytest.mark.parametrize(
    ("reason", "before", "ada", "bob"),
    [
        ("scalar", {"status": "x"}, {"status": "a"}, {"status": "b"}),
        ("text", {"body": "one two"}, {"body": "one ii"}, {"body": "one zwei"}),
        ("delete", {"status": "x"}, {"status": "a"}, None),
        ("type", {"status": "x"}, {"status": "a"}, {"tokens": "many"}),
        ("invalid", {"tags": ["x"]}, {"tags": ["y", "z"]}, {"tags": ["u", "v"]}),
    ],
)
def test_every_reason_is_streamed_as_json(reason: str, before: Any, ada: Any, bob: Any) -> None:
    """Deletions and contributions included."""
    store = MergeStore({NS: Brief}, on_conflict="stream")

    def editing(name: str, given: Any) -> Callable[..., Any]:
        def node(state: State, *, store: BaseStore) -> State:
            store.get(*AT)
            both_have_read.wait(PATIENCE)
            store.put(*AT, given)
            return {}

        node.__name__ = name
        return node

    both_have_read = threading.Barrier(2)
    store.put(*AT, before)
    [chunk] = stream(parallel(editing("ada", ada), editing("bob", bob)).compile(store=store), {"x": 1})
    assert json.loads(json.dumps(chunk)) == chunk
    assert (chunk["reason"], chunk["id"]) == (reason, only(store).id)
    assert any(contender.get("deleted") for contender in chunk["contenders"]) == (reason == "delete")
    assert all(("choose" in contender) == (reason not in ("type", "invalid")) for contender in chunk["contenders"])


@pytest.mark.parametrize("is_async", ASYNC)
def test_a_batch_streams_what_its_puts_leave_open(is_async: bool) -> None:
    """Once for each document and transition, after the whole batch is stored."""
    store = MergeStore({NS: Brief}, on_conflict="stream")
    ops = {name: [PutOp(NS, key, {"status": name}) for key in ("one", "two")] for name in ("ada", "bob")}

    def node(name: str) -> Callable[..., Any]:
        def batching(state: State, *, store: BaseStore) -> State:
            store.batch(ops[name])
            return {}

        async def abatching(state: State, *, store: BaseStore) -> State:
            await store.abatch(ops[name])
            return {}

        chosen = abatching if is_async else batching
        chosen.__name__ = name
        return chosen

    chunks = stream(parallel(node("ada"), node("bob")).compile(store=store), {"x": 1}, is_async=is_async)
    assert sorted((chunk["key"], chunk["event"]) for chunk in chunks) == [("one", "opened"), ("two", "opened")]


def test_a_batch_that_opens_and_closes_streams_nothing() -> None:
    """Its first put disagrees with another's, its second agrees after all."""
    store = MergeStore({NS: Brief}, on_conflict="stream")
    events = noted(store)
    ada_has_put = threading.Event()

    def ada(state: State, *, store: BaseStore) -> State:
        store.put(NS, KEY, {"status": "a"})
        ada_has_put.set()
        return {}

    def bob(state: State, *, store: BaseStore) -> State:
        assert ada_has_put.wait(PATIENCE)
        store.batch([PutOp(NS, KEY, {"status": "b"}), PutOp(NS, KEY, {"status": "a"})])
        return {}

    assert stream(parallel(ada, bob).compile(store=store), {"x": 1}) == []
    assert [event.kind for event in events] == ["opened", "agreed"]
    assert store.escalations() == []


def test_subgraphs_and_send_stream_in_the_run_that_they_are_part_of() -> None:
    """Each transition once; as all of LangGraph's events of a subgraph, its own are seen with ``subgraphs=True``. Tasks
    that run side by side each stream what their own commit did, in whatever order their threads come to it."""
    store = MergeStore({NS: Brief}, on_conflict="stream")
    team = disagreeing().compile()

    def worker(state: dict[str, Any], *, store: BaseStore) -> State:
        store.put(NS, "sent", {"title": state["name"]})
        return {}

    graph: StateGraph[State] = StateGraph(State)
    graph.add_node("team", team).add_edge(START, "team")
    graph.add_node("worker", worker)
    graph.add_conditional_edges("team", lambda _: [Send("worker", {"name": name}) for name in "abc"], ["worker"])
    chunks = stream(graph.compile(store=store), {"x": 1}, subgraphs=True)
    streamed = [(bool(namespace), chunk["key"], chunk["event"]) for namespace, chunk in chunks]
    assert streamed[0] == (True, "launch", "opened")
    assert sorted(streamed[1:]) == [(False, "sent", "grew"), (False, "sent", "opened")]


def test_tasks_of_the_functional_api_stream() -> None:
    """As nodes do."""
    store = MergeStore({NS: Brief}, on_conflict="stream")

    @task
    def work(status: str) -> None:
        get_store().put(*AT, {"status": status})

    @entrypoint(store=store)
    def flow(x: int) -> None:
        for future in [work("a"), work("b")]:
            future.result()

    assert [event for event, _, _ in told([*flow.stream(1, stream_mode="custom")])] == ["opened"]


@pytest.mark.parametrize("is_async", ASYNC)
def test_a_retry_streams_nothing_again(is_async: bool) -> None:
    """The put that is executed again changes nothing, so that nothing is told twice."""
    store = MergeStore({NS: Brief}, on_conflict="stream")
    attempts: list[int] = []

    def flaky(state: State, *, store: BaseStore) -> State:
        store.put(*AT, {"status": "flaky"})
        attempts.append(1)
        if len(attempts) < 3:
            raise ConnectionError
        return {}

    graph = parallel(putting("ada", {"status": "a"}))
    graph.add_node("flaky", flaky, retry_policy=RetryPolicy(initial_interval=0.001, retry_on=ConnectionError))
    graph.add_edge(START, "flaky")
    chunks = stream(graph.compile(store=store), {"x": 1}, is_async=is_async)
    assert len(attempts) == 3 and [chunk["event"] for chunk in chunks] == ["opened"]


def test_outside_of_a_graph_there_is_no_stream_and_no_harm() -> None:
    """Nor in a plain runnable: the escalation is recorded."""
    for call in (lambda put: put(None), lambda put: RunnableLambda(put).invoke(None)):
        store = MergeStore({NS: Brief}, on_conflict="stream")
        with store.acting_as("bob"):
            store.workspace.agent("ada", began=store.workspace.moment()).write(*AT, {"status": "a"})
            call(lambda _, store=store: store.put(*AT, {"status": "b"}))
        assert {c.agent for c in only(store).contenders} == {"ada", "bob"}


def test_equal_and_mergeable_puts_stream_nothing() -> None:
    """What is no conflict is not told."""
    store = MergeStore({NS: Brief}, on_conflict="stream")
    same = [putting(name, {"status": "same", "tags": [name], "tokens": 1}) for name in ("ada", "bob")]
    assert stream(parallel(*same).compile(store=store), {"x": 1}) == []
    assert value(store)["tokens"] == 2


def at_once(escalation: Escalation) -> Any:
    return max(str(contender.value) for contender in escalation.contenders)


async def in_a_while(escalation: Escalation) -> Any:
    await asyncio.sleep(0.01)
    return at_once(escalation)


def never(escalation: Escalation) -> Any:
    return ABSTAIN


@pytest.mark.parametrize("on_conflict", ["stream", "raise"])
@pytest.mark.parametrize("is_async", ASYNC)
@pytest.mark.parametrize("resolve", [at_once, in_a_while, "max"])
def test_what_is_settled_at_once_is_no_conflict(on_conflict: Any, is_async: bool, resolve: Any) -> None:
    """By a policy or a resolver, also one that is awaited; callbacks see the transitions all the same."""

    class Ticket(BaseModel):
        team: Annotated[str | None, Scalar(resolve=resolve)] = None

    store = MergeStore({NS: Ticket}, on_conflict=on_conflict)
    events = noted(store)
    graph = parallel(*(putting(name, {"team": name}, is_async=is_async) for name in ("ada", "bob")))
    assert stream(graph.compile(store=store), {"x": 1}, is_async=is_async) == []
    assert value(store) == {"team": "bob"} and store.escalations() == []
    assert [event.kind for event in events] == ([] if resolve == "max" else ["opened", "resolved"])


@pytest.mark.parametrize("is_async", ASYNC)
def test_what_a_resolver_leaves_open_is_a_conflict(is_async: bool) -> None:
    """It abstained: the run is told."""

    class Ticket(BaseModel):
        team: Annotated[str | None, Scalar(resolve=never)] = None

    store = MergeStore({NS: Ticket}, on_conflict="stream")
    graph = parallel(*(putting(name, {"team": name}, is_async=is_async) for name in ("ada", "bob")))
    [(event, path, values)] = told(stream(graph.compile(store=store), {"x": 1}, is_async=is_async))
    assert (event, path, sorted(values)) == ("opened", "team", ["ada", "bob"])


def test_only_the_store_that_puts_tells() -> None:
    """Of two stores on one workspace; and a callback that puts is told of its own conflict, once."""
    store = MergeStore({NS: Brief}, on_conflict="stream")
    other = MergeStore(workspace=store.workspace, on_conflict="stream")
    began = store.workspace.moment()
    store.workspace.agent("maria", began=began).write(NS, "log", {"status": "quiet"})

    def log(event: Event) -> None:
        if event.escalation.key == KEY:
            other.put(NS, "log", {"status": "noisy"})

    store.on_escalation(log)
    chunks = stream(disagreeing().compile(store=store), {"x": 1})
    assert sorted((chunk["key"], chunk["event"]) for chunk in chunks) == [("launch", "opened")]
    assert value(store, "log") == {"status": "noisy"}  # the task began after maria's write


def test_a_wrapped_store_streams_and_raises_as_well() -> None:
    """With vectors behind it, sync and async; the view has the merged value before the error is raised."""
    for is_async in ASYNC:
        inner = InMemoryStore(index={"dims": 2, "embed": lambda texts: [[1.0, float(len(text))] for text in texts]})
        store = MergeStore.wrap(inner, {NS: Brief}, on_conflict="raise")
        nodes = [putting(name, {"status": name, "tags": [name]}, is_async=is_async) for name in ("ada", "bob")]
        with pytest.raises(PutConflictError):
            invoke(parallel(*nodes).compile(store=store), {"x": 1}, {"max_concurrency": 1}, is_async=is_async)
        assert sorted(inner.get(*AT).value["tags"]) == ["ada", "bob"]  # type: ignore[union-attr]

        inner = InMemoryStore()
        store = MergeStore.wrap(inner, {NS: Brief}, on_conflict="stream")
        assert len(stream(parallel(*nodes).compile(store=store), {"x": 1}, is_async=is_async)) == 1


# -- raise ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", ASYNC)
def test_the_node_that_conflicts_gets_an_error_and_its_write_stands(is_async: bool) -> None:
    """The error has the escalations and says what can be done; the put is in the journal."""
    store = MergeStore({NS: Brief}, on_conflict="raise")
    raised: list[PutConflictError] = []

    def catching(name: str) -> Callable[..., Any]:
        def node(state: State, *, store: BaseStore) -> State:
            try:
                store.put(*AT, {"status": name, "tags": [name]})
            except PutConflictError as error:
                raised.append(error)
            return {}

        async def anode(state: State, *, store: BaseStore) -> State:
            try:
                await store.aput(*AT, {"status": name, "tags": [name]})
            except PutConflictError as error:
                raised.append(error)
            return {}

        chosen = anode if is_async else node
        chosen.__name__ = name
        return chosen

    invoke(parallel(catching("ada"), catching("bob")).compile(store=store), {"x": 1}, is_async=is_async)
    [error] = raised
    assert isinstance(error, ConcordantError)
    assert error.escalations == (only(store),)
    assert "briefs:launch status (scalar, open): " in str(error) and "store.resolve" in str(error)
    assert sorted(value(store)["tags"]) == ["ada", "bob"]
    assert len(store.history(*AT)) == 2


@pytest.mark.parametrize("is_async", ASYNC)
def test_a_retried_put_is_as_contested_as_the_first_and_counts_once(is_async: bool) -> None:
    """RetryPolicy cannot turn a conflict into silence, and no attempt doubles anything."""
    store = MergeStore({NS: Brief}, on_conflict="raise")
    events = noted(store)
    attempts: list[str] = []

    def counting(name: str) -> Callable[..., Any]:
        def node(state: State, *, store: BaseStore) -> State:
            attempts.append(name)
            store.put(*AT, {"status": name, "tokens": 1, "body": f"by {name}"})
            return {}

        node.__name__ = name
        return node

    graph = parallel(counting("ada"), counting("bob"), retry_policy=RETRY).compile(store=store)
    with pytest.raises(PutConflictError):
        invoke(graph, {"x": 1}, {"max_concurrency": 1}, is_async=is_async)
    assert len(attempts) == 4  # one that went well, three that conflicted
    assert value(store)["tokens"] == 2
    assert sorted(value(store)["body"].split("\n")) == ["by ada", "by bob"]
    assert [event.kind for event in events] == ["opened"]
    assert len(store.history(*AT)) == 2


def test_a_retry_goes_on_once_the_question_is_settled() -> None:
    """Somebody decides between two attempts: the decision stands, the node succeeds."""
    store = MergeStore({NS: Brief}, on_conflict="raise")
    attempts: list[int] = []

    def bob(state: State, *, store: BaseStore) -> State:
        attempts.append(1)
        store.put(*AT, {"status": "b", "tokens": 1})
        return {}

    def maria(error: Exception) -> bool:
        assert isinstance(error, PutConflictError)
        if len(attempts) == 2:
            store.resolve(error.escalations[0], "settled", by="maria")
        return True

    graph = parallel(putting("ada", {"status": "a"}))
    policy = RetryPolicy(initial_interval=0.001, max_attempts=5, retry_on=maria)
    graph.add_node("bob", bob, retry_policy=policy).add_edge(START, "bob")
    # ada goes first, so that it is bob who conflicts
    graph.compile(store=store).invoke({"x": 1}, {"max_concurrency": 1})
    assert len(attempts) == 3
    assert value(store) == {"status": "settled", "tokens": 1}


@pytest.mark.parametrize("is_async", ASYNC)
def test_a_failed_run_goes_on_where_it_stopped_once_the_question_is_settled(is_async: bool, tmp_path: Any) -> None:
    """The checkpointer keeps the error; the resumed put neither raises nor touches the decision."""
    store = MergeStore({NS: Brief}, on_conflict="raise")
    config: Any = {"configurable": {"thread_id": "1"}, "max_concurrency": 1}
    done: list[str] = []
    graph = disagreeing({"status": ("a", "b"), "tokens": (1, 1)})
    graph.add_node("after", lambda _: done.append("after"))
    graph.add_edge(["ada", "bob"], "after")
    compiled = graph.compile(store=store, checkpointer=InMemorySaver())
    with pytest.raises(PutConflictError):
        invoke(compiled, {"x": 1}, config, is_async=is_async)
    with pytest.raises(PutConflictError):
        invoke(compiled, None, config, is_async=is_async)
    assert done == []
    store.resolve(only(store), "settled", by="maria")
    invoke(compiled, None, config, is_async=is_async)
    assert done == ["after"]
    assert value(store) == {"status": "settled", "tokens": 2}


def test_the_error_goes_into_a_database_of_checkpoints(tmp_path: Any) -> None:
    """And the thread that failed with it can be looked at by another process."""
    store = MergeStore({NS: Brief}, on_conflict="raise")
    config: Any = {"configurable": {"thread_id": "1"}, "max_concurrency": 1}
    with SqliteSaver.from_conn_string(str(tmp_path / "checkpoints.db")) as saver, pytest.raises(PutConflictError):
        disagreeing().compile(store=store, checkpointer=saver).invoke({"x": 1}, config)
    with SqliteSaver.from_conn_string(str(tmp_path / "checkpoints.db")) as saver:
        tasks = disagreeing().compile(store=store, checkpointer=saver).get_state(config).tasks
        assert ["is stored, and contested" in str(task.error) for task in tasks if task.error] == [True]


def test_a_node_that_caught_it_is_not_bothered_again_about_other_fields() -> None:
    """A later put that leaves the contested field out goes well; one that gives its value again does not."""
    store = MergeStore({NS: Brief}, on_conflict="raise")
    seen: list[str] = []

    def bob(state: State, *, store: BaseStore) -> State:
        for given in ({"status": "b"}, {"tags": ["t"]}, {"status": "b", "tokens": 1}):
            try:
                store.put(*AT, given)
                seen.append("well")
            except PutConflictError:
                seen.append("contested")
        return {}

    graph = parallel(putting("ada", {"status": "a"}), bob)
    graph.compile(store=store).invoke({"x": 1}, {"max_concurrency": 1})
    assert seen == ["contested", "well", "contested"]
    assert value(store) == {"tags": ["t"], "tokens": 1}


def test_a_node_can_settle_the_conflict_that_it_caught() -> None:
    """It reads, so that it has seen all contenders, and puts what it makes of them: no decision is needed."""
    store = MergeStore({NS: Brief}, on_conflict="raise")

    def bob(state: State, *, store: BaseStore) -> State:
        try:
            store.put(*AT, {"status": "b"})
        except PutConflictError as error:
            values = sorted(contender.value for contender in error.escalations[0].contenders)
            store.get(*AT)
            store.put(*AT, {"status": " or ".join(values)})
        return {}

    parallel(putting("ada", {"status": "a"}), bob).compile(store=store).invoke({"x": 1}, {"max_concurrency": 1})
    assert value(store) == {"status": "a or b"} and store.escalations() == []


def test_sequential_nodes_do_not_hear_of_an_open_question() -> None:
    """Who neither opens nor adds to it puts in peace, into the same document too."""
    store = MergeStore({NS: Brief}, on_conflict="raise")
    with pytest.raises(PutConflictError):
        disagreeing().compile(store=store).invoke({"x": 1}, {"max_concurrency": 1})
    parallel(putting("ada", {"tags": ["late"], "title": "T"})).compile(store=store).invoke({"x": 1})
    assert value(store)["title"] == "T" and only(store).path == ("status",)


@pytest.mark.parametrize("is_async", ASYNC)
def test_a_batch_raises_after_all_of_it_is_stored(is_async: bool) -> None:
    """One error for all its documents, in a namespace without a model too."""
    store = MergeStore(on_conflict="raise")
    began = store.workspace.moment()
    for key in ("one", "two"):
        store.workspace.agent("ada", began=began).write(NS, key, {"status": "a"})
    store.put(NS, "read", {"x": 1})
    ops = [GetOp(NS, "read"), *(PutOp(NS, key, {"status": "b", "more": key}) for key in ("one", "two", "three"))]

    def bob(state: State, *, store: BaseStore) -> State:
        store.batch(ops)
        return {}

    async def abob(state: State, *, store: BaseStore) -> State:
        await store.abatch(ops)
        return {}

    def ada(state: State, *, store: BaseStore) -> State:
        for key in ("one", "two"):
            store.put(NS, key, {"status": "late"})
        return {}

    abob.__name__ = "bob"
    graph = parallel(ada, abob if is_async else bob)
    with pytest.raises(PutConflictError) as error:
        invoke(graph.compile(store=store), {"x": 1}, {"max_concurrency": 1}, is_async=is_async)
    assert sorted(escalation.key for escalation in error.value.escalations) == ["one", "two"]
    assert [value(store, key)["more"] for key in ("one", "two", "three")] == ["one", "two", "three"]


def test_a_deletion_that_meets_an_update_raises_and_so_does_its_retry() -> None:
    """The deletion is a contender; the document stays readable."""
    store = MergeStore({NS: Brief}, on_conflict="raise")
    store.put(*AT, {"status": "x"})
    attempts: list[int] = []

    def bob(state: State, *, store: BaseStore) -> State:
        attempts.append(1)
        store.delete(*AT)
        return {}

    graph = parallel(putting("ada", {"status": "a"}))
    graph.add_node("bob", bob, retry_policy=RETRY).add_edge(START, "bob")
    with pytest.raises(PutConflictError) as error:
        graph.compile(store=store).invoke({"x": 1}, {"max_concurrency": 1})
    assert len(attempts) == 3
    assert [escalation.reason for escalation in error.value.escalations] == ["delete"]
    assert value(store) == {"status": "a"}


@pytest.mark.parametrize("is_async", ASYNC)
def test_outside_of_a_graph_it_raises_as_well(is_async: bool) -> None:
    """Also to coroutines."""
    store = MergeStore({NS: Brief}, on_conflict="raise")
    with store.acting_as("bob"):
        began = store.workspace.moment()
        store.workspace.agent("ada", began=began).write(*AT, {"status": "a"})
        with pytest.raises(PutConflictError):
            asyncio.run(store.aput(*AT, {"status": "b"})) if is_async else store.put(*AT, {"status": "b"})
        store.put(*AT, {"tags": ["t"]})
    assert value(store) == {"tags": ["t"]}


def test_an_invalid_put_raises_its_own_error() -> None:
    """Nothing of it was stored, so nothing is contested."""
    store = MergeStore({NS: Brief}, on_conflict="raise")
    with pytest.raises(ConcordantError, match="refused") as error:
        store.put(*AT, {"statsu": "x"})
    assert not isinstance(error.value, PutConflictError)
