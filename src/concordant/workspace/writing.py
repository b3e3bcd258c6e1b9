"""The part of a workspace that writes: put, write, edit, delete."""

from __future__ import annotations

import math
from collections.abc import Coroutine, Mapping, Sequence, Set
from functools import partial
from typing import Any, NamedTuple

from concordant.errors import ConcordantError, Fault, InvalidWriteError, told
from concordant.merge.kinds.nested import stored_path
from concordant.merge.record import Places
from concordant.merge.record.leases import KEEP
from concordant.merge.record.record import OWN
from concordant.merge.sequence.diff import Hunk
from concordant.merge.sequence.placed import is_made_by
from concordant.schema import Compiled, copied, is_instance, said_by, untouched_left_out
from concordant.storage import Address, Op
from concordant.values import Unstorable, alike, check_numbers, copied as copied_value, decode, encode
from concordant.workspace.core import Core, Namespace
from concordant.workspace.document import Document, Receipt
from concordant.workspace.executions import Retries
from concordant.workspace.forgetting import LARGE, Forgetting
from concordant.workspace.joint import JointWrites
from concordant.workspace.names import check_name, is_text
from concordant.workspace.permission import check_writer
from concordant.workspace.reading import Reading
from concordant.workspace.scope import ReadSnapshot, Scope, SeenTokens
from concordant.workspace.states import version_of
from concordant.workspace.transaction import Pending

__all__ = ["Put", "Writing"]


_UNSET: Mapping[str, bytes | None] = {}

LONGEST = 1_000 * 366 * 86_400
"""The longest time to live, in seconds, but for one without end."""


class Put(NamedTuple):
    """One put of several (``put_all``)."""

    namespace: Namespace
    key: str
    value: Any
    settings: Mapping[str, Any] | None = None
    ttl: float | None = KEEP


def _stored_settings(namespace: Namespace, key: str, settings: Any, most: int) -> dict[str, bytes | None]:
    """Settings as they are kept.

    Args:
        most: how many bytes of JSON all together may have (``Limits.value``).
    """
    try:
        settings = dict(settings) if isinstance(settings, Mapping) else {None: settings}
        if not all(isinstance(name, str) and is_text(name) and not name.startswith(OWN) for name in settings):
            fault = Fault((), f"settings={told(settings)}", "Give a dict of JSON values by name", settings)
            raise InvalidWriteError(namespace, key, [fault])
        kept = {
            name: None if value is None else check_numbers(encode(value, (name,)), value, (name,))
            for name, value in settings.items()
        }
        size = sum(len(name) + len(text or b"") for name, text in kept.items())
        if size > most:
            problem = f"settings= have {size:,} bytes as JSON, at most {most:,} are taken (Limits.value)"
            raise InvalidWriteError(namespace, key, [Fault((), problem, "Give less")])
        return kept
    except Unstorable as error:
        raise InvalidWriteError(namespace, key, [error.fault]) from error
    except RuntimeError as error:
        raise InvalidWriteError(namespace, key, [Fault((), f"they cannot be read ({error})", "Give a dict")]) from error


def _check_if_version(version: Any) -> None:
    if version is not None and not isinstance(version, int):
        raise ConcordantError(f"if_version= is a document's version, a whole number, not {told(version)}")


def _seconds_to_live(namespace: Namespace, key: str, ttl: Any) -> float | None:
    """A time to live as it is kept: ``None`` for one without end."""
    if ttl is KEEP or ttl is None:
        return ttl
    if isinstance(ttl, (int, float)) and not isinstance(ttl, bool):
        if ttl == math.inf:
            return None
        if ttl <= LONGEST:
            return float(max(ttl, 0))
    mend = "Give a number of seconds, at most a thousand years, or None for no end"
    fault = Fault((), f"{told(ttl)} is no time to live", mend, ttl)
    raise InvalidWriteError(namespace, key, [fault])


