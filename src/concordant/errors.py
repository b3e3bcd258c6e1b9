"""Every error Concordant raises, under one root.

Each error carries its data as attributes, so that a program can act on it, and says in its message what was
expected, what came, and how to mend it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = [
    "ConcordantError",
    "ContestedError",
    "CorruptFrameError",
    "DamagedDocumentError",
    "Fault",
    "ForgottenError",
    "HistoryExpiredError",
    "InvalidContributionError",
    "InvalidTokenError",
    "InvalidWriteError",
    "MisshapenError",
    "MissingBaseError",
    "NotAllowedError",
    "SchemaError",
    "StaleDecisionError",
    "StaleReplicaError",
    "StaleWriteError",
    "StorageBusyError",
    "StorageError",
    "UnknownEscalationError",
    "told",
]

Path = tuple[Any, ...]


def told(value: Any, most: int = 200) -> str:
    """Returns a value for a message, whatever it is: its ``repr``, cut where it is long; of one that has none its
    type."""
    try:
        text = repr(value)
    except Exception:  # a number too long for text, a nesting too deep, an object that fails
        return f"<{type(value).__name__}>"
    return text if len(text) <= most else f"{text[:most]}…"


class ConcordantError(Exception):
    """The root of all errors of this library."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _as_it_was, (type(self), self.args, self.__dict__)


def _as_it_was(cls: type[ConcordantError], args: tuple[Any, ...], data: dict[str, Any]) -> ConcordantError:
    """Gives an error back that another process raised; it was made from its data, and has its message."""
    error = cls.__new__(cls, *args)
    error.__dict__.update(data)
    return error


class Fault(NamedTuple):
    """One thing that is wrong with a model or a value: where, what came, what to do."""

    path: Path
    problem: str
    mend: str
    value: Any = None

    def __str__(self) -> str:
        return (
            f"{_dotted(self.path)}: {self.problem}. {self.mend}"
            if self.mend
            else f"{_dotted(self.path)}: {self.problem}."
        )


class SchemaError(ConcordantError, TypeError):
    """A state model cannot be used; ``faults`` lists everything that is wrong with it at once."""

    def __init__(self, model: str, faults: Sequence[Fault]) -> None:
        self.model = model
        self.faults = tuple(faults)
        lines = _lines(self.faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__(f"{model} cannot be used as a state model ({count}):\n{lines}")


class InvalidWriteError(ConcordantError, ValueError):
    """A write was refused as a whole and nothing of it was applied; ``faults`` lists every reason.

    So is any call, a read too, with what is no namespace or no key.
    """

    def __init__(
        self, namespace: tuple[str, ...], key: str, faults: Sequence[Fault], refused: str = "The write to"
    ) -> None:
        self.namespace = namespace
        self.key = key
        self.faults = tuple(faults)
        lines = _lines(self.faults)
        super().__init__(f"{refused} {_place(namespace, key)} was refused, nothing of it was applied:\n{lines}")


class InvalidContributionError(ConcordantError, TypeError):
    """A kind used as a reducer was given what is no value of that kind; nothing of it was merged."""

    def __init__(self, kind: str, value: Any, problem: str) -> None:
        self.kind = kind
        self.value = value
        self.problem = problem
        super().__init__(
            f"The kind {kind!r}, as a reducer, was given {problem}: {told(value)}. "
            "Return what the node adds to the field, of the field's type."
        )


class ContestedError(ConcordantError):
    """A strict read met open escalations; ``document`` is what a plain read would have returned."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self.namespace = document.namespace
        self.key = document.key
        self.contested = document.contested
        paths = ", ".join(_dotted(path) for path in self.contested)
        super().__init__(
            f"{_place(self.namespace, self.key)} is contested at: {paths}. "
            "Settle each with workspace.resolve(escalation, value, by=...), or read without strict=True."
        )


class StaleDecisionError(ConcordantError):
    """A decision was made on contenders that have changed since, or on an escalation that is no longer open."""

    def __init__(self, escalation: Any, current: Any) -> None:
        self.escalation = escalation
        self.current = current
        self.namespace = escalation.namespace
        self.key = escalation.key
        self.path = escalation.path
        if current is None or current.state not in ("open", "claimed"):
            state = "gone" if current is None else current.state
            now = f"it is {state} by now"
        elif current.version == escalation.version:
            now = f"{current.by} has claimed it"
        else:
            now = f"its contenders changed (decided on version {str(escalation.version)[:40]}, now {current.version})"
        super().__init__(
            f"The decision on {_place(self.namespace, self.key)} at {_dotted(self.path)} came too late: {now}. "
            "Look at the current contenders with workspace.escalations() and decide again."
        )


class NotAllowedError(ConcordantError, PermissionError):
    """Somebody wrote or decided who may not, by the schema; nothing was changed.

    Attributes:
        namespace, key: the document.
        agent: who it was.
        act: ``"write"`` or ``"decide"``.
        allowed: who may, as the schema names them.
        is_party: whether it is refused because one of the sides is the agent's own.
    """

    def __init__(
        self,
        namespace: tuple[str, ...],
        key: str,
        agent: str,
        act: str,
        allowed: Sequence[str],
        *,
        is_party: bool = False,
    ) -> None:
        self.namespace, self.key = namespace, key
        self.agent, self.act, self.allowed, self.is_party = agent, act, tuple(allowed), is_party
        where, names = f"{'/'.join(namespace)}:{key}", " or ".join(map(repr, allowed)) or "nobody"
        if is_party:
            problem = f"{agent!r} may not decide about {where}: one of the sides is its own"
            super().__init__(f"{problem}. Another of {names} may.")
        else:
            super().__init__(
                f"{agent!r} may not {act} {'about ' * (act == 'decide')}{where}: its schema names {names}."
            )

    def __reduce__(self) -> tuple[Any, ...]:
        given = (self.namespace, self.key, self.agent, self.act, self.allowed)
        return _not_allowed, (given, self.is_party)


def _not_allowed(given: tuple[Any, ...], is_party: bool) -> NotAllowedError:
    return NotAllowedError(*given, is_party=is_party)


class UnknownEscalationError(ConcordantError, LookupError):
    """No escalation has this id: it never had one, or the escalation was closed and has been forgotten."""

    def __init__(self, id: Any) -> None:
        self.id = id
        super().__init__(
            f"There is no escalation with the id {id!r}. Take the id from workspace.escalations(); "
            "closed ones are forgotten with the journal."
        )


class InvalidTokenError(ConcordantError, ValueError):
    """What was given as ``seen=`` or ``began=`` tells of no read of this document in this store; nothing was done.

    Attributes:
        token: what was given.
        reason: what is wrong with it.
    """

    def __init__(self, token: Any, reason: str, mend: str) -> None:
        self.token = token
        self.reason = reason
        super().__init__(f"The token {told(token, 80)} cannot be used: {reason}. {mend}.")


class StaleWriteError(ConcordantError):
    """A write with ``if_version=`` found the document at another version; nothing was applied."""

    def __init__(self, namespace: tuple[str, ...], key: str, expected: int, current: int) -> None:
        self.namespace = namespace
        self.key = key
        self.expected = expected
        self.current = current
        super().__init__(
            f"{_place(namespace, key)} is at version {current}, the write asked for version {told(expected)}. "
            "Read it again, or leave out if_version= to have the write merged."
        )


class StaleReplicaError(ConcordantError):
    """A replica was away for longer than tombstones are kept, or was restored from a back-up; nothing was joined."""

    def __init__(self, replica: str, reason: str, mend: str) -> None:
        self.replica = replica
        self.reason = reason
        super().__init__(f"Replica {replica!r} cannot be joined: {reason}. {mend}.")


class MissingBaseError(ConcordantError):
    """A frame tells what became of a text or list since a state that is not known here; nothing was joined."""

    def __init__(self, namespace: tuple[str, ...], key: str) -> None:
        self.namespace = namespace
        self.key = key
        place = f"{'/'.join(map(repr, namespace))}:{told(key)}"
        super().__init__(
            f"The frame tells what became of {place} since a state of it that is not known here. "
            "Ask its sender for whole documents: export(since, whole=True)."
        )


class MisshapenError(ConcordantError, ValueError):
    """Data from outside is not such as this engine makes; ``import_`` refuses its frame with ``CorruptFrameError``."""


class CorruptFrameError(ConcordantError, ValueError):
    """Bytes given to ``import_`` are no intact frame of this kind; nothing of them was applied."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The frame was refused, nothing of it was applied: {reason}.")


