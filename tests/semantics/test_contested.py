"""A contested field: what reads give, what writes do to it, how it closes without a decision."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import ContestedError, Scalar, Set, Workspace

from .support import AT, NS, kinds, only, pair, recorded, shown, sides, values, workspace


class Brief(BaseModel):
    status: Annotated[str, Scalar()] = "new"
    other: Annotated[int | None, Scalar()] = None
    tags: Annotated[set[str], Set()] = set()


class Sticky(BaseModel):
    status: Annotated[str | None, Scalar(sticky=True)] = None


def contested(ws: Workspace, base: str | None = "agreed") -> None:
    """``status`` is "a" by ada against "b" by bob."""
    if base is not None:
        ws.agent("eve").write(*AT, {"status": base})
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "a"})
    bob.write(*AT, {"status": "b"})


def test_a_read_gives_the_last_agreed_value() -> None:
    """In ``value`` and in ``model``; ``contested`` tells, by path."""
    ws = workspace(Brief)
    contested(ws)
    document = ws.get(*AT)
    assert document is not None
    assert document.value == {"status": "agreed"} and document.model.status == "agreed"
    assert document.contested == {("status",): only(ws)}
    assert only(ws).base == "agreed"


def test_without_an_agreed_value_the_field_is_absent() -> None:
    """Absent from ``value``, the default in ``model``; no sentinel stands in either."""
    ws = workspace(Brief)
    contested(ws, base=None)
    document = ws.get(*AT)
    assert document is not None
    assert document.value == {} and document.model == Brief(status="new")


def test_without_a_model_and_agreement_the_first_value_is_shown() -> None:
    """So that a key a node just put never goes missing."""
    ws = workspace()
    contested(ws, base=None)
    assert shown(ws) == {"status": "a"}


def test_without_a_model_the_agreed_value_is_shown() -> None:
    """Where there is one, as where there is a model."""
    ws = workspace()
    contested(ws)
    assert shown(ws) == {"status": "agreed"} and only(ws).base == "agreed"


def test_the_agreed_value_is_the_newest_that_a_live_entry_replaced() -> None:
    """A writer that began from an older value does not turn the agreed value back."""
    ws = workspace(Brief)
    ws.agent("eve").write(*AT, {"status": "one"})
    stale = ws.agent("stale")
    ws.agent("eve").write(*AT, {"status": "two"})
    late = ws.agent("late")
    late.write(*AT, {"status": "l"})
    stale.write(*AT, {"status": "s"})
    assert only(ws).base == "two" and shown(ws) == {"status": "two"}


def test_the_agreed_value_is_carried_on() -> None:
    """An entry that replaces a contender carries on what that carried: the agreed value stays."""
    ws = workspace(Brief)
    ws.agent("eve").write(*AT, {"status": "agreed"})
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "a"})
    bob.write(*AT, {"status": "b"})
    for number in range(5):
        ada.write(*AT, {"status": f"a{number}"})
        bob.write(*AT, {"status": f"b{number}"})
    assert only(ws).base == "agreed" and shown(ws) == {"status": "agreed"}
    assert sides(only(ws)) == {"ada": "a4", "bob": "b4"}


def test_other_fields_are_not_held_up() -> None:
    """A conflict freezes its own path alone."""
    ws = workspace(Brief)
    contested(ws)
    ws.agent("joe").write(*AT, {"other": 1, "tags": ["x"]})
    assert shown(ws) == {"status": "agreed", "other": 1, "tags": ["x"]}
    assert len(ws.escalations()) == 1


def test_a_strict_read_raises() -> None:
    """``ContestedError`` has the document; a plain read does not raise, of another document neither."""
    ws = workspace(Brief)
    contested(ws)
    ws.agent("joe").write(NS, "calm", {"status": "x"})
    for read in (ws.get, ws.agent("joe").read):
        with pytest.raises(ContestedError, match="status") as error:
            read(*AT, strict=True)
        assert error.value.document == ws.get(*AT)
        assert (error.value.namespace, error.value.key) == AT
        assert list(error.value.contested) == [("status",)]
        calm = read(NS, "calm", strict=True)
        assert calm is not None and calm.value == {"status": "x"}


def test_a_later_write_that_has_seen_all_contenders_supersedes() -> None:
    """It replaces them as it would any value, with event and journal entry."""
    ws = workspace(Brief)
    contested(ws)
    events = recorded(ws)
    ws.agent("joe").write(*AT, {"status": "joe's"})
    assert shown(ws) == {"status": "joe's"}
    assert ws.escalations() == [] and kinds(events) == ["superseded"]
    assert only(ws, "superseded") == events[0].escalation
    assert ws.history(*AT)[0].value == {"status": "joe's"}


def test_a_write_that_has_seen_one_contender_replaces_that_one() -> None:
    """The other stays a contender."""
    ws = workspace(Brief)
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "a"})
    joe = ws.agent("joe")
    bob.write(*AT, {"status": "b"})
    joe.write(*AT, {"status": "j"})
    assert sides(only(ws)) == {"bob": "b", "joe": "j"}


@pytest.mark.parametrize("model", [Brief, None])
def test_contenders_that_become_equal_agree(model: Any) -> None:
    """If the live entries become equal the escalation closes as ``agreed``."""
    ws = workspace(model)
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "a"})
    bob.write(*AT, {"status": "b"})
    events = recorded(ws)
    bob.write(*AT, {"status": "a"})
    assert shown(ws) == {"status": "a"}
    assert ws.escalations() == [] and kinds(events) == ["agreed"]
    assert ws.blame(*AT)[("status",)][0].agents == ("ada", "bob")


def test_a_third_contender_grows_it() -> None:
    """The same escalation, with another version."""
    ws = workspace(Brief)
    began = ws.moment()
    for name in ("ada", "bob"):
        ws.agent(name, began=began).write(*AT, {"status": name})
    before = only(ws)
    events = recorded(ws)
    ws.agent("joe", began=began).write(*AT, {"status": "joe"})
    assert kinds(events) == ["grew"]
    assert only(ws).id == before.id and only(ws).version != before.version


def test_another_agent_for_a_contender_is_no_growth() -> None:
    """The version changes with the set of distinct values, not with who wrote them."""
    ws = workspace(Brief)
    began = ws.moment()
    for name in ("ada", "bob"):
        ws.agent(name, began=began).write(*AT, {"status": name})
    before = only(ws)
    events = recorded(ws)
    ws.agent("joe", began=began).write(*AT, {"status": "ada"})
    assert events == [] and only(ws).version == before.version
    assert sides(only(ws)) == {"ada": "ada", "joe": "ada", "bob": "bob"}


def test_the_id_is_stable_while_contenders_come_and_go() -> None:
    """From the first two to any that replaced them."""
    ws = workspace(Brief)
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "a"})
    bob.write(*AT, {"status": "b"})
    id_ = only(ws).id
    for number in range(3):
        ada.write(*AT, {"status": f"a{number}"})
        bob.write(*AT, {"status": f"b{number}"})
        assert only(ws).id == id_


def test_a_write_with_no_part_in_it_reports_no_escalation() -> None:
    """A receipt has the escalations that the write has a part in."""
    ws = workspace(Brief)
    contested(ws)
    assert ws.agent("joe").write(*AT, {"other": 1}).escalations == ()


# -- reading and writing back ---------------------------------------------------------------


@pytest.mark.parametrize("model", [Brief, None])
@pytest.mark.parametrize("base", ["agreed", None])
def test_writing_back_what_was_shown_touches_nothing(model: Any, base: str | None) -> None:
    """A read that hid contenders did not show them: read-modify-write of another field leaves them."""
    ws = workspace(model)
    contested(ws, base)
    before = only(ws)
    events = recorded(ws)
    document = ws.read_current(*AT)
    assert document is not None
    ws.put(*AT, {**document.value, "other": 1})
    assert (only(ws).id, only(ws).version, sides(only(ws))) == (before.id, before.version, sides(before))
    assert events == []
    assert (shown(ws) or {})["other"] == 1


@pytest.mark.parametrize("model", [Brief, None])
def test_leaving_the_contested_path_out_touches_nothing(model: Any) -> None:
    """What a put leaves out goes away only as far as it was shown."""
    ws = workspace(model)
    contested(ws)
    before = only(ws)
    ws.read_current(*AT)
    ws.put(*AT, {"other": 1})
    assert (only(ws).id, sides(only(ws))) == (before.id, sides(before))


@pytest.mark.parametrize("model", [Brief, None])
def test_an_edit_of_another_field_touches_nothing_contested(model: Any) -> None:
    """The same through ``edit``."""
    ws = workspace(model)
    contested(ws)
    before = only(ws)
    with ws.agent("joe").edit(*AT) as document:
        if model is None:
            document["other"] = 1
        else:
            document.other = 1
    assert (only(ws).version, sides(only(ws))) == (before.version, sides(before))
    assert (shown(ws) or {})["other"] == 1


def test_removing_the_contested_field_in_an_edit_of_an_undeclared_document() -> None:
    """Leaving that path out touches nothing, in an edit as in a put."""
    ws = workspace()
    contested(ws)
    with ws.agent("joe").edit(*AT) as document:
        del document["status"]
        document["other"] = 1
    assert sides(only(ws)) == {"ada": "a", "bob": "b"}


@pytest.mark.parametrize("model", [Brief, None])
def test_a_new_value_in_an_edit_supersedes(model: Any) -> None:
    """An edit that gives the contested field another value has seen its contenders."""
    ws = workspace(model)
    contested(ws)
    with ws.agent("joe").edit(*AT) as document:
        if model is None:
            document["status"] = "joe's"
        else:
            document.status = "joe's"
    assert shown(ws) == {"status": "joe's"}
    assert [e.state for e in ws.escalations(state="all")] == ["superseded"]


@pytest.mark.parametrize("model", [Brief, None])
def test_choosing_a_contender_by_writing_it_supersedes(model: Any) -> None:
    """A later write of one of the contenders' values closes the question."""
    ws = workspace(model)
    contested(ws)
    ws.agent("joe").write(*AT, {"status": "b"})
    assert shown(ws) == {"status": "b"} and ws.escalations() == []


