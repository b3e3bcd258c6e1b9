"""What became of writes and questions over time, as numbers to plot and as CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from concordant.escalation import Escalation
from concordant.workspace import HistoryEntry, Workspace

__all__ = ["TABLES", "Table", "tables"]

MOST = 20_000
"""How many of the newest changes are looked at."""
OUTCOMES = ("merged", "agreed", "settled", "escalated")
AGENTS = 8


class Table(NamedTuple):
    """Numbers with their names.

    Attributes:
        kind: ``time`` (the first column is a day, the rest are lines) or ``bars`` (the first column is a name).
    """

    name: str
    title: str
    kind: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def csv(self) -> str:
        """The table as CSV; what a spreadsheet would run as a formula is quoted with an apostrophe."""
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(self.columns)
        writer.writerows([[_harmless(cell) for cell in row] for row in self.rows])
        return out.getvalue()


TABLES = ("outcomes", "fields", "open", "decided", "writes")


def tables(workspace: Workspace) -> dict[str, Table]:
    """All of them, by name."""
    changes: list[HistoryEntry] = []
    while len(changes) < MOST:
        page = workspace.log(before=changes[-1].version if changes else None, limit=1_000)
        changes += page
        if len(page) < 1_000:
            break
    questions = workspace.escalations(state="all")
    made = (_outcomes(changes), _fields(workspace), _open(questions), _decided(questions), _writes(changes))
    return {table.name: table for table in made}


def _day(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d")


def _outcomes(changes: Iterable[HistoryEntry]) -> Table:
    days: dict[str, Counter[str]] = {}
    for entry in changes:
        days.setdefault(_day(entry.at), Counter()).update(entry.met.values())
    rows = [[day, *(counts[name] for name in OUTCOMES)] for day, counts in sorted(days.items())]
    return Table("outcomes", "What became of values that met others, by day", "time", ["day", *OUTCOMES], rows)


def _fields(workspace: Workspace) -> Table:
    rows = [
        ["/".join(namespace), name, *(getattr(shares, outcome) for outcome in OUTCOMES), shares.mergeable]
        for (namespace, name), shares in workspace.stats().fields.items()
        if shares.met
    ]
    rows.sort(key=lambda row: (-row[5], row[0], row[1]))
    rows = [[*row[:6], "" if row[6] is None else round(row[6], 4)] for row in rows]
    columns = ["namespace", "field", *OUTCOMES, "share that needed nobody"]
    return Table("fields", "By namespace and field", "table", columns, rows)


_BINS: Mapping[str, float] = {
    "< 1 min": 60,
    "< 1 h": 3_600,
    "< 1 day": 86_400,
    "< 1 week": 7 * 86_400,
    "longer": float("inf"),
}


def _binned(seconds: Iterable[float]) -> list[list[Any]]:
    counts = Counter(next(name for name, most in _BINS.items() if one < most) for one in seconds)
    return [[name, counts[name]] for name in _BINS]


def _open(questions: Iterable[Escalation]) -> Table:
    now = datetime.now(UTC)
    ages = [(now - one.opened_at).total_seconds() for one in questions if one.closed_at is None and _is_open(one)]
    return Table("open", "Age of open questions", "bars", ["age", "questions"], _binned(ages))


def _decided(questions: Iterable[Escalation]) -> Table:
    times = [(one.closed_at - one.opened_at).total_seconds() for one in questions if one.closed_at is not None]
    return Table("decided", "Time until questions were settled", "bars", ["time", "questions"], _binned(times))


def _is_open(question: Escalation) -> bool:
    return question.state in ("open", "claimed")


def _writes(changes: Sequence[HistoryEntry]) -> Table:
    names = [name for name, _ in Counter(entry.agent for entry in changes).most_common(AGENTS)]
    days: dict[str, Counter[str]] = {}
    for entry in changes:
        days.setdefault(_day(entry.at), Counter())[entry.agent if entry.agent in names else "others"] += 1
    columns = names + (["others"] if any(counts["others"] for counts in days.values()) else [])
    rows = [[day, *(counts[name] for name in columns)] for day, counts in sorted(days.items())]
    return Table("writes", "Writes by agent and day", "time", ["day", *columns], rows)


def _harmless(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
