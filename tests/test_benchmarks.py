"""The benchmark harness works: it measures every row, and it can tell a store that loses writes."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks import (
    __main__ as command,
    again,
    agentsync,
    crews,
    environments,
    fleet_page,
    live,
    plots,
    report,
    scaling,
    writers,
)
from benchmarks.fleet.playing import OURS as CONCORDANT, STOCK, Played
from benchmarks.fleet.workloads import all_workloads
from benchmarks.measure import Note, Row, Sample, interleaved
from benchmarks.scaling import Curve, curves, dump
from benchmarks.subjects import FULL, QUICK
from benchmarks.values import KINDS

from .conftest import CHROMIUM

OURS = [name for name in command.GROUPS if name not in ("agentsync", "crews")]  # which need other environments
DATABASE_WORK = ["put, fresh key", "put on a key that is there", "get with its .value"]
MEASURED = {
    "speed": [
        "put, fresh key, 4 declared fields",
        "put, fresh key, a field of every kind",
        *[f"put, fresh key, {kind}" for kind in KINDS],
        "put, fresh key: mean, garbage collection on",
        "put, the first of a node",
        "reading LangGraph's context, once a node",
        "superstep of one node with one put",
        "agent.write, fresh key",
        "2nd to 5th put, same node",
        "2nd to 5th put, each after a get in a later superstep",
        "2nd to 5th put, undeclared, same node",
        "2nd to 5th put, undeclared, each after a get in a later superstep",
        "2nd to 5th put, same node, and one get with its .value",
        "put on a contested document, another field",
        "get with its .value",
        "get with its .value, first after a merge",
        "put of 100 fields, undeclared, fresh key",
        "put of 100 fields, undeclared, 2nd put",
    ],
    "growth": [
        name
        for kind in ("scalar", "set, same elements", "counter", "text, growing", "undeclared")
        for name in (
            f"put 60 on one key, {kind}",
            f"put 60 on one key, {kind}, alone in its node",
            f"100 puts from 60 on, {kind}: mean",
        )
    ]
    + [
        f"{which} unseen addition to a {kind} of 1,000, and a read{place}"
        for place in ("", ", SQLite")
        for kind in ("set", "map", "set of records")
        for which in ("the first", "an")
    ],
    "texts": [
        "a line put to a text of 10 kB, written whole",
        "a line put to a text of 10 kB, written whole: mean of 100 in a row",
        "a line put to a text of 10 kB, grown line by line",
        "a line put to a text of 10 kB, grown line by line: mean of 100 in a row",
        "2 x 10 edits to a text of 2 kB, merged",
    ],
    "live documents": [
        "a letter at 1 kB: received, committed, and answered",
        "a letter at 1 kB: received, committed, and answered: mean",
        *(
            f"a letter at 1 kB from {where} to another: {what}"
            for where, is_here in (("npm's client", live.has_client()), ("the desk's editor", CHROMIUM))
            if is_here
            for what in ("median", "95th percentile")
        ),
    ],
    "memory": ["a key written once", "a key rewritten twice after a get", "a key written once, outside any graph"],
    "crowds": [
        "160 puts by 8 threads, distinct keys",
        "the same 160 puts",
        "put by 8 threads, 99th percentile",
        "80 writes by 8 agents in turn, one document",
        "escalations(), 10 open of 1,000 documents",
        "the desk's first page, 20 open",
    ],
    "many writers": [f"{QUICK.writers} {name}" for name in writers.CASES],
    "coroutines": [
        f"{where}: a put, of 100 coroutines with 20 each, {what}"
        for where in ("memory", "SQLite", "Postgres")
        for what in ("distinct keys", "one document")
    ],
    "databases": [
        *(f"SQLite: {work}" for work in DATABASE_WORK),
        "SQLite: opening a store of 1,000 documents",
        "SQLite: get of 1,000 documents",
        "SQLite: put beside 1,000 documents",
        "SQLite: file, a document written once",
        "SQLite: file, a document written twice, blindly",
        *(f"Postgres: {work}" for work in DATABASE_WORK),
    ],
    "fleet": [
        f"{workload.name}: {strategy}"
        for workload in all_workloads(quick=True)
        for strategy in (
            STOCK,
            "compare and retry",
            "locks",
            *(f"{CONCORDANT}, {where}" for where in ("workspace", "in memory", "SQLite")),
        )
    ],
    "scaling": [
        "A put beside so many documents",
        "A get of one of so many documents",
        "A write to a document with so long a history",
        "A put of so many fields, undeclared, on a key that is there",
        "Writes a second by so many agents at once",
        "Bytes of the file for each write",
        "Writes a second by so many processes",
    ],
    "time to a usable value": [
        "Concordant, nothing declared beyond the kind: the last agreed value",
        'Concordant, provisional="latest": the newest contender',
        'Concordant, resolve="max": settled by policy',
        "Concordant, resolve=function: settled in the write",
        "Concordant, resolve=function that asks a model",
        "Concordant, on_escalation: another agent decides, with a model call",
        "compare and retry: the second writer thinks again",
        "locks: the second writer waits for the first, then thinks",
    ],
}


pytestmark = pytest.mark.xdist_group("benchmarks")  # one process measures, once


@pytest.fixture(scope="module")
def findings(postgres_urls: Callable[[], str]) -> list[report.Finding]:
    """What a quick run finds, without the peer that would have to be installed, and in the tests' own Postgres."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CONCORDANT_POSTGRES", postgres_urls())
        return command.measure(OURS, QUICK, Console(file=io.StringIO()))


