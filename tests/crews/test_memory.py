"""``MergeStorage`` under CrewAI's ``Memory`` and crews: who wrote, what escalates, what was there before."""

from __future__ import annotations

import copy
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from crewai import Crew
from crewai.flow.flow import Flow, start
from crewai.flow.persistence import persist
from crewai.flow.persistence.factory import default_flow_persistence
from crewai.memory.analyze import ExtractedMemories, ExtractedMetadata, MemoryAnalysis
from crewai.memory.storage.lancedb_storage import LanceDBStorage
from crewai.memory.types import MemoryRecord
from crewai.memory.unified_memory import Memory

from concordant import Workspace
from concordant_crewai import MergeFlowPersistence, MergeStorage, install

from .support import Script, agent, embed, parallel, task


def one(content: str = "the launch is in May", **more: Any) -> MemoryRecord:
    return MemoryRecord(**{"content": content, "embedding": embed([content])[0], "scope": "/team", **more})


def extracting(messages: Any, model: Any) -> Any:
    """A model that takes a task's result for a memory, and every memory for a fact of the team."""
    if model is ExtractedMemories:
        [who] = [name for name in ("ada", "bob") if f"{name} found" in str(messages)]
        return ExtractedMemories(memories=[f"{who} found something"])
    return MemoryAnalysis(
        suggested_scope="/team", categories=["found"], importance=0.5, extracted_metadata=ExtractedMetadata()
    )


def test_what_a_crew_remembers_is_its_agents(tmp_path: Path) -> None:
    """What CrewAI saves by itself after a task is credited to the agent of the task, also when tasks run at once."""
    storage = MergeStorage(tmp_path)
    kept = Memory(storage=storage, embedder=embed, llm=Script(plan=extracting), consolidation_threshold=1.0)
    workers = [agent(name, [f"{name} found it"], memory=kept) for name in ("ada", "bob")]
    for worker in workers:
        worker.llm._plan = extracting
    parallel(*workers).kickoff()
    kept.drain_writes()
    found = {record.content: storage.history(record.id)[0].agent for record in storage.list_records("/team")}
    assert found == {"ada found something": "ada", "bob found something": "bob"}


def test_two_scopes_of_one_record_escalate(tmp_path: Path) -> None:
    """Who moves a record to one scope while another moves it elsewhere: it stays, until somebody decides."""
    storage = MergeStorage(tmp_path)
    storage.save([one(id="r")])
    first, second = storage.get_record("r"), storage.get_record("r")
    assert first is not None and second is not None
    for read, scope, name in [(first, "/red", "ada"), (second, "/blue", "bob")]:
        with storage.workspace.acting_as(name):
            storage.update(read.model_copy(update={"scope": scope}))
    [question] = storage.escalations()
    assert (question.key, question.path) == ("r", ("scope",))
    assert [(c.value, c.agent) for c in question.contenders] == [("/red", "ada"), ("/blue", "bob")]
    assert storage.list_scopes() == ["/team"]
    storage.resolve(question, "/blue", by="maria", why="Red is full.")
    assert storage.list_scopes() == ["/blue"] and storage.escalations() == []
    assert storage.workspace.escalations(state="resolved")[0].remarks[-1] == ("maria", "Red is full.")
    assert [r.id for r, _ in storage.search(embed(["launch"])[0], scope_prefix="/blue")] == ["r"]
    assert [entry.agent for entry in storage.history("r")] == ["maria", "bob", "ada", "anonymous"]


def test_who_forgets_wins_over_who_touches(tmp_path: Path) -> None:
    """A record that one handle forgets while another notes that it was read stays forgotten, without a question."""
    first, second = MergeStorage(tmp_path), MergeStorage(tmp_path)
    first.save([one(id="r")])
    find = second._records.find

    def then_forgotten(record_id: str) -> Any:
        found = find(record_id)
        assert first.delete(record_ids=[record_id]) == 1
        return found

    second._records.find = then_forgotten  # type: ignore[method-assign]
    second.touch_records(["r"])
    again = MergeStorage(tmp_path)
    assert again.list_records() == [] and again.search(embed(["launch"])[0]) == [] and again.escalations() == []


