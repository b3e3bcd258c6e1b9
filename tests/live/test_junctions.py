"""Where words or sentences meet: who takes the blank out between two, while another puts one there, sees them glued."""

from __future__ import annotations

import random
import re
from collections import Counter as Count
from typing import Annotated

import pytest
from pydantic import BaseModel

from concordant import Text, Workspace
from concordant.merge.sequence.units import units
from concordant_loro import LiveDocument

from .test_live import Editor, said_of

PLACE = ("songs",), "refrain"
MARK = re.compile(r"[a-f]\d+[u-z]")


class Song(BaseModel):
    word: Annotated[str, Text(unit="word")] = ""
    sentence: Annotated[str, Text()] = ""


class Junctions:
    """A text of marked words or sentences, an editor of it, and another writer, who puts more between them.

    Attributes:
        marks: what must stand, once.
    """

    def __init__(self, ws: Workspace, live: LiveDocument, chance: random.Random, unit: str) -> None:
        self.ws, self.live, self.chance, self.unit = ws, live, chance, unit
        self.marks: list[str] = []
        self.count = 0
        ws.agent("seed").write(*PLACE, {unit: " ".join(self.one() for _ in range(chance.randrange(2, 5)))})
        live.refresh()
        self.editor = Editor(live, "maria")
        self.text = self.editor.doc.get_text(f"text:{unit}")

    def one(self) -> str:
        """A word or sentence with a mark that no other has."""
        self.count += 1
        self.marks.append(f"{self.chance.choice('abcdef')}{self.count}{self.chance.choice('uvwxyz')}")
        return self.marks[-1] + ("" if self.unit == "word" else ".")

    def shown(self) -> str:
        return str(said_of(self.ws.get(*PLACE)).get(self.unit, ""))

    def other(self) -> None:
        """Another puts one before or behind one that is there."""
        with self.ws.agent("bob").edit(*PLACE) as song:
            text = getattr(song, self.unit)
            start, end = self.chance.choice([*units(text, self.unit)] or [(0, 0)])
            new = self.one()
            at, content = self.chance.choice([(start, f"{new} "), (end, f" {new}")])
            if text[:1].isspace() and not at:  # that is indentation, and part of the sentence
                at, content = end, f" {new}"
            setattr(song, self.unit, text[:at] + content + text[at:])

    def person(self) -> None:
        """She takes blanks out where they meet, puts a blank or another one there, or takes one out."""
        text, chance = self.text.to_string(), self.chance
        spans = [match.span() for match in re.finditer(MARK.pattern + r"\.?", text)]
        edges = sorted({edge for span in spans for edge in span}) or [0]
        blanks = [match.span() for match in re.finditer(r"\s+", text)]
        way = chance.random()
        if way < 0.4 and blanks:
            start, end = chance.choice(blanks)
            self.text.delete(start, end - start)
        elif way < 0.8 or not spans:
            at = chance.choice(edges)
            content = " " if way < 0.55 else chance.choice(["{}", " {}", "{} ", " {} "]).format(self.one())
            begins_line = not text[:at].rpartition("\n")[2]  # there a blank is indentation, and part of what follows
            self.text.insert(at, content.lstrip() if begins_line else content)
        else:
            start, end = chance.choice(spans)
            self.marks = [mark for mark in self.marks if mark != text[start:end].rstrip(".")]
            behind = len(text[end:]) - len(text[end:].lstrip())
            begins_line = not text[:start].rpartition("\n")[2]
            self.text.delete(start, end - start + (behind if begins_line else chance.choice([0, behind])))
        self.editor.doc.commit()

    def mixed(self) -> None:
        """What others did reaches her before what she did is sent: her editor shows what Loro makes of both."""
        update = self.editor.session.outgoing()
        if update is not None:
            self.editor.doc.import_(update)

    def check(self, seed: str) -> None:
        """What was written stands once, or is a side of a question, and what was removed does not."""
        text = self.shown()
        assert self.text.to_string() == text
        sides = [str(side.value) for question in self.ws.escalations() for side in question.contenders]
        found = Count(MARK.findall(text))
        assert set(found.values()) <= {1}, (seed, text)
        missing = {*self.marks} - {*found} - {*MARK.findall(" ".join(sides))}
        more = {*found} - {*self.marks} if not sides else set()
        assert not missing and not more, (seed, text, missing, more)

    def send(self) -> None:
        self.editor.send()

    def both(self) -> None:
        self.send()
        self.editor.take_in()


