"""What a view needs of a workspace: which documents changed, what is said beside a value, what was there before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from concordant import DELETED, InvalidWriteError, Moment, Scalar, Schema, Set, Workspace

NS = ("docs",)
OPEN = ("open",)
LONG_AGO = datetime(2020, 5, 1, 12, 0, 0, 250, tzinfo=UTC)


class Doc(BaseModel):
    tags: Annotated[set[str], Set()]
    status: Annotated[str | None, Scalar()] = None
    rank: Annotated[int, Scalar(), Field(ge=0)] = 0


def workspace() -> Workspace:
    return Workspace(schemas={NS: Doc})


# -- changes -------------------------------------------------------------------------------------------------------


def test_changes_begin_with_all_documents() -> None:
    """Without a cursor all documents are told, deleted ones included."""
    ws = workspace()
    ada = ws.agent("ada")
    ada.write(NS, "a", {"status": "x"})
    ada.write(OPEN, "b", {"n": 1})
    ada.delete(OPEN, "b")
    assert sorted(ws.changes()[1]) == [(NS, "a"), (OPEN, "b")]


def test_changes_are_told_once_each_by_cursor() -> None:
    """A cursor gives each document that changed since, once, however often; other cursors are not moved by that."""
    ws = workspace()
    ada = ws.agent("ada")
    first, _ = ws.changes()
    for status in "xyz":
        ada.write(NS, "a", {"status": status})
    ada.write(NS, "b", {"status": "x"})
    second, told = ws.changes(first)
    assert told == [(NS, "a"), (NS, "b")]
    assert ws.changes(second)[1] == []
    ada.write(NS, "a", {"status": "w"})
    assert ws.changes(second)[1] == [(NS, "a")]
    assert ws.changes(first)[1] == [(NS, "b"), (NS, "a")]


def test_every_way_of_writing_is_a_change() -> None:
    """Writes, puts, edits, deletions, decisions, imports, purges and adoptions are all told."""
    ws, other = workspace(), workspace()
    ada, bob = ws.agent("ada"), ws.agent("bob")
    cursor: Any = ws.changes()[0]

    def changed() -> list[str]:
        nonlocal cursor
        cursor, found = ws.changes(cursor)
        return [key for _, key in found]

    ada.write(NS, "a", {"status": "x"})
    assert changed() == ["a"]
    bob.write(NS, "a", {"status": "y"})
    assert changed() == ["a"]
    ws.resolve(ws.escalations()[0], "y", by="maria")
    assert changed() == ["a"]
    ada.refresh()
    bob.refresh()
    ada.write(NS, "a", {"status": "v"})
    bob.write(NS, "a", {"status": "w"})
    changed()
    ws.dismiss(ws.escalations()[0], by="maria")
    assert changed() == ["a"]
    with ada.edit(NS, "a") as doc:
        doc.tags.add("t")
    assert changed() == ["a"]
    ws.put(NS, "b", {"status": "x"})
    assert changed() == ["b"]
    ws.put_all([(NS, "b", {"status": "z"}, None), (NS, "c", None, None), (NS, "d", {"tags": ["t"]}, None)])
    assert sorted(changed()) == ["b", "d"]
    ws.remove(NS, "b")
    assert changed() == ["b"]
    ws.purge(NS, "d")
    assert changed() == ["d"]
    other.agent("eve").write(NS, "e", {"status": "x"})
    ws.import_(other.export())
    assert changed() == ["e"]
    ws.adopt(NS, "f", {"status": "x"}, by="archive")
    assert changed() == ["f"]


def test_a_failed_batch_hides_no_later_change() -> None:
    """After a batch that was taken back, each later change is told to every cursor."""
    ws = workspace()
    ws.put(NS, "a", {"status": "x"})
    cursor = ws.changes()[0]
    ws.put(NS, "a", {"status": "y"})
    with pytest.raises(InvalidWriteError):
        ws.put_all([(NS, "a", {"status": "z"}, None), (NS, "b", {"nope": 1}, None)])
    ws.put(NS, "c", {"status": "x"})
    cursor, told = ws.changes(cursor)
    assert {key for _, key in told} >= {"a", "c"}
    ws.put(NS, "d", {"status": "x"})
    assert [key for _, key in ws.changes(cursor)[1]] == ["d"]


# -- settings ------------------------------------------------------------------------------------------------------


def setting(ws: Workspace, key: str = "a") -> Any:
    document = ws.get(NS, key)
    assert document is not None
    return document.setting("index")


def test_a_setting_stays_whoever_writes_the_value() -> None:
    """What a put says beside the value stays through later writes, edits and decisions, until a put says otherwise."""
    ws = workspace()
    ws.put(NS, "a", {"tags": ["x"]}, settings={"index": ["tags[*]"]})
    ada, bob = ws.agent("ada"), ws.agent("bob")
    ada.write(NS, "a", {"status": "x"})
    bob.write(NS, "a", {"status": "y"})
    ws.resolve(ws.escalations()[0], "y", by="maria")
    with ada.edit(NS, "a") as doc:
        doc.tags.add("z")
    ws.put(NS, "a", {"tags": ["w"]})
    assert setting(ws) == ["tags[*]"]
    ws.put(NS, "a", {"tags": ["w"]}, settings={"index": False})
    assert setting(ws) is False
    ws.put(NS, "a", {"tags": ["w"]}, settings={"index": None})
    assert setting(ws) is None
    assert ws.get(NS, "a").value == {"tags": ["x", "z", "w"], "status": "y"}  # type: ignore[union-attr]


def test_a_setting_alone_is_a_change() -> None:
    """A put of an equal value that says something else beside it gives the document a new version."""
    ws = workspace()
    with ws.acting_as("ada"):
        before = ws.put(NS, "a", {"status": "x"}, settings={"index": False}).version
        cursor, _ = ws.changes()
        same = ws.put(NS, "a", {"status": "x"}, settings={"index": False})
        other = ws.put(NS, "a", {"status": "x"}, settings={"index": ["status"]})
    assert same.version >= before < other.version
    assert ws.changes(cursor)[1] == [(NS, "a")]
    assert setting(ws) == ["status"]


def test_settings_never_escalate_and_replicas_agree_on_them() -> None:
    """Concurrent settings make no question, the newest stands, on every replica and in whatever order they came."""
    one, two = workspace(), workspace()
    one.put(NS, "a", {"tags": ["x"]}, settings={"index": False})
    two.put(NS, "a", {"tags": ["y"]}, settings={"index": ["tags[*]"]})
    frames = one.export(), two.export()
    one.import_(frames[1])
    two.import_(frames[0])
    three = workspace()
    for frame in frames:
        three.import_(frame)
    assert setting(one) == setting(two) == setting(three) == ["tags[*]"]
    assert one.escalations() == two.escalations() == []
    assert one.import_(frames[1]) == 0


def test_a_failed_batch_takes_its_settings_back() -> None:
    """A batch that fails leaves what was remembered before it."""
    ws = workspace()
    ws.put(NS, "a", {"status": "x"}, settings={"index": False})
    with pytest.raises(InvalidWriteError):
        ws.put_all([(NS, "a", {"status": "y"}, {"index": None}), (NS, "b", {"nope": 1}, None)])
    assert setting(ws) is False


def test_a_purge_forgets_settings() -> None:
    """Nothing that was said beside a purged value comes back with a new one."""
    ws = workspace()
    ws.put(NS, "a", {"status": "x"}, settings={"index": False})
    ws.purge(NS, "a")
    ws.agent("ada").write(NS, "a", {"status": "y"})
    assert setting(ws) is None


# -- adoption ------------------------------------------------------------------------------------------------------


def test_what_is_adopted_was_there_before_everybody() -> None:
    """Scopes that began before an adoption have seen it: their writes and deletions replace it without a question."""
    ws = workspace()
    ada, bob = ws.agent("ada"), ws.agent("bob")
    for key in "abc":
        assert ws.adopt(NS, key, {"tags": ["old"], "status": "old"}, by="archive", updated_at=LONG_AGO) > 0
    ada.write(NS, "a", {"status": "new"})
    ada.delete(NS, "b")
    with ws.acting_as("eve"):
        ws.put(NS, "c", {"status": "new"})
    bob.write(NS, "a", {"tags": ["bob"]})
    assert ws.get(NS, "a").value == {"tags": ["old", "bob"], "status": "new"}  # type: ignore[union-attr]
    assert ws.get(NS, "b") is None
    assert ws.get(NS, "c").value["status"] == "new"  # type: ignore[union-attr]
    assert ws.escalations() == []


def test_what_is_adopted_was_there_whatever_its_clock() -> None:
    """Times that another machine's clock gave, ahead of ours, make no conflict with scopes that go by time."""
    ws = workspace()
    began = Moment("elsewhere", 1, ws.moment().time - 60)
    ahead = datetime.now(UTC) + timedelta(hours=1)
    ws.adopt(NS, "a", {"status": "old"}, by="archive", updated_at=ahead)
    ws.agent("ada", began=began).write(NS, "a", {"status": "new"})
    assert ws.escalations() == [] and ws.get(NS, "a").value == {"status": "new"}  # type: ignore[union-attr]


