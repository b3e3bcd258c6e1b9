"""Counts over the journal that are kept, so that counting does not read it again.

The journal of a clock is cut into parts of equal length by number, many parts into one larger, and so on: a tree. What
was counted of a part that is complete is kept. A count reads what is kept of the largest parts, and rows only of the
newest. Who deletes rows takes out what is kept of the parts that they were in; those are counted again when somebody
asks (docs/decisions/0145-counts-are-kept.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from concordant.errors import StorageError
from concordant.storage.base import Outcomes, Totals, counted
from concordant.storage.encoding import load_namespace
from concordant.storage.sql.database import Database, SqlTransaction
from concordant.storage.sql.source import GivenBodies

__all__ = ["JournalCounts", "dropped_of", "dropped_upto", "tally_of"]

PART = 256
"""How many rows are in a smallest part at most, and how many parts in a larger one."""

DEPTH = 4
"""How many sizes of parts there are."""

_KEEP = (
    "INSERT INTO concordant_tallies (clock, depth, part, counts) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (clock, depth, part) DO UPDATE SET counts = excluded.counts"
)


class JournalCounts:
    """How many journal rows there are by act, what policies settled, and what became of the values given."""

    def __init__(self) -> None:
        self.acts: Counter[str] = Counter()
        self.settled: Counter[str] = Counter()
        self.fields: Outcomes = {}

    def add(self, other: JournalCounts | Totals) -> None:
        """Adds what was counted elsewhere."""
        self.acts.update(other.acts)
        self.settled.update(other.settled)
        for field, outcomes in other.fields.items():
            self.fields.setdefault(field, Counter()).update(outcomes)

    def count(self, rows: Sequence[Sequence[Any]]) -> None:
        """Counts rows of the journal: namespace, act, body, outcomes, policies."""
        self.acts.update([act for _, act, *_ in rows])
        for *_, told in rows:
            with suppress(ValueError, TypeError):  # rot, which ``check`` tells
                self.settled.update([str(policy) for _, policy in from_json(told or "[]")])
        counted((row for row in map(_given, rows) if row is not None), self.fields)

    def dump(self) -> str:
        """Returns the counts as JSON."""
        fields = [[*field, outcomes] for field, outcomes in self.fields.items()]
        return to_json([self.acts, self.settled, fields]).decode()

    @classmethod
    def load(cls, text: str) -> JournalCounts:
        """Returns the counts that ``dump`` gave."""
        tally = cls()
        acts, settled, fields = from_json(text)
        tally.acts, tally.settled = Counter(acts), Counter(settled)
        tally.fields = {(tuple(namespace), field): Counter(outcomes) for namespace, field, outcomes in fields}
        return tally


def _given(row: Sequence[Any]) -> tuple[tuple[str, ...], str, bytes | None, dict[str, str]] | None:
    """What a row says of what was given; ``None``: nothing, or what is rotten."""
    name, act, body, met, _ = row
    try:
        return None if name is None else (load_namespace(name), act, body, dict(from_json(met or "{}")))
    except (ValueError, TypeError):
        return None


class _Part(NamedTuple):
    """A part of a clock's journal that was counted: to be kept."""

    depth: int
    part: int
    tally: JournalCounts


def tally_of(database: Database, clocks: int) -> JournalCounts:
    """Counts the journal."""
    whole = JournalCounts()
    heads = database.rows("SELECT clock, n, erased FROM concordant_clocks ORDER BY clock")
    for clock, head, erased in heads:
        counting = _Counting(database, clock, head, clocks)
        whole.add(counting.whole())
        if counting.complete and not database.read_only:
            _keep(database, clock, erased, counting.complete)
    return whole


def _keep(database: Database, clock: int, erased: int, parts: Sequence[_Part]) -> None:
    """Keeps what was counted, if no row was deleted since."""

    def run(tx: SqlTransaction) -> None:
        if tx.rows("SELECT erased FROM concordant_clocks WHERE clock = ?", (clock,))[0][0] == erased:
            for part in parts:
                tx.run(_KEEP, (clock, part.depth, part.part, part.tally.dump()))

    try:
        database.write(run, [clock], hasty=True)
    except StorageError:
        return  # what is not kept is counted again: whoever only counts need not wait for those who write


