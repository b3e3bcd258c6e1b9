"""Deliberately broken scopes in LangGraph: each confuses two writers or two executions, which a test must notice."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest
from langchain_core import tools

from concordant import ConcordantError, Instant
from concordant.workspace.coroutines import are_gathered
from concordant.workspace.scope import Scope
from concordant.workspace.scoping import Scoping
from concordant.workspace.transaction import Pending
from concordant_langgraph import attempts, provider, toolcalls
from concordant_langgraph.attempts import (
    _Known,
    attempt_begins as the_attempt_begins,
    graph_goes_on,
    settled,
    superstep_began,
)
from concordant_langgraph.lineage import turn, with_parts as the_with_parts
from concordant_langgraph.taking import _with_own_callbacks
from concordant_langgraph.toolcalls import _Ended, runnable_begins, tool_call_ends

from ..langgraph import test_store_graphs
from ..langgraph.effects import test_in_turn
from ..langgraph.scopes import test_floor, test_strands, test_subgraph_retries, test_task_calls, test_tool_calls
from .breaking import passes, swap

Patch = pytest.MonkeyPatch
MUTANTS: dict[str, tuple[Callable[[], None], Callable[[Patch], None]]] = {}
NOTICED = (AssertionError, ValueError, ConcordantError)
"""ValueError: `(escalation,) = found` where there is none."""


def mutant(check: Callable[[], None]) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Registers a mutant with the check that must notice it."""

    def register(function: Callable[[Patch], None]) -> Callable[[Patch], None]:
        MUTANTS[function.__name__] = (check, function)
        return function

    return register


@mutant(lambda: test_tool_calls.test_parallel_tool_calls_that_disagree_escalate(False, False))
def tool_calls_are_their_task(patch: Patch) -> None:
    """Whatever tool runs, the task writes."""
    patch.setattr(provider, "tool_call", lambda: None)


@mutant(lambda: test_tool_calls.test_tool_calls_that_a_node_makes_one_after_the_other_are_a_sequence(False))
def tool_calls_begin_with_their_task(patch: Patch) -> None:
    """The calls that a loop makes are taken for calls of one message."""
    swap(patch, _Ended, lambda namespace, _, *rest: toolcalls_ended(namespace, Instant(0, 0.0), *rest))


toolcalls_ended = toolcalls._Ended


@mutant(lambda: test_tool_calls.test_the_turns_of_an_agent_that_is_one_node_are_a_sequence(False))
def a_model_between_tool_calls_is_not_noticed(patch: Patch) -> None:
    """The turns of an agent that is one node are taken for one message."""
    swap(patch, runnable_begins, lambda *_: None)


@mutant(lambda: test_tool_calls.test_a_tool_call_that_is_retried_by_itself_has_its_effect_once("sync"))
def a_retried_tool_call_is_another(patch: Patch) -> None:
    """That a tool call failed before is forgotten."""
    swap(patch, tool_call_ends, lambda run, failed: toolcalls.tool_call_ends(run, failed=False))


@mutant(lambda: test_tool_calls.test_a_tool_call_that_is_retried_by_itself_has_its_effect_once("sync tool on a loop"))
def ends_in_threads_are_not_known(patch: Patch) -> None:
    """A coroutine does not hear that a tool has ended that ran in a thread."""
    patch.setattr(tools.StructuredTool, "ainvoke", tools.StructuredTool.ainvoke.__wrapped__)  # type: ignore[attr-defined]


@mutant(lambda: test_tool_calls.test_graphs_in_a_tool_call_that_is_retried_have_their_effect_once(False))
def graphs_of_tool_calls_are_counted_on(patch: Patch) -> None:
    """The graphs that a tool call invokes are known by LangGraph's numbers alone."""
    swap(patch, _Known._place_by, lambda self, by, place: place)


@mutant(test_task_calls.test_tasks_that_begin_at_once_are_not_confused)
def calls_have_their_callbacks_in_common(patch: Patch) -> None:
    """What one `@task` notes in the callbacks is taken for what its sibling is."""
    swap(patch, _with_own_callbacks, lambda config: config)


@mutant(test_tool_calls.test_graphs_in_parallel_tool_calls_disagree_with_the_other_calls)
def graphs_in_tool_calls_are_the_tasks(patch: Patch) -> None:
    """What a tool call invokes is not known to be inside it."""

    def inner_only(token: str, parts: dict[int, str]) -> str:
        last = len(token.split("/")) - 2
        return with_parts(token, {depth: part for depth, part in parts.items() if depth == last})

    with_parts: Any = provider.with_parts
    swap(patch, the_with_parts, inner_only)


@mutant(lambda: test_strands.test_200_gathered_workers_lose_nothing())
def a_task_is_one_strand(patch: Patch) -> None:
    """What one coroutine reads counts as read by all."""
    swap(patch, Scoping._scope_of, lambda self, task: self._tasks.get(task.key) or self._remember(task, Scope.of(task)))


