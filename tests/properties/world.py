"""Workspaces and the reference model side by side: every act is done in both, and what they show is compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel

from concordant import DELETED, Agent, Counter, Escalation, Map, Scalar, Set, Workspace
from concordant.storage.cut import clock_of, following, highest
from concordant.storage.memory import MemoryStorage

from .model import Dot, Path, Plan, Write, agreed, text_of
from .shown import Contest, Shown, show

TEAM = ("team",)
OPEN = ("open",)
AGENTS = ("ada", "bob", "cyd", "dan", "eve")


class Board(BaseModel):
    """A state model with every kind whose entries are registers."""

    status: Annotated[Any, Scalar()] = None
    mood: Annotated[Any, Scalar(sticky=True)] = None
    best: Annotated[int, Scalar(resolve="max")] = 0
    last: Annotated[Any, Scalar(resolve="latest")] = None
    tags: Annotated[list[Any], Set()] = []
    owners: Annotated[dict[str, Any], Map()] = {}
    votes: Annotated[int, Counter()] = 0


KINDS = {
    "status": "scalar",
    "mood": "sticky",
    "best": "max",
    "last": "latest",
    "tags": "set",
    "owners": "map",
    "votes": "counter",
}


@dataclass
class Read:
    """What a scope read of a document, or put there: the value and the fields that were contested then."""

    value: dict[str, Any]
    leave: frozenset[str]
    at: int = -1


@dataclass
class Draft:
    """An edit under way."""

    manager: AbstractContextManager[Any]
    object: Any
    place: tuple[tuple[str, ...], str]
    read: Read
    seen: frozenset[Dot]


@dataclass
class Side:
    """An agent's handle, with the model's idea of its scope."""

    name: str
    home: int
    handle: Agent
    began: frozenset[Dot]
    own: set[Dot] = field(default_factory=set)
    seen_of: dict[tuple[tuple[str, ...], str], frozenset[Dot]] = field(default_factory=dict)
    read: dict[tuple[tuple[str, ...], str], Read] = field(default_factory=dict)
    draft: Draft | None = None

    def seen(self, place: tuple[tuple[str, ...], str]) -> frozenset[Dot]:
        return self.began | self.own | self.seen_of.get(place, frozenset())


Place = tuple[tuple[str, ...], str]


class World:
    """Replicas with agents on them, and the model.

    Args:
        skews: for each replica, by how many seconds its clock is ahead.
    """

    def __init__(self, skews: Iterable[float] = (0.0,), agents: int = 3) -> None:
        self.spaces = [Workspace(schemas={TEAM: Board}, replica=f"r{i}") for i, _ in enumerate(skews)]
        for workspace, skew in zip(self.spaces, skews, strict=True):
            if skew:
                workspace.storage.advance(workspace.moment().time + skew)
        self.known: list[set[Dot]] = [set() for _ in self.spaces]
        self.writes: dict[Dot, Write] = {}
        self.sides = []
        for number in range(agents):
            home = number % len(self.spaces)
            handle = self.spaces[home].agent(AGENTS[number % len(AGENTS)])
            self.sides.append(Side(handle.name, home, handle, frozenset()))
        self.frames: list[tuple[bytes, frozenset[Dot]]] = []
        self.decided: list[Escalation] = []
        self.loaded: dict[int, tuple[Any, dict[str, Any] | None]] = {}

    # -- the model's side ----------------------------------------------------------------------------------------

    def known_of(self, home: int, place: Place) -> list[Write]:
        name = "/".join((*place[0], place[1]))
        return [self.writes[dot] for dot in sorted(self.known[home]) if self.writes[dot].doc == name]

    def kinds(self, place: Place) -> Mapping[str, str] | None:
        return KINDS if place[0] == TEAM else None

    def shown(self, home: int, place: Place) -> Shown:
        return show(self.known_of(home, place), self.kinds(place), "agreed" if place[0] == TEAM else "first")

    def plan(self, side: Side, place: Place, seen: frozenset[Dot] | None = None) -> Plan:
        writer = (self.spaces[side.home].storage.replica, side.name)
        seen = side.seen(place) if seen is None else seen
        return Plan(self.known_of(side.home, place), seen, self.kinds(place), writer)

    def made(self, home: int, place: Place, plan: Plan, before: int, side: Side | None = None) -> None:
        """Compares the planned write with the commit that the workspace made (or not), and records it."""
        workspace = self.spaces[home]
        after = highest(workspace.moment().n)
        assert after > before or not plan.effects, f"nothing was committed, planned {plan.effects}"
        if not plan.effects:  # a commit without effect is allowed
            return
        row = next(workspace.storage.rows(*place))
        clocks = workspace.storage.clocks
        assert row.n == after == following(before, clock_of(place, clocks), clocks)
        doc = "/".join((*place[0], place[1]))
        write = plan.made(doc, (row.time, workspace.storage.replica, row.n, row.agent))
        self.writes[write.dot] = write
        self.known[home].add(write.dot)
        if side is not None:
            side.own.add(write.dot)

    # -- acts ----------------------------------------------------------------------------------------------------

    def write(self, side: Side, place: Place, values: dict[str, Any]) -> None:
        plan = self.plan(side, place)
        plan.enter()
        for name, value in values.items():
            plan.contribute(name, value)
        if not values:
            plan.mark(())
        before = highest(self.spaces[side.home].moment().n)
        side.handle.write(*place, values)
        self.made(side.home, place, plan, before, side)

    def put(self, side: Side, place: Place, values: dict[str, Any]) -> None:
        plan = self.plan(side, place)
        read = side.read.get(place)
        base = read.value if read else {}
        plan.enter()
        for name, value in values.items():
            if name in base:
                plan.change(name, base[name], value)
            else:
                plan.contribute(name, value)
        if not values:
            plan.mark(())
        leave = read.leave if read else frozenset()
        if place[0] == OPEN:
            plan.leave_out({*values, *leave}, read.value if read else None)
        before = highest(self.spaces[side.home].moment().n)
        self.spaces[side.home].put(*place, values, side.handle.scope)
        self.made(side.home, place, plan, before, side)
        at = read.at if read else -1
        side.read[place] = Read(values if place[0] == OPEN else {**base, **values}, leave, at)

    def read(self, side: Side, place: Place) -> dict[str, Any] | None:
        document = side.handle.read(*place)
        shown = self.shown(side.home, place)
        self.compare(side.home, place)
        leave = frozenset(path[0] for path in shown.contests if path)
        side.read[place] = Read(shown.value or {}, leave, highest(self.spaces[side.home].moment().n))
        side.seen_of[place] = side.seen_of.get(place, frozenset()) | self.known[side.home]
        return document.value if document is not None else None

    def refresh(self, side: Side) -> None:
        side.handle.refresh()
        side.began = frozenset(self.known[side.home])
        side.own, side.seen_of, side.read = set(), {}, {}

    def delete(self, side: Side, place: Place) -> None:
        plan = self.plan(side, place)
        plan.delete()
        before = highest(self.spaces[side.home].moment().n)
        side.handle.delete(*place)
        self.made(side.home, place, plan, before, side)
        read = side.read.get(place)
        side.read[place] = Read({}, frozenset(), read.at if read else -1)

    def open_edit(self, side: Side, place: Place) -> None:
        manager = side.handle.edit(*place)
        entered = manager.__enter__()
        shown = self.shown(side.home, place)
        read = Read(shown.value or {}, frozenset(path[0] for path in shown.contests if path))
        read.at = highest(self.spaces[side.home].moment().n)
        side.seen_of[place] = side.seen_of.get(place, frozenset()) | self.known[side.home]
        side.read[place] = read
        side.draft = Draft(manager, entered, place, read, side.seen(place))

    def close_edit(self, side: Side, changes: dict[str, Any]) -> None:
        """Sets (or, with ``DELETED`` in an undeclared document, takes out) fields of the draft and closes it."""
        draft = side.draft
        assert draft is not None
        side.draft = None
        place, base = draft.place, draft.read.value
        declared = place[0] == TEAM
        defaults = Board().model_dump(mode="json")
        after = dict(base)
        for name, value in changes.items():
            if declared and _same(name, value, base.get(name, defaults[name])):
                continue  # no difference, whatever the order of a set
            if value is DELETED:
                after.pop(name, None)
                draft.object.pop(name, None)
            elif declared:
                after[name] = value
                setattr(draft.object, name, value)
            else:
                after[name] = value
                draft.object[name] = value
        plan = self.plan(side, place, draft.seen | side.own)
        if declared:
            same = all(_same(name, value, base.get(name, defaults[name])) for name, value in after.items())
        else:
            same = text_of(after) == text_of(base)
        if not same:
            plan.enter()
            for name, value in after.items():
                if name in base:
                    plan.change(name, base[name], value)
                elif not declared or not _same(name, value, defaults[name]):
                    plan.contribute(name, value)
            if not declared:
                plan.leave_out({*after, *draft.read.leave}, base)
            if set(plan.effects) == {()}:  # entering alone is no difference
                plan.effects.clear()
        before = highest(self.spaces[side.home].moment().n)
        draft.manager.__exit__(None, None, None)
        self.made(side.home, place, plan, before, side)
        if not same:
            newest = side.read[place]
            if newest == draft.read:
                side.read[place] = Read(after, draft.read.leave, draft.read.at)
                return
            # Beside what it wrote, the newest that it has read of the rest.
            changed = {n: v for n, v in after.items() if n not in base or text_of(v) != text_of(base[n])}
            kept = {n: v for n, v in newest.value.items() if declared or n in after or n not in base}
            side.read[place] = Read({**kept, **changed}, newest.leave, newest.at)

    def export(self, home: int) -> None:
        self.frames.append((self.spaces[home].export(), frozenset(self.known[home])))

    def import_(self, home: int, frame: int) -> None:
        data, known = self.frames[frame % len(self.frames)]
        self.spaces[home].import_(data)
        self.known[home] |= known

    def decide(self, home: int, escalation: Escalation, value: Any, by: str) -> None:
        """Resolves (``value``) or, with ``DISMISS``, dismisses an escalation about a register."""
        place: Place = (escalation.namespace, escalation.key)
        path = self.path_of(place, escalation.path)
        plan = Plan(self.known_of(home, place), frozenset(self.known[home]), self.kinds(place))
        base = agreed(plan.at(path))
        if value is DISMISS:
            text = base.value if base is not None else None
        else:
            text = None if value is DELETED else text_of(value)
        plan.replace(path, text, deciding=True)
        before = highest(self.spaces[home].moment().n)
        if value is DISMISS:
            self.spaces[home].dismiss(escalation, by=by)
        else:
            self.spaces[home].resolve(escalation, value, by=by)
        self.made(home, place, plan, before)
        self.decided.append(escalation)

    def path_of(self, place: Place, public: tuple[str, ...]) -> Path:
        return public

    # -- what is compared ----------------------------------------------------------------------------------------

    def compare(self, home: int, place: Place) -> None:
        """The workspace shows what the model shows: value, contests with their agents, attribution."""
        workspace = self.spaces[home]
        shown = self.shown(home, place)
        document = workspace.get(*place)
        if shown.value is None:
            assert document is None, f"the model has no document, the workspace {document}"
            assert not [e for e in workspace.escalations(place[0]) if e.key == place[1]]
            return
        assert document is not None, f"the model has {shown.value}"
        assert exact(document.value) == exact(shown.value), f"{document.value} != {shown.value} (model)"
        _ = document.model
        self._compare_contests(document.contested, shown)
        listed = {e.path: e for e in workspace.escalations(place[0]) if e.key == place[1]}
        assert {p: (e.id, e.version) for p, e in listed.items()} == {
            p: (e.id, e.version) for p, e in document.contested.items()
        }
        credits = workspace.blame(*place)
        for (path, value), agents in shown.agents.items():
            public = path[:1] if self.kinds(place) and KINDS[path[0]] in ("set", "counter") else path
            found = credits.get(public, ())
            if self.kinds(place) and KINDS[path[0]] == "counter":
                assert agents <= {a for c in found for a in c.agents}
            else:
                named = {a for c in found if text_of(c.value) == value for a in c.agents}
                assert named == agents, f"{public}: {value} is {agents}'s, blame says {named}"

    @staticmethod
    def _compare_contests(contested: Mapping[Any, Escalation], shown: Shown) -> None:
        assert set(contested) == set(shown.contests), f"{sorted(contested)} != {sorted(shown.contests)} (model)"
        for path, escalation in contested.items():
            contest: Contest = shown.contests[path]
            assert escalation.reason == contest.reason
            found = {None if c.value is DELETED else exact(c.value): frozenset(c.agents) for c in escalation.contenders}
            if path == ():
                assert set(found) == {None if v is None else exact(json.loads(v)) for v in contest.options}
                continue
            wanted = {None if v is None else exact(json.loads(v)): agents for v, agents in contest.options.items()}
            assert found == wanted, f"{path}: {found} != {wanted} (model)"
            base = contest.base.value if contest.base else None
            assert escalation.has_base == (base is not None)
            assert not escalation.has_base or text_of(escalation.base) == base
            assert escalation.contenders[0].agent in escalation.contenders[0].agents

    def places(self) -> list[Place]:
        names = {write.doc for write in self.writes.values()}
        return [(tuple(name.split("/")[:-1]), name.split("/")[-1]) for name in sorted(names)]

    def compare_all(self) -> None:
        for home in range(len(self.spaces)):
            for place in self.places():
                self.compare(home, place)
            at, found = self.spaces[home].moment().n, self.loaded.get(home)
            loaded = found[1] if found and found[0] == at else None  # without a commit nothing is stored
            self.loaded[home] = at, shown_is_stored(self.spaces[home], {TEAM: Board}, loaded)

    def exchange(self) -> None:
        """Brings every replica up to what all know."""
        for _ in range(2):
            frames = [workspace.export() for workspace in self.spaces]
            for workspace in self.spaces:
                for frame in frames:
                    workspace.import_(frame)
        everything = set().union(*self.known)
        self.known = [set(everything) for _ in self.spaces]

    def converged(self) -> None:
        """All replicas show the same, order included, with the same escalations; importing again changes nothing."""
        self.exchange()
        pictures = [picture(workspace) for workspace in self.spaces]
        for other in pictures[1:]:
            apart = {name: (pictures[0].get(name), other.get(name)) for name in {*pictures[0], *other}}
            apart = {name: pair for name, pair in apart.items() if pair[0] != pair[1]}
            assert not apart, f"replicas differ: {apart}"
        for workspace in self.spaces:
            before = workspace.moment().n
            for source in self.spaces:
                assert workspace.import_(source.export()) == 0
            assert workspace.moment().n == before
        self.loaded.clear()
        self.compare_all()


class _Dismiss:
    pass


DISMISS = _Dismiss()


def exact(value: Any) -> str:
    """A value for comparison by type and content; lists by order, objects not."""
    return text_of(value)


def _same(name: str, one: Any, other: Any) -> bool:
    if KINDS[name] == "set":
        return {text_of(i) for i in one} == {text_of(i) for i in other}
    return text_of(one) == text_of(other)


def picture(workspace: Workspace) -> dict[str, Any]:
    """All that a workspace shows, in a form that two replicas can be compared by."""
    result: dict[str, Any] = {}
    for document in sorted(workspace.list(()), key=lambda d: (d.namespace, d.key)):
        name = "/".join((*document.namespace, document.key))
        result[name] = exact(document.value)
    result["escalations"] = sorted(
        (
            e.id,
            e.version,
            e.reason,
            str(e.path),
            exact(e.base),
            [(repr(c.value) if c.value is DELETED else exact(c.value), c.agent, c.agents, c.at) for c in e.contenders],
        )
        for e in workspace.escalations()
    )
    return result


def shown_is_stored(
    workspace: Workspace, schemas: dict[Any, Any], loaded: dict[str, Any] | None = None
) -> dict[str, Any] | None:
    """What a workspace in memory shows is what somebody is shown who loads all of it anew, or has ``loaded`` it; gives
    that. (One in a database, with nothing kept decoded, is loaded anew at every read.)"""
    if not isinstance(workspace.storage, MemoryStorage):
        return None
    if loaded is None:
        fresh = Workspace(schemas=schemas, replica="anew")
        fresh.import_(workspace.export())
        loaded = picture(fresh)
    mine, theirs = picture(workspace), loaded
    apart = {
        name: (mine.get(name), theirs.get(name)) for name in {*mine, *theirs} if mine.get(name) != theirs.get(name)
    }
    assert not apart, f"shown and stored differ: {apart}"
    return loaded


__all__ = [
    "DISMISS",
    "OPEN",
    "TEAM",
    "Board",
    "Side",
    "World",
    "exact",
    "picture",
    "shown_is_stored",
]
