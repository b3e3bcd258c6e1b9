"""The contract of an adapter, as tests: what agents' code may rely on in every framework."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from threading import Thread
from typing import Annotated, Any, ClassVar, TypeAlias

import pytest
from pydantic import BaseModel

from concordant.merge.kinds import Counter, Scalar, Set, Text
from concordant.workspace import Document, Workspace

__all__ = ["AdapterContract", "Shared", "Work"]

Work: TypeAlias = Callable[[], object]
"""The code of an agent's task."""

NS = ("contract",)
AT = (NS, "shared")


class Shared(BaseModel):
    """What the tasks of the contract write."""

    tags: Annotated[set[str], Set()] = set()
    notes: Annotated[str, Text()] = ""
    count: Annotated[int, Counter()] = 0
    status: Annotated[str | None, Scalar()] = None


class AdapterContract:
    """What every adapter does. Subclass it in a file of tests, and say how your framework runs work::

        class TestMyAdapter(AdapterContract):
            def connect(self, workspace):
                my_adapter.connect(workspace)

            def run(self, steps):
                for step in steps:
                    MyFramework(agents=step).go()

    Attributes:
        retries: whether the framework can execute a task again, so that ``retry`` is given.
    """

    retries: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if not cls.retries:
            for name in [name for name in dir(cls) if name.startswith("test_a_retried")]:
                setattr(cls, name, None)

    # -- what an adapter gives -----------------------------------------------------------------------------------

    def connect(self, workspace: Workspace) -> None:
        """Connects a workspace with the framework: above all ``workspace.add_scope_provider(...)``."""
        raise NotImplementedError("give connect(workspace), which connects a workspace with your framework")

    def run(self, steps: Sequence[Mapping[str, Work]]) -> None:
        """Runs steps one after the other.

        Args:
            steps: of each, the work by the name of the agent that does it. The work of one step is done side by side,
                each in a task of its own, and no task may write before all of the step have begun.
        """
        raise NotImplementedError("give run(steps), which runs the work of agents in your framework")

    def retry(self, name: str, work: Work) -> None:
        """Runs work as one task of an agent that fails after it, and is then executed again, and succeeds."""
        raise NotImplementedError("give retry(name, work), or leave retries = False")

    @pytest.fixture
    def ws(self) -> Workspace:
        """Returns a workspace in memory that is connected with the framework."""
        workspace = Workspace(schemas={NS: Shared})
        self.connect(workspace)
        return workspace

    # -- who wrote -----------------------------------------------------------------------------------------------

    def test_a_write_names_the_agent_of_its_task(self, ws: Workspace) -> None:
        """What a task writes is credited to its agent, a value at a time."""
        self.run([{"ada": lambda: ws.put(*AT, {"tags": ["a"], "status": "draft"})}])
        self.run([{"bob": lambda: ws.put(*AT, {"tags": ["b"]})}])
        credits = ws.blame(*AT)
        assert {credit.value: credit.agents for credit in credits["tags",]} == {"a": ("ada",), "b": ("bob",)}
        assert credits["status",][0].agents == ("ada",)

    def test_a_name_in_force_is_the_writer(self, ws: Workspace) -> None:
        """Inside a task ``acting_as`` changes who writes, and not what the task has seen."""

        def work() -> None:
            ws.put(*AT, {"status": "draft"})
            with ws.acting_as("eve"):
                ws.put(*AT, {"status": "final"})

        self.run([{"ada": work}])
        assert shown(ws).value == {"status": "final"} and ws.escalations(state="all") == []
        assert ws.blame(*AT)["status",][0].agents == ("eve",)

    # -- what is concurrent --------------------------------------------------------------------------------------

    def test_tasks_side_by_side_lose_nothing(self, ws: Workspace) -> None:
        """What two tasks of a step write at once is merged, or asked about with both sides and their agents."""

        def works(name: str) -> Work:
            return lambda: ws.put(*AT, {"tags": [name], "count": 1, "status": name})

        self.run([{name: works(name) for name in ("ada", "bob")}])
        document = shown(ws)
        assert sorted(document.value["tags"]) == ["ada", "bob"] and document.value["count"] == 2
        [question] = ws.escalations()
        sides = sorted((contender.value, contender.agent) for contender in question.contenders)
        assert question.path == ("status",) and sides == [("ada", "ada"), ("bob", "bob")]

    def test_equal_values_are_no_question(self, ws: Workspace) -> None:
        """Two tasks of a step that say the same agree, and both are credited."""
        put = {name: lambda: ws.put(*AT, {"status": "done"}) for name in ("ada", "bob")}
        self.run([put])
        assert ws.escalations(state="all") == []
        assert sorted(ws.blame(*AT)["status",][0].agents) == ["ada", "bob"]

    def test_a_later_task_has_seen_the_earlier_one(self, ws: Workspace) -> None:
        """Tasks of steps that follow each other are in order: the later value stands, nobody is asked."""
        self.run([{"ada": lambda: ws.put(*AT, {"status": "draft"})}, {"bob": lambda: ws.put(*AT, {"status": "done"})}])
        assert shown(ws).value == {"status": "done"} and ws.escalations(state="all") == []

    def test_a_task_has_seen_its_own_writes(self, ws: Workspace) -> None:
        """A task that puts, reads what it put, and puts again is in order with itself."""
        read: list[Any] = []

        def work() -> None:
            ws.put(*AT, {"status": "draft"})
            read.append(here(ws).value)
            ws.put(*AT, {"status": "done"})

        self.run([{"ada": work}])
        assert read == [{"status": "draft"}]
        assert shown(ws).value == {"status": "done"} and ws.escalations(state="all") == []

    def test_what_others_did_since_a_task_began_is_concurrent(self, ws: Workspace) -> None:
        """What somebody outside the framework writes while a task is at work is nothing that the task has seen."""

        def work() -> None:
            elsewhere(lambda: ws.agent("maria").write(*AT, {"status": "by hand"}))
            ws.put(*AT, {"status": "draft"})

        self.run([{"ada": work}])
        questions = ws.escalations()
        assert questions, "the task has seen what came after it began: TaskScope(began=) was taken at its first call"
        assert sorted(contender.agent for contender in questions[0].contenders) == ["ada", "maria"]

    def test_what_a_task_read_since_is_seen(self, ws: Workspace) -> None:
        """What a task has read in the meantime it replaces, and nobody is asked."""

        def work() -> None:
            elsewhere(lambda: ws.agent("maria").write(*AT, {"status": "by hand"}))
            here(ws)
            ws.put(*AT, {"status": "draft"})

        self.run([{"ada": work}])
        assert shown(ws).value == {"status": "draft"} and ws.escalations(state="all") == []

    # -- what a put means ----------------------------------------------------------------------------------------

    def test_a_put_after_a_read_is_an_edit(self, ws: Workspace) -> None:
        """A task that has read a document takes away what it leaves out of a set."""
        ws.agent("planner").write(*AT, {"tags": ["a", "b"]})

        def work() -> None:
            tags = here(ws).value["tags"]
            ws.put(*AT, {"tags": [tag for tag in tags if tag != "a"]})

        self.run([{"ada": work}])
        assert shown(ws).value == {"tags": ["b"]}

    def test_a_put_without_a_read_adds(self, ws: Workspace) -> None:
        """A task that has not read a document contributes to it, whatever other tasks have read."""
        ws.agent("planner").write(*AT, {"tags": ["a"]})
        self.run([{"ada": lambda: here(ws)}, {"bob": lambda: ws.put(*AT, {"tags": ["b"]})}])
        assert sorted(shown(ws).value["tags"]) == ["a", "b"]

    def test_a_task_may_call_from_a_coroutine(self, ws: Workspace) -> None:
        """A coroutine that a task runs calls for the task: its agent, its reads."""
        ws.agent("planner").write(*AT, {"tags": ["a", "b"]})

        async def work() -> None:
            found = await ws.acall(here, ws)
            await ws.acall(ws.put, *AT, {"tags": [tag for tag in found.value["tags"] if tag != "a"]})

        self.run([{"ada": lambda: asyncio.run(work())}])
        assert shown(ws).value == {"tags": ["b"]} and ws.history(*AT)[0].agent == "ada"

    def test_outside_of_tasks_calls_follow_their_order(self, ws: Workspace) -> None:
        """Where no task runs, calls are as on any store: the later one stands."""
        for status in ("draft", "done"):
            ws.put(*AT, {"status": status})
        assert shown(ws).value == {"status": "done"} and ws.escalations(state="all") == []

    # -- execution again -----------------------------------------------------------------------------------------

    def test_a_retried_contribution_counts_once(self, ws: Workspace) -> None:
        """A task that is executed again has added its part once."""
        self.retry("ada", lambda: ws.put(*AT, {"count": 2, "notes": "One line."}))
        assert shown(ws).value == {"count": 2, "notes": "One line."}

    def test_a_retried_change_of_what_was_read_counts_once(self, ws: Workspace) -> None:
        """A task that adds to what it reads, and is executed again, does not see its first execution."""
        ws.agent("planner").write(*AT, {"count": 1})

        def work() -> None:
            ws.put(*AT, {"count": here(ws).value["count"] + 1})

        self.retry("ada", work)
        assert shown(ws).value == {"count": 2} and ws.escalations(state="all") == []

    def test_a_retried_task_leaves_a_later_change_alone(self, ws: Workspace) -> None:
        """What somebody made of a value between the executions stands, where the second gives the same again."""
        done: list[int] = []

        def work() -> None:
            ws.put(*AT, {"status": "draft"})
            if not done:
                done.append(1)
                elsewhere(lambda: ws.agent("maria").write(*AT, {"status": "final"}))

        self.retry("ada", work)
        assert shown(ws).value == {"status": "final"} and ws.escalations(state="all") == []


def here(ws: Workspace) -> Document:
    """Reads the document in the scope in force, as a store's get does."""
    found = ws.read_current(*AT)
    assert found is not None
    return found


def shown(ws: Workspace) -> Document:
    """Returns the document as it is, read by nobody."""
    found = ws.get(*AT)
    assert found is not None
    return found


def elsewhere(work: Work) -> None:
    """Does something in a thread and a context of its own, outside of any task."""
    thread = Thread(target=Context().run, args=(work,))
    thread.start()
    thread.join()
