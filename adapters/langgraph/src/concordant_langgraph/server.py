"""The store of an agent server: what ``langgraph.json`` points to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal

from langgraph.store.base import IndexConfig, TTLConfig

from concordant import Workspace
from concordant_langgraph.conflicts import OnConflict
from concordant_langgraph.store import MergeStore

__all__ = ["server_store"]


def server_store(
    schemas: Mapping[tuple[str, ...], Any] | None = None,
    *,
    url: str | None = None,
    undeclared: Literal["merge", "tree", "reject"] = "merge",
    index: IndexConfig | None = None,
    on_conflict: OnConflict = "record",
    ttl: TTLConfig | None = None,
) -> Callable[[], AbstractAsyncContextManager[MergeStore]]:
    """Makes what the ``store`` entry of a ``langgraph.json`` points to: a function without arguments that returns an
    async context manager, which yields the store.

    In ``agent.py``, beside the graph (which is compiled without a store: the server passes it in)::

        store = server_store({("briefs",): Brief})

    and in ``langgraph.json``: ``{"store": {"path": "./agent.py:store"}, ...}``.

    A server enters it once for each of its event loops. All of them get one and the same store, opened with the first
    and closed with the last.

    Args:
        schemas: as for ``MergeStore``.
        url: where it is kept, as for ``Workspace``; ``None`` is the server's memory.
        undeclared: as for ``MergeStore``.
        index: as for ``MergeStore.from_conn_string``.
        on_conflict: as for ``MergeStore``.
        ttl: as for ``MergeStore``; with ``sweep_interval_minutes`` the store is swept while it is open.
    """
    lock = threading.Lock()
    users = 0
    shared: MergeStore | None = None

    def enter() -> MergeStore:
        nonlocal users, shared
        with lock:
            if shared is None:
                workspace = Workspace(url, schemas=schemas, undeclared=undeclared)
                shared = MergeStore._opened(workspace, url, index, on_conflict, ttl)
                if ttl and ttl.get("sweep_interval_minutes"):
                    shared.start_ttl_sweeper()
            users += 1
            return shared

    def leave(used: MergeStore) -> None:
        nonlocal users, shared
        with lock:
            users -= 1
            if not users:
                shared = None
                used._end()

    @asynccontextmanager
    async def store() -> AsyncIterator[MergeStore]:
        used = await asyncio.to_thread(enter)  # opening a database would hold up the server's loop
        try:
            yield used
        finally:
            await asyncio.to_thread(leave, used)

    return store
