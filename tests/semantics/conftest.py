"""Every test of the semantics runs on every storage."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture(params=["memory", "sqlite"], autouse=True)
def storage(request: pytest.FixtureRequest, keep_on: Callable[[str], None]) -> str:
    """The kind of storage that the test's workspaces are kept on."""
    kind: str = request.param
    keep_on(kind)
    return kind
