"""Decisions by the id of an escalation and the version that was looked at, as a request carries them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from concordant import (
    DELETED,
    ConcordantError,
    Escalation,
    InvalidWriteError,
    StaleDecisionError,
    UnknownEscalationError,
    Workspace,
)

from .support import AT, NS, kinds, only, pair, recorded, shown, wait, workspace


def disagreeing() -> tuple[Workspace, Escalation]:
    """A workspace with one open question between two."""
    ws = workspace()
    ws.agent("planner").write(*AT, {"status": "base"})
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "A"})
    bob.write(*AT, {"status": "B"})
    return ws, only(ws)


def test_an_escalation_is_found_by_its_id() -> None:
    """Open, claimed or closed; there is none for an id that nobody gave, or once it is forgotten."""
    ws, question = disagreeing()
    assert ws.escalation(question.id) == question
    claimed = ws.claim(question, by="maria")
    assert ws.escalation(question.id) == claimed
    ws.resolve(claimed, "A", by="maria")
    found = ws.escalation(question.id)
    assert found is not None and (found.state, found.decision, found.by) == ("resolved", "A", "maria")
    for other in ("", "x", question.id[:-1], question.id.upper(), "' OR 1=1 --"):
        assert ws.escalation(other) is None
    ws.purge(*AT)
    assert ws.escalation(question.id) is None


@pytest.mark.parametrize("wrong", [None, 5, b"x", ("status",)])
def test_an_id_is_a_string(wrong: Any) -> None:
    """Anything else gets our error, in every call that takes one."""
    ws, question = disagreeing()
    calls: list[Callable[[], Any]] = [
        lambda: ws.escalation(wrong),
        lambda: ws.resolve(wrong, "A", by="m", version=question.version),
        lambda: ws.dismiss(wrong, by="m", version=question.version),
        lambda: ws.claim(wrong, by="m", version=question.version),
    ]
    for call in calls:
        with pytest.raises(ConcordantError):
            call()


def test_it_is_found_again_as_often_as_it_opens() -> None:
    """A question that closes and opens again is found in each state, beside those of other documents."""
    ws, question = disagreeing()
    ada, bob = pair(ws)
    for number in range(5):
        ada.write(NS, f"k{number}", {"status": "A"})
        bob.write(NS, f"k{number}", {"status": "B"})
    late = ws.agent("late", began=ws.moment())
    ws.resolve(question.id, "A", by="maria", version=question.version)
    late.write(*AT, {"status": "L"})
    again = ws.escalation(question.id)
    assert again is not None and again.state == "open" and len(again.contenders) == 2
    for escalation in ws.escalations():
        assert ws.escalation(escalation.id) == escalation


def test_of_a_batch_that_failed_nothing_is_found_or_lost() -> None:
    """A question opened by a transaction that was undone is not there; one that it closed is."""
    ws, question = disagreeing()
    ada, bob = pair(ws)
    ada.write(NS, "x", {"status": "A"})
    with ws.acting_as("bob", began=ws.moment()):
        ws.read_current(*AT)
        with pytest.raises(InvalidWriteError):
            ws.put_all([(*AT, {"status": "C"}), (NS, "y", {"bad": {1: 2}})])
    assert ws.escalation(question.id) == question == only(ws)
    bob.write(NS, "x", {"status": "B"})
    assert all(ws.escalation(e.id) == e for e in ws.escalations())


def test_of_a_document_that_has_expired_none_is_open() -> None:
    """Its question is not found any more, as ``escalations`` does not list it."""
    ws = workspace()
    ada, bob = pair(ws)
    ws.put(*AT, {"status": "A"}, ada.scope, ttl=60.0)
    ws.put(*AT, {"status": "B"}, bob.scope, ttl=60.0)
    question = only(ws)
    assert ws.escalation(question.id) == question
    wait(120.0, ws)
    assert ws.escalations() == []
    assert ws.escalation(question.id) is None


def test_a_decision_by_id_is_one_by_the_escalation() -> None:
    """``resolve`` and ``dismiss`` by id and version do what they do by the escalation."""
    ws, question = disagreeing()
    events = recorded(ws)
    ws.resolve(question.id, "B", by="maria", version=question.version)
    assert shown(ws) == {"status": "B"}
    ws, question = disagreeing()
    ws.dismiss(question.id, by="maria", version=question.version)
    assert shown(ws) == {"status": "base"} and only(ws, "dismissed").by == "maria"
    assert kinds(events) == ["resolved"]


def test_a_decision_by_id_is_pinned_to_its_version() -> None:
    """G8: contenders that came since make it too late, a closed question is closed; the error tells what there is."""
    ws, question = disagreeing()
    late = ws.agent("late", began=ws.moment())
    ws.resolve(question.id, "A", by="maria", version=question.version)
    for decide in (
        lambda version: ws.resolve(question.id, "B", by="eve", version=version),
        lambda version: ws.dismiss(question.id, by="eve", version=version),
        lambda version: ws.claim(question.id, by="eve", version=version),
    ):
        with pytest.raises(StaleDecisionError, match="resolved by now"):
            decide(question.version)
    late.write(*AT, {"status": "L"})
    for decide in (
        lambda version: ws.resolve(question.id, "B", by="eve", version=version),
        lambda version: ws.dismiss(question.id, by="eve", version=version),
        lambda version: ws.claim(question.id, by="eve", version=version),
    ):
        for version in (question.version, "", "nonsense"):
            with pytest.raises(StaleDecisionError) as caught:
                decide(version)
            assert caught.value.current.version == only(ws).version
    assert only(ws).state == "open"


def test_an_id_alone_decides_nothing() -> None:
    """Without the version that was looked at, a decision could not be pinned: it is refused."""
    ws, question = disagreeing()
    for call in (
        lambda: ws.resolve(question.id, "B", by="maria"),
        lambda: ws.dismiss(question.id, by="maria"),
        lambda: ws.claim(question.id, by="maria"),
    ):
        with pytest.raises(ConcordantError, match="version="):
            call()
    assert only(ws) == question


def test_an_unknown_id_gets_our_error() -> None:
    """It names the id; nothing else has happened."""
    ws, question = disagreeing()
    for call in (
        lambda: ws.resolve("nobody's", "B", by="maria", version=question.version),
        lambda: ws.dismiss("nobody's", by="maria", version=question.version),
        lambda: ws.claim("nobody's", by="maria", version=question.version),
    ):
        with pytest.raises(UnknownEscalationError) as caught:
            call()
        assert caught.value.id == "nobody's"


def test_by_id_nobody_takes_over() -> None:
    """A claim by id is refused where somebody else has claimed it; who looks first and then claims takes over."""
    ws, question = disagreeing()
    events = recorded(ws)
    version = question.version
    assert ws.claim(question.id, by="maria", version=version).by == "maria"
    assert ws.claim(question.id, by="maria", version=version).by == "maria"
    with pytest.raises(StaleDecisionError, match="maria has claimed"):
        ws.claim(question.id, by="eve", version=version)
    found = ws.escalation(question.id)
    assert found is not None
    assert ws.claim(found, by="eve").by == "eve"
    assert kinds(events) == ["claimed", "claimed"]


def test_a_version_beside_an_escalation_counts() -> None:
    """What was decided on is what ``version=`` says, whatever the escalation at hand says."""
    ws, question = disagreeing()
    with pytest.raises(StaleDecisionError):
        ws.resolve(question, "A", by="maria", version="older")
    ws.resolve(question, "A", by="maria", version=question.version)
    assert shown(ws) == {"status": "A"}


def test_a_deletion_is_decided_by_id() -> None:
    """``DELETED`` by id decides for the deletion."""
    ws = workspace()
    ws.agent("planner").write(*AT, {"status": "base"})
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "A"})
    bob.delete(*AT)
    question = only(ws)
    ws.resolve(question.id, DELETED, by="maria", version=question.version)
    assert shown(ws) is None


async def test_coroutines_decide_by_id() -> None:
    """The twins take ids too."""
    ws, question = disagreeing()
    assert await ws.aescalation(question.id) == question
    await ws.aclaim(question.id, by="maria", version=question.version)
    await ws.aresolve(question.id, "B", by="maria", version=question.version)
    assert shown(ws) == {"status": "B"}
    ws, question = disagreeing()
    await ws.adismiss(question.id, by="maria", version=question.version)
    assert shown(ws) == {"status": "base"}
