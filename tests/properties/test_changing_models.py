"""Random lives of documents whose models change: nothing breaks, nothing is lost, and stores that met agree."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, create_model

from concordant import DELETED, Counter, List, Map, Scalar, Schema, Set, Text, Tree, Workspace
from concordant.errors import ConcordantError
from concordant.storage import SqliteOptions
from concordant.workspace.scope import Moment

NS = ("d",)
KEYS = ("k", "j")


class One(BaseModel):
    a: Annotated[int, Counter()] = 0
    s: Annotated[str, Scalar()] = ""


class Two(BaseModel):
    a: Annotated[int, Scalar()] = 0
    s: Annotated[str, Text()] = ""


class Item(BaseModel):
    id: Annotated[str, Scalar()]
    n: Annotated[int, Counter()] = 0


class Other(BaseModel):
    id: Annotated[str, Scalar()]
    n: Annotated[int, Scalar()] = 0


class Priced(BaseModel):
    s: Annotated[Decimal | None, Scalar()] = None


FIELDS: list[tuple[Any, Any]] = [
    (Annotated[str | None, Scalar()], None),
    (Annotated[int | None, Scalar()], None),
    (Annotated[Any, Scalar()], None),
    (Annotated[list[str], Scalar()], []),
    (Annotated[dict[str, int], Scalar()], {}),
    (Annotated[list[str], Set()], []),
    (Annotated[list[int], Set()], []),
    (Annotated[list[str], List()], []),
    (Annotated[str, Text()], ""),
    (Annotated[int, Counter()], 0),
    (Annotated[int, Counter(), Field(le=20)], 0),
    (Annotated[dict[str, int], Map()], {}),
    (Annotated[dict[str, Annotated[int, Counter()]], Map()], {}),
    (Annotated[dict[str, Annotated[list[str], Set()]], Map()], {}),
    (Annotated[dict[str, Any], Tree()], {}),
    (Annotated[dict[str, Any], Tree(lists="set")], {}),
    (Annotated[dict[str, Any], Tree(lists="scalar")], {}),
    (Annotated[dict[str, Annotated[dict[str, Any], Tree()]], Map()], {}),
    (One, One()),
    (Two, Two()),
    (Annotated[dict[str, One], Map()], {}),
    (Annotated[dict[str, Two], Map()], {}),
    (Annotated[list[Item], Set(by="id")], []),
    (Annotated[list[Other], Set(by="id")], []),
    (Annotated[list[dict[str, Any]], List()], []),
    (Annotated[Decimal | None, Scalar()], None),
    (Annotated[Decimal | None, Scalar(resolve="min")], None),
    (Annotated[datetime | None, Scalar()], None),
    (Annotated[list[Decimal], Set()], []),
    (Annotated[list[Decimal], List()], []),
    (Annotated[dict[str, Decimal], Map()], {}),
    (Priced, Priced()),
]
SHAPES: list[Callable[[str], Any]] = [
    lambda text: text,
    lambda text: [text],
    lambda text: [text, f"{text}b"],
    lambda text: {f"k{text}": 1},
    lambda text: {"s": text},
    lambda text: {"p": {"s": text}},
    lambda text: [{"id": text, "n": 2}],
    lambda text: {"q": [text]},
]
VALUES = [
    *("one", "two", "", 5, 0, None, True, [], {}, ["a", "b"], ["b"], ["a", "a"], ["1", "2"], [1, 2], {"a": 1}),
    *({"a": 2, "b": 3}, {"a": ["x"]}, {"a": 1, "s": "t"}, {"k": {"a": 1, "s": "t"}}, [{"id": "1", "n": 2}]),
    *([{"id": "1", "n": 2}, {"id": "2"}], {"k": {"s": ["t"]}}),
    *("1.", "1", "+2.50", ["1.", "1"], ["+2.50", "2.5"], {"k": "1."}, {"s": "01"}, 1.0, "2026-11-29 10:00+00:00"),
]


def some_model(rnd: random.Random, *, names: bool = True) -> Schema:
    """A model of up to two fields of any kinds; with ``names`` one of them may have had another name."""
    fields: dict[str, Any] = {name: rnd.choice(FIELDS) for name in ("x", "y") if rnd.random() < 0.9}
    renamed = {}
    if names and rnd.random() < 0.3:
        old, new = rnd.choice("xyz"), rnd.choice("xy")
        if new in fields and old not in fields:
            renamed = {old: new}
    return Schema(create_model("Some", **fields), renamed=renamed)


def tame(call: Callable[[], Any]) -> Any:
    """Calls; the library's own errors are answers."""
    try:
        return call()
    except ConcordantError:
        return None


