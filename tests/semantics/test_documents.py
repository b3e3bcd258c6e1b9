"""Documents, receipts, ``if_version``, lists and the ``a…`` twins."""

from __future__ import annotations

import datetime as dt
import random
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from benchmarks.writers import calls
from concordant import InvalidWriteError, Map, Scalar, Set, StaleWriteError, Workspace

from .support import AT, NS, only, pair, shown, workspace


class Brief(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    tags: Annotated[list[str], Set()] = []
    extra: Annotated[dict[str, Any] | None, Scalar()] = None


MODELS: list[Any] = [Brief, None]


def test_a_documents_attributes() -> None:
    """Where it is, what it holds, when it was made and changed, at which version."""
    ws = workspace(Brief)
    before = dt.datetime.now(dt.UTC)
    first = ws.agent("ada").write(*AT, {"status": "a"})
    second = ws.agent("ada").write(*AT, {"status": "b"})
    document = ws.get(*AT)
    assert document is not None
    assert (document.namespace, document.key) == AT
    assert document.value == {"status": "b"} and document.model == Brief(status="b")
    assert document.contested == {} and list(document.undeclared) == []
    assert first.version < second.version == document.version
    assert before - dt.timedelta(seconds=1) <= document.created_at < document.updated_at
    assert document.created_at.tzinfo is not None


def test_a_missing_document_reads_as_none() -> None:
    """By every way of reading."""
    ws = workspace(Brief)
    assert ws.get(*AT) is None and ws.agent("ada").read(*AT) is None and ws.read_current(*AT) is None
    assert ws.get(*AT, strict=True) is None


@pytest.mark.parametrize("model", MODELS)
def test_changing_what_a_read_returned_changes_nothing_stored(model: Any) -> None:
    """``value`` is the document's own copy."""
    ws = workspace(model)
    ws.put(*AT, {"tags": ["a"], "extra": {"x": [1]}})
    document = ws.get(*AT)
    assert document is not None
    document.value["tags"].append("b")
    document.value["extra"]["x"].append(2)
    document.value["status"] = "x"
    assert shown(ws) == {"tags": ["a"], "extra": {"x": [1]}}
    document.model  # noqa: B018 - reading it must not see the change either
    again = ws.get(*AT)
    assert again is not None and again.value == {"tags": ["a"], "extra": {"x": [1]}}


class Crowd(BaseModel):
    tags: Annotated[list[str], Set()] = []
    owners: Annotated[dict[str, str], Map()] = {}


@pytest.mark.parametrize(
    ("field", "given", "more"),
    [
        ("tags", [f"tag {n}" for n in range(9_000)], ["late"]),
        ("owners", {f"key {n}": "ada" for n in range(9_000)}, {"late": "bob"}),
    ],
)
def test_a_large_value_is_each_readers_own(field: str, given: Any, more: Any) -> None:
    """Of much that is shown readers are given copies: what one of them changes nobody else sees, and a later write
    does not change what they hold."""
    ws = workspace(Crowd)
    ws.agent("ada").write(*AT, {field: given})
    began = ws.moment()
    ws.agent("bob", began=began).write(*AT, {field: more})
    one, other, late = ws.get(*AT), ws.get(*AT), ws.get(*AT)
    assert one is not None and other is not None and late is not None
    wanted = {field: [*given, *more] if isinstance(given, list) else {**given, **more}}
    assert one.value == wanted
    one.value[field].clear()
    assert other.value == wanted
    ws.agent("cy", began=began).write(*AT, {field: ["later"] if isinstance(given, list) else {"later": "cy"}})
    again = ws.get(*AT)
    assert again is not None and len(again.value[field]) == 9_002
    assert late.value == other.value == wanted


@pytest.mark.parametrize("model", MODELS)
def test_changing_what_was_put_changes_nothing_stored(model: Any) -> None:
    """Values are snapshots."""
    ws = workspace(model)
    given: dict[str, Any] = {"tags": ["a"], "extra": {"x": [1]}}
    ws.put(*AT, given)
    given["tags"].append("b")
    given["extra"]["x"].append(2)
    given["status"] = "x"
    assert shown(ws) == {"tags": ["a"], "extra": {"x": [1]}}


@pytest.mark.parametrize("model", MODELS)
def test_changing_what_a_read_returned_makes_no_put_of_it_an_edit(model: Any) -> None:
    """The read mark is a snapshot too: a mutated ``value`` that is put back is a change."""
    ws = workspace(model)
    ws.put(*AT, {"status": "a", "tags": ["a"], "extra": {"x": 1}})
    document = ws.read_current(*AT)
    assert document is not None
    value = document.value
    value["tags"].remove("a")
    value["tags"].append("b")
    value["extra"]["x"] = 2
    ws.put(*AT, value)
    assert shown(ws) == {"status": "a", "tags": ["b"], "extra": {"x": 2}}


def test_changing_an_edits_object_after_the_block_changes_nothing() -> None:
    """The edit ends with the block."""
    ws = workspace(Brief)
    with ws.agent("ada").edit(*AT) as brief:
        brief.status = "a"
    brief.status = "b"
    assert shown(ws) == {"status": "a"}


def test_an_old_document_is_a_snapshot() -> None:
    """What was read stays what it was."""
    ws = workspace(Brief)
    ws.agent("ada").write(*AT, {"status": "a"})
    old = ws.get(*AT)
    ws.agent("ada").write(*AT, {"status": "b"})
    assert old is not None and old.value == {"status": "a"} and old.model.status == "a"


@pytest.mark.parametrize("model", MODELS)
def test_if_version_accepts_the_version_and_refuses_others(model: Any) -> None:
    """Nothing of a refused write is applied, and the error tells both versions."""
    ws = workspace(model)
    ada = ws.agent("ada")
    first = ada.write(*AT, {"status": "a"}, if_version=0)
    second = ada.write(*AT, {"status": "b"}, if_version=first.version)
    for wrong in (0, first.version, second.version + 1):
        with pytest.raises(StaleWriteError, match="version") as error:
            ada.write(*AT, {"status": "c"}, if_version=wrong)
        assert (error.value.expected, error.value.current) == (wrong, second.version)
    with pytest.raises(StaleWriteError):
        ada.delete(*AT, if_version=first.version)
    assert shown(ws) == {"status": "b"}
    ada.delete(*AT, if_version=second.version)
    assert shown(ws) is None
    ada.write(*AT, {"status": "d"}, if_version=0)
    assert shown(ws) == {"status": "d"}


def test_a_failed_if_version_leaves_no_trace() -> None:
    """No version, no journal row, no conflict later."""
    ws = workspace(Brief)
    ada = ws.agent("ada")
    ada.write(*AT, {"status": "a"})
    rows = ws.history(*AT)
    with pytest.raises(StaleWriteError):
        ada.write(*AT, {"status": "b"}, if_version=99)
    assert ws.history(*AT) == rows


def test_a_document_may_be_written_on_its_own_version_only_once() -> None:
    """Of two compare-and-set writers one wins."""
    ws = workspace(Brief)
    ada, bob = pair(ws)
    version = ada.write(*AT, {"status": "a"}, if_version=0).version
    with pytest.raises(StaleWriteError):
        bob.write(*AT, {"status": "b"}, if_version=0)
    bob.read(*AT)
    bob.write(*AT, {"status": "b"}, if_version=version)
    assert shown(ws) == {"status": "b"}


def test_list_goes_by_prefix() -> None:
    """All documents whose namespace begins with the prefix, whole segments."""
    ws = Workspace()
    for namespace in (("a",), ("a", "b"), ("a", "b", "c"), ("ab",), ("b",)):
        ws.put(namespace, "k", {"n": list(namespace)})
    ws.put(("a", "b"), "gone", {"x": 1})
    ws.remove(("a", "b"), "gone")

    def found(*prefix: str) -> list[tuple[str, ...]]:
        return sorted(document.namespace for document in ws.list(prefix))

    assert found("a") == [("a",), ("a", "b"), ("a", "b", "c")]
    assert found("a", "b") == [("a", "b"), ("a", "b", "c")]
    assert found("ab") == [("ab",)] and found("c") == []
    assert len(found()) == 5 and len(list(ws.list())) == 5


def test_writing_while_listing() -> None:
    """A list goes on over what it found, though it is written meanwhile."""
    ws = Workspace()
    for number in range(10):
        ws.put(NS, str(number), {"x": number})
    for number, document in enumerate(ws.list(NS)):
        ws.put(NS, f"new{number}", {"x": 1})
        ws.remove(NS, document.key)
    assert len(list(ws.list(NS))) == 10


def test_a_workspace_is_a_context_manager() -> None:
    """It closes at the end of the block."""
    with Workspace() as ws:
        ws.put(*AT, {"x": 1})
    ws.close()


async def test_every_call_has_a_twin_for_coroutines() -> None:
    """With the same results."""
    ws = workspace(Brief)
    ada, bob = pair(ws)
    receipt = await ada.awrite(*AT, {"status": "a"})
    await bob.awrite(*AT, {"status": "b"})
    document = await bob.aread(*AT)
    assert document == await ws.aget(*AT) == ws.get(*AT)
    assert await ws.aget(*AT, at=receipt.version) is not None
    assert await ws.aescalations() == ws.escalations()
    claimed = await ws.aclaim(only(ws), by="editor")
    await ws.adismiss(claimed, by="editor")
    async with bob.aedit(*AT) as brief:
        brief.status = "edited"
    assert shown(ws) == {"status": "edited"}
    assert await ws.ahistory(*AT) == ws.history(*AT)
    assert await ws.ablame(*AT) == ws.blame(*AT)
    assert await ws.astats() == ws.stats()
    assert [d.key for d in await ws.alist(NS)] == ["k"]
    other = workspace(Brief)
    assert await other.aimport_(await ws.aexport()) == 1
    await bob.adelete(*AT)
    assert shown(ws) is None
    await ada.arefresh()
    await ws.apurge(*AT)
    assert ws.history(*AT)[1:] == []


async def test_an_async_edit_that_raises_writes_nothing() -> None:
    """As its synchronous twin."""
    ws = workspace(Brief)
    edit = ws.agent("ada").aedit(*AT)
    brief = await edit.__aenter__()
    brief.status = "a"
    error = RuntimeError()
    assert not await edit.__aexit__(RuntimeError, error, None)
    assert shown(ws) is None


def test_undeclared_reject_refuses() -> None:
    """Writes to a namespace without a model are refused, those of a declared one and reads are not."""
    ws = Workspace(schemas={NS: Brief}, undeclared="reject")
    ws.put(*AT, {"status": "a"})
    ada = ws.agent("ada")
    with pytest.raises(InvalidWriteError, match="schema"):
        ws.put(("other",), "k", {"x": 1})
    with pytest.raises(InvalidWriteError, match="schema"):
        ada.write(("other",), "k", {"x": 1})
    edit = ada.edit(("other",), "k")
    with pytest.raises(InvalidWriteError, match="schema"):
        edit.__enter__()
    assert ws.get(("other",), "k") is None and list(ws.list(("other",))) == []
    assert shown(ws) == {"status": "a"}


def test_who_looks_under_one_namespace_does_not_pass_the_others() -> None:
    """A list of one namespace takes as many calls beside 600 others as beside 20; what is there is found under each
    prefix, in memory in the order in which namespaces came, whatever was deleted and written again."""
    counts = []
    for others in (20, 600):
        ws = Workspace()
        for n in range(others):
            ws.put(("users", f"u{n}", "notes"), "k", {"n": n})
        counts.append(calls(lambda ws=ws: (list(ws.list(("users", "u7"))), ws.namespaces(("users", "u7")))))
    assert counts[1] <= counts[0]
    ws = Workspace()
    places = [("a", "b"), ("a",), ("b",), ("a", "b", "c"), ("a", "d")]
    rnd, there = random.Random(5), dict.fromkeys(places[:0])
    for step in range(150):
        place = rnd.choice(places)
        if rnd.random() < 0.4:
            ws.remove(place, "k")
            there.pop(place, None)
        elif place not in there:
            ws.put(place, "k", {"n": step})
            there[place] = None
        for prefix in ((), ("a",), ("a", "b"), ("b",), ("c",)):
            under = [place for place in there if place[: len(prefix)] == prefix]
            found = [document.namespace for document in ws.list(prefix)]
            assert found == under or (not ws.storage.live and sorted(found) == sorted(under))
            assert set(ws.namespaces(prefix)) == set(under)
