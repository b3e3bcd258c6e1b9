"""``MergeStore``: LangGraph's store, with concurrent writes merged instead of lost."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, Self

from langgraph.store.base import NOT_PROVIDED, BaseStore, IndexConfig, Item, NotProvided, TTLConfig
from langgraph.store.memory import InMemoryStore

from concordant import ConcordantError, Workspace
from concordant.spi import note_read, told
from concordant_langgraph.adoption import Adoption
from concordant_langgraph.conflicts import Conflicts, OnConflict
from concordant_langgraph.filters import InvalidArgumentError, check_labels, check_namespace, key_of
from concordant_langgraph.inbox import InboxStore
from concordant_langgraph.items import MergedItem
from concordant_langgraph.listener import listen
from concordant_langgraph.once import Once
from concordant_langgraph.opening import Opening
from concordant_langgraph.provider import task_scope
from concordant_langgraph.resuming import resume
from concordant_langgraph.toolcalls import tool_call
from concordant_langgraph.vectors import vectors_beside
from concordant_langgraph.view import View

__all__ = ["MergeStore"]


class MergeStore(InboxStore):
    """A ``BaseStore`` that keeps what parallel nodes write: merged as declared, or escalated with all contenders.

    Args:
        schemas: a state model, or ``concordant.Schema(Model, ...)``, by namespace pattern. In a namespace without one
            sequential code gets what LangGraph's own stores give, and concurrent writes of one field escalate.
        workspace: an existing workspace to work on, instead of ``schemas``.
        undeclared: ``"tree"`` merges what has no model as a ``Tree()``, at any depth; ``"reject"`` refuses it.
        index: how to make vectors of the merged values for ``search(query=...)``, as for ``InMemoryStore``. They are in
            this process's memory; ``wrap`` takes a store that keeps them elsewhere.
        on_conflict: what a put does that opens an escalation or adds a contender to one, beyond recording it (and
            calling back ``on_escalation``). ``"stream"`` writes it to the custom stream of the run
            (``stream_mode="custom"``); ``"raise"`` raises ``PutConflictError`` in the node. The put is stored in any
            case. What a declared policy or resolver settles at once is no conflict here.
        ttl: LangGraph's ``TTLConfig``: how long items live where a put does not say (``default_ttl``, in minutes),
            whether reads refresh that (``refresh_on_read``), how often ``start_ttl_sweeper`` sweeps.

    Raises:
        SchemaError: lists every fault of every model at once.

    >>> store = MergeStore()
    >>> store.put(("notes",), "n1", {"title": "Dots"})
    >>> store.get(("notes",), "n1").value
    {'title': 'Dots'}
    """

    __slots__ = ("_checked",)

    def __init__(
        self,
        schemas: Mapping[tuple[str, ...], Any] | None = None,
        *,
        workspace: Workspace | None = None,
        undeclared: Literal["merge", "tree", "reject"] = "merge",
        index: IndexConfig | None = None,
        on_conflict: OnConflict = "record",
        ttl: TTLConfig | None = None,
    ) -> None:
        if not isinstance(on_conflict, str) or on_conflict not in ("record", "stream", "raise"):
            raise ConcordantError(f'on_conflict is "record", "stream" or "raise", not {told(on_conflict)}')
        if workspace is not None and schemas is not None:
            raise InvalidArgumentError("give schemas= or workspace=, not both: a workspace has its schemas already")
        if workspace is not None and not isinstance(workspace, Workspace):
            raise InvalidArgumentError(f"workspace= is a Workspace, not {told(workspace)}")
        super().__init__(ttl)
        self.workspace = workspace or Workspace(schemas=schemas, undeclared=undeclared)
        self.workspace.add_scope_provider(task_scope)
        listen()
        self._checked: set[tuple[str, ...]] = set()
        if on_conflict != "record":
            self._conflicts = Conflicts(self.workspace, on_conflict)
        if index:
            self._view = View(self.workspace, InMemoryStore(index=index), private=True)

    @classmethod
    def from_conn_string(
        cls,
        url: str,
        schemas: Mapping[tuple[str, ...], Any] | None = None,
        *,
        undeclared: Literal["merge", "tree", "reject"] = "merge",
        index: IndexConfig | None = None,
        on_conflict: OnConflict = "record",
        ttl: TTLConfig | None = None,
        options: Any = None,
    ) -> Opening[Self]:
        """A ``MergeStore`` on a database, for a ``with`` or an ``async with``, which closes it at its end.

        Args:
            url: ``"sqlite:///team.db"``, as for ``Workspace``.
            schemas: as for ``MergeStore``.
            undeclared: as for ``MergeStore``.
            index: as for ``MergeStore``, but the vectors are kept: of SQLite in a file beside it, of Postgres in a
                schema of their own (pgvector). Where that is impossible they are in this process's memory, and a
                warning says why.
            on_conflict: as for ``MergeStore``.
            ttl: as for ``MergeStore``; ``start_ttl_sweeper`` begins to sweep.
            options: settings of the database, as for ``Workspace``.

        >>> with MergeStore.from_conn_string("sqlite:///team.db") as store:
        ...     store.put(("notes",), "n1", {"title": "Dots"})
        >>> with MergeStore.from_conn_string("sqlite:///team.db") as store:
        ...     store.get(("notes",), "n1").value
        {'title': 'Dots'}
        """
        workspace = partial(Workspace, url, schemas=schemas, undeclared=undeclared, options=options)
        return Opening(lambda: cls._opened(workspace(), url, index, on_conflict, ttl))

    @classmethod
    def _opened(
        cls,
        workspace: Workspace,
        url: str | None,
        index: IndexConfig | None,
        on_conflict: OnConflict = "record",
        ttl: TTLConfig | None = None,
    ) -> Self:
        """A store over a workspace that was opened for it, with its vectors where the workspace has its documents."""
        try:
            vectors = vectors_beside(url, index) if url and index else None
            store = cls(workspace=workspace, index=None if vectors else index, on_conflict=on_conflict, ttl=ttl)
            if vectors:
                view = store._view = View(workspace, vectors.store, shared=True)
                store._first, store._end_view = Once(lambda: resume(workspace, view.outbox)), vectors.close
        except BaseException:
            workspace.close()
            raise
        return store

    def _end(self) -> None:
        """Closes what was opened for the store."""
        self.stop_ttl_sweeper()
        self.workspace.close()
        if self._end_view is not None:
            self._end_view()

    @classmethod
    def wrap(
        cls,
        inner: BaseStore,
        schemas: Mapping[tuple[str, ...], Any] | None = None,
        *,
        workspace: Workspace | None = None,
        undeclared: Literal["merge", "tree", "reject"] = "merge",
        on_conflict: OnConflict = "record",
        ttl: TTLConfig | None = None,
    ) -> Self:
        """A ``MergeStore`` that holds its merged values, and their vectors, in another store.

        What ``inner`` holds already is adopted by the first call, or by ``adopt``. From then on nobody else may write
        to it; several processes need a common ``workspace``.

        Args:
            inner: any ``BaseStore``; with an index ``search(query=...)`` ranks by it.
            schemas: as for ``MergeStore``.
            workspace: as for ``MergeStore``.
            undeclared: as for ``MergeStore``.
            on_conflict: as for ``MergeStore``.
            ttl: as for ``MergeStore``; else what ``inner`` has.

        >>> from langgraph.store.memory import InMemoryStore
        >>> inner = InMemoryStore()
        >>> inner.put(("notes",), "n1", {"title": "Dots"})
        >>> store = MergeStore.wrap(inner)
        >>> store.get(("notes",), "n1").value
        {'title': 'Dots'}
        """
        if not isinstance(inner, BaseStore):
            raise InvalidArgumentError(f"wrap takes a BaseStore, not {told(inner)}")
        if isinstance(inner, MergeStore):
            raise InvalidArgumentError("wrap takes a store that does not merge yet, not a MergeStore")
        store = cls(
            schemas, workspace=workspace, undeclared=undeclared, on_conflict=on_conflict, ttl=ttl or inner.ttl_config
        )
        store._view = View(store.workspace, inner)
        store._first = store._adoption = Adoption(store._view)
        return store

    # -- BaseStore, one item ---------------------------------------------------------------------------------------

    def put(
        self,
        namespace: tuple[str, ...],
        key: str,
        value: Mapping[str, Any] | None,
        index: Literal[False] | list[str] | None = None,
        *,
        ttl: float | NotProvided | None = NOT_PROVIDED,
    ) -> None:
        """Stores a value; what parallel writers store meanwhile is merged with it.

        Args:
            index: the paths to make vectors of, ``False`` for none. It holds until the next put, whoever else writes.
            ttl: for how many minutes the item is to live, from now and from each read that refreshes it; ``None``: for
                ever; not given: as the store's ``ttl=`` says. Of concurrent puts the longest counts.

        Raises:
            InvalidWriteError: the value cannot be stored under the namespace's model; nothing of it was applied.
            InvalidNamespaceError: as for every ``BaseStore``.
            PutConflictError: with ``on_conflict="raise"``; the value is stored.
        """
        if not self._knows(namespace):
            self._check(namespace)
        if type(key) is not str:
            key = key_of(key)
        plain = self._view is None and self._conflicts is None and index is None and value is not None
        if plain and tool_call() is None:
            seconds = self._default if ttl is NOT_PROVIDED else self._seconds(namespace, key, ttl)
            self.workspace.put(namespace, key, value, ttl=seconds)
        else:
            self._put(namespace, key, value, index, self._seconds(namespace, key, ttl))

    def get(self, namespace: tuple[str, ...], key: str, *, refresh_ttl: bool | None = None) -> Item | None:
        """Reads an item: the merged value, with ``contested`` and ``version``.

        Args:
            refresh_ttl: whether its time to live, if it has one, begins anew; else as the store's ``ttl=`` says.
        """
        if not self._knows(namespace):
            check_labels(namespace)
            if not namespace:
                return None
        if self._first is not None:
            self._open()
        if refresh_ttl is None:
            refresh_ttl = self._refreshes
        elif not isinstance(refresh_ttl, bool):
            raise InvalidArgumentError(f"refresh_ttl= is True, False or None, not {told(refresh_ttl)}")
        key = key if type(key) is str else key_of(key)
        document = self.workspace.read_current(namespace, key, refresh_ttl)
        if tool_call() is not None:
            note_read(self.workspace, namespace, key)
        return None if document is None else MergedItem(document)

    def delete(self, namespace: tuple[str, ...], key: str) -> None:
        """Deletes an item as far as the writer has seen it."""
        check_labels(namespace)
        if namespace:
            self._put(namespace, key_of(key), None, None, None)

    async def aput(
        self,
        namespace: tuple[str, ...],
        key: str,
        value: Mapping[str, Any] | None,
        index: Literal[False] | list[str] | None = None,
        *,
        ttl: float | NotProvided | None = NOT_PROVIDED,
    ) -> None:
        """``put`` for coroutines."""
        if not self._knows(namespace):
            self._check(namespace)
        key = key_of(key)
        await self._aput(namespace, key, value, index, self._seconds(namespace, key, ttl))

    async def aget(self, namespace: tuple[str, ...], key: str, *, refresh_ttl: bool | None = None) -> Item | None:
        """``get`` for coroutines."""
        check_labels(namespace)
        await self._aopen()
        return await self.workspace.acall(self.get, namespace, key, refresh_ttl=refresh_ttl)

    async def adelete(self, namespace: tuple[str, ...], key: str) -> None:
        """``delete`` for coroutines."""
        check_labels(namespace)
        if namespace:
            await self._aput(namespace, key_of(key), None, None, None)

    def _put(self, namespace: tuple[str, ...], key: str, value: Any, index: Any, ttl: float | None) -> None:
        self._open()
        with self._watch([(namespace, key, value)]):
            self._store(namespace, key, value, index, ttl)
            if self._view is not None:
                self._do(self._view.written([(namespace, key)]))

    async def _aput(self, namespace: tuple[str, ...], key: str, value: Any, index: Any, ttl: float | None) -> None:
        await self._aopen()
        async with self._awatch([(namespace, key, value)]):
            await self.workspace.acall(self._store, namespace, key, value, index, ttl)
            if self._view is not None:
                await self._ado(self._view.written([(namespace, key)]))

    def _knows(self, namespace: tuple[str, ...]) -> bool:
        """Whether a namespace has been checked."""
        try:
            return namespace in self._checked
        except Exception:  # what cannot be hashed is none
            return False

    def _check(self, namespace: tuple[str, ...]) -> None:
        check_namespace(namespace)
        if len(self._checked) < 100_000:
            self._checked.add(namespace)
