"""Which task writes and which tasks are concurrent, read from real LangGraph runs."""

from __future__ import annotations

import asyncio
import operator
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from importlib.metadata import version
from inspect import signature
from itertools import combinations, count, pairwise
from typing import Annotated, Any, TypedDict

import pytest
from hypothesis import given, strategies as st
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables.config import var_child_runnable_config
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_config
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, RetryPolicy, Send, interrupt

from concordant import Instant
from concordant_langgraph import beginnings, context
from concordant_langgraph.context import TaskExecution
from concordant_langgraph.lineage import Level, decode, encode, kin_of, lineage, outermost, relation, segments
from concordant_langgraph.listener import listen

from .scopes.support import current_task

pytestmark = pytest.mark.filterwarnings("error")
listen()


class State(TypedDict, total=False):
    log: Annotated[list[str], operator.add]


class Recorder:
    """Nodes that note the task they run in."""

    def __init__(self) -> None:
        self.seen: dict[str, list[TaskExecution]] = {}

    def note(self, label: str) -> TaskExecution:
        found = current_task()
        assert found is not None
        self.seen.setdefault(label, []).append(found)
        return found

    def node(self, label: str) -> Callable[[State], State]:
        def body(state: State) -> State:
            self.note(label)
            return {"log": [label]}

        return body

    def anode(self, label: str) -> Callable[[State], Any]:
        async def body(state: State) -> State:
            self.note(label)
            await asyncio.sleep(0)
            self.note(label)
            return {"log": [label]}

        return body

    def __getitem__(self, label: str) -> TaskExecution:
        return self.seen[label][-1]

    def relation(self, mine: str, theirs: str) -> str:
        forth, back = (
            relation(self[mine].token, self[theirs].token),
            relation(self[theirs].token, self[mine].token),
        )
        assert forth == back
        return forth


def chain(*nodes: tuple[str, Any]) -> StateGraph[State]:
    builder = StateGraph(State)
    for name, body in nodes:
        builder.add_node(name, body)
    builder.add_edge(START, nodes[0][0])
    for (before, _), (after, _) in pairwise(nodes):
        builder.add_edge(before, after)
    return builder


def fan(*nodes: tuple[str, Any]) -> StateGraph[State]:
    builder = StateGraph(State)
    for name, body in nodes:
        builder.add_node(name, body)
        builder.add_edge(START, name)
    return builder


LANGGRAPH = tuple(int(part) for part in re.findall(r"\d+", version("langgraph"))[:3])
THREAD: Any = {"configurable": {"thread_id": "t1"}}


# --- where there is a task, and what it says ---------------------------------------------------------------


def test_no_task_outside_a_graph() -> None:
    """Outside of a graph there is no task, in a plain runnable either, nor after a run."""
    assert current_task() is None
    assert RunnableLambda(lambda _: current_task()).invoke(0) is None
    chain(("n", Recorder().node("n"))).compile().invoke({})
    assert current_task() is None


def test_raw_threads_have_no_task_but_context_threads_do() -> None:
    """A raw thread carries no context and so no task; asyncio.to_thread carries it."""
    found: list[TaskExecution | None] = []

    def raw(state: State) -> State:
        thread = threading.Thread(target=lambda: found.append(current_task()))
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            found.append(pool.submit(current_task).result())
        return {}

    async def carried(state: State) -> State:
        found.append(await asyncio.to_thread(current_task))
        return {}

    asyncio.run(chain(("raw", raw), ("carried", carried)).compile().ainvoke({}))
    assert found[:2] == [None, None]
    assert found[2] is not None and found[2].name == "carried"


