"""Taking back what an agent did: what goes, what stays, what is asked."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from benchmarks.writers import calls
from concordant import DELETED, ConcordantError, Counter, List, Map, Scalar, Schema, Set, Text, Tree, Undone, Workspace

from .support import AT, KEY, NS, only, pair, shown, sides, values


class Person(BaseModel):
    role: Annotated[str | None, Scalar()] = None
    skills: Annotated[list[str], Set()] = []


class Brief(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    tags: Annotated[list[str], Set()] = []
    notes: Annotated[str, Text()] = ""
    steps: Annotated[list[str], List()] = []
    views: Annotated[int, Counter()] = 0
    owners: Annotated[dict[str, str], Map()] = {}
    people: Annotated[dict[str, Person], Map()] = {}
    free: Annotated[dict[str, Any], Tree()] = {}


FIRST: dict[str, Any] = {
    "status": "draft",
    "tags": ["a", "b"],
    "notes": "We ship. The fox jumps.",
    "steps": ["plan", "write"],
    "views": 2,
    "owners": {"docs": "eve"},
    "people": {"p": {"role": "chair", "skills": ["law"]}},
    "free": {"a": {"b": 1, "l": [1, 2]}},
}


def team(model: Any = Brief) -> Workspace:
    """A document that eve wrote."""
    ws = Workspace(schemas={NS: model} if model is not None else None)
    ws.agent("eve").write(NS, KEY, FIRST)
    return ws


def wrong(ws: Workspace) -> None:
    """What bob does to it."""
    with ws.agent("bob").edit(NS, KEY) as brief:
        brief.status, brief.tags, brief.views = "final", ["b", "c"], 7
        brief.notes = "We ship never. The fox jumps. Bob was here."
        brief.steps, brief.owners = ["plan", "improvise"], {"docs": "bob", "law": "bob"}
        brief.people = {"q": Person(role="clerk")}
        brief.free = {"a": {"b": 2, "l": [1]}}


def undo(ws: Workspace, agent: str = "bob", **options: Any) -> Undone:
    return ws.undo(agent=agent, by="maria", dry_run=False, **options)


def questions(ws: Workspace) -> list[Any]:
    """What is asked: where, and what the sides say."""
    return sorted((q.key, q.path, q.reason, sorted(map(repr, sides(q).items()))) for q in ws.escalations())


def everything(ws: Workspace) -> Any:
    """All documents, and what is asked about them."""
    return {document.key: document.value for document in ws.list()}, questions(ws)


def test_every_kind_is_taken_back() -> None:
    """What he added goes, what he removed and replaced stands again, with its authors; nothing is asked."""
    ws = team()
    wrong(ws)
    done = undo(ws)
    assert shown(ws) == FIRST
    assert done.questions == ()
    assert {agent for credits in ws.blame(*AT).values() for credit in credits for agent in credit.agents} == {"eve"}
    newest, taken, _ = ws.history(*AT)
    assert (newest.agent, newest.act, newest.value) == ("maria", "undo", {"agent": "bob", "undone": [taken.version]})


def test_the_preview_changes_nothing() -> None:
    """Without ``dry_run=False`` it says what would become of each document, and does nothing."""
    ws = team()
    wrong(ws)
    before = shown(ws)
    found = ws.undo(agent="bob", by="maria")
    assert (found.applied, shown(ws)) == (False, before)
    assert [(one.key, one.before, one.after, one.version) for one in found.documents] == [(KEY, before, FIRST, 0)]
    assert pickle.loads(pickle.dumps(found)) == found
    told = found.to_dict()
    assert told["documents"][0]["after"] == FIRST and told["agent"] == "bob" and not told["applied"]


def test_to_undo_it_restores_what_was() -> None:
    """It is a write like others: ``before`` tells since when; and then it can be done again."""
    ws = team()
    wrong(ws)
    before = shown(ws)
    done = undo(ws)
    undo(ws, "maria", since=done.before)
    assert shown(ws) == before
    undo(ws)
    assert shown(ws) == FIRST
    assert undo(ws).documents == ()


@pytest.mark.parametrize("model", [Brief, None])
def test_two_agents_are_taken_back_one_after_the_other(model: Any) -> None:
    """What the first said does not come back with the second who had replaced it, in either order; each undo can be
    undone by itself."""
    for first, second in (("bob", "carl"), ("carl", "bob")):
        ws = team(model)
        began = ws.moment()
        ws.agent("bob").write(NS, KEY, {"status": "wrong"})
        with ws.agent("carl").edit(NS, KEY) as brief:
            if model is None:
                brief["status"] = "worse"
            else:
                brief.status, brief.notes = "worse", brief.notes + " Worse."
        before = shown(ws)
        undo(ws, first, since=began)
        between, asked = shown(ws), questions(ws)
        done = undo(ws, second, since=began)
        assert shown(ws) == FIRST and not ws.escalations()
        undo(ws, "maria", since=done.before)
        assert shown(ws) == between and questions(ws) == asked
        undo(ws, "maria", since=began)
        assert shown(ws) == before and not ws.escalations()


THREE = "We ship. The fox jumps."
TWO_AGENTS: dict[str, tuple[str, list[tuple[str, str]], str, list[list[str]]]] = {
    "he had built on the other": (
        "eve",
        [("bob", "Bob waits. The fox jumps."), ("eve", "Eve goes. The fox jumps.")],
        THREE,
        [],
    ),
    "he had, and others wrote beside": (
        "eve",
        [
            ("bob", "Bob waits. The fox jumps."),
            ("eve", "Eve goes. The fox jumps."),
            ("ada", "Eve goes. No dog."),
        ],
        "We ship. No dog.",
        [],
    ),
    "he is no part of the question": (
        "carl",
        [("carl", "We ship. Carl jumps."), ("bob", "Bob waits. Carl jumps."), ("eve", "Eve goes. Carl jumps.")],
        "Eve goes. The fox jumps.",
        [["We ship.", "Eve goes."]],
    ),
    "one between them": (
        "eve",
        [
            ("bob", "Bob waits. The fox jumps."),
            ("eve", "Eve goes. The fox jumps."),
            ("ada", "Ada wins. The fox jumps."),
        ],
        "Ada wins. The fox jumps.",
        [["We ship.", "Ada wins."]],
    ),
    "the other was between": (
        "eve",
        [
            ("eve", "Eve goes. The fox jumps."),
            ("bob", "Bob waits. The fox jumps."),
            ("ada", "Ada wins. The fox jumps."),
        ],
        "Ada wins. The fox jumps.",
        [["We ship.", "Ada wins."]],
    ),
    "a part of what was built": (
        "eve",
        [("bob", "Bob waits. Bob too."), ("eve", "Eve goes. Bob too."), ("ada", "Eve goes. Ada wins.")],
        "Ada wins.",
        [[THREE, "Ada wins."]],
    ),
}


@pytest.mark.parametrize("case", TWO_AGENTS)
def test_two_agents_in_one_sentence(case: str) -> None:
    """A question that the first undo asked is told anew by the second: without what both had said."""
    second, steps, left, asked = TWO_AGENTS[case]
    ws = Workspace(schemas={NS: Brief})
    ws.agent("ada").write(NS, KEY, {"notes": THREE})
    for who, text in steps:
        with ws.agent(who).edit(NS, KEY) as brief:
            brief.notes = text
    before = everything(ws)
    one = undo(ws)
    between = everything(ws)
    two = undo(ws, second)
    assert shown(ws) == {"notes": left} and [*map(values, ws.escalations())] == asked
    undo(ws, "maria", since=two.before)
    assert everything(ws) == between
    undo(ws, "maria", since=one.before)
    assert everything(ws) == before


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("second", ["eve", "carl"])
def test_a_decision_about_what_the_first_undo_asked_stands(second: str, side: int) -> None:
    """Who was taken back later does not bring the question back; where the decision was for what he had said, it was
    built on that."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("ada").write(NS, KEY, {"notes": THREE})
    for who, text in (("carl", "We ship. Carl."), ("bob", "Bob waits. Carl."), ("eve", "Eve goes. Carl.")):
        with ws.agent(who).edit(NS, KEY) as brief:
            brief.notes = text
    undo(ws)
    ws.resolve(only(ws), values(only(ws))[side], by="zoe")
    undo(ws, second)
    decided, rest = ("We ship.", "Eve goes.")[side], "The fox jumps." if second == "carl" else "Carl."
    assert shown(ws) == {"notes": f"{decided} {rest}"}
    assert [*map(values, ws.escalations())] == ([["We ship.", "Eve goes."]] if (second, side) == ("eve", 1) else [])


