"""Who listens in another process, or was away, hears of every transition of an escalation."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import sqlite3
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import pytest

from concordant import ConcordantError, Escalation, StaleDecisionError, Workspace
from concordant.escalation import Event
from concordant.storage import Update
from concordant.storage.sql.events import SqlEvents
from concordant.workspace.decisions import Claiming
from concordant.workspace.subscription import Subscription
from tests.nursery import Spoken
from tests.patience import PATIENCE, until

FreshUrl = Callable[[str], str]
PLANS = ("plans",)
DURABLE = pytest.mark.parametrize("kind", ["sqlite", "postgres"])
EVERY = pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])


def conflict(workspace: Workspace, key: str) -> Escalation:
    """Two agents write different values at once."""
    ada, bob = workspace.agent("ada"), workspace.agent("bob")
    ada.write(PLANS, key, {"status": "draft"})
    return bob.write(PLANS, key, {"status": f"final {key}"}).escalations[0]


@contextmanager
def listening(url: str, name: str, lease: float, how: str = "go on") -> Iterator[Spoken]:
    """A process that receives under a name."""
    process = Spoken("tests.durable.listen", [url, name, str(lease), how])
    try:
        assert line(process) == "ready"
        yield process
    finally:
        process.kill()
        process.end()


def line(process: Spoken) -> str:
    return process.stdout.readline().strip()


@DURABLE
def test_a_callback_hears_what_others_do_once_and_in_order(kind: str, fresh_url: FreshUrl) -> None:
    """Each transition that another workspace makes is told once, in a thread of one's own; one's own at once, once."""
    url = fresh_url(kind)
    with Workspace(url) as mine, Workspace(url) as other:
        heard: list[tuple[str, str]] = []
        threads: set[int] = set()
        stop = mine.on_escalation(
            lambda e: (heard.append((e.kind, e.escalation.key)), threads.add(threading.get_ident()))
        )
        for key in ("a", "b"):
            opened = conflict(other, key)
            claimed = other.claim(opened, by="eve")
            other.resolve(claimed, "done", by="eve")
        wanted = [(what, key) for key in "ab" for what in ("opened", "claimed", "resolved")]
        until(lambda: len(heard) >= 6)
        assert heard == wanted and threads.isdisjoint({threading.get_ident()})
        conflict(mine, "c")
        assert heard[6:] == [("opened", "c")] and threading.get_ident() in threads
        conflict(other, "d")
        until(lambda: len(heard) >= 8)
        time.sleep(0.6)  # nothing comes twice
        assert heard[7:] == [("opened", "d")]
        stop()
        conflict(other, "e")
        time.sleep(0.6)
        assert len(heard) == 8


def test_a_listener_that_lost_its_connection_misses_nothing(fresh_url: FreshUrl) -> None:
    """What happens while the connection that listens is gone is told once there is another."""
    url = fresh_url("postgres")
    with Workspace(url) as mine, Workspace(url) as other:
        heard: list[str] = []
        mine.on_escalation(lambda event: heard.append(event.escalation.key))
        conflict(other, "a")
        until(lambda: heard == ["a"])
        with psycopg.connect(url, autocommit=True) as connection:
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%' AND pid <> %s"
            assert connection.execute(query, (connection.info.backend_pid,)).fetchall()
        conflict(other, "b")
        until(lambda: heard == ["a", "b"])


@EVERY
def test_a_named_subscriber_hears_what_happened_while_it_was_away(kind: str, fresh_url: FreshUrl) -> None:
    """It goes on with the first event that it has not acknowledged, whoever makes them; another name has its own."""
    with Workspace(fresh_url(kind)) as workspace:
        conflict(workspace, "before")
        with workspace.subscribe("bot") as inbox:
            conflict(workspace, "a")
            assert keys(inbox) == ["a"]
        conflict(workspace, "b")
        conflict(workspace, "c")
        with workspace.subscribe("bot") as inbox, workspace.subscribe("late", from_start=True) as late:
            assert keys(inbox) == ["b", "c"]
            assert keys(late) == ["before", "a", "b", "c"]
        workspace.unsubscribe("bot")
        with workspace.subscribe("bot") as inbox:
            assert keys(inbox) == []


def keys(inbox: Subscription) -> list[str]:
    """Acknowledges what is there; the documents of the events."""
    found = []
    while (event := inbox.receive(timeout=0.0)) is not None:
        found.append(event.escalation.key)
        assert inbox.acknowledge()
    return found


@EVERY
def test_an_event_is_received_until_it_is_acknowledged(kind: str, fresh_url: FreshUrl) -> None:
    """One whose handling failed comes again, to whoever receives next."""
    what_is_not_acknowledged_comes_again(fresh_url(kind))


def what_is_not_acknowledged_comes_again(url: str | None) -> None:
    with Workspace(url) as workspace:
        with workspace.subscribe("bot") as inbox:
            conflict(workspace, "a")
            conflict(workspace, "b")
            with pytest.raises(RuntimeError):
                fail_at(inbox)
        with workspace.subscribe("bot") as inbox:
            assert keys(inbox) == ["a", "b"]
            assert not inbox.acknowledge()


def fail_at(inbox: Subscription) -> None:
    for _ in inbox:
        raise RuntimeError


def test_a_subscription_that_acknowledges_too_early_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken subscription, which takes an event for dealt with when it is received, fails the test above."""
    receive = Subscription.receive

    def hasty(self: Subscription, timeout: float | None = None) -> Event | None:
        event = receive(self, timeout)
        self.acknowledge()
        return event

    monkeypatch.setattr(Subscription, "receive", hasty)
    with pytest.raises(AssertionError):
        what_is_not_acknowledged_comes_again(None)


