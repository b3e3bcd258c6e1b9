"""An agent's handle: writes, edits and reads within one scope."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from concordant.workspace.core import Core
from concordant.workspace.document import Document, Receipt
from concordant.workspace.reading import Reading
from concordant.workspace.scope import Scope
from concordant.workspace.writing import Writing

__all__ = ["Agent"]


class Agent:
    """A named writer and one scope of its work (``Workspace.agent``).

    What it reads it has seen; its writes are concurrent with what was committed after the scope began and not read.
    """

    def __init__(self, core: Core, reading: Reading, writing: Writing, name: str, scope: Scope) -> None:
        self._core = core
        self._reading = reading
        self._writing = writing
        self.name = name
        self.scope = scope

    def write(self, namespace: tuple[str, ...], key: str, value: Any, *, if_version: int | None = None) -> Receipt:
        """Contributes: fields left out are untouched, nothing is removed.

        Args:
            value: a dict of fields, or an instance of the state model (its fields that were set).
            if_version: refuse the write unless the document is at this version (0: does not exist).

        Returns:
            A receipt with the new version and the escalations the write has a part in.

        Raises:
            InvalidWriteError: nothing was applied; the error lists each fault.
            StaleWriteError: the document is at another version than ``if_version``.

        >>> from concordant import Workspace
        >>> ada = Workspace().agent("ada")
        >>> ada.write(("notes",), "n1", {"title": "Dots"}).version
        1
        """
        return self._writing.write(self.scope, namespace, key, value, if_version=if_version)

    @contextmanager
    def edit(self, namespace: tuple[str, ...], key: str) -> Iterator[Any]:
        """Reads a document and writes what the block changed in it; nothing is written on an exception.

        Yields:
            An instance of the state model (with its defaults where nothing was written), or a dict in a namespace
            without a model.

        Raises:
            InvalidWriteError: as for ``write``.

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> with ws.agent("ada").edit(("notes",), "n1") as note:
        ...     note["title"] = "Dots"
        >>> ws.get(("notes",), "n1").value
        {'title': 'Dots'}
        """
        draft = self._writing.open(self.scope, namespace, key)
        yield draft.object
        self._writing.close(self.scope, draft)

    def read(self, namespace: tuple[str, ...], key: str, *, strict: bool = False) -> Document | None:
        """Reads a document; the scope has seen it from now on.

        Args:
            strict: raise ``ContestedError`` if the document has open escalations.

        >>> from concordant import Workspace
        >>> Workspace().agent("ada").read(("notes",), "n1") is None
        True
        """
        return self._reading.read(self.scope, namespace, key, strict=strict)

    def delete(self, namespace: tuple[str, ...], key: str, *, if_version: int | None = None) -> Receipt:
        """Deletes a document as far as the scope has seen it; a missing one is no error."""
        return self._writing.delete(self.scope, namespace, key, if_version=if_version)

    def refresh(self) -> None:
        """Begins the scope anew: all that is committed by now counts as seen."""
        self.scope = self._core.scoping.opened(self.name)

    async def awrite(
        self, namespace: tuple[str, ...], key: str, value: Any, *, if_version: int | None = None
    ) -> Receipt:
        """Runs ``write`` for coroutines."""
        return await self._writing.awrite(self.scope, namespace, key, value, if_version=if_version)

    async def aread(self, namespace: tuple[str, ...], key: str, *, strict: bool = False) -> Document | None:
        """Runs ``read`` for coroutines."""
        return await self._core.acall(self.read, namespace, key, strict=strict)

    async def adelete(self, namespace: tuple[str, ...], key: str, *, if_version: int | None = None) -> Receipt:
        """Runs ``delete`` for coroutines."""
        return await self._writing.adelete(self.scope, namespace, key, if_version=if_version)

    async def arefresh(self) -> None:
        """Runs ``refresh`` for coroutines."""
        await self._core.acall(self.refresh)

    @asynccontextmanager
    async def aedit(self, namespace: tuple[str, ...], key: str) -> AsyncIterator[Any]:
        """Runs ``edit`` for coroutines."""
        draft = await self._core.acall(self._writing.open, self.scope, namespace, key)
        yield draft.object
        await self._core.acall(self._writing.close, self.scope, draft)

    def __repr__(self) -> str:
        return f"Agent({self.name!r})"
