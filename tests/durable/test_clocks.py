"""A store with several clocks: documents do not wait for documents, and what spans them is exact."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from pydantic import BaseModel

from concordant import ConcordantError, InvalidTokenError, Map, Scalar, Set, StorageError, Workspace
from concordant.storage import PostgresOptions, SqliteOptions, cut, sqlite as sqlite_module
from concordant.storage.clocks import SharedCourse
from concordant.storage.cut import clock_of, highest, is_within, numbers_of
from concordant.storage.sql.migrations import MIGRATIONS
from concordant.storage.sql.tables import POSTGRES, migrate, statements
from concordant.workspace.scope import Moment
from tests.patience import PATIENCE, until

from .processes import check_store

NS = ("plans",)
CLOCKS = 16
QUICK = SqliteOptions(synchronous="normal")


class Thread:
    """A call in a thread; ``join`` raises what it raised."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._call = self._pool.submit(call)

    def join(self) -> None:
        self._call.result(PATIENCE)
        self._pool.shutdown()


class Plan(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    status: Annotated[str | None, Scalar()] = None
    owners: Annotated[dict[str, str], Map()] = {}


SCHEMAS = {NS: Plan}


def key_under(clock: int, number: int = 0) -> str:
    """The key of a document that lives under a clock."""
    found = (f"k{n}" for n in range(100_000) if clock_of((NS, f"k{n}"), CLOCKS) == clock)
    return next(key for at, key in enumerate(found) if at == number)


@contextmanager
def stopped(url: str, clock: int) -> Iterator[psycopg.Connection[Any]]:
    """A writer that was stopped inside a transaction under a clock."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1 FROM concordant_clocks WHERE clock = %s FOR UPDATE", (clock,))
        yield connection
        if not connection.broken:
            connection.rollback()


def test_a_new_store_has_sixteen_clocks_and_each_document_stays_under_one(postgres_urls: Callable[[], str]) -> None:
    """Every row of a document is under the clock of its name, and so is the number of every commit to it."""
    url = postgres_urls()
    with Workspace(url, schemas=SCHEMAS) as ws:
        began = ws.moment()
        assert began.n == (0,) * CLOCKS
        for name in ("ada", "bob"):
            for number in range(40):
                ws.agent(name, began=began).write(NS, f"k{number}", {"status": name})
        assert len(ws.escalations()) == 40
        for number in range(40):
            clock = clock_of((NS, f"k{number}"), CLOCKS)
            document = ws.get(NS, f"k{number}")
            assert document is not None and document.version % CLOCKS == clock
            assert {entry.version % CLOCKS for entry in ws.history(NS, f"k{number}")} == {clock}
        assert ws.check().ok
    for wrong in (0, 1025, "16"):
        with pytest.raises(ConcordantError, match="clocks="):
            Workspace(url, options=PostgresOptions(clocks=wrong))  # type: ignore[arg-type]
    with psycopg.connect(url) as connection:
        for table, number in [("documents", "id"), ("journal", "n"), ("events", "n"), ("escalations", "n")]:
            query = f"SELECT count(*), count(*) FILTER (WHERE clock = {number} % 16) FROM concordant_{table}"
            ((rows, right),) = connection.execute(query).fetchall()  # type: ignore[arg-type]
            assert rows == right >= 40


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A workspace in a file with three clocks, which only stores on a server have by themselves."""
    monkeypatch.setattr(sqlite_module, "migrate", partial(migrate, clocks=3))
    with Workspace(f"sqlite:///{tmp_path}/three.db", schemas=SCHEMAS, options=QUICK) as ws:
        yield ws


THREE = [next(f"k{n}" for n in range(99) if clock_of((NS, f"k{n}"), 3) == clock) for clock in range(3)]
"""Of each of three clocks the key of a document."""

CLOCKS_OF = {
    (("plans",), "launch"): [0, 1, 1, 9, 635],
    (("plans",), "Launch"): [0, 0, 0, 1, 115],
    (("Plans",), "launch"): [0, 0, 1, 7, 465],
    (("plans", "a"), "b"): [0, 1, 1, 10, 680],
    (("plans",), "a\0b"): [0, 1, 1, 8, 539],
    (("briefs", "gr\u00f6\u00dfe"), "\u00df"): [0, 0, 1, 5, 355],
    (("plans",), "\ud800"): [0, 1, 2, 11, 709],
    ((), "k"): [0, 1, 2, 15, 1019],
}


def test_the_clock_of_a_name_is_for_ever() -> None:
    """A document is looked for where any version of this library, on any machine, has put it: to the last letter."""
    for place, expected in CLOCKS_OF.items():
        assert [cut.clock_of(place, clocks) for clocks in (1, 2, 3, 16, 1024)] == expected


def test_a_moment_has_a_number_of_every_clock(three: Workspace) -> None:
    """Whoever begins with it has seen what was there of each clock, and nothing that came later."""
    for key in THREE:
        three.agent("ada").write(NS, key, {"status": "a"})
    began = three.moment()
    for key in THREE:
        assert not three.agent("bob", began=began).write(NS, key, {"status": "b"}).escalations
    for key in THREE:
        assert three.agent("cid", began=began).write(NS, key, {"status": "c"}).escalations


def test_changes_and_events_have_every_clock(three: Workspace) -> None:
    """A cursor of ``changes``, and a subscriber's, misses what is under no clock, and tells of nothing twice."""
    began, (cursor, _) = three.moment(), three.changes()
    with three.subscribe("inbox") as inbox:
        for key in THREE:
            for name in ("ada", "bob"):
                three.agent(name, began=began).write(NS, key, {"status": name})
        cursor, changed = three.changes(cursor)
        assert {key for _, key in changed} == {*THREE} and three.changes(cursor) == (cursor, [])
        heard = []
        while (event := inbox.receive(timeout=0.0)) is not None:
            heard.append(event.escalation.key)
            assert inbox.acknowledge()
        assert sorted(heard) == sorted(THREE)


def test_another_store_learns_of_every_clock(three: Workspace) -> None:
    """What was imported is known: of no clock anything travels again."""
    for key in THREE:
        three.put(NS, key, {"status": "a"})
    with Workspace(schemas=SCHEMAS) as other:
        assert three.exchange(other) == (0, 3) and three.exchange(other) == (0, 0)
        assert three.version_vector().items() <= other.version_vector().items()
        assert other.import_(three.export(since=other.version_vector())) == 0


def test_a_batch_takes_its_clocks_in_ascending_order(postgres_urls: Callable[[], str]) -> None:
    """So that batches never wait for each other in a circle: one that waits for a clock holds those below it, and none
    above."""
    url = postgres_urls()
    with Workspace(url, schemas=SCHEMAS) as ws:
        with stopped(url, 5):
            done = Thread(lambda: ws.put_all([(NS, key_under(clock), {"status": "x"}) for clock in (9, 5, 2)]))
            with psycopg.connect(url, autocommit=True) as connection:

                def held() -> set[int]:
                    found = connection.execute("SELECT clock FROM concordant_clocks FOR UPDATE SKIP LOCKED")
                    return {*range(CLOCKS)}.difference(clock for (clock,) in found.fetchall())

                until(lambda: len(held()) > 1)
                assert held() == {2, 5}
        done.join()


def test_a_writer_that_is_stopped_stops_only_its_clock(postgres_urls: Callable[[], str]) -> None:
    """While somebody holds one clock, threads write to documents under all others; those under it wait, and then go
    on."""
    url = postgres_urls()
    done: list[int] = []

    def write(ws: Workspace, clock: int) -> None:
        ws.agent(f"a{clock}").write(NS, key_under(clock), {"tags": ["x"]})
        done.append(clock)

    with Workspace(url, schemas=SCHEMAS) as ws:
        with stopped(url, 3):
            threads = [threading.Thread(target=write, args=(ws, clock)) for clock in (3, *range(CLOCKS))]
            for thread in threads:
                thread.start()
            until(lambda: len(done) >= CLOCKS - 1, lambda: done)
            assert sorted(done) == [clock for clock in range(CLOCKS) if clock != 3]
        for thread in threads:
            thread.join(PATIENCE)
        assert sorted(done) == sorted([3, *range(CLOCKS)]) and len([*ws.list()]) == CLOCKS


def test_a_group_that_meets_a_stopped_writer_is_committed_without_its_clock(
    postgres_urls: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what was to be one transaction the part that is held up waits alone."""
    url = postgres_urls()
    monkeypatch.setattr("concordant.storage.postgres._HASTE", "SET LOCAL lock_timeout = '50ms'")
    with Workspace(url, schemas=SCHEMAS) as ws:
        wanted = [(NS, key_under(clock), _adding(key_under(clock))) for clock in (1, 2, 3)]
        found: list[Any] = []
        with stopped(url, 2):
            thread = threading.Thread(target=lambda: found.extend(ws.storage.commit_each(wanted)))
            thread.start()
            until(lambda: {d.key for d in ws.list()} == {key_under(1), key_under(3)}, lambda: [*ws.list()])
            assert not found
        thread.join(PATIENCE)
        assert found == [None, None, None] and len([*ws.list()]) == 3


def _adding(key: str) -> Any:
    def update(state: Any, n: int, at: float, _: Any) -> Any:
        row = (NS, key, n, at, "ada", "", "write", b'{"status":"x"}', None, 0, None, ())
        return row, row, None

    return update


def test_a_writer_that_is_stopped_is_thrown_out(postgres_urls: Callable[[], str]) -> None:
    """One that is silent inside its transaction loses its connection after ``idle_timeout``; whoever waited goes on,
    and the one that was silent begins anew."""
    url = postgres_urls()
    Workspace(url, schemas=SCHEMAS).close()
    begun, go, turns = threading.Event(), threading.Event(), []

    def silent(state: Any, n: int, at: float, tx: Any) -> Any:
        turns.append(n)
        if len(turns) == 1:
            begun.set()
            go.wait(PATIENCE)
        return None if state is not None else _adding("other")(state, n, at, tx)

    one = Workspace(url, schemas=SCHEMAS, options=PostgresOptions(idle_timeout=0.3))
    with one, Workspace(url, schemas=SCHEMAS) as other:
        done = Thread(lambda: one.storage.commit(NS, "k", silent))
        assert begun.wait(PATIENCE)
        other.agent("bob").write(NS, "k", {"status": "y"})
        go.set()
        done.join()
        assert len(turns) >= 2
        document = other.get(NS, "k")
        assert document is not None and document.value == {"status": "y"}


CROSSED = """
CREATE TABLE allowed (clock BIGINT);
CREATE FUNCTION stays(clock BIGINT) RETURNS BOOLEAN STABLE LANGUAGE plpgsql AS $$ BEGIN
    IF pg_current_xact_id_if_assigned() IS NOT NULL AND EXISTS (SELECT 1 FROM allowed a WHERE a.clock <> stays.clock)
    THEN RAISE EXCEPTION 'it crosses to clock %', clock; END IF;
    RETURN true;
END $$
"""


def test_no_statement_of_a_commit_crosses_to_another_clock(
    postgres_server: str, postgres_urls: Callable[[], str]
) -> None:
    """The server lets no transaction that commits to one document look at a row of another clock, or write one: of any
    act, where a question opens and closes, with a journal, a deletion, a life time, a purge."""
    url, role = postgres_urls(), f"plain{random.randrange(10**9)}"
    Workspace(url, schemas=SCHEMAS).close()
    tables = [f"concordant_{name}" for name in ("clocks", "documents", "journal", "escalations", "events", "models")]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'plain'")  # type: ignore[arg-type]
        ((schema,),) = connection.execute("SELECT current_schema()").fetchall()
        connection.execute(CROSSED)
        connection.execute(f"GRANT ALL ON SCHEMA {schema} TO {role}")  # type: ignore[arg-type]
        connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {role}")  # type: ignore[arg-type]
        for table in tables:
            connection.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")  # type: ignore[arg-type]
            connection.execute(f"CREATE POLICY stays ON {table} USING (stays(clock))")  # type: ignore[arg-type]
        parts = urlsplit(url)
        name = parts.netloc.rpartition("@")[2]
        plain = urlunsplit(parts._replace(netloc=f"{role}:plain@{name}"))
        with Workspace(plain, schemas=SCHEMAS) as ws:
            everything(ws, lambda clock: connection.execute("INSERT INTO allowed VALUES (%s)", (clock,)))
            with pytest.raises(StorageError, match="it crosses to clock"):
                ws.put_all([(NS, key_under(clock), {"status": "z"}) for clock in (1, 2)])
            connection.execute("DELETE FROM allowed")
            assert ws.check().ok


def everything(ws: Workspace, allow: Callable[[int], object]) -> None:
    """Whatever a workspace does to one document, once others are there under all clocks."""
    began = ws.moment()
    for clock in range(CLOCKS):
        for name in ("ada", "bob"):
            ws.agent(name, began=began).write(NS, key_under(clock), {"status": name})
    allow(1)
    key = key_under(1, 1)
    for name in ("ada", "bob", "eve"):
        ws.agent(name, began=began).write(NS, key, {"status": name, "tags": [name], "owners": {name: name}})
    with ws.agent("eve").edit(NS, key) as plan:
        plan.tags.discard("ada")
    for question in ws.escalations(NS):
        if question.key == key:
            ws.resolve(ws.claim(question, by="max"), "final", by="max")
    ws.agent("bob", began=began).write(NS, key, {"status": "late"})
    ws.put(NS, key, {"status": "put"}, ttl=3600.0)
    ws.agent("ada").delete(NS, key)
    ws.agent("ada").write(NS, key, {"status": "again"})
    ws.purge(NS, key)


def test_a_moment_is_exact_beside_writers_under_all_clocks(postgres_urls: Callable[[], str], seed: str) -> None:
    """Batches over several clocks beside moments: what a moment has of one document of a batch it has of all, and
    a scope that began there is asked about all that came later, and nothing else."""
    url, rnd = postgres_urls(), random.Random(seed)
    keys = [f"k{number}" for number in range(8)]
    with Workspace(url, schemas=SCHEMAS) as ws:
        ws.put_all([(NS, key, {"status": "0"}) for key in keys])
        moments: list[Moment] = []

        def work(name: str) -> None:
            for turn in range(15):
                ws.put_all([(NS, key, {"status": f"{name}{turn}"}) for key in keys])

        threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            moments.append(ws.moment())
            time.sleep(0.005)
        assert all(is_within(one.n, other.n) for one, other in itertools.pairwise(moments))
        for moment in rnd.sample(moments, min(len(moments), 5)):
            there = {key: ws.get(NS, key, at=moment.n) for key in keys}  # type: ignore[arg-type]
            values = [document and document.value["status"] for document in there.values()]
            assert None not in values
            assert len({value for value in values if value}) == 1, "half of a batch"
            for key, document in there.items():
                with ws.agent("late", seen=moment.token).edit(NS, key) as plan:
                    assert document is not None and plan.status == document.value["status"]
        newest = ws.moment()
        began = rnd.choice(moments)
        for key in keys:
            now, then = ws.get(NS, key), ws.get(NS, key, at=began.n)
            receipt = ws.agent("dora", began=began).write(NS, key, {"status": f"dora {key}"})
            assert now is not None and then is not None
            assert bool(receipt.escalations) == (now.version > then.version)
            assert not ws.agent("eve", began=newest).write(NS, f"new{key}", {"status": "x"}).escalations
        check = ws.check()
        assert check.ok, check.problems


def test_events_of_all_clocks_are_received_each_once(postgres_urls: Callable[[], str]) -> None:
    """A named subscriber that goes on again and again, beside writers under all clocks, hears of each transition once,
    of each document's in order."""
    url = postgres_urls()
    heard: list[tuple[str, str]] = []
    with Workspace(url, schemas=SCHEMAS) as ws:
        with ws.subscribe("inbox"):
            pass

        def work(name: str) -> None:
            for number in range(12):
                key = f"{name}{number}"
                began = ws.moment()
                for status in ("x", "y"):
                    ws.agent(status, began=began).write(NS, key, {"status": status})
                ws.resolve(next(e for e in ws.escalations(NS) if e.key == key), "z", by="max")

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads) or len(heard) < 96:
            with ws.subscribe("inbox") as inbox:
                event = inbox.receive(timeout=PATIENCE)
                assert event is not None
                assert inbox.acknowledge()
                heard.append((event.escalation.key, event.kind))
        for thread in threads:
            thread.join(PATIENCE)
        with ws.subscribe("inbox") as inbox:
            assert inbox.receive(timeout=0.1) is None
    expected = {f"{name}{number}": ["opened", "resolved"] for name in "abcd" for number in range(12)}
    assert {key: [kind for at, kind in heard if at == key] for key in expected} == expected


def test_changes_told_beside_writers_miss_none(postgres_urls: Callable[[], str]) -> None:
    """Whoever asks again and again what was changed since, beside writers under all clocks, is told of every document,
    with its newest version; a cursor survives JSON as a list, and one of another store is refused."""
    url = postgres_urls()
    seen: dict[str, int] = {}
    with Workspace(url, schemas=SCHEMAS) as ws:
        cursor: Any = None

        def work(name: str) -> None:
            for number in range(60):
                ws.put(NS, f"{name}{number % 20}", {"status": str(number)})

        threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        busy = True
        while busy:
            busy = any(thread.is_alive() for thread in threads)
            cursor, changed = ws.changes([*cursor] if cursor else None)
            for _, key in changed:
                document = ws.get(NS, key)
                assert document is not None
                seen[key] = document.version
        assert seen == {document.key: document.version for document in ws.list()} and len(seen) == 80
        for wrong in (3, cursor[:-1], "12"):
            with pytest.raises(Exception, match="after="):
                ws.changes(wrong)
        assert highest(cursor) == max(seen.values()) and len(numbers_of(cursor)) == CLOCKS
        with pytest.raises(InvalidTokenError, match="another store"), Workspace() as memory:
            memory.agent("ada", seen=ws.moment().token)


def old_store(url: str) -> None:
    """Tables as they were before there were clocks, with a store of this name."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE concordant_schema (version BIGINT NOT NULL)")
        connection.execute("INSERT INTO concordant_schema (version) VALUES (5)")
        for migration in MIGRATIONS[:5]:
            for statement in statements(migration, POSTGRES):
                connection.execute(statement)  # type: ignore[arg-type]
        for statement in OLD_ROWS.strip().split("\n"):
            connection.execute(statement)  # type: ignore[arg-type]


OLD_ROWS = """
INSERT INTO concordant_store (one, replica, n, clock, forgotten, exported, trimmed, marks) VALUES (1, 'old', 3, 30.0, 0, 2, 0, '[[0,""],[2,"abcd"]]')
INSERT INTO concordant_documents (id, namespace, key, version, created, updated, agent, origin, act, open, value, saved) VALUES (1, '["plans"]', 'k1', 1, 10.0, 10.0, 'ada', '', 'write', 0, '{"status":"draft"}', 1), (2, '["plans"]', 'k2', 2, 20.0, 20.0, 'bob', '', 'write', 0, '{"status":"x"}', 2), (3, '["plans"]', 'k3', 3, 30.0, 30.0, 'bob', '', 'write', 0, '{"tags":["t"]}', 3)
INSERT INTO concordant_journal (n, document, time, agent, origin, act, previous, body) VALUES (1, 1, 10.0, 'ada', '', 'write', 0, '{"status":"draft"}'), (2, 2, 20.0, 'bob', '', 'write', 0, '{"status":"x"}'), (3, 3, 30.0, 'bob', '', 'write', 0, '{"tags":["t"]}')
INSERT INTO concordant_peers (replica, n, forgotten, marks) VALUES ('peer', 7, 0, '[]')
INSERT INTO concordant_subscribers (name, n, place) VALUES ('inbox', 2, 0)
"""  # noqa: E501


def test_a_store_that_was_made_before_goes_on_with_one_clock(postgres_urls: Callable[[], str]) -> None:
    """What the tables of the former version hold is there as before, with its numbers; new commits follow them, moments
    are one number, and several processes and other stores go on with it."""
    url = postgres_urls()
    old_store(url)
    with Workspace(url, schemas=SCHEMAS, options=PostgresOptions(clocks=16)) as ws, Workspace(url) as beside:
        assert ws.version_vector() == {"old": 3, "peer": 7} and ws.moment().n == 3
        assert {d.key: (d.version, dict(d.value)) for d in ws.list()} == {
            "k1": (1, {"status": "draft"}),
            "k2": (2, {"status": "x"}),
            "k3": (3, {"tags": ["t"]}),
        }
        assert ws.changes(2) == (3, [(NS, "k3")]) and [h.version for h in ws.log(limit=9)] == [3, 2, 1]
        began = beside.moment()
        assert ws.agent("ada", began=began).write(NS, "k1", {"status": "final"}).version == 4
        with ws.subscribe("inbox") as inbox:
            assert beside.agent("bob", began=began).write(NS, "k1", {"status": "done"}).version == 5
            event = inbox.receive(timeout=PATIENCE)
            assert event is not None and event.kind == "opened" and inbox.acknowledge()
        with Workspace(schemas=SCHEMAS) as other:
            assert ws.exchange(other)[1] == 3 or ws.exchange(other) == (0, 0)
            assert other.version_vector()["old"] == 5
        assert ws.check().ok
    check_store(url)


def test_a_first_write_is_one_statement(postgres_urls: Callable[[], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The first write of a document is one statement to the server; a later one takes the clock, reads, saves by one
    statement, and commits."""
    told: list[str] = []
    execute, mine = psycopg.Cursor.execute, threading.get_ident()

    def telling(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        if threading.get_ident() == mine:  # what listens beside asks in a thread of its own
            told.append(str(query).split()[0])
        return execute(self, query, *args, **options)

    with Workspace(postgres_urls(), schemas=SCHEMAS) as ws:
        ws.put(NS, key_under(3), {"tags": ["a"]})  # the model is known under this clock now
        monkeypatch.setattr(psycopg.Cursor, "execute", telling)
        ws.put(NS, key_under(3, 1), {"tags": ["a"]})
        assert told == ["WITH"]
        ws.put(NS, key_under(3, 1), {"tags": ["b"]})
        assert told[1:] == ["BEGIN", "WITH", "SELECT", "WITH", "COMMIT"]


def test_first_writes_of_several_at_once_all_count(postgres_urls: Callable[[], str]) -> None:
    """Threads with a workspace each write to the same new documents without having looked: one makes the document, the
    others add to it, and the journal has a row for each."""
    url, writers, keys = postgres_urls(), 4, [f"new{n}" for n in range(30)]
    with ExitStack() as opened:
        workspaces = [opened.enter_context(Workspace(url, schemas=SCHEMAS)) for _ in range(writers)]
        for number in range(16):  # the model is known under all clocks
            workspaces[0].put(NS, key_under(number), {"tags": ["a"]})
        for ws in workspaces[1:]:
            ws.storage._models |= workspaces[0].storage._models  # type: ignore[attr-defined]
        together = threading.Barrier(writers)

        def write(ws: Workspace, name: str) -> None:
            together.wait()
            for key in keys:
                ws.put(NS, key, {"tags": [name]})

        threads = [Thread(partial(write, ws, f"w{n}")) for n, ws in enumerate(workspaces)]
        for thread in threads:
            thread.join()
        for key in keys:
            document = workspaces[0].get(NS, key)
            assert document is not None and len(document.value["tags"]) == writers
            assert len(list(workspaces[0].history(NS, key))) == writers
        assert workspaces[0].check().ok


def test_a_commit_whose_number_is_not_known_yet_counts_as_this_processs_own() -> None:
    """While a statement is under way that is given its number by the server, whatever may be it is not taken for seen;
    what is known already, and what is under other clocks, is as before."""
    course = SharedCourse([(16, 1.0), (17, 1.0)])
    with course.expecting(0):
        course.reach(18, 2.0)  # another thread has read it already
        assert course.is_own(18) and not course.is_own(16) and not course.is_own(19)
        course.making([18])
    assert course.is_own(18) and not course.is_own(20)
