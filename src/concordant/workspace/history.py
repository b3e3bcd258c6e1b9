"""The past of a document: its history, its state at a version, and who stands for each value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from concordant.errors import DamagedDocumentError, HistoryExpiredError, StorageError
from concordant.escalation import when
from concordant.merge.causality import Register, Stamp, order_of
from concordant.merge.kinds import Field
from concordant.merge.kinds.nested import field_at, public_path
from concordant.merge.kinds.tree import NODE, credited
from concordant.merge.record import Record
from concordant.merge.registers import PARKED, Path, alternatives, leaf_at, leaves, sequences
from concordant.merge.registers.leaf import as_register, as_sequence, is_sequence
from concordant.merge.sequence.blame import Told, spans
from concordant.merge.sequence.layout import layout
from concordant.merge.sequence.overlap import analyse
from concordant.merge.sequence.pieces import Sequence, run_of
from concordant.schema import Compiled
from concordant.storage import Row, State, Storage
from concordant.values import decode
from concordant.workspace.document import Credit, HistoryEntry
from concordant.workspace.registry import Registry
from concordant.workspace.states import changes_of, expanded, tree_of, version_of

__all__ = ["blame", "history", "log", "state_at", "state_shown"]


def history(storage: Storage, schema: Compiled, namespace: tuple[str, ...], key: str) -> Iterator[HistoryEntry]:
    """Iterates the changes of a document, newest first, as far as the journal reaches."""
    for row in storage.rows(namespace, key):
        yield _entry(row, schema, storage.replica)


def log(
    storage: Storage, registry: Registry, prefix: tuple[str, ...], agent: str | None, before: int | None, limit: int
) -> Iterator[HistoryEntry]:
    """Iterates the changes of all documents under a prefix, newest first."""
    for row in storage.journal(prefix, agent, before, limit):
        yield _entry(row, registry.find(row.namespace), storage.replica)


def _entry(row: Row, schema: Compiled, replica: str) -> HistoryEntry:
    try:
        return _told(row, schema, replica)
    except StorageError:
        raise
    except Exception as error:  # whatever rot makes of it
        raise DamagedDocumentError("the store", row.namespace, row.key, f"row {row.n}: {error}") from error


def _told(row: Row, schema: Compiled, replica: str) -> HistoryEntry:
    value = decode(row.body) if row.body is not None else None
    if row.changes is None:
        paths: tuple[tuple[str, ...], ...] = tuple((name,) for name in value or ())
    else:
        changes = changes_of(row, schema, replica)
        paths = _places(schema.root, [change.path for change in changes])
    place = (row.namespace, row.key)
    return HistoryEntry(
        row.n, when(row.time), row.agent, row.act, value, paths, row.origin, row.settled, *place, row.met
    )


def _places(root: Field, changed: list[Path]) -> tuple[tuple[str, ...], ...]:
    """The public paths of changes, without those of the dicts of a tree around them."""
    found = [(public_path(root, path), path[-1]) for path in changed]
    around = {public[:depth] for public, _ in found for depth in range(1, len(public))}
    told = [public for public, last in found if public not in around or not (last or "").startswith(NODE)]
    return tuple(dict.fromkeys(told))


def state_at(
    storage: Storage, schema: Compiled, namespace: tuple[str, ...], key: str, state: State | None, version: int
) -> State | None:
    """Returns a document's state as it was at a version: the present one with all later changes taken back.

    Raises:
        HistoryExpiredError: the journal does not reach back that far.
    """
    return _state_at(storage, schema, namespace, key, state, version)[0]


def state_shown(
    storage: Storage, schema: Compiled, namespace: tuple[str, ...], key: str, state: State | None, version: int
) -> State | None:
    """Returns the same, for somebody who is to go on from it: all that it shows is still known.

    Raises:
        HistoryExpiredError: the journal does not reach back that far, or words or items that were removed since have
            been forgotten, so that what becomes of them cannot be told from what became of others.
    """
    past, compacted = _state_at(storage, schema, namespace, key, state, version)
    if compacted and isinstance(past, Record) and isinstance(state, Record):
        for path, leaf in sequences(past.tree):
            present = leaf_at(state.tree, path)
            if is_sequence(present) and _has_forgotten(as_sequence(present), leaf):
                raise HistoryExpiredError(namespace, key, version)
    return past


def _state_at(
    storage: Storage, schema: Compiled, namespace: tuple[str, ...], key: str, state: State | None, version: int
) -> tuple[State | None, bool]:
    """A document's state at a version, and whether something that it had removed was forgotten since."""
    if version_of(state) <= version:
        return (None if isinstance(state, Record) and state.swept else state), False
    if not isinstance(state, Record):
        return None, False
    past, compacted = expanded(state, schema, storage.replica).copy(), False
    past.alien = True  # it may have been written under another model then
    newest = version_of(state)
    for row in storage.rows(namespace, key):
        if row.n > newest:
            continue  # committed since the state was read
        if row.n <= version:
            if row.act == "expire":
                return None, compacted
            break
        if row.changes is None:
            return None, compacted
        compacted = compacted or row.act in ("compact", "import")
        past.undo(changes_of(row, schema, storage.replica))
        if row.previous <= version:
            past.version = row.previous
            break
    else:
        raise HistoryExpiredError(namespace, key, version)
    if past.version > version:
        raise HistoryExpiredError(namespace, key, version)
    return past, compacted


