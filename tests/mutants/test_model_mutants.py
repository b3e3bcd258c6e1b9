"""Deliberately broken readings of models: each breaks one promise about ordinary models, and its test must notice."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from concordant import ConcordantError
from concordant.merge.causality import image_name
from concordant.merge.kinds import nested, policies
from concordant.merge.record import defaults
from concordant.merge.record.defaults import with_defaults
from concordant.merge.registers.tree import leaf_at
from concordant.schema import equality, models, spelling
from concordant.schema.annotations import forms_of, kinds_inside, unnamed
from concordant.schema.compiling import _compile
from concordant.schema.equality import (
    _are_loosely_equal,
    _are_strictly_equal,
    _normal_leaf,
    are_surely_same,
    canon_of,
    in_order,
)
from concordant.schema.fidelity import _is_told_apart, _takes_default, form_of, unfaithful
from concordant.schema.incoming import _functions, key_read_otherwise, untouched_left_out, with_identity
from concordant.schema.keys import Keys
from concordant.schema.models import is_instance, is_strict, model_validators_of, spellings_of, strays_in
from concordant.schema.schema import Compiled
from concordant.values import alike, canonical
from concordant.workspace.writing import _copied

from ..properties import test_changing_models
from ..schema import (
    test_bad_input as bad_input,
    test_mends as mends,
    test_ordinary as ordinary,
    test_validators as validators,
)
from .breaking import passes, swap

Patch = pytest.MonkeyPatch
MUTANTS: dict[str, tuple[Callable[[Patch], None], Callable[[], None]]] = {}


def mutant(check: Callable[..., None], *arguments: Any) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Registers a mutant with the test that it must fail."""

    def register(function: Callable[[Patch], None]) -> Callable[[Patch], None]:
        MUTANTS[function.__name__] = (function, lambda: check(*arguments))
        return function

    return register


def wrong(name: str) -> mends.Wrong:
    """The wrong model with this name."""
    return next(row for row in mends.WRONG if row.name == name)


@mutant(mends.test_defaults_in_a_record_that_could_not_be_read_back, mends.Sent, "scalar")
def defaults_in_records_are_not_read(patch: Patch) -> None:
    """Whatever Pydantic takes unseen is taken."""
    swap(patch, _takes_default, lambda info: True)


@mutant(
    ordinary.test_records_with_factories_validators_and_numbers_for_others_are_values,
    ordinary.A[ordinary.Message | None, ordinary.Scalar()],
    None,
    lambda message: message,
)
def numbers_in_records_differ_by_type(patch: Patch) -> None:
    """A default of ``0`` for a ``float`` is taken for another value than what is read of it."""
    swap(patch, _are_loosely_equal, _are_strictly_equal)


@mutant(ordinary.test_names_and_aliases_are_both_taken_at_every_depth)
def aliases_are_not_known(patch: Patch) -> None:
    """Only names are taken."""
    swap(patch, spellings_of, lambda info: ())


@mutant(ordinary.test_validators_of_the_model_see_what_is_given_and_what_is_merged)
def the_models_validators_see_wholes_only(patch: Patch) -> None:
    """What a model makes of its input is not made of a write."""
    swap(patch, model_validators_of, lambda model: [])


@mutant(ordinary.test_before_and_wrap_validators_run_for_every_kind)
def containers_have_no_validators(patch: Patch) -> None:
    """Only scalars are validated as they are written."""
    swap(patch, _functions, lambda metadata, **_: [])


@mutant(ordinary.test_before_and_wrap_validators_run_for_every_kind)
def records_and_maps_have_no_validators(patch: Patch) -> None:
    """What stands before their types is left out."""
    patch.setattr(spelling, "_BEFORE", ())


@mutant(ordinary.test_a_check_of_a_container_judges_the_whole_not_what_is_added)
def contributions_are_judged_as_wholes(patch: Patch) -> None:
    """Nothing is left to the merged document."""
    swap(patch, Compiled._loosely, ())


@mutant(ordinary.test_a_validator_that_needs_other_fields_judges_the_merged_document)
def a_validator_that_misses_a_field_refuses(patch: Patch) -> None:
    """A failure is a verdict."""
    swap(patch, Compiled._may_fit, lambda self, given: False)


@mutant(ordinary.test_a_validator_that_crashes_is_our_own_clear_error)
def a_crash_is_no_verdict(patch: Patch) -> None:
    """What no validator can judge is stored."""
    swap(patch, Compiled._may_fit, lambda self, given: True)


