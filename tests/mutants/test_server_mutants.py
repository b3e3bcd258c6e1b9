"""Batches over two servers that are half there after a crash, each caught by a named test."""

from __future__ import annotations

from typing import Any

import pytest

from concordant.storage.servers import Server, ServersStorage

from ..durable import test_servers as tests
from ..durable.test_servers import Urls, other_server, urls  # the fixtures
from .breaking import swap

Patch = pytest.MonkeyPatch

__all__ = ["other_server", "urls"]


def test_what_was_decided_and_is_forgotten_is_caught(urls: Urls, monkeypatch: Patch) -> None:
    """What the first server committed must be committed on the others, whoever ends it."""
    swap(monkeypatch, Server.decides, lambda *_: False)
    with pytest.raises(AssertionError):
        tests.test_a_batch_that_is_left_half_way_is_ended_by_who_comes_next(urls, monkeypatch, "half", True)


def test_a_moment_beside_what_was_left_half_way_is_caught(urls: Urls, monkeypatch: Patch) -> None:
    """Who takes a moment must end it first."""
    swap(monkeypatch, ServersStorage._settle, lambda _: False)
    with pytest.raises(AssertionError):
        tests.test_a_batch_that_is_left_half_way_is_ended_by_who_comes_next(urls, monkeypatch, "half", True)


def test_a_server_that_does_not_wait_for_the_first_is_caught(urls: Urls, monkeypatch: Patch) -> None:
    """What was prepared must not be there before the first server has committed."""
    prepare = Server.prepare

    def at_once(self: Server, work: Any, clocks: Any, batch: str) -> Any:
        result = prepare(self, work, clocks, batch)
        self.end(batch, committed=True)
        return result

    swap(monkeypatch, Server.prepare, at_once)
    with pytest.raises(AssertionError):
        tests.test_a_batch_that_is_left_half_way_is_ended_by_who_comes_next(urls, monkeypatch, "prepared", False)
