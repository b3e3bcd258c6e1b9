"""The tree of a record's state, and the change that one write makes to it."""

from concordant.merge.registers.change import Change
from concordant.merge.registers.leaves import (
    PARKED,
    PRESENT,
    Leaf,
    LeafChange,
    Path,
    Tree,
    agreed,
    alternatives,
    are_different,
    is_alive,
    leaf_at,
    leaves,
    place_leaf,
    restored,
)
from concordant.merge.registers.parts import as_seen

__all__ = [
    "PARKED",
    "PRESENT",
    "Change",
    "Leaf",
    "LeafChange",
    "Path",
    "Tree",
    "agreed",
    "alternatives",
    "are_different",
    "as_seen",
    "is_alive",
    "leaf_at",
    "leaves",
    "place_leaf",
    "restored",
]
