"""Large records in a database: a checkpoint and what was changed since, in the journal alone."""

from __future__ import annotations

import gzip
import json
import os
import random
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import Agent, DamagedDocumentError, List, Scalar, Set, Text, Tree, Workspace
from concordant.merge.record import codec
from concordant.storage import durable
from concordant.storage.bodies import difference, patched
from concordant.storage.sql import SqlStorage
from concordant.storage.sql.storage import SqlUnit
from concordant.storage.tails import Renewing

from . import work
from .parts import compare, compared, in_parts

NS = ("plans",)
AT = (NS, "k")


class Plan(work.Plan):
    open: Annotated[dict[str, Any], Tree()] = {}


SCHEMAS: dict[tuple[str, ...], Any] = {NS: Plan}


def text(lines: int, seed: int = 0) -> str:
    rnd = random.Random(seed)
    return "\n".join(" ".join(f"word{rnd.randrange(9_999)}" for _ in range(12)) + "." for _ in range(lines))


def edit_words(agent: Agent, times: int, mark: str = "e") -> None:
    """Edits of a large text, each of a word."""
    for number in range(times):
        with agent.edit(*AT) as plan:
            plan.notes = plan.notes.replace("word", f"{mark}{number} w0rd", 1)


def step(rnd: random.Random, ws: Workspace, number: int) -> None:
    """One write of some sort by somebody."""
    agent, key = ws.agent(rnd.choice("abc")), rnd.choice("kl")
    what, word = rnd.random(), f"w{number}"
    if what < 0.3:
        agent.write(NS, key, rnd.choice([{"tags": [word]}, {"notes": word}, {"votes": 2}, {"steps": [word, "x"]}]))
    elif what < 0.8 and agent.read(NS, key) is not None:
        with agent.edit(NS, key) as plan:
            for _ in range(rnd.randrange(1, 4)):
                change(rnd, plan, word)
    elif what < 0.84:
        agent.delete(NS, key)
    elif what < 0.88:
        for question in [*ws.escalations(NS)][:2]:
            ws.resolve(question, question.contenders[0].value, by="judge")
    elif what < 0.9:
        ws.vacuum(journal=timedelta(0), removed=timedelta(0))
    elif what < 0.92 and len(versions := [entry.version for entry in ws.history(NS, key)]) > 1 and ws.get(NS, key):
        ws.restore(NS, key, rnd.choice(versions), by="undoer")
    elif what < 0.93:
        ws.purge(NS, key)
    else:
        agent.write(NS, key, {"status": word, "owners": {rnd.choice("xyz"): number}, "open": {"a": {word: [1, word]}}})


def change(rnd: random.Random, plan: Any, word: str) -> None:
    what = rnd.randrange(7)
    if what == 0:
        words = plan.notes.split(" ")
        words[rnd.randrange(len(words))] = word
        plan.notes = " ".join([*words, f"{word}."])
    elif what == 1 and plan.notes:
        at = rnd.randrange(len(plan.notes))
        plan.notes = plan.notes[:at] + word + plan.notes[at + rnd.randrange(9) :]
    elif what == 2:
        plan.tags ^= {rnd.choice(["t1", "t2", word])}
    elif what == 3:
        plan.owners = {**plan.owners, word: 1}
        plan.owners.pop(rnd.choice(sorted(plan.owners)))
    elif what == 4 and plan.steps:
        plan.steps.insert(rnd.randrange(len(plan.steps)), plan.steps.pop())
    elif what == 5:
        plan.votes += rnd.randrange(4)
    else:
        plan.open = {**plan.open, word: {"x": [word]}}


def play(url: str, seed: str, steps: int) -> int:
    """Two processes' workspaces, and a new one now and then, write in turn; after each step all show the same."""
    rnd = random.Random(seed)
    spaces = [Workspace(url, schemas=SCHEMAS) for _ in range(2)]
    past: dict[tuple[str, int], Any] = {}
    count = 0
    for number in range(steps):
        step(rnd, rnd.choice(spaces), number)
        if rnd.random() < 0.1:
            spaces[rnd.randrange(2)] = Workspace(url, schemas=SCHEMAS)
        with Workspace(url, schemas=SCHEMAS) as fresh:
            for key in "kl":
                shown = fresh.get(NS, key)
                for ws in spaces:
                    found = ws.get(NS, key)
                    assert (found and found.to_dict()) == (shown and shown.to_dict())
                    assert isinstance(ws.storage, SqlStorage)
                    count += compare(ws.storage, (NS, key))
                if shown is not None:
                    past[key, shown.version] = shown.value
    with Workspace(url, schemas=SCHEMAS) as fresh:
        for key in "kl":
            for entry in fresh.history(NS, key):
                then = fresh.get(NS, key, at=entry.version)
                assert (key, entry.version) not in past or then is None or then.value == past[key, entry.version]
        problems = fresh.check().problems
        assert not problems, problems
    for ws in spaces:
        ws.close()
    return count


