"""What an update does, kind by kind, and what it answers to wrong ones."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, field_validator

from concordant import ConcordantError, Counter, List, Map, Scalar, Set, Text, Tree, Workspace
from concordant.tooling import Toolkit
from tests.tooling.support import KEY, NS, Desk

BASE: dict[str, Any] = {
    "tags": ["a", "b"],
    "notes": "The quick fox.",
    "tokens": 5,
    "steps": ["one", "two", "one"],
    "owners": {"intro": "ann", "end": "ben"},
    "votes": {"yes": [1, 2]},
    "sources": [{"id": "s1", "title": "Dots", "quotes": ["q"]}, {"id": "s2"}],
    "main": {"title": "Main", "quotes": ["m"]},
    "status": "draft",
    "size": 3,
}


@pytest.mark.parametrize(
    ("arguments", "field", "expected"),
    [
        ({"tags": ["c"]}, "tags", ["a", "b", "c"]),
        ({"tags": ["c"], "remove_tags": ["a"]}, "tags", ["b", "c"]),
        ({"notes": "It jumps."}, "notes", "The quick fox.\nIt jumps."),
        ({"replace_notes": [{"find": "quick", "replace": "slow"}]}, "notes", "The slow fox."),
        (
            {
                "notes": "End.",
                "replace_notes": [{"find": "fox", "replace": "dog"}, {"find": "dog.", "replace": "cat."}],
            },
            "notes",
            "The quick cat.\nEnd.",
        ),
        ({"tokens": 3}, "tokens", 8),
        ({"tokens": -3}, "tokens", 2),
        ({"steps": ["three"]}, "steps", ["one", "two", "one", "three"]),
        ({"remove_steps": ["one"]}, "steps", ["two", "one"]),
        ({"remove_steps": ["one", "one"]}, "steps", ["two"]),
        ({"replace_steps": [{"find": "two", "replace": ["two", "2b"]}]}, "steps", ["one", "two", "2b", "one"]),
        ({"owners": [{"key": "intro", "value": "eve"}]}, "owners", {"intro": "eve", "end": "ben"}),
        ({"owners": {"mid": "eve"}}, "owners", {"intro": "ann", "end": "ben", "mid": "eve"}),
        ({"remove_owners": ["end"]}, "owners", {"intro": "ann"}),
        ({"votes": [{"key": "yes", "value": [3], "remove_value": [1]}]}, "votes", {"yes": [2, 3]}),
        ({"votes": [{"key": "no"}]}, "votes", {"yes": [1, 2], "no": []}),
        ({"remove_votes": ["yes"]}, "votes", {}),
        (
            {"sources": [{"id": "s2", "title": "Two"}, {"id": "s3"}], "remove_sources": ["s1"]},
            "sources",
            [{"id": "s2", "title": "Two"}, {"id": "s3"}],
        ),
        (
            {"sources": [{"id": "s1", "remove_quotes": ["q"], "quotes": ["r"], "clear": ["title"]}]},
            "sources",
            [{"id": "s1", "title": None, "quotes": ["r"]}, {"id": "s2"}],
        ),
        (
            {"main": {"id": "m", "replace_quotes": [{"find": "m", "replace": ["n"]}]}},
            "main",
            {"id": "m", "title": "Main", "quotes": ["n"]},
        ),
        ({"status": "review"}, "status", "review"),
        ({"clear": ["status"]}, "status", None),
        ({"size": 0}, "size", 0),
    ],
)
def test_each_kind_takes_its_changes(arguments: dict[str, Any], field: str, expected: Any) -> None:
    """An argument does to its field what its kind says, and to no other field anything."""
    desk = Desk()
    desk.base(**BASE)
    before = desk.value()
    with desk.task("ada") as ada:
        answer = ada.update(**arguments)
    assert answer.text == 'Written to brief "launch".'
    assert desk.value() == {**before, field: expected}


def test_null_leaves_a_field_alone() -> None:
    """Every argument may be null, as providers with strict schemas send them, and null changes nothing."""
    desk = Desk()
    desk.base(**BASE)
    before = desk.value()
    nothing = dict.fromkeys(desk.update.arguments.model_fields)
    with desk.task("ada") as ada:
        assert ada.update(**{**nothing, "tokens": 1}).text == 'Written to brief "launch".'
        answer = ada.update(**nothing)
    assert (answer.failed, answer.text) == (True, "Nothing was written:\n- give at least one change.")
    assert desk.value() == {**before, "tokens": 6}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"statsu": "done"}, "- statsu: there is no such argument. The arguments are: tags, remove_tags, notes,"),
        (
            {"tokens": "many"},
            "- tokens: input should be a valid integer, unable to parse string as",
        ),
        ({"status": "doen"}, "- status: input should be 'draft', 'review' or 'done'; you gave \"doen\"."),
        ({"size": -1}, "- size: input should be greater than or equal to 0; you gave -1."),
        ({"main": {"titel": "x"}}, "- main.titel: there is no such argument. Leave it out"),
        ({"sources": [{"title": "x"}]}, "- sources.0.id: it is missing. Give it"),
        (
            {"replace_notes": [{"find": "slow", "replace": "x"}]},
            '- replace_notes: "slow" is not in the text that you have seen.',
        ),
        ({"replace_notes": [{"find": " ", "replace": "x"}]}, '- replace_notes: " " is there 2 times. Give more of the'),
        ({"replace_notes": [{"find": "", "replace": "x"}]}, "- replace_notes: `find` is empty."),
        ({"replace_steps": [{"find": "zero", "replace": []}]}, '- replace_steps: "zero" is not in it.'),
        ({"clear": ["status"], "status": "done"}, "- clear: status is given a value as well."),
        ({"clear": ["size"]}, "- clear.0: input should be 'status'; you gave \"size\"."),
        ({"notes": "\ud800"}, "- notes: "),
    ],
)
def test_a_wrong_call_is_told_how_to_mend_it(arguments: dict[str, Any], said: str) -> None:
    """A wrong argument is an answer that names it and what to give, and nothing of the call is written."""
    desk = Desk()
    desk.base(**BASE)
    before = desk.value()
    with desk.task("ada") as ada:
        answer = ada.update(**{"tags": ["x"], **arguments})
    assert answer.failed
    assert answer.text.startswith("Nothing was written. Mend the call and try again:\n")
    assert said in answer.text
    assert desk.value() == before


def test_what_is_not_there_needs_no_removal() -> None:
    """A removal of what is not there is told, and the rest of the call is written."""
    desk = Desk()
    desk.base(**BASE)
    with desk.task("ada") as ada:
        answer = ada.update(
            remove_tags=["z"], remove_steps=["zero"], remove_owners=["z"], remove_sources=["z"], tokens=1
        )
    assert answer.text.splitlines() == [
        'Written to brief "launch".',
        '- tags: "z" is not among the elements you have seen.',
        '- steps: "zero" is not among the items you have seen.',
        '- owners: "z" is not among the keys you have seen.',
        '- sources: "z" is not among the records you have seen.',
    ]
    assert desk.value() == {**BASE, "tokens": 6, "votes": {"yes": [1, 2]}}


class Checked(BaseModel):
    code: Annotated[str | None, Scalar()] = None
    stock: Annotated[int, Counter()] = 0

    @field_validator("code")
    @classmethod
    def is_upper(cls, value: str | None) -> str | None:
        if value is not None and not value.isupper():
            raise ValueError("write it in capitals")
        return value


def test_a_validators_word_reaches_the_caller() -> None:
    """What the model's own validator objects to is the answer; the value is not parked for somebody else."""
    desk = Desk(Checked)
    with desk.task("ada") as ada:
        answer = ada.update(code="abc", stock=1)
        assert answer.failed
        assert "- code: Value error, write it in capitals. Give a value of the declared type" in answer.text
        assert desk.ws.get(NS, KEY) is None
        assert not ada.update(code="ABC", stock=1).failed
    assert desk.value() == {"code": "ABC", "stock": 1}
    assert desk.ws.escalations() == []


