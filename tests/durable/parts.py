"""Records that are stored in parts although they are small: a checkpoint, and what came since."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from concordant.merge.record import Record
from concordant.merge.registers import leaves
from concordant.storage import durable, encoding, tails
from concordant.storage.durable import DurableStorage
from concordant.storage.grouping import Request
from concordant.storage.sql import SqlStorage


def in_parts(patch: pytest.MonkeyPatch, most: int = 1_500, *, portions: bool = False) -> None:
    """Has every record of a database stored in parts, and what is given told by differences.

    Args:
        most: after how many bytes of rows a tree is stored anew.
        portions: whether that is told by portions, with several commits, as a large one is.
    """
    if portions:
        patch.setattr(tails, "AT_ONCE", -1)
        patch.setattr(tails, "PORTION", most // 3)
        patch.setattr(encoding, "_LARGE", 0)
    patch.setattr(durable, "APART", -1)
    patch.setattr(tails, "APART", most)
    patch.setattr(tails, "LARGE", 24)
    patch.setattr(tails, "MOST_STEPS", 3)


def compared(patch: pytest.MonkeyPatch) -> list[int]:
    """Has every record that a commit leaves in the cache compared with what is stored of it.

    Returns:
        How many were, grows.
    """
    count = [0]
    commit = DurableStorage._commit

    def checked(storage: DurableStorage, requests: Sequence[Request], hasty: bool) -> None:
        commit(storage, requests, hasty)
        if isinstance(storage, SqlStorage):
            for place in {place for request in requests for place, _ in request.changes}:
                count[0] += compare(storage, place)

    patch.setattr(DurableStorage, "_commit", checked)
    return count


def compare(storage: SqlStorage, place: Any) -> bool:
    """Whether there is a record at hand that is stored in parts; it has to be the one that these make."""
    _, found = storage.find(place)
    if found is None or found.agent is not None:
        return False
    stored = storage.source.whole(found)
    held = storage._cache.get(place, stored.saved)
    if held is None or stored.kept is None:
        return False
    tree = storage.source.checkpoint(stored)
    assert tree is not None and tree.n == stored.kept
    fresh = tails.assembled(stored, tree, storage.source.tail(stored, tree.version))
    assert told(fresh) == told(held), f"{place} is stored as another than it is"
    return True


def told(record: Record) -> dict[str, Any]:
    """All that is stored of a record."""
    names = ("vector", "version", "arrivals", "lives", "leases", "swept", "touched", "reborn", "settings")
    return {
        "tree": dict(leaves(record.tree)),
        "dates": (record.created_at, record.updated_at),
        "suspects": (record.suspects, record.tombs, record.covering),
        **{name: getattr(record, name) for name in names},
    }
