"""Taking an agent's writes back, against an exact model and by what must never happen."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext

import pytest

from concordant import Escalation, Workspace
from concordant.storage import memory

from .undoing import BAD, OTHERS, History, Narrow, Plan, Room, Sentences, Stores, Wide, replicas as exchanged, words

ALSO_BAD = "eve"

Rooms = tuple[Room, Room]
"""Where a history takes place, and where it is told in another store."""


def exact(seed: int, steps: int, rooms: Rooms) -> None:
    """One random history of registers, sets and counters, with writers who have seen what they have seen: after it
    each value, element, key and sum is what the others' writes alone make; what was built on them is a question with
    just those contenders."""
    here, there = rooms
    history = History(seed, here)
    history.run(steps)
    before, frame = here.shown(), here.ws.export(since=here.began)
    there.ws.import_(frame)
    done = here.undo()
    history.compare(BAD)
    goes_on(here, there, frame, before, done.before if done.documents else None)


def exact_of_two(seed: int, steps: int, rooms: Rooms) -> None:
    """The same of two agents, one after the other: nothing comes back of the first with the second."""
    here, there = rooms
    first, second = (BAD, ALSO_BAD) if seed % 2 else (ALSO_BAD, BAD)
    history = History(seed, here)
    history.run(steps)
    there.ws.import_(here.ws.export(since=here.began))
    one = here.undo(first)
    history.compare(first)
    between = here.shown()
    two = here.undo(second)
    history.compare(first, second)
    after = here.shown()
    mine, theirs = exchanged(here, there)
    assert mine == theirs == after, "replicas differ"
    if two.documents:
        here.undo("maria", two.before)
        assert here.shown() == between, "to undo the second does not restore what the first left"
        here.undo(second)
        assert here.shown() == after, "to do it again does not do the same"
    if one.documents and not two.documents:
        here.undo("maria", one.before)
        history.compare()


def all_kinds(seed: int, steps: int, rooms: Rooms, kind: type[Wide] = Wide) -> None:
    """One random history of every kind, deletions and decisions included: nothing of the agent's is left, nothing of
    others' is lost, nothing is shown twice."""
    here, there = rooms
    history = kind(seed, here)
    history.run(steps)
    before, frame = here.shown(), here.ws.export(since=here.began)
    there.ws.import_(frame)
    twice, all_before = here.said()
    may_go, may_stay = exempt(here, BAD)
    done = here.undo()
    _, all_after = here.said()
    assert not {word for word in all_after if word.startswith(BAD)} - may_stay, "something of the agent's is left"
    nothing_is_lost(here, more_than_once(twice), {word for word in all_before - may_go if not word.startswith(BAD)})
    goes_on(here, there, frame, before, done.before if done.documents else None)


def all_kinds_of_two(seed: int, steps: int, rooms: Rooms, kind: type[Wide] = Wide) -> None:
    """The same of two agents, one after the other; to undo one of these, or both, restores what was."""
    here, there = rooms
    kind(seed, here).run(steps)
    before = here.shown()
    twice, _ = here.said()
    there.ws.import_(here.ws.export(since=here.began))
    one = here.undo()
    between = here.shown()
    nothing_is_lost(here, more_than_once(twice), set())
    two = here.undo(ALSO_BAD)
    nothing_is_lost(here, more_than_once(twice), set())
    _, all_after = here.said()
    bad = {word for word in all_after if word.startswith((BAD, ALSO_BAD))}
    assert not bad - exempt(here, BAD, ALSO_BAD)[1], "something of theirs is left"
    mine, theirs = exchanged(here, there)
    assert mine == theirs, "replicas differ"
    if two.documents:
        here.undo("maria", two.before)
        assert here.shown() == between, "to undo the second does not restore what the first left"
    if one.documents:
        here.undo("maria", one.before)
        assert here.shown() == before, "to undo both does not restore what was"


