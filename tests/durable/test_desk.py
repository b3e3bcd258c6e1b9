"""Random work of many processes on escalations: every transition once, in order, to all who listen; killed ones too."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from concordant import Workspace
from tests.nursery import Spoken
from tests.patience import until

from . import desk

FreshUrl = Callable[[str], str | None]
DURABLE = pytest.mark.parametrize("kind", ["sqlite", "postgres"])


def process(*arguments: object) -> Spoken:
    """A process at the desk, which is ready."""
    started = Spoken("tests.durable.desk", list(map(str, arguments)))
    assert hears(started) == "ready"
    return started


def hears(process: Spoken) -> str:
    return process.stdout.readline().strip()


def tell(process: Spoken) -> None:
    process.stdin.write("go\n")


def end(process: Spoken) -> None:
    process.kill()
    process.end()


def lose_connections(url: str) -> None:
    """The server ends every second connection, whatever goes on there."""
    query = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND random() < 0.5"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(query)


def many_at_the_desk(
    url: str, seed: str, folder: Path, *, workers: int, doomed: int, steps: int, kills: int, losses: bool = False
) -> None:
    """Workers work and listen; some of them, and whoever receives under the subscriber's name, are killed meanwhile.

    Args:
        losses: whether connections to the server are lost as well.
    """
    rnd = random.Random(seed)
    log = folder / f"received.{workers}"
    with desk.opened(url) as workspace:
        began = tuple(workspace.moment())
        subscribers = [process("subscriber", url, "bot", 0.3, log) for _ in range(2)]
        team = [process("worker", url, f"w{i}", seed, steps, began) for i in range(workers)]
        victims = [process("worker", url, f"v{i}", seed, 1_000_000, began) for i in range(doomed)]
        for one in [*team, *victims]:
            tell(one)
        for _ in range(kills):
            time.sleep(rnd.uniform(0.05, 0.5))
            if losses:
                lose_connections(url)
            end(subscribers.pop(0))
            subscribers.append(process("subscriber", url, "bot", 0.3, log))
        for one in victims:
            time.sleep(rnd.uniform(0.0, 0.3))
            end(one)
        claims = [claim for one in team for claim in json.loads(hears(one))]
        told = desk.all_events(workspace)
        for one in team:
            tell(one)
        for one in team:
            desk.check_heard(told, json.loads(hears(one)))
            one.end()
            assert one.returncode == 0
        desk.check_lives(told, workspace, None if doomed else claims)
        last = desk.written(told[-1].event)
        until(lambda: len(received := log.read_text().splitlines()) >= len(told) and last in received)
        received = log.read_text().splitlines()
        for one in subscribers:
            end(one)
        desk.check_received(told, received)


@DURABLE
def test_processes_at_one_desk_hear_each_transition_once(
    kind: str, fresh_url: FreshUrl, seed: str, tmp_path: Path
) -> None:
    """Every worker hears all that anybody did, each once; of several claims one counts; a subscriber misses nothing."""
    url = fresh_url(kind)
    assert url is not None
    many_at_the_desk(url, seed, tmp_path, workers=2, doomed=0, steps=60, kills=1)


@pytest.mark.torture
@DURABLE
def test_killed_processes_leave_whole_transitions(kind: str, fresh_url: FreshUrl, seed: str, tmp_path: Path) -> None:
    """The same with five workers of which two are killed, forty kills of subscribers, and connections that are lost."""
    for number in range(5):
        url, folder = fresh_url(kind), tmp_path / str(number)
        folder.mkdir()
        assert url is not None
        losses = kind == "postgres"
        many_at_the_desk(url, f"{seed}/{number}", folder, workers=3, doomed=2, steps=500, kills=8, losses=losses)


def threads_at_the_desk(url: str | None, seed: str) -> None:
    """The same with threads, each with a workspace of its own where the store can be opened more than once."""
    with desk.opened(url) as first:
        began = first.moment()
        workspaces = [first] if url is None else [desk.opened(url) for _ in range(3)]
        heard: list[list[str]] = [[] for _ in workspaces]
        claims: list[str] = []
        for workspace, lines in zip(workspaces, heard, strict=True):
            workspace.on_escalation(lambda event, lines=lines: lines.append(desk.written(event)))  # type: ignore[misc]

        def run(number: int) -> None:
            workspace = workspaces[number % len(workspaces)]
            claims.extend(desk.work(workspace, f"w{number}", seed, 60, began))

        team = [threading.Thread(target=run, args=(number,)) for number in range(3)]
        for thread in team:
            thread.start()
        for thread in team:
            thread.join()
        told = desk.all_events(first)
        try:
            for workspace, lines in zip(workspaces, heard, strict=True):
                desk.heard_all(workspace, lines)
                desk.check_heard(told, lines)
            desk.check_lives(told, first, claims)
            desk.check_received(told, received_by(first))
        finally:
            for workspace in workspaces:
                workspace.close()


def received_by(workspace: Workspace) -> list[str]:
    found = []
    with workspace.subscribe("bot", from_start=True) as inbox:
        while (event := inbox.receive(timeout=0.0)) is not None:
            found.append(desk.written(event))
            inbox.acknowledge()
    return found


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])
def test_threads_at_one_desk_hear_each_transition_once(kind: str, fresh_url: FreshUrl, seed: str) -> None:
    """The same verdicts with threads, and in memory."""
    threads_at_the_desk(fresh_url(kind), seed)
