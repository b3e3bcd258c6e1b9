"""Every storage keeps the contract that somebody's own has to keep: ours, and the one of the examples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from concordant.storage import KeyValueStore, MemoryStorage, SqliteOptions, Storage, open_storage
from concordant.testing import StorageContract

Opener = Callable[[], Storage]


class TestMemory(StorageContract):
    """This process's memory."""

    durable = shared = keyvalue = False

    @pytest.fixture
    def opener(self) -> Opener:
        return lambda: MemoryStorage("memory")


class TestSqlite(StorageContract):
    """A SQLite file."""

    keyvalue = False

    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        return lambda: open_storage(f"sqlite:///{tmp_path}/store.db", None, 0, SqliteOptions(synchronous="normal"))


class TestPostgres(StorageContract):
    """A Postgres database."""

    keyvalue = False

    @pytest.fixture
    def opener(self, postgres_urls: Callable[[], str]) -> Opener:
        url = postgres_urls()
        return lambda: open_storage(url, None, 0)


class TestFolder(StorageContract):
    """The storage of examples/folder_storage.py."""

    @pytest.fixture
    def opener(self, tmp_path: Path) -> Callable[[], KeyValueStore]:
        from folder_storage import FolderStore

        return lambda: FolderStore(tmp_path / "store", most=20_000)
