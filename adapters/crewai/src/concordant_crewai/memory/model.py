"""A memory record as a document: its model, and the way from one to the other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

from crewai.memory.types import MemoryRecord
from pydantic import BaseModel, PrivateAttr

from concordant import Document, InvalidWriteError, Map, Scalar, Schema, Set, Text
from concordant.spi import Fault

__all__ = ["SCHEMA", "MergedRecord", "Remembered", "changes_of", "check_metadata", "fields_of", "record_of"]


class Remembered(BaseModel):
    """What a memory record is made of. ``aliases`` are ids of equal facts that were saved as records of their own."""

    content: Annotated[str, Text(provisional="all")]
    categories: Annotated[list[str], Set()]
    metadata: Annotated[dict[str, Any], Map()]
    importance: Annotated[float, Scalar(resolve="max")] = 0.5
    last_accessed: Annotated[datetime | None, Scalar(resolve="max")] = None
    scope: Annotated[str, Scalar()] = "/"
    created_at: Annotated[datetime | None, Scalar(resolve="min")] = None
    source: Annotated[str | None, Scalar()] = None
    private: Annotated[bool, Scalar()] = False
    aliases: Annotated[set[str], Set(grow_only=True)]


SCHEMA = Schema(Remembered, on_delete="delete", on_invalid="raise")

SHOWN = 200
"""How many characters of a record CrewAI shows the model that consolidates it (``crewai.memory.analyze``)."""


class MergedRecord(MemoryRecord):
    """A ``MemoryRecord`` that knows what it was read from, also as a changed copy (``model_copy``)."""

    _seen: Document | None = PrivateAttr(default=None)

    @property
    def seen(self) -> Document | None:
        """The document as it was when the record was read."""
        return self._seen

    def __eq__(self, other: object) -> bool:
        """Compares as CrewAI's own records do: by the fields, of whichever class the other one is."""
        if not isinstance(other, MemoryRecord):
            return NotImplemented
        return self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]  # as that of every record


def record_of(document: Document, value: dict[str, Any], embedding: list[float] | None = None) -> MergedRecord:
    """Returns the record that a document shows."""
    created = _time(value.get("created_at")) or document.created_at.astimezone(UTC).replace(tzinfo=None)
    record = MergedRecord(
        id=document.key,
        content=value.get("content", ""),
        scope=value.get("scope", "/"),
        categories=list(value.get("categories", ())),
        metadata=dict(value.get("metadata", {})),
        importance=value.get("importance", 0.5),
        created_at=created,
        last_accessed=_time(value.get("last_accessed")) or created,
        embedding=embedding,
        source=value.get("source"),
        private=value.get("private", False),
    )
    record._seen = document
    return record


def check_metadata(namespace: tuple[str, ...], record: MemoryRecord) -> None:
    """Refuses metadata that is no JSON, which could not be read back as it was.

    Raises:
        InvalidWriteError: lists each place.
    """
    faults = [*_no_json(record.metadata, ("metadata",))]
    if faults:
        raise InvalidWriteError(namespace, record.id, faults)


def _no_json(value: Any, path: tuple[Any, ...]) -> Iterator[Fault]:
    if isinstance(value, dict):
        for key, part in value.items():
            if isinstance(key, str):
                yield from _no_json(part, (*path, key))
            else:
                yield Fault(path, f"the key {key!r} is a {type(key).__name__}", "Use a string", key)
    elif isinstance(value, (list, tuple)):
        for number, part in enumerate(value):
            yield from _no_json(part, (*path, number))
    elif value is not None and not isinstance(value, (str, int, float)):
        yield Fault(path, f"a {type(value).__name__} is no JSON", "Use text, numbers, lists and dicts", value)


def fields_of(record: MemoryRecord) -> dict[str, Any]:
    """Returns a record's fields, as they are written when it is new."""
    return {
        "content": record.content,
        "categories": list(record.categories),
        "metadata": record.metadata,
        "importance": record.importance,
        "last_accessed": record.last_accessed,
        "scope": record.scope,
        "created_at": record.created_at,
        "source": record.source,
        "private": record.private,
    }


def changes_of(record: MemoryRecord, seen: Document, *, consolidates: bool) -> dict[str, Any]:
    """Tells what a record changes in what it was made from.

    An absent key of the metadata is no removal. Where a record was built anew, ``source=None`` and ``private=False``
    mean that they were not given, and when it was created is not its to say.

    Args:
        consolidates: a model that was shown the beginning of the content wrote the new one.
    """
    before = record_of(seen, seen.value)
    given = fields_of(record)
    given["metadata"] = {**before.metadata, **record.metadata}
    if not isinstance(record, MergedRecord):
        del given["created_at"]
        given["source"] = before.source if record.source is None else record.source
        given["private"] = before.private or record.private
    if consolidates and record.content != before.content:
        given["content"] = _with_unshown(record.content, before.content)
    known = fields_of(before)
    return {name: value for name, value in given.items() if value != known[name]}


def _with_unshown(answer: str, before: str) -> str:
    """A consolidated text with what its writer was not shown of the earlier one, from the word that was cut."""
    if len(before) <= SHOWN:
        return answer
    cut = SHOWN
    while cut > 0 and not before[cut - 1].isspace() and not before[cut].isspace():
        cut -= 1
    rest = before[cut or SHOWN :].strip()
    return answer if rest in answer else f"{answer.rstrip()}\n{rest}"


def _time(value: Any) -> datetime | None:
    return datetime.fromisoformat(value.replace("Z", "+00:00")) if isinstance(value, str) else value
