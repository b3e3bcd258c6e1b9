"""Orders that a clock decides, or nobody: each of them a test of clocks must notice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from concordant import Workspace
from concordant.storage import clocks as instants
from concordant.storage.clocks import Course, SharedClock, SharedCourse, are_looks_wanted
from concordant.storage.durable import DurableStorage
from concordant.storage.memory import MemoryStorage
from concordant_langgraph import MergeStore
from concordant_langgraph.attempts import first_begun
from concordant_langgraph.beginnings import began
from concordant_langgraph.calls import Calls
from concordant_langgraph.taking import _watched

from ..durable import test_clock
from ..langgraph.scopes import test_clocks, test_task_calls
from ..langgraph.scopes.support import NS, Brief
from ..semantics import test_exchange
from .breaking import swap

Patch = pytest.MonkeyPatch
Check = Callable[[Patch, Path], None]
MUTANTS: dict[str, tuple[Check, Callable[[Patch], None]]] = {}


def mutant(check: Check) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Registers a mutant with the check that must notice it."""

    def register(function: Callable[[Patch], None]) -> Callable[[Patch], None]:
        MUTANTS[function.__name__] = (check, function)
        return function

    return register


def a_step_back_in_a_node(patch: Patch, _: Path) -> None:
    with patch.context() as clock, Workspace(schemas={NS: Brief}) as workspace:
        store = MergeStore(workspace=workspace)
        test_clocks.test_a_node_has_not_seen_what_was_written_while_it_ran(store, test_clocks.stepping(clock))


def a_step_back_in_a_graph(patch: Patch, _: Path) -> None:
    with patch.context() as clock, Workspace(schemas={NS: Brief}) as workspace:
        store, step = MergeStore(workspace=workspace), test_clocks.stepping(clock)
        test_clocks.test_a_step_of_the_clock_at_any_point_of_a_graph_loses_and_alarms_nothing(store, step, -300.0)


def a_file_of_two_processes(patch: Patch, path: Path) -> None:
    with patch.context() as clock:
        step = test_clocks.stepping(clock)
        path.mkdir(exist_ok=True)
        test_clocks.test_what_another_process_wrote_before_a_task_began_is_told_by_the_file(False, path, step)


def a_file_of_two_processes_on_a_loop(patch: Patch, path: Path) -> None:
    with patch.context() as clock:
        step = test_clocks.stepping(clock)
        path.mkdir(exist_ok=True)
        test_clocks.test_what_another_process_wrote_before_a_task_began_is_told_by_the_file(True, path, step)


def a_database_with_a_clock_that_steps(*_: Any) -> None:
    quick = 0.001
    for size in (-300.0, -0.05, 30.0):
        test_clock.check_bounds(
            0.0001, [(1.0, quick, quick, 0.0), (20.0, quick, quick, 0.0), (20.0, quick, quick, size)]
        )


@mutant(a_step_back_in_a_node)
def a_task_begins_when_the_wall_says(patch: Patch) -> None:
    """LangGraph's own time of the first attempt is believed."""
    swap(patch, began, lambda *_: None)
    swap(patch, first_begun, lambda _: None)


@mutant(a_step_back_in_a_node)
def everything_was_there_at_every_instant(patch: Patch) -> None:
    """A store's course is not written down."""
    swap(patch, Course.step, lambda self, before: setattr(self, "tick", instants.latest))


@mutant(a_step_back_in_a_graph)
def nothing_was_there_at_any_instant(patch: Patch) -> None:
    """A task has seen what it has read, and no more."""
    swap(patch, Course.at, lambda *_: 0.0)


@mutant(a_file_of_two_processes)
def a_file_is_not_asked(patch: Patch) -> None:
    """A task knows what its own process had heard of when it began."""
    swap(patch, DurableStorage._look, lambda _: None)


@mutant(a_file_of_two_processes_on_a_loop)
def a_file_is_not_asked_on_a_loop(patch: Patch) -> None:
    """The lower of two clocks decides what other processes had written when a coroutine's task began."""
    swap(patch, are_looks_wanted, lambda: False)


@mutant(a_file_of_two_processes)
def what_is_heard_of_later_was_there_before(patch: Patch) -> None:
    """What a task's first read shows counts as there when it began."""
    swap(patch, SharedCourse.at, lambda self, _: self._times[0])


@mutant(a_database_with_a_clock_that_steps)
def steps_of_the_database_are_averaged(patch: Patch) -> None:
    """What was before a step of the database's clock is forgotten."""
    swap(patch, SharedClock.surely, lambda self, at, now: at + self._low - 0.0002 * max(now - self._at, 0.0) - 0.001)


@mutant(a_database_with_a_clock_that_steps)
def the_database_is_believed_to_keep_time(patch: Patch) -> None:
    """The difference of the clocks is measured once."""
    sample = SharedClock.sample
    swap(patch, SharedClock.sample, lambda self, *args: None if self._measured else sample(self, *args))


@mutant(lambda *_: test_task_calls.test_a_task_that_is_called_after_another_had_returned_has_seen_it("result"))
def results_are_never_taken(patch: Patch) -> None:
    """All `@task`s of one caller look concurrent."""
    swap(patch, Calls.take, lambda *_: None)


@mutant(
    lambda *_: test_task_calls.test_tasks_that_are_called_side_by_side_are_concurrent_whatever_the_pool_makes_of_them(3)
)
def what_has_ended_has_returned(patch: Patch) -> None:
    """A task that the pool ended before the next was called counts as one whose result was taken."""

    def ended(future: Any, calls: Calls, number: int) -> Any:
        future.add_done_callback(lambda _: calls.take(number))
        return future

    swap(patch, _watched, ended)


@mutant(lambda *_: test_exchange.test_frames_are_bounded_by_our_real_clock_however_many_come())
def frames_push_the_bound_of_frames(patch: Patch) -> None:
    """Each frame may be ahead of what the one before was ahead of."""
    swap(patch, MemoryStorage.real_time, MemoryStorage.time)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_clock_is_noticed(name: str, tmp_path: Path, monkeypatch: Patch) -> None:
    """The check of what a mutant breaks fails under that mutant, and holds without it."""
    check, apply_patch = MUTANTS[name]
    check(monkeypatch, tmp_path / "right")
    apply_patch(monkeypatch)
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        check(monkeypatch, tmp_path / "broken")
