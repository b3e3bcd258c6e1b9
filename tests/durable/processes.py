"""Starts workers as processes, and looks at what they leave behind."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_core import from_json

from concordant import Moment, Workspace
from concordant.merge.record import Record
from concordant.storage.servers import ServersStorage
from concordant.storage.sql.database import Database
from concordant.storage.sql.storage import SqlStorage
from concordant.workspace.states import current_view
from tests.nursery import Worker
from tests.patience import PATIENCE

from .work import SCHEMAS


def start(url: str, worker: int, first: int, count: int, documents: int, began: Moment | None = None) -> Worker:
    """A process that writes the steps of a worker."""
    numbers = [str(number) for number in (worker, first, count, documents)]
    return Worker("tests.durable.work", [url, *numbers, repr(tuple(began)) if began is not None else ""])


def acknowledged(process: Worker) -> list[int]:
    """The steps that an ended process had acknowledged; it has written nothing but those."""
    out, err = process.communicate(timeout=PATIENCE)
    assert not err, err.decode()
    return [int(line) for line in out.decode().split("\n")[:-1]]


def succeed(processes: Sequence[Worker]) -> None:
    """Waits for processes, all of which must end well."""
    for process in processes:
        acknowledged(process)
        assert process.returncode == 0


def databases(workspace: Workspace) -> Sequence[Database]:
    """The databases of a workspace's store: one, or one on each of its servers."""
    storage = workspace.storage
    if isinstance(storage, ServersStorage):
        return [part.database for part in storage._parts]
    assert isinstance(storage, SqlStorage)
    return [storage.database]


def check_store(url: str) -> None:
    """Reads a store to the last row: it is whole, what is kept beside the records is what they show, numbers fit."""
    with Workspace(url, schemas=SCHEMAS) as workspace:
        check = workspace.check()
        assert check.ok, check.problems
        storage = workspace.storage
        if not isinstance(storage, SqlStorage):
            return
        rows = storage.database.rows
        heads = rows("SELECT n, time FROM concordant_clocks ORDER BY clock")
        journal = rows("SELECT n, time, document, previous FROM concordant_journal ORDER BY n")
        for clock, (last, latest) in enumerate(heads):
            times = [time for n, time, *_ in journal if n % len(heads) == clock]
            assert times == sorted(times)
            assert all(time <= latest for time in times)
            assert all(n <= last for n, *_ in journal if n % len(heads) == clock)
        for clock, n in [
            *rows("SELECT clock, n FROM concordant_journal"),
            *rows("SELECT clock, id FROM concordant_documents"),
        ]:
            assert clock == n % len(heads)
        newest = {document: n for n, _, document, _ in journal}
        before: dict[int, int] = {}
        for n, _, document, previous in journal:
            assert previous == before.get(document, 0)
            before[document] = n
        listed: dict[tuple[tuple[str, ...], str], set[str]] = {}
        for escalation in workspace.escalations():
            listed.setdefault((escalation.namespace, escalation.key), set()).add(escalation.version)
        columns = {
            id_: tuple(columns)
            for id_, *columns in rows("SELECT id, version, open, value, kept IS NULL FROM concordant_documents")
        }
        assert {id_: version for id_, (version, *_) in columns.items()} == newest
        stored = iter(columns[id_] for id_ in sorted(columns))
        for namespace, key, state in storage.documents(()):
            version, open_, value, is_whole = next(stored)
            if not isinstance(state, Record):
                assert state[2] == version and open_ == 0
                continue
            view = current_view(state, workspace.registry.find(namespace), storage.replica)
            beside, shown = value and from_json(value), view.body and from_json(view.body)
            assert beside == (shown if is_whole or not shown else {name: shown[name] for name in beside})
            assert open_ == len(view.contests) == len(listed.pop((namespace, key), ()))
        assert not listed
