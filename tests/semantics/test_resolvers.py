"""Functions that settle conflicts: asked once, after the commit; without a valid answer it stays open."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, create_model

from concordant import ABSTAIN, Escalation, Scalar, Workspace
from tests.patience import PATIENCE

from .support import AT, kinds, only, pair, recorded, shown, sides, values, workspace


def model(resolve: Callable[[Escalation], Any], annotation: Any = int) -> type[BaseModel]:
    return create_model("Settled", x=(Annotated[annotation | None, Scalar(resolve=resolve)], None))


def conflict(ws: Workspace) -> None:
    ada, bob = pair(ws)
    ada.write(*AT, {"x": 1})
    bob.write(*AT, {"x": 2})


def test_the_answer_is_a_decision() -> None:
    """It is shown, closes the escalation as resolved, and names the function in the journal."""

    def total(escalation: Escalation) -> Any:
        return sum(values(escalation))

    ws = workspace(model(total))
    events = recorded(ws)
    conflict(ws)
    assert shown(ws) == {"x": 3}
    assert ws.escalations() == [] and kinds(events) == ["opened", "resolved"]
    closed = only(ws, "resolved")
    assert closed.decision == 3 and "total" in (closed.by or "")
    assert ws.history(*AT)[0].act == "resolve" and "total" in ws.history(*AT)[0].agent


def test_the_resolver_is_asked_after_the_commit() -> None:
    """It finds the contenders committed, may read the workspace, and is asked once."""
    asked: list[tuple[Any, int]] = []

    def ask(escalation: Escalation) -> Any:
        asked.append((values(escalation), len(ws.escalations())))
        return 7

    ws = workspace(model(ask))
    conflict(ws)
    assert asked == [([1, 2], 1)]


def test_the_resolver_may_write() -> None:
    """It runs outside all locks: it can write, from another thread too."""
    import threading

    def ask(escalation: Escalation) -> Any:
        thread = threading.Thread(target=lambda: ws.agent("log").write(("log",), "k", {"asked": True}))
        thread.start()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        return 7

    ws = workspace(model(ask))
    conflict(ws)
    assert shown(ws) == {"x": 7}
    assert ws.get(("log",), "k") is not None


def test_one_that_abstains_leaves_it_open() -> None:
    """``ABSTAIN`` is no decision."""
    ws = workspace(model(lambda escalation: ABSTAIN))
    conflict(ws)
    assert sides(only(ws)) == {"ada": 1, "bob": 2}


def test_one_that_raises_leaves_it_open(caplog: pytest.LogCaptureFixture) -> None:
    """The error is logged, the write stands."""

    def fail(escalation: Escalation) -> Any:
        raise RuntimeError("out of tokens")

    ws = workspace(model(fail))
    with caplog.at_level(logging.ERROR, "concordant"):
        conflict(ws)
    assert sides(only(ws)) == {"ada": 1, "bob": 2}
    assert "out of tokens" in caplog.text


@pytest.mark.parametrize("answer", ["no number", [1], object(), {"a": 1}])
def test_an_invalid_answer_leaves_it_open(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What does not fit the field is no decision."""
    ws = workspace(model(lambda escalation: answer))
    with caplog.at_level(logging.ERROR, "concordant"):
        conflict(ws)
    assert sides(only(ws)) == {"ada": 1, "bob": 2}
    assert caplog.records


def test_none_is_an_answer_where_the_field_allows_it() -> None:
    """``None`` decides for ``None``."""
    ws = workspace(model(lambda escalation: None))
    conflict(ws)
    assert shown(ws) == {"x": None} and ws.escalations() == []


def test_a_late_contender_is_asked_about_again() -> None:
    """A reopened escalation goes to the resolver with the decision as one contender."""
    asked: list[list[Any]] = []

    def largest(escalation: Escalation) -> Any:
        asked.append(values(escalation))
        return max(values(escalation))

    ws = workspace(model(largest))
    began = ws.moment()
    for name, x in (("ada", 1), ("bob", 2), ("eve", 9)):
        ws.agent(name, began=began).write(*AT, {"x": x})
    assert sorted(asked[0]) == [1, 2] and sorted(asked[1]) == [2, 9]
    assert shown(ws) == {"x": 9} and ws.escalations() == []


def test_a_sequential_write_asks_nobody() -> None:
    """Without a conflict there is no question."""
    asked: list[Escalation] = []
    ws = workspace(model(asked.append))
    for number in range(3):
        ws.agent("ada").write(*AT, {"x": number})
    assert asked == []


def slow(answer: Any) -> Callable[[Escalation], Awaitable[Any]]:
    async def ask(escalation: Escalation) -> Any:
        await asyncio.sleep(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


def test_an_async_resolver_outside_a_loop_settles_before_the_call_returns() -> None:
    """Without a running loop the call waits for the answer."""
    ws = workspace(model(slow(7)))
    conflict(ws)
    assert shown(ws) == {"x": 7} and ws.escalations() == []


async def test_an_async_call_waits_for_its_async_resolver() -> None:
    """``awrite`` returns when its resolver has answered."""
    ws = workspace(model(slow(7)))
    ada, bob = pair(ws)
    await ada.awrite(*AT, {"x": 1})
    await bob.awrite(*AT, {"x": 2})
    assert shown(ws) == {"x": 7} and ws.escalations() == []


async def test_a_sync_call_in_a_loop_does_not_wait_for_its_async_resolver() -> None:
    """It cannot; the answer comes when the loop runs."""
    ws = workspace(model(slow(7)))
    conflict(ws)
    assert len(ws.escalations()) == 1
    for _ in range(500):
        await asyncio.sleep(0 if ws.storage.live else 0.01)
        if not ws.escalations():
            break
    assert shown(ws) == {"x": 7} and ws.escalations() == []


@pytest.mark.parametrize("answer", [ABSTAIN, RuntimeError("out of tokens"), "no number"])
def test_an_async_resolver_without_a_valid_answer_leaves_it_open(answer: Any) -> None:
    """The same rules hold for coroutines."""
    ws = workspace(model(slow(answer)))
    conflict(ws)
    assert sides(only(ws)) == {"ada": 1, "bob": 2}


async def test_an_answer_that_comes_too_late_is_dropped() -> None:
    """Decisions are pinned to the contenders they saw: a person was faster."""
    gate = asyncio.Event()

    async def ask(escalation: Escalation) -> Any:
        await gate.wait()
        return 7

    ws = workspace(model(ask))
    conflict(ws)
    await asyncio.sleep(0)
    ws.resolve(only(ws), 5, by="person")
    gate.set()
    for _ in range(10):
        await asyncio.sleep(0)
    assert shown(ws) == {"x": 5}


def test_a_resolver_may_be_an_object() -> None:
    """Anything callable will do."""

    class Judge:
        def __call__(self, escalation: Escalation) -> Any:
            return 7

    ws = workspace(model(Judge()))
    conflict(ws)
    assert shown(ws) == {"x": 7}
    assert "Judge" in (only(ws, "resolved").by or "")
