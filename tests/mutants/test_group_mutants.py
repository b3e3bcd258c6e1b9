"""Group commits that break a promise, each caught by a test."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from concordant import ConcordantError, Workspace
from concordant.storage import grouping
from concordant.storage.durable import UnitOfWork, _Asked
from concordant.storage.grouping import Caller, GroupCommit, Request

from ..durable import test_group_commit as tests
from .breaking import swap


@pytest.fixture
def ws(fresh_url: Callable[[str], str]) -> Any:
    with Workspace(fresh_url("sqlite"), schemas={tests.NS: tests.Plan}) as workspace:
        yield workspace


def test_one_refusal_for_all_is_caught(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is refused in a group must not be refused to the others."""
    commit = GroupCommit._commit

    def blaming(self: GroupCommit, group: Sequence[Request], leader: Caller) -> None:
        commit(self, group, leader)
        guilty = next((request.error for request in group if request.error), None)
        for request in group:
            request.error = guilty

    swap(monkeypatch, GroupCommit._commit, blaming)
    with pytest.raises(AssertionError):
        tests.test_each_has_its_own_result(ws, monkeypatch)


def test_half_a_batch_is_caught(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of which a part is refused must not leave the other part."""

    def run(self: UnitOfWork, request: Request) -> None:
        request.error = None
        for place, update in request.changes:
            try:
                self.apply(place, update)
            except ConcordantError as error:
                request.error = error

    swap(monkeypatch, UnitOfWork.run, run)
    with pytest.raises(AssertionError):
        tests.test_a_batch_among_others_is_all_or_nothing(ws, monkeypatch)


def test_trust_in_any_error_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers must be told of a failure of the whole transaction."""

    def commit(self: GroupCommit, group: Sequence[Request], leader: Caller) -> None:
        try:
            self._run(group, False)
        except Exception:
            for request in group[:1]:
                request.error = RuntimeError()
        for request in group:
            request.end(request.error)

    swap(monkeypatch, GroupCommit._commit, commit)

    def several() -> None:
        for turn in range(20):
            tests.test_whatever_befalls_the_leader_each_caller_knows_what_became_of_its_own("0", turn)

    with pytest.raises(AssertionError):
        several()


def test_each_alone_is_caught(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits must be one transaction."""
    monkeypatch.setattr(grouping, "MOST", 1)
    with pytest.raises(AssertionError):
        tests.test_what_waits_is_one_transaction(ws, monkeypatch)


def test_trouble_that_counts_as_a_refusal_is_caught(
    fresh_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the database raises inside an update must not be taken for the update's own."""
    swap(monkeypatch, _Asked._ask, lambda self, question, *args: question(*args))
    with pytest.raises(sqlite3.OperationalError):
        tests.test_trouble_of_the_database_is_not_the_update_s(fresh_url, monkeypatch)
