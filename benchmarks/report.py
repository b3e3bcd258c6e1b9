"""The report: tables in the terminal as groups finish, and the same as a document."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rich.console import Console
from rich.table import Table

from benchmarks.correctness import Outcome
from benchmarks.measure import Note, Row, machine
from benchmarks.workloads import Tally

__all__ = ["GROUPS", "Finding", "document", "show", "verdict"]

Finding = Row | Outcome | Note

GROUPS = {
    "speed": "One put, one write, one get. Times are medians of single calls, in real LangGraph nodes unless the row "
    "says otherwise. The first put of a node also reads who is writing from LangGraph's context; the other rows are "
    "the puts after it. Puts put merging off until somebody writes beside them, or a read cannot tell without.",
    "growth": "What a long history on one key costs the next put to it. A median of single puts does not show work "
    "that is put off and done every so many puts: the mean of 100 in a row does.",
    "texts": "Large texts. Both replicas of the edited one must agree and hold every edit, or the run fails.",
    "memory": "Bytes per key by tracemalloc, the journal (its newest 10,000 changes) included.",
    "crowds": "Many threads, and many documents.",
    "databases": "Stores in databases: commits wait for the disk on both sides, in one server, or in files side by "
    "side. A put on a key that is there merges, and keeps what was before in the journal; the peer overwrites.",
    "correctness": "What became of the contributions, over all trials: those lost or doubled, escalations "
    "without need, conflicts that nobody was told of. Where nothing is concurrent, neither store loses any.",
    "CrewAI": "CrewAI's memory storage (LanceDB), and ours over it with the records in a SQLite file, whose writes "
    "wait for the disk, as LanceDB's do not. A tool call is what an agent's call in a crew's task spends in our tool.",
    "agentsync 0.1.0": "The published LangGraph merge store (PyPI: extodan-agentsync), in an environment of its own "
    "with the same versions of LangGraph and Loro, and its peer in the same process. It guesses how a field merges "
    "from its name and shape. The last column is what this run gave for Concordant.",
}
SPEED_HEAD = ("row", "Concordant", "unit", "against", "", "ratio", "budget", "met")
OUTCOME_HEAD = (
    "workload",
    "contributions",
    "Concordant: lost",
    "false",
    "missed",
    "InMemoryStore: lost",
    "false",
    "missed",
)
PEER_HEAD = ("row", "agentsync", "unit", "against", "", "ratio", "Concordant's ratio")


def verdict(findings: Sequence[Finding]) -> str:
    """How many budgets were kept, and how much was lost."""
    budgets = [row.met for row in findings if isinstance(row, Row) and row.met is not None]
    outcomes = [one for one in findings if isinstance(one, Outcome)]
    parts = []
    if budgets:
        parts.append(f"{sum(budgets)} of {len(budgets)} budgets met")
    if outcomes:
        ours = sum((one.ours for one in outcomes), Tally())
        stock = sum((one.stock for one in outcomes), Tally())
        total = sum(one.contributions for one in outcomes)
        parts.append(
            f"of {total:,} contributions Concordant lost {ours.lost:,} and InMemoryStore {stock.lost:,}; "
            f"{ours.false_alarms} false and {ours.missed_alarms} missed alarms, "
            f"where InMemoryStore missed {stock.missed_alarms}"
        )
    return "; ".join(parts)


def show(console: Console, group: str, findings: Sequence[Finding], everything: Sequence[Finding]) -> None:
    """Prints the table of one group."""
    head, lines, notes = _table(group, findings, everything)
    table = Table(title=group, title_justify="left", header_style="bold")
    for number, name in enumerate(head):
        words = number == 0 or name in ("unit", "met") or (head is not OUTCOME_HEAD and number == 4)
        table.add_column(name, justify="left" if words else "right")
    for line in lines:
        missed = line[-1] == "NO"
        table.add_row(*line, style="red" if missed else None)
    if lines:
        console.print(table)
    for note in notes:
        console.print(f"  {note}")


def document(findings: Sequence[Finding], command: str) -> str:
    """The whole report in Markdown."""
    parts = [
        "# Benchmarks",
        f"Measured on {date.today().isoformat()} by `{command}`, in one run, on: {machine()}.",
        "All in memory, unless a row says otherwise. Subjects run in interleaved rounds and in one process, so that "
        "noise meets them alike; ratios are ratios of medians. Absolute times depend on the machine, ratios much "
        "less. Garbage collection is off while the clock runs, unless a row says it is on. `make bench` writes this "
        "page anew.",
        f"**{verdict(findings)[:1].upper()}{verdict(findings)[1:]}.**",
    ]
    for group, about in GROUPS.items():
        mine = [one for one in findings if one.group == group]
        if not mine:
            continue
        head, lines, notes = _table(group, mine, findings)
        parts += [f"## {group[0].upper() if group in ROWS_OF_OURS else group[0]}{group[1:]}", about]
        if lines:
            right = ["---:" if any(c.isdigit() for c in lines[0][n][:1]) else "---" for n in range(len(head))]
            rows = [head, tuple(right), *lines]
            parts.append("\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows))
        parts += [f"- {note}" if len(notes) > 1 else note for note in notes]
    return "\n\n".join(parts) + "\n"


ROWS_OF_OURS = {"speed", "growth", "texts", "memory", "crowds", "databases", "correctness", "CrewAI"}


def _table(
    group: str, findings: Sequence[Finding], everything: Sequence[Finding]
) -> tuple[tuple[str, ...], list[tuple[str, ...]], list[str]]:
    """Head, lines and notes of one group's table."""
    notes = [one.text for one in findings if isinstance(one, Note)]
    if group not in ROWS_OF_OURS:
        ratios = {row.name: row.ratio for row in everything if isinstance(row, Row) and row.group != group}
        theirs = [row for row in findings if isinstance(row, Row)]
        notes += [f"{row.name}: {row.note}" for row in theirs if row.note]
        return PEER_HEAD, [(*_measured(row), _times(ratios.get(row.name))) for row in theirs], notes
    lines: list[tuple[str, ...]] = []
    for one in findings:
        if isinstance(one, Row):
            met = {None: "", True: "yes", False: "NO"}[one.met]
            lines.append((*_measured(one), _budget(one), met))
            notes += [f"{one.name}: {one.note}"] if one.note else []
        elif isinstance(one, Outcome):
            lines.append((one.name, f"{one.contributions:,}", *_counts(one.ours), *_counts(one.stock)))
            if not one.telling:
                notes.append(f"{one.name}: not as expected on the stock store, so this row shows nothing")
    return OUTCOME_HEAD if group == "correctness" else SPEED_HEAD, lines, notes


def _measured(row: Row) -> tuple[str, ...]:
    peer = "" if row.peer is None else _number(row.peer)
    return row.name, _number(row.ours), row.unit, peer, row.against, _times(row.ratio)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f} x" if ratio < 100 else f"{ratio:,.0f} x"


def _budget(row: Row) -> str:
    if row.budget is None:
        return ""
    return f"{row.budget:g} {row.unit}" if row.absolute else f"{row.budget:g} x"


def _counts(tally: Tally) -> tuple[str, str, str]:
    return f"{tally.lost:,}", f"{tally.false_alarms:,}", f"{tally.missed_alarms:,}"
