"""``memory_tools``: what an agent does with shared state through LangChain's own tools, agents and nodes."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import BaseTool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from pydantic import BaseModel, Field

from concordant import ConcordantError, Counter, Map, Scalar, SchemaError, Set, Text, Workspace
from concordant_langgraph import MergeStore, memory_tools
from tests.patience import PATIENCE

NS = ("briefs",)


class Brief(BaseModel):
    """What a launch needs."""

    tags: Annotated[set[str], Set()] = Field(set(), description="What it is about.")
    notes: Annotated[str, Text()] = ""
    owners: Annotated[dict[str, str], Map()] = {}
    tokens: Annotated[int, Counter()] = 0
    status: Annotated[str | None, Scalar()] = None


Call = tuple[str, dict[str, Any]]


class Scripted(BaseChatModel):
    """A model that calls tools by a script, a turn at a time, and then says that it is done."""

    turns: list[list[Call]]
    bound: list[Any] = []

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        self.bound.extend(tools)
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        done = sum(isinstance(message, AIMessage) for message in messages)
        calls = self.turns[done] if done < len(self.turns) else []
        message = AIMessage(
            "" if calls else "done",
            tool_calls=[{"name": n, "args": a, "id": f"{done}.{i}"} for i, (n, a) in enumerate(calls)],
        )
        return ChatResult(generations=[ChatGeneration(message=message)])


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    url = None if request.param == "memory" else f"sqlite:///{tmp_path}/team.db"
    with Workspace(url, schemas={NS: Brief}) as workspace:
        yield MergeStore(workspace=workspace)


def tools_of(store: MergeStore) -> list[BaseTool]:
    return memory_tools(store, Brief, NS, key="launch")


def agent(store: MergeStore, name: str, *turns: list[Call]) -> Any:
    return create_agent(Scripted(turns=[*turns]), tools_of(store), store=store, name=name)


def said(result: Any) -> list[str]:
    return [message.content for message in result["messages"] if isinstance(message, ToolMessage)]


def value(store: MergeStore) -> dict[str, Any]:
    item = store.get(NS, "launch")
    assert item is not None
    return item.value


async def run(runnable: Any, is_async: bool) -> Any:
    given = {"messages": [("user", "go")]}
    return await runnable.ainvoke(given) if is_async else await asyncio.to_thread(runnable.invoke, given)


@pytest.mark.parametrize("is_async", [False, True])
async def test_an_agent_reads_and_changes(store: MergeStore, is_async: bool) -> None:
    """Through the agent's own loop, parallel calls of one turn included; it is the one who wrote."""
    result = await run(
        agent(
            store,
            "ada",
            [("read_brief", {})],
            [("update_brief", {"tags": ["crdt"], "tokens": 5}), ("update_brief", {"tags": ["agents"], "tokens": 7})],
            [("update_brief", {"remove_tags": ["crdt"], "notes": "Twelve sources.", "status": "draft"})],
            [("read_brief", {})],
        ),
        is_async,
    )
    assert value(store) == {"tags": ["agents"], "tokens": 12, "notes": "Twelve sources.", "status": "draft"}
    answers = said(result)
    assert "no brief" in answers[0] and answers[1].startswith("Written") and 'tags: ["agents"]' in answers[-1]
    assert {c.agent for credits in store.workspace.blame(NS, "launch").values() for c in credits} == {"ada"}


@pytest.mark.parametrize("is_async", [False, True])
async def test_agents_at_work_at_once_are_told_of_each_other(store: MergeStore, is_async: bool) -> None:
    """What merged, what is in conflict, and with whom; another agent settles it by the answer's own id."""
    both = threading.Barrier(2)

    class Slow(Scripted):
        def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
            both.wait(PATIENCE)
            return super()._generate(messages)

    builder = StateGraph(MessagesState)
    for name, tag in (("ada", "crdt"), ("bob", "memory")):
        turns = [[("update_brief", {"tags": [tag], "status": f"by {name}"})]]
        builder.add_node(name, create_agent(Slow(turns=turns), tools_of(store), name=name))
        builder.add_edge(START, name)
    result = await run(builder.compile(store=store), is_async)
    assert set(value(store)["tags"]) == {"crdt", "memory"}
    [escalation] = store.escalations()
    assert {c.agent: c.value for c in escalation.contenders} == {"ada": "by ada", "bob": "by bob"}
    late = next(text for text in said(result) if "In conflict" in text)
    assert '"by ada" by ' in late and '"by bob" by ' in late and "Merged with what others wrote" in late

    listed = await run(agent(store, "maria", [("list_brief_conflicts", {})]), is_async)
    [text] = said(listed)
    handle = text.split("id ")[1].split()[0]
    keep = next(n for n, c in enumerate(escalation.contenders, 1) if c.agent == "bob")
    settled = await run(agent(store, "maria", [("resolve_brief_conflict", {"id": handle, "keep": keep})]), is_async)
    assert said(settled) == ['Settled. status is "by bob" now.']
    assert store.escalations() == [] and value(store)["status"] == "by bob"
    assert [c.agents for c in store.workspace.blame(NS, "launch")[("status",)]] == [("bob", "maria")]


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        ({"tags": "crdt"}, "tags"),
        ({"colour": "red"}, "colour"),
        ({"tokens": "many"}, "tokens"),
        ({"replace_notes": [{"find": "nowhere", "replace": "x"}]}, "nowhere"),
        ({}, "at least one change"),
    ],
)
async def test_a_wrong_call_is_told_how_to_mend_it(
    store: MergeStore, arguments: dict[str, Any], mend: str, is_async: bool
) -> None:
    """The agent goes on, the message is marked as an error, and nothing is written."""
    turns = [[("update_brief", arguments)], [("update_brief", {"tags": ["mended"]})]]
    result = await run(agent(store, "ada", *turns), is_async)
    failed, mended = (message for message in result["messages"] if isinstance(message, ToolMessage))
    assert failed.status == "error" and mend in failed.content and "Nothing was written" in failed.content
    assert mended.status == "success" and value(store) == {"tags": ["mended"]}


