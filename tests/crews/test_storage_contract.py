"""The contract of CrewAI's ``StorageBackend``: its own storage and ours do the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from crewai.memory.storage.backend import EmbeddingDimensionMismatchError, StorageBackend
from crewai.memory.storage.lancedb_storage import LanceDBStorage
from crewai.memory.types import MemoryRecord

from concordant.errors import InvalidWriteError
from concordant_crewai import MergeStorage

from .support import embed

START = datetime(2026, 1, 1, 12)


@pytest.fixture(params=[LanceDBStorage, MergeStorage], ids=["stock", "ours"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> StorageBackend:
    """CrewAI's storage, and ours."""
    made: StorageBackend = request.param(tmp_path / "vectors")
    return made


def record(content: str, at: int = 0, **more: Any) -> MemoryRecord:
    """A record, ``at`` minutes after the start."""
    time = START + timedelta(minutes=at)
    return MemoryRecord(
        **{"content": content, "embedding": embed([content])[0], "created_at": time, "last_accessed": time, **more}
    )


def some(storage: StorageBackend) -> list[MemoryRecord]:
    """Six records in scopes, with categories and metadata."""
    records = [
        record("apples are red", 0, id="a", scope="/food/fruit", categories=["fruit", "red"], metadata={"by": "ada"}),
        record("bananas are yellow", 1, id="b", scope="/food/fruit", categories=["fruit"], metadata={"by": "bob"}),
        record("carrots are orange", 2, id="c", scope="/food/roots", categories=["roots"], metadata={"by": "ada"}),
        record("the sky is blue", 3, id="d", scope="/sky", importance=0.9, source="eve", private=True),
        record("bread is brown", 4, id="e", scope="/food", metadata={"n": 1, "deep": {"x": [1, None]}}),
        record("night is black", 5, id="f", scope="/sky/night", categories=["red"]),
    ]
    storage.save(records)
    return records


def ids(found: list[Any]) -> list[str]:
    return [one[0].id if isinstance(one, tuple) else one.id for one in found]


def test_it_is_a_storage_backend(storage: StorageBackend) -> None:
    """It has every method of the protocol, and the optional ones that Memory looks for."""
    assert isinstance(storage, StorageBackend)
    assert callable(storage.touch_records)  # type: ignore[attr-defined]


def test_a_record_comes_back_as_it_was_saved(storage: StorageBackend) -> None:
    """All of its fields, and its vector."""
    for saved in some(storage):
        found = storage.get_record(saved.id)
        assert found is not None and found.model_dump() == saved.model_dump()
        assert found.embedding == pytest.approx(saved.embedding)
    assert storage.get_record("nobody") is None


def test_a_record_equals_the_one_that_was_saved(storage: StorageBackend) -> None:
    """As CrewAI's own records do, from either side; a changed copy does not."""
    saved = record("apples are red", id="a", metadata={"n": 1}, embedding=[0.5] * 16)
    storage.save([saved])
    found = storage.get_record("a")
    assert found == saved and saved == found and storage.get_record("a") == found
    assert found is not None and found.model_copy(update={"content": "apples are green"}) != saved
    assert found != "a" and [found] == [saved]


@pytest.mark.parametrize("value", [object(), {1}, datetime(2026, 1, 2), b"x", {"deep": [{"in": {1}}]}])
def test_metadata_that_is_no_json_is_refused(storage: StorageBackend, value: Any) -> None:
    """By a save and by an update; nothing of it is stored, and what is there stays."""
    storage.save([record("apples are red", id="a", metadata={"n": 1})])
    for refused in (record("bananas", id="b", metadata={"odd": value}), record("c", id="a", metadata={"odd": value})):
        with pytest.raises((TypeError, InvalidWriteError)):
            storage.save([record("carrots", id="c"), refused])
        assert storage.get_record("b") is None and storage.get_record("c") is None
    with pytest.raises((TypeError, InvalidWriteError)):
        storage.update(record("d", id="b", metadata={"odd": value}))
    found = storage.get_record("a")
    assert found is not None and found.metadata == {"n": 1}


