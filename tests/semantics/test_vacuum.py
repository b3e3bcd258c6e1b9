"""What was removed from texts and lists is forgotten once nobody can refer to it, and it is told for whom it is
kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import CorruptFrameError, List, StaleReplicaError, Text, Workspace
from concordant.merge.record import Record, dump_record
from concordant.merge.registers import sequences
from concordant.workspace import frames, frontier
from concordant.workspace.frontier import MOST_ARRIVALS, bounded

DAY = timedelta(days=1)
AT = (("notes",), "plan")
TEXT = "One is here. Two is here. Three is here."


class Note(BaseModel):
    text: Annotated[str, Text()] = ""
    steps: Annotated[list[str], List()] = []


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day has ten seconds: clocks that are a day ahead are not believed."""
    monkeypatch.setattr(frontier, "REMOVED_KEPT", timedelta(seconds=10))


def opened(name: str) -> Workspace:
    return Workspace(schemas={("notes",): Note}, replica=name)


def begun(*names: str) -> list[Workspace]:
    """Stores that all have a note, and have heard of each other."""
    spaces = [opened(name) for name in names]
    spaces[0].agent("ada").write(*AT, {"text": TEXT, "steps": ["a", "b", "c"]})
    talk(*spaces)
    return spaces


def talk(*spaces: Workspace) -> None:
    for one in spaces:
        for other in spaces:
            if one is not other:
                one.exchange(other)


def later(*spaces: Workspace) -> None:
    """A day goes by."""
    now = max(space.storage.time() for space in spaces)
    for space in spaces:
        space.storage.advance(now + 15)


def settle(*spaces: Workspace) -> None:
    """All have seen what is there now, and have told so."""
    talk(*spaces)
    later(*spaces)
    talk(*spaces)


def rewrite(space: Workspace, text: str, agent: str = "bob") -> None:
    with space.agent(agent).edit(*AT) as note:
        note.text = text


def vacuum(space: Workspace) -> Any:
    return space.vacuum(removed=timedelta(seconds=10))


def pieces(space: Workspace) -> int:
    state = space.storage.load(*AT)
    assert isinstance(state, Record)
    return sum(len(text) for _, text in sequences(state.tree))


def test_what_is_removed_is_kept_for_whom_it_may_concern() -> None:
    """For agents for a day; then for each store that has not told that all there have seen it; then for none."""
    one, two, three = begun("one", "two", "three")
    rewrite(one, "One is here. Three is here.")
    assert vacuum(one).kept == (("agents", 1, 1),)
    later(one, two, three)
    assert vacuum(one).kept == (("three", 1, 1),)
    talk(one, two, three)
    assert vacuum(one).kept == (("three", 1, 1),)  # those who began before may write yet
    later(one, two, three)
    one.exchange(two)
    assert vacuum(one).kept == (("three", 1, 1),)
    two.exchange(three)
    two.exchange(one)  # which tells what the third one has settled
    done = vacuum(one)
    assert (done.compacted, done.pieces, done.kept) == (1, 1, ())


def test_who_goes_on_to_write_is_waited_for_though_he_tells_nothing() -> None:
    """A store of an earlier version, whose frames do not tell what it has settled."""
    one, two = begun("one", "two")
    rewrite(one, "One is here.")
    one.exchange(two)
    for _ in range(3):
        later(one, two)
        frontier.hear(one.storage, "two", {})
    later(one, two)
    long = timedelta(seconds=20)
    assert one.vacuum(removed=timedelta(0), deleted=long).kept == (("two", 1, 1),)
    later(one, two)
    assert one.vacuum(removed=timedelta(0), deleted=long).pieces == 1


def test_who_never_answered_is_waited_for_as_long_as_for_a_deletion() -> None:
    """A frame that was given to nobody in particular keeps what it tells of until nobody is waited for any more."""
    (one,) = begun("one")
    one.export()
    rewrite(one, "One is here.")
    later(one)
    assert vacuum(one).kept == (("others", 1, 1),)
    assert one.vacuum(removed=timedelta(0), deleted=timedelta(seconds=5)).pieces == 1


