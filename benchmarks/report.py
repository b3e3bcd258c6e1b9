"""The report: tables in the terminal as groups finish, and the same as a document."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rich.console import Console
from rich.table import Table

from benchmarks.fleet.playing import STOCK, Played
from benchmarks.measure import Note, Row, machine
from benchmarks.scaling import Curve

__all__ = ["GROUPS", "Finding", "document", "show", "verdict"]

Finding = Row | Played | Curve | Note

GROUPS = {
    "speed": "One put, one write, one get. Times are medians of single calls, in real LangGraph nodes unless the row "
    "says otherwise. The first put of a node also reads who is writing from LangGraph's context; the other rows are "
    "the puts after it. Puts put merging off until somebody writes beside them, or a read cannot tell without.",
    "growth": "What a long history on one key costs the next put to it. A median of single puts does not show work "
    "that is put off and done every so many puts: the mean of 100 in a row does.",
    "texts": "Large texts. Both replicas of the edited one must agree and hold every edit, or the run fails.",
    "histories": "One edit of one word in a large text that was edited so often before: milliseconds of the processor, "
    "without the garbage collector's. Half of the pieces of such a text, and more, are what was removed. Loro's "
    "``text.update`` of the same text, its update for one word and its import of that stand under the table.",
    "live documents": "People in editors that speak Loro, and agents, in one document in memory. Beside the first rows "
    "nothing else writes; a mean has what is put off, too. On the way are npm's client in a process for each person, a "
    "websocket, and the server with its agents in a third process.",
    "memory": "Bytes per key by tracemalloc, the journal (its newest 10,000 changes) included.",
    "crowds": "Many threads, and many documents.",
    "many writers": "So many agents and one document, in memory: all that they do together, against a quarter of them. "
    "Four times as many may take five times as long.",
    "coroutines": "A hundred coroutines of one process that put at the same time, after a warm-up; commits wait for "
    "the disk on both sides. Budgets are parts of the peer's puts a second: 0.6 in memory, 0.3 in databases. All that "
    "was put is looked for.",
    "databases": "Stores in databases: commits wait for the disk on both sides, in one server, or in files side by "
    "side. A put on a key that is there merges, and keeps what was before in the journal; the peer overwrites.",
    "fleet": "Teams of agents on workloads with a known right outcome: what became of their contributions under each "
    "way of sharing state. Agents of one round read, think and write at the same time; strategies named after a store "
    "run in real LangGraph graphs, the others in threads. *Right*: nothing lost or corrupted, no alarm false or "
    "missed. Under compare and retry, locks and agent-coherence no conflict arises, since writers come one after the "
    "other and think again: that is paid in model calls and waiting. A model call is a sleep of the time the workload "
    "says; *bare* is the time without. p50 to p99 are of the store's calls, without thinking. *Kept* is in the values, "
    "*merged* the part of it to whose place others gave something at the same time, *resolved* what a declared policy "
    "set aside, on record. *Named*: contributions whose agents the store can tell. The peak is by tracemalloc, in a "
    "run of its own, without what a database server holds; rivals are not watched.",
    "time to a usable value": "Two agents give a field two values. How long after the second write somebody can read a "
    "value and work on, and where somebody decides, until the decision is there. A model call is a sleep of 50 ms.",
    "scaling": "Both axes are logarithmic. Where agents and processes are counted every commit waits for the disk; "
    "SQLite has `synchronous=normal` in the curves over documents and history, so that the disk does not hide the "
    "rest. Postgres is a server on the same machine.",
    "CrewAI": "CrewAI's memory storage (LanceDB), and ours over it with the records in a SQLite file, whose writes "
    "wait for the disk, as LanceDB's do not. A tool call is what an agent's call in a crew's task spends in our tool.",
    "agentsync 0.1.0": "The published LangGraph merge store (PyPI: extodan-agentsync), in an environment of its own "
    "with the same versions of LangGraph and Loro, and its peer in the same process. It guesses how a field merges "
    "from its name and shape. The last column is what this run gave for Concordant.",
}
SPEED_HEAD = ("row", "Concordant", "unit", "against", "", "ratio", "budget", "met")
FLEET_HEAD = (
    *("workload", "strategy", "right", "kept", "merged", "resolved", "escalated", "lost", "corrupted", "false"),
    *("missed", "named", "model calls", "retries", "p50 ms", "p95 ms", "p99 ms", "seconds", "bare", "peak kB"),
)
WORDS = ("unit", "met", "strategy", "right", "line")
CURVE_HEAD = ("curve", "line", "from", "to", "unit")
PEER_HEAD = ("row", "agentsync", "unit", "against", "", "ratio", "Concordant's ratio")


def verdict(findings: Sequence[Finding]) -> str:
    """How many budgets were kept, and how much was lost."""
    budgets = [row.met for row in findings if isinstance(row, Row) and row.met is not None]
    played = [one for one in findings if isinstance(one, Played)]
    parts = []
    if budgets:
        parts.append(f"{sum(budgets)} of {len(budgets)} budgets met")
    if played:
        ours = [one.verdict for one in played if one.ours]
        stock = [one.verdict for one in played if one.strategy == STOCK]
        parts.append(
            f"of {sum(v.contributions for v in ours):,} contributions of a fleet Concordant lost "
            f"{sum(v.lost + v.corrupted for v in ours):,}, with {sum(v.false for v in ours)} false and "
            f"{sum(v.missed for v in ours)} missed alarms; of {sum(v.contributions for v in stock):,} InMemoryStore "
            f"lost {sum(v.lost + v.corrupted for v in stock):,} and missed {sum(v.missed for v in stock)} alarms"
        )
    return "; ".join(parts)


def show(console: Console, group: str, findings: Sequence[Finding], everything: Sequence[Finding]) -> None:
    """Prints the table of one group."""
    head, lines, notes = _table(group, findings, everything)
    table = Table(title=group, title_justify="left", header_style="bold")
    for number, name in enumerate(head):
        words = (
            number == 0
            or name in ("unit", "met", "strategy", "right", "line")
            or (head is not FLEET_HEAD and number == 4)
        )
        table.add_column(name, justify="left" if words else "right", no_wrap=head is FLEET_HEAD and words)
    for line in lines:
        missed = line[-1] == "NO" or (head is FLEET_HEAD and line[2] == "NO")
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
        parts += [f"## {group[0] if group == OTHERS else group[0].upper()}{group[1:]}", about]
        if lines:
            right = ["---:" if any(c.isdigit() for c in lines[0][n][:1]) else "---" for n in range(len(head))]
            rows = [head, tuple(right), *lines]
            parts.append("\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows))
        parts += [f"- {note}" if len(notes) > 1 else note for note in notes]
        parts += [f"![{one.name}](plots/{one.file}.svg)" for one in mine if isinstance(one, Curve)]
    return "\n\n".join(parts) + "\n"


OTHERS = "agentsync 0.1.0"


def _table(
    group: str, findings: Sequence[Finding], everything: Sequence[Finding]
) -> tuple[tuple[str, ...], list[tuple[str, ...]], list[str]]:
    """Head, lines and notes of one group's table."""
    notes = [one.text for one in findings if isinstance(one, Note)]
    if group == OTHERS:
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
        elif isinstance(one, Curve):
            lines += [(one.name, name, *_ends(points), one.y) for name, points in one.lines.items()]
        elif isinstance(one, Played):
            lines.append(_played(one))
            if one.error:
                notes.append(f"{one.name}: it broke ({one.error})")
    if any(isinstance(one, Curve) for one in findings):
        return CURVE_HEAD, lines, notes
    return FLEET_HEAD if any(isinstance(one, Played) for one in findings) else SPEED_HEAD, lines, notes


def _ends(points: Sequence[tuple[float, float]]) -> tuple[str, str]:
    """The first and the last point of a line."""
    (first, low), (last, high) = points[0], points[-1]
    return f"{_number(low)} at {first:,.0f}", f"{_number(high)} at {last:,.0f}"


def _played(one: Played) -> tuple[str, ...]:
    v = one.verdict
    became = (v.kept, v.merged, v.resolved, v.escalated, v.lost, v.corrupted, v.false, v.missed, v.attributed)
    counts = (*became, one.model_calls, one.retries)
    times = (one.p50, one.p95, one.p99, one.seconds, one.bare)
    if one.error:
        return (one.workload, one.strategy, "broke", *[""] * (len(counts) + len(times) + 1))
    right, peak = "yes" if v.right else "NO", "" if one.peak is None else _number(one.peak)
    return (one.workload, one.strategy, right, *(f"{c:,}" for c in counts), *(_number(t) for t in times), peak)


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
