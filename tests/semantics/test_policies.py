"""Declared policies of a scalar: pure functions of the live entries, evaluated at read, replacing none."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, create_model

from concordant import Map, Scalar, Workspace, priority

from .support import AT, NS, only, shown, sides, workspace


def model(annotation: Any, kind: Scalar) -> type[BaseModel]:
    return create_model("Settled", x=(Annotated[annotation | None, kind], None))


def concurrently(ws: Workspace, *writes: tuple[str, Any]) -> None:
    began = ws.moment()
    for name, value in writes:
        ws.agent(name, began=began).write(*AT, {"x": value})


@pytest.mark.parametrize(
    ("policy", "annotation", "written", "wins"),
    [
        ("max", int, [3, 9, 5], 9),
        ("min", int, [3, 9, 5], 3),
        ("max", int, [9, 10], 10),
        ("max", float, [2.5, 10.5, 9.5], 10.5),
        ("max", Decimal, ["9.5", "10.25"], "10.25"),
        ("min", Decimal, ["9.5", "10.25"], "9.5"),
        ("max", str, ["a", "c", "b"], "c"),
        ("max", dt.date, ["2024-01-31", "2024-02-01"], "2024-02-01"),
        (
            "min",
            dt.datetime,
            ["2024-01-01T00:00:00Z", "2024-01-01T00:30:00+01:00"],
            "2024-01-01T00:30:00+01:00",
        ),
        ("max", dt.timedelta, ["PT90M", "P1D"], "P1D"),
        ("first", int, [3, 9, 5], 3),
        ("latest", int, [3, 9, 5], 5),
        ("first", dict, [{"a": 1}, {"b": 2}], {"a": 1}),
        ("latest", list, [[1], [2]], [2]),
    ],
)
def test_a_policy_settles_without_asking(policy: Any, annotation: Any, written: list[Any], wins: Any) -> None:
    """The policy's winner is shown and nothing escalates."""
    ws = workspace(model(annotation, Scalar(resolve=policy)))
    concurrently(ws, *((f"agent{number}", value) for number, value in enumerate(written)))
    assert shown(ws) == {"x": wins}
    assert ws.escalations(state="all") == []
    document = ws.get(*AT)
    assert document is not None and document.contested == {}


@pytest.mark.parametrize("policy", ["max", "min", "first", "latest"])
def test_the_settlement_is_in_the_journal(policy: Any) -> None:
    """The write that came into conflict tells which policy settled what."""
    ws = workspace(model(int, Scalar(resolve=policy)))
    concurrently(ws, ("ada", 1), ("bob", 2))
    assert ws.history(*AT)[0].settled == ((("x",), policy),)
    assert ws.stats().settled == {policy: 1}


@pytest.mark.parametrize("policy", ["max", "min", "first"])
def test_a_policy_does_not_judge_sequential_writes(policy: Any) -> None:
    """A later write replaces, whatever the policy: it is for conflicts."""
    ws = workspace(model(int, Scalar(resolve=policy)))
    for number in (5, 1, 9, 3):
        ws.agent("ada").write(*AT, {"x": number})
        assert shown(ws) == {"x": number}


def test_a_policy_replaces_no_entry() -> None:
    """The loser stays live: who replaces the winner alone meets it again."""
    ws = workspace(model(int, Scalar(resolve="max")))
    began = ws.moment()
    ada, bob = ws.agent("ada", began=began), ws.agent("bob", began=began)
    ada.write(*AT, {"x": 9})
    bob.write(*AT, {"x": 5})
    ada.write(*AT, {"x": 1})
    assert shown(ws) == {"x": 5}


def test_a_tie_of_equal_values_is_no_conflict() -> None:
    """Equal values agree under every policy, and both agents are credited."""
    ws = workspace(model(int, Scalar(resolve="max")))
    concurrently(ws, ("ada", 5), ("bob", 5))
    assert shown(ws) == {"x": 5}
    assert ws.blame(*AT)[("x",)][0].agents == ("ada", "bob")


def test_max_ranks_none_below_every_value() -> None:
    """A field that may be ``None`` can be ordered: ``None`` is the smallest."""
    ws = workspace(model(int, Scalar(resolve="max")))
    concurrently(ws, ("ada", None), ("bob", -5))
    assert shown(ws) == {"x": -5}


def test_max_of_a_nan_does_not_depend_on_the_order() -> None:
    """NaN has a place in the order, so that every replica finds the same maximum."""
    nan = float("nan")
    for written in ([nan, 1.0, 2.0], [2.0, nan, 1.0], [1.0, 2.0, nan]):
        ws = workspace(model(float, Scalar(resolve="max")))
        concurrently(ws, *((f"agent{n}", value) for n, value in enumerate(written)))
        assert shown(ws) == {"x": 2.0}


