"""Frames that tell what became of texts and lists: what comes of them is what comes of whole ones."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import product
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import ConcordantError, CorruptFrameError, List, MissingBaseError, Scalar, Text, Workspace
from concordant.merge.causality import Seen
from concordant.merge.registers import LeafChange, leaves, sequences
from concordant.merge.registers.leaf import stamps_within
from concordant.merge.sequence import blame, onward as told, pieces
from concordant.merge.sequence.order import in_order
from concordant.workspace import onward, visibility

NS = ("plans",)
AT = (NS, "k")


class Plan(BaseModel):
    notes: Annotated[str, Text()] = ""
    steps: Annotated[list[str], List()] = []
    status: Annotated[str | None, Scalar()] = None


SCHEMAS: dict[tuple[str, ...], Any] = {NS: Plan}
WORDS = ["One.", "Two two.", "Three?", "four", "1.25 EUR", "Six!"]


@pytest.fixture
def short_ones_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short texts and lists travel as long ones do, and have several blocks."""
    monkeypatch.setattr(onward, "LONG", 1)
    monkeypatch.setattr(onward, "SHARE", 1)
    monkeypatch.setattr(onward, "PIECE", 1)
    monkeypatch.setattr(pieces, "MOST_IN_BLOCK", 4)
    monkeypatch.setattr(pieces, "_MOST_APART", 3)


class Worlds:
    """Stores that exchange frames, and their twins, between which all travels whole.

    Args:
        hub: whether two of them speak with the third alone, always in both directions.
    """

    def __init__(self, seed: str, hub: bool = False) -> None:
        self.hub = hub
        self.chance = random.Random(seed)
        self.stores = [self.opened(name) for name in "abc"]
        self.twins = [self.opened(name) for name in "abc"]
        self.seen: Counter[str] = Counter()

    def opened(self, name: str) -> Workspace:
        return Workspace(schemas=SCHEMAS, replica=name)

    def step(self, number: int) -> None:
        chance, at = self.chance, self.chance.randrange(3)
        what = chance.random()
        if what < 0.5:
            self.edit(at, chance.randrange(1 << 30), number)
        elif what < 0.54:
            for stores in (self.stores, self.twins):
                stores[at].agent("deleter").delete(*AT)
        elif what < 0.6:
            for stores in (self.stores, self.twins):
                for question in [*stores[at].escalations(NS)][:1]:
                    stores[at].resolve(question, question.contenders[0].value, by="judge")
        elif self.hub:
            other = chance.choice([1, 2])
            self.send(0, other)
            self.send(other, 0)
        else:
            self.send(at, chance.choice([other for other in range(3) if other != at]))

    def edit(self, at: int, seed: int, number: int) -> None:
        for stores in (self.stores, self.twins):
            chance = random.Random(seed)
            agent = stores[at].agent(chance.choice("xy"))
            if agent.read(*AT) is None or chance.random() < 0.2:
                news: list[Any] = [{"notes": f"Line {number}."}, {"steps": [str(number)]}, {"status": "s"}]
                agent.write(*AT, chance.choice(news))
                continue
            with agent.edit(*AT) as plan:
                words = plan.notes.split(" ")
                place = chance.randrange(len(words) + 1)
                words[place : place + chance.randrange(3)] = [chance.choice(WORDS)] * chance.randrange(1, 3)
                plan.notes = " ".join(words)
                if chance.random() < 0.4:
                    plan.steps.insert(chance.randrange(len(plan.steps) + 1), f"s{number}")
                elif plan.steps:
                    plan.steps.pop(chance.randrange(len(plan.steps)))

    def send(self, one: int, other: int) -> None:
        frame = self.stores[one].export(self.stores[other].version_vector())
        self.seen["onward" if frame.startswith(b"CCD4") else "whole"] += 1
        try:
            self.stores[other].import_(frame)
            if self.chance.random() < 0.2:
                assert self.stores[other].import_(frame) == 0
        except MissingBaseError:
            self.seen["missing"] += 1
            self.stores[other].import_(self.stores[one].export(self.stores[other].version_vector(), whole=True))
        self.twins[other].import_(self.twins[one].export(self.twins[other].version_vector(), whole=True))
        assert picture(self.stores[other]) == picture(self.twins[other])

    def settle(self) -> None:
        for one in (0, 1, 2, 0, 1):
            for other in range(3):
                if one != other:
                    self.send(one, other)
        assert len({repr(picture(store)) for store in self.stores}) == 1


