"""``state_schema`` in real graphs: what nodes return merges by each field's kind, whatever way it takes through
LangGraph."""

from __future__ import annotations

import datetime
import enum
import json
import operator
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.managed import IsLastStep
from langgraph.types import Command, Overwrite, Send, StateUpdate, interrupt
from pydantic import Base64Bytes, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from concordant import Counter, InvalidWriteError, List, Map, Scalar, Schema, SchemaError, Set, Text
from concordant_langgraph import MergeStore, edited, state_schema

from .state_support import Brief, Person, Source, State, chain, merged, parallel, thread


class Question(TypedDict):
    tags: set[str]
    draft: Annotated[str, Text(unit="word")]


class Answer(BaseModel):
    draft: Annotated[str, Text(unit="word")] = ""
    status: Annotated[str | None, Scalar()] = None


class Private(TypedDict):
    tags: Annotated[set[str], Set()]
    owners: dict[str, str]
    notes: str


@pytest.fixture(params=["memory", "sqlite"])
def saver(request: pytest.FixtureRequest) -> Iterator[BaseCheckpointSaver[Any]]:
    """A checkpointer in memory, and one in a SQLite database, both refusing types that are not plain data."""
    serde = JsonPlusSerializer(allowed_msgpack_modules=None)
    if request.param == "memory":
        yield InMemorySaver(serde=serde)
        return
    with SqliteSaver.from_conn_string(":memory:") as sqlite:
        sqlite.serde = serde
        yield sqlite


# -- what a superstep makes of what nodes return -------------------------------------------------------------------


def test_every_kind_merges() -> None:
    """What parallel nodes contribute is merged by each field's kind, and the rest is the model's default."""
    graph = parallel(
        State,
        {"tags": {"a"}, "draft": "one", "steps": ["x"], "tokens": 3, "cost": Decimal("0.10"), "owners": {"k": "ann"}},
        {"tags": {"b"}, "draft": "two", "steps": ["x"], "tokens": 4, "cost": Decimal("0.20"), "owners": {"l": "bob"}},
        {"votes": {"yes": 1}, "sources": [{"id": "s", "quotes": ["q"], "stars": 2}], "lead": {"tasks": 1}, "score": 7},
        {"votes": {"yes": 2, "no": 1}, "sources": [Source(id="s", stars=3), Source(id="t")], "score": 9.5},
        {"lead": Person(name="eve", skills={"sql"}), "status": "done"},
        {"lead": {"skills": ["go"], "tasks": 2}, "status": "done"},
    )
    assert graph.invoke({"tags": {"old"}, "draft": "zero", "steps": ["w"], "tokens": 1}) == {
        "tags": {"old", "a", "b"},
        "draft": "zero\none\ntwo",
        "steps": ["w", "x", "x"],
        "tokens": 8,
        "cost": Decimal("0.30"),
        "owners": {"k": "ann", "l": "bob"},
        "votes": {"yes": 3, "no": 1},
        "sources": [Source(id="s", quotes=["q"], stars=5), Source(id="t")],
        "lead": Person(name="eve", skills={"sql", "go"}, tasks=3),
        "status": "done",
        "score": 9.5,
        "budget": 0,
    }


def test_nodes_are_given_instances_of_the_model() -> None:
    """A node gets the model itself, whether or not its parameter is annotated with it, and so does a condition."""
    seen: list[Any] = []

    def plain(state: Any) -> dict[str, Any]:
        seen.append(state)
        return {}

    def typed(state: Brief) -> dict[str, Any]:
        seen.append(state)
        return {}

    builder = StateGraph(State)
    builder.add_node("plain", plain)
    builder.add_node("typed", typed)
    builder.add_edge(START, "plain")
    builder.add_conditional_edges("plain", lambda state: seen.append(state) or "typed", ["typed"])
    builder.compile().invoke({"tags": ["a"], "lead": {"name": "ann"}})
    assert [type(state) for state in seen] == [Brief] * 3
    assert [state.tags for state in seen] == [{"a"}] * 3
    assert [state.lead for state in seen] == [Person(name="ann", skills=set())] * 3


def test_what_is_returned_as_it_was_given_says_nothing() -> None:
    """Nodes that return all they were given, with one change each, do not contradict each other."""

    def whole(**changes: Any) -> Any:
        return lambda state: (
            {
                "status": state.status,
                "owners": dict(state.owners),
                "lead": state.lead,
                "sources": state.sources,
                "score": state.score,
            }
            | {name: change(state) if callable(change) else change for name, change in changes.items()}
        )

    given = {
        "status": "draft",
        "owners": {"a": "ann", "b": "bob"},
        "lead": {"name": "eve"},
        "sources": [{"id": "s", "verdict": "?"}],
    }
    graph = parallel(
        State,
        whole(status="done"),
        whole(owners=lambda state: state.owners | {"a": "amy"}),
        whole(owners=lambda state: state.owners | {"c": "cyd"}),
        whole(lead=lambda state: state.lead.model_copy(update={"name": "eva"})),
        whole(sources=lambda state: [state.sources[0].model_copy(update={"verdict": "good"})]),
        whole(),
    )
    result = graph.invoke(given)
    assert result["status"] == "done"
    assert result["owners"] == {"a": "amy", "b": "bob", "c": "cyd"}
    assert result["lead"].name == "eva"
    assert [(source.id, source.verdict) for source in result["sources"]] == [("s", "good")]


