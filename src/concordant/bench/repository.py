"""What people edited at the same time, from the merge commits of a git repository, with the merge that they made."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from concordant.errors import ConcordantError

__all__ = ["LARGEST", "ConcurrentEdit", "RepositoryError", "concurrent_edits"]

LARGEST = 200_000
"""The largest file that is played, in bytes."""


class RepositoryError(ConcordantError):
    """A repository cannot be read.

    Args:
        repository: where it is.
        reason: what git says of it.
    """

    def __init__(self, repository: Path, reason: str) -> None:
        self.repository = repository
        self.reason = reason
        super().__init__(f"{repository} cannot be read as a git repository: {reason}. Give the folder of a clone")


class ConcurrentEdit(NamedTuple):
    """A file that both sides of a merge commit changed.

    Attributes:
        commit: the merge commit.
        path: the file's path.
        base: what both sides had before.
        one, other: what each side made of it; ``other`` is what was merged in.
        truth: what the people who merged made of both.
    """

    commit: str
    path: str
    base: str
    one: str
    other: str
    truth: str


def concurrent_edits(repository: Path, suffixes: Sequence[str], most: int) -> Iterator[ConcurrentEdit]:
    """Iterates the files that both sides of a merge changed differently, newest merges first.

    Args:
        repository: the folder of a clone, bare or not. Nothing in it is run or changed.
        suffixes: how the names of the files end, in lower case.
        most: how many merge commits are looked at.

    Raises:
        RepositoryError: it is none, or git is not installed.
    """
    git = _Git(repository)
    merges = git.lines("rev-list", "--min-parents=2", "--max-parents=2", f"--max-count={most}", "--parents", "HEAD")
    with ExitStack() as opened:
        blobs = opened.enter_context(_Blobs(git))
        for line in merges:
            commit, one, other = line.split(" ")
            yield from _of_merge(git, blobs, suffixes, commit, one, other)


def _of_merge(
    git: _Git, blobs: _Blobs, suffixes: Sequence[str], commit: str, one: str, other: str
) -> Iterator[ConcurrentEdit]:
    found = git.lines("merge-base", "--all", one, other, fails=True)
    if len(found) != 1:  # none, or a history that crosses: there is no one text that both had before
        return
    base = found[0]
    ours = git.changed(base, one)
    theirs = git.changed(base, other)
    both = [
        path
        for path in ours.keys() & theirs.keys()
        if ours[path][1] != theirs[path][1] and path.lower().endswith(tuple(suffixes))
    ]
    if not both:
        return
    merged = git.changed(base, commit)
    for path in sorted(both):
        if path not in merged:
            continue  # the people went back to what was before, or removed it
        before, first = ours[path]
        texts = [blobs.text(name) for name in (before, first, theirs[path][1], merged[path][1])]
        if None not in texts:
            yield ConcurrentEdit(commit, path, *(text or "" for text in texts))


class _Git:
    """Asks git about a repository."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository

    def command(self, *arguments: str) -> list[str]:
        return ["git", "--no-optional-locks", "-C", str(self._repository), *arguments]

    def lines(self, *arguments: str, fails: bool = False) -> list[str]:
        """The lines that a command gives; ``fails``: none, if it does."""
        return self.output(*arguments, fails=fails).splitlines()

    def output(self, *arguments: str, fails: bool = False) -> str:
        """What a command gives."""
        try:
            done = subprocess.run(self.command(*arguments), capture_output=True, check=False)
        except OSError as error:
            raise RepositoryError(self._repository, f"git cannot be run ({error})") from error
        if done.returncode and not fails:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise RepositoryError(self._repository, said[0] if said else f"git ends with {done.returncode}")
        return "" if done.returncode else done.stdout.decode(errors="replace")

    def changed(self, before: str, after: str) -> dict[str, tuple[str, str]]:
        """The files that one commit changed from another, by path: the names of both contents."""
        found: dict[str, tuple[str, str]] = {}
        said = self.output("diff-tree", "-r", "-z", "--no-renames", "--diff-filter=M", before, after).split("\0")
        for facts, path in zip(said[::2], said[1::2], strict=False):
            mode_before, mode_after, old, new, _ = facts.split(" ")
            if mode_before[1:4] == mode_after[:3] == "100" and old != new:  # plain files
                found[path] = (old, new)
        return found


class _Blobs:
    """Reads contents, by a process that stays."""

    def __init__(self, git: _Git) -> None:
        self._git = git

    def __enter__(self) -> _Blobs:
        self._process = subprocess.Popen(
            self._git.command("cat-file", "--batch"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def text(self, name: str) -> str | None:
        """The text of a content; ``None`` if it is none, too large, or not there."""
        source, sink = self._process.stdout, self._process.stdin
        assert source is not None and sink is not None
        sink.write(f"{name}\n".encode())
        sink.flush()
        head = source.readline().split()
        if len(head) != 3:
            return None
        data = source.read(int(head[2]))
        source.read(1)
        if len(data) > LARGEST or b"\0" in data:
            return None
        try:
            return data.decode()
        except UnicodeDecodeError:
            return None