@pytest.mark.parametrize(
    ("field", "first", "second"),
    [("notes", THREE, "We ship. Eve jumps."), ("notes", THREE, f"{THREE} Eve."), ("steps", ["a", "b"], ["a", "c"])],
)
def test_who_deleted_it_and_then_who_had_changed_it(field: str, first: Any, second: Any) -> None:
    """What others said stands when a deletion is taken back, and then a change that came before that."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("ada").write(NS, KEY, {field: first})
    with ws.agent("eve").edit(NS, KEY) as brief:
        setattr(brief, field, second)
    ws.agent("bob").delete(NS, KEY)
    undo(ws)
    between = everything(ws)
    assert between == ({KEY: {field: second}}, [])
    done = undo(ws, "eve")
    assert everything(ws) == ({KEY: {field: first}}, [])
    undo(ws, "maria", since=done.before)
    assert everything(ws) == between


def test_a_deletion_that_somebody_wrote_over_and_then_he() -> None:
    """What others said stands when a deletion is taken back, and then who had written on beside it: all of it."""
    ws = team()
    with ws.agent("eve2").edit(NS, KEY) as late:
        late.views = 7
        ws.agent("bob").delete(NS, KEY)
    ws.agent("eve2").write(NS, KEY, {"owners": {"e": "eve"}})
    undo(ws)
    undo(ws, "eve2")
    assert everything(ws) == ({KEY: FIRST}, [])


@pytest.mark.parametrize("agents", [("bob", "eve"), ("eve", "bob"), ("bob",)])
def test_a_sum_that_goes_on_from_what_was_deleted_is_counted_once(agents: tuple[str, ...]) -> None:
    """Who added to an amount that stood beside a deletion has gone on from it: it is not put back once more."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("ada").write(NS, KEY, {"views": 9})
    with ws.agent("eve").edit(NS, KEY) as late:
        late.tags = ["e"]
        ws.agent("bob").delete(NS, KEY)
    ws.agent("ada").write(NS, KEY, {"views": 9})
    for agent in agents:
        undo(ws, agent)
    assert shown(ws)["views"] == 18


@pytest.mark.parametrize(("field", "value"), [("views", 7), ("status", "y"), ("notes", "Eve too.")])
def test_what_others_deleted_stays_deleted(field: str, value: Any) -> None:
    """Two who wrote before and after a deletion by others leave nothing, and no question."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("ada").write(NS, KEY, {"status": "x", "views": 3, "notes": "Ada was here."})
    with ws.agent("bob").edit(NS, KEY) as brief:
        brief.tags = ["b"]
    ws.agent("ada").delete(NS, KEY)
    ws.agent("eve").write(NS, KEY, {field: value})
    undo(ws)
    undo(ws, "eve")
    assert everything(ws) == ({}, [])


def test_what_was_built_on_what_he_deleted_himself_is_a_question() -> None:
    """A rewrite of his sentence is asked about, though he has deleted the document that it was in meanwhile."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("bob").write(NS, KEY, {"notes": "Bob is. Bob adds."})
    late = ws.agent("bob", began=ws.moment())
    with ws.agent("ada").edit(NS, KEY) as brief:
        brief.notes = "Bob is. Ada wins."
    late.delete(NS, KEY)
    undo(ws)
    assert shown(ws) == {"notes": "Ada wins."} and values(only(ws)) == ["Ada wins.", ""]


