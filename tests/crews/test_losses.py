"""What is lost with CrewAI's own memory storage, and what becomes of it here: the table of docs/crewai.md."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crewai import Crew
from crewai.events import MemorySaveFailedEvent, crewai_event_bus
from crewai.memory.analyze import ConsolidationAction, ConsolidationPlan, ExtractedMetadata, MemoryAnalysis
from crewai.memory.storage.backend import StorageBackend
from crewai.memory.storage.lancedb_storage import LanceDBStorage
from crewai.memory.types import MemoryRecord
from crewai.memory.unified_memory import Memory
from lancedb.merge import LanceMergeInsertBuilder

from concordant_crewai import MergeStorage, install
from concordant_crewai.memory.places import beside
from tests.patience import PATIENCE

from .support import Script, agent, embed, task

Open = Callable[[], StorageBackend]


def stock(path: Path) -> Open:
    """Opens CrewAI's storage, one handle after the other."""
    return lambda: LanceDBStorage(path)


def ours(path: Path) -> Open:
    """Opens ours, with the records beside the vectors."""
    return lambda: MergeStorage(path, embedder=embed)


def memory(storage: StorageBackend, plan: Callable[..., Any] | None = None, **more: Any) -> Memory:
    """A memory whose model says what the test says."""
    return Memory(storage=storage, embedder=embed, llm=Script(plan=plan), **more)


def one(storage: StorageBackend, **more: Any) -> MemoryRecord:
    """Stores one record."""
    content = more.pop("content", "the launch is in May")
    record = MemoryRecord(**{"id": "r", "content": content, "embedding": embed([content])[0], "scope": "/team", **more})
    storage.save([record])
    return record


def at_once(*works: Callable[[], Any]) -> None:
    """Runs functions in threads; raises what they raise."""
    errors: list[BaseException] = []

    def guarded(work: Callable[[], Any]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


class Meeting:
    """A storage whose readers wait for each other before they go on: the race, made to happen."""

    def __init__(self, storage: StorageBackend, method: str, parties: int = 2) -> None:
        self._storage, self._method, self._barrier = storage, method, threading.Barrier(parties)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._storage, name)
        if name != self._method:
            return found

        def meet(*args: Any, **kwargs: Any) -> Any:
            result = found(*args, **kwargs)
            self._barrier.wait(PATIENCE)
            return result

        return meet


# -- 1 ---------------------------------------------------------------------------------------------------------------


def different_fields(open_: Open) -> MemoryRecord:
    """Two threads update different fields of one record."""
    storage = open_()
    one(storage)
    kept = memory(Meeting(storage, "get_record"))  # type: ignore[arg-type]
    at_once(
        lambda: kept.update("r", importance=0.9, categories=["date"]), lambda: kept.update("r", metadata={"by": "bob"})
    )
    found = storage.get_record("r")
    assert found is not None
    return found


def test_1_different_fields_at_once(tmp_path: Path) -> None:
    """Two threads update different fields of one record: one update is lost, here both stand."""
    lost = different_fields(stock(tmp_path / "stock"))
    assert (lost.categories == ["date"]) != (lost.metadata == {"by": "bob"})
    kept = different_fields(ours(tmp_path / "ours"))
    assert (kept.importance, kept.categories, kept.metadata) == (0.9, ["date"], {"by": "bob"})


# -- 2 ---------------------------------------------------------------------------------------------------------------


def two_handles(open_: Open) -> MemoryRecord:
    """Two memories on one path update one record, one after the other."""
    first = memory(open_())
    one(first._storage)
    second = memory(open_())
    assert [record.id for record in second.list_records()] == ["r"]
    first.update("r", categories=["date"])
    second.update("r", importance=0.9)
    found = open_().get_record("r")
    assert found is not None
    return found


def test_2_two_handles_one_after_the_other(tmp_path: Path) -> None:
    """Two memories on one path update one record in turn: the first update is reverted, here both stand."""
    lost = two_handles(stock(tmp_path / "stock"))
    assert (lost.categories, lost.importance) == ([], 0.9)
    kept = two_handles(ours(tmp_path / "ours"))
    assert (kept.categories, kept.importance) == (["date"], 0.9)


# -- 3, 4, 5, 12: consolidation --------------------------------------------------------------------------------------


def rewriting(answers: dict[str, str], *, insert: bool = False) -> Callable[..., Any]:
    """A model that rewrites record r: with the text whose key is in the message."""

    def plan(messages: Any, model: Any) -> Any:
        said = str(messages)
        if model is MemoryAnalysis:
            return MemoryAnalysis(
                suggested_scope="/team", categories=[], importance=0.5, extracted_metadata=ExtractedMetadata()
            )
        [text] = [text for key, text in answers.items() if key in said]
        action = ConsolidationAction(action="update", record_id="r", new_content=text, reason="newer")
        return ConsolidationPlan(actions=[action], insert_new=insert)

    return plan


