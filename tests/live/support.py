"""A model with every kind, and bytes that pass Loro's checksum whatever they hold."""

from __future__ import annotations

import random
import struct
from typing import Annotated, Any

from pydantic import BaseModel

from concordant import Counter, List, Map, Scalar, Set, Text, Tree


class Section(BaseModel):
    body: Annotated[str, Text()] = ""
    reads: Annotated[int, Counter()] = 0
    tags: Annotated[set[str], Set()] = set()


class Person(BaseModel):
    id: Annotated[str, Scalar()]
    age: Annotated[int, Scalar()] = 0


class Page(BaseModel):
    body: Annotated[str, Text()] = ""
    rows: Annotated[list[str], List()] = []
    tags: Annotated[set[str], Set()] = set()
    notes: Annotated[dict[str, str], Map()] = {}
    sections: Annotated[dict[str, Section], Map()] = {}
    lists: Annotated[dict[str, Annotated[list[int], List()]], Map()] = {}
    intro: Section = Section()
    extra: Section | None = None
    tree: Annotated[dict[str, Any], Tree()] = {}
    people: Annotated[list[Person], Set(by="id")] = []
    status: Annotated[str | None, Scalar()] = None
    tokens: Annotated[int, Counter()] = 0


_MASK = 0xFFFFFFFF
_P1, _P2, _P3, _P4, _P5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393


def _rotl(number: int, by: int) -> int:
    return ((number << by) | (number >> (32 - by))) & _MASK


def xxh32(data: bytes, seed: int) -> int:
    """The checksum of Loro's formats (xxHash, 32 bits)."""
    at, length = 0, len(data)
    if length >= 16:
        lanes = [(seed + _P1 + _P2) & _MASK, (seed + _P2) & _MASK, seed, (seed - _P1) & _MASK]
        while at <= length - 16:
            for lane, word in enumerate(struct.unpack_from("<4I", data, at)):
                lanes[lane] = _rotl((lanes[lane] + word * _P2) & _MASK, 13) * _P1 & _MASK
            at += 16
        found = sum(_rotl(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
    else:
        found = (seed + _P5) & _MASK
    found = (found + length) & _MASK
    while at <= length - 4:
        found = _rotl((found + struct.unpack_from("<I", data, at)[0] * _P3) & _MASK, 17) * _P4 & _MASK
        at += 4
    for byte in data[at:]:
        found = _rotl((found + byte * _P5) & _MASK, 11) * _P1 & _MASK
    found = (found ^ (found >> 15)) * _P2 & _MASK
    found = (found ^ (found >> 13)) * _P3 & _MASK
    return found ^ (found >> 16)


def sealed(blob: bytes) -> bytes:
    """The bytes with the checksum that Loro wants of them."""
    return blob[:16] + struct.pack("<I", xxh32(blob[20:], int.from_bytes(b"LORO", "little"))) + blob[20:]


def mutated(blob: bytes, chance: random.Random) -> bytes:
    """The bytes changed, cut, doubled or filled up somewhere behind their head, and sealed anew."""
    head, body = blob[:22], bytearray(blob[22:])
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        at, way = chance.randrange(max(1, len(body))), chance.randrange(6)
        if way < 3 and body:
            body[at] = chance.choice([0, 1, 127, 128, 255, chance.randrange(256)])
        elif way == 3:
            del body[at : at + chance.randrange(1, 9)]
        elif way == 4:
            body[at:at] = bytes(chance.choice([255, 128, 0]) for _ in range(chance.randrange(1, 9)))
        else:
            body[at:at] = body[at : at + chance.randrange(1, 40)]
    return sealed(head + bytes(body))
