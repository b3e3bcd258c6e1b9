"""Group commit: what waits at the same time to be committed becomes one transaction.

Whoever finds nobody at work leads: it commits at once, for itself, and what others ask for meanwhile waits. When it is
done the one who has waited longest leads, and commits for all who wait. So a lone writer waits for nobody, and many
share one lock, one read and one wait for the disk (as databases do with their logs: DeWitt et al., "Implementation
Techniques for Main Memory Database Systems", 1984).

Where a store has several clocks, a few may lead at once, each under clocks of its own.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

from concordant.errors import ConcordantError, DamagedDocumentError, StorageBusyError, StorageError
from concordant.storage.base import Address, Update
from concordant.storage.forking import call_in_child, free_in_child

__all__ = ["HASTE", "MOST", "Change", "FaultyError", "GroupCommit", "Request", "has_changed_nothing"]

Change: TypeAlias = tuple[Address, Update]
"""An update of a document."""

HASTE = 2.0
"""For how many seconds what is hasty waits for others at most."""

MOST = 128
"""How many changes are made in one transaction at most, unless one caller asks for more."""


class Caller:
    """Somebody who waits for what is committed, and commits for others when it is the one's turn.

    Attributes:
        first: with which request it is to lead, or leads.
        held: the clocks of what it commits.
        turn: is free when there is news; ``None`` as long as it has not had to wait.
        gone: whether it was interrupted, and waits no more.
    """

    __slots__ = ("first", "gone", "held", "turn")

    def __init__(self) -> None:
        self.first: Request | None = None
        self.held: set[int] = set()
        self.turn: threading.Lock | None = None
        self.gone = False

    def waits(self) -> threading.Lock:
        """Gives what to wait for; with the group's lock held."""
        if self.turn is None:
            self.turn = threading.Lock()
        self.turn.acquire(blocking=False)  # what it told of until now is known
        return self.turn

    def tell(self) -> None:
        """Wakes it; with the group's lock held."""
        if self.turn is not None and self.turn.locked():
            self.turn.release()


class Request:
    """What one caller wants to be committed: all of its changes or none.

    Attributes:
        changes: the updates, each with its document.
        clocks: those of the documents.
        caller: whose it is.
        hasty: whether it is given up soon if others hold the store.
        error: why nothing of it was committed.
        done: whether it was committed, or failed.
    """

    __slots__ = ("caller", "changes", "clocks", "done", "error", "hasty")

    def __init__(self, changes: Sequence[Change], clocks: frozenset[int], caller: Caller, hasty: bool) -> None:
        self.changes = changes
        self.clocks = clocks
        self.caller = caller
        self.hasty = hasty
        self.error: Exception | None = None
        self.done = False

    @property
    def leads(self) -> bool:
        """Tells whether its caller leads with it."""
        return self.caller.first is self

    def end(self, error: Exception | None) -> None:
        """Notes that it was committed, or why it was not."""
        self.error, self.done = error, True


