"""Random updates through the tools are the same changes as through ``edit`` and ``write``."""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies as st

from concordant import Agent, Workspace
from tests.tooling.support import KEY, NS, Brief, Desk, Source

WORDS = st.sampled_from(["red", "green", "blue", "grey"])
FEW = st.lists(WORDS, max_size=2)
EXCHANGES = st.lists(st.fixed_dictionaries({"find": WORDS, "replace": FEW}), max_size=1)
PASSAGES = st.lists(
    st.fixed_dictionaries({"find": WORDS, "replace": st.sampled_from(["pink", "", "red red"])}), max_size=2
)
PAIRS = st.lists(st.fixed_dictionaries({"key": st.sampled_from("ab"), "value": WORDS}), max_size=2)
NUMBERS = st.lists(st.integers(0, 3), max_size=2)
VOTES = st.fixed_dictionaries({"key": st.sampled_from("ab")}, optional={"value": NUMBERS, "remove_value": NUMBERS})
RECORD = {"title": WORDS, "quotes": FEW, "remove_quotes": FEW, "replace_quotes": EXCHANGES}
RECORDS = st.fixed_dictionaries({"id": st.sampled_from("st")}, optional=RECORD)
KEYS = st.lists(st.sampled_from("ab"), max_size=1)
UPDATES = st.fixed_dictionaries(
    {},
    optional={
        "tags": FEW,
        "remove_tags": FEW,
        "notes": st.sampled_from(["one", "two"]),
        "replace_notes": PASSAGES,
        "tokens": st.integers(-3, 3),
        "steps": FEW,
        "remove_steps": FEW,
        "replace_steps": EXCHANGES,
        "owners": PAIRS,
        "remove_owners": KEYS,
        "votes": st.lists(VOTES, max_size=1),
        "remove_votes": KEYS,
        "sources": st.lists(RECORDS, max_size=1),
        "remove_sources": st.lists(st.sampled_from("st"), max_size=1),
        "main": st.fixed_dictionaries({}, optional=RECORD),
        "status": st.sampled_from(["draft", "review", "done"]),
        "size": st.integers(0, 3),
    },
)


BASE = {
    "tags": ["red", "green"],
    "notes": "red green blue grey",
    "steps": ["red", "green", "red", "blue"],
    "owners": [{"key": "a", "value": "red"}],
    "votes": [{"key": "a", "value": [1, 2]}],
    "sources": [{"id": "s", "title": "green", "quotes": ["red", "green"]}],
    "main": {"quotes": ["red", "blue"]},
    "status": "draft",
}
"""What most updates find something to take away from."""


class Unfit(Exception):
    """What the tool refuses: words to replace that are not there once."""


def edited(brief: Brief, change: dict[str, Any]) -> None:
    """Makes what a change takes away and replaces in a model instance, as a program would in an edit."""
    brief.tags.difference_update(change.get("remove_tags", ()))
    for passage in change.get("replace_notes", ()):
        if brief.notes.count(passage["find"]) != 1:
            raise Unfit
        brief.notes = brief.notes.replace(passage["find"], passage["replace"])
    edit_list(brief.steps, change.get("remove_steps", ()), change.get("replace_steps", ()))
    for vote in change.get("votes", ()):
        if vote["key"] in brief.votes:
            brief.votes[vote["key"]].difference_update(vote.get("remove_value", ()))
    for name in ("owners", "votes"):
        for key in change.get(f"remove_{name}", ()):
            getattr(brief, name).pop(key, None)
    for record in change.get("sources", ()):
        if record["id"] in change.get("remove_sources", ()):
            continue
        known = next((source for source in brief.sources if source.id == record["id"]), Source())
        edit_list(known.quotes, record.get("remove_quotes", ()), record.get("replace_quotes", ()))
    brief.sources[:] = [source for source in brief.sources if source.id not in change.get("remove_sources", ())]
    main = change.get("main", {})
    edit_list(brief.main.quotes, main.get("remove_quotes", ()), main.get("replace_quotes", ()))


