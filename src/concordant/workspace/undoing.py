"""The part of a workspace that takes back what an agent did: finds its contributions, shows what would become of each
document, and writes that, as one write a document by whoever takes them back.

Which writes have been taken back the journal tells: the write that did it names them. It can be taken back as any
other; then they stand again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from concordant.errors import ConcordantError, NotAllowedError, told
from concordant.escalation import Escalation, escalation_of, when
from concordant.merge.causality import ASKED, SeenBy, Stamp, seen_everything, source_of
from concordant.merge.record import MOST_WRITES, Past, PastCommit, Record, past_of, undone
from concordant.merge.registers import leaves
from concordant.merge.registers.leaf import supporters_of
from concordant.merge.registers.tree import supporters_below
from concordant.schema import Compiled
from concordant.storage import Address, Result, Row, State, TransactionView
from concordant.storage.base import Deferred
from concordant.storage.cut import highest, is_cut, part
from concordant.values import decode, portable
from concordant.workspace.commit import UNDO
from concordant.workspace.core import Core
from concordant.workspace.names import check_name, checked_prefix
from concordant.workspace.permission import check_decider, check_writer
from concordant.workspace.scope import Moment, Scope
from concordant.workspace.states import changes_of, current_view, expanded, version_of, view_at
from concordant.workspace.transaction import Pending
from concordant.workspace.writing import Writing

__all__ = ["Skipped", "Undoing", "Undone", "UndoneDocument"]

Since: TypeAlias = "int | datetime | Moment | None"

PAGE = 500
"""How many rows of the journal are looked at together."""
MOST_LOOKED_AT = 10_000
"""In how many of the newest changes the names are looked for that are told to somebody who named none of them."""
STANDS_IN_QUESTION = "it stands in a question that was asked again: decide that first"
NO_WRITES = frozenset(["adopt", "import", "expire", "purge", "compact", "rename"])
"""Acts that are no agent's contribution."""


