"""Runs the benchmarks and prints their table: ``python -m benchmarks [--rows speed ...] [--quick] [--write FILE]``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator

from benchmarks import growth, speed, texts
from benchmarks.measure import Row, machine
from benchmarks.subjects import FULL, QUICK, Sizes

__all__ = ["main"]

GROUPS: dict[str, Callable[[Sizes], Iterator[Row]]] = {
    "put": speed.rows,
    "growth": growth.rows,
    "texts": texts.rows,
}
SPEED = ["put", "growth", "texts"]


def main(arguments: list[str] | None = None) -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", nargs="+", choices=[*GROUPS, "speed"], help="which groups (default: all)")
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that the harness works")
    options = parser.parse_args(arguments)
    chosen = [name for name in options.rows or GROUPS if name != "speed"]
    chosen += [name for name in SPEED if options.rows and "speed" in options.rows]
    print(machine())
    for name in chosen:
        show(GROUPS[name](QUICK if options.quick else FULL))


def show(rows: Iterable[Row]) -> None:
    """Prints rows as they come."""
    for row in rows:
        peer = "" if row.peer is None else f"{row.peer:10.2f} {row.against}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f} x"
        met = {None: "", True: "yes", False: "NO"}[row.met]
        print(
            f"{row.name:70} {row.ours:10.2f} {row.unit:3} {peer:30} {ratio:>9} {row.budget or '':>5} {met} {row.note}",
            flush=True,
        )


if __name__ == "__main__":
    main()
