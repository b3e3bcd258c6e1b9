"""The contract of a storage, as tests: every storage passes them, ours and yours."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import pytest
from pydantic import BaseModel

from concordant.errors import ConcordantError, StorageError
from concordant.merge.kinds import Counter, List, Map, Scalar, Set, Text
from concordant.storage import Instant, KeyValueStore, KeyValueWriter, SideEffects, Storage
from concordant.workspace import Escalation, TaskScope, Workspace

__all__ = ["StorageContract"]

C = TypeVar("C", bound=Callable[..., Any])

NS = ("contract", "ä")
KEY = 'a key / with "signs" and ümläuts \U0001f511'
AT = (NS, KEY)


class Team(BaseModel):
    """A model with every kind, which the tests of the contract write by."""

    tags: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, str], Map()] = {}
    notes: Annotated[str, Text()] = ""
    steps: Annotated[list[str], List()] = []
    count: Annotated[int, Counter()] = 0
    status: Annotated[str | None, Scalar()] = None


class Narrow(BaseModel):
    """The same documents under a later model: a status is a number."""

    count: Annotated[int, Counter()] = 0
    status: Annotated[int | None, Scalar()] = None


def needs(*flags: str) -> Callable[[C], C]:
    """Marks a test as one of storages of which all these are true."""

    def mark(test: C) -> C:
        test.needs = flags  # type: ignore[attr-defined]
        return test

    return mark


class StorageContract:
    """What every storage does. Subclass it in a file of tests, and give the fixture ``opener``::

        class TestMyStore(StorageContract):
            @pytest.fixture
            def opener(self, tmp_path):
                return lambda: MyStore(tmp_path / "store")

    A storage that is for one process, or forgets when it is closed, says so; tests that are then without a meaning are
    not collected.

    Attributes:
        durable: what was committed is there when the store is opened again, and after a crash of the process.
        shared: several processes may have the store open at once.
        keyvalue: the opener gives a ``KeyValueStore``, whose transactions are tested as such too.
        writers: how many threads write at once where many do.
    """

    durable: ClassVar[bool] = True
    shared: ClassVar[bool] = True
    keyvalue: ClassVar[bool] = True
    writers: ClassVar[int] = 4

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in dir(cls):
            if not all(getattr(cls, flag) for flag in getattr(getattr(cls, name), "needs", ())):
                setattr(cls, name, None)

    @pytest.fixture
    def opener(self) -> Callable[[], Storage | KeyValueStore]:
        """Returns a function that opens the store of this test: the first call makes it, later ones open the same
        store."""
        raise NotImplementedError("give the fixture opener, which returns a function that opens your store")

    @pytest.fixture
    def opened(self, opener: Callable[[], Storage | KeyValueStore]) -> Iterator[Callable[..., Workspace]]:
        """Returns a function that opens a workspace on the store; all are closed at the end."""
        with ExitStack() as stack:
            yield lambda model=Team, **options: stack.enter_context(
                Workspace(storage=opener(), schemas={NS: model}, **options)
            )

    @pytest.fixture
    def ws(self, opened: Callable[..., Workspace]) -> Workspace:
        """Returns a workspace on the store."""
        return opened()

    # -- commits -------------------------------------------------------------------------------------------------

    def test_a_write_reads_back(self, ws: Workspace) -> None:
        """What was written is read, whole, with a version that grows by each commit."""
        value = {"tags": ["a"], "owners": {"x": "y"}, "notes": "One.\n", "steps": ["s"], "count": 2, "status": "ü\0"}
        first = ws.agent("ada").write(*AT, value)
        document = ws.get(*AT)
        assert document is not None and document.value == value and document.version == first.version
        assert ws.agent("ada").write(*AT, {"count": 1}).version > first.version
        assert ws.get(NS, "another") is None and ws.get(("contract",), KEY) is None

    def test_what_is_refused_leaves_nothing(self, ws: Workspace) -> None:
        """An update that raises changes nothing, and neither do those of its transaction that came before it."""
        ws.put(*AT, {"count": 1})
        before = snapshot(ws)

        def refuse(*_: Any) -> None:
            raise ZeroDivisionError

        pending = [(NS, "fresh", touching("fresh")), (NS, KEY, touching(KEY)), (NS, "last", refuse)]
        with pytest.raises(ZeroDivisionError):
            ws.storage.commit_all(pending)
        assert snapshot(ws) == before and ws.get(NS, "fresh") is None
        bob = ws.agent("bob")
        ws.agent("ada").write(*AT, {"status": "draft"})
        bob.write(*AT, {"status": "final"})
        (question,) = ws.escalations()

        def close(state: Any, *_: Any) -> Any:
            return state, None, SideEffects({}, [replace(question, state="dismissed")])

        with pytest.raises(ZeroDivisionError):
            ws.storage.commit_all([(NS, KEY, close), (NS, "last", refuse)])
        assert ws.escalations() == [question]

    def test_several_documents_are_one_transaction(self, ws: Workspace) -> None:
        """Documents that are put together are all there, each with a commit of its own, in their order."""
        ws.put_all([(NS, f"k{number}", {"count": number}) for number in range(5)])
        versions = [document.version for document in ws.list(NS)]
        assert [document.value["count"] for document in ws.list(NS)] == [0, 1, 2, 3, 4]
        assert versions == sorted(set(versions))

    def test_times_grow_with_commits(self, ws: Workspace) -> None:
        """A later commit has a later time, whatever the clock does."""
        for number in range(20):
            ws.agent("ada").write(NS, f"k{number % 3}", {"count": 1})
        found = sorted((entry.version, entry.at) for key in ("k0", "k1", "k2") for entry in ws.history(NS, key))
        assert len({at for _, at in found}) == 20 and [at for _, at in found] == sorted(at for _, at in found)

    def test_many_threads_lose_nothing(self, ws: Workspace) -> None:
        """Threads that write one document at once, and others, all find their writes in it."""

        def work(number: int) -> None:
            agent = ws.agent(f"agent {number}")
            for turn in range(8):
                agent.write(*AT, {"count": 1, "tags": [f"{number}/{turn}"], "owners": {f"{number}": f"{turn}"}})
                agent.write(NS, f"own {number}", {"count": 1})

        with ThreadPoolExecutor(self.writers) as pool:
            list(pool.map(work, range(self.writers)))
        document = ws.get(*AT)
        assert document is not None and document.value["count"] == 8 * self.writers
        assert len(document.value["tags"]) == 8 * self.writers == len(ws.history(*AT))
        assert [found.value["count"] for found in ws.list(NS) if found.key != KEY] == [8] * self.writers

    def test_a_read_is_of_one_commit(self, ws: Workspace) -> None:
        """A reader beside a writer sees documents as they were after one commit, and never an older one later."""
        done = threading.Event()
        ws.put(*AT, {"count": 0, "tags": []})

        def write() -> None:
            try:
                agent = ws.agent("ada")
                for number in range(40):
                    agent.write(*AT, {"count": 1, "tags": [str(number)]})
            finally:
                done.set()

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            last = 0
            while not done.is_set():
                document = ws.get(*AT)
                assert document is not None and document.value["count"] == len(document.value["tags"])
                assert document.version >= last
                last = document.version
            writing.result()

    # -- what is kept of a document ------------------------------------------------------------------------------

    def test_the_journal_tells_all(self, ws: Workspace) -> None:
        """History is newest first, names who wrote what, and any version can be read."""
        versions = [ws.agent(name).write(*AT, {"notes": f"By {name}."}).version for name in ("ada", "bob", "eve")]
        assert [entry.agent for entry in ws.history(*AT)] == ["eve", "bob", "ada"]
        past = ws.get(*AT, at=versions[1])
        assert past is not None and past.value["notes"] == "By ada.\nBy bob."
        assert {credit.agent for credit in ws.blame(*AT)[("notes",)]} == {"ada", "bob", "eve"}

    def test_the_journal_of_all_documents(self, ws: Workspace) -> None:
        """The changes of all documents under a prefix are told newest first, of one agent alone, in pages."""
        found = [
            ws.agent(name).write(namespace, key, {"count": 1}).version
            for namespace, key, name in [
                (NS, "a", "ada"),
                (("other",), "a", "ada"),
                (NS, "b", "bob"),
                (NS, "a", "ada"),
                (NS, "a", "bob"),
            ]
        ]
        journal = ws.storage.journal
        assert [row.n for row in journal(("contract",), None, None, 10)] == [found[4], found[3], found[2], found[0]]
        assert [row.n for row in journal((), "ada", None, 10)] == [found[3], found[1], found[0]]
        assert [(row.key, row.n) for row in journal((), None, found[4], 2)] == [("a", found[3]), ("b", found[2])]

    def test_a_deletion_stays(self, ws: Workspace) -> None:
        """A deleted document is in no listing, and comes back only by a write."""
        ws.agent("ada").write(*AT, {"count": 1})
        ws.agent("ada").delete(*AT)
        assert ws.get(*AT) is None and list(ws.list(NS)) == [] and ws.namespaces(()) == []
        ws.agent("ada").write(*AT, {"count": 2})
        assert [document.value["count"] for document in ws.list(NS)] == [2]

    def test_what_expired_is_over(self, ws: Workspace) -> None:
        """A document that has expired reads as deleted, before the sweep and after it."""
        ws.put(*AT, {"count": 1}, ttl=0.0)
        ws.put(NS, "stays", {"count": 1}, ttl=3_600.0)
        assert ws.get(*AT) is None and [d.key for d in ws.list(NS)] == ["stays"]
        assert ws.sweep() == 1 and ws.sweep() == 0
        assert ws.get(*AT) is None and [d.key for d in ws.list(NS)] == ["stays"]

    def test_a_purge_erases(self, ws: Workspace) -> None:
        """After a purge nothing is left of what was in a document: no journal, no question, no event."""
        conflict(ws)
        ws.purge(*AT)
        assert ws.get(*AT) is None and list(ws.history(*AT)) == []
        assert ws.escalations(state="all") == [] and told(ws) == []

    def test_names_are_any_text(self, ws: Workspace) -> None:
        """Namespaces and keys are told apart, however alike they are, and listed under their prefix alone."""
        names = [("a",), ("a", "b"), ("a b",), ("a", "b", "c"), ("A",), ('a","b',), ("ab",), ("a\x01",), ("ä",)]
        for number, namespace in enumerate(names):
            ws.put(namespace, "k\x01\\n", {"number": number})
        found = [ws.get(namespace, "k\x01\\n") for namespace in names]
        assert [one and one.value["number"] for one in found] == [*range(len(names))]
        assert {document.namespace for document in ws.list(("a",))} == {("a",), ("a", "b"), ("a", "b", "c")}
        assert set(ws.namespaces(("a", "b"))) == {("a", "b"), ("a", "b", "c")}

    # -- escalations and events ----------------------------------------------------------------------------------

    def test_a_conflict_is_kept_until_it_is_decided(self, ws: Workspace) -> None:
        """Two who wrote at once are asked about; the question is open, claimed, and closed by a decision."""
        question = conflict(ws)
        assert {c.value for c in question.contenders} == {"draft", "final"}
        assert ws.escalations(("other",)) == [] and ws.escalation(question.id) == question
        claimed = ws.claim(question, by="eve")
        for state in ("open", "claimed"):
            assert [e.state for e in ws.escalations(NS, state=state)] == ["claimed"]
        ws.resolve(claimed, "final", by="eve")
        assert ws.escalations() == [] and [e.decision for e in ws.escalations(state="resolved")] == ["final"]
        closed = ws.escalation(question.id)
        assert closed is not None and (closed.state, closed.by) == ("resolved", "eve")

    def test_events_wait_for_their_subscriber(self, ws: Workspace) -> None:
        """A named subscriber receives each transition once it acknowledges, in the order of the commits."""
        with ws.subscribe("bot") as inbox:
            question = conflict(ws)
            ws.resolve(question, "final", by="eve")
            first = inbox.receive(timeout=5.0)
            again = inbox.receive(timeout=5.0) if first is None else first
            assert again is not None and again.kind == "opened" and inbox.acknowledge()
            second = inbox.receive(timeout=5.0)
            assert [(one.waiting, one.receiving) for one in ws.subscriptions()] == [(1, True)]
            assert second is not None and second.kind == "resolved" and inbox.acknowledge()
        assert ws.subscriptions() == [("bot", 0, None, False)]
        with ws.subscribe("bot") as inbox:
            assert inbox.receive(timeout=0.01) is None

    # -- tasks, other stores, upkeep -----------------------------------------------------------------------------

    def test_a_put_that_is_made_again_has_its_effect_once(self, ws: Workspace) -> None:
        """The put of a task that is executed again takes the place of the one before."""
        current: list[TaskScope | None] = [None]
        ws.add_scope_provider(lambda: current[0])
        for execution in ("1", "2"):
            current[0] = TaskScope("task", "ada", "task", "task", execution, Instant.now(), relation)
            ws.put(*AT, {"count": 5, "tags": [f"of {execution}"]})
        current[0] = None
        document = ws.get(*AT)
        assert document is not None and document.value == {"count": 5, "tags": ["of 2"]}

    def test_stores_exchange(self, ws: Workspace) -> None:
        """What was exported from one store is known in another, once, and the way back brings the other's writes."""
        with Workspace(schemas={NS: Team}) as other:
            ws.agent("ada").write(*AT, {"count": 1, "tags": ["here"]})
            other.agent("bob").write(*AT, {"count": 2, "tags": ["there"]})
            assert ws.exchange(other) == (1, 1) and ws.exchange(other) == (0, 0)
            assert values(ws) == values(other) == {KEY: {"count": 3, "tags": ["here", "there"]}}
            here, there = (ws.version_vector() for ws in (ws, other))
            assert {name for name, n in here.items() if n} == {name for name, n in there.items() if n}
            ws.agent("ada").delete(*AT)
            ws.exchange(other)
            assert other.get(*AT) is None

    def test_changes_are_told_from_a_cursor_on(self, ws: Workspace) -> None:
        """What was committed to since a cursor is told, each document once."""
        ws.put(NS, "old", {"count": 1})
        cursor, first = ws.changes()
        for _ in range(2):
            ws.agent("ada").write(NS, "new", {"count": 1})
        _, second = ws.changes(cursor)
        assert (first, second) == ([(NS, "old")], [(NS, "new")])

    def test_a_vacuum_forgets_what_is_old(self, ws: Workspace) -> None:
        """Deleted documents, journal and closed questions of before a time are forgotten, and nothing else is."""
        question = conflict(ws)
        ws.resolve(question, "final", by="eve")
        ws.put(NS, "gone", {"count": 1})
        ws.agent("ada").delete(NS, "gone")
        never = timedelta(0)
        ws.storage.advance(ws.storage.time() + 1.0)
        done = ws.vacuum(journal=never, deleted=never, removed=never)
        assert done.documents == 1 and done.rows >= 3 and list(ws.history(*AT)) == []
        assert values(ws) == {KEY: {"status": "final"}} and ws.escalations(state="all") == []
        assert not ws.check().problems

    def test_it_is_counted(self, ws: Workspace) -> None:
        """What is stored is counted: documents, rows by act, escalations by state."""
        conflict(ws)
        totals = ws.storage.totals()
        assert totals.documents == 1 and totals.acts["write"] == 2 and totals.escalations["open"] == 1

    def test_a_store_can_be_verified(self, ws: Workspace) -> None:
        """A check looks at every document, deleted ones too, and finds nothing wrong."""
        conflict(ws)
        ws.put(NS, "gone", {"count": 1})
        ws.agent("ada").delete(NS, "gone")
        found = ws.check()
        assert not found.problems and found.documents == 2 and found.rows == 4

    def test_a_store_can_be_given_another_name(self, ws: Workspace) -> None:
        """After it was renamed what it wrote is there as before."""
        ws.put(*AT, {"count": 1})
        assert ws.rename("another") == "another" == ws.storage.replica
        ws.agent("ada").write(*AT, {"count": 1})
        assert values(ws) == {KEY: {"count": 2}} and not ws.check().problems

    @pytest.mark.parametrize("seed", range(4))
    def test_it_behaves_as_memory_does(self, opened: Callable[..., Workspace], seed: int) -> None:
        """Whatever is done, in whatever order, values, questions and history are those of a workspace in memory: with
        one clock (``PostgresOptions.clocks``) to the last number."""
        chance = random.Random(seed)
        ours = opened()
        exact = ours.storage.clocks == 1
        with Workspace(schemas={NS: Team}, replica=ours.storage.replica) as model:
            pair = Play(ours, exact), Play(model, exact)
            for _ in range(60):
                act, seed_of_act = chance.choice(Play.ACTS), chance.random()
                results = [getattr(one, act)(random.Random(seed_of_act)) for one in pair]
                assert results[0] == results[1], f"after {act} of {pair[0].done}, seed {seed}"
                assert snapshot(ours, exact) == snapshot(model, exact), f"after {act} of {pair[0].done}, seed {seed}"
            assert not ours.check().problems

    # -- what outlives the process -------------------------------------------------------------------------------

    @needs("durable")
    def test_all_is_there_again(self, opened: Callable[..., Workspace]) -> None:
        """Opened again, the store has the same name, documents, history, questions, and subscribers."""
        ws = opened()
        question = conflict(ws)
        with ws.subscribe("bot", from_start=True) as inbox:
            assert inbox.receive(timeout=5.0) is not None and inbox.acknowledge()
        ws.put(NS, "gone", {"count": 1})
        ws.agent("ada").delete(NS, "gone")
        before, name = snapshot(ws), ws.storage.replica
        ws.close()
        again = opened()
        assert snapshot(again) == before and again.storage.replica == name
        assert again.escalation(question.id) == question
        with again.subscribe("bot", from_start=True) as inbox:
            assert inbox.receive(timeout=0.01) is None

    @needs("durable")
    def test_another_model_asks(self, opened: Callable[..., Workspace]) -> None:
        """What a later model cannot take is asked about, and stays readable."""
        ws = opened()
        ws.put(*AT, {"status": "draft", "count": 1})
        ws.put(NS, "other", {"count": 1})
        ws.close()
        ws = opened(Narrow)
        [question] = ws.escalations()
        assert (question.key, question.path) == (KEY, ("status",))
        ws.resolve(question, 7, by="eve")
        document = ws.get(*AT)
        assert document is not None and document.value == {"count": 1, "status": 7} and ws.escalations() == []

    @needs("durable")
    def test_a_closed_store_says_so(self, opened: Callable[..., Workspace]) -> None:
        """After it was closed every call raises our error, and the store can be opened again."""
        ws = opened()
        ws.put(*AT, {"count": 1})
        ws.close()
        for call in (lambda: ws.get(*AT), lambda: ws.put(*AT, {"count": 1}), lambda: list(ws.list())):
            with pytest.raises(StorageError):
                call()
        assert values(opened()) == {KEY: {"count": 1}}

    @needs("durable", "shared")
    def test_a_store_has_one_name(self, opened: Callable[..., Workspace]) -> None:
        """Two who open a store that is new find one and the same store."""
        with ThreadPoolExecutor(2) as pool:
            names = [one.storage.replica for one in pool.map(lambda _: opened(), range(2))]
        assert names[0] == names[1]

    @needs("shared")
    def test_two_handles_see_each_other(self, opened: Callable[..., Workspace]) -> None:
        """What one commits the other reads at once, and a write that did not see it is concurrent with it."""
        one, other = opened(), opened()
        ada, bob = one.agent("ada"), other.agent("bob")
        ada.write(*AT, {"status": "draft"})
        assert values(other) == {KEY: {"status": "draft"}}
        bob.write(*AT, {"status": "final"})
        assert [c.agent for c in one.escalations()[0].contenders] == ["ada", "bob"]
        other.resolve(one.escalations()[0], "final", by="eve")
        assert one.escalations() == [] and values(one) == {KEY: {"status": "final"}}

    @needs("shared")
    def test_two_handles_lose_nothing(self, opened: Callable[..., Workspace]) -> None:
        """Two handles that write one document at once both find all writes in it."""

        def work(ws: Workspace) -> None:
            for _ in range(12):
                ws.agent("ada").write(*AT, {"count": 1})

        both = opened(), opened()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(work, both))
        assert [values(ws) for ws in both] == [{KEY: {"count": 24}}] * 2

    @needs("shared")
    def test_events_reach_the_other_handle(self, opened: Callable[..., Workspace]) -> None:
        """A question that one handle opens is told to a subscriber of the other."""
        one, other = opened(), opened()
        with other.subscribe("bot") as inbox:
            conflict(one)
            event = inbox.receive(timeout=10.0)
            assert event is not None and event.kind == "opened" and event.escalation.key == KEY

    @needs("durable", "shared")
    def test_killed_at_any_instant(self, opener: Callable[[], Storage | KeyValueStore]) -> None:
        """After a process was killed as it wrote, what it was told of is there, and no half of a commit."""
        for turn in range(3):
            acknowledged = killed(opener, 0.15 + 0.1 * turn)
            with Workspace(storage=opener(), schemas={NS: Team}) as ws:
                left, right = (ws.get(NS, key) for key in ("left", "right"))
                found = [0 if one is None else one.value["count"] for one in (left, right)]
                rows = [len(ws.history(NS, key)) for key in ("left", "right")]
                assert found[0] == found[1] == rows[0] == rows[1] >= acknowledged
                assert not ws.check().problems
                ws.purge(NS, "left")
                ws.purge(NS, "right")

    # -- transactions of a key-value store ------------------------------------------------------------------------

    @pytest.fixture
    def store(self, opener: Callable[[], Storage | KeyValueStore]) -> Iterator[KeyValueStore]:
        """Returns the key-value store."""
        found = opener()
        assert isinstance(found, KeyValueStore)
        yield found
        found.close()

    @needs("keyvalue")
    def test_keys_stand_in_the_order_of_their_bytes(self, store: KeyValueStore) -> None:
        """A scan gives the keys from its begin on and before its end, in the order of their bytes, each once."""
        keys = [b"a", b"a\0", b"a\0\xff", b"a\xff", b"b", b"b/", b"b0", b"\xff" * 3, "ä".encode(), b"x" * 12_000]
        put(store, {key: key[:10] for key in reversed(keys)})
        put(store, {b"b": b"again"})
        assert [key for key, _ in scan(store, b"", b"\xff" * 20)] == sorted(keys)
        assert scan(store, b"a\0", b"b/") == [
            (b"a\0", b"a\0"),
            (b"a\0\xff", b"a\0\xff"),
            (b"a\xff", b"a\xff"),
            (b"b", b"again"),
        ]
        assert scan(store, b"c", b"c") == [] == scan(store, b"zz", b"zzz")

    @needs("keyvalue")
    def test_values_are_any_bytes(self, store: KeyValueStore) -> None:
        """A value of no byte is a value; one of a megabyte comes back as it was."""
        large = bytes(range(256)) * 4_096
        put(store, {b"empty": b"", b"large": large})
        assert store.read(lambda view: (view.get(b"empty"), view.get(b"large"), view.get(b"none"))) == (
            b"",
            large,
            None,
        )

    @needs("keyvalue")
    def test_a_transaction_sees_itself_and_nobody_else_does(self, store: KeyValueStore) -> None:
        """In a transaction its own puts and deletions are read, by key and in scans; if it raises, none is stored."""
        put(store, {b"a": b"1", b"b": b"1"})

        def work(tx: KeyValueWriter) -> None:
            tx.put(b"a", b"2")
            tx.put(b"c", b"2")
            tx.delete(b"b")
            tx.delete(b"never there")
            assert (tx.get(b"a"), tx.get(b"b"), tx.get(b"c")) == (b"2", None, b"2")
            assert [*tx.scan(b"a", b"z")] == [(b"a", b"2"), (b"c", b"2")]
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            store.write(work)
        assert scan(store, b"a", b"z") == [(b"a", b"1"), (b"b", b"1")]

    @needs("keyvalue")
    def test_transactions_are_serializable(self, store: KeyValueStore) -> None:
        """Threads that read and then put lose no put of each other's; what a call returns is what its work returned."""

        def add(tx: KeyValueWriter) -> int:
            n = int(tx.get(b"n") or b"0") + 1
            tx.put(b"n", str(n).encode())
            return n

        with ThreadPoolExecutor(self.writers) as pool:
            found = list(pool.map(lambda _: store.write(add), range(10 * self.writers)))
        assert sorted(found) == [*range(1, 10 * self.writers + 1)]

    @needs("keyvalue")
    def test_a_view_is_of_one_commit(self, store: KeyValueStore) -> None:
        """Keys that are put together are read together: a view never has one of them alone."""
        enough = threading.Event()

        def write() -> None:
            for number in range(2_000):
                if enough.is_set():
                    break
                put(store, {b"a": str(number).encode(), b"z": str(number).encode()})

        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(write)
            try:
                for _ in range(25):
                    seen = store.read(lambda view: (view.get(b"a"), dict(view.scan(b"z", b"zz")).get(b"z")))
                    assert seen[0] == seen[1]
            finally:
                enough.set()
            writing.result()

    @needs("keyvalue", "durable")
    def test_the_store_keeps_what_was_put(self, opener: Callable[[], KeyValueStore]) -> None:
        """Opened again, a store holds what was put, and not what was deleted."""
        first = opener()
        put(first, {b"a": b"1", b"b": b"1"})
        first.write(lambda tx: tx.delete(b"b"))
        first.close()
        again = opener()
        try:
            assert scan(again, b"a", b"z") == [(b"a", b"1")]
        finally:
            again.close()

    @needs("keyvalue")
    def test_what_is_rotten_is_found_and_set_aside(self, opener: Callable[[], KeyValueStore]) -> None:
        """A document whose bytes are no more those that were put is told by ``check``, and can be set aside."""
        store = opener()
        with Workspace(storage=store, schemas={NS: Team}) as ws:
            for key in ("rotten", "sound"):
                ws.agent("ada").write(NS, key, {"count": 1})
                ws.agent("ada").write(NS, key, {"count": 1})

            def rot(tx: KeyValueWriter) -> None:
                for key, value in [*tx.scan(b"document/", b"document0")]:
                    if b"rotten" in key:
                        tx.put(key, value[:-3] + b"???")

            store.write(rot)
            ws.storage.redeclared(lambda _, state: state)  # so that nothing is held decoded
            assert [problem.key for problem in ws.check(quarantine=True).problems if problem.rotten] == ["rotten"]
            assert not ws.check().problems and values(ws) == {"sound": {"count": 2}}


