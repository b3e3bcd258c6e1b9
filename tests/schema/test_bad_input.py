"""Bad input gets our own clear error or the right value, and the document works on."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import math
import uuid
from collections import OrderedDict, UserDict
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, create_model

from concordant import (
    ConcordantError,
    Counter,
    InvalidWriteError,
    List,
    Map,
    Scalar,
    Schema,
    Set,
    Text,
    Workspace,
)

NS = ("t",)
AT = (NS, "k")


class Brief(BaseModel):
    x: Annotated[Any, Scalar()] = None
    tags: Annotated[list[Any], Set()] = []
    keys: Annotated[dict[str, Any], Map()] = {}
    body: Annotated[str, Text()] = ""
    votes: Annotated[int, Counter()] = 0
    share: Annotated[float, Counter()] = 0.0
    items: Annotated[list[Any], List()] = []


MODELS: list[Any] = [Brief, Schema(Brief, on_invalid="raise"), None]
IDS = ["declared", "raising", "undeclared"]
both = pytest.mark.parametrize("model", MODELS, ids=IDS)


def workspace(model: Any) -> Workspace:
    ws = Workspace(schemas={NS: model} if model is not None else None)
    ws.agent("eve").write(*AT, {"x": "before"})
    return ws


def deep(levels: int, kind: type = list) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value] if kind is list else {"a": value}
    return value


WAYS: dict[str, Callable[[Workspace, Any], Any]] = {
    "write": lambda ws, value: ws.agent("ada").write(*AT, value),
    "put": lambda ws, value: ws.put(*AT, value),
}
ways = pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))


def refused(ws: Workspace, way: Callable[[Workspace, Any], Any], value: Any) -> InvalidWriteError:
    """The write raises our error, nothing of it is applied, and the document works on."""
    before, rows = ws.get(*AT), ws.history(*AT)
    with pytest.raises(InvalidWriteError) as error:
        way(ws, value)
    assert ws.get(*AT) == before and ws.history(*AT) == rows and ws.escalations(state="all") == []
    assert error.value.faults and all(fault.problem and fault.mend for fault in error.value.faults)
    assert str(error.value)
    works(ws)
    return error.value


def works(ws: Workspace) -> None:
    """The document can be read, written, edited, listed, exported and deleted."""
    ws.agent("joe").write(*AT, {"x": "after"})
    document = ws.get(*AT)
    assert document is not None and document.value["x"] == "after"
    assert document.model is not None
    with ws.agent("joe").edit(*AT) as draft:
        if isinstance(draft, dict):
            draft["x"] = "edited"
        else:
            draft.x = "edited"
    assert [d.value["x"] for d in ws.list(NS) if d.key == "k"] == ["edited"]
    assert ws.history(*AT) and ws.blame(*AT)
    other = Workspace(schemas={NS: Brief})
    other.import_(ws.export())
    assert other.get(*AT) is not None
    ws.agent("joe").delete(*AT)
    assert ws.get(*AT) is None


def attempt(ws: Workspace, value: Any) -> InvalidWriteError | None:
    """Our error, if the write is refused."""
    try:
        ws.agent("ada").write(*AT, value)
    except InvalidWriteError as error:
        return error
    return None


@both
@ways
@pytest.mark.parametrize("value", [None, 7, "text", [1], [("x", 1)], {"x"}, object(), True, b"bytes", Brief])
def test_what_is_no_mapping_is_refused(model: Any, way: Any, value: Any) -> None:
    """A write is a dict of fields or an instance of the model."""
    refused(workspace(model), way, value)


@both
@ways
@pytest.mark.parametrize(
    "value", [OrderedDict(x=1), UserDict({"x": 1}), Brief(x=1)], ids=["OrderedDict", "UserDict", "model"]
)
def test_other_mappings_and_instances(model: Any, way: Any, value: Any) -> None:
    """Any mapping will do, and in a declared namespace an instance of the model."""
    ws = workspace(model)
    if model is None and isinstance(value, BaseModel):
        refused(ws, way, value)
        return
    way(ws, value)
    document = ws.get(*AT)
    assert document is not None and document.value == {"x": 1}
    works(ws)


@pytest.mark.parametrize("model", MODELS[:2], ids=IDS[:2])
@ways
def test_unknown_fields_are_refused(model: Any, way: Any) -> None:
    """Every one is named, with the fields there are; the good ones of that write are not applied."""
    error = refused(workspace(model), way, {"x": 1, "y": 2, "z": 3})
    assert {fault.path for fault in error.faults} == {("y",), ("z",)}
    assert "votes" in error.faults[0].mend


UNSTORABLE: list[tuple[str, Any]] = [
    ("object", object()),
    ("function", len),
    ("lone surrogate", "a\ud800b"),
    ("lone surrogate in a list", ["ok", "\udfff"]),
    ("lone surrogate as a key", {"\ud800": 1}),
    ("an object deep inside", {"a": [{"b": object()}]}),
    ("200 lists deep", deep(200)),
    ("200 dicts deep", deep(200, dict)),
    ("5000 lists deep", deep(5000)),
]


@both
@ways
@pytest.mark.parametrize("value", [u[1] for u in UNSTORABLE], ids=[u[0] for u in UNSTORABLE])
def test_what_cannot_be_json_is_refused(model: Any, way: Any, value: Any) -> None:
    """With the path of the part that cannot be stored."""
    error = refused(workspace(model), way, {"x": value})
    assert error.faults[0].path[:1] == ("x",)


@pytest.mark.parametrize("field", ["tags", "items", "keys"])
@pytest.mark.parametrize("value", [u[1] for u in UNSTORABLE], ids=[u[0] for u in UNSTORABLE])
def test_what_cannot_be_json_is_refused_inside_containers(field: str, value: Any) -> None:
    """As an element, an item or a map's value."""
    given = {"k": value} if field == "keys" else [value]
    error = refused(workspace(Brief), WAYS["write"], {field: given, "votes": 1})
    assert error.faults[0].path[:1] == (field,)


