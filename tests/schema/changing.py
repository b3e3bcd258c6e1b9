"""Models that change: one field under each kind, what is stored in it, and what is written after the change."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, create_model

from concordant import Counter, List, Map, Scalar, Set, Text, Tree

__all__ = ["CONVERTED", "KINDS", "Kind", "model_of", "pairs"]


class Nested(BaseModel):
    """A record in a record."""

    a: Annotated[int, Counter()] = 0


class Item(BaseModel):
    """A record in a list."""

    id: Annotated[str, Scalar()]
    n: Annotated[int, Counter()] = 0


class Row(BaseModel):
    """A record in a list, whose fields do not merge."""

    id: str
    n: int = 0


class Kind(NamedTuple):
    """A field's annotation and default, a value of it, and one that is written later."""

    annotation: Any
    default: Any
    stored: Any
    later: Any


KINDS: dict[str, Kind] = {
    "word": Kind(Annotated[str | None, Scalar()], None, "one", "two"),
    "number": Kind(Annotated[int | None, Scalar()], None, 5, 6),
    "values": Kind(Annotated[list[str], Scalar()], [], ["a", "b"], ["c"]),
    "pairs": Kind(Annotated[dict[str, int], Scalar()], {}, {"a": 1}, {"b": 2}),
    "rows": Kind(Annotated[list[dict[str, Any]], Scalar()], [], [{"id": "1", "n": 2}], [{"id": "2"}]),
    "set": Kind(Annotated[list[str], Set()], [], ["a", "b"], ["c"]),
    "list": Kind(Annotated[list[str], List()], [], ["a", "b"], ["c"]),
    "text": Kind(Annotated[str, Text()], "", "one", "two"),
    "counter": Kind(Annotated[int, Counter()], 0, 5, 2),
    "map": Kind(Annotated[dict[str, int], Map()], {}, {"a": 1}, {"b": 2}),
    "counters": Kind(Annotated[dict[str, Annotated[int, Counter()]], Map()], {}, {"a": 1}, {"a": 2}),
    "tree": Kind(Annotated[dict[str, Any], Tree()], {}, {"a": 1}, {"b": {"c": 2}}),
    "record": Kind(Nested, Nested(), {"a": 1}, {"a": 2}),
    "known": Kind(
        Annotated[list[Row], Set(by="id")], [], [{"id": "2", "n": 2}, {"id": "10", "n": 3}], [{"id": "3", "n": 1}]
    ),
    "keyed": Kind(Annotated[list[Item], Set(by="id")], [], [{"id": "1", "n": 2}], [{"id": "1", "n": 1}]),
}

CONVERTED: dict[str, set[str]] = {
    "word": {"text"},
    "number": {"counter"},
    "values": {"set", "list"},
    "pairs": {"map", "counters", "tree", "record"},
    "rows": {"known", "keyed"},
    "known": {"keyed"},
    "set": {"list"},
    "list": {"set"},
    "map": {"counters", "tree"},
    "tree": {"map", "counters", "record"},
}
"""The kinds into which the stored value of each kind converts without loss."""

PLAIN = ("word", "number", "values", "pairs", "rows")
"""Kinds whose values are stored as if no model had been there."""


@lru_cache
def model_of(kind: str | None, *, field: str = "x") -> type[BaseModel]:
    """A model with a field of that kind (``None``: without it) beside a set."""
    fields: dict[str, Any] = {"t": (Annotated[set[str], Set()], set())}
    if kind is not None:
        fields[field] = (KINDS[kind].annotation, KINDS[kind].default)
    return create_model("Changing", **fields)


def pairs() -> Iterator[tuple[str, str]]:
    """Each kind before, with each kind after."""
    return ((old, new) for old in KINDS for new in KINDS)
