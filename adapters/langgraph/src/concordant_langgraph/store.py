"""``MergeStore``: LangGraph's store, with concurrent writes merged instead of lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Literal, Self

from langgraph.store.base import (
    NOT_PROVIDED,
    BaseStore,
    IndexConfig,
    Item,
    NotProvided,
    Op,
    Result,
    SearchItem,
    TTLConfig,
)
from langgraph.store.memory import InMemoryStore

from concordant import ConcordantError, Credit, Escalation, Event, HistoryEntry, Moment, Receipt, Workspace
from concordant.spi import note_read, told
from concordant_langgraph.adoption import Adoption
from concordant_langgraph.batches import Batches, checked
from concordant_langgraph.conflicts import Conflicts, OnConflict, Put
from concordant_langgraph.filters import InvalidArgumentError, check_labels, check_namespace, check_prefix, key_of
from concordant_langgraph.items import MergedItem
from concordant_langgraph.lifetimes import Lifetimes
from concordant_langgraph.listener import listen
from concordant_langgraph.mirror import Mirror
from concordant_langgraph.opening import Opening
from concordant_langgraph.provider import task_scope
from concordant_langgraph.resuming import resume
from concordant_langgraph.steps import RunOnce
from concordant_langgraph.toolcalls import tool_call
from concordant_langgraph.vectors import vectors_beside
from concordant_langgraph.view import StoreView

__all__ = ["MergeStore"]


class MergeStore(BaseStore):
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

    __slots__ = ("_batches", "_checked", "_conflicts", "_lifetimes", "_mirror", "workspace")

    supports_ttl = True

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
        self._lifetimes = Lifetimes(ttl)
        self._mirror = Mirror()
        self.workspace = workspace or Workspace(schemas=schemas, undeclared=undeclared)
        self._batches = Batches(self.workspace, self._mirror, self._lifetimes)
        self.workspace.add_scope_provider(task_scope)
        listen()
        self._checked: set[tuple[str, ...]] = set()
        self._conflicts = Conflicts(self.workspace, on_conflict) if on_conflict != "record" else None
        if index:
            self._mirror.view = StoreView(self.workspace, InMemoryStore(index=index), private=True)

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
        """Returns a ``MergeStore`` on a database, for a ``with`` or an ``async with``, which closes it at its end.

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
        return Opening(lambda: cls._opened(workspace(), url, index, on_conflict, ttl), cls._end)

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
                view = store._mirror.view = StoreView(workspace, vectors.store, shared=True)
                store._mirror.first = RunOnce(lambda: resume(workspace, view.backlog))
                store._mirror.end = vectors.close
        except BaseException:
            workspace.close()
            raise
        return store

    def _end(self) -> None:
        """Closes what was opened for the store."""
        self.stop_ttl_sweeper()
        self.workspace.close()
        if self._mirror.end is not None:
            self._mirror.end()

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
        """Returns a ``MergeStore`` that holds its merged values, and their vectors, in another store.

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
        mirror = store._mirror
        mirror.view = StoreView(store.workspace, inner)
        mirror.first = mirror.adoption = Adoption(mirror.view)
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
        try:
            is_known = namespace in self._checked
        except Exception:  # what cannot be hashed is none
            is_known = False
        if not is_known:
            self._check(namespace)
        if type(key) is not str:
            key = key_of(key)
        # In the condition itself, which Python reads in half the steps that it takes to keep what it says.
        if (
            self._mirror.view is None
            and self._conflicts is None
            and index is None
            and value is not None
            and tool_call() is None
        ):
            seconds = self._lifetimes.default if ttl is NOT_PROVIDED else self._lifetimes.seconds(namespace, key, ttl)
            self.workspace.put(namespace, key, value, None, None, None, seconds)  # names would double the call's price
        else:
            self._put(namespace, key, value, index, self._lifetimes.seconds(namespace, key, ttl))

    def get(self, namespace: tuple[str, ...], key: str, *, refresh_ttl: bool | None = None) -> Item | None:
        """Reads an item: the merged value, with ``contested`` and ``version``.

        Args:
            refresh_ttl: whether its time to live, if it has one, begins anew; else as the store's ``ttl=`` says.
        """
        try:
            is_known = namespace in self._checked
        except Exception:  # what cannot be hashed is none
            is_known = False
        if not is_known:
            check_labels(namespace)
            if not namespace:
                return None
        if self._mirror.first is not None:
            self._mirror.open()
        if refresh_ttl is not None and not isinstance(refresh_ttl, bool):
            raise InvalidArgumentError(f"refresh_ttl= is True, False or None, not {told(refresh_ttl)}")
        document = self.workspace.read_current(namespace, key if type(key) is str else key_of(key))
        if tool_call() is not None:
            note_read(self.workspace, namespace, key_of(key))
        if document is None:
            return None
        if document.has_end and (self._lifetimes.refreshes if refresh_ttl is None else refresh_ttl):
            self.workspace.touch([document])
        return MergedItem(document)

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
        """Runs ``put`` for coroutines."""
        try:
            is_known = namespace in self._checked
        except Exception:  # what cannot be hashed is none
            is_known = False
        if not is_known:
            self._check(namespace)
        if type(key) is not str:
            key = key_of(key)
        if (
            self._mirror.view is None
            and self._conflicts is None
            and index is None
            and value is not None
            and tool_call() is None
        ):
            seconds = self._lifetimes.default if ttl is NOT_PROVIDED else self._lifetimes.seconds(namespace, key, ttl)
            await self.workspace.aput(namespace, key, value, ttl=seconds)
        else:
            await self._aput(namespace, key, value, index, self._lifetimes.seconds(namespace, key, ttl))

    async def aget(self, namespace: tuple[str, ...], key: str, *, refresh_ttl: bool | None = None) -> Item | None:
        """Runs ``get`` for coroutines."""
        check_labels(namespace)
        await self._mirror.aopen()
        return await self.workspace.acall(self.get, namespace, key, refresh_ttl=refresh_ttl)

    async def adelete(self, namespace: tuple[str, ...], key: str) -> None:
        """Runs ``delete`` for coroutines."""
        check_labels(namespace)
        if namespace:
            await self._aput(namespace, key_of(key), None, None, None)

    # -- BaseStore, many items -------------------------------------------------------------------------------------

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Runs operations together: reads see the state before them, puts apply in order, all or none.

        A read of the batch is none for a put of it, whose value was there before.
        """
        ops = checked(ops)
        self._mirror.open()
        results, puts, queries = self._batches.read(ops, self.get)
        if queries:
            self._mirror.do(self._batches.rank(queries, results, puts))
        if puts:
            with self._watch([(op.namespace, key_of(op.key), op.value) for op in puts]):
                self._mirror.written(self._batches.put_all(puts))
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Runs ``batch`` for coroutines."""
        ops = checked(ops)
        await self._mirror.aopen()
        results, puts, queries = await self.workspace.acall(self._batches.read, ops, self.get)
        if queries:
            await self._mirror.ado(self._batches.rank(queries, results, puts))
        if puts:
            async with self._awatch([(op.namespace, key_of(op.key), op.value) for op in puts]):
                await self._mirror.awritten(await self.workspace.acall(self._batches.put_all, puts))
        return results

    def search(self, namespace_prefix: tuple[str, ...], /, **options: Any) -> list[SearchItem]:
        """Items under a prefix, as on every ``BaseStore``: best match first where there is a query and an index."""
        check_prefix(namespace_prefix)
        return super().search(namespace_prefix, **options)

    async def asearch(self, namespace_prefix: tuple[str, ...], /, **options: Any) -> list[SearchItem]:
        """Runs ``search`` for coroutines."""
        check_prefix(namespace_prefix)
        return await super().asearch(namespace_prefix, **options)

    def list_namespaces(self, *, prefix: Any = None, suffix: Any = None, **options: Any) -> list[tuple[str, ...]]:
        """Returns the namespaces that hold items, as on every ``BaseStore``."""
        check_prefix(() if prefix is None else prefix)
        check_prefix(() if suffix is None else suffix)
        return super().list_namespaces(prefix=prefix, suffix=suffix, **options)

    async def alist_namespaces(
        self, *, prefix: Any = None, suffix: Any = None, **options: Any
    ) -> list[tuple[str, ...]]:
        """Runs ``list_namespaces`` for coroutines."""
        check_prefix(() if prefix is None else prefix)
        check_prefix(() if suffix is None else suffix)
        return await super().alist_namespaces(prefix=prefix, suffix=suffix, **options)

    # -- time to live ------------------------------------------------------------------------------------------------

    @property
    def ttl_config(self) -> TTLConfig | None:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
        """How long items live where a put does not say, and whether reads refresh that."""
        return self._lifetimes.ttl

    def sweep_ttl(self) -> int:
        """Clears away what has expired, its vectors included; returns how many items that were.

        Reads show no expired item, swept or not: the sweep is for the room they take.
        """
        self._mirror.open()
        count = self.workspace.sweep()
        self._mirror.catch_up()
        return count

    async def asweep_ttl(self) -> int:
        """Runs ``sweep_ttl`` for coroutines."""
        await self._mirror.aopen()
        count = await self.workspace.asweep()
        await self._mirror.acatch_up()
        return count

    def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> Future[None]:
        """Sweeps every few minutes, in a thread that ends with ``stop_ttl_sweeper`` or with the store.

        Args:
            sweep_interval_minutes: how often; else as ``ttl=`` of the store says, else every 5 minutes. Without either
                nothing is started, as in LangGraph's own stores.

        Returns:
            A future that is done when the sweeper has ended; cancelling it stops the sweeper.
        """
        return self._lifetimes.start(self, sweep_interval_minutes)

    def stop_ttl_sweeper(self, timeout: float | None = None) -> bool:
        """Stops the sweeper, if there is one.

        Args:
            timeout: for how many seconds to wait for a sweep under way; ``None``: to its end.

        Returns:
            Whether it has ended.
        """
        return self._lifetimes.stop(timeout)

    # -- the view ----------------------------------------------------------------------------------------------------

    @property
    def index_config(self) -> IndexConfig | None:
        """How vectors are made, if they are."""
        return self._mirror.index_config

    def adopt(self) -> int:
        """Makes documents of the items that a wrapped store holds and that are none yet; returns how many.

        The first call of any other method does it too. Call this at the start of a service, where it may take as long
        as reading all items takes.

        Raises:
            AdoptionError: lists the items that do not fit the models declared for them.
        """
        return self._mirror.do(self._mirror.adoption.adopt()) if self._mirror.adoption is not None else 0

    async def aadopt(self) -> int:
        """Runs ``adopt`` for coroutines."""
        return await self._mirror.ado(self._mirror.adoption.adopt()) if self._mirror.adoption is not None else 0

    def catch_up(self) -> int:
        """Brings the vectors up to everything written so far, by whatever way; returns how many documents still wait.

        Puts and searches do it by themselves. It is for writes made through ``workspace`` that others are to find in a
        wrapped store, and for trying again what failed.
        """
        self._mirror.open()
        return self._mirror.catch_up(early=True)

    async def acatch_up(self) -> int:
        """Runs ``catch_up`` for coroutines."""
        await self._mirror.aopen()
        return await self._mirror.acatch_up(early=True)

    # -- the workspace's inbox and journal ---------------------------------------------------------------------------

    def escalations(self, namespace: tuple[str, ...] = (), *, state: str = "open") -> list[Escalation]:
        """Returns the escalations under a namespace prefix (``Workspace.escalations``)."""
        return self.workspace.escalations(namespace, state=state)

    async def aescalations(self, namespace: tuple[str, ...] = (), *, state: str = "open") -> list[Escalation]:
        """Runs ``escalations`` for coroutines."""
        return await self.workspace.aescalations(namespace, state=state)

    def escalation(self, id: str) -> Escalation | None:
        """Returns the escalation with an id (``Workspace.escalation``)."""
        return self.workspace.escalation(id)

    async def aescalation(self, id: str) -> Escalation | None:
        """Runs ``escalation`` for coroutines."""
        return await self.workspace.aescalation(id)

    def resolve(
        self, escalation: Escalation | str, value: Any, *, by: str, version: str | None = None, why: str | None = None
    ) -> Receipt:
        """Decides an escalation (``Workspace.resolve``)."""
        self._mirror.open()
        receipt = self.workspace.resolve(escalation, value, by=by, version=version, why=why)
        self._mirror.written(self._place(escalation))
        return receipt

    async def aresolve(
        self, escalation: Escalation | str, value: Any, *, by: str, version: str | None = None, why: str | None = None
    ) -> Receipt:
        """Runs ``resolve`` for coroutines."""
        await self._mirror.aopen()
        receipt = await self.workspace.aresolve(escalation, value, by=by, version=version, why=why)
        await self._mirror.awritten(await self.workspace.acall(self._place, escalation))
        return receipt

    def dismiss(
        self, escalation: Escalation | str, *, by: str, version: str | None = None, why: str | None = None
    ) -> Receipt:
        """Decides against all contenders (``Workspace.dismiss``)."""
        self._mirror.open()
        receipt = self.workspace.dismiss(escalation, by=by, version=version, why=why)
        self._mirror.written(self._place(escalation))
        return receipt

    async def adismiss(
        self, escalation: Escalation | str, *, by: str, version: str | None = None, why: str | None = None
    ) -> Receipt:
        """Runs ``dismiss`` for coroutines."""
        await self._mirror.aopen()
        receipt = await self.workspace.adismiss(escalation, by=by, version=version, why=why)
        await self._mirror.awritten(await self.workspace.acall(self._place, escalation))
        return receipt

    def claim(self, escalation: Escalation | str, *, by: str, version: str | None = None) -> Escalation:
        """Tells others that somebody is working on an escalation (``Workspace.claim``)."""
        return self.workspace.claim(escalation, by=by, version=version)

    async def aclaim(self, escalation: Escalation | str, *, by: str, version: str | None = None) -> Escalation:
        """Runs ``claim`` for coroutines."""
        return await self.workspace.aclaim(escalation, by=by, version=version)

    def on_escalation(self, callback: Callable[[Event], Any]) -> Callable[[], None]:
        """Calls back once for every transition of an escalation; returns a function that ends it."""
        return self.workspace.on_escalation(callback)

    def blame(self, namespace: tuple[str, ...], key: str) -> dict[tuple[str, ...], tuple[Credit, ...]]:
        """Tells who stands for each live value, by path (``Workspace.blame``)."""
        return self.workspace.blame(namespace, key)

    async def ablame(self, namespace: tuple[str, ...], key: str) -> dict[tuple[str, ...], tuple[Credit, ...]]:
        """Runs ``blame`` for coroutines."""
        return await self.workspace.ablame(namespace, key)

    def history(self, namespace: tuple[str, ...], key: str) -> list[HistoryEntry]:
        """Returns the changes of an item, newest first (``Workspace.history``)."""
        return self.workspace.history(namespace, key)

    async def ahistory(self, namespace: tuple[str, ...], key: str) -> list[HistoryEntry]:
        """Runs ``history`` for coroutines."""
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

    def _place(self, escalation: Escalation | str) -> list[tuple[tuple[str, ...], str]]:
        found = self.workspace.escalation(escalation) if isinstance(escalation, str) else escalation
        return [(found.namespace, found.key)] if found is not None else []

    # -- how ---------------------------------------------------------------------------------------------------------

    def _watch(self, puts: Sequence[Put]) -> AbstractContextManager[None]:
        """Surrounds the storing of puts, for whoever is to be told of conflicts."""
        return self._conflicts.watch(puts) if self._conflicts is not None else nullcontext()

    def _awatch(self, puts: Sequence[Put]) -> AbstractAsyncContextManager[None]:
        return self._conflicts.awatch(puts) if self._conflicts is not None else nullcontext()

    def _put(self, namespace: tuple[str, ...], key: str, value: Any, index: Any, ttl: float | None) -> None:
        self._mirror.open()
        with self._watch([(namespace, key, value)]):
            self._batches.store(namespace, key, value, index, ttl)
            self._mirror.written([(namespace, key)])

    async def _aput(self, namespace: tuple[str, ...], key: str, value: Any, index: Any, ttl: float | None) -> None:
        await self._mirror.aopen()
        async with self._awatch([(namespace, key, value)]):
            await self._batches.astore(namespace, key, value, index, ttl)
            await self._mirror.awritten([(namespace, key)])

    def _check(self, namespace: tuple[str, ...]) -> None:
        check_namespace(namespace)
        if len(self._checked) < 100_000:
            self._checked.add(namespace)