def test_what_cannot_be_ordered_stays_a_question_whatever_comes() -> None:
    """Instants with and without a zone have no order; a third writer does not win against nobody."""
    ws = workspace(model(dt.datetime, Scalar(resolve="max")))
    began, said = ws.moment(), ["2024-01-01T00:00:00", "2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z"]
    for number, value in enumerate(said):
        ws.agent(f"agent{number}", began=began).write(*AT, {"x": value})
        assert len(ws.escalations()) == min(number, 1)
    assert sides(only(ws)) == {f"agent{number}": value for number, value in enumerate(said)}


def test_priority_prefers_the_agent_named_first() -> None:
    """The first agent named wins, whenever it wrote."""
    for order in (("writer", "editor"), ("editor", "writer")):
        ws = workspace(model(str, Scalar(resolve=priority("editor", "writer"))))
        concurrently(ws, *((name, f"by {name}") for name in order))
        assert shown(ws) == {"x": "by editor"} and ws.escalations() == []
        assert ws.history(*AT)[0].settled == ((("x",), "priority"),)


def test_priority_takes_globs() -> None:
    """A name may be a glob pattern; a place earlier in the list wins over a more exact one later."""
    ws = workspace(model(str, Scalar(resolve=priority("human:*", "editor"))))
    concurrently(ws, ("editor", "e"), ("human:eve", "h"), ("stranger", "s"))
    assert shown(ws) == {"x": "h"} and ws.escalations() == []


def test_priority_prefers_the_named_over_strangers() -> None:
    """An agent on the list wins over one that is not."""
    ws = workspace(model(str, Scalar(resolve=priority("editor"))))
    concurrently(ws, ("stranger", "s"), ("editor", "e"))
    assert shown(ws) == {"x": "e"}


@pytest.mark.parametrize("names", [("writer1", "writer2"), ("stranger1", "stranger2")])
def test_priority_cannot_tell_between_equals(names: tuple[str, str]) -> None:
    """Where the best place is shared by different values the conflict stays open."""
    ws = workspace(model(str, Scalar(resolve=priority("editor", "writer*"))))
    concurrently(ws, *((name, name) for name in names))
    assert sides(only(ws)) == {name: name for name in names}


def test_priority_of_a_value_is_that_of_its_best_agent() -> None:
    """A value that the editor confirmed has the editor's place."""
    ws = workspace(model(str, Scalar(resolve=priority("editor", "writer"))))
    concurrently(ws, ("writer", "w"), ("stranger", "s"), ("editor", "s"))
    assert shown(ws) == {"x": "s"} and ws.escalations() == []


def test_an_open_conflict_settles_when_a_better_agent_comes() -> None:
    """A contender by the editor settles what two writers left open."""
    ws = workspace(model(str, Scalar(resolve=priority("editor", "writer*"))))
    began = ws.moment()
    for name in ("writer1", "writer2"):
        ws.agent(name, began=began).write(*AT, {"x": name})
    assert len(ws.escalations()) == 1
    ws.agent("editor", began=began).write(*AT, {"x": "e"})
    assert shown(ws) == {"x": "e"} and ws.escalations() == []


@pytest.mark.parametrize("names", [(), ("",), (None,), (3,)])
def test_priority_needs_names(names: tuple[Any, ...]) -> None:
    """A policy without names, or with what is no name, is refused where it is written."""
    with pytest.raises(TypeError, match="priority"):
        priority(*names)


@pytest.mark.parametrize(
    ("provisional", "first", "second"),
    [("agreed", "base", "base"), ("first", "a", "a"), ("latest", "a", "b")],
)
def test_provisional_tells_what_a_read_gives(provisional: Any, first: str, second: str) -> None:
    """The last agreed value, the first contender or the latest; the escalation is open all the same."""
    ws = workspace(model(str, Scalar(provisional=provisional)))
    ws.agent("eve").write(*AT, {"x": "base"})
    began = ws.moment()
    ws.agent("ada", began=began).write(*AT, {"x": "a"})
    ws.agent("bob", began=began).write(*AT, {"x": "b"})
    assert shown(ws) == {"x": second}
    assert sides(only(ws)) == {"ada": "a", "bob": "b"} and only(ws).base == "base"
    ws.agent("joe", began=began).write(*AT, {"x": "c"})
    assert shown(ws) == {"x": first if provisional == "first" else "c" if provisional == "latest" else "base"}


def test_policies_hold_in_maps() -> None:
    """The values of a map may declare a policy of their own."""
    score: Any = Annotated[int, Scalar(resolve="max")]
    scores = create_model("Scores", scores=(Annotated[dict[str, score], Map()], {}))
    ws = workspace(scores)
    began = ws.moment()
    for name, points in (("ada", 3), ("bob", 8), ("eve", 5)):
        ws.agent(name, began=began).write(NS, "k", {"scores": {"x": points, name: 1}})
    assert shown(ws) == {"scores": {"x": 8, "ada": 1, "bob": 1, "eve": 1}} and ws.escalations() == []
