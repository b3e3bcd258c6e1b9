"""``concordant bench``: what becomes of a workload of one's own under several ways of sharing state."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from concordant.bench import STRATEGIES, Costs, Strategy, Verdict, Workload, judge, load, play, truth_of
from concordant.bench.strategies import Concordant
from concordant.cli.stores import AS_JSON, plain, say, say_json
from concordant.errors import ConcordantError

__all__ = ["bench"]

WORKLOAD = Annotated[
    Path, typer.Option(exists=True, dir_okay=False, help="The workload: JSON lines, see docs/workloads.md.")
]
THINK = Annotated[bool, typer.Option(help="Whether the agents take the time to think that the workload gives them.")]
COUNTS = {
    "kept": "kept",
    "of them merged": "merged",
    "resolved": "resolved",
    "escalated": "escalated",
    "lost": "lost",
    "corrupted": "corrupted",
    "false alarms": "false",
    "missed alarms": "missed",
    "with names": "attributed",
}


def bench(workload: WORKLOAD, think: THINK = True, as_json: AS_JSON = False) -> None:
    """Play a workload under the last write wins, compare and retry, locks, and Concordant; count what is lost."""
    try:
        given = load(workload)
        with tempfile.TemporaryDirectory() as folder:
            durable = partial(Concordant, url=f"sqlite:///{folder}/bench.db")
            rows = [
                (strategy.name, *_played(given, strategy, think))
                for strategy in (*STRATEGIES, Strategy("Concordant, SQLite", durable))
            ]
    except ConcordantError as error:
        say(f"concordant: {workload}: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        say_json([{"strategy": name, **_numbers(verdict, costs)} for name, verdict, costs in rows])
        return
    truth = truth_of(given)
    Console(markup=False, emoji=False).print(
        f"{plain(given.name)}: {len(given.tasks)} tasks in {len(given.rounds)} rounds, "
        f"{truth.contributions} contributions, "
        f"{len(truth.conflicts)} conflicts"
    )
    Console().print(_table(rows))


def _played(workload: Workload, strategy: Strategy, think: bool) -> tuple[Verdict, Costs]:
    costs = Costs(thinking=think)
    outcome = play(workload, strategy.open(workload), costs)
    return judge(truth_of(workload), outcome, serial=strategy.serial), costs


def _numbers(verdict: Verdict, costs: Costs) -> dict[str, Any]:
    return {
        "right": verdict.right,
        **{name: getattr(verdict, name) for name in COUNTS.values()},
        "model_calls": costs.model_calls,
        "retries": costs.retries,
        **{f"p{100 * share:g}_ms": 1000 * costs.quantile(share) for share in (0.5, 0.95, 0.99)},
        "seconds": costs.seconds,
    }


def _table(rows: Sequence[tuple[str, Verdict, Costs]]) -> Table:
    table = Table("", *(name for name, _, _ in rows), box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("right", *("yes" if verdict.right else "NO" for _, verdict, _ in rows))
    for name, count in COUNTS.items():
        table.add_row(name, *(f"{getattr(verdict, count):,}" for _, verdict, _ in rows))
    table.add_row("model calls", *(f"{costs.model_calls:,}" for *_, costs in rows))
    table.add_row("retries", *(f"{costs.retries:,}" for *_, costs in rows))
    for share in (0.5, 0.95, 0.99):
        table.add_row(f"p{100 * share:g}, ms", *(f"{1000 * costs.quantile(share):.3g}" for *_, costs in rows))
    table.add_row("seconds in all", *(f"{costs.seconds:.3g}" for *_, costs in rows))
    return table
