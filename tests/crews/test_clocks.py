"""No clock on the wall decides an order that is known without it, wherever in a crew's or flow's life it steps."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from crewai import Crew
from crewai.events import base_events
from crewai.events.event_bus import CrewAIEventsBus
from crewai.flow.flow import Flow, and_, listen, start

from concordant import Instant, Workspace
from concordant.storage import clocks as course
from concordant_crewai import MergeFlow, MergeStorage, SharedState, beginnings, context
from tests.patience import PATIENCE

from .support import agent, task
from .test_flows import Findings
from .test_memory import one
from .test_shared_state import Doing, Plan, do
from .test_shown import eve
from .test_tools import update

STEPS = (-300.0, -1.0, -0.05, 0.0, 30.0, 300.0)
FEW = [s if s in (-300.0, -0.05, 30.0) else pytest.param(s, marks=pytest.mark.torture) for s in STEPS]
Clock = Callable[[float], None]
Point = Callable[[int], None]


def stepping(patch: pytest.MonkeyPatch) -> Clock:
    """A function that steps the clock on the wall: the one that stores see, and the one that CrewAI's events carry."""
    real, off = time.time, [0.0]

    class Shown(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=off[0])

    patch.setattr(time, "time", lambda: real() + off[0])
    patch.setattr(base_events, "datetime", Shown)

    def by(seconds: float) -> None:
        off[0] += seconds

    return by


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stepping(monkeypatch)


@pytest.fixture(params=["memory", pytest.param("sqlite", marks=pytest.mark.torture)])
def workspace(request: pytest.FixtureRequest, fresh_url: Callable[[str], str | None]) -> Iterator[Workspace]:
    with Workspace(fresh_url(request.param)) as found:
        yield found


def beside(call: Callable[[], Any]) -> None:
    """Runs a call in a thread of its own, outside of all work."""
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def each_point(
    workspace: Workspace, step: Clock, seconds: float, points: int, work: Callable[[Point, Callable[[str], None]], None]
) -> dict[int, set[int]]:
    """Does some work anew for each of its points, where the clock steps there.

    Args:
        work: is given what to call at each point, where somebody else writes to a document of its own, and what puts a
            status to all of these documents.

    Returns:
        By the point of the step: of which points the documents are contested in the end.
    """
    found: dict[int, set[int]] = {}
    for stepped in range(points):
        documents = [
            SharedState(Plan, workspace=workspace, namespace=("plans",), key=f"{seconds}/{stepped}/{other}")
            for other in range(points)
        ]
        for state in documents:
            workspace.agent("seed").write(state.namespace, state.key, {"status": "base"})

        def point(number: int, stepped: int = stepped, documents: list[Any] = documents) -> None:
            if number == stepped:
                step(seconds)
            beside(eve(documents[number], status="other"))

        def put(name: str, documents: list[Any] = documents) -> None:
            for state in documents:
                state.write({"status": name})

        point(0)
        work(point, put)
        found[stepped] = {number for number, state in enumerate(documents) if state.escalations()}
        point(points - 1)
        step(-seconds)
    return found


def two_tasks(point: Point, put: Callable[[str], None], is_async: bool = False) -> None:
    """A crew of two tasks, one after the other, with all that happens in the life of each."""

    def worker(name: str, first: int) -> Any:
        def does(what: str) -> None:
            point(first + 1)
            put(name)
            point(first + 2)

        def decide(messages: Any) -> Any:
            point(first)
            return do()

        def end(messages: Any) -> str:
            point(first + 3)
            return "done"

        one = task(agent(name, [decide, end], [Doing(does=does)]))
        one.callback = lambda _: point(first + 4)
        return one

    tasks = [worker("ada", 1), worker("bob", 6)]
    crew = Crew(agents=[one.agent for one in tasks], tasks=tasks)
    asyncio.run(crew.akickoff()) if is_async else crew.kickoff()


