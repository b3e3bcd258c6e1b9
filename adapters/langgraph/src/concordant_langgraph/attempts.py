"""What a task is known by when it is executed again.

LangGraph keeps a task's id over its own retries, resumes and crashes. What a retried node holds gets new ids: a
sub-graph that is run anew makes new supersteps, and the calls of sub-graphs and `@task`s are counted on over the
attempts. So a task inside another is known by that other one and its place in the present attempt of it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

from concordant.spi import Instant, free_in_child
from concordant_langgraph.calls import call
from concordant_langgraph.lineage import Level, Segment, called_after, segments
from concordant_langgraph.toolcalls import ToolCall, tool_call_of

__all__ = [
    "Invocation",
    "attempt_begins",
    "first_begun",
    "graph_goes_on",
    "invocation_of",
    "is_call",
    "known_as",
    "settled",
    "superstep_began",
    "turn_of",
]

_MOST = 20_000


@dataclass(slots=True)
class Invocation:
    """One run of a graph, resumed ones included: the run of the agent that the graph is.

    Attributes:
        began: when its first task began here.
        first: the number of the superstep of that.
        begun: of each superstep, by its number, when the first of its tasks began here, in whatever attempt.
        steps: of an outermost graph, the supersteps that it is known to have made.
    """

    began: Instant
    first: object = None
    begun: dict[object, Instant] = field(default_factory=dict)
    key: str = field(default_factory=lambda: uuid4().hex)
    steps: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Graphs:
    """The graphs that one tool call invokes: their places, as its first execution had them, and how many of them the
    present one (of this attempt of the task, and of the call) has come to."""

    execution: tuple[int, int] = (0, 0)
    places: list[str] = field(default_factory=list)
    come: int = 0


class _Known:
    """A task that has been executed in this process: its place below the outermost graph, and its calls so far.

    ``calls_before`` and ``tasks_before`` are those of earlier attempts; LangGraph begins to count anew where the
    graph is run anew (``run``). ``calls_again`` are those of the present attempt that a tool call makes once more.
    ``places_of_calls`` are by LangGraph's number, ``by_tools`` by the tool call that makes them. ``turn`` is the place
    of the attempt among all that happened in this process, ``began`` the instant of the first one in that run.
    ``step`` is the number of its superstep.
    """

    calls = tasks = calls_before = tasks_before = calls_again = 0

    def __init__(
        self,
        identity: str,
        places: tuple[Level, ...],
        run: UUID | None,
        invocation: Invocation,
        began: Instant,
        step: object,
    ) -> None:
        self.identity = identity
        self.places = places
        self.run = run
        self.invocation = invocation
        self.began = began
        self.turn = began.tick
        self.step = step
        self.places_of_calls: dict[int, str] = {}
        self.by_tools: dict[str, _Graphs] = {}

    def tries_again(self, turn: int) -> None:
        """Another attempt begins."""
        self.calls_before, self.tasks_before, self.calls_again = self.calls, self.tasks, 0
        self.turn = turn

    def place_of_call(self, number: int, by: ToolCall | None) -> str:
        """The place of the graph that the task's so-maniest call invokes."""
        self.calls = max(self.calls, number + 1)
        place = self.places_of_calls.get(number)
        if place is None:
            place = str(number - self.calls_before - self.calls_again)
            if by is not None:
                place = self._place_by(by, place)
            self.places_of_calls[number] = place
        return place

    def _place_by(self, by: ToolCall, place: str) -> str:
        """The place where a tool call makes its next call: that of an earlier execution of it, if there was one."""
        made = self.by_tools.setdefault(by.id, _Graphs())
        if made.execution != (self.turn, by.attempt):
            made.execution, made.come = (self.turn, by.attempt), 0
        if made.come < len(made.places):
            place = made.places[made.come]
            self.calls_again += by.attempt > 0
        else:
            made.places.append(place)
        made.come += 1
        return place


_known: dict[str, _Known] = {}  # by checkpoint_ns
_invocations: dict[UUID | None, Invocation] = {}  # by run
_lock = free_in_child(threading.Lock())


def known_as(checkpoint_ns: str) -> tuple[str, Invocation | None]:
    """Returns the identity of a task that is under way, and the run of the graph that it is in; ``""`` and None where
    its beginning was not noted."""
    known = _known.get(checkpoint_ns)
    return (known.identity, known.invocation) if known is not None else ("", None)


def invocation_of(checkpoint_ns: str) -> Invocation | None:
    """Returns the run of the graph that a task is in; None where its beginning was not noted."""
    known = _known.get(checkpoint_ns)
    return known.invocation if known is not None else None


def first_begun(checkpoint_ns: str) -> Instant | None:
    """Tells when a task began its first attempt in the run of its graph; None where that was not noted."""
    known = _known.get(checkpoint_ns)
    return known.began if known is not None else None


