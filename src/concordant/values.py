"""JSON values as bytes: how every value is stored and compared.

Bytes are immutable (a caller's later mutation changes nothing), exact (big integers, NaN, key order) and not
tracked by the garbage collector. Two values are equal when type and content are: ``True``, ``1`` and ``1.0``
differ, NaN equals itself, the order of an object's keys does not matter.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import lru_cache, partial
from itertools import chain, compress, count
from operator import ne
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from concordant.errors import Fault, Path, told
from concordant.limits import MOST_DEPTH, MOST_DIGITS

__all__ = [
    "ABSENT",
    "JSON",
    "MAX_DEPTH",
    "MAX_DIGITS",
    "NO_DECIMALS",
    "REMOVED",
    "Absent",
    "Canon",
    "Unstorable",
    "alike",
    "are_texts",
    "canonical",
    "canonical_of",
    "canonical_texts",
    "check_exponents",
    "check_numbers",
    "check_text",
    "copied",
    "decode",
    "decode_many",
    "decode_whole",
    "encode",
    "encode_each",
    "encode_read",
    "is_json",
    "is_shallow",
    "portable",
    "same",
]

JSON = bytes
"""A value's JSON text in UTF-8."""

Canon = Callable[[JSON], JSON]
"""Maps a stored value to the bytes by which it is compared."""

decode: Callable[[JSON], Any] = from_json
"""Returns a fresh Python value from its JSON form."""

decode_many: Callable[[JSON], Any] = partial(from_json, cache_strings="keys")
"""``decode`` for very many values: to look for each text whether it was met before costs as much as to read it."""

decode_apart: Callable[[JSON], Any] = partial(from_json, cache_strings="none")
"""``decode`` for very many texts of which hardly one comes again."""

MANY_TEXTS = 1 << 16
"""From how many bytes on a JSON text is taken for one of very many values."""


_KEYS = re.compile(rb'"([^"\\]+)":')
_SAMPLE = 1 << 12


