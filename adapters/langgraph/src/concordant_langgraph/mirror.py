"""What a store does about the view that it may keep of its documents in another store."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from langgraph.store.base import IndexConfig

from concordant.spi import Address
from concordant_langgraph.adoption import Adoption
from concordant_langgraph.steps import RunOnce, Steps, arun, run
from concordant_langgraph.view import StoreView

__all__ = ["Mirror"]

T = TypeVar("T")


class Mirror:
    """The view of a store's documents in another store, if it has one.

    Attributes:
        view: it; ``None`` for a store without one.
        adoption: of the items that a wrapped store held before.
        first: what is done before the first call.
        end: closes what the view is kept in.
    """

    __slots__ = ("adoption", "end", "first", "view")

    def __init__(self) -> None:
        self.view: StoreView | None = None
        self.adoption: Adoption | None = None
        self.first: RunOnce | None = None
        self.end: Callable[[], None] | None = None

    @property
    def index_config(self) -> IndexConfig | None:
        """How vectors are made, if they are."""
        return getattr(self.view.store, "index_config", None) if self.view is not None else None

    @property
    def ranks(self) -> bool:
        """Whether documents can be ranked by a query."""
        return self.view is not None and self.view.indexing.ranks

    def open(self) -> None:
        """Does what is to be done before the first call, unless it is done."""
        if self.first is not None and not self.first.done:
            self.do(self.first.first())

    async def aopen(self) -> None:
        """Runs ``open`` for coroutines."""
        if self.first is not None and not self.first.done:
            await self.ado(self.first.first())

    def written(self, addresses: Iterable[Address]) -> None:
        """Brings documents up to date that were just written."""
        if self.view is not None:
            self.do(self.view.written(addresses))

    async def awritten(self, addresses: Iterable[Address]) -> None:
        """Runs ``written`` for coroutines."""
        if self.view is not None:
            await self.ado(self.view.written(addresses))

    def catch_up(self, *, early: bool = False) -> int:
        """Brings all documents up to date; returns how many still wait."""
        return self.do(self.view.catch_up(early=early)) if self.view is not None else 0

    async def acatch_up(self, *, early: bool = False) -> int:
        """Runs ``catch_up`` for coroutines."""
        return await self.ado(self.view.catch_up(early=early)) if self.view is not None else 0

    def do(self, steps: Steps[T]) -> T:
        """Carries steps out in this thread."""
        assert self.view is not None
        return run(steps, self.view.store)

    async def ado(self, steps: Steps[T]) -> T:
        """Carries steps out on the running loop."""
        assert self.view is not None
        return await arun(steps, self.view.store, self.view.workspace)
