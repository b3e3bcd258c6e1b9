"""What a long history costs whoever edits a text or list now, in milliseconds of the processor; Loro beside it."""

from __future__ import annotations

import itertools
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import process_time
from typing import Annotated, Any, NamedTuple

from loro import ExportMode, LoroDoc, LoroText
from pydantic import BaseModel

from benchmarks.brief import Brief
from benchmarks.measure import Row, collecting
from benchmarks.subjects import Sizes
from benchmarks.texts import prose
from benchmarks.values import SPACE
from concordant import List, Workspace

__all__ = ["rows"]

GROUP = "histories"
KEY = "draft"
AT_ONCE = 50
"""How many places are changed by one of the edits that make a history."""

SETTLING = 8
"""How many edits come before those that are measured, so that none of the large ones still waits to be applied."""


class Plan(BaseModel):
    """A list."""

    steps: Annotated[list[str], List()] = []


class Limits(NamedTuple):
    """What an operation may take at 10,000 edits of history, in ms, kB or MB; at 50,000 twice as much."""

    one: float = 2
    worst: float = 20
    several: float = 4
    disputed: float = 5
    sqlite: float = 6
    disk: float = 2
    frame: float = 5
    importing: float = 20


LIMITS = Limits()


def rows(sizes: Sizes) -> Iterator[Row]:
    """All rows, by depth of the history."""
    for depth in sizes.depths:
        yield from _in_memory(sizes, depth)
        yield from _in_a_database(sizes, depth)
    yield from _of_a_list(sizes)


