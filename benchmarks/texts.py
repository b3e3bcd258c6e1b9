"""Large texts: a line appended to one, and many edits by two agents, against Loro doing the same."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator

from loro import ExportMode, LoroDoc

from benchmarks.brief import Brief
from benchmarks.graphs import in_node
from benchmarks.growth import WINDOW
from benchmarks.measure import Patience, Row, each, interleaved, once
from benchmarks.subjects import Sizes, merge_store
from benchmarks.values import SPACE
from concordant import Workspace

__all__ = ["rows"]

GROUP = "texts"
KEY = "draft"
WORDS = (
    "agents",
    "share",
    "state",
    "when",
    "two",
    "of",
    "them",
    "write",
    "the",
    "same",
    "thing",
    "at",
    "once",
)


def rows(sizes: Sizes) -> Iterator[Row]:
    """All rows about large texts."""
    yield from append(sizes)
    yield from edits(sizes)


def prose(length: int, seed: int) -> str:
    """Lines of words, ``length`` characters long."""
    chance = random.Random(seed)
    lines: list[str] = []
    size = 0
    while size < length:
        lines.append(" ".join(chance.choices(WORDS, k=12)))
        size += len(lines[-1]) + 1
    return "\n".join(lines)[:length]


def append(sizes: Sizes) -> Iterator[Row]:
    """A line put to a text of 1 MB, in a node that has not read it: written whole or grown by an agent line by line."""
    store, numbers = merge_store(), itertools.count()
    text = prose(sizes.text, 1)
    in_node(store, lambda: store.put(SPACE, "whole", {"notes": text}))
    lines = text.split("\n")
    reached, patience, agent = 0, Patience(), store.workspace.agent("ada")
    while reached < len(lines) and patience.left():
        agent.write(SPACE, "grown", {"notes": lines[reached]})
        reached += 1
    grown = len(store.workspace.get(SPACE, "grown").value["notes"])  # type: ignore[union-attr]
    note = patience.note(reached, len(lines), "lines")

    def batch(key: str, count: int = 5) -> Callable[[], list[float]]:
        def puts() -> list[float]:
            later = [(SPACE, key, {"notes": f"Finding {next(numbers)}: a line."}) for _ in range(count)]
            times: list[float] = in_node(store, lambda: each(store.put, later))
            return times

        return puts

    found = interleaved({"whole": batch("whole"), "grown": batch("grown")}, sizes.rounds)
    windows = {"whole": batch("whole", WINDOW), "grown": batch("grown", WINDOW)}
    means = interleaved(windows, max(3, sizes.rounds // 10), warm=False)
    for name, size, how, said in (
        ("whole", sizes.text, "written whole", ""),
        ("grown", grown, "grown line by line", note),
    ):
        label = f"a line put to a text of {size / 1e3:,.0f} kB, {how}"
        single, mean = found[name].median / 1e3, means[name].mean / 1e3
        yield Row(GROUP, label, single, unit="ms", budget=1, absolute=True, note=said, complete=not said)
        label += f": mean of {WINDOW} in a row"
        yield Row(GROUP, label, mean, unit="ms", budget=1, absolute=True, note=said, complete=not said)


def editions(text: str, count: int, seed: int, half: int) -> Iterator[str]:
    """The text after each of ``count`` one-word edits in one half of it, each with a word of its own."""
    chance = random.Random(seed)
    lines = text.split("\n")
    middle = len(lines) // 2
    for number in range(count):
        line = chance.randrange(middle) + half * (len(lines) - middle)
        words = lines[line].split(" ")
        words[chance.randrange(len(words))] = f"edit{half}x{number}"
        lines[line] = " ".join(words)
        yield "\n".join(lines)


def edits(sizes: Sizes) -> Iterator[Row]:
    """Two agents' edits to one text, each on a replica of its own, then exchanged; Loro's ``text.update`` beside it.

    The texts of all editions are made before the clock starts; afterwards both replicas must agree.
    """
    base = prose(sizes.edited, 2)
    sides = [list(editions(base, sizes.edits, 3 + half, half)) for half in (0, 1)]
    lines = base.split("\n")
    middle = len(lines) // 2
    wanted = "\n".join(sides[0][-1].split("\n")[:middle] + sides[1][-1].split("\n")[middle:])

    def ours() -> list[float]:
        one = Workspace(schemas={SPACE: Brief})
        one.agent("ada").write(SPACE, KEY, {"notes": base})
        other = Workspace(schemas={SPACE: Brief})
        other.import_(one.export())
        spent = once(_edit_both, one, other, sides)
        texts = [ws.get(SPACE, KEY).value["notes"] for ws in (one, other)]  # type: ignore[union-attr]
        assert texts == [wanted, wanted], "the replicas differ, or lost an edit"
        return [spent]

    def loro() -> list[float]:
        one, other = LoroDoc(), LoroDoc()  # type: ignore[no-untyped-call]
        one.get_text("notes").insert(0, base)
        one.commit()
        other.import_(one.export(ExportMode.Snapshot()))
        spent = once(_update_both, one, other, sides)
        assert [doc.get_text("notes").to_string() for doc in (one, other)] == [wanted, wanted]
        return [spent]

    found = interleaved({"ours": ours, "loro": loro}, sizes.slow_rounds, warm=False)
    label = f"2 x {sizes.edits:,} edits to a text of {sizes.edited // 1000} kB, merged"
    mine, theirs = found["ours"].median / 1e3, found["loro"].median / 1e3
    yield Row(GROUP, label, mine, "Loro, text.update", theirs, unit="ms", budget=3)


def _edit_both(one: Workspace, other: Workspace, sides: list[list[str]]) -> None:
    for workspace, name, texts in ((one, "ada", sides[0]), (other, "bob", sides[1])):
        agent = workspace.agent(name)
        for text in texts:
            with agent.edit(SPACE, KEY) as brief:
                brief.notes = text
    frame = one.export()
    one.import_(other.export())
    other.import_(frame)


def _update_both(one: LoroDoc, other: LoroDoc, sides: list[list[str]]) -> None:
    for doc, texts in ((one, sides[0]), (other, sides[1])):
        body = doc.get_text("notes")
        for text in texts:
            body.update(text)
            doc.commit()
    update = one.export(ExportMode.Snapshot())
    one.import_(other.export(ExportMode.Snapshot()))
    other.import_(update)
