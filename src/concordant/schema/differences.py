"""What of an edited record was touched."""

from __future__ import annotations

from typing import Any

from concordant.merge.kinds import Field
from concordant.values import ABSENT, encode

__all__ = ["untouched_left_out"]


def untouched_left_out(field: Field, before: Any, after: Any) -> Any:
    """The value of a field after an edit, without the fields of records that are as they were before it.

    So a default that a reader was shown, and left, is not written. Keys of maps and identities of records stay: one
    that is missing says that it was removed.
    """
    if field.kind.holds == "fields":
        if not isinstance(after, dict) or not isinstance(before, dict):
            return after
        found: dict[str, Any] = {}
        for name, item in after.items():
            part = field.fields[name]
            if name not in before or not part.kind.alike(part, item, before[name]):
                found[name] = untouched_left_out(part, before.get(name, ABSENT), item)
        return found
    child = field.child
    if child is None or child.kind.holds != "fields" or before is ABSENT:
        return after
    if field.kind.holds == "keys":
        return {key: untouched_left_out(child, before.get(key, ABSENT), item) for key, item in after.items()}
    by = field.kind.key_field or ""
    known = {encode(record[by]): record for record in before}
    return [
        {by: record[by], **untouched_left_out(child, known.get(encode(record[by]), ABSENT), record)} for record in after
    ]
