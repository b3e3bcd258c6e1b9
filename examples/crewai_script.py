"""A language model that follows a script, so that the CrewAI examples run without a network."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from crewai.llms.base_llm import BaseLLM

Calls: TypeAlias = "list[tuple[str, dict[str, Any]]]"
Turn: TypeAlias = "str | Calls | Callable[[list[str]], str | Calls]"
"""A text, calls of tools by name, or a function of what the tools have answered so far."""


class Script(BaseLLM):
    """Answers one turn after the other, and then "done".

    Args:
        meet: a barrier at which it waits before its first answer: agents that share it work at the same time.
    """

    def __init__(self, turns: Iterable[Turn], meet: threading.Barrier | None = None) -> None:
        super().__init__(model="scripted/script", provider="scripted")
        self._turns = list(turns)
        self._meet = meet

    def supports_function_calling(self) -> bool:
        return True

    def call(self, messages: Any, *args: Any, **more: Any) -> Any:
        if self._meet is not None:
            self._meet.wait(30)
            self._meet = None
        turn: Any = self._turns.pop(0) if self._turns else "done"
        if callable(turn):
            turn = turn([str(m["content"]) for m in messages if m.get("role") == "tool"])
        if isinstance(turn, str):
            return turn
        return [
            {"id": f"call-{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
            for n, (name, given) in enumerate(turn)
        ]

    async def acall(self, messages: Any, *args: Any, **more: Any) -> Any:
        return self.call(messages, *args, **more)
