"""Conditions on values that a database can check, so that most of what they leave out is never loaded.

They rule out too little rather than too much: whoever asks looks at what is found again. So they bear what differs
between a database's JSON and Python's: numbers are compared with a little room, and a value that a database's JSON
cannot hold (NaN, NUL, half of a surrogate pair) is let through.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

__all__ = ["Condition", "for_postgres", "for_sqlite", "number"]

_ROOM = 1e-9


class Condition(NamedTuple):
    """What the value at a path has to be.

    Attributes:
        path: names of fields, from the document on; each of ASCII letters, digits and ``_``.
        sort: equal to the operand; a number at least, or at most, the operand. A text or a boolean where a number is
            wanted is left to the caller.
        operand: text, ``None`` (which a missing field equals) or a finite number.
    """

    path: tuple[str, ...]
    sort: Literal["equal", "least", "most"]
    operand: str | float | None


def number(operand: float) -> float:
    """Returns an operand as the number that databases compare; ``ValueError`` or ``OverflowError`` if there is none."""
    found = float(operand)
    if found != found or abs(found) > 1e300:
        raise ValueError("no finite number")
    return found


def for_sqlite(conditions: Sequence[Condition]) -> tuple[str, list[Any]]:
    """Gives an expression over a column ``value`` of JSON bytes, and its parameters."""
    text, terms, parameters = "CAST(value AS TEXT)", [], list[Any]()
    for path, sort, operand in conditions:
        at = "'$" + "".join(f'."{name}"' for name in path) + "'"
        kind, value = f"json_type({text}, {at})", f"json_extract({text}, {at})"
        if operand is None:
            terms.append(f"coalesce({kind}, 'null') = 'null'")
        elif isinstance(operand, str):
            terms.append(f"CASE {kind} WHEN 'text' THEN {value} = ? ELSE FALSE END")
            parameters.append(operand)
        else:
            compared, bounds = _compared(f"CAST({value} AS REAL)", sort, operand)
            terms.append(
                f"CASE WHEN {kind} IN ('integer', 'real') THEN {compared} "
                f"ELSE {kind} IN ('true', 'false'{_UNLESS_EQUAL if sort != 'equal' else ''}) END"
            )
            parameters += bounds
    return f"CASE WHEN json_valid({text}) THEN {' AND '.join(terms)} ELSE TRUE END", parameters


def for_postgres(conditions: Sequence[Condition]) -> tuple[str, list[Any]]:
    """Gives the same for Postgres, whose ``json`` raises where it cannot hold a value: such bytes are kept from it."""
    parameters: list[Any] = [*_UNFIT]
    terms = []
    for path, sort, operand in conditions:
        json, at = "convert_from(value, 'UTF8')::json", "'{" + ",".join(path) + "}'"
        kind, value = f"json_typeof({json} #> {at})", f"{json} #>> {at}"
        if operand is None:
            terms.append(f"coalesce({kind}, 'null') = 'null'")
        elif isinstance(operand, str):
            terms.append(f"CASE {kind} WHEN 'string' THEN {value} = ? ELSE FALSE END")
            parameters.append(operand)
        else:
            compared, bounds = _compared(f"({value})::float8", sort, operand)
            terms.append(
                f"CASE WHEN {kind} = 'number' THEN CASE WHEN length({value}) < 300 THEN {compared} ELSE TRUE END "
                f"ELSE {kind} IN ('boolean'{_UNLESS_EQUAL_PG if sort != 'equal' else ''}) END"
            )
            parameters += bounds
    fits = " AND ".join("position(? IN value) = 0" for _ in _UNFIT)
    return f"CASE WHEN {fits} THEN {' AND '.join(terms)} ELSE TRUE END", parameters


_UNFIT = (b"NaN", b"Infinity", rb"\u0000", rb"\ud", rb"\uD")
_UNLESS_EQUAL = ", 'text'"  # a text may name a number, as LangGraph's stores read it
_UNLESS_EQUAL_PG = ", 'string'"


def _compared(value: str, sort: str, operand: float) -> tuple[str, list[float]]:
    low, high = operand - abs(operand) * _ROOM, operand + abs(operand) * _ROOM
    if sort == "least":
        return f"{value} >= ?", [low]
    if sort == "most":
        return f"{value} <= ?", [high]
    return f"{value} BETWEEN ? AND ?", [low, high]