@pytest.mark.parametrize("seconds", FEW)
def test_a_step_at_any_point_of_a_crew_loses_and_alarms_nothing(
    workspace: Workspace, step: Clock, seconds: float
) -> None:
    """What was written while a task ran is beside its write, what was there when it began is before it."""
    found = each_point(workspace, step, seconds, 12, two_tasks)
    # Bob has seen all that was there when his task began; not what came while he thought, and before he wrote.
    assert found == {stepped: {6, 7} for stepped in range(12)}


@pytest.mark.parametrize("seconds", [-300.0, pytest.param(30.0, marks=pytest.mark.torture)])
def test_a_step_at_any_point_of_a_crew_of_coroutines_loses_and_alarms_nothing(step: Clock, seconds: float) -> None:
    """The same where CrewAI runs on an event loop."""
    found = each_point(Workspace(), step, seconds, 12, lambda point, put: two_tasks(point, put, is_async=True))
    assert found == {stepped: {6, 7} for stepped in range(12)}


@pytest.mark.parametrize("seconds", FEW)
@pytest.mark.parametrize("is_async", [False, True], ids=["methods", "coroutines"])
def test_a_step_at_any_point_of_a_flow_loses_and_alarms_nothing(
    workspace: Workspace, step: Clock, seconds: float, is_async: bool
) -> None:
    """A method has seen what was there when it began, and no more, whatever the clock did in between."""

    def work(point: Point, put: Callable[[str], None]) -> None:
        def one() -> None:
            point(1)
            put("one")
            point(2)

        def two() -> None:
            point(3)
            put("two")
            point(4)

        class Methods(Flow):
            @start()
            def one(self) -> None:
                one()

            @listen(one)
            def two(self) -> None:
                two()

        class Coroutines(Flow):
            @start()
            async def one(self) -> None:
                one()

            @listen(one)
            async def two(self) -> None:
                two()

        (Coroutines if is_async else Methods)().kickoff()

    assert each_point(workspace, step, seconds, 6, work) == {stepped: {3} for stepped in range(6)}


@pytest.mark.parametrize("seconds", FEW)
def test_a_step_at_any_point_of_a_merge_flow_loses_and_alarms_nothing(
    workspace: Workspace, step: Clock, seconds: float
) -> None:
    """Methods side by side are concurrent, and what follows has seen both, wherever the clock steps."""
    for stepped in range(6):
        point = partial(step_at, step, seconds, stepped)
        flow_class = side_by_side(point)
        first, flow = flow_class(workspace=workspace), flow_class(workspace=workspace)
        first.kickoff()
        point(5)
        flow.kickoff(inputs={"id": first.flow_id, "notes": "again"})
        assert (flow.state.tags, flow.state.count, flow.state.status) == (set(), 4, "both")
        assert flow.state.notes == "again" and flow.escalations(state="all") == []
        step(-seconds)


def step_at(step: Clock, seconds: float, stepped: int, number: int) -> None:
    """Steps the clock at one point."""
    if number == stepped:
        step(seconds)


def side_by_side(point: Point) -> type[MergeFlow[Findings]]:
    """A flow of two methods that work at once, and one after them."""
    began = threading.Barrier(2)

    class Work(MergeFlow[Findings]):
        @start()
        def ada(self) -> None:
            began.wait(PATIENCE)
            point(0)
            self.state.tags.add("ada")
            self.state.status = "ada"
            point(1)

        @start()
        def bob(self) -> None:
            began.wait(PATIENCE)
            self.state.count += 1
            self.state.owners["x"] = "bob"
            point(2)

        @listen(and_(ada, bob))
        def both(self) -> None:
            point(3)
            assert (self.state.tags, self.state.count % 2, self.state.owners) == ({"ada"}, 1, {"x": "bob"})
            self.state.tags.remove("ada")
            self.state.count += 1
            self.state.status = "both"
            point(4)

    return Work


