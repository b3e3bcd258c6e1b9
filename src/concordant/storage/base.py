"""The storage protocol: load, apply and save a record in one transaction, and keep the journal."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias

from pydantic_core import from_json

from concordant.escalation import Escalation, Event
from concordant.limits import Limits
from concordant.merge.causality import Stamp, VersionVector
from concordant.merge.record import Places, Record
from concordant.merge.registers import LeafChange
from concordant.schema import Compiled
from concordant.storage.clocks import Instant
from concordant.storage.conditions import Condition
from concordant.storage.cut import Address, Cut, clock_names, cut_of, highest, part
from concordant.storage.knowledge import Marks
from concordant.values import ABSENT, Absent

__all__ = [
    "ALIEN",
    "GIVEN",
    "Address",
    "Afterwards",
    "Beginning",
    "Beyond",
    "Cursor",
    "Deferred",
    "Events",
    "Examined",
    "Forgotten",
    "Knowledge",
    "Lag",
    "Listener",
    "Namespace",
    "Op",
    "Outcomes",
    "Position",
    "Projection",
    "Result",
    "Row",
    "Saved",
    "SideEffects",
    "State",
    "Storage",
    "StoreExamined",
    "Told",
    "Totals",
    "TransactionView",
    "Update",
    "advanced",
    "counted",
    "is_present",
    "parsed",
    "together",
    "written",
]

Outcomes: TypeAlias = "dict[tuple[tuple[str, ...], str], Counter[str]]"
"""By namespace and field: how many writes had which outcome."""

GIVEN = frozenset(["put", "write", "edit"])
"""The acts that give values."""


def counted(
    rows: Iterable[tuple[tuple[str, ...], str, bytes | None, Mapping[str, str]]], into: Outcomes | None = None
) -> Outcomes:
    """Counts journal rows by outcome.

    Args:
        rows: of each namespace, act, the JSON of the values given, and the outcomes where they met others.
    """
    found: Outcomes = {} if into is None else into
    for namespace, act, body, met in rows:
        if act in GIVEN:
            values: Any = {}
            with suppress(ValueError):  # rot, which ``check`` tells
                values = from_json(body) if body else {}
            for field in values if isinstance(values, dict) else ():
                found.setdefault((namespace, field), Counter())[met.get(field, "ordered")] += 1
    return found


class Saved(NamedTuple):
    """What is saved beside a state.

    Attributes:
        shown: the JSON of the value that a record shows; ``None`` if it shows none, whatever the time.
        fingerprint: of the model, with ``ALIEN`` for a record that holds what it does not make.
        value: what the JSON says, where it need not be read of it; nobody may change it. Else ``ABSENT``.
    """

    shown: bytes | None
    fingerprint: str
    value: Any = ABSENT

    @property
    def model(self) -> str:
        """The model, as far as it can be told between processes."""
        return self.fingerprint.removesuffix(ALIEN).partition("?")[0]


class Projection(Protocol):
    """Tells how records are shown, for a storage that keeps that beside them."""

    def saved(self, namespace: Namespace, state: State) -> Saved:
        """Gives what is saved beside a state, by the present model of its namespace."""
        ...

    def fingerprint(self, namespace: tuple[str, ...]) -> str:
        """Tells the schema of a namespace: it changes with what its records show for reasons of that."""
        ...

    def shape(self, namespace: tuple[str, ...]) -> str:
        """Tells how the fields of a namespace's documents merge, as text; the same where the fingerprint is."""
        ...

    def written_under(self, shape: str | None, row: tuple[Any, ...]) -> tuple[Any, ...] | Record:
        """Gives the state of a document whose only write was made under a model with another fingerprint.

        Args:
            shape: that of the other model; ``None`` if it is not known.
        """
        ...

    def below(self, prefix: tuple[str, ...]) -> frozenset[str]:
        """Returns the fingerprints that namespaces may have which go on after a prefix."""
        ...


