"""Changes that say by themselves what they add and what they take away: an agent's tool call, as against a value.

A value put back after a read tells its additions and removals only by comparison with what was read. A tool call names
both, so nobody has to have read anything: what it adds is contributed, what it removes or replaces is taken from what
its writer has seen, in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from concordant.causal import SeenBy, Stamp
from concordant.kinds import Look
from concordant.kinds.base import reading
from concordant.record import Record
from concordant.schema import Compiled, Schema, compile_schema
from concordant.sequence.pieces import Sequence as Pieces
from concordant.storage import State
from concordant.tree import as_seen, leaf_at, leaves, restored
from concordant.values import ABSENT
from concordant.workspace.commits import Pending
from concordant.workspace.scope import Mark, Scope
from concordant.workspace.sight import seen_by
from concordant.workspace.states import expanded

if TYPE_CHECKING:
    from concordant.workspace.engine import Engine

__all__ = ["Amended", "Changes", "Company", "amend"]


class Changes(NamedTuple):
    """What to do to a document, as JSON values by field.

    Attributes:
        contribution: what to add, as for ``write``.
        before, after: parts of what was seen, and what becomes of them; only their difference counts.
    """

    contribution: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]


class Company(NamedTuple):
    """What others wrote to a field that the writer had not seen: who they are, and their part of the value (``ABSENT``
    where nothing of it stands)."""

    agents: tuple[str, ...]
    value: Any


class Amended(NamedTuple):
    """What became of it: who wrote, which fields were changed (none: nothing was asked), and for each of them what
    others had written there unseen."""

    agent: str
    fields: tuple[str, ...]
    company: Mapping[str, Company]


def amend(
    workspace: Engine,
    namespace: tuple[str, ...],
    key: str,
    plan: Callable[[Mapping[str, Any]], Changes],
) -> Amended:
    """Changes a document in the scope in force.

    Args:
        plan: given the document's values as far as the scope has seen them, returns what to do; what it raises ends
            the call before anything is written.

    Raises:
        InvalidWriteError: a value does not fit the model, whatever the namespace's ``on_invalid`` is; nothing was
            written.
    """
    scope = workspace.scoping.current() or workspace.scoping.alone((namespace, key))
    schema = workspace.registry.writable(namespace, key)
    known = scope.mark((namespace, key))
    at = known.at if known is not None else -1
    changes = plan(_as_seen(workspace, scope, at, schema, namespace, key))
    writes: list[Pending] = []
    if changes.before != changes.after:
        writes.append(_pending(workspace, scope, Mark(at, dict(changes.before)), namespace, key, "edit", changes.after))
    if changes.contribution:
        mark = Mark(at, None) if at >= 0 else None
        writes.append(_pending(workspace, scope, mark, namespace, key, "write", changes.contribution))
    if writes:
        _commit(workspace, scope, writes)
        scope.written[namespace, key] = True
    fields = tuple(dict.fromkeys([*changes.after, *changes.contribution]))
    return Amended(scope.agent, fields, _company(workspace, scope, at, schema, namespace, key, fields))


def _pending(
    workspace: Engine,
    scope: Scope,
    mark: Mark | None,
    namespace: tuple[str, ...],
    key: str,
    mode: str,
    values: Mapping[str, Any],
) -> Pending:
    schema = workspace.registry.find(namespace)
    pending = Pending(schema, workspace.storage, namespace, key, scope, mark, mode)
    if schema.model is not None:  # refused at once: whoever calls can mend a value, so it is not parked for others
        compile_schema(Schema(schema.model, on_invalid="raise")).incoming(namespace, key, values)
    pending.body, pending.parked = schema.incoming(namespace, key, values)
    return pending


def _commit(workspace: Engine, scope: Scope, writes: Sequence[Pending]) -> None:
    """Commits the writes in one transaction: all of them or none."""
    place = writes[0].namespace, writes[0].key
    if scope.task is not None:
        for write in writes:
            write.op = workspace._identity(scope, place)
    try:
        workspace.storage.commit_all([(*place, write.update) for write in writes])
    except BaseException:
        for write in reversed(writes):
            workspace._take_back(write)
        raise
    workspace.subscribers.deliver([event for write in writes for event in write.events])


def _as_seen(
    workspace: Engine, scope: Scope, at: int, schema: Compiled, namespace: tuple[str, ...], key: str
) -> dict[str, Any]:
    """The document's values, as far as the scope has seen them; a task does not see its own earlier execution."""
    with workspace.storage.reading():
        state: State | None = workspace.storage.load(namespace, key)
        if state is None:
            return {}
        earlier = workspace._earlier(scope, (namespace, key))
        if earlier is not None:
            state = workspace._without(earlier, state, schema)
        record = expanded(state, schema, workspace.storage.replica)
        tree = restored(record.tree) if record.covering else record.tree
        known = as_seen(tree, _seen(workspace, scope, at, record))
        value: Any = reading(schema.root, known, Look("update")) if known else ABSENT
    return {} if value is ABSENT else dict(value)


def _company(
    workspace: Engine,
    scope: Scope,
    at: int,
    schema: Compiled,
    namespace: tuple[str, ...],
    key: str,
    fields: Sequence[str],
) -> dict[str, Company]:
    """What others have written to fields, as far as it stands and the scope has not seen it."""
    found: dict[str, Company] = {}
    with workspace.storage.reading():
        state = workspace.storage.load(namespace, key)
        if state is None or not fields:
            return found
        record = expanded(state, schema, workspace.storage.replica)
        tree = restored(record.tree) if record.covering else record.tree
        seen = _seen(workspace, scope, at, record)

        def unseen(stamp: Stamp) -> bool:
            return stamp.agent != scope.agent and not seen(stamp)

        for name in fields:
            field = schema.root.fields[name]
            cell = leaf_at(tree, (field.slot,))
            agents = _agents(cell, unseen)
            if agents:
                found[name] = Company(agents, reading(field, cell, Look("update", unseen)))
    return found


def _agents(cell: Any, included: SeenBy) -> tuple[str, ...]:
    stamps: set[Stamp] = set()
    for _, leaf in leaves(cell) if cell is not None else ():
        if isinstance(leaf, Pieces):
            stamps.update(leaf.stamps())
        else:
            stamps.update(stamp for entry in leaf for stamp in entry.stamps)
    return tuple(dict.fromkeys(stamp.agent for stamp in sorted(stamps) if included(stamp)))


def _seen(workspace: Engine, scope: Scope, at: int, record: Record) -> SeenBy:
    return seen_by(scope, Mark(at, None), record, workspace.storage.replica)
