"""What a workspace is made of, and the ways through it that read."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from concordant.causal import Stamp
from concordant.errors import ConcordantError, ContestedError, HistoryExpiredError, InvalidTokenError, told
from concordant.escalation import Escalation, escalation_of
from concordant.record import Record
from concordant.record.apply import without
from concordant.record.leases import end_of
from concordant.schema import Compiled
from concordant.storage import Condition, State, Storage
from concordant.storage.forking import free_in_child
from concordant.workspace.document import Document
from concordant.workspace.executions import Executions
from concordant.workspace.expiry import touch
from concordant.workspace.following import Follower
from concordant.workspace.history import state_shown
from concordant.workspace.inbox import as_known
from concordant.workspace.names import checked_prefix
from concordant.workspace.quarantine import Quarantine
from concordant.workspace.registry import Registry
from concordant.workspace.resolving import Subscribers
from concordant.workspace.scope import Mark, Scope
from concordant.workspace.scoping import ANONYMOUS, Scoping
from concordant.workspace.states import current_view, expanded, version_of, written_under
from concordant.workspace.token import digest_of, shown_digest

__all__ = ["Namespace", "Reading"]

Namespace = tuple[str, ...]


class Reading:
    """Scopes, storage and schemas of a workspace, and the ways through them."""

    def __init__(self, storage: Storage, registry: Registry, read_marks: float) -> None:
        self.storage = storage
        self.registry = registry
        self._projection = _Projection(registry, storage.replica)
        storage.attach(self._projection)
        self.quarantine = Quarantine()
        self.scoping = Scoping(storage, read_marks)
        self.subscribers = Subscribers(self)  # type: ignore[arg-type]
        self._follower: Follower | None = None
        self._following = free_in_child(threading.Lock())

    def fingerprint(self, namespace: Namespace) -> str:
        """Changes with what a namespace's documents show for reasons of its schema."""
        return self._projection.fingerprint(namespace)

    def _follow(self) -> None:
        """Begins to listen for events of other processes, where there can be any."""
        with self._following:
            if self.storage.events.source and (self._follower is None or not self._follower.is_alive):
                self._follower = Follower(self.storage.events, self.subscribers.tell)

    # -- reading -------------------------------------------------------------------------------------------------

    def _read(self, scope: Scope | None, namespace: Namespace, key: str, *, strict: bool = False) -> Document | None:
        """Reads for a scope, which has seen the document from now on, or without one for a later put in this
        context."""
        schema = self.registry.readable(namespace, key)
        n, state = self.storage.peek(namespace, key)
        if type(state) is tuple and scope is not None and (scope.task is None or scope.base.executed_before is False):
            scope.set_mark((namespace, key), state)
            return Document(namespace, key, state[2], state[7], state[3], state[3], schema, self.storage.replica)
        return self._read_state(scope, namespace, key, schema, n, state, strict)[0]

    def _read_as(self, scope: Scope, namespace: Namespace, key: str) -> tuple[Document | None, Mark]:
        """The same, with what that read lets the scope know."""
        schema = self.registry.readable(namespace, key)
        return self._read_state(scope, namespace, key, schema, *self.storage.peek(namespace, key))

    def _read_state(
        self,
        scope: Scope | None,
        namespace: Namespace,
        key: str,
        schema: Compiled,
        n: int,
        state: State | None,
        strict: bool = False,
    ) -> tuple[Document | None, Mark]:
        """Reads a state; a task does not see its own earlier execution."""
        document = (namespace, key)
        with self.storage.reading():
            if self.storage.live:
                n, state = self.storage.peek(namespace, key)
            past = False
            if scope is not None and scope.task is not None and state is not None:
                earlier = self._earlier(scope, document)
                if earlier is not None:
                    state, past = self._without(earlier, state, schema), True
            found = self._document(namespace, key, state, schema, strict=strict, past=past)
        mark = Mark(n, {}) if found is None else _mark_of(n, found)
        if scope is None:
            self.scoping.note_read(document, mark)
        else:
            scope.set_mark(document, mark)
        return found, mark

    def read_current(self, namespace: Namespace, key: str, touch: bool = False) -> Document | None:
        """Reads as a store's get does: for the task or name in force, else for a later put in this context.

        Args:
            touch: begins the document's time to live anew, if it has one.
        """
        found = self._read(self.scoping.current(), namespace, key)
        if touch and found is not None and found.has_end:
            self.touch([found])
        return found

    def touch(self, documents: Iterable[Document]) -> None:
        """Begins the time to live of documents anew, as far as they have one; nothing is written to them."""
        places = [(document.namespace, document.key) for document in documents if document.has_end]
        if self.storage.read_only:
            return
        if self.storage.live:
            for place in places:
                self.storage.commit(*place, touch)
        elif places:
            self.storage.commit_all([(*place, touch) for place in places])  # one wait for the disk

    def documents_current(self, prefix: Namespace, conditions: Sequence[Condition] = ()) -> Iterator[Document]:
        """The documents under a prefix as the scope in force would read them; ``mark_read`` tells which it used.

        Args:
            conditions: documents that do not meet them may be left out.
        """
        scope = self.scoping.current()
        if scope is not None and scope.task is not None and self._executed_before(scope.base, scope.task):
            conditions = ()  # it does not see what its earlier execution made of them
        for namespace, key, state in self.storage.showing(checked_prefix(prefix), conditions):
            document = self._seen_as(scope, namespace, key, state)
            if document is not None:
                yield document

    def namespaces(self, prefix: Namespace = ()) -> list[Namespace]:
        """The namespaces under a prefix in which a reader finds documents."""
        prefix = checked_prefix(prefix)
        known = dict(self.storage.namespaces(prefix))
        unsure = {namespace for namespace, there in known.items() if there is None}
        if unsure:
            for namespace, key, state in self.storage.showing(prefix):
                if namespace in unsure and self._seen_as(None, namespace, key, state) is not None:
                    unsure.remove(namespace)
                    known[namespace] = True
                    if not unsure:
                        break
        return [namespace for namespace, there in known.items() if there]

    def document_current(self, namespace: Namespace, key: str) -> Document | None:
        """One document as the scope in force would read it; ``mark_read`` tells that it was used."""
        return self._seen_as(self.scoping.current(), namespace, key, self.storage.load(namespace, key))

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

    def _having_read(self, document: Document) -> Scope:
        """A scope under the name in force that has seen what a document shows, and its own earlier writes."""
        base = self.scoping.current()
        if not isinstance(document, Document):
            raise ConcordantError(f"seen= is the document that the value was made from, not {told(document)}")
        scope = Scope(ANONYMOUS, "", document.version)
        if base is not None:
            scope = Scope(base.agent, base.origin, document.version, relation=base.relation)
        scope.set_mark((document.namespace, document.key), _mark_of(document.version, document))
        return scope

    def _recall(self, scope: Scope, namespace: Namespace, key: str) -> None:
        """Makes what a token showed of a document what the scope has read, when it first turns to the document.

        Raises:
            InvalidTokenError: the scope's tokens are of other documents, or of what this document never showed here.
            HistoryExpiredError: it is not kept any more what the document showed.
        """
        sight, document = scope.sight, (namespace, key)
        if sight is None or scope.mark(document) is not None:
            return
        shown = sight.documents.get(digest_of(namespace, key))
        if shown is None:
            if sight.upto is None:
                problem = f"it is of another document than {'/'.join(namespace)}:{key}"
                mend = "Give this document's token too, seen=[...], that of a moment, or began=; or read it first"
                raise InvalidTokenError(sight.given, problem, mend)
            return
        current, found, mark = self._as_of(namespace, key, shown.version)
        if not current:
            raise HistoryExpiredError(namespace, key, shown.version)
        if current < shown.version or found is None or shown_digest(found._body) != shown.digest:
            problem = f"{'/'.join(namespace)}:{key} at version {shown.version} is not what it showed (another model?)"
            raise InvalidTokenError(sight.given, problem, "Read the document again, and give the token of that")
        scope.set_mark(document, mark)

    def _as_of(self, namespace: Namespace, key: str, version: int) -> tuple[int, Document | None, Mark]:
        """A document's version, what it showed after a commit, and what a read of that lets a scope know."""
        schema = self.registry.readable(namespace, key)
        with self.storage.reading():
            state = self.storage.load(namespace, key)
            past = state_shown(self.storage, schema, namespace, key, state, version)
            found = self._document(namespace, key, past, schema, past=past is not state, ever=True)
            mark = Mark(version, {}) if found is None else _mark_of(version, found)._replace(time=0.0)
            return version_of(state), found, mark

    def _seen_as(self, scope: Scope | None, namespace: Namespace, key: str, state: State | None) -> Document | None:
        schema = self.registry.find(namespace)
        with self.storage.reading():
            if self.storage.live:
                state = self.storage.load(namespace, key)
            past = False
            if scope is not None and scope.task is not None and state is not None:
                earlier = self._earlier(scope, (namespace, key))
                if earlier is not None:
                    state, past = self._without(earlier, state, schema), True
            return self._document(namespace, key, state, schema, past=past)

    def _without(self, executions: Executions, state: State, schema: Compiled) -> State:
        replica = self.storage.replica
        record = expanded(state, schema, replica)
        earlier = [part.effect(schema, replica) for part in executions.hidden(record.reborn)]
        stamp = Stamp(record.updated_at, replica, self.storage.now()[0] + 1, "", "", "read")
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
        ever: bool = False,
    ) -> Document | None:
        if state is None:
            return None
        if not isinstance(state, Record):
            return Document(namespace, key, state[2], state[7], state[3], state[3], schema, self.storage.replica)
        if (state.leases or state.swept) and not ever and state.has_expired(self.storage.time()):
            return None
        view = current_view(state, schema, self.storage.replica)
        body = view.body
        if body is None:
            return None
        contested: dict[tuple[Any, ...], Escalation] = {}
        contests = view.contests
        if contests:
            known = {} if past else self.storage.open_of((namespace, key))
            for contest in contests:
                fresh = escalation_of(namespace, key, contest, self.storage.limits.contenders)
                path: tuple[Any, ...] = contest.path
                number = 2
                while path in contested:
                    path, number = (*contest.path, number), number + 1
                contested[path] = as_known(fresh, known[fresh.id]) if fresh.id in known else fresh
        document = Document(
            namespace, key, state.version, body, state.created_at, state.updated_at, schema, self.storage.replica
        )
        if contested:
            document.contested = contested
        if view.undeclared:
            document.undeclared = view.undeclared
        if state.settings:
            document._settings = dict(state.settings)
        if state.leases:
            document._until = end_of(state.leases)
        if strict and contested:
            raise ContestedError(document)
        return document

    def _executed_before(self, base: Any, task: Any) -> bool:
        """Whether a task has written in another execution."""
        if base.executed_before is None or (not base.executed_before and base.overlaps):
            base.executed_before = self.storage.executed_before(task.task, task.execution)
        return bool(base.executed_before)

    def _earlier(self, scope: Scope, document: tuple[Namespace, str]) -> Executions | None:
        """The puts that earlier executions of the scope's task made to a document; ``None`` if there are none."""
        base, task = scope.base, scope.task
        if task is None or (base.executed_before is False and not base.overlaps):
            return None
        if not self._executed_before(base, task):
            return None
        if document not in scope.earlier:
            scope.earlier.setdefault(document, self._executions(scope, document))
        elif base.successor is not None or document in base.rewritten:
            scope.earlier[document] = self._executions(scope, document, scope.earlier[document])
        found: Executions | None = scope.earlier[document]
        return found

    def _executions(
        self, scope: Scope, document: tuple[Namespace, str], known: Executions | None = None
    ) -> Executions | None:
        task = scope.task
        assert task is not None
        puts = self.storage.puts_of(task.task, *document)
        rows = [row for row in puts if row.op is not None and row.op[1] != task.execution]
        if not rows:
            return None
        later = {s.task.execution for s in scope.successors() if s.task is not None}
        open_ = not self.registry.find(document[0]).declared
        return Executions(rows, open_=open_, later=later, present=known)


