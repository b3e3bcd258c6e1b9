"""``check``: a store is verified, rot is found and named, and what is rotten can be set aside while others go on."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from typer.testing import CliRunner

from concordant import ConcordantError, DamagedDocumentError, StorageError, Workspace
from concordant.cli.app import app
from concordant.merge.record import Record, View

from .calls import OPEN, PLACE, SPACE, opened
from .zoo import Everything

FreshUrl = Callable[[str], str | None]
Query = Callable[..., list[Any]]
DATABASES = ["sqlite", "postgres"]
STORAGES = ["memory", *DATABASES]
SCHEMAS = {SPACE: Everything}


def asked(url: str | None) -> Query:
    """A function that runs statements on a store's database."""
    assert url is not None

    def run(statement: str, *parameters: Any) -> list[Any]:
        if url.startswith("sqlite:"):
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
                return connection.execute(statement, parameters).fetchall()
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement.replace("?", "%s"), parameters)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    return run


def busy(url: str | None) -> Workspace:
    """A store with all sorts of documents: written once and often, deleted, contested, expired, purged, imported."""
    ws = opened(url)
    for number in range(4):
        ws.agent("ada").write(SPACE, f"once{number}", {"status": f"s{number}", "notes": f"Note {number}."})
        ws.agent("bob").write(SPACE, f"often{number}", {"notes": "One. Two.", "tags": ["a"], "votes": 1})
        with ws.agent("bob").edit(SPACE, f"often{number}") as brief:
            brief.notes = "One. Three. Two."
        ws.agent("eve").write(SPACE, f"often{number}", {"notes": "More.", "votes": 2, "tags": ["b"]})
    ws.agent("ada").write(OPEN, "gone", {"a": 1})
    ws.agent("ada").delete(OPEN, "gone")
    ws.agent("ada").write(OPEN, "purged", {"a": 1})
    ws.purge(OPEN, "purged")
    ws.agent("ada").write(OPEN, "purged", {"a": 2})
    ws.put(OPEN, "short", {"a": 1}, ttl=0.0)
    ws.sweep()
    ws.put(OPEN, "long", {"a": 1}, ttl=1_000.0)
    ws.put(OPEN, "long", {"a": 2}, ttl=1_000.0)
    other = Workspace(schemas=SCHEMAS)
    other.agent("zoe").write(SPACE, "often0", {"tags": ["z"]})
    ws.import_(other.export())
    return ws


def others_go_on(ws: Workspace, rotten: tuple[tuple[str, ...], str]) -> None:
    """Makes sure that every other document can be read, written to, listed and exported."""
    found = {(d.namespace, d.key) for d in ws.list()}
    assert rotten not in found and len(found) >= 10
    for place in found:
        ws.agent("zoe").write(*place, {"status": "after"} if place[0] == SPACE else {"after": 1})
        assert ws.get(*place) is not None
    ws.agent("zoe").write(*rotten, {"status": "new"} if rotten[0] == SPACE else {"a": 3})
    ws.export()
    ws.vacuum()
    assert ws.check().ok


@pytest.mark.parametrize("storage", STORAGES)
def test_a_sound_store_passes(storage: str, fresh_url: FreshUrl) -> None:
    """Nothing is wrong with a store that only this library wrote to, whatever was done, vacuum and rename included."""
    with busy(fresh_url(storage)) as ws:
        found = ws.check()
        assert found.ok and found.problems == () and found.unverified == 0
        assert found.documents == ws.stats().documents and found.rows >= found.documents
        from datetime import timedelta

        ws.vacuum(journal=timedelta(0), deleted=timedelta(0), removed=timedelta(0))
        assert ws.check().ok
        ws.agent("ada").write(*PLACE, {"votes": 1})
        ws.rename()
        ws.agent("ada").write(*PLACE, {"votes": 1})
        assert asyncio.run(ws.acheck()).ok


ROT: dict[str, tuple[str, str]] = {
    "a flipped byte in a record": ("often1", "record"),
    "a flipped byte in the value beside a record": ("often1", "value"),
    "a flipped byte in a value written once": ("once1", "value"),
    "a flipped byte in the journal": ("often1", "changes"),
}


def flip(query: Query, key: str, column: str, chance: random.Random) -> None:
    """Changes one byte of what is stored of a document."""
    if column == "changes":
        owner = "(SELECT id FROM concordant_documents WHERE key = ?)"
        found = query(
            f"SELECT n, changes FROM concordant_journal WHERE document = {owner} AND changes IS NOT NULL", key
        )
        number, data = chance.choice(found)
        query("UPDATE concordant_journal SET changes = ? WHERE n = ?", flipped(data, chance), number)
        return
    ((data,),) = query(f"SELECT {column} FROM concordant_documents WHERE key = ?", key)
    query(f"UPDATE concordant_documents SET {column} = ? WHERE key = ?", flipped(data, chance), key)


