"""The same histories on a database: what is stored and read back is what a workspace in memory has."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from concordant import HistoryExpiredError, Workspace

from .fuzz import check_registers, explore
from .lives import check_lives, lives
from .team import Team, check_team, team_history
from .world import exact

KeepOn = Callable[[str], None]
DURABLE = ["sqlite", "sqlite, three clocks", "postgres"]


SHARE = {"sqlite": 1.0, "sqlite, three clocks": 0.5, "postgres": 0.2}
"""How many of the histories run in each: to begin a history anew takes long on a server."""


@pytest.mark.parametrize("kind", DURABLE)
def test_g1_g2_g3_g4_histories_in_a_database_show_what_the_model_shows(seed: str, keep_on: KeepOn, kind: str) -> None:
    """Random histories of registers agree with the model after every step, nothing kept decoded in between."""
    keep_on(f"{kind}, nothing cached, in parts")
    explore(check_registers, seed, round(5 * SHARE[kind]), 20)
    keep_on(kind)
    explore(check_registers, seed, round(5 * SHARE[kind]), 20)


@pytest.mark.parametrize("kind", DURABLE)
def test_g4_g5_g7_histories_in_a_database_converge(seed: str, keep_on: KeepOn, kind: str) -> None:
    """Random histories of all kinds converge by frames between databases."""
    keep_on(f"{kind}, nothing cached, in parts")
    explore(check_team, seed, round(6 * SHARE[kind]), 12, team_history)


@pytest.mark.parametrize("kind", DURABLE)
def test_g4_g12_lives_in_a_database_are_those_of_the_model(seed: str, keep_on: KeepOn, kind: str) -> None:
    """Documents that live for a time show after each step what the model computes, whatever is kept decoded."""
    keep_on(f"{kind}, nothing cached, in parts")
    explore(check_lives, seed, round(3 * SHARE[kind]), 20, lives)
    keep_on(kind)
    explore(check_lives, seed, round(3 * SHARE[kind]), 20, lives)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_database_shows_what_memory_shows_also_of_the_past(seed: str, keep_on: KeepOn, kind: str) -> None:
    """One history on both: equal values, contests, credits, journals, and equal values at every earlier version."""
    rnd = random.Random(seed)
    for number in range(round(6 * SHARE[kind])):
        acts = team_history(rnd, 16)
        keep_on("memory")
        wanted = pictures(acts)
        if any(not row[4] for shown in wanted for name in shown if "/" in name for row in shown[name]["journal"]):
            continue  # a write that adds nothing is a commit only where it was put off
        keep_on(f"{kind}, nothing cached, in parts, one clock")  # then numbers are the same too
        assert pictures(acts) == wanted, f"history {number} of seed {seed!r}: {acts}"


@pytest.mark.torture
@pytest.mark.parametrize("kind", DURABLE)
def test_many_histories_in_a_database(seed: str, keep_on: KeepOn, kind: str) -> None:
    """The three above, by the thousand."""
    keep_on(f"{kind}, nothing cached, in parts")
    explore(check_registers, seed, 1_000, 25)
    explore(check_lives, seed, 500, 30, lives)
    explore(check_team, seed, 300, 20, team_history)
    rnd = random.Random(seed)
    for number in range(500):
        acts = team_history(rnd, 30)
        keep_on("memory")
        wanted = pictures(acts)
        if any(not row[4] for shown in wanted for name in shown if "/" in name for row in shown[name]["journal"]):
            continue  # a write that adds nothing is a commit only where it was put off
        keep_on(f"{kind}, nothing cached, in parts, one clock")  # then numbers are the same too
        assert pictures(acts) == wanted, f"history {number} of seed {seed!r}: {acts}"


def pictures(acts: list[Any]) -> list[Any]:
    """All that a team's workspaces show after a history, but times."""
    _, replicas, detail = acts[0]
    team = Team(replicas, **detail)
    for name, seed, where in acts[1:]:
        team.act(name, str(seed), where["space"])
    return [picture_of(workspace) for workspace in team.spaces]


def picture_of(workspace: Workspace) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for namespace, key in sorted(workspace.changes()[1]):
        place = (namespace, key)
        journal = workspace.history(*place)
        document = workspace.get(*place)
        shown["/".join((*namespace, key))] = {
            "value": document and exact(document.value),
            "undeclared": document and document.undeclared,
            "credits": [(path, [(exact(c.value), c.agents) for c in found]) for path, found in
                        sorted(workspace.blame(*place).items())],
            "journal": [(h.version, h.agent, h.act, exact(h.value), sorted(h.paths), h.settled) for h in journal],
            "past": [past(workspace, *place, entry.version) for entry in journal],
        }  # fmt: skip
    for state in ("all", "open"):
        shown[state] = [
            (e.id, e.version, e.state, e.reason, e.path, exact(e.base), e.by,
             [(repr(c.value), c.agent, c.agents) for c in e.contenders])
            for e in sorted(workspace.escalations(state=state), key=lambda e: e.id)
        ]  # fmt: skip
    return shown


def past(workspace: Workspace, namespace: tuple[str, ...], key: str, version: int) -> Any:
    try:
        document = workspace.get(namespace, key, at=version)
    except HistoryExpiredError:
        return "expired"
    return document and (exact(document.value), sorted(map(repr, document.contested)))
