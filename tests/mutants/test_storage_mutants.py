"""Storages that break the contract, each caught by the contract's test of what it breaks."""

from __future__ import annotations

import inspect
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from folder_storage import Contents, FolderStore, Transaction

from concordant import StorageError, Workspace
from concordant.storage import MemoryStorage
from concordant.testing import StorageContract
from concordant.testing.storages import NS, Team

from .breaking import swap


def keeps(name: str, opener: Callable[[], Any]) -> None:
    """Runs a test of the contract on what an opener gives."""
    with ExitStack() as stack:

        def opened(model: Any = Team) -> Workspace:
            return stack.enter_context(Workspace(storage=opener(), schemas={NS: model}))

        given: dict[str, Callable[[], Any]] = {
            "opener": lambda: opener,
            "opened": lambda: opened,
            "ws": opened,
            "store": opener,
            "seed": lambda: 0,
        }
        test = getattr(StorageContract, name)
        needed = [part for part in inspect.signature(test).parameters if part != "self"]
        test(StorageContract(), **{part: given[part]() for part in needed})


class Forgetful(FolderStore):
    """Writes down every third transaction alone; a crash takes the others."""

    count = 0

    def _append(self, changes: dict[bytes, bytes | None]) -> None:
        self.count += 1
        if self.count % 3 == 0:
            super()._append(changes)


class Blind(FolderStore):
    """A transaction does not see what others have committed since this process last read."""

    def write(self, work: Any) -> Any:
        catch_up, self._catch_up = self._catch_up, lambda: None  # type: ignore[method-assign]
        try:
            return super().write(work)
        finally:
            self._catch_up = catch_up  # type: ignore[method-assign]


class Careless(FolderStore):
    """A transaction that raises is not taken back."""

    def write(self, work: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            swap(patch, Transaction.roll_back, lambda self: None)
            return super().write(work)


class Inclusive(FolderStore):
    """A scan gives its end too."""

    def read(self, work: Any) -> Any:
        def scan(self: Contents, begin: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
            for key in self.keys[bisect_left(self.keys, begin) : bisect_right(self.keys, end)]:
                yield key, self.values[key]

        with pytest.MonkeyPatch.context() as patch:
            swap(patch, Contents.scan, scan)
            return super().read(work)


class Hollow(FolderStore):
    """An empty value counts as none."""

    def read(self, work: Any) -> Any:
        def get(self: Contents, key: bytes) -> bytes | None:
            return self.values.get(key) or None

        with pytest.MonkeyPatch.context() as patch:
            swap(patch, Contents.get, get)
            return super().read(work)


class Torn(FolderStore):
    """The keys of a transaction are written down one by one, and readers look in between."""

    def read(self, work: Any) -> Any:
        def get_late(key: bytes) -> bytes | None:
            found: bytes | None = FolderStore.read(self, lambda view: view.get(key))
            time.sleep(0.005)  # others get at the store
            return found

        class Reader:
            get = staticmethod(get_late)
            scan = staticmethod(lambda low, high: FolderStore.read(self, lambda view: [*view.scan(low, high)]))

        return work(Reader())


BROKEN = [
    (Forgetful, "test_the_store_keeps_what_was_put"),
    (Forgetful, "test_all_is_there_again"),
    (Blind, "test_two_handles_see_each_other"),
    (Careless, "test_a_transaction_sees_itself_and_nobody_else_does"),
    (Careless, "test_what_is_refused_leaves_nothing"),
    (Inclusive, "test_keys_stand_in_the_order_of_their_bytes"),
    (Hollow, "test_values_are_any_bytes"),
    (Torn, "test_a_view_is_of_one_commit"),
]


@pytest.mark.parametrize(("broken", "test"), BROKEN)
def test_a_broken_store_fails_the_contract(broken: type[FolderStore], test: str, tmp_path: Path) -> None:
    """A store that breaks one clause of the contract fails the test of that clause."""
    keeps(test, lambda: FolderStore(tmp_path / "whole"))
    with pytest.raises((AssertionError, ValueError, StorageError)):
        keeps(test, lambda: broken(tmp_path / "broken"))


def test_a_storage_without_transactions_fails_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole storage that commits one update after the other, with no way back, is caught."""

    def commit_all(self: MemoryStorage, updates: Any, *, hasty: bool = False) -> None:
        for update in updates:
            self.commit(*update)

    keeps("test_what_is_refused_leaves_nothing", lambda: MemoryStorage("m"))
    swap(monkeypatch, MemoryStorage.commit_all, commit_all)
    with pytest.raises(AssertionError):
        keeps("test_what_is_refused_leaves_nothing", lambda: MemoryStorage("m"))