def test_what_is_adopted_keeps_its_times_and_is_credited() -> None:
    """created_at and updated_at are those given, a later write moves the second alone; blame names the source."""
    ws = workspace()
    later = LONG_AGO + timedelta(days=1)
    ws.adopt(NS, "a", {"status": "old"}, by="archive", created_at=LONG_AGO, updated_at=later)
    document = ws.get(NS, "a")
    assert document is not None
    assert (document.created_at, document.updated_at) == (LONG_AGO, later)
    assert ws.blame(NS, "a")[("status",)][0].agent == "archive"
    assert [(entry.act, entry.value) for entry in ws.history(NS, "a")] == [("adopt", {"status": "old"})]
    ws.agent("ada").write(NS, "a", {"status": "new"})
    document = ws.get(NS, "a")
    assert document is not None
    assert document.created_at == LONG_AGO and document.updated_at > later


def test_an_adoption_changes_nothing_that_is_or_was_there() -> None:
    """What was written, or deleted, here is not replaced, and a second adoption does nothing."""
    ws = workspace()
    ws.agent("ada").write(NS, "a", {"status": "here"})
    gone = ws.agent("ada")
    gone.write(NS, "b", {"status": "here"})
    gone.delete(NS, "b")
    assert [ws.adopt(NS, key, {"status": "old"}, by="archive") for key in "ab"] == [0, 0]
    assert ws.get(NS, "a").value == {"status": "here"} and ws.get(NS, "b") is None  # type: ignore[union-attr]
    assert ws.adopt(NS, "c", {"status": "old"}, by="archive") > 0
    assert ws.adopt(NS, "c", {"status": "other"}, by="archive") == 0