@pytest.mark.parametrize("saver", [None, InMemorySaver], ids=["no_checkpointer", "checkpointer"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_parallel_nodes_are_concurrent_and_later_ones_ordered(saver: Any, asynchronous: bool) -> None:
    """Nodes of one superstep are concurrent, a node and its successor are ordered, sync and async alike."""
    seen = Recorder()
    make = seen.anode if asynchronous else seen.node
    builder = fan(("a", make("a")), ("b", make("b"))).add_node("c", make("c"))
    builder.add_edge("a", "c").add_edge("b", "c")
    graph = builder.compile(checkpointer=saver() if saver else None)
    before = Instant.now()
    if asynchronous:
        asyncio.run(graph.ainvoke({}, THREAD))
    else:
        graph.invoke({}, THREAD)
    assert seen.relation("a", "b") == "concurrent"
    assert seen.relation("a", "c") == seen.relation("b", "c") == "ordered"
    assert seen.relation("a", "a") == "same"
    assert before <= min(seen["a"].began, seen["b"].began)
    assert max(seen["a"].began, seen["b"].began) < seen["c"].began <= Instant.now()
    assert [seen[n].name for n in "abc"] == list("abc")
    assert len({seen[n].task for n in "abc"}) == 3


def test_one_task_is_read_once_and_stays_the_same_object() -> None:
    """Within one execution the same TaskExecution comes back, so that a store may hang its scope on it."""
    found: list[TaskExecution | None] = []

    async def node(state: State) -> State:
        found.append(current_task())
        await asyncio.sleep(0)
        found.append(current_task())
        return {}

    asyncio.run(chain(("n", node)).compile().ainvoke({}))
    assert found[0] is not None and found[0] is found[1]


def test_subgraphs_part_where_their_parents_part() -> None:
    """Tasks inside two parallel sub-graphs are concurrent at any depth, a sub-graph's steps ordered."""
    seen = Recorder()

    def team(label: str) -> Any:
        inner = chain(("x", seen.node(f"{label}.x")), ("y", seen.node(f"{label}.y"))).compile()
        return chain(("deep", inner)).compile()

    builder = fan(("left", team("left")), ("right", team("right"))).add_node("last", seen.node("last"))
    builder.add_edge(["left", "right"], "last")
    builder.compile().invoke({})
    assert seen.relation("left.x", "right.x") == seen.relation("left.x", "right.y") == "concurrent"
    assert seen.relation("left.x", "left.y") == "ordered"
    assert seen.relation("left.y", "last") == "ordered"
    assert seen["left.x"].name == "left/deep/x"


def test_a_task_and_the_subgraph_it_invokes_are_the_same() -> None:
    """A node has seen what the graph it invoked wrote; two invokes of one node are ordered by time."""
    seen = Recorder()
    sub = chain(("leaf", seen.node("leaf"))).compile()

    def node(state: State) -> State:
        seen.note("node")
        sub.invoke({})
        sub.invoke({})
        return {}

    fan(("node", node), ("other", seen.node("other"))).compile().invoke({})
    first, second = seen.seen["leaf"]
    assert relation(seen["node"].token, first.token) == "same"
    assert relation(seen["node"].token, second.token) == "same"
    assert relation(first.token, second.token) == "ordered"
    assert first.began < second.began and first.task != second.task
    assert seen.relation("other", "leaf") == "concurrent"


def test_sends_are_concurrent_tasks_of_one_name() -> None:
    """Tasks made by Send share a name, not an identity, and are concurrent."""
    seen = Recorder()
    builder = chain(("plan", seen.node("plan"))).add_node("work", seen.node("work"))
    builder.add_conditional_edges("plan", lambda s: [Send("work", {}) for _ in range(3)], ["work"])
    builder.compile().invoke({})
    tasks = seen.seen["work"]
    assert len({t.task for t in tasks}) == 3 and {t.name for t in tasks} == {"work"}
    assert {relation(a.token, b.token) for a in tasks for b in tasks if a is not b} == {"concurrent"}
    assert {relation(a.token, seen["plan"].token) for a in tasks} == {"ordered"}


def test_supersteps_of_different_runs_are_ordered() -> None:
    """Two runs of one graph, on one thread or on none, have no superstep in common."""
    seen = Recorder()
    for saver in (None, InMemorySaver()):
        graph = chain(("n", seen.node("n"))).compile(checkpointer=saver)
        graph.invoke({}, THREAD)
        graph.invoke({}, THREAD)
    tokens = [t.token for t in seen.seen["n"]]
    assert len(tokens) == 4
    assert {relation(a, b) for a in tokens for b in tokens if a is not b} == {"ordered"}


class FakeModel(BaseChatModel):
    """Calls the tools once, then answers."""

    calls: list[dict[str, Any]]

    @property
    def _llm_type(self) -> str:
        return "fake"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        done = any(message.type == "tool" for message in messages)
        message = AIMessage("done") if done else AIMessage("", tool_calls=self.calls)
        return ChatResult(generations=[ChatGeneration(message=message)])


def _calls(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "args": {}, "id": f"call{i}", "type": "tool_call"} for i, name in enumerate(names)]


def test_tools_in_a_tool_node_run_in_its_task() -> None:
    """Parallel tool calls of one ToolNode are one task under the node's name."""
    seen = Recorder()

    @tool
    def look() -> str:
        """Look."""
        seen.note("tool")
        return "ok"

    builder = StateGraph(MessagesState).add_node("tools", ToolNode([look])).add_edge(START, "tools")
    builder.compile().invoke({"messages": [AIMessage("", tool_calls=_calls("look", "look"))]})
    one, two = seen.seen["tool"]
    assert one.name == "tools" and one.token == two.token and one.execution == two.execution


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("nested", [False, True], ids=["root", "nested"])
def test_an_agent_is_known_by_its_own_name(asynchronous: bool, nested: bool) -> None:
    """Tools of a prebuilt agent write under the agent's name, whatever node it stands in."""
    if nested and LANGGRAPH < (1, 2, 3):
        pytest.skip("a sub-graph's own metadata is replaced by its parent's there, so the node names stand in")
    seen = Recorder()

    @tool
    def look() -> str:
        """Look."""
        seen.note("tool")
        return "ok"

    def agent(name: str) -> Any:
        return create_agent(FakeModel(calls=_calls("look")), [look], name=name)

    builder = StateGraph(MessagesState)
    for name in ("ada", "bob"):
        builder.add_node(f"node_{name}", agent(name)).add_edge(START, f"node_{name}")
    graphs = [builder.compile()] if nested else [agent("ada"), agent("bob")]
    for graph in graphs:
        if asynchronous:
            asyncio.run(graph.ainvoke({"messages": []}))
        else:
            graph.invoke({"messages": []})
    one, two = seen.seen["tool"]
    assert {one.name, two.name} == {"ada", "bob"}
    assert relation(one.token, two.token) == ("concurrent" if nested else "ordered")


def test_functional_api() -> None:
    """An entrypoint and its @tasks are the same, @tasks beside each other concurrent, at any depth."""
    seen = Recorder()

    @task
    def inner(label: str) -> None:
        seen.note(f"inner.{label}")

    @task
    def step(label: str) -> None:
        seen.note(f"step.{label}")
        inner(label).result()

    @entrypoint()
    def flow(_: Any) -> None:
        seen.note("flow")
        futures = [step("a"), step("b")]
        for future in futures:
            future.result()

    flow.invoke(0)
    assert seen["inner.a"].name == "flow/step/inner"
    assert seen.relation("flow", "step.a") == seen.relation("flow", "inner.b") == "same"
    assert seen.relation("step.a", "inner.a") == "same"
    assert seen.relation("step.a", "step.b") == seen.relation("inner.a", "inner.b") == "concurrent"
    assert len(seen["inner.a"].token) < len("lg1/") + 72 + 2 * 26  # one superstep, spelled once


def test_functional_api_async_and_retried() -> None:
    """A @task keeps its identity over its own retries and those of a resumed entrypoint."""
    seen = Recorder()
    attempts = count()

    @task(retry_policy=RetryPolicy(max_attempts=2, initial_interval=0.001, jitter=False))
    async def flaky() -> None:
        seen.note("flaky")
        if next(attempts) == 0:
            raise ConnectionError

    @entrypoint(checkpointer=InMemorySaver())
    async def flow(_: Any) -> str:
        seen.note("flow")
        await flaky()
        answer: str = interrupt("?")
        return answer

    async def main() -> None:
        await flow.ainvoke(0, THREAD)
        await flow.ainvoke(Command(resume="yes"), THREAD)

    asyncio.run(main())
    first, second = seen.seen["flaky"]  # the resumed flow takes the @task's result from the checkpoint
    assert first.task == second.task and first.execution != second.execution
    begun, resumed = seen.seen["flow"]
    assert begun.task == resumed.task and begun.execution != resumed.execution and begun.began < resumed.began


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_retry_is_a_new_execution_of_the_same_task(asynchronous: bool) -> None:
    """RetryPolicy attempts share task, token and beginning, and differ in their execution."""
    seen = Recorder()

    def node(state: State) -> State:
        if len(seen.seen.setdefault("n", [])) < 3:
            seen.note("n")
            raise ConnectionError
        return {}

    async def anode(state: State) -> State:
        return node(state)

    policy = RetryPolicy(max_attempts=4, initial_interval=0.001, jitter=False)
    builder = StateGraph(State).add_node("n", anode if asynchronous else node, retry_policy=policy)
    graph = builder.add_edge(START, "n").compile()
    if asynchronous:
        asyncio.run(graph.ainvoke({}))
    else:
        graph.invoke({})
    tasks = seen.seen["n"]
    assert len({(t.token, t.task, t.began) for t in tasks}) == 1
    assert len({t.execution for t in tasks}) == 3


@pytest.mark.parametrize("nested", [False, True], ids=["root", "subgraph"])
def test_a_resume_is_a_new_execution_that_begins_later(nested: bool) -> None:
    """After an interrupt the task is the same, its execution new, and it has seen what came meanwhile."""
    seen = Recorder()

    def node(state: State) -> State:
        seen.note("n")
        interrupt("?")
        return {}

    inner = chain(("n", node))
    graph = (chain(("team", inner.compile())) if nested else inner).compile(checkpointer=InMemorySaver())
    graph.invoke({}, THREAD)
    meanwhile = Instant.now()
    graph.invoke(Command(resume=1), THREAD)
    before, after = seen.seen["n"]
    assert before.task == after.task and relation(before.token, after.token) == "same"
    assert before.execution != after.execution
    assert before.began < meanwhile < after.began


# --- configs that hide a part of it ------------------------------------------------------------------------


def _in_task(body: Callable[[], Any]) -> list[Any]:
    """Run `body` in one of two parallel nodes of an agent called ada; the other node's task comes last."""
    out: list[Any] = []

    def node(state: State) -> State:
        out.extend(body())
        return {}

    seen = Recorder()
    graph = fan(("n", node), ("other", seen.node("other"))).compile()
    graph.with_config({"metadata": {"lc_agent_name": "ada"}}).invoke({}, THREAD)
    return [*out, seen["other"]]


def test_replaced_metadata_changes_nothing() -> None:
    """A nested invoke with its own metadata is the same execution of the same task under the same name."""
    probe = RunnableLambda(lambda _: current_task())
    bare, nested, _ = _in_task(lambda: [current_task(), probe.invoke(0, {"metadata": {"a": 1}})])
    assert bare == nested and bare.name == "ada"


@pytest.mark.parametrize("metadata", [None, {"b": 1}], ids=["configurable", "both_halves"])
@pytest.mark.parametrize("read_before", [False, True])
def test_replaced_configurable_keeps_task_and_name(metadata: Any, read_before: bool) -> None:
    """A nested invoke with its own configurable is told as part of its task; its puts count as its own."""
    config: Any = {"configurable": {"a": 1}} | ({"metadata": metadata} if metadata else {})
    probe = RunnableLambda(lambda _: [current_task(), current_task()])

    def body() -> list[Any]:
        early = [current_task()] if read_before else []
        found = probe.invoke(0, config)
        return [*(early or [current_task()]), *found, *probe.invoke(0, config)]

    whole, nested, again, next_call, _, other = _in_task(body)
    assert nested is again and nested.name == "ada"
    assert relation(whole.token, nested.token) == relation(nested.token, whole.token) == "same"
    assert len({whole.task, nested.task, next_call.task}) == 3
    assert nested.execution == "" and whole.began <= nested.began <= Instant.now()
    expected = "concurrent" if read_before else "ordered"
    assert relation(nested.token, other.token) == expected


@pytest.mark.parametrize("half", ["metadata", "configurable"])
def test_a_graph_invoked_with_its_own_config_is_read(half: str) -> None:
    """A sub-graph invoked with a config of its own has a task of its own with a true beginning."""
    seen = Recorder()
    sub = chain(("leaf", seen.node("leaf"))).compile()

    def body() -> list[Any]:
        config: Any = {half: {"a": 1}}
        began = Instant.now()
        sub.invoke({}, config)
        return [current_task(), began]

    whole, began, _ = _in_task(body)
    leaf = seen["leaf"]
    assert began <= leaf.began and leaf.task != whole.task and leaf.execution
    if half == "metadata":
        assert relation(whole.token, leaf.token) == "same"


def test_a_runtime_without_primitives_is_not_believed() -> None:
    """Where the runtime's fields are no numbers and nobody noted the beginning the superstep's own time stands in."""

    class Odd:
        def __getattr__(self, name: str) -> Odd:
            return Odd()

    def body() -> list[Any]:
        config: Any = get_config()
        configurable = {**config["configurable"], "__pregel_runtime": Odd(), "thread_id": Odd()}
        odd = {**config, "configurable": configurable, "metadata": {}}
        unnoted, noted = copy_context(), context._read(odd)
        unnoted.run(beginnings._begun.set, None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(context, "first_begun", lambda _: None)
            return [current_task(), noted, unnoted.run(context._read, odd), time.time()]

    whole, odd, unnoted, now, _ = _in_task(body)
    assert odd.token == whole.token and odd.task == whole.task
    assert odd.execution == ""
    assert odd.began == whole.began and now - 1 < unnoted.began < now


@pytest.mark.parametrize("config", [{"configurable": 1}, {"metadata": []}, {"callbacks": 3}, [1]])
def test_an_odd_config_is_no_task(config: Any) -> None:
    """Whatever stands in the config, reading it does not raise."""
    token = var_child_runnable_config.set(config)
    try:
        assert current_task() is None
    finally:
        var_child_runnable_config.reset(token)


# --- tokens ------------------------------------------------------------------------------------------------

_ids = st.uuids().map(str)
_odd = st.text(min_size=1)
_levels = st.lists(
    st.builds(Level, st.sampled_from(["", "1", "12"]), _ids | _odd | st.just(""), _ids | _odd, st.just("") | _odd),
    min_size=1,
    max_size=5,
)


@given(_levels)
def test_tokens_round_trip(levels: list[Level]) -> None:
    """A token gives back the lineage it was made from, is printable ASCII, and is the same as itself."""
    token = encode(levels)
    assert list(decode(token)) == levels
    assert token.isascii() and token.isprintable()
    assert relation(token, token) == "same"


@given(st.none() | st.text() | st.uuids().map(str), st.text() | st.uuids().map(str))
def test_the_token_of_an_outermost_task_is_that_of_its_one_level(step: str | None, task: str) -> None:
    """Made without levels, token and kin are those that the levels give, whatever the ids look like."""
    token = encode([Level("", step or "", task)])
    assert outermost(step, task) == (token, kin_of(token))


@given(_levels, st.text() | st.just("lg1/") | st.from_regex(r"lg1/[a-z./?~]*", fullmatch=True))
def test_foreign_tokens_are_ordered(levels: list[Level], foreign: str) -> None:
    """Any string may stand in for a token, and what is not ours is ordered by time."""
    token = encode(levels)
    if not well_formed(foreign):
        assert relation(token, foreign) == relation(foreign, token) == "ordered"
    assert relation("", "") == "ordered"
    decode(foreign)


def well_formed(token: str) -> bool:
    """Whether the text happens to be a well-formed token."""
    parts = [part.split(".") for part in token.removeprefix("lg1/").split("/")]
    return token.startswith("lg1/") and all(len(part) in (3, 4) for part in parts)


def test_calls_by_one_task_are_told_apart() -> None:
    """Sub-graphs that one task invoked side by side are ordered by time, whatever their supersteps."""
    top = Level("", "s", "t")
    one, two = (encode([top, Level(call, "u", call or "0")]) for call in ("", "1"))
    assert relation(one, two) == "ordered"
    assert relation(one, encode([top, Level("", "u", "1")])) == "concurrent"
    assert relation(one, encode([top])) == "same"


@pytest.mark.skipif("error_handler" not in signature(StateGraph.add_node).parameters, reason="no error handlers")
def test_an_error_handler_has_seen_the_node_that_failed() -> None:
    """A node's error handler belongs to the task that failed, and is concurrent with that task's siblings."""
    seen = Recorder()

    def bad(state: State) -> State:
        seen.note("bad")
        raise ValueError

    def handler(state: State) -> State:
        seen.note("handler")
        return {}

    builder = fan(("other", seen.node("other"))).add_node("bad", bad, error_handler=handler)
    builder.add_edge(START, "bad").compile().invoke({})
    assert seen.relation("bad", "handler") == "same"
    assert seen.relation("other", "handler") == "concurrent"


def test_a_retried_subgraph_has_tasks_of_its_own() -> None:
    """Where a retry runs a whole sub-graph again, its tasks have new ids, and are known again."""
    seen = Recorder()
    attempts = count()

    def fails_once(state: State) -> State:
        if next(attempts) == 0:
            raise ConnectionError
        return {}

    sub = chain(("write", seen.node("write")), ("check", fails_once)).compile()
    policy = RetryPolicy(max_attempts=2, initial_interval=0.001, jitter=False)
    StateGraph(State).add_node("team", sub, retry_policy=policy).add_edge(START, "team").compile().invoke({})
    first, second = seen.seen["write"]
    assert relation(first.token, second.token) == "same" and first.began < second.began
    assert first.task == second.task and first.execution != second.execution


def test_names_with_separators_are_split_at_task_ids() -> None:
    """Names of @tasks may contain ':' and '|' and still do not shift the levels."""
    one, two = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
    ns = f"a|b:c:{one}|3|d:{two}"
    path = segments(ns)
    assert [(s.graph, s.call, s.node, s.task) for s in path] == [
        ("", "", "a|b:c", one),
        (f"a|b:c:{one}|3", "3", "d", two),
    ]
    assert lineage(path, {"": "s", f"a|b:c:{one}|3": two})[1] == Level("3", two, two)
    assert segments("odd")[0].task == "odd"


# --- random graphs against the truth of their construction -------------------------------------------------


def _later(depth: int) -> Callable[[Any, Any], tuple[int, ...]]:
    """The clock of a graph at this depth: a longer one comes from a sub-graph, whose superstep is over."""

    def later(old: Any, new: Any) -> tuple[int, ...]:
        if len(new) > depth:
            new = (*new[: depth - 1], new[depth - 1] + 1)
        return max(tuple(old), tuple(new))  # a checkpoint turns tuples into lists

    return later


def _keep(old: tuple[Any, ...], new: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple((level, uid) for level, uid in old or new)


class Walk(TypedDict, total=False):
    """`clock` counts the supersteps of every level by dataflow alone; `via` tells Sends and calls apart."""

    clock: Annotated[tuple[int, ...], _later(1)]
    via: Annotated[tuple[tuple[int, str], ...], _keep]


class Walk2(Walk, total=False):
    clock: Annotated[tuple[int, ...], _later(2)]  # type: ignore[misc]


class Walk3(Walk, total=False):
    clock: Annotated[tuple[int, ...], _later(3)]  # type: ignore[misc]


class Clock(TypedDict, total=False):
    clock: tuple[int, ...]


@dataclass(frozen=True)
class Write:
    """A commit: who, the true position as (call, superstep, task) per level, and when."""

    task: TaskExecution
    position: tuple[tuple[Any, ...], ...]
    started: Instant
    committed: Instant


class World:
    """A random nested graph whose nodes commit, and what truly happened in it."""

    def __init__(self, seed: int, asynchronous: bool) -> None:
        self.random = random.Random(seed)
        self.asynchronous = asynchronous
        self.writes: list[Write] = []
        self.lock = threading.Lock()
        self.uids = count()
        self.sends = count()
        self.run = 0
        self.graph = self.build((), 0).compile(checkpointer=self.random.choice([None, InMemorySaver()]))

    def commit(self, position: tuple[tuple[Any, ...], ...], started: Instant) -> None:
        found = current_task()
        assert found is not None
        with self.lock:
            self.writes.append(Write(found, position, started, Instant.now()))

    def position(self, state: Walk, names: tuple[str, ...]) -> tuple[tuple[int, ...], Any]:
        """The clock of the task at its own depth, and its position per level."""
        depth, clock, via = len(names), state["clock"], state.get("via", ())
        clock = (*clock, *[0] * (depth - len(clock)))  # the first superstep of this graph
        levels = []
        for level, name in enumerate(names):
            sent = tuple(u for at, u in via if at == level and not u.startswith("call"))
            call = tuple(u for at, u in via if at == level and u.startswith("call"))
            levels.append(((self.run, call), clock[level], (name, sent)))
        return clock, tuple(levels)

    def build(self, above: tuple[str, ...], depth: int) -> StateGraph[Walk, Any, Any, Any]:
        rng = self.random
        # Clock alone goes back up, so that sub-graphs do not write their parent's `via`.
        builder: StateGraph[Walk, Any, Any, Any] = StateGraph((Walk, Walk2, Walk3)[depth], output_schema=Clock)
        names = [f"n{i}" for i in range(rng.randint(2, 5))]
        subgraphs = set()
        for name in names:
            if depth < 2 and rng.random() < (0.35 if depth == 0 else 0.2):
                subgraphs.add(name)
                builder.add_node(name, self.build((*above, name), depth + 1).compile())
            else:
                builder.add_node(name, self.body((*above, name), depth))
        for name in rng.sample(names, rng.randint(1, min(3, len(names)))):
            builder.add_edge(START, name)
        for i, name in enumerate(names):
            later = names[i + 1 :]
            if later and rng.random() < 0.6:
                for after in rng.sample(later, rng.randint(1, min(2, len(later)))):
                    builder.add_edge(name, after)
            if rng.random() < 0.5:
                targets = rng.sample(names, rng.randint(1, min(2, len(names))))  # may lead back: a loop
                route = self.router(targets, depth + 1, rng.random() < 0.5, rng.randint(2, 4))
                builder.add_conditional_edges(name, route, [*targets, END])
        return builder

    def router(self, targets: list[str], depth: int, send: bool, limit: int) -> Callable[[Any], Any]:
        def route(state: Any) -> Any:
            clock = state["clock"]
            if clock[depth - 1] >= limit or next(self.sends) > 25:
                return END
            if not send:
                return targets
            via = tuple(v for v in state.get("via", ()) if v[0] < depth - 1 or v[1].startswith("call"))
            return [
                Send(target, {"clock": clock, "via": (*via, (depth - 1, f"send{next(self.uids)}"))})
                for target in targets
                for _ in range(2)
            ]

        return route

    def body(self, names: tuple[str, ...], depth: int) -> Any:
        rng = self.random
        delays = [rng.choice([0.0, 0.0, 0.0005, 0.002]) for _ in range(2)]
        nested = None
        if depth < 2 and rng.random() < 0.2:
            nested = self.build((*names,), depth + 1).compile()
        calls = rng.randint(1, 2)

        def enter(state: Walk, call: int, clock: tuple[int, ...]) -> Walk:
            return {"clock": clock, "via": (*state.get("via", ()), (depth + 1, f"call{call}"))}

        def steps(state: Any) -> Iterator[Any]:
            started = Instant.now()
            clock, position = self.position(state, names)
            for i, delay in enumerate(delays):
                self.commit(position, started)
                if nested is not None and i == 0:
                    for call in range(calls):
                        yield enter(state, call, clock)
                yield delay
            self.commit(position, started)
            yield {"clock": (*clock[:-1], clock[-1] + 1)}

        def sync(state: Any) -> Any:
            for step in steps(state):
                if isinstance(step, float):
                    time.sleep(step)
                elif "via" in step:
                    assert nested is not None
                    nested.invoke(step)
                else:
                    return step
            return None

        async def asynchronous(state: Any) -> Any:
            for step in steps(state):
                if isinstance(step, float):
                    await asyncio.sleep(step)
                elif "via" in step:
                    assert nested is not None
                    await nested.ainvoke(step)
                else:
                    return step
            return None

        if self.asynchronous and (nested is not None or rng.random() < 0.8):
            return asynchronous
        return sync

    def play(self) -> None:
        for run in range(2):
            self.run = run
            self.sends = count()
            config: Any = {"configurable": {"thread_id": "t"}, "recursion_limit": 200}
            if self.asynchronous:
                asyncio.run(self.graph.ainvoke({"clock": (0,), "via": ()}, config))
            else:
                self.graph.invoke({"clock": (0,), "via": ()}, config)


def truth(p: Write, q: Write) -> bool:
    """Whether q's scope has seen p, which was committed first: from construction and dataflow alone."""
    for (call_p, step_p, task_p), (call_q, step_q, task_q) in zip(p.position, q.position, strict=False):
        if call_p != call_q:
            return True  # runs, and calls within one node, were made one after the other
        if step_p != step_q:
            assert step_p < step_q, "commits came in the order of supersteps"
            return True
        if task_p != task_q:
            return False
    return True  # the same task, or one ran the other


def check(seed: int, most: int | None = None) -> dict[str, int]:
    """Compare every pair of writes of one random graph with the truth, or so many of them by chance."""
    world = World(seed, asynchronous=bool(seed % 2))
    world.play()
    tally = {"same": 0, "concurrent": 0, "ordered": 0}
    writes, rng = world.writes, random.Random(seed)
    pairs: Iterable[Any] = combinations(writes, 2)
    if most is not None and len(writes) * (len(writes) - 1) // 2 > most:  # of millions, not all are laid out to draw
        pairs = ([writes[i] for i in sorted(rng.sample(range(len(writes)), 2))] for _ in range(most))
    for p, q in pairs:
        verdict = relation(q.task.token, p.task.token)
        tally[verdict] += 1
        seen = verdict == "same" or (verdict == "ordered" and p.committed < q.task.began)
        assert seen == truth(p, q), (seed, verdict, p, q)
    return tally


@pytest.mark.parametrize("seed", range(8))
def test_random_graphs_agree_with_the_truth(seed: int) -> None:
    """In random nested graphs each pair of writes is told apart as the graph's construction has it."""
    tally = check(seed, 3_000)
    assert tally["same"] > 0


@pytest.mark.torture
def test_many_random_graphs_agree_with_the_truth() -> None:
    """The same over 500 graphs, which between them hold plenty of every verdict."""
    total = {"same": 0, "concurrent": 0, "ordered": 0}
    for seed in range(1000, 1500):
        for verdict, n in check(seed).items():
            total[verdict] += n
    assert min(total.values()) > 10_000
    print(total)
