"""Marks by which a store is told from a copy of it: what it had committed at the exports that others may know of.

Two stores under one name that were both written to since one was copied, or restored, have another commit under the
same number. A mark is the number of a commit and a digest of when it was made; a store keeps those of its newest
exports, in their order and without a gap, and of other stores what they told. So wherever two lists overlap they have
the same marks, unless they are those of two stores.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeAlias

__all__ = ["BEGUN", "MOST", "Marks", "diverge", "newer", "noted"]

Marks: TypeAlias = Sequence[tuple[int, str]]

MOST = 32
"""How many marks a store keeps of itself, and of each other one."""

BEGUN: Marks = ((0, ""),)
"""Those of a new store: its list reaches back to its beginning."""


def noted(marks: Marks, n: int, clock: float) -> Marks:
    """Returns the marks after an export, with that of the last commit."""
    if marks and marks[-1][0] >= n:
        return marks
    return (*marks, (n, hashlib.sha256(repr(clock).encode()).hexdigest()[:8]))[-MOST:]


def newer(one: Marks, other: Marks) -> Marks:
    """Tells which of two lists about one store tells more."""
    return max(one, other, key=lambda marks: (marks[-1][0] if marks else -1, len(marks)))


def diverge(one: Marks, other: Marks) -> bool:
    """Tells whether two lists are those of two stores with one name."""
    if not one or not other:
        return False
    low, high = max(one[0][0], other[0][0]), min(one[-1][0], other[-1][0])
    mine, theirs = ({mark for mark in marks if low <= mark[0] <= high} for marks in (one, other))
    return mine != theirs
