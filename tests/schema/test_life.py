"""A model that changes over stored data: attribution, concurrency, replicas, names, and what stays open."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, ConfigDict, create_model, field_validator, model_validator
from pydantic.alias_generators import to_camel

from concordant import ConcordantError, Counter, List, Map, Scalar, Schema, SchemaError, Set, Text, Tree, Workspace
from concordant.storage.sql.storage import SqlStorage

from .changing import CONVERTED, KINDS, model_of, pairs

NS = ("d",)
AT = (NS, "k")
Fresh = Callable[[str], str | None]


def model(**fields: Any) -> type[BaseModel]:
    return create_model("Brief", **fields)  # type: ignore[no-any-return]


def written(old: Any, *values: dict[str, Any], replica: str = "old") -> bytes:
    """A frame of a document that several agents wrote, each with what the others had."""
    ws = Workspace(schemas={NS: old} if old else None, replica=replica)
    for number, value in enumerate(values):
        ws.agent(f"o{number}").write(*AT, value)
    return ws.export()


def under(new: Any, *frames: bytes, replica: str = "new") -> Workspace:
    """A workspace with another model that imports them."""
    ws = Workspace(schemas={NS: new} if new else None, replica=replica)
    for frame in frames:
        ws.import_(frame)
    return ws


def shown(ws: Workspace) -> tuple[Any, ...]:
    """All that replicas have to agree on."""
    document = ws.get(*AT)
    assert document is not None
    questions = [(e.id, e.version, e.path, e.reason, e.contenders) for e in document.contested.values()]
    return document.value, sorted(questions, key=repr), sorted(document.undeclared), ws.blame(*AT)


WORDS = written(model(x=KINDS["values"][:2]), {"x": ["a", "b"]}, {"x": ["a", "b"]})
SET, LIST = (model_of(kind) for kind in ("set", "list"))


def test_g6_whoever_wrote_and_confirmed_a_value_stands_for_its_parts() -> None:
    """A scalar list that two agents wrote is, as a set, theirs element by element."""
    ws = under(SET, WORDS)
    for moved in (False, True):
        if moved:
            ws.agent("n").write(*AT, {"x": ["c"]})
        credits = ws.blame(*AT)[("x",)]
        assert [credit.agents for credit in credits[:2]] == [("o0", "o1"), ("o0", "o1")]


@pytest.mark.parametrize("new", ["set", "list"])
def test_who_read_the_converted_value_removes_what_was_seen(new: str) -> None:
    """Two agents who edit what they read at once: both removals count, both additions stay."""
    ws = under(model_of(new), WORDS)
    one, other = ws.agent("one"), ws.agent("other")
    with one.edit(*AT) as first, other.edit(*AT) as second:
        first.x.remove("a")
        first.x.append("c")
        second.x.remove("b")
        second.x.append("d")
    document = ws.get(*AT)
    assert document is not None
    assert document.value["x"] == ["d", "c"] and not document.contested


def test_edits_of_a_converted_text_merge() -> None:
    """A string that became a text is edited by two at once, each somewhere else."""
    ws = under(model_of("text"), written(model_of("word"), {"x": "One is red.\nTwo is blue."}))
    one, other = ws.agent("one"), ws.agent("other")
    with one.edit(*AT) as first, other.edit(*AT) as second:
        first.x = first.x.replace("red", "pink")
        second.x = second.x.replace("blue", "grey")
    document = ws.get(*AT)
    assert document is not None
    assert document.value["x"] == "One is pink.\nTwo is grey." and not document.contested


@pytest.mark.parametrize(
    ("old", "new", "then", "both"),
    [
        ("number", "counter", 2, 9),
        ("values", "set", ["c"], {"a", "b", "c"}),
        ("values", "list", ["c"], ["a", "b", "c", "c"]),
        ("word", "text", "two", "one\ntwo\ntwo"),
        ("map", "counters", {"a": 2}, {"a": 5}),
        ("set", "list", ["c"], ["a", "b", "c", "c"]),
        ("list", "set", ["c"], {"a", "b", "c"}),
        ("pairs", "record", {"a": 2}, {"a": 5}),
        ("rows", "keyed", [{"id": "1", "n": 1}], [{"id": "1", "n": 4}]),
        ("known", "keyed", [{"id": "10", "n": 1}], [{"id": "2", "n": 2}, {"id": "10", "n": 5}]),
    ],
)
def test_g4_what_two_stores_convert_each_for_itself_counts_once(old: str, new: str, then: Any, both: Any) -> None:
    """Stores that convert the same writes and go on, before they meet again, do not double them."""
    frame = written(model_of(old), {"x": KINDS[old].stored})
    stores = [under(model_of(new), frame, replica=name) for name in ("one", "two")]
    for ws in stores:
        ws.agent(ws.storage.replica).write(*AT, {"x": then})
    third = under(model_of(new), frame, *(ws.export() for ws in stores), frame, replica="three")
    stores[0].exchange(stores[1])
    assert shown(stores[0]) == shown(stores[1]) == shown(third)
    document = third.get(*AT)
    assert document is not None
    assert (set(document.value["x"]) if isinstance(both, set) else document.value["x"]) == both
    assert not document.contested


class Step(BaseModel):
    id: Annotated[str, Scalar()]
    n: Annotated[int, Counter()] = 0


class Outline(BaseModel):
    steps: Annotated[list[Step], Set(by="id")] = []
    goal: Annotated[str, Text()] = ""


@pytest.mark.parametrize("lists", ["list", "scalar"])
def test_g4_a_list_in_a_tree_that_became_records_in_a_record_counts_once(lists: Any) -> None:
    """Stores that convert it each for itself hold records that are whole, and do not double it when they meet."""
    plan = {"steps": [{"id": "1", "n": 2}], "goal": "Ship it."}
    frame = written(model(x=(Annotated[dict[str, Any], Tree(lists=lists)], {})), {"x": plan})
    stores = [under(model(x=(Outline, Outline())), frame, replica=name) for name in ("one", "two")]
    for ws in stores:
        ws.agent(ws.storage.replica).write(*AT, {"x": {"steps": [{"id": "1", "n": 1}]}})
        assert ws.check().ok
    stores[0].exchange(stores[1])
    assert shown(stores[0]) == shown(stores[1])
    document = stores[0].get(*AT)
    assert document is not None and not document.contested
    assert document.value["x"] == {"steps": [{"id": "1", "n": 4}], "goal": "Ship it."}


def test_g7_a_null_becomes_an_optional_record() -> None:
    """A value that was ``None`` is none of a record that may be missing, and can be written over."""
    old = model(x=(Annotated[dict[str, Any] | None, Scalar()], None))
    ws = under(model(x=(Outline | None, None)), written(old, {"x": None}))
    document = ws.get(*AT)
    assert document is not None and document.value == {"x": None} and document.model.x is None
    ws.agent("n").write(*AT, {"x": {"goal": "Ship it."}})
    document = ws.get(*AT)
    assert document is not None and document.value == {"x": {"goal": "Ship it."}} and not document.contested


def test_g2_a_record_that_is_optional_no_more_is_written_again_unasked() -> None:
    """Who writes to a record that was ``None``, and may not be any more, has seen that, by a write and by an edit."""
    frame = written(model(x=(Outline | None, None)), {"x": {"goal": "Ship it."}}, {"x": None})
    for edits in (False, True):
        ws = under(model(x=(Outline, Outline()), y=(Annotated[int, Scalar()], 0)), frame)
        with ws.agent("n").edit(*AT) as brief:
            brief.y = 1
        if edits:
            with ws.agent("n").edit(*AT) as brief:
                brief.x.goal = "Wait."
        else:
            ws.agent("n").write(*AT, {"x": {"goal": "Wait."}})
        document = ws.get(*AT)
        assert document is not None and not document.contested
        assert document.value == {"x": {"goal": "Wait."}, "y": 1}


@pytest.mark.parametrize("new", ["set", "list"])
def test_g1_a_store_that_had_not_converted_meets_one_that_had(new: str) -> None:
    """Either way round: what one has moved and the other still has where it was is one and the same."""
    early, late = (under(model_of(new), WORDS, replica=name) for name in ("early", "late"))
    early.agent("n").write(*AT, {"x": ["c"]})
    before = late.export()
    late.import_(early.export())
    early.import_(before)
    for ws in (early, late):
        document = ws.get(*AT)
        assert document is not None and document.value["x"] == ["a", "b", "c"] and not document.contested


def test_g12_what_was_removed_after_the_conversion_does_not_come_back() -> None:
    """A store that had not converted yet learns that an element was removed."""
    early, late = (under(SET, WORDS, replica=name) for name in ("early", "late"))
    with early.agent("n").edit(*AT) as brief:
        brief.x.remove("a")
    late.agent("m").write(*AT, {"x": ["c"]})
    early.exchange(late)
    for ws in (early, late):
        document = ws.get(*AT)
        assert document is not None and document.value["x"] == ["b", "c"]


def test_g3_a_late_write_under_the_old_model_is_asked_about() -> None:
    """A fleet in which one process still has the old model: what it writes meanwhile is a contender, not summed up."""
    old = under(model_of("number"), written(model_of("number"), {"x": 5}), replica="late")
    new = under(model_of("counter"), old.export())
    new.agent("n").write(*AT, {"x": 2})
    old.agent("o").write(*AT, {"x": 9})
    new.import_(old.export())
    (escalation,) = new.escalations()
    assert escalation.reason == "schema" and sorted(c.value for c in escalation.contenders) == [7, 9]
    old.import_(new.export())
    assert {c.value for e in old.escalations() for c in e.contenders} == {7, 9}
    new.resolve(escalation, 11, by="editor")
    document = new.get(*AT)
    assert document is not None and document.value["x"] == 11 and not document.contested


def test_g4_the_order_of_frames_does_not_matter() -> None:
    """Writes under three models, in every order of joins, end in the same value and the same questions."""
    frames = [
        written(model_of("values"), {"x": ["a"]}, replica="one"),
        written(model_of("set"), {"x": ["b"]}, replica="two"),
        written(model_of("list"), {"x": ["c", "a"]}, {"x": ["d"]}, replica="three"),
    ]
    for new in ("set", "list", "values", "text"):
        seen = {repr(shown(under(model_of(new), *order))) for order in permutations(frames)}
        assert len(seen) == 1


def test_a_list_of_which_nothing_is_left_is_an_empty_set() -> None:
    """It was written, and says so."""
    source = Workspace(schemas={NS: LIST}, replica="old")
    source.agent("o").write(*AT, {"x": ["a"]})
    with source.agent("p").edit(*AT) as brief:
        brief.x.clear()
    ws = under(SET, source.export())
    document = ws.get(*AT)
    assert document is not None and document.value == {"x": []} and not document.contested
    ws.agent("n").write(*AT, {"x": ["b"]})
    document = ws.get(*AT)
    assert document is not None and document.value == {"x": ["b"]} and not document.contested


@pytest.mark.parametrize("duplicates", [["a", "a"], ["a", "b", "a"]])
def test_a_list_with_duplicates_is_no_set(duplicates: list[str]) -> None:
    """How often something was there would be lost, so it is asked about."""
    ws = under(SET, written(LIST, {"x": duplicates}))
    (escalation,) = ws.escalations()
    assert [c.value for c in escalation.contenders] == [duplicates]


def test_a_contested_scalar_keeps_all_its_contenders() -> None:
    """What was open under the old model is open under the new one."""
    one, two = (written(model_of("word"), {"x": word}, replica=word) for word in ("red", "blue"))
    ws = under(model_of("text"), one, two)
    (escalation,) = ws.escalations()
    assert escalation.reason == "schema" and sorted(c.value for c in escalation.contenders) == ["blue", "red"]


def test_parts_that_fit_are_shown() -> None:
    """Of a map, a record and a set only what does not fit is set aside, each by its path."""
    old = model(
        m=(Annotated[dict[str, Any], Map()], {}), s=(Annotated[list[Any], Set()], []), n=(Annotated[Any, Scalar()], 0)
    )
    new = model(
        m=(Annotated[dict[str, int], Map()], {}), s=(Annotated[list[int], Set()], []), n=(Annotated[int, Scalar()], 0)
    )
    ws = under(new, written(old, {"m": {"a": 1, "b": "x"}, "s": [1, "y", "2"], "n": "3"}))
    document = ws.get(*AT)
    assert document is not None and document.value == {"m": {"a": 1}, "s": [1, 2], "n": 3}
    assert {(e.path, *(repr(c.value) for c in e.contenders)) for e in ws.escalations()} == {
        (("m", "b"), "'x'"),
        (("s",), "[1, 'y', '2']"),
    }


def test_elements_in_another_form_can_be_removed() -> None:
    """Texts that became numbers are elements like any other."""
    ws = under(
        model(s=(Annotated[list[int], Set()], [])),
        written(model(s=(Annotated[list[str], Set()], [])), {"s": ["1", "2"]}),
    )
    with ws.agent("n").edit(*AT) as brief:
        assert sorted(brief.s) == [1, 2]
        brief.s.remove(1)
    document = ws.get(*AT)
    assert document is not None and document.value == {"s": [2]} and not document.contested


def test_what_does_not_fit_in_a_set_is_dismissed_for_good() -> None:
    """A decision takes an element away wherever the way in which its old type compares had put it."""
    old = model(s=(Annotated[list[Decimal], Set()], []))
    ws = under(model(s=(Annotated[list[int], Set()], [])), written(old, {"s": ["1.10", "2.0"]}))
    ws.agent("n").write(*AT, {"s": [9]})
    (escalation,) = ws.escalations()
    ws.dismiss(escalation, by="editor")
    document = ws.get(*AT)
    assert document is not None and sorted(document.value["s"]) == [2, 9]
    assert not document.contested and not ws.escalations()


def test_nested_records_are_converted_field_by_field() -> None:
    """In a record, and in the records of a map and of a set."""

    class Old(BaseModel):
        id: Annotated[str, Scalar()] = ""
        n: Annotated[int, Scalar()] = 0

    class New(BaseModel):
        id: Annotated[str, Scalar()] = ""
        n: Annotated[int, Counter()] = 0

    def whole(part: type[BaseModel]) -> type[BaseModel]:
        return model(
            r=(part, part()),
            m=(Annotated[dict[str, part], Map()], {}),  # type: ignore[valid-type]
            k=(Annotated[list[part], Set(by="id")], []),  # type: ignore[valid-type]
        )

    value = {"r": {"n": 1}, "m": {"a": {"n": 2}}, "k": [{"id": "i", "n": 3}]}
    ws = under(whole(New), written(whole(Old), value))
    ws.agent("n").write(*AT, {"r": {"n": 10}, "m": {"a": {"n": 10}}, "k": [{"id": "i", "n": 10}]})
    document = ws.get(*AT)
    assert document is not None and not document.contested
    assert document.value == {"r": {"n": 11}, "m": {"a": {"n": 12}}, "k": [{"id": "i", "n": 13}]}


def test_names_that_were_given_to_nested_fields() -> None:
    """With dots, in a record and in the records of a map; and the kind may change with the name."""

    class Old(BaseModel):
        nick: Annotated[str | None, Scalar()] = None
        points: Annotated[int, Scalar()] = 0

    class New(BaseModel):
        name: Annotated[str | None, Scalar()] = None
        score: Annotated[int, Counter()] = 0

    def whole(part: type[BaseModel]) -> type[BaseModel]:
        return model(r=(part, part()), m=(Annotated[dict[str, part], Map()], {}))  # type: ignore[valid-type]

    renamed = {"r.nick": "r.name", "r.points": "r.score", "m.nick": "m.name", "m.points": "m.score"}
    person = {"nick": "Ada", "points": 3}
    ws = under(Schema(whole(New), renamed=renamed), written(whole(Old), {"r": person, "m": {"a": person}}))
    ws.agent("n").write(*AT, {"r": {"score": 1}})
    document = ws.get(*AT)
    assert document is not None and not document.contested and not document.undeclared
    assert document.value == {"r": {"name": "Ada", "score": 4}, "m": {"a": {"name": "Ada", "score": 3}}}


def test_a_new_name_keeps_what_was_contested_and_how() -> None:
    """A conflict under the old name is the same conflict under the new one."""
    old = model(a=(Annotated[str | None, Scalar()], None))
    source = Workspace(schemas={NS: old}, replica="old")
    source.agent("p").write(*AT, {"a": "base"})
    one, other = source.agent("one"), source.agent("other")
    one.write(*AT, {"a": "red"})
    other.write(*AT, {"a": "blue"})
    ws = under(Schema(model(b=(Annotated[str | None, Scalar()], None)), renamed={"a": "b"}), source.export())
    (escalation,) = ws.escalations()
    assert (escalation.path, escalation.reason, escalation.base) == (("b",), "scalar", "base")
    ws.resolve(escalation, "red", by="editor")
    document = ws.get(*AT)
    assert document is not None and document.value == {"b": "red"}


WRONG_NAMES: list[tuple[Any, str]] = [
    ({"t": "x"}, "still has"),
    ({"old": "new"}, "no field"),
    ({"r.a": "x"}, "not in one record"),
    (["old"], "no dict of names"),
    ({"old": 1}, "no dict of names"),
]


def test_a_store_whose_name_has_a_nul_is_refused() -> None:
    """It could not be told from an image of another store's writes."""
    with pytest.raises(ConcordantError, match="NUL"):
        Workspace(replica="a\x00b")
    with pytest.raises(ConcordantError, match="NUL"):
        Workspace().rename("a\x00b")