ALIEN = "!"
"""Ends the fingerprint of a record which holds what the model does not make."""


def is_present(fingerprint: str | None, present: str) -> bool:
    """Tells whether a document with this fingerprint was saved under the present model, as far as can be told between
    processes, and holds only what that model makes."""
    if not isinstance(fingerprint, str) or fingerprint.endswith(ALIEN):  # there is none, or it is rotten
        return False
    return fingerprint == present or fingerprint.partition("?")[0] == present.partition("?")[0]


Cursor: TypeAlias = tuple[int, int]
"""A place in the order of events of one clock: the number of a commit, and that of an event in it."""

Position: TypeAlias = tuple[Cursor, ...]
"""How far somebody has come with the events of a store: a place in the order of each clock."""


def advanced(position: Position, cursor: Cursor) -> Position:
    """Gives the position after an event: the events of its clock up to it have been dealt with."""
    clock = cursor[0] % len(position)
    return (*position[:clock], max(position[clock], cursor), *position[clock + 1 :])


def written(position: Position) -> str:
    """Gives a position as text (``12-0``; of several clocks ``16-0.1-2.18-0``)."""
    return ".".join(f"{n}-{index}" for n, index in position)


def parsed(text: str, clocks: int) -> Position | None:
    """Reads the position in a text; ``None``: it is none of a store with so many clocks."""
    found: list[Cursor] = []
    for one in text.split("."):
        n, dash, index = one.partition("-")
        if not dash or not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in (n, index)):
            return None
        found.append((int(n), int(index)))
    return tuple(found) if len(found) == clocks else None


class Told(NamedTuple):
    """An event, its place in the order, and which workspace made it."""

    cursor: Cursor
    source: str
    event: Event


class Lag(NamedTuple):
    """How far a named subscriber is behind.

    Attributes:
        name: the name under which it receives.
        waiting: how many events it has not dealt with.
        since: when the oldest of them was committed; ``None`` if there is none.
        receiving: whether somebody receives under the name now.
    """

    name: str
    waiting: int
    since: datetime | None
    receiving: bool

    def to_dict(self) -> dict[str, Any]:
        """Returns it in its JSON form (docs/web.md)."""
        return {**self._asdict(), "since": None if self.since is None else self.since.isoformat()}


def together(lags: Iterable[Lag]) -> list[Lag]:
    """Gives how far each named subscriber is behind, of what the parts of a store tell of it."""
    found: dict[str, Lag] = {}
    for lag in lags:
        known = found.setdefault(lag.name, lag)
        if known is not lag:
            since = min((one.since for one in (known, lag) if one.since is not None), default=None)
            receiving = known.receiving and lag.receiving
            found[lag.name] = Lag(lag.name, known.waiting + lag.waiting, since, receiving)
    return sorted(found.values())


