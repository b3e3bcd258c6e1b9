"""``SchemaError``: all faults of a model at once, each with place, type, what is wrong and the mend."""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, create_model

from concordant import (
    ConcordantError,
    Counter,
    List,
    Map,
    Scalar,
    Schema,
    SchemaError,
    Set,
    Text,
    Workspace,
    priority,
)


class Colour(Enum):
    RED = 1


class Record(BaseModel):
    id: str = ""


def faults_of(*models: Any) -> list[Any]:
    """What is wrong with the models."""
    with pytest.raises(SchemaError) as error:
        Workspace(schemas={(f"n{number}",): model for number, model in enumerate(models)})
    for fault in error.value.faults:
        assert fault.problem and fault.mend
        assert ".".join(map(str, fault.path)) in str(error.value)
        assert fault.problem in str(error.value) and fault.mend in str(error.value)
    return list(error.value.faults)


WRONG: Any = 7
KIND: Any = Set()
FAULTS: list[tuple[str, Any, Any, str, str]] = [
    # what, annotation, default (... for none), in the problem, in the mend
    ("no kind: int", int, 0, "no kind.*int", "Counter"),
    ("no kind: str", str, "", "no kind.*str", "Text"),
    ("no kind: list", list[str], [], "no kind.*list", "List"),
    ("no kind: dict", dict[str, int], {}, "no kind.*dict", "Map"),
    ("no kind: set", set[str], set(), "no kind.*set", "Set"),
    ("no kind: date", dt.date, None, "no kind.*date", "Scalar"),
    ("text on an int", Annotated[int, Text()], 0, r"Text\(\) on int", "str"),
    ("text on a list", Annotated[list[str], Text()], [], r"Text\(\) on list", "str"),
    ("text that may be none", Annotated[str | None, Text()], None, r"Text\(\) on", "str"),
    ("set on a str", Annotated[str, Set()], "", r"Set\(\) on str", "set"),
    ("set on a dict", Annotated[dict[str, int], Set()], {}, r"Set\(\) on dict", "Scalar"),
    ("map on a list", Annotated[list[int], Map()], [], r"Map\(\) on list", "dict"),
    ("map with float keys", Annotated[dict[float, str], Map()], {}, "keys of type float", "str"),
    ("counter on a str", Annotated[str, Counter()], "", r"Counter\(\) on str", "int"),
    ("counter on a bool", Annotated[bool, Counter()], False, r"Counter\(\) on bool", "int"),
    ("list on a set", Annotated[set[str], List()], set(), r"List\(\) on set", "list"),
    ("a class", Annotated[set[str], Set], set(), "class Set", r"Set\(\)"),
    ("a class: scalar", Annotated[int, Scalar], 0, "class Scalar", r"Scalar\(\)"),
    ("two kinds", Annotated[set[str], Set(), Scalar()], set(), "more than one kind", "one"),
    ("no default", Annotated[int, Scalar()], ..., "no default", "None"),
    ("unknown policy", Annotated[int, Scalar(resolve="biggest")], 0, "biggest", "max"),
    ("no policy", Annotated[int, Scalar(resolve=WRONG)], 0, "7", "policy"),
    ("max of a bool union", Annotated[int | str, Scalar(resolve="max")], 0, "max", "latest"),
    ("max of dicts", Annotated[dict[str, int], Scalar(resolve="max")], {}, "max.*order.*dict", "latest"),
    ("max of lists", Annotated[list[int], Scalar(resolve="max")], [], "max.*order.*list", "latest"),
    ("min of anything", Annotated[Any, Scalar(resolve="min")], None, "min.*order", "latest"),
    ("min of an enum", Annotated[Colour, Scalar(resolve="min")], Colour.RED, "min.*order", "latest"),
    ("unknown provisional", Annotated[int, Scalar(provisional=WRONG)], 0, "provisional=7", "latest"),
    ("unknown overlap", Annotated[str, Text(overlap=WRONG)], "", "overlap=7", "merge"),
    ("records without by", Annotated[list[Record], Set()], [], "records", 'by="id"'),
    ("by without such a field", Annotated[list[Record], Set(by="key")], [], "key", "key"),
    ("by without records", Annotated[list[str], Set(by="id")], [], "id", "model"),
    (
        "a map's kind in its brackets",
        Annotated[dict[str, set[str]], Map(KIND)],
        {},
        r"grow_only=Set\(\)",
        r"Annot.*Set\(\)",
    ),
    ("a switch that is no bool", Annotated[int, Scalar(sticky=WRONG)], 0, "sticky=7", "True or False"),
    (
        "a map of texts",
        Annotated[dict[str, Annotated[int, Text()]], Map()],
        {},
        r"Text\(\) on int",
        "str",
    ),
]


