"""Merges that break a constraint or validator: reason ``invalid``; the rest is shown and validates."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, field_validator, model_validator

from concordant import Counter, InvalidWriteError, List, Map, Scalar, Set, Text, Workspace

from .support import AT, only, pair, shown, sides, values, workspace


class Stock(BaseModel):
    amount: Annotated[int, Counter(), Field(ge=0)] = 0
    note: Annotated[str | None, Scalar()] = None


class Limited(BaseModel):
    tags: Annotated[set[str], Set(), Field(max_length=3)] = set()
    steps: Annotated[list[str], List(), Field(max_length=3)] = []
    body: Annotated[str, Text(), Field(max_length=12)] = ""
    owners: Annotated[dict[str, int], Map(), Field(max_length=3)] = {}


class Span(BaseModel):
    start: Annotated[int, Scalar()] = 0
    end: Annotated[int, Scalar()] = 10
    note: Annotated[str | None, Scalar()] = None

    @model_validator(mode="after")
    def ordered(self) -> Span:
        if self.start > self.end:
            raise ValueError("the start is after the end")
        return self


class Even(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    count: Annotated[int, Counter()] = 0

    @field_validator("tags")
    @classmethod
    def no_contradiction(cls, tags: set[str]) -> set[str]:
        if {"open", "closed"} <= tags:
            raise ValueError("open and closed")
        return tags


def always_validates(ws: Workspace, model: type[BaseModel]) -> None:
    document = ws.get(*AT)
    assert document is not None
    model.model_validate(document.value)
    assert isinstance(document.model, model)


def test_a_sum_below_its_minimum() -> None:
    """The withdrawal that would make it negative is held back as a contender."""
    ws = workspace(Stock)
    ws.agent("eve").write(*AT, {"amount": 5})
    ada, bob = pair(ws)
    with ada.edit(*AT) as one, bob.edit(*AT) as other:
        one.amount -= 3
        other.amount -= 4
    assert (shown(ws) or {})["amount"] in (1, 2)
    escalation = only(ws)
    assert (escalation.path, escalation.reason) == (("amount",), "invalid")
    always_validates(ws, Stock)


def test_entries_apply_in_the_order_of_time() -> None:
    """The first withdrawals stand, the one that no longer fits is the contender."""
    ws = workspace(Stock)
    ws.agent("eve").write(*AT, {"amount": 10})
    began = ws.moment()
    for name, amount in (("ada", -4), ("bob", -4), ("joe", -4)):
        ws.agent(name, began=began).write(*AT, {"amount": amount})
    assert shown(ws) == {"amount": 2}
    assert sides(only(ws)) == {"joe": -4}


def test_what_comes_later_can_make_it_fit() -> None:
    """A held back withdrawal is live: with enough on stock it counts, and the escalation closes."""
    ws = workspace(Stock)
    for name, amount in (("eve", 5), ("ada", -3), ("bob", -4)):
        ws.agent(name).write(*AT, {"amount": amount})
    assert shown(ws) == {"amount": 2} and only(ws).reason == "invalid"
    ws.agent("eve").write(*AT, {"amount": 10})
    assert shown(ws) == {"amount": 8} and ws.escalations() == []


def test_the_rest_of_the_write_is_shown() -> None:
    """One bad field does not cost the others."""
    ws = workspace(Stock)
    ws.agent("eve").write(*AT, {"amount": 1})
    ws.agent("ada").write(*AT, {"amount": -5, "note": "sold"})
    assert shown(ws) == {"amount": 1, "note": "sold"}
    assert only(ws).path == ("amount",)
    always_validates(ws, Stock)


@pytest.mark.parametrize("value", [0, 3])
def test_a_decision_on_a_sum(value: int) -> None:
    """The decided value is the counter's value."""
    ws = workspace(Stock)
    for name, amount in (("eve", 5), ("ada", -3), ("bob", -4)):
        ws.agent(name).write(*AT, {"amount": amount})
    ws.resolve(only(ws), value, by="editor")
    assert shown(ws) == {"amount": value} and ws.escalations() == []
    ws.agent("eve").write(*AT, {"amount": 1})
    assert shown(ws) == {"amount": value + 1} and ws.escalations() == []


def test_dismissing_goes_back_to_what_is_shown() -> None:
    """What was held back is dropped."""
    ws = workspace(Stock)
    for name, amount in (("eve", 5), ("ada", -3), ("bob", -4)):
        ws.agent(name).write(*AT, {"amount": amount})
    ws.dismiss(only(ws), by="editor")
    assert shown(ws) == {"amount": 2} and ws.escalations() == []