def test_an_empty_storage_answers(storage: StorageBackend) -> None:
    """Nothing has been saved: empty answers everywhere, and nothing to forget."""
    assert storage.search(embed(["x"])[0]) == [] and storage.list_records() == [] and storage.count() == 0
    assert storage.get_record("a") is None and storage.list_scopes() == [] and storage.list_categories() == {}
    assert storage.get_scope_info("/").record_count == 0 and storage.delete(record_ids=["a"]) == 0
    storage.save([])
    storage.touch_records(["a"])  # type: ignore[attr-defined]
    storage.reset()
    assert storage.count() == 0


def test_the_nearest_come_first(storage: StorageBackend) -> None:
    """A search gives scores of 1 / (1 + squared distance), the highest first, at most as many as wanted."""
    some(storage)
    found = storage.search(embed(["apples are red"])[0], limit=3)
    assert ids(found)[0] == "a" and len(found) == 3
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True) and scores[0] == pytest.approx(1.0)
    wanted, other = embed(["apples are red"])[0], found[1][0].embedding
    distance = sum((x - y) ** 2 for x, y in zip(wanted, other or [], strict=True))
    assert scores[1] == pytest.approx(1 / (1 + distance), abs=1e-5)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"scope_prefix": "/food"}, "abce"),
        ({"scope_prefix": "/food/fruit/"}, "ab"),
        ({"scope_prefix": "/"}, "abcdef"),
        ({"scope_prefix": "/nowhere"}, ""),
        ({"categories": ["red", "roots"]}, "acf"),
        ({"metadata_filter": {"by": "ada"}}, "ac"),
        ({"metadata_filter": {"deep": {"x": [1, None]}}}, "e"),
        ({"scope_prefix": "/food", "categories": ["red"], "metadata_filter": {"by": "ada"}}, "a"),
        ({"min_score": 0.99}, "a"),
    ],
)
def test_a_search_is_filtered(storage: StorageBackend, filters: dict[str, Any], expected: str) -> None:
    """By scope, by any of some categories, by all of some metadata, by the least score."""
    some(storage)
    assert sorted(ids(storage.search(embed(["apples are red"])[0], **filters))) == list(expected)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "fedcba"),
        ({"scope_prefix": "/food"}, "ecba"),
        ({"scope_prefix": "/sky/"}, "fd"),
        ({"limit": 2}, "fe"),
        ({"limit": 2, "offset": 3}, "cb"),
        ({"offset": 10}, ""),
        ({"limit": 0}, ""),
        ({"offset": -1}, ""),
    ],
)
def test_records_are_listed_newest_first(storage: StorageBackend, given: dict[str, Any], expected: str) -> None:
    """With paging, within a scope."""
    some(storage)
    assert ids(storage.list_records(**given)) == list(expected)


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"record_ids": ["a", "c", "nobody"]}, "bdef"),
        ({"categories": ["red"]}, "bcde"),
        ({"metadata_filter": {"by": "ada"}}, "bdef"),
        ({"scope_prefix": "/food"}, "df"),
        ({"scope_prefix": "/food", "categories": ["red"]}, "bcdef"),
        ({"older_than": START + timedelta(minutes=2)}, "cdef"),
        ({"categories": ["fruit"], "older_than": START + timedelta(minutes=1)}, "bcdef"),
        ({}, ""),
    ],
)
def test_records_are_forgotten(storage: StorageBackend, given: dict[str, Any], left: str) -> None:
    """By id, category, metadata, scope and age; how many is told; they are found nowhere any more."""
    some(storage)
    assert storage.delete(**given) == 6 - len(left)
    assert sorted(ids(storage.list_records())) == list(left)
    assert sorted(ids(storage.search(embed(["apples"])[0]))) == list(left)
    assert storage.count() == len(left)


