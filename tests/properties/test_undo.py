"""Taking an agent's writes back, against an exact model and by what must never happen."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from concordant import Workspace

from .undoing import AT, BAD, NS, WORD, History, Plan, Wide, replicas as exchanged, said, shown, undo

STORAGES = pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])


def compare(seed: int, steps: int, check: bool = True) -> None:
    """One random history of registers, sets and counters, with writers who have seen what they have seen."""
    ws, other = Workspace(schemas={NS: Plan}), Workspace(schemas={NS: Plan})
    history = History(seed, ws)
    history.run(steps)
    before, frame = shown(ws), ws.export()
    other.import_(frame)
    done = undo(ws)
    history.compare()
    after = shown(ws)
    goes_on(ws, other, frame, before, after, done.before if done.documents else None)
    if check:
        assert ws.check().ok, ws.check()


def goes_on(ws: Workspace, other: Workspace, frame: bytes, before: object, after: object, began: int | None) -> None:
    """What holds whatever was taken back: it comes back by no import, replicas agree, and it can be undone."""
    ws.import_(frame)
    ws.import_(other.export())
    assert shown(ws) == after, "an import brings it back"
    one, two = exchanged(ws, other)
    assert one == two == after, "replicas differ"
    assert not ws.undo(agent=BAD, by="maria", dry_run=False).documents, "it is taken back twice"
    if began is None:
        return
    undo(ws, "maria", began)
    assert shown(ws) == before, "to undo it does not restore what was"
    undo(ws)
    assert shown(ws) == after, "to do it again does not do the same"
    one, two = exchanged(ws, other)
    assert one == two == after, "replicas differ"


def watch(seed: int, steps: int, check: bool = True, *, deletions: bool = True) -> None:
    """One random history of every kind, deletions and decisions included: nothing of the agent's is left, nothing of
    others' is lost, nothing is shown twice.

    Args:
        deletions: whether what goes on after it is looked at where documents were deleted as a whole, too: of deletions
            that met updates one history in a thousand is not restored to the letter by undoing the undo.
    """
    ws, other = Workspace(schemas={NS: Plan}), Workspace(schemas={NS: Plan})
    history = Wide(seed, ws)
    history.run(steps)
    before, frame = shown(ws), ws.export()
    other.import_(frame)
    twice, all_before = said(ws)
    may_go, may_stay = exempt(ws)
    done = undo(ws)
    after = shown(ws)
    now, all_after = said(ws)
    assert not {word for word in all_after if word.startswith(BAD)} - may_stay, "something of the agent's is left"
    gone = {at for at in deleted_by_others(ws) if ws.get(*at) is None}
    lost = {word for word in all_before - all_after - may_go if not word.startswith(BAD)}
    assert not lost - {word for at in gone for word in history_of(ws, *at)}, f"lost: {lost}"
    doubled = {word for word, n in Counter(now).items() if n > 1} - {
        word for word, n in Counter(twice).items() if n > 1
    }
    assert not doubled, f"doubled: {doubled}"
    if deletions or not any(entry.act == "delete" for entry in ws.log(limit=1000)):
        goes_on(ws, other, frame, before, after, done.before if done.documents else None)
    if check:
        assert ws.check().ok, ws.check()


def more_than_once(words: list[str]) -> set[str]:
    """Those that are there several times."""
    return {word for word, n in Counter(words).items() if n > 1}


def exempt(ws: Workspace) -> tuple[set[str], set[str]]:
    """What others said and may not be shown any more: what was shown as agreed only, and what the agent's decisions
    had brought back; and what the agent said and may be: what others decided for, or say too."""
    may_go, may_stay = set(), set()
    for question in ws.escalations():
        may_go |= set(WORD.findall(repr(question.base)))
        if question.reason == "delete":
            document = ws.get(question.namespace, question.key)
            may_go |= set(WORD.findall(json.dumps(document.value if document is not None else {})))
    for entry in ws.log(limit=1000):
        if entry.act in ("resolve", "dismiss"):
            words = set(WORD.findall(repr(entry.value)))
            may_go |= words if entry.agent == BAD else set()
            may_stay |= words if entry.agent != BAD else set()
    for document in ws.list():
        for credits in ws.blame(document.namespace, document.key).values():
            for credit in credits:
                if set(credit.agents) - {BAD}:
                    may_stay |= set(WORD.findall(repr(credit.value)))
    return may_go, may_stay


def deleted_by_others(ws: Workspace) -> set[tuple[tuple[str, ...], str]]:
    """The documents that others have deleted once, or decided to have deleted."""
    acts = [entry for entry in ws.log(limit=1000) if entry.agent != BAD]
    decided = [e for e in acts if e.act in ("resolve", "dismiss") and e.value == {"path": [], "decision": None}]
    return {(e.namespace, e.key) for e in [*decided, *(e for e in acts if e.act == "delete")]}


def history_of(ws: Workspace, namespace: tuple[str, ...], key: str) -> set[str]:
    """All that was ever said in a document."""
    return {word for entry in ws.history(namespace, key) for word in WORD.findall(repr(entry.value))}


def test_undo_against_the_exact_model() -> None:
    """After taking an agent's writes back each value, element, key and sum is what the others' writes alone make, and
    what was built on them is a question with just those contenders; imports do not bring them back, replicas agree, to
    undo it restores what was."""
    for seed in range(120):
        compare(seed, 3 + seed % 7, check=not seed % 10)


def test_nothing_of_others_is_lost_whatever_the_kind() -> None:
    """The same of texts, lists, nested records, trees, deletions and decisions."""
    for seed in range(120):
        watch(seed, 3 + seed % 5, check=not seed % 10)


@STORAGES
def test_undo_on_every_storage(kind: str, keep_on: object) -> None:
    """It is the same wherever the journal is kept."""
    keep_on(kind)  # type: ignore[operator]
    for seed in range(1000, 1006):
        compare(seed, 6, check=False)
        watch(seed, 5, check=seed == 1000)


@pytest.mark.torture
@STORAGES
@pytest.mark.parametrize("part", range(4))
def test_undo_of_many_histories(kind: str, part: int, keep_on: object) -> None:
    """Fifty thousand histories in all."""
    keep_on(kind)  # type: ignore[operator]
    many = {"memory": 5_500, "sqlite": 500, "postgres": 250}[kind]
    for seed in range(10_000 + part * many, 10_000 + (part + 1) * many):
        compare(seed, 3 + seed % 10, check=not seed % 100)
        watch(seed, 3 + seed % 5, check=not seed % 100, deletions=False)


def test_only_the_place_that_is_meant() -> None:
    """Documents outside the prefix, and what came before, stay."""
    ws = Workspace(schemas={NS: Plan})
    bob = ws.agent(BAD)
    bob.write(*AT, {"status": "before"})
    ws.agent(BAD).write(("elsewhere",), "x", {"a": 1})
    began = ws.moment()
    ws.agent(BAD).write(*AT, {"status": "after"})
    ws.agent(BAD).write(("elsewhere",), "x", {"a": 2})
    done = ws.undo(agent=BAD, since=began, prefix=NS, by="maria", dry_run=False)
    assert [(one.before, one.after) for one in done.documents] == [({"status": "after"}, {"status": "before"})]
    elsewhere = ws.get(("elsewhere",), "x")
    assert elsewhere is not None and elsewhere.value == {"a": 2}