class Listener(Protocol):
    """Waits for events; one for each thread that does."""

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Returns when there may be new events, at once the first time and after a lost connection; soon after
        ``stop`` is set, and after so many seconds at the latest."""
        ...

    def close(self) -> None:
        """Gives up what it waits with."""
        ...


class Events(Protocol):
    """The transactional outbox of a store: its events, and how far its named subscribers have come.

    Attributes:
        source: the name of this workspace among those that share the store; empty where none can.
        closed: whether the storage was closed.
    """

    closed: bool

    @property
    def source(self) -> str: ...

    def now(self) -> Position:
        """Returns the position after all events so far."""
        ...

    def first(self) -> Position:
        """Returns the position before the oldest event that is kept."""
        ...

    def after(self, position: Position, limit: int) -> list[Told]:
        """Returns the next events, those of each clock in the order of their commits."""
        ...

    def listener(self) -> Listener:
        """Gives what tells of new events."""
        ...

    def take(self, name: str, holder: str, seconds: float, start: Position) -> Position | None:
        """Returns how far a subscriber has come, if ``holder`` may receive for it: from now on for so many seconds
        nobody else may. ``None``: somebody else does.

        Args:
            start: where a new subscriber begins.
        """
        ...

    def acknowledge(self, name: str, holder: str, seconds: float, cursor: Cursor) -> bool:
        """Notes that a subscriber has dealt with an event and those of its clock before it; ``False`` if ``holder`` may
        not any more."""
        ...

    def release(self, name: str, holder: str) -> None:
        """Lets others receive at once."""
        ...

    def forget(self, name: str) -> None:
        """Forgets a subscriber."""
        ...

    def lags(self) -> list[Lag]:
        """Returns how far each named subscriber is behind, in the order of their names."""
        ...


Namespace: TypeAlias = tuple[str, ...]


Beyond: TypeAlias = Callable[[int, float], bool]
"""Whether a commit, by number and time, was there, beyond those that are known to have been."""


class Beginning(NamedTuple):
    """What was there when something began.

    Attributes:
        time: of the last commit of which that is known; of a store with several clocks, one for each.
        beyond: of later ones, as far as clocks can tell; ``None``: none was.
    """

    time: float | tuple[float, ...] = 0.0
    beyond: Beyond | None = None

    def covers(self, n: int, when: float) -> bool:
        """Tells whether a commit, by number and time, was there."""
        return when <= part(self.time, n) or (self.beyond is not None and self.beyond(n, when))


_NOTHING: Mapping[str, str] = {}
_ANYWHERE: Places = {}


class Deferred:
    """A write that has seen all there is, so that a ``live`` storage may put off what it does.

    Attributes:
        schema: by which it is applied.
        mode: how.
        snapshot: what its writer has read; ``None``: nothing.
        replaces_all: whether what it leaves out goes away.
        own: of which origin's own earlier writes it is a change.
        ttl: for how many seconds the document is to live from now on.
        values: what it gives, where that is known already and it was not applied yet.
        places: of texts and lists that it edits, by path, what was done there, where that is known.
        changes: what it changed, once it was applied.
        outcome: the same, for a journal that is not to hold the rest.
    """

    __slots__ = ("changes", "mode", "outcome", "own", "places", "replaces_all", "schema", "snapshot", "ttl", "values")

    def __init__(
        self,
        schema: Compiled,
        mode: Any,
        snapshot: Any,
        replaces_all: bool,
        own: str | None,
        ttl: float | None,
        values: dict[str, Any] | None = None,
        places: Places = _ANYWHERE,
    ) -> None:
        self.schema = schema
        self.mode = mode
        self.snapshot = snapshot
        self.replaces_all = replaces_all
        self.own = own
        self.ttl = ttl
        self.values = values
        self.places = places
        self.changes: Sequence[LeafChange] = ()
        self.outcome: Afterwards | None = None


class Afterwards:
    """What a write that was put off changed, once it was applied (``packed``); without what its writer had read."""

    __slots__ = ("changes",)

    def __init__(self) -> None:
        self.changes: bytes | Sequence[LeafChange] = ()


Op: TypeAlias = tuple[str, str, int, float]
"""By what a put of a task is found again: the task, its execution, the put's number in it, when the execution began."""


