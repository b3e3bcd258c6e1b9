"""By what a call was decided, field by field: what its agent was shown, or what the call itself has read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from concordant.storage import Address
from concordant.workspace.scope import ReadSnapshot, Scope
from concordant.workspace.scoping import Scoping
from concordant.workspace.tool_reads import ToolRead, decided_by
from concordant.workspace.visibility import task_of

__all__ = ["Evidence", "evidence_of", "is_mine"]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """By what a call was decided, for some fields.

    Attributes:
        at: the commit up to which the field was shown or read; -1: it was not.
        scope: that of the call, as far as it is judged by that.
        snapshot: the last read of the whole document.
    """

    at: int
    scope: Scope
    snapshot: ReadSnapshot | None = None

    def up_to(self, n: int) -> Evidence:
        """Returns the same for a change of what was seen at a commit (``Scope.up_to``)."""
        return Evidence(self.at, self.scope.up_to(n), self.snapshot)

    def values(self) -> Mapping[str, Any]:
        """Tells what the last read showed, by field."""
        return (self.snapshot.values() or {}) if self.snapshot is not None else {}


def evidence_of(
    scoping: Scoping,
    scope: Scope,
    document: Address,
    fields: Iterable[str],
    *,
    rewrites: bool = False,
    unread: bool = False,
) -> dict[str, Evidence]:
    """Tells by what the call under way was decided, field by field.

    Args:
        rewrites: whether it says what all of the document is to be. Then nothing counts as seen that its agent was not
            shown: what other agents did that it ran, and, of a document that it was never shown, what came after its
            run began.
        unread: whether what the call itself has read does not count.
    """
    snapshot = None if unread else scope.snapshot(document)
    audience = scoping.audience()
    if audience is None or scope.seen_tokens is not None:
        return dict.fromkeys(fields, Evidence(_at(snapshot), scope, snapshot))
    run, tool_reads = audience
    if run.message and not unread:
        scope = scope.judged_by_reads(None, tool_reads.joined(run.message, scope.origin))
    known = tool_reads.of(document)
    seen = [tool_read for tool_read in known if decided_by(tool_read, scope, run)]
    if any(tool_read.origin == scope.origin and tool_read not in seen for tool_read in known):
        snapshot = None  # it is of a call made beside this one
    if rewrites:
        judged = scope.judged_by_reads(lambda origin: run.owns(origin) == "own", scope.peers)
        scope = scope.judged_by_reads(run.owns, scope.peers, before=scoping.beginning(run.began))
    else:
        judged = scope.judged_by_reads(run.owns, scope.peers)
    return _by_field(fields, seen, snapshot, scope, judged)


def _by_field(
    fields: Iterable[str], seen: Iterable[ToolRead], snapshot: ReadSnapshot | None, scope: Scope, judged: Scope
) -> dict[str, Evidence]:
    """The evidence of each field: what was shown of it last, if anything was, else ``scope`` alone."""
    marks = [snapshot, *(ReadSnapshot(tool_read.at, tool_read.value) for tool_read in seen if tool_read.fields is None)]
    last = max(marks, key=_at)
    by_commit: dict[int, Evidence] = {}
    found = {}
    for field in fields:
        at = max((s.at for s in seen if s.fields is None or field in s.fields), default=-1)
        if at not in by_commit:
            by_commit[at] = Evidence(max(at, _at(snapshot)), judged if at >= 0 else scope, last)
        found[field] = by_commit[at]
    return found


def _at(snapshot: ReadSnapshot | None) -> int:
    return snapshot.at if snapshot is not None else -1


def is_mine(scoping: Scoping, scope: Scope, agent: str, origin: str) -> bool:
    """Tells whether a write is one of the agent's that makes the call: of its name or, where it has none of its own, of
    its run (but for what stands beside it there, which is another agent)."""
    audience = scoping.audience()
    if audience is None or audience.run.named or scoping.acting() is not None:
        return agent == scope.agent
    run, theirs = audience.run, task_of(origin)
    if run.owns(theirs) != "own":
        return False
    mine = task_of(scope.origin)
    beside = mine != theirs and scope.relation is not None and scope.relation(mine, theirs) == "concurrent"
    return not beside or (bool(run.message) and theirs in audience.tool_reads.joined(run.message, scope.origin))
