"""Plays every workload under every strategy."""

from __future__ import annotations

import tracemalloc
from typing import Any, NamedTuple

from concordant.bench import Costs, Strategy, Verdict, Workload, judge, play, truth_of

__all__ = ["GROUP", "OURS", "STOCK", "Played", "played"]

GROUP = "fleet"
OURS = "Concordant"
STOCK = "InMemoryStore: last write wins"


class Played(NamedTuple):
    """What became of a workload under a strategy, and what it cost.

    Attributes:
        peak: the most that Python held beyond what was there before, in kB, in a play of its own; none for rivals.
        p50, p95, p99: of the store's calls, in milliseconds.
        seconds: with the agents' thinking (a sleep for a model call); ``bare``: without.
        error: why it could not be played to the end.
    """

    group: str
    workload: str
    strategy: str
    verdict: Verdict
    model_calls: int
    retries: int
    p50: float
    p95: float
    p99: float
    seconds: float
    bare: float
    peak: float | None
    error: str = ""

    @property
    def name(self) -> str:
        """Both together."""
        return f"{self.workload}: {self.strategy}"

    @property
    def ours(self) -> bool:
        """Whether this is Concordant."""
        return self.strategy.startswith(OURS)

    @property
    def met(self) -> bool:
        """Nothing lost or corrupted, no alarm false or missed, nobody without a name."""
        v = self.verdict
        return not self.error and v.right and v.attributed == v.kept + v.escalated


def played(workload: Workload, strategy: Strategy, *, watched: bool = True) -> Played:
    """Plays a workload three times, on fresh stores: with thinking, without, and (``watched``) for its memory."""
    costs, bare = Costs(), Costs(thinking=False)
    try:
        outcome = play(workload, strategy.open(workload), costs)
        play(workload, strategy.open(workload), bare)
        peak = _peak(workload, strategy) if watched else None
    except Exception as error:
        return failed(workload.name, strategy.name, error)
    verdict = judge(truth_of(workload), outcome, serial=strategy.serial)
    return report(workload.name, strategy.name, verdict, costs, bare, peak)


def failed(workload: str, strategy: str, error: Exception) -> Played:
    """A strategy that does not bear a workload."""
    told = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    return Played(GROUP, workload, strategy, Verdict(), 0, 0, 0, 0, 0, 0, 0, 0, told)


def _peak(workload: Workload, strategy: Strategy) -> float:
    tracemalloc.start()
    try:
        play(workload, strategy.open(workload), Costs(thinking=False))
        return tracemalloc.get_traced_memory()[1] / 1e3
    finally:
        tracemalloc.stop()


def report(workload: str, strategy: str, verdict: Verdict, costs: Any, bare: Any, peak: float | None) -> Played:
    """What was measured."""
    quantiles = [1000 * bare.quantile(share) for share in (0.5, 0.95, 0.99)]
    counts = (costs.model_calls, costs.retries)
    return Played(GROUP, workload, strategy, verdict, *counts, *quantiles, costs.seconds, bare.seconds, peak)
