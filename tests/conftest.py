"""Hypothesis profiles, and one seed per run that the report header shows."""

import importlib.util
import os
import random

import pytest
from hypothesis import HealthCheck, settings

# CrewAI has an environment of its own, in which `make test` runs these.
collect_ignore = [] if importlib.util.find_spec("crewai") else ["crews"]

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile(
    "default",
    deadline=None,
    derandomize=False,
    max_examples=100,
    print_blob=True,
    suppress_health_check=SLOW,
)
settings.register_profile(
    "torture",
    deadline=None,
    derandomize=False,
    max_examples=5_000,
    print_blob=True,
    suppress_health_check=SLOW,
)
settings.load_profile("default")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # Before Hypothesis's own plugin reads the option; workers of pytest-xdist inherit the environment.
    seed = config.getoption("hypothesis_seed", None) or os.environ.get("CONCORDANT_SEED")
    config.option.hypothesis_seed = seed = str(seed or random.SystemRandom().randrange(2**32))
    os.environ["CONCORDANT_SEED"] = seed


def pytest_report_header(config: pytest.Config) -> str:
    seed = config.getoption("hypothesis_seed")
    return f"seed: {seed} (repeat this run with CONCORDANT_SEED={seed})"


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> str:
    """The seed of this run, for tests that draw their own random numbers."""
    return str(request.config.getoption("hypothesis_seed"))
