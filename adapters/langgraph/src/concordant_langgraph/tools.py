"""``memory_tools``: tools with which agents read and change what a store keeps under a model."""

from collections.abc import Callable
from functools import partial
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool, ToolException
from pydantic import BaseModel, ValidationError

from concordant.spi import Answer, Tool, Toolkit
from concordant_langgraph.store import MergeStore

__all__ = ["memory_tools"]

RESERVED = ("config", "runtime", "run_manager", "callbacks", "state", "store", "self", "tool_input")
"""Names that mean something else to LangChain or LangGraph in a tool's arguments."""


def memory_tools(
    store: MergeStore,
    model: type[BaseModel],
    namespace: tuple[str, ...],
    *,
    key: str | None = None,
    name: str = "",
    resolve: bool = True,
) -> list[BaseTool]:
    """Makes LangChain tools for agents: read, update, list conflicts, resolve one.

    Their arguments come from the model, kind by kind: what to add, what to remove, passages to replace. A call says
    by itself what it adds and what it takes away, so an agent need not read first. The answer tells the agent what was
    merged with whom, what is in conflict with whom and how to settle it; wrong arguments are answered with how to
    mend the call. Who writes, and in which task, is told by LangGraph's context, as for ``store.put``. What a call has
    shown an agent counts as read in its later calls of the same run, or sub-graph, that the agent is: where others have
    changed it since, an update is in conflict with that, and a removal takes away what was shown.

    Args:
        store: where the documents are; ``namespace`` must have the model there.
        model: the state model.
        namespace: of the documents.
        key: of the one document that the tools are about; without it the agents say which.
        name: what a document is called in the tools' names and answers; by default the model's name in small letters.
        resolve: whether agents may settle what is in conflict; ``False`` leaves ``resolve_<name>_conflict`` out.

    Returns:
        ``read_<name>``, ``update_<name>``, ``list_<name>_conflicts``, ``resolve_<name>_conflict``; sync and async.

    Raises:
        ConcordantError: the namespace has another model in the store, or none.
        SchemaError: the model is no state model, or a type in it cannot be described to an agent.

    >>> from typing import Annotated
    >>> from pydantic import BaseModel
    >>> from concordant import Scalar, Set
    >>> class Brief(BaseModel):
    ...     tags: Annotated[set[str], Set()] = set()
    ...     status: Annotated[str | None, Scalar()] = None
    >>> store = MergeStore({("briefs",): Brief})
    >>> read, update, conflicts, resolve = memory_tools(store, Brief, ("briefs",), key="launch")
    >>> print(update.invoke({"tags": ["crdt"], "status": "draft"}))
    Written to brief "launch".
    >>> print(read.invoke({}))
    brief "launch":
    tags: ["crdt"]
    status: "draft"
    """
    kit = Toolkit(model, key=key, name=name or None, reserved=RESERVED, resolve=resolve)
    kit.check(store.workspace, namespace)
    return [_tool(store, namespace, tool) for tool in kit]


def _tool(store: MergeStore, namespace: tuple[str, ...], tool: Tool) -> BaseTool:
    def call(**arguments: Any) -> str:
        text = _told(tool.answer(store.workspace, namespace, arguments))
        store.catch_up()
        return text

    async def acall(**arguments: Any) -> str:
        text = _told(await store.workspace.acall(tool.answer, store.workspace, namespace, arguments))
        await store.acatch_up()
        return text

    return StructuredTool(
        name=tool.name,
        description=tool.description,
        args_schema=tool.arguments,
        func=call,
        coroutine=acall,
        handle_tool_error=True,
        handle_validation_error=_mending(tool),
    )


def _told(answer: Answer) -> str:
    """The answer's text; an answer that says what was wrong is an error to LangChain."""
    if answer.failed:
        raise ToolException(answer.text)
    return answer.text


def _mending(tool: Tool) -> Callable[[Any], str]:
    def mend(tool: Tool, error: Any) -> str:
        return tool.mend(error).text if isinstance(error, ValidationError) else str(error)

    return partial(mend, tool)
