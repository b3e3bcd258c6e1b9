"""Calls without framework and name: each is its own scope; a put after a get edits what that get returned."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Annotated, Any

from pydantic import BaseModel

from concordant import Scalar, Set, Text
from concordant.spi import Changes, amend, withdraw
from tests.patience import PATIENCE

from .support import AT, NS, only, shown, sides, workspace


class Brief(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    body: Annotated[str, Text()] = ""
    status: Annotated[str | None, Scalar()] = None


def test_blind_puts_follow_the_order_of_calls() -> None:
    """Of sequential blind puts the last stands, without a question."""
    ws = workspace()
    for number in range(5):
        ws.put(*AT, {"status": number})
    assert shown(ws) == {"status": 4} and ws.escalations(state="all") == []


def test_a_blind_put_replaces_the_whole_undeclared_document() -> None:
    """What a put leaves out goes away, as on the stock store."""
    ws = workspace()
    ws.put(*AT, {"a": 1, "b": 2})
    ws.put(*AT, {"b": 3})
    assert shown(ws) == {"b": 3}


def test_a_blind_put_has_seen_what_named_agents_wrote() -> None:
    """A call without name sees all that was committed before it."""
    ws = workspace()
    ws.agent("ada").write(*AT, {"status": "a"})
    ws.put(*AT, {"status": "b"})
    assert shown(ws) == {"status": "b"} and ws.escalations(state="all") == []


def test_an_empty_put_empties_the_document() -> None:
    """A put of ``{}`` leaves a document without fields, which exists."""
    ws = workspace()
    ws.put(*AT, {"a": 1})
    ws.put(*AT, {})
    assert shown(ws) == {}


def test_remove_deletes() -> None:
    """A removed document is gone; a put brings back only what it holds."""
    ws = workspace()
    ws.put(*AT, {"a": 1, "b": 2})
    ws.remove(*AT)
    assert shown(ws) is None
    ws.put(*AT, {"a": 3})
    assert shown(ws) == {"a": 3} and ws.escalations(state="all") == []


def test_a_put_after_a_get_is_an_edit_of_what_it_returned() -> None:
    """What others wrote between the get and the put stays where the put wrote back what it had read."""
    ws = workspace()
    ws.put(*AT, {"x": 1, "y": 1})
    document = ws.read_current(*AT)
    assert document is not None
    ws.agent("ada").write(*AT, {"x": 2})
    ws.put(*AT, {**document.value, "y": 2})
    assert shown(ws) == {"x": 2, "y": 2} and ws.escalations() == []


def test_a_put_after_a_get_is_concurrent_with_what_came_between() -> None:
    """Both changed the same field: nobody loses."""
    ws = workspace()
    ws.put(*AT, {"x": 1})
    ws.read_current(*AT)
    ws.agent("ada").write(*AT, {"x": 2})
    ws.put(*AT, {"x": 3})
    assert sorted(sides(only(ws)).values()) == [2, 3]


def test_a_declared_put_after_a_get_removes_what_it_leaves_out_of_a_set() -> None:
    """Read-modify-write works as on the stock store, and keeps what another added meanwhile."""
    ws = workspace(Brief)
    ws.put(*AT, {"tags": ["a", "b"]})
    ws.read_current(*AT)
    ws.agent("ada").write(*AT, {"tags": ["c"]})
    ws.put(*AT, {"tags": ["a"]})
    assert shown(ws) == {"tags": ["a", "c"]}


def test_a_declared_blind_put_adds() -> None:
    """In a declared namespace a put without a read contributes; fields left out are untouched."""
    ws = workspace(Brief)
    ws.put(*AT, {"tags": ["a"], "status": "draft"})
    ws.put(*AT, {"tags": ["b"]})
    assert shown(ws) == {"tags": ["a", "b"], "status": "draft"}


def test_the_second_put_after_one_get_edits_the_first() -> None:
    """After a put, what was read is what was put: two puts after one get do not double and do not lose."""
    ws = workspace(Brief)
    ws.put(*AT, {"body": "one", "tags": ["a"]})
    ws.read_current(*AT)
    ws.put(*AT, {"body": "one\ntwo", "tags": ["a", "b"]})
    ws.put(*AT, {"body": "one\ntwo\nthree", "tags": ["b", "c"]})
    assert shown(ws) == {"body": "one\ntwo\nthree", "tags": ["b", "c"]}
    assert ws.escalations(state="all") == []


def test_the_second_put_after_one_get_does_not_undo_what_another_did() -> None:
    """The base of a second put is the value put first, not the merged result."""
    ws = workspace(Brief)
    ws.put(*AT, {"tags": ["a"]})
    ws.read_current(*AT)
    ws.agent("ada").write(*AT, {"tags": ["x"]})
    ws.put(*AT, {"tags": ["a", "b"]})
    ws.put(*AT, {"tags": ["a", "b", "c"]})
    assert shown(ws) == {"tags": ["a", "x", "b", "c"]}


def test_the_second_put_after_one_get_in_an_undeclared_document() -> None:
    """Without a model too the second put replaces the first without a question."""
    ws = workspace()
    ws.put(*AT, {"x": 1})
    ws.read_current(*AT)
    ws.put(*AT, {"x": 2, "y": 2})
    ws.put(*AT, {"x": 3})
    assert shown(ws) == {"x": 3} and ws.escalations(state="all") == []


def test_a_get_counts_for_its_document_alone() -> None:
    """A put of one document after a get of another is blind."""
    ws = workspace()
    ws.put(*AT, {"x": 1})
    ws.read_current(NS, "other")
    ws.agent("ada").write(*AT, {"x": 2})
    ws.put(*AT, {"x": 3})
    assert shown(ws) == {"x": 3} and ws.escalations(state="all") == []


def test_a_get_in_another_thread_does_not_count() -> None:
    """Read marks are of the context: what another thread read makes no edit of a put here."""
    ws = workspace()
    ws.put(*AT, {"x": 1})
    thread = threading.Thread(target=ws.read_current, args=AT)
    thread.start()
    thread.join()
    ws.agent("ada").write(*AT, {"x": 2})
    ws.put(*AT, {"x": 3})
    assert shown(ws) == {"x": 3} and ws.escalations(state="all") == []


async def test_a_get_in_another_asyncio_task_does_not_count() -> None:
    """What another asyncio task read makes no edit of a put in this one."""
    ws = workspace()
    ws.put(*AT, {"x": 1})

    async def read() -> Any:
        return ws.read_current(*AT)

    await asyncio.create_task(read())
    ws.agent("ada").write(*AT, {"x": 2})
    ws.put(*AT, {"x": 3})
    assert shown(ws) == {"x": 3} and ws.escalations(state="all") == []


async def test_two_asyncio_tasks_that_read_and_write_the_same_do_not_lose() -> None:
    """Two coroutines that both read before either wrote are concurrent."""
    ws = workspace()
    ws.put(*AT, {"x": 0})
    both = asyncio.Barrier(2)

    async def change(x: int) -> None:
        ws.read_current(*AT)
        await both.wait()
        ws.put(*AT, {"x": x})

    await asyncio.gather(change(1), change(2))
    assert sorted(c.value for c in only(ws).contenders) == [1, 2]
    assert only(ws).base == 0


def test_read_marks_expire() -> None:
    """After ``read_marks`` seconds a get no longer makes an edit of a put: server threads serve strangers."""
    ws = workspace(read_marks=0.001)
    ws.put(*AT, {"x": 1})
    ws.read_current(*AT)
    ws.agent("ada").write(*AT, {"x": 2})
    time.sleep(0.05)
    ws.put(*AT, {"x": 3})
    assert shown(ws) == {"x": 3} and ws.escalations(state="all") == []


def test_read_marks_last_long_enough_by_default() -> None:
    """Within the default of 30 seconds a get makes an edit of a later put."""
    ws = workspace()
    ws.put(*AT, {"x": 1})
    ws.read_current(*AT)
    time.sleep(0.05)
    ws.agent("ada").write(*AT, {"x": 2})
    ws.put(*AT, {"x": 3})
    assert len(ws.escalations()) == 1


def test_ws_get_is_no_store_read() -> None:
    """``ws.get`` moves no scope, that of calls without a name neither."""
    ws = workspace()
    ws.put(*AT, {"x": 1})
    ws.get(*AT)
    ws.agent("ada").write(*AT, {"x": 2})
    ws.put(*AT, {"x": 3})
    assert shown(ws) == {"x": 3} and ws.escalations(state="all") == []


def test_acting_as_begins_a_scope_outside_any_framework() -> None:
    """What was committed before the ``with`` is seen, what others commit inside it is concurrent."""
    ws = workspace()
    ws.put(*AT, {"x": 0})
    with ws.acting_as("ada"):
        ws.put(*AT, {"x": 1})
        ws.agent("bob").write(*AT, {"x": 2})
        ws.put(*AT, {"x": 3})
    assert sides(only(ws)) == {"ada": 3, "bob": 2}
    assert ws.history(*AT)[0].agent == "ada"


def test_acting_as_again_begins_anew() -> None:
    """Each ``with`` begins a scope, so a later one has seen what happened between."""
    ws = workspace()
    with ws.acting_as("ada"):
        ws.put(*AT, {"x": 1})
    ws.agent("bob").write(*AT, {"x": 2})
    with ws.acting_as("ada"):
        ws.put(*AT, {"x": 3})
    assert shown(ws) == {"x": 3} and ws.escalations(state="all") == []


def test_acting_as_in_threads_is_of_each_thread() -> None:
    """Two threads that act under names are two scopes."""
    ws = workspace()
    both = threading.Barrier(2)

    def act(name: str) -> None:
        with ws.acting_as(name):
            both.wait(PATIENCE)
            ws.put(*AT, {"x": name})

    threads = [threading.Thread(target=act, args=(name,)) for name in ("ada", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sides(only(ws)) == {"ada": "ada", "bob": "bob"}


def test_a_call_without_a_name_leaves_nothing_to_the_next() -> None:
    """All such calls have one scope, which remembers neither what was written in it nor what was deleted."""
    ws = workspace(Brief)
    for key in ("k", "l"):
        ws.put(NS, key, {"tags": ["a"]})
        ws.put(NS, key, {"status": "b"})
    amend(ws, NS, "k", lambda _: Changes({}, {}, {"tags": ["c"]}))
    ws.put_all([(NS, "k", {"tags": ["d"]}), (NS, "l", None)])
    ws.agent("ada").write(NS, "k", {"tags": ["e"]})
    ws.remove(NS, "k")
    withdraw(ws, [(NS, "m")])
    scope = ws.core.scoping.alone((NS, "n"))
    assert scope is ws.core.scoping.alone((NS, "o"))
    kept = ("_snapshots", "written", "ordinals", "earlier", "found_seen", "rewritten", "took_back", "names")
    assert not any(getattr(scope, name) for name in kept)
