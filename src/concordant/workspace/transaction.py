"""The transaction of a write, in named steps: replay, visibility, apply, commit, escalate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from concordant.errors import StaleWriteError
from concordant.escalation import Escalation, Event, id_of
from concordant.merge.causality import Seen, SeenBy, Stamp, dot_of, seen_everything
from concordant.merge.kinds import Contest, Nested
from concordant.merge.record import Applied, Places, Record, Write, apply, journalled
from concordant.merge.record.leases import KEEP, Leases, after_sequel, after_write, renewed, without_seen
from concordant.merge.registers import LeafChange, Path, leaf_at
from concordant.merge.registers.leaf import as_register
from concordant.schema import Compiled
from concordant.storage import Deferred, Op, Result, SideEffects, State, Storage, TransactionView
from concordant.storage.base import Column
from concordant.values import ABSENT, decode_whole, encode
from concordant.workspace.commit import Commit
from concordant.workspace.executions import Effect, Executions, Fields, Replay, field_of
from concordant.workspace.permission import check_decider, check_party, check_writer, is_bound, is_decider, stands_alone
from concordant.workspace.scope import ReadSnapshot, Scope
from concordant.workspace.states import current_view, expanded, is_shown, version_of, view_at
from concordant.workspace.transitions import Decision, transitions
from concordant.workspace.visibility import own_writes, reached, seen_by, sees_all, task_of, unseen_fields

__all__ = ["Pending"]


def _near(escalations: Iterable[Escalation], changes: Iterable[LeafChange]) -> list[Escalation]:
    """The escalations about places at, above or below changes."""
    above: set[Path] = set()
    paths: set[Path] = set()
    for path, _, _ in changes:
        paths.add(path)
        above.update(path[:depth] for depth in range(len(path) + 1))
    return [
        e
        for e in escalations
        if e.place in above or any(e.place[:depth] in paths for depth in range(len(e.place))) or e.reason == "type"
    ]


def _upto(seen: SeenBy, previous: int) -> int | None:
    """The number of the newest commit that a writer had seen beside its own, where that tells what it had not seen."""
    if isinstance(seen, Seen) and seen.origin is not None and seen.upto < previous:
        return seen.upto
    return None


_NONE: frozenset[str] = frozenset()
_ANYWHERE: Places = {}
_NOTHING: Mapping[Any, Any] = {}
_RAISED = ("opened", "grew", "reopened")


class Pending:
    """One write on its way. ``update`` is what the storage runs inside its transaction.

    Attributes:
        apart: of fields, by what they are judged where that is not scope and snapshot of the write.
        places: of texts and lists that it edits, by path, what was done there, where that is known.
        ttl: for how many seconds the document is to live from now on (``None``: for ever; ``KEEP``: as it would).
        fits: whether the values given fit the model by themselves, once that is known.
        leaves_trace: whether it is in the journal though it changes nothing.
        version: the document's version after the commit.
        events: the transitions of escalations that it caused.
        open: the open escalations about what it changed.
    """

    fits: bool | None = None
    existed: bool | None = None
    leaves_trace = False
    contest: Contest | None = None
    decision: Any = ABSENT
    version = 0

    def __init__(
        self,
        schema: Compiled,
        storage: Storage,
        namespace: tuple[str, ...],
        key: str,
        scope: Scope,
        snapshot: ReadSnapshot | None,
        mode: Any,
    ) -> None:
        self.schema = schema
        self.storage = storage
        self.namespace = namespace
        self.key = key
        self.scope = scope
        self.snapshot = snapshot
        self.act = self.mode = mode
        self.body: bytes | None = None
        # What every write is asked for is its own: Python finds that faster than what its class has.
        self.values: dict[str, Any] | None = None
        self.replaces_all = False
        self.parked: Mapping[tuple[str, ...], bytes] = _NOTHING
        self.settings: Mapping[str, bytes | None] = _NOTHING
        self.apart: Mapping[str, tuple[Scope, ReadSnapshot]] = _NOTHING
        self.places: Places = _ANYWHERE
        self.ttl: float | None = KEEP
        self.op: Op | None = None
        self.if_version: int | None = None
        self.once: tuple[str, int] | None = None
        self.deciding: Decision | None = None
        self.events: Sequence[Event] = ()
        self.open: Iterable[Escalation] = ()
        if schema.writers is not None:
            self._check_writer()

    @property
    def replica(self) -> str:
        """The store's name in dots."""
        return self.storage.replica

    def _check_writer(self) -> None:
        """Refuses a write by one who may not."""
        check_writer(self.schema, self.namespace, self.key, self.scope.agent)

    def update(self, state: State | None, n: int, time: float, tx: TransactionView) -> Result | None:
        """Applies the write to a state; raises without having changed anything.

        The first write of a document is its state, one that has seen all there is may be put off, and any other is
        merged with what is there.
        """
        if self.if_version is not None:
            self._check_version(state, time, self.if_version)
        if self.once is not None:
            self._check_once(state, *self.once)
        if self.op is not None and self.scope.since.beyond is not None:
            self.op = (*self.op[:3], reached(self.scope, self.op[3], _commits_of(state)))
        sets = bool(self.settings) and self._sets(state)
        if state is None:
            if self.mode == "delete":
                return None
            if not sets and self._stands_alone():
                return self._first(n, time)
        elif self.storage.live and not (sets or self.apart) and self._is_sequel(state, tx, time):
            return self._sequel(state, n, time)
        return self._merge(state, n, time, tx, sets)

    def _check_version(self, state: State | None, time: float, wanted: int) -> None:
        current = version_of(state) if is_shown(state, self.schema, self.replica, time) else 0
        if current != wanted:
            raise StaleWriteError(self.namespace, self.key, wanted, current)

    def _check_once(self, state: State | None, replica: str, known: int) -> None:
        """Raises if a replica has committed since a version, or may have: only the newest commits are known here."""
        current = version_of(state)
        for n, _, origin in reversed(_commits_of(state)):
            if n <= known:
                return
            if origin.startswith(replica):
                break
        if current > known:
            raise StaleWriteError(self.namespace, self.key, known, current)

    # -- the only write of a document ----------------------------------------------------------------------------

    def _stands_alone(self) -> bool:
        """Whether the values given are all that a first write does, so that its row can be the state."""
        if self.parked or not (self.storage.live or self.ttl is None or self.ttl is KEEP):
            return False
        if self.mode == "edit" and self.schema.shows_defaults:
            return False  # it changes what it was shown, though nobody has written that
        if self.fits is None:
            self.fits = self.body is not None and (not self.schema.checked or self.schema.fits(decode_whole(self.body)))
        return self.fits

    def _has_read(self) -> bool:
        """Whether what is given is a change of what the writer had read."""
        read = self.snapshot is not None and own_writes(self.scope, self.snapshot) is None
        return self.mode == "edit" or (self.mode == "put" and read)

    def _first(self, n: int, time: float) -> Result:
        self.version = n
        if (self.snapshot is not None or self.mode == "edit") and self._has_read():
            self.act = "edit"  # the row is all there is to tell that it is a change of nothing
        row = self._row(n, time, None, 0)
        if self.ttl is None or self.ttl is KEEP:
            return row, row, None
        return Deferred(self.schema, "write", None, False, None, self.ttl), row, None

    def _row(self, n: int, time: float, changes: Deferred | None, previous: int) -> tuple[Any, ...]:
        """The row of a write whose values are all that is told of it, as a plain tuple (``Compact``)."""
        scope = self.scope
        return (
            self.namespace, self.key, n, time, scope.agent, scope.origin, self.act, self.body, changes, previous,
            self.op, (),
        )  # fmt: skip

    def _sequel(self, state: State, n: int, time: float) -> Result:
        """Leaves it to the storage when the write is applied."""
        snapshot, own = None, None
        if self.mode != "write":
            snapshot = self.snapshot
            if snapshot is not None and snapshot.at < 0 and self.mode == "put":
                own = own_writes(self.scope, snapshot)
        write = Deferred(self.schema, self.mode, snapshot, self.replaces_all, own, self.ttl, self.values, self.places)
        self.version = n
        previous = state[Column.N] if isinstance(state, tuple) else state.version
        return write, self._row(n, time, write, previous), None

    # -- a write that meets what is there ------------------------------------------------------------------------

    def _merge(self, state: State | None, n: int, time: float, tx: TransactionView, sets: bool) -> Result | None:
        """Replays, sees, applies, commits and escalates, in this order."""
        self.events, self.open = (), ()
        gone = state.gone(time) if isinstance(state, Record) else None
        anew = gone is seen_everything  # what was there has expired
        if anew and self.mode == "delete":
            return self._nothing(state)
        replay = None if anew else self._replay(state, n)
        if replay is not None and not replay.diverging and not sets:
            return self._repeated(state, replay, n, time)
        began = self._begun_with(replay, n)
        record = expanded(state, self.schema, self.replica)
        scope = self.scope
        commit = Commit((self.namespace, self.key), n, time, self.act, scope.agent, scope.origin)
        stamp = commit.stamp(self.replica)
        seen = self._visible(record, began)
        unseen = self._unseen(record, seen)
        changes, effect, known = self._apply(record, self._as_write(record, stamp, seen, replay, began), gone)
        self._check(record, changes, stamp)
        leases = self._leases(record, gone, stamp, seen)
        if not (changes or sets or self.leaves_trace) and (self.ttl is KEEP or leases == record.leases):
            return self._nothing(state)
        previous, lived = version_of(state), self._lived(state, record, anew)
        record.commit(changes, stamp)
        record.learn(known)
        record.leases, record.swept = leases, False
        if sets:
            record.remember(self.settings, stamp)
        self._date(record, time, anew, lived)
        effects, settled = self._escalate(record, changes, time, tx)
        row = commit.close(
            record, self.replica, changes, previous, lived=lived, lives=self._exists(record), body=self._payload(),
            op=self.op, settled=settled, effect=journalled(effect) if replay is not None else None,
            met=self._met(unseen, settled), upto=_upto(seen, previous),
        )  # fmt: skip
        self.version = n
        return record, row, effects

    def _nothing(self, state: State | None) -> Result | None:
        """The write changes nothing: its version is the one that there was."""
        self.version = version_of(state)
        return None

    # -- replay --------------------------------------------------------------------------------------------------

    def _executions(self) -> Executions | None:
        if self.op is None or not self.scope.base.executed_before:
            return None
        return self.scope.earlier.get((self.namespace, self.key))

    def _replay(self, state: State | None, n: int) -> Replay | None:
        """What becomes of the put of an earlier execution whose place this one takes."""
        executions = self._executions()
        if executions is None or self.op is None:
            return None
        since = state.reborn if isinstance(state, Record) else 0.0
        given = None if self.mode == "delete" else self.given()
        parked = {path[0] for path in self.parked}
        return executions.replay(self.op[2], given, n, since, parked, partial(self._overwritten, state))

    def _overwritten(self, state: State | None, parts: Iterable[Effect]) -> Fields:
        """The fields in which somebody stands in the place of an earlier put who is executed before it, or around or
        within the task, and has written anew."""
        task, origin, found = self.scope.task, task_of(self.scope.origin), set[str | None]()
        turn = task.turn if task is not None else None
        if turn is None:
            return _NONE
        tree = expanded(state, self.schema, self.replica).tree
        gone = [entry for entry in as_register(leaf_at(tree, (None,))) if entry.value is None]

        def is_anew(stamp: Stamp, made: int) -> bool:
            when = turn(origin, task_of(stamp.origin)) if stamp.n > made and task_of(stamp.origin) != origin else ""
            return when in ("before", "around") or (
                when == "within" and not self.scope.since.covers(stamp.n, stamp.time)
            )

        for part in parts:
            for change in part.effect(self.schema, self.replica).changes:
                here = as_register(leaf_at(tree, change.path))
                for place, entries in ((change.path, here), ((None,), gone)):
                    if any(is_anew(entry.stamp, part.row.n) for entry in entries):
                        found.add(field_of(place))
        return frozenset(found)

    def _repeated(self, state: State | None, replay: Replay, n: int, time: float) -> Result | None:
        """A put that was made before changes nothing; it begins the document's time to live anew."""
        self.version = version_of(state)
        if self.ttl is None or self.ttl is KEEP or not isinstance(state, Record):
            return None
        dot = dot_of(replay.own[-1].row.stamp(self.replica))
        state.leases, state.touched = renewed(state.leases, dot, time + self.ttl), n
        return state, None, SideEffects(lasts=True)

    def _begun_with(self, replay: Replay | None, n: int) -> float | None:
        """When the execution began whose put this one takes the place of; ``None`` if it is no such put."""
        if replay is None:
            return None
        if replay.back:
            self.scope.base.took_back.add(n)
        if self.op is None:
            return None
        self.op = (*self.op[:3], replay.began)
        return replay.began

    def fail(self) -> None:
        """Takes note that the write was not committed: the put of an earlier execution still stands in its place."""
        executions = self._executions()
        if executions is not None and self.op is not None:
            executions.take_back(self.op[2])

    # -- visibility ----------------------------------------------------------------------------------------------

    def _visible(self, record: Record, began: float | None) -> SeenBy:
        """What of a record the writer has seen; a decision is pinned to what it saw by its version alone."""
        if self.deciding:
            return seen_everything
        return seen_by(self.scope, self.snapshot, record, self.replica, began)

    def _unseen(self, record: Record, seen: SeenBy) -> dict[str, bool]:
        """The fields given in which something stands that the writer had not seen, and whether they are scalars."""
        if (
            self.deciding
            or self.mode == "delete"
            or sees_all(self.scope, self.snapshot, (self.namespace, self.key), record.recent)
        ):
            return {}
        root = self.schema.root
        assert isinstance(root.kind, Nested)
        return unseen_fields(record, [root.kind.field(root, name) for name in self.given()], seen)

    # -- apply ---------------------------------------------------------------------------------------------------

    def _as_write(
        self, record: Record, stamp: Stamp, seen: SeenBy, replay: Replay | None, began: float | None
    ) -> Write:
        """The write as the record takes it: what is given, and what of the record its writer has seen."""
        values, leave, back = self.given(), self.snapshot.leave if self.snapshot is not None else _NONE, []
        if replay is not None:
            values = {name: value for name, value in values.items() if name not in replay.kept}
            back = [part.effect(self.schema, self.replica) for part in replay.back]
            if replay.kept and self.replaces_all:
                leave |= replay.untouched(self.schema, self.replica)
        return Write(
            stamp=stamp,
            mode=self.mode,
            values=values,
            seen=seen,
            base=self.snapshot.values() if self.snapshot is not None and self.mode in ("put", "edit") else None,
            leave=leave,
            replaces_all=self.replaces_all,
            parked=dict(self.parked),
            contest=self.contest,
            decision=self.decision,
            earlier=back,
            existed=self._existed(record, seen),
            own=own_writes(self.scope, self.snapshot) if self.mode == "put" else None,
            places=self.places,
            apart=self._seen_apart(record, began) if self.apart else _NOTHING,
        )

    def _seen_apart(self, record: Record, began: float | None) -> dict[str, SeenBy]:
        """What the writer has seen of fields by themselves."""
        return {name: seen_by(*one, record, self.replica, began) for name, one in self.apart.items()}

    def _existed(self, record: Record, seen: SeenBy) -> bool:
        """Whether the document that a write deletes was there in its writer's eyes."""
        if self.mode != "delete":
            return False
        return record.lived(seen) if self.existed is None else self.existed

    def _apply(self, record: Record, write: Write, gone: SeenBy | None) -> Any:
        schema = self.schema
        fit = schema.fit if record.alien and schema.adapts else None
        bound = schema.deciders is not None and self.mode not in ("decide", "reopen") and is_bound(schema)
        write.joins = bound and not is_decider(schema, self.scope.agent)
        applied = apply(record, write, schema.root, on_delete=schema.on_delete, gone=gone, fit=fit)
        if bound:
            self._check_settles(record, write.stamp, applied)
        return applied

    def _check_settles(self, record: Record, stamp: Stamp, applied: Applied) -> None:
        """Makes sure that the write settles nothing that its author may not decide about."""
        asked = {id_of(self.namespace, self.key, contest): contest for contest in self._contests(record)}
        if not asked:
            return
        twin = record.copy()
        twin.commit(applied.changes, stamp)
        twin.learn(applied.known)
        for contest in self._contests(twin):
            asked.pop(id_of(self.namespace, self.key, contest), None)
        agent = self.scope.agent
        for contest in asked.values():
            agrees = contest.reason == "scalar" and len(leaf_at(twin.tree, contest.place) or ()) > 1
            if not agrees and contest.reason != "invalid" and not stands_alone(contest, agent):
                check_decider(self.schema, self.namespace, self.key, agent)
                check_party(self.schema, self.namespace, self.key, agent, contest)

    def _contests(self, record: Record) -> Sequence[Contest]:
        return current_view(record, self.schema, self.replica).contests

    def _check(self, record: Record, changes: Sequence[LeafChange], stamp: Stamp) -> None:
        """Raises where the write may not do that; nothing is changed yet."""

    def _sets(self, state: State | None) -> bool:
        """Whether the write changes what is remembered beside the value."""
        record = state if isinstance(state, Record) else None
        return any((record.setting(name) if record else None) != value for name, value in self.settings.items())

    def _leases(self, record: Record, gone: SeenBy | None, stamp: Stamp, seen: SeenBy) -> Leases:
        """How long the document lives after the write."""
        if gone is seen_everything:
            return after_sequel((), stamp.time, stamp, self.ttl)
        if self.mode == "delete":
            return without_seen(record, seen, gone)
        return after_write(record, stamp, seen, self.ttl, gone)

    def _lived(self, state: State | None, record: Record, anew: bool) -> bool:
        return state is not None and not anew and self._exists(record)

    def _date(self, record: Record, time: float, anew: bool, lived: bool) -> None:
        if anew:
            record.reborn = time
        if not lived:
            record.created_at = time

    def _exists(self, record: Record) -> bool:
        if (None,) not in record.suspects:
            return bool(record.tree)
        return current_view(record, self.schema, self.replica).exists

    # -- escalate ------------------------------------------------------------------------------------------------

    def _escalate(
        self, record: Record, changes: Sequence[LeafChange], time: float, tx: TransactionView
    ) -> tuple[SideEffects | None, tuple[Any, ...]]:
        """What becomes of the document's questions, and what declared policies have settled."""
        address = (self.namespace, self.key)
        if not (record.suspects or self.schema.checked or record.alien or tx.open_of(address)):
            return None, ()
        if self._asks_nothing(record, changes):
            return None, ()
        shown = view_at(record, self.schema, self.replica, time)
        effects, touched = transitions(address, shown, record, time, tx, self.deciding, self.storage.limits.contenders)
        self.events, self.open = effects.events, _near(touched, changes)
        return effects, shown.settled_at([change.path for change in changes])

    def _asks_nothing(self, record: Record, changes: Sequence[LeafChange]) -> bool:
        """Whether the write can have raised no question and closed none, by the kinds of the fields that it changed."""
        if record.tombs or record.leases or record.alien or self.schema.checked or self.deciding:
            return False
        quiet = self.schema.quiet
        return bool(quiet) and all(change.path[0] in quiet for change in changes)

    def _met(self, unseen: Mapping[str, bool], settled: Sequence[Any]) -> dict[str, str]:
        """What became of the fields in which the write met others."""
        if not unseen:
            return {}
        contested = {e.escalation.path[0] for e in self.events if e.kind in _RAISED and e.escalation.path}
        decided = {path[0] for path, _ in settled if path}
        outcome = {True: "agreed", False: "merged"}
        return {
            name: "escalated" if name in contested else "settled" if name in decided else outcome[is_scalar]
            for name, is_scalar in unseen.items()
        }

    def escalations(self) -> tuple[Escalation, ...]:
        """Returns the open escalations that this write opened or joined."""
        if not self.open:
            return ()
        own = {event.escalation.id for event in self.events}
        agent = self.scope.agent
        return tuple(e for e in self.open if e.id in own or any(agent in one.agents for one in reversed(e.contenders)))

    # -- a write that is put off ---------------------------------------------------------------------------------

    def _is_sequel(self, state: State, tx: TransactionView, time: float) -> bool:
        """Whether the write can be put off: it has seen all there is, so nothing can come of it but its own effect.

        What it does is then computed when somebody reads the document, or writes to it concurrently. A chain of
        sequential writes costs little more than as many rows.
        """
        if (
            self.deciding
            or self.parked
            or self.mode == "delete"
            or self.schema.checked
            or self.scope.base.executed_before
        ):
            return False
        document = (self.namespace, self.key)
        if isinstance(state, tuple):
            return sees_all(self.scope, self.snapshot, document, _commits_of(state))
        if not state.is_undisputed or (state.later is None and tx.open_of(document)):
            return False
        if (state.leases or state.swept) and state.gone(time) is not None:
            return False
        return sees_all(self.scope, self.snapshot, document, state.recent)

    # -- what is given -------------------------------------------------------------------------------------------

    def given(self) -> dict[str, Any]:
        """Returns the values of the fields given."""
        if self.values is None:
            self.values = decode_whole(self.body) if self.body is not None else {}
        return self.values or {}

    def _payload(self) -> bytes | None:
        if self.body is None and self.values is not None:
            self.body = encode(self.values)
        return self.body


def _commits_of(state: State | None) -> Sequence[tuple[int, float, str]]:
    """The newest commits of a document: (n, time, origin), oldest first."""
    if state is None:
        return ()
    if isinstance(state, Record):
        return state.recent
    return ((state[Column.N], state[Column.TIME], state[Column.ORIGIN]),)
