"""A text that is one unit, where nobody has written yet: what several make of that at once is a question."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import Map, Text, Workspace
from concordant.escalation import Escalation
from concordant.merge.sequence import edit, normal, overlap, pieces
from concordant.workspace import Agent
from tests.rounds import rounds

PLACE = (("prompts",), "p")
FIRST: list[dict[str, Any] | None] = [None, {"topic": "x"}, {"prompt": ""}, {"prompt": "\n"}, {"prompt": " \n "}]
TEXTS = ["Be kind.", "Be brief.", "Be kind. Be brief.", "a\nb", "\n", " ", ""]


class Prompt(BaseModel):
    prompt: Annotated[str, Text(unit="whole")] = ""
    piped: Annotated[str, Text(unit="whole", separator=" | ")] = ""
    topic: Annotated[str, Text()] = ""
    by_key: Annotated[dict[str, Annotated[str, Text(unit="whole")]], Map()] = {}


def spaces(count: int, value: dict[str, Any] | None = None) -> list[Workspace]:
    made = [Workspace(schemas={("prompts",): Prompt}, replica=f"r{number}") for number in range(count)]
    if value is not None:
        made[0].agent("base").write(*PLACE, value)
    exchange(made, random.Random(0))
    return made


def exchange(made: list[Workspace], chance: random.Random) -> None:
    """All learn of all, in any order."""
    for _ in made:
        pairs = [(one, other) for one in made for other in made if one is not other]
        chance.shuffle(pairs)
        for one, other in pairs:
            one.import_(other.export())


def leave(agent: Agent, name: str, content: str) -> None:
    """An edit that leaves a text in a field, or in a key of a map."""
    with agent.edit(*PLACE) as page:
        if name == "by_key":
            page.by_key["k"] = content
        else:
            setattr(page, name, content)


def shown(workspace: Workspace, name: str) -> str:
    document = workspace.get(*PLACE)
    found = (document.value if document is not None else {}).get(name, "")
    return str(found.get("k", "") if isinstance(found, dict) else found).strip()


def question(workspace: Workspace, name: str) -> Escalation | None:
    found = [one for one in workspace.escalations() if one.path[0] == name]
    assert len(found) <= 1, found
    return found[0] if found else None


def check(made: list[Workspace], name: str, said: dict[str, set[str]]) -> None:
    """What is shown everywhere where nothing was and writers have left these texts, each by whom."""
    writers = set().union(*said.values())
    for workspace in made:
        asked = question(workspace, name)
        if len(said) > 1:
            assert asked is not None, said
            assert (shown(workspace, name), asked.base, asked.suggestion) == ("", "", None)
            assert {str(c.value): {*c.agents} & writers for c in asked.contenders} == said
        else:
            assert asked is None, (asked, said)
            assert shown(workspace, name) == next(iter(said), "")
    assert len({(one.id, one.version) for one in (question(w, name) for w in made) if one is not None}) <= 1


def play(seed: str) -> None:
    """Writers in stores that know nothing of each other each leave a text; that is decided, and one comes late."""
    chance = random.Random(seed)
    name = chance.choice(["prompt", "prompt", "piped", "by_key"])
    made = spaces(chance.choice([2, 3, 4]), chance.choice(FIRST) if name == "prompt" else {"topic": "x"})
    late = made[0].agent("late").edit(*PLACE)
    page = late.__enter__()
    said: dict[str, set[str]] = {}
    for number, workspace in enumerate(made):
        last = ""
        for turn in range(chance.choice([1, 1, 2, 3])):
            last = chance.choice([text for text in TEXTS if text != last])
            leave(workspace.agent(f"w{number}.{turn}"), name, last)
        if last:
            said.setdefault(last.strip(), set()).add(f"w{number}.{turn}")
    said.pop("", None)
    exchange(made, chance)
    check(made, name, said)
    asked = question(made[1], name)
    if asked is not None:
        decided = chance.choice([*said, "Be both.", ""])
        made[1].resolve(asked, decided, by="judge")
        said = {decided: {"judge"}}
        exchange(made, chance)
        check(made, name, said)
    if name == "prompt" and chance.random() < 0.7:
        page.prompt = "Be late."
        late.__exit__(None, None, None)
        exchange(made, chance)
        said = said if {*said} != {"Be late."} else {}
        check(made, name, {**said, "Be late.": {"late"}})
    for workspace in made:
        workspace.close()


@rounds(15, 60)
def test_g3_what_several_make_of_an_empty_text_is_asked(seed: str, rounds: int) -> None:
    """Two different texts that are put at once where none was are a question, in every store; equal ones count once,
    blanks do not count; a decision, that it stay empty included, is met by whoever comes late."""
    for number in range(rounds):
        play(f"{seed}/{number}")


def test_g2_blind_writes_are_added() -> None:
    """What is written without a look is no change of what is there: two texts, one below the other."""
    for given in (None, {"topic": "x"}):
        [workspace] = spaces(1, given)
        ada, bob = workspace.agent("ada"), workspace.agent("bob")
        ada.write(*PLACE, {"prompt": "A"})
        bob.write(*PLACE, {"prompt": "B"})
        assert (shown(workspace, "prompt"), workspace.escalations()) == ("A\nB", [])


def test_whoever_sees_both_replaces_them() -> None:
    """Whoever is shown that two texts are in dispute where none was, and leaves another, has settled it; who had seen
    neither meets that."""
    [workspace] = spaces(1)
    writers = [workspace.agent(name) for name in ("ada", "bob", "late")]
    drafts = [writer.edit(*PLACE) for writer in writers]
    for draft, text in zip(drafts, "ABL", strict=True):
        draft.__enter__().prompt = text
    for draft in drafts[:2]:
        draft.__exit__(None, None, None)
    assert question(workspace, "prompt") is not None
    leave(workspace.agent("eve"), "prompt", "C")
    assert (shown(workspace, "prompt"), workspace.escalations()) == ("C", [])
    drafts[2].__exit__(None, None, None)
    check([workspace], "prompt", {"C": {"eve"}, "L": {"late"}})


def test_who_fills_what_was_emptied_stands_for_that() -> None:
    """Whoever takes all out of a text and whoever fills it then have made one change of what it was."""
    one, other = spaces(2, {"prompt": "P"})
    leave(one.agent("ada"), "prompt", "")
    leave(one.agent("eve"), "prompt", "C")
    leave(other.agent("bob"), "prompt", "B")
    exchange([one, other], random.Random(1))
    for workspace in (one, other):
        asked = question(workspace, "prompt")
        assert asked is not None
        assert (shown(workspace, "prompt"), asked.base) == ("P", "P")
        assert {c.value for c in asked.contenders} == {"B", "C"}


def test_an_undo_leaves_the_other_side(tmp_path: Path) -> None:
    """What one side had put is taken back, and the other one's stands; taken back again, it is asked about again; all
    of it reads the same after a restart."""
    url = f"sqlite:///{tmp_path / 'team.db'}"
    with Workspace(url, schemas={("prompts",): Prompt}) as workspace:
        drafts = [workspace.agent(name).edit(*PLACE) for name in ("ada", "bob")]
        for draft, text in zip(drafts, "AB", strict=True):
            draft.__enter__().prompt = text
        for draft in drafts:
            draft.__exit__(None, None, None)
        workspace.undo(agent="ada", by="maria", dry_run=False)
        assert (shown(workspace, "prompt"), workspace.escalations()) == ("B", [])
        workspace.undo(agent="maria", by="eve", dry_run=False)
    with Workspace(url, schemas={("prompts",): Prompt}) as workspace:
        asked = question(workspace, "prompt")
        assert asked is not None
        assert {c.value: c.agents for c in asked.contenders} == {"A": ("ada",), "B": ("bob",)}
        workspace.resolve(asked, "", by="judge")
    with Workspace(url, schemas={("prompts",): Prompt}) as workspace:
        assert (shown(workspace, "prompt"), workspace.escalations()) == ("", [])
        workspace.undo(agent="judge", by="maria", dry_run=False)
        asked = question(workspace, "prompt")
        assert asked is not None
        assert {str(c.value) for c in asked.contenders} == {"A", "B"}


def nothing_is_a_unit(patch: pytest.MonkeyPatch) -> None:
    """What is put into an empty text is an insertion as any other."""
    patch.setattr(pieces, "is_opening", lambda _: False)
    patch.setattr(normal, "_over_nothing", lambda sequence, _: sequence)


def blanks_count(patch: pytest.MonkeyPatch) -> None:
    """Whoever leaves a blank in an empty text is a side."""
    patch.setattr(overlap._Weighing, "_said", lambda self, group, owners, readings: readings)


def no_trace_of_what_was_emptied(patch: pytest.MonkeyPatch) -> None:
    """Whoever fills a text does not tell by what it had become empty."""
    patch.setattr(edit._Writer, "_emptied", lambda *_: pieces.NOTHING_THERE)


def twins_for_ever(patch: pytest.MonkeyPatch) -> None:
    """What two put alike is one, whatever one of them makes of it."""
    patch.setattr(overlap._Weighing, "_went_on", lambda *_: False)


def nothing_is_no_decision(patch: pytest.MonkeyPatch) -> None:
    """That a text is to stay empty is forgotten."""
    patch.setattr(edit._Edit, "nothing", lambda _: ())


def many() -> None:
    for number in range(480):
        play(f"mutant/{number}")


@pytest.mark.parametrize(
    ("mutant", "check"),
    [
        (nothing_is_a_unit, many),
        (blanks_count, many),
        (twins_for_ever, many),
        (nothing_is_no_decision, many),
        (no_trace_of_what_was_emptied, test_who_fills_what_was_emptied_stands_for_that),
    ],
)
def test_a_broken_weighing_is_noticed(
    mutant: Callable[[pytest.MonkeyPatch], None], check: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each deliberate fault fails the test of what it breaks."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        check()
