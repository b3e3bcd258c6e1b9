"""Deliberately broken tokens: each lets somebody have seen more, or other things, than was shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, given as drawn, settings

from concordant import ConcordantError, HistoryExpiredError
from concordant.workspace import deciding, reading, scoping, token
from concordant.workspace.deciding import Deciding
from concordant.workspace.history import _has_forgotten, state_shown
from concordant.workspace.reading import Reading
from concordant.workspace.scope import Scope
from concordant.workspace.scoping import Acting, Scoping
from concordant.workspace.states import version_of
from concordant.workspace.token import _digest, digest_of, parse_tokens, shown_digest
from concordant.workspace.writing import Writing

from ..properties import test_tokens as properties
from ..semantics import test_decisions_by_id as decisions, test_tokens as tokens
from .breaking import passes, swap

Patch = pytest.MonkeyPatch
MUTANTS: dict[str, tuple[Callable[[], None], Callable[[Patch], None]]] = {}
NOTICED = (AssertionError, ValueError, ConcordantError, pytest.fail.Exception)
"""ValueError: `(escalation,) = found` where there is none."""


def mutant(*checks: Callable[[], None]) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Registers a mutant with the checks that must notice it."""

    def register(function: Callable[[Patch], None]) -> Callable[[Patch], None]:
        for check in checks:
            MUTANTS[f"{function.__name__}, {getattr(check, '__name__', '')}"] = (check, function)
        return function

    return register


@drawn(properties.histories, properties.spaces)
@settings(max_examples=200, phases=[Phase.generate], database=None)
def histories_differ(history: properties.Histories, space: tuple[str, ...]) -> None:
    """The property of tokens, without making the history small that it finds."""
    properties.compare(history, space, lambda: None)


as_of: Any = Reading.as_of


@mutant(tokens.test_two_who_write_by_one_token_are_concurrent, histories_differ)
def a_token_has_seen_what_stands_now(patch: Patch) -> None:
    """Who comes with a token is taken for one who has just read."""

    def now(self: Reading, namespace: Any, key: str, version: int) -> Any:
        current, found, mark = as_of(self, namespace, key, version)
        return current, found, mark._replace(at=version_of(self.storage.load(namespace, key)))

    swap(patch, Reading.as_of, now)


@mutant(tokens.test_an_edit_starts_from_what_the_token_showed, histories_differ)
def an_edit_reads_anew(patch: Patch) -> None:
    """The draft of an edit by token shows what stands now."""
    swap(
        patch,
        Writing._as_shown,
        lambda self, scope, sight, namespace, key: self.reading.read_as(scope, namespace, key)[1],
    )


@mutant(tokens.test_acting_as_with_a_token_puts_what_was_made_of_it)
def what_was_shown_is_not_known(patch: Patch) -> None:
    """It is known when the token's reader read, and not what."""

    def without_base(self: Reading, namespace: Any, key: str, version: int) -> Any:
        current, found, mark = as_of(self, namespace, key, version)
        return current, found, mark._replace(base={})

    swap(patch, Reading.as_of, without_base)


@mutant(tokens.test_a_documents_token_says_more_of_it_than_a_later_moment)
def a_moment_says_more_than_a_document(patch: Patch) -> None:
    """What was there at the moment counts as seen, though the document's token is older."""
    swap(patch, Scope.began_at, lambda self, mark, n: self.began)


@mutant(tokens.test_a_token_of_another_document_is_refused)
def every_document_is_the_tokens(patch: Patch) -> None:
    """A token is taken for one of whatever is written."""
    swap(patch, digest_of, lambda namespace, key: b"\0" * 6)
    swap(patch, shown_digest, lambda body: b"\0" * 4)


@mutant(tokens.test_a_token_of_another_document_is_refused)
def other_documents_are_open_to_all(patch: Patch) -> None:
    """With a token of one document somebody writes to another as one who has seen nothing of it."""
    recall: Any = Reading.recall

    def lenient(self: Reading, scope: Scope, namespace: Any, key: str) -> None:
        if scope.seen_tokens is not None and scope.seen_tokens.upto is None:
            scope.seen_tokens = scope.seen_tokens._replace(upto=0)
        recall(self, scope, namespace, key)

    swap(patch, Reading.recall, lenient)


