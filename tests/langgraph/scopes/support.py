"""What the tests of scopes share: a model, graphs of one node, a model that calls tools."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.graph import START, StateGraph
from langgraph.types import RetryPolicy
from pydantic import BaseModel

from concordant import Counter, List, Map, Scalar, Set, Text
from concordant_langgraph import MergeStore, provider
from concordant_langgraph.context import TaskExecution

NS = ("briefs",)
AT = (NS, "launch")
RETRY = RetryPolicy(max_attempts=5, initial_interval=0.001, jitter=False)


class Brief(BaseModel):
    tags: Annotated[list[str], Set()] = []
    log: Annotated[str, Text()] = ""
    votes: Annotated[int, Counter()] = 0
    steps: Annotated[list[str], List()] = []
    owners: Annotated[dict[str, str], Map()] = {}
    status: Annotated[str | None, Scalar()] = None


def newer(old: int, new: int) -> int:
    return new


class State(TypedDict, total=False):
    x: Annotated[int, newer]


def current_task() -> TaskExecution | None:
    """The LangGraph task that the calling code runs in; ``None`` outside of a graph."""
    provider.task_scope()
    return provider._last.get()[3]


def merging() -> MergeStore:
    return MergeStore({NS: Brief})


def shown(store: MergeStore) -> dict[str, Any]:
    """The document's value, whoever asks."""
    document = store.workspace.get(*AT)
    return {} if document is None else document.value


def contenders(store: MergeStore) -> list[Any]:
    """The values of the one open escalation."""
    (escalation,) = store.escalations()
    return sorted(contender.value for contender in escalation.contenders)


def chain(*nodes: Callable[..., Any], **options: Any) -> StateGraph[State]:
    """A graph of nodes one after the other; ``options`` are those of each node."""
    builder = StateGraph(State)
    above = START
    for number, node in enumerate(nodes):
        builder.add_node(f"n{number}", node, **options).add_edge(above, f"n{number}")
        above = f"n{number}"
    return builder


def run_node(store: MergeStore, node: Callable[..., Any], **options: Any) -> None:
    """Runs a graph of one node, sync or async as the node is."""
    graph = chain(node, **options).compile(store=store)
    if asyncio.iscoroutinefunction(node):
        asyncio.run(graph.ainvoke({"x": 0}))
    else:
        graph.invoke({"x": 0})


def tool_calls(*names: str, **args: Any) -> list[dict[str, Any]]:
    return [{"name": name, "args": args, "id": f"call{i}", "type": "tool_call"} for i, name in enumerate(names)]


class CallsOnce(BaseChatModel):
    """Calls its tools once, all in one message, then answers."""

    calls: list[dict[str, Any]]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        done = any(message.type == "tool" for message in messages)
        message = AIMessage("done") if done else AIMessage("", tool_calls=self.calls)
        return ChatResult(generations=[ChatGeneration(message=message)])
