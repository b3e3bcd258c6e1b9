"""What the workspace hands out: documents, receipts, history entries, credits."""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any, NamedTuple

from concordant.errors import ConcordantError, DamagedDocumentError
from concordant.escalation import Escalation, when
from concordant.schema import OPEN_SCHEMA, Compiled, compile_schema
from concordant.values import ABSENT, copied, decode, decode_whole, portable
from concordant.workspace.scope import ReadSnapshot
from concordant.workspace.token import document_token, shown_digest

__all__ = ["Credit", "Document", "HistoryEntry", "Receipt", "mark_of"]

_NONE: frozenset[str] = frozenset()


class ModelElsewhere:
    """The schema of a document that was pickled: its model is found by name once somebody asks for it.

    Args:
        module: where the model's class is.
        name: its qualified name there.
    """

    declared = True

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def build(self, value: Mapping[str, Any]) -> Any:
        """Returns the model instance that a document's value makes.

        Raises:
            ConcordantError: the class cannot be imported here.
        """
        try:
            model = reduce(getattr, self.name.split("."), importlib.import_module(self.module))
        except (ImportError, AttributeError) as error:
            raise ConcordantError(
                f"The state model {self.module}.{self.name} of a document that was pickled cannot be imported here "
                f"({error}). Define it at the top of a module, or use document.value."
            ) from error
        return compile_schema(model).build(value)


class Document:
    """One document as it was when it was read: an immutable snapshot.

    It can be pickled; its ``model`` then needs the state model's class to be importable where it arrives.

    Attributes:
        version: the number of the last commit to it in this workspace.
        contested: the open escalations by path. Where one path has several (two ranges of a text), the further ones
            stand at ``(*path, 2)``, ``(*path, 3)``, ...
        undeclared: names of stored fields that the model does not have; not of those in its nested records.
        has_end: whether it was written to live for a time only.
    """

    contested: Mapping[tuple[Any, ...], Escalation] = {}
    undeclared: tuple[str, ...] = ()
    _settings: Mapping[str, tuple[Any, ...]] = {}
    _until = math.inf

    def __init__(
        self,
        namespace: tuple[str, ...],
        key: str,
        version: int,
        body: bytes,
        created: float,
        updated: float,
        schema: Compiled | ModelElsewhere,
        replica: str,
    ) -> None:
        self.namespace = namespace
        self.key = key
        self.version = version
        self._body = body
        self._created = created
        self._updated = updated
        self._schema = schema
        self._replica = replica
        # What nearly every reader asks for: of an object Python reads a name many times as fast as of its class.
        self.has_end = False
        self._read: Any = ABSENT
        self._value: dict[str, Any] | None = None

    def with_value(self, value: Any) -> None:
        """Adds what its JSON says, if that was read already (else ``ABSENT``), before anybody is given it."""
        self._read = value

    def with_questions(self, contested: Mapping[tuple[Any, ...], Escalation], undeclared: tuple[str, ...]) -> Document:
        """Adds what is contested, and the stored fields that the model does not have, before anybody is given it."""
        if contested:
            self.contested = contested
        if undeclared:
            self.undeclared = undeclared
        return self

    def with_settings(self, settings: Mapping[str, tuple[Any, ...]], until: float) -> Document:
        """Adds what is remembered beside the value, and when it expires, before anybody is given it."""
        if settings:
            self._settings = dict(settings)
        self._until, self.has_end = until, until != math.inf
        return self

    @property
    def digest(self) -> bytes:
        """A digest of what it shows, as in its token."""
        return shown_digest(self._body)

    @property
    def token(self) -> str:
        """This read as text, for ``agent(name, seen=token)`` in any process that shares the store.

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> _ = ws.agent("planner").write(("plans",), "launch", {"status": "draft"})
        >>> token = ws.get(("plans",), "launch").token
        >>> _ = ws.agent("ada", seen=token).write(("plans",), "launch", {"status": "final"})
        >>> receipt = ws.agent("bob", seen=token).write(("plans",), "launch", {"status": "dropped"})
        >>> [escalation.path for escalation in receipt.escalations]
        [('status',)]
        """
        return document_token(self._replica, self.namespace, self.key, self.version, self._body)

    @property
    def value(self) -> dict[str, Any]:
        """The merged JSON values of the fields that were written; this document's own copy."""
        value = self._value
        if value is None:
            try:
                value = self._value = (
                    decode_whole(self._body) if self._read is ABSENT else copied(self._read, self._body)
                )
            except ValueError as error:
                raise self._damaged(error) from error
        return value

    def _damaged(self, error: Exception) -> DamagedDocumentError:
        return DamagedDocumentError("the store", self.namespace, self.key, str(error))

    @property
    def model(self) -> Any:
        """The value as an instance of the state model, defaults included; a dict where the namespace has none."""
        try:
            value = decode_whole(self._body)
        except ValueError as error:
            raise self._damaged(error) from error
        return self._schema.build(value) if self._schema.declared else value

    def setting(self, name: str) -> Any:
        """Returns what is remembered beside the document's value (``put(settings=)``); ``None`` if nothing is."""
        found = self._settings.get(name)
        return decode(found[3]) if found is not None and found[3] is not None else None

    @property
    def created_at(self) -> datetime:
        """When the document was first written (again, if it had been deleted)."""
        return self._when(self._created)

    @property
    def updated_at(self) -> datetime:
        """When it was last written."""
        return self._when(self._updated)

    @property
    def expires_at(self) -> datetime | None:
        """When it expires, as far as was known when it was read; ``None`` if it does not."""
        return self._when(self._until) if self.has_end else None

    def _when(self, time: float) -> datetime:
        try:
            return when(time)
        except ConcordantError as error:
            raise self._damaged(error) from error

    def to_dict(self) -> dict[str, Any]:
        """Returns the document in its JSON form (docs/web.md); times are in ISO 8601, with the offset of UTC."""
        return {
            "namespace": list(self.namespace),
            "key": self.key,
            "version": self.version,
            "token": self.token,
            "value": portable(self.value),
            "contested": [escalation.to_dict() for escalation in self.contested.values()],
            "undeclared": list(self.undeclared),
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
            "expires_at": self.expires_at.isoformat() if self.expires_at is not None else None,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        schema = self._schema
        if isinstance(schema, Compiled):
            model = schema.model
            schema = ModelElsewhere(model.__module__, model.__qualname__) if model is not None else None  # type: ignore[assignment]
        state = {name: value for name, value in self.__dict__.items() if name not in ("_schema", "_read", "_value")}
        return _unpickled, (schema, state)

    def __copy__(self) -> Document:
        twin = Document.__new__(Document)
        twin.__dict__.update(self.__dict__, _value=None)
        return twin

    def __deepcopy__(self, memo: dict[int, Any]) -> Document:
        return self.__copy__()  # but for the value, which is decoded anew, all of it is immutable

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Document):
            return NotImplemented
        mine = (self.namespace, self.key, self.version, self.value, dict(self.contested))
        return mine == (other.namespace, other.key, other.version, other.value, dict(other.contested))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        contested = f", contested={sorted(map(str, self.contested))}" if self.contested else ""
        return f"Document({'/'.join(self.namespace)}:{self.key} v{self.version}, {self.value!r}{contested})"