class Row(NamedTuple):
    """One change in the journal, which is append-only.

    Attributes:
        namespace, key: the document.
        n: the number of the commit, and the document's version from then on.
        time: when it was committed, in seconds since the epoch.
        agent, origin, act: who did what: ``put``, ``delete``, ``resolve``, ...
        body: the JSON of what was given.
        changes: what it changed in the document, taking back an earlier put included; ``None`` for a document's only
            write, of which ``body`` is all.
        previous: the version before.
        op: the idempotency key of a put that may be executed again: (task, execution, ordinal, the time of the last
            commit when the execution began).
        settled: what declared policies have settled: (path, policy).
        effect: what a put that took the place of an earlier one did itself.
        met: what became of the fields in which it met what its writer had not seen: ``merged``, ``agreed``,
            ``settled`` (by policy), ``escalated``.
        upto: the number of the newest commit that its writer had seen, its own apart; ``None``: all there was, or that
            is not told by a number.
    """

    namespace: Namespace
    key: str
    n: int
    time: float
    agent: str
    origin: str
    act: str
    body: bytes | None
    changes: Sequence[LeafChange] | Deferred | None
    previous: int
    op: Op | None
    settled: tuple[tuple[tuple[str, ...], str], ...] = ()
    effect: Sequence[LeafChange] | None = None
    met: Mapping[str, str] = _NOTHING
    upto: int | None = None

    def stamp(self, replica: str) -> Stamp:
        """Returns the stamp of the write that the row tells of."""
        return stamp_of(self, replica)


Compact: TypeAlias = tuple[Any, ...]
"""The row of a document's only write, as a plain tuple, which the garbage collector passes by (``row_of``)."""


class _Columns:
    """Where the fields of a ``Row`` are in a ``Compact``, which is read without making one."""

    def __init__(self) -> None:
        places = range(len(Row._fields))
        self.NAMESPACE, self.KEY, self.N, self.TIME, self.AGENT, self.ORIGIN = places[:6]
        self.ACT, self.BODY, self.CHANGES, self.PREVIOUS, self.OP = places[6:11]
        self.PLACE = slice(self.NAMESPACE, self.N)  # which document it is of


Column = _Columns()  # of an object Python reads a name many times as fast as of a class


State: TypeAlias = "Compact | Record"
"""A document: the row of its only write, or its record."""


def row_of(state: Compact) -> Row:
    """Gives the row of a document's only write, by field name."""
    return Row(*state)


def stamp_of(row: Compact, replica: str) -> Stamp:
    """Gives the stamp of the write that a row tells of."""
    n, time, agent, origin, act = row[Column.N : Column.BODY]
    return tuple.__new__(Stamp, (time, replica, n, agent, origin, act))  # the class's own is slower, being Python


def version_of(state: State | None) -> int:
    """Gives the number of the last commit to a document; 0 if there is none."""
    if state is None:
        return 0
    if isinstance(state, Record):
        return state.version
    return state[Column.N]  # type: ignore[no-any-return]


class SideEffects(NamedTuple):
    """What a commit saves beside the document and its journal row.

    Attributes:
        open: the document's open escalations from now on, by id; ``None``: as they were.
        closed: escalations that the commit closed.
        events: the transitions that it made, for whoever listens elsewhere.
        lasts: the record was not written to, it lives longer than before: it is saved without a journal row.
        erases: all else that is known of the document goes: journal (this row too), escalations, events.
    """

    open: Mapping[str, Escalation] | None = None
    closed: Sequence[Escalation] = ()
    events: Sequence[Event] = ()
    lasts: bool = False
    erases: bool = False


class TransactionView(Protocol):
    """Answers what an update asks inside its transaction. It must ask nobody else: a storage whose connections all wait
    for this one transaction has no other to answer by."""

    def open_of(self, address: Address) -> Mapping[str, Escalation]:
        """Returns the open escalations of a document of this transaction, by id."""
        ...

    def find_closed(self, id_: str) -> Escalation | None:
        """Returns a closed escalation."""
        ...

    def knowledge(self) -> Knowledge:
        """Returns what the store knows."""
        ...


Result: TypeAlias = "tuple[State | Deferred | None, tuple[Any, ...] | None, SideEffects | None]"
"""(state, journal row, what else). A commit without a row changes nothing but escalations, or how
long the document lives. A ``live`` storage may be given a write instead of the state that it makes; the row's
``changes`` are that write too."""

Update: TypeAlias = Callable[["State | None", int, float, TransactionView], "Result | None"]
"""Computes what to save from (state, n, time, tx) inside a transaction; ``None`` leaves all as it is. It may be run
again, on another state, if the transaction could not be committed."""