def test_a_contribution_is_always_added() -> None:
    """What a node returns for a list or text is added whatever stands there, so that a loop can count on it; the whole
    list or text is returned by ``edited``."""
    again = {"steps": ["failed"], "draft": "failed"}
    result = chain(State, again, again, again).invoke({"steps": ["start"], "draft": "start"})
    assert (result["steps"], result["draft"]) == (["start"] + ["failed"] * 3, "start\nfailed\nfailed\nfailed")
    assert chain(State, again, again).invoke({"tokens": 0})["steps"] == ["failed", "failed"]
    assert merged("steps", ["a"], lambda state: {"steps": [*state.steps, "b"]}) == ["a", "a", "b"]
    assert merged(
        "steps",
        ["a"],
        lambda state: edited(steps=[*state.steps, "b"]),
        lambda state: edited(steps=[*state.steps, "c"]),
        lambda state: edited(steps=state.steps),
        ["d"],
    ) == ["a", "b", "c", "d"]
    assert (
        merged(
            "draft",
            "a",
            lambda state: edited(draft=f"{state.draft}\nb"),
            lambda state: edited(draft=f"{state.draft}\nc"),
            "d",
        )
        == "a\nb\nc\nd"
    )


def test_an_edit_counts_as_the_difference() -> None:
    """``edited`` makes of a value what the node made of it: removals, rewritten words and downward counts merge."""
    graph = parallel(
        State,
        lambda state: edited(
            tags=state.tags - {"a"},
            draft=state.draft.replace("quick", "slow"),
            steps=[step for step in state.steps if step != "y"],
            tokens=state.tokens - 2,
            owners={name: owner for name, owner in state.owners.items() if name != "k"},
            lead=state.lead.model_copy(update={"skills": set()}),
            sources=[],
        ),
        lambda state: edited(
            tags=state.tags | {"c"},
            draft=state.draft.replace("lazy", "busy"),
            steps=["first", *state.steps],
            tokens=state.tokens + 5,
        ),
        {"draft": "The end.", "steps": ["last"], "tokens": 1},
    )
    result = graph.invoke(
        {
            "tags": {"a", "b"},
            "draft": "The quick fox and the lazy dog.",
            "steps": ["x", "y"],
            "tokens": 10,
            "owners": {"k": "ann", "l": "bob"},
            "lead": {"skills": ["sql"]},
            "sources": [{"id": "s"}],
        }
    )
    assert result["tags"] == {"b", "c"}
    assert result["draft"] == "The slow fox and the busy dog.\nThe end."
    assert result["steps"] == ["first", "x", "last"]
    assert result["tokens"] == 14
    assert result["owners"] == {"l": "bob"}
    assert result["lead"].skills == set()
    assert result["sources"] == []


def test_a_state_that_a_node_changed_can_be_returned_as_an_edit() -> None:
    """``edited(state)`` takes a changed copy of the state that a node was given; what is the same says nothing."""

    def work(name: str) -> Any:
        def node(state: Brief) -> dict[str, Any]:
            state = state.model_copy(deep=True)  # LangGraph gives the same objects to all nodes of a superstep
            state.tags.discard("todo")
            state.tags.add(name)
            state.tokens += 5
            state.steps.append(name)
            return edited(state)

        return node

    result = parallel(State, work("ann"), work("bob")).invoke({"tags": {"todo", "x"}, "tokens": 100, "steps": ["s"]})
    assert (result["tags"], result["tokens"], result["steps"]) == ({"x", "ann", "bob"}, 110, ["s", "ann", "bob"])


def test_an_add_beats_a_removal() -> None:
    """An element that one node takes out and another returns stays, as in a store."""
    assert merged("tags", {"a", "b"}, lambda state: edited(tags={"b"}), {"a"}) == {"a", "b"}


def test_updates_are_taken_in_langgraphs_order() -> None:
    """Where order shows, it is that in which LangGraph applies a superstep's updates: by node, then as sent."""
    assert merged("steps", [], ["0"], ["1"], ["2"]) == ["0", "1", "2"]
    builder = StateGraph(State)
    builder.add_node("work", lambda arg: {"steps": [arg["step"]], "draft": arg["step"]})
    builder.add_conditional_edges(START, lambda _: [Send("work", {"step": s}) for s in "zax"], ["work"])
    result = builder.compile().invoke({"tokens": 1})
    assert (result["steps"], result["draft"]) == (["z", "a", "x"], "z\na\nx")


