"""Items that live for a time: LangGraph's own store over SQLite says what the contract is."""

from __future__ import annotations

import gc
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.config import get_store
from langgraph.graph import START, StateGraph
from langgraph.store.base import GetOp, PutOp, SearchOp, TTLConfig
from langgraph.store.sqlite import SqliteStore
from pydantic import BaseModel

from concordant import ConcordantError, InvalidWriteError, Scalar, Set, SqliteOptions, StorageBusyError, Workspace
from concordant_langgraph import MergeStore
from tests.patience import PATIENCE, until

NS = ("codes",)
SECOND = 1 / 60
SHORT = 1.0  # in minutes, as all times to live
Make = Callable[..., MergeStore]


class Code(BaseModel):
    digits: Annotated[str | None, Scalar()] = None
    tags: Annotated[set[str], Set()] = set()


@pytest.fixture(params=["memory", "sqlite"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes stores on one workspace, in memory or in a file."""
    url = None if request.param == "memory" else f"sqlite:///{tmp_path}/codes.db"
    with Workspace(url, schemas={("declared",): Code}) as workspace:
        yield lambda **options: MergeStore(workspace=workspace, **options)


def stock(path: Path, ttl: TTLConfig) -> Any:
    return SqliteStore.from_conn_string(str(path), ttl=ttl)


def pass_by(minutes: float, *stores: Any) -> None:
    """Lets time pass: nobody waits for it, and nothing expires before, however slow the machine."""
    for store in stores:
        if isinstance(store, MergeStore):
            storage = store.workspace.storage
            storage.advance(storage.time() + 60 * minutes)
        else:
            store.conn.execute(f"UPDATE store SET expires_at = datetime(expires_at, '-{minutes} minutes')")


def test_the_stock_store_and_ours_forget_in_time(tmp_path: Path, make: Make) -> None:
    """What has expired is swept, counted, and gone; what was put without end, or lives longer, stays."""
    config: TTLConfig = {"default_ttl": SHORT, "refresh_on_read": False}
    with stock(tmp_path / "stock.db", config) as theirs:
        theirs.setup()
        stores: list[Any] = [theirs, make(ttl=config)]
        for store in stores:
            store.put(NS, "default", {"digits": "1"})
            store.put(NS, "longer", {"digits": "2"}, ttl=10)
            store.put(NS, "ever", {"digits": "3"}, ttl=None)
            store.batch([PutOp(NS, "operation", {"digits": "4"}, ttl=SHORT), PutOp(NS, "plain", {"digits": "5"})])
            assert store.sweep_ttl() == 0
        pass_by(2, *stores)
        for store in stores:
            assert store.sweep_ttl() == 2
            assert sorted(item.key for item in store.search(NS)) == ["ever", "longer", "plain"]
            assert store.get(NS, "default") is None


def test_a_put_without_a_time_to_live_takes_it_away(tmp_path: Path, make: Make) -> None:
    """The last put of sequential code says how long, as on the stock store."""
    with stock(tmp_path / "stock.db", {}) as theirs:
        theirs.setup()
        stores: list[Any] = [theirs, make()]
        for store in stores:
            store.put(NS, "a", {"digits": "1"}, ttl=SHORT)
            store.put(NS, "a", {"digits": "2"})
        pass_by(2, *stores)
        for store in stores:
            assert store.sweep_ttl() == 0
            assert store.get(NS, "a").value == {"digits": "2"}


@pytest.mark.parametrize("read", ["get", "search", "get operation", "search operation"])
def test_a_read_begins_the_time_anew(make: Make, read: str) -> None:
    """Unless it says that it does not, or the store does."""
    reads: dict[str, Callable[[MergeStore, bool | None], Any]] = {
        "get": lambda store, refresh: store.get(NS, "a", refresh_ttl=refresh),
        "search": lambda store, refresh: store.search(NS, refresh_ttl=refresh),
        "get operation": lambda store, refresh: store.batch([GetOp(NS, "a", refresh is not False)]),
        "search operation": lambda store, refresh: store.batch([SearchOp(NS, refresh_ttl=refresh is not False)]),
    }
    store = make()
    for refresh, lives in ((None, True), (True, True), (False, False)):
        store.put(NS, "a", {"digits": "1"}, ttl=5 * SECOND)
        document = store.workspace.get(NS, "a")
        assert document is not None
        reads[read](store, refresh)
        again = store.workspace.get(NS, "a")
        assert again is not None and (again.expires_at > document.expires_at) is lives  # type: ignore[operator]
    if "operation" not in read:
        quiet = make(ttl={"refresh_on_read": False})
        before = quiet.workspace.get(NS, "a")
        reads[read](quiet, None)
        after = quiet.workspace.get(NS, "a")
        assert before is not None and after is not None and before.expires_at == after.expires_at


async def test_async_calls_do_the_same(make: Make) -> None:
    """Puts, reads and the sweep."""
    store = make(ttl={"default_ttl": SHORT})
    await store.aput(NS, "a", {"digits": "1"})
    await store.aput(NS, "b", {"digits": "2"}, ttl=10)
    assert await store.aget(NS, "a", refresh_ttl=False) is not None
    pass_by(2, store)
    assert await store.aget(NS, "a") is None
    assert [item.key for item in await store.asearch(NS)] == ["b"]
    assert await store.asweep_ttl() == 1


def test_what_has_expired_is_shown_nowhere(make: Make) -> None:
    """Not by get, search, filters or namespaces, before any sweep; the stock store shows it until then."""
    store = make()
    store.put(NS, "a", {"digits": "1"}, ttl=SHORT)
    store.put((*NS, "below"), "b", {"digits": "1"}, ttl=SHORT)
    assert len(store.list_namespaces()) == 2
    pass_by(2, store)
    assert store.get(NS, "a") is None
    assert store.search(()) == [] and store.search((), filter={"digits": "1"}) == []
    assert store.list_namespaces() == []


def test_the_longest_of_concurrent_times_counts(make: Make) -> None:
    """Nobody's write goes because somebody else's was meant to be short."""
    store = make()

    class State(TypedDict, total=False):
        done: bool

    def node(tag: str, ttl: float | None) -> Any:
        def work(state: State) -> dict[str, Any]:
            get_store().put(("declared",), "a", {"tags": [tag]}, ttl=ttl)
            return {}

        return work

    builder = StateGraph(State)
    for name, ttl in (("short", SHORT), ("long", 10.0)):
        builder.add_node(name, node(name, ttl))
        builder.add_edge(START, name)
    builder.compile(store=store).invoke({})
    pass_by(2, store)
    item = store.get(("declared",), "a")
    assert item is not None and set(item.value["tags"]) == {"short", "long"}


@pytest.mark.parametrize("ttl", ["soon", [1], float("nan"), True])
def test_what_is_no_time_is_refused(make: Make, ttl: Any) -> None:
    """With our error, and nothing is stored."""
    store = make()
    with pytest.raises(InvalidWriteError, match="time to live"):
        store.put(NS, "a", {"digits": "1"}, ttl=ttl)
    assert store.get(NS, "a") is None


def test_the_sweeper_sweeps_until_it_is_stopped(make: Make) -> None:
    """In a thread of its own; the stock store's calls start and stop it."""
    store = make()
    future = store.start_ttl_sweeper(sweep_interval_minutes=0.05 * SECOND)
    assert store.start_ttl_sweeper() is not future and not future.done()
    store.put(NS, "a", {"digits": "1"}, ttl=SHORT)
    pass_by(2, store)
    until(lambda: any(row.act == "expire" for row in store.workspace.history(NS, "a")))
    assert store.stop_ttl_sweeper(timeout=PATIENCE) and future.done()
    assert store.stop_ttl_sweeper()
    another = store.start_ttl_sweeper(sweep_interval_minutes=60)
    assert another.cancel() and store.stop_ttl_sweeper(timeout=PATIENCE)


def test_a_wrapped_store_says_how_long() -> None:
    """Its settings hold here, and what it holds for us never expires there by itself."""
    with SqliteStore.from_conn_string(":memory:", ttl={"default_ttl": 0.2 * SECOND}) as inner:
        inner.setup()
        store = MergeStore.wrap(inner)
        assert store.ttl_config == {"default_ttl": 0.2 * SECOND} and store.supports_ttl
        store.put(NS, "a", {"digits": "one"})
        store.put(NS, "b", {"digits": "two"}, ttl=None)
        store.put(NS, "c", {"digits": "three"}, ttl=10)
        assert sorted(item.key for item in inner.search(NS)) == ["a", "b", "c"]
        time.sleep(0.3)
        assert store.get(NS, "a") is None
        assert store.sweep_ttl() == 1
        time.sleep(1.1)
        assert inner.sweep_ttl() == 0
        assert sorted(item.key for item in inner.search(NS)) == ["b", "c"]


def test_vectors_of_what_has_expired_are_gone() -> None:
    """A search by meaning finds no expired item, swept or not, and fills its limit with others."""

    def embed(texts: list[str]) -> list[list[float]]:
        return [[1.0, float(len(text))] for text in texts]

    store = MergeStore(index={"dims": 2, "embed": embed})
    for number in range(20):
        store.put(NS, f"short{number}", {"digits": "same"}, ttl=SHORT)
    for number in range(5):
        store.put(NS, f"long{number}", {"digits": "other text"})
    pass_by(2, store)
    for _ in range(2):
        assert len(store.search(NS, query="same", limit=5)) == 5
        store.sweep_ttl()


def test_an_item_says_when_it_expires(make: Make) -> None:
    """None where it does not."""
    store = make()
    store.put(NS, "a", {"digits": "1"}, ttl=10)
    store.put(NS, "b", {"digits": "1"})
    item, endless = store.get(NS, "a"), store.get(NS, "b")
    assert item.expires_at > item.updated_at and endless.expires_at is None  # type: ignore[union-attr]
    assert store.search(NS)[0].expires_at is not None  # type: ignore[attr-defined]


@pytest.mark.parametrize("interval", [-1, float("nan")])
def test_an_interval_that_is_none_is_refused(interval: float) -> None:
    """Instead of a sweeper that never rests."""
    with pytest.raises(ConcordantError, match="sweep_interval_minutes"):
        MergeStore().start_ttl_sweeper(interval)


def test_a_sweeper_does_not_keep_a_store_alive() -> None:
    """It ends with the store."""
    store = MergeStore(ttl={"sweep_interval_minutes": 60})
    future, gone = store.start_ttl_sweeper(), weakref.ref(store)
    del store
    gc.collect()
    assert gone() is None
    future.result(timeout=PATIENCE)


def test_a_read_of_a_locked_file_gives_its_item(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where others hold the file for longer than ``lock_timeout``, a read gives what it read; only its beginning the
    time to live anew is left out, which the log tells."""
    url = f"sqlite:///{tmp_path}/codes.db"
    options = SqliteOptions(lock_timeout=0.05)
    with Workspace(url, options=options) as workspace:
        store = MergeStore(workspace=workspace, ttl={"default_ttl": SHORT})
        store.put(NS, "ada", {"digits": "1"})
        with closing(sqlite3.connect(tmp_path / "codes.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            item = store.get(NS, "ada")
            [found] = store.search(NS)
            with pytest.raises(StorageBusyError):
                store.put(NS, "ada", {"digits": "2"})
            other.execute("ROLLBACK")
        assert item is not None and item.value == found.value == {"digits": "1"}
        assert "was not begun anew" in caplog.text
        store.put(NS, "ada", {"digits": "2"})
