"""What the workspace hands out: documents, receipts, history entries, credits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from concordant.escalation import Escalation, when
from concordant.schema import Compiled
from concordant.values import decode

__all__ = ["Credit", "Document", "HistoryEntry", "Receipt"]


class Document:
    """One document as it was when it was read: an immutable snapshot.

    Attributes:
        version: the number of the last commit to it in this workspace.
        contested: the open escalations by path. Where one path has several (two ranges of a text), the further ones
            stand at ``(*path, 2)``, ``(*path, 3)``, ...
        undeclared: names of stored fields that the model does not have.
    """

    contested: Mapping[tuple[Any, ...], Escalation] = {}
    undeclared: tuple[str, ...] = ()
    _settings: Mapping[str, tuple[Any, ...]] = {}
    _until = math.inf
    _value: dict[str, Any] | None = None

    def __init__(
        self,
        namespace: tuple[str, ...],
        key: str,
        version: int,
        body: bytes,
        created: float,
        updated: float,
        schema: Compiled,
    ) -> None:
        self.namespace = namespace
        self.key = key
        self.version = version
        self._body = body
        self._created = created
        self._updated = updated
        self._schema = schema

    @property
    def value(self) -> dict[str, Any]:
        """The merged JSON values of the fields that were written; this document's own copy."""
        value = self._value
        if value is None:
            value = self._value = decode(self._body)
        return value

    @property
    def model(self) -> Any:
        """The value as an instance of the state model, defaults included; a dict where the namespace has none."""
        value = decode(self._body)
        return self._schema.build(value) if self._schema.declared else value

    def setting(self, name: str) -> Any:
        """What is remembered about the document beside its value (``put(settings=)``); ``None`` if nothing is."""
        found = self._settings.get(name)
        return decode(found[3]) if found is not None and found[3] is not None else None

    @property
    def created_at(self) -> datetime:
        """When the document was first written (again, if it had been deleted)."""
        return when(self._created)

    @property
    def updated_at(self) -> datetime:
        """When it was last written."""
        return when(self._updated)

    @property
    def has_end(self) -> bool:
        """Whether it was written to live for a time only."""
        return self._until != math.inf

    @property
    def expires_at(self) -> datetime | None:
        """When it expires, as far as was known when it was read; ``None`` if it does not."""
        return when(self._until) if self.has_end else None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Document):
            return NotImplemented
        mine = (self.namespace, self.key, self.version, self.value, dict(self.contested))
        return mine == (other.namespace, other.key, other.version, other.value, dict(other.contested))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        contested = f", contested={sorted(map(str, self.contested))}" if self.contested else ""
        return f"Document({'/'.join(self.namespace)}:{self.key} v{self.version}, {self.value!r}{contested})"


class Receipt(NamedTuple):
    """What became of a write: the document's version after it, and the escalations it opened or joined."""

    version: int
    escalations: tuple[Escalation, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One change of a document: version, time, agent, what sort of act it was, the value given, the paths changed,
    and what declared policies settled with it (path, policy)."""

    version: int
    at: datetime
    agent: str
    act: str
    value: Any
    paths: tuple[tuple[str, ...], ...]
    origin: str
    settled: tuple[tuple[tuple[str, ...], str], ...] = ()


@dataclass(frozen=True, slots=True)
class Credit:
    """Who stands for a value (a set's element, a map's entry, a span of text): the first agent, all agents, when."""

    value: Any
    agent: str
    agents: tuple[str, ...]
    at: datetime
