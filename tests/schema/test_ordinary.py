"""Ordinary Pydantic models: aliases, validators, defaults, equality, optional records, keys, dataclasses."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import ipaddress
import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated as A, Any, Literal, NotRequired, Optional, TypeVar

import pytest
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    HttpUrl,
    Json,
    PlainSerializer,
    PlainValidator,
    PrivateAttr,
    SecretStr,
    Strict,
    StringConstraints,
    ValidationInfo,
    WrapValidator,
    computed_field,
    create_model,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic_core import core_schema
from typing_extensions import TypeAliasType, TypedDict

from concordant import (
    DELETED,
    Counter,
    InvalidWriteError,
    List,
    Map,
    Scalar,
    Schema,
    SchemaError,
    Set,
    Text,
    Workspace,
)

NS = ("d",)


def workspace(model: Any, **options: Any) -> Workspace:
    return Workspace(schemas={NS: model}, **options)


def shown(ws: Workspace) -> dict[str, Any]:
    document = ws.get(NS, "k")
    assert document is not None
    return document.value


def model_of(ws: Workspace) -> Any:
    document = ws.get(NS, "k")
    assert document is not None
    return document.model


# -- aliases -----------------------------------------------------------------------------------------------------------


class Inside(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)
    id: A[str, Scalar()] = ""
    first_name: A[str | None, Scalar()] = None
    tag_set: A[set[str], Set()]


class Outside(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)
    my_in: Inside = Inside.model_construct()
    in_map: A[dict[str, Inside], Map()] = {}
    in_list: A[list[Inside], Set(by="id")] = []
    deep: A[int | None, Scalar()] = Field(None, validation_alias=AliasPath("p", 0, "q"))
    choices: A[int | None, Scalar()] = Field(None, validation_alias=AliasChoices("c1", AliasPath("c2", "x")))


def test_names_and_aliases_are_both_taken_at_every_depth() -> None:
    """Field aliases, generated ones, choices and paths; stored is the field's name, in records, maps and lists."""
    ws = workspace(Outside)
    ws.agent("a").write(
        NS,
        "k",
        {
            "myIn": {"firstName": "x", "tagSet": ["1"]},
            "inMap": {"m": {"firstName": "y"}},
            "in_list": [{"id": "1", "first_name": "z"}],
            "p": [{"q": 5}],
            "c2": {"x": 7},
        },
    )
    assert shown(ws) == {
        "my_in": {"first_name": "x", "tag_set": ["1"]},
        "in_map": {"m": {"first_name": "y"}},
        "in_list": [{"id": "1", "first_name": "z"}],
        "deep": 5,
        "choices": 7,
    }
    with ws.agent("b").edit(NS, "k") as draft:
        draft.my_in.tag_set.add("2")
        draft.in_map["n"] = Inside(firstName="n", tagSet=["q"])  # type: ignore[call-arg]
        draft.choices = 8
    assert shown(ws)["my_in"]["tag_set"] == ["1", "2"] and shown(ws)["choices"] == 8
    assert shown(ws)["in_map"]["n"] == {"first_name": "n", "tag_set": ["q"]}
    before = shown(ws)
    ws.put(NS, "k", before)
    assert shown(ws) == before and not ws.escalations()


@pytest.mark.parametrize("config", [ConfigDict(), ConfigDict(populate_by_name=True), ConfigDict(extra="forbid")])
def test_what_is_refused_is_told_by_the_fields_name(config: ConfigDict) -> None:
    """An ill-typed value under an alias waits at the field's path; an unknown field is unknown under aliases, too."""
    model = create_model(
        "M",
        __config__=config,
        user_id=(A[int, Scalar()], Field(0, alias="userId")),
        tags=(A[set[int], Set()], Field(default_factory=set, validation_alias="theTags")),
    )
    ws = workspace(model)
    ws.agent("a").write(NS, "k", {"userId": "bad", "theTags": [1]})
    (escalation,) = ws.escalations()
    assert (escalation.path, escalation.reason) == (("user_id",), "type") and shown(ws) == {"tags": [1]}
    ws.resolve(escalation, 5, by="x")
    assert shown(ws) == {"user_id": 5, "tags": [1]}
    with pytest.raises(InvalidWriteError) as error:
        workspace(Schema(model, on_invalid="raise")).agent("a").write(NS, "k", {"userId": "bad", "nope": 1})
    assert {fault.path[0] for fault in error.value.faults} == {"user_id", "nope"}


# -- validators --------------------------------------------------------------------------------------------------------


def pieces(separator: str) -> Any:
    return BeforeValidator(lambda value: value.split(separator) if isinstance(value, str) else value)


class Named(BaseModel):
    a: A[str | None, Scalar()] = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        return {"a": data} if isinstance(data, str) else data


