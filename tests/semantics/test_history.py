"""The journal: history, blame, stats, time travel, its limits, and erasure."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import (
    ConcordantError,
    Counter,
    HistoryExpiredError,
    List,
    Map,
    Scalar,
    Set,
    StaleWriteError,
    Text,
)
from concordant.merge.sequence.pieces import Sequence
from concordant.merge.sequence.splice import Spliced
from concordant.workspace.states import changes_of

from .support import AT, KEY, NS, Tasks, only, pair, shown, values, workspace


class Brief(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    tags: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, str], Map()] = {}
    body: Annotated[str, Text()] = ""
    votes: Annotated[int, Counter()] = 0
    steps: Annotated[list[str], List()] = []


WRITES: list[dict[str, Any]] = [
    {"status": "one"},
    {"tags": ["a"], "votes": 1},
    {"owners": {"x": "1"}, "body": "One."},
    {"status": "two", "steps": ["s"]},
    {"tags": ["b"], "votes": 2, "body": "Two.", "owners": {"x": "2"}, "steps": ["t"]},
]


def stripped(value: Any) -> Any:
    """A span's words, whether or not the new line before them counts as part of it."""
    return value.strip() if isinstance(value, str) else value


def test_history_is_newest_first() -> None:
    """Who, when, what sort of act, which value and paths, at which version."""
    ws = workspace(Brief)
    versions = [ws.agent(f"agent{n}").write(*AT, write).version for n, write in enumerate(WRITES)]
    entries = ws.history(*AT)
    assert [entry.version for entry in entries] == versions[::-1]
    assert [entry.agent for entry in entries] == [f"agent{n}" for n in range(5)][::-1]
    assert [entry.value for entry in entries] == WRITES[::-1]
    assert [{path[0] for path in entry.paths} for entry in entries] == [set(write) for write in WRITES[::-1]]
    assert {entry.act for entry in entries} == {"write"}
    assert all(newer.at > older.at for newer, older in pairwise(entries))


def test_history_names_every_act() -> None:
    """Writes, edits, puts, deletions and decisions."""
    ws = workspace(Brief)
    ws.agent("ada").write(*AT, {"status": "a"})
    with ws.agent("ada").edit(*AT) as brief:
        brief.status = "b"
    ws.put(*AT, {"status": "c"})
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "d"})
    bob.write(*AT, {"status": "e"})
    ws.resolve(only(ws), "f", by="editor")
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "g"})
    bob.write(*AT, {"status": "h"})
    ws.dismiss(only(ws), by="editor")
    ws.remove(*AT)
    assert [entry.act for entry in ws.history(*AT)] == [
        "delete",
        "dismiss",
        "write",
        "write",
        "resolve",
        "write",
        "write",
        "put",
        "edit",
        "write",
    ]


def test_history_is_of_one_document() -> None:
    """Other documents' writes are not in it; one that was never written has none."""
    ws = workspace(Brief)
    ws.agent("ada").write(*AT, {"status": "a"})
    ws.agent("ada").write(NS, "other", {"status": "b"})
    assert [entry.value for entry in ws.history(*AT)] == [{"status": "a"}]
    assert ws.history(NS, "none") == []


def test_what_was_replaced_is_in_the_journal() -> None:
    """Nothing that was accepted is gone: superseded contenders and replaced values are there."""
    ws = workspace(Brief)
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "a"})
    bob.write(*AT, {"status": "b"})
    ws.resolve(only(ws), "c", by="editor")
    ws.agent("joe").write(*AT, {"status": "d"})
    written = [entry.value for entry in ws.history(*AT) if entry.act == "write"]
    assert written == [{"status": "d"}, {"status": "b"}, {"status": "a"}]


@pytest.mark.parametrize("model", [Brief, None])
def test_at_travels_in_time(model: Any) -> None:
    """The document as it was at each of its versions, and before the first."""
    ws = workspace(model)
    states: list[tuple[int, Any]] = []
    for number, write in enumerate(WRITES):
        receipt = ws.agent(f"agent{number}").write(*AT, write)
        states.append((receipt.version, shown(ws)))
    deleted = ws.agent("ada").delete(*AT).version
    ws.put(*AT, {"status": "again"})
    for version, value in states:
        document = ws.get(*AT, at=version)
        assert document is not None
        assert document.value == value and document.version == version
    assert ws.get(*AT, at=states[0][0] - 1) is None
    assert ws.get(*AT, at=deleted) is None
    now = ws.get(*AT)
    assert now is not None and ws.get(*AT, at=now.version) == now