def test_two_replicas_that_adopt_the_same_agree() -> None:
    """The same item adopted twice is one write, and of two states of it the later stands, with no question."""
    one, two = workspace(), workspace()
    one.adopt(NS, "a", {"status": "old", "tags": ["t"]}, by="archive", updated_at=LONG_AGO)
    two.adopt(NS, "a", {"status": "old", "tags": ["t"]}, by="archive", updated_at=LONG_AGO)
    one.adopt(NS, "b", {"status": "older"}, by="archive", updated_at=LONG_AGO)
    two.adopt(NS, "b", {"status": "newer"}, by="archive", updated_at=LONG_AGO + timedelta(seconds=1))
    one.import_(two.export())
    two.import_(one.export())
    for ws in (one, two):
        assert ws.get(NS, "a").value == {"status": "old", "tags": ["t"]}  # type: ignore[union-attr]
        assert ws.get(NS, "b").value == {"status": "newer"}  # type: ignore[union-attr]
        assert ws.escalations() == []


@pytest.mark.parametrize(
    "value", [{"nope": 1}, {"rank": "many"}, {"rank": -1}, {"tags": 5}, ["no", "mapping"], {"status": object()}]
)
def test_what_does_not_fit_is_not_adopted(value: Any) -> None:
    """A value that does not fit the model as it is raises, with its faults, and nothing is there."""
    ws = workspace()
    with pytest.raises(InvalidWriteError) as refused:
        ws.adopt(NS, "a", value, by="archive")
    assert refused.value.faults
    assert ws.get(NS, "a") is None and ws.changes()[1] == []


def test_what_does_not_fit_is_told_as_a_write_is_that_must_be_valid() -> None:
    """Each fault has its place and its mend, whatever the namespace does with values of a wrong type."""
    lax, strict = workspace(), Workspace(schemas={NS: Schema(Doc, on_invalid="raise")})
    wrong = {"rank": "many", "tags": 5}
    with pytest.raises(InvalidWriteError) as adopted:
        lax.adopt(NS, "a", wrong, by="archive")
    with pytest.raises(InvalidWriteError) as written:
        strict.put(NS, "a", wrong)
    assert adopted.value.faults == written.value.faults and len(adopted.value.faults) == 2


def test_an_update_of_what_was_adopted_meets_a_deletion_of_it() -> None:
    """A deletion and an update of an adopted document, concurrent with each other, are a question as ever."""
    ws = workspace()
    ws.adopt(NS, "a", {"status": "old"}, by="archive", updated_at=LONG_AGO)
    ada, bob = ws.agent("ada"), ws.agent("bob")
    ada.write(NS, "a", {"status": "new"})
    bob.delete(NS, "a")
    [question] = ws.escalations()
    assert question.reason == "delete" and DELETED in [c.value for c in question.contenders]
