"""The contract of adapters, on CrewAI's: a step is a crew whose tasks all run at once, an agent works by a tool."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from crewai import Agent, Crew
from crewai.tools import BaseTool

from concordant import Workspace
from concordant.testing import AdapterContract
from concordant.testing.adapters import Work
from concordant_crewai.provider import connect
from tests.patience import PATIENCE

from .support import agent, parallel, task


class Working(BaseTool):
    """A tool that does an agent's work once all of its step have begun."""

    name: str = "work"
    description: str = "Does the work."
    work: Any = None
    all_begun: Any = None

    def _run(self) -> str:
        self.all_begun.wait(PATIENCE)
        self.work()
        return "ok"


class TestCrewAI(AdapterContract):
    """CrewAI's adapter keeps the contract."""

    def connect(self, workspace: Workspace) -> None:
        connect(workspace)

    def run(self, steps: Sequence[Mapping[str, Work]]) -> None:
        for step in steps:
            all_begun = threading.Barrier(len(step))
            workers = [working(name, work, all_begun) for name, work in step.items()]
            crew = parallel(*workers) if len(workers) > 1 else Crew(agents=workers, tasks=[task(workers[0])])
            crew.kickoff()


def working(name: str, work: Work, all_begun: threading.Barrier) -> Agent:
    """An agent whose model calls the tool once."""
    return agent(name, [[("work", {})]], [Working(work=work, all_begun=all_begun)])
