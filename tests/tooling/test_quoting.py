"""How names, keys and values stand in answers: whatever they are, they break no line and hide nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from concordant import Workspace
from concordant.tooling.quoting import LONGEST, dotted, is_short, on_one_line, quoted, shortened
from tests.tooling.support import KEY, NS, Desk

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON)
def test_a_value_is_quoted_as_json_on_one_line(value: Any) -> None:
    """It reads back as it was, and every character of it shows."""
    text = quoted(value)
    assert text.isprintable() and json.loads(text) == value
    assert is_short(value) == (shortened(value) == text) and len(shortened(value)) < LONGEST + 40


@given(st.text(), st.lists(st.text() | st.integers(), min_size=1))
def test_texts_and_paths_break_no_line(text: str, path: list[Any]) -> None:
    """What others wrote into a sentence or a path stays there."""
    assert on_one_line(text).isprintable() and dotted(path, "all").isprintable()


@pytest.mark.parametrize("value", [object(), {1: object()}, float("nan"), "\ud800"])
def test_what_is_no_json_is_quoted_all_the_same(value: Any) -> None:
    """An answer never fails for what it tells of."""
    assert quoted(value).isprintable()


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda name: "\x00" not in name)


@given(NAMES, NAMES)
def test_no_name_or_key_breaks_an_answer(name: str, key: str) -> None:
    """Each line of each answer is one that the tools have written."""
    desk = Desk()
    ws: Workspace = desk.ws
    began = ws.moment()
    for agent, status in ((name, "draft"), (f"{name}.", "done")):
        value = {"owners": {key: agent}, "status": status, "tags": [key]}
        ws.agent(agent, began=began).write(NS, KEY, value)
    with desk.task(name) as caller:
        answers = [
            caller.conflicts(),
            caller.read(),
            caller.update(owners=[{"key": key, "value": "x"}], remove_owners=[key + "?"], remove_tags=[key + "?"]),
            caller.update(replace_notes=[{"find": key, "replace": "x"}]),
            caller.update(**{key: 1}),
            caller.resolve(id=key, keep=1),
        ]
    for answer in answers:
        assert all(line.isprintable() for line in answer.text.split("\n")), answer.text
