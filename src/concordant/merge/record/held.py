"""What writes that are taken back had replaced in a register, and what others have made of that since."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence as Items
from typing import Any, NamedTuple, TypeAlias

from concordant.merge.causality import Agreed, Entry, Register, SeenBy, Stamp, order_of
from concordant.merge.record.past import PastCommit, author_of, deletes, identity_of
from concordant.merge.registers import Leaf, Path
from concordant.merge.registers.leaf import as_register
from concordant.values import Canon, same

__all__ = ["Held", "Knew", "Turn"]

Knew: TypeAlias = Callable[[PastCommit, Stamp, bool], bool]
"""Whether the writer of a commit had seen a write; the last argument is the answer where that is not told."""


class Turn(NamedTuple):
    """What one commit made of a leaf."""

    step: PastCommit
    before: Leaf | None
    after: Leaf | None


class Held:
    """The story of one register, as far as it matters for taking writes back.

    Args:
        path: where it is.
        gone: which writes are taken back.
        knew: tells who had seen what.
        canon: the bytes by which its values compare.

    Attributes:
        back: the entries that stand again, each with the commit that replaced it.
        before: what stood there before the first of the writes.
        built: whether somebody worked on what they left.
        alone: whether somebody did, and on nothing else.
        settled: whether somebody has replaced what they had replaced, or stands for what they left.
        deleted: whether what they left was deleted with a container.
    """

    def __init__(self, path: Path, gone: SeenBy, knew: Knew, canon: Canon) -> None:
        self.back: dict[Any, tuple[Entry, PastCommit]] = {}
        self.before: Register | None = None
        self.built = self.alone = self.settled = self.deleted = False
        self._path = path
        self._gone = gone
        self._knew = knew
        self._canon = canon

    def follow(self, story: Iterable[Turn]) -> None:
        """Goes through the story, the oldest first."""
        for step, before, after in story:
            old, new = as_register(before), as_register(after)
            if step.gone:
                self._replace(step, old, new)
            elif self.before is not None:
                self._meet(step, old, new)

    @property
    def from_nothing(self) -> bool:
        """Whether nothing stood there before the writes, and somebody worked on what they made."""
        return not self.before and self.alone and not self.settled

    @property
    def agreed(self) -> Agreed | None:
        """What was agreed before them."""
        newest = max(self.before or (), key=lambda entry: order_of(entry.stamp), default=None)
        return None if newest is None else Agreed(*order_of(newest.stamp), newest.value)

    def _replace(self, step: PastCommit, old: Register, new: Register) -> None:
        """One of the writes that are taken back."""
        stood = tuple(entry for entry in old if not self._gone(entry.stamp))
        if self.before is None:
            self.before = stood
        kept = set(map(identity_of, new))
        self.back |= {author_of(entry): (entry, step) for entry in stood if identity_of(entry) not in kept}

    def _meet(self, step: PastCommit, old: Register, new: Register) -> None:
        """Somebody else's write."""
        before, after = set(map(identity_of, old)), set(map(identity_of, new))
        added = [entry for entry in new if identity_of(entry) not in before and not self._gone(entry.stamp)]
        removed = [entry for entry in old if identity_of(entry) not in after]
        again = self._replace_again(step, removed)
        if removed and not new:
            self._remove(step)
        elif added:
            took = [entry for entry in removed if self._gone(entry.stamp) and entry not in again]
            if took:
                self._take(added, took, len(removed))
            else:
                self._add(step, added, any(self._gone(entry.stamp) for entry in old))

    def _replace_again(self, step: PastCommit, removed: Iterable[Entry]) -> list[Entry]:
        """Somebody has replaced what stood again, the writes having been taken back before, or what one of them has
        but moved, and returns that: it is not what a deletion has taken along, which then comes back with it."""
        moved = not self._is_deleted(step)
        again = [
            entry
            for entry in removed
            if (moved or not self._gone(entry.stamp)) and self.back.pop(author_of(entry), None) is not None
        ]
        self.settled = self.settled or bool(again)
        return again

    def _is_deleted(self, step: PastCommit) -> bool:
        """Whether a commit deleted what is around the place."""
        return self._path[-1] is not None and deletes(step, self._path[:-1])

    def _remove(self, step: PastCommit) -> None:
        """Nothing is left: what is deleted with a container is gone with it, or comes back with it."""
        self.settled = True
        if self._is_deleted(step):
            self.deleted = True
        else:
            self.back.clear()

    def _take(self, added: Collection[Entry], took: Collection[Entry], removed: int) -> None:
        """It replaced what they left: it says the same and stands for that by itself, or was built on it."""
        if all(same(one.value, other.value, self._canon) for one in added for other in took):
            self.settled = True
            self.back.clear()
        else:
            self.built = True
            self.alone = self.alone or len(took) == removed

    def _add(self, step: PastCommit, added: Collection[Entry], beside: bool) -> None:
        """It replaced nothing of theirs.

        Args:
            beside: whether something of theirs stood there, which it left.
        """
        replaced = _replaced(added, [entry for entry, _ in self.back.values()]) if step.imported else ()
        for one, (entry, by) in [*self.back.items()]:
            if self._knew(step, by.stamp, not beside):
                self.built = True
            elif entry in replaced if step.imported else self._knew(step, entry.stamp, True):
                self.settled = True
                del self.back[one]
        self.settled = self.settled or (beside and not self.before and not self.back)


def _replaced(added: Iterable[Entry], entries: Items[Entry]) -> list[Entry]:
    """The entries that writes made elsewhere tell to have replaced: the value before each is one of them, or came after
    one in its store; only where it is of neither sort, after any of them."""
    found: list[Entry] = []
    for base in [one.base for one in added if one.base is not None]:
        own = [entry for entry in entries if (entry.stamp.replica, True) == (base.replica, entry.stamp.n <= base.n)]
        found += own or [entry for entry in entries if base[:3] >= order_of(entry.stamp)]
    return found
