"""What tools have shown agents: it counts as read in their later calls.

A model decides what a call says before the call is made, by what earlier calls of its run have shown it. So a call is
judged by these sights, not by what was there when it began to be carried out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from concordant.storage.forking import free_in_child
from concordant.workspace.scope import AgentRun, Document, Mark, Scope
from concordant.workspace.sight import task_of

if TYPE_CHECKING:
    from concordant.workspace.document import Document as Snapshot
    from concordant.workspace.engine import Engine
    from concordant.workspace.scoping import Scoping

__all__ = [
    "Audience",
    "Grounds",
    "Part",
    "Showing",
    "Showings",
    "decided_by",
    "grounds_of",
    "is_mine",
    "note_read",
    "show",
]

_MOST_SHOWINGS = 256
_MOST_DOCUMENTS = 10_000


class Showing(NamedTuple):
    """What one call has shown: a document, or some of its fields, up to a commit.

    Attributes:
        origin: of the writes of the call's scope.
        call: the call, where its scope has several (``AgentRun.call``).
        turn: when it was decided.
        at: the commit.
        fields: which top-level fields; ``None``: the whole document.
        value: of the whole document, as JSON text or dict.
    """

    origin: str
    call: str
    turn: int
    at: int
    fields: frozenset[str] | None = None
    value: Any = None


class Showings:
    """What the calls of one agent run have shown it, by document."""

    __slots__ = ("_lock", "_of", "_parts", "_peers")

    def __init__(self) -> None:
        self._parts: dict[Document, tuple[int, frozenset[int]]] = {}
        self._peers: dict[str, set[str]] = {}
        self._of: dict[Document, tuple[Showing, ...]] = {}
        self._lock = free_in_child(threading.Lock())

    def add(self, document: Document, showing: Showing) -> None:
        """Notes what a call has shown."""
        with self._lock:
            known = self._of.pop(document, ())
            self._of[document] = (*known[-_MOST_SHOWINGS:], showing)
            if len(self._of) > _MOST_DOCUMENTS:
                del self._of[next(iter(self._of))]

    def withdraw(self, document: Document, origin: str, call: str) -> None:
        """Forgets what a call has read: it has read that for itself, inside a write, and shown it to nobody."""
        with self._lock:
            known = self._of.get(document, ())
            kept = tuple(one for one in known if (one.origin, one.call) != (origin, call))
            if len(kept) < len(known):
                self._of[document] = kept

    def joined(self, message: str, origin: str) -> Set[str]:
        """The origins of the calls that a message has decided, one more included."""
        with self._lock:
            peers = self._peers.setdefault(message, set())
            peers.add(origin)
            if len(self._peers) > _MOST_SHOWINGS:
                del self._peers[next(iter(self._peers))]
        return peers

    def completes(self, document: Document, version: int, lines: range, total: int) -> bool:
        """Whether, with some lines of a text that are shown now, all of it has been shown at this version."""
        with self._lock:
            known, shown = self._parts.pop(document, (0, frozenset[int]()))
            shown = shown.union(lines) if known == version else frozenset(lines)
            self._parts[document] = version, shown
            if len(self._parts) > _MOST_DOCUMENTS:
                del self._parts[next(iter(self._parts))]
        return len(shown) >= total

    def of(self, document: Document) -> tuple[Showing, ...]:
        """What was shown of a document, in this order."""
        return self._of.get(document, ())


class Audience(NamedTuple):
    """The run of the agent that makes a call, and what its calls have shown it."""

    run: AgentRun
    showings: Showings


def decided_by(showing: Showing, scope: Scope, run: AgentRun) -> bool:
    """Whether a call can have been decided by what another one has shown: an earlier one, not made beside it."""
    if showing.origin == scope.origin and showing.call == run.call:
        return True
    if run.turn is not None and showing.turn >= run.turn:
        return False
    mine, theirs = task_of(scope.origin), task_of(showing.origin)
    if mine == theirs:
        return showing.origin == scope.origin  # not what another strand of the task was shown
    return scope.relation is None or scope.relation(mine, theirs) != "concurrent"


@dataclass(frozen=True, slots=True, eq=False)
class Grounds:
    """By what a call was decided, for some fields.

    Attributes:
        at: the commit up to which the field was shown or read; -1: it was not.
        scope: that of the call, as far as it is judged by that.
        mark: the last read of the whole document.
    """

    at: int
    scope: Scope
    mark: Mark | None = None

    def up_to(self, n: int) -> Grounds:
        """The same for a change of what was seen at a commit (``Scope.up_to``)."""
        return Grounds(self.at, self.scope.up_to(n), self.mark)

    def values(self) -> Mapping[str, Any]:
        """What the last read showed, by field."""
        return (self.mark.values() or {}) if self.mark is not None else {}


def grounds_of(
    scoping: Scoping,
    scope: Scope,
    document: Document,
    fields: Iterable[str],
    *,
    rewrites: bool = False,
    unread: bool = False,
) -> dict[str, Grounds]:
    """By what the call under way was decided, field by field.

    Args:
        rewrites: whether it says what all of the document is to be. Then nothing counts as seen that its agent was not
            shown: what other agents did that it ran, and, of a document that it was never shown, what came after its
            run began.
        unread: whether what the call itself has read does not count.
    """
    mark = None if unread else scope.mark(document)
    audience = scoping.audience()
    if audience is None or scope.sight is not None:
        return dict.fromkeys(fields, Grounds(_at(mark), scope, mark))
    run, showings = audience
    if run.message and not unread:
        scope = scope.judged_by_sight(None, showings.joined(run.message, scope.origin))
    known = showings.of(document)
    seen = [showing for showing in known if decided_by(showing, scope, run)]
    if any(showing.origin == scope.origin and showing not in seen for showing in known):
        mark = None  # it is of a call made beside this one
    if rewrites:
        judged = scope.judged_by_sight(lambda origin: run.owns(origin) == "own", scope.peers)
        scope = scope.judged_by_sight(run.owns, scope.peers, before=scoping.beginning(run.began))
    else:
        judged = scope.judged_by_sight(run.owns, scope.peers)
    return _by_field(fields, seen, mark, scope, judged)


def _by_field(
    fields: Iterable[str], seen: Iterable[Showing], mark: Mark | None, scope: Scope, judged: Scope
) -> dict[str, Grounds]:
    """The grounds of each field: what was shown of it last, if anything was, else ``scope`` alone."""
    marks = [mark, *(Mark(showing.at, showing.value) for showing in seen if showing.fields is None)]
    last = max(marks, key=_at)
    by_commit: dict[int, Grounds] = {}
    found = {}
    for field in fields:
        at = max((s.at for s in seen if s.fields is None or field in s.fields), default=-1)
        if at not in by_commit:
            by_commit[at] = Grounds(max(at, _at(mark)), judged if at >= 0 else scope, last)
        found[field] = by_commit[at]
    return found


def _at(mark: Mark | None) -> int:
    return mark.at if mark is not None else -1


class Part(NamedTuple):
    """Some lines of a document's text, of so many."""

    lines: range
    total: int


