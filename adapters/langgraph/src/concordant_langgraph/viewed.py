"""What a store with a view can be asked about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from langgraph.store.base import BaseStore, IndexConfig

from concordant_langgraph.adoption import Adoption
from concordant_langgraph.once import Once
from concordant_langgraph.steps import Steps, arun, run
from concordant_langgraph.view import View

__all__ = ["ViewedStore"]

T = TypeVar("T")


class ViewedStore(BaseStore):
    """A store that may keep a view of its documents in another store."""

    __slots__ = ("_adoption", "_end_view", "_first", "_view")

    def __init__(self) -> None:
        self._adoption: Adoption | None = None
        self._first: Once | None = None
        self._view: View | None = None
        self._end_view: Callable[[], None] | None = None

    @property
    def index_config(self) -> IndexConfig | None:
        """How vectors are made, if they are."""
        return getattr(self._view.store, "index_config", None) if self._view is not None else None

    def adopt(self) -> int:
        """Makes documents of the items that a wrapped store holds and that are none yet; returns how many.

        The first call of any other method does it too. Call this at the start of a service, where it may take as long
        as reading all items takes.

        Raises:
            AdoptionError: lists the items that do not fit the models declared for them.
        """
        return self._do(self._adoption.adopt()) if self._adoption is not None else 0

    async def aadopt(self) -> int:
        """``adopt`` for coroutines."""
        return await self._ado(self._adoption.adopt()) if self._adoption is not None else 0

    def catch_up(self) -> int:
        """Brings the vectors up to everything written so far, by whatever way; returns how many documents still wait.

        Puts and searches do it by themselves. It is for writes made through ``workspace`` that others are to find in a
        wrapped store, and for trying again what failed.
        """
        self._open()
        return self._do(self._view.catch_up(early=True)) if self._view is not None else 0

    async def acatch_up(self) -> int:
        """``catch_up`` for coroutines."""
        await self._aopen()
        return await self._ado(self._view.catch_up(early=True)) if self._view is not None else 0

    def _open(self) -> None:
        if self._first is not None and not self._first.done:
            self._do(self._first.first())

    async def _aopen(self) -> None:
        if self._first is not None and not self._first.done:
            await self._ado(self._first.first())

    def _do(self, steps: Steps[T]) -> T:
        assert self._view is not None
        return run(steps, self._view.store)

    async def _ado(self, steps: Steps[T]) -> T:
        assert self._view is not None
        return await arun(steps, self._view.store, self._view.workspace)
