"""A storage on any ordered key-value store: what its author gives, and all that a workspace needs made of that."""

from __future__ import annotations

import logging
import struct
import time
import uuid
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Protocol, TypeVar, get_args, get_type_hints

from pydantic_core import from_json, to_json

from concordant.errors import ConcordantError, DamagedDocumentError, StorageError, told
from concordant.escalation import Escalation, Event, when
from concordant.merge.causality import VersionVector
from concordant.merge.record import Record
from concordant.storage.base import (
    Address,
    Cursor,
    Examined,
    Forgotten,
    Knowledge,
    Lag,
    Listener,
    Namespace,
    Position,
    Row,
    State,
    StoreExamined,
    Told,
    Totals,
    counted,
    is_present,
)
from concordant.storage.conditions import Condition
from concordant.storage.cut import Cut, highest
from concordant.storage.durable import LAST, SURVEY, DurableEvents, DurableStorage, Head, Polling, Source, UnitOfWork
from concordant.storage.encoding import (
    StoredDocument,
    StoredRow,
    bounds,
    dump_escalation,
    dump_key,
    dump_namespace,
    load_escalation,
    load_key,
    load_namespace,
    load_row,
    load_state,
)
from concordant.storage.knowledge import BEGUN, Marks, newer, noted
from concordant.values import ABSENT

__all__ = ["KeyValueReader", "KeyValueStorage", "KeyValueStore", "KeyValueWriter"]

log = logging.getLogger("concordant")

T = TypeVar("T")

FORMAT = 1
"""Of what is stored; a later version of this library tells by it what it has to bring up to date."""


# -- what the author of a storage gives ------------------------------------------------------------------------------


class KeyValueReader(Protocol):
    """One consistent view of a store: all commits up to one of them, and nothing of any later one."""

    def get(self, key: bytes) -> bytes | None:
        """Returns what stands under a key; ``None`` if nothing does."""
        ...

    def scan(self, begin: bytes, end: bytes) -> Iterable[tuple[bytes, bytes]]:
        """Returns keys and values from ``begin`` on, and before ``end``, in the order of the bytes of the keys."""
        ...


class KeyValueWriter(KeyValueReader, Protocol):
    """A transaction: it reads what it has put and deleted itself, and nobody else does before it is committed."""

    def put(self, key: bytes, value: bytes) -> None:
        """Puts a value under a key."""
        ...

    def delete(self, key: bytes) -> None:
        """Takes away what stands under a key, if anything does."""
        ...


class KeyValueStore(ABC):
    """An ordered key-value store with serializable transactions: all that somebody gives who writes a storage.

    Keys are of up to 12 kB with the default limits (``Limits.key``), values as large as documents. The calls come from
    many threads at once. What goes wrong is raised as ``StorageError``, or ``StorageBusyError`` where others held the
    store for too long; an ``OSError`` is turned into the former.

    Attributes:
        place: which store it is, for messages, and for telling two handles of one store from those of two; without
            passwords.
        skew: by how many seconds the clocks of those who write may differ; 0.0: they are all on one machine.
        poll: how often, in seconds, a process looks for events of others, if it listens for them.
        read_only: whether it is known that nothing can be written.
    """

    place: str
    skew: float = 0.0
    poll: float = 0.25
    read_only: bool = False

    @abstractmethod
    def read(self, work: Callable[[KeyValueReader], T]) -> T:
        """Runs ``work`` on a consistent view of what is committed, and returns what it returned.

        What this process or another one has committed before the call is in the view.
        """

    @abstractmethod
    def write(self, work: Callable[[KeyValueWriter], T]) -> T:
        """Runs ``work`` in a transaction, commits, and returns what it returned.

        Transactions are serializable: each sees all that were committed before it, as if there were one at a time.
        If ``work`` raises, nothing of it is stored, and the error is passed on. ``work`` may be run again only if
        nothing of it was committed. When this returns, what was put survives a crash of the process.
        """

    @abstractmethod
    def close(self) -> None:
        """Releases what the store holds; called once, and no call follows."""

    def damage(self) -> Sequence[str]:
        """Returns what the store finds wrong with itself; nothing if it does not tell, or all is well."""
        return ()


_DOCUMENT = StoredDocument._fields.index("kept")
_ROW = StoredRow._fields.index("base")
"""How many columns are stored where those that follow say nothing: a record is never stored in parts here."""


# -- keys and values -------------------------------------------------------------------------------------------------


def _key(room: str, *parts: str | int | float) -> bytes:
    """A key whose bytes have the order of its parts: texts, and numbers from 0 on."""
    found = [room.encode(), b"/"]
    for part in parts:
        if isinstance(part, str):
            found += [part.encode("utf-8", "surrogatepass").replace(b"\0", b"\0\xff"), b"\0"]
        else:
            found.append(struct.pack(">Q" if isinstance(part, int) else ">d", part))
    return b"".join(found)


def _all(key: bytes) -> tuple[bytes, bytes]:
    """The bounds of the keys that go on after this one: no part begins with so many bytes 0xFF."""
    return key, key + b"\xff" * 9


def _under(room: str, prefix: Namespace) -> tuple[bytes, bytes]:
    """The bounds of the keys that begin with the name of a document under a namespace prefix."""
    low, high = bounds(prefix)
    return _key(room) + low.encode("utf-8", "surrogatepass"), _key(room) + high.encode("utf-8", "surrogatepass")


