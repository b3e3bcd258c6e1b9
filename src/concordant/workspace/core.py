"""What the parts of a workspace have in common: one storage, the schemas, the scopes, and who is told of events."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from concordant.merge.record import Record
from concordant.schema import Compiled
from concordant.storage import State, Storage
from concordant.storage.base import ALIEN, Saved, row_of
from concordant.values import ABSENT
from concordant.workspace.coroutines import off_loop, run_waiting
from concordant.workspace.registry import Registry
from concordant.workspace.scoping import Scoping
from concordant.workspace.states import current_view, written_under
from concordant.workspace.subscribers import Subscribers

__all__ = ["Core", "Namespace"]

P = ParamSpec("P")
T = TypeVar("T")

Namespace = tuple[str, ...]


class Core:
    """What every part of a workspace works on.

    Args:
        storage: where documents, journal and escalations are kept.
        registry: which schema a namespace has.
        subscribers: who is told of the transitions of escalations.
        scoping: which scope a call belongs to.
    """

    __slots__ = ("_projection", "registry", "scoping", "storage", "subscribers")

    def __init__(self, storage: Storage, registry: Registry, subscribers: Subscribers, scoping: Scoping) -> None:
        self.storage = storage
        self.registry = registry
        self.subscribers = subscribers
        self.scoping = scoping
        self._projection = _Projection(registry, storage)
        storage.attach(self._projection)

    def fingerprint(self, namespace: Namespace) -> str:
        """Returns what changes with what a namespace's documents show for reasons of its schema."""
        return self._projection.fingerprint(namespace)

    async def acall(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs a call for a coroutine: beside the event loop where it may wait for a database; then waits for the async
        resolvers that it started."""
        run = run_waiting if self.storage.live else off_loop
        return await run(function, *args, **kwargs)


class _Projection:
    """How records are shown, by the schemas of this workspace."""

    def __init__(self, registry: Registry, storage: Storage) -> None:
        self._registry = registry
        self._storage = storage
        self._own = uuid.uuid4().hex

    def saved(self, namespace: Namespace, state: State) -> Saved:
        schema = self._registry.find(namespace)
        fingerprint = self._print(schema)
        if not isinstance(state, Record):
            return Saved(None, fingerprint)
        if state.swept:
            shown, value = None, ABSENT
        else:
            view = current_view(state, schema, self._storage.replica)
            value, shown = view.value, view.body
        return Saved(shown, fingerprint + ALIEN if state.alien else fingerprint, value)

    def fingerprint(self, namespace: Namespace) -> str:
        return self._print(self._registry.find(namespace))

    def shape(self, namespace: Namespace) -> str:
        return self._registry.find(namespace).shape

    def written_under(self, shape: str | None, row: tuple[Any, ...]) -> State:
        return written_under(row, shape, self._registry.find(row_of(row).namespace), self._storage.replica)

    def below(self, prefix: Namespace) -> frozenset[str]:
        return frozenset(map(self._print, self._registry.below(prefix)))

    def _print(self, schema: Compiled) -> str:
        """What is not told in full holds for this workspace alone."""
        found = schema.fingerprint
        return found + self._own if found.endswith("?") else found
