"""What became of writes: how many merged, how many were settled by policy, how many escalated."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping
from dataclasses import dataclass

from concordant.storage import Storage
from concordant.workspace.inbox import Inbox

__all__ = ["Stats", "statistics"]


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts over the journal and the inbox.

    Attributes:
        documents: how many there are, deleted ones included.
        writes: changes in the journal, by what sort of act they were.
        settled: conflicts that declared policies settled, by policy.
        escalations: how many there are, by state.
    """

    documents: int
    writes: Mapping[str, int]
    settled: Mapping[str, int]
    escalations: Mapping[str, int]


def statistics(storage: Storage, inbox: Inbox) -> Stats:
    """Counts what the journal and the inbox hold."""
    acts: Tally[str] = Tally()
    settled: Tally[str] = Tally()
    for row in storage.journal():
        acts[row.act] += 1
        settled.update(policy for _, policy in row.settled)
    states: Tally[str] = Tally(escalation.state for escalation in inbox.list((), "all"))
    return Stats(sum(1 for _ in storage.documents(())), dict(acts), dict(settled), dict(states))
