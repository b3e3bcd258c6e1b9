"""Opens a store for a ``with`` or an ``async with``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Opening"]

S = TypeVar("S")


class Opening(Generic[S]):
    """A store that is opened at the beginning of a ``with`` or an ``async with``, and closed at its end.

    Args:
        make: opens the store.
        end: closes it.
    """

    def __init__(self, make: Callable[[], S], end: Callable[[S], None]) -> None:
        self._make = make
        self._close = end
        self._store: S | None = None

    def __enter__(self) -> S:
        self._store = self._make()
        return self._store

    def __exit__(self, *_: object) -> None:
        if self._store is not None:
            self._close(self._store)

    async def __aenter__(self) -> S:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.__exit__)
