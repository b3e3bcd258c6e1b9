"""Processes that a test's program parts into, once it has imported what they need."""

from __future__ import annotations

import os
from collections.abc import Sequence

__all__ = ["each_in_a_child"]


def each_in_a_child(urls: Sequence[str]) -> str:
    """Has each url be played in a process of its own, one after the other, and gives it there.

    In the process that calls it does not return: that says "done" and ends, or fails with the first child that does.
    """
    for url in urls:
        if not os.fork():
            return url
        assert not os.wait()[1], url
    print("done", flush=True)
    os._exit(0)
