"""A connection to Postgres that is lost at the commit: the write is stored once, or the error says what is known."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from concordant import PostgresOptions, Workspace
from concordant.errors import StorageError
from concordant.storage.postgres import Pool
from tests.patience import PATIENCE, until

from .cutting import Cut, crash, own_server, writer
from .work import SCHEMAS, SPACE

pytestmark = pytest.mark.xdist_group("losses")  # one server is lost


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with own_server() as url:
        yield url


def votes(url: str, key: str) -> int:
    with Workspace(url, schemas=SCHEMAS) as workspace:
        document = workspace.get(SPACE, key)
        return 0 if document is None else int(document.value["votes"])


def test_the_connection_of_a_lone_caller_is_kept_for_the_next_one_whoever_it_is(server: str) -> None:
    """One connection serves a caller after the other, and several who want it at once; a thousand uses later the pool
    has had it again, and when the workspace is closed the server has none of it."""
    name = f"c{uuid4().hex[:8]}"
    options = PostgresOptions(pool_size=1, connect_timeout=PATIENCE)
    ask = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
    with psycopg.connect(server, autocommit=True) as watch:
        with Workspace(f"{server}&application_name={name}", schemas=SCHEMAS, options=options) as workspace:
            write = workspace.agent("ada").write
            write(SPACE, f"{name}.first", {"votes": 1})
            (kept,) = watch.execute(ask, (name,)).fetchall()
            pool = workspace.storage.database._connections()  # type: ignore[attr-defined]
            returned: list[Any] = []

            def returns(*args: Any, **how: Any) -> None:
                returned.append(args)
                Pool._putconn(pool, *args, **how)

            pool._putconn = returns
            with ThreadPoolExecutor(4) as threads:
                [*threads.map(lambda n: write(SPACE, f"{name}.{n}", {"votes": 1}), range(40))]
            pool._turns = 950
            returned.clear()
            for n in range(100):
                write(SPACE, f"{name}.alone.{n}", {"votes": 1})
            assert len(returned) == 1
            assert watch.execute(ask, (name,)).fetchall() == [kept]
            assert len([d for d in workspace.list(SPACE) if d.key.startswith(name)]) == 141
        until(lambda: not watch.execute(ask, (name,)).fetchall())


@pytest.mark.parametrize("at", ["before", "after", "heard"])
@pytest.mark.parametrize("cuts", [1, 3])
def test_g5_g10_a_write_whose_connection_is_lost_at_the_commit_is_stored_once(server: str, at: str, cuts: int) -> None:
    """Whether the commit, its answer or only the connection was lost, once or several times: a counter counts the call
    once."""
    loses(server, at, cuts)


def loses(server: str, at: str, cuts: int) -> None:
    key = f"{at}{cuts}.{uuid4().hex}"
    Workspace(server, schemas=SCHEMAS).close()
    way = Cut(server, at, cuts)
    with Workspace(way.url, schemas=SCHEMAS) as workspace:
        workspace.agent("ada").write(SPACE, key, {"votes": 1})
    way.close()
    assert way.left == (0 if at == "before" else cuts - 1)  # an answer is lost once: then the write is known
    assert votes(server, key) == 1


@pytest.mark.parametrize("at", ["before", "after", "heard", "late"])
@pytest.mark.parametrize("cuts", [1, 3])
def test_g5_g10_a_first_write_by_one_statement_is_stored_once(server: str, at: str, cuts: int) -> None:
    """Whether the statement, its answer or only the connection was lost, or the statement came to the server after it
    was sent again: the call counts once."""
    assert first_write(server, at, cuts) == 1


def test_g1_g10_a_first_write_that_was_lost_is_not_taken_for_anothers(server: str) -> None:
    """Somebody else makes the document with an equal value while the statement is lost: both calls count."""
    assert first_write(server, "before", 1, with_other=True) == 2


def first_write(server: str, at: str, cuts: int, with_other: bool = False) -> int:
    """Loses the one statement of a first write; returns how often the document counts it."""
    key = uuid4().hex

    def meanwhile() -> None:
        if with_other:
            with Workspace(server, schemas=SCHEMAS) as other:
                other.put(SPACE, key, {"votes": 1})

    way = Cut(server, at, 0, meanwhile)
    with Workspace(way.url, schemas=SCHEMAS) as workspace:
        clock_of, clock = workspace.storage.clock_of, workspace.storage.clock_of((SPACE, key))  # type: ignore[attr-defined]
        warm = next(f"{key}.{n}" for n in range(1_000) if clock_of((SPACE, f"{key}.{n}")) == clock)
        workspace.put(SPACE, warm, {"votes": 1})  # the model is known under this clock: one statement will do
        way.left = cuts
        workspace.put(SPACE, key, {"votes": 1})
        assert way.left == (cuts - 1 if at == "heard" else 0)
    if at == "late":
        time.sleep(0.5 * cuts)
    way.close()
    return votes(server, key)


def test_g10_a_crash_that_gives_the_id_of_a_transaction_to_another_loses_no_write(server: str) -> None:
    """The server crashes at a commit and gives the id of the lost transaction to a stranger's, which commits: the
    write is made again, and not taken for the stranger's."""
    assert any(_crashed(server) for _ in range(4)), "the crashes did not lead to the case that this test is about"


