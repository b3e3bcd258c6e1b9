"""The smallest swap: a LangGraph graph whose parallel nodes share one store. Run: python examples/langgraph_swap.py."""

from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from pydantic import BaseModel

from concordant import Scalar, Set
from concordant_langgraph import MergeStore


class Profile(BaseModel):
    interests: Annotated[set[str], Set()]
    city: Annotated[str | None, Scalar()] = None


class State(TypedDict):
    user: str


def from_chat(state: State, store: BaseStore) -> None:
    store.put(("profiles",), state["user"], {"interests": ["chess"], "city": "Lyon"})


def from_mail(state: State, store: BaseStore) -> None:
    store.put(("profiles",), state["user"], {"interests": ["jazz"], "city": "Paris"})


builder = StateGraph(State)
builder.add_node(from_chat).add_edge(START, "from_chat")
builder.add_node(from_mail).add_edge(START, "from_mail")

store = MergeStore({("profiles",): Profile})  # was: store = InMemoryStore()
graph = builder.compile(store=store)


def main() -> None:
    graph.invoke({"user": "u1"})
    item = store.get(("profiles",), "u1")
    print("interests:", sorted(item.value["interests"]))
    for escalation in store.escalations():
        for contender in sorted(escalation.contenders, key=lambda c: c.agent):
            print(f"{escalation.path[0]}: {contender.value!r} by {contender.agent}")
        store.resolve(escalation, "Lyon", by="u1")
    print("city:", store.get(("profiles",), "u1").value["city"])


if __name__ == "__main__":
    main()