def _check_place(
    schema: Compiled, before: Mapping[str, Any], after: Mapping[str, Any], path: tuple[str, ...], hunks: Sequence[Hunk]
) -> None:
    """Makes sure that what is said to have been done to a text or list is what was done."""
    old: Any = before
    new: Any = after
    try:
        stored_path(schema.root, path)
        for name in path:
            old, new = old[name], new[name]
        fits = is_made_by(old, new, hunks)
    except (KeyError, TypeError) as error:
        problem = f"places= has {told(path)}, where no text or list is before and after"
        raise ConcordantError(f"{problem}. Give the places of those that are in both") from error
    if not fits:
        mend = "Give each part that was changed, in order, by its start and end in what was there before"
        raise ConcordantError(f"places= of {told(path)} does not make what is there after. {mend}")


def _puts(given: Any) -> list[Put]:
    try:
        puts = [Put(*one) if isinstance(one, (tuple, list)) else None for one in given]
    except Exception as error:  # no sequence, or too few or too many parts
        raise ConcordantError(f"put_all takes (namespace, key, value) of each document, not {told(given)}") from error
    if any(put is None for put in puts):
        raise ConcordantError(f"put_all takes (namespace, key, value) of each document, not {told(given)}")
    return [put for put in puts if put is not None]


def _as_read(schema: Compiled, snapshot: ReadSnapshot | None, value: Any, body: bytes) -> bytes:
    """What is to be stored of a value (``Compiled.as_read``)."""
    return body if snapshot is None else schema.as_read(snapshot.values(), None, value, body)


def _uncount(scope: Scope, document: Address, op: Op | None) -> None:
    """Of a task's put that was not committed: the next one has its number."""
    if op is not None:
        scope.take_number_back(document, op[2])


