"""``Tree``: free JSON merges as deep as it goes."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, create_model

from concordant import (
    DELETED,
    InvalidWriteError,
    List,
    Map,
    Scalar,
    Schema,
    SchemaError,
    StaleDecisionError,
    Text,
    Tree,
    Workspace,
)

from .support import AT, NS, Tasks, kinds, only, pair, recorded, shown, sides, values, workspace


class Page(BaseModel):
    x: Annotated[dict[str, Any], Tree()] = {}


class Sets(BaseModel):
    x: Annotated[dict[str, Any], Tree(lists="set")] = {}


class Whole(BaseModel):
    x: Annotated[dict[str, Any], Tree(lists="scalar")] = {}


class Trees(BaseModel):
    trees: Annotated[dict[str, Annotated[dict[str, Any], Tree()]], Map()] = {}


def edited(base: Any, one: Any, two: Any, model: Any = Page) -> Workspace:
    """Two agents edit one tree at once."""
    ws = workspace(model)
    ws.agent("base").write(*AT, {"x": base})
    ada, bob = pair(ws)
    with ada.edit(*AT) as hers, bob.edit(*AT) as his:
        hers.x, his.x = copy.deepcopy(one), copy.deepcopy(two)
    return ws


def tree(ws: Workspace) -> Any:
    """What the tree shows."""
    value = shown(ws)
    return value and value.get("x")


def test_dicts_merge_key_by_key_at_any_depth() -> None:
    """Changes of different keys meet nowhere, however deep they are."""
    ws = edited(
        {"a": {"b": {"c": 1, "d": 1}, "e": 1}},
        {"a": {"b": {"c": 2, "d": 1, "new": 1}, "e": 1}},
        {"a": {"b": {"c": 1}, "e": 3}},
    )
    assert tree(ws) == {"a": {"b": {"c": 2, "new": 1}, "e": 3}}
    assert ws.escalations() == []


def test_a_question_carries_the_whole_path() -> None:
    """Two different changes of one value are asked about where it stands; all else merges."""
    ws = edited({"a": {"b": {"c": 1, "d": 1}}}, {"a": {"b": {"c": 2, "d": 1}}}, {"a": {"b": {"c": 3, "d": 2}}})
    question = only(ws)
    assert (question.path, question.reason, question.base) == (("x", "a", "b", "c"), "scalar", 1)
    assert sides(question) == {"ada": 2, "bob": 3}
    assert tree(ws) == {"a": {"b": {"c": 1, "d": 2}}}
    ws.resolve(question, 7, by="judge")
    assert tree(ws) == {"a": {"b": {"c": 7, "d": 2}}} and ws.escalations() == []


def test_write_sets_the_paths_given() -> None:
    """What a contribution leaves out is untouched, at every depth."""
    ws = workspace(Page)
    ws.agent("ada").write(*AT, {"x": {"a": {"b": 1, "c": 1}}})
    ws.agent("bob").write(*AT, {"x": {"a": {"c": 2, "d": 2}}})
    assert tree(ws) == {"a": {"b": 1, "c": 2, "d": 2}}


def test_edit_removes_paths() -> None:
    """A key that an edit leaves out is gone, with all that was in it."""
    ws = workspace(Page)
    ws.agent("ada").write(*AT, {"x": {"a": {"b": 1, "c": {"d": 1}}}})
    with ws.agent("bob").edit(*AT) as page:
        del page.x["a"]["c"]
    assert tree(ws) == {"a": {"b": 1}}
    with ws.agent("bob").edit(*AT) as page:
        page.x["a"]["c"] = {"e": 1}
    assert tree(ws) == {"a": {"b": 1, "c": {"e": 1}}}  # G12: what was in it does not come back


def test_what_two_create_at_once_merges() -> None:
    """A dict that both make at one key is one dict."""
    ws = edited({}, {"a": {"b": 1, "same": 1}}, {"a": {"c": {"d": 1}, "same": 1}})
    assert tree(ws) == {"a": {"b": 1, "same": 1, "c": {"d": 1}}}
    assert ws.escalations() == []


def test_lists_merge_item_by_item() -> None:
    """Different items of a list are changed, added and removed by several."""
    ws = edited({"deps": ["a==1", "b==1", "c==1"]}, {"deps": ["a==2", "b==1", "c==1"]}, {"deps": ["a==1", "b==1", "d"]})
    assert tree(ws) == {"deps": ["a==2", "b==1", "d"]}
    assert ws.escalations() == []


def test_two_changes_of_one_item_are_asked_about() -> None:
    """The list with the one, or with the other; all else in it merges."""
    ws = edited({"deps": ["a==1", "b==1"]}, {"deps": ["a==2", "b==1"]}, {"deps": ["a==3", "b==1", "c"]})
    question = only(ws)
    assert (question.path, question.reason, question.base) == (("x", "deps"), "scalar", ["a==1", "b==1", "c"])
    assert sides(question) == {"ada": ["a==2", "b==1", "c"], "bob": ["a==3", "b==1", "c"]}
    assert tree(ws) == {"deps": ["a==1", "b==1", "c"]}
    ws.resolve(question, ["a==3", "b==1", "c"], by="judge")
    assert tree(ws) == {"deps": ["a==3", "b==1", "c"]} and ws.escalations() == []


def test_a_question_about_an_item_is_settled_by_any_list() -> None:
    """A decision may be another list than the contenders'; one that dismisses keeps the base."""
    for decision, expected in (
        ([9, 2, 8], [9, 2, 8]),
        ([1, 2, 3], [1, 2, 3]),
        ([], []),
        ([3, 5], [3, 5]),
        (None, [1, 2]),
    ):
        ws = edited({"n": [1, 2]}, {"n": [3, 2]}, {"n": [4, 2]})
        ws.dismiss(only(ws), by="judge") if decision is None else ws.resolve(only(ws), decision, by="judge")
        assert tree(ws) == {"n": expected} and ws.escalations() == []
        other = workspace(Page)
        other.import_(ws.export())
        assert tree(other) == {"n": expected}