@pytest.mark.parametrize("row", FAULTS, ids=[row[0] for row in FAULTS])
def test_each_fault_names_place_type_problem_and_mend(row: tuple[str, Any, Any, str, str]) -> None:
    """``Model.field``, what is wrong with its type, and how to mend it."""
    _, annotation, default, problem, mend = row
    (fault,) = faults_of(create_model("Brief", x=(annotation, default), y=(Annotated[int, Counter()], 0)))
    assert fault.path == ("Brief", "x")
    assert re.search(problem, fault.problem), fault
    assert re.search(mend, fault.mend), fault


def test_all_faults_of_a_model_are_listed_at_once() -> None:
    """Not only the first."""
    fields: Any = {f"field{number}": fault[1:3] for number, fault in enumerate(FAULTS)}
    faults = faults_of(create_model("Brief", **fields))
    assert {fault.path for fault in faults} == {("Brief", name) for name in fields}


def test_the_faults_of_all_models_are_listed_at_once() -> None:
    """Every schema of the workspace."""
    models = [create_model(f"Model{number}", x=(int, 0)) for number in range(3)]
    assert {fault.path for fault in faults_of(*models)} == {(f"Model{number}", "x") for number in range(3)}


def test_several_faults_of_one_field_are_listed() -> None:
    """An unknown policy and no default are two."""
    annotation: Any = Annotated[int, Scalar(resolve="biggest")]
    faults = faults_of(create_model("Brief", x=(annotation, ...)))
    assert len(faults) == 2 and {fault.path for fault in faults} == {("Brief", "x")}


def test_faults_of_nested_models_name_their_place() -> None:
    """The nested model's field is named, wherever it is used."""

    class Inner(BaseModel):
        good: Annotated[int, Scalar()] = 0
        bad: int = 0

    class Outer(BaseModel):
        one: Inner = Inner()
        many: Annotated[dict[str, Inner], Map()] = {}
        listed: Annotated[list[Inner], Set(by="good")] = []
        worse: str = ""

    faults = faults_of(Outer)
    assert {fault.path[-2:] for fault in faults} == {("Inner", "bad"), ("Outer", "worse")}
    assert len(faults) == 4


