"""Stores without a common database: what travels, who may meet, and what a name is for."""

from __future__ import annotations

import hashlib
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import (
    ConcordantError,
    CorruptFrameError,
    Counter,
    List,
    Map,
    Scalar,
    Set,
    StaleReplicaError,
    Text,
    Workspace,
)
from concordant.merge.record import leases

NOW = timedelta(0)
DAY = 86_400.0
AT = (("briefs",), "launch")


class Brief(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    tags: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, str], Map()] = {}
    body: Annotated[str, Text()] = ""
    votes: Annotated[int, Counter()] = 0
    steps: Annotated[list[str], List()] = []


def opened(name: str) -> Workspace:
    return Workspace(schemas={("briefs",): Brief}, replica=name)


def titles(workspace: Workspace) -> dict[str, Any]:
    return {document.key: document.value for document in workspace.list(())}


def test_frames_are_bounded_by_our_real_clock_however_many_come() -> None:
    """Each may be ahead of it by a day; that one was does not let the next be ahead of that."""
    ours, theirs = opened("ours"), opened("theirs")
    theirs.storage.advance(theirs.storage.time() + 0.9 * DAY)
    theirs.put(*AT, {"status": "tomorrow"})
    assert ours.import_(theirs.export()) == 1
    for _ in range(3):
        theirs.storage.advance(theirs.storage.time() + 0.5 * DAY)
        theirs.put(*AT, {"votes": 1})
        with pytest.raises(CorruptFrameError, match="not a time in the past"):
            ours.import_(theirs.export())
    document = ours.get(*AT)
    assert document is not None and document.value == {"status": "tomorrow"}
    assert ours.moment().time < time.time() + DAY


def test_only_what_is_new_to_the_other_travels() -> None:
    """A second exchange is as small as what was written since, in both directions."""
    one, two = opened("one"), opened("two")
    for number in range(20):
        body = "".join(hashlib.sha512(f"{number} {part}".encode()).hexdigest() for part in range(8))
        one.put(("briefs",), f"k{number}", {"status": "draft", "body": body})
    assert one.exchange(two) == (0, 20)
    full = len(one.export())
    assert len(one.export(two.version_vector())) < full / 5
    assert len(two.export(one.version_vector())) < full / 5, "what the other gave does not go back to it"
    two.put(("briefs",), "k3", {"votes": 1})
    assert len(two.export(one.version_vector())) < full / 5
    assert one.exchange(two) == (1, 0)
    assert titles(one) == titles(two)
    assert one.exchange(two) == (0, 0)


def test_what_is_known_by_way_of_a_third_store_does_not_travel_again() -> None:
    """A store that has all of another's by way of a third asks for nothing more."""
    one, two, three = opened("one"), opened("two"), opened("three")
    one.put(*AT, {"status": "draft", "body": "words " * 200})
    one.exchange(two)
    two.exchange(three)
    known = {name: n for name, n in one.version_vector().items() if n and name.startswith("one")}
    assert known and known.items() <= three.version_vector().items()
    assert len(one.export(three.version_vector())) < 500
    assert one.exchange(three) == (0, 0)


def test_every_sort_of_write_travels_in_a_delta() -> None:
    """Writes, edits, deletions, decisions, settings, purges: each is in the next delta."""
    one, two = opened("one"), opened("two")
    one.exchange(two)

    def travels() -> None:
        one.exchange(two)
        assert titles(one) == titles(two)
        for key in titles(one):
            mine, theirs = one.get(("briefs",), key), two.get(("briefs",), key)
            assert mine.setting("index") == theirs.setting("index")
        assert [e.id for e in one.escalations()] == [e.id for e in two.escalations()]

    ada, bob = one.agent("ada"), one.agent("bob")
    ada.write(*AT, {"status": "a"})
    travels()
    with one.agent("eve").edit(*AT) as brief:
        brief.tags.add("x")
    travels()
    bob.write(*AT, {"status": "b"})
    assert one.escalations()
    travels()
    one.resolve(one.escalations()[0], "b", by="ann")
    travels()
    one.put(*AT, {"status": "b"}, settings={"index": False})
    travels()
    one.remove(*AT)
    travels()
    assert titles(two) == {}
    one.put(("briefs",), "other", {"status": "o"})
    travels()
    one.purge(("briefs",), "other")
    travels()
    assert titles(two) == {}


