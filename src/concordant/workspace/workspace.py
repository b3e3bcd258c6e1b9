"""The workspace: documents under schemas, agents that write them, escalations that agents and people settle."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

from concordant.causal import VersionVector
from concordant.errors import ConcordantError, told
from concordant.escalation import Escalation
from concordant.limits import Limits
from concordant.storage import KeyValueStore, Storage, open_storage, plugged
from concordant.workspace.calls import Calls, Listing
from concordant.workspace.checking import Checked
from concordant.workspace.document import Credit, Document, HistoryEntry, Receipt
from concordant.workspace.names import check_name
from concordant.workspace.registry import Registry
from concordant.workspace.scope import Moment
from concordant.workspace.statistics import Stats
from concordant.workspace.upkeep import DELETED_KEPT, JOURNAL_KEPT, REMOVED_KEPT, Vacuumed

__all__ = ["Workspace"]

MOST_ROWS = 2**31
"""The most that a journal in memory can be asked to keep."""


class Workspace(Calls):
    """State shared by agents.

    Args:
        url: where it is kept: ``"sqlite:///team.db"`` (one file, many processes on one machine); ``None`` is this
            process's memory.
        schemas: a state model, or ``Schema(Model, ...)``, by namespace pattern (``*`` is one segment).
        undeclared: what happens to writes where no model is declared: ``"merge"`` treats each top-level field as a
            ``Scalar``, ``"reject"`` refuses them.
        journal: how many changes the journal keeps in memory.
        read_marks: for how many seconds a read made without framework and name makes a later put of that document
            an edit of what it returned.
        frame_key: a secret with which frames are authenticated (``export``, ``import_``).
        replica: this store's name in dots; made up if not given. No two stores may share one.
        limits: what is refused, or shown in part (``Limits``, docs/limits.md).
        options: settings of the database (``SqliteOptions``).
        storage: where it is kept, instead of a url: a ``KeyValueStore`` of your own (docs/storages.md), or a whole
            ``Storage``; of one workspace, and closed with it.

    Raises:
        SchemaError: lists every fault of every model at once.
        StorageError: the database cannot be opened.

    >>> ws = Workspace()
    >>> ada, bob = ws.agent("ada"), ws.agent("bob")
    >>> _ = ada.write(("plans",), "launch", {"status": "draft"})
    >>> _ = bob.write(("plans",), "launch", {"status": "final"})
    >>> [str(e) for e in ws.escalations()]
    ["plans:launch status (scalar, open): 'draft' by ada, 'final' by bob"]
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        schemas: Mapping[tuple[str, ...], Any] | None = None,
        undeclared: Literal["merge", "reject"] = "merge",
        journal: int = 10_000,
        read_marks: float = 30.0,
        frame_key: bytes | None = None,
        replica: str | None = None,
        options: Any = None,
        limits: Limits | None = None,
        storage: Storage | KeyValueStore | None = None,
    ) -> None:
        limits = Limits() if limits is None else limits
        registry = Registry({} if schemas is None else schemas, undeclared, limits)
        _check_settings(journal, read_marks, frame_key, replica)
        if not isinstance(limits, Limits):
            raise ConcordantError(f"limits= is Limits(...), not {told(limits)}")
        if storage is None:
            kept = open_storage(url, replica, journal, options)
        else:
            kept = plugged(storage, url, replica, options)
        kept.limits = limits
        super().__init__(kept, registry, read_marks)
        self._frame_key = frame_key

    async def aget(
        self, namespace: tuple[str, ...], key: str, *, at: int | None = None, strict: bool = False
    ) -> Document | None:
        """``get`` for coroutines."""
        return await self.acall(self.get, namespace, key, at=at, strict=strict)

    async def alist(self, prefix: tuple[str, ...] = ()) -> Listing[Document]:
        """``list`` for coroutines, as a list."""
        return await self.acall(lambda: [*self.list(prefix)])

    async def ahistory(self, namespace: tuple[str, ...], key: str) -> Listing[HistoryEntry]:
        """``history`` for coroutines."""
        return await self.acall(self.history, namespace, key)

    async def alog(
        self, prefix: tuple[str, ...] = (), *, agent: str | None = None, before: int | None = None, limit: int = 100
    ) -> Listing[HistoryEntry]:
        """``log`` for coroutines."""
        return await self.acall(self.log, prefix, agent=agent, before=before, limit=limit)

    async def ablame(self, namespace: tuple[str, ...], key: str) -> dict[tuple[str, ...], tuple[Credit, ...]]:
        """``blame`` for coroutines."""
        return await self.acall(self.blame, namespace, key)

    async def astats(self) -> Stats:
        """``stats`` for coroutines."""
        return await self.acall(self.stats)

    async def aescalations(self, namespace: tuple[str, ...] = (), *, state: str = "open") -> Listing[Escalation]:
        """``escalations`` for coroutines."""
        return await self.acall(self.escalations, namespace, state=state)

    async def aescalation(self, id: str) -> Escalation | None:
        """``escalation`` for coroutines."""
        return await self.acall(self.escalation, id)

    async def aresolve(
        self, escalation: Escalation | str, value: Any, *, by: str, version: str | None = None
    ) -> Receipt:
        """``resolve`` for coroutines."""
        return await self.acall(self.resolve, escalation, value, by=by, version=version)

    async def adismiss(self, escalation: Escalation | str, *, by: str, version: str | None = None) -> Receipt:
        """``dismiss`` for coroutines."""
        return await self.acall(self.dismiss, escalation, by=by, version=version)

    async def aclaim(self, escalation: Escalation | str, *, by: str, version: str | None = None) -> Escalation:
        """``claim`` for coroutines."""
        return await self.acall(self.claim, escalation, by=by, version=version)

    async def areopen(self, escalation: Escalation | str, *, by: str) -> Escalation:
        """``reopen`` for coroutines."""
        return await self.acall(self.reopen, escalation, by=by)

    async def arestore(self, namespace: tuple[str, ...], key: str, version: int, *, by: str) -> Receipt:
        """``restore`` for coroutines."""
        return await self.acall(self.restore, namespace, key, version, by=by)

    async def apurge(self, namespace: tuple[str, ...], key: str) -> None:
        """``purge`` for coroutines."""
        await self.acall(self.purge, namespace, key)

    async def asweep(self) -> int:
        """``sweep`` for coroutines."""
        return await self.acall(self.sweep)

    async def aexport(self, since: VersionVector | Moment | None = None) -> bytes:
        """``export`` for coroutines."""
        return await self.acall(self.export, since)

    async def aimport_(self, frame: bytes) -> int:
        """``import_`` for coroutines."""
        return await self.acall(self.import_, frame)

    async def aexchange(self, other: Workspace) -> tuple[int, int]:
        """``exchange`` for coroutines."""
        return await self.acall(self.exchange, other)

    async def acheck(self, *, quarantine: bool = False) -> Checked:
        """``check`` for coroutines."""
        return await self.acall(self.check, quarantine=quarantine)

    async def avacuum(
        self,
        *,
        journal: timedelta = JOURNAL_KEPT,
        deleted: timedelta = DELETED_KEPT,
        removed: timedelta = REMOVED_KEPT,
    ) -> Vacuumed:
        """``vacuum`` for coroutines."""
        return await self.acall(self.vacuum, journal=journal, deleted=deleted, removed=removed)


def _check_settings(journal: Any, read_marks: Any, frame_key: Any, replica: Any) -> None:
    if not isinstance(journal, int) or isinstance(journal, bool) or not 0 <= journal <= MOST_ROWS:
        raise ConcordantError(f"journal= is a number of changes, not {told(journal)}")
    if not isinstance(read_marks, (int, float)) or not read_marks >= 0:
        raise ConcordantError(f"read_marks= is a number of seconds, not {told(read_marks)}")
    if frame_key is not None and not isinstance(frame_key, (bytes, bytearray)):
        raise ConcordantError(f"frame_key= is a secret as bytes, not a {type(frame_key).__name__}")
    if replica is not None:
        check_name(replica, "replica=")
