"""What was read without framework and name, for a later put in the same context."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TypeAlias

from concordant.workspace.scope import Document, Mark, Scope

__all__ = ["ReadMarks"]


class ReadMarks:
    """Reads made without framework and name, by document, in the present context.

    They live in a ContextVar as immutable dicts (so a task's reads stay its own), expire, because server threads are
    reused for strangers, and are bounded in number.
    """

    FEW = 32
    MANY = 1024

    def __init__(self, lifetime: float) -> None:
        self.lifetime = lifetime
        # Newest, newer and older reads: the small dict is copied at every read, the others seldom.
        self._var: ContextVar[tuple[_Reads, _Reads, _Reads]] = ContextVar("concordant_reads", default=({}, {}, {}))

    def get(self, document: Document) -> Mark | Scope | None:
        """The last read of a document in this context, if it is still valid, or the scope that has continued it."""
        for reads in self._var.get():
            found = reads.get(document)
            if found is not None:
                return found[1] if time.monotonic() - found[0] <= self.lifetime else None
        return None

    def put(self, document: Document, read: Mark | Scope) -> None:
        """Remembers a read."""
        newest, newer, older = self._var.get()
        entry = (time.monotonic(), read)
        if len(newest) >= self.FEW:
            if len(newer) >= self.MANY:
                newer, older = newest, newer
            else:
                newer = {**newer, **newest}
            newest = {}
        self._var.set(({**newest, document: entry}, newer, older))


_Reads: TypeAlias = dict[Document, tuple[float, "Mark | Scope"]]
