"""Deliberately broken sights: each takes what tools have shown agents for something else, which a test must notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from concordant import ConcordantError
from concordant.storage import deferred
from concordant.tooling.answers import _shown_whole
from concordant.tooling.quoting import shortened
from concordant.values import decode_whole
from concordant.workspace import scoping, tool_reads
from concordant.workspace.amending import Amending, _with_replaced
from concordant.workspace.evidence import is_mine
from concordant.workspace.scope import Scope
from concordant.workspace.scoping import Scoping
from concordant.workspace.tool_reads import ToolReads, decided_by
from concordant_langgraph import attempts
from concordant_langgraph.attempts import _gone_on_with
from concordant_langgraph.context import message_of
from concordant_langgraph.lineage import belongs
from concordant_langgraph.toolcalls import ToolCall

from ..langgraph import test_agent_programs, test_shown
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


@mutant(lambda: test_shown.test_a_stale_overwrite_escalates(False))
def sights_are_forgotten(patch: Patch) -> None:
    """Each call is judged by what was there when it began."""
    swap(patch, ToolReads.add, lambda *_: None)


@mutant(lambda: test_shown.test_a_stale_overwrite_escalates(False))
def what_came_after_a_sight_counts_as_seen(patch: Patch) -> None:
    """A sight adds to what a call has seen, and takes nothing away."""
    swap(patch, Scope.judged_by_reads, lambda self, *_: self)


@mutant(test_shown.test_what_its_code_wrote_is_an_agents_own)
def own_writes_are_strangers(patch: Patch) -> None:
    """What the run wrote itself counts as somebody else's."""
    swap(patch, belongs, lambda *_: "")


@mutant(test_shown.test_two_calls_side_by_side_do_not_fight)
def calls_of_a_message_are_strangers(patch: Patch) -> None:
    """The author of one call is not known to be that of the other."""
    swap(patch, message_of, lambda *_: "")


@mutant(test_shown.test_a_look_beside_a_call_is_no_sight_of_it)
def looks_count_at_once(patch: Patch) -> None:
    """What any call of the run is shown has decided all others."""
    swap(patch, decided_by, lambda *_: True)


@mutant(test_shown.test_what_an_agent_is_shown_another_has_not_seen)
def all_agents_see_what_one_is_shown(patch: Patch) -> None:
    """Sights are those of everybody."""
    sights = tool_reads.ToolReads()
    swap(patch, Scoping._showings_of, lambda *_: sights)


@mutant(test_shown.test_an_answer_to_an_update_shows_the_fields_it_tells_of)
def an_answer_shows_everything(patch: Patch) -> None:
    """Who has been answered has seen the whole document."""
    note = scoping.Scoping.note_shown
    swap(patch, Scoping.note_shown, lambda self, document, scope, at, *_, **__: note(self, document, scope, at))


@mutant(test_shown.test_an_answer_to_an_update_shows_the_fields_it_tells_of)
def an_answer_shows_nothing(patch: Patch) -> None:
    """What an answer tells of counts as unseen."""
    swap(patch, _shown_whole, lambda *_: ())


@mutant(test_shown.test_sights_outlast_an_interrupt)
def a_resumed_run_is_another(patch: Patch) -> None:
    """What was shown before an interrupt is forgotten with it."""
    goes_on = attempts._gone_on_with
    swap(patch, _gone_on_with, lambda run, _, now: goes_on(run, None, now))


@mutant(test_shown.test_removing_a_key_that_was_changed_since_is_a_conflict)
def what_was_replaced_was_never_shown(patch: Patch) -> None:
    """A key whose value has changed is unknown to whoever was shown the old one."""
    swap(patch, _with_replaced, lambda schema, shown, seen: dict(seen))


@mutant(lambda: test_shown.test_a_read_inside_a_write_is_no_sight_of_the_agent(False, True, False))
def a_read_inside_a_write_counts(patch: Patch) -> None:
    """What a tool reads for its put has been shown to the agent."""
    swap(patch, ToolCall.says, lambda *_: False)


@mutant(lambda: test_shown.test_a_read_inside_a_write_is_no_sight_of_the_agent(True, True, True))
def what_a_tool_reads_is_shown_to_nobody(patch: Patch) -> None:
    """A get of a tool that only looks is forgotten."""
    swap(patch, Amending.note_read, lambda *_: None)


@mutant(lambda: test_shown.test_names_and_keys_are_quoted_like_values("\n"))
def names_stand_as_they_are(patch: Patch) -> None:
    """An agent's name is part of the text."""
    quoted = shortened

    def plain(value: object) -> str:
        return value if isinstance(value, str) else quoted(value)

    swap(patch, shortened, plain, within="concordant.tooling.wording")


@mutant(test_shown.test_an_agent_without_a_name_is_told_which_side_is_its_own)
def authors_are_told_by_name_alone(patch: Patch) -> None:
    """Whoever has the same name is taken for the author."""
    swap(patch, is_mine, lambda scoping, scope, agent, origin: agent == scope.agent)


@mutant(lambda: test_agent_programs.test_one_call_after_the_other_is_as_on_a_stock_store("merge", "0", 25))
def what_a_call_says_is_all_that_is_foretold(patch: Patch) -> None:
    """A document without a model is foretold as what the call gave of it."""
    after = deferred._after

    def wrong(write: Any, before: Any, written: bytes, alone: bool, reads: Any) -> Any:
        if write.replaces_all or write.schema.declared:
            return after(write, before, written, alone, reads)
        return written, decode_whole(written)

    swap(patch, deferred._after, wrong)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_sight_is_noticed(name: str, monkeypatch: Patch) -> None:
    """The check of the promise that a mutant breaks fails under that mutant, and holds without it."""
    check, apply_patch = MUTANTS[name]
    passes(check)
    apply_patch(monkeypatch)
    with pytest.raises(NOTICED):
        check()
