"""Decisions: pinned to the contenders they saw; a late contender reopens; two decisions can conflict."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import (
    DELETED,
    ConcordantError,
    InvalidWriteError,
    Scalar,
    StaleDecisionError,
    Workspace,
)

from .support import AT, NS, kinds, only, pair, recorded, shown, sides, values, workspace


class Brief(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    count: Annotated[int | None, Scalar()] = None


MODELS: list[Any] = [Brief, None]


def contested(ws: Workspace, base: str | None = "agreed") -> None:
    if base is not None:
        ws.agent("eve").write(*AT, {"status": base})
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "a"})
    bob.write(*AT, {"status": "b"})


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("value", ["a", "b", "another", None])
def test_resolve_takes_the_place_of_all_contenders(model: Any, value: str | None) -> None:
    """With a contender's value or any other; it closes as resolved and names who decided what."""
    ws = workspace(model)
    contested(ws)
    events = recorded(ws)
    receipt = ws.resolve(only(ws), value, by="editor")
    document = ws.get(*AT)
    assert document is not None
    assert document.value == {"status": value} and document.version == receipt.version
    assert ws.escalations() == [] and kinds(events) == ["resolved"]
    closed = only(ws, "resolved")
    assert (closed.by, closed.decision, values(closed)) == ("editor", value, ["a", "b"])


def test_a_decision_is_in_the_journal() -> None:
    """History and blame name who decided."""
    ws = workspace(Brief)
    contested(ws)
    ws.resolve(only(ws), "ours", by="editor")
    entry = ws.history(*AT)[0]
    assert (entry.agent, entry.act, entry.paths) == ("editor", "resolve", (("status",),))
    credit = ws.blame(*AT)[("status",)][0]
    assert (credit.value, credit.agent) == ("ours", "editor")


def test_deciding_for_a_contender_credits_its_agents_too() -> None:
    """An entry that replaces equal entries takes over their agents."""
    ws = workspace(Brief)
    contested(ws)
    ws.resolve(only(ws), "a", by="editor")
    assert ws.blame(*AT)[("status",)][0].agents == ("ada", "editor")


@pytest.mark.parametrize("model", MODELS)
def test_dismiss_goes_back_to_the_base(model: Any) -> None:
    """The last agreed value stands."""
    ws = workspace(model)
    contested(ws)
    events = recorded(ws)
    ws.dismiss(only(ws), by="editor")
    assert shown(ws) == {"status": "agreed"}
    assert ws.escalations() == [] and kinds(events) == ["dismissed"]
    assert only(ws, "dismissed").by == "editor"


@pytest.mark.parametrize("model", MODELS)
def test_dismiss_without_a_base_leaves_nothing(model: Any) -> None:
    """The field is absent."""
    ws = workspace(model)
    contested(ws, base=None)
    ws.dismiss(only(ws), by="editor")
    assert shown(ws) == {} and ws.escalations() == []


@pytest.mark.parametrize("model", MODELS)
def test_a_dismissed_field_can_be_written_again(model: Any) -> None:
    """By anyone who has seen the decision, without a question."""
    ws = workspace(model)
    contested(ws, base=None)
    ws.dismiss(only(ws), by="editor")
    ws.agent("joe").write(*AT, {"status": "j"})
    assert shown(ws) == {"status": "j"} and ws.escalations() == []


@pytest.mark.parametrize("act", ["resolve", "dismiss", "claim"])
def test_a_decision_on_changed_contenders_is_stale(act: str) -> None:
    """Nothing is applied; the error has the escalation as it is now."""
    ws = workspace(Brief)
    began = ws.moment()
    for name in ("ada", "bob"):
        ws.agent(name, began=began).write(*AT, {"status": name})
    outdated = only(ws)
    ws.agent("joe", began=began).write(*AT, {"status": "joe"})
    with pytest.raises(StaleDecisionError, match="contenders changed") as error:
        getattr(ws, act)(*((outdated, "ada") if act == "resolve" else (outdated,)), by="editor")
    assert error.value.current.version == only(ws).version
    assert (error.value.namespace, error.value.key, error.value.path) == (*AT, ("status",))
    assert values(only(ws)) == ["ada", "bob", "joe"] and only(ws).state == "open"


@pytest.mark.parametrize("act", ["resolve", "dismiss", "claim"])
@pytest.mark.parametrize("closing", ["resolved", "dismissed", "superseded", "purged"])
def test_a_decision_on_a_closed_escalation_is_stale(act: str, closing: str) -> None:
    """Whatever closed it."""
    ws = workspace(Brief)
    contested(ws)
    escalation = only(ws)
    if closing == "resolved":
        ws.resolve(escalation, "b", by="first")
    elif closing == "dismissed":
        ws.dismiss(escalation, by="first")
    elif closing == "superseded":
        ws.agent("joe").write(*AT, {"status": "j"})
    else:
        ws.purge(*AT)
    before = shown(ws)
    given = (escalation, "a") if act == "resolve" else (escalation,)
    with pytest.raises(StaleDecisionError):
        getattr(ws, act)(*given, by="second")
    assert shown(ws) == before


