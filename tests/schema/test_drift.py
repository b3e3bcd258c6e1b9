"""Documents under another model than the one they were written with: nothing is lost, nothing is misread."""

from __future__ import annotations

from itertools import permutations
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, create_model

from concordant import Counter, List, Map, Scalar, Set, Text, Workspace

NS = ("t",)
AT = (NS, "k")


def model(**fields: tuple[Any, Any]) -> type[BaseModel]:
    return create_model("Brief", **fields)  # type: ignore[call-overload, no-any-return]


SCALAR = (Annotated[Any, Scalar()], None)
FIELDS: dict[str, tuple[tuple[Any, Any], Any]] = {
    "scalar": (SCALAR, "text"),
    "set": ((Annotated[list[str], Set()], []), ["a", "b"]),
    "list": ((Annotated[list[str], List()], []), ["a", "b"]),
    "map": ((Annotated[dict[str, int], Map()], {}), {"a": 1}),
    "text": ((Annotated[str, Text()], ""), "text"),
    "counter": ((Annotated[int, Counter()], 0), 7),
}

CONVERTED = {("scalar", "text"), ("set", "list"), ("list", "set")}
PAIRS = [pair for pair in permutations(FIELDS, 2) if pair not in CONVERTED]


def moved(old: type[BaseModel] | None, new: type[BaseModel] | None, *writes: dict[str, Any]) -> Workspace:
    """A workspace under the new model with what was written under the old one."""
    source = Workspace(schemas={NS: old} if old else None, replica="old")
    for write in writes:
        source.agent("ada").write(*AT, write)
    target = Workspace(schemas={NS: new} if new else None, replica="new")
    target.import_(source.export())
    return target


def test_fields_that_the_model_no_longer_has_are_hidden_and_listed() -> None:
    """Kept, not shown, named in ``doc.undeclared``."""
    old = model(a=SCALAR, b=SCALAR, c=FIELDS["set"][0])
    ws = moved(old, model(a=SCALAR), {"a": 1, "b": 2, "c": ["x"]})
    document = ws.get(*AT)
    assert document is not None
    assert document.value == {"a": 1} and sorted(document.undeclared) == ["b", "c"]
    assert document.contested == {} and ws.escalations() == []


def test_hidden_fields_survive_writes() -> None:
    """Writes and edits under the newer model do not touch them: an older workspace still has them."""
    old, new = model(a=SCALAR, b=SCALAR), model(a=SCALAR, n=SCALAR)
    ws = moved(old, new, {"a": 1, "b": 2})
    ws.agent("bob").write(*AT, {"a": 3})
    with ws.agent("bob").edit(*AT) as brief:
        brief.n = 4
    back = Workspace(schemas={NS: old}, replica="back")
    back.import_(ws.export())
    document = back.get(*AT)
    assert document is not None
    assert document.value == {"a": 3, "b": 2} and list(document.undeclared) == ["n"]


def test_a_new_field_has_its_default() -> None:
    """What was never written is absent from ``value``."""
    ws = moved(model(a=SCALAR), model(a=SCALAR, n=(Annotated[int, Scalar()], 5)), {"a": 1})
    document = ws.get(*AT)
    assert document is not None
    assert document.value == {"a": 1} and document.model.n == 5 and list(document.undeclared) == []


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_a_changed_kind_is_contested_when_it_is_written(old: str, new: str) -> None:
    """Reason ``schema``: what was stored under the old kind and written under the new are contenders."""
    before, stored = FIELDS[old]
    after, written = FIELDS[new]
    ws = moved(model(x=before), model(x=after), {"x": stored})
    ws.agent("bob").write(*AT, {"x": written})
    (escalation,) = ws.escalations()
    assert (escalation.path, escalation.reason) == (("x",), "schema")
    assert {agent for c in escalation.contenders for agent in c.agents} == {"ada", "bob"}
    assert [c.value for c in escalation.contenders if "ada" in c.agents] == [stored]
    document = ws.get(*AT)
    assert document is not None
    model(x=after).model_validate(document.value)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_deciding_about_a_changed_kind(old: str, new: str) -> None:
    """The decision is a value of the new kind; the field is an ordinary one of that kind afterwards."""
    before, stored = FIELDS[old]
    after, written = FIELDS[new]
    ws = moved(model(x=before), model(x=after), {"x": stored})
    ws.agent("bob").write(*AT, {"x": written})
    (escalation,) = ws.escalations()
    ws.resolve(escalation, written, by="editor")
    document = ws.get(*AT)
    assert document is not None
    assert document.value == {"x": written} and ws.escalations() == []


def test_an_unwritten_value_of_the_old_kind_is_never_lost() -> None:
    """Before anybody writes the field anew its old value is in the escalation, and shown where it fits."""
    ws = moved(model(x=FIELDS["set"][0]), model(x=SCALAR), {"x": ["a"]})
    document = ws.get(*AT)
    assert document is not None and document.value == {"x": ["a"]}
    (escalation,) = document.contested.values()
    assert escalation.reason == "schema" and [c.value for c in escalation.contenders] == [["a"]]


def test_undeclared_documents_can_be_declared_later() -> None:
    """What was written as scalars and is declared as scalars is the same."""
    ws = moved(None, model(a=SCALAR), {"a": 1, "b": 2})
    document = ws.get(*AT)
    assert document is not None
    assert document.value == {"a": 1} and list(document.undeclared) == ["b"] and ws.escalations() == []


def test_a_declared_document_without_its_model_shows_everything() -> None:
    """Every kind's value is readable without a model."""
    old = model(**{name: field for name, (field, _) in FIELDS.items()})
    written = {name: value for name, (_, value) in FIELDS.items()}
    ws = moved(old, None, written)
    document = ws.get(*AT)
    assert document is not None and document.value == written and ws.escalations() == []


def test_kinds_that_differ_on_two_replicas_are_contested_on_both() -> None:
    """Schema drift between replicas: each keeps what the other wrote as a contender."""
    one = Workspace(schemas={NS: model(x=FIELDS["set"][0])}, replica="one")
    other = Workspace(schemas={NS: model(x=FIELDS["list"][0])}, replica="other")
    one.agent("ada").write(*AT, {"x": ["a"]})
    other.agent("bob").write(*AT, {"x": ["b"]})
    frames = one.export(), other.export()
    one.import_(frames[1])
    other.import_(frames[0])
    for ws in (one, other):
        (escalation,) = ws.escalations()
        assert escalation.reason == "schema"
        assert sorted(c.value for c in escalation.contenders) == [["a"], ["b"]]
    assert one.escalations()[0].id == other.escalations()[0].id
