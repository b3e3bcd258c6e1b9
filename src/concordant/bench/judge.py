"""Holds what a strategy has against the truth."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import Any

from concordant.bench.stage import Trace
from concordant.bench.steps import DELETION, Alarm, Strategy
from concordant.bench.truth import Fact, Truth, same
from concordant.bench.workload import Workload

__all__ = ["Outcome", "judge"]

_FORMS: dict[str, Any] = {
    "set": list,
    "text": str,
    "list": list,
    "counter": (int, float),
    "map": dict,
}


@dataclass(slots=True)
class Outcome:
    """What became of the contributions of a workload; the first seven add up to all of them.

    Attributes:
        kept: in the value, where nobody else wrote at the same time.
        merged: in the value, beside others that were written at the same time.
        resolved: a conflict that a declared policy, a person or a later writer has settled, on record.
        escalated: a contender of a conflict that is open.
        superseded: replaced by somebody who had read it.
        lost: nowhere, and nobody was told.
        corrupted: there twice, or in a value that is not of its field's type.
        strange: values that nobody wrote, such as markers of a conflict; counted by field.
        false_alarms: conflicts told of that were none.
        missed_alarms: conflicts that nobody was told of.
        shown: contributions that stand in a value (deletions do not).
        attributed: how many of those name their agent.
    """

    kept: int = 0
    merged: int = 0
    resolved: int = 0
    escalated: int = 0
    superseded: int = 0
    lost: int = 0
    corrupted: int = 0
    strange: int = 0
    false_alarms: int = 0
    missed_alarms: int = 0
    shown: int = 0
    attributed: int = 0

    @property
    def contributions(self) -> int:
        """All of them."""
        return self.kept + self.merged + self.resolved + self.escalated + self.superseded + self.lost + self.corrupted

    @property
    def attribution(self) -> float | None:
        """The share of what is in the value that names its agent; ``None`` where nothing is."""
        return self.attributed / self.shown if self.shown else None

    @property
    def right(self) -> bool:
        """Nothing lost or corrupted, no false alarm, no missed one."""
        return not (self.lost or self.corrupted or self.strange or self.false_alarms or self.missed_alarms)

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def judge(workload: Workload, trace: Trace, strategy: Strategy) -> Outcome:
    """Looks for every contribution in what the strategy holds, and at every alarm."""
    return _Judge(Truth(workload, trace), strategy).outcome()


class _Judge:
    def __init__(self, truth: Truth, strategy: Strategy) -> None:
        self.truth = truth
        docs = {fact.change.doc for fact in truth.facts}
        self.values = {doc: strategy.value(doc) for doc in docs}
        self.credits = {doc: strategy.credits(doc) for doc in docs}
        self.settled = {(doc, path) for doc in docs for path in strategy.settled(doc)}
        self.alarms: dict[tuple[str, tuple[str, ...]], list[Alarm]] = {}
        for alarm in strategy.alarms():
            self.alarms.setdefault((alarm.doc, alarm.path), []).append(alarm)
        self.wrong_sums = self._wrong_sums()

    def outcome(self) -> Outcome:
        found = Outcome()
        fates = {fact: self.fate(fact) for fact in self.truth.facts}
        torn = {(fact.place, fact.task.round) for fact, fate in fates.items() if fate in ("lost", "corrupted")}
        for fact, fate in fates.items():
            if fate == "kept" and fact in self.truth.in_company and (fact.place, fact.task.round) not in torn:
                fate = "merged"
            setattr(found, fate, getattr(found, fate) + 1)
            if fate in ("kept", "merged") and fact.change.op != "delete" and fact not in self.truth.idle:
                found.shown += 1
                found.attributed += self.names_agent(fact)
        for place, alarms in self.alarms.items():
            if place not in self.truth.conflicts:
                found.false_alarms += len(alarms)
        told = self.alarms.keys() | self.settled
        found.missed_alarms = sum(place not in told for place in self.truth.conflicts | self.truth.settled)
        found.strange = sum(self.is_strange(doc, field) for doc in self.values for field in self.truth.workload.fields)
        return found

    def fate(self, fact: Fact) -> str:
        """What became of one contribution."""
        count = self.count(fact)
        if count == "double":
            return "corrupted"
        mine = self.alarms.get(fact.place, ())
        alarms = [alarm for alarm in mine if _holds(alarm, fact)]
        # An equal value may be that of another task, or be shown until those that replaced it are decided upon.
        unsure = count and fact.kind in ("scalar", "map") and not alarms
        if unsure and (self.truth.replaced(fact) or any(alarm.open for alarm in mine)):
            return "superseded"
        if count:
            return "kept"
        if fact in self.truth.idle:
            return "superseded"
        alarms += [alarm for alarm in self.alarms.get((fact.change.doc, ()), ()) if fact.change.op != "delete"]
        if alarms:
            return "escalated" if any(alarm.open for alarm in alarms) else "resolved"
        if fact.place in self.settled and fact.place in self.truth.settled:
            return "resolved"
        return "superseded" if self.truth.replaced(fact) else "lost"

    def count(self, fact: Fact) -> bool | str:
        """Whether a contribution is in the value; ``double`` if it is there more often than it was made."""
        value, change = self.values[fact.change.doc], fact.change
        found: Any
        if change.op == "delete":
            return value is None
        found = (value or {}).get(change.field)
        if fact.kind == "counter":
            return self.wrong_sums.get(fact, found is not None)
        if not isinstance(found, _FORMS.get(fact.kind, object)):
            return False
        if fact.kind == "set":
            times = sum(same(element, change.value) for element in found)
            return "double" if times > 1 else times == 1
        if fact.kind == "scalar":
            return same(found, change.value)
        if fact.kind == "map":
            return change.key in found and same(found[change.key], change.value)
        if change.op == "replace" or fact.place in self.truth.rewritten:
            return self._words_are_there(fact, found)
        items = found.split("\n") if fact.kind == "text" else found
        equal = [other for other in self.truth.at[fact.place] if same(other.change.value, change.value)]
        times = sum(same(item, change.value) for item in items)
        return "double" if times > len(equal) else equal.index(fact) < times

    def _words_are_there(self, fact: Fact, text: str) -> bool:
        """Whether the words that a task wrote are in a text, those apart that others have rewritten."""
        others = [other for other in self.truth.at[fact.place] if other is not fact and other.change.old]
        rewritten = {word for other in others for word in (other.change.old or "").split()}
        there = set(text.split())
        own = str(fact.change.value).split()
        return all(word in there or word in rewritten for word in own) and any(word in there for word in own)

    def _wrong_sums(self) -> dict[Fact, bool | str]:
        """The increments that are missing or double, as many as explain a sum that is not right."""
        wrong: dict[Fact, bool | str] = {}
        for (doc, path), facts in self.truth.at.items():
            if facts[0].kind != "counter" or doc in self.truth.deleted:
                continue
            found = (self.values[doc] or {}).get(path[0], 0)
            found = found if isinstance(found, (int, float)) else 0
            off = sum(fact.change.value for fact in facts) - found
            for fact in sorted(facts, key=lambda fact: -abs(fact.change.value)):
                if off == 0:
                    break
                wrong[fact] = False if off * fact.change.value > 0 else "double"
                explained = min(abs(off), abs(fact.change.value))
                off -= explained if off > 0 else -explained
        return wrong

    def is_strange(self, doc: str, field: str) -> bool:
        """Whether a field shows what is not of its type, or what nobody wrote."""
        value: Any = (self.values[doc] or {}).get(field)
        parts: list[tuple[tuple[str, ...], Any]]
        kind = self.truth.workload.fields[field].kind
        if value is None or kind == "counter":
            return isinstance(value, bool) or not isinstance(value, (int, float, type(None)))
        if not isinstance(value, _FORMS.get(kind, object)):
            return True
        if kind == "map":
            parts = [((field, key), item) for key, item in value.items()]
        elif kind == "text":
            parts = [((field,), word) for word in value.split()]
        else:
            parts = [((field,), item) for item in (value if isinstance(value, list) else [value])]
        for path, part in parts:
            made = [fact.change.value for fact in self.truth.at.get((doc, path), ())]
            if kind == "text":
                made = [word for text in made for word in str(text).split()]
            if not any(same(part, one) for one in made):
                return True
        return False

    def names_agent(self, fact: Fact) -> bool:
        """Whether the credits name the agent of a contribution that is in the value."""
        credits = (self.credits[fact.change.doc] or {}).get(fact.change.path, ())
        exact = fact.kind in ("set", "scalar", "map", "list")
        agents = {a for value, named in credits for a in named if not exact or same(value, fact.change.value)}
        # An equal value that was set later stands in its place.
        later = (f for f in self.truth.at[fact.place] if f.task.round > fact.task.round)
        return fact.task.agent in agents or (
            exact and any(f.task.agent in agents for f in later if same(f.change.value, fact.change.value))
        )


def _holds(alarm: Alarm, fact: Fact) -> bool:
    """Whether a contribution is among the contenders of an alarm."""
    if fact.change.op == "delete":
        return DELETION in alarm.contenders
    if fact.kind == "text":
        words = Counter(str(fact.change.value).split())
        return any(isinstance(c, str) and words <= Counter(c.split()) for c in alarm.contenders)
    return any(same(c, fact.change.value) for c in alarm.contenders)
