"""Deliberately broken answers to a lost connection: each stores a write twice, or loses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from concordant.storage import postgres
from concordant.storage.postgres import PostgresDatabase

from ..durable.cutting import own_server
from ..durable.test_connection_loss import first_write, loses
from .breaking import swap

Patch = pytest.MonkeyPatch
MUTANTS: dict[str, Callable[[Patch], None]] = {}


def mutant(function: Callable[[Patch], None]) -> Callable[[Patch], None]:
    MUTANTS[function.__name__] = function
    return function


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with own_server() as url:
        yield url


@mutant
def what_is_unknown_is_done_again(patch: Patch) -> None:
    """Nobody looks what became of the transaction."""
    swap(patch, PostgresDatabase._committed, lambda *_: False)


@mutant
def what_is_unknown_is_taken_for_committed(patch: Patch) -> None:
    """A lost connection is taken for a lost answer."""
    swap(patch, PostgresDatabase._committed, lambda *_: True)


@mutant
def what_was_heard_is_heard_again(patch: Patch) -> None:
    """After the commit was answered the connection is used once more, as if nothing had been committed yet."""
    call = PostgresDatabase._call

    def unguarded(self: Any, work: Callable[[Any], Any]) -> Any:
        def working(connection: Any) -> Any:
            result = work(connection)
            connection.execute("SELECT 1")
            return result

        return call(self, working)

    swap(patch, PostgresDatabase._call, unguarded)


@mutant
def a_lost_first_write_is_not_looked_for(patch: Patch) -> None:
    """A document that is there after a lost statement is taken for somebody else's."""
    patch.setattr(postgres, "_CREATED", f"{postgres._CREATED} AND FALSE")


@mutant
def any_first_write_is_taken_for_ones_own(patch: Patch) -> None:
    """A document that is there after a lost statement is taken for what the statement made."""
    patch.setattr(postgres, "_CREATED", postgres._CREATED.replace("j.execution = %b", "%b::text IS NOT NULL"))


def losses(server: str) -> None:
    for at in ("before", "after", "heard"):
        loses(server, at, 1)
    assert first_write(server, "after", 1) == 1
    assert first_write(server, "before", 1, with_other=True) == 2


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_noticed(name: str, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under each mutant a counter counts a call twice, or not at all."""
    MUTANTS[name](monkeypatch)
    with pytest.raises(AssertionError):
        losses(server)


def test_without_a_mutant_the_check_passes(server: str) -> None:
    """Each call is counted once, wherever the connection is lost."""
    losses(server)
