"""What the tests of vectors share: an embedding without a model, stores that embed with it, what is ranked how."""

from __future__ import annotations

import asyncio
import json
import threading
import zlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from langgraph.store.base import BaseStore, SearchItem
from langgraph.store.memory import InMemoryStore
from pydantic import BaseModel

from concordant import List, Scalar, Set, Text
from concordant_langgraph import MergeStore
from tests.patience import PATIENCE

DIMS = 129  # no two words of these tests fall together
NS = ("docs",)
WORDS = ["apple", "banana", "cherry", "date", "elder", "fig", "grape", "honey"]


class Note(BaseModel):
    text: Annotated[str, Text()]
    tags: Annotated[set[str], Set()]
    steps: Annotated[list[str], List()]
    title: Annotated[str | None, Scalar()] = None


def embed_one(text: str) -> list[float]:
    """How often each word stands in a text: texts with common words are near each other."""
    vector = [0.0] * DIMS
    for word in "".join(c if c.isalnum() else " " for c in text.replace("\\n", " ").lower()).split():
        vector[zlib.crc32(word.encode()) % DIMS] += 1.0
    vector[0] += 0.01  # no text is without direction
    return vector


class Embedder:
    """Embeds, remembers what it was asked, and can be told to fail or to wait."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failing: type[Exception] | None = None
        self.poison: str | None = None
        self.gate: threading.Event | None = None
        self.instead: Callable[[Sequence[str]], list[list[float]]] | None = None

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked += texts
        if self.failing is not None:
            raise self.failing("the embedding service is away")
        if self.poison is not None and any(self.poison in text for text in texts):
            raise ValueError(f"{self.poison} cannot be embedded")
        if self.gate is not None:
            assert self.gate.wait(PATIENCE)
        if self.instead is not None:
            return self.instead(texts)
        return [embed_one(text) for text in texts]


class AsyncEmbedder(Embedder):
    """The same, for coroutines alone, with a turn of the loop before each answer."""

    async def __call__(self, texts: Sequence[str]) -> list[list[float]]:  # type: ignore[override]
        self.asked += texts
        if self.failing is not None:
            raise self.failing("the embedding service is away")
        for _ in range(1 + len(texts) % 3):
            await asyncio.sleep(0)
        return [embed_one(text) for text in texts]


def config(embedder: Any = None, *fields: str) -> Any:
    """An index config."""
    return {"dims": DIMS, "embed": embedder or Embedder(), **({"fields": list(fields)} if fields else {})}


def fresh(store: MergeStore, *fields: str) -> InMemoryStore:
    """LangGraph's own store, filled with the merged values of ours."""
    made = InMemoryStore(index=config(None, *fields))
    for document in store.workspace.list():
        value, index = document.value, document.setting("index")
        steps = value.get("steps", [])
        if len(set(steps)) < len(steps):  # it refuses one text twice
            first = [f"steps[{steps.index(step)}]" for step in set(steps)]
            paths = list(fields) if index is None else index or []
            index = [part for path in paths for part in (first if path == "steps[*]" else [path])] or False
        made.put(document.namespace, document.key, value, index=index)
    return made


def scored(items: Sequence[SearchItem]) -> list[tuple[float | None, tuple[str, ...], str, str]]:
    """Found items in an order in which only equal scores may change places."""
    rows = [
        (
            None if item.score is None else round(item.score, 5),
            tuple(item.namespace),
            item.key,
            json.dumps(item.value, sort_keys=True),
        )
        for item in items
    ]
    return sorted(rows, key=lambda row: (row[0] is None, -(row[0] or 0.0), row[1:]))


def ranking(store: BaseStore, query: str, prefix: tuple[str, ...] = ()) -> list[Any]:
    """Everything under a prefix, ranked by a query."""
    return scored(store.search(prefix, query=query, limit=1000))


def keys(items: Sequence[SearchItem]) -> list[str]:
    """The keys, in order."""
    return [item.key for item in items]
