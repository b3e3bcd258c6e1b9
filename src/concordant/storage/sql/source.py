"""What loading a document, or a row of the journal, asks a database for beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from concordant.storage.bodies import patched
from concordant.storage.durable import Source
from concordant.storage.encoding import DOCUMENT, StoredDocument, StoredRow, unpack
from concordant.storage.tails import Checkpoint, TailRow

__all__ = ["GivenBodies", "Rows", "SqlSource"]

Rows: TypeAlias = "Callable[..., list[tuple[Any, ...]]]"
"""Asks the database, by a statement and its parameters: inside a transaction, or outside of any."""

_DOCUMENT = f"SELECT {DOCUMENT} FROM concordant_documents WHERE clock = ? AND namespace = ? AND key = ?"
_SHAPE = "SELECT shape FROM concordant_models WHERE fingerprint = ?"
_TREE = "SELECT n, version, record FROM concordant_checkpoints WHERE clock = ? AND document = ?"
_TAIL = (
    "SELECT n, previous, changes, base, body FROM concordant_journal "
    "WHERE clock = ? AND document = ? AND n > ? AND n <= ? ORDER BY n"
)
_CHAIN = (
    "WITH RECURSIVE c (n, base, body) AS (SELECT n, base, body FROM concordant_journal WHERE clock = ? AND n = ? "
    "UNION ALL SELECT j.n, j.base, j.body FROM concordant_journal j JOIN c ON j.clock = ? AND j.n = c.base) "
    "SELECT n, base, body FROM c"
)


class SqlSource(Source):
    """What loading a document asks for beside it.

    Args:
        rows: asks the database.
        clocks: how many the store has.
    """

    def __init__(self, rows: Rows, clocks: int) -> None:
        self._rows = rows
        self._clocks = clocks

    def whole(self, stored: StoredDocument) -> StoredDocument:
        ((*columns,),) = self._rows(_DOCUMENT, (stored.id % self._clocks, stored.namespace, stored.key))
        return StoredDocument._make(columns)

    def shape(self, model: str) -> str | None:
        found = self._rows(_SHAPE, (model,))
        return found[0][0] if found else None

    def checkpoint(self, stored: StoredDocument) -> Checkpoint | None:
        found = self._rows(_TREE, (stored.id % self._clocks, stored.id))
        return Checkpoint._make(found[0]) if found else None

    def tail(self, stored: StoredDocument, after: int) -> Sequence[TailRow]:
        found = self._rows(_TAIL, (stored.id % self._clocks, stored.id, after, stored.version))
        return [TailRow._make(row) for row in found]


class GivenBodies:
    """Makes the bodies of rows whole.

    Args:
        rows: asks the database for what is not among those that were found.
        clocks: how many the store has.
        found: number, base and body of rows.
    """

    def __init__(self, rows: Rows, clocks: int, found: Iterable[tuple[int, int | None, bytes | None]]) -> None:
        self._rows = rows
        self._clocks = clocks
        self._kept = {n: (base, body) for n, base, body in found if base is not None}
        self._whole: dict[int, bytes] = {}

    def row(self, stored: StoredRow) -> StoredRow:
        """Returns a row with its body whole; its changes are read as before."""
        if stored.base is None or stored.body is None:
            return stored
        return stored._replace(body=self.body(stored.n, stored.base, stored.body), base=0)

    def body(self, n: int, base: int | None, body: bytes | None) -> bytes | None:
        """Tells what a row's write gave.

        Raises:
            ValueError: it cannot be told.
        """
        if base is None or body is None:
            return body
        steps: list[tuple[int, bytes]] = []
        while base and n not in self._whole:
            steps.append((n, body))
            n = base
            if n not in self._kept:
                clock = n % self._clocks
                self._kept.update({n: (base, body) for n, base, body in self._rows(_CHAIN, (clock, n, clock))})
            if n not in self._kept:
                raise ValueError(f"row {n}, which tells what was given, is missing")
            base, body = self._kept[n]
            assert body is not None
        text = self._whole[n] if n in self._whole else unpack(body, None)
        if steps or base == 0:
            self._whole = {n: text}  # what comes next is mostly the row before it
        for n, change in reversed(steps):
            text = self._whole[n] = patched(text, unpack(change, None))
        return text
