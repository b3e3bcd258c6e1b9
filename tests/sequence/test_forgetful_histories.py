"""Texts and lists that were edited many times, of which is forgotten meanwhile what nobody refers to."""

from __future__ import annotations

import pytest

from concordant.merge.causality import Stamp, VersionVector
from concordant.merge.sequence import pieces
from concordant.merge.sequence.trim import trimmed

from .test_histories import RULES, short_texts_are_remembered as short_texts_are_remembered
from .test_long_histories import LONG, NEAR, play
from .test_trim import Picture, picture
from .world import Replica, World

OFTEN = 8
"""With which of the steps, on average, a part of a replica is looked at for what may be forgotten."""

DAY = 25
"""After how many steps, on average, nobody goes on any more from what was read before."""

WINDOW = 64
"""How many pieces are looked at at once."""


def forget(world: World) -> None:
    """Sometimes forgets a part of what nobody can refer to any more, in one of the replicas."""
    chance = world.chance
    if chance.random() < 1 / DAY:
        world.settle()
        for replica in world.replicas:
            replica.earlier = dict(replica.vector)
        world.settle()
        for replica in world.replicas:
            before = None
            for first in (0, *range(len(replica.sequence), 0, -WINDOW)):
                window = range(first, first + WINDOW if first else len(replica.sequence))
                before = forget_of(world, replica, window, before)
    if chance.random() < 1 / OFTEN:
        replica = chance.choice(world.replicas)
        first = chance.randrange(len(replica.sequence) + 1)
        forget_of(world, replica, range(first, first + WINDOW))


def forget_of(world: World, replica: Replica, window: range, known: Picture | None = None) -> Picture | None:
    """Forgets of some of one replica's pieces, as long as nobody sees a difference.

    Args:
        known: what is seen of the replica, if that is known; returns it.
    """
    sequence, settled = replica.sequence, frontier(world, replica)
    everything = settled == replica.vector

    def is_known(stamp: Stamp) -> bool:
        return stamp.n <= settled.get(stamp.replica, 0)

    within = range(window.start, max(window.start, min(window.stop, len(sequence))))
    left = trimmed(sequence, lambda *stamps: all(map(is_known, stamps)), lambda _: everything, within)
    if left is None:
        return known
    before, after = known or picture(world, sequence), picture(world, left.sequence)
    if world.is_text and after[:2] != before[:2]:  # whoever forgets looks at that, and forgets nothing there
        return before
    assert after == before, "what is left is shown, asked about and written by the same"
    replica.sequence = left.sequence
    for stamp in left.stamps:
        replica.floor = {**replica.floor, stamp.replica: max(stamp.n, replica.floor.get(stamp.replica, 0))}
    if everything:
        replica.floor = dict(replica.vector)
    return after


def frontier(world: World, replica: Replica) -> VersionVector:
    """What a replica knows that all have seen who may go on from what was read: what they write has come here."""
    known = [replica.earlier, *(replica.heard.get(other.name, {}) for other in world.replicas if other is not replica)]
    return {name: min(vector.get(name, 0) for vector in known) for name in known[0]}


@pytest.mark.parametrize("name", ["sentence", "item"])
def test_g4_g13_a_hundred_edits_with_little_kept_are_as_the_exact_model_says(name: str, seed: str) -> None:
    """A text of which is forgotten what nobody refers to shows after each of a hundred edits what the exact model
    says: in whatever order replicas were joined that have forgotten different parts, after it was stored, and in its
    past; who wrote what is told of all of it."""
    world = play(name, f"{seed}/{name}", 100, 10, 10, 1_500, forget)
    assert world.replicas[0].floor, "something was forgotten"


@pytest.mark.torture
def test_a_rewrite_stands_behind_older_ones_whose_beginning_is_forgotten() -> None:
    """A history in which a unit is rewritten whose earlier rewrite is left only in part: the new one stands where it
    stands after it was stored."""
    play("sentence", "8/sentence", 200, 10, 10, 1_500, forget)


@pytest.mark.torture
@pytest.mark.parametrize("name", RULES)
def test_g4_g13_a_thousand_edits_with_little_kept_are_as_the_exact_model_says(name: str, seed: str) -> None:
    """The same of a thousand edits."""
    play(name, f"{seed}/{name}", 1_000, 50, 100, 1_500, forget)


@pytest.mark.torture
@pytest.mark.parametrize("name", RULES)
def test_g4_g5_g13_ten_thousand_edits_with_little_kept(name: str, seed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same of ten thousand steps: after each of them all is compared with the exact model."""
    monkeypatch.setattr(pieces, "MOST_IN_BLOCK", 128)
    monkeypatch.setattr(f"{__name__}.DAY", 100)
    monkeypatch.setattr(f"{__name__}.OFTEN", 32)
    play(name, f"{seed}/{name}", LONG, 1_000, 250, 6_000, forget, near=NEAR)
