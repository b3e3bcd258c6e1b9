"""What a stored state of a document says: the writes that wait in it, what it shows, its version, its changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from concordant.errors import DamagedDocumentError, told
from concordant.merge.causality import seen_everything
from concordant.merge.kinds import OPEN, Field, Look
from concordant.merge.kinds.base import reading
from concordant.merge.record import Record, View, Write, apply, begin, view
from concordant.merge.record.drift import adapted_standing, fitted
from concordant.merge.registers import LeafChange, Tree, restored
from concordant.schema import Compiled
from concordant.schema.shape import root_of
from concordant.storage import Deferred, Row, State
from concordant.storage.base import Compact, row_of, version_of
from concordant.values import ABSENT, decode_whole

__all__ = [
    "changes_of",
    "current_view",
    "effect_of",
    "expanded",
    "is_shown",
    "tree_of",
    "value_of",
    "version_of",
    "view_at",
    "written_under",
]

NOTHING = View(None)


def expanded(state: State | None, schema: Compiled, replica: str) -> Record:
    """Returns the record of a document."""
    if isinstance(state, Record):
        return state
    return Record() if state is None else _first(row_of(state), schema.root, replica)


def _first(row: Row, root: Field, replica: str) -> Record:
    """The record of a document that was written once."""
    record, stamp = Record(), row.stamp(replica)
    record.note_commit(row.n, row.time, row.origin)
    record.note_life(stamp, True)
    begin(record, stamp, _values_of(row), root)
    return record


def written_under(state: Compact, shape: str | None, schema: Compiled, replica: str) -> State:
    """Returns the state of a document whose only write was made under another model than the present one.

    Args:
        shape: of the model that it was made under; ``None`` if that is not known: then it is the present one where
            the value fits it, and none where it does not.
    """
    row = row_of(state)
    if schema.takes(shape, row.body or b"{}"):
        return state
    record = _first(row, root_of(shape or "", schema.root), replica)
    record.alien = True
    return record


def _values_of(row: Row) -> dict[str, Any]:
    """What a write gave.

    Raises:
        DamagedDocumentError: what is stored of it is no JSON object any more.
    """
    try:
        found = decode_whole(row.body or b"{}")
    except ValueError as error:
        raise DamagedDocumentError("the store", row.namespace, row.key, str(error)) from error
    if not isinstance(found, dict):
        raise DamagedDocumentError("the store", row.namespace, row.key, f"{told(found, 40)} is no object")
    return found


def current_view(state: State, schema: Compiled, replica: str) -> View:
    """Tells what a state shows, remembered with it until it changes."""
    if not isinstance(state, Record):
        return View(row_of(state).body)
    known: View | None = state.cache
    if known is None:
        alien = state.alien and schema.adapts
        state.cache = known = view(
            state,
            schema.root,
            on_delete=schema.on_delete,
            fits=schema.fits if schema.checked or (alien and schema.declared) else None,
            fit=schema.fit if alien else None,
        )
        if not known.drifts:
            state.alien = False
    return known


def view_at(state: State, schema: Compiled, replica: str, time: float) -> View:
    """Tells what a state shows at a time: nothing once it has expired."""
    if isinstance(state, Record) and state.has_expired(time):
        return NOTHING
    return current_view(state, schema, replica)


def tree_of(record: Record, schema: Compiled) -> Tree:
    """Tells what a record shows, as the present model would have made it; what is contested about deletions
    included."""
    tree = restored(record.tree) if record.covering else record.tree
    return adapted_standing(tree, schema.root, schema.fit).tree if record.alien and schema.adapts else tree


def value_of(tree: Tree, record: Record, schema: Compiled) -> Any:
    """Tells what a tree such as ``tree_of`` gives holds, as far as it fits the model; ``ABSENT`` if there is
    nothing."""
    value = reading(schema.root, tree, Look("update")) if tree else ABSENT
    if not record.alien or not schema.adapts:
        return value
    return fitted(Look(), schema.root, tree, value, schema.fit)[0]


def is_shown(state: State | None, schema: Compiled, replica: str, time: float) -> bool:
    """Tells whether somebody who reads a document at a time finds it there."""
    return state is not None and view_at(state, schema, replica, time).exists


def effect_of(row: Row, schema: Compiled, replica: str) -> Sequence[LeafChange]:
    """Tells what a row's write did itself, apart from taking an earlier one back."""
    return row.effect if row.effect is not None else changes_of(row, schema, replica)


def changes_of(row: Row, schema: Compiled, replica: str) -> Sequence[LeafChange]:
    """Tells what a row changed; for the only write of a document, all of it."""
    if row.changes is not None:
        assert not isinstance(row.changes, Deferred)  # what was put off is done before it is told
        return row.changes
    values = _values_of(row)
    write = Write(row.stamp(replica), "write", values, seen_everything)
    known = not schema.declared or schema.takes(None, row.body or b"{}")
    return apply(Record(), write, schema.root if known else OPEN).changes
