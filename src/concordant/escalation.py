"""Escalations: open questions, with their contenders, and the events of their lives."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, TypeAlias

from concordant.errors import ConcordantError
from concordant.limits import MOST_CONTENDERS
from concordant.merge.kinds import Contest, Field, Option
from concordant.merge.kinds.weighing import digest_of
from concordant.merge.sequence.suggest import merged_by_words
from concordant.values import ABSENT, canonical, decode, portable

__all__ = [
    "ABSTAIN",
    "DELETED",
    "Contender",
    "Escalation",
    "Event",
    "EventKind",
    "Reason",
    "Remark",
    "State",
    "escalation_of",
    "id_of",
    "is_version_of",
    "when",
]

Reason: TypeAlias = Literal["scalar", "type", "text", "delete", "schema", "invalid"]
State: TypeAlias = Literal["open", "claimed", "resolved", "dismissed", "superseded", "agreed"]
EventKind: TypeAlias = Literal["opened", "grew", "claimed", "resolved", "dismissed", "superseded", "agreed", "reopened"]


class _Marker:
    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name

    def __reduce__(self) -> str:
        return self._name

    def __bool__(self) -> bool:
        return False


ABSTAIN = _Marker("ABSTAIN")
"""What a resolver returns to leave the escalation open."""

DELETED = _Marker("DELETED")
"""The value of a contender that deletes; also a decision."""


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """One of several incompatible values: who wrote it, when, and where that came from.

    ``agent`` is the first who wrote it, ``agents`` are all; ``at`` and ``origin`` are those of the first write.
    """

    value: Any
    agent: str
    agents: tuple[str, ...]
    at: datetime
    origin: str

    def to_dict(self) -> dict[str, Any]:
        """Returns the contender in its JSON form (docs/web.md); its ``value`` is null if it is ``deleted``."""
        return {
            "value": None if self.value is DELETED else portable(self.value),
            "deleted": self.value is DELETED,
            "agent": self.agent,
            "agents": list(self.agents),
            "at": self.at.isoformat(),
            "origin": self.origin,
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Contender):
            return NotImplemented
        if (self.agent, self.agents, self.at, self.origin) != (other.agent, other.agents, other.at, other.origin):
            return False
        mine, theirs = _VALUE.__get__(self), _VALUE.__get__(other)
        if type(mine) is _Unread and type(theirs) is _Unread and mine.text == theirs.text:
            return True
        return bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash((self.value, self.agent, self.agents, self.at, self.origin))


class _Unread(NamedTuple):
    """The value of a contender that nobody has asked for: its JSON. Of a whole document that is contested there may be
    one for every write."""

    text: bytes


_VALUE: Any = Contender.__dict__["value"]


def _value_of(contender: Contender) -> Any:
    value = _VALUE.__get__(contender)
    if type(value) is _Unread:
        value = decode(value.text)
        _VALUE.__set__(contender, value)
    return value


setattr(Contender, "value", property(_value_of, _VALUE.__set__))  # noqa: B010


class Remark(NamedTuple):
    """What somebody said of a question who decided it, or who was asked and did not: who, and why."""

    by: str
    text: str


MOST_REMARKS = 10
"""How many remarks a question keeps, the newest."""


@dataclass(frozen=True, slots=True)
class Escalation:
    """An open question, or one that was open.

    Attributes:
        id: the same on all replicas, stable while contenders come and go.
        version: changes with the set of distinct contender values; decisions are pinned to it.
        base: the last agreed value, ``None`` if there is none (see ``has_base``).
        by: who claimed or decided it.
        decision: what was decided.
        contenders: the oldest of them, as many as ``Limits.contenders`` allows.
        more: how many contenders there are beside those.
        closed_at: when it was settled; ``None`` while it is open.
        asked: whether somebody had it asked again, so that no policy and no function settles it.
        remarks: why it was decided as it was, and before that, why those who were asked did not decide; oldest first.
    """

    id: str
    version: str
    namespace: tuple[str, ...]
    key: str
    path: tuple[str, ...]
    reason: Reason
    base: Any
    contenders: tuple[Contender, ...]
    state: State = "open"
    has_base: bool = False
    opened_at: datetime = field(default=datetime.fromtimestamp(0, UTC), compare=False)
    by: str | None = None
    decision: Any = None
    more: int = 0
    closed_at: datetime | None = field(default=None, compare=False)
    asked: bool = field(default=False, compare=False)
    remarks: tuple[Remark, ...] = ()
    field_: Field | None = field(default=None, repr=False, compare=False)
    place: tuple[str | None, ...] = field(default=(), repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Returns the escalation in its JSON form (docs/web.md); a ``decision`` for a deletion is null."""
        return {
            "id": self.id,
            "version": self.version,
            "namespace": list(self.namespace),
            "key": self.key,
            "path": list(self.path),
            "reason": self.reason,
            "state": self.state,
            "base": portable(self.base),
            "has_base": self.has_base,
            "contenders": [contender.to_dict() for contender in self.contenders],
            "more": self.more,
            "suggestion": self.suggestion,
            "opened_at": self.opened_at.isoformat(),
            "closed_at": None if self.closed_at is None else self.closed_at.isoformat(),
            "by": self.by,
            "decision": None if self.decision is DELETED else portable(self.decision),
            "decision_deleted": self.decision is DELETED,
            "asked": self.asked,
            "remarks": [remark._asdict() for remark in self.remarks],
        }

    def __reduce__(self) -> tuple[Any, ...]:
        state = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "field_"}
        return _unpickled, (state,)  # without the field of the model, which may hold functions

    def remarked(self, by: str, text: str) -> Escalation:
        """Returns the escalation with one more remark on it."""
        return replace(self, remarks=(*self.remarks, Remark(by, text))[-MOST_REMARKS:])

    @property
    def suggestion(self) -> str | None:
        """The merge by words of all contenders of a text, ``None`` where two of them touch a common word (and for any
        other reason than ``text``). Nobody wrote it so: it is for a person to take or leave."""
        sides = [contender.value for contender in self.contenders]
        if self.more or not all(isinstance(text, str) for text in (self.base, *sides)) or self.reason != "text":
            return None
        return merged_by_words(self.base, sides)

    def __str__(self) -> str:
        place = ".".join(self.path) or "the document"
        sides = ", ".join(f"{c.value!r} by {' and '.join(c.agents)}" for c in self.contenders)
        sides += f", and {self.more} more" if self.more else ""
        return f"{'/'.join(self.namespace)}:{self.key} {place} ({self.reason}, {self.state}): {sides}"


