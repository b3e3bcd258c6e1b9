"""The shape of the code: what may import what, and how many ways may lead through a function."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

from tools import decisions
from tools.architecture import PICTURE, ROOMS, arrows, nodes, picture

ROOT = Path(__file__).parent.parent
CORE = ROOT / "src" / "concordant"

# From the lowest to the highest: a layer imports itself and the layers before it.
LAYERS = [
    "errors",
    "limits",
    "values",
    "merge.causality",
    "merge.sequence",
    "merge.registers",
    "merge.kinds",
    "merge.record",
    "schema",
    "escalation",
    "storage",
    "workspace",
    "forms",
    "telemetry",
    "tooling",
    "judges",
    "spi",
    "testing",
    "bench",
    "desk",
    "webhooks",
    "cli",
    "__main__",
]
OWN = {"__init__", "merge.__init__"}  # what a package says of itself, in no layer
# The heart is pure, so that it can be tested by the million.
HEART = LAYERS[1 : LAYERS.index("storage")]
IMPURE = {"time", "threading", "asyncio", "sqlite3", "os", "random", "uuid"}
FRAMEWORKS = ("langgraph", "langchain", "crewai", "loro")
# What an extra brings, and the one layer that may need it.
EXTRAS = {
    "typer": "cli",
    "rich": "cli",
    "starlette": "desk",
    "jinja2": "desk",
    "uvicorn": "desk",
    "opentelemetry": "telemetry",
}
# What a workspace is made of; adapters call the workspace itself.
PARTS = {
    "amending",
    "core",
    "deciding",
    "maintaining",
    "reading",
    "registry",
    "replicating",
    "restoring",
    "storage",
    "writing",
}
BRANCHES = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.match_case, ast.Assert)
MOST_WAYS = 15  # cyclomatic complexity; boolean operators, comprehensions and assertions count, as radon counts them


pytestmark = pytest.mark.xdist_group("architecture")  # one process parses, once


def imported(path: Path, package: str, members: bool = True) -> Iterator[tuple[int, str]]:
    """The modules that a file imports anywhere in it: line and dotted name.

    A name imported from a module may itself be a module, so ``from a import b`` gives ``a.b``.
    """
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")
                above = above[: len(above) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            yield from ((node.lineno, f"{base}.{alias.name}" if members else base) for alias in node.names)


def layer_of(name: str) -> str:
    """The layer of a dotted name below the core's package: a room of the house, or one of the merge engine's rooms."""
    parts = name.split(".")
    return ".".join(parts[: 2 if parts[0] == "merge" else 1])


def core_files() -> Iterator[tuple[Path, str, str]]:
    """Each file of the core, the layer it is in ('' for the package's own) and the package it is in."""
    for path in sorted(CORE.glob("**/*.py")):
        parts = path.relative_to(CORE).with_suffix("").parts
        layer = layer_of(".".join(parts))
        yield path, "" if layer in OWN else layer, ".".join(["concordant", *parts[:-1]])


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name}:{line}"


def test_the_core_imports_no_framework() -> None:
    """No module of the core imports LangGraph, LangChain or CrewAI, nor an adapter to one."""
    wrong = [
        f"{where(path, line)} imports {name}"
        for path, _, package in core_files()
        for line, name in imported(path, package, members=False)
        if name.startswith((*FRAMEWORKS, *(f"concordant_{framework}" for framework in FRAMEWORKS)))
    ]
    assert wrong == []


def test_an_extra_is_needed_by_its_own_layer_alone() -> None:
    """What is installed on demand is imported only where it is used."""
    wrong = [
        f"{where(path, line)} imports {name}"
        for path, layer, package in core_files()
        for line, name in imported(path, package, members=False)
        if EXTRAS.get(name.split(".")[0], layer) != layer
    ]
    assert wrong == []


def test_every_module_of_the_core_is_in_a_layer() -> None:
    """A new package or module of the core takes a place among the layers."""
    assert {layer for _, layer, _ in core_files() if layer} <= set(LAYERS)


