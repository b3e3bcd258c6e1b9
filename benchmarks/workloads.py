"""Workloads with a known right outcome: what each writer contributed, and which paths must escalate.

A workload runs in real graphs, on any ``BaseStore``. Afterwards each contribution is looked for in the value that
the store gives and among the contenders of its escalations, if it has any.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from langgraph.store.base import BaseStore

from benchmarks.graphs import PLAIN, SPACE, AsyncStep, Step, run, run_async

__all__ = ["ASYNC_WORKERS", "THINKING", "Tally", "Workload", "all_workloads", "judge"]

KEY = "launch"
THINKING = 0.005
ASYNC_WORKERS = 20
Contribution = tuple[str, Any]


@dataclass(frozen=True, slots=True)
class Tally:
    """What a store did wrong: contributions lost or doubled, escalations without need, conflicts without a word."""

    lost: int = 0
    false_alarms: int = 0
    missed_alarms: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.lost + other.lost,
            self.false_alarms + other.false_alarms,
            self.missed_alarms + other.missed_alarms,
        )


@dataclass(frozen=True, slots=True)
class Workload:
    """Supersteps to run, the contributions that must be there afterwards, the fields that must be contested.

    Attributes:
        concurrent: whether a store where the last write wins must lose something.
    """

    name: str
    play: Callable[[BaseStore], None]
    contributions: tuple[Contribution, ...]
    conflicts: frozenset[str] = field(default_factory=frozenset)
    namespace: tuple[str, ...] = SPACE
    concurrent: bool = True


def all_workloads() -> list[Workload]:
    """All of them, the small ones first."""
    parallel = [make(count) for make in (clean_merge, semantic_conflict, undeclared_conflict) for count in (2, 4, 8)]
    thinking = [get_think_put(count) for count in (2, 4, 8)]
    return [*parallel, *thinking, async_workers(), sequence()]


def judge(workload: Workload, store: BaseStore) -> Tally:
    """Holds what the store has against what the workload put into it."""
    item = store.get(workload.namespace, KEY)
    found = item.value if item is not None else {}
    escalations = store.escalations() if hasattr(store, "escalations") else []
    contenders = {(escalation.path[0], c.value) for escalation in escalations for c in escalation.contenders}
    alarms = [escalation.path[0] for escalation in escalations]
    lost = sum(not _kept(found, contenders, name, value) for name, value in workload.contributions)
    wanted = sum(value for name, value in workload.contributions if name == "hits")
    lost += abs(wanted - found.get("hits", 0))
    false_alarms = sum(name not in workload.conflicts for name in alarms) + len(alarms) - len(set(alarms))
    return Tally(lost, false_alarms, sum(name not in alarms for name in workload.conflicts))


def _kept(found: dict[str, Any], contenders: set[Contribution], name: str, value: Any) -> bool:
    """Whether a contribution is there, once."""
    if name == "hits":
        return True  # the sum is looked at as a whole
    if name == "tags":
        return bool(found.get(name, []).count(value) == 1)
    if name == "notes":
        return bool(found.get(name, "").split("\n").count(value) == 1)
    return found.get(name) == value or (name, value) in contenders


def _mine(number: int) -> dict[str, Any]:
    return {"tags": [f"a{number}", f"b{number}"], "notes": f"Finding {number}.", "hits": 1}


def _contributed(count: int) -> tuple[Contribution, ...]:
    found: list[Contribution] = []
    for number in range(count):
        mine = _mine(number)
        found += [("tags", tag) for tag in mine["tags"]]
        found += [("notes", mine["notes"]), ("hits", 1)]
    return tuple(found)


def clean_merge(count: int) -> Workload:
    """Parallel nodes add tags, a line and a count each; all set one scalar to the same value, which is no conflict."""

    def put(store: BaseStore, number: int) -> Step:
        return lambda: store.put(SPACE, KEY, {**_mine(number), "status": "draft"})

    def play(store: BaseStore) -> None:
        run(store, [put(store, number) for number in range(count)])

    return Workload(f"clean_merge, {count} nodes", play, (*_contributed(count), ("status", "draft")))


def semantic_conflict(count: int) -> Workload:
    """Parallel nodes set one scalar to a value of their own each, and add a tag."""
    return _conflict(f"semantic_conflict, {count} nodes", count, SPACE)


def undeclared_conflict(count: int) -> Workload:
    """The same scalar without a model, and a field of each node's own."""
    return _conflict(f"semantic_conflict, {count} nodes, undeclared", count, PLAIN)


def _conflict(name: str, count: int, namespace: tuple[str, ...]) -> Workload:
    def other(number: int) -> dict[str, Any]:
        return {"tags": [f"a{number}"]} if namespace == SPACE else {f"field{number}": number}

    def put(store: BaseStore, number: int) -> Step:
        return lambda: store.put(namespace, KEY, {"status": f"version {number}", **other(number)})

    def play(store: BaseStore) -> None:
        run(store, [put(store, number) for number in range(count)])

    wanted: list[Contribution] = [("status", f"version {number}") for number in range(count)]
    for number in range(count):
        wanted.append(("tags", f"a{number}") if namespace == SPACE else (f"field{number}", number))
    return Workload(name, play, tuple(wanted), frozenset({"status"}), namespace)


def _grown(item: Any, number: int) -> dict[str, Any]:
    """What a node makes of what it read: the whole document with its own additions."""
    old: dict[str, Any] = item.value if item is not None else {"tags": [], "notes": "", "hits": 0}
    mine = _mine(number)
    lines = [line for line in (old["notes"], mine["notes"]) if line]
    return {"tags": [*old["tags"], *mine["tags"]], "notes": "\n".join(lines), "hits": old["hits"] + 1}


def get_think_put(count: int) -> Workload:
    """Parallel nodes read the document, work for 5 ms, and put it back with their additions."""

    def work(store: BaseStore, number: int) -> Step:
        def step() -> None:
            item = store.get(SPACE, KEY)
            time.sleep(THINKING)
            store.put(SPACE, KEY, _grown(item, number))

        return step

    def play(store: BaseStore) -> None:
        run(store, [lambda: store.put(SPACE, KEY, _grown(None, 0))], [work(store, n) for n in range(1, count + 1)])

    return Workload(f"get, think 5 ms, put, {count} nodes", play, _contributed(count + 1))


def async_workers() -> Workload:
    """The same by 20 parallel coroutines."""

    def work(store: BaseStore, number: int) -> AsyncStep:
        async def step() -> None:
            item = await store.aget(SPACE, KEY)
            await asyncio.sleep(THINKING)
            await store.aput(SPACE, KEY, _grown(item, number))

        return step

    def play(store: BaseStore) -> None:
        run_async(store, [work(store, number) for number in range(ASYNC_WORKERS)])

    return Workload(f"get, think 5 ms, put, {ASYNC_WORKERS} async workers", play, _contributed(ASYNC_WORKERS))


def sequence() -> Workload:
    """Four nodes one after the other, each reads, adds and sets the scalar anew: nothing concurrent, no alarm."""

    def work(store: BaseStore, number: int) -> Step:
        return lambda: store.put(SPACE, KEY, {**_grown(store.get(SPACE, KEY), number), "status": f"version {number}"})

    def play(store: BaseStore) -> None:
        run(store, *([work(store, number)] for number in range(4)))

    wanted = (*_contributed(4), ("status", "version 3"))
    return Workload("draft, review, done in sequence, 4 nodes", play, wanted, concurrent=False)