def _unpickled(state: dict[str, Any]) -> Escalation:
    return Escalation(**state)


@dataclass(frozen=True, slots=True)
class Event:
    """One transition of an escalation.

    Attributes:
        time: that of the commit that made it, in seconds since the epoch; no two of one escalation have the same.
    """

    kind: EventKind
    escalation: Escalation
    time: float = field(default=0.0, compare=False)

    @property
    def id(self) -> str:
        """The name of the transition: the same whenever and wherever it is told, so that doubles can be dropped."""
        name = f"{self.kind} {self.escalation.id} {self.time!r}"
        return f"evt_{hashlib.sha256(name.encode()).hexdigest()[:24]}"

    @property
    def at(self) -> datetime:
        """When it was committed."""
        return when(self.time)

    def to_dict(self) -> dict[str, Any]:
        """Returns the event in its JSON form (docs/web.md)."""
        return {
            "id": self.id,
            "kind": self.kind,
            "at": self.at.isoformat(),
            "escalation": self.escalation.to_dict(),
        }


def when(seconds: float) -> datetime:
    """Returns a time as an aware datetime.

    Raises:
        ConcordantError: no calendar has it, so that whatever kept it has changed it.
    """
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        mend = "Restore what it was read from"
        raise ConcordantError(f"{seconds} seconds after 1970 is no time that was stored ({error}). {mend}") from error


def id_of(namespace: tuple[str, ...], key: str, contest: Contest) -> str:
    """Returns the identity of a contest, the same on all replicas."""
    # What is contested beyond the value itself has an identity of its own beside the scalar conflict of its path.
    own = contest.reason in ("schema", "invalid") or (
        contest.reason == "type" and not (contest.field is not None and contest.field.kind.asks_type)
    )
    sort = contest.reason if own else ""
    identity = json.dumps([namespace, key, contest.path, contest.anchor, sort])
    return hashlib.sha256(identity.encode()).hexdigest()[:20]


def escalation_of(namespace: tuple[str, ...], key: str, contest: Contest, most: int = MOST_CONTENDERS) -> Escalation:
    """Returns the escalation that a contest is, with its id and version.

    Args:
        most: how many contenders it shows.
    """
    has_base = contest.base is not ABSENT and contest.base is not None
    return Escalation(
        id=id_of(namespace, key, contest),
        version=_version_of(contest),
        namespace=namespace,
        key=key,
        path=contest.path,
        reason=contest.reason,  # type: ignore[arg-type]
        base=decode(contest.base) if has_base else None,  # type: ignore[arg-type]
        contenders=tuple([option.shown or _contender(option) for option in contest.options[:most]]),
        has_base=has_base,
        more=max(len(contest.options) - most, 0),
        field_=contest.field,
        place=contest.place,
        asked=contest.asked,
    )


def is_version_of(version: str, contest: Contest) -> bool:
    """Tells whether a version is that of a contest, made now or by an earlier release (of a sorted list)."""
    if version == _version_of(contest):
        return True
    values = ["\x00" if one.value is None else _comparable(contest, one.value).decode() for one in contest.options]
    return version == hashlib.sha256("\n".join(sorted(values)).encode()).hexdigest()[:12]


def _version_of(contest: Contest) -> str:
    digest = contest.digest
    if digest is None:
        values = (None if one.value is None else _comparable(contest, one.value) for one in contest.options)
        digest = sum(map(digest_of, values))
    return f"{digest % 2**128:032x}"[:12]


def _contender(option: Option) -> Contender:
    first, agents = option.stamps[0] if option.stamps else None, option.agents
    origin = first.origin if first else ""
    told = (agents[0] if agents else "", agents, when(first.time if first else 0.0), origin)
    made = Contender(DELETED if option.value is None else _Unread(option.value), *told)
    option.shown = made
    return made


def _comparable(contest: Contest, value: bytes) -> bytes:
    canon = contest.field.canon if contest.field is not None and contest.reason == "scalar" else canonical
    return canon(value)