def test_his_amounts_before_and_after_a_deletion_by_others_go() -> None:
    """An amount that went on from what a deletion kept is taken back with what it went on from."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("ada").write(NS, KEY, {"notes": "Ada was here."})
    with ws.agent("bob").edit(NS, KEY) as brief:
        brief.views = -5
    began = ws.moment()
    ws.agent("ada").delete(NS, KEY)
    ws.agent("bob", began=began).write(NS, KEY, {"tags": ["b"]})
    ws.agent("bob").write(NS, KEY, {"views": 3})
    assert shown(ws)["views"] == -2
    undo(ws)
    assert everything(ws) == ({}, [])


def test_an_amount_that_an_undo_put_back_goes_with_whose_it_was() -> None:
    """What an undo of a deletion put back of somebody's amount is taken back with that."""
    ws = Workspace(schemas={NS: Brief})
    with ws.agent("bob").edit(NS, KEY) as brief:
        brief.views = -1
    ws.agent("eve").delete(NS, KEY)
    ws.agent("ada").write(NS, KEY, {"owners": {"x": "ada"}})
    with ws.agent("bob").edit(NS, KEY) as brief:
        brief.views = -1
    undo(ws, "eve")
    assert shown(ws)["views"] == -2
    undo(ws)
    assert everything(ws) == ({KEY: {"owners": {"x": "ada"}}}, [])


def test_nothing_is_left_where_nothing_stood() -> None:
    """A document of which all was theirs is gone after an undo of both."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("eve").write(NS, KEY, {"status": "y", "steps": ["improvise"]})
    with ws.agent("bob").edit(NS, KEY) as late:
        late.tags = ["b"]
        ws.agent("bob").delete(NS, KEY)
    undo(ws, "eve")
    undo(ws)
    assert everything(ws) == ({}, [])


def test_an_undo_of_what_was_replaced_already_counts() -> None:
    """Where nothing of him stands nothing changes; it is noted, and he does not come back with who replaced him."""
    ws = team()
    began = ws.moment()
    ws.agent("bob").write(NS, KEY, {"tags": ["z"]})
    with ws.agent("carl").edit(NS, KEY) as brief:
        brief.tags = [tag for tag in brief.tags if tag != "z"]
    assert undo(ws, "bob", since=began).documents == ()
    assert ws.history(NS, KEY)[0].act == "undo"
    undo(ws, "carl", since=began)
    assert shown(ws) == FIRST
    assert undo(ws, "bob", since=began).documents == ()
    assert len([*ws.history(NS, KEY)]) == 5


def test_what_nobody_else_has_touched_stands_to_the_letter() -> None:
    """A document that he changed, deleted and began anew is as it was, its questions included; and then again."""
    ws = team()
    one, two = pair(ws)[0], ws.agent("dan")
    one.write(NS, KEY, {"status": "yes"})
    two.write(NS, KEY, {"status": "no"})
    ws.agent("dan", began=ws.moment()).write(NS, "other", {"notes": "One. Two."})
    before, since = everything(ws), ws.moment()
    wrong(ws)
    ws.agent("bob").delete(NS, KEY)
    ws.agent("bob").write(NS, KEY, {"notes": "All mine.", "steps": ["rest"]})
    ws.agent("bob").delete(NS, "other")
    spoilt = everything(ws)
    done = undo(ws, since=since)
    assert everything(ws) == before
    undo(ws, "maria", since=done.before)
    assert everything(ws) == spoilt
    undo(ws, since=since)
    assert everything(ws) == before


def test_two_sentences_of_his_that_were_rewritten_are_two_rewrites() -> None:
    """What is asked about names no text that nobody wrote: each rewrite is a sentence of its own."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("bob").write(NS, KEY, {"notes": "It rains. It pours."})
    with ws.agent("eve").edit(NS, KEY) as brief:
        brief.notes = "It shines. It glows."
    undo(ws)
    assert sides(only(ws)) == {"maria": "", "eve": "It shines. It glows."}


def test_what_was_built_on_it_is_a_question() -> None:
    """Who replaced his value having seen it keeps hers; what stood before him is the other contender."""
    ws = team()
    wrong(ws)
    ws.agent("ada").write(NS, KEY, {"status": "published"})
    undo(ws)
    question = only(ws)
    assert (question.path, sides(question)) == (("status",), {"eve": "draft", "ada": "published"})
    assert shown(ws) == {**FIRST, "status": "published"}