@pytest.mark.parametrize("seconds", FEW)
def test_a_step_between_what_is_remembered_and_forgotten_changes_nothing(
    tmp_path: Path, step: Clock, seconds: float
) -> None:
    """A memory's records follow the order of calls: what is saved, updated, touched, forgotten, and saved again."""
    storage = MergeStorage(tmp_path)
    for number in range(5):

        def point(place: int, number: int = number) -> None:
            if place == number:
                step(seconds)

        text = f"fact {number}"
        record = one(text)
        storage.save([record])
        point(0)
        found = storage.get_record(record.id)
        assert found is not None
        storage.update(found.model_copy(update={"importance": 0.9, "categories": ["a"]}))
        point(1)
        storage.touch_records([record.id])
        point(2)
        assert storage.delete(record_ids=[record.id]) == 1 and storage.get_record(record.id) is None
        point(3)
        again = one(text)
        storage.save([again])
        point(4)
        found = storage.get_record(again.id)
        assert found is not None and (found.content, found.categories) == (text, [])
        assert storage.escalations(state="all") == []
        step(-seconds)


def test_what_code_of_a_task_was_shown_is_ordered_among_its_agents_calls(step: Clock) -> None:
    """A guardrail's look is one before the calls that its answer brings about, however CrewAI numbers its events."""
    for seconds in STEPS:
        for _ in range(50):
            Instant.now()  # as in a process that has been at work for a while
        state, looks = SharedState(Plan), []
        read, change = state.tools()[:2]

        def look(state: Any = state, looks: Any = looks, read: Any = read, seconds: float = seconds) -> bool:
            looks.append(None)
            if len(looks) == 1:
                beside(eve(state, status="draft", tags=["a"]))
                step(seconds)
                read.run()
            return len(looks) > 1

        ada = agent("ada", ["done", [update(status="ready", remove_tags=["a"])], "done"], [read, change])
        Crew(agents=[ada], tasks=[task(ada, guardrail=lambda _, look=look: (look(), "look at the plan"))]).kickoff()
        assert state.value == {"status": "ready", "tags": []} and state.escalations() == []


def test_what_another_process_wrote_before_a_task_began_is_told_by_the_file(tmp_path: Path, step: Clock) -> None:
    """A SQLite file is asked when a task begins, whatever the clocks of those who write to it did."""
    url = f"sqlite:///{tmp_path}/team.db"
    with Workspace(url) as other:
        theirs = SharedState(Plan, workspace=other, namespace=("plans",), key="")
        course._known.clear()  # as in another process
        with Workspace(url) as workspace:
            for number, seconds in enumerate(STEPS):
                early, late = (
                    SharedState(Plan, workspace=workspace, namespace=("plans",), key=f"{word}{number}")
                    for word in ("early", "late")
                )

                def write(state: Any, theirs: Any = theirs) -> None:
                    beside(lambda: other.agent("other").write(theirs.namespace, state.key, {"status": "other"}))

                def does(what: str, early: Any = early, late: Any = late, seconds: float = seconds) -> None:
                    step(seconds)
                    write(late)
                    beside(lambda: workspace.get(late.namespace, late.key))  # heard of here, but not by the task
                    early.write({"status": "mine"})
                    late.write({"status": "mine"})

                write(early)
                step(-seconds)
                worker = agent("ada", [do()], [Doing(does=does)])
                Crew(agents=[worker], tasks=[task(worker)]).kickoff()
                assert (early.escalations(), len(late.escalations())) == ([], 1)


def by_crew(does: Callable[[str], None]) -> None:
    worker = agent("ada", [do()], [Doing(does=does)])
    asyncio.run(Crew(agents=[worker], tasks=[task(worker)]).akickoff())


def by_flow(does: Callable[[str], None]) -> None:
    class Going(Flow[Any]):
        @start()
        async def go(self) -> None:
            does("")

    asyncio.run(Going().kickoff_async())


