"""What can go wrong at the border to Loro, and the one guard around every call across it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from concordant import ConcordantError

__all__ = ["IncompleteUpdateError", "LoroError", "LostReplicaError", "RefusedUpdateError", "guarded"]


class LoroError(ConcordantError):
    """Loro cannot do what was asked, or was given bytes that are no Loro document of ours."""


class RefusedUpdateError(LoroError):
    """What an editor sent was refused, and nothing of it was applied; ``problem`` says why."""

    def __init__(self, problem: str, mend: str) -> None:
        self.problem, self.mend = problem, mend
        super().__init__(f"The update was refused, nothing of it was applied: {problem}. {mend}.")


class IncompleteUpdateError(RefusedUpdateError):
    """What an editor sent depends on what it has not sent."""


class LostReplicaError(LoroError):
    """What the editors of a live document share is gone: Loro ended its process, or was found damaged. A new one shows
    what was committed; editors join it with all that they have (``LiveDocument.rejoin``)."""


@contextmanager
def guarded(doing: str) -> Iterator[None]:
    """Turns whatever Loro raises into ``LoroError``.

    Its errors, and those of a panic, are bare ``BaseException``; after one the document may be damaged inside, and must
    be dropped.

    Args:
        doing: what is being done, for the message.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError, ConcordantError):
        raise
    except BaseException as error:
        raise LoroError(f"{doing} failed: {type(error).__name__}: {str(error)[:300]}") from error
