"""Documents that live for a time: expired ones read as deleted, lose to any write after it, leave no trace in it."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import (
    Counter,
    InvalidWriteError,
    List,
    Map,
    Scalar,
    Set,
    StaleDecisionError,
    StaleWriteError,
    Text,
    Workspace,
)
from concordant.merge.record import dump_record, load_record

from .support import AT, NS, Tasks, kinds, only, pair, recorded, shown, wait, workspace


class Brief(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    tags: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, str], Map()] = {}
    body: Annotated[str, Text()] = ""
    votes: Annotated[int, Counter()] = 0
    steps: Annotated[list[str], List()] = []


OLD: dict[str, Any] = {
    "status": "old",
    "tags": ["a"],
    "owners": {"x": "1"},
    "body": "One.",
    "votes": 3,
    "steps": ["s"],
}
NEW: dict[str, Any] = {
    "status": "new",
    "tags": ["b"],
    "owners": {"y": "2"},
    "body": "Two.",
    "votes": 2,
    "steps": ["t"],
}


def life(ws: Workspace) -> float:
    """For how many seconds the document lives on, to the nearest ten: real time goes on while a test runs."""
    document = ws.get(*AT)
    assert document is not None and document.expires_at is not None
    return round(document.expires_at.timestamp() - ws.storage.time(), -1)


@pytest.mark.parametrize("model", [Brief, None])
def test_an_expired_document_is_gone(model: Any) -> None:
    """It is neither read nor listed, by whatever way, nor are its escalations."""
    ws = workspace(model)
    ada, bob = pair(ws)
    ws.put(*AT, {"status": "a"}, ada.scope, ttl=60)
    ws.put(*AT, {"status": "b"}, bob.scope, ttl=60)
    question = only(ws)
    wait(61, ws)
    assert ws.get(*AT) is None
    assert ada.read(*AT) is None
    assert ws.read_current(*AT) is None
    assert ws.document_current(*AT) is None
    assert [*ws.list()] == [*ws.documents_current(NS)] == ws.escalations() == []
    assert ws.blame(*AT) == {}
    with pytest.raises(StaleDecisionError):
        ws.resolve(question, "a", by="maria")
    with pytest.raises(StaleDecisionError):
        ws.claim(question, by="maria")


@pytest.mark.parametrize("model", [Brief, None])
@pytest.mark.parametrize("swept", [False, True])
def test_a_write_after_it_begins_the_document_anew(model: Any, swept: bool) -> None:
    """Nothing of what expired is in it, is a contender of it, or counts towards it, whoever writes."""
    for way in ("write", "put", "edit"):
        ws = workspace(model)
        ada, bob = pair(ws)
        ws.put(*AT, OLD, ada.scope, ttl=60)
        wait(61, ws)
        if swept:
            assert ws.sweep() == 1
        wait(60, ws)
        if way == "write":
            bob.write(*AT, NEW)
        elif way == "put":
            ws.put(*AT, NEW)
        else:
            with bob.edit(*AT) as brief:
                if model is None:
                    brief.update(NEW)
                else:
                    vars(brief).update({**NEW, "tags": {"b"}})
        document = ws.get(*AT)
        assert document is not None
        assert document.value == NEW, way
        assert document.expires_at is None
        assert document.created_at == document.updated_at
        assert ws.escalations(state="all") == []
        assert {agent for credits in ws.blame(*AT).values() for c in credits for agent in c.agents} <= {
            "bob",
            "anonymous",
        }


def test_an_edit_that_meets_the_end_keeps_what_it_held() -> None:
    """Who opened a document in time and closes it too late writes all that was in his hands, not his changes alone."""
    ws = workspace(Brief)
    ada = ws.agent("ada")
    ws.put(*AT, OLD, ada.scope, ttl=60)
    with ada.edit(*AT) as brief:
        brief.steps.append("t")
        brief.votes += 1
        wait(61, ws)
        assert shown(ws) is None
    assert shown(ws) == {**OLD, "steps": ["s", "t"], "votes": 4}


def test_a_put_of_what_was_read_in_time_is_whole() -> None:
    """A read, the end, and a put of the value with a change: the value stands as on a plain store."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    ws.put(*AT, OLD, ttl=60)
    with tasks.run("node"):
        value = ws.read_current(*AT).value  # type: ignore[union-attr]
        wait(61, ws)
        ws.put(*AT, {**value, "votes": 5, "body": "One. More."})
    assert shown(ws) == {**OLD, "votes": 5, "body": "One. More."}