@DURABLE
def test_a_subscriber_that_is_killed_is_followed_by_another(kind: str, fresh_url: FreshUrl) -> None:
    """kill -9 while an event is dealt with: the next process under the name receives it again, and goes on."""
    url = fresh_url(kind)
    with Workspace(url) as workspace, listening(url, "bot", 1.0, "hang") as first:
        conflict(workspace, "a")
        assert line(first) == "opened a"
        with listening(url, "bot", 30.0) as second:
            conflict(workspace, "b")
            first.kill()
            assert [line(second), line(second)] == ["opened a", "opened b"]


@DURABLE
def test_one_process_receives_under_a_name_and_another_goes_on(kind: str, fresh_url: FreshUrl) -> None:
    """As long as one is there the other gets nothing; when it closes the other goes on at once."""
    url = fresh_url(kind)
    with Workspace(url) as workspace, Workspace(url) as other:
        first, second = workspace.subscribe("bot", lease=600), other.subscribe("bot", lease=600)
        conflict(workspace, "a")
        assert second.receive(timeout=0.3) is None
        assert keys(first) == ["a"]
        conflict(workspace, "b")
        first.close()
        assert first.receive() is None
        assert keys(second) == ["b"]
        second.close()


def test_who_took_too_long_does_not_acknowledge_for_another(fresh_url: FreshUrl) -> None:
    """After its lease is over another receives the event, and the slow one's acknowledgement counts no more."""
    with Workspace(fresh_url("sqlite")) as workspace:
        slow = workspace.subscribe("bot", lease=0.05)
        conflict(workspace, "a")
        assert slow.receive(timeout=PATIENCE) is not None
        time.sleep(0.1)
        with workspace.subscribe("bot") as other:
            assert other.receive(timeout=PATIENCE) is not None
            assert not slow.acknowledge()
            assert keys(other) == ["a"]
        slow.close()


async def test_coroutines_iterate_too(fresh_url: FreshUrl) -> None:
    """``async for`` waits beside the event loop, and acknowledges as ``for`` does."""
    with Workspace(fresh_url("sqlite")) as workspace, workspace.subscribe("bot") as inbox:
        found: list[str] = []

        async def receive() -> None:
            async for event in inbox:
                found.append(event.escalation.key)
                if len(found) == 2:
                    break

        task = asyncio.create_task(receive())
        for key in "ab":
            await asyncio.sleep(0.01)
            await asyncio.to_thread(conflict, workspace, key)
        await asyncio.wait_for(task, PATIENCE)
        assert found == ["a", "b"]


