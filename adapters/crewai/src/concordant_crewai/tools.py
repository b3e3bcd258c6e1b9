"""A tool of a ``SharedState``, as CrewAI's agents take it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from crewai.tools import BaseTool
from pydantic import PrivateAttr

from concordant import Workspace
from concordant.spi import Tool

__all__ = ["RESERVED", "StateTool"]

RESERVED = ("self", "security_context", "kwargs", "args")
"""Names that mean something else to CrewAI in a tool's arguments."""


class StateTool(BaseTool):
    """One tool of a shared state. It may be called by many agents and threads at once; its answers are never cached,
    because the state changes."""

    _answer: Any = PrivateAttr()

    def __init__(self, tool: Tool, workspace: Workspace, namespace: tuple[str, ...]) -> None:
        super().__init__(
            name=tool.name, description=tool.description, args_schema=tool.arguments, cache_function=_never
        )
        self._answer = partial(tool.answer, workspace, namespace)

    def _validate_kwargs(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        return kwargs  # what is wrong with them is said in the answer, with how to mend it

    def _run(self, **arguments: Any) -> str:
        return str(self._answer(arguments).text)

    async def _arun(self, **arguments: Any) -> str:
        return await asyncio.to_thread(self._run, **arguments)


def _never(*_: Any, **__: Any) -> bool:
    return False
