"""Deliberately broken ways of taking an agent's writes back: each takes too much, forgets, or does not last."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from concordant import ConcordantError, Text
from concordant.merge.causality import Stamp
from concordant.merge.record import held
from concordant.merge.record.held import Held
from concordant.merge.record.past import Taken, _goes_on, _is_news
from concordant.merge.record.reinstating import Reinstating, _of_texts
from concordant.merge.record.undo import _is_theirs, _replaced_by_others, _Undoing as the_Undoing
from concordant.merge.registers.leaf import without
from concordant.merge.sequence.edit import _Writer
from concordant.merge.sequence.normal import _with_what_stands_again
from concordant.merge.sequence.overlap import _Weighing
from concordant.merge.sequence.pieces import Sequence, Strike, run_of
from concordant.merge.sequence.undo import _cut_alike, _Undoing
from concordant.merge.sequence.units import unit_hunks
from concordant.workspace import undoing
from concordant.workspace.undoing import Undoing, _taken_back, _told_undone

from ..properties import test_undo as properties
from ..properties.undoing import Stores
from ..semantics import test_undo as semantics, test_undo_elsewhere as elsewhere
from .breaking import swap

Patch = pytest.MonkeyPatch
MUTANTS: dict[str, tuple[Callable[[], None], Callable[[Patch], None]]] = {}
NOTICED = (AssertionError, ValueError, KeyError, ConcordantError, pytest.fail.Exception)


def mutant(*checks: Callable[[], None]) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Registers a mutant with the checks that must notice it."""

    def register(function: Callable[[Patch], None]) -> Callable[[Patch], None]:
        for check in checks:
            MUTANTS[f"{function.__name__}, {check.__name__}"] = (check, function)
        return function

    return register


def random_histories() -> None:
    """The exact model."""
    properties.run(range(170, 250), Stores(40), properties.exact)


def two_agents() -> None:
    """The same of two agents, one after the other."""
    properties.run(range(40), Stores(40), properties.exact_of_two)


def of_all_kinds() -> None:
    """What goes for all kinds."""
    properties.run(range(60), Stores(40), properties.all_kinds, properties.alone, properties.all_kinds_of_two)


@mutant(semantics.test_what_was_built_on_it_is_a_question, random_histories)
def it_takes_the_work_of_others(patch: Patch) -> None:
    """Who worked on what the agent left is taken back with him."""
    known = Taken.__call__
    swap(patch, Taken.__call__, lambda self, stamp: known(self, stamp) or stamp.agent == "ada")


@mutant(semantics.test_what_was_built_on_it_is_a_question, random_histories)
def what_was_built_on_it_is_not_asked(patch: Patch) -> None:
    """Where somebody worked on what he left, what stood before him is forgotten."""

    def take(self: held.Held, *_: Any) -> None:
        self.settled = True
        self.back.clear()

    swap(patch, Held._take, take)


@mutant(semantics.test_a_sentence_that_was_built_on_his_is_a_question)
def a_rewritten_sentence_is_not_asked(patch: Patch) -> None:
    """A rewrite of his sentence and the sentence before it stand side by side."""
    swap(patch, _Undoing.built_on, lambda *_: iter(()))


def built_elsewhere() -> None:
    """What was built in another store, against the exact model."""
    properties.run(range(2000, 2030), Stores(40), properties.built_elsewhere)


def two_undos_before_it_is_heard_of() -> None:
    """Another agent is taken back in the same text."""
    elsewhere.test_a_second_undo_does_not_forget_it(first_there=False)


@mutant(elsewhere.test_to_undo_the_undo_settles_it, built_elsewhere)
def what_goes_is_not_marked(patch: Patch) -> None:
    """Who has built on a sentence of his elsewhere is not known as such: both stand beside each other."""
    swap(patch, _Undoing.mark, lambda self: None)


@mutant(built_elsewhere)
def what_stands_again_is_not_what_was_built_on(patch: Patch) -> None:
    """What was built elsewhere differs from nothing, beside what stands again."""
    swap(patch, _with_what_stands_again, lambda sequence, marks: (sequence, {}))


@mutant(built_elsewhere)
def who_edits_meanwhile_is_shown_what_stands_again(patch: Patch) -> None:
    """An edit that began before an undo is taken for one of what stands now."""
    swap(patch, _Writer._with_what_was_taken_back, lambda self, sequence, part: part)


