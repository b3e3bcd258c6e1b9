"""Forgetting what is old: deleted documents, journal rows, removed text; and giving a store another name."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from concordant.causal import Stamp
from concordant.record import Record, journalled
from concordant.record.leases import end_of
from concordant.sequence.pieces import Sequence
from concordant.sequence.trim import has_removed, trimmed
from concordant.storage import Desk, Knowledge, Place, Result, State
from concordant.tree import LeafChange, Path, leaves
from concordant.workspace.expiry import sweep
from concordant.workspace.states import expanded, version_of, view_at

if TYPE_CHECKING:
    from concordant.workspace.engine import Engine

__all__ = ["DELETED_KEPT", "JOURNAL_KEPT", "REMOVED_KEPT", "Vacuumed", "rename", "vacuum"]

JOURNAL_KEPT = timedelta(days=90)
DELETED_KEPT = timedelta(days=90)
REMOVED_KEPT = timedelta(days=1)


class Vacuumed(NamedTuple):
    """What ``vacuum`` forgot: deleted documents, journal rows; and how many documents lost removed text or items."""

    documents: int
    rows: int
    compacted: int


def vacuum(workspace: Engine, journal: float, deleted: float, removed: float) -> Vacuumed:
    """Forgets what is older than so many seconds.

    Args:
        journal: rows of the journal, closed escalations, and events.
        deleted: documents that were deleted.
        removed: words and items that an edit removed from a text or list, as far as no other store knows of them.
    """
    storage = workspace.storage
    sweep(workspace)
    now = storage.now()[1]
    gone: list[tuple[Place, int]] = []
    due: list[Place] = []
    with storage.reading():
        knowledge = storage.knowledge()
        for namespace, key, state in storage.documents(()):
            if not isinstance(state, Record):
                continue
            schema, place = workspace.registry.find(namespace), (namespace, key)
            view = view_at(expanded(state, schema, storage.replica), schema, storage.replica, now)
            if view.contests or storage.open_of(place):
                continue
            ended = min(end_of(state.leases), now) if state.leases else state.updated_at
            if not view.exists and max(ended, state.updated_at) < now - deleted:
                gone.append((place, state.version))
            elif any(has_removed(text, _forgettable(knowledge, now - removed)) for _, text in _texts(state)):
                due.append(place)
        documents, rows = storage.forget(gone, now - journal)
    return Vacuumed(documents, rows, sum(_compact(workspace, place, now - removed) for place in due))


def _forgettable(knowledge: Knowledge, before: float) -> Callable[[Stamp], bool]:
    """Tells whether nobody needs what a write of this store removed: nobody elsewhere knows of it, and it is older."""
    replica, exported = knowledge.replica, knowledge.exported
    return lambda stamp: stamp.time < before and stamp.replica == replica and stamp.n > exported


def _texts(record: Record) -> Iterator[tuple[Path, Sequence]]:
    """The texts and lists of a record, unless a deletion keeps parts of it that refer to what stands in them."""
    if record.covering:
        return
    for path, leaf in leaves(record.tree):
        if isinstance(leaf, Sequence):
            yield path, leaf


def _compacted(record: Record, knowledge: Knowledge, before: float) -> tuple[LeafChange, ...]:
    """The changes that take out of a record what was removed from its texts and lists before a time."""
    changes = []
    for path, leaf in _texts(record):
        rest = trimmed(leaf, _forgettable(knowledge, before))
        if rest is not leaf:
            changes.append(LeafChange(path, leaf, rest))
    return tuple(changes)


def _compact(workspace: Engine, place: Place, before: float) -> int:
    done = 0

    def update(state: State | None, n: int, time: float, desk: Desk) -> Result | None:
        nonlocal done
        if not isinstance(state, Record):
            return None
        record = expanded(state, workspace.registry.find(place[0]), workspace.storage.replica)
        changes = _compacted(record, desk.knowledge(), before)
        if not changes:
            return None
        previous, record.version = record.version, n
        record.commit(changes)
        record.note_commit(n, time, "")
        done = 1
        return record, (*place, n, time, "", "", "compact", None, journalled(changes), previous, None, ()), None

    workspace.storage.commit(*place, update)
    return done


def rename(workspace: Engine, name: str | None) -> str:
    """Gives the store another name in dots; what it wrote under the old one stays what it is."""
    storage = workspace.storage
    name = name or uuid.uuid4().hex[:12]
    with storage.reading():
        upto = 0  # the newest write there is: what was written later, before the restoring, is to be heard of again
        for namespace, key, state in list(storage.documents(())):
            record = expanded(state, workspace.registry.find(namespace), storage.replica)
            upto = max(upto, record.vector.get(storage.replica, 0))
            if record is not state:
                _write_out(workspace, (namespace, key))
        storage.rename(name, upto)
    return name


def _write_out(workspace: Engine, place: Place) -> None:
    """Makes a record of a document whose only write is its state, so that the write keeps its dot."""

    def update(state: State | None, n: int, time: float, desk: Desk) -> Result | None:
        if state is None:
            return None
        previous = version_of(state)
        record = expanded(state, workspace.registry.find(place[0]), workspace.storage.replica)
        record.version = n
        record.note_commit(n, time, "")
        return record, (*place, n, time, "", "", "rename", None, (), previous, None, ()), None

    workspace.storage.commit(*place, update)
