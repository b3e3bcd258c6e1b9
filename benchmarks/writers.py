"""What many concurrent writers, contenders, violations, removals, decisions and names of one document cost."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from cProfile import Profile
from time import process_time
from typing import Annotated, Any

from pydantic import BaseModel, Field

from benchmarks.measure import Row, collecting
from benchmarks.subjects import Sizes
from concordant import Counter, List, Map, Scalar, Set, Text, Workspace

__all__ = ["CASES", "calls", "rows"]

GROUP = "many writers"
BUDGET = 5.0
AT = (("board",), "k")
FIRST = 20

Work = Callable[[], Any]


class Line(BaseModel):
    """A record in a set of them."""

    id: Annotated[str, Scalar()]
    n: Annotated[int | None, Scalar()] = None


class Part(BaseModel):
    """A nested record."""

    status: Annotated[str | None, Scalar()] = None


class Board(BaseModel):
    """A field of every kind."""

    status: Annotated[str | None, Scalar()] = None
    best: Annotated[int | None, Scalar(resolve="max")] = None
    tags: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, str], Map()] = {}
    hits: Annotated[int, Counter()] = 0
    notes: Annotated[str, Text()] = ""
    steps: Annotated[list[str], List()] = []
    part: Part = Part()
    lines: Annotated[list[Line], Set(by="id")] = []


class Bounded(BaseModel):
    """Fields that hold only so much."""

    steps: Annotated[list[str], List(), Field(max_length=10)] = []
    hits: Annotated[int, Counter(), Field(le=10)] = 0
    tags: Annotated[set[str], Set(), Field(max_length=10)] = set()
    owners: Annotated[dict[str, Annotated[int, Counter(), Field(ge=0)]], Map()] = {}


def writes(value: Callable[[int], dict[str, Any]], model: Any = Board) -> Callable[[int], Work]:
    """Each of n agents with a common beginning writes once."""

    def prepare(count: int) -> Work:
        ws = _workspace(model)
        began = ws.moment()
        agents = [ws.agent(f"agent {n}", began=began) for n in range(count)]
        return lambda: ([agents[n].write(*AT, value(n)) for n in range(count)], _read(ws))

    return prepare


def known(first: dict[str, Any], value: Callable[[int], dict[str, Any]]) -> Callable[[int], Work]:
    """Each of n agents who know the same document writes once."""

    def prepare(count: int) -> Work:
        ws = _workspace(Board)
        ws.agent("first").write(*AT, first)
        began = ws.moment()
        agents = [ws.agent(f"agent {n}", began=began) for n in range(count)]
        return lambda: ([agents[n].write(*AT, value(n)) for n in range(count)], _read(ws))

    return prepare


def names(value: dict[str, Any]) -> Callable[[int], Work]:
    """N agents write one after the other, each knowing what was there."""

    def prepare(count: int) -> Work:
        ws = _workspace(Board)
        return lambda: ([ws.agent(f"user-{n}").write(*AT, value) for n in range(count)], _read(ws))

    return prepare


def removals(field: str, items: Any, gone: Callable[[Any, str], Any]) -> Callable[[int], Work]:
    """N agents have read the same, and each removes something."""

    def prepare(count: int) -> Work:
        ws = _workspace(Board)
        ws.agent("first").write(*AT, {field: items})
        edits = [ws.agent(f"agent {n}").edit(*AT) for n in range(count)]
        drafts = [edit.__enter__() for edit in edits]

        def work() -> None:
            for n, (edit, draft) in enumerate(zip(edits, drafts, strict=True)):
                setattr(draft, field, gone(getattr(draft, field), f"e{n % FIRST}"))
                edit.__exit__(None, None, None)
            _read(ws)

        return work

    return prepare


def frames(value: Callable[[int], dict[str, Any]], model: Any = Board) -> Callable[[int], Work]:
    """What n agents wrote at once is imported elsewhere."""

    def prepare(count: int) -> Work:
        ws, other = _workspace(model), _workspace(model)
        began = ws.moment()
        for n in range(count):
            ws.agent(f"agent {n}", began=began).write(*AT, value(n))
        frame = ws.export()
        return lambda: (other.import_(frame), _read(other))

    return prepare


def questions(count: int) -> Work:
    """N questions are opened one by one."""
    ws = _workspace(Board)
    began = ws.moment()
    pairs = [[ws.agent(f"{name}{n}", began=began) for name in "ab"] for n in range(count)]
    return lambda: [one.write(*AT, {"owners": {f"k{n}": one.name}}) for n, pair in enumerate(pairs) for one in pair]


def decisions(count: int) -> Work:
    """N questions are settled one by one."""
    ws = _workspace(Board)
    began = ws.moment()
    for name in "ab":
        ws.agent(name, began=began).write(*AT, {"owners": {f"k{n}": name for n in range(count)}})
    found = ws.escalations()
    return lambda: ([ws.resolve(one, "c", by="judge") for one in found], _read(ws))


def deletions(count: int) -> Work:
    """N deletions and n updates, all of them concurrent."""
    ws = _workspace(Board)
    ws.agent("first").write(*AT, {"status": "draft", "tags": ["a"]})
    began = ws.moment()
    agents = [ws.agent(f"agent {n}", began=began) for n in range(2 * count)]

    def work() -> None:
        for n in range(count):
            agents[2 * n].delete(*AT)
            agents[2 * n + 1].write(*AT, {"tags": [f"e{n}"]})
        _read(ws)

    return work


def many_deletions(count: int) -> Work:
    """N deletions and one update, all of them concurrent."""
    ws = _workspace(Board)
    ws.agent("first").write(*AT, {"status": "draft", "tags": ["a"]})
    began = ws.moment()
    agents = [ws.agent(f"agent {n}", began=began) for n in range(count)]
    ws.agent("other", began=began).write(*AT, {"tags": ["e"]})
    return lambda: ([agent.delete(*AT) for agent in agents], _read(ws))


CASES: dict[str, Callable[[int], Work]] = {
    "writers of a scalar, all different": writes(lambda n: {"status": f"v{n}"}),
    "writers of a scalar, all equal": writes(lambda _: {"status": "same"}),
    "writers of a scalar with a policy": writes(lambda n: {"best": n}),
    "writers of a set": writes(lambda n: {"tags": [f"e{n}"]}),
    "writers of a map": writes(lambda n: {"owners": {f"k{n}": "v"}}),
    "writers of one key of a map": writes(lambda n: {"owners": {"k": f"v{n}"}}),
    "writers of a counter": writes(lambda _: {"hits": 1}),
    "writers of a text": writes(lambda n: {"notes": f"line {n}"}),
    "writers of a list": writes(lambda n: {"steps": [f"e{n}"]}),
    "writers of a list that all have read": known({"steps": ["a", "b"]}, lambda n: {"steps": [f"e{n}"]}),
    "writers of a text that all have read": known({"notes": "A text."}, lambda n: {"notes": f"line {n}"}),
    "writers of a nested record": writes(lambda n: {"part": {"status": f"v{n}"}}),
    "writers of a set of records": writes(lambda n: {"lines": [{"id": f"k{n}", "n": 1}]}),
    "writers of one record of a set": writes(lambda n: {"lines": [{"id": "k", "n": n}]}),
    "writers without a model": writes(lambda n: {"status": f"v{n}"}, None),
    "writers of a counter over its bound": writes(lambda _: {"hits": 1}, Bounded),
    "writers of a set over its bound": writes(lambda n: {"tags": [f"e{n}"]}, Bounded),
    "writers of a list over its bound": writes(lambda n: {"steps": [f"e{n}"]}, Bounded),
    "writers of bounded counters in a map": writes(lambda n: {"owners": {f"k{n % 9}": -1}}, Bounded),
    "values of a wrong type": writes(lambda n: {"hits": f"v{n}"}),
    "removals from a set": removals("tags", [f"e{n}" for n in range(FIRST)], lambda part, one: part - {one}),
    "removals from a map": removals(
        "owners",
        {f"e{n}": "v" for n in range(FIRST)},
        lambda part, one: {key: value for key, value in part.items() if key != one},
    ),
    "removals from a list": removals(
        "steps", [f"e{n}" for n in range(FIRST)], lambda part, one: [item for item in part if item != one]
    ),
    "questions opened": questions,
    "questions settled": decisions,
    "deletions against one update": many_deletions,
    "deletions against as many updates": deletions,
    "names in turn on a counter": names({"hits": 1}),
    "names in turn on a scalar": names({"status": "same"}),
    "names in turn on a set": names({"tags": ["same"]}),
    "contenders in a frame": frames(lambda n: {"status": f"v{n}"}),
    "violations in a frame": frames(lambda _: {"hits": 1}, Bounded),
}


def rows(sizes: Sizes) -> Iterator[Row]:
    """All that n writers do, in milliseconds, against what a quarter of them do."""
    for name, prepare in CASES.items():
        most = sizes.writers
        _spent(prepare, 4)
        times = {
            count: min(_spent(prepare, count) for _ in range(2)) for count in (max(most // 16, 1), most // 4, most)
        }
        each = ", ".join(f"{1e3 * times[count] / count:.0f} with {count}" for count in times)
        called = ", ".join(f"{calls(prepare(count)) / count:.0f}" for count in times)
        label, note = f"{most:,} {name}", f"µs each: {each}; calls each, which no noise changes: {called}"
        yield Row(GROUP, label, times[most], f"{most // 4:,}", times[most // 4], unit="ms", budget=BUDGET, note=note)


def _spent(prepare: Callable[[int], Work], count: int) -> float:
    """Milliseconds of the processor: other work on the machine does not count."""
    work = prepare(count)
    with collecting(True):
        begun = process_time()
        work()
        return 1e3 * (process_time() - begun)


def calls(work: Work) -> int:
    """How many functions are called, those written in C included; none of them to collect garbage of others."""
    profile, collects = Profile(subcalls=False), gc.isenabled()
    gc.disable()
    profile.enable()
    try:
        work()
    finally:
        profile.disable()
        if collects:
            gc.enable()
    return sum(entry.callcount for entry in profile.getstats())


def _workspace(model: Any) -> Workspace:
    return Workspace(schemas={AT[0]: model} if model is not None else None)


def _read(ws: Workspace) -> Any:
    document = ws.get(*AT)
    return document.value if document is not None else None