@dataclass(frozen=True, slots=True)
class UndoneDocument:
    """What taking an agent's contributions back makes of one document.

    Attributes:
        namespace, key: which document.
        versions: the numbers of the changes that are taken back, oldest first.
        before, after: what it shows, as JSON values by field; ``None``: there is no document.
        questions: the escalations that are open after it and were not before: what was built on what is taken back,
            and decisions.
        version: of the write that took them back; 0 where nothing was written.
    """

    namespace: tuple[str, ...]
    key: str
    versions: tuple[int, ...]
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    questions: tuple[Escalation, ...] = ()
    version: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Returns it in its JSON form (docs/web.md)."""
        return {
            "namespace": list(self.namespace),
            "key": self.key,
            "versions": list(self.versions),
            "before": None if self.before is None else portable(dict(self.before)),
            "after": None if self.after is None else portable(dict(self.after)),
            "questions": [question.to_dict() for question in self.questions],
            "version": self.version,
        }


@dataclass(frozen=True, slots=True)
class Skipped:
    """A document in which something of the agent's stands that cannot be taken back here, and why."""

    namespace: tuple[str, ...]
    key: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Returns it in its JSON form (docs/web.md)."""
        return {"namespace": list(self.namespace), "key": self.key, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Undone:
    """What ``Workspace.undo`` would do, or has done.

    Attributes:
        agent: whose contributions are taken back.
        by: who takes them back.
        applied: whether it was done; else this is the preview.
        documents: what becomes of each document.
        skipped: what cannot be taken back here.
        before: the version before its own writes: ``undo(agent=by, since=before)`` takes back what it did.
        writers: where the agent has written nothing: the names of those who have.
    """

    agent: str
    by: str
    applied: bool
    documents: tuple[UndoneDocument, ...]
    skipped: tuple[Skipped, ...]
    before: int
    writers: tuple[str, ...] = ()

    @property
    def questions(self) -> tuple[Escalation, ...]:
        """The questions that it opens, in all documents."""
        return tuple(question for document in self.documents for question in document.questions)

    def to_dict(self) -> dict[str, Any]:
        """Returns it in its JSON form (docs/web.md)."""
        return {
            "agent": self.agent,
            "by": self.by,
            "applied": self.applied,
            "documents": [document.to_dict() for document in self.documents],
            "skipped": [skipped.to_dict() for skipped in self.skipped],
            "before": self.before,
            "writers": list(self.writers),
        }


class _MovedError(ConcordantError):
    """Somebody wrote to the document since it was looked at."""


class _Plan(NamedTuple):
    """What is to be taken back in a document.

    Attributes:
        version: of the document for which it was made.
        past: what was done to it since.
        versions: the numbers of the changes that are taken back, oldest first.
        problem: why it cannot be taken back.
    """

    version: int
    past: Past = Past()
    versions: tuple[int, ...] = ()
    problem: str = ""


class _UndoPending(Pending):
    """The write that takes others back, on its way.

    Attributes:
        plan: what it takes back.
        agent: whose writes these are.
        before, after: what the document shows before and after it.
        questions: the questions that it opens.
        changes_something: whether anything of what it takes back still stood.
    """

    plan: _Plan
    agent: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    questions: tuple[Escalation, ...]
    leaves_trace = True  # what replaced it may be taken back later, and it must not stand again then
    changes_something = False

    def update(self, state: State | None, n: int, time: float, tx: TransactionView) -> Result | None:
        if version_of(state) != self.plan.version or state is None:
            raise _MovedError(f"{self.key!r} was written to meanwhile")
        record = expanded(state, self.schema, self.replica)
        view = view_at(record, self.schema, self.replica, time)
        known = _questions(self, record)
        self.before = decode(view.body) if view.body is not None else None
        self.values = {"agent": self.agent, "undone": [one.stamp.n for one in self.plan.past.steps if one.goes]}
        result = self._merge(record, n, time, tx, sets=False)
        view = view_at(record, self.schema, self.replica, time)
        self.after = decode(view.body) if view.body is not None else None
        now = when(time)
        fresh = {id_: e for id_, e in _questions(self, record).items() if id_ not in known}
        self.questions = tuple(replace(question, opened_at=now) for question in fresh.values())
        return result

    def _visible(self, record: Record, began: float | None) -> SeenBy:
        return seen_everything

    def _unseen(self, record: Record, seen: SeenBy) -> dict[str, bool]:
        return {}

    def _apply(self, record: Record, write: Any, gone: SeenBy | None) -> Any:
        applied = undone(record, self.schema.root, self.plan.past, write.stamp, write.stamp.time)
        self.changes_something = bool(applied.changes)
        record.alien = record.alien or self.changes_something  # it may have been written under another model
        return applied


def _questions(pending: Pending, record: Record) -> dict[str, Escalation]:
    contests = current_view(record, pending.schema, pending.replica).contests
    found = [escalation_of(pending.namespace, pending.key, one, pending.storage.limits.contenders) for one in contests]
    return {escalation.id: escalation for escalation in found}


class Undoing:
    """Takes back what an agent did.

    Args:
        core: the workspace's.
        writing: the part that writes.
    """

    def __init__(self, core: Core, writing: Writing) -> None:
        self.core = core
        self.writing = writing

    def undo(self, agent: str, since: Since, prefix: tuple[str, ...], by: str, *, dry_run: bool) -> Undone:
        """Takes back an agent's contributions where they still stand (``Workspace.undo``)."""
        limit = self.core.storage.limits.name
        check_name(agent, "agent=", limit)
        check_name(by, "by=", limit)
        prefix = checked_prefix(prefix)
        is_meant = self._since(since)
        before = highest(self.core.storage.now()[0])
        with self.core.storage.reading():
            rows = [*self._rows(agent, is_meant, prefix)]
        addresses: dict[Address, set[int]] = {}
        for row in reversed(rows):
            addresses.setdefault((row.namespace, row.key), set()).add(row.n)
        documents, skipped = [], []
        for address, numbers in addresses.items():
            found = self._document(address, numbers, agent, by, dry_run=dry_run)
            if isinstance(found, UndoneDocument):
                documents.append(found)
            elif found is not None:
                skipped.append(found)
        known = {(row.namespace, row.key, row.time) for row in rows}
        told_of = {(one.namespace, one.key) for one in skipped}
        skipped += [
            one for one in self._elsewhere(agent, is_meant, prefix, known) if (one.namespace, one.key) not in told_of
        ]
        writers = () if rows or skipped else self._writers(prefix)
        return Undone(agent, by, not dry_run, tuple(documents), tuple(skipped), before, writers)

    def _since(self, since: Any) -> Callable[[int, float], bool]:
        """Tells of a commit, by number and time, whether it was made after that."""
        if since is None:
            return lambda *_: True
        if isinstance(since, Moment):
            here = since.replica == self.core.storage.replica
            return lambda n, time: n > part(since.n, n) if here else time > since.time
        if isinstance(since, datetime):
            if since.tzinfo is None:
                mend = "Give it a time zone, such as datetime.now(UTC) or datetime.now().astimezone()"
                raise ConcordantError(f"since={since!r} does not tell of which time zone it is. {mend}.")
            return lambda _, time: when(time) >= since
        if isinstance(since, int) and not isinstance(since, bool) and 0 <= since <= MOST_WRITES:
            return lambda n, _: n > since
        if self.core.storage.clocks > 1 and is_cut(since, self.core.storage.clocks):
            return lambda n, _: n > part(since, n)
        wanted = "a version (what came after it is taken back), a datetime with a time zone, or ws.moment()"
        raise ConcordantError(f"since= is {wanted}, not {told(since)}")

    def _rows(self, agent: str, is_meant: Callable[[int, float], bool], prefix: tuple[str, ...]) -> Iterator[Row]:
        """What the agent did since, newest first."""
        before: int | None = None
        while page := self.core.storage.journal(prefix, agent, before, PAGE):
            for row in page:
                if not is_meant(row.n, row.time):
                    if self.core.storage.clocks == 1:
                        return
                    continue  # of another clock an older one may be meant
                if row.act not in NO_WRITES:
                    yield row
            before = page[-1].n

    def _writers(self, prefix: tuple[str, ...]) -> tuple[str, ...]:
        with self.core.storage.reading():
            rows = self.core.storage.journal(prefix, None, None, MOST_LOOKED_AT)
            return tuple(sorted({row.agent for row in rows if row.act not in NO_WRITES and row.agent}))

    # -- one document ----------------------------------------------------------------------------------------------

    def _document(
        self, address: Address, numbers: set[int], agent: str, by: str, *, dry_run: bool
    ) -> UndoneDocument | Skipped | None:
        """Takes them back in one document; ``None`` if nothing of them stands."""
        schema = self.core.registry.find(address[0])
        try:
            check_writer(schema, *address, by)
            check_decider(schema, *address, by)
        except NotAllowedError as error:
            return Skipped(*address, str(error))
        while True:
            plan, copy = self._plan(address, numbers, schema)
            if plan.problem:
                return Skipped(*address, plan.problem)
            if copy is None or not plan.versions:
                return None
            scope = Scope(by, f"{self.core.storage.replica}:{UNDO}", None)
            pending = _UndoPending(schema, self.core.storage, *address, scope, None, "edit")
            pending.act, pending.plan, pending.agent = UNDO, plan, agent
            if dry_run:
                n, time = self.core.storage.now()
                pending.update(copy, highest(n) + 1, time, self.core.storage)  # nothing of it is committed
                break
            try:
                self.writing.commit(pending)
                break
            except _MovedError:
                continue
        if not pending.changes_something:
            return None
        version = 0 if dry_run else pending.version
        return UndoneDocument(*address, plan.versions, pending.before, pending.after, pending.questions, version)

    def _plan(self, address: Address, numbers: set[int], schema: Compiled) -> tuple[_Plan, Record | None]:
        """What is to be taken back, and a copy of the document."""
        storage = self.core.storage
        with storage.reading():
            state = storage.load(*address)
            if state is None:
                return _Plan(0), None
            record = expanded(state, schema, storage.replica).copy()
            version = version_of(state)
            rows = self._since_the_first(address, numbers, record, version)
            if record.has_expired(storage.time()):
                return _Plan(version), None
            told = _told_undone(rows, numbers)
            if not told.versions:
                return _Plan(version), None
            rows = [row for row in rows if row.n >= told.first]
            steps = [
                PastCommit(
                    row.stamp(storage.replica),
                    changes_of(row, schema, storage.replica),
                    row.upto,
                    gone=row.n in told.gone or row.n in told.already,
                    already=told.already.get(row.n, 0),
                    undoes=told.undoes.get(row.n, frozenset()),
                    imported=row.act == "import",
                    forgets=row.act in ("compact", "import"),
                )
                for row in rows
            ]
            acts = {row.n: row.act for row in rows}
            past = past_of(record, steps)
        past = past._replace(steps=[step for step in past.steps if step.stamp.n not in told.void])
        return _Plan(version, past, told.versions, _problem(record, past.steps, acts, storage.replica)), record

    def _since_the_first(self, address: Address, numbers: set[int], record: Record, version: int) -> list[Row]:
        """The journal of a document back to the first of some changes, newest first; of its present life alone. What
        has been taken back since belongs to them."""
        rows: list[Row] = []
        waiting = {n for n in numbers if n <= version}
        undone: set[int] = set()
        for row in self.core.storage.rows(*address):
            if row.n > version:
                continue
            if not waiting or row.act in ("expire", "purge") or row.time < record.reborn:
                break
            assert not isinstance(row.changes, Deferred)
            rows.append(row)
            waiting.discard(row.n)
            if row.n not in numbers and row.n not in undone:
                undone |= _undone_by(row)
                waiting |= _undone_by(row)
        return rows

    # -- what is beyond the journal --------------------------------------------------------------------------------

    def _elsewhere(
        self,
        agent: str,
        is_meant: Callable[[int, float], bool],
        prefix: tuple[str, ...],
        known: set[tuple[tuple[str, ...], str, float]],
    ) -> Iterator[Skipped]:
        """What stands of the agent's contributions and has no row in this store's journal."""
        storage = self.core.storage
        with storage.reading():
            for namespace, key, state in storage.documents(prefix):
                record = expanded(state, self.core.registry.find(namespace), storage.replica)
                reasons = set()
                for stamp in _stamps_of(record, agent):
                    n, time = record.position(stamp, storage.replica)
                    if is_meant(n, time) and (namespace, key, stamp.time) not in known:
                        reasons.add(_reason(stamp, storage.replica))
                for reason in sorted(reasons - {""}):
                    yield Skipped(namespace, key, reason)