def test_what_was_built_where_nothing_stood_may_be_deleted() -> None:
    """Where he made what was not there before, the other contender is that it is not there."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("bob").write(NS, KEY, {"status": "final"})
    ws.agent("ada").write(NS, KEY, {"status": "published"})
    undo(ws)
    assert sides(only(ws)) == {"ada": "published", "maria": DELETED}
    ws.resolve(only(ws), DELETED, by="maria")
    assert (shown(ws) or {}).get("status") is None


def test_who_wrote_beside_him_is_not_asked() -> None:
    """A contender who had seen what he had replaced, and not him, stands alone: the question closes."""
    ws = team()
    ada, bob = pair(ws)
    bob.write(NS, KEY, {"status": "final"})
    bob.write(NS, KEY, {"status": "really final"})
    ada.write(NS, KEY, {"status": "published"})
    assert len(ws.escalations()) == 1
    undo(ws)
    assert (shown(ws), ws.escalations()) == ({**FIRST, "status": "published"}, [])


def test_who_had_not_seen_what_he_replaced_is_asked() -> None:
    """A contender who had seen neither meets what stood before him."""
    ws = Workspace(schemas={NS: Brief})
    ada = ws.agent("ada")
    ws.agent("eve").write(NS, KEY, {"status": "draft"})
    ws.agent("bob").write(NS, KEY, {"status": "final"})
    ada.write(NS, KEY, {"status": "published"})
    undo(ws)
    assert sides(only(ws)) == {"eve": "draft", "ada": "published"}


def test_who_says_the_same_stands_for_it() -> None:
    """A value that another confirmed stays, without him."""
    ws = team()
    ada, bob = pair(ws)
    bob.write(NS, KEY, {"status": "final", "tags": ["z"]})
    ada.write(NS, KEY, {"status": "final", "tags": ["z"]})
    undo(ws)
    assert (shown(ws), ws.escalations()) == ({**FIRST, "status": "final", "tags": ["a", "b", "z"]}, [])
    assert {credit.agents for credit in ws.blame(*AT)["status",]} == {("ada",)}


def test_who_confirmed_it_stands_for_it() -> None:
    """The same of one who had seen it; he is not named any more."""
    ws = team()
    ws.agent("bob").write(NS, KEY, {"status": "final", "tags": ["z"]})
    ws.agent("ada").write(NS, KEY, {"status": "final", "tags": ["z"]})
    undo(ws)
    assert (shown(ws), ws.escalations()) == ({**FIRST, "status": "final", "tags": ["a", "b", "z"]}, [])
    assert {agent for credits in ws.blame(*AT).values() for c in credits for agent in c.agents} == {"ada", "eve"}


def test_a_sentence_that_was_built_on_his_is_a_question() -> None:
    """The later sentence is shown, and asked about against the one that stood before him; both can be decided for."""
    ws = team()
    wrong(ws)
    with ws.agent("ada").edit(NS, KEY) as brief:
        brief.notes = brief.notes.replace("We ship never.", "We ship in May.")
    undo(ws)
    question = only(ws)
    assert (question.reason, sides(question)) == ("text", {"ada": "We ship in May.", "eve": "We ship."})
    assert (shown(ws) or {})["notes"] == "We ship in May. The fox jumps."
    ws.resolve(question, "We ship.", by="maria")
    assert (shown(ws) or {})["notes"] == "We ship. The fox jumps."


@pytest.mark.parametrize("first", ["It was so. The end.", ""])
def test_a_question_about_his_sentence_stays_one(first: str) -> None:
    """Of two who rewrote his sentence differently each keeps a side of her own, now over what stood before him; to undo
    it restores the question as it was."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("ann").write(NS, KEY, {"notes": first, "status": "new"})
    with ws.agent("bob").edit(NS, KEY) as brief:
        brief.notes = "Bob says so. The end."
    ada, eve = pair(ws)[0], ws.agent("eve")
    with ada.edit(NS, KEY) as one, eve.edit(NS, KEY) as other:
        one.notes, other.notes = "Ada says so. The end.", "Eve says so. The end."
    before = everything(ws)
    asked = {"ada": "Ada says so.", "eve": "Eve says so."}
    assert sides(only(ws)) == asked and only(ws).base == "Bob says so."
    done = undo(ws)
    assert sides(only(ws)) == asked and only(ws).base == first.removesuffix(" The end.")
    assert shown(ws) == {"status": "new", "notes": first}
    undo(ws, "maria", since=done.before)
    assert everything(ws) == before
    undo(ws)
    ws.resolve(only(ws), "Eve says so.", by="maria")
    after = "Eve says so. The end." if first else "Eve says so."
    assert shown(ws) == {"status": "new", "notes": after}


def test_who_mended_it_by_hand_is_not_asked() -> None:
    """Where somebody has put back what stood before him, it stands once."""
    ws = team()
    wrong(ws)
    with ws.agent("ada").edit(NS, KEY) as brief:
        brief.notes, brief.status = FIRST["notes"], "draft"
        brief.steps = FIRST["steps"]
    undo(ws)
    assert (shown(ws), ws.escalations()) == (FIRST, [])


def test_a_decision_is_a_question_again() -> None:
    """What he decided is open again, with all its sides."""
    ws = team()
    ada, eve = ws.agent("ada"), ws.agent("eve")
    with ada.edit(NS, KEY) as one, eve.edit(NS, KEY) as two:
        one.status, two.status = "published", "withdrawn"
        one.notes = one.notes.replace("fox", "red fox")
        two.notes = two.notes.replace("fox", "lazy fox")
    for question in ws.escalations():
        ws.resolve(question, "dropped" if question.reason == "scalar" else "Nothing.", by="bob")
    done = undo(ws)
    assert {question.reason: sorted(map(str, values(question))) for question in done.questions} == {
        "scalar": ["published", "withdrawn"],
        "text": ["The lazy fox jumps.", "The red fox jumps."],
    }
    assert {question.id for question in done.questions} == {question.id for question in ws.escalations()}
    assert all(question.opened_at == ws.history(*AT)[0].at for question in done.questions)


def test_documents_that_he_made_or_deleted() -> None:
    """What he made is gone, what he deleted is there again; who deleted it as well is heard."""
    ws = team()
    ws.agent("bob").write(NS, "made", {"status": "new", "views": 3, "notes": "Mine."})
    ws.agent("bob").delete(NS, KEY)
    undo(ws)
    assert (ws.get(NS, "made"), shown(ws)) == (None, FIRST)
    ada, bob = pair(ws)
    bob.delete(NS, KEY)
    ada.delete(NS, KEY)
    undo(ws)
    assert (shown(ws), ws.escalations()) == (None, [])


def test_what_was_written_over_his_deletion_meets_what_it_deleted() -> None:
    """Who began the document anew after he deleted it keeps what she wrote; what she wrote anew is asked about."""
    ws = team()
    ws.agent("bob").delete(NS, KEY)
    ws.agent("ada").write(NS, KEY, {"status": "second", "tags": ["z"]})
    undo(ws)
    assert sides(only(ws)) == {"eve": "draft", "ada": "second"}
    assert shown(ws) == {**FIRST, "status": "second", "tags": ["a", "b", "z"]}


