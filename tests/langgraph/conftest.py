"""What is about the store as such runs on every storage."""

from __future__ import annotations

from collections.abc import Callable

import pytest

EVERYWHERE = ("test_store_graphs", "test_regressions_agentsync", "test_shown")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    everywhere = metafunc.module.__name__.rpartition(".")[2] in EVERYWHERE
    metafunc.parametrize("storage", ["memory", "sqlite"] if everywhere else ["memory"], indirect=True)


@pytest.fixture(autouse=True)
def storage(request: pytest.FixtureRequest, keep_on: Callable[[str], None]) -> str:
    """The kind of storage that the test's workspaces are kept on."""
    kind: str = request.param
    keep_on(kind)
    return kind
