"""Which schema a namespace has: whole namespaces, ``*`` is one segment, the most specific wins."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import BaseModel, create_model

from concordant import Counter, InvalidWriteError, Schema, SchemaError, Workspace


def model(name: str) -> type[BaseModel]:
    return create_model("Model", **{name: (Annotated[int, Counter()], 0)})  # type: ignore[call-overload, no-any-return]


SCHEMAS = {
    ("users",): model("top"),
    ("users", "*"): model("any"),
    ("users", "ada"): Schema(model("exact")),
    ("*", "ada"): model("first"),
    ("*", "*"): model("both"),
    ("a", "*", "c"): model("middle"),
    ("a", "b", "*"): model("last"),
    ("a", "*", "*"): model("two"),
}


@pytest.mark.parametrize(
    ("namespace", "field"),
    [
        (("users",), "top"),
        (("users", "bob"), "any"),
        (("users", "ada"), "exact"),
        (("teams", "ada"), "first"),
        (("teams", "bob"), "both"),
        (("a", "x", "c"), "middle"),
        (("a", "b", "x"), "last"),
        (("a", "b", "c"), "last"),
        (("a", "x", "y"), "two"),
        (("users", "*"), "any"),
    ],
)
def test_the_most_specific_pattern_wins(namespace: tuple[str, ...], field: str) -> None:
    """Fewer stars first; of as many, the pattern whose name stands further left."""
    ws = Workspace(schemas=SCHEMAS)
    ada = ws.agent("ada")
    for _ in range(2):
        ada.write(namespace, "k", {field: 1})
    document = ws.get(namespace, "k")
    assert document is not None and document.value == {field: 2}
    with pytest.raises(InvalidWriteError, match="no such field"):
        ada.write(namespace, "k", {"other": 1})


@pytest.mark.parametrize("namespace", [("teams",), ("users", "ada", "notes"), ("a", "b"), ("a",) * 4])
def test_a_pattern_matches_whole_namespaces(namespace: tuple[str, ...]) -> None:
    """Neither a prefix nor a longer namespace; what no pattern matches is undeclared."""
    ws = Workspace(schemas={pattern: schema for pattern, schema in SCHEMAS.items() if pattern != ("*", "*")})
    ws.agent("ada").write(namespace, "k", {"anything": [1]})
    document = ws.get(namespace, "k")
    assert document is not None
    assert document.value == document.model == {"anything": [1]}


def test_undeclared_reject_holds_where_no_pattern_matches() -> None:
    """A namespace that a star matches is declared."""
    ws = Workspace(schemas=SCHEMAS, undeclared="reject")
    ws.put(("teams", "bob"), "k", {"both": 1})
    with pytest.raises(InvalidWriteError, match="schema"):
        ws.put(("teams",), "k", {"both": 1})


def test_one_model_may_serve_many_namespaces() -> None:
    """With other options for each."""
    shared = model("n")
    ws = Workspace(schemas={("a",): shared, ("b",): Schema(shared, on_invalid="raise")})
    ws.put(("a",), "k", {"n": "x"})
    with pytest.raises(InvalidWriteError):
        ws.put(("b",), "k", {"n": "x"})
    assert [e.namespace for e in ws.escalations()] == [("a",)]


def test_schemas_can_be_declared_later() -> None:
    """A schema declared later holds from then on, may be declared again, and not in another way."""
    ws, schema = Workspace(schemas={("users", "*"): model("any")}), Schema(model("later"))
    ws.agent("ada").write(("users", "bob"), "k", {"any": 1})
    ws.declare({("users", "bob"): schema})
    ws.declare({("users", "bob"): schema})
    ws.agent("ada").write(("users", "bob"), "k", {"later": 1})
    with pytest.raises(SchemaError, match="users/bob has another schema already"):
        ws.declare({("users", "eve"): model("eve"), ("users", "bob"): Schema(schema.model, on_delete="delete")})
    assert ws.agent("ada").write(("users", "eve"), "k", {"any": 1}).version  # nothing of a refused declaration holds