def check(ws: Workspace) -> None:
    """Everything can be read, fits its model, and what is contested is listed."""
    for document in ws.list(()):
        assert document.model is not None
        assert ws.history(document.namespace, document.key) is not None
        assert ws.blame(document.namespace, document.key) is not None
        listed = [e.id for e in ws.escalations() if (e.namespace, e.key) == (document.namespace, document.key)]
        if ws.declares(document.namespace):
            assert sorted(listed) == sorted(e.id for e in document.contested.values())


def edit(rnd: random.Random, document: Any) -> None:
    """Changes some fields a little, or to anything."""
    for name in [*document] if isinstance(document, dict) else [*type(document).model_fields]:
        if rnd.random() < 0.4:
            continue
        old = document[name] if isinstance(document, dict) else getattr(document, name)
        new = rnd.choice(VALUES)
        if isinstance(old, list) and rnd.random() < 0.7:
            new = rnd.choice([[*old, "q"], old[1:]])
        elif isinstance(old, (int, str)) and rnd.random() < 0.7:
            new = old + 1 if isinstance(old, int) else f"{old} z"
        elif isinstance(old, dict) and rnd.random() < 0.7:
            new = {**old, "new": new} if rnd.random() < 0.5 else dict([*old.items()][1:])
        if isinstance(document, dict):
            document[name] = new
        else:
            setattr(document, name, new)


ACTS = ("write", "put", "edit", "edit", "delete", "resolve", "dismiss", "past", "export", "import", "vacuum")


def act(rnd: random.Random, ws: Workspace, frames: list[bytes]) -> None:
    """One call of any sort."""
    agent, key = rnd.choice(["ada", "bob"]), rnd.choice(KEYS)
    name = rnd.choice(
        ["write", "put", "edit", "edit", "delete", "resolve", "dismiss", "past", "export", "import", "vacuum"]
    )
    if name in ("write", "put"):
        value = {field: rnd.choice(VALUES) for field in ("x", "y") if rnd.random() < 0.6}
        tame(lambda: ws.put(NS, key, value) if name == "put" else ws.agent(agent).write(NS, key, value))
    elif name == "edit":

        def editing() -> None:
            with ws.agent(agent).edit(NS, key) as document:
                edit(rnd, document)

        tame(editing)
    elif name == "delete":
        tame(lambda: ws.agent(agent).delete(NS, key))
    elif name in ("resolve", "dismiss"):
        for question in ws.escalations()[:1]:
            answer = rnd.choice([*(c.value for c in question.contenders), *VALUES])
            tame(lambda: ws.dismiss(question, by="e") if name == "dismiss" else ws.resolve(question, answer, by="e"))  # noqa: B023
    elif name == "past":
        for entry in tame(lambda: ws.history(NS, key)) or []:
            past = tame(lambda at=entry.version: ws.get(NS, key, at=at))
            assert past is None or past.model is not None
    elif name == "export":
        frames.append(ws.export())
    elif name == "import" and frames:
        ws.import_(rnd.choice(frames))
    elif name == "vacuum":
        ws.vacuum()


def opened(url: str | None, schemas: dict[Any, Any], name: str) -> Workspace:
    return (
        Workspace(url, schemas=schemas, options=SqliteOptions(synchronous="off"))
        if url
        else Workspace(schemas=schemas, replica=name)
    )


def live(seed: str, urls: tuple[str | None, str | None] = (None, None)) -> None:
    """Two stores under a first model, or none, then under others that are declared, or opened with."""
    rnd = random.Random(seed)
    frames: list[bytes] = []
    first = {("*",): some_model(rnd, names=False)} if rnd.random() < 0.7 else {}
    stores = [opened(url, first, f"{seed}.{number}") for number, url in enumerate(urls)]
    schemas: dict[Any, Any] = first
    for turn in range(3):
        for _ in range(rnd.randint(2, 8)):
            ws = rnd.choice(stores)
            act(rnd, ws, frames)
            arrive(ws, schemas)
        model = some_model(rnd)
        schemas = {**schemas, NS: model}
        for number, url in enumerate(urls):
            if url is not None:
                stores[number].close()
                stores[number] = opened(url, {NS: model}, "")
            elif not turn:
                stores[number].declare({NS: model})
            else:
                frame = stores[number].export()
                stores[number] = opened(None, {NS: model}, f"{seed}.{number}.{turn}")
                stores[number].import_(frame)
        for ws in stores:
            check(ws)
            arrive(ws, schemas)
    one, other = stores
    for _ in range(2):
        other.import_(one.export())
        one.import_(other.export())
    for key in KEYS:
        agree(one, other, key)
        one.purge(NS, key)
    for ws in stores:
        check(ws)
        ws.close()


