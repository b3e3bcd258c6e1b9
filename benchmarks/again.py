"""Measures anew what the fleet's page begins with: ``python -m benchmarks.again [BUSY]`` takes some minutes, where all
curves take an hour. The other points stay as they are.

BUSY says what else was at work meanwhile, if anything was: the page tells it with the numbers.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from benchmarks import fleet_page, plots, report, scaling
from benchmarks.measure import machine
from benchmarks.scaling import Curve

__all__: list[str] = []

COMMAND = "make bench"


def main(busy: str = "") -> None:
    """Measures, and writes points, pictures, the fleet's page and the table of the curves."""
    points, docs = plots.FOLDER / plots.POINTS, plots.FOLDER.parent
    kept = {curve.file: curve for curve in scaling.curves(json.loads(points.read_text("utf-8")))}
    kept["agents"] = scaling.agents([1, 2, 5, 10, 20, 50, 100, 200], 4_000)
    for measured in scaling.processes([1, 2, 4, 8], scaling.SECONDS, postgres_too=True):
        if not isinstance(measured, Curve):
            raise SystemExit(measured.text)
        kept[measured.file] = measured
    found, where = [*kept.values()], "; ".join(filter(None, [machine(), busy]))
    points.write_text(scaling.dump(found, COMMAND, where), encoding="utf-8")
    plots.draw(found, plots.FOLDER)
    page = fleet_page.page(found, where, COMMAND)
    assert page is not None
    (docs / "fleet.md").write_text(page, encoding="utf-8")
    _put_table(docs / "benchmarks.md", found)


def _put_table(path: Path, found: list[Curve]) -> None:
    """Puts the table and the pictures of the curves where they are in the report."""
    fresh = report.document(found, COMMAND).partition("\n## ")[2].rstrip("\n")
    section = re.compile(rf"(?<=\n## ){fresh.partition(chr(10))[0]}\n.*?(?=\n\n## |\n*\Z)", re.DOTALL)
    text, count = section.subn(lambda _: fresh, path.read_text("utf-8"))
    assert count == 1
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
