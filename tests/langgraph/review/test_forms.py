"""Questions in the forms of LangChain, agent-inbox and AG-UI: valid by their own types, and answered in them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from ag_ui.core import Interrupt, ResumeEntry
from langchain.agents.middleware.human_in_the_loop import HITLRequest, HITLResponse
from langgraph.types import Command
from pydantic import BaseModel, TypeAdapter
from typing_extensions import TypedDict

from concordant import DELETED, ConcordantError, Contender, Escalation, StaleDecisionError, Text, Workspace, forms
from concordant.forms import AnswerError
from concordant_langgraph import MergeStore
from concordant_langgraph.questions import as_shown, shown

from .support import ASYNC, AT, NS, Brief, contest, decisions, invoke, only, thread, value
from .test_review import outcomes, reviewing


class HumanInterruptConfig(TypedDict):
    """As agent-inbox reads it (src/components/agent-inbox/types.ts)."""

    allow_ignore: bool
    allow_respond: bool
    allow_edit: bool
    allow_accept: bool


class InboxAction(TypedDict):
    """What is to be reviewed."""

    action: str
    args: dict[str, Any]


class HumanInterrupt(TypedDict):
    """A question in agent-inbox."""

    action_request: InboxAction
    config: HumanInterruptConfig
    description: str


ADAPTERS: dict[str, TypeAdapter[Any]] = {
    "hitl": TypeAdapter(HITLRequest),
    "agent-inbox": TypeAdapter(list[HumanInterrupt]),
    "ag-ui": TypeAdapter(Interrupt),
}
FORMS = pytest.mark.parametrize("form", sorted(ADAPTERS))


def edited(form: str, **arguments: Any) -> Any:
    """The answer of a form that changes the arguments."""
    if form == "hitl":
        action = {"name": "resolve_conflict", "args": arguments}
        response = {"decisions": [{"type": "edit", "edited_action": action}]}
        return TypeAdapter(HITLResponse).validate_python(response)
    if form == "agent-inbox":
        return [{"type": "edit", "args": {"action": "resolve_conflict", "args": arguments}}]
    return ResumeEntry(interrupt_id="1", status="resolved", payload=arguments).model_dump(by_alias=True)


DISMISSED = {
    "hitl": {"decisions": [{"type": "reject", "message": "Neither."}]},
    "agent-inbox": edited("agent-inbox", take="base"),
    "ag-ui": {"take": "base"},
}
IGNORED = {
    "agent-inbox": [{"type": "ignore", "args": None}],
    "ag-ui": [{"interruptId": "1", "status": "cancelled"}],
}


class Sentences(BaseModel):
    body: Annotated[str, Text()] = ""


def text_question() -> Escalation:
    """A question about a text, with a suggestion."""
    ws = Workspace(schemas={NS: Sentences})
    ws.agent("lead").write(*AT, {"body": "The fox jumps over the dog."})
    ada, bob = ws.agent("ada"), ws.agent("bob")
    with ada.edit(*AT) as one, bob.edit(*AT) as other:
        one.body, other.body = "The red fox jumps over the dog.", "The fox jumps over the lazy dog."
    [question] = ws.escalations()
    return question


@FORMS
@pytest.mark.parametrize("is_async", ASYNC)
def test_a_graph_asks_one_question_an_interrupt(form: Any, is_async: bool) -> None:
    """Each interrupt is valid in its form and about one question; what comes back settles it, and the next is asked."""
    store = MergeStore({NS: Brief})
    store.put(*AT, {"status": "idea"})
    contest(store)
    contest(store, "title")
    graph = reviewing(store, form=form, by="maria")
    result = invoke(graph, {}, thread(), is_async=is_async)
    for number, take in enumerate((2, "1")):
        [pause] = result["__interrupt__"]
        assert json.loads(json.dumps(pause.value)) == pause.value
        ADAPTERS[form].validate_python(pause.value)
        assert ("status", "title")[number] in json.dumps(pause.value) and len(store.escalations()) == 2 - number
        result = invoke(graph, Command(resume=edited(form, take=take)), thread(), is_async=is_async)
    assert [outcome[0] for outcome in outcomes(result)] == ["resolved"] * 2 and store.escalations() == []
    assert {who for who, _, _ in decisions(store)} == {"maria"}
    assert value(store)["status"] == "ready"


@FORMS
def test_every_way_to_answer(form: Any) -> None:
    """A side, another value, the base; left open, where the form can say so."""
    answers: list[tuple[Any, str, Any]] = [
        (edited(form, take=1), "resolved", "draft"),
        (edited(form, value="better"), "resolved", "better"),
        (edited(form, take=1, value="better"), "resolved", "better"),
        (edited(form, take=1, value=None), "resolved", "draft"),
        (edited(form, value=None), "resolved", None),
        (edited(form, take="base"), "dismissed", "idea"),
        (edited(form, take=0), "dismissed", "idea"),
        (DISMISSED[form], "dismissed", "idea"),
    ]
    answers += [(IGNORED[form], "skipped", "idea")] if form in IGNORED else []
    for given, became, stands in answers:
        store = MergeStore({NS: Brief})
        store.put(*AT, {"status": "idea"})
        contest(store)
        graph = reviewing(store, form=form)
        graph.invoke({}, thread())
        result = graph.invoke(Command(resume=given), thread())
        assert [one[0] for one in outcomes(result)] == [became], given
        assert value(store) == {"status": stands}


def test_texts_that_people_type() -> None:
    """`respond` gives a value: a text where sides are texts, else JSON; a reason to reject stays on record."""
    store = MergeStore({NS: Brief})
    contest(store)
    for form, response in (
        ("hitl", {"type": "respond", "message": "12"}),
        ("agent-inbox", {"type": "response", "args": "12"}),
    ):
        question = only(store)
        assert forms.answer(question, response, form) == forms.Reply("resolve", "12")  # type: ignore[arg-type]
        numbers = as_shown({**shown(question), "contenders": [], "base": 7})
        assert forms.answer(numbers, response, form).value == 12  # type: ignore[arg-type]
    graph = reviewing(store, form="hitl", by="maria")
    graph.invoke({}, thread())
    graph.invoke(Command(resume=DISMISSED["hitl"]), thread())
    assert [(one.by, one.text) for one in only(store, state="dismissed").remarks] == [("maria", "Neither.")]


def test_what_is_approved() -> None:
    """Only a suggestion, which has all sides in it, can be accepted as it is; else a side has to be named."""
    question = text_question()
    assert question.suggestion == "The red fox jumps over the lazy dog."
    wanted = forms.Reply("resolve", question.suggestion)
    hitl, [inbox] = forms.request(question, "hitl"), forms.request(question, "agent-inbox")
    assert "approve" in hitl["review_configs"][0]["allowed_decisions"] and inbox["config"]["allow_accept"]
    assert forms.answer(question, {"decisions": [{"type": "approve"}]}, "hitl") == wanted
    for given in (None, inbox["action_request"]):
        assert forms.answer(question, [{"type": "accept", "args": given}], "agent-inbox") == wanted
    assert forms.answer(question, {"take": "suggestion"}, "ag-ui") == wanted
    plain = as_shown({**shown(question), "reason": "scalar"})
    assert "approve" not in forms.request(plain, "hitl")["review_configs"][0]["allowed_decisions"]
    assert not forms.request(plain, "agent-inbox")[0]["config"]["allow_accept"]
    for form, response in (("hitl", {"type": "approve"}), ("agent-inbox", {"type": "accept", "args": None})):
        with pytest.raises(AnswerError):
            forms.answer(plain, response, form)  # type: ignore[arg-type]


@FORMS
@pytest.mark.parametrize(
    "wrong",
    [
        *(
            None,
            1,
            "draft",
            [],
            {},
            {"type": "maybe"},
            {"decisions": []},
            {"decisions": 3},
            {"status": "perhaps"},
            [1, 2],
        ),
        *({"type": "edit"}, {"type": "edit", "args": 3}, {"type": "edit", "edited_action": None}, {"take": None}),
        *({"take": 3}, {"take": True}, {"take": "x"}, {"take": [1]}, {"take": {}}, {"type": "response", "args": 3}),
        {"status": "resolved"},
    ],
)
def test_what_is_no_answer_is_asked_again(form: Any, wrong: Any) -> None:
    """The request says why, is valid still, and nothing is decided."""
    store = MergeStore({NS: Brief})
    contest(store)
    graph = reviewing(store, form=form)
    [first] = graph.invoke({}, thread())["__interrupt__"]
    [again] = graph.invoke(Command(resume={first.id: wrong}), thread())["__interrupt__"]
    ADAPTERS[form].validate_python(again.value)
    assert again.value != first.value and len(json.dumps(again.value)) > len(json.dumps(first.value))
    assert len(store.escalations()) == 1 and decisions(store) == []
    [once_more] = graph.invoke(Command(resume=edited(form, value=5)), thread())["__interrupt__"]
    assert "not of the field's type" in json.dumps(once_more.value)


@FORMS
def test_an_answer_is_to_what_was_shown(form: Any) -> None:
    """A side that came meanwhile has it asked again; an answer that names another question is refused."""
    store = MergeStore({NS: Brief})
    began = store.workspace.moment()
    escalation = contest(store)
    graph = reviewing(store, form=form)
    graph.invoke({}, thread())
    store.workspace.agent("eve", began=began).write(*AT, {"status": "late"})
    [again] = graph.invoke(Command(resume=edited(form, take=1)), thread())["__interrupt__"]
    assert "its contenders changed" in json.dumps(again.value) and "late" in json.dumps(again.value)
    stale = edited(form, take=1, question=forms.ref_of(escalation))
    [again] = graph.invoke(Command(resume=stale), thread())["__interrupt__"]
    assert "another question" in json.dumps(again.value)
    graph.invoke(Command(resume=edited(form, take=3, question=forms.ref_of(only(store)))), thread())
    assert value(store) == {"status": "late"}
    entry = {"interruptId": forms.ref_of(escalation), "status": "resolved", "payload": {"take": 1}}
    with pytest.raises(AnswerError, match="another question"):
        forms.answer(as_shown({**shown(escalation), "version": "0" * 12}), entry, "ag-ui")
    assert forms.answer(escalation, entry, "ag-ui").act == "resolve"


def test_outside_a_graph() -> None:
    """The same mapping for any channel: ask, read the answer, and settle it on the contenders that were shown."""
    with Workspace() as ws:
        began = ws.moment()
        for agent in ("ada", "bob"):
            ws.agent(agent, began=began).write(NS, "k", {"status": agent})
        [question] = ws.escalations()
        ignored = forms.answer(question, IGNORED["agent-inbox"], "agent-inbox")
        assert not forms.settle(ws, question, ignored, by="maria") and ws.escalations() == [question]
        ws.agent("eve", began=began).write(NS, "k", {"status": "eve"})
        with pytest.raises(StaleDecisionError):
            forms.settle(ws, question, forms.answer(question, {"take": 1}, "ag-ui"), by="maria")
        [now] = ws.escalations()
        assert forms.settle(ws, now, forms.answer(now, DISMISSED["hitl"], "hitl"), by="maria")
        assert ws.escalations(state="dismissed")[0].remarks[-1].text == "Neither."


@FORMS
def test_deletions_and_what_cannot_be_chosen(form: Any) -> None:
    """A side that deletes can be taken; of values that do not fit none is offered."""
    at = shown(text_question())
    deletion = as_shown(
        {
            **at,
            "reason": "delete",
            "contenders": [{**at["contenders"][0], "value": None, "deleted": True}, at["contenders"][1]],
        }
    )
    assert forms.answer(deletion, edited(form, take=1), form).value is DELETED
    assert "deleted by bob" in json.dumps(forms.request(deletion, form))
    unfit = as_shown({**at, "reason": "invalid"})
    with pytest.raises(AnswerError, match="none of base"):
        forms.answer(unfit, edited(form, take=1), form)
    assert forms.answer(unfit, edited(form, value="x"), form).value == "x"


@FORMS
def test_what_agents_wrote_marks_nothing_up(form: Any) -> None:
    """Values are code, names are escaped: no link, no heading, no image of theirs; and long ones are shown in part."""
    evil = "``` ` [here](https://evil) ![x](y)\n# Decided: take 2 <img src=x>"
    at = shown(text_question())
    side = {**at["contenders"][0], "value": evil, "agent": "[a](b)", "agents": ["[a](b)", "*c*"]}
    question = as_shown({**at, "reason": "scalar", "contenders": [side, {**side, "value": "x" * 100_000}]})
    request = forms.request(question, form)
    text = {
        "hitl": lambda: request["action_requests"][0]["description"],
        "agent-inbox": lambda: request[0]["description"],
        "ag-ui": lambda: request["message"],
    }[form]()
    lines = [line for line in text.split("\n") if line.startswith("- 1: ")]
    assert lines == [f"- 1: ```` {json.dumps(evil)} ```` by \\[a\\](b) and \\*c\\*"]
    assert len(text) < 5_000 and "# Decided" not in [line[:9] for line in text.split("\n")]


@FORMS
def test_every_question_is_valid_and_answerable(form: Any, seed: str) -> None:
    """Of any reason, values and names: the request is valid, and each choice that its text offers is taken."""
    chance = random.Random(f"{seed}/{form}")
    values = ["", "x`y", "# z", None, 0, -1.5, True, [1, "a"], {"a": {"b": None}}, "\ud83d\ude00", "long " * 900]
    at = shown(text_question())
    for _ in range(300):
        sides = [
            {**at["contenders"][0], "value": chance.choice(values), "agents": chance.sample(["ada", "*b*", "c`d"], 2)}
            for _ in range(chance.randint(0, 5))
        ]
        question = as_shown(
            {
                **at,
                "reason": chance.choice(["scalar", "text", "delete", "type", "schema", "invalid"]),
                "path": chance.choice([[], ["a"], ["a", "b.c"]]),
                "contenders": sides,
                "base": chance.choice(values),
                "has_base": chance.random() < 0.5,
                "more": chance.choice([0, 0, 7]),
            }
        )
        request = forms.request(question, form, problem=chance.choice(["", "It was no answer."]))
        ADAPTERS[form].validate_python(json.loads(json.dumps(request)))
        for take in forms._choices(question):
            assert forms.answer(question, edited(form, take=take), form).act in ("resolve", "dismiss")


def test_an_unknown_form_is_refused() -> None:
    """When the node is made, and by each call."""
    question = text_question()
    calls: list[Callable[[], Any]] = [
        lambda: reviewing(MergeStore(), form="a2a"),
        lambda: forms.request(question, "a2a"),  # type: ignore[arg-type]
        lambda: forms.answer(question, {}, None),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(ConcordantError, match="form= is one of"):
            call()


def test_a_question_outlives_its_checkpoint() -> None:
    """What the graph keeps is the question as it was shown, with all that a form needs."""
    question = text_question()
    again = as_shown(json.loads(json.dumps(shown(question))))
    assert again.suggestion == question.suggestion and forms.ref_of(again) == forms.ref_of(question)
    assert [(one.value, one.agents, one.at) for one in again.contenders] == [
        (one.value, one.agents, one.at) for one in question.contenders
    ]
    assert isinstance(again.contenders[0], Contender)
    old = {name: part for name, part in shown(question).items() if name != "more"}  # before forms
    assert as_shown(old).more == 0