@pytest.mark.parametrize(
    ("policy", "settled"),
    [("max", 9), ("min", 1), ("first", 5), ("latest", 1), (lambda e: sum(c.value for c in e.contenders), 15)],
)
def test_policies_and_resolvers_settle(policy: Any, settled: int) -> None:
    """Policies hold in a channel; order stands for time; a function is asked once, with all contenders."""

    class Review(BaseModel):
        grade: Annotated[int, Scalar(resolve=policy)] = 0

    assert merged("grade", 3, 5, 9, 1, schema=state_schema(Review)) == settled


# -- defaults and types --------------------------------------------------------------------------------------------


def test_what_the_input_gives_takes_the_defaults_place() -> None:
    """A default stands until the input gives the field, as in Pydantic; nodes add to it if the input did not."""

    class Seeded(BaseModel):
        tags: Annotated[set[str], Set()] = {"seed"}
        tokens: Annotated[int, Counter()] = 100
        draft: Annotated[str, Text()] = "Intro."

    graph = parallel(state_schema(Seeded), {"tags": {"a"}, "tokens": 1, "draft": "More."}, checkpointer=InMemorySaver())
    given = graph.invoke({"tags": {"own"}, "tokens": 5, "draft": ""}, thread())
    assert given == {"tags": {"own", "a"}, "tokens": 6, "draft": "More."}
    config = thread()
    assert graph.invoke({"tokens": 0}, config) == {"tags": {"seed", "a"}, "tokens": 1, "draft": "Intro.\nMore."}
    assert graph.invoke({"tokens": 1}, config) == {"tags": {"seed", "a"}, "tokens": 3, "draft": "Intro.\nMore.\nMore."}


def test_a_result_can_be_an_input() -> None:
    """The values of one run, given to another, are what that one begins with: nothing is added to them or lost."""
    node = {"tags": {"a"}, "draft": "x", "steps": ["s"], "tokens": 2, "lead": {"tasks": 1}, "sources": [{"id": "u"}]}
    first = chain(State, node).invoke({"tokens": 5, "cost": Decimal("1.5"), "votes": {"yes": 1}})
    assert chain(State, {}).invoke(first) == first
    assert chain(State, {}).invoke(Brief(**first)) == first


def test_a_default_is_made_once_in_a_thread(saver: BaseCheckpointSaver[Any]) -> None:
    """A ``default_factory`` is asked once, though the run is interrupted and resumed; another thread asks again."""

    class Ticket(BaseModel):
        number: Annotated[str, Scalar()] = Field(default_factory=lambda: uuid.uuid4().hex)
        log: Annotated[list[str], List()]

    def look(state: Any) -> dict[str, Any]:
        return {"log": [state.number]}

    def ask(state: Any) -> dict[str, Any]:
        interrupt("?")
        return {"log": [state.number]}

    graph = chain(state_schema(Ticket), look, ask, look, checkpointer=saver)
    config, other = thread(), thread()
    graph.invoke({"log": []}, config)
    result = graph.invoke(Command(resume="go"), config)
    assert len(result["log"]) == 3 and set(result["log"]) == {result["number"]}
    graph.invoke({"log": []}, other)
    assert graph.get_state(other).values["number"] != result["number"]


def test_values_have_their_types_and_checkpoints_hold_plain_data(saver: BaseCheckpointSaver[Any]) -> None:
    """Runs and snapshots give Python values of the model's types; what is stored is JSON."""

    class Event(BaseModel):
        day: Annotated[datetime.date, Scalar()] = datetime.date(2030, 1, 1)
        costs: Annotated[list[Decimal], List()] = []
        people: Annotated[frozenset[str], Set()] = frozenset()
        rooms: Annotated[dict[str, Person], Map()] = {}

    graph = parallel(
        state_schema(Event),
        {"costs": [Decimal("1.50")], "rooms": {"r": {"name": "ann"}}},
        {"costs": ["2"], "people": {"bob"}, "day": "2031-02-03"},
        checkpointer=saver,
    )
    config = thread()
    expected = {
        "day": datetime.date(2031, 2, 3),
        "costs": [Decimal("1.50"), Decimal("2")],
        "people": frozenset({"bob"}),
        "rooms": {"r": Person(name="ann", skills=set())},
    }
    assert graph.invoke({"costs": []}, config) == expected
    snapshot = graph.get_state(config).values
    assert snapshot == expected and type(snapshot["people"]) is frozenset
    stored = saver.get_tuple(config)
    assert stored is not None
    values = {name: stored.checkpoint["channel_values"][name] for name in expected}
    assert json.loads(json.dumps(values)) == values


def test_what_a_node_does_to_its_state_stays_its_own() -> None:
    """A node that changes the values it was given, without returning them, changes nothing."""

    def meddle(state: Brief) -> dict[str, Any]:
        state.tags.add("x")
        state.steps.append("x")
        state.lead.name = "x"
        state.owners["x"] = "x"
        return {"status": "done"}

    result = chain(State, meddle, lambda state: {}).invoke({"tags": {"a"}})
    assert (result["tags"], result["steps"], result["lead"].name, result["owners"]) == ({"a"}, [], "", {})


