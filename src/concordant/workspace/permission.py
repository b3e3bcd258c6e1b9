"""Who may write and who may decide, as a schema says (``Schema(writers=, deciders=)``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from fnmatch import fnmatchcase

from concordant.errors import NotAllowedError
from concordant.merge.causality import Stamp
from concordant.merge.kinds import Contest
from concordant.schema import Compiled

__all__ = ["check_decider", "check_party", "check_writer", "is_bound", "is_decider", "on_behalf", "stands_alone"]

DECISIONS = ("resolve", "dismiss")
_on_behalf: ContextVar[bool] = ContextVar("concordant_on_behalf", default=False)


@contextmanager
def on_behalf() -> Iterator[None]:
    """Tells what is written inside is said again for those who said it, by one who may have that done."""
    token = _on_behalf.set(True)
    try:
        yield
    finally:
        _on_behalf.reset(token)


def check_writer(schema: Compiled, namespace: tuple[str, ...], key: str, agent: str) -> None:
    """Refuses a write by somebody who may not.

    Raises:
        NotAllowedError: the schema names writers, and this is none.
    """
    if schema.writers is not None and not _is_among(agent, schema.writers) and not _on_behalf.get():
        raise NotAllowedError(namespace, key, agent, "write", schema.writers)


def check_decider(schema: Compiled, namespace: tuple[str, ...], key: str, agent: str) -> None:
    """Refuses a decision by somebody who may not.

    Raises:
        NotAllowedError: the schema names deciders, and this is none.
    """
    if not is_decider(schema, agent):
        raise NotAllowedError(namespace, key, agent, "decide", schema.deciders or ())


def check_party(schema: Compiled, namespace: tuple[str, ...], key: str, agent: str, contest: Contest) -> None:
    """Refuses a decision by one whose side is among those to be decided between, where there are deciders. What was
    decided before is nobody's own side.

    Raises:
        NotAllowedError: one of the sides is the decider's own.
    """
    own = (stamp for stamp in _sides(contest) if stamp.agent == agent and stamp.act not in DECISIONS)
    if schema.deciders is not None and any(own):
        raise NotAllowedError(namespace, key, agent, "decide", schema.deciders, is_party=True)


def is_bound(schema: Compiled) -> bool:
    """Tells whether it is asked who settles what by writing."""
    return schema.deciders is not None and not _on_behalf.get()


def is_decider(schema: Compiled, agent: str) -> bool:
    """Tells whether an agent is among those who may decide."""
    return schema.deciders is None or _is_among(agent, schema.deciders)


def stands_alone(contest: Contest, agent: str) -> bool:
    """Tells whether all sides of a contest are one agent's; what stands beside values that wait is none."""
    return all(stamp.agent == agent for stamp in _sides(contest))


def _sides(contest: Contest) -> Iterator[Stamp]:
    for option in contest.options:
        if contest.reason != "type" or option.value != contest.base:
            yield from option.stamps


def _is_among(agent: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(agent, pattern) for pattern in patterns)
