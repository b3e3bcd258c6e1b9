"""Vectors that outlive the process: beside a SQLite file, and in a Postgres with pgvector."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from concordant import Workspace
from concordant_langgraph import MergeStore
from tests.nursery import Spoken

from .support import NS, WORDS, Embedder, Note, config, keys

FreshUrl = Callable[[str], str]
DURABLE = ["sqlite", "postgres"]


def opened(url: str, embedder: Any = None, *fields: str) -> Any:
    return MergeStore.from_conn_string(url, {NS: Note}, index=config(embedder, *fields))


def ranked(store: MergeStore, query: str) -> list[tuple[str, float]]:
    """What is found, by falling score, with scores that a database's single precision bears."""
    return [(item.key, round(item.score or 0.0, 3)) for item in store.search(NS, query=query, limit=100)]


def settled(url: str) -> list[list[tuple[str, float]]]:
    """What a view made anew finds for each word."""
    with Workspace(url, schemas={NS: Note}) as ws:
        store = MergeStore(workspace=ws, index=config())
        return [ranked(store, word) for word in WORDS]


@pytest.mark.parametrize("kind", DURABLE)
def test_nothing_is_embedded_again_when_a_store_is_opened_again(fresh_url: FreshUrl, kind: str) -> None:
    """Vectors are kept: a second opening embeds what has changed without them, and the query."""
    url = fresh_url(kind)
    with opened(url) as store:
        for number, word in enumerate(WORDS):
            store.put(NS, f"k{number}", {"text": word})
        assert keys(store.search(NS, query="cherry", limit=1)) == ["k2"]
    with Workspace(url, schemas={NS: Note}) as ws:  # nobody looks after the view
        ws.agent("ada").write(NS, "k0", {"title": "quince"})
        ws.agent("ada").delete(NS, "k1")
    embedder = Embedder()
    with opened(url, embedder) as store:
        assert keys(store.search(NS, query="quince", limit=1)) == ["k0"]
        assert "k1" not in keys(store.search(NS, query="banana", limit=100))
        assert len([text for text in embedder.asked if "apple" not in text]) == 2  # the queries
        assert store.index_config is not None


@pytest.mark.parametrize("kind", DURABLE)
def test_two_processes_share_the_work(fresh_url: FreshUrl, kind: str) -> None:
    """What one store has embedded the other finds without embedding it again."""
    url = fresh_url(kind)
    one, two = Embedder(), Embedder()
    with opened(url, one) as first, opened(url, two) as second:
        for number, word in enumerate(WORDS):
            first.put(NS, f"k{number}", {"text": word})
        assert [keys(second.search(NS, query=word, limit=1)) for word in WORDS] == [
            [f"k{n}"] for n in range(len(WORDS))
        ]
        assert sorted(two.asked) == sorted(WORDS)  # the queries
        second.put(NS, "k0", {"title": "yak"})
        assert keys(first.search(NS, query="yak", limit=1)) == ["k0"]


@pytest.mark.parametrize("kind", DURABLE)
def test_an_older_value_never_stays(fresh_url: FreshUrl, kind: str) -> None:
    """A writer that was slow to embed writes an older value over another process's newer one, and mends that itself."""
    overtaken(fresh_url(kind))


def overtaken(url: str) -> None:
    """Puts in one store while another is embedding what it has put to the same document."""
    embedder = Embedder()
    with opened(url, embedder) as slow, opened(url) as fast:
        slow.put(NS, "k", {"title": "apple"})
        fast.search(NS, query="apple")
        moved: list[bool] = []

        def late(texts: Any) -> Any:
            if any("banana" in text for text in texts) and not moved:
                moved.append(True)
                fast.put(NS, "k", {"title": "cherry"})
                fast.search(NS, query="cherry")
            return Embedder()(texts)

        embedder.instead = late
        slow.put(NS, "k", {"title": "banana"})
        assert moved
        for store in (fast, slow):
            [found] = store.search(NS, query=store.get(NS, "k").value["title"])
            assert found.score > 0.5


