"""Settings of databases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["PostgresOptions", "SqliteOptions"]


@dataclass(frozen=True, slots=True)
class SqliteOptions:
    """Settings of a SQLite file.

    Args:
        synchronous: ``"full"`` waits at each commit until the disk has it: it survives a power failure.
            ``"normal"`` does not wait: a commit survives a crash of any process, but the last ones may be lost when
            the machine itself fails.
        lock_timeout: for how many seconds a write waits for other writers before ``StorageBusyError``.
        cache: how many bytes of records each process keeps decoded.
        poll: how often, in seconds, a process looks for events of others, if it listens for them.
    """

    synchronous: Literal["full", "normal"] = "full"
    lock_timeout: float = 60.0
    cache: int = 32 * 1024 * 1024
    poll: float = 0.25


@dataclass(frozen=True, slots=True)
class PostgresOptions:
    """Settings of a Postgres database.

    Args:
        pool_size: how many connections each process opens at most.
        connect_timeout: for how many seconds a call tries to get a connection, after one was lost too.
        lock_timeout: for how many seconds a write waits for other writers before ``StorageBusyError``.
        statement_timeout: for how many seconds a statement may run, beside waiting for others.
        cache: how many bytes of records each process keeps decoded.
    """

    pool_size: int = 10
    connect_timeout: float = 15.0
    lock_timeout: float = 60.0
    statement_timeout: float = 60.0
    cache: int = 32 * 1024 * 1024
