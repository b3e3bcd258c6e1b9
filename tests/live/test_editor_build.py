"""The desk's editor is shipped as its sources and npm's packages make it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.patience import PATIENCE

EDITOR = Path(__file__).parent.parent.parent / "adapters/loro/editor"
STATIC = EDITOR.parent / "src/concordant_loro/static"


def test_what_is_shipped_is_what_is_built() -> None:
    """Who changes a source, or the version of a package, builds anew (``make editor``)."""
    subprocess.run(["node", "build.mjs", "--check"], cwd=EDITOR, check=True, timeout=PATIENCE)


def test_each_package_in_it_has_its_licence() -> None:
    """The text of each package's licence is shipped, and names it."""
    told = (STATIC / "LICENSES.txt").read_text(encoding="utf-8")
    for name in ("@codemirror/view", "loro-codemirror", "loro-crdt", "loro-websocket", "style-mod"):
        part = told.partition(f"\n{name} ")[2].partition("-" * 80)[0]
        assert "(MIT)" in part.partition("\n")[0] and "Permission is hereby granted" in part, name
