"""Names that callers give: namespaces, prefixes, patterns, agents; and what is no name."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import ConcordantError, Limits, Scalar, SchemaError, StorageError, TaskScope, Workspace

STORAGES = ["memory", "sqlite", "postgres"]


class Brief(BaseModel):
    status: Annotated[str | None, Scalar()] = None


CALLS_OF_A_NAMESPACE: dict[str, Callable[[Workspace, Any], Any]] = {
    "get": lambda ws, ns: ws.get(ns, "k"),
    "list": lambda ws, ns: ws.list(ns),
    "namespaces": lambda ws, ns: ws.namespaces(ns),
    "escalations": lambda ws, ns: ws.escalations(ns),
    "history": lambda ws, ns: ws.history(ns, "k"),
    "blame": lambda ws, ns: ws.blame(ns, "k"),
    "write": lambda ws, ns: ws.agent("a").write(ns, "k", {"s": 1}),
    "put": lambda ws, ns: ws.put(ns, "k", {"s": 1}),
    "read": lambda ws, ns: ws.agent("a").read(ns, "k"),
    "delete": lambda ws, ns: ws.agent("a").delete(ns, "k"),
    "remove": lambda ws, ns: ws.remove(ns, "k"),
    "purge": lambda ws, ns: ws.purge(ns, "k"),
    "declares": lambda ws, ns: ws.declares(ns),
}


@pytest.mark.parametrize("call", CALLS_OF_A_NAMESPACE)
def test_a_string_for_a_namespace_is_an_error(call: str) -> None:
    """A string where a namespace is meant is refused, for its letters would be taken for names; the error mends it."""
    ws = Workspace()
    ws.agent("a").write(("briefs",), "k", {"s": 1})
    with pytest.raises(ConcordantError, match=r"\('briefs',\)"):
        CALLS_OF_A_NAMESPACE[call](ws, "briefs")


def test_a_list_serves_as_a_prefix() -> None:
    """A prefix may be a list, as JSON has it."""
    ws = Workspace()
    ws.agent("a").write(("briefs", "x"), "k", {"s": 1})
    assert [d.key for d in ws.list(["briefs"])] == ["k"]  # type: ignore[arg-type]


NAMES: dict[str, Callable[[Workspace, str], Any]] = {
    "agent": lambda ws, name: ws.agent(name),
    "acting_as": lambda ws, name: ws.acting_as(name),
    "namespace": lambda ws, name: ws.agent("a").write((name,), "k", {"s": 1}),
    "namespace read": lambda ws, name: ws.get((name,), "k"),
    "key": lambda ws, name: ws.agent("a").write(("n",), name, {"s": 1}),
    "key read": lambda ws, name: ws.get(("n",), name),
    "key of history": lambda ws, name: ws.history(("n",), name),
    "prefix": lambda ws, name: ws.list((name,)),
    "prefix of escalations": lambda ws, name: ws.escalations((name,)),
    "field": lambda ws, name: ws.agent("a").write(("n",), "k", {name: 1}),
    "field below": lambda ws, name: ws.agent("a").write(("n",), "k", {"a": {name: 1}}),
    "by": lambda ws, name: ws.dismiss(ws.escalations()[0], by=name),
    "claim": lambda ws, name: ws.claim(ws.escalations()[0], by=name),
    "subscriber": lambda ws, name: ws.subscribe(name),
    "unsubscribe": lambda ws, name: ws.unsubscribe(name),
    "store": lambda ws, name: ws.rename(name),
    "replica": lambda ws, name: Workspace(replica=name),
    "setting": lambda ws, name: ws.put(("n",), "k", {"a": 1}, settings={name: 1}),
    "pattern": lambda ws, name: ws.declare({(name,): Brief}),
    "adopted by": lambda ws, name: ws.adopt(("n",), "k2", {"a": 1}, by=name),
    "known store": lambda ws, name: ws.export({name: 1}),
}


@pytest.mark.parametrize("storage", STORAGES)
def test_g11_a_lone_surrogate_is_refused_in_every_name(storage: str, fresh_url: Callable[[str], str | None]) -> None:
    """Half of a surrogate pair is refused in every name, by every storage alike, and nothing is stored."""
    with Workspace(fresh_url(storage)) as ws:
        a, b = ws.agent("a"), ws.agent("b")
        a.write(("q",), "k", {"s": 1})
        b.write(("q",), "k", {"s": 2})
        n = ws.moment().n
        for name, call in NAMES.items():
            with pytest.raises(ConcordantError):
                print(name, call(ws, "x\ud800y"))
        assert ws.moment().n == n
        for name, call in NAMES.items():
            if name != "by":
                call(ws, "Zoë 🦀")
        ws.export()


@pytest.mark.parametrize("pattern", [("**",), ("users", "**"), ("user-*",), ("a*b", "*")])
def test_patterns_with_stars_inside_are_refused(pattern: tuple[str, ...]) -> None:
    """``**``, and a star within a segment, match nothing: such a pattern is refused, with the way to write it."""
    with pytest.raises(SchemaError, match="whole segment"):
        Workspace(schemas={pattern: Brief})


@pytest.mark.parametrize("reads", [False, True], ids=["write", "read"])
@pytest.mark.parametrize(
    ("pattern", "written", "warned"),
    [
        (("briefs",), ("brefs",), True),
        (("briefs",), ("Briefs",), True),
        (("briefs",), ("briefs ",), True),
        (("users", "*"), ("user", "ada"), True),
        (("users", "*", "notes"), ("users", "ada", "note"), True),
        (("briefs",), ("plans",), False),
        (("briefs",), ("briefs", "x"), False),
        (("users", "*"), ("teams", "ada"), False),
        (("a",), ("b",), False),
        (("briefs",), ("briefs",), False),
        (("tier1",), ("tier2",), False),
    ],
)
def test_a_misspelt_namespace_is_warned_of(
    pattern: tuple[str, ...], written: tuple[str, ...], warned: bool, reads: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Once schemas exist, the first use of a namespace without one whose name is almost theirs is warned of, once."""
    ws = Workspace(schemas={pattern: Brief})
    with caplog.at_level(logging.WARNING, "concordant"):
        for key in ("k1", "k2"):
            if reads:
                assert ws.get(written, key) is None
            ws.agent("ada").write(written, key, {"status": "x"})
        ws.get(("never", "written"), "k")
    found = [record.getMessage() for record in caplog.records]
    assert len(found) == warned
    if warned:
        assert repr(written) in found[0] and repr(pattern) in found[0]


