"""What became of a workload under one way of sharing state or another: lost, doubled, alarmed, and at what cost."""

from concordant.bench.judge import Verdict, judge
from concordant.bench.outcome import Outcome
from concordant.bench.running import Costs, Session, play
from concordant.bench.strategies import STRATEGIES, Strategy
from concordant.bench.truth import Fact, Truth, truth_of
from concordant.bench.workload import Task, Workload, WorkloadError, dump, load

__all__ = [
    "STRATEGIES",
    "Costs",
    "Fact",
    "Outcome",
    "Session",
    "Strategy",
    "Task",
    "Truth",
    "Verdict",
    "Workload",
    "WorkloadError",
    "dump",
    "judge",
    "load",
    "play",
    "truth_of",
]
