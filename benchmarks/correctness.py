"""Writes lost, false alarms and missed alarms, here and on LangGraph's own store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.subjects import Sizes, merge_store, stock_store
from benchmarks.workloads import Tally, Workload, all_workloads, judge

__all__ = ["Outcome", "rows"]

GROUP = "correctness"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a workload, on ours and on the stock store.

    Attributes:
        contributions: how many were made, over all trials.
        telling: whether the stock store lost something, as it must where writes are concurrent; a workload on which
            it did not would show nothing.
    """

    group: str
    name: str
    contributions: int
    ours: Tally
    stock: Tally
    telling: bool

    @property
    def met(self) -> bool:
        """Nothing lost, no false alarm, no missed one."""
        return self.ours == Tally()


def rows(sizes: Sizes) -> Iterator[Outcome]:
    """Every workload, several times, on fresh stores in turn."""
    for workload in all_workloads():
        yield outcome(workload, sizes.trials)


def outcome(workload: Workload, trials: int) -> Outcome:
    """Runs one workload on both stores."""
    ours = stock = Tally()
    for _ in range(trials):
        mine, theirs = merge_store(), stock_store()
        workload.play(mine)
        workload.play(theirs)
        ours += judge(workload, mine)
        stock += judge(workload, theirs)
    telling = stock.lost > 0 if workload.concurrent else stock == Tally()
    return Outcome(GROUP, workload.name, trials * len(workload.contributions), ours, stock, telling)
