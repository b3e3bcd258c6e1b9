"""Random nested graphs: every verdict of the store is the one that follows from how the graph is built."""

from __future__ import annotations

from collections import Counter

import pytest

from .random_graphs import World


def play(seed: str) -> World:
    world = World(seed)
    world.play()
    world.check()
    return world


def test_random_graphs_come_to_what_their_construction_says(seed: str) -> None:
    """Nodes, tools, Sends, @tasks, agents, retries, interrupts, steps of the clock: nothing is lost or misjudged."""
    play(seed)


@pytest.mark.torture
def test_500_random_graphs_come_to_what_their_construction_says(seed: str) -> None:
    """The same for 500, among which is plenty of everything."""
    kinds: Counter[str] = Counter()
    for number in range(500):
        kinds.update(play(f"{seed}/{number}").kinds)
    assert min(kinds.values()) > 20 and len(kinds) == 18
