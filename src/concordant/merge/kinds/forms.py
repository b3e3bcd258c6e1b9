"""How a field merges, as plain data: what has to be known to read what was written to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from concordant.merge.kinds.base import Field, Kind
from concordant.merge.kinds.registry import kind_called
from concordant.values import canonical

__all__ = ["field_of", "form_of"]


def form_of(field: Field) -> dict[str, Any]:
    """Tells how a field merges."""
    kind = field.kind
    node: dict[str, Any] = {"tag": field.tag}
    for option in kind.shaped:
        node[option] = getattr(kind, option)
    if field.canon is not canonical:
        node["own"] = True  # values compare in a way of their own
    if kind.holds == "amount" and field.checked:
        node["checked"] = True  # it keeps each amount by itself
    if field.child is not None:
        node["child"] = form_of(field.child)
    if field.fields:
        node["fields"] = {name: form_of(part) for name, part in field.fields.items()}
    return node


def field_of(name: str, form: dict[str, Any], present: Field | None = None) -> Field:
    """Returns a field that merges so.

    Args:
        present: that of the present model, from which is taken how values of a type compare where the kind is the
            same.

    Raises:
        MisshapenError: it has a kind that is not known here.
    """
    tag = form["tag"]
    same = present if present is not None and present.tag == tag else None
    fields = {
        part: field_of(part, inner, same.fields.get(part) if same is not None else None)
        for part, inner in form.get("fields", {}).items()
    }
    child = field_of("", form["child"], same.child if same is not None else None) if "child" in form else None
    canon = same.canon if same is not None and form.get("own") else canonical
    made = Field(name, _kind(form), tag, canon=canon, child=child, fields=fields, checked=form.get("checked", False))
    if same is not None:
        object.__setattr__(made, "accepts", same.accepts)
    return made


def _kind(form: dict[str, Any]) -> Kind:
    found = kind_called(form["tag"].partition("[")[0])
    given = {option: form[option] for option in found.shaped if option in form}
    return replace(found, **given) if given else found  # type: ignore[type-var]
