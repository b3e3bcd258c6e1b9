"""What was done in an editor arrives with its place: which of equal lines or items went, and before which one came."""

from __future__ import annotations

import json
import random
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import ConcordantError, List, Map, Text, Workspace
from concordant.spi import Hunk, edit_as_seen
from concordant_loro import LiveDocument

from .test_live import Editor, said_of

PLACE = ("songs",), "refrain"


BOB = -1


class Verse(BaseModel):
    lines: Annotated[str, Text(unit="line")] = ""


class Song(BaseModel):
    lines: Annotated[str, Text(unit="line")] = ""
    words: Annotated[str, Text(unit="word")] = ""
    items: Annotated[list[str], List()] = []
    verses: Annotated[dict[str, Verse], Map()] = {}


GAPS = {"lines": "\n", "words": " ", "items": "", "verses": "\n"}


class Refrain:
    """Equal lines, words or items, of which each is known by a number: an editor's, and what may be expected of them.

    Attributes:
        now: by place which of those of the beginning stands there; ``None``: one of the editor's; ``BOB``: the agent's.
    """

    def __init__(self, editor: Editor, name: str, count: int) -> None:
        root = {"items": "list:items", "verses": "text:verses.one.lines"}.get(name, f"text:{name}")
        self.content: Any = editor.doc.get_list(root) if name == "items" else editor.doc.get_text(root)
        self.name, self.gap = name, GAPS[name]
        self.editor = editor
        self.now: list[int | None] = list(range(count))
        self.sent = [*self.now]

    def send(self) -> None:
        """Sends what was done, if that is anything: who leaves the same text has changed nothing."""
        if len(self.sent) == len(self.now) and (BOB not in self.now or self.sent.index(BOB) == self.now.index(BOB)):
            self.now = self.sent
        self.sent = [*self.now]
        self.editor.send()

    def take_in(self) -> None:
        """Shows the agent's, too."""
        self.send()
        self.editor.take_in()
        parts = self.parts()
        if BOB not in self.now and "bob" in parts:
            self.now.insert(parts.index("bob"), BOB)
            self.sent = [*self.now]

    def parts(self) -> list[str]:
        """What the editor shows."""
        if self.name == "items":
            return [json.loads(item) for item in self.content.get_value()]
        return self.content.to_string().split()  # type: ignore[no-any-return]

    def offset(self, at: int) -> int:
        return sum(len(part) + len(self.gap) for part in self.parts()[:at])

    def insert(self, at: int, *, behind: bool) -> None:
        """Puts one more somewhere: letters and gap before what stands there, or gap and letters behind what is before
        it."""
        if self.name == "items":
            self.content.insert(at, '"la"')
        elif not self.now:
            self.content.insert(0, "x")
        elif at and (behind or at == len(self.now)):
            self.content.insert(self.offset(at) - len(self.gap), f"{self.gap}x")
        else:
            self.content.insert(self.offset(at), f"x{self.gap}")
        self.now.insert(at, None)

    def delete(self, at: int, *, behind: bool) -> None:
        """Takes one out, with the gap before or behind it."""
        start, length = self.offset(at), 1 + len(self.gap)
        if self.name == "items":
            self.content.delete(at, 1)
        elif len(self.now) == 1:
            self.content.delete(0, 1)
        elif at and (behind or at == len(self.now) - 1):
            self.content.delete(start - len(self.gap), length)
        else:
            self.content.delete(start, length)
        del self.now[at]


def shown_in(value: Any, name: str) -> list[str]:
    """The lines, words or items of a document."""
    if name == "items":
        return list(value.get("items", []))
    text = value["verses"]["one"]["lines"] if name == "verses" else value[name]
    return text.split()