class Added(BaseModel):
    tags: Annotated[list[str], Set(grow_only=True)] = []
    notes: Annotated[str, Text(grow_only=True, separator=" | ")] = ""
    steps: Annotated[list[str], List(grow_only=True)] = []
    owners: Annotated[dict[str, str], Map(grow_only=True)] = {}


def test_what_only_grows_has_no_arguments_that_take_away() -> None:
    """A field that is ``grow_only`` can be added to and nothing else."""
    assert list(Desk(Added).update.arguments.model_fields) == ["tags", "notes", "steps", "owners"]


class Typed(BaseModel):
    days: Annotated[set[date], Set()] = set()
    cost: Annotated[Decimal, Counter()] = Decimal(0)
    prices: Annotated[list[Decimal], List()] = []
    due: Annotated[date | None, Scalar()] = None
    point: Annotated[tuple[int, str] | None, Scalar()] = None
    free: Annotated[Any, Scalar()] = None
    hours: Annotated[dict[str, Annotated[Decimal, Counter()]], Map()] = {}


def test_values_of_every_type_are_compared_as_they_are_stored() -> None:
    """Dates and decimals, given as JSON, find what they remove or replace."""
    desk = Desk(Typed)
    first = {"days": ["2030-01-01", "2030-01-02"], "cost": "1.10", "prices": ["1.50", 2], "hours": {"ann": "2.5"}}
    desk.base(**first, point=[1, "a"], free={"any": [1, None]}, due="2030-05-05")
    with desk.task("ada") as ada:
        answer = ada.update(
            remove_days=["2030-01-01"],
            cost=0.5,
            replace_prices=[{"find": "1.5", "replace": ["1.75"]}],
            hours=[{"key": "ann", "value": 1}],
        )
    assert answer.text == 'Written to brief "launch".'
    assert desk.value() == {
        "days": ["2030-01-02"],
        "cost": "1.60",
        "prices": ["1.75", "2"],
        "hours": {"ann": "3.5"},
        "point": [1, "a"],
        "free": {"any": [1, None]},
        "due": "2030-05-05",
    }


