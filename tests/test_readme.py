"""The README is understood in two minutes: what can be pasted runs as it is, what it says is so, and it is short."""

from __future__ import annotations

import ast
import contextlib
import io
import re
import sys
import tomllib
import types
from pathlib import Path
from typing import Any

import pytest

from .test_docs import python_blocks

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = sorted((ROOT / "docs").glob("*.md"))
BLOCKS = [block.code for block in python_blocks(README)]
SWAP, TEN_LINES = BLOCKS
FENCES = re.compile(r"^```.*?^```", re.S | re.M)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def run(code: str, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], dict[str, Any]]:
    """Runs a block as if it were pasted into a file of its own; returns what it printed and its names."""
    module = types.ModuleType("pasted")
    monkeypatch.setitem(sys.modules, "pasted", module)
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        exec(compile(code, "README.md", "exec", dont_inherit=True), module.__dict__)
    return shown.getvalue().splitlines(), module.__dict__


def promised(code: str) -> list[str]:
    """What the comments beside the prints of a block say is printed."""
    return [line.partition(")  # ")[2] for line in code.splitlines() if line.startswith("print(")]


def parts(path: str) -> list[str]:
    """The code blocks' and the links' surroundings of a document: its prose, by paragraph, list item and table cell."""
    prose = FENCES.sub("", (ROOT / path).read_text(encoding="utf-8"))
    prose = re.sub(r"\n(?=[-|#])|\n\n+|\|", "\x00", prose)
    return [re.sub(r"\s+", " ", part).strip() for part in prose.split("\x00") if part.strip(" \n-|")]


def headings(path: Path) -> set[str]:
    """The anchors of a document, as GitHub makes them."""
    text = FENCES.sub("", path.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("code", BLOCKS, ids=["swap", "ten lines"])
def test_each_block_can_be_pasted_by_itself(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block needs nothing but its own lines, and prints what stands beside its prints."""
    monkeypatch.chdir(tmp_path)
    shown, _ = run(code, monkeypatch)
    assert shown == promised(code) != []


def test_the_swap_is_two_lines_and_changes_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the lines that it says were there before, the same program runs on LangGraph's store, and loses."""
    lines = SWAP.splitlines()
    changed = [number for number, line in enumerate(lines) if "  # was: " in line]
    assert len(changed) == 2
    for number in changed:
        lines[number] = lines[number].partition("  # was: ")[2]
    stock = "\n".join(line for line in lines if "escalations()" not in line)
    shown, names = run(stock, monkeypatch)
    assert type(names["store"]).__name__ == "InMemoryStore"
    assert shown == ["['memory']"]
    assert "ends with the tags and the status of the writer alone" in README
    assert names["store"].get(("briefs",), "launch").value == {"tags": ["memory"], "status": "ready"}


@pytest.mark.parametrize("code", BLOCKS, ids=["swap", "ten lines"])
def test_the_models_construct(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is declared is an ordinary model, made with all fields or none."""
    _, names = run(code, monkeypatch)
    brief = names["Brief"]
    assert brief(tags=["a"]).status is None and brief().tags == []


def test_the_ten_lines_are_ten() -> None:
    """From the workspace to the decision, without the model."""
    body = ast.parse(TEN_LINES).body
    statements = [node for node in body if not isinstance(node, (ast.ClassDef, ast.ImportFrom))]
    assert len(statements) == 10


def test_it_can_be_read_in_two_minutes() -> None:
    """At most 750 words beside code, and no sentence of more than 27."""
    pieces = [LINK.sub("]", part) for part in parts("README.md")]
    assert sum(len(part.split()) for part in pieces) <= 750
    sentences = [s for part in pieces for s in re.split(r"(?<=[.:?;])\s+", part)]
    assert [s for s in sentences if len(s.split()) > 27] == []


def test_limits_are_a_plain_line_each_with_a_link() -> None:
    """Each limit is one sentence on one line, and leads to where it is explained."""
    _, _, limits = README.partition("\n## Limits\n")
    lines = limits.strip().splitlines()
    assert len(lines) > 5
    for line in lines:
        assert re.fullmatch(r"- [^.]+\[[^\]]+\]\(docs/[a-z]+\.md#[a-z-]+\)[^.]*\.", line), line


def test_what_it_installs_is_there() -> None:
    """Each path and extra of the commands is one of the projects, and the versions of Python are theirs."""
    _, _, install = README.partition("\n## Install\n")
    install, _, _ = install.partition("\n## ")
    projects: dict[str, Any] = {}
    for path in (".", "./adapters/langgraph", "./adapters/crewai", "./adapters/loro"):
        projects[path] = tomllib.loads((ROOT / path / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    commands = [line.partition("#")[0].split()[2:] for line in install.splitlines() if line.startswith("pip install")]
    named = {word.strip("'") for command in commands for word in command} - {"psycopg-binary"}
    named |= {f"./adapters/langgraph[{extra}]" for extra in ("sqlite", "postgres", "deepagents")}
    named |= {f"./adapters/loro[{extra}]" for extra in ("websockets", "starlette")}
    mentioned: dict[str, set[str]] = {path: set() for path in projects}
    for word in named:
        path, _, extra = word.rstrip("]").partition("[")
        if extra:
            mentioned[path].add(extra)
    assert mentioned == {path: set(project.get("optional-dependencies", {})) for path, project in projects.items()}
    for extra in mentioned["./adapters/langgraph"] | mentioned["./adapters/loro"]:
        assert f"[{extra}]" in install
    assert projects["."]["requires-python"] == ">=3.11,<3.15" and "Python 3.11 to 3.14" in install
    assert projects["./adapters/crewai"]["requires-python"] == ">=3.11,<3.14" and "Python 3.11 to 3.13" in install


@pytest.mark.parametrize(
    "path", ["README.md", "CONTRIBUTING.md", *sorted(p.name for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_somewhere(path: str) -> None:
    """Every link to a file of the project names one that is there, and a heading that it has."""
    document = ROOT / path if (ROOT / path).exists() else ROOT / "docs" / path
    wrong = []
    for target in LINK.findall(FENCES.sub("", document.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (document.parent / name) if name else document
        if not there.exists() or (anchor and anchor not in headings(there)):
            wrong.append(target)
    assert wrong == []