def check_places(seed: str, name: str) -> None:
    """An editor inserts and deletes among equal lines, an agent puts another between two of them: all stand in their
    place, and what she left alone is still of who wrote it."""
    chance = random.Random(f"{seed}/{name}")
    count, one = chance.randrange(3, 8), "la" if name == "items" else "x"
    with Workspace(schemas={PLACE[0]: Song}) as ws:
        begun: Any = [one] * count if name == "items" else GAPS[name].join([one] * count)
        ws.agent("seed").write(*PLACE, {"verses": {"one": {"lines": begun}}} if name == "verses" else {name: begun})
        with LiveDocument(ws, *PLACE) as live:
            editor, place = Editor(live, "maria"), chance.randrange(1, count)
            with ws.agent("bob").edit(*PLACE) as song:
                holder = song.verses["one"] if name == "verses" else song
                field = "lines" if name == "verses" else name
                parts = [*shown_in(song.model_dump(), name)]
                parts.insert(place, "bob")
                setattr(holder, field, parts if name == "items" else GAPS[name].join(parts))
            if chance.random() < 0.5:
                live.refresh()
            refrain = Refrain(editor, name, count)
            for _ in range(chance.randrange(1, 6)):
                at = chance.randrange(len(refrain.now) + 1)
                if at < len(refrain.now) and refrain.now[at] != BOB and chance.random() < 0.5:
                    refrain.delete(at, behind=chance.random() < 0.5)
                else:
                    refrain.insert(at, behind=chance.random() < 0.5)
                if chance.random() < 0.5:
                    chance.choice([refrain.send, refrain.take_in])()
            refrain.send()
            value = said_of(ws.get(*PLACE))
            found = shown_in(value, name)
            at = found.index("bob")
            now = [number for number in refrain.now if number != BOB]
            assert [*found[:at], *found[at + 1 :]] == [one] * len(now), (seed, found)
            if BOB in refrain.now:
                assert refrain.now.index(BOB) == at, (seed, found, refrain.now)
            kept = {number for number in now if number is not None}
            before = {number for number in now[:at] if number is not None}
            assert before == {number for number in kept if number < place}, (seed, found, refrain.now, place)
            path = ("verses", "one", "lines") if name == "verses" else (name,)
            whose = [c.agent for c in ws.blame(*PLACE)[path] for part in _parts(c.value, name) if part != "bob"]
            kept_by = {agent for agent, number in zip(whose, now, strict=True) if number is not None}
            assert kept_by <= {"seed"}, (seed, found, refrain.now, whose)


def _parts(value: Any, name: str) -> list[str]:
    return [value] if name == "items" else value.split()


@pytest.mark.parametrize("name", GAPS)
def test_places_are_exact(seed: str, name: str) -> None:
    """Among equal lines, words and items, what a person did arrives where she did it."""
    for number in range(12):
        check_places(f"{seed}/{number}", name)


@pytest.mark.torture
@pytest.mark.parametrize("name", GAPS)
def test_places_are_exact_a_thousand_times(seed: str, name: str) -> None:
    """The same, a thousand times for each kind."""
    for number in range(1_000):
        check_places(f"{seed}/{number}", name)


@pytest.mark.parametrize(
    ("path", "hunks"),
    [
        (("lines",), [Hunk(0, 0, "y\n")]),
        (("lines",), [Hunk(1, 0, "x\n")]),
        (("lines",), [Hunk(9, 9, "x\n")]),
        (("words",), [Hunk(0, 0, "x ")]),
        (("other",), []),
        (("verses",), []),
        (("verses", "one", "lines"), []),
        ((), []),
    ],
)
def test_places_that_do_not_fit_are_refused(path: tuple[str, ...], hunks: list[Hunk]) -> None:
    """Places that do not make the text after out of the one before, or are of what is no text, change nothing."""
    with Workspace(schemas={PLACE[0]: Song}) as ws:
        upto = ws.agent("seed").write(*PLACE, {"lines": "x\nx"}).version
        done = {"agent": "maria", "origin": "tab/1", "upto": upto}
        before, after = {"lines": "x\nx"}, {"lines": "x\nz\nx"}
        with pytest.raises(ConcordantError, match="places="):
            edit_as_seen(ws, *PLACE, before, after, places={path: hunks}, **done)
        assert said_of(ws.get(*PLACE)) == before
        edit_as_seen(ws, *PLACE, before, after, places={("lines",): [Hunk(2, 2, "z\n")]}, **done)
        assert said_of(ws.get(*PLACE)) == after