class Fact(BaseModel):
    id: UUID
    text: str = ""
    trust: float = Field(0.5, le=1)


class Facts(BaseModel):
    facts: Annotated[list[Fact], Set(by="id")] = []


def test_records_without_kinds_are_added_replaced_and_removed_as_they_are() -> None:
    """Each is one value, told by the field that identifies it."""
    desk = Desk(Facts)
    one, two, three = (str(UUID(int=number)) for number in (1, 2, 3))
    desk.base(facts=[{"id": one, "text": "a"}, {"id": two, "text": "b"}])
    with desk.task("ada") as ada:
        assert not ada.update(facts=[{"id": one, "trust": 1}], remove_facts=[two]).failed
        assert "facts.0.trust" in ada.update(facts=[{"id": one, "trust": 7}]).text
        assert "not among the records" in ada.update(remove_facts=[three]).text
    assert desk.value() == {"facts": [{"id": one, "text": "", "trust": 1.0}]}


class Awkward(BaseModel):
    key: Annotated[str, Scalar()] = ""
    clear: Annotated[set[str], Set()] = set()
    remove_clear: Annotated[str | None, Scalar()] = None
    runtime: Annotated[int, Counter()] = 0


def test_arguments_make_way_for_fields_and_for_the_framework() -> None:
    """A field keeps its name as an argument, whatever the tools' own arguments are called; the framework's names are
    taken."""
    desk = Desk(Awkward, key=None, reserved=["runtime"])
    assert list(desk.update.arguments.model_fields) == [
        "key_",
        "key",
        "clear",
        "remove_clear_",
        "remove_clear",
        "runtime_",
        "clear_",
    ]
    with desk.task("ada") as ada:
        ada.update(key_="k", key="x", clear=["a", "b"], remove_clear="y", runtime_=3)
        ada.update(key_="k", remove_clear_=["a"], clear_=["remove_clear"])
    assert desk.value("k") == {"key": "x", "clear": ["b"], "remove_clear": None, "runtime": 3}


