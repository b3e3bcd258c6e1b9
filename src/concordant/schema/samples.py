"""Values of a type, to try it out with: what its members are, what its containers hold, what it is made from."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from itertools import islice
from typing import Any, Union, get_args, get_origin

from pydantic import JsonValue

from concordant.schema.annotations import adapter_of, annotated, split_annotation, stands_for
from concordant.schema.equality import LENIENT, distinct
from concordant.schema.models import fields_in, is_model

__all__ = ["ANYTHING", "samples_of"]

_MOST = 16
"""How many values of a type are tried."""

ANYTHING: tuple[Any, ...] = (
    b"\xff\x00",
    "a",
    " A b ",
    "",
    "1",
    "a,b",
    "[1, 2]",
    '{"a": 1}',
    0,
    1,
    -3,
    1.5,
    True,
    None,
    int,
    b"YQ==",
    Decimal("0.12345678901234567890"),
    Decimal("1.10"),
    date(2026, 1, 31),
    datetime(2026, 1, 31, 12, 30, 15, 7),
    datetime(2026, 1, 31, 12, 30, tzinfo=timezone(timedelta(hours=2))),
    time(12, 30, 15, 7),
    timedelta(days=400, microseconds=1),
    [],
    ["a", "B"],
    [1, 2],
    [None],
    {},
    {"a": 1},
    {"a": "b"},
    {1, 2},
    [1, "a"],
    "2026-01-31",
    "2026-01-31T12:30:15.000007+02:00",
    "12:30:15",
    "P1DT2S",
    "https://example.org/a?b=c",
    "a@example.org",
    "127.0.0.1",
    "::1",
    "10.0.0.0/8",
    "12345678-1234-4234-8234-1234567890ab",
    "a/b",
    "1+2j",
    "1/3",
    "1KB",
    datetime(2026, 1, 31, tzinfo=UTC),
)


_JSON = (str, int, float, bool, type(None), list, dict)


def samples_of(annotation: Any, inside: tuple[Any, ...] = ()) -> list[Any]:
    """Returns some values of a type, such as its own validation makes them, different ones of each of its members."""
    found: list[Any] = []
    kinds: dict[Any, int] = {}
    for value in distinct([*islice(_samples(annotation, inside), 4 * _MOST)]):
        kinds[type(value)] = kinds.get(type(value), 0) + 1
        if kinds[type(value)] <= _MOST // 2:
            found.append(value)
    return found[: 2 * _MOST]


def _samples(annotation: Any, inside: tuple[Any, ...]) -> Iterator[Any]:
    bare, metadata = split_annotation(annotation)
    named = stands_for(bare)
    if bare in (Any, object, JsonValue):
        yield from (value for value in ANYTHING if type(value) in _JSON)
    elif metadata:
        yield from _taken(annotated(bare, metadata), [*samples_of(bare, inside), *ANYTHING])
    elif named is not None and bare not in inside:
        yield from _taken(bare, samples_of(named, (*inside, bare)))
    elif is_model(bare) and bare not in inside:
        yield from _instances(bare, (*inside, bare))
    elif get_args(bare):
        yield from _of_generic(bare, inside)
    elif isinstance(bare, type) and issubclass(bare, enum.Enum):
        yield from bare
        if issubclass(bare, enum.Flag):
            yield bare(sum(member.value for member in bare))
    else:
        yield from _taken(bare, ANYTHING)


def _of_generic(bare: Any, inside: tuple[Any, ...]) -> Iterator[Any]:
    origin, arguments = get_origin(bare), get_args(bare)
    if origin in (Union, types.UnionType):
        yield from _turns([samples_of(member, inside) for member in arguments])
    elif origin is typing.Literal:
        yield from arguments
    else:
        yield from _taken(bare, _holding(origin, arguments, inside))


def _turns(columns: list[list[Any]]) -> Iterator[Any]:
    """The values of several lists, by turns."""
    for place in range(max(map(len, columns), default=0)):
        yield from (column[place] for column in columns if place < len(column))


def _taken(annotation: Any, given: Any) -> Iterator[Any]:
    """What validation makes of what it takes."""
    try:
        adapter = adapter_of(annotation)
    except Exception:
        return  # it is told elsewhere that there is no such type
    for value in given:
        try:
            yield adapter.validate_python(value, **LENIENT)
        except Exception:  # whatever its validators raise
            continue


def _holding(origin: Any, arguments: tuple[Any, ...], inside: tuple[Any, ...]) -> Iterator[Any]:
    """What containers of a generic type may be made from."""
    columns = [samples_of(argument, inside) or [None] for argument in arguments if argument is not Ellipsis]
    longest = max(map(len, columns), default=0)
    rows = [tuple(column[place % len(column)] for column in columns) for place in range(longest)]
    if len(columns) == 2 and origin is not tuple:
        yield {}
        for key, value in rows:
            with_key = _mapping(key, value)
            if with_key is not None:
                yield with_key
        return
    if origin is tuple and Ellipsis not in arguments:
        yield from rows
        return
    yield []
    for row in rows:
        yield [row[0]]
    yield [row[0] for row in rows]


def _mapping(key: Any, value: Any) -> dict[Any, Any] | None:
    try:
        return {key: value}
    except TypeError:
        return None


def _instances(model: Any, inside: tuple[Any, ...]) -> Iterator[Any]:
    """Instances of a model: each field in turn with each of its values, the others with their first."""
    fields = fields_in(model)
    values = {
        name: [*_taken(annotated(info.annotation, info.metadata), samples_of(info.annotation, inside))] or [None]
        for name, info in fields.items()
    }
    first = {name: found[0] for name, found in values.items()}
    tries: list[dict[str, Any]] = [{n: v for n, v in first.items() if fields[n].is_required()}]
    tries += [{**first, name: value} for name, found in values.items() for value in found]
    for given in tries:
        yield from _taken(model, [given])
