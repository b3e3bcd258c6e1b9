"""A bridge to editors that is broken in one place is found out by the tests of live documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from concordant import Text, Workspace
from concordant.merge.sequence.diff import Hunk
from concordant.merge.sequence.units import unit_hunks
from concordant_loro.live import LiveDocument, _places_in

from ..live import test_junctions as junctions, test_live as tests, test_places as places
from ..live.simulation import PLACE, Brief
from .breaking import passes, swap

EDIT = LiveDocument._edit
SHOW = LiveDocument._show
CATCH_UP = LiveDocument._catch_up


def sees_all(live: LiveDocument, name: str, change: Any) -> Any:
    """An editor counts as having seen whatever is there when its change arrives."""
    return EDIT(live, name, {**change, "version": live.version})


def knows_of_questions(live: LiveDocument, name: str, change: Any) -> Any:
    """Whoever has seen the words counts as having been shown the question."""
    live._written = {peer: [one._replace(is_asked=False) for one in ones] for peer, ones in live._written.items()}
    return EDIT(live, name, change)


def forgets_itself(live: LiveDocument, name: str, change: Any) -> Any:
    """An editor's own earlier changes count as another's."""
    live._written.clear()
    return EDIT(live, name, change)


def leaves_the_mix(live: LiveDocument, document: Any, version: int) -> None:
    """What Loro has mixed is left as it is once there are editors."""
    if not live._owners:
        SHOW(live, document, version)


def knows_no_journal(live: LiveDocument, name: str) -> Any:
    """Nobody looks which changes of an editor were committed."""
    return {}, set()


def overlooks_other_servers(live: LiveDocument, peer: int) -> None:
    """What other processes have committed of an editor's changes is passed over."""
    CATCH_UP(live, peer)


def tastes_nothing(live: LiveDocument, data: bytes) -> None:
    """What editors send is read at once by the process that keeps what they share."""


MUTANTS: dict[str, tuple[str, Callable[..., Any], Callable[[Workspace], None]]] = {
    "sees all": ("_edit", sees_all, tests.test_sight_is_what_the_editor_held),
    "knows of questions": (
        "_edit",
        knows_of_questions,
        tests.test_a_question_of_values_that_was_not_shown_is_not_settled,
    ),
    "forgets itself": ("_edit", forgets_itself, tests.test_what_was_typed_in_parts_is_one_persons),
    "leaves the mix": ("_show", leaves_the_mix, tests.test_two_rewrites_of_one_sentence_show_its_base_again),
    "tastes nothing": ("_taste", tastes_nothing, tests.test_deadly_bytes_cost_nobody_anything),
    "takes from two": ("_catch_up", overlooks_other_servers, tests.check_two_servers),
    "takes twice": ("_written_by", knows_no_journal, tests.test_another_server_takes_what_the_first_has_not),
}


def takes_the_difference(*_: Any) -> Any:
    """Where a change was made is not told."""
    return ()


def check_many_places(seed: str, name: str) -> None:
    for number in range(100):
        places.check_places(f"{seed}/{number}", name)


def test_a_bridge_that_tells_no_places_is_found_out(monkeypatch: pytest.MonkeyPatch, seed: str) -> None:
    """Where the difference of two texts stands for what was done, equal lines and items are mistaken for each other."""
    swap(monkeypatch, _places_in, takes_the_difference)
    for name in places.GAPS:
        with pytest.raises(AssertionError):
            check_many_places(seed, name)


def carries_nothing(self: Text, base: str, done: Iterable[Hunk], shown: str, _: bool) -> tuple[str, str, list[Hunk]]:
    """What is done to a text that nobody else was shown is taken for a rewrite of its units."""
    done = [*done]
    new = "".join(base[low:high] + content for low, high, content in _between(base, done))
    return base, new, unit_hunks(base, new, self.unit, done)


def _between(base: str, done: list[Hunk]) -> Iterator[tuple[int, int, str]]:
    here = 0
    for start, end, content in done:
        yield here, start, content
        here = end
    yield here, len(base), ""


def check_many_junctions(seed: str, unit: str) -> None:
    for number in range(100):
        junctions.check_junctions(f"{seed}/{number}", unit)


def check_words_beside_what_is_gone() -> None:
    for number in (61, 164, 180):  # those in which it is noticed, one of a hundred
        junctions.check_junctions(f"gone/{number}", "sentence", busy=True)


@pytest.mark.parametrize("unit", ["word", "sentence"])
def test_a_merge_that_carries_nothing_over_is_found_out(unit: str, monkeypatch: pytest.MonkeyPatch, seed: str) -> None:
    """Where what an editor shows glued is taken for one unit, words are doubled."""
    swap(monkeypatch, Text._carried, carries_nothing)
    with pytest.raises(AssertionError):
        check_many_junctions(seed, unit)


def test_a_merge_that_takes_words_that_are_gone_for_others_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where words that an editor still shows are not known to be gone, what is done beside them doubles words."""
    passes(check_words_beside_what_is_gone)
    carried = Text._carried
    monkeypatch.setattr(Text, "_carried", lambda self, base, done, shown, _: carried(self, base, done, shown, False))
    with pytest.raises(AssertionError):
        check_words_beside_what_is_gone()


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_broken_bridge_is_found_out(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault makes the test of the promise that it breaks fail."""
    name, fault, test = MUTANTS[mutant]
    swap(monkeypatch, getattr(LiveDocument, name), fault)
    with Workspace(schemas={PLACE[0]: Brief}) as ws, pytest.raises((AssertionError, ValueError)):
        test(ws)
