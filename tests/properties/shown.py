"""What the reference model shows of a document: values, what is contested, and who stands for what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .model import ROOT, Base, Live, Path, Registers, Write, agreed, text_of


@dataclass
class Contest:
    """What the model says is contested: values with their agents, and what stood before."""

    path: Path
    reason: str
    options: dict[str | None, frozenset[str]]
    base: Base | None = None


@dataclass
class Shown:
    """What a document shows."""

    value: dict[str, Any] | None
    contests: dict[Path, Contest] = field(default_factory=dict)
    agents: dict[tuple[Path, str], frozenset[str]] = field(default_factory=dict)


def groups_of(entries: Iterable[Live]) -> list[list[Live]]:
    """Entries by equal value, the one written first (a confirmation counts for what it confirms) first."""
    groups: dict[str | None, list[Live]] = {}
    for entry in sorted(entries, key=lambda e: min(e.stamps)):
        groups.setdefault(entry.value, []).append(entry)
    return list(groups.values())


def show(writes: Iterable[Write], kinds: Mapping[str, str] | None, provisional: str = "agreed") -> Shown:
    """What somebody who knows these writes of one document is shown."""
    registers = Registers(writes)
    if not registers.writes or (registers.tombs and not registers.alive()):
        return Shown(None)
    result = Shown({})
    value: dict[str, Any] = {}
    fields: dict[str, dict[Path, list[Live]]] = {}
    for path, entries in registers.shown.items():
        if path != ROOT:
            fields.setdefault(path[0], {})[path] = entries
            for entry in entries:
                if entry.value is not None and path[-1] is not None:
                    known = result.agents.get((path, entry.value), frozenset())
                    result.agents[(path, entry.value)] = known | entry.agents
    for name, parts in fields.items():
        kind = kinds[name] if kinds is not None else "scalar"
        members = {path: entries for path, entries in parts.items() if path[-1] is not None}
        if kind == "counter":
            if members:
                value[name] = sum(json.loads(e.value or "0") for entries in members.values() for e in entries)
        elif kind == "set":
            order = sorted(members, key=lambda path: (min((min(e.stamps)[:3], e.place) for e in members[path]), path))
            value[name] = [json.loads(members[path][0].value or "") for path in order]
        elif kind == "map":
            value[name] = {}
            for path, entries in members.items():
                _scalar(result, path, entries, "agreed", value[name], path[1])
        else:
            policy = kind if kind in ("max", "latest") else provisional
            _scalar(result, (name,), parts[(name,)], policy, value, name)
    result.value = value
    if registers.tombs:
        updaters = {s[3] for p, es in registers.hard.items() for e in es if e.value is not None for s in e.stamps}
        deleters = {s[3] for tomb in registers.tombs for s in tomb.stamps}
        options = {text_of(value): frozenset(updaters), None: frozenset(deleters)}
        result.contests[ROOT] = Contest(ROOT, "delete", options)
    return result


def _scalar(result: Shown, path: Path, entries: list[Live], policy: str, into: dict[str, Any], name: str) -> None:
    groups = groups_of(entries)
    values = [group for group in groups if group[0].value is not None]
    chosen: str | None = None
    if len(groups) == 1:
        chosen = groups[0][0].value
    elif len(values) == len(groups) and policy in ("max", "latest"):
        order = (lambda g: json.loads(g[0].value)) if policy == "max" else (lambda g: max(e.stamp for e in g))
        chosen = max(groups, key=order)[0].value
    else:
        base = agreed(entries)
        options = {g[0].value: frozenset(a for e in g for a in e.agents) for g in groups}
        reason = "scalar" if len(values) == len(groups) else "delete"
        result.contests[path] = Contest(path, reason, options, base)
        if len(values) == 1:
            chosen = values[0][0].value
        elif base is not None and base.value is not None:
            chosen = base.value
        elif policy == "first":
            chosen = values[0][0].value
    if chosen is not None:
        into[name] = json.loads(chosen)