@mutant(ordinary.test_untouched_defaults_are_never_written_nor_contested)
def edits_write_all_fields_of_records(patch: Patch) -> None:
    """The defaults that a reader was shown are claimed as written."""
    swap(patch, untouched_left_out, lambda field, before, after: after)


@mutant(ordinary.test_untouched_defaults_are_never_written_nor_contested)
def edits_begin_with_defaults_of_their_own(patch: Patch) -> None:
    """A factory is asked twice, and what it gives is taken for a change."""
    swap(patch, _copied, lambda document, schema, base: schema.build(base))


@mutant(ordinary.test_edits_of_a_default_change_one_and_the_same, False, None)
def each_editor_brings_the_default(patch: Patch) -> None:
    """An edit of what nobody has written contributes it as a whole."""
    swap(patch, with_defaults, lambda change, field, path, base, values, known: base)


@mutant(ordinary.test_edits_of_a_default_in_two_stores_change_one_and_the_same, ("ada", "bob"))
def each_store_has_a_default_of_its_own(patch: Patch) -> None:
    """The default is another write in each store."""
    plain = defaults.image_name
    swap(patch, image_name, lambda replica, place: plain(replica, f"{place}{uuid.uuid4()}"))


@mutant(ordinary.test_edits_of_a_default_that_was_deleted_change_one_and_the_same, ("ada", "bob"), 1)
def a_default_that_was_deleted_is_taken_to_stand(patch: Patch) -> None:
    """It is put there once and for all, though it went with its document."""
    swap(patch, leaf_at, lambda tree, path: True, within="concordant.merge.record.defaults")


@mutant(ordinary.test_an_instance_contributes_what_was_set_or_changed_in_it)
def instances_contribute_what_was_set_only(patch: Patch) -> None:
    """What was changed in place is lost."""
    patch.setattr(models, "_MUTABLE", ())


@mutant(ordinary.test_a_default_record_stays_in_the_fields_that_nobody_writes)
def a_default_record_is_forgotten(patch: Patch) -> None:
    """Writing one field of it takes the others' defaults away."""
    swap(patch, is_instance, lambda value: False)


@mutant(ordinary.test_g1_g11_what_an_instance_holds_besides_its_fields_is_refused_not_dropped, "one", ordinary.Holder)
def what_is_no_field_is_dropped(patch: Patch) -> None:
    """Of an instance its fields are taken, and nothing is said of the rest."""
    swap(patch, strays_in, lambda value, before=None: {})


@mutant(ordinary.test_g1_g11_what_an_instance_holds_besides_its_fields_is_refused_not_dropped, "one", ordinary.Holder)
def an_edit_beside_the_fields_is_none(patch: Patch) -> None:
    """Records whose fields are the same are taken to be the same."""
    swap(patch, are_surely_same, lambda one, other: one is other or getattr(one, "__dict__", 0) == other.__dict__)


@mutant(ordinary.test_g1_records_that_are_known_by_what_their_model_made, None)
def an_identity_is_a_default_like_others(patch: Patch) -> None:
    """Nobody has set it, so it is left out."""
    swap(patch, with_identity, lambda record, told, field: told)


@mutant(ordinary.test_g1_nan_in_a_sequence_stays_what_it_is, "row")
def numbers_have_the_form_that_pydantic_gives_them(patch: Patch) -> None:
    """NaN in a sequence is stored as ``None``."""
    swap(patch, forms_of, lambda adapter: lambda value: adapter.dump_python(value, mode="json"))


@mutant(ordinary.test_g3_nan_in_a_sequence_is_another_value_than_none)
def numbers_compare_in_that_form(patch: Patch) -> None:
    """NaN equals ``None`` there."""
    swap(patch, forms_of, lambda adapter: lambda value: adapter.dump_python(value, mode="json"))


@mutant(ordinary.test_a_kind_under_a_name_is_never_passed_over)
def names_are_not_looked_into(patch: Patch) -> None:
    """What a name stands for declares nothing."""
    swap(patch, unnamed, lambda annotation: annotation)


@mutant(ordinary.test_what_validation_would_change_twice_is_kept_exactly)
def instances_are_validated_as_input(patch: Patch) -> None:
    """What was decoded is decoded again."""
    swap(patch, form_of, lambda *_: lambda value: value)


