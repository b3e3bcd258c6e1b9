"""``review_conflicts``: a person is asked by interrupt about what is open, and it is settled by the answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypedDict

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.func import entrypoint
from langgraph.graph import END, START, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, Send, interrupt
from pydantic import BaseModel

from concordant import DELETED
from concordant_langgraph import MergeStore, review_conflicts
from concordant_langgraph.questions import ref_of

from .support import ASYNC, AT, NS, Brief, State, contest, decisions, disagreeing, invoke, only, thread, value


@pytest.fixture(params=["memory", "sqlite"])
def saver(request: pytest.FixtureRequest) -> Iterator[BaseCheckpointSaver[Any]]:
    if request.param == "memory":
        yield InMemorySaver()
    else:
        with SqliteSaver.from_conn_string(":memory:") as saver:
            yield saver


def reviewing(
    store: MergeStore | None, saver: Any = None, *, namespace: Any = NS, runs_on: Any = None, **options: Any
) -> Any:
    """A graph of nothing but a review, which reports."""
    builder: StateGraph[State] = StateGraph(State)
    builder.add_node("review", review_conflicts(store, namespace, report="report", **options))
    builder.add_edge(START, "review")
    return builder.compile(store=runs_on or store, checkpointer=saver or InMemorySaver())


def asked(result: Any) -> dict[str, Any]:
    """What the one interrupt of a paused graph asks."""
    [pause] = result["__interrupt__"]
    return dict(pause.value)


def outcomes(result: Any) -> list[tuple[str, str, Any]]:
    assert "__interrupt__" not in result
    return [(one["outcome"], one["by"], one["value"]) for one in result["report"]]


# -- asking and settling -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", ASYNC)
def test_a_graph_pauses_with_all_questions_and_goes_on_with_the_answers(is_async: bool) -> None:
    """One interrupt asks everything; one resume settles it, by the name that the person gives; the next node runs."""
    store = MergeStore({NS: Brief})
    after: list[dict[str, Any]] = []
    builder = disagreeing({"status": ("draft", "ready"), "title": ("A", "B"), "tokens": (3, 4)})
    builder.add_node("review", review_conflicts(store, NS)).add_edge(["ada", "bob"], "review")
    builder.add_node("after", lambda _: after.append(value(store))).add_edge("review", "after")
    graph = builder.compile(store=store, checkpointer=InMemorySaver())

    shown = asked(invoke(graph, {"x": 1}, thread(), is_async=is_async))
    assert [question["path"] for question in shown["questions"]] == [["status"], ["title"]]
    assert after == [] and value(store) == {"tokens": 7}
    status, title = shown["questions"]
    drafts = {contender["value"]: contender["choose"] for contender in status["contenders"]}
    answer = {status["ref"]: {"choose": drafts["draft"]}, title["ref"]: {"value": "C"}, "by": "maria"}
    assert invoke(graph, Command(resume=answer), thread(), is_async=is_async) == {"x": 1}
    assert after == [{"tokens": 7, "status": "draft", "title": "C"}]
    assert decisions(store) == [("maria", "resolve", "draft"), ("maria", "resolve", "C")]


def test_what_is_asked_is_json_and_enough_to_decide() -> None:
    """The question in words, the base, each contender with who and when, and how to answer."""
    store = MergeStore({NS: Brief})
    store.put(*AT, {"status": "idea"})
    escalation = contest(store)
    shown = asked(reviewing(store).invoke({}, thread()))
    assert json.loads(json.dumps(shown)) == shown
    [question] = shown["questions"]
    assert shown["type"] == "concordant.review" and shown["namespace"] == ["briefs"]
    assert (question["id"], question["version"]) == (escalation.id, escalation.version)
    assert question["question"] == "Which value is right for status of briefs:launch?"
    assert (question["base"], question["has_base"], question["reason"]) == ("idea", True, "scalar")
    assert [(c["choose"], c["value"], c["agent"]) for c in question["contenders"]] == [
        (1, "draft", "ada"),
        (2, "ready", "bob"),
    ]
    assert all(word in shown["how_to_answer"] for word in ('"choose"', '"value"', '"dismiss"', '"skip"', '"by"'))
    assert shown["answer"] == {ref_of(escalation): "skip"}


def test_the_answer_that_comes_with_the_question_leaves_all_open() -> None:
    """It is a template that a person edits; as it is, it skips everything."""
    store = MergeStore({NS: Brief})
    contest(store)
    contest(store, "title")
    graph = reviewing(store)
    shown = asked(graph.invoke({}, thread()))
    assert outcomes(graph.invoke(Command(resume=shown["answer"]), thread())) == [("skipped", "person", None)] * 2
    assert len(store.escalations()) == 2 and decisions(store) == []


@pytest.mark.parametrize("is_async", ASYNC)
@pytest.mark.parametrize(
    ("answer", "shows", "became"),
    [
        ({"choose": 1}, "draft", ("resolved", "person", "draft")),
        ({"choose": 2}, "ready", ("resolved", "person", "ready")),
        ({"value": "better"}, "better", ("resolved", "person", "better")),
        ({"value": None}, None, ("resolved", "person", None)),
        ("dismiss", "idea", ("dismissed", "person", "idea")),
        ("skip", "idea", ("skipped", "person", None)),
    ],
)
def test_every_way_to_answer(answer: Any, shows: Any, became: Any, is_async: bool, saver: Any) -> None:
    """A contender, another value, the base, or left open; the report tells what became of it."""
    store = MergeStore({NS: Brief})
    store.put(*AT, {"status": "idea"})
    escalation = contest(store)
    graph = reviewing(store, saver if not is_async else InMemorySaver())
    invoke(graph, {}, thread(), is_async=is_async)
    result = invoke(graph, Command(resume={ref_of(escalation): answer}), thread(), is_async=is_async)
    assert outcomes(result) == [became]
    assert value(store) == {"status": shows}
    assert len(decisions(store)) == (answer != "skip")


def test_dismissing_what_had_no_base_leaves_nothing() -> None:
    """The field is absent."""
    store = MergeStore({NS: Brief})
    escalation = contest(store)
    graph = reviewing(store)
    graph.invoke({}, thread())
    assert outcomes(graph.invoke(Command(resume={ref_of(escalation): "dismiss"}), thread())) == [
        ("dismissed", "person", None)
    ]
    assert value(store) == {}


@pytest.mark.parametrize(("choose", "left"), [(True, None), (False, {"status": "late"})])
def test_a_deletion_can_be_chosen_or_the_update(choose: bool, left: Any) -> None:
    """The contender that deletes says so, as JSON."""
    store = MergeStore({NS: Brief})
    store.put(*AT, {"status": "x"})
    ada, bob = store.workspace.agent("ada"), store.workspace.agent("bob")
    ada.delete(*AT)
    bob.write(*AT, {"status": "late"})
    graph = reviewing(store)
    [question] = asked(graph.invoke({}, thread()))["questions"]
    assert question["question"] == "Is briefs:launch to be deleted, or to stay as updated?"
    [number] = [c["choose"] for c in question["contenders"] if c.get("deleted", False) == choose]
    result = graph.invoke(Command(resume={question["ref"]: {"choose": number}}), thread())
    assert [one.get("deleted", False) for one in result["report"]] == [choose]
    item = store.get(*AT)
    assert (item.value if item else None) == left
    assert (only(store, state="resolved").decision is DELETED) == choose


@pytest.mark.parametrize(
    ("answer", "left"),
    [({"choose": 2}, "one deux three"), ({"value": "2"}, "one 2 three"), ("dismiss", "one two three")],
)
def test_words_of_a_text_are_decided_as_words(answer: Any, left: str) -> None:
    """Question and answer are about the contested range, the rest of the text stays."""
    store = MergeStore({NS: Brief})
    store.put(*AT, {"body": "one two three"})
    ada, bob = store.workspace.agent("ada"), store.workspace.agent("bob")
    with ada.edit(*AT) as of_ada, bob.edit(*AT) as of_bob:
        of_ada.body = "one zwei three"
        of_bob.body = "one deux three"
    graph = reviewing(store)
    [question] = asked(graph.invoke({}, thread()))["questions"]
    assert question["question"] == "Which words are to stand in body of briefs:launch?"
    assert (question["base"], sorted(c["value"] for c in question["contenders"])) == ("two", ["deux", "zwei"])
    if "choose" in answer:
        answer = {"choose": next(c["choose"] for c in question["contenders"] if c["value"] == "deux")}
    graph.invoke(Command(resume={question["ref"]: answer}), thread())
    assert value(store) == {"body": left}


def test_choosing_a_value_that_cannot_be_one_is_not_offered() -> None:
    """An ill-typed value, or a contribution that breaks the model, is shown without a number; a value is taken."""
    store = MergeStore({NS: Brief})
    began = store.workspace.moment()
    store.workspace.agent("ada", began=began).write(*AT, {"tags": ["a", "b"], "tokens": "many"})
    store.workspace.agent("bob", began=began).write(*AT, {"tags": ["c", "d"]})
    graph = reviewing(store)
    questions = {question["reason"]: question for question in asked(graph.invoke({}, thread()))["questions"]}
    assert sorted(questions) == ["invalid", "type"]
    assert not any("choose" in contender for q in questions.values() for contender in q["contenders"])
    shown = asked(graph.invoke(Command(resume={q["ref"]: {"choose": 1} for q in questions.values()}), thread()))
    assert ["cannot be chosen" in question["problem"] for question in shown["questions"]] == [True, True]
    answer = {questions["invalid"]["ref"]: {"value": ["a", "c"]}, questions["type"]["ref"]: {"value": 12}}
    graph.invoke(Command(resume=answer), thread())
    assert value(store) == {"tags": ["a", "c"], "tokens": 12} and store.escalations() == []


@pytest.mark.parametrize("is_async", ASYNC)
def test_where_nothing_is_open_the_graph_does_not_pause(is_async: bool) -> None:
    """It needs no checkpointer then, and reports nothing."""
    store = MergeStore({NS: Brief})
    store.put(*AT, {"status": "x"})
    builder: StateGraph[State] = StateGraph(State)
    builder.add_node("review", review_conflicts(store, NS, report="report")).add_edge(START, "review")
    assert invoke(builder.compile(store=store), {"x": 1}, is_async=is_async) == {"x": 1, "report": []}


def test_only_the_namespace_given_is_asked_about() -> None:
    """A prefix; without one, everything."""
    store = MergeStore()
    began = store.workspace.moment()
    for namespace in (("briefs", "a"), ("notes",)):
        for name in ("ada", "bob"):
            store.workspace.agent(name, began=began).write(namespace, "k", {"x": name})
    assert [q["namespace"] for q in asked(reviewing(store).invoke({}, thread()))["questions"]] == [["briefs", "a"]]
    everything = asked(reviewing(store, namespace=()).invoke({}, thread()))["questions"]
    assert sorted(q["namespace"] for q in everything) == [["briefs", "a"], ["notes"]]


def test_by_names_who_decides_where_the_answer_does_not() -> None:
    """The argument is the default, the answer goes before it."""
    store = MergeStore({NS: Brief})
    contest(store)
    contest(store, "title")
    graph = reviewing(store, by="the editors")
    status, title = asked(graph.invoke({}, thread()))["questions"]
    graph.invoke(Command(resume={status["ref"]: {"choose": 1}}), thread())
    graph.invoke(Command(resume={title["ref"]: {"choose": 1}, "by": "maria"}), thread())
    assert [who for who, _, _ in decisions(store)] == ["the editors", "maria"]


def test_a_string_is_no_namespace() -> None:
    """Letter by letter it would be one under which nothing is ever open."""
    with pytest.raises(TypeError, match=r"a tuple, such as \('briefs',\), not the string 'briefs'"):
        review_conflicts(MergeStore(), "briefs")


# -- wrong answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", ASYNC)
@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"value": 5}, "not of the field's type"),
        ({"choose": 3}, "3 is none of the contenders 1, 2"),
        ({"choose": True}, "True is none of the contenders 1, 2"),
        ({"choose": "draft"}, "'draft' is none of the contenders 1, 2"),
        ("draft", "'draft' is none of"),
        (1, "1 is none of"),
        (None, "None is none of"),
        ({}, "{} is none of"),
        ({"choose": 1, "value": "x"}, "is none of"),
        ({"take": 1}, "{'take': 1} is none of"),
        ([{"choose": 1}], "is none of"),
    ],
)
def test_a_wrong_answer_is_asked_again_with_the_reason(answer: Any, problem: str, is_async: bool) -> None:
    """Nothing is decided by it; the other answers of the same resume count, and are not asked again."""
    store = MergeStore({NS: Brief})
    status, title = contest(store), contest(store, "title")
    graph = reviewing(store)
    invoke(graph, {}, thread(), is_async=is_async)
    resume = {ref_of(status): answer, ref_of(title): {"choose": 1}}
    shown = asked(invoke(graph, Command(resume=resume), thread(), is_async=is_async))
    [question] = shown["questions"]
    assert question["id"] == status.id and problem in question["problem"]
    assert decisions(store) == [("person", "resolve", "draft")] and only(store).path == ("status",)
    assert list(shown["answer"]) == [ref_of(status)]
    result = invoke(graph, Command(resume={ref_of(status): {"choose": 2}}), thread(), is_async=is_async)
    assert outcomes(result) == [("resolved", "person", "draft"), ("resolved", "person", "ready")]
    assert value(store) == {"status": "ready", "title": "draft"}


@pytest.mark.parametrize(
    ("resume", "problem"),
    [
        ("yes", "a str is no dict of answers"),
        (["x"], "a list is no dict of answers"),
        ({"by": "maria", "what": {"choose": 1}}, "no question has the ref 'what'"),
        ({"by": ""}, "\"by\" names who decides, as a non-empty string, not ''"),
        ({"by": 7}, '"by" names who decides'),
    ],
)
def test_an_answer_to_nothing_asks_everything_again(resume: Any, problem: str) -> None:
    """With what is wrong with the whole."""
    store = MergeStore({NS: Brief})
    contest(store)
    graph = reviewing(store)
    before = asked(graph.invoke({}, thread()))
    shown = asked(graph.invoke(Command(resume=resume), thread()))
    assert shown["questions"] == before["questions"]
    assert [problem in one for one in shown["problems"]] == [True]
    assert decisions(store) == []


def test_questions_can_be_answered_one_by_one() -> None:
    """What an answer leaves out is asked again, without a reproach."""
    store = MergeStore({NS: Brief})
    refs = [ref_of(contest(store, field)) for field in ("status", "title")]
    graph = reviewing(store)
    graph.invoke({}, thread())
    [left] = asked(graph.invoke(Command(resume={refs[1]: "skip"}), thread()))["questions"]
    assert left["ref"] == refs[0] and "problem" not in left
    result = graph.invoke(Command(resume={refs[0]: "dismiss"}), thread())
    assert [outcome for outcome, _, _ in outcomes(result)] == ["skipped", "dismissed"]


# -- meanwhile -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", ASYNC)
@pytest.mark.parametrize("answer", [{"choose": 1}, {"value": "other"}, "dismiss"])
def test_a_late_contender_is_not_settled_blindly(answer: Any, is_async: bool, saver: Any) -> None:
    """It came between the interrupt and the resume: the person is asked again, with all three."""
    store = MergeStore({NS: Brief})
    began = store.workspace.moment()
    escalation = contest(store)
    graph = reviewing(store, saver if not is_async else InMemorySaver())
    invoke(graph, {}, thread(), is_async=is_async)
    store.workspace.agent("late", began=began).write(*AT, {"status": "late"})
    resume = Command(resume={ref_of(escalation): answer})
    [question] = asked(invoke(graph, resume, thread(), is_async=is_async))["questions"]
    assert question["problem"] == "its contenders changed since it was shown"
    assert [contender["value"] for contender in question["contenders"]] == ["draft", "ready", "late"]
    assert decisions(store) == []
    [question] = asked(invoke(graph, resume, thread(), is_async=is_async))["questions"]  # the same, sent again
    assert question["problem"] == "the answer was to an earlier state of it" and decisions(store) == []
    invoke(graph, Command(resume={question["ref"]: {"choose": 3}}), thread(), is_async=is_async)
    assert value(store) == {"status": "late"} and decisions(store) == [("person", "resolve", "late")]


@pytest.mark.parametrize("is_async", ASYNC)
@pytest.mark.parametrize("same", [True, False])
def test_a_decision_made_elsewhere_stands(is_async: bool, same: bool) -> None:
    """The answer that came later is not applied; the report says who decided what."""
    store = MergeStore({NS: Brief})
    escalation = contest(store)
    graph = reviewing(store)
    invoke(graph, {}, thread(), is_async=is_async)
    store.resolve(escalation, "ready", by="otto")
    resume = Command(resume={ref_of(escalation): {"value": "ready" if same else "draft"}, "by": "maria"})
    assert outcomes(invoke(graph, resume, thread(), is_async=is_async)) == [("resolved", "otto", "ready")]
    assert decisions(store) == [("otto", "resolve", "ready")]


def test_what_was_superseded_or_purged_meanwhile_is_left_alone() -> None:
    """The report says so."""
    store = MergeStore({NS: Brief})
    status, title = contest(store), contest(store, "title", key="other")
    graph = reviewing(store)
    graph.invoke({}, thread())
    store.workspace.agent("eve").write(*AT, {"status": "newest"})
    store.workspace.purge(NS, "other")
    result = graph.invoke(Command(resume={ref_of(status): {"choose": 1}, ref_of(title): {"choose": 1}}), thread())
    assert outcomes(result) == [("superseded", None, None), ("gone", None, None)]
    assert value(store) == {"status": "newest"} and value(store, "other") == {}


def test_what_was_opened_meanwhile_is_asked_next() -> None:
    """In a further interrupt; what was answered is settled and not asked again."""
    store = MergeStore({NS: Brief})
    status = contest(store)
    graph = reviewing(store)
    graph.invoke({}, thread())
    title = contest(store, "title")
    shown = asked(graph.invoke(Command(resume={ref_of(status): {"choose": 1}}), thread()))
    assert [question["id"] for question in shown["questions"]] == [title.id]
    graph.invoke(Command(resume={ref_of(title): {"choose": 2}}), thread())
    assert value(store) == {"status": "draft", "title": "ready"}


def test_what_was_skipped_is_asked_again_only_if_it_changed() -> None:
    """A skip is pinned to the contenders shown, like a decision."""
    store = MergeStore({NS: Brief})
    began = store.workspace.moment()
    status, title = contest(store), contest(store, "title")
    graph = reviewing(store)
    graph.invoke({}, thread())
    store.workspace.agent("late", began=began).write(*AT, {"status": "late"})
    shown = asked(graph.invoke(Command(resume={ref_of(status): "skip", ref_of(title): "skip"}), thread()))
    assert [question["id"] for question in shown["questions"]] == [status.id]
    result = graph.invoke(Command(resume=shown["answer"]), thread())
    assert [outcome for outcome, _, _ in outcomes(result)] == ["skipped"] * 3
    assert asked(graph.invoke({}, thread("2")))["questions"] != []  # the next review asks again


def test_a_question_that_was_settled_and_opened_again_is_another_question() -> None:
    """Between the same values even: an answer is to the opening that was shown."""
    store = MergeStore({NS: Brief})
    began = store.workspace.moment()
    escalation = contest(store)
    graph = reviewing(store)
    graph.invoke({}, thread())
    store.resolve(escalation, "draft", by="otto")
    store.workspace.agent("late", began=began).write(*AT, {"status": "ready"})
    again = only(store)
    assert (again.id, again.version) == (escalation.id, escalation.version)
    [question] = asked(graph.invoke(Command(resume={ref_of(escalation): {"choose": 1}}), thread()))["questions"]
    assert question["problem"] == "it was settled since it was shown, and opened again"
    assert decisions(store) == [("otto", "resolve", "draft")]


# -- in graphs of all kinds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", ASYNC)
def test_two_reviews_at_once_decide_each_question_once(is_async: bool) -> None:
    """Parallel nodes are both asked; the first answer counts, the other is told so."""
    store = MergeStore({NS: Brief})
    status, title = contest(store), contest(store, "title")
    builder: StateGraph[Any] = StateGraph(TypedDict("Both", {"left": list, "right": list}))
    for name in ("left", "right"):
        builder.add_node(name, review_conflicts(store, NS, by=name, report=name)).add_edge(START, name)
    graph = builder.compile(store=store, checkpointer=InMemorySaver())
    pauses = invoke(graph, {"left": []}, thread(), is_async=is_async)["__interrupt__"]
    assert len(pauses) == 2
    answers = {pause.id: {ref_of(status): {"choose": 1}, ref_of(title): {"choose": 2}} for pause in pauses}
    result = invoke(graph, Command(resume=answers), thread(), is_async=is_async)
    assert result["left"] == result["right"]
    assert {one["outcome"] for one in result["left"]} == {"resolved"}
    assert [(act, what) for _, act, what in decisions(store)] == [("resolve", "draft"), ("resolve", "ready")]


def test_two_threads_review_at_once() -> None:
    """Each is asked; the second to answer finds it settled."""
    store = MergeStore({NS: Brief})
    escalation = contest(store)
    graph = reviewing(store)
    for name in ("1", "2"):
        graph.invoke({}, thread(name))
    answers = {name: {ref_of(escalation): {"value": name}, "by": name} for name in ("1", "2")}
    assert outcomes(graph.invoke(Command(resume=answers["2"]), thread("2"))) == [("resolved", "2", "2")]
    assert outcomes(graph.invoke(Command(resume=answers["1"]), thread("1"))) == [("resolved", "2", "2")]
    assert decisions(store) == [("2", "resolve", "2")]


@pytest.mark.parametrize("is_async", ASYNC)
def test_a_review_in_a_subgraph_sent_to_and_gone_to(is_async: bool) -> None:
    """``Command(goto=)``, ``Send`` and a subgraph lead to it as to any node."""
    store = MergeStore({NS: Brief})
    escalation = contest(store)
    team: StateGraph[State] = StateGraph(State)
    team.add_node("start", lambda _: Command(goto="review"))
    team.add_node("review", review_conflicts(store, NS, report="report"))
    team.add_edge(START, "start")
    builder: StateGraph[State] = StateGraph(State)
    builder.add_node("team", team.compile())
    builder.add_conditional_edges(START, lambda _: [Send("team", {"x": 2})], ["team"])
    graph = builder.compile(store=store, checkpointer=InMemorySaver())
    assert len(asked(invoke(graph, {"x": 1}, thread(), is_async=is_async))["questions"]) == 1
    result = invoke(graph, Command(resume={ref_of(escalation): {"choose": 1}}), thread(), is_async=is_async)
    assert outcomes(result) == [("resolved", "person", "draft")]


@pytest.mark.parametrize("is_async", ASYNC)
def test_a_review_does_not_disturb_the_interrupts_of_other_nodes(is_async: bool) -> None:
    """Beside a node with interrupts of its own, each gets the answer meant for it."""
    store = MergeStore({NS: Brief})
    escalation = contest(store)
    heard: list[Any] = []

    def asking(state: State) -> State:
        heard.extend([interrupt("first?"), interrupt("second?")])
        return {}

    builder: StateGraph[State] = StateGraph(State)
    builder.add_node("review", review_conflicts(store, NS)).add_edge(START, "review")
    builder.add_node(asking).add_edge(START, "asking")
    graph = builder.compile(store=store, checkpointer=InMemorySaver())

    def answered(result: Any) -> Any:
        return {
            pause.id: pause.value.upper() if isinstance(pause.value, str) else {ref_of(escalation): {"choose": 1}}
            for pause in result["__interrupt__"]
        }

    result = invoke(graph, {"x": 1}, thread(), is_async=is_async)
    while "__interrupt__" in result:
        result = invoke(graph, Command(resume=answered(result)), thread(), is_async=is_async)
    assert heard[-2:] == ["FIRST?", "SECOND?"]
    assert decisions(store) == [("person", "resolve", "draft")]


@pytest.mark.parametrize("is_async", ASYNC)
def test_a_node_reviews_between_interrupts_of_its_own(is_async: bool) -> None:
    """Twice even: every answer gets where it was asked, and what was decided is not asked again in later executions."""
    store = MergeStore({NS: Brief})
    began = store.workspace.moment()
    for namespace in (NS, ("other",)):
        for name in ("ada", "bob"):
            store.workspace.agent(name, began=began).write(namespace, "k", {"status": name})
    reviews = [review_conflicts(store, NS), review_conflicts(store, ("other",))]
    heard: list[Any] = []

    def node(state: State) -> State:
        before = interrupt("before?")
        reviews[0].invoke(state)
        between = interrupt("between?")
        reviews[1].invoke(state)
        heard.append((before, between, interrupt("after?")))
        return {}

    async def anode(state: State) -> State:
        before = interrupt("before?")
        await reviews[0].ainvoke(state)
        between = interrupt("between?")
        await reviews[1].ainvoke(state)
        heard.append((before, between, interrupt("after?")))
        return {}

    builder: StateGraph[State] = StateGraph(State)
    builder.add_node("node", anode if is_async else node).add_edge(START, "node")
    graph = builder.compile(store=store, checkpointer=InMemorySaver())
    result = invoke(graph, {"x": 1}, thread(), is_async=is_async)
    order = []
    while "__interrupt__" in result:
        [pause] = result["__interrupt__"]
        if isinstance(pause.value, str):
            order.append(pause.value)
            answer: Any = pause.value.upper()
        else:
            order.append(pause.value["namespace"])
            answer = {question["ref"]: {"choose": 2} for question in pause.value["questions"]}
        result = invoke(graph, Command(resume=answer), thread(), is_async=is_async)
    assert order == ["before?", ["briefs"], "between?", ["other"], "after?"]
    assert heard == [("BEFORE?", "BETWEEN?", "AFTER?")]
    assert store.escalations() == [] and decisions(store, "k") == [("person", "resolve", "bob")]


def test_a_loop_reviews_each_time_anew() -> None:
    """Work, review, work again: what the second round contests is asked, with the decision of the first as base."""
    store = MergeStore({NS: Brief})
    builder = disagreeing()
    builder.add_node("review", review_conflicts(store, NS)).add_edge(["ada", "bob"], "review")
    builder.add_node("count", lambda state: {"x": state["x"] + 1}).add_edge("review", "count")
    builder.add_conditional_edges("count", lambda state: ["ada", "bob"] if state["x"] < 3 else END, ["ada", "bob", END])
    graph = builder.compile(store=store, checkpointer=InMemorySaver())
    result = graph.invoke({"x": 1}, thread())
    bases = []
    while "__interrupt__" in result:
        [question] = asked(result)["questions"]
        bases.append(question["base"])
        result = graph.invoke(Command(resume={question["ref"]: {"choose": 2}}), thread())
    assert result == {"x": 3} and len(decisions(store)) == 2
    assert bases[0] is None and bases[1] in ("draft", "ready")


@pytest.mark.parametrize("kind", ["pydantic", "functional"])
def test_other_states_and_entrypoints(kind: str) -> None:
    """A Pydantic state is no obstacle, and an entrypoint runs the review as any runnable."""
    store = MergeStore({NS: Brief})
    escalation = contest(store)

    class Given(BaseModel):
        x: int
        questions: list[int] = []

    if kind == "pydantic":
        builder: StateGraph[Any] = StateGraph(Given)
        builder.add_node("review", review_conflicts(store, NS)).add_edge(START, "review")
        graph: Any = builder.compile(store=store, checkpointer=InMemorySaver())
    else:

        @entrypoint(store=store, checkpointer=InMemorySaver())
        def graph(given: Any) -> Any:
            return review_conflicts(store, NS, report="report").invoke(given)

    asked(graph.invoke({"x": 1, "questions": [7]}, thread()))
    graph.invoke(Command(resume={ref_of(escalation): {"choose": 2}}), thread())
    assert value(store) == {"status": "ready"}


@pytest.mark.parametrize("is_async", ASYNC)
def test_none_reviews_the_store_that_the_graph_runs_with(is_async: bool) -> None:
    """As where a server passes in the store; one that does not merge is refused."""
    store = MergeStore({NS: Brief})
    escalation = contest(store)
    graph = reviewing(None, runs_on=store)
    invoke(graph, {}, thread(), is_async=is_async)
    invoke(graph, Command(resume={ref_of(escalation): {"choose": 1}}), thread(), is_async=is_async)
    assert value(store) == {"status": "draft"}
    with pytest.raises(TypeError, match="given a InMemoryStore"):
        invoke(reviewing(None, runs_on=InMemoryStore()), {}, thread(), is_async=is_async)
    with pytest.raises(TypeError, match="given a InMemoryStore"):
        review_conflicts(InMemoryStore(), NS)  # type: ignore[arg-type]


def test_a_wrapped_store_is_reviewed_and_its_view_follows() -> None:
    """What a person decides is in the store behind, with and without an event loop."""
    for is_async in ASYNC:
        inner = InMemoryStore()
        store = MergeStore.wrap(inner, {NS: Brief})
        escalation = contest(store)
        graph = reviewing(store)
        invoke(graph, {}, thread(), is_async=is_async)
        invoke(graph, Command(resume={ref_of(escalation): {"choose": 1}}), thread(), is_async=is_async)
        assert inner.get(*AT).value == {"status": "draft"}  # type: ignore[union-attr]
