"""Writes put off: in memory, a record whose newest writes are applied when somebody looks at more than they show.

A write that has seen all there is can have no effect but its own, so it may wait: a chain of them costs little more
than as many rows. And one that was made from the very value that is shown leaves what its writer gave, so that a
reader need not wait for the merge either. What this cannot tell for certain it does not tell: then the merge is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import is_
from typing import Any, TypeAlias

from pydantic_core import to_json

from concordant.merge.causality import seen_everything
from concordant.merge.kinds import Field
from concordant.merge.record import Record, View, Write, apply, begin, journalled, packed
from concordant.merge.record.leases import KEEP, after_sequel
from concordant.merge.registers.tree import copied
from concordant.schema import Compiled
from concordant.storage.base import Column, Compact, Deferred, State, stamp_of
from concordant.values import ABSENT, alike, decode_whole

__all__ = ["LazyRecord", "put_off", "settled"]

MOST_WAITING = 32
"""How many writes of a document may wait to be applied."""
LARGE = 1 << 12
"""From how many bytes on what is shown is kept beside its JSON, as long as something waits."""
MOST_TEXT = 1 << 19
"""How much they may be together, in bytes: so that nobody waits for long until they are applied."""

_NOTHING: frozenset[str] = frozenset()


class _Waiting:
    """What waits in a record.

    Attributes:
        rows: the journal rows of the writes, as plain tuples; of a document's first write the row is all there is.
        foreseen: how many of them the record's ``cache`` takes into account.
        is_full: whether no more may wait.
        root: how the document's fields merge.
        replica: the store's name in dots.
    """

    __slots__ = ("foreseen", "is_full", "replica", "root", "rows")

    rows: list[Compact]
    foreseen: int
    is_full: bool
    root: Field
    replica: str


def _waiting(rows: list[Compact], root: Field, replica: str) -> _Waiting:
    waiting = _Waiting.__new__(_Waiting)  # an initializer would double the price
    waiting.rows, waiting.foreseen, waiting.root, waiting.replica = rows, 0, root, replica
    waiting.is_full = False
    return waiting


def _applied(name: str) -> Any:
    """A part of a record that nobody sees before what waits is applied."""
    slot = Record.__dict__[name]

    def get(record: LazyRecord) -> Any:
        settled(record)
        return slot.__get__(record)

    return property(get, slot.__set__)


class LazyRecord(Record):
    """A record in which writes wait; an ordinary one from the moment on when they have been applied.

    Number and time of its last commit, its newest commits, and how long it lives are as if they were applied already.
    """

    __slots__ = ()

    # Else nothing would have been put off.
    is_undisputed = True  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]
    tree = _applied("tree")
    vector = _applied("vector")
    memory = _applied("memory")
    suspects = _applied("suspects")
    tombs = _applied("tombs")
    covering = _applied("covering")
    lives = _applied("lives")

    @property
    def cache(self) -> View | None:
        """What it shows, as far as that can be told without the merge."""
        return _foreseen(self)

    @cache.setter
    def cache(self, view: View | None) -> None:
        _CACHE.__set__(self, view)

    def copy(self) -> LazyRecord:
        twin, waiting = LazyRecord(), self.later
        for name in _COPIED:
            value = _raw(self, name)
            _set(twin, name, value.copy() if isinstance(value, (dict, list, set)) else value)
        _set(twin, "tree", copied(_raw(self, "tree"), made=_raw(self, "covering")))
        twin.later = _waiting([*waiting.rows], waiting.root, waiting.replica)
        return twin


_COPIED = [name for name in Record.__slots__ if name not in ("cache", "later", "memory", "standing", "tree")]
_CACHE = Record.__dict__["cache"]


def _raw(record: Record, name: str) -> Any:
    return Record.__dict__[name].__get__(record)


def _set(record: Record, name: str, value: Any) -> None:
    Record.__dict__[name].__set__(record, value)


def put_off(state: State | None, row: Compact, write: Deferred, replica: str) -> LazyRecord:
    """Lets a write wait.

    Args:
        state: of the document, which changes; ``None``: this is its first write.
        row: of the journal.
    """
    n, time, origin = row[Column.N], row[Column.TIME], row[Column.ORIGIN]
    if type(state) is LazyRecord:
        record: Any = state
        rows = record.later.rows
        rows.append(row)
        # Of large writes, which mostly are of one size, few.
        record.later.is_full = len(rows) >= MOST_WAITING or len(rows) * len(row[Column.BODY] or b"") > MOST_TEXT
    else:
        record = _begun(state, row, write, replica)
    record.note_commit(n, time, origin)
    record.version, record.updated_at = n, time
    if record.leases or (write.ttl is not None and write.ttl is not KEEP):
        record.leases = after_sequel(record.leases, record.created_at, stamp_of(row, replica), write.ttl)
    return record  # type: ignore[no-any-return]


def _begun(state: State | None, row: Compact, write: Deferred, replica: str) -> LazyRecord:
    """The record of a document in which a write is the first to wait; of its only write that waits too."""
    record: Any = state
    rows = [row]
    if not isinstance(state, Record):
        record = Record()
        if state is None:
            record.created_at = row[Column.TIME]
        else:
            rows = [state, row]
            record.created_at = state[Column.TIME]
            record.recent = [(state[Column.N], state[Column.TIME], state[Column.ORIGIN])]
    record.later = _waiting(rows, write.schema.root, replica)
    record.__class__ = LazyRecord
    return record  # type: ignore[no-any-return]


def settled(record: LazyRecord) -> Record:
    """Applies what waits in a record, which is an ordinary one then."""
    waiting: _Waiting = record.later
    foreseen: View | None = _CACHE.__get__(record) if waiting.foreseen == len(waiting.rows) else None
    record.__class__ = Record  # type: ignore[assignment]
    record.later = None
    reads = _Reads()
    for row in waiting.rows:
        body, put_off = row[Column.BODY] or b"{}", row[Column.CHANGES]
        stamp, given = stamp_of(row, waiting.replica), _given(put_off, body)
        if not row[Column.PREVIOUS]:
            record.note_life(stamp, True)
        if isinstance(put_off, Deferred):
            snapshot = put_off.snapshot
            base, leave = (None, _NOTHING) if snapshot is None else (reads.of(snapshot), snapshot.leave)
            more = (seen_everything, base, leave, put_off.replaces_all)
            write = Write(stamp, put_off.mode, given, *more, own=put_off.own, places=put_off.places)
        else:
            reads.then(body, given)
            begin(record, stamp, given, waiting.root)
            continue
        reads.then(body, given)
        changes, _, known = apply(record, write, waiting.root)
        put_off.changes, put_off.values = journalled(changes), None
        if put_off.outcome is not None:
            put_off.outcome.changes = packed(put_off.changes)
        record.commit(changes, stamp)
        record.tell(changes)
        record.learn(known)
    record.cache = foreseen.shows(foreseen.body) if foreseen is not None and foreseen.body is not None else None
    return record


class _Reads:
    """What the writers of some writes, one after the other, had read: of puts in a row the one has read what the one
    before it had, with that put over it, so that nothing is read twice.

    Attributes:
        base: what the last of them had read, as its snapshot has it.
        values: the same, read.
        body: the JSON of what it gave.
        given: the same, read.
    """

    __slots__ = ("base", "body", "given", "values")

    def __init__(self) -> None:
        self.base: Any = None
        self.values: Any = None
        self.body = b""
        self.given: Any = None

    def of(self, snapshot: Any) -> dict[str, Any] | None:
        """What a write's snapshot has; nobody may change it."""
        base = snapshot.base
        if base is self.body:
            self.values = self.given
        elif type(base) is tuple and base[-1] is self.body and self._is_under(base):
            self.values = {**self.values, **self.given}
        else:
            self.values = snapshot.values()
        self.base = base
        return self.values  # type: ignore[no-any-return]

    def _is_under(self, base: tuple[Any, ...]) -> bool:
        """Whether the last write had read the same, without what it put over it itself."""
        return base[0] is self.base if len(base) == 2 else base[:-1] == self.base

    def shown(self, base: Any, values: dict[str, Any]) -> dict[str, Any]:
        """What a write's writer had read is what is shown."""
        self.base, self.values = base, values
        return values

    def then(self, body: bytes, given: Any) -> None:
        """Takes note of what a write gave whose writer's read was asked for."""
        self.body, self.given = body, given