def superstep_began(checkpoint_ns: str, whole: bool) -> Instant | None:
    """Returns an instant that no task of a superstep began before, whenever and wherever they were executed: that at
    which the first of them began here, if the run of their graph has come to the superstep since it began here;
    ``None`` where that is not known.

    Args:
        checkpoint_ns: of one of those tasks.
        whole: whether the run is known to have begun here with its first superstep.
    """
    known = _known.get(checkpoint_ns)
    if known is None:
        return None
    step, run = known.step, known.invocation
    if not whole and not (isinstance(step, int) and isinstance(run.first, int) and step > run.first):
        return None
    return run.begun.get(step)


def turn_of(checkpoint_ns: str) -> int:
    """Returns the place of a task's present attempt among all that happened in this process; 0 where it was not
    noted."""
    known = _known.get(checkpoint_ns)
    return known.turn if known is not None else 0


def settled(checkpoint_ns: str, levels: list[Level]) -> list[Level]:
    """Returns the levels of a task with places for ids, below the outermost graph: the same in every attempt of what is
    around.

    So tasks that stand side by side are concurrent also where one of them wrote in an earlier attempt only.
    """
    known = _known.get(checkpoint_ns)
    if known is None or len(known.places) != len(levels) - 1:
        return levels
    found = levels[:1]
    for place in known.places:
        found.append(place if place.step else place._replace(step=found[-1].step))
    return found


def attempt_begins(checkpoint_ns: str, run: UUID | None, step: object, path: Any, now: Instant) -> None:
    """Notes that a task begins an attempt.

    Args:
        run: identifies the run of the graph that the task is in.
        step: the number of its superstep.
        path: LangGraph's path of the task: which node, `Send` or call of a `@task` it is.
    """
    segment = segments(checkpoint_ns)[-1]
    with _lock:
        before = _known.pop(checkpoint_ns, None)
        if before is not None and before.run == run:
            before.tries_again(now.tick)
            _known[checkpoint_ns] = before
        else:
            caller = _known.get(segment.caller) if segment.graph and is_call(path) else None
            if caller is not None:
                invocation = caller.invocation  # a `@task` works for the agent that calls it
            else:
                invocation = _gone_on_with(run, before, now, step)
                invocation.begun.setdefault(step, now)
            _known[checkpoint_ns] = _Known(*_identity(segment, step, path), run, invocation, now, step)
        if len(_known) > _MOST:
            del _known[next(iter(_known))]
        if len(_invocations) > _MOST:
            del _invocations[next(iter(_invocations))]


def graph_goes_on(checkpoint_ns: str) -> None:
    """Notes that a graph is taken from a checkpoint: perhaps nothing of it is left to be executed, and it is a call of
    the task that invokes it all the same.

    Args:
        checkpoint_ns: of the graph.
    """
    caller, _, call = checkpoint_ns.rpartition("|")
    if not call.isdecimal():
        caller, call = checkpoint_ns, "0"
    with _lock:
        known = _known.get(caller)
        if known is not None:
            known.place_of_call(int(call), tool_call_of(caller))


def _gone_on_with(run: UUID | None, before: _Known | None, now: Instant, step: object) -> Invocation:
    """What a run of a graph is known as. A task keeps its id over interrupts and crashes: a run with it goes on with
    the one that had it."""
    known = _invocations.get(run)
    if known is None:
        known = _invocations[run] = before.invocation if before is not None else Invocation(now, step)
    return known


def _identity(segment: Segment, step: object, path: Any) -> tuple[str, tuple[Level, ...]]:
    caller = _known.get(segment.caller) if segment.graph else None
    if caller is None:
        return segment.task, ()
    if is_call(path):
        number, made = path[2], call.get()
        caller.tasks = max(caller.tasks, number + 1)
        number, after = number - caller.tasks_before, ""
        if made is not None and made.caller == segment.caller:  # counts also calls whose results LangGraph still had
            number, after = made.number, made.after
        place = Level("", called_after(after), f"@{number}.{segment.node}")
    else:
        call_place = caller.place_of_call(int(segment.call or 0), tool_call_of(segment.caller))
        place = Level(call_place, str(step), f"{_numbers(path)}.{segment.node}")
    name = f"{place.call}.{place.step}.{quote(place.task, safe='@.')}"
    return f"{caller.identity}/{name}", (*caller.places, place)


def is_call(path: Any) -> bool:
    """Tells whether LangGraph's path is that of a `@task`."""
    return isinstance(path, tuple) and len(path) > 2 and path[-1] is True and isinstance(path[2], int)


def _numbers(path: Any) -> str:
    """The place of a `Send` among those of its superstep; of a node, which is there once, nothing."""
    return ",".join(str(part) for part in path if type(part) is int) if isinstance(path, tuple) else ""