def arrive(ws: Workspace, schemas: dict[Any, Any]) -> None:
    """Whoever is sent all there is shows the same, in the same form."""
    with Workspace(schemas=schemas, replica="twin") as twin:
        twin.import_(ws.export())
        for key in KEYS:
            one, other = (store.get(NS, key) for store in (ws, twin))
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                assert json.dumps(one.value) == json.dumps(other.value)
                assert (one.contested.keys(), one.undeclared) == (other.contested.keys(), other.undeclared)


def agree(one: Workspace, other: Workspace, key: str) -> None:
    """Both show the same, order and ids included."""
    first, second = one.get(NS, key), other.get(NS, key)
    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert first.value == second.value
        assert {(e.id, e.version) for e in first.contested.values()} == {
            (e.id, e.version) for e in second.contested.values()
        }
        assert sorted(first.undeclared) == sorted(second.undeclared)
        assert one.blame(NS, key) == other.blame(NS, key)


def keep(seed: str) -> None:
    """Blind contributions, each with a word of its own, under models that change: every accepted word can be found."""
    rnd = random.Random(seed)
    models: list[Any] = [some_model(rnd, names=False), None]
    stores = [opened(None, {NS: model} if model else {}, f"{seed}.{number}") for number, model in enumerate(models)]
    written: dict[str, str] = {}
    for turn in range(3):
        for _ in range(rnd.randint(1, 4)):
            ws, name, word = rnd.choice(stores), rnd.choice("xy"), f"w{100 + len(written)}"
            blind = ws.agent(f"a{word}", began=Moment(ws.storage.replica, 0, 0.0))
            value = rnd.choice(SHAPES)(word)
            if tame(lambda: blind.write(NS, "k", {name: value})) is not None:  # noqa: B023
                written[word] = name
            if rnd.random() < 0.3:
                rnd.choice(stores).import_(ws.export())
        for number in range(2):
            if rnd.random() < 0.6:
                model = some_model(rnd, names=False) if rnd.random() < 0.75 else None
                frame = stores[number].export()
                stores[number] = opened(None, {NS: model} if model else {}, f"{seed}.{number}.{turn}")
                stores[number].import_(frame)
    for _ in range(2):
        stores[0].exchange(stores[1])
    bare = Workspace(replica=f"{seed}.bare")
    bare.import_(stores[0].export())
    for ws in stores:
        check(ws)
        document = ws.get(NS, "k")
        for word, name in written.items():
            assert document is not None
            assert word in _told(bare if name in document.undeclared else ws), (word, name)


def _told(ws: Workspace) -> str:
    """All that a store tells of a document, as text."""
    document = ws.get(NS, "k")
    parts = [
        [e.path, e.base, *(None if c.value is DELETED else c.value for c in e.contenders)] for e in ws.escalations()
    ]
    return json.dumps([document.value if document else None, *parts])


@pytest.mark.parametrize("number", range(8))
def test_g4_lives_under_changing_models(number: int, seed: str) -> None:
    """Reads fit, questions are listed, no call raises another error than the library's, and stores that met agree."""
    live(f"{seed}-{number}")


@pytest.mark.parametrize("number", range(8))
def test_g1_no_word_is_lost_when_models_change(number: int, seed: str) -> None:
    """What was accepted is shown, is a contender, or is in a hidden field."""
    keep(f"{seed}-{number}")


@pytest.mark.parametrize("number", range(3))
def test_g4_lives_in_files_under_changing_models(number: int, seed: str, tmp_path: Path) -> None:
    """The same in databases that are opened with other models."""
    live(f"{seed}-{number}", (f"sqlite:///{tmp_path}/one.db", f"sqlite:///{tmp_path}/two.db"))


@pytest.mark.torture
@pytest.mark.parametrize("part", range(20))
def test_g1_g4_many_lives_under_changing_models(part: int, seed: str, tmp_path: Path) -> None:
    """Thousands of them."""
    for number in range(250):
        live(f"{seed}-{part}-{number}")
        keep(f"{seed}-{part}-{number}")
    for number in range(10):
        live(f"{seed}-{part}-f{number}", (f"sqlite:///{tmp_path}/{number}a.db", f"sqlite:///{tmp_path}/{number}b.db"))
