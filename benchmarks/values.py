"""Where the benchmarks write, and what: values of about 200 bytes.

This module needs nothing, so that a peer's own environment and a process that only writes can use it too.
"""

from __future__ import annotations

from typing import Any

__all__ = ["PLAIN", "SPACE", "STOCK", "value", "wide"]

SPACE = ("briefs",)
"""The namespace with a model."""
PLAIN = ("plain",)
"""A namespace without one."""
STOCK = "InMemoryStore"


def value(number: int) -> dict[str, Any]:
    """A document of four fields, about 200 bytes as JSON."""
    return {
        "tags": ["agents", "merge", f"topic-{number % 50}"],
        "status": f"draft {number}",
        "notes": f"Finding {number}: two nodes put one key in one superstep, and one of the contributions was gone.",
        "hits": 1 + number % 5,
    }


def wide(fields: int, edition: int) -> dict[str, Any]:
    """A flat document of many fields, every tenth of which differs between editions."""
    return {f"field_{n}": f"value {n} {edition if n % 10 == 0 else 0}" for n in range(fields)}
