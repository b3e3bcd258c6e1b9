"""What mutants break the engine with: it reaches each place of a step, gives it back, and breaks nothing in silence."""

from __future__ import annotations

import pytest

from concordant.merge.kinds import Kind, Scalar
from concordant.merge.registers import change, register
from concordant.merge.registers.register import same

from .breaking import swap


def broken(*_: object) -> None:
    """A step that does nothing."""


def test_a_function_is_replaced_wherever_it_was_imported() -> None:
    """Callers in other modules meet the broken one too, until the end."""
    with pytest.MonkeyPatch.context() as patch:
        swap(patch, same, broken)
        assert vars(register)["same"] is vars(change)["same"] is broken
    assert vars(register)["same"] is vars(change)["same"] is same


def test_a_function_may_be_replaced_for_some_callers_alone() -> None:
    """Modules of another name keep the engine's own."""
    with pytest.MonkeyPatch.context() as patch:
        swap(patch, same, broken, within=change.__name__)
        assert vars(change)["same"] is broken
        assert vars(register)["same"] is same


def test_a_method_is_replaced_where_it_is_defined() -> None:
    """The class that has it, not one that inherits it or has its own."""
    with pytest.MonkeyPatch.context() as patch:
        swap(patch, Kind.beyond, broken)
        assert vars(Kind)["beyond"] is broken
        assert vars(Scalar)["beyond"] is not broken


def test_what_nothing_of_the_engine_has_is_an_error() -> None:
    """A mutant that breaks nothing would pass unnoticed."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(LookupError, match="broken"):
        swap(patch, broken, same)
