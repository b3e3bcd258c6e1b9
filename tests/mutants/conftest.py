"""The mutants of a file stay in one process, which looks once whether the whole engine passes what they must not."""

from __future__ import annotations

import pytest

from ..properties import fuzz


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(autouse=True)
def found_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a mutant breaks is not made small: nobody reads it."""
    monkeypatch.setattr(fuzz, "smaller", lambda check, acts: acts)
