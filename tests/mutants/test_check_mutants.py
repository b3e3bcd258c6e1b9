"""Checks that overlook something, and stores that rot in a way of their own: the tests of ``check`` must tell."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from concordant.storage import encoding as packing
from concordant.storage.sqlite import SqliteDatabase
from concordant.values import same
from concordant.workspace import checking
from concordant.workspace.checking import _Checking, check

from ..durable.test_packing import test_every_flipped_byte_is_noticed as every_flipped_byte_is_noticed
from ..operations.test_check import test_damage_of_every_sort_is_found as damage_of_every_sort_is_found
from .breaking import swap

Patch = pytest.MonkeyPatch
FreshUrl = Callable[[str], str | None]


def no_checksum(patch: Patch) -> None:
    """What was packed is taken for what was stored, whatever became of it."""
    patch.setattr(packing.zlib, "crc32", lambda data: 0)


def values_are_not_compared(patch: Patch) -> None:
    """A value that was written once is believed."""
    swap(patch, same, lambda one, other: True, within=checking.__name__)


def gaps_are_passed_over(patch: Patch) -> None:
    """Whatever row is missing in the journal may have been forgotten."""
    swap(patch, _Checking._of_journal, lambda self, found, rows: iter(()))


def questions_are_not_counted(patch: Patch) -> None:
    """A document has the questions that it is said to have."""
    patch.setattr(checking.Examined, "open", property(lambda self: len(self.questions)))


def authors_are_believed(patch: Patch) -> None:
    """Who made a write is not looked up in the journal."""
    swap(patch, _Checking._stamps, lambda self, record, rows: iter(()))


def numbers_are_not_compared(patch: Patch) -> None:
    """The number of the last commit may be any."""
    swap(patch, SqliteDatabase.damage, lambda self: [])

    def blind(workspace: object, quarantine: bool) -> checking.Checked:
        found = check(workspace, quarantine)  # type: ignore[arg-type]
        return found._replace(problems=tuple(p for p in found.problems if p.namespace))

    swap(patch, check, blind)


@pytest.mark.parametrize(
    ("mutant", "damage"),
    [
        (values_are_not_compared, "a shown value that differs"),
        (gaps_are_passed_over, "a missing journal row, the middle one"),
        (gaps_are_passed_over, "a missing journal row, the newest"),
        (gaps_are_passed_over, "a missing journal row, the oldest"),
        (questions_are_not_counted, "a wrong count of open questions"),
        (authors_are_believed, "another author"),
        (numbers_are_not_compared, "a number too low"),
        (numbers_are_not_compared, "rows of no document"),
    ],
)
def test_a_check_that_overlooks_something_is_noticed(
    mutant: Callable[[Patch], None], damage: str, fresh_url: FreshUrl, monkeypatch: Patch
) -> None:
    """With one part of the check blind, the damage that it is there for goes unnoticed, and its test fails."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        damage_of_every_sort_is_found(damage, "sqlite", fresh_url)


def test_bytes_without_a_checksum_are_noticed(monkeypatch: Patch) -> None:
    """Without a checksum some flipped byte of what was packed goes unnoticed."""
    no_checksum(monkeypatch)
    with pytest.raises(AssertionError):
        every_flipped_byte_is_noticed()
