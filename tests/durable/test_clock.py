"""The clock of a database as another machine knows it: never later than it is, whatever either clock does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from concordant import Instant, Workspace
from concordant.storage.clocks import SharedClock

TRIPS = st.floats(0.0, 0.015)  # a step is noticed if it is more than a whole trip, and drift since the last, explain
STEPS = st.sampled_from([0.0, 0.0, 0.0, -300.0, -1.0, -0.05, 30.0, 300.0])
SAMPLES = st.lists(st.tuples(st.floats(0.0, 60.0), TRIPS, TRIPS, STEPS), min_size=1, max_size=20)


class Machines:
    """A database's clock and ours: what it shows at our times, with drift and steps."""

    def __init__(self, drift: float) -> None:
        self.drift = drift
        self.steps: list[tuple[float, float]] = [(0.0, 1_000_000.0)]

    def there(self, at: float) -> float:
        return at * (1.0 + self.drift) + sum(by for since, by in self.steps if since <= at)


def check_bounds(drift: float, samples: list[tuple[float, float, float, float]]) -> None:
    """Plays samples; after each, no earlier time of ours is translated to more than what the clock there showed."""
    machines, clock, now = Machines(drift), SharedClock(), 0.0
    asked: list[float] = []
    for pause, out, back, step in samples:
        now += pause
        if step:
            machines.steps.append((now, step))
        before = now
        asked.append(before)
        now += out
        there = machines.there(now)
        now += back
        clock.sample(before, there, now)
        for at in asked:
            assert clock.surely(at, now) <= machines.there(at)


@given(st.floats(-0.0001, 0.0001), SAMPLES)
def test_a_time_is_never_translated_to_a_later_one(
    drift: float, samples: list[tuple[float, float, float, float]]
) -> None:
    """Drift, slow answers, steps of the database's clock in both directions: the error is on the side of "not yet"."""
    check_bounds(drift, samples)


@given(st.floats(-0.0001, 0.0001), st.lists(TRIPS, min_size=1, max_size=20))
def test_without_steps_the_error_is_what_the_best_answer_took(drift: float, trips: list[float]) -> None:
    """One quick answer is enough for all that follow soon."""
    machines, clock, now = Machines(drift), SharedClock(), 0.0
    for trip in trips:
        clock.sample(now, machines.there(now + trip / 2), now + trip)
        now += trip
    assert clock.surely(now, now) >= machines.there(now) - min(trips) - 0.0015


@pytest.mark.parametrize(("stepped", "seen"), [(0.0, -0.5), (300.0, -0.5), (-300.0, -301.0)])
async def test_of_an_instant_on_an_event_loop_the_lower_of_two_clocks_tells(
    stepped: float, seen: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is not asked there; what others committed after it, before or after a step, never counts as seen."""
    real = time.time
    with Workspace(f"sqlite:///{tmp_path / 'team.db'}") as workspace:
        storage: Any = workspace.storage
        storage.expect_tasks()
        began = Instant.now()
        assert began.wall is not None
        monkeypatch.setattr(time, "time", lambda: real() + stepped)
        beyond = storage.beginning(began).beyond
        assert beyond(1_000_000, began.wall + seen)
        for after in (0.1, 0.1 + stepped):
            assert not beyond(1_000_000, began.wall + after)
