"""LangGraph's filters and namespace conditions, on values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time
from itertools import takewhile
from typing import Any, Literal

from langgraph.store.base import GetOp, InvalidNamespaceError, ListNamespacesOp, MatchCondition, Op, PutOp, SearchOp

from concordant import ConcordantError
from concordant.spi import Condition, number, told

__all__ = [
    "InvalidArgumentError",
    "InvalidNameError",
    "InvalidOperationError",
    "check_labels",
    "check_namespace",
    "check_op",
    "check_prefix",
    "conditions",
    "key_of",
    "literal",
    "matches",
    "meets",
]


class InvalidOperationError(ConcordantError, ValueError):
    """An operation is none, or asks for what no store can do."""


class InvalidArgumentError(ConcordantError, TypeError):
    """An argument cannot be used with the others, or at all."""


class InvalidNameError(ConcordantError, InvalidNamespaceError):
    """A namespace is none by the rules of ``BaseStore``."""


def matches(value: Any, wanted: Any) -> bool:
    """Tells whether a value meets a filter: equality, nested dicts, or operators (all must hold)."""
    if isinstance(wanted, dict):
        if any(isinstance(name, str) and name.startswith("$") for name in wanted):
            return all(_compare(name, value, operand) for name, operand in wanted.items())
        return isinstance(value, dict) and all(matches(value.get(name), part) for name, part in wanted.items())
    if isinstance(wanted, (list, tuple)):
        if not isinstance(value, (list, tuple)) or len(value) != len(wanted):
            return False
        return all(matches(one, other) for one, other in zip(value, wanted, strict=True))
    return _equal(value, wanted)


def conditions(wanted: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[Condition]:
    """Tells what of a filter a database can check beforehand."""
    for name, part in wanted.items():
        at = (*path, name)
        if not isinstance(name, str) or not re.fullmatch("[A-Za-z0-9_]+", name):
            continue
        if not isinstance(part, dict):
            yield from _condition(at, "$eq", part)
        elif any(isinstance(operator, str) and operator.startswith("$") for operator in part):
            for operator, operand in part.items():
                yield from _condition(at, operator, operand)
        else:
            yield from conditions(part, at)


def _condition(path: tuple[str, ...], operator: str, operand: Any) -> Iterator[Condition]:
    if operator == "$eq":
        if operand is None or (isinstance(operand, str) and operand.isprintable()):
            yield Condition(path, "equal", operand)
        elif isinstance(operand, (int, float)):
            with suppress(ValueError, OverflowError):
                yield Condition(path, "equal", number(operand))
    elif operator in _BOUNDS:
        with suppress(TypeError, ValueError, OverflowError):
            yield Condition(path, _BOUNDS[operator], number(operand))


_OPERATORS = ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte")
_BOUNDS: dict[str, Literal["least", "most"]] = {"$gt": "least", "$gte": "least", "$lt": "most", "$lte": "most"}


def _compare(operator: str, value: Any, operand: Any) -> bool:
    if operator == "$eq":
        return _equal(value, operand)
    if operator == "$ne":
        return not _equal(value, operand)
    pair = _ordered(value, operand)
    if pair is None:  # a value without an order against the operand does not match; the search goes on
        return False
    one, other = pair
    return bool({"$gt": one > other, "$gte": one >= other, "$lt": one < other, "$lte": one <= other}[operator])


def _equal(value: Any, operand: Any) -> bool:
    if isinstance(operand, date):  # no JSON value is one: it means the text of one
        pair = _ordered(value, operand)
        return pair is not None and bool(pair[0] == pair[1])
    return bool(value == operand)


def _ordered(value: Any, operand: Any) -> tuple[Any, Any] | None:
    """Both in a form that can be compared: as numbers where they are, then as times, then as texts; else ``None``."""
    try:
        return _number(value), _number(operand)
    except (TypeError, ValueError):
        pass
    one, other = _time(value), _time(operand)
    if one is not None and other is not None:
        return one, other
    return (value, operand) if isinstance(value, str) and isinstance(operand, str) else None


def _time(value: Any) -> datetime | None:
    """A date or a time as an instant; where it names no zone it counts as UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        return None
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        return None


def meets(condition: MatchCondition, namespace: tuple[str, ...]) -> bool:
    """Tells whether a namespace meets a prefix or suffix condition (``*`` is any one segment)."""
    path = tuple(condition.path)
    if len(namespace) < len(path):
        return False
    if condition.match_type == "prefix":
        part = namespace[: len(path)]
    elif condition.match_type == "suffix":
        part = namespace[len(namespace) - len(path) :]
    else:
        raise InvalidOperationError(f"Unsupported match type: {condition.match_type}")
    return all(wanted in ("*", label) for label, wanted in zip(part, path, strict=True))


