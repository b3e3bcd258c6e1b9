"""What a store must have in the end, computed from the workload alone: a small exact model."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from concordant.bench.outcome import Where
from concordant.bench.workload import Task, Workload

__all__ = ["Fact", "Truth", "truth_of"]


class Fact(NamedTuple):
    """One contribution that must not be lost: this value at this place, by these agents.

    Attributes:
        beside: others gave something to the same place at the same time.
    """

    key: str
    path: tuple[str, ...]
    kind: str
    value: Any
    agents: tuple[str, ...]
    beside: bool = False


class Truth(NamedTuple):
    """What has to be there in the end.

    Attributes:
        facts: the contributions that no later one, made by somebody who saw them, has replaced.
        totals: the sum of each counter.
        conflicts: where writers at work at the same time were of different minds.
        settled: where a declared policy has to decide, and how many contributions it sets aside.
        contributions: how many were made in all.
        kinds: the kind of each field.
        given: all that was ever given to a place, of a text its words.
    """

    facts: tuple[Fact, ...]
    totals: dict[Where, float]
    conflicts: frozenset[Where]
    settled: Mapping[Where, int]
    contributions: int
    kinds: Mapping[str, str]
    given: Mapping[Where, Sequence[Any]]


def truth_of(workload: Workload) -> Truth:
    """Follows a workload round by round."""
    model = _Model(workload)
    for tasks in workload.rounds:
        model.round(tasks)
    facts = [fact for facts in model.standing.values() for fact in facts]
    return Truth(
        tuple(facts),
        dict(model.totals),
        frozenset(model.conflicts),
        model.settled,
        model.contributions,
        workload.fields,
        model.given,
    )


class _Model:
    def __init__(self, workload: Workload) -> None:
        self._fields = workload.fields
        self._resolve = workload.resolve
        self.settled: dict[Where, int] = {}
        self.standing: dict[Where, list[Fact]] = {}
        self.totals: dict[Where, float] = {}
        self.conflicts: set[Where] = set()
        self._agreed: dict[Where, Any] = {}
        self.contributions = 0
        self.given: dict[Where, list[Any]] = {}
        for key, value in workload.start.items():
            for name, given in value.items():
                self._change(key, name, [("", given)])

    def round(self, tasks: Iterable[Task]) -> None:
        """Takes over what the tasks of a round do, all of which have seen what was there before it."""
        by_field: dict[tuple[str, str], list[tuple[str, Any]]] = {}
        deleters: dict[str, list[str]] = {}
        for task in tasks:
            for key, change in task.changes.items():
                if change is None:
                    deleters.setdefault(key, []).append(task.agent)
                    self.contributions += 1
                for name, given in (change or {}).items():
                    by_field.setdefault((key, name), []).append((task.agent, given))
        for key in deleters:
            there = [where for where in [*self.standing, *self.totals] if where[0] == key]
            if any(written == key for written, _ in by_field):
                if there:
                    self.conflicts.add((key, ()))
            else:
                for where in there:
                    self.standing.pop(where, None)
                    self.totals.pop(where, None)
                    self._agreed.pop(where, None)
        for (key, name), given in by_field.items():
            self._change(key, name, given)

    def _change(self, key: str, name: str, given: list[tuple[str, Any]]) -> None:
        kind, where = self._fields[name], (key, (name,))
        match kind:
            case "scalar":
                self._replace(where, kind, given)
            case "map":
                for entry, values in _by_entry(given).items():
                    self._replace((key, (name, entry)), kind, values)
            case "counter":
                self.totals[where] = self.totals.get(where, 0) + sum(amount for _, amount in given)
                self._add(where, kind, given)
            case "text":
                self._add(where, kind, [one for one in given if not isinstance(one[1], dict)])
                self._rewrite(where, [(agent, line["replace"]) for agent, line in given if isinstance(line, dict)])
            case _:
                self._add(where, kind, [(agent, one) for agent, values in given for one in values])

    def _add(self, where: Where, kind: str, given: list[tuple[str, Any]]) -> None:
        self.contributions += len(given)
        self._note(where, kind, (value for _, value in given))
        facts = self.standing.setdefault(where, [])
        beside = len({agent for agent, _ in given}) > 1
        before = len(facts)
        for agent, value in given:
            known = next((f for f in facts if kind == "set" and _same(f.value, value)), None)
            if known is not None and known in facts[:before]:
                continue  # who adds what he has seen there adds nothing
            if known is not None:
                facts[facts.index(known)] = known._replace(agents=(*known.agents, agent))
            else:
                facts.append(Fact(*where, kind, value, (agent,), beside))

    def _replace(self, where: Where, kind: str, given: list[tuple[str, Any]]) -> None:
        before = self.standing.get(where, [])
        self.contributions += len(given)
        self._note(where, kind, (value for _, value in given))
        if len(before) == 1:
            self._agreed[where] = before[0].value
        # Who gives back what he was shown, which in a conflict is the last agreed value, has changed nothing.
        shown = where in self._agreed and bool(before)
        news = [one for one in given if not (shown and _same(self._agreed[where], one[1]))]
        facts = self._settled(where, _by_value(where, kind, news))
        if facts:
            self.standing[where] = facts
        if len(facts) > 1:
            self.conflicts.add(where)

    def _settled(self, where: Where, facts: list[Fact]) -> list[Fact]:
        """What a declared policy leaves of several values."""
        policy = self._resolve.get(where[1][0])
        if policy is None or len(facts) < 2:
            return facts
        chosen = (max if policy == "max" else min)(facts, key=lambda fact: fact.value)
        aside = sum(len(fact.agents) for fact in facts if fact is not chosen)
        self.settled[where] = self.settled.get(where, 0) + aside
        return [chosen]

    def _note(self, where: Where, kind: str, values: Iterable[Any]) -> None:
        known = self.given.setdefault(where, [])
        for value in values:
            known.extend(value.split() if kind == "text" else [value])

    def _rewrite(self, where: Where, given: list[tuple[str, list[str]]]) -> None:
        """Words replaced: two who replace one word differently are of different minds."""
        facts = self.standing.setdefault(where, [])
        rewritten: dict[str, dict[str, list[str]]] = {}
        for agent, (old, new) in given:
            self.contributions += 1
            self._note(where, "text", [new])
            rewritten.setdefault(old, {}).setdefault(new, []).append(agent)
        for old, news in rewritten.items():
            facts[:] = [fact for fact in facts if old not in fact.value.split()]
            facts += [Fact(*where, "text", new, tuple(agents), len(given) > 1) for new, agents in news.items()]
            if len(news) > 1:
                self.conflicts.add(where)


def _by_entry(given: list[tuple[str, Any]]) -> dict[str, list[tuple[str, Any]]]:
    """What was given to each entry of a map."""
    entries: dict[str, list[tuple[str, Any]]] = {}
    for agent, values in given:
        for entry, value in values.items():
            entries.setdefault(entry, []).append((agent, value))
    return entries


def _by_value(where: Where, kind: str, given: list[tuple[str, Any]]) -> list[Fact]:
    """One fact for each different value, by all who gave it."""
    facts: list[Fact] = []
    for agent, value in given:
        known = next((fact for fact in facts if _same(fact.value, value)), None)
        if known is not None:
            facts[facts.index(known)] = known._replace(agents=(*known.agents, agent), beside=True)
        else:
            facts.append(Fact(*where, kind, value, (agent,)))
    return facts


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