class _Projection:
    """How records are shown, by the schemas of this workspace."""

    def __init__(self, registry: Registry, replica: str) -> None:
        self._registry = registry
        self._replica = replica
        self._own = uuid.uuid4().hex

    def shown(self, namespace: Namespace, record: Record) -> bytes | None:
        if record.swept:
            return None
        return current_view(record, self._registry.find(namespace), self._replica).body

    def fingerprint(self, namespace: Namespace) -> str:
        return self._print(self._registry.find(namespace))

    def shape(self, namespace: Namespace) -> str:
        return self._registry.find(namespace).shape

    def written_under(self, shape: str | None, row: tuple[Any, ...]) -> State:
        return written_under(row, shape, self._registry.find(row[0]), self._replica)

    def below(self, prefix: Namespace) -> frozenset[str]:
        return frozenset(map(self._print, self._registry.below(prefix)))

    def _print(self, schema: Compiled) -> str:
        """What is not told in full holds for this workspace alone."""
        found = schema.fingerprint
        return found + self._own if found.endswith("?") else found


_NONE: frozenset[str] = frozenset()


def _mark_of(n: int, document: Document) -> Mark:
    """What a read of a document lets its reader know."""
    leave = frozenset([path[0] for path in document.contested if path]) if document.contested else _NONE
    return Mark(n, document._body, leave, time=document._updated)