class EveryKind(BaseModel):
    s: A[set[str], pieces(" "), AfterValidator(lambda v: {x.lower() for x in v}), Set()]
    items: A[list[str], List(), WrapValidator(lambda v, handler: handler(v.split() if isinstance(v, str) else v))]
    m: A[
        dict[str, int],
        Map(),
        BeforeValidator(lambda v: dict(p.split("=") for p in v.split()) if isinstance(v, str) else v),
    ]
    t: A[str, Text(), BeforeValidator(str), AfterValidator(str.strip)]
    c: A[int, Counter(), BeforeValidator(lambda v: int(v.replace(",", "")) if isinstance(v, str) else v)]
    r: Named = Named()
    k: A[dict[str, Named], Map()] = {}
    d: A[Decimal, Counter()] = Decimal(0)
    z: A[list[str], Set()] = []
    w: A[str, Text(), StringConstraints(to_lower=True)] = ""

    @field_validator("r", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return {"a": f"number {value}"} if isinstance(value, int) else value

    @field_validator("z", mode="wrap")
    @classmethod
    def _parts(cls, value: Any, handler: Any) -> Any:
        return handler(value.split(";") if isinstance(value, str) else value)

    @field_validator("d", mode="before")
    @classmethod
    def _dollars(cls, value: Any) -> Any:
        return value.strip("$") if isinstance(value, str) else value


def test_before_and_wrap_validators_run_for_every_kind() -> None:
    """In metadata and by decorator, for the field and for the model inside it; what they return is contributed."""
    ws = workspace(EveryKind)
    given = {"s": "A b", "items": "x y", "m": "a=1 b=2", "t": 12, "c": "1,000", "r": 3, "k": {"q": "hi"}}
    ws.agent("a").write(NS, "k", {**given, "d": "$1.5", "z": "p;q", "w": "LOUD"})
    value = shown(ws)
    assert sorted(value.pop("s")) == ["a", "b"]
    assert value == {
        "items": ["x", "y"],
        "m": {"a": 1, "b": 2},
        "t": "12",
        "c": 1000,
        "r": {"a": "number 3"},
        "k": {"q": {"a": "hi"}},
        "d": "1.5",
        "z": ["p", "q"],
        "w": "loud",
    }
    assert not ws.escalations()
    with ws.agent("b").edit(NS, "k") as draft:
        draft.s.add("C")
        draft.items.append("z")
        draft.c += 1
    assert sorted(shown(ws)["s"]) == ["a", "b", "c"] and shown(ws)["c"] == 1001


class Person(BaseModel):
    first: A[str | None, Scalar()] = None
    last: A[str | None, Scalar()] = None
    n: A[int, Counter()] = 0

    @model_validator(mode="before")
    @classmethod
    def _split(cls, data: Any) -> Any:
        if isinstance(data, dict) and "full" in data:
            data["first"], data["last"] = data.pop("full").split()
        return data

    @model_validator(mode="wrap")
    @classmethod
    def _renamed(cls, data: Any, handler: Any) -> Any:
        if isinstance(data, dict) and "number" in data:
            data = {**data, "n": data["number"]}
            del data["number"]
        return handler(data)

    @model_validator(mode="after")
    def _differ(self) -> Person:
        if self.first is not None and self.first == self.last:
            raise ValueError("the names are the same")
        return self


def test_validators_of_the_model_see_what_is_given_and_what_is_merged() -> None:
    """Those that come before the fields make of a write what they make of any input; those after judge the whole."""
    ws = workspace(Person)
    given = {"full": "Ada Lovelace", "number": 3}
    ws.agent("a").write(NS, "k", given)
    assert shown(ws) == {"first": "Ada", "last": "Lovelace", "n": 3} and given["full"] == "Ada Lovelace"
    ws.agent("a").write(NS, "k", {"last": "Ada"})
    assert [escalation.reason for escalation in ws.escalations()] == ["invalid"]
    assert model_of(ws).first == "Ada"


def test_a_wrap_validator_may_answer_for_its_type() -> None:
    """What it returns in the place of what its handler refused is what counts."""

    def lenient(value: Any, handler: Any) -> Any:
        try:
            return handler(value)
        except ValueError:
            return handler([])

    class Brief(BaseModel):
        tags: A[set[int], Set(), WrapValidator(lenient)] = set()
        r: A[dict[str, int], Map(), WrapValidator(lambda v, h: h({"a": 1}) if v == "one" else h(v))] = {}

    ws = workspace(Brief)
    ws.agent("a").write(NS, "k", {"tags": "no list", "r": "one"})
    assert shown(ws) == {"tags": [], "r": {"a": 1}} and not ws.escalations()


class Range(BaseModel):
    start: A[int, Scalar()] = 0
    end: A[int, Scalar()] = 10

    @field_validator("end")
    @classmethod
    def _ordered(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data["start"]:
            raise ValueError("the end is before the start")
        return value


def test_a_validator_that_needs_other_fields_judges_the_merged_document() -> None:
    """A write of one field says nothing of the other: it is no error that the validator fails to find it."""
    ws = workspace(Range)
    ws.agent("a").write(NS, "k", {"start": -20})
    ws.agent("a").write(NS, "k", {"end": -5})
    assert shown(ws) == {"start": -20, "end": -5} and not ws.escalations()
    ws.agent("a").write(NS, "k", {"end": -30})
    assert [escalation.reason for escalation in ws.escalations()] == ["invalid"]


def test_a_validator_that_crashes_is_our_own_clear_error() -> None:
    """No bare ``AttributeError`` comes out, and nothing is stored."""

    class Brief(BaseModel):
        x: A[Any, Scalar()] = None

        @field_validator("x")
        @classmethod
        def _stripped(cls, value: Any) -> Any:
            return value if value is None else value.strip()

    ws = workspace(Brief)
    with pytest.raises(InvalidWriteError, match="AttributeError") as error:
        ws.agent("a").write(NS, "k", {"x": 5})
    assert error.value.faults[0].path == ("x",) and ws.get(NS, "k") is None


def test_a_check_of_a_container_judges_the_whole_not_what_is_added() -> None:
    """One element more is no violation of "at least two"; the merged value is checked."""

    def several(value: set[str]) -> set[str]:
        if len(value) == 1:
            raise ValueError("one is not enough")
        return value

    class Brief(BaseModel):
        tags: A[set[str], Set(), AfterValidator(several)] = set()

    ws = workspace(Brief)
    ws.agent("a").write(NS, "k", {"tags": ["a", "b"]})
    ws.agent("a").write(NS, "k", {"tags": ["c"]})
    assert shown(ws) == {"tags": ["a", "b", "c"]} and not ws.escalations()


# -- defaults ----------------------------------------------------------------------------------------------------------


class Entry(BaseModel):
    a: A[str | None, Scalar()] = None
    u: A[str, Scalar()] = Field(default_factory=lambda: uuid.uuid4().hex)
    k: A[int, Counter()] = 0
    tags: A[set[str], Set()] = set()


class Defaults(BaseModel):
    id: A[str, Scalar()] = Field(default_factory=lambda: uuid.uuid4().hex)
    m: A[dict[str, Entry], Map()] = {}
    items: A[list[Entry], Set(by="a")] = []
    inner: Entry = Field(default_factory=Entry)
    deep: Entry = Entry(a="x")


def test_untouched_defaults_are_never_written_nor_contested() -> None:
    """Of the document, of nested records, of the values of maps and of records in lists; factories included."""
    ws = workspace(Defaults)
    a, b = ws.agent("a"), ws.agent("b")
    with a.edit(NS, "k") as hers, b.edit(NS, "k") as his:
        hers.m["k"] = Entry(a="q")
        his.m["k"] = Entry(k=2)
        hers.inner.k += 1
        his.inner.tags.add("t")
        hers.deep.k = 5
        his.deep.tags.add("z")
    assert shown(ws) == {
        "m": {"k": {"a": "q", "k": 2}},
        "inner": {"k": 1, "tags": ["t"]},
        "deep": {"k": 5, "tags": ["z"]},
    }
    assert not ws.escalations()
    with a.edit(NS, "k") as hers, b.edit(NS, "k") as his:
        hers.items.append(Entry(a="i", k=1))
        his.items.append(Entry(a="i", tags={"w"}))
    assert shown(ws)["items"] == [{"a": "i", "k": 1, "tags": ["w"]}] and not ws.escalations()


def test_a_default_record_stays_in_the_fields_that_nobody_writes() -> None:
    """Writing one field of it does not make the others forget what the default says."""
    ws = workspace(Defaults)
    ws.agent("a").write(NS, "k", {"deep": {"k": 1}})
    assert (model_of(ws).deep.a, model_of(ws).deep.k) == ("x", 1)


class Template(BaseModel):
    text: A[str, Text()] = "# Title\n\nIntro."
    items: A[list[str], List()] = ["one", "two"]
    m: A[dict[str, str], Map()] = {"a": "1", "b": "2"}
    c: A[int, Counter()] = 10
    s: A[set[str], Set()] = {"x", "y"}
    inner: Address | None = None


def change(draft: Any, name: str) -> None:
    """One of two changes of a template."""
    if name == "ada":
        draft.text += "\nBy Ada."
        draft.items.append("three")
        draft.m["c"] = "3"
        draft.c += 1
        draft.s.add("z")
    else:
        draft.text = draft.text.replace("Title", "Heading")
        draft.items.remove("one")
        draft.m["a"] = "9"
        draft.c += 2
        draft.s.discard("x")


CHANGED = {
    "text": "# Heading\n\nIntro.\nBy Ada.",
    "items": ["two", "three"],
    "m": {"a": "9", "b": "2", "c": "3"},
    "c": 13,
    "s": {"y", "z"},
}


@pytest.mark.parametrize("stored", [False, True])
def test_edits_of_a_default_change_one_and_the_same(stored: bool, tmp_path: Any) -> None:
    """A template is not doubled, nothing that nobody touched is contested, and it reads the same when reopened."""
    url = f"sqlite:///{tmp_path}/x.db"
    with Workspace(*[url] if stored else [], schemas={NS: Template}) as ws:
        with ws.agent("ada").edit(NS, "k") as hers, ws.agent("bob").edit(NS, "k") as his:
            change(hers, "ada")
            change(his, "bob")
        assert {**shown(ws), "s": set(shown(ws)["s"])} == CHANGED and not ws.escalations(state="all")
        credits = {credit.agent for found in ws.blame(NS, "k").values() for credit in found}
        assert credits == {"ada", "bob", "default"}
        with ws.agent("eve").edit(NS, "k") as draft:
            del draft.m["b"]
            draft.items.clear()
            draft.s -= {"y"}
        assert (shown(ws)["m"], shown(ws)["items"], shown(ws)["s"]) == ({"a": "9", "c": "3"}, [], ["z"])
        before = shown(ws)
    if stored:
        with Workspace(url, schemas={NS: Template}) as again:
            assert shown(again) == before


def test_a_default_is_there_again_after_its_document_was_deleted() -> None:
    """Who edits the document anew is shown the default, and keeps it; what was cleared stays cleared."""
    ws = workspace(Template)
    with ws.agent("ada").edit(NS, "k") as draft:
        change(draft, "ada")
    ws.agent("ada").delete(NS, "k")
    with ws.agent("bob").edit(NS, "k") as draft:
        draft.text += "\nAgain."
        draft.c += 1
    assert shown(ws) == {"text": "# Title\n\nIntro.\nAgain.", "c": 11}
    ws = workspace(Template)
    with ws.agent("bob").edit(NS, "k") as his:
        with ws.agent("ada").edit(NS, "k") as hers:
            hers.text, hers.items = "", []
        his.text += "\nAgain."
        his.items.append("three")
    assert shown(ws) == {"text": "Again.", "items": ["three"]}


@pytest.mark.parametrize("order", [("ada", "bob"), ("bob", "ada")])
def test_edits_of_a_default_in_two_stores_change_one_and_the_same(order: tuple[str, str]) -> None:
    """Each store puts the default there for itself, and it is one when they meet; twice changes nothing."""
    stores = {name: workspace(Template, replica=name) for name in order}
    for name, ws in stores.items():
        with ws.agent(name).edit(NS, "k") as draft:
            change(draft, name)
    one, two = stores.values()
    for _ in range(2):
        one.exchange(two)
        assert shown(one) == shown(two) and not one.escalations(state="all")
        assert {**shown(one), "s": set(shown(one)["s"]), "items": set(shown(one)["items"])} == {
            **CHANGED,
            "items": {"two", "three"},
        }


@pytest.mark.parametrize("lives", [1, 2, 3])
@pytest.mark.parametrize("order", [("ada", "bob"), ("bob", "ada")])
def test_edits_of_a_default_that_was_deleted_change_one_and_the_same(order: tuple[str, str], lives: int) -> None:
    """After a deletion the default begins anew, once, though two stores put it there each for itself."""
    stores = [workspace(Template, replica=name) for name in order]
    one, two = stores
    for number in range(lives):
        with stores[number % 2].agent("eve").edit(NS, "k") as draft:
            change(draft, "eve")
        one.exchange(two)
        stores[(number + 1) % 2].agent("eve").delete(NS, "k")
        one.exchange(two)
    for name, ws in zip(order, stores, strict=True):
        with ws.agent(name).edit(NS, "k") as draft:
            change(draft, name)
    for _ in range(2):
        one.exchange(two)
        assert shown(one) == shown(two) and not one.escalations(state="all")
        assert {**shown(one), "s": set(shown(one)["s"]), "items": set(shown(one)["items"])} == {
            **CHANGED,
            "items": {"two", "three"},
        }


def test_an_instance_contributes_what_was_set_or_changed_in_it() -> None:
    """Fields given, assigned, and containers and records that were changed in place; no other default."""
    given = Defaults()
    given.inner.k = 9
    given.m["new"] = Entry(a="n")
    given.deep.tags.add("inst")
    ws = workspace(Defaults)
    ws.agent("a").write(NS, "k", given)
    assert shown(ws) == {"inner": {"k": 9}, "m": {"new": {"a": "n"}}, "deep": {"tags": ["inst"]}}


def test_a_default_that_is_made_of_other_fields() -> None:
    """Is shown, and written no more than any other default."""

    class Brief(BaseModel):
        title: A[str, Scalar()] = "x"
        slug: A[str, Scalar()] = Field(default_factory=lambda data: data["title"].lower())
        n: A[int, Counter()] = 0

    ws = workspace(Brief)
    ws.agent("a").write(NS, "k", Brief(title="ABC"))
    with ws.agent("b").edit(NS, "k") as draft:
        draft.n += 1
    assert shown(ws) == {"title": "ABC", "n": 1} and model_of(ws).slug == "abc"


def test_computed_fields_are_nobodys_to_write() -> None:
    """What ``model_dump`` gives can be written; what is computed is left out."""

    class Brief(BaseModel):
        n: A[int, Scalar()] = 1

        @computed_field  # type: ignore[prop-decorator]
        @property
        def double(self) -> int:
            return 2 * self.n

    ws = workspace(Brief)
    ws.agent("a").write(NS, "k", Brief(n=2).model_dump())
    assert shown(ws) == {"n": 2} and model_of(ws).double == 4


def test_an_edit_of_what_cannot_be_copied() -> None:
    """A lock in a private attribute is no hindrance."""

    class Locked(BaseModel):
        x: A[int, Counter()] = 0
        _lock: Any = PrivateAttr(default_factory=threading.Lock)

    ws = workspace(Locked)
    with ws.agent("a").edit(NS, "k") as draft:
        draft.x += 1
    assert shown(ws) == {"x": 1}


# -- values ------------------------------------------------------------------------------------------------------------


class Odd(BaseModel):
    b: A[Base64Bytes | None, Scalar()] = None
    j: A[Json[list[int]] | None, Scalar()] = None
    bs: A[set[Base64Bytes], Set()] = set()
    m: A[dict[str, Base64Bytes], Map()] = {}
    s: A[A[SecretStr, PlainSerializer(lambda s: s.get_secret_value())] | None, Scalar()] = None
    d: A[A[dt.date, Strict()] | None, Scalar()] = None


def test_what_validation_would_change_twice_is_kept_exactly() -> None:
    """Encoded bytes, JSON in text, secrets with a serializer: given as input, as an instance, and edited."""
    ws = workspace(Odd)
    given = Odd(b=b"YQ==", j="[1,2]", bs=[b"Yg=="], m={"x": b"Yw=="}, s="hunter2", d=dt.date(2026, 1, 1))  # type: ignore[arg-type]
    ws.agent("a").write(NS, "k", given)
    assert model_of(ws) == given
    ws.put(NS, "k", shown(ws))
    assert model_of(ws) == given and not ws.escalations()
    with ws.agent("b").edit(NS, "k") as draft:
        draft.b = b"zz"
        draft.bs = {b"new"}
        draft.m["y"] = b"q"
    assert (model_of(ws).b, model_of(ws).bs, model_of(ws).m) == (b"zz", {b"new"}, {"x": b"c", "y": b"q"})
    assert model_of(ws).s.get_secret_value() == "hunter2"


class Street(BaseModel):
    name: A[str, Scalar()] = ""
    visits: A[int, Counter()] = 0


class Place(BaseModel):
    """A record that is made of records only."""

    street: Street = Street()
    other: Street | None = None


def test_a_record_of_records_alone_merges_field_by_field() -> None:
    """A model whose fields are records is a state model, however deep their kinds are."""
    fields: dict[str, Any] = {"home": (Place, Place()), "known": (A[dict[str, Place], Map()], {})}
    ws = workspace(create_model("Person", **fields))
    began = ws.moment()
    for name in ("ada", "bob"):
        part = {"street": {"visits": 1}, "other": {"name": name} if name == "ada" else {"visits": 2}}
        ws.agent(name, began=began).write(NS, "k", {"home": part, "known": {"a": part}})
    merged = {"street": {"visits": 2}, "other": {"name": "ada", "visits": 2}}
    assert shown(ws) == {"home": merged, "known": {"a": merged}} and not ws.escalations()


class Point:
    """A class of another library, of which Pydantic knows nothing."""

    def __init__(self, x: int) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and other.x == self.x

    def __hash__(self) -> int:
        return self.x

    @staticmethod
    def of(given: Any) -> Any:
        return given if isinstance(given, Point) else Point(int(given))


class PointSchema:
    """What makes a type of it, as Pydantic's documentation has it."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        written = core_schema.plain_serializer_function_ser_schema(lambda point: point.x)
        return core_schema.no_info_plain_validator_function(Point.of, serialization=written)


POINTS: dict[str, Any] = {
    "schema": A[Point, PointSchema],
    "function": A[Point, GetPydanticSchema(PointSchema.__get_pydantic_core_schema__)],
    "validator": A[Point, BeforeValidator(Point.of), PlainSerializer(lambda point: point.x)],
    "plain": A[Point, PlainValidator(Point.of), PlainSerializer(lambda point: point.x)],
    "anything": A[Any, PlainValidator(Point.of), PlainSerializer(lambda point: point.x)],
}


@pytest.mark.parametrize("way", POINTS)
def test_classes_of_other_libraries(way: str) -> None:
    """What stands beside a class, or what its model allows, makes a type of it, whatever kind the field has."""
    point = POINTS[way]
    fields: dict[str, Any] = {
        "one": (A[point, Scalar()], Point(1)),
        "maybe": (A[Optional[point], Scalar()], None),  # noqa: UP045
        "row": (A[list[point], List()], []),
        "bag": (A[set[point], Set()], set()),
        "map": (A[dict[str, point], Map()], {}),
    }
    model = create_model("Places", __config__=ConfigDict(arbitrary_types_allowed=True), **fields)
    ws = workspace(model)
    given = {"one": 7, "maybe": 7, "row": [7, 7], "bag": [7], "map": {"a": 7}}
    began = ws.moment()
    for name, value in (("ada", given), ("bob", model(**given))):
        ws.agent(name, began=began).write(NS, "k", value if name == "ada" else {"one": value.one, "map": value.map})
    document = ws.get(NS, "k")
    assert document is not None and not document.contested
    assert document.value == given and document.model == model(**given)
    with ws.agent("eve").edit(NS, "k") as draft:
        draft.one, draft.map["b"] = Point(8), Point(9)
        draft.bag.add(Point(8))
    assert shown(ws) == {**given, "one": 8, "map": {"a": 7, "b": 9}, "bag": [7, 8]}
    assert workspace(model).get(NS, "k") is None


def test_a_default_has_the_form_in_which_it_is_stored() -> None:
    """A serializer of the field's type makes that of a default too: writing it anew changes nothing."""
    number = A[int, PlainSerializer(hex), BeforeValidator(lambda n: int(n, 16) if isinstance(n, str) else n)]
    ws = workspace(create_model("Coded", n=(A[number, Scalar()], 255), s=(A[set[str], Set()], set())))
    ada, bob = ws.agent("ada"), ws.agent("bob")
    with ada.edit(NS, "k") as hers, bob.edit(NS, "k") as his:
        hers.n = his.n = 16
        his.s.add("x")
    assert shown(ws) == {"n": "0x10", "s": ["x"]} and not ws.escalations(state="all")
    with ws.agent("eve").edit(NS, "other") as draft:
        draft.n = 255
        draft.s.add("y")
    found = ws.get(NS, "other")
    assert found is not None and found.value == {"s": ["y"]}


def test_a_value_that_would_not_read_back_is_refused_when_it_is_written() -> None:
    """Where only some values of a type would not: nothing of the write is applied, and the field is named."""

    class Brief(BaseModel):
        x: A[Decimal, PlainSerializer(lambda v: float(v) if abs(v) > 10**6 else str(v)), Scalar()] = Decimal(0)

    ws = workspace(Brief)
    ws.agent("a").write(NS, "k", {"x": "0.1"})
    with pytest.raises(InvalidWriteError, match="read back") as error:
        ws.agent("a").write(NS, "k", {"x": "1234567.12345678901234567"})
    assert error.value.faults[0].path == ("x",) and shown(ws) == {"x": "0.1"}


Tags = TypeAliasType("Tags", A[set[str], Set(), Field(max_length=3)])
Same = TypeAliasType("Same", Tags)
Count = TypeAliasType("Count", A[int, Counter()])
Item = TypeVar("Item")
Rows = TypeAliasType("Rows", A[list[Item], List()], type_params=(Item,))
Words = TypeAliasType("Words", set[str])
Deep = TypeAliasType("Deep", "int | list[Deep]")
Endless = TypeAliasType("Endless", A[dict[str, "Endless"], Map()])


class Aliased(BaseModel):
    """Types that have names, as ``type Tags = ...`` makes them."""

    tags: Tags = set()
    same: Same = set()
    count: Count = 0
    counts: A[dict[str, Count], Map()] = {}
    row: Rows[int] = []
    words: A[Words, Set()] = set()
    deep: A[Deep, Scalar()] = 0


@dataclasses.dataclass
class AliasedToo:
    tags: Tags = dataclasses.field(default_factory=set)
    count: Count = 0


class AliasedDict(TypedDict, total=False):
    tags: Tags
    count: Count


def test_a_name_for_a_type_says_what_it_stands_for() -> None:
    """A kind and a constraint that are declared once, under a name, hold in every model that uses it; a name that
    leads back to itself is known as well."""
    ws = workspace(Aliased)
    ada, bob = ws.agent("ada"), ws.agent("bob")
    given = {"tags": ["a"], "same": ["a"], "count": 1, "counts": {"x": 1}, "row": [1], "words": ["a"], "deep": [1, [2]]}
    ada.write(NS, "k", given)
    bob.write(NS, "k", Aliased(tags={"b"}, count=1, counts={"x": 1}, row=[2], words={"b"}, deep=[1, [2]]))
    with ada.edit(NS, "k") as draft:
        draft.tags.add("c")
        draft.row.insert(0, 9)
    assert model_of(ws) == Aliased(
        tags={"a", "b", "c"}, same={"a"}, count=2, counts={"x": 2}, row=[9, 1, 2], words={"a", "b"}, deep=[1, [2]]
    )
    bob.write(NS, "k", {"tags": ["d"]})
    assert [(e.path, e.reason) for e in ws.escalations()] == [(("tags",), "invalid")]


@pytest.mark.parametrize("model", [AliasedToo, AliasedDict])
def test_names_for_types_of_dataclasses_and_typed_dicts(model: Any) -> None:
    """They say what they stand for there too."""
    ws = workspace(model)
    for name in ("ada", "bob"):
        ws.agent(name).write(NS, "k", {"tags": [name], "count": 1})
    assert shown(ws) == {"tags": ["ada", "bob"], "count": 2}


def test_a_kind_under_a_name_is_never_passed_over() -> None:
    """Around it another kind, or a type in which it says nothing: the model is refused, and so is one without end."""
    for annotation in (A[Tags, Scalar()], Tags | None, A[list[Count], List()], Endless):
        with pytest.raises(SchemaError):
            workspace(create_model("Wrong", x=(annotation, None)))


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    id: A[str, Scalar()] = ""
    n: A[int, Counter()] = 0


class Holder(BaseModel):
    model_config = ConfigDict(extra="allow")
    tags: A[set[str], Set()] = set()
    one: Loose = Loose()
    by_key: A[dict[str, Loose], Map()] = {}
    listed: A[list[Loose], Set(by="id")] = []


class Camel(Holder):
    model_config = ConfigDict(extra="allow", alias_generator=to_camel, populate_by_name=True)


STRAY: dict[str, Any] = {
    "": lambda draft: setattr(draft, "stray", 1),
    "one": lambda draft: setattr(draft.one, "stray", 1),
    "by_key": lambda draft: setattr(draft.by_key["x"], "stray", 1),
    "by_key, new": lambda draft: draft.by_key.update(y=Loose(n=1, stray=1)),
    "listed": lambda draft: setattr(draft.listed[0], "stray", 1),
    "listed, new": lambda draft: draft.listed.append(Loose(id="2", stray=1)),
}


@pytest.mark.parametrize("model", [Holder, Camel])
@pytest.mark.parametrize("place", STRAY)
def test_g1_g11_what_an_instance_holds_besides_its_fields_is_refused_not_dropped(place: str, model: Any) -> None:
    """Where a model allows extra fields: a contribution and an edit that bring one are refused, as a dict that does."""
    ws = workspace(model)
    ada = ws.agent("ada")
    ada.write(NS, "k", {"tags": ["a"], "one": {"n": 1}, "by_key": {"x": {"n": 1}}, "listed": [{"id": "1", "n": 1}]})
    before = shown(ws)
    given = model_of(ws)
    STRAY[place](given)
    for write in (lambda: ada.write(NS, "k", given), lambda: edited(ws, STRAY[place])):
        with pytest.raises(InvalidWriteError, match="stray: the model has no such field"):
            write()
    assert shown(ws) == before
    edited(ws, lambda draft: draft.tags.add("b"))
    assert shown(ws)["tags"] == ["a", "b"]


def edited(ws: Workspace, change: Any) -> None:
    with ws.agent("eve").edit(NS, "k") as draft:
        change(draft)


@pytest.mark.parametrize("alias", [None, "UID"])
def test_g1_records_that_are_known_by_what_their_model_made(alias: str | None) -> None:
    """An identity from a ``default_factory`` is written with the record that has it, in a contribution, in an edit and
    in an instance of the document; a dict without one waits for a decision."""

    class Task(BaseModel):
        uid: A[uuid.UUID, Scalar()] = Field(default_factory=uuid.uuid4, alias=alias)
        done: A[int, Counter()] = 0

    class Board(BaseModel):
        tasks: A[list[Task], Set(by="uid")] = []

    ws = workspace(Board)
    one, two, three = (Task(done=number) for number in range(3))
    ws.agent("ada").write(NS, "k", {"tasks": [one]})
    ws.agent("bob").write(NS, "k", Board(tasks=[one, two]))
    edited(ws, lambda draft: draft.tasks.append(three))
    assert not ws.escalations()
    assert [task.uid for task in model_of(ws).tasks] == [one.uid, two.uid, three.uid]
    ws.agent("eve").write(NS, "k", {"tasks": [{"done": 1}]})
    assert [e.reason for e in ws.escalations()] == ["type"] and len(model_of(ws).tasks) == 3


NAN = float("nan")
NUMBERS: dict[str, tuple[Any, Any, Any]] = {
    "row": (A[Sequence[float | None], List()], [], [NAN, 1.0]),
    "value": (A[Sequence[float | None] | None, Scalar()], None, [NAN, 1.0]),
    "nested": (A[list[Sequence[float | None]], List()], [], [[NAN]]),
    "map": (A[dict[str, Sequence[float | None]], Map()], {}, {"a": [NAN]}),
}


@pytest.mark.parametrize("way", NUMBERS)
def test_g1_nan_in_a_sequence_stays_what_it_is(way: str) -> None:
    """In an edit and in an instance as in a dict it does not become ``None``."""
    annotation, default, value = NUMBERS[way]
    model: Any = create_model("Numbers", x=(annotation, default))
    ws = workspace(model)
    ws.agent("ada").write(NS, "given", {"x": value})
    ws.agent("ada").write(NS, "instance", model(x=value))
    edited(ws, lambda draft: setattr(draft, "x", value))
    found = [ws.get(NS, key) for key in ("given", "instance", "k")]
    assert [repr(document and document.value) for document in found] == [repr({"x": value})] * 3


def test_g3_nan_in_a_sequence_is_another_value_than_none() -> None:
    """Two agents who write the one and the other at once are asked."""
    ws = workspace(create_model("Numbers", x=(A[Sequence[float | None] | None, Scalar()], None)))
    ada, bob = ws.agent("ada"), ws.agent("bob")
    ada.write(NS, "k", {"x": [NAN]})
    bob.write(NS, "k", {"x": [None]})
    assert [e.reason for e in ws.escalations()] == ["scalar"]


HOSTS: list[tuple[Any, Any, list[Any], list[Any]]] = [
    (list[ipaddress.IPv4Address], Set(), ["1.1.1.1", "1.1.1.1"], ["1.1.1.1"]),
    (list[ipaddress.IPv6Network], Set(), ["::/8", "::/8"], ["::/8"]),
    (list[HttpUrl], Set(), ["http://a.b", "http://a.b/"], ["http://a.b/"]),
    (Sequence[int | str], List(), [1, "a"], [1, "a"]),
]


@pytest.mark.parametrize(("annotation", "kind", "given", "stored"), HOSTS)
def test_types_that_are_tried_out_and_do(annotation: Any, kind: Any, given: Any, stored: Any) -> None:
    """A list that repeats an element is a set without the repetition; a sequence of several types reads back."""
    ws = workspace(create_model("Hosts", x=(A[annotation, kind], [])))
    ws.agent("ada").write(NS, "k", {"x": given})
    assert shown(ws) == {"x": stored} and not ws.escalations()


# -- equality ----------------------------------------------------------------------------------------------------------


class Part(BaseModel):
    s: set[int] = set()
    at: dt.datetime | None = None
    d: Decimal = Decimal(0)


NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
ONE = dt.datetime(2026, 1, 1, 13, tzinfo=dt.timezone(dt.timedelta(hours=1)))
SAME: list[tuple[Any, Any, Any]] = [
    (set[int], [0, 8], [8, 0]),
    (frozenset[frozenset[int]], [[0, 8], [1]], [[1], [8, 0]]),
    (dict[str, set[int]], {"q": [0, 8]}, {"q": [8, 0]}),
    (list[Part], [{"s": [8, 0]}], [{"s": [0, 8]}]),
    (Part, {"s": [0, 8], "at": NOON, "d": "1.10"}, {"s": [8, 0], "at": ONE, "d": "1.1"}),
    (dt.datetime, NOON, ONE),
    (dict[dt.datetime, int], {NOON: 1}, {ONE: 1}),
    (dt.time, "12:00:00Z", "13:00:00+01:00"),
    (tuple[dt.datetime, set[str]], [NOON, ["a", "b"]], [ONE, ["b", "a"]]),
    (dt.datetime | int, NOON, ONE),
    (Decimal, "1.10", "1.1"),
]


@pytest.mark.parametrize(("annotation", "one", "two"), SAME)
def test_equal_values_agree_in_any_order_and_zone(annotation: Any, one: Any, two: Any) -> None:
    """As a scalar, as a value of a map, as an item of a list."""
    ws = workspace(
        create_model(
            "M",
            x=(A[annotation | None, Scalar()], None),
            m=(A[dict[str, annotation], Map()], {}),
            items=(A[list[annotation], List()], []),
        )
    )
    a, b = ws.agent("a"), ws.agent("b")
    a.write(NS, "k", {"x": one, "m": {"k": one}})
    b.write(NS, "k", {"x": two, "m": {"k": two}})
    assert not ws.escalations(state="all")
    a.write(NS, "k", {"items": [one]})
    with b.edit(NS, "k") as draft:
        draft.items = [*draft.items[:0], two]
    assert len(shown(ws)["items"]) == 1


def test_equal_instants_are_one_element_of_a_set() -> None:
    """Added in two zones it stands once, and a removal of the one removes it."""
    ws = workspace(create_model("M", s=(A[set[dt.datetime], Set()], set())))
    ws.agent("a").write(NS, "k", {"s": [NOON]})
    ws.agent("b").write(NS, "k", {"s": [ONE]})
    assert len(shown(ws)["s"]) == 1
    with ws.agent("c").edit(NS, "k") as draft:
        draft.s.discard(NOON)
    assert shown(ws) == {"s": []}


IN_ANOTHER_PROCESS = """
import sys
sys.path.insert(0, {folder!r})
from concordant import Workspace
from {module} import NS, Hashed, WORDS
ws = Workspace(schemas={{NS: Hashed}}, replica=sys.argv[1])
ws.agent(sys.argv[1]).write(NS, "k", {{"x": set(WORDS), "t": {{"a": frozenset(WORDS)}}, "s": set(WORDS)}})
print(ws.get(NS, "k").value)
sys.stdout.flush()
sys.stdout.buffer.write(b"\\0" + ws.export())
"""
WORDS = [f"word{number}" for number in range(12)]


class Hashed(BaseModel):
    x: A[set[str] | None, Scalar()] = None
    t: A[dict[str, frozenset[str]], Map()] = {}
    s: A[list[str], Set()] = []


def test_sets_of_two_processes_agree(tmp_path: Any) -> None:
    """Python orders a set of texts differently in each process: stored, it is in one order."""
    (tmp_path / "shared_model.py").write_text(
        "from typing import Annotated as A\nfrom pydantic import BaseModel\nfrom concordant import Map, Scalar, Set\n"
        f"NS = {NS!r}\nWORDS = {WORDS!r}\n"
        "class Hashed(BaseModel):\n"
        "    x: A[set[str] | None, Scalar()] = None\n"
        "    t: A[dict[str, frozenset[str]], Map()] = {}\n"
        "    s: A[list[str], Set()] = []\n"
    )
    code = IN_ANOTHER_PROCESS.format(folder=str(tmp_path), module="shared_model")
    ws = workspace(Hashed, replica="here")
    seen = []
    for seed, name in (("1", "one"), ("2", "two")):
        done = subprocess.run(
            [sys.executable, "-c", code, name], capture_output=True, check=True, env={"PYTHONHASHSEED": seed}
        )
        said, _, frame = done.stdout.partition(b"\0")
        seen.append(said)
        ws.import_(frame)
    assert not ws.escalations(state="all") and seen[0] == seen[1]


# -- policies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["max", "min"])
def test_a_policy_that_cannot_compare_leaves_the_question_open(policy: Any) -> None:
    """An instant with a zone and one without have no order; numbers beside them have."""
    model = create_model(
        "M",
        at=(A[dt.datetime | None, Scalar(resolve=policy)], None),
        time=(A[dt.time | None, Scalar(resolve=policy)], None),
        f=(A[float | None, Scalar(resolve=policy)], None),
    )
    ws = workspace(model)
    a, b, c = ws.agent("a"), ws.agent("b"), ws.agent("c")
    a.write(NS, "k", {"at": "2026-01-01T12:00:00", "time": "12:00:00", "f": float("nan")})
    b.write(NS, "k", {"at": "2026-01-02T12:00:00Z", "time": "13:00:00Z", "f": 1.0})
    assert sorted(escalation.path for escalation in ws.escalations()) == [("at",), ("time",)]
    c.write(NS, "k", {"at": None})
    assert model_of(ws) is not None and ws.history(NS, "k") and ws.export()
    for escalation in ws.escalations():
        ws.resolve(escalation, escalation.contenders[0].value, by="e")
    assert ws.escalations() == []


# -- optional records --------------------------------------------------------------------------------------------------


class Address(BaseModel):
    city: A[str | None, Scalar()] = None
    visits: A[int, Counter()] = 0


class Customer(BaseModel):
    home: Address | None = None
    work: Address | None = Address(city="default")


def test_an_optional_record_merges_by_its_fields_and_may_be_none() -> None:
    """Two that are made at once are one; ``None`` deletes it, as far as it was seen, and it may begin anew."""
    ws = workspace(Customer)
    a, b = ws.agent("a"), ws.agent("b")
    with a.edit(NS, "k") as hers, b.edit(NS, "k") as his:
        hers.home = Address(visits=1)
        his.home = Address(city="Graz")
    assert shown(ws) == {"home": {"city": "Graz", "visits": 1}} and not ws.escalations()
    with a.edit(NS, "k") as hers:
        hers.home = hers.work = None
    assert shown(ws) == {"home": None, "work": None}
    assert (model_of(ws).home, model_of(ws).work) == (None, None)
    b.refresh()
    b.write(NS, "k", {"home": {"visits": 4}})
    assert shown(ws)["home"] == {"visits": 4}
    b.write(NS, "k", {"home": None})
    assert shown(ws)["home"] is None
    other = workspace(Customer, replica="other")
    other.import_(ws.export())
    assert shown(other) == shown(ws)


@pytest.mark.parametrize(
    ("decision", "want"), [(DELETED, None), ({"city": "Graz", "visits": 1}, {"city": "Graz", "visits": 1})]
)
def test_an_optional_record_deleted_here_and_changed_there_is_asked_about(decision: Any, want: Any) -> None:
    """The question is one of reason ``delete``, and a decision settles it."""
    ws = workspace(Customer)
    ws.agent("p").write(NS, "k", {"home": {"city": "Graz"}})
    a, b = ws.agent("a"), ws.agent("b")
    with a.edit(NS, "k") as hers, b.edit(NS, "k") as his:
        hers.home = None
        his.home.visits += 1
    (escalation,) = ws.escalations()
    assert (escalation.path, escalation.reason) == (("home",), "delete")
    assert model_of(ws).home.visits == 1
    ws.resolve(escalation, decision, by="e")
    assert shown(ws)["home"] == want and not ws.escalations()


# -- keys, tuples ------------------------------------------------------------------------------------------------------


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


class Colour(enum.StrEnum):
    RED = "red"


class Keyed(BaseModel):
    a: A[dict[int, str], Map()] = {}
    b: A[dict[Level, A[int, Counter()]], Map()] = {}
    c: A[dict[Literal[1, 2], Address], Map()] = {}
    d: A[dict[Colour, A[set[str], Set()]], Map()] = {}
    e: A[dict[uuid.UUID, int], Map()] = {}
    f: A[dict[dt.date, int], Map()] = {}


def test_maps_with_keys_that_are_no_text() -> None:
    """Numbers, enums, literals, ids and dates: merged by key, stored as text, read as what they are."""
    ws = workspace(Keyed)
    one, day = uuid.UUID(int=1), dt.date(2026, 1, 1)
    ws.agent("x").write(
        NS,
        "k",
        {
            "a": {1: "x"},
            "b": {Level.LOW: 3},
            "c": {1: {"visits": 1}},
            "d": {"red": ["q"]},
            "e": {one: 1},
            "f": {day: 1},
        },
    )
    model = model_of(ws)
    assert (model.a, model.b, model.d, model.e, model.f) == (
        {1: "x"},
        {Level.LOW: 3},
        {Colour.RED: {"q"}},
        {one: 1},
        {day: 1},
    )
    a, b = ws.agent("a"), ws.agent("b")
    with a.edit(NS, "k") as hers, b.edit(NS, "k") as his:
        hers.b[Level.LOW] += 1
        his.b[Level.LOW] += 2
        hers.a[2] = "y"
        del his.a[1]
        hers.c[1].visits += 1
        his.c[2] = Address(visits=5)
    assert shown(ws)["a"] == {"2": "y"} and shown(ws)["b"] == {"1": 6}
    assert shown(ws)["c"] == {"1": {"visits": 2}, "2": {"visits": 5}} and not ws.escalations()
    before = shown(ws)
    a.read(NS, "k")
    ws.put(NS, "k", before, a.scope)
    assert shown(ws) == before


def test_keys_that_become_one_are_told_where_they_are() -> None:
    """However deep: by the names of the fields and keys that lead there."""

    class Inner(BaseModel):
        counts: A[dict[A[str, StringConstraints(to_lower=True)], int], Map()] = {}

    class Outer(BaseModel):
        one: Inner = Inner()
        many: A[dict[str, Inner], Map()] = {}

    ws = workspace(Outer)
    twice = {"counts": {"A": 1, "a": 2}}
    for given, path in (
        ({"one": twice}, ("one", "counts", "a")),
        ({"many": {"x": twice}}, ("many", "x", "counts", "a")),
    ):
        with pytest.raises(InvalidWriteError, match="become one") as error:
            ws.agent("ada").write(NS, "k", given)
        assert error.value.faults[0].path == path


def test_keys_that_are_none_wait_by_key() -> None:
    """The rest of the map is taken; one that is given twice, as number and as text, refuses the write."""
    ws = workspace(Keyed)
    ws.agent("a").write(NS, "k", {"b": {"zz": 1, "2": 4}, "a": {"x": "bad", 3: "good"}})
    assert sorted(escalation.path for escalation in ws.escalations()) == [("a", "x"), ("b", "zz")]
    assert shown(ws) == {"b": {"2": 4}, "a": {"3": "good"}} and model_of(ws).b == {Level.HIGH: 4}
    with pytest.raises(InvalidWriteError, match="become one"):
        ws.agent("a").write(NS, "k", {"a": {1: "x", "1": "y"}})


def test_dicts_in_scalars_have_such_keys_too() -> None:
    """Of the scalar itself and of values of a map: read as what they are, and taken as text."""

    class Brief(BaseModel):
        a: A[dict[Level, int], Scalar()] = {}
        b: A[dict[Literal[1, 2], str] | None, Scalar()] = None
        m: A[dict[str, dict[Level, int]], Map()] = {}

    ws = workspace(Brief)
    ws.agent("a").write(NS, "k", {"a": {Level.LOW: 1}, "b": {1: "x"}, "m": {"q": {Level.HIGH: 3}}})
    assert model_of(ws) == Brief(a={Level.LOW: 1}, b={1: "x"}, m={"q": {Level.HIGH: 3}})
    before = shown(ws)
    bob = ws.agent("b")
    bob.read(NS, "k")
    ws.put(NS, "k", before, bob.scope)
    assert shown(ws) == before == {"a": {"1": 1}, "b": {"1": "x"}, "m": {"q": {"2": 3}}} and not ws.escalations()


def test_tuples() -> None:
    """Of one type they are lists and sets, of places scalars; a model has them as tuples."""

    class Tuples(BaseModel):
        items: A[tuple[int, ...], List()] = ()
        tags: A[tuple[str, ...], Set()] = ()
        place: A[tuple[int, str] | None, Scalar()] = None

    ws = workspace(Tuples)
    a, b = ws.agent("a"), ws.agent("b")
    with a.edit(NS, "k") as hers, b.edit(NS, "k") as his:
        his.items += (2,)
        hers.items += (1,)
        hers.tags += ("a",)
        his.tags += ("b", "a")
        hers.place = (1, "q")
    assert model_of(ws) == Tuples(items=(2, 1), tags=("b", "a"), place=(1, "q"))


# -- dataclasses and TypedDicts ----------------------------------------------------------------------------------------


@dataclasses.dataclass
class Leaf:
    n: A[int, Counter()] = 0
    s: A[str | None, Scalar()] = None


@dataclasses.dataclass
class Tree:
    tags: A[set[str], Set()]
    leaf: Leaf = dataclasses.field(default_factory=Leaf)
    maybe: Leaf | None = None
    leaves: A[dict[str, Leaf], Map()] = dataclasses.field(default_factory=dict)
    text: A[str, Text()] = ""


@pydantic_dataclass
class Checked:
    tags: A[set[str], Set()] = Field(default_factory=set)
    text: A[str, Text()] = ""
    x: A[int, Scalar()] = 0

    @field_validator("x", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return len(value) if isinstance(value, list) else value


def test_dataclasses_are_state_models() -> None:
    """Nested ones too: a document's model is an instance, and so is what an edit gives."""
    ws = workspace(Tree)
    ws.agent("x").write(NS, "k", {"tags": ["a"], "leaf": {"n": 1}})
    assert model_of(ws) == Tree(tags={"a"}, leaf=Leaf(n=1))
    a, b = ws.agent("a"), ws.agent("b")
    with a.edit(NS, "k") as hers, b.edit(NS, "k") as his:
        hers.leaf.n += 1
        his.leaf.n += 1
        hers.tags.add("b")
        his.tags.discard("a")
        hers.leaves["k"] = Leaf(n=2)
        his.leaves["k"] = Leaf(s="v")
        hers.maybe = Leaf(s="m")
    assert model_of(ws) == Tree(tags={"b"}, leaf=Leaf(n=3), maybe=Leaf(s="m"), leaves={"k": Leaf(n=2, s="v")})
    assert not ws.escalations()
    ws.agent("x").write(NS, "k", Tree(tags={"z"}, text="hello"))
    assert model_of(ws).text == "hello" and model_of(ws).leaf == Leaf(n=3)


def test_pydantics_dataclasses_run_their_validators() -> None:
    """As its models do."""
    ws = workspace(Checked)
    ws.agent("a").write(NS, "k", {"x": [1, 2], "tags": ["a"]})
    assert model_of(ws) == Checked(tags={"a"}, x=2)


class Row(TypedDict, total=False):
    n: A[int, Counter()]
    s: A[str | None, Scalar()]


class Table(TypedDict):
    tags: A[set[str], Set()]
    row: Row
    text: A[str, Text()]
    x: NotRequired[A[int, Scalar()]]


def test_typed_dicts_are_state_models() -> None:
    """A document's model is a dict with natural values for what has them, and without what was never written."""
    ws = workspace(Table)
    ws.agent("x").write(NS, "k", {"tags": ["a"], "row": {"n": 1}})
    assert model_of(ws) == {"tags": {"a"}, "row": {"n": 1}, "text": ""}
    a, b = ws.agent("a"), ws.agent("b")
    with a.edit(NS, "k") as hers, b.edit(NS, "k") as his:
        hers["row"]["n"] += 1
        his["row"]["n"] += 1
        hers["tags"].add("b")
        his["tags"].discard("a")
        his["x"] = 5
        hers["text"] = "hi"
    assert shown(ws) == {"tags": ["b"], "row": {"n": 3}, "text": "hi", "x": 5} and not ws.escalations()


# -- records in lists --------------------------------------------------------------------------------------------------


class Task(BaseModel):
    id: A[str, Scalar()]
    steps: A[list[str], List()]
    votes: A[int, Counter()]
    note: A[str, Text()]
    seen: A[dict[str, int], Map()]


class Steps(BaseModel):
    steps: A[list[str], List()]


def test_the_natural_defaults_of_records_in_a_list_apply() -> None:
    """A record needs to give no more than what identifies it, in a list and in a map."""
    ws = workspace(create_model("M", items=(A[list[Task], Set(by="id")], []), by=(A[dict[str, Steps], Map()], {})))
    ws.agent("a").write(NS, "k", {"items": [{"id": "1"}], "by": {"k": {}}})
    empty = Task(id="1", steps=[], votes=0, note="", seen={})
    assert (model_of(ws).items, model_of(ws).by) == ([empty], {"k": Steps(steps=[])})
    with ws.agent("b").edit(NS, "k") as draft:
        draft.items[0].votes += 1
        draft.items[0].steps.append("one")
    assert shown(ws)["items"] == [{"id": "1", "steps": ["one"], "votes": 1}] and not ws.escalations()


# -- records as people write them --------------------------------------------------------------------------------------


def _lowered(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


class Message(BaseModel):
    """What many programs have: a time and an id of its own, a validator, numbers whose default is of another type."""

    id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    at: dt.datetime = Field(default_factory=lambda: dt.datetime.now(dt.UTC))
    score: float = 0
    price: Decimal = 1  # type: ignore[assignment]
    weights: list[float] = [0, 1]
    author: str = ""

    @field_validator("author", mode="before")
    @classmethod
    def _author(cls, value: Any) -> Any:
        return _lowered(value)


@pytest.mark.parametrize(
    ("annotation", "default", "wrap"),
    [
        (A[Message | None, Scalar()], None, lambda message: message),
        (A[list[Message], List()], [], lambda message: [message]),
        (A[dict[str, Message], Map()], {}, lambda message: {"a": message}),
        (A[list[Message], Set(by="id")], [], lambda message: [message]),
    ],
)
def test_records_with_factories_validators_and_numbers_for_others_are_values(
    annotation: Any, default: Any, wrap: Any
) -> None:
    """They are taken when the model is declared, written as dicts and as instances, and read as they were."""
    model = create_model("Log", x=(annotation, default), n=(A[int, Counter()], 0))
    ws = workspace(model)
    one = Message(author="Ann")
    ws.agent("ada").write(NS, "k", model(x=wrap(one)))
    edited(ws, lambda draft: setattr(draft, "n", 1))
    assert model_of(ws).x == wrap(one) and shown(ws)["n"] == 1 and not ws.escalations()
    ws.agent("ada").write(NS, "dict", {"x": wrap({"id": "1", "author": "BOB"})})
    document = ws.get(NS, "dict")
    assert document is not None and not document.contested
    assert '"author": "bob"' in json.dumps(document.value)


def test_a_validator_that_knows_texts_alone_is_taken() -> None:
    """Nobody gives bytes for a text, so that it need not know them."""
    ws = workspace(create_model("User", email=(A[str, BeforeValidator(_lowered), Scalar()], "")))
    ws.agent("ada").write(NS, "k", {"email": "A@Example.org"})
    assert shown(ws) == {"email": "a@example.org"}


def test_a_record_without_kinds_that_a_factory_has_named_is_written_as_an_instance() -> None:
    """It is one value, with the identity that its model has made; an edit beside it leaves it alone."""

    class Thought(BaseModel):
        id: uuid.UUID = Field(default_factory=uuid.uuid4)
        notes: dict[str, Any] = {}

    class Mind(BaseModel):
        thoughts: A[list[Thought], Set(by="id")] = []
        count: A[int, Counter()] = 0

    ws = workspace(Mind)
    one, two = Thought(notes={"a": 1}), Thought()
    ws.agent("ada").write(NS, "k", Mind(thoughts=[one]))
    edited(ws, lambda draft: draft.thoughts.append(two))
    edited(ws, lambda draft: setattr(draft, "count", 1))
    assert model_of(ws) == Mind(thoughts=[one, two], count=1) and not ws.escalations()
