"""A judge in a fleet: several processes on one store ask it once about each question."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from concordant import Workspace
from tests.nursery import Worker

from .judging import DOCUMENTS, schemas
from .processes import succeed


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_three_processes_ask_once_about_each_question(
    fresh_url: Callable[[str], str], tmp_path: Path, kind: str
) -> None:
    """No sides of a question are judged twice, none are forgotten, and each verdict is on record with its reason."""
    url, log = fresh_url(kind), tmp_path / "asked"
    with Workspace(url, schemas=schemas(str(log))) as workspace:
        began = repr(tuple(workspace.moment()))
    succeed([Worker("tests.durable.judging", [url, str(log), str(worker), began]) for worker in range(3)])
    asked = [tuple(json.loads(line)) for line in log.read_text().splitlines()]
    assert len(asked) == len(set(asked)) >= DOCUMENTS
    with Workspace(url, schemas=schemas(str(log))) as workspace:
        for number in range(DOCUMENTS):
            [question] = [q for q in workspace.escalations(state="all") if q.key == f"d{number}"]
            assert (question.key, question.id, question.version) in asked
            assert question.state == ("resolved" if number % 3 else "open")
            by, why = question.remarks[-1]
            assert by == "resolver:logging" and ("It came first." if number % 3 else "Ask the customer.") in why
