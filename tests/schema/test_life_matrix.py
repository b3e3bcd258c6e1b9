"""Every kind becomes every other one, on every storage: nothing is lost, misread, or told in another way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import pytest

from concordant import Schema, Workspace
from concordant.storage import PostgresOptions, SqliteOptions

from .changing import CONVERTED, KINDS, PLAIN, model_of, pairs

Namespace = tuple[str, ...]
Way = tuple[str, str, str]
Fresh = Callable[[str], str | None]

GONE = "gone"
WAYS = [(old, new, "kept") for old, new in pairs()] + [(old, old, "renamed") for old in KINDS]
WAYS += [(old, GONE, "kept") for old in KINDS] + [(old, new, "undeclared") for old, new in pairs() if old in PLAIN]


def before(way: Way) -> Any:
    """The model under which a document is written; ``None`` for none."""
    old, _, how = way
    return None if how == "undeclared" else model_of(old, field="y" if how == "renamed" else "x")


@cache
def after(way: Way) -> Any:
    """The model under which it is read."""
    _, new, how = way
    if how == "renamed":
        return Schema(model_of(new), renamed={"y": "x"})
    return model_of(None if new == GONE else new)


def opened(url: str | None, schemas: Mapping[Namespace, Any]) -> Workspace:
    options: Any = None
    if url is not None:
        options = SqliteOptions(synchronous="normal") if url.startswith("sqlite") else PostgresOptions(pool_size=1)
    return Workspace(url, schemas=schemas, options=options)


def changed(storage: str, fresh_url: Fresh, ways: Sequence[Way], times: int) -> Workspace:
    """A store whose documents, one in a namespace of each way, were written so often, under the models after."""
    olds = {(*way, "o"): before(way) for way in ways}
    news = {(*way, "o"): after(way) for way in ways}
    declared = {namespace: model for namespace, model in olds.items() if model is not None}
    if storage == "declared":  # a pattern that is more special has another model
        declared = {(*namespace[:3], "*"): model for namespace, model in declared.items()}
    url = fresh_url(storage) if storage in ("sqlite", "postgres") else None
    ws = opened(url, declared)
    for old, new, how in ways:
        for number in range(times):
            name = "y" if how == "renamed" else "x"
            ws.agent(f"o{number}").write((old, new, how, "o"), "k", {name: KINDS[old].stored, "t": ["a"]})
    if storage == "declared":
        ws.declare(news)
        return ws
    if storage == "exchanged":
        other = Workspace(schemas=news)
        other.import_(ws.export())
        return other
    ws.close()
    return opened(url, news)


@cache
def stored(old: str, how: str, times: int) -> Any:
    """What the field holds after so many writes of the same."""
    ws = Workspace(schemas={("n",): model_of(old)} if how != "undeclared" else None)
    for number in range(times):
        ws.agent(f"o{number}").write(("n",), "k", {"x": KINDS[old].stored})
    document = ws.get(("n",), "k")
    assert document is not None
    return document.value["x"]


def check_read(ws: Workspace, way: Way, times: int) -> bool:
    """What a document shows before anybody wrote it anew; tells whether it was converted."""
    old, new, how = way
    value = stored(old, how, times)
    document = ws.get((*way, "o"), "k")
    assert document is not None and document.model.t == {"a"}
    found = [(e.path, e.reason, *(c.value for c in e.contenders)) for e in ws.escalations((*way, "o"))]
    assert sorted(map(repr, found)) == sorted(
        repr((e.path, e.reason, *(c.value for c in e.contenders))) for e in document.contested.values()
    )
    if new == GONE:
        assert document.value == {"t": ["a"]} and list(document.undeclared) == ["x"] and not found
        return True
    assert not document.undeclared
    if old == new or new in CONVERTED.get(old, ()):
        assert document.value == {"x": value, "t": ["a"]} and not found
        agents = {agent for credit in document_credits(ws, way) for agent in credit.agents}
        assert {"o0"} <= agents <= {"o0", "o1"}
        return True
    assert found == [(("x",), "schema", value)]
    (escalation,) = ws.escalations((*way, "o"))
    assert {agent for c in escalation.contenders for agent in c.agents} == {f"o{n}" for n in range(times)} or times == 2
    assert document.value.get("x", value) == value
    return False


def document_credits(ws: Workspace, way: Way) -> list[Any]:
    """Who stands for what is in the field."""
    return [credit for path, found in ws.blame((*way, "o"), "k").items() if path[0] == "x" for credit in found]


def check_written(ws: Workspace, way: Way, times: int, *, converted: bool) -> None:
    """What becomes of a document that is written under the new model."""
    _, new, how = way
    namespace = (*way, "o")
    ws.agent("n").write(namespace, "k", {"t": ["b"]})
    if new != GONE:
        ws.agent("n").write(namespace, "k", {"x": KINDS[new].later})
    document = ws.get(namespace, "k")
    assert document is not None and document.model.t == {"a", "b"}
    if new != GONE and converted:
        twin = Workspace(schemas={("n",): model_of(new)})
        twin.agent("o0").write(("n",), "k", {"x": stored(way[0], how, times)})
        twin.agent("n").write(("n",), "k", {"x": KINDS[new].later})
        wanted = twin.get(("n",), "k")
        assert wanted is not None
        assert document.value["x"] == wanted.value["x"] and not document.contested
    elif new != GONE:
        values = [c.value for e in ws.escalations(namespace) for c in e.contenders]
        replaced = new in PLAIN and way[0] in PLAIN  # it was a scalar and is one: who has seen it replaces it
        assert replaced or stored(way[0], how, times) in values


def check_kept(ws: Workspace, way: Way) -> None:
    """No call breaks on a document that was written under another model."""
    namespace = (*way, "o")
    document = ws.get(namespace, "k")
    assert document is not None
    for entry in ws.history(namespace, "k"):
        past = ws.get(namespace, "k", at=entry.version)
        assert past is None or past.model is not None
    for escalation in ws.escalations(namespace):
        ws.dismiss(escalation, by="editor")
    assert ws.escalations(namespace) == []
    with ws.agent("e").edit(namespace, "k") as brief:
        brief.t.discard("a")
    ws.purge(namespace, "k")
    assert ws.get(namespace, "k") is None


def check_all(storage: str, times: int, fresh_url: Fresh, ways: Sequence[Way]) -> None:
    """What converts without loss is converted, what a name was given to is found, what has no field any more is hidden,
    all else is an open question at once; and it can be read, written, settled and erased."""
    with changed(storage, fresh_url, ways, times) as ws:
        converted = {way: check_read(ws, way, times) for way in ways}
        for way in ways:
            check_written(ws, way, times, converted=converted[way])
        twin = Workspace(schemas={(*way, "o"): after(way) for way in ways})
        twin.import_(ws.export())
        for way in ways:
            one, other = ws.get((*way, "o"), "k"), twin.get((*way, "o"), "k")
            assert one is not None
            assert other is not None
            assert (one.value, {*one.contested}) == (other.value, {*other.contested})
        ws.vacuum()
        for way in ways[::4]:
            check_kept(ws, way)


@pytest.mark.parametrize(("storage", "times", "every"), [("declared", 1, 4), ("exchanged", 2, 5), ("exchanged", 1, 7)])
def test_every_kind_becomes_every_other(storage: str, times: int, every: int, fresh_url: Fresh) -> None:
    """Whether it was written once or twice, in a store whose models change or in another one: nothing is lost."""
    check_all(storage, times, fresh_url, WAYS[::every])


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("storage", ["sqlite", "postgres"])
def test_every_kind_becomes_others_in_a_database(storage: str, times: int, fresh_url: Fresh) -> None:
    """A database that is opened with other models tells what the memory tells."""
    check_all(storage, times, fresh_url, WAYS[times::9])


@pytest.mark.torture
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("storage", ["declared", "exchanged", "sqlite", "postgres"])
def test_every_kind_becomes_every_other_everywhere(storage: str, times: int, fresh_url: Fresh) -> None:
    """The same for each kind with each."""
    check_all(storage, times, fresh_url, WAYS)
