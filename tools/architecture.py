"""Draws ``docs/architecture.svg``: the rooms of the code, and which imports which, as they do.

``python -m tools.architecture`` draws it anew.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from html import escape
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "architecture.svg"
SOURCES = (ROOT / "src", ROOT / "adapters/langgraph/src", ROOT / "adapters/crewai/src", ROOT / "adapters/loro/src")


class Room(NamedTuple):
    """A room of the picture.

    Attributes:
        name: the module or package, without ``concordant.`` before it.
        says: what is in it, a line each.
        row: on which row of the picture it stands, from the top down; it imports only what stands further down.
        left, right: between which of twelve columns.
    """

    name: str
    says: tuple[str, ...]
    row: int
    left: float
    right: float


ROOMS = (
    Room("concordant_langgraph", ("adapter: store, channels,", "tools, deep agents"), 0, 0, 2.5),
    Room("concordant_crewai", ("adapter: shared state,", "flows, memory"), 0, 2.5, 4.8),
    Room("concordant_loro", ("adapter: people's", "editors"), 0, 4.8, 6.7),
    Room("testing", ("contracts that kinds,", "storages, adapters pass"), 0, 6.7, 9.1),
    Room("cli", ("the command", "line"), 0, 9.1, 10.4),
    Room("webhooks", ("events, sent", "signed"), 0, 10.4, 12),
    Room("spi", ("what adapters may call",), 1, 0, 5.2),
    Room("judges", ("models that settle questions",), 1, 5.2, 7.8),
    Room("bench", ("a workload, played",), 1, 7.8, 9.9),
    Room("desk", ("questions, in a browser",), 1, 9.9, 12),
    Room("telemetry", ("spans, metrics, logs",), 2, 0, 2),
    Room("forms", ("questions, for other tools",), 2, 2, 4.5),
    Room("tooling", ("tools for agents,", "made from a model"), 2, 4.5, 7.8),
    Room(
        "workspace",
        ("scopes and what they have seen, the transaction of a write, questions, undo, exchange",),
        3,
        0,
        12,
    ),
    Room(
        "storage", ("record, journal, questions, events in one transaction: memory, SQLite, Postgres, yours",), 4, 0, 12
    ),
    Room("schema", ("a model, compiled;", "what is written, validated"), 5, 0, 2.8),
    Room("escalation", ("open questions",), 5, 2.8, 5.2),
    Room("merge.record", ("one document: apply, join, view, bytes",), 5, 5.2, 12),
    Room("merge.kinds", ("how a field merges: one file a kind",), 6, 0, 12),
    Room("merge.registers", ("values with their writers, in a tree; what one write changes in it",), 7, 0, 12),
    Room("merge.sequence", ("texts and lists as pieces; units, differences, overlaps",), 8, 0, 12),
    Room("merge.causality", ("dots, stamps, version vectors: who wrote what, and what they had seen",), 9, 0, 12),
    Room("values", ("JSON values: how they compare and are stored",), 10, 0, 6),
    Room("limits", ("how much there may be",), 10, 6, 9),
    Room("errors", ("one root: ConcordantError",), 10, 9, 12),
)


def room_of(module: str) -> str | None:
    """Returns the room in which a module is; ``None`` for what is in no room."""
    name = module.removeprefix("concordant.") if module.startswith("concordant.") else module
    return next((room.name for room in ROOMS if name == room.name or name.startswith(f"{room.name}.")), None)


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All that a file's code is made of."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))))


def imports_of(path: Path, module: str) -> Iterator[str]:
    """The modules that a file imports, at its top or in a function, for types too."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


@cache
def arrows() -> dict[str, set[str]]:
    """Which room imports which others, as the code has it now. What an adapter takes from ``concordant`` itself is the
    workspace's."""
    found: dict[str, set[str]] = {room.name: set() for room in ROOMS}
    for source in SOURCES:
        for path in sorted(source.glob("**/*.py")):
            parts = path.relative_to(source).with_suffix("").parts
            module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            here = room_of(module)
            if here is None:
                continue
            for name in imports_of(path, module):
                there = room_of(name)
                if there is None and name.startswith("concordant.") and name.count(".") == 1:
                    there = "workspace"
                if there is not None and there != here:
                    found[here].add(there)
    return found