@pytest.mark.parametrize(
    ("field", "first", "second"),
    [
        ("tags", ["a", "b"], ["c", "d"]),
        ("steps", ["a", "b"], ["c", "d"]),
        ("body", "one two", "three four"),
        ("owners", {"a": 1, "b": 1}, {"c": 1, "d": 1}),
    ],
)
def test_more_than_the_longest(field: str, first: Any, second: Any) -> None:
    """Two contributions that fit alone and not together: the second is contested, the value stays short."""
    ws = workspace(Limited)
    ada, bob = pair(ws)
    ada.write(*AT, {field: first})
    bob.write(*AT, {field: second})
    assert {escalation.reason for escalation in ws.escalations()} == {"invalid"}
    found = (shown(ws) or {})[field]
    assert len(found) <= (12 if field == "body" else 3)
    assert all(item in found for item in first)
    assert all(escalation.path[0] == field for escalation in ws.escalations())
    always_validates(ws, Limited)


def test_a_write_that_fits_alone_and_together_is_no_question() -> None:
    """Constraints that hold ask nobody."""
    ws = workspace(Limited)
    ada, bob = pair(ws)
    ada.write(*AT, {"tags": ["a", "b"], "body": "one"})
    bob.write(*AT, {"tags": ["b", "c"], "body": "two"})
    assert shown(ws) == {"tags": ["a", "b", "c"], "body": "one\ntwo"} and ws.escalations(state="all") == []


def test_a_model_validator_across_fields() -> None:
    """Two scalars that fit each alone: the later write is held back, a contender of its field."""
    ws = workspace(Span)
    ws.agent("eve").write(*AT, {"start": 0, "end": 10})
    ada, bob = pair(ws)
    ada.write(*AT, {"start": 8})
    bob.write(*AT, {"end": 5, "note": "shorter"})
    assert shown(ws) == {"start": 8, "end": 10, "note": "shorter"} or (shown(ws) or {}).get("end") is None
    assert (only(ws).path, only(ws).reason) == (("end",), "invalid")
    assert sides(only(ws)) == {"bob": 5}
    always_validates(ws, Span)
    assert (shown(ws) or {})["note"] == "shorter"


def test_a_decision_across_fields() -> None:
    """A decided value that fits closes the question."""
    ws = workspace(Span)
    ws.agent("eve").write(*AT, {"start": 0, "end": 10})
    ada, bob = pair(ws)
    ada.write(*AT, {"start": 8})
    bob.write(*AT, {"end": 5})
    ws.resolve(only(ws), 9, by="editor")
    assert shown(ws) == {"start": 8, "end": 9} and ws.escalations() == []


def test_a_write_that_has_seen_all_and_fits_supersedes() -> None:
    """A later write that mends it closes the question."""
    ws = workspace(Span)
    ws.agent("eve").write(*AT, {"start": 0, "end": 10})
    ada, bob = pair(ws)
    ada.write(*AT, {"start": 8})
    bob.write(*AT, {"end": 5})
    ws.agent("joe").write(*AT, {"start": 1, "end": 5})
    assert shown(ws) == {"start": 1, "end": 5} and ws.escalations() == []
    assert only(ws, "superseded").reason == "invalid"


def test_a_sequential_write_that_breaks_a_validator_is_held_back() -> None:
    """Never shown, never lost."""
    ws = workspace(Span)
    ws.agent("ada").write(*AT, {"start": 5, "end": 7})
    ws.agent("ada").write(*AT, {"end": 3})
    always_validates(ws, Span)
    assert values(only(ws)) == [3]


def test_a_field_validator_of_a_merged_field() -> None:
    """Two elements that may not stand together: the later is contested."""
    ws = workspace(Even)
    ada, bob = pair(ws)
    ada.write(*AT, {"tags": ["open", "x"]})
    bob.write(*AT, {"tags": ["closed"], "count": 1})
    found = shown(ws) or {}
    assert set(found["tags"]) == {"open", "x"} and found["count"] == 1
    assert (only(ws).path, only(ws).reason) == (("tags",), "invalid")
    assert sides(only(ws)) == {"bob": ["closed"]}
    always_validates(ws, Even)