@pytest.mark.parametrize(("renamed", "problem"), WRONG_NAMES)
def test_names_that_cannot_be(renamed: Any, problem: str) -> None:
    """``renamed=`` names a field that is gone and one that is there, in one record."""
    with pytest.raises(SchemaError, match=problem):
        Workspace(schemas={NS: Schema(model_of("set"), renamed=renamed)})


def test_aliases_are_names_of_what_was_written_without_a_model() -> None:
    """What was stored under an alias before there was a model is the field's."""

    class Model(BaseModel):
        model_config = ConfigDict(alias_generator=to_camel)
        user_name: Annotated[str | None, Scalar()] = None

    ws = under(Model, written(None, {"userName": "ada"}))
    document = ws.get(*AT)
    assert document is not None and document.value == {"user_name": "ada"} and document.model.user_name == "ada"


def test_hidden_fields_come_back() -> None:
    """What a model without the field hid, and a later one with it finds, is what it was."""
    frame = written(model_of("set"), {"x": ["a"], "t": ["t"]})
    between = under(model_of(None), frame, replica="between")
    between.agent("n").write(*AT, {"t": ["u"]})
    document = under(model_of("set"), between.export()).get(*AT)
    assert document is not None and document.value == {"x": ["a"], "t": ["t", "u"]}


