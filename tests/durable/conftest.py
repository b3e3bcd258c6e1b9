"""What tests of a store in a file share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file of a new store is."""
    return tmp_path / "team.db"


@pytest.fixture
def url(path: Path) -> str:
    """Its url."""
    return f"sqlite:///{path}"