@pytest.mark.parametrize("portions", [False, True])
def test_g10_what_is_stored_in_parts_is_what_is_known(
    tmp_path: Path, seed: str, portions: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each of many random writes of all kinds by two processes in turn, decisions, deletions, restorations,
    purges and vacuums included, both and a third one that opens the store anew have the same record and show the
    same, the past reads as it did, and the check finds nothing; trees are stored anew at once, or by portions."""
    in_parts(monkeypatch, portions=portions)
    compared(monkeypatch)
    count = sum(play(f"sqlite:///{tmp_path}/{number}.db", f"{seed}/{number}", 30) for number in range(2))
    assert count > 60


@pytest.mark.torture
def test_many_histories_in_parts(tmp_path: Path, seed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same by the hundred."""
    compared(monkeypatch)
    for number in range(300):
        in_parts(monkeypatch, 700 if number % 4 else 1_500, portions=bool(number % 2))
        play(f"sqlite:///{tmp_path}/{number}.db", f"{seed}/{number}", 50)


def test_an_edit_of_a_large_text_writes_what_it_changed(url: str, path: Path) -> None:
    """Of an edit of a text of 100 kB the file takes up less than 1 kB; the tree is stored once, the text once."""
    with Workspace(url, schemas=SCHEMAS) as ws:
        ada = ws.agent("ada")
        ada.write(*AT, {"notes": text(1_000)})
        edit_words(ada, 40, "edit")
        shown = ws.get(*AT)
        with Workspace(url, schemas=SCHEMAS) as other:
            assert shown is not None and other.get(*AT).value == shown.value  # type: ignore[union-attr]
            assert [entry.value for entry in other.history(*AT)] == [entry.value for entry in ws.history(*AT)]
            assert other.get(*AT, at=20).value["notes"].startswith("edit0 w0rd")  # type: ignore[union-attr]
    with sqlite3.connect(path) as db:
        sizes = [
            a + b for a, b in db.execute("SELECT length(body), length(changes) FROM concordant_journal WHERE n > 3")
        ]
        assert len(sizes) == 38 and max(sizes) < 1_000
        ((value, record, kept),) = db.execute("SELECT length(value), length(record), kept FROM concordant_documents")
        assert kept == 2 and value + record < 1_000


class Told:
    """Counts the pieces of texts that commits tell, and those commits that store a tree."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.pieces = self.trees = 0
        self._dump_piece, self._put = codec.dump_piece, SqlUnit.put_checkpoint
        patch.setattr(codec, "dump_piece", self._told)
        patch.setattr(SqlUnit, "put_checkpoint", lambda unit, *args: self._stored(unit, *args))

    def _told(self, *args: Any) -> Any:
        self.pieces += 1
        return self._dump_piece(*args)

    def _stored(self, *args: Any) -> None:
        self.trees += 1
        self._put(*args)


def test_a_large_tree_is_stored_anew_by_portions(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No commit to a large text tells more than a portion of its pieces where one process goes on; where each opens
    the store anew, one tells them all once the rows are twice as many. What is stored is what was shown."""
    in_parts(monkeypatch, 3_000, portions=True)
    monkeypatch.setattr(codec, "PORTION", 8)
    told, most = Told(monkeypatch), 0
    with Workspace(url, schemas=SCHEMAS) as ws:
        ws.agent("ada").write(*AT, {"notes": text(40)})
        for number in range(80):
            before = told.pieces
            edit_words(ws.agent("ada"), 1, f"n{number}e")
            most = max(most, told.pieces - before)
    trees = told.trees
    assert trees > 1 and most < 60
    shown = None
    for number in range(40):
        with Workspace(url, schemas=SCHEMAS) as ws:
            edit_words(ws.agent("ada"), 1, f"m{number}e")
            shown = ws.get(*AT)
    assert told.trees > trees
    with Workspace(url, schemas=SCHEMAS) as ws:
        assert ws.get(*AT) == shown


def test_a_tree_that_was_told_is_not_stored_where_another_process_did(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was told of a text counts for nothing once another process has stored it anew, whose rows may be gone."""
    in_parts(monkeypatch, 1_000, portions=True)
    with Workspace(url, schemas=SCHEMAS) as ws, Workspace(url, schemas=SCHEMAS) as other:
        ws.agent("ada").write(*AT, {"notes": text(20)})
        assert isinstance(ws.storage, SqlStorage)
        number = 0
        while (stored := ws.storage.find(AT)[1]) is None or ws.storage.renewing.ready(AT, stored) is None:
            number += 1
            edit_words(ws.agent("ada"), 1, f"e{number}e")
        edit_words(other.agent("ada"), 1, "other")
        other.vacuum(journal=timedelta(0))
        edit_words(ws.agent("ada"), 1, "last")
        with Workspace(url, schemas=SCHEMAS) as fresh:
            assert fresh.get(*AT) == ws.get(*AT) == other.get(*AT)
            assert not fresh.check().problems


def test_two_processes_tell_each_other_differences(url: str, path: Path) -> None:
    """Where two processes write to one text in turn, each row is a difference from the other's, and each takes over
    what the other wrote without the whole."""
    with Workspace(url, schemas=SCHEMAS) as one, Workspace(url, schemas=SCHEMAS) as two:
        one.agent("ada").write(*AT, {"notes": text(1_000)})
        for number in range(30):
            with (one, two)[number % 2].agent("ada").edit(*AT) as plan:
                lines = plan.notes.split("\n")
                lines[number * 31] = f"edit {number}."
                plan.notes = "\n".join(lines)
        assert isinstance(two.storage, SqlStorage)
        asked: list[str] = []
        rows = two.storage.database.rows
        two.storage._source._rows = lambda query, of: (asked.append(query), rows(query, of))[1]  # type: ignore
        with one.agent("bob").edit(*AT) as plan:
            plan.status = "new"
        assert two.get(*AT).value["status"] == "new"  # type: ignore[union-attr]
        assert len(asked) == 1 and "concordant_journal" in asked[0]
    with sqlite3.connect(path) as db:
        sizes = [size for (size,) in db.execute("SELECT length(body) FROM concordant_journal WHERE n > 4 ORDER BY n")]
        assert max(sizes) < 1_000


def test_a_filter_finds_large_documents(url: str) -> None:
    """Fields that are short are looked for in the database; by one that is too long to be kept there a large document
    is found as well."""
    with Workspace(url, schemas=SCHEMAS) as ws:
        ada = ws.agent("ada")
        long = text(200)
        for number in range(8):
            ada.write(NS, f"k{number}", {"notes": long, "status": "odd" if number % 2 else "even"})
            ada.write(NS, f"k{number}", {"votes": number})
        shown = {document.key: document.value["status"] for document in ws.list(NS)}
        assert shown == {f"k{number}": "odd" if number % 2 else "even" for number in range(8)}
        assert isinstance(ws.storage, SqlStorage)
        from concordant.storage.conditions import Condition

        def found(*conditions: Condition) -> set[str]:
            return {key for _, key, _ in ws.storage.showing(NS, conditions)}

        assert found(Condition(("status",), "equal", "odd")) == {"k1", "k3", "k5", "k7"}
        assert found(Condition(("votes",), "least", 6)) == {"k6", "k7"}
        assert len(found(Condition(("notes",), "equal", "x"), Condition(("votes",), "most", 1))) == 2


def test_rows_that_a_vacuum_takes_are_not_missed(url: str) -> None:
    """Rows of the journal that go are stored in the tree before, and what later rows differ from is theirs then."""
    with Workspace(url, schemas=SCHEMAS) as ws, Workspace(url, schemas=SCHEMAS) as other:
        ada = ws.agent("ada")
        ada.write(*AT, {"notes": text(300)})
        for number in range(12):
            with (ws if number % 3 else other).agent("ada").edit(*AT) as plan:
                plan.notes = plan.notes.replace("word", f"e{number} w0rd", 1)
        given = [entry.value for entry in ws.history(*AT)]
        middle = [*ws.history(*AT)][5].at.timestamp() - 1e-5
        ws.storage.forget([], middle)
        with Workspace(url, schemas=SCHEMAS) as fresh:
            kept = [*fresh.history(*AT)]
            assert [entry.value for entry in kept] == given[: len(kept)] and len(kept) == 6
            assert fresh.get(*AT).value == ws.get(*AT).value == other.get(*AT).value  # type: ignore[union-attr]
            assert not fresh.check().problems
        for number in range(3):
            with (other, ws)[number % 2].agent("ada").edit(*AT) as plan:
                plan.notes += f"\nlast {number}."
        with Workspace(url, schemas=SCHEMAS) as fresh:
            assert fresh.get(*AT).value == ws.get(*AT).value == other.get(*AT).value  # type: ignore[union-attr]
            assert len([*fresh.history(*AT)]) == 9 and not fresh.check().problems


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM concordant_journal WHERE n = 6",
        "UPDATE concordant_journal SET changes = substr(changes, 1, 9) WHERE n = 6",
        "UPDATE concordant_journal SET changes = (SELECT changes FROM concordant_journal WHERE n = 7) WHERE n = 6",
        "DELETE FROM concordant_checkpoints",
        "UPDATE concordant_checkpoints SET record = substr(record, 1, 90)",
        "DELETE FROM concordant_journal WHERE n = 9",
    ],
)
def test_g10_a_missing_or_damaged_part_is_told(url: str, path: Path, damage: str) -> None:
    """A document of which a part is missing, or another than was stored, raises instead of showing something else, and
    the check sets it aside."""
    with Workspace(url, schemas=SCHEMAS) as ws:
        ada = ws.agent("ada")
        ada.write(*AT, {"notes": text(300)})
        edit_words(ada, 8)
        ada.write(NS, "other", {"status": "x"})
    with sqlite3.connect(path) as db:
        db.execute(damage)
    with Workspace(url, schemas=SCHEMAS) as ws:
        with pytest.raises(DamagedDocumentError):
            ws.get(*AT)
        assert ws.get(NS, "other") is not None
        assert ws.check(quarantine=True).quarantined == (AT,)
        assert ws.get(*AT) is None and ws.agent("ada").write(*AT, {"status": "anew"})


def test_g10_a_process_that_is_killed_leaves_whole_commits(url: str) -> None:
    """Of a process that is killed while it edits a large text every edit that it told of is there, and the text is one
    that an edit left."""
    with Workspace(url, schemas=SCHEMAS) as ws:
        ws.agent("ada").write(*AT, {"notes": text(300)})
    for round_ in range(3):
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            with Workspace(url, schemas=SCHEMAS) as ws:
                for number in range(1_000):
                    with ws.agent("ada").edit(*AT) as plan:
                        plan.notes = f"{round_}/{number}\n{plan.notes}"
                    os.write(writing, b"%d\n" % number)
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as told:
            for _ in range(25 + 10 * round_):
                last = int(told.readline())
            os.kill(child, 9)
            last = max([last, *map(int, told.read().split(b"\n")[:-1])])
        os.waitpid(child, 0)
        with Workspace(url, schemas=SCHEMAS) as ws:
            first = ws.get(*AT).value["notes"].split("\n")[0]  # type: ignore[union-attr]
            assert first in {f"{round_}/{last}", f"{round_}/{last + 1}"} and not ws.check().problems


def test_a_large_record_of_before_is_stored_in_parts_from_its_next_write_on(
    url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that an earlier version stored whole reads as before, with its past; its next write stores the tree
    apart; where it has become small, it is stored whole again."""
    with monkeypatch.context() as before:
        before.setattr(durable, "APART", 1 << 40)
        with Workspace(url, schemas=SCHEMAS) as ws:
            ada = ws.agent("ada")
            ada.write(*AT, {"notes": text(300)})
            edit_words(ada, 4)
            shown, past = ws.get(*AT), ws.get(*AT, at=3)

    def kept() -> Any:
        with sqlite3.connect(path) as db:
            return db.execute(
                "SELECT kept, (SELECT count(*) FROM concordant_checkpoints) FROM concordant_documents"
            ).fetchall()

    assert kept() == [(None, 0)]
    with Workspace(url, schemas=SCHEMAS) as ws:
        assert ws.get(*AT).value == shown.value  # type: ignore[union-attr]
        assert ws.get(*AT, at=3).value == past.value  # type: ignore[union-attr]
        ws.agent("bob").write(*AT, {"status": "new"})
        assert kept() == [(6, 1)]
        ws.agent("bob").write(*AT, {"status": "newer"})
        assert kept() == [(6, 1)]
        assert ws.get(*AT, at=3).value == past.value  # type: ignore[union-attr]
    with Workspace(url, schemas=SCHEMAS) as ws:
        assert ws.get(*AT).value == {**shown.value, "status": "newer"}  # type: ignore[union-attr]
        ws.purge(*AT)
        assert kept() == [(None, 0)] and ws.get(*AT) is None


class Draft(BaseModel):
    """The model of the store in ``store_of_before.json.gz``."""

    notes: Annotated[str, Text()] = ""
    steps: Annotated[list[str], List()] = []
    status: Annotated[str, Scalar()] = ""
    tags: Annotated[set[str], Set()] = set()


def test_a_store_of_before_goes_on(url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that the version before checkpoints made is migrated: all its documents, and all versions of them, read as
    they did there, also when they are stored in parts; the check finds nothing."""
    in_parts(monkeypatch)
    data = Path(__file__).parent.parent / "data" / "store_of_before.json.gz"
    given = json.loads(gzip.decompress(data.read_bytes()))
    with sqlite3.connect(path) as db:
        db.executescript(given["sql"])

    def check(ws: Workspace) -> None:
        for key, past in given["past"].items():
            for version, value in past.items():
                then = ws.get(("a",), key, at=int(version))
                assert then is not None and {**then.value, "tags": sorted(then.value.get("tags", ()))} == {
                    **value, "tags": sorted(value.get("tags", ()))
                }  # fmt: skip
        assert not ws.check().problems

    with Workspace(url, schemas={("a",): Draft}) as ws:
        assert {d.key: [d.value["notes"], d.value["steps"]] for d in ws.list(("a",))} == given["shown"]
        check(ws)
        for number in range(6):
            with ws.agent("new").edit(("a",), "kl"[number % 2]) as draft:
                draft.notes = draft.notes.replace("w", f"new{number}", 1)
        check(ws)
    with Workspace(url, schemas={("a",): Draft}) as ws:
        check(ws)


def test_what_differs_in_many_places_is_told_by_these(seed: str) -> None:
    """A value is had back from its difference to an earlier one, whatever differs; of a large one in which a few places
    differ that is small, and of another one it is told that it does not belong."""
    rnd = random.Random(seed)
    for _ in range(300):
        mark = rnd.choice(["\\n", ", ", ". ", " ", "", "é"])
        words = [f"w{rnd.randrange(99)}" for _ in range(rnd.randrange(300))]
        others = words[:]
        for _ in range(rnd.randrange(5)):
            at = rnd.randrange(len(others) + 1)
            others[at : at + rnd.randrange(9)] = ["new"] * rnd.randrange(4)
        before, after = mark.join(words).encode(), mark.join(others).encode()
        told = difference(before, after)
        assert patched(before, told) == after
    large = text(1_000).replace("\n", "\\n").encode()
    other = large.replace(b"word", b"w0rd", 1)[:-5] + b"0rd."
    told = difference(large, other)
    assert len(told) < 400 and patched(large, told) == other
    with pytest.raises(ValueError, match="damaged"):
        patched(large[::-1], told)


def drops_strikes(patch: pytest.MonkeyPatch) -> None:
    """A row of the journal does not tell what a change struck out."""
    from concordant.merge.sequence.splice import Spliced

    later = Spliced.later
    patch.setattr(Spliced, "later", lambda self, known: later(Spliced(self.hunks, [], self.removed), known))


def forgets_the_rest(patch: pytest.MonkeyPatch) -> None:
    """What is beside the tree is what it was at the checkpoint."""
    from concordant.merge.record import Record

    patch.setattr(Record, "take_over", lambda self, other: setattr(self, "version", other.version))


def trusts_every_row(patch: pytest.MonkeyPatch) -> None:
    """A commit counts as told by its row, whatever else it changed."""
    patch.setattr(
        durable._Held, "follow", lambda self, state, row: setattr(self, "version", row.n if row else self.version)
    )


def takes_the_last_for_the_first(patch: pytest.MonkeyPatch) -> None:
    """A tree that was told by portions counts as what the last of the commits meanwhile left."""
    ready = Renewing.ready

    def taken(self: Renewing, address: Any, stored: Any) -> Any:
        found = ready(self, address, stored)
        return found and (found[0], found[1]._replace(version=stored.version))

    patch.setattr(Renewing, "ready", taken)


@pytest.mark.parametrize("broken", [drops_strikes, forgets_the_rest, trusts_every_row, takes_the_last_for_the_first])
def test_broken_parts_are_caught(
    broken: Callable[[pytest.MonkeyPatch], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Engines that store a part of the change are caught by the random histories."""
    broken(monkeypatch)
    in_parts(monkeypatch, 700, portions=True)
    compared(monkeypatch)
    with pytest.raises(Exception):  # noqa: B017, PT011
        _ = [play(f"sqlite:///{tmp_path}/{number}.db", f"mutant/{number}", 30) for number in range(20)]