def test_what_waits_for_a_decision_waits_whatever_becomes_of_its_field() -> None:
    """A value of the wrong type, written at a path that the new model does not have, is asked about in front of it."""
    old = under(model_of("counters"), replica="old")
    old.agent("o").write(*AT, {"x": {"a": "many"}})
    ws = under(model_of("set"), old.export(), replica="newer")
    found = [(e.path, e.reason, [c.value for c in e.contenders]) for e in ws.escalations()]
    assert found[-1] == (("x",), "type", [{"a": "many"}])
    while open_ := ws.escalations():
        ws.resolve(open_[0], ["many"], by="editor")
    document = ws.get(*AT)
    assert document is not None and document.value["x"] == ["many"] and ws.escalations() == []
    gone = under(model_of(None), old.export()).get(*AT)
    assert gone is not None and "x" in gone.undeclared


def test_kinds_that_differ_are_asked_about_without_a_model_too() -> None:
    """A reader without models sees one of them, and both as contenders."""
    one, two = written(model_of("set"), {"x": ["a"]}, replica="1"), written(model_of("word"), {"x": "w"}, replica="2")
    ws = under(None, one, two)
    (escalation,) = ws.escalations()
    assert escalation.reason == "schema" and [c.value for c in escalation.contenders] == [["a"], "w"]
    ws.resolve(escalation, "w", by="editor")
    document = ws.get(*AT)
    assert document is not None and document.value == {"x": "w"} and not document.contested


