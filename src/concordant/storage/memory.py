"""Documents, journal and events in this process's memory."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, ClassVar

from concordant.errors import StorageError
from concordant.escalation import Escalation, Event, when
from concordant.limits import MOST_BACKLOG, Limits
from concordant.merge.causality import VersionVector, merge_vectors
from concordant.merge.record import Record, load_changes, packed
from concordant.merge.registers import as_register
from concordant.storage import clocks
from concordant.storage.base import (
    Address,
    Afterwards,
    Beginning,
    Column,
    Compact,
    Cursor,
    Deferred,
    Examined,
    Forgotten,
    Knowledge,
    Lag,
    Listener,
    Namespace,
    Op,
    Position,
    Projection,
    Row,
    SideEffects,
    State,
    StoreExamined,
    Told,
    Totals,
    Update,
    counted,
    version_of,
)
from concordant.storage.bodies import LARGE, Bodies, Delta, whole
from concordant.storage.clocks import Course, Instant
from concordant.storage.conditions import Condition
from concordant.storage.cut import Cut, highest
from concordant.storage.deferred import LazyRecord, put_off, settled
from concordant.storage.forking import call_in_child, free_in_child
from concordant.storage.knowledge import BEGUN, Marks, newer, noted
from concordant.values import ABSENT

__all__ = ["MemoryEvents", "MemoryStorage"]

log = logging.getLogger("concordant")


class MemoryEvents:
    """Events in a list; subscribers are those of this process."""

    source = ""
    closed = False

    def __init__(self) -> None:
        self._news = free_in_child(threading.Condition())
        self._kept: deque[tuple[float, Told]] = deque()
        self._last: Cursor = (0, -1)
        self._reached: dict[str, tuple[Cursor, str, float]] = {}

    def note(self, n: int, time: float, events: Sequence[Event], most: int = MOST_BACKLOG) -> None:
        """Takes the events of a commit; so many are kept for those who were away."""
        if events:
            with self._news:
                self._last = (n, len(events) - 1)
                self._kept += [(time, Told((n, number), "", event)) for number, event in enumerate(events)]
                self._drop_oldest(most)
                self._news.notify_all()

    def _drop_oldest(self, most: int) -> None:
        gone: Told | None = None
        while len(self._kept) > most:
            gone = self._kept.popleft()[1]
        if gone is not None:
            for name, (cursor, holder, until) in self._reached.items():
                if cursor < gone.cursor:
                    log.warning("events are dropped that the subscriber %s has not fetched (Limits.backlog)", name)
                    self._reached[name] = (gone.cursor, holder, until)

    def forget_before(self, time: float) -> None:
        """Forgets old events that every named subscriber has dealt with."""
        with self._news:
            waiting = min((cursor for cursor, *_ in self._reached.values()), default=None)
            dealt_with = [k for k in self._kept if k[0] >= time or (waiting is not None and k[1].cursor > waiting)]
            self._kept = deque(dealt_with)

    def erase(self, namespace: tuple[str, ...], key: str) -> None:
        """Forgets the events of a document."""
        with self._news:
            kept = [(told.event.escalation, at, told) for at, told in self._kept]
            others = [(at, told) for e, at, told in kept if (e.namespace, e.key) != (namespace, key)]
            self._kept = deque(others)

    def now(self) -> Position:
        with self._news:
            return (self._last,)

    def first(self) -> Position:
        return ((0, -1),)

    def after(self, position: Position, limit: int) -> list[Told]:
        with self._news:
            return [told for _, told in self._kept if told.cursor > position[0]][:limit]

    def listener(self) -> Listener:
        return _Listener(self._news, self)

    def take(self, name: str, holder: str, seconds: float, start: Position) -> Position | None:
        now = time.monotonic()
        with self._news:
            cursor, other, until = self._reached.get(name, (start[0], "", 0.0))
            if other not in ("", holder) and until > now:
                return None
            self._reached[name] = (cursor, holder, now + seconds)
            return (cursor,)

    def acknowledge(self, name: str, holder: str, seconds: float, cursor: Cursor) -> bool:
        with self._news:
            known = self._reached.get(name)
            if known is None or known[1] != holder:
                return False
            self._reached[name] = (max(known[0], cursor), holder, time.monotonic() + seconds)
            return True

    def release(self, name: str, holder: str) -> None:
        with self._news:
            known = self._reached.get(name)
            if known is not None and known[1] == holder:
                self._reached[name] = (known[0], "", 0.0)
                self._news.notify_all()

    def forget(self, name: str) -> None:
        with self._news:
            self._reached.pop(name, None)

    def lags(self) -> list[Lag]:
        now = time.monotonic()
        with self._news:
            found = []
            for name, (cursor, holder, until) in sorted(self._reached.items()):
                waiting = [at for at, told in self._kept if told.cursor > cursor]
                since = when(waiting[0]) if waiting else None
                found.append(Lag(name, len(waiting), since, holder != "" and until > now))
            return found


class _Listener:
    def __init__(self, news: threading.Condition, events: MemoryEvents) -> None:
        self._news = news
        self._events = events
        self._known: Position | None = None

    def wait(self, stop: threading.Event, seconds: float) -> None:
        end = time.monotonic() + seconds
        known, self._known = self._known, self._events.now()
        while known == self._known and not stop.is_set() and time.monotonic() < end:
            with self._news:
                self._news.wait(min(0.1, max(end - time.monotonic(), 0.0)))
            self._known = self._events.now()

    def close(self) -> None:
        """Nothing to give up."""


MOST_CLOSED = 10_000
"""How many closed escalations are remembered."""

_ENDING = frozenset(["delete", "expire", "purge", "import", "resolve", "dismiss", "undo"])
"""The acts after which a document may be there for nobody."""

_NONE: Mapping[str, Escalation] = {}
_EMPTY: Mapping[str, Any] = {}


class _Spaces(dict[Namespace, dict[str, State]]):
    """The documents of each namespace, and which namespaces there are under each prefix, so that who looks under one
    does not pass all."""

    def __init__(self) -> None:
        super().__init__()
        self._under: dict[Namespace, dict[Namespace, None]] = {}
        self._numbers: dict[Namespace, int] = {}
        self._begun = 0

    def begin(self, namespace: Namespace) -> dict[str, State]:
        """Makes room for a namespace that is not there."""
        space = self[namespace] = {}
        self._begun += 1
        self._numbers[namespace] = self._begun
        for depth in range(1, len(namespace)):
            self._under.setdefault(namespace[:depth], {})[namespace] = None
        return space

    def end(self, namespace: Namespace) -> None:
        """Forgets a namespace."""
        del self[namespace], self._numbers[namespace]
        for depth in range(1, len(namespace)):
            below = self._under[namespace[:depth]]
            del below[namespace]
            if not below:
                del self._under[namespace[:depth]]

    def under(self, prefix: Namespace) -> list[Namespace]:
        """The namespaces that begin with a prefix, in the order in which they came."""
        if not prefix:
            return list(self)
        found = list(self._under.get(prefix, ()))
        if prefix in self:
            found.append(prefix)
            found.sort(key=self._numbers.__getitem__)
        return found


class MemoryStorage:
    """The storage of ``Workspace()``: dicts under one lock.

    Args:
        replica: this replica's name in dots.
        journal: how many changes the journal keeps.
    """

    live: ClassVar[bool] = True
    clocks = 1
    limits = Limits()

    def __init__(self, replica: str, journal: int = 10_000) -> None:
        self.replica = replica
        self.lock = free_in_child(threading.RLock())
        self.spaces = _Spaces()
        self.graves = _Spaces()  # of deleted ones, so that no search passes them
        self.rows_kept: deque[Any] = deque(maxlen=journal)
        self._bodies = Bodies()
        self.tasks: dict[str, str] = {}
        self._last_task = ("", "")  # and its execution, which is mostly that of the next put, too
        self.events = MemoryEvents()
        self.open: dict[Address, Mapping[str, Escalation]] = {}
        self.addresses: dict[str, Address] = {}  # where each open escalation is; an id is of one place for ever
        self.closed: OrderedDict[str, tuple[float, Escalation]] = OrderedDict()  # and when each was
        self._told: list[tuple[int, float, Sequence[Event]]] | None = None  # what a transaction is to tell at its end
        self._course = Course()
        self.n = 0
        self.clock = 0.0
        self._journal = journal
        self._recast: list[Address] = []
        self._learned: VersionVector = {}
        self._forgotten: VersionVector = {}
        self._exported = -1
        self._marks: dict[str, Marks] = {replica: BEGUN}
        self._notes: dict[str, str] = {}
        self._changed: dict[tuple[Namespace, str], int] | None = None  # in the order of n, once somebody has asked
        self.aside: list[tuple[Address, str, State | None]] = []  # documents that were set aside, with the reasons
        self._refusal: StorageError | None = None  # why nothing can be written any more
        call_in_child(self._after_fork)

    @property
    def read_only(self) -> bool:
        return self._refusal is not None

    def attach(self, projection: Projection) -> None:
        """Does nothing: nothing is kept beside the records."""

    def create(
        self,
        namespace: Namespace,
        key: str,
        agent: str,
        origin: str,
        act: str,
        body: bytes,
        op: Op | None,
    ) -> int:
        with self.lock:
            if self._refusal is not None:
                self._check_open()
            if self.graves and key in self.graves.get(namespace, _EMPTY):
                return 0
            space = self.spaces.get(namespace)
            if space is None:
                space = self.spaces.begin(namespace)
            elif key in space:
                return 0
            n = self.n + 1
            now = time.time()
            if now <= self.clock:
                now = self.clock + 1e-6
            space[key] = row = (namespace, key, n, now, agent, origin, act, body, None, 0, op, ())
            if self._course.tick != clocks.latest:
                self._course.step(self.clock)
            self.n, self.clock = n, now
            self._note(row, True)
            return n

    def commit(self, namespace: Namespace, key: str, update: Update) -> None:
        with self.lock:
            if self._refusal is not None:
                self._check_open()
            state = self.spaces.get(namespace, _EMPTY).get(key) or self.load(namespace, key)
            if type(state) is LazyRecord and state.later.is_full:
                settled(state)
            n = self.n + 1
            # The clock never stands still or goes back, so that the order of times is the order of commits.
            now = max(time.time(), self.clock + 1e-6)
            result = update(state, n, now, self)
            if result is None:
                return
            after, row, effects = result
            if effects is not None:
                self._save_effects((namespace, key), effects, now)
                self._tell(n, now, effects.events)
            elif row is None:
                return
            if row is not None:
                if isinstance(after, Deferred):
                    after = put_off(state, row, after, self.replica)
                if after is not state or self.graves or row[Column.ACT] in _ENDING:
                    self._put(namespace, key, after)
                self._note(row, effects is None or not effects.erases)
            if self._course.tick != clocks.latest:
                self._step()
            self.n, self.clock = n, now  # after the state, so that peek never tells of a commit not yet to be seen

    def _step(self) -> None:
        """A commit can be seen now; of a transaction all can at its end."""
        if self._told is None:
            self._course.step(self.clock)

    def _tell(self, n: int, now: float, events: Sequence[Event]) -> None:
        """Tells of the events of a commit; of those of a transaction when all are made."""
        if self._told is None:
            self.events.note(n, now, events, self.limits.backlog)
        else:
            self._told.append((n, now, events))

    def _note(self, row: tuple[Any, ...], kept: bool) -> None:
        """Takes note of a change; in the journal too, if it is ``kept`` there."""
        if kept:
            body = row[Column.BODY]
            self.rows_kept.append(row if body is None or len(body) < LARGE else self._as_difference(row))
        if self._changed is not None:
            address = row[Column.PLACE]
            self._changed.pop(address, None)
            self._changed[address] = row[Column.N]
        op = row[Column.OP]
        if op is not None:
            by, execution = self._last_task
            if op[0] is not by or op[1] is not execution:
                self._note_task(op[0], op[1])

    def _note_task(self, by: str, execution: str) -> None:
        """Takes note that an execution of a task writes."""
        if self.tasks.setdefault(by, execution) != execution:
            self.tasks[by] = ""  # more than one
        self._last_task = (by, execution)
        if len(self.tasks) > 2 * self._journal:
            for task in list(self.tasks)[: self._journal]:
                del self.tasks[task]
            self._last_task = ("", "")

    def _as_difference(self, row: Compact) -> Compact:
        """A row with how the value given differs from the one before it, and with what it changed ``packed``."""
        body, changes = self._bodies.kept(row[Column.PLACE], row[Column.BODY]), row[Column.CHANGES]
        if isinstance(changes, Deferred):
            changes.outcome = told = Afterwards()
            changes = told
        elif changes is not None:
            changes = packed(changes)
        return (*row[: Column.BODY], body, changes, *row[Column.PREVIOUS :])

    def commit_each(self, updates: Sequence[tuple[Namespace, str, Update]]) -> Sequence[Exception | None]:
        failed: list[Exception | None] = []
        for update in updates:
            try:
                self.commit(*update)
            except Exception as error:
                failed.append(error)
            else:
                failed.append(None)
        return failed

    def commit_all(self, updates: Sequence[tuple[Namespace, str, Update]], *, hasty: bool = False) -> None:
        with self.lock:
            self._check_open()
            undo: list[tuple[Namespace, str, State | None]] = []
            n, clock, rows = self.n, self.clock, list(self.rows_kept)
            open_, closed = dict(self.open), OrderedDict(self.closed)
            told: list[tuple[int, float, Sequence[Event]]] = []
            self._told = told
            try:
                for namespace, key, update in updates:
                    state = self.load(namespace, key)
                    undo.append((namespace, key, state.copy() if isinstance(state, Record) else state))
                    self.commit(namespace, key, update)
                if self._course.tick != clocks.latest:
                    self._course.step(clock)
            except BaseException:
                self.n, self.clock = n, clock
                self.open, self.closed = open_, closed
                self.addresses = {id_: address for address, found in open_.items() for id_ in found}
                self.rows_kept = deque(rows, maxlen=self._journal)
                self._bodies.forget()
                for namespace, key, state in reversed(undo):
                    self._put(namespace, key, state)
                raise
            finally:
                self._told = None
            for commit in told:
                self.events.note(*commit, self.limits.backlog)

    def _save_effects(self, address: Address, effects: SideEffects, now: float) -> None:
        if effects.erases:
            self.events.erase(*address)
            for id_ in [i for i, (_, e) in self.closed.items() if (e.namespace, e.key) == address]:
                del self.closed[id_]
            kept = [row for row in self.rows_kept if row[Column.PLACE] != address]
            self.rows_kept = deque(kept, maxlen=self._journal)
            self._bodies.forget(address)
            for id_ in self.open.pop(address, _NONE):
                del self.addresses[id_]
        if effects.open:
            self.open[address] = effects.open
        elif effects.open is not None:
            self.open.pop(address, None)
        for event in effects.events:
            if event.kind in ("opened", "reopened"):
                self.addresses[event.escalation.id] = address
                self.closed.pop(event.escalation.id, None)
        for escalation in effects.closed:
            self.addresses.pop(escalation.id, None)
            self.closed[escalation.id] = (now, escalation)
        while len(self.closed) > MOST_CLOSED:
            self.closed.popitem(last=False)

    def _put(self, namespace: Namespace, key: str, state: State | None) -> None:
        """Puts a document where it belongs: among those that may be there for a reader, among deleted ones, or away."""
        home = self.graves if type(state) is Record and _is_buried(state) else self.spaces
        if state is not None:
            space = home.get(namespace)
            (home.begin(namespace) if space is None else space)[key] = state
            if not self.graves:
                return
        for spaces in (self.spaces, self.graves):
            if namespace in spaces and (state is None or spaces is not home):
                spaces[namespace].pop(key, None)
                if not spaces[namespace]:
                    spaces.end(namespace)

    def load(self, namespace: Namespace, key: str) -> State | None:
        space = self.spaces.get(namespace)
        found = space.get(key) if space is not None else None
        return self.graves.get(namespace, _EMPTY).get(key) if found is None and self.graves else found

    def peek(self, namespace: Namespace, key: str) -> tuple[int, State | None]:
        n = self.n
        try:
            return n, self.spaces[namespace][key]
        except KeyError:
            return n, self.load(namespace, key)

    def reading(self) -> Any:
        return self.lock

    def beginning(self, began: Instant | float) -> Beginning:
        if isinstance(began, Instant):
            with self.lock:
                was = (self._course.at(began.tick, self.clock), None)
            return tuple.__new__(Beginning, was)  # the class's own is slower, being Python
        return Beginning(min(began, self.clock))  # what is committed from now on cannot have been there

    def expect_tasks(self) -> None:
        """Does nothing: all commits are known here."""

    def now(self) -> tuple[int, float]:
        return self.n, self.time()

    def time(self) -> float:
        return max(self.clock, time.time())

    def real_time(self) -> float:
        return time.time()

    def expired(self) -> Sequence[Address]:
        with self.lock:
            namespaces = [*self.spaces]
        found: list[Address] = []
        for namespace in namespaces:
            with self.lock:
                found += [(namespace, key) for key in self.spaces.get(namespace, ()) if self._waits((namespace, key))]
        return found

    def _waits(self, address: Address) -> bool:
        """Whether a document waits for the sweep."""
        state = self.load(*address)
        return isinstance(state, Record) and bool(state.leases) and not state.swept and state.has_expired(self.time())

    def advance(self, past: float) -> None:
        """Moves the clock past a time met in another replica's writes, so that later commits are later there too."""
        with self.lock:
            self.clock = max(self.clock, past)

    def documents(self, prefix: Namespace, after: Cut = 0) -> Iterator[tuple[Namespace, str, State]]:
        upto = highest(after)
        with self.lock:
            found = [
                (namespace, key, state)
                for spaces in (self.spaces, self.graves)
                for namespace in spaces.under(prefix)
                for key, state in spaces[namespace].items()
                if not upto or _last_commit(state) > upto
            ]
        return iter(found)

    def showing(
        self, prefix: Namespace, conditions: Sequence[Condition] = ()
    ) -> Iterator[tuple[Namespace, str, State]]:
        with self.lock:
            spaces = [(namespace, self.spaces[namespace]) for namespace in self.spaces.under(prefix)]
            return iter([(namespace, key, state) for namespace, space in spaces for key, state in space.items()])

    def namespaces(self, prefix: Namespace) -> Iterator[tuple[Namespace, bool | None]]:
        with self.lock:
            return iter([(namespace, None) for namespace in self.spaces.under(prefix)])

    def outdated(self, models: str) -> tuple[int, Iterator[tuple[Namespace, str, State]]]:
        """Tells what other models wrote is found in ``redeclared``; what comes from elsewhere is looked at as it
        comes."""
        with self.lock:
            found, self._recast = self._recast, []
        return self.n, ((*address, state) for address in found if (state := self.load(*address)) is not None)

    def surveyed(self, models: str, upto: Cut, *, changed: bool) -> None:
        """Has nothing to note."""

    def redeclared(self, recast: Callable[[Namespace, State], State]) -> None:
        for namespace, space in chain(self.spaces.items(), self.graves.items()):
            for key, state in space.items():
                after = recast(namespace, settled(state) if type(state) is LazyRecord else state)
                space[key] = after
                if isinstance(after, Record) and after.alien:
                    self._recast.append((namespace, key))

    def rows(self, namespace: Namespace, key: str) -> Iterator[Row]:
        with self.lock:
            found = [row for row in self.rows_kept if row[Column.PLACE] == (namespace, key)]
        known: dict[Delta, bytes] = {}
        return (self._as_told(row, known) for row in reversed(found))

    def journal(self, prefix: Namespace, agent: str | None, before: int | None, limit: int) -> Sequence[Row]:
        with self.lock:
            found = (
                row
                for row in reversed(self.rows_kept)
                if row[Column.NAMESPACE][: len(prefix)] == prefix
                and (agent is None or row[Column.AGENT] == agent)
                and (before is None or row[Column.N] < before)
            )
            known: dict[Delta, bytes] = {}
            return [self._as_told(row, known) for row in islice(found, limit)]

    def _as_told(self, row: Compact, known: dict[Delta, bytes]) -> Row:
        """A row as it is told: what was put off is done by now."""
        found = Row(*row)
        if type(found.body) is not bytes:
            found = found._replace(body=whole(found.body, known))
        changes: Any = found.changes
        if isinstance(changes, (Deferred, Afterwards)):
            with self.lock:
                state = self.load(found.namespace, found.key)
                if type(state) is LazyRecord:
                    settled(state)
            changes = changes.changes
        if isinstance(changes, bytes):
            changes, *_ = load_changes(changes)
        return found if changes is found.changes else found._replace(changes=changes)

    def changes(self, after: Any = None) -> tuple[Any, Sequence[tuple[Namespace, str]]]:
        with self.lock:
            if self._changed is None:
                self._changed = {}
            if after is None:
                addresses = chain(self.spaces.items(), self.graves.items())
                return self.n, [(namespace, key) for namespace, space in addresses for key in space]
            found = []
            for document, n in reversed(self._changed.items()):
                if n <= after:
                    break
                found.append(document)
            return self.n, found[::-1]

    def executed_before(self, task: str, execution: str) -> bool:
        return self.tasks.get(task, execution) != execution

    def puts_of(self, task: str, namespace: Namespace, key: str) -> Iterator[Row]:
        return (row for row in self.rows(namespace, key) if row.op is not None and row.op[0] == task)

    def open_of(self, address: Address) -> Mapping[str, Escalation]:
        return self.open.get(address, _NONE)

    def find_closed(self, id_: str) -> Escalation | None:
        found = self.closed.get(id_)
        return found[1] if found is not None else None

    def escalation(self, id_: str) -> Escalation | None:
        with self.lock:
            address = self.addresses.get(id_)
            if address is None:
                return self.find_closed(id_)
            return None if self._waits(address) else self.open[address][id_]

    def escalations(self, prefix: Namespace, state: str) -> Iterator[Escalation]:
        depth = len(prefix)
        if state in ("open", "claimed", "all"):
            for address, items in list(self.open.items()):
                if address[0][:depth] == prefix and not self._waits(address):
                    yield from (e for e in items.values() if state != "claimed" or e.state == "claimed")
        if state not in ("open", "claimed"):
            for _, escalation in list(self.closed.values()):
                if escalation.namespace[:depth] == prefix and state in ("all", escalation.state):
                    yield escalation

    def totals(self) -> Totals:
        with self.lock:
            rows = [Row(*row) for row in self.rows_kept]
            acts = Counter(row.act for row in rows)
            settled = Counter(policy for row in rows for _, policy in row.settled)
            states = Counter[str](escalation.state for escalation in self.escalations((), "all"))
            fields = counted((row.namespace, row.act, whole(row.body), row.met) for row in rows)
            return Totals(
                sum(map(len, chain(self.spaces.values(), self.graves.values()))), acts, settled, states, fields
            )

    def knowledge(self) -> Knowledge:
        with self.lock:
            vector = {**self._learned, self.replica: self.n}
            return Knowledge(self.replica, vector, self._forgotten, self._exported, dict(self._marks))

    def learn(self, vector: VersionVector, marks: Mapping[str, Marks]) -> None:
        with self.lock:
            self._learned = merge_vectors((self._learned, vector))
            for replica, told in marks.items():
                if replica in self._learned:
                    self._marks[replica] = newer(self._marks.get(replica, ()), told)

    def notes(self) -> Mapping[str, str]:
        with self.lock:
            return dict(self._notes)

    def note(self, texts: Mapping[str, str]) -> None:
        with self.lock:
            self._notes.update(texts)

    def note_export(self, upto: Cut) -> None:
        with self.lock:
            self._exported = max(self._exported, highest(upto))
            self._marks[self.replica] = noted(self._marks[self.replica], self.n, self.clock)

    def rename(self, replica: str, upto: Cut) -> None:
        with self.lock:
            self._check_open()
            self._learned[self.replica] = highest(upto)
            del self._marks[self.replica]
            self._marks[replica] = BEGUN
            self.replica = replica

    def forget(self, addresses: Sequence[tuple[Address, int]], rows_before: float) -> Forgotten:
        with self.lock:
            self._check_open()
            gone = 0
            for (namespace, key), version in addresses:
                state = self.load(namespace, key)
                if isinstance(state, Record) and state.version == version:
                    self._save_effects((namespace, key), SideEffects(erases=True), 0.0)
                    self._put(namespace, key, None)
                    newest = max(self._forgotten.get(self.replica, 0), version)
                    self._forgotten = {**self._learned, self.replica: newest}
                    gone += 1
            self.events.forget_before(rows_before)
            for id_ in [i for i, (closed, _) in self.closed.items() if closed < rows_before]:
                del self.closed[id_]
            rows = len(self.rows_kept)
            kept = [row for row in self.rows_kept if row[Column.TIME] >= rows_before]
            self.rows_kept = deque(kept, maxlen=self._journal)
            return Forgotten(gone, rows - len(self.rows_kept))

    def examine_store(self) -> StoreExamined:
        with self.lock:
            versions = [version_of(state) for _, _, state in self.documents(())]
            newest = max([*versions, *(row[Column.N] for row in self.rows_kept)], default=0)
            strays = sum(self.load(*address) is None for address in self.open)
            return StoreExamined(self.n, newest, self._trimmed(), strays, ())

    def _trimmed(self) -> int:
        """Up to which commit the journal may have been forgotten."""
        return self.rows_kept[0][Column.N] - 1 if self.rows_kept else self.n

    def examine(self, address: Address | None = None) -> Iterator[Examined]:
        with self.lock:
            addresses = [(namespace, key) for namespace, key, _ in self.documents(())] if address is None else [address]
            rows: dict[Address, list[Row]] = {}
            known: dict[Delta, bytes] = {}
            for row in reversed(self.rows_kept):
                rows.setdefault(row[Column.PLACE], []).append(self._as_told(row, known))
            return iter([found for one in addresses if (found := self._examined(one, rows.get(one, []))) is not None])

    def _examined(self, address: Address, rows: Sequence[Row]) -> Examined | None:
        state = self.load(*address)
        if state is None:
            return None
        cached = state.cache if type(state) is Record and not state.swept else None
        shown = cached.body if cached is not None else ABSENT
        questions = frozenset(self.open_of(address))
        return Examined(address, state, shown, None, version_of(state), len(questions), questions, rows)

    def set_aside(self, addresses: Sequence[tuple[Address, str]]) -> int:
        with self.lock:
            self._check_open()
            for address, reason in addresses:
                self.aside.append((address, reason, self.load(*address)))
                self._save_effects(address, SideEffects(erases=True), 0.0)
                self._put(*address, None)
        return len(addresses)

    def close(self) -> None:
        self._refusal = self._refusal or StorageError(_PLACE, "the workspace was closed", "Open another one")

    def _check_open(self) -> None:
        """Raises why nothing can be written any more, if so."""
        if self._refusal is not None:
            raise StorageError(*self._refusal.parts)

    def _after_fork(self) -> None:
        """In the child of a fork: what would be written here reaches nobody."""
        reason = "this process was forked from the one that made the workspace, and has a copy of what it held then"
        mend = "Make the workspace after the fork; to share one, keep it in a file (sqlite:///team.db) or in Postgres"
        self._refusal = StorageError(_PLACE, reason, mend)


def _last_commit(state: State) -> int:
    """The number of the last commit to a document, one that did no more than move its end included."""
    return max(state.version, state.touched) if isinstance(state, Record) else state[Column.N]


def _is_buried(state: Record) -> bool:
    """Whether a document shows nothing under any model: nothing is left of it but its deletion, or its expiry. What
    waits in a record is no deletion."""
    if state.swept:
        return True
    register = as_register(state.tree.get(None))
    return len(state.tree) == 1 and bool(register) and all(entry.value is None for entry in register)


_PLACE = "the workspace in memory"