def remember(kept: Memory, content: str) -> None:
    """Remembers a text with all fields given, so that the model is asked to consolidate only."""
    kept.remember(content, scope="/team", categories=[], importance=0.5)


def two_consolidations(open_: Open) -> tuple[StorageBackend, MemoryRecord]:
    """Two agents each remember a fact, at once, that is consolidated into one record."""
    storage = open_()
    one(storage, content="the launch is in May. It has ten guests.")
    meeting = Meeting(storage, "search")
    answers = {
        "in June": "the launch is in June. It has ten guests.",
        "twenty guests": "the launch is in May. It has twenty guests.",
    }
    first, second = (memory(meeting, rewriting(answers), consolidation_threshold=0.1) for _ in range(2))  # type: ignore[arg-type]
    at_once(lambda: remember(first, "in June"), lambda: remember(second, "twenty guests"))
    found = storage.get_record("r")
    assert found is not None
    return storage, found


def test_3_two_consolidations_at_once(tmp_path: Path) -> None:
    """Two saves consolidate into one record at once: one fact survives, here both do, and are found by their vector."""
    _, lost = two_consolidations(stock(tmp_path / "stock"))
    assert ("June" in lost.content) != ("twenty" in lost.content)
    storage, kept = two_consolidations(ours(tmp_path / "ours"))
    assert kept.content == "the launch is in June. It has twenty guests."
    assert kept.embedding == pytest.approx(embed([kept.content])[0])
    assert [record.id for record, _ in storage.search(embed([kept.content])[0], min_score=0.99)] == ["r"]


def private_consolidation(open_: Open) -> MemoryRecord:
    """A private record of eve is consolidated."""
    storage = open_()
    one(storage, source="eve", private=True)
    kept = memory(storage, rewriting({"in June": "the launch is in June"}), consolidation_threshold=0.1)
    remember(kept, "in June")
    found = storage.get_record("r")
    assert found is not None
    return found


def test_4_a_private_record_is_consolidated(tmp_path: Path) -> None:
    """A consolidation drops source and private, so that everybody recalls it: here it stays eve's, and private."""
    lost = private_consolidation(stock(tmp_path / "stock"))
    assert (lost.source, lost.private) == (None, False)
    kept = private_consolidation(ours(tmp_path / "ours"))
    assert (kept.content, kept.source, kept.private) == ("the launch is in June", "eve", True)


LONG = " ".join(
    ["the launch is in May and", *(f"guest number {n} is invited," for n in range(20)), "bring an umbrella"]
)


def long_consolidation(open_: Open) -> MemoryRecord:
    """A record of 500 characters is consolidated by a model that is shown 200 of them."""
    storage = open_()
    one(storage, content=LONG)
    kept = memory(storage, rewriting({"in June": LONG[:200].replace("May", "June")}), consolidation_threshold=0.0)
    remember(kept, "in June")
    found = storage.get_record("r")
    assert found is not None
    return found


def test_5_a_long_record_is_consolidated(tmp_path: Path) -> None:
    """The model sees 200 characters and its answer replaces the whole: here what it was not shown stays."""
    lost = long_consolidation(stock(tmp_path / "stock"))
    assert "June" in lost.content and "umbrella" not in lost.content
    kept = long_consolidation(ours(tmp_path / "ours"))
    assert "June" in kept.content and "May" not in kept.content and "umbrella" in kept.content
    assert all(f"guest number {n} is" in kept.content for n in range(7, 20))
    assert kept.embedding == pytest.approx(embed([kept.content])[0])


# -- 6 ---------------------------------------------------------------------------------------------------------------