# -- what the tests share --------------------------------------------------------------------------------------------


def relation(own: str, other: str) -> Literal["same", "concurrent", "ordered"]:
    """Tells how the origins of two tasks stand to each other."""
    return "same" if own == other else "ordered"


def touching(key: str) -> Any:
    """Returns an update that writes a document, for ``commit_all``."""

    def update(state: Any, n: int, at: float, _: Any) -> Any:
        row = (NS, key, n, at, "ada", "", "write", b'{"count":1}', None, 0, None, ())
        return (row, row, None) if state is None else None

    return update


def conflict(ws: Workspace) -> Any:
    """Lets two agents write a status at once; returns the question that is open then."""
    began = ws.moment()
    for name, status in (("ada", "draft"), ("bob", "final")):
        ws.agent(name, began=began).write(*AT, {"status": status})
    [question] = ws.escalations(NS)
    return question


def values(ws: Workspace) -> dict[str, Any]:
    """Returns the values of all documents of the contract's namespace."""
    return {document.key: dict(document.value) for document in ws.list(NS)}


def told(ws: Workspace) -> list[Any]:
    """Returns the events that are kept."""
    events = ws.storage.events
    return [(one.cursor, one.event.kind) for one in events.after(events.first(), 10_000)]


def snapshot(ws: Workspace, exact: bool = True) -> dict[str, Any]:
    """Returns all that can be seen of a store but its times, so that two can be compared.

    Args:
        exact: with the numbers of commits, and ids that are made of them.
    """
    documents = sorted(ws.list(), key=lambda document: document.key)
    return {
        "documents": [
            (d.namespace, d.key, d.version if exact else 0, d.value, sorted(map(str, d.contested))) for d in documents
        ],
        "history": [
            (d.key, [(exact and entry.version, entry.agent, entry.act) for entry in ws.history(d.namespace, d.key)])
            for d in documents
        ],
        "questions": [
            (exact and e.id, e.state, e.key, e.path, e.reason, told_of(e), e.by, str(e.decision))
            for state in ("open", "resolved", "dismissed", "superseded", "agreed")
            for e in in_order(ws.escalations(state=state))
        ],
        "events": [kind for _, kind in told(ws)],
        "namespaces": sorted(ws.namespaces(())),
        "totals": [part for part in ws.storage.totals() if not isinstance(part, Mapping)],
    }


