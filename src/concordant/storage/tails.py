"""Records that are large: a checkpoint, and a tail of what was changed since.

A commit to such a document stores what it changed, in its row of the journal, and all of the record but the tree, which
is small. The tree was stored apart, by a commit of before; it is what that one left, and each row after it tells how
the next one was made. When the rows have become many, the tree is stored anew: a small one by the next commit, a large
one as some commit left it, by a later one, for those between tell a portion of it each. A row is stored once: the
journal that tells the past of a document is what its present is made of.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from pydantic_core import to_json

from concordant.errors import ConcordantError
from concordant.merge.record import Record, dump_by_portions, dump_record, follow, load_record
from concordant.storage.base import Address, Saved
from concordant.storage.bodies import LARGE, difference, patched
from concordant.storage.encoding import (
    RottenError,
    StoredBody,
    StoredDocument,
    alone,
    load_changes_of,
    pack,
    unpack,
    waits_until,
)
from concordant.storage.forking import free_in_child
from concordant.values import ABSENT, decode_whole

__all__ = [
    "APART",
    "Checkpoint",
    "Given",
    "Renewing",
    "TailRow",
    "assembled",
    "dump_apart",
    "dump_tailed",
    "folded",
    "is_full",
]

APART = 8192
"""From how many bytes on, with what it shows, the tree of a record is stored apart."""
AT_ONCE = 1 << 18
"""Up to how many bytes a tree is stored anew by one commit alone."""
PORTION = 1 << 14
"""How many bytes of a larger one a commit tells at least."""
MOST_AT_ONCE = 8
"""How many trees are on their way at most, in one process."""
SHORT = 256
"""How many bytes a field has at most that is kept beside a record whose tree is stored apart, for filters."""
MOST_SHORT = 2048
"""How many bytes all of these have at most."""
MOST_STEPS = 256
"""How many differences in a row tell what was given."""
MOST_GIVEN = 1 << 24
"""How many bytes of what was given last are at hand."""


class Checkpoint(NamedTuple):
    """A tree that was stored apart.

    Attributes:
        n: the number of the commit that did, ``StoredDocument.kept``.
        version: that of the document then.
        record: the packed record.
    """

    n: int
    version: int
    record: bytes


class TailRow(NamedTuple):
    """A row of the journal, as far as it tells how a tree was changed: columns of ``StoredRow``."""

    n: int
    previous: int
    changes: bytes | None
    base: int | None
    body: bytes | None


def assembled(stored: StoredDocument, known: Record | Checkpoint, rows: Iterable[TailRow]) -> Record:
    """Gives a record whose tree is stored apart.

    Args:
        known: as it was at some commit since then; that one may be changed.
        rows: what came after it, oldest first.

    Raises:
        RottenError: these do not belong together.
    """
    try:
        if isinstance(known, Record):
            record = known
        else:
            record = load_record(unpack(known.record, None))
            record.version = known.version
        record.untell()
        for row in rows:
            if row.previous != record.version or row.changes is None:
                raise RottenError(
                    f"row {row.n} of its journal tells of what came after {row.previous}, not {record.version}"
                )
            changes, *_ = load_changes_of(row.changes, row.base, row.body)
            follow(record, changes)
            record.version = row.n
        if record.version != stored.version:
            raise RottenError(f"its journal ends with {record.version}, and it is of version {stored.version}")
        rest = load_record(unpack(stored.record or b"", None))
    except RottenError:
        raise
    except ConcordantError as error:
        raise RottenError(str(error)) from error
    rest.version, rest.updated_at, rest.alien = stored.version, stored.updated, record.alien
    record.take_over(rest)
    return record


def is_full(stored: StoredDocument, more: int) -> bool:
    """Tells whether a commit has to store a tree anew, for the rows since have become many.

    Args:
        more: how many bytes the rows have that are not counted yet.
    """
    return stored.tail + more > _room(stored) * (2 if stored.whole > AT_ONCE else 1)


def _room(stored: StoredDocument) -> int:
    """How many bytes the rows may have until it is time to tell a tree anew."""
    return max(stored.whole // 2, APART)


def dump_tailed(
    stored: StoredDocument, record: Record, open_: int, beside: Saved, saved: int, more: int
) -> StoredDocument:
    """Gives a record as it is stored whose tree is known from a checkpoint and the journal (``dump_state``).

    Args:
        stored: as it was before.
        more: how many bytes the rows have that came since.
    """
    return stored._replace(
        version=record.version,
        created=record.created_at,
        updated=record.updated_at,
        open=open_,
        fingerprint=beside.fingerprint,
        value=_short(beside),
        record=pack(dump_record(record, whole=False), None),
        expires=waits_until(record),
        saved=saved,
        tail=stored.tail + more,
    )


def dump_apart(stored: StoredDocument, record: Record, beside: Saved) -> tuple[StoredDocument, Checkpoint]:
    """Gives a record as it is stored with its tree apart.

    Args:
        stored: as it is stored whole (``dump_state``).
    """
    tree = alone(stored.record or b"", stored.value)
    bare = stored._replace(kept=stored.saved, whole=len(tree), tail=0)
    told = dump_tailed(bare, record, stored.open, beside, stored.saved, 0)
    return told, Checkpoint(stored.saved, record.version, tree)


def folded(stored: StoredDocument, tree: Checkpoint, rows: Iterable[TailRow]) -> Checkpoint:
    """Gives the tree of a document with all that came after it.

    Raises:
        RottenError: these do not belong together.
    """
    record = assembled(stored, tree, rows)
    return Checkpoint(stored.saved, stored.version, pack(dump_record(record), None))


class _Renewal:
    """A tree that is being told as a commit left it.

    Args:
        stored: the document as that commit stored it.
        record: what that commit left, which never changes.
    """

    def __init__(self, stored: StoredDocument, record: Record) -> None:
        self.stored = stored
        self.upto = stored.tail
        self.tree: Checkpoint | None = None
        self._version = record.version
        self._portions: Iterator[bytes] = dump_by_portions(record)
        self._told: list[bytes] = []

    def go_on(self, size: int) -> None:
        """Tells so many bytes more."""
        for portion in self._portions:
            self._told.append(portion)
            size -= len(portion)
            if size <= 0:
                return
        if self.tree is None:
            self.tree = Checkpoint(self.stored.saved, self._version, pack(b"".join(self._told), None))
            self._told.clear()


class Renewing:
    """Large trees on their way to be stored anew. What a commit left is told by portions, after that one and the next;
    then another stores it, with the rows since as its tail. Where that comes to nothing, as nobody commits often enough
    in one process, the tree is stored at once when the rows are twice as many (``is_full``)."""

    def __init__(self) -> None:
        self._of: OrderedDict[Address, _Renewal] = OrderedDict()
        self._lock = free_in_child(threading.Lock())

    def go_on(self, address: Address, stored: StoredDocument, record: Record) -> None:
        """Tells a portion of a document's tree, if that is due.

        Args:
            stored: as it was committed.
            record: the same, which never changes.
        """
        if stored.kept is None and not self._of:
            return
        with self._lock:
            one = self._of.pop(address, None)
        if one is None or one.stored.kept != stored.kept:
            if stored.kept is None or stored.whole <= AT_ONCE or stored.tail <= _room(stored):
                return
            one = _Renewal(stored, record)
        one.go_on(max(PORTION, 4 * (stored.tail - one.upto)))  # it is told before the rows are twice as many
        one.upto = stored.tail
        with self._lock:
            self._of[address] = one
            if len(self._of) > MOST_AT_ONCE:
                self._of.popitem(last=False)

    def ready(self, address: Address, stored: StoredDocument) -> tuple[StoredDocument, Checkpoint] | None:
        """Gives a tree that was told, and a document as it is stored when that is stored; ``None`` if there is none."""
        one = self._of.get(address)
        if one is None or one.tree is None or one.stored.kept != stored.kept:
            return None
        tree = one.tree
        return stored._replace(kept=tree.n, whole=len(tree.record), tail=stored.tail - one.stored.tail), tree


def _short(saved: Saved) -> bytes | None:
    """What a value shows of what is short: enough for most filters."""
    if saved.shown is None:
        return None
    value: dict[str, Any] = decode_whole(saved.shown) if saved.value is ABSENT else saved.value
    room = MOST_SHORT
    kept = {}
    for name, part in value.items():
        if isinstance(part, (str, list, dict)) and len(part) > SHORT:
            continue
        size = len(to_json(part, inf_nan_mode="constants")) + len(name)
        if size <= min(SHORT, room):
            kept[name] = part
            room -= size
    return to_json(kept, inf_nan_mode="constants")


class _Last(NamedTuple):
    """What was given last to a document: the row's number, the body, and how many differences tell it."""

    n: int
    body: bytes
    steps: int


