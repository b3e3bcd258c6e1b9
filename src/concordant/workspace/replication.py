"""Exchange between workspaces without a common database, and erasure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import ValidationError

from concordant.causal import Entry, Stamp
from concordant.errors import CorruptFrameError, InvalidWriteError, MisshapenError
from concordant.escalation import Event, when
from concordant.record import Record, check_record, join
from concordant.record.join import joined_settings, joined_vector
from concordant.storage import Beside, Desk, Result, State
from concordant.values import decode
from concordant.workspace.commits import current_view, expanded, version_of
from concordant.workspace.frames import pack, unpack
from concordant.workspace.inbox import transitions
from concordant.workspace.scope import Moment

if TYPE_CHECKING:
    from concordant.workspace.engine import Engine

__all__ = ["export", "import_", "purge"]

MOST_AHEAD = 86_400.0
"""Seconds by which another replica's clock may be ahead of ours: a write that is further ahead is refused, for it
would push our own clock along."""

Documents: TypeAlias = "list[tuple[tuple[str, ...], str, Record]]"


def export(workspace: Engine, since: Moment | None, key: bytes | None) -> bytes:
    """A frame with the documents changed since a moment (all without one)."""
    after = since.n if since is not None and since.replica == workspace.storage.replica else 0
    chosen = []
    with workspace.storage.reading():
        for namespace, name, state in workspace.storage.documents(()):
            if version_of(state) > after:
                schema = workspace.registry.find(namespace)
                record = expanded(state, schema, workspace.storage.replica)
                chosen.append((namespace, name, record))
        return pack(workspace.storage.replica, chosen, key)


def import_(workspace: Engine, frame: bytes, key: bytes | None) -> int:
    """Joins the documents of a frame, all in one transaction; a frame that is refused goes to the quarantine."""
    try:
        replica, documents = unpack(frame, key)
        with workspace.storage.reading():
            _check(workspace, documents)
            return _join(workspace, replica, documents)
    except CorruptFrameError as error:
        workspace.quarantine.put(frame, error.reason)
        raise


def _check(workspace: Engine, documents: Documents) -> None:
    """Makes sure of all documents of a frame, before the first of them touches a record.

    Raises:
        CorruptFrameError: one of them cannot be joined with what is here, or would not read afterwards.
    """
    until = workspace.storage.now()[1] + MOST_AHEAD
    known: set[tuple[tuple[str, ...], str]] = set()
    for namespace, name, other in documents:
        try:
            if (namespace, name) in known:
                raise MisshapenError("the document is in it twice")
            known.add((namespace, name))
            schema = workspace.registry.writable(namespace, name)
            check_record(other, schema.root, until)
            state = workspace.storage.load(namespace, name)
            trial = expanded(state, schema, workspace.storage.replica).copy()
            trial.commit(join(trial, other))
            trial.vector = joined_vector(trial, other)
            body = current_view(trial, schema, workspace.storage.replica).body
            if body is not None and schema.declared:
                schema.build(decode(body))
        except (MisshapenError, InvalidWriteError, ValidationError) as error:
            place = f"{'/'.join(map(repr, namespace))}:{name!r}"
            raise CorruptFrameError(f"{place} is not a document that can be joined here ({error})") from error


def _join(workspace: Engine, replica: str, documents: Documents) -> int:
    newest = max((record.updated_at for _, _, record in documents), default=0.0)
    workspace.storage.advance(newest)
    events: list[Event] = []
    changed = 0

    def joining(namespace: tuple[str, ...], name: str, other: Record) -> Any:
        def update(state: State | None, n: int, time: float, desk: Desk) -> Result | None:
            nonlocal changed
            storage, schema = workspace.storage, workspace.registry.find(namespace)
            record = expanded(state, schema, storage.replica)
            changes = join(record, other)
            vector = joined_vector(record, other)
            if not changes and vector == record.vector:
                return None
            previous = version_of(state)
            for origin, upto in other.vector.items():
                if origin != storage.replica and upto > record.vector.get(origin, 0):
                    record.arrivals += ((n, time, origin, upto),)
            lived = current_view(record, schema, storage.replica).body is not None
            record.commit(changes)
            record.note_commit(n, time, "")
            record.vector = vector
            record.settings = joined_settings(record, other)
            record.version = n
            times = [at for at in (record.created_at, other.created_at) if at]
            record.created_at = min(times, default=time)
            record.updated_at = max(record.updated_at, other.updated_at)
            document = (namespace, name)
            view = current_view(record, schema, storage.replica)
            if lived != (alive := view.body is not None):
                record.note_life(Stamp(time, storage.replica, n, "", "", "import"), alive)
            beside = None
            if record.suspects or schema.declared or desk.open_of(document):
                beside = transitions(document, view, record, when(time), desk)
                events.extend(beside.events)
            changed += 1
            row = (namespace, name, n, time, f"replica:{replica}", replica, "import", None, changes, previous, None, ())
            return record, row, beside

        return update

    workspace.storage.commit_all([(ns, name, joining(ns, name, record)) for ns, name, record in documents])
    workspace.subscribers.deliver(events)
    return changed


def purge(workspace: Engine, namespace: tuple[str, ...], key: str) -> None:
    """Leaves of a document only that it was deleted."""
    storage, schema = workspace.storage, workspace.registry.find(namespace)

    def update(state: State | None, n: int, time: float, desk: Desk) -> Result | None:
        if state is None:
            return None
        old = expanded(state, schema, storage.replica)
        bare = Record()
        stamp = Stamp(time, storage.replica, n, "", "", "purge")
        bare.tree = {None: (Entry(stamp, None),)}
        bare.vector = {**old.vector, storage.replica: n}
        bare.arrivals = old.arrivals
        bare.created_at, bare.updated_at, bare.version = old.created_at, time, n
        bare.recount()
        row = (namespace, key, n, time, "", "", "purge", None, (), 0, None, ())
        return bare, row, Beside(erases=True)

    storage.commit(namespace, key, update)
