"""What pages show of questions and documents, made ready for templates: plain data, cut to what a page can bear."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from concordant.desk.differences import DiffPart, FieldChange, changes, shortened, words
from concordant.desk.wording import place, told_path
from concordant.escalation import DELETED, Contender, Escalation
from concordant.values import ABSENT, alike, portable
from concordant.workspace import Credit, Document, HistoryEntry

__all__ = [
    "Difference",
    "FieldLook",
    "InPlace",
    "SideLook",
    "TextLook",
    "differences",
    "fields",
    "in_place",
    "sides",
    "text",
    "visible",
]

MOST = 20_000
"""How many characters of a value a page shows."""
AROUND = 600
"""How many characters of a text a page shows before and after a contested range."""
ITEMS = 300
"""How many parts of a field a page shows."""


JOINERS = "\u200c\u200d"
JOINED = ("So", "Sk", "Lo", "Mn", "Mc")
"""Categories of the characters of emoji, and of letters without upper and lower case; no Latin letter is of these."""
NEAR = 12
"""How many fields a page shows before and after the one that is asked about."""


class TextLook(NamedTuple):
    """A value as text, cut, and how many characters are left out."""

    shown: str
    more: int = 0
    mark: str = ""


@dataclass
class SideLook:
    """One side of a question: the base (number 0), or a contender."""

    number: int
    agents: tuple[str, ...]
    at: datetime | None
    origin: str
    text: TextLook
    parts: Sequence[DiffPart] = ()
    changed: Sequence[FieldChange] = ()
    deletes: bool = False
    misfit: bool = False


@dataclass
class InPlace:
    """The contested part among what stands around it."""

    before: str = ""
    shown: str = ""
    after: str = ""
    fields: Sequence[tuple[str, TextLook, bool]] = ()
    above: int = 0
    below: int = 0


@dataclass
class Difference:
    """What became of one value between two versions."""

    path: str
    parts: Sequence[DiffPart]


class PieceLook(NamedTuple):
    """A part of a field: what it is, and who stands for it (an index into the document's agents)."""

    text: TextLook
    agents: tuple[str, ...]
    colour: int
    at: datetime


@dataclass
class FieldLook:
    """A field of a document, or a part with a path of its own; and what it shows ``now``, while that is asked."""

    path: str
    sort: str
    pieces: Sequence[PieceLook]
    question: Escalation | None
    more: int = 0
    now: TextLook | None = None


def visible(value: str) -> str:
    """Returns a text in which what would show as nothing, or turn the direction of others, is written out."""
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() or _shows(value, at) else _escaped(c) for at, c in enumerate(value))


def _shows(text: str, at: int) -> bool:
    """Whether a character that is none to print does what people see: a space, a line's end, or a joiner within an
    emoji or a word of a script that needs it."""
    character = text[at]
    if character in "\n\t" or unicodedata.category(character) == "Zs":
        return True
    if character not in JOINERS or not 0 < at < len(text) - 1:
        return False
    before, after = unicodedata.category(text[at - 1]), unicodedata.category(text[at + 1])
    return after in JOINED and before in JOINED


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def text(value: Any, most: int = MOST) -> TextLook:
    """Returns a value for a page."""
    if value is DELETED:
        return TextLook("deleted", mark="none")
    if value is ABSENT:
        return TextLook("nothing", mark="none")
    if value == "":
        return TextLook("empty text", mark="none")
    found = value if isinstance(value, str) else _json(value)
    return TextLook(visible(found[:most]), max(len(found) - most, 0), "" if isinstance(value, str) else "code")


def _json(value: Any) -> str:
    short = json.dumps(portable(value), ensure_ascii=False)
    return short if len(short) <= 50 else json.dumps(portable(value), ensure_ascii=False, indent=2)