def test_a_deletion_after_the_end_does_nothing() -> None:
    """It leaves no mark that a later write could conflict with."""
    ws = workspace(Brief)
    ada, bob = pair(ws)
    first = ws.put(*AT, OLD, ada.scope, ttl=60).version
    wait(61, ws)
    version = ada.delete(*AT).version
    assert version == first and [entry.act for entry in ws.history(*AT)] == ["put"]
    bob.write(*AT, NEW)
    assert shown(ws) == NEW
    assert ws.escalations(state="all") == []


def test_each_put_says_how_long_the_document_lives() -> None:
    """The last of several in sequence counts, shorter or without an end; other ways of writing leave it alone."""
    ws = workspace(Brief)
    ws.put(*AT, OLD, ttl=600)
    ws.put(*AT, OLD, ttl=60)
    assert life(ws) == 60
    wait(10, ws)
    ws.agent("ada").write(*AT, {"tags": ["c"]})
    with ws.agent("ada").edit(*AT) as brief:
        brief.status = "newer"
    assert life(ws) == 50
    ws.put(*AT, {"status": "newest"}, ttl=None)
    assert ws.get(*AT).expires_at is None  # type: ignore[union-attr]
    ws.put(*AT, {"status": "newest"}, ttl=float("inf"))
    wait(10_000, ws)
    assert shown(ws) is not None


@pytest.mark.parametrize("lives", [(60, None), (None, 60), (60, 600), (600, 60)])
def test_of_concurrent_puts_the_longest_counts(lives: tuple[float | None, float | None]) -> None:
    """Nobody's write goes because somebody else's was meant to be short."""
    ws = workspace(Brief)
    for writer, ttl in zip(pair(ws), lives, strict=True):
        ws.put(*AT, {"tags": [writer.name]}, writer.scope, ttl=ttl)
    wait(61, ws)
    assert shown(ws) == {"tags": ["ada", "bob"]}
    ws.put(*AT, {"status": "over"}, ws.agent("cyd").scope, ttl=60)
    assert life(ws) == 60, "cyd has seen both"


def test_a_concurrent_put_without_an_end_keeps_a_document_that_had_none() -> None:
    """What nobody ever limited stays, though the only put that gives it an end came last."""
    ws = workspace(Brief)
    ada, bob = pair(ws)
    ada.write(*AT, {"tags": ["a"], "steps": ["s"]})
    ws.put(*AT, {"tags": ["b"]}, bob.scope, ttl=60)
    wait(61, ws)
    assert shown(ws) == {"tags": ["a", "b"], "steps": ["s"]}


def test_a_touch_is_no_update() -> None:
    """It moves the end of a living document, and neither its version, its times nor its history."""
    ws = workspace(Brief)
    ada = ws.agent("ada")
    ws.put(*AT, OLD, ada.scope, ttl=60)
    before = ws.get(*AT)
    assert before is not None
    cursor, _ = ws.changes()
    for _ in range(5):
        wait(50, ws)
        ws.touch([before])
    after = ws.get(*AT)
    assert after == before
    assert (after.created_at, after.updated_at) == (before.created_at, before.updated_at)
    assert life(ws) == 60
    assert len(ws.history(*AT)) == 1
    assert ws.changes(cursor)[1] == []
    ada.write(*AT, {"votes": 1}, if_version=before.version)
    wait(61, ws)
    ws.touch([before])
    assert shown(ws) is None, "what has expired does not come back by a touch"


def test_a_version_is_asked_for_as_if_the_document_were_deleted() -> None:
    """``if_version=0`` takes an expired document for one that does not exist."""
    ws = workspace(Brief)
    ws.put(*AT, OLD, ttl=60)
    wait(61, ws)
    with pytest.raises(StaleWriteError):
        ws.agent("ada").write(*AT, NEW, if_version=1)
    ws.agent("ada").write(*AT, NEW, if_version=0)
    assert shown(ws) == NEW


