"""Agents whose tools use the store as they would any other: one call after the other, and several at once."""

from __future__ import annotations

import json
import random
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain.tools import ToolRuntime
from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from langgraph.config import get_store
from langgraph.prebuilt import InjectedStore
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from concordant_langgraph import MergeStore
from tests.langgraph.test_memory_tools import Call, Scripted
from tests.rounds import rounds

NS = ("notes",)


@tool
def change(key: str, field: str, value: str, store: Annotated[BaseStore, InjectedStore()]) -> str:
    """Changes a field of what is there."""
    found = store.get(NS, key)
    store.put(NS, key, {**(found.value if found else {"by": "an agent"}), field: value})
    return "changed"


@tool
def append(key: str, field: str, value: str, runtime: ToolRuntime) -> str:
    """Appends to a list."""
    assert runtime.store is not None
    found = runtime.store.get(NS, key)
    old = found.value if found else {}
    runtime.store.put(NS, key, {**old, "log": [*old.get("log", []), f"{field} {value}"]})
    return "appended"


@tool
def replace(key: str, field: str, value: str) -> str:
    """Puts without a read."""
    get_store().put(NS, key, {field: value})
    return "replaced"


@tool
def forget(key: str, field: str, value: str) -> str:
    """Deletes."""
    get_store().delete(NS, key)
    return "forgotten"


@tool
def find(key: str, field: str, value: str) -> str:
    """Searches."""
    return json.dumps(sorted((item.key, item.value) for item in get_store().search(NS, filter={field: value})))


TOOLS = [change, append, replace, forget, find]


def calls(chance: random.Random, names: list[str], count: int, keys: str) -> list[Call]:
    """Calls that each give a value of their own, or now and then one that is there already."""
    made: list[Call] = []
    for number in range(count):
        value = chance.choice(["v", f"v{number}"])
        made.append((chance.choice(names), {"key": chance.choice(keys), "field": chance.choice("fg"), "value": value}))
    return made


def played(store: BaseStore, turns: list[list[Call]]) -> list[Any]:
    """What the tools of an agent answer, and what the store holds then."""
    agent = create_agent(Scripted(turns=turns), tools=TOOLS, store=store)
    messages = agent.invoke({"messages": [("user", "go")]})["messages"]
    answers = [message.content for message in messages if isinstance(message, ToolMessage)]
    return [*answers, {item.key: item.value for item in store.search(NS)}]


@rounds(8, 25)
@pytest.mark.parametrize("undeclared", ["merge", "tree"])
def test_one_call_after_the_other_is_as_on_a_stock_store(undeclared: Any, seed: str, rounds: int) -> None:
    """Without a model, whatever an agent's tools do in turn leaves what `InMemoryStore` has, and no question."""
    for number in range(rounds):
        chance = random.Random(f"{seed}/{number}")
        turns = [[call] for call in calls(chance, [one.name for one in TOOLS], chance.randint(1, 7), "xy")]
        store = MergeStore(undeclared=undeclared)
        assert played(store, turns) == played(InMemoryStore(), turns), (number, turns)
        assert not store.escalations(), (number, turns)


@rounds(8, 25)
def test_calls_of_one_message_lose_nothing(seed: str, rounds: int) -> None:
    """What several calls at once write to one document is in its value, or a side of a question."""
    for number in range(rounds):
        chance = random.Random(f"{seed}/{number}")
        turn = calls(chance, ["change", "append", "replace"], chance.randint(2, 6), "x")
        store = MergeStore()
        *_, values = played(store, [turn])
        sides = [side.value for question in store.escalations(state="all") for side in question.contenders]
        for _, arguments in turn:
            assert arguments["value"] in str([values, sides]), (number, turn)