def test_a_first_write_that_breaks_a_validator() -> None:
    """It makes a document that validates, with the rest as contenders."""
    ws = workspace(Span)
    ws.agent("ada").write(*AT, {"start": 9, "end": 1, "note": "n"})
    always_validates(ws, Span)
    assert (shown(ws) or {})["note"] == "n"
    assert {e.reason for e in ws.escalations()} == {"invalid"}


def test_constraints_on_decimals_in_maps() -> None:
    """Constraints below a container hold for the merged value too."""

    class Ledger(BaseModel):
        accounts: Annotated[dict[str, Annotated[Decimal, Counter(), Field(ge=0)]], Map()] = {}

    ws = workspace(Ledger)
    ws.agent("eve").write(*AT, {"accounts": {"a": 5, "b": 5}})
    ws.agent("ada").write(*AT, {"accounts": {"a": -3, "b": -3}})
    ws.agent("bob").write(*AT, {"accounts": {"a": -3}})
    assert shown(ws) == {"accounts": {"a": "2", "b": "2"}}
    assert (only(ws).path, only(ws).reason) == (("accounts", "a"), "invalid")
    always_validates(ws, Ledger)


def test_escalations_of_a_broken_merge_are_the_same_on_all_replicas() -> None:
    """Entries apply in (time, dot) order, wherever they are merged."""
    one, other = (workspace(Stock, replica=name) for name in ("one", "other"))
    one.agent("eve").write(*AT, {"amount": 5})
    other.import_(one.export())
    one.agent("ada").write(*AT, {"amount": -3})
    other.agent("bob").write(*AT, {"amount": -4})
    frames = one.export(), other.export()
    other.import_(frames[0])
    one.import_(frames[1])
    assert shown(one) == shown(other) == {"amount": 2}
    assert (only(one).id, only(one).version) == (only(other).id, only(other).version)
    assert sides(only(one)) == sides(only(other)) == {"bob": -4}


@pytest.mark.parametrize(
    ("field", "first", "second", "decided"),
    [
        ("amount", 5, -7, -7),
        ("tags", ["a", "b"], ["c", "d"], ["a", "b", "c", "d"]),
        ("steps", ["a", "b"], ["c", "d"], ["a", "b", "c", "d"]),
        ("body", "one two", "three four", "one two three"),
    ],
)
def test_a_decision_that_breaks_the_constraint_is_refused(field: str, first: Any, second: Any, decided: Any) -> None:
    """It would be held back as what it decides about was: nothing changes, and the error says what to do."""
    ws = workspace(Stock if field == "amount" else Limited)
    for name, value in (("ada", first), ("bob", second)):
        ws.agent(name).write(*AT, {field: value})
    question, before, made = only(ws), shown(ws), len(ws.history(*AT))
    with pytest.raises(InvalidWriteError, match=r"breaks a constraint.*Give a value that fits"):
        ws.resolve(question, decided, by="editor")
    assert (only(ws), shown(ws), len(ws.history(*AT))) == (question, before, made)


def test_a_decision_on_what_a_deletion_has_taken_is_refused_alike() -> None:
    """What is held back was deleted beside an update: the decision adds nothing to it, and would leave it open."""
    ws = workspace(Stock)
    ada, bob = pair(ws)
    ada.write(*AT, {"note": "a", "amount": -3})
    bob.write(*AT, {"note": "b"})
    ada.delete(*AT)
    [question] = [one for one in ws.escalations() if one.path == ("amount",)]
    with pytest.raises(InvalidWriteError, match=r"amount.*breaks a constraint"):
        ws.resolve(question, -3, by="editor")
    ws.resolve(question, 2, by="editor")
    assert all(one.path != ("amount",) for one in ws.escalations())


def test_a_decision_that_breaks_with_another_field_is_refused() -> None:
    """Whatever the question is about; once what it has to fit is there, it is taken."""
    ws = workspace(Span)
    ws.agent("eve").write(*AT, {"start": 0, "end": 10})
    ada, bob = pair(ws)
    ada.write(*AT, {"start": 3})
    bob.write(*AT, {"start": 4})
    assert only(ws).reason == "scalar"
    with pytest.raises(InvalidWriteError, match="start: with this value the document breaks a constraint"):
        ws.resolve(only(ws), 30, by="editor")
    ws.agent("eve").write(*AT, {"end": 40})
    ws.resolve(only(ws), 30, by="editor")
    assert shown(ws) == {"start": 30, "end": 40} and ws.escalations() == []


