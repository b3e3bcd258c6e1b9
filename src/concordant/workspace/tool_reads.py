"""What tools have shown agents: it counts as read in their later calls.

A model decides what a call says before the call is made, by what earlier calls of its run have shown it. So a call is
judged by these sights, not by what was there when it began to be carried out.
"""

from __future__ import annotations

import threading
from collections.abc import Set
from typing import Any, NamedTuple

from concordant.storage import Address
from concordant.storage.forking import free_in_child
from concordant.workspace.scope import AgentRun, Scope
from concordant.workspace.visibility import task_of

__all__ = ["Audience", "ToolRead", "ToolReads", "decided_by"]

_MOST_READS = 256
_MOST_DOCUMENTS = 10_000


class ToolRead(NamedTuple):
    """What one call has shown: a document, or some of its fields, up to a commit.

    Attributes:
        origin: of the writes of the call's scope.
        call: the call, where its scope has several (``AgentRun.call``).
        turn: when it was decided.
        at: the commit.
        fields: which top-level fields; ``None``: the whole document.
        value: of the whole document, as JSON text or dict.
    """

    origin: str
    call: str
    turn: int
    at: int
    fields: frozenset[str] | None = None
    value: Any = None


class ToolReads:
    """What the calls of one agent run have shown it, by document."""

    __slots__ = ("_lock", "_of", "_parts", "_peers")

    def __init__(self) -> None:
        self._parts: dict[Address, tuple[int, frozenset[int]]] = {}
        self._peers: dict[str, set[str]] = {}
        self._of: dict[Address, tuple[ToolRead, ...]] = {}
        self._lock = free_in_child(threading.Lock())

    def add(self, document: Address, tool_read: ToolRead) -> None:
        """Notes what a call has shown."""
        with self._lock:
            known = self._of.pop(document, ())
            self._of[document] = (*known[-_MOST_READS:], tool_read)
            if len(self._of) > _MOST_DOCUMENTS:
                del self._of[next(iter(self._of))]

    def withdraw(self, document: Address, origin: str, call: str) -> None:
        """Forgets what a call has read: it has read that for itself, inside a write, and shown it to nobody."""
        with self._lock:
            known = self._of.get(document, ())
            kept = tuple(one for one in known if (one.origin, one.call) != (origin, call))
            if len(kept) < len(known):
                self._of[document] = kept

    def joined(self, message: str, origin: str) -> Set[str]:
        """Returns the origins of the calls that a message has decided, one more included."""
        with self._lock:
            peers = self._peers.setdefault(message, set())
            peers.add(origin)
            if len(self._peers) > _MOST_READS:
                del self._peers[next(iter(self._peers))]
        return peers

    def completes(self, document: Address, version: int, lines: range, total: int) -> bool:
        """Tells whether, with some lines of a text that are shown now, all of it has been shown at this version."""
        with self._lock:
            known, shown = self._parts.pop(document, (0, frozenset[int]()))
            shown = shown.union(lines) if known == version else frozenset(lines)
            self._parts[document] = version, shown
            if len(self._parts) > _MOST_DOCUMENTS:
                del self._parts[next(iter(self._parts))]
        return len(shown) >= total

    def of(self, document: Address) -> tuple[ToolRead, ...]:
        """Tells what was shown of a document, in this order."""
        return self._of.get(document, ())


class Audience(NamedTuple):
    """The run of the agent that makes a call, and what its calls have shown it."""

    run: AgentRun
    tool_reads: ToolReads


def decided_by(tool_read: ToolRead, scope: Scope, run: AgentRun) -> bool:
    """Tells whether a call can have been decided by what another one has shown: an earlier one, not made beside it."""
    if tool_read.origin == scope.origin and tool_read.call == run.call:
        return True
    if run.turn is not None and tool_read.turn >= run.turn:
        return False
    mine, theirs = task_of(scope.origin), task_of(tool_read.origin)
    if mine == theirs:
        return tool_read.origin == scope.origin  # not what another strand of the task was shown
    return scope.relation is None or scope.relation(mine, theirs) != "concurrent"
