"""Counters of many names: their sums are folded, each name stays with its amount, and takes it back when asked to."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Annotated

import pytest
from pydantic import BaseModel

from concordant import Counter, Map, Workspace
from concordant.merge.kinds import folding
from concordant.merge.record import Record, dump_record, load_record
from tests.rounds import rounds

from ..semantics.support import AT, Tasks, workspace

Patch = pytest.MonkeyPatch


class Tally(BaseModel):
    n: Annotated[int, Counter()] = 0
    d: Annotated[Decimal, Counter()] = Decimal(0)
    m: Annotated[dict[str, Annotated[int, Counter()]], Map()] = {}


@pytest.fixture
def early(monkeypatch: Patch) -> None:
    """Folds after a few names."""
    monkeypatch.setattr(folding, "MOST_APART", 6)
    monkeypatch.setattr(folding, "MOST_SHARES", 8)


def entries(ws: Workspace) -> int:
    """How many entries the counter ``n`` has."""
    state = ws.storage.load(*AT)
    assert isinstance(state, Record)
    ws.blame(*AT)  # applies what waits
    return len(state.tree["counter:n"])


def amounts(ws: Workspace) -> dict[str, int]:
    """What each name stands for."""
    found: dict[str, int] = {}
    for credit in ws.blame(*AT).get(("n",), ()):
        found[credit.agent] = found.get(credit.agent, 0) + credit.value
    return {name: amount for name, amount in found.items() if amount}


def test_many_names_on_one_counter_stay_small() -> None:
    """A thousand names take a few bytes each, in the record and in a frame, and each is named with its amount."""
    ws = workspace(Tally)
    for n in range(1_000):
        ws.agent(f"user-{n}").write(*AT, {"n": n % 3})
    document = ws.get(*AT)
    assert document is not None and document.value == {"n": sum(n % 3 for n in range(1_000))}
    assert len(ws.export()) < 15_000
    assert entries(ws) < 100
    assert amounts(ws) == {f"user-{n}": n % 3 for n in range(1_000) if n % 3}


def test_many_names_at_once_are_small_as_soon_as_somebody_has_seen_them() -> None:
    """The first new name that has seen what hundreds added at once leaves a record of few entries."""
    ws = workspace(Tally)
    began = ws.moment()
    for n in range(301):
        ws.agent(f"user-{n}", began=began).write(*AT, {"n": 1})
    assert entries(ws) == 301
    ws.agent("late").write(*AT, {"n": 1})
    assert entries(ws) < 10
    assert amounts(ws) == {**{f"user-{n}": 1 for n in range(301)}, "late": 1}


@pytest.mark.usefixtures("early")
@rounds(8, 20)
def test_g6_the_sum_and_each_share_are_exact(seed: str, rounds: int) -> None:
    """Whoever adds what in whatever order, on two stores that meet now and then."""
    rnd = random.Random(seed)
    for _ in range(rounds):
        stores = [workspace(Tally, replica=name) for name in ("one", "two")]
        truth: dict[str, int] = {}
        shares: dict[str, int] = {}
        moment = {store: store.moment() for store in stores}
        for _ in range(80):
            ws, name, amount = rnd.choice(stores), f"a{rnd.randrange(30)}", rnd.randrange(-3, 4)
            agent = ws.agent(name, began=moment[ws]) if rnd.random() < 0.3 else ws.agent(name)
            key = f"k{rnd.randrange(2)}"
            agent.write(*AT, {"n": amount, "d": Decimal(amount) / 4, "m": {key: amount}})
            truth[key] = truth.get(key, 0) + amount
            shares[name] = shares.get(name, 0) + amount
            if rnd.random() < 0.1:
                moment[ws] = ws.moment()
            if rnd.random() < 0.1:
                stores[0].exchange(stores[1])
        stores[0].exchange(stores[1])
        for ws in stores:
            document = ws.get(*AT)
            assert document is not None
            assert document.value["n"] == sum(truth.values()) and document.value["m"] == truth
            assert Decimal(document.value["d"]) == Decimal(sum(truth.values())) / 4
            assert amounts(ws) == {name: amount for name, amount in shares.items() if amount}
            state = ws.storage.load(*AT)
            assert isinstance(state, Record)
            assert load_record(dump_record(state)).tree == state.tree


@pytest.mark.usefixtures("early")
def test_g5_a_folded_amount_is_taken_back_when_its_write_is_made_again() -> None:
    """A node that adds, and is executed again after many others have added, counts once, with its last amount."""
    ws = workspace(Tally)
    tasks = Tasks(ws)
    with tasks.run("node"):
        ws.put(*AT, {"n": 100})
    for n in range(40):
        ws.agent(f"user-{n}").write(*AT, {"n": 1})
    assert entries(ws) < 20
    with tasks.run("node", execution=2):
        ws.put(*AT, {"n": 100})
    document = ws.get(*AT)
    assert document is not None and document.value["n"] == 140
    with tasks.run("node", execution=3):
        ws.put(*AT, {"n": 7})
    document = ws.get(*AT)
    assert document is not None and document.value["n"] == 47
    assert amounts(ws) == {"node": 7, **{f"user-{n}": 1 for n in range(40)}}


@pytest.mark.usefixtures("early")
def test_g5_who_folded_others_takes_back_only_its_own() -> None:
    """The write that folded what others had added is made again with another amount."""
    ws = workspace(Tally)
    tasks = Tasks(ws)
    for n in range(6):
        ws.agent(f"user-{n}").write(*AT, {"n": 1})
    ws.blame(*AT)
    for execution, amount in ((1, 5), (2, 8)):
        with tasks.run("node", execution=execution):
            ws.put(*AT, {"n": amount})
    assert amounts(ws) == {"node": 8, **{f"user-{n}": 1 for n in range(6)}}


@pytest.mark.usefixtures("early")
def test_g1_what_a_writer_has_not_seen_stays_apart() -> None:
    """Amounts are folded by writers who have seen them; those of concurrent writers stay apart, and none is lost."""
    ws = workspace(Tally)
    began = ws.moment()
    for n in range(30):
        ws.agent(f"user-{n}", began=began).write(*AT, {"n": 1})
    assert entries(ws) == 30
    ws.agent("later").write(*AT, {"n": 1})
    document = ws.get(*AT)
    assert document is not None and document.value["n"] == 31


@pytest.mark.usefixtures("early")
def test_time_travel_goes_back_before_the_folding() -> None:
    """An earlier version shows the sum and the names of then."""
    ws = workspace(Tally)
    receipts = [ws.agent(f"user-{n}").write(*AT, {"n": 1}) for n in range(40)]
    assert entries(ws) < 20
    for number, receipt in enumerate(receipts):
        document = ws.get(*AT, at=receipt.version)
        assert document is not None and document.value == {"n": number + 1}


@pytest.mark.usefixtures("early")
def test_a_lost_share_is_noticed(monkeypatch: Patch, seed: str) -> None:
    """The comparison fails where folding forgets a name that is there already."""
    monkeypatch.setattr(folding, "_joined", lambda known, shares: [*shares, *known][: len(known)])
    with pytest.raises(AssertionError):
        test_g6_the_sum_and_each_share_are_exact(seed, 20)
