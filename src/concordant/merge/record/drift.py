"""Records that were written under another model: what converts is converted, all else is asked about.

Nothing here changes a record. ``adapted`` gives the tree as it would be had it been written under the present model, as
far as nothing is lost by that; a read looks at that tree, and the first write stores it. What does not convert stays
where it is, and ``fitted`` makes an open question of it, so that what is shown fits the model whatever is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from concordant.merge.causality import Entry, Stamp, VersionVector, images_known, order_of, place_name
from concordant.merge.kinds import Contest, Field, Look, Option
from concordant.merge.kinds.conversion import Fit, converted, nodes_of, places_of, refitted
from concordant.merge.kinds.keyed import key_of
from concordant.merge.kinds.nested import OpenRecord, split_slot, stored_field
from concordant.merge.kinds.tree import CONTENTS, NODE, has_contents, is_literal, standing, with_contents
from concordant.merge.registers import PARKED, Path, Tree, leaves, place_leaf
from concordant.merge.registers.leaf import as_register, covers
from concordant.merge.registers.tree import gathered, supporters_below
from concordant.values import ABSENT, decode, encode

__all__ = ["Adapted", "Fit", "adapted", "adapted_standing", "fitted", "former_names"]


class Adapted(NamedTuple):
    """A tree as the present model would have made it, and what moved for that: (place before, place after)."""

    tree: Tree
    moves: tuple[tuple[str, str], ...]

    def known(self, vector: VersionVector) -> VersionVector:
        """Returns the images that are known to a record with this version vector, once its tree is this one."""
        found: VersionVector = {}
        for before, after in self.moves:
            found |= images_known(vector | found, before, after)
        return found


def adapted(tree: Tree, root: Field, fit: Fit) -> Adapted:
    """Returns the tree with all in it converted that converts without loss."""
    moves: list[tuple[str, str]] = []
    return Adapted(_adapted(tree, root, (), (), fit, moves), tuple(moves))


def adapted_standing(tree: Tree, root: Field, fit: Fit) -> Adapted:
    """Does as ``adapted`` for a tree that holds what deletions keep beside what is live: they keep also what was made
    of it."""
    found = adapted(tree, root, fit)
    marks = [(path, leaf) for path, leaf in leaves(found.tree) if path[-1] is None and covers(leaf)]
    if not (found.moves and marks):
        return found
    made: Tree = {}
    for path, leaf in leaves(found.tree):
        place_leaf(made, path, leaf)
    for path, leaf in marks:
        place_leaf(made, path, tuple(_with_images(entry, path[:-1], root, fit) for entry in as_register(leaf)))
    return found._replace(tree=made)


def _with_images(entry: Entry, holder: Path, root: Field, fit: Fit) -> Entry:
    """A deletion that keeps also what was made of what it keeps."""
    kept: Tree = {}
    for below, leaf in entry.covered:
        place_leaf(kept, (*holder, *below), leaf)  # type: ignore[arg-type]
    images = ((path[len(holder) :], leaf) for path, leaf in leaves(_adapted(kept, root, (), (), fit, [])))
    return entry._replace(covered=gathered((*entry.covered, *images)))


def former_names(root: Field) -> frozenset[str]:
    """Returns names at the top under which fields of the model may be stored as well."""
    return frozenset(name for part in root.fields.values() for name in part.former)


def _adapted(cell: Any, field: Field, path: Path, public: tuple[str, ...], fit: Fit, moves: list[Any]) -> Any:
    if isinstance(field.kind, OpenRecord):
        return _nodes_adapted(cell, path, moves) if field.kind.deep else cell
    if not isinstance(cell, dict):
        return cell
    if field.kind.holds == "fields":
        return _fields_adapted(cell, field, path, public, fit, moves)
    child = field.child
    if child is None or not _is_deep(child):
        return cell
    parts = {
        key: node if key is None else _adapted(node, child, (*path, key), (*public, key), fit, moves)
        for key, node in cell.items()
    }
    return parts if any(parts[key] is not node for key, node in cell.items()) else cell


def _nodes_adapted(cell: Tree, path: Path, moves: list[Any]) -> Tree:
    """What no model describes, with dicts and lists as a ``Tree`` stores them."""
    result = cell
    for slot, part in cell.items():
        if slot is None or slot == PARKED or slot.startswith(CONTENTS):
            continue
        tag, name = split_slot(slot)
        others = [other for other in cell if other and other != slot and split_slot(other)[1] == name]
        if others or (tag == "scalar" and not _holds_container(part)):
            continue
        place = place_name((*path, f"{NODE}{name}"))
        nodes = nodes_of(stored_field(name, tag), part, place)
        if nodes is not None:
            moves.append((place_name((*path, slot)), place))
            result = {**{other: inner for other, inner in result.items() if other != slot}, **nodes}
    return result


def _holds_container(register: Any) -> bool:
    return any(entry.value is not None and is_literal(entry.value) for entry in register)


def _fields_adapted(cell: Tree, field: Field, path: Path, public: tuple[str, ...], fit: Fit, moves: list[Any]) -> Tree:
    strangers = _strangers(cell, field)
    result = cell
    for part in field.fields.values():
        before = result.get(part.slot)
        node, origin = _part(result, part, strangers.get(part.name, {}), path, public, fit)
        if origin is not None:
            before_it = place_name((*path, origin))
            moves += [(before_it, place) for place in places_of(part, place_name((*path, part.slot)))]
        if node is not None:
            node = _adapted(node, part, (*path, part.slot), (*public, part.name), fit, moves)
        if node is not before:
            gone = {origin, *(f"{start}{split_slot(origin)[1]}" for start in CONTENTS)} if origin else ()
            result = {slot: inner for slot, inner in result.items() if slot not in gone}
            result[part.slot] = node
    return result


def _part(
    cell: Tree, part: Field, strangers: Strangers, path: Path, public: tuple[str, ...], fit: Fit
) -> tuple[Any, str | None]:
    """The cell of a field, and the slot that it was converted from, if it was."""
    here = (*public, part.name)
    place = place_name((*path, part.slot))
    own = cell.get(part.slot)
    if own is None:
        if len(strangers) == 1:
            ((slot, (old, stored)),) = strangers.items()
            node = converted(old, part, stored, here, place, fit)
            if node is not None:
                return node, slot
        return None, None
    node = refitted(part, own, here, place, fit)
    return (own, None) if node is None else (node, part.slot)


Strangers: TypeAlias = Mapping[str, tuple[Field, Any]]
"""What stands under another kind or name than the model's, by slot: the field it was written as, and its cell."""


