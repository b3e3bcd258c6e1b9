"""The page that extrapolates to a fleet: prose, with the numbers of the curves it stands beside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.scaling import Curve

__all__ = ["page"]

THINKING = 5.0
"""Seconds from one write of an agent to its next: a model call and what it does with the answer."""
DAYS = 90

_TEMPLATE = Path(__file__).parent / "fleet.md.in"


def page(found: Sequence[Curve], machine: str, command: str) -> str | None:
    """The page; ``None`` if the curves do not have all its numbers (no Postgres, or a quick run)."""
    lines = {(curve.file, name): points for curve in found for name, points in curve.lines.items()}
    try:
        processes, agents = ("processes", "own documents"), "agents"
        postgres = lines[processes[0], "Postgres, own documents"]
        sqlite = lines[processes[0], "SQLite, own documents"]
        own, shared = lines[agents, "in memory, own documents"], lines[agents, "in memory, one document"]
        history, get = lines["history", "in memory, with a read"], lines["documents-get", "Concordant, SQLite"]
        sqlite_shared = lines["processes", "SQLite, 50 shared documents"]
        hot, room = lines[agents, "SQLite, one document"], lines["room", "SQLite"]
    except KeyError:
        return None
    rate = 1 / THINKING
    many = round(postgres[-1][1])
    stores = 10_000 * rate / (many / 2)
    daily = many * 28_800
    return _TEMPLATE.read_text("utf-8").format(
        machine=machine,
        command=command,
        memory_one=round(own[0][1]),
        memory_own=round(own[-1][1]),
        memory_shared=round(shared[-1][1]),
        sqlite_one=round(sqlite[0][1]),
        sqlite_many=round(sqlite[-1][1]),
        sqlite_shared=round(sqlite_shared[-1][1]),
        sqlite_hot=round(hot[-1][1]),
        postgres_one=round(postgres[0][1]),
        postgres_many=many,
        thinking=THINKING,
        rate=rate,
        agents=round(many / rate),
        half=round(many / rate / 2),
        fleet=10_000 * rate,
        stores=stores,
        rounded=-int(-stores // 1),
        history_first=round(history[0][0]),
        history_low=history[0][1],
        history_last=round(history[-1][0]),
        history_high=history[-1][1],
        few=round(get[0][0]),
        get_low=get[0][1],
        many=round(get[-1][0]),
        get_high=get[-1][1],
        room=room[-1][1],
        daily=daily,
        gigabytes=daily * room[-1][1] / 1e9,
        days=DAYS,
        kept=DAYS * daily * room[-1][1] / 1e9,
    )
