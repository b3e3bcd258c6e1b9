"""Files: such as can only be read, and such as were copied or restored."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from concordant import StaleReplicaError, Workspace
from concordant.storage.knowledge import BEGUN, MOST, diverge, newer, noted

NS = ("n",)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that anybody may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


READER = textwrap.dedent(
    """
    import os, sqlite3, sys
    import concordant.storage.sqlite
    from concordant import ConcordantError, StorageError, Workspace
    from concordant_langgraph import MergeStore

    def read(ws):
        assert ws.get(("n",), "k").value == {"a": 2}
        assert [d.key for d in ws.list()] == ["k", "lives", "q"]
        assert len(ws.escalations()) == 1 and ws.history(("n",), "k") and ws.stats().documents == 3
        assert ws.agent("ada").read(("n",), "k") is not None
        assert ws.check().ok
        store = MergeStore(workspace=ws)
        assert store.get(("n",), "lives").value == {"a": 1}
        assert len(store.search(())) == 3
        for write in (
            lambda: ws.agent("ada").write(("n",), "k", {"a": 3}),
            lambda: ws.vacuum(),
            lambda: ws.dismiss(ws.escalations()[0], by="x"),
        ):
            try:
                write()
            except StorageError as error:
                assert "can only be read" in str(error) and "allow this process" in str(error), error
            else:
                raise AssertionError("written")
        assert ws.get(("n",), "k").value == {"a": 2}

    if os.getuid() == 0:
        os.setuid(65534)
    for url in sys.argv[1:]:
        with Workspace(url) as ws:
            read(ws)
    """
)


def test_a_file_that_can_only_be_read_can_be_read(open_folder: Path) -> None:
    """Where a process may not write the file, or beside it, or neither, all reads work, and a write says what to
    allow."""
    urls = []
    for what in ("the file and its folder", "the file", "the folder"):
        folder = open_folder / what
        folder.mkdir(mode=0o755)
        path = folder / "s.db"
        with Workspace(f"sqlite:///{path}") as ws:
            ws.agent("ada").write(NS, "k", {"a": 2})
            ws.put(NS, "lives", {"a": 1}, ttl=1_000.0)
            ada, bob = ws.agent("ada"), ws.agent("bob")
            ada.write(("q",), "q", {"s": 1})
            bob.write(("q",), "q", {"s": 2})
        path.chmod(0o444 if "file" in what else 0o666)
        folder.chmod(0o555 if "folder" in what else 0o777)
        urls.append(f"sqlite:///{path}")
    ran = subprocess.run([sys.executable, "-c", READER, *urls], capture_output=True, text=True)
    for folder in open_folder.iterdir():
        folder.chmod(0o755)
    assert ran.returncode == 0, ran.stderr[-2_000:]


def copied(path: Path, to: Path) -> str:
    """A copy of a store's file, as a back-up tool makes it."""
    source, target = sqlite3.connect(path), sqlite3.connect(to)
    source.backup(target)
    source.close()
    target.close()
    return f"sqlite:///{to}"


def diverged(tmp_path: Path, ahead: int) -> tuple[Workspace, Workspace, Workspace]:
    """A store, a copy of it, both written to since, and a third one that knows the first."""
    path = tmp_path / "s.db"
    with Workspace(f"sqlite:///{path}") as ws:
        ws.agent("ada").write(NS, "k", {"a": 1})
    url = copied(path, tmp_path / "copy.db")
    original, copy, third = Workspace(f"sqlite:///{path}"), Workspace(url), Workspace()
    original.agent("ada").write(NS, "mine", {"a": 1})
    for number in range(ahead):
        copy.agent("bob").write(NS, f"other{number}", {"b": number})
    third.import_(original.export())
    return original, copy, third


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_a_copied_file_is_recognised(ahead: int, tmp_path: Path) -> None:
    """A copy that was written to, as its original was, has other content under the same numbers: whoever knows one
    refuses the other, and so do the two themselves; the error says how to mend it."""
    original, copy, third = diverged(tmp_path, ahead)
    before = [d.key for d in third.list()]
    for frame, reader in ((copy.export(), third), (third.export(), copy), (copy.export(), original)):
        with pytest.raises(StaleReplicaError, match="concordant rename"):
            reader.import_(frame)
    assert [d.key for d in third.list()] == before
    for ws in (original, copy, third):
        assert ws.check().ok
        ws.close()


