"""What every call goes through: scopes, marks, commits, reads. ``Workspace`` gives it its face."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from concordant.errors import ContestedError, Fault, InvalidWriteError
from concordant.record import Earlier, Record
from concordant.record.apply import without
from concordant.causal import Stamp
from concordant.schema import Compiled
from concordant.storage import MemoryStorage, Row, State
from concordant.values import Unstorable, decode, encode
from concordant.workspace.commits import Pending, changes_of, current_view, expanded, version_of
from concordant.workspace.document import Document, Receipt
from concordant.workspace.escalation import Escalation, escalation_of
from concordant.workspace.inbox import Inbox
from concordant.workspace.registry import Registry
from concordant.workspace.resolving import Subscribers
from concordant.workspace.scope import Mark, Moment, Scope
from concordant.workspace.scoping import Scoping

__all__ = ["Draft", "Engine"]

Namespace = tuple[str, ...]


class Draft:
    """An edit under way: the object in the user's hands, and what it was when it was read."""

    __slots__ = ("base", "before", "key", "mark", "namespace", "object", "schema")

    def __init__(self, namespace: Namespace, key: str, schema: Compiled, base: dict[str, Any], mark: Mark) -> None:
        self.namespace = namespace
        self.key = key
        self.schema = schema
        self.base = base
        self.mark = mark
        if schema.declared:
            self.object: Any = schema.build(base)
            self.before = decode(schema.incoming(namespace, key, schema.values_of(self.object))[0])
        else:
            self.object = decode(encode(base))
            self.before = base


