"""Exchange between workspaces without a common database, and erasure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import ValidationError

from concordant.causal import Entry, Stamp, VersionVector, source_of
from concordant.errors import (
    ConcordantError,
    CorruptFrameError,
    MisshapenError,
    StaleReplicaError,
    told,
)
from concordant.escalation import Event, when
from concordant.record import MOST_WRITES, Record, check_record, join, journalled
from concordant.record.join import joined_settings, joined_vector
from concordant.record.leases import joined_leases
from concordant.storage import Beside, Desk, Knowledge, Result, State
from concordant.storage.knowledge import diverge
from concordant.values import decode
from concordant.workspace.frames import Frame, pack, unpack
from concordant.workspace.inbox import transitions
from concordant.workspace.names import is_text
from concordant.workspace.scope import Moment
from concordant.workspace.states import current_view, expanded, version_of, view_at

if TYPE_CHECKING:
    from concordant.workspace.engine import Engine

__all__ = ["export", "import_", "purge"]

FEW = 4
"""How many marks of each other store travel in a frame."""

MOST_AHEAD = 86_400.0
"""Seconds by which another replica's clock may be ahead of the one on our wall: a write that is further ahead is
refused, for it would push our times along. How far earlier frames have pushed them does not count."""

Since: TypeAlias = "Moment | VersionVector | None"


def export(workspace: Engine, since: Since, key: bytes | None) -> bytes:
    """A frame with what is not known to a store that knows ``since``: all without one.

    What to send is told by two comparisons. Only what was committed here after the last commit the other knows of can
    be new to it; and of that, what is made of writes that it knows from elsewhere (the other's own, mostly) is not.
    How long a document lives changes without a write, so one that has an end is told from the first alone.
    """
    storage = workspace.storage
    seen = _vector_of(since)
    with storage.reading():
        knowledge = storage.knowledge()
        after = min(seen.get(storage.replica, 0), knowledge.vector[storage.replica])
        storage.note_export(knowledge.vector[storage.replica])
        chosen = []
        for namespace, name, state in storage.documents((), after):
            record = expanded(state, workspace.registry.find(namespace), storage.replica)
            if record.leases or any(n > seen.get(source_of(origin), 0) for origin, n in record.vector.items()):
                chosen.append((namespace, name, record))
        storage.note_export(storage.now()[0])
        marks = {
            name: told if name == storage.replica else told[-FEW:] for name, told in storage.knowledge().marks.items()
        }
        return pack(Frame(storage.replica, knowledge.vector, seen, knowledge.forgotten, chosen, marks), key)


def _vector_of(since: Since) -> VersionVector:
    if isinstance(since, Moment):
        return {since.replica: since.n}
    if since is None:
        return {}
    known: dict[Any, Any] = dict(since) if isinstance(since, Mapping) else {None: since}
    if all(_is_known(name, n) for name, n in known.items()):
        return known
    raise ConcordantError(f"since= is a version vector or a moment, not {told(since)}: give other.version_vector()")


def _is_known(replica: Any, n: Any) -> bool:
    return isinstance(replica, str) and is_text(replica) and isinstance(n, int) and abs(n) <= MOST_WRITES


def import_(workspace: Engine, frame: bytes, key: bytes | None) -> int:
    """Joins the documents of a frame, all in one transaction; a frame that is refused goes to the quarantine."""
    try:
        content = unpack(frame, key, workspace.storage.limits.frame)
        with workspace.storage.reading():
            knowledge = workspace.storage.knowledge()
            _meet(knowledge, content)
            _check(workspace, content)
            changed = _join(workspace, content)
            complete = all(n <= knowledge.vector.get(name, 0) for name, n in content.since.items())
            if content.replica != knowledge.replica:
                learned = content.vector if complete else {content.replica: 0}
                others = {name: n for name, n in learned.items() if name != knowledge.replica}
                workspace.storage.learn(others, {n: told for n, told in content.marks.items() if n in others})
            return changed
    except (CorruptFrameError, StaleReplicaError) as error:
        workspace.quarantine.put(frame, error.reason)
        raise


def _meet(ours: Knowledge, frame: Frame) -> None:
    """Makes sure that what one side keeps nothing of any more can mean nothing to the other.

    Stores that had nothing in common when one forgot can meet whatever that was.

    Raises:
        StaleReplicaError: one of the two was away for too long, or was restored from a back-up.
    """
    for name, theirs in frame.marks.items():
        if diverge(ours.marks.get(name, ()), theirs):
            raise StaleReplicaError(
                name,
                "two stores write under this name, for one was copied from the other or restored from a back-up, and "
                "have another commit under the same number",
                "Give the copy a name of its own (workspace.rename, or `concordant rename`), before it is written to; "
                "what both wrote under one name since can only be brought over by value",
            )
    if frame.vector.get(ours.replica, 0) > ours.vector[ours.replica]:
        raise StaleReplicaError(
            ours.replica,
            "this store has given away more than it has: it was restored from a back-up, and what it writes now would "
            "be taken for what it wrote before",
            "Give it a new name (workspace.rename, or `concordant rename`) before it is written to",
        )
    if frame.replica == ours.replica:
        return
    for one, knows, other, forgotten in (
        (frame.replica, frame.vector, ours.replica, ours.forgotten),
        (ours.replica, ours.vector, frame.replica, frame.forgotten),
    ):
        some = any(knows.get(name) for name, upto in forgotten.items() if upto)
        if some and knows.get(other, 0) < forgotten.get(other, 0):
            raise StaleReplicaError(
                one,
                f"it knows {other!r} up to commit {knows.get(other, 0)}, and of what was deleted there up to commit "
                f"{forgotten[other]} nothing is kept any more",
                f"Start it anew: an empty store that imports a full export of {other!r}",
            )


def _check(workspace: Engine, frame: Frame) -> None:
    """Makes sure of all documents of a frame, before the first of them touches a record.

    Raises:
        CorruptFrameError: one of them cannot be joined with what is here, or would not read afterwards.
    """
    until = workspace.storage.real_time() + MOST_AHEAD
    known: set[tuple[tuple[str, ...], str]] = set()
    for namespace, name, other in frame.documents:
        try:
            if (namespace, name) in known:
                raise MisshapenError("the document is in it twice")
            known.add((namespace, name))
            schema = workspace.registry.writable(namespace, name)
            check_record(other, schema.root, until, workspace.storage.limits.entries)
            state = workspace.storage.load(namespace, name)
            trial = expanded(state, schema, workspace.storage.replica).copy()
            news = any(n > trial.vector.get(origin, 0) for origin, n in other.vector.items())
            if news and frame.replica == workspace.storage.replica:
                raise MisshapenError("it comes from a store with this one's name, and is not what was written here")
            changes = join(trial, other)
            trial.leases, trial.created_at = joined_leases(trial, other)
            trial.commit(changes)
            trial.vector = joined_vector(trial, other)
            trial.alien = True
            body = current_view(trial, schema, workspace.storage.replica).body
            if body is not None and schema.declared:
                schema.build(decode(body))
        except (ConcordantError, ValidationError, ValueError, RecursionError) as error:
            place = f"{'/'.join(map(repr, namespace))}:{name!r}"
            raise CorruptFrameError(f"{place} is not a document that can be joined here ({error})") from error


def _join(workspace: Engine, frame: Frame) -> int:
    newest = max((record.updated_at for _, _, record in frame.documents), default=0.0)
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
            leases, began = joined_leases(record, other)
            if not changes and vector == record.vector:
                if leases == record.leases:
                    return None
                record.leases, record.swept, record.touched, record.cache = leases, False, n, None
                record.created_at = began or record.created_at
                return record, None, Beside(lasts=True)
            previous = version_of(state)
            for origin, upto in other.vector.items():
                if source_of(origin) == origin != storage.replica and upto > record.vector.get(origin, 0):
                    record.arrivals += ((n, time, origin, upto),)
            lived = current_view(record, schema, storage.replica).exists
            record.commit(changes)
            record.note_commit(n, time, "")
            record.vector = vector
            record.alien = True
            record.settings = joined_settings(record, other)
            record.leases, record.swept = leases, False
            record.version = n
            record.created_at = began or record.created_at or time
            record.updated_at = max(record.updated_at, other.updated_at)
            document = (namespace, name)
            view = view_at(record, schema, storage.replica, time)
            if lived != (alive := view.exists):
                record.note_life(Stamp(time, storage.replica, n, "", "", "import"), alive)
            beside = None
            if record.suspects or record.alien or schema.declared or desk.open_of(document):
                beside = transitions(document, view, record, when(time), desk, most=storage.limits.contenders).beside
                events.extend(beside.events)
            changed += 1
            sender = f"replica:{frame.replica}"
            row = (
                namespace,
                name,
                n,
                time,
                sender,
                frame.replica,
                "import",
                None,
                journalled(changes),
                previous,
                None,
                (),
            )
            return record, row, beside

        return update

    workspace.storage.commit_all([(ns, name, joining(ns, name, record)) for ns, name, record in frame.documents])
    workspace.subscribers.deliver(events)
    return changed


def purge(workspace: Engine, namespace: tuple[str, ...], key: str) -> None:
    """Leaves of a document only that it was deleted."""
    storage, schema = workspace.storage, workspace.registry.readable(namespace, key)

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
        bare.note_life(stamp, False)
        bare.recount()
        row = (namespace, key, n, time, "", "", "purge", None, (), 0, None, ())
        return bare, row, Beside(erases=True)

    storage.commit(namespace, key, update)
