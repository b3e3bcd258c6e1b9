"""What is the same in all storages that outlive their process: commits, what is kept decoded, what was there when."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, ClassVar, ParamSpec, TypeAlias, TypeVar

from concordant.errors import ConcordantError, DamagedDocumentError, StorageError
from concordant.escalation import Escalation, Event
from concordant.limits import Limits
from concordant.merge.record import Record
from concordant.storage import clocks
from concordant.storage.base import (
    Address,
    Beginning,
    Deferred,
    Knowledge,
    Namespace,
    Op,
    Projection,
    Row,
    Saved,
    SideEffects,
    State,
    Update,
)
from concordant.storage.cache import RecordCache
from concordant.storage.clocks import Instant, course_of
from concordant.storage.cut import Cut, clock_of, cut_of, following
from concordant.storage.encoding import RottenError, StoredDocument, StoredRow, dump_row, dump_state, load_state
from concordant.storage.grouping import Change, FaultyError, GroupCommit, Request, has_changed_nothing
from concordant.storage.tails import (
    APART,
    Checkpoint,
    Given,
    Renewing,
    TailRow,
    assembled,
    dump_apart,
    dump_tailed,
    is_full,
)

__all__ = ["LAST", "SURVEY", "DurableEvents", "DurableStorage", "Head", "Polling", "Source", "UnitOfWork", "load_whole"]

log = logging.getLogger("concordant")

P = ParamSpec("P")
T = TypeVar("T")

_NONE: Mapping[str, Escalation] = {}

Head: TypeAlias = tuple[int, float]
"""Number and time of the last commit of a clock."""


SURVEY = 1_000
"""After how many commits it is noted anew how far the store was looked through for what another model wrote."""

LAST = 1 << 31
"""After every event of a commit."""

PATIENCE = 60.0
"""For how many seconds a commit waits for those before it, unless a storage says otherwise."""


class DurableEvents:
    """Who makes events, of several workspaces that share a store.

    Args:
        name: that of this workspace among them.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.closed = False

    @property
    def source(self) -> str:
        """Who makes the events of this workspace: in the child of a fork somebody else than in its parent."""
        return f"{self._name}.{os.getpid()}"


class Polling:
    """Looks for events every so many seconds (``Listener``)."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def wait(self, stop: threading.Event, seconds: float) -> None:
        stop.wait(min(self._seconds, seconds))

    def close(self) -> None:
        """Has nothing to give up."""


class Source(ABC):
    """What loading a document may have to ask for beside it: in a transaction, or outside of any.

    As it is here, each document is found with its record, and stored in one part.
    """

    @abstractmethod
    def shape(self, model: str) -> str | None:
        """Gives the shape of the model with a fingerprint; ``None`` if it is not known."""

    def whole(self, stored: StoredDocument) -> StoredDocument:
        """Gives a document that was found without its record (for it was held decoded) with it."""
        return stored

    def checkpoint(self, stored: StoredDocument) -> Checkpoint | None:
        """Gives the tree of a document that is stored apart."""
        return None

    def tail(self, stored: StoredDocument, after: int) -> Sequence[TailRow]:
        """Gives the rows of a document's journal after one of them, oldest first."""
        return ()


def load_whole(stored: StoredDocument, address: Address, source: Source) -> tuple[StoredDocument, State]:
    """Gives the state of a document, whose tree may be stored apart, and the document as it was stored then.

    Where tree and journal do not belong together, others may have committed between the queries: then it is looked at
    anew.

    Raises:
        ValueError: it cannot be read.
    """
    while stored.kept is not None:
        try:
            tree = source.checkpoint(stored)
            if tree is None or tree.n != stored.kept:
                raise RottenError("its tree is not there")
            return stored, assembled(stored, tree, source.tail(stored, tree.version))
        except RottenError:
            again = source.whole(stored)
            if again.saved == stored.saved:
                raise
            stored = again
    return stored, load_state(stored, address)


