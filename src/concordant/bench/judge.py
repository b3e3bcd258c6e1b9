"""Holds what a store has against what it must have."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NamedTuple

from concordant.bench.outcome import Outcome, Where
from concordant.bench.truth import Fact, Truth

__all__ = ["Verdict", "judge"]


class Verdict(NamedTuple):
    """What became of a workload.

    Attributes:
        contributions: how many were made.
        kept: those that must be there and are in a value.
        escalated: those that are among the contenders of an open conflict.
        lost: those that are in neither.
        corrupted: values that are doubled, miscounted, do not fit their field, or that nobody has given.
        false: alarms without a conflict.
        missed: conflicts without an alarm.
        attributed: those of the kept and escalated ones whose agents the store can name.
        merged: those of the kept ones to whose places others gave something at the same time, all of which is there.
        resolved: those that a declared policy set aside, on record.
    """

    contributions: int = 0
    kept: int = 0
    escalated: int = 0
    lost: int = 0
    corrupted: int = 0
    false: int = 0
    missed: int = 0
    attributed: int = 0
    merged: int = 0
    resolved: int = 0

    @property
    def right(self) -> bool:
        """Nothing lost or corrupted, no alarm false or missed."""
        return not (self.lost or self.corrupted or self.false or self.missed)


def judge(truth: Truth, outcome: Outcome, *, serial: bool = False) -> Verdict:
    """The verdict.

    Args:
        serial: the writers of a round came one after the other, each having seen and thought about what the one before
            had written: so there is no conflict, and of several minds the last one's stands.
    """
    kept = escalated = lost = attributed = 0
    torn: set[Where] = set()
    for fact in truth.facts:
        if fact.kind == "counter":
            continue
        if _holds(_at(outcome, fact), fact):
            kept += 1
            attributed += _names(outcome.credits.get((fact.key, fact.path), ()), fact)
        elif _among(outcome, fact):
            escalated += 1
            attributed += _names(_contenders(outcome, fact), fact)
        elif not (serial and {(fact.key, fact.path), (fact.key, ())} & (truth.conflicts | truth.settled.keys())):
            lost += 1
            torn.add((fact.key, fact.path))
        else:
            torn.add((fact.key, fact.path))
    for fact in truth.facts:
        if fact.kind == "counter":
            credit = [agents for _, agents in outcome.credits.get((fact.key, fact.path), ())]
            attributed += any(set(fact.agents) <= set(agents) for agents in credit)
    miscounted = 0
    for (key, path), total in truth.totals.items():
        count = sum(fact.kind == "counter" and (fact.key, fact.path) == (key, path) for fact in truth.facts)
        found = _get(outcome.values.get(key), path)
        missing = total - (found if isinstance(found, (int, float)) else 0)
        if missing > 0:
            lost += min(count, max(1, round(missing / (total / count))))
            kept += count - min(count, max(1, round(missing / (total / count))))
            torn.add((key, path))
        else:
            kept += count
            miscounted += missing < 0
    conflicts: frozenset[Where] = frozenset() if serial else truth.conflicts
    resolved = sum(count for where, count in truth.settled.items() if where in outcome.settled)
    silent = [] if serial else [count for where, count in truth.settled.items() if where not in outcome.settled]
    standing = (f for f in truth.facts if f.beside and (f.key, f.path) not in torn | conflicts)
    merged = 0 if serial else sum(1 for _ in standing)
    return Verdict(
        truth.contributions,
        kept,
        escalated,
        lost + sum(silent),
        miscounted + _doubled(truth, outcome) + _strange(truth, outcome),
        len(outcome.alarms - conflicts),
        len(conflicts - outcome.alarms) + len(silent),
        attributed,
        merged,
        resolved,
    )


def _at(outcome: Outcome, fact: Fact) -> Any:
    return _get(outcome.values.get(fact.key), fact.path)


def _get(value: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _holds(value: Any, fact: Fact) -> bool:
    if fact.kind in ("set", "list"):
        return isinstance(value, list) and any(_same(one, fact.value) for one in value)
    if fact.kind == "text":
        return isinstance(value, str) and _stands(fact.value, value)
    return value is not None and _same(value, fact.value)


def _stands(words: str, text: str) -> bool:
    """Whether a line, or a single word, stands in a text."""
    return words in text.splitlines() or (" " not in words and words in text.split())


def _contenders(outcome: Outcome, fact: Fact) -> list[tuple[Any, tuple[str, ...]]]:
    """What contends at the place of a contribution, or for the document it is in."""
    found = outcome.contenders
    return [
        *found.get((fact.key, fact.path), ()),
        *found.get((fact.key, fact.path[:1]), ()),
        *found.get((fact.key, ()), ()),
    ]


def _among(outcome: Outcome, fact: Fact) -> bool:
    for value, _ in _contenders(outcome, fact):
        if _same(value, fact.value) or _holds(value, fact):
            return True
        if isinstance(value, dict) and _holds(_get(value, fact.path), fact):
            return True
    return False


def _names(credits: Any, fact: Fact) -> bool:
    """Whether the store can say who contributed something. What was there before has no agent."""
    if fact.agents == ("",):
        return True
    for value, agents in credits:
        fits = _same(value, fact.value) or (isinstance(value, str) and fact.kind == "text" and fact.value in value)
        if fits and set(fact.agents) - {""} <= set(agents):
            return True
    return False


def _doubled(truth: Truth, outcome: Outcome) -> int:
    """How many lines and items stand there more often than they were given."""
    given = Counter((f.key, f.path, json.dumps(f.value)) for f in truth.facts if f.kind in ("text", "list"))
    doubled = 0
    for (key, path, dumped), count in given.items():
        value, wanted = _get(outcome.values.get(key), path), json.loads(dumped)
        if isinstance(value, str):
            words = value.splitlines() if " " in wanted else value.split()
            doubled += max(0, words.count(wanted) - count)
        elif isinstance(value, list):
            doubled += max(0, sum(_same(one, wanted) for one in value) - count)
    return doubled


_FORMS: dict[str, Any] = {"set": list, "list": list, "map": dict, "text": str, "counter": (int, float)}


def _strange(truth: Truth, outcome: Outcome) -> int:
    """How many fields show what does not fit them, or what nobody gave: a mark of a conflict, for example."""
    return sum(
        _is_strange(truth, key, name, value)
        for key, document in outcome.values.items()
        for name, value in (document or {}).items()
    )


def _is_strange(truth: Truth, key: str, name: str, value: Any) -> bool:
    kind = truth.kinds.get(name)
    if kind is None or not isinstance(value, _FORMS.get(kind, object)) or (kind == "counter" and value is True):
        return True
    parts: list[tuple[tuple[str, ...], Any]]
    match kind:
        case "counter":
            return False  # its sum is looked at
        case "map":
            parts = [((name, entry), part) for entry, part in value.items()]
        case "text":
            parts = [((name,), word) for word in value.split()]
        case "set" | "list":
            parts = [((name,), part) for part in value]
        case _:
            parts = [((name,), value)]
    given = {path: {_dumped(one) for one in truth.given.get((key, path), ())} for path, _ in parts}
    return any(_dumped(part) not in given[path] for path, part in parts)


def _dumped(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _same(one: Any, other: Any) -> bool:
    return _dumped(one) == _dumped(other)
