"""From a url to a storage."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, Literal, TypeAlias

from concordant.errors import ConcordantError, told
from concordant.merge.causality import may_name_replica
from concordant.storage.base import Storage
from concordant.storage.keyvalue import KeyValueStorage, KeyValueStore
from concordant.storage.memory import MemoryStorage
from concordant.storage.urls import without_password

__all__ = ["GROUP", "Opener", "PostgresOptions", "SqliteOptions", "empty_place", "open_storage", "plugged"]

GROUP = "concordant.storages"
"""The group of entry points in which a package names what opens the urls of a scheme: ``scheme = "module:name"``."""

Opener: TypeAlias = "Callable[[str, str | None, Any], Storage | KeyValueStore]"
"""Opens the store that a url names: (url, the store's name in dots or ``None``, ``options=`` of the workspace)."""

_OURS = {
    "sqlite": "concordant.storage.sqlite:open_sqlite",
    "postgres": "concordant.storage.servers:open_postgres",
    "postgresql": "concordant.storage.servers:open_postgres",
}


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
        idle_timeout: for how many seconds a writer may be silent inside a transaction, in which others wait for it,
            before the server ends its connection. Nothing of what it was about to write is stored then.
        clocks: under how many clocks a new store keeps its documents: writes to documents under different ones do not
            wait for each other. A store that was made keeps those it has.
        cache: how many bytes of records each process keeps decoded.
    """

    pool_size: int = 10
    connect_timeout: float = 15.0
    lock_timeout: float = 60.0
    statement_timeout: float = 60.0
    idle_timeout: float = 10.0
    clocks: int = 16
    cache: int = 32 * 1024 * 1024


def open_storage(url: str | None, replica: str | None, journal: int, options: Any = None) -> Storage:
    """Opens the storage that a url names; ``None`` is this process's memory.

    Args:
        url: its scheme tells which storage: one of ours, or one that an installed package names (``GROUP``).
        replica: the store's name in dots; made up for a new one if not given.
        journal: how many changes the journal keeps in memory.
        options: settings of the storage.

    Raises:
        ConcordantError: there is no such storage, or the settings are of another one.
        StorageError: the storage cannot be opened.
    """
    if replica is not None and not (isinstance(replica, str) and may_name_replica(replica)):
        raise ConcordantError(f"replica={told(replica)} is no name: give a string without NUL")
    if url is None:
        if options is not None:
            raise ConcordantError(f"options={told(options)} are settings of a database, and no url names one")
        return MemoryStorage(replica or uuid.uuid4().hex[:12], journal)
    if not isinstance(url, str):
        raise ConcordantError(f"a url is a string, not {told(url)}. {_EXAMPLE}")
    scheme = url.partition(":")[0]
    if scheme in _OURS:
        module, _, name = _OURS[scheme].partition(":")
        opener: Opener = getattr(_imported(module), name)
    elif scheme in (others := _others()):
        opener = _loaded(others[scheme])
    else:
        known = f" Installed packages open {', '.join(sorted(others))} too." if others else ""
        raise ConcordantError(f"no storage for {told(without_password(url))}. {_EXAMPLE}.{known}")
    found = opener(url, replica, options)
    return _whole(found, replica, f"what opens urls that begin with {scheme}: gave {told(found)}, which")


def empty_place(url: str) -> str | None:
    """Tells which Postgres database of a url, if it names any, holds no store yet: opening it would make one there."""
    if not url.startswith(("postgresql://", "postgres://")):
        return None
    found: str | None = _imported("concordant.storage.servers").empty_place(url)
    return found


def plugged(storage: Any, url: str | None, replica: str | None, options: Any) -> Storage:
    """Gives the storage that a workspace was given.

    Args:
        storage: a ``Storage``, or a ``KeyValueStore`` of which one is made.
        url: of the workspace, which has to name none beside it; so ``options``, the settings of what a url names.
        replica: the store's name in dots; that of a ``Storage`` is its own.

    Raises:
        ConcordantError: it is no storage, or one was named in two ways.
    """
    if url is not None or options is not None:
        raise ConcordantError("storage= is where the workspace is kept: leave out the url, and options=")
    found = _whole(storage, replica, f"storage={told(storage)}")
    if replica is not None and found.replica != replica:
        raise ConcordantError(f"storage= is the store {found.replica!r}, not {replica!r}: leave out replica=")
    return found


def _whole(found: Any, replica: str | None, which: str) -> Storage:
    if isinstance(found, KeyValueStore):
        if not isinstance(getattr(found, "place", None), str):
            mend = "Say in it which store it is, as text: for messages, and to tell one store from another"
            raise ConcordantError(f"{which} has no place. {mend}")
        return KeyValueStorage(found, replica=replica)
    if not hasattr(found, "commit_all"):
        mend = "Give a KeyValueStore (docs/storages.md), or what concordant.storage.open_storage(...) gives"
        raise ConcordantError(f"{which} is no storage. {mend}")
    return found  # type: ignore[no-any-return]


def _imported(module: str) -> ModuleType:
    try:
        return import_module(module)
    except ImportError as error:
        raise ConcordantError("Postgres needs a driver: pip install 'concordant[postgres]'") from error


def _loaded(entry: EntryPoint) -> Opener:
    try:
        opener: Opener = entry.load()
    except (ImportError, AttributeError) as error:
        raise ConcordantError(
            f"urls that begin with {entry.name}: are opened by {entry.value}, which cannot be imported ({error})"
        ) from error
    return opener


def found_others() -> dict[str, EntryPoint]:
    """Finds what installed packages open, by scheme.

    Raises:
        ConcordantError: two of them open the same scheme.
    """
    found: dict[str, EntryPoint] = {}
    for one in entry_points(group=GROUP):
        if one.name in found and found[one.name].value != one.value:
            both = " and ".join(sorted({one.value, found[one.name].value}))
            raise ConcordantError(f"urls that begin with {one.name}: are opened by {both}. Uninstall one of them")
        found[one.name] = one
    return found


_others = cache(found_others)


_EXAMPLE = 'Use "sqlite:///team.db" or "postgresql://host/database", or leave out the url'
