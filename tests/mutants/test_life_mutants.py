"""Engines that take a change of the model lightly: the tests must tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from concordant.merge.causality import _meet, _place_in, image_name, image_of, images_known
from concordant.merge.kinds import conversion
from concordant.merge.kinds.conversion import _keeps, _told_apart
from concordant.merge.record import Record, drift
from concordant.merge.record.drift import _options, adapted, adapted_standing, fitted
from concordant.merge.registers import Change
from concordant.schema import Compiled
from concordant.schema.sparse import as_it_was, overlaid, without_defaults
from concordant.workspace.decisions import _is_listed_so
from concordant.workspace.states import written_under
from concordant.workspace.survey import _asks

from ..properties.test_changing_models import keep, live
from ..schema import test_life as life, test_records_that_change as records
from ..schema.test_life_matrix import WAYS, check_all
from .breaking import swap

Patch = pytest.MonkeyPatch
Check = Callable[[Any], None]


def images_have_the_dots_of_what_they_are_of(patch: Patch) -> None:
    """A conversion is told from its source by nothing."""
    swap(patch, image_of, lambda stamp, place: stamp)
    swap(patch, image_name, lambda replica, place: replica)


def nothing_is_known_of_images(patch: Patch) -> None:
    """A store that converted does not say so."""
    swap(patch, images_known, lambda vector, former, place: {})


def whatever_converts_is_converted(patch: Patch) -> None:
    """It is not looked at whether something is lost."""
    swap(patch, _keeps, lambda *_: True)
    patch.setattr(conversion, "len", lambda _: 0, raising=False)


def nothing_is_looked_through(patch: Patch) -> None:
    """Questions wait until somebody writes."""
    swap(patch, _asks, lambda *_: False)


def what_does_not_fit_is_shown(patch: Patch) -> None:
    """A value of another type is given out."""
    swap(patch, fitted, lambda look, root, tree, value, fit: (value, False))


def what_was_written_once_has_no_past(patch: Patch) -> None:
    """It is read as if the present model had been there."""
    swap(patch, written_under, lambda row, *_: row)
    swap(patch, Compiled.takes, lambda *_: True)


def a_contested_value_has_one_side(patch: Patch) -> None:
    """Of a field that was contested under the old model one contender is left."""
    options = drift._options
    swap(patch, _options, lambda field, cell: options(field, cell)[:1])


def what_comes_from_elsewhere_is_taken_for_ours(patch: Patch) -> None:
    """Imported records are read as if this model had made them."""
    patch.setattr(Record, "alien", property(lambda _: False, lambda *_: None))


def what_was_removed_comes_back(patch: Patch) -> None:
    """Only what a conversion finds is known to it, not what had been replaced before."""
    known = drift.images_known
    swap(patch, images_known, lambda *args: {name: n - 1 for name, n in known(*args).items()})


def fields_of_records_have_one_name(patch: Patch) -> None:
    """What two models make of one value has the same dots."""
    swap(patch, _told_apart, lambda field, path, leaf, place: leaf)


def images_of_what_moved_with_its_holder_are_not_known(patch: Patch) -> None:
    """Only what was made at the very place has moved from there."""
    swap(patch, _meet, lambda one, other: one == other)


def a_default_has_no_place(patch: Patch) -> None:
    """What was put there for a default is not known to have moved."""
    swap(patch, _place_in, lambda name: name.rpartition("\x00")[2])


def defaults_are_put_into_what_is_stored(patch: Patch) -> None:
    """Records that were written before a field came have it."""
    swap(patch, without_defaults, lambda value, form, stored, **_: form)


def what_a_model_does_not_know_goes(patch: Patch) -> None:
    """Records that were written before a field went have it no more."""
    swap(patch, overlaid, lambda stored, told: told)


def what_is_put_back_is_made_anew(patch: Patch) -> None:
    """Whatever a factory makes is a change."""
    swap(patch, as_it_was, lambda field, base, before, after, stored: stored)


def a_version_is_of_one_model(patch: Patch) -> None:
    """What a process with another model has listed cannot be decided."""
    swap(patch, _is_listed_so, lambda wanted, known, contest: False)


def what_a_deletion_keeps_outlives_decisions(patch: Patch) -> None:
    """A decision takes the place of what is live alone."""
    patch.setattr(Change, "let_go", lambda self, path: None)


def what_a_deletion_keeps_is_not_converted(patch: Patch) -> None:
    """What was made of it is taken for later writes."""
    swap(patch, adapted_standing, adapted)


def deleted_before(fresh_url: Any) -> None:
    life.test_g12_what_was_deleted_stays_so_whatever_its_fields_become("memory", fresh_url)


def listed_elsewhere(fresh_url: Any) -> None:
    sides = ("2026-01-02T03:04:05+02:00", "2026-01-02T03:04:05Z")
    life.test_g8_a_question_of_before_can_be_decided(
        "sqlite", life.INSTANTS, sides, life.WORDS_NOW, "today", True, fresh_url
    )


def deleted_once(_: Any) -> None:
    life.test_g8_a_decision_on_what_was_deleted_once_is_final({"k": 2}, "keyed")


def a_record_changes(_: Any) -> None:
    for old, new, task in records.CHANGES:
        records.test_g1_g4_a_field_of_a_record_comes_or_goes("list", old, new, task)


def a_record_is_put_back(_: Any) -> None:
    records.test_g2_records_that_are_put_back_as_they_were_read_are_nobodys_change(
        "map", "put", records.Task, records.Made, records.TASK
    )


def in_memory(_: Any) -> None:
    check_all("declared", 2, lambda _: None, WAYS[::3])


def elsewhere(_: Any) -> None:
    check_all("exchanged", 1, lambda _: None, WAYS[::3])


def in_files(fresh_url: Any) -> None:
    check_all("sqlite", 1, fresh_url, WAYS[::9])


def converted_twice(_: Any) -> None:
    life.test_g4_what_two_stores_convert_each_for_itself_counts_once("number", "counter", 2, 9)
    life.test_g4_what_two_stores_convert_each_for_itself_counts_once("values", "list", ["c"], ["a", "b", "c", "c"])


def lives(_: Any) -> None:
    for number in range(60):
        live(f"mutant-{number}")
        keep(f"mutant-{number}")


def met_late(_: Any) -> None:
    life.test_g1_a_store_that_had_not_converted_meets_one_that_had("set")


def removed(_: Any) -> None:
    life.test_g12_what_was_removed_after_the_conversion_does_not_come_back()


def duplicates(_: Any) -> None:
    life.test_a_list_with_duplicates_is_no_set(["a", "a"])


@pytest.mark.parametrize(
    ("mutant", "check"),
    [
        (images_have_the_dots_of_what_they_are_of, met_late),
        (nothing_is_known_of_images, removed),
        (what_was_removed_comes_back, removed),
        (whatever_converts_is_converted, duplicates),
        (nothing_is_looked_through, in_memory),
        (nothing_is_looked_through, in_files),
        (what_does_not_fit_is_shown, in_memory),
        (what_was_written_once_has_no_past, in_files),
        (a_contested_value_has_one_side, lives),
        (what_comes_from_elsewhere_is_taken_for_ours, elsewhere),
        (
            fields_of_records_have_one_name,
            lambda _: life.test_g1_g4_two_stores_that_make_other_records_of_one_value_lose_nothing("map"),
        ),
        (
            images_of_what_moved_with_its_holder_are_not_known,
            lambda _: life.test_what_was_converted_is_converted_once_more_within("record"),
        ),
        (what_a_deletion_keeps_is_not_converted, deleted_before),
        (a_version_is_of_one_model, listed_elsewhere),
        (what_a_deletion_keeps_outlives_decisions, deleted_once),
        (defaults_are_put_into_what_is_stored, a_record_changes),
        (what_a_model_does_not_know_goes, a_record_changes),
        (what_is_put_back_is_made_anew, a_record_is_put_back),
        (a_default_has_no_place, lambda _: life.test_g4_a_default_that_was_put_there_is_converted()),
    ],
)
def test_a_mutant_is_noticed(mutant: Callable[[Patch], None], check: Check, fresh_url: Any, monkeypatch: Patch) -> None:
    """The test that holds for the engine fails for the broken one."""
    mutant(monkeypatch)
    with pytest.raises(Exception):  # noqa: B017, PT011 - a broken engine may fail in any way
        check(fresh_url)


@pytest.mark.parametrize(
    "check", [in_memory, elsewhere, in_files, converted_twice, a_record_changes, a_record_is_put_back]
)
def test_the_engine_passes(check: Check, fresh_url: Any) -> None:
    """What the mutants fail at, the engine does not."""
    check(fresh_url)