def _number(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return value  # type: ignore[no-any-return]  # a whole number too large for a float, which compares all the same


def literal(given: Sequence[MatchCondition]) -> tuple[str, ...]:
    """Returns the longest prefix that namespaces have which meet all conditions, as far as it is told without ``*``."""
    longest: tuple[str, ...] = ()
    for condition in given:
        if condition.match_type == "prefix":
            part = tuple(takewhile(lambda label: label != "*", condition.path))
            longest = max(longest, part, key=len)
    return longest


def check_namespace(namespace: tuple[str, ...]) -> None:
    """Applies the rules of ``BaseStore.put`` for namespaces."""
    check_labels(namespace)
    if not namespace:
        raise InvalidNameError("Namespace cannot be empty.")
    if namespace[0] == "langgraph":
        raise InvalidNameError(f'Root label for namespace cannot be "langgraph". Got: {namespace}')


def check_prefix(prefix: tuple[str, ...] | list[str]) -> None:
    """Applies the rules for a prefix, or a suffix, of namespaces, which may be a list."""
    check_labels(tuple(prefix) if isinstance(prefix, list) else prefix)


def check_labels(namespace: tuple[str, ...]) -> None:
    """Applies the rules of ``BaseStore`` for the labels of a namespace; a string is none."""
    if not isinstance(namespace, tuple):
        raise InvalidNameError(f"A namespace is a tuple of labels, such as ('briefs',), not {told(namespace)}")
    for label in namespace:
        if not isinstance(label, str):
            raise InvalidNameError(
                f"Invalid namespace label {told(label)} found in {told(namespace)}. Namespace labels must be strings, "
                f"but got {type(label).__name__}."
            )
        if "." in label:
            raise InvalidNameError(
                f"Invalid namespace label '{label}' found in {namespace}. Namespace labels cannot contain periods."
            )
        if "\x00" in label:
            raise InvalidNameError(
                f"Invalid namespace label '{label}' found in {namespace}. Namespace labels cannot contain NUL bytes."
            )
        try:
            label.encode()
        except UnicodeEncodeError as error:
            raise InvalidNameError(f"Invalid namespace label {label!r}: it is no valid Unicode.") from error
        if not label:
            raise InvalidNameError(f"Namespace labels cannot be empty strings. Got {label} in {namespace}")


def check_op(op: Op) -> None:
    """Applies the rules for the operations of a raw batch: labels, a query's own parts, bounds."""
    if isinstance(op, (GetOp, PutOp)):
        check_labels(op.namespace)
    elif isinstance(op, SearchOp):
        check_prefix(op.namespace_prefix)
        _check_bounds(op.limit, op.offset)
        if op.filter is not None and not isinstance(op.filter, Mapping):
            raise InvalidOperationError(f"filter= is a dict of conditions by field, not {told(op.filter)}")
        _check_operators((op.filter or {}).values())
        if op.query is not None and not isinstance(op.query, str):
            raise InvalidOperationError(f"query= is a text, not {told(op.query)}")
    elif isinstance(op, ListNamespacesOp):
        for condition in op.match_conditions or ():
            check_prefix(condition.path)
        _check_bounds(op.limit, op.offset, 0 if op.max_depth is None else op.max_depth)
    else:
        raise InvalidOperationError(f"Unknown operation type: {type(op)}")


def _check_operators(wanted: Iterable[Any]) -> None:
    """Refuses unknown operators, whatever there is to compare with them, however deep they stand."""
    parts, looked = [*wanted], dict[int, Any]()  # each once: one may hold itself
    while parts:
        part = parts.pop()
        if not isinstance(part, (dict, list, tuple)) or id(part) in looked:
            continue
        looked[id(part)] = part
        if not isinstance(part, dict):
            parts += part
        elif any(isinstance(name, str) and name.startswith("$") for name in part):
            for name in part:
                _check_operator(name)
        else:
            parts += part.values()


def _check_operator(name: Any) -> None:
    if name not in _OPERATORS:
        raise InvalidOperationError(f"Unsupported operator: {name}. Use $eq, $ne, $gt, $gte, $lt or $lte")


def _check_bounds(*numbers: Any) -> None:
    for number_ in numbers:
        if not isinstance(number_, int):
            raise InvalidOperationError(f"limit=, offset= and max_depth= are whole numbers, not {told(number_)}")


def key_of(key: Any) -> str:
    """Returns a key as text, as every ``BaseStore`` makes it."""
    try:
        return str(key)
    except Exception as error:
        raise InvalidOperationError(f"a key is a text, not {told(key)}") from error