def test_what_one_forgets_the_other_forgets_when_they_meet() -> None:
    """With the next write of the document that travels."""
    one, two = begun("one", "two")
    rewrite(one, "One is here. Three is here.")
    settle(one, two)
    assert vacuum(one).pieces == 1
    before = pieces(two)
    one.agent("ada").write(*AT, {"steps": ["d"]})
    talk(one, two)
    assert pieces(two) == pieces(one) == before  # one less, and one more
    state, other = one.storage.load(*AT), two.storage.load(*AT)
    assert isinstance(state, Record) and isinstance(other, Record)
    assert [text.digest() for _, text in sequences(state.tree)] == [text.digest() for _, text in sequences(other.tree)]


def test_a_rewrite_of_what_is_forgotten_by_somebody_nobody_knew_is_refused() -> None:
    """Neither is it put beside what took its place, nor is the removal lost: both stores stay as they are, and a new
    one can go on."""
    one, two = begun("one", "two")
    stranger = opened("stranger")
    stranger.import_(one.export())
    rewrite(one, "One is here. Three is here.")
    rewrite(stranger, "One is here. Two is there. Three is here.", "eve")
    settle(one, two)
    assert vacuum(one).pieces == 1
    for to, sender in ((one, stranger), (stranger, one)):
        with pytest.raises(StaleReplicaError, match="Start it anew") as caught:
            to.import_(sender.export())
        assert caught.value.replica == "stranger"
    document = one.get(*AT)
    assert document is not None and document.value["text"] == "One is here. Three is here."
    anew = opened("anew")
    anew.import_(one.export())
    rewrite(anew, "One is here. Three is there.", "eve")
    one.exchange(anew)
    assert one.get(*AT) is not None and one.get(*AT).value["text"] == "One is here. Three is there."  # type: ignore[union-attr]


def test_a_stranger_who_wrote_elsewhere_in_the_text_is_welcome() -> None:
    """Only what refers to something forgotten is refused."""
    one, two = begun("one", "two")
    stranger = opened("stranger")
    stranger.import_(one.export())
    rewrite(one, "One is here. Three is here.")
    rewrite(stranger, "One is here. Two is here. Three is there.", "eve")
    settle(one, two)
    assert vacuum(one).pieces == 1
    one.import_(stranger.export())
    document = one.get(*AT)
    assert document is not None and document.value["text"] == "One is here. Three is there." and not document.contested


def test_what_was_removed_and_forgotten_comes_back_by_an_undo() -> None:
    """Also in a store that has forgotten it by itself."""
    one, two = begun("one", "two")
    rewrite(one, "One is here. Three is here.")
    settle(one, two)
    assert vacuum(one).pieces == vacuum(two).pieces == 1
    one.undo(agent="bob", by="eve", dry_run=False)
    talk(one, two)
    for space in (one, two):
        document = space.get(*AT)
        assert document is not None and document.value["text"] == TEXT


def test_who_wrote_what_is_told_though_what_it_was_taken_from_is_forgotten() -> None:
    """The words of a sentence that was rewritten stay those of who wrote them first."""
    (one,) = begun("one")
    rewrite(one, TEXT.replace("Two is here", "Two is there"))
    before = one.blame(*AT)
    later(one)
    assert vacuum(one).pieces == 1
    assert one.blame(*AT) == before
    assert [(c.value, c.agent) for c in before[("text",)]] == [
        ("One is here. Two is ", "ada"),
        ("there", "bob"),
        (". Three is here.", "ada"),
    ]


def test_what_has_become_of_a_sentence_is_told_while_it_may_be_rewritten() -> None:
    """Of what one has rewritten twice, the first rewrite is no longer shown to anybody: it is kept for the question."""
    one, two = begun("one", "two")
    rewrite(one, TEXT.replace("Two is here", "Two was here"))
    rewrite(one, TEXT.replace("Two is here", "Two had been there"))
    later(one, two)
    assert vacuum(one).kept == (("order", 1, 1), ("two", 1, 1))
    rewrite(two, TEXT.replace("Two is here", "Two is away"), "eve")
    talk(one, two)
    for space in (one, two):
        (asked,) = space.escalations()
        assert {contender.value for contender in asked.contenders} == {"Two had been there.", "Two is away."}
        assert asked.base == "Two is here."


def test_what_stands_elsewhere_since_something_was_forgotten_is_like_no_insertion_there() -> None:
    """A sentence that somebody puts before an equal one, which had replaced what is forgotten, stands beside it."""
    one, two = begun("one", "two")
    rewrite(one, "One is here. Ten. Nine.")
    settle(one, two)
    rewrite(two, "One is here. Red. Ten. Ten. Nine.", "eve")
    assert vacuum(one).pieces == 1
    talk(one, two)
    for space in (one, two):
        document = space.get(*AT)
        assert document is not None and document.value["text"] == "One is here. Red. Ten. Ten. Nine."


