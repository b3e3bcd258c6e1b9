"""Ways of sharing state, behind one interface: the last write wins, compare and retry, locks, and Concordant."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import create_model

from concordant.bench.outcome import Outcome
from concordant.bench.running import Costs, Session, Step
from concordant.bench.workload import Task, Workload, changed
from concordant.merge.kinds import Counter, List, Map, Scalar, Set, Text
from concordant.storage import Instant
from concordant.workspace import TaskScope, Workspace

__all__ = ["STRATEGIES", "Concordant", "LastWriteWins", "Locking", "Optimistic", "Strategy", "outcome_of", "schemas_of"]

NS = ("bench",)
_scope: ContextVar[TaskScope | None] = ContextVar("concordant_bench_scope", default=None)


class Strategy(NamedTuple):
    """A way of sharing state.

    Attributes:
        serial: its writers come one after the other, each having thought about what the one before has written.
    """

    name: str
    open: Callable[[Workload], Session]
    serial: bool = False


class LastWriteWins:
    """A dict of documents: each task writes back what it read, with its change."""

    def __init__(self, workload: Workload) -> None:
        self._fields = workload.fields
        self._documents = workload.documents
        self._values: dict[str, Any] = copy.deepcopy(dict(workload.start))

    def begin(self) -> None:
        """Has nothing to prepare."""

    def work(self, task: Task, costs: Costs, attempt: int = 0) -> Generator[Step, None, None]:
        with costs.call():
            read = {key: copy.deepcopy(self._values.get(key)) for key in task.changes}
        yield None
        yield costs.think(task)
        with costs.call():
            self._write(task, read)

    def _write(self, task: Task, read: Mapping[str, Any]) -> None:
        for key, change in task.changes.items():
            if change is None:
                self._values.pop(key, None)
            else:
                self._values[key] = changed(self._fields, read[key] or {}, change)

    def outcome(self) -> Outcome:
        return Outcome({key: self._values.get(key) for key in self._documents})

    def close(self) -> None:
        """Has nothing to give up."""


class Optimistic(LastWriteWins):
    """Compare and retry: a write is refused if somebody wrote since the read; then the task begins again."""

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload)
        self._versions = dict.fromkeys(workload.documents, 0)
        self._lock = threading.Lock()

    def work(self, task: Task, costs: Costs, attempt: int = 0) -> Generator[Step, None, None]:
        first = True
        while True:
            with costs.call(), self._lock:
                read = {key: copy.deepcopy(self._values.get(key)) for key in task.changes}
                versions = {key: self._versions[key] for key in task.changes}
            if first:
                yield None
            yield costs.think(task)
            with costs.call(), self._lock:
                if all(self._versions[key] == version for key, version in versions.items()):
                    self._write(task, read)
                    for key in task.changes:
                        self._versions[key] += 1
                    return
            first = False
            costs.retries += 1


class Locking(LastWriteWins):
    """A lock on each document, held from the read to the write: while an agent thinks, the others wait."""

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload)
        self._locks = {key: threading.Lock() for key in workload.documents}

    def work(self, task: Task, costs: Costs, attempt: int = 0) -> Generator[Step, None, None]:
        held = []
        try:
            for key in sorted(task.changes):  # in one order, or two could wait for each other
                yield self._locks[key]
                held.append(self._locks[key])
            with costs.call():
                read = {key: copy.deepcopy(self._values.get(key)) for key in task.changes}
            yield costs.think(task)
            with costs.call():
                self._write(task, read)
        finally:
            for lock in held:
                lock.release()


class Concordant:
    """A workspace that is told, as adapters do, which task makes a call and which attempt at it this is.

    Args:
        url: where it is kept; in memory without one.
    """

    def __init__(self, workload: Workload, url: str | None = None) -> None:
        self._fields = workload.fields
        self._documents = workload.documents
        self._workspace = Workspace(url, schemas=schemas_of(workload))
        self._workspace.add_scope_provider(_scope.get)
        self._round = 0
        for key, value in workload.start.items():
            self._workspace.put(NS, key, value)
        self.begin()

    def begin(self) -> None:
        self._round += 1
        self._began = Instant.now()

    def work(self, task: Task, costs: Costs, attempt: int = 0) -> Generator[Step, None, None]:
        origin = f"{self._round}/{id(task)}"
        scope = TaskScope(f"{origin}/{attempt}", task.agent, origin, origin, str(attempt), self._began, _relation)
        with costs.call(), _within(scope):
            read = {key: self._workspace.read_current(NS, key) for key in task.changes}
        yield None
        yield costs.think(task)
        with costs.call(), _within(scope):
            for key, change in task.changes.items():
                document = read[key]
                if change is None:
                    self._workspace.remove(NS, key)
                else:
                    before = {} if document is None else document.value
                    self._workspace.put(NS, key, changed(self._fields, before, change))

    def outcome(self) -> Outcome:
        return outcome_of(self._workspace, NS, self._documents)

    def close(self) -> None:
        self._workspace.close()


@contextmanager
def _within(scope: TaskScope) -> Iterator[None]:
    """Calls inside are made by a task."""
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)


def _relation(mine: str, theirs: str) -> Literal["same", "concurrent", "ordered"]:
    """Tasks of one round are concurrent."""
    if mine == theirs:
        return "same"
    return "concurrent" if mine.partition("/")[0] == theirs.partition("/")[0] else "ordered"


def schemas_of(workload: Workload) -> dict[tuple[str, ...], Any] | None:
    """Tells what a workspace is told of a workload's fields."""
    return {NS: model_of(workload.fields, workload.resolve)} if workload.declared else None


def model_of(fields: Mapping[str, str], resolve: Mapping[str, str]) -> Any:
    """Returns a state model for a workload's fields."""
    annotations: dict[str, Any] = {
        "set": (Annotated[list[Any], Set()], []),
        "list": (Annotated[list[Any], List()], []),
        "map": (Annotated[dict[str, Any], Map()], {}),
        "text": (Annotated[str, Text(unit="word")], ""),  # what is right of a workload is told by words
        "counter": (Annotated[int, Counter()], 0),
        "scalar": (Annotated[Any, Scalar()], None),
    }
    found: dict[str, Any] = {name: annotations[kind] for name, kind in fields.items()}
    for name, how in resolve.items():
        found[name] = (Annotated[int | float | None, Scalar(resolve=how)], None)
    return create_model("State", **found)


def outcome_of(workspace: Workspace, namespace: tuple[str, ...], keys: list[str]) -> Outcome:
    """Tells what a workspace has."""
    found = {key: workspace.get(namespace, key) for key in keys}
    contenders: dict[Any, Any] = {}
    for escalation in workspace.escalations(namespace):
        entries = [(contender.value, contender.agents) for contender in escalation.contenders]
        contenders.setdefault((escalation.key, escalation.path), []).extend(entries)
    credits: dict[Any, Any] = {}
    for key, document in found.items():
        if document is not None:
            for path, names in workspace.blame(namespace, key).items():
                credits.setdefault((key, path), []).extend((credit.value, credit.agents) for credit in names)
    return Outcome(
        {key: None if document is None else document.value for key, document in found.items()},
        frozenset((one.key, one.path) for one in workspace.escalations(namespace, state="all")),
        contenders,
        credits,
        frozenset(
            (key, path) for key in keys for entry in workspace.history(namespace, key) for path, _ in entry.settled
        ),
    )


STRATEGIES = (
    Strategy("last write wins", LastWriteWins),
    Strategy("compare and retry", Optimistic, serial=True),
    Strategy("locks", Locking, serial=True),
    Strategy("Concordant", Concordant),
)
