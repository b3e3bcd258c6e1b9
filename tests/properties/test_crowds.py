"""What is known of registers of many entries tells the same as a look at each entry."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from concordant import Workspace
from concordant.merge.causality import Entry, Register, Seen, Stamp
from concordant.merge.record import dump_changes, journalled, load_changes
from concordant.merge.registers import LeafChange
from concordant.merge.registers.crowds import MANY, Crowd, Exchanged, exchange, without_places
from concordant.merge.registers.register import parted_by

from ..semantics.support import AT
from .test_many_writers import Place

Patch = pytest.MonkeyPatch


def entry(n: int, origin: str, replica: str = "r") -> Entry:
    return Entry(Stamp(float(n), replica, n, f"agent {origin}", origin, "write"), b"%d" % n)


def play(seed: int) -> None:
    """Writers with all sorts of sights add to and take from one register."""
    chance = random.Random(seed)
    register: Register = tuple(entry(n, f"o{n % 7}") for n in range(1, MANY + 1))
    crowd = Crowd(register)
    for n in range(MANY + 1, MANY + 60):
        origin = f"o{chance.randrange(12)}"
        seen = Seen("r", chance.choice([0, 0, 0, n // 3, n - 2]), lambda _: False, origin)
        expected, rest = parted_by(register, seen)
        places = crowd.seen_by(seen) if register else []
        assert places is not None
        assert [register[place] for place in places] == expected
        assert without_places(register, places) == rest
        before = register
        register = rest if chance.random() < 0.1 else (*rest, entry(n, origin))
        moved = exchange(before, register)
        if moved is not None:
            assert moved.earlier(register) == before
        assert (moved is None) == (not _stood_side_by_side(before, expected))
        if len(register) < MANY or not crowd.follows(register):
            crowd = Crowd(register)
        assert crowd.register is register


def play_all(seeds: int) -> None:
    for seed in range(seeds):
        play(seed)


def _stood_side_by_side(register: Register, gone: list[Entry]) -> bool:
    places = [register.index(one) for one in gone]
    return places == list(range(places[0], places[0] + len(places))) if places else True


def test_what_was_seen_and_what_changed_is_told_as_by_a_look_at_each_entry() -> None:
    """Places of what a writer has seen, and the difference a write makes, are those that a comparison finds."""
    play_all(200)


def test_of_registers_of_two_replicas_nothing_is_told() -> None:
    """Where the numbers of commits do not order the entries, each is looked at."""
    register = (*(entry(n, "o") for n in range(1, MANY)), entry(3, "p", "other"))
    crowd = Crowd(register)
    assert crowd.seen_by(Seen("r", 3, lambda _: False, "o")) is None
    assert crowd.follows((*register, entry(99, "p")))
    assert crowd.seen_by(Seen("r", 3, lambda _: False, "o")) is None


def upto_is_forgotten(patch: Patch) -> None:
    """What was there when a writer began is not among what it has seen."""
    seen_by = Crowd.seen_by
    patch.setattr(Crowd, "seen_by", lambda self, seen: seen_by(self, Seen(seen.replica, 0, seen.beyond, seen.origin)))  # type: ignore[attr-defined]


def own_writes_are_forgotten(patch: Patch) -> None:
    """A writer's own entries are not among what it has seen."""
    seen_by = Crowd.seen_by
    patch.setattr(Crowd, "seen_by", lambda self, seen: seen_by(self, Seen(seen.replica, seen.upto, seen.beyond, "?")))  # type: ignore[attr-defined]


def what_went_is_kept(patch: Patch) -> None:
    """The journal says that nothing went."""
    patch.setattr(Exchanged, "earlier", lambda self, later: later[: len(later) - self.came])


@pytest.mark.parametrize("mutant", [upto_is_forgotten, own_writes_are_forgotten, what_went_is_kept])
def test_a_crowd_that_is_wrong_is_noticed(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    """The comparison fails on each of these."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        play_all(20)


def test_a_journal_keeps_of_a_large_register_the_difference() -> None:
    """And gives it back as it was stored: what went, where, and what came."""
    before = tuple(entry(n, "o") for n in range(1, 40))
    after = (*before[:4], *before[5:], entry(40, "p"))
    [change] = journalled([LeafChange(("scalar:s",), before, after)])
    assert (change.before, change.after) == (Exchanged(4, before[4:5], 1), after[-1:])
    [read], *_ = load_changes(dump_changes([change], None))
    assert read == change
    assert isinstance(read.before, Exchanged) and read.before.earlier(after) == before


@pytest.mark.parametrize("where", ["memory", "sqlite"])
def test_the_past_of_a_document_that_many_wrote_at_once(where: str, tmp_path: object) -> None:
    """Each version of a contested field reads as it was, from memory and from a file."""
    with Workspace(None if where == "memory" else f"sqlite:///{tmp_path}/a.db", schemas={AT[0]: Place}) as ws:
        began = ws.moment()
        agents = [ws.agent(f"a{n}", began=began) for n in range(40)]
        shown: dict[int, int] = {}
        for n, agent in enumerate([*agents, *agents[:10]]):
            receipt = agent.write(*AT, {"top": n, "m": {"k": str(n)}})
            document = ws.get(*AT)
            assert document is not None
            shown[receipt.version] = document.value["top"]
        for version, top in shown.items():
            past = ws.get(*AT, at=version)
            assert past is not None and past.value["top"] == top
        assert len(list(ws.history(*AT))) == 50


def test_what_the_journal_of_a_crowd_keeps_grows_with_the_writes_alone() -> None:
    """Of n writers of one field it keeps n entries, not n of each."""

    def kept(count: int) -> int:
        ws = Workspace(schemas={AT[0]: Place})
        began = ws.moment()
        for n in range(count):
            ws.agent(f"a{n}", began=began).write(*AT, {"s": f"v{n}"})
        rows = ws.storage.rows(*AT)
        return sum(_entries(part) for row in rows for change in row.changes or () for part in change[1:])

    assert kept(200) <= 4 * kept(50) + 200


def _entries(part: object) -> int:
    return len(part) if isinstance(part, tuple) else len(part.gone) if isinstance(part, Exchanged) else 0