def mark_of(n: int, document: Document) -> ReadSnapshot:
    """Returns what a read of a document, as it is after commit ``n``, lets its reader know."""
    if not document.contested:
        read = (n, document._body, _NONE, "", document._updated)
        return tuple.__new__(ReadSnapshot, read)  # the class's own is slower, being Python
    deep = document._schema.declared  # where no model is, a field may be left out with a contested part of it
    leave = frozenset([path[0] for path in document.contested if path and (deep or len(path) == 1)])
    return ReadSnapshot(n, document._body, leave, time=document._updated)


def _unpickled(schema: ModelElsewhere | None, state: dict[str, Any]) -> Document:
    document = Document.__new__(Document)
    document.__dict__.update({"has_end": False, **state}, _schema=schema or OPEN_SCHEMA, _read=ABSENT, _value=None)
    return document


class Receipt(NamedTuple):
    """What became of a write: the document's version after it, and the escalations it opened or joined."""

    version: int
    escalations: tuple[Escalation, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Returns the receipt in its JSON form (docs/web.md)."""
        return {"version": self.version, "escalations": [escalation.to_dict() for escalation in self.escalations]}


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One change of a document: version, time, agent, what sort of act it was, the value given, the paths changed,
    what declared policies settled with it (path, policy), which document it is, and what became of fields in which it
    met what its writer had not seen: ``merged``, ``agreed``, ``settled`` or ``escalated``."""

    version: int
    at: datetime
    agent: str
    act: str
    value: Any
    paths: tuple[tuple[str, ...], ...]
    origin: str
    settled: tuple[tuple[tuple[str, ...], str], ...] = ()
    namespace: tuple[str, ...] = ()
    key: str = ""
    met: Mapping[str, str] = dataclasses.field(default_factory=dict, hash=False)

    def to_dict(self) -> dict[str, Any]:
        """Returns the entry in its JSON form (docs/web.md)."""
        return {
            "version": self.version,
            "at": self.at.isoformat(),
            "agent": self.agent,
            "act": self.act,
            "value": portable(self.value),
            "paths": [list(path) for path in self.paths],
            "origin": self.origin,
            "settled": [{"path": list(path), "policy": policy} for path, policy in self.settled],
            "namespace": list(self.namespace),
            "key": self.key,
            "met": dict(self.met),
        }


@dataclass(frozen=True, slots=True)
class Credit:
    """Who stands for a value (a set's element, a map's entry, a span of text): the first agent, all agents, when."""

    value: Any
    agent: str
    agents: tuple[str, ...]
    at: datetime
