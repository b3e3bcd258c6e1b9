"""``Tree``: free JSON. Dicts merge key by key at any depth, lists by item, all else as a ``Scalar``.

What stands at a key is told by one register, its *node*: a JSON value, or a mark that a dict or a list stands there.
What is in the dict or list is stored beside the node and merges by itself. Whoever changes something in it also writes
the mark of each node above, so a change within a dict is concurrent with a deletion of the dict, or with a scalar in
its place, as two values of one register are. What a node no longer shows stays beside it: it is what a concurrent
change was a change of, and begins anew when a writer who has seen it puts a dict there again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal

from concordant.errors import MisshapenError
from concordant.merge.causality import Agreed, Register, Stamp, order_of
from concordant.merge.kinds.base import Contest, Declaration, Field, Holds, Kind, Look
from concordant.merge.kinds.containers import read_parts
from concordant.merge.kinds.list import List
from concordant.merge.kinds.nodes import node_value
from concordant.merge.kinds.registry import register
from concordant.merge.kinds.scalar import AS_STORED, Says, Scalar
from concordant.merge.kinds.set import Set
from concordant.merge.kinds.shape import check_node
from concordant.merge.kinds.weighing import Group, Option, Weighed
from concordant.merge.registers import Change, Path, are_different, as_seen
from concordant.merge.sequence.edit import decide
from concordant.merge.sequence.layout import layout
from concordant.merge.sequence.overlap import Overlap, Rules, analyse
from concordant.merge.sequence.pieces import Piece, Sequence
from concordant.values import ABSENT, JSON, alike, canonical, decode, encode

__all__ = [
    "CONTENTS", "NODE", "Node", "OpenTree", "Tree", "credited", "has_contents", "is_inside", "is_literal", "node_field",
    "note_contents", "part_field", "standing", "with_contents",
]  # fmt: skip

DICT: JSON = b"{}"
LIST: JSON = b"[]"

NODE = "scalar:"
CONTENTS = ("branch:", "items:", "elements:")
"""What begins the keys at which a dict, a list and a set are stored, beside their node."""

MOST_BRANCHES = 32
"""How many levels merge by themselves; what is below them is one value."""


@register
@dataclass(frozen=True, slots=True)
class Tree(Kind):
    """A dict of any JSON: dicts in it merge key by key at every depth, lists as ``lists`` says, any other value is a
    ``Scalar``. A question is asked about the one place that two writers changed differently; a dict against a list or
    another value is a question of reason ``type``.

    Args:
        lists: how a list in it merges: ``"list"``, item by item, as a ``List``; ``"set"``, as a ``Set`` of equal items;
            ``"scalar"``, as one value.

    >>> from typing import Annotated, Any
    >>> from pydantic import create_model
    >>> from concordant import Tree, Workspace
    >>> Page = create_model("Page", body=(Annotated[dict[str, Any], Tree()], {}))
    >>> ws = Workspace(schemas={("pages",): Page})
    >>> ada, bob = ws.agent("ada"), ws.agent("bob")
    >>> _ = ada.write(("pages",), "home", {"body": {"theme": {"font": "serif"}}})
    >>> _ = bob.write(("pages",), "home", {"body": {"theme": {"size": 12}}})
    >>> ws.get(("pages",), "home").value
    {'body': {'theme': {'font': 'serif', 'size': 12}}}
    """

    lists: Literal["list", "set", "scalar"] = "list"

    name: ClassVar[str] = "tree"
    holds: ClassVar[Holds] = "paths"
    natural: ClassVar[type[Any] | None] = dict
    merges_default: ClassVar[bool] = True
    shaped: ClassVar[tuple[str, ...]] = ("lists",)
    is_free: ClassVar[bool] = True
    is_open: ClassVar[bool] = False

    def declared(self, at: Declaration) -> Field | None:
        if self.lists not in ("list", "set", "scalar"):
            at.refuse(f"unknown lists={self.lists!r}", 'Use "list", "set" or "scalar"')
        types = at.key_and_value()
        if types is None or types[0] is not str:
            at.misfit(f"Tree() takes dict[str, ...] of free JSON; what fits: {at.hint()}")
            return None
        if any(map(at.is_state_model, at.members(at.annotation))):
            mend = "Use Map(), whose values merge field by field as their model declares"
            at.refuse(f"Tree() on {at.type_name(at.annotation)}, whose kinds would say nothing", mend)
            return None
        return Field(at.name, self, self.tag(), checked=at.checked)

    def contribute(self, change: Change, field: Field, path: Path, value: Any) -> None:
        for name, item in value.items():
            part = self.part(name)
            part.kind.contribute(change, part, (*path, part.slot), item)
        if not value:
            change.touch(path)

    def edit(self, change: Change, field: Field, path: Path, base: Any, value: Any) -> None:
        self.edit_nodes(change, path, base, value)
        if any(name not in value for name in base):
            change.touch(path)

    def edit_nodes(self, change: Change, path: Path, base: dict[str, Any], value: dict[str, Any]) -> None:
        """Carries the difference of two dicts over, key by key."""
        for name, item in value.items():
            part = self.part(name)
            if name in base:
                part.kind.edit(change, part, (*path, part.slot), base[name], item)
            else:
                part.kind.contribute(change, part, (*path, part.slot), item)
        for name in base:
            if name not in value:
                part = self.part(name)
                change.replace((*path, part.slot), None)

    def beyond(self, field: Field, base: Any, value: Any) -> Any:
        return _beyond(base, value)

    def settled(self, field: Field) -> Callable[[Any], Any] | None:
        return _distinct if self.lists == "set" else None

    def below(self, field: Field, part: str) -> tuple[str, Field] | None:
        return part_field(part, self)

    def check(self, field: Field, cell: Any) -> None:
        def parts(cell: Any) -> None:
            for slot, node in cell.items():
                found = part_field(slot, self)
                if found is None:
                    raise MisshapenError(f"a tree has no part {slot!r}")
                found[1].kind.check(found[1], node)

        check_node(cell, parts)

    def read(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        def shown(look: Look, cell: Any) -> Any:
            result = read_nodes(look, path, public, cell, self.part)
            had_keys = look.included is None and any(slot is not None for slot in cell)
            return result if result or had_keys or look.entries(cell.get(None, ())) else ABSENT

        return node_value(look, field, path, public, cell, shown)

    def part(self, name: str) -> Field:
        """Returns the node at a key."""
        return node_field(name, self.lists, self.is_open)


@dataclass(frozen=True, slots=True)
class OpenTree(Tree):
    """The same where no model is declared: of contenders that agreed on nothing before, the first is shown."""

    is_open: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Node(Scalar):
    """What stands at a key of a ``Tree``: a value, a dict or a list."""

    lists: Literal["list", "set", "scalar"] = "list"
    is_open: bool = False

    asks_type: ClassVar[bool] = True

    def contribute(self, change: Change, field: Field, path: Path, value: Any) -> None:
        self._put(change, field, path, value, anew=change.replacing)

    def edit(self, change: Change, field: Field, path: Path, base: Any, value: Any) -> None:
        if alike(base, value):
            return
        kinds = (_mark_of(base), _mark_of(value))
        known = kinds[0] == kinds[1] and not self._holds(change, path, lambda text: is_literal(text, kinds[0]))
        if known and kinds == (DICT, DICT) and len(path) < MOST_BRANCHES:
            self._tree().edit_nodes(change, _beside(path, "branch:"), base, value)
            _mark(change, path, DICT)
        elif known and kinds == (LIST, LIST) and self._is_by_item(change, path):
            part, place = self._listing(change, path)
            part.kind.edit(change, part, place, base, value)
            _mark(change, path, LIST)
        else:
            self._put(change, field, path, value, anew=True)

    def decide(self, change: Change, contest: Contest, value: Any) -> None:
        assert contest.field is not None
        if value is ABSENT:
            change.replace(contest.place, None)
        else:
            self._put(change, contest.field, contest.place, value, anew=True)
        _mark_above(change, contest.place)

    def read_several(
        self, look: Look, field: Field, path: Path, public: tuple[str, ...], register: Register, says: Says
    ) -> Any:
        shown = Scalar.read_several(self, look, field, path, public, register, _EMPTY if says is AS_STORED else says)
        if shown is not ABSENT or not self.is_open or not look.contests or look.contests[-1].place != path:
            return shown
        return next(decode(option.value) for option in look.contests[-1].options if option.value is not None)

    def _put(self, change: Change, field: Field, path: Path, value: Any, *, anew: bool) -> None:
        """Contributes a value.

        Args:
            anew: whether what the writer has seen there and the value leaves out goes away.
        """
        mark = _mark_of(value)
        if mark == DICT and len(path) < MOST_BRANCHES:
            branch = _beside(path, "branch:")
            anew = anew or not self._holds(change, path, DICT.__eq__)
            if anew:
                _remove_seen(change, branch, value)
            for name, item in value.items():
                part = node_field(name, self.lists, self.is_open)
                part.kind._put(change, part, (*branch, part.slot), item, anew=anew)  # type: ignore[attr-defined]
            _mark(change, path, DICT)
        elif mark == LIST and self._is_by_item(change, path):
            part, place = self._listing(change, path)
            if anew or not self._holds(change, path, LIST.__eq__):
                part.kind.edit(change, part, place, _seen_items(change, part, place), value)
            else:
                part.kind.contribute(change, part, place, value)
            _mark(change, path, LIST)
        else:
            Scalar.contribute(self, change, field, path, value)

    def _holds(self, change: Change, path: Path, wanted: Callable[[JSON], bool]) -> bool:
        """Whether such a value stands there in the eyes of the writer."""
        return any(e.value is not None and wanted(e.value) and change.seen(e.stamp) for e in change.register(path))

    def _tree(self) -> Tree:
        return _tree(self.lists, self.is_open)

    def _is_by_item(self, change: Change, path: Path) -> bool:
        """Whether a list merges by its items there: as is declared, or as it is stored."""
        return self.lists != "scalar" or any(change.keys(_beside(path, start)) for start in CONTENTS[1:])

    def _listing(self, change: Change, path: Path) -> tuple[Field, Path]:
        """How a list there merges, and where it is stored: as it is, or else as is declared."""
        declared = "elements:" if self.lists == "set" else "items:"
        stored = [start for start in CONTENTS[1:] if change.keys(_beside(path, start))]
        place = _beside(path, declared if declared in stored or not stored else stored[0])
        found = part_field(place[-1] or "", self._tree())
        assert found is not None
        return found[1], place


class _Contents(Says):
    """What a node says that has something stored beside it: marks stand for the dict and the list there.

    Attributes:
        branch, items: what the dict and the list show; ``ABSENT`` where none is stored.
    """

    __slots__ = ("branch", "cells", "items", "tree")

    def __init__(self, tree: Tree, cells: dict[str, Any], branch: Any, items: Any) -> None:
        self.tree = tree
        self.cells = cells
        self.branch = branch
        self.items = items

    def value(self, text: JSON | None) -> Any:
        if text == DICT and self.branch is not ABSENT:
            return self.branch
        if text == LIST and self.items is not ABSENT:
            return self.items
        return ABSENT if text is None else decode(text)

    def agreed(self, base: Agreed | None, register: Register) -> JSON | object:
        if base is None or base.value not in (DICT, LIST):
            return Says.agreed(self, base, register)
        # What was decided counts as agreed, with what the decision put there.
        decided = [e.stamp for e in register if e.base == base and e.value == base.value and e.stamp.act in _DECISIONS]
        upto = max([base[:3], *map(order_of, decided)])
        cells = {slot: as_seen(cell, lambda stamp: order_of(stamp) <= upto) for slot, cell in self.cells.items()}
        past = _Contents(
            self.tree, cells, *_read_contents(Look("update", sort_keys=True), (), (), cells, self.tree, (base.value,))
        )
        return encode(past.value(base.value))

    def options(self, weighed: Weighed) -> tuple[Option, ...]:
        return tuple([self._option(group) for group in weighed.groups.values()])

    def reason(self, values: Any) -> str:
        return _reason(values)

    def is_told(self, values: Any) -> bool:
        return False

    def _option(self, group: Group) -> Option:
        if group[0].value not in (DICT, LIST):
            return group.as_option()
        stamps = tuple(sorted([entry.stamp for entry in group], key=order_of))  # who changed something in it
        return Option(encode(self.value(group[0].value)), stamps)


_DECISIONS = ("resolve", "dismiss")


class _Empty(Says):
    """What a node says that has nothing stored beside it."""

    __slots__ = ()

    def reason(self, values: Any) -> str:
        return _reason(values)


_EMPTY = _Empty()


def _reason(values: Any) -> str:
    return "type" if any(group[0].value in (DICT, LIST) for group in values) else "scalar"


class _Beside(Kind):
    """A node as it is read, with what is stored beside it."""

    __slots__ = ("field", "says")

    name: ClassVar[str] = "scalar"

    def __init__(self, field: Field, says: _Contents) -> None:
        self.field = field
        self.says = says

    def read(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        register: Register = look.entries(cell)
        if len(register) < 2:
            return self.says.value(register[0].value) if register else ABSENT
        node = self.field.kind
        assert isinstance(node, Node)
        return node.read_several(look, self.field, path, public, register, self.says)


def read_nodes(
    look: Look, path: Path, public: tuple[str, ...], cell: Any, node_at: Callable[[str], Field]
) -> dict[str, Any]:
    """Returns the values of nodes by key."""
    note_contents(look, path, cell)

    def keys() -> list[str]:
        return [slot for slot in look.keys(path, cell) if slot.startswith(NODE)]

    def part_of(slot: str) -> tuple[str, Field] | None:
        if not slot.startswith(NODE):
            return None
        name = slot[len(NODE) :]
        return name, with_contents(look, path, public, cell, node_at(name))

    return read_parts(look, path, public, cell, keys, part_of)


def with_contents(look: Look, path: Path, public: tuple[str, ...], cell: Any, field: Field) -> Field:
    """Returns the field of a node, such that reading it shows what is stored beside it."""
    if not has_contents(cell, field.name):
        return field
    stored = [slot for slot in [f"{start}{field.name}" for start in CONTENTS] if slot in cell]
    node = field if isinstance(field.kind, Node) else node_field(field.name, "list", True)
    tree = node.kind._tree()  # type: ignore[attr-defined]
    marks = {entry.value for entry in look.entries(cell.get(field.slot, ()))}
    cells = {slot: cell[slot] for slot in stored}
    shown = _read_contents(look, path, (*public, field.name), cells, tree, marks)
    return Field(field.name, _Beside(node, _Contents(tree, cells, *shown)), "scalar")


def _read_contents(
    look: Look, path: Path, public: tuple[str, ...], cells: dict[str, Any], tree: Any, marks: Container[JSON | None]
) -> tuple[Any, Any]:
    """What the dict and the list beside a node show, as far as the node says that they stand there."""
    found: dict[str, Any] = {}
    for slot, cell in cells.items():
        part = part_field(slot, tree)
        assert part is not None
        if _mark_beside(slot) in marks:
            found[slot.partition(":")[0]] = look.part(part[1], (*path, slot), public, cell)
        else:
            look.forget((*path, slot))
    items, elements = found.get("items", ABSENT), found.get("elements", ABSENT)
    if items is ABSENT or elements is ABSENT:
        items = elements if items is ABSENT else items
    else:  # written under models that differ
        known = [canonical(encode(item)) for item in items]
        items = [*items, *(item for item in elements if canonical(encode(item)) not in known)]
    return found.get("branch", ABSENT), items


def has_contents(cell: Any, name: str) -> bool:
    """Tells whether a dict or list is stored beside the node at a key."""
    return f"branch:{name}" in cell or f"items:{name}" in cell or f"elements:{name}" in cell


def note_contents(look: Look, path: Path, cell: Any) -> None:
    """Notes that a node is to be read again, since something beside it has changed; where all of the container is read
    anew, of which each node may still be known, that any may have."""
    here = look.here
    if here is None:
        return
    slots = here.changed if here.changed is not None else {*cell, *here.below}
    for slot in [slot for slot in slots if slot is not None and slot.startswith(CONTENTS)]:
        node = f"{NODE}{slot.partition(':')[2]}"
        if here.changed is not None:
            here.changed.add(node)
        if slot not in cell:
            look.forget((*path, slot))
        if node in here.below:
            here.below[node].changed = None


_CONTENDING = Rules("item", escalate=True)


@dataclass(frozen=True, slots=True)
class _Items(List):
    """A list in a tree: where two writers changed one item differently, it is contested as a whole, with each writer's
    change made in it."""

    @property
    def rules(self) -> Rules:
        return _CONTENDING

    def shown(self, look: Look, field: Field, path: Path, public: tuple[str, ...], sequence: Sequence) -> list[Any]:
        items = self.items(sequence)
        for overlap in sequence.analysed(self.rules, analyse).overlaps:
            start, end = self._range(sequence, overlap)
            options: dict[JSON, list[Stamp]] = {}
            for side in overlap.sides:
                made = [*items[:start], *_items_of(side.shown), *items[end:]]
                options.setdefault(_list(made), []).extend(side.stamps)
            anchor = ".".join(str(part) for part in overlap.anchor)
            found = tuple([Option(text, tuple(sorted(set(stamps), key=order_of))) for text, stamps in options.items()])
            look.contests.append(Contest(public, path, "scalar", anchor, _list(items), found, field))
        return [decode(item) for item in items]

    def decide(self, change: Change, contest: Contest, value: Any) -> None:
        assert contest.field is not None
        place = (*contest.place, "")
        sequence = change.sequence(place)
        items = self.items(sequence)
        for overlap in sequence.analysed(self.rules, analyse).overlaps:
            if ".".join(str(part) for part in overlap.anchor) != contest.anchor:
                continue
            start, end = self._range(sequence, overlap)
            wanted = items if value is ABSENT else tuple([encode(item) for item in value])
            past = len(wanted) - (len(items) - end)
            if past >= start and wanted[:start] == items[:start] and wanted[past:] == items[end:]:
                wanted = wanted[start:past]
            else:  # all of the list is put anew
                visible = layout(sequence, sequence.analysed(self.rules, analyse), "", self.rules.unit)
                overlap = overlap._replace(struck=tuple(sorted({*overlap.struck, *visible.numbers})))
            change.set(place, decide(sequence, change.stamp, overlap, wanted))
        _mark_above(change, contest.place)

    def _range(self, sequence: Sequence, overlap: Overlap) -> tuple[int, int]:
        """From where to where a contested range reaches in the list that is shown."""
        visible = layout(sequence, sequence.analysed(self.rules, analyse), "", self.rules.unit)
        at = bisect_left(visible.numbers, overlap.struck[0])
        return visible.starts[at], visible.starts[at + len(overlap.base)]


def _items_of(pieces: Iterable[Piece]) -> list[JSON]:
    return [item for piece in pieces for item in piece.content]  # type: ignore[misc]


def _list(items: Iterable[JSON]) -> JSON:
    return b"[" + b",".join(items) + b"]"


@lru_cache(maxsize=4096)
def node_field(name: str, lists: Literal["list", "set", "scalar"], is_open: bool) -> Field:
    """Returns the field of a node."""
    return Field(name, Node(lists=lists, is_open=is_open), "scalar")


def part_field(slot: str, tree: Tree) -> tuple[str, Field] | None:
    """Returns the name and field of what is stored at a key of a tree; ``None`` if that is no part of one."""
    tag, _, name = slot.partition(":")
    if tag == "scalar":
        return name, tree.part(name)
    kinds: dict[str, Kind] = {"branch": tree, "items": _ITEMS, "elements": _ELEMENTS}
    return (name, Field(name, kinds[tag], tag)) if tag in kinds else None


def is_inside(place: Path) -> bool:
    """Tells whether a place is inside a tree that a model declares."""
    return any((slot or "").startswith(("tree:", "branch:", "map[tree]:")) for slot in place[:-1])


def credited(tree: Any) -> Any:
    """Returns a tree as far as somebody is to be credited with what it holds: without what a node does not show, and
    without the mark of a dict or list that holds something."""
    if not isinstance(tree, dict):
        return tree
    found: dict[Any, Any] = {}
    for slot, cell in tree.items():
        if slot is not None and slot.startswith(CONTENTS):
            node = tree.get(f"{NODE}{slot.partition(':')[2]}", ())
            if any(entry.value == _mark_beside(slot) for entry in node):
                found[slot] = credited(cell)
        elif slot is not None and slot.startswith(NODE) and has_contents(tree, slot[len(NODE) :]):
            filled = {_mark_beside(start) for start in CONTENTS if tree.get(f"{start}{slot[len(NODE) :]}")}
            found[slot] = tuple(entry for entry in cell if entry.value not in filled)
        else:
            found[slot] = credited(cell)
    return found


def _mark_beside(slot: str) -> JSON:
    return DICT if slot.startswith("branch:") else LIST


def standing(cell: Any, name: str) -> tuple[Field, Any] | None:
    """Returns what stands at a key, if that is certain: the field by which it merges, and its cell."""
    register: Register = cell.get(f"{NODE}{name}", ())
    if not register or any(entry.value != register[0].value for entry in register):
        return None
    tags = {DICT: (("branch", "tree"),), LIST: (("items", "list"), ("elements", "set"))}
    for tag, sort in tags.get(register[0].value or b"", ()):
        if f"{tag}:{name}" in cell:
            kind: Kind = {"tree": _tree("list", False), "list": List(), "set": Set()}[sort]
            return Field(name, kind, sort), cell[f"{tag}:{name}"]
    return node_field(name, "list", False), register


@lru_cache(maxsize=8)
def _tree(lists: Literal["list", "set", "scalar"], is_open: bool) -> Tree:
    return OpenTree(lists) if is_open else Tree(lists)


_ITEMS = _Items()
_ELEMENTS = Set()


def _mark_of(value: Any) -> JSON | None:
    return DICT if isinstance(value, dict) else LIST if isinstance(value, list) else None


def is_literal(text: JSON, mark: JSON | None = None) -> bool:
    """Tells whether a node holds a dict or list (or that of the two which a mark stands for) as one value, as it was
    written under another model."""
    starts = (b"{", b"[") if mark is None else (mark[:1],)
    return text[:1] in starts and text not in (DICT, LIST)


def _beside(path: Path, start: str) -> Path:
    slot = path[-1]
    assert slot is not None
    return (*path[:-1], f"{start}{slot[len(NODE) :]}")


def _mark(change: Change, path: Path, mark: JSON) -> None:
    """Says that a dict or list stands at a node, unless this write has said so."""
    entries = change.register(path)
    if not any(entry.stamp == change.stamp and entry.value == mark for entry in entries):
        change.replace(path, mark)


def _mark_above(change: Change, place: Path) -> None:
    """Says of a decision at a place that the dicts and the list around it stand there, unless that is contested."""
    for depth, slot in enumerate(place):
        if slot is not None and slot.startswith(CONTENTS):
            node = (*place[:depth], f"{NODE}{slot.partition(':')[2]}")
            if not are_different(change.register(node)):
                _mark(change, node, _mark_beside(slot))


def _remove_seen(change: Change, branch: Path, kept: Container[str]) -> None:
    """Takes away what the writer has seen in a dict, but for some keys."""
    for slot in change.keys(branch):
        seen = (entry for entry in change.register((*branch, slot)) if change.seen(entry.stamp))
        if slot.startswith(NODE) and slot[len(NODE) :] not in kept and any(entry.value is not None for entry in seen):
            change.replace((*branch, slot), None)


def _seen_items(change: Change, part: Field, place: Path) -> list[Any]:
    """What the writer has seen of a list, whether it is shown or not."""
    found: Any = {}
    for name in change.keys(place):
        leaf = change.get((*place, name))
        if leaf:
            found[name] = leaf
    value = part.kind.read(Look("update"), part, (), (), as_seen(found, change.seen))
    return [] if value is ABSENT else value


def _beyond(base: Any, value: Any) -> Any:
    """What a value says beyond another; ``ABSENT`` if nothing."""
    if isinstance(base, dict) and isinstance(value, dict):
        news = {name: _beyond(base[name], item) if name in base else item for name, item in value.items()}
        return {name: item for name, item in news.items() if item is not ABSENT} or ABSENT
    return ABSENT if alike(base, value) else value


def _distinct(value: Any) -> Any:
    """A value with each list in its dicts as a set has it."""
    if isinstance(value, dict):
        return {name: _distinct(item) for name, item in value.items()}
    if isinstance(value, list):
        found: dict[bytes, Any] = {}
        for item in value:
            found.setdefault(canonical(encode(item)), item)
        return [*found.values()]
    return value