# -- sticky ---------------------------------------------------------------------------------


def test_sticky_is_closed_by_a_decision_only() -> None:
    """Later writes join the contenders, though they have seen them all."""
    ws = workspace(Sticky)
    contested(ws)
    events = recorded(ws)
    ws.agent("joe").write(*AT, {"status": "j"})
    assert values(only(ws)) == ["a", "b", "j"] and kinds(events) == ["grew"]
    ws.resolve(only(ws), "j", by="editor")
    assert shown(ws) == {"status": "j"} and ws.escalations() == []


def test_sticky_holds_before_a_conflict_no_value() -> None:
    """A sticky field that is not contested is written like any other."""
    ws = workspace(Sticky)
    for status in ("one", "two"):
        ws.agent("ada").write(*AT, {"status": status})
    assert shown(ws) == {"status": "two"} and ws.escalations(state="all") == []


def test_sticky_is_free_again_after_the_decision() -> None:
    """Sequential writes after it replace."""
    ws = workspace(Sticky)
    contested(ws)
    ws.resolve(only(ws), "a", by="editor")
    ws.agent("joe").write(*AT, {"status": "j"})
    assert shown(ws) == {"status": "j"} and ws.escalations() == []


def test_sticky_counts_an_equal_write_as_no_growth() -> None:
    """A later write of a contender's value confirms it and keeps the others."""
    ws = workspace(Sticky)
    contested(ws)
    events = recorded(ws)
    ws.agent("joe").write(*AT, {"status": "a"})
    assert sorted(values(only(ws))) == ["a", "b"] and events == []


def test_questions_stand_in_the_order_of_their_paths_however_a_store_keeps_them(tmp_path: Path) -> None:
    """What is contested in a document is told in one order, whether the view grew with its record or was read anew."""
    url = f"sqlite:///{tmp_path}/s.db"
    with Workspace() as memory, Workspace(url) as file:
        for ws in (memory, file):
            ada, bob = ws.agent("ada"), ws.agent("bob")
            for agent, value in ((ada, 1), (bob, 2)):
                agent.write(("t",), "k", {"zeta": value})
            for agent, value in ((ada, 3), (bob, 4)):
                agent.write(("t",), "k", {"alpha": value})
        with Workspace(url) as anew:
            told = [list(ws.get(("t",), "k").contested) for ws in (memory, file, anew)]  # type: ignore[union-attr]
    assert told == [[("alpha",), ("zeta",)]] * 3
