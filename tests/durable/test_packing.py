"""Records are packed beside the values that they repeat, and come back to the byte."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable

import pytest
from hypothesis import given, strategies as st

from concordant import Workspace
from concordant.storage.encoding import RottenError, pack, unpack

TEXTS = st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode))


@given(TEXTS, st.none() | TEXTS)
def test_what_is_packed_comes_back(data: bytes, beside: bytes | None) -> None:
    """Whatever it is, and whatever stands beside it."""
    text = b"{" + data
    assert unpack(pack(text, beside), beside) == text


def test_every_flipped_byte_is_noticed() -> None:
    """Whichever byte of what was packed has changed, something else than was packed is never unpacked from it."""
    beside = b'{"notes":"Two agents wrote this at once, and neither of them lost a word of it."}'
    data = b'{"format":1,"vector":{"a":3},"leaves":[["notes","Two agents wrote this at once, and no other"]]}'
    packed = pack(data, beside)
    for at in range(len(packed)):
        rotten = packed[:at] + bytes([packed[at] ^ 1]) + packed[at + 1 :]
        try:
            text = unpack(rotten, beside)
        except RottenError:
            continue
        assert text in (data, rotten), "neither what was packed nor, of another form, the bytes as they are"
    large = b"[" + b"7," * (1 << 18) + b"7]"
    whole = pack(large, None)
    with pytest.raises(RottenError):
        unpack(whole[:5_000] + b"8" + whole[5_001:], None)
    with pytest.raises(RottenError):
        unpack(packed, beside.replace(b"Two", b"Six"))


@pytest.mark.parametrize("size", [1_000, 29_999, 30_001, 1 << 18, (1 << 18) + 1])
def test_large_ones_come_back_too(size: int) -> None:
    """Beyond the window of the dictionary, and beyond the size that is packed at all."""
    beside = os.urandom(size // 2).hex().encode()
    text = b"{" + beside
    assert unpack(pack(text, beside), beside) == text


def test_a_document_takes_little_more_room_than_what_it_says(fresh_url: Callable[[str], str]) -> None:
    """A record of a document that was written twice is smaller than its value."""
    url = fresh_url("sqlite")
    value = {"status": "draft", "notes": "Two agents wrote this at once, and neither of them lost a word of it. " * 3}
    with Workspace(url) as workspace:
        for agent in ("ada", "bob"):
            workspace.agent(agent).write(("plans",), "launch", {**value, agent: True})
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        query = "SELECT length(value), length(record) FROM concordant_documents"
        ((shown, record),) = connection.execute(query).fetchall()
    connection.close()
    assert record < shown