def decode_whole(text: JSON) -> Any:
    """Returns what ``decode`` does, of a value that may be large.

    Of one whose keys come again, as those of records do, they are remembered; to look for keys that are all different
    takes as long as to read them.
    """
    if len(text) < MANY_TEXTS:
        return decode(text)
    keys = _KEYS.findall(text, len(text) // 2, len(text) // 2 + _SAMPLE)
    return decode_many(text) if 2 * len({*keys}) < len(keys) else decode_apart(text)


MAX_DEPTH = MOST_DEPTH
"""Deepest nesting of a stored value; the JSON reader refuses what the writer still accepts beyond about 200."""

MOST_REMEMBERED = 4_096
"""Up to how many bytes of a dict or list the bytes by which it compares are remembered."""

MAX_DIGITS = MOST_DIGITS
"""Most digits of a stored whole number: the JSON reader takes 4,300, and sums of what agents count need room."""

_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*"')
_DIGITS = re.compile(rb"[0-9]*")
_EIGHT_DIGITS = re.compile(rb"[0-9]{8}")


class Absent:
    """The type of ``ABSENT``: there is no value here (``None`` is a value)."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT = Absent()


class Removed:
    """The type of ``REMOVED``: a deletion, where ``None`` would be a value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "REMOVED"


REMOVED = Removed()


class Unstorable(ValueError):
    """A value has no faithful JSON form; ``fault`` says where and why. Internal: callers see InvalidWriteError."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(str(fault))


def encode(value: Any, path: Path = ()) -> JSON:
    """Returns the JSON form of ``value``.

    Raises:
        Unstorable: the value is not JSON, nests deeper than ``MAX_DEPTH``, holds a key that is no string (two keys
            could become one) or text that is no valid Unicode.
    """
    try:
        if isinstance(value, (dict, list, tuple)):
            _check(value, path, 1)
        return to_json(value, inf_nan_mode="constants")
    except Unstorable:
        raise
    except (PydanticSerializationError, ValueError, RuntimeError) as error:
        raise Unstorable(_fault(value, path, error)) from error


_ON_ONE_LINE = frozenset([str, bool, type(None)])


def encode_each(values: Sequence[Any], path: Path = ()) -> tuple[JSON, ...]:
    """Returns the JSON form of each of several values.

    Raises:
        Unstorable: as ``encode`` does.
    """
    lines = _lines(values)
    return tuple([encode(value, path) for value in values] if lines is None else lines.split(b",\n "))


def canonical_texts(values: Sequence[Any]) -> list[str]:
    """Returns of each of several values the text by which it compares.

    Raises:
        Unstorable: as ``encode`` does.
    """
    lines = _lines(values)
    return [canonical(encode(value)).decode() for value in values] if lines is None else lines.decode().split(",\n ")


def _lines(values: Sequence[Any]) -> bytes | None:
    """The JSON of values of simple types, with a comma and a new line between each two; ``None`` if there are others,
    or what is no valid Unicode."""
    if not values or not _ON_ONE_LINE.issuperset(map(type, values)):
        return None
    try:
        lines = to_json(values, indent=1)  # each of them on a line of its own, for none holds a line break
    except (PydanticSerializationError, ValueError):
        return None
    return lines[len(b"[\n ") : -len(b"\n]")]


def encode_read(value: Any) -> JSON:
    """Does as ``encode`` for what was read of JSON, and is not looked through for what JSON cannot hold."""
    try:
        return to_json(value, inf_nan_mode="constants")
    except (PydanticSerializationError, ValueError, RuntimeError):
        return encode(value)  # to tell what is wrong


_TEXT = frozenset([str])
_SCALARS = frozenset([str, int, float, bool, type(None)])
_DICT = frozenset([dict])


def copied(value: Any, text: JSON = b"") -> Any:
    """Returns a copy of a JSON value such as ``decode`` gives.

    Args:
        text: its JSON, where that is at hand.
    """
    if isinstance(value, dict):
        if _SCALARS.issuperset(map(type, value.values())):
            return value.copy()
        if text and any(map(_are_records, value.values())) and is_shallow(value, text):
            return {
                key: list(map(dict.copy, part)) if _are_records(part) else copied(part) for key, part in value.items()
            }
        return {key: part if type(part) in _SCALARS else copied(part) for key, part in value.items()}
    if isinstance(value, list):
        return value.copy() if _SCALARS.issuperset(map(type, value)) else [copied(part) for part in value]
    return value


def is_shallow(value: Any, text: JSON) -> bool:
    """Tells whether in the containers of a JSON value there are no others, but for the records of a list: then it is
    copied faster than its JSON is read.

    Args:
        text: its JSON.
    """
    parts = [part for part in value.values() if isinstance(part, (dict, list))] if isinstance(value, dict) else []
    records = [part for part in parts if _are_records(part)]
    if not all(map(_holds_scalars, (part for part in parts if not _are_records(part)))):
        return False
    if not all(_DICT.issuperset(map(type, part)) for part in records):
        return False
    known = 1 + len(parts) + sum(map(len, records))
    if not records or text.count(b"{") + text.count(b"[") == known:
        return True
    # There is a container more, or a bracket in a text.
    return all(_SCALARS.issuperset(map(type, chain.from_iterable(map(dict.values, part)))) for part in records)


def _holds_scalars(part: Any) -> bool:
    """Whether there are no containers in one."""
    return _SCALARS.issuperset(map(type, part.values() if isinstance(part, dict) else part))


def _are_records(part: Any) -> bool:
    """Whether something looks like a list of dicts, by the first of them."""
    return type(part) is list and bool(part) and type(part[0]) is dict


def check_numbers(text: JSON, value: Any, path: Path = ()) -> JSON:
    """Refuses what holds a number with more digits than can be read back; returns the text.

    Args:
        value: what the JSON ``text`` was made of, to say where the number is.

    Raises:
        Unstorable: there is one.
    """
    if len(text) > MAX_DIGITS and has_long_run(text, MAX_DIGITS) and has_long_run(_TEXTS.sub(b"", text), MAX_DIGITS):
        problem = f"a whole number of more than {MAX_DIGITS:,} digits"
        raise Unstorable(Fault(_place_of_number(value, path), problem, "Store it as text"))
    return text


def check_exponents(value: Any, path: Path = ()) -> None:
    """Refuses decimals such as ``1E+999999999``, before somebody makes a whole number of one, which takes for ever.

    Raises:
        Unstorable: there is one in the value.
    """
    if type(value) in (list, set) and _MAY_HOLD.isdisjoint(map(type, value)):
        return
    waiting: list[tuple[Path, Any]] = [(path, value)]
    met: set[int] = set()
    while waiting:
        place, part = waiting.pop()
        if isinstance(part, Decimal):
            if part.is_finite() and abs(part.adjusted()) > MAX_DIGITS:
                problem = f"a decimal that has more than {MAX_DIGITS:,} digits when it is written out"
                raise Unstorable(Fault(place, problem, "Round it, or store it as text", part))
        elif id(part) not in met and len(place) <= len(path) + MAX_DEPTH:  # else it is refused elsewhere
            met.add(id(part))
            waiting += _may_be_decimal(place, part)


def _may_be_decimal(place: Path, part: Any) -> list[tuple[Path, Any]]:
    """What in a container is or holds decimals, as far as a quick look tells."""
    if type(part) not in _MAY_HOLD:
        return []
    keyed = type(part) is dict
    keys: list[tuple[Path, Any]] = [(place, name) for name in part if isinstance(name, Decimal)] if keyed else []
    if _MAY_HOLD.isdisjoint(map(type, part.values() if keyed else part)):
        return keys
    pairs = part.items() if keyed else enumerate(part)
    return keys + [((*place, name), item) for name, item in pairs if type(item) in _MAY_HOLD]


_MAY_HOLD = frozenset([Decimal, list, tuple, set, frozenset, dict])

NO_DECIMALS = frozenset([str, int, float, bool, type(None)])
"""Types of values in which there is no decimal."""


def has_long_run(text: JSON, digits: int) -> bool:
    """Tells whether more than so many digits stand in a row: then they stand at eight places in a row of those that are
    an eighth of that number apart, so that hardly anything of a long text has to be looked at."""
    if len(text) <= digits:
        return False
    step = max(digits // 8, 1)
    for found in _EIGHT_DIGITS.finditer(text[::step]) if digits > 8 else ():
        begin = (found.end() - 1) * step
        end = _DIGITS.match(text, begin).end()  # type: ignore[union-attr]  # it matches anything
        while begin and 48 <= text[begin - 1] <= 57:
            begin -= 1
        if end - begin > digits:
            return True
    return digits <= 8 and re.search(rb"[0-9]{%d}" % (digits + 1), text) is not None


def check_text(text: str, path: Path) -> None:
    """Refuses text that could not be stored, without making its JSON.

    Raises:
        Unstorable: it holds a lone surrogate.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Unstorable(_fault(text, path, error)) from error


def portable(value: Any) -> Any:
    """Returns a JSON value such as every reader of JSON takes: numbers that are none stand in it by their names."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: portable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [portable(item) for item in value]
    return value


_PLAIN = frozenset([str, int, bool])


def alike(one: Any, other: Any) -> bool:
    """Tells whether two JSON values are equal by type and content, keys in any order."""
    if one is other:
        return True
    if type(one) is type(other) and type(one) in _PLAIN:
        return bool(one == other)
    if type(one) is type(other) is list:
        differs = next(compress(count(), map(ne, one, other)), None)
        if len(one) != len(other) or (differs is not None and not alike(one[differs], other[differs])):
            return False
    if type(one) is type(other) is dict:
        if are_texts(chain(one.values(), other.values())):
            return bool(one == other)
        if one.keys() != other.keys():
            return False
        name = next((name for name, item in one.items() if item != other[name]), None)
        if name is not None and not alike(one[name], other[name]):  # of a NaN Python says so of itself
            return False
    return same(encode(one), encode(other))


def canonical(text: JSON) -> JSON:
    """Returns the bytes by which the value with this JSON text compares."""
    first = text[:1]
    if first == b"{" or first == b"[":
        return _canonical_small(text) if len(text) <= MOST_REMEMBERED else _canonical_container(text)
    return b"0.0" if text == b"-0.0" else text


def same(one: JSON | None, other: JSON | None, canon: Canon = canonical) -> bool:
    """Tells whether two stored values (``None`` stands for a deletion) are equal by type and content."""
    if one == other:
        return True
    if one is None or other is None:
        return False
    return canon(one) == canon(other)


def canonical_of(value: Any, text: JSON) -> JSON:
    """Returns the bytes by which a value compares.

    Args:
        text: its JSON.
    """
    return _ordered(value, text) if isinstance(value, (dict, list)) else canonical(text)


def _canonical_container(text: JSON) -> JSON:
    return _ordered(from_json(text), text)


def _ordered(value: Any, text: JSON) -> JSON:
    if b"-0" in text:
        value = _positive_zero(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


_canonical_small = lru_cache(maxsize=1024)(_canonical_container)


def _positive_zero(value: Any) -> Any:
    """-0.0 equals 0.0 and must not look different inside a container."""
    if isinstance(value, float):
        return value + 0.0 if value == 0 else value
    if isinstance(value, list):
        return [_positive_zero(item) for item in value]
    if isinstance(value, dict):
        return {key: _positive_zero(item) for key, item in value.items()}
    return value


def _check(value: Any, path: Path, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Unstorable(
            Fault(path[:3], f"nested deeper than {MAX_DEPTH} levels", "Flatten the value or store it as text")
        )
    if isinstance(value, dict):
        if not (are_texts(value) and "".join(value).isascii()):
            for key in value:
                _check_key(key, path)
        if not _SCALARS.issuperset(map(type, value.values())):
            for key, item in value.items():
                if isinstance(item, (dict, list, tuple)):
                    _check(item, (*path, key), depth + 1)
    elif not _SCALARS.issuperset(map(type, value)):
        for index, item in enumerate(value):
            if isinstance(item, (dict, list, tuple)):
                _check(item, (*path, index), depth + 1)


def _check_key(key: Any, path: Path) -> None:
    if not isinstance(key, str):
        raise Unstorable(
            Fault(
                (*path, key),
                f"the key {told(key)} is of type {type(key).__name__}, a JSON object has only strings as keys",
                "Convert it with str()",
                key,
            )
        )
    if not key.isascii():
        check_text(key, (*path, key))


def are_texts(values: Iterable[Any]) -> bool:
    """Tells whether all of some values are plain text."""
    return _TEXT.issuperset(map(type, values))


def is_json(value: Any, depth: int = MAX_DEPTH) -> bool:
    """Tells whether a value has just the types that its JSON reads back as (no tuples, sets or classes of its own),
    nested no deeper than that."""
    parts = value
    if type(value) is dict:
        for name in value:
            if type(name) is not str:
                return False
        parts = value.values()
    elif type(value) is not list:
        return type(value) in _SCALARS
    for part in parts:  # noqa: SIM110  # a generator costs more than what it looks at
        if type(part) not in _SCALARS and not (depth > 1 and is_json(part, depth - 1)):
            return False
    return True


def _fault(value: Any, path: Path, error: Exception) -> Fault:
    """Finds the innermost part that cannot be stored, so that the message names it."""
    if isinstance(value, dict):
        parts: list[tuple[Any, Any]] = [*zip(value, value.values(), strict=False)]
    elif isinstance(value, (list, tuple)):
        parts = list(enumerate(value))
    else:
        parts = []
    for name, part in parts:
        if isinstance(name, str) and not _is_storable(name):
            return Fault(
                (*path, name), "the key is text that is no valid Unicode (a lone surrogate)", "Repair the text", name
            )
        if not _is_storable(part):
            return _fault(part, (*path, name), error)
    if isinstance(value, str):
        return Fault(
            path, "text that is no valid Unicode (a lone surrogate)", "Repair the text before storing it", value
        )
    return Fault(path, f"a {type(value).__name__} has no JSON form ({error})", "Store a JSON value", value)


def _is_storable(value: Any) -> bool:
    try:
        to_json(value, inf_nan_mode="constants")
    except (PydanticSerializationError, ValueError, RuntimeError):
        return False
    return True


def _place_of_number(value: Any, path: Path) -> Path:
    parts: Any = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    )
    for name, part in parts:
        if isinstance(part, int) and part.bit_length() > 3 * MAX_DIGITS:
            return (*path, name)
        if isinstance(part, (dict, list, tuple)):
            inner = _place_of_number(part, (*path, name))
            if len(inner) > len(path) + 1:
                return inner
    return path
