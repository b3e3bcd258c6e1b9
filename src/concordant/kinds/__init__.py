"""The kinds: how a field merges. One small file each, all behind ``concordant.kinds.base.Kind``."""

from concordant.kinds.base import Contest, Field, Kind, Look, Option
from concordant.kinds.counter import Counter
from concordant.kinds.keyed import KeyedSet
from concordant.kinds.list import List
from concordant.kinds.map import Map
from concordant.kinds.policies import POLICIES, Priority, priority
from concordant.kinds.record import OPEN, OPEN_TREE, OpenRecord, Record
from concordant.kinds.registry import register
from concordant.kinds.scalar import Scalar
from concordant.kinds.set import Set
from concordant.kinds.text import Text
from concordant.kinds.tree import Tree

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
    "OpenRecord",
    "Option",
    "Priority",
    "Record",
    "Scalar",
    "Set",
    "Text",
    "Tree",
    "priority",
    "register",
]
