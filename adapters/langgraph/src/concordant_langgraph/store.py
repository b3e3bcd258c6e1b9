"""``MergeStore``: LangGraph's store, with concurrent writes merged instead of lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

from langgraph.store.base import (
    NOT_PROVIDED,
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    NotProvided,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
)

from concordant import Document, Escalation, Event, Receipt, Workspace, run_waiting
from concordant_langgraph.filters import check_labels, check_namespace, matches, meets
from concordant_langgraph.items import MergedItem, MergedSearchItem
from concordant_langgraph.provider import task_scope

__all__ = ["MergeStore"]


class MergeStore(BaseStore):
    """A ``BaseStore`` that keeps what parallel nodes write: merged as declared, or escalated with all contenders.

    Args:
        schemas: a state model, or ``concordant.Schema(Model, ...)``, by namespace pattern. In a namespace without one
            sequential code gets what LangGraph's own stores give, and concurrent writes of one field escalate.
        workspace: an existing workspace to work on, instead of ``schemas``.
        undeclared: ``"reject"`` refuses writes to namespaces without a model.

    Raises:
        SchemaError: lists every fault of every model at once.

    >>> store = MergeStore()
    >>> store.put(("notes",), "n1", {"title": "Dots"})
    >>> store.get(("notes",), "n1").value
    {'title': 'Dots'}
    """

    __slots__ = ("_checked", "workspace")

    supports_ttl = False

    def __init__(
        self,
        schemas: Mapping[tuple[str, ...], Any] | None = None,
        *,
        workspace: Workspace | None = None,
        undeclared: Literal["merge", "reject"] = "merge",
    ) -> None:
        if workspace is not None and schemas is not None:
            raise TypeError("give schemas= or workspace=, not both: a workspace has its schemas already")
        self.workspace = workspace or Workspace(schemas=schemas, undeclared=undeclared)
        self.workspace.add_scope_provider(task_scope)
        self._checked: set[tuple[str, ...]] = set()

    # -- Concordant ----------------------------------------------------------------------------------------------

    def escalations(self, namespace: tuple[str, ...] = (), *, state: str = "open") -> list[Escalation]:
        """The escalations under a namespace prefix (``Workspace.escalations``)."""
        return self.workspace.escalations(namespace, state=state)

    def resolve(self, escalation: Escalation, value: Any, *, by: str) -> Receipt:
        """Decides an escalation (``Workspace.resolve``)."""
        return self.workspace.resolve(escalation, value, by=by)

    def on_escalation(self, callback: Callable[[Event], Any]) -> Callable[[], None]:
        """Calls back once for every transition of an escalation; returns a function that ends it."""
        return self.workspace.on_escalation(callback)

    def acting_as(self, name: str) -> AbstractContextManager[None]:
        """Names the agent of all calls inside the ``with``."""
        return self.workspace.acting_as(name)

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

        Raises:
            InvalidWriteError: the value cannot be stored under the namespace's model; nothing of it was applied.
            InvalidNamespaceError: as for every ``BaseStore``.
        """
        if namespace not in self._checked:
            self._check(namespace)
        if ttl is not NOT_PROVIDED and ttl is not None:
            _refuse_ttl()
        if value is None:
            self.workspace.remove(namespace, str(key))
        else:
            self.workspace.put(namespace, key if type(key) is str else str(key), value)

    def get(self, namespace: tuple[str, ...], key: str, *, refresh_ttl: bool | None = None) -> Item | None:
        """Reads an item: the merged value, with ``contested`` and ``version``."""
        document = self.workspace.read_current(namespace, key if type(key) is str else str(key))
        return None if document is None else MergedItem(document)

    def delete(self, namespace: tuple[str, ...], key: str) -> None:
        """Deletes an item as far as the writer has seen it."""
        check_labels(namespace)
        self.workspace.remove(namespace, str(key))

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
        await run_waiting(self.put, namespace, key, value, index, ttl=ttl)

    async def aget(self, namespace: tuple[str, ...], key: str, *, refresh_ttl: bool | None = None) -> Item | None:
        """``get`` for coroutines."""
        return self.get(namespace, key)

    async def adelete(self, namespace: tuple[str, ...], key: str) -> None:
        """``delete`` for coroutines."""
        await run_waiting(self.delete, namespace, key)

    # -- BaseStore, batches ----------------------------------------------------------------------------------------

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Runs operations together: reads see the state before them, puts apply in order, all or none."""
        results: list[Result] = []
        puts: list[PutOp] = []
        for op in ops:
            if isinstance(op, PutOp):
                if op.ttl is not None:
                    _refuse_ttl()
                puts.append(op)
                results.append(None)
            elif isinstance(op, GetOp):
                results.append(self.get(op.namespace, op.key))
            elif isinstance(op, SearchOp):
                results.append(self._search(op))
            elif isinstance(op, ListNamespacesOp):
                results.append(self._list_namespaces(op))
            else:
                raise ValueError(f"Unknown operation type: {type(op)}")
        if puts:
            self.workspace.put_all([(op.namespace, str(op.key), op.value, None) for op in self._effective(puts)])
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """``batch`` for coroutines."""
        results: list[Result] = await run_waiting(self.batch, ops)
        return results

    def _effective(self, puts: Sequence[PutOp]) -> list[PutOp]:
        """In a namespace without a model the last put of a key wins, as in LangGraph's own stores."""
        last: dict[tuple[Any, str], int] = {(op.namespace, str(op.key)): place for place, op in enumerate(puts)}
        return [
            op
            for place, op in enumerate(puts)
            if self.workspace.declares(op.namespace) or last[(op.namespace, str(op.key))] == place
        ]

    def _search(self, op: SearchOp) -> list[SearchItem]:
        found = []
        for document in self._documents(tuple(op.namespace_prefix)):
            if op.filter and not all(matches(document.value.get(name), part) for name, part in op.filter.items()):
                continue
            found.append(document)
            if op.offset >= 0 and op.limit >= 0 and len(found) >= op.offset + op.limit:
                break
        chosen = found[op.offset : op.offset + op.limit]
        self.workspace.mark_read(chosen)
        return [MergedSearchItem(document) for document in chosen]

    def _documents(self, prefix: tuple[str, ...]) -> Iterable[Document]:
        return self.workspace.documents_current(prefix)

    def _list_namespaces(self, op: ListNamespacesOp) -> list[tuple[str, ...]]:
        found = {document.namespace for document in self.workspace.list(())}
        if op.match_conditions:
            found = {ns for ns in found if all(meets(condition, ns) for condition in op.match_conditions)}
        if op.max_depth is not None:
            found = {ns[: op.max_depth] for ns in found}
        return sorted(found)[op.offset : op.offset + op.limit]

    def _check(self, namespace: tuple[str, ...]) -> None:
        check_namespace(namespace)
        if len(self._checked) < 100_000:
            self._checked.add(namespace)


def _refuse_ttl() -> None:
    raise NotImplementedError("TTL is not supported by this store: leave out ttl=.")