def test_one_process_measures_them_all(request: pytest.FixtureRequest) -> None:
    """Where several processes share the tests, those that need what is measured here stay together."""
    assert "PYTEST_XDIST_WORKER" not in os.environ or request.node.nodeid.endswith("@benchmarks")


def test_every_row_is_measured(findings: list[report.Finding]) -> None:
    """A quick run gives every row of every group, each with a value above zero."""
    named = {
        group: [f.name for f in findings if not isinstance(f, Note) and f.group == group and not _is_rival(f)]
        for group in MEASURED
    }
    assert named == MEASURED
    assert all(row.ours > 0 and (row.peer is None or row.peer > 0) for row in findings if isinstance(row, Row))


def _is_rival(finding: report.Finding) -> bool:
    """Whether it ran in an environment that need not be there."""
    return isinstance(finding, Played) and finding.strategy.startswith("agent")


def test_the_stock_store_loses_and_ours_does_not(findings: list[report.Finding]) -> None:
    """On every workload ours loses nothing, alarms rightly and names everybody; where anything is concurrent the stock
    store shows losses, so that the harness can fail."""
    played = [one for one in findings if isinstance(one, Played)]
    assert [one for one in played if one.ours and not one.met] == []
    stock = {one.workload: one.verdict for one in played if one.strategy == STOCK}
    assert [name for name, verdict in stock.items() if verdict.right] == ["a pipeline of 4 steps"]
    assert sum(verdict.missed for verdict in stock.values()) > 0


def test_curves_are_drawn_from_their_points(findings: list[report.Finding], tmp_path: Path) -> None:
    """What was measured is kept, point by point, and gives the same pictures again, byte for byte."""
    found = [one for one in findings if isinstance(one, Curve)]
    plots.draw(found, tmp_path / "one")
    kept = curves(json.loads(dump(found, "test")))
    assert [(one.file, one.lines) for one in kept] == [(one.file, one.lines) for one in found]
    plots.draw(kept[:2], tmp_path / "other")
    assert len([path for path in (tmp_path / "one").iterdir() if b"<svg" in path.read_bytes()]) == 7
    for path in (tmp_path / "other").iterdir():
        assert path.read_bytes() == (tmp_path / "one" / path.name).read_bytes()


def test_the_fleets_page_is_that_of_the_curves() -> None:
    """The numbers of docs/fleet.md, and the arithmetic with them, are those of the points that lie beside the plots."""
    data = json.loads((plots.FOLDER / plots.POINTS).read_text("utf-8"))
    page = fleet_page.page(curves(data), data["machine"], data["command"])
    assert page == (plots.FOLDER.parent / "fleet.md").read_text("utf-8")


