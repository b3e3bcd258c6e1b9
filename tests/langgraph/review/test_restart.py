"""A review survives what can happen to a process: each decision has its effect once."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy

from concordant import DELETED, Event
from concordant_langgraph import MergeStore, review_conflicts
from concordant_langgraph.questions import ref_of
from tests.patience import PATIENCE

from .support import ASYNC, AT, NS, Brief, State, contest, decisions, only, thread, value


class Crash(BaseException):
    """The process dies here: nothing catches it."""


def process(
    store: MergeStore, path: Path, given: Any, *, is_async: bool = False, after: list[Any] | None = None, **options: Any
) -> Any:
    """What one process does with the thread: a graph of its own, over checkpoints in a file."""
    builder: StateGraph[State] = StateGraph(State)
    builder.add_node("review", review_conflicts(store, NS, report="report")).add_edge(START, "review")
    builder.add_node("after", lambda state: None if after is None else after.append(state["report"]))
    builder.add_edge("review", "after")
    if is_async:

        async def run() -> Any:
            async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
                return await builder.compile(store=store, checkpointer=saver).ainvoke(given, thread(), **options)

        return asyncio.run(run())
    with SqliteSaver.from_conn_string(str(path)) as saver:
        return builder.compile(store=store, checkpointer=saver).invoke(given, thread(), **options)


def crashing_after(store: MergeStore, kind: str) -> Callable[[], None]:
    """The process dies right after the commit of the next transition of a kind."""
    stops: list[Callable[[], None]] = []

    def die(event: Event) -> None:
        if event.kind == kind:
            stops.pop()()
            raise Crash

    stops.append(store.on_escalation(die))
    return stops[0]


@pytest.mark.parametrize("is_async", ASYNC)
def test_a_question_is_answered_to_another_process(is_async: bool, tmp_path: Path) -> None:
    """The process that asked is gone; the one that resumes has a new graph over the same checkpoints."""
    store = MergeStore({NS: Brief})
    escalation = contest(store)
    path = tmp_path / "checkpoints.db"
    result = process(store, path, {"x": 1}, is_async=is_async)
    assert [question["id"] for question in result["__interrupt__"][0].value["questions"]] == [escalation.id]
    result = process(store, path, Command(resume={ref_of(escalation): {"choose": 2}}), is_async=is_async)
    assert [one["outcome"] for one in result["report"]] == ["resolved"]
    assert value(store) == {"status": "ready"}


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("answer", [{"choose": 1}, "dismiss"])
@pytest.mark.parametrize("is_async", ASYNC)
@pytest.mark.parametrize("resumes", [True, False])
def test_a_decision_before_a_crash_is_not_made_again(
    durability: Any, answer: Any, is_async: bool, resumes: bool, tmp_path: Path
) -> None:
    """The process dies between the decision and its checkpoint; the next one, whether the person's answer is sent
    again or the thread just goes on, finds the decision made, and decides what was still to be decided."""
    store = MergeStore({NS: Brief})
    store.put(*AT, {"status": "idea", "title": "idea"})
    status, title = contest(store), contest(store, "title")
    path = tmp_path / "checkpoints.db"
    after: list[Any] = []
    process(store, path, {"x": 1}, is_async=is_async, durability=durability)
    resume = Command(resume={ref_of(status): answer, ref_of(title): answer, "by": "maria"})
    crashing_after(store, "dismissed" if answer == "dismiss" else "resolved")
    with pytest.raises(Crash):
        process(store, path, resume, is_async=is_async, durability=durability)
    assert len(decisions(store)) == 1

    result = process(store, path, resume if resumes else None, is_async=is_async, after=after, durability=durability)
    if "__interrupt__" in result:  # the answer had not reached a checkpoint: the person is asked as before
        assert not resumes
        result = process(store, path, resume, is_async=is_async, after=after, durability=durability)
    assert len(decisions(store)) == 2 and store.escalations() == []
    expected = ("dismissed", "idea") if answer == "dismiss" else ("resolved", "draft")
    assert [(one["outcome"], one["by"], one["value"]) for one in result["report"]] == [
        (expected[0], "maria", expected[1])
    ] * 2
    assert after == [result["report"]]


@pytest.mark.parametrize("is_async", ASYNC)
def test_a_decision_before_a_crash_is_not_made_again_on_what_came_later(is_async: bool, tmp_path: Path) -> None:
    """After the crash a late contender opened the question again, between the very same values: the answer that was
    given does not count for it, the person is asked."""
    store = MergeStore({NS: Brief})
    began = store.workspace.moment()
    escalation = contest(store)
    path = tmp_path / "checkpoints.db"
    process(store, path, {"x": 1}, is_async=is_async)
    crashing_after(store, "resolved")
    with pytest.raises(Crash):
        process(store, path, Command(resume={ref_of(escalation): {"choose": 1}}), is_async=is_async)
    store.workspace.agent("late", began=began).write(*AT, {"status": "ready"})
    assert (only(store).id, only(store).version) == (escalation.id, escalation.version)

    result = process(store, path, Command(resume={ref_of(escalation): {"choose": 1}}), is_async=is_async)
    [question] = result["__interrupt__"][0].value["questions"]
    assert question["problem"] in (
        "it was settled since it was shown, and opened again",  # the thread went on with the first answer
        "the answer was to an earlier state of it",  # and was then given it once more
    )
    assert decisions(store) == [("person", "resolve", "draft")]
    process(store, path, Command(resume={question["ref"]: {"choose": 2}}), is_async=is_async)
    assert decisions(store) == [("person", "resolve", "draft"), ("person", "resolve", "ready")]


def test_the_same_answer_sent_twice_at_once_counts_once() -> None:
    """Two processes resume one thread with it at the same time."""
    store = MergeStore({NS: Brief})
    status, title = contest(store), contest(store, "title")
    builder: StateGraph[State] = StateGraph(State)
    builder.add_node("review", review_conflicts(store, NS)).add_edge(START, "review")
    saver = InMemorySaver()
    builder.compile(store=store, checkpointer=saver).invoke({"x": 1}, thread())
    gate = threading.Barrier(4)

    def resume() -> None:
        graph = builder.compile(store=store, checkpointer=saver)
        gate.wait(PATIENCE)
        graph.invoke(Command(resume={ref_of(status): {"choose": 1}, ref_of(title): {"choose": 2}}), thread())

    threads = [threading.Thread(target=resume) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert decisions(store) == [("person", "resolve", "draft"), ("person", "resolve", "ready")]


class Unreliable(InMemorySaver):
    """Fails to keep the next checkpoints of what runs inside the review."""

    failures = 0

    def put(self, config: Any, *args: Any, **kwargs: Any) -> Any:
        if self.failures and config["configurable"].get("checkpoint_ns"):
            self.failures -= 1
            raise ConnectionError("the database is away")
        return super().put(config, *args, **kwargs)


@pytest.mark.parametrize("failures", [1, 2, 3])
def test_a_review_that_is_retried_decides_once(failures: int) -> None:
    """Its checkpoints could not be written, and its RetryPolicy runs it again: what is settled is not asked again."""
    store = MergeStore({NS: Brief})
    status, title = contest(store), contest(store, "title")
    saver = Unreliable()
    builder: StateGraph[State] = StateGraph(State)
    policy = RetryPolicy(initial_interval=0.001, max_attempts=5, retry_on=ConnectionError)
    builder.add_node("review", review_conflicts(store, NS), retry_policy=policy).add_edge(START, "review")
    graph = builder.compile(store=store, checkpointer=saver)
    graph.invoke({"x": 1}, thread())
    saver.failures = failures
    resume = Command(resume={ref_of(status): {"choose": 1}, ref_of(title): {"choose": 2}})
    assert "__interrupt__" not in graph.invoke(resume, thread())
    assert saver.failures == 0
    assert decisions(store) == [("person", "resolve", "draft"), ("person", "resolve", "ready")]


def meant(contender: dict[str, Any]) -> Any:
    """What is decided by choosing a contender, which may be that nothing is to stand."""
    return DELETED if contender.get("deleted") else contender["value"]


def check_a_random_history(draw: random.Random) -> None:
    """Writers, another decider, crashes, and a person who answers well, badly, late and twice, in any order."""
    store = MergeStore({NS: Brief})
    saver = InMemorySaver()
    began = store.workspace.moment()
    answered: dict[str, list[Any]] = {}  # by ref: what the person wanted at any time; None to dismiss
    decided: list[tuple[str, Any]] = []

    def note(event: Event) -> None:
        if event.kind in ("resolved", "dismissed") and event.escalation.by == "maria":
            dismissed = event.kind == "dismissed"
            decided.append((ref_of(event.escalation), None if dismissed else event.escalation.decision))

    store.on_escalation(note)

    def invoke(given: Any) -> Any:
        builder: StateGraph[State] = StateGraph(State)
        builder.add_node("review", review_conflicts(store, NS, by="maria")).add_edge(START, "review")
        return builder.compile(store=store, checkpointer=saver).invoke(given, thread())

    def answer(question: dict[str, Any]) -> Any:
        contender = draw.choice(question["contenders"])
        given = draw.choice([{"choose": contender["choose"]}, "dismiss", "skip", {"value": 5}, {"choose": 9}, "what"])
        if given == "dismiss" or ("choose" in given and given["choose"] != 9):
            answered.setdefault(question["ref"], []).append(None if given == "dismiss" else meant(contender))
        return given

    def answers(result: Any) -> Any:
        questions = result["__interrupt__"][0].value["questions"]
        return Command(resume={question["ref"]: answer(question) for question in questions if draw.random() < 0.8})

    result: Any = {}
    last: Any = None
    for number in range(40):
        act = draw.choice(["write", "write", "write", "decide", "review", "review", "again", "crash"])
        if act == "write":
            writer = store.workspace.agent(f"w{number}", began=draw.choice([began, store.workspace.moment()]))
            writer.write(*AT, {draw.choice(["status", "title"]): draw.choice("abc")})
        elif act == "decide":
            for escalation in store.escalations():
                store.resolve(escalation, draw.choice("abc"), by="otto")
        elif "__interrupt__" not in result:
            result = invoke({"x": number})
        else:
            last = answers(result) if act != "again" or last is None else last
            if not last.resume:
                continue
            stop = crashing_after(store, draw.choice(["resolved", "dismissed"])) if act == "crash" else lambda: None
            try:
                result = invoke(last)
            except Crash:
                result = invoke(None)
            stop()
    while "__interrupt__" in result:
        shown = result["__interrupt__"][0].value["questions"]
        for question in shown:
            answered.setdefault(question["ref"], []).append(meant(question["contenders"][0]))
        result = invoke(Command(resume={question["ref"]: {"choose": 1} for question in shown}))

    assert len(decided) == len({ref for ref, _ in decided}), "a question was decided twice"
    assert all(what in answered.get(ref, []) for ref, what in decided), "something was decided that nobody wanted"
    assert len(decided) == len([who for who, _, _ in decisions(store) if who == "maria"])


@pytest.mark.parametrize("number", range(5))
def test_random_histories(number: int, seed: str) -> None:
    """Whatever happens in whatever order: nothing is decided but what was shown and answered so, and nothing twice."""
    check_a_random_history(random.Random(f"{seed}/{number}"))


@pytest.mark.torture
@pytest.mark.parametrize("number", range(1_000))
def test_many_random_histories(number: int, seed: str) -> None:
    """The same, a thousand times."""
    check_a_random_history(random.Random(f"{seed}/many/{number}"))
