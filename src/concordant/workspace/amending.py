"""Changes that say by themselves what they add and what they take away: an agent's tool call, as against a value.

A value put back after a read tells its additions and removals only by comparison with what was read. A tool call names
both, so nobody has to have read anything: what it adds is contributed, what it removes or replaces is taken from what
its writer has seen, in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from concordant.causal import SeenBy, Stamp
from concordant.kinds import Look, Map, Set
from concordant.kinds.base import reading
from concordant.record import Record
from concordant.schema import Compiled, Schema, compile_schema
from concordant.sequence.pieces import Sequence as Pieces
from concordant.storage import State
from concordant.tree import as_seen, leaf_at, leaves
from concordant.values import ABSENT, canonical, encode
from concordant.workspace.commits import Pending
from concordant.workspace.document import Document
from concordant.workspace.scope import Mark
from concordant.workspace.shown import Grounds, grounds_of, is_mine
from concordant.workspace.sight import seen_by
from concordant.workspace.states import expanded, tree_of, value_of

if TYPE_CHECKING:
    from concordant.workspace.engine import Engine

__all__ = ["Amended", "Changes", "Company", "amend", "as_seen_by", "commit_together", "withdraw"]


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
    """What became of it: which fields were changed (none: nothing was asked), for each of them what others had written
    there unseen, the document after it, and up to which commit that is known."""

    fields: tuple[str, ...]
    company: Mapping[str, Company]
    document: Document | None
    at: int


def amend(
    workspace: Engine,
    namespace: tuple[str, ...],
    key: str,
    plan: Callable[[Mapping[str, Any]], Changes],
    *,
    rewrites: bool = False,
) -> Amended:
    """Changes a document in the scope in force.

    Args:
        plan: given the document's values as far as the scope has seen them, returns what to do; what it raises ends
            the call before anything is written.
        rewrites: whether what it returns says what all of the document is to be (``grounds_of``).

    Raises:
        InvalidWriteError: a value does not fit the model, whatever the namespace's ``on_invalid`` is; nothing was
            written.
    """
    document = (namespace, key)
    scope = workspace.scoping.current() or workspace.scoping.alone(document)
    schema = workspace.registry.writable(namespace, key)
    if scope.sight is not None:
        workspace._recall(scope, namespace, key)
    grounds = grounds_of(workspace.scoping, scope, document, schema.root.fields, rewrites=rewrites)
    n, seen = as_seen_by(workspace, grounds, schema, namespace, key)
    changes = plan(seen)
    writes: list[Pending] = []
    if changes.before != changes.after:
        fixed = {ground: ground.up_to(n) for ground in grounds.values()}
        edited = {name: fixed[ground] for name, ground in grounds.items()}
        writes.append(_pending(workspace, edited, changes.before, namespace, key, "edit", changes.after))
    if changes.contribution:
        writes.append(_pending(workspace, grounds, None, namespace, key, "write", changes.contribution))
    if writes:
        commit_together(workspace, writes)
        scope.written[document] = True
    fields = tuple(dict.fromkeys([*changes.after, *changes.contribution]))
    with workspace.storage.reading():
        at, state = workspace.storage.peek(namespace, key)
        company = _company(workspace, {name: grounds[name] for name in fields}, schema, state)
        return Amended(fields, company, workspace._document(namespace, key, state, schema), at)


def withdraw(workspace: Engine, places: Sequence[tuple[tuple[str, ...], str]]) -> None:
    """Deletes documents in the scope in force, as far as its agent was shown them: all of them or none."""
    writes: list[Pending] = []
    for document in places:
        scope = workspace.scoping.current() or workspace.scoping.alone(document)
        schema = workspace.registry.writable(*document)
        if scope.sight is not None:
            workspace._recall(scope, *document)
        [ground] = grounds_of(workspace.scoping, scope, document, [""], rewrites=True).values()
        mark = Mark(ground.at, None) if ground.at >= 0 else None
        writes.append(Pending(schema, workspace.storage, *document, ground.scope, mark, "delete"))
        writes[-1].existed = True
    commit_together(workspace, writes)
    for write in writes:
        write.scope.written[write.namespace, write.key] = False


def _pending(
    workspace: Engine,
    grounds: Mapping[str, Grounds],
    before: Mapping[str, Any] | None,
    namespace: tuple[str, ...],
    key: str,
    mode: str,
    values: Mapping[str, Any],
) -> Pending:
    """One write of several fields, each judged by its own grounds."""
    schema = workspace.registry.find(namespace)
    concerned = {name: grounds[name] for name in dict.fromkeys([*(before or ()), *values]) if name in grounds}
    main = min(concerned.values(), key=lambda ground: ground.at)
    mark = Mark(main.at, dict(before) if before is not None else None)
    pending = Pending(
        schema,
        workspace.storage,
        namespace,
        key,
        main.scope,
        mark if before is not None or main.at >= 0 else None,
        mode,
    )
    pending.apart = {
        name: (ground.scope, Mark(ground.at, None)) for name, ground in concerned.items() if ground is not main
    }
    if schema.model is not None:  # refused at once: whoever calls can mend a value, so it is not parked for others
        compile_schema(Schema(schema.model, on_invalid="raise")).incoming(namespace, key, values)
    pending.body, pending.parked = workspace.registry.incoming(schema, namespace, key, values)
    return pending


def commit_together(workspace: Engine, writes: Sequence[Pending]) -> None:
    """Commits the writes in one transaction: all of them or none."""
    for write in writes:
        if write.scope.task is not None:
            write.op = workspace._identity(write.scope, (write.namespace, write.key))
    try:
        workspace.storage.commit_all([(write.namespace, write.key, write.update) for write in writes])
    except BaseException:
        for write in reversed(writes):
            workspace._take_back(write)
        raise
    workspace.subscribers.deliver([event for write in writes for event in write.events])


def as_seen_by(
    workspace: Engine, grounds: Mapping[str, Grounds], schema: Compiled, namespace: tuple[str, ...], key: str
) -> tuple[int, dict[str, Any]]:
    """The number of the last commit, and the document's values, each as far as the scope has seen it; a task does not
    see its own earlier execution."""
    values: dict[str, Any] = {}
    with workspace.storage.reading():
        n, state = workspace.storage.peek(namespace, key)
        if state is None or not grounds:
            return n, values
        earlier = workspace._earlier(next(iter(grounds.values())).scope, (namespace, key))
        if earlier is not None:
            state = workspace._without(earlier, state, schema)
        record = expanded(state, schema, workspace.storage.replica)
        tree = tree_of(record, schema)
        for ground in dict.fromkeys(grounds.values()):
            known = as_seen(tree, _seen(workspace, ground, record))
            value = value_of(known, record, schema)
            found = _with_replaced(schema, ground.values(), {} if value is ABSENT else value)
            values.update((name, one) for name, one in found.items() if grounds.get(name) is ground)
    return n, values


def _with_replaced(schema: Compiled, shown: Mapping[str, Any], seen: Mapping[str, Any]) -> dict[str, Any]:
    """What stands of what was seen, with keys and elements that were shown and are replaced since: they may be taken
    away, which is a conflict with what replaced them."""
    found = dict(seen)
    for name, value in shown.items():
        kind = schema.root.fields[name].kind if name in schema.root.fields else None
        if isinstance(kind, Map) and isinstance(value, dict):
            found[name] = {**value, **found.get(name, {})}
        elif isinstance(kind, Set) and isinstance(value, list):
            there = {_key(one, kind.by) for one in found.get(name, ())}
            found[name] = [*found.get(name, ()), *(one for one in value if _key(one, kind.by) not in there)]
    return found


def _key(element: Any, by: str | None) -> bytes:
    return canonical(encode(element if by is None else element[by]))


def _company(
    workspace: Engine, grounds: Mapping[str, Grounds], schema: Compiled, state: State | None
) -> dict[str, Company]:
    """What others have written to fields, as far as it stands and the scope has not seen it."""
    found: dict[str, Company] = {}
    if state is None:
        return found
    record = expanded(state, schema, workspace.storage.replica)
    tree = tree_of(record, schema)
    for name, ground in grounds.items():
        field = schema.root.fields[name]
        cell = leaf_at(tree, (field.slot,))
        unseen = _unseen(workspace, ground, record)
        agents = _agents(cell, unseen)
        if agents:
            found[name] = Company(agents, reading(field, cell, Look("update", unseen)))
    return found


def _unseen(workspace: Engine, ground: Grounds, record: Record) -> SeenBy:
    seen, scope = _seen(workspace, ground, record), ground.scope
    return lambda stamp: not seen(stamp) and not is_mine(workspace.scoping, scope, stamp.agent, stamp.origin)


def _agents(cell: Any, included: SeenBy) -> tuple[str, ...]:
    stamps: set[Stamp] = set()
    for _, leaf in leaves(cell) if cell is not None else ():
        if isinstance(leaf, Pieces):
            stamps.update(leaf.stamps())
        else:
            stamps.update(stamp for entry in leaf for stamp in entry.stamps)
    return tuple(dict.fromkeys(stamp.agent for stamp in sorted(stamps) if included(stamp)))


def _seen(workspace: Engine, ground: Grounds, record: Record) -> SeenBy:
    return seen_by(ground.scope, Mark(ground.at, None), record, workspace.storage.replica)