@mutant(elsewhere.test_an_edit_is_not_carried_to_a_sentence_that_comes_back)
def what_comes_back_is_told_by_its_words(patch: Patch) -> None:
    """What was read is compared with what is shown word by word alone."""
    swap(patch, Text._drift, lambda self, base, shown: unit_hunks(base, shown, "word"))


@mutant(of_all_kinds)
def marks_are_work(patch: Patch) -> None:
    """Who took something back is the author of what is left of a text, or of nothing."""
    swap(patch, Sequence.writes, Sequence.stamps)


@mutant(elsewhere.test_another_who_is_taken_back_as_well_is_no_side)
def what_is_known_to_be_built_on_is_asked_twice(patch: Patch) -> None:
    """What is asked about, or was settled, by the undo itself is asked again by its marks."""
    known = _Undoing._to_be_marked

    def everything(self: Any, before: Any) -> Any:
        self.settled = set()
        return known(self, before)

    swap(patch, _Undoing._to_be_marked, everything)


@mutant(two_undos_before_it_is_heard_of)
def a_second_undo_forgets_what_may_be_built_on(patch: Patch) -> None:
    """Only what the last undo took back is marked."""
    known = _Undoing._to_be_marked
    swap(patch, _Undoing._to_be_marked, lambda self, before: known(self, set()))


@mutant(semantics.test_an_import_does_not_bring_it_back, random_histories)
def it_comes_back_by_import(patch: Patch) -> None:
    """What stands again keeps its old dot, which others know as gone."""
    swap(patch, the_Undoing._again, lambda self, path, entry, under=None: entry)


@mutant(semantics.test_who_wrote_beside_him_is_not_asked, random_histories)
def nobody_is_known_to_have_written_beside_him(patch: Patch) -> None:
    """Whoever wrote while he did is taken for somebody who built on what he left."""
    swap(patch, the_Undoing._knew, lambda *_: True)


@mutant(random_histories, semantics.test_who_had_not_seen_what_he_replaced_is_asked)
def who_wrote_beside_him_has_seen_all_before(patch: Patch) -> None:
    """What a contender had not seen is dropped as if it had been replaced."""
    swap(patch, the_Undoing._knew, lambda self, step, stamp, guess: guess)


@mutant(semantics.test_who_confirmed_it_stands_for_it)
def his_name_stays(patch: Patch) -> None:
    """Who confirmed his value goes on naming him."""
    swap(patch, the_Undoing._put, _put_without_shared)


def _put_without_shared(self: Any, path: Any, current: Any, standing: Any, back: Any, stale: Any) -> None:
    leaf = (*standing, *(self._again(path, entry) for entry in back))
    if path[-1] is None:
        self.change.after[path] = leaf
    else:
        self._set(path, leaf)


@mutant(semantics.test_to_undo_it_restores_what_was, random_histories)
def it_is_forgotten_what_was_taken_back(patch: Patch) -> None:
    """A second time takes back again what is taken back already."""
    swap(patch, _taken_back, lambda rows, without: ({}, {}))


@mutant(two_agents)
def what_was_taken_back_before_counts_again(patch: Patch) -> None:
    """What an agent had replaced comes back with him, though its author was taken back as well."""
    told = undoing._told_undone
    swap(patch, _told_undone, lambda rows, numbers: told(rows, numbers)._replace(already={}, undoes={}))


@mutant(semantics.test_an_undo_of_what_was_replaced_already_counts)
def what_left_nothing_is_not_noted(patch: Patch) -> None:
    """An undo that finds nothing of the agent's leaves no trace, and he is there again with those who replaced him."""
    patch.setattr(undoing._UndoPending, "leaves_trace", False)


@mutant(of_all_kinds)
def nothing_stands_to_the_letter(patch: Patch) -> None:
    """What nobody else has touched is told from its story, as if others had."""
    swap(patch, _is_theirs, lambda story: False)


@mutant(of_all_kinds)
def what_others_touched_stands_to_the_letter(patch: Patch) -> None:
    """What others have made of it since goes as well."""
    swap(patch, _is_theirs, lambda story: True)


def alone_with_imports() -> None:
    """Where nobody else has written all stands to the letter, also with an import in between."""
    properties.run(range(315, 316), Stores(), lambda seed, _, rooms: properties.alone(seed, 7, rooms))


