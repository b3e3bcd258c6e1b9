"""The web service of the examples, as it is deployed: three workers of uvicorn on one Postgres, asked over HTTP."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from concordant import Workspace
from tests.patience import PATIENCE

pytestmark = pytest.mark.xdist_group("service")  # one service is asked

EXAMPLES = Path(__file__).parents[2] / "examples"
WORKERS = 3


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """The service, asked over a new connection each time, so that any worker may answer."""

    def __init__(self, url: str) -> None:
        self.url = url

    def workers(self) -> set[int]:
        """The processes that answer now."""
        found: set[int] = set()
        with ThreadPoolExecutor(4) as pool:
            for _ in range(100):
                if len(found) == WORKERS:
                    break
                found.update(pool.map(lambda _: self.ask("GET", "/health")["worker"], range(4)))
        return found

    def ask(self, method: str, path: str, *, by: str = "somebody", status: int = 200, **content: Any) -> Any:
        answer = httpx.request(
            method,
            f"{self.url}{path}",
            headers={"X-User": by},
            timeout=PATIENCE,
            trust_env=False,
            verify=False,
            **content,
        )
        assert answer.status_code == status, answer.text
        return answer.json()

    def read(self, key: str) -> Any:
        return self.ask("GET", f"/briefs/{key}")

    def save(self, key: str, token: str, by: str, *, status: int = 200, **value: Any) -> Any:
        return self.ask("PUT", f"/briefs/{key}", by=by, status=status, json={"token": token, "value": value})

    def add(self, key: str, by: str, **value: Any) -> Any:
        return self.ask("POST", f"/briefs/{key}", by=by, json=value)

    def decide(self, question: Any, by: str, *, status: int = 200, **decision: Any) -> Any:
        body = {"version": question["version"], **decision}
        return self.ask("POST", f"/questions/{question['id']}", by=by, status=status, json=body)


@contextmanager
def serving(database: str, workers: int) -> Iterator[Service]:
    """Starts the service; stops it at the end."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLES), "web_service:app", "--workers"]
    command += [str(workers), "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
    command += ["--timeout-worker-healthcheck", "60"]  # a busy machine does not make them look dead
    process = subprocess.Popen(command, env={**os.environ, "CONCORDANT_URL": database})
    try:
        service = Service(f"http://127.0.0.1:{port}")
        for _ in range(600):
            assert process.poll() is None
            try:
                service.ask("GET", "/health")
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                break
        yield service
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


@pytest.fixture(scope="module")
def database(postgres_urls: Callable[[], str]) -> str:
    """The url of the database of all tests here."""
    return postgres_urls()


@pytest.fixture(scope="module")
def service(database: str) -> Iterator[Service]:
    """The service of all tests here, each of which has briefs of its own."""
    with serving(database, WORKERS) as running:
        yield running


def test_several_workers_answer(service: Service) -> None:
    """What follows is asked of three processes."""
    assert len(service.workers()) == WORKERS


def test_two_forms_of_one_read_merge_or_ask(service: Service) -> None:
    """Removals are of what was shown, additions unite, and what cannot be merged is asked and decided once."""
    service.add("form", "planner", title="Draft", tags=["a", "b"], notes="One.\nTwo.", views=10)
    token = service.read("form")["token"]
    service.save("form", token, "ada", title="Ada's", tags=["a", "b", "c"], notes="Zero.\nOne.\nTwo.", views=11)
    shown = service.save("form", token, "bob", title="Bob's", tags=["b"], notes="One.\nTwo.\nThree.", views=15)
    assert shown["value"] == {"title": "Draft", "tags": ["b", "c"], "notes": "Zero.\nOne.\nTwo.\nThree.", "views": 16}
    [question] = [one for one in service.ask("GET", "/questions") if one["key"] == "form"]
    assert shown["contested"] == [question]
    assert [(c["value"], c["agents"]) for c in question["contenders"]] == [("Ada's", ["ada"]), ("Bob's", ["bob"])]
    service.decide(question, "maria", value="Bob's")
    late = service.decide(question, "eve", value="Ada's", status=409)
    assert "resolved by now" in late["detail"]
    assert service.read("form")["value"]["title"] == "Bob's"
    acts = [(entry["act"], entry["agent"]) for entry in service.ask("GET", "/briefs/form/history")]
    assert acts == [("resolve", "maria"), ("edit", "bob"), ("edit", "ada"), ("write", "planner")]


def test_who_reads_the_answer_and_goes_on_is_in_order(service: Service) -> None:
    """The answer to a write has the token of what it shows: the next write by it follows, and nothing is asked."""
    service.add("chain", "planner", title="0")
    token = service.read("chain")["token"]
    for number in range(1, 9):
        token = service.save("chain", token, f"user{number % 3}", title=str(number))["token"]
    shown = service.read("chain")
    assert (shown["value"]["title"], shown["contested"]) == ("8", [])


def test_many_bearers_of_one_token_lose_nothing(service: Service) -> None:
    """Forty at once, over all workers: each tag, each line, each view."""
    service.add("many", "planner", tags=["first"], notes="Start.", views=100)
    token = service.read("many")["token"]
    names = [f"u{number}" for number in range(40)]
    with ThreadPoolExecutor(12) as pool:
        answers = pool.map(
            lambda name: service.save("many", token, name, tags=[name], notes=f"Start.\n{name}", views=101), names
        )
        assert len(list(answers)) == 40
    value = service.read("many")["value"]
    assert sorted(value["tags"]) == sorted(names)
    assert sorted(value["notes"].split("\n")) == sorted(["Start.", *names])
    assert value["views"] == 140


def test_two_who_make_a_new_brief(service: Service) -> None:
    """What is not there has a token too; of two who make it neither replaces the other."""
    token = service.ask("GET", "/briefs/new", status=404)["token"]
    service.save("new", token, "ada", title="Ada's", tags=["a"])
    shown = service.save("new", token, "bob", title="Bob's", tags=["b"])
    assert shown["value"] == {"tags": ["a", "b"]}
    assert [question["path"] for question in shown["contested"]] == [["title"]]


def test_a_deletion_by_a_token_that_is_old_is_asked(service: Service) -> None:
    """Who deletes what was changed since asks."""
    service.add("gone", "planner", title="Draft")
    token = service.read("gone")["token"]
    service.save("gone", token, "ada", title="Ada's")
    receipt = service.ask("DELETE", f"/briefs/gone?token={token}", by="bob")
    [question] = receipt["escalations"]
    assert (question["reason"], [c["deleted"] for c in question["contenders"]].count(True)) == ("delete", 1)
    service.decide(question, "maria", value={"title": "Ada's"})
    assert service.read("gone")["value"] == {"title": "Ada's"}


def test_what_is_wrong_is_answered_in_words(service: Service, database: str) -> None:
    """Nonsense, another brief's token, an unknown question, a wrong value, an expired history: each has its status."""
    service.add("one", "planner", title="Draft", tags=["a"])
    service.add("other", "planner", title="Draft")
    token = service.read("one")["token"]
    assert "no token" in service.save("one", "nonsense", "eve", status=400, title="E")["detail"]
    assert "another document" in service.save("other", token, "eve", status=400, title="E")["detail"]
    assert "no escalation" in service.decide({"id": "x", "version": "y"}, "eve", status=404, value=1)["detail"]
    service.ask("PUT", "/briefs/one", by="eve", status=422, json={"token": token, "value": {"views": "many"}})
    service.add("one", "ada", tags=["b"])
    with Workspace(database) as upkeep:
        upkeep.vacuum(journal=timedelta(0))
    assert "no longer reaches back" in service.save("one", token, "eve", status=410, title="E")["detail"]
    assert service.read("one")["value"] == {"title": "Draft", "tags": ["a", "b"]}


def test_a_token_outlives_the_service(service: Service, database: str) -> None:
    """Who answers the writes was started after the reads, and has nothing but the database: the verdicts hold."""
    service.add("b", "planner", title="Draft", tags=["a", "b", "c"], views=10)
    first = service.read("b")
    service.save("b", first["token"], "ada", title="Ada's")
    second = service.read("b")
    with serving(database, 1) as later:
        shown = later.save("b", second["token"], "bob", title="Bob's", tags=["a"], views=11)
        assert shown["contested"] == []
        shown = later.save("b", first["token"], "eve", title="Eve's", tags=["a", "b", "c", "e"], views=12)
    assert sorted(shown["value"].pop("tags")) == ["a", "e"]
    assert shown["value"] == {"title": "Ada's", "views": 13}  # what Bob had replaced is the last that all agreed on
    assert [c["value"] for c in shown["contested"][0]["contenders"]] == ["Bob's", "Eve's"]