@mutant(tokens.test_a_store_that_was_restored_refuses_what_it_does_not_have)
def numbers_are_believed(patch: Patch) -> None:
    """That another history has the same numbers is not noticed."""
    swap(patch, shown_digest, lambda body: b"\0" * 4)


@mutant(tokens.test_a_token_of_another_store_is_refused)
def every_store_is_the_tokens(patch: Patch) -> None:
    """A token of another store is read as one of this."""
    parse = scoping.parse_tokens
    digest = token._digest
    swap(patch, _digest, lambda value, size: b"\0" * size if isinstance(value, str) else digest(value, size))
    swap(patch, parse_tokens, parse)


@mutant(tokens.test_nonsense_is_no_token)
def damage_is_not_noticed(patch: Patch) -> None:
    """The sum at a token's end is not compared."""
    patch.setattr(token, "_SUM", 0)


@mutant(tokens.test_where_words_that_it_showed_are_forgotten_the_token_has_expired)
def forgotten_words_do_not_matter(patch: Patch) -> None:
    """Who read words that are forgotten goes on as if they were known."""
    swap(patch, _has_forgotten, lambda present, past: False)


@mutant(lambda: tokens.test_where_the_history_has_expired_the_token_has())
def an_expired_history_is_the_present(patch: Patch) -> None:
    """What is not known any more is taken to be as it stands."""
    shown = reading.state_shown

    def guess(storage: Any, schema: Any, namespace: Any, key: str, state: Any, version: int) -> Any:
        try:
            return shown(storage, schema, namespace, key, state, version)
        except HistoryExpiredError:
            return state

    swap(patch, state_shown, guess)
    swap(patch, shown_digest, lambda body: b"\0" * 4)


@mutant(tokens.test_in_a_task_the_token_says_what_was_seen)
def a_task_says_what_was_seen(patch: Patch) -> None:
    """Inside a task a token only names."""
    acting: Any = scoping.Acting
    swap(patch, Acting, lambda name, scope, within=None: acting(name, scope, None))


@mutant(tokens.test_tasks_begun_inside_are_scopes_of_their_own)
def tasks_inside_are_its_bearer(patch: Patch) -> None:
    """Whatever is begun inside an ``acting_as`` with a token has seen what the token showed, and is one writer."""
    current: Any = scoping.Scoping.current

    def bearer(self: Any, *document: Any) -> Any:
        acting = self._acting.get()
        return acting.scope if acting is not None and acting.scope.seen_tokens is not None else current(self, *document)

    swap(patch, Scoping.current, bearer)


@mutant(lambda: tokens.test_a_task_that_is_executed_again_has_its_effect_by_token_once("acting_as"))
def puts_by_token_are_nobodys(patch: Patch) -> None:
    """What a task does by a token is not known again when it is executed again."""
    shown: Any = scoping.Scoping._shown

    def without_task(self: Any, *given: Any) -> Scope:
        scope: Scope = shown(self, *given)
        scope.task, scope.base = None, scope
        return scope

    swap(patch, Scoping._shown, without_task)


@mutant(decisions.test_by_id_nobody_takes_over)
def whoever_claims_by_id_has_looked(patch: Patch) -> None:
    """A claim by id is taken for one of somebody who has seen the present claim."""
    patch.setattr(deciding, "replace", lambda escalation, **changes: escalation)


@mutant(decisions.test_a_decision_by_id_is_pinned_to_its_version)
def decisions_by_id_are_of_what_there_is(patch: Patch) -> None:
    """The version that was looked at is not looked at."""
    swap(
        patch,
        Deciding._meant,
        lambda self, escalation, version: self.escalation(getattr(escalation, "id", escalation)),
    )


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_token_is_noticed(name: str, monkeypatch: Patch) -> None:
    """The check of what a mutant breaks fails under that mutant, and holds without it."""
    check, apply_patch = MUTANTS[name]
    if check is not histories_differ:  # that it holds without a mutant is a test of its own
        passes(check)
    apply_patch(monkeypatch)
    with pytest.raises(NOTICED):
        check()