class _Held:
    """A document in a transaction.

    Attributes:
        id: the number of its first commit; 0 before that.
        stored: as the database has it.
        state: as it is now.
        saved: the number of the commit that saves it, which is done once, at the end; 0 if none does.
        count: of its open escalations.
        open: those, once somebody has asked.
        kept: the number of the commit that stored its tree apart, if the rows since tell of all that was changed; else
            it is to be stored whole.
        version: the number of the last commit with a row.
        more: how many bytes the new rows have.
    """

    __slots__ = ("count", "id", "kept", "more", "open", "saved", "state", "stored", "version")

    def __init__(self, stored: StoredDocument | None, state: State | None) -> None:
        self.id = stored.id if stored is not None else 0
        self.stored = stored
        self.state = state
        self.saved = 0
        self.count = stored.open if stored is not None else 0
        self.open: Mapping[str, Escalation] | None = None
        self.kept = stored.kept if stored is not None else None
        self.version = stored.version if stored is not None else 0
        self.more = 0

    def follow(self, state: State, row: Row | None) -> None:
        """Notes whether a row of the journal tells of all that a commit changed in the tree."""
        if self.kept is None:
            return
        told = state is self.state and isinstance(state, Record) and state.untold is None
        if not told or (row is not None and (row.previous != self.version or row.changes is None)):
            self.kept = None
        elif row is not None:
            self.version = row.n