def flipped(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) - 1)  # the last byte of what is packed has bits that say nothing
    return data[:at] + bytes([data[at] ^ chance.randrange(1, 256)]) + data[at + 1 :]


@pytest.mark.parametrize("storage", DATABASES)
@pytest.mark.parametrize("rot", ROT)
def test_a_flipped_byte_is_found_and_named(rot: str, storage: str, fresh_url: FreshUrl, seed: str) -> None:
    """A flipped byte, wherever it is, is found; the document is named, and set aside on demand while others go on."""
    chance = random.Random(f"{seed}/{rot}")
    url = fresh_url(storage)
    busy(url).close()
    key, column = ROT[rot]
    query = asked(url)
    ((before,),) = query(
        f"SELECT {'value' if column == 'changes' else column} FROM concordant_documents WHERE key = ?", key
    )
    for _ in range(12 if storage == "sqlite" else 3):
        flip(query, key, column, chance)
        with Workspace(url, schemas=SCHEMAS) as ws:
            found = ws.check()
            assert {(p.namespace, p.key) for p in found.problems if p.rotten} == {(SPACE, key)}, found
        if column != "changes":
            query(f"UPDATE concordant_documents SET {column} = ? WHERE key = ?", bytes(before), key)
    flip(query, key, column, chance)
    with Workspace(url, schemas=SCHEMAS) as ws:
        assert ws.check(quarantine=True).quarantined == ((SPACE, key),)
        ((name, reason),) = query("SELECT key, reason FROM concordant_quarantine")
        assert name == key and reason
        others_go_on(ws, (SPACE, key))


@pytest.mark.parametrize("storage", DATABASES)
def test_a_rotten_document_is_told_by_every_read(storage: str, fresh_url: FreshUrl) -> None:
    """A read of a rotten document raises our error with its name; reads and writes of others do not notice."""
    url = fresh_url(storage)
    busy(url).close()
    asked(url)("UPDATE concordant_documents SET record = ? WHERE key = 'often1'", b"\x02rotten")
    with Workspace(url, schemas=SCHEMAS) as ws:
        calls: list[Callable[[], Any]] = [
            lambda: ws.get(SPACE, "often1"),
            lambda: ws.agent("ada").write(SPACE, "often1", {"votes": 1}),
            lambda: ws.agent("ada").delete(SPACE, "often1"),
            lambda: [*ws.list()],
            lambda: ws.blame(SPACE, "often1"),
            lambda: ws.export(),
            lambda: ws.vacuum(),
        ]
        for call in calls:
            with pytest.raises(DamagedDocumentError, match="briefs:often1") as told:
                call()
            assert (told.value.namespace, told.value.key) == (SPACE, "often1")
        ws.agent("ada").write(SPACE, "often2", {"votes": 1})
        assert ws.get(SPACE, "often2") is not None


@pytest.mark.parametrize("storage", DATABASES)
def test_a_rotten_question_or_row_is_told_by_every_listing(storage: str, fresh_url: FreshUrl) -> None:
    """Lists of questions and of changes name the document whose question or row has rotted; once it is set aside, they
    go on; counts of a store do without what cannot be read."""
    url = fresh_url(storage)
    with Workspace(url, schemas=SCHEMAS) as ws:
        for key in ("often1", "other"):
            ada, bob = ws.agent("ada"), ws.agent("bob")
            ada.write(SPACE, key, {"status": "s1"})
            bob.write(SPACE, key, {"status": "s2"})
        question = next(e for e in ws.escalations() if e.key == "often1")
    query = asked(url)
    query("UPDATE concordant_escalations SET body = ? WHERE key = 'often1'", b'{"id": "x"}')
    often = "(SELECT id FROM concordant_documents WHERE key = 'often1')"
    query(f"UPDATE concordant_journal SET body = ? WHERE document = {often} AND act = 'write'", b'{"status')
    with Workspace(url, schemas=SCHEMAS) as ws:
        assert ws.stats().documents == 2
        calls: list[Callable[[], Any]] = [
            lambda: ws.escalations(),
            lambda: ws.escalation(question.id),
            lambda: ws.log(),
            lambda: ws.resolve(question, "s1", by="maria"),
        ]
        for call in calls:
            with pytest.raises(DamagedDocumentError, match="briefs:often1"):
                call()
        assert ws.check(quarantine=True).quarantined == ((SPACE, "often1"),)
        assert [e.key for e in ws.escalations()] == ["other"]
        assert {entry.key for entry in ws.log()} == {"other"}


