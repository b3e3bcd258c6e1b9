"""A store with vectors is wrapped, and searched for merged values. Run: python examples/langgraph_vectors.py."""

from collections.abc import Sequence
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from pydantic import BaseModel

from concordant import Scalar, Set
from concordant_langgraph import MergeStore


class Place(BaseModel):
    name: Annotated[str | None, Scalar()] = None
    known_for: Annotated[set[str], Set()]


WORDS = ["river", "jazz", "tango", "harbour", "museum", "beach"]


def embed(texts: Sequence[str]) -> list[list[float]]:
    """Stands for an embedding model: how often each word is in a text."""
    return [[float(text.lower().count(word)) for word in WORDS] for text in texts]


class State(TypedDict):
    town: str


def from_guide(state: State, store: BaseStore) -> None:
    store.put(("places",), state["town"], {"known_for": ["the jazz bars"]})


def from_friend(state: State, store: BaseStore) -> None:
    store.put(("places",), state["town"], {"known_for": ["its harbour"]})


builder = StateGraph(State)
builder.add_node(from_guide).add_edge(START, "from_guide")
builder.add_node(from_friend).add_edge(START, "from_friend")

# A store that is there already; SqliteStore and PostgresStore are wrapped in the same way.
inner = InMemoryStore(index={"dims": len(WORDS), "embed": embed, "fields": ["name", "known_for[*]"]})
inner.put(("places",), "lyon", {"name": "Lyon", "known_for": ["two rivers", "a museum"]})
inner.put(("places",), "nice", {"name": "Nice", "known_for": ["the beach"]})

store = MergeStore.wrap(inner, {("places",): Place})  # was: store = inner
graph = builder.compile(store=store)


def show(query: str) -> None:
    for item in store.search(("places",), query=query, limit=1):
        print(f"{query}: {item.value['name']} {item.score:.2f} {sorted(item.value['known_for'])}")


def main() -> None:
    show("river")  # found as before the swap
    graph.invoke({"town": "nice"})  # two nodes add to one place at once
    show("jazz")
    show("harbour")
    print("held:", sorted(inner.get(("places",), "nice").value["known_for"]))
    with store.acting_as("maria"):
        nice = store.get(("places",), "nice").value
        store.put(("places",), "nice", {"known_for": [what for what in nice["known_for"] if "jazz" not in what]})
    print("jazz:", [item.value["name"] for item in store.search(("places",), query="jazz") if item.score])


if __name__ == "__main__":
    main()
