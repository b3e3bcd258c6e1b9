"""Crews that need no model: agents that follow a script, an embedder that counts words."""

from __future__ import annotations

import json
import math
import threading
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from crewai import Agent, Crew, Task
from crewai.llms.base_llm import BaseLLM
from crewai.tools import BaseTool
from pydantic import BaseModel

Turn: TypeAlias = "str | list[tuple[str, dict[str, Any]]]"
"""What a model answers: a text, or calls of tools by name."""


class Script(BaseLLM):
    """A model that answers one turn after the other, and then "done"."""

    def __init__(
        self, turns: Iterable[Turn | Callable[[Any], Turn]] = (), plan: Callable[..., Any] | None = None
    ) -> None:
        super().__init__(model="scripted/script", provider="scripted")
        self._turns = list(turns)
        self._plan = plan
        self._lock = threading.Lock()

    def supports_function_calling(self) -> bool:
        return True

    def get_context_window_size(self) -> int:
        return 100_000

    def call(self, messages: Any, *args: Any, response_model: type[BaseModel] | None = None, **more: Any) -> Any:
        if response_model is not None:
            assert self._plan is not None, f"nobody told the script how to answer with a {response_model.__name__}"
            return self._plan(messages, response_model)
        with self._lock:
            turn = self._turns.pop(0) if self._turns else "done"
        if callable(turn):
            turn = turn(messages)
        if isinstance(turn, str):
            return turn
        return [
            {"id": f"call-{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
            for n, (name, given) in enumerate(turn)
        ]

    async def acall(self, *args: Any, **more: Any) -> Any:
        return self.call(*args, **more)


def agent(role: str, turns: Iterable[Any] = (), tools: Sequence[BaseTool] = (), **more: Any) -> Agent:
    """An agent that follows a script."""
    return Agent(role=role, goal="a goal", backstory="a story", llm=Script(turns), tools=list(tools), **more)


def task(worker: Agent, **more: Any) -> Task:
    """A task for an agent."""
    return Task(**{"description": f"what {worker.role} does", "expected_output": "a text", "agent": worker, **more})


def parallel(*workers: Agent) -> Crew:
    """A crew whose agents all work at the same time; another waits for them."""
    closing = agent("closing")
    tasks = [task(worker, async_execution=True) for worker in workers]
    return Crew(agents=[*workers, closing], tasks=[*tasks, task(closing, context=tasks)])


def embed(texts: list[str]) -> list[list[float]]:
    """An embedder: sixteen buckets of words, of length one."""
    found = []
    for text in texts:
        vector = [0.0] * 16
        for word in text.lower().split():
            vector[zlib.crc32(word.encode()) % 16] += 1.0
        length = math.sqrt(sum(x * x for x in vector)) or 1.0
        found.append([x / length for x in vector])
    return found
