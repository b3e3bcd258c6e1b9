"""Deliberately broken judges: each breaks one promise, which a test of the judges must notice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from concordant import judges
from concordant.tooling.quoting import quoted
from concordant.workspace.judging import Beside, Case
from concordant.workspace.replicating import _from_elsewhere

from ..semantics import test_judges as kept
from .breaking import swap

Patch = pytest.MonkeyPatch


def answers_are_not_validated(patch: Patch) -> None:
    """What a model says is taken for a value of the field."""
    swap(patch, Case.fits, lambda self, value: True)


def the_fence_can_be_closed(patch: Patch) -> None:
    """What agents wrote stands in the prompt as it is, between lines that anybody can foresee."""
    patch.setattr(judges.secrets, "token_hex", lambda size: "0" * 2 * size)
    swap(patch, quoted, lambda value: str(value).replace("\\n", "\n"))


def writers_wait(patch: Patch) -> None:
    """The model is asked in the thread of the writer."""
    swap(patch, Beside.run, lambda self, work: work())


def every_store_asks(patch: Patch) -> None:
    """A question that is found by an exchange is asked about wherever it is found."""
    swap(patch, _from_elsewhere, lambda *args: set())


@pytest.mark.parametrize(
    ("mutant", "promise"),
    [
        (answers_are_not_validated, kept.an_answer_that_does_not_fit_passes_the_question_on),
        (the_fence_can_be_closed, lambda: kept.data_stays_between_its_fences(kept.HOSTILE)),
        (writers_wait, lambda: kept.a_stalled_model_blocks_no_writer(asynchronous=False, patience=3.0)),
        (every_store_asks, kept.two_stores_ask_once),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_broken_judge_is_noticed(
    mutant: Callable[[Patch], None], promise: Callable[[], None], monkeypatch: Patch
) -> None:
    """The test of the promise fails."""
    promise()
    mutant(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        promise()
