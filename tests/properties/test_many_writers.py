"""Many concurrent writers, contenders, violations, removals and decisions in one document cost about n log n."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from benchmarks.writers import CASES, calls
from concordant import Counter, List, Map, Scalar, Set, Text, Workspace, priority

from ..semantics.support import AT, only, shown, workspace

FEW = 40
MANY = 4 * FEW
RATIO = 5.0
"""How many times the calls of FEW writers MANY may make: four times as many, and something for the logarithm."""


class Row(BaseModel):
    id: Annotated[str, Scalar()]
    n: Annotated[int | None, Scalar()] = None


class Part(BaseModel):
    s: Annotated[str | None, Scalar()] = None


class Place(BaseModel):
    s: Annotated[str | None, Scalar()] = None
    top: Annotated[int | None, Scalar(resolve="max")] = None
    rank: Annotated[str | None, Scalar(resolve=priority("a0", "a*"))] = None
    t: Annotated[set[str], Set()] = set()
    m: Annotated[dict[str, str], Map()] = {}
    c: Annotated[int, Counter()] = 0
    x: Annotated[str, Text()] = ""
    q: Annotated[list[str], List()] = []
    p: Part = Part()
    k: Annotated[list[Row], Set(by="id")] = []


class Bounded(BaseModel):
    c: Annotated[int, Counter(), Field(le=10)] = 0
    t: Annotated[set[str], Set(), Field(max_length=10)] = set()
    q: Annotated[list[str], List(), Field(max_length=10)] = []
    x: Annotated[str, Text(), Field(max_length=60)] = ""


WRITES: dict[str, tuple[Any, Callable[[int], dict[str, Any]]]] = {
    "scalar, a few values": (Place, lambda n: {"s": f"v{n % 5}"}),
    "scalar with a priority": (Place, lambda n: {"rank": f"v{n}"}),
    "set": (Place, lambda n: {"t": [f"v{n}"]}),
    "set, one element": (Place, lambda n: {"t": ["same"]}),
    "map, one key": (Place, lambda n: {"m": {"k": f"v{n}"}}),
    "text": (Place, lambda n: {"x": f"line {n}"}),
    "list": (Place, lambda n: {"q": [f"v{n}"]}),
    "without a model, a field each": (None, lambda n: {f"s{n}": "v"}),
    "a set over its bound": (Bounded, lambda n: {"t": [f"v{n}"]}),
    "a list over its bound": (Bounded, lambda n: {"q": [f"v{n}"]}),
    "a text over its bound": (Bounded, lambda n: {"x": f"line {n}"}),
}
WRITTEN = [
    *("scalar, a few values", "scalar with a priority", "set, one element", "without a model, a field each"),
    "a text over its bound",
]
"""Those that are no case of the benchmark when each writes by itself; all the others are when they come as a frame."""
FRAMES = [name for name in WRITES if name not in WRITTEN or name == "a text over its bound"]


def grows_like_n_log_n(prepare: Callable[[int], Callable[[], Any]]) -> None:
    prepare(4)()
    few, many = calls(prepare(FEW)), calls(prepare(MANY))
    assert many <= RATIO * few, f"{many} calls for {MANY}, {few} for {FEW}: {many / few:.1f} times as many"


@pytest.mark.parametrize("case", sorted(CASES))
def test_what_is_measured_grows_like_n_log_n(case: str) -> None:
    """So does each row of the benchmark, by calls, which no other work on the machine changes."""
    grows_like_n_log_n(CASES[case])


@pytest.mark.parametrize("case", WRITTEN)
def test_n_concurrent_writers_of_one_place(case: str) -> None:
    """Writing, and reading in the end, costs about n log n calls in all."""
    model, value = WRITES[case]

    def prepare(count: int) -> Callable[[], Any]:
        ws = workspace(model)
        began = ws.moment()
        agents = [ws.agent(f"a{n}", began=began) for n in range(count)]
        return lambda: ([agents[n].write(*AT, value(n)) for n in range(count)], ws.get(*AT), ws.escalations())

    grows_like_n_log_n(prepare)


def asked(count: int) -> Workspace:
    """A document with so many open questions."""
    ws = workspace(Place)
    began = ws.moment()
    for name in ("a", "b"):
        ws.agent(name, began=began).write(*AT, {"m": {f"k{n}": name for n in range(count)}})
    return ws


def test_one_write_with_n_questions() -> None:
    """A write that opens n questions at once."""
    grows_like_n_log_n(lambda count: lambda: asked(count))


@pytest.mark.parametrize("case", FRAMES)
def test_a_frame_of_n_writers(case: str) -> None:
    """To import what n wrote at once costs about n log n."""
    model, value = WRITES[case]

    def prepare(count: int) -> Callable[[], Any]:
        ws, other = workspace(model, replica="one"), workspace(model, replica="two")
        began = ws.moment()
        for n in range(count):
            ws.agent(f"a{n}", began=began).write(*AT, value(n))
        frame = ws.export()
        return lambda: (other.import_(frame), other.get(*AT))

    grows_like_n_log_n(prepare)


def test_n_concurrent_removals_of_records() -> None:
    """Each of n agents removes a record from what all of them have read."""

    def prepare(count: int) -> Callable[[], Any]:
        ws = workspace(Place)
        ws.agent("p").write(*AT, {"k": [{"id": f"v{n}"} for n in range(40)]})
        edits = [ws.agent(f"a{n}").edit(*AT) for n in range(count)]
        drafts = [edit.__enter__() for edit in edits]

        def remove() -> None:
            for n, (edit, draft) in enumerate(zip(edits, drafts, strict=True)):
                draft.k = [row for row in draft.k if row.id != f"v{n % 40}"]
                edit.__exit__(None, None, None)

        return remove

    grows_like_n_log_n(prepare)


def test_n_concurrent_deletions_against_an_update() -> None:
    """N agents delete a document that another has changed meanwhile, and the question of it is listed."""

    def prepare(count: int) -> Callable[[], Any]:
        ws = workspace(Place)
        ws.agent("p").write(*AT, {"s": "draft", "t": ["a"], "q": ["a"]})
        began = ws.moment()
        agents = [ws.agent(f"a{n}", began=began) for n in range(count)]
        ws.agent("other", began=began).write(*AT, {"t": ["b"]})
        return lambda: ([agent.delete(*AT) for agent in agents], ws.get(*AT), ws.escalations())

    grows_like_n_log_n(prepare)


def test_four_hundred_writers_are_all_kept() -> None:
    """All contenders are kept, as many are shown as the limit allows, and a decision settles all of them."""
    ws = workspace(Place)
    began = ws.moment()
    for n in range(400):
        ws.agent(f"a{n}", began=began).write(*AT, {"s": f"v{n}"})
    question = only(ws)
    assert (len(question.contenders), question.more) == (256, 144)
    assert str(question).endswith("and 144 more") and question.to_dict()["more"] == 144
    ws.resolve(question, "v399", by="judge")
    assert shown(ws) == {"s": "v399"} and ws.escalations() == []


def test_two_hundred_writers_over_a_bound() -> None:
    """The first ten stand, the others are contenders of one question, each named."""
    ws = workspace(Bounded)
    began = ws.moment()
    for n in range(200):
        ws.agent(f"a{n}", began=began).write(*AT, {"c": 1})
    assert shown(ws) == {"c": 10}
    (contender,) = only(ws).contenders
    assert contender.agents == tuple(f"a{n}" for n in range(10, 200))
