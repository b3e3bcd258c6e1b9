"""Sweep and vacuum on one connection, and deleted documents that cost a search nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from concordant import PostgresOptions, Workspace
from concordant_langgraph import MergeStore
from tests.patience import PATIENCE

from .calls import PLACE, SPACE
from .test_check import busy
from .zoo import Everything

FreshUrl = Callable[[str], str | None]
STORAGES = ["memory", "sqlite", "postgres"]
NOW = timedelta(0)


def test_sweep_and_vacuum_use_one_connection(fresh_url: FreshUrl) -> None:
    """With a pool of one connection everything works: nothing asks for a second one while it holds the first."""
    url = fresh_url("postgres")
    busy(url).close()
    one = PostgresOptions(pool_size=1, connect_timeout=20, lock_timeout=20, statement_timeout=20)
    with Workspace(url, schemas={SPACE: Everything}, options=one) as ws:
        for number in range(3):
            ws.put(("codes",), f"c{number}", {"code": number}, ttl=0.0)
        assert ws.sweep() == 3
        with ws.agent("ada").edit(SPACE, "often1") as brief:
            brief.notes = "One."
        ws.export()
        assert ws.vacuum(journal=NOW, deleted=NOW, removed=NOW).documents > 0
        assert ws.check(quarantine=True).ok
        ws.dismiss(ws.escalations()[0], by="maria")
        other = Workspace(schemas={SPACE: Everything})
        other.agent("zoe").write(*PLACE, {"tags": ["z"]})
        ws.exchange(other)
        store = MergeStore(workspace=ws)
        store.put(("n",), "k", {"a": 1}, ttl=0)
        assert store.sweep_ttl() >= 0 and store.search(()) and store.list_namespaces()
        ws.purge(*PLACE)
        ws.rename()


def test_writers_go_on_while_others_sweep(fresh_url: FreshUrl) -> None:
    """As many writers as there are connections, and a sweep and a vacuum among them: nobody waits for a connection."""
    few = PostgresOptions(pool_size=2, connect_timeout=PATIENCE, lock_timeout=PATIENCE, statement_timeout=PATIENCE)
    failed: list[Exception] = []
    with Workspace(fresh_url("postgres"), options=few) as ws:
        for number in range(10):
            ws.put(("codes",), f"c{number}", {"code": number}, ttl=0.0)

        def work(call: Callable[[int], Any]) -> None:
            try:
                for number in range(8):
                    call(number)
            except Exception as error:
                failed.append(error)

        calls: list[Callable[[int], Any]] = [
            *(lambda n, name=name: ws.agent(name).write(("w",), name, {"n": n}) for name in ("a", "b", "c", "d")),  # type: ignore[misc]
            lambda n: ws.sweep(),
            lambda n: ws.vacuum(),
        ]
        threads = [threading.Thread(target=work, args=[call]) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []


def passed(ws: Workspace, call: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> int:
    """How many documents a call passes: rows that a database gives, or states in memory."""
    count = 0
    storage: Any = ws.storage
    with monkeypatch.context() as patch:
        if storage.live:
            showing = storage.showing

            def counted(*args: Any) -> Any:
                nonlocal count
                for found in showing(*args):
                    count += 1
                    yield found

            patch.setattr(storage, "showing", counted)
        else:
            rows = storage.database.rows

            def given(*args: Any) -> Any:
                nonlocal count
                found = rows(*args)
                count += len(found)
                return found

            patch.setattr(storage.database, "rows", given)
        call()
    return count


@pytest.mark.parametrize("storage", STORAGES)
def test_deleted_documents_cost_a_search_nothing(
    storage: str, fresh_url: FreshUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search, a listing and a list of namespaces pass as many documents as before hundreds were deleted."""
    with Workspace(fresh_url(storage), schemas={("briefs",): Everything, ("x", "*"): Everything}) as ws:
        store = MergeStore(workspace=ws)
        for number in range(5):
            store.put(("briefs",), f"live{number}", {"votes": number})
            store.put(("free", "a"), f"live{number}", {"v": number})
        calls: list[Callable[[], Any]] = [
            lambda: store.search((), limit=100),
            lambda: store.search(("briefs",), limit=100),
            lambda: store.search(("briefs",), filter={"votes": 3}, limit=100),
            lambda: store.search(("free",), limit=100),
            lambda: [*ws.list()],
            lambda: store.list_namespaces(),
        ]
        before = [passed(ws, call, monkeypatch) for call in calls]
        for number in range(60):
            for namespace, value in ((("briefs",), {"votes": 3}), (("free", "a"), {"v": 3}), (("free", "b"), {"v": 3})):
                store.put(namespace, f"k{number}", value)
                store.delete(namespace, f"k{number}")
            ws.put(("free", "c"), f"k{number}", {"v": 1}, ttl=0.0)
        ws.sweep()
        after = [passed(ws, call, monkeypatch) for call in calls]
        assert all(late <= early + 10 for early, late in zip(before, after, strict=True)), (before, after)
        assert len(store.search((), limit=1_000)) == 10
        assert store.list_namespaces() == [("briefs",), ("free", "a")]
        store.put(("free", "b"), "k1", {"v": 4})
        assert [item.value for item in store.search(("free", "b"))] == [{"v": 4}]
        assert store.list_namespaces() == [("briefs",), ("free", "a"), ("free", "b")]
        assert ws.check().ok


@pytest.mark.parametrize("storage", STORAGES)
def test_a_failed_batch_leaves_deleted_documents_deleted(storage: str, fresh_url: FreshUrl) -> None:
    """What a batch deletes and brings to life before it fails is as it was, and where it was."""
    with Workspace(fresh_url(storage)) as ws:
        for key in "abc":
            ws.put(("n",), key, {"v": key})
        ws.remove(("n",), "b")
        before = [(d.key, d.value) for d in ws.list(("n",))]
        with pytest.raises(ValueError, match="refused"):
            ws.put_all([(("n",), "b", {"v": 2}), (("n",), "a", None), (("n",), "c", {"v": object()})])
        assert [(d.key, d.value) for d in ws.list(("n",))] == before
        assert ws.get(("n",), "b") is None
        assert ws.check().ok


@pytest.mark.parametrize("storage", ["sqlite", "postgres"])
def test_what_shows_again_under_another_policy_is_found(storage: str, fresh_url: FreshUrl) -> None:
    """A document that showed nothing under one model is listed under another one by which it shows something."""
    from concordant import Schema

    url = fresh_url(storage)
    with Workspace(url, schemas={SPACE: Schema(Everything, on_delete="delete")}) as ws:
        ws.agent("zoe").write(SPACE, "k", {"status": "base"})
        ada, bob = ws.agent("ada"), ws.agent("bob")
        bob.write(SPACE, "k", {"status": "kept"})
        ada.delete(SPACE, "k")
        assert [*ws.list()] == []
    with Workspace(url, schemas={SPACE: Schema(Everything, on_delete="update")}) as ws:
        document = ws.get(SPACE, "k")
        assert document is not None
        assert [d.value for d in ws.list()] == [document.value]
        assert ws.namespaces() == [SPACE]