def test_the_deletion_of_another_stands() -> None:
    """A document that somebody has deleted since is not brought back."""
    ws = team()
    wrong(ws)
    ws.agent("ada").delete(NS, KEY)
    undo(ws)
    assert (shown(ws), ws.escalations()) == (None, [])


@pytest.mark.parametrize(
    ("field", "first", "then"),
    [("notes", "The fox jumps.", "Look! The fox jumps."), ("steps", ["plan", "write"], ["plan", "improvise", "write"])],
)
def test_what_a_deletion_keeps_stands_once(field: str, first: Any, then: Any) -> None:
    """A text or list that was cut where something was inserted, and of which a deletion keeps the rest whole: to undo
    two agents, and both undos, shows each of its parts once."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("ada").write(NS, KEY, {field: first})
    with ws.agent("bob").edit(NS, KEY) as brief:
        setattr(brief, field, then)
        seen = ws.moment()
        ws.agent("eve").delete(NS, KEY)
    ws.agent("eve", began=seen).delete(NS, KEY)
    before = everything(ws)
    one = undo(ws)
    between = everything(ws)
    two = undo(ws, "eve")
    assert shown(ws) == {field: first}
    undo(ws, "maria", since=two.before)
    assert everything(ws) == between
    undo(ws, "maria", since=one.before)
    assert everything(ws) == before
    assert shown(ws) == {field: then}


@pytest.mark.parametrize("place", ["before", "between", "behind"])
def test_a_sentence_that_two_inserted_alike_stands_once(place: str) -> None:
    """What two inserted alike at one place is shown once, also where a deletion of it is undone, and that undo."""

    def inserted(notes: str) -> str:
        one, two = notes.split(". ")
        return {
            "before": f"Look! {notes}",
            "between": f"{one}. Look! {two}",
            "behind": f"{notes} Look!",
        }[place]

    ws = Workspace(schemas={NS: Brief})
    ws.agent("eve").write(NS, KEY, {"notes": "We ship. The fox jumps."})
    with ws.agent("ada").edit(NS, KEY) as hers, ws.agent("eve").edit(NS, KEY) as others:
        hers.notes, others.notes = inserted(hers.notes), inserted(others.notes)
    before = everything(ws)
    assert shown(ws)["notes"].count("Look!") == 1
    ws.agent("bob").delete(NS, KEY)
    with ws.agent("bob").edit(NS, KEY) as brief:
        brief.notes = "Bob was here."
    bad = everything(ws)
    done = undo(ws)
    assert everything(ws) == before
    undo(ws, "maria", since=done.before)
    assert everything(ws) == bad
    undo(ws)
    assert everything(ws) == before


def test_what_was_put_back_already_is_not_put_back_again() -> None:
    """A sentence that stands again since one agent's work was undone is not put back once more for the other, who
    had deleted it before."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("eve").write(NS, KEY, {"notes": "We ship.", "people": {"p": {"role": "chair"}}})
    with ws.agent("eve").edit(NS, KEY) as late:
        late.notes = "Look! We ship."
        with ws.agent("ada").edit(NS, KEY) as brief:
            brief.notes = "We shipped."
        ws.agent("eve").delete(NS, KEY)
        with ws.agent("bob").edit(NS, KEY) as brief:
            brief.tags = ["b"]
    before = everything(ws)
    one = undo(ws)
    assert only(ws).reason == "delete" and shown(ws)["notes"].split() == ["Look!", "We", "shipped."]
    between = everything(ws)
    two = undo(ws, "eve")
    assert shown(ws) == {"notes": "We shipped."} and values(only(ws)) == ["We shipped.", ""]
    undo(ws, "maria", since=two.before)
    assert everything(ws) == between
    undo(ws, "maria", since=one.before)
    assert everything(ws) == before


def test_a_question_that_was_built_on_stands_again() -> None:
    """A question about a sentence whose sides were rewritten since is the same after an undo of one who had a part in
    it, and an undo of that: gaps included."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("ada").write(NS, KEY, {"notes": "We ship."})
    with ws.agent("eve").edit(NS, KEY) as late:
        late.notes = "We never ship. Now."
        with ws.agent("eve").edit(NS, KEY) as brief:
            brief.notes = "We ship in May. The fox jumps."
        with ws.agent("ada").edit(NS, KEY) as brief:
            brief.notes = "We ship in June. The fox jumps."
        with ws.agent("eve").edit(NS, KEY) as brief:
            brief.notes = "We ship in July. The fox jumps."
    before = everything(ws)
    assert len(values(only(ws))) == 2
    done = undo(ws, "eve")
    undo(ws, "maria", since=done.before)
    assert everything(ws) == before


def test_the_sides_of_a_question_are_the_same_when_all_stand_again() -> None:
    """What is inserted beside a contested sentence is no part of its question, however often both were put back."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("eve").write(NS, KEY, {"notes": "We ship. The fox jumps."})
    with ws.agent("ada").edit(NS, KEY) as late:
        late.notes = "The fox jumps."
        with ws.agent("bob").edit(NS, KEY) as brief:
            brief.notes = "They ship. Bob jumps. The fox jumps."
        with ws.agent("ada").edit(NS, KEY) as brief:
            brief.notes = "They ship. Bob jumps."
    before = everything(ws)
    assert values(only(ws)) == ["They ship.", ""]
    one = undo(ws)
    two = undo(ws, "eve")
    undo(ws, "maria", since=two.before)
    undo(ws, "maria", since=one.before)
    assert everything(ws) == before