def check_junctions(seed: str, unit: str, *, busy: bool = False) -> None:
    """A person edits where units meet while another puts more there: every word stands once, and she sees the same.

    Args:
        busy: whether she goes on while the correction of what she sent comes in: she has more to send then.
    """
    chance = random.Random(f"{seed}/{unit}")
    with Workspace(schemas={PLACE[0]: Song}) as ws, LiveDocument(ws, *PLACE) as live:
        here = Junctions(ws, live, chance, unit)
        for _ in range(chance.randrange(1, 4)):
            unsent = [here.person, here.other, here.person, here.other, live.refresh, here.mixed, here.person]
            steps = [*unsent, here.mixed, here.person, here.send, here.person]
            if busy:
                more = [here.mixed, here.person, here.other, live.refresh, here.mixed, here.person, here.send]
                steps += [*more, here.person, here.mixed]
            for step in steps:
                if chance.random() < 0.7:
                    step()
            if not busy or chance.random() < 0.5:
                here.both()
        here.both()
        live.refresh()
        here.editor.take_in()
        here.check(seed)


@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("unit", ["word", "sentence"])
def test_no_word_is_doubled_where_units_meet(seed: str, unit: str, busy: bool) -> None:
    """Blanks taken out and put in where words or sentences meet, with another writer there, double and lose no word,
    also while corrections come in."""
    for number in range(25):
        check_junctions(f"{seed}/{number}", unit, busy=busy)


@pytest.mark.torture
@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("unit", ["word", "sentence"])
def test_no_word_is_doubled_where_units_meet_thousands_of_times(seed: str, unit: str, busy: bool) -> None:
    """The same, two thousand times for each unit."""
    for number in range(2_000):
        check_junctions(f"{seed}/{number}", unit, busy=busy)


@pytest.mark.parametrize(
    ("first", "then", "stands"),
    [
        ((1, 2, ""), (0, 1, "q"), "qy bob"),  # she typed over what is before the blank that she took out
        ((1, 2, ""), (1, 1, " "), "x y bob"),  # she put it back
        ((1, 2, ""), (1, 4, ""), "xy"),  # she took the other's word out
        ((1, 3, ""), (1, 1, "q"), "xq bob"),  # she took out what is behind the other's, and went on before it
        ((1, 3, ""), (0, 1, "q"), "q bob"),
        ((1, 3, ""), (0, 0, "q "), "q x bob"),
    ],
)
def test_a_word_that_an_editor_shows_glued_is_not_doubled(
    first: tuple[int, int, str], then: tuple[int, int, str], stands: str
) -> None:
    """Who changes a word that her editor shows glued to another's changes what is hers, and the other's stands once."""
    with Workspace(schemas={PLACE[0]: Song}) as ws:
        ws.agent("seed").write(*PLACE, {"word": "x y"})
        with LiveDocument(ws, *PLACE) as live:
            editor = Editor(live, "maria")
            text = editor.doc.get_text("text:word")
            with ws.agent("bob").edit(*PLACE) as song:
                song.word = "x bob y"
            live.refresh()
            for start, end, content in (first, then):
                text.delete(start, end - start)
                text.insert(start, content)
                editor.doc.commit()
                update = editor.session.outgoing()
                if update is not None:
                    editor.doc.import_(update)
            editor.send()
            editor.take_in()
            assert text.to_string().rstrip() == stands
            assert text.to_string() == said_of(ws.get(*PLACE))["word"]