def test_the_past_is_as_it_was() -> None:
    """Time travel shows an expired document at each version, and nothing at the version of its sweep."""
    ws = workspace(Brief)
    versions = [ws.put(*AT, {"votes": votes}, ttl=60).version for votes in (1, 2)]
    wait(61, ws)
    assert ws.get(*AT, at=versions[0]).value["votes"] == 1  # type: ignore[union-attr]
    assert ws.sweep() == 1
    swept = ws.history(*AT)[0]
    assert (swept.act, swept.value, swept.agent) == ("expire", None, "")
    versions += [swept.version, ws.put(*AT, {"votes": 5}).version]
    values = [document and document.value["votes"] for document in (ws.get(*AT, at=n) for n in versions)]
    assert values == [1, 3, None, 5]


def test_the_sweep_closes_escalations() -> None:
    """Each once, as superseded, with its event."""
    ws = workspace(Brief)
    ada, bob = pair(ws)
    events = recorded(ws)
    ws.put(*AT, {"status": "a"}, ada.scope, ttl=60)
    ws.put(*AT, {"status": "b"}, bob.scope, ttl=60)
    assert ws.sweep() == 0
    wait(61, ws)
    assert ws.sweep() == 1
    assert ws.sweep() == 0
    assert kinds(events) == ["opened", "superseded"]
    assert only(ws, "superseded").path == ("status",)


def test_a_write_anew_closes_escalations_too() -> None:
    """What was asked about a document that is over is asked no more."""
    ws = workspace(Brief)
    ada, bob = pair(ws)
    events = recorded(ws)
    ws.put(*AT, {"status": "a"}, ada.scope, ttl=60)
    ws.put(*AT, {"status": "b"}, bob.scope, ttl=60)
    wait(61, ws)
    ada.write(*AT, {"status": "c"})
    assert shown(ws) == {"status": "c"}
    assert kinds(events) == ["opened", "superseded"]


def test_the_sweep_frees_what_no_other_store_knows() -> None:
    """Where nothing was ever exported only the journal keeps the content; elsewhere the record does."""
    for exported in (False, True):
        ws = workspace(Brief)
        ws.put(*AT, OLD, ttl=60)
        if exported:
            ws.export()
        wait(61, ws)
        assert ws.sweep() == 1
        state: Any = ws.storage.load(*AT)
        assert bool(state.tree) == exported
        assert shown(ws) is None


def test_the_sweep_tells_of_what_it_cleared() -> None:
    """Whoever keeps a view of the documents hears of the end."""
    ws = workspace(Brief)
    ws.put(*AT, OLD, ttl=60)
    cursor, _ = ws.changes()
    wait(61, ws)
    ws.sweep()
    assert ws.changes(cursor)[1] == [AT]


def replicas(*names: str) -> list[Workspace]:
    return [workspace(Brief, replica=name) for name in names]


def test_a_replica_that_did_not_hear_of_a_refresh_hears_of_it_later() -> None:
    """Of two ends the later one holds, wherever the sweep has been, and an update in time keeps the whole document."""
    for swept in (False, True):
        for update in (False, True):
            one, other = replicas("one", "other")
            one.put(*AT, OLD, ttl=60)
            other.import_(one.export())
            wait(50, one, other)
            before = one.moment()
            one.touch([one.get(*AT)])  # type: ignore[list-item]
            if update:
                one.agent("ada").write(*AT, {"tags": ["b"]})
            wait(20, one, other)
            if swept:
                assert other.sweep() == 1
            assert shown(other) is None
            other.import_(one.export(since=before))
            expected = {**OLD, "tags": ["a", "b"]} if update else OLD
            assert shown(other) == shown(one) == expected
            assert life(other) == life(one) == 40
            one.import_(other.export())
            assert shown(one) == expected
            assert one.escalations(state="all") == []


def test_what_expired_here_loses_to_what_was_written_there_after_it() -> None:
    """A document that another replica made later, without having heard of the expired one, is not mixed with it."""
    for ttl in (None, 600):
        one, other = replicas("one", "other")
        one.put(*AT, OLD, ttl=60)
        wait(61, one, other)
        other.put(*AT, {"status": "new"}, ttl=ttl)
        one.import_(other.export())
        other.import_(one.export())
        assert shown(one) == shown(other) == {"status": "new"}
        assert one.escalations() == other.escalations() == []
        one.put(*AT, {"votes": 1}, ttl=ttl)
        other.import_(one.export())
        assert shown(one) == shown(other) == {"status": "new", "votes": 1}


