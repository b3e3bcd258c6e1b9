"""The workspace: documents under schemas, agents that write them, escalations that agents and people settle."""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from concordant.errors import ConcordantError, StaleDecisionError
from concordant.storage import MemoryStorage
from concordant.workspace import replication
from concordant.workspace.agent import Agent
from concordant.workspace.decisions import DecisionPending
from concordant.workspace.document import Credit, Document, HistoryEntry, Receipt
from concordant.workspace.engine import Engine
from concordant.workspace.escalation import Escalation, Event
from concordant.workspace.history import blame, history, state_at
from concordant.workspace.resolving import awaited
from concordant.workspace.scope import Moment, Scope, TaskScope
from concordant.workspace.statistics import Stats, statistics

__all__ = ["Workspace"]


class Workspace(Engine):
    """State shared by agents.

    Args:
        url: where it is kept; ``None`` is this process's memory.
        schemas: a state model, or ``Schema(Model, ...)``, by namespace pattern (``*`` is one segment).
        undeclared: what happens to writes where no model is declared: ``"merge"`` treats each top-level field as a
            ``Scalar``, ``"reject"`` refuses them.
        journal: how many changes the journal keeps.
        read_marks: for how many seconds a read made without framework and name makes a later put of that document
            an edit of what it returned.
        frame_key: a secret with which frames are authenticated (``export``, ``import_``).
        replica: this store's name in dots; made up if not given. No two stores may share one.

    Raises:
        SchemaError: lists every fault of every model at once.

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
        undeclared: str = "merge",
        journal: int = 10_000,
        read_marks: float = 30.0,
        frame_key: bytes | None = None,
        replica: str | None = None,
    ) -> None:
        if url is not None:
            raise ConcordantError(f"no storage for {url!r}: this version keeps workspaces in memory, leave out the url")
        storage = MemoryStorage(replica or uuid.uuid4().hex[:12], journal)
        super().__init__(storage, schemas or {}, undeclared, read_marks)
        self._frame_key = frame_key

    # -- agents and scopes ---------------------------------------------------------------------------------------

    def agent(self, name: str, *, began: Moment | None = None) -> Agent:
        """A handle for an agent, with a scope of its own.

        Args:
            began: the common beginning of several workers (``moment()``); by default the task under way, or now.
        """
        if not isinstance(name, str) or not name:
            raise ConcordantError(f"an agent's name is a non-empty string, not {name!r}")
        return Agent(self, name, self._scope(name, began))

    def moment(self) -> Moment:
        """The present point in this store's history: picklable, for ``agent(name, began=...)`` in any worker."""
        with self.storage.reading():
            return Moment(self.storage.replica, *self.storage.now())

    def acting_as(self, name: str) -> AbstractContextManager[None]:
        """Names the agent of all calls inside the ``with``; outside a framework's task it also begins a scope."""
        return self.scoping.acting_as(name)

    def add_scope_provider(self, provider: Callable[[], TaskScope | None]) -> None:
        """Lets an adapter tell in which task of its framework a call is made."""
        self.scoping.add_provider(provider)

    # -- reading without moving a scope --------------------------------------------------------------------------

    def get(
        self, namespace: tuple[str, ...], key: str, *, at: int | None = None, strict: bool = False
    ) -> Document | None:
        """Reads a document; no scope has seen it for that.

        Args:
            at: a version, to read the document as it was then.
            strict: raise ``ContestedError`` if it has open escalations.

        Raises:
            HistoryExpiredError: the journal does not reach back to ``at``.
        """
        schema = self.registry.find(namespace)
        with self.storage.reading():
            state = self.storage.load(namespace, key)
            if at is not None:
                past = state_at(self.storage, schema, namespace, key, state, at)
                if past is not state:
                    return self._document(namespace, key, past, schema, past=True)
            return self._document(namespace, key, state, schema, strict=strict)

    def list(self, prefix: tuple[str, ...] = ()) -> Iterator[Document]:
        """All documents whose namespace begins with ``prefix``."""
        for namespace, key, _ in self.storage.documents(tuple(prefix)):
            document = self.get(namespace, key)
            if document is not None:
                yield document

    def history(self, namespace: tuple[str, ...], key: str) -> list[HistoryEntry]:
        """The changes of a document, newest first, as far as the journal reaches."""
        with self.storage.reading():
            return [*history(self.storage, self.registry.find(namespace), namespace, key)]

    def blame(self, namespace: tuple[str, ...], key: str) -> dict[tuple[str, ...], tuple[Credit, ...]]:
        """Who stands for each live value, by path: one credit for a scalar, one for each element, item or span.

        >>> ws = Workspace()
        >>> _ = ws.agent("ada").write(("plans",), "launch", {"status": "draft"})
        >>> ws.blame(("plans",), "launch")[("status",)][0].agents
        ('ada',)
        """
        with self.storage.reading():
            state = self.storage.load(namespace, key)
            return blame(self.registry.find(namespace), state, self.storage.replica)

    def stats(self) -> Stats:
        """What became of the writes in the journal, and how many escalations there are."""
        return statistics(self.storage, self.inbox)

    # -- escalations ---------------------------------------------------------------------------------------------

    def escalations(self, namespace: tuple[str, ...] = (), *, state: str = "open") -> list[Escalation]:
        """The escalations under a namespace prefix.

        Args:
            state: ``"open"`` (claimed ones included), ``"claimed"``, one of the closed states, or ``"all"``.
        """
        known = ("open", "claimed", "resolved", "dismissed", "superseded", "agreed", "all")
        if state not in known:
            raise ConcordantError(f"unknown state {state!r}: use one of {', '.join(known)}")
        return list(self.inbox.list(tuple(namespace), state))

    def resolve(self, escalation: Escalation, value: Any, *, by: str) -> Receipt:
        """Decides an escalation: ``value`` takes the place of all its contenders.

        Args:
            value: a contender's value or another of the field's type; ``DELETED`` decides for a deletion; for reason
                ``text`` the text of the contested range.
            by: who decides.

        Raises:
            StaleDecisionError: the contenders changed since, or it is no longer open.
            InvalidWriteError: the value does not fit the field.
        """
        return self._decide(escalation, value, by, dismisses=False)

    def dismiss(self, escalation: Escalation, *, by: str) -> Receipt:
        """Decides against all contenders: the last agreed value stands, or none if there was none."""
        return self._decide(escalation, None, by, dismisses=True)

    def claim(self, escalation: Escalation, *, by: str) -> Escalation:
        """Tells others that somebody is working on it; it stays open.

        Raises:
            StaleDecisionError: it is no longer open, or its contenders changed.
        """
        document = (escalation.namespace, escalation.key)
        with self.storage.reading():
            current = self.inbox.find(escalation.id, document)
            if current is None or current.state not in ("open", "claimed") or current.version != escalation.version:
                raise StaleDecisionError(escalation, current)
            claimed = self.inbox.claim(current, by)
        self.subscribers.deliver([Event("claimed", claimed)])
        return claimed

    def on_escalation(self, callback: Callable[[Event], Any]) -> Callable[[], None]:
        """Calls ``callback`` once for every transition of an escalation, after the commit, in the writer's thread.

        Returns:
            A function that ends the subscription.
        """
        return self.subscribers.add(callback)

    def _decide(self, escalation: Escalation, value: Any, by: str, *, dismisses: bool) -> Receipt:
        if not isinstance(by, str) or not by:
            raise ConcordantError(f"by= names who decides, as a non-empty string, not {by!r}")
        namespace, key = escalation.namespace, escalation.key
        scope = Scope(by, f"{self.storage.replica}:decision", None, 0.0)
        schema = self.registry.find(namespace)
        pending = DecisionPending(schema, self.inbox, self.storage.replica, namespace, key, scope, None, "decide")
        pending.escalation, pending.chosen, pending.dismisses = escalation, value, dismisses
        pending.act = "dismiss" if dismisses else "resolve"
        return self._commit(pending)

    # -- replicas, privacy, the end ------------------------------------------------------------------------------

    def export(self, since: Moment | None = None) -> bytes:
        """A frame with all documents, or those changed here since a moment, for ``import_`` in another workspace."""
        return replication.export(self, since, self._frame_key)

    def import_(self, frame: bytes) -> int:
        """Joins a frame's documents with those here; returns how many changed.

        Raises:
            CorruptFrameError: the frame is not intact or not authentic; nothing was applied.
        """
        return replication.import_(self, frame, self._frame_key)

    def purge(self, namespace: tuple[str, ...], key: str) -> None:
        """Erases a document's content and journal for good; a bare tombstone remains, so that it does not come back
        from a replica."""
        replication.purge(self, namespace, key)

    def close(self) -> None:
        """Releases the storage."""
        self.storage.close()

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- twins for coroutines ------------------------------------------------------------------------------------

    async def aget(self, namespace: tuple[str, ...], key: str, *, at: int | None = None, strict: bool = False) -> Document | None:
        """``get`` for coroutines."""
        return await self._async(self.get, namespace, key, at=at, strict=strict)

    async def alist(self, prefix: tuple[str, ...] = ()) -> builtins.list[Document]:
        """``list`` for coroutines, as a list."""
        return await self._async(lambda: [*self.list(prefix)])

    async def ahistory(self, namespace: tuple[str, ...], key: str) -> builtins.list[HistoryEntry]:
        """``history`` for coroutines."""
        return await self._async(self.history, namespace, key)

    async def ablame(self, namespace: tuple[str, ...], key: str) -> dict[tuple[str, ...], tuple[Credit, ...]]:
        """``blame`` for coroutines."""
        return await self._async(self.blame, namespace, key)

    async def astats(self) -> Stats:
        """``stats`` for coroutines."""
        return await self._async(self.stats)

    async def aescalations(self, namespace: tuple[str, ...] = (), *, state: str = "open") -> builtins.list[Escalation]:
        """``escalations`` for coroutines."""
        return await self._async(self.escalations, namespace, state=state)

    async def aresolve(self, escalation: Escalation, value: Any, *, by: str) -> Receipt:
        """``resolve`` for coroutines."""
        return await self._async(self.resolve, escalation, value, by=by)

    async def adismiss(self, escalation: Escalation, *, by: str) -> Receipt:
        """``dismiss`` for coroutines."""
        return await self._async(self.dismiss, escalation, by=by)

    async def aclaim(self, escalation: Escalation, *, by: str) -> Escalation:
        """``claim`` for coroutines."""
        return await self._async(self.claim, escalation, by=by)

    async def apurge(self, namespace: tuple[str, ...], key: str) -> None:
        """``purge`` for coroutines."""
        await self._async(self.purge, namespace, key)

    async def aexport(self, since: Moment | None = None) -> bytes:
        """``export`` for coroutines."""
        return await self._async(self.export, since)

    async def aimport_(self, frame: bytes) -> int:
        """``import_`` for coroutines."""
        return await self._async(self.import_, frame)

    async def _async(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Runs a call and waits for the async resolvers that it started."""
        tasks: builtins.list[Awaitable[None]] = []
        token = awaited.set(tasks)  # type: ignore[arg-type]
        try:
            result = function(*args, **kwargs)
        finally:
            awaited.reset(token)
        for task in tasks:
            await task
        return result