class UnitOfWork(Source):
    """One transaction: what its commits save, all of it or none; what their updates may ask.

    A storage gives the methods without a body.

    Args:
        heads: number and time of the last commit of each clock that it commits under.

    Attributes:
        heads: the same with its own commits.
        own: the numbers of its commits.
        n: the number of its last commit.
        clock: that of the document at hand.
        models: the models whose shapes it stores: clock and fingerprint.
        trouble: what the store raised when an update asked it.
    """

    apart: ClassVar[bool] = False
    """Whether the trees of large records are stored apart."""

    def __init__(self, storage: DurableStorage, heads: Mapping[int, Head], now: float) -> None:
        self.given = Given(storage.given)
        self.heads = dict(heads)
        self.own: list[int] = []
        self.n = self.clock = 0
        self.models: set[tuple[int, str]] = set()
        self._storage = storage
        self._now = now
        self._held: dict[Address, _Held] = {}
        self._updates = False  # whether an update is under way
        self.trouble: Exception | None = None

    # -- what a storage gives ------------------------------------------------------------------------------------

    def put_checkpoint(self, stored: StoredDocument, tree: Checkpoint | None) -> None:
        """Stores the tree of a document apart, in the place of the one before; ``None``: it is not apart any more."""
        raise NotImplementedError

    @abstractmethod
    def find(self, address: Address) -> StoredDocument | None:
        """Finds a document; its record may be left out if that is held decoded."""

    @abstractmethod
    def put_document(self, stored: StoredDocument, before: StoredDocument | None) -> None:
        """Saves a document; ``before`` is what was there."""

    @abstractmethod
    def put_row(self, row: StoredRow) -> None:
        """Adds a row to the journal."""

    @abstractmethod
    def put_model(self, model: str, shape: str) -> None:
        """Notes the shape of a model under which something is written for the first time."""

    @abstractmethod
    def open_questions(self, address: Address) -> Mapping[str, Escalation]:
        """Finds the open escalations of a document, in the order in which they were opened."""

    @abstractmethod
    def find_closed(self, id_: str) -> Escalation | None:
        """Finds a closed escalation."""

    @abstractmethod
    def knowledge(self) -> Knowledge:
        """Tells what the store knows."""

    @abstractmethod
    def put_escalation(self, escalation: Escalation, number: int | None, now: float) -> None:
        """Saves an escalation; one that is opened has a ``number`` among those of its commit, ``n``."""

    @abstractmethod
    def put_event(self, number: int, document: int, now: float, event: Event) -> None:
        """Adds an event of the commit ``n``."""

    @abstractmethod
    def erase(self, stored: StoredDocument) -> None:
        """Deletes all that is stored about a document, but for itself: journal, escalations, events."""

    @abstractmethod
    def put_heads(self, heads: Mapping[int, Head]) -> None:
        """Saves number and time of the last commit of clocks."""

    # -- what an update may ask ----------------------------------------------------------------------------------

    def open_of(self, address: Address) -> Mapping[str, Escalation]:
        """Gives the open escalations of a document that this transaction commits to."""
        held = self._held[address]
        if held.open is None:
            held.open = self.open_questions(address) if held.count else _NONE
        return held.open

    # -- the work ------------------------------------------------------------------------------------------------

    def run(self, request: Request) -> None:
        """Runs the updates of a request; one that is refused before it has changed anything keeps the reason.

        Raises:
            FaultyError: an update raised, and the transaction is of no use any more.
            Exception: what the store raised, in its own terms.
        """
        request.error = None
        before = len(self.own)
        for address, update in request.changes:
            try:
                self.apply(address, update)
            except Exception as error:
                if not ((self._updates and error is not self.trouble) or isinstance(error, DamagedDocumentError)):
                    raise
                if len(self.own) != before or not has_changed_nothing(error):
                    raise FaultyError(request) from error
                request.error = error
                return

    def apply(self, address: Address, update: Update) -> None:
        """Runs an update and saves what comes of it."""
        self._updates = False
        self.clock = clock = self._storage.clock_of(address)
        held = self._holding(address)
        n, now = self._next_commit(clock)
        self._updates = True
        result = update(held.state, n, now, _Asked(self))
        self._updates = False
        if result is None:
            return
        state, row, effects = result
        assert not isinstance(state, Deferred)  # this storage is none of live ones
        self.n, self.heads[clock] = n, (n, now)
        self.own.append(n)
        erases = effects is not None and effects.erases
        if erases:
            if held.stored is not None:
                self.erase(held.stored)
            held.open, held.count = _NONE, 0
        if state is not None and (row is not None or (effects is not None and effects.lasts)):
            told = None if row is None else Row(*row)
            held.follow(state, told)
            held.state, held.saved, held.id = state, n, held.id or n
            if told is not None and not erases:
                self._put_row(address, held, told)
        if effects is not None:
            self._save_effects(address, held, effects, now)

    def _next_commit(self, clock: int) -> Head:
        """The number and the time of the next commit under a clock."""
        last, before = self.heads[clock]
        n, now = self._storage.number_after(max(last, self.n), clock), self._now
        if now <= before:  # a clock never stands still or goes back: the order of its times is that of its commits
            now = before + 1e-6
        return n, now

    def _put_row(self, address: Address, held: _Held, row: Row) -> None:
        body = None
        if held.stored is not None and held.stored.kept is not None:
            body = self.given.told(address, row.n, row.body, held.stored.kept)
        stored = dump_row(row, held.id, body, onward=held.kept is not None)
        held.more += len(stored.changes or b"")
        self.put_row(stored)

    def _holding(self, address: Address) -> _Held:
        held = self._held.get(address)
        if held is None:
            stored = self.find(address)
            held = self._held[address] = _Held(stored, self._storage.state_of(stored, address, self, private=True))
        return held

    def end(self) -> list[tuple[Address, Record, StoredDocument]]:
        """Saves what was committed to; returns the records that were made, and as what they are stored."""
        made: list[tuple[Address, Record, StoredDocument]] = []
        for address, held in self._held.items():
            if held.saved:
                self.clock = held.saved % self._storage.clocks
                stored = self._save(address, held)
                if isinstance(held.state, Record):
                    made.append((address, held.state, stored))
            elif held.stored is not None and isinstance(held.state, Record):
                self._storage.give_back(address, held.stored.saved, held.state)
        if self.own:
            touched = {n % self._storage.clocks for n in self.own}
            self.put_heads({clock: self.heads[clock] for clock in sorted(touched)})
        return made

    def _save(self, address: Address, held: _Held) -> StoredDocument:
        assert held.state is not None
        saved = self._storage.projection.saved(address[0], held.state)
        model = (self.clock, saved.model)
        if model not in self.models and not self._storage.knows_model(model):
            self.put_model(saved.model, self._storage.projection.shape(address[0]))
            self.models.add(model)
        stored = self._stored(address, held, held.state, saved)
        self.put_document(stored, held.stored)
        return stored

    def _stored(self, address: Address, held: _Held, state: State, saved: Saved) -> StoredDocument:
        """Gives a document as it is stored; puts its tree apart where that is due."""
        before = held.stored
        if before is not None and held.kept is not None:
            assert isinstance(state, Record)
            renewed = self._storage.renewing.ready(address, before)
            if renewed is not None:
                before = renewed[0]
                self.put_checkpoint(*renewed)
            if not is_full(before, held.more):
                return dump_tailed(before, state, held.count, saved, held.saved, held.more)
        stored = dump_state(held.id, state, address, held.count, saved, held.saved)
        tree = None
        if isinstance(state, Record):
            state.untold = None  # all of it is stored
        if self.apart and len(stored.record or b"") + len(saved.shown or b"") > APART and isinstance(state, Record):
            stored, tree = dump_apart(stored, state, saved)
        if tree is not None or (before is not None and before.kept is not None):
            self.put_checkpoint(stored, tree)
        return stored

    def _save_effects(self, address: Address, held: _Held, effects: SideEffects, now: float) -> None:
        if effects.open is not None:
            before = self.open_of(address)
            for number, (id_, escalation) in enumerate(effects.open.items()):
                known = before.get(id_)
                if known != escalation:
                    self.put_escalation(escalation, number if known is None else None, now)
            held.open, held.count = dict(effects.open), 0 if effects.erases else len(effects.open)
        for escalation in effects.closed:
            self.put_escalation(escalation, None, now)
        for number, event in enumerate(effects.events):
            self.put_event(number, held.id, now, event)


