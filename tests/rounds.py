"""How many rounds a random test plays: few in ``make test``, which draws other ones each time, all in ``make torture``.

A test that is there twice, the longer one marked ``torture``, needs no such number.
"""

from __future__ import annotations

import pytest

__all__ = ["rounds"]


def rounds(few: int, many: int) -> pytest.MarkDecorator:
    """Makes of a test that takes ``rounds`` two: one of few for ``make test``, one of many for ``make torture``."""
    return pytest.mark.parametrize("rounds", [few, pytest.param(many, marks=pytest.mark.torture)])