def picture(store: Workspace) -> Any:
    """What a store shows of the document, and what it asks; its texts and lists are in order, and tell of themselves
    what those tell that are made anew."""
    document, state = store.get(*AT), store.storage.load(*AT)
    tree = getattr(state, "tree", {})
    for _, leaf in sequences(tree):
        assert in_order(leaf) == leaf.pieces()
        assert leaf.digest() == pieces.Sequence(leaf.pieces(), dict(leaf.strikes)).digest()
    credits = sorted((path, [(str(c.value), c.agents) for c in found]) for path, found in store.blame(*AT).items())
    asked = sorted((e.id, e.path, str(e.base), [(str(c.value), c.agents) for c in e.contenders])
                   for e in store.escalations(NS))  # fmt: skip
    return document and document.value, credits, asked


def play(seed: str, steps: int, *, hub: bool = False) -> Counter[str]:
    worlds = Worlds(seed, hub)
    for number in range(steps):
        worlds.step(number)
    worlds.settle()
    return worlds.seen


def test_g4_what_is_told_onward_is_what_travels_whole(seed: str, short_ones_too: None) -> None:
    """Three stores that tell each other what became of texts and lists show after each frame the value, credits and
    questions that whole frames give, duplicates, deletions and decisions included; in the end all are the same."""
    seen = sum((play(f"{seed}/{number}", 40) for number in range(8)), Counter[str]())
    assert seen["onward"] > 20 and seen["missing"], seen


def what_was_replaced_came_later() -> None:
    """A history in which somebody is asked who wrote what while a part of what a word had replaced is not there yet."""
    play("3067436873/0", 40)


def test_g6_who_wrote_what_is_told_anew_where_what_was_replaced_has_changed(short_ones_too: None) -> None:
    """Who is asked again says what all others do, though the word itself and what it has replaced are the same."""
    what_was_replaced_came_later()


def test_credits_that_are_kept_too_long_are_noticed(monkeypatch: pytest.MonkeyPatch, short_ones_too: None) -> None:
    """The histories fail where it is looked at a word and what it has replaced alone."""
    monkeypatch.setattr(
        blame._Credits,
        "written",
        lambda self, run: hash(tuple(p[:4] for p in (*self.parts[run], *self.replaced.get(run, ())))),
    )
    with pytest.raises(AssertionError):
        what_was_replaced_came_later()


def test_who_speaks_with_one_other_has_the_base(seed: str, short_ones_too: None) -> None:
    """The same of two stores that speak with a third, each time in both directions: what one of them is told it can
    nearly always make something of, however many wrote beside."""
    seen = sum((play(f"{seed}/{number}", 40, hub=True) for number in range(8)), Counter[str]())
    assert seen["onward"] > 40 and seen["missing"] < seen["onward"] / 10, seen


def looks_at_what_is_known(patch: pytest.MonkeyPatch) -> Counter[str]:
    """Asks of each write that came from elsewhere and is said to be seen, without a look, whether it was."""
    seen: Counter[str] = Counter()
    ask = visibility.seen_by

    def asked(scope: Any, snapshot: Any, record: Any, *more: Any) -> Any:
        made = ask(scope, snapshot, record, *more)
        if isinstance(made, Seen):
            for stamp in [stamp for _, leaf in leaves(record.tree) for stamp in stamps_within(leaf)]:
                if stamp.replica != made.replica and stamp.n <= made.known.get(stamp.replica, -1):
                    assert made.beyond(stamp), (stamp, made.known)
                    seen["known"] += 1
                elif stamp.replica != made.replica:
                    seen["asked"] += 1
        return made

    patch.setattr("concordant.workspace.transaction.seen_by", asked)
    return seen


