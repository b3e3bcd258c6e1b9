"""Kinds as reducers: functions of what a field holds and of a contribution, one object for equal markers."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from decimal import Decimal
from typing import Any

import pytest

from concordant import ConcordantError, Counter, InvalidContributionError, List, Map, Scalar, Set, Text
from concordant.merge.kinds import Kind

REDUCERS = [Set(), Set(grow_only=True), Text(), Text(separator=" | ", overlap="merge"), Counter(), List()]


@pytest.mark.parametrize("kind", REDUCERS, ids=repr)
def test_a_reducer_takes_two_values_and_has_a_name(kind: Any) -> None:
    """A framework that inspects a reducer finds a callable of two positional parameters with a name."""
    parameters = inspect.signature(kind).parameters.values()
    assert [p.kind for p in parameters] == [inspect.Parameter.POSITIONAL_OR_KEYWORD] * 2
    assert kind.__name__ == kind.name


@pytest.mark.parametrize("kind", REDUCERS, ids=repr)
def test_equal_reducers_are_one_object(kind: Any) -> None:
    """Making, copying and unpickling a marker with the same options gives the same object."""
    options = {option.name: getattr(kind, option.name) for option in dataclasses.fields(kind)}
    made = {"Set": Set, "Text": Text, "Counter": Counter, "List": List}[type(kind).__qualname__](**options)
    assert made is kind
    assert copy.copy(kind) is kind
    assert copy.deepcopy({"kind": kind})["kind"] is kind
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(kind, protocol)) is kind


def test_defaults_and_keywords_do_not_make_another_reducer() -> None:
    """However the options are given, equal ones give one object, and others another."""
    assert Text() is Text("\n") is Text(separator="\n", overlap="escalate")
    assert Set() is Set(None) is Set(by=None, grow_only=False)
    assert Text(" ") is not Text()
    assert List(grow_only=True) is not List()


@pytest.mark.parametrize("kind", [Scalar(), Scalar(resolve="max"), Map(), Set(by="id")], ids=repr)
def test_kinds_that_replace_values_are_no_reducers(kind: Kind) -> None:
    """What holds scalars is not callable: a fold cannot tell a parallel value from a later one."""
    assert not callable(kind)
    assert pickle.loads(pickle.dumps(kind)) == kind == copy.deepcopy(kind)


def test_both_sorts_of_set_are_sets() -> None:
    """A set of records is a ``Set`` like one of plain values, in type, in text and in its options."""
    assert isinstance(Set(), Set) and isinstance(Set(by="id"), Set)
    assert repr(Set(by="id", grow_only=True)) == "Set(by='id', grow_only=True)"
    assert repr(Set()) == "Set(by=None, grow_only=False)"
    assert Set() != Set(by="id")


def test_an_option_that_cannot_be_hashed_is_left_to_the_schema() -> None:
    """A marker with an impossible option can be made, for the schema to report with all other faults."""
    wrong: Any = ["\n"]
    assert Text(separator=wrong).separator == wrong


@pytest.mark.parametrize(
    ("left", "right", "merged"),
    [
        (set(), {"a"}, {"a"}),
        ({"a"}, ["b", "a"], {"a", "b"}),
        (frozenset({"a"}), {"b"}, frozenset({"a", "b"})),
        (["b", "a"], ["a", "c", "c"], ["b", "a", "c"]),
        ([1], [True, 1.0, 1], [1, True, 1.0]),
        ([Decimal("1.1")], [Decimal("1.10"), Decimal("2")], [Decimal("1.1"), Decimal("2")]),
        ([float("nan")], (float("nan"),), [float("nan")]),
        ([{"a": 1, "b": 2}], [{"b": 2, "a": 1}], [{"a": 1, "b": 2}]),
        (("a",), ["a", "b"], ("a", "b")),
    ],
)
def test_a_set_unites_and_stays_what_it_is(left: Any, right: Any, merged: Any) -> None:
    """The union compares by type and value, keeps the order of a list, and has the type of what was there."""
    result = Set()(left, right)
    assert type(result) is type(merged)
    in_order = list if isinstance(merged, (list, tuple)) else sorted
    assert in_order(map(repr, result)) == in_order(map(repr, merged))


@pytest.mark.parametrize(
    ("left", "right", "merged"),
    [
        ("", "one", "one"),
        ("one", "two", "one\ntwo"),
        ("one", "", "one"),
        ("one", "one", "one\none"),
        ("one", "one\ntwo", "one\none\ntwo"),
    ],
)
def test_a_text_grows_by_a_line(left: str, right: str, merged: str) -> None:
    """A contribution to a text is a new line, whatever the text says already: a parallel one may say the same."""
    assert Text()(left, right) == merged


def test_a_text_grows_by_its_separator() -> None:
    """What stands between contributions is the marker's separator."""
    assert Text(" | ")("one", "two") == "one | two"
    assert Text("")("one", "two") == "onetwo"