def test_without_schemas_nothing_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """Where no schema is declared every namespace is as good as any other."""
    ws = Workspace()
    with caplog.at_level(logging.WARNING, "concordant"):
        ws.agent("ada").write(("briefs",), "k", {"status": "x"})
        ws.agent("ada").write(("brief",), "k", {"status": "x"})
    assert not caplog.records


def test_a_name_cannot_pose_as_a_line_of_a_message() -> None:
    """In the text of an error a name with control characters is quoted."""
    ws = Workspace(schemas={("briefs\nAll is well",): Brief})
    with pytest.raises(ConcordantError) as refused:
        ws.agent("ada").write(("briefs\nAll is well",), "k\x1b[31m", {"unknown": 1})
    assert "\nAll is well" not in str(refused.value) and "\x1b" not in str(refused.value)


def test_a_workspace_closed_in_memory_refuses_writes() -> None:
    """After ``close`` a workspace in memory takes no write, as one with a database does not."""
    ws = Workspace(schemas={("briefs",): Brief})
    ada = ws.agent("ada")
    ada.write(("briefs",), "k", {"status": "x"})
    other = Workspace()
    other.put(("free",), "k", {"a": 1})
    ws.close()
    for write in (
        lambda: ada.write(("briefs",), "k", {"status": "y"}),
        lambda: ada.write(("briefs",), "new", {"status": "y"}),
        lambda: ws.put(("free",), "new", {"a": 1}),
        lambda: ws.put_all([(("free",), "new", {"a": 1})]),
        lambda: ada.delete(("briefs",), "k"),
        lambda: ws.import_(other.export()),
        lambda: ws.vacuum(),
        lambda: ws.purge(("briefs",), "k"),
        lambda: ws.rename(),
    ):
        with pytest.raises(StorageError, match="closed"):
            write()
    assert ws.moment().n == 1


LONG = "planner/" * 1_000


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("limit", [1_000, 24, 5])
def test_a_name_that_a_framework_made_is_kept_in_bounds(
    storage: str, limit: int, fresh_url: Callable[[str], str | None]
) -> None:
    """The name of a task's agent that is too long, or no valid Unicode, is cut or spelt out, and not refused: it is
    nobody's mistake; others stay others."""
    given = ["plan", LONG, LONG + "x", "🦀" * 700, "a\ud800b", "a\ud801b"]
    tasks = [TaskScope(f"t{n}", name, f"t{n}", f"t{n}", "1", 0.0, lambda *_: "ordered") for n, name in enumerate(given)]
    with Workspace(fresh_url(storage), limits=Limits(name=limit)) as ws:
        ws.agent("a").write(("q",), "k", {"n": -1})
        current = tasks[0]
        ws.add_scope_provider(lambda: current)
        for number, current in enumerate(tasks):  # noqa: B007
            ws.put(("q",), "k", {"n": number})
        names = [entry.agent for entry in reversed(ws.history(("q",), "k"))][1:]
        assert len(set(names)) == len(given)
        assert all(0 < len(name.encode()) <= limit for name in names)
        assert limit < 1_000 or (names[0] == "plan" and names[1].startswith("planner/planner/") and "🦀🦀" in names[3])
        ws.export()