@EVERY
def test_of_two_who_claim_at_once_one_does(kind: str, fresh_url: FreshUrl) -> None:
    """The other learns who; who has seen the claim may take over."""
    with Workspace(fresh_url(kind)) as workspace:
        opened = conflict(workspace, "a")
        workspace.claim(opened, by="eve")
        with pytest.raises(StaleDecisionError, match="eve has claimed it"):
            workspace.claim(opened, by="mallory")
        [claimed] = workspace.escalations()
        assert claimed.by == "eve"
        assert workspace.claim(claimed, by="mallory").by == "mallory"
        workspace.claim(opened, by="mallory")


def test_a_claim_whose_answer_was_lost_is_told_once(fresh_url: FreshUrl) -> None:
    """A claim that runs again after it was committed finds itself: one event, of which this workspace hears."""
    with Workspace(fresh_url("memory")) as workspace:
        claiming = Claiming(conflict(workspace, "a"), "eve")
        for _ in range(2):
            workspace.storage.commit(PLANS, "a", claiming.update)
        told = workspace.storage.events.after(workspace.storage.events.first(), 10)
        assert claiming.made and [t.event.kind for t in told] == ["opened", "claimed"]


def test_claims_in_memory_are_events_of_their_own(fresh_url: FreshUrl) -> None:
    """A claim changes no document, and yet a subscriber that has dealt with one hears of the next."""
    with Workspace() as workspace, workspace.subscribe("bot") as inbox:
        conflict(workspace, "a")
        conflict(workspace, "b")
        for escalation in workspace.escalations():
            workspace.claim(escalation, by="eve")
        assert keys(inbox) == ["a", "b", "a", "b"]


@EVERY
def test_what_is_undone_is_told_to_nobody(kind: str, fresh_url: FreshUrl) -> None:
    """Of a transaction in which one part fails no subscriber hears."""
    with Workspace(fresh_url(kind)) as workspace, workspace.subscribe("bot") as inbox:
        claimed = conflict(workspace, "a")
        with pytest.raises(AssertionError, match="refused"):
            workspace.storage.commit_all([claiming(claimed), (PLANS, "b", refuse)])
        assert [e.state for e in workspace.escalations()] == ["open"]
        assert keys(inbox) == ["a"]


def claiming(escalation: Escalation) -> tuple[tuple[str, ...], str, Update]:
    return escalation.namespace, escalation.key, Claiming(escalation, "mallory").update


def refuse(*_: object) -> NoReturn:
    raise AssertionError("refused")


def test_a_listener_tells_nothing_twice_after_a_failure(
    tmp_path: Path, fresh_url: FreshUrl, caplog: pytest.LogCaptureFixture
) -> None:
    """The store cannot be read right after some events were told: once it can, those are not told again."""
    path = tmp_path / "failing.db"
    heard: list[str] = []

    def rename(old: str, new: str) -> None:
        with closing(sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)) as connection:
            connection.execute(f"ALTER TABLE {old} RENAME TO {new}")

    def hear(event: Event) -> None:
        heard.append(event.escalation.key)
        if len(heard) == 1:
            rename("concordant_events", "elsewhere")

    with Workspace(f"sqlite:///{path}") as mine, Workspace(f"sqlite:///{path}") as other:
        mine.on_escalation(hear)
        conflict(other, "a")
        until(lambda: "wait until the store can be read" in caplog.text)
        rename("elsewhere", "concordant_events")
        conflict(other, "b")
        until(lambda: "b" in heard)
        assert heard == ["a", "b"]


def test_parent_and_child_of_a_fork_hear_each_other(fresh_url: FreshUrl) -> None:
    """What a forked child does is told to the parent; the child hears of the parent once it listens by itself."""
    with Workspace(fresh_url("sqlite")) as workspace:
        heard: list[str] = []
        workspace.on_escalation(lambda event: heard.append(event.escalation.key))
        child = multiprocessing.get_context("fork").Process(target=conflict_and_wait, args=(workspace,))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads, which is what is tested
            child.start()
        until(lambda: heard == ["child's"])
        conflict(workspace, "parent's")
        child.join(PATIENCE)
        assert child.exitcode == 0 and heard == ["child's", "parent's"]


