"""What a batch of operations does: reads of the state before it, then puts, all of them or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from typing import Any

from langgraph.store.base import GetOp, ListNamespacesOp, Op, PutOp, Result, SearchItem, SearchOp, TTLConfig

from concordant import ConcordantError, Document
from concordant.spi import Condition, put_said, told
from concordant_langgraph.conflicts import Conflicts, Put
from concordant_langgraph.expiring import ExpiringStore
from concordant_langgraph.filters import (
    InvalidOperationError,
    check_op,
    check_prefix,
    conditions,
    key_of,
    literal,
    matches,
    meets,
)
from concordant_langgraph.items import MergedSearchItem
from concordant_langgraph.steps import Steps
from concordant_langgraph.texts import checked_index
from concordant_langgraph.toolcalls import tool_call

__all__ = ["BatchStore"]

_AS_THE_STORE_SAYS = {"index": None}


class BatchStore(ExpiringStore):
    """A store that carries out operations on a workspace."""

    __slots__ = ("_conflicts",)

    def __init__(self, ttl: TTLConfig | None = None) -> None:
        super().__init__(ttl)
        self._conflicts: Conflicts | None = None

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Runs operations together: reads see the state before them, puts apply in order, all or none."""
        ops = _checked(ops)
        self._open()
        results, puts, queries = self._read(ops)
        if queries:
            self._do(self._rank(queries, results))
        if puts:
            with self._watch([(op.namespace, key_of(op.key), op.value) for op in puts]):
                written = self._put_all(puts)
                if self._view is not None:
                    self._do(self._view.written(written))
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """``batch`` for coroutines."""
        ops = _checked(ops)
        await self._aopen()
        results, puts, queries = await self.workspace.acall(self._read, ops)
        if queries:
            await self._ado(self._rank(queries, results))
        if puts:
            async with self._awatch([(op.namespace, key_of(op.key), op.value) for op in puts]):
                written = await self.workspace.acall(self._put_all, puts)
                if self._view is not None:
                    await self._ado(self._view.written(written))
        return results

    def search(self, namespace_prefix: tuple[str, ...], /, **options: Any) -> list[SearchItem]:
        """Items under a prefix, as on every ``BaseStore``: best match first where there is a query and an index."""
        check_prefix(namespace_prefix)
        return super().search(namespace_prefix, **options)

    async def asearch(self, namespace_prefix: tuple[str, ...], /, **options: Any) -> list[SearchItem]:
        """``search`` for coroutines."""
        check_prefix(namespace_prefix)
        return await super().asearch(namespace_prefix, **options)

    def list_namespaces(self, *, prefix: Any = None, suffix: Any = None, **options: Any) -> list[tuple[str, ...]]:
        """The namespaces that hold items, as on every ``BaseStore``."""
        check_prefix(() if prefix is None else prefix)
        check_prefix(() if suffix is None else suffix)
        return super().list_namespaces(prefix=prefix, suffix=suffix, **options)

    async def alist_namespaces(
        self, *, prefix: Any = None, suffix: Any = None, **options: Any
    ) -> list[tuple[str, ...]]:
        """``list_namespaces`` for coroutines."""
        check_prefix(() if prefix is None else prefix)
        check_prefix(() if suffix is None else suffix)
        return await super().alist_namespaces(prefix=prefix, suffix=suffix, **options)

    def _read(self, ops: Iterable[Op]) -> tuple[list[Result], list[PutOp], list[tuple[int, SearchOp]]]:
        """The results of all operations that only read records; the puts; the places and operations that rank."""
        results: list[Result] = []
        puts: list[PutOp] = []
        queries: list[tuple[int, SearchOp]] = []
        for op in ops:
            if isinstance(op, PutOp):
                puts.append(op)
                results.append(None)
            elif isinstance(op, GetOp):
                results.append(self.get(op.namespace, op.key, refresh_ttl=op.refresh_ttl))
            elif isinstance(op, SearchOp):
                if op.query and self._view is not None and self._view.indexing.ranks:
                    queries.append((len(results), op))
                    results.append(None)
                else:
                    results.append(self._search(op))
            elif isinstance(op, ListNamespacesOp):
                results.append(self._list_namespaces(op))
        return results, puts, queries

    def _watch(self, puts: Sequence[Put]) -> AbstractContextManager[None]:
        """Surrounds the storing of puts, for whoever is to be told of conflicts."""
        return self._conflicts.watch(puts) if self._conflicts is not None else nullcontext()

    def _awatch(self, puts: Sequence[Put]) -> AbstractAsyncContextManager[None]:
        return self._conflicts.awatch(puts) if self._conflicts is not None else nullcontext()

    def _store(self, namespace: tuple[str, ...], key: str, value: Any, index: Any, ttl: float | None) -> None:
        if value is None:
            self.workspace.remove(namespace, key)
            return
        settings, call = self._settings(namespace, key, index), tool_call()
        if call is None:
            self.workspace.put(namespace, key, value, settings=settings, ttl=ttl)
        else:
            put_said(self.workspace, namespace, key, value, call.says, settings=settings, ttl=ttl)

    def _put_all(self, puts: Sequence[PutOp]) -> list[tuple[tuple[str, ...], str]]:
        """Stores all of them or none; returns which documents that were."""
        chosen = [(op, key_of(op.key)) for op in self._effective(puts)]
        self.workspace.put_all(
            [
                (
                    op.namespace,
                    key,
                    op.value,
                    self._settings(op.namespace, key, op.index),
                    self._seconds(op.namespace, key, op.ttl),
                )
                for op, key in chosen
            ]
        )
        return [(op.namespace, key) for op, key in chosen]

    def _settings(self, namespace: tuple[str, ...], key: str, index: Any) -> Mapping[str, Any] | None:
        """What a put says beside the value. One that says nothing has its document indexed as the store says."""
        if index is None:
            return _AS_THE_STORE_SAYS if self._view is not None else None
        return {"index": checked_index(namespace, key, index)}

    def _effective(self, puts: Sequence[PutOp]) -> list[PutOp]:
        """In a namespace without a model the last put of a key wins, as in LangGraph's own stores."""
        last: dict[tuple[Any, str], int] = {(op.namespace, key_of(op.key)): place for place, op in enumerate(puts)}
        return [
            op
            for place, op in enumerate(puts)
            if self.workspace.declares(op.namespace) or last[(op.namespace, key_of(op.key))] == place
        ]

    def _search(self, op: SearchOp) -> list[SearchItem]:
        found = []
        wanted = _conditions(op.filter) if op.filter else ()
        for document in self.workspace.documents_current(tuple(op.namespace_prefix), wanted):
            if not _accepted(document, op):
                continue
            found.append(document)
            if op.offset >= 0 and op.limit >= 0 and len(found) >= op.offset + op.limit:
                break
        chosen = found[op.offset : op.offset + op.limit]
        self._note(chosen, op)
        return [MergedSearchItem(document) for document in chosen]

    def _rank(self, queries: list[tuple[int, SearchOp]], results: list[Result]) -> Steps[None]:
        assert self._view is not None
        for place, op in queries:
            ranked = yield from self._view.ranked(op, lambda document, op=op: _accepted(document, op))  # type: ignore[misc]
            self._note([document for document, _ in ranked], op)
            items: list[SearchItem] = [MergedSearchItem(document, score) for document, score in ranked]
            results[place] = items

    def _note(self, found: Sequence[Document], op: SearchOp) -> None:
        """Counts what a search gives as read."""
        self.workspace.mark_read(found)
        if op.refresh_ttl:
            self.workspace.touch(found)

    def _list_namespaces(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        given = op.match_conditions or ()
        found = set(self.workspace.namespaces(literal(given)))
        if given:
            found = {ns for ns in found if all(meets(condition, ns) for condition in given)}
        if op.max_depth is not None:
            found = {ns[: op.max_depth] for ns in found}
        return sorted(found)[op.offset : op.offset + op.limit]


def _checked(ops: Any) -> list[Op]:
    """Operations, all of which can be carried out; one that cannot fails its batch before anything is done."""
    try:
        given: list[Op] = list(ops)
    except Exception as error:
        raise InvalidOperationError(f"a batch is a list of operations, not {told(ops)}") from error
    for op in given:
        check_op(op)
    return given


def _accepted(document: Document, op: SearchOp) -> bool:
    """Whether a document meets a search's filter."""
    try:
        return not op.filter or all(matches(document.value.get(name), part) for name, part in op.filter.items())
    except ConcordantError:
        raise
    except Exception as error:  # nested too deep, or of things that do not compare
        raise InvalidOperationError(f"filter= holds what no value can be compared with: {told(op.filter)}") from error


def _conditions(wanted: Any) -> tuple[Condition, ...]:
    try:
        return tuple(conditions(wanted))
    except Exception as error:
        raise InvalidOperationError(f"filter= is no dict of conditions: {told(wanted)}") from error