def test_removals_of_items_agree() -> None:
    """Two who remove overlapping parts of a list are not asked."""
    ws = edited({"n": [1, 2, 3, 4]}, {"n": [1, 4]}, {"n": [1, 2]})
    assert tree(ws) == {"n": [1]} and ws.escalations() == []


def test_lists_as_sets_unite() -> None:
    """With ``lists="set"`` equal items count once, and nothing is asked about a list."""
    ws = edited({"n": [1, 2]}, {"n": [1, 3]}, {"n": [1, 2, 3, 4]}, Sets)
    assert tree(ws) == {"n": [1, 3, 4]} and ws.escalations() == []
    ws.agent("eve").write(*AT, {"x": {"n": [4, 5, 5], "m": [1, 1]}})
    assert tree(ws) == {"n": [1, 3, 4, 5], "m": [1]}


def test_lists_as_scalars_are_one_value() -> None:
    """With ``lists="scalar"`` two different changes of a list are a question."""
    ws = edited({"n": [1, 2]}, {"n": [1, 2, 3]}, {"n": [1, 2, 4]}, Whole)
    assert (only(ws).reason, values(only(ws))) == ("scalar", [[1, 2, 4], [1, 2, 3]])


@pytest.mark.parametrize(
    ("base", "one", "two"),
    [
        ({"a": 1}, 5, {"a": 2}),
        ({"a": 1}, [1], {"a": 1, "b": 1}),
        ([1], {"a": 1}, [1, 2]),
        ([1], "text", [2]),
        (1, {"a": {}}, [1]),
        (1, {}, []),
        ({"a": {"b": 1}}, [{"a": 1}], None),
    ],
)
def test_another_type_at_one_place_is_a_question(base: Any, one: Any, two: Any) -> None:
    """A dict against a list or another value: reason ``type``, both whole, and each may be chosen."""
    for chosen in (one, two):
        ws = edited({"at": base, "by": 1}, {"at": one, "by": 1}, {"at": two, "by": 2})
        question = only(ws)
        assert (question.path, question.reason, question.base) == (("x", "at"), "type", base)
        assert sides(question) == {"ada": one, "bob": two}
        assert tree(ws) == {"at": base, "by": 2}
        ws.resolve(question, chosen, by="judge")
        assert tree(ws) == {"at": chosen, "by": 2} and ws.escalations() == []


