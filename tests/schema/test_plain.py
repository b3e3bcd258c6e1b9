"""The short way of a write stores what the long way would, or leaves the write to it."""

from __future__ import annotations

import enum
import warnings
from collections.abc import Callable
from copy import copy
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings, strategies as st
from pydantic import BaseModel, Field

from concordant import Counter, InvalidWriteError, List, Map, Scalar, Set, Text, Tree
from concordant.schema import Compiled, compile_schema, plain as plain_module
from concordant.values import MAX_DEPTH, is_json


class Odd(enum.Enum):
    """Members whose values Pydantic takes for text and numbers alike."""

    TEXT = "a"
    NUMBER = 3


class Person(BaseModel):
    name: Annotated[str | None, Scalar()] = None
    roles: Annotated[set[str], Set()] = set()


class Source(BaseModel):
    url: Annotated[str | int, Scalar()] = ""
    title: Annotated[str | None, Scalar()] = None


class Everything(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    numbers: Annotated[frozenset[int], Set()] = frozenset()
    status: Annotated[str | None, Scalar()] = None
    level: Annotated[Literal["low", "high"] | None, Scalar()] = None
    due: Annotated[date | None, Scalar()] = None
    share: Annotated[float, Field(ge=0), Scalar()] = 0.0
    table: Annotated[dict[str, list[int]] | None, Scalar()] = None
    whatever: Annotated[Any, Scalar()] = None
    notes: Annotated[str, Text()] = ""
    hits: Annotated[int, Counter()] = 0
    cost: Annotated[Decimal, Counter()] = Decimal(0)
    owners: Annotated[dict[str, str], Map()] = {}
    steps: Annotated[list[str], List()] = []
    author: Person | None = None
    parts: Annotated[dict[str, Person], Map()] = {}
    sources: Annotated[list[Source], Set(by="url")] = []
    settings: Annotated[dict[str, Any], Tree()] = {}


SCHEMA = compile_schema(Everything)
PLAIN: dict[str, Any] = {
    "tags": ["a", "b"],
    "numbers": {1, 2},
    "status": "draft",
    "level": "low",
    "due": date(2030, 1, 2),
    "share": 0.5,
    "table": {"a": [1]},
    "whatever": {"a": [None, True, 1.5]},
    "notes": "One line.",
    "hits": 2,
    "cost": Decimal("1.10"),
    "owners": {"intro": "ada"},
    "steps": ["plan", "plan"],
    "author": {"name": "ada", "roles": ["editor"]},
    "parts": {"one": {"name": "bob", "roles": {"writer"}}},
    "sources": [{"url": "https://a.example", "title": "A"}, {"url": "https://b.example"}],
    "settings": {"model": "small", "limits": {"tokens": 100}},
}
ODD = [
    Odd.TEXT, Odd.NUMBER, "\ud800", "�", {1: 2}, {"a\ud800": 1}, {"é": 1}, (1, 2), {"b", "a"}, frozenset(["x"]),
    float("nan"), -0.0, "9" * 5000,
    date(2030, 1, 2), Decimal("1.0"), b"x", True, 1.0, "1", ["a", "a"], [1, True, 1.0],
    [[1], [1]], ["b", "a", "b"], Person(name="eve"), {"name": "ada", "roles": ["x", "x"]}, {"": {"roles": ["a", "a"]}},
    [{"url": 1}, {"url": True}, {"url": "1"}], [{"url": "a"}, {"url": "a"}], [{"title": "no url"}], {"name": None},
    {"unknown": 1}, object(), None, [], {}, "", 0,
]  # fmt: skip


def _is_key(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


DEEP: Any = [1]
for _ in range(MAX_DEPTH + 10):
    DEEP = {"a": DEEP}
HUGE = 10**5000  # which Hypothesis cannot show
LEAVES = st.one_of(
    st.integers(0, len(ODD)).map([*ODD, DEEP].__getitem__), st.text(max_size=3), st.integers(-2, 2), st.booleans()
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2) | LEAVES.filter(_is_key), inner),
    max_leaves=4,
)


def writes() -> st.SearchStrategy[dict[str, Any]]:
    """Some fields of a plain write, some of which are something else."""
    fields = {name: st.just(value) | VALUES for name, value in PLAIN.items()}
    return st.fixed_dictionaries({}, optional=fields)


def outcome(schema: Compiled, value: Any) -> Any:
    """What comes of a write: its JSON with what waits, or why it is refused."""
    try:
        return schema.incoming(("n",), "k", value)
    except InvalidWriteError as error:
        return str(error)


def the_long_way(schema: Compiled) -> Compiled:
    """The same schema without the short way."""
    other = copy(schema)
    other.plain = plain_module.never_plain
    return other


def check(schema: Compiled, value: Any) -> None:
    """Compares the two ways."""
    assert outcome(schema, value) == outcome(the_long_way(schema), value)


@given(writes())
@settings(max_examples=200)
def test_both_ways_store_the_same(value: dict[str, Any]) -> None:
    """Whatever is written, the short way stores what the long one does, or it is not taken."""
    check(SCHEMA, value)


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_odd_is_stored_the_same(name: str) -> None:
    """In any field, odd values by themselves come out of both ways as the same, at any depth."""
    nested: list[Any] = [DEEP]
    while isinstance(nested[-1], dict):
        nested.append(nested[-1]["a"])
    for value in (*ODD, *nested, HUGE, [HUGE], *({"b\udc00": one} for one in (1, "\ufffd")), {"\ufffd": "ä"}):
        check(SCHEMA, {name: value})


@pytest.mark.parametrize("names", [*[[name] for name in PLAIN], [*PLAIN]], ids=",".join)
def test_every_kind_takes_the_short_way(names: list[str]) -> None:
    """A plain write of any kind, by itself or of all together, is not taken apart."""
    assert SCHEMA.plain({name: PLAIN[name] for name in names}) is not None


BROKEN: dict[str, tuple[str, Callable[..., Any], dict[str, Any]]] = {
    "sets": ("_are_distinct", lambda _: True, {"tags": ["a", "a"]}),
    "sets of records": ("_of_fields", lambda _: lambda _: True, {"author": {"roles": ["a", "a"]}}),
    "sets of values": ("_of_values", lambda _: lambda _: True, {"parts": {"one": {"roles": ["a", "a"]}}}),
    "records": ("_of_records", lambda *_: lambda _: True, {"sources": [{"url": "a"}, {"url": "a"}]}),
    "amounts": ("Strict", lambda: None, {"hits": Odd.TEXT}),
    "free JSON": ("is_json", lambda *_: True, {"settings": {"a": {1: 2, "1": 3}}}),
    "depth": ("is_json", lambda value, _: is_json(value, 10_000), {"whatever": DEEP}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_short_way_that_looks_at_less_is_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look that the short way takes is needed: without it the two ways differ."""
    function, broken, value = BROKEN[name]
    monkeypatch.setattr(plain_module, function, broken)
    schema = compile_schema(type("Again", (Everything,), {}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert outcome(schema, value) != outcome(the_long_way(schema), value)