def crash_in_update(storage: StorageBackend, lance: LanceDBStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends when LanceDB is about to write the new row; CrewAI's own has deleted the old one by then."""
    write = lance._do_write

    def crashing(op: str, *args: Any, **kwargs: Any) -> Any:
        if op == "add":
            raise SystemExit
        return write(op, *args, **kwargs)

    class Crashing:
        def execute(self, rows: Any) -> Any:
            raise SystemExit

    read = storage.get_record("r")
    assert read is not None
    with monkeypatch.context() as patch:
        patch.setattr(lance, "_do_write", crashing)
        patch.setattr(LanceMergeInsertBuilder, "execute", Crashing.execute)
        with pytest.raises(SystemExit):
            storage.update(read.model_copy(update={"importance": 0.9}))


def test_6_a_crash_in_an_update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An update is a delete and an add: a crash between them loses the record; here it is there, and found."""
    lance = LanceDBStorage(tmp_path / "stock")
    one(lance)
    crash_in_update(lance, lance, monkeypatch)
    assert LanceDBStorage(tmp_path / "stock").get_record("r") is None

    view, kept = LanceDBStorage(tmp_path / "ours"), beside(tmp_path / "ours")
    storage = MergeStorage(view=view, workspace=kept)
    one(storage)
    crash_in_update(storage, view, monkeypatch)
    again = MergeStorage(tmp_path / "ours")
    found = again.get_record("r")
    assert found is not None and found.importance == 0.9
    assert [record.id for record, _ in again.search(embed([found.content])[0])] == ["r"]


# -- 7 ---------------------------------------------------------------------------------------------------------------


def two_saves(open_: Open) -> list[MemoryRecord]:
    """Two storages save records of their own that say the same."""
    first, second = open_(), open_()
    for storage, category in ((first, "date"), (second, "plan")):
        one(storage, id=category, categories=[category])
    return open_().list_records()


def test_7_one_fact_saved_by_two_agents(tmp_path: Path) -> None:
    """One fact saved by two agents becomes two records: here one, with the categories of both."""
    assert sorted(record.id for record in two_saves(stock(tmp_path / "stock"))) == ["date", "plan"]
    [kept] = two_saves(ours(tmp_path / "ours"))
    assert sorted(kept.categories) == ["date", "plan"]


def test_7_both_ids_find_the_one_record(tmp_path: Path) -> None:
    """Where equal facts became one record, either agent's id reads, updates and forgets it."""
    storage = MergeStorage(tmp_path / "ours")
    for name in ("a", "b"):
        one(storage, id=name)
    read = storage.get_record("b")
    assert read is not None and read.id == "a" and storage.count() == 1
    memory(storage).update("b", importance=0.9)
    assert storage.list_records()[0].importance == 0.9
    assert storage.delete(record_ids=["b"]) == 1 and storage.count() == 0


# -- 8 ---------------------------------------------------------------------------------------------------------------


def forgotten_while_updated(open_: Open) -> list[MemoryRecord]:
    """One handle forgets a record that another has read and then updates."""
    first = open_()
    one(first)
    second = open_()
    read = second.get_record("r")
    assert read is not None
    first.delete(record_ids=["r"])
    second.update(read.model_copy(update={"importance": 0.9}))
    return open_().list_records()


def test_8_a_forgotten_record_does_not_come_back(tmp_path: Path) -> None:
    """An update by who had read a record before it was forgotten brings it back: here it stays forgotten."""
    assert [record.id for record in forgotten_while_updated(stock(tmp_path / "stock"))] == ["r"]
    assert forgotten_while_updated(ours(tmp_path / "ours")) == []


# -- 11, 12, 13 ------------------------------------------------------------------------------------------------------


class Broken(LanceDBStorage):
    """A storage that cannot save."""

    def save(self, records: list[MemoryRecord]) -> None:
        raise OSError("disk full")


@pytest.mark.parametrize("merging", [False, True], ids=["stock", "ours"])
def test_11_a_failed_save_is_an_event_only(merging: bool, tmp_path: Path) -> None:
    """When a background save fails, the memory says nothing but an event: beyond a storage's reach, the same here."""
    broken = Broken(tmp_path / "vectors")
    kept = memory(MergeStorage(view=broken) if merging else broken)
    failed = []
    with crewai_event_bus.scoped_handlers():

        @crewai_event_bus.on(MemorySaveFailedEvent)
        def tell(source: Any, event: MemorySaveFailedEvent) -> None:
            failed.append(event.error)

        assert kept.remember_many(["a fact"], scope="/team", categories=[], importance=0.5) == []
        kept.close()
        crewai_event_bus.flush()
    assert failed == ["disk full"]


@pytest.mark.parametrize("open_", [stock, ours])
def test_12_the_second_consolidation_of_a_batch_is_dropped(open_: Callable[[Path], Open], tmp_path: Path) -> None:
    """Of two facts of one batch that go into one record the storage gets the first only: beyond its reach, here too."""
    storage = open_(tmp_path)()
    one(storage, content="the launch is in May at noon")
    answers = {"it is June": "the launch is in June at noon", "it is two": "the launch is in May at two"}
    kept = memory(storage, rewriting(answers), consolidation_threshold=0.0)
    kept.remember_many(["it is June", "it is two"], scope="/team", categories=[], importance=0.5)
    kept.drain_writes()
    assert [record.content for record in storage.list_records()] == ["the launch is in June at noon"]


def two_default_crews() -> list[str]:
    """Two crews with memory=True, made at once and run one after the other; what the second finds of the first's."""
    crews = []
    for name in ("first", "second"):
        worker = agent(name)
        crews.append(Crew(agents=[worker], tasks=[task(worker)], memory=True))
    first, second = (crew._memory for crew in crews)
    assert isinstance(first, Memory) and isinstance(second, Memory)
    first._storage.save([MemoryRecord(content="the launch is in May", embedding=embed(["the launch is in May"])[0])])
    return [record.content for record, _ in second._storage.search(embed(["the launch"])[0])]


def test_13_two_default_crews(tmp_path: Path) -> None:
    """The second of two default crews cannot recall what the first saved: with install it can, with no other change."""
    assert two_default_crews() == []
    undo = install(tmp_path / "ours", embedder=embed)
    try:
        assert two_default_crews() == ["the launch is in May"]
    finally:
        undo()
