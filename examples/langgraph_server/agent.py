"""A graph for LangGraph's server, on a store that merges. Run: langgraph dev (in this directory)."""

from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from pydantic import BaseModel

from concordant import Scalar, Set
from concordant_langgraph import review_conflicts, server_store


class Brief(BaseModel):
    tags: Annotated[set[str], Set()]
    status: Annotated[str | None, Scalar()] = None


class State(TypedDict, total=False):
    key: str
    decisions: list[dict]


async def researcher(state: State, store: BaseStore) -> None:
    await store.aput(("briefs",), state["key"], {"tags": ["crdt"], "status": "needs sources"})


async def writer(state: State, store: BaseStore) -> None:
    await store.aput(("briefs",), state["key"], {"tags": ["memory"], "status": "ready"})


builder = StateGraph(State)
builder.add_node(researcher).add_edge(START, "researcher")
builder.add_node(writer).add_edge(START, "writer")
builder.add_node("review", review_conflicts(None, ("briefs",), report="decisions"))  # None: the server's store
builder.add_edge(["researcher", "writer"], "review")

graph = builder.compile()  # the server passes in the store and the checkpointer
store = server_store({("briefs",): Brief}, on_conflict="stream")  # what langgraph.json points to
