"""The tree of a record's state, and the change that one write makes to it."""

from concordant.merge.registers.change import Change
from concordant.merge.registers.leaf import Leaf, Path, as_register, is_sequence
from concordant.merge.registers.register import PRESENT, agreed, alternatives, are_different
from concordant.merge.registers.tree import (
    PARKED,
    LeafChange,
    Tree,
    as_seen,
    is_alive,
    leaf_at,
    leaves,
    place_leaf,
    restored,
    sequences,
    supporters_below,
)

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
    "as_register",
    "as_seen",
    "is_alive",
    "is_sequence",
    "leaf_at",
    "leaves",
    "place_leaf",
    "restored",
    "sequences",
    "supporters_below",
]