def test_highest_importance_counts_and_may_be_lowered(tmp_path: Path) -> None:
    """Of importances given at once the highest counts; who has seen it may lower it."""
    storage = MergeStorage(tmp_path)
    storage.save([one(id="r")])
    reads = [storage.get_record("r") for _ in range(2)]
    for read, importance in zip(reads, (0.9, 0.7), strict=True):
        assert read is not None
        storage.update(read.model_copy(update={"importance": importance}))
    read = storage.get_record("r")
    assert read is not None and read.importance == 0.9
    storage.update(read.model_copy(update={"importance": 0.2}))
    assert storage.list_records()[0].importance == 0.2


def test_metadata_keys_that_are_absent_stay(tmp_path: Path) -> None:
    """An update with new metadata adds and changes keys; one that it leaves out is not removed, None empties it."""
    kept = Memory(storage=MergeStorage(tmp_path), embedder=embed, llm=Script())
    kept._storage.save([one(id="r", metadata={"by": "ada", "n": 1})])
    kept.update("r", metadata={"n": None, "of": "x"})
    assert kept.list_records()[0].metadata == {"by": "ada", "n": None, "of": "x"}


def test_listed_records_have_their_vectors(tmp_path: Path) -> None:
    """Records are listed as CrewAI's own storage lists them, vectors included, page by page and scope by scope."""
    records = [one(f"fact {n}", id=f"r{n}", scope=f"/s{n % 2}", created_at=datetime(2026, 1, 1 + n)) for n in range(5)]
    stock, ours = LanceDBStorage(tmp_path / "stock"), MergeStorage(tmp_path / "ours")
    for storage in (stock, ours):
        storage.save(records)
    for given in ({}, {"limit": 2, "offset": 1}, {"scope_prefix": "/s1"}, {"scope_prefix": "/s1", "limit": 1}):
        wanted = [(r.id, r.embedding) for r in stock.list_records(**given)]
        assert [(r.id, r.embedding) for r in ours.list_records(**given)] == wanted and wanted[0][1] is not None
    ours.update(records[4].model_copy(update={"created_at": datetime(2025, 1, 1)}))  # at another place than its row
    assert all(r.embedding is not None for r in ours.list_records(limit=4))


def test_records_of_crewais_own_storage_are_taken_over(tmp_path: Path) -> None:
    """What lies in a directory of LanceDB's is there, with its times, and is found; what was forgotten is not."""
    before = LanceDBStorage(tmp_path)
    records = [one(id="a", metadata={"n": 1}, source="eve", private=True), one("bread is brown", id="b")]
    before.save(records)
    ws = Workspace()
    storage = MergeStorage(tmp_path, workspace=ws)
    assert [record.model_dump() for record in storage.list_records()] == [r.model_dump() for r in reversed(records)]
    storage.delete(record_ids=["b"])
    before = LanceDBStorage(tmp_path)
    before.save([records[1]])  # somebody who does not know
    again = MergeStorage(tmp_path, workspace=ws)
    assert (
        [r.id for r in again.list_records()] == ["a"] == [r.id for r, _ in again.search(embed(["bread is brown"])[0])]
    )
    assert LanceDBStorage(tmp_path).get_record("b") is None


def test_lost_vectors_are_made_again(tmp_path: Path) -> None:
    """With an empty directory the records are there, and with an embedder they are found."""
    ws = Workspace()
    MergeStorage(tmp_path / "first", workspace=ws).save([one(id="a"), one("bread is brown", id="b")])
    again = MergeStorage(tmp_path / "second", workspace=ws, embedder=embed)
    assert [r.id for r, _ in again.search(embed(["bread is brown"])[0], min_score=0.99)] == ["b"]
    assert again.repair() == 0


