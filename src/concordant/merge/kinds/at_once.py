"""Much that one write gives at once: how kinds make a ``Bulk`` of it, and read that without a look at each part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, count, pairwise
from typing import Any

from concordant.merge.causality import Stamp, seen_everything
from concordant.merge.kinds.base import Field, Look
from concordant.merge.kinds.forms import form_of
from concordant.merge.registers import Change, Path, Tree, place_leaf
from concordant.merge.registers.bulk import Bulk, GivenAtOnce
from concordant.values import canonical, copied

__all__ = ["MANY", "bulk_of", "shown_at_once", "values_there"]

MANY = 256
"""From how many parts on they are made when somebody looks at them."""


def bulk_of(field: Field, value: Any, stamp: Stamp) -> Bulk | None:
    """Tells what the first write of a field makes of it, all its parts still to be made; ``None`` where they have to be
    made one after the other."""
    if not value or not isinstance(value, (list, dict)) or not (field.kind.can_wait and _can_wait(field)):
        return None
    keys = field.kind.keys_in(field, value)
    if keys is None:
        return None

    def made(key: str, item: Any, place: int) -> Any:
        change, tree = Change({}, stamp, seen_everything, covering=False), dict[str | None, Any]()
        field.kind.contribute_part(change, field, _HERE, key, item, place)
        for path, leaf in change.after.items():
            place_leaf(tree, path, leaf)
        return tree[_HERE[0]][key]

    given = GivenAtOnce(stamp, field, value, keys, made)
    return Bulk(given) if len(given.known) == len(value) else None


_HERE: Path = ("",)


def _can_wait(field: Field) -> bool:
    """Whether all that is in a field can be made by itself."""
    return all(part.kind.can_wait and _can_wait(part) for part in field.parts) and not (
        field.kind.holds == "elements" and field.canon is not canonical
    )


def shown_at_once(look: Look, field: Field, path: Path, cell: Tree) -> Any:
    """Tells what one write gave of a container at once, all of it as it is shown where it stands as it was given;
    ``None`` where that takes a look at each part."""
    if not isinstance(cell, Bulk) or look.included is not None:
        return None
    value, child = cell.given.value, field.child
    if form_of(field) != form_of(cell.given.field):
        return None
    if child is not None and not _are_shown_so(child, _listed(value), look.sorts(path)):
        return None
    return value if look.memory is not None else copied(value)


def values_there(cell: Bulk, shown: Any) -> dict[str, Any]:
    """Tells what ``shown_at_once`` gave by key, without parts that went; where one was changed since, something
    stands."""
    values = cell.given.by_key(shown)
    for key in cell.gone:
        del values[key]
    return values


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [*value.values()]


def _parts_of(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _are_shown_so(field: Field, values: Sequence[Any], is_sorted: bool) -> bool:
    """Whether values that a write gave of a field are shown as they are.

    Args:
        is_sorted: whether keys are shown in order, not as they came.
    """
    kind, child = field.kind, field.child
    if kind.is_leaf or kind.holds == "elements":
        return True
    if kind.holds == "fields":
        return _are_records_shown_so(field, values, is_sorted)
    if child is None or (is_sorted and kind.holds == "keys"):
        return False
    inner = chain.from_iterable(map(_parts_of, values))
    return child.kind.is_leaf or _are_shown_so(child, [*inner], is_sorted)


def _are_records_shown_so(field: Field, records: Sequence[Mapping[str, Any]], is_sorted: bool) -> bool:
    """The same of records: they show their fields in the order of the model."""
    ranks = dict(zip(field.fields, count()))
    for names in set(map(tuple, records)):
        places = [ranks.get(name, -1) for name in names]
        if -1 in places or not all(one < other for one, other in pairwise(places)):
            return False
    parts = {name: part for name, part in field.fields.items() if not part.kind.is_leaf}
    return all(
        _are_shown_so(part, [record[name] for record in records if name in record], is_sorted)
        for name, part in parts.items()
    )