def test_layers_import_downwards() -> None:
    """A layer of the core imports only itself and lower layers, and never the package's own names."""
    wrong = []
    for path, layer, package in core_files():
        if layer not in LAYERS:
            continue
        allowed = LAYERS[: LAYERS.index(layer) + 1]
        for line, name in imported(path, package):
            root, _, rest = name.partition(".")
            if root == "concordant" and layer_of(rest) not in allowed:
                wrong.append(f"{where(path, line)}: {layer} imports {name}")
    assert wrong == []


def circle_among(arrows: dict[str, set[str]]) -> list[str]:
    """A way along arrows that comes back to where it began; empty if there is none."""
    done: set[str] = set()

    def search(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        for other in sorted(arrows.get(name, ())):
            found = search(other, [*way, name])
            if found:
                return found
        done.add(name)
        return []

    return next((found for name in sorted(arrows) if (found := search(name, []))), [])


def arrows_of(folder: Path, package: str) -> dict[str, set[str]]:
    """Which module of a package imports which others of it: at its top, for types alone, or inside a function."""
    names = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    found: dict[str, set[str]] = {}
    for path in folder.glob("**/*.py"):
        parts = path.relative_to(folder).with_suffix("").parts
        if parts == ("__init__",):
            continue
        inside = ".".join([package, *parts[:-1]])
        for _, name in imported(path, inside):
            if name.startswith(f"{package}."):
                other = name.removeprefix(f"{package}.").partition(".")[0]
                if other != parts[0]:
                    found.setdefault(parts[0], set()).add(other if other in names else "__init__")
    found["__init__"] = names - {"__init__"}  # so that whoever imports the package's own names is in a circle
    return found


def test_no_package_has_a_circle() -> None:
    """No modules of a package import each other in a circle, not for types and not inside functions either."""
    sources = [ROOT / "src", *ROOT.glob("adapters/*/src")]
    packages = [(source, path.parent) for source in sources for path in source.glob("**/__init__.py")]
    named = {".".join(folder.relative_to(source).parts): folder for source, folder in packages}
    circles = {name: found for name, folder in named.items() if (found := circle_among(arrows_of(folder, name)))}
    assert circles == {}


def test_a_circle_is_found(tmp_path: Path) -> None:
    """The search finds a circle that is hidden from the interpreter: for types alone, and inside a function."""
    for name, code in {
        "__init__": "",
        "a": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.b import B",
        "b": "def f():\n    from house import c",
        "c": "import house.a",
    }.items():
        (tmp_path / f"{name}.py").write_text(code)
    assert circle_among(arrows_of(tmp_path, "house")) == ["a", "b", "c", "a"]


def test_the_heart_is_pure() -> None:
    """The heart has no clock, lock, chance, file or database: it imports no module that gives one."""
    wrong = [
        f"{where(path, line)} imports {name}"
        for path, layer, package in core_files()
        if layer in HEART
        for line, name in imported(path, package, members=False)
        if name.split(".")[0] in IMPURE
    ]
    assert wrong == []


def adapter_files() -> list[Path]:
    return sorted((ROOT / "adapters").glob("*/src/**/*.py"))


def private_names(paths: Iterable[Path]) -> set[str]:
    """The names with one underscore that files define: of functions, attributes and variables."""
    found: set[str] = set()
    for path in paths:
        for node in nodes(path):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found.add(node.name)
            elif isinstance(node, (ast.Attribute, ast.Name)) and isinstance(node.ctx, ast.Store):
                found.add(node.attr if isinstance(node, ast.Attribute) else node.id)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)  # in __slots__
    private = {name for name in found if name.startswith("_") and not name.startswith("__") and name.isidentifier()}
    return private - {"_replace", "_asdict", "_make", "_fields"}  # of every named tuple


def reaching_inside(path: Path, private: set[str]) -> Iterator[str]:
    """Where a file uses what is private to the core, or a part of a workspace."""
    for node in nodes(path):
        if isinstance(node, ast.Attribute):
            if node.attr in private:
                yield f"{where(path, node.lineno)} uses {node.attr}"
            if node.attr in PARTS and ast.unparse(node.value).split(".")[-1].lstrip("_") in ("workspace", "ws"):
                yield f"{where(path, node.lineno)} uses the workspace's {node.attr}"


