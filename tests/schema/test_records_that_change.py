"""Records without kinds whose model changes: nothing is made up, nothing is dropped, and nobody's put is a change."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from pydantic import AliasChoices, BaseModel, Field, create_model

from concordant import List, Map, Scalar, Set, Workspace

NS = ("plans",)
AT = (NS, "k")
Fresh = Callable[[str], str | None]


class Task(BaseModel):
    """As it was."""

    id: str
    title: str = ""


class Owned(Task):
    """A field with a plain default has come."""

    owner: str | None = None


class Made(Owned):
    """Fields have come that factories make."""

    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    token: str = Field(default_factory=lambda: uuid.uuid4().hex)


class Numbered(BaseModel):
    """Its id is a number."""

    id: int
    title: str = ""


class Renamed(BaseModel):
    """Its id has another name, and is found under the old one."""

    task_id: str = Field(validation_alias=AliasChoices("task_id", "id"))
    title: str = ""


class Bare(BaseModel):
    """The title is gone."""

    id: str


@dataclasses.dataclass
class MadeToo:
    """The same as a dataclass."""

    id: str
    title: str = ""
    token: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)


WHERE: dict[str, tuple[Callable[[Any], Any], Any, Callable[[Any], Any]]] = {
    "scalar": (lambda task: Annotated[task | None, Scalar()], None, lambda task: task),
    "scalar list": (lambda task: Annotated[list[task], Scalar()], [], lambda task: [task]),
    "list": (lambda task: Annotated[list[task], List()], [], lambda task: [task, {**task, "id": "2"}]),
    "set": (lambda task: Annotated[list[task], Set(by="id")], [], lambda task: [task, {**task, "id": "2"}]),
    "map": (lambda task: Annotated[dict[str, task], Map()], {}, lambda task: {"a": task, "b": task}),
}
"""Where such records are: the field's annotation, its default, and a value of it."""

TASK = {"id": "1", "title": "Find sources"}
FULL = {**TASK, "owner": "ada", "created": "2026-01-02T03:04:05Z", "token": "t"}


def plan(where: str, task: Any) -> type[BaseModel]:
    annotation, default, _ = WHERE[where]
    return create_model("Plan", x=(annotation(task), default), t=(Annotated[set[str], Set()], set()))


def written(where: str, old: Any, task: Any, url: str | None = None) -> tuple[Workspace, Any]:
    """A store in which somebody wrote such records, and what it shows of them."""
    ws = Workspace(url, schemas={NS: plan(where, old)}, replica=None if url else "old")
    ws.agent("o").write(*AT, {"x": WHERE[where][2](task), "t": ["a"]})
    return ws, shown(ws)


def shown(ws: Workspace) -> Any:
    document = ws.get(*AT)
    assert document is not None and document.model is not None
    return document.value["x"]


def under(where: str, new: Any, frame: bytes, replica: str = "new") -> Workspace:
    ws = Workspace(schemas={NS: plan(where, new)}, replica=replica)
    ws.import_(frame)
    return ws


def put_back(ws: Workspace, name: str, change: Callable[[dict[str, Any]], None], *, model: bool = False) -> Any:
    """Reads as an agent; what is returned puts what was read, changed a little."""
    agent = ws.agent(name)
    document = agent.read(*AT)
    assert document is not None
    value = document.model.model_dump(mode="json") if model else document.value
    change(value)
    return lambda: ws.put(*AT, value, agent.scope)


CHANGES = [(Task, Owned, TASK), (Task, Made, TASK), (Made, Task, FULL), (Owned, Bare, FULL), (Task, MadeToo, TASK)]


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize(("old", "new", "task"), CHANGES)
def test_g1_g4_a_field_of_a_record_comes_or_goes(where: str, old: Any, new: Any, task: Any) -> None:
    """What is stored stays as it is, whoever reads it and whatever is written beside it, and stores that met agree."""
    source, stored = written(where, old, task)
    stores = [under(where, new, source.export(), name) for name in ("one", "two")]
    for ws in stores:
        assert shown(ws) == shown(ws) == stored and not ws.escalations()
        ws.agent(ws.storage.replica).write(*AT, {"t": [ws.storage.replica]})
        assert shown(ws) == stored
    for _ in range(2):
        stores[0].exchange(stores[1])
    for ws in stores:
        assert shown(ws) == stored and not ws.escalations() and not ws.check().problems
        assert {credit.agent for path, found in ws.blame(*AT).items() if path[0] == "x" for credit in found} == {"o"}
    source.import_(stores[0].export())
    assert shown(source) == stored and not source.escalations()


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize(("old", "new", "task"), [*CHANGES[:4], (Task, Numbered, TASK), (Task, Renamed, TASK)])
def test_g1_processes_with_the_old_model_keep_what_they_had(
    where: str, old: Any, new: Any, task: Any, fresh_url: Fresh
) -> None:
    """Both models at once on one database: what is written beside a record with the new one takes nothing out of it."""
    if where == "set" and new in (Renamed, Numbered):
        return  # what identifies it has another name, or another type
    url = fresh_url("sqlite")
    late, stored = written(where, old, task, url)
    with late, Workspace(url, schemas={NS: plan(where, new)}) as early:
        assert not early.escalations()
        early.agent("n").write(*AT, {"t": ["n"]})
        with early.agent("m").edit(*AT) as brief:
            brief.t.add("m")
        document = late.get(*AT)
        assert document is not None and {"a", "n", "m"} == set(document.value["t"])
        if new is not Numbered or where not in ("list", "set"):  # an item that has another type is stored so
            assert json.dumps(document.model.model_dump(mode="json")["x"]) == json.dumps(stored)
            assert not late.escalations()