class ForgottenError(ConcordantError, ValueError):
    """A write refers to what was removed from a text or list and is forgotten where it is to be joined; ``import_``
    refuses its frame with ``StaleReplicaError``."""

    def __init__(self, stamp: Any) -> None:
        self.stamp = stamp
        super().__init__(f"write {stamp.n} of {stamp.replica!r} refers to what was removed from a text or list before")


class HistoryExpiredError(ConcordantError, LookupError):
    """What a document was at a version is not kept any more: the journal does not reach back to it, or removed words
    that it showed have been forgotten (``vacuum``)."""

    def __init__(self, namespace: tuple[str, ...], key: str, version: int) -> None:
        self.namespace = namespace
        self.key = key
        self.version = version
        super().__init__(
            f"The journal of {_place(namespace, key)} no longer reaches back to version {version}. Read the document "
            "again, or keep more of it: Workspace(journal=...) in memory, vacuum(journal=..., removed=...) elsewhere."
        )


class StorageError(ConcordantError):
    """A database cannot be used; what was under way has not been stored, and nothing of it was acknowledged.

    Attributes:
        place: which database, without passwords.
        reason: what it said.
    """

    def __init__(self, place: str, reason: str, mend: str) -> None:
        self.place = place
        self.reason = reason
        self.parts = (place, reason, mend)
        super().__init__(f"{place}: {reason}. {mend}")


class DamagedDocumentError(StorageError):
    """What is stored of a document cannot be read; all others can.

    Attributes:
        namespace, key: the document.
    """

    def __init__(self, place: str, namespace: tuple[str, ...], key: str, reason: str) -> None:
        self.namespace = namespace
        self.key = key
        mend = (
            "Restore it from a back-up or another store, or set it aside: workspace.check(quarantine=True), "
            "`concordant check --quarantine`"
        )
        super().__init__(place, f"{_place(namespace, key)} cannot be read ({reason})", mend)


class StorageBusyError(StorageError):
    """Other writers kept a database locked for longer than ``lock_timeout``."""


def _lines(faults: Sequence[Fault]) -> str:
    """Faults, one a line, as many as somebody reads."""
    more = [f"  - and {len(faults) - _SHOWN:,} more"] if len(faults) > _SHOWN else []
    return "\n".join([*(f"  - {fault}" for fault in faults[:_SHOWN]), *more])


_SHOWN = 100


def _dotted(path: Path) -> str:
    return ".".join(map(_name, path)) if path else "(document)"


def _place(namespace: tuple[str, ...], key: str) -> str:
    return f"{'/'.join(map(_name, namespace))}:{_name(key)}"


def _name(part: Any) -> str:
    """A name as it is, unless it could pose as something else: with line breaks or control characters it is quoted."""
    return part if isinstance(part, str) and part.isprintable() and len(part) <= 200 else told(part)
