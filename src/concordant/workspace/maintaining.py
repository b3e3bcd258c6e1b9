"""The part of a workspace that maintains its store: schemas added later, sweeps, erasure, vacuum, checks, its name."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from concordant.errors import ConcordantError, told
from concordant.escalation import Event
from concordant.merge.causality import Entry, Stamp, may_name_replica
from concordant.merge.record import Record
from concordant.merge.record.leases import end_of
from concordant.merge.registers import LeafChange, Path, leaves, sequences
from concordant.merge.sequence.pieces import Sequence
from concordant.merge.sequence.trim import has_removed, trimmed
from concordant.storage import Address, Knowledge, Result, SideEffects, State, TransactionView
from concordant.storage.cut import cut_of, part
from concordant.workspace.checking import Checked, check
from concordant.workspace.commit import Commit
from concordant.workspace.core import Core
from concordant.workspace.names import check_name
from concordant.workspace.states import NOTHING, expanded, version_of, view_at
from concordant.workspace.statistics import Stats, statistics
from concordant.workspace.survey import declare, survey
from concordant.workspace.transitions import transitions

__all__ = ["DELETED_KEPT", "JOURNAL_KEPT", "REMOVED_KEPT", "Maintaining", "Vacuumed"]

JOURNAL_KEPT = timedelta(days=90)
DELETED_KEPT = timedelta(days=90)
REMOVED_KEPT = timedelta(days=1)


class Vacuumed(NamedTuple):
    """What ``vacuum`` forgot: deleted documents, journal rows; and how many documents lost removed text or items."""

    documents: int
    rows: int
    compacted: int


class Maintaining:
    """Keeps a store small, whole and under its own name.

    Args:
        core: the workspace's.
    """

    def __init__(self, core: Core) -> None:
        self.core = core

    def declare(self, schemas: Mapping[tuple[str, ...], Any]) -> None:
        """Adds schemas (``Workspace.declare``)."""
        declare(self.core, schemas)

    def stats(self) -> Stats:
        """Counts what became of writes (``Workspace.stats``)."""
        survey(self.core)
        return statistics(self.core.storage)

    def sweep(self) -> int:
        """Clears away what has expired (``Workspace.sweep``)."""
        return _sweep(self.core)

    def check(self, quarantine: bool) -> Checked:
        """Verifies the store (``Workspace.check``)."""
        if not isinstance(quarantine, bool):
            raise ConcordantError(f"quarantine= is True or False, not {told(quarantine)}")
        return check(self.core, quarantine)

    def purge(self, namespace: tuple[str, ...], key: str) -> None:
        """Leaves of a document only that it was deleted."""
        storage, schema = self.core.storage, self.core.registry.readable(namespace, key)

        def update(state: State | None, n: int, time: float, tx: TransactionView) -> Result | None:
            if state is None:
                return None
            old = expanded(state, schema, storage.replica)
            bare = Record()
            commit = Commit((namespace, key), n, time, "purge")
            bare.tree = {None: (Entry(commit.stamp(storage.replica), None),)}
            bare.vector = {**old.vector, storage.replica: n}
            bare.arrivals = old.arrivals
            bare.created_at, bare.updated_at = old.created_at, time
            bare.recount()
            row = commit.close(bare, storage.replica, (), 0, lived=True, lives=False, noted=False)
            return bare, row, SideEffects(erases=True)

        storage.commit(namespace, key, update)

    def vacuum(self, journal: timedelta, deleted: timedelta, removed: timedelta) -> Vacuumed:
        """Forgets what is older (``Workspace.vacuum``)."""
        for name, age in (("journal", journal), ("deleted", deleted), ("removed", removed)):
            if not isinstance(age, timedelta) or age < timedelta(0):
                raise ConcordantError(f"{name}= is how long to keep it, as a timedelta, not {told(age)}")
        core, storage = self.core, self.core.storage
        _sweep(core)
        now = storage.now()[1]
        deleted_before, removed_before = now - deleted.total_seconds(), now - removed.total_seconds()
        gone: list[tuple[Address, int]] = []
        due: list[Address] = []
        with storage.reading():
            knowledge = storage.knowledge()
            for namespace, key, state in storage.documents(()):
                if not isinstance(state, Record):
                    continue
                schema, address = core.registry.find(namespace), (namespace, key)
                view = view_at(expanded(state, schema, storage.replica), schema, storage.replica, now)
                if view.contests or storage.open_of(address):
                    continue
                ended = min(end_of(state.leases), now) if state.leases else state.updated_at
                if not view.exists and max(ended, state.updated_at) < deleted_before:
                    gone.append((address, state.version))
                elif any(has_removed(text, _forgettable(knowledge, removed_before)) for _, text in _texts(state)):
                    due.append(address)
            documents, rows = storage.forget(gone, now - journal.total_seconds())
        return Vacuumed(documents, rows, sum(_compact(core, address, removed_before) for address in due))

    def rename(self, name: str | None) -> str:
        """Gives the store another name in dots; what it wrote under the old one stays what it is."""
        if name is not None:
            check_name(name, "a store's name")
            if not may_name_replica(name):
                raise ConcordantError("a store's name has no NUL character")
        core, storage = self.core, self.core.storage
        name = name or uuid.uuid4().hex[:12]
        with storage.reading():
            # The newest write there is: what was written later, before the restoring, is to be heard of again.
            newest = [0] * storage.clocks
            for namespace, key, state in list(storage.documents(())):
                record = expanded(state, core.registry.find(namespace), storage.replica)
                n = record.vector.get(storage.replica, 0)
                newest[n % storage.clocks] = max(newest[n % storage.clocks], n)
                if record is not state:
                    _write_out(core, (namespace, key))
            storage.rename(name, cut_of(newest))
        return name


def _forgettable(knowledge: Knowledge, before: float) -> Callable[[Stamp], bool]:
    """Tells whether nobody needs what a write of this store removed: nobody elsewhere knows of it, and it is older."""
    replica, exported = knowledge.replica, knowledge.exported
    return lambda stamp: stamp.time < before and stamp.replica == replica and stamp.n > part(exported, stamp.n)


def _texts(record: Record) -> Iterator[tuple[Path, Sequence]]:
    """The texts and lists of a record, unless a deletion keeps parts of it that refer to what stands in them."""
    return iter(()) if record.covering else sequences(record.tree)


def _compacted(record: Record, knowledge: Knowledge, before: float) -> tuple[LeafChange, ...]:
    """The changes that take out of a record what was removed from its texts and lists before a time."""
    changes = []
    for path, leaf in _texts(record):
        rest = trimmed(leaf, _forgettable(knowledge, before))
        if rest is not leaf:
            changes.append(LeafChange(path, leaf, rest))
    return tuple(changes)


def _compact(core: Core, address: Address, before: float) -> int:
    done = 0

    def update(state: State | None, n: int, time: float, tx: TransactionView) -> Result | None:
        nonlocal done
        if not isinstance(state, Record):
            return None
        record = expanded(state, core.registry.find(address[0]), core.storage.replica)
        changes = _compacted(record, tx.knowledge(), before)
        if not changes:
            return None
        record.commit(changes)
        done = 1
        return record, Commit(address, n, time, "compact").close(record, "", changes, record.version), None

    core.storage.commit(*address, update)
    return done


def _write_out(core: Core, address: Address) -> None:
    """Makes a record of a document whose only write is its state, so that the write keeps its dot."""

    def update(state: State | None, n: int, time: float, tx: TransactionView) -> Result | None:
        if state is None:
            return None
        previous = version_of(state)
        record = expanded(state, core.registry.find(address[0]), core.storage.replica)
        return record, Commit(address, n, time, "rename").close(record, "", (), previous), None

    core.storage.commit(*address, update)


def _sweep(core: Core) -> int:
    """Clears away what has expired; returns how many documents.

    Nobody sees a difference. A record that another store may know keeps its content until it is vacuumed, as a deleted
    one does: there somebody may have written to it, or made use of it, in time. Otherwise the journal alone keeps it.
    """
    count = 0
    for address in core.storage.expired():
        one = _Sweep(core, address)
        core.storage.commit(*address, one.update)
        count += one.done
        core.subscribers.deliver(one.events)
    return count


class _Sweep:
    """The sweep of one document, on its way."""

    def __init__(self, core: Core, address: Address) -> None:
        self._core = core
        self._place = address
        self.done = False
        self.events: list[Event] = []

    def update(self, state: State | None, n: int, time: float, tx: TransactionView) -> Result | None:
        self.done, self.events = False, []
        if not isinstance(state, Record) or state.swept or not state.has_expired(time):
            return None
        storage = self._core.storage
        record = expanded(state, self._core.registry.find(self._place[0]), storage.replica)
        changes: tuple[LeafChange, ...] = ()
        if not tx.knowledge().has_met:
            changes = tuple(LeafChange(path, leaf, None) for path, leaf in leaves(record.tree))
            record.commit(changes)
            record.leases = ()
        record.swept = True
        commit, previous = Commit(self._place, n, time, "expire"), record.version
        row = commit.close(record, storage.replica, changes, previous, lived=True, lives=False, noted=False)
        effects = None
        if tx.open_of(self._place):
            effects = transitions(self._place, NOTHING, record, time, tx).effects
            self.events += effects.events
        self.done = True
        return record, row, effects
