"""Reads and writes the root containers of a ``LoroDoc``; the callers guard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from loro import (
    ContainerID,
    Diff,
    DiffEvent,
    ExportMode,
    ListDiffItem,
    LoroDoc,
    TextDelta,
)

from concordant.spi import letter_hunks, list_hunks
from concordant_loro.shape import Roots

__all__ = ["EMPTY", "Alteration", "Places", "changes_in", "new_doc", "read", "read_root", "snapshot_of", "write"]

Places: TypeAlias = "dict[str, list[tuple[int, int, int]]]"
"""What was done to texts and lists, by root: each part that was changed, by its start and end, and how long it is now
(letters or items)."""


EMPTY: dict[str, Any] = {"text": "", "list": [], "map": {}}
"""What a root shows that is not there, by its sort."""


def new_doc() -> LoroDoc:
    """Returns an empty Loro document."""
    return LoroDoc()  # type: ignore[no-untyped-call]


def kind_of(name: str) -> str:
    """Returns the sort of Loro container that a root is: ``text``, ``list`` or ``map``."""
    kind = name.partition(":")[0]
    return kind if kind in ("text", "list") else "map"


def read(doc: LoroDoc) -> Roots:
    """Returns the content of all root containers."""
    value: Any = doc.get_value()
    return {name: read_root(doc, name) for name in value}


def read_root(doc: LoroDoc, name: str) -> Any:
    """Returns the content of one root container."""
    kind = kind_of(name)
    if kind == "text":
        return doc.get_text(name).to_string()
    return doc.get_list(name).get_value() if kind == "list" else doc.get_map(name).get_value()


@dataclass
class Alteration:
    """What one step, an import or a checkout, did to a document.

    Attributes:
        places: where it changed texts and lists.
        roots: the root containers that it changed.
    """

    places: Places = field(default_factory=dict)
    roots: list[str] = field(default_factory=list)


@contextmanager
def changes_in(doc: LoroDoc) -> Iterator[Alteration]:
    """Notes what one step does to the root containers of a document."""
    events: list[DiffEvent] = []
    step = Alteration()
    subscription = doc.subscribe_root(events.append)
    try:
        yield step
    finally:
        subscription.unsubscribe()
    for event in events:
        for one in event.events:
            if isinstance(one.target, ContainerID.Root):
                step.roots.append(one.target.name)
                if isinstance(one.diff, (Diff.Text, Diff.List)):
                    step.places[one.target.name] = _parts(one.diff.diff)


def _parts(steps: Iterable[TextDelta | ListDiffItem]) -> list[tuple[int, int, int]]:
    """The parts that were changed, of steps one after the other."""
    parts: list[tuple[int, int, int]] = []
    start = end = length = 0
    for step in steps:
        if isinstance(step, (TextDelta.Insert, ListDiffItem.Insert)):
            length += len(step.insert)
        elif isinstance(step, (TextDelta.Delete, ListDiffItem.Delete)):
            end += step.delete
        elif isinstance(step, (TextDelta.Retain, ListDiffItem.Retain)):
            if end > start or length:
                parts.append((start, end, length))
            start = end = end + step.retain
            length = 0
    return [*parts, (start, end, length)] if end > start or length else parts


def write(doc: LoroDoc, before: Roots, after: Roots) -> bool:
    """Makes a document that shows ``before`` show ``after``, by few operations; tells whether there were any."""
    changed = False
    for name in {**before, **after}:
        kind = kind_of(name)
        old, new = (roots.get(name, EMPTY[kind]) for roots in (before, after))
        if old != new:
            changed = True
            _WRITERS[kind](doc, name, old, new)
    return changed


def _write_text(doc: LoroDoc, name: str, old: Any, new: Any) -> None:
    text = doc.get_text(name)
    # Letters that stay keep their identity, and cursors at them; those of one word stand in for no other's, which
    # somebody may be removing.
    for start, end, content in reversed(letter_hunks(old, new)):
        if end > start:
            text.delete(start, end - start)
        if content:
            text.insert(start, content)


def _write_list(doc: LoroDoc, name: str, old: Any, new: Any) -> None:
    items = doc.get_list(name)
    for hunk in reversed(list_hunks(old, new)):
        if hunk.end > hunk.start:
            items.delete(hunk.start, hunk.end - hunk.start)
        for place, item in enumerate(hunk.content, hunk.start):
            items.insert(place, item)


def _write_map(doc: LoroDoc, name: str, old: Any, new: Any) -> None:
    entries = doc.get_map(name)
    for key in old:
        if key not in new:
            entries.delete(key)
    for key, item in new.items():
        if old.get(key) != item:
            entries.insert(key, item)


_WRITERS = {"text": _write_text, "list": _write_list, "map": _write_map}


def snapshot_of(roots: Roots) -> bytes:
    """Returns a Loro document that shows what is given, as bytes."""
    doc = new_doc()
    write(doc, {}, roots)
    doc.commit()
    return doc.export(ExportMode.Snapshot())