def _name(address: Address) -> tuple[str, str]:
    return dump_namespace(address[0]), dump_key(address[1])


def _dump(fields: Sequence[Any]) -> bytes:
    """Fields as bytes: as JSON, with the lengths of those that are bytes themselves, which follow."""
    head = to_json([[len(field)] if isinstance(field, bytes) else field for field in fields])
    return b"".join([len(head).to_bytes(4, "big"), head, *(field for field in fields if isinstance(field, bytes))])


def _load(data: bytes, *types: Any) -> list[Any]:
    """The fields in bytes, each of its type or types.

    Raises:
        ValueError: these are no such bytes; so does ``TypeError``, and whatever else is in ``_ROT``.
    """
    at = 4 + int.from_bytes(data[:4], "big")
    fields: list[Any] = from_json(data[4:at])
    for number, field in enumerate(fields):
        if isinstance(field, list):
            fields[number] = data[at : at + field[0]]
            at += field[0]
    if at != len(data):
        raise ValueError(f"{len(data)} bytes, and not {at}")
    for field, wanted in zip(fields, types, strict=False):
        if not isinstance(field, wanted):
            raise TypeError(f"{told(field, 40)} stands where something of another type did")
    return fields


_ROT = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError)
"""What is raised where bytes are read that are not those that were stored."""


def _types_of(stored: Any) -> tuple[Any, ...]:
    found = [get_args(hint) or (hint,) for hint in get_type_hints(stored).values()]
    return tuple((*types, int) if float in types else types for types in found)


_NUMBER = (float, int)
_DOCUMENT_TYPES, _ROW_TYPES = _types_of(StoredDocument), _types_of(StoredRow)


def _document_of(data: bytes) -> StoredDocument:
    return StoredDocument(*_load(data, *_DOCUMENT_TYPES))


def _row_of(data: bytes) -> StoredRow:
    return StoredRow(*_load(data, *_ROW_TYPES))


def _question_of(data: bytes) -> tuple[int, int, float, Escalation]:
    n, number, changed, body = _load(data, int, int, _NUMBER, bytes)
    return n, number, changed, load_escalation(body)


def _head_of(data: bytes) -> Head:
    n, clock = _load(data, int, _NUMBER)
    return n, clock