def test_a_validator_that_cannot_take_what_is_stored_breaks_nothing() -> None:
    """Validators written for new values meet old ones, and may raise whatever they like."""

    class Model(BaseModel):
        x: Annotated[Any, Scalar()] = None
        y: Annotated[str, Scalar()] = ""

        @field_validator("x", mode="before")
        @classmethod
        def _known(cls, value: Any) -> Any:
            if value == "old":
                raise KeyError(value)
            return value

        @field_validator("y")
        @classmethod
        def _long(cls, value: str) -> str:
            assert value != "z", "too short"
            return value

    ws = under(Model, written(None, {"x": "old", "y": "z"}))
    document = ws.get(*AT)
    assert document is not None and document.value == {} and document.model.x is None
    assert {(e.path, *(c.value for c in e.contenders)) for e in ws.escalations()} == {(("x",), "old"), (("y",), "z")}


@pytest.mark.parametrize("times", [1, 2])
def test_a_validator_that_is_new_is_noticed(times: int, fresh_url: Fresh) -> None:
    """A model whose types stay what they are, and that has another validator, is another model."""

    def with_limit(limit: int) -> type[BaseModel]:
        def check(value: str) -> str:
            if len(value) > limit:
                raise ValueError("too long")
            return value

        return model(x=(Annotated[str, AfterValidator(check), Scalar()], ""), t=(Annotated[set[str], Set()], set()))

    class Strict(BaseModel):
        x: Annotated[str, Scalar()] = ""
        t: Annotated[set[str], Set()] = set()

        @model_validator(mode="after")
        def _short(self) -> Any:
            assert len(self.x) < 4, "too long"
            return self

    plain = model(x=(Annotated[str, Scalar()], ""), t=(Annotated[set[str], Set()], set()))
    url = fresh_url("sqlite")
    with Workspace(url, schemas={NS: plain}) as ws:
        for number in range(times):
            ws.agent(f"o{number}").write(*AT, {"x": "long text", "t": ["a"]})
    for new in (with_limit(3), Strict):
        with Workspace(url, schemas={NS: new}) as ws:
            document = ws.get(*AT)
            assert document is not None and document.model.x == "" and document.model.t == {"a"}
            (escalation,) = ws.escalations()
            assert [c.value for c in escalation.contenders] == ["long text"]


