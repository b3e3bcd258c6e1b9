"""Updates of one superstep that cannot be merged: a typed error with path and contenders, and ways on from there."""

from __future__ import annotations

import logging
from typing import Annotated, Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import InvalidUpdateError
from langgraph.types import Overwrite, StateUpdate
from pydantic import BaseModel, Field

from concordant import ABSTAIN, ConcordantError, Counter, Map, Scalar, Schema, Text, priority
from concordant_langgraph import StateConflictError, edited, state_schema

from .state_support import Brief, State, chain, merged, parallel, thread

DELETED = "DELETED"


def conflict(field: str, base: Any, *updates: Any, schema: Any = State) -> StateConflictError:
    """The error that parallel updates of a field raise."""
    with pytest.raises(StateConflictError) as raised:
        merged(field, base, *updates, schema=schema)
    return raised.value


def values(error: StateConflictError) -> list[Any]:
    return [contender.value for contender in error.contenders]


def test_different_scalars_conflict() -> None:
    """The error carries path, reason, base and contenders, says them, and is ours as well as LangGraph's."""
    error = conflict("status", "draft", "done", "failed", "done", "draft")
    assert isinstance(error, ConcordantError) and isinstance(error, InvalidUpdateError)
    assert (error.path, error.reason, error.base) == (("status",), "scalar", "draft")
    assert [(c.value, c.agents) for c in error.contenders] == [
        ("done", ("update 1", "update 3")),
        ("failed", ("update 2",)),
    ]
    assert str(error) == (
        "At status: the updates of one superstep cannot be merged: "
        "'done' (update 1, update 3) and 'failed' (update 2), before it stood 'draft'. "
        "Declare how to settle it (resolve='max', a function, ...), let one node alone write it, "
        "or return Overwrite(value)."
    )


def test_equal_values_agree() -> None:
    """Equal values of parallel nodes are no conflict, in scalars, maps and records; different types are one."""
    assert merged("status", "draft", "done", "done", "done") == "done"
    assert merged("owners", {}, {"a": "ann"}, {"a": "ann", "b": "bob"}) == {"a": "ann", "b": "bob"}
    assert merged("lead", {}, {"name": "eve"}, {"name": "eve"}).name == "eve"

    class Loose(BaseModel):
        x: Annotated[Any, Scalar()] = None

    assert values(conflict("x", 0, 1, True, 1.0, schema=state_schema(Loose))) == [1, True, 1.0]


@pytest.mark.parametrize(
    ("field", "base", "updates", "path", "reason", "contenders"),
    [
        ("owners", {"a": "x"}, [{"a": "ann"}, {"a": "bob"}], ("owners", "a"), "scalar", ["ann", "bob"]),
        ("owners", {}, [{"a": "ann"}, {"a": "bob"}], ("owners", "a"), "scalar", ["ann", "bob"]),
        ("owners", {"a": "x"}, [{"a": "ann"}, edited(o={})["o"]], ("owners", "a"), "delete", ["ann", DELETED]),
        ("lead", {}, [{"name": "ann"}, {"name": "bob"}], ("lead", "name"), "scalar", ["ann", "bob"]),
        (
            "sources",
            [{"id": "s"}],
            [[{"id": "s", "verdict": "good"}], [{"id": "s", "verdict": "bad"}]],
            ("sources", "s", "verdict"),
            "scalar",
            ["good", "bad"],
        ),
        ("draft", "a quick fox", [*(edited(d=f"a {w} fox")["d"] for w in ("slow", "red"))], ("draft",), "text", None),
        ("budget", 5, [-4, -3], ("budget",), "invalid", [-3]),
    ],
)
def test_every_kind_tells_where_it_conflicts(
    field: str, base: Any, updates: Any, path: Any, reason: str, contenders: Any
) -> None:
    """Conflicts in maps, records, sets of records, texts, removals and constraints have their path and contenders."""
    error = conflict(field, base, *updates)
    assert (error.path, error.reason) == (path, reason)
    found = [DELETED if repr(value) == DELETED else value for value in values(error)]
    assert found == (contenders or ["slow", "red"])


def test_all_conflicts_of_a_field_are_told() -> None:
    """``escalations`` has every conflict of the field, and the message says how many more there are."""
    error = conflict("owners", {}, {"a": "1", "b": "1", "c": "1"}, {"a": "2", "b": "2", "c": "1"})
    assert [escalation.path for escalation in error.escalations] == [("owners", "a"), ("owners", "b")]
    assert "(1 more in this field.)" in str(error)


def test_nothing_of_a_conflicting_superstep_is_applied() -> None:
    """The checkpoint before it stands, unmerged fields and all; ``bulk_update_state`` says what the nodes should have
    returned, and the run goes on."""
    nodes = {"tags": {"a"}, "status": "x"}, {"tokens": 1, "status": "y"}
    graph = parallel(State, *nodes, checkpointer=InMemorySaver())
    config = thread()
    with pytest.raises(StateConflictError):
        graph.invoke({"tags": {"old"}, "status": "new"}, config)
    with pytest.raises(StateConflictError):  # as with LangGraph's own error, what the nodes returned waits there
        graph.invoke(None, config)
    decided = [StateUpdate({"tags": {"a"}, "status": "y"}, "n00"), StateUpdate({"tokens": 1}, "n01")]
    graph.bulk_update_state(config, [decided])
    snapshot = graph.get_state(config)
    assert snapshot.next == ()
    assert (snapshot.values["tags"], snapshot.values["tokens"], snapshot.values["status"]) == ({"old", "a"}, 1, "y")


