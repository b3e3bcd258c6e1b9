"""Trees of large records in a table of their own, and the rows of the journal that tell what came after them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from concordant.storage.encoding import StoredDocument
from concordant.storage.sql.database import SqlTransaction
from concordant.storage.tails import Checkpoint, TailRow

__all__ = ["checkpoint_of", "put_checkpoint", "tail_of"]

Rows: TypeAlias = Callable[[str, Sequence[Any]], "list[tuple[Any, ...]]"]

_FIND = "SELECT n, version, record FROM concordant_checkpoints WHERE clock = ? AND document = ?"
_PUT = (
    "INSERT INTO concordant_checkpoints (clock, document, n, version, record) VALUES (?, ?, ?, ?, ?) ON CONFLICT "
    "(clock, document) DO UPDATE SET n = excluded.n, version = excluded.version, record = excluded.record"
)
_DROP = "DELETE FROM concordant_checkpoints WHERE clock = ? AND document = ?"
_TAIL = (
    "SELECT n, previous, changes, base, body FROM concordant_journal "
    "WHERE clock = ? AND document = ? AND n > ? AND n <= ? ORDER BY n"
)


def checkpoint_of(rows: Rows, stored: StoredDocument, clocks: int) -> Checkpoint | None:
    """The tree of a document that is stored apart."""
    found = rows(_FIND, (stored.id % clocks, stored.id))
    return Checkpoint._make(found[0]) if found else None


def tail_of(rows: Rows, stored: StoredDocument, after: int, clocks: int) -> Sequence[TailRow]:
    """The rows of a document's journal after one of them, oldest first."""
    return [TailRow._make(row) for row in rows(_TAIL, (stored.id % clocks, stored.id, after, stored.version))]


def put_checkpoint(tx: SqlTransaction, stored: StoredDocument, tree: Checkpoint | None, clocks: int) -> None:
    """Stores the tree of a document apart; ``None``: it is not apart any more."""
    address = (stored.id % clocks, stored.id)
    if tree is None:
        tx.run(_DROP, address)
    else:
        tx.run(_PUT, (*address, *tree))