class _Counting:
    """Counts the journal of one clock.

    Args:
        head: the number of its last commit.

    Attributes:
        complete: the parts that were counted and can be kept.
    """

    def __init__(self, database: Database, clock: int, head: int, clocks: int) -> None:
        self._rows = database.rows
        self._clock = clock
        self._head = head
        self._clocks = clocks
        self.complete: list[_Part] = []

    def whole(self) -> JournalCounts:
        depth = DEPTH - 1
        return self._sum(depth, 0, self._head // _length(depth, self._clocks) + 1)

    def _sum(self, depth: int, first: int, past: int) -> JournalCounts:
        """Counts some parts of one size."""
        length = _length(depth, self._clocks)
        query = "SELECT part, counts FROM concordant_tallies WHERE clock = ? AND depth = ? AND part >= ? AND part < ?"
        kept: dict[int, str] = dict(self._rows(query, (self._clock, depth, first, past)))
        total = JournalCounts()
        at = self._next(first, depth, kept, past)
        while at < past:
            if at in kept:
                total.add(JournalCounts.load(kept[at]))
            else:
                part = self._sum(depth - 1, at * PART, (at + 1) * PART) if depth else self._counted(at)
                total.add(part)
                if (at + 1) * length <= self._head + 1:
                    self.complete.append(_Part(depth, at, part))
            at = self._next(at + 1, depth, kept, past)
        return total

    def _next(self, at: int, depth: int, kept: dict[int, str], past: int) -> int:
        """The next part from one on of which something is kept, or in which there are rows; ``past`` if none is."""
        if at in kept or at >= past:
            return at
        length = _length(depth, self._clocks)
        following = min((part for part in kept if part > at), default=past)
        query = "SELECT n FROM concordant_journal WHERE clock = ? AND n >= ? AND n < ? ORDER BY n LIMIT 1"
        rows = self._rows(query, (self._clock, at * length, min(following * length, self._head + 1)))
        return int(rows[0][0]) // length if rows else following

    def _counted(self, part: int) -> JournalCounts:
        """Counts the rows of a smallest part."""
        length = _length(0, self._clocks)
        query = (
            "SELECT d.namespace, j.act, j.met, j.settled, j.n, j.base, j.body FROM concordant_journal j "
            "LEFT JOIN concordant_documents d ON d.clock = j.clock AND d.id = j.document "
            "WHERE j.clock = ? AND j.n >= ? AND j.n < ?"
        )
        counts = JournalCounts()
        rows = self._rows(query, (self._clock, part * length, min((part + 1) * length, self._head + 1)))
        bodies = GivenBodies(self._rows, self._clocks, [row[4:] for row in rows])
        counts.count([(name, act, _body(bodies, *given), met, told) for name, act, met, told, *given in rows])
        return counts


def _body(bodies: GivenBodies, n: int, base: int | None, body: bytes | None) -> bytes | None:
    try:
        return bodies.body(n, base, body)
    except Exception:  # whatever rot makes of it, which ``check`` tells
        return None


def _length(depth: int, clocks: int) -> int:
    """How many numbers a part covers: those of one clock are apart by as many as there are clocks."""
    return int(PART ** (depth + 1)) * clocks


def dropped_of(tx: SqlTransaction, clock: int, clocks: int, document: int) -> None:
    """Takes out what is kept of the parts that rows of a document are in, which are about to be deleted."""
    rows = "SELECT n / {} FROM concordant_journal WHERE clock = ? AND document = ?"
    _drop(tx, clock, clocks, f"IN ({rows})", lambda _: (clock, document))


def dropped_upto(tx: SqlTransaction, clock: int, clocks: int, n: int) -> None:
    """Takes out what is kept of all parts up to that of a number: rows up to it are about to be deleted."""
    _drop(tx, clock, clocks, "<= ?", lambda length: (n // length,))


def _drop(tx: SqlTransaction, clock: int, clocks: int, which: str, of: Callable[[int], tuple[int, ...]]) -> None:
    for depth in range(DEPTH):
        length = _length(depth, clocks)
        query = f"DELETE FROM concordant_tallies WHERE clock = ? AND depth = ? AND part {which.format(length)}"
        tx.run(query, (clock, depth, *of(length)))
    tx.run("UPDATE concordant_clocks SET erased = erased + 1 WHERE clock = ?", (clock,))