def test_a_tool_node_runs_them_side_by_side(store: MergeStore) -> None:
    """Without an agent around them; nothing of parallel calls is lost."""
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode(tools_of(store)))
    builder.add_edge(START, "tools")
    calls = [
        {"name": "update_brief", "args": {"tags": [f"t{n}"], "tokens": 1, "notes": f"line {n}"}, "id": str(n)}
        for n in range(20)
    ]
    builder.compile(store=store).invoke({"messages": [AIMessage("", tool_calls=calls)]})
    found = value(store)
    assert len(found["tags"]) == 20 and found["tokens"] == 20 and len(found["notes"].splitlines()) == 20


def test_the_arguments_come_from_the_model(store: MergeStore) -> None:
    """Typed and described, as a schema that goes to a provider."""
    read, update, conflicts, resolve = tools_of(store)
    assert [tool.name for tool in (read, update, conflicts, resolve)] == [
        "read_brief",
        "update_brief",
        "list_brief_conflicts",
        "resolve_brief_conflict",
    ]
    schema: Any = update.tool_call_schema
    properties = schema.model_json_schema()["properties"]
    assert set(properties) == {
        "tags",
        "remove_tags",
        "notes",
        "replace_notes",
        "owners",
        "remove_owners",
        "tokens",
        "status",
        "clear",
    }
    assert properties["tags"]["description"].startswith("What it is about.")
    assert "What a launch needs." in update.description


def test_several_documents(store: MergeStore) -> None:
    """Without a key the agent says which."""
    read, update, _, _ = memory_tools(store, Brief, NS, name="paper")
    update.invoke({"key": "one", "tags": ["a"]})
    update.invoke({"key": "two", "tags": ["b"]})
    assert "one" in read.invoke({}) and "two" in read.invoke({})
    assert 'tags: ["b"]' in read.invoke({"key": "two"})


def test_what_an_agent_changes_is_found_by_meaning() -> None:
    """A change through a tool is in the vectors, as one through put is."""

    def embed(texts: list[str]) -> list[list[float]]:
        return [[float(text.count("jazz")), 0.1] for text in texts]

    store = MergeStore({NS: Brief}, index={"dims": 2, "embed": embed, "fields": ["notes"]})
    _, update, *_ = memory_tools(store, Brief, NS)
    for key, notes in (("a", "about tea"), ("b", "about jazz jazz")):
        update.invoke({"key": key, "notes": notes})
    assert store.search(NS, query="jazz")[0].key == "b"


def test_a_store_without_the_model_is_refused() -> None:
    """With an error that says what to declare."""
    with pytest.raises(ConcordantError, match="declare"):
        memory_tools(MergeStore(), Brief, NS)


def test_a_model_that_is_none_is_refused() -> None:
    """As by the store itself."""

    class Plain(BaseModel):
        name: str = ""

    with pytest.raises(SchemaError):
        memory_tools(MergeStore(), Plain, NS)


def test_threads_of_agents_lose_nothing(store: MergeStore) -> None:
    """Four agents, each with ten turns of calls, at the same time: every contribution is there, under its name."""
    names = ["ada", "bob", "cyd", "dan"]

    def work(name: str) -> None:
        own = [f"{name}{number}" for number in range(10)]
        calls = [{"tags": [tag], "tokens": 1, "owners": [{"key": tag, "value": name}]} for tag in own]
        turns = [[("update_brief", arguments)] for arguments in calls]
        agent(store, name, *turns).invoke({"messages": [("user", "go")]}, {"recursion_limit": 100})

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = value(store)
    expected = {f"{name}{n}" for name, n in itertools.product(names, range(10))}
    assert set(found["tags"]) == set(found["owners"]) == expected and found["tokens"] == 40
    credits = store.workspace.blame(NS, "launch")[("tags",)]
    assert all(credit.value.startswith(credit.agent) for credit in credits)
