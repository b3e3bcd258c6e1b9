"""How long a store's items live: LangGraph's settings for that, and its sweeper."""

from __future__ import annotations

import logging
import math
import threading
import weakref
from collections.abc import Mapping
from concurrent.futures import Future, InvalidStateError
from typing import Any, Protocol

from langgraph.store.base import NOT_PROVIDED, TTLConfig

from concordant import ConcordantError, InvalidWriteError
from concordant.spi import Fault, told

__all__ = ["Lifetimes"]

log = logging.getLogger("concordant")

INTERVAL = 5.0
"""Minutes from one sweep to the next where nobody says."""

LONGEST = 1e9
"""Minutes from one sweep to the next; whoever asks for more has none."""


class Swept(Protocol):
    """A store that can be swept."""

    def sweep_ttl(self) -> int:
        """Clears away what has expired."""
        ...


class Lifetimes:
    """How long items live. Times to live are given in minutes, as everywhere in LangGraph.

    Args:
        ttl: LangGraph's settings.

    Attributes:
        default: how many seconds an item lives where a put does not say.
        refreshes: whether a read begins that anew where it does not say.
    """

    __slots__ = ("_sweeper", "default", "refreshes", "ttl")

    def __init__(self, ttl: TTLConfig | None) -> None:
        if ttl is not None and not isinstance(ttl, Mapping):
            raise ConcordantError(f"ttl= is a TTLConfig, such as {{'default_ttl': 60}}, not {told(ttl)}")
        for name in ttl or ():
            if name not in TTLConfig.__annotations__:
                known = ", ".join(TTLConfig.__annotations__)
                raise ConcordantError(f"ttl= has no setting {told(name)}; LangGraph's are {known}")
        self.ttl = ttl
        self.default = _default_of(ttl)
        self.refreshes = ttl is None or ttl.get("refresh_on_read", True)
        self._sweeper: _Sweeper | None = None

    def start(self, store: Swept, sweep_interval_minutes: float | None) -> Future[None]:
        """Sweeps a store every few minutes (``MergeStore.start_ttl_sweeper``)."""
        if self.ttl is None and sweep_interval_minutes is None:
            nothing: Future[None] = Future()
            nothing.set_result(None)
            return nothing
        if sweep_interval_minutes is not None:
            _check_minutes(sweep_interval_minutes)
        if self._sweeper is None or not self._sweeper.is_alive():
            minutes = sweep_interval_minutes or (self.ttl or {}).get("sweep_interval_minutes") or INTERVAL
            self._sweeper = _Sweeper(store, minutes)
        return self._sweeper.future

    def stop(self, timeout: float | None) -> bool:
        """Stops the sweeper, if there is one (``MergeStore.stop_ttl_sweeper``)."""
        sweeper, self._sweeper = self._sweeper, None
        if sweeper is None or sweeper.stop(timeout):
            return True
        self._sweeper = sweeper
        return False

    def seconds(self, namespace: tuple[str, ...], key: str, ttl: Any) -> float | None:
        """Tells how long a put asks for: ``None`` for ever."""
        if ttl is NOT_PROVIDED:
            return self.default
        return ttl if ttl is None else _seconds_of(ttl, namespace, key)


class _Sweeper:
    """A thread that sweeps a store from time to time, and does not keep it alive."""

    def __init__(self, store: Swept, minutes: float) -> None:
        _check_minutes(minutes)
        if minutes == 0:
            raise ConcordantError(f"sweep_interval_minutes is a number of minutes above 0, not {told(minutes)}")
        self.future: Future[None] = Future()
        self.future.add_done_callback(lambda _: stop.set())
        self._stop = stop = threading.Event()
        self._seconds = min(min(minutes, LONGEST) * 60.0, threading.TIMEOUT_MAX)
        self._store = weakref.ref(store, lambda _: stop.set())
        self._thread = threading.Thread(target=self._run, name="ttl-sweeper", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        """Whether it goes on sweeping."""
        return self._thread.is_alive() and not self._stop.is_set()

    def stop(self, timeout: float | None) -> bool:
        """Ends it; returns whether it has ended in time."""
        self._stop.set()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            store = self._store()
            if store is None:
                break
            try:
                store.sweep_ttl()
            except Exception:
                log.exception("A sweep of expired items failed; the next one tries again")
            del store  # or it would live for as long as this thread waits
        try:
            self.future.set_result(None)
        except InvalidStateError:
            log.debug("The sweeper ends because its future was cancelled")


def _check_minutes(minutes: Any) -> None:
    if not isinstance(minutes, (int, float)) or not minutes >= 0:
        raise ConcordantError(f"sweep_interval_minutes is a number of minutes above 0, not {told(minutes)}")


def _default_of(ttl: TTLConfig | None) -> float | None:
    default = (ttl or {}).get("default_ttl")
    if default is None:
        return None
    if not isinstance(default, (int, float)) or isinstance(default, bool) or not default >= 0:
        raise ConcordantError(f"default_ttl in ttl= is a number of minutes, or None for no end, not {told(default)}")
    return _seconds_of(default)


def _seconds_of(ttl: Any, namespace: tuple[str, ...] = (), key: str = "") -> float:
    if isinstance(ttl, (int, float)) and not isinstance(ttl, bool) and ttl == ttl:
        try:
            return float(ttl) * 60.0
        except OverflowError:
            return math.inf if ttl > 0 else -math.inf
    fault = Fault((), f"{told(ttl)} is no time to live", "Give a number of minutes, or None for no end", ttl)
    raise InvalidWriteError(namespace, key, [fault])
