"""Opening a store that already holds items: they become documents, and what it lacks is made due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from langgraph.store.base import BaseStore, Item, ListNamespacesOp, SearchOp

from concordant import ConcordantError, InvalidWriteError
from concordant.spi import Address
from concordant_langgraph.steps import RunOnce, Steps
from concordant_langgraph.view import StoreView

__all__ = ["Adoption", "AdoptionError"]

NAMESPACES = 100
"""How many namespaces are read together."""

EVERYTHING = 2**31 - 1
"""As a limit. Pages would be no safe way: SQL stores order by times that many items share."""


class AdoptionError(ConcordantError, ValueError):
    """The wrapped store holds items that do not fit their models; ``refused`` has an ``InvalidWriteError`` for each.

    The items are as they were. Those that fit have been adopted.
    """

    def __init__(self, refused: Sequence[InvalidWriteError]) -> None:
        self.refused = tuple(refused)
        shown = "\n".join(
            f"  - {'/'.join(error.namespace)}:{error.key}: {fault}" for error in refused[:5] for fault in error.faults
        )
        more = f"\n  and {len(refused) - 5} more items" if len(refused) > 5 else ""
        super().__init__(
            f"{len(refused)} items of the wrapped store do not fit the models declared for them, none was changed:\n"
            f"{shown}{more}\nMend the models or the items, or declare no model for these namespaces."
        )


class Adoption(RunOnce):
    """Takes over what a wrapped store holds, once, by the first caller.

    An item that the workspace has no document of becomes one, as it is, with its times. Of a document that is there,
    or was deleted, the record is the truth: where the item differs, it is due to be brought up to date.
    """

    def __init__(self, view: StoreView) -> None:
        self._view = view
        self._refusal: AdoptionError | None = None
        super().__init__(self._adopt_or_refuse)

    def _adopt_or_refuse(self) -> Steps[int]:
        if self._refusal is not None:
            raise self._refusal
        return self.adopt()

    def adopt(self) -> Steps[int]:
        """Adopts what is not a document yet; returns how many items that were.

        Raises:
            AdoptionError: lists every item that does not fit its model.
        """
        workspace, store = self._view.workspace, self._view.store
        if _is_sqlite(store):
            yield lambda: _delete_vectors_too(store)
        cursor, known = workspace.changes()
        due = dict.fromkeys(known)
        adopted: dict[Address, int] = {}
        refused: list[InvalidWriteError] = []
        for item in (yield from self._items()):
            address = (tuple(item.namespace), item.key)
            try:
                version = workspace.adopt(
                    *address,
                    item.value,
                    by=type(store).__name__,
                    created_at=_aware(item.created_at),
                    updated_at=_aware(item.updated_at),
                )
            except InvalidWriteError as error:
                refused.append(error)
                continue
            if version:
                adopted[address] = version
                continue
            document = workspace.get(*address)
            if document is not None and document.value == item.value:
                due.pop(address, None)
            else:
                due[address] = None
        cursor, changed = workspace.changes(cursor)
        for address in changed:
            document = workspace.get(*address)
            if document is None or document.version != adopted.get(address):
                due[address] = None
        self._view.backlog.begin(cursor, due)
        if refused:
            self._refusal = AdoptionError(refused)
            raise self._refusal
        self._refusal, self.done = None, True
        return len(adopted)

    def _items(self) -> Steps[list[Item]]:
        found: list[Item] = []
        namespaces: list[tuple[str, ...]] = []
        while True:
            [page] = yield [ListNamespacesOp(limit=1000, offset=len(namespaces))]
            namespaces += [tuple(namespace) for namespace in page]
            if len(page) < 1000:
                break
        for start in range(0, len(namespaces), NAMESPACES):
            some = namespaces[start : start + NAMESPACES]
            results = yield [SearchOp(namespace, limit=EVERYTHING, refresh_ttl=False) for namespace in some]
            for namespace, items in zip(some, results, strict=True):
                found += [item for item in items if tuple(item.namespace) == namespace]  # not those further down
        return found


def _aware(time: datetime) -> datetime:
    """SQLite's times are UTC, and do not say so."""
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _is_sqlite(store: BaseStore) -> bool:
    return type(store).__module__.startswith("langgraph.store.sqlite")


def _delete_vectors_too(store: Any) -> Any:
    """Has SQLite do what the tables of LangGraph's store declare, that vectors go with their item: it does so only for
    connections that ask."""
    pragma = "PRAGMA foreign_keys = ON"
    if hasattr(store.lock, "__enter__"):
        with store.lock:
            store.conn.execute(pragma)
        return None

    async def ask() -> None:
        async with store.lock:
            await store.conn.execute(pragma)

    return ask()