def test_at_gives_the_state_between_its_versions() -> None:
    """A version of another document is between two of this one."""
    ws = workspace(Brief)
    ws.agent("ada").write(*AT, {"status": "a"})
    between = ws.agent("ada").write(NS, "other", {"status": "x"}).version
    ws.agent("ada").write(*AT, {"status": "b"})
    document = ws.get(*AT, at=between)
    assert document is not None and document.value == {"status": "a"}


def test_at_shows_what_was_contested_then() -> None:
    """With the contenders of that time."""
    ws = workspace(Brief)
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "a"})
    version = bob.write(*AT, {"status": "b"}).version
    ws.resolve(only(ws), "c", by="editor")
    document = ws.get(*AT, at=version)
    assert document is not None
    assert values(document.contested[("status",)]) == ["a", "b"]
    assert shown(ws) == {"status": "c"}


@pytest.mark.parametrize("storage", ["memory"], indirect=True)  # its journal has a size
def test_at_beyond_the_journal_raises() -> None:
    """``HistoryExpiredError`` names the document and version; what the journal still has is given."""
    ws = workspace(Brief, journal=3)
    versions = [ws.agent("ada").write(*AT, {"votes": 1}).version for _ in range(10)]
    with pytest.raises(HistoryExpiredError, match="journal") as error:
        ws.get(*AT, at=versions[2])
    assert (error.value.namespace, error.value.key, error.value.version) == (*AT, versions[2])
    document = ws.get(*AT, at=versions[-2])
    assert document is not None and document.value == {"votes": 9}
    assert len(ws.history(*AT)) == 3
    assert shown(ws) == {"votes": 10}


@pytest.mark.parametrize("storage", ["memory"], indirect=True)  # its journal has a size
def test_a_document_older_than_the_journal_is_there_now() -> None:
    """The journal's limit takes no value, only the past."""
    ws = workspace(Brief, journal=2)
    ws.agent("ada").write(*AT, {"status": "a"})
    for number in range(5):
        ws.put(NS, f"other{number}", {"status": "x"})
    assert shown(ws) == {"status": "a"} and ws.history(*AT) == []
    assert ws.blame(*AT)[("status",)][0].agent == "ada"


def test_blame_names_the_agents_of_every_live_value() -> None:
    """Each scalar, element, key, span and item, a confirmation included."""
    ws = workspace(Brief)
    ada = ws.agent("ada")
    ada.write(*AT, {"status": "s", "tags": ["t"], "owners": {"k": "v"}})
    ada.write(*AT, {"body": "1.", "votes": 2, "steps": ["i"]})
    bob = ws.agent("bob")
    bob.write(*AT, {"status": "s", "tags": ["t", "u"], "body": "2.", "votes": 3, "steps": ["j"]})
    blame = ws.blame(*AT).items()
    assert {path: [(stripped(c.value), c.agents) for c in credits] for path, credits in blame} == {
        ("status",): [("s", ("ada", "bob"))],
        ("tags",): [("t", ("ada", "bob")), ("u", ("bob",))],
        ("owners", "k"): [("v", ("ada",))],
        ("body",): [("1.", ("ada",)), ("2.", ("bob",))],
        ("votes",): [(2, ("ada",)), (3, ("bob",))],
        ("steps",): [("i", ("ada",)), ("j", ("bob",))],
    }


def test_blame_forgets_who_wrote_what_is_gone() -> None:
    """A replaced value's agent is in the history, not in blame; of a missing document nobody is to blame."""
    ws = workspace(Brief)
    ws.agent("ada").write(*AT, {"status": "a"})
    ws.agent("bob").write(*AT, {"status": "b"})
    assert ws.blame(*AT)[("status",)][0].agents == ("bob",)
    assert ws.blame(NS, "none") == {}


def test_blame_of_a_contested_field_names_all() -> None:
    """Every live contender."""
    ws = workspace(Brief)
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "a"})
    bob.write(*AT, {"status": "b"})
    assert {(c.value, c.agent) for c in ws.blame(*AT)[("status",)]} == {("a", "ada"), ("b", "bob")}


def test_stats_count_writes_and_escalations() -> None:
    """By act and by state."""
    ws = workspace(Brief)
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "a"})
    bob.write(*AT, {"status": "b"})
    ws.resolve(only(ws), "c", by="editor")
    ws.put(NS, "other", {"votes": 1})
    stats = ws.stats()
    assert stats.documents == 2
    assert stats.writes == {"write": 2, "resolve": 1, "put": 1}
    assert stats.escalations == {"resolved": 1}


