"""``concordant bench``: what becomes of a workload of one's own under several ways of sharing state."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from concordant.bench import (
    OUTCOMES,
    PROSE,
    STRATEGIES,
    STRUCTURE,
    Costs,
    Strategy,
    Tally,
    Verdict,
    Workload,
    concurrent_edits,
    judge,
    load,
    play,
    play_merges,
    truth_of,
)
from concordant.bench.strategies import Concordant
from concordant.cli.stores import AS_JSON, plain, say, say_json
from concordant.errors import ConcordantError

__all__ = ["bench"]

WORKLOAD = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="The workload: JSON lines, see docs/workloads.md.")
]
GIT = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="The clone of a git repository, whose merges are played."),
]
MERGES = Annotated[int, typer.Option(min=1, help="How many merge commits are looked at, newest first.")]
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


def bench(
    workload: WORKLOAD = None,
    git: GIT = None,
    merges: MERGES = 2_000,
    think: THINK = True,
    as_json: AS_JSON = False,
) -> None:
    """Play a workload under ways of sharing state and count what is lost; or what people merged in a git repository."""
    if (workload is None) == (git is None):
        raise typer.BadParameter("name a workload (--workload FILE) or a repository (--git FOLDER)")
    if workload is not None:
        _play_workload(workload, think, as_json)
    elif git is not None:
        _play_repository(git, merges, as_json)


def _play_repository(repository: Path, most: int, as_json: bool) -> None:
    try:
        tallies, left_out = play_merges(concurrent_edits(repository, (*PROSE, *STRUCTURE), most))
    except ConcordantError as error:
        say(f"concordant: {error}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        found = {
            sort: {way: {"edits": one.edits, "invented": one.invented, **one.outcomes} for way, one in ways.items()}
            for sort, ways in tallies.items()
        }
        say_json({**found, "left_out": dict(left_out)})
        return
    console = Console(markup=False, emoji=False)
    for sort, ways in tallies.items():
        count = next(iter(ways.values())).edits
        console.print(f"{count:,} files of {sort} that both sides of a merge changed")
        if count:
            console.print(_shares(ways, "sentences" if sort == "prose" else "values"))
    for reason, count in left_out.items():
        console.print(f"{count:,} left out: {reason}")


def _shares(ways: Mapping[str, Tally], units: str) -> Table:
    """A table of what became of edits, in parts of a hundred."""
    table = Table("%", *ways, box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for outcome in OUTCOMES:
        table.add_row(outcome, *(f"{100 * one.outcomes[outcome] / one.edits:.1f}" for one in ways.values()))
    table.add_row(f"with invented {units}", *(f"{100 * one.invented / one.edits:.1f}" for one in ways.values()))
    return table


def _play_workload(workload: Path, think: bool, as_json: bool) -> None:
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
