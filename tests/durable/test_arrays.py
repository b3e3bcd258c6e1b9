"""Arrays that are made a column at a time: the server reads what the driver would have sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import given, strategies as st

from concordant.storage.sql.arrays import packed

SORTS: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "int": ("bigint", st.integers(-(2**63), 2**63 - 1)),
    "float": ("double precision", st.floats(allow_nan=False)),
    "text": ("text", st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))),
    "bytes": ("bytea", st.binary()),
}


@pytest.fixture(scope="module")
def connection(postgres_server: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_server, autocommit=True) as found:
        yield found


@given(data=st.data())
@pytest.mark.parametrize("kind", SORTS)
def test_the_server_has_what_was_given(connection: psycopg.Connection[Any], kind: str, data: st.DataObject) -> None:
    """Whatever the elements are, some of them nothing, each arrives as it was."""
    sort, elements = SORTS[kind]
    values = data.draw(st.lists(st.none() | elements, min_size=1))
    query: Any = f"SELECT %b::{sort}[]"
    ((found,),) = connection.execute(query, (packed(kind, values),), binary=True).fetchall()
    assert found == values
