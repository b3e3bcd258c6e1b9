"""How a model's fields merge, as text: what has to be known to read a write that was made under it.

The only write of a document is kept as the JSON of its value, and nothing in that tells a list from a set. So a store
remembers the shape of each model that it was written under, by the model's fingerprint.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from concordant.merge.kinds import (
    OPEN,
    OPEN_TREE,
    Field,
    Kind,
    OpenRecord,
)
from concordant.merge.kinds.registry import kind_called
from concordant.values import canonical

__all__ = ["are_alike", "root_of", "shape_of"]

_DEEP = '{"tag":"tree"}'
"""The shape of no model, where dicts and lists merge as in a ``Tree``."""


def shape_of(root: Field) -> str:
    """The shape of a compiled model; empty for that of no model."""
    if isinstance(root.kind, OpenRecord):
        return _DEEP if root.kind.deep else ""
    return json.dumps(_dump(root), sort_keys=True, separators=(",", ":"))


def root_of(shape: str, present: Field) -> Field:
    """The root field of a model with this shape.

    Raises:
        MisshapenError: it has a kind that is not known here.

    Args:
        present: that of the present model, from which is taken how values of a type compare where the kind is the
            same.
    """
    if not shape or shape == _DEEP:
        return OPEN_TREE if shape else OPEN
    return _load("", _parsed(shape), present)


def are_alike(shape: str, present: Field, value: Mapping[str, Any]) -> bool:
    """Whether a document's value merges under the present model as under one with this shape."""
    before = _parsed(shape).get("fields") if shape else None
    is_deep = isinstance(present.kind, OpenRecord) and present.kind.deep
    for name, part in value.items():
        field = present.fields.get(name)
        now = _open_part(is_deep, part) if field is None else _dump(field)
        then = _open_part(shape == _DEEP, part) if before is None else before.get(name)
        if then is None or (field is None and present.fields) or then != now:
            return False
    return True


def _open_part(deep: bool, value: Any) -> dict[str, Any]:
    """How a field of no model merges."""
    return {"tag": "node" if deep and isinstance(value, (dict, list)) else "scalar"}


@lru_cache(maxsize=256)
def _parsed(shape: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shape)
    return found


def _dump(field: Field) -> dict[str, Any]:
    kind = field.kind
    node: dict[str, Any] = {"tag": field.tag}
    for option in kind.shaped:
        node[option] = getattr(kind, option)
    if field.canon is not canonical:
        node["own"] = True  # values compare in a way of their own
    if kind.holds == "amount" and field.checked:
        node["checked"] = True  # it keeps each amount by itself
    if field.child is not None:
        node["child"] = _dump(field.child)
    if field.fields:
        node["fields"] = {name: _dump(part) for name, part in field.fields.items()}
    return node


def _load(name: str, node: dict[str, Any], present: Field | None) -> Field:
    tag = node["tag"]
    same = present if present is not None and present.tag == tag else None
    fields = {
        part: _load(part, inner, same.fields.get(part) if same is not None else None)
        for part, inner in node.get("fields", {}).items()
    }
    child = _load("", node["child"], same.child if same is not None else None) if "child" in node else None
    canon = same.canon if same is not None and node.get("own") else canonical
    made = Field(name, _kind(node), tag, canon=canon, child=child, fields=fields, checked=node.get("checked", False))
    if same is not None:
        object.__setattr__(made, "accepts", same.accepts)
    return made


def _kind(node: dict[str, Any]) -> Kind:
    found = kind_called(node["tag"].partition("[")[0])
    given = {option: node[option] for option in found.shaped if option in node}
    return replace(found, **given) if given else found  # type: ignore[type-var]
