"""The ways through a workspace that write: put, write, edit, delete."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, ParamSpec, TypeVar

from concordant.errors import ConcordantError, Fault, InvalidWriteError, told
from concordant.record.leases import KEEP
from concordant.schema import Compiled, untouched_left_out
from concordant.values import Unstorable, alike, check_numbers, decode, encode
from concordant.workspace.commits import Pending
from concordant.workspace.document import Document, Receipt
from concordant.workspace.draft import Draft
from concordant.workspace.names import is_text
from concordant.workspace.reading import Namespace, Reading
from concordant.workspace.scope import Mark, Moment, Scope, Sight
from concordant.workspace.scoping import Tokens
from concordant.workspace.states import version_of
from concordant.workspace.waiting import off_loop, run_waiting

__all__ = ["Engine", "Put", "seconds_to_live", "stored_settings"]

P = ParamSpec("P")
T = TypeVar("T")


LONGEST = 1_000 * 366 * 86_400
"""The longest time to live, in seconds, but for one without end."""


class Put(NamedTuple):
    """One put of several (``put_all``)."""

    namespace: Namespace
    key: str
    value: Any
    settings: Mapping[str, Any] | None = None
    ttl: float | None = KEEP


def stored_settings(namespace: Namespace, key: str, settings: Any) -> dict[str, bytes | None]:
    """Settings as they are kept."""
    try:
        settings = dict(settings) if isinstance(settings, Mapping) else {None: settings}
        if not all(isinstance(name, str) and is_text(name) for name in settings):
            fault = Fault((), f"settings={told(settings)}", "Give a dict of JSON values by name", settings)
            raise InvalidWriteError(namespace, key, [fault])
        return {
            name: None if value is None else check_numbers(encode(value, (name,)), value, (name,))
            for name, value in settings.items()
        }
    except Unstorable as error:
        raise InvalidWriteError(namespace, key, [error.fault]) from error
    except RuntimeError as error:
        raise InvalidWriteError(namespace, key, [Fault((), f"they cannot be read ({error})", "Give a dict")]) from error


def _check_if_version(version: Any) -> None:
    if version is not None and not isinstance(version, int):
        raise ConcordantError(f"if_version= is a document's version, a whole number, not {told(version)}")


def seconds_to_live(namespace: Namespace, key: str, ttl: Any) -> float | None:
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


def _puts(given: Any) -> list[Put]:
    try:
        puts = [Put(*one) if isinstance(one, (tuple, list)) else None for one in given]
    except Exception as error:  # no sequence, or too few or too many parts
        raise ConcordantError(f"put_all takes (namespace, key, value) of each document, not {told(given)}") from error
    if any(put is None for put in puts):
        raise ConcordantError(f"put_all takes (namespace, key, value) of each document, not {told(given)}")
    return [put for put in puts if put is not None]


class Engine(Reading):
    """The ways through a workspace that write; ``Calls`` gives them their face."""

    # -- writing -------------------------------------------------------------------------------------------------

    def put(
        self,
        namespace: Namespace,
        key: str,
        value: Any,
        scope: Scope | None = None,
        *,
        seen: Document | None = None,
        settings: Mapping[str, Any] | None = None,
        ttl: float | None = KEEP,
    ) -> Receipt:
        """Stores as a store's put does: an edit of the fields given as far as they were read, else a contribution;
        in a namespace without a model the document is replaced as far as it has been seen.

        Args:
            seen: what the value was made from, for a caller that holds it: the put is an edit of that, whatever else
                the scope has read.
            settings: JSON values to remember about the document beside its value (``Document.setting``); of
                concurrent ones the newest stands, ``None`` unsets.
            ttl: for how many seconds the document is to live, from now and from each ``touch``; ``None``: for ever;
                not given: as long as it would anyway. Of concurrent puts the longest counts.

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> _ = ws.put(("codes",), "ada", {"code": 1234}, ttl=0.0)
        >>> ws.get(("codes",), "ada") is None
        True
        """
        if seen is not None:
            scope = self._having_read(seen)
        if ttl is not None and ttl is not KEEP:
            ttl = seconds_to_live(namespace, key, ttl)
        schema = self.registry.writable(namespace, key)
        document = (namespace, key)
        if scope is None:
            scope = self.scoping.current() or self.scoping.alone(document)
        body, parked = self.registry.incoming(schema, namespace, key, value)
        if scope.sight is not None:
            self._recall(scope, namespace, key)
        op = self._identity(scope, document) if scope.task is not None else None
        mark = scope.basis(document)
        stored = stored_settings(namespace, key, settings) if settings is not None else None
        if mark is None and not (parked or stored or schema.checked) and (ttl is KEEP or ttl is None):
            n = self.storage.create(namespace, key, scope.agent, scope.origin, "put", body, op)
            if n:
                if scope.origin:
                    scope.set_mark(document, body)
                return Receipt(n)
        pending = self._pending_put(schema, document, scope, mark, body, parked, op)
        pending.ttl = ttl
        if stored:
            pending.settings = stored
        return self._commit(pending)

    def remove(self, namespace: Namespace, key: str, scope: Scope | None = None) -> Receipt:
        """Deletes as a store's delete does."""
        return self._commit(self._removal(namespace, key, scope))

    def put_all(self, given: Sequence[tuple[Any, ...]]) -> None:
        """Puts (or, with the value ``None``, removes) several documents in one transaction: all of them or none.

        Args:
            given: of each namespace, key and value, and optionally settings and ttl as for ``put``.
        """
        scope = self.scoping.current()
        puts = _puts(given)
        writes: list[Pending] = []
        try:
            for namespace, key, value, settings, ttl in puts:
                if value is None:
                    writes.append(self._removal(namespace, key, scope))
                else:
                    writes.append(self._put(namespace, key, value, scope))
                    if settings is not None:
                        writes[-1].settings = stored_settings(namespace, key, settings)
                    writes[-1].ttl = seconds_to_live(namespace, key, ttl)
            self.storage.commit_all([(write.namespace, write.key, write.update) for write in writes])
        except BaseException:
            for write in reversed(writes):
                self._take_back(write)
            raise
        events = [event for write in writes for event in write.events]
        if events:
            self.subscribers.deliver(events)

    async def acall(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a call of this workspace for a coroutine: where it may wait for a database, beside the event loop; and
        waits for the async resolvers that it started."""
        run = run_waiting if self.storage.live else off_loop
        return await run(function, *args, **kwargs)

    def declares(self, namespace: Namespace) -> bool:
        """Whether the namespace has a model."""
        return self.registry.find(namespace).declared

    def _put(self, namespace: Namespace, key: str, value: Any, scope: Scope | None) -> Pending:
        schema = self.registry.writable(namespace, key)
        if scope is None:
            scope = self.scoping.alone((namespace, key))
        body, parked = self.registry.incoming(schema, namespace, key, value)
        if scope.sight is not None:
            self._recall(scope, namespace, key)
        op = self._identity(scope, (namespace, key)) if scope.task is not None else None
        return self._pending_put(schema, (namespace, key), scope, scope.basis((namespace, key)), body, parked, op)

    def _pending_put(
        self,
        schema: Compiled,
        document: tuple[Namespace, str],
        scope: Scope,
        mark: Mark | None,
        body: bytes,
        parked: Mapping[tuple[str, ...], bytes],
        op: tuple[str, str, int, float] | None,
    ) -> Pending:
        pending = Pending(schema, self.storage, *document, scope, mark, "put")
        pending.body, pending.parked, pending.op = body, parked, op
        pending.replaces_all = not schema.declared
        if scope.origin:
            self._mark_put(scope, document, schema, body, mark)
        return pending

    def _removal(self, namespace: Namespace, key: str, scope: Scope | None) -> Pending:
        schema = self.registry.writable(namespace, key)
        document = (namespace, key)
        if scope is None:
            scope = self.scoping.current() or self.scoping.alone(document)
        if scope.sight is not None:
            self._recall(scope, namespace, key)
        mark = scope.basis(document)
        pending = Pending(schema, self.storage, namespace, key, scope, mark, "delete")
        pending.existed = scope.written.get(document, True if mark is not None and mark.base else None)
        if scope.task is not None:
            pending.op = self._identity(scope, document)
        if scope.origin:
            put = Mark(mark.at, {}, put=scope.origin, time=mark.time) if mark else Mark(-1, {}, put=scope.origin)
            scope.set_mark(document, put, mark)
            scope.written[document] = False
        return pending

    def _mark_put(
        self, scope: Scope, document: tuple[Namespace, str], schema: Compiled, body: bytes, mark: Mark | None
    ) -> None:
        """After a put the scope has read what it put, beside what it had read (``mark``) of the fields it left out."""
        if mark is None:
            scope.set_mark(document, body)
        elif schema.declared:
            scope.set_mark(document, mark.then_put(body, scope.origin), mark)
        else:
            scope.set_mark(document, Mark(mark.at, body, mark.leave, scope.origin, mark.time), mark)

    def _identity(self, scope: Scope, document: tuple[Namespace, str]) -> tuple[str, str, int, float]:
        """The identity of a task's put, by which a later execution of the task finds it."""
        task = scope.task
        assert task is not None
        base = scope.base
        if base.successor is not None:
            for later in scope.successors():
                later.rewritten.add(document)
        if base.executed_before is not False or base.overlaps:
            self._earlier(scope, document)
        return task.task, task.execution, scope.number(document), scope.since.time

    def _write(self, scope: Scope, namespace: Namespace, key: str, value: Any, *, if_version: int | None) -> Receipt:
        if if_version is not None:
            _check_if_version(if_version)
        schema = self.registry.writable(namespace, key)
        document = (namespace, key)
        body, parked = self.registry.incoming(schema, namespace, key, value)
        if scope.sight is not None:
            self._recall(scope, namespace, key)
        op = self._identity(scope, document) if scope.task is not None else None
        if not (parked or if_version or schema.checked):
            n = self.storage.create(namespace, key, scope.agent, scope.origin, "write", body, op)
            if n:
                scope.written[document] = True
                return Receipt(n)
        pending = Pending(schema, self.storage, namespace, key, scope, scope.mark(document), "write")
        pending.body, pending.parked, pending.op = body, parked, op
        pending.if_version = if_version
        receipt = self._commit(pending)
        scope.written[document] = True
        return receipt

    def _delete(self, scope: Scope, namespace: Namespace, key: str, *, if_version: int | None) -> Receipt:
        _check_if_version(if_version)
        pending = self._removal(namespace, key, scope)
        pending.if_version = if_version
        return self._commit(pending)

    def _commit(self, pending: Pending) -> Receipt:
        try:
            self.storage.commit(pending.namespace, pending.key, pending.update)
        except BaseException:
            self._take_back(pending)
            raise
        if pending.events:
            self.subscribers.deliver(pending.events)
        return Receipt(pending.version, pending.escalations() if pending.open else ())

    def _take_back(self, pending: Pending) -> None:
        """After a write that was not committed: its scope knows and counts as before it."""
        document = (pending.namespace, pending.key)
        if pending.mode in ("put", "delete") and pending.scope.origin:
            pending.scope.set_mark(document, pending.mark)
        if pending.op is not None:
            pending.fail()
            pending.scope.take_number_back(document, pending.op[2])

    # -- editing -------------------------------------------------------------------------------------------------

    def _open(self, scope: Scope, namespace: Namespace, key: str) -> Draft:
        schema = self.registry.writable(namespace, key)
        if scope.sight is not None:
            mark = self._as_shown(scope, scope.sight, namespace, key)
            return Draft((namespace, key), schema, mark.values() or {}, mark)
        document, mark = self._read_as(scope, namespace, key)
        return Draft((namespace, key), schema, document.value if document is not None else {}, mark)

    def _as_shown(self, scope: Scope, sight: Sight, namespace: Namespace, key: str) -> Mark:
        """What an edit begins with that is made on the strength of tokens: what its scope has seen, not a new read."""
        self._recall(scope, namespace, key)
        mark = scope.mark((namespace, key))
        if mark is None or mark.at < 0:
            assert sight.upto is not None
            mark = self._as_of(namespace, key, sight.upto)[2]
            scope.set_mark((namespace, key), mark)
        return mark

    def _close(self, scope: Scope, draft: Draft) -> Receipt:
        schema = draft.schema
        pending = Pending(schema, self.storage, draft.namespace, draft.key, scope, draft.mark, "edit")
        if schema.declared:
            try:
                given, changed = draft.touched()
            except Exception as error:  # of what the caller has put into the model
                fault = Fault(
                    (), f"what was edited cannot be read ({type(error).__name__}: {error})", "Store plain values"
                )
                raise InvalidWriteError(draft.namespace, draft.key, [fault]) from error
            document = (draft.namespace, draft.key)
            before = decode(self.registry.incoming(schema, *document, given, spelt=True)[0]) if given else {}
            pending.body, pending.parked = self.registry.incoming(schema, *document, changed, spelt=True)
            whole = pending._values()
            after = untouched_left_out(schema.root, before, whole)
            if after != whole:
                pending.values, pending.body = after, encode(after)
            unchanged = not after and not pending.parked
        else:
            pending.body, _ = self.registry.incoming(schema, draft.namespace, draft.key, draft.object)
            whole = pending._values()
            after = whole
            unchanged = alike(whole, draft.base)
            pending.replaces_all = True
        if unchanged:
            return Receipt(version_of(self.storage.load(draft.namespace, draft.key)))
        if scope.task is not None:
            pending.op = self._identity(scope, (draft.namespace, draft.key))
        receipt = self._commit(pending)
        # A default that nobody touched was not written, so it is nothing that a later put could leave as it is.
        self._mark_edit(scope, draft, {name: whole[name] for name in after})
        return receipt

    def _mark_edit(self, scope: Scope, draft: Draft, after: dict[str, Any]) -> None:
        """After an edit the scope has read what it wrote, beside the newest it has read of the rest."""
        document = (draft.namespace, draft.key)
        newest = scope.mark(document) or draft.mark
        if newest == draft.mark:
            base = {**(draft.mark.values() or {}), **after} if draft.schema.declared else after
            scope.set_mark(document, draft.mark._replace(base=base))
            return
        changed = {n: v for n, v in after.items() if n not in draft.base or not alike(v, draft.base[n])}
        kept = {
            n: v
            for n, v in (newest.values() or {}).items()
            if draft.schema.declared or n in after or n not in draft.base
        }
        scope.set_mark(document, newest._replace(base={**kept, **changed}))

    # -- scopes --------------------------------------------------------------------------------------------------

    def _scope(self, name: str, began: Moment | None = None, seen: Tokens | None = None) -> Scope:
        with self.storage.reading():
            return self.scoping.begin(name, began, seen)
