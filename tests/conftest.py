"""Hypothesis profiles, and one seed per run that the report header shows."""

import gc
import importlib.util
import itertools
import os
import random
import shutil
import sys
import tempfile
import uuid
import warnings
from collections.abc import Callable, Generator, Iterator
from functools import cache, partial
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from hypothesis import HealthCheck, settings

from concordant.storage import (
    PostgresOptions,
    SqliteOptions,
    Storage,
    durable as durable_module,
    open_storage,
    opening as opening_module,
    sqlite as sqlite_module,
    tails,
)
from concordant.storage.sql.tables import migrate
from concordant.workspace import workspace as workspace_module

# CrewAI has an environment of its own, in which `make test` runs these.
collect_ignore = [] if importlib.util.find_spec("crewai") else ["crews"]

# These crash a Postgres of their own, by pgserver, which has wheels up to Python 3.12. Up to there nothing is left out.
NEED_OWN_SERVER = [
    "durable/test_connection_loss.py",
    "durable/test_postgres_faults.py",
    "durable/test_server_crashes.py",
    "durable/test_servers.py",
    "mutants/test_loss_mutants.py",
    "mutants/test_server_mutants.py",
]
NO_OWN_SERVER = sys.version_info >= (3, 13) and importlib.util.find_spec("pgserver") is None
collect_ignore += NEED_OWN_SERVER if NO_OWN_SERVER else []

sys.path.append(str(Path(__file__).parent.parent / "examples"))  # for the storage that is written there

# The desk is tested in a real browser; .ci/run installs it.
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NEED_CHROMIUM = ["desk/test_browser.py", "desk/test_editor_browser.py"]
collect_ignore += [] if CHROMIUM else NEED_CHROMIUM

# Editors are tested with the published clients of the Loro protocol; make installs them where there is npm.
MODULES = ("tests/live/npm/node_modules/loro-websocket", "adapters/loro/editor/node_modules/esbuild")
NODE = shutil.which("node") and all((Path(__file__).parent.parent / path).exists() for path in MODULES)
collect_ignore += [] if NODE else ["live/test_published_client.py", "live/test_editor_build.py"]

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)

