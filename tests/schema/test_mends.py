"""Wrong models: each is refused when it is declared, with a mend that names what to write, and what it names works."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import enum
import re
import sys
import typing
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Annotated as A, Any, Literal, NamedTuple, NotRequired
from uuid import UUID

import pytest
from pydantic import (
    AfterValidator,
    AliasPath,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    Field,
    FutureDate,
    FutureDatetime,
    InstanceOf,
    PlainSerializer,
    PlainValidator,
    RootModel,
    SecretBytes,
    SecretStr,
    StringConstraints,
    create_model,
    field_serializer,
    field_validator,
    model_validator,
)
from typing_extensions import TypedDict

from concordant import Counter, List, Map, Scalar, Schema, SchemaError, Set, Text, Workspace, priority

NS = ("d",)
ANY: Any = None


class Tuples(enum.Enum):
    A = (1, 2)


class Texts(enum.Enum):
    A = "1,2"


class Dates(enum.Enum):
    A = dt.date(2026, 1, 1)


class Item(BaseModel):
    id: A[str, Scalar()] = ""
    n: A[int, Counter()] = 0


class Holder(BaseModel):
    id: A[str, Scalar()] = ""
    item: Item = Item()


class Simple(BaseModel):
    id: str = ""
    n: int = 0


class Other(BaseModel):
    id: A[str, Scalar()] = ""


class Hiding(BaseModel):
    a: int = Field(0, exclude=True)


class Showing(BaseModel):
    a: int = 0


class Lossy(BaseModel):
    at: dt.date = dt.date(2026, 1, 31)

    @field_serializer("at")
    def _year(self, value: dt.date) -> int:
        return value.year


class Exact(BaseModel):
    at: dt.date = dt.date(2026, 1, 31)


class Alike(BaseModel):
    id: str = ""
    n: int = 0


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"


@dataclasses.dataclass
class Numbered:
    a: int = 0
    n: int = dataclasses.field(default=5, init=False)


@dataclasses.dataclass
class Plainly:
    a: int = 0
    n: int = 5


class Keeper:
    """What Pydantic takes, and cannot write."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keeper) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


Kept: Any = A[
    InstanceOf[Keeper],
    BeforeValidator(lambda given: Keeper(given) if isinstance(given, str) else given),
    PlainSerializer(lambda keeper: keeper.name),
]


class Row(NamedTuple):
    a: Tuples = Tuples.A


class GoodRow(NamedTuple):
    a: int = 0


class Wrong(NamedTuple):
    """A field that is refused, words of its mend, and the field that the mend makes of it, with a value."""

    name: str
    field: tuple[Any, Any]
    mend: str
    mended: tuple[Any, Any]
    value: Any


def row(name: str, annotation: Any, default: Any, mend: str, mended: Any, made: Any, value: Any) -> Wrong:
    return Wrong(name, (annotation, default), mend, (mended, made), value)


