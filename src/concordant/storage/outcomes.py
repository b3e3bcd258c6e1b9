"""What became of writes, field by field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from pydantic_core import from_json

__all__ = ["GIVEN", "Outcomes", "counted"]

Outcomes: TypeAlias = "dict[tuple[tuple[str, ...], str], Counter[str]]"
"""By namespace and field: how many writes had which outcome."""

GIVEN = frozenset(["put", "write", "edit"])
"""The acts that give values."""


def counted(
    rows: Iterable[tuple[tuple[str, ...], str, bytes | None, Mapping[str, str]]], into: Outcomes | None = None
) -> Outcomes:
    """Counts journal rows by outcome.

    Args:
        rows: of each namespace, act, the JSON of the values given, and the outcomes where they met others.
    """
    found: Outcomes = {} if into is None else into
    for namespace, act, body, met in rows:
        if act in GIVEN:
            values: Any = from_json(body) if body else {}
            for field in values:
                found.setdefault((namespace, field), Counter())[met.get(field, "ordered")] += 1
    return found
