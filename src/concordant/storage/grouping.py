"""Group commit: what waits at the same time to be committed becomes one transaction.

Whoever finds nobody at work leads: it commits at once, for itself, and what others ask for meanwhile waits. When it is
done the one who has waited longest leads, and commits for all who wait. So a lone writer waits for nobody, and many
share one lock, one read and one wait for the disk (as databases do with their logs: DeWitt et al., "Implementation
Techniques for Main Memory Database Systems", 1984).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeAlias

from concordant.errors import ConcordantError, DamagedDocumentError, StorageBusyError, StorageError
from concordant.storage.base import Place, Update
from concordant.storage.forking import begins_anew, free_in_child

__all__ = ["MOST", "Change", "FaultyError", "GroupCommit", "Request", "has_changed_nothing"]

Change: TypeAlias = tuple[Place, Update]
"""An update of a document."""

MOST = 128
"""How many changes are made in one transaction at most, unless one caller asks for more."""


class Request:
    """What one caller wants to be committed: all of its changes or none.

    Attributes:
        changes: the updates, each with its document.
        error: why nothing of it was committed.
        done: whether it was committed, or failed.
        leads: whether its caller is to commit for all who wait.
        turn: is released when it is done, or leads; ``None`` for one that did not have to wait.
    """

    __slots__ = ("changes", "done", "error", "leads", "turn")

    def __init__(self, changes: Sequence[Change]) -> None:
        self.changes = changes
        self.error: Exception | None = None
        self.done = self.leads = False
        self.turn: threading.Lock | None = None

    def waits(self) -> None:
        """Makes it one that has to wait."""
        self.turn = threading.Lock()
        self.turn.acquire()

    def end(self, error: Exception | None) -> None:
        """Notes that it was committed, or why it was not."""
        self.error, self.done = error, True

    def tell(self) -> None:
        """Wakes its caller."""
        if self.turn is not None:
            self.turn.release()


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
            what befell the transaction as a whole; then nothing was committed.
        place: which store it is, for messages.
        patience: for how many seconds a caller waits for those before it at most.
    """

    def __init__(self, run: Callable[[Sequence[Request]], None], place: str, patience: float) -> None:
        self._run = run
        self._place = place
        self._patience = patience
        self._lock = free_in_child(threading.Lock())
        self.begin()
        begins_anew(self)

    def begin(self) -> None:
        """Begins with nobody at work."""
        self._led = False
        self._waiting: deque[Request] = deque()

    def commit(self, changes: Sequence[Change]) -> None:
        """Commits changes, all or none of them; returns when they survive a crash.

        Raises:
            Exception: what an update raised, or why the store cannot be used; then none of them was committed.
            StorageBusyError: those before it took too long.
        """
        (error,) = self.commit_each([changes])
        if error is not None:
            raise error

    def commit_each(self, wanted: Sequence[Sequence[Change]]) -> list[Exception | None]:
        """Commits for several at once, each of whom succeeds or fails alone; returns why each failed."""
        requests = [Request(changes) for changes in wanted]
        with self._lock:
            if self._led:
                for request in requests:
                    request.waits()
            else:
                self._led = requests[0].leads = True
            self._waiting.extend(requests)
        try:
            for request in requests:
                self._see_through(request)
        except BaseException:
            self._abandon(requests)
            raise
        return [request.error for request in requests]

    def _see_through(self, request: Request) -> None:
        """Returns when a request is done."""
        if request.turn is not None and not request.turn.acquire(timeout=self._patience):
            if self._withdraw(request):
                mend = "Write less at once, or wait longer (lock_timeout)"
                request.end(StorageBusyError(self._place, "other threads were writing all the time", mend))
                return
            request.turn.acquire()  # somebody is at work on it, for which there are limits of its own
        if not request.done:
            self._lead()

    def _withdraw(self, request: Request) -> bool:
        """Takes a request back; ``False``: somebody is at work on it, or its caller is to lead."""
        with self._lock:
            if request.leads or request not in self._waiting:
                return False
            self._waiting.remove(request)
            return True

    def _abandon(self, requests: Sequence[Request]) -> None:
        """Takes back what waits of an interrupted caller, who does not lead any more."""
        with self._lock:
            left = [request for request in requests if request in self._waiting]
            for request in left:
                self._waiting.remove(request)
            next_ = self._next() if any(request.leads for request in left) else None
        if next_ is not None:
            next_.tell()

    def _next(self) -> Request | None:
        """Who leads from now on; with the lock held."""
        self._led = bool(self._waiting)
        if not self._led:
            return None
        self._waiting[0].leads = True
        return self._waiting[0]

    def _lead(self) -> None:
        """Commits what waits, and hands over."""
        group = self._taken()
        try:
            self._commit(group)
        finally:
            with self._lock:
                # Of a leader that was interrupted: what the others want is for the next one.
                self._waiting.extendleft(reversed([request for request in group[1:] if not request.done]))
                next_ = self._next()
            for request in group:
                if request.done:
                    request.tell()
            if next_ is not None:
                next_.tell()

    def _taken(self) -> list[Request]:
        with self._lock:
            group = [self._waiting.popleft()]
            count = len(group[0].changes)
            while self._waiting and count + len(self._waiting[0].changes) <= MOST:
                group.append(self._waiting.popleft())
                count += len(group[-1].changes)
        return group

    def _commit(self, group: Sequence[Request]) -> None:
        """Commits requests together; each that fails for a reason of its own fails alone."""
        try:
            self._run(group)
        except FaultyError as faulty:
            if len(group) > 1:
                self._commit([request for request in group if request is not faulty.request])
                self._commit([faulty.request])
            else:
                group[0].end(_cause(faulty))
        except Exception as error:
            if len(group) > 1 and not _concerns_all(error):
                for request in group:
                    self._commit([request])
            else:
                for request in group:
                    request.end(error)
        else:
            for request in group:
                request.end(request.error)


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