@pytest.mark.parametrize("field", ["steps", "notes"])
def test_what_was_emptied_and_deleted_is_empty_again(field: str) -> None:
    """A list, or text, of which an agent removed all, and which he deleted with its document, is empty again after an
    undo of both, and an undo of that: even if what he had removed is gone by then."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("ada").write(NS, KEY, {"status": "new"})
    ws.agent("bob").write(NS, KEY, {field: "Bob was here." if field == "notes" else ["improvise"]})
    with ws.agent("eve").edit(NS, KEY) as brief:
        setattr(brief, field, "" if field == "notes" else [])
    with ws.agent("eve").edit(NS, KEY) as late:
        late.owners = {"docs": "eve"}
        ws.agent("eve").delete(NS, KEY)
    undo(ws)
    between = everything(ws)
    assert shown(ws)[field] in ("", [])
    done = undo(ws, "eve")
    undo(ws, "maria", since=done.before)
    assert everything(ws) == between


def test_an_amount_that_was_taken_back_is_not_put_back_by_the_next() -> None:
    """What one had added to a counter, and another deleted with the document: who takes back both has neither."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("ada").write(NS, KEY, {"views": -2, "people": {"q": {"role": "chair"}}})
    with ws.agent("bob").edit(NS, KEY) as brief:
        brief.views, brief.people = 2, {}
    seen = ws.moment()
    ws.agent("ada").write(NS, KEY, {"status": "new"})
    ws.agent("eve", began=seen).delete(NS, KEY)
    before = everything(ws)
    one = undo(ws)
    assert [question.reason for question in ws.escalations()] == ["delete"], "his own deletion is no side any more"
    between = everything(ws)
    two = undo(ws, "eve")
    assert everything(ws) == ({KEY: {"status": "new", "views": -2, "people": {"q": {"role": "chair"}}}}, [])
    undo(ws, "maria", since=two.before)
    assert everything(ws) == between
    undo(ws, "maria", since=one.before)
    assert everything(ws) == before


def test_an_amount_that_a_deletion_kept_is_counted_once() -> None:
    """He added to a counter, deleted the document, and went on from what the deletion kept: all of it goes."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("eve").write(NS, KEY, {"views": -2})
    ws.agent("bob").write(NS, KEY, {"views": 3})
    seen = ws.moment()
    ws.agent("eve").write(NS, KEY, {"status": "new"})
    ws.agent("bob", began=seen).delete(NS, KEY)
    with ws.agent("bob").edit(NS, KEY) as brief:
        brief.views += 2
    before = everything(ws)
    done = undo(ws)
    assert everything(ws) == ({KEY: {"status": "new", "views": -2}}, [])
    undo(ws, "maria", since=done.before)
    assert everything(ws) == before


def test_what_a_deletion_inside_keeps_is_no_side_of_a_question() -> None:
    """What she removed of his from a document that was deleted makes nobody a side, before undoing both or after."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("bob").write(NS, KEY, {"views": 2, "people": {"q": {"role": "clerk"}}})
    seen = ws.moment()
    with ws.agent("eve").edit(NS, KEY) as brief:
        brief.views, brief.people = 5, {}
    ws.agent("ada", began=seen).delete(NS, KEY)
    before = everything(ws)
    assert sides(only(ws)) == {"eve": {"views": 5, "people": {}}, "ada": DELETED}
    one, two = undo(ws), undo(ws, "eve")
    undo(ws, "maria", since=two.before)
    undo(ws, "maria", since=one.before)
    assert everything(ws) == before


def test_a_document_without_a_model() -> None:
    """Its fields go and come back one by one."""
    ws = Workspace()
    ws.agent("eve").write(NS, KEY, {"a": 1, "b": 2})
    ws.put(NS, KEY, {"a": 5, "c": 6}, ws.agent("bob").scope)
    ws.agent("ada").write(NS, KEY, {"d": 7})
    undo(ws)
    assert shown(ws) == {"a": 1, "b": 2, "d": 7}


def test_an_import_does_not_bring_it_back() -> None:
    """A replica that has it from before learns that it was taken back; and what it sends changes nothing."""
    ws, other = team(), Workspace(schemas={NS: Brief})
    wrong(ws)
    frame = ws.export()
    other.import_(frame)
    undo(ws)
    ws.import_(frame)
    ws.import_(other.export())
    assert shown(ws) == FIRST
    other.exchange(ws)
    assert shown(other) == FIRST


def test_what_came_from_elsewhere_is_named() -> None:
    """What he wrote in another store is taken back there; here it is told of."""
    office, train = Workspace(schemas={NS: Brief}, replica="office"), Workspace(schemas={NS: Brief}, replica="train")
    train.agent("bob").write(NS, KEY, {"status": "final"})
    office.exchange(train)
    done = undo(office)
    assert done.documents == () and done.writers == ()
    assert [(one.key, "'train'" in one.reason) for one in done.skipped] == [(KEY, True)]
    undo(train)
    office.exchange(train)
    assert office.get(NS, KEY) is None


def test_what_the_journal_has_forgotten_is_named() -> None:
    """The part that is known is taken back; what is older stands, and is said to."""
    ws = team()
    ws.agent("bob").write(NS, KEY, {"status": "old"})
    ws.storage.advance(ws.storage.time() + 10)
    ws.vacuum(journal=timedelta(0))
    ws.agent("bob").write(NS, KEY, {"owners": {"docs": "bob"}})
    done = undo(ws)
    assert shown(ws) == {**FIRST, "status": "old"}
    assert [one.reason for one in done.skipped] == ["the journal does not reach back to it any more"]


@pytest.mark.parametrize("since", ["version", "time", "moment"])
def test_since_when(since: str) -> None:
    """A version and a moment mean what came after, a time what came then or later."""
    ws = team()
    ws.agent("bob").write(NS, KEY, {"status": "before"})
    ws.storage.advance(ws.storage.time() + 10)
    version, moment = ws.moment().n, ws.moment()
    ws.agent("bob").write(NS, KEY, {"status": "after", "views": 5})
    at = ws.history(*AT)[0].at
    undo(ws, since={"version": version, "time": at, "moment": moment}[since])
    assert shown(ws) == {**FIRST, "status": "before"}


