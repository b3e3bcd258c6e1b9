"""Forms made of types, and differences: by the hundred, whatever the values."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from concordant.desk.differences import changes, shortened, words
from concordant.desk.forms import Form, annotation_at
from concordant.desk.looks import visible
from concordant.desk.wording import place, placed
from concordant.values import ABSENT, portable

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


class Colour(Enum):
    RED = "red"
    ONE = 1


class Part(BaseModel):
    model_config = ConfigDict(extra="allow")
    label: str = Field(alias="theLabel", default="none")
    weight: float | None = None
    colours: list[Colour] = []


class Whole(BaseModel):
    title: str | None
    count: int = 3
    due: date | None = None
    part: Part = Part()
    parts: list[Part] = []
    words: list[str] = []
    free: dict[str, int] | int | None = None


TYPES: list[Any] = [
    str,
    str | None,
    int,
    int | None,
    float,
    bool,
    bool | None,
    date,
    datetime | None,
    Decimal,
    Colour,
    Colour | None,
    Literal["a", 1, None, True],
    list[str],
    list[int],
    dict[str, int],
    tuple[int, str],
    int | str,
    Annotated[int, Field(ge=0, le=5)],
    Part,
    Whole,
    Whole | None,
    Any,
]


def sent(control: Any, **typed: str) -> dict[str, str]:
    """What a browser sends of a form: line breaks become two characters."""
    leaves = {one.name: one.value for one in control.all() if one.sort != "group"}
    return {name: typed.get(name, value).replace("\r\n", "\n").replace("\n", "\r\n") for name, value in leaves.items()}


@given(data=st.data(), annotation=st.sampled_from(TYPES))
def test_what_is_not_touched_stays_what_it_was(data: Any, annotation: Any) -> None:
    """A form that is sent back as it came means the very value that it showed, whatever its type."""
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)
    value = data.draw(JSON if annotation is Any else st.from_type(annotation))
    try:
        stored = adapter.dump_python(value, mode="json")
        adapter.validate_json(json.dumps(portable(stored)), by_name=True)
    except ValueError:
        return  # what the type itself does not take back
    form = Form(annotation)
    control = form.control(stored)
    assert form.read(form.control(stored), sent(control)) == portable(stored)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)


@given(TEXTS, TEXTS)
def test_one_change_leaves_the_rest(title: str, label: str) -> None:
    """Of a nested model only the input that was typed in changes; names of the model are used, not aliases."""
    stored = {"title": title, "count": 3, "part": {"label": label, "weight": None, "colours": ["red"], "more": 1}}
    form = Form(Whole)
    control = form.control(stored)
    assert {one.name for one in control.all()} >= {"v.title", "v.part.label", "v.part.weight"}
    found = form.read(control, sent(control, **{"v.count": "7"}))
    assert found["count"] == 7 and found["title"] == title and found["part"] == stored["part"]


@given(st.sampled_from(TYPES), st.text(max_size=30) | st.sampled_from(["[" * 100_000, "9" * 10_000, "1e999", "NaN"]))
def test_whatever_is_typed_is_a_value_or_told(annotation: Any, typed: str) -> None:
    """Never an exception: a value of the type, or messages beside inputs."""
    form = Form(annotation)
    control = form.control(ABSENT)
    value = form.read(control, {one.name: typed for one in control.all()})
    assert (value is ABSENT) == any(one.errors for one in control.all())
    if value is not ABSENT:
        TypeAdapter(annotation).validate_json(json.dumps(value), by_name=True)


def test_where_a_path_leads() -> None:
    """Into nested models, maps and lists; elsewhere nothing is known."""
    assert annotation_at(Whole, ("part", "weight")) == float | None
    assert annotation_at(Whole, ("parts", "x", "colours")) == list[Colour]
    for path in (("nothing",), ("title", "x"), ("free", "x")):
        assert annotation_at(Whole, path) is ABSENT
    assert annotation_at(None, ("x",)) is ABSENT


@given(TEXTS, TEXTS)
def test_differences_hold_both_texts(before: str, after: str) -> None:
    """What is the same and removed makes the old text, what is the same and added the new one."""
    parts = words(before, after)
    assert "".join(part.text for part in parts if part.sort != "added") == before
    assert "".join(part.text for part in parts if part.sort != "removed") == after
    short = shortened(parts, 3)
    assert [part for part in short if part.sort in ("added", "removed")] == [
        part for part in parts if part.sort in ("added", "removed")
    ]


@pytest.mark.parametrize("lines", [10, 20_000])
def test_long_texts_are_compared_too(lines: int) -> None:
    """By lines, where words would be too many."""
    before = "".join(f"line {n}\n" for n in range(lines))
    parts = words(before, before.replace("line 7\n", "line seven\n", 1))
    assert [part.sort for part in parts] == ["same", "removed", "added", "same"]


@given(st.dictionaries(TEXTS, JSON, max_size=4), st.dictionaries(TEXTS, JSON, max_size=4))
def test_changes_make_one_value_of_the_other(before: Any, after: Any) -> None:
    """Every path that differs, and no other."""
    made = json.loads(json.dumps(before))
    for path, old, new in changes(before, after):
        assert old is not new
        here = made
        for name in path[:-1]:
            here = here[name]
        if new is ABSENT:
            del here[path[-1]]
        else:
            here[path[-1]] = new
    assert made == after
    assert list(changes(before, before)) == []


@given(st.lists(TEXTS.filter(bool), min_size=1, max_size=4), TEXTS)
def test_a_place_is_read_as_it_is_written(namespace: list[str], key: str) -> None:
    """Whatever names hold, and nothing in it moves a cursor."""
    written = place(tuple(namespace), key)
    assert placed(written) == (tuple(namespace), key)
    assert written.isprintable()


@given(TEXTS)
def test_nothing_stays_invisible(text: str) -> None:
    """But for blanks and line breaks, what a page shows can be seen."""
    assert all(c in "\n\t" or c.isprintable() or c.isspace() for c in visible(text))