def test_a_delta_that_leaves_a_gap_is_joined_but_not_taken_for_all() -> None:
    """What the gap left out still arrives later."""
    one, two = opened("one"), opened("two")
    one.put(("briefs",), "first", {"status": "1"})
    since = one.moment()
    one.put(("briefs",), "second", {"status": "2"})
    two.import_(one.export(since))
    assert titles(two) == {"second": {"status": "2"}}
    one.exchange(two)
    assert titles(two) == titles(one)


def test_a_delta_made_for_another_store_is_not_taken_for_all() -> None:
    """What it leaves out for being known there is asked for again here."""
    one, two, three = opened("one"), opened("two"), opened("three")
    one.put(("briefs",), "first", {"status": "1"})
    one.exchange(two)
    two.put(("briefs",), "second", {"status": "2"})
    three.import_(two.export(one.version_vector()))
    assert set(titles(three)) == {"second"}
    two.exchange(three)
    assert titles(three) == titles(two)


def test_g12_a_store_that_was_away_too_long_is_refused() -> None:
    """It would bring back what it never heard was deleted; an empty store that takes its name's place can go on."""
    one, two = opened("one"), opened("two")
    one.put(*AT, {"status": "draft"})
    one.put(("briefs",), "kept", {"status": "k"})
    one.exchange(two)
    old = two.export()
    one.remove(*AT)
    assert one.vacuum(deleted=NOW).documents == 1
    for meet in (lambda: one.import_(old), lambda: one.exchange(two), lambda: two.exchange(one)):
        with pytest.raises(StaleReplicaError, match="Start it anew") as caught:
            meet()
        assert caught.value.replica == "two"
    assert titles(one) == {"kept": {"status": "k"}} and one.refused()[-1].reason == caught.value.reason
    anew = opened("anew")
    one.exchange(anew)
    assert titles(anew) == titles(one)
    anew.put(("briefs",), "new", {"status": "n"})
    one.exchange(anew)
    assert set(titles(one)) == {"kept", "new"}


def test_a_store_that_heard_of_the_deletion_goes_on() -> None:
    """Forgetting what everybody knows does no harm."""
    one, two = opened("one"), opened("two")
    one.put(*AT, {"status": "draft"})
    one.exchange(two)
    one.remove(*AT)
    one.exchange(two)
    assert one.vacuum(deleted=NOW).documents == 1
    assert one.exchange(two) == (0, 0) or titles(one) == {}
    two.put(("briefs",), "new", {"status": "n"})
    one.exchange(two)
    assert titles(one) == titles(two) == {"new": {"status": "n"}}


def test_stores_that_never_had_anything_in_common_meet_whatever_they_forgot() -> None:
    """Nothing of the one can be what the other deleted."""
    one, two = opened("one"), opened("two")
    for ws in (one, two):
        ws.put(*AT, {"status": "draft"})
        ws.remove(*AT)
        assert ws.vacuum(deleted=NOW).documents == 1
        ws.put(("briefs",), ws.version_vector().popitem()[0], {"status": "s"})
    one.exchange(two)
    assert titles(one) == titles(two) and len(titles(one)) == 2


def test_a_store_restored_from_a_back_up_is_told_so(tmp_path: Path) -> None:
    """It is refused until it has a new name; then nothing of what either side wrote is lost."""
    path, backup = tmp_path / "one.db", tmp_path / "backup.db"
    with Workspace(f"sqlite:///{path}", schemas={("briefs",): Brief}, replica="one") as one:
        one.agent("ada").write(*AT, {"status": "a", "body": "One."})
        one.put(("briefs",), "twice", {"votes": 1})
        one.put(("briefs",), "twice", {"votes": 2})
    backup.write_bytes(path.read_bytes())
    two = Workspace(schemas={("briefs",): Brief}, replica="two")
    with Workspace(f"sqlite:///{path}", schemas={("briefs",): Brief}) as one:
        one.agent("ada").write(("briefs",), "late", {"status": "written after the back-up"})
        with one.agent("ada").edit(*AT) as brief:
            brief.body += "\nTwo."
        one.exchange(two)
    path.write_bytes(backup.read_bytes())
    with Workspace(f"sqlite:///{path}", schemas={("briefs",): Brief}) as restored:
        with pytest.raises(StaleReplicaError, match="back-up"):
            restored.exchange(two)
        name = restored.rename()
        assert name != "one" and restored.agent("x") is not None
        restored.agent("bob").write(("briefs",), "after", {"status": "restored"})
        with restored.agent("bob").edit(*AT) as brief:
            brief.body += "\nThree."
        restored.exchange(two)
        assert titles(restored) == titles(two)
        assert set(titles(two)) == {"launch", "twice", "late", "after"}
        body = two.get(*AT).value["body"]  # type: ignore[union-attr]
        assert body.startswith("One.") and "Two." in body and "Three." in body
        assert [c.agent for c in restored.blame(*AT)["status",]] == ["ada"]
    with Workspace(f"sqlite:///{path}", schemas={("briefs",): Brief}) as again:
        assert name in again.version_vector()
        assert titles(again) == titles(two)


