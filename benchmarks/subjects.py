"""What is measured, and how much of it: the two stores, the sizes."""

from __future__ import annotations

from dataclasses import dataclass

from langgraph.store.memory import InMemoryStore

from benchmarks.brief import Brief
from benchmarks.values import SPACE
from concordant_langgraph import MergeStore

__all__ = ["FULL", "QUICK", "Sizes", "merge_store", "stock_store"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work a run does; the quick sizes only show that the harness works."""

    rounds: int = 30
    batch: int = 200
    history: int = 5_000
    fields: int = 1_000
    documents: int = 20_000
    crowd: int = 100_000
    text: int = 1_000_000
    edited: int = 100_000
    edits: int = 1_000
    depths: tuple[int, ...] = (1_000, 10_000)
    single: int = 100
    slow_rounds: int = 3
    threads: int = 8
    puts: int = 8_000
    writers: int = 1_000
    agents: int = 200
    live: tuple[tuple[int, float], ...] = ((10_000, 1.0), (100_000, 3.0))
    typed: int = 1_000
    letters: int = 100
    loaded: tuple[bool, ...] = (False, True)


FULL = Sizes()
QUICK = Sizes(
    writers=8,
    agents=8,
    rounds=2,
    batch=10,
    history=60,
    fields=100,
    documents=200,
    crowd=1_000,
    text=10_000,
    edited=2_000,
    edits=10,
    depths=(50,),
    single=8,
    slow_rounds=1,
    threads=8,
    puts=160,
    live=((1_000, 1.0),),
    typed=40,
    letters=5,
    loaded=(False,),
)


def merge_store() -> MergeStore:
    """Ours, in memory."""
    return MergeStore({SPACE: Brief})


def stock_store() -> InMemoryStore:
    """LangGraph's own, in memory."""
    return InMemoryStore()
