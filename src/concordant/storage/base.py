"""The storage protocol: load, apply and save a record in one transaction, and keep the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from concordant.causal import Stamp
from concordant.record import Record
from concordant.tree import LeafChange

__all__ = ["Namespace", "PutOff", "Row", "State", "Storage", "Update"]

Namespace: TypeAlias = tuple[str, ...]


class PutOff:
    """What a journal row needs so that its write can be applied later; ``changes`` once it was."""

    __slots__ = ("changes", "mark", "mode", "own", "replaces_all")

    def __init__(self, mode: str, mark: Any, replaces_all: bool, own: str | None) -> None:
        self.own = own
        self.mode = mode
        self.mark = mark
        self.replaces_all = replaces_all
        self.changes: Sequence[LeafChange] = ()


class Row(NamedTuple):
    """One change in the journal. The only write of a document is also its state: ``changes`` is ``None`` then and
    ``body`` is the whole value (a plain tuple of the same shape serves in the storage; it costs a fraction).

    ``n`` is the commit number, and the document's version; ``previous`` the version before. ``op`` is the identity of
    a put that may be executed again: (task, execution, ordinal, when the execution began). ``effect`` is what a put
    did that took the place of an earlier one, ``changes`` include taking that one back.
    """

    namespace: Namespace
    key: str
    n: int
    time: float
    agent: str
    origin: str
    act: str
    body: bytes | None
    changes: Sequence[LeafChange] | PutOff | None
    previous: int
    op: tuple[str, str, int, float] | None
    settled: tuple[tuple[tuple[str, ...], str], ...] = ()
    effect: Sequence[LeafChange] | None = None

    def stamp(self, replica: str) -> Stamp:
        """The stamp of the write that the row tells of."""
        return Stamp(self.time, replica, self.n, self.agent, self.origin, self.act)


State: TypeAlias = "tuple[Any, ...] | Record"
"""A document: the row of its only write, or its record."""

Update: TypeAlias = Callable[["State | None", int, float], "tuple[State | None, tuple[Any, ...]] | None"]
"""Computes (state, journal row) from (state, n, time) inside a transaction; ``None`` leaves all as it is."""


class Storage(Protocol):
    """What the workspace needs of a storage."""

    replica: str

    def commit(self, namespace: Namespace, key: str, update: Update) -> None:
        """Runs an update in a transaction; if it raises, nothing has changed."""
        ...

    def commit_all(self, updates: Sequence[tuple[Namespace, str, Update]]) -> None:
        """Runs updates in one transaction: all of them take effect, or, if one raises, none."""
        ...

    def load(self, namespace: Namespace, key: str) -> State | None:
        """The state of a document, ``None`` if there never was one."""
        ...

    def peek(self, namespace: Namespace, key: str) -> tuple[int, State | None]:
        """The number of a commit and the state of a document, which shows all of its commits up to that number; for
        states that never change (the row of an only write)."""
        ...

    def reading(self) -> Any:
        """A context in which no commit takes place."""
        ...

    def now(self) -> tuple[int, float]:
        """The number of the last commit, and the time."""
        ...

    def documents(self, prefix: Namespace) -> Iterator[tuple[Namespace, str, State]]:
        """All documents under a namespace prefix."""
        ...

    def rows(self, namespace: Namespace, key: str) -> Iterator[Row]:
        """The journal of a document, newest first."""
        ...

    def journal(self) -> Iterator[Row]:
        """The whole journal, newest first."""
        ...

    def changes(self, after: Any = None) -> tuple[Any, Sequence[tuple[Namespace, str]]]:
        """The documents that were committed to since an earlier call (``None``: all there are), each once.

        Args:
            after: the cursor that the earlier call gave; only a storage knows what it is made of.

        Returns:
            A cursor for the next call, and the documents; one may be told of again though nothing came of it.
        """
        ...

    def executed_before(self, task: str, execution: str) -> bool:
        """Whether another execution of a task than this one has written."""
        ...

    def advance(self, past: float) -> None:
        """Moves the clock past a time met in another replica's writes."""
        ...

    def forget(self, namespace: Namespace, key: str) -> None:
        """Takes a document out of the journal."""
        ...

    def close(self) -> None:
        """Releases what the storage holds."""
        ...