@pytest.mark.parametrize("storage", DATABASES)
def test_a_rotten_name_stops_nobody_else(storage: str, fresh_url: FreshUrl) -> None:
    """A document whose namespace is no name any more is told by `check`; questions of others are there."""
    url = fresh_url(storage)
    with Workspace(url) as ws:
        ada, bob = ws.agent("ada"), ws.agent("bob")
        ada.write(SPACE, "sound", {"status": "s1"})
        bob.write(SPACE, "sound", {"status": "s2"})
        ada.write(SPACE, "rotten", {"status": "s1"})
    asked(url)("UPDATE concordant_documents SET namespace = ? WHERE key = 'rotten'", '["briefs')
    with Workspace(url, schemas=SCHEMAS) as ws:
        assert [e.key for e in ws.escalations()] == ["sound"]
        assert any("its name" in problem.what for problem in ws.check().problems)


def test_a_file_whose_table_names_have_rotted_is_told(tmp_path: Path) -> None:
    """What SQLite cannot even read as text is our error, as other damage of the file is."""
    with Workspace(f"sqlite:///{tmp_path}/team.db"):
        pass
    with closing(sqlite3.connect(tmp_path / "team.db", isolation_level=None)) as file:
        file.execute("PRAGMA journal_mode = DELETE")
        file.execute("CREATE TABLE aaaa_bbbb (x)")
        file.execute("VACUUM")
    path = tmp_path / "team.db"
    rotten = path.read_bytes().replace(b"aaaa_bbbb", b"aaaa\xe1bbbb").replace(b"TABLE aaaa", b"TABLx aaaa")
    path.write_bytes(rotten)
    with pytest.raises(StorageError, match="Restore the file from a back-up"):
        Workspace(f"sqlite:///{path}")


@pytest.mark.parametrize("storage", DATABASES)
def test_a_value_written_once_that_rots_is_told(storage: str, fresh_url: FreshUrl) -> None:
    """A value that is no JSON any more is our error when it is read, with the name of its document."""
    url = fresh_url(storage)
    busy(url).close()
    asked(url)("UPDATE concordant_documents SET value = ? WHERE key = 'once1'", b'{"status": "s1')
    with Workspace(url, schemas=SCHEMAS) as ws:
        document = ws.get(SPACE, "once1")
        assert document is not None
        with pytest.raises(ConcordantError, match="once1"):
            print(document.value)


DAMAGE: dict[str, tuple[Sequence[str], str]] = {
    "a shown value that differs": (
        ["UPDATE concordant_documents SET value = CAST('{\"status\":\"wrong\"}' AS {bytes}) WHERE key = 'once1'"],
        "once1",
    ),
    "a missing journal row, the middle one": (
        [
            "DELETE FROM concordant_journal WHERE document = {often} AND "
            "n = (SELECT previous FROM concordant_journal WHERE document = {often} ORDER BY n DESC LIMIT 1)"
        ],
        "often1",
    ),
    "a missing journal row, the newest": (
        [
            "DELETE FROM concordant_journal WHERE document = {often} AND "
            "n = (SELECT version FROM concordant_documents WHERE key = 'often1')"
        ],
        "often1",
    ),
    "a missing journal row, the oldest": (
        ["DELETE FROM concordant_journal WHERE document = {often} AND previous = 0"],
        "often1",
    ),
    "a wrong count of open questions": (["UPDATE concordant_documents SET open = 7 WHERE key = 'launch'"], "launch"),
    "a question that is gone": (["DELETE FROM concordant_escalations WHERE key = 'launch'"], "launch"),
    "a version that no commit made": (
        ["UPDATE concordant_documents SET version = version + 1 WHERE key = 'often1'"],
        "often1",
    ),
    "a number too low": (["UPDATE concordant_clocks SET n = n - 1000"], ""),
    "rows of no document": (["DELETE FROM concordant_documents WHERE key = 'often1'"], ""),
    "another author": (
        ["UPDATE concordant_journal SET agent = 'mallory' WHERE document = {often} AND agent = 'eve'"],
        "often1",
    ),
}


@pytest.mark.parametrize("storage", DATABASES)
@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_of_every_sort_is_found(damage: str, storage: str, fresh_url: FreshUrl) -> None:
    """Shown values, the journal's continuity, counts and authors: what does not fit is found, at its document."""
    url = fresh_url(storage)
    busy(url).close()
    statements, key = DAMAGE[damage]
    query = asked(url)
    for statement in statements:
        names = {
            "often": "(SELECT id FROM concordant_documents WHERE key = 'often1')",
            "bytes": "BLOB" if storage == "sqlite" else "BYTEA",
        }
        for name, text in names.items():
            statement = statement.replace(f"{{{name}}}", text)
        query(statement)
    with Workspace(url, schemas=SCHEMAS) as ws:
        problems = ws.check().problems
        assert problems
        assert key in {p.key for p in problems} <= {key, ""}, problems  # that numbers do not fit is the store's too


@pytest.fixture
def in_memory() -> Iterator[Workspace]:
    with busy(None) as ws:
        for document in ws.list():
            assert document.value
        assert ws.check().ok
        yield ws


