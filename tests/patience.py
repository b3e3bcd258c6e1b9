"""How long tests wait for what must come about: long, for where it comes that costs nothing, however slow the machine.

No test says that something happens fast; that is for the benchmarks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

__all__ = ["PATIENCE", "until"]

PATIENCE = 120.0


def until(holds: Callable[[], object], told: Callable[[], Any] = lambda: None) -> None:
    """Waits until something holds.

    Args:
        holds: whether it does.
        told: what there is, to be told of where it never did.
    """
    end = time.monotonic() + PATIENCE
    pause = 0.001
    while not holds():
        assert time.monotonic() < end, f"it did not come about; there is {told()!r}"
        time.sleep(pause)
        pause = min(2 * pause, 0.05)
