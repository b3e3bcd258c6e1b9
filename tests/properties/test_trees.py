"""Trees of free JSON against an exact model, which keeps every write with all that its writer had seen."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, create_model

from concordant import DELETED, Agent, Tree, Workspace
from concordant.merge.causality import Entry
from concordant.merge.kinds import tree
from concordant.values import alike

AT = (("pages",), "home")
Patch = pytest.MonkeyPatch
Path = tuple[str, ...]
DICT = "a dict stands here"
GONE = "nothing stands here"


class Page(BaseModel):
    x: Annotated[dict[str, Any], Tree(lists="scalar")] = {}


@dataclass(frozen=True)
class Wrote:
    """What one write said about one place."""

    number: int
    value: Any
    seen: frozenset[int]


@dataclass
class Model:
    """All writes that a replica knows, by place."""

    known: dict[Path, dict[int, Wrote]] = field(default_factory=dict)
    anew: bool = False  # an edit of a document without a model says all that is to be there

    def all(self) -> frozenset[int]:
        return frozenset(number for wrote in self.known.values() for number in wrote)

    def live(self, path: Path) -> list[Wrote]:
        here = self.known.get(path, {}).values()
        return [one for one in here if not any(one.number in other.seen for other in here)]

    def below(self, path: Path) -> list[str]:
        return sorted(
            {other[len(path)] for other in self.known if other[: len(path)] == path and len(other) > len(path)}
        )

    def join(self, other: Model) -> None:
        for path, wrote in other.known.items():
            self.known.setdefault(path, {}).update(wrote)

    # -- writes -----------------------------------------------------------------------------------------------------

    def say(self, path: Path, value: Any, number: int, seen: frozenset[int]) -> None:
        self.known.setdefault(path, {})[number] = Wrote(number, value, seen)

    def holds(self, path: Path, seen: frozenset[int]) -> bool:
        return any(one.value == DICT and one.number in seen for one in self.live(path))

    def put(self, path: Path, value: Any, anew: bool, number: int, seen: frozenset[int]) -> None:
        if not isinstance(value, dict):
            self.say(path, value, number, seen)
            return
        anew = anew or not self.holds(path, seen)
        for name in self.below(path) if anew else ():
            there = [one for one in self.live((*path, name)) if one.number in seen and one.value != GONE]
            if name not in value and there:
                self.say((*path, name), GONE, number, seen)
        for name, item in value.items():
            self.put((*path, name), item, anew, number, seen)
        self.say(path, DICT, number, seen)

    def edit(self, path: Path, base: Any, value: Any, number: int, seen: frozenset[int]) -> None:
        if alike(base, value):
            return
        if not isinstance(base, dict) or not isinstance(value, dict):
            self.put(path, value, True, number, seen)
            return
        self.edit_keys(path, base, value, number, seen)
        self.say(path, DICT, number, seen)

    def edit_keys(self, path: Path, base: Any, value: Any, number: int, seen: frozenset[int]) -> None:
        for name, item in value.items():
            if name in base:
                self.edit((*path, name), base[name], item, number, seen)
            else:
                self.put((*path, name), item, self.anew, number, seen)
        for name in base.keys() - value.keys():
            self.say((*path, name), GONE, number, seen)

    # -- what is shown ----------------------------------------------------------------------------------------------

    def shown(self, path: Path, bases: dict[Path, Any], asked: dict[Path, tuple[str, set[str]]]) -> Any:
        """The dict at a path; what is contested is added to ``asked``, and shown as its question says."""
        found = {}
        for name in self.below(path):
            here = (*path, name)
            values = {text(one.value): one.value for one in self.live(here)}
            whole = self.shown(here, bases, asked) if text(DICT) in values else None
            said = {key: whole if value == DICT else value for key, value in values.items() if value != GONE}
            if len(values) > 1:
                reason = "type" if any(isinstance(value, dict) or value == [] for value in said.values()) else "scalar"
                options = {text(value) for value in said.values()} | ({GONE} if text(GONE) in values else set())
                asked[here] = "delete" if text(GONE) in values else reason, options
            if len(said) == 1:
                (found[name],) = said.values()
            elif len(values) > 1 and here in bases:
                found[name] = bases[here]
        return found


def text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@dataclass
class Side:
    """One agent on one replica, what it has seen, and its open edit."""

    workspace: Workspace
    model: Model
    agent: Agent
    seen: frozenset[int] = frozenset()
    draft: Any = None


VALUES = (1, 2, True, "s", None)
LISTS = ([1], [], [{"a": 1}])


def some(rnd: random.Random, values: Sequence[Any], depth: int = 0) -> Any:
    """A value: a dict of a few keys, more often the nearer it is to the root."""
    if rnd.random() < (1.0, 0.6, 0.3, 0.0)[depth]:
        return {rnd.choice("abc"): some(rnd, values, depth + 1) for _ in range(rnd.randrange(3))}
    return rnd.choice(values)


def change(rnd: random.Random, values: Sequence[Any], value: Any) -> None:
    """Changes a dict in place, anywhere in it."""
    inner = [item for item in value.values() if isinstance(item, dict)]
    if inner and rnd.random() < 0.6:
        change(rnd, values, rnd.choice(inner))
    elif value and rnd.random() < 0.4:
        del value[rnd.choice(sorted(value))]
    else:
        value[rnd.choice("abc")] = some(rnd, values, rnd.randrange(1, 4))


class World:
    """Replicas with agents, each replica with its model."""

    def __init__(self, rnd: random.Random, *, declared: bool) -> None:
        self.rnd, self.declared, self.number = rnd, declared, 0
        self.values = (*VALUES, *LISTS) if declared else VALUES
        self.sides: list[Side] = []
        for name in ("one", "two"):
            options: Any = {"schemas": {AT[0]: Page}} if declared else {"undeclared": "tree"}
            workspace, model = Workspace(replica=name, **options), Model(anew=not declared)
            self.sides += [Side(workspace, model, workspace.agent(f"{name}{n}")) for n in range(3)]

    def next(self) -> int:
        self.number += 1
        return self.number

    def wrapped(self, value: Any) -> Any:
        return {"x": value} if self.declared else value

    def inside(self, value: Any) -> Any:
        return value.get("x", {}) if self.declared else value

    def step(self) -> Side:
        side, act = self.rnd.choice(self.sides), self.rnd.random()
        if side.draft is not None:
            self.close(side)
        elif act < 0.3:
            self.write(side)
        elif act < 0.7:
            self.open(side)
        elif act < 0.85:
            self.decide(side)
        elif act < 0.92:
            side.agent.refresh()
            side.seen |= side.model.all()
        else:
            self.meet()
        return side

    def write(self, side: Side) -> None:
        values, number = some(self.rnd, self.values), self.next()
        side.agent.write(*AT, self.wrapped(values))
        for name, item in values.items():
            side.model.put((name,), item, False, number, side.seen)
        side.seen |= {number}

    def open(self, side: Side) -> None:
        if self.rnd.random() < 0.5 and side.workspace.get(*AT) is not None:
            manager = side.agent.edit(*AT)
            draft = manager.__enter__()
            value = draft.x if self.declared else draft
            side.seen |= side.model.all()
            # A field of no model that is contested may be left out: it was not shown.
            left = [] if self.declared else [e.path[0] for e in side.workspace.escalations() if len(e.path) == 1]
            side.draft = manager, value, copy.deepcopy(value), side.seen, left

    def close(self, side: Side) -> None:
        manager, value, base, seen, left = side.draft
        side.draft = None
        change(self.rnd, self.values, value)
        after, number = copy.deepcopy(value), self.next()
        manager.__exit__(None, None, None)
        base = {name: item for name, item in base.items() if name in after or name not in left}
        side.model.edit_keys((), base, after, number, seen)
        side.seen |= {number}

    def decide(self, side: Side) -> None:
        found = side.workspace.escalations()
        if not found:
            return
        chosen, number, seen = self.rnd.choice(found), self.next(), side.model.all()
        path = chosen.path[1:] if self.declared else chosen.path
        values = [contender.value for contender in chosen.contenders if contender.value is not DELETED]
        value = self.rnd.choice([*values, "another", {"a": {"b": 1}}])
        side.workspace.resolve(chosen, value, by="judge")
        above = [path[:depth] for depth in range(1, len(path))]
        for place in above:
            if len({text(one.value) for one in side.model.live(place)}) == 1:
                side.model.say(place, DICT, number, seen)
        side.model.put(path, value, True, number, seen)

    def meet(self) -> None:
        one, two = self.sides[0], self.sides[-1]
        one.workspace.exchange(two.workspace)
        one.model.join(two.model)
        two.model.join(one.model)

    def check(self, side: Side) -> None:
        document = side.workspace.get(*AT)
        value = {} if document is None else self.inside(document.value)
        skip = 1 if self.declared else 0
        open_ = {e.path[skip:]: e for e in side.workspace.escalations()}
        bases = {path: e.base for path, e in open_.items() if e.has_base}
        asked: dict[Path, tuple[str, set[str]]] = {}
        if not self.declared:  # where nothing was agreed on before, the first contender is shown
            first = {path: e.contenders for path, e in open_.items() if not e.has_base}
            bases |= {path: c[c[0].value is DELETED].value for path, c in first.items()}
        assert text(value) == text(side.model.shown((), bases, asked))
        said = {
            path: (e.reason, {GONE if c.value is DELETED else text(c.value) for c in e.contenders})
            for path, e in open_.items()
        }
        assert said == asked


def play(seed: str, histories: int, steps: int) -> None:
    rnd = random.Random(seed)
    for number in range(histories):
        world = World(rnd, declared=number % 2 == 0)
        for step in range(steps):
            side = world.step()
            try:
                world.check(side)
            except AssertionError as error:
                raise AssertionError(f"history {number} of seed {seed!r}, step {step}: {error}") from error
        world.meet()
        for side in (world.sides[0], world.sides[-1]):
            world.check(side)
        one, two = world.sides[0].workspace, world.sides[-1].workspace
        assert told(one) == told(two)


def told(workspace: Workspace) -> Any:
    document = workspace.get(*AT)
    questions = [(e.id, e.version, e.base, e.contenders) for e in workspace.escalations()]
    return document and document.value, sorted(questions, key=repr)


def test_g1_g2_g3_g4_trees_are_those_of_the_model(seed: str) -> None:
    """Random histories with edits at any depth, changes of type, removals and decisions show the values, questions and
    contenders that the model computes, and replicas that met show the same."""
    play(seed, 20, 30)


@pytest.mark.torture
def test_g1_g2_g3_g4_thousands_of_trees_are_those_of_the_model(seed: str) -> None:
    """The same for thousands of histories."""
    play(seed, 4_000, 40)


def lists(seed: str, histories: int, steps: int) -> None:
    """Histories in which lists merge by item: no model, but nothing may get lost, and replicas agree."""
    rnd = random.Random(seed)
    for number in range(histories):
        kind = Tree(lists=rnd.choice(["list", "set"]))
        model: Any = create_model("Page", x=(Annotated[dict[str, Any], kind], {}))
        declared = number % 3 > 0
        options: Any = {"schemas": {AT[0]: model}} if declared else {"undeclared": "tree"}
        stores = [Workspace(replica=name, **options) for name in ("one", "two")]
        agents = [ws.agent(f"{ws.storage.replica}{n}") for ws in stores for n in range(2)]
        for step in range(steps):
            agent = rnd.choice(agents)
            act, ws = rnd.random(), stores[agents.index(agent) // 2]
            if act < 0.25:
                value = some(rnd, (*VALUES, *LISTS))
                agent.write(*AT, {"x": value} if declared else value)
            elif act < 0.6 and ws.get(*AT) is not None:
                edit_in_place(rnd, ws, agent, declared=declared)
            elif act < 0.75:
                decide_any(rnd, ws)
            elif act < 0.8:
                agent.delete(*AT)
            elif act < 0.9:
                stores[0].exchange(stores[1])
                assert told(stores[0]) == told(stores[1]), (number, step, seed)
            else:
                agent.refresh()


def edit_in_place(rnd: random.Random, ws: Workspace, agent: Agent, *, declared: bool) -> None:
    """An edit at any depth; where nothing is contested, its writer finds what it left."""
    asked = bool(ws.escalations())
    with agent.edit(*AT) as document:
        value = document.x if declared else document
        for item in [*value.values()]:
            if isinstance(item, list) and rnd.random() < 0.7:
                item[rnd.randrange(len(item) + 1) :] = rnd.choices([1, 2, "s"], k=rnd.randrange(3))
        change(rnd, (*VALUES, *LISTS), value)
        after = copy.deepcopy(value)
    found = ws.get(*AT)
    shown = {} if found is None else found.value.get("x", {}) if declared else found.value
    assert asked or text(unordered(shown)) == text(unordered(after))


def unordered(value: Any) -> Any:
    """A value with its lists as sets have them: where they are sets, equal items count once."""
    if isinstance(value, dict):
        return {name: unordered(item) for name, item in value.items()}
    return sorted({text(item) for item in value}) if isinstance(value, list) else value


def decide_any(rnd: random.Random, ws: Workspace) -> None:
    """Settles a question, which closes it."""
    found = ws.escalations()
    if found:
        chosen = rnd.choice(found)
        if rnd.random() < 0.2:
            ws.dismiss(chosen, by="judge")
        else:
            ws.resolve(chosen, rnd.choice(chosen.contenders).value, by="judge")
        assert chosen.id not in {e.id for e in ws.escalations()}


def test_g3_g4_lists_in_trees_converge(seed: str) -> None:
    """Replicas that met show and ask the same, whatever was edited, deleted and decided apart; a decision settles."""
    lists(seed, 35, 25)


@pytest.mark.torture
def test_g3_g4_thousands_of_lists_in_trees_converge(seed: str) -> None:
    """The same for thousands of histories."""
    lists(seed, 3_000, 40)


def changes_are_not_told_above(patch: Patch) -> None:
    """A change within a dict is no update of the dict."""
    patch.setattr(tree, "_mark", lambda change, path, mark: change.register(path) or change.replace(path, mark))


def what_was_there_comes_back(patch: Patch) -> None:
    """A dict that is put where one was before goes on with what was in it."""
    patch.setattr(tree, "_remove_seen", lambda *_: None)


def play_all(seed: str) -> None:
    play(seed, 50, 30)
    lists(seed, 60, 25)


def a_type_gives_way(patch: Patch) -> None:
    """A dict in the place of another value replaces it, seen or not."""
    patch.setattr(tree, "_mark", lambda change, path, mark: change.set(path, (Entry(change.stamp, mark),)))


def what_is_hidden_is_shown(patch: Patch) -> None:
    """A node does not tell whether what is beside it stands."""
    patch.setattr(tree, "_mark_beside", lambda slot: tree.DICT)


@pytest.mark.parametrize(
    "mutant", [changes_are_not_told_above, what_was_there_comes_back, a_type_gives_way, what_is_hidden_is_shown]
)
def test_a_tree_that_loses_something_is_noticed(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    """The comparison fails for each broken engine."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        play_all("mutant")