def test_the_past_is_read_under_the_present_model() -> None:
    """Before and after the conversion was stored."""
    ws = under(SET, WORDS)
    first = ws.get(*AT)
    assert first is not None
    with ws.agent("n").edit(*AT) as brief:
        brief.x.remove("a")
    past = ws.get(*AT, at=first.version)
    assert past is not None and past.value["x"] == ["a", "b"] and past.model.x == ["a", "b"]


def test_an_event_tells_of_questions_once() -> None:
    """Declaring a model opens them at once, for whoever listens."""
    ws = Workspace()
    ws.agent("o").write(*AT, {"x": "n/a"})
    heard: list[tuple[str, str]] = []
    ws.on_escalation(lambda event: heard.append((event.kind, event.escalation.reason)))
    ws.declare({NS: model_of("counter")})
    assert heard == [("opened", "schema")]
    assert len(ws.escalations()) == 1 and len(heard) == 1


@pytest.mark.parametrize("storage", ["sqlite", "postgres"])
def test_months_without_a_model(storage: str, fresh_url: Fresh) -> None:
    """A database that was written without models, again and again, and is opened with one: the questions are listed
    before anybody reads, each process opens them once, and a process without models reads what it read before."""
    url = fresh_url(storage)
    with Workspace(url) as ws:
        for number in range(30):
            ws.agent("o").write(NS, f"k{number}", {"x": number if number % 10 else "n/a"})
        ws.agent("o").write(NS, "k1", {"x": 1})
    for _ in range(2):
        with Workspace(url, schemas={NS: model_of("counter")}) as ws:
            heard: list[Any] = []
            ws.on_escalation(heard.append)
            assert sorted(e.key for e in ws.escalations()) == ["k0", "k10", "k20"]
            assert ws.stats().escalations["open"] == 3
            shown = {d.key: d.value["x"] for d in ws.list(NS) if not d.contested and d.key != "k2"}
            assert shown == {f"k{n}": n for n in range(30) if n % 10 and n != 2}
            ws.agent("n").write(NS, "k2", {"x": 1})
            assert len(heard) in (3, 0)
    with Workspace(url) as ws:
        assert {d.key: d.value.get("x") for d in ws.list(NS)}["k2"] == 4
        ws.vacuum(journal=timedelta(0))