def test_a_question_of_type_can_be_dismissed() -> None:
    """Then what all had agreed on stands, contents included."""
    ws = edited({"at": {"a": 1, "b": {"c": 1}}}, {"at": 5}, {"at": {"a": 2, "b": {"c": 3}}})
    ws.dismiss(only(ws), by="judge")
    assert tree(ws) == {"at": {"a": 1, "b": {"c": 1}}} and ws.escalations() == []


def test_a_decided_dict_is_what_is_agreed() -> None:
    """Who joins later, having seen nothing of the decision, finds what was decided shown, with all that is in it."""
    ws = workspace(Page)
    ws.agent("base").write(*AT, {"x": {"at": {"old": 1}}})
    began = ws.moment()
    for name, value in (("ada", 2), ("bob", {"new": {"a": 1}})):
        ws.agent(name, began=began).write(*AT, {"x": {"at": value}})
    ws.resolve(only(ws), {"chosen": {"b": [1]}}, by="judge")
    ws.agent("eve", began=began).write(*AT, {"x": {"at": 3}})
    assert only(ws).base == {"chosen": {"b": [1]}} and tree(ws) == {"at": {"chosen": {"b": [1]}}}
    ws.dismiss(only(ws), by="judge")
    assert tree(ws) == {"at": {"chosen": {"b": [1]}}} and ws.escalations() == []


def test_a_question_keeps_its_id_while_types_come_and_go() -> None:
    """A dict that joins two contested values makes the question grow; it is the same one."""
    ws = workspace(Page)
    ws.agent("base").write(*AT, {"x": {"at": 1}})
    began = ws.moment()
    events = recorded(ws)
    for name, value in (("ada", 2), ("bob", 3), ("eve", {"a": 1})):
        ws.agent(name, began=began).write(*AT, {"x": {"at": value}})
    assert kinds(events) == ["opened", "grew"] and len({event.escalation.id for event in events}) == 1
    assert sides(only(ws)) == {"ada": 2, "bob": 3, "eve": {"a": 1}}


def test_a_change_inside_a_contested_dict_makes_the_question_grow() -> None:
    """Who decided on the dict as it was has not seen what it became: the decision is refused."""
    ws = edited({"at": {"a": 1}}, {"at": 5}, {"at": {"a": 2}})
    known = only(ws)
    with ws.agent("eve", began=None).edit(*AT) as page:
        page.x["other"] = 1
    assert only(ws).version == known.version
    began = ws.moment()
    ws.agent("bob", began=began).write(*AT, {"x": {"at": {"a": 2, "b": 3}}})
    with pytest.raises(StaleDecisionError):
        ws.resolve(known, 5, by="judge")


def test_deletion_of_a_key_beside_a_change_in_it() -> None:
    """A question of reason ``delete``; what was changed stays readable, with all around it."""
    ws = edited({"at": {"a": 1, "b": {"c": 1}}}, {}, {"at": {"a": 1, "b": {"c": 2}}})
    question = only(ws)
    assert (question.path, question.reason) == (("x", "at"), "delete")
    assert question.base == {"a": 1, "b": {"c": 1}}
    assert sides(question) == {"ada": DELETED, "bob": {"a": 1, "b": {"c": 2}}}
    assert tree(ws) == {"at": {"a": 1, "b": {"c": 2}}}
    ws.resolve(question, DELETED, by="judge")
    assert tree(ws) == {} and ws.escalations() == []


@pytest.mark.parametrize(("on_delete", "expected"), [("delete", {}), ("update", {"at": {"a": 2}})])
def test_on_delete_settles_keys_at_any_depth(on_delete: Any, expected: Any) -> None:
    """The namespace's policy holds for the keys of a tree."""
    ws = edited({"at": {"a": 1}}, {}, {"at": {"a": 2}}, Schema(Page, on_delete=on_delete))
    assert tree(ws) == expected and ws.escalations() == []


def test_two_deletions_agree() -> None:
    """Nobody is asked."""
    ws = edited({"at": {"a": 1}}, {}, {})
    assert tree(ws) == {} and ws.escalations() == []


