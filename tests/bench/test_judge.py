"""The judge: what is lost, doubled, strange or wrongly told of is counted, and who had read what decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from concordant.bench import (
    DELETION,
    Alarm,
    Change,
    Concordant,
    FieldKind,
    LastWriteWins,
    Locking,
    Optimistic,
    Outcome,
    Task,
    Workload,
    judge,
    play,
)

FIELDS = {name: FieldKind(name) for name in ("set", "text", "list", "scalar", "counter", "map")}
FIELDS["most"] = FieldKind("scalar", "max")


def add(field: str, value: Any, **more: Any) -> Change:
    op = {"set": "add", "text": "append", "list": "append", "counter": "increment"}.get(field, "set")
    return Change("d", more.pop("op", op), field, value, **more)


def work(*rounds: Sequence[tuple[Change, ...]], reads: bool = True, runs: int = 1) -> Workload:
    """A workload of rounds of tasks; all but those of the first round read the document if ``reads``."""
    tasks = []
    for turn, changes in enumerate(rounds):
        for number, mine in enumerate(changes):
            read = ("d",) if turn and reads else ()
            tasks.append(Task(turn, f"{turn}.{number}", mine, read, 1, runs if turn else 1, len(tasks)))
    return Workload("test", FIELDS, tuple(tasks))


def played(workload: Workload, make: Callable[[Workload], Any]) -> Outcome:
    strategy = make(workload)
    try:
        return judge(workload, play(workload, strategy), strategy)
    finally:
        strategy.close()


BASE = ((add("set", "base"), add("text", "one two three"), add("scalar", "base")),)
KINDS = [
    (add("set", "a"), add("set", "b")),
    (add("text", "Line a."), add("text", "Line b.")),
    (add("list", "x"), add("list", "x")),
    (add("counter", 1), add("counter", 2)),
    (add("map", 1, key="a"), add("map", 2, key="b")),
    (add("scalar", "same"), add("scalar", "same")),
    (add("text", "four", op="replace", old="one"), add("text", "five", op="replace", old="three")),
]


@pytest.mark.parametrize("both", KINDS, ids=str)
def test_what_merges_is_merged_by_ours_and_lost_by_others(both: tuple[Change, Change]) -> None:
    """Concurrent contributions that fit are all there with Concordant; the last write loses one unless they agree."""
    workload = work(BASE, [(both[0],), (both[1],)])
    ours = played(workload, Concordant)
    assert ours.right and ours.escalated == 0 and ours.attribution == 1
    stock = played(workload, LastWriteWins)
    assert stock.lost == (0 if both[0].value == both[1].value == "same" else 1)


CONFLICTS = [
    (add("scalar", "a"), add("scalar", "b")),
    (add("map", "a", key="k"), add("map", "b", key="k")),
    (add("text", "four", op="replace", old="two"), add("text", "five", op="replace", old="two")),
    (add("set", "a"), Change("d", "delete")),
]


@pytest.mark.parametrize("both", CONFLICTS, ids=str)
def test_what_conflicts_must_be_told(both: tuple[Change, Change]) -> None:
    """Concordant escalates with both sides, the last write is silent, and who reads again or locks has no conflict."""
    workload = work(BASE, [(both[0],), (both[1],)])
    ours = played(workload, Concordant)
    assert ours.right and ours.escalated >= 1
    stock = played(workload, LastWriteWins)
    assert stock.missed_alarms == 1 and not stock.right
    for make in (Optimistic, Locking):
        assert played(workload, make).missed_alarms == 0


def test_a_policy_settles_and_is_no_alarm() -> None:
    """Where a policy is declared the conflict is resolved, and a store without it misses it."""
    workload = work(BASE, [(add("most", 1.0),), (add("most", 2.0),)])
    ours = played(workload, Concordant)
    assert ours.right and (ours.resolved, ours.escalated) == (1, 0)
    assert played(workload, LastWriteWins).missed_alarms == 1


def test_what_a_later_round_has_read_is_superseded() -> None:
    """A value that somebody read and replaced is not lost, whatever the strategy."""
    workload = work(BASE, [(add("scalar", "draft"),)], [(add("scalar", "done"),)])
    for make in (LastWriteWins, Optimistic, Locking, Concordant):
        found = played(workload, make)
        assert found.right and found.superseded == 2


def test_a_retry_counts_once() -> None:
    """A task executed twice has its effect once with Concordant; elsewhere what it adds is there twice."""
    workload = work(BASE, [(add("counter", 1), add("text", "Line."), add("list", "x"))], runs=2)
    assert played(workload, Concordant).right
    for make in (LastWriteWins, Optimistic, Locking):
        assert played(workload, make).corrupted == 3


def test_retries_of_optimism_are_counted() -> None:
    """Of three writers that meet, two are refused and think again, one of them twice."""
    workload = work(BASE, [(add("set", str(n)),) for n in range(3)])
    strategy = Optimistic(workload)
    trace = play(workload, strategy)
    assert judge(workload, trace, strategy).lost == 0
    assert trace.retries in (2, 3) and trace.thinks == 4 + trace.retries


class Meddled(Concordant):
    """Concordant, with something wrong in what it shows."""

    shown: dict[str, Any] | None = None
    alarm: Alarm | None = None
    silent = False

    def value(self, doc: str) -> dict[str, Any] | None:
        found = super().value(doc)
        return {**(found or {}), **self.shown} if self.shown is not None else found

    def alarms(self) -> list[Alarm]:
        found = [] if self.silent else super().alarms()
        return [*found, self.alarm] if self.alarm is not None else found


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"shown": {"scalar": "__CONFLICT__"}}, {"strange": 1}),
        ({"shown": {"scalar": "a"}, "silent": True}, {"missed_alarms": 1, "lost": 1}),
        ({"shown": {"set": ["base", "base"]}}, {"corrupted": 1}),
        ({"shown": {"set": "base"}}, {"strange": 1, "lost": 1}),
        ({"shown": {"set": []}}, {"lost": 1}),
        ({"shown": {"text": "one two three\none two three"}}, {"corrupted": 1}),
        ({"shown": {"counter": 5}}, {"corrupted": 1}),
        ({"shown": {"counter": 0}}, {"lost": 1}),
        ({"shown": {"map": {"k": 2, "z": 1}}}, {"strange": 1}),
        ({"alarm": Alarm("d", ("set",), ("x",))}, {"false_alarms": 1}),
        ({"alarm": Alarm("d", (), (DELETION,))}, {"false_alarms": 1}),
        ({"silent": True}, {"missed_alarms": 1, "lost": 2}),
    ],
    ids=str,
)
def test_every_wrong_is_seen(wrong: dict[str, Any], told: dict[str, int]) -> None:
    """A store that is right is judged right, and each single wrong in what it shows is counted as what it is."""
    rest = (add("counter", 1), add("map", 2, key="k"))
    workload = work(BASE, [rest], [(add("scalar", "a"),), (add("scalar", "b"),)])
    strategy = Concordant(workload)
    strategy.__class__ = Meddled
    trace = play(workload, strategy)
    assert judge(workload, trace, strategy).right
    vars(strategy).update(wrong)
    found = judge(workload, trace, strategy)
    assert {name: getattr(found, name) for name in told} == told and not found.right
