"""Events: once per transition, in the writer's thread, after the commit, outside locks."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import DELETED, ConcordantError, Event, Scalar, Workspace
from tests.patience import PATIENCE

from .support import AT, NS, kinds, only, pair, recorded, shown, values, workspace


class Brief(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    count: Annotated[int | None, Scalar()] = None


def test_every_transition_is_told_once() -> None:
    """In their order, with the escalation as it then was."""
    ws = workspace(Brief)
    events = recorded(ws)
    began = ws.moment()
    ada, bob, joe, late = (ws.agent(name, began=began) for name in ("ada", "bob", "joe", "late"))
    ada.write(*AT, {"status": "a"})
    bob.write(*AT, {"status": "b"})
    joe.write(*AT, {"status": "j"})
    ws.claim(only(ws), by="editor")
    ws.resolve(only(ws), "ours", by="editor")
    late.write(*AT, {"status": "l"})
    ws.agent("eve").write(*AT, {"status": "e"})
    assert kinds(events) == ["opened", "grew", "claimed", "resolved", "reopened", "superseded"]
    assert [event.escalation.state for event in events] == [
        "open",
        "open",
        "claimed",
        "resolved",
        "open",
        "superseded",
    ]
    events.clear()
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "a"})
    bob.write(*AT, {"status": "b"})
    bob.write(*AT, {"status": "a"})
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "x"})
    bob.write(*AT, {"status": "y"})
    ws.dismiss(only(ws), by="editor")
    assert kinds(events) == ["opened", "agreed", "opened", "dismissed"]


def test_sequential_work_tells_nothing() -> None:
    """No conflict, no event."""
    ws = workspace(Brief)
    events = recorded(ws)
    for number in range(5):
        ws.agent("ada").write(*AT, {"count": number})
        ws.put(*AT, {"status": str(number)})
    ws.agent("ada").delete(*AT)
    assert events == []


def test_the_callback_runs_in_the_writers_thread_before_the_call_returns() -> None:
    """Whoever writes tells."""
    ws = workspace()
    threads: list[int] = []
    ws.on_escalation(lambda event: threads.append(threading.get_ident()))
    ada, bob = pair(ws)
    ada.write(*AT, {"x": 1})
    writers: list[int] = []

    def write() -> None:
        bob.write(*AT, {"x": 2})
        writers.append(threading.get_ident())
        assert threads == writers

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert threads == writers and len(threads) == 1


def test_the_callback_finds_the_commit_done() -> None:
    """It sees the write that caused the event, and the escalation in the list."""
    ws = workspace()
    seen: list[Any] = []

    def look(event: Event) -> None:
        document = ws.get(*AT)
        assert document is not None
        agent = ws.history(*AT)[0].agent
        seen.append((document.contested[("x",)].id, [e.id for e in ws.escalations()], agent))

    ws.on_escalation(look)
    ada, bob = pair(ws)
    ada.write(*AT, {"x": 1})
    bob.write(*AT, {"x": 2})
    id_ = only(ws).id
    assert seen == [(id_, [id_], "bob")]


def test_a_callback_may_call_the_workspace() -> None:
    """It may resolve, write and subscribe; what it causes is told too."""
    ws = workspace()
    events = recorded(ws)

    def settle(event: Event) -> None:
        if event.kind == "opened":
            ws.agent("log").write(("log",), event.escalation.id, {"opened": True})
            ws.resolve(event.escalation, max(values(event.escalation)), by="callback")

    ws.on_escalation(settle)
    ada, bob = pair(ws)
    ada.write(*AT, {"x": 1})
    receipt = bob.write(*AT, {"x": 2})
    assert shown(ws) == {"x": 2} and ws.escalations() == []
    assert kinds(events) == ["opened", "resolved"]
    assert ws.get(("log",), events[0].escalation.id) is not None
    assert receipt.version <= ws.get(*AT).version  # type: ignore[union-attr]


def test_a_callback_holds_no_lock() -> None:
    """Another thread can write while a callback waits for it."""
    ws = workspace()

    def wait(event: Event) -> None:
        thread = threading.Thread(target=lambda: ws.put(("other",), "k", {"x": 1}))
        thread.start()
        thread.join(PATIENCE)
        assert not thread.is_alive()

    ws.on_escalation(wait)
    ada, bob = pair(ws)
    ada.write(*AT, {"x": 1})
    bob.write(*AT, {"x": 2})
    assert ws.get(("other",), "k") is not None


def test_a_failing_callback_is_logged_and_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The write stands, the others are told."""
    ws = workspace()

    def fail(event: Event) -> None:
        raise RuntimeError("the pager is down")

    ws.on_escalation(fail)
    events = recorded(ws)
    ada, bob = pair(ws)
    ada.write(*AT, {"x": 1})
    with caplog.at_level(logging.ERROR, "concordant"):
        receipt = bob.write(*AT, {"x": 2})
    assert receipt.escalations == (only(ws),)
    assert kinds(events) == ["opened"]
    assert "the pager is down" in caplog.text