def test_deletion_of_the_document_beside_a_change_at_depth() -> None:
    """As everywhere: one question about the document, which stays readable as changed."""
    ws = workspace(Page)
    ws.agent("base").write(*AT, {"x": {"a": {"b": 1, "c": 1}}})
    ada, bob = pair(ws)
    with bob.edit(*AT) as page:
        page.x["a"]["b"] = 2
    ada.delete(*AT)
    question = only(ws)
    assert (question.path, question.reason) == ((), "delete")
    assert tree(ws) == {"a": {"b": 2, "c": 1}}
    ws.resolve(question, question.contenders[0].value, by="judge")
    assert tree(ws) == {"a": {"b": 2, "c": 1}} and ws.escalations() == []


def test_trees_in_a_map() -> None:
    """A tree is a value of a map like any other kind: its key is deleted beside a change in it."""
    ws = workspace(Trees)
    ws.agent("base").write(*AT, {"trees": {"k": {"a": {"b": 1}}, "l": {}}})
    ada, bob = pair(ws)
    with ada.edit(*AT) as hers, bob.edit(*AT) as his:
        del hers.trees["k"]
        his.trees["k"]["a"]["b"] = 2
    assert (only(ws).path, only(ws).reason) == (("trees", "k"), "delete")
    assert shown(ws) == {"trees": {"k": {"a": {"b": 2}}, "l": {}}}


def test_blame_names_who_wrote_each_value() -> None:
    """By its whole path; an empty dict or list has its writer, too, and what is not shown has none."""
    ws = edited(
        {"a": {"b": 1, "c": [1]}, "e": {}}, {"a": {"b": 2, "c": [1]}, "e": {}}, {"a": {"b": 1, "c": [1, 2]}, "e": {}}
    )
    with ws.agent("eve").edit(*AT) as page:
        page.x["e"] = 5
    found = {path: [(c.value, c.agents) for c in credits] for path, credits in ws.blame(*AT).items()}
    assert found == {
        ("x", "a", "b"): [(2, ("ada",))],
        ("x", "a", "c"): [(1, ("base",)), (2, ("bob",))],
        ("x", "e"): [(5, ("eve",))],
    }


def test_equal_values_at_depth_name_all_who_wrote_them() -> None:
    """G6 holds at any depth."""
    ws = edited({}, {"a": {"b": 1}}, {"a": {"b": 1}})
    assert [c.agents for c in ws.blame(*AT)["x", "a", "b"]] in ([("ada", "bob")], [("bob", "ada")])


def test_history_tells_the_places_that_changed() -> None:
    """Not the dicts around them."""
    ws = edited({"a": {"b": 1}}, {"a": {"b": 2}}, {"a": {"b": 1, "c": {}}})
    assert {entry.paths for entry in ws.history(*AT)} == {(("x",),), (("x", "a", "b"),), (("x", "a", "c"),)}


def test_time_travel_and_undone_edits() -> None:
    """A tree is read as it was at a version, whatever type stood at a place then."""
    ws = workspace(Page)
    ada = ws.agent("ada")
    seen = []
    for value in ({"a": {"b": 1}}, {"a": 5}, {"a": {"c": 1}}, {"a": [1]}, {}):
        with ada.edit(*AT) as page:
            page.x = value
        document = ws.get(*AT)
        assert document is not None
        seen.append((document.version, value))
    for version, value in seen:
        document = ws.get(*AT, at=version)
        assert document is not None and document.value["x"] == value


def test_a_task_that_runs_again_has_its_effect_once() -> None:
    """Its put takes the place of the earlier one, at every depth."""
    ws = workspace(Page)
    tasks = Tasks(ws)
    with tasks.run("ada"):
        ws.put(*AT, {"x": {"a": {"b": 1, "c": 1}, "n": [1]}})
    with tasks.run("ada", execution=2):
        ws.put(*AT, {"x": {"a": {"b": 2}, "n": [2]}})
    assert tree(ws) == {"a": {"b": 2}, "n": [2]} and ws.escalations() == []


