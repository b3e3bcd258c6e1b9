"""Who stands below a place of a record."""

from __future__ import annotations

from typing import Any

from concordant.causal import Stamp, order_of
from concordant.sequence.pieces import Sequence
from concordant.tree import leaves

__all__ = ["stamps_below"]


def stamps_below(cell: Any) -> tuple[Stamp, ...]:
    """The stamps of all writes that stand below a place, oldest first."""
    found: set[Stamp] = set()
    for _, leaf in leaves(cell):
        if isinstance(leaf, Sequence):
            found.update(leaf.stamps())
        else:
            found.update(stamp for entry in leaf for stamp in entry.stamps)
    return tuple(sorted(found, key=order_of))
