"""The mutants of a file stay in one process, which looks once whether the whole engine passes what they must not."""

from __future__ import annotations

import pytest


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.xdist_group(item.path.stem))
