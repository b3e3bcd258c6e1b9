"""LangGraph's filters and namespace conditions, on values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any, Literal

from langgraph.store.base import InvalidNamespaceError, MatchCondition

from concordant.storage.conditions import Condition, number

__all__ = ["check_labels", "check_namespace", "conditions", "literal", "matches", "meets"]


def matches(value: Any, wanted: Any) -> bool:
    """Whether a value meets a filter: equality, nested dicts, or operators (all must hold)."""
    if isinstance(wanted, dict):
        if any(name.startswith("$") for name in wanted):
            return all(_compare(name, value, operand) for name, operand in wanted.items())
        return isinstance(value, dict) and all(matches(value.get(name), part) for name, part in wanted.items())
    if isinstance(wanted, (list, tuple)):
        if not isinstance(value, (list, tuple)) or len(value) != len(wanted):
            return False
        return all(matches(one, other) for one, other in zip(value, wanted, strict=True))
    return bool(value == wanted)


def conditions(wanted: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[Condition]:
    """What of a filter a database can check beforehand."""
    for name, part in wanted.items():
        at = (*path, name)
        if not re.fullmatch("[A-Za-z0-9_]+", name):
            continue
        if not isinstance(part, dict):
            yield from _condition(at, "$eq", part)
        elif any(operator.startswith("$") for operator in part):
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


_BOUNDS: dict[str, Literal["least", "most"]] = {"$gt": "least", "$gte": "least", "$lt": "most", "$lte": "most"}


def _compare(operator: str, value: Any, operand: Any) -> bool:
    if operator == "$eq":
        return bool(value == operand)
    if operator == "$ne":
        return bool(value != operand)
    if operator not in ("$gt", "$gte", "$lt", "$lte"):
        raise ValueError(f"Unsupported operator: {operator}")
    try:
        one, other = _number(value), _number(operand)
    except (TypeError, ValueError):
        # A value without an order against the operand does not match; it must not break the whole search.
        return False
    return {"$gt": one > other, "$gte": one >= other, "$lt": one < other, "$lte": one <= other}[operator]


def meets(condition: MatchCondition, namespace: tuple[str, ...]) -> bool:
    """Whether a namespace meets a prefix or suffix condition (``*`` is any one segment)."""
    path = tuple(condition.path)
    if len(namespace) < len(path):
        return False
    if condition.match_type == "prefix":
        part = namespace[: len(path)]
    elif condition.match_type == "suffix":
        part = namespace[len(namespace) - len(path) :]
    else:
        raise ValueError(f"Unsupported match type: {condition.match_type}")
    return all(wanted in ("*", label) for label, wanted in zip(part, path, strict=True))


def _number(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return value  # type: ignore[no-any-return]  # a whole number too large for a float, which compares all the same


def literal(given: Sequence[MatchCondition]) -> tuple[str, ...]:
    """The longest prefix that namespaces have which meet all conditions, as far as it is told without ``*``."""
    longest: tuple[str, ...] = ()
    for condition in given:
        if condition.match_type == "prefix":
            part = tuple(takewhile(lambda label: label != "*", condition.path))
            longest = max(longest, part, key=len)
    return longest


def check_namespace(namespace: tuple[str, ...]) -> None:
    """The rules of ``BaseStore.put`` for namespaces."""
    if not namespace:
        raise InvalidNamespaceError("Namespace cannot be empty.")
    check_labels(namespace)
    if namespace[0] == "langgraph":
        raise InvalidNamespaceError(f'Root label for namespace cannot be "langgraph". Got: {namespace}')


def check_labels(namespace: tuple[str, ...]) -> None:
    """The rules of ``BaseStore`` for the labels of a namespace."""
    for label in namespace:
        if not isinstance(label, str):
            raise InvalidNamespaceError(
                f"Invalid namespace label '{label}' found in {namespace}. Namespace labels must be strings, "
                f"but got {type(label).__name__}."
            )
        if "." in label:
            raise InvalidNamespaceError(
                f"Invalid namespace label '{label}' found in {namespace}. Namespace labels cannot contain periods."
            )
        if "\x00" in label:
            raise InvalidNamespaceError(
                f"Invalid namespace label '{label}' found in {namespace}. Namespace labels cannot contain NUL bytes."
            )
        if not label:
            raise InvalidNamespaceError(f"Namespace labels cannot be empty strings. Got {label} in {namespace}")
