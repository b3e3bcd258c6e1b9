"""A LangGraph channel that sees all updates of a superstep together, and merges them by a field's kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import isclass
from typing import Any, Self

from langgraph.channels import BinaryOperatorAggregate, LastValue
from langgraph.channels.base import BaseChannel
from langgraph.errors import InvalidUpdateError
from langgraph.types import Overwrite
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from concordant import ConcordantError, Document, Escalation, InvalidWriteError, Schema, Update, merge
from concordant.spi import Fault, Kind

__all__ = ["MergeChannel", "StateConflictError", "edited", "is_langgraphs"]

_EDITED = "__edited__"
_OVERWRITE = "__overwrite__"
_MISSING: Any = LastValue(Any).checkpoint()  # what LangGraph gives where a checkpoint has no value
_HINTS = {
    "scalar": "Declare how to settle it (resolve='max', a function, ...), let one node alone write it, "
    "or return Overwrite(value).",
    "text": "They rewrote the same words: let them add instead, or declare Text(overlap='merge').",
    "delete": "One removed what another changed: let one node alone remove it, or return Overwrite(value).",
    "invalid": "The merged value would break the model's constraints: return less, or loosen them.",
}


class StateConflictError(ConcordantError, InvalidUpdateError):
    """Updates of one superstep that cannot be merged; the superstep was not applied.

    Attributes:
        path: where, such as ``("status",)`` or ``("owners", "alice")``.
        reason: ``scalar``, ``text``, ``delete`` or ``invalid``, as of an escalation.
        base: what stood there before the superstep.
        contenders: the incompatible values; the agents in them are ``update 1``, ``update 2``, ... in LangGraph's
            order, because a channel is not told which node an update is from.
        escalations: all of the field's conflicts; the attributes above are those of the first.
    """

    def __init__(self, escalations: Sequence[Escalation]) -> None:
        self.escalations = tuple(escalations)
        first = self.escalations[0]
        self.path = first.path
        self.reason = first.reason
        self.base = first.base
        self.contenders = first.contenders
        values = " and ".join(f"{c.value!r} ({', '.join(c.agents)})" for c in self.contenders)
        before = f", before it stood {self.base!r}" if first.has_base else ""
        more = f" ({len(self.escalations) - 1} more in this field.)" if len(self.escalations) > 1 else ""
        super().__init__(
            f"At {'.'.join(self.path)}: the updates of one superstep cannot be merged: {values}{before}.{more} "
            f"{_HINTS.get(self.reason, '')}"
        )


def edited(values: Mapping[str, Any] | BaseModel | None = None, /, **fields: Any) -> dict[str, Any]:
    """Marks what a node returns as new whole values, made of those that the node was given: the difference counts.

    So a node can take something out of a set, rewrite words of a text, or count down. What is returned unmarked is a
    contribution. The result is plain data, which every checkpointer keeps.

    Args:
        values: a dict of fields, or the state that the node was given, with its changes.
        fields: further fields, by name.

    >>> edited(tags=["crdt"])
    {'tags': {'__edited__': ['crdt']}}
    """
    if isinstance(values, BaseModel):
        parts = type(values).model_fields
        values = {name: getattr(values, name) for name, info in parts.items() if not is_langgraphs(info)}
    return {name: {_EDITED: value} for name, value in {**(values or {}), **fields}.items()}


class MergeChannel(BaseChannel[Any, Any, Any]):
    """One field of a state, for ``state_schema``.

    It holds the field's JSON value, which is what goes into checkpoints, and gives a fresh Python value at each read.

    Args:
        part: the schema of the field alone.
        kind: the field's kind; ``None`` for a field typed as a state model.
    """

    __slots__ = ("_default", "_held", "_unfit", "kind", "part")

    def __init__(self, part: Schema, kind: Any = None) -> None:
        [(name, info)] = part.model.model_fields.items()
        super().__init__(info.annotation, name)
        self.part = part
        self.kind = kind
        self._held: Document | None = None
        self._default: Document | None = None
        self._unfit: Any = _MISSING

    def __eq__(self, other: object) -> bool:
        """Whether two schemas mean the same by a key that they share."""
        if isinstance(other, BinaryOperatorAggregate):
            return self.kind is not None and other.operator is self.kind
        return isinstance(other, MergeChannel) and (self.typ, self.kind) == (other.typ, other.kind)

    # Equal channels can have different defaults, and typing would take one Annotated[...] for another by their hash.
    __hash__ = None  # type: ignore[assignment]

    @property
    def ValueType(self) -> Any:
        """The field's type."""
        return self.typ

    @property
    def UpdateType(self) -> Any:
        """The field's type; see also ``edited``."""
        return self.typ

    def copy(self) -> Self:
        """Returns a channel with the same value."""
        twin = self.__class__(self.part, self.kind)
        twin.key, twin._held, twin._default, twin._unfit = self.key, self._held, self._default, self._unfit
        return twin

    def checkpoint(self) -> Any:
        """Returns the JSON value."""
        return self._unfit if self._unfit is not _MISSING else self._document().value[self.key]

    def from_checkpoint(self, checkpoint: Any) -> Self:
        """Returns a channel with the value of a checkpoint, whatever channel wrote it; the model's default without
        one."""
        twin = self.__class__(self.part, self.kind)
        twin.key = self.key
        if self.part.model.model_fields[self.key].default_factory is None:
            twin._default = self._default
        if checkpoint is not _MISSING:
            try:
                twin._held = twin._hold(checkpoint)
            except (InvalidWriteError, StateConflictError):
                twin._unfit = checkpoint  # of an older model: it can still be looked at, and overwritten
        return twin

    def get(self) -> Any:
        """Returns the value as the model has it: a copy of the reader's own."""
        return self._unfit if self._unfit is not _MISSING else getattr(self._document().model, self.key)

    def is_available(self) -> bool:
        """Always: there is a default."""
        return True

    def update(self, values: Sequence[Any]) -> bool:
        """Merges the updates of a superstep into the value that stood when it began.

        Raises:
            StateConflictError: they cannot be merged; the value stays what it was.
            InvalidWriteError: one of them is no value of the field.
        """
        fresh = self._held is None and self._unfit is _MISSING
        if not values:
            # A superstep that leaves the field alone: from now on the default is what others add to. In the first one,
            # that of the graph's input, a value given takes the default's place.
            if fresh:
                self._held = self._document()
            return fresh
        overwrites = [value for value in values if _is_overwrite(value)]
        if len(overwrites) > 1:
            raise InvalidUpdateError(f"At {self.key}: can receive only one Overwrite value per super-step.")
        if overwrites:
            value = overwrites[0]
            if isinstance(value, Overwrite):
                value = value.value
            else:
                value = value[_OVERWRITE] if _OVERWRITE in value else value["value"]
            self._held, self._unfit = self._hold(value), _MISSING
            return True
        if self._unfit is not _MISSING:
            problem = f"the checkpoint's value, {repr(self._unfit)[:200]}, is none of the field's type"
            fault = Fault((self.key,), problem, "Return Overwrite(value) for the field, or mend the model", self._unfit)
            raise InvalidWriteError((self.part.model.__name__,), "state", [fault])
        base = {} if fresh else {self.key: self.checkpoint()}
        self._held = self._merged(base, [self._update(number, value) for number, value in enumerate(values, 1)])
        return True

    def _update(self, number: int, value: Any) -> Update:
        edits = isinstance(value, dict) and len(value) == 1 and _EDITED in value
        return Update({self.key: value[_EDITED] if edits else value}, f"update {number}", edits)

    def _merged(self, base: dict[str, Any], updates: Sequence[Update]) -> Document:
        document = merge(self.part, base, updates)
        if document.contested:
            raise StateConflictError([*document.contested.values()])
        return document

    def _hold(self, value: Any) -> Document:
        return self._merged({self.key: value}, ())

    def _document(self) -> Document:
        if self._held is not None:
            return self._held
        if self._default is None:
            self._default = self._hold(getattr(merge(self.part, {}, ()).model, self.key))
        return self._default


def is_langgraphs(info: FieldInfo) -> bool:
    """Tells whether LangGraph itself knows how to keep such a field: a channel, a managed value, or another's
    reducer."""
    if any(
        isinstance(item, BaseChannel) or (isclass(item) and issubclass(item, BaseChannel)) for item in info.metadata
    ):
        return True
    last = info.metadata[-1] if info.metadata else None
    return callable(last) and not isinstance(last, Kind) and not (isclass(last) and issubclass(last, Kind))


def _is_overwrite(value: Any) -> bool:
    """LangGraph's ``Overwrite``, or one of the forms that JSON makes of it."""
    if isinstance(value, dict):
        return set(value) == {_OVERWRITE} or (value.get("type") == _OVERWRITE and "value" in value)
    return isinstance(value, Overwrite)