def _strangers(cell: Tree, field: Field) -> dict[str, Strangers]:
    """By field: what stands in a record under another kind or name than the model's."""
    homes = {name: part for part in field.fields.values() for name in (part.name, *part.former)}
    found: dict[str, dict[str, tuple[Field, Any]]] = {}
    for slot, node in cell.items():
        if slot is None or slot == PARKED or slot.startswith(CONTENTS):
            continue
        tag, name = split_slot(slot)
        part = homes.get(name)
        if part is not None and (part.slot != slot or has_contents(cell, name)):
            old, stored = stored_field(name, tag), node
            if tag == "scalar" and has_contents(cell, name):
                old, stored = standing(cell, name) or (with_contents(Look(), (), (), cell, old), node)
            if _options(old, stored):
                found.setdefault(part.name, {})[slot] = (old, stored)
    return found  # type: ignore[return-value]


# -- what is shown ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Fitting:
    look: Look
    fit: Fit
    asked: int = 0

    def record(
        self, field: Field, cell: Any, path: Path, public: tuple[str, ...], value: dict[str, Any]
    ) -> dict[str, Any]:
        """The value of a record, without what does not fit."""
        strangers = _strangers(cell, field)
        shown = {}
        for part in field.fields.values():
            slot, here = (*path, part.slot), (*public, part.name)
            own: Any = value.get(part.name, ABSENT)
            if own is not ABSENT:
                own = self.part(part, cell.get(part.slot, {}), slot, here, own)
            others = strangers.get(part.name)
            if others:
                own = self._stranger(part, cell, others, slot, here, own)
            if own is not ABSENT:
                shown[part.name] = own
        return shown

    def part(self, field: Field, cell: Any, path: Path, public: tuple[str, ...], value: Any) -> Any:
        """The value of a field (or of a key of a map) in the present model's form; ``ABSENT`` if it does not fit."""
        if isinstance(cell, dict):
            if field.kind.holds == "fields" and isinstance(value, dict):
                value = self.record(field, cell, path, public, value)
            elif field.child is not None and _is_deep(field.child):
                value = self._parts(field, cell, path, public, value)
        form = self.fit(public, value)
        if form is not ABSENT:
            return form
        rest = self._fitting_part(field, cell, path, public, value)
        form = self.fit(public, rest) if rest is not ABSENT else ABSENT
        told = any(contest.path == public for contest in self.look.contests)  # then a question tells of it already
        if not told and (form is ABSENT or isinstance(value, list)):
            self._ask(field, path, public, form, [Option(encode(value), supporters_below(cell))])
        self.asked += told
        return form

    def _fitting_part(self, field: Field, cell: Any, path: Path, public: tuple[str, ...], value: Any) -> Any:
        """What of a value fits by itself; ``ABSENT`` if it has no parts."""
        if field.child is not None and isinstance(value, dict):
            return self._parts(field, cell, path, public, value)
        if isinstance(value, list) and field.kind.holds in ("elements", "items", "records"):
            return [item for item in value if self.fit(public, [item]) is not ABSENT] or ABSENT
        return value if field.kind.holds == "fields" else ABSENT

    def _parts(self, field: Field, cell: Any, path: Path, public: tuple[str, ...], value: Any) -> Any:
        """The values of a map, or the records of a set of them, each as far as it fits."""
        child = field.child
        assert child is not None
        if isinstance(value, list):
            by = getattr(field.kind, "by", None) or ""
            keys = [key_of(record, by) if isinstance(record, dict) and by in record else "" for record in value]
            return [
                self.record(child, cell[key], (*path, key), (*public, key), record)
                if child.kind.holds == "fields" and key in cell
                else record
                for key, record in zip(keys, value, strict=True)
            ]
        parts = {
            key: self.part(child, cell.get(key, {}), (*path, key), (*public, key), item) for key, item in value.items()
        }
        return {key: item for key, item in parts.items() if item is not ABSENT}

    def _stranger(
        self, field: Field, cell: Tree, others: Strangers, path: Path, public: tuple[str, ...], own: Any
    ) -> Any:
        """Asks about what is stored under another kind or name; it is shown where it fits and nothing else is there."""
        options = [option for old, stored in others.values() for option in _options(old, stored)]
        if own is not ABSENT:
            options.append(Option(encode(own), supporters_below(cell.get(field.slot, {}))))
        elif len(options) == 1 and options[0].value is not None:
            own = self.fit(public, decode(options[0].value))
        self._ask(field, path, public, own, [*_merged(options)])
        return own

    def _ask(self, field: Field, path: Path, public: tuple[str, ...], base: Any, options: list[Option]) -> None:
        """Opens a question, or adds to the one that is open at the path."""
        self.asked += 1
        shown = ABSENT if base is ABSENT else encode(base)
        contests = self.look.contests
        known = next((one for one in contests if one.path == public and one.reason == "schema"), None)
        if known is None:
            contests.append(Contest(public, path, "schema", "", shown, tuple(options), field))
        else:
            contests[contests.index(known)] = known._replace(base=shown, options=_merged([*known.options, *options]))


