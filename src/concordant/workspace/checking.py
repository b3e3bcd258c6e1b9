"""Verifying a store: is every document readable, does it show what its record gives, is its history whole?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from concordant.escalation import escalation_of
from concordant.merge.record import Record, check_record
from concordant.merge.registers import leaves
from concordant.merge.registers.leaf import supporters_of
from concordant.schema import Compiled
from concordant.storage import Address, Examined, Row
from concordant.storage.base import Column, StoreExamined, is_present
from concordant.storage.cut import Cut, numbers_of, part
from concordant.values import Absent, decode, same
from concordant.workspace.commit import UNDO
from concordant.workspace.core import Core
from concordant.workspace.states import changes_of, current_view, expanded

__all__ = ["Checked", "Problem", "check"]

AHEAD = 86_400.0
"""By how many seconds a stored time may be ahead of the clock."""


class Problem(NamedTuple):
    """Something that is wrong in a store.

    Attributes:
        namespace, key: the document; ``()`` and ``""`` where it is the store as a whole.
        what: what is wrong.
        rotten: whether the document itself cannot be trusted, or read at all, so that it can be set aside.
    """

    namespace: tuple[str, ...]
    key: str
    what: str
    rotten: bool = False

    def __str__(self) -> str:
        address = f"{'/'.join(self.namespace)}:{self.key}" if self.namespace else "the store"
        return f"{address}: {self.what}"


class Checked(NamedTuple):
    """What ``check`` found.

    Attributes:
        documents: how many were looked at, deleted ones included.
        rows: how many rows of the journal.
        unverified: how many show what another schema made of them, so that it could not be compared: check with the
            schemas that the writers have.
        problems: what is wrong.
        quarantined: the (namespace, key) of documents that were set aside.
    """

    documents: int
    rows: int
    unverified: int
    problems: tuple[Problem, ...]
    quarantined: tuple[Address, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def check(core: Core, quarantine: bool) -> Checked:
    """Verifies a store; what looks wrong beside other writers is looked at again between two commits."""
    with core.storage.reading():
        return _check(core, quarantine)


def _check(core: Core, quarantine: bool) -> Checked:
    storage = core.storage
    whole = storage.examine_store()
    checking = _Checking(core, whole.trimmed)
    problems: list[Problem] = []
    for found in storage.examine():
        checking.count(found)
        if any(checking.problems_of(found)):
            again = [found] if not found.address[0] else [*storage.examine(found.address)]
            problems += [problem for one in again for problem in checking.problems_of(one)]
    problems += [Problem((), "", f"the database is damaged: {line}") for line in whole.damage]
    if whole.strays:
        problems.append(Problem((), "", f"{whole.strays} rows of the journal, or questions, belong to no document"))
    problems += _numbers_given_twice(whole)
    addresses: dict[Address, str] = {}
    for problem in problems:
        if problem.rotten and problem.namespace:
            addresses.setdefault((problem.namespace, problem.key), problem.what)
    if quarantine and addresses:
        storage.set_aside(list(addresses.items()))
    return Checked(
        checking.documents,
        checking.rows,
        checking.unverified,
        tuple(problems),
        tuple(addresses) if quarantine else (),
    )


def _numbers_given_twice(whole: StoreExamined) -> Iterator[Problem]:
    """Whether the store's clocks stand behind what was committed under them."""
    for newest, n in zip(numbers_of(whole.newest), numbers_of(whole.n), strict=True):
        if newest > n:
            what = f"it counts {n} commits, and has what commit {newest} wrote: numbers would be given twice"
            yield Problem((), "", what)


