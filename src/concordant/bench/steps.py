"""What a strategy is: it plays a task step by step, and tells afterwards what it holds.

A strategy's ``perform`` is a generator, so that one text serves threads, coroutines and graphs: whoever drives it makes
the calls, waits where the task thinks, and keeps the time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from concordant.bench.workload import Task

__all__ = ["DELETION", "Alarm", "Call", "Credits", "Steps", "Strategy", "Think", "Together"]

DELETION = "\x00deleted"
"""A contender that deletes."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the store; ``yield`` gives its result.

    Attributes:
        act: ``read`` and ``write`` are of a document, ``lock`` may wait for long.
        run: makes the call.
        arun: makes it in an event loop, if the store can do that.
        shows: the document in the result of a read, if that is not all of it.
    """

    act: str
    doc: str
    run: Callable[[], Any]
    arun: Callable[[], Any] | None = None
    shows: Callable[[Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Think:
    """A call of the model, simulated: the task's time to think passes.

    Attributes:
        again: it thinks anew about what it has thought about before.
    """

    again: bool = False


@dataclass(frozen=True, slots=True)
class Together:
    """Everybody in the round has read before anybody goes on: what is written now is concurrent."""


Steps: TypeAlias = Generator[Call | Think | Together, Any, None]
Credits: TypeAlias = Mapping[tuple[str, ...], Sequence[tuple[Any, tuple[str, ...]]]]
"""By path: values, and the agents that stand for them."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A conflict that somebody was told of, open or closed, with the values that it keeps."""

    doc: str
    path: tuple[str, ...]
    contenders: tuple[Any, ...]
    open: bool = True


class Strategy(Protocol):
    """A way to share documents among agents."""

    name: str

    def begin_round(self) -> None:
        """The tasks of a round begin."""

    def perform(self, task: Task, execution: int) -> Steps:
        """Plays a task; ``execution`` counts from 0, more than one of them is a retry."""

    def value(self, doc: str) -> dict[str, Any] | None:
        """What a reader gets."""

    def alarms(self) -> list[Alarm]:
        """All conflicts that it has ever told of."""

    def settled(self, doc: str) -> set[tuple[str, ...]]:
        """The paths at which a declared policy has decided, and a journal says so."""

    def credits(self, doc: str) -> Credits | None:
        """Who wrote what; ``None`` where it does not know."""

    def close(self) -> None:
        """Releases what it holds."""