def test_the_models_validators_hold() -> None:
    """Field validators and constraints hold for what is returned; the model's own for what nodes are given."""

    class Order(BaseModel):
        sku: Annotated[str, Scalar(), Field(pattern="^[A-Z]+$")] = "A"
        items: Annotated[set[str], Set(), Field(max_length=2)] = set()
        start: Annotated[int, Scalar()] = 0
        end: Annotated[int, Scalar()] = 9

        @field_validator("sku", mode="before")
        @classmethod
        def upper(cls, value: Any) -> Any:
            return value.upper() if isinstance(value, str) else value

        @model_validator(mode="after")
        def ordered(self) -> Order:
            if self.start > self.end:
                raise ValueError("start after end")
            return self

    schema = state_schema(Order)
    assert merged("sku", "b", "c", schema=schema) == "C"
    with pytest.raises(InvalidWriteError, match=r"sku: String should match pattern"):
        merged("sku", "b", "1", schema=schema)
    with pytest.raises(ValueError, match="start after end"):
        chain(schema, {"start": 10}, {}).invoke({"sku": "a"})
    assert merged("start", 3, 10, schema=schema) == 10


# -- schemas -------------------------------------------------------------------------------------------------------


def test_schemas_that_share_a_key() -> None:
    """Input, output and private schemas may name keys of the state, plainly, with its markers, or by another model."""

    def first(state: Question) -> Private:
        return {"tags": {"n"}, "owners": {"a": "ann"}, "notes": state["draft"]}

    def second(state: Private) -> dict[str, Any]:
        return {"draft": f"{state['notes']} {sorted(state['tags'])} {state['owners']}", "status": "done"}

    builder = StateGraph(State, input_schema=Question, output_schema=state_schema(Answer))
    builder.add_node("first", first)
    builder.add_node("second", second)
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    assert builder.compile().invoke({"tags": {"t"}, "draft": "d"}) == {
        "draft": "d\nd ['n', 't'] {'a': 'ann'}",
        "status": "done",
    }


def test_a_models_configuration_holds() -> None:
    """Strict, frozen and closed models do as states, and names that Pydantic protects by default."""

    class Hard(BaseModel):
        model_config = ConfigDict(strict=True, frozen=True, extra="forbid", protected_namespaces=())

        tags: Annotated[frozenset[str], Set()] = frozenset()
        model_dump_count: Annotated[int, Counter()] = 0

    def node(state: Hard) -> dict[str, Any]:
        assert isinstance(state.tags, frozenset)
        return {"tags": {"a"}, "model_dump_count": 1}

    assert parallel(state_schema(Hard), node, node).invoke({"tags": ["b"]}) == {
        "tags": frozenset({"a", "b"}),
        "model_dump_count": 2,
    }


def test_schemas_that_disagree_are_refused() -> None:
    """A schema that means something else by a key is LangGraph's own error."""

    class Other(TypedDict):
        tags: Annotated[set[str], operator.or_]

    class Another(BaseModel):
        draft: Annotated[str, Text(" ")] = ""

    for other in (Other, state_schema(Another)):
        with pytest.raises(ValueError, match="already exists with a different type"):
            StateGraph(State, input_schema=other)


def test_models_that_share_a_field_keep_their_defaults() -> None:
    """Two models with an equal field but for its default each start at their own."""

    class One(BaseModel):
        tags: Annotated[set[str], Set()] = {"one"}

    class Two(BaseModel):
        tags: Annotated[set[str], Set()] = {"two"}
        x: Annotated[int, Scalar()] = 0

    assert chain(state_schema(One), {}).invoke({"tags": []}) == {"tags": set()}
    assert chain(state_schema(Two), {}).invoke({"x": 1})["tags"] == {"two"}


def test_the_same_model_gives_the_same_schema() -> None:
    """``state_schema`` of a model is one class, and makes instances of the model."""
    assert state_schema(Brief) is State
    assert type(State(tags=[], draft="", steps=[], owners={}, votes={}, sources=[])) is Brief


def test_fields_of_langgraphs_own_are_left_to_it() -> None:
    """A model may have fields with LangGraph's reducers, channels and managed values beside those with kinds."""

    class Chat(BaseModel):
        messages: Annotated[list[AnyMessage], add_messages] = []
        total: Annotated[int, operator.add] = 0
        last: IsLastStep = False
        tags: Annotated[set[str], Set()]

    def node(state: Chat) -> dict[str, Any]:
        assert state.last is False
        return {"messages": [("ai", "hello")], "total": 1, "tags": {"a"}}

    def other(state: Chat) -> dict[str, Any]:
        state.tags.add("b")
        return edited(state) | {"messages": [("ai", "bye")]}

    result = parallel(state_schema(Chat), node, other).invoke({"messages": [("human", "hi")], "total": 1})
    assert [message.content for message in result["messages"]] == ["hi", "hello", "bye"]
    assert (result["total"], result["tags"]) == (2, {"a", "b"})


