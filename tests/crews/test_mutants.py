"""Deliberately broken adapters: each breaks one promise to CrewAI's users, and the tests of it must notice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from concordant import Schema
from concordant_crewai import MergeFlow, MergeStorage, SharedState, context, flow_states, provider, tools
from concordant_crewai.memory import model, storage, view
from concordant_crewai.memory.records import Records
from concordant_crewai.memory.view import VectorView

from . import (
    test_flows as flows,
    test_losses as losses,
    test_memory as memory,
    test_shared_state as shared,
    test_tools as tooling,
)

Patch: TypeAlias = pytest.MonkeyPatch
Check: TypeAlias = Callable[[Path], None]
MUTANTS: dict[str, tuple[Check, Callable[[Patch], None]]] = {}


def mutant(check: Check) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Registers a mutant with the test that must notice it."""

    def register(function: Callable[[Patch], None]) -> Callable[[Patch], None]:
        MUTANTS[function.__name__] = (check, function)
        return function

    return register


def crash(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        losses.test_6_a_crash_in_an_update(path, patch)


# -- memory ----------------------------------------------------------------------------------------------------------


def _whole_record(record: Any, seen: Any, *, consolidates: bool) -> dict[str, Any]:
    return model.fields_of(record)


@mutant(losses.test_1_different_fields_at_once)
def the_loser_is_dropped(patch: Patch) -> None:
    """An update replaces what is there now, as if its writer had read that."""

    def replace(self: MergeStorage, record: Any) -> None:
        with self._lock:
            entry = self._find(record.id)
            assert entry is not None
            self.workspace.put(self.namespace, record.id, model.fields_of(record), seen=entry.document)

    patch.setattr(MergeStorage, "update", replace)


@mutant(memory.test_another_handle_finds_what_was_saved_since)
def other_handles_are_not_followed(patch: Patch) -> None:
    """A storage that knows some records does not take in what others write."""
    follow = Records.follow
    patch.setattr(Records, "follow", lambda self: None if self.entries() else follow(self))


@mutant(losses.test_8_a_forgotten_record_does_not_come_back)
def a_forget_is_beaten_by_an_update(patch: Patch) -> None:
    """Who updates wins over who forgets."""
    patch.setattr(storage, "SCHEMA", Schema(model.Remembered, on_delete="update", on_invalid="raise"))


@mutant(memory.test_who_forgets_wins_over_who_touches)
def a_forget_is_beaten_by_a_touch(patch: Patch) -> None:
    """Who notes an access wins over who forgets."""
    patch.setattr(storage, "SCHEMA", Schema(model.Remembered, on_delete="update", on_invalid="raise"))


@mutant(losses.test_4_a_private_record_is_consolidated)
def what_was_not_given_is_a_change(patch: Patch) -> None:
    """A record that CrewAI built anew says that it has no source and is for everybody."""
    patch.setattr(storage, "changes_of", _whole_record)


@mutant(losses.test_5_a_long_record_is_consolidated)
def what_a_model_was_not_shown_is_dropped(patch: Patch) -> None:
    """The answer to 200 characters replaces the whole."""
    patch.setattr(model, "_with_unshown", lambda answer, before: answer)


@mutant(losses.test_3_two_consolidations_at_once)
def merged_content_keeps_a_writers_vector(patch: Patch) -> None:
    """The vector is that of what one of the writers wrote."""
    patch.setattr(VectorView, "_vector_for", lambda self, entry, row, vector: vector or row.embedding)


@mutant(crash)
def a_vector_is_deleted_and_then_added(patch: Patch) -> None:
    """A crash in between leaves a record that no search finds."""
    patch.setattr(view, "_replace", lambda storage, record: storage.update(record))


@mutant(losses.test_7_one_fact_saved_by_two_agents)
def equal_facts_are_two_records(patch: Patch) -> None:
    """A save never looks whether that is known already."""
    patch.setattr(Records, "twin", lambda self, record: None)


@mutant(memory.test_two_scopes_of_one_record_escalate)
def the_last_scope_counts(patch: Patch) -> None:
    """A record that two agents move to different scopes is where the last of them moved it."""
    patch.setattr(model.MergedRecord, "seen", None)


# -- who writes ------------------------------------------------------------------------------------------------------


@mutant(lambda path: shared.test_the_agents_of_a_crew_are_the_writers())
def the_first_agent_is_everybody(patch: Patch) -> None:
    """Who was at work once is taken for whoever writes later."""
    known: list[Any] = []

    def first() -> Any:
        known.append(known[0] if known else context.current_work())
        return known[0]

    patch.setattr(provider, "current_work", first)


@mutant(lambda path: shared.test_delegated_work_is_the_coworkers_and_seen_by_who_delegated())
def delegated_work_is_the_delegators(patch: Patch) -> None:
    """The outermost agent is named, not the innermost."""
    read = context._read

    def outermost(record: Any, innermost: str) -> Any:
        work = read(record, innermost)
        if work is None:
            return None
        [outer] = [context._agent_of(event) for event in _upwards(record, innermost) if context._agent_of(event)][-1:]
        return work._replace(agent=outer)

    patch.setattr(context, "_read", outermost)


def _upwards(record: Any, event_id: str) -> Any:
    event = context._event(record, event_id)
    while event is not None:
        yield event
        event = context._event(record, event.parent_event_id)


@mutant(lambda path: shared.test_tasks_that_run_at_once_are_concurrent())
def a_task_begins_with_each_call(patch: Patch) -> None:
    """What another task has written meanwhile counts as seen."""
    patch.setattr(provider, "relation", lambda mine, theirs: "same")


@mutant(lambda path: shared.test_escalations_go_out_on_the_event_bus())
def escalations_stay_off_the_bus(patch: Patch) -> None:
    """Nobody on CrewAI's bus hears of an escalation."""
    patch.setattr(provider, "announce", lambda event: None)


@mutant(lambda path: tooling.test_agents_read_and_change(SharedState(tooling.Plan)))
def answers_of_tools_are_cached(patch: Patch) -> None:
    """CrewAI may give an earlier answer to a call with the same arguments."""
    patch.setattr(tools, "_never", _always)


def _always(*_: Any, **__: Any) -> bool:
    return True


# -- flows -----------------------------------------------------------------------------------------------------------


@mutant(lambda path: flows.test_parallel_methods_keep_everything())
def methods_share_one_state(patch: Patch) -> None:
    """Methods that run at once work on one object, as in CrewAI's own flow."""
    patch.setattr(MergeFlow, "_forking", lambda self, name, method: method)


@mutant(flows.test_two_workers_on_one_flow_keep_everything)
def the_worker_that_saves_last_wins(patch: Patch) -> None:
    """A save replaces what is there, as if its worker had loaded that."""
    save = flow_states.Worker.save

    def overwrite(self: Any, name: str, state: Any) -> None:
        self._agent.read(self._kept.namespace, self._key)
        self._base = {}
        save(self, name, state)

    patch.setattr(flow_states.Worker, "save", overwrite)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_adapter_is_noticed(name: str, tmp_path: Path, monkeypatch: Patch) -> None:
    """The test of the promise that a mutant breaks fails under that mutant, and holds without it."""
    check, apply_patch = MUTANTS[name]
    for place in ("sound", "broken"):
        (tmp_path / place).mkdir()
    check(tmp_path / "sound")
    apply_patch(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        check(tmp_path / "broken")