class Given:
    """What was given last to documents, so that their next rows tell but a difference from it.

    Args:
        before: what another one knows, which does not change.
    """

    def __init__(self, before: Given | None = None) -> None:
        self._before = before
        self._last: OrderedDict[Address, _Last] = OrderedDict()
        self._size = 0
        # Readers and the leaders of several clocks note side by side; in a transaction one thread does.
        self._lock = free_in_child(threading.Lock()) if before is None else nullcontext()

    def _find(self, address: Address) -> _Last | None:
        found = self._last.get(address)
        return self._before._find(address) if found is None and self._before is not None else found

    def _note(self, address: Address, last: _Last) -> None:
        with self._lock:
            gone = self._last.pop(address, None)
            self._last[address] = last
            self._size += len(last.body) - (len(gone.body) if gone is not None else 0)
            while self._size > MOST_GIVEN:
                self._size -= len(self._last.popitem(last=False)[1].body)

    def told(self, address: Address, n: int, body: bytes | None, kept: int) -> StoredBody:
        """Gives a body as row ``n`` keeps it.

        Args:
            kept: rows up to this number may not be there any more.
        """
        if body is None or len(body) <= LARGE:
            return StoredBody(None if body is None else pack(body, None), 0)
        last = self._find(address)
        if last is not None and last.n > kept and last.steps < MOST_STEPS:
            change = difference(last.body, body)
            if 2 * len(change) < len(body):
                self._note(address, _Last(n, body, last.steps + 1))
                return StoredBody(pack(change, None), last.n)
        self._note(address, _Last(n, body, 0))
        return StoredBody(pack(body, None), 0)

    def hear(self, address: Address, rows: Sequence[TailRow]) -> None:
        """Notes what others gave, as far as that can be told from what is known."""
        for row in rows:
            last = self._find(address)
            if row.body is None or row.base is None:
                continue
            if row.base == 0:
                body = unpack(row.body, None)
                if len(body) > LARGE:
                    self._note(address, _Last(row.n, body, 0))
            elif last is not None and last.n == row.base:
                self._note(address, _Last(row.n, patched(last.body, unpack(row.body, None)), last.steps + 1))

    def learn(self, other: Given) -> None:
        """Takes over what another one knows of its own: what it noted was committed."""
        for address, last in other._last.items():
            self._note(address, last)
