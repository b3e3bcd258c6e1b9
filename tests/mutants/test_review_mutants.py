"""Deliberately broken tellings and reviews of conflicts: each breaks one promise, which a test of it must notice."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from concordant import ConcordantError, StaleDecisionError, Workspace
from concordant.escalation import Escalation
from concordant.forms import _code, ref_of
from concordant.workspace.coroutines import run_waiting
from concordant_langgraph import conflicts, questions, review, server
from concordant_langgraph.conflicts import Conflicts, _raise
from concordant_langgraph.questions import as_shown, shown
from concordant_langgraph.review import _settle

from ..langgraph import test_event_loop, test_server
from ..langgraph.review import support, test_forms, test_on_conflict, test_restart, test_review
from .breaking import passes, swap

Patch = pytest.MonkeyPatch
Mutant = tuple[Callable[[], None], Callable[[Patch], None]]
MUTANTS: dict[str, Mutant] = {}
NOTICED = (AssertionError, pytest.fail.Exception, ValueError, KeyError, ConcordantError)
"""ValueError: `[one] = found` where there is none, or more."""


def mutant(check: Callable[[], None]) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Registers a mutant with the check that must notice it."""

    def register(function: Callable[[Patch], None]) -> Callable[[Patch], None]:
        MUTANTS[function.__name__] = (check, function)
        return function

    return register


def histories() -> None:
    for number in range(10):
        test_restart.check_a_random_history(random.Random(f"mutants/{number}"))


def over_sqlite() -> None:
    with tempfile.TemporaryDirectory() as folder:
        schemas: Any = {support.NS: support.Brief}
        with Workspace(f"sqlite:///{Path(folder) / 'team.db'}", schemas=schemas) as ws:
            asyncio.run(test_event_loop.test_no_call_of_the_store_waits_on_the_loop("index", ws))


@mutant(lambda: test_forms.test_an_answer_is_to_what_was_shown("hitl"))
def an_answer_in_a_form_is_to_any_question(patch: Patch) -> None:
    """What was shown has no name."""
    swap(patch, ref_of, lambda _: "any")


@mutant(lambda: test_forms.test_what_is_approved())
def a_side_is_approved_unnamed(patch: Patch) -> None:
    """Where there is no suggestion, the first side is taken for one."""
    swap(patch, Escalation.suggestion, property(lambda self: self.contenders[0].value))


@mutant(lambda: test_forms.test_what_agents_wrote_marks_nothing_up("ag-ui"))
def values_stand_as_they_are(patch: Patch) -> None:
    """What agents wrote is Markdown."""
    swap(patch, _code, str)


@mutant(lambda: test_on_conflict.test_the_node_that_conflicts_gets_an_error_and_its_write_stands(False))
def errors_are_swallowed(patch: Patch) -> None:
    """A conflict that is to be raised is not."""
    swap(patch, _raise, lambda *_: None)


@mutant(lambda: test_on_conflict.test_a_retried_put_is_as_contested_as_the_first_and_counts_once(True))
def a_retry_makes_a_conflict_silent(patch: Patch) -> None:
    """Only what newly opens or grows raises."""
    swap(patch, Conflicts._repeated, lambda *_: {})


@mutant(test_on_conflict.test_sequential_nodes_do_not_hear_of_an_open_question)
def every_open_question_raises(patch: Patch) -> None:
    """Also one that the put has no part in."""
    swap(
        patch, Conflicts._repeated, lambda self, puts: {one.id: one for one in self._workspace.escalations(puts[0][0])}
    )


@mutant(test_on_conflict.test_a_batch_that_opens_and_closes_streams_nothing)
def what_is_settled_is_told(patch: Patch) -> None:
    """An escalation that the same call closed again is streamed."""
    patch.setattr(conflicts, "_CLOSING", ())


@mutant(test_on_conflict.test_only_the_store_that_puts_tells)
def every_store_tells(patch: Patch) -> None:
    """A conflict is told by all stores of a workspace."""

    def note(self: Conflicts, event: Any) -> None:
        watch = conflicts._watch.get()
        if watch is not None:
            watch.events.append(event)

    swap(patch, Conflicts._note, note)


@mutant(histories)
def answers_go_by_place(patch: Patch) -> None:
    """An answer is to whatever is open at that path by now: sent again, or late, it decides what was not shown."""
    swap(patch, ref_of, lambda escalation: f"{escalation.id}.")
    made = questions.as_shown
    seen: dict[str, Any] = {}

    def showing(escalation: Any) -> Any:
        seen[escalation.id] = escalation
        return shown(escalation)

    swap(patch, shown, showing)
    swap(patch, as_shown, lambda question: seen.get(question["id"], made(question)))


@mutant(test_review.test_a_question_that_was_settled_and_opened_again_is_another_question)
def answers_go_by_contenders_alone(patch: Patch) -> None:
    """An answer counts once more where the same values are contested again."""
    swap(patch, ref_of, lambda escalation: f"{escalation.id}.{escalation.version}")


@mutant(test_review.test_two_threads_review_at_once)
def what_another_decided_is_ones_own(patch: Patch) -> None:
    """Who comes second is told that the own answer was taken."""
    settle = review._settle

    def boast(question: Any, answer: Any, by: str, calls: Any) -> Any:
        outcome = yield from settle(question, answer, by, calls)
        if not isinstance(outcome, str):
            outcome = {**outcome, "by": by, **questions.decided(answer.value)}
        return outcome

    swap(patch, _settle, boast)


@mutant(lambda: test_review.test_a_decision_made_elsewhere_stands(False, False))
def a_stale_decision_breaks_the_graph(patch: Patch) -> None:
    """What somebody else settled first is an error of the node."""
    swap(patch, StaleDecisionError, type("Unknown", (StaleDecisionError,), {}), within=review.__name__)


@mutant(over_sqlite)
def a_database_is_waited_for_on_the_loop(patch: Patch) -> None:
    """Coroutines call a database as they call what is in memory."""

    async def acall(self: Workspace, function: Any, *args: Any, **kwargs: Any) -> Any:
        return await run_waiting(function, *args, **kwargs)

    swap(patch, Workspace.acall, acall)


@mutant(test_server.check_that_loops_share_one_store)
def every_loop_has_a_store_of_its_own(patch: Patch) -> None:
    """A server's loops do not see each other's memory."""

    def factory(*args: Any, **kwargs: Any) -> Any:
        return lambda: server_store(*args, **kwargs)()

    server_store = server.server_store
    patch.setattr(test_server, "server_store", factory)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_review_is_noticed(name: str, monkeypatch: Patch) -> None:
    """The check of the promise that a mutant breaks fails under that mutant, and holds without it."""
    check, apply_patch = MUTANTS[name]
    passes(check)
    apply_patch(monkeypatch)
    with pytest.raises(NOTICED):
        check()
