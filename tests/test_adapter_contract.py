"""The adapter that the documentation builds keeps the contract, and adapters that are wrong do not."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from concordant import Workspace
from concordant.testing import AdapterContract
from concordant.testing.adapters import AT, NS, Shared

from .test_docs import python_blocks

PAGE = Path(__file__).parent.parent / "docs" / "adapters.md"


def documented() -> types.ModuleType:
    """What the documentation's blocks define, as a module."""
    module = types.ModuleType("documented_adapter")
    sys.modules[module.__name__] = module  # its dataclass and models look for themselves there
    for block in python_blocks(PAGE.read_text(encoding="utf-8")):
        exec(compile("\n" * (block.line - 1) + block.code, str(PAGE), "exec"), module.__dict__)
    return module


page = documented()


class TestDocumented(page.TestTeams):  # type: ignore[misc, name-defined]
    """The adapter of docs/adapters.md keeps the contract."""


Breaks = Callable[[pytest.MonkeyPatch], None]


def nobody_is_at_work(patch: pytest.MonkeyPatch) -> None:
    """No call is known to be made in a task."""
    patch.setattr(page, "connect", lambda _: None)


def everybody_is_one(patch: pytest.MonkeyPatch) -> None:
    """All origins are of one unit of work."""
    patch.setattr(page, "relation", lambda *_: "same")


def beside_is_before(patch: pytest.MonkeyPatch) -> None:
    """The agents of a team are ordered by time, and a task begins with the newest commit there is."""
    patch.setattr(page, "relation", lambda mine, theirs: "same" if mine == theirs else "ordered")
    patch.setattr(page, "task_scope", lambda: scope(began=page.Instant.now()))


def the_past_is_unseen(patch: pytest.MonkeyPatch) -> None:
    """Nothing is seen that a task did not read or write itself."""
    patch.setattr(page, "relation", lambda mine, theirs: "same" if mine == theirs else "concurrent")


def a_retry_is_another_task(patch: pytest.MonkeyPatch) -> None:
    """A task that is executed again has another identity and origin."""

    def again() -> Any:
        found = scope()
        if found is None:
            return None
        task = f"{found.task}!{found.execution}"
        return found._replace(task=task, origin=task, relation=lambda mine, theirs: "concurrent")

    patch.setattr(page, "task_scope", again)


def an_execution_goes_on(patch: pytest.MonkeyPatch) -> None:
    """A task that is executed again is taken for its first execution."""
    patch.setattr(page, "task_scope", lambda: scope(execution="1"))


def all_are_called_alike(patch: pytest.MonkeyPatch) -> None:
    """Whoever is at work, the agent has one name."""
    patch.setattr(page, "task_scope", lambda: scope(name="agent"))


def scope(**changed: Any) -> Any:
    """The scope of the job under way, with something else in it."""
    work = page.job.get()
    return page.scope_of(work)._replace(**changed) if work is not None else None


WRONG = {
    "test_a_write_names_the_agent_of_its_task": [nobody_is_at_work, all_are_called_alike],
    "test_tasks_side_by_side_lose_nothing": [nobody_is_at_work, everybody_is_one],
    "test_a_later_task_has_seen_the_earlier_one": [the_past_is_unseen],
    "test_what_others_did_since_a_task_began_is_concurrent": [beside_is_before],
    "test_a_retried_contribution_counts_once": [a_retry_is_another_task, an_execution_goes_on],
    "test_a_retried_change_of_what_was_read_counts_once": [a_retry_is_another_task, an_execution_goes_on],
}


@pytest.mark.parametrize(("name", "breaks"), [(name, breaks) for name, found in WRONG.items() for breaks in found])
def test_a_wrong_adapter_is_noticed(name: str, breaks: Breaks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of the contract fails on an adapter that breaks what it is of."""
    contract = page.TestTeams()
    breaks(monkeypatch)
    page.scope_of.cache_clear()
    ws = Workspace(schemas={NS: Shared})
    contract.connect(ws)
    with pytest.raises((AssertionError, ValueError)):
        getattr(contract, name)(ws)


@pytest.mark.parametrize("fails", [False, True])
def test_tasks_of_another_process_are_others(fails: bool, tmp_path: Path) -> None:
    """What was written before a process was started again is neither taken back by its tasks, nor unseen by them."""
    url = f"sqlite:///{tmp_path / 'team.db'}"
    for day in (1, 2, 3):
        process = documented()  # its module is new, and so is all that it counts
        with Workspace(url, schemas={NS: Shared}) as ws:
            process.connect(ws)
            attempts = iter([ConnectionError()] if fails and day > 1 else [])

            def work(ws: Workspace = ws, day: int = day, attempts: Iterator[Exception] = attempts) -> None:
                for error in attempts:
                    raise error
                ws.put(*AT, {"count": 1, "status": f"by {day}"})

            process.run_team({"ada": work} if day == 1 else {"eve": lambda: None, "ada": work})
            document = ws.get(*AT)
            assert document is not None and document.value == {"count": day, "status": f"by {day}"}
            process.run_team({"bob": lambda ws=ws: ws.put(*AT, {"status": "by bob"}), "ada": lambda: None})
            assert ws.escalations(state="all") == []


def test_a_framework_without_retries_has_no_tests_of_them() -> None:
    """Where a framework cannot execute a task again, the tests of that are not collected."""

    class Once(AdapterContract):
        pass

    assert Once.test_a_retried_contribution_counts_once is None  # type: ignore[comparison-overlap]
    assert callable(Once.test_tasks_side_by_side_lose_nothing)
