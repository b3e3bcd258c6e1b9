"""The part of a workspace that replicates: exchange with workspaces that have another database, and taking over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from pydantic import ValidationError

from concordant.errors import (
    ConcordantError,
    CorruptFrameError,
    Fault,
    ForgottenError,
    InvalidWriteError,
    MisshapenError,
    StaleReplicaError,
    told,
)
from concordant.escalation import Event, id_of
from concordant.merge.causality import (
    Stamp,
    VersionVector,
    is_behind,
    is_covered,
    merge_vectors,
    order_of,
    seen_everything,
    source_of,
)
from concordant.merge.kinds import Contest
from concordant.merge.record import MOST_WRITES, Record, View, Write, apply, check_record, join
from concordant.merge.record.join import joined_settings, joined_vector
from concordant.merge.record.leases import Leases, joined_leases
from concordant.merge.record.record import BEFORE, Arrival
from concordant.merge.registers import LeafChange, Path
from concordant.merge.sequence.onward import Onward
from concordant.schema import Compiled
from concordant.storage import Address, Knowledge, Result, SideEffects, State, TransactionView
from concordant.storage.cut import KnownOfDocuments, as_vector, cut_of, is_cut
from concordant.storage.knowledge import diverge
from concordant.values import decode
from concordant.workspace.commit import Commit
from concordant.workspace.core import Core, Namespace
from concordant.workspace.frames import Frame, Quarantine, pack, unpack
from concordant.workspace.frontier import bounded, hear, hear_of_own, told as settled_here
from concordant.workspace.names import check_name, is_text
from concordant.workspace.onward import MadeOf, completed, prepare, since as onward_since
from concordant.workspace.reasons import new_reasons, remarks_of, told_in_history
from concordant.workspace.scope import Moment
from concordant.workspace.states import current_view, expanded, version_of, view_at
from concordant.workspace.transitions import transitions

__all__ = ["Replicating"]

FEW = 4
"""How many marks of each other store travel in a frame."""

MOST_AHEAD = 86_400.0
"""Seconds by which another replica's clock may be ahead of the one on our wall: a write that is further ahead is
refused, for it would push our times along. How far earlier frames have pushed them does not count."""

Since: TypeAlias = "Moment | VersionVector | None"


class Replicating:
    """Exchanges documents with other stores, and takes over what another store held.

    Args:
        core: the workspace's.
        frame_key: the secret with which frames are authenticated.
    """

    def __init__(self, core: Core, frame_key: bytes | None) -> None:
        self.core = core
        self.frame_key = frame_key
        self.quarantine = Quarantine()

    def version_vector(self) -> VersionVector:
        """Tells what is known here (``Workspace.version_vector``)."""
        return self.core.storage.knowledge().vector

    def changes(self, after: Any) -> tuple[Any, Sequence[tuple[Namespace, str]]]:
        """Returns the documents that were written since an earlier call (``Workspace.changes``)."""
        clocks = self.core.storage.clocks
        known = after is None or (is_cut(after, clocks) and max(map(abs, _numbers(after))) <= MOST_WRITES)
        if not known:
            raise ConcordantError(f"after= is the cursor that an earlier call gave, not {told(after)}")
        cursor, found = self.core.storage.changes(tuple(after) if isinstance(after, list) else after)
        return cursor, [*found]

    def export(self, since: Since, whole: bool = False) -> bytes:
        """Returns a frame with what is not known to a store that knows ``since``: all without one. Of large texts and
        lists it tells what became of them since, unless it is to be ``whole``.

        What to send is told by two comparisons. Only what was committed here after the last commit the other knows of
        can be new to it; and of that, what is made of writes that it knows from elsewhere (the other's own, mostly) is
        not. How long a document lives changes without a write, so one that has an end is told from the first alone.
        """
        core, storage = self.core, self.core.storage
        seen = _vector_of(since)
        with storage.reading():
            knowledge = storage.knowledge()
            after = cut_of([min(seen.get(name, 0), knowledge.vector[name]) for name in knowledge.own])
            storage.note_export(knowledge.cut)
            chosen, there = [], KnownOfDocuments(seen)
            onward: dict[Address, Mapping[Path, Onward]] = {}
            for namespace, name, state in storage.documents((), after):
                record, address = expanded(state, core.registry.find(namespace), storage.replica), (namespace, name)
                if record.leases or any(n > there.upto(origin, address) for origin, n in record.vector.items()):
                    chosen.append((namespace, name, record))
                    prepare(record)
                    told = {} if whole else onward_since(core, address, record, there.upto(storage.replica, address))
                    if told:
                        onward[address] = told
            storage.note_export(storage.now()[0])
            known = storage.knowledge().marks
            marks = {name: told if name in knowledge.own else told[-FEW:] for name, told in known.items()}
            hear_of_own(storage, knowledge.vector)
            settled = settled_here(storage)
            frame = Frame(storage.replica, knowledge.vector, seen, knowledge.forgotten, chosen, marks, onward, settled)
            return pack(frame, self.frame_key)

    def import_(self, frame: bytes) -> int:
        """Joins the documents of a frame, all in one transaction; a frame that is refused goes to the quarantine."""
        core = self.core
        try:
            content = unpack(frame, self.frame_key, core.storage.limits.frame)
            with core.storage.reading():
                knowledge = core.storage.knowledge()
                _meet(knowledge, content)
                changed = _join(core, content, _check(core, content, completed(core, content)))
                complete = is_behind(content.since, knowledge.vector)
                if content.replica != knowledge.replica:
                    learned = content.vector if complete else dict.fromkeys(content.own, 0)
                    others = {name: n for name, n in learned.items() if name not in knowledge.own}
                    core.storage.learn(others, {n: told for n, told in content.marks.items() if n in others})
                    hear(core.storage, content.replica, content.settled if complete else {})
                    hear_of_own(core.storage, core.storage.knowledge().vector)
                return changed
        except (CorruptFrameError, StaleReplicaError) as error:
            self.quarantine.put(frame, error.reason)
            raise

    def adopt(
        self,
        namespace: Namespace,
        key: str,
        value: Any,
        by: str,
        created_at: datetime | None,
        updated_at: datetime | None,
    ) -> int:
        """Makes a document of what another store held (``Workspace.adopt``), unless there is, or was, one; returns its
        version (0: none made).

        An item that two workspaces adopt is one and the same write in both.

        Raises:
            InvalidWriteError: the value does not fit the namespace's model as it is.
        """
        check_name(by, "by=", self.core.storage.limits.name)
        _check_time(created_at, "created_at")
        _check_time(updated_at, "updated_at")
        updated = updated_at.timestamp() if updated_at is not None else self.core.storage.now()[1]
        created = created_at.timestamp() if created_at is not None else updated
        schema = self.core.registry.changeable(namespace, key)
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

        self.core.storage.commit(namespace, key, update)
        return version


def _check_time(time: Any, what: str) -> None:
    if time is None:
        return
    try:
        fits = isinstance(time, datetime) and 0 <= time.timestamp() < 1e11
    except (OverflowError, ValueError, OSError):  # too far away for a number of seconds
        fits = False
    if not fits:
        raise ConcordantError(f"{what}= is a datetime since 1970, not {told(time)}")


def _vector_of(since: Since) -> VersionVector:
    if isinstance(since, Moment):
        return as_vector(since.replica, since.n)
    if since is None:
        return {}
    known: dict[Any, Any] = dict(since) if isinstance(since, Mapping) else {None: since}
    if all(_is_known(name, n) for name, n in known.items()):
        return known
    raise ConcordantError(f"since= is a version vector or a moment, not {told(since)}: give other.version_vector()")


def _numbers(cursor: Any) -> Sequence[int]:
    return cursor if isinstance(cursor, (tuple, list)) else (cursor,)


def _is_known(replica: Any, n: Any) -> bool:
    return isinstance(replica, str) and is_text(replica) and isinstance(n, int) and abs(n) <= MOST_WRITES


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
    if any(frame.vector.get(name, 0) > ours.vector[name] for name in ours.own):
        raise StaleReplicaError(
            ours.replica,
            "this store has given away more than it has: it was restored from a back-up, and what it writes now would "
            "be taken for what it wrote before",
            "Give it a new name (workspace.rename, or `concordant rename`) before it is written to",
        )
    if frame.replica == ours.replica:
        return
    for one, knows, other, clocks, forgotten in (
        (frame.replica, frame.vector, ours.replica, ours.own, ours.forgotten),
        (ours.replica, ours.vector, frame.replica, frame.own, frame.forgotten),
    ):
        if not any(knows.get(name) for name, upto in forgotten.items() if upto):
            continue
        for clock in clocks:
            if knows.get(clock, 0) < forgotten.get(clock, 0):
                raise StaleReplicaError(
                    one,
                    f"it knows {clock!r} up to commit {knows.get(clock, 0)}, and of what was deleted there up to "
                    f"commit {forgotten[clock]} nothing is kept any more",
                    f"Start it anew: an empty store that imports a full export of {other!r}",
                )


class _Joined(NamedTuple):
    """What a record becomes that is joined with one of a frame."""

    changes: Sequence[LeafChange]
    vector: VersionVector
    floor: VersionVector
    leases: Leases
    began: float


def _joined(record: Record, other: Record, replica: str, sender: str) -> _Joined:
    """Joins two records.

    Args:
        replica: whose the first is; ``sender``: whose the other one is.

    Raises:
        StaleReplicaError: one of them has something that refers to what the other has forgotten.
    """
    try:
        changes = join(record, other)
    except ForgottenError as error:
        stale, elsewhere = (replica, sender) if is_covered(error.stamp, record.vector) else (sender, replica)
        raise StaleReplicaError(
            stale,
            f"{error}, and all stores that {elsewhere!r} had heard of had seen that removed",
            f"Start it anew: an empty store that imports a full export of {elsewhere!r}; what was written there can be "
            "brought over by value",
        ) from error
    floor = merge_vectors((record.floor, other.floor))
    return _Joined(changes, joined_vector(record, other), floor, *joined_leases(record, other, changes))


def _check(core: Core, frame: Frame, made_of: MadeOf) -> dict[Address, _Joined]:
    """Makes sure of all documents of a frame, before the first of them touches a record.

    Args:
        made_of: what of this store their texts and lists were made of.

    Returns:
        What becomes of each, as long as nobody writes.

    Raises:
        CorruptFrameError: one of them cannot be joined with what is here, or would not read afterwards.
    """
    until = core.storage.real_time() + MOST_AHEAD
    found: dict[Address, _Joined] = {}
    for namespace, name, other in frame.documents:
        try:
            if (namespace, name) in found:
                raise MisshapenError("the document is in it twice")
            schema = core.registry.changeable(namespace, name)
            check_record(other, schema.root, until, core.storage.limits.entries, made_of.get((namespace, name), {}))
            state = core.storage.load(namespace, name)
            record = expanded(state, schema, core.storage.replica)
            news = not is_behind(other.vector, record.vector)
            if news and frame.replica == core.storage.replica:
                raise MisshapenError("it comes from a store with this one's name, and is not what was written here")
            found[namespace, name] = joined = _joined(record, other, core.storage.replica, frame.replica)
            trial = record.copy()
            trial.leases, trial.created_at = joined.leases, joined.began
            trial.commit(joined.changes)
            trial.vector = joined.vector
            trial.forget(joined.floor)
            trial.alien = True
            body = current_view(trial, schema, core.storage.replica).body
            if body is not None and schema.declared:
                schema.build(decode(body))
        except StaleReplicaError:
            raise
        except (ConcordantError, ValidationError, ValueError, RecursionError) as error:
            address = f"{'/'.join(map(repr, namespace))}:{name!r}"
            raise CorruptFrameError(f"{address} is not a document that can be joined here ({error})") from error
    return found


def _join(core: Core, frame: Frame, checked: Mapping[Address, _Joined]) -> int:
    newest = max((record.updated_at for _, _, record in frame.documents), default=0.0)
    core.storage.advance(newest)
    events: list[Event] = []
    elsewhere: set[str] = set()
    changed = 0

    def joining(namespace: tuple[str, ...], name: str, other: Record) -> Any:
        def update(state: State | None, n: int, time: float, tx: TransactionView) -> Result | None:
            nonlocal changed
            storage, schema = core.storage, core.registry.find(namespace)
            record = expanded(state, schema, storage.replica)
            # In memory nobody has written since they were checked; elsewhere somebody may have.
            joined = (
                checked[namespace, name] if storage.live else _joined(record, other, storage.replica, frame.replica)
            )
            changes, vector, floor, leases, began = joined
            if not changes and vector == record.vector and floor == record.floor:
                if leases == record.leases:
                    return None
                record.leases, record.swept, record.touched, record.cache = leases, False, n, None
                record.created_at = began or record.created_at
                return record, None, SideEffects(lasts=True)
            previous = version_of(state)
            record.arrivals = bounded((*record.arrivals, *_arriving(record, other, storage.replica, n, time)), time)
            lived = current_view(record, schema, storage.replica).exists
            record.commit(changes)
            record.vector = vector
            record.forget(floor)
            record.alien = True
            known, record.settings = record.settings, joined_settings(record, other)
            reasons = new_reasons(known, record.settings)
            record.leases, record.swept = leases, False
            record.created_at = began or record.created_at or time
            record.updated_at = max(record.updated_at, other.updated_at)
            document = (namespace, name)
            view = view_at(record, schema, storage.replica, time)
            commit = Commit(document, n, time, "import")
            said = told_in_history(reasons)
            row = commit.close(record, storage.replica, changes, previous, lived=lived, lives=view.exists, body=said)
            effects = None
            if record.suspects or record.alien or schema.declared or tx.open_of(document):
                most, remarks = storage.limits.contenders, remarks_of(reasons)
                effects = transitions(document, view, record, time, tx, most=most, reasons=remarks).effects
                events.extend(effects.events)
                elsewhere.update(_from_elsewhere(document, view, effects.events, storage.replica))
            changed += 1
            prepare(record)
            return record, row._replace(agent=f"replica:{frame.replica}", origin=frame.replica), effects

        return update

    core.storage.commit_all([(ns, name, joining(ns, name, record)) for ns, name, record in frame.documents])
    core.subscribers.deliver(events, elsewhere)
    return changed


def _arriving(record: Record, other: Record, replica: str, n: int, time: float) -> Iterator[Arrival]:
    """What comes to a record with a commit of another store's."""
    for origin, upto in other.vector.items():
        if source_of(origin) == origin != replica and upto > record.vector.get(origin, 0):
            yield n, time, origin, upto


def _from_elsewhere(document: Address, view: View, events: Sequence[Event], replica: str) -> set[str]:
    """The ids of questions of which the latest side was written in another store."""
    asked = {event.escalation.id for event in events}
    contests = {id_of(*document, contest): contest for contest in view.contests} if asked else {}
    return {id_ for id_ in asked & {*contests} if _written_last_at(contests[id_]) != replica}


def _written_last_at(contest: Contest) -> str | None:
    """The store in which the latest side of a contest was written."""
    latest = max((stamp for option in contest.options for stamp in option.stamps), key=order_of, default=None)
    return None if latest is None else source_of(latest.replica)


def _fitting(schema: Compiled, namespace: tuple[str, ...], key: str, value: Any) -> bytes:
    """The JSON of what another store held, if it fits the model as it is."""
    if not isinstance(value, Mapping):
        fault = Fault((), f"a {type(value).__name__} is no mapping", "Give a dict of fields", value)
        raise InvalidWriteError(namespace, key, [fault])
    body, _ = schema.strict.incoming(namespace, key, value)
    if schema.checked and not schema.fits(decode(body)):
        fault = Fault((), "the value breaks a constraint of the model", "Repair it, or relax the constraint")
        raise InvalidWriteError(namespace, key, [fault])
    return body