class Totals(NamedTuple):
    """Counts: documents (deleted ones included), journal rows by act, what policies settled, escalations by state, and
    what became of the values given, by namespace and field."""

    documents: int
    acts: Mapping[str, int]
    settled: Mapping[str, int]
    escalations: Mapping[str, int]
    fields: Outcomes


class Knowledge(NamedTuple):
    """What a store knows.

    Attributes:
        replica: its name in dots.
        vector: of each store that it has learned from, itself included, the number of a commit: all that the other
            had up to it is known here.
        forgotten: what was known when documents were last forgotten, itself up to the newest commit to one of them;
            empty if none was. A store that knows some of this has to know all of it, or may hold one of them.
        exported: up to where other stores may know of own commits; -1 before the first export.
        marks: by which stores are told from copies of them, by name (``concordant.storage.knowledge``).
        clocks: how many clocks it has. In ``vector``, ``forgotten`` and ``marks`` each has a name (``own``).
    """

    replica: str
    vector: VersionVector
    forgotten: VersionVector
    exported: Cut
    marks: Mapping[str, Marks] = {}
    clocks: int = 1

    @property
    def own(self) -> tuple[str, ...]:
        """Gives the names of the store's clocks."""
        return clock_names(self.replica, self.clocks)

    @property
    def cut(self) -> Cut:
        """Tells how far the store has come."""
        return cut_of([self.vector[name] for name in self.own])

    @property
    def has_met(self) -> bool:
        """Tells whether any record may have gone to another store, or come from one."""
        return highest(self.exported) >= 0 or len(self.vector) > self.clocks


class Forgotten(NamedTuple):
    """How much was forgotten: deleted documents, and journal rows (with the events of their time)."""

    documents: int
    rows: int


class Examined(NamedTuple):
    """What is stored of a document.

    Attributes:
        address: namespace and key.
        state: what it is; ``None`` if that cannot be read.
        shown: the value that is kept beside a record, for listings and filters (``None``: it shows none); ``ABSENT``
            where none is kept.
        fingerprint: of the schema by which that was made; ``None``: it was written once, or nothing is kept beside it.
        version: the number of its last commit.
        open: how many open questions it is said to have.
        questions: the ids of those that are stored.
        rows: its journal, newest first; ``None`` where it cannot be read.
        trouble: why something of it cannot be read.
    """

    address: Address
    state: State | None
    shown: bytes | Absent | None
    fingerprint: str | None
    version: int
    open: int
    questions: frozenset[str]
    rows: Sequence[Row] | None
    trouble: str | None = None


class StoreExamined(NamedTuple):
    """What is stored of a store as a whole.

    Attributes:
        n: up to where its commits are counted.
        newest: the highest number of each clock that any document or journal row bears.
        trimmed: up to where the journal may have been forgotten.
        strays: how many journal rows and open questions belong to no document.
        damage: what the database says of itself.
    """

    n: Cut
    newest: Cut
    trimmed: Cut
    strays: int
    damage: Sequence[str]


