"""Merges of a git repository as a workload: what is read, what counts as what, and that nothing of it is run."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from concordant.bench import PROSE, STRUCTURE, RepositoryError, concurrent_edits, play_merges
from concordant.bench.merges import Merged, Tally, sentences
from concordant.cli.app import app

ALL = (*PROSE, *STRUCTURE)


class Repo:
    """A repository that a test makes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        names = {
            f"GIT_{who}_{what}": f"{who.lower()}@here" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={**os.environ, **names, "GIT_CONFIG_GLOBAL": os.devnull},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    def commit(self, **files: str | bytes) -> None:
        for name, content in files.items():
            path = self.folder / name.replace("_", ".")
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "change")

    def merge(self, base: dict[str, Any], one: dict[str, Any], other: dict[str, Any], truth: dict[str, Any]) -> None:
        """A merge of two sides, as people made it."""
        self.commit(**base)
        self.git("checkout", "-q", "-b", "side")
        self.commit(**other)
        self.git("checkout", "-q", "main")
        self.commit(**one)
        self.git("merge", "-q", "--no-commit", "side")
        self.commit(**truth)
        self.git("branch", "-q", "-D", "side")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repo")


BASE = "The store keeps writes. It is fast.\n\nRead on.\n"
ONE = "The store keeps all writes. It is fast.\n\nRead on.\n"
OTHER = "The store keeps writes. It is very fast.\n\nRead on.\n"
BOTH = "The store keeps all writes. It is very fast.\n\nRead on.\n"


def test_what_both_sides_changed_is_read(repo: Repo) -> None:
    """Of each merge the files that both sides changed differently, with what both had before and what people made."""
    repo.merge(
        {"a_md": BASE, "b_md": "1\n", "c_py": "x\n", "d_md": "same\n"},
        {"a_md": ONE, "b_md": "2\n", "c_py": "y\n", "d_md": "equal\n"},
        {"a_md": OTHER, "c_py": "z\n", "d_md": "equal\n"},
        {"a_md": BOTH, "c_py": "w\n"},
    )
    (edit,) = concurrent_edits(repo.folder, ALL, 100)
    assert edit[1:] == ("a.md", BASE, ONE, OTHER, BOTH)


def test_what_is_no_text_is_left_out(repo: Repo) -> None:
    """Bytes that are no text, files that are too large, and links are passed by."""
    large = "x" * 200_001
    repo.merge(
        {"a_md": b"\xff1", "b_md": large, "c_md": "1\x00"},
        {"a_md": b"\xff2", "b_md": large + "y", "c_md": "2\x00"},
        {"a_md": b"\xff3", "b_md": large + "z", "c_md": "3\x00"},
        {"a_md": b"\xff4", "b_md": large + "yz", "c_md": "4\x00"},
    )
    assert [*concurrent_edits(repo.folder, ALL, 100)] == []


def test_what_is_no_repository_is_told(tmp_path: Path) -> None:
    """A folder that git does not know is our own error, with what git says."""
    with pytest.raises(RepositoryError, match="not a git repository"):
        list(concurrent_edits(tmp_path, ALL, 10))


def test_names_of_files_are_no_instructions(repo: Repo) -> None:
    """A file whose name looks like an option, or holds blanks and quotes, is a file."""
    for name in ("--output=x.md", 'a "b" c.md', "é.md"):
        (repo.folder / name).write_text("1\n")
    repo.merge({"z_md": "1\n"}, {"z_md": "2\n"}, {"z_md": "3\n"}, {"z_md": "4\n"})
    repo.git("checkout", "-q", "-b", "side")
    for name in ("--output=x.md", 'a "b" c.md', "é.md"):
        (repo.folder / name).write_text("2\n")
    repo.commit()
    repo.git("checkout", "-q", "main")
    for name in ("--output=x.md", 'a "b" c.md', "é.md"):
        (repo.folder / name).write_text("3\n")
    repo.commit()
    repo.git("merge", "-q", "--no-commit", "side")
    for name in ("--output=x.md", 'a "b" c.md', "é.md"):
        (repo.folder / name).write_text("4\n")
    repo.commit()
    assert {edit.path for edit in concurrent_edits(repo.folder, ALL, 1)} == {"--output=x.md", 'a "b" c.md', "é.md"}