@mutant(lambda: test_strands.test_a_read_and_a_put_of_one_coroutine_are_an_edit(test_strands._in_tasks, 2))
def reads_are_not_handed_on(patch: Patch) -> None:
    """A read carried out in a task or thread of its own is nobody else's."""
    swap(patch, Scope.basis, Scope.snapshot)


@mutant(lambda: test_strands.test_a_reader_beside_a_coroutine_has_not_read_for_it("", test_strands._gathered, 0, None))
def who_runs_beside_hands_on(patch: Patch) -> None:
    """What a coroutine has read that has ended is read for those gathered with it."""
    swap(patch, are_gathered, lambda *_: False)


def steps_in_turn() -> None:
    for how in test_in_turn.HOW[1:]:
        steps: list[list[test_in_turn.Put]] = [[{"status": "*"}], [{"status": "busy"}], [{"status": "done"}]]
        test_in_turn.check(how, True, steps, [(2, 9)] * 2)


@mutant(steps_in_turn)
def steps_in_turn_are_beside_each_other(patch: Patch) -> None:
    """What a step that comes later put the last time is unseen by one that is executed again."""
    swap(patch, turn, lambda *_: "")


@mutant(steps_in_turn)
def what_came_before_anew_is_left(patch: Patch) -> None:
    """A step that puts what it put the last time leaves what an earlier one has put in its place since."""
    swap(patch, Pending._overwritten, lambda *_: frozenset())


@mutant(
    lambda: test_store_graphs.test_a_program_that_runs_a_graph_goes_on_after_it("put", True, "", False, lambda _: None)
)
def what_a_program_runs_is_unseen_by_it(patch: Patch) -> None:
    """A read before a graph is run makes what the graph put a stranger's."""
    swap(patch, Scoping.note_run, lambda *_: None)


@mutant(lambda: test_subgraph_retries.test_a_retried_subgraph_has_its_effect_once(None, False))
def attempts_are_not_noted(patch: Patch) -> None:
    """Tasks inside a retried node are known by LangGraph's ids alone."""
    swap(patch, the_attempt_begins, lambda *_: None)


@mutant(lambda: test_subgraph_retries.test_a_retried_subgraph_has_its_effect_once(None, False))
def calls_are_counted_on(patch: Patch) -> None:
    """The second attempt's first call is taken for a further one."""

    def begins(checkpoint_ns: str, *args: Any) -> None:
        attempt_begins(checkpoint_ns, *args)
        attempts._known[checkpoint_ns].calls_before = 0

    attempt_begins = attempts.attempt_begins
    swap(patch, the_attempt_begins, begins)


@mutant(lambda: test_subgraph_retries.test_what_was_taken_from_a_checkpoint_and_is_then_retried_counts_once("node"))
def graphs_from_checkpoints_are_no_calls(patch: Patch) -> None:
    """A graph that LangGraph takes from a checkpoint is not counted among the calls of what invokes it."""
    swap(patch, graph_goes_on, lambda _: None)


@mutant(lambda: test_subgraph_retries.test_what_was_taken_from_a_checkpoint_and_is_then_retried_counts_once("task"))
def tasks_from_checkpoints_are_no_calls(patch: Patch) -> None:
    """A call of a `@task` whose result LangGraph still has is not counted among the calls of its attempt."""
    patch.setattr(attempts, "call", ContextVar("nobodys", default=None))


@mutant(lambda: test_subgraph_retries.test_what_stood_beside_in_an_earlier_attempt_is_not_seen(False))
def attempts_are_later_work(patch: Patch) -> None:
    """What stood beside a task in an earlier attempt counts as seen in the next."""
    swap(patch, settled, lambda _, levels: levels)


@mutant(lambda: test_floor.test_a_sibling_that_wrote_before_a_task_went_on_is_concurrent(True))
def every_superstep_begins_with_its_run(patch: Patch) -> None:
    """The superstep that a run goes on with counts as one that it made."""

    swap(patch, superstep_began, lambda checkpoint_ns, _: the_superstep_began(checkpoint_ns, True))


the_superstep_began = superstep_began


@mutant(lambda: test_floor.test_a_sibling_that_wrote_before_a_task_went_on_is_concurrent(False))
def supersteps_begin_when_they_go_on(patch: Patch) -> None:
    """Nobody is a sibling who wrote before a run went on with a superstep."""

    def begins(checkpoint_ns: str, run: Any, step: Any, *rest: Any) -> None:
        known = attempts.invocation_of(checkpoint_ns)
        if known is not None:
            known.begun.pop(step, None)
        the_attempt_begins(checkpoint_ns, run, step, *rest)

    swap(patch, the_attempt_begins, begins)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_scope_is_noticed(name: str, monkeypatch: Patch) -> None:
    """The check of the promise that a mutant breaks fails under that mutant, and holds without it."""
    check, apply_patch = MUTANTS[name]
    passes(check)
    apply_patch(monkeypatch)
    with pytest.raises(NOTICED):
        check()
