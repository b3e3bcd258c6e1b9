"""What a store has in the end, in a form that is the same for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

__all__ = ["Credits", "Outcome", "Where"]

Where: TypeAlias = tuple[str, tuple[str, ...]]
"""A document and a path in it; the path ``()`` is the document."""

Credits: TypeAlias = "Mapping[Where, list[tuple[Any, tuple[str, ...]]]]"
"""Who stands for which value."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a store has, and what it said.

    Attributes:
        values: each document; ``None`` if it is not there.
        alarms: where it told anybody of a conflict, at any time.
        contenders: what it holds beside the values where a conflict is open.
        settled: where a declared policy has decided, on record.
        credits: who stands for the values; empty if the store does not know.
    """

    values: Mapping[str, Mapping[str, Any] | None]
    alarms: frozenset[Where] = frozenset()
    contenders: Credits = field(default_factory=dict)
    credits: Credits = field(default_factory=dict)
    settled: frozenset[Where] = frozenset()
