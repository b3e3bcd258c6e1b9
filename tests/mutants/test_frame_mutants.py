"""A workspace that takes frames unchecked: the forgeries must bring it down."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable
from typing import Any

import pytest

from concordant.merge.record.check import check_record
from concordant.workspace.frames import Quarantine
from concordant.workspace.replicating import _check

from ..properties.fuzz import failure
from ..properties.test_frames import forge
from .breaking import swap

Patch = pytest.MonkeyPatch


def nothing_is_checked(patch: Patch) -> None:
    """A frame is joined document by document, as it comes."""
    swap(patch, _check, lambda *_: None)


def shapes_are_not_checked(patch: Patch) -> None:
    """Only a trial join stands between a forgery and the records."""
    swap(patch, check_record, lambda *_: None)


def refused_frames_are_forgotten(patch: Patch) -> None:
    """The quarantine stays empty."""
    swap(patch, Quarantine.put, lambda self, frame, reason: None)


@pytest.mark.parametrize("mutant", [nothing_is_checked, shapes_are_not_checked, refused_frames_are_forgotten])
def test_a_mutant_is_noticed(mutant: Callable[[Patch], None], seed: str, monkeypatch: Patch) -> None:
    """Forged frames crash it, poison it, or are not kept."""
    mutant(monkeypatch)

    def forgeries(_: Any) -> None:
        for number in range(300):
            forge(f"{seed}.{number}", 10, Tally[Any]())

    assert failure(forgeries, []) is not None
