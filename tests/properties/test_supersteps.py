"""Random supersteps: a graph's channels merge what a workspace merges."""

from __future__ import annotations

import random
from functools import reduce

import pytest

from concordant import Counter, List, Set, Text, Workspace
from tests.rounds import rounds

from .supersteps import LETTERS, PLACE, Work, check_orders, check_supersteps, some


def test_channels_merge_as_a_workspace_does(seed: str) -> None:
    """Random parallel contributions and edits give in a graph the value, or the conflicts, that a workspace gives."""
    check_supersteps(seed, threads=15)


def test_no_order_loses_a_contribution(seed: str) -> None:
    """In whatever order contributions come, none is missing, and sets, counts, maps and policies are the same."""
    check_orders(seed, rounds=60)


@rounds(80, 200)
def test_reducers_merge_as_concurrent_writes_do(seed: str, rounds: int) -> None:
    """A fold of contributions by the markers is what a workspace makes of them as writes that have not seen each
    other."""
    for number in range(rounds):
        rng = random.Random(f"{seed}/fold/{number}")
        parts = [
            {"tags": some(rng), "log": rng.choice(["", *LETTERS]), "steps": some(rng), "tokens": rng.randint(-5, 5)}
            for _ in range(rng.randint(1, 5))
        ]
        workspace = Workspace(schemas={PLACE[0]: Work})
        began = workspace.moment()
        for place, part in enumerate(parts):
            workspace.agent(f"n{place}", began=began).write(*PLACE, part)
        document = workspace.get(*PLACE)
        assert document is not None
        reducers = {"tags": Set(), "log": Text(), "steps": List(), "tokens": Counter()}
        for name, reducer in reducers.items():
            empty = type(parts[0][name])()
            assert reduce(reducer, (part[name] for part in parts), empty) == document.value.get(name, empty)


@pytest.mark.torture
def test_channels_merge_as_a_workspace_does_at_length(seed: str) -> None:
    """The same for 5,000 supersteps."""
    check_supersteps(seed, threads=625, steps=8)
    check_orders(seed, rounds=5_000)