def told_of(question: Escalation) -> list[Any]:
    """Returns the contenders of a question."""
    return [(contender.agents, contender.value) for contender in question.contenders]


def in_order(questions: Iterable[Escalation]) -> list[Escalation]:
    """Puts questions in an order that does not depend on the numbers of commits."""
    return sorted(questions, key=lambda e: (e.key, e.path, e.reason, str(told_of(e)), str(e.decision)))


class Play:
    """Acts that a test does to two workspaces alike, each by chance that is the same for both."""

    ACTS = ("write", "blind", "edit", "put", "delete", "decide", "dismiss", "expire", "sweep", "purge", "together")
    KEYS = ("a", "b", "c")

    def __init__(self, ws: Workspace, exact: bool) -> None:
        self.ws = ws
        self.exact = exact
        self.done: list[str] = []
        self.began = ws.moment()

    def _value(self, chance: random.Random) -> dict[str, Any]:
        word = chance.choice(["draft", "final", "x"])
        every = {
            "tags": [word],
            "owners": {word: chance.choice(["ada", "bob"])},
            "notes": f"It is {word}.",
            "steps": [word],
            "count": chance.randrange(3),
            "status": word,
        }
        return {name: every[name] for name in chance.sample(sorted(every), chance.randrange(1, 4))}

    def _say(self, *what: Any) -> Any:
        self.done.append(repr(what))
        return what[-1] if self.exact or not isinstance(what[-1], int) or what[0] == "sweep" else bool(what[-1])

    def write(self, chance: random.Random) -> Any:
        """Writes, as an agent that has seen all."""
        receipt = self.ws.agent(chance.choice(["ada", "bob"])).write(NS, chance.choice(self.KEYS), self._value(chance))
        return self._say("write", receipt.version)

    def blind(self, chance: random.Random) -> Any:
        """Writes, as an agent that has seen nothing since the beginning."""
        agent = self.ws.agent(chance.choice(["ada", "bob"]), began=self.began)
        return self._say("blind", agent.write(NS, chance.choice(self.KEYS), self._value(chance)).version)

    def edit(self, chance: random.Random) -> Any:
        """Edits, as an agent, what it read."""
        with self.ws.agent("eve").edit(NS, chance.choice(self.KEYS)) as team:
            for name, value in self._value(chance).items():
                setattr(team, name, set(value) if name == "tags" else value)
        return self._say("edit", None)

    def put(self, chance: random.Random) -> Any:
        """Puts, as somebody without a name."""
        return self._say("put", self.ws.put(NS, chance.choice(self.KEYS), self._value(chance)).version)

    def delete(self, chance: random.Random) -> Any:
        """Deletes, as an agent that has seen all, or nothing lately."""
        agent = self.ws.agent("ada", began=self.began if chance.random() < 0.5 else None)
        return self._say("delete", agent.delete(NS, chance.choice(self.KEYS)).version)

    def decide(self, chance: random.Random) -> Any:
        """Decides, as somebody, for the first contender of a question."""
        questions = in_order(self.ws.escalations())
        if not questions:
            return None
        question = chance.choice(questions)
        try:
            receipt = self.ws.resolve(question, question.contenders[0].value, by="max")
        except ConcordantError as error:
            return self._say("decide", type(error).__name__)
        return self._say("decide", receipt.version)

    def dismiss(self, chance: random.Random) -> Any:
        """Dismisses, as somebody who has claimed it, a question."""
        questions = in_order(self.ws.escalations())
        if not questions:
            return None
        claimed = self.ws.claim(chance.choice(questions), by="max")
        return self._say("dismiss", self.ws.dismiss(claimed, by="max").version)

    def expire(self, chance: random.Random) -> Any:
        """Puts what lives for no time at all."""
        return self._say("expire", self.ws.put(NS, chance.choice(self.KEYS), self._value(chance), ttl=0.0).version)

    def sweep(self, chance: random.Random) -> Any:
        """Sweeps what has expired."""
        return self._say("sweep", self.ws.sweep())

    def purge(self, chance: random.Random) -> Any:
        """Erases a document."""
        self.ws.purge(NS, chance.choice(self.KEYS))
        return self._say("purge", None)

    def together(self, chance: random.Random) -> Any:
        """Puts several documents in one transaction, or none of them."""
        puts = [(NS, key, self._value(chance)) for key in self.KEYS]
        if chance.random() < 0.3:
            puts.append((NS, "d", {"no field": 1}))
        try:
            self.ws.put_all(puts)
        except ConcordantError as error:
            return self._say("together", type(error).__name__)
        return self._say("together", None)


def put(store: KeyValueStore, values: Mapping[bytes, bytes]) -> None:
    """Puts in one transaction."""

    def work(tx: KeyValueWriter) -> None:
        for key, value in values.items():
            tx.put(key, value)

    store.write(work)


def scan(store: KeyValueStore, begin: bytes, end: bytes) -> list[tuple[bytes, bytes]]:
    """Returns what a scan of a view gives."""
    return store.read(lambda view: [*view.scan(begin, end)])


def killed(opener: Callable[[], Storage | KeyValueStore], seconds: float) -> int:
    """Starts a process that commits without end, kills it, and returns how many commits it was told of."""
    reading, writing = os.pipe()
    with no_warning():
        child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            with Workspace(storage=opener(), schemas={NS: Team}) as ws:
                while True:
                    ws.put_all([(NS, key, {"count": 1}) for key in ("left", "right")])
                    os.write(writing, b".")
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        first = pipe.read(1)
        assert first, "the process ended before its first commit"
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return 1 + len(pipe.read())


@contextmanager
def no_warning() -> Iterator[None]:
    """Passes over the warning of a fork beside threads; the child here makes all anew."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
