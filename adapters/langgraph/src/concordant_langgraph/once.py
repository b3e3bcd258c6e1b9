"""Work that is done before all else, by whoever comes first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from concordant.spi import free_in_child
from concordant_langgraph.steps import Claim, Steps

__all__ = ["Once"]


class Once:
    """Work that the first caller does, while others wait for it; if it fails, the next one tries.

    Attributes:
        done: set when the work has ended, or by whoever has done it another way.
    """

    def __init__(self, work: Callable[[], Steps[Any]]) -> None:
        self._work = work
        self._lock = free_in_child(threading.Lock())
        self._claim: Claim | None = None
        self.done = False

    def first(self) -> Steps[None]:
        """Does the work unless it is done; waits for whoever is at it."""
        while not self.done:
            with self._lock:
                others = self._claim
                if others is None:
                    self._claim = Claim()
            if others is not None and (yield others):
                continue
            try:
                yield from self._work()
                self.done = True
            finally:
                if others is None:
                    with self._lock:
                        claim, self._claim = self._claim, None
                    assert claim is not None
                    claim.end()