def _about_of(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = from_json(data)
    _marks(found["marks"])
    wanted = {"replica": str, "format": int, "forgotten": int, "exported": int, "trimmed": int}
    if not all(isinstance(found[name], type_) for name, type_ in wanted.items()):
        raise TypeError(f"{told(found, 80)} has something of another type")
    return found


def _peer_of(data: bytes) -> tuple[str, int, int, Marks]:
    name, n, forgotten, marks = _load(data, str, int, int, str)
    return name, n, forgotten, _marks(marks)


def _task_of(data: bytes) -> tuple[str, int]:
    execution, n = _load(data, str, int)
    return execution, n


def _note_of(data: bytes) -> tuple[str, str]:
    name, text = _load(data, str, str)
    return name, text


def _subscriber_of(data: bytes) -> tuple[Cursor, str, float]:
    n, index, holder, until = _load(data, int, int, str, _NUMBER)
    return (n, index), holder, until


def _event_of(data: bytes) -> tuple[int, str, float, Any, bytes]:
    document, source, time, kind, body = _load(data, int, str, _NUMBER, str, bytes)
    return document, source, time, kind, body


def _address_of(key: bytes) -> Address | None:
    """The document in whose name something is stored; ``None``: in that of none."""
    room, _, name = key.partition(b"/")
    if room not in (b"document", b"open", b"closed"):
        return None
    try:
        parts = name.decode("utf-8", "surrogatepass").split("\0")
        return load_namespace(parts[0]), load_key(parts[1])
    except (ValueError, IndexError):
        return None


def _named(key: bytes) -> Address:
    """The document whose key this is.

    Raises:
        ValueError: it is that of none.
    """
    address = _address_of(key)
    if address is None:
        raise ValueError("it is no document's key")
    return address


def _id_of(key: bytes) -> str:
    """The id of the question that a key of a room (``open``, ``closed``) is about."""
    return key.split(b"\0")[-2].decode("utf-8", "replace")


_HEAD, _ABOUT = _key("store", "head"), _key("store", "about")
_MEND = "Restore the store from a back-up"


class _View:
    """What is asked of one view of a store, and done in one transaction."""

    def __init__(self, tx: Any, place: str) -> None:
        self.tx = tx
        self.place = place

    def load(self, key: bytes, data: Any, make: Callable[[bytes], T], whose: Address | None = None) -> T:
        """What was made of the bytes under a key.

        Raises:
            DamagedDocumentError: these are others, and of a document, which the key tells, or ``whose``.
            StorageError: these are others, and of none.
        """
        try:
            return make(data)
        except _ROT as error:
            reason = f"under {told(key, 200)} stands {told(data, 40)}: {type(error).__name__}: {error}"[:400]
            address = whose or _address_of(key)
            if address is not None:
                raise DamagedDocumentError(self.place, *address, reason) from error
            raise StorageError(self.place, f"{reason}. That is not what was stored", _MEND) from error

    def loaded(self, key: bytes, make: Callable[[bytes], T]) -> T:
        """What was made of what stands under a key."""
        return self.load(key, self.tx.get(key), make)

    def scanned(self, low: bytes, high: bytes, make: Callable[[bytes], T]) -> Iterator[T]:
        """The same for each of a stretch of keys."""
        return (self.load(key, data, make) for key, data in self.tx.scan(low, high))

    def readable(self, low: bytes, high: bytes, make: Callable[[bytes], T]) -> Iterator[tuple[bytes, T]]:
        """The same, with their keys, of those that can be read."""
        for key, data in self.tx.scan(low, high):
            try:
                yield key, make(data)
            except _ROT:  # which is told where it is looked for
                continue

    def head(self) -> Head:
        return self.loaded(_HEAD, _head_of)

    def about(self) -> dict[str, Any]:
        """What the store knows of itself: replica, forgotten, exported, marks, trimmed."""
        return self.loaded(_ABOUT, _about_of)

    def note(self, **news: Any) -> None:
        self.tx.put(_ABOUT, to_json({**self.about(), **news}))

    def values(self, low: bytes, high: bytes) -> Iterator[bytes]:
        return (value for _, value in self.tx.scan(low, high))

    def clear(self, low: bytes, high: bytes) -> int:
        keys = [key for key, _ in self.tx.scan(low, high)]
        for key in keys:
            self.tx.delete(key)
        return len(keys)

    # -- documents and journal -----------------------------------------------------------------------------------

    def shape(self, model: str) -> str | None:
        key = _key("model", model)
        found = self.tx.get(key)
        return self.load(key, found, bytes.decode) if found is not None else None

    def find(self, address: Address) -> StoredDocument | None:
        key = _key("document", *_name(address))
        data = self.tx.get(key)
        return self.load(key, data, _document_of) if data is not None else None

    def documents(self, prefix: Namespace = ()) -> list[StoredDocument]:
        """Those under a prefix, oldest first."""
        return sorted(self.scanned(*_under("document", prefix), _document_of), key=lambda stored: stored.id)

    def committed(self, after: int) -> list[StoredDocument]:
        """Those that were committed to after a commit, in that order."""
        bounds = _key("version", after + 1), _all(_key("version"))[1]
        return [
            self.load(key, name, lambda name: self.loaded(name, _document_of)) for key, name in self.tx.scan(*bounds)
        ]

    def expired(self, now: float) -> list[Address]:
        """Those that the sweep has to do with, in that order."""
        return [*self.scanned(_key("expires"), _all(_key("expires", max(now, 0.0)))[1], _named)]

    def index(self, stored: StoredDocument, *, there: bool) -> None:
        """Puts a document where it is found by its version and its end, or takes it away from there."""
        key = _key("document", stored.namespace, stored.key)
        entries = [_key("version", stored.version)]
        if stored.expires is not None:
            entries.append(_key("expires", max(stored.expires, 0.0), stored.id))
        for entry in entries:
            if there:
                self.tx.put(entry, key)
            else:
                self.tx.delete(entry)

    def rows(self, document: int, whose: Address) -> list[StoredRow]:
        """The journal of a document, newest first."""
        found = self.tx.scan(*_all(_key("row", document)))
        return [self.load(key, data, _row_of, whose) for key, data in found][::-1]

    def drop(self, stored: StoredDocument) -> None:
        """Deletes a document, with all that is known of it."""
        self.erase(stored)
        self.index(stored, there=False)
        self.tx.delete(_key("document", stored.namespace, stored.key))

    def erase(self, stored: StoredDocument) -> None:
        """Deletes what is known of a document beside it."""
        self.clear(*_all(_key("row", stored.id)))
        for key, event in [*self.readable(*_all(_key("event")), _event_of)]:
            if event[0] == stored.id:
                self.tx.delete(key)
        self.erase_questions(stored.namespace, stored.key)

    def erase_questions(self, *name: str) -> None:
        """Deletes the questions of a document."""
        for room in ("open", "closed"):
            for key, _ in [*self.tx.scan(*_all(_key(room, *name)))]:
                self.tx.delete(key)
                self.tx.delete(_key("question", _id_of(key)))

    def take_out(self, address: Address) -> list[Any]:
        """Deletes a document that may not be readable, with all that is known of it; returns what it and its journal
        were. The journal of one that is not is what belongs to no other."""
        key = _key("document", *_name(address))
        data = self.tx.get(key)
        try:
            stored = _document_of(data)
        except _ROT:
            ids = {stored.id for _, stored in self.readable(*_all(_key("document")), _document_of)}
            rows = [(place, row) for place, row in self.tx.scan(*_all(_key("row"))) if _cursor(place)[0] not in ids]
            named = [*self.tx.scan(*_all(_key("version"))), *self.tx.scan(*_all(_key("expires")))]
            for place in [key, *(place for place, _ in rows), *(place for place, name in named if name == key)]:
                self.tx.delete(place)
            self.erase_questions(*_name(address))
        else:
            rows = [*self.tx.scan(*_all(_key("row", stored.id)))]
            self.drop(stored)
        return [data, *(row for _, row in rows)]

    # -- escalations ---------------------------------------------------------------------------------------------

    def question(self, id_: str, whose: Address | None = None) -> tuple[int, int, float, Escalation] | None:
        """An escalation, with its commit, its number there, and the time of its last change."""
        key = _key("question", id_)
        data = self.tx.get(key)
        return None if data is None else self.load(key, data, _question_of, whose)

    def questions(self, room: str, low: bytes, high: bytes) -> list[Escalation]:
        """Escalations by the keys of a room (``open``, ``closed``), in the order in which they were opened."""
        found = [self.question(_id_of(key), _address_of(key)) for key, _ in self.tx.scan(low, high)]
        there = sorted((one for one in found if one is not None), key=lambda one: one[:2])
        return [one[3] for one in there]

    def open_questions(self, address: Address) -> Mapping[str, Escalation]:
        return {e.id: e for e in self.questions("open", *_all(_key("open", *_name(address))))}

    def find_closed(self, id_: str) -> Escalation | None:
        found = self.question(id_)
        return None if found is None or found[3].state in ("open", "claimed") else found[3]

    def waits(self, address: Address, now: float) -> bool:
        """Whether a document has expired and was not swept since."""
        stored = self.find(address)
        return stored is not None and stored.expires is not None and stored.expires <= now

    # -- other stores --------------------------------------------------------------------------------------------

    def peers(self) -> dict[str, tuple[int, int, Marks]]:
        """Of other stores: what is known of them, what was when something was forgotten, their marks."""
        found: dict[str, tuple[int, int, Marks]] = {}
        for name, n, forgotten, marks in self.scanned(*_all(_key("peer")), _peer_of):
            found[name] = (n, forgotten, marks)
        return found

    def put_peer(self, name: str, n: int, forgotten: int, marks: Marks) -> None:
        self.tx.put(_key("peer", name), _dump((name, n, forgotten, to_json(marks).decode())))

    def knowledge(self) -> Knowledge:
        about, peers, n = self.about(), self.peers(), self.head()[0]
        own = about["replica"]
        gone = {**{name: then for name, (_, then, _) in peers.items()}, own: about["forgotten"]}
        return Knowledge(
            own,
            {**{name: known for name, (known, _, _) in peers.items()}, own: n},
            {name: upto for name, upto in gone.items() if upto},
            about["exported"],
            {**{name: marks for name, (_, _, marks) in peers.items()}, own: _marks(about["marks"])},
        )


def _marks(found: Any) -> Marks:
    found = from_json(found) if isinstance(found, str) else found
    marks = tuple((n, digest) for n, digest in found)
    if not all(isinstance(n, int) and isinstance(digest, str) for n, digest in marks):
        raise TypeError(f"{told(found, 40)} are no marks")
    return marks


class _Unit(_View, UnitOfWork):
    """A transaction of commits."""

    def __init__(self, storage: KeyValueStorage, tx: KeyValueWriter) -> None:
        _View.__init__(self, tx, storage.place)
        UnitOfWork.__init__(self, storage, {0: self.head()}, time.time())
        self._announces = storage.events.source

    def put_document(self, stored: StoredDocument, before: StoredDocument | None) -> None:
        if before is not None:
            self.index(before, there=False)
        self.tx.put(_key("document", stored.namespace, stored.key), _dump(stored[:_DOCUMENT]))
        self.index(stored, there=True)

    def put_row(self, row: StoredRow) -> None:
        self.tx.put(_key("row", row.document, row.n), _dump(row if any(row[_ROW:]) else row[:_ROW]))
        if row.task is not None and row.execution is not None:
            self.tx.put(_key("task", row.task, row.execution), _dump((row.execution, row.n)))

    def put_model(self, model: str, shape: str) -> None:
        self.tx.put(_key("model", model), shape.encode())

    def put_escalation(self, escalation: Escalation, number: int | None, now: float) -> None:
        e = escalation
        known = self.question(e.id) if number is None else None
        n, number = known[:2] if known is not None else (self.n, number or 0)
        self.tx.put(_key("question", e.id), _dump((n, number, now, dump_escalation(e))))
        is_open = e.state in ("open", "claimed")
        for room, there in (("open", is_open), ("closed", not is_open)):
            key = _key(room, *_name((e.namespace, e.key)), e.id)
            if there:
                self.tx.put(key, e.id.encode())
            else:
                self.tx.delete(key)

    def put_event(self, number: int, document: int, now: float, event: Event) -> None:
        body = dump_escalation(event.escalation)
        self.tx.put(_key("event", self.n, number), _dump((document, self._announces, now, event.kind, body)))

    def put_heads(self, heads: Mapping[int, Head]) -> None:
        self.tx.put(_HEAD, _dump(heads[0]))


# -- the storage -----------------------------------------------------------------------------------------------------


class KeyValueStorage(DurableStorage):
    """The storage of a workspace on an ordered key-value store: ``Workspace(storage=KeyValueStorage(MyStore(...)))``.

    Args:
        store: what is behind it; it is closed with the workspace.
        replica: the store's name in dots; made up for a new one if not given.
        cache: how many bytes of records are kept decoded.

    Raises:
        StorageError: the store cannot be used, or holds something else.
        ConcordantError: the store has another name than ``replica``.
    """

    def __init__(self, store: KeyValueStore, *, replica: str | None = None, cache: int = 32 * 1024 * 1024) -> None:
        self._store = store
        self.place = store.place
        self._is_closed = False
        self.is_near = not store.skew
        name, last = self._begun(replica)
        super().__init__(store.place, store.place, name, [last], cache)
        self.events = KeyValueEvents(self, uuid.uuid4().hex[:12])
        self._surveyed: dict[str, int] = {}

    def _begun(self, wanted: str | None) -> tuple[str, Head]:
        """The store's name and last commit; a new one begins here."""

        def look(tx: KeyValueReader) -> bytes | None:
            return tx.get(_ABOUT)

        def begin(tx: KeyValueWriter) -> None:
            if look(tx) is None:
                about = {"format": FORMAT, "replica": wanted or uuid.uuid4().hex[:12], "forgotten": 0, "exported": -1}
                tx.put(_ABOUT, to_json({**about, "marks": BEGUN, "trimmed": 0}))
                tx.put(_HEAD, _dump((0, 0.0)))

        if self.read(lambda view: look(view.tx)) is None:
            self.write(lambda view: begin(view.tx))
        about, last = self.read(lambda view: (view.about(), view.head()))
        if about["format"] > FORMAT:
            reason = f"it is of format {about['format']}, this version of concordant knows {FORMAT}"
            raise StorageError(self.place, reason, "Upgrade concordant")
        if wanted is not None and wanted != about["replica"]:
            raise ConcordantError(f"{self.place} is the store {about['replica']!r}, not {wanted!r}: leave out replica=")
        return about["replica"], last

    def read(self, work: Callable[[_View], T]) -> T:
        """Asks the store."""
        return self._guarded(lambda: self._store.read(lambda tx: work(_View(tx, self.place))))

    def write(self, work: Callable[[_View], T]) -> T:
        """Runs a transaction that is no commit."""
        return self._write(lambda tx: work(_View(tx, self.place)))

    def transact(self, work: Callable[[UnitOfWork], Any], addresses: Sequence[Address], hasty: bool) -> Any:
        return self._write(lambda tx: work(_Unit(self, tx)))

    def _write(self, work: Callable[[KeyValueWriter], T]) -> T:
        if self._store.read_only:
            raise StorageError(self.place, "it can only be read", "Open it where it can be written")
        return self._guarded(lambda: self._store.write(work))

    def _guarded(self, call: Callable[[], T]) -> T:
        if self._is_closed:
            raise StorageError(self.place, "the workspace was closed", "Open another one")
        try:
            return call()
        except OSError as error:
            mend = "Nothing of the call was stored; make the store usable and call again"
            raise StorageError(self.place, str(error), mend) from error

    @property
    def read_only(self) -> bool:
        return self._store.read_only

    @property
    def poll(self) -> float:
        """Tells how often to look for events, in seconds."""
        return self._store.poll

    @property
    def source(self) -> Source:
        return _Asking(self)

    def heads(self) -> Sequence[Head]:
        return [self.read(_View.head)]

    def find(self, address: Address) -> tuple[Head, StoredDocument | None]:
        return self.read(lambda view: (view.head(), view.find(address)))

    def real_time(self) -> float:
        return time.time()

    def about(self, at: float) -> float:
        return time.time() - (time.monotonic() - at)

    def surely(self, at: float) -> float:
        return self.about(at) - self._store.skew

    def advance(self, past: float) -> None:
        def run(view: _View) -> None:
            n, clock = view.head()
            if past > clock:
                view.tx.put(_HEAD, _dump((n, past)))

        self.write(run)
        self._clock = max(self._clock, past)

    # -- listing -------------------------------------------------------------------------------------------------

    def _states(self, found: Iterable[StoredDocument]) -> Iterator[tuple[Namespace, str, State]]:
        for stored in found:
            yield *stored.address, self.loaded(stored, stored.address, self.source)

    def expired(self) -> Sequence[Address]:
        now = self.now()[1]
        return self.read(lambda view: view.expired(now))

    def documents(self, prefix: Namespace, after: Cut = 0) -> Iterator[tuple[Namespace, str, State]]:
        found, upto = self.read(lambda view: view.documents(prefix)), highest(after)
        return self._states(stored for stored in found if not upto or stored.saved > upto)

    def showing(
        self, prefix: Namespace, conditions: Sequence[Condition] = ()
    ) -> Iterator[tuple[Namespace, str, State]]:
        now = self.time()
        found = self.read(lambda view: view.documents(prefix))
        return self._states(stored for stored in found if self._may_show(stored, now) is not False)

    def _may_show(self, stored: StoredDocument, now: float) -> bool | None:
        """Whether a reader finds a document, as far as that can be told without its record."""
        if stored.expires is not None and stored.expires <= now:
            return False
        mine = self.projection.fingerprint(load_namespace(stored.namespace))
        if stored.value is None:
            return False if is_present(stored.fingerprint, mine) else None
        return True if stored.agent is not None or stored.fingerprint == mine else None

    def namespaces(self, prefix: Namespace) -> Iterator[tuple[Namespace, bool | None]]:
        now = self.time()
        found: dict[Namespace, bool | None] = {}
        for stored in self.read(lambda view: view.documents(prefix)):
            shows, namespace = self._may_show(stored, now), load_namespace(stored.namespace)
            if shows is not False:
                found[namespace] = True if shows or found.get(namespace) else None
        return iter(sorted(found.items()))

    def changes(self, after: Any = None) -> tuple[Any, Sequence[Address]]:
        def look(view: _View) -> tuple[int, Sequence[Address]]:
            return view.head()[0], [stored.address for stored in view.committed(after or 0)]

        return self.read(look)

    # -- other models --------------------------------------------------------------------------------------------

    def outdated(self, models: str) -> tuple[int, Iterator[tuple[Namespace, str, State]]]:
        def look(view: _View) -> tuple[int, list[StoredDocument]]:
            key = _key("survey", models)
            noted = view.tx.get(key)
            known = self._surveyed.get(models, 0) if noted is not None else 0
            n, after = view.head()[0], max(known, view.load(key, noted or b"0", lambda data: int(bytes.decode(data))))
            return n, view.committed(after) if n > after else []

        def is_outdated(stored: StoredDocument) -> bool:
            namespace = load_namespace(stored.namespace)
            present = self.projection.fingerprint(namespace)
            return bool(self.projection.shape(namespace)) and not is_present(stored.fingerprint, present)

        n, found = self.read(look)
        return n, self._states(sorted(filter(is_outdated, found), key=lambda stored: stored.id))

    def surveyed(self, models: str, upto: Cut, *, changed: bool) -> None:
        n = highest(upto)

        def run(view: _View) -> None:
            if changed:  # what others look at may be otherwise now
                view.clear(*_all(_key("survey")))
            view.tx.put(_key("survey", models), str(n).encode())

        known = self._surveyed.get(models)
        if changed or known is None or n - known >= SURVEY:
            self.write(run)
        self._surveyed[models] = n

    # -- the journal ---------------------------------------------------------------------------------------------

    def rows(self, namespace: Namespace, key: str) -> Iterator[Row]:
        address = (namespace, key)

        def look(view: _View) -> list[StoredRow]:
            stored = view.find(address)
            return view.rows(stored.id, address) if stored is not None else []

        for found in self.read(look):
            yield self._row(found, address)

    def _row(self, stored: StoredRow, address: Address) -> Row:
        try:
            return load_row(stored, address)
        except _ROT as error:
            raise DamagedDocumentError(self.place, *address, f"row {stored.n}: {error}") from error

    def journal(self, prefix: Namespace, agent: str | None, before: int | None, limit: int) -> Sequence[Row]:
        def look(view: _View) -> list[tuple[StoredRow, Address]]:
            documents = [(stored.id, stored.address) for stored in view.documents(prefix)]
            return [(row, address) for id_, address in documents for row in view.rows(id_, address)]

        found = self.read(look)
        chosen = [one for one in found if agent in (None, one[0].agent) and (before is None or one[0].n < before)]
        chosen.sort(key=lambda one: one[0].n, reverse=True)
        return [self._row(row, address) for row, address in chosen[:limit]]

    def puts_of(self, task: str, namespace: Namespace, key: str) -> Iterator[Row]:
        return (row for row in self.rows(namespace, key) if row.op is not None and row.op[0] == task)

    def executed_before(self, task: str, execution: str) -> bool:
        found = self.read(lambda view: [*view.scanned(*_all(_key("task", task)), _task_of)])
        return any(other != execution for other, _ in found)

    # -- escalations ---------------------------------------------------------------------------------------------

    def open_of(self, address: Address) -> Mapping[str, Escalation]:
        return self.read(lambda view: view.open_questions(address))

    def find_closed(self, id_: str) -> Escalation | None:
        return self.read(lambda view: view.find_closed(id_))

    def escalation(self, id_: str) -> Escalation | None:
        now = self.time()

        def look(view: _View) -> Escalation | None:
            found = view.question(id_)
            if found is None:
                return None
            e = found[3]
            return None if e.state in ("open", "claimed") and view.waits((e.namespace, e.key), now) else e

        return self.read(look)

    def escalations(self, prefix: Namespace, state: str) -> Iterator[Escalation]:
        now = self.time()

        def look(view: _View) -> list[Escalation]:
            found: dict[Address, list[Escalation]] = {}  # those of one document stand together
            if state in ("open", "claimed", "all"):
                for e in view.questions("open", *_under("open", prefix)):
                    if (state != "claimed" or e.state == "claimed") and not view.waits((e.namespace, e.key), now):
                        found.setdefault((e.namespace, e.key), []).append(e)
            closed: list[Escalation] = []
            if state not in ("open", "claimed"):
                closed = [e for e in view.questions("closed", *_under("closed", prefix)) if state in ("all", e.state)]
            return [*(e for one in found.values() for e in one), *closed]

        return iter(self.read(look))

    def totals(self) -> Totals:
        def look(view: _View) -> tuple[list[StoredDocument], list[StoredRow], list[Escalation]]:
            documents = view.documents()
            rows = [*view.scanned(*_all(_key("row")), _row_of)]
            asked = [found[3] for found in view.scanned(*_all(_key("question")), _question_of)]
            return documents, rows, asked

        documents, rows, asked = self.read(look)
        names = {stored.id: load_namespace(stored.namespace) for stored in documents}
        return Totals(
            len(documents),
            Counter(row.act for row in rows),
            Counter(policy for row in rows if row.settled for _, policy in from_json(row.settled)),
            Counter[str](e.state for e in asked),
            counted((names[r.document], r.act, r.body, from_json(r.met or "{}")) for r in rows if r.document in names),
        )

    # -- other stores, upkeep ------------------------------------------------------------------------------------

    def knowledge(self) -> Knowledge:
        return self.read(_View.knowledge)

    def learn(self, vector: VersionVector, marks: Mapping[str, Marks]) -> None:
        def run(view: _View) -> None:
            peers = view.peers()
            for name in {*vector, *(marks.keys() & peers.keys())}:
                n, forgotten, known = peers.get(name, (0, 0, ()))
                view.put_peer(name, max(n, vector.get(name, 0)), forgotten, newer(known, marks.get(name, ())))

        self.write(run)

    def notes(self) -> Mapping[str, str]:
        def run(view: _View) -> Mapping[str, str]:
            return dict(view.scanned(*_all(_key("note")), _note_of))

        return self.read(run)

    def note(self, texts: Mapping[str, str]) -> None:
        def run(view: _View) -> None:
            for name, text in texts.items():
                view.tx.put(_key("note", name), _dump((name, text)))

        self.write(run)

    def note_export(self, upto: Cut) -> None:
        def run(view: _View) -> None:
            about = view.about()
            marks = noted(_marks(about["marks"]), *view.head())
            view.note(exported=max(about["exported"], highest(upto)), marks=marks)

        self.write(run)

    def rename(self, replica: str, upto: Cut) -> None:
        def run(view: _View) -> None:
            about = view.about()
            view.put_peer(about["replica"], highest(upto), 0, ())
            view.note(replica=replica, marks=BEGUN)

        self.write(run)
        self.replica = replica

    def forget(self, addresses: Sequence[tuple[Address, int]], rows_before: float) -> Forgotten:
        def run(view: _View) -> Forgotten:
            newest = gone = 0
            for address, version in addresses:
                stored = view.find(address)
                if stored is not None and stored.version == version:
                    view.drop(stored)
                    newest, gone = max(newest, version), gone + 1
            if gone:
                view.note(forgotten=max(view.about()["forgotten"], newest))
                for name, (n, _, marks) in view.peers().items():
                    view.put_peer(name, n, n, marks)
            return Forgotten(gone, _forget_rows(view, rows_before))

        done = self.write(run)
        self.events.forget_before(rows_before, self.limits.backlog)
        for address, _ in addresses:
            self._cache.drop(address)
        return done

    def examine_store(self) -> StoreExamined:
        def look(view: _View) -> StoreExamined:
            keys = {key for key, _ in view.tx.scan(*_all(_key("document")))}
            documents = [stored for _, stored in view.readable(*_all(_key("document")), _document_of)]
            ids = {stored.id for stored in documents}
            rows = [row[:2] for _, row in view.readable(*_all(_key("row")), _row_of)]
            asked = [key.replace(b"open/", b"document/", 1) for key, _ in view.tx.scan(*_all(_key("open")))]
            strays = sum(document not in ids for _, document in rows) if len(keys) == len(documents) else 0
            strays += sum(key[: key.rindex(b"\0", 0, -1) + 1] not in keys for key in asked)
            newest = max([0, *(stored.saved for stored in documents), *(n for n, _ in rows)])
            return StoreExamined(view.head()[0], newest, view.about()["trimmed"], strays, ())

        return self.read(look)._replace(damage=self._guarded(self._store.damage))

    def examine(self, address: Address | None = None) -> Iterator[Examined]:
        def look(view: _View) -> list[Examined]:
            low, high = _all(_key("document")) if address is None else _all(_key("document", *_name(address)))
            found: dict[bytes, bytes | None] = dict(view.tx.scan(low, high))
            for key in view.values(*_all(_key("version"))):  # one that is gone without a trace of it
                if isinstance(key, bytes) and low <= key < high:
                    found.setdefault(key, None)
            return [_examined(view, key, data) for key, data in found.items()]

        return iter(self.read(look))

    def set_aside(self, addresses: Sequence[tuple[Address, str]]) -> int:
        def run(view: _View) -> int:
            n = view.head()[0]
            for number, (address, reason) in enumerate(addresses):
                aside = (*_name(address), time.time(), reason, *view.take_out(address))
                view.tx.put(_key("aside", n, number), _dump(aside))
            return len(addresses)

        done = self.write(run)
        for address, _ in addresses:
            self._cache.drop(address)
        return done

    def close(self) -> None:
        if not self._is_closed:
            self._stop_looking()
            self.events.closed = True
            self._is_closed = True
            self._store.close()


class _Asking(Source):
    """What loading a document may ask outside of transactions."""

    def __init__(self, storage: KeyValueStorage) -> None:
        self._storage = storage

    def shape(self, model: str) -> str | None:
        return self._storage.read(lambda view: view.shape(model))


def _forget_rows(view: _View, before: float) -> int:
    """Deletes journal rows and closed escalations from before a time; returns how many rows."""
    gone = upto = 0
    for key, data in [*view.tx.scan(*_all(_key("row")))]:
        row = view.load(key, data, _row_of)
        if row.time < before:
            view.tx.delete(key)
            gone, upto = gone + 1, max(upto, row.n)
    if gone:
        view.note(trimmed=max(view.about()["trimmed"], upto))
        for key, data in [*view.tx.scan(*_all(_key("task")))]:
            if view.load(key, data, _task_of)[1] <= upto:
                view.tx.delete(key)
    for key, _ in [*view.tx.scan(*_all(_key("closed")))]:
        found = view.question(_id_of(key), _address_of(key))
        if found is None or found[2] < before:
            view.tx.delete(key)
            view.tx.delete(_key("question", _id_of(key)))
    return gone


def _examined(view: _View, key: bytes, data: bytes | None) -> Examined:
    """What is stored of a document, and why something of it cannot be read."""
    name = key.removeprefix(_key("document")).decode("utf-8", "replace").split("\0")
    address: Address = ((), "")
    state: State | None = None
    rows: list[Row] | None = None
    asked: list[str] = []
    stored: StoredDocument | None = None
    doing, trouble = "it", None
    try:
        address = (load_namespace(name[0]), load_key(name[1]))
        stored = view.load(key, data, _document_of)
        state = load_state(stored, address)
        doing = "its journal"
        rows = [load_row(row, address) for row in view.rows(stored.id, address)]
        doing = "a question of it"
        asked = [*view.open_questions(address)]
        view.questions("closed", *_all(_key("closed", *_name(address))))
    except Exception as error:  # whatever is wrong with it is told
        trouble = f"{doing} cannot be read ({type(error).__name__}: {error})"[:300]
    is_record = isinstance(state, Record) and stored is not None
    return Examined(
        address,
        state,
        stored.value if is_record and stored is not None else ABSENT,
        stored.fingerprint if is_record and stored is not None else None,
        stored.version if stored is not None else 0,
        stored.open if stored is not None else 0,
        frozenset(asked),
        rows,
        trouble,
    )


# -- events ----------------------------------------------------------------------------------------------------------


class KeyValueEvents(DurableEvents):
    """The events of a store, and how far its subscribers have come."""

    def __init__(self, storage: KeyValueStorage, name: str) -> None:
        super().__init__(name)
        self._storage = storage

    def now(self) -> Position:
        return ((self._storage.heads()[0][0], LAST),)

    def first(self) -> Position:
        return ((0, 0),)

    def after(self, position: Position, limit: int) -> list[Told]:
        (cursor,) = position

        def look(view: _View) -> list[Told]:
            found = view.tx.scan(_key("event", cursor[0], cursor[1] + 1), _all(_key("event"))[1])
            return [view.load(key, data, partial(_told, key)) for key, data in islice(found, limit)]

        return self._storage.read(look)

    def listener(self) -> Listener:
        return Polling(self._storage.poll)

    def _subscriber(self, view: _View, name: str) -> tuple[Cursor, str, float] | None:
        key = _key("subscriber", name)
        data = view.tx.get(key)
        return None if data is None else view.load(key, data, _subscriber_of)

    def _note(self, view: _View, name: str, cursor: Cursor, holder: str, until: float) -> None:
        view.tx.put(_key("subscriber", name), _dump((*cursor, holder, until)))

    def take(self, name: str, holder: str, seconds: float, start: Position) -> Position | None:
        now = time.time()
        known = self._storage.read(lambda view: self._subscriber(view, name))
        if known is not None and known[1] == holder and known[2] > now + seconds / 2:
            return (known[0],)  # who waits does not write each time it looks

        def run(view: _View) -> Position | None:
            cursor, other, until = self._subscriber(view, name) or (start[0], "", 0.0)
            if other not in ("", holder) and until > now:
                return None
            self._note(view, name, cursor, holder, now + seconds)
            return (cursor,)

        return self._storage.write(run)

    def acknowledge(self, name: str, holder: str, seconds: float, cursor: Cursor) -> bool:
        def run(view: _View) -> bool:
            known = self._subscriber(view, name)
            if known is None or known[1] != holder:
                return False
            self._note(view, name, cursor, holder, time.time() + seconds)
            return True

        return self._storage.write(run)

    def release(self, name: str, holder: str) -> None:
        def run(view: _View) -> None:
            known = self._subscriber(view, name)
            if known is not None and known[1] == holder:
                self._note(view, name, known[0], "", 0.0)

        self._storage.write(run)

    def forget(self, name: str) -> None:
        self._storage.write(lambda view: view.tx.delete(_key("subscriber", name)))

    def lags(self) -> list[Lag]:
        now = time.time()

        def look(view: _View) -> list[Lag]:
            events = view.tx.scan(*_all(_key("event")))
            times = [(_cursor(key), view.load(key, data, _event_of)[2]) for key, data in events]
            found = []
            for key, data in view.tx.scan(*_all(_key("subscriber"))):
                reached, holder, until = view.load(key, data, _subscriber_of)
                waiting = [at for cursor, at in times if cursor > reached]
                since = when(waiting[0]) if waiting else None
                found.append(Lag(_name_of(key), len(waiting), since, holder != "" and until > now))
            return sorted(found)

        return self._storage.read(look)

    def forget_before(self, before: float, most: int) -> None:
        """Deletes old events that every named subscriber has dealt with, and those beyond the newest so many."""

        def run(view: _View) -> None:
            events = [*view.tx.scan(*_all(_key("event")))]
            subscribers = view.tx.scan(*_all(_key("subscriber")))
            cursors = {key: view.load(key, data, _subscriber_of) for key, data in subscribers}
            beyond = events[: max(0, len(events) - most)]
            if beyond:
                newest = _cursor(beyond[-1][0])
                for key, (cursor, holder, until) in cursors.items():
                    if cursor < newest:
                        name = _name_of(key)
                        log.warning("events are dropped that the subscriber %s has not fetched (Limits.backlog)", name)
                        cursors[key] = (newest, holder, until)
                        view.tx.put(key, _dump((*newest, holder, until)))
            waiting = min((cursor for cursor, *_ in cursors.values()), default=(LAST, LAST))
            dropped = {key for key, _ in beyond}
            for key, data in events:
                if key in dropped or (view.load(key, data, _event_of)[2] < before and _cursor(key) <= waiting):
                    view.tx.delete(key)

        self._storage.write(run)


def _name_of(key: bytes) -> str:
    return key.removeprefix(_key("subscriber")).rstrip(b"\0").decode()


def _cursor(key: bytes) -> Cursor:
    n, index = struct.unpack(">QQ", key[-16:])
    return n, index


def _told(key: bytes, data: bytes) -> Told:
    _, source, time, kind, body = _event_of(data)
    return Told(_cursor(key), source, Event(kind, load_escalation(body), time))
