"""What a store can be asked about escalations and the past: the workspace's own calls, where a user of LangGraph is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from concordant import Credit, Escalation, Event, HistoryEntry, Moment, Receipt
from concordant_langgraph.batches import BatchStore

__all__ = ["InboxStore"]


class InboxStore(BatchStore):
    """A store with its workspace's inbox and journal. Each call is ``Workspace``'s of the same name."""

    __slots__ = ()

    def escalations(self, namespace: tuple[str, ...] = (), *, state: str = "open") -> list[Escalation]:
        """The escalations under a namespace prefix (``Workspace.escalations``)."""
        return self.workspace.escalations(namespace, state=state)

    async def aescalations(self, namespace: tuple[str, ...] = (), *, state: str = "open") -> list[Escalation]:
        """``escalations`` for coroutines."""
        return await self.workspace.aescalations(namespace, state=state)

    def escalation(self, id: str) -> Escalation | None:
        """The escalation with an id (``Workspace.escalation``)."""
        return self.workspace.escalation(id)

    async def aescalation(self, id: str) -> Escalation | None:
        """``escalation`` for coroutines."""
        return await self.workspace.aescalation(id)

    def resolve(self, escalation: Escalation | str, value: Any, *, by: str, version: str | None = None) -> Receipt:
        """Decides an escalation (``Workspace.resolve``)."""
        self._open()
        receipt = self.workspace.resolve(escalation, value, by=by, version=version)
        self._decided(escalation)
        return receipt

    async def aresolve(
        self, escalation: Escalation | str, value: Any, *, by: str, version: str | None = None
    ) -> Receipt:
        """``resolve`` for coroutines."""
        await self._aopen()
        receipt = await self.workspace.aresolve(escalation, value, by=by, version=version)
        await self._adecided(escalation)
        return receipt

    def dismiss(self, escalation: Escalation | str, *, by: str, version: str | None = None) -> Receipt:
        """Decides against all contenders (``Workspace.dismiss``)."""
        self._open()
        receipt = self.workspace.dismiss(escalation, by=by, version=version)
        self._decided(escalation)
        return receipt

    async def adismiss(self, escalation: Escalation | str, *, by: str, version: str | None = None) -> Receipt:
        """``dismiss`` for coroutines."""
        await self._aopen()
        receipt = await self.workspace.adismiss(escalation, by=by, version=version)
        await self._adecided(escalation)
        return receipt

    def claim(self, escalation: Escalation | str, *, by: str, version: str | None = None) -> Escalation:
        """Tells others that somebody is working on an escalation (``Workspace.claim``)."""
        return self.workspace.claim(escalation, by=by, version=version)

    async def aclaim(self, escalation: Escalation | str, *, by: str, version: str | None = None) -> Escalation:
        """``claim`` for coroutines."""
        return await self.workspace.aclaim(escalation, by=by, version=version)

    def on_escalation(self, callback: Callable[[Event], Any]) -> Callable[[], None]:
        """Calls back once for every transition of an escalation; returns a function that ends it."""
        return self.workspace.on_escalation(callback)

    def blame(self, namespace: tuple[str, ...], key: str) -> dict[tuple[str, ...], tuple[Credit, ...]]:
        """Who stands for each live value, by path (``Workspace.blame``)."""
        return self.workspace.blame(namespace, key)

    async def ablame(self, namespace: tuple[str, ...], key: str) -> dict[tuple[str, ...], tuple[Credit, ...]]:
        """``blame`` for coroutines."""
        return await self.workspace.ablame(namespace, key)

    def history(self, namespace: tuple[str, ...], key: str) -> list[HistoryEntry]:
        """The changes of an item, newest first (``Workspace.history``)."""
        return self.workspace.history(namespace, key)

    async def ahistory(self, namespace: tuple[str, ...], key: str) -> list[HistoryEntry]:
        """``history`` for coroutines."""
        return await self.workspace.ahistory(namespace, key)

    def acting_as(
        self, name: str, *, seen: str | Iterable[str] | None = None, began: Moment | None = None
    ) -> AbstractContextManager[None]:
        """Names the agent of all calls inside the ``with`` (``Workspace.acting_as``).

        Args:
            seen: the token of what it has seen, ``store.workspace.get(...).token``, or several.
            began: when it began, ``store.workspace.moment()``.
        """
        return self.workspace.acting_as(name, seen=seen, began=began)

    def _decided(self, escalation: Escalation | str) -> None:
        if self._view is not None:
            self._do(self._view.written(self._place(escalation)))

    async def _adecided(self, escalation: Escalation | str) -> None:
        if self._view is not None:
            await self._ado(self._view.written(await self.workspace.acall(self._place, escalation)))

    def _place(self, escalation: Escalation | str) -> list[tuple[tuple[str, ...], str]]:
        found = self.workspace.escalation(escalation) if isinstance(escalation, str) else escalation
        return [(found.namespace, found.key)] if found is not None else []
