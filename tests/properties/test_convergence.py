"""Teams on several replicas that use every kind: replicas converge, reads never fail, repeats change nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from .fuzz import explore
from .team import NAMED, SPACES, Team, check_team, team_history


class Replicas(RuleBasedStateMachine):
    """Every kind, on one to three replicas, frames exchanged in any order; at the end all show the same."""

    def __init__(self) -> None:
        super().__init__()
        self.team = Team(1, 2, 0.0)
        self.space = SPACES[0]

    @initialize(
        replicas=st.integers(1, 3),
        agents=st.integers(3, 5),
        skew=st.booleans(),
        space=st.sampled_from(SPACES),
    )
    def begin(self, replicas: int, agents: int, skew: bool, space: tuple[str, ...]) -> None:
        self.team = Team(replicas, agents, 60.0 if skew else 0.0)
        self.space = space

    @rule(name=st.sampled_from(NAMED), seed=st.integers(0, 10**6))
    def act(self, name: str, seed: int) -> None:
        self.team.act(name, str(seed), self.space)

    @invariant()
    def reads(self) -> None:
        self.team.readable()

    def teardown(self) -> None:
        self.team.converges()


def test_g4_g5_g7_replicas_converge_in_any_order_of_exchange() -> None:
    """Values, their order and escalations are equal after exchange; a repeated import is no change."""
    run_state_machine_as_test(
        Replicas, settings=settings(max_examples=8, stateful_step_count=20, report_multiple_bugs=False)
    )


@pytest.mark.parametrize("steps", [8, 20])
def test_g4_g5_g7_random_histories_converge(seed: str, steps: int) -> None:
    """Random histories of all kinds converge, whatever is deleted, ill-typed or breaks a constraint."""
    explore(check_team, seed, 6, steps, team_history)


@pytest.mark.torture
@pytest.mark.parametrize(("histories", "steps"), [(6_000, 10), (1_200, 50)])
def test_g4_g5_g7_a_hundred_thousand_steps_converge(seed: str, histories: int, steps: int) -> None:
    """The same for 120,000 steps."""
    explore(check_team, seed, histories, steps, team_history)


def test_g4_histories_are_reproducible() -> None:
    """Any part of a history can be replayed by itself: acts draw from seeds of their own."""
    acts: list[Any] = [("begin", 2, {"agents": 3, "skew": 0.0}), ("write", 7, {"space": ("plan",)})]
    check_team(acts)
    check_team(acts[:1])