def test_replicas_agree_whatever_came_first() -> None:
    """Type changes, deletions and edits made apart read and ask alike on both sides."""
    one, two = workspace(Page, replica="one"), workspace(Page, replica="two")
    one.agent("ada").write(*AT, {"x": {"a": {"b": 1}, "l": [1, 2], "d": {"e": 1}}})
    one.exchange(two)
    with one.agent("ada").edit(*AT) as page:
        page.x["a"], page.x["l"] = 5, [3, 2]
        del page.x["d"]
    with two.agent("bob").edit(*AT) as page:
        page.x["a"]["c"], page.x["l"], page.x["d"]["e"] = 1, [4, 2], 2
    one.exchange(two)
    assert shown(one) == shown(two)
    told = [[(e.id, e.version, e.path, e.contenders) for e in ws.escalations()] for ws in (one, two)]
    assert told[0] == told[1] and [path for _, _, path, _ in told[0]] == [("x", "a"), ("x", "d"), ("x", "l")]


def test_values_compare_by_type() -> None:
    """``True``, ``1`` and ``1.0`` are different at any depth; NaN equals itself."""
    ws = edited({"a": {"n": 0}}, {"a": {"n": 1}}, {"a": {"n": True}})
    assert len(only(ws).contenders) == 2
    ws = edited({"a": {}}, {"a": {"n": float("nan")}}, {"a": {"n": float("nan")}})
    assert ws.escalations() == []


def test_keys_are_any_text() -> None:
    """A key may look like anything that is used inside."""
    names = ["", ":", "scalar:a", "branch:a", "items:", "\x00parked", "None", "ß"]
    base = {name: {name: [name]} for name in names}
    ws = edited(base, base, {**base, "": {"": 1}})
    assert tree(ws) == {**base, "": {"": 1}}


def test_deep_values_are_kept() -> None:
    """As deep as a value may be; far down it is one value."""
    deep: Any = 1
    for _ in range(120):
        deep = {"d": deep}
    ws = edited({"a": deep, "b": 1}, {"a": deep, "b": 2}, {"a": {"d": 5}, "b": 1})
    assert tree(ws) == {"a": {"d": 5}, "b": 2}
    pickle.dumps(ws.get(*AT))


def test_a_value_that_is_no_dict_waits() -> None:
    """As for a map: reason ``type`` at the field; with ``on_invalid="raise"`` it is refused."""
    ws = workspace(Page)
    ws.agent("ada").write(*AT, {"x": {"a": 1}})
    ws.agent("bob").write(*AT, {"x": 5})
    assert (only(ws).path, only(ws).reason) == (("x",), "type") and tree(ws) == {"a": 1}
    with pytest.raises(InvalidWriteError):
        workspace(Schema(Page, on_invalid="raise")).agent("bob").write(*AT, {"x": [1]})
    with pytest.raises(InvalidWriteError):
        ws.agent("bob").write(*AT, {"x": {"a": {"b": object()}}})


def test_what_a_model_cannot_declare() -> None:
    """Every fault at once, each with how to mend it."""

    class Inner(BaseModel):
        a: Annotated[int, Scalar()] = 0

    fields: Any = {
        "a": (Annotated[list[int], Tree()], []),
        "b": (Annotated[dict[str, Any], Tree(lists="some")], {}),  # type: ignore[arg-type]
        "c": (Annotated[dict[str, Inner], Tree()], {}),
        "d": (Annotated[dict[int, Any], Tree()], {}),
        "e": (Annotated[dict[str, Any] | None, Tree()], None),
    }
    with pytest.raises(SchemaError) as caught:
        workspace(create_model("Wrong", **fields))
    assert [fault.path for fault in caught.value.faults] == [("Wrong", name) for name in "abcde"]


# -- without a model --------------------------------------------------------------------------------------------------


def test_undeclared_tree_merges_documents_without_a_model() -> None:
    """``Workspace(undeclared="tree")``: the whole document, at any depth."""
    ws = workspace(undeclared="tree")
    ws.agent("base").write(*AT, {"a": {"b": 1, "c": 1}, "l": [1]})
    ada, bob = pair(ws)
    with ada.edit(*AT) as hers, bob.edit(*AT) as his:
        hers["a"]["b"], his["a"]["c"] = 2, 3
        hers["l"].append(2)
        his["l"].insert(0, 0)
        his["new"] = {}
    assert shown(ws) == {"a": {"b": 2, "c": 3}, "l": [0, 1, 2], "new": {}}
    assert ws.escalations() == []


