"""From one kind to another: what is stored under an earlier model, as the present one would have stored it.

A conversion is a pure function of what is stored, and goes entry by entry: each write becomes its *image*
(``concordant.merge.causality.image_of``), which keeps its author and its time. So whoever converts the same writes
makes the same of them, and what two replicas converted, each for itself, joins like one and the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, TypeAlias

from concordant.merge.causality import Entry, Register, Stamp, image_name, image_of, order_of
from concordant.merge.kinds.base import ITEM_RULES, Field, Look
from concordant.merge.kinds.keyed import KeyedSet, key_of
from concordant.merge.kinds.tree import CONTENTS, node_field, standing
from concordant.merge.registers import PRESENT, Change, Path, Tree, place_leaf
from concordant.merge.registers.leaf import as_register, is_sequence, renamed
from concordant.merge.registers.register import oldest_of_each_agent
from concordant.merge.registers.tree import supporters_below
from concordant.merge.sequence.layout import layout
from concordant.merge.sequence.overlap import analyse
from concordant.merge.sequence.pieces import Piece, Sequence
from concordant.values import ABSENT, JSON, alike, decode, encode

__all__ = ["Fit", "converted", "nodes_of", "places_of", "refitted", "standing_value"]

Fit: TypeAlias = Callable[[tuple[str, ...], Any], Any]
"""Gives a value, at a public path, in the form in which the present model stores it; ``ABSENT`` if it does not fit."""

PLACES = 2**32


def standing_value(field: Field, cell: Any) -> Any:
    """Returns the value that stands in a cell; ``ABSENT`` if none does."""
    return field.kind.read(Look("update"), field, (), (), cell)


def converted(
    old: Field, new: Field, cell: Any, public: tuple[str, ...], place: str, fit: Fit, above: tuple[str, ...] = ()
) -> Any:
    """Returns a cell of the field ``old`` as one of ``new``; ``None`` if something would be lost by that, or is
    contested.

    Args:
        place: names the place in its record of the new cell, or of the one that it is a part of.
        above: the fields of records that lead to it from there.
    """
    if old.tag == new.tag:
        return _moved(cell, place)
    sorts = (_sort(old), _sort(new))
    if sorts == ("keyed", "keyed"):
        return _records_converted(old, new, cell, public, place, fit, above)
    if sorts[0] in _KEYED and sorts[1] in _KEYED:
        return _parts_converted(old, new, cell, public, place, fit, above)
    look = Look()
    value = old.kind.read(look, old, (), (), cell)
    make = _MAKERS.get(sorts) or (_from_scalar if sorts[0] == "scalar" else None)
    if value is ABSENT or look.contests or make is None:
        return None
    wanted = fit(public, value)
    if wanted is ABSENT or (isinstance(value, list) and len(wanted) != len(value)):
        return None
    made = make(new, cell, wanted, place, above)
    return made if made is not None and _keeps(new, value, wanted, standing_value(new, made)) else None


def refitted(field: Field, cell: Any, public: tuple[str, ...], place: str, fit: Fit) -> Any:
    """Returns a cell whose elements or items have another form under the present model, in that form; ``None`` where
    there is nothing to do, or an item does not fit.
    """
    if field.kind.holds not in ("elements", "items"):
        return None
    value = standing_value(field, cell)
    whole = ABSENT if value is ABSENT else fit(public, value)
    if value is ABSENT or (whole is not ABSENT and alike(whole, value)):
        return None
    forms = [fit(public, [item]) for item in value]
    if any(not isinstance(form, list) or len(form) != 1 for form in forms):
        return None
    texts = {encode(item): encode(form[0]) for form, item in zip(forms, value, strict=True)}
    make = _list_refitted if field.kind.holds == "items" else _set_refitted
    made = make(field, cell, texts, place)
    return made if _keeps(field, value, [form[0] for form in forms], standing_value(field, made)) else None


def _list_refitted(field: Field, cell: Any, texts: Mapping[JSON, JSON], place: str) -> Tree:
    made: Tree = {}
    for piece, items in _spans(cell.get("")):
        number = piece.k * PLACES + piece.offset
        _append(made, field, image_of(piece.stamp, place), number, tuple(texts[item] for item in items))
    return made


def _set_refitted(field: Field, cell: Any, texts: Mapping[JSON, JSON], place: str) -> Tree:
    made: Tree = {None: _images(cell[None], place)} if None in cell else {}
    for key, register in cell.items():
        for entry in register if key is not None else ():
            text = texts.get(entry.value, entry.value)
            _add(made, field.canon(text).decode(), _images((entry,), place)[0]._replace(value=text))
    return made


def _sort(field: Field) -> str:
    return field.tag.partition("[")[0]


# -- the same kind elsewhere ------------------------------------------------------------------------------------------


def _moved(cell: Any, place: str) -> Any:
    """A cell as it is, at another place."""
    if isinstance(cell, dict):
        return {part: _moved(node, place) for part, node in cell.items()}
    return renamed(cell, lambda replica: image_name(replica, place))


def _images(register: Register, place: str) -> Register:
    return as_register(_moved(register, place))


_KEYED = ("map", "record", "tree")


def _parts_converted(
    old: Field, new: Field, cell: Any, public: tuple[str, ...], place: str, fit: Fit, above: tuple[str, ...]
) -> Any:
    """A cell of values by name as one of another such kind, part by part; ``None`` if that cannot be."""
    sorts = (_sort(old), _sort(new))
    if sorts == ("map", "map"):
        return _keys_converted(old, new, cell, public, place, fit, above)
    if sorts[1] == "tree":
        return _tree_of(old, cell, place)
    return _of_tree(new, cell, public, place, fit, above) if sorts[0] == "tree" else None


def _own_images(cell: Any, place: str) -> Tree | None:
    """What stands of a container itself; ``None`` if somebody has deleted it."""
    marks = cell.get(None, ())
    if any(entry.value is None for entry in marks):
        return None
    return {None: _images(marks, place)} if marks else {}


def _keys_converted(
    old: Field, new: Field, cell: Any, public: tuple[str, ...], place: str, fit: Fit, above: tuple[str, ...]
) -> Any:
    assert old.child is not None
    assert new.child is not None
    made = _own_images(cell, place)
    if made is None:
        return None
    for key, part in cell.items():
        if key is None:
            continue
        if standing_value(old.child, part) is ABSENT:
            continue
        node = converted(old.child, new.child, part, (*public, key), place, fit, above)
        if node is None:
            return None
        made[key] = node
    return made or None


def _records_converted(
    old: Field, new: Field, cell: Any, public: tuple[str, ...], place: str, fit: Fit, above: tuple[str, ...]
) -> Any:
    """A set of records whose fields merge by now: each stands where its value did, as long as that names it."""
    made = _keys_converted(old, new, cell, public, place, fit, above)
    by = new.kind.key_field or ""
    for key, part in (made or {}).items():
        if key is None:
            continue
        record = standing_value(new.child, part) if new.child is not None else ABSENT
        if not isinstance(part, dict) or not isinstance(record, dict) or by not in record or key_of(record, by) != key:
            return None
        part[None] = tuple(Entry(image_of(_of_first(e), place), PRESENT, place=e.place) for e in cell[key])
    return made


# -- from one value ---------------------------------------------------------------------------------------------------


def _from_scalar(new: Field, register: Register, wanted: Any, place: str, above: tuple[str, ...]) -> Any:
    """What a write of the value under the new kind leaves; others who wrote the same stand for it as well."""
    entries = sorted(register, key=lambda entry: order_of(entry.stamps[0]))
    first = entries[0]
    stamp = _of_first(first) if new.kind.holds in ("text", "items") else first.stamp
    field = _unseparated(new)
    run = _run(0, encode(wanted))
    change = Change({}, image_of(stamp, place), lambda _: False, covering=False, adding=True, runs=run)
    field.kind.contribute(change, field, (), wanted)
    others = [stamp for entry in entries for stamp in entry.stamps if stamp != first.stamp]
    confirms = oldest_of_each_agent(tuple(others))
    made: Tree = {}
    for path, leaf in change.after.items():
        place_leaf(made, path, _told_apart(new, path, _confirmed_by(leaf, confirms), place, above))
    return made


def _told_apart(field: Field, path: Path, leaf: Any, place: str, above: tuple[str, ...]) -> Any:
    """A leaf of a converted value in which the images are named by the field of the record that it stands in.

    Another model may have other kinds there, and make another leaf of the same write.
    """
    slots = _slots(field, path)
    if leaf is None or not slots:
        return leaf
    name = leaf_place(place, (*above, *slots))

    def named(replica: str) -> str:
        return image_name(replica.removesuffix(place)[:-1], name) if replica.endswith(place) else replica

    return renamed(leaf, named)


def _confirmed_by(leaf: Any, confirms: tuple[Stamp, ...]) -> Any:
    """A leaf whose entries are confirmed by other writes as well."""
    return leaf if is_sequence(leaf) else tuple(entry._replace(confirms=confirms) for entry in leaf)


def _slots(field: Field, path: Path) -> tuple[str, ...]:
    """The fields of records through which a path leads."""
    found: tuple[str, ...] = ()
    for name in path:
        part = next((part for part in field.fields.values() if part.slot == name), None)
        if part is not None:
            found = (*found, part.slot)
        field = part or field.child or field
    return found


def leaf_place(place: str, slots: tuple[str, ...]) -> str:
    """Returns the place in the names of images that stand in a field of a record which was made of one value."""
    return f"{place}={hashlib.sha256(chr(0).join(slots).encode()).hexdigest()[:16]}"


def places_of(field: Field, place: str, above: tuple[str, ...] = ()) -> Iterator[str]:
    """Iterates the places in the names of images of which a converted cell of a field may consist."""
    if not above:
        yield place
    for part in field.fields.values():
        yield leaf_place(place, (*above, part.slot))
        yield from places_of(part, place, (*above, part.slot))
    if field.child is not None:
        yield from places_of(field.child, place, above) if above else islice(places_of(field.child, place), 1, None)


def _of_first(entry: Entry) -> Stamp:
    """The stamp of an entry for a text or list, which know one author of a part: the first who wrote it."""
    return entry.stamps[0]._replace(replica=entry.stamp.replica, n=entry.stamp.n)


def _unseparated(field: Field) -> Field:
    """The field with texts that begin without a separator, so that the options of a model do not matter."""
    if field.kind.separator:
        return replace(field, kind=replace(field.kind, separator=""))  # type: ignore[type-var]
    fields = {name: _unseparated(part) for name, part in field.fields.items()}
    return replace(field, fields=fields, child=field.child and _unseparated(field.child))


def _run(place: int, content: bytes) -> int:
    """The number before that of a converted run: in the order of places, and another for another content."""
    return place * PLACES + int.from_bytes(hashlib.sha256(content).digest()[:4])


# -- from many --------------------------------------------------------------------------------------------------------


def _list_of_set(new: Field, cell: Any, wanted: Any, place: str, _: tuple[str, ...]) -> Any:
    oldest = {
        key: min(register, key=lambda e: (order_of(e.stamps[0]), e.place))
        for key, register in cell.items()
        if key is not None
    }
    ordered = sorted(oldest.items(), key=lambda pair: (order_of(pair[1].stamps[0]), pair[1].place, pair[0]))
    made: Tree = {None: _images(cell[None], place)} if None in cell else {}
    for (_key, entry), item in zip(ordered, wanted, strict=True):
        _append(made, new, image_of(_of_first(entry), place), entry.place, (encode(item),))
    return made


def _set_of_list(new: Field, cell: Any, wanted: Any, place: str, _: tuple[str, ...]) -> Any:
    made = _marked(cell, place)
    forms = iter(wanted)
    for piece, items in _spans(cell.get("")):
        for offset in range(len(items)):
            text = encode(next(forms))
            entry = Entry(image_of(piece.stamp, place), text, place=piece.k * PLACES + piece.offset + offset)
            _add(made, new.canon(text).decode(), entry)
    return made


def _keyed_of_list(new: Field, cell: Any, wanted: Any, place: str, above: tuple[str, ...]) -> Any:
    kind = new.kind
    assert isinstance(kind, KeyedSet)
    made = _marked(cell, place)
    forms = iter(wanted)
    for piece, items in _spans(cell.get("")):
        for offset in range(len(items)):
            change = Change({}, image_of(piece.stamp, place), lambda _: False, covering=False, adding=True)
            at = piece.k * PLACES + piece.offset + offset
            kind.contribute_records(change, new, (), [next(forms)], kind.by, at=at)
            for path, leaf in change.after.items():
                place_leaf(made, path, _told_apart(new, path, leaf, place, above))
    return made


# -- to and from a tree -----------------------------------------------------------------------------------------------


def nodes_of(old: Field, cell: Any, place: str) -> Tree | None:
    """Tells what a tree stores at a key for what another kind has stored; ``None`` if something would be lost by
    that."""
    sort, name = _sort(old), old.name
    if sort == "scalar":
        return _node_of_scalar(name, cell, place)
    if sort in ("map", "record", "tree"):
        branch = _moved(cell, place) if sort == "tree" else _tree_of(old, cell, place)
        return None if branch is None else _beside_mark(name, "branch", b"{}", cell, branch, place)
    start = {"list": "items", "set": "elements"}.get(sort)
    return None if start is None else _beside_mark(name, start, b"[]", cell, _moved(cell, place), place)


def _beside_mark(name: str, start: str, mark: JSON, cell: Any, contents: Any, place: str) -> Tree:
    """A node that says what stands beside it, by all who wrote of it."""
    marks = tuple(Entry(image_of(stamp, place), mark) for stamp in supporters_below(cell))
    return {f"scalar:{name}": marks, f"{start}:{name}": contents}


def _node_of_scalar(name: str, register: Register, place: str) -> Tree | None:
    values = {entry.value for entry in register}
    if not any(value is not None and value[:1] in (b"{", b"[") for value in values):
        return {f"scalar:{name}": _images(register, place)}
    if len(values) > 1:
        return None
    entries = sorted(register, key=lambda entry: order_of(entry.stamps[0]))
    field = node_field(name, "list", False)
    change = Change({}, image_of(_of_first(entries[0]), place), lambda _: False, covering=False, adding=True)
    field.kind.contribute(change, field, (field.slot,), decode(entries[0].value or b"null"))
    stamps = [stamp for entry in entries for stamp in entry.stamps]
    confirms = oldest_of_each_agent([stamp for stamp in stamps if stamp.agent != entries[0].stamps[0].agent])
    made: Tree = {}
    for path, leaf in change.after.items():
        place_leaf(made, path, _confirmed_by(leaf, confirms))
    return made


def _tree_of(old: Field, cell: Any, place: str) -> Tree | None:
    """A map or the fields of a record as a tree."""
    made = _own_images(cell, place)
    if made is None:
        return None
    for key, part in cell.items():
        if key is None:
            continue
        below = old.kind.below(old, key)
        node = nodes_of(replace(below[1], name=below[0]), part, place) if below is not None else None
        if node is None:
            return None
        made |= node
    return made or None


def _of_tree(
    new: Field, cell: Any, public: tuple[str, ...], place: str, fit: Fit, above: tuple[str, ...]
) -> Tree | None:
    """A tree as a map or the fields of a record."""
    made = _own_images(cell, place)
    if made is None:
        return None
    for slot, part in cell.items():
        if slot is None or slot.startswith(CONTENTS) or all(entry.value is None for entry in part):
            continue
        name = slot.partition(":")[2]
        found, target = standing(cell, name), new.fields.get(name, new.child)
        if found is None or target is None:
            return None
        inner = above if new.child is not None else (*above, target.slot)
        node = converted(found[0], target, found[1], (*public, name), place, fit, inner)
        if node is None:
            return None
        made[target.slot if new.child is None else name] = node
    return made or None


def _marked(cell: Any, place: str) -> Tree:
    """What tells that a list was there, though nothing of it may be left: its mark, and who removed parts of it."""
    body = cell.get("")
    strikes = body.strikes.values() if body is not None else ()
    marks = (*_images(cell.get(None, ()), place), *(Entry(image_of(one.stamp, place), PRESENT) for one in strikes))
    known = {entry.stamp[1:3]: entry for entry in marks}
    return {None: tuple(sorted(known.values(), key=lambda entry: order_of(entry.stamp)))} if known else {}


def _append(made: Tree, field: Field, stamp: Stamp, number: int, items: tuple[JSON, ...]) -> None:
    change = Change(made, stamp, lambda _: False, covering=False, adding=True, runs=_run(number, b"\0".join(items)))
    field.kind.contribute(change, field, (), [decode(item) for item in items])
    for path, leaf in change.after.items():
        place_leaf(made, path, leaf)


def _add(made: Tree, key: str, entry: Entry) -> None:
    made[key] = tuple(sorted((*made.get(key, ()), entry), key=lambda e: order_of(e.stamp)))


def _spans(sequence: Sequence | None) -> Iterator[tuple[Piece, tuple[JSON, ...]]]:
    if sequence is None:
        return
    visible = layout(sequence, sequence.analysed(ITEM_RULES, analyse), "", ITEM_RULES.unit)
    yield from zip(visible.pieces, visible.contents, strict=True)


_MAKERS: dict[tuple[str, str], Callable[[Field, Any, Any, str, tuple[str, ...]], Any]] = {
    ("set", "list"): _list_of_set,
    ("list", "set"): _set_of_list,
    ("list", "keyed"): _keyed_of_list,
}


def _keeps(field: Field, value: Any, wanted: Any, got: Any) -> bool:
    """Whether what a converted cell shows has all that was stored."""
    if got is ABSENT:
        return False
    if wanted is None or got is None:  # of a record that there may be none of
        return wanted is got
    if isinstance(value, (list, dict)) and len(value) != len(got):
        return False
    if field.kind.holds == "fields":
        return all(name in got and _keeps(field.fields[name], item, item, got[name]) for name, item in wanted.items())
    if field.child is not None and isinstance(got, dict):
        child = field.child
        return all(key in got and _keeps(child, item, item, got[key]) for key, item in wanted.items())
    return field.kind.alike(field, got, wanted)