def test_a_model_that_cannot_be_used_tells_all_its_faults() -> None:
    """Every fault of every field is in one SchemaError, a default that breaks its own constraint included."""

    class Faulty(BaseModel):
        plain: str = ""
        shape: Annotated[set[str], Set] = set()
        words: Annotated[int, Text()] = 0
        policy: Annotated[str, Scalar(resolve="newest")] = ""
        least: Annotated[int, Counter(), Field(ge=1)] = 0
        good: Annotated[int, Counter()] = 0

    with pytest.raises(SchemaError) as refused:
        state_schema(Faulty)
    assert [fault.path[-1] for fault in refused.value.faults] == ["plain", "shape", "words", "policy", "least"]
    for wrong in (dict, Schema(Brief, on_delete="ask"), "Brief"):  # type: ignore[arg-type]
        with pytest.raises(SchemaError) as refused:
            state_schema(wrong)  # type: ignore[call-overload]
        assert len(refused.value.faults) == 1


def test_json_schemas_describe_the_model() -> None:
    """The JSON schemas that LangGraph shows of a graph are those of the model's fields, with their defaults."""

    class Ask(BaseModel):
        """What is asked."""

        tags: Annotated[set[str], Set()] = Field(default_factory=set, description="Topics.")
        tokens: Annotated[int, Counter()] = 3

    schema = chain(state_schema(Ask), {}).get_input_jsonschema()
    assert schema["properties"]["tokens"]["default"] == 3
    assert schema["properties"]["tags"]["items"] == {"type": "string"}
    assert (schema["description"], schema["properties"]["tags"]["description"]) == ("What is asked.", "Topics.")
    assert "required" not in schema


# -- ways through LangGraph ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        Overwrite,
        lambda value: {"__overwrite__": value},
        lambda value: {"value": value, "type": "__overwrite__"},
    ],
)
def test_overwrite_bypasses_the_merge(form: Any) -> None:
    """An Overwrite, in each of its forms, replaces the value, whatever others return in that superstep."""
    assert merged("tags", {"a"}, {"b"}, form({"only"}), {"c"}) == {"only"}
    assert merged("tokens", 5, form(1)) == 1
    assert merged("lead", {"name": "ann"}, form(Person(name="bob", skills={"x"}))) == Person(name="bob", skills={"x"})


def test_commands_and_sends_update_the_state() -> None:
    """Updates in a Command, in several Commands of one node, and of nodes that were sent arguments, merge like any."""

    def start(state: Brief) -> Command[Any]:
        sends = [Send("work", {"name": name}) for name in ("x", "y")]
        return Command(update={"steps": ["start"], "tokens": 1}, goto=[*sends, "both"])

    def both(state: Brief) -> list[Any]:
        return [Command(update={"tags": {"c"}, "tokens": 10}), Command(update=edited(tokens=state.tokens + 20))]

    builder = StateGraph(State)
    builder.add_node("start", start, destinations=("work", "both"))
    builder.add_node("work", lambda arg: {"tags": {arg["name"]}, "tokens": 100})
    builder.add_node("both", both)
    builder.add_edge(START, "start")
    result = builder.compile().invoke({"steps": [], "tokens": 0})
    assert (result["tags"], result["tokens"], result["steps"]) == ({"x", "y", "c"}, 231, ["start"])


def test_an_instance_of_the_model_is_an_input() -> None:
    """A run can be given an instance of the model, and a Command or a node may return one, each field once."""
    graph = chain(
        State,
        lambda state: Command(update=Person(name="ignored", skills=set())),
        lambda state: Command(update=State(**{**state.model_dump(), "tokens": 1, "steps": ["b"]})),
    )
    given = State(tags={"a"}, draft="", steps=["a"], owners={}, votes={}, sources=[], tokens=5)
    result = graph.invoke(given)
    assert (result["tags"], result["tokens"], result["steps"]) == ({"a"}, 6, ["a", "b"])


def test_streams_show_merged_values_and_returned_updates() -> None:
    """``values`` streams the merged state after each superstep, ``updates`` what each node returned."""
    graph = parallel(State, {"tokens": 1}, lambda state: edited(tokens=0))
    streamed = [*graph.stream({"tokens": 5}, stream_mode=["values", "updates"])]
    assert [part["tokens"] for mode, part in streamed if mode == "values"] == [5, 1]
    updates = [part for mode, part in streamed if mode == "updates"]
    assert {"n00": {"tokens": 1}} in updates and {"n01": edited(tokens=0)} in updates


def test_a_thread_is_kept_in_a_checkpointer(saver: BaseCheckpointSaver[Any]) -> None:
    """A later run on the thread, with the graph built anew, goes on from the merged state."""
    nodes = ({"tags": {"a"}, "tokens": 1, "draft": "one"}, lambda state: edited(tags=set(), tokens=state.tokens + 1))
    config = thread()
    first = parallel(State, *nodes, checkpointer=saver).invoke({"tags": {"x"}, "lead": {"name": "ann"}}, config)
    assert (first["tags"], first["tokens"], first["draft"]) == ({"a"}, 2, "one")
    second = parallel(State, *nodes, checkpointer=saver).invoke({"tags": {"y"}, "draft": "two"}, config)
    assert (second["tags"], second["tokens"], second["lead"].name) == ({"a"}, 4, "ann")
    assert second["draft"] == "one\ntwo\none"


