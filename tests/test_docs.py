"""What the documentation shows is executed here, so that it stays true."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import re
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# CrewAI has an environment of its own, in which this file runs too, for what needs it.
IN_CREWS = importlib.util.find_spec("crewai") is not None
SOURCES = (
    [ROOT / "adapters/crewai/src"]
    if IN_CREWS
    else [ROOT / "src", ROOT / "adapters/langgraph/src", ROOT / "adapters/loro/src"]
)
# What a module may need and this environment may lack; a module that needs it is skipped, and said to be.
OPTIONAL = {"psycopg", "psycopg_pool"}
OPENING = re.compile(r"^( *)(`{3,})(.*)$")
NO_RUN = "<!-- no-run -->"


@dataclass
class Block:
    """One fenced block of Python in a document."""

    line: int
    code: str
    runs: bool


def python_blocks(text: str) -> list[Block]:
    """The fenced ``python`` blocks of a document, in order."""
    blocks: list[Block] = []
    lines = text.splitlines()
    previous = ""
    at = 0
    while at < len(lines):
        opening = OPENING.match(lines[at])
        if opening is None:
            previous = lines[at].strip() or previous
            at += 1
            continue
        indent, fence, language = len(opening[1]), opening[2], opening[3].strip()
        first = at + 1
        at = first
        while at < len(lines) and lines[at].strip() != fence:
            at += 1
        if language == "python":
            code = "\n".join(line[indent:] for line in lines[first:at])
            blocks.append(Block(first + 1, code, previous != NO_RUN))
        previous = ""
        at += 1
    return blocks


def documents() -> list[str]:
    """The documents whose examples are executed, as paths from the root."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
    return [path.relative_to(ROOT).as_posix() for path in found if (path.name == "crewai.md") == IN_CREWS]


def modules() -> list[str]:
    """Every module of the core and of the adapters, by its dotted name."""
    names = []
    for source in SOURCES:
        for path in sorted(source.glob("**/*.py")):
            parts = path.relative_to(source).with_suffix("").parts
            names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


@pytest.mark.parametrize("name", documents())
def test_examples_in_documents_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """Every Python block of a document runs, in order, in one namespace, unless it is marked no-run."""
    module = types.ModuleType("document_" + re.sub(r"\W", "_", name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.chdir(tmp_path)
    for block in python_blocks((ROOT / name).read_text(encoding="utf-8")):
        if block.runs:
            padded = "\n" * (block.line - 1) + block.code  # tracebacks then give the document's own lines
            exec(compile(padded, name, "exec", dont_inherit=True), module.__dict__)
        else:
            with subtests.test(msg=f"{name}:{block.line}"):
                pytest.skip(f"{name}:{block.line} is marked no-run")


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings_hold(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example in a docstring of the core and of the adapters gives what it says."""
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in OPTIONAL:
            raise
        pytest.skip(f"{name} needs {error.name}, which is not installed")
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(module).failed == 0


def test_blocks_are_found_as_written() -> None:
    """Only Python fences are taken, a marked one does not run, and an indented one is dedented."""
    text = (
        "```python\na = 1\n```\n```sh\nls\n```\n<!-- no-run -->\n\n```python\nb = 2\n```\n"
        "- item\n\n  ```python\n  if a:\n      c = 3\n  ```\n"
        "````markdown\n```python\nd = 4\n```\n````\n"
    )
    assert python_blocks(text) == [
        Block(2, "a = 1", runs=True),
        Block(10, "b = 2", runs=False),
        Block(15, "if a:\n    c = 3", runs=True),
    ]
