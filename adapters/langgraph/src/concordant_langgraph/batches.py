"""What a batch of operations does: reads of the state before it, then puts, all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, TypeAlias

from langgraph.store.base import GetOp, ListNamespacesOp, Op, PutOp, Result, SearchItem, SearchOp

from concordant import ConcordantError, Document, Workspace
from concordant.spi import Condition, put_said, told
from concordant_langgraph.filters import (
    InvalidOperationError,
    check_op,
    conditions,
    key_of,
    literal,
    matches,
    meets,
)
from concordant_langgraph.items import MergedItem, MergedSearchItem
from concordant_langgraph.lifetimes import Lifetimes
from concordant_langgraph.mirror import Mirror
from concordant_langgraph.steps import Steps
from concordant_langgraph.texts import checked_index
from concordant_langgraph.toolcalls import tool_call

__all__ = ["Batches", "checked"]

Place: TypeAlias = "tuple[tuple[str, ...], str]"

_AS_THE_STORE_SAYS = {"index": None}


class Batches:
    """Carries out operations on a workspace.

    Args:
        workspace: where documents are.
        mirror: the view of them, by which queries are ranked.
        lifetimes: how long what is put lives.
    """

    __slots__ = ("_lifetimes", "_mirror", "_workspace")

    def __init__(self, workspace: Workspace, mirror: Mirror, lifetimes: Lifetimes) -> None:
        self._workspace = workspace
        self._mirror = mirror
        self._lifetimes = lifetimes

    def read(
        self, ops: Sequence[Op], get: Callable[..., Result]
    ) -> tuple[list[Result], list[PutOp], list[tuple[int, SearchOp]]]:
        """Returns the results of all operations that only read records; the puts; the places and operations that rank.

        What a put of the same batch says was decided before the batch was carried out: no read of it counts for that.
        """
        results: list[Result] = []
        puts = [op for op in ops if isinstance(op, PutOp)]
        places = _places(puts)
        queries: list[tuple[int, SearchOp]] = []
        for op in ops:
            if isinstance(op, PutOp):
                results.append(None)
            elif isinstance(op, GetOp):
                beside = (op.namespace, key_of(op.key)) in places
                results.append(self._get(op) if beside else get(op.namespace, op.key, refresh_ttl=op.refresh_ttl))
            elif isinstance(op, SearchOp):
                if op.query and self._mirror.ranks:
                    queries.append((len(results), op))
                    results.append(None)
                else:
                    results.append(self._search(op, places))
            elif isinstance(op, ListNamespacesOp):
                results.append(self._list_namespaces(op))
        return results, puts, queries

    def store(self, namespace: tuple[str, ...], key: str, value: Any, index: Any, ttl: float | None) -> None:
        """Stores one value, or with ``None`` deletes."""
        if value is None:
            self._workspace.remove(namespace, key)
            return
        settings, call = self._settings(namespace, key, index), tool_call()
        if call is None:
            self._workspace.put(namespace, key, value, settings=settings, ttl=ttl)
        else:
            put_said(self._workspace, namespace, key, value, call.says, settings=settings, ttl=ttl)

    async def astore(self, namespace: tuple[str, ...], key: str, value: Any, index: Any, ttl: float | None) -> None:
        """Runs ``store`` for coroutines."""
        if value is None:
            await self._workspace.aremove(namespace, key)
        elif tool_call() is None:
            settings = self._settings(namespace, key, index)
            await self._workspace.aput(namespace, key, value, settings=settings, ttl=ttl)
        else:
            await self._workspace.acall(self.store, namespace, key, value, index, ttl)

    def put_all(self, puts: Sequence[PutOp]) -> list[tuple[tuple[str, ...], str]]:
        """Stores all of them or none; returns which documents that were."""
        chosen = [(op, key_of(op.key)) for op in self._effective(puts)]
        self._workspace.put_all(
            [
                (
                    op.namespace,
                    key,
                    op.value,
                    self._settings(op.namespace, key, op.index),
                    self._lifetimes.seconds(op.namespace, key, op.ttl),
                )
                for op, key in chosen
            ]
        )
        return [(op.namespace, key) for op, key in chosen]

    def _settings(self, namespace: tuple[str, ...], key: str, index: Any) -> Mapping[str, Any] | None:
        """What a put says beside the value. One that says nothing has its document indexed as the store says."""
        if index is None:
            return _AS_THE_STORE_SAYS if self._mirror.view is not None else None
        return {"index": checked_index(namespace, key, index)}

    def _effective(self, puts: Sequence[PutOp]) -> list[PutOp]:
        """In a namespace without a model the last put of a key wins, as in LangGraph's own stores."""
        last: dict[tuple[Any, str], int] = {(op.namespace, key_of(op.key)): place for place, op in enumerate(puts)}
        return [
            op
            for place, op in enumerate(puts)
            if self._workspace.declares(op.namespace) or last[(op.namespace, key_of(op.key))] == place
        ]

    def _get(self, op: GetOp) -> Result:
        """Reads a document without having read it."""
        document = self._workspace.document_current(op.namespace, key_of(op.key))
        if document is None:
            return None
        if op.refresh_ttl if op.refresh_ttl is not None else self._lifetimes.refreshes:
            self._workspace.touch([document])
        return MergedItem(document)

    def _search(self, op: SearchOp, places: Set[Place]) -> list[SearchItem]:
        found = []
        wanted = _conditions(op.filter) if op.filter else ()
        for document in self._workspace.documents_current(tuple(op.namespace_prefix), wanted):
            if not _accepted(document, op):
                continue
            found.append(document)
            if op.offset >= 0 and op.limit >= 0 and len(found) >= op.offset + op.limit:
                break
        chosen = found[op.offset : op.offset + op.limit]
        self._note(chosen, op, places)
        return [MergedSearchItem(document) for document in chosen]

    def rank(self, queries: list[tuple[int, SearchOp]], results: list[Result], puts: Sequence[PutOp]) -> Steps[None]:
        """Puts the results of operations that rank into their places."""
        assert self._mirror.view is not None
        for place, op in queries:
            ranked = yield from self._mirror.view.ranked(op, lambda document, op=op: _accepted(document, op))  # type: ignore[misc]
            self._note([document for document, _ in ranked], op, _places(puts))
            items: list[SearchItem] = [MergedSearchItem(document, score) for document, score in ranked]
            results[place] = items

    def _note(self, found: Sequence[Document], op: SearchOp, places: Set[Place]) -> None:
        """Counts what a search gives as read, but for what is put in the same batch."""
        self._workspace.mark_read([d for d in found if (d.namespace, d.key) not in places] if places else found)
        if op.refresh_ttl:
            self._workspace.touch(found)

    def _list_namespaces(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        given = op.match_conditions or ()
        found = set(self._workspace.namespaces(literal(given)))
        if given:
            found = {ns for ns in found if all(meets(condition, ns) for condition in given)}
        if op.max_depth is not None:
            found = {ns[: op.max_depth] for ns in found}
        return sorted(found)[op.offset : op.offset + op.limit]


def _places(puts: Sequence[PutOp]) -> Set[Place]:
    return {(op.namespace, key_of(op.key)) for op in puts}


def checked(ops: Any) -> list[Op]:
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
