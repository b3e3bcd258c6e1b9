"""Puts of a tool that has read the document before: what of them its model has said, and what the tool has made.

A model writes the arguments of a call before the call begins. So a field whose whole value is one of them is no change
of what the tool's code has read since, and that read, made for the put, was shown to nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from concordant.kinds import Scalar, Text
from concordant.record.leases import KEEP
from concordant.schema import Compiled
from concordant.workspace.amending import as_seen_by, commit_together
from concordant.workspace.commits import Pending
from concordant.workspace.engine import Engine, seconds_to_live, stored_settings
from concordant.workspace.scope import Mark, Scope
from concordant.workspace.shown import grounds_of

__all__ = ["put_said"]


def put_said(
    workspace: Engine,
    namespace: tuple[str, ...],
    key: str,
    value: Mapping[str, Any],
    says: Callable[[Any], bool],
    settings: Mapping[str, Any] | None = None,
    ttl: float | None = KEEP,
) -> None:
    """Puts a value inside a tool call, after a read of the same document in that call.

    What the model gave was decided before the tool read anything: such fields are judged by what the call was decided
    by. The others are an edit of what the tool has read. And that read was made for the put, and shown to nobody.

    Args:
        says: whether a value is one that the model gave.
    """
    scope = workspace.scoping.current()
    read = _read_for_it(workspace, scope, namespace, key)
    told = _told(workspace, namespace, key, value, says) if read is not None else []
    if scope is None or read is None or not told:
        workspace.put(namespace, key, value, settings=settings, ttl=ttl)
        return
    schema = workspace.registry.writable(namespace, key)
    body, _ = schema.incoming(namespace, key, value)
    given = {name: value[name] for name in told}
    rest = {name: one for name, one in value.items() if name not in given}
    base = {name: known for name, known in (read.values() or {}).items() if name not in given}
    mark = read._replace(base=base, leave=read.leave | frozenset(told))
    write = Pending(schema, workspace.storage, namespace, key, scope, mark, "put")
    write.body, write.parked = schema.incoming(namespace, key, rest)
    write.replaces_all = not schema.declared
    write.settings = stored_settings(namespace, key, settings) if settings is not None else {}
    write.ttl = seconds_to_live(namespace, key, ttl)
    commit_together(workspace, [write, *_edits(workspace, scope, schema, namespace, key, given)])
    workspace._mark_put(scope, (namespace, key), schema, body, read)


def _read_for_it(workspace: Engine, scope: Scope | None, namespace: tuple[str, ...], key: str) -> Mark | None:
    """What the call has read of the document and not put yet, which is then no sight of its agent."""
    audience, document = workspace.scoping.audience(), (namespace, key)
    if scope is None or scope.sight is not None or audience is None:
        return None
    read = scope.mark(document)
    if read is None or read.at < 0:
        return None
    audience.showings.withdraw(document, scope.origin, audience.run.call)
    return read if not read.put else None


def _edits(
    workspace: Engine, scope: Scope, schema: Compiled, namespace: tuple[str, ...], key: str, given: Mapping[str, Any]
) -> Iterator[Pending]:
    """What a call makes of fields, as changes of what it was decided by."""
    grounds = grounds_of(workspace.scoping, scope, (namespace, key), given, unread=True)
    _, seen = as_seen_by(workspace, grounds, schema, namespace, key)
    for ground in dict.fromkeys(grounds.values()):
        mine = {name: value for name, value in given.items() if grounds[name] is ground}
        before = {name: seen[name] for name in mine if name in seen}
        write = Pending(schema, workspace.storage, namespace, key, ground.scope, Mark(ground.at, before), "edit")
        write.body, write.parked = schema.incoming(namespace, key, mine)
        write.act = "put"
        yield write


def _told(
    workspace: Engine, namespace: tuple[str, ...], key: str, value: Any, says: Callable[[Any], bool]
) -> list[str]:
    """The fields of a value that are the model's own words: scalars and texts."""
    if not isinstance(value, Mapping):
        return []
    schema = workspace.registry.writable(namespace, key)
    words = (Scalar, Text)
    fields = {name for name, field in schema.root.fields.items() if isinstance(field.kind, words)}
    return [name for name, given in value.items() if says(given) and (not schema.declared or name in fields)]
