"""An exact model of expiry, and random histories of documents that live for a time, on replicas with a clock we move.

The model keeps every write with all that it had seen and knows nothing of how records forget: what stands, and until
when, follows from the definition alone.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import Moment, Scalar, Set, Workspace
from concordant.storage.cut import highest

from .fuzz import Act

AT = (("codes",), "k")
FIELDS = ("status", "mood", "tags")


class Code(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    mood: Annotated[str | None, Scalar()] = None
    tags: Annotated[set[str], Set()] = set()


@dataclass(frozen=True)
class Lived:
    """One write: what its writer had seen, what it ended, and how long it made the document live."""

    name: str
    time: float
    fields: tuple[str, ...]
    seen: frozenset[str]
    ended: frozenset[str]
    since: float
    ttl: float | None


@dataclass
class Home:
    """What one replica knows: its writes, and until when each lets the document live."""

    workspace: Workspace
    known: dict[str, float] = field(default_factory=dict)
    past: list[tuple[Moment, frozenset[str]]] = field(default_factory=list)

    def clock(self) -> float:
        return self.workspace.storage.time()


class Lives:
    """Replicas, and the model."""

    def __init__(self, replicas: int) -> None:
        self.homes = [Home(Workspace(schemas={AT[0]: Code}, replica=f"r{i}")) for i in range(replicas)]
        self.writes: dict[str, Lived] = {}
        self.wait(10_000.0)  # from now on time passes only by commits, and when we say so
        for home in self.homes:
            if replicas > 1:
                home.workspace.export()  # from now on the sweep knows that there are other stores
            home.past.append((home.workspace.moment(), frozenset()))

    # -- the model -------------------------------------------------------------------------------------------------

    def leases(self, home: Home) -> list[Lived]:
        """The writes whose say on the end nobody has replaced who had seen them."""
        known = [self.writes[name] for name in home.known]
        gone = {name for write in known for name in write.seen | write.ended}
        return [write for write in known if write.name not in gone]

    def beginning(self, home: Home) -> float:
        """When the last stretch of time without a gap began in which the document lived."""
        begin, reach = 0.0, math.inf
        for number, write in enumerate(sorted(self.leases(home), key=lambda write: write.since)):
            until = home.known[write.name]
            if number and write.since >= reach:
                begin = write.since
            reach = max(reach, until) if number else until
        return begin

    def end(self, home: Home) -> float:
        return max((home.known[write.name] for write in self.leases(home)), default=math.inf)

    def shown(self, home: Home) -> dict[str, set[str]] | None:
        """For each field what stands in it; several values of a scalar are contenders."""
        if not home.known or self.end(home) <= home.clock():
            return None
        begin = self.beginning(home)
        known = [self.writes[name] for name in home.known]
        ended = {name for write in known for name in write.ended}
        result: dict[str, set[str]] = {}
        for name in FIELDS:
            here = [write for write in known if name in write.fields]
            replaced = {seen for write in here for seen in write.seen} if name != "tags" else set()
            result[name] = {
                write.name
                for write in here
                if write.name not in replaced and write.name not in ended and write.time >= begin
            }
        return result

    # -- acts ------------------------------------------------------------------------------------------------------

    def put(self, home: Home, back: int, fields: tuple[str, ...], ttl: Any) -> None:
        """Writes as somebody who began a few commits ago and has read nothing since."""
        workspace = home.workspace
        moment, seen = home.past[-1 - back % len(home.past)]
        known, leases, end, begin = frozenset(home.known), self.leases(home), self.end(home), self.beginning(home)
        name = f"w{len(self.writes)}"
        values: dict[str, Any] = {f: [name] if f == "tags" else name for f in fields}
        agent = workspace.agent("ada", began=moment)
        before = highest(workspace.moment().n)
        if ttl == "keep":
            agent.write(*AT, values)
        else:
            workspace.put(*AT, values, agent.scope, ttl=ttl)
        row = next(workspace.storage.rows(*AT))
        assert row.n == highest(workspace.moment().n) > before
        if known and end <= row.time:
            ended, mine = known, []
        else:
            ended = frozenset(n for n in known if self.writes[n].time < begin)
            mine = [write for write in leases if write.name in seen and write.name not in ended]
        since = min([row.time, *(write.since for write in leases if not known <= ended and write.name not in ended)])
        until, lasts = (row.time + ttl, ttl) if isinstance(ttl, float) else (math.inf, None)
        if ttl == "keep" and mine:
            alive = [write for write in leases if write.name not in ended]
            longest = max(alive, key=lambda write: home.known[write.name])
            until, lasts = home.known[longest.name], longest.ttl
        self.writes[name] = Lived(name, row.time, fields, seen | ended, ended, since, lasts)
        home.known[name] = until
        self.note(home)

    def touch(self, home: Home) -> None:
        document = home.workspace.get(*AT)
        if document is None or self.end(home) == math.inf:
            return
        home.workspace.touch([document])
        now = home.clock()
        for write in self.leases(home):
            if write.ttl is not None and home.known[write.name] > now:
                home.known[write.name] = max(home.known[write.name], now + write.ttl)

    def exchange(self, home: Home, other: Home) -> None:
        home.workspace.import_(other.workspace.export())
        for name, until in other.known.items():
            home.known[name] = max(until, home.known.get(name, 0.0))
        self.note(home)

    def note(self, home: Home) -> None:
        home.past.append((home.workspace.moment(), frozenset(home.known)))

    def wait(self, seconds: float) -> None:
        for home in self.homes:
            home.workspace.storage.advance(home.clock() + seconds)

    # -- what is compared ------------------------------------------------------------------------------------------

    def compare(self, home: Home) -> None:
        expected, workspace = self.shown(home), home.workspace
        document = workspace.get(*AT)
        listed = [*workspace.list()]
        if expected is None:
            assert document is None and listed == [], f"expired, but there is {document}"
            assert workspace.escalations() == []
            assert workspace.blame(*AT) == {}
            return
        assert document is not None, f"{expected} is gone"
        assert listed == [document]
        found: dict[str, set[str]] = {}
        for name in FIELDS:
            value = document.value.get(name)
            found[name] = {*value} if isinstance(value, list) else {value} - {None}
            if (name,) in document.contested:
                found[name] = {contender.value for contender in document.contested[(name,)].contenders}
        assert found == expected
        end = self.end(home)
        told = document.expires_at.timestamp() if document.expires_at else math.inf
        assert told == pytest.approx(end, abs=1e-5), "a datetime has microseconds"
        assert {e.path for e in workspace.escalations()} == set(document.contested)

    def stored(self, home: Home) -> None:
        """What is shown is what somebody is shown who loads all of it anew."""
        if len(self.homes) > 1:  # an only store that was exported would forget less
            fresh = Home(Workspace(schemas={AT[0]: Code}, replica="anew"), home.known)
            fresh.workspace.import_(home.workspace.export())
            fresh.workspace.storage.advance(home.clock())
            self.compare(fresh)


def lives(rnd: random.Random, steps: int) -> list[Act]:
    """A random history of one document on one to three replicas."""
    replicas = rnd.choice([1, 2, 3])
    ttls = rnd.choice([[15.0, 35.0, "keep"], [15.0, None, "keep"], [15.0, 35.0, None, None, "keep"]])
    names = ["put"] * 6 + ["wait"] * 4 + ["touch"] * 2 + ["sweep"] + (["exchange"] * 4 if replicas > 1 else [])
    acts: list[Act] = [("begin", 0, {"replicas": replicas})]
    for _ in range(steps):
        name = rnd.choice(names)
        detail: dict[str, Any] = {}
        if name == "put":
            fields = tuple(rnd.sample(FIELDS, rnd.choice([1, 1, 2, 3])))
            detail = {"back": rnd.choice([0, 0, 1, 2]), "fields": fields, "ttl": rnd.choice(ttls)}
        elif name == "wait":
            detail = {"seconds": rnd.choice([10.0, 10.0, 20.0, 40.0])}
        elif name == "exchange":
            detail = {"other": rnd.randrange(replicas)}
        acts.append((name, rnd.randrange(replicas), detail))
    return acts


def check_lives(acts: Sequence[Act]) -> None:
    """After every act every replica shows what the model shows; in the end all show the same."""
    world = Lives(**acts[0][2])
    for name, number, detail in acts[1:]:
        home = world.homes[number]
        if name == "put":
            world.put(home, **detail)
        elif name == "wait":
            world.wait(**detail)
        elif name == "touch":
            world.touch(home)
        elif name == "sweep":
            home.workspace.sweep()
            assert home.workspace.sweep() == 0
        else:
            world.exchange(home, world.homes[detail["other"]])
        for each in world.homes:
            world.compare(each)
        world.stored(home)
    for _ in world.homes:
        for home in world.homes:
            for other in world.homes:
                world.exchange(home, other)
    world.wait(0.0)
    for home in world.homes:
        world.compare(home)


__all__ = ["check_lives", "lives"]
