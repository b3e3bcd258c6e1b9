"""One model, twice: as the state of a graph whose parallel nodes merge, and as the schema of its store.

Run: python examples/langgraph_state.py
"""

from typing import Annotated, Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.types import StateUpdate
from pydantic import BaseModel

from concordant import Counter, List, Scalar, Set, Text
from concordant_langgraph import MergeStore, StateConflictError, edited, state_schema


class Brief(BaseModel):
    topics: Annotated[set[str], Set()]
    draft: Annotated[str, Text()]
    findings: Annotated[list[str], List()]
    tokens: Annotated[int, Counter()] = 0
    confidence: Annotated[float, Scalar(resolve="min")] = 1.0
    status: Annotated[str | None, Scalar()] = None


def research(state: Brief) -> dict[str, Any]:
    """Adds: what a node returns for a field is a contribution to it."""
    return {"topics": {"crdt"}, "findings": ["Sets merge."], "tokens": 900, "confidence": 0.8, "status": "reviewed"}


def check(state: Brief) -> dict[str, Any]:
    return {"topics": {"memory"}, "findings": ["Texts merge."], "tokens": 400, "confidence": 0.6, "status": "reviewed"}


def edit(state: Brief) -> dict[str, Any]:
    """Changes what it was given: ``edited`` marks new whole values, of which the difference counts."""
    changed = edited(draft=state.draft.replace("agents", "teams of agents"), topics=state.topics - {"todo"})
    return {**changed, "tokens": 100}


def proofread(state: Brief) -> dict[str, Any]:
    return edited(draft=state.draft.replace("looses", "loses"))


def save(state: Brief, store: BaseStore) -> dict[str, Any]:
    store.put(("briefs",), "launch", state.model_dump())
    return {}


def team() -> None:
    """Four nodes in parallel, then one that saves the state in a store with the same model."""
    store = MergeStore({("briefs",): Brief})
    builder = StateGraph(state_schema(Brief))  # was: StateGraph(Brief)
    for node in (research, check, edit, proofread):
        builder.add_node(node).add_edge(START, node.__name__)
    builder.add_node(save).add_edge(["research", "check", "edit", "proofread"], "save")
    state = builder.compile(store=store).invoke(
        {"topics": {"todo"}, "draft": "Memory is for agents. It looses writes."}
    )
    print("topics:", sorted(state["topics"]))
    print("draft:", state["draft"])
    print("findings:", sorted(state["findings"]))
    print("tokens:", state["tokens"], "confidence:", state["confidence"], "status:", state["status"])
    print("stored:", sorted(store.get(("briefs",), "launch").value["topics"]))


def conflict() -> None:
    """Two nodes disagree about a field that declares no policy: the superstep is refused, and a person decides."""
    builder = StateGraph(state_schema(Brief))
    builder.add_node("lawyer", lambda _: {"status": "approved", "tokens": 10}).add_edge(START, "lawyer")
    builder.add_node("editor", lambda _: {"status": "rejected", "tokens": 20}).add_edge(START, "editor")
    graph = builder.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    try:
        graph.invoke({"status": "draft"}, config)
    except StateConflictError as error:
        print("conflict:", error.path, [contender.value for contender in error.contenders], "before:", error.base)
    decided = [StateUpdate({"status": "approved", "tokens": 10}, "lawyer"), StateUpdate({"tokens": 20}, "editor")]
    graph.bulk_update_state(config, [decided])
    state = graph.get_state(config).values
    print("decided:", state["status"], "tokens:", state["tokens"])


def main() -> None:
    team()
    conflict()


if __name__ == "__main__":
    main()
