"""``merge``: one value, several changes of it made at once, without a workspace to keep them in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from concordant.schema import Compiled, Schema, compile_schema
from concordant.schema.incoming import unwrapped
from concordant.storage.cut import highest
from concordant.values import ABSENT, decode, encode
from concordant.workspace.document import Document
from concordant.workspace.scope import ReadSnapshot, Scope
from concordant.workspace.transaction import Pending
from concordant.workspace.workspace import Workspace

__all__ = ["Update", "merge"]


class Update(NamedTuple):
    """What one writer makes of a value that several were given.

    Args:
        values: a dict of fields, or an instance of the state model (its fields that were set).
        agent: the writer's name, for ``priority(...)`` and the contenders.
        edits: the values are what the writer made of those it was given, and the difference counts, removals
            included. Otherwise they are a contribution: a text, list or amount is added, and a scalar that is returned
            as it was given says nothing.
    """

    values: Any
    agent: str = "anonymous"
    edits: bool = False


def merge(schema: Any, base: Mapping[str, Any], updates: Iterable[Update]) -> Document:
    """Merges updates that were made at once, each by somebody who had been given ``base``.

    It is what a workspace makes of the same writes: by kinds, policies and resolvers, except that resolvers that are
    coroutines are not asked.

    Args:
        schema: a state model, or ``Schema(Model, ...)``.
        updates: in the order that stands for the order of their times.

    Returns:
        A document with the merged ``value`` (and ``model``); ``contested`` tells what could not be merged.

    Raises:
        SchemaError: the model cannot be used.
        InvalidWriteError: the base or an update cannot be stored under the model.

    >>> from typing import Annotated
    >>> from pydantic import create_model
    >>> from concordant import Set
    >>> Brief = create_model("Brief", tags=Annotated[list[str], Set()])
    >>> ada = Update({"tags": ["crdt"]}, "ada")
    >>> bob = Update({"tags": []}, "bob", edits=True)
    >>> merge(Brief, {"tags": ["draft"]}, [ada, bob]).value
    {'tags': ['crdt']}
    """
    if isinstance(schema, Schema):
        schema = replace(schema, writers=None, deciders=None)  # whoever calls has all the updates in hand
    compiled = compile_schema(schema)
    assert compiled.model is not None
    namespace, key = (compiled.model.__name__,), "state"
    workspace = Workspace(schemas={namespace: schema}, replica="merge")

    def commit(body: bytes, parked: Any, scope: Scope, mode: str, snapshot: ReadSnapshot | None = None) -> None:
        pending = Pending(compiled, workspace.storage, namespace, key, scope, snapshot, mode)
        pending.body, pending.parked = body, parked
        workspace.storage.commit(namespace, key, pending.update)

    body, parked = compiled.incoming(namespace, key, _whole(base, compiled))
    commit(body, parked, workspace.agent("base").scope, "write")
    began = workspace.moment()
    given = decode(body)
    snapshot = ReadSnapshot(highest(began.n), body)
    for values, agent, edits in updates:
        scope = workspace.agent(agent, began=began).scope
        if edits:
            commit(*compiled.incoming(namespace, key, _whole(values, compiled)), scope, "edit", snapshot)
            continue
        body, parked = compiled.incoming(namespace, key, values)
        news = compiled.root.kind.beyond(compiled.root, given, decode(body))
        if news is not ABSENT or parked:
            commit(encode({} if news is ABSENT else news), parked, scope, "add")
    workspace.deciding.resolvers.ask_at_once(workspace.escalations())
    document = workspace.get(namespace, key)
    assert document is not None
    return document


def _whole(values: Any, compiled: Compiled) -> Any:
    """Values of which, in instances of state models, all fields count, not only those that were set."""
    return unwrapped(values, compiled.root, everything=True)