@mutant(alone_with_imports)
def an_import_that_tidies_up_is_work(patch: Patch) -> None:
    """What an import only forgets counts as something that others did."""
    swap(patch, _is_news, lambda change: True)


def kept_items() -> None:
    """A deletion keeps the items of a list between which one was inserted."""
    semantics.test_what_a_deletion_keeps_stands_once("steps", ["plan", "write"], ["plan", "improvise", "write"])


@mutant(kept_items)
def texts_are_cut_as_they_are_now(patch: Patch) -> None:
    """Where a text was cut and is not any more, all of it stands in the place of each part."""
    swap(patch, _cut_alike, lambda sequence, earlier: sequence)


def alike() -> None:
    """Two inserted the same sentence."""
    semantics.test_a_sentence_that_two_inserted_alike_stands_once("between")


@mutant(alike)
def what_two_inserted_alike_stands_twice(patch: Patch) -> None:
    """What was shown once of two equal insertions is put back for each."""
    swap(patch, _Undoing._doubled, lambda self, before, runs: {})


@mutant(semantics.test_what_was_put_back_already_is_not_put_back_again)
def it_is_put_back_once_more(patch: Patch) -> None:
    """What stands again by an undo before is put back by the next as well."""
    swap(patch, _Undoing._missing, lambda self, before, runs: runs)


@mutant(semantics.test_a_question_that_was_built_on_stands_again)
def what_is_gone_holds_what_was_built_on_it(patch: Patch) -> None:
    """A rewrite of what stands again is counted as one of what is gone too."""
    swap(
        patch,
        _Weighing._struck_by,
        lambda self, run: {run_of(self.pieces[number]) for number in self.solid[run] or self.touched[run]},
    )


@mutant(semantics.test_the_sides_of_a_question_are_the_same_when_all_stand_again)
def a_question_reaches_to_what_is_gone(patch: Patch) -> None:
    """What stands beside a contested sentence is part of its question, where that stood elsewhere before."""
    swap(patch, _Weighing._live, lambda self, numbers: [*numbers])


def emptied() -> None:
    """A list of which nothing is left but who removed it, as earlier undos left it."""
    stamp = Stamp(1.0, "here", 1, "eve", "", "edit")
    assert Sequence([], {("here", 1, 1): Strike(stamp, 1)})


@mutant(emptied)
def what_is_empty_is_nothing(patch: Patch) -> None:
    """A list or text of which nothing is left but who removed it is forgotten."""
    swap(patch, Sequence.__bool__, lambda self: len(self) > 0)


@mutant(semantics.test_a_question_about_his_sentence_is_told_anew_for_the_second)
def a_rewrite_that_goes_is_not_heard(patch: Patch) -> None:
    """What was built is asked about anew only where what it was built on goes."""
    swap(patch, _Undoing._changes, lambda self, piece: self.below.goes(piece))


@mutant(semantics.test_what_stands_again_in_a_rewrite_belongs_to_what_is_asked)
def what_was_put_with_a_side_is_not_heard(patch: Patch) -> None:
    """A part of a rewrite that stands again is beside the question about it."""

    def over(self: Any, layer: set[Any]) -> list[Any]:
        return [piece for run in layer for piece in self.below.over[run]]

    swap(patch, _Undoing._around, over)


@mutant(semantics.test_a_question_about_what_is_gone_stands_again)
def what_changes_meet_in_is_forgotten(patch: Patch) -> None:
    """Rewrites stand again without what they are over, if that does not stand."""
    swap(patch, _Undoing._below, lambda self, before, names: set())


@mutant(semantics.test_what_the_second_made_is_not_shown_meanwhile)
def what_an_undo_has_told_stays(patch: Patch) -> None:
    """What an earlier undo has shown while it is asked is shown on, whoever wrote it."""
    based = Taken.based
    swap(patch, Taken.based, lambda self, base: base is not None and base.n not in self._undos and based(self, base))


@mutant(semantics.test_a_deleted_document_that_keeps_parts_of_one_write_stays_deleted)
def parts_of_one_write_stand_under_different_dots(patch: Patch) -> None:
    """Each place at which a write stands again has a dot of its own."""
    number = count(1)
    swap(patch, Reinstating._again, lambda self, path, entry: self.again(path, entry, under=(path, next(number))))


@mutant(properties.test_a_value_that_a_deletion_kept_and_a_text_of_its_writer_stand_again_apart)
def a_value_and_a_text_share_a_dot(patch: Patch) -> None:
    """What a deletion keeps of a writer stands again under the dot that a text of another write of his has."""
    swap(patch, _of_texts, lambda found: (set(), set()))