def edit_list(items: list[str], removed: list[str], exchanges: list[dict[str, Any]]) -> None:
    """Takes items out of a list, each once, and puts others in the place of some."""
    for item in removed:
        if item in items:
            items.remove(item)
    for exchange in exchanges:
        if exchange["find"] not in items:
            raise Unfit
        at = items.index(exchange["find"])
        items[at : at + 1] = exchange["replace"]


def written(change: dict[str, Any]) -> dict[str, Any]:
    """What a change adds, as a program would write it."""
    value = {
        n: change[n]
        for n in ("tags", "notes", "tokens", "steps", "status", "size")
        if change.get(n) not in (None, [], 0)
    }
    value |= {"size": change["size"]} if "size" in change else {}
    if change.get("owners"):
        value["owners"] = {pair["key"]: pair["value"] for pair in change["owners"]}
    votes = {
        v["key"]: v.get("value", []) for v in change.get("votes", ()) if v.get("value") or not v.get("remove_value")
    }
    records = [record_of(record) for record in change.get("sources", ())]
    main = record_of(change.get("main", {}))
    return value | {n: v for n, v in (("votes", votes), ("sources", records), ("main", main)) if v}


def only_removes(vote: dict[str, Any]) -> bool:
    return bool(vote.get("remove_value")) and not vote.get("value")


def record_of(record: dict[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in ("id", "title", "quotes") if record.get(name)}


class Program:
    """An agent that makes its changes through a workspace; what it edits it has read at its beginning."""

    def __init__(self, ws: Workspace, name: str) -> None:
        self.agent: Agent = ws.agent(name)
        self.entered = self.agent.edit(NS, KEY)
        self.brief: Brief = self.entered.__enter__()

    def make(self, change: dict[str, Any]) -> bool:
        """Makes a change; tells whether it could be made."""
        try:
            edited(self.brief, change)
        except Unfit:
            return False  # and nothing is written, as an edit that raises writes nothing
        self.entered.__exit__(None, None, None)
        value = written(change)
        if value:
            self.agent.write(NS, KEY, value)
        return True


def shown(ws: Workspace) -> tuple[Any, ...]:
    """The value of the document, who stands for it, and what is contested."""
    document = ws.get(NS, KEY)
    blame = {path: [(c.value, set(c.agents)) for c in credits] for path, credits in ws.blame(NS, KEY).items()}
    sides = [(e.path, e.reason, e.base, [(c.value, c.agents) for c in e.contenders]) for e in ws.escalations()]
    return document and document.value, blame, sorted(sides, key=repr)


@given(st.lists(UPDATES, max_size=2).map(lambda more: [BASE, *more]), st.lists(UPDATES, min_size=2, max_size=2))
def test_updates_are_edits_and_writes(before: list[dict[str, Any]], together: list[dict[str, Any]]) -> None:
    """Updates one after the other and at the same time give the same values, credits and conflicts as a program's
    edits of what it read and its writes."""
    desk = Desk()
    ws = Workspace(schemas={NS: Brief})
    for number, change in enumerate(before):
        with desk.task("planner", step=number) as planner:
            failed = planner.update(**change).failed
        assert Program(ws, "planner").make(change) or failed
    assert shown(desk.ws) == shown(ws)
    names = ["ada", "bob"]
    callers = []
    for name in names:
        with desk.task(name, step=9) as caller:
            callers.append(caller)
    programs = [Program(ws, name) for name in names]
    for name, caller, program, change in zip(names, callers, programs, together, strict=True):
        with desk.task(name, step=9):
            text, failed = caller.update(**change)
        made = program.make(change)
        assert made or failed
        if made and (failed or "you have seen" in text):
            return  # another has taken it away meanwhile: a program can still remove what it read, a tool refuses
    assert shown(desk.ws) == shown(ws)
