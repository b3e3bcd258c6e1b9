"""Values that callers have been seen to give by mistake, and some that nobody should."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import io
import math
import pathlib
import re
import threading
import types
import uuid
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel

from concordant import ABSTAIN, DELETED, Counter, List, Map, Scalar, Schema, Set, Text, Tree, Workspace

__all__ = ["Everything", "zoo"]


class Inner(BaseModel):
    """A part of a document."""

    note: Annotated[str | None, Scalar()] = None


class Everything(BaseModel):
    """A model with a field of every kind."""

    status: Annotated[str | None, Scalar()] = None
    tags: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, str], Map()] = {}
    notes: Annotated[str, Text()] = ""
    votes: Annotated[int, Counter()] = 0
    steps: Annotated[list[str], List()] = []
    plan: Annotated[dict[str, Any], Tree()] = {}
    inner: Inner = Inner()


class Colour(enum.Enum):
    """An enum."""

    RED = "red"


class Loud(str):
    """A string with a nature of its own."""

    __slots__ = ()


class Broken:
    """Raises whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    def __hash__(self) -> int:
        raise RuntimeError("no hash")

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")


class Sly(dict[str, Any]):
    """A dict whose items fail."""

    def items(self) -> Any:
        raise RuntimeError("no items")


@dataclasses.dataclass
class Point:
    """A dataclass."""

    x: int = 1


def _deep(depth: int, make: Any) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = make(value)
    return value


def _cycle() -> Any:
    value: dict[str, Any] = {}
    value["self"] = value
    return value


def _list_cycle() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def _raising() -> Iterator[int]:
    yield 1
    raise RuntimeError("the iterator fails")


def zoo() -> list[Any]:
    """About 150 values, made afresh."""
    other = Workspace()
    texts = [
        "",
        " ",
        "a",
        "launch",
        "briefs",
        "*",
        "**",
        "a.b",
        "a/b",
        "\x00",
        "\n",
        "\x1b[31mred",
        "\u202e",
        "\ud800",
        "a\udfffb",
        "é",
        "e\u0301",
        "🦀",
        "日本",
        "x" * 100_000,
        "nan",
        "None",
        "[bold]x[/bold]",
        "'; DROP TABLE x",
        "%s",
        "{}",
        '"',
        "\\",
        "$gt",
        "langgraph",
        "sqlite:///x.db",
        "postgresql://u:p@h/d",
    ]
    numbers = [
        0,
        1,
        -1,
        2**31,
        2**63 - 1,
        2**63,
        -(2**63),
        -(2**63) - 1,
        2**64,
        10**40,
        10**4299,
        10**4300,
        -(10**4301),
        10**6000,
        True,
        False,
        0.0,
        -0.0,
        1.5,
        1e308,
        -1e308,
        5e-324,
        math.nan,
        math.inf,
        -math.inf,
        decimal.Decimal("1.10"),
        decimal.Decimal("NaN"),
        decimal.Decimal("Infinity"),
        decimal.Decimal("sNaN"),
        decimal.Decimal("1E+9999"),
        fractions.Fraction(1, 3),
        1 + 2j,
    ]
    containers = [
        (),
        [],
        {},
        set(),
        frozenset(),
        ("a",),
        ("briefs",),
        ("briefs", ""),
        ("briefs", 1),
        ("briefs", None),
        ("\ud800",),
        ("a", "\x00"),
        ("x" * 5_000,),
        ("a",) * 500,
        (("a",),),
        [("a",)],
        ["a"],
        ["briefs"],
        {"a"},
        frozenset(["a"]),
        [None],
        [[]],
        {"status": 1},
        {"status": None},
        {"tags": ["a"]},
        {"tags": "a"},
        {"tags": [["a"]]},
        {"owners": {"a": 1}},
        {"owners": []},
        {"notes": 5},
        {"votes": "many"},
        {"votes": 10**5000},
        {"votes": 1.5},
        {"steps": {"a": 1}},
        {"inner": 5},
        {"inner": {"note": "x"}},
        {"unknown": 1},
        {1: 2},
        {None: 1},
        {("a",): 1},
        {"a": {1: 2}},
        {"\ud800": 1},
        {"a": "\ud800"},
        {"": 1},
        {"\x00": "\x00"},
        {"a": math.nan},
        {"a": b"\xff"},
        {"a": {1, 2}},
        {"a": object()},
        {"a": lambda: None},
        {"a": [10**5000]},
        {"a" * 70_000: 1},
        {str(n): n for n in range(300)},
        _deep(100, lambda v: {"a": v}),
        _deep(1_000, lambda v: [v]),
        _deep(3_000, lambda v: {"a": v}),
        _deep(50_000, lambda v: [v]),
        _cycle(),
        _list_cycle(),
        Sly(a=1),
        collections.OrderedDict(status="x"),
        collections.defaultdict(list),
        collections.Counter("aab"),
        collections.deque([1]),
        types.MappingProxyType({"status": "x"}),
        collections.ChainMap({"status": "x"}),
        collections.UserDict(status="x"),
        range(3),
        iter([1]),
        _raising(),
        (n for n in range(2)),
    ]
    things: list[Any] = [
        None,
        ...,
        NotImplemented,
        DELETED,
        ABSTAIN,
        object(),
        Broken(),
        type,
        int,
        Exception,
        ValueError("x"),
        lambda: None,
        print,
        len,
        Colour.RED,
        Colour,
        Loud("briefs"),
        Point(),
        Point,
        Inner(note="x"),
        Everything(status="x"),
        Everything,
        Schema(Everything),
        b"",
        b"briefs",
        b"\xff\x00",
        bytearray(b"x"),
        memoryview(b"x"),
        b"CCD2" + b"\x00" * 40,
        b"x" * 100_000,
        dt.datetime(2026, 1, 1),
        dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        dt.datetime.max,
        dt.datetime.min.replace(tzinfo=dt.UTC),
        dt.date(2026, 1, 1),
        dt.time(1),
        dt.timedelta(1),
        dt.timedelta.max,
        dt.timedelta(-1),
        dt.UTC,
        uuid.UUID(int=1),
        pathlib.Path("x"),
        re.compile("x"),
        io.BytesIO(b"x"),
        threading.Lock(),
        other,
        other.agent("a"),
        other.moment(),
        types.SimpleNamespace(a=1),
    ]
    return [*texts, *numbers, *containers, *things]
