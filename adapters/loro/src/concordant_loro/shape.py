"""How a document's value lies in a Loro document: in root containers only, each named by its kind and path.

Child containers that are made at once in two places hide each other, so there are none. Loro's own values lose what
JSON can say (numbers beyond 64 bits, the order of keys), so values are JSON text.

===============  ==============  ================================================================
root             container       holds
===============  ==============  ================================================================
``text:path``    text            a ``Text``
``list:path``    list            the items of a ``List``, as JSON
``set:path``     map             of a ``Set``: its elements as JSON, each with its place among them
``rows:path``    map             of a ``Set(by=...)``: by key (JSON) place and record (JSON)
``map:path``     map             of a ``Map`` of plain values: JSON by key
``keys:path``    map             of a ``Map`` of other kinds: its keys, with what is at ``path.key``
``tree:path``    map             of a ``Tree``: JSON by path (a JSON list)
``fields``       map             every ``Scalar`` and ``Counter``: JSON by path
``meta``         map             what the server says of it: version, what there is, who writes
``open``         map             its open questions by id, as JSON
===============  ==============  ================================================================

A path is the names of fields and keys with dots between; what would be ambiguous in a name is percent-encoded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any, TypeAlias
from urllib.parse import unquote

from concordant.spi import Field
from concordant_loro.errors import LoroError

__all__ = [
    "FIELDS",
    "META",
    "OPEN",
    "Roots",
    "dumps",
    "empty_of",
    "loads",
    "path_of",
    "path_text",
    "roots_of",
    "value_of",
]

Roots: TypeAlias = "dict[str, str | list[str] | dict[str, str]]"
"""The content of a Loro document's root containers, by name: of a text, a list, a map."""

Path: TypeAlias = tuple[str, ...]

FIELDS = "fields"
META = "meta"
OPEN = "open"
PLACES = "places"
_ESCAPED = str.maketrans({character: f"%{ord(character):02X}" for character in "%./:\0"})
_ROOT_OF = {
    "text": "text",
    "items": "list",
    "elements": "set",
    "records": "rows",
    "paths": "tree",
    "fields": "record",
}
_EMPTY: dict[str, Callable[[], Any]] = {
    "text": str,
    "list": list,
    "set": list,
    "rows": list,
    "map": dict,
    "keys": dict,
    "tree": dict,
    "record": dict,
}
_ABSENT: Any = object()
_MOST_LEVELS = 128


