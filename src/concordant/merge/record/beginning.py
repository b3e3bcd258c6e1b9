"""``begin``: the record that a document's first write makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from concordant.merge.causality import Stamp, seen_everything
from concordant.merge.kinds import Field, at_once
from concordant.merge.record.apply import Write, apply
from concordant.merge.record.record import Record
from concordant.merge.registers import Tree
from concordant.merge.registers.bulk import Bulk

__all__ = ["begin"]


def begin(record: Record, stamp: Stamp, values: Mapping[str, Any], root: Field) -> None:
    """Makes of a record in which nothing is yet what its first write gives.

    Of fields of which that gives much the parts are made when somebody looks at them.
    """
    bulks = {name: bulk for name, value in values.items() if (bulk := _bulk_of(root, name, value, stamp)) is not None}
    rest = {name: value for name, value in values.items() if name not in bulks}
    changes = apply(record, Write(stamp, "write", rest, seen_everything), root).changes if rest or not bulks else ()
    record.commit(changes, stamp)
    record.tell(changes)
    if bulks:
        parts: Tree = {**record.tree}
        parts |= {root.fields[name].slot: bulk for name, bulk in bulks.items()}
        slots = dict.fromkeys([*(root.fields[name].slot for name in values), *parts])  # as one after the other came
        record.tree = {slot: parts[slot] for slot in slots if slot in parts}


def _bulk_of(root: Field, name: str, value: Any, stamp: Stamp) -> Bulk | None:
    field = root.fields.get(name)
    if field is None or not isinstance(value, (list, dict)) or len(value) < at_once.MANY:
        return None
    return at_once.bulk_of(field, value, stamp)
