"""The page that extrapolates to a fleet: prose, with the numbers of the curves it stands beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from benchmarks.scaling import Curve

__all__ = ["page"]

THINKING = 5.0
"""Seconds from one write of an agent to its next: a model call and what it does with the answer."""
DAYS = 90

Lines: TypeAlias = Mapping[tuple[str, str], Sequence[tuple[float, float]]]
"""The points of each line, by the file of its curve and its name."""

_TEMPLATE = Path(__file__).parent / "fleet.md.in"


def page(found: Sequence[Curve], machine: str, command: str) -> str | None:
    """The page; ``None`` if the curves do not have all its numbers (no Postgres, or a quick run)."""
    lines = {(curve.file, name): points for curve in found for name, points in curve.lines.items()}
    rate = 1 / THINKING
    try:
        rows, times, spread = _writes(lines), _times(lines), _servers(lines)
        postgres = lines["processes", "Postgres, own documents"]
        sqlite = lines["processes", "SQLite, own documents"]
        own, shared = lines["agents", "in memory, own documents"], lines["agents", "in memory, one document"]
        history, get = lines["history", "in memory, with a read"], lines["documents-get", "Concordant, SQLite"]
        sqlite_shared = lines["processes", "SQLite, 50 shared documents"]
        hot, room = lines["agents", "SQLite, one document"], lines["room", "SQLite"]
    except KeyError:
        return None
    many = round(postgres[-1][1])
    stores = 10_000 * rate / (many / 2)
    daily = many * 28_800
    return _TEMPLATE.read_text("utf-8").format(
        machine=machine,
        command=command,
        writes=rows,
        times=times,
        servers=spread,
        memory_own=round(own[-1][1]),
        memory_shared=round(shared[-1][1]),
        sqlite_many=round(sqlite[-1][1]),
        sqlite_shared=round(sqlite_shared[-1][1]),
        sqlite_hot=round(hot[-1][1]),
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


def _writes(lines: Lines) -> str:
    """The rows of the first table: writes a second, beside LangGraph's own store, as far as they were measured."""
    agents, processes, two = "agents", "processes", "two Postgres servers"
    rows = [
        ("in memory, one agent", 0, (agents, "in memory, own documents"), None),
        ("in memory, 200 agents on documents of their own", -1, (agents, "in memory, own documents"), None),
        ("in memory, 200 agents on one document", -1, (agents, "in memory, one document"), None),
        ("SQLite, one process", 0, (processes, "SQLite, own documents"), None),
        ("SQLite, 8 processes", -1, (processes, "SQLite, own documents"), None),
    ]
    for which, name in (("new", "new documents"), ("own", "documents that are written again")):
        for at, count in ((0, "one process"), (-1, "8 processes")):
            stock = (processes, f"PostgresStore, {which} documents")
            rows.append((f"Postgres, {count}, {name}", at, (processes, f"Postgres, {which} documents"), stock))
    rows.append((f"{two}, 8 processes, new documents", -1, (processes, f"{two}, new documents"), None))
    told = []
    for name, at, ours, peer in rows:
        if ours in lines:
            mine, beside = lines[ours][at][1], ("", "")
            if peer in lines:
                theirs = lines[peer][at][1]
                beside = (f"{theirs:,.0f}", f"{mine / theirs:.2f}")
            told.append(f"| {name} | {mine:,.0f} | {beside[0]} | {beside[1]} |")
    return "\n".join(told)


def _times(lines: Lines) -> str:
    """The table that tells how long a write takes, if that was measured."""
    if ("latency", "Postgres, median") not in lines:
        return ""
    rows = [
        f"| {name}, {count} | {lines['latency', f'{name}, median'][at][1]:,.2f} "
        f"| {lines['latency', f'{name}, 99th percentile'][at][1]:,.2f} |"
        for name in ("Postgres", "PostgresStore", "two Postgres servers")
        for at, count in ((0, "one process"), (-1, "8 processes"))
    ]
    about = "How long one write of a new document takes while so many processes write, each as fast as it can, in ms:"
    return "\n".join([f"{about}\n", "| | half are done in | 99 of 100 in |", "|---|---:|---:|", *rows, "\n"])


def _servers(lines: Lines) -> str:
    """The table that tells what a second server costs, if that was measured."""
    if ("servers", "a write, median") not in lines:
        return ""
    rows = []
    for name in ("a write", "a batch of ten documents", "a moment"):
        half, late = lines["servers", f"{name}, median"], lines["servers", f"{name}, 99th percentile"]
        (_, one), (_, two) = half
        rows.append(f"| {name} | {one:,.2f} ({late[0][1]:,.2f}) | {two:,.2f} ({late[1][1]:,.2f}) |")
    about = (
        "What one who is alone waits for, in ms: half of the calls, and in brackets 99 of 100. All servers are on this "
        "machine, so\nthat their two processors share the work, and no network is in between."
    )
    return "\n".join([f"{about}\n", "| | one server | two |", "|---|---:|---:|", *rows, "\n"])