def _merged(options: list[Option]) -> tuple[Option, ...]:
    """Options in order, those with one value as one."""
    stamps: dict[bytes | None, set[Stamp]] = {}
    for option in options:
        stamps.setdefault(option.value, set()).update(option.stamps)
    merged = [Option(value, tuple(sorted(found, key=order_of))) for value, found in stamps.items()]
    return tuple(sorted(merged, key=lambda option: order_of(option.stamps[0]) if option.stamps else (0.0, "", 0)))


def _options(field: Field, cell: Any) -> list[Option]:
    """What stands in a cell; where that is contested, each whole value that it may be."""
    look = Look()
    value = field.kind.read(look, field, (), (), cell)
    if not look.contests:
        return [] if value is ABSENT else [Option(encode(value), supporters_below(cell))]
    options = []
    for contest in look.contests:
        for option in contest.options:
            whole = option.value
            if contest.path and whole is not None and contest.reason != "text":
                whole = encode(_with(value, contest.path, decode(whole)))
            options.append(Option(whole, option.stamps))
    return options


def _with(value: Any, path: tuple[str, ...], part: Any) -> Any:
    """A value of nested dicts with another part at a path."""
    if not path:
        return part
    holder = value if isinstance(value, dict) else {}
    return {**holder, path[0]: _with(holder.get(path[0], ABSENT), path[1:], part)}


def _is_deep(field: Field) -> bool:
    return field.kind.holds == "fields" or field.child is not None


def fitted(look: Look, root: Field, tree: Tree, value: Any, fit: Fit) -> tuple[Any, bool]:
    """Tells what a record shows of what an adapted tree holds, and whether any of it does not fit; questions about that
    are added to ``look.contests``."""
    if value is ABSENT or isinstance(root.kind, OpenRecord):
        return value, False
    fitting = _Fitting(look, fit)
    shown = fitting.record(root, tree, (), (), value)
    return shown, fitting.asked > 0