class Writing:
    """A text with a history, and edits of one word each to it."""

    def __init__(self, workspace: Workspace, sizes: Sizes, depth: int) -> None:
        self.workspace = workspace
        self.ada, self.bob = workspace.agent("ada"), workspace.agent("bob")
        self._chance = random.Random(depth)
        self._numbers = itertools.count()
        self.ada.write(SPACE, KEY, {"notes": prose(sizes.edited, 2)})
        for _ in range(max(depth // AT_ONCE, 1)):
            self.edit(places=AT_ONCE)
        for _ in range(SETTLING):
            self.edit()
        workspace.get(SPACE, KEY)

    def changed(self, text: str, places: int = 1, low: float = 0.0, high: float = 1.0) -> str:
        """The text with other words in it, somewhere between two parts of its length."""
        lines = text.split("\n")
        for _ in range(places):
            line = int((low + (high - low) * self._chance.random()) * (len(lines) - 1))
            words = lines[line].split(" ")
            words[self._chance.randrange(len(words))] = f"edit{next(self._numbers)}"
            lines[line] = " ".join(words)
        return "\n".join(lines)

    def edit(self, places: int = 1) -> None:
        with self.ada.edit(SPACE, KEY) as brief:
            brief.notes = self.changed(brief.notes, places)

    def edit_both(self) -> None:
        with self.ada.edit(SPACE, KEY) as mine:
            with self.bob.edit(SPACE, KEY) as theirs:
                theirs.notes = self.changed(theirs.notes, high=0.5)
            mine.notes = self.changed(mine.notes, low=0.5)

    def edit_and_read(self) -> None:
        self.edit()
        assert self.workspace.get(SPACE, KEY) is not None

    def meet(self, *words: str) -> None:
        """Two change the first line at once, each to begin with a word of their own."""
        with self.ada.edit(SPACE, KEY) as mine, self.bob.edit(SPACE, KEY) as theirs:
            for brief, word in zip((mine, theirs), words, strict=True):
                first, rest = brief.notes.split("\n", 1)
                brief.notes = f"{word} {first}\n{rest}"


def _times(call: Callable[[], Any], count: int) -> list[float]:
    """Milliseconds of the processor of each call, without what the garbage collector takes."""
    times = []
    with collecting(False):
        for _ in range(count):
            begun = process_time()
            call()
            times.append(1e3 * (process_time() - begun))
    return times


def _in_memory(sizes: Sizes, depth: int) -> Iterator[Row]:
    writing = Writing(Workspace(schemas={SPACE: Brief}), sizes, depth)
    peer = Peer(writing.workspace.get(SPACE, KEY).value["notes"], depth)  # type: ignore[union-attr]
    mine = _times(writing.edit, sizes.single)
    theirs = median(_times(lambda: peer.update(writing.changed(peer.shown)), sizes.single))
    yield _row(sizes, depth, "an edit", _mean(mine), LIMITS.one, peer=theirs)
    yield _row(sizes, depth, "an edit: the longest call", max(mine), LIMITS.worst)
    both = median(_times(writing.edit_both, sizes.single // 4)) / 2
    yield _row(sizes, depth, "an edit, two agents at once", both, LIMITS.several)
    yield from _exchanged(writing, peer, sizes, depth)
    writing.meet("Alike", "Alike")
    alike = median(_times(writing.edit_and_read, sizes.single // 4))
    assert not writing.workspace.escalations()
    yield _row(sizes, depth, "an edit after two equal ones at once, and a get", alike, LIMITS.disputed)
    writing.meet("Mine", "Theirs")
    beside = median(_times(writing.edit_and_read, sizes.single // 4))
    assert len(list(writing.workspace.escalations())) == 1
    yield _row(sizes, depth, "an edit beside an open question, and a get", beside, LIMITS.disputed)


def _exchanged(writing: Writing, peer: Peer, sizes: Sizes, depth: int) -> Iterator[Row]:
    other = Workspace(schemas={SPACE: Brief})
    other.import_(writing.workspace.export())
    writing.edit()
    frame = writing.workspace.export(other.version_vector())
    spent = _times(lambda: other.import_(frame), 1)[0]
    update, theirs = peer.one_word(writing.changed(peer.shown))
    yield _row(sizes, depth, "the frame for one word", len(frame) / 1e3, LIMITS.frame, "kB", peer=len(update) / 1e3)
    yield _row(sizes, depth, "the frame for one word: its import", spent, LIMITS.importing, peer=theirs)
    both = [_met(writing, other, number) for number in range(1 + sizes.slow_rounds)]
    named = "the frame for one word: its import where both wrote"
    yield _row(sizes, depth, named, median(both[1:]), LIMITS.importing)  # after the first they know of each other


def _met(writing: Writing, other: Workspace, number: int) -> float:
    """How long a store takes that is sent a word while it was written there, too; then the two know the same."""
    here = writing.workspace
    writing.edit()
    with other.agent("bea").edit(SPACE, KEY) as brief:
        brief.notes = f"Met {number}.\n{brief.notes}"
    frame = here.export(other.version_vector())
    spent = _times(lambda: other.import_(frame), 1)[0]
    here.import_(other.export(here.version_vector()))
    return spent


def _in_a_database(sizes: Sizes, depth: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(f"sqlite:///{folder}/team.db", schemas={SPACE: Brief})
        writing = Writing(workspace, sizes, depth)
        before = _size(folder)
        count = max(sizes.single // 5, 1)
        spent = median(_times(writing.edit, count))
        disk = (_size(folder) - before) / count / 1e3
        workspace.close()
    yield _row(sizes, depth, "an edit, SQLite", spent, LIMITS.sqlite)
    yield _row(sizes, depth, "an edit, SQLite: the file grows by", disk, LIMITS.disk, "kB")


def _of_a_list(sizes: Sizes) -> Iterator[Row]:
    """One item of a list of long ones is replaced."""
    workspace = Workspace(schemas={SPACE: Plan})
    agent, chance = workspace.agent("ada"), random.Random(1)
    agent.write(SPACE, KEY, {"steps": prose(sizes.text, 3).split("\n")})

    def edit(places: int = 1) -> None:
        with agent.edit(SPACE, KEY) as plan:
            for _ in range(places):
                plan.steps[chance.randrange(len(plan.steps))] = f"step {chance.random()}"

    for _ in range(sizes.depths[0] // AT_ONCE):
        edit(AT_ONCE)
    label = f"an edit of a list of {sizes.text // 1000:,} kB after {sizes.depths[0]:,}"
    yield Row(GROUP, label, _mean(_times(edit, sizes.single)), unit="ms")


class Peer:
    """A document of Loro with the same text, after as many edits."""

    def __init__(self, text: str, depth: int) -> None:
        self._doc = LoroDoc()  # type: ignore[no-untyped-call]
        self.shown = text
        self._body: LoroText = self._doc.get_text("notes")
        self._body.insert(0, text)
        for number in range(depth):
            place = (number * 7919) % len(text)
            self._body.delete(place, 1)
            self._body.insert(place, "x")
            self._doc.commit()
        self.shown = self._body.to_string()

    def update(self, text: str) -> None:
        self._body.update(text)
        self._doc.commit()
        self.shown = text

    def one_word(self, text: str) -> tuple[bytes, float]:
        """The update for another word, and how long its import takes."""
        other = LoroDoc()  # type: ignore[no-untyped-call]
        other.import_(self._doc.export(ExportMode.Snapshot()))
        known = self._doc.oplog_vv
        self.update(text)
        update = self._doc.export(ExportMode.Updates(known))
        return update, _times(lambda: other.import_(update), 1)[0]


def _row(
    sizes: Sizes, depth: int, what: str, ours: float, most: float, unit: str = "ms", peer: float | None = None
) -> Row:
    label = f"{what}, {sizes.edited // 1000} kB after {depth:,}"
    budget = most if depth <= 10_000 else 2 * most
    note = "" if peer is None else f"Loro's: {peer:.3g} {unit}"
    return Row(GROUP, label, ours, unit=unit, budget=budget, absolute=True, note=note)


def _mean(times: list[float]) -> float:
    return sum(times) / len(times)


def _size(folder: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).iterdir())