def test_plain_errors() -> None:
    """Who has written nothing is told who has; what is no time is said to be none."""
    ws = team()
    found = ws.undo(agent="bbo", by="maria")
    assert (found.documents, found.writers) == ((), ("eve",))
    bad: list[Callable[[], Any]] = [
        lambda: ws.undo(agent="bob", by="maria", since="yesterday"),  # type: ignore[arg-type]
        lambda: ws.undo(agent="bob", by="maria", since=datetime(2026, 5, 1)),
        lambda: ws.undo(agent="bob", by="maria", since=-1),
        lambda: ws.undo(agent="", by="maria"),
        lambda: ws.undo(agent="bob", by=""),
        lambda: ws.undo(agent="bob", by="maria", prefix="t"),  # type: ignore[arg-type]
    ]
    for call in bad:
        with pytest.raises(ConcordantError, match=r"since=|agent=|by=|prefix"):
            call()


def test_under_another_model(tmp_path: Any) -> None:
    """What was written under an earlier model goes and comes back in the form of the present one."""

    class Later(BaseModel):
        state: Annotated[str | None, Scalar()] = None
        tags: Annotated[list[str], Set()] = []

    url = f"sqlite:///{tmp_path}/x.db"
    with Workspace(url, schemas={NS: Brief}) as ws:
        ws.agent("ada").write(NS, KEY, {"status": "new"})
        ws.agent("bob").write(NS, KEY, {"status": "bad", "tags": ["b"]})
        ws.agent("bob").write(NS, "only", {"status": "bad"})
    with Workspace(url, schemas={NS: Schema(Later, renamed={"status": "state"})}) as ws:
        before = everything(ws)
        assert before[0] == {KEY: {"state": "bad", "tags": ["b"]}, "only": {"state": "bad"}}
        done = undo(ws)
        assert everything(ws) == ({KEY: {"state": "new"}}, [])
        undo(ws, "maria", since=done.before)
        assert everything(ws) == before


def test_who_may_not_decide_may_not_undo() -> None:
    """A schema that names deciders and writers is obeyed, document by document."""
    ws = team(Schema(Brief, deciders=("human:*",)))
    wrong(ws)
    done = ws.undo(agent="bob", by="maria", dry_run=False)
    assert done.documents == () and "maria" in done.skipped[0].reason
    ws.undo(agent="bob", by="human:maria", dry_run=False)
    assert shown(ws) == FIRST


def test_a_question_about_his_sentence_is_told_anew_for_the_second() -> None:
    """Of two who rewrote his sentence one is taken back as well: what the other made of it is a question, as it is
    where both are taken back at once."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("bob").write(NS, KEY, {"notes": "One."})
    with ws.agent("ada").edit(NS, KEY) as hers, ws.agent("eve").edit(NS, KEY) as other:
        hers.notes, other.notes = "Two.", "Three."
    undo(ws)
    undo(ws, "eve")
    assert sides(only(ws)) == {"ada": "Two.", "maria": ""}


def test_what_stands_again_in_a_rewrite_belongs_to_what_is_asked() -> None:
    """A sentence that the second agent had removed of what somebody made of the first one's is a part of that side."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("bob").write(NS, KEY, {"notes": "One. Two."})
    for agent, notes in (("ada", "Three. Four."), ("eve", "Four.")):
        with ws.agent(agent).edit(NS, KEY) as brief:
            brief.notes = notes
    undo(ws)
    undo(ws, "eve")
    assert sides(only(ws)) == {"ada": "Three. Four.", "maria": ""}


def test_a_question_about_what_is_gone_stands_again() -> None:
    """Changes that meet in a sentence that was taken back meet in it again once they stand again."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("bob").write(NS, KEY, {"notes": "One."})
    with ws.agent("eve").edit(NS, KEY) as one, ws.agent("eve").edit(NS, KEY) as other:
        one.notes, other.notes = "Two.", ""
    undo(ws)
    between = everything(ws)
    done = undo(ws, "eve")
    assert shown(ws) is None
    undo(ws, "maria", since=done.before)
    assert between[1] and everything(ws) == between


def test_what_the_second_made_is_not_shown_meanwhile() -> None:
    """While it is asked about what stood before both, nothing of the second agent is shown."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("eve").write(NS, KEY, {"views": 1})
    with ws.agent("ada").edit(NS, KEY) as hers, ws.agent("zoe").edit(NS, KEY) as other:
        hers.status, other.status = "red", "blue"
    for agent, status in (("bob", "green"), ("eve", "grey")):
        with ws.agent(agent).edit(NS, KEY) as brief:
            brief.status = status
    undo(ws)
    assert shown(ws)["status"] == "grey"
    undo(ws, "eve")
    assert shown(ws)["status"] in ("red", "blue") and len(sides(only(ws))) == 2


