"""Texts and lists that were edited many times: what holds of short histories holds of long ones."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from concordant.merge.causality import Stamp
from concordant.merge.record import dump_changes, journalled, load_changes
from concordant.merge.registers import LeafChange
from concordant.merge.sequence import edit
from concordant.merge.sequence.diff import list_hunks
from concordant.merge.sequence.edit import splice, withdraw
from concordant.merge.sequence.layout import layout
from concordant.merge.sequence.overlap import analyse
from concordant.merge.sequence.pieces import Sequence

from .test_histories import RULES, WRITTEN
from .world import Replica, World, restored

EVERY = 100
"""After how many steps all is compared with the exact model."""


MOST_BACK = 1_500
"""How many states are gone back at the end."""


class Past:
    """What a replica showed, and how each of its states became the next."""

    def __init__(self, replica: Replica) -> None:
        self.last = replica.sequence
        self.steps: list[tuple[bytes, str]] = []

    def note(self, replica: Replica, shown: str) -> None:
        """Notes what a journal would."""
        change = LeafChange(("text:notes",), self.last, replica.sequence)
        self.steps.append((dump_changes(journalled([change]), None), shown))
        self.last = replica.sequence

    def check(self, world: World, steps: int) -> None:
        """Goes back so many states; each reads as it did."""
        sequence: Sequence = self.last
        for (body, shown), (_, earlier) in zip(
            self.steps[: -steps - 1 : -1], self.steps[-2 : -steps - 2 : -1], strict=False
        ):
            assert plain(world, sequence) == shown, "the past reads the same"
            [cut], *_ = load_changes(body)
            sequence = cut.before.earlier(sequence)  # type: ignore[union-attr]
            assert plain(world, sequence) == earlier


def plain(world: World, sequence: Sequence) -> str:
    """What is shown, as a string."""
    analysis = sequence.analysed(world.rules, analyse)
    return repr(layout(sequence, analysis, world.separator, world.rules.unit).content("" if world.is_text else ()))


def play(
    name: str,
    seed: str,
    edits: int,
    every: int = EVERY,
    looks: int = EVERY,
    longest: int = 1_500,
    meanwhile: Callable[[World], None] | None = None,
    near: int = 0,
) -> World:
    """Plays one long history on two replicas: in some steps one is stored and read anew, or looked at in the past.

    Args:
        every: after how many steps all is compared with the exact model; where something is forgotten meanwhile, what
            a step has left is after each.
        looks: after how many steps a replica is looked at in the past, on average.
        longest: how long the text becomes.
        meanwhile: what happens after each step.
        near: after how many steps what is remembered is compared with what is found without it; then the history begins
            with a text, what each step changes is looked at, all is compared with the exact model, and puts are made
            again.
    """
    chance = random.Random(seed)
    separator = "" if name == "item" else "\n"
    written = chance.choice(WRITTEN)
    world = World(chance, RULES[name], separator, 2, natural=True, written=written, every=every, longest=longest)
    if meanwhile is not None:
        world.always, world.late = True, 0.1
    if near:
        world.near, world.late, world.always = near, 0.1, False
        begin(world, longest // 2)
    pasts = [Past(replica) for replica in world.replicas]
    while len(world.log) < edits:
        world.step()
        if meanwhile is not None:
            meanwhile(world)
        for replica, past in zip(world.replicas, pasts, strict=True):
            if replica.sequence is not past.last:
                past.note(replica, plain(world, replica.sequence))
        if chance.random() < 1 / looks:
            look(world, chance.choice([0, 1]), pasts)
    for past in pasts:
        past.check(world, min(len(past.steps), MOST_BACK))
    world.settle()
    for replica in world.replicas:
        world.check(replica)
    return world


def begin(world: World, length: int) -> None:
    """All replicas have a text of some length."""
    chance, first = world.chance, world.replicas[0]
    if world.is_text:
        text = ""
        while len(text) < length:
            text += chance.choice(world.texts) + chance.choice(world.gaps)
        world.append(first, "x", text)
        world.note(text)
    world.settle()


def look(world: World, at: int, pasts: list[Past]) -> None:
    """Compares a replica with what it is when read anew, with its past, and with the other once that knows as much."""
    replica = world.replicas[at]
    again = restored(replica.sequence)
    assert again == replica.sequence and plain(world, again) == plain(world, replica.sequence)
    if world.is_text:
        credits = world.credits(replica.sequence)
        assert "".join(part for part, _ in credits) == world.shown(replica.sequence)
        assert world.credits(again) == credits, "who wrote what is the same after it was stored"
    pasts[at].check(world, 20)
    world.restart(replica)
    pasts[at].last = replica.sequence


@pytest.mark.parametrize("name", ["sentence", "line", "item"])
def test_g4_g13_a_hundred_edits_are_as_the_exact_model_says(name: str, seed: str) -> None:
    """A text that was edited a hundred times shows what the exact model says, whatever was joined in which order,
    after it was stored and read anew, and in its past; who wrote what is told of all of it."""
    play(name, f"{seed}/{name}", 100, 20, 20)


def test_g13_what_goes_along_with_what_stands_again_is_weighed_with_its_twins() -> None:
    """A history in which somebody went on from what had been set aside, and one of the strikes that had agreed goes the
    way of that now: those that had agreed with it are asked about with it, as after a restart."""
    play("sentence", "1011/sentence", 75, 20, 20)


@pytest.mark.torture
@pytest.mark.parametrize("name", RULES)
def test_g4_g13_a_thousand_edits_are_as_the_exact_model_says(name: str, seed: str) -> None:
    """The same of a thousand edits."""
    play(name, f"{seed}/{name}", 1_000)


LONG = 10_000
NEAR = 10
"""After how many steps of a history that lives long what is remembered is compared with what is found anew."""


@pytest.mark.parametrize("name", ["sentence", "word", "item"])
def test_g4_g5_g13_what_each_edit_changes_is_looked_at(name: str, seed: str) -> None:
    """Of a text that begins with some length, which two stores edit, decide about and make puts to again, each step
    stands in the order of its tree, can be told as a difference, shows what somebody wrote, and is what the exact
    model says; what is remembered is what is found anew."""
    play(name, f"{seed}/{name}", 150, 50, 50, 2_000, near=5)


def left_by(sequence: Sequence, agent: str, base: tuple[bytes, ...], new: tuple[bytes, ...]) -> Sequence:
    """A list that somebody changed who had seen all of it; she is shown what she left."""
    stamp = Stamp(float(len(agent)), "a", len(agent), agent, agent, "edit")
    assert items(sequence) == base
    rules = RULES["item"]
    made = splice(
        sequence, stamp, base, new, list_hunks(base, new), seen=lambda _: True, rules=rules, drift_of=list_hunks
    )
    assert items(made) == new, "its writer is shown what it left"
    return made


def items(sequence: Sequence) -> tuple[bytes, ...]:
    """What a list shows."""
    shown: tuple[bytes, ...] = layout(sequence, sequence.analysed(RULES["item"], analyse), "", "item").content(())
    return shown


ONE, TWO, THREE, END = b"1", b"2", b"3", b"9"


def test_items_stand_where_their_writer_put_them_beside_one_that_stands_again() -> None:
    """Where a rewrite of an item was taken back and a rewrite of that was not, both are shown, and what is put between
    the two, or in the place of the first, stands there."""
    made = left_by(Sequence([], {}), "a", (), (ONE, END))
    made = left_by(made, "bo", (ONE, END), (b"0", END))
    made = left_by(made, "eve", (b"0", END), (TWO, END))
    again = withdraw(made, lambda stamp: stamp.agent == "bo")
    assert again is not None
    for new in ((ONE, THREE, TWO, END), (THREE, TWO, END), (THREE, ONE, TWO, END), (ONE, TWO, THREE, END), (TWO, END)):
        left_by(again, "maria", (ONE, TWO, END), new)


def test_items_that_change_places_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The histories fail where what is put beside an item that stands again stands behind its rewrites."""
    monkeypatch.setattr(edit, "_with_what_follows", lambda places, base, hunks: hunks)
    with pytest.raises(AssertionError, match="its writer is shown what it left"):
        play("item", "51/item", 150, 50, 50, 2_000, near=5)


@pytest.mark.torture
@pytest.mark.parametrize("name", RULES)
def test_g4_g5_g13_ten_thousand_edits_are_as_the_exact_model_says(name: str, seed: str) -> None:
    """The same of ten thousand steps: after each of them all is compared with the exact model."""
    play(name, f"{seed}/{name}", LONG, 1_000, 250, 6_000, near=NEAR)
