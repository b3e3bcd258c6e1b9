"""Other names under which a field may be stored: those it had before, and its aliases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo

from concordant.errors import Fault
from concordant.merge.kinds import Field
from concordant.schema.models import spellings_of

__all__ = ["note_aliases", "note_former_names"]


def note_former_names(root: Field, renamed: Any) -> list[Fault]:
    """Notes at the fields of a model under which names they may be stored as well.

    Args:
        renamed: the new name by the old one; of a field of a nested record both are paths with dots.

    Returns:
        What is wrong with that.
    """
    if not isinstance(renamed, Mapping) or not all(isinstance(n, str) and n for pair in renamed.items() for n in pair):
        mend = 'Write it as a dict of names, such as renamed={"old": "new"}'
        return [Fault(("renamed",), f"renamed={renamed!r} is no dict of names", mend)]
    faults: list[Fault] = []
    for old, new in renamed.items():
        holder, _, name = new.rpartition(".")
        before, _, former = old.rpartition(".")
        record = _record_at(root, holder)
        if record is None or name not in record.fields:
            faults.append(Fault(("renamed", old), f"the model has no field {new!r}", "Give the name that it has now"))
        elif before != holder:
            mend = f"Write {holder + '.' if holder else ''}{former} for the old name, in the same record"
            faults.append(Fault(("renamed", old), f"{old!r} and {new!r} are not in one record", mend))
        elif former in record.fields:
            mend = "Take the pair out, or give that field another name"
            faults.append(Fault(("renamed", old), f"the model still has a field {old!r}", mend))
        else:
            _note(record.fields[name], (former,))
    return faults


def note_aliases(fields: Mapping[str, Field], infos: Mapping[str, FieldInfo]) -> None:
    """Notes the aliases of fields: what was written before there was a model may have been written under them."""
    for name, field in fields.items():
        _note(field, tuple(a for a in spellings_of(infos[name]) if isinstance(a, str) and a not in fields))


def _note(field: Field, names: tuple[str, ...]) -> None:
    object.__setattr__(field, "former", tuple(dict.fromkeys((*field.former, *names))))


def _record_at(root: Field, path: str) -> Field | None:
    field: Field | None = root
    for name in path.split(".") if path else ():
        while field is not None and field.kind.holds != "fields":
            field = field.child
        field = field.fields.get(name) if field is not None else None
    while field is not None and field.kind.holds != "fields":
        field = field.child
    return field
