"""What a store can be asked about escalations and the past: the workspace's own calls, where a user of LangGraph is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from concordant import Credit, Escalation, Event, HistoryEntry, Receipt
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

    def resolve(self, escalation: Escalation, value: Any, *, by: str) -> Receipt:
        """Decides an escalation (``Workspace.resolve``)."""
        self._open()
        receipt = self.workspace.resolve(escalation, value, by=by)
        self._decided(escalation)
        return receipt

    async def aresolve(self, escalation: Escalation, value: Any, *, by: str) -> Receipt:
        """``resolve`` for coroutines."""
        await self._aopen()
        receipt = await self.workspace.aresolve(escalation, value, by=by)
        await self._adecided(escalation)
        return receipt

    def dismiss(self, escalation: Escalation, *, by: str) -> Receipt:
        """Decides against all contenders (``Workspace.dismiss``)."""
        self._open()
        receipt = self.workspace.dismiss(escalation, by=by)
        self._decided(escalation)
        return receipt

    async def adismiss(self, escalation: Escalation, *, by: str) -> Receipt:
        """``dismiss`` for coroutines."""
        await self._aopen()
        receipt = await self.workspace.adismiss(escalation, by=by)
        await self._adecided(escalation)
        return receipt

    def claim(self, escalation: Escalation, *, by: str) -> Escalation:
        """Tells others that somebody is working on an escalation (``Workspace.claim``)."""
        return self.workspace.claim(escalation, by=by)

    async def aclaim(self, escalation: Escalation, *, by: str) -> Escalation:
        """``claim`` for coroutines."""
        return await self.workspace.aclaim(escalation, by=by)

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

    def acting_as(self, name: str) -> AbstractContextManager[None]:
        """Names the agent of all calls inside the ``with``."""
        return self.workspace.acting_as(name)

    def _decided(self, escalation: Escalation) -> None:
        if self._view is not None:
            self._do(self._view.written([(escalation.namespace, escalation.key)]))

    async def _adecided(self, escalation: Escalation) -> None:
        if self._view is not None:
            await self._ado(self._view.written([(escalation.namespace, escalation.key)]))
