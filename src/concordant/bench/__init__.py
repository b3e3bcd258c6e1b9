"""What became of a workload under one way of sharing state or another: lost, doubled, alarmed, and at what cost."""

from concordant.bench.judge import Verdict, judge
from concordant.bench.merges import OUTCOMES, PROSE, STRUCTURE, Tally, play_merges
from concordant.bench.outcome import Outcome
from concordant.bench.repository import ConcurrentEdit, RepositoryError, concurrent_edits
from concordant.bench.running import Costs, Session, play
from concordant.bench.strategies import STRATEGIES, Strategy
from concordant.bench.truth import Fact, Truth, truth_of
from concordant.bench.workload import Task, Workload, WorkloadError, dump, load

__all__ = [
    "OUTCOMES",
    "PROSE",
    "STRATEGIES",
    "STRUCTURE",
    "ConcurrentEdit",
    "Costs",
    "Fact",
    "Outcome",
    "RepositoryError",
    "Session",
    "Strategy",
    "Tally",
    "Task",
    "Truth",
    "Verdict",
    "Workload",
    "WorkloadError",
    "concurrent_edits",
    "dump",
    "judge",
    "load",
    "play",
    "play_merges",
    "truth_of",
]