@pytest.mark.parametrize(
    ("left", "right", "merged"),
    [([], ["a"], ["a"]), (["a"], ["a"], ["a", "a"]), (["a"], ("a", "b"), ["a", "a", "b"]), (["a"], [], ["a"])],
)
def test_a_list_appends(left: Any, right: Any, merged: Any) -> None:
    """A contribution to a list is appended, repetitions included: three workers' equal results are three."""
    assert List()(left, right) == merged


@pytest.mark.parametrize(
    ("left", "right", "merged"),
    [
        (0, 5, 5),
        (5, -7, -2),
        (10**30, 1, 10**30 + 1),
        (0.5, 1, 1.5),
        (0, Decimal("0.1"), Decimal("0.1")),
        (Decimal("0.1"), Decimal("0.2"), Decimal("0.3")),
        (Decimal(10) ** 40, Decimal("0.01"), Decimal("1" + "0" * 40 + ".01")),
    ],
)
def test_a_counter_adds_exactly(left: Any, right: Any, merged: Any) -> None:
    """Amounts add up, integers and decimals exactly."""
    result = Counter()(left, right)
    assert result == merged and type(result) is type(merged)


def test_a_reducer_changes_neither_of_its_values() -> None:
    """What is given to a reducer stays what it was."""
    for kind, left, right in [(Set(), {"a"}, {"b"}), (Set(), ["a"], ["b"]), (List(), ["a"], ["b"])]:
        before = copy.deepcopy((left, right))
        merged = kind(left, right)
        assert (left, right) == before
        assert merged is not left and merged is not right


@pytest.mark.parametrize(
    ("kind", "left", "right"),
    [
        (Set(), {"a"}, "b"),
        (Set(), None, {"a"}),
        (Set(), ["a"], {"b": 1}),
        (Set(), ["a"], [object()]),
        (Set(), ["a"], ["\ud800"]),
        (Text(), "a", None),
        (Text(), 3, "a"),
        (List(), ["a"], {"b"}),
        (List(), ["a"], "b"),
        (Counter(), 1, "2"),
        (Counter(), 1, None),
        (Counter(), 0.0, float("nan")),
        (Counter(), 0, Decimal("Infinity")),
        (Counter(), Decimal(1), 0.5),
    ],
)
def test_a_value_of_another_kind_is_refused(kind: Any, left: Any, right: Any) -> None:
    """What is no value of the kind gets our own error, which names the kind and carries the value."""
    with pytest.raises(InvalidContributionError) as refused:
        kind(left, right)
    assert refused.value.kind == kind.name
    assert refused.value.kind in str(refused.value) and "Return what the node adds" in str(refused.value)
    assert isinstance(refused.value, ConcordantError) and isinstance(refused.value, TypeError)


def test_a_list_by_a_field_is_no_reducer() -> None:
    """Records that merge by a field are told to be a set, where no schema has refused them."""
    with pytest.raises(InvalidContributionError, match=r"declare Set\(by='id'\)"):
        List(by="id")([{"id": "a"}], [{"id": "a"}])
