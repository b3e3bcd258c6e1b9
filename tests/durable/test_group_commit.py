"""Commits that wait at the same time are one transaction; each still has its own result, error and events."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import threading
import time
from collections import Counter as Counts
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, field_validator

from concordant import Counter, InvalidWriteError, Scalar, Set, Text, Workspace
from concordant.errors import StaleWriteError, StorageBusyError, StorageError
from concordant.spi import TaskScope
from concordant.storage import Instant, SqliteOptions
from concordant.storage.grouping import FaultyError, GroupCommit, Request
from concordant.storage.sql.storage import SqlUnit
from tests.nursery import Worker
from tests.patience import PATIENCE, until

from .processes import acknowledged

NS = ("plans",)
KINDS = ["sqlite", "postgres", "folder"]


class Plan(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    votes: Annotated[int, Counter()] = 0
    notes: Annotated[str, Text()] = ""
    status: Annotated[str | None, Scalar()] = None

    @field_validator("status")
    @classmethod
    def known(cls, value: str | None) -> str | None:
        if value == "zero":
            raise ZeroDivisionError
        return value


@pytest.fixture(params=KINDS)
def ws(request: pytest.FixtureRequest, fresh_url: Callable[[str], str]) -> Iterator[Workspace]:
    with Workspace(fresh_url(request.param), schemas={NS: Plan}) as workspace:
        yield workspace


class Held:
    """Keeps a storage at work for as long as a block lasts, and counts the transactions that follow."""

    def __init__(self, ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        self.storage: Any = ws.storage
        self.sizes: list[int] = []
        self._begun, self._go = threading.Event(), threading.Event()
        self.storage._group._most_leaders = 1  # under whatever clock the others are, they wait
        transact = self.storage.transact

        def counted(work: Any, places: Sequence[Any], hasty: bool) -> Any:
            self.sizes.append(len(places))
            return transact(work, places, hasty)

        monkeypatch.setattr(self.storage, "transact", counted)
        self._leader = threading.Thread(target=lambda: self.storage.commit(NS, "held", self._update))

    def _update(self, *_: Any) -> None:
        self._begun.set()
        self._go.wait(PATIENCE)

    def __enter__(self) -> Held:
        self._leader.start()
        self._begun.wait(PATIENCE)
        return self

    def until(self, waiting: int) -> None:
        """Waits until so many commits wait."""
        until(lambda: len(self.storage._group._waiting) >= waiting)

    def __exit__(self, *_: object) -> None:
        self._go.set()
        self._leader.join()


def result(call: Callable[[], Any]) -> Any:
    """What a call gives, or the error that it raises."""
    try:
        return call()
    except Exception as error:
        return error


def test_what_waits_is_one_transaction(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty threads that wait, for one document and for others, are committed by one transaction more."""
    agents = [ws.agent(f"a{i}") for i in range(30)]
    with ThreadPoolExecutor(30) as pool:
        with Held(ws, monkeypatch) as held:
            at = [pool.submit(agents[i].write, NS, f"d{i % 20}", {"tags": [f"t{i}"]}) for i in range(30)]
            held.until(30)
        versions = [one.result().version for one in at]
    assert held.sizes == [1, 30]
    assert len(set(versions)) == 30
    for i in range(20):
        document = ws.get(NS, f"d{i}")
        assert document is not None
        assert set(document.value["tags"]) == {f"t{j}" for j in range(30) if j % 20 == i}
    assert ws.check().ok


