"""``Set``: union of concurrent adds, an add beats a concurrent remove, nothing escalates."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, create_model

from concordant import Set

from .support import AT, pair, shown, workspace


class Brief(BaseModel):
    tags: Annotated[set[str], Set()] = set()


class Growing(BaseModel):
    tags: Annotated[set[str], Set(grow_only=True)] = set()


def test_write_adds() -> None:
    """A write adds elements and removes none."""
    ws = workspace(Brief)
    ws.agent("ada").write(*AT, {"tags": ["a", "b"]})
    ws.agent("bob").write(*AT, {"tags": ["c"]})
    assert shown(ws) == {"tags": ["a", "b", "c"]}


def test_edit_adds_and_removes() -> None:
    """An edit carries over its difference."""
    ws = workspace(Brief)
    ws.agent("ada").write(*AT, {"tags": ["a", "b"]})
    with ws.agent("bob").edit(*AT) as brief:
        assert brief.tags == {"a", "b"}
        brief.tags.discard("a")
        brief.tags.add("c")
    assert shown(ws) == {"tags": ["b", "c"]}


def test_concurrent_adds_unite() -> None:
    """Nobody's element is lost."""
    ws = workspace(Brief)
    ada, bob = pair(ws)
    ada.write(*AT, {"tags": ["a"]})
    bob.write(*AT, {"tags": ["b"]})
    assert shown(ws) == {"tags": ["a", "b"]} and ws.escalations(state="all") == []


def test_concurrent_removes_both_count() -> None:
    """Each remove takes its element."""
    ws = workspace(Brief)
    ws.agent("eve").write(*AT, {"tags": ["a", "b", "c"]})
    ada, bob = pair(ws)
    with ada.edit(*AT) as one, bob.edit(*AT) as other:
        one.tags.discard("a")
        other.tags.discard("b")
    assert shown(ws) == {"tags": ["c"]}


@pytest.mark.parametrize("remove_last", [True, False])
def test_an_add_beats_a_concurrent_remove(remove_last: bool) -> None:
    """An element that one removes and another adds at the same time stays, in whatever order they commit."""
    ws = workspace(Brief)
    ws.agent("eve").write(*AT, {"tags": ["a"]})
    ada, bob = pair(ws)
    edit = bob.edit(*AT)
    brief = edit.__enter__()
    brief.tags.discard("a")
    if not remove_last:
        edit.__exit__(None, None, None)
    ada.write(*AT, {"tags": ["a"]})
    if remove_last:
        edit.__exit__(None, None, None)
    assert shown(ws) == {"tags": ["a"]} and ws.escalations(state="all") == []


def test_a_remove_takes_only_what_it_has_seen() -> None:
    """Two concurrent removes and a later add: the element is there; a later remove takes it."""
    ws = workspace(Brief)
    ws.agent("eve").write(*AT, {"tags": ["a"]})
    for _ in range(2):
        with ws.agent("bob").edit(*AT) as brief:
            brief.tags.discard("a")
        assert shown(ws) == {"tags": []}
        ws.agent("eve").write(*AT, {"tags": ["a"]})
        assert shown(ws) == {"tags": ["a"]}


def test_an_emptied_set_stays_written() -> None:
    """A set whose last element was removed is empty, not absent."""
    ws = workspace(Brief)
    ws.agent("eve").write(*AT, {"tags": ["a"]})
    with ws.agent("bob").edit(*AT) as brief:
        brief.tags.clear()
    assert shown(ws) == {"tags": []}


def test_an_empty_write_writes_an_empty_set() -> None:
    """Writing an empty set makes the field written, and removes nothing of a full one."""
    ws = workspace(Brief)
    ws.agent("ada").write(*AT, {"tags": []})
    assert shown(ws) == {"tags": []}
    ws.agent("bob").write(*AT, {"tags": ["a"]})
    ws.agent("eve").write(*AT, {"tags": []})
    assert shown(ws) == {"tags": ["a"]}


