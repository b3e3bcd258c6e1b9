"""A person settles what two agents disagree about, by an interrupt of the graph.

The graph pauses with the questions. Whoever shows them to a person (here the program answers) resumes it with the
answers: in a minute or a month, in this process or, with a database for checkpoints and store, in another.
Run: python examples/langgraph_review.py
"""

from typing import Annotated, Any, TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.types import Command
from pydantic import BaseModel

from concordant import Scalar, Set
from concordant_langgraph import MergeStore, review_conflicts


class Contract(BaseModel):
    clauses: Annotated[set[str], Set()]
    status: Annotated[str | None, Scalar()] = None
    price: Annotated[int | None, Scalar()] = None


class State(TypedDict, total=False):
    contract: str
    decisions: list[dict[str, Any]]


def lawyer(state: State, store: BaseStore) -> None:
    store.put(("contracts",), state["contract"], {"clauses": ["liability"], "status": "rejected", "price": 900})


def buyer(state: State, store: BaseStore) -> None:
    store.put(("contracts",), state["contract"], {"clauses": ["delivery"], "status": "accepted", "price": 800})


def sign(state: State, store: BaseStore) -> None:
    item = store.get(("contracts",), state["contract"])  # nothing is contested here any more
    print("signed:", sorted(item.value["clauses"]), item.value["status"], item.value["price"])


store = MergeStore(
    {("contracts",): Contract}, on_conflict="stream"
)  # "stream": the run tells of conflicts as they arise
builder = StateGraph(State)
builder.add_node(lawyer).add_edge(START, "lawyer")
builder.add_node(buyer).add_edge(START, "buyer")
builder.add_node("review", review_conflicts(store, ("contracts",), report="decisions"))
builder.add_edge(["lawyer", "buyer"], "review")
builder.add_node(sign).add_edge("review", "sign")
graph = builder.compile(store=store, checkpointer=InMemorySaver())


def main() -> None:
    config: Any = {"configurable": {"thread_id": "1"}}
    for told in graph.stream({"contract": "c1"}, config, stream_mode="custom"):
        print("told:", told["event"], *told["path"])

    [pause] = graph.get_state(config).interrupts
    answers: dict[str, Any] = {"by": "maria"}
    for question in pause.value["questions"]:
        print(question["question"])
        for contender in sorted(question["contenders"], key=lambda contender: contender["agent"]):
            print(f"  {contender['agent']}: {contender['value']}")
            if question["path"] == ["status"] and contender["agent"] == "buyer":
                answers[question["ref"]] = {"choose": contender["choose"]}
        if question["path"] == ["price"]:
            answers[question["ref"]] = {"value": 850}  # neither of them

    state = graph.invoke(Command(resume=answers), config)
    for decision in state["decisions"]:
        print("decided:", *decision["path"], decision["value"], "by", decision["by"])


if __name__ == "__main__":
    main()
