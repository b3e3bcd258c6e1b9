"""The model that most benchmarks write by. It needs the core alone."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel

from concordant import Counter, Scalar, Set, Text

__all__ = ["Brief"]


class Brief(BaseModel):
    """Four declared fields, one of each common kind."""

    tags: Annotated[set[str], Set()] = set()
    status: Annotated[str | None, Scalar()] = None
    notes: Annotated[str, Text()] = ""
    hits: Annotated[int, Counter()] = 0