def test_nothing_expired_comes_back_from_a_replica() -> None:
    """Old frames, before and after the sweep and after a new life has begun, bring nothing back."""
    one, other = replicas("one", "other")
    one.put(*AT, OLD, ttl=60)
    old = one.export()
    other.import_(old)
    wait(61, one, other)
    for ws in (one, other):
        ws.import_(old)
        assert shown(ws) is None
    one.sweep()
    one.import_(other.export())
    assert shown(one) is None
    one.agent("ada").write(*AT, {"status": "new"})
    one.import_(old)
    other.import_(one.export())
    other.import_(old)
    assert shown(one) == shown(other) == {"status": "new"}


def test_a_retried_put_lives_from_its_retry_on() -> None:
    """An equal put of a second execution changes the end and nothing else; after the end it is there again."""
    ws = workspace(Brief)
    tasks = Tasks(ws)
    with tasks.run("node", execution=1):
        ws.put(*AT, {"votes": 1}, ttl=60)
    wait(50, ws)
    with tasks.run("node", execution=2):
        ws.put(*AT, {"votes": 1}, ttl=60)
    assert (shown(ws), life(ws), len(ws.history(*AT))) == ({"votes": 1}, 60, 1)
    wait(61, ws)
    with tasks.run("node", execution=3):
        assert ws.read_current(*AT) is None
        ws.put(*AT, {"votes": 1}, ttl=60)
    assert shown(ws) == {"votes": 1}


def test_a_retry_takes_nothing_back_from_a_new_life() -> None:
    """What an execution did to a document that has expired since is no longer there to be taken back."""
    ws = Workspace()
    tasks = Tasks(ws)
    ws.put(*AT, {"a": 1, "b": 1}, ttl=60)
    with tasks.run("node", execution=1):
        ws.read_current(*AT)
        ws.put(*AT, {"a": 2}, ttl=60)  # takes b away
    wait(61, ws)
    ws.put(*AT, {"c": 1})
    with tasks.run("node", execution=2):
        assert ws.read_current(*AT).value == {"c": 1}  # type: ignore[union-attr]
        ws.put(*AT, {"c": 1, "a": 3})
    assert shown(ws) == {"c": 1, "a": 3}
    assert ws.escalations(state="all") == []


def test_bad_times_to_live_are_refused() -> None:
    """With our own error, nothing applied and nothing remembered of the attempt."""
    ws = workspace(Brief)
    ws.put(*AT, {"votes": 1})
    for bad in ("soon", float("nan"), True, [1]):
        with pytest.raises(InvalidWriteError, match="time to live"):
            ws.put(*AT, {"votes": 2}, ttl=bad)  # type: ignore[arg-type]
        with pytest.raises(InvalidWriteError, match="time to live"):
            ws.put_all([(NS, "other", {"votes": 2}), (*AT, {"votes": 2}, None, bad)])
    assert [document.value for document in ws.list()] == [{"votes": 1}]
    for over in (0, -5):
        ws.put(*AT, {"votes": 2}, ttl=over)
        assert shown(ws) is None


def test_a_record_keeps_its_leases_in_its_bytes() -> None:
    """All of it for this store; what only this store knows stays out of a frame."""
    ws = workspace(Brief)
    ada, bob = pair(ws)
    ws.put(*AT, OLD, ada.scope, ttl=60)
    ws.put(*AT, NEW, bob.scope, ttl=None)
    ws.touch([ws.get(*AT)])  # type: ignore[list-item]
    record: Any = ws.storage.load(*AT)
    record.swept, record.touched, record.reborn = True, 7, 5.0
    again = load_record(dump_record(record))
    assert again.leases == record.leases and len(again.leases) == 2
    assert (again.swept, again.touched, again.reborn) == (True, 7, 5.0)
    abroad = load_record(dump_record(record, local=False))
    assert abroad.leases == record.leases
    assert (abroad.swept, abroad.touched, abroad.reborn) == (False, 0, 0.0)
