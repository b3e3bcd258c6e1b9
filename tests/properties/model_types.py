"""Hypothesis strategies for state models: types of fields with values of them, and models made of such fields."""

from __future__ import annotations

import base64
import datetime as dt
import enum
import ipaddress
import pathlib
import re
import typing as t
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field as dataclass_field
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar, Union

from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    HttpUrl,
    Json,
    NaiveDatetime,
    PastDate,
    PlainSerializer,
    SecretStr,
    Strict,
    StringConstraints,
    WrapValidator,
    create_model,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from concordant import Counter, List, Map, Scalar, Set, Text, Tree

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Number(enum.Enum):
    ONE = 1
    TWO = 2


class Pair(enum.Enum):
    A = (1, 2)
    B = (3, 4)


class Flags(enum.Flag):
    A = 1
    B = 2


class Plain(BaseModel):
    a: int = 0
    seen: set[str] = set()


class Twin(BaseModel):
    a: int = 0
    seen: set[str] = set()


class Aliased(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)
    first_name: str = ""


class Hidden(BaseModel):
    a: int = Field(0, exclude=True)


class Checked(BaseModel):
    a: str = ""

    @field_validator("a", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return value.strip() if isinstance(value, str) else value


class Box(BaseModel, Generic[T]):
    inside: T | None = None


class Row(NamedTuple):
    a: int = 0
    b: str = ""


class Cell(TypedDict, total=False):
    a: int
    b: dt.date


@dataclass
class Point:
    x: int = 0
    at: dt.datetime | None = None
    tags: list[str] = dataclass_field(default_factory=list)


@dataclass(frozen=True)
class Kind:
    """A type, a strategy for its values, and whether they can be elements of a set."""

    annotation: Any
    values: st.SearchStrategy[Any]
    hashable: bool = True
    refused: bool = False


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\n"), max_size=8)
ZONES = st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=2)), dt.timezone(dt.timedelta(hours=-5, minutes=-30))])
AWARE = st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(2100, 1, 1), timezones=ZONES)
NAIVE = st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(2100, 1, 1))
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9)
INTS = st.integers(-(10**20), 10**20)
SPANS = st.timedeltas(dt.timedelta(days=-10_000), dt.timedelta(days=10_000))
JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | WORDS, lambda inner: st.lists(inner, max_size=2), max_leaves=4
)

LEAVES: list[Kind] = [
    Kind(int, INTS),
    Kind(str, WORDS),
    Kind(float, st.floats(allow_nan=False)),
    Kind(bool, st.booleans()),
    Kind(Decimal, DECIMALS),
    Kind(dt.date, st.dates()),
    Kind(dt.datetime, AWARE | NAIVE),
    Kind(AwareDatetime, AWARE),
    Kind(NaiveDatetime, NAIVE),
    Kind(PastDate, st.dates(max_value=dt.date(2020, 1, 1))),
    Kind(dt.time, st.times()),
    Kind(dt.timedelta, SPANS),
    Kind(uuid.UUID, st.uuids()),
    Kind(complex, st.complex_numbers(allow_nan=False, allow_infinity=False, max_magnitude=1e6)),
    Kind(Fraction, st.fractions(max_denominator=1000)),
    Kind(Colour, st.sampled_from(Colour)),
    Kind(Level, st.sampled_from(Level)),
    Kind(Number, st.sampled_from(Number)),
    Kind(Flags, st.sampled_from([Flags.A, Flags.B, Flags.A | Flags.B])),
    Kind(Literal["a", "b"], st.sampled_from(["a", "b"])),
    Kind(Literal[1, 2], st.sampled_from([1, 2])),
    Kind(pathlib.PurePosixPath, st.sampled_from([pathlib.PurePosixPath("a/b"), pathlib.PurePosixPath("/c")])),
    Kind(ipaddress.IPv4Address, st.ip_addresses(v=4)),
    Kind(ipaddress.IPv6Address, st.ip_addresses(v=6)),
    Kind(re.Pattern[str], st.sampled_from([re.compile("a+"), re.compile("b")])),
    Kind(ByteSize, st.integers(0, 10**12).map(ByteSize)),
    Kind(HttpUrl, st.sampled_from([HttpUrl("https://example.org/a"), HttpUrl("http://b.example/")])),
    Kind(Annotated[int, Field(ge=-5, le=5)], st.integers(-5, 5)),
    Kind(Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True)], st.sampled_from(["a", "b c"])),
    Kind(Annotated[dt.date, Strict()], st.dates()),
    Kind(Annotated[str, AfterValidator(str.lower)], st.sampled_from(["a", "b c"])),
    Kind(Annotated[int, BeforeValidator(lambda v: v.strip() if isinstance(v, str) else v)], st.integers(-9, 9)),
    Kind(Annotated[int, WrapValidator(lambda v, handler: handler(v))], st.integers(-9, 9)),
    Kind(Annotated[Decimal, PlainSerializer(str)], DECIMALS),
    Kind(t.NewType("Name", str), WORDS),
    Kind(Base64Bytes, st.binary(max_size=8).map(base64.encodebytes)),
    Kind(Json[list[int]], st.sampled_from(["[1]", "[]", "[2,3]"]), hashable=False),
    Kind(Any, JSON, hashable=False),
    Kind(Plain, st.builds(Plain, a=st.integers(0, 9), seen=st.sets(st.sampled_from("abc"))), hashable=False),
    Kind(Aliased, st.builds(lambda n: Aliased.model_validate({"firstName": n}), WORDS), hashable=False),
    Kind(Checked, st.builds(Checked, a=WORDS), hashable=False),
    Kind(Box[int], st.builds(Box[int], inside=st.none() | st.integers(0, 9)), hashable=False),
    Kind(Box[dt.date], st.builds(Box[dt.date], inside=st.dates()), hashable=False),
    Kind(Row, st.builds(Row, st.integers(0, 9), WORDS)),
    Kind(Cell, st.fixed_dictionaries({}, optional={"a": st.integers(0, 9), "b": st.dates()}), hashable=False),
    Kind(Point, st.builds(Point, st.integers(0, 9), st.none() | AWARE, st.lists(WORDS, max_size=2)), hashable=False),
]
"""Types of single values."""