class FaultyError(Exception):
    """An update raised after others of its transaction had taken effect: the transaction is of no use.

    Args:
        request: the one that raised; the reason is this error's cause.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        super().__init__()


class GroupCommit:
    """Commits for callers in any thread.

    Args:
        run: commits requests in one transaction; gives each that fails alone its ``error``. Raises ``FaultyError``, or
            what befell the transaction as a whole; then nothing was committed. The second argument says that it is to
            give up soon (``StorageBusyError``) if others hold one of its clocks.
        place: which store it is, for messages.
        patience: for how many seconds a caller waits for those before it at most.
        clocks_of: tells under which clocks documents live.
        leaders: how many may commit at once, each under other clocks.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Request], bool], None],
        place: str,
        patience: float,
        clocks_of: Callable[[Sequence[Change]], frozenset[int]],
        leaders: int,
    ) -> None:
        self._run = run
        self._place = place
        self._patience = patience
        self._clocks_of = clocks_of
        self._most_leaders = leaders
        self._lock = free_in_child(threading.Lock())
        self.begin()
        call_in_child(self.begin)

    def begin(self) -> None:
        """Begins with nobody at work."""
        self._leaders = 0  # how many lead, or were told to
        self._busy: set[int] = set()  # the clocks of what is being committed
        self._waiting: deque[Request] = deque()

    def commit(self, changes: Sequence[Change], hasty: bool = False) -> None:
        """Commits changes, all or none of them; returns when they survive a crash. What is ``hasty`` is given up soon
        if others hold the store, and is never committed together with what is not.

        Raises:
            Exception: what an update raised, or why the store cannot be used; then none of them was committed.
            StorageBusyError: those before it took too long.
        """
        (error,) = self.commit_each([changes], hasty)
        if error is not None:
            raise error

    def commit_each(self, wanted: Sequence[Sequence[Change]], hasty: bool = False) -> list[Exception | None]:
        """Commits for several at once, each of whom succeeds or fails alone; returns why each failed."""
        caller = Caller()
        requests = [Request(changes, self._clocks_of(changes), caller, hasty) for changes in wanted]
        patience = min(HASTE, self._patience) if hasty else self._patience
        with self._lock:
            self._waiting.extend(requests)
            self._begin_next()
        try:
            while (waits := self._go_on(caller, requests)) is not None:
                if not waits.acquire(timeout=patience) and not self._withdrawn(caller):
                    waits.acquire()  # somebody is at work on it, for which there are limits of its own
        except BaseException:
            self._abandon(caller)
            raise
        return [request.error for request in requests]

    def begin_alone(self, clock: int) -> bool:
        """Begins a commit under one clock that its caller makes alone, till ``end_alone``; ``False``: it would have to
        wait, so it is to be made with others."""
        with self._lock:
            if self._waiting or self._leaders >= self._most_leaders or clock in self._busy:
                return False
            self._leaders += 1
            self._busy.add(clock)
        return True

    def end_alone(self, clock: int) -> None:
        """Hands over."""
        with self._lock:
            self._leaders -= 1
            self._busy.discard(clock)
            self._begin_next()

    def _go_on(self, caller: Caller, requests: Sequence[Request]) -> threading.Lock | None:
        """Leads as often as it is the caller's turn; returns what to wait for, ``None`` if all is done."""
        while True:
            with self._lock:
                if caller.first is None:
                    return None if all(request.done for request in requests) else caller.waits()
            self._lead(caller)

    def _withdrawn(self, caller: Caller) -> bool:
        """Takes back what waits of a caller; ``False``: somebody is at work on it, or the caller is to lead."""
        with self._lock:
            waiting = [request for request in self._waiting if request.caller is caller]
            if caller.first is not None or not waiting:
                return False
            mend = "Write less at once, or wait longer (lock_timeout)"
            for request in waiting:
                self._waiting.remove(request)
                request.end(StorageBusyError(self._place, "other threads were writing all the time", mend))
            return True

    def _abandon(self, caller: Caller) -> None:
        """Takes back what waits of an interrupted caller, who does not lead any more."""
        with self._lock:
            caller.gone = True
            for request in [request for request in self._waiting if request.caller is caller]:
                self._waiting.remove(request)
            if caller.first is not None:
                caller.first = None
                self._leaders -= 1
            self._begin_next()

    def _begin_next(self) -> None:
        """Has all begin to lead who can: those who have waited longest, under clocks that nobody is at work under; with
        the lock held."""
        taken = set(self._busy)
        for request in self._waiting:
            if self._leaders >= self._most_leaders:
                return
            if request.caller.first is None and taken.isdisjoint(request.clocks):
                request.caller.first = request
                self._leaders += 1
                request.caller.tell()
            taken |= request.clocks

    def _lead(self, caller: Caller) -> None:
        """Commits what waits, and hands over."""
        group: list[Request] = []
        try:
            group = self._taken(caller)
            self._commit(group, caller)
        finally:
            with self._lock:
                # Of a leader that was interrupted: what the others want is for the next one.
                caller.gone = any(request.caller is caller and not request.done for request in group)
                left = [request for request in group if not (request.done or request.caller.gone)]
                self._waiting.extendleft(reversed(left))
                self._busy -= caller.held
                caller.first = None
                self._leaders -= 1
                for request in group:
                    request.caller.tell()
                self._begin_next()

    def _taken(self, caller: Caller) -> list[Request]:
        """Takes what is to be committed together: what waits under clocks that nobody else is at work under."""
        first = caller.first
        assert first is not None
        with self._lock:
            group, count, taken, waiting = [first], len(first.changes), set(self._busy), deque[Request]()
            for request in self._waiting:
                if request is first:
                    continue
                fits = request.hasty == first.hasty and count + len(request.changes) <= MOST and not request.leads
                if fits and taken.isdisjoint(request.clocks):
                    group.append(request)
                    count += len(request.changes)
                else:
                    taken |= request.clocks
                    waiting.append(request)
            self._waiting = waiting
            caller.held = set[int]().union(*(request.clocks for request in group))
            self._busy |= caller.held
        return group

    def _commit(self, group: Sequence[Request], leader: Caller) -> None:
        """Commits requests together; each that fails for a reason of its own fails alone."""
        parts = _parts(group) if self._most_leaders > 1 and len(group) > 1 else [group]
        try:
            self._run(group, group[0].hasty or len(parts) > 1)
        except FaultyError as faulty:
            if len(group) > 1:
                self._commit([request for request in group if request is not faulty.request], leader)
                self._commit([faulty.request], leader)
            else:
                group[0].end(_cause(faulty))
        except StorageBusyError as error:
            if len(parts) > 1:
                self._commit_apart(parts, leader)
            else:
                _end(group, error)
        except Exception as error:
            if len(group) > 1 and not _concerns_all(error):
                for request in group:
                    self._commit([request], leader)
            else:
                _end(group, error)
        else:
            _end_each(group)

    def _commit_apart(self, parts: Sequence[Sequence[Request]], leader: Caller) -> None:
        """Commits what was held up by a clock that somebody holds: what is under other clocks first."""
        late: list[Sequence[Request]] = []
        for part in parts:
            try:
                self._run(part, True)
            except StorageBusyError:
                late.append(part)
                continue
            except Exception:  # whatever it was, it is found out anew
                self._commit(part, leader)
            else:
                _end_each(part)
            self._release(part, leader)
        for part in late:
            self._commit(part, leader)

    def _release(self, part: Sequence[Request], leader: Caller) -> None:
        """Lets others at the clocks of what is done, while the rest of a group goes on."""
        clocks = set[int]().union(*(request.clocks for request in part))
        with self._lock:
            self._busy -= clocks
            leader.held -= clocks
            for request in part:
                request.caller.tell()
            self._begin_next()


