"""Frames that were refused, with the reason: what somebody may want to look at, mend or report."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime

from concordant.escalation import when
from concordant.storage.forking import free_in_child

__all__ = ["Quarantine", "Refused"]


@dataclass(frozen=True, slots=True)
class Refused:
    """A frame that ``import_`` refused: when, why, and its bytes."""

    at: datetime
    reason: str
    frame: bytes


class Quarantine:
    """The newest refused frames, as many as there is room for.

    Args:
        most: how many frames.
        room: how many bytes all of them may have together.
    """

    def __init__(self, most: int = 100, room: int = 16 * 1024 * 1024) -> None:
        self._kept: deque[Refused] = deque()
        self._most = most
        self._room = room
        self._lock = free_in_child(threading.Lock())

    def put(self, frame: object, reason: str) -> None:
        """Keeps a frame; of one that is too large, or no bytes at all, the reason alone."""
        data = bytes(frame) if isinstance(frame, (bytes, bytearray)) and len(frame) <= self._room else b""
        with self._lock:
            self._kept.append(Refused(when(time.time()), reason, data))
            while len(self._kept) > self._most or sum(len(kept.frame) for kept in self._kept) > self._room:
                self._kept.popleft()

    def frames(self) -> list[Refused]:
        """What is kept, the newest last."""
        with self._lock:
            return list(self._kept)