def test_a_copy_with_the_same_name_is_refused_instead_of_confused(tmp_path: Path) -> None:
    """Two stores that write under one name cannot be told apart: the frame is refused, nothing is changed."""
    path, copy = tmp_path / "one.db", tmp_path / "copy.db"
    with Workspace(f"sqlite:///{path}") as one:
        one.put(("a",), "k", {"x": 1})
    copy.write_bytes(path.read_bytes())
    with Workspace(f"sqlite:///{path}") as one, Workspace(f"sqlite:///{copy}") as two:
        one.put(("a",), "mine", {"x": 1})
        two.put(("a",), "yours", {"x": 2})
        with pytest.raises(CorruptFrameError, match="this one's name"):
            one.import_(two.export())
        assert set(titles(one)) == {"k", "mine"}
        two.rename()
        two.put(("a",), "more", {"x": 3})


def test_what_both_wrote_is_exchanged_without_a_look_at_how_long_each_write_lasts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where no write has asked for an end, an exchange of what two stores wrote into a long text makes no leases: it
    would make one of each write that stands."""
    one, two = opened("one"), opened("two")
    one.put(*AT, {"body": "\n".join(f"Line {n}." for n in range(50))})
    two.import_(one.export())
    monkeypatch.setattr(leases, "_without_end", None)
    for number in range(3):
        for ws, agent in ((one, "ada"), (two, "bea")):
            with ws.agent(agent).edit(*AT) as brief:
                lines = brief.body.split("\n")
                lines[number * 4 + (ws is two)] = f"{agent} {number}."
                brief.body = "\n".join(lines)
        frame = one.export(two.version_vector())
        one.import_(two.export(one.version_vector()))
        two.import_(frame)
    assert titles(one) == titles(two)


def test_a_document_is_as_old_as_the_oldest_write_that_stands_in_it() -> None:
    """Where an undo has put back what was written before the document was deleted and written again, an exchange says
    so in both stores, though both wrote."""
    one, two = opened("one"), opened("two")
    one.agent("bob").write(*AT, {"tags": {"old"}})
    two.import_(one.export())
    [before] = [document.created_at for document in one.list(())]
    one.agent("eve").delete(*AT)
    one.agent("ada").write(*AT, {"tags": {"new"}})
    one.undo(agent="eve", by="maria", dry_run=False)
    two.import_(one.export(two.version_vector()))
    one.import_(two.export(one.version_vector()))
    for ws in (one, two):
        with ws.agent("ada").edit(*AT) as brief:
            brief.tags.add(f"from {ws.storage.replica}")
    frame = one.export(two.version_vector())
    one.import_(two.export(one.version_vector()))
    two.import_(frame)
    for ws in (one, two):
        document = ws.get(*AT)
        assert document is not None and document.created_at == before


@pytest.mark.parametrize("since", ["yesterday", 5, {"one": "x"}, [1]])
def test_a_since_that_is_none_is_refused(since: Any) -> None:
    """With an error that says what to give."""
    with pytest.raises(ConcordantError, match="version_vector"):
        Workspace().export(since)


@pytest.mark.parametrize("age", [5, "90 days", timedelta(days=-1)])
def test_an_age_that_is_none_is_refused(age: Any) -> None:
    """With an error that names the argument."""
    with pytest.raises(ConcordantError, match="deleted="):
        Workspace().vacuum(deleted=age)


@pytest.mark.parametrize("name", ["", 5])
def test_a_name_that_is_none_is_refused(name: Any) -> None:
    """With an error of ours."""
    with pytest.raises(ConcordantError, match="name"):
        Workspace().rename(name)