def _crashed(server: str) -> bool:
    """Crashes once; whether the stranger's transaction had the id (the server may have used it for work of its own)."""
    Workspace(server, schemas=SCHEMAS).close()
    ids: list[str] = []
    key = uuid4().hex

    def meanwhile() -> None:
        pid, ours = writer(server)
        crash(server, pid)
        with Workspace(server, schemas=SCHEMAS) as other:
            other.agent("bob").write(SPACE, key, {"votes": 10})
        with psycopg.connect(server) as connection:
            ((theirs,),) = connection.execute(
                "SELECT xmin::text FROM concordant_clocks ORDER BY n DESC LIMIT 1"
            ).fetchall()
        ids.extend([ours, theirs])

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    way = Cut(server, "before", 1, meanwhile)
    with Workspace(way.url, schemas=SCHEMAS, options=PostgresOptions(connect_timeout=PATIENCE)) as workspace:
        workspace.agent("ada").write(SPACE, key, {"votes": 1})
    way.close()
    assert len(ids) == 2, "the cut failed, not the write: see the exception in its thread"
    assert votes(server, key) == 11
    return ids[0] == ids[1]


def test_g11_a_commit_that_never_succeeds_ends_in_an_error_of_ours(server: str) -> None:
    """Tries end with connect_timeout, nothing is stored, and the workspace works again once the way does."""
    Workspace(server, schemas=SCHEMAS).close()
    way = Cut(server, "before", 10_000)
    with Workspace(way.url, schemas=SCHEMAS, options=PostgresOptions(connect_timeout=2)) as workspace:
        with pytest.raises(StorageError, match="server closed the connection"):
            workspace.agent("ada").write(SPACE, "never", {"votes": 1})
        assert votes(server, "never") == 0
        way.left = 0
        for _ in range(30):
            with suppress(StorageError):  # on a busy machine to connect may take as long as it may
                workspace.agent("ada").write(SPACE, "never", {"votes": 2})
                break
    way.close()
    assert votes(server, "never") == 2


def test_g10_g11_a_server_that_is_not_heard_any_more_ends_in_an_error(server: str) -> None:
    """Where a network swallows all, calls end with an error of ours that says what is known, and work again later."""
    Workspace(server, schemas=SCHEMAS).close()
    key = uuid4().hex
    limits = PostgresOptions(connect_timeout=1, lock_timeout=0.5, statement_timeout=0.5)
    way = Cut(server, "silent", 1)
    with Workspace(way.url, schemas=SCHEMAS, options=limits) as workspace:
        ada = workspace.agent("ada")
        with pytest.raises(StorageError, match=r"silent.*not known whether the call was stored") as at_commit:
            ada.write(SPACE, key, {"votes": 1})
        assert at_commit.value.__cause__ is not None
        for call in (lambda: ada.write(SPACE, key, {"votes": 2}), lambda: workspace.get(SPACE, key)):
            with pytest.raises(StorageError, match="Nothing of the call was stored"):
                call()
        assert votes(server, key) == 0
        way.heal()
        for _ in range(30):
            with suppress(StorageError):  # connections that are being tried just now are silent yet
                ada.write(SPACE, key, {"votes": 4})
                break
        assert votes(server, key) == 4
    way.close()
