"""Documents leave as Loro documents and come back; bytes from strangers harm nobody."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from loro import ExportMode, LoroDoc

from concordant import InvalidWriteError, Workspace
from concordant_loro import LoroError, from_loro, to_loro
from concordant_loro.child import Child
from concordant_loro.errors import guarded

from .support import Page, mutated, sealed

PLACE = ("pages",), "home"

words = st.text(st.characters(codec="utf-8"), max_size=12)
names = st.text(st.sampled_from("ab.%/:\0é😀 "), max_size=5)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words
anything = st.recursive(plain, lambda part: st.lists(part, max_size=3) | st.dictionaries(names, part, max_size=3))
section = st.fixed_dictionaries({}, optional={"body": words, "reads": st.integers(), "tags": st.sets(words)})
page = st.fixed_dictionaries(
    {},
    optional={
        "body": words,
        "rows": st.lists(words, max_size=4),
        "tags": st.sets(words, max_size=4),
        "notes": st.dictionaries(names, words, max_size=3),
        "sections": st.dictionaries(names, section, max_size=3),
        "lists": st.dictionaries(names, st.lists(st.integers(), max_size=3), max_size=3),
        "intro": section,
        "extra": section | st.none(),
        "tree": st.dictionaries(names, anything, max_size=3),
        "people": st.lists(st.builds(lambda id, age: {"id": id, "age": age}, names, st.integers()), max_size=3),
        "status": words | st.none(),
        "tokens": st.integers(),
    },
)


def written(value: Any, model: Any = Page) -> Any:
    """The document that a write of a value makes."""
    ws = Workspace(schemas={PLACE[0]: model} if model is not None else {})
    ws.agent("ada").write(*PLACE, value)
    return ws.get(*PLACE)


@settings(max_examples=30, deadline=None)
@given(page)
def test_a_document_comes_back_as_it_left(value: dict[str, Any]) -> None:
    """A document of every kind, empty parts included, comes back equal with and without its model."""
    document = written(value)
    blob = to_loro(document)
    assert from_loro(blob, Page) == document.value
    assert from_loro(blob) == document.value


@settings(max_examples=15, deadline=None)
@given(st.dictionaries(names, anything, min_size=1, max_size=4))
def test_a_document_without_a_model_comes_back(value: dict[str, Any]) -> None:
    """Where no model is declared, each field comes back as the one value it is."""
    document = written(value, None)
    assert from_loro(to_loro(document)) == document.value


def test_what_comes_back_can_be_written() -> None:
    """What another tool made of the Loro document is written like any value."""
    doc = LoroDoc()
    doc.import_(to_loro(written({"body": "One.", "rows": ["a"], "tokens": 2})))
    doc.get_text("text:body").insert(4, " Two.")
    doc.get_list("list:rows").insert(1, '"b"')
    doc.get_map("set:tags").insert('"new"', "1")
    doc.get_map("fields").insert("tokens", "5")
    doc.commit()
    value = from_loro(doc.export(ExportMode.Snapshot()), Page)
    ws = Workspace(schemas={PLACE[0]: Page})
    ws.agent("maria").write(*PLACE, value)
    assert ws.get(*PLACE).value == {"body": "One. Two.", "rows": ["a", "b"], "tags": ["new"], "tokens": 5}


def test_what_does_not_fit_the_model_is_told() -> None:
    """A value of the wrong type is refused with its path, as a write that must be valid would be."""
    doc = LoroDoc()
    doc.get_map("fields").insert("tokens", '"many"')
    doc.commit()
    with pytest.raises(InvalidWriteError) as refused:
        from_loro(doc.export(ExportMode.Snapshot()), Page)
    assert [fault.path for fault in refused.value.faults] == [("tokens",)]


def foreign(fill: Any) -> bytes:
    doc = LoroDoc()
    fill(doc)
    doc.commit()
    return doc.export(ExportMode.Snapshot())


def nested(levels: int) -> Any:
    value: Any = "deep"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"loro",
        bytes(64),
        foreign(lambda doc: doc.get_map("fields").insert("status", 3)),
        foreign(lambda doc: doc.get_map("fields").insert("status", "no json")),
        foreign(lambda doc: doc.get_map("fields").insert("sta%74us", "1")),
        foreign(lambda doc: doc.get_map("fields").insert("status", "[" * 100_000)),
        foreign(lambda doc: doc.get_map("fields").insert(".".join("a" * 500), "1")),
        foreign(lambda doc: doc.get_list("list:rows").insert(0, nested(60))),
        foreign(lambda doc: doc.get_map("rows:people").insert("1", "[1, 2]")),
        foreign(lambda doc: doc.get_map("tree:tree").insert("no path", "1")),
        foreign(lambda doc: doc.get_map("meta").insert("places", "3")),
    ],
    ids=range(12),
)
def test_what_is_not_ours_is_our_error(blob: bytes) -> None:
    """Bytes that are no Loro document, or one that is laid out otherwise, give our own error."""
    with pytest.raises(LoroError):
        from_loro(blob)


@pytest.mark.parametrize("said", [["record"], {"record": 1}, 3, "no kind"], ids=range(4))
def test_an_unknown_kind_of_root_is_a_record(said: Any) -> None:
    """Where a document names a kind of root that there is not, what lies there is read as a record's."""

    def change(doc: LoroDoc) -> None:
        doc.get_map("meta").insert("places", json.dumps({"sections": said}))
        doc.get_map("keys:sections").insert("one", said)
        doc.get_text("text:sections.one.body").insert(0, "In it.")

    assert from_loro(foreign(change))["sections"] == {"one": {"body": "In it."}}


