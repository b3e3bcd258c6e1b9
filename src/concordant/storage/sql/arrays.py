"""Arrays in the form in which a Postgres server reads them, made a column at a time.

The driver makes one element by element, in Python: of a group's rows that cost more than all the rest of its commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from struct import Struct
from typing import Any

import psycopg
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

__all__ = ["Packed", "packed"]

_OIDS = {"int": 20, "float": 701, "text": 25, "bytes": 17}
_NUMBERS = {"int": "q", "float": "d"}
_HEAD = Struct("!iiiii")
_LENGTH = Struct("!i")
_NULL = _LENGTH.pack(-1)


class Packed:
    """An array as it is sent.

    Attributes:
        data: its bytes.
    """

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class _PackedDumper(Dumper):
    """Sends it as it is; of what type it is the statement says."""

    format = Format.BINARY
    oid = 0

    def dump(self, obj: Packed) -> Buffer:
        return obj.data


psycopg.adapters.register_dumper(Packed, _PackedDumper)


def packed(kind: str, values: Sequence[Any]) -> Packed:
    """Makes an array.

    Args:
        kind: of what it is, as the tables' columns are: ``int``, ``float``, ``text`` or ``bytes``.
        values: its elements, some of which may be ``None``.
    """
    has_null = None in values
    head = _HEAD.pack(1, has_null, _OIDS[kind], len(values), 1)
    code = _NUMBERS.get(kind)
    if code is None:
        data = values if kind == "bytes" else [None if one is None else one.encode() for one in values]
        return Packed(head + b"".join([_NULL if one is None else _LENGTH.pack(len(one)) + one for one in data]))
    if has_null:
        one_number = _numbers(code, 1).pack
        return Packed(head + b"".join([_NULL if one is None else one_number(8, one) for one in values]))
    told = [8] * (2 * len(values))
    told[1::2] = values
    return Packed(head + _numbers(code, len(values)).pack(*told))


@lru_cache(maxsize=512)
def _numbers(code: str, count: int) -> Struct:
    """So many numbers, each after its length."""
    return Struct("!" + ("i" + code) * count)
