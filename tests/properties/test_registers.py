"""Scalars, sets, maps, counters and undeclared documents against the exact reference model."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from .fuzz import check_registers, explore
from .machines import Registers

BRIEF = settings(max_examples=6, stateful_step_count=25, report_multiple_bugs=False)


class Undeleted(Registers):
    deletes = False


def test_g1_g2_g3_g6_registers_without_deletions_are_those_of_the_model() -> None:
    """Any history without deletions of documents shows the values, contests and agents that the model computes."""
    run_state_machine_as_test(Undeleted, settings=BRIEF)


def test_g1_g2_g3_g12_registers_with_deletions_are_those_of_the_model() -> None:
    """The same with deletions: nothing comes back but by a write concurrent with, or after, its deletion."""
    run_state_machine_as_test(Registers, settings=BRIEF)


def test_g1_g2_g3_g4_random_histories_show_what_the_model_shows(seed: str) -> None:
    """Random histories agree with the model after every step and converge in the end."""
    explore(check_registers, seed, 6, 25, deletes=False)
    explore(check_registers, seed, 6, 20)


@pytest.mark.torture
def test_g1_g2_g3_g4_a_hundred_thousand_steps_show_what_the_model_shows(seed: str) -> None:
    """The same for 150,000 steps, long histories and short ones."""
    explore(check_registers, seed, 4_000, 20)
    explore(check_registers, seed, 600, 80)
    explore(check_registers, seed, 800, 30, deletes=False)
