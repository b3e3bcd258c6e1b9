"""Random teams whose stores exchange only what is new, and forget what is old: nobody can tell."""

from __future__ import annotations

import random
from collections.abc import Sequence as Items
from datetime import timedelta
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import DELETED, List, Text, Workspace
from concordant.merge.record import Record
from concordant.merge.registers import leaves
from concordant.merge.sequence.order import in_order
from concordant.merge.sequence.pieces import Sequence
from tests.rounds import rounds

from .fuzz import explore
from .team import SCHEMAS, Team, team_history
from .world import exact, picture

NOW = timedelta(0)


def check_deltas(acts: Items[Any]) -> None:
    """Stores that exchange deltas, in any order and with gaps, end as those that exchange all they have."""
    _, replicas, detail = acts[0]
    team = Team(replicas, **detail)
    for name, seed, where in acts[1:]:
        rnd = random.Random(seed)
        one, other = rnd.choice(team.spaces), rnd.choice(team.spaces)
        if name == "export":
            team.frames.append(one.export(other.version_vector()))
        elif name == "refresh" and one is not other:
            one.exchange(other)
        else:
            team.act(name, str(seed), where["space"])
    for _ in range(2):
        for one in team.spaces:
            for other in team.spaces:
                if one is not other:
                    one.exchange(other)
    everything = Workspace(schemas=SCHEMAS, replica="everything")
    for workspace in team.spaces:
        everything.import_(workspace.export())
    for workspace in team.spaces:
        assert picture(workspace) == picture(everything)
        for other in team.spaces:
            assert other is workspace or other.exchange(workspace) == (0, 0)


def check_compaction(acts: Items[Any]) -> None:
    """Of two teams that do the same, one forgets all it may whenever nobody works on what he has read."""
    _, _, detail = acts[0]
    kept, compacted = Team(1, **detail), Team(1, **detail)
    for name, seed, where in acts[1:]:
        for team in (kept, compacted):
            if name == "refresh":
                team.drafts.clear()
                for agent in team.agents:
                    agent.refresh()
            else:
                team.act(name, str(seed), where["space"])
        if name == "refresh":
            compacted.spaces[0].vacuum(removed=NOW)
            compacted.readable()
    if acts[-1][2]["space"] != ("strict",):  # a write that is taken out later for breaking a constraint is taken out
        # as far as it is remembered: what it had removed comes back only where that was not forgotten
        whole, rest = shown(kept.spaces[0]), shown(compacted.spaces[0])
        assert without_texts(whole) == without_texts(rest)
        assert all(theirs <= mine for mine, theirs in zip(writers(whole), writers(rest), strict=True))
    compacted.converges()


def without_texts(found: list[Any]) -> list[Any]:
    """What is shown, but for who wrote the words of texts: of a unit that was rewritten that is told by its former
    versions, as long as they are not forgotten."""
    return [
        (key, value, {p: c for p, c in rest.items() if p[-1] not in TEXTS}) if isinstance(rest, dict) else (key, value)
        for key, value, rest, *_ in found
    ]


def writers(found: list[Any]) -> list[set[str]]:
    """Who is named for each text."""
    credits = [rest for _, _, rest, *_ in found if isinstance(rest, dict)]
    return [{a for agents in c for a in agents} for each in credits for p, c in each.items() if p[-1] in TEXTS]


TEXTS = {"text", "notes"}


def shown(workspace: Workspace) -> list[Any]:
    """Values, attribution and escalations, but for times and versions."""
    found: list[Any] = []
    for document in sorted(workspace.list(()), key=lambda d: (d.namespace, d.key)):
        credits = workspace.blame(document.namespace, document.key)
        found.append((document.key, exact(document.value), {p: [c.agents for c in cs] for p, cs in credits.items()}))
    for e in sorted(workspace.escalations(), key=lambda e: (e.key, e.path, repr(e.base))):
        values = sorted(("deleted" if c.value is DELETED else exact(c.value), c.agents) for c in e.contenders)
        found.append((e.reason, e.path, exact(e.base) if e.has_base else None, values))
    return found


def test_g4_deltas_bring_stores_together(seed: str) -> None:
    """What a version vector leaves out is never missing."""
    explore(check_deltas, seed, 10, 30, team_history)


def test_g1_g3_what_is_forgotten_is_missed_by_nobody(seed: str) -> None:
    """Values, attribution, conflicts and later merges are the same with and without compaction."""
    explore(check_compaction, seed, 8, 40, team_history)


@pytest.mark.torture
@pytest.mark.parametrize("check", [check_deltas, check_compaction])
def test_g1_g4_long_histories_of_exchange_and_forgetting(check: Any, seed: str) -> None:
    """The same for thousands of histories."""
    explore(check, seed, 1_500, 60, team_history)


