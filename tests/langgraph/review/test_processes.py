"""A review across processes that share databases for store and checkpoints, each killed without a farewell."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from concordant_langgraph import MergeStore
from tests.nursery import Worker

from .support import AT, decisions
from .work import opened


def process(folder: Path, how: str, given: Any, dies: str = "") -> dict[str, Any]:
    """Runs a process to its sudden end; returns what it printed, if it came to that."""
    worker = Worker("tests.langgraph.review.work", [str(folder), how, json.dumps(given), dies])
    said, errors = worker.communicate()
    assert worker.returncode == -signal.SIGKILL, errors.decode()
    return dict(json.loads(said)) if said else {}


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_review_outlives_its_processes(how: str, tmp_path: Path) -> None:
    """Asked in one process; settled in part by another program; answered in a second, killed right after the first
    decision was committed; gone on with in a third: each decision is made once, and no node's work is doubled."""
    shown = process(tmp_path, how, {"x": 1})
    [pause] = shown["asked"]
    status, title = pause["questions"]
    assert (status["path"], title["path"]) == (["status"], ["title"])
    assert sorted(contender["value"] for contender in status["contenders"]) == ["ada", "bob"]

    with opened(tmp_path) as ws:  # neither graph nor checkpoints: somebody's own program
        [other] = [escalation for escalation in ws.escalations() if escalation.path == ("title",)]
        ws.resolve(other, "Dots", by="otto")
        ada, bob = ws.agent("ada"), ws.agent("bob")
        ada.write(("briefs",), "other", {"status": "new"})
        bob.write(("briefs",), "other", {"status": "old"})

    number = next(c["choose"] for c in status["contenders"] if c["value"] == "bob")
    answers = {status["ref"]: {"choose": number}, title["ref"]: {"choose": 1}, "by": "maria"}
    assert process(tmp_path, how, answers, "resolved") == {}
    with opened(tmp_path) as ws:
        assert len(decisions(MergeStore(workspace=ws))) == 2  # otto's, and maria's before the kill

    shown = process(tmp_path, how, answers)
    [pause] = shown["asked"]  # what was opened meanwhile
    [question] = pause["questions"]
    assert question["key"] == "other"
    shown = process(tmp_path, how, {question["ref"]: {"value": "newest"}, "by": "maria"})
    assert shown["asked"] == []
    became = {(one["key"], *one["path"]): (one["outcome"], one["by"], one["value"]) for one in shown["report"]}
    assert became == {
        ("launch", "status"): ("resolved", "maria", "bob"),
        ("launch", "title"): ("resolved", "otto", "Dots"),
        ("other", "status"): ("resolved", "maria", "newest"),
    }
    with opened(tmp_path) as ws:
        store = MergeStore(workspace=ws)
        assert sorted(decisions(store)) == [("maria", "resolve", "bob"), ("otto", "resolve", "Dots")]
        assert store.escalations() == []
        item = store.get(*AT)
        assert item is not None
        value = dict(item.value)
        assert sorted(value.pop("tags")) == ["ada", "bob"]
        assert sorted(value.pop("body").splitlines()) == ["ada was here.", "bob was here."]
        assert value == {"status": "bob", "title": "Dots", "tokens": 200}