COLLIDING = [{1: "a", "1": "b"}, {None: 1, "None": 2}, {True: 1, "true": 2}, {1: {2: "a", "2": "b"}}]


@both
@pytest.mark.parametrize("value", COLLIDING, ids=repr)
def test_keys_that_would_become_one_are_refused(model: Any, value: Any) -> None:
    """A JSON object has text as keys: none of the two may be lost."""
    refused(workspace(model), WAYS["write"], {"x": value})


@both
@pytest.mark.parametrize("key", [1, None, 1.5, True, (1, 2), b"x", dt.date(2026, 1, 2), Brief], ids=repr)
def test_keys_that_are_no_text_are_refused(model: Any, key: Any) -> None:
    """Where no type says what they are, nothing but their text would be left of them, at whatever depth."""
    ws = workspace(model)
    for value in ({key: "v"}, {"deep": [{key: "v"}]}):
        refused(ws, WAYS["write"], {"x": value})
        if model is not None:
            for name, given in (("tags", [value]), ("items", [value]), ("keys", {"one": value})):
                refused(ws, WAYS["write"], {name: given})


class Ages(BaseModel):
    by_number: Annotated[dict[int, Any], Scalar()] = {}
    by_day: Annotated[dict[str, dict[dt.date, list[dict[bool, int]]]], Map()] = {}


@pytest.mark.parametrize(
    "value",
    [{"by_number": {1: {"a": 2}}}, {"by_number": {"1": 2}}, {"by_day": {"x": {dt.date(2026, 1, 2): [{True: 1}]}}}],
    ids=repr,
)
def test_keys_that_the_type_tells_of_read_back(value: Any) -> None:
    """They are stored as text, and are what they were in the model."""
    ws = Workspace(schemas={NS: Ages})
    ws.agent("ada").write(*AT, value)
    document = ws.get(*AT)
    assert document is not None and document.model == Ages.model_validate(value)
    assert attempt(ws, {"by_number": {1: {2: 3}}}) is not None


@pytest.mark.parametrize("key", [1, None, (1, 2), b"\xff", "\ud800"], ids=repr)
@pytest.mark.parametrize("model", MODELS[:2], ids=IDS[:2])
def test_a_maps_keys_are_text(model: Any, key: Any) -> None:
    """Other keys are refused, or parked where the namespace parks."""
    ws = workspace(model)
    refusal = attempt(ws, {"keys": {key: 1, "good": 2}, "votes": 1})
    document = ws.get(*AT)
    assert document is not None
    if refusal is None:
        assert model is Brief and [e.reason for e in ws.escalations()] == ["type"]
    else:
        assert refusal.faults[0].path[:1] == ("keys",) and document.value == {"x": "before"}
    works(ws)


def test_a_value_that_holds_itself_is_refused() -> None:
    """No endless recursion."""
    endless: list[Any] = []
    endless.append(endless)
    for model in MODELS:
        refused(workspace(model), WAYS["write"], {"x": endless})
        refused(workspace(model), WAYS["write"], {"x": {"a": endless}})