def test_a_later_superstep_replaces_without_conflict() -> None:
    """Nodes that run one after the other never conflict."""
    result = chain(State, {"status": "a", "owners": {"k": "a"}}, {"status": "b", "owners": {"k": "b"}}).invoke(
        {"status": "x", "owners": {"k": "x"}}
    )
    assert (result["status"], result["owners"]) == ("b", {"k": "b"})


def test_a_resolver_that_cannot_tell_leaves_the_conflict(caplog: pytest.LogCaptureFixture) -> None:
    """One that abstains, raises or gives an invalid value leaves the error standing; failures are logged."""
    caplog.set_level(logging.CRITICAL + 1, "concordant")

    def fails(_: Any) -> int:
        raise RuntimeError("no idea")

    for resolver in (lambda _: ABSTAIN, fails, lambda _: "many"):

        class Review(BaseModel):
            grade: Annotated[int, Scalar(resolve=resolver)] = 0

        assert values(conflict("grade", 3, 5, 9, schema=state_schema(Review))) == [5, 9]


def test_a_resolver_sees_the_whole_conflict_once() -> None:
    """It is given one escalation with all contenders, their order and what stood before."""
    asked: list[Any] = []

    def resolver(escalation: Any) -> Any:
        asked.append((escalation.path, escalation.base, [c.value for c in escalation.contenders]))
        return max(c.value for c in escalation.contenders)

    class Review(BaseModel):
        grades: Annotated[dict[str, Annotated[int, Scalar(resolve=resolver)]], Map()] = {}

    updates = [{"a": 5, "b": 1}, {"a": 9}, {"a": 7}]
    assert merged("grades", {"a": 1}, *updates, schema=state_schema(Review)) == {"a": 9, "b": 1}
    assert asked == [(("grades", "a"), 1, [5, 9, 7])]


async def test_resolvers_that_are_coroutines_are_not_asked() -> None:
    """A channel cannot wait, so an async resolver is not begun, in sync and async graphs alike."""
    asked: list[Any] = []

    async def resolver(escalation: Any) -> Any:
        asked.append(escalation)
        return 1

    class Asks:
        async def __call__(self, escalation: Any) -> Any:
            asked.append(escalation)
            return 1

    for declared in (resolver, Asks()):

        class Review(BaseModel):
            grade: Annotated[int, Scalar(resolve=declared)] = 0

        graph = parallel(state_schema(Review), {"grade": 5}, {"grade": 9})
        with pytest.raises(StateConflictError):
            await graph.ainvoke({"grade": 0})
        with pytest.raises(StateConflictError):
            graph.invoke({"grade": 0})
    assert asked == []


def test_priority_cannot_settle_in_a_state() -> None:
    """A channel is not told which node an update is from, so a priority leaves the conflict, though it names all."""

    class Review(BaseModel):
        grade: Annotated[int, Scalar(resolve=priority("n00", "n*", "*"))] = 0

    assert values(conflict("grade", 0, 5, 9, schema=state_schema(Review))) == [5, 9]


def test_declarations_that_avoid_conflicts_hold() -> None:
    """``overlap="merge"``, ``on_delete`` and looser constraints settle in a state what they settle in a store."""

    class Page(BaseModel):
        body: Annotated[str, Text(overlap="merge")] = ""
        owners: Annotated[dict[str, str], Map()] = {}
        left: Annotated[int, Counter(), Field(ge=-10)] = 0

    for policy, kept in (("update", {"a": "ann"}), ("delete", {})):
        schema = state_schema(Schema(Page, on_delete=policy))  # type: ignore[arg-type]
        assert merged("owners", {"a": "x"}, {"a": "ann"}, edited(o={})["o"], schema=schema) == kept
    schema = state_schema(Page)
    both = merged("body", "a quick fox", *(edited(b=f"a {w} fox")["b"] for w in ("slow", "red")), schema=schema)
    assert both == "a slow fox\na red fox"
    assert merged("left", 0, -4, -3, schema=schema) == -7


def test_a_conflict_inside_a_subgraph_is_its_nodes_error() -> None:
    """The parent's run raises it, and its snapshot names it at the subgraph's node."""
    inner = parallel(State, {"status": "x"}, {"status": "y"})
    graph = chain(State, inner | edited, checkpointer=InMemorySaver())
    config = thread()
    with pytest.raises(StateConflictError) as raised:
        graph.invoke({"status": "new"}, config)
    assert (raised.value.path, raised.value.base, values(raised.value)) == (("status",), "new", ["x", "y"])
    [task] = graph.get_state(config).tasks
    assert task.name == "n00" and "StateConflictError" in str(task.error)


def test_two_overwrites_are_langgraphs_own_error() -> None:
    """As in its own channels, one Overwrite a superstep is allowed."""
    with pytest.raises(InvalidUpdateError, match=r"At tags: can receive only one Overwrite value per super-step"):
        merged("tags", {"a"}, Overwrite({"b"}), {"c"}, Overwrite({"b"}))


def test_a_conflict_leaves_the_process_as_it_was() -> None:
    """After an error the same compiled graph works on, on this thread's earlier checkpoint and on others."""
    graph = parallel(
        State,
        lambda state: {"status": "x"} if state.tokens else {},
        lambda state: {"status": f"y{state.tokens}", "tokens": 1},
        checkpointer=InMemorySaver(),
    )
    config, other = thread(), thread()
    assert graph.invoke({"tokens": 0}, config)["status"] == "y0"
    with pytest.raises(StateConflictError):
        graph.invoke({"steps": ["again"]}, config)
    assert graph.invoke({"tokens": 0}, other)["tokens"] == 1
    before = [s for s in graph.get_state_history(config) if not s.next][-1]
    assert (before.values["tokens"], before.values["steps"]) == (1, [])
    assert type(Brief(**before.values)) is Brief