def test_each_way_is_held_against_the_people(repo: Repo) -> None:
    """Two sentences of one line, changed by one each: Concordant merges as people did, git asks, and the last write
    loses one. Of data both are merged name by name."""
    data = {"name": "x", "deps": {"a": 1, "b": 1}, "on": ["push"]}
    one = {**data, "deps": {"a": 2, "b": 1}}
    other = {**data, "deps": {"a": 1, "b": 2}}
    both = {**data, "deps": {"a": 2, "b": 2}}
    repo.merge(
        {"a_md": BASE, "b_json": json.dumps(data), "c_toml": "a = 1\nb = 1\n", "d_yaml": "- 1\n"},
        {"a_md": ONE, "b_json": json.dumps(one), "c_toml": "a = 2\nb = 1\n", "d_yaml": "- 2\n"},
        {"a_md": OTHER, "b_json": json.dumps(other), "c_toml": "a = 1\nb = 2\n", "d_yaml": "- 3\n"},
        {"a_md": BOTH, "b_json": json.dumps(both), "c_toml": "a = 2\nb = 2\n", "d_yaml": "- 4\n"},
    )
    tallies, left_out = play_merges(concurrent_edits(repo.folder, ALL, 100))
    assert {way: dict(one.outcomes) for way, one in tallies["prose"].items()} == {
        "Concordant": {"as people did": 1},
        "git, line by line": {"asked": 1},
        "the last write wins": {"another choice": 1},
    }
    assert {way: dict(one.outcomes) for way, one in tallies["data"].items()} == {
        "Concordant": {"as people did": 2},
        "git, line by line": {"asked": 2},
        "the last write wins": {"another choice": 2},
    }
    assert left_out == {"no object of JSON values with names": 1}
    assert not any(one.invented for ways in tallies.values() for one in ways.values())


@pytest.mark.parametrize(
    ("shown", "asked", "outcome"),
    [
        ("A. B.", True, "asked"),
        ("A.\n\nB.", False, "as people did"),
        ("B. A.", False, "in another order"),
        ("A. B. A.", False, "doubled"),
        ("A.", False, "another choice"),
        ("A. X.", False, "another choice"),
    ],
)
def test_what_counts_as_what(shown: str, asked: bool, outcome: str) -> None:
    """Sentences are compared, not blanks; one that neither side nor what was before holds, nobody wrote."""
    tally = Tally()
    tally.add(Merged(shown, asked), sentences, ["A.", "B.", "A. B."], "A. B.")
    assert dict(tally.outcomes) == {outcome: 1}
    assert tally.invented == ("X" in shown)


def test_people_who_wrote_something_new_are_told_apart() -> None:
    """Where the people's merge holds a sentence of nobody's side, no way of merging could have made it."""
    tally = Tally()
    tally.add(Merged("A. B.", False), sentences, ["A.", "B.", "A. B."], "A and B.")
    assert dict(tally.outcomes) == {"people wrote something new": 1}


def test_the_command_line_tells_the_shares(repo: Repo) -> None:
    """``concordant bench --git``: tables in parts of a hundred, or all counts as JSON."""
    repo.merge({"a_md": BASE}, {"a_md": ONE}, {"a_md": OTHER}, {"a_md": BOTH})
    shown = CliRunner().invoke(app, ["bench", "--git", str(repo.folder)])
    assert shown.exit_code == 0
    assert "1 files of prose that both sides of a merge changed" in shown.output
    assert "with invented sentences" in shown.output
    found = json.loads(CliRunner().invoke(app, ["bench", "--git", str(repo.folder), "--json"]).output)
    assert found["prose"]["Concordant"] == {"edits": 1, "invented": 0, "as people did": 1}
    neither = CliRunner().invoke(app, ["bench"])
    assert neither.exit_code == 2
    assert "--git" in neither.output
