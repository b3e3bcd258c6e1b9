"""Taking back what an agent wrote in a text, on which others have built before they heard of it: in another store, or
in an edit that is open meanwhile."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import List, Text, Tree, Undone, Workspace

from .support import KEY, NS, only, shown, sides, wait


class Brief(BaseModel):
    notes: Annotated[str, Text()] = ""
    lines: Annotated[str, Text(unit="line")] = ""
    words: Annotated[str, Text(unit="word")] = ""
    whole: Annotated[str, Text(unit="whole")] = ""
    merged: Annotated[str, Text(overlap="merge")] = ""
    recalled: Annotated[str, Text(provisional="all")] = ""
    free: Annotated[dict[str, Any], Tree()] = {}
    steps: Annotated[list[str], List()] = []


Orders = pytest.mark.parametrize("first_there", [False, True])
Two = tuple[Workspace, Workspace]


def edit(ws: Workspace, agent: str, field: str, value: Any) -> None:
    with ws.agent(agent).edit(NS, KEY) as brief:
        setattr(brief, field, value)


def built(field: str, first: Any, bad: Any, later: Any) -> Two:
    """Eve wrote, bob changed that, and ada has gone on from it in another store."""
    here, there = Workspace(schemas={NS: Brief}), Workspace(schemas={NS: Brief})
    here.agent("eve").write(NS, KEY, {field: first})
    edit(here, "bob", field, bad)
    there.import_(here.export())
    edit(there, "ada", field, later)
    return here, there


def undo(ws: Workspace, agent: str = "bob", **options: Any) -> Undone:
    return ws.undo(agent=agent, by="maria", dry_run=False, **options)


def told(ws: Workspace) -> Any:
    return shown(ws), sorted((q.id, q.reason, q.base, sorted(sides(q).items())) for q in ws.escalations())


def exchanged(two: Two, *, first_there: bool = False) -> list[Any]:
    """What is asked in both, and shown, once each has heard of the other; it is the same."""
    here, there = two
    one, other = (there, here) if first_there else (here, there)
    one.import_(other.export())
    other.import_(one.export())
    assert told(here) == told(there)
    return [shown(here), *((q.reason, q.base, sides(q)) for q in here.escalations())]


@Orders
@pytest.mark.parametrize(
    ("field", "first", "bad", "later", "base", "side"),
    [
        ("notes", "We ship. It jumps.", "We ship. It barks.", "We ship. It sings.", "It jumps.", "It sings."),
        ("notes", "We ship. It jumps.", "Bob barks.", "Ada sings.", "We ship. It jumps.", "Ada sings."),
        ("notes", "We ship. It jumps.", "We bark. It barks.", "We bark. It sings.", "We ship. It jumps.", "It sings."),
        ("lines", "We ship\nIt jumps", "We ship\nIt barks", "We ship\nIt sings", "It jumps", "It sings"),
        ("words", "We ship it", "We sink it", "We send it", "ship", "send"),
        ("whole", "We ship", "We sink", "We send", "We ship", "We send"),
    ],
)
def test_what_was_built_on_his_sentence_is_a_question(
    first_there: bool, field: str, first: str, bad: str, later: str, base: str, side: str
) -> None:
    """What stood before him stands, and is asked about against what was built on what he wrote: in whole units as each
    left them, in both stores, whoever hears of the other first."""
    two = built(field, first, bad, later)
    undo(two[0])
    assert exchanged(two, first_there=first_there) == [{field: first}, ("text", base, {"eve": base, "ada": side})]


@Orders
def test_what_is_shown_with_all_its_sides(first_there: bool) -> None:
    """A text that shows all sides of what is open shows both."""
    two = built("recalled", "We ship. It jumps.", "We ship. It barks.", "We ship. It sings.")
    undo(two[0])
    asked = ("text", "It jumps.", {"eve": "It jumps.", "ada": "It sings."})
    assert exchanged(two, first_there=first_there) == [{"recalled": "We ship. It jumps. It sings."}, asked]


@Orders
def test_an_item_in_a_tree_is_asked_about_like_a_sentence(first_there: bool) -> None:
    """What others made elsewhere of an item that the agent had replaced meets the one before."""
    two = built("free", {"l": ["ship", "jump"]}, {"l": ["ship", "bark"]}, {"l": ["ship", "sing"]})
    undo(two[0])
    asked = ("scalar", ["ship", "jump"], {"eve": ["ship", "jump"], "ada": ["ship", "sing"]})
    assert exchanged(two, first_there=first_there) == [{"free": {"l": ["ship", "jump"]}}, asked]


@Orders
def test_what_was_removed_of_his_is_a_question(first_there: bool) -> None:
    """Whoever removed his sentence without knowing of what stands again there is asked whether that goes too."""
    two = built("notes", "We ship. It jumps.", "We ship. It barks.", "We ship.")
    undo(two[0])
    asked = ("text", "It jumps.", {"eve": "It jumps.", "ada": ""})
    assert exchanged(two, first_there=first_there) == [{"notes": "We ship. It jumps."}, asked]


@Orders
def test_what_was_built_on_what_he_only_added_is_a_question(first_there: bool) -> None:
    """Where nothing stood before, the other side is that nothing stands, by who took it back; two who removed it
    agree."""
    two = built("notes", "We ship.", "We ship. It barks.", "We ship. It sings.")
    undo(two[0])
    asked = ("text", "", {"maria": "", "ada": "It sings."})
    assert exchanged(two, first_there=first_there) == [{"notes": "We ship."}, asked]
    two = built("notes", "We ship.", "We ship. It barks.", "We ship.")
    undo(two[0])
    assert exchanged(two, first_there=first_there) == [{"notes": "We ship."}]


@Orders
@pytest.mark.parametrize(
    ("field", "first", "bad", "later", "now"),
    [
        ("notes", "We ship. It jumps.", "We ship. It barks.", "We ship. It jumps.", "We ship. It jumps."),
        ("notes", "We ship. It jumps.", "We ship. It barks.", "Ada ships. It barks.", "Ada ships. It jumps."),
        ("notes", "We ship. It jumps.", "We ship.", "Ada ships.", "Ada ships. It jumps."),
        ("notes", "We ship.", "We bark.", "We bark. Ada ships.", "We ship. Ada ships."),
        ("merged", "We ship. It jumps.", "We ship. It barks.", "We ship. It sings.", "We ship. It jumps. It sings."),
        ("steps", ["ship", "jump"], ["ship", "bark"], ["ship", "sing"], ["ship", "jump", "sing"]),
    ],
)
def test_what_was_not_built_on_it_is_not_asked(
    first_there: bool, field: str, first: Any, bad: Any, later: Any, now: Any
) -> None:
    """Who put back himself what stood before, changed or added another sentence, or writes where both stand, is not
    asked."""
    two = built(field, first, bad, later)
    undo(two[0])
    assert exchanged(two, first_there=first_there) == [{field: now}]


@Orders
def test_who_rewrote_it_without_having_seen_his_is_not_asked(first_there: bool) -> None:
    """A rewrite of what stood before him, by somebody who had not heard of him, stands alone; so does one that was made
    of what stands again."""
    here, there = Workspace(schemas={NS: Brief}), Workspace(schemas={NS: Brief})
    here.agent("eve").write(NS, KEY, {"notes": "We ship. It jumps."})
    there.import_(here.export())
    edit(here, "bob", "notes", "We bark. It barks.")
    edit(there, "ada", "notes", "Ada ships. It jumps.")
    undo(here)
    edit(here, "eve", "notes", "We ship. It flies.")
    assert exchanged((here, there), first_there=first_there) == [{"notes": "Ada ships. It flies."}]


@pytest.mark.parametrize(
    ("field", "first", "bad", "later", "now", "asked"),
    [
        (
            "notes",
            "We ship. It jumps.",
            "We ship. It barks.",
            "We ship. It sings.",
            None,
            {"eve": "It jumps.", "ada": "It sings."},
        ),
        ("notes", "We ship. It jumps.", "We ship. It barks.", "We ship.", None, {"eve": "It jumps.", "ada": ""}),
        ("notes", "We ship. It jumps.", "We bark.", "We sing.", None, {"eve": "We ship. It jumps.", "ada": "We sing."}),
        ("notes", "We ship.", "We ship. It barks.", "We ship. It sings.", None, {"maria": "", "ada": "It sings."}),
        (
            "lines",
            "We ship\nIt jumps",
            "We ship\nIt barks",
            "We ship\nIt sings",
            None,
            {"eve": "It jumps", "ada": "It sings"},
        ),
        ("words", "We ship it", "We sink it", "We send it", None, {"eve": "ship", "ada": "send"}),
        ("whole", "We ship", "We sink", "We send", None, {"eve": "We ship", "ada": "We send"}),
        ("notes", "We ship.", "We ship. It barks.", "We ship.", "We ship.", None),
        ("notes", "We ship.", "We ship. It barks.", "We ship. It barks. It sings.", "We ship. It sings.", None),
        ("notes", "We ship. It jumps.", "We ship. It barks.", "Ada ships. It barks.", "Ada ships. It jumps.", None),
    ],
)
def test_an_edit_that_is_open_meanwhile(
    field: str, first: str, bad: str, later: str, now: str | None, asked: dict[str, str] | None
) -> None:
    """Whoever began an edit before the undo, in the same store, and ends it after, has built on what was taken back as
    somebody in another store has: no text is left that nobody wrote, and what was changed elsewhere in the text
    stands. To undo the undo leaves what was edited."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("eve").write(NS, KEY, {field: first})
    edit(ws, "bob", field, bad)
    with ws.agent("ada").edit(NS, KEY) as brief:
        setattr(brief, field, later)
        done = undo(ws)
    assert shown(ws) == {field: now or first}
    assert [sides(question) for question in ws.escalations()] == ([asked] if asked is not None else [])
    undo(ws, "maria", since=done.before)
    assert told(ws) == ({field: later}, [])