def _foreseen(record: LazyRecord) -> View | None:
    """What a record with writes put off will show; ``None`` where only the merge can tell."""
    waiting: _Waiting = record.later
    known: View | None = _CACHE.__get__(record)
    if known is None:
        first = waiting.rows[0]
        if _raw(record, "tree") or isinstance(first[Column.CHANGES], Deferred):
            return None
        known, done = View(first[Column.BODY]), 1
    else:
        done = waiting.foreseen
    if done < len(waiting.rows):
        if known.body is None or known.contests or known.settled or record.leases or _is_blind(waiting.rows[done:]):
            return None  # only the merge can tell more
        vector, reads = _raw(record, "vector"), _Reads()
        alone = vector.keys() <= {waiting.replica}
        shown: _Shown = (known.body, decode_whole(known.body) if known.value is ABSENT else known.value)
        for row in waiting.rows[done:]:
            after = _after(row[Column.CHANGES], shown, row[Column.BODY] or b"{}", alone, reads)
            if after is None:
                return None
            shown = after
        body, value = shown
        known = known.shows(body, value if len(body) >= LARGE else ABSENT)
    _CACHE.__set__(record, known)
    waiting.foreseen = len(waiting.rows)
    return known


def _is_blind(rows: Iterable[Compact]) -> bool:
    """Whether one of some writes that wait was made without a read: what it adds to is told by the merge alone."""
    return any(row[Column.CHANGES].snapshot is None for row in rows)


