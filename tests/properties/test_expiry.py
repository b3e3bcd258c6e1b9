"""Documents that live for a time against the exact model of their lives."""

from __future__ import annotations

import pytest

from .fuzz import explore
from .lives import check_lives, lives


def test_g4_g12_random_lives_are_those_of_the_model(seed: str) -> None:
    """Puts, touches, sweeps and exchanges on up to three replicas show after each step what the model computes."""
    explore(check_lives, seed, 8, 25, lives)


@pytest.mark.torture
def test_g4_g12_a_hundred_thousand_steps_of_lives_are_those_of_the_model(seed: str) -> None:
    """The same for 200,000 steps, long histories and short ones."""
    explore(check_lives, seed, 5_000, 20, lives)
    explore(check_lives, f"{seed}.long", 1_000, 100, lives)
