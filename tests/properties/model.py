"""An exact reference model of observed-remove registers, naive on purpose and independent of the engine's code.

It keeps every write ever made with the explicit set of writes that its author had seen, and computes what is live by
the definition: a write's entry at a path is live unless another known write that had seen it replaced it. No version
vectors, no merging: two replicas join by the union of the writes they know.

The paths of a document: ``(field,)`` for a scalar, ``(field, element)`` for sets, ``(field, key)`` for maps,
``(field, (replica, agent))`` for counters (each agent has one sum), ``(field, None)`` for the mark that a field exists
though it may be empty, and ``()`` for the document itself (a deletion, or the mark that it exists).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Dot = tuple[str, int]
Stamp = tuple[float, str, int, str]
Path = tuple[Any, ...]

ROOT: Path = ()
MARK = "{}"
REMOVED = "\x00removed"


def text_of(value: Any) -> str:
    """A value by type and content: ``True``, ``1`` and ``1.0`` differ, the order of keys does not matter."""
    return json.dumps(value, sort_keys=True)


@dataclass(frozen=True)
class Base:
    """What stood before a disagreement: the place of the write that set it, and its value (``None``: deleted)."""

    place: tuple[float, str, int]
    value: str | None


@dataclass(frozen=True)
class Effect:
    """What a write does at one path: its own value (``None`` deletes, ``REMOVED`` leaves nothing) and what goes."""

    value: str | None
    gone: frozenset[Dot] = frozenset()
    base: Base | None = None
    confirms: tuple[Stamp, ...] = ()
    place: int = 0


@dataclass(frozen=True)
class Write:
    """One write with all its effects, and what its author had seen. ``buries`` tells that it began anew a document
    whose deletion it had seen."""

    doc: str
    stamp: Stamp
    effects: Mapping[Path, Effect]
    deletes: bool = False
    buries: bool = False
    seen: frozenset[Dot] = frozenset()

    @property
    def dot(self) -> Dot:
        return self.stamp[1:3]


@dataclass(frozen=True)
class Live:
    """A live entry of a register."""

    stamp: Stamp
    value: str | None
    base: Base | None
    stamps: tuple[Stamp, ...]
    place: int = 0

    @property
    def dot(self) -> Dot:
        return self.stamp[1:3]

    @property
    def agents(self) -> frozenset[str]:
        return frozenset(stamp[3] for stamp in self.stamps)


def agreed(entries: Iterable[Live]) -> Base | None:
    """The newest of what live entries carry; of several from one place, that of the oldest entry."""
    carried = [entry.base for entry in sorted(entries, key=lambda entry: entry.stamp) if entry.base]
    return max(carried, key=lambda base: base.place, default=None)


class Registers:
    """The live entries of one document for somebody who knows certain writes."""

    def __init__(self, writes: Iterable[Write], begins_anew: frozenset[Dot] = frozenset()) -> None:
        self.writes = list(writes)
        tombs_over = {w.dot: w.effects[ROOT].gone for w in self.writes if ROOT in w.effects}
        live_tombs = {w.dot for w in self.writes if w.deletes}
        for gone in tombs_over.values():
            live_tombs -= gone
        live_tombs -= begins_anew
        # Who began the document anew has let go of what the deletions it had seen removed, whoever deletes it again.
        buried = {dot for w in self.writes if w.buries for dot in tombs_over[w.dot]}
        soft = set(live_tombs)  # deletions whose effect can still be seen through
        while True:
            more = {
                w.dot
                for w in self.writes
                if w.deletes
                and w.dot not in soft
                and w.dot not in buried
                and any(
                    w.dot in tombs_over.get(other.dot, ())
                    and (other.dot in soft if other.deletes else not other.buries)
                    for other in self.writes
                )
            }
            if not more:
                break
            soft |= more
        self.hard = self._live(frozenset())
        self.shown = self._live(frozenset(soft))
        self.tombs = [entry for entry in self.hard.get(ROOT, []) if entry.value is None]

    def _live(self, soft: frozenset[Dot]) -> dict[Path, list[Live]]:
        gone: dict[Path, set[Dot]] = {}
        for write in self.writes:
            for path, effect in write.effects.items():
                if path == ROOT or write.dot not in soft:
                    gone.setdefault(path, set()).update(effect.gone)
        result: dict[Path, list[Live]] = {}
        for write in self.writes:
            for path, effect in write.effects.items():
                if effect.value != REMOVED and write.dot not in gone[path]:
                    entry = Live(write.stamp, effect.value, effect.base, (*effect.confirms, write.stamp), effect.place)
                    result.setdefault(path, []).append(entry)
        return result

    def below(self) -> bool:
        """Whether anything below the document stands, deletions apart."""
        return any(e.value is not None for path, entries in self.hard.items() if path != ROOT for e in entries)

    def alive(self) -> bool:
        """Whether anything stands that keeps a deleted document readable."""
        return self.below() or any(entry.value is not None for entry in self.hard.get(ROOT, []))


class Plan:
    """The effects of one write in the making."""

    def __init__(
        self,
        writes: Iterable[Write],
        seen: frozenset[Dot],
        kinds: Mapping[str, str] | None,
        writer: tuple[str, str] = ("", ""),
    ) -> None:
        self.kinds = kinds
        self.writer = writer
        self.seen = seen
        self.effects: dict[Path, Effect] = {}
        self.deletes = self.buries = False
        self.known = list(writes)
        self.now = Registers(self.known)

    def at(self, path: Path) -> list[Live]:
        return self.now.shown.get(path, [])

    def gone(self, path: Path) -> list[Live]:
        return [entry for entry in self.at(path) if entry.dot in self.seen]

    def enter(self) -> None:
        """A deletion that the writer has seen gives way to its write."""
        tombs = frozenset(tomb.dot for tomb in self.now.tombs if tomb.dot in self.seen)
        if not tombs:
            return
        if self.now.alive():
            self.effects[ROOT] = Effect(MARK, tombs)
        else:
            self.effects[ROOT] = Effect(REMOVED, tombs)
            self.buries = True
            self.now = Registers(self.known, tombs)

    def replace(
        self, path: Path, value: str | None, *, place: int = 0, deciding: bool = False, sticky: bool = False
    ) -> None:
        entries = self.at(path)
        contested = len({entry.value for entry in entries}) > 1
        gone = [] if sticky and contested and not deciding else self.gone(path)
        base = None
        if contested:
            base = agreed(gone)
            if deciding:
                base = Base(base.place if base else (0.0, "", 0), value)
        elif gone:
            newest = max(gone, key=lambda entry: entry.stamp)
            base = Base(newest.stamp[:3], newest.value)
        oldest: dict[str, Stamp] = {}
        for stamp in sorted(s for entry in gone if entry.value == value for s in entry.stamps):
            oldest.setdefault(stamp[3], stamp)
        if oldest:
            place = min((min(e.stamps), e.place) for e in gone if e.value == value)[1]
        self.effects[path] = Effect(value, frozenset(e.dot for e in gone), base, tuple(oldest.values()), place)

    def mark(self, path: Path) -> None:
        seen = frozenset(e.dot for e in self.now.hard.get(path, []) if e.value is not None and e.dot in self.seen)
        before = self.effects[path].gone if path in self.effects else frozenset()
        self.effects[path] = Effect(MARK, seen | before)

    def kind(self, name: str) -> str:
        return self.kinds[name] if self.kinds is not None else "scalar"

    def contribute(self, name: str, value: Any) -> None:
        kind = self.kind(name)
        if kind == "counter":
            path = (name, self.writer)
            earlier = self.at(path)
            total = value + sum(json.loads(entry.value or "0") for entry in earlier)
            self.effects[path] = Effect(text_of(total), frozenset(entry.dot for entry in earlier))
        elif kind == "set":
            for place, item in enumerate(value):
                self.replace((name, text_of(item)), text_of(item), place=place)
        elif kind == "map":
            for key, item in value.items():
                self.replace((name, key), text_of(item))
        else:
            self.replace((name,), text_of(value), sticky=kind == "sticky")
        if kind in ("set", "map") and not value:
            self.mark((name, None))

    def change(self, name: str, before: Any, after: Any) -> None:
        """The difference between what was read and what it became."""
        kind = self.kind(name)
        if kind == "counter":
            if after != before:
                self.contribute(name, after - before)
        elif kind in ("set", "map"):
            old = {text_of(i): i for i in before} if kind == "set" else before
            new = {text_of(i): i for i in after} if kind == "set" else after
            for place, (key, item) in enumerate(new.items()):
                if key not in old or text_of(old[key]) != text_of(item):
                    self.replace((name, key), text_of(item), place=place if kind == "set" else 0)
            for key in (dropped := [key for key in old if key not in new]):
                if kind == "map":
                    self.replace((name, key), None)
                elif gone := frozenset(e.dot for e in self.gone((name, key))):
                    self.effects[(name, key)] = Effect(REMOVED, gone)
            if dropped:
                self.mark((name, None))
        elif text_of(before) != text_of(after):
            self.contribute(name, after)

    def leave_out(self, kept: Iterable[str], read: Iterable[str] | None) -> None:
        """A put of an undeclared document: what was read (where nothing was: what is seen) and left out goes; what has
        replaced it meanwhile is an update beside its removal."""
        names = [p[0] for p in self.now.shown if p and p[0] not in kept and (read is None or p[0] in read)]
        seen = [n for n in names if any(e.value is not None for e in self.gone((n,)))]
        gone = seen if read is None else [n for n in names if self.at((n,))]
        for name in gone:
            self.replace((name,), None)
        if gone:
            self.mark(ROOT)

    def delete(self) -> None:
        tombs = frozenset(e.dot for e in self.gone(ROOT))
        seen_writes = [write for write in self.known if write.dot in self.seen]
        ended = frozenset[Dot]().union(*(write.seen for write in seen_writes if write.deletes))
        existed = any(write.dot not in ended for write in seen_writes if not write.deletes)
        found = bool(self.now.tombs) or bool(tombs) or existed
        for path, entries in self.now.shown.items():
            seen = frozenset(entry.dot for entry in entries if entry.dot in self.seen)
            if path != ROOT and seen:
                self.effects[path] = Effect(REMOVED, seen)
                found = True
        if found:
            self.deletes = True
            self.effects[ROOT] = Effect(None, tombs)

    def made(self, doc: str, stamp: Stamp) -> Write:
        return Write(doc, stamp, dict(self.effects), self.deletes, self.buries, self.seen)