def test_a_function_whose_answer_breaks_a_constraint_leaves_the_question_open() -> None:
    """As one whose answer is of the wrong type."""

    class Chosen(BaseModel):
        start: Annotated[int, Scalar(resolve=lambda question: 99)] = 0
        end: Annotated[int, Scalar()] = 10

        @model_validator(mode="after")
        def ordered(self) -> Chosen:
            assert self.start <= self.end
            return self

    ws = workspace(Chosen)
    ada, bob = pair(ws)
    ada.write(*AT, {"start": 3})
    bob.write(*AT, {"start": 4})
    assert (only(ws).path, only(ws).reason) == (("start",), "scalar")


class Everything(Limited):
    amount: Annotated[int, Counter(), Field(ge=0)] = 0
    one: Annotated[set[str], Set(), Field(max_length=1)] = set()


@pytest.mark.parametrize(
    ("field", "first", "second", "decided"),
    [
        *(("tags", ["a", "b"], ["c", "d"], value) for value in (["a", "b"], ["c", "d"], ["a", "c"])),
        *(("steps", ["a", "b"], ["c", "d"], value) for value in (["a", "b"], ["c", "d"], ["a", "c"])),
        *(("body", "one two", "three four", value) for value in ("one two", "three four", "one four")),
        *(("amount", 2, -5, value) for value in (0, 2, 7)),
    ],
)
def test_what_was_decided_stays_when_another_field_breaks(field: str, first: Any, second: Any, decided: Any) -> None:
    """The writes that were decided about are not applied, nor held back, once more."""
    ws = workspace(Everything)
    ada, bob = pair(ws)
    ada.write(*AT, {field: first})
    bob.write(*AT, {field: second})
    ws.resolve(only(ws), decided, by="editor")
    ada.write(*AT, {"one": ["x"]})
    bob.write(*AT, {"one": ["y"]})
    assert only(ws).path == ("one",) and (shown(ws) or {})[field] == decided
    always_validates(ws, Everything)


@pytest.mark.parametrize(
    ("value", "rest"),
    [
        ({"amount": -5}, {}),
        ({"steps": list("abcd")}, {}),
        ({"body": "much too long for it"}, {}),
        ({"owners": dict.fromkeys("abcd", 1)}, {"owners": dict.fromkeys("abc", 1)}),
    ],
)
def test_dismissing_what_was_never_shown_drops_it(value: Any, rest: Any) -> None:
    """There is nothing to go back to; the document stays."""
    ws = workspace(Everything)
    ws.agent("ada").write(*AT, value)
    ws.dismiss(only(ws), by="editor")
    assert shown(ws) == rest and ws.escalations() == []


@pytest.mark.parametrize("where", ["document", "record", "row"])
def test_what_somebody_deleted_stays_readable_while_a_constraint_is_broken(where: str) -> None:
    """An update beside a deletion breaks a constraint: it waits, and what it was made of is shown, not nothing."""

    class Count(BaseModel):
        id: Annotated[str, Scalar()] = ""
        n: Annotated[int, Counter(), Field(le=5)] = 0
        note: Annotated[str, Scalar()] = ""

    class Page(BaseModel):
        n: Annotated[int, Counter(), Field(le=5)] = 0
        note: Annotated[str, Scalar()] = ""
        record: Annotated[dict[str, Count], Map()] = {}
        row: Annotated[list[Count], Set(by="id")] = []

    def value(n: int, **more: str) -> dict[str, object]:
        part = {"n": n, **more}
        holders: dict[str, dict[str, object]] = {
            "document": part,
            "record": {"record": {"a": part}},
            "row": {"row": [{"id": "a", **part}]},
        }
        return holders[where]

    ws = Workspace(schemas={("pages",): Page})
    ws.agent("one").write(("pages",), "k", value(5, note="kept"))
    two, three = ws.agent("two"), ws.agent("three")
    if where == "document":
        two.delete(("pages",), "k")
    else:
        with two.edit(("pages",), "k") as page:
            getattr(page, where).clear()
    three.write(("pages",), "k", value(2))
    document = ws.get(("pages",), "k")
    assert document is not None
    found = {"document": lambda v: v, "record": lambda v: v["record"]["a"], "row": lambda v: v["row"][0]}[where]
    shown = found(document.value)
    assert (shown["n"], shown["note"]) == (5, "kept")
    assert sorted(e.reason for e in ws.escalations()) == ["delete", "invalid"]
    assert [c.value for e in ws.escalations() if e.reason == "invalid" for c in e.contenders] == [2]