def test_a_claim_tells_others_and_stays_open() -> None:
    """State ``claimed`` is listed as open; the version and id are the same, and it can be decided."""
    ws = workspace(Brief)
    contested(ws)
    events = recorded(ws)
    before = only(ws)
    claimed = ws.claim(before, by="editor")
    assert (claimed.state, claimed.by, claimed.id, claimed.version) == (
        "claimed",
        "editor",
        before.id,
        before.version,
    )
    assert kinds(events) == ["claimed"]
    assert only(ws) == claimed and only(ws, "claimed") == claimed
    document = ws.get(*AT)
    assert document is not None and document.contested[("status",)].state == "claimed"
    ws.resolve(claimed, "a", by="editor")
    assert only(ws, "resolved").by == "editor"


def test_to_claim_again_what_one_has_claimed_is_no_transition() -> None:
    """A claim that is repeated answers the same, and nobody hears of it twice."""
    ws = workspace(Brief)
    contested(ws)
    events = recorded(ws)
    claims = [ws.claim(only(ws), by="editor") for _ in range(2)]
    assert claims[0] == claims[1] and kinds(events) == ["claimed"]


def test_a_decision_may_be_made_on_the_escalation_as_it_was_before_a_claim() -> None:
    """A claim changes no contenders."""
    ws = workspace(Brief)
    contested(ws)
    before = only(ws)
    ws.claim(before, by="editor")
    ws.resolve(before, "a", by="another")
    assert shown(ws) == {"status": "a"}


def test_a_claim_survives_growth() -> None:
    """A claimed escalation that grows stays claimed."""
    ws = workspace(Brief)
    began = ws.moment()
    for name in ("ada", "bob"):
        ws.agent(name, began=began).write(*AT, {"status": name})
    ws.claim(only(ws), by="editor")
    ws.agent("joe", began=began).write(*AT, {"status": "joe"})
    assert (only(ws).state, only(ws).by) == ("claimed", "editor")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("closing", ["resolved", "dismissed"])
def test_a_late_contender_reopens(model: Any, closing: str) -> None:
    """With the same id, event ``reopened``; the decision is one side and stays the value shown."""
    ws = workspace(model)
    ws.agent("eve").write(*AT, {"status": "agreed"})
    began = ws.moment()
    ada, bob, late = (ws.agent(name, began=began) for name in ("ada", "bob", "late"))
    ada.write(*AT, {"status": "a"})
    bob.write(*AT, {"status": "b"})
    id_ = only(ws).id
    if closing == "resolved":
        ws.resolve(only(ws), "decided", by="editor")
    else:
        ws.dismiss(only(ws), by="editor")
    decided = shown(ws)
    events = recorded(ws)
    late.write(*AT, {"status": "l"})
    assert kinds(events) == ["reopened"]
    assert only(ws).id == id_ and only(ws).state == "open"
    assert sides(only(ws))["late"] == "l" and "editor" in sides(only(ws))
    assert ws.escalations(state=closing) == []
    if model is not None:
        assert shown(ws) == decided
    ws.resolve(only(ws), "l", by="editor")
    assert shown(ws) == {"status": "l"} and only(ws, "resolved").id == id_


def test_a_late_contender_equal_to_the_decision_agrees() -> None:
    """Nothing is to be asked again."""
    ws = workspace(Brief)
    began = ws.moment()
    for name in ("ada", "bob"):
        ws.agent(name, began=began).write(*AT, {"status": name})
    ws.resolve(only(ws), "ours", by="editor")
    events = recorded(ws)
    ws.agent("late", began=began).write(*AT, {"status": "ours"})
    assert events == [] and shown(ws) == {"status": "ours"}


def test_a_write_after_the_decision_replaces_it() -> None:
    """Who has seen the decision may change it."""
    ws = workspace(Brief)
    contested(ws)
    ws.resolve(only(ws), "ours", by="editor")
    ws.agent("joe").write(*AT, {"status": "j"})
    assert shown(ws) == {"status": "j"} and ws.escalations() == []


def test_a_new_conflict_after_the_decision_has_an_id_of_its_own() -> None:
    """It is about other contenders, from another agreed value."""
    ws = workspace(Brief)
    contested(ws)
    first = only(ws)
    ws.resolve(first, "ours", by="editor")
    ws.agent("joe").write(*AT, {"status": "calm"})
    contested(ws, base=None)
    assert only(ws).id != first.id and only(ws).base == "calm"


