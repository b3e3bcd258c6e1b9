"""Every test of the semantics runs on every storage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

LONG = ("test_workbench", "test_reexecution", "test_scopes", "test_tasks")
"""What has so many cases that on Postgres it runs with the long tests."""
OF_VALUES = (
    *("test_equality", "test_judges", "test_policies", "test_limits", "test_invalid_merge", "test_tree", "test_text"),
    *("test_scalar", "test_set", "test_map", "test_list", "test_counter", "test_keyed", "test_nested", "test_merge"),
    *("test_undo", "test_undo_elsewhere", "test_reopening", "test_restoring", "test_replicas", "test_cancelled"),
    *("test_blame", "test_contested", "test_deletion", "test_json_forms", "test_for_views", "test_anonymous"),
    *("test_reasons", "test_set_aside"),
)
"""What asks what values, questions and credits come to, the same for every database: on Postgres with those, too."""
LONGEST = ("test_workbench",)
"""What on SQLite does so too."""
_on_sqlite: Counter[object] = Counter()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if any("storage" in marker.args[0] for marker in metafunc.definition.iter_markers("parametrize")):
        return  # it says itself
    name = metafunc.module.__name__.rpartition(".")[2]
    long = name in (*LONG, *OF_VALUES)
    sqlite = pytest.param("sqlite", marks=pytest.mark.torture) if name in LONGEST else "sqlite"
    postgres = pytest.param("postgres", marks=pytest.mark.torture) if long else "postgres"
    folder = pytest.param("folder", marks=pytest.mark.torture)  # somebody else's: examples/folder_storage.py
    metafunc.parametrize("storage", ["memory", sqlite, postgres, folder], indirect=True)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Of a test of values with many cases every third runs on SQLite, the others with the long tests."""
    if isinstance(item, pytest.Function) and item.path.stem in OF_VALUES and "[sqlite" in item.name:
        _on_sqlite[item.function] += 1
        if _on_sqlite[item.function] % 3 != 1:
            item.add_marker(pytest.mark.torture)


@pytest.fixture(autouse=True)
def storage(request: pytest.FixtureRequest, keep_on: Callable[[str], None]) -> str:
    """The kind of storage that the test's workspaces are kept on."""
    kind: str = request.param
    keep_on(kind)
    return kind
