"""What agents that write at the same time do to each other through the tools, and what each of them is told."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from concordant import Counter, Scalar
from tests.tooling.support import KEY, NS, Desk, handles

ALL_IS_KEPT = (
    "Nothing of it is lost. Settle one with resolve_brief_conflict: its id, and `keep` (the number of a value above), "
    "`value` (another one) or `dismiss`. If it is not for you to decide, leave it open."
)


def test_an_update_is_told_whose_contributions_are_in_the_value() -> None:
    """For each field that it changed, an update is told what others added to it unseen, and nothing of other fields."""
    desk = Desk()
    desk.base(tags=["old"], notes="Goal.", tokens=1, status="draft")
    with desk.task("ada") as ada:
        ada.update(tags=["crdt"], notes="Ada was here.", tokens=2, steps=["read"], owners={"a": "ada"}, size=4)
    with desk.task("cyd") as cyd:
        cyd.update(tokens=3)
    with desk.task("bob") as bob:
        answer = bob.update(tags=["memory"], notes="Bob was here.", tokens=4, steps=["write"], owners={"b": "bob"})
    assert answer.text.splitlines() == [
        'Written to brief "launch".',
        "Merged with what others wrote meanwhile, which you had not seen:",
        '- tags: ["crdt"] by "ada".',
        '- notes: "ada" wrote "Ada was here.".',
        '- tokens: 5 by "ada" and "cyd"; it is 10 now.',
        '- steps: ["read"] by "ada".',
        '- owners: {"a": "ada"} by "ada".',
    ]
    assert desk.value() == {
        "tags": ["old", "crdt", "memory"],
        "notes": "Goal.\nAda was here.\nBob was here.",
        "tokens": 10,
        "steps": ["read", "write"],
        "owners": {"a": "ada", "b": "bob"},
        "status": "draft",
        "size": 4,
    }
    assert desk.ws.escalations() == []


def test_ordered_updates_are_told_of_nobody() -> None:
    """What was there before a task began it has seen: replacing it is no conflict and needs no mention."""
    desk = Desk()
    desk.base(tags=["old"], status="draft")
    with desk.task("ada", step=2) as ada:
        assert ada.update(tags=["crdt"], status="review").text == 'Written to brief "launch".'
    with desk.task("bob", step=3) as bob:
        assert bob.update(tags=["memory"], status="done", remove_tags=["crdt"]).text == 'Written to brief "launch".'
    assert desk.value() == {"tags": ["old", "memory"], "status": "done"}
    assert desk.ws.escalations() == []


def test_a_conflict_is_told_with_its_sides_and_a_way_to_settle_it() -> None:
    """Two different values for a scalar are told to the second writer with agents, the agreed value and an id."""
    desk = Desk()
    desk.base(status="draft")
    with desk.task("ada") as ada:
        assert ada.update(status="review").text == 'Written to brief "launch".'
    with desk.task("bob") as bob:
        answer = bob.update(status="done")
    [handle] = handles(answer)
    assert answer.text.splitlines() == [
        'Written to brief "launch".',
        "In conflict:",
        f"- status: different values, id {handle}",
        '  1. "review" by "ada"',
        '  2. "done" by "bob" (you)',
        '  Until it is settled it is read as "draft".',
        ALL_IS_KEPT,
    ]
    assert not answer.failed
    with desk.task("maria", step=3) as maria:
        assert maria.read().text.splitlines() == [
            'brief "launch":',
            'status: "draft"',
            "Not written yet: tags, notes, tokens, steps, owners, votes, sources, main, size.",
            "In conflict:",
            f"- status: different values, id {handle}",
            '  1. "review" by "ada"',
            '  2. "done" by "bob"',
            '  Until it is settled it is read as "draft".',
            ALL_IS_KEPT,
        ]
        assert maria.resolve(id=handle, keep=2).text == 'Settled. status is "done" now.'
        assert maria.conflicts().text == "Nothing is in conflict."
    [settled] = desk.ws.escalations(state="resolved")
    assert (settled.by, settled.decision) == ("maria", "done")


def test_equal_values_agree_and_policies_are_told() -> None:
    """An equal value is told as agreement, and where a policy decides, which value stands."""

    class Offer(BaseModel):
        price: Annotated[int | None, Scalar(resolve="min")] = None
        city: Annotated[str | None, Scalar()] = None

    desk = Desk(Offer)
    with desk.task("ada") as ada:
        ada.update(price=80, city="Lyon")
    with desk.task("bob") as bob:
        assert bob.update(price=100, city="Lyon").text.splitlines() == [
            'Written to brief "launch".',
            "Merged with what others wrote meanwhile, which you had not seen:",
            '- price: "ada" wrote 80; 80 stands, as the model declares.',
            '- city: "ada" wrote the same.',
        ]
    assert desk.value() == {"price": 80, "city": "Lyon"}


def test_a_removal_takes_only_what_was_seen() -> None:
    """An element that another agent added again unseen stays, and the remover is told."""
    desk = Desk()
    desk.base(tags=["a", "b"])
    with desk.task("ada") as ada:
        ada.update(tags=["a"])
    with desk.task("bob") as bob:
        answer = bob.update(remove_tags=["a", "b"])
    assert desk.value()["tags"] == ["a"]
    assert '- tags: "a" is still there, somebody else added it meanwhile.' in answer.text


def test_a_removed_key_against_a_changed_one_is_a_conflict() -> None:
    """The removal of a map's key whose value another agent changed unseen is a conflict, not a loss and not ignored."""
    desk = Desk()
    desk.base(owners={"intro": "ann", "end": "ben"})
    with desk.task("ada") as ada:
        ada.update(owners={"intro": "eve"})
    with desk.task("bob") as bob:
        answer = bob.update(remove_owners=["intro", "end"])
        assert "- owners.intro: deleted by one, changed by another, id " in answer.text
        assert '  1. "eve" by "ada"\n  2. deleted by "bob" (you)\n' in answer.text
        assert desk.value()["owners"] == {"intro": "eve"}
        assert bob.resolve(id=handles(answer)[0], keep=2).text == "Settled. owners is {} now."
    assert desk.value()["owners"] == {}


