"""What must be there after a workload, and who must have been told of what: from the workload and from what each task
had read, without the code that is tried."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from concordant.bench.stage import Seen, Trace
from concordant.bench.workload import Change, Task, Workload

__all__ = ["Fact", "Truth"]

_NOTHING = Seen()


@dataclass(frozen=True, slots=True, eq=False)
class Fact:
    """One contribution: an atomic change that one task makes."""

    task: Task
    change: Change
    kind: str

    @property
    def place(self) -> tuple[str, tuple[str, ...]]:
        """Document and path."""
        return self.change.doc, self.change.path


class Truth:
    """The exact model of a workload that was played.

    Two tasks of one round are *ordered* on a document if one read it after the other had written it, else concurrent;
    rounds are ordered.
    """

    def __init__(self, workload: Workload, trace: Trace) -> None:
        self.workload = workload
        self.trace = trace
        self.facts = [
            Fact(task, change, workload.fields[change.field].kind if change.field else "document")
            for task in workload.tasks
            for change in task.changes
        ]
        self._by_doc: defaultdict[str, list[Fact]] = defaultdict(list)
        for fact in self.facts:
            self._by_doc[fact.change.doc].append(fact)
        self.at: defaultdict[tuple[str, tuple[str, ...]], list[Fact]] = defaultdict(list)
        for fact in self.facts:
            self.at[fact.place].append(fact)
        self.deleted = {fact.change.doc: fact for fact in self.facts if fact.change.op == "delete"}
        self.rewritten = {fact.place for fact in self.facts if fact.change.op == "replace"}
        self.idle = {fact for fact in self.facts if self._is_idle(fact)}
        self._contested = {
            (turn, (alarm.doc, alarm.path)): alarm.contenders
            for turn, alarms in trace.contested.items()
            for alarm in alarms
        }
        self.conflicts = {place for place, _ in self._conflicts(policies=False)}
        self.settled = {place for place, _ in self._conflicts(policies=True)} - self.conflicts
        self.in_company = {fact for facts in self._groups() for fact in facts if self._has_company(fact, facts)}

    def concurrent(self, one: Fact, other: Fact) -> bool:
        """Whether neither task had read the document after the other had written it."""
        if one.task is other.task or one.task.round != other.task.round:
            return False
        doc = one.change.doc
        mine = self.trace.seen.get((one.task.number, doc), _NOTHING)
        theirs = self.trace.seen.get((other.task.number, doc), _NOTHING)
        return not (mine.has_read and mine.began > theirs.written) and not (
            theirs.has_read and theirs.began > mine.written
        )

    def had_seen(self, fact: Fact) -> list[Any]:
        """The values at a fact's path that its task knew: those it read, and those there, or contested, when its round
        began."""
        doc, path = fact.place
        seen = self.trace.seen.get((fact.task.number, doc), _NOTHING)
        before = self.trace.before.get((fact.task.round, doc))
        known = [_at(value, path) for value in (seen.value, before) if value is not None]
        return [*known, *self._contested.get((fact.task.round, fact.place), ())]

    def replaced(self, fact: Fact) -> bool:
        """Whether a task that knew a value has put another in its place, or deleted the document."""
        doc = fact.change.doc
        read = self.trace.seen.get((fact.task.number, doc), _NOTHING).value
        if fact.change.old and read is not None and not _has_words(fact.change.old, _at(read, fact.change.path)):
            return True  # it was to replace words that somebody whom it had read had replaced already
        for other in self.at[fact.place]:
            if other.task is not fact.task and other not in self.idle and other.task.round >= fact.task.round:
                known = self.had_seen(other)
                if fact.kind == "text":
                    new = fact.change.value
                    if other.change.old and any(_has_any(new, other.change.old, text) for text in known):
                        return True
                elif fact.kind in ("scalar", "map") and any(same(value, fact.change.value) for value in known):
                    return True
        deletion = self.deleted.get(doc)
        if deletion is None or deletion.task is fact.task or fact.change.op == "delete":
            return deletion is not None and fact.change.op == "delete" and self._written_later(fact)
        if deletion.task.round > fact.task.round:
            return True
        ordered = deletion.task.round == fact.task.round and not self.concurrent(deletion, fact)
        mine = self.trace.seen.get((fact.task.number, doc), _NOTHING)
        return ordered and self.trace.seen[deletion.task.number, doc].began > mine.written

    def _is_idle(self, fact: Fact) -> bool:
        """Whether a task set what it had read there already: a change of nothing."""
        doc, path = fact.place
        seen = self.trace.seen.get((fact.task.number, doc), _NOTHING)
        if fact.kind not in ("scalar", "map") or seen.value is None:
            return False
        return same(_at(seen.value, path), fact.change.value)

    def _written_later(self, deletion: Fact) -> bool:
        """Whether somebody who knew of a deletion has written the document anew."""
        for other in self._by_doc[deletion.change.doc]:
            if other.change.op != "delete" and other.task is not deletion.task:
                if other.task.round > deletion.task.round:
                    return True
                if other.task.round == deletion.task.round and not self.concurrent(other, deletion):
                    read = self.trace.seen[other.task.number, other.change.doc]
                    return read.began > self.trace.seen[deletion.task.number, other.change.doc].written
        return False

    def _groups(self) -> Iterator[list[Fact]]:
        """The facts at one path in one round."""
        found: defaultdict[Any, list[Fact]] = defaultdict(list)
        for fact in self.facts:
            found[fact.place, fact.task.round].append(fact)
        yield from found.values()

    def _has_company(self, fact: Fact, group: list[Fact]) -> bool:
        return any(self.concurrent(fact, other) for other in group)

    def _conflicts(self, *, policies: bool) -> Iterator[tuple[tuple[str, tuple[str, ...]], Fact]]:
        """The places of concurrent facts that cannot be merged."""
        for facts in self._groups():
            field = self.workload.fields.get(facts[0].change.field)
            if facts[0].kind not in ("scalar", "map", "text") or bool(field and field.resolve) != policies:
                continue
            last = {fact.task.number: fact for fact in facts} if facts[0].kind != "text" else dict(enumerate(facts))
            for one, other in combinations(last.values(), 2):
                if self.idle.isdisjoint((one, other)) and _differ(one, other) and self.concurrent(one, other):
                    yield one.place, one
                    break
        if policies:
            return
        for doc, deletion in self.deleted.items():
            for fact in self._by_doc[doc]:
                if fact.change.op != "delete" and self.concurrent(fact, deletion):
                    yield (doc, ()), deletion
                    break


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal, ``True``, 1 and 1.0 being three."""
    return type(one) is type(other) and bool(one == other)


def _differ(one: Fact, other: Fact) -> bool:
    """Whether two concurrent facts at one path cannot both stand."""
    if one.kind == "text":
        old, old_too = one.change.old, other.change.old
        return bool(old and old_too and _overlap(old, old_too)) and one.change.value != other.change.value
    return not same(one.change.value, other.change.value)


def _overlap(one: str, other: str) -> bool:
    """Whether two phrases have a word in common: they are meant to stand once in the text."""
    return bool(set(one.split()) & set(other.split()))


def _has_any(new: str, old: str, text: Any) -> bool:
    """Whether somebody who replaced ``old`` in a text replaced some of ``new``, which stood there."""
    return _has_words(new, text) and _overlap(new, old)


def _has_words(words: str, text: Any) -> bool:
    return isinstance(text, str) and set(words.split()) <= set(text.split())


def _at(value: dict[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = value
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    return found