def test_another_handle_finds_what_was_saved_since(tmp_path: Path) -> None:
    """Two storages on one directory, opened before anything was in it, search what the other saves and changes."""
    ws = Workspace()
    first, second = (MergeStorage(tmp_path, workspace=ws) for _ in range(2))
    for number, content in enumerate(["the launch is in May", "bread is brown"]):
        first.save([one(content, id=str(number))])
        assert [r.id for r, _ in second.search(embed([content])[0], limit=1)] == [str(number)]
    read = second.get_record("0")
    assert read is not None
    second.update(read.model_copy(update={"content": "carrots", "embedding": embed(["carrots"])[0]}))
    assert [r.content for r, _ in first.search(embed(["carrots"])[0], limit=1, min_score=0.9)] == ["carrots"]


def test_rows_that_a_race_wrote_twice_count_once(tmp_path: Path) -> None:
    """A record with two rows among the vectors is found once, and mended at the next opening."""
    ws, view = Workspace(), LanceDBStorage(tmp_path)
    storage = MergeStorage(view=view, workspace=ws)
    storage.save([one(id="a"), one("bread is brown", id="b")])
    view.save([one(id="a"), one(id="a")])
    assert sorted(r.id for r, _ in storage.search(embed(["launch"])[0], limit=2)) == ["a", "b"]
    assert storage.count() == 2
    assert MergeStorage(tmp_path, workspace=ws).repair() == 0 and LanceDBStorage(tmp_path).count() == 2


def test_a_copied_memory_remembers_in_the_same_storage(tmp_path: Path) -> None:
    """CrewAI copies agents with their memories; the copy's storage is the same."""
    storage = MergeStorage(tmp_path)
    worker = agent("ada", memory=Memory(storage=storage, embedder=embed))
    copied = worker.copy().memory
    assert isinstance(copied, Memory) and copied._storage is storage is copy.deepcopy(storage)


def test_installed_storages_are_used_everywhere(tmp_path: Path) -> None:
    """Memory() and @persist() use storages that merge after install, other paths of their own, and CrewAI's after."""
    undo = install(tmp_path / "memory", embedder=embed)
    try:
        first, second = Memory()._storage, Memory()._storage
        other = Memory(storage=str(tmp_path / "other"))._storage
        assert isinstance(first, MergeStorage) and first is second
        assert isinstance(other, MergeStorage) and other is not first
        first.save([one(id="a")])
        assert other.count() == 0 and first.count() == 1
        kept = default_flow_persistence()
        assert isinstance(kept, MergeFlowPersistence) and kept.workspace is first.workspace

        @persist()
        class Work(Flow[dict[str, Any]]):
            @start()
            def work(self) -> None:
                self.state["done"] = True

        flow = Work()
        flow.kickoff()
        assert kept.load_state(flow.flow_id) == {"id": flow.flow_id, "done": True}
    finally:
        undo()
    assert isinstance(Memory(storage=str(tmp_path / "after"))._storage, LanceDBStorage)


def test_a_crew_with_memory_runs_unchanged(tmp_path: Path) -> None:
    """A crew recalls in its second task what it remembered of its first."""
    storage = MergeStorage(tmp_path)
    kept = Memory(storage=storage, embedder=embed, llm=Script(plan=extracting), consolidation_threshold=1.0)
    seen: list[str] = []

    def answer(messages: Any) -> str:
        seen.append(str(messages))
        return "bob found it"

    ada, bob = agent("ada", ["ada found it"]), agent("bob", [answer])
    for worker in (ada, bob):
        worker.llm._plan = extracting
    Crew(agents=[ada, bob], tasks=[task(ada), task(bob)], memory=kept).kickoff()
    assert "ada found something" in seen[0]
    assert sorted(record.content for record in storage.list_records()) == ["ada found something", "bob found something"]


@pytest.mark.parametrize("word", ["", "   "])
def test_an_empty_content_is_kept(word: str, tmp_path: Path) -> None:
    """A record without words is a record."""
    storage = MergeStorage(tmp_path, embedder=embed)
    storage.save([one(word, id="r", embedding=None)])
    assert [(r.id, r.content) for r in storage.list_records()] == [("r", word)]
