"""The rows about CrewAI are measured, in the environment that has it."""

from __future__ import annotations

import json

import pytest

from benchmarks import crews_rows
from benchmarks.measure import Row


def test_every_row_is_measured(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A quick run gives every row with a value above zero, and nothing but the rows."""
    monkeypatch.setattr("sys.argv", ["crews_rows", "--quick"])
    crews_rows.main()
    rows = [Row(**row) for row in json.loads(capsys.readouterr().out)]
    calls = ("save", "update", "get_record", "search")
    assert [row.name for row in rows] == [
        *(f"MergeStorage.{call}, vectors of {length}" for length in ("384", "1,536") for call in calls),
        *(f"tool call, {tool}, {where}" for where in ("in memory", "SQLite") for tool in ("update", "read")),
    ]
    assert all(row.ours > 0 and (row.peer is None or row.peer > 0) for row in rows)
    assert [row.budget for row in rows if row.name.startswith(("MergeStorage.save", "tool"))] == [1.5, 1.5, 2, 2, 2, 2]