def sides(question: Escalation, most: int = MOST) -> tuple[SideLook, list[SideLook]]:
    """Returns the base of a question, and its contenders with what each changed.

    Args:
        most: how many characters of each are shown, if there are few.
    """
    most = min(most, max(4 * most // max(len(question.contenders), 1), 500))
    base = question.base if question.has_base else ABSENT
    first = SideLook(0, (), None, "", text(base, most))
    return first, [_side(number, base, one, most) for number, one in enumerate(question.contenders, 1)]


def _side(number: int, base: Any, contender: Contender, most: int) -> SideLook:
    value = contender.value
    side = SideLook(
        number, contender.agents, contender.at, contender.origin, text(value, most), deletes=value is DELETED
    )
    if isinstance(base, str) and isinstance(value, str):
        parts = seen(words(base[:most], value[:most]))
        side.parts = parts if any(part.sort == "same" and part.text.strip() for part in parts) else ()
    elif isinstance(base, dict) and isinstance(value, dict):
        side.changed = [*changes(base, value)][:ITEMS]
    return side


def seen(parts: Iterable[DiffPart]) -> list[DiffPart]:
    """Parts with what is invisible in them written out."""
    return [DiffPart(part.sort, visible(part.text)) for part in parts]


def in_place(question: Escalation, document: Document | None) -> InPlace | None:
    """Returns the contested part in its document: a range among its text, or a field among the others."""
    if document is None:
        return None
    value: Any = document.value
    if question.reason == "text":
        for part in question.path:
            value = value.get(part) if isinstance(value, dict) else None
        return _range(value, question) if isinstance(value, str) else None
    rows = [
        (visible(name), text(one, 200), name == question.path[0] if question.path else False)
        for name, one in value.items()
    ]
    here = question.path[0] if question.path else ""
    if question.path and here not in value:
        rows.append((visible(here), TextLook("nothing yet", mark="none"), True))
    at = next((number for number, (_, _, is_here) in enumerate(rows) if is_here), 0)
    first, last = max(at - NEAR, 0), at + NEAR + 1
    return InPlace(fields=rows[first:last], above=first, below=max(len(rows) - last, 0))


def _range(whole: str, question: Escalation) -> InPlace | None:
    candidates = [question.base, *(contender.value for contender in question.contenders)]
    for candidate in candidates:
        if isinstance(candidate, str) and candidate.strip() and candidate in whole:
            at = whole.index(candidate)
            before, after = whole[:at], whole[at + len(candidate) :]
            return InPlace(
                visible(("… " if len(before) > AROUND else "") + before[-AROUND:]),
                visible(candidate[:MOST]),
                visible(after[:AROUND] + (" …" if len(after) > AROUND else "")),
            )
    return InPlace(before=visible(whole[: 2 * AROUND]))


def fields(
    document: Document, credits: Mapping[tuple[str, ...], Sequence[Credit]], agents: Mapping[str, int]
) -> list[FieldLook]:
    """Returns the fields of a document with who stands for each part.

    Args:
        credits: ``Workspace.blame``.
        agents: the colour of each.
    """
    open_: dict[tuple[Any, ...], Escalation] = {question.path: question for question in document.contested.values()}
    found: list[FieldLook] = []
    for path, parts in credits.items():
        value = _at(document.value, path)
        question = open_.pop(path, None)
        sort = (
            "text"
            if isinstance(value, str) and len(parts) > 1 and question_is_text(question, parts, value)
            else "parts"
        )
        room, pieces = MOST, []
        for credit in parts[:ITEMS]:
            shown = text(credit.value, max(room, 0))
            room -= len(shown.shown)
            pieces.append(PieceLook(shown, credit.agents, agents[credit.agent], credit.at))
            if room <= 0:
                break
        now = text(value, 200) if question is not None and question.reason != "text" else None
        found.append(FieldLook(visible(told_path(path)), sort, pieces, question, len(parts) - len(pieces), now))
    for path, question in open_.items():
        found.append(FieldLook(visible(told_path(path)), "parts", [], question))
    return found


def question_is_text(question: Escalation | None, parts: Sequence[Credit], value: str) -> bool:
    """Tells whether the parts of a field are spans that make up a text."""
    return all(isinstance(part.value, str) for part in parts) and (question is None or question.reason == "text")


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        value = value.get(part, ABSENT) if isinstance(value, dict) else ABSENT
    return value


def differences(before: Any, after: Any) -> list[Difference]:
    """Tells what differs between two versions of a document, for a page."""
    found = []
    for change in [*changes(before, after)][:ITEMS]:
        old, new = change.before, change.after
        if old is not ABSENT and new is not ABSENT:
            parts = shortened(words(*(one[:MOST] if isinstance(one, str) else text(one).shown for one in (old, new))))
        else:
            parts = [DiffPart("removed", text(old).shown)] if old is not ABSENT else []
            parts += [DiffPart("added", text(new).shown)] if new is not ABSENT else []
        found.append(Difference(visible(told_path(change.path)), seen(parts)))
    return found


def is_same(one: Any, other: Any) -> bool:
    """Tells whether two values are equal, ``ABSENT`` to none but itself."""
    return one is other or (one is not ABSENT and other is not ABSENT and alike(one, other))


def title(question: Escalation) -> str:
    """Tells what a question is called in one line."""
    return f"{place(question.namespace, question.key)} {told_path(question.path)}"


def reasons(entry: HistoryEntry) -> Sequence[tuple[str, str]]:
    """Returns the reasons of the decisions that a change made, or brought from another store: by whom, and why."""
    said = entry.value or {}
    if entry.act in ("resolve", "dismiss") and "why" in said:
        return [(entry.agent, said["why"])]
    return [(one["by"], one["why"]) for one in said.get("decisions", ())] if entry.act == "import" else ()
