"""Random nested graphs over a store, and what must come of them: known from how they are built, not from any clock.

A graph is a row of layers, one superstep each; what stands side by side in a layer is concurrent. A place is, level by
level from the root, (which run or call of a graph, layer, task, batch of tool calls, tool call). The clock on the wall
steps at any point.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypedDict

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task as functional
from langgraph.graph import START, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, RetryPolicy, Send, interrupt

from concordant_langgraph import MergeStore

from .random_agents import RandomAgent, Run
from .support import AT, CallsOnce, contenders, merging, shown

STEPS = (-300.0, -1.0, -0.05, 30.0, 300.0)
RETRY = RetryPolicy(max_attempts=50, initial_interval=0.0001, jitter=False)
Level = tuple[Any, ...]
Place = tuple[Level, ...]
Put = tuple[Place, int]
"""The identity of a put: the same when its task is executed again."""
Execution = tuple[int, ...]
"""Tells one execution of a place from the next."""


class State(TypedDict, total=False):
    above: Any
    send: str


def has_seen(q: Place, p: Place) -> bool:
    """Whether a writer at ``q`` has seen what was committed at ``p`` before, without having read it."""
    for (call_q, layer_q, task_q, batch_q, tool_q), (call_p, layer_p, task_p, batch_p, tool_p) in zip(
        q, p, strict=False
    ):
        if call_q != call_p or layer_q != layer_p:
            return True
        if task_q != task_p:
            return False
        if (batch_q, tool_q) != (batch_p, tool_p):
            return (tool_q != "" and tool_p != "" and batch_q != batch_p) or "" in (tool_q, tool_p)
    return True


@dataclass
class Truth:
    """What stands in the document, put by put."""

    lock: Any = field(default_factory=threading.Lock)
    live: dict[Put, str] = field(default_factory=dict)
    parts: dict[Put, str] = field(default_factory=dict)
    execution: dict[Put, Execution] = field(default_factory=dict)
    seen: dict[tuple[Place, Execution], set[Put]] = field(default_factory=dict)

    def read(self, place: Place, execution: Execution) -> None:
        self.seen[place, execution] = set(self.live)

    def put(
        self,
        place: Place,
        ordinal: int,
        part: str,
        status: str | None,
        execution: Execution,
        knows: Callable[[Put], bool | None] = lambda _: None,
    ) -> None:
        """Where a put is made again it takes the place of the earlier; one of an equal value changes nothing. What was
        cancelled may go on for a while: what it puts after its successor has made that put is nothing."""
        put = (place, ordinal)
        repeated = put in self.parts
        if repeated and execution < self.execution[put]:
            return
        self.parts[put], self.execution[put] = part, execution
        if status is None or repeated:
            return
        known = self.seen.get((place, execution), set())
        for other in list(self.live):
            told = knows(other)
            by_itself = (
                other[0] == place or other in known or (has_seen(place, other[0]) and other[0][0][0] != "stranger")
            )
            if by_itself if told is None else told:
                del self.live[other]
        self.live[put] = status


class Writer:
    """One execution of one scope: what it has read or put last, which it puts back with something added."""

    def __init__(self, world: World, place: Place) -> None:
        self.world, self.place, self.ordinal = world, place, 0
        self.last: dict[str, Any] = {}
        self.execution = world.executions.setdefault(place, count())
        self.number = next(self.execution)

    def act(self, acts: list[tuple[str, bool]]) -> None:
        for kind, decides in acts:
            self.world.maybe_step()
            with self.world.truth.lock:  # one at a time, so that the truth knows their order
                self.read() if kind == "read" else self.put(decides)
            time.sleep(0.0002)

    def read(self) -> None:
        item = self.world.store.get(*AT)
        self.last = dict(item.value) if item is not None else {}
        self.world.truth.read(self.place, (self.number,))

    def put(self, decides: bool) -> None:
        name = f"{self.world.name_of(self.place)}.{self.ordinal}"
        part = f"{name}.{self.number}"  # another execution writes something else
        last = self.last
        value = {
            "tags": [*last.get("tags", []), part],
            "steps": [*last.get("steps", []), part],
            "votes": last.get("votes", 0) + 1,
            "log": "\n".join([*last.get("log", "").splitlines(), part]),
        }
        self.last = {**last, **value}
        if decides:
            value["status"] = name
        self.world.truth.put(self.place, self.ordinal, part, name if decides else None, (self.number,))
        self.world.store.put(*AT, value)
        self.ordinal += 1


class World:
    """A random graph, built from a seed, and its runs."""

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)
        self.store: MergeStore = merging()
        self.truth = Truth()
        self.is_async = self.rng.random() < 0.5
        self.executions: dict[Place, Any] = {}
        self.runs: dict[Place, Run] = {}
        self.names: dict[Place, str] = {}
        self.failures: dict[Place, int] = {}
        self.made, self.strangers = count(), count()
        # Resumed, LangGraph may give graphs that tools in threads invoke each other's checkpoints (docs/langgraph.md).
        self.retries, self.pauses, self.invokes = self.rng.choice([(1, 1, 0), (1, 0, 1), (0, 1, 1)])
        # Where strangers write at any time, all others look first: what they have seen is then no matter of moments.
        self.strange = self.rng.random() < 0.5
        self.kinds: set[str] = {"async" if self.is_async else "sync"}
        self.off, self.steps = 0.0, random.Random(f"{seed}/clock")
        self.graph = self.build(0, retried=False).compile(store=self.store, checkpointer=InMemorySaver())

    @contextmanager
    def clock(self) -> Iterator[None]:
        """Inside the clock on the wall is the world's."""
        real = time.time
        time.time = lambda: real() + self.off
        try:
            yield
        finally:
            time.time = real

    def maybe_step(self) -> None:
        """Here the clock may step, back or forth."""
        if self.steps.random() < 0.4:
            self.off += self.steps.choice(STEPS)
            self.kinds.add("step")

    def stranger(self) -> None:
        """Somebody else, who has seen all that there is, writes."""
        with self.truth.lock:
            name = f"s{next(self.strangers)}"
            self.truth.put((("stranger", name, "", 0, ""),), 0, name, name, (0,), lambda _: True)
            given = {"tags": [name], "steps": [name], "votes": 1, "log": name, "status": name}
            self.store.workspace.agent("stranger").write(*AT, given)

    def name_of(self, place: Place) -> str:
        return self.names.setdefault(place, f"w{len(self.names)}")

    # -- building ------------------------------------------------------------------------------------------------

    def build(self, depth: int, *, retried: bool, once: bool = True) -> StateGraph[Any, Any, Any, Any]:
        """A graph; ``once``: what is around it is not retried."""
        builder: StateGraph[Any, Any, Any, Any] = StateGraph(State)
        before: list[str] = []
        sent = ""
        for layer in range(self.rng.randint(1, 3 if depth == 0 else 2)):
            names = [f"n{next(self.made)}" for _ in range(self.rng.randint(1, 3))]
            for name in names:
                self.add(builder, name, layer, depth, retried, once)
                if not before:
                    builder.add_edge(START, name)
            if before and before[0] != sent and self.rng.random() < 0.4:
                self.kinds.add("send")
                (target, *rest), source = names, before[0]
                sent = target
                sends = self.rng.randint(2, 3)
                builder.add_conditional_edges(source, sender(target, sends), [target])
                for name in rest:
                    builder.add_edge(before, name)
            elif before:
                for name in names:
                    builder.add_edge(before, name)
            before = names
        return builder

    def add(self, builder: Any, name: str, layer: int, depth: int, retried: bool, once: bool) -> None:
        rng = self.rng
        retry = self.retries and rng.random() < 0.35
        options = {"retry_policy": RETRY} if retry else {}
        if depth < 2 and rng.random() < 0.2:
            self.kinds |= {"subgraph", "retried subgraph"} if retry else {"subgraph"}
            inner = self.build(depth + 1, retried=retried or retry, once=once and not retry).compile()
            builder.add_node(name, self.entering(name, layer, inner), **options)
        else:
            builder.add_node(name, self.node(name, layer, depth, fails=retry or retried, once=once), **options)

    def entering(self, name: str, layer: int, inner: Any) -> Any:
        """A sub-graph as a node: told its place, and its result is nobody's."""

        def enter(state: Any) -> Any:
            return {"above": self.below(state, name, layer, "inner"), "send": ""}

        return RunnableLambda(enter) | inner | RunnableLambda(lambda _: {})

    def below(self, state: Any, name: str, layer: int, call: str) -> Any:
        place, graph = position(state)
        return [[*place, [graph, layer, name + state.get("send", ""), 0, ""]], call]

    def acts(self) -> list[tuple[str, bool]]:
        rng = self.rng
        found = [(rng.choice(["read", "put", "put"]), rng.random() < 0.6) for _ in range(rng.randint(0, 3))]
        return [("read", False), *found] if self.strange and found else found

    def node(self, name: str, layer: int, depth: int, *, fails: bool, once: bool) -> Any:
        rng = self.rng
        first, last = self.acts(), self.acts()
        kind = rng.choice(["plain", "plain", "tools", "invoke", "tasks", "interrupt", "agent", "agent"])
        if (kind in ("invoke", "tasks") and depth == 2) or (kind == "interrupt" and (fails or not self.pauses)):
            kind = "plain"
        if kind == "invoke" and not self.invokes:
            kind = "plain"
        pauses = bool(self.pauses and once and not fails)
        agent = RandomAgent(self, rng, depth, pauses=pauses) if kind == "agent" else None
        self.kinds |= {"sub-agent"} if agent is not None and agent.subs else set()
        self.kinds |= {"retried agent"} if agent is not None and (fails or not once) else set()
        self.kinds |= {kind, "retry"} if fails else {kind}
        failures = rng.choice([0, 1, 2]) if fails else 0
        calls = [self.acts() for _ in range(rng.randint(2, 3))]
        batches = rng.randint(1, 2)
        together = rng.randint(0, len(calls))
        self.kinds |= {"sequential tasks"} if kind == "tasks" and together < len(calls) else set()
        within = once and not fails
        inner = self.build(depth + 1, retried=False, once=within).compile() if kind == "invoke" else None

        def steps(state: Any) -> Any:
            above, graph = position(state)
            task = name + state.get("send", "")

            def at(batch: int = 0, part: str = "") -> Place:
                return (*above, (graph, layer, task, batch, part))

            writer = Writer(self, at())
            writer.act(first)
            if kind == "tools":
                for batch in range(batches):
                    yield CallsOnce(calls=[]), "what next?"
                    yield self.tools(calls, lambda part, batch=batch: at(batch, part))
            elif kind == "invoke":
                for call in range(2):
                    yield inner, {"above": [[*above, [graph, layer, task, 0, ""]], f"call{call}"], "send": ""}
            elif kind == "tasks":
                yield self.flow(calls, at(), together), 0
            elif agent is not None:
                yield agent.runnable(at(), "agent"), {"messages": [("user", "go")]}
            elif kind == "interrupt":
                interrupt("go on?")
            writer.act(last)
            with self.truth.lock:
                failed = self.failures.get(at(), 0)
                self.failures[at()] = failed + 1
            if failed < failures:
                raise ConnectionError(name)

        def sync(state: Any) -> Any:
            for runnable, given in steps(state):
                runnable.invoke(given)
            return {}

        async def asynchronous(state: Any) -> Any:
            for runnable, given in steps(state):
                await runnable.ainvoke(given)
            return {}

        return asynchronous if self.is_async else sync

    def tools(self, calls: list[Any], at: Callable[[str], Place]) -> tuple[Any, Any]:
        """A ToolNode that executes some calls at once."""

        @tool
        def work(number: int) -> str:
            """Works."""
            Writer(self, at(f"t{number}")).act(calls[number])
            return "done"

        given = [
            {"name": "work", "args": {"number": n}, "id": f"{self.name_of(at(f't{n}'))}", "type": "tool_call"}
            for n in range(len(calls))
        ]
        return ToolNode([work]), {"messages": [AIMessage("", tool_calls=given)]}

    def flow(self, calls: list[Any], above: Place, together: int) -> Any:
        """A functional flow whose first @tasks run at once, and the others one after the other."""

        def place(number: int) -> Place:
            layer = 0 if number < together else number + 1
            return (*above, ("flow", 0, "flow", 0, ""), ("tasks", layer, number, 0, ""))

        if self.is_async:

            @functional
            async def astep(number: int) -> None:
                Writer(self, place(number)).act(calls[number])

            @entrypoint()
            async def aflow(_: Any) -> None:
                await asyncio.gather(*(astep(number) for number in range(together)))
                for number in range(together, len(calls)):
                    await astep(number)

            return aflow

        @functional
        def step(number: int) -> None:
            Writer(self, place(number)).act(calls[number])

        @entrypoint()
        def flow(_: Any) -> None:
            for future in [step(number) for number in range(together)]:
                future.result()
            for number in range(together, len(calls)):
                step(number).result()

        return flow

    # -- playing -------------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Some runs, on one thread or on several, resumed until they end."""
        with self.clock():
            self._play()

    def _play(self) -> None:
        for run in range(self.rng.randint(1, 3)):
            config: Any = {
                "configurable": {"thread_id": self.rng.choice(["one", f"other{run}"])},
                "recursion_limit": 60,
            }
            given: Any = {"above": [[], f"run{run}"], "send": ""}
            for _ in range(300):
                if self.is_async:
                    result = asyncio.run(self.graph.ainvoke(given, config))
                else:
                    result = self.graph.invoke(given, config)
                pauses = result.get("__interrupt__", [])
                if not pauses:
                    break
                given = Command(resume={pause.id: "yes" for pause in pauses})
            else:
                raise AssertionError("it never ends")

    def check(self) -> None:
        value, truth = shown(self.store), self.truth
        expected = sorted(truth.parts.values())
        assert sorted(value.get("tags", [])) == expected
        assert sorted(value.get("steps", [])) == expected
        assert sorted(value.get("log", "").splitlines()) == expected
        assert value.get("votes", 0) == len(expected)
        live = sorted(set(truth.live.values()))
        if len(live) > 1:
            assert contenders(self.store) == live
        else:
            assert self.store.escalations() == [] and [value["status"]] == live if live else "status" not in value


def position(state: Any) -> tuple[Place, Any]:
    above, graph = state["above"]
    return tuple(tuple(level) for level in above), graph


def sender(target: str, sends: int) -> Callable[[Any], Any]:
    def route(state: Any) -> Any:
        return [Send(target, {"above": state["above"], "send": f"/{number}"}) for number in range(sends)]

    return route