class _Asked:
    """What an update may ask a transaction. What the store raises then is none of the update's refusals."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit

    def open_of(self, address: Address) -> Mapping[str, Escalation]:
        return self._ask(self._unit.open_of, address)

    def find_closed(self, id_: str) -> Escalation | None:
        return self._ask(self._unit.find_closed, id_)

    def knowledge(self) -> Knowledge:
        return self._ask(self._unit.knowledge)

    def _ask(self, question: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return question(*args, **kwargs)
        except Exception as error:
            self._unit.trouble = error
            raise


class DurableStorage(ABC):
    """A storage whose commits are transactions: every read asks the store, records are kept decoded beside it.

    A storage gives the methods without a body, and the rest of ``Storage``.

    Args:
        place: which store it is, for messages; without passwords.
        identity: the same for all in this process that use the same store.
        replica: the store's name in dots.
        heads: of each of its clocks, number and time of the last commit.
        cache: how many bytes of records are kept decoded; what is kept is used only as long as it is the newest.
        patience: for how many seconds a commit waits for those before it at most.
        leaders: how many commits of this process may be under way at once, each under other clocks.
    """

    live: ClassVar[bool] = False
    limits = Limits()

    projection: Projection

    def __init__(
        self,
        place: str,
        identity: str,
        replica: str,
        heads: Sequence[Head],
        cache: int,
        patience: float = PATIENCE,
        leaders: int = 1,
    ) -> None:
        self.place = place
        self.replica = replica
        self.clocks = len(heads)
        self._single = [frozenset([clock]) for clock in range(self.clocks)]
        self.given = Given()
        self.renewing = Renewing()
        self._cache = RecordCache(cache)
        self._clock = 0.0
        self._models: set[tuple[int, str]] = set()  # those whose shapes are stored: clock and fingerprint
        self._shapes: dict[str, str] = {}
        self._course = course_of(identity, replica, heads)
        self._looking_since = -1
        self._group = GroupCommit(self._commit, place, patience, self._clocks_of, leaders)

    # -- what a storage gives ------------------------------------------------------------------------------------

    is_near: bool
    """Whether to read a number from the store is a matter of microseconds, and waits for nobody."""

    @property
    @abstractmethod
    def source(self) -> Source:
        """What loading a document may ask outside of transactions."""

    @abstractmethod
    def transact(self, work: Callable[[UnitOfWork], Any], addresses: Sequence[Address], hasty: bool) -> Any:
        """Runs ``work`` in a transaction and commits; again only if nothing of it was committed. When this returns, it
        survives a crash.

        Args:
            addresses: the documents that it will ask for, in this order.
            hasty: whether to give up soon (``StorageBusyError``) if others hold one of their clocks.

        Raises:
            StorageError: the store cannot be used; nothing was committed.
        """

    @abstractmethod
    def heads(self) -> Sequence[Head]:
        """Reads number and time of the last commit of each clock, all as they were at one time."""

    @abstractmethod
    def find(self, address: Address) -> tuple[Head, StoredDocument | None]:
        """Reads a document, and the number and time of the last commit of its clock beside it."""

    @abstractmethod
    def real_time(self) -> float:
        """Tells the time by the clock that all processes with this store share."""

    @abstractmethod
    def about(self, at: float) -> float:
        """Tells what that clock showed at a time of this process's monotonic clock."""

    @abstractmethod
    def surely(self, at: float) -> float:
        """Tells a time before that: what other processes committed before the one was committed before the other,
        whatever the error of clocks."""

    # -- writing -------------------------------------------------------------------------------------------------

    def attach(self, projection: Projection) -> None:
        if hasattr(self, "projection"):
            raise ConcordantError(f"the storage {self.place} is a workspace's already: open it once more for another")
        self.projection = projection

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
        return 0  # there is no shorter way

    def clock_of(self, address: Address) -> int:
        """Gives the clock under which a document lives."""
        return clock_of(address, self.clocks)

    def number_after(self, n: int, clock: int) -> int:
        """Gives the number of a clock's next commit: higher than ``n``, and than all that is known here."""
        return n + 1 if self.clocks == 1 else following(max(n, self._course.highest), clock, self.clocks)

    def knows_model(self, model: tuple[int, str]) -> bool:
        """Tells whether the shape of a model is surely stored under a clock."""
        return model in self._models

    def commit(self, namespace: Namespace, key: str, update: Update) -> None:
        self._group.commit((((namespace, key), update),))

    def commit_all(self, updates: Sequence[tuple[Namespace, str, Update]], *, hasty: bool = False) -> None:
        if updates:
            self._group.commit([((namespace, key), update) for namespace, key, update in updates], hasty=hasty)

    def commit_each(self, updates: Sequence[tuple[Namespace, str, Update]]) -> Sequence[Exception | None]:
        return self._group.commit_each([(((namespace, key), update),) for namespace, key, update in updates])

    def _clocks_of(self, changes: Sequence[Change]) -> frozenset[int]:
        if len(changes) == 1:
            return self._single[clock_of(changes[0][0], self.clocks)]
        return frozenset([clock_of(address, self.clocks) for address, _ in changes])

    def _commit(self, requests: Sequence[Request], hasty: bool) -> None:
        """Commits what waits together, in one transaction."""
        tried: list[list[int]] = []

        def run(unit: UnitOfWork) -> Any:
            for numbers in tried:  # of a transaction that was not committed
                self._course.unmade(numbers)
            for request in requests:
                unit.run(request)
            tried[:] = [unit.own]
            self._course.making(unit.own)
            return unit.end(), unit

        try:
            made, unit = self.transact(run, [address for request in requests for address, _ in request.changes], hasty)
        except BaseException:
            for numbers in tried:
                self._course.unmade(numbers)
            raise
        self._models |= unit.models
        self.given.learn(unit.given)
        for head in unit.heads.values():
            self._course.reach(*head)
        for address, record, stored in made:
            size = stored.whole + stored.tail if stored.kept is not None else len(stored.record or b"")
            self._cache.put(address, stored.saved, record, size)
            self.renewing.go_on(address, stored, record)

    # -- reading -------------------------------------------------------------------------------------------------

    def load(self, namespace: Namespace, key: str) -> State | None:
        return self.peek(namespace, key)[1]

    def peek(self, namespace: Namespace, key: str) -> tuple[int, State | None]:
        address = (namespace, key)
        head, stored = self.find(address)
        self._reach(head)
        return head[0], self.state_of(stored, address, self.source)

    def state_of(
        self, stored: StoredDocument | None, address: Address, source: Source, *, private: bool = False
    ) -> State | None:
        """Gives the state of a document that was found; a ``private`` one may be changed."""
        if stored is None or stored.agent is not None:
            return None if stored is None else self.loaded(stored, address, source)
        held = self._cache.get(address, stored.saved)
        if held is not None:
            return self._cache.heir(held) if private else held
        if stored.record is None:  # it was held when the query was made, and has been given up since
            stored = source.whole(stored)
        state = self.loaded(stored, address, source, private=private)
        assert isinstance(state, Record)
        if not private:
            self._cache.put(address, stored.saved, state, stored.whole + stored.tail + len(stored.record or b""))
        return state

    def give_back(self, address: Address, saved: int, state: Record) -> None:
        """Takes back what a private record was given of the one that is held of a document: nothing was written."""
        self._cache.give_back(address, saved, state)

    def loaded(self, stored: StoredDocument, address: Address, source: Source, *, private: bool = False) -> State:
        """Gives the state of a document, whatever model it was saved under; a ``private`` one may be changed.

        Raises:
            DamagedDocumentError: it cannot be read.
        """
        try:
            if stored.kept is not None:
                stored, state = self._assembled(stored, address, source, private)
            else:
                state = load_state(stored, address)
        except StorageError:
            raise
        except Exception as error:  # whatever rot makes of it
            reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            raise DamagedDocumentError(self.place, *address, reason) from error
        fingerprint = stored.fingerprint
        if fingerprint == self.projection.fingerprint(address[0]):
            return state  # what cannot be told of a model between processes is looked at in each
        if isinstance(state, Record):
            state.alien = True
            return state
        return self.projection.written_under(self._shape(fingerprint, source), state)

    def _assembled(
        self, stored: StoredDocument, address: Address, source: Source, private: bool
    ) -> tuple[StoredDocument, State]:
        """A record whose tree is stored apart: from what is held of it and came since, or from the tree."""
        known = self._cache.since(address, stored.kept or 0)
        if known is not None and known.version <= stored.version:
            rows = source.tail(stored, known.version)
            self.given.hear(address, rows)
            try:
                return stored, assembled(stored, self._cache.heir(known) if private else known.copy(), rows)
            except RottenError:
                stored = source.whole(stored)
        return load_whole(stored, address, source)

    def _shape(self, fingerprint: str | None, source: Source) -> str | None:
        """The shape of the model with this fingerprint; ``None`` if it is not known."""
        if fingerprint is None:
            return None
        model = fingerprint.partition("?")[0]
        if model not in self._shapes:
            shape = source.shape(model)
            if shape is None:
                return None
            self._shapes[model] = shape
        return self._shapes[model]

    def reading(self) -> Any:
        return nullcontext()

    def redeclared(self, recast: Callable[[Namespace, State], State]) -> None:
        self._cache.clear()

    # -- what was there when -------------------------------------------------------------------------------------

    def beginning(self, began: Instant | float) -> Beginning:
        """Tells what was committed by others between what is known of the store and the beginning is told by the
        store's clock, on the side of "not yet"; if it was looked at in the beginning, nothing was."""
        course, about, surely = self._course, self.about, self.surely
        if not isinstance(began, Instant):
            at = time.monotonic() - (time.time() - began)
            return Beginning(beyond=lambda n, when: when < (about(at) if course.is_own(n) else surely(at)))
        if began.looked and began.tick > self._looking_since >= 0 and clocks.is_looking(self._look):
            return Beginning(course.at(began.tick))
        # The wall's clock may have stepped since: the lower of what it showed and would have shown decides.
        most = began.wall if self.is_near else math.inf
        return Beginning(
            course.at(began.tick), lambda n, when: when < min(surely(began.at), most) and not course.is_own(n)
        )

    def expect_tasks(self) -> None:
        if self.is_near and self._looking_since < 0:
            self._looking_since = clocks.latest
            clocks.look_before(self._look)

    def _look(self) -> None:
        try:
            self._note(self.heads())
        except StorageError as error:
            log.debug("What was committed when a task began is told by what was known before (%s)", error)

    def _stop_looking(self) -> None:
        clocks.look_no_more(self._look)

    def _note(self, heads: Sequence[Head]) -> None:
        for head in heads:
            self._course.reach(*head)

    def _reach(self, head: Head) -> None:
        self._clock = max(self._clock, head[1])
        self._course.reach(*head)

    def now(self) -> tuple[Cut, float]:
        heads = self.heads()
        for head in heads:
            self._reach(head)
        return cut_of([n for n, _ in heads]), self.time()

    def time(self) -> float:
        return max(self._clock, self.real_time())