def check_order(seed: str) -> None:
    """After random edits of a text and a list, compaction takes nothing away and moves nothing."""
    rnd = random.Random(seed)
    workspace = Workspace(schemas={("notes",): Note})
    agents = [workspace.agent(name) for name in ("ada", "bob", "cyd")]
    for _ in range(rnd.randrange(2, 25)):
        agent = rnd.choice(agents)
        if rnd.random() < 0.5:
            agent.refresh()
        with agent.edit(("notes",), "n") as note:
            words, steps = note.text.split(" "), [*note.steps]
            for items in (words, steps):
                at = rnd.randrange(len(items) + 1)
                items[at : at + rnd.randrange(3)] = [rnd.choice("abcdef") for _ in range(rnd.randrange(3))]
            note.text, note.steps = " ".join(words), steps
    before = workspace.get(("notes",), "n")
    if before is None or before.contested:
        return
    workspace.vacuum(removed=NOW)
    after = workspace.get(("notes",), "n")
    assert after is not None and after.value == before.value
    record = workspace.storage.load(("notes",), "n")
    if isinstance(record, Record):
        for _, leaf in leaves(record.tree):
            if isinstance(leaf, Sequence):
                assert in_order(leaf.pieces()) == leaf.pieces(), "another store would show it in another order"


@rounds(60, 300)
def test_g4_compaction_keeps_the_order_that_everybody_computes(seed: str, rounds: int) -> None:
    """What stood behind forgotten words stands where it stood, here and after an import."""
    for number in range(rounds):
        check_order(f"{seed}.{number}")


class Note(BaseModel):
    text: Annotated[str, Text()] = ""
    steps: Annotated[list[str], List()] = []


def test_a_text_costs_what_it_shows_and_not_its_history() -> None:
    """Ten thousand puts of a text and list leave, once compacted, little more than one."""
    workspace = Workspace(schemas={("notes",): Note})
    with workspace.acting_as("ada"):
        for number in range(2_000):
            text = "\n".join(f"Line {n} in draft {number // 10 + n}." for n in range(5))
            workspace.put(("notes",), "n", {"text": text, "steps": [f"step {number}", "end"]})
    before = workspace.get(("notes",), "n")
    assert before is not None and "text" in before.value
    large = len(memory_of(workspace))
    assert workspace.vacuum(removed=NOW).compacted == 1
    after = workspace.get(("notes",), "n")
    assert after is not None and after.value == before.value
    assert len(memory_of(workspace)) < 3_000 < large / 15


def test_what_the_journal_still_holds_is_shown_as_it_was() -> None:
    """Compaction takes nothing from the past that the journal keeps."""
    workspace = Workspace(schemas={("notes",): Note})
    values = {}
    ada = workspace.agent("ada")
    for number in range(20):
        with ada.edit(("notes",), "n") as note:
            note.text = f"Draft {number} of something.\n{'more ' * (number % 3)}"
            note.steps = [f"s{n}" for n in range(number % 5)]
        now = workspace.get(("notes",), "n")
        assert now is not None
        values[now.version] = now.value
        if number % 7 == 6:
            workspace.vacuum(removed=NOW)
    for version, value in values.items():
        then = workspace.get(("notes",), "n", at=version)
        assert then is not None and then.value == value


def test_what_another_store_may_know_is_kept() -> None:
    """What was exported can come back changed, and then merges as if nothing had been forgotten."""
    one, two = Workspace(schemas={("notes",): Note}), Workspace(schemas={("notes",): Note})
    one.agent("ada").write(("notes",), "n", {"text": "The status is open and the owner is ada."})
    one.exchange(two)
    with one.agent("ada").edit(("notes",), "n") as note:
        note.text = "The status is closed and the owner is ada."
    with two.agent("bob").edit(("notes",), "n") as note:
        note.text = "The status is pending and the owner is ada."
    assert one.vacuum(removed=NOW).compacted == 0
    one.exchange(two)
    assert {c.value for c in one.escalations()[0].contenders} == {
        "The status is closed and the owner is ada.",
        "The status is pending and the owner is ada.",
    }
    assert picture(one) == picture(two)


def memory_of(workspace: Workspace) -> bytes:
    """The documents as bytes, by a frame that counts as given to nobody."""
    note_export = workspace.storage.note_export
    workspace.storage.note_export = lambda n: None  # type: ignore[method-assign]
    try:
        return workspace.export()
    finally:
        workspace.storage.note_export = note_export  # type: ignore[method-assign]
