"""The tools of a ``SharedState``, as CrewAI's agents take them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from crewai.tools import BaseTool
from pydantic import PrivateAttr

from concordant.spi import Tool, Toolkit

if TYPE_CHECKING:
    from concordant_crewai.shared_state import SharedState

__all__ = ["StateTool", "tools_of"]

RESERVED = ("self", "security_context", "kwargs", "args")
"""Names that mean something else to CrewAI in a tool's arguments."""


class StateTool(BaseTool):
    """One tool of a shared state. It may be called by many agents and threads at once; its answers are never cached,
    because the state changes."""

    _state: Any = PrivateAttr()
    _tool: Any = PrivateAttr()

    def __init__(self, state: SharedState[Any], tool: Tool) -> None:
        super().__init__(
            name=tool.name, description=tool.description, args_schema=tool.arguments, cache_function=_never
        )
        self._state = state
        self._tool = tool

    def _validate_kwargs(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        return kwargs  # what is wrong with them is said in the answer, with how to mend it

    def _run(self, **arguments: Any) -> str:
        return str(self._tool.answer(self._state.workspace, self._state.namespace, arguments).text)

    async def _arun(self, **arguments: Any) -> str:
        return await asyncio.to_thread(self._run, **arguments)


def tools_of(state: SharedState[Any], kit: Toolkit) -> list[BaseTool]:
    """The tools of a toolkit, for a shared state."""
    return [StateTool(state, tool) for tool in kit]


def _never(*_: Any, **__: Any) -> bool:
    return False
