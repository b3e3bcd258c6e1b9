"""Holds what a store has against what it must have."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

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
    """Returns the verdict.

    Args:
        serial: the writers of a round came one after the other, each having seen and thought about what the one before
            had written: so there is no conflict, and of several minds the last one's stands.
    """
    found = _Found(truth, outcome)
    for fact in truth.facts:
        if fact.kind == "counter":
            found.amount(fact)
        else:
            found.take(fact, serial=serial)
    for where, total in truth.totals.items():
        found.total(where, total)
    conflicts: frozenset[Where] = frozenset() if serial else truth.conflicts
    silent = [] if serial else [count for where, count in truth.settled.items() if where not in outcome.settled]
    standing = [f for f in truth.facts if f.beside and (f.key, f.path) not in found.torn | conflicts]
    return Verdict(
        contributions=truth.contributions,
        kept=found.kept,
        escalated=found.escalated,
        lost=found.lost + sum(silent),
        corrupted=found.miscounted + _doubled(truth, outcome) + _strange(truth, outcome),
        false=len(outcome.alarms - conflicts),
        missed=len(conflicts - outcome.alarms) + len(silent),
        attributed=found.attributed,
        merged=0 if serial else len(standing),
        resolved=sum(count for where, count in truth.settled.items() if where in outcome.settled),
    )


class _Found:
    """What became of contributions, counted one by one.

    Attributes:
        torn: where something is not in the value.
    """

    def __init__(self, truth: Truth, outcome: Outcome) -> None:
        self._truth = truth
        self._outcome = outcome
        self.kept = self.escalated = self.lost = self.attributed = self.miscounted = 0
        self.torn: set[Where] = set()

    def take(self, fact: Fact, *, serial: bool) -> None:
        """Looks for a contribution in the value, then among the contenders."""
        where = (fact.key, fact.path)
        if _holds(_at(self._outcome, fact), fact):
            self.kept += 1
            self.attributed += _names(self._outcome.credits.get(where, ()), fact)
        elif _among(self._outcome, fact):
            self.escalated += 1
            self.attributed += _names(_contenders(self._outcome, fact), fact)
        else:
            replaced = {where, (fact.key, ())} & (self._truth.conflicts | self._truth.settled.keys())
            self.lost += not (serial and replaced)
            self.torn.add(where)

    def amount(self, fact: Fact) -> None:
        """Looks whether the store can name whose amount it is."""
        credit = [agents for _, agents in self._outcome.credits.get((fact.key, fact.path), ())]
        self.attributed += any(set(fact.agents) <= set(agents) for agents in credit)

    def total(self, where: Where, total: float) -> None:
        """Tells from a counter's sum how many of its amounts are missing."""
        count = sum(fact.kind == "counter" and (fact.key, fact.path) == where for fact in self._truth.facts)
        found = _get(self._outcome.values.get(where[0]), where[1])
        missing = total - (found if isinstance(found, (int, float)) else 0)
        gone = min(count, max(1, round(missing / (total / count)))) if missing > 0 else 0
        self.lost += gone
        self.kept += count - gone
        self.miscounted += missing < 0
        if gone:
            self.torn.add(where)


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
    parts = [] if kind == "counter" else _PARTS.get(kind, _whole)(name, value)  # of a counter the sum is looked at
    given = {path: {_dumped(one) for one in truth.given.get((key, path), ())} for path, _ in parts}
    return any(_dumped(part) not in given[path] for path, part in parts)


_Parts: TypeAlias = "list[tuple[tuple[str, ...], Any]]"


def _whole(name: str, value: Any) -> _Parts:
    return [((name,), value)]


def _each(name: str, value: Any) -> _Parts:
    return [((name,), part) for part in value]


_PARTS: dict[str, Callable[[str, Any], _Parts]] = {
    "map": lambda name, value: [((name, entry), part) for entry, part in value.items()],
    "text": lambda name, value: _each(name, value.split()),
    "set": _each,
    "list": _each,
}
"""The parts of a field's value that somebody must have given, each with its path."""


def _dumped(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _same(one: Any, other: Any) -> bool:
    return _dumped(one) == _dumped(other)