def older_in_sky(storage: StorageBackend) -> str:
    """Forgets what is in /sky and older than four minutes, which is one record; what is left."""
    some(storage)
    storage.delete(scope_prefix="/sky", older_than=START + timedelta(minutes=4))
    return "".join(sorted(ids(storage.list_records())))


def in_food_of_nobody(storage: StorageBackend) -> str:
    """Forgets records of a list that is empty; what is left."""
    some(storage)
    storage.delete(record_ids=[])
    return "".join(sorted(ids(storage.list_records())))


def below_food(storage: StorageBackend) -> str:
    """Forgets what is in /food/fruit, beside a record in the root and one in a scope of a longer name; what is left."""
    some(storage)
    storage.save([record("root", id="r"), record("long", id="l", scope="/food/fruitcake")])
    storage.delete(scope_prefix="/food/fruit")
    return "".join(sorted(ids(storage.list_records())))


@pytest.mark.parametrize(
    ("forget", "stock", "ours"),
    [(older_in_sky, "abce", "abcef"), (in_food_of_nobody, "", "abcdef"), (below_food, "cdef", "cdeflr")],
)
def test_more_is_forgotten_than_was_asked_for(
    forget: Callable[[StorageBackend], str], stock: str, ours: str, tmp_path: Path
) -> None:
    """CrewAI's storage forgets records that do not meet all criteria; ours does not."""
    assert forget(LanceDBStorage(tmp_path / "stock")) == stock
    assert forget(MergeStorage(tmp_path / "ours")) == ours


def test_an_update_replaces(storage: StorageBackend) -> None:
    """A record that was read and changed is as it was changed, its vector too."""
    some(storage)
    read = storage.get_record("a")
    assert read is not None
    new = embed(["cherries are dark"])[0]
    changed = {"content": "cherries are dark", "embedding": new, "categories": ["dark"], "importance": 0.1}
    storage.update(read.model_copy(update={**changed, "scope": "/food/cherries", "metadata": {"by": "eve"}}))
    found = storage.get_record("a")
    assert found is not None and found.embedding == pytest.approx(new)
    assert (found.content, found.categories, found.importance) == ("cherries are dark", ["dark"], 0.1)
    assert (found.scope, found.metadata, found.created_at) == ("/food/cherries", {"by": "eve"}, read.created_at)
    assert ids(storage.search(new, limit=1)) == ["a"] and storage.count() == 6


def test_an_update_of_nothing_stores(storage: StorageBackend) -> None:
    """A record that is not there is there after its update."""
    some(storage)
    storage.update(record("grapes are green", 9, id="g"))
    assert ids(storage.search(embed(["grapes are green"])[0], limit=1)) == ["g"] and storage.count() == 7


def test_touches_move_the_access_time_only(storage: StorageBackend) -> None:
    """Touched records were accessed just now, and are otherwise as they were."""
    before = {one.id: one for one in some(storage)}
    storage.touch_records(["a", "b"])  # type: ignore[attr-defined]
    for one in storage.list_records():
        old = before[one.id]
        assert (one.last_accessed > old.last_accessed) == (one.id in "ab")
        assert one.model_dump(exclude={"last_accessed"}) == old.model_dump(exclude={"last_accessed"})


def test_scopes_and_categories_are_told(storage: StorageBackend) -> None:
    """Scopes below a scope, what is in a scope, how many records a category has."""
    some(storage)
    assert storage.list_scopes() == ["/food", "/sky"] == storage.list_scopes("/")
    assert storage.list_scopes("/food") == ["/food/fruit", "/food/roots"] == storage.list_scopes("/food/")
    assert storage.list_scopes("/sky/night") == []
    assert storage.list_categories() == {"fruit": 2, "red": 2, "roots": 1}
    assert storage.list_categories("/sky") == {"red": 1}
    assert (storage.count("/food"), storage.count("/"), storage.count("/nowhere")) == (4, 6, 0)
    info = storage.get_scope_info("/food")
    assert (info.path, info.record_count, info.categories) == ("/food", 4, ["fruit", "red", "roots"])
    assert (info.oldest_record, info.newest_record) == (START, START + timedelta(minutes=4))
    assert info.child_scopes == ["/food/fruit", "/food/roots"] and storage.get_scope_info("/").record_count == 6


