"""Real pairs of office tasks that write to the same records, run concurrently: 0 lost, 0 false, 0 missed."""

from __future__ import annotations

import itertools
import json
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import create_model

from concordant import DELETED, Agent, Scalar, Workspace

DATA = Path(__file__).parent.parent / "data" / "workbench_pairs.jsonl"
PAIRS = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]


@cache
def model(table: str, fields: tuple[str, ...]) -> Any:
    """A model of scalars."""
    field = (Annotated[str | None, Scalar()], None)
    return create_model(table.title(), **dict.fromkeys(fields, field))  # type: ignore[call-overload]


def workspace(pair: dict[str, Any], *, declared: bool) -> Workspace:
    """With a model for each table, or without."""
    tables = {record["table"]: record["base"] for record in pair["records"]} if declared else {}
    return Workspace(schemas={(table,): model(table, tuple(base)) for table, base in tables.items()})


def act(ws: Workspace, agent: Agent, way: str, record: dict[str, Any], change: dict[str, Any] | None) -> None:
    """What one task does to one record."""
    place = ((record["table"],), record["id"])
    if change is None:
        agent.delete(*place)
    elif way == "write":
        agent.write(*place, change)
    elif way == "put":
        ws.put(*place, {**record["base"], **change}, agent.scope)
    else:
        with agent.edit(*place) as document:
            for name, value in change.items():
                if isinstance(document, dict):
                    document[name] = value
                else:
                    setattr(document, name, value)


def run(ws: Workspace, pair: dict[str, Any], way: str, first: str) -> None:
    """Both tasks begin when the records are there, and read them where they will put them."""
    for record in pair["records"]:
        ws.put((record["table"],), record["id"], record["base"])
    began = ws.moment()
    agents = {name: ws.agent(name, began=began) for name in ("a", "b")}
    for record in pair["records"]:
        place = ((record["table"],), record["id"])
        edits = []
        for name, agent in agents.items():
            if way == "put":
                agent.read(*place)
            edits.append((agent, record[name]))
        if first == "b":
            edits.reverse()
        if way == "edit" and all(change is not None for _, change in edits):
            (one, one_change), (other, other_change) = edits
            with one.edit(*place) as document, other.edit(*place) as twin:
                for target, change in ((document, one_change), (twin, other_change)):
                    for name, value in change.items():
                        if isinstance(target, dict):
                            target[name] = value
                        else:
                            setattr(target, name, value)
            continue
        for agent, change in edits:
            act(ws, agent, "write" if way == "edit" else way, record, change)


def check(ws: Workspace, record: dict[str, Any]) -> None:
    """The record's outcome is the one that its two changes have by definition."""
    place = ((record["table"],), record["id"])
    document = ws.get(*place)
    value = None if document is None else document.value
    open_ = {e.path: e for e in ws.escalations(place[0]) if e.key == record["id"]}
    base, a, b = record["base"], record["a"], record["b"]
    if record["outcome"] == "update_delete":
        updated = {**base, **(b if a is None else a)}
        assert value == updated
        assert list(open_) == [()] and open_[()].reason == "delete"
        sides = {agent: c.value for c in open_[()].contenders for agent in c.agents}
        assert sides == ({"a": DELETED, "b": updated} if a is None else {"a": updated, "b": DELETED})
        return
    if record["outcome"] == "conflict":
        assert sorted(open_) == sorted((name,) for name in record["conflict_fields"])
        for (name,), escalation in open_.items():
            assert escalation.reason == "scalar" and escalation.base == base[name]
            sides = {agent: c.value for c in escalation.contenders for agent in c.agents}
            assert sides == {"a": a[name], "b": b[name]}
    else:
        assert record["outcome"] in ("merge", "agree")
        assert open_ == {}
    if a is None or b is None:
        assert value is None
        return
    assert value is not None
    settled = {name: v for name, v in {**base, **a, **b}.items() if (name,) not in open_}
    assert {name: value[name] for name in settled} == settled


@pytest.mark.parametrize("way", ["write", "put", "edit"])
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "undeclared"])
@pytest.mark.parametrize("first", ["ab", pytest.param("ba", marks=pytest.mark.torture)])
def test_every_pair_has_its_outcome(declared: bool, way: str, first: str) -> None:
    """What merges merges, equal changes agree, the rest escalates with both sides, and nothing else does."""
    for pair, begins in zip(PAIRS, itertools.cycle(first), strict=False):
        ws = workspace(pair, declared=declared)
        run(ws, pair, way, begins)
        for record in pair["records"]:
            check(ws, record)


def test_the_pairs_cover_every_outcome() -> None:
    """So that the test above is one of each."""
    outcomes = {record["outcome"] for pair in PAIRS for record in pair["records"]}
    assert outcomes == {"merge", "agree", "conflict", "update_delete"} and len(PAIRS) > 100
