"""Records, journal rows and escalations as the columns and bytes that a storage holds, and back."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from concordant.errors import ConcordantError, told
from concordant.escalation import DELETED, Contender, Escalation, Remark, when
from concordant.merge.record import Record, dump_changes, dump_record, load_changes, load_record
from concordant.merge.record.leases import end_of
from concordant.storage.base import Deferred, Namespace, Row, Saved, State, row_of

__all__ = [
    "DOCUMENT",
    "JOURNAL",
    "RottenError",
    "StoredBody",
    "StoredDocument",
    "StoredRow",
    "alone",
    "bounds",
    "dump_escalation",
    "dump_key",
    "dump_namespace",
    "dump_row",
    "dump_state",
    "load_changes_of",
    "load_escalation",
    "load_key",
    "load_namespace",
    "load_row",
    "load_state",
    "pack",
    "unpack",
    "waits_until",
]

_FORM = (
    b'","priority":null,"counter:","list:","map[scalar]:","text:","scalar:","set:","\\u0000,{"leaf":[[0,"\\",null,[],[],'
    b'0]]},{"leaf":[[1,"\\"[[0,"[1,1]",null,[0],[],0]]}],null,"anonymous","","edit"],"write"],"put"]"arrivals":[],"lives"'
    b':[[1,true]],"leaves":[[["{"p":[[1,1,0,"\\n,null,3,[]]],"s":[]}],"leases":[],"swept":false,"touched":0,"reborn":0.0,'
    b'"settings":{},"stamps":[[{"format":1,"vector":{"'
)
"""What most of them have in common. Never change it: what was packed with it is unpacked with it."""

_PACKED = b"\x01"  # no JSON text begins so; without a checksum: packed by an earlier version
_CHECKED = b"\x02"  # four bytes of a checksum follow
_WHOLE = b"\x03"  # the same, and what follows them is the text itself
_WINDOW = 30_000
_LARGE = 1 << 18  # what is larger is written as it is: a write is not to wait for it
_RAW = -15  # deflate without a header


class RottenError(ConcordantError, ValueError):
    """Stored bytes changed since they were stored."""


def pack(data: bytes, beside: bytes | None) -> bytes:
    """Makes bytes to store.

    Args:
        data: JSON text.
        beside: what will be there when it is read again.
    """
    sum_ = zlib.crc32(data).to_bytes(4, "big")
    if len(data) > _LARGE:
        return _WHOLE + sum_ + data
    known = (beside or b"")[:_WINDOW] + _FORM
    bits = min(max((len(data) + len(known)).bit_length(), 10), 15)  # a window no larger than what there is to see
    packer = zlib.compressobj(3, zlib.DEFLATED, -bits, bits - 7, zdict=known)
    return _CHECKED + sum_ + packer.compress(data) + packer.flush()


def unpack(data: bytes, beside: bytes | None) -> bytes:
    """Returns the JSON text that was stored.

    Raises:
        RottenError: these are not the bytes that were stored, or it was not packed beside this.
    """
    form, text = data[:1], data
    if form in (_PACKED, _CHECKED):
        unpacker = zlib.decompressobj(_RAW, zdict=(beside or b"")[:_WINDOW] + _FORM)
        try:
            text = unpacker.decompress(data[1 if form == _PACKED else 5 :]) + unpacker.flush()
        except zlib.error as error:
            raise RottenError(f"the bytes are not those that were stored ({error})") from error
    elif form == _WHOLE:
        text = data[5:]
    if form in (_CHECKED, _WHOLE) and zlib.crc32(text).to_bytes(4, "big") != data[1:5]:
        raise RottenError("the bytes are not those that were stored (their checksum differs)")
    return text


def alone(data: bytes, beside: bytes | None) -> bytes:
    """Gives packed bytes as they are packed beside nothing."""
    return data if data.startswith(_WHOLE) else pack(unpack(data, beside), None)


# Names of documents are text that every database can hold and whose order is that of its bytes: a namespace is its JSON
# (`["users","ada"]`), so that all below `["users"` is one range of an index; a key is its JSON without the quotes.


@lru_cache(maxsize=10_000)
def dump_namespace(namespace: tuple[str, ...]) -> str:
    """Returns a namespace as stored."""
    return json.dumps(namespace, ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=10_000)
def load_namespace(text: str) -> tuple[str, ...]:
    """Returns the namespace that was stored.

    Raises:
        RottenError: it is none.
    """
    with _rotting(f"the namespace of a document is {told(text, 80)}, which is none"):
        found = json.loads(text)
        if not (isinstance(found, list) and all(isinstance(part, str) for part in found)):
            raise ValueError(text)
        return tuple(found)


@contextmanager
def _rotting(what: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise RottenError(f"{what}. Restore the database from a back-up") from error


_as_json = json.encoder.encode_basestring  # what ``json.dumps`` comes to for a text, many calls later


def dump_key(key: str) -> str:
    """Returns a key as stored."""
    return _as_json(key)[1:-1]


def load_key(text: str) -> str:
    """Returns the key that was stored.

    Raises:
        RottenError: it is none.
    """
    if "\\" not in text:
        return text
    with _rotting(f"the key of a document is {told(text, 80)}, which is none"):
        return str(json.loads(f'"{text}"'))


def bounds(prefix: tuple[str, ...]) -> tuple[str, str]:
    """Returns the first stored namespace under a prefix, and the first after all of them.

    What follows the text of a prefix is a comma or the closing bracket, and both are smaller than ``^``.
    """
    begin = dump_namespace(prefix)[:-1]
    return begin, begin + "^"


class StoredDocument(NamedTuple):
    """A document as it is stored.

    Attributes:
        id: the number of its first commit.
        namespace: as ``dump_namespace`` gives it.
        key: as ``dump_key`` gives it.
        version: the number of its last commit.
        created: the time of its first write; ``updated``: of its last.
        agent: who made its only write, with ``origin`` and ``act``; ``None`` of a record.
        open: how many open escalations it has.
        fingerprint: of the schema under which it was saved.
        value: what it shows, as JSON; of its only write the whole value.
        record: its record, packed beside ``value``.
        expires: when the sweep has to do with it.
        saved: the number of the commit that saved it.
        kept: of a record whose tree is stored apart (``concordant.storage.tails``) the number of the commit that stored
            it: what came after that is told by the journal. Then ``record`` has no tree, and ``value`` only what is
            short; ``None``: the record is here.
        whole: how many bytes that tree has.
        tail: how many the rows of the journal have that came after it.
    """

    id: int
    namespace: str
    key: str
    version: int
    created: float
    updated: float
    agent: str | None
    origin: str | None
    act: str | None
    open: int
    fingerprint: str | None
    value: bytes | None
    record: bytes | None
    expires: float | None
    saved: int
    kept: int | None = None
    whole: int = 0
    tail: int = 0

    @property
    def address(self) -> tuple[Namespace, str]:
        """Namespace and key."""
        return load_namespace(self.namespace), load_key(self.key)


class StoredRow(NamedTuple):
    """A journal row as it is stored: ``Row``, with the id of the document for its name, and ``op`` in its parts.

    ``base`` is the number of the row from whose body this one's is a difference; 0: the body is packed whole, and the
    changes are not packed beside it; ``None``: the body is as it was given.
    """

    n: int
    document: int
    time: float
    agent: str
    origin: str
    act: str
    previous: int
    task: str | None
    execution: str | None
    ordinal: int | None
    began: float | None
    settled: str | None
    body: bytes | None
    changes: bytes | None
    met: str | None
    base: int | None = None


class FirstWrite(NamedTuple):
    """The first write of a document as it is stored, in the table of documents and in the journal: all but number and
    time."""

    clock: int
    namespace: str
    key: str
    agent: str
    origin: str
    act: str
    fingerprint: str
    value: bytes
    task: str | None
    execution: str | None
    ordinal: int | None
    began: float | None


DOCUMENT = ", ".join(StoredDocument._fields)
JOURNAL = ", ".join(StoredRow._fields)


def dump_state(
    id_: int,
    state: State,
    address: tuple[Namespace, str],
    open_: int,
    beside: Saved,
    saved: int,
) -> StoredDocument:
    """Gives a state as it is stored.

    Args:
        id_: the number of the document's first commit.
        open_: how many open escalations it has.
        beside: what a record shows, and under which model.
        saved: the number of the commit that saves it.
    """
    namespace, key = dump_namespace(address[0]), dump_key(address[1])
    if isinstance(state, Record):
        return StoredDocument(
            id_, namespace, key, state.version, state.created_at, state.updated_at, None, None, None,
            open_, beside.fingerprint, beside.shown, pack(dump_record(state), beside.shown), waits_until(state), saved,
        )  # fmt: skip
    row = row_of(state)
    return StoredDocument(
        id_, namespace, key, row.n, row.time, row.time, row.agent, row.origin, row.act,
        0, beside.fingerprint, row.body, None, None, saved,
    )  # fmt: skip


def waits_until(record: Record) -> float | None:
    """Tells when the sweep has to do with a record."""
    end = end_of(record.leases)
    return None if record.swept or end == math.inf else end


def load_state(stored: StoredDocument, address: tuple[Namespace, str]) -> State:
    """Gives the state of a stored document.

    Raises:
        ValueError: it cannot be read.
    """
    if stored.agent is not None:
        by = (stored.agent, stored.origin, stored.act)
        return (*address, stored.version, stored.created, *by, stored.value, None, 0, None, ())
    record = load_record(unpack(stored.record or b"", stored.value))
    record.version, record.updated_at = stored.version, stored.updated
    return record


def dump_row(row: Row, document: int, body: StoredBody | None, *, onward: bool) -> StoredRow:
    """Gives a journal row as it is stored.

    Args:
        document: the id of the document.
        body: what was given as it is stored, if otherwise than as it is.
        onward: whether the row tells of its changes so that they can be made once more.
    """
    assert not isinstance(row.changes, Deferred)
    stored, base = (row.body, None) if body is None else body
    changes = None
    if row.changes is not None:
        told = dump_changes(row.changes, row.effect, row.upto, onward=onward)
        changes = pack(told, row.body if base is None else None)
    task, execution, ordinal, began = row.op or (None, None, None, None)
    return StoredRow(
        row.n, document, row.time, row.agent, row.origin, row.act, row.previous, task, execution, ordinal, began,
        to_json(row.settled).decode() if row.settled else None, stored, changes,
        to_json(row.met).decode() if row.met else None, base,
    )  # fmt: skip


class StoredBody(NamedTuple):
    """What a write gave, as a row of the journal keeps it: see ``StoredRow``."""

    body: bytes | None
    base: int | None


def load_changes_of(changes: bytes, base: int | None, body: bytes | None) -> Any:
    """Tells what a stored row tells of its changes (``load_changes``)."""
    return load_changes(unpack(changes, body if base is None else None))


def load_row(stored: StoredRow, address: tuple[Namespace, str]) -> Row:
    """Gives the journal row of a stored one, whose body is whole.

    Raises:
        ValueError: it cannot be read; so does ``TypeError``.
    """
    changes, effect, upto = (
        (None, None, None) if stored.changes is None else load_changes_of(stored.changes, stored.base, stored.body)
    )
    op: Any = None if stored.task is None else (stored.task, stored.execution, stored.ordinal, stored.began)
    policies = tuple((tuple(path), policy) for path, policy in from_json(stored.settled)) if stored.settled else ()
    met = dict(from_json(stored.met or "{}"))
    s = stored
    return Row(
        *address, s.n, s.time, s.agent, s.origin, s.act, s.body, changes, s.previous, op, policies, effect,
        met, upto,
    )  # fmt: skip


def dump_escalation(escalation: Escalation) -> bytes:
    """Returns an escalation as JSON."""
    e = escalation
    contenders = [[*_dump_value(c.value), c.agent, c.agents, c.at.timestamp(), c.origin] for c in e.contenders]
    return to_json(
        {
            "id": e.id,
            "version": e.version,
            "document": [e.namespace, e.key],
            "path": e.path,
            "reason": e.reason,
            "base": e.base,
            "contenders": contenders,
            "state": e.state,
            "has_base": e.has_base,
            "opened_at": e.opened_at.timestamp(),
            "by": e.by,
            "decision": _dump_value(e.decision),
            "place": e.place,
            "more": e.more,
            "closed_at": None if e.closed_at is None else e.closed_at.timestamp(),
            "asked": e.asked,
            "remarks": e.remarks,
        }
    )


def load_escalation(data: bytes) -> Escalation:
    """Returns the escalation in its JSON; without the field of the model that it is about."""
    found = from_json(data)
    namespace, key = found["document"]
    return Escalation(
        id=found["id"],
        version=found["version"],
        namespace=tuple(namespace),
        key=key,
        path=tuple(found["path"]),
        reason=found["reason"],
        base=found["base"],
        contenders=tuple(
            Contender(_load_value(deleted, value), agent, tuple(agents), _time(at), origin)
            for deleted, value, agent, agents, at, origin in found["contenders"]
        ),
        state=found["state"],
        has_base=found["has_base"],
        more=found.get("more", 0),
        opened_at=_time(found["opened_at"]),
        by=found["by"],
        decision=_load_value(*found["decision"]),
        place=tuple(found["place"]),
        closed_at=None if found.get("closed_at") is None else _time(found["closed_at"]),
        asked=found.get("asked", False),
        remarks=tuple(Remark(by, text) for by, text in found.get("remarks", ())),
    )


def _dump_value(value: Any) -> tuple[bool, Any]:
    return (True, None) if value is DELETED else (False, value)


def _load_value(deleted: bool, value: Any) -> Any:
    return DELETED if deleted else value


def _time(seconds: float) -> datetime:
    return when(seconds)
