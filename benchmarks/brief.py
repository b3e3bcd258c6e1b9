"""The model that most benchmarks write by. It needs the core alone."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel

from concordant import Counter, List, Map, Scalar, Set, Text, Tree

__all__ = ["Brief"]


class Person(BaseModel):
    """A nested record."""

    name: Annotated[str | None, Scalar()] = None
    roles: Annotated[set[str], Set()] = set()


class Source(BaseModel):
    """A record that is known by one of its fields."""

    url: Annotated[str, Scalar()] = ""
    title: Annotated[str | None, Scalar()] = None


class Brief(BaseModel):
    """A field of every kind; most benchmarks write the first four."""

    tags: Annotated[set[str], Set()] = set()
    status: Annotated[str | None, Scalar()] = None
    notes: Annotated[str, Text()] = ""
    hits: Annotated[int, Counter()] = 0
    owners: Annotated[dict[str, str], Map()] = {}
    steps: Annotated[list[str], List()] = []
    author: Person = Person()
    parts: Annotated[dict[str, Person], Map()] = {}
    sources: Annotated[list[Source], Set(by="url")] = []
    settings: Annotated[dict[str, Any], Tree()] = {}
