"""Stores with several clocks that forget one of them, or take them in a circle: each caught by a named test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from concordant import Workspace
from concordant.storage import cut, postgres
from concordant.storage.cut import Cut, cut_of, numbers_of
from concordant.storage.durable import DurableStorage
from concordant.storage.knowledge import Marks
from concordant.storage.memory import MemoryStorage
from concordant.storage.sql.events import SqlEvents
from concordant.storage.sql.storage import SqlStorage

from ..durable import test_clocks as tests
from ..durable.test_clocks import three  # the fixture
from .breaking import swap

Patch = pytest.MonkeyPatch

__all__ = ["three"]


def test_a_moment_of_one_clock_is_caught(three: Workspace, monkeypatch: Patch) -> None:
    """A moment must not take one clock's number for all."""
    now = DurableStorage.now

    def of_the_first(self: DurableStorage) -> tuple[Cut, float]:
        found, time = now(self)
        return cut_of([numbers_of(found)[0], *[0] * (self.clocks - 1)]), time

    swap(monkeypatch, DurableStorage.now, of_the_first)
    with pytest.raises(AssertionError):
        tests.test_a_moment_has_a_number_of_every_clock(three)


def test_a_moment_that_knows_what_is_to_come_is_caught(three: Workspace, monkeypatch: Patch) -> None:
    """The highest number of all clocks is none of the others' numbers."""
    now = DurableStorage.now

    def highest(self: DurableStorage) -> tuple[Cut, float]:
        found, time = now(self)
        return cut_of([cut.highest(found) + 10 * self.clocks] * self.clocks), time

    swap(monkeypatch, DurableStorage.now, highest)
    with pytest.raises(AssertionError):
        tests.test_a_moment_has_a_number_of_every_clock(three)


def test_changes_without_a_clock_are_caught(three: Workspace, monkeypatch: Patch) -> None:
    """``changes`` must look under every clock."""
    after = SqlStorage._after

    def without_the_last(self: SqlStorage, column: str, given: Cut) -> tuple[str, Sequence[Any]]:
        query, parameters = after(self, column, given)
        return f"clock < {self.clocks - 1} AND ({query})", parameters

    swap(monkeypatch, SqlStorage._after, without_the_last)
    with pytest.raises(AssertionError):
        tests.test_changes_and_events_have_every_clock(three)


def test_events_without_a_clock_are_caught(three: Workspace, monkeypatch: Patch) -> None:
    """So must a subscriber."""
    after = SqlEvents.after
    swap(monkeypatch, SqlEvents.after, lambda self, position, limit: after(self, position[:-1], limit))
    with pytest.raises(AssertionError):
        tests.test_changes_and_events_have_every_clock(three)


def test_an_import_that_forgets_a_clock_is_caught(three: Workspace, monkeypatch: Patch) -> None:
    """What was imported is known of every clock of where it came from."""
    learn = MemoryStorage.learn

    def without_one(self: MemoryStorage, vector: Mapping[str, int], marks: Mapping[str, Marks]) -> None:
        learn(self, {name: n for name, n in vector.items() if "#1/" not in name}, marks)

    swap(monkeypatch, MemoryStorage.learn, without_one)
    with pytest.raises(AssertionError):
        tests.test_another_store_learns_of_every_clock(three)


@pytest.mark.parametrize("letter", [str.casefold, lambda text: text.replace("\0", "")])
def test_a_hash_of_something_else_is_caught(letter: Callable[[str], str], monkeypatch: Patch) -> None:
    """A document that is looked for under another clock is not found: the clock is that of the name to the letter."""
    clock_of = cut.clock_of
    monkeypatch.setattr(cut, "clock_of", lambda place, clocks: clock_of((place[0], letter(place[1])), clocks))
    with pytest.raises(AssertionError):
        tests.test_the_clock_of_a_name_is_for_ever()


def test_clocks_in_another_order_are_caught(postgres_urls: Callable[[], str], monkeypatch: Patch) -> None:
    """Two batches that take two clocks in different orders would wait for each other."""
    turned = postgres._HOLD_SOME.replace("ORDER BY clock", "ORDER BY clock DESC")
    monkeypatch.setattr(postgres, "_HOLD_SOME", turned)
    with pytest.raises(AssertionError):
        tests.test_a_batch_takes_its_clocks_in_ascending_order(postgres_urls)