def _parts(group: Sequence[Request]) -> Sequence[Sequence[Request]]:
    """Requests, those together that have clocks in common."""
    if all(len(request.clocks) == 1 for request in group):
        alike: dict[frozenset[int], list[Request]] = {}
        for request in group:
            alike.setdefault(request.clocks, []).append(request)
        return [*alike.values()]
    parts: list[tuple[set[int], list[Request]]] = []
    for request in group:
        mine = [part for part in parts if not part[0].isdisjoint(request.clocks)]
        clocks, requests = set(request.clocks), list[Request]()
        for part in mine:
            parts.remove(part)
            clocks |= part[0]
            requests += part[1]
        parts.append((clocks, [*requests, request]))
    return [requests for _, requests in parts]


def _end_each(group: Sequence[Request]) -> None:
    """Ends requests that were committed, but for those that were refused alone."""
    for request in group:
        request.end(request.error)


def _end(group: Sequence[Request], error: Exception) -> None:
    for request in group:
        request.end(error)


def _cause(faulty: FaultyError) -> Exception:
    assert isinstance(faulty.__cause__, Exception)
    return faulty.__cause__


def _concerns_all(error: Exception) -> bool:
    """Whether the store cannot be used, by whomever."""
    return isinstance(error, StorageError) and not isinstance(error, DamagedDocumentError)


def has_changed_nothing(error: Exception) -> bool:
    """Tells of what an update raised whether the transaction is as it was: updates refuse before they change anything,
    and only of their own refusals is that sure."""
    return isinstance(error, ConcordantError) and not _concerns_all(error)
