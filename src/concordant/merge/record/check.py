"""Whether a record that came from outside is one: its stamps, and the shape of all that is in it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from concordant.errors import MisshapenError
from concordant.limits import MOST_ENTRIES
from concordant.merge.causality import Stamp, VersionVector
from concordant.merge.kinds import Field
from concordant.merge.kinds.shape import check_register
from concordant.merge.record.leases import Lease
from concordant.merge.record.record import Record
from concordant.merge.registers import PARKED, Path, Tree, leaves, place_leaf
from concordant.merge.registers.leaf import Leaf, as_sequence, is_sequence, stamps_within
from concordant.merge.sequence.onward import news
from concordant.merge.sequence.pieces import Sequence

__all__ = ["MOST_WRITES", "check_record"]

_OF_NOTHING: Mapping[Path, Sequence] = {}

MOST_WRITES = 2**62
"""No replica has made more."""


def check_record(
    record: Record,
    root: Field,
    until: float,
    most: int = MOST_ENTRIES,
    made_of: Mapping[Path, Sequence] = _OF_NOTHING,
) -> None:
    """Makes sure that a record can be joined, read and written to like one made here.

    Args:
        made_of: texts and lists of this store that some of the record's were made of.
        root: the field of the whole document, by the schema here.
        until: in seconds since the epoch: no write can be later.
        most: how many entries it may have.

    Raises:
        MisshapenError: it is none; says why.
    """
    try:
        _check_times(until, record.created_at, record.updated_at, *(setting[0] for setting in record.settings.values()))
        if not record.vector or not all(0 < n <= MOST_WRITES for n in record.vector.values()):
            raise MisshapenError("it does not tell which writes it knows")
        _check_floor(record)
        for lease in record.leases:
            _check_stamp(lease.stamp, record.vector, until)
            _check_lease(lease)
        count = 0
        tree: Tree = {} if made_of else record.tree
        for path, leaf, known in _leaves(record.tree, made_of):
            count += known
            if made_of:
                place_leaf(tree, path, leaf)
            for stamp in stamps_within(leaf):
                count += 1
                if count > most:
                    raise MisshapenError(f"it has more than {most} entries, which is what is accepted (Limits.entries)")
                _check_stamp(stamp, record.vector, until)
        root.kind.check(root, {part: node for part, node in tree.items() if part != PARKED})
        if PARKED in tree:
            _check_parked(tree[PARKED])
    except RecursionError as error:
        raise MisshapenError("it is nested too deeply") from error


def _leaves(tree: Tree, made_of: Mapping[Path, Sequence]) -> Iterator[tuple[Path, Leaf, int]]:
    """The leaves of a tree with their paths; of those that were made of something of this store what is new, and how
    many pieces they have."""
    for path, leaf in leaves(tree):
        if path in made_of and is_sequence(leaf):
            yield path, news(as_sequence(leaf), made_of[path]), len(leaf)
        else:
            yield path, leaf, 0


def _check_floor(record: Record) -> None:
    if not all(0 < n <= record.vector.get(name, 0) for name, n in record.floor.items()):
        raise MisshapenError("it has forgotten of writes that it does not know")


def _check_times(until: float, *times: float) -> None:
    for time in times:
        if not (math.isfinite(time) and 0 <= time <= until):
            raise MisshapenError(f"it was written at {time!r}, which is not a time in the past")


def _check_stamp(stamp: Stamp, vector: VersionVector, until: float) -> None:
    _check_times(until, stamp.time)
    if not 0 < stamp.n <= vector.get(stamp.replica, 0):
        raise MisshapenError(f"it holds write {stamp.n} of replica {stamp.replica!r}, which it does not know")


def _check_lease(lease: Lease) -> None:
    endless = lease.ttl is None and lease.until == math.inf
    if not (0 <= lease.since <= lease.stamp.time <= lease.until) or not (endless or _is_lasting(lease)):
        raise MisshapenError(f"it lives from {lease.since!r} to {lease.until!r}, by {lease.ttl!r} seconds")


def _is_lasting(lease: Lease) -> bool:
    return lease.ttl is not None and 0 <= lease.ttl < math.inf and lease.until < math.inf


def _check_parked(cell: Any) -> None:
    """Values of the wrong type wait under the JSON text of the path at which they were written, where the model may
    have no field any more."""
    if not isinstance(cell, dict):
        raise MisshapenError("values of the wrong type are not kept by path")
    for text, register in cell.items():
        check_register(register)
        try:
            path = json.loads(text)
        except (TypeError, ValueError) as error:
            raise MisshapenError(f"a value of the wrong type waits at {text!r}, which is no path") from error
        if not isinstance(path, list) or not path or not all(isinstance(part, str) for part in path):
            raise MisshapenError(f"a value of the wrong type waits at {text}, which is no path")
