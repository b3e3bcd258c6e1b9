"""Which texts of a value a store makes vectors of, under which names: the rule that LangGraph's own stores share."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from langgraph.store.base import BaseStore, get_text_at_path, tokenize_path

from concordant import InvalidWriteError
from concordant.spi import Fault, told

__all__ = ["Index", "Indexing", "checked_index"]

Index: TypeAlias = "Literal[False] | list[str] | None"
"""What ``put(index=)`` takes: the paths to make vectors of, ``False`` for none, ``None`` for those of the store."""

_UNSET: Any = object()


def checked_index(namespace: tuple[str, ...], key: str, index: Any) -> Index:
    """Tells what was given as ``index=``.

    Raises:
        InvalidWriteError: it is neither ``False`` nor a list of paths.
    """
    if index is None or index is False:
        return index
    if isinstance(index, (list, tuple)) and all(isinstance(path, str) for path in index):
        return list(index)
    fault = Fault(
        ("index",), f"index={told(index)}", 'Use False, or a list of paths such as ["text", "tags[*]"]', index
    )
    raise InvalidWriteError(namespace, key, [fault])


class Indexing:
    """How a store finds the texts of a value.

    Attributes:
        ranks: whether the store can rank by a query at all.
    """

    def __init__(self, store: BaseStore) -> None:
        config: Any = getattr(store, "index_config", _UNSET)
        self.ranks = bool(config)
        self._paths: list[tuple[str, Any]] | None = []
        if self.ranks:
            # LangGraph's stores keep their paths ready under this name. One that does not is asked to forget a
            # document before each change of it, since it cannot be told which vectors would stay behind.
            self._paths = config.get("__tokenized_fields") if isinstance(config, dict) else None

    def texts(self, value: dict[str, Any], index: Index) -> dict[str, str] | None:
        """Returns the texts by the names of their vectors; ``None`` where they cannot be told."""
        if not self.ranks or index is False:
            return {}
        if index is not None:
            paths: list[tuple[str, Any]] = [(path, tokenize_path(path)) for path in index]
        elif self._paths is None:
            return None
        else:
            paths = self._paths
        found: dict[str, str] = {}
        for path, tokens in paths:
            texts = get_text_at_path(value, tokens)
            for number, text in enumerate(texts):
                found[path if len(texts) == 1 else f"{path}.{number}"] = text
        return found

    def without_repeats(self, value: dict[str, Any], index: Index) -> Index:
        """Returns the same texts, each from one path only: InMemoryStore refuses a value that has one text twice."""
        paths = index if isinstance(index, list) else [path for path, _ in self._paths or []]
        seen: set[str] = set()
        chosen = []
        for path in (single for whole in paths for single in _singles(value, whole)):
            texts = get_text_at_path(value, tokenize_path(path) if path != "$" else path)
            if texts and not seen.issuperset(texts):
                chosen.append(path)
            seen.update(texts)
        return chosen


def _singles(value: dict[str, Any], path: str) -> Iterator[str]:
    """A path through all parts of something as one path for each part."""
    tokens = tokenize_path(path)
    star = next((place for place, token in enumerate(tokens) if token in ("*", "[*]")), None)
    if path == "$" or star is None:
        yield path
        return
    [whole] = get_text_at_path(value, tokens[:star]) or ["null"]
    parts = json.loads(whole) if whole.startswith(("[", "{")) else None
    names: list[str] = []
    if isinstance(parts, list):
        names = [f"[{number}]" for number in range(len(parts))]
    elif isinstance(parts, dict) and tokens[star] == "*":
        names = list(parts)
    for name in names:
        yield from _singles(value, ".".join([*tokens[:star], name, *tokens[star + 1 :]]))
