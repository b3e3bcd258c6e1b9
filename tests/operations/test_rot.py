"""Cells of a SQLite file that hold what they should not: calls answer with our own errors, and ``check`` with names."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from concordant import ConcordantError, DamagedDocumentError, StorageError, Workspace
from concordant.cli.app import app
from tests.rounds import rounds as playing

from .calls import SPACE
from .test_check import SCHEMAS, busy

ODD: list[Any] = [
    *(None, "text", "", b"blob", b"", 1.5, -1, 7, 2**62, 0, float("inf"), '{"a":1}', '["x"]', "[1,2]", "null", "\x00"),
    *(b"\x02\x00\x00\x00\x00abc", b"\x03aaaa{}", b"{}", b"[]", b"null", b'{"format":1}', "[[[", '"', b"\xff\xfe"),
]


def filled(ws: Workspace) -> None:
    """Adds a large text, a subscriber, a decision and an open question to a store."""
    for _ in range(3):
        with ws.agent("bob").edit(SPACE, "large") as brief:
            brief.notes += "".join(f"Word {number}. " for number in range(2_000))
    with ws.subscribe("bot", from_start=True) as inbox:
        inbox.receive(timeout=0.0)
        inbox.acknowledge()
    ws.resolve(ws.escalations()[0], "ready", by="maria")
    one, other = ws.agent("one"), ws.agent("other")
    one.write(SPACE, "two", {"status": "s1"})
    other.write(SPACE, "two", {"status": "s2"})


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed store with all sorts of documents, questions, decisions, a subscriber, a text that is stored apart."""
    path = tmp_path_factory.mktemp("rot") / "sound.db"
    with busy(f"sqlite:///{path}") as ws:
        filled(ws)
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def odd(chance: random.Random, old: Any) -> Any:
    """What rot might make of a value."""
    found = list(ODD)
    if isinstance(old, (bytes, str)) and old:
        found += [old[: chance.randrange(len(old))]] * 8
        found += [old.decode("latin1") if isinstance(old, bytes) else old.encode()] * 4
    if isinstance(old, (int, float)):
        found += [f"{old}x", -old, old + 0.5, old + 1_000]
    return chance.choice(found)