def test_undeclared_tree_sequential_puts_replace() -> None:
    """G9: a sequential program gets what it would from a plain store."""
    ws = workspace(undeclared="tree")
    for value in (
        {"a": {"b": 1, "c": [1]}},
        {"a": {"b": 2}},
        {"a": [1]},
        {"a": [2], "b": {"c": {}}},
        {"b": {"d": 1}},
        {},
    ):
        ws.put(*AT, value)
        assert shown(ws) == value
    assert ws.escalations(state="all") == []


def test_undeclared_tree_removal_beside_a_change() -> None:
    """A question, whoever commits first."""
    for first in (True, False):
        ws = workspace(undeclared="tree")
        ws.agent("base").write(*AT, {"a": {"b": 1}, "c": 1})
        ada, bob = pair(ws)
        one, two = (ada, bob) if first else (bob, ada)
        with one.edit(*AT) as outer, two.edit(*AT) as inner:
            hers, his = (outer, inner) if first else (inner, outer)
            del hers["a"]
            his["a"]["b"] = 2
        assert (only(ws).path, only(ws).reason) == (("a",), "delete")
        assert shown(ws) == {"a": {"b": 2}, "c": 1}


def test_a_removed_field_beside_a_change_of_it_is_asked_about() -> None:
    """Also where dicts are values: whoever commits first."""
    for first in (True, False):
        ws = workspace()
        ws.agent("base").write(*AT, {"a": 1, "c": 1})
        ada, bob = pair(ws)
        one, two = (ada, bob) if first else (bob, ada)
        with one.edit(*AT) as outer, two.edit(*AT) as inner:
            hers, his = (outer, inner) if first else (inner, outer)
            del hers["a"]
            his["a"] = 2
        assert (only(ws).path, only(ws).reason) == (("a",), "delete")


def test_a_nested_value_that_is_edited_in_place_is_written() -> None:
    """Whatever the kind: what a model does not look into is changed in place as well."""
    for kind, annotation in ((Map(), dict[str, Any]), (Scalar(), dict[str, Any]), (Tree(), dict[str, Any])):
        ws = workspace(create_model("M", x=(Annotated[annotation, kind], {})))
        ada = ws.agent("ada")
        ada.write(*AT, {"x": {"a": {"b": [1]}}})
        with ada.edit(*AT) as document:
            document.x["a"]["b"].append(2)
            document.x["a"]["c"] = 1
        assert tree(ws) == {"a": {"b": [1, 2], "c": 1}}


# -- schema life ------------------------------------------------------------------------------------------------------


def moved(old: Any, new: Any, *values: Any, **options: Any) -> Workspace:
    """What several wrote at once under one model, in a workspace that has another."""
    before = workspace(old, replica="before") if not options else Workspace(replica="before", **options)
    before.agent("base").write(*AT, {"x": values[0]})
    ada, bob = pair(before)
    for agent, value in zip((ada, bob), values[1:], strict=False):
        agent.write(*AT, {"x": value})
    after = workspace(new, replica="after")
    after.import_(before.export())
    return after


def field(annotation: Any, kind: Any, default: Any) -> Any:
    return create_model("M", x=(Annotated[annotation, kind], default))


class Inner(BaseModel):
    a: Annotated[int | None, Scalar()] = None
    b: Annotated[dict[str, int], Map()] = {}


NestedModel = create_model("M", x=(Inner, Inner()))
OTHERS = {
    "map": field(dict[str, Any], Map(), {}),
    "map of maps": field(dict[str, Annotated[dict[str, Any], Map()]], Map(), {}),
    "scalar": field(dict[str, Any], Scalar(), {}),
    "nested": NestedModel,
}


