"""Copies of JSON values, of which those of large documents are made by what their JSON tells of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import given, strategies as st

from concordant.values import copied, decode, encode_read, is_shallow

scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text('a[{}]"\\', max_size=3)
records = st.lists(st.dictionaries(st.text("ab{", max_size=2), scalars, max_size=2), max_size=3)
deep: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)
)
documents = st.dictionaries(st.text("abc", max_size=2), scalars | records | st.lists(scalars | records) | deep)


def containers(value: Any) -> Iterator[Any]:
    """All lists and dicts in a value, itself among them."""
    if isinstance(value, (dict, list)):
        yield value
        for part in value.values() if isinstance(value, dict) else value:
            yield from containers(part)


def depth(value: Any) -> int:
    """How deep the containers of a value nest."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if parts is None else 1 + max(map(depth, parts), default=0)


@given(documents)
def test_a_copy_says_the_same_and_shares_nothing(value: dict[str, Any]) -> None:
    """A copy of a document's value, made with its JSON at hand or without, is equal and has no container of it."""
    text = encode_read(value)
    theirs = {id(one) for one in containers(value)}
    for copy in (copied(value), copied(value, text)):
        assert encode_read(copy) == text and copy == decode(text)
        assert theirs.isdisjoint(map(id, containers(copy)))


@given(documents)
def test_shallow_are_values_and_lists_of_records(value: dict[str, Any]) -> None:
    """A value whose containers hold no others, but for lists of dicts, is told from one with more in it, whatever
    brackets its texts have."""
    parts = [part for part in value.values() if isinstance(part, (dict, list))]
    lists = [part for part in parts if isinstance(part, list) and part and all(type(one) is dict for one in part)]
    flat = all(depth(part) == (2 if any(part is one for one in lists) else 1) for part in parts)
    assert is_shallow(value, encode_read(value)) == flat
