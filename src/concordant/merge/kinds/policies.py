"""Declared policies of a ``Scalar``: pure functions of the live alternatives, so that replicas agree.

Each takes the groups of equal entries in (time, dot) order of their oldest writes and returns the group that stands,
or ``None`` if it cannot say. Of the winner of some and of further groups it makes what it makes of all, because what
has won is compared with what is new only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, TypeAlias

from concordant.merge.causality import Entry, order_of
from concordant.values import JSON

__all__ = ["ORDERING", "POLICIES", "Groups", "Priority", "priority"]

Groups: TypeAlias = Sequence[list[Entry]]
Rank: TypeAlias = Callable[[JSON], Any]


def first(groups: Groups, rank: Rank) -> list[Entry] | None:
    """Returns the alternative that was written first."""
    return groups[0]


def latest(groups: Groups, rank: Rank) -> list[Entry] | None:
    """Returns the alternative that was written last."""
    return max(groups, key=lambda group: max(order_of(entry.stamp) for entry in group))


def largest(groups: Groups, rank: Rank) -> list[Entry] | None:
    """Returns the largest value; ``None`` where two cannot be compared."""
    return _outermost(max, groups, rank)


def smallest(groups: Groups, rank: Rank) -> list[Entry] | None:
    """Returns the smallest value; ``None`` where two cannot be compared."""
    return _outermost(min, groups, rank)


def _outermost(choose: Callable[..., list[Entry]], groups: Groups, rank: Rank) -> list[Entry] | None:
    try:
        return choose(groups, key=lambda group: rank(group[0].value or b"null"))
    except (TypeError, ValueError, ArithmeticError):
        return None  # an instant with a zone and one without, or what was stored under another type


def unordered(text: JSON) -> Any:
    """Returns the key of values whose type has no order: there is none."""
    raise TypeError("values of this type have no order")


class Preferred(NamedTuple):
    """The best of alternatives, its place in the order of agents, and whether different ones share that."""

    best: list[Entry] | None
    place: int
    tied: bool

    @property
    def winner(self) -> list[Entry] | None:
        """The one that stands, if one does."""
        return None if self.tied else self.best


@dataclass(frozen=True, slots=True)
class Priority:
    """The policy made by ``priority(...)``."""

    patterns: tuple[str, ...]

    def __call__(self, groups: Groups, rank: Rank) -> list[Entry] | None:
        return self.preferred(None, groups).winner

    def preferred(self, known: Preferred | None, groups: Groups) -> Preferred:
        """Tells which alternative stands.

        Args:
            known: what was known of alternatives before some of them changed, or came.
            groups: those.
        """
        best, best_place, tied = known or Preferred(None, len(self.patterns), False)
        for group in groups:
            agents = {stamp.agent for entry in group for stamp in entry.stamps}
            place = min((self._place(agent) for agent in agents), default=len(self.patterns))
            if place < best_place:
                best, best_place, tied = group, place, False
            elif place == best_place and group is not best:
                tied = True
        return Preferred(best, best_place, tied)

    def _place(self, agent: str) -> int:
        for place, pattern in enumerate(self.patterns):
            if fnmatchcase(agent, pattern):
                return place
        return len(self.patterns)


def priority(*agents: str) -> Priority:
    """Settles by who wrote: the first agent named wins. Names may be glob patterns.

    Where the best place is shared by different values, the conflict stays open.

    >>> from concordant import Scalar, priority
    >>> Scalar(resolve=priority("editor", "writer*")).resolve
    Priority(patterns=('editor', 'writer*'))
    """
    if not agents or not all(isinstance(agent, str) and agent for agent in agents):
        raise TypeError("priority() takes the names of agents (or glob patterns), the most important first")
    return Priority(agents)


POLICIES: dict[str, Callable[[Groups, Rank], list[Entry] | None]] = {
    "first": first,
    "latest": latest,
    "max": largest,
    "min": smallest,
}

ORDERING = frozenset(["max", "min"])
"""Those that need an order of the values; the schema refuses them for a type that has none."""