def test_an_edit_is_not_carried_to_a_sentence_that_comes_back() -> None:
    """Whoever edits the agent's sentence while others that he had removed stand again, which end in the same words,
    changes none of these."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("eve").write(NS, KEY, {"notes": "Ann says so. Eve says so. Ida says so."})
    for said in ("Ann says so. Eve says so.", "Ann says so. Bob says so.", "Bob says so."):
        edit(ws, "bob", "notes", said)
    with ws.agent("ada").edit(NS, KEY) as brief:
        brief.notes = "Ada says so."
        undo(ws)
    assert shown(ws) == {"notes": "Ann says so. Eve says so. Ida says so."}
    assert sides(only(ws)) == {"eve": "Eve says so.", "ada": "Ada says so."}


@pytest.mark.parametrize("choice", ["It jumps.", "It sings."])
def test_it_is_decided_like_any_other(choice: str) -> None:
    """Either side can be decided for, in either store; who takes back the decision asks again, with the same sides."""
    two = built("notes", "We ship. It jumps.", "We ship. It barks.", "We ship. It sings.")
    here, there = two
    undo(here)
    before = exchanged(two)
    there.resolve(only(there), choice, by="dee")
    assert exchanged(two) == [{"notes": f"We ship. {choice}"}]
    undo(there, "dee")
    assert exchanged(two) == before


def test_who_has_seen_both_settles_it() -> None:
    """An edit of what is asked about, by somebody who was shown that, stands alone."""
    two = built("notes", "We ship. It jumps.", "We ship. It barks.", "We ship. It sings.")
    undo(two[0])
    exchanged(two)
    edit(two[1], "fay", "notes", "We ship. It flies.")
    assert exchanged(two) == [{"notes": "We ship. It flies."}]


def test_what_was_made_of_what_stands_again_is_the_other_side() -> None:
    """Whoever went on from what stands again is asked in the place of who had written that."""
    two = built("notes", "We ship. It jumps.", "We ship. It barks.", "We ship. It sings.")
    undo(two[0])
    edit(two[0], "fay", "notes", "We ship. It flies.")
    asked = ("text", "It jumps.", {"fay": "It flies.", "ada": "It sings."})
    assert exchanged(two) == [{"notes": "We ship. It jumps."}, asked]


def test_to_undo_the_undo_settles_it() -> None:
    """Once his sentence stands again, what was built on it stands in its place; to do it again asks again."""
    two = built("notes", "We ship. It jumps.", "We ship. It barks.", "We ship. It sings.")
    here, _ = two
    done = undo(here)
    exchanged(two)
    undo(here, "maria", since=done.before)
    assert exchanged(two) == [{"notes": "We ship. It sings."}]
    undo(here)
    _, (reason, _, asked) = exchanged(two)
    assert (reason, asked) == ("text", {"eve": "It jumps.", "ada": "It sings."})


@Orders
@pytest.mark.parametrize("first", ["We ship. It jumps.", "We ship."])
def test_who_hears_only_of_the_undo_of_the_undo_is_asked(first_there: bool, first: str) -> None:
    """His sentence that stands again and what was built on it before both are the sides of a question."""
    two = built("notes", first, "We ship. It barks.", "We ship. It sings.")
    here, _ = two
    undo(here, "maria", since=undo(here).before)
    assert shown(here) == {"notes": "We ship. It barks."}
    _, (reason, _, asked) = exchanged(two, first_there=first_there)
    assert (reason, asked) == ("text", {"bob": "It barks.", "ada": "It sings."})


def test_another_who_is_taken_back_as_well_is_no_side() -> None:
    """Where who had written the sentence before is taken back too, nothing stands there; where who built on it is,
    nothing is asked."""
    two = built("notes", "We ship. It jumps.", "We ship. It barks.", "We ship. It sings.")
    here, there = two
    here.agent("ida").write(NS, KEY, {"notes": "Ida adds."})
    undo(here)
    exchanged(two)
    undo(here, "eve")
    asked = ("text", "It sings.", {"ada": "It sings.", "maria": ""})
    assert exchanged(two) == [{"notes": "It sings.\nIda adds."}, asked]
    undo(there, "ada")
    assert exchanged(two) == [{"notes": "Ida adds."}]


@Orders
def test_a_second_undo_does_not_forget_it(first_there: bool) -> None:
    """What was taken back before another agent was, in the same text, is a question as well once it is heard of."""
    two = built("notes", "We ship. It jumps.", "We ship. It barks.", "We ship. It sings.")
    here, _ = two
    here.agent("ida").write(NS, KEY, {"notes": "Ida adds."})
    undo(here)
    undo(here, "ida")
    asked = ("text", "It jumps.", {"eve": "It jumps.", "ada": "It sings."})
    assert exchanged(two, first_there=first_there) == [{"notes": "We ship. It jumps."}, asked]


def test_it_is_so_after_a_restart(tmp_path: Path) -> None:
    """A store that is opened again, before it hears of what was built elsewhere and after, asks the same."""
    two = built("notes", "We ship. It jumps.", "We ship. It barks.", "We ship. It sings.")
    url = f"sqlite:///{tmp_path / 'here.db'}"
    with Workspace(url, schemas={NS: Brief}) as here:
        here.agent("eve").write(NS, KEY, {"notes": "We ship. It jumps."})
        edit(here, "bob", "notes", "We ship. It barks.")
        two[1].close()
        there = Workspace(schemas={NS: Brief})
        there.import_(here.export())
        edit(there, "ada", "notes", "We ship. It sings.")
        undo(here)
    with Workspace(url, schemas={NS: Brief}) as here:
        asked = exchanged((here, there))
        assert asked[1:] == [("text", "It jumps.", {"eve": "It jumps.", "ada": "It sings."})]
    with Workspace(url, schemas={NS: Brief}) as here:
        assert told(here) == told(there)
        assert here.check().ok


def test_what_nobody_can_build_on_any_more_is_forgotten() -> None:
    """Once no store and no agent can refer to it, nothing is kept of what was taken back."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("eve").write(NS, KEY, {"notes": "We ship. It jumps."})
    edit(ws, "bob", "notes", "We ship. It barks. Bob adds.")
    undo(ws)
    gc.collect()
    wait(86400, ws)
    made = ws.vacuum()
    assert (made.pieces, made.kept) == (1, ())
    edit(ws, "ada", "notes", "We ship. It sings.")
    assert told(ws) == ({"notes": "We ship. It sings."}, [])


def test_a_text_of_his_alone_leaves_no_question() -> None:
    """Of a text in which nothing else stood nothing is left: what was built on it is there alone, as a value is."""
    two = built("notes", "", "It barks.", "It sings.")
    undo(two[0])
    assert exchanged(two) == [{"notes": "It sings."}]


def test_a_deletion_that_has_not_heard_of_it_is_not_asked() -> None:
    """That something was taken back is no work: who deletes the document elsewhere meanwhile deletes it."""
    here, there = built("notes", "We ship.", "We ship. It barks.", "We ship. It barks.")
    there.agent("ada").delete(NS, KEY)
    undo(here)
    assert exchanged((here, there)) == [None]
