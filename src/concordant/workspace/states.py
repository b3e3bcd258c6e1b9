"""What a stored state of a document says: the writes that wait in it, what it shows, its version, its changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from concordant.causal import seen_everything
from concordant.record import Record, View, Write, apply, journalled, view
from concordant.schema import Compiled
from concordant.storage import PutOff, Row, State
from concordant.tree import LeafChange
from concordant.values import decode
from concordant.workspace.foresight import foreseen

__all__ = ["begun", "changes_of", "current_view", "effect_of", "expanded", "is_shown", "version_of", "view_at"]

NOTHING = View(None, (), (), ())


def begun(row: tuple[Any, ...], replica: str) -> Record:
    """The record of a document that was written once, with that write put off."""
    record = Record()
    record.pending.append(row)
    record.note_commit(row[2], row[3], row[5])
    record.version = row[2]
    record.created_at = record.updated_at = row[3]
    record.note_life(Row(*row).stamp(replica), True)
    return record


def expanded(state: State | None, schema: Compiled, replica: str) -> Record:
    """The record of a document, with the writes that were put off applied."""
    if isinstance(state, Record):
        if state.pending:
            _catch_up(state, schema, replica)
        return state
    if state is None:
        return Record()
    record = begun(state, replica)
    _catch_up(record, schema, replica)
    return record


def _catch_up(record: Record, schema: Compiled, replica: str) -> None:
    """Applies the writes that were put off, each of which had seen all that was there before it."""
    pending, record.pending = record.pending, []
    for item in pending:
        row = Row(*item)
        stamp = row.stamp(replica)
        put_off = row.changes
        if isinstance(put_off, PutOff):
            mark = put_off.mark
            write = Write(
                stamp,
                put_off.mode,  # type: ignore[arg-type]
                decode(row.body or b"{}"),
                seen_everything,
                mark.values() if mark is not None else None,
                mark.leave if mark is not None else frozenset(),
                put_off.replaces_all,
                own=put_off.own,
            )
            changes: Sequence[LeafChange] = apply(record, write, schema.root).changes
            put_off.changes = journalled(changes)
        else:
            changes = apply(
                record, Write(stamp, "write", decode(row.body or b"{}"), seen_everything), schema.root
            ).changes
        record.commit(changes, stamp)


def current_view(state: State, schema: Compiled, replica: str) -> View:
    """What a state shows, remembered with it until it changes."""
    if not isinstance(state, Record):
        return View(state[7], (), (), ())
    if state.pending:
        told = foreseen(state, schema)
        if told is not None:
            return told
        _catch_up(state, schema, replica)
    if state.cache is None:
        state.foreseen = 0
        state.cache = view(state, schema.root, on_delete=schema.on_delete, fits=schema.fits if schema.checked else None)
    return state.cache  # type: ignore[no-any-return]


def view_at(state: State, schema: Compiled, replica: str, time: float) -> View:
    """What a state shows at a time: nothing once it has expired."""
    if isinstance(state, Record) and state.has_expired(time):
        return NOTHING
    return current_view(state, schema, replica)


def is_shown(state: State | None, schema: Compiled, replica: str, time: float) -> bool:
    """Whether somebody who reads a document at a time finds it there."""
    return state is not None and view_at(state, schema, replica, time).body is not None


def version_of(state: State | None) -> int:
    """The number of the last commit to a document; 0 if there is none."""
    if state is None:
        return 0
    return state.version if isinstance(state, Record) else state[2]


def effect_of(row: Row, schema: Compiled, replica: str) -> Sequence[LeafChange]:
    """What a row's write did itself, apart from taking an earlier one back."""
    return row.effect if row.effect is not None else changes_of(row, schema, replica)


def changes_of(row: Row, schema: Compiled, replica: str) -> Sequence[LeafChange]:
    """What a row changed; for the only write of a document, all of it."""
    if isinstance(row.changes, PutOff):
        return row.changes.changes
    if row.changes is not None:
        return row.changes
    write = Write(row.stamp(replica), "write", decode(row.body or b"{}"), seen_everything)
    return apply(Record(), write, schema.root).changes
