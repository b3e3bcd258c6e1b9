"""The part of a workspace that reads: documents, their past, and what a read lets a scope know."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, takewhile
from typing import Any

from concordant.errors import (
    ConcordantError,
    ContestedError,
    HistoryExpiredError,
    InvalidTokenError,
    StorageBusyError,
    told,
)
from concordant.escalation import Escalation, escalation_of
from concordant.merge.kinds import Contest
from concordant.merge.record import MOST_WRITES, Record
from concordant.merge.record.leases import end_of, touched
from concordant.merge.registers import Path
from concordant.merge.sequence.blame import Told
from concordant.schema import Compiled
from concordant.storage import Address, Condition, Result, SideEffects, State, TransactionView
from concordant.storage.base import Column
from concordant.storage.cut import Cut, clock_of, highest, is_cut, part
from concordant.values import ABSENT
from concordant.workspace.core import Core, Namespace
from concordant.workspace.document import Credit, Document, HistoryEntry, mark_of
from concordant.workspace.executions import Retries
from concordant.workspace.history import blame, history, log, state_at, state_shown
from concordant.workspace.names import check_name, checked_prefix
from concordant.workspace.scope import ReadSnapshot, Scope
from concordant.workspace.scoping import ANONYMOUS
from concordant.workspace.states import current_view, version_of
from concordant.workspace.token import digest_of
from concordant.workspace.transitions import as_known

__all__ = ["Reading"]

logger = logging.getLogger("concordant")

MOST_BLAMED = 16
"""Of how many documents it is known who wrote what of their texts, as it was asked last."""


class Reading:
    """Reads documents, for a scope or for nobody.

    Args:
        core: the workspace's.
        retries: tells which part of a document a task does not read, because its earlier execution wrote it.
    """

    def __init__(self, core: Core, retries: Retries) -> None:
        self.storage = core.storage
        self.registry = core.registry
        self.scoping = core.scoping
        self.retries = retries
        self._blamed: OrderedDict[Address, dict[Path, Told]] = OrderedDict()

    # -- for a scope ---------------------------------------------------------------------------------------------

    def read(self, scope: Scope | None, namespace: Namespace, key: str, strict: bool = False) -> Document | None:
        """Reads for a scope, which has seen the document from now on, or without one for a later put in this
        context."""
        schema = self.registry.readable(namespace, key)
        n, state = self.storage.peek(namespace, key)
        if type(state) is tuple and scope is not None and (scope.task is None or scope.base.executed_before is False):
            scope.set_snapshot((namespace, key), state)
            n, at, body = state[Column.N], state[Column.TIME], state[Column.BODY]
            return Document(namespace, key, n, body, at, at, schema, self.storage.replica)
        return self._read_state(scope, namespace, key, schema, n, state, strict)[0]

    def read_as(self, scope: Scope, namespace: Namespace, key: str) -> tuple[Document | None, ReadSnapshot]:
        """Reads for a scope, and returns also what that read lets it know."""
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
    ) -> tuple[Document | None, ReadSnapshot]:
        document = (namespace, key)
        with self.storage.reading():
            if self.storage.live:
                n, state = self.storage.peek(namespace, key)
            past = False
            if scope is not None and state is not None:
                state, past = self.retries.as_read_by(scope, document, state, schema)
            found = self.document_of(namespace, key, state, schema, past)
            if strict:
                _check_agreed(found)
        snapshot = ReadSnapshot(n, {}) if found is None else mark_of(n, found)
        if scope is None:
            self.scoping.note_read(document, snapshot)
        else:
            scope.set_snapshot(document, snapshot)
        return found, snapshot

    def seen_as(self, scope: Scope | None, namespace: Namespace, key: str, state: State | None) -> Document | None:
        """Returns a document as a scope would read it, which has not seen it for that."""
        schema = self.registry.find(namespace)
        with self.storage.reading():
            if self.storage.live:
                state = self.storage.load(namespace, key)
            past = False
            if scope is not None and state is not None:
                state, past = self.retries.as_read_by(scope, (namespace, key), state, schema)
            return self.document_of(namespace, key, state, schema, past)

    # -- in the scope in force -----------------------------------------------------------------------------------

    def touch(self, documents: Iterable[Document]) -> None:
        """Begins the time to live of documents anew, as far as they have one; nothing is written to them."""
        places = [(document.namespace, document.key) for document in documents if document.has_end]
        if self.storage.read_only:
            return
        try:
            if self.storage.live:
                for place in places:
                    self.storage.commit(*place, _touch)
            elif places:
                self.storage.commit_all([(*place, _touch) for place in places], hasty=True)  # one wait for the disk
        except StorageBusyError as error:  # whoever reads is given what was read
            logger.warning("The time to live of %d documents was not begun anew by a read (%s)", len(places), error)

    def current(self, prefix: Namespace, conditions: Sequence[Condition] = ()) -> Iterator[Document]:
        """Iterates the documents under a prefix as the scope in force would read them."""
        scope = self.scoping.current()
        if scope is not None and scope.task is not None and self.retries.executed_before(scope):
            conditions = ()  # it does not see what its earlier execution made of them
        for namespace, key, state in self.storage.showing(checked_prefix(prefix), conditions):
            document = self.seen_as(scope, namespace, key, state)
            if document is not None:
                yield document

    def document_current(self, namespace: Namespace, key: str) -> Document | None:
        """Returns one document as the scope in force would read it."""
        return self.seen_as(self.scoping.current(), namespace, key, self.storage.load(namespace, key))

    def mark_read(self, documents: Sequence[Document]) -> None:
        """Counts documents that the scope in force was given as read."""
        scope = self.scoping.current()
        for document in documents:
            place = (document.namespace, document.key)
            snapshot = mark_of(document.version, document)
            if scope is None:
                self.scoping.note_read(place, snapshot)
            else:
                scope.set_snapshot(place, snapshot)

    # -- for nobody ----------------------------------------------------------------------------------------------

    def get(self, namespace: Namespace, key: str, at: Cut | None, *, strict: bool) -> Document | None:
        """Reads a document as it is, or as it was at a version."""
        schema = self.registry.readable(namespace, key)
        if at is not None and not (at >= 0 if isinstance(at, int) else is_cut(at, self.storage.clocks)):
            raise ConcordantError(f"at= is a version, a whole number from 0 on, not {told(at)}")
        with self.storage.reading():
            state = self.storage.load(namespace, key)
            if at is not None:
                self._check_reached(namespace, key, at)
                upto = part(at, clock_of((namespace, key), self.storage.clocks))
                past = state_at(self.storage, schema, namespace, key, state, upto)
                found = self.document_of(namespace, key, past, schema, past is not state, ever=True)
            else:
                found = self.document_of(namespace, key, state, schema)
        if strict:
            _check_agreed(found)
        return found

    def _check_reached(self, namespace: Namespace, key: str, at: Cut) -> None:
        """Refuses a version that is not there yet."""
        newest = highest(self.storage.now()[0])
        if highest(at) <= newest:
            return
        known = ", ".join(str(row.n) for row in islice(self.storage.rows(namespace, key), 5))
        there = f"its versions are, the newest first: {known}" if known else "it has none"
        raise ConcordantError(f"at={told(at)} is no version of {'/'.join(namespace)}:{key} yet; {there}")

    def list(self, prefix: Namespace) -> Iterator[Document]:
        """Iterates all documents whose namespace begins with ``prefix``."""
        found = self.storage.showing(checked_prefix(prefix))
        documents = (self.seen_as(None, namespace, key, state) for namespace, key, state in found)
        return (document for document in documents if document is not None)

    def namespaces(self, prefix: Namespace) -> Iterable[Namespace]:
        """Returns the namespaces under a prefix in which a reader finds documents."""
        prefix = checked_prefix(prefix)
        known = dict(self.storage.namespaces(prefix))
        unsure = {namespace for namespace, there in known.items() if there is None}
        if unsure:
            for namespace, key, state in self.storage.showing(prefix):
                if namespace in unsure and self.seen_as(None, namespace, key, state) is not None:
                    unsure.remove(namespace)
                    known[namespace] = True
                    if not unsure:
                        break
        return [namespace for namespace, there in known.items() if there]

    def history(self, namespace: Namespace, key: str) -> Iterable[HistoryEntry]:
        """Returns the changes of a document, newest first, as far as the journal reaches."""
        schema = self.registry.readable(namespace, key)
        with self.storage.reading():
            return [*history(self.storage, schema, namespace, key)]

    def committed_since(self, namespace: Namespace, key: str, version: int) -> tuple[int, Sequence[HistoryEntry]]:
        """Tells what was committed to a document after a version (``spi.committed_since``)."""
        schema = self.registry.readable(namespace, key)
        with self.storage.reading():
            upto = version_of(self.storage.load(namespace, key))
            newer = takewhile(lambda entry: entry.version > version, history(self.storage, schema, namespace, key))
            found = [*newer][::-1]
        return max(upto, version, *(entry.version for entry in found)), found

    def log(self, prefix: Namespace, agent: str | None, before: int | None, limit: int) -> Iterable[HistoryEntry]:
        """Returns the changes of all documents under a prefix, newest first (``Workspace.log``)."""
        if agent is not None:
            check_name(agent, "agent=", self.storage.limits.name)
        for name, number in (("before", before), ("limit", limit)):
            if (number is not None or name == "limit") and (not isinstance(number, int) or abs(number) > MOST_WRITES):
                raise ConcordantError(f"{name}= is a whole number, not {told(number)}")
        with self.storage.reading():
            return [*log(self.storage, self.registry, checked_prefix(prefix), agent, before, max(limit, 0))]

    def blame(self, namespace: Namespace, key: str) -> dict[tuple[str, ...], tuple[Credit, ...]]:
        """Tells who stands for each live value, by path."""
        schema = self.registry.readable(namespace, key)
        with self.storage.reading():
            state = self.storage.load(namespace, key)
            if isinstance(state, Record) and state.has_expired(self.storage.time()):
                return {}
            known = self._blamed.pop((namespace, key), {})
            found = blame(schema, state, self.storage.replica, known)
            self._blamed[namespace, key] = known
            if len(self._blamed) > MOST_BLAMED:
                self._blamed.popitem(last=False)
            return found

    # -- by what was read before ---------------------------------------------------------------------------------

    def having_read(self, document: Document) -> Scope:
        """Returns a scope under the name in force that has seen what a document shows, and its own earlier writes."""
        base = self.scoping.current()
        if not isinstance(document, Document):
            raise ConcordantError(f"seen= is the document that the value was made from, not {told(document)}")
        scope = Scope(ANONYMOUS, "", document.version)
        if base is not None:
            scope = Scope(base.agent, base.origin, document.version, relation=base.relation)
        scope.set_snapshot((document.namespace, document.key), mark_of(document.version, document))
        return scope

    def recall(self, scope: Scope, namespace: Namespace, key: str) -> None:
        """Makes what a token showed of a document what the scope has read, when it first turns to the document.

        Raises:
            InvalidTokenError: the scope's tokens are of other documents, or of what this document never showed here.
            HistoryExpiredError: it is not kept any more what the document showed.
        """
        tokens, document = scope.seen_tokens, (namespace, key)
        if tokens is None or scope.snapshot(document) is not None:
            return
        shown = tokens.documents.get(digest_of(namespace, key))
        if shown is None:
            if tokens.upto is None:
                problem = f"it is of another document than {'/'.join(namespace)}:{key}"
                mend = "Give this document's token too, seen=[...], that of a moment, or began=; or read it first"
                raise InvalidTokenError(tokens.given, problem, mend)
            return
        current, found, snapshot = self.as_of(namespace, key, shown.version)
        if not current:
            raise HistoryExpiredError(namespace, key, shown.version)
        if current < shown.version or found is None or found.digest != shown.digest:
            problem = f"{'/'.join(namespace)}:{key} at version {shown.version} is not what it showed (another model?)"
            raise InvalidTokenError(tokens.given, problem, "Read the document again, and give the token of that")
        scope.set_snapshot(document, snapshot)

    def as_of(self, namespace: Namespace, key: str, at: Cut) -> tuple[int, Document | None, ReadSnapshot]:
        """Returns a document's version, what it showed after a commit, and what a read of that lets a scope know."""
        version = part(at, clock_of((namespace, key), self.storage.clocks))
        schema = self.registry.readable(namespace, key)
        with self.storage.reading():
            state = self.storage.load(namespace, key)
            past = state_shown(self.storage, schema, namespace, key, state, version)
            found = self.document_of(namespace, key, past, schema, past is not state, ever=True)
            snapshot = ReadSnapshot(version, {}) if found is None else mark_of(version, found)._replace(time=0.0)
            return version_of(state), found, snapshot

    # -- what a state shows --------------------------------------------------------------------------------------

    def document_of(
        self,
        namespace: Namespace,
        key: str,
        state: State | None,
        schema: Compiled,
        past: bool = False,
        ever: bool = False,
    ) -> Document | None:
        """Returns what a state shows; ``None`` where it shows nothing.

        Args:
            past: the state is not the stored one, so its questions may be others than the stored ones.
            ever: whether it has expired does not matter.
        """
        replica = self.storage.replica
        if state is None:
            return None
        if not isinstance(state, Record):
            n, at, body = state[Column.N], state[Column.TIME], state[Column.BODY]
            return Document(namespace, key, n, body, at, at, schema, replica)
        if (state.leases or state.swept) and not ever and state.has_expired(self.storage.time()):
            return None
        view = current_view(state, schema, replica)
        body = view.body
        if body is None:
            return None
        document = Document(namespace, key, state.version, body, state.created_at, state.updated_at, schema, replica)
        value, contests = view.value, view.contests
        if value is not ABSENT:
            document.with_value(value)
        if contests or view.undeclared:
            contested = self._contested(namespace, key, contests, {} if past else None)
            document.with_questions(contested, view.undeclared)
        if state.settings or state.leases:
            document.with_settings(state.settings, end_of(state.leases))
        return document

    def _contested(
        self, namespace: Namespace, key: str, contests: Iterable[Contest], known: Any
    ) -> dict[tuple[Any, ...], Escalation]:
        """The open questions by path; further ones of one path at (*path, 2), (*path, 3), ..."""
        contested: dict[tuple[Any, ...], Escalation] = {}
        for contest in contests:
            if known is None:
                known = self.storage.open_of((namespace, key))
            fresh = escalation_of(namespace, key, contest, self.storage.limits.contenders)
            path: tuple[Any, ...] = contest.path
            number = 2
            while path in contested:
                path, number = (*contest.path, number), number + 1
            contested[path] = as_known(fresh, known[fresh.id]) if fresh.id in known else fresh
        return contested


def _check_agreed(document: Document | None) -> None:
    """Raises for a strict reader if a document has open questions."""
    if document is not None and document.contested:
        raise ContestedError(document)


def _touch(state: State | None, n: int, time: float, tx: TransactionView) -> Result | None:
    """Begins a document's time to live anew, what the storage runs inside its transaction."""
    if not isinstance(state, Record) or not state.leases or state.has_expired(time):
        return None
    leases = touched(state.leases, time)
    if leases == state.leases:
        return None
    if len(leases) > 1:
        state.cache = None  # lives may be one now
    state.leases, state.touched = leases, n
    return state, None, SideEffects(lasts=True)