@pytest.mark.parametrize("work", [by_crew, by_flow])
def test_what_another_process_wrote_before_a_unit_on_an_event_loop_is_told_by_clocks(
    tmp_path: Path, step: Clock, work: Callable[[Callable[[str], None]], None]
) -> None:
    """Nobody can await the file there. While no clock steps the verdicts are exact; at a step nothing is overwritten
    unseen, though what was there before may count as beside it."""
    url = f"sqlite:///{tmp_path}/team.db"
    with Workspace(url) as other:
        course._known.clear()  # as in another process
        with Workspace(url) as workspace:
            for number, seconds in enumerate((0.0, 0.0, 0.0, 300.0, -300.0)):
                early, late = (
                    SharedState(Plan, workspace=workspace, namespace=("plans",), key=f"{word}{number}")
                    for word in ("early", "late")
                )

                def write(state: Any) -> None:
                    beside(lambda: other.agent("other").write(state.namespace, state.key, {"status": "other"}))

                def does(what: str, early: Any = early, late: Any = late, seconds: float = seconds) -> None:
                    step(seconds)
                    write(late)
                    beside(lambda: workspace.get(late.namespace, late.key))  # heard of here, but not by the unit
                    early.write({"status": "mine"})
                    late.write({"status": "mine"})

                write(early)
                step(-seconds)
                work(does)
                assert len(late.escalations()) == 1
                assert seconds or early.escalations() == []


def test_instants_are_kept_as_long_as_crewai_keeps_its_events() -> None:
    """A process that runs crews for months does not fill up."""
    state = SharedState(Plan)
    kept = []

    def does(what: str) -> None:
        state.write({"tags": ["x"]})
        kept.append(len(beginnings._instants))

    for _ in range(5):
        worker = agent("ada", [do()], [Doing(does=does)])
        Crew(agents=[worker], tasks=[task(worker)]).kickoff()
        del worker
        gc.collect()
    assert 0 < kept[-1] <= kept[0] + 8


# -- mutants -----------------------------------------------------------------------------------------------------------


def in_a_crew(patch: pytest.MonkeyPatch) -> None:
    with patch.context() as clock:
        test_a_step_at_any_point_of_a_crew_loses_and_alarms_nothing(Workspace(), stepping(clock), -300.0)


def in_a_flow(patch: pytest.MonkeyPatch) -> None:
    with patch.context() as clock:
        test_a_step_at_any_point_of_a_flow_loses_and_alarms_nothing(Workspace(), stepping(clock), -300.0, False)


def of_sights(patch: pytest.MonkeyPatch) -> None:
    with patch.context() as clock:
        test_what_code_of_a_task_was_shown_is_ordered_among_its_agents_calls(stepping(clock))


def by_the_wall(patch: pytest.MonkeyPatch) -> None:
    """A task began when CrewAI's event says."""
    patch.setattr(context, "noted", lambda event_id: None)


def by_crewais_numbers(patch: pytest.MonkeyPatch) -> None:
    """Calls are ordered as CrewAI numbers its events."""
    turn_of = context._turn_of
    patch.setattr(
        context, "_turn_of", lambda record, started: turn_of(record, started) and int(started.emission_sequence)
    )


def by_a_handler(patch: pytest.MonkeyPatch) -> None:
    """An event is noted when CrewAI's bus gets round to telling of it."""
    note, emit = beginnings._note, CrewAIEventsBus.emit
    patch.setattr(beginnings, "_note", lambda event: None)

    def late(self: Any, source: Any, event: Any) -> Any:
        done = emit(self, source, event)
        if event.type == "method_execution_started":
            threading.Timer(0.05, note, [event]).start()
        return done

    patch.setattr(CrewAIEventsBus, "emit", late)


@pytest.mark.parametrize(
    ("check", "mutant"),
    [(in_a_crew, by_the_wall), (in_a_flow, by_the_wall), (in_a_flow, by_a_handler), (of_sights, by_crewais_numbers)],
)
def test_a_broken_clock_is_noticed(check: Any, mutant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of what a mutant breaks fails under that mutant, and holds without it."""
    check(monkeypatch)
    mutant(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        check(monkeypatch)
