"""A storage is plugged in: by argument, or by the scheme of a url that an installed package opens."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from folder_storage import FolderStore

from concordant import ConcordantError, StorageError, Workspace
from concordant.storage import KeyValueStorage, MemoryStorage, SqliteOptions, opening
from concordant_langgraph import MergeStore

NS = ("t",)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """A function that installs a package whose entry points are these lines."""

    def install(name: str, lines: str) -> None:
        folder = tmp_path / "site" / f"{name}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[{opening.GROUP}]\n{lines}\n")
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        importlib.invalidate_caches()
        monkeypatch.setattr(opening, "_others", importlib.import_module("concordant.storage.opening").found_others)

    return install


def test_a_package_opens_a_scheme(installed: Callable[[str, str], None], tmp_path: Path) -> None:
    """A url whose scheme an installed package names as an entry point is opened by it, with options= and replica=."""
    installed("shelves", "shelf = folder_storage:open_folder")
    with Workspace(f"shelf://{tmp_path}/s", replica="s1", options={"most": 10}) as ws:
        ws.put(NS, "k", {"a": 1})
        assert ws.storage.replica == "s1"
    with Workspace(f"shelf://{tmp_path}/s") as ws:
        assert ws.get(NS, "k").value == {"a": 1}  # type: ignore[union-attr]
    with pytest.raises(ConcordantError, match="is the store 's1', not 's2'"):
        Workspace(f"shelf://{tmp_path}/s", replica="s2")


def test_an_unknown_scheme_is_told_of_with_the_known_ones(installed: Callable[[str, str], None]) -> None:
    """A scheme that nobody opens is refused, and the message names those of installed packages."""
    installed("shelves", "shelf = folder_storage:open_folder")
    with pytest.raises(ConcordantError, match=r"no storage for 'redis://host'.*Installed packages open .*shelf"):
        Workspace("redis://host")


def test_two_packages_with_one_scheme_are_refused(installed: Callable[[str, str], None]) -> None:
    """Where two packages open one scheme, neither does: which one was meant is not for us to say."""
    installed("shelves", "shelf = folder_storage:open_folder")
    installed("racks", "shelf = racks:open_rack")
    with pytest.raises(ConcordantError, match="are opened by folder_storage:open_folder and racks:open_rack"):
        Workspace("shelf://x")


def test_a_package_that_cannot_be_imported_is_told_of(installed: Callable[[str, str], None]) -> None:
    """An entry point that leads nowhere raises our error, which names it."""
    installed("shelves", "shelf = no_such_module:open_shelf")
    with pytest.raises(ConcordantError, match=r"no_such_module:open_shelf.*cannot be imported"):
        Workspace("shelf://x")


def test_a_package_that_gives_no_storage_is_told_of(installed: Callable[[str, str], None]) -> None:
    """What opens a scheme, and returns something else, raises our error, which says what came."""
    installed("shelves", f"list = {__name__}:opens_nothing")
    with pytest.raises(ConcordantError, match=r"list: gave None, which is no storage\. Give a KeyValueStore"):
        Workspace("list://x")


def opens_nothing(url: str, replica: str | None, options: Any) -> None:
    """What an entry point must not be."""


def test_a_store_says_which_it_is(tmp_path: Path) -> None:
    """A key-value store without a place is refused, and told what that is for."""
    store = FolderStore(tmp_path)
    store.place = None  # type: ignore[assignment]
    with pytest.raises(ConcordantError, match=r"has no place\. Say in it which store it is"):
        Workspace(storage=store)


def test_a_storage_is_given_as_it_is(tmp_path: Path) -> None:
    """A key-value store, a storage made of one, and one of ours each serve as storage=."""
    for storage in (FolderStore(tmp_path / "a"), KeyValueStorage(FolderStore(tmp_path / "b")), MemoryStorage("m")):
        with Workspace(storage=storage) as ws:  # type: ignore[arg-type]
            ws.put(NS, "k", {"a": 1})
            assert ws.get(NS, "k").value == {"a": 1}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "sqlite:///x.db"}, "leave out the url"),
        ({"options": SqliteOptions()}, "leave out the url"),
        ({"replica": "other"}, "is the store 'm', not 'other'"),
        ({"storage": "folder"}, "storage='folder' is no storage"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], said: str) -> None:
    """A storage beside a url, beside settings of a url, under another name, or that is none, is refused."""
    with pytest.raises(ConcordantError, match=said):
        Workspace(**{"storage": MemoryStorage("m"), **options})


def test_a_storage_is_of_one_workspace(tmp_path: Path) -> None:
    """A storage that a workspace has is refused to another, which may have other models."""
    storage = KeyValueStorage(FolderStore(tmp_path))
    with Workspace(storage=storage), pytest.raises(ConcordantError, match="is a workspace's already"):
        Workspace(storage=storage)


def test_a_merge_store_is_kept_on_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """LangGraph's store opens the url of a storage of one's own; vectors are in memory then, and that is logged."""
    index: Any = {"dims": 2, "embed": lambda texts: [[float(len(text)), 1.0] for text in texts]}
    with MergeStore.from_conn_string(f"folder://{tmp_path}/s", index=index) as store:
        store.put(NS, "k", {"text": "a word"})
        assert [item.key for item in store.search(NS, query="a word")] == ["k"]
    assert "kept beside SQLite and Postgres alone" in caplog.text
    with MergeStore.from_conn_string(f"folder://{tmp_path}/s") as store:
        assert [item.value for item in store.search(NS, filter={"text": "a word"})] == [{"text": "a word"}]


def test_trouble_of_a_store_is_our_error(tmp_path: Path) -> None:
    """An error of the operating system below a store of one's own reaches the caller as ``StorageError``."""
    with Workspace(storage=FolderStore(tmp_path / "s")) as ws:
        ws.put(NS, "k", {"a": 1})
        (tmp_path / "s" / "journal").unlink()
        (tmp_path / "s" / "journal").mkdir()
        with pytest.raises(StorageError, match=r"folder:///.*Is a directory"):
            ws.get(NS, "k")


def test_a_damaged_journal_is_told_of(tmp_path: Path) -> None:
    """A line of the folder's journal that is not what was written is no crash and no silence."""
    with Workspace(storage=FolderStore(tmp_path / "s")) as ws:
        ws.put(NS, "k", {"a": 1})
    journal = tmp_path / "s" / "journal"
    journal.write_bytes(journal.read_bytes().replace(b"=", b"x", 1))
    with pytest.raises(StorageError, match="is damaged at byte 0"):
        Workspace(storage=FolderStore(tmp_path / "s"))


def test_a_store_that_can_only_be_read_says_so(tmp_path: Path) -> None:
    """A read-only store is read, and whoever writes gets our error."""
    Workspace(storage=FolderStore(tmp_path)).put(NS, "k", {"a": 1})
    store = FolderStore(tmp_path)
    store.read_only = True
    with Workspace(storage=store) as ws:
        assert ws.get(NS, "k").value == {"a": 1}  # type: ignore[union-attr]
        with pytest.raises(StorageError, match="can only be read"):
            ws.put(NS, "k", {"a": 2})


def test_pytest_is_imported_by_the_tests_of_the_contract_alone() -> None:
    """A workspace on any storage needs no pytest."""
    program = "import sys, concordant, concordant.storage; assert 'pytest' not in sys.modules"
    import subprocess

    subprocess.run([sys.executable, "-c", program], check=True)
