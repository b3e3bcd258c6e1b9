"""Stores that tell of transitions twice, or not at all: the desk must tell."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from concordant.escalation import Escalation, Event
from concordant.storage.durable import DurableEvents
from concordant.storage.memory import MemoryEvents
from concordant.storage.sql import events as sql_events
from concordant.workspace.decisions import Claiming

from ..durable.test_desk import threads_at_the_desk
from ..durable.test_events import test_of_two_who_claim_at_once_one_does as of_two_who_claim_at_once_one_does
from .breaking import swap

Patch = pytest.MonkeyPatch
FreshUrl = Callable[[str], str | None]


def own_events_are_told_again(patch: Patch) -> None:
    """A listener does not know its own workspace's events."""
    swap(patch, DurableEvents.source, property(lambda self: uuid.uuid4().hex))


def a_commit_is_taken_for_one_event(patch: Patch) -> None:
    """A cursor passes over all events of a commit."""
    patch.setattr(sql_events, "_AFTER", sql_events._AFTER.replace("n = ? AND", "n < 0 AND 0 = ? AND"))


def commits_share_a_number(patch: Patch) -> None:
    """In memory, the events of all commits have one place."""
    note = MemoryEvents.note

    def stuck(self: MemoryEvents, n: int, time: float, events: Sequence[Event], most: int) -> None:
        note(self, 1, time, events, most)

    swap(patch, MemoryEvents.note, stuck)


@pytest.mark.parametrize(
    ("mutant", "kind"),
    [
        (own_events_are_told_again, "sqlite"),
        (a_commit_is_taken_for_one_event, "sqlite"),
        (commits_share_a_number, "memory"),
    ],
)
def test_a_mutant_that_tells_wrongly_is_noticed(
    mutant: Callable[[Patch], None], kind: str, fresh_url: FreshUrl, seed: str, monkeypatch: Patch
) -> None:
    """A listener hears something twice, or a subscriber misses it: in one run of threads out of some."""
    mutant(monkeypatch)

    def some() -> None:
        for number in range(20):
            threads_at_the_desk(fresh_url(kind), f"{seed}/{number}")

    with pytest.raises(AssertionError):
        some()


def test_a_mutant_that_lets_two_claim_is_noticed(fresh_url: FreshUrl, monkeypatch: Patch) -> None:
    """A claim does not look whether there is another."""
    init = Claiming.__init__

    def blind(self: Claiming, escalation: Escalation, by: str) -> None:
        init(self, replace(escalation, state="claimed"), by)

    swap(monkeypatch, Claiming.__init__, blind)
    with pytest.raises(pytest.fail.Exception):
        of_two_who_claim_at_once_one_does("memory", fresh_url)
