"""How everything here is timed: interleaved rounds, medians, and garbage collection under control.

This module imports neither Concordant nor a framework, so that a peer's own environment can use it too.
"""

from __future__ import annotations

import gc
import math
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from time import monotonic, perf_counter_ns
from typing import Any

__all__ = ["Note", "Patience", "Row", "Sample", "collecting", "each", "interleaved", "machine", "once"]

Batch = Callable[[], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report: a measured value, what it is held against, and its budget.

    Attributes:
        group: the table it stands in.
        name: what was measured.
        ours: the measured value, in ``unit``.
        peer: the value it is held against, in the same unit, from the same run.
        against: what that is.
        budget: the most that ``ours / peer`` may be, or with ``absolute`` the most that ``ours`` may be.
        complete: whether the row was measured at its full size; if not, no budget counts as kept.
    """

    group: str
    name: str
    ours: float
    against: str = ""
    peer: float | None = None
    unit: str = "µs"
    budget: float | None = None
    absolute: bool = False
    note: str = ""
    complete: bool = True

    @property
    def ratio(self) -> float | None:
        """The value over its peer's; none where there is no peer, or nothing to divide by."""
        if self.peer is None or self.peer == 0:
            return None
        return self.ours / self.peer

    @property
    def met(self) -> bool | None:
        """Whether the budget is kept; none where there is no budget."""
        if self.budget is None:
            return None
        measured = self.ours if self.absolute else self.ratio
        return self.complete and measured is not None and measured <= self.budget


@dataclass(frozen=True, slots=True)
class Note:
    """A line under a table: why a row is missing, for example."""

    group: str
    text: str


@dataclass(slots=True)
class Sample:
    """The times of one subject's calls, in microseconds."""

    times: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return median(self.times)

    @property
    def mean(self) -> float:
        return fmean(self.times)

    def quantile(self, share: float) -> float:
        """The time that ``share`` of all calls stay below or at."""
        ordered = sorted(self.times)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class Patience:
    """A limit on preparations that grow with what they prepare: a row that hits it says how far it came."""

    def __init__(self, seconds: float = 20) -> None:
        self._end = monotonic() + seconds

    def left(self) -> bool:
        """Whether there is time left."""
        return monotonic() < self._end

    def note(self, reached: int, wanted: int, what: str = "puts") -> str:
        """What the row has to say about it."""
        return (
            ""
            if reached >= wanted
            else f"preparing took too long, so {reached:,} of {wanted:,} {what} were made and the budget is not met"
        )


@contextmanager
def collecting(on: bool) -> Iterator[None]:
    """Switches the garbage collector on or off inside the ``with``, after a full collection."""
    before = gc.isenabled()
    gc.collect()
    (gc.enable if on else gc.disable)()
    try:
        yield
    finally:
        (gc.enable if before else gc.disable)()


def each(call: Callable[..., Any], arguments: Iterable[tuple[Any, ...]]) -> list[float]:
    """Times each call by itself, in microseconds."""
    times = []
    for args in arguments:
        start = perf_counter_ns()
        call(*args)
        times.append((perf_counter_ns() - start) / 1e3)
    return times


def once(call: Callable[..., Any], *args: Any) -> float:
    """Times one call, in microseconds."""
    start = perf_counter_ns()
    call(*args)
    return (perf_counter_ns() - start) / 1e3


def interleaved(
    subjects: Mapping[str, Batch], rounds: int, *, gc_on: bool = False, warm: bool = True
) -> dict[str, Sample]:
    """Runs each subject's batch once a round, in an order that rotates, so that noise meets all of them alike.

    Args:
        subjects: by name, a function that runs a batch and returns the times of its calls.
        rounds: how many rounds count.
        gc_on: leave the garbage collector on while the batches run.
        warm: run one round first that does not count.
    """
    names = list(subjects)
    samples = {name: Sample() for name in names}
    for number in range(-1 if warm else 0, rounds):
        turn = number % len(names)
        with collecting(gc_on):
            for name in names[turn:] + names[:turn]:
                times = subjects[name]()
                if number >= 0:
                    samples[name].times.extend(times)
    return samples


def machine() -> str:
    """The processor, the number of cores and the Python that measured."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        named = [line for line in info.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        if named:
            model = f"{named[0].split(':', 1)[1].strip()}, {len(named)} cores"
    return f"{model}; {platform.python_implementation()} {platform.python_version()}; {platform.system()}"