def _add(word: str) -> Callable[[dict[str, Any]], None]:
    return lambda value: value["t"].append(word)


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("way", ["edit", "put", "dump"])
@pytest.mark.parametrize(("old", "new", "task"), CHANGES)
def test_g2_records_that_are_put_back_as_they_were_read_are_nobodys_change(
    where: str, way: str, old: Any, new: Any, task: Any
) -> None:
    """Two who read, add something beside the records and put all of it back at once: no question, nothing doubled, and
    whoever wrote the records still stands for them."""
    if way == "dump" and new in (Made, MadeToo):
        return  # then what a factory made is given as any other value
    source, stored = written(where, old, task)
    ws = under(where, new, source.export())
    if way == "edit":
        with ws.agent("one").edit(*AT) as first, ws.agent("two").edit(*AT) as second:
            first.t.add("1")
            second.t.add("2")
    else:
        for put in [put_back(ws, name, _add(name[0]), model=way == "dump") for name in ("1", "2")]:
            put()
    document = ws.get(*AT)
    assert document is not None and {"1", "2"} <= set(document.value["t"])
    assert document.value["x"] == stored and not ws.escalations()
    assert {credit.agent for path, found in ws.blame(*AT).items() if path[0] == "x" for credit in found} == {"o"}


@pytest.mark.parametrize("way", ["edit", "put"])
@pytest.mark.parametrize("where", ["list", "set", "map"])
@pytest.mark.parametrize(("old", "new", "task"), CHANGES)
def test_g1_g2_who_changes_one_record_leaves_the_others_alone(
    where: str, way: str, old: Any, new: Any, task: Any
) -> None:
    """One agent changes a record, another one adds one: no question, and of the record that nobody touched nothing is
    made anew."""
    source, stored = written(where, old, task)
    ws = under(where, new, source.export())
    first, last = ("a", "b") if where == "map" else (0, 1)
    if way == "edit":
        with ws.agent("one").edit(*AT) as changed, ws.agent("two").edit(*AT) as grown:
            changed.x[first] = new(id="1") if where == "set" else new(id="9")
            if where == "map":
                grown.x["c"] = new(id="3")
            else:
                grown.x.append(new(id="3"))
    else:

        def change(value: dict[str, Any]) -> None:
            value["x"][first] = {"id": "1"} if where == "set" else {"id": "9"}

        def grow(value: dict[str, Any]) -> None:
            value["x"] = {**value["x"], "c": {"id": "3"}} if where == "map" else [*value["x"], {"id": "3"}]

        for put in (put_back(ws, "one", change), put_back(ws, "two", grow)):
            put()
    assert not ws.escalations()
    found = shown(ws)
    records = [*found.values()] if where == "map" else found
    assert stored[last] in records
    kept = {"1" if where == "set" else "9", task["id"] if where == "map" else "2", "3"}
    assert {record["id"] for record in records} == kept and len(records) == 3


def test_a_list_that_travels_is_not_doubled() -> None:
    """A contribution that begins with the records that its writer has read adds the rest, defaults or not."""
    source, stored = written("list", Task, TASK)
    for new in (Owned, Made):
        ws = under("list", new, source.export())
        agent = ws.agent("n")
        document = agent.read(*AT)
        assert document is not None
        agent.write(*AT, {"x": [*document.value["x"], {"id": "3"}]})
        assert [record["id"] for record in shown(ws)] == ["1", "2", "3"] and shown(ws)[:2] == stored


def test_a_record_that_forbids_what_is_gone_is_asked_about() -> None:
    """What cannot stay beside the model's fields is a question, with what is stored as its contender."""

    class Strict(BaseModel, extra="forbid"):
        id: str

    source, stored = written("scalar", Task, TASK)
    ws = under("scalar", Strict, source.export())
    (question,) = ws.escalations()
    assert question.reason == "schema" and [c.value for c in question.contenders] == [stored]
    ws.resolve(question, {"id": "1"}, by="editor")
    assert shown(ws) == {"id": "1"} and not ws.escalations()


def test_equal_records_agree_whatever_model_they_were_written_under() -> None:
    """Written at once with the old model and with the new one: a default that the one has said is no difference."""
    ws = Workspace(schemas={NS: plan("scalar", Owned)}, replica="new")
    for number, model in enumerate((Task, Owned)):
        other = Workspace(schemas={NS: plan("scalar", model)}, replica=f"r{number}")
        other.agent(f"a{number}").write(*AT, {"x": TASK})
        ws.import_(other.export())
    assert not ws.escalations() and ws.get(*AT).model.x == Owned(**TASK)  # type: ignore[union-attr]


def test_an_identity_that_a_factory_would_make_identifies_nothing() -> None:
    """Records without an id, in a list that is to be known by one: it is asked about, for each reader would make
    another."""

    class Named(BaseModel):
        id: str = Field(default_factory=lambda: uuid.uuid4().hex)
        title: str = ""

    before = create_model("Plan", x=(Annotated[list[dict[str, Any]], Scalar()], []))
    source = Workspace(schemas={NS: before}, replica="old")
    source.agent("o").write(*AT, {"x": [{"title": "Find sources"}]})
    ws = under("set", Named, source.export())
    (question,) = ws.escalations()
    assert question.reason == "schema" and [c.value for c in question.contenders] == [[{"title": "Find sources"}]]
    assert ws.get(*AT).model.x == []  # type: ignore[union-attr]
    ws.agent("n").write(*AT, {"t": ["n"]})
    ws.resolve(question, [{"id": "1", "title": "Find sources"}], by="editor")
    assert shown(ws) == [{"id": "1", "title": "Find sources"}] and not ws.escalations()