def spoilt(path: Path, chance: random.Random) -> str | None:
    """Puts something else in one cell; ``None``: SQLite does not take it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        filled = [name for name in tables if file.execute(f"SELECT 1 FROM {name}").fetchone()]
        table = chance.choice([*filled, *["concordant_documents", "concordant_journal", "concordant_escalations"] * 3])
        column = chance.choice([name for _, name, *_ in file.execute(f"PRAGMA table_info({table})")])
        row = chance.choice([row for (row,) in file.execute(f"SELECT rowid FROM {table}")])
        ((old,),) = file.execute(f"SELECT {column} FROM {table} WHERE rowid = ?", (row,)).fetchall()
        new = odd(chance, old)
        try:
            file.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (new, row))
        except sqlite3.Error:
            return None
        return f"{table}.{column} {old!r:.60} -> {new!r:.60}"


def every_call(ws: Workspace) -> Iterator[Callable[[], Any]]:
    """Reads of everything, then writes, then what a store is mended with."""
    for key in ("launch", "once1", "often1", "large", "two"):
        yield lambda key=key: shown(ws, key)  # type: ignore[misc]
        yield lambda key=key: ws.agent("eve").read(SPACE, key, strict=True)  # type: ignore[misc]
        yield lambda key=key: [ws.blame(SPACE, key), *(e.to_dict() for e in ws.history(SPACE, key))]  # type: ignore[misc]
        yield lambda key=key: [ws.get(SPACE, key, at=version) for version in range(1, 40, 9)]  # type: ignore[misc]
    yield lambda: [(document.value, document.model, document.created_at) for document in ws.list()]
    yield lambda: [*ws.namespaces(()), ws.version_vector(), ws.moment().token, ws.changes(None)]
    yield lambda: [e.to_dict() for e in ws.escalations(state="all")]
    yield lambda: [entry.to_dict() for entry in ws.log()]
    yield lambda: ws.stats().to_dict()
    yield lambda: ws.undo(agent="eve", by="maria", dry_run=True)
    yield lambda: ws.export()
    yield lambda: listen(ws, "bot")
    yield lambda: listen(ws, "another")
    yield lambda: ws.check()
    for key in ("often1", "new"):
        yield lambda key=key: ws.agent("zoe").write(SPACE, key, {"notes": "Z.", "votes": 1})  # type: ignore[misc]
    yield lambda: [ws.resolve(e, "s1", by="maria") for e in ws.escalations()]
    yield lambda: [ws.sweep(), ws.vacuum()]
    yield lambda: ws.check(quarantine=True)


def shown(ws: Workspace, key: str) -> Any:
    document = ws.get(SPACE, key)
    return document and (document.to_dict(), document.model)


def listen(ws: Workspace, name: str) -> None:
    with ws.subscribe(name, from_start=True) as inbox:
        inbox.receive(timeout=0.0)


@playing(25, 2_000)
def test_whatever_a_cell_holds_calls_answer_with_our_own_errors(
    rounds: int, sound: Path, tmp_path: Path, seed: str
) -> None:
    """A cell of any table that holds another type, another number, another JSON or a part of what it held: each public
    call, and ``concordant check``, gives its result or a ``ConcordantError``."""
    for number in range(rounds):
        chance = random.Random(f"{seed}/{number}")
        path = tmp_path / f"{number}.db"
        shutil.copy(sound, path)
        what = spoilt(path, chance)
        if what is None:
            continue
        with suppress(ConcordantError), Workspace(f"sqlite:///{path}", schemas=SCHEMAS) as ws:
            for number_of_call, call in enumerate(every_call(ws)):
                try:
                    call()
                except ConcordantError:
                    continue
                except Exception as error:
                    raise AssertionError(f"round {number}, call {number_of_call}, {what}") from error
        if number % 8 == 0:
            ended = CliRunner().invoke(app, ["check", f"sqlite:///{path}"])
            assert ended.exception is None or isinstance(ended.exception, SystemExit), what


CELLS: dict[str, tuple[str, str]] = {
    "a number for bytes": ("concordant_documents SET value = 5 WHERE key = 'once1'", "briefs:once1"),
    "text for bytes": ("concordant_documents SET record = 'text' WHERE key = 'often1'", "briefs:often1"),
    "text for a number": ("concordant_documents SET version = 'text' WHERE key = 'often1'", "briefs:often1"),
    "text for a time": ("concordant_documents SET updated = 'text' WHERE key = 'often1'", "briefs:often1"),
    "bytes for a name": ("concordant_journal SET agent = x'ff' WHERE document = {often1}", "briefs:often1"),
    "text for a body": ("concordant_journal SET changes = 'text' WHERE document = {often1}", "briefs:often1"),
}


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_of_another_type_is_told_with_its_document_which_can_be_set_aside(
    cell: str, sound: Path, tmp_path: Path
) -> None:
    """Reads of the document and ``check`` name it, ``check(quarantine=True)`` sets it aside, and all others go on."""
    statement, name = CELLS[cell]
    path = tmp_path / "rotten.db"
    shutil.copy(sound, path)
    _, key = name.split(":")
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(
            "UPDATE " + statement.replace("{often1}", f"({_ID})"), {} if "{" not in statement else {"key": key}
        )
    with Workspace(f"sqlite:///{path}", schemas=SCHEMAS) as ws:
        with pytest.raises(DamagedDocumentError, match=name):
            print(ws.get(SPACE, key), [*ws.history(SPACE, key)])
        assert {problem.key for problem in ws.check().problems} == {key}
        assert ws.check(quarantine=True).quarantined == ((SPACE, key),)
        assert ws.get(SPACE, key) is None and ws.get(SPACE, "often2") is not None
        assert ws.check().ok


def test_a_time_that_no_calendar_has_is_told_with_its_document(sound: Path, tmp_path: Path) -> None:
    """Whoever asks for it is told whose it is; what the document shows can be read."""
    path = tmp_path / "rotten.db"
    shutil.copy(sound, path)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE concordant_documents SET updated = 1e30 WHERE key = 'often1'")
    with Workspace(f"sqlite:///{path}", schemas=SCHEMAS) as ws:
        document = ws.get(SPACE, "often1")
        assert document is not None and document.value
        with pytest.raises(DamagedDocumentError, match="briefs:often1"):
            print(document.updated_at)


_ID = "(SELECT id FROM concordant_documents WHERE key = 'often1')"


def test_a_cell_of_another_type_that_is_no_document_s_is_told_with_its_row(sound: Path, tmp_path: Path) -> None:
    """What the store notes beside documents is named by its row."""
    path = tmp_path / "rotten.db"
    shutil.copy(sound, path)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE concordant_clocks SET marks = 5.5")
        file.execute("UPDATE concordant_peers SET marks = 'none'")
    with Workspace(f"sqlite:///{path}", schemas=SCHEMAS) as ws, pytest.raises(ConcordantError, match="marks") as error:
        ws.export()
    assert isinstance(error.value, (StorageError, ValueError))