def test_rewrites_of_the_same_words_are_a_conflict() -> None:
    """An agent that finds the words it has seen rewrites them though another has rewritten them unseen: a conflict
    about these words, while all else merges; a decision is their text."""
    desk = Desk()
    desk.base(notes="The quick fox jumps.")
    with desk.task("ada") as ada:
        ada.update(replace_notes=[{"find": "quick", "replace": "slow"}, {"find": "jumps", "replace": "jumps high"}])
    with desk.task("bob") as bob:
        answer = bob.update(replace_notes=[{"find": "quick fox", "replace": "fast fox"}], notes="End.")
        assert '- notes: different rewrites of the words "quick", id ' in answer.text
        assert desk.value()["notes"] == "The quick fox jumps high.\nEnd."
        assert bob.resolve(id=handles(answer)[0], value="swift").text.startswith("Settled. notes is ")
    assert desk.value()["notes"] == "The swift fox jumps high.\nEnd."


def test_a_read_lets_a_scope_change_what_others_wrote() -> None:
    """Who has read another's value replaces it, as any value, and may find it in a text."""
    desk = Desk()
    with desk.task("ada") as ada:
        ada.update(status="review", notes="Ada was here.")
    with desk.task("bob") as bob:
        change = {"status": "done", "replace_notes": [{"find": "Ada", "replace": "She"}]}
        answer = bob.update(**change)
        assert '"Ada" is not in the text that you have seen. Read it again' in answer.text
        bob.read()
        assert bob.update(**change).text == 'Written to brief "launch".'
    assert desk.value() == {"status": "done", "notes": "She was here."}
    assert desk.ws.escalations() == []


def test_a_decision_is_pinned_to_the_sides_that_were_shown() -> None:
    """A side that came after an id was shown makes the id stale: the answer shows all sides, with a new id."""
    desk = Desk()
    with desk.task("ada") as ada:
        ada.update(status="review")
    with desk.task("bob") as bob:
        [handle] = handles(bob.update(status="done"))
    with desk.task("cyd") as cyd:
        cyd.update(status="draft")
    with desk.task("maria", step=3) as maria:
        answer = maria.resolve(id=handle, keep=1)
        assert answer.failed
        assert answer.text.startswith("Not settled: its sides have changed since you read them.")
        assert '  3. "draft" by "cyd"' in answer.text
        [newer] = handles(answer)
        assert newer != handle
        assert not maria.resolve(id=newer, keep=3).failed
        late = maria.resolve(id=newer, keep=1)
    assert (late.failed, late.text) == (
        True,
        'It is settled already: status: different values: "maria" decided for "draft".',
    )
    assert desk.value() == {"status": "draft"}