def test_what_is_too_large_is_not_read() -> None:
    """More bytes than the limit are refused before Loro sees them."""
    blob = to_loro(written({"body": "word " * 1_000}))
    with pytest.raises(LoroError, match="most=10"):
        from_loro(blob, most=10)


def test_updates_that_lack_their_beginning_are_told() -> None:
    """Updates that depend on what was not sent are not read as a whole document."""
    doc = LoroDoc()
    doc.get_text("text:body").insert(0, "One.")
    doc.commit()
    seen = doc.oplog_vv
    doc.get_text("text:body").insert(4, " Two.")
    doc.commit()
    with pytest.raises(LoroError, match="depends on"):
        from_loro(doc.export(ExportMode.Updates(seen)))


def test_a_child_that_dies_costs_one_answer() -> None:
    """When the process that reads dies of the bytes, the call gets our error and the next one an answer."""
    blob = to_loro(written({"body": "One."}))
    assert from_loro(blob) == {"body": "One."}
    process = Child.shared("read")._started()
    process.kill()
    process.wait()
    assert from_loro(blob) == {"body": "One."}
    silent = Child("read", patience=0.05)
    os.kill(silent._started().pid, signal.SIGSTOP)  # so that it says nothing until patience ends
    with pytest.raises(LoroError, match="ended its process"):
        silent.ask("roots", blob)
    silent.close()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="no /proc tells of the copy")
def test_a_copy_that_ends_between_two_questions_costs_nothing() -> None:
    """What reads is a copy of a process that makes the next one: when it is ended while nothing is asked, that is no
    answer to the next question."""
    blob = to_loro(written({"body": "One."}))
    from_loro(blob)
    process = Child.shared("read")._started()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for _ in range(3):
        copy = children.read_text()
        os.kill(int(copy), signal.SIGKILL)
        while children.read_text() in (copy, ""):
            time.sleep(0.001)
        assert from_loro(blob) == {"body": "One."}
    assert Child.shared("read")._process is process


def test_the_guard_lets_through_what_is_not_loros() -> None:
    """What ends a program or a task passes the guard, whatever else is raised becomes our error."""
    for passing in (KeyboardInterrupt, SystemExit, GeneratorExit):
        with pytest.raises(passing), guarded("It"):
            raise passing
    with pytest.raises(LoroError, match="It failed"), guarded("It"):
        raise BaseException("bare")


def fuzz(seed: str, count: int) -> dict[str, int]:
    """Reads mutated documents; what is raised is our own error, and how often the child died is told."""
    chance = random.Random(seed)
    blobs = [
        to_loro(written({"body": "One. Two.", "rows": ["a", "b"], "tags": {"x"}, "tokens": 3, "intro": {"body": "é"}})),
        to_loro(written({"tree": {"a": {"b": [1]}}, "people": [{"id": "1"}], "sections": {"s": {"tags": ["t"]}}})),
    ]
    for blob in blobs[:2]:
        doc = LoroDoc()
        doc.import_(blob)
        blobs += [doc.export(ExportMode.Updates(LoroDoc().oplog_vv))] * 4  # in these no sums of blocks stand in the way
    assert all(sealed(blob) == blob for blob in blobs), "the checksum is another one: the mutants would all be refused"
    told = {"read": 0, "refused": 0, "died": 0}
    for _ in range(count):
        bad = mutated(chance.choice(blobs), chance)
        try:
            json.dumps(from_loro(bad))
            told["read"] += 1
        except LoroError as error:
            told["died" if "ended its process" in str(error) else "refused"] += 1
    return told


def test_mutated_bytes_harm_nobody(seed: str) -> None:
    """Damaged documents with a valid checksum are read or refused; this process goes on."""
    told = fuzz(seed, 300)
    assert told["refused"] > 50, (seed, told)


@pytest.mark.torture
def test_twenty_thousand_mutants_harm_nobody(seed: str) -> None:
    """20,000 damaged documents with a valid checksum are read or refused; this process goes on."""
    told = fuzz(seed, 20_000)
    assert sum(told.values()) == 20_000 and told["refused"] > 5_000, (seed, told)
