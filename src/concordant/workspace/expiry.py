"""What is done about the time that documents have: touches, and the sweep of those that have expired."""

from __future__ import annotations

from concordant.escalation import Event, when
from concordant.merge.record import Record
from concordant.merge.record.leases import touched
from concordant.merge.registers import LeafChange, leaves
from concordant.storage import Place, Result, SideEffects, State, TransactionView
from concordant.workspace.commit import Commit
from concordant.workspace.core import Core
from concordant.workspace.states import NOTHING, expanded
from concordant.workspace.transitions import transitions

__all__ = ["sweep", "touch"]


def touch(state: State | None, n: int, time: float, tx: TransactionView) -> Result | None:
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


def sweep(core: Core) -> int:
    """Clears away what has expired; returns how many documents.

    Nobody sees a difference. A record that another store may know keeps its content until it is vacuumed, as a deleted
    one does: there somebody may have written to it, or made use of it, in time. Otherwise the journal alone keeps it.
    """
    count = 0
    for place in core.storage.expired():
        one = _Sweep(core, place)
        core.storage.commit(*place, one.update)
        count += one.done
        core.subscribers.deliver(one.events)
    return count


class _Sweep:
    """The sweep of one document, on its way."""

    def __init__(self, core: Core, place: Place) -> None:
        self._core = core
        self._place = place
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
        beside = None
        if tx.open_of(self._place):
            beside = transitions(self._place, NOTHING, record, when(time), tx).beside
            self.events += beside.events
        self.done = True
        return record, row, beside