@pytest.mark.parametrize("storage", ["sqlite"])
def test_documents_of_before_models_were_noted(storage: str, fresh_url: Fresh) -> None:
    """In a database of an earlier version nothing tells under which model a document was written once: it is taken for
    one of the present model where it fits, else for one without a model."""
    url = fresh_url(storage)
    with Workspace(url, schemas={NS: model_of("values")}) as ws:
        ws.agent("o").write(NS, "fits", {"x": ["a"], "t": ["b"]})
        ws.agent("o").write(NS, "not", {"x": ["a", "a"], "t": ["b"]})
        ws.storage.database.write(  # type: ignore[attr-defined]
            lambda tx: (
                tx.run("UPDATE concordant_documents SET fingerprint = NULL"),
                tx.run("DELETE FROM concordant_models"),
            )
        )
    with Workspace(url, schemas={NS: model_of("counter")}) as ws:
        assert sorted((e.key, *(c.value for c in e.contenders)) for e in ws.escalations()) == [
            ("fits", ["a"]),
            ("not", ["a", "a"]),
        ]
    with Workspace(url, schemas={NS: SET}) as ws:
        document = ws.get(NS, "fits")
        assert document is not None and document.value == {"x": ["a"], "t": ["b"]}


def test_text_options_do_not_matter_to_what_is_converted() -> None:
    """Two stores whose models join lines in other ways convert the same string, and meet."""
    frame = written(model_of("word"), {"x": "one"})
    one, two = (
        under(model(x=(Annotated[str, Text(separator=mark)], "")), frame, replica=name)
        for mark, name in ((" | ", "one"), ("\n", "two"))
    )
    for ws in (one, two):
        ws.agent("n").write(*AT, {"x": "two"})
    one.exchange(two)
    document = two.get(*AT)
    assert document is not None and document.value["x"].startswith("one") and not document.contested


def test_lists_of_numbers_and_of_texts() -> None:
    """Two stores whose models give items another form convert the same list, and meet without an error."""
    frame = written(None, {"x": ["1", "2"]})
    one = under(model(x=(Annotated[list[int], List()], [])), frame, replica="one")
    two = under(model(x=(Annotated[list[str], List()], [])), frame, replica="two")
    for ws, item in ((one, 3), (two, "3")):
        ws.agent("n").write(*AT, {"x": [item]})
    one.exchange(two)
    for ws in (one, two):
        document = ws.get(*AT)
        assert document is not None and document.model.x


def test_a_model_that_is_taken_back_finds_its_questions_again(fresh_url: Fresh) -> None:
    """Questions of one model close under another, and are open again under the first, each time at once."""
    url = fresh_url("sqlite")
    with Workspace(url, schemas={NS: model_of("word")}) as ws:
        ws.agent("o").write(*AT, {"x": "n/a"})
        ws.agent("o").write(*AT, {"t": ["b"]})
    for kind, questions in [("counter", 1), ("text", 0), ("counter", 1), ("set", 1), ("text", 0), ("word", 0)] * 2:
        with Workspace(url, schemas={NS: model_of(kind)}) as ws:
            assert len(ws.escalations()) == questions
            document = ws.get(*AT)
            assert document is not None and len(document.contested) == questions


