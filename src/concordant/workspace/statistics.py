"""What became of writes: how many merged, how many were settled by policy, how many escalated."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from concordant.storage import Storage

__all__ = ["Shares", "Stats", "statistics"]


class Shares(NamedTuple):
    """What became of the values that writes gave for a field, in the journal.

    Attributes:
        ordered: their writers had seen all there was.
        merged: they met what their writers had not seen, and both are in the value.
        agreed: both said the same.
        settled: a declared policy decided between them.
        escalated: somebody has, or had, to decide.
    """

    ordered: int = 0
    merged: int = 0
    agreed: int = 0
    settled: int = 0
    escalated: int = 0

    @property
    def met(self) -> int:
        """How many were concurrent with others."""
        return self.merged + self.agreed + self.settled + self.escalated

    @property
    def mergeable(self) -> float | None:
        """The share of those that needed nobody; ``None`` where none met."""
        return 1 - self.escalated / self.met if self.met else None


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts over the journal and the escalations.

    Attributes:
        documents: how many there are, deleted ones included.
        writes: changes in the journal, by what sort of act they were.
        settled: conflicts that declared policies settled, by policy.
        escalations: how many there are, by state.
        fields: by namespace and field what became of the values given (``Shares``).
    """

    documents: int
    writes: Mapping[str, int]
    settled: Mapping[str, int]
    escalations: Mapping[str, int]
    fields: Mapping[tuple[tuple[str, ...], str], Shares] = dataclasses.field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Returns the counts in their JSON form (docs/web.md)."""
        return {
            "documents": self.documents,
            "writes": dict(self.writes),
            "settled": dict(self.settled),
            "escalations": dict(self.escalations),
            "fields": [
                {"namespace": list(namespace), "field": name, **shares._asdict()}
                for (namespace, name), shares in self.fields.items()
            ],
            "total": self.total._asdict(),
        }

    @property
    def total(self) -> Shares:
        """All fields together: how much of what met could be merged."""
        return Shares(*(sum(column) for column in zip(*self.fields.values(), strict=True))) if self.fields else Shares()


def statistics(storage: Storage) -> Stats:
    """Counts what the storage holds."""
    totals = storage.totals()
    fields = {place: Shares(**outcomes) for place, outcomes in sorted(totals.fields.items())}
    return Stats(totals.documents, dict(totals.acts), dict(totals.settled), dict(totals.escalations), fields)
