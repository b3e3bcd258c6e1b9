"""A store on two Postgres servers: half of its clocks live on each, and nobody who uses it can tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psycopg
import pytest

from concordant import ConcordantError, Escalation, Workspace
from concordant.errors import StorageError
from concordant.storage import PostgresOptions, Storage, open_storage
from concordant.storage.servers import Server
from concordant.testing import StorageContract
from tests.conftest import empty_schema
from tests.patience import PATIENCE

from . import test_clocks
from .cutting import outage, own_server
from .following import followed
from .test_clocks import CLOCKS, NS, SCHEMAS, key_under
from .test_server_crashes import crashed

pytestmark = pytest.mark.xdist_group("servers")  # two servers are started, once

Urls = Callable[[], str]
HALF = CLOCKS // 2
PATIENT = PostgresOptions(connect_timeout=PATIENCE)


@pytest.fixture(scope="module")
def other_server() -> Iterator[str]:
    with own_server(prepares=True) as url:
        with psycopg.connect(url, autocommit=True) as connection:  # no machine fails during the tests
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield url


@pytest.fixture
def urls(postgres_server: str, other_server: str) -> Urls:
    """A function that gives the urls of a new store on two servers."""
    return lambda: f"{empty_schema(postgres_server)} {empty_schema(other_server)}"


@pytest.mark.torture
class TestServers(StorageContract):
    """Two Postgres servers."""

    keyvalue = False

    @pytest.fixture
    def opener(self, urls: Urls) -> Callable[[], Storage]:
        url = urls()
        return lambda: open_storage(url, None, 0)


def rows_of(url: str, table: str) -> set[int]:
    """The clocks of the rows that a server has in a table."""
    with psycopg.connect(url) as connection:
        found = connection.execute(f"SELECT DISTINCT clock FROM concordant_{table}").fetchall()  # type: ignore[arg-type]
    return {clock for (clock,) in found}


def test_half_of_the_clocks_live_on_the_other_server(urls: Urls) -> None:
    """What is about a document lies on the server of its clock alone, and is found from there: documents, their past,
    who wrote what, questions, events, listings, counts; whichever server is named first when it is opened again."""
    url = urls()
    with Workspace(url, schemas=SCHEMAS) as ws:
        began = ws.moment()
        assert began.n == (0,) * CLOCKS
        for name in ("ada", "bob"):
            for clock in range(CLOCKS):
                ws.agent(name, began=began).write(NS, key_under(clock), {"status": name, "tags": [name]})
        ws.put_all([(NS, key_under(clock, 1), {"status": "x"}) for clock in range(CLOCKS)])
        assert len(ws.escalations()) == CLOCKS
    one, other = url.split(" ")
    for table in ("documents", "journal", "escalations", "events"):
        assert rows_of(one, table) == {*range(HALF)} and rows_of(other, table) == {*range(HALF, CLOCKS)}
    with Workspace(f"{other} {one}", schemas=SCHEMAS) as ws:
        assert {d.key for d in ws.list()} == {key_under(clock, n) for clock in range(CLOCKS) for n in (0, 1)}
        assert len(ws.log(limit=99)) == 3 * CLOCKS
        for clock in range(CLOCKS):
            document = ws.get(NS, key_under(clock))
            assert document is not None and document.contested and document.version % CLOCKS == clock
            assert {entry.agent for entry in ws.history(NS, key_under(clock))} == {"ada", "bob"}
            (question,) = document.contested.values()
            ws.resolve(question, "final", by="max")
        assert not ws.escalations() and len(ws.escalations(state="all")) == CLOCKS
        stats, check = ws.stats(), ws.check()
        assert check.ok, check.problems
        assert stats.documents == 2 * CLOCKS
    with pytest.raises(ConcordantError, match="has 8 of the 16 clocks of its store"):
        Workspace(other)
    with pytest.raises(ConcordantError, match="one was named twice"):
        Workspace(f"{one} {one}")
    with pytest.raises(ConcordantError, match="name the servers of one store"):
        Workspace(f"{one} {urls().split(' ')[1]} {fresh_store(urls)}")
    with pytest.raises(ConcordantError, match="fewer than the servers"):
        Workspace(url, options=PostgresOptions(clocks=1))


def fresh_store(urls: Urls) -> str:
    """A server with a store of its own."""
    url = urls().split(" ")[1]
    Workspace(url).close()
    return url


@pytest.mark.parametrize(
    "check",
    [
        test_clocks.test_events_of_all_clocks_are_received_each_once,
        test_clocks.test_changes_told_beside_writers_miss_none,
    ],
)
def test_what_spans_clocks_is_exact_over_servers(urls: Urls, check: Callable[[Urls], None]) -> None:
    """Events and changes, as where all clocks are on one server."""
    check(urls)


def test_a_moment_has_all_of_a_batch_over_servers(urls: Urls, seed: str) -> None:
    """Moments beside batches over both servers, as where all clocks are on one."""
    test_clocks.test_a_moment_is_exact_beside_writers_under_all_clocks(urls, seed)


def test_a_commit_to_one_document_needs_its_server_alone(postgres_server: str) -> None:
    """While the other server is gone, an agent goes on with documents of the first: of any act, with a question. A
    server that prepares nothing (``max_prepared_transactions = 0``, as servers come) refuses batches over both, as a
    whole and with what is to be set, and nothing else."""
    with own_server() as gone:
        url = f"{empty_schema(postgres_server)} {empty_schema(gone)}"
        here, there = key_under(1), key_under(CLOCKS - 1)
        with Workspace(url, schemas=SCHEMAS, options=PATIENT) as ws:
            ada, bob = ws.agent("ada"), ws.agent("bob")

            def meanwhile() -> None:
                for agent in (ada, bob):
                    agent.write(NS, here, {"status": agent.name})
                (question,) = contested(ws, here).values()
                ws.resolve(question, "final", by="max")
                assert not contested(ws, here)

            outage(gone, 0.0, meanwhile=meanwhile)
            ada.write(NS, there, {"status": "y"})
            with pytest.raises(StorageError, match="max_prepared_transactions"):
                ws.put_all([(NS, key, {"status": "z"}) for key in (here, there)])
            assert {d.key: d.value["status"] for d in ws.list()} == {here: "final", there: "y"}


def contested(ws: Workspace, key: str) -> Mapping[Any, Escalation]:
    document = ws.get(NS, key)
    assert document is not None
    return document.contested


class Dies(BaseException):
    """What a process is stopped with in the middle of a batch."""


@pytest.mark.parametrize(("at", "whole"), [("prepared", False), ("committed", True), ("half", True)])
def test_a_batch_that_is_left_half_way_is_ended_by_who_comes_next(
    urls: Urls, monkeypatch: pytest.MonkeyPatch, at: str, whole: bool
) -> None:
    """Whoever dies after the others have prepared, after the first has committed, before the others have: the batch is
    there on all servers or on none, for who looks next, and who writes to a document of it."""
    url = urls()
    with Workspace(url, schemas=SCHEMAS) as ws:
        ws.put_all([(NS, key_under(clock), {"status": "0"}) for clock in (0, 9)])
        with monkeypatch.context() as patch:
            dying(patch, at)
            with pytest.raises(Dies):
                ws.put_all([(NS, key_under(clock), {"status": "1"}) for clock in (0, 9)])
        with Workspace(url, schemas=SCHEMAS, options=PostgresOptions(lock_timeout=0.2)) as other:
            moment = other.moment()
            found = {other.get(NS, key_under(clock), at=moment.n).value["status"] for clock in (0, 9)}  # type: ignore
            assert found == {"1" if whole else "0"}
            other.put(NS, key_under(9), {"status": "2"})
            other.put_all([(NS, key_under(clock), {"status": "3"}) for clock in (0, 9)])
        assert {d.value["status"] for d in ws.list()} == {"3"} and ws.check().ok


def dying(patch: pytest.MonkeyPatch, at: str) -> None:
    """Has this process stop in the middle of the next batch, as if it were killed: what it would do after is not
    done."""
    prepare, transaction = Server.prepare, Server._transaction

    def prepared(self: Server, *args: Any) -> Any:
        prepare(self, *args)
        raise Dies

    def committed(self: Server, *args: Any, **options: Any) -> Any:
        result = transaction(self, *args, **options)
        if not options.get("ending"):
            raise Dies
        return result

    def end(*_: Any) -> None:
        raise Dies

    patch.setattr("concordant.storage.servers._Batch._undone", lambda _: True)
    if at == "prepared":
        patch.setattr(Server, "prepare", prepared)
    elif at == "committed":
        patch.setattr(Server, "_transaction", committed)
    else:
        patch.setattr(Server, "end", end)


def test_who_waits_for_what_was_left_prepared_ends_it(urls: Urls, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that has a handle, and meets a clock that a dead process holds, goes on after ``lock_timeout``."""
    url = urls()
    with Workspace(url, schemas=SCHEMAS, options=PostgresOptions(lock_timeout=0.2)) as ws:
        ada = ws.agent("ada")
        with monkeypatch.context() as patch:
            dying(patch, "half")
            with pytest.raises(Dies):
                ws.put_all([(NS, key_under(clock), {"status": "1"}) for clock in (0, 9)])
        ada.write(NS, key_under(9), {"status": "2"})
        assert {c.value for c in contested(ws, key_under(9))["status",].contenders} == {"1", "2"}


@pytest.mark.torture
@pytest.mark.parametrize("number", range(10))
def test_g10_five_hundred_crashes_of_either_server(seed: str, number: int) -> None:
    """One of the two crashes again and again, and writers are killed, in the middle of batches over both too: nothing
    acknowledged is lost, no batch is there half, and who follows is told of everything."""
    with own_server(prepares=True) as one, own_server(prepares=True) as other, followed(f"{one} {other}"):
        assert crashed(f"{one} {other}", f"{seed}/{number}", crashes=35, kills=50, outages=15) > 0