def test_a_store_that_can_only_be_read_tells_its_questions(fresh_url: Fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are listed, though they cannot be stored."""
    url = fresh_url("sqlite")
    with Workspace(url, schemas={NS: model_of("word")}) as ws:
        ws.agent("o").write(*AT, {"x": "n/a"})
    with Workspace(url, schemas={NS: model_of("counter")}) as ws:
        with monkeypatch.context() as patch:
            patch.setattr(SqlStorage, "read_only", True)
            assert [[c.value for c in e.contenders] for e in ws.escalations(NS)] == [["n/a"]]
            assert ws.escalations(("other",)) == [] and list(ws.storage.escalations((), "all")) == []
        assert len(ws.escalations()) == 1


@pytest.mark.parametrize("storage", ["memory", "sqlite", "postgres"])
def test_g12_what_was_deleted_stays_so_whatever_its_fields_become(storage: str, fresh_url: Fresh) -> None:
    """Documents of every kind are deleted, then the model gives the field every other kind: nobody is shown or asked
    about one, and what is written there begins anew; what was contested about a deletion is that and nothing else."""
    ways = [way for way in pairs() if storage == "memory" or way[1] in CONVERTED.get(way[0], ())]
    url = fresh_url(storage)
    before = Workspace(url, schemas={(*way,): model_of(way[0]) for way in ways}, replica=None if url else "old")
    with before:
        for way in ways:
            value = {"x": KINDS[way[0]].stored, "t": ["a"]}
            for key in ("gone", "anew", "asked"):
                before.agent("o").write(way, key, value)
            before.agent("d").delete(way, "gone")
            before.agent("d").delete(way, "anew")
            late = before.agent("late")
            before.agent("d").delete(way, "asked")
            late.write(way, "asked", {"t": ["b"]})
        frame = before.export()
    with Workspace(url, schemas={(*way,): model_of(way[1]) for way in ways}, replica=None if url else "new") as ws:
        if url is None:
            ws.import_(frame)
        for way in ways:
            assert ws.get(way, "gone") is None and ws.get(way, "anew") is None, way
            assert [document.key for document in ws.list(way)] == ["asked"], way
            asked = [e for e in ws.escalations(way) if e.reason == "delete"]
            assert [e.key for e in asked] == ["asked"] and {e.key for e in ws.escalations(way)} == {"asked"}, way
            ws.agent("n").write(way, "anew", {"t": ["n"]})
            document = ws.get(way, "anew")
            assert document is not None and document.value == {"t": ["n"]} and not document.contested, way


def test_g12_a_record_that_was_deleted_stays_so_when_its_fields_change() -> None:
    """In a map, in a set of records, and where it is optional."""
    holders: dict[str, tuple[Callable[[Any], Any], Any, Any, Any]] = {
        "map": (lambda part: Annotated[dict[str, part], Map()], {}, {"a": {"s": "one"}, "b": {"s": "two"}}, "b"),
        "optional": (lambda part: part | None, None, {"s": "one"}, None),
    }
    for name, (field, default, value, kept) in holders.items():
        old, new = (model(x=(field(part), default), t=(Annotated[int, Counter()], 0)) for part in (Read, Edited))
        source = Workspace(schemas={NS: old}, replica="old")
        source.agent("o").write(*AT, {"x": value, "t": 1})
        with source.agent("d").edit(*AT) as brief:
            if kept is None:
                brief.x = None
            else:
                del brief.x["a"]
        ws = under(new, source.export())
        document = ws.get(*AT)
        assert document is not None and not document.contested, name
        assert document.value == source.get(*AT).value, name  # type: ignore[union-attr]
        assert kept is None or list(document.value["x"]) == [kept], name


INSTANTS: tuple[Any, Any] = (Annotated[datetime | None, Scalar()], None)
AMOUNTS: tuple[Any, Any] = (Annotated[Decimal | None, Scalar()], None)
WORDS_NOW: tuple[Any, Any] = (Annotated[str | None, Scalar()], None)
NUMBERS_NOW: tuple[Any, Any] = (Annotated[int | None, Scalar()], None)


@pytest.mark.parametrize("storage", ["sqlite", "postgres"])
@pytest.mark.parametrize(
    ("old", "sides", "new", "answer"),
    [
        (INSTANTS, ("2026-01-02T03:04:05+02:00", "2026-01-02T03:04:05Z"), WORDS_NOW, "today"),
        (INSTANTS, ("2026-01-02T03:04:05+02:00", "2026-01-02T03:04:05Z"), NUMBERS_NOW, 5),
        (AMOUNTS, ("1.10", "2.00"), WORDS_NOW, "much"),
        (WORDS_NOW, ("1.10", "2.00"), AMOUNTS, "3"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_g8_a_question_of_before_can_be_decided(
    storage: str, old: Any, sides: Any, new: Any, answer: Any, late: bool, fresh_url: Fresh
) -> None:
    """Values that compare otherwise under the new model are the contenders that they were: the listed question is the
    one in the document, and is decided, also while processes with the old model list it as theirs."""
    url = fresh_url(storage)
    before = Workspace(url, schemas={NS: model(x=old)})
    one, two = before.agent("one"), before.agent("two")
    one.write(*AT, {"x": sides[0]})
    two.write(*AT, {"x": sides[1]})
    assert len(before.escalations()) == 1
    with before, Workspace(url, schemas={NS: model(x=new)}) as ws:
        (question,) = ws.escalations()
        document = ws.get(*AT)
        assert document is not None
        assert [question.version] == [e.version for e in document.contested.values()]
        assert [c.value for c in question.contenders] == [*sides]
        if late:
            (listed,) = before.escalations()
            before.resolve(listed, sides[0], by="editor")
        else:
            ws.resolve(question, answer, by="editor")
        assert question.id not in {e.id for each in (ws, before) for e in each.escalations()}


@pytest.mark.parametrize("kind", ["record", "keyed", "map", "set", "list"])
@pytest.mark.parametrize("answer", [{"k": 2}, None])
def test_g8_a_decision_on_what_was_deleted_once_is_final(answer: Any, kind: str) -> None:
    """A record was deleted while somebody changed it, then the field became one value: the decision on what is stored
    takes the place of all of it, of what the deletion had covered too."""
    old = model(x=KINDS[kind][:2], y=(Annotated[str, Scalar()], ""))
    source = Workspace(schemas={NS: old}, replica="old")
    source.agent("a").write(*AT, {"x": KINDS[kind].stored, "y": "y"})
    gone, changed = source.agent("d"), source.agent("c")
    gone.delete(*AT)
    changed.write(*AT, {"x": KINDS[kind].later, "y": "z"})
    ws = under(model(x=(Annotated[dict[str, Any], Scalar()], {}), y=(Annotated[str, Scalar()], "")), source.export())
    ws.agent("n").write(*AT, {"y": "n"})
    (question,) = ws.escalations()
    assert (question.path, question.reason) == (("x",), "schema")
    if answer is None:
        ws.dismiss(question, by="editor")
    else:
        ws.resolve(question, answer, by="editor")
    document = ws.get(*AT)
    assert document is not None and not ws.escalations() and document.value["y"] == "n"
    assert answer is None or document.value["x"] == answer


class Read(BaseModel):
    s: Annotated[str, Scalar()] = ""


class Edited(BaseModel):
    s: Annotated[str, Text()] = ""


NESTS: dict[str, tuple[Callable[[Any], tuple[Any, Any]], Callable[[str], Any]]] = {
    "record": (lambda part: (part, part()), lambda word: {"s": word}),
    "map": (lambda part: (Annotated[dict[str, part], Map()], {}), lambda word: {"p": {"s": word}}),
    "list": (
        lambda part: (
            Annotated[
                list[create_model("Item", __base__=part, id=(Annotated[str, Scalar()], ""))],  # type: ignore[misc]
                Set(by="id"),
            ],
            [],
        ),
        lambda word: [{"s": word, "id": "p"}],
    ),
}


@pytest.mark.parametrize("nest", NESTS)
def test_g1_g4_two_stores_that_make_other_records_of_one_value_lose_nothing(nest: str) -> None:
    """Each has converted the same write to other kinds: both stand, and whoever meets them knows both."""
    field, value = NESTS[nest]
    frame = written(None, {"x": value("word")})
    stores = [under(model(x=field(part)), frame, replica=part.__name__) for part in (Read, Edited)]
    for number, ws in enumerate(stores):
        ws.agent("n").write(*AT, {"x": value(f"more{number}")})
    one, two = stores
    for _ in range(2):
        one.exchange(two)
    for ws in stores:
        document = ws.get(*AT)
        assert document is not None
        told = repr([document.value, *(c.value for e in ws.escalations() for c in e.contenders)])
        assert "word" in told and "more0" in told and "more1" in told
        assert {e.path[0] for e in document.contested.values()} == {"x"}


@pytest.mark.parametrize("nest", NESTS)
def test_what_was_converted_is_converted_once_more_within(nest: str) -> None:
    """A value became a record, and then a field of that a text: whoever gets it knows all that it is made of."""
    field, value = NESTS[nest]
    frame = written(None, {"x": value("one")})
    for part in (Read, Edited):
        ws = under(model(x=field(part), t=(Annotated[int, Counter()], 0)), frame, replica=part.__name__)
        ws.agent("n").write(*AT, {"t": 1})
        frame = ws.export()
    ws.agent("n").write(*AT, {"x": value("two")})
    other = under(model(x=field(Edited)), ws.export())
    document = other.get(*AT)
    assert document is not None and not document.contested
    assert document.value == {"x": value("one\ntwo")}


def test_g4_a_default_that_was_put_there_is_converted() -> None:
    """Two stores that edited one default, and each converted it, have it once."""
    count = (Annotated[int, Counter()], 0)
    kinds: list[tuple[Any, Any]] = [(Annotated[list[str], Set()], ["go"]), (Annotated[list[str], List()], [])]
    old, new = (model(x=field, t=count) for field in kinds)
    one, two = (under(old, replica=name) for name in ("one", "two"))
    for ws in (one, two):
        with ws.agent(ws.storage.replica).edit(*AT) as brief:
            brief.x.append(ws.storage.replica)
    one.exchange(two)
    one, two = (under(new, ws.export(), replica=f"{ws.storage.replica}b") for ws in (one, two))
    for ws in (one, two):
        ws.agent("n").write(*AT, {"t": 1})
    for _ in range(2):
        one.exchange(two)
    assert shown(one) == shown(two)
    document = one.get(*AT)
    assert document is not None and document.value == {"x": ["go", "one", "two"], "t": 2} and not document.contested