@both
def test_an_edit_that_leaves_what_cannot_be_stored_is_refused(model: Any) -> None:
    """The error comes at the end of the block, nothing is applied."""
    ws = workspace(model)

    def edit(ws: Workspace, value: Any) -> None:
        with ws.agent("ada").edit(*AT) as draft:
            if isinstance(draft, dict):
                draft["x"] = value
            else:
                draft.x = value

    refused(ws, edit, "\ud800")
    refused(workspace(model), edit, object())
    refused(workspace(model), edit, deep(300))


class Suit(enum.Enum):
    HEARTS = "hearts"


GOOD: list[tuple[str, Any, Any]] = [
    ("2**70", 2**70, 2**70),
    ("-2**70", -(2**70), -(2**70)),
    ("infinity", math.inf, math.inf),
    ("NUL", "a\x00b", "a\x00b"),
    ("empty text", "", ""),
    ("emoji", "👩‍👩‍👧 ☃ \U0010ffff", "👩‍👩‍👧 ☃ \U0010ffff"),
    ("100 lists deep", deep(100), deep(100)),
    ("100 dicts deep", deep(100, dict), deep(100, dict)),
    ("keys of any text", {"": 1, "/": 2, ".": 3, "\x00": 4}, {"": 1, "/": 2, ".": 3, "\x00": 4}),
    ("a tuple", (1, (2,)), [1, [2]]),
    ("a date", dt.date(2024, 1, 2), "2024-01-02"),
    ("a decimal", decimal.Decimal("1.50"), "1.50"),
    ("an enum", Suit.HEARTS, "hearts"),
    ("a uuid", uuid.UUID(int=1), str(uuid.UUID(int=1))),
    ("many keys", {str(n): n for n in range(5000)}, {str(n): n for n in range(5000)}),
    ("-0.0", -0.0, -0.0),
    ("1e308", 1e308, 1e308),
]


@both
@ways
@pytest.mark.parametrize(("value", "stored"), [g[1:] for g in GOOD], ids=[g[0] for g in GOOD])
def test_unusual_values_are_stored(model: Any, way: Any, value: Any, stored: Any) -> None:
    """And come back as they were, or as their JSON form."""
    ws = workspace(model)
    way(ws, {"x": value})
    way(ws, {"x": value})
    document = ws.get(*AT)
    assert document is not None and repr(document.value["x"]) == repr(stored)
    works(ws)


@both
@ways
def test_nan_is_stored(model: Any, way: Any) -> None:
    """NaN comes back as NaN, inside values too."""
    ws = workspace(model)
    way(ws, {"x": [math.nan, {"a": math.nan}]})
    document = ws.get(*AT)
    assert document is not None
    assert math.isnan(document.value["x"][0]) and math.isnan(document.value["x"][1]["a"])
    works(ws)


@both
def test_ten_megabytes_of_text(model: Any) -> None:
    """As a value, and as a text that is appended to and edited."""
    big = "word " * 2_000_000
    ws = workspace(model)
    ws.agent("ada").write(*AT, {"x": big} if model is None else {"x": big, "body": big})
    document = ws.get(*AT)
    assert document is not None and document.value["x"] == big
    if model is not None:
        ws.agent("bob").write(*AT, {"body": "end"})
        document = ws.get(*AT)
        assert document is not None and document.value["body"] == big + "\nend"
    ws.agent("joe").write(*AT, {"x": "small"})
    document = ws.get(*AT)
    assert document is not None and document.value["x"] == "small"