settings.register_profile(
    "default",
    deadline=None,
    derandomize=False,
    max_examples=30,
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


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    # What is imported and collected stays to the end: looking for garbage among it took a seventh of the time.
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    from tests.scheduling import ByFunction  # needed where there are several processes

    return ByFunction(config, log)


def pytest_report_header(config: pytest.Config) -> list[str]:
    seed = config.getoption("hypothesis_seed")
    lines = [f"seed: {seed} (repeat this run with CONCORDANT_SEED={seed})"]
    if NO_OWN_SERVER:
        lines.append(f"LEFT OUT, no pgserver for this Python (run them on 3.12 or older): {', '.join(NEED_OWN_SERVER)}")
    if CHROMIUM is None:
        lines.append(f"LEFT OUT, no Chromium (apt-get install chromium): {', '.join(NEED_CHROMIUM)}")
    return lines


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> str:
    """The seed of this run, for tests that draw their own random numbers."""
    return str(request.config.getoption("hypothesis_seed"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The url of a Postgres: that of CONCORDANT_POSTGRES, else of one that is started here and stopped at the end."""
    given = os.environ.get("CONCORDANT_POSTGRES")
    if given:
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pgserver looks for a runtime folder that the system may not have
        import pgserver

        folder = tempfile.mkdtemp(prefix="pg")  # short, and open to the user as which the server runs
        server = pgserver.get_server(folder, cleanup_mode="stop")
    server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")  # no machine fails during the tests
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def empty_schema(server: str) -> str:
    """Makes an empty schema in a server's database; returns a url that leads there."""
    import psycopg

    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")  # type: ignore[arg-type]
    parts = urlsplit(server)
    query = "&".join(filter(None, [parts.query, f"options=-csearch_path%3D{name}"]))
    return urlunsplit(parts._replace(query=query))


class UsedStores:
    """Stores on Postgres whose tests are over: to empty one takes a fifth of what it takes to make tables."""

    def __init__(self, server: Callable[[], str]) -> None:
        self._server = server
        self._urls: list[str] = []
        self._connection: Any = None  # one for all: to connect takes as long as to empty a store

    def take(self, replica: str | None, clocks: int) -> str:
        """Gives the url of a store that holds nothing, with a name and a number of clocks."""
        import psycopg

        if not self._urls:
            return empty_schema(self._server())
        url = self._urls.pop()
        schema = url.rpartition("%3D")[2]
        if self._connection is None:
            self._connection = psycopg.connect(self._server(), autocommit=True)
        named = self._connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema]).fetchall()
        tables = {name for (name,) in named} - {"concordant_schema"}
        if tables:
            rows = ", ".join(f"({clock}, 0, 0, 1)" for clock in range(clocks))
            self._connection.execute(
                "".join(f"DELETE FROM {schema}.{table};" for table in sorted(tables))
                + f"INSERT INTO {schema}.concordant_clocks (clock, n, time, home) VALUES {rows};"
                + f"INSERT INTO {schema}.concordant_store (one, replica)"
                + f" VALUES (1, '{replica or uuid.uuid4().hex[:12]}')"
            )
        return url

    def give_back(self, url: str) -> None:
        """Has a later test use a store."""
        self._urls.append(url)

    def close(self) -> None:
        """Leaves the server."""
        if self._connection is not None:
            self._connection.close()


@pytest.fixture(scope="session")
def used_stores(request: pytest.FixtureRequest) -> Iterator[UsedStores]:
    """The stores on Postgres that tests of this process have used and closed."""
    stores = UsedStores(lambda: request.getfixturevalue("postgres_server"))
    yield stores
    stores.close()


@pytest.fixture(scope="session")
def postgres_urls(postgres_server: str) -> Callable[[], str]:
    """A function that makes an empty schema in the server's database, and gives a url that leads there."""
    return partial(empty_schema, postgres_server)


@pytest.fixture(scope="session", autouse=True)
def folder_scheme() -> Iterator[None]:
    """Has urls ``folder://...`` opened by examples/folder_storage.py, as an installed package would have it."""
    entry = EntryPoint("folder", "folder_storage:open_folder", opening_module.GROUP)
    found = opening_module._others
    opening_module._others = lambda: {**found(), "folder": entry}  # type: ignore[assignment]
    yield
    opening_module._others = found


@pytest.fixture(scope="session", autouse=True)
def one_command_line() -> None:
    """Has a test's calls of the command line parsed by what the first one made: to make it takes four times as long."""
    runner: Any = sys.modules.get("typer.testing")  # there where a test of the command line was collected
    if runner is not None:
        runner._get_command = cache(runner._get_command)


@pytest.fixture
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str | None]:
    """A function that gives, for a kind of storage, the url of a store that nobody has used yet."""
    numbers = itertools.count()
    urls: dict[str, Callable[[], str | None]] = {
        "memory": lambda: None,
        "sqlite": lambda: f"sqlite:///{tmp_path}/{next(numbers)}.db",
        "postgres": lambda: request.getfixturevalue("postgres_urls")(),
        "folder": lambda: f"folder://{tmp_path}/{next(numbers)}",
    }
    return lambda kind: urls[kind]()


@pytest.fixture
def keep_on(
    fresh_url: Callable[[str], str | None], used_stores: UsedStores, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], None]]:
    """A function that says on which kind of storage every later ``Workspace()`` of the test is kept: ``sqlite``,
    ``postgres, nothing cached``, ``postgres, one clock``, ``sqlite, three clocks`` (which only Postgres has by itself),
    ``sqlite, in parts`` (every record as a large one is).

    Of the many that a random history makes only the newest stay open.
    """
    opened: list[Storage] = []
    taken: list[str] = []

    def take(kind: str, replica: str | None, clocks: int) -> str | None:
        if kind != "postgres":
            return fresh_url(kind)
        taken.append(used_stores.take(replica, clocks))
        return taken[-1]

    def keep(wanted: str) -> None:
        kind, uncached = wanted.partition(",")[0], "nothing cached" in wanted
        monkeypatch.setattr(sqlite_module, "migrate", partial(migrate, clocks=3 if "three clocks" in wanted else 1))
        monkeypatch.setattr(durable_module, "APART", -1 if "in parts" in wanted else tails.APART)
        clocks = 1 if "one clock" in wanted else 16
        options = {
            "memory": None,
            "sqlite": SqliteOptions(synchronous="normal", cache=0 if uncached else 32 * 1024 * 1024),
            "postgres": PostgresOptions(pool_size=4, cache=0 if uncached else 32 * 1024 * 1024, clocks=clocks),
            "folder": None,
        }

        def opening(url: str | None, replica: str | None, journal: int, settings: Any) -> Storage:
            place = url or take(kind, replica, clocks)
            opened.append(open_storage(place, replica, journal, settings or (None if url else options[kind])))
            while len(opened) > 40:
                opened.pop(0).close()
            return opened[-1]

        monkeypatch.setattr(workspace_module, "open_storage", opening)

    yield keep
    for storage in opened:
        storage.close()
    for url in taken:
        used_stores.give_back(url)
