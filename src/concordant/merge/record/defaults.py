"""Defaults that say something: what editors were shown where nobody had written yet.

An edit of such a field is a change of its default. Two that are made at once change one and the same, so it is put
there first, as a write that everybody has seen and that is the same whoever makes it: an image
(``concordant.merge.causality``) of nothing, named by the place and the default, and numbered by how often it began.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from concordant.merge.causality import Stamp, VersionVector, image_name, place_name
from concordant.merge.kinds import Field
from concordant.merge.kinds.base import default_says_something
from concordant.merge.record.record import BEFORE
from concordant.merge.registers import Change, Path, leaf_at
from concordant.values import canonical, encode

__all__ = ["AUTHOR", "with_defaults"]

AUTHOR = "default"
"""The agent to whom the parts of a default are credited."""


def with_defaults(
    change: Change, field: Field, path: Path, base: Mapping[str, Any], values: Mapping[str, Any], known: VersionVector
) -> dict[str, Any]:
    """Tells what an editor was shown of a record, with the defaults of fields that nobody had written, which the change
    puts there unless they are.

    Args:
        base: what was written of it.
        values: the fields that the edit touches, with their new values.
        known: the writes known to the record; those made here are added.
    """
    shown = dict(base)
    for name, item in values.items():
        part = field.fields.get(name)
        if part is None:
            continue
        place = (*path, part.slot)
        if part.kind.holds == "fields":
            below = shown.get(name)
            if isinstance(item, dict) and (below is not None or name not in shown):
                found = with_defaults(change, part, place, below or {}, item, known)
                if found or name in shown:
                    shown[name] = found
        elif name not in shown and default_says_something(part):
            _put(change, part, place, known)
            shown[name] = part.default
    return shown


def _put(change: Change, field: Field, path: Path, known: VersionVector) -> None:
    """Puts a default there unless it is.

    Where it has gone with its document it begins anew: the next write of that name, for all who know of the deletion.
    """
    digest = hashlib.sha256(canonical(encode(field.default))).hexdigest()[:16]
    name = image_name(BEFORE, f"{place_name(path)}={digest}")
    times = known.get(name, 0)
    if times and leaf_at(change.tree, path):
        return
    known[name] = times + 1
    stamp = Stamp(0.0, name, times + 1, AUTHOR, "", "default")
    made = Change(change.tree, stamp, lambda _: False, covering=False, adding=True)
    field.kind.contribute(made, field, path, field.default)
    for place, leaf in made.after.items():
        change.set(place, leaf)
