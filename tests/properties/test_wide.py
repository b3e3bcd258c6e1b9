"""Documents of many fields cost about as many times more as they have fields, whatever is done to them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cache
from types import FrameType, ModuleType
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, create_model

from benchmarks.writers import calls
from concordant import Agent, Map, Scalar, Set, Text, Tree, Workspace
from concordant.merge.sequence import edit
from concordant.values import alike

from ..semantics.support import AT, workspace

FEW, MANY, RATIO = 30, 300, 12.0
Work = Callable[[], Any]


@cache
def wide(count: int) -> Any:
    """A model of scalars and sets."""
    fields: Any = {
        f"f{n}": (Annotated[str | None, Scalar()], None) if n % 3 else (Annotated[set[str], Set()], set())
        for n in range(count)
    }
    return create_model("Wide", **fields)


def values(count: int, word: str) -> dict[str, Any]:
    return {f"f{n}": f"{word}{n}" if n % 3 else [f"{word}{n}"] for n in range(count)}


def contested(model: Any, count: int) -> Workspace:
    """Two agents have given every field another value."""
    ws = workspace(model)
    began = ws.moment()
    for name in ("ada", "bob"):
        ws.agent(name, began=began).write(*AT, values(count, name))
    return ws


def puts(model: Any, count: int) -> Iterator[Work]:
    ws = workspace(model)
    yield lambda: ws.put(*AT, values(count, "x"))
    yield lambda: (ws.put(*AT, values(count, "y")), ws.get(*AT).value)  # type: ignore[union-attr]


def contests(model: Any, count: int) -> Iterator[Work]:
    yield lambda: contested(model, count).escalations()
    ws = contested(model, count)
    cyd = ws.agent("cyd", began=None)
    yield lambda: (cyd.write(*AT, values(count, "z")), ws.get(*AT).value)  # type: ignore[union-attr]


def decisions(model: Any, count: int) -> Iterator[Work]:
    ws = contested(model, count)
    found = ws.escalations()
    assert len(found) == sum(bool(n % 3) for n in range(count)) or model is None
    yield lambda: [ws.resolve(one, "q", by="judge") for one in found]


def ends(model: Any, count: int) -> Iterator[Work]:
    ws = workspace(model)
    first = ws.put(*AT, values(count, "x"))
    began = ws.moment()
    ada, bob = (ws.agent(name, began=began) for name in ("ada", "bob"))
    yield lambda: (ada.delete(*AT), bob.write(*AT, values(count, "y")), ws.get(*AT))
    yield lambda: (ws.history(*AT), ws.get(*AT, at=first.version), ws.blame(*AT))


def frames(model: Any, count: int) -> Iterator[Work]:
    one, other = workspace(model, replica="one"), workspace(model, replica="other")
    for ws, word in ((one, "x"), (other, "y")):
        ws.put(*AT, values(count, word))
    yield lambda: (other.import_(one.export()), other.get(*AT).value)  # type: ignore[union-attr]


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("case", [puts, contests, decisions, ends, frames])
def test_ten_times_the_fields_cost_twelve_times_as_much_at_most(
    case: Callable[[Any, int], Iterator[Work]], declared: bool
) -> None:
    """Writing, contesting, deciding, deleting, looking back and exchanging are linear in the fields."""
    [*_] = (work() for work in case(wide(3) if declared else None, 3))
    few = [calls(work) for work in case(wide(FEW) if declared else None, FEW)]
    many = [calls(work) for work in case(wide(MANY) if declared else None, MANY)]
    assert all(more <= RATIO * less for less, more in zip(few, many, strict=True)), (few, many)


class Crowd(BaseModel):
    """A large set, and a large map."""

    tags: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, str], Map()] = {}


@pytest.mark.parametrize("field", ["tags", "owners"])
def test_an_edit_of_a_large_container_of_texts_calls_nothing_for_each(field: str) -> None:
    """To edit one of 1,600 elements and read the document takes less than twice the calls that one of 100 takes."""

    def edits(count: int) -> int:
        ws, names = workspace(Crowd), [f"n{number}" for number in range(count)]
        ada = ws.agent("ada")
        ada.write(*AT, {field: names if field == "tags" else dict.fromkeys(names, "x")})

        def edit(number: int) -> None:
            with ada.edit(*AT) as crowd:
                crowd.tags.add(f"new{number}") if field == "tags" else crowd.owners.update({f"n{number}": "y"})
            assert ws.get(*AT).value  # type: ignore[union-attr]

        edit(0)
        edit(1)
        return calls(lambda: edit(2))

    assert edits(1600) < 2 * edits(100)


class Locked(BaseModel):
    """A lock file: many small dicts in one tree."""

    packages: Annotated[dict[str, Any], Tree()] = {}


def packages(count: int, version: str) -> dict[str, Any]:
    return {f"p{n}": {"version": version, "needs": {"a": "1", "b": "2"}, "tags": ["x", "y"]} for n in range(count)}


def first_edits(count: int) -> Iterator[Work]:
    ws = workspace(Locked)
    ws.agent("base").write(*AT, {"packages": packages(count, "1")})
    ada, bob = ws.agent("ada"), ws.agent("bob")
    ada.read(*AT), bob.read(*AT)
    yield lambda: (edited(ada, {"p0": {}}), edited(bob, {"p1": {}}), ws.get(*AT))
    yield lambda: edited(ada, packages(count, "2"))
    yield lambda: ws.undo(agent="ada", by="judge")


def rewritten_beside_a_deletion(count: int) -> Iterator[Work]:
    ws = workspace(Locked)
    ws.agent("base").write(*AT, {"packages": packages(count, "1")})
    ada, bob = ws.agent("ada"), ws.agent("bob")
    ada.read(*AT), bob.read(*AT)
    edited(bob, packages(count, "2"))
    ada.delete(*AT)
    assert [one.reason for one in ws.escalations()] == ["delete"]
    yield lambda: (edited(ws.agent("cyd"), packages(count, "3")), ws.get(*AT))
    yield lambda: ws.undo(agent="bob", by="judge")


def edited(agent: Agent, news: dict[str, Any]) -> None:
    with agent.edit(*AT) as found:
        found.packages.update(news)


class Team(BaseModel):
    """Records by name."""

    members: Annotated[dict[str, Crowd], Map()] = {}


def removed_and_written_again(count: int) -> Iterator[Work]:
    ws = workspace(Team)
    ada, bob = ws.agent("ada"), ws.agent("bob")
    bob.read(*AT)
    members = {f"m{n}": {"tags": ["a"], "owners": {"x": "y"}} for n in range(count)}
    ada.write(*AT, {"members": members})
    bob.write(*AT, {"members": {"other": {"tags": ["b"]}}})
    with ada.edit(*AT) as team:
        team.members = {}
    yield lambda: (ada.write(*AT, {"members": members}), ws.get(*AT))


@pytest.mark.parametrize("case", [first_edits, rewritten_beside_a_deletion, removed_and_written_again])
def test_four_times_the_dicts_in_a_tree_cost_six_times_as_much_at_most(case: Callable[[int], Iterator[Work]]) -> None:
    """Trees are linear in what they hold: when they are first taken apart, written whole beside others, written beside
    their deletion, and when a writer of all of them is taken back; so are records that were removed and come again."""
    [*_] = (work() for work in case(3))
    few, many = ([calls(work) for work in case(count)] for count in (60, 240))
    assert all(more <= 6 * less for less, more in zip(few, many, strict=True)), (few, many)


def test_values_that_differ_are_told_apart_where_they_differ() -> None:
    """Two large dicts that differ early are not turned into JSON to find that out."""
    one, other = ({"version": version, "packages": packages(300, "1")} for version in "12")
    assert calls(lambda: alike(one, other)) < 50
    assert alike(one, dict(reversed(one.items())))


class File(BaseModel):
    """A file of many lines."""

    content: Annotated[str, Text()] = ""


def steps_in(module: ModuleType, work: Callable[[], object]) -> int:
    """How many steps of the interpreter are taken in the functions of a module, loops in them included."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., object] | None:
        nonlocal count
        if frame.f_code.co_filename != module.__file__:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def test_a_word_replaced_in_each_of_many_lines_costs_as_much_for_each() -> None:
    """An edit of one word in each of 200 lines takes less than six times the steps of an edit of 50."""

    def replaced(count: int) -> int:
        ws = workspace(File)
        ada = ws.agent("ada")
        ada.write(*AT, {"content": "\n".join(f"Line {n}. It has words. The end." for n in range(count))})

        def replace() -> None:
            with ada.edit(*AT) as file:
                file.content = file.content.replace("words", "WORDS")
            assert ws.blame(*AT)  # for which the edit is made, where it was put off

        return steps_in(edit, replace)

    assert replaced(200) < 6 * replaced(50)
