"""An engine that forgets what a decision set aside: it must be noticed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from concordant.merge.causality import Entry, order_of
from concordant.merge.record.held import _replaced
from concordant.merge.sequence.aside import Raised, _replaced_seals, as_it_stood, raised
from concordant.merge.sequence.edit import _Edit

from ..semantics import test_set_aside as tests
from .breaking import passes, swap

Patch = pytest.MonkeyPatch


def what_is_set_aside_is_only_dropped(patch: Patch) -> None:
    """No seal is left over the contenders, so that nobody is known to have gone on from them."""
    swap(patch, _Edit.set_aside, _Edit.drop)


def nothing_stands_again(patch: Patch) -> None:
    """Who has gone on from a contender is not weighed against the decision."""
    swap(patch, raised, lambda sequence, seals: Raised(sequence, frozenset(), {}, frozenset()))


def a_token_shows_it_without_them(patch: Patch) -> None:
    """What a token had shown is taken to be without the contenders that it showed."""
    swap(patch, as_it_stood, lambda sequence, part, seen: part)


def only_the_last_settlement_is_known(patch: Patch) -> None:
    """What was set aside twice is taken to have stood until the second time."""
    swap(patch, _replaced_seals, lambda sequence, pieces, seen: {})


def what_came_later_replaced_all_before(patch: Patch) -> None:
    """A write from elsewhere is taken to have replaced whatever is older than what it replaced."""

    def by_time(added: list[Entry], entries: list[Entry]) -> list[Entry]:
        bases = [one.base[:3] for one in added if one.base is not None]
        return [entry for entry in entries if any(base >= order_of(entry.stamp) for base in bases)]

    swap(patch, _replaced, by_time)


def taken_back() -> None:
    tests.test_g8_a_decision_that_is_taken_back_asks_with_what_was_made_of_its_sides("status", False)


def elsewhere() -> None:
    tests.test_g8_who_goes_on_from_what_was_decided_against_differs_from_the_decision("notes", "bob", False)


def by_a_token() -> None:
    tests.test_g13_an_edit_of_what_a_token_had_shown_meets_what_settled_it("notes", "decided")


def settled_twice() -> None:
    tests.test_g13_who_knew_the_first_settlement_meets_the_second("decision")


@pytest.mark.parametrize(
    ("check", "mutant"),
    [
        (elsewhere, what_is_set_aside_is_only_dropped),
        (elsewhere, nothing_stands_again),
        (by_a_token, what_is_set_aside_is_only_dropped),
        (taken_back, what_came_later_replaced_all_before),
        (by_a_token, a_token_shows_it_without_them),
        (settled_twice, only_the_last_settlement_is_known),
    ],
)
def test_a_forgetful_engine_is_noticed(
    check: Callable[[], None], mutant: Callable[[Patch], None], monkeypatch: Patch
) -> None:
    """The check fails under the mutant, and holds without it."""
    passes(check)
    mutant(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        check()