def record_of(ws: Workspace, key: str) -> Record:
    state = ws.storage.load(SPACE, key)
    assert isinstance(state, Record)
    return state


def test_rot_in_memory_is_found_and_set_aside(in_memory: Workspace) -> None:
    """A record in memory that is none any more, and one that shows what it does not give, are named and set aside."""
    ws = in_memory
    record_of(ws, "often1").tree["scalar:status"] = 5  # type: ignore[assignment]
    shown = record_of(ws, "often2")
    shown.cache = View(b'{"status":"wrong"}')
    found = ws.check(quarantine=True)
    assert {key for _, key in found.quarantined} == {"often1", "often2"}
    others_go_on(ws, (SPACE, "often1"))


def test_a_missing_row_in_memory_is_found(in_memory: Workspace) -> None:
    """A gap in the journal in memory is found."""
    storage: Any = in_memory.storage
    rows = [row for row in storage.rows_kept if row[1] == "often1"]
    storage.rows_kept.remove(rows[1])
    assert {p.key for p in in_memory.check().problems} == {"often1"}


def test_documents_saved_under_another_schema_are_counted(fresh_url: FreshUrl) -> None:
    """Without the writers' schemas values cannot be compared: that is told, and no false alarm is raised."""
    url = fresh_url("sqlite")
    busy(url).close()
    with Workspace(url) as ws:
        found = ws.check()
    assert found.ok and found.unverified > 3


def test_the_command_checks_and_sets_aside(fresh_url: FreshUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    """``concordant check`` names what is wrong and ends with 1; with ``--quarantine`` the next one finds nothing."""
    url = fresh_url("sqlite")
    assert url is not None
    busy(url).close()
    run = CliRunner()
    fine = run.invoke(app, ["check", url])
    assert fine.exit_code == 0 and "all is well" in fine.output, fine.output
    asked(url)("UPDATE concordant_documents SET record = ? WHERE key = 'often1'", b"\x02rotten")
    wrong = run.invoke(app, ["check", url])
    assert wrong.exit_code == 1 and "briefs:often1" in wrong.output and "problems" in wrong.output
    mended = run.invoke(app, ["check", url, "--quarantine"])
    assert mended.exit_code == 1 and "set aside" in mended.output
    assert run.invoke(app, ["check", url]).exit_code == 0


def test_what_was_set_aside_comes_back_from_another_store(fresh_url: FreshUrl) -> None:
    """A document that was set aside is whole again after an import from a store that has it."""
    url = fresh_url("sqlite")
    peer = Workspace(schemas=SCHEMAS)
    with busy(url) as ws:
        peer.import_(ws.export())
        before = ws.get(SPACE, "often1")
    asked(url)("UPDATE concordant_documents SET record = ? WHERE key = 'often1'", b"\x02rotten")
    with Workspace(url, schemas=SCHEMAS) as ws:
        ws.check(quarantine=True)
        assert ws.get(SPACE, "often1") is None
        ws.import_(peer.export())
        after = ws.get(SPACE, "often1")
        assert before is not None and after is not None and after.value == before.value
        assert ws.check().ok


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "edit", "put", "delete", "resolve", "vacuum", "sweep", "purge"]),
        st.sampled_from("ab"),
        st.sampled_from(["x", "y"]),
        st.sampled_from(["one", "two", "three"]),
    ),
    max_size=25,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_whatever_is_done_the_store_passes(fresh_url: FreshUrl, steps: list[tuple[str, str, str, str]]) -> None:
    """After any acts of two agents a store passes, in memory and in a file, and after it was opened again."""
    for url in (None, fresh_url("sqlite")):
        ws = Workspace(url, schemas=SCHEMAS)
        agents = {name: ws.agent(name) for name in "ab"}
        for act, name, key, text in steps:
            agent = agents[name]
            if act == "write":
                agent.write(SPACE, key, {"status": text, "notes": text, "tags": [text], "votes": 1})
            elif act == "edit":
                with agent.edit(SPACE, key) as brief:
                    brief.notes = f"{brief.notes} {text}."
                    brief.status = text
            elif act == "put":
                ws.put(SPACE, key, {"owners": {name: text}}, ttl=1_000.0 if text == "one" else None)
            elif act == "delete":
                agent.delete(SPACE, key)
            elif act == "resolve":
                for question in ws.escalations()[:1]:
                    ws.dismiss(question, by="maria")
            elif act == "purge" and text == "two":
                ws.purge(SPACE, key)
            elif act == "vacuum":
                ws.vacuum()
            else:
                ws.sweep()
        found = ws.check()
        assert found.ok, found
        ws.close()
        if url is not None:
            with Workspace(url, schemas=SCHEMAS) as again:
                assert again.check().ok
