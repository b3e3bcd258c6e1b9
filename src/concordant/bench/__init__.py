"""Workloads of teams: played by several strategies, judged by an exact model of what must be there."""

from concordant.bench.judge import Outcome, judge
from concordant.bench.stage import Stage, Trace, play
from concordant.bench.steps import DELETION, Alarm, Call, Credits, Steps, Strategy, Think, Together
from concordant.bench.strategies import Concordant, LastWriteWins, Locking, Optimistic
from concordant.bench.workload import Change, FieldKind, Task, Workload, WorkloadError, changed, contributed, dump, load

__all__ = [
    "DELETION",
    "Alarm",
    "Call",
    "Change",
    "Concordant",
    "Credits",
    "FieldKind",
    "LastWriteWins",
    "Locking",
    "Optimistic",
    "Outcome",
    "Stage",
    "Steps",
    "Strategy",
    "Task",
    "Think",
    "Together",
    "Trace",
    "Workload",
    "WorkloadError",
    "changed",
    "contributed",
    "dump",
    "judge",
    "load",
    "play",
]
