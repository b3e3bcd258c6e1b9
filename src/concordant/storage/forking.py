"""What the child of a fork finds: locks that are free, though a thread of the parent held them, and work begun anew."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["Gate", "Workers", "call_in_child", "free_in_child"]

L = TypeVar("L")

_locks: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


def free_in_child(lock: L) -> L:
    """Returns a lock (``Lock``, ``RLock`` or ``Condition`` of ``threading``) that a child finds released.

    It has to be one that is held for a few operations of Python's own containers, each of which is whole or not done.
    """
    _locks[id(lock)] = lock
    return lock


_called: weakref.WeakKeyDictionary[Any, Callable[[Any], None]] = weakref.WeakKeyDictionary()


def call_in_child(method: Callable[[], None]) -> None:
    """Has a bound method called in the child of a fork, as long as its object lives: no thread of the parent's is at
    work there. An object has one such method."""
    _called[method.__self__] = method.__func__  # type: ignore[attr-defined]


class Workers:
    """A pool of threads of our own, made when it is first asked for; in the child of a fork another one.

    Args:
        most: how many threads it has at most.
        name: how their names begin.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._lock = free_in_child(threading.Lock())
        self.begin()
        call_in_child(self.begin)

    def begin(self) -> None:
        """Begins without threads."""
        self._pool: ThreadPoolExecutor | None = None

    def pool(self) -> ThreadPoolExecutor:
        """Returns the pool."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._most, thread_name_prefix=self._name)
            return self._pool


PATIENCE = 5.0
"""For how many seconds a fork waits at most until nobody is inside a ``Gate``."""


class Gate:
    """What threads pass that are in a library with locks of its own: a fork waits until none is in there, for a child
    would find those locks held for ever."""

    def __init__(self) -> None:
        self._inside: deque[None] = deque()
        self._open = threading.Event()
        self._open.set()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self._close, after_in_parent=self._open.set, after_in_child=self._begin)

    def __enter__(self) -> None:
        self._inside.append(None)
        while not self._open.is_set():
            self._inside.pop()
            self._open.wait()
            self._inside.append(None)

    def __exit__(self, *_: object) -> None:
        self._inside.pop()

    def _close(self) -> None:
        self._open.clear()
        end = time.monotonic() + PATIENCE
        while self._inside and time.monotonic() < end:
            time.sleep(0.0005)

    def _begin(self) -> None:
        self._inside = deque()
        self._open = threading.Event()
        self._open.set()


def _free() -> None:
    for lock in list(_locks.values()):
        lock._at_fork_reinit()
    for owner, begin in list(_called.items()):
        begin(owner)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free)
