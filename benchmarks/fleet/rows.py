"""The group ``fleet``: every workload under every strategy, and how long a conflict keeps a value from being used."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.fleet import usable
from benchmarks.fleet.playing import Played, played
from benchmarks.fleet.rivals import rivals
from benchmarks.fleet.stores import strategies
from benchmarks.fleet.workloads import all_workloads
from benchmarks.measure import Note, Row
from benchmarks.subjects import QUICK, Sizes

__all__ = ["rows", "usable_rows"]


def rows(sizes: Sizes) -> Iterator[Played | Note]:
    """All of them, workload by workload; the rivals last. A quick run watches the memory of one workload alone."""
    quick = sizes is QUICK
    workloads = list(all_workloads(quick=quick))
    with strategies(quick=quick) as compared:
        for workload in workloads:
            for strategy in compared:
                yield played(workload, strategy, watched=not quick or workload is workloads[0])
    yield from rivals(workloads, quick=quick)


def usable_rows(sizes: Sizes) -> Iterator[Row]:
    """From a conflict to a value."""
    yield from usable.rows(sizes)