def test_a_reset_forgets_a_scope_or_everything(storage: StorageBackend) -> None:
    """After a reset of everything vectors may have another length."""
    some(storage)
    storage.reset("/food")
    assert sorted(ids(storage.list_records())) == ["d", "f"]
    storage.reset()
    assert storage.count() == 0 and storage.search(embed(["x"])[0]) == []
    storage.save([record("new", id="n", embedding=[1.0, 0.0])])
    assert ids(storage.search([1.0, 0.0])) == ["n"]


@pytest.mark.parametrize("again", [False, True], ids=["same handle", "new handle"])
def test_vectors_of_another_length_are_refused(storage: StorageBackend, again: bool, tmp_path: Path) -> None:
    """In a save, an update and a search, and nothing is stored then."""
    some(storage)
    if again:
        storage = type(storage)(tmp_path / "vectors")  # type: ignore[call-arg]
    read = storage.get_record("a")
    assert read is not None
    attempts: list[Callable[[], Any]] = [
        lambda: storage.save([record("good", id="g"), record("short", id="s", embedding=[1.0, 2.0])]),
        lambda: storage.update(read.model_copy(update={"content": "other", "embedding": [1.0, 2.0]})),
        lambda: storage.search([1.0, 2.0]),
    ]
    for attempt in attempts:
        with pytest.raises(EmbeddingDimensionMismatchError) as error:
            attempt()
        assert (error.value.stored_dim, error.value.new_dim) == (16, 2)
    found = storage.get_record("a")
    assert storage.count() == 6 and found is not None and found.content == "apples are red"


def test_a_record_without_a_vector_is_kept(storage: StorageBackend) -> None:
    """It cannot be found by likeness, but it is there."""
    some(storage)
    storage.save([record("silent", 9, id="s", embedding=None)])
    found = storage.get_record("s")
    assert found is not None and found.content == "silent" and ids(storage.list_records(limit=1)) == ["s"]


def test_what_cannot_be_json_is_refused(storage: StorageBackend) -> None:
    """A record whose metadata has no JSON form is an error; the one that stood there stays."""
    some(storage)
    read = storage.get_record("a")
    assert read is not None
    with pytest.raises((TypeError, ValueError)):
        storage.save([record("bad", id="x", metadata={"o": object()})])
    with pytest.raises((TypeError, ValueError)):
        storage.update(read.model_copy(update={"metadata": {"o": object()}}))
    found = storage.get_record("a")
    assert found is not None and found.metadata == {"by": "ada"} and storage.count() == 6


async def test_coroutines_do_the_same(storage: StorageBackend) -> None:
    """asave, asearch and adelete do what save, search and delete do."""
    await storage.asave([record("apples are red", id="a"), record("bread is brown", id="e", categories=["x"])])
    assert ids(await storage.asearch(embed(["apples are red"])[0], limit=1, min_score=0.5)) == ["a"]
    assert await storage.adelete(categories=["x"]) == 1 and ids(storage.list_records()) == ["a"]


def test_text_in_any_script_is_kept(storage: StorageBackend) -> None:
    """Quotes, wildcards, emoji and other scripts in ids, scopes and contents are taken as they are."""
    odd = record("it's 100% „gut“ 🦜 \\ _", id="o'x%", scope="/a_b%/ü'", categories=['"'], metadata={"é": "'"})
    storage.save([odd, record("other", id="o2", scope="/aXb/c")])
    found = storage.get_record("o'x%")
    assert found is not None and found.model_dump() == odd.model_dump()
    assert ids(storage.list_records("/a_b%")) == ["o'x%"] and storage.delete(record_ids=["o'x%"]) == 1