def test_what_had_come_from_elsewhere_is_seen_without_a_look(seed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of writes that came by an import before somebody read it is known by their numbers that she has seen them, and of
    no others; one who takes an import for another is caught."""
    seen = looks_at_what_is_known(monkeypatch)
    play_beside(seed, 6)
    assert seen["known"] > seen["asked"] > 0, seen
    monkeypatch.setattr(visibility, "_arrived", lambda record, at: {one[2]: one[3] for one in record.arrivals})
    with pytest.raises(AssertionError):
        play_beside(seed, 20)


def play_beside(seed: str, times: int) -> None:
    """Two stores that write to one text, and one of them is given what the other wrote while somebody is writing."""
    chance = random.Random(seed)
    for _ in range(times):
        meet(chance)


def meet(chance: random.Random) -> None:
    ws, other = Workspace(schemas=SCHEMAS, replica="a"), Workspace(schemas=SCHEMAS, replica="b")
    ws.agent("ada").write(*AT, {"notes": text(3)})
    for _ in range(12):
        other.exchange(ws)
        for store in chance.sample([ws, other], 2):
            with store.agent(chance.choice("xy")).edit(*AT) as plan:
                plan.notes = plan.notes.replace(f"word{chance.randrange(10)}", chance.choice(WORDS), 1)
                if chance.random() < 0.5:
                    store.exchange(other if store is ws else ws)


@pytest.mark.torture
def test_many_histories_onward(seed: str, short_ones_too: None) -> None:
    """The same by the thousand."""
    for number in range(1_000):
        play(f"{seed}/{number}", 60)


def text(lines: int) -> str:
    chance = random.Random(1)
    return "\n".join(" ".join(f"word{chance.randrange(9_999)}" for _ in range(12)) + "." for _ in range(lines))


def edited(ws: Workspace, count: int) -> None:
    for number in range(count):
        with ws.agent("ada").edit(*AT) as plan:
            plan.notes = plan.notes.replace("word", f"e{number} w0rd", 1)


def test_a_frame_for_one_word_is_small() -> None:
    """A word of a large text travels in less than 5 kB, to memory as to a database; it comes alone, and one who was
    away for several words gets these."""
    ws, other = Workspace(schemas=SCHEMAS), Workspace(schemas=SCHEMAS)
    ws.agent("ada").write(*AT, {"notes": text(400)})
    edited(ws, 80)
    first = ws.export(other.version_vector())
    assert first.startswith(b"CCD3") and other.import_(first) == 1
    for count in (1, 1, 5):
        edited(ws, count)
        frame = ws.export(other.version_vector())
        assert len(frame) < 5_000 < len(first) and other.import_(frame) == 1 and other.import_(frame) == 0
        assert ws.get(*AT).value == other.get(*AT).value  # type: ignore[union-attr]


def test_who_lacks_the_base_asks_for_the_whole(short_ones_too: None) -> None:
    """A frame for another store raises where what it is told from is not known, names the document and the way out, and
    changes nothing; a whole one is joined, and ``exchange`` gets it by itself."""
    ws, other, third = (Workspace(schemas=SCHEMAS) for _ in range(3))
    ws.agent("ada").write(*AT, {"notes": text(9)})
    edited(ws, 12)
    other.exchange(ws)
    edited(ws, 1)
    frame = ws.export(other.version_vector())
    with pytest.raises(MissingBaseError, match="whole=True") as caught:
        third.import_(frame)
    assert (caught.value.namespace, caught.value.key) == AT
    assert third.get(*AT) is None and not third.refused()
    third.agent("bob").write(*AT, {"notes": "Something else."})
    with pytest.raises(MissingBaseError):
        third.import_(frame)
    assert third.import_(ws.export(other.version_vector(), whole=True)) == 1
    assert other.exchange(ws)[0] == 1 and third.exchange(other)
    with pytest.raises(CorruptFrameError):
        third.import_(frame[:-3])


FORGED: list[Callable[[Any], Any]] = [
    lambda hunks: [hunks[0]._replace(at=hunks[0].at + 1)],
    lambda hunks: [hunks[0]._replace(at=-1)],
    lambda hunks: [hunks[0]._replace(now=[*hunks[0].now][::-1])],
    lambda hunks: [hunks[0]._replace(now=[*hunks[0].now, hunks[0].now[-1]])],
    lambda hunks: [*hunks, hunks[0]],
]


def leaves_out(hunks: Any) -> Any:
    """What whoever has forgotten something may say with right."""
    return [hunks[0]._replace(now=[])]


@pytest.mark.parametrize(("forge", "signed"), [(leaves_out, False), *product(FORGED, [False, True])])
def test_a_forged_step_is_refused(
    forge: Callable[[Any], Any], signed: bool, short_ones_too: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps that make something else than they say, that name characters twice, or put pieces out of order are refused
    before anything is touched, also where their digests say what they make."""
    ws, other = Workspace(schemas=SCHEMAS), Workspace(schemas=SCHEMAS)
    ws.agent("ada").write(*AT, {"notes": text(9)})
    edited(ws, 12)
    other.exchange(ws)
    with ws.agent("ada").edit(*AT) as plan:
        plan.notes = plan.notes.replace(" ", " inserted ", 1)
    shown = other.get(*AT).value  # type: ignore[union-attr]
    original = onward.since

    def since(*args: Any) -> Any:
        found = original(*args)
        for one in found.values():
            one.steps[-1].hunks = forge(one.steps[-1].hunks)
            one.digests[-1] = "as it is" if signed else one.digests[-1]
        return found

    monkeypatch.setattr("concordant.workspace.replicating.onward_since", since)
    frame = ws.export(other.version_vector())
    assert frame.startswith(b"CCD4")
    if signed:
        digest = pieces.Sequence.digest
        here = [digest(leaf) for _, leaf in sequences(other.storage.load(*AT).tree)]  # type: ignore[union-attr]
        monkeypatch.setattr(
            pieces.Sequence, "digest", lambda self: found if (found := digest(self)) in here else "as it is"
        )
    with pytest.raises(CorruptFrameError):
        other.import_(frame)
    monkeypatch.undo()
    assert other.get(*AT).value == shown  # type: ignore[union-attr]


def takes_anything(patch: pytest.MonkeyPatch) -> None:
    """What has as many pieces as what is told of is taken for that."""
    patch.setattr(pieces.Sequence, "digest", lambda self: str(len(self)))


def tells_too_little(patch: pytest.MonkeyPatch) -> None:
    """A step does not tell what was struck out; nobody compares what comes of it."""
    go_back = onward._Telling.go_back

    def cut(telling: Any, change: LeafChange) -> bool:
        found = go_back(telling, change)
        if telling._steps:
            telling._steps[-1].added = []
        return found

    patch.setattr(onward._Telling, "go_back", cut)
    patch.setattr(told.Onward, "after", _unchecked)


def counts_no_strikes_anew(patch: pytest.MonkeyPatch) -> None:
    """Where strikes that were kept apart are put to those that versions share, their sum is not renewed."""
    but = pieces.Strikes.but

    def folded(self: Any, added: Any, gone: Any) -> pieces.Strikes:
        made = but(self, added, gone)
        if made._base is not self._base:
            made._sum = [*self._sum]
        return made

    patch.setattr(pieces.Strikes, "but", folded)


def takes_blocks_in_any_order(patch: pytest.MonkeyPatch) -> None:
    """The fingerprint of a block does not tell where it ends: what stands in other blocks has another one."""
    whole: Any = pieces.Block.__dict__["fingerprint"]
    patch.setattr(pieces.Block, "fingerprint", property(lambda self: whole.fget(self)._replace(shift=1)))


def _unchecked(self: Any, known: pieces.Sequence) -> pieces.Sequence | None:
    digest = known.digest()
    if digest not in self.digests:
        return None
    for step in self.steps[self.digests.index(digest) :]:
        known = step.later(known)
    return known


BROKEN = [takes_anything, tells_too_little, counts_no_strikes_anew, takes_blocks_in_any_order]


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_frames_are_caught(
    broken: Callable[[pytest.MonkeyPatch], None], short_ones_too: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Engines that take a step for more than it is are caught by the random histories."""
    broken(monkeypatch)
    with pytest.raises((AssertionError, ConcordantError)):
        _ = [play(f"mutant/{number}", 40) for number in range(40)]
