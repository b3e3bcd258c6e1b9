"""A crew whose agents share a plan, and a memory that two agents change at once. Run: make demo-crewai.

Everything printed comes from real crews on real storages; only the language model follows a script. The demo checks
what it claims: it fails if CrewAI's own storage lost nothing, or if Concordant's lost anything.
"""

from __future__ import annotations

import os

os.environ.update(CREWAI_DISABLE_TELEMETRY="true", CREWAI_TRACING_ENABLED="false", OTEL_SDK_DISABLED="true")

import logging
import tempfile
import threading
import warnings
from pathlib import Path
from typing import Annotated, Any

warnings.simplefilter("ignore")

from crewai import Agent, Crew, Task
from crewai.events.utils.console_formatter import set_suppress_console_output
from crewai.memory.storage.lancedb_storage import LanceDBStorage
from crewai.memory.types import MemoryRecord
from crewai_script import Script, Turn
from pydantic import BaseModel
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from concordant import Counter, Scalar, Set, Text
from concordant_crewai import MergeStorage, SharedState

console = Console(width=110, highlight=False)

# -- one plan, three agents ------------------------------------------------------------------------------------------


class Plan(BaseModel):
    """What the team is about to publish."""

    tags: Annotated[set[str], Set()] = set()
    notes: Annotated[str, Text()] = ""
    spent: Annotated[int, Counter()] = 0
    status: Annotated[str | None, Scalar()] = None


def agent(role: str, plan: SharedState[Plan], turns: list[Turn], meet: threading.Barrier | None = None) -> Agent:
    goal, story = "the launch is planned", "one of a team"
    return Agent(role=role, goal=goal, backstory=story, llm=Script(turns, meet), tools=plan.tools())


def task(worker: Agent, **more: Any) -> Task:
    return Task(description="Work on the plan.", expected_output="a word", agent=worker, **more)


def plan_together() -> None:
    console.rule("[bold]1. Two agents change one plan at the same time, a third settles what they disagree about")
    plan = SharedState(Plan)
    answers: dict[str, list[str]] = {"researcher": [], "writer": []}

    def heard(name: str) -> Turn:
        def listen(said: list[str]) -> str:
            answers[name] = said
            return "done"

        return listen

    both = threading.Barrier(2)
    work: dict[str, dict[str, Any]] = {
        "researcher": {"tags": ["crdt"], "notes": "Twelve sources read.", "spent": 900, "status": "needs sources"},
        "writer": {"tags": ["memory"], "notes": "First page written.", "spent": 400, "status": "ready"},
    }
    agents = [agent(name, plan, [[("update_plan", given)], heard(name)], both) for name, given in work.items()]
    closing = agent("closing", plan, [])
    tasks = [task(worker, async_execution=True) for worker in agents]
    Crew(agents=[*agents, closing], tasks=[*tasks, task(closing, context=tasks)]).kickoff()

    for name, given in work.items():
        console.print(
            f"[bold]{name}[/] calls [cyan]update_plan[/]({', '.join(f'{k}={v!r}' for k, v in given.items())})"
        )
    late = next(name for name, said in answers.items() if "In conflict" in said[0])
    console.print(f"\nWhat the tool answers the [bold]{late}[/], whose call came second:")
    console.print(answers[late][0], style="dim", markup=False)
    show(plan)
    value = plan.value
    assert set(value["tags"]) == {"crdt", "memory"} and value["spent"] == 1300, "a contribution is missing"
    assert sorted(value["notes"].splitlines()) == ["First page written.", "Twelve sources read."]
    [question] = plan.escalations()
    assert {c.agent: c.value for c in question.contenders} == {n: g["status"] for n, g in work.items()}

    def decide(said: list[str]) -> Turn:
        keep = 1 if '1. "ready"' in said[-1] else 2
        return [("resolve_plan_conflict", {"id": said[-1].split("id ")[1].split()[0], "keep": keep})]

    editor = agent("editor", plan, [[("list_plan_conflicts", {})], decide])
    Crew(agents=[editor], tasks=[task(editor)]).kickoff()
    console.print("\nThe [bold]editor[/] lists what is in conflict, and settles it by its id:")
    show(plan)
    assert plan.value["status"] == "ready" and plan.escalations() == []


def show(plan: SharedState[Plan]) -> None:
    table = Table(box=box.SIMPLE, show_edge=False, pad_edge=False)
    for column in ("field", "value", "from"):
        table.add_column(column)
    blame, value = plan.blame(), plan.value
    for name in Plan.model_fields:
        by = dict.fromkeys(agent for credit in blame.get((name,), ()) for agent in credit.agents)
        contested = any(e.path == (name,) for e in plan.escalations())
        shown = "[yellow]in conflict[/]" if contested else escape(repr(value.get(name)))
        table.add_row(name, shown, ", ".join(by))
    console.print(table)


# -- one memory, two agents ------------------------------------------------------------------------------------------

FACT = "The launch is in May. It is in room 2a."


def race(storage: Any) -> MemoryRecord:
    """Two agents read one memory record; each then changes something else in it."""
    storage.save([MemoryRecord(id="launch", content=FACT, scope="/team", embedding=[1.0, 0.0])])
    ada, bob = storage.get_record("launch"), storage.get_record("launch")
    storage.update(ada.model_copy(update={"content": FACT.replace("May", "June"), "categories": ["date"]}))
    storage.update(bob.model_copy(update={"content": FACT.replace("2a", "4"), "metadata": {"source": "office"}}))
    found: MemoryRecord = storage.get_record("launch")
    return found


def remember_together() -> None:
    console.rule("[bold]2. Two agents change one memory record: the same race on both storages")
    with tempfile.TemporaryDirectory() as folder:
        lost = race(LanceDBStorage(Path(folder) / "stock"))
        ours = MergeStorage(Path(folder) / "ours", embedder=lambda texts: [[1.0, 0.0] for _ in texts])
        kept = race(ours)
        table = Table(box=box.SIMPLE, show_edge=False, pad_edge=False)
        for column in ("", "CrewAI's own storage", "MergeStorage"):
            table.add_column(column)
        table.add_row("content", escape(lost.content), escape(kept.content))
        table.add_row("categories", escape(str(lost.categories)), escape(str(kept.categories)))
        table.add_row("metadata", escape(str(lost.metadata)), escape(str(kept.metadata)))
        table.add_row("of the two updates", "[red]the first is lost, nobody is told", "[green]both are there")
        console.print(table)
        assert lost.categories == [] and "June" not in lost.content, "CrewAI's storage lost nothing"
        assert kept.content == "The launch is in June. It is in room 4."
        assert (kept.categories, kept.metadata) == (["date"], {"source": "office"})
        ours.close()


if __name__ == "__main__":
    set_suppress_console_output(True)
    logging.getLogger("crewai").setLevel(logging.ERROR)  # it says before each call that tokens are not counted
    plan_together()
    console.print()
    remember_together()
    console.print(
        "[bold]The one changed line[/]: Memory(storage=MergeStorage(embedder=embed), embedder=embed), or install()."
    )
