"""Taking over what another store held before: documents that were there before every scope began."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from concordant.causal import Stamp, seen_everything
from concordant.errors import Fault, InvalidWriteError
from concordant.record import Record, Write, apply
from concordant.record.record import BEFORE
from concordant.schema import Compiled
from concordant.storage import Result, State, TransactionView
from concordant.values import Unstorable, check_numbers, decode, encode
from concordant.workspace.commit import Commit
from concordant.workspace.core import Core

__all__ = ["adopt"]


def adopt(core: Core, namespace: tuple[str, ...], key: str, value: Any, by: str, created: float, updated: float) -> int:
    """Makes a document of what another store held, unless there is, or was, one; returns its version (0: none made).

    An item that two workspaces adopt is one and the same write in both.

    Raises:
        InvalidWriteError: the value does not fit the namespace's model as it is.
    """
    schema = core.registry.writable(namespace, key)
    body = _fitting(schema, namespace, key, value)
    version = 0

    def update(state: State | None, n: int, time: float, tx: TransactionView) -> Result | None:
        nonlocal version
        if state is not None:
            return None
        record, stamp = Record(), Stamp(updated, BEFORE, int(updated * 1e6), by, "", "adopt")
        write = Write(stamp, "write", decode(body), seen_everything)
        changes = apply(record, write, schema.root).changes
        record.commit(changes, stamp)
        record.note_life(stamp, True)
        record.created_at = created
        version = n
        commit = Commit((namespace, key), n, time, "adopt", by)
        return record, commit.close(record, BEFORE, changes, 0, noted=False, body=body), None

    core.storage.commit(namespace, key, update)
    return version


def _fitting(schema: Compiled, namespace: tuple[str, ...], key: str, value: Any) -> bytes:
    if not isinstance(value, Mapping):
        fault = Fault((), f"a {type(value).__name__} is no mapping", "Give a dict of fields", value)
        raise InvalidWriteError(namespace, key, [fault])
    try:
        if not schema.declared:
            return check_numbers(encode(dict(value)), value)
        body, parked = schema.incoming(namespace, key, dict(value))
    except Unstorable as error:
        raise InvalidWriteError(namespace, key, [error.fault]) from error
    except RuntimeError as error:
        raise InvalidWriteError(namespace, key, [Fault((), f"it cannot be read ({error})", "Give a dict")]) from error
    faults = [Fault(path, "the value is not of the field's type", "Repair it, or widen the type") for path in parked]
    if not faults and schema.checked and not schema.fits(decode(body)):
        faults = [Fault((), "the value breaks a constraint of the model", "Repair it, or relax the constraint")]
    if faults:
        raise InvalidWriteError(namespace, key, faults)
    return body
