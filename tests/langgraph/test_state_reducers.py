"""Markers as plain reducers in real graphs: what they merge, what stays LangGraph's own error, and their limits."""

from __future__ import annotations

import copy
import operator
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import InvalidUpdateError
from langgraph.graph import END, START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.types import Overwrite, Send
from pydantic import BaseModel, Field

from concordant import Counter, InvalidContributionError, List, Map, Scalar, Set, Text
from concordant_langgraph import MergeStore, edited, state_schema


class Dict(TypedDict):
    tags: Annotated[set[str], Set()]
    log: Annotated[str, Text()]
    tokens: Annotated[int, Counter()]
    steps: Annotated[list[str], List()]
    status: Annotated[str, Scalar()]
    owners: Annotated[dict[str, str], Map()]


@dataclass
class Data:
    tags: Annotated[set[str], Set()] = field(default_factory=set)
    log: Annotated[str, Text()] = ""
    tokens: Annotated[int, Counter()] = 0
    steps: Annotated[list[str], List()] = field(default_factory=list)
    status: Annotated[str, Scalar()] = ""
    owners: Annotated[dict[str, str], Map()] = field(default_factory=dict)


class Model(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    log: Annotated[str, Text()] = ""
    tokens: Annotated[int, Counter()] = 0
    steps: Annotated[list[str], List()] = []
    status: Annotated[str, Scalar()] = ""
    owners: Annotated[dict[str, str], Map()] = {}


class Note(BaseModel):
    id: Annotated[str, Scalar()]
    text: Annotated[str, Scalar()] = ""


def parallel(schema: Any, *updates: dict[str, Any], **options: Any) -> Any:
    """A graph whose nodes n0, n1, ... run in one superstep and return these updates."""
    builder: Any = StateGraph(schema)
    for number, update in enumerate(updates):
        builder.add_node(f"n{number}", lambda state, update=update: update)
        builder.add_edge(START, f"n{number}")
    return builder.compile(**options)


def chain(schema: Any, *nodes: Callable[[Any], Any]) -> Any:
    """A graph whose nodes run one after the other."""
    builder: Any = StateGraph(schema)
    for number, node in enumerate(nodes):
        builder.add_node(f"n{number}", node)
        builder.add_edge(f"n{number - 1}" if number else START, f"n{number}")
    return builder.compile()


@pytest.mark.parametrize("schema", [Dict, Data, Model])
def test_parallel_updates_merge(schema: Any) -> None:
    """In a TypedDict, a dataclass and a Pydantic state the markers merge what parallel nodes return."""
    graph = parallel(
        schema,
        {"tags": {"crdt"}, "log": "one", "tokens": 3, "steps": ["a"]},
        {"tags": {"crdt", "memory"}, "log": "two", "tokens": 4, "steps": ["b", "b"]},
    )
    result = graph.invoke({"tags": {"draft"}, "log": "zero", "tokens": 1, "steps": ["s"], "status": "new"})
    assert result == {
        "tags": {"draft", "crdt", "memory"},
        "log": "zero\none\ntwo",
        "tokens": 8,
        "steps": ["s", "a", "b", "b"],
        "status": "new",
    }


async def test_parallel_updates_merge_async() -> None:
    """The same holds where nodes and graph are coroutines."""
    builder = StateGraph(Model)
    for name in ("ada", "bob"):

        async def node(state: Model, name: str = name) -> dict[str, Any]:
            return {"tags": {name}, "tokens": 2}

        builder.add_node(name, node)
        builder.add_edge(START, name)
    result = await builder.compile().ainvoke({"tokens": 1})
    assert (result["tags"], result["tokens"]) == ({"ada", "bob"}, 5)


def test_equal_results_of_workers_all_count() -> None:
    """Workers sent in parallel that return the same contribute each their own: nothing is taken for a repetition."""
    builder = StateGraph(Model)
    builder.add_node("work", lambda state: {"steps": ["ok"], "log": "ok", "tokens": 1, "tags": {"ok"}})
    builder.add_conditional_edges(START, lambda state: [Send("work", {}) for _ in range(5)], ["work"])
    result = builder.compile().invoke({"status": "go"})
    assert result["steps"] == ["ok"] * 5
    assert result["log"] == "\n".join(["ok"] * 5)
    assert result["tokens"] == 5
    assert result["tags"] == {"ok"}


@pytest.mark.parametrize("schema", [Dict, Data, Model])
@pytest.mark.parametrize("update", [{"status": "done"}, {"owners": {"a": "x"}}])
def test_what_replaces_values_keeps_langgraphs_own_error(schema: Any, update: dict[str, Any]) -> None:
    """Parallel updates of a scalar or a map raise LangGraph's InvalidUpdateError; a single one replaces."""
    [(key, value)] = update.items()
    assert parallel(schema, update).invoke({key: type(value)()})[key] == value
    with pytest.raises(InvalidUpdateError, match=rf"At key '{key}': Can receive only one value per step"):
        parallel(schema, update, update).invoke({key: type(value)()})


def test_a_set_of_records_keeps_langgraphs_own_error() -> None:
    """A set of records is no reducer either: the graph builds, and parallel updates raise LangGraph's error."""

    class Notes(TypedDict):
        notes: Annotated[list[Note], Set(by="id")]

    graph = parallel(Notes, {"notes": [Note(id="a")]}, {"notes": [Note(id="b")]})
    with pytest.raises(InvalidUpdateError, match="At key 'notes'"):
        graph.invoke({"notes": []})


def test_schemas_that_share_a_key_go_together() -> None:
    """Input, output and private schemas with equal markers, copied or unpickled ones too, share a key."""

    class Question(TypedDict):
        tags: Annotated[set[str], Set(grow_only=False)]
        log: Annotated[str, pickle.loads(pickle.dumps(Text(" | ")))]

    class Whole(TypedDict):
        tags: Annotated[set[str], copy.deepcopy(Set())]
        log: Annotated[str, Text(separator=" | ")]

    class Answer(TypedDict):
        tags: Annotated[set[str], pickle.loads(pickle.dumps(Set()))]

    def node(state: Question) -> dict[str, Any]:
        return {"tags": {"b"}, "log": "more"}

    builder = StateGraph(Whole, input_schema=Question, output_schema=Answer)
    builder.add_node("node", node)
    builder.add_edge(START, "node")
    assert builder.compile().invoke({"tags": {"a"}, "log": "some"}) == {"tags": {"a", "b"}}


def test_schemas_that_disagree_about_a_key_are_refused() -> None:
    """Different markers at one key are LangGraph's own error."""

    class Other(TypedDict):
        log: Annotated[str, Text(" ")]

    with pytest.raises(ValueError, match="Channel 'log' already exists with a different type"):
        StateGraph(Dict, input_schema=Other)


def test_overwrite_bypasses_the_reducer() -> None:
    """LangGraph's Overwrite replaces what is there."""
    graph = parallel(Model, {"tags": Overwrite({"only"}), "tokens": Overwrite(1)})
    result = graph.invoke({"tags": {"a", "b"}, "tokens": 7})
    assert (result["tags"], result["tokens"]) == ({"only"}, 1)


def test_a_reducer_only_adds() -> None:
    """A fold knows the value so far alone, so a node that returns a whole list, text or count doubles it; a set does
    not. ``state_schema`` knows what the node was given, and takes ``edited`` for the difference."""

    def whole(state: Any) -> dict[str, Any]:
        return {
            "tags": state.tags | {"b"},
            "steps": [*state.steps, "b"],
            "log": f"{state.log}\nb",
            "tokens": state.tokens + 1,
        }

    given = {"tags": {"a"}, "steps": ["a"], "log": "a", "tokens": 10}
    folded = chain(Model, whole).invoke(given)
    assert (folded["tags"], folded["steps"], folded["log"]) == ({"a", "b"}, ["a", "a", "b"], "a\na\nb")
    assert folded["tokens"] == 21
    exact = chain(state_schema(Model), lambda state: edited(whole(state))).invoke(given)
    assert (exact["tags"], exact["steps"], exact["log"]) == ({"a", "b"}, ["a", "b"], "a\nb")
    assert exact["tokens"] == 11


def test_a_reducer_starts_at_its_types_empty_value() -> None:
    """LangGraph starts a reducer's channel at ``typ()``: the model's default does not show; ``state_schema`` has it."""

    class Seeded(BaseModel):
        tags: Annotated[set[str], Set()] = {"seed"}
        log: Annotated[str, Text()] = "begun"
        budget: Annotated[Decimal, Counter()] = Field(default_factory=lambda: Decimal("9.5"))
        x: int = 0

    class SeededState(BaseModel):
        tags: Annotated[set[str], Set()] = {"seed"}
        log: Annotated[str, Text()] = "begun"
        budget: Annotated[Decimal, Counter()] = Field(default_factory=lambda: Decimal("9.5"))
        x: Annotated[int, Scalar()] = 0

    update = {"tags": {"a"}, "log": "more", "budget": Decimal("0.5")}
    assert parallel(Seeded, update).invoke({"x": 1}) == {**update, "x": 1}
    assert parallel(state_schema(SeededState), update).invoke({"x": 1}) == {
        "tags": {"seed", "a"},
        "log": "begun\nmore",
        "budget": Decimal("10.0"),
        "x": 1,
    }


def test_a_wrong_value_gets_our_own_error() -> None:
    """What is no value of the kind is refused with our error, and the checkpoint before it stands."""
    graph = parallel(Model, {"tags": "crdt"}, checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    with pytest.raises(InvalidContributionError, match="a value of type str where a set or list is meant"):
        graph.invoke({"tags": {"a"}}, config)
    (before,) = [s for s in graph.get_state_history(config) if s.metadata["source"] == "loop"]
    assert before.values["tags"] == {"a"}


def test_markers_beside_langgraphs_own_reducers() -> None:
    """Markers and other reducers live in one state."""

    class Mixed(TypedDict):
        tags: Annotated[list[str], Set()]
        total: Annotated[int, operator.add]

    graph = parallel(Mixed, {"tags": ["a"], "total": 1}, {"tags": ["a", "b"], "total": 2})
    assert graph.invoke({"tags": [], "total": 0}) == {"tags": ["a", "b"], "total": 3}


def test_one_model_is_a_state_and_a_stores_schema() -> None:
    """The same class serves as the graph's state with its markers as reducers, and as a schema of the store."""
    store = MergeStore({("briefs",): Model})
    builder = StateGraph(Model)

    def save(state: Model, *, store: BaseStore) -> dict[str, Any]:
        store.put(("briefs",), "launch", {"tags": state.tags, "tokens": state.tokens})
        return {"log": "saved"}

    builder.add_node("save", save)
    builder.add_edge(START, "save")
    builder.add_edge("save", END)
    assert builder.compile(store=store).invoke({"tags": {"a"}, "tokens": 3})["log"] == "saved"
    item = store.get(("briefs",), "launch")
    assert item is not None and item.value == {"tags": ["a"], "tokens": 3}