class Draft:
    """An edit under way: the object in the user's hands, and what it was when it was read."""

    __slots__ = ("base", "before", "key", "namespace", "object", "schema", "snapshot")

    def __init__(self, document: Address, schema: Compiled, base: dict[str, Any], snapshot: ReadSnapshot) -> None:
        self.namespace, self.key = document
        self.schema = schema
        self.base = base
        self.snapshot = snapshot
        if schema.declared:
            # Of a copy: a model shares what it does not look into, and that is changed in place.
            self.object: Any = schema.build(copied_value(base))
            self.before: Any = _copied(self.object, schema, base)
        else:
            self.object = copied_value(base)
            self.before = base

    def touched(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the fields of the model that may have changed: (before, after), as they would be written."""
        return self.schema.changed(self.before, self.object)

    def as_stored(self, given: dict[str, Any]) -> dict[str, Any]:
        """Gives fields as they were before, in the form in which a write of them would be stored."""
        if self.schema.steady and all(type(part) is str and part == self.base.get(n) for n, part in given.items()):
            return given
        return decode(self.schema.incoming(self.namespace, self.key, given, spelt=True)[0])  # type: ignore[no-any-return]


def _copied(document: Any, schema: Compiled, base: dict[str, Any]) -> Any:
    """What an edit begins with, defaults that were made for it included; of an instance the fields."""
    try:
        return copied(said_by(document, everything=True) if is_instance(document) else document)
    except Exception:  # something in it, such as a lock, cannot be copied
        return schema.build(base)


class Writing:
    """Writes documents: each write is one transaction, told to subscribers when it is committed.

    Args:
        core: the workspace's.
        reading: the part that reads; an edit begins with a read.
        retries: knows the puts of a task's earlier executions.
        forgetting: what is forgotten while large documents are edited.

    Attributes:
        creates: whether a first write that is no more than its row takes the shorter way (``Storage.create``).
        apart: makes writes of coroutines, as far as they are not committed together.
    """

    creates = True

    def __init__(self, core: Core, reading: Reading, retries: Retries, forgetting: Forgetting) -> None:
        self.forgetting = forgetting
        self.storage = core.storage
        self.registry = core.registry
        self.scoping = core.scoping
        self.subscribers = core.subscribers
        self.reading = reading
        self.retries = retries
        self.joint = JointWrites(core.storage, self._committed, self._take_back)
        self.apart = self if core.storage.live else _Preparing(self)

    # -- put, as a store does ------------------------------------------------------------------------------------

    def put(
        self,
        namespace: Namespace,
        key: str,
        value: Any,
        scope: Scope | None = None,
        seen: Document | None = None,
        settings: Mapping[str, Any] | None = None,
        ttl: float | None = KEEP,
    ) -> Receipt:
        """Stores as a store's put does (``Workspace.put``)."""
        if seen is not None:
            scope = self.reading.having_read(seen)
        schema = self.registry.writable(namespace, key)
        document = (namespace, key)
        if scope is None:
            scope = self.scoping.current(document)
        if schema.writers is not None:
            check_writer(schema, namespace, key, scope.agent)
        body, parked = self.registry.incoming(schema, namespace, key, value)
        if scope.seen_tokens is not None:
            self.reading.recall(scope, namespace, key)
        plain = settings is None and (ttl is None) | (ttl is KEEP)  # it may refuse to be compared
        stored, lifetime = (_UNSET, ttl) if plain else self.stored_beside(namespace, key, settings, ttl)
        op = self.retries.identity(scope, document)
        snapshot = scope.basis(document)
        if plain and snapshot is None and self.creates and not (parked or schema.checked):
            try:
                n = self.storage.create(namespace, key, scope.agent, scope.origin, "put", body, op)
            except BaseException:
                _uncount(scope, document, op)
                raise
            if n:
                if scope.origin:
                    scope.set_snapshot(document, body)
                return tuple.__new__(Receipt, (n, ()))  # the class's own is slower, being Python
        pending = self._pending_put(schema, document, scope, snapshot, value, body, parked, op)
        pending.settings, pending.ttl = stored, lifetime
        return self.commit(pending)

    def aput(
        self,
        namespace: Namespace,
        key: str,
        value: Any,
        scope: Scope | None = None,
        seen: Document | None = None,
        settings: Mapping[str, Any] | None = None,
        ttl: float | None = KEEP,
    ) -> Coroutine[Any, Any, Receipt]:
        """Runs ``put`` for coroutines."""
        return self.joint.make(partial(self.apart.put, namespace, key, value, scope, seen, settings, ttl))

    def stored_beside(
        self, namespace: Namespace, key: str, settings: Mapping[str, Any] | None, ttl: float | None
    ) -> tuple[Mapping[str, bytes | None], float | None]:
        """Tells what a put says beside the value, as it is kept: settings and time to live."""
        stored = _UNSET if settings is None else _stored_settings(namespace, key, settings, self.storage.limits.value)
        return stored, _seconds_to_live(namespace, key, ttl)

    def remove(self, namespace: Namespace, key: str, scope: Scope | None = None) -> Receipt:
        """Deletes as a store's delete does."""
        return self.commit(self._removal(namespace, key, scope))

    def aremove(self, namespace: Namespace, key: str, scope: Scope | None = None) -> Coroutine[Any, Any, Receipt]:
        """Runs ``remove`` for coroutines."""
        return self.joint.make(partial(self.apart.remove, namespace, key, scope))

    def put_all(self, given: Sequence[tuple[Any, ...]]) -> None:
        """Puts (or, with the value ``None``, removes) several documents in one transaction: all of them or none."""
        scope = self.scoping.current()
        puts = _puts(given)
        writes: list[Pending] = []
        try:
            for namespace, key, value, settings, ttl in puts:
                if value is None:
                    writes.append(self._removal(namespace, key, scope))
                else:
                    writes.append(write := self._put(namespace, key, value, scope))
                    write.settings, write.ttl = self.stored_beside(namespace, key, settings, ttl)
        except BaseException:
            self._take_all_back(writes)
            raise
        self._commit_all(writes)

    def _put(self, namespace: Namespace, key: str, value: Any, scope: Scope | None) -> Pending:
        schema = self.registry.writable(namespace, key)
        if scope is None:
            scope = self.scoping.alone((namespace, key))
        body, parked = self.registry.incoming(schema, namespace, key, value)
        if scope.seen_tokens is not None:
            self.reading.recall(scope, namespace, key)
        op = self.retries.identity(scope, (namespace, key)) if scope.task is not None else None
        snapshot = scope.basis((namespace, key))
        return self._pending_put(schema, (namespace, key), scope, snapshot, value, body, parked, op)

    def _pending_put(
        self,
        schema: Compiled,
        document: tuple[Namespace, str],
        scope: Scope,
        snapshot: ReadSnapshot | None,
        value: Any,
        body: bytes,
        parked: Mapping[tuple[str, ...], bytes],
        op: Op | None,
    ) -> Pending:
        if schema.makes:
            body = _as_read(schema, snapshot, value, body)
        pending = Pending(schema, self.storage, *document, scope, snapshot, "put")
        pending.body, pending.parked, pending.op = body, parked, op
        pending.replaces_all = not schema.declared
        if scope.origin:
            scope.note_put(document, body, snapshot, schema.declared)
        return pending

    def _removal(self, namespace: Namespace, key: str, scope: Scope | None) -> Pending:
        schema = self.registry.changeable(namespace, key)
        document = (namespace, key)
        if scope is None:
            scope = self.scoping.current(document)
        if scope.seen_tokens is not None:
            self.reading.recall(scope, namespace, key)
        snapshot = scope.basis(document)
        pending = Pending(schema, self.storage, namespace, key, scope, snapshot, "delete")
        pending.existed = scope.written.get(document, True if snapshot is not None and snapshot.base else None)
        if scope.task is not None:
            pending.op = self.retries.identity(scope, document)
        if scope.origin:
            at, time = (snapshot.at, snapshot.time) if snapshot else (-1, 0.0)
            put = ReadSnapshot(at, {}, put=scope.origin, time=time)
            scope.set_snapshot(document, put, snapshot)
            scope.written[document] = False
        return pending

    def write(self, scope: Scope, namespace: Namespace, key: str, value: Any, *, if_version: int | None) -> Receipt:
        """Contributes in a scope (``Agent.write``)."""
        if if_version is not None:
            _check_if_version(if_version)
        schema = self.registry.writable(namespace, key)
        document = (namespace, key)
        if schema.writers is not None:
            check_writer(schema, namespace, key, scope.agent)
        body, parked = self.registry.incoming(schema, namespace, key, value)
        if scope.seen_tokens is not None:
            self.reading.recall(scope, namespace, key)
        op = self.retries.identity(scope, document) if scope.task is not None else None
        if self.creates and not (parked or if_version or schema.checked or document in scope.written):
            try:
                n = self.storage.create(namespace, key, scope.agent, scope.origin, "write", body, op)
            except BaseException:
                _uncount(scope, document, op)
                raise
            if n:
                scope.written[document] = True
                return tuple.__new__(Receipt, (n, ()))  # as for a put
        snapshot = scope.snapshot(document)
        if schema.makes:
            body = _as_read(schema, snapshot, value, body)
        pending = Pending(schema, self.storage, namespace, key, scope, snapshot, "write")
        pending.body, pending.parked, pending.op, pending.if_version = body, parked, op, if_version
        return self.commit(pending)

    def awrite(
        self, scope: Scope, namespace: Namespace, key: str, value: Any, *, if_version: int | None
    ) -> Coroutine[Any, Any, Receipt]:
        """Runs ``write`` for coroutines."""
        return self.joint.make(partial(self.apart.write, scope, namespace, key, value, if_version=if_version))

    def delete(self, scope: Scope, namespace: Namespace, key: str, *, if_version: int | None) -> Receipt:
        """Deletes in a scope (``Agent.delete``)."""
        _check_if_version(if_version)
        pending = self._removal(namespace, key, scope)
        pending.if_version = if_version
        return self.commit(pending)

    def adelete(
        self, scope: Scope, namespace: Namespace, key: str, *, if_version: int | None
    ) -> Coroutine[Any, Any, Receipt]:
        """Runs ``delete`` for coroutines."""
        return self.joint.make(partial(self.apart.delete, scope, namespace, key, if_version=if_version))

    def commit(self, pending: Pending) -> Receipt:
        """Commits a write and tells subscribers what came of it."""
        try:
            if pending.body is not None and len(pending.body) > LARGE and pending.if_version is None:
                self.forgetting.before((pending.namespace, pending.key))
            self.storage.commit(pending.namespace, pending.key, pending.update)
        except BaseException:
            self._take_back(pending)
            raise
        return self._committed(pending)

    def _committed(self, pending: Pending) -> Receipt:
        """After a write that was committed: its scope knows of it, and subscribers are told."""
        if pending.mode == "write":
            pending.scope.note_written((pending.namespace, pending.key), True)
        if pending.events:
            self.subscribers.deliver(pending.events)
        return tuple.__new__(Receipt, (pending.version, pending.escalations() if pending.open else ()))  # as for a put

    def commit_together(self, writes: Sequence[Pending]) -> None:
        """Commits writes of the tasks that call in one transaction: all of them or none."""
        for write in writes:
            write.op = self.retries.identity(write.scope, (write.namespace, write.key))
        self._commit_all(writes)

    def _commit_all(self, writes: Sequence[Pending]) -> None:
        try:
            self.storage.commit_all([(write.namespace, write.key, write.update) for write in writes])
        except BaseException:
            self._take_all_back(writes)
            raise
        events = [event for write in writes for event in write.events]
        if events:
            self.subscribers.deliver(events)

    def _take_all_back(self, writes: Sequence[Pending]) -> None:
        for write in reversed(writes):
            self._take_back(write)

    def _take_back(self, pending: Pending) -> None:
        """After a write that was not committed: its scope knows and counts as before it."""
        document = (pending.namespace, pending.key)
        if pending.mode in ("put", "delete") and pending.scope.origin:
            pending.scope.set_snapshot(document, pending.snapshot)
        if pending.op is not None:
            pending.fail()
        _uncount(pending.scope, document, pending.op)

    # -- editing -------------------------------------------------------------------------------------------------

    def open(self, scope: Scope, namespace: Namespace, key: str) -> Draft:
        """Begins an edit in a scope: reads the document, or takes what the scope's tokens showed of it."""
        schema = self.registry.writable(namespace, key)
        if scope.seen_tokens is not None:
            snapshot = self._as_shown(scope, scope.seen_tokens, namespace, key)
            return Draft((namespace, key), schema, snapshot.values() or {}, snapshot)
        document, snapshot = self.reading.read_as(scope, namespace, key)
        return Draft((namespace, key), schema, document.value if document is not None else {}, snapshot)

    def _as_shown(self, scope: Scope, tokens: SeenTokens, namespace: Namespace, key: str) -> ReadSnapshot:
        """What an edit begins with that is made on the strength of tokens: what its scope has seen, not a new read."""
        self.reading.recall(scope, namespace, key)
        snapshot = scope.snapshot((namespace, key))
        if snapshot is None or snapshot.at < 0:
            assert tokens.upto is not None
            snapshot = self.reading.as_of(namespace, key, tokens.upto)[2]
            scope.set_snapshot((namespace, key), snapshot)
        return snapshot

    def close(self, scope: Scope, draft: Draft) -> Receipt:
        """Writes what an edit has changed."""
        schema = draft.schema
        pending = Pending(schema, self.storage, draft.namespace, draft.key, scope, draft.snapshot, "edit")
        if schema.declared:
            try:
                given, changed = draft.touched()
            except Exception as error:  # of what the caller has put into the model
                fault = Fault(
                    (), f"what was edited cannot be read ({type(error).__name__}: {error})", "Store plain values"
                )
                raise InvalidWriteError(draft.namespace, draft.key, [fault]) from error
            document = (draft.namespace, draft.key)
            before = draft.as_stored(given)
            pending.body, pending.parked = self.registry.incoming(schema, *document, changed, spelt=True)
            if not pending.parked:
                pending.values = schema.texts_read_back(changed)
            whole = pending.given()
            after = untouched_left_out(schema.root, before, whole)
            if schema.makes:
                after = decode(schema.as_read(draft.base, before, after, encode(after)))
            if after != whole:
                pending.values, pending.body = after, encode(after)
            unchanged = not after and not pending.parked
        else:
            pending.body, _ = self.registry.incoming(schema, draft.namespace, draft.key, draft.object)
            whole = pending.given()
            after = whole
            unchanged = alike(whole, draft.base)
            pending.replaces_all = True
        if unchanged:
            return Receipt(version_of(self.storage.load(draft.namespace, draft.key)))
        if scope.task is not None:
            pending.op = self.retries.identity(scope, (draft.namespace, draft.key))
        receipt = self.commit(pending)
        # A default that nobody touched was not written, so it is nothing that a later put could leave as it is.
        self._note_edit(scope, draft, {name: whole[name] for name in after})
        return receipt

    def edit_as_seen(
        self,
        namespace: Namespace,
        key: str,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        agent: str,
        origin: str,
        upto: int,
        own: Set[str],
        once: tuple[str, int] | None,
        places: Places,
    ) -> Receipt:
        """Writes what was changed in a replica that shows more than was committed (``spi.edit_as_seen``)."""
        schema = self.registry.writable(namespace, key)
        check_name(agent, "agent=", self.storage.limits.name)
        if not schema.declared:
            fault = Fault((), "the namespace has no model, so nothing tells how its fields merge", "Declare one")
            raise InvalidWriteError(namespace, key, [fault])
        for path, hunks in places.items():
            _check_place(schema, before, after, path, hunks)
        changed = {name: value for name, value in after.items() if name not in before or before[name] != value}
        scope = Scope(agent, origin, upto)
        scope.peers = own
        snapshot = ReadSnapshot(upto, dict(before))
        pending = Pending(schema, self.storage, namespace, key, scope, snapshot, "edit")
        pending.once, pending.places = once, places
        body, pending.parked = self.registry.incoming(schema, namespace, key, changed)
        pending.body = schema.as_read(before, None, changed, body)
        if not changed:
            return Receipt(version_of(self.storage.load(namespace, key)))
        return self.commit(pending)

    def _note_edit(self, scope: Scope, draft: Draft, after: dict[str, Any]) -> None:
        """After an edit the scope has read what it wrote, beside the newest it has read of the rest."""
        document = (draft.namespace, draft.key)
        newest = scope.snapshot(document) or draft.snapshot
        if newest == draft.snapshot:
            at, _, leave, put, time = draft.snapshot
            base = {**draft.base, **after} if draft.schema.declared else after
            scope.set_snapshot(document, ReadSnapshot(at, base, leave, put, time))
            return
        changed = {n: v for n, v in after.items() if n not in draft.base or not alike(v, draft.base[n])}
        kept = {
            n: v
            for n, v in (newest.values() or {}).items()
            if draft.schema.declared or n in after or n not in draft.base
        }
        scope.set_snapshot(document, newest._replace(base={**kept, **changed}))


class _Preparing(Writing):
    """Makes writes ready to be committed with others (``JointWrites``): what it gives is what waits for that."""

    creates = False  # by itself each would wait for a disk

    def __init__(self, writing: Writing) -> None:
        vars(self).update(vars(writing))

    def commit(self, pending: Pending) -> Any:
        """Gives what is to be committed."""
        return pending
