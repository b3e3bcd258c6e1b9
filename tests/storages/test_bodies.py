"""What a journal in memory keeps of large values: exact, small, and nothing of what was purged."""

from __future__ import annotations

import gc
import random
import sys
from collections import Counter as Count
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import Counter, Map, Set, Text, Workspace
from concordant.storage import bodies
from concordant.storage.bodies import Bodies, Delta, whole

AT = (("drafts",), "d1")


class Draft(BaseModel):
    """A text."""

    notes: Annotated[str, Text()] = ""


def edited(chance: random.Random, body: bytes) -> bytes:
    """A value with something else in the place of a part of it, or quite another."""
    if chance.random() < 0.1:
        return chance.randbytes(chance.randrange(3000))
    at = chance.randrange(len(body) + 1)
    return body[:at] + chance.randbytes(chance.randrange(9)) + body[at + chance.randrange(9) :]


def held() -> list[bytes]:
    """All bytes in memory, also in what the garbage collector does not look at."""
    gc.collect()
    waiting, known, found = gc.get_objects(), set[int](), list[bytes]()
    while waiting:
        below = [one for one in gc.get_referents(*waiting) if not gc.is_tracked(one) and id(one) not in known]
        known.update(map(id, below))
        found += {id(one): one for one in below if type(one) is bytes}.values()
        waiting = [one for one in below if isinstance(one, (tuple, dict))]
    return found


@pytest.mark.parametrize("in_order", [True, False])
def test_values_come_back_as_they_were_given(seed: str, in_order: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked for, in whatever order, alone or among others."""
    monkeypatch.setattr(bodies, "MOST_IN_ROW", 30)
    monkeypatch.setattr(bodies, "STEP", 4)
    chance, kept, given = random.Random(seed), Bodies(), {0: b"x" * 500, 1: b"y" * 900}
    pairs = []
    for _ in range(400):
        place = chance.randrange(2)
        given[place] = edited(chance, given[place])
        pairs.append((given[place], kept.kept(place, given[place])))
    assert sum(isinstance(made, Delta) for _, made in pairs) > 200
    known: dict[Delta, bytes] = {}
    for body, made in reversed(pairs) if in_order else chance.sample(pairs, len(pairs)):
        assert whole(made, known) == body == whole(made)
    assert len(known) <= 30


def test_a_journal_does_not_hold_a_text_for_each_edit() -> None:
    """150 edits of a text of 100 kB keep less than ten such texts, and the history tells what each of them gave."""
    ws = Workspace(schemas={AT[0]: Draft})
    ada, given = ws.agent("ada"), ["A line of words.\n" * 6000]
    ada.write(*AT, {"notes": given[0]})
    for number in range(150):
        with ada.edit(*AT) as draft:
            at = number * 300
            draft.notes = f"{draft.notes[:at]}{number}{draft.notes[at:]}"
            given.append(draft.notes)
    ws.get(*AT)
    assert sum(len(one) for one in held() if len(one) > 50_000) < 1_000_000
    assert [entry.value["notes"] for entry in ws.history(*AT)] == given[::-1]


def test_what_a_journal_keeps_of_an_edit_is_passed_by_the_garbage_collector() -> None:
    """Of an edit of a text of 100 kB the collector finds less than twelve objects, those of the text included."""
    ws = Workspace(schemas={AT[0]: Draft})
    ada, lines = ws.agent("ada"), [f"Line {number} of a long report. " * 3 for number in range(1000)]
    ada.write(*AT, {"notes": "\n".join(lines)})
    found = []
    for number in range(500):
        if number == 100:
            ws.get(*AT)
            gc.collect()
            found.append(len(gc.get_objects()))
        lines[number] += "More."
        with ada.edit(*AT) as draft:
            draft.notes = "\n".join(lines)
    ws.get(*AT)
    gc.collect()
    assert len(gc.get_objects()) - found[0] < 12 * 400
    assert len([*ws.history(*AT)]) == 501


def test_what_was_purged_is_not_held() -> None:
    """Nothing of a purged document is left in memory for the difference to what comes next."""
    ws = Workspace(schemas={AT[0]: Draft})
    secret = "A secret line of words.\n" * 1000
    ws.agent("ada").write(*AT, {"notes": secret})
    ws.agent("ada").write(*AT, {"notes": "more"})
    ws.purge(*AT)
    assert not any(b"secret line" in one for one in held())


class Report(BaseModel):
    """A text among other fields."""

    body: Annotated[str, Text()] = ""
    tags: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, str], Map()] = {}
    views: Annotated[int, Counter()] = 0
    draft: Draft = Draft()


def test_an_edit_of_a_long_text_makes_its_json_once() -> None:
    """And reads it about twice, whatever other fields the model has."""
    ws = Workspace(schemas={AT[0]: Report})
    ada, lines = ws.agent("ada"), [f"Line {number} of a long report." for number in range(300)]
    ada.write(*AT, {"body": "\n".join(lines)})
    made: Count[str] = Count()

    def note(frame: Any, event: str, argument: Any) -> None:
        name = getattr(argument, "__name__", "")
        is_short = frame.f_code.co_name == "dump_changes"  # what an edit changed is told beside the text
        if event == "c_call" and name in ("to_json", "from_json") and not is_short:
            made[name] += 1

    for number in range(40):
        lines[number] += " More."
        sys.setprofile(note)
        try:
            with ada.edit(*AT) as report:
                report.body = "\n".join(lines)
        finally:
            sys.setprofile(None)
    found = ws.get(*AT)
    assert found is not None and found.value["body"] == "\n".join(lines)
    assert 40 <= made["to_json"] <= 44
    assert made["from_json"] <= 104
