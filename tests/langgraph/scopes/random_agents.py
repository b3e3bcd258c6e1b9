"""Random agents with tools for the random graphs: what each was shown is known from how it is built."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain.agents import create_agent
from langchain.agents.middleware import ToolRetryMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.errors import GraphInterrupt
from langgraph.types import interrupt

from concordant_langgraph import memory_tools

from .support import AT, NS, Brief

if TYPE_CHECKING:
    from .random_graphs import Place, Put, World


class Call(NamedTuple):
    """What a tool call does ("read", "update", "sub": lets a sub-agent work), whether it decides, how often it fails
    when all is done, and when it waits for somebody ("before", "after", "": never)."""

    kind: str
    decides: bool
    fails: int = 0
    waits: str = ""


class Turns(BaseChatModel):
    """A model that makes its calls turn by turn; before each turn something may happen elsewhere."""

    turns: list[list[int]]
    before: Callable[[int], None]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        done = sum(message.type == "ai" for message in messages)
        if done >= len(self.turns):
            return ChatResult(generations=[ChatGeneration(message=AIMessage("done"))])
        self.before(done)
        calls = [{"name": "work", "args": {"number": n}, "id": f"c{n}", "type": "tool_call"} for n in self.turns[done]]
        return ChatResult(generations=[ChatGeneration(message=AIMessage("", tool_calls=calls))])


@dataclass
class Shown:
    """What one run of an agent was shown of the decision: in which turn, and which puts stood then."""

    by_turn: dict[int, set[Put]] = field(default_factory=dict)

    def before(self, turn: int) -> set[Put] | None:
        """What it was shown last in an earlier turn; ``None``: nothing."""
        turns = [earlier for earlier in self.by_turn if earlier < turn]
        return self.by_turn[max(turns)] if turns else None


class RandomAgent:
    """An agent by script: its turns, the strangers that write between them, the sub-agents that it lets work."""

    def __init__(self, world: World, rng: random.Random, depth: int, *, pauses: bool) -> None:
        self.world = world
        self.turns: list[list[Call]] = []
        for _ in range(rng.randint(1, 4)):
            kinds = ["read", "update", "update", "sub"] if depth < 1 else ["read", "update", "update"]
            self.turns.append([self._some(rng, kinds, pauses) for _ in range(rng.randint(1, 2))])
        self.strangers = [world.strange and rng.random() < 0.5 for _ in self.turns]
        if world.strange:
            self.turns[0] = [Call("read", False)]
        self.subs = {
            (turn, place): RandomAgent(world, rng, depth + 1, pauses=pauses)
            for turn, calls in enumerate(self.turns)
            for place, call in enumerate(calls)
            if call.kind == "sub"
        }

    def _some(self, rng: random.Random, kinds: list[str], pauses: bool) -> Call:
        kind, decides = rng.choice(kinds), rng.random() < 0.7
        # Which graphs a call has invoked is lost count of where it is resumed, then retried (docs/langgraph.md).
        fails = rng.choice([0, 0, 0, 1, 2]) if kind == "update" or (kind == "sub" and not pauses) else 0
        waits = rng.choice(["", "", "", "before", "after"]) if pauses and kind == "update" else ""
        self.world.kinds |= {"retried tool"} if fails else set()
        self.world.kinds |= {"interrupted tool"} if waits else set()
        return Call(kind, decides, fails, waits)

    def runnable(self, above: Place, graph: str) -> Any:
        """One run of it: ``above`` is the place of whoever runs it, ``graph`` tells its runs there apart."""
        run, numbers = Run.of(self, above, graph), count()
        places = {next(numbers): (turn, place) for turn, calls in enumerate(self.turns) for place in range(len(calls))}

        @tool
        def work(number: int) -> str:
            """Works."""
            return run.call(*places[number])

        turns = [[n for n, (turn, _) in places.items() if turn == wanted] for wanted in range(len(self.turns))]
        again = ToolRetryMiddleware(max_retries=2, retry_on=(ConnectionError,), initial_delay=0, jitter=False)
        return create_agent(Turns(turns=turns, before=run.begins), [work], middleware=[again])


class Run:
    """One run of an agent: carries out its calls, and tells the truth about them."""

    def __init__(self, agent: RandomAgent, above: Place, graph: str) -> None:
        self.agent, self.world, self.above, self.graph = agent, agent.world, above, graph
        self.shown = Shown()
        self.number = next(self.world.executions.setdefault((*above, (graph,)), count()))
        self.paused = False
        self.tries: dict[Place, int] = {}
        self.read, self.update, *_ = memory_tools(self.world.store, Brief, NS, key=AT[1])

    @classmethod
    def of(cls, agent: RandomAgent, above: Place, graph: str) -> Run:
        """The run that waits there and is resumed, or a new one."""
        known = agent.world.runs.get((*above, (graph,)))
        if known is None or not known.paused:
            known = agent.world.runs[*above, (graph,)] = cls(agent, above, graph)
        known.paused = False
        return known

    def place(self, turn: int, number: int) -> Place:
        return (*self.above, (self.graph, turn, f"call{number}", 0, f"t{number}"))

    def begins(self, turn: int) -> None:
        """Before a turn is decided, a stranger may write, who has seen all that is there."""
        if self.agent.strangers[turn]:
            thread = threading.Thread(target=self.world.stranger)
            thread.start()
            thread.join()

    def call(self, turn: int, number: int) -> str:
        call, place = self.agent.turns[turn][number], self.place(turn, number)
        tried = self.tries.get(place, 0)
        try:
            if call.kind == "sub":
                self.agent.subs[turn, number].runnable(place, "sub").invoke({"messages": [("user", "go")]})
                self.tries[place] = tried + 1
            else:
                self.work(call, turn, place, tried)
        except GraphInterrupt:
            self.paused = True
            raise
        if tried < call.fails:
            raise ConnectionError(str(place))
        return "done"

    def work(self, call: Call, turn: int, place: Place, tried: int) -> None:
        if call.waits == "before":
            interrupt("now?")
        self.tries[place] = tried + 1
        with self.world.truth.lock:  # one at a time, so that the truth knows their order
            if call.kind == "read":
                self.read.func()  # type: ignore[attr-defined]
                self.shown.by_turn[turn] = set(self.world.truth.live)
            else:
                self.change(turn, place, call.decides, tried)
        if call.waits == "after":
            interrupt("well?")

    def change(self, turn: int, place: Place, decides: bool, tried: int) -> None:
        world, truth = self.world, self.world.truth
        name = f"{world.name_of(place)}.0"
        execution = (self.number, tried)
        part = f"{name}.{self.number}.{tried}"  # another execution writes something else
        given = {"tags": [part], "steps": [part], "votes": 1, "log": part}
        shown = self.shown.before(turn)

        def knows(put: Put) -> bool | None:
            """What the agent has seen of a put beyond what its call has (``None``: that is for the call to say)."""
            theirs = put[0]
            above = theirs[: len(place) - 1]
            mine = above == place[:-1] and len(theirs) >= len(place) and theirs[len(place) - 1][0] == self.graph
            if mine and len(theirs) == len(place) and theirs[-1][1] == turn:
                return True  # the calls of one message have one author
            if shown is None or mine or theirs == place[: len(theirs)]:
                return True if shown is not None and put in shown else None
            return put in shown

        if decides:
            given["status"] = name
        truth.put(place, 0, part, name if decides else None, execution, knows)
        answer = self.update.func(**given)  # type: ignore[attr-defined]
        assert answer.startswith("Written")
        if decides:
            self.shown.by_turn[turn] = set(truth.live)