def test_what_is_measured_again_stands_in_the_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its points take the place of the old ones in page, table and pictures; all others stay, and so does the rest."""
    folder, report_page = tmp_path / "plots", tmp_path / "benchmarks.md"
    before = json.loads((plots.FOLDER / plots.POINTS).read_text("utf-8"))
    folder.mkdir()
    (folder / plots.POINTS).write_text(json.dumps(before))
    shutil.copy(plots.FOLDER.parent / "benchmarks.md", report_page)
    old = report_page.read_text("utf-8")
    fresh = {curve.file: curve for curve in curves(before)}
    fresh["agents"].lines["in memory, own documents"][-1] = (200, 987_654.0)
    monkeypatch.setattr(plots, "FOLDER", folder)
    monkeypatch.setattr(scaling, "agents", lambda *_: fresh["agents"])
    monkeypatch.setattr(scaling, "processes", lambda *_, **__: [fresh["processes"]])
    again.main("half of it was busy")
    assert "| in memory, 200 agents on documents of their own | 987,654 |" in (tmp_path / "fleet.md").read_text("utf-8")
    assert "half of it was busy" in (tmp_path / "fleet.md").read_text("utf-8")
    lines = report_page.read_text("utf-8").split("\n")
    assert [one for one in lines if "987,654" in one] == [one for one in lines if one not in old.split("\n")]
    assert len(lines) == len(old.split("\n"))
    assert json.loads((folder / plots.POINTS).read_text())["curves"]["history"] == before["curves"]["history"]


def test_the_report_has_every_row_once(findings: list[report.Finding]) -> None:
    """The document names the machine, the command and every row."""
    text = report.document(findings, "python -m benchmarks --quick")
    assert "`python -m benchmarks --quick`" in text
    assert "Python 3." in text
    for names in MEASURED.values():
        for name in names:
            assert f"| {name.replace(': ', ' | ', 1)} |" in text or f"| {name} |" in text


def test_nothing_is_written_unless_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quick run writes no page by itself, and writes the one it is told to."""
    page = tmp_path / "page.md"
    monkeypatch.setattr(command, "PAGE", page)
    assert command.main(["--quick", "--rows", "memory"]) == 0
    assert list(tmp_path.iterdir()) == []
    assert command.main(["--quick", "--rows", "memory", "--write", str(page)]) == 0
    assert page.read_text(encoding="utf-8").startswith("# Benchmarks")


def test_a_peer_that_cannot_be_installed_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If agentsync cannot be installed the table says so, and why."""

    def fail(*_: str) -> None:
        raise subprocess.CalledProcessError(1, "pip", stderr="no network")

    monkeypatch.setattr(environments, "CACHE", tmp_path)
    monkeypatch.setattr(environments, "_run", fail)
    monkeypatch.setattr(agentsync, "ENVIRONMENT", environments.Environment("agentsync", ["extodan-agentsync"]))
    notes = list(agentsync.rows(FULL))
    assert notes == [Note(agentsync.GROUP, "agentsync could not be installed or run: no network")]


def test_without_crewai_the_table_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where CrewAI's environment is not set up, its table has a note instead of rows."""
    monkeypatch.setattr(crews, "PYTHON", tmp_path / "python")
    [note] = crews.rows(QUICK)
    assert isinstance(note, Note) and "make bench" in note.text


def test_a_ratio_over_its_budget_is_told() -> None:
    """A row is met up to its budget, by ratio or by its own value, and open without one; cut short it is not."""
    assert Row("g", "r", 2.0, "peer", 1.0, budget=2).met is True
    assert Row("g", "r", 2.1, "peer", 1.0, budget=2).met is False
    assert Row("g", "r", 0.5, budget=1, absolute=True).met is True
    assert Row("g", "r", 1.0, "peer", 1.0).met is None
    assert Row("g", "r", 1.0, "peer", 1.0, budget=2, complete=False).met is False


def test_rounds_are_interleaved() -> None:
    """Each round runs every subject once, in an order that rotates; the first round does not count."""
    order: list[str] = []

    def subject(name: str) -> list[float]:
        order.append(name)
        return [float(len(order))]

    found = interleaved({"a": lambda: subject("a"), "b": lambda: subject("b")}, 2)
    assert order == ["b", "a", "a", "b", "b", "a"]
    assert found == {"a": Sample([3.0, 6.0]), "b": Sample([4.0, 5.0])}
