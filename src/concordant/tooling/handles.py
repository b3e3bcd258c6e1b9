"""Handles: an escalation's name in a conversation, pinned to the sides that were shown with it.

A model that calls tools repeats what it read. So the handle itself says what was read: if a contender came or went
since, or they stand in another order, it is the handle of something else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from concordant.values import encode
from concordant.workspace import DELETED, Escalation

__all__ = ["find", "handle_of"]


def handle_of(escalation: Escalation) -> str:
    """Returns the handle of an escalation with the contenders that it has now."""
    return f"{escalation.id[:10]}-{_sides(escalation)}"


def find(handle: str, escalations: Iterable[Escalation]) -> tuple[Escalation | None, bool]:
    """Returns the escalation that a handle names, and whether its contenders are those that were shown."""
    name, _, sides = handle.strip().partition("-")
    named = [escalation for escalation in escalations if len(name) == 10 and escalation.id.startswith(name)]
    exact = [escalation for escalation in named if _sides(escalation) == sides]
    found = exact or named
    return found[0] if found else None, bool(exact)


def _sides(escalation: Escalation) -> str:
    sides = ["-" if c.value is DELETED else encode(c.value).decode() for c in escalation.contenders]
    return hashlib.sha256("\n".join(sides).encode()).hexdigest()[:6]