class _Told(NamedTuple):
    """What the journal of a document tells of its changes, by their numbers.

    Attributes:
        versions: those of the agent that are to be taken back, oldest first.
        gone: those whose effect goes: the same, or what has made them stand again.
        already: those that have been taken back since the first of these, each with what did it.
        undoes: those that did it, each with what it took back.
        void: those that do not count: what was taken back and stands again since, with what did both.
        first: the oldest of all of them.
    """

    versions: tuple[int, ...]
    gone: set[int]
    already: dict[int, int]
    undoes: dict[int, frozenset[int]]
    void: set[int]
    first: int


def _told_undone(rows: Sequence[Row], numbers: set[int]) -> _Told:
    """Tells of a document's changes which are to be taken back.

    Args:
        rows: newest first.
        numbers: those that the agent made.
    """
    already, _ = _taken_back(rows, numbers)
    versions = {row.n for row in rows if row.n in numbers and row.n not in already}
    gone = _made_again_by(rows, numbers, versions)
    already, undoes = _taken_back(rows, numbers | gone)
    acts = {row.n: row.act for row in rows}
    void = {n for n in already if acts.get(n) == UNDO}
    void |= {n for n, undone in undoes.items() if undone <= void}
    since, first = {}, min(gone, default=0)
    for n in sorted(undoes.keys() - void, reverse=True):
        if n > first:
            since[n] = undoes[n] - void
            first = min(first, *since[n])
    already = {n: by for n, by in already.items() if by in since and n not in void}
    return _Told(tuple(sorted(versions)), gone, already, since, void, first)