@pytest.mark.parametrize("kind", DURABLE)
def test_a_killed_process_leaves_a_view_that_catches_up(fresh_url: FreshUrl, seed: str, kind: str) -> None:
    """After kill -9 of two processes, in the middle of what they were embedding, the store finds what a view made anew
    finds."""
    rnd = random.Random(seed)
    url = fresh_url(kind)
    for turn in range(2):
        workers = [Spoken("tests.langgraph.vectors.work", [url, f"{seed}/{turn}/{n}"]) for n in range(2)]
        try:
            for worker in workers:
                for _ in range(rnd.randint(1, 12)):
                    assert worker.stdout.readline()
        finally:
            for worker in workers:
                worker.kill()
                worker.end()
        left_behind(url)


def left_behind(url: str) -> None:
    """Compares what a store that is opened again finds with what a view made anew does."""
    with Workspace(url, schemas={NS: Note}) as ws:
        ws.agent("eve").write(NS, "past", {"title": "grape"})
    with opened(url) as store:
        for word, wanted in zip(WORDS, settled(url), strict=True):
            assert sorted(ranked(store, word)) == sorted(wanted), word


@pytest.mark.parametrize("kind", DURABLE)
def test_random_work_of_several_stores(fresh_url: FreshUrl, seed: str, kind: str) -> None:
    """Puts, writes past the view, deletions, restarts and failures to embed, on two stores: then each finds what a view
    made anew finds."""
    rnd = random.Random(seed)
    url = fresh_url(kind)
    embedders = [Embedder(), Embedder()]
    openings = [opened(url, embedder) for embedder in embedders]
    stores = [opening.__enter__() for opening in openings]
    for _ in range(60):
        number = rnd.randrange(2)
        store, key = stores[number], f"k{rnd.randrange(6)}"
        match rnd.randrange(7):
            case 0:
                store.delete(NS, key)
            case 1:
                store.workspace.agent("ada").write(NS, key, {"title": rnd.choice(WORDS)})
            case 2:
                with suppress(ConnectionError):  # the query itself cannot be embedded
                    store.search(NS, query=rnd.choice(WORDS))
            case 3:
                openings[number].__exit__(None, None, None)
                openings[number] = opened(url, embedders[number])
                stores[number] = openings[number].__enter__()
            case 4:
                embedders[number].failing = None if embedders[number].failing else ConnectionError
            case _:
                store.put(NS, key, {"text": rnd.choice(WORDS), "tags": [rnd.choice(WORDS)]})
    for embedder in embedders:
        embedder.failing = None
    for store in stores:
        assert store.catch_up() == 0
    expected = settled(url)
    for store in stores:
        for word, wanted in zip(WORDS, expected, strict=True):
            assert sorted(ranked(store, word)) == sorted(wanted), word
    for opening in openings:
        opening.__exit__(None, None, None)


def test_other_fields_are_other_vectors(tmp_path: Path) -> None:
    """A store that embeds other fields has a view of its own."""
    url = f"sqlite:///{tmp_path}/team.db"
    with opened(url, None, "title") as store:
        store.put(NS, "k", {"text": "apple", "title": "banana"})
        assert store.search(NS, query="banana")[0].score > 0.9
    with opened(url, None, "text") as store:
        assert store.search(NS, query="apple")[0].score > 0.5
    assert len(list(tmp_path.glob("team.db-vectors-????????"))) == 2


