"""What a record will show once the writes that wait in it are applied, told without applying them.

A write that has seen all there is, and was made from the very value that is shown, leaves what its writer gave. So a
reader of a chain of such writes need not wait for the merge, which is made when somebody writes beside them. What this
cannot tell for certain it does not tell.
"""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from concordant.kinds import Field
from concordant.record import Record, View
from concordant.schema import Compiled
from concordant.storage import PutOff
from concordant.values import ABSENT, alike, decode

__all__ = ["foreseen"]


def foreseen(record: Record, schema: Compiled) -> View | None:
    """What a record with writes put off will show; ``None`` where only the merge can tell."""
    known: View | None = record.cache
    if known is None:
        if record.tree or isinstance(record.pending[0][8], PutOff):
            return None
        known, done = View(record.pending[0][7]), 1
    else:
        done = record.foreseen
    if done < len(record.pending):
        if known.body is None or known.contests or known.settled or record.leases or len(record.vector) > 1:
            return None
        body = known.body
        for row in record.pending[done:]:
            after = _after(schema, body, row[8], row[7])
            if after is None:
                return None
            body = row[7] if after == row[7] else after  # one object for both
        known = known.shows(body)
    record.cache, record.foreseen = known, len(record.pending)
    return known


def _after(schema: Compiled, body: bytes, put_off: PutOff, written: bytes) -> bytes | None:
    """The value after a write; ``None`` if it was made from another value, or merges in another way."""
    mark = put_off.mark
    if mark is None or mark.leave:
        return None
    shown = decode(body)
    base = shown if mark.base is body else mark.values()
    if base is None:
        return None
    given = decode(written)
    if put_off.replaces_all:
        if base is not shown and not alike(base, shown):
            return None
        if schema.adapts and any(isinstance(part, (dict, list)) for part in (*shown.values(), *given.values())):
            return None
        kept = {name: _scalar(given[name], old) for name, old in shown.items() if name in given}
        return _text({**kept, **{name: new for name, new in given.items() if name not in kept}})
    fields = schema.root.fields
    for name, new in given.items():
        old = shown.get(name, ABSENT)
        after = _field_after(fields[name], old, old if base is shown else base.get(name, ABSENT), new)
        if after is ABSENT:
            return None
        shown[name] = after
    return _text({name: shown[name] for name in fields if name in shown})


def _field_after(field: Field, shown: Any, base: Any, new: Any) -> Any:
    """The value of a field after a write of it; ``ABSENT`` if that is not certain."""
    kind = field.kind
    if kind.grow_only or shown is ABSENT or base is ABSENT:
        return ABSENT
    return kind.foreseen(field, shown, base, new)


def _text(value: dict[str, Any]) -> bytes:
    return to_json(value, inf_nan_mode="constants")  # it comes from JSON, so there is nothing to look for


def _scalar(new: Any, old: Any) -> Any:
    """An equal value is the one that was there, in its form."""
    return old if alike(new, old) else new
