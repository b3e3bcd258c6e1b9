"""Each promise by itself: the same checks that every mutant of the engine has to fail."""

from __future__ import annotations

import pytest

from .checks import CHECKS


@pytest.mark.parametrize("promise", CHECKS)
def test_promise(promise: str) -> None:
    """The engine keeps the promise (the docstring of its check says what is pinned)."""
    CHECKS[promise]()