def test_a_copy_with_a_name_of_its_own_is_another_store(tmp_path: Path) -> None:
    """Renamed before it is written to, a copy exchanges with its original and with others."""
    path = tmp_path / "s.db"
    with Workspace(f"sqlite:///{path}") as ws:
        ws.agent("ada").write(NS, "k", {"a": 1})
        ws.export()
    url = copied(path, tmp_path / "copy.db")
    with Workspace(f"sqlite:///{path}") as original, Workspace(url) as copy:
        copy.rename()
        third = Workspace()
        original.agent("ada").write(NS, "mine", {"a": 1})
        copy.agent("bob").write(NS, "other", {"b": 1})
        for one, other in ((original, third), (copy, third), (original, copy), (original, third)):
            one.exchange(other)
        assert len([*original.list()]) == len([*copy.list()]) == len([*third.list()]) == 3


def test_a_restored_file_is_recognised(tmp_path: Path) -> None:
    """A store that was restored, and has gone as far again with other writes, is refused by who knew it before."""
    path = tmp_path / "s.db"
    third = Workspace()
    with Workspace(f"sqlite:///{path}") as ws:
        ws.agent("ada").write(NS, "k", {"a": 1})
        third.import_(ws.export())
    saved = copied(path, tmp_path / "saved.db")
    with Workspace(f"sqlite:///{path}") as ws:
        ws.agent("ada").write(NS, "lost", {"a": 1})
        third.import_(ws.export())
    with Workspace(saved) as restored:
        for number in range(4):
            restored.agent("ada").write(NS, f"new{number}", {"a": 1})
        with pytest.raises(StaleReplicaError, match="same number"):
            third.import_(restored.export())
        with pytest.raises(StaleReplicaError, match="same number"):
            restored.import_(third.export())


def test_a_copy_without_a_write_of_its_own_is_the_same_store(tmp_path: Path) -> None:
    """A copy to which nobody wrote says nothing else than its original: it may stand in for it."""
    path = tmp_path / "s.db"
    third = Workspace()
    with Workspace(f"sqlite:///{path}") as ws:
        ws.agent("ada").write(NS, "k", {"a": 1})
        third.import_(ws.export())
        ws.agent("ada").write(NS, "k2", {"a": 1})
    with Workspace(copied(path, tmp_path / "moved.db")) as moved:
        third.import_(moved.export())
        moved.agent("ada").write(NS, "k3", {"a": 1})
        moved.exchange(third)
    assert [d.key for d in third.list()] == ["k", "k2", "k3"]


HISTORY = st.lists(st.sampled_from(["write", "export"]), max_size=40)


def lived(marks: Any, n: int, history: list[str], salt: float) -> tuple[Any, int, list[tuple[Any, int]]]:
    """The marks, the number and all that was exported of a store after a history."""
    told = []
    for act in history:
        if act == "write":
            n += 1
        else:
            marks = noted(marks, n, n + salt)
            told.append((marks, n))
    return marks, n, told


@given(HISTORY, HISTORY, HISTORY)
def test_marks_tell_copies_apart(common: list[str], one: list[str], other: list[str]) -> None:
    """Frames of one store never contradict each other, in whatever order they come; of an original and a copy, the
    newest do wherever both were written to and one was exported no further than the other has come."""
    marks, n, told = lived(BEGUN, 0, common, 0.0)
    first, _, of_one = lived(marks, n, [*one, "export"], 0.1)
    second, _, of_other = lived(marks, n, [*other, "export"], 0.2)
    for frames in (told + of_one, told + of_other):
        for early, _ in frames:
            for late, _ in frames:
                assert not diverge(early, late)
                assert newer(early, late) in (early, late)
    if "write" in one and "write" in other:
        assert diverge(first, second)
    assert len(first) <= MOST