def dumps(value: Any) -> str:
    """Returns a JSON value as text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def loads(text: Any, where: str) -> Any:
    """Reads JSON text that came out of a Loro document.

    Raises:
        LoroError: it is none.
    """
    try:
        if not isinstance(text, str):
            raise TypeError(f"a {type(text).__name__}")
        return json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise LoroError(
            f"{where!r} holds no JSON text ({str(error)[:200]}). Give values as JSON.stringify does"
        ) from error


def path_text(path: Path) -> str:
    """Returns a path as it stands in the name of a root.

    >>> path_text(("sections", "v1.2", "body"))
    'sections.v1%2E2.body'
    """
    return ".".join(part.translate(_ESCAPED) for part in path)


def path_of(text: str) -> Path:
    """Reads a path.

    Raises:
        LoroError: it is not written as ``path_text`` writes it.

    >>> path_of('sections.v1%2E2.body')
    ('sections', 'v1.2', 'body')
    """
    path = tuple(unquote(part) for part in text.split("."))
    if path_text(path) != text:
        raise LoroError(f"{text!r} is no path: write {path_text(path)!r}")
    return path


def root_kind(field: Field | None) -> str:
    """Returns the kind of root in which a field lies; ``fields`` for a single value."""
    if field is None:
        return FIELDS
    holds = field.kind.holds
    if holds == "keys":
        return "map" if field.child is None or root_kind(field.child) == FIELDS else "keys"
    return _ROOT_OF.get(holds, FIELDS)


def empty_of(kind: str) -> Any:
    """Returns the empty value of a kind of root."""
    return _EMPTY[kind]()


# -- from a value -----------------------------------------------------------------------------------------------------


def roots_of(value: Mapping[str, Any], field: Field | None) -> Roots:
    """Lays a document's value out.

    Args:
        value: the JSON values of the fields that were written.
        field: the root field of its compiled schema; ``None`` where it has no model: then each field is one value.
    """
    found: dict[str, Any] = {}
    places: dict[str, str] = {}
    for name, part in value.items():
        _lay(found, places, (name,), part, field.fields.get(name) if field is not None else None)
    if places:
        found[META] = {PLACES: dumps(places)}
    return found


def _lay(found: dict[str, Any], places: dict[str, str], path: Path, value: Any, field: Field | None) -> None:
    kind, text = root_kind(field), path_text(path)
    if kind == FIELDS or value is None or field is None:
        found.setdefault(FIELDS, {})[text] = dumps(value)
        return
    places[text] = kind
    if kind == "record":
        for name, part in value.items():
            _lay(found, places, (*path, name), part, field.fields.get(name))
    elif kind == "keys":
        child = field.child
        assert child is not None
        if value:
            found[f"keys:{text}"] = {key: root_kind(child) for key in value}
        for key, part in value.items():
            _lay(found, places, (*path, key), part, child)
    elif value:
        found[f"{kind}:{text}"] = _content(kind, value, field)


def _content(kind: str, value: Any, field: Field) -> Any:
    if kind == "list":
        return [dumps(item) for item in value]
    if kind == "set":
        return {dumps(item): str(place) for place, item in enumerate(value)}
    if kind == "rows":
        key = field.kind.key_field
        return {dumps(item.get(key)): dumps([place, item]) for place, item in enumerate(value)}
    if kind == "map":
        return {key: dumps(item) for key, item in value.items()}
    if kind == "tree":
        return {dumps(path): dumps(item) for path, item in _leaves(value, [])}
    return value


def _leaves(value: Any, path: list[str]) -> Iterator[tuple[list[str], Any]]:
    if not isinstance(value, dict) or not value:
        yield path, value
        return
    for key, part in value.items():
        yield from _leaves(part, [*path, key])


# -- what an editor may write -----------------------------------------------------------------------------------------

Layout: TypeAlias = "dict[str, Any]"
"""What may lie below a place, as JSON: ``kind`` of root, and ``below`` by name or, at the keys of a map, ``each``."""


def layout_of(field: Field) -> Layout:
    """Returns what may lie at a field and below it."""
    found: Layout = {"kind": root_kind(field)}
    if found["kind"] == "record":
        found["below"] = {name: layout_of(part) for name, part in field.fields.items()}
    if found["kind"] == "keys" and field.child is not None:
        found["each"] = layout_of(field.child)
    return found


def is_writable(layout: Layout, kind: str, text: str) -> bool:
    """Tells whether an editor may write to the root of a kind at a path, or (``fields``) the entry of a path."""
    try:
        path = path_of(text)
    except LoroError:
        return False
    for part in path:
        if layout["kind"] == "keys":
            layout = layout["each"]
        elif part in layout.get("below", ()):
            layout = layout["below"][part]
        else:
            return False
    return layout["kind"] == kind or (kind == FIELDS and layout["kind"] == "record")


def top_of(name: str, key: str = "") -> str:
    """Returns the field of the document in which a root, or an entry of ``fields``, lies."""
    return (key if name == FIELDS else name.partition(":")[2]).partition(".")[0]


def sides_of(before: Roots, after: Roots) -> dict[str, Roots]:
    """Returns the fields of the document in which two layouts differ, ``before`` and ``after``."""
    tops = _tops_changed(before, after)
    return {"before": _part_of(before, tops), "after": _part_of(after, tops)}


def _part_of(roots: Roots, tops: Set[str]) -> Roots:
    """What lies in some fields of the document."""
    found: Roots = {name: content for name, content in roots.items() if name != FIELDS and top_of(name) in tops}
    entries = roots.get(FIELDS)
    if isinstance(entries, dict):
        found[FIELDS] = {key: item for key, item in entries.items() if top_of(FIELDS, key) in tops}
    return found


def _tops_changed(before: Roots, after: Roots) -> set[str]:
    """The fields of the document in which two layouts differ."""
    found: set[str] = set()
    for name in {**before, **after}:
        one, other = before.get(name), after.get(name)
        if name in (META, OPEN) or one == other:
            continue
        if name == FIELDS:
            one, other = (entries if isinstance(entries, dict) else {} for entries in (one, other))
            found |= {top_of(FIELDS, key) for key in {**one, **other} if one.get(key) != other.get(key)}
        else:
            found.add(top_of(name))
    return found


def with_places_of(now: Roots, wanted: Roots) -> Roots:
    """Returns a layout in which what stands in the right order already keeps its place: so few entries change."""
    found = dict(wanted)
    for name, content in wanted.items():
        kind, old = name.partition(":")[0], now.get(name)
        if kind in ("set", "rows") and isinstance(content, dict) and isinstance(old, dict):
            found[name] = _places_kept(kind, old, content)
    return found


def _places_kept(kind: str, now: dict[str, str], wanted: dict[str, str]) -> dict[str, str]:
    kept: dict[str, str] = {}
    last = -1.0
    for key, item in wanted.items():
        had, record = _placed(kind, now.get(key)), None if kind == "set" else json.loads(item)[1]
        last = had[0] if had[0] > last else math.floor(last) + 1.0
        number = int(last) if last.is_integer() else last
        kept[key] = now[key] if had == (last, record) else str(number) if kind == "set" else dumps([number, record])
    return kept


def _placed(kind: str, text: str | None) -> tuple[float, Any]:
    """The place that an entry has now, and its record; before all where it has none."""
    if text is None:
        return -math.inf, None
    if kind == "set":
        return _place(text), None
    try:
        return _row(text, kind)
    except LoroError:
        return -math.inf, None


# -- to a value -------------------------------------------------------------------------------------------------------


class _Node:
    """What lies at a path: by kind of root its content, and what lies below it."""

    __slots__ = ("below", "roots")

    def __init__(self) -> None:
        self.roots: dict[str, Any] = {}
        self.below: dict[str, _Node] = {}


def value_of(roots: Mapping[str, Any], field: Field | None = None) -> dict[str, Any]:
    """Reads a document's value where ``roots_of`` has laid it out, or an editor.

    Args:
        field: the root field of a compiled schema, where there is one; only what that has is read.

    Raises:
        LoroError: it is not laid out so.
    """
    top = _Node()
    for name, content in roots.items():
        kind, _, text = name.partition(":")
        if name == FIELDS:
            for path, item in _mapping(content, name).items():
                _node(top, path_of(path)).roots[FIELDS] = loads(item, f"{name} {path}")
        elif kind in _EMPTY and text:
            _node(top, path_of(text)).roots[kind] = content
    for text, kind in _places(roots).items():
        if _is_kind(kind):
            _node(top, path_of(text)).roots.setdefault(kind, None)
    return _parts(top, (), field)


def _places(roots: Mapping[str, Any]) -> Mapping[str, str]:
    meta = _mapping(roots.get(META, {}), META)
    return _mapping(loads(meta[PLACES], META), META) if PLACES in meta else {}


def _node(node: _Node, path: Path) -> _Node:
    if len(path) > _MOST_LEVELS:
        raise LoroError(f"A path has {len(path)} levels. Use at most {_MOST_LEVELS}")
    for part in path:
        node = node.below.setdefault(part, _Node())
    return node


def _read(node: _Node, path: Path, field: Field | None, told: str) -> Any:
    """What lies at a path; as ``told`` where nothing there says more."""
    kind = root_kind(field) if field is not None else _kind_of(node, told)
    if kind == FIELDS or node.roots.get(FIELDS, _ABSENT) is None:
        return node.roots.get(FIELDS, _ABSENT)
    is_there = kind in node.roots or bool(told)
    if kind == "record":
        found = _parts(node, path, field)
        return found if found or is_there else _ABSENT
    content, where = node.roots.get(kind), f"{kind}:{path_text(path)}"
    if content is None:
        return empty_of(kind) if is_there else _ABSENT
    if kind == "keys":
        return _entries(node, path, field, _mapping(content, where))
    return _contained(kind, content, where)


def _entries(node: _Node, path: Path, field: Field | None, keys: Mapping[str, str]) -> dict[str, Any]:
    """The entries of a map whose values lie in roots of their own."""
    child = field.child if field is not None else None
    parts = {
        key: _read(node.below.get(key, _Node()), (*path, key), child, said if _is_kind(said) else "record")
        for key, said in keys.items()
    }
    return {key: part for key, part in parts.items() if part is not _ABSENT}


def _parts(node: _Node, path: Path, field: Field | None) -> dict[str, Any]:
    """The fields of a record, or of a document: those that its model has, where it has one."""
    parts = {
        name: _read(below, (*path, name), field.fields[name] if field is not None else None, "")
        for name, below in node.below.items()
        if field is None or name in field.fields
    }
    return {name: part for name, part in parts.items() if part is not _ABSENT}


def _is_kind(said: Any) -> bool:
    """Whether what a Loro document says is a kind of root."""
    return isinstance(said, str) and said in _EMPTY


def _kind_of(node: _Node, told: str) -> str:
    for kind in (FIELDS, *_EMPTY):
        if kind in node.roots and kind != "record":
            return kind
    return told or ("record" if node.below or node.roots else FIELDS)


def _contained(kind: str, content: Any, where: str) -> Any:
    if kind in ("text", "list"):
        wanted = str if kind == "text" else list
        if not isinstance(content, wanted):
            raise LoroError(f"{where!r} is a {type(content).__name__}, not a {kind}")
        return content if kind == "text" else [loads(item, where) for item in content]
    entries = _mapping(content, where)
    if kind == "map":
        return {key: loads(item, where) for key, item in entries.items()}
    if kind == "set":
        return [loads(item, where) for item in sorted(entries, key=lambda item: (_place(entries[item]), item))]
    if kind == "rows":
        rows = sorted(((*_row(entries[key], where), key) for key in entries), key=lambda row: (row[0], row[2]))
        return [record for _, record, _ in rows]
    return _tree(entries, where)


def _place(text: Any) -> float:
    try:
        place = float(text)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return place if math.isfinite(place) else 0.0


def _row(text: str, where: str) -> tuple[float, Any]:
    row = loads(text, where)
    if isinstance(row, list) and len(row) == 2 and isinstance(row[1], dict):
        return _place(row[0]), row[1]
    raise LoroError(f"{where!r} holds {text[:100]!r}, which is not [place, record]")


def _tree(entries: Mapping[str, Any], where: str) -> Any:
    paths: list[tuple[list[str], Any]] = []
    for text, item in entries.items():
        path = loads(text, where)
        if not isinstance(path, list) or not all(isinstance(part, str) for part in path) or len(path) > _MOST_LEVELS:
            raise LoroError(f"{where!r} has the key {text[:100]!r}, which is no path")
        paths.append((path, loads(item, where)))
    top: dict[str, Any] = {}
    for path, value in sorted(paths, key=lambda pair: pair[0]):
        if not path:
            continue  # it says that there is a tree, of which more is told by the others
        at = top
        for part in path[:-1]:
            if not isinstance(at.get(part), dict):
                at[part] = {}
            at = at[part]
        if value != {} or path[-1] not in at:
            at[path[-1]] = value
    return top


def _mapping(content: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise LoroError(f"{where!r} is a {type(content).__name__}, not a map")
    return content
