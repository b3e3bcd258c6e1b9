"""Flows on our persistence and ``MergeFlow``: what parallel methods and several workers do to one state."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import pytest
from crewai.flow.async_feedback import HumanFeedbackPending, PendingFeedbackContext
from crewai.flow.flow import Flow, FlowState, and_, listen, router, start
from crewai.flow.human_feedback import human_feedback
from crewai.flow.persistence import FlowPersistence, SQLiteFlowPersistence, persist
from pydantic import BaseModel

from concordant import ConcordantError, Counter, Map, Scalar, SchemaError, Set, Text, Workspace
from concordant_crewai import MergeFlow, MergeFlowPersistence
from tests.patience import PATIENCE


class Findings(FlowState):
    tags: Annotated[set[str], Set()] = set()
    notes: Annotated[str, Text()] = ""
    count: Annotated[int, Counter()] = 0
    owners: Annotated[dict[str, str], Map()] = {}
    status: Annotated[str | None, Scalar()] = None


class Plain(FlowState):
    """No kinds at all."""

    tags: list[str] = []
    count: int = 0


# -- the contract of FlowPersistence, stock and ours -----------------------------------------------------------------


def stock(tmp_path: Path) -> FlowPersistence:
    return SQLiteFlowPersistence(str(tmp_path / "flows.db"))


def ours(tmp_path: Path) -> FlowPersistence:
    return MergeFlowPersistence()


Make = Callable[[Path], FlowPersistence]
both = pytest.mark.parametrize("make", [stock, ours])


@both
@pytest.mark.parametrize("state", [Findings(id="f", tags={"a"}, count=2), Plain(id="f", tags=["a", "a"], count=2)])
def test_a_state_is_loaded_as_it_was_saved(make: Make, state: BaseModel, tmp_path: Path) -> None:
    """A saved model comes back as the dict of its JSON values, its id included."""
    kept = make(tmp_path)
    kept.save_state("f", "begin", state)
    assert kept.load_state("f") == state.model_dump(mode="json")


@both
def test_a_dict_is_loaded_as_it_was_saved(make: Make, tmp_path: Path) -> None:
    """An unstructured state comes back equal; what a later save leaves out is gone."""
    kept, state = make(tmp_path), {"id": "f", "a": [1, {"b": None}], "c": "x"}
    kept.save_state("f", "begin", state)
    assert kept.load_state("f") == state
    del state["c"]
    kept.save_state("f", "next", state)
    assert kept.load_state("f") == {"id": "f", "a": [1, {"b": None}]}


@both
def test_an_unknown_flow_has_no_state(make: Make, tmp_path: Path) -> None:
    """What was never saved is loaded as None."""
    kept = make(tmp_path)
    assert kept.load_state("f") is None and kept.load_pending_feedback("f") is None
    kept.clear_pending_feedback("f")


@both
def test_the_newest_state_counts(make: Make, tmp_path: Path) -> None:
    """One worker's saves follow each other: what it removes is gone, what it counts is counted once."""
    kept, state = make(tmp_path), Findings(id="f", tags={"a"}, notes="one", count=1)
    kept.save_state("f", "begin", state)
    state.tags, state.notes, state.count, state.status = {"b"}, "two", 5, "done"
    kept.save_state("f", "next", state)
    loaded = kept.load_state("f")
    assert loaded == {"id": "f", "tags": ["b"], "notes": "two", "count": 5, "owners": {}, "status": "done"}


def test_persistences_that_come_and_go_do_not_mix() -> None:
    """A persistence never takes up what another one, gone by now, had loaded, though it has its place in memory."""
    for number in range(50):
        kept = MergeFlowPersistence()
        kept.save_state("f", "begin", {"id": "f", "n": number})
        assert kept.load_state("f") == {"id": "f", "n": number}
        del kept


@both
def test_flows_do_not_mix(make: Make, tmp_path: Path) -> None:
    """Two flow ids have two states."""
    kept = make(tmp_path)
    for name in ("f", "g"):
        kept.save_state(name, "begin", Findings(id=name, tags={name}))
    assert [kept.load_state(name)["tags"] for name in ("f", "g")] == [["f"], ["g"]]  # type: ignore[index]


@both
def test_a_flow_that_waits_for_feedback_is_found(make: Make, tmp_path: Path) -> None:
    """Pending feedback is saved with the state, loaded with its context, and cleared."""
    kept, state = make(tmp_path), Findings(id="f", tags={"a"})
    context = PendingFeedbackContext(
        flow_id="f", flow_class="Review", method_name="review", method_output="text", message="ok?"
    )
    kept.save_pending_feedback("f", context, state)
    loaded = kept.load_pending_feedback("f")
    assert loaded is not None
    assert loaded[0]["tags"] == ["a"] and loaded[1].to_dict() == context.to_dict()
    kept.clear_pending_feedback("f")
    assert kept.load_pending_feedback("f") is None and kept.load_state("f") is not None