def test_history_of_a_task_has_its_origin() -> None:
    """The origin tells which task wrote."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    with tasks.run("node", step=3):
        ws.put(*AT, {"status": "a"})
    entry = ws.history(*AT)[0]
    assert (entry.agent, entry.origin, entry.act) == ("node", "3/node", "put")


# -- erasure ------------------------------------------------------------------------------------------


def test_purge_erases_content_and_journal() -> None:
    """Nothing of the document can be read any more."""
    ws = workspace(Brief)
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "secret", "body": "secret"})
    version = bob.write(*AT, {"status": "mystery"}).version
    ws.put(NS, "other", {"status": "kept"})
    ws.purge(*AT)
    assert shown(ws) is None and ws.blame(*AT) == {}
    assert ws.escalations(state="all") == []
    assert "secret" not in repr(ws.history(*AT)) and "mystery" not in repr(ws.history(*AT))
    assert b"secret" not in ws.export() and b"mystery" not in ws.export()
    with pytest.raises(HistoryExpiredError):
        ws.get(*AT, at=version)
    assert [d.key for d in ws.list(NS)] == ["other"] and len(ws.history(NS, "other")) == 1


def test_a_purged_document_does_not_come_back_from_a_replica() -> None:
    """The bare tombstone remains and travels."""
    one, other = (workspace(Brief, replica=name) for name in ("one", "other"))
    one.put(*AT, {"status": "secret"})
    other.import_(one.export())
    one.purge(*AT)
    one.import_(other.export())
    assert shown(one) is None and one.escalations() == []
    other.import_(one.export())
    assert shown(other) is None and b"secret" not in other.export()


def test_a_purged_document_can_be_written_anew() -> None:
    """It begins anew."""
    ws = workspace(Brief)
    ws.put(*AT, {"status": "secret", "tags": ["a"]})
    ws.purge(*AT)
    ws.agent("ada").write(*AT, {"tags": ["b"]})
    assert shown(ws) == {"tags": ["b"]}


def test_purging_what_is_not_there_is_no_error() -> None:
    """Nor is purging twice, or what was deleted."""
    ws = workspace(Brief)
    ws.purge(*AT)
    ws.put(*AT, {"status": "a"})
    ws.remove(*AT)
    ws.purge(*AT)
    ws.purge(*AT)
    assert shown(ws) is None
    with pytest.raises(StaleWriteError):
        ws.agent("ada").write(*AT, {"status": "b"}, if_version=1)


def test_the_journal_holds_no_earlier_texts() -> None:
    """Of an edit of a text the journal keeps the difference: a hundred edits do not keep a hundred texts."""
    ws = workspace(Brief)
    ada = ws.agent("ada")
    ada.write(NS, "k", {"body": " ".join(f"word{number}" for number in range(300))})
    for number in range(100):
        with ada.edit(NS, "k") as brief:
            brief.body = brief.body.replace(f"word{number} ", f"other{number} ")
    assert "other99 " in ws.get(NS, "k").value["body"]  # type: ignore[union-attr]
    schema = ws.registry.find(NS)
    changes = [change for row in ws.storage.rows(NS, "k") for change in changes_of(row, schema, ws.storage.replica)]

    assert len(changes) > 90
    cuts = [change.before for change in changes if isinstance(change.before, Spliced)]
    assert sum(len(hunk.was) for cut in cuts for hunk in cut.hunks) < 300
    assert not any(isinstance(change.before, Sequence) for change in changes)
    at = [entry.version for entry in ws.history(NS, "k")]
    assert "word50 " in ws.get(NS, "k", at=at[50]).value["body"]  # type: ignore[union-attr]
    assert "other50 " in ws.get(NS, "k", at=at[49]).value["body"]  # type: ignore[union-attr]


def test_a_version_that_is_not_there_yet_is_refused() -> None:
    """Reading or restoring a version beyond all that was written tells which versions there are; that of another
    document, later than all of this one's, is a time like others."""
    ws = workspace()
    first = ws.agent("ada").write(NS, KEY, {"a": 1}).version
    second = ws.agent("ada").write(NS, KEY, {"a": 2}).version
    later = max(second, ws.agent("ada").write(NS, "other", {"a": 1}).version)
    document = ws.get(NS, KEY, at=later)
    assert document is not None and document.version == second
    for refused in (lambda: ws.get(NS, KEY, at=later + 1), lambda: ws.restore(NS, KEY, later + 1, by="maria")):
        with pytest.raises(ConcordantError, match=f"no version of t:k yet; .* newest first: {second}, {first}$"):
            refused()
    with pytest.raises(ConcordantError, match="t:none yet; it has none"):
        ws.get(NS, "none", at=later + 1)
