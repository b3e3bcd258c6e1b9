"""What the tests of the tools share: a model with every kind, and a desk at which agents call its tools."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from concordant import Counter, List, Map, Scalar, Set, Text, Workspace
from concordant.tooling import Answer, Toolkit
from tests.semantics.support import Tasks

NS = ("briefs",)
KEY = "launch"


class Source(BaseModel):
    id: Annotated[str, Scalar()] = ""
    title: Annotated[str | None, Scalar()] = None
    quotes: Annotated[list[str], List()] = []


class Brief(BaseModel):
    """What a launch needs."""

    tags: Annotated[set[str], Set()] = Field(set(), description="What it is about.")
    notes: Annotated[str, Text(unit="word")] = ""
    tokens: Annotated[int, Counter()] = 0
    steps: Annotated[list[str], List()] = []
    owners: Annotated[dict[str, str], Map()] = {}
    votes: Annotated[dict[str, Annotated[set[int], Set()]], Map()] = {}
    sources: Annotated[list[Source], Set(by="id")] = []
    main: Source = Source()
    status: Annotated[Literal["draft", "review", "done"] | None, Scalar()] = None
    size: Annotated[int, Field(ge=0), Scalar()] = 0


class Desk:
    """A workspace in memory, the tools of a model, and tasks in which agents call them."""

    def __init__(self, model: type[BaseModel] = Brief, schema: Any = None, **options: Any) -> None:
        self.ws = Workspace(schemas={NS: schema or model})
        self.tasks = Tasks(self.ws)
        self.kit = Toolkit(model, **{"key": KEY, "name": "brief", **options})
        self.read, self.update, self.conflicts, self.resolve = self.kit

    @contextmanager
    def task(self, name: str, step: int = 2) -> Iterator[Caller]:
        """An agent's task: those of one step are concurrent."""
        with self.tasks.run(name, step=step):
            yield Caller(self)

    def base(self, **arguments: Any) -> None:
        """What was there before every task."""
        with self.task("planner", step=1) as planner:
            assert not planner.update(**arguments).failed

    def value(self, key: str = KEY) -> dict[str, Any]:
        """The document as it is."""
        document = self.ws.get(NS, key)
        assert document is not None
        return document.value


class Caller:
    """Calls the tools, with arguments as a model gives them."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def read(self, **arguments: Any) -> Answer:
        return self.desk.read.answer(self.desk.ws, NS, arguments)

    def update(self, **arguments: Any) -> Answer:
        return self.desk.update.answer(self.desk.ws, NS, arguments)

    def conflicts(self, **arguments: Any) -> Answer:
        return self.desk.conflicts.answer(self.desk.ws, NS, arguments)

    def resolve(self, **arguments: Any) -> Answer:
        return self.desk.resolve.answer(self.desk.ws, NS, arguments)


def handles(answer: Answer) -> list[str]:
    """The ids of conflicts in a text."""
    return re.findall(r"id (\S+)", answer.text)