def test_a_late_side_opens_a_settled_conflict_again() -> None:
    """Who did not see a decision and writes another value is told that there is a conflict, with the decided value."""
    desk = Desk()
    with desk.task("late") as caller:
        caller.read()
        with desk.task("ada") as ada:
            ada.update(status="review")
        with desk.task("bob") as bob:
            [handle] = handles(bob.update(status="done"))
            assert not bob.resolve(id=handle, keep=1).failed
        answer = caller.update(status="draft")
    assert '  1. "review" by "ada" and "bob"' in answer.text
    assert '  2. "draft" by "late" (you)' in answer.text
    assert [e.state for e in desk.ws.escalations(state="all")] == ["open"]


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        ({}, "- keep: you gave no decision. Give one of keep, value and dismiss"),
        ({"keep": 1, "dismiss": True}, "- keep: you gave keep and dismiss. Give one of keep, value and dismiss"),
        ({"keep": 1, "value": False}, "- keep: you gave keep and value. Give one of"),
        ({"keep": 3}, "- keep: there is no number 3. Give a number from 1 to 2"),
        ({"value": "doen"}, "- status: "),
        ({"keep": "first"}, "- keep: input should be a valid integer"),
    ],
)
def test_a_wrong_decision_is_told_how_to_mend_it(decision: dict[str, object], said: str) -> None:
    """A decision that cannot be is an answer, and the conflict stays open."""
    desk = Desk()
    desk.base(status="draft")
    with desk.task("ada") as ada:
        ada.update(status="review")
    with desk.task("bob") as bob:
        [handle] = handles(bob.update(status="done"))
        answer = bob.resolve(id=handle, **decision)
        assert answer.failed
        assert said in answer.text
        unknown = bob.resolve(id="0123456789-abcdef", keep=1)
        assert "- id: nothing with this id is in conflict. list_brief_conflicts gives the ids" in unknown.text
        assert len(desk.ws.escalations()) == 1
        assert bob.resolve(id=handle, dismiss=True, keep=None).text == 'Settled. status is "draft" now.'
    assert desk.value() == {"status": "draft"}


def test_a_decision_may_be_a_list_as_json() -> None:
    """Where the field holds a list, the value of a decision is its JSON text."""
    desk = Desk()
    desk.base(tags=["a"])
    desk.ws.agent("careless").write(NS, KEY, {"tags": "no list"})
    with desk.task("bob", step=3) as bob:
        answer = bob.conflicts()
        assert "- tags: a value of the wrong type, id " in answer.text
        assert "tags: input should be a valid list" not in bob.resolve(id=handles(answer)[0], keep=1).text
    desk.ws.agent("careless").write(NS, KEY, {"tags": "no list"})
    with desk.task("bob", step=4) as bob:
        [handle] = handles(bob.conflicts())
        assert "- tags: the value is not of the field's type" in bob.resolve(id=handle, value="nonsense").text
        assert bob.resolve(id=handle, value='["x", "y"]').text == 'Settled. tags is ["x", "y"] now.'
    assert desk.value() == {"tags": ["x", "y"]}


def test_a_deleted_document_against_a_changed_one() -> None:
    """A document deleted by one and changed by another is told as such, and may be settled either way."""
    desk = Desk()
    desk.base(tags=["a"])
    with desk.task("ada"):
        desk.ws.remove(NS, KEY)
    with desk.task("bob") as bob:
        answer = bob.update(tags=["b"])
        assert "- the whole brief: deleted by one, changed by another, id " in answer.text
        assert '\n  2. deleted by "ada"\n  Until it is settled it is read as changed.\n' in answer.text
        assert bob.resolve(id=handles(answer)[0], keep=2).text == "Settled."
    assert desk.ws.get(NS, KEY) is None


def test_a_merge_that_breaks_a_rule_is_told() -> None:
    """Amounts that are fine one by one and not together are a conflict about their field."""

    class Stock(BaseModel):
        left: Annotated[int, Field(ge=0), Counter()] = 0

    desk = Desk(Stock)
    desk.base(left=3)
    with desk.task("ada") as ada:
        assert "In conflict" not in ada.update(left=-2).text
    with desk.task("bob") as bob:
        answer = bob.update(left=-2)
        assert "- left: together these would break a rule of the model, id " in answer.text
        assert '  1. -2 by "bob" (you)\n  Until it is settled it is read as 1.' in answer.text
        assert bob.resolve(id=handles(answer)[0], value=0).text == "Settled. left is 0 now."
    assert desk.value() == {"left": 0}


def test_several_documents_have_conflicts_of_their_own() -> None:
    """Without a fixed key conflicts are listed with their documents' keys, or for one of them."""
    desk = Desk(key=None)
    for key in ("a", "b"):
        with desk.task("ada") as ada:
            ada.update(key=key, status="review")
        with desk.task("bob") as bob:
            bob.update(key=key, status="done")
    with desk.task("maria", step=3) as maria:
        listed = maria.conflicts().text
        assert '- brief "a", status: different values, id ' in listed
        assert '- brief "b", status: different values, id ' in listed
        assert '"a"' not in maria.conflicts(key="b").text
        for handle in handles(maria.conflicts()):
            maria.resolve(id=handle, keep=1)
    assert desk.value("a") == desk.value("b") == {"status": "review"}