_Shown: TypeAlias = tuple[bytes, dict[str, Any]]
"""What a document shows, as JSON and read."""


def _after(write: Any, before: _Shown, written: bytes, alone: bool, reads: _Reads) -> _Shown | None:
    """The value after a write; ``None`` if it was made from another value, or merges in another way.

    Args:
        alone: whether the document knows writes of this store only; else names and elements stand in an order of their
            own.
        reads: what the writers of the writes before it had read.
    """
    snapshot = write.snapshot
    if snapshot is None or snapshot.leave or not (alone or write.schema.declared):
        return None
    body, shown = before
    base = reads.shown(body, shown) if snapshot.base is body else reads.of(snapshot)
    if base is None:
        return None
    given = _given(write, written)
    reads.then(written, given)
    if write.replaces_all:
        return _replaced(write.schema, shown, base, given)
    if not write.schema.declared:
        return None  # its fields are known to the merge alone
    value = _fields_after(write.schema.root.fields, shown, base, given, alone)
    if value is None:
        return None
    if [*value] == [*given] and all(map(is_, value.values(), given.values())):
        return written, value  # one object for both
    return _text(value), value


def _fields_after(
    fields: Mapping[str, Field], shown: dict[str, Any], base: dict[str, Any], given: dict[str, Any], alone: bool
) -> dict[str, Any] | None:
    """The values of all fields after a write of some."""
    found: dict[str, Any] = {}
    for name, new in given.items():
        if not alone and fields[name].kind.holds == "elements":
            return None
        old = shown.get(name, ABSENT)
        after = _field_after(fields[name], old, old if base is shown else base.get(name, ABSENT), new)
        if after is ABSENT:
            return None
        found[name] = after
    found = {**shown, **found}
    return {name: found[name] for name in fields if name in found}


def _replaced(schema: Compiled, shown: Any, base: Any, given: Any) -> _Shown | None:
    """The value after a write that replaces all of it."""
    if base is not shown and not alike(base, shown):
        return None
    if schema.adapts and any(isinstance(part, (dict, list)) for part in (*shown.values(), *given.values())):
        return None
    kept = {name: _scalar(given[name], old) for name, old in shown.items() if name in given}
    value = {**kept, **{name: new for name, new in given.items() if name not in kept}}
    return _text(value), value


def _field_after(field: Field, shown: Any, base: Any, new: Any) -> Any:
    """The value of a field after a write of it; ``ABSENT`` if that is not certain."""
    kind = field.kind
    if kind.grow_only or shown is ABSENT or base is ABSENT:
        return ABSENT
    return kind.foreseen(field, shown, base, new)


def _given(write: Any, body: bytes) -> Any:
    """What a write gives."""
    known = write.values if isinstance(write, Deferred) else None
    return decode_whole(body) if known is None else known


def _text(value: dict[str, Any]) -> bytes:
    return to_json(value, inf_nan_mode="constants")  # it comes from JSON, so there is nothing to look for


def _scalar(new: Any, old: Any) -> Any:
    """An equal value is the one that was there, in its form."""
    return old if alike(new, old) else new