def test_each_has_its_own_result(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of writes that wait together those that are refused fail alone, each with its reason; the others are stored."""
    ws.agent("ada").write(NS, "d", {"votes": 1})
    began = ws.moment()
    with ThreadPoolExecutor(30) as pool:
        calls: list[Callable[[], Any]] = []
        for i in range(24):
            agent = ws.agent(f"a{i}", began=began)
            given: list[Callable[[], Any]] = [
                lambda agent=agent, i=i: agent.write(NS, "d", {"votes": 1, "tags": [f"t{i}"]}),
                lambda agent=agent: agent.write(NS, "d", {"votes": 100}, if_version=7_777),
                lambda agent=agent, i=i: agent.write(NS, "d", {"status": f"s{i}"}),
            ]
            calls.append(given[i % 3])
        with Held(ws, monkeypatch) as held:
            at = [pool.submit(result, call) for call in calls]
            held.until(24)
        found = [one.result() for one in at]
    assert [isinstance(one, StaleWriteError) for one in found] == [False, True, False] * 8
    assert not [one for one in (*found[::3], *found[2::3]) if isinstance(one, Exception)]
    document = ws.get(NS, "d")
    assert document is not None
    assert document.value["votes"] == 9
    assert set(document.value["tags"]) == {f"t{i}" for i in range(0, 24, 3)}
    (question,) = ws.escalations()
    assert {c.value for c in question.contenders} == {f"s{i}" for i in range(2, 24, 3)}
    told = [one.escalations for one in found[2::3]]
    assert [len(one) for one in told] == [0, *[1] * 7], "whoever came second has opened the question"


def test_a_batch_among_others_is_all_or_nothing(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch whose second part is refused leaves nothing, though it shared a transaction with others that are kept."""
    ws.put(NS, "b", {"votes": 1})

    def batch() -> None:
        updates = [(NS, "a", one.update), (NS, "b", other.update)]
        ws.storage.commit_all(updates)

    writing = ws.writing
    one = writing._put(NS, "a", {"votes": 5}, ws.agent("eve").scope)
    other = writing._put(NS, "b", {"votes": 5}, ws.agent("eve").scope)
    other.if_version = 7_777
    with ThreadPoolExecutor(12) as pool:
        with Held(ws, monkeypatch) as held:
            at = [pool.submit(result, lambda i=i: ws.put(NS, f"d{i}", {"votes": i})) for i in range(5)]
            at.append(pool.submit(result, batch))
            held.until(6)
            at += [pool.submit(result, lambda i=i: ws.put(NS, f"d{i}", {"votes": i})) for i in range(5, 10)]
            held.until(11)
        found = [one.result() for one in at]
    assert isinstance(found.pop(5), StaleWriteError)
    assert not [one for one in found if isinstance(one, Exception)]
    assert ws.get(NS, "a") is None
    assert {f"d{i}": i for i in range(10)} == {
        document.key: document.value["votes"] for document in ws.list(NS) if document.key.startswith("d")
    }


def test_what_nobody_expected_befalls_its_own_write_alone(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update that raises what is none of our errors, whatever it had done before, harms no other write."""

    def bad(*_: Any) -> Any:
        raise ZeroDivisionError

    with ThreadPoolExecutor(12) as pool:
        with Held(ws, monkeypatch) as held:
            at = [pool.submit(result, lambda i=i: ws.put(NS, "d", {"tags": [f"t{i}"]})) for i in range(4)]
            held.until(4)
            wrong = pool.submit(result, lambda: ws.storage.commit(NS, "d", bad))
            held.until(5)
            at += [pool.submit(result, lambda i=i: ws.put(NS, "d", {"tags": [f"t{i}"]})) for i in range(4, 8)]
            held.until(9)
        assert isinstance(wrong.result(), ZeroDivisionError)
        assert not [one for one in at if isinstance(one.result(), Exception)]
    document = ws.get(NS, "d")
    assert document is not None and set(document.value["tags"]) == {f"t{i}" for i in range(8)}


def test_trouble_of_the_database_is_not_the_update_s(
    fresh_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the database raises when an update asks it is told, or tried again, as trouble of the database."""
    with Workspace(fresh_url("sqlite"), schemas={NS: Plan}) as ws:
        ada, bob = ws.agent("ada"), ws.agent("bob")
        ada.write(NS, "d", {"status": "a"})
        bob.write(NS, "d", {"status": "b"})

        def broken(*_: Any) -> Any:
            raise sqlite3.OperationalError("disk I/O error")

        with monkeypatch.context() as patch:
            patch.setattr(SqlUnit, "open_questions", broken)
            with pytest.raises(StorageError, match="disk I/O error"):
                ada.write(NS, "d", {"votes": 1})
        ada.write(NS, "d", {"votes": 1})
        document = ws.get(NS, "d")
        assert document is not None and document.value["votes"] == 1


def test_random_writers_have_what_was_acknowledged(ws: Workspace, seed: str) -> None:
    """Sixteen threads write, in batches too, now and then something that is refused: in the end there is exactly what
    was acknowledged, each once, and later writes of one thread have later versions."""
    rnd = random.Random(seed)
    kept: list[tuple[str, int]] = []
    lock = threading.Lock()

    def work(name: int, draw: random.Random) -> None:
        last = 0
        for number in range(12):
            keys = [f"d{draw.randrange(4)}" for _ in range(draw.choice([1, 1, 1, 3]))]
            if draw.random() < 0.2:
                if draw.random() < 0.5:
                    with pytest.raises(StaleWriteError):
                        ws.agent("eve").write(NS, keys[0], {"votes": 1_000}, if_version=9_999_999)
                else:
                    with pytest.raises(InvalidWriteError):
                        ws.put_all([(NS, keys[0], {"votes": 1_000}), (NS, keys[-1], {"nonsense": 1})])
                continue
            value = {"votes": 1, "tags": [f"{name}.{number}"]}
            if len(keys) == 1:
                receipt = ws.agent(f"w{name}").write(NS, keys[0], value)
                assert receipt.version > last
                last = receipt.version
            else:
                keys = [*dict.fromkeys(keys)]
                ws.put_all([(NS, key, value) for key in keys])
            with lock:
                kept.extend((key, number) for key in keys)

    draws = [random.Random(rnd.random()) for _ in range(16)]
    with ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(work, name, draw) for name, draw in enumerate(draws)]:
            done.result()
    counts = Counts(key for key, _ in kept)
    assert {d.key: d.value["votes"] for d in ws.list(NS)} == dict(counts)
    assert {d.key: len(d.value["tags"]) for d in ws.list(NS)} == dict(counts)
    assert ws.check().ok


async def test_coroutines_share_transactions(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two hundred coroutines that write at once need few transactions; each has its own receipt or error, and events
    are told before its call returns."""
    sizes: list[int] = []
    transact = ws.storage.transact  # type: ignore[attr-defined]

    def counted(work: Any, places: Sequence[Any], hasty: bool) -> Any:
        sizes.append(len(places))
        return transact(work, places, hasty)

    monkeypatch.setattr(ws.storage, "transact", counted)
    told: list[str] = []
    ws.on_escalation(lambda event: told.append(event.kind))
    began = ws.moment()

    async def write(i: int) -> Any:
        agent = ws.agent(f"a{i}", began=began)
        if i % 10 == 3:
            with pytest.raises(StaleWriteError):
                await agent.awrite(NS, f"d{i}", {"votes": 1}, if_version=12)
            return None
        if i % 10 == 7:
            receipt = await agent.awrite(NS, "hot", {"status": f"s{i}"})
            assert all(told.count("opened") == 1 for _ in receipt.escalations)
            return receipt.version
        return (await ws.aput(NS, f"d{i}", {"votes": i})).version

    versions = [one for one in await asyncio.gather(*map(write, range(200))) if one is not None]
    assert len(set(versions)) == 180
    assert len(sizes) < 20
    assert Counts(told) == {"opened": 1, "grew": 18}
    document = await ws.aget(NS, "d199")
    assert document is not None and document.value == {"votes": 199}


async def test_a_coroutine_that_is_cancelled_leaves_the_others(ws: Workspace) -> None:
    """Whoever is cancelled while it waits is not waited for; what the others want is stored."""
    calls = [asyncio.create_task(ws.aput(NS, f"d{i}", {"votes": i})) for i in range(50)]
    await asyncio.sleep(0)
    for call in calls[::5]:
        call.cancel()
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert [i for i, one in enumerate(done) if isinstance(one, asyncio.CancelledError)] == [*range(0, 50, 5)]
    stored = {document.key async for document in listed(ws)}
    assert {f"d{i}" for i in range(50) if i % 5} <= stored


async def listed(ws: Workspace) -> Any:
    for document in await ws.alist(NS):
        yield document


async def test_a_context_is_kept(ws: Workspace) -> None:
    """What a coroutine has read, its put is an edit of; the name in force is the writer's."""
    await ws.aput(NS, "d", {"tags": ["a", "b"]})
    with ws.acting_as("ada"):
        document = await ws.acall(ws.read_current, NS, "d")
        assert document is not None
        await ws.aput(NS, "d", {"tags": ["b"]})
    document = await ws.aget(NS, "d")
    assert document is not None and document.value == {"tags": ["b"]}
    assert [entry.agent for entry in ws.history(NS, "d")] == ["ada", "anonymous"]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_g10_a_killed_group_leaves_what_it_acknowledged(fresh_url: Callable[[str], str], seed: str, kind: str) -> None:
    """A process of twelve writing threads is killed with -9: each acknowledged write is there, and no half pair."""
    killed(fresh_url(kind), seed, 2)


@pytest.mark.torture
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_g10_groups_are_killed_a_thousand_times(fresh_url: Callable[[str], str], seed: str, kind: str) -> None:
    """The same, 1,000 times, 100 on each store."""
    for number in range(10):
        killed(fresh_url(kind), f"{seed}/{number}", 100)


def killed(url: str, seed: str, rounds: int) -> None:
    rnd = random.Random(seed)
    with Workspace(url, schemas={NS: Plan}) as ws:
        before, total = ws.moment().n, 0
        for turn in range(rounds):
            process = Worker("tests.durable.group", [url, str(turn)])
            until(lambda before=before: ws.moment().n > before)  # type: ignore[misc]
            time.sleep(rnd.uniform(0.0, 0.3))
            process.kill()
            names = acknowledged(process)
            total += len(names)  # on a busy machine a kill may come before the first one
            there: dict[str, set[str]] = {document.key: set(document.value["tags"]) for document in ws.list(NS)}
            for number in names:
                assert f"{turn}.{number}" in there["left"] & there["right"], "acknowledged, and not there"
            assert there["left"] == there["right"], "half of a pair"
            before = ws.moment().n
        assert total >= rounds
        assert ws.check().ok


def test_a_child_of_a_fork_writes(fresh_url: Callable[[str], str]) -> None:
    """A child that was forked while others were writing, and waiting, writes on its own: in threads, and coroutines."""
    with Workspace(fresh_url("sqlite"), schemas={NS: Plan}) as ws:
        group, joint = ws.storage._group, ws.writing.joint  # type: ignore[attr-defined]
        group._leaders, joint._busy = 1, True  # as if other threads were at work, which the child does not have
        child = os.fork()
        if child == 0:
            code = 1
            try:
                ws.put(NS, "d", {"votes": 1})
                asyncio.run(ws.aput(NS, "e", {"votes": 1}))
                code = 0
            finally:
                os._exit(code)
        group._leaders, joint._busy = 0, False
        assert os.waitpid(child, 0)[1] == 0
        assert {document.key for document in ws.list(NS)} == {"d", "e"}


def test_whoever_waits_too_long_is_told(fresh_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that waits for another one of its process longer than ``lock_timeout`` fails with our error; so does one
    that is made inside an update, which would wait for itself."""
    options = SqliteOptions(lock_timeout=0.2)
    with Workspace(fresh_url("sqlite"), schemas={NS: Plan}, options=options) as ws:
        with Held(ws, monkeypatch), pytest.raises(StorageBusyError, match="lock_timeout"):
            ws.put(NS, "d", {"votes": 1})

        def nested(*_: Any) -> Any:
            ws.put(NS, "other", {"votes": 1})

        with pytest.raises(StorageBusyError, match="lock_timeout"):
            ws.storage.commit(NS, "d", nested)
        ws.put(NS, "d", {"votes": 2})
        document = ws.get(NS, "d")
        assert document is not None and document.value == {"votes": 2}


def test_a_first_write_that_waits_for_nobody_is_no_group() -> None:
    """Whoever commits alone holds one clock and the place of one leader; what is asked for meanwhile under that clock,
    or when all places are taken, is committed afterwards, by those who asked."""
    log: list[int] = []

    def run(requests: Sequence[Request], hasty: bool) -> None:
        log.append(len(requests))

    group = GroupCommit(
        run, "here", PATIENCE, lambda changes: frozenset([int(address[1]) for address, _ in changes]), 2
    )

    def change(clock: int) -> Sequence[Any]:
        return [((NS, str(clock)), lambda *_: None)]

    assert group.begin_alone(1)
    assert not group.begin_alone(1)
    group.commit(change(2))
    assert group.begin_alone(2)
    assert not group.begin_alone(3)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(group.commit, change(clock)) for clock in (1, 1)]
        while len(group._waiting) < 2:
            time.sleep(0.001)
        assert not group.begin_alone(3)
        group.end_alone(2)
        assert not any(one.done() for one in waiting)
        assert not group.begin_alone(3)
        group.end_alone(1)
        for one in waiting:
            one.result(PATIENCE)
    assert log == [1, 2]
    assert group.begin_alone(1)


class Draft(BaseModel):
    status: Annotated[str | None, Scalar()] = None


def test_a_task_counts_a_first_write_that_failed_as_none(
    fresh_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The put of a task that the database refused has no number: the next one has that, in every execution alike."""
    with Workspace(fresh_url("postgres"), schemas={NS: Draft}) as ws:
        task = TaskScope("t/1", "node", "o", "t", "1", Instant.now(), lambda *_: "ordered")
        ws.add_scope_provider(lambda: task)

        def fails(*_: Any) -> int:
            raise StorageError("here", "it is full", "Make room")

        with monkeypatch.context() as patch:
            patch.setattr(ws.storage, "create", fails)
            with pytest.raises(StorageError, match="it is full"):
                ws.put(NS, "d", {"status": "lost"})
            with pytest.raises(StorageError, match="it is full"):
                ws.agent("ada").write(NS, "e", {"status": "lost"})
        ws.put(NS, "d", {"status": "kept"})
        ws.agent("ada").write(NS, "e", {"status": "kept"})
        rows = [row for key in "de" for row in ws.storage.rows(NS, key)]
        assert [row.op and row.op[2] for row in rows] == [0, 0]


class Log:
    """A store that only counts, and fails as it is told to: what was committed, in order.

    Args:
        clocks: how many it has; no two transactions are under one of them at once.
    """

    def __init__(self, rnd: random.Random, clocks: int = 1) -> None:
        self.rnd = rnd
        self.clocks = clocks
        self.kept: list[int] = []
        self.most = 0  # transactions at once
        self._held: list[frozenset[int]] = []
        self._lock = threading.Lock()

    def clocks_of(self, changes: Sequence[Any]) -> frozenset[int]:
        return frozenset(int(name) % self.clocks for (_, name), _ in changes)

    def run(self, requests: Sequence[Request], hasty: bool) -> None:
        clocks = frozenset[int]().union(*(request.clocks for request in requests))
        with self._lock:
            assert all(clocks.isdisjoint(held) for held in self._held), "two at once under one clock"
            self._held.append(clocks)
            self.most = max(self.most, len(self._held))
        try:
            self._run(requests, hasty)
        finally:
            with self._lock:
                self._held.remove(clocks)

    def _run(self, requests: Sequence[Request], hasty: bool) -> None:
        new: list[int] = []
        time.sleep(self.rnd.random() * 0.002)
        for request in requests:
            request.error = None
            for (_, name), _ in request.changes:
                number = int(name)
                if number % 7 == 3:
                    if len(request.changes) > 1 or number % 2:
                        raise FaultyError(request) from ZeroDivisionError(name)
                    request.error = InvalidWriteError((), name, [])
                    break
                new.append(number)
        chance = self.rnd.random()
        if chance < 0.1:
            raise StorageError("here", "it is full", "Wait")
        if hasty and chance > 0.7:
            raise StorageBusyError("here", "somebody holds a clock", "Wait")
        if chance < 0.2:
            raise RuntimeError
        if chance < 0.3 and threading.current_thread().name.startswith("weak"):
            raise KeyboardInterrupt
        self.kept += new


@pytest.mark.parametrize("turn", range(20))
def test_whatever_befalls_the_leader_each_caller_knows_what_became_of_its_own(seed: str, turn: int) -> None:
    """Transactions that fail at random, for one or for all, leaders that are interrupted, callers of several, one clock
    or several: what was committed is, each once, what callers were told; nobody waits for ever."""
    log = Log(random.Random(f"{seed}/{turn}"), clocks=1 + turn % 4 * 2)
    group = GroupCommit(log.run, "here", 30, log.clocks_of, leaders=1 + turn % 4)
    told: list[int] = []
    numbers = iter(range(10_000))
    lock = threading.Lock()

    def work(draw: random.Random) -> None:
        for _ in range(15):
            with lock:
                wanted = [[next(numbers) for _ in range(draw.choice([1, 1, 2]))] for _ in range(draw.choice([1, 1, 4]))]
            try:
                errors = group.commit_each([[(((), str(n)), lambda *_: None) for n in one] for one in wanted])
            except KeyboardInterrupt:
                unknown.update(n for one in wanted for n in one)
                continue
            for one, error in zip(wanted, errors, strict=True):
                if error is None:
                    told.extend(one)
                elif isinstance(error, FaultyError):
                    strange.append(error)

    unknown: set[int] = set()
    strange: list[Exception] = []
    draws = [random.Random(f"{seed}/{turn}/{i}") for i in range(10)]
    threads = [
        threading.Thread(target=work, args=(draw,), name="weak" if i % 3 == 0 else "strong")
        for i, draw in enumerate(draws)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert max(Counts(log.kept).values(), default=1) == 1
    assert set(told) == set(log.kept) - unknown
    assert not any(n % 7 == 3 for n in told)
    assert log.most <= group._most_leaders
    assert not strange, "what a group needs to know is nothing for callers"
    assert not group._waiting and not group._leaders and not group._busy
