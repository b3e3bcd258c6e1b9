"""What became of writes: how many merged, how many were settled by policy, how many escalated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from concordant.storage import Storage

__all__ = ["Stats", "statistics"]


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts over the journal and the escalations.

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


def statistics(storage: Storage) -> Stats:
    """Counts what the storage holds."""
    totals = storage.totals()
    return Stats(totals.documents, dict(totals.acts), dict(totals.settled), dict(totals.escalations))