def test_an_interrupted_superstep_is_merged_as_one(saver: BaseCheckpointSaver[Any]) -> None:
    """What a node returned before its neighbour was interrupted is merged with what that returns later, once."""

    def asks(state: Brief) -> dict[str, Any]:
        return edited(steps=[*state.steps, interrupt("which?")], tags=set())

    graph = parallel(State, {"steps": ["quick"], "tokens": 1, "tags": {"t"}}, asks, checkpointer=saver)
    config = thread()
    graph.invoke({"steps": ["s"], "tags": {"old"}}, config)
    assert graph.get_state(config).next
    result = graph.invoke(Command(resume="slow", update={"owners": {"a": "ann"}}), config)
    assert (result["steps"], result["tokens"], result["tags"]) == (["s", "quick", "slow"], 1, {"t"})
    assert result["owners"] == {"a": "ann"}


def test_a_failed_superstep_is_merged_when_it_is_run_again(saver: BaseCheckpointSaver[Any]) -> None:
    """After a node failed, its neighbour's update waits in the checkpoint and counts once when the run goes on."""
    failures = iter([True, False])

    def fails(state: Brief) -> dict[str, Any]:
        if next(failures):
            raise RuntimeError("out of tokens")
        return {"tokens": 10, "lead": Person(name="eve", skills={"x"})}

    graph = parallel(State, edited(tokens=7, lead=Person(name="", skills={"y"})), fails, checkpointer=saver)
    config = thread()
    with pytest.raises(RuntimeError, match="out of tokens"):
        graph.invoke({"tokens": 5}, config)
    assert graph.invoke(None, config)["tokens"] == 17


def test_a_person_can_update_the_state(saver: BaseCheckpointSaver[Any]) -> None:
    """``update_state`` contributes, edits or overwrites as a node does, and several updates merge as a superstep."""
    graph = chain(State, {"tokens": 1}, {"tokens": 1}, checkpointer=saver, interrupt_before=["n01"])
    config = thread()
    graph.invoke({"tags": {"a", "b"}, "tokens": 5}, config)
    graph.update_state(config, {"tags": {"c"}})
    assert graph.get_state(config).values["tags"] == {"a", "b", "c"}
    graph.update_state(config, edited(tags={"c"}, tokens=1))
    graph.update_state(config, {"draft": Overwrite("all new")})
    graph.bulk_update_state(config, [[StateUpdate({"steps": ["x"]}, "n00"), StateUpdate({"steps": ["y"]}, "n00")]])
    result = graph.invoke(None, config)
    assert (result["tags"], result["tokens"], result["draft"]) == ({"c"}, 2, "all new")
    assert result["steps"] == ["x", "y"]


def test_time_travel_and_forks(saver: BaseCheckpointSaver[Any]) -> None:
    """Each checkpoint has its own merged state, and a fork goes on from one without touching the other branch."""
    graph = chain(State, {"steps": ["a"], "tokens": 1}, {"steps": ["b"], "tokens": 1}, checkpointer=saver)
    config = thread()
    graph.invoke({"steps": []}, config)
    history = [*graph.get_state_history(config)]
    assert [snapshot.values["steps"] for snapshot in history] == [["a", "b"], ["a"], [], []]
    fork = graph.update_state(history[1].config, edited(steps=["x"]) | {"tokens": 10})
    assert graph.invoke(None, fork)["steps"] == ["x", "b"]
    again = graph.invoke(None, history[1].config)
    assert (again["steps"], again["tokens"]) == (["a", "b"], 2)


async def test_async_graphs_merge_alike() -> None:
    """Coroutine nodes on an async checkpointer give the same, interrupts and snapshots included."""

    async def asks(state: Brief) -> dict[str, Any]:
        return {"steps": [interrupt("?")], "score": 3}

    async def works(state: Brief) -> dict[str, Any]:
        return edited(tags=state.tags - {"a"}, steps=[*state.steps, "w"])

    async with AsyncSqliteSaver.from_conn_string(":memory:") as saver:
        graph = parallel(State, asks, works, {"score": 2}, checkpointer=saver)
        config = thread()
        await graph.ainvoke({"tags": {"a", "b"}, "steps": ["s"]}, config)
        result = await graph.ainvoke(Command(resume="r"), config)
        assert (result["tags"], result["steps"], result["score"]) == ({"b"}, ["s", "r", "w"], 3.0)
        await graph.aupdate_state(config, edited(steps=[]), as_node="n00")
        snapshot = await graph.aget_state(config)
        assert (snapshot.values["steps"], snapshot.values["tags"]) == ([], {"b"})