WRONG: list[Wrong] = [
    # no kind
    row("a bare int", int, 0, r"Counter\(\)", A[int, Counter()], 0, 3),
    row("a bare str", str, "", r"Text\(\)", A[str, Text()], "", "x"),
    row("a bare float", float, 0.0, r"Counter\(\)", A[float, Counter()], 0.0, 1.5),
    row("a bare Decimal", Decimal, Decimal(0), r"Counter\(\)", A[Decimal, Counter()], Decimal(0), "1.5"),
    row("a bare set", set[str], set(), r"Set\(\)", A[set[str], Set()], set(), ["a"]),
    row("a bare frozenset", frozenset[str], frozenset(), r"Set\(\)", A[frozenset[str], Set()], frozenset(), ["a"]),
    row("a bare list", list[str], [], r"List\(\)", A[list[str], List()], [], ["a"]),
    row("a bare dict", dict[str, int], {}, r"Map\(\)", A[dict[str, int], Map()], {}, {"a": 1}),
    row("a bare date", dt.date, None, r"Scalar\(\)", A[dt.date | None, Scalar()], None, "2026-01-31"),
    row("a bare bool", bool, False, r"Scalar\(\)", A[bool, Scalar()], False, True),
    row("a bare enum", Texts, Texts.A, r"Scalar\(\)", A[Texts, Scalar()], Texts.A, "1,2"),
    row("a bare union", int | str, 0, r"Scalar\(\)", A[int | str, Scalar()], 0, "a"),
    row("a bare record", Simple, Simple(), r"Scalar\(\)", A[Simple, Scalar()], Simple(), {"id": "a"}),
    row("a bare list of records", list[Item], [], r"List\(\)|Set\(\)", A[list[Item], Set(by="id")], [], [{"id": "a"}]),
    row("a union of state models", Item | Other, Item(), "Use one model", Item, Item(), {"id": "a", "n": 1}),
    # the kind in the wrong place, or not one kind
    row(
        "a set that may be None",
        A[set[str], Set()] | None,
        None,
        r"Annotated\[set\[str\], Set\(\)\]",
        A[set[str], Set()],
        set(),
        ["a"],
    ),
    row(
        "a list that may be None",
        A[list[str], List()] | None,
        None,
        r"Annotated\[list\[str\], List\(\)\]",
        A[list[str], List()],
        [],
        ["a"],
    ),
    row(
        "a map that may be None",
        A[dict[str, int], Map()] | None,
        None,
        r"Annotated\[dict\[str, int\], Map\(\)\]",
        A[dict[str, int], Map()],
        {},
        {"a": 1},
    ),
    row(
        "a text that may be None inside",
        A[str, Text()] | None,
        None,
        r"Annotated\[str, Text\(\)\]",
        A[str, Text()],
        "",
        "x",
    ),
    row(
        "a counter that may be None inside",
        A[int, Counter()] | None,
        None,
        r"Annotated\[int, Counter\(\)\]",
        A[int, Counter()],
        0,
        2,
    ),
    row(
        "a scalar that may be None inside",
        A[int, Scalar()] | None,
        None,
        r"Annotated\[int \| None, Scalar\(\)\]",
        A[int | None, Scalar()],
        None,
        2,
    ),
    row(
        "a kind in a list's items",
        A[list[A[int, Counter()]], List()],
        [],
        "Leave it out",
        A[list[int], List()],
        [],
        [1],
    ),
    row(
        "a kind in a set's elements",
        A[set[A[str, Text()]], Set()],
        set(),
        "Leave it out",
        A[set[str], Set()],
        set(),
        ["a"],
    ),
    row("a kind in a scalar", A[list[A[str, Text()]], Scalar()], [], "Leave it out", A[list[str], Scalar()], [], ["a"]),
    row(
        "a kind in a scalar dict",
        A[dict[str, A[int, Counter()]], Scalar()],
        {},
        r"Map\(\)",
        A[dict[str, A[int, Counter()]], Map()],
        {},
        {"a": 1},
    ),
    row(
        "a kind in a bare list",
        list[A[str, Text()]],
        [],
        r"Take it out, .*List\(\)",
        A[list[str], List()],
        [],
        ["a"],
    ),
    row(
        "a kind in a bare dict",
        dict[str, A[int, Counter()]],
        {},
        r"`Annotated\[dict\[str, Annotated\[int, Counter\(\)\]\], Map\(\)\]`",
        A[dict[str, A[int, Counter()]], Map()],
        {},
        {"a": 1},
    ),
    row("a kind as default", str, Text(), r"`x: Annotated\[str, Text\(\)\]`", A[str, Text()], "", "x"),
    row(
        "a class as default", set[str], Set, r"`x: Annotated\[set\[str\], Set\(\)\]`", A[set[str], Set()], set(), ["a"]
    ),
    # defaults of another type, which Pydantic takes unseen
    row("None for a set", A[set[str], Set()], None, "Leave the default out", A[set[str], Set()], set(), ["a"]),
    row("None for a list", A[list[str], List()], None, "Leave the default out", A[list[str], List()], [], ["a"]),
    row(
        "None for a map",
        A[dict[str, int], Map()],
        None,
        "Leave the default out",
        A[dict[str, int], Map()],
        {},
        {"a": 1},
    ),
    row("None for a text", A[str, Text()], None, "Leave the default out", A[str, Text()], "", "x"),
    row("None for a count", A[int, Counter()], None, "Leave the default out", A[int, Counter()], 0, 2),
    row("None for a record", Item, None, r"`Item \| None`", Item | None, None, {"id": "a", "n": 1}),
    row("a dict for a record", Item, {"id": "a"}, r"Give it Item\(id='a'", Item, Item(id="a"), {"id": "b", "n": 1}),
    row("a number for a text", A[str, Text()], 5, "one of its type", A[str, Text()], "5", "x"),
    row("a text for a count", A[int, Counter()], "7", "Give it 7", A[int, Counter()], 7, 2),
    row(
        "a text for a date",
        A[dt.date, Scalar()],
        "2026-01-31",
        r"Give it datetime\.date\(2026, 1, 31\)",
        A[dt.date, Scalar()],
        dt.date(2026, 1, 31),
        "2026-02-01",
    ),
    row("a value for an enum", A[Texts, Scalar()], "1,2", "Give it <Texts.A", A[Texts, Scalar()], Texts.A, "1,2"),
    row("a list for a dict", A[dict[str, int], Map()], [], "one of its type", A[dict[str, int], Map()], {}, {"a": 1}),
    row("a list for a set", A[set[str], Set()], [], r"Give it set\(\)", A[set[str], Set()], set(), ["a"]),
    row(
        "a factory of None",
        A[list[str], List()],
        Field(default_factory=lambda: None),
        "Leave the default out",
        A[list[str], List()],
        Field(default_factory=list),
        ["a"],
    ),
    row("a class", A[set[str], Set], set(), r"`Set\(\)`", A[set[str], Set()], set(), ["a"]),
    row("a class: Text", A[str, Text], "", r"`Text\(\)`", A[str, Text()], "", "x"),
    row(
        "a class in a map",
        A[dict[str, A[int, Counter]], Map()],
        {},
        r"`Counter\(\)`",
        A[dict[str, A[int, Counter()]], Map()],
        {},
        {"a": 1},
    ),
    row("two kinds", A[set[str], Set(), Scalar()], set(), "Keep one", A[set[str], Set()], set(), ["a"]),
    row(
        "two kinds in a map",
        A[dict[str, A[int, Counter(), Scalar()]], Map()],
        {},
        "Keep one",
        A[dict[str, A[int, Counter()]], Map()],
        {},
        {"a": 1},
    ),
    # kinds on types that they do not take
    row("Text on an int", A[int, Text()], 0, "takes str", A[str, Text()], "", "x"),
    row("Text on an optional str", A[str | None, Text()], None, "Leave out None", A[str, Text()], "", "x"),
    row("Text on a list", A[list[str], Text()], [], r"List\(\)", A[list[str], List()], [], ["a"]),
    row("Set on a str", A[str, Set()], "", r"Scalar\(\)", A[str, Scalar()], "", "x"),
    row("Set on a dict", A[dict[str, int], Set()], {}, r"Scalar\(\)", A[dict[str, int], Scalar()], {}, {"a": 1}),
    row("Set on an optional set", A[set[str] | None, Set()], None, "Leave out None", A[set[str], Set()], set(), ["a"]),
    row(
        "Set on a tuple of places",
        A[tuple[int, str], Set()],
        (0, ""),
        r"Scalar\(\)",
        A[tuple[int, str], Scalar()],
        (0, ""),
        [1, "a"],
    ),
    row("Map on a list", A[list[int], Map()], [], "dict", A[dict[str, int], Map()], {}, {"a": 1}),
    row(
        "Map on an optional dict",
        A[dict[str, int] | None, Map()],
        None,
        "Leave out None",
        A[dict[str, int], Map()],
        {},
        {"a": 1},
    ),
    row(
        "Map with keys of floats",
        A[dict[float, int], Map()],
        {},
        r"dict\[str",
        A[dict[str, int], Map()],
        {},
        {"1.5": 1},
    ),
    row(
        "Map with keys of tuples",
        A[dict[tuple[int, int], int], Map()],
        {},
        r"dict\[str",
        A[dict[str, int], Map()],
        {},
        {"1,2": 1},
    ),
    row(
        "Map with keys of instants",
        A[dict[dt.datetime, int], Map()],
        {},
        r"dict\[str",
        A[dict[str, int], Map()],
        {},
        {"t": 1},
    ),
    row(
        "Map with keys of two types",
        A[dict[int | str, int], Map()],
        {},
        r"dict\[str",
        A[dict[str, int], Map()],
        {},
        {"1": 1},
    ),
    row(
        "Map with keys of odd enums",
        A[dict[Tuples, int], Map()],
        {},
        r"dict\[str",
        A[dict[Texts, int], Map()],
        {},
        {"1,2": 1},
    ),
    row(
        "Map of records that may be None",
        A[dict[str, Item | None], Map()],
        {},
        "without None",
        A[dict[str, Item], Map()],
        {},
        {"a": {"n": 1}},
    ),
    row("Counter on a str", A[str, Counter()], "", "takes int", A[int, Counter()], 0, 1),
    row("Counter on a bool", A[bool, Counter()], False, r"Scalar\(\)", A[bool, Scalar()], False, True),
    row("Counter on an optional int", A[int | None, Counter()], None, "Leave out None", A[int, Counter()], 0, 1),
    row("List on a set", A[set[str], List()], set(), r"Set\(\)", A[set[str], Set()], set(), ["a"]),
    row("List on a str", A[str, List()], "", r"Text\(\)", A[str, Text()], "", "x"),
    row(
        "List on an optional list", A[list[str] | None, List()], None, "Leave out None", A[list[str], List()], [], ["a"]
    ),
    row(
        "a List by a field",
        A[list[Item], List(by="id")],
        [],
        r'Set\(by="id"\)',
        A[list[Item], Set(by="id")],
        [],
        [{"id": "a", "n": 1}],
    ),
    row(
        "a List of plain records by a field",
        A[list[Simple], List(by="id")],
        [],
        r'Set\(by="id"\)',
        A[list[Simple], Set(by="id")],
        [],
        [{"id": "a", "n": 1}],
    ),
    row("a List of texts by a field", A[list[str], List(by="id")], [], r"List\(\)", A[list[str], List()], [], ["a"]),
    row(
        "List of records of state models",
        A[list[Holder], List()],
        [],
        r'by="id"',
        A[list[Holder], Set(by="id")],
        [],
        [{"id": "a", "item": {"n": 1}}],
    ),
    row(
        "List of state models",
        A[list[Item], List()],
        [],
        r'by="id"',
        A[list[Item], Set(by="id")],
        [],
        [{"id": "a", "n": 1}],
    ),
    row("Set of records", A[list[Simple], Set()], [], r'by="id"', A[list[Simple], Set(by="id")], [], [{"id": "a"}]),
    row(
        "Set by no field",
        A[list[Item], Set(by="key")],
        [],
        "with a field 'key'",
        A[list[Item], Set(by="id")],
        [],
        [{"id": "a"}],
    ),
    row(
        "Set by of no records",
        A[list[str], Set(by="id")],
        [],
        "models with a field",
        A[list[Item], Set(by="id")],
        [],
        [{"id": "a"}],
    ),
    row(
        "Set by a counter",
        A[list[Item], Set(by="n")],
        [],
        r"Scalar\(\), or name another",
        A[list[Item], Set(by="id")],
        [],
        [{"id": "a"}],
    ),
    # options and defaults
    row("no default", A[int, Scalar()], ..., "None = None", A[int | None, Scalar()], None, 1),
    row(
        "no default for a date",
        A[dt.date, Scalar()],
        ...,
        "None = None",
        A[dt.date | None, Scalar()],
        None,
        "2026-01-31",
    ),
    row("a default that is no JSON", A[Any, Scalar()], object(), "JSON value as default", A[Any, Scalar()], None, 1),
    row(
        "a default that fails",
        A[int, Scalar()],
        Field(default_factory=lambda: 1 // 0),
        "JSON value as default",
        A[int, Scalar()],
        0,
        1,
    ),
    row("an unknown policy", A[int, Scalar(resolve="biggest")], 0, '"max"', A[int, Scalar(resolve="max")], 0, 1),
    row("no policy at all", A[int, Scalar(resolve=7)], 0, "priority", A[int, Scalar(resolve=priority("a"))], 0, 1),  # type: ignore[arg-type]
    row(
        "max of a list",
        A[list[int], Scalar(resolve="max")],
        [],
        '"latest"',
        A[list[int], Scalar(resolve="latest")],
        [],
        [1],
    ),
    row(
        "max of a union", A[int | str, Scalar(resolve="max")], 0, '"first"', A[int | str, Scalar(resolve="first")], 0, 1
    ),
    row(
        "min of an enum",
        A[Texts, Scalar(resolve="min")],
        Texts.A,
        '"latest"',
        A[Texts, Scalar(resolve="latest")],
        Texts.A,
        "1,2",
    ),
    row(
        "an unknown provisional",
        A[int, Scalar(provisional="newest")],
        0,
        '"latest"',
        A[int, Scalar(provisional="latest")],
        0,
        1,
    ),  # type: ignore[arg-type]
    # what would not read back
    row("bytes", A[bytes, Scalar()], b"", "Base64Bytes", A[Base64Bytes, Scalar()], b"", "YQ=="),
    row("bytes in a set", A[set[bytes], Set()], set(), "Base64Bytes", A[set[Base64Bytes], Set()], set(), ["YQ=="]),
    row("a secret", A[SecretStr | None, Scalar()], None, "use str", A[str | None, Scalar()], None, "x"),
    row("secret bytes", A[SecretBytes | None, Scalar()], None, "use str", A[str | None, Scalar()], None, "x"),
    row("a list of secrets", A[list[SecretStr], List()], [], "use str", A[list[str], List()], [], ["x"]),
    row("functions", A[list[Callable[[int], int]], List()], [], "Store its name", A[list[str], List()], [], ["f"]),
    row(
        "a class as value",
        A[type[BaseModel] | None, Scalar()],
        None,
        "Store its name",
        A[str | None, Scalar()],
        None,
        "M",
    ),
    row("objects", A[list[InstanceOf[Keeper]], List()], [], "PlainSerializer", A[list[Kept], List()], [], ["k"]),
    row(
        "objects by key",
        A[dict[str, InstanceOf[Keeper]], Map()],
        {},
        "another",
        A[dict[str, str], Map()],
        {},
        {"a": "b"},
    ),
    row(
        "an object",
        A[InstanceOf[Keeper] | None, Scalar()],
        None,
        "BeforeValidator",
        A[Kept | None, Scalar()],
        None,
        "k",
    ),
    row(
        "a dataclass that makes a field itself",
        A[Numbered | None, Scalar()],
        None,
        "Leave out init=False",
        A[Plainly | None, Scalar()],
        None,
        {"a": 2},
    ),
    row(
        "a list of what a validator changes each time",
        A[list[A[int, PlainValidator(lambda v: int(v) * 2)]], List()],
        [],
        "leave as it is",
        A[list[int], List()],
        [],
        [2],
    ),
    row("an iterable", A[Iterable[int] | None, Scalar()], None, "Use list", A[list[int] | None, Scalar()], None, [1]),
    row("iterables", A[list[Iterable[int]], List()], [], "Use list", A[list[list[int]], List()], [], [[1]]),
    row(
        "an enum of tuples",
        A[Tuples, Scalar()],
        Tuples.A,
        "members of the enum strings",
        A[Texts, Scalar()],
        Texts.A,
        "1,2",
    ),
    row(
        "an enum of dates",
        A[Dates, Scalar()],
        Dates.A,
        "members of the enum strings",
        A[Texts, Scalar()],
        Texts.A,
        "1,2",
    ),
    row(
        "an enum of tuples in a map",
        A[dict[str, Tuples], Map()],
        {},
        "members of the enum",
        A[dict[str, Texts], Map()],
        {},
        {"a": "1,2"},
    ),
    row(
        "a date or text",
        A[dt.date | str | None, Scalar()],
        None,
        "Use one of the types",
        A[dt.date | None, Scalar()],
        None,
        "2026-01-31",
    ),
    row(
        "an id or text",
        A[UUID | str | None, Scalar()],
        None,
        "Use one of the types",
        A[str | None, Scalar()],
        None,
        "a",
    ),
    row(
        "a set or list", A[set[int] | list[int], Scalar()], [], "Use one of the types", A[list[int], Scalar()], [], [1]
    ),
    row(
        "records that look alike",
        A[Simple | Alike, Scalar()],
        Simple(),
        "types that differ",
        A[Cat | Dog, Scalar()],
        Cat(),
        {"kind": "dog"},
    ),
    row(
        "a field left out of the JSON",
        A[Hiding, Scalar()],
        Hiding(),
        "exclude=True",
        A[Showing, Scalar()],
        Showing(),
        {"a": 1},
    ),
    row(
        "a serializer that loses",
        A[Lossy | None, Scalar()],
        None,
        "Use one|serializers",
        A[Exact, Scalar()],
        Exact(),
        {"at": "2026-01-31"},
    ),
    row(
        "a float for a decimal",
        A[Decimal, PlainSerializer(float), Scalar()],
        Decimal(0),
        "what its serializers give",
        A[Decimal, PlainSerializer(str), Scalar()],
        Decimal(0),
        "0.1",
    ),
    row(
        "a validator that adds",
        A[int, AfterValidator(lambda v: v + 1), Scalar()],
        0,
        "leave as it is",
        A[int, AfterValidator(abs), Scalar()],
        0,
        1,
    ),
    row(
        "a validator for text only",
        A[list[str], BeforeValidator(lambda v: v.split(",")), Scalar()],
        [],
        "take",
        A[list[str], BeforeValidator(lambda v: v.split(",") if isinstance(v, str) else v), Scalar()],
        [],
        "a,b",
    ),
    row(
        "a date to come",
        A[FutureDate | None, Scalar()],
        None,
        "Use date",
        A[dt.date | None, Scalar()],
        None,
        "2026-01-31",
    ),
    row(
        "an instant to come",
        A[FutureDatetime | None, Scalar()],
        None,
        "Use date or datetime",
        A[dt.datetime | None, Scalar()],
        None,
        "2026-01-31T00:00:00",
    ),
    row(
        "a function",
        A[Callable[[int], int] | None, Scalar()],
        None,
        "Store its name",
        A[str | None, Scalar()],
        None,
        "name",
    ),
    row(
        "a row of odd values",
        A[Row | None, Scalar()],
        None,
        "Use one|another type",
        A[GoodRow, Scalar()],
        GoodRow(),
        [1],
    ),
]


def made(field: tuple[Any, Any], **config: Any) -> Any:
    return create_model("Brief", x=field, y=(A[int, Counter()], 0))


@pytest.mark.parametrize("wrong", WRONG, ids=[wrong.name for wrong in WRONG])
def test_a_wrong_field_is_refused_with_the_mend_that_works(wrong: Wrong) -> None:
    """The fault is named once, its mend says what to write, and with that the field is declared, written and read."""
    with pytest.raises(SchemaError) as error:
        Workspace(schemas={NS: made(wrong.field)})
    (fault,) = error.value.faults
    assert fault.path[:2] == ("Brief", "x")
    assert re.search(wrong.mend, fault.mend), fault
    works(made(wrong.mended), {"x": wrong.value})


def works(model: Any, value: dict[str, Any]) -> None:
    """A model can be declared, written and read: nothing is parked, and it reads as Pydantic makes it."""
    ws = Workspace(schemas={NS: model})
    ws.agent("ada").write(NS, "k", value)
    document = ws.get(NS, "k")
    assert document is not None and not document.contested
    for name in document.value:
        assert getattr(document.model, name) == getattr(model(**value), name) or isinstance(value[name], list)


def refused(model: Any, problem: str, mend: str) -> None:
    with pytest.raises(SchemaError) as error:
        Workspace(schemas={NS: model})
    (fault,) = error.value.faults
    assert re.search(problem, fault.problem), fault
    assert re.search(mend, fault.mend), fault


def test_a_forward_reference() -> None:
    """The mend is to define the type, and to rebuild the model."""

    class Ahead(BaseModel):
        x: A[Later | None, Scalar()] = None  # pyright: ignore

    refused(Ahead, "not known yet", r"Ahead\.model_rebuild\(\)")

    class Later(BaseModel):
        a: int = 0

    Ahead.model_rebuild(_types_namespace={**globals(), "Later": Later})
    works(Ahead, {"x": {"a": 1}})


def test_a_forward_reference_in_a_dataclass() -> None:
    """The same where Pydantic does not say it."""

    @dataclasses.dataclass
    class Ahead:
        x: A[Nowhere | None, Scalar()] = None  # noqa: F821  # pyright: ignore

    refused(Ahead, "not known yet", "Define the type")


class Unknown(BaseModel):
    x: A[Nowhere | None, Scalar()] = None  # type: ignore[name-defined]  # noqa: F821  # pyright: ignore


@pytest.mark.parametrize(
    "field",
    [
        (A[Unknown | None, Scalar()], None),
        (A[dict[str, Unknown], Map()], {}),
        (A[list[Unknown], List()], []),
        (A[list[Unknown], Set(by="x")], []),
        (A[dict[str, A[tuple[int, Unknown] | None, Scalar()]], Map()], {}),
        (Unknown | None, None),
    ],
)
def test_a_forward_reference_in_a_record(field: Any) -> None:
    """It is told where the record stands, and of the record, whatever the kind; once the type is known, it works."""
    with pytest.raises(SchemaError) as error:
        Workspace(schemas={NS: made(field)})
    fault = error.value.faults[-1]
    assert fault.path[:2] == ("Brief", "x") and "Unknown uses a type that is not known yet" in fault.problem
    assert "Unknown.model_rebuild()" in fault.mend


class Above(BaseModel):
    plain: A[Below | None, Scalar()] = None
    record: Inner | None = None
    inner: A[dict[str, Inner], Map()] = {}


class Below(BaseModel):
    further: Last | None = None


class Inner(BaseModel):
    further: A[Last | None, Scalar()] = None


class Last(BaseModel):
    a: int = 0


def test_records_that_are_defined_below_their_use() -> None:
    """By the time the model is declared all types are known, and nobody has to rebuild anything."""
    value = {"further": {"a": 1}}
    works(Above, {"plain": value, "record": value, "inner": {"x": value}})


def test_a_root_model() -> None:
    """It has no fields: the mend is a model with one."""

    class Root(RootModel[list[str]]):
        pass

    class Named(BaseModel):
        items: A[list[str], List()] = []

    refused(Root, "no fields", "BaseModel with a field")
    works(Named, {"items": ["a"]})


def test_a_model_in_itself() -> None:
    """The mend is to store a key."""

    class Node(BaseModel):
        next: A[dict[str, Node], Map()] = {}

    Node.model_rebuild(_types_namespace={**globals(), "Node": Node})
    refused(Node, "contains itself", "Store a key")

    class Linked(BaseModel):
        next: A[dict[str, str], Map()] = {}

    works(Linked, {"next": {"a": "key"}})


@pytest.mark.parametrize("alias", ["b", AliasPath("b", 0)])
def test_an_alias_that_is_another_fields_name(alias: Any) -> None:
    """What is given could be either: the mend is another name."""
    for name, wrong in (("b", True), ("c", False)):
        field: Any = (A[int, Scalar()], Field(0, validation_alias=alias))
        model = create_model("Swapped", a=field, **{name: (A[int, Scalar()], 0)})  # type: ignore[call-overload]
        if wrong:
            refused(model, "name of another field", "Rename")
        else:
            Workspace(schemas={NS: model})


def test_a_model_that_does_not_take_its_own_defaults() -> None:
    """A document in which nothing stands yet could not be read: the mend is to take the defaults."""

    class Named(BaseModel):
        name: A[str | None, Scalar()] = None

        @model_validator(mode="after")
        def _has_name(self) -> Named:
            if not self.name:
                raise ValueError("no name")
            return self

    class Doubled(BaseModel):
        n: A[int | None, Scalar()] = None

        def model_post_init(self, context: Any) -> None:
            assert self.n is not None

    class Mended(BaseModel):
        n: A[int | None, Scalar()] = None

        def model_post_init(self, context: Any) -> None:
            assert self.n is None or self.n

    refused(Named, "nothing was written yet.*no name", "take the defaults")
    refused(Doubled, "nothing was written yet", "model_post_init")
    works(Mended, {"n": 1})


def test_a_required_key_of_a_typed_dict() -> None:
    """A ``TypedDict`` has no defaults: the mend is ``NotRequired``."""

    class Wanting(TypedDict):
        x: A[int, Scalar()]

    class Mended(TypedDict):
        x: NotRequired[A[int, Scalar()]]

    refused(Wanting, "no default", "NotRequired")
    ws = Workspace(schemas={NS: Mended})
    ws.agent("ada").write(NS, "k", {"x": 1})
    document = ws.get(NS, "k")
    assert document is not None and document.model == {"x": 1}


def test_a_validator_of_the_model_that_takes_no_stored_value() -> None:
    """It refuses what is stored of every value: nothing could be read."""

    class Brief(BaseModel):
        x: A[list[str], Scalar()] = []

        @field_validator("x", mode="before")
        @classmethod
        def _split(cls, value: Any) -> Any:
            return value.split(",")

    refused(Brief, "cannot be read back|read back not at all", "take")


@pytest.mark.parametrize("model", [7, None, "Brief", int, dict, [1]])
def test_what_is_no_model(model: Any) -> None:
    """The mend names what is one."""
    refused(model, "no state model|no model", "BaseModel")


@pytest.mark.parametrize(("option", "mended"), [({"on_delete": "keep"}, "update"), ({"on_invalid": "drop"}, "raise")])
def test_options_of_a_schema(option: Any, mended: str) -> None:
    """The mend names those there are."""
    model = made((A[int, Counter()], 0))
    refused(Schema(model, **option), "unknown", mended)
    Workspace(schemas={NS: Schema(model, **dict.fromkeys(option, mended))})


@pytest.mark.parametrize("by", [["a"], {"a": 1}, 7, {"a"}])
def test_what_is_no_name_of_a_field_identifies_nothing(by: Any) -> None:
    """It is told as any other wrong name."""

    class Row(BaseModel):
        a: A[str, Scalar()] = ""

    refused(made((A[list[Row], Set(by=by)], [])), "Set", "must be models with a field")
    works(made((A[list[Row], Set(by="a")], [])), {"x": [{"a": "1"}]})


def test_there_are_eighty() -> None:
    """As many as were promised."""
    assert len(WRONG) + 10 >= 80 and len({wrong.name for wrong in WRONG}) == len(WRONG)
    assert collections.Counter(wrong.name for wrong in WRONG).most_common(1)[0][1] == 1


def test_defaults_that_fit_are_taken() -> None:
    """Equal values of other types, None for one value, what breaks a constraint, and what Pydantic is told to
    convert, which are stored converted."""

    class Fitting(BaseModel):
        cost: A[Decimal, Counter()] = Decimal(0)
        whole: A[Decimal, Counter()] = 0  # type: ignore[assignment]
        share: A[float, Counter()] = 0
        stars: A[int, Field(ge=1), Counter()] = 0
        name: A[str, StringConstraints(min_length=1), Text()] = ""
        lower: A[str, StringConstraints(to_lower=True), Scalar()] = "ABC"
        status: A[str, Scalar()] = None  # type: ignore[assignment]
        votes: A[int, Counter()] = Field("7", validate_default=True)  # type: ignore[assignment]

    with Workspace(schemas={NS: Fitting}) as ws:
        with ws.agent("ada").edit(NS, "k") as edited:
            edited.votes += 1
        found = ws.get(NS, "k")
        assert found is not None and found.value == {"votes": 8}


class Sent(BaseModel):
    when: dt.datetime = None  # type: ignore[assignment]
    stars: int = Field(-1, ge=0)
    size: Decimal = 0  # type: ignore[assignment]


class SentAndChecked(Sent):
    title: str = ""

    @field_validator("title")
    @classmethod
    def _title(cls, value: str) -> str:
        return value.strip()


class Wrapped(BaseModel):
    sent: dict[str, Sent] = {}


@pytest.mark.parametrize("record", [Sent, SentAndChecked, Wrapped])
@pytest.mark.parametrize("kind", ["scalar", "list", "map", "set"])
def test_defaults_in_a_record_that_could_not_be_read_back(record: Any, kind: str) -> None:
    """A record that is one value is stored with its defaults: what its types do not take would make the document
    unreadable, and is told field by field."""
    fields: dict[str, Any] = {
        "scalar": (A[record | None, Scalar()], None),
        "list": (A[list[record], List()], []),
        "map": (A[dict[str, record], Map()], {}),
        "set": (A[list[create_model("Known", __base__=record, id=(str, ""))], Set(by="id")], []),
    }
    with pytest.raises(SchemaError) as error:
        Workspace(schemas={NS: made(fields[kind])})
    when, stars = error.value.faults
    assert when.path == stars.path == ("Brief", "x")
    assert re.search(r"default None of \w+\.when could not be read back", when.problem)
    assert "Write `datetime | None`" in when.mend
    assert re.search(r"default -1 of \w+\.stars could not be read back", stars.problem)


class Signed(BaseModel):
    name: A[str, AfterValidator(str.lower)] = "Ada"
    role: str = " chief "

    @field_validator("role")
    @classmethod
    def _role(cls, value: str) -> str:
        return value.strip()


class SignedAsRead(Signed):
    name: A[str, AfterValidator(str.lower)] = "ada"
    role: str = "chief"


class SignedAndShown(Signed):
    name: A[str, AfterValidator(str.lower)] = Field("Ada", validate_default=True)
    role: str = Field(" chief ", validate_default=True)


@pytest.mark.parametrize("holder", [lambda of: (A[of | None, Scalar()], None), lambda of: (A[list[of], List()], [])])
def test_defaults_in_a_record_that_its_validators_change(holder: Callable[[Any], Any]) -> None:
    """Of a default in a record that would be read back as another value the fault names both and two mends, and a
    model mended in either way is taken."""
    with pytest.raises(SchemaError) as error:
        Workspace(schemas={NS: made(holder(Signed))})
    assert [fault.problem for fault in error.value.faults] == [
        "the default 'Ada' of Signed.name would be read back as 'ada'",
        "the default ' chief ' of Signed.role would be read back as 'chief'",
    ]
    assert all("validate_default=True" in fault.mend for fault in error.value.faults)
    for mended in (SignedAsRead, SignedAndShown):
        Workspace(schemas={NS: made(holder(mended))})


class Rounded(BaseModel):
    price: A[Decimal, PlainValidator(lambda value: value.quantize(Decimal("0.01")))] = Decimal(1)


def test_a_default_whose_stored_form_a_validator_does_not_take() -> None:
    """Of a default that its validator takes as it stands, but not as it is stored, the mend is to take both."""
    with pytest.raises(SchemaError) as error:
        Workspace(schemas={NS: made((A[Rounded | None, Scalar()], None))})
    [fault] = error.value.faults
    assert "Let its validators take its JSON form too" in fault.mend


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="Pydantic takes it from Python 3.12 on")
def test_a_typed_dict_that_pydantic_refuses() -> None:
    """Pydantic's word on it is a fault of the model like any other."""
    with pytest.raises(SchemaError, match=r"Page: Pydantic refuses it: .*typing_extensions"):
        Workspace(schemas={NS: typing.TypedDict("Page", {"x": A[str, Text()]})})