def _made_again_by(rows: Sequence[Row], numbers: set[int], versions: set[int]) -> set[int]:
    """What has to go for some of an agent's changes to go: they themselves, or what has made them stand again.

    Args:
        rows, numbers: as for ``_told_undone``.
        versions: those of them that are to go.
    """
    acts = {row.n: row.act for row in rows}
    already, undoes = _taken_back(rows, numbers)
    gone = versions
    for n in sorted(undoes, reverse=True):
        again, _ = _taken_back(rows, numbers | {n})
        more = {one for one in again.keys() - already.keys() if acts.get(one) != UNDO}
        if more and more <= gone and all(acts.get(one) == UNDO for one in undoes[n]):
            gone, numbers, already = gone - more | {n}, numbers | {n}, again
    return gone


def _taken_back(rows: Sequence[Row], without: set[int]) -> tuple[dict[int, int], dict[int, frozenset[int]]]:
    """The changes that are taken back, each with what did it; and what did, each with what it took back.

    Args:
        rows: newest first.
        without: changes that took back nothing.
    """
    already: dict[int, int] = {}
    undoes: dict[int, frozenset[int]] = {}
    for row in rows:
        if row.act == UNDO and row.n not in without and row.n not in already:
            undoes[row.n] = _undone_by(row)
            already |= dict.fromkeys(undoes[row.n], row.n)
    return already, undoes


def _undone_by(row: Row) -> frozenset[int]:
    """The numbers of the changes that a change took back."""
    return frozenset(decode(row.body or b"{}").get("undone", ()) if row.act == UNDO else ())


def _problem(record: Record, steps: Iterable[PastCommit], acts: Mapping[int, str], replica: str) -> str:
    """Why something cannot be taken back: it was converted for another model since, so that it stands elsewhere."""
    numbers = {step.stamp.n for step in steps if step.goes and acts[step.stamp.n] != UNDO}
    for stamp in supporters_below(record.tree):
        if stamp.n in numbers and stamp.replica != replica and source_of(stamp.replica) == replica:
            if stamp.act == ASKED:
                return STANDS_IN_QUESTION
            return "it was converted for another model since: restore an earlier version instead"
    return ""


def _stamps_of(record: Record, agent: str) -> Iterator[Stamp]:
    """The writes of an agent that stand in a record."""
    for _, leaf in leaves(record.tree):
        yield from {stamp for stamp in supporters_of(leaf) if stamp.agent == agent}


def _reason(stamp: Stamp, replica: str) -> str:
    source = source_of(stamp.replica)
    if stamp.act == ASKED:
        return STANDS_IN_QUESTION
    if source == replica:
        return "" if stamp.act == UNDO else "the journal does not reach back to it any more"
    if stamp.act == "adopt":
        return "it was adopted from another store, with its author"
    return f"it was written in the store {source!r}: undo it there, and exchange"
