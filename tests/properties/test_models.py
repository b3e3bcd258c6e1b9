"""Generated models: what is written of ordinary Pydantic types is read equal, or was refused when it was declared."""

from __future__ import annotations

import itertools
import tempfile
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import BaseModel

from concordant import ConcordantError, InvalidWriteError, SchemaError, Workspace
from concordant.schema.equality import LENIENT, are_equal

from .model_types import Model, models

NS = ("d",)
COUNTER = itertools.count()


def loosely_equal(one: Any, other: Any) -> bool:
    """Equality of values; what merges as a set has no order."""
    if isinstance(one, BaseModel) and type(one) is type(other):
        return all(loosely_equal(getattr(one, n), getattr(other, n)) for n in type(one).model_fields)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(loosely_equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and type(one) is type(other) and len(one) == len(other):
        return all(map(loosely_equal, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (one != one and other != other)
    return are_equal(one, other)


def as_pydantic_reads(model: Model, given: dict[str, Any]) -> Any:
    """What Pydantic makes of a dict; ``None`` if it takes it not."""
    filled = Workspace(schemas={NS: model.type}).registry.find(NS)
    fill = filled._fill or (lambda value: value)
    try:
        return model.type.model_validate(_text_keys(filled.root, fill, given), **LENIENT)
    except Exception:
        return None


def _text_keys(root: Any, fill: Any, given: dict[str, Any]) -> Any:
    """The dict with natural defaults, as a document's own reading adds them."""
    from concordant.schema.incoming import unwrapped

    return fill(unwrapped(given, root, everything=False))


def play(model: Model, data: st.DataObject) -> str:
    """Writes, edits, merges, exchanges and reopens documents of a model; tells how far it came."""
    ws: Workspace | None
    try:
        ws = Workspace(schemas={NS: model.type}, replica="one")
    except SchemaError as error:
        faults = error.faults
        ws = None
    if ws is None:
        assert all(fault.problem and fault.mend for fault in faults)
        return "refused"
    values = data.draw(model.values)
    try:
        ws.agent("ada").write(NS, "k", values)
    except InvalidWriteError:
        return "not stored"
    document = ws.get(NS, "k")
    assert document is not None
    meant = as_pydantic_reads(model, values)
    if meant is not None and not document.contested:
        for name in values:
            read = getattr(document.model, name)
            assert loosely_equal(read, getattr(meant, name)), (name, read, getattr(meant, name))
    if document.contested:
        return "parked"
    written_back(ws, document)
    left_alone(ws)
    edited(ws, model, data)
    equal_values_agree(model, values)
    concurrent(model, data)
    exchanged(ws, model)
    return "played"


def written_back(ws: Workspace, document: Any) -> None:
    """Writing back what was read, as a dict or as an instance, changes nothing."""
    bob = ws.agent("bob")
    bob.read(NS, "k")
    ws.put(NS, "k", document.value, bob.scope)
    again = ws.get(NS, "k")
    assert again is not None and again.value == document.value and not ws.escalations()


def left_alone(ws: Workspace) -> None:
    """An edit that changes nothing is none."""
    before = ws.get(NS, "k")
    with ws.agent("eve").edit(NS, "k"):
        pass
    after = ws.get(NS, "k")
    assert before is not None and after is not None
    assert (after.version, after.value) == (before.version, before.value)


def edited(ws: Workspace, model: Model, data: st.DataObject) -> None:
    """An edit that sets fields of an instance shows them, and touches no other."""
    given = data.draw(model.values)
    meant = as_pydantic_reads(model, given)
    before = ws.get(NS, "k")
    assert before is not None
    if meant is None:
        return
    try:
        with ws.agent("max").edit(NS, "k") as draft:
            for name in given:
                setattr(draft, name, getattr(meant, name))
    except InvalidWriteError:
        return
    after = ws.get(NS, "k")
    assert after is not None
    if after.contested:
        return
    for name in model.type.model_fields:
        want = getattr(meant if name in given else before.model, name)
        read = getattr(after.model, name)
        if name in given and name in model.parts and model.parts[name].kind in ("record", "keyed", "map"):
            continue  # what is left out of a record is untouched
        assert loosely_equal(read, want), (name, read, want)


def equal_values_agree(model: Model, values: dict[str, Any]) -> None:
    """Two agents who write the same scalars agree."""
    ws = Workspace(schemas={NS: model.type})
    began = ws.moment()
    for name in ("ada", "bob"):
        ws.agent(name, began=began).write(NS, "k", values)
    assert not [e for e in ws.escalations() if e.reason == "scalar"]


def concurrent(model: Model, data: st.DataObject) -> None:
    """Whatever two agents write and edit at once, the document stays readable, and decisions settle it."""
    ws = Workspace(schemas={NS: model.type})
    began = ws.moment()
    for name in ("ada", "bob"):
        try:
            ws.agent(name, began=began).write(NS, "k", data.draw(model.values))
        except InvalidWriteError:
            return
    document = ws.get(NS, "k")
    assert document is not None
    assert isinstance(document.model, model.type)
    for escalation in ws.escalations():
        ws.resolve(escalation, escalation.contenders[0].value, by="eve")
    assert ws.get(NS, "k") is not None


def exchanged(ws: Workspace, model: Model) -> None:
    """Another workspace, and the same one reopened from disk, read the same."""
    document = ws.get(NS, "k")
    assert document is not None
    other = Workspace(schemas={NS: model.type}, replica="two")
    other.import_(ws.export())
    twin = other.get(NS, "k")
    assert twin is not None and twin.value == document.value, (twin and twin.value, document.value)
    if next(COUNTER) % 25 == 0:
        with tempfile.TemporaryDirectory() as folder:
            with Workspace(f"sqlite:///{folder}/x.db", schemas={NS: model.type}) as stored:
                stored.import_(ws.export())
            with Workspace(f"sqlite:///{folder}/x.db", schemas={NS: model.type}) as reopened:
                found = reopened.get(NS, "k")
                assert found is not None and found.value == document.value
                for name in model.type.model_fields:
                    assert loosely_equal(getattr(found.model, name), getattr(document.model, name))


def run(model: Model, data: st.DataObject) -> None:
    try:
        play(model, data)
    except ConcordantError as error:
        raise AssertionError(f"refused in the middle: {error}") from error


ROUNDS: Any = {
    "deadline": None,
    "suppress_health_check": [
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
}


@pytest.mark.clocks_by_seed  # how often a workspace is made depends on what Pydantic makes of a model
@settings(max_examples=30, **ROUNDS)
@given(models(), st.data())
def test_generated_models(model: Model, data: st.DataObject) -> None:
    """What is written is read equal or was refused when declared, and no bare error comes from any call."""
    run(model, data)


@pytest.mark.torture
@pytest.mark.clocks_by_seed
@settings(max_examples=20_000, **ROUNDS)
@given(models(), st.data())
def test_twenty_thousand_generated_models(model: Model, data: st.DataObject) -> None:
    """The same at length."""
    run(model, data)