def show(
    workspace: Engine,
    namespace: tuple[str, ...],
    key: str,
    part_of: Callable[[Snapshot], Part | None] = lambda _: None,
) -> Snapshot | None:
    """Reads a document to show it to an agent: its later calls are decided by that.

    Args:
        part_of: tells which part of it is shown, if not all. A part shows nothing anew of what the agent knows already,
            until parts of one version make up the whole.
    """
    document = (namespace, key)
    scope = workspace.scoping.current()
    if scope is None:
        found = workspace.read_current(namespace, key)
        if found is not None:
            part_of(found)
        return found
    found, mark = workspace._read_as(scope, namespace, key)
    audience = workspace.scoping.audience()
    part = part_of(found) if found is not None else None
    if found is not None and part is not None and audience is not None:
        whole = audience.showings.completes(document, found.version, *part)
        if not whole and (not part.lines or audience.showings.of(document)):
            return found
    workspace.scoping.note_shown(document, scope, mark.at, value=mark.base)
    return found


def note_read(workspace: Engine, namespace: tuple[str, ...], key: str) -> None:
    """Notes that the call under way shows its agent what it has read of a document last."""
    scope = workspace.scoping.current()
    mark = scope.mark((namespace, key)) if scope is not None else None
    if scope is not None and mark is not None and mark.at >= 0:
        workspace.scoping.note_shown((namespace, key), scope, mark.at, value=mark.base)


def is_mine(scoping: Scoping, scope: Scope, agent: str, origin: str) -> bool:
    """Whether a write is one of the agent's that makes the call: of its name or, where it has none of its own, of its
    run (but for what stands beside it there, which is another agent)."""
    audience = scoping.audience()
    if audience is None or audience.run.named or scoping.acting() is not None:
        return agent == scope.agent
    run, theirs = audience.run, task_of(origin)
    if run.owns(theirs) != "own":
        return False
    mine = task_of(scope.origin)
    beside = mine != theirs and scope.relation is not None and scope.relation(mine, theirs) == "concurrent"
    return not beside or (bool(run.message) and theirs in audience.showings.joined(run.message, scope.origin))