def test_threads_that_compile_one_model_at_once() -> None:
    """Each compiles it as if it were alone: the model does not contain itself for that."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            for number in range(100):
                fields: Any = {f"f{place}": (Annotated[int, Counter()], 0) for place in range(10)}
                model = create_model(f"Wide{number}", **fields)
                for compiled in [pool.submit(Workspace, schemas={("t",): model}) for _ in range(4)]:
                    compiled.result().close()
    finally:
        sys.setswitchinterval(interval)


def test_a_model_that_contains_itself() -> None:
    """Is refused with a message, not with a recursion."""

    class Node(BaseModel):
        name: Annotated[str | None, Scalar()] = None
        children: Annotated[dict[str, Node], Map()] = {}

    Node.model_rebuild(_types_namespace={"Node": Node, **globals()})
    assert any("itself" in fault.problem for fault in faults_of(Node))


@pytest.mark.parametrize("schema", [None, 7, "Brief", dict, int, object(), Record()])
def test_what_is_no_model_is_refused(schema: Any) -> None:
    """With the mend: a subclass of ``BaseModel``, or ``Schema(Model)``."""
    (fault,) = faults_of(schema)
    assert "BaseModel" in fault.mend


@pytest.mark.parametrize("options", [{"on_delete": "keep"}, {"on_invalid": "ignore"}, {"on_delete": None}])
def test_unknown_options_of_a_schema(options: dict[str, Any]) -> None:
    """Named with what there is."""
    model = create_model("Brief", x=(Annotated[int, Counter()], 0))
    (fault,) = faults_of(Schema(model, **options))
    (name,) = options
    assert name in ".".join(fault.path) + fault.problem and "escalate" in fault.mend


@pytest.mark.parametrize("pattern", ["briefs", (), ("",), ("a", 3), None])
def test_a_pattern_is_a_tuple_of_names(pattern: Any) -> None:
    """Anything else is refused, with an example."""
    model = create_model("Brief", x=(Annotated[int, Counter()], 0))
    with pytest.raises(SchemaError, match="tuple") as error:
        Workspace(schemas={pattern: model})
    assert len(error.value.faults) == 1


def test_an_unknown_way_for_undeclared_namespaces() -> None:
    """``merge`` or ``reject``."""
    with pytest.raises(SchemaError, match="reject"):
        Workspace(undeclared="ignore")  # type: ignore[arg-type]


def test_a_schema_error_is_ours_and_a_type_error() -> None:
    """It can be caught as either; nothing is stored of a faulty workspace."""
    model = create_model("Brief", x=(int, 0))
    with pytest.raises(TypeError):
        Workspace(schemas={("a",): model})
    with pytest.raises(ConcordantError):
        Workspace(schemas={("a",): model})


GOOD: list[tuple[str, Any, Any]] = [
    ("set", Annotated[set[str], Set()], set()),
    ("set without default", Annotated[set[str], Set()], ...),
    ("frozenset", Annotated[frozenset[int], Set()], frozenset()),
    ("map without default", Annotated[dict[str, int], Map()], ...),
    ("map of unions", Annotated[dict[str, int | None], Map()], {}),
    ("text without default", Annotated[str, Text()], ...),
    ("counter without default", Annotated[int, Counter()], ...),
    ("counter of decimals", Annotated[Decimal, Counter()], Decimal(0)),
    ("list without default", Annotated[list[Record], List()], ...),
    ("scalar of a record", Annotated[Record | None, Scalar()], None),
    ("default by factory", Annotated[list[str], Scalar()], Field(default_factory=list)),
    ("max of numbers", Annotated[int | float | None, Scalar(resolve="max")], None),
    ("max of dates", Annotated[dt.datetime | None, Scalar(resolve="max")], None),
    ("first of anything", Annotated[Any, Scalar(resolve="first")], None),
    ("priority", Annotated[Any, Scalar(resolve=priority("a", "b*"))], None),
    ("function", Annotated[Any, Scalar(resolve=lambda escalation: 1)], None),
    ("records by key", Annotated[list[Record], Set(by="id")], []),
    ("map of sets", Annotated[dict[str, Annotated[set[str], Set()]], Map()], {}),
    ("extra metadata", Annotated[int, "a note", Counter(), Field(ge=0)], 0),
]


@pytest.mark.parametrize(("annotation", "default"), [g[1:] for g in GOOD], ids=[g[0] for g in GOOD])
def test_good_declarations_are_accepted(annotation: Any, default: Any) -> None:
    """And a document of that model can be written and read."""
    ws = Workspace(schemas={("t",): create_model("Brief", x=(annotation, default))})
    ws.agent("ada").write(("t",), "k", {})
    document = ws.get(("t",), "k")
    assert document is not None and document.value == {}
    assert hasattr(document.model, "x")


@pytest.mark.parametrize("kind", [Set, Map, Text, Scalar, Counter, List])
def test_kinds_are_immutable_and_comparable(kind: Callable[[], Any]) -> None:
    """A kind is a value: equal options, equal kinds; one may stand in many models."""
    assert kind() == kind() and hash(kind()) == hash(kind())
    with pytest.raises((AttributeError, TypeError)):
        kind().anything = 1


@pytest.mark.parametrize(
    ("annotation", "written"),
    [
        (Record | None, "Record | None"),
        (dict[str, Record | dt.date | None], "dict[str, Record | date | None]"),
        (list[Annotated[Record, Field(min_length=1)]], "list[Annotated[Record, ...]]"),
        (dict[str, Annotated[list[str], Set(grow_only=True)]], "dict[str, Annotated[list[str], Set(grow_only=True)]]"),
        (tuple[Colour, ...] | None, "tuple[Colour, ...] | None"),
    ],
)
def test_types_are_named_as_they_are_written(annotation: Any, written: str) -> None:
    """What a mend says is to be written can be: names without modules, unions with bars, kinds with what they say."""
    [fault] = faults_of(create_model("Brief", x=(annotation, Scalar())))[:1]
    assert f"x: Annotated[{written}, Scalar()]" in fault.mend
