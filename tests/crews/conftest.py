"""CrewAI without network, telemetry and panels; every test with a storage directory of its own."""

from __future__ import annotations

import os
import socket
import warnings
from pathlib import Path
from typing import NoReturn

import pytest

os.environ.update(
    CREWAI_DISABLE_TELEMETRY="true",
    CREWAI_DISABLE_VERSION_CHECK="true",
    CREWAI_TRACING_ENABLED="false",
    OTEL_SDK_DISABLED="true",
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from crewai.events.utils.console_formatter import set_suppress_console_output

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Warnings of CrewAI and what it uses are not ours."""
    for item in items:
        if HERE in item.path.parents:
            for module in ("crewai", "lancedb", "chromadb", "pydantic"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::DeprecationWarning:{module}"))


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever tries to connect anywhere fails; what CrewAI stores by default goes to the test's own directory."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a test opened a network connection")

    set_suppress_console_output(True)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setenv("CREWAI_STORAGE_DIR", str(tmp_path / "crewai"))
