"""Vectors of documents in a database: each process follows what all of them commit."""

from __future__ import annotations

from pathlib import Path

from langgraph.store.memory import InMemoryStore

from concordant import Workspace
from concordant_langgraph import MergeStore

from .support import NS, WORDS, Embedder, Note, config, fresh, keys, ranking


def opened(path: Path) -> Workspace:
    return Workspace(f"sqlite:///{path / 'team.db'}", schemas={NS: Note})


def test_each_store_finds_what_every_process_wrote(tmp_path: Path) -> None:
    """Two stores on one database, as two processes have them, each with vectors of its own: both rank what is read."""
    with opened(tmp_path) as one, opened(tmp_path) as two:
        stores = [MergeStore(workspace=ws, index=config()) for ws in (one, two)]
        for number, word in enumerate(WORDS):
            stores[number % 2].put(NS, f"k{number % 5}", {"text": word, "tags": [word]})
        stores[0].delete(NS, "k1")
        one.agent("ada").write(NS, "new", {"title": "apple apple"})
        for store in stores:
            for word in WORDS:
                assert ranking(store, word) == ranking(fresh(store), word)
        assert keys(stores[1].search(NS, query="apple"))[0] == "new"


def test_a_database_opened_again_is_indexed_as_its_puts_said(tmp_path: Path) -> None:
    """After a restart everything is found, and nothing embedded that a put had kept out of the index."""
    with opened(tmp_path) as ws:
        store = MergeStore(workspace=ws, index=config())
        store.put(NS, "a", {"text": "secret", "title": "apple"}, index=["title"])
        store.put(NS, "b", {"text": "secret"}, index=False)
        store.put(NS, "c", {"text": "banana"})
    embedder = Embedder()
    with opened(tmp_path) as ws:
        store = MergeStore(workspace=ws, index=config(embedder))
        assert keys(store.search(NS, query="apple")) == ["a", "c", "b"]
        assert not any("secret" in text for text in embedder.asked)


def test_a_wrapped_store_catches_up_after_a_crash(tmp_path: Path) -> None:
    """What was committed, and had not reached the wrapped store when the process ended, does when it is opened."""
    inner = InMemoryStore(index=config())
    inner.put(("open",), "kept", {"text": "cherry"})
    with opened(tmp_path) as ws:
        store = MergeStore.wrap(inner, workspace=ws)
        store.put(NS, "a", {"text": "apple"})
        store.put(NS, "b", {"text": "banana"})
        ws.agent("ada").write(NS, "a", {"title": "date"})  # nobody has searched since
        ws.agent("ada").delete(NS, "b")
    embedder = Embedder()
    inner.embeddings.func = embedder  # type: ignore[union-attr]
    with opened(tmp_path) as ws:
        store = MergeStore.wrap(inner, workspace=ws)
        assert store.adopt() == 0
        assert keys(store.search((), query="date")) == ["a", "kept"]
        assert len(embedder.asked) == 2  # the one that differs, and the query
        assert (
            {item.key: item.value for item in inner.search(())}
            == {item.key: item.value for item in store.search(())}
            == {"a": {"text": "apple", "title": "date"}, "kept": {"text": "cherry"}}
        )