def test_an_open_question_keeps_what_it_is_about_and_nothing_else() -> None:
    """What was removed elsewhere in the text goes."""
    (one,) = begun("one")
    rewrite(one, TEXT.replace(" Three is here.", ""))
    with one.agent("ada").edit(*AT) as mine, one.agent("bob").edit(*AT) as theirs:
        mine.text, theirs.text = TEXT[:12] + " Two was.", TEXT[:12] + " Two will be."
    asked = one.escalations()
    later(one)
    done = vacuum(one)
    assert (done.pieces, done.kept) == (1, (("rewrites", 1, 1),))
    assert one.escalations() == asked and len(asked) == 1


def test_earlier_versions_refuse_what_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would join it as what was taken back."""
    one, two = begun("one", "two")
    rewrite(one, "One is here. Three is here.")
    assert one.export()[:4] != frames._TRIMMED
    settle(one, two)
    assert vacuum(one).pieces == 1
    frame = one.export()
    assert frame[:4] == frames._TRIMMED
    monkeypatch.setattr(frames, "_TRIMMED", b"CCD0")
    with pytest.raises(CorruptFrameError):
        two.import_(frame)


def test_a_frame_that_has_forgotten_what_it_does_not_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers of a floor are those of writes that the record knows."""
    one, two = begun("one", "two")
    rewrite(one, "One is here.")

    def forged(record: Record, **given: Any) -> bytes:
        record.forget({"one": 99})
        return dump_record(record, **given)

    monkeypatch.setattr(frames, "dump_record", forged)
    with pytest.raises(CorruptFrameError, match="forgotten of writes"):
        two.import_(one.export())


def test_times_at_which_writes_came_are_bounded() -> None:
    """Of those of more than a day ago the last is kept of each store, of very many some."""
    old = [(n, float(n), "two", n) for n in range(1, 50)]
    assert bounded([*old, (60, 1000.0, "two", 60)], 1001.0) == ((49, 49.0, "two", 49), (60, 1000.0, "two", 60))
    found: tuple[Any, ...] = ()
    for n in range(3_000):
        found = bounded((*found, (n, 1000.0 + n / 1000, "two", n)), 1000.0 + n / 1000)
    assert len(found) <= MOST_ARRIVALS + 1 and found[-1][0] == 2_999


def edited(space: Workspace, edits: int, mark: str) -> None:
    """Changes words of a large text, each by an edit."""
    ada = space.agent("ada")
    for number in range(edits):
        with ada.edit(*AT) as note:
            lines = note.text.split("\n")
            at = number * 7 % len(lines)
            lines[at] = f"Line {at} is {mark}{number}."
            note.text = "\n".join(lines)


def pieces_of(space: Workspace) -> int:
    """How many pieces the texts of a document have."""
    record = space.storage.load(*AT)
    assert isinstance(record, Record)
    return sum(len(text) for _, text in sequences(record.tree))


def test_a_large_text_forgets_while_it_is_edited() -> None:
    """What was removed a day ago from a large text goes while that is edited, and nobody has called for it; what it
    shows, who wrote it and its past stay. With ``forgets=False`` all of it stays until ``vacuum``. A writer who has
    seen the newest version is told of no other."""
    spaces = [Workspace(schemas={("notes",): Note}, forgets=forgets) for forgets in (True, False)]
    for space in spaces:
        space.agent("ada").write(*AT, {"text": "\n".join(f"Line {number} is {'h' * 80}ere." for number in range(200))})
        edited(space, 40, "first")
        then = space.get(*AT)
        later(space)
        edited(space, 100, "second")
        receipt = space.agent("eve").write(*AT, {"text": "More."})
        space.agent("eve").write(*AT, {"text": "Last."}, if_version=receipt.version)
        assert then is not None and space.get(*AT, at=then.version).value == then.value  # type: ignore[union-attr]
        assert not space.check().problems
    one, other = spaces
    assert one.get(*AT).value == other.get(*AT).value  # type: ignore[union-attr]
    assert [(c.value, c.agents) for c in one.blame(*AT)["text",]] == [
        (c.value, c.agents) for c in other.blame(*AT)["text",]
    ]
    assert pieces_of(one) < pieces_of(other) - 20
