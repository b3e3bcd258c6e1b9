"""What a decision, or a later write, set aside in a text, and from which others go on who have not heard of that: in
another store, or by what a token had shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import Agent, List, Map, Scalar, Set, Text, Tree, Workspace

from .support import KEY, NS, only, shown, sides


class Part(BaseModel):
    id: Annotated[str, Scalar()] = ""
    notes: Annotated[str, Text()] = ""


class Brief(BaseModel):
    status: Annotated[str, Scalar()] = ""
    notes: Annotated[str, Text()] = ""
    lines: Annotated[str, Text(unit="line")] = ""
    words: Annotated[str, Text(unit="word")] = ""
    whole: Annotated[str, Text(unit="whole")] = ""
    recalled: Annotated[str, Text(provisional="all")] = ""
    texts: Annotated[dict[str, Annotated[str, Text()]], Map()] = {}
    parts: Annotated[list[Part], Set(by="id")] = []
    free: Annotated[dict[str, Any], Tree()] = {}
    steps: Annotated[list[str], List()] = []


FORMS: dict[str, tuple[Any, list[str]]] = {
    "status": (lambda one: one, ["base", "ada", "bob", "late"]),
    "notes": (lambda one: f"We go. {one} It ends.", ["It jumps.", "It sings.", "It barks.", "It roars."]),
    "lines": (lambda one: f"We go\n{one}\nIt ends", ["It jumps", "It sings", "It barks", "It roars"]),
    "words": (lambda one: f"go {one} end", ["red", "blue", "green", "pink"]),
    "whole": (lambda one: one, ["It jumps", "It sings", "It barks", "It roars"]),
    "recalled": (lambda one: f"We go. {one} It ends.", ["It jumps.", "It sings.", "It barks.", "It roars."]),
    "texts": (lambda one: {"a": f"We go. {one}"}, ["It jumps.", "It sings.", "It barks.", "It roars."]),
    "parts": (lambda one: [Part(id="a", notes=f"We go. {one}")], ["It jumps.", "It sings.", "It barks.", "It roars."]),
    "free": (lambda one: {"a": ["x", one, "y"]}, ["base", "ada", "bob", "late"]),
}
TEXTS = [name for name in FORMS if name not in ("status", "recalled")]
Orders = pytest.mark.parametrize("first_there", [False, True])
Two = tuple[Workspace, Workspace]


def edit(agent: Agent, field: str, value: Any) -> None:
    with agent.edit(NS, KEY) as brief:
        setattr(brief, field, value)


def side(field: str, one: str) -> Any:
    """What somebody has made of the contested unit, as a question tells it."""
    return ["x", one, "y"] if field == "free" else one


def parted(field: str, place: Path | None = None) -> tuple[Workspace, Workspace, Agent]:
    """Ada and Bob have changed what Eve wrote, Bob in another store, which has not heard of Ada."""
    form, (base, ada, bob, _) = FORMS[field]
    urls = [() if place is None else (f"sqlite:///{place / name}.db",) for name in ("here", "there")]
    here, there = (Workspace(*url, schemas={NS: Brief}) for url in urls)
    edit(here.agent("eve"), field, form(base))
    there.import_(here.export())
    his = there.agent("bob")
    edit(here.agent("ada"), field, form(ada))
    edit(his, field, form(bob))
    here.import_(there.export())
    return here, there, his


def told(ws: Workspace) -> Any:
    return shown(ws), sorted((q.id, q.reason, q.base, sorted(sides(q).items())) for q in ws.escalations())


def meet(two: Two, *, first_there: bool) -> None:
    """Each hears of the other, and a third of both: all tell the same."""
    here, there = two
    frames = [here.export(), there.export()]
    third = Workspace(schemas={NS: Brief})
    for frame in reversed(frames) if first_there else frames:
        third.import_(frame)
    here.import_(frames[1])
    there.import_(frames[0])
    assert told(here) == told(there) == told(third)


def decide(ws: Workspace, field: str, choice: str) -> Any:
    question = only(ws)
    if choice == "dismissed":
        return side(field, FORMS[field][1][0]), ws.dismiss(question, by="maria")
    value = side(field, "It is so.") if choice == "other" else sides(question)[choice]
    return value, ws.resolve(question, value, by="maria")


@Orders
@pytest.mark.parametrize("choice", ["ada", "bob", "other", "dismissed"])
@pytest.mark.parametrize("field", [name for name in FORMS if name != "recalled"])
def test_g8_who_goes_on_from_what_was_decided_against_differs_from_the_decision(
    field: str, choice: str, first_there: bool
) -> None:
    """A rewrite of a contender, made elsewhere before the decision was heard of, is a side against what was decided."""
    form, (base, _, _, late) = FORMS[field]
    here, there, his = parted(field)
    value, _ = decide(here, field, choice)
    edit(his, field, form(late))
    meet((here, there), first_there=first_there)
    question = only(here)
    assert sides(question) == {"maria": value, "bob": side(field, late)} | (
        {} if field != "status" else sides(question)
    )
    if field != "status":
        assert question.base == side(field, base)
    here.resolve(question, side(field, late), by="maria")
    meet((here, there), first_there=first_there)
    assert not here.escalations()


@pytest.mark.parametrize("choice", ["ada", "bob"])
@pytest.mark.parametrize("field", ["notes", "lines", "words", "whole", "texts", "parts"])
def test_who_removes_what_was_decided_against_is_asked_too(field: str, choice: str) -> None:
    """The removal of a contender, made elsewhere, is a side against what was decided."""
    form, _ = FORMS[field]
    here, there, his = parted(field)
    value, _ = decide(here, field, choice)
    edit(his, field, form("").replace("\n\n", "\n").replace("  ", " ") if isinstance(form(""), str) else form(""))
    meet((here, there), first_there=False)
    assert sides(only(here)) == {"maria": value, "bob": ""}


@pytest.mark.parametrize("field", TEXTS)
def test_who_comes_to_what_was_decided_is_not_asked(field: str) -> None:
    """A rewrite of a contender that says what was decided agrees with the decision, and is shown once."""
    form, (_, ada, _, _) = FORMS[field]
    here, there, his = parted(field)
    decide(here, field, "ada")
    edit(his, field, form(ada))
    meet((here, there), first_there=False)
    document = here.get(NS, KEY)
    assert document is not None and getattr(document.model, field) == form(ada) and not here.escalations()


@Orders
@pytest.mark.parametrize("field", TEXTS)
def test_who_goes_on_from_what_a_later_write_settled_differs_from_that(field: str, first_there: bool) -> None:
    """What was settled by a write that had seen all sides is set aside like what was decided."""
    form, (_, _, _, late) = FORMS[field]
    here, there, his = parted(field)
    edit(here.agent("maria"), field, form("It is so."))
    assert not here.escalations()
    edit(his, field, form(late))
    meet((here, there), first_there=first_there)
    assert sides(only(here)) == {"maria": side(field, "It is so."), "bob": side(field, late)}


@pytest.mark.parametrize("settled", ["decided", "written"])
@pytest.mark.parametrize("field", TEXTS)
def test_g13_an_edit_of_what_a_token_had_shown_meets_what_settled_it(field: str, settled: str) -> None:
    """Within one store too an edit begins with what its token showed, and no side is a sentence that nobody wrote."""
    form, (base, ada, bob, late) = FORMS[field]
    ws = Workspace(schemas={NS: Brief})
    edit(ws.agent("eve"), field, form(base))
    first = ws.get(NS, KEY)
    edit(ws.agent("bob"), field, form(bob))
    read = ws.get(NS, KEY)
    assert first is not None and read is not None
    edit(ws.agent("ada", seen=first.token), field, form(ada))
    if settled == "decided":
        decide(ws, field, "other")
    else:
        edit(ws.agent("maria"), field, form("It is so."))
    edit(ws.agent("bob", seen=read.token), field, form(late))
    assert sides(only(ws)) == {"maria": side(field, "It is so."), "bob": side(field, late)}


@pytest.mark.parametrize("by", ["decision", "write"])
def test_g13_who_knew_the_first_settlement_meets_the_second(by: str) -> None:
    """A question that was settled is asked again by somebody late, and settled otherwise: who goes on from the first
    settlement is a side with what she read of it, not with what it had set aside, and the second is another."""
    ws = Workspace(schemas={NS: Brief})
    edit(ws.agent("eve"), "notes", "We go. It jumps. It ends.")
    first = ws.get(NS, KEY)
    assert first is not None
    edit(ws.agent("ada", seen=first.token), "notes", "We go. It sings. It stops.")
    edit(ws.agent("bob", seen=first.token), "notes", "We go. It barks. It halts.")
    ws.resolve(only(ws), "It sings. It stops.", by="zoe")
    settled = ws.get(NS, KEY)
    edit(ws.agent("carl", seen=first.token), "notes", "We go. It roars. It ends.")
    if by == "decision":
        ws.resolve(only(ws), "It roars. It ends.", by="zoe")
    else:
        edit(ws.agent("zoe"), "notes", "We go. It sings. It roars. It ends.")
    assert settled is not None and shown(ws) == {"notes": "We go. It sings. It roars. It ends."}
    edit(ws.agent("maria", seen=settled.token), "notes", "We go. It sings. It stops well.")
    question = only(ws)
    assert (question.base, {c.value for c in question.contenders}) == (
        "It jumps. It ends.",
        {"It stops well.", "It roars. It ends."},
    )


def test_what_he_rewrote_together_with_its_neighbours_is_one_side() -> None:
    """A rewrite of a contender and of the sentence behind it is a side as a whole, and a decision on it stands."""
    here, there, his = parted("notes")
    decide(here, "notes", "ada")
    edit(his, "notes", "We go. It roars until all is over.")
    meet((here, there), first_there=False)
    question = only(here)
    assert (question.base, sides(question)) == (
        "It jumps. It ends.",
        {"maria": "It sings. It ends.", "bob": "It roars until all is over."},
    )
    here.resolve(question, "It sings. It ends.", by="maria")
    meet((here, there), first_there=False)
    assert shown(here) == {"notes": "We go. It sings. It ends."} and not here.escalations()


@Orders
def test_what_he_only_added_beside_it_is_no_question(first_there: bool) -> None:
    """A sentence put beside a contender, made elsewhere, stands beside what was decided."""
    here, there, his = parted("notes")
    decide(here, "notes", "ada")
    edit(his, "notes", "We go. It barks. It is loud. It ends.")
    meet((here, there), first_there=first_there)
    assert shown(here) == {"notes": "We go. It sings. It is loud. It ends."} and not here.escalations()


@pytest.mark.parametrize("undone_first", [False, True])
@pytest.mark.parametrize("field", [*TEXTS, "status"])
def test_g8_a_decision_that_is_taken_back_asks_with_what_was_made_of_its_sides(field: str, undone_first: bool) -> None:
    """The question is open again, and its sides are what their writers have come to, whichever is heard of first."""
    form, (_, ada, _, late) = FORMS[field]
    here, there, his = parted(field)
    decide(here, field, "other")
    edit(his, field, form(late))
    if not undone_first:
        meet((here, there), first_there=False)
    here.undo(agent="maria", by="zoe", dry_run=False)
    meet((here, there), first_there=False)
    assert sides(only(here)) == {"ada": side(field, ada), "bob": side(field, late)}


@pytest.mark.parametrize(("one", "other"), [("ada", "ada"), ("ada", "bob"), ("dismissed", "ada")])
@pytest.mark.parametrize("field", TEXTS)
def test_two_decisions_in_two_stores_agree_or_are_a_question(field: str, one: str, other: str) -> None:
    """Equal ones agree, different ones are sides, though both have set the same contenders aside."""
    here, there, _ = parted(field)
    there.import_(here.export())
    mine, _ = decide(here, field, one)
    question = only(there)
    there.resolve(question, sides(question)[other], by="nora")
    meet((here, there), first_there=False)
    assert [q.reason for q in here.escalations()] == ([] if one == other else ["scalar" if field == "free" else "text"])
    if one != other:
        assert sides(only(here)) == {
            "maria": mine,
            "nora": side(field, FORMS[field][1][("ada", "bob").index(other) + 1]),
        }


def test_it_is_so_in_files_and_after_a_restart(tmp_path: Path) -> None:
    """Stored and read anew it is the same question."""
    here, there, his = parted("notes", tmp_path)
    decide(here, "notes", "ada")
    edit(his, "notes", FORMS["notes"][0]("It roars."))
    meet((here, there), first_there=False)
    before = told(here)
    here.close()
    there.close()
    with Workspace(f"sqlite:///{tmp_path / 'here'}.db", schemas={NS: Brief}) as again:
        assert told(again) == before
        assert sides(only(again)) == {"maria": "It sings.", "bob": "It roars."}


@Orders
def test_with_all_sides_shown_the_one_that_is_left_is_not_touched(first_there: bool) -> None:
    """Whoever takes out the other sides has not touched the one that stays: who goes on from it is not asked."""
    form, (_, _, bob, late) = FORMS["recalled"]
    here, there, his = parted("recalled")
    edit(here.agent("maria"), "recalled", form(bob))
    edit(his, "recalled", form(late))
    meet((here, there), first_there=first_there)
    assert (shown(here), here.escalations()) == ({"recalled": form(late)}, [])