@both
def test_a_state_that_is_none_is_refused(make: Make, tmp_path: Path) -> None:
    """Neither a model nor a dict: an error, and nothing is stored."""
    kept = make(tmp_path)
    with pytest.raises(Exception, match=r"BaseModel or dict|a pydantic model or a dict"):
        kept.save_state("f", "begin", ["a"])  # type: ignore[arg-type]
    assert kept.load_state("f") is None


# -- several workers on one flow -------------------------------------------------------------------------------------


def two_workers(kept: FlowPersistence) -> dict[str, Any]:
    """Two runs of one flow id, both of which load before either saves; what is loaded afterwards."""
    kept.save_state("f", "begin", Findings(id="f", notes="a plan", count=1))
    loaded = threading.Barrier(2)

    @persist(kept)
    class Work(Flow[Findings]):
        name_: str = ""

        @start()
        def work(self) -> None:
            loaded.wait(PATIENCE)
            self.state.tags.add(self.name_)
            self.state.count += 10
            self.state.owners[self.name_] = "me"

    threads = []
    for name in ("ada", "bob"):
        flow = Work()
        flow.name_ = name
        threads.append(threading.Thread(target=flow.kickoff, kwargs={"inputs": {"id": "f"}}))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = kept.load_state("f")
    assert found is not None
    return found


def test_the_stock_persistence_loses_a_workers_whole_work(tmp_path: Path) -> None:
    """On stock persistence the worker that saves last overwrites what the other saved."""
    found = two_workers(stock(tmp_path))
    assert len(found["tags"]) == 1 and found["count"] == 11 and len(found["owners"]) == 1


def test_two_workers_on_one_flow_keep_everything(tmp_path: Path) -> None:
    """On ours both workers' work is there, and nothing is counted twice."""
    found = two_workers(ours(tmp_path))
    assert sorted(found["tags"]) == ["ada", "bob"] and found["count"] == 21
    assert found["owners"] == {"ada": "me", "bob": "me"} and found["notes"] == "a plan"