class Storage(Protocol):
    """What the workspace needs of a storage.

    Attributes:
        replica: this store's name in dots.
        clocks: how many clocks it has (``concordant.storage.cut``).
        live: whether states are live objects: a record changes in place, so it is read inside ``reading()``, and
            writes can be put off in it.
        limits: what the workspace allows.
    """

    replica: str
    clocks: int
    live: ClassVar[bool]
    limits: Limits

    @property
    def read_only(self) -> bool:
        """Tells whether it is known that nothing can be written."""
        ...

    @property
    def events(self) -> Events:
        """Gives the transactional outbox: the transitions of escalations."""
        ...

    def attach(self, projection: Projection) -> None:
        """Tells the storage how records are shown; before all else."""
        ...

    def commit(self, namespace: Namespace, key: str, update: Update) -> None:
        """Runs an update in a transaction; if it raises, nothing has changed."""
        ...

    def create(
        self,
        namespace: Namespace,
        key: str,
        agent: str,
        origin: str,
        act: str,
        body: bytes,
        op: Op | None,
        /,
    ) -> int:
        """Commits the first write of a document by a shorter way than ``commit``; the arguments are parts of its row.

        Returns:
            Its number; 0 where there is a document, or no shorter way: then nothing was done.
        """
        ...

    def commit_all(self, updates: Sequence[tuple[Namespace, str, Update]], *, hasty: bool = False) -> None:
        """Runs updates in one transaction: all of them take effect, or, if one raises, none.

        Args:
            hasty: whether to give up soon (``StorageBusyError``) if others hold the store: for what can be left out.
        """
        ...

    def commit_each(self, updates: Sequence[tuple[Namespace, str, Update]]) -> Sequence[Exception | None]:
        """Runs updates for several callers, in as few transactions as may be; returns why each failed, if it did."""
        ...

    def load(self, namespace: Namespace, key: str) -> State | None:
        """Returns the state of a document; ``None`` if there never was one."""
        ...

    def peek(self, namespace: Namespace, key: str) -> tuple[int, State | None]:
        """Returns the number of a commit of a document's clock and the state of the document with all of its commits
        up to that number. Of a live storage outside ``reading()`` that holds for states which are no records."""
        ...

    def reading(self) -> Any:
        """Gives a context in which no commit to live states takes place."""
        ...

    def beginning(self, began: Instant | float) -> Beginning:
        """Tells what was there when a scope began.

        Args:
            began: the instant; or a time of this process's clock, in seconds since the epoch, if no more is known.
        """
        ...

    def expect_tasks(self) -> None:
        """Prepares for scopes that begin at instants to come."""
        ...

    def now(self) -> tuple[Cut, float]:
        """Returns how far the store has come, and the time."""
        ...

    def time(self) -> float:
        """Returns about what ``now`` gives as the time, without asking anybody."""
        ...

    def real_time(self) -> float:
        """Returns the time by the clock on the wall, however far ahead of it what was imported has moved the
        store's."""
        ...

    def expired(self) -> Sequence[Address]:
        """Returns the documents that have expired and were not swept since."""
        ...

    def documents(self, prefix: Namespace, after: Cut = 0) -> Iterator[tuple[Namespace, str, State]]:
        """Iterates the documents under a namespace prefix, deleted ones included, as far as they were written to, or
        given a longer life, by a commit after these."""
        ...

    def showing(
        self, prefix: Namespace, conditions: Sequence[Condition] = ()
    ) -> Iterator[tuple[Namespace, str, State]]:
        """Iterates the documents under a prefix that may be there for a reader, and may meet the conditions: what can
        be ruled out without a look at the record may be left out."""
        ...

    def namespaces(self, prefix: Namespace) -> Iterator[tuple[Namespace, bool | None]]:
        """Iterates the namespaces under a prefix that have, or had, documents; and whether a reader finds one there, if
        that can be told without a look at records."""
        ...

    def outdated(self, models: str) -> tuple[Cut, Iterator[tuple[Namespace, str, State]]]:
        """Finds the documents last saved under another model than their namespace's present one, as far as they were
        committed to since they were looked through (``surveyed``); and how far the store has come.

        Args:
            models: tells the present models from others.
        """
        ...

    def surveyed(self, models: str, upto: Cut, *, changed: bool) -> None:
        """Notes up to where ``outdated`` documents were looked through; ``changed``: questions were opened or
        closed, so that under other models all are to be looked through again.

        Raises:
            StorageBusyError: others hold the store; then they are looked through once more, at the next call.
        """
        ...

    def redeclared(self, recast: Callable[[Namespace, State], State]) -> None:
        """Takes note that other models count from now on; runs inside ``reading()``.

        Args:
            recast: gives the state of a document that was written under what counted before, for a storage of states.
        """
        ...

    def rows(self, namespace: Namespace, key: str) -> Iterator[Row]:
        """Iterates the journal of a document, newest first."""
        ...

    def journal(self, prefix: Namespace, agent: str | None, before: int | None, limit: int) -> Sequence[Row]:
        """Returns the journal of all documents under a namespace prefix, the highest numbers first.

        Args:
            agent: whose changes alone.
            before: of lower numbers than this alone.
            limit: how many rows at most.
        """
        ...

    def changes(self, after: Any = None) -> tuple[Any, Sequence[tuple[Namespace, str]]]:
        """Returns the documents that were committed to since an earlier call (``None``: all there are), each once.

        Args:
            after: the cursor that the earlier call gave; only a storage knows what it is made of.

        Returns:
            A cursor for the next call, and the documents; one may be told of again though nothing came of it.
        """
        ...

    def executed_before(self, task: str, execution: str) -> bool:
        """Tells whether another execution of a task than this one has written."""
        ...

    def puts_of(self, task: str, namespace: Namespace, key: str) -> Iterator[Row]:
        """Iterates the journal of a document as far as a task wrote it, in whatever execution, newest first."""
        ...

    def open_of(self, address: Address) -> Mapping[str, Escalation]:
        """Returns the open escalations of a document, by id."""
        ...

    def find_closed(self, id_: str) -> Escalation | None:
        """Returns a closed escalation."""
        ...

    def escalation(self, id_: str) -> Escalation | None:
        """Returns an escalation, open or closed; not one that is open on a document which has expired."""
        ...

    def escalations(self, prefix: Namespace, state: str) -> Iterator[Escalation]:
        """Iterates the escalations under a namespace prefix; ``open`` includes claimed ones, ``all`` is every state.
        Those that are open on a document which has expired are left out."""
        ...

    def totals(self) -> Totals:
        """Counts what is stored."""
        ...

    def advance(self, past: float) -> None:
        """Moves the clock past a time met in another replica's writes."""
        ...

    def knowledge(self) -> Knowledge:
        """Returns what is known here, and what is known of us elsewhere."""
        ...

    def learn(self, vector: VersionVector, marks: Mapping[str, Marks]) -> None:
        """Notes that all is known here that the stores named had up to those commits."""
        ...

    def notes(self) -> Mapping[str, str]:
        """Returns what a workspace has noted for itself, by name."""
        ...

    def note(self, texts: Mapping[str, str]) -> None:
        """Notes texts, each in the place of what was noted under its name."""
        ...

    def note_export(self, upto: Cut) -> None:
        """Notes up to where other stores may know what was committed here."""
        ...

    def rename(self, replica: str, upto: Cut) -> None:
        """Goes on under another name; no document may be left whose only write is its state.

        Args:
            upto: up to where what was committed under the old name is surely known here.
        """
        ...

    def forget(self, addresses: Sequence[tuple[Address, int]], rows_before: float) -> Forgotten:
        """Forgets deleted documents, with all that is known of them; and what is old: journal rows, closed escalations,
        and events that every named subscriber has dealt with.

        Args:
            addresses: the documents, each with its version; one that was committed to since stays.
            rows_before: the time, in seconds since the epoch, of the oldest that stays.
        """
        ...

    def examine_store(self) -> StoreExamined:
        """Returns what is stored beside the documents, for whoever verifies it."""
        ...

    def examine(self, address: Address | None = None) -> Iterator[Examined]:
        """Iterates what is stored of all documents, readable or not, or of one (as it is between two commits)."""
        ...

    def set_aside(self, addresses: Sequence[tuple[Address, str]]) -> int:
        """Takes documents, with all that is known of them, out of the store, for the reasons given; they are kept where
        nobody reads. Returns how many."""
        ...

    def close(self) -> None:
        """Releases what the storage holds."""
        ...
