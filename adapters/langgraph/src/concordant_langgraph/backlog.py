"""The documents that a view has yet to catch up with, and who is at work on which."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from concordant import Workspace
from concordant.spi import Address, cursor_at, free_in_child, later_of
from concordant_langgraph.steps import Claim

__all__ = ["Backlog", "Share"]

CHUNK = 64
"""How many documents are brought up to date together, so that their texts are embedded in one request."""

EAGER = 3
"""How many failures in a row are answered by trying again at the next call."""


LAG = 60.0
"""How old, in seconds, what is noted of a view has to be: no process writes to it what it has read longer ago."""


@dataclass(slots=True)
class _Due:
    """When to try a document again, and how often that has failed."""

    failures: int = 0
    at: float = 0.0


@dataclass(slots=True)
class Share:
    """Some documents of which one caller makes itself the only one at work; ``done`` are those brought up to date.

    ``own`` tells that the caller has just written them. ``overtaken`` are those that somebody else did meanwhile, who
    could not wait: what this caller writes may then be older than what stands there, so that they are due again.
    """

    addresses: list[Address]
    claim: Claim = field(default_factory=Claim)
    dues: dict[Address, _Due] = field(default_factory=dict)
    own: bool = False
    done: set[Address] = field(default_factory=set)
    overtaken: set[Address] = field(default_factory=set)
    gap: bool = False


class Backlog:
    """The documents of a workspace whose newest state is not in the view yet.

    Nothing here does I/O or waits; the lock is held for a few dict operations.

    Args:
        clock: tells seconds, for how long to wait after failures.
    """

    def __init__(self, workspace: Workspace, clock: Callable[[], float] = time.monotonic) -> None:
        self._workspace = workspace
        self._clock = clock
        self._lock = free_in_child(threading.Lock())
        self._cursor: Any = None
        self._kept: tuple[float, Any] | None = None  # when everything was done, and up to where
        self._old: Any = None
        self._noted: Any = None
        self._due: dict[Address, _Due] = {}
        self._at_work: dict[Address, Share] = {}
        self._gaps = 0  # how many shares have begun that hide a document for a moment
        self._open_gaps = 0

    def begin(self, cursor: object, addresses: Iterable[Address]) -> None:
        """Starts with these documents, and what is committed after the cursor."""
        with self._lock:
            self._cursor = cursor
            self._due = {**{address: _Due() for address in addresses}, **self._due}

    def pull(self) -> None:
        """Takes note of what was committed since the last call."""
        with self._lock:
            self._cursor, changed = self._workspace.changes(self._cursor)
            for address in changed:
                self._due[address] = _Due()

    def add(self, address: Address) -> None:
        """Makes a document due that no commit told of: one that has expired."""
        with self._lock:
            self._due.setdefault(address, _Due())

    def due(self, *, early: bool = False) -> dict[Address, None]:
        """Returns the documents to bring up to date now, those at work included.

        Args:
            early: also those that have failed, and are to be tried again later.
        """
        now = self._clock()
        with self._lock:
            return dict.fromkeys(
                [*(address for address, due in self._due.items() if early or due.at <= now), *self._at_work]
            )

    def waiting(self) -> list[Address]:
        """Returns all documents that the view lacks, or may show as they were."""
        with self._lock:
            return [*{**self._due, **self._at_work}]

    def take(self, wanted: dict[Address, None], *, own: bool = False) -> Share | None:
        """Returns some of the wanted documents that are due and free, for the caller (whose ``own`` writes they are) to
        bring up to date; ``None`` if no more are. They are no longer wanted then."""
        with self._lock:
            free = [address for address in wanted if address in self._due and address not in self._at_work][:CHUNK]
            if not free:
                return None
            share = Share(free, own=own)
            for address in free:
                share.dues[address] = self._due.pop(address)
                self._at_work[address] = share
        for address in free:
            del wanted[address]
        return share

    def again(self, addresses: Iterable[Address]) -> dict[Address, None]:
        """Tells which of the documents that somebody was at work on have been committed to meanwhile."""
        self.pull()
        with self._lock:
            return dict.fromkeys(
                address for address in addresses if (due := self._due.get(address)) and not due.failures
            )

    def has_failed(self, share: Share, address: Address) -> bool:
        """Tells whether a document of a share could not be brought up to date the last time."""
        return share.dues[address].failures > 0

    def saw(self, version: int, age: float) -> None:
        """Takes note of a document that was read to be brought up to date: how old its newest commit is, in seconds."""
        if age > LAG:
            with self._lock:
                self._old = later_of(self._old, cursor_at(self._workspace, version))

    def settled(self) -> Any:
        """Returns a cursor, by now old, up to which the view has everything; ``None`` if that is not news."""
        now = self._clock()
        with self._lock:
            if self._due or self._at_work:
                return None
            if self._kept is not None and now - self._kept[0] > LAG:
                self._old, self._kept = later_of(self._old, self._kept[1]), None
            if self._kept is None:
                self._kept = (now, self._cursor)
            if not self._old or self._old == self._noted:
                return None
            self._noted = self._old
            return self._old

    def others(self, wanted: Iterable[Address]) -> list[Share]:
        """Tells who else is at work on the wanted documents."""
        with self._lock:
            shares = {id(share): share for address in wanted if (share := self._at_work.get(address)) is not None}
        return list(shares.values())

    def overtake(self, share: Share, wanted: dict[Address, None]) -> Share:
        """Returns the wanted part of somebody else's documents, for a caller who cannot wait for them."""
        with self._lock:
            addresses = [
                address for address in share.addresses if address in wanted and self._at_work.get(address) is share
            ]
            mine = Share(addresses, dues={address: _Due() for address in addresses})
            share.overtaken.update(addresses)
            for address in addresses:
                self._at_work[address] = mine
                del wanted[address]
        return mine

    def gap(self, share: Share) -> None:
        """Takes note that from now until the share ends documents of it may be missing in the view."""
        with self._lock:
            share.gap = True
            self._gaps += 1
            self._open_gaps += 1

    def gaps(self) -> int | None:
        """Returns a number that changes with each gap; ``None`` while one is open."""
        with self._lock:
            return None if self._open_gaps else self._gaps

    def end(self, share: Share, failed: Iterable[Address] = ()) -> None:
        """Gives documents free again; what was not done is due again, what has failed after a while."""
        failed = set(failed)
        now = self._clock()
        with self._lock:
            if share.gap:
                self._open_gaps -= 1
            for address in share.addresses:
                if self._at_work.get(address) is share:
                    del self._at_work[address]
                if address in share.done and address not in share.overtaken:
                    continue
                due = share.dues[address]
                if address in failed:
                    due.failures += 1
                    if due.failures >= EAGER:
                        due.at = now + min(2.0 ** (due.failures - EAGER), 300.0)
                self._due.setdefault(address, due)
        share.claim.end()