def drawn(found: dict[str, set[str]]) -> dict[str, set[str]]:
    """The arrows that have to be drawn: not those to where other arrows lead as well."""

    def reached(name: str) -> set[str]:
        below = found[name]
        return below.union(*map(reached, below)) if below else set()

    return {
        name: {other for other in below if not any(other in reached(one) for one in below)}
        for name, below in found.items()
    }


COLUMN, ROW, GAP, MARGIN = 84, 92, 14, 24
INK, LINE, PAPER, PURE, WALL = "#1f2933", "#52606d", "#ffffff", "#e8f1fb", "#f5f7fa"


def box_of(room: Room) -> tuple[float, float, float, float]:
    """Where a room is drawn: left, top, right, bottom."""
    top = MARGIN + room.row * ROW
    bottom = top + ROW - 2 * GAP
    return MARGIN + room.left * COLUMN + GAP / 2, top, MARGIN + room.right * COLUMN - GAP / 2, bottom


def _arrow(one: Room, other: Room) -> str:
    left, top, right, bottom = box_of(one)
    its_left, its_top, its_right, _ = box_of(other)
    if one.row == other.row:
        middle = (top + bottom) / 2
        return f"M{right:g} {middle:g}H{its_left - 3:g}"
    across = (max(left, its_left) + min(right, its_right)) / 2
    return f"M{across:g} {bottom:g}V{its_top - 3:g}"


def picture() -> str:
    """The picture, as SVG."""
    width, height = 2 * MARGIN + 12 * COLUMN, 2 * MARGIN + 11 * ROW - 2 * GAP
    rooms = {room.name: room for room in ROOMS}
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}"',
        f'     width="{width:g}" height="{height:g}" font-family="Verdana, DejaVu Sans, sans-serif"',
        '     role="img" aria-label="The rooms of the code, and which imports which">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto">',
        f'<path d="M0 0L8 4L0 8z" fill="{LINE}"/></marker></defs>',
        f'<rect width="{width:g}" height="{height:g}" rx="10" fill="{PAPER}"/>',
        _engine(rooms),
    ]
    lines += [
        f'<path d="{_arrow(rooms[name], rooms[other])}" stroke="{LINE}" stroke-width="1.6" marker-end="url(#tip)"/>'
        for name, below in drawn(arrows()).items()
        for other in sorted(below)
    ]
    for room in ROOMS:
        left, top, right, bottom = box_of(room)
        lines.append(
            f'<rect x="{left:g}" y="{top:g}" width="{right - left:g}" height="{bottom - top:g}" rx="6" '
            f'fill="{WALL}" stroke="{LINE}"/>'
        )
        middle, said = (left + right) / 2, len(room.says)
        first = top + (26 if said == 1 else 20)
        lines.append(_text(room.name.removeprefix("merge."), middle, first, 15, "bold"))
        lines += [_text(line, middle, first + 19 + 15 * number, 11.5) for number, line in enumerate(room.says)]
    return "\n".join([*lines, "</svg>", ""])


def _text(words: str, x: float, y: float, size: float, weight: str = "normal") -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" font-weight="{weight}" text-anchor="middle" '
        f'fill="{INK}">{escape(words)}</text>'
    )


def _engine(rooms: dict[str, Room]) -> str:
    """What is around the rooms of the merge engine."""
    left, top, right, _ = box_of(rooms["merge.record"])
    its_left, its_top, _, _ = box_of(rooms["merge.kinds"])
    bottom = box_of(rooms["merge.causality"])[3]
    edge = GAP / 2
    return (
        f'<path d="M{left - edge:g} {top - edge:g}H{right + edge:g}V{bottom + edge:g}H{its_left - edge:g}'
        f'V{its_top - edge:g}H{left - edge:g}z" fill="{PURE}"/>'
        + _text("merge: pure functions, no clock, lock or I/O", right - 145, its_top + ROW - 7, 11.5, "bold")
    )


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
