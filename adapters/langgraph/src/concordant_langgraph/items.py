"""LangGraph's items, as views of Concordant's documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

from langgraph.store.base import Item, SearchItem

from concordant import Document, Escalation

__all__ = ["MergedItem", "MergedSearchItem"]


class _Merged:
    """What both items add: the document's version and open escalations. Values are read when they are asked for."""

    __slots__ = ()

    document: Document

    value: Any = property(attrgetter("document.value"), doc="The merged value; the item's own copy.")

    @property
    def key(self) -> str:
        """The item's key."""
        return self.document.key

    @property
    def namespace(self) -> tuple[str, ...]:
        """The item's namespace."""
        return self.document.namespace

    @property
    def created_at(self) -> datetime:
        """When it was first put."""
        return self.document.created_at

    @property
    def updated_at(self) -> datetime:
        """When it was last put."""
        return self.document.updated_at

    @property
    def expires_at(self) -> datetime | None:
        """When it expires, as far as was known when it was read; ``None`` if it does not."""
        return self.document.expires_at

    @property
    def version(self) -> int:
        """The document's version."""
        return self.document.version

    @property
    def token(self) -> str:
        """This read as text, for ``acting_as(name, seen=token)`` wherever it goes."""
        return self.document.token

    @property
    def contested(self) -> Mapping[tuple[Any, ...], Escalation]:
        """The open escalations by path."""
        return self.document.contested


class MergedItem(_Merged, Item):  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
    """An ``Item`` that also has ``version``, ``token``, ``contested`` and ``expires_at``."""

    __slots__ = ("document",)

    def __init__(self, document: Document) -> None:
        self.document = document


class MergedSearchItem(_Merged, SearchItem):  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
    """A ``SearchItem`` that also has ``version``, ``token``, ``contested`` and ``expires_at``."""

    __slots__ = ("document",)

    def __init__(self, document: Document, score: float | None = None) -> None:
        self.document = document
        self.score = score