def test_the_key_is_an_argument_unless_it_is_fixed() -> None:
    """Without a fixed key an update names its document, and a read without a key lists all keys."""
    desk = Desk(key=None)
    with desk.task("ada") as ada:
        assert ada.read().text == "There is no brief yet; update_brief makes one."
        assert ada.read(key="a").text == 'There is no brief "a" yet; update_brief makes it.'
        assert "- key: it is missing. Give it" in ada.update(tags=["x"]).text
        ada.update(key="a", tags=["x"])
        ada.update(key="b", tags=["y"])
        assert ada.read().text == 'The keys of all: ["a", "b"]. Read one with its key.'
        assert ada.read(key="b").text.splitlines()[:2] == ['brief "b":', 'tags: ["y"]']


def test_tools_refuse_a_namespace_of_another_model() -> None:
    """A workspace that has no model, or another one, in the namespace is the program's mistake, and an error."""
    kit = Toolkit(Checked)
    for workspace in (Workspace(), Workspace(schemas={NS: Added})):
        for tool in kit:
            with pytest.raises(ConcordantError, match=r"the tools are for Checked, but the namespace .* has"):
                tool.answer(workspace, NS, {})


def test_names_come_from_the_model() -> None:
    """A model's name in small letters is in the tools' names; another may be given, and must be one that providers
    take."""

    class HTTPLogEntry(Added):
        pass

    names = [tool.name for tool in Toolkit(HTTPLogEntry)]
    assert names == [
        "read_http_log_entry",
        "update_http_log_entry",
        "list_http_log_entry_conflicts",
        "resolve_http_log_entry_conflict",
    ]
    assert next(iter(Toolkit(Added, name="plan"))).name == "read_plan"
    with pytest.raises(ConcordantError, match="no tool can be called 'read_the plan'"):
        Toolkit(Added, name="the plan")


class Plan(BaseModel):
    plan: Annotated[dict[str, Any], Tree()] = {}


PLAN: dict[str, Any] = {"a": {"b": 1, "c": [1]}, "d": 1}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"plan": [{"path": ["a", "b"], "value": 2}]}, {"a": {"b": 2, "c": [1]}, "d": 1}),
        ({"plan": [{"path": ["a", "c"], "value": [1, 2]}]}, {"a": {"b": 1, "c": [1, 2]}, "d": 1}),
        ({"plan": [{"path": ["e", "f"], "value": {"g": []}}]}, {**PLAN, "e": {"f": {"g": []}}}),
        ({"plan": [{"path": ["a"], "value": [1]}], "remove_plan": [["d"]]}, {"a": [1]}),
        ({"remove_plan": [["a", "b"]]}, {"a": {"c": [1]}, "d": 1}),
    ],
)
def test_paths_of_a_tree(arguments: dict[str, Any], expected: Any) -> None:
    """Values are set and removed by the keys that lead to them; a path that is not there is told."""
    desk = Desk(Plan)
    desk.base(plan=[{"path": [name], "value": value} for name, value in PLAN.items()])
    with desk.task("ada") as ada:
        assert not ada.update(**arguments).failed
        answer = ada.update(remove_plan=[["a", "z"]])
    assert desk.value() == {"plan": expected}
    assert answer.failed and '["a", "z"] is not among the paths you have seen' in answer.text


def test_two_who_set_one_path_are_told() -> None:
    """The question has the whole path; other paths merge."""
    desk = Desk(Plan)
    desk.base(plan=[{"path": ["a"], "value": PLAN["a"]}])
    with desk.task("ada") as ada:
        ada.update(plan=[{"path": ["a", "b"], "value": 2}])
    with desk.task("bob") as bob:
        answer = bob.update(plan=[{"path": ["a", "b"], "value": {"x": 1}}, {"path": ["a", "n"], "value": 1}])
    assert "plan.a.b: values of different types" in answer.text and '1. 2 by "ada"' in answer.text
    assert desk.value() == {"plan": {"a": {"b": 1, "c": [1], "n": 1}}}
