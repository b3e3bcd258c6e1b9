"""Writers and deciders in a graph: nodes by their names, a review by who answers."""

from __future__ import annotations

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command

from concordant import NotAllowedError, Schema
from concordant_langgraph import MergeStore, memory_tools, review_conflicts

from .review.support import NS, Brief, State, contest, only, parallel, putting, thread, value

RULES = Schema(Brief, writers=("ada", "bob"), deciders=("human:*",))


def test_a_node_that_is_no_writer_is_refused() -> None:
    """The put of a node raises in it; those of writers are stored."""
    store = MergeStore({NS: RULES})
    parallel(putting("ada", {"title": "A"})).compile(store=store).invoke({"x": 1})
    with pytest.raises(NotAllowedError, match="'mallory' may not write briefs:launch"):
        parallel(putting("mallory", {"title": "B"})).compile(store=store).invoke({"x": 1})
    assert value(store)["title"] == "A"


@pytest.mark.parametrize("name", ["human:maria", "maria"])
def test_a_review_is_answered_by_who_may(name: str) -> None:
    """The name that is given for the answers is what counts; another ends the node with the error, and nothing is
    decided."""
    store = MergeStore({NS: RULES})
    contest(store)
    builder: StateGraph[State] = StateGraph(State)
    builder.add_node("review", review_conflicts(store, NS, by=name)).add_edge(START, "review")
    graph = builder.compile(store=store, checkpointer=InMemorySaver())
    [pause] = graph.invoke({"x": 1}, thread())["__interrupt__"]
    [question] = pause.value["questions"]
    answer = Command(resume={question["ref"]: {"choose": 1}})
    if name == "maria":
        with pytest.raises(NotAllowedError, match="'maria' may not decide"):
            graph.invoke(answer, thread())
        assert only(store).state == "open"
    else:
        graph.invoke(answer, thread())
        assert store.escalations() == [] and value(store)["status"] == "draft"
    with pytest.raises(NotAllowedError):
        store.resolve(contest(store, "title", ("A", "B")), "A", by="ada")


def test_a_tool_and_the_store_decide_for_nobody_else() -> None:
    """A model's answer counts as its agent's; so do the store's own ways of deciding as those of `by=`."""
    store = MergeStore({NS: RULES})
    question = contest(store)
    *_, conflicts, settle = memory_tools(store, Brief, NS, key="launch")
    with store.workspace.acting_as("ada"):
        handle = conflicts.invoke({}).split("id ")[1].split()[0]
        said = settle.invoke({"id": handle, "keep": 1})
    assert "'ada' may not decide about briefs:launch" in said
    for decide in (store.dismiss, store.claim):
        with pytest.raises(NotAllowedError, match="'ada' may not decide"):
            decide(question, by="ada")
    assert only(store) == question
    with store.workspace.acting_as("human:maria"):
        assert "may not" not in settle.invoke({"id": handle, "keep": 1})
    assert store.escalations() == []