@pytest.mark.parametrize("value", ["text", [1], {"a": 1}, 1.5])
def test_a_decision_must_fit_the_field(value: Any) -> None:
    """An invalid one is refused and leaves the escalation open."""
    ws = workspace(Brief)
    ada, bob = pair(ws)
    ada.write(*AT, {"count": 1})
    bob.write(*AT, {"count": 2})
    with pytest.raises(InvalidWriteError, match="count"):
        ws.resolve(only(ws), value, by="editor")
    assert values(only(ws)) == [1, 2]


@pytest.mark.parametrize("value", ["\ud800", object(), {1: 2}])
@pytest.mark.parametrize("model", MODELS)
def test_a_decision_must_be_storable(model: Any, value: Any) -> None:
    """With or without a model."""
    ws = workspace(model)
    contested(ws)
    with pytest.raises(InvalidWriteError):
        ws.resolve(only(ws), value, by="editor")
    assert values(only(ws)) == ["a", "b"]


def test_deleted_decides_only_about_deletions() -> None:
    """It is no value of a field."""
    ws = workspace(Brief)
    contested(ws)
    with pytest.raises(InvalidWriteError):
        ws.resolve(only(ws), DELETED, by="editor")


def test_decisions_are_converted_like_writes() -> None:
    """Lax mode decides here too."""
    ws = workspace(Brief)
    ada, bob = pair(ws)
    ada.write(*AT, {"count": 1})
    bob.write(*AT, {"count": 2})
    ws.resolve(only(ws), "3", by="editor")
    assert shown(ws) == {"count": 3}


@pytest.mark.parametrize("by", ["", None, 3])
def test_a_decision_names_who_decides(by: Any) -> None:
    """``by=`` is a non-empty string."""
    ws = workspace(Brief)
    contested(ws)
    with pytest.raises(ConcordantError, match="by="):
        ws.resolve(only(ws), "a", by=by)
    with pytest.raises(ConcordantError, match="by="):
        ws.dismiss(only(ws), by=by)
    assert len(ws.escalations()) == 1


def test_a_claim_names_who_claims() -> None:
    """The same for a claim."""
    ws = workspace(Brief)
    contested(ws)
    with pytest.raises(ConcordantError, match="by="):
        ws.claim(only(ws), by="")


@pytest.mark.parametrize("model", MODELS)
def test_two_different_concurrent_decisions_are_a_conflict(model: Any) -> None:
    """Two replicas that decide differently find the question open again, with the decisions as contenders."""
    one, other = (workspace(model, replica=name) for name in ("one", "other"))
    contested(one)
    other.import_(one.export())
    assert only(one).id == only(other).id and only(one).version == only(other).version
    one.resolve(only(one), "x", by="editor one")
    other.resolve(only(other), "y", by="editor two")
    frames = one.export(), other.export()
    other.import_(frames[0])
    one.import_(frames[1])
    for ws in (one, other):
        assert sides(only(ws)) == {"editor one": "x", "editor two": "y"}
    assert (only(one).id, only(one).version) == (only(other).id, only(other).version)
    assert shown(one) == shown(other)


def test_two_equal_concurrent_decisions_agree() -> None:
    """Two replicas that decide the same have no question."""
    one, other = (workspace(Brief, replica=name) for name in ("one", "other"))
    contested(one)
    other.import_(one.export())
    for ws, editor in ((one, "editor one"), (other, "editor two")):
        ws.resolve(only(ws), "x", by=editor)
    frames = one.export(), other.export()
    other.import_(frames[0])
    one.import_(frames[1])
    for ws in (one, other):
        assert shown(ws) == {"status": "x"} and ws.escalations() == []


def test_escalations_are_listed_by_prefix_and_state() -> None:
    """``open`` is the default; ``all`` has every state; an unknown state is an error."""
    ws = Workspace()
    for namespace in (("a", "x"), ("a", "y"), ("b",)):
        ada, bob = pair(ws)
        ada.write(namespace, "k", {"s": 1})
        bob.write(namespace, "k", {"s": 2})
    ws.resolve(ws.escalations(("b",))[0], 1, by="editor")
    assert [e.namespace for e in ws.escalations()] == [("a", "x"), ("a", "y")]
    assert [e.namespace for e in ws.escalations(("a", "y"))] == [("a", "y")]
    assert [e.namespace for e in ws.escalations(("a",))] == [("a", "x"), ("a", "y")]
    assert ws.escalations(("a", "x", "deeper")) == [] and ws.escalations(NS) == []
    assert [e.namespace for e in ws.escalations(state="resolved")] == [("b",)]
    assert len(ws.escalations(state="all")) == 3
    with pytest.raises(ConcordantError, match="state"):
        ws.escalations(state="closed")