DOUBTFUL: list[Kind] = [
    Kind(bytes, st.binary(max_size=4), refused=True),
    Kind(SecretStr, st.builds(SecretStr, WORDS), refused=True),
    Kind(Pair, st.sampled_from(Pair), refused=True),
    Kind(Hidden, st.builds(Hidden, a=st.integers(1, 9)), hashable=False, refused=True),
    Kind(dt.date | str, st.dates(), refused=True),
    Kind(Plain | Twin, st.builds(Twin, a=st.integers(1, 9)), hashable=False, refused=True),
    Kind(Annotated[int, AfterValidator(lambda v: v + 1)], st.integers(0, 9), refused=True),
    Kind(Annotated[Decimal, PlainSerializer(float)], DECIMALS, refused=True),
]
"""Types with values that would not read back: to be refused."""


@st.composite
def kinds(draw: st.DrawFn, depth: int = 2) -> Kind:
    """A type: of single values, or made of others."""
    made = draw(st.integers(0, 9)) if depth else 0
    if made < 5:
        return draw(st.sampled_from(LEAVES if draw(st.integers(1, 100)) < 98 else DOUBTFUL))
    inner = draw(kinds(depth - 1))
    if made == 5:
        return Kind(Union[inner.annotation, None], st.none() | inner.values, inner.hashable, inner.refused)  # noqa: UP007
    if made == 6:
        return Kind(list[inner.annotation], st.lists(inner.values, max_size=3), False, inner.refused)
    if made == 7 and inner.hashable:
        return Kind(frozenset[inner.annotation], st.frozensets(inner.values, max_size=3), True, inner.refused)
    if made == 8:
        return Kind(dict[str, inner.annotation], st.dictionaries(WORDS, inner.values, max_size=3), False, inner.refused)
    return Kind(tuple[int, inner.annotation], st.tuples(st.integers(0, 9), inner.values), inner.hashable, inner.refused)


@dataclass(frozen=True)
class Part:
    """A field: its annotation with the kind, its default, a strategy for what is written of it, and how it merges."""

    annotation: Any
    default: Any
    values: st.SearchStrategy[Any]
    kind: str


KEYS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (str, WORDS),
    (int, st.integers(-3, 3)),
    (Colour, st.sampled_from(Colour)),
    (Number, st.sampled_from(Number)),
    (Literal[1, 2], st.sampled_from([1, 2])),
    (Literal["x", "y"], st.sampled_from(["x", "y"])),
    (uuid.UUID, st.uuids()),
]


LETTERS = st.sampled_from("abc")
TREES = st.dictionaries(
    LETTERS,
    st.recursive(
        st.sampled_from([1, True, "x", None, [1, 2], {}]),
        lambda inner: st.dictionaries(LETTERS, inner, max_size=2),
        max_leaves=4,
    ),
    max_size=3,
)
TEMPLATES: list[Part] = [
    Part(Annotated[str, Text()], "# Title. One.", st.sampled_from(["One.", "a b"]), "text"),
    Part(Annotated[int, Counter()], 10, st.integers(-9, 9), "counter"),
    Part(Annotated[set[str], Set()], {"a", "z"}, st.sets(LETTERS), "set"),
    Part(Annotated[list[str], List()], ["a", "a"], st.lists(LETTERS, max_size=3), "list"),
    Part(Annotated[dict[str, int], Map()], {"a": 1, "z": 2}, st.dictionaries(LETTERS, st.integers(0, 2)), "map"),
    Part(Annotated[dict[str, Any], Tree()], {"a": {"b": [1]}, "z": 2}, TREES, "tree"),
]
"""Fields with defaults that say something."""