def alone(seed: int, steps: int, rooms: Rooms) -> None:
    """One random history in which nobody else writes once the agent has begun: all stands to the letter as it stood."""
    here, there = rooms
    history = Wide(seed, here)
    history.run(steps // 2 + 1, OTHERS)
    before, began = here.shown(), here.ws.moment().n
    history.run(steps, (BAD,))
    bad, frame = here.shown(), here.ws.export(since=here.began)
    there.ws.import_(frame)
    done = here.undo(BAD, began)
    assert here.shown() == before, "not as it was before"
    goes_on(here, there, frame, bad, done.before if done.documents else None)


def others_go_on(seed: int, steps: int, rooms: Rooms, kind: type[Wide] = Wide) -> None:
    """Others write between the undo and its undo: nothing of theirs is lost, nor what stood before both."""
    here, there = rooms
    history = kind(seed, here)
    history.run(steps)
    shown, first = here.said()
    doubled, told = more_than_once(shown), history.count
    done = here.undo()
    if seed % 2:  # in the other store
        [*exchanged(here, there)]
        history.move(there)
    history.moments = [history.ws.moment()]
    history.run(1 + seed % 3, OTHERS)
    [*exchanged(here, there)]
    if not done.documents:
        return
    twice, now = here.said()
    may_go, _ = exempt(here, BAD)
    here.undo("maria", done.before)
    stood = {word for word in now - may_go if word in first or int(word[3:]) > told}
    nothing_is_lost(here, doubled | more_than_once(twice), {word for word in stood if not word.startswith(BAD)})
    here.undo()
    mine, theirs = exchanged(here, there)
    assert mine == theirs, "replicas differ"


def as_one(seed: int, steps: int, rooms: Rooms) -> None:
    """Two agents, one after the other, leave in texts and lists what both at once leave, who wrote under one name: in
    histories in which no document was deleted (docs/undo.md says what is so in others)."""
    here, there = rooms
    Wide(seed, here).run(steps)
    Wide(seed, there, {ALSO_BAD: BAD}).run(steps)
    if here.said() != there.said() or any(entry.act == "delete" for entry in here.log()):
        return  # to whom a contender belongs may make a difference
    for agent in (BAD, ALSO_BAD) if seed % 2 else (ALSO_BAD, BAD):
        here.undo(agent)
    there.undo(BAD)
    mine, theirs = here.written(), there.written()
    assert mine == theirs, f"one after the other leaves {mine}, both at once {theirs}"


def in_turns(seed: int, steps: int, rooms: Rooms) -> None:
    """Undos, undos of undos and others' work in turns, in two stores that do not always know of each other: in the end
    both show the same."""
    here, there = rooms
    history = Narrow(seed, here)
    history.run(steps)
    chance = random.Random(f"{seed} in turns")
    [*exchanged(here, there)]
    undone: list[int] = []
    for _ in range(chance.randint(2, 4)):
        again = undone and chance.random() < 0.45
        done = here.undo("maria", chance.choice(undone)) if again else here.undo(chance.choice([BAD, BAD, ALSO_BAD]))
        undone += [done.before] if done.documents else []
        if chance.random() < 0.7:
            [*exchanged(here, there)]
        if chance.random() < 0.6:
            history.move(chance.choice(rooms))
            history.moments = [history.ws.moment()]
            history.run(chance.randint(1, 2), OTHERS)
    mine, theirs = exchanged(here, there)
    assert mine == theirs, "replicas differ"


def built_elsewhere(seed: int, steps: int, rooms: Rooms) -> None:
    """One random history of a text, in which others build in another store on what the agent wrote, or in an edit that
    is open meanwhile, and hear only then that he was taken back: what stood before him stands, and what they built is a
    question, the same in both stores whoever hears of it first; to undo the undo settles it, to do it again asks
    again."""
    here, there = rooms
    history = Sentences(seed, here, there)
    history.bad_goes_on(1 + steps // 3)
    history.told()
    history.bad_goes_on(seed % 2)
    history.others_go_on_there(1 + steps // 2)
    with history.one_edits_meanwhile() if seed % 4 == 1 else nullcontext():
        done = here.undo()
    if seed % 3 == 0:
        history.others_go_on_here()
    if seed % 5 < 2:
        there.ws.import_(here.ws.export(since=here.began))
    mine, theirs = exchanged(here, there)
    assert mine == theirs, "replicas differ"
    history.compare()
    assert all(here.saved())
    if seed % 3 == 0 or not done.documents:
        return
    here.undo("maria", done.before)
    mine, theirs = exchanged(here, there)
    assert mine == theirs, "replicas differ"
    here.undo()
    mine, theirs = exchanged(here, there)
    assert mine == theirs, "replicas differ"
    history.compare()


def narrow(seed: int, steps: int, rooms: Rooms) -> None:
    """One of the checks of all kinds, by histories of few fields."""
    [all_kinds, all_kinds_of_two, others_go_on][seed % 3](seed, steps, rooms, Narrow)


MANY = {"memory": (20_000, 1_450), "sqlite": (30_000, 275), "postgres": (40_000, 65)}
"""By storage the first of many histories, and a quarter of how many there are for each check."""

CHECKS: list[Callable[[int, int, Rooms], None]] = [
    exact,
    all_kinds,
    exact_of_two,
    all_kinds_of_two,
    alone,
    others_go_on,
    as_one,
    built_elsewhere,
]


def goes_on(here: Room, there: Room, frame: bytes, before: object, began: int | None) -> None:
    """What holds whatever was taken back: it comes back by no import, replicas agree, and it can be undone.

    Args:
        frame: from before it.
        before: what was shown then.
        began: since when it was made; ``None`` if it was nothing.
    """
    after = here.shown()
    here.ws.import_(frame)
    here.ws.import_(there.ws.export(since=there.began))
    assert here.shown() == after, "an import brings it back"
    mine, theirs = exchanged(here, there)
    assert mine == theirs == after, "replicas differ"
    assert not here.undo().documents, "it is taken back twice"
    if began is None:
        return
    here.undo("maria", began)
    assert here.shown() == before, "to undo it does not restore what was"
    here.undo()
    assert here.shown() == after, "to do it again does not do the same"
    mine, theirs = exchanged(here, there)
    assert mine == theirs == after, "replicas differ"


def nothing_is_lost(room: Room, doubled: set[str], stood: set[str]) -> None:
    """What others said is shown or asked about, unless in a document that others deleted, and no more often than
    it was.

    Args:
        doubled: what was shown several times before.
        stood: what others had said.
    """
    now, everything = room.said()
    gone = {at for at in deleted_by_others(room) if room.ws.get(*at) is None}
    lost = stood - everything - {word for at in gone for word in history_of(room.ws, *at)}
    assert not lost, f"lost: {lost}"
    assert not more_than_once(now) - doubled, "doubled"


def more_than_once(said: list[str]) -> set[str]:
    """Those that are there several times."""
    return {word for word, n in Counter(said).items() if n > 1}


def exempt(room: Room, *bad: str) -> tuple[set[str], set[str]]:
    """What others said and may not be shown any more: what was shown as agreed only, and what the agents' decisions
    had brought back; and what the agents said and may be: what others decided for, or say too."""
    may_go, may_stay = set(), set()
    for question in room.questions():
        may_go |= set(words(question.base))
        if question.reason == "delete":
            document = room.ws.get(question.namespace, question.key)
            may_go |= set(words(document.value if document is not None else {}))
            may_go |= {
                word for inner in room.questions() if _is_in(inner, question) for word in words(inner.contenders)
            }
    for entry in room.log():
        if entry.act in ("resolve", "dismiss"):
            decided = may_go if entry.agent in bad else may_stay
            decided |= set(words(entry.value))
    for document in room.documents():
        for credits in room.ws.blame(document.namespace, document.key).values():
            may_stay |= {word for credit in credits if set(credit.agents) - {*bad} for word in words(credit.value)}
    return may_go, may_stay


def _is_in(inner: Escalation, question: Escalation) -> bool:
    """Whether a question is about something in what another is about."""
    there, around = (inner.namespace, inner.key, *inner.path), (question.namespace, question.key, *question.path)
    return there[: len(around)] == around


def deleted_by_others(room: Room) -> set[tuple[tuple[str, ...], str]]:
    """The documents that others have deleted once, or decided to have deleted."""
    acts = [entry for entry in room.log() if entry.agent != BAD]
    decided = [e for e in acts if e.act in ("resolve", "dismiss") and e.value == {"path": [], "decision": None}]
    return {(e.namespace, e.key) for e in [*decided, *(e for e in acts if e.act == "delete")]}


def history_of(ws: Workspace, namespace: tuple[str, ...], key: str) -> set[str]:
    """All that was ever said in a document."""
    return {word for entry in ws.history(namespace, key) for word in words(entry.value)}


def run(seeds: range, stores: Stores, *checks: Callable[[int, int, Rooms], None]) -> None:
    """One history for each seed and check."""
    for seed in seeds:
        for number, check in enumerate(checks):
            try:
                check(seed, 3 + (seed + number) % 7, stores.rooms())
            except AssertionError as error:
                raise AssertionError(
                    f"{check.__name__}, seed {seed}, {3 + (seed + number) % 7} steps: {error}"
                ) from error
    stores.close()


def test_undo_against_the_exact_model() -> None:
    """After taking an agent's writes back each value, element, key and sum is what the others' writes alone make, and
    what was built on them is a question with just those contenders; imports do not bring them back, replicas agree, to
    undo it restores what was. The same of two agents, one after the other."""
    run(range(12), Stores(10), exact, exact_of_two)


def test_nothing_of_others_is_lost_whatever_the_kind() -> None:
    """The same of texts, lists, nested records, trees, deletions and decisions; what nobody else has touched stands to
    the letter as it stood."""
    run(range(5), Stores(10), all_kinds, all_kinds_of_two, alone, others_go_on, as_one)


def test_what_was_built_in_another_store_against_the_exact_model() -> None:
    """What others built in another store on what the agent wrote in a text, before they heard that he was taken back,
    is a question there and here, with just those sides; what they did not build on it is not."""
    run(range(2000, 2015), Stores(20), built_elsewhere)


def test_what_was_replaced_while_a_deletion_kept_it_stays_replaced() -> None:
    """A value that others replaced while a deletion of the agent kept it is not put back beside what replaced it."""
    run(range(22628, 22629), Stores(), lambda seed, _, rooms: all_kinds(seed, 8, rooms))


def test_a_value_that_a_deletion_kept_and_a_text_of_its_writer_stand_again_apart() -> None:
    """They are of two writes; under one dot a deletion that had seen the one would have seen the other."""
    run(range(150096, 150097), Stores(), lambda seed, _, rooms: all_kinds_of_two(seed, 8, rooms))


def test_deletions_and_undos_in_turns() -> None:
    """The same where much is deleted, of few fields; and replicas agree whatever is undone when."""
    run(range(8), Stores(20), in_turns, narrow)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_undo_on_every_storage(kind: str, keep_on: Callable[[str], None]) -> None:
    """It is the same wherever the journal is kept."""
    keep_on(kind)
    run(range(1000, 1001), Stores(12), *CHECKS)


def test_undo_where_a_journal_in_memory_keeps_differences(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the same where the journal keeps of small values what it keeps of large ones."""
    monkeypatch.setattr(memory, "LARGE", 0)
    run(range(2000, 2002), Stores(12), *CHECKS)


@pytest.mark.torture
@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])
@pytest.mark.parametrize("part", range(4))
def test_undo_of_many_histories(kind: str, part: int, keep_on: Callable[[str], None]) -> None:
    """57,280 histories in all, each storage has others. On one core they take about half an hour."""
    keep_on(kind)
    first, many = MANY[kind]
    run(range(first + part * many, first + (part + 1) * many), Stores(60), *CHECKS)


@pytest.mark.torture
def test_deletions_and_undos_in_turns_many_times() -> None:
    """8,000 more."""
    run(range(50_000, 54_000), Stores(60), in_turns, narrow)


def test_only_the_place_that_is_meant() -> None:
    """Documents outside the prefix, and what came before, stay."""
    at = (("t",), "k")
    ws = Workspace(schemas={("t",): Plan})
    bob = ws.agent(BAD)
    bob.write(*at, {"status": "before"})
    ws.agent(BAD).write(("elsewhere",), "x", {"a": 1})
    began = ws.moment()
    ws.agent(BAD).write(*at, {"status": "after"})
    ws.agent(BAD).write(("elsewhere",), "x", {"a": 2})
    done = ws.undo(agent=BAD, since=began, prefix=("t",), by="maria", dry_run=False)
    assert [(one.before, one.after) for one in done.documents] == [({"status": "after"}, {"status": "before"})]
    elsewhere = ws.get(("elsewhere",), "x")
    assert elsewhere is not None and elsewhere.value == {"a": 2}