def test_several_subscribers_are_told() -> None:
    """Each of every event, one subscribed twice too."""
    ws = workspace()
    one, other = recorded(ws), recorded(ws)
    ws.on_escalation(one.append)
    ada, bob = pair(ws)
    ada.write(*AT, {"x": 1})
    bob.write(*AT, {"x": 2})
    assert kinds(one) == ["opened", "opened"] and kinds(other) == ["opened"]


def test_stop_ends_one_subscription() -> None:
    """The others go on; stopping twice is no error."""
    ws = workspace()
    events: list[Event] = []
    stop = ws.on_escalation(events.append)
    other = recorded(ws)
    ada, bob = pair(ws)
    ada.write(*AT, {"x": 1})
    bob.write(*AT, {"x": 2})
    stop()
    stop()
    ws.resolve(only(ws), 1, by="editor")
    assert kinds(events) == ["opened"] and kinds(other) == ["opened", "resolved"]


def test_a_callback_may_unsubscribe_itself() -> None:
    """While it is being told."""
    ws = workspace()
    events: list[Event] = []

    def once(event: Event) -> None:
        events.append(event)
        stop()

    stop = ws.on_escalation(once)
    ada, bob = pair(ws)
    ada.write(*AT, {"x": 1, "y": 1})
    bob.write(*AT, {"x": 2})
    bob.write(*AT, {"y": 2})
    assert events[0].kind == "opened" and len(events) == 1


def test_one_write_can_cause_several_events() -> None:
    """One for each escalation that it opens or closes."""
    ws = workspace(Brief)
    events = recorded(ws)
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "a", "count": 1})
    receipt = bob.write(*AT, {"status": "b", "count": 2})
    assert kinds(events) == ["opened", "opened"]
    assert {event.escalation.path for event in events} == {("status",), ("count",)}
    assert {e.path for e in receipt.escalations} == {("status",), ("count",)}
    events.clear()
    ws.agent("joe").write(*AT, {"status": "j", "count": 3})
    assert kinds(events) == ["superseded", "superseded"]


def test_deletions_tell_too() -> None:
    """A document's deletion against its update opens, the decision closes."""
    ws = workspace(Brief)
    ws.put(*AT, {"status": "old"})
    events = recorded(ws)
    ada, bob = pair(ws)
    ada.delete(*AT)
    bob.write(*AT, {"status": "new"})
    ws.resolve(only(ws), DELETED, by="editor")
    assert kinds(events) == ["opened", "resolved"]
    assert events[1].escalation.decision is DELETED


def test_an_import_tells_what_it_brought() -> None:
    """In the importing workspace."""
    one, other = (workspace(Brief, replica=name) for name in ("one", "other"))
    one.agent("ada").write(*AT, {"status": "a"})
    other.agent("bob").write(*AT, {"status": "b"})
    events = recorded(other)
    other.import_(one.export())
    assert kinds(events) == ["opened"] and values(events[0].escalation) == values(only(other))
    other.import_(one.export())
    assert kinds(events) == ["opened"]


async def test_async_calls_tell_in_the_loops_thread() -> None:
    """A coroutine's write tells before it returns."""
    ws = workspace()
    events = recorded(ws)
    ada, bob = pair(ws)
    await asyncio.gather(ada.awrite(*AT, {"x": 1}), bob.awrite(*AT, {"x": 2}))
    assert kinds(events) == ["opened"]
    await ws.aresolve(only(ws), 1, by="editor")
    assert kinds(events) == ["opened", "resolved"]


def test_concurrent_threads_tell_each_transition_once() -> None:
    """Whatever the interleaving: one opening for a document, then growth."""
    ws = Workspace()
    events = recorded(ws)
    began = ws.moment()
    start = threading.Barrier(4)

    def write(name: str) -> None:
        agent = ws.agent(name, began=began)
        start.wait(PATIENCE)
        for key in range(20):
            agent.write(NS, str(key), {"x": name})

    threads = [threading.Thread(target=write, args=(f"agent{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ws.escalations()) == 20
    for escalation in ws.escalations():
        told = [event.kind for event in events if event.escalation.id == escalation.id]
        assert sorted(told) == ["grew", "grew", "opened"]
        assert len(escalation.contenders) == 4


@pytest.mark.parametrize("wrong", ["1", b"1", (1,), object()])
def test_g11_what_is_no_time_to_wait_is_said(wrong: Any) -> None:
    """It is our own error, and the subscription goes on."""
    with Workspace() as ws, ws.subscribe("inbox") as inbox:
        with pytest.raises(ConcordantError, match="number of seconds"):
            inbox.receive(timeout=wrong)
        assert inbox.receive(timeout=0) is None
