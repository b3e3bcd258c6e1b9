"""Limits: what is refused, or shown in part, so that no document, frame or question can stop those who work on it."""

from __future__ import annotations

from dataclasses import dataclass, fields

from concordant.errors import ConcordantError

__all__ = [
    "MOST_BACKLOG",
    "MOST_CONTENDERS",
    "MOST_DEPTH",
    "MOST_DIGITS",
    "MOST_ENTRIES",
    "MOST_FRAME",
    "MOST_NAME",
    "Limits",
]

MOST_BACKLOG = 100_000
MOST_CONTENDERS = 256
MOST_DEPTH = 128
MOST_DIGITS = 1_000
MOST_ENTRIES = 500_000
MOST_FRAME = 256 * 1024 * 1024
MOST_NAME = 1_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What a workspace allows (``Workspace(limits=...)``); a team of two hundred agents meets none of the defaults.

    Args:
        contenders: how many contenders an escalation shows. All are kept; ``Escalation.more`` tells of the others.
        digits: how many digits a number may have; not more than 1,000, so that sums of them can be read.
        name: how many bytes of UTF-8 the name of an agent, of a subscriber or of whoever decides may have.
        key: how many a document's key may have, and the parts of a namespace together.
        value: how many bytes the JSON of a write may have, and that of its ``settings=``.
        depth: how many levels a value may be nested; not more than 128, which the readers of JSON bear.
        frame: how many bytes a frame may have, unpacked.
        entries: how many entries one document of a frame may have.
        backlog: how many events are kept for a named subscriber who does not fetch them; of more the oldest go.

    Raises:
        ConcordantError: one of them is no number, or too large.

    >>> Limits(key=100).key
    100
    """

    contenders: int = MOST_CONTENDERS
    digits: int = MOST_DIGITS
    name: int = MOST_NAME
    key: int = 10_000
    value: int = 64 * 1024 * 1024
    depth: int = MOST_DEPTH
    frame: int = MOST_FRAME
    entries: int = MOST_ENTRIES
    backlog: int = MOST_BACKLOG

    def __post_init__(self) -> None:
        for one in fields(self):
            given = getattr(self, one.name)
            if type(given) is not int or given < 1:
                raise ConcordantError(f"Limits({one.name}=) is a number of at least 1, not {given!r}")
        for name, most in (("depth", MOST_DEPTH), ("digits", MOST_DIGITS)):
            if getattr(self, name) > most:
                raise ConcordantError(f"Limits({name}=) is at most {most:,}, not {getattr(self, name):,}")