def conflict_and_wait(workspace: Workspace) -> None:
    heard: list[str] = []
    workspace.on_escalation(lambda event: heard.append(event.escalation.key))
    conflict(workspace, "child's")
    until(lambda: heard == ["child's", "parent's"])


@EVERY
def test_closed_escalations_are_forgotten_after_a_time(kind: str, fresh_url: FreshUrl) -> None:
    """After 90 days, or as ``vacuum`` is told; a decision on one that was forgotten comes too late."""
    with Workspace(fresh_url(kind)) as workspace:
        resolved = conflict(workspace, "a")
        workspace.resolve(resolved, "done", by="eve")
        workspace.vacuum()
        assert [e.state for e in workspace.escalations(state="all")] == ["resolved"]
        workspace.vacuum(journal=timedelta(0))
        assert workspace.escalations(state="all") == []
        with pytest.raises(StaleDecisionError, match="gone"):
            workspace.resolve(resolved, "done", by="eve")


@EVERY
def test_purge_erases_what_a_subscriber_waits_for(kind: str, fresh_url: FreshUrl) -> None:
    """What is erased for good is told to nobody any more, whoever was away."""
    with Workspace(fresh_url(kind)) as workspace:
        with workspace.subscribe("bot"):
            conflict(workspace, "a")
            conflict(workspace, "b")
        workspace.purge(PLANS, "a")
        with workspace.subscribe("bot") as inbox:
            assert set(keys(inbox)) == {"b"}


@EVERY
def test_vacuum_keeps_events_that_a_subscriber_waits_for(kind: str, fresh_url: FreshUrl) -> None:
    """Old events are forgotten once every named subscriber has dealt with them; closed escalations too."""
    with Workspace(fresh_url(kind)) as workspace:
        with workspace.subscribe("bot"):
            workspace.resolve(conflict(workspace, "a"), "done", by="eve")
        conflict(workspace, "b")
        workspace.vacuum(journal=timedelta(0))
        assert [e.key for e in workspace.escalations(state="all")] == ["b"]
        with workspace.subscribe("bot") as inbox:
            assert keys(inbox) == ["a", "a", "b"]
        workspace.vacuum(journal=timedelta(0))
        with workspace.subscribe("other", from_start=True) as inbox:
            assert keys(inbox) == []


def test_wrong_names_and_leases_are_refused() -> None:
    """A subscriber has a name, and a lease of some length."""
    with Workspace() as workspace:
        for name, lease in (("", 1.0), (None, 1.0), ("bot", 0.0)):
            with pytest.raises(ConcordantError):
                workspace.subscribe(name, lease=lease)  # type: ignore[arg-type]


def test_a_workspace_that_nobody_holds_ends_its_thread(fresh_url: FreshUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that listens keeps no workspace alive, and says nothing when the storage is closed under it."""
    asked = []
    after = SqlEvents.after
    monkeypatch.setattr(SqlEvents, "after", lambda *args: (asked.append(1), after(*args))[1])
    workspace = Workspace(fresh_url("sqlite"))
    workspace.on_escalation(print)
    until(lambda: bool(asked))
    [thread] = [t for t in threading.enumerate() if t.name == "concordant-events"]
    storage = workspace.storage
    del workspace
    until(lambda: gc.collect() >= 0 and not thread.is_alive())
    storage.close()


@DURABLE
def test_a_subscriber_that_waits_does_not_write(
    kind: str, fresh_url: FreshUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as its lease is young, looking for events takes no turn among the writers."""
    with Workspace(fresh_url(kind)) as workspace, workspace.subscribe("bot", lease=600) as inbox:
        storage: Any = workspace.storage
        write = storage.database.write
        monkeypatch.setattr(storage.database, "write", lambda *_: pytest.fail("it wrote"))
        assert inbox.receive(timeout=0.5) is None
        monkeypatch.setattr(storage.database, "write", write)
        conflict(workspace, "a")
        assert keys(inbox) == ["a"]