class _Checking:
    def __init__(self, core: Core, trimmed: Cut) -> None:
        self._core = core
        self._trimmed = trimmed
        self.documents = self.rows = self.unverified = 0

    def count(self, found: Examined) -> None:
        self.documents += 1
        self.rows += len(found.rows or ())
        if self._schema_of(found) is None:
            self.unverified += 1

    def problems_of(self, found: Examined) -> Iterator[Problem]:
        """What is wrong with a document."""
        namespace, key = found.address
        if found.trouble is not None:
            yield Problem(namespace, key, found.trouble, rotten=True)
        if found.state is not None:
            try:
                yield from self._of_state(found)
            except Exception as error:  # whatever rot makes of a record
                what = f"its record is none ({type(error).__name__}: {str(error)[:200]})"
                yield Problem(namespace, key, what, rotten=True)
        if len(found.questions) != found.open:
            what = f"it is said to have {found.open} open questions, and has {len(found.questions)}"
            yield Problem(namespace, key, what)
        if found.rows is not None:
            yield from self._of_journal(found, found.rows)

    def _schema_of(self, found: Examined) -> Compiled | None:
        """The document's schema, if it is the one by which it was saved."""
        namespace = found.address[0]
        if not namespace or found.state is None:
            return None
        schema = self._core.registry.find(namespace)
        known = found.fingerprint is None or is_present(found.fingerprint, self._core.fingerprint(namespace))
        return schema if known else None

    def _of_state(self, found: Examined) -> Iterator[Problem]:
        namespace, key = found.address
        if not isinstance(found.state, Record):
            yield from self._of_value(found)
            return
        record = found.state.copy()
        for what in self._stamps(record, found.rows or ()):
            yield Problem(namespace, key, what, rotten=True)
        schema = self._schema_of(found)
        if schema is not None:
            yield from self._of_record(found, record, schema)

    def _of_value(self, found: Examined) -> Iterator[Problem]:
        """Whether a document that was written once says what was written."""
        assert isinstance(found.state, tuple)
        decode(found.state[Column.BODY])
        for row in found.rows or ():
            if row.n == found.version and row.body is not None and not same(row.body, found.state[Column.BODY]):
                yield Problem(*found.address, "its value is not what the journal says was written", rotten=True)

    def _of_record(self, found: Examined, record: Record, schema: Compiled) -> Iterator[Problem]:
        """Whether a document shows what its record gives, and has its questions."""
        storage, address = self._core.storage, found.address
        record = expanded(record, schema, storage.replica)
        record.cache = None
        check_record(record, schema.root, storage.now()[1] + AHEAD)
        view = current_view(record, schema, storage.replica)
        body = None if record.swept else view.body
        if not isinstance(found.shown, Absent) and not same(found.shown, body):
            shown, given = (b"nothing" if text is None else text for text in (found.shown, body))
            what = f"it shows {shown[:80]!r}, and its record gives {given[:80]!r}"
            yield Problem(*address, what, rotten=True)
        contested = {escalation_of(*address, contest).id for contest in view.contests}
        if not record.has_expired(storage.time()) and contested != found.questions:
            missing, over = len(contested - found.questions), len(found.questions - contested)
            what = f"of its open questions {missing} are missing, and {over} are no questions by its record"
            yield Problem(*address, what)

    def _stamps(self, record: Record, rows: Sequence[Row]) -> Iterator[str]:
        """Whether the writes in a record are those of which the journal tells."""
        replica = self._core.storage.replica
        known = {row.n: row for row in rows}
        for _, leaf in leaves(record.tree):
            for stamp in supporters_of(leaf):
                row = known.get(stamp.n) if stamp.replica == replica else None
                if (
                    row is not None
                    and row.act != UNDO
                    and row.effect is None
                    and (row.agent, row.time) != (stamp.agent, stamp.time)
                ):
                    yield f"commit {stamp.n} was made by {row.agent!r}, and its record says by {stamp.agent!r}"
                    return

    def _of_journal(self, found: Examined, rows: Sequence[Row]) -> Iterator[Problem]:
        """Whether each change of a document follows the one before it."""
        namespace, key = found.address
        purged = _purged(found)
        expected = found.version
        for row in rows:
            if row.n != expected:
                break
            try:
                decode(row.body or b"{}")
                changes_of(row, self._core.registry.find(namespace), self._core.storage.replica)
            except Exception as error:
                what = f"row {row.n} of its journal cannot be read ({type(error).__name__}: {str(error)[:200]})"
                yield Problem(namespace, key, what, rotten=True)
            expected = row.previous
        if expected > part(self._trimmed, expected) and expected not in purged:
            yield Problem(namespace, key, f"its journal has no row for commit {expected}")


def _purged(found: Examined) -> set[int]:
    """The commits of a document that left no row in the journal, because they erased it."""
    if not isinstance(found.state, Record):
        return set()
    return {stamp.n for stamp, _ in found.state.lives if stamp.act == "purge"}
