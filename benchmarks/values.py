"""Where the benchmarks write, and what: values of about 200 bytes.

This module needs nothing, so that a peer's own environment and a process that only writes can use it too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["KINDS", "PLAIN", "SPACE", "STOCK", "every_kind", "value", "wide"]

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


KINDS: Mapping[str, Callable[[int], dict[str, Any]]] = {
    "Scalar": lambda n: {"status": f"draft {n}"},
    "Set": lambda n: {"tags": ["agents", "merge", f"topic-{n % 50}"]},
    "Text": lambda n: {"notes": f"Finding {n}: two nodes put one key in one superstep."},
    "Counter": lambda n: {"hits": 1 + n % 5},
    "Map": lambda n: {"owners": {"intro": f"agent-{n}", "end": "bob"}},
    "List": lambda n: {"steps": ["plan", f"write {n}"]},
    "a nested model": lambda n: {"author": {"name": f"agent-{n}", "roles": ["editor"]}},
    "Map of models": lambda n: {"parts": {"intro": {"name": f"agent-{n}", "roles": ["writer"]}}},
    "Set(by=)": lambda n: {"sources": [{"url": f"https://example.org/{n}", "title": "A source"}]},
    "Tree": lambda n: {"settings": {"model": f"small-{n}", "limits": {"tokens": 100}}},
}
"""What is put to a field of each kind alone, by a number."""


def every_kind(number: int) -> dict[str, Any]:
    """A document with a value of every kind, about 500 bytes as JSON."""
    return {name: part for make in KINDS.values() for name, part in make(number).items()}


def wide(fields: int, edition: int) -> dict[str, Any]:
    """A flat document of many fields, every tenth of which differs between editions."""
    return {f"field_{n}": f"value {n} {edition if n % 10 == 0 else 0}" for n in range(fields)}