@pytest.mark.parametrize(
    ("other", "base", "more"),
    [
        ("map", {"a": 1, "b": {"c": [1]}}, [{"d": 2}, {"e": {"f": 1}}]),
        ("map of maps", {"a": {"b": 1}, "c": {}}, [{"a": {"d": 2}}, {"e": {"f": {"g": 1}}}]),
        ("scalar", {"a": {"b": [1]}}, []),
        ("nested", {"a": 1, "b": {"c": 1}}, [{"b": {"d": 2}}, {"b": {"e": 3}}]),
    ],
)
def test_what_was_stored_under_another_model_is_a_tree(other: str, base: Any, more: list[Any]) -> None:
    """Maps, scalars and nested records become trees, with their authors; and merge as such from then on."""
    ws = moved(OTHERS[other], Page, base, *more)
    expected = copy.deepcopy(base)
    for part in more:
        for name, item in part.items():
            known = expected.get(name)
            expected[name] = {**known, **item} if isinstance(known, dict) else item
    assert tree(ws) == expected and ws.escalations() == []
    assert {agent for credits in ws.blame(*AT).values() for c in credits for agent in c.agents} >= {"base"}
    ada, bob = pair(ws)
    with ada.edit(*AT) as hers, bob.edit(*AT) as his:
        hers.x["ada"] = {"n": 1}
        his.x["bob"] = {"n": 1}
    assert tree(ws) == {**expected, "ada": {"n": 1}, "bob": {"n": 1}} and ws.escalations() == []


@pytest.mark.parametrize(
    ("other", "base", "more"),
    [
        ("map", {"a": 1, "b": "x"}, [{"d": 2}, {"e": None}]),
        ("map of maps", {"a": {"b": 1}}, [{"a": {"d": 2}}, {"e": {"f": 1}}]),
        ("nested", {"a": 1, "b": {"c": 1}}, [{"b": {"d": 2}}]),
    ],
)
def test_a_tree_becomes_what_it_fits(other: str, base: Any, more: list[Any]) -> None:
    """A tree that has the shape of a map or of a nested record is one under a model that says so."""
    ws = moved(Page, OTHERS[other], base, *more)
    value = tree(ws)
    assert ws.escalations() == [] and all(name in value for part in (base, *more) for name in part)
    with ws.agent("ada").edit(*AT) as document:
        if other == "nested":
            document.x.a = 9
        else:
            document.x["new"] = {} if other == "map of maps" else 9
    assert ws.escalations() == [] and ws.agent("bob").read(*AT, strict=True) is not None


def test_what_does_not_fit_is_asked_about() -> None:
    """A tree with dicts in it is no map of maps of numbers; it is a question, and nothing is lost."""
    ws = moved(Page, field(dict[str, int], Map(), {}), {"a": {"b": 1}}, {"c": 1})
    assert [(e.path, e.reason) for e in ws.escalations()] == [(("x",), "schema")]
    assert values(only(ws)) == [{"a": {"b": 1}, "c": 1}]


@pytest.mark.parametrize(("before", "after"), [("merge", "tree"), ("tree", "merge")])
def test_documents_without_a_model_become_trees_and_back(before: Any, after: Any) -> None:
    """What was written before ``undeclared="tree"`` reads and merges on; so does what it wrote, without it."""
    office = workspace(replica="office", undeclared=before)
    office.agent("base").write(*AT, {"a": {"b": 1, "c": 1}, "l": [1], "s": 1})
    office.agent("ada").write(*AT, {"s": 2})
    train = workspace(replica="train", undeclared=after)
    train.import_(office.export())
    assert shown(train) == {"a": {"b": 1, "c": 1}, "l": [1], "s": 2} and train.escalations() == []
    ada, bob = pair(train)
    with ada.edit(*AT) as hers, bob.edit(*AT) as his:
        hers["a"]["b"], his["a"]["c"] = 5, 6
    assert shown(train) == {"a": {"b": 5, "c": 6}, "l": [1], "s": 2} and train.escalations() == []