def test_workers_of_a_state_without_kinds_escalate(tmp_path: Path) -> None:
    """Where no kinds are declared, two workers' different values of a field escalate instead of being lost."""
    kept = MergeFlowPersistence()
    kept.save_state("f", "begin", {"id": "f", "status": "draft", "other": 1})
    loaded = threading.Barrier(2)

    def work(value: str) -> None:
        state = kept.load_state("f")
        assert state is not None
        loaded.wait(PATIENCE)
        kept.save_state("f", value, {**state, "status": value})

    threads = [threading.Thread(target=work, args=(value,)) for value in ("ready", "late")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [question] = kept.escalations("f")
    assert sorted((c.value, c.agent) for c in question.contenders) == [("late", "late"), ("ready", "ready")]
    found = kept.load_state("f")
    assert found is not None and found["other"] == 1 and found["status"] == "draft"


def test_a_state_class_with_faults_is_refused_with_all_of_them() -> None:
    """A state of which some fields declare kinds and others none is a SchemaError, before anything is saved."""

    class Half(FlowState):
        tags: Annotated[set[str], Set()] = set()
        more: list[str] = []

    with pytest.raises(SchemaError, match=r"Half\.more"):
        MergeFlowPersistence(Half)


# -- MergeFlow -------------------------------------------------------------------------------------------------------


def parallel(base: Any) -> Any:
    """A flow of ``base`` with two methods that run at once."""
    began = threading.Barrier(2)

    class Parallel(base[Findings]):  # type: ignore[misc]
        @start()
        def begin(self) -> None:
            self.state.notes = "the plan is short. It is cheap."

        @listen(begin)
        def left(self) -> None:
            self._work("left", "short", "long")

        @listen(begin)
        def right(self) -> None:
            self._work("right", "cheap", "dear")

        @listen(and_(left, right))
        def end(self) -> str:
            return self.state.notes

        def _work(self, name: str, old: str, new: str) -> None:
            tags, notes = self.state.tags, self.state.notes
            began.wait(PATIENCE)
            for _ in range(1000):
                self.state.count += 1
            self.state.tags = tags | {name}
            began.wait(PATIENCE)
            self.state.notes = notes.replace(old, new)
            self.state.owners[name] = "me"

    return Parallel()


def test_the_stock_flow_loses_a_parallel_methods_work() -> None:
    """In CrewAI's own flow one of two parallel methods that read, work and write loses what it did."""
    flow = parallel(Flow)
    flow.kickoff()
    assert len(flow.state.tags) == 1 and flow.state.notes != "the plan is long. It is dear."


def test_parallel_methods_keep_everything() -> None:
    """In ours each works on a copy, and the copies are merged: sets, words of a text, counts, keys."""
    flow = parallel(MergeFlow)
    assert flow.kickoff() == "the plan is long. It is dear."
    assert flow.state.tags == {"left", "right"} and flow.state.count == 2000
    assert flow.state.owners == {"left": "me", "right": "me"}
    assert {c.value: c.agents for c in flow.blame()[("tags",)]} == {"left": ("left",), "right": ("right",)}


def test_parallel_coroutines_keep_everything() -> None:
    """Methods that are coroutines, or return one, fork and merge as well."""

    class Work(MergeFlow[Findings]):
        @start()
        async def one(self) -> None:
            count = self.state.count
            await asyncio.sleep(0.02)
            self.state.count = count + 1

        @start()
        def two(self) -> Any:
            async def later() -> None:
                count = self.state.count
                await asyncio.sleep(0.02)
                self.state.count = count + 1

            return later()

    flow = Work()
    flow.kickoff()
    assert flow.state.count == 2


def test_what_cannot_be_merged_escalates_and_is_settled() -> None:
    """Two methods that set one scalar at once escalate with the methods' names; a decision shows in the state."""
    began = threading.Barrier(2)

    class Work(MergeFlow[Findings]):
        @start()
        def ready(self) -> None:
            began.wait(PATIENCE)
            self.state.status = "ready"

        @start()
        def late(self) -> None:
            began.wait(PATIENCE)
            self.state.status = "late"

    flow = Work()
    flow.kickoff()
    [question] = flow.escalations()
    assert sorted((c.value, c.agent) for c in question.contenders) == [("late", "late"), ("ready", "ready")]
    assert flow.state.status is None
    flow.resolve(question, "late", by="maria", why="It came last.")
    assert flow.state.status == "late" and flow.escalations() == []
    assert flow.escalations(state="resolved")[0].remarks[-1] == ("maria", "It came last.")


def test_a_later_method_sees_and_replaces() -> None:
    """Methods that follow each other never escalate."""

    class Work(MergeFlow[Findings]):
        @start()
        def draft(self) -> None:
            self.state.status = "draft"

        @router(draft)
        def check(self) -> str:
            assert self.state.status == "draft"
            self.state.status = "checked"
            return "good"

        @listen("good")
        def publish(self) -> None:
            self.state.status = f"published after {self.state.status}"

    flow = Work()
    flow.kickoff()
    assert flow.state.status == "published after checked" and flow.escalations(state="all") == []


def test_what_a_failing_method_changed_is_dropped() -> None:
    """A method that raises leaves the state as it was; the flow raises as CrewAI's does."""

    class Work(MergeFlow[Findings]):
        @start()
        def good(self) -> None:
            self.state.tags.add("good")

        @listen(good)
        def bad(self) -> None:
            self.state.tags.add("bad")
            raise ValueError("no")

    flow = Work()
    with pytest.raises(ValueError, match="no"):
        flow.kickoff()
    assert flow.state.tags == {"good"}


def test_inputs_are_part_of_the_state() -> None:
    """What kickoff is given is in the state of every method; a second kickoff goes on from there."""

    class Work(MergeFlow[Findings]):
        @start()
        def work(self) -> int:
            self.state.count += 1
            return self.state.count

    flow = Work()
    assert flow.kickoff(inputs={"count": 5, "tags": {"x"}}) == 6
    assert flow.state.tags == {"x"}
    assert flow.kickoff() == 7
    assert flow.kickoff(inputs={"count": 1}) == 2


def test_several_workers_on_one_flow_id() -> None:
    """Flows that share a workspace and an id merge what they did at once; one that comes later goes on from there."""
    ws, began = Workspace(), threading.Barrier(2)

    class Work(MergeFlow[Findings]):
        @start()
        def work(self) -> None:
            began.wait(PATIENCE)
            self.state.count += 1
            self.state.tags.add(self.state.owners.get("who", "nobody"))

    def run(name: str) -> None:
        Work(workspace=ws).kickoff(inputs={"id": "f", "owners": {"who": "somebody"}})

    for _ in range(3):
        threads = [threading.Thread(target=run, args=(name,)) for name in ("ada", "bob")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    flow: Any = Work(workspace=ws)
    began = threading.Barrier(1)
    flow.kickoff(inputs={"id": "f"})
    assert flow.state.count == 7 and flow.state.tags == {"somebody"}


def test_a_flow_may_persist_as_well() -> None:
    """With ``@persist`` on a MergeFlow nothing is written twice, and another flow finds the state."""
    kept = MergeFlowPersistence(Findings)

    @persist(kept)
    class Work(MergeFlow[Findings]):
        @start()
        def one(self) -> None:
            self.state.count += 1

        @listen(one)
        def two(self) -> None:
            self.state.count += 1
            self.state.notes += "x"

    first = Work(persistence=kept)
    first.kickoff()
    assert kept.load_state(first.flow_id) == {**first.state.model_dump(mode="json"), "count": 2, "notes": "x"}
    second = Work(persistence=kept)
    second.kickoff(inputs={"id": first.flow_id})
    assert second.state.count == 4 and second.state.notes == "xx"


def test_a_flow_without_events_counts_once() -> None:
    """A flow that emits no events merges and persists just the same."""

    class Work(MergeFlow[Findings]):
        @start()
        def one(self) -> None:
            self.state.count += 1

        @start()
        def two(self) -> None:
            self.state.count += 1

        @listen(and_(one, two))
        def three(self) -> None:
            self.state.count += 1

    kept = MergeFlowPersistence(Findings)
    flow: Any = persist(kept)(Work)(suppress_flow_events=True, persistence=kept)  # type: ignore[operator]
    flow.kickoff()
    again: Any = Work(suppress_flow_events=True, persistence=kept)
    again.kickoff(inputs={"id": flow.flow_id})
    assert again.state.count == 6


@pytest.mark.parametrize("initial", [dict, None])
def test_a_flow_with_a_dict_as_state(initial: Any) -> None:
    """In an unstructured state two parallel methods' different keys are kept; one key set to two values escalates."""
    began = threading.Barrier(2)

    class Work(MergeFlow[dict]):  # type: ignore[type-arg]
        initial_state = initial

        @start()
        def one(self) -> None:
            began.wait(PATIENCE)
            self.state["one"] = self.state["status"] = 1

        @start()
        def two(self) -> None:
            began.wait(PATIENCE)
            self.state["two"] = self.state["status"] = 2

    flow = Work()
    flow.kickoff()
    assert (flow.state["one"], flow.state["two"]) == (1, 2)
    assert [e.path for e in flow.escalations()] == [("status",)]


def test_a_flow_of_a_plain_model() -> None:
    """A state class that is no FlowState gets its id from CrewAI, and merges."""

    class Bare(BaseModel):
        tags: Annotated[set[str], Set()] = set()

    class Work(MergeFlow[Bare]):
        @start()
        def one(self) -> None:
            self.state.tags.add("one")

        @start()
        def two(self) -> None:
            self.state.tags.add("two")

    flow = Work()
    flow.kickoff()
    assert flow.state.tags == {"one", "two"} and flow.flow_id


class Waits:
    """A feedback provider that nobody answers at once."""

    def request_feedback(self, context: PendingFeedbackContext, flow: Any) -> str:
        raise HumanFeedbackPending(context=context)


def test_a_flow_that_waits_for_a_person_keeps_its_state() -> None:
    """What a method did before it waits for feedback is merged, and found when the flow goes on elsewhere."""
    ws = Workspace()

    class Review(MergeFlow[Findings]):
        @start()
        @human_feedback(message="ok?", provider=Waits())
        def review(self) -> str:
            self.state.count += 1
            return "text"

        @listen(review)
        def after(self) -> None:
            self.state.count += 10

    flow = Review(workspace=ws)
    assert isinstance(flow.kickoff(), HumanFeedbackPending)
    assert flow.state.count == 1
    again = Review.from_pending(flow.flow_id, MergeFlowPersistence(Findings, workspace=ws))
    again.resume("fine")
    assert again.state.count == 11
    assert MergeFlowPersistence(Findings, workspace=ws).load_pending_feedback(flow.flow_id) is None


# -- states that are not all JSON, questions to a person, copies ------------------------------------------------------


class Asks:
    """Answers a flow's questions, and looks at what is stored when it is asked."""

    def __init__(self, look: Callable[[Any], Any]) -> None:
        self.look = look
        self.seen: list[Any] = []

    def request_input(self, message: str, flow: Any, metadata: Any = None) -> str:
        self.seen.append(self.look(flow))
        return "yes"


@pytest.mark.parametrize("timeout", [None, 20.0])
def test_what_a_method_did_is_saved_before_it_asks(timeout: float | None) -> None:
    """A crash while a person thinks loses nothing; what the method does afterwards counts once."""
    workspace = Workspace()

    class Interview(MergeFlow[Findings]):
        @start()
        def talk(self) -> None:
            self.state.tags = self.state.tags | {"asked"}
            self.state.count += 2
            assert self.ask("go on?", timeout=timeout) == "yes"
            self.state.count += 3
            self.state.status = "done"

    provider = Asks(lambda flow: MergeFlowPersistence(Findings, workspace=workspace).load_state(flow.flow_id))
    flow = Interview(workspace=workspace, input_provider=provider)
    flow.kickoff()
    [kept] = provider.seen
    assert (kept["tags"], kept["count"], kept["status"]) == (["asked"], 2, None)
    assert (flow.state.count, flow.state.status, flow.state.tags) == (5, "done", {"asked"})
    assert {c.agent for credits in flow.blame().values() for c in credits} <= {"talk", "inputs"}


def test_a_question_beside_another_method_loses_nothing() -> None:
    """What the others did meanwhile is merged, not put back."""
    asked, done = threading.Event(), threading.Event()

    class Interview(MergeFlow[Findings]):
        @start()
        def talk(self) -> None:
            self.state.count += 1
            self.ask("go on?")
            self.state.count += 1

        @start()
        def work(self) -> None:
            assert asked.wait(PATIENCE)
            self.state.count += 10
            self.state.tags = {"work"}
            done.set()

    class Waits:
        def request_input(self, message: str, flow: Any, metadata: Any = None) -> str:
            asked.set()
            assert done.wait(PATIENCE)
            return "yes"

    flow = Interview(input_provider=Waits())
    flow.kickoff()
    assert (flow.state.count, flow.state.tags) == (12, {"work"}) and flow.escalations() == []


@both
def test_a_state_that_is_not_all_json_is_kept_as_by_the_stock_persistence(make: Make, tmp_path: Path) -> None:
    """Sets and dates are kept in their JSON form, other objects as text; of equal saves nothing changes."""

    class Odd:
        def __str__(self) -> str:
            return "odd"

    state = {"id": "f", "set": {1}, "when": datetime(2026, 1, 2), "odd": Odd(), "pair": (1, {"in": Odd()})}
    kept = make(tmp_path)
    for _ in range(2):
        kept.save_state("f", "begin", state)
    found = kept.load_state("f")
    assert found == {"id": "f", "set": [1], "when": "2026-01-02T00:00:00", "odd": "odd", "pair": [1, {"in": "odd"}]}


def test_a_state_that_cannot_be_text_is_refused() -> None:
    """With an error of ours, nothing of it saved."""
    loop: dict[str, Any] = {"id": "f"}
    loop["self"] = loop
    for state in (loop, {"id": "f", (1, 2): "x"}):
        kept = MergeFlowPersistence()
        with pytest.raises(ConcordantError, match="JSON"):
            kept.save_state("f", "begin", state)
        assert kept.load_state("f") is None


@pytest.mark.parametrize("base", [Flow, MergeFlow])
def test_objects_last_from_method_to_method(base: Any) -> None:
    """What is no JSON is there in the next method as it was left, as in CrewAI's own flows."""
    lock = threading.Lock()

    class Keeps(base[dict]):  # type: ignore[misc]
        @start()
        def begin(self) -> None:
            self.state.update(lock=lock, seen={1}, when=datetime(2026, 1, 2), count=1)

        @listen(begin)
        def left(self) -> None:
            assert self.state["lock"] is lock and self.state["when"] == datetime(2026, 1, 2)
            self.state["seen"].add(2)

        @listen(begin)
        def right(self) -> None:
            assert self.state["lock"] is lock
            self.state["count"] += 1

        @listen(and_(left, right))
        def end(self) -> Any:
            return self.state["seen"], self.state["count"], self.state["lock"]

    flow = Keeps()
    assert flow.kickoff() == ({1, 2}, 2, lock)
    if isinstance(flow, MergeFlow):
        assert flow.escalations() == []


def test_a_persistence_may_be_copied_with_its_flow() -> None:
    """A deep copy works on the same workspace, as one of CrewAI's own on the same file."""
    kept = MergeFlowPersistence(Findings)
    kept.save_state("f", "begin", Findings(id="f", count=2))
    for copied in (copy.deepcopy(kept), copy.copy(kept), copy.deepcopy({"in": [kept]})["in"][0]):
        found = copied.load_state("f")
        assert found is not None and found["count"] == 2