def test_parallel_tool_calls_of_an_agent_merge() -> None:
    """``create_agent`` takes such a schema, from a middleware or its own, and merges what parallel tools update."""

    class Notes(BaseModel):
        tags: Annotated[set[str], Set()]
        tokens: Annotated[int, Counter()] = 0

    class Chat(Notes):
        messages: Annotated[list[AnyMessage], add_messages] = []

    class Noting(AgentMiddleware[Any]):
        state_schema = state_schema(Notes)  # type: ignore[assignment]

    @tool
    def note(tag: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
        """Keeps a tag."""
        return Command(
            update={"tags": {tag}, "tokens": 1, "messages": [ToolMessage("kept", tool_call_id=tool_call_id)]}
        )

    class Scripted(GenericFakeChatModel):
        def bind_tools(self, *_: Any, **__: Any) -> Any:
            return self

    calls = [{"name": "note", "args": {"tag": tag}, "id": tag} for tag in ("a", "b")]
    for options in ({"middleware": [Noting()]}, {"state_schema": state_schema(Chat)}):
        model = Scripted(messages=iter([AIMessage("", tool_calls=calls), AIMessage("done")]))
        agent: Any = create_agent(model, [note], **options)  # type: ignore[arg-type]
        result = agent.invoke({"messages": [("human", "go")], "tags": ["x"]})
        assert (result["tags"], result["tokens"]) == ({"x", "a", "b"}, 2)


# -- subgraphs -----------------------------------------------------------------------------------------------------


def team(*nodes: Any, **options: Any) -> Any:
    """A subgraph over the same state."""
    return chain(State, *nodes, **options)


def test_a_subgraph_shares_keys_with_its_parent() -> None:
    """What a subgraph returns is its whole state: in sets, maps and scalars only what it changed shows."""
    inner = team({"tags": {"t"}}, {"status": "done", "owners": {"t": "x"}, "sources": [{"id": "u"}]})
    graph = parallel(State, inner, {"tags": {"p"}, "owners": {"p": "y"}, "sources": [{"id": "v"}]})
    given = {"tags": {"s"}, "status": "new", "owners": {"s": "z"}, "sources": [{"id": "w"}]}
    result = graph.invoke(given)
    assert (result["tags"], result["status"]) == ({"s", "t", "p"}, "done")
    assert result["owners"] == {"s": "z", "t": "x", "p": "y"}
    assert [source.id for source in result["sources"]] == ["w", "u", "v"]


def test_a_subgraph_piped_into_edited_merges_exactly(saver: BaseCheckpointSaver[Any]) -> None:
    """``team | edited`` returns the subgraph's state as an edit of what it was given: counters, removals and rewritten
    words come out right, interrupts inside it included."""

    def asks(state: Brief) -> dict[str, Any]:
        return edited(draft=state.draft.replace("old", interrupt("?")), tags=state.tags - {"s"})

    builder = StateGraph(State)
    builder.add_node("one", team({"tokens": 3}, asks) | edited)
    builder.add_node("two", team({"tokens": 4}, {"steps": ["two"]}) | edited)
    builder.add_edge(START, "one")
    builder.add_edge(START, "two")
    graph = builder.compile(checkpointer=saver)
    config = thread()
    graph.invoke({"tokens": 10, "draft": "an old text", "tags": {"s", "k"}}, config)
    assert [name for name, _ in graph.get_subgraphs()] == ["one", "two"]
    result = graph.invoke(Command(resume="new"), config)
    assert (result["tokens"], result["draft"], result["tags"]) == (17, "an new text", {"k"})
    assert result["steps"] == ["two"]


def test_a_subgraph_without_it_adds_its_whole_state() -> None:
    """The limit: what is returned for a counter, text or list is added, so a subgraph's own total is as well."""
    inner = team({"tokens": 3, "steps": ["t"], "draft": "t"})
    given = {"tokens": 10, "steps": ["s"], "draft": "s"}
    added = chain(State, inner).invoke(given)
    assert (added["tokens"], added["steps"], added["draft"]) == (23, ["s", "s", "t"], "s\ns\nt")
    exact = chain(State, inner | edited).invoke(given)
    assert (exact["tokens"], exact["steps"], exact["draft"]) == (13, ["s", "t"], "s\nt")


def test_a_subgraph_can_update_its_parent() -> None:
    """``Command(graph=Command.PARENT)`` from inside merges in the parent like any update."""
    inner = StateGraph(State)
    inner.add_node("hop", lambda state: Command(graph=Command.PARENT, update={"tokens": 5, "tags": {"t"}}))
    inner.add_edge(START, "hop")
    result = parallel(State, inner.compile(), {"tokens": 1, "tags": {"p"}}).invoke({"tokens": 10})
    assert (result["tokens"], result["tags"]) == (16, {"t", "p"})


# -- other checkpoints, the store ----------------------------------------------------------------------------------


def test_a_thread_of_another_state_goes_on() -> None:
    """A thread that was written with LangGraph's own channels goes on under the model."""

    class Before(TypedDict):
        tags: set[str]
        steps: Annotated[list[str], operator.add]
        lead: Person

    saver, config = InMemorySaver(), thread()
    before = {"tags": {"a"}, "steps": ["s"], "lead": Person(name="ann", skills={"x"})}
    chain(Before, {}, checkpointer=saver).invoke(before, config)
    result = parallel(State, {"tags": {"b"}}, {"lead": {"tasks": 1}}, checkpointer=saver).invoke(
        {"steps": ["t"]}, config
    )
    assert (result["tags"], result["steps"]) == ({"a", "b"}, ["s", "t"])
    assert result["lead"] == Person(name="ann", skills={"x"}, tasks=1)


def test_a_value_that_the_model_no_longer_allows_can_be_overwritten() -> None:
    """A stored value that does not fit the model is shown as it is, refuses contributions, and can be overwritten."""

    class Before(TypedDict):
        tokens: str

    saver, config = InMemorySaver(), thread()
    chain(Before, {}, checkpointer=saver).invoke({"tokens": "many"}, config)
    graph = chain(State, {}, checkpointer=saver)
    assert graph.get_state(config).values["tokens"] == "many"
    with pytest.raises(InvalidWriteError, match=r"the checkpoint's value, 'many', is none of the field's type"):
        graph.update_state(config, {"tokens": 1})
    graph.update_state(config, {"tokens": Overwrite(3)})
    assert graph.get_state(config).values["tokens"] == 3


def test_one_model_is_state_and_store() -> None:
    """The same model is the graph's state and the store's schema, with the same result of the same parallel work."""
    store = MergeStore({("briefs",): Brief})
    work = [{"tags": ["a"], "tokens": 1, "draft": "one"}, {"tags": ["b"], "tokens": 2, "draft": "two"}]
    builder = StateGraph(State)
    for number, update in enumerate(work):

        def node(state: Brief, *, store: Any = store, update: dict[str, Any] = update) -> dict[str, Any]:
            store.put(("briefs",), "launch", update)
            return update

        builder.add_node(f"n{number}", node)
        builder.add_edge(START, f"n{number}")
        builder.add_edge(f"n{number}", END)
    result = builder.compile(store=store).invoke({"tokens": 0})
    item = store.get(("briefs",), "launch")
    assert item is not None
    assert item.value["tokens"] == result["tokens"] == 3
    assert set(item.value["tags"]) == result["tags"] == {"a", "b"}
    assert set(item.value["draft"].split("\n")) == set(result["draft"].split("\n")) == {"one", "two"}


def test_bad_updates_are_refused_with_their_faults() -> None:
    """What is no value of its field, or no field of its record, is our own error, and nothing of it is applied."""
    graph = parallel(State, lambda state: {"tokens": "many"} if state.tokens == 1 else {}, checkpointer=InMemorySaver())
    config = thread()
    with pytest.raises(InvalidWriteError, match=r"tokens: Input should be a valid integer") as refused:
        graph.invoke({"tokens": 1}, config)
    assert [fault.path for fault in refused.value.faults] == [("tokens",)]
    for update in (
        {"tags": "a"},
        {"tags": None},
        {"lead": {"nam": "ann"}},
        {"sources": [{"stars": 1}]},
        {"owners": {"a": object()}},
        {"draft": "\ud800"},
        {"tags": Overwrite("a")},
        edited(steps="a"),
    ):
        with pytest.raises(InvalidWriteError):
            parallel(State, update).invoke({"tokens": 0})


class Level(enum.Enum):
    LOW = 1


class Home(BaseModel):
    city: Annotated[str | None, Scalar()] = None
    visits: Annotated[int, Counter()] = 0


class Ordinary(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)
    home_of: Home | None = None
    by_level: Annotated[dict[Level, Annotated[int, Counter()]], Map()] = {}
    items: Annotated[tuple[int, ...], List()] = ()
    tag_set: Annotated[set[str], BeforeValidator(lambda v: v.split() if isinstance(v, str) else v), Set()] = set()
    data: Annotated[Base64Bytes | None, Scalar()] = None


def test_ordinary_models_are_states() -> None:
    """Aliases, optional records, keys that are no text, tuples, and bytes that validation decodes once."""
    shown: list[Any] = []
    builder = StateGraph(state_schema(Ordinary))
    builder.add_node("one", lambda _: {"home_of": {"visits": 1}, "by_level": {Level.LOW: 1}, "items": (1,)})
    builder.add_node("two", lambda _: {"home_of": {"city": "Graz"}, "by_level": {Level.LOW: 2}, "data": b"YQ=="})
    builder.add_node("see", lambda state: shown.append(state))
    builder.add_edge(START, "one").add_edge(START, "two").add_edge(["one", "two"], "see")
    builder.compile().invoke({"tag_set": "a b"})
    want = Ordinary.model_construct(
        home_of=Home(city="Graz", visits=1), by_level={Level.LOW: 3}, items=(1,), tag_set={"a", "b"}, data=b"a"
    )
    assert shown == [want]