NAMES = [
    "",
    "/",
    "a/b",
    ".",
    "a.b",
    "\x00",
    "a\x00b",
    "\x00parked",
    "scalar:x",
    ":",
    "é",
    " ",
    "*",
    "__class__",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_text_names_a_field_of_an_undeclared_document(name: str) -> None:
    """Its value, its conflicts, its decision and its removal are under that name."""
    ws = workspace(None)
    ws.put(*AT, {name: 1, "x": 1})
    assert ws.get(*AT).value == {name: 1, "x": 1}  # type: ignore[union-attr]
    began = ws.moment()
    ws.agent("ada", began=began).write(*AT, {name: 2})
    ws.agent("bob", began=began).write(*AT, {name: 3})
    (escalation,) = ws.escalations()
    assert escalation.path == (name,) and [c.value for c in escalation.contenders] == [2, 3]
    ws.resolve(escalation, 4, by="editor")
    assert ws.get(*AT).value == {name: 4, "x": 1}  # type: ignore[union-attr]
    assert (name,) in ws.blame(*AT) and (name,) in ws.history(*AT)[0].paths
    ws.put(*AT, {"x": 1})
    assert ws.get(*AT).value == {"x": 1}  # type: ignore[union-attr]
    works(ws)


@both
@ways
@pytest.mark.parametrize("name", [1, None, (1, 2), b"x", 1.5, True, "\ud800"], ids=repr)
def test_what_is_no_text_names_no_field(model: Any, way: Any, name: Any) -> None:
    """A field's name is a string of valid Unicode."""
    refused(workspace(model), way, {name: 1, "x": 2})


@both
@pytest.mark.parametrize("key", [None, 1, b"k", ("a",), 1.5, ["k"]], ids=repr)
def test_a_key_is_a_string(model: Any, key: Any) -> None:
    """Every call that writes says so, before anything is stored."""
    ws = workspace(model)
    for write in (
        lambda: ws.put(NS, key, {"x": 1}),
        lambda: ws.agent("ada").write(NS, key, {"x": 1}),
        lambda: ws.agent("ada").delete(NS, key),
        lambda: ws.remove(NS, key),
        lambda: ws.agent("ada").edit(NS, key).__enter__(),
    ):
        with pytest.raises(ConcordantError, match="key"):
            write()
    assert [d.key for d in ws.list()] == ["k"]
    works(ws)


@both
@pytest.mark.parametrize("key", ["", "a/b", "\x00", "é", " ", "*", "k" * 10_000])
def test_any_text_may_be_a_key(model: Any, key: str) -> None:
    """No text is special."""
    ws = workspace(model)
    ws.put(NS, key, {"x": 1})
    ws.agent("ada").write(NS, key, {"x": 2})
    document = ws.get(NS, key)
    assert document is not None and document.value == {"x": 2} and document.key == key
    assert {d.key for d in ws.list(NS)} == {"k", key}
    works(ws)


@pytest.mark.parametrize("namespace", ["t", (), ("",), ("a", 1), (None,), ["t"], None, 7], ids=repr)
def test_a_namespace_is_a_tuple_of_names(namespace: Any) -> None:
    """Reads and writes of anything else are refused."""
    ws = workspace(None)
    for call in (
        lambda: ws.put(namespace, "k", {"x": 1}),
        lambda: ws.agent("ada").write(namespace, "k", {"x": 1}),
        lambda: ws.agent("ada").edit(namespace, "k").__enter__(),
        lambda: ws.agent("ada").read(namespace, "k"),
        lambda: ws.get(namespace, "k"),
    ):
        with pytest.raises(ConcordantError, match="namespace"):
            call()
    works(ws)


@pytest.mark.parametrize("key", ["\ud800", "a\udfffb"])
def test_a_key_of_invalid_unicode_is_refused_or_kept(key: str) -> None:
    """It must not poison what is exported."""
    ws = workspace(None)
    try:
        ws.put(NS, key, {"x": 1})
    except ConcordantError:
        assert ws.get(NS, "k") is not None
    works(ws)


@pytest.mark.parametrize("frame", [b"", b"junk", "text", None, b"CCD1" + b"\x00" * 100, b"\x00" * 10_000])
def test_a_frame_that_is_none_is_refused(frame: Any) -> None:
    """Nothing of it is applied."""
    from concordant import CorruptFrameError

    ws = workspace(None)
    with pytest.raises(CorruptFrameError):
        ws.import_(frame)
    works(ws)


def test_a_frame_changed_on_the_way_is_refused() -> None:
    """Whichever byte it is."""
    from concordant import CorruptFrameError

    source = workspace(Brief)
    frame = source.export()
    ws = Workspace(schemas={NS: Brief})
    for place in range(0, len(frame), 7):
        changed = bytearray(frame)
        changed[place] ^= 1
        with pytest.raises(CorruptFrameError):
            ws.import_(bytes(changed))
    assert list(ws.list()) == []
    assert ws.import_(frame) == 1


def test_a_frame_needs_its_key() -> None:
    """With ``frame_key`` frames are authenticated."""
    from concordant import CorruptFrameError

    secret, other, open_ = (Workspace(frame_key=key) for key in (b"one", b"two", None))
    secret.put(*AT, {"x": 1})
    for ws in (other, open_):
        with pytest.raises(CorruptFrameError):
            ws.import_(secret.export())
    assert Workspace(frame_key=b"one").import_(secret.export()) == 1


def test_constraints_on_a_scalar_hold_for_each_write() -> None:
    """A value out of range is ill-typed: refused where the namespace says so."""

    class Ranged(BaseModel):
        x: Annotated[int, Scalar(), Field(ge=0, le=10)] = 0

    ws = Workspace(schemas={NS: Schema(Ranged, on_invalid="raise")})
    for value in (-1, 11):
        with pytest.raises(InvalidWriteError, match="x"):
            ws.agent("ada").write(*AT, {"x": value})
    ws.agent("ada").write(*AT, {"x": 10})
    assert ws.get(*AT).value == {"x": 10}  # type: ignore[union-attr]


class Whole(enum.IntEnum):
    ONE = 1


WHOLE: dict[str, tuple[Any, Any, Callable[[Any], Any]]] = {
    "counter": (Annotated[int, Counter()], 0, lambda number: number),
    "scalar": (Annotated[int | None, Scalar()], None, lambda number: number),
    "enum": (Annotated[Whole | None, Scalar()], None, lambda number: number),
    "set": (Annotated[set[int], Set()], set(), lambda number: [number]),
    "list": (Annotated[list[dict[str, int]], List()], [], lambda number: [{"a": 1}, {"a": number}]),
    "key": (Annotated[dict[int, str], Map()], {}, lambda number: {number: "a"}),
}


@pytest.mark.parametrize("number", ["1E+999999999", "1E-999999999"])
@pytest.mark.parametrize("way", WHOLE)
def test_g11_a_decimal_that_would_take_for_ever_to_write_out_is_refused(way: str, number: str) -> None:
    """Before anybody makes a whole number of it; under an alias, and in an edit, too."""
    annotation, default, put = WHOLE[way]
    for alias in (None, "other"):
        ws = Workspace(schemas={NS: create_model("Numbers", x=(annotation, Field(default, alias=alias)))})
        with pytest.raises(InvalidWriteError, match="more than 1,000 digits"):
            ws.agent("ada").write(*AT, {alias or "x": put(Decimal(number))})
        with pytest.raises(InvalidWriteError, match="more than 1,000 digits"), ws.agent("ada").edit(*AT) as draft:
            draft.x = put(Decimal(number))
        assert ws.get(*AT) is None


def test_decimals_with_large_exponents_are_values() -> None:
    """Where nobody writes them out they are stored as they are."""
    model = create_model("Numbers", x=(Annotated[Decimal | None, Scalar()], None), n=(Annotated[int, Counter()], 0))
    ws = Workspace(schemas={NS: model})
    ws.agent("ada").write(*AT, {"x": Decimal("1E+999999999"), "n": Decimal(3)})
    document = ws.get(*AT)
    assert document is not None and document.model.x == Decimal("1E+999999999") and document.model.n == 3


@pytest.mark.parametrize("place", [((), "k"), ("t", "k"), (("t", ""), "k"), (NS, 1), (NS, "\ud800")])
def test_a_read_at_no_place_is_not_told_as_a_write(place: Any) -> None:
    """What is no namespace or no key is named, with what to write instead, whatever the call was."""
    ws = Workspace()
    for call in (ws.get, ws.agent("ada").read, ws.agent("ada").delete, ws.history, ws.blame):
        with pytest.raises(InvalidWriteError) as error:
            call(*place)
        assert str(error.value).startswith("The call for ") and error.value.faults


def test_a_list_in_itself_is_refused_at_once() -> None:
    """However often it holds itself."""
    circle: list[Any] = []
    circle += [circle, circle, circle]
    ws = Workspace(
        schemas={NS: create_model("Loose", x=(Annotated[list[Any], List()], []), y=(Annotated[int, Scalar()], 0))}
    )
    with pytest.raises(InvalidWriteError):
        ws.agent("ada").write(*AT, {"x": circle, "y": circle})


class Colour(enum.Enum):
    RED = "red"


class Stop(BaseModel):
    notes: dict[int, str] = {}


class Route(BaseModel):
    stops: Annotated[dict[int, str], Scalar()] = {}
    signs: Annotated[dict[int, str], Map()] = {}
    days: Annotated[dict[dt.date, int], Scalar()] = {}
    by_colour: Annotated[dict[Colour, int], Map()] = {}
    trips: Annotated[list[dict[int, str]], List()] = []
    halts: Annotated[dict[str, Stop], Map()] = {}
    either: Annotated[int | dict[int, str] | None, Scalar()] = None
    number: Annotated[dict[str, int | bool], Map()] = {}


def only(model: Any) -> Workspace:
    return Workspace(schemas={NS: model})


WRONG_INSIDE: list[tuple[str, Any, str, str, Any]] = [
    ("stops", {1: 2}, "stops.1: Input should be a valid string", "not 2", {"1": 2}),
    ("stops", {"x": "y"}, "stops.x: its key: Input should be a valid integer", "not 'x'", {"x": "y"}),
    ("signs", {1: 2}, "signs.1: Input should be a valid string", "not 2", 2),
    ("signs", {"x": "y"}, "signs.x: its key: Input should be a valid integer", "not 'x'", "y"),
    (
        "days",
        {dt.date(2026, 1, 2): "x"},
        "days.2026-01-02: Input should be a valid int",
        "not 'x'",
        {"2026-01-02": "x"},
    ),
    ("by_colour", {Colour.RED: "x"}, "by_colour.red: Input should be a valid integer", "not 'x'", "x"),
    ("by_colour", {"blue": 1}, "by_colour.blue: its key: Input should be 'red'", "not 'blue'", 1),
    ("trips", [{1: "a"}, {1: 2}], "trips.1.1: Input should be a valid string", "not 2", [{"1": "a"}, {"1": 2}]),
    ("halts", {"a": {"notes": {1: 2}}}, "halts.a.notes.1: Input should be", "not 2", {"notes": {"1": 2}}),
    ("either", {1: 2}, "either.1: Input should be a valid string", "not 2", {"1": 2}),
    ("either", {1: 2}, "either: Input should be a valid integer", "not {1: 2}", {"1": 2}),
    ("number", {"a": "x"}, "number.a: Input should be a valid integer", "or: Input should be a valid boolean", "x"),
]


@pytest.mark.parametrize(("name", "value", "wrong", "came", "parked"), WRONG_INSIDE)
def test_what_is_wrong_inside_a_value_is_told_where_it_is(
    name: str, value: Any, wrong: str, came: str, parked: Any
) -> None:
    """The fault names the place in what was given, what was expected and what came; where ill-typed values wait, it
    waits in its JSON form, keys included, whatever types of keys the model has."""
    with pytest.raises(InvalidWriteError) as error:
        only(Schema(Route, on_invalid="raise")).agent("ada").write(*AT, {name: value})
    [line] = [line for line in str(error.value).splitlines() if line.strip().startswith(f"- {wrong}")]
    assert came in line
    ws = only(Route)
    ws.agent("ada").write(*AT, {name: value})
    assert [[c.value for c in question.contenders] for question in ws.escalations()] == [[parked]]


@pytest.mark.parametrize(
    "value", [{"halts": {"a": {"notes": {1: 2, "1": 3}}}}, {"stops": {1: "a", "1": "b"}}, {"signs": {1: "a", "1": "b"}}]
)
def test_two_keys_that_are_one_are_not_taken_as_one(value: Any) -> None:
    """A dict of whose entries one would be stored in the place of another is refused, ill-typed or not."""
    with pytest.raises(InvalidWriteError, match=r"several of its keys (are|become) one"):
        only(Route).agent("ada").write(*AT, value)


def test_an_unknown_field_of_a_record_is_told_with_those_that_it_has() -> None:
    """Not with those of the document."""

    class Inner(BaseModel):
        n: Annotated[int, Scalar()] = 0
        m: Annotated[str, Scalar()] = ""

    model = create_model("Outer", inner=(Inner, Inner()), many=(Annotated[dict[str, Inner], Map()], {}))
    for value in ({"inner": {"z": 1}}, {"many": {"a": {"z": 1}}}):
        with pytest.raises(InvalidWriteError, match=r"Known fields: n, m$"):
            only(model).agent("ada").write(*AT, value)


def test_a_model_that_hides_its_input_has_none_in_errors() -> None:
    """``hide_input_in_errors`` holds for our messages too."""
    model = create_model(
        "Quiet",
        __config__={"hide_input_in_errors": True},
        x=(Annotated[int, Scalar()], 0),
        y=(Annotated[int, Counter()], 0),
    )
    with pytest.raises(InvalidWriteError) as error:
        only(Schema(model, on_invalid="raise")).agent("ada").write(*AT, {"x": "secret"})
    assert "secret" not in str(error.value)
