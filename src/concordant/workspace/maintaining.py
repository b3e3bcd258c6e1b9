"""The part of a workspace that maintains its store: schemas added later, sweeps, erasure, vacuum, checks, its name."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from concordant.errors import ConcordantError, told
from concordant.escalation import Event
from concordant.merge.causality import Entry, may_name_replica
from concordant.merge.record import Record
from concordant.merge.record.leases import end_of
from concordant.merge.registers import LeafChange, leaves, sequences
from concordant.merge.sequence.pieces import run_of
from concordant.merge.sequence.trim import removed as removed_of, weighed
from concordant.storage import Address, Result, SideEffects, State, TransactionView
from concordant.storage.cut import cut_of
from concordant.workspace.checking import Checked, check
from concordant.workspace.commit import Commit
from concordant.workspace.core import Core
from concordant.workspace.forgetting import NOTHING_FORGOTTEN, forgettable
from concordant.workspace.frontier import Frontier, Waiting
from concordant.workspace.names import check_name
from concordant.workspace.states import NOTHING, expanded, version_of, view_at
from concordant.workspace.statistics import Stats, statistics
from concordant.workspace.survey import declare, survey
from concordant.workspace.transitions import transitions

__all__ = ["JOURNAL_KEPT", "KeptFor", "Maintaining", "Vacuumed"]

JOURNAL_KEPT = timedelta(days=90)


class KeptFor(NamedTuple):
    """Removed pieces of texts and lists that are still known.

    Attributes:
        whom: for whom: ``"agents"`` who may go on from what they read lately; the name of a store that has not told
            that all there have seen them removed; ``"others"``: stores that may have been given them and never
            answered; ``"deletions"`` of a part of the document, which somebody may want back; ``"rewrites"`` of one
            place by several at once; ``"order"``: what stands behind them would move.
        pieces: how many.
        documents: in how many documents.
    """

    whom: str
    pieces: int
    documents: int


class Vacuumed(NamedTuple):
    """What ``vacuum`` forgot, and what it kept.

    Attributes:
        documents: how many deleted documents it forgot.
        rows: how many rows of the journal.
        compacted: how many documents lost removed text or items.
        pieces: how many pieces of these.
        kept: what was removed and is still known, and for whom.
    """

    documents: int
    rows: int
    compacted: int
    pieces: int = 0
    kept: tuple[KeptFor, ...] = ()


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
        """Clears away what has expired (``Workspace.sweep``); returns how many documents.

        Nobody sees a difference. A record that another store may know keeps its content until it is vacuumed, as a
        deleted one does: there somebody may have written to it, or made use of it, in time. Otherwise the journal alone
        keeps it.
        """
        count = 0
        for address in self.core.storage.expired():
            one = _Sweep(self.core, address)
            self.core.storage.commit(*address, one.update)
            count += one.done
            self.core.subscribers.deliver(one.events)
        return count

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
            bare.arrivals, bare.floor = old.arrivals, old.floor
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
        self.sweep()
        now = storage.now()[1]
        deleted_before = now - deleted.total_seconds()
        gone: list[tuple[Address, int]] = []
        due: list[Address] = []
        kept = _Tally()
        with storage.reading():
            frontier = Frontier(storage, storage.knowledge(), now, removed, deleted)
            for namespace, key, state in storage.documents(()):
                if not isinstance(state, Record):
                    continue
                schema, address = core.registry.find(namespace), (namespace, key)
                view = view_at(expanded(state, schema, storage.replica), schema, storage.replica, now)
                ended = min(end_of(state.leases), now) if state.leases else state.updated_at
                is_asked = bool(view.contests or storage.open_of(address))
                if not is_asked and not view.exists and max(ended, state.updated_at) < deleted_before:
                    gone.append((address, state.version))
                elif kept.add(_waits(state, frontier.of(address, state))):
                    due.append(address)
            documents, rows = storage.forget(gone, now - journal.total_seconds())
        pieces = [_compact(core, address, frontier, kept) for address in due]
        return Vacuumed(documents, rows, sum(map(bool, pieces)), sum(pieces), kept.told())

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


class _Tally:
    """What is kept, and for whom."""

    def __init__(self) -> None:
        self._pieces: Counter[str] = Counter()
        self._documents: Counter[str] = Counter()

    def add(self, found: Mapping[str, int]) -> int:
        """Counts what one document keeps, by for whom; returns how much of it is kept for nobody."""
        for whom, pieces in found.items():
            if whom and pieces:
                self._pieces[whom] += pieces
                self._documents[whom] += 1
        return found.get(_NOBODY, 0)

    def told(self) -> tuple[KeptFor, ...]:
        return tuple(KeptFor(whom, pieces, self._documents[whom]) for whom, pieces in sorted(self._pieces.items()))


_NOBODY = ""


def _waits(record: Record, waiting: Waiting) -> Mapping[str, int]:
    """How many removed pieces of texts and lists a document has, by for whom they are kept."""
    found: Counter[str] = Counter()
    for _, text in sequences(record.tree):
        busy = weighed(text)
        for piece, over in removed_of(text):
            if record.covering:
                found["deletions"] += 1
            elif busy and (run_of(piece) in busy or not busy.isdisjoint(piece.struck)):
                found["rewrites"] += 1
            elif over or waiting.dropped(piece.stamp):
                found[waiting.whom((piece.stamp, *over)) or _NOBODY] += 1
            else:
                found[waiting.whom((piece.stamp,)) or "others"] += 1
    return found


def _compact(core: Core, address: Address, frontier: Frontier, kept: _Tally) -> int:
    """Forgets what was removed from a document; returns how many pieces. What that is, is found out beforehand: others
    write meanwhile, and only if they did to this document it is found out again."""
    storage = core.storage
    with storage.reading():
        state = storage.load(*address)
        if not isinstance(state, Record):
            return 0
        record = state.copy()
    plan = forgettable(core, address, record, frontier)

    def update(state: State | None, n: int, time: float, tx: TransactionView) -> Result | None:
        nonlocal plan
        if not isinstance(state, Record):
            plan = plan._replace(found=NOTHING_FORGOTTEN)
            return None
        knowledge = tx.knowledge()
        if not plan.holds(state, knowledge):
            plan = forgettable(core, address, state.copy(), frontier.with_knowledge(knowledge))
        return plan.put_into(state, address, n, time)

    storage.commit(*address, update)
    kept.add({"order": _waits(plan.left, plan.waiting).get(_NOBODY, 0)})
    return plan.found.pieces


def _write_out(core: Core, address: Address) -> None:
    """Makes a record of a document whose only write is its state, so that the write keeps its dot."""

    def update(state: State | None, n: int, time: float, tx: TransactionView) -> Result | None:
        if state is None:
            return None
        previous = version_of(state)
        record = expanded(state, core.registry.find(address[0]), core.storage.replica)
        return record, Commit(address, n, time, "rename").close(record, "", (), previous), None

    core.storage.commit(*address, update)


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
