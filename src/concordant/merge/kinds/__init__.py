"""The kinds: how a field merges. One small file each, all behind ``concordant.merge.kinds.base.Kind``."""

from concordant.merge.kinds.base import Contest, Field, Kind, Look
from concordant.merge.kinds.counter import Counter
from concordant.merge.kinds.keyed import KeyedSet
from concordant.merge.kinds.list import List
from concordant.merge.kinds.map import Map
from concordant.merge.kinds.nested import OPEN, OPEN_TREE, Nested, OpenRecord
from concordant.merge.kinds.policies import POLICIES, Priority, priority
from concordant.merge.kinds.registry import register
from concordant.merge.kinds.scalar import Scalar
from concordant.merge.kinds.set import Set
from concordant.merge.kinds.text import Text
from concordant.merge.kinds.tree import Tree
from concordant.merge.kinds.weighing import Option

__all__ = [
    "OPEN",
    "OPEN_TREE",
    "POLICIES",
    "Contest",
    "Counter",
    "Field",
    "KeyedSet",
    "Kind",
    "List",
    "Look",
    "Map",
    "Nested",
    "OpenRecord",
    "Option",
    "Priority",
    "Scalar",
    "Set",
    "Text",
    "Tree",
    "priority",
    "register",
]
