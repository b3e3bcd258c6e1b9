"""Items that live for a time: what a put, a read and the store's own settings say about it, and the sweeper."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from typing import Any

from langgraph.store.base import NOT_PROVIDED, TTLConfig

from concordant import Workspace
from concordant_langgraph.viewed import ViewedStore

__all__ = ["ExpiringStore", "seconds"]

INTERVAL = 5.0
"""Minutes between two sweeps, if nobody says otherwise."""

_log = logging.getLogger("concordant_langgraph")


def seconds(minutes: Any) -> Any:
    """A time to live as a workspace counts it; what is none is left to it to refuse."""
    return minutes * 60.0 if isinstance(minutes, (int, float)) and not isinstance(minutes, bool) else minutes


class ExpiringStore(ViewedStore):
    """A store whose items may expire."""

    __slots__ = ("_stop", "_sweeper", "ttl_config")

    supports_ttl = True

    workspace: Workspace

    def __init__(self) -> None:
        super().__init__()
        self.ttl_config: TTLConfig | None = None
        self._sweeper: threading.Thread | None = None
        self._stop = threading.Event()

    def sweep_ttl(self) -> int:
        """Clears away what has expired; returns how many items that were.

        No read shows an expired item, swept or not. The sweep closes its escalations, takes its vectors out of the
        view, and frees its room.
        """
        count = self.workspace.sweep()
        if count and self._view is not None:
            self._do(self._view.catch_up(early=True))
        return count

    async def asweep_ttl(self) -> int:
        """``sweep_ttl`` for coroutines."""
        count = await self.workspace.acall(self.workspace.sweep)
        if count and self._view is not None:
            await self._ado(self._view.catch_up(early=True))
        return count

    def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> Future[None]:
        """Sweeps now and then, in a thread of its own, until ``stop_ttl_sweeper`` or the returned future's ``cancel``.

        Args:
            sweep_interval_minutes: by default as in the store's ``ttl``, or 5.
        """
        done: Future[None] = Future()
        if self._sweeper is None or not self._sweeper.is_alive():
            configured = (self.ttl_config or {}).get("sweep_interval_minutes")
            interval = float(sweep_interval_minutes or configured or INTERVAL) * 60.0
            self._stop = threading.Event()
            self._sweeper = threading.Thread(
                target=self._sweep_often, args=(interval, self._stop, done), daemon=True, name="ttl-sweeper"
            )
            self._sweeper.start()
        stop = self._stop
        done.add_done_callback(lambda future: stop.set() if future.cancelled() else None)
        return done

    def stop_ttl_sweeper(self, timeout: float | None = None) -> bool:
        """Stops the sweeper.

        Args:
            timeout: seconds to wait for a sweep under way; ``None``: as long as it takes.

        Returns:
            Whether none runs any more.
        """
        self._stop.set()
        if self._sweeper is not None:
            self._sweeper.join(timeout)
        return self._sweeper is None or not self._sweeper.is_alive()

    def _sweep_often(self, interval: float, stop: threading.Event, done: Future[None]) -> None:
        while not stop.wait(interval):
            try:
                self.sweep_ttl()
            except Exception:  # a database may be away for a while: the next sweep does the work of this one
                _log.exception("Expired items could not be swept")
        if not done.cancelled():
            done.set_result(None)

    def _lifetime(self, ttl: Any) -> Any:
        """The time to live, in seconds, of a put."""
        if ttl is NOT_PROVIDED:
            ttl = self.ttl_config.get("default_ttl") if self.ttl_config else None
        return None if ttl is None else seconds(ttl)

    @property
    def _refreshes(self) -> bool:
        """Whether a read that does not say it begins the time to live of what it finds anew."""
        return self.ttl_config.get("refresh_on_read", True) if self.ttl_config else True
