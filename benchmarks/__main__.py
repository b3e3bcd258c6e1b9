"""Runs the benchmarks, prints their tables and writes docs/benchmarks.md (the full run only, unless asked)."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from benchmarks import (
    agentsync,
    coroutines,
    crews,
    crowds,
    databases,
    fleet_page,
    growth,
    histories,
    live,
    memory,
    plots,
    reads,
    report,
    scaling,
    speed,
    texts,
    writers,
)
from benchmarks.fleet import rows as fleet
from benchmarks.fleet.playing import Played
from benchmarks.measure import Note, machine
from benchmarks.subjects import FULL, QUICK, Sizes

__all__ = ["GROUPS", "main", "measure"]

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"


def _speed(sizes: Sizes) -> Iterator[report.Finding]:
    yield from speed.rows(sizes)
    yield from reads.rows(sizes)


GROUPS: dict[str, Callable[[Sizes], Iterator[report.Finding]]] = {
    "put": _speed,
    "growth": growth.rows,
    "texts": texts.rows,
    "histories": histories.rows,
    "live": live.rows,
    "memory": memory.rows,
    "crowds": crowds.rows,
    "writers": writers.rows,
    "coroutines": coroutines.rows,
    "databases": databases.rows,
    "fleet": fleet.rows,
    "usable": fleet.usable_rows,
    "scaling": scaling.rows,
    "crews": crews.rows,
    "agentsync": agentsync.rows,
}
SPEED = ("put", "growth", "texts")


def measure(chosen: list[str], sizes: Sizes, console: Console) -> list[report.Finding]:
    """Runs the groups, printing each one's table when it is done."""
    found: list[report.Finding] = []
    if sizes is QUICK:
        gc.collect()
        gc.freeze()  # else the many small rows would mostly collect what was imported before them
    for name in chosen:
        mine: list[report.Finding] = []
        with console.status(f"{name} ...") as status:
            for finding in GROUPS[name](sizes):
                mine.append(finding)
                if not isinstance(finding, Note):
                    status.update(f"{name}: {finding.name} done ...")
        found += mine
        report.show(console, mine[0].group, mine, found)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Runs what the command line asks for; 1 if anything was lost or an alarm was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--rows", nargs="+", choices=[*GROUPS, "speed"], help="which groups (speed: put, growth, texts)"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that the harness works")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the report there, whatever was run")
    options = parser.parse_args(arguments)
    asked = options.rows or list(GROUPS)
    chosen = [name for name in GROUPS if name in asked or ("speed" in asked and name in SPEED)]
    console = Console(width=None if sys.stdout.isatty() else 210)
    console.print(machine())
    found = measure(chosen, QUICK if options.quick else FULL, console)
    console.print(report.verdict(found))
    page = options.write or (PAGE if not options.rows and not options.quick else None)
    if page is not None:
        given = sys.argv[1:] if arguments is None else arguments
        page.parent.mkdir(parents=True, exist_ok=True)
        drawn = [one for one in found if isinstance(one, scaling.Curve)]
        if drawn:
            plots.draw(drawn, page.parent / "plots")
            extrapolated = fleet_page.page(drawn, machine(), "make bench")
            if extrapolated is not None:
                (page.parent / "fleet.md").write_text(extrapolated, encoding="utf-8")
            (page.parent / "plots" / plots.POINTS).write_text(scaling.dump(drawn, "make bench"), encoding="utf-8")
        page.write_text(report.document(found, " ".join(["python -m benchmarks", *given])), encoding="utf-8")
        console.print(f"Written: {page}")
    return 0 if all(one.met for one in found if isinstance(one, Played) and one.ours) else 1


if __name__ == "__main__":
    sys.exit(main())