class Engine:
    """Scopes, storage, schemas and inbox of a workspace, and the ways through them."""

    def __init__(
        self, storage: MemoryStorage, schemas: Mapping[Namespace, Any], undeclared: str, read_marks: float
    ) -> None:
        self.storage = storage
        self.registry = Registry(schemas, undeclared)
        self.inbox = Inbox()
        self.scoping = Scoping(storage, read_marks)
        self.subscribers = Subscribers(self)  # type: ignore[arg-type]

    # -- writing -------------------------------------------------------------------------------------------------

    def put(self, namespace: Namespace, key: str, value: Any, scope: Scope | None = None) -> Receipt:
        """Stores as a store's put does: an edit of the fields given as far as they were read, else a contribution;
        in a namespace without a model the document is replaced as far as it has been seen."""
        return self._commit(self._put(namespace, key, value, scope))

    def remove(self, namespace: Namespace, key: str, scope: Scope | None = None) -> Receipt:
        """Deletes as a store's delete does."""
        return self._commit(self._removal(namespace, key, scope))

    def put_all(self, puts: Sequence[tuple[Namespace, str, Any]]) -> None:
        """Puts (or, with the value ``None``, removes) several documents in one transaction: all of them or none."""
        scope = self.scoping.current()
        kept = {p[:2]: (scope.mark(p[:2]), scope.ordinals.get(p[:2])) for p in puts} if scope is not None else {}
        writes: list[Pending] = []
        try:
            for namespace, key, value in puts:
                if value is None:
                    writes.append(self._removal(namespace, key, scope))
                else:
                    writes.append(self._put(namespace, key, value, scope))
            self.storage.commit_all([(write.namespace, write.key, write.update) for write in writes])
        except BaseException:
            if scope is not None:
                for document, (mark, ordinal) in kept.items():
                    scope.set_mark(document, mark)
                    if ordinal is None:
                        scope.ordinals.pop(document, None)
                    else:
                        scope.ordinals[document] = ordinal
            raise
        events = [event for write in writes for event in write.events]
        if events:
            self.subscribers.deliver(events)

    def declares(self, namespace: Namespace) -> bool:
        """Whether the namespace has a model."""
        return self.registry.find(namespace).declared

    def _put(self, namespace: Namespace, key: str, value: Any, scope: Scope | None) -> Pending:
        document = (namespace, key)
        if scope is None:
            scope = self.scoping.current() or self.scoping.alone(document)
        schema = self.registry.writable(namespace, key)
        mark = scope.mark(document)
        pending = Pending(schema, self.inbox, self.storage.replica, namespace, key, scope, mark, "put")
        self._fill(pending, schema, value)
        pending.replaces_all = not schema.declared
        if scope.task is not None:
            self._identify(pending, scope, document)
        if scope.origin:
            scope.set_mark(document, self._own_put(mark, pending, schema))
        return pending

    def _removal(self, namespace: Namespace, key: str, scope: Scope | None) -> Pending:
        document = (namespace, key)
        if scope is None:
            scope = self.scoping.current() or self.scoping.alone(document)
        schema = self.registry.writable(namespace, key)
        mark = scope.mark(document)
        pending = Pending(schema, self.inbox, self.storage.replica, namespace, key, scope, mark, "delete")
        if scope.task is not None:
            self._identify(pending, scope, document)
        if scope.origin:
            scope.set_mark(document, Mark(mark.at if mark else -1, {}))
        return pending

    def _fill(self, pending: Pending, schema: Compiled, value: Any) -> None:
        """Validates the value of a write."""
        namespace, key = pending.namespace, pending.key
        try:
            if schema.declared:
                pending.body, pending.parked = schema.incoming(namespace, key, value)
            else:
                if not isinstance(value, dict):
                    if not isinstance(value, Mapping):
                        fault = Fault((), f"a {type(value).__name__} is no mapping", "Give a dict of fields", value)
                        raise InvalidWriteError(namespace, key, [fault])
                    value = dict(value)
                pending.body = encode(value)
        except Unstorable as error:
            raise InvalidWriteError(namespace, key, [error.fault]) from error

    def _own_put(self, mark: Mark | None, pending: Pending, schema: Compiled) -> Mark | bytes | None:
        """After a put the scope has read what it put, beside what it had read of the fields it left out."""
        if mark is None:
            return pending.body
        if not schema.declared:
            return Mark(mark.at, pending.body, mark.leave)
        return mark.then_put(pending.body or b"{}")

    def _identify(self, pending: Pending, scope: Scope, document: tuple[Namespace, str]) -> None:
        """Gives a put the identity by which a later execution of its task finds it."""
        task = scope.task
        assert task is not None
        ordinal = scope.ordinals.get(document, 0)
        if ordinal == 0 and scope.executed_before is not False:
            self._earlier(scope, document)
        scope.ordinals[document] = ordinal + 1
        pending.op = (task.task, task.execution, ordinal)

    def _earlier(self, scope: Scope, document: tuple[Namespace, str]) -> dict[int, Row]:
        """The puts that earlier executions of the scope's task made to a document, by ordinal."""
        if scope.executed_before is False:
            return {}
        found: dict[int, Row] | None = scope.earlier.get(document)
        if found is None:
            found = {}
            task = scope.task
            if task is not None and scope.executed_before is None:
                scope.executed_before = self.storage.executed_before(task.task, task.execution)
            if task is not None and scope.executed_before:
                for row in self.storage.rows(*document):
                    if row.op is not None and row.op[0] == task.task and row.op[1] != task.execution:
                        found.setdefault(row.op[2], row)
            scope.earlier[document] = found
        return found

    def _write(self, scope: Scope, namespace: Namespace, key: str, value: Any, *, if_version: int | None) -> Receipt:
        schema = self.registry.writable(namespace, key)
        pending = Pending(
            schema, self.inbox, self.storage.replica, namespace, key, scope, scope.mark((namespace, key)), "write"
        )
        self._fill(pending, schema, value)
        pending.if_version = if_version
        if scope.task is not None:
            self._identify(pending, scope, (namespace, key))
        return self._commit(pending)

    def _delete(self, scope: Scope, namespace: Namespace, key: str, *, if_version: int | None) -> Receipt:
        pending = self._removal(namespace, key, scope)
        pending.if_version = if_version
        return self._commit(pending)

    def _commit(self, pending: Pending) -> Receipt:
        self.storage.commit(pending.namespace, pending.key, pending.update)
        if pending.events:
            self.subscribers.deliver(pending.events)
        return Receipt(pending.version, pending.escalations())

    # -- editing -------------------------------------------------------------------------------------------------

    def _open(self, scope: Scope, namespace: Namespace, key: str) -> Draft:
        schema = self.registry.writable(namespace, key)
        document, mark = self._read_as(scope, namespace, key)
        return Draft(namespace, key, schema, document.value if document is not None else {}, mark)

    def _close(self, scope: Scope, draft: Draft) -> Receipt:
        schema = draft.schema
        pending = Pending(
            schema, self.inbox, self.storage.replica, draft.namespace, draft.key, scope, draft.mark, "edit"
        )
        value = schema.values_of(draft.object) if schema.declared else draft.object
        self._fill(pending, schema, value)
        after = pending._values()
        if schema.declared:
            before = draft.before
            after = {n: v for n, v in after.items() if n not in before or encode(v) != encode(before[n])}
            if not after and not pending.parked:
                return Receipt(version_of(self.storage.load(draft.namespace, draft.key)))
        elif after == draft.base and encode(after) == encode(draft.base):
            return Receipt(version_of(self.storage.load(draft.namespace, draft.key)))
        else:
            pending.replaces_all = True
        pending.values = after
        pending.body = encode(after) if schema.declared else pending.body
        if scope.task is not None:
            self._identify(pending, scope, (draft.namespace, draft.key))
        receipt = self._commit(pending)
        base = {**draft.base, **after} if schema.declared else after
        scope.set_mark((draft.namespace, draft.key), Mark(draft.mark.at, base, draft.mark.leave))
        return receipt

    # -- reading -------------------------------------------------------------------------------------------------

    def _read(self, scope: Scope, namespace: Namespace, key: str, *, strict: bool = False) -> Document | None:
        """Reads for a scope: it has seen the document from now on."""
        return self._read_as(scope, namespace, key, strict=strict)[0]

    def _read_as(
        self, scope: Scope | None, namespace: Namespace, key: str, *, strict: bool = False
    ) -> tuple[Document | None, Mark]:
        """Reads for a scope, or without one for a later put in this context; a task does not see its own earlier
        execution."""
        schema = self.registry.find(namespace)
        document = (namespace, key)
        with self.storage.reading():
            n = self.storage.n
            state = self.storage.load(namespace, key)
            past = False
            if scope is not None and scope.task is not None and state is not None:
                rows = self._earlier(scope, document)
                if rows:
                    state, past = self._without(rows, state, schema), True
            found = self._document(namespace, key, state, schema, strict=strict, past=past)
        mark = Mark(n, {}) if found is None else _mark_of(n, found)
        if scope is None:
            self.scoping.note_read(document, mark)
        else:
            scope.set_mark(document, mark)
        return found, mark

    def read_current(self, namespace: Namespace, key: str) -> Document | None:
        """Reads as a store's get does: for the task or name in force, else for a later put in this context."""
        return self._read_as(self.scoping.current(), namespace, key)[0]

    def documents_current(self, prefix: Namespace) -> Iterator[Document]:
        """The documents under a prefix as the scope in force would read them; ``mark_read`` tells which it used."""
        scope = self.scoping.current()
        for namespace, key, _ in self.storage.documents(prefix):
            document = self._seen_as(scope, namespace, key)
            if document is not None:
                yield document

    def mark_read(self, documents: Sequence[Document]) -> None:
        """Counts documents from ``documents_current`` as read."""
        scope = self.scoping.current()
        for document in documents:
            place = (document.namespace, document.key)
            mark = _mark_of(document.version, document)
            if scope is None:
                self.scoping.note_read(place, mark)
            else:
                scope.set_mark(place, mark)

    def _seen_as(self, scope: Scope | None, namespace: Namespace, key: str) -> Document | None:
        schema = self.registry.find(namespace)
        with self.storage.reading():
            state = self.storage.load(namespace, key)
            past = False
            if scope is not None and scope.task is not None and state is not None:
                rows = self._earlier(scope, (namespace, key))
                if rows:
                    state, past = self._without(rows, state, schema), True
            return self._document(namespace, key, state, schema, past=past)

    def _without(self, rows: dict[int, Row], state: State, schema: Compiled) -> State:
        replica = self.storage.replica
        record = expanded(state, schema, replica)
        earlier = [Earlier(row.stamp(replica), changes_of(row, schema, replica)) for row in rows.values()]
        earlier.sort(key=lambda one: one.stamp.n)
        stamp = Stamp(record.updated_at, replica, self.storage.n + 1, "", "", "read")
        return without(record, schema.root, earlier, stamp)

    def _document(
        self,
        namespace: Namespace,
        key: str,
        state: State | None,
        schema: Compiled,
        *,
        strict: bool = False,
        past: bool = False,
    ) -> Document | None:
        if state is None:
            return None
        if not isinstance(state, Record):
            return Document(namespace, key, state[2], state[7], state[3], state[3], schema, raw=True)
        view = current_view(state, schema, self.storage.replica)
        if view.body is None:
            return None
        contested: dict[tuple[Any, ...], Escalation] = {}
        if view.contests:
            known = {} if past else self.inbox.open.get((namespace, key), {})
            for contest in view.contests:
                fresh = escalation_of(namespace, key, contest)
                path: tuple[Any, ...] = contest.path
                number = 2
                while path in contested:
                    path, number = (*contest.path, number), number + 1
                contested[path] = known.get(fresh.id, fresh)
        document = Document(
            namespace, key, state.version, view.body, state.created_at, state.updated_at, schema, contested, view.undeclared
        )
        if strict and contested:
            raise ContestedError(document)
        return document

    # -- scopes --------------------------------------------------------------------------------------------------

    def _scope(self, name: str, began: Moment | None) -> Scope:
        with self.storage.reading():
            return self.scoping.begin(name, began)


_NONE: frozenset[str] = frozenset()


def _mark_of(n: int, document: Document) -> Mark:
    """What a read of a document lets its reader know."""
    leave = frozenset([path[0] for path in document.contested if path]) if document.contested else _NONE
    return Mark(n, document._body, leave)