@st.composite
def parts(draw: st.DrawFn, depth: int = 1) -> Part:
    """A field of a state model."""
    made = draw(
        st.sampled_from(["scalar"] * 6 + ["set", "list", "map", "text", "counter", "record", "keyed", "template"])
    )
    if made == "text":
        strip = StringConstraints(strip_whitespace=True)
        functions = draw(st.sampled_from([(), (BeforeValidator(str),), (strip,)]))
        texts = st.sampled_from(["One.", "a b"])
        return Part(
            Annotated[(str, Text(), *functions)],
            draw(st.sampled_from([..., ""])),
            texts,
            made,
        )
    if made == "template":
        return draw(st.sampled_from(TEMPLATES))
    if made == "counter":
        number, values = draw(
            st.sampled_from([(int, st.integers(-9, 9)), (Decimal, DECIMALS), (float, st.integers(-9, 9).map(float))])
        )
        return Part(Annotated[number, Counter()], draw(st.sampled_from([..., number(0)])), values, made)
    if made in ("record", "keyed") and depth:
        model = draw(models(depth - 1, most=3))
        if made == "record":
            optional = draw(st.booleans())
            annotation = model.type | None if optional else model.type
            return Part(annotation, None if optional else ..., model.values, made)
        return _keyed(model)
    inner = draw(kinds(1 if made != "scalar" else 2))
    if made == "set" and inner.hashable and Any not in t.get_args(inner.annotation):
        holder = draw(st.sampled_from([set, frozenset]))
        functions = draw(st.sampled_from([(), (BeforeValidator(_split),), (AfterValidator(lambda v: v),)]))
        default = draw(st.sampled_from([..., holder()]))
        return Part(
            Annotated[(holder[inner.annotation], Set(), *functions)], default, st.sets(inner.values, max_size=4), made
        )
    if made == "list":
        holder = draw(st.sampled_from([list[inner.annotation], tuple[inner.annotation, ...]]))
        return Part(Annotated[holder, List()], ..., st.lists(inner.values, max_size=4), made)
    if made == "map":
        key, keys_ = draw(st.sampled_from(KEYS))
        return Part(
            Annotated[dict[key, inner.annotation], Map()], ..., st.dictionaries(keys_, inner.values, max_size=3), made
        )
    functions = draw(st.sampled_from([(), (), (AfterValidator(lambda v: v),), (WrapValidator(lambda v, h: h(v)),)]))
    default = draw(st.sampled_from(["none", "factory"]))
    return Part(
        Annotated[(inner.annotation | None, Scalar(), *functions)],
        None if default == "none" else Field(default_factory=lambda: None),
        st.none() | inner.values,
        "scalar",
    )


def _split(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


def _keyed(model: Model) -> Part:
    identified = create_model("Item", __base__=model.type, id=(Annotated[str, Scalar()], ""))
    values = st.dictionaries(st.sampled_from(["p", "q", "r"]), model.values, max_size=3)
    return Part(
        Annotated[list[identified], Set(by="id")],
        ...,
        values.map(lambda found: [{**fields, "id": key} for key, fields in found.items()]),
        "keyed",
    )


@dataclass(frozen=True)
class Model:
    """A state model, its parts by name, and a strategy for what is written of it."""

    type: Any
    parts: dict[str, Part]
    values: st.SearchStrategy[dict[str, Any]]


NAMES = ["user_name", "b", "c_d_e", "id", "x1"]


class _Base(BaseModel):
    inherited: Annotated[int, Counter()] = 0


class _Validated(BaseModel):
    inherited: Annotated[int, Counter()] = 0

    @model_validator(mode="before")
    @classmethod
    def _before(cls, data: Any) -> Any:
        return dict(data) if isinstance(data, dict) else data

    @model_validator(mode="wrap")
    @classmethod
    def _wrapped(cls, data: Any, handler: Callable[[Any], Any]) -> Any:
        return handler(data)

    @model_validator(mode="after")
    def _after(self) -> t.Self:
        return self


class _Camel(_Base):
    model_config = ConfigDict(alias_generator=to_camel)


class _Strict(_Base):
    model_config = ConfigDict(strict=True, frozen=False, validate_default=True)


@st.composite
def models(draw: st.DrawFn, depth: int = 1, most: int = 5) -> Model:
    """A state model: fields of several kinds, aliases, defaults, validators, a base class."""
    base = draw(st.sampled_from([_Base, _Base, _Validated, _Camel, _Strict]))
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=most, unique=True))
    found = {name: draw(parts(depth)) for name in names}
    fields: dict[str, Any] = {}
    for name, part in found.items():
        fields[name] = (part.annotation, part.default)
    if draw(st.booleans()) and base is not _Camel:
        name = names[0]
        alias = draw(st.sampled_from([{"alias": "anAlias"}, {"validation_alias": AliasChoices("one", "two")}]))
        default = found[name].default
        if not isinstance(default, type(Field())):
            fields[name] = (found[name].annotation, Field(default, **alias))
    made = create_model("Generated", __base__=base, **fields)
    optional = {name: part.values for name, part in found.items()}
    return Model(made, found, st.fixed_dictionaries({}, optional={**optional, "inherited": st.integers(-3, 3)}))
