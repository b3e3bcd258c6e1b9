"""Every workspace in memory that a random history makes has one clock or several, drawn with the history."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.control import current_build_context, currently_in_test_context

from concordant.storage import Storage
from concordant.workspace import workspace as workspace_module

from .clocked import ClockedMemory

CLOCKS = (1, 3, 16)
_NUMBERS = st.sampled_from(CLOCKS)


@pytest.fixture(autouse=True)
def some_clocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, seed: str) -> None:
    """Has each ``Workspace()`` of a Hypothesis test draw a number of clocks as part of its example.

    Those of a test with a seed of its own have one number, by that seed; so have those of a test marked
    ``clocks_by_seed``. The variable CONCORDANT_CLOCKS gives all of them this number.
    """
    forced = os.environ.get("CONCORDANT_CLOCKS")
    usual = int(forced or random.Random(f"{seed} {request.node.nodeid}").choice(CLOCKS))
    draws = forced is None and request.node.get_closest_marker("clocks_by_seed") is None
    opening = workspace_module.open_storage

    def opened(url: str | None, replica: str | None, journal: int, settings: Any) -> Storage:
        storage = opening(url, replica, journal, settings)
        if url is not None:
            return storage
        clocks = usual
        if draws and currently_in_test_context():
            clocks = current_build_context().data.draw(_NUMBERS)
        return storage if clocks == 1 else ClockedMemory(storage.replica, journal, clocks)

    monkeypatch.setattr(workspace_module, "open_storage", opened)