@mutant(ordinary.test_a_value_that_would_not_read_back_is_refused_when_it_is_written)
def values_are_not_checked(patch: Patch) -> None:
    """What was tried out at declaration counts for all values."""
    swap(patch, Compiled._check_reads_back, lambda *_: None)


@mutant(validators.test_what_was_read_is_written_back_into_strict_types_at_any_depth, validators.Exact)
def strict_types_below_are_not_known(patch: Patch) -> None:
    """What is stored of a strict type in a record is not of its type when it is written back."""
    swap(patch, is_strict, lambda model: False)


@mutant(ordinary.test_equal_values_agree_in_any_order_and_zone, *ordinary.SAME[0])
def sets_have_an_order(patch: Patch) -> None:
    """Values compare by their JSON."""
    swap(patch, canon_of, lambda *spellings: canonical)
    swap(patch, in_order, lambda value, form: form)


@mutant(ordinary.test_equal_values_agree_in_any_order_and_zone, *ordinary.SAME[5])
def instants_have_a_zone(patch: Patch) -> None:
    """Values compare by their JSON."""
    swap(patch, _normal_leaf, equality._as_is)


@mutant(ordinary.test_a_policy_that_cannot_compare_leaves_the_question_open, "max")
def a_policy_takes_any(patch: Patch) -> None:
    """Where values cannot be compared, the first of them stands."""
    patch.setitem(policies.POLICIES, "max", lambda groups, rank: groups[0])


@mutant(ordinary.test_an_optional_record_merges_by_its_fields_and_may_be_none)
def none_says_nothing(patch: Patch) -> None:
    """A record that is set to ``None`` stays."""
    for name in ("contribute", "edit"):
        plain = getattr(nested.Nested, name)

        def quiet(self: Any, change: Any, field: Any, path: Any, *values: Any, plain: Any = plain) -> Any:
            return None if values[-1] is None else plain(self, change, field, path, *values)

        swap(patch, plain, quiet)


@mutant(ordinary.test_maps_with_keys_that_are_no_text)
def keys_are_read_as_text(patch: Patch) -> None:
    """A model has the keys as they are stored."""
    swap(patch, Keys.as_values, lambda self, value: dict(value))


@mutant(mends.test_a_wrong_field_is_refused_with_the_mend_that_works, wrong("bytes"))
def nothing_is_tried_out(patch: Patch) -> None:
    """Types are taken on trust."""
    swap(patch, unfaithful, lambda compiled: [])


@mutant(mends.test_a_wrong_field_is_refused_with_the_mend_that_works, wrong("a date or text"))
def unions_are_told_apart(patch: Patch) -> None:
    """A date beside a text is taken for one that reads back."""
    swap(patch, _is_told_apart, lambda members: True)


@mutant(mends.test_a_wrong_field_is_refused_with_the_mend_that_works, wrong("a kind in a list's items"))
def kinds_inside_types_are_overlooked(patch: Patch) -> None:
    """A kind that says nothing is accepted."""
    swap(patch, kinds_inside, lambda annotation: [])


@pytest.fixture(autouse=True)
def compiled_anew() -> Iterator[None]:
    """Models are compiled under each mutant, and again after it."""
    _compile.cache_clear()
    yield
    _compile.cache_clear()


def lives_under_changing_models() -> None:
    """What was written under other models is sent on after every step."""
    for number in (45, 288, 320):  # those in which it is noticed, among hundreds
        test_changing_models.live(f"lead-{number}")


@mutant(lives_under_changing_models)
def a_form_is_given_once(patch: Patch) -> None:
    """What is shown in another form than it is stored in counts as written under the present model."""
    swap(patch, alike, lambda *_: True, within="concordant.merge.record.view")


@mutant(bad_input.test_keys_that_are_no_text_are_refused, bad_input.Brief, 1)
def any_key_is_text(patch: Patch) -> None:
    """What a key was before it became text is not asked."""
    swap(patch, key_read_otherwise, lambda *_: None)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_reading_of_models_is_noticed(name: str, monkeypatch: Patch) -> None:
    """Each mutant fails the test of its promise, which the engine passes."""
    function, check = MUTANTS[name]
    passes(check)
    _compile.cache_clear()
    function(monkeypatch)
    with pytest.raises((AssertionError, ConcordantError, KeyError, ValidationError, pytest.fail.Exception)) as noticed:
        check()
    broken = ("TypeError", "NameError")
    assert not any(name in str(noticed.value) for name in broken), "the mutant itself is broken"