def test_adapters_use_what_is_public() -> None:
    """An adapter imports nothing of ours but ``concordant`` and ``concordant.spi``."""
    wrong = [
        f"{where(path, line)} imports {name}"
        for path in adapter_files()
        for line, name in imported(path, path.parent.name, members=False)
        if name.split(".")[0] == "concordant" and name not in ("concordant", "concordant.spi")
    ]
    assert wrong == []


def test_adapters_use_nothing_private() -> None:
    """An adapter uses no name of the core with an underscore, and no part of a workspace."""
    core = private_names(CORE.glob("**/*.py"))
    wrong = []
    for adapter in sorted((ROOT / "adapters").iterdir()):
        paths = sorted(adapter.glob("src/**/*.py"))
        own = private_names(paths)
        wrong += [found for path in paths for found in reaching_inside(path, core - own)]
    assert wrong == []


def test_a_reach_inside_is_found(tmp_path: Path) -> None:
    """The search finds a private name of the core, and a part of a workspace, in an adapter that uses them."""
    code = "document._body\nself.workspace.storage.load(namespace, key)\nself._mine"
    file = tmp_path / "adapter.py"
    file.write_text(code)
    found = [one.partition(" ")[2] for one in reaching_inside(file, {"_body"})]
    assert found == ["uses _body", "uses the workspace's storage"]


# What people are shown as it stands is in the imperative.
WORDED_OTHERWISE = ("src/concordant/cli/", "src/concordant/desk/api.py")
NO_VERBS = {"Its", "This", "Bytes", "Elements", "Entries", "Fields", "Keys", "Numbers", "Questions", "Rows", "Settings",
            "Texts", "Values", "Words"}  # fmt: skip


def public_functions(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions and methods of a module whose names, and whose classes', have no underscore; no properties."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from public_functions(child)
        elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) and not child.name.startswith(("_", "test_")):
            is_property = any("property" in ast.unparse(decorator) for decorator in child.decorator_list)
            yield from () if is_property else (child,)


def test_docstrings_begin_with_a_verb() -> None:
    """What a public function does is its first word: Returns, Tells, Takes."""
    wrong = []
    for path in CODE:
        if not where(path, 0).startswith(WORDED_OTHERWISE):
            for function in public_functions(nodes(path)[0]):
                first = (ast.get_docstring(function) or "Has").split()[0].rstrip(",:;")
                if not re.fullmatch("[A-Z][a-z]+s", first) or first in NO_VERBS:
                    wrong.append(f"{where(path, function.lineno)} {function.name}: {first}")
    assert wrong == []