def kept_everywhere() -> None:
    """What a deletion kept stands in every store."""
    semantics.test_what_a_deletion_kept_stands_in_every_store("tags", both=False)


@mutant(kept_everywhere)
def what_was_kept_stands_again_under_its_old_dot(patch: Patch) -> None:
    """What a mark kept is put back with it under the dots that it had then."""
    swap(patch, the_Undoing._as_it_stands, lambda self, path, mark: mark)


def kept_and_replaced() -> None:
    """What others replaced of what a deletion kept stays replaced."""
    semantics.test_what_others_replaced_of_what_a_deletion_kept_stays_replaced(both=False)


@mutant(kept_and_replaced)
def what_a_deletion_kept_is_put_back_as_it_was(patch: Patch) -> None:
    """It is not heard what others have replaced of it."""
    swap(patch, _replaced_by_others, lambda *_: set())


@mutant(kept_and_replaced)
def who_goes_on_from_what_was_deleted_replaces_nothing(patch: Patch) -> None:
    """It is not heard what others replace or remove of a deleted document that is shown."""
    swap(patch, _goes_on, lambda *_, alone: False)


@mutant(kept_and_replaced)
def what_an_undo_has_moved_is_not_replaced(patch: Patch) -> None:
    """Who replaces what an undo has but given another dot is taken for somebody who built on what goes."""
    again = Held._replace_again

    def known(self: Held, step: Any, removed: Any) -> Any:
        return again(self, step, [entry for entry in removed if not self._gone(entry.stamp)])

    swap(patch, Held._replace_again, known)


@mutant(semantics.test_undos_that_are_undone_at_once_put_a_sentence_back_once)
def what_strikes_are_over_is_put_back_by_each(patch: Patch) -> None:
    """A sentence that was struck is put back dead once for each of the writes that took it away."""
    put = _Undoing._shown_again

    def shown(self: Any, before: Sequence, runs: set[Any], names: dict[Any, int]) -> None:
        put(self, before, runs | self._below(before, names), names)

    swap(patch, _Undoing._shown_again, shown)


@mutant(semantics.test_what_another_deletion_keeps_is_not_written_beside_it)
def what_deletions_keep_stands_beside_them_too(patch: Patch) -> None:
    """What is put back where several deletions stand brings what they keep along."""
    put = the_Undoing._set

    def set_(self: Any, path: Any, leaf: Any) -> None:
        put(self, path, leaf)
        self.change.after[path] = without(self.change.get(path) or (), self._is_new)

    swap(patch, the_Undoing._set, set_)


@mutant(semantics.test_no_empty_document_is_left_of_what_an_undo_had_put_back)
def what_kept_something_once_stands(patch: Patch) -> None:
    """An undo's mark of what it had put back stays, though nothing of that does."""
    swap(patch, the_Undoing._drop_idle_marks, lambda self: None)


@mutant(semantics.test_an_amount_that_he_has_taken_back_himself_goes)
def what_makes_no_difference_stays(patch: Patch) -> None:
    """Where an agent's amounts are nothing together, they are left."""
    take = the_Undoing._take_amount
    swap(
        patch,
        the_Undoing._take_amount,
        lambda self, place, owed, again: None if not owed else take(self, place, owed, again),
    )


@mutant(semantics.test_the_deletion_of_another_stands)
def a_deletion_since_is_not_heard(patch: Patch) -> None:
    """What he had replaced is brought back beside the deletion that somebody made since."""
    swap(patch, the_Undoing._deletion_of, lambda self, path: ((), None))
    swap(patch, Held._remove, lambda self, step: None)


@mutant(semantics.test_the_preview_changes_nothing)
def the_preview_does_it(patch: Patch) -> None:
    """It is done whether it is to be done or not."""
    shows = undoing.Undoing._document
    swap(
        patch,
        Undoing._document,
        lambda self, place, numbers, agent, by, dry_run: shows(self, place, numbers, agent, by, dry_run=False),
    )


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_the_mutant_is_noticed(name: str, monkeypatch: Patch) -> None:
    """Each broken way is noticed by the check that it is made for."""
    check, patch = MUTANTS[name]
    patch(monkeypatch)
    with pytest.raises(NOTICED):
        check()
