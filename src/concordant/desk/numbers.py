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
        """Returns the table as CSV; what a spreadsheet would run as a formula is quoted with an apostrophe."""
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow([_harmless(name) for name in self.columns])
        writer.writerows([[_harmless(cell) for cell in row] for row in self.rows])
        return out.getvalue()


Of = tuple[tuple[str, ...], str]
"""A namespace and a field in it."""
TABLES = ("outcomes", "shares", "fields", "open", "decided", "writes")


def tables(workspace: Workspace, of: Of | None = None) -> dict[str, Table]:
    """Returns all of them, by name.

    Args:
        of: only of this field, as far as they are of fields.
    """
    changes: list[HistoryEntry] = []
    while len(changes) < MOST:
        page = workspace.log(before=changes[-1].version if changes else None, limit=1_000)
        changes += page
        if len(page) < 1_000:
            break
    questions = workspace.escalations(state="all")
    met = _met(changes, of)
    made = (_outcomes(met), _shares(met), _fields(workspace), _open(questions), _decided(questions), _writes(changes))
    return {table.name: table for table in made}


def _day(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d")


def _met(changes: Iterable[HistoryEntry], of: Of | None) -> list[tuple[str, Counter[str]]]:
    """What became of the values of each day that met others."""
    days: dict[str, Counter[str]] = {}
    for entry in changes:
        if of is None:
            days.setdefault(_day(entry.at), Counter()).update(entry.met.values())
        elif entry.namespace == of[0] and of[1] in entry.met:
            days.setdefault(_day(entry.at), Counter())[entry.met[of[1]]] += 1
    return sorted(days.items())


def _outcomes(met: Iterable[tuple[str, Counter[str]]]) -> Table:
    rows = [[day, *(counts[name] for name in OUTCOMES)] for day, counts in met]
    return Table("outcomes", "What became of values that met others, by day", "time", ["day", *OUTCOMES], rows)


def _shares(met: Iterable[tuple[str, Counter[str]]]) -> Table:
    rows = [
        [day, *(round(100 * counts[name] / counts.total(), 1) for name in OUTCOMES)]
        for day, counts in met
        if counts.total()
    ]
    return Table("shares", "The same as shares, in %", "time", ["day", *OUTCOMES], rows)


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