@pytest.mark.parametrize("annotation", [set[str], frozenset[str], list[str]])
def test_sets_frozensets_and_lists(annotation: Any) -> None:
    """A set may be declared on any of them; the model has the declared type, the value a list."""
    model = create_model("Brief", tags=(Annotated[annotation, Set()], annotation()))
    ws = workspace(model)
    ws.agent("ada").write(*AT, {"tags": annotation(["a"])})
    ws.agent("bob").write(*AT, {"tags": ["b", "a"]})
    document = ws.get(*AT)
    assert document is not None
    assert document.value == {"tags": ["a", "b"]}
    assert document.model.tags == annotation(["a", "b"])


def test_the_order_is_that_of_the_oldest_entries() -> None:
    """Elements stand in the order in which they were first written; a confirmation moves none."""
    ws = workspace(Brief)
    ws.agent("ada").write(*AT, {"tags": ["z", "m"]})
    ws.agent("bob").write(*AT, {"tags": ["a", "z"]})
    ws.agent("eve").write(*AT, {"tags": ["m", "b"]})
    assert shown(ws) == {"tags": ["z", "m", "a", "b"]}


def test_a_removed_element_that_is_added_again_is_the_youngest() -> None:
    """What was removed has no old place to come back to."""
    ws = workspace(Brief)
    ws.agent("ada").write(*AT, {"tags": ["a", "b"]})
    with ws.agent("bob").edit(*AT) as brief:
        brief.tags.discard("a")
    ws.agent("bob").write(*AT, {"tags": ["a"]})
    assert shown(ws) == {"tags": ["b", "a"]}


def test_a_confirmation_adds_an_agent() -> None:
    """An element that a second agent adds again is credited to both."""
    ws = workspace(Brief)
    ws.agent("ada").write(*AT, {"tags": ["a", "b"]})
    ws.agent("bob").write(*AT, {"tags": ["a"]})
    credits = {credit.value: credit.agents for credit in ws.blame(*AT)[("tags",)]}
    assert credits == {"a": ("ada", "bob"), "b": ("ada",)}


def test_grow_only_takes_additions_and_ignores_removals() -> None:
    """Whatever an edit or a put after a read leaves out stays."""
    ws = workspace(Growing)
    ws.agent("ada").write(*AT, {"tags": ["a", "b"]})
    with ws.agent("bob").edit(*AT) as brief:
        brief.tags.discard("a")
        brief.tags.add("c")
    assert shown(ws) == {"tags": ["a", "b", "c"]}
    ws.read_current(*AT)
    ws.put(*AT, {"tags": ["d"]})
    assert shown(ws) == {"tags": ["a", "b", "c", "d"]}


def test_elements_of_any_json_value() -> None:
    """Lists and dicts may be elements too."""
    model = create_model("Brief", tags=(Annotated[list[Any], Set()], []))
    ws = workspace(model)
    ada, bob = pair(ws)
    ada.write(*AT, {"tags": [{"a": 1}, [1, 2], None]})
    bob.write(*AT, {"tags": [[1, 2], {"a": 1}, "x"]})
    assert shown(ws) == {"tags": [{"a": 1}, [1, 2], None, "x"]}


def test_a_default_is_no_element_until_an_edit_writes_it() -> None:
    """The default of a field that was never written is in the model alone."""
    model = create_model("Brief", tags=(Annotated[set[str], Set()], {"default"}))
    ws = workspace(model)
    ws.agent("ada").write(*AT, {"tags": ["a"]})
    assert shown(ws) == {"tags": ["a"]}


def test_an_edit_of_a_field_that_holds_its_default_writes_what_it_leaves() -> None:
    """What an edit adds to the default it was shown is there afterwards, with the default."""
    model = create_model("Brief", tags=(Annotated[set[str], Set()], {"default"}))
    ws = workspace(model)
    with ws.agent("ada").edit(*AT) as brief:
        brief.tags.add("a")
    document = ws.get(*AT)
    assert document is not None and document.model.tags == {"default", "a"}
