"""A Postgres server that crashes again and again while processes write, some of which are killed too."""

from __future__ import annotations

import random
import signal
import time
from contextlib import suppress

import psycopg
import pytest

from concordant import Workspace
from tests.patience import PATIENCE

from .cutting import crash, outage, own_server
from .following import followed
from .processes import check_store, start
from .test_processes import in_journal
from .work import SCHEMAS, Expected

DOCUMENTS = 10


def crashed(url: str, seed: str, crashes: int, kills: int, outages: int) -> int:
    """Kills processes of the server, or of one of several, all of it, and writers, at random instants; returns how many
    steps were acknowledged."""
    rnd = random.Random(seed)
    with Workspace(url, schemas=SCHEMAS) as workspace:
        began = workspace.moment()
    numbers = iter(range(10_000))
    working = {n: start(url, n, 0, 100_000, DOCUMENTS, began) for n in (next(numbers), next(numbers))}
    ended = {}
    victims = ["process"] * crashes + ["writer"] * kills + ["server"] * outages
    come = 0
    for victim in rnd.sample(victims, len(victims)):
        come = _wait_for_more(url, come)  # so that each meets writers at work, however busy the machine is
        time.sleep(rnd.uniform(0.0, 0.4))
        server = rnd.choice(url.split(" "))
        if victim == "process":
            _crash_some_process(server, rnd)
        elif victim == "server":
            outage(server, rnd.uniform(0.0, 1.0))
        else:
            worker = rnd.choice(sorted(working))
            ended[worker] = working.pop(worker)
            ended[worker].kill()
            worker = next(numbers)
            working[worker] = start(url, worker, 0, 100_000, DOCUMENTS, began)
    time.sleep(1.0)
    for process in working.values():
        assert process.poll() is None, process.communicate()
        process.kill()
    expected, total = Expected(), 0
    with Workspace(url, schemas=SCHEMAS) as workspace:
        for worker, process in {**ended, **working}.items():
            out, errors = process.communicate(timeout=PATIENCE)
            assert process.returncode == -signal.SIGKILL, errors
            steps = [int(line) for line in out.decode().split("\n")[:-1]]
            total += len(steps)
            for number in steps:
                expected.add(worker, number, DOCUMENTS)
            # The step under way when a writer was killed may have been committed; then all of it was.
            if in_journal(workspace, worker, len(steps)):
                expected.add(worker, len(steps), DOCUMENTS)
        expected.check(workspace)
    check_store(url)
    return total


def _wait_for_more(url: str, come: int) -> int:
    """Waits until something was committed beyond what there was; returns how far it has come."""
    end = time.monotonic() + PATIENCE
    now = come
    while now <= come and time.monotonic() < end:
        time.sleep(0.05)
        with suppress(psycopg.OperationalError):
            now = sum(_numbers(server) for server in url.split(" "))
    return now


def _numbers(server: str) -> int:
    with psycopg.connect(server) as connection:
        ((found,),) = connection.execute("SELECT coalesce(sum(n), 0)::int8 FROM concordant_clocks").fetchall()
    return int(found)


def _crash_some_process(url: str, rnd: random.Random) -> None:
    while True:
        with suppress(ProcessLookupError):  # it has ended by itself meanwhile
            crash(url, _some_process(url, rnd))
            return


def _some_process(url: str, rnd: random.Random) -> int:
    """A process of the server, whose death makes it end all others and recover."""
    with psycopg.connect(url, autocommit=True) as connection:
        query = (
            "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
            "AND backend_type NOT LIKE 'autovacuum worker' ORDER BY pid"
        )
        found = connection.execute(query).fetchall()
    return int(rnd.choice(found)[0])


def test_g10_a_server_that_crashes_loses_nothing_acknowledged(seed: str) -> None:
    """Every acknowledged write is there once, no half of one, writers go on by themselves, and whoever follows what
    changes under all clocks is told of everything."""
    with own_server(in_memory=True) as url, followed(url):
        assert crashed(url, seed, crashes=2, kills=2, outages=1) > 0


@pytest.mark.torture
@pytest.mark.parametrize("number", range(20))
def test_g10_a_thousand_crashes_of_a_server(seed: str, number: int) -> None:
    """The same for long: 1,000 crashes of a server, 240 of them of all of it, and as many kills of writers; a fifth of
    the servers wait for a disk."""
    with own_server(in_memory=number % 5 > 0) as url, followed(url):
        assert crashed(url, f"{seed}/{number}", crashes=38, kills=50, outages=12) > 0