def complexity(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many ways lead through a function; functions and classes inside it count for themselves."""
    ways, waiting = 1, list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        if isinstance(node, BRANCHES):
            ways += 1
        if isinstance(node, (ast.For, ast.AsyncFor, ast.While, ast.Try)):
            ways += bool(node.orelse)
        elif isinstance(node, ast.BoolOp):
            ways += len(node.values) - 1
        elif isinstance(node, ast.comprehension):
            ways += 1 + len(node.ifs)
        waiting.extend(ast.iter_child_nodes(node))
    return ways


def test_functions_are_simple() -> None:
    """No function of the core or of an adapter is more complex than a reader can hold in mind."""
    over = []
    for path in chain((ROOT / "src").glob("**/*.py"), (ROOT / "adapters").glob("*/src/**/*.py")):
        for node in nodes(path):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and complexity(node) > MOST_WAYS:
                over.append(f"{path.relative_to(ROOT).as_posix()}:{node.name}")
    assert over == []


# Who may tell a text or list from a register: their own rooms, and what writes or checks them piece by piece.
DISPATCHING = ("merge/sequence/", "merge/registers/", "merge/record/codec.py", "merge/record/changes.py",
               "merge/record/fitting.py", "merge/kinds/shape.py")  # fmt: skip


def test_leaves_are_told_apart_in_one_place() -> None:
    """Whoever deals with leaves of any sort asks ``merge.registers.leaf``, and does not look at their class."""
    wrong = [
        where(path, node.lineno)
        for path in CORE.glob("**/*.py")
        for node in nodes(path)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance" and len(node.args) == 2
        if "concordant.merge.sequence.pieces" in path.read_text(encoding="utf-8")
        if re.search(r"\b(Sequence|Pieces)\b", ast.unparse(node.args[1]))
        if not path.relative_to(CORE).as_posix().startswith(DISPATCHING)
    ]
    assert wrong == []


WIRE = CORE / "desk/api_models.py"  # forms of the API, named as what they carry, and used as ``models.Document``


def test_no_two_classes_have_one_name() -> None:
    """Who reads a class's name anywhere in the core or an adapter knows which one is meant."""
    names = Counter(
        node.name
        for path in CODE
        for node in nodes(path)[0].body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and path != WIRE
    )
    assert {name for name, count in names.items() if count > 1} == {"Session"}  # public in two distributions
    taking = [
        path.name for path in CORE.glob("**/*.py") if "from concordant.desk.api_models import" in path.read_text()
    ]
    assert taking == []


def test_the_glossary_names_what_is_there() -> None:
    """Each name of the code in the glossary's last column is a name in the core."""
    rows = [line for line in (ROOT / "docs/glossary.md").read_text(encoding="utf-8").splitlines() if line[:3] == "| *"]
    code = "\n".join(path.read_text(encoding="utf-8") for path in CORE.glob("**/*.py"))
    names = {
        name.split(".")[-1].rstrip("=")
        for row in rows
        for quoted in re.findall(r"`([^`]+)`", row.rsplit("|", 2)[1])
        for name in re.findall(r"[A-Za-z_.]+=?", quoted)
    }
    assert len(rows) > 30 and [name for name in sorted(names) if not re.search(rf"\b{name}\b", code)] == []


def test_the_picture_of_the_rooms_is_true() -> None:
    """The picture of the architecture shows the rooms and imports as they are (``python -m tools.architecture``)."""
    assert PICTURE.read_text(encoding="utf-8") == picture()


def test_no_arrow_of_the_picture_runs_up() -> None:
    """Each room of the picture imports only rooms that are drawn further down, or beside it to the right."""
    stands = {room.name: (room.row, room.left) for room in ROOMS}
    assert [(name, other) for name, below in arrows().items() for other in below if stands[other] <= stands[name]] == []
    assert {room.name for room in ROOMS if not room.name.startswith("concordant_")} == set(LAYERS) - {"__main__"}


def test_the_core_reads_only_what_it_needs() -> None:
    """To import ``concordant`` reads nothing of the rooms above the workspace."""
    code = (
        "import sys, concordant; print(*{name.split('.')[1] for name in sys.modules if name.startswith('concordant.')})"
    )
    read = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert set(read) & set(LAYERS[LAYERS.index("workspace") + 1 :]) == set()


CODE = [*(ROOT / "src").glob("**/*.py"), *(ROOT / "adapters").glob("*/src/**/*.py")]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^( *)(```+).*?^\1\2\s*$", re.DOTALL | re.MULTILINE)
NAME = re.compile(
    r"(?<![\w./:*\"'<-])([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|[A-Za-z_]\w*(?=\()|[A-Za-z]+_\w*[A-Za-z])(?![\w/<.-])"
)
FILE = re.compile(r"(?<![\w/.:])((?:[\w.-]+/)*[\w.-]+\.(?:py|md|toml|txt|svg|db|cfg))(?![\w/])")
# What is named of other projects and of the system, and as an example of what a reader has.
OTHERS = {
    "max_prepared_transactions",
    "team.db",
    "copy.db",
    "agent.py",
    "JSON.parse",
    "JSON.stringify",
    "app_error",  # of the Loro protocol
    "payload_too_large",
    "invalid_update",
    "permission_denied",
    "websockets.serve",
    "concordant.db",
    "crewai",
    "contextvars",
    "pg_dump",
    "MyStore",
    "open_shelf",
    "ask_a_model",
}
OTHERS |= {"persist", "create_agent", "create_deep_agent", "edit_file", "cache_policy", "omit_expired"}
OTHERS |= {
    "CREW_PYTHON",
    "asgi.py",
    "CONCORDANT_SEED",
    "concordant_schema",
    "concordant_quarantine",
    "concordant.decision.duration",
}  # of the Makefile, of databases, of metrics


@cache
def names_in_code() -> set[str]:
    """All names that code of the project defines or uses."""
    found: set[str] = set()
    others = chain(*((ROOT / top).glob("**/*.py") for top in ("benchmarks", "examples", "tools")))
    for path in chain(CODE, others):
        found |= {path.stem, path.parent.name}
        for node in nodes(path):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found.add(node.name)
            elif isinstance(node, (ast.Attribute, ast.Name, ast.arg)):
                found.add(
                    node.attr
                    if isinstance(node, ast.Attribute)
                    else node.id
                    if isinstance(node, ast.Name)
                    else node.arg
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
                found.add(node.value)
            elif isinstance(node, (ast.alias, ast.keyword)):
                found |= set((node.name if isinstance(node, ast.alias) else node.arg or "").split("."))
    return found


@cache
def members_of_classes() -> dict[str, set[str]]:
    """The members of each class of the project by its name, with those of its bases as far as they are ours."""
    bodies: dict[str, tuple[set[str], set[str]]] = {}
    for path in CODE:
        for node in nodes(path):
            if isinstance(node, ast.ClassDef):
                own, bases = bodies.setdefault(node.name, (set(), set()))
                bases |= {ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases}
                for inner in ast.walk(node):
                    if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)):
                        own.add(inner.name)
                    elif isinstance(inner, (ast.Name, ast.Attribute)) and isinstance(inner.ctx, ast.Store):
                        own.add(inner.id if isinstance(inner, ast.Name) else inner.attr)

    def members(name: str) -> set[str]:
        own, bases = bodies[name]
        return own.union(*(members(base) for base in bases if base in bodies and base != name))

    return {name: members(name) for name in bodies}


def unknown_names(quoted: Iterable[str]) -> Iterator[str]:
    """Names with a dot or parentheses, and files, that are not in the project."""
    known, members = names_in_code(), members_of_classes()
    tops = (ROOT, CORE, ROOT / "docs", ROOT / "tests")
    names = {path.name for path in chain(CODE, PAGES, ROOT.glob("tests/**/*.py"), ROOT.glob("src/**/*.txt"))}
    for text in quoted:
        for name in FILE.findall(text):
            if Path(name).name not in OTHERS | names and not any((top / name).exists() for top in tops):
                yield name
        for name in NAME.findall(FILE.sub(" ", text)):
            first, *rest = name.split(".")
            strange = any(part not in known for part in (first, *rest))
            if (strange and not OTHERS & {name, first}) or (rest and rest[0] not in members.get(first, rest)):
                yield name


def test_names_in_the_documentation_exist() -> None:
    """What the README, the docs and docstrings call by a name of the code, or a file, is there."""
    pages = [quoted for page in PAGES for quoted in re.findall(r"`([^`\n]+)`", FENCED.sub("", page.read_text("utf-8")))]
    docstrings = [
        quoted
        for path in CODE
        for node in nodes(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for quoted in re.findall(r"``([^`\n]+)``", node.value)
    ]
    assert [*unknown_names(pages), *unknown_names(docstrings)] == []


def test_a_name_that_does_not_exist_is_found() -> None:
    """The search finds a function, a method and a file that are not there, and takes those that are."""
    there = ["join(one, other)", "Record.commit", "merge/kinds/policies.py", "ws.get(namespace, key)"]
    assert [*unknown_names(there)] == []
    missing = ["vector_of()", "Record.vector_of", "record.vectors_of", "merge/kinds/policy.py"]
    assert [*unknown_names(missing)] == ["vector_of", "Record.vector_of", "record.vectors_of", "merge/kinds/policy.py"]


def test_every_decision_is_in_the_index() -> None:
    """Each decision begins with number, title, date, status, and is in the index (``tools.decisions`` makes it)."""
    assert decisions.INDEX.read_text(encoding="utf-8") == decisions.index()
