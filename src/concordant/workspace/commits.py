"""The way of a write: from a scope and values to a commit, its journal row and its events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from concordant.causal import Stamp, dot_of
from concordant.errors import StaleWriteError
from concordant.kinds import Contest
from concordant.record import Earlier, Record, View, Write, apply, view
from concordant.schema import Compiled
from concordant.storage import Row, State, Storage
from concordant.values import ABSENT, decode, encode
from concordant.workspace.escalation import Escalation, Event, when
from concordant.workspace.inbox import Decision, Inbox
from concordant.workspace.scope import Mark, Scope, seen_by

__all__ = ["Pending", "current_view", "expanded", "version_of"]

_NOBODY = Mark(-1, None)


class Pending:
    """One write on its way. ``update`` is what the storage runs inside its transaction.

    Attributes:
        version: the document's version after the commit.
        events: the transitions of escalations that it caused.
    """

    __slots__ = (
        "act", "base", "body", "contest", "decision", "deciding", "events", "if_version", "inbox", "key", "leave",
        "mark", "mode", "namespace", "op", "parked", "replaces_all", "replica", "schema", "scope", "values", "version",
    )  # fmt: skip

    def __init__(
        self,
        schema: Compiled,
        inbox: Inbox,
        replica: str,
        namespace: tuple[str, ...],
        key: str,
        scope: Scope,
        mark: Mark | None,
        mode: Any,
        body: bytes | None,
    ) -> None:
        self.schema = schema
        self.inbox = inbox
        self.replica = replica
        self.namespace = namespace
        self.key = key
        self.scope = scope
        self.mark = mark
        self.mode = mode
        self.body = body
        self.act: str = mode
        self.values: dict[str, Any] | None = None
        self.base: dict[str, Any] | None = None
        self.leave: frozenset[str] = frozenset()
        self.replaces_all = False
        self.parked: dict[tuple[str, ...], bytes] = {}
        self.op: tuple[str, str, int] | None = None
        self.if_version: int | None = None
        self.contest: Contest | None = None
        self.decision: Any = ABSENT
        self.deciding: Decision | None = None
        self.version = 0
        self.events: list[Event] = []

    def update(self, state: State | None, n: int, time: float) -> tuple[State | None, Any] | None:
        """Applies the write to a state; raises without having changed anything."""
        if self.if_version is not None:
            current = version_of(state) if _exists(state, self.schema) else 0
            if current != self.if_version:
                raise StaleWriteError(self.namespace, self.key, self.if_version, current)
        scope = self.scope
        if state is None and not self.parked and self.mode != "delete" and self._is_plain():
            row = (
                self.namespace, self.key, n, time, scope.agent, scope.origin, self.act, self.body, None, 0, self.op, (),
            )  # fmt: skip
            self.version = n
            return row, row
        if state is None and self.mode == "delete":
            return None
        earlier, later = self._earlier(state)
        if earlier is not None and self._repeats(earlier):
            self.version = version_of(state)
            return None
        record = state if isinstance(state, Record) else expanded(state, self.schema, self.replica)
        stamp = Stamp(time, self.replica, n, scope.agent, scope.origin, self.act)
        write = Write(
            stamp=stamp,
            mode=self.mode,
            values=self._values(),
            seen=(lambda _: True) if self.deciding else seen_by(scope, self.mark, record, self.replica),
            base=self.base,
            leave=self.leave,
            replaces_all=self.replaces_all,
            parked=self.parked,
            contest=self.contest,
            decision=self.decision,
            earlier=Earlier(earlier.stamp(self.replica), _changes_of(earlier, self.schema, self.replica))
            if earlier is not None
            else None,
            yields=later,
        )
        changes = apply(record, write, self.schema.root, on_delete=self.schema.on_delete)
        previous = version_of(state)
        if not changes:
            self.version = previous
            return None
        existed = _exists(state, self.schema)
        record.commit(changes, stamp)
        if not existed:
            record.created_at = time
        settled: tuple[Any, ...] = ()
        document = (self.namespace, self.key)
        if record.suspects or self.schema.checked or document in self.inbox.open:
            shown = current_view(record, self.schema)
            settled = shown.settled
            self.events = self.inbox.refresh(document, shown, record, when(time), self.deciding)
        self.version = n
        row = Row(
            self.namespace, self.key, n, time, scope.agent, scope.origin, self.act, self._payload(),
            changes, previous, self.op, settled,
        )  # fmt: skip
        return record, row

    def escalations(self) -> tuple[Escalation, ...]:
        """The open escalations of the document that this write had a part in."""
        found = self.inbox.open.get((self.namespace, self.key))
        if not found:
            return ()
        own = {event.escalation.id for event in self.events}
        agent = self.scope.agent
        return tuple(
            e for e in found.values() if e.id in own or any(agent in contender.agents for contender in e.contenders)
        )

    def _is_plain(self) -> bool:
        return self.body is not None and (not self.schema.checked or self.schema.fits(decode(self.body)))

    def _values(self) -> dict[str, Any]:
        if self.values is None:
            self.values = decode(self.body) if self.body is not None else {}
        return self.values or {}

    def _payload(self) -> bytes | None:
        if self.body is None and self.values is not None:
            self.body = encode(self.values)
        return self.body

    def _earlier(self, state: State | None) -> tuple[Row | None, frozenset[tuple[str, int]]]:
        """The put of an earlier execution whose place this one takes, and the dots of those after it."""
        if self.op is None:
            return None, frozenset()
        rows: dict[int, Row] | None = self.scope.earlier.get((self.namespace, self.key))
        if not rows:
            return None, frozenset()
        ordinal = self.op[2]
        row = rows.pop(ordinal, None)
        later = frozenset(dot_of(r.stamp(self.replica)) for o, r in rows.items() if o > ordinal)
        return row, later

    def _repeats(self, earlier: Row) -> bool:
        """Whether this put gives the same value as the one whose place it takes."""
        if self.mode == "delete" or earlier.act == "delete":
            return self.mode == "delete" and earlier.act == "delete"
        if self.parked or earlier.body is None:
            return False
        return earlier.body == self._payload() or decode(earlier.body) == self._values()


def expanded(state: Any, schema: Compiled, replica: str) -> Record:
    """The record of a document that was written once (or an empty one)."""
    record = Record()
    if state is None:
        return record
    row = Row(*state)
    stamp = row.stamp(replica)
    write = Write(stamp, "write", decode(row.body or b"{}"), lambda _: False)
    record.commit(apply(record, write, schema.root), stamp)
    return record


def current_view(state: State, schema: Compiled) -> View:
    """What a state shows, remembered with it until it changes."""
    if not isinstance(state, Record):
        return View(state[7], (), (), ())
    if state.cache is None:
        state.cache = view(
            state, schema.root, on_delete=schema.on_delete, fits=schema.fits if schema.checked else None
        )
    return state.cache  # type: ignore[no-any-return]


def version_of(state: State | None) -> int:
    """The number of the last commit to a document; 0 if there is none."""
    if state is None:
        return 0
    return state.version if isinstance(state, Record) else state[2]  # type: ignore[no-any-return]


def _exists(state: State | None, schema: Compiled) -> bool:
    return state is not None and (not isinstance(state, Record) or current_view(state, schema).body is not None)


def _changes_of(row: Row, schema: Compiled, replica: str) -> Sequence[Any]:
    """What a row changed; for the only write of a document, all of it."""
    if row.changes is not None:
        return row.changes
    record = Record()
    write = Write(row.stamp(replica), "write", decode(row.body or b"{}"), lambda _: False)
    return apply(record, write, schema.root)