def test_a_back_up_is_not_taken_for_the_store(tmp_path: Path) -> None:
    """A view that is ahead of its store, which was restored, is looked at as a whole."""
    url = f"sqlite:///{tmp_path}/team.db"
    with opened(url) as store:
        store.put(NS, "k", {"title": "apple"})
    saved = (tmp_path / "team.db").read_bytes()
    with opened(url) as store:
        store.put(NS, "k", {"title": "banana"})
        store.put(NS, "new", {"title": "cherry"})
        store._mirror.view.backlog._clock = lambda: 1e9  # type: ignore[union-attr]
        store.catch_up()
        store._mirror.view.backlog._clock = lambda: 2e9  # type: ignore[union-attr]
        store.catch_up()  # notes how far it has come
    for left in tmp_path.glob("team.db-[ws]*"):
        left.unlink()
    (tmp_path / "team.db").write_bytes(saved)
    with opened(url) as store:
        assert keys(store.search(NS, query="apple")) == ["k"]
        assert store.search(NS, query="apple")[0].score > 0.5


def test_what_was_noted_is_not_looked_at_again(tmp_path: Path) -> None:
    """After a while a store that is opened again begins where the view was, not from the beginning."""
    url = f"sqlite:///{tmp_path}/team.db"
    with opened(url) as store:
        for number in range(5):
            store.put(NS, f"k{number}", {"title": WORDS[number]})
        for at in (1e9, 2e9):
            store._mirror.view.backlog._clock = lambda at=at: at  # type: ignore[union-attr,misc]
            store.catch_up()
        store.put(NS, "late", {"title": "quince"})
    with opened(url) as store:
        store._mirror.open()
        store._mirror.view.backlog.pull()
        assert store._mirror.view.backlog.waiting() == [(NS, "late")]


def test_without_a_driver_vectors_are_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where LangGraph's store for the database is not installed search works all the same, and a warning tells how to
    have the vectors kept."""
    monkeypatch.setitem(sys.modules, "langgraph.store.sqlite", None)
    with opened(f"sqlite:///{tmp_path}/team.db") as store:
        store.put(NS, "k", {"title": "apple"})
        assert keys(store.search(NS, query="apple")) == ["k"]
    assert "concordant-langgraph[sqlite]" in caplog.text


def test_all_storages_rank_alike(fresh_url: FreshUrl, seed: str) -> None:
    """By query, prefix, filter and page the same documents are found with the same scores in memory, on SQLite and on
    Postgres; which of equally near ones the edge of a page takes may differ."""
    rnd = random.Random(seed)
    notes = [
        ((*NS, rnd.choice("xy")), f"k{n}", {"text": " ".join(rnd.sample(WORDS, 3)), "title": rnd.choice(WORDS[:2])})
        for n in range(12)
    ]
    asked: list[dict[str, Any]] = [
        {
            "query": rnd.choice([*WORDS, "nothing of it", " ".join(WORDS[:2])]),
            "filter": rnd.choice([None, None, {"title": WORDS[0]}, {"title": {"$ne": WORDS[1]}}]),
            "limit": rnd.choice([1, 3, 20]),
            "offset": rnd.choice([0, 0, 2, 5]),
        }
        for _ in range(40)
    ]
    prefixes = [rnd.choice([(), NS, (*NS, "x"), ("none",)]) for _ in asked]

    def pages(store: MergeStore) -> list[tuple[list[float | None], list[Any]]]:
        for namespace, key, value in notes:
            store.put(namespace, key, value, index=False if key == "k0" else None)
        return [within(store, prefix, given) for prefix, given in zip(prefixes, asked, strict=True)]

    wanted = pages(MergeStore({NS: Note}, index=config()))
    assert sum(len(scores) for scores, _ in wanted) > 40
    for kind in DURABLE:
        with opened(fresh_url(kind)) as store:
            assert pages(store) == wanted


def within(store: MergeStore, prefix: tuple[str, ...], given: dict[str, Any]) -> tuple[list[float | None], list[Any]]:
    """The scores of a page, and its documents but for those as near as one at its edges."""
    found = [(item.score and round(item.score, 3), item.namespace, item.key) for item in store.search(prefix, **given)]
    edges = ({found[0][0]} if given["offset"] and found else set()) | (
        {found[-1][0]} if len(found) == given["limit"] else set()
    )
    return [score for score, *_ in found], sorted((hit for hit in found if hit[0] not in edges), key=str)
