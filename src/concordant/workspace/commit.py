"""One commit to a document, whoever makes it: how it ends in the record, and its row in the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from concordant.merge.causality import Stamp
from concordant.merge.record import Record, journalled
from concordant.merge.registers import LeafChange
from concordant.storage import Address, Op, Row

__all__ = ["UNDO", "Commit"]

UNDO = "undo"
"""The act of a write that takes others back: what it puts back keeps its author and time."""

_NOTHING: Mapping[str, str] = {}


class Commit(NamedTuple):
    """One commit to a document.

    Attributes:
        address: the document.
        n, time: the number and time of the commit.
        act: what sort of commit it is, as the history tells it.
        agent, origin: who makes it; empty for the store itself.
    """

    address: Address
    n: int
    time: float
    act: str
    agent: str = ""
    origin: str = ""

    def stamp(self, replica: str) -> Stamp:
        """Returns the stamp of the write that the commit makes."""
        return Stamp(self.time, replica, self.n, self.agent, self.origin, self.act)

    def close(
        self,
        record: Record,
        replica: str,
        changes: Sequence[LeafChange],
        previous: int,
        *,
        lived: bool = True,
        lives: bool = True,
        noted: bool = True,
        body: bytes | None = None,
        op: Op | None = None,
        settled: tuple[tuple[tuple[str, ...], str], ...] = (),
        effect: Sequence[LeafChange] | None = None,
        met: Mapping[str, str] = _NOTHING,
        upto: int | None = None,
    ) -> Row:
        """Ends the commit: gives the record its version, and notes what later writers are judged by.

        Args:
            record: the document, with the changes made.
            previous: the version before.
            lived, lives: whether the document was there before, and is after it.
            noted: whether it counts among the commits that a writer may not have seen.
            body, op, settled, effect, met, upto: further columns of the row (``Row``).

        Returns:
            The journal's row.
        """
        record.version = self.n
        if noted:
            record.note_commit(self.n, self.time, self.origin)
        if lived != lives:
            record.note_life(self.stamp(replica), lives)
        (namespace, key), n, time, act, agent, origin = self
        record.tell(changes)
        changed = journalled(changes)
        return Row(namespace, key, n, time, agent, origin, act, body, changed, previous, op, settled, effect, met, upto)
