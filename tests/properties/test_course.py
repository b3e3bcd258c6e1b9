"""How far a store had come at an instant, against a list of all that happened."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from concordant import Instant, Workspace
from concordant.storage import clocks as course_module
from concordant.storage.clocks import SharedCourse
from concordant.storage.cut import highest

AT = (("t",), "k")


class Refused(Exception):
    """Ends a transaction."""


def _refuse(*_: Any) -> None:
    raise Refused


@given(st.lists(st.sampled_from(["instant", "instant", "put", "new", "two", "fail"]), max_size=30))
def test_in_memory_the_last_commit_before_an_instant_is_known(events: list[str]) -> None:
    """By puts, first puts, transactions and such as failed."""
    ws = Workspace()
    storage: Any = ws.storage
    instants: list[tuple[Instant, int]] = []
    times = {0: 0.0}
    for number, event in enumerate(events):
        if event == "instant":
            instants.append((Instant.now(), storage.n))
        elif event == "put":
            ws.put(*AT, {"x": number})
        elif event == "new":
            ws.put(AT[0], f"new{number}", {"x": number})
        elif event == "two":
            ws.put_all([(AT[0], key, {"x": number}, None, None) for key in "ab"])
        else:
            good = ws.writing._put(*AT, {"x": -1}, None).update
            with pytest.raises(Refused):
                storage.commit_all([(*AT, good), (AT[0], "bad", _refuse)])
        times[storage.n] = storage.clock
    for instant, n in instants:
        assert storage.beginning(instant).time == times[n]


@given(st.lists(st.sampled_from(["instant", "reach", "again", "late"]), max_size=40))
def test_of_a_database_what_was_known_at_an_instant_is_known_for_good(events: list[str]) -> None:
    """It is told by the newest number that was heard of; an older one that is heard of later says nothing new."""
    course, n, known = SharedCourse([(7, 7.0)]), 7, 0.0
    before_all = Instant.now()
    course = SharedCourse([(7, 7.0)])
    found: list[tuple[Instant, float]] = [(before_all, 0.0)]
    known = 7.0
    for event in events:
        if event == "instant":
            found.append((Instant.now(), known))
        elif event == "reach":
            n += 2
            course.reach(n, float(n))
            known = float(n)
        else:
            course.reach(n - (event == "late"), float(n - (event == "late")))
    for instant, time in found:
        assert course.at(instant.tick) == time


def test_old_instants_are_forgotten_on_the_side_of_not_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an instant that lies too many steps back nothing is known to have been there."""
    monkeypatch.setattr(course_module, "MOST", 10)
    ws = Workspace()
    taken = []
    for number in range(60):
        ws.put(*AT, {"x": number})
        taken.append((Instant.now(), highest(ws.moment().n)))
    storage: Any = ws.storage
    times = {row.n: row.time for row in storage.rows(*AT)}
    found = [storage.beginning(instant).time for instant, _ in taken]
    kept = [time for time in found if time]
    assert 10 <= len(kept) <= 20 and found[-len(kept) :] == kept == [times[n] for _, n in taken[-len(kept) :]]