def test_a_store_that_is_opened_with_trees_goes_on(tmp_path: Path) -> None:
    """The same for a database: documents written once and often, listed and read after the setting has changed."""
    url = f"sqlite:///{tmp_path}/a.db"
    with Workspace(url) as ws:
        ws.put(NS, "once", {"a": {"b": 1, "c": 1}})
        for n in (1, 2):
            ws.put(NS, "often", {"a": {"b": n, "c": 1}})
    for undeclared in ("tree", "merge", "tree"):
        with Workspace(url, undeclared=undeclared) as ws:  # type: ignore[arg-type]
            assert [(d.key, d.value["a"]["c"]) for d in ws.list(NS)] == [("once", 1), ("often", 1)]
            for key in ("once", "often") if undeclared == "tree" else ():
                began = ws.moment()
                ada, bob = (ws.agent(name, began=began) for name in ("ada", "bob"))
                with ada.edit(NS, key) as hers, bob.edit(NS, key) as his:
                    hers["a"]["b"] += 1
                    his["a"][f"c{began.n}"] = 2
            assert ws.escalations() == []


def test_replicas_that_convert_apart_agree() -> None:
    """Each turns the same stored values into a tree, and changes another part of it; they meet without a question."""
    before = workspace(replica="before")
    before.agent("base").write(*AT, {"a": {"b": 1, "c": 1}, "l": [1, 2]})
    before.agent("base").write(*AT, {"s": 2})
    one, two = (workspace(replica=name, undeclared="tree") for name in ("one", "two"))
    for ws in (one, two):
        ws.import_(before.export())
    with one.agent("ada").edit(*AT) as value:
        value["a"]["b"] = 5
        value["l"].append(3)
    with two.agent("bob").edit(*AT) as value:
        value["a"]["c"] = 6
        value["l"].insert(0, 0)
    one.exchange(two)
    assert shown(one) == shown(two) == {"a": {"b": 5, "c": 6}, "l": [0, 1, 2, 3], "s": 2}
    assert one.escalations() == [] == two.escalations()


def test_fields_of_no_model_become_those_of_a_model() -> None:
    """What ``undeclared="tree"`` stored is a tree, map, list or text under a model that declares it."""
    before = workspace(replica="before", undeclared="tree")
    value = {"tree": {"a": {"b": 1}}, "map": {"a": 1}, "list": [1, 2], "text": "one", "n": 1}
    before.agent("base").write(*AT, value)
    before.agent("ada").write(*AT, {"n": 2, "map": {"b": 2}})
    model = create_model(
        "M",
        tree=(Annotated[dict[str, Any], Tree()], {}),
        map=(Annotated[dict[str, int], Map()], {}),
        list=(Annotated[list[int], List()], []),
        text=(Annotated[str, Text()], ""),
        n=(Annotated[int, Scalar()], 0),
    )
    after = workspace(model, replica="after")
    after.import_(before.export())
    assert shown(after) == {**value, "n": 2, "map": {"a": 1, "b": 2}} and after.escalations() == []
    with after.agent("bob").edit(*AT) as document:
        document.tree["a"]["c"], document.map["c"] = 1, 3
        document.list.append(3)
    assert shown(after) == {
        "tree": {"a": {"b": 1, "c": 1}}, "map": {"a": 1, "b": 2, "c": 3}, "list": [1, 2, 3], "text": "one", "n": 2,
    }  # fmt: skip
    assert after.escalations() == []


def test_other_ways_to_merge_lists_read_what_is_stored() -> None:
    """Another ``lists=`` reads what the former one wrote, and merges on."""
    for old, new in ((Page, Sets), (Sets, Page), (Whole, Page), (Page, Whole), (Whole, Sets)):
        ws = moved(old, new, {"n": [1, 2], "d": {"m": []}}, {"o": [3]})
        assert tree(ws) == {"n": [1, 2], "d": {"m": []}, "o": [3]}
        with ws.agent("eve").edit(*AT) as page:
            page.x["n"].append(9)
            page.x["d"]["m"].append(8)
        assert tree(ws) == {"n": [1, 2, 9], "d": {"m": [8]}, "o": [3]} and ws.escalations() == []


def test_unknown_settings_are_refused() -> None:
    """``undeclared=`` says what it takes."""
    with pytest.raises(SchemaError, match='"merge", "tree" or "reject"'):
        Workspace(undeclared="trees")  # type: ignore[arg-type]
    assert NS