def test_a_deleted_document_that_keeps_parts_of_one_write_stays_deleted() -> None:
    """A document of which a deletion keeps one part of a write, and another part stands beside it, is gone after an
    undo of its undo as it was before."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("bob").write(NS, KEY, {"free": {"a": {"c": 1}}})
    with ws.agent("eve").edit(NS, KEY) as brief:
        brief.free = {"a": {"c": 2}}
    ada = ws.agent("ada", began=ws.moment())
    with ws.agent("bob").edit(NS, KEY) as brief:
        brief.free = {"a": {"b": 3, "c": 2}}
    ada.delete(NS, KEY)
    undo(ws)
    between = everything(ws)
    done = undo(ws, "eve")
    undo(ws, "maria", since=done.before)
    assert everything(ws) == between


def an_undo_undone(first: dict[str, Any], later: dict[str, Any], *, both: bool = False) -> tuple[Workspace, Workspace]:
    """Bob went on from a document that ada had deleted while zoe wrote; that was taken back, eve has worked since, and
    the undo is undone. Two stores, which know all of it; ``both``: the undo once more as well."""
    ws, other = (Workspace(schemas={NS: Brief}) for _ in range(2))
    ws.agent("eve").write(NS, KEY, {"status": "draft", **first})
    began = ws.moment()
    ws.agent("ada").delete(NS, KEY)
    ws.agent("zoe", began=began).write(NS, KEY, {"views": 6})
    with ws.agent("bob").edit(NS, KEY) as brief:
        brief.status = "final"
    done = undo(ws)
    with ws.agent("eve").edit(NS, KEY) as brief:
        for name, value in later.items():
            setattr(brief, name, value)
    ws.exchange(other)
    undo(ws, "maria", since=done.before)
    if both:
        undo(ws)
    ws.exchange(other)
    return ws, other


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("field", ["tags", "notes", "steps", "owners", "people", "free"])
def test_what_a_deletion_kept_stands_in_every_store(field: str, both: bool) -> None:
    """What a deletion keeps, and an undo of its undo has stand again, stands so in other stores as well."""
    ws, other = an_undo_undone({field: FIRST[field]}, {"status": "review"}, both=both)
    assert everything(ws) == everything(other)
    assert shown(ws) == {"status": "review", field: FIRST[field], "views": 6}
    assert len(ws.escalations()) == (not both)


@pytest.mark.parametrize("both", [False, True])
def test_what_others_replaced_of_what_a_deletion_kept_stays_replaced(both: bool) -> None:
    """Who goes on from a deleted document that is shown, and replaces or removes something of it, has done so whatever
    becomes of the deletion: it does not come back, nor is it asked about."""
    first = {"tags": ["a", "b"], "owners": {"docs": "eve", "law": "eve"}}
    ws, other = an_undo_undone(first, {"tags": ["b", "c"], "owners": {"docs": "zoe"}}, both=both)
    status = "draft" if both else "final"
    assert shown(ws) == {"status": status, "tags": ["b", "c"], "owners": {"docs": "zoe"}, "views": 6}
    assert not ws.escalations() and everything(ws) == everything(other)


def test_undos_that_are_undone_at_once_put_a_sentence_back_once() -> None:
    """A sentence that two undos have taken away is put back once by who undoes both, and other stores accept it."""
    ws, other = Workspace(schemas={NS: Brief}), Workspace(schemas={NS: Brief})
    ws.agent("bob").write(NS, KEY, {"notes": "One."})
    for agent, notes in (("bob", "Two."), ("eve", "Three.")):
        with ws.agent(agent).edit(NS, KEY) as brief:
            brief.notes = notes
    done = undo(ws)
    ws.agent("eve").delete(NS, KEY)
    undo(ws, "eve")
    undo(ws, "maria", since=done.before)
    assert ws.check().ok
    ws.exchange(other)
    assert everything(ws) == everything(other)


def test_what_another_deletion_keeps_is_not_written_beside_it() -> None:
    """Where two deletions stand, what one of them keeps does not come to stand beside it as well: an import of what was
    known before does not change that, and to undo the undo restores what was."""
    ws = Workspace(schemas={NS: Brief})
    began = ws.moment()
    ws.agent("bob").write(NS, KEY, {"tags": ["a"]})
    ws.agent("eve").delete(NS, KEY)
    deleted = ws.moment()
    ws.agent("eve", began=began).write(NS, KEY, {"status": "draft"})
    with ws.agent("bob").edit(NS, KEY) as brief:
        brief.status = "final"
    with ws.agent("bob").edit(NS, KEY) as late:
        ws.agent("ada", began=deleted).write(NS, KEY, {"status": "review"})
        ws.agent("ada").delete(NS, KEY)
        late.status = "shipped"
    before, frame = everything(ws), ws.export()
    done = undo(ws)
    ws.import_(frame)
    undo(ws, "maria", since=done.before)
    assert everything(ws) == before


def test_an_amount_that_he_has_taken_back_himself_goes() -> None:
    """Of a counter to which he added as much as he took nothing is left, which would keep a deleted document."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("bob").write(NS, KEY, {"views": 5})
    ada = ws.agent("ada", began=ws.moment())
    with ws.agent("bob").edit(NS, KEY) as brief:
        brief.views = 0
    ada.delete(NS, KEY)
    assert only(ws).reason == "delete"
    undo(ws)
    assert everything(ws) == ({}, [])


def test_no_empty_document_is_left_of_what_an_undo_had_put_back() -> None:
    """What the first undo had put back of a deleted document goes with the second, and the document with it."""
    ws = Workspace(schemas={NS: Brief})
    ws.agent("bob").write(NS, KEY, {"steps": ["plan"]})
    eve = ws.agent("eve", began=ws.moment())
    ws.agent("bob").write(NS, KEY, {"notes": "One."})
    with ws.agent("bob").edit(NS, KEY) as late:
        with ws.agent("eve").edit(NS, KEY) as brief:
            brief.steps, brief.notes = ["write"], ""
        eve.delete(NS, KEY)
        late.notes = "Two."
    undo(ws, "eve")
    between = everything(ws)
    assert shown(ws) is not None
    done = undo(ws)
    assert everything(ws) == ({}, [])
    undo(ws, "maria", since=done.before)
    assert everything(ws) == between


def test_many_sentences_are_taken_back_at_the_cost_of_each() -> None:
    """To take back four times as many sentences of a text costs some four times as much."""

    def cost(sentences: int) -> int:
        ws = Workspace(schemas={NS: Brief})
        ws.agent("bob").write(NS, KEY, {"notes": " ".join(f"Note {n}." for n in range(sentences))})
        with ws.agent("eve").edit(NS, KEY) as brief:
            brief.notes = " ".join(f"Point {n}." for n in range(sentences))
        return calls(lambda: undo(ws, "eve"))

    assert cost(400) <= 5 * cost(100)


async def test_for_coroutines() -> None:
    """``aundo`` does the same."""
    ws = team()
    wrong(ws)
    await ws.aundo(agent="bob", by="maria", dry_run=False)
    assert shown(ws) == FIRST
