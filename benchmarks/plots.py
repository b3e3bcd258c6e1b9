"""Draws the curves: ``python -m benchmarks.plots`` draws those that were measured last anew."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.scaling import Curve, curves

__all__ = ["FOLDER", "POINTS", "draw"]

FOLDER = Path(__file__).parent.parent / "docs" / "plots"
POINTS = "scaling.json"


def draw(found: Sequence[Curve], folder: Path) -> None:
    """Writes a picture of each curve; the same points give the same bytes."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "concordant", "svg.fonttype": "none", "font.size": 10})
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    for curve in found:
        figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
        for number, (name, points) in enumerate(curve.lines.items()):
            xs, ys = zip(*points, strict=True)
            axes.plot(xs, ys, marker="os^Dv"[number % 5], label=name, linewidth=1.5, markersize=5)
        axes.set(xscale="log", yscale="log", title=curve.name, xlabel=curve.x, ylabel=curve.y)
        ticks = sorted({x for points in curve.lines.values() for x, _ in points})
        axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
        axes.minorticks_off()
        low = min(y for points in curve.lines.values() for _, y in points)
        high = max(y for points in curve.lines.values() for _, y in points)
        marks = [base * 10.0**power for power in range(-3, 8) for base in (1, 2, 5)]
        shown = [mark for mark in marks if low / 2.5 <= mark <= high * 2.5]
        axes.set_yticks(shown, [f"{mark:,g}" for mark in shown])
        axes.set_ylim(min(shown), max(shown))
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize=9, frameon=False)
        figure.savefig(folder / f"{curve.file}.svg", metadata={"Date": None})
        pyplot.close(figure)


if __name__ == "__main__":
    draw(curves(json.loads((FOLDER / POINTS).read_text("utf-8"))), FOLDER)