def _has_forgotten(present: Sequence, past: Sequence) -> bool:
    """Whether something that was shown in the past is not known any more, not even as removed."""
    known: dict[Any, list[tuple[int, int]]] = {}
    for piece in present:
        known.setdefault(run_of(piece), []).append((piece.offset, piece.offset + len(piece.content)))
    for parts in known.values():
        parts.sort()
    for piece in past:
        if piece.live and not piece.struck:
            at = piece.offset
            for begin, end in known.get(run_of(piece), ()):
                if begin <= at < end:
                    at = end
            if at < piece.offset + len(piece.content):
                return True
    return False


def blame(
    schema: Compiled, state: State | None, replica: str, told: dict[Path, Told]
) -> dict[tuple[str, ...], tuple[Credit, ...]]:
    """Tells who stands for each live value, by public path: one credit for a scalar, one an element, span or item.

    Args:
        told: of the document's texts when this was asked last; becomes that of now.
    """
    if state is None:
        return {}
    record = expanded(state, schema, replica)
    tree = credited(tree_of(record, schema))
    credits: dict[tuple[str, ...], list[tuple[Any, Credit]]] = {}
    for path, leaf in leaves(tree):
        if path[0] == PARKED or path[-1] is None:
            continue
        public = public_path(schema.root, path)
        found = credits.setdefault(public, [])
        if is_sequence(leaf):
            found.extend(_spans(schema, path, as_sequence(leaf), told.setdefault(path, {})))
        else:
            found.extend(_credits(field_at(schema.root, path), as_register(leaf)))
    return {
        public: tuple(credit for _, credit in sorted(found, key=lambda item: item[0]))
        for public, found in credits.items()
        if found
    }


def _credits(field: Field, register: Register) -> Iterator[tuple[Any, Credit]]:
    """Who stands for the values in a register, each with its place in the order."""
    for group in alternatives(register, field.canon):
        value = group[0].value
        if value is None:
            continue
        stamps = tuple(sorted({stamp for entry in group for stamp in entry.stamps}, key=order_of))
        place = _place(field, stamps[0])
        shares = [*field.kind.shares(decode(value), stamps[0].agent)]
        for part, agent in shares:
            yield place, Credit(part, agent, (agent,), when(stamps[0].time))
        if not shares:
            yield place, _credit(decode(value), stamps)


def _place(field: Any, stamp: Stamp) -> tuple[Any, ...]:
    return (*order_of(stamp), field.kind.holds in ("elements", "records"))


def _spans(schema: Compiled, path: Path, sequence: Sequence, told: Told) -> Iterator[tuple[Any, Credit]]:
    kind = field_at(schema.root, path).kind
    text = kind.holds == "text"
    analysis = sequence.analysed(kind.rules, analyse)
    visible = layout(sequence, analysis, kind.separator, kind.rules.unit)
    if text:
        for number, (span, stamps) in enumerate(spans(sequence, analysis, visible, told)):
            yield (number,), _credit(span, stamps)
        return
    for number, piece in enumerate(visible.pieces):
        stamps = tuple(sorted((piece.stamp, *analysis.also.get(run_of(piece), ())), key=order_of))
        for offset, item in enumerate(piece.content):
            yield (number, offset), _credit(decode(item), stamps)  # type: ignore[arg-type]


def _credit(value: Any, stamps: tuple[Stamp, ...]) -> Credit:
    agents = tuple(dict.fromkeys(stamp.agent for stamp in stamps))
    return Credit(value, agents[0], agents, when(stamps[0].time))
