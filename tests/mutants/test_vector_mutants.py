"""Deliberately broken views: each breaks one promise about vectors, and the tests of that promise must notice."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import pytest

from concordant import Workspace
from concordant_langgraph import MergeStore
from concordant_langgraph.backlog import Backlog
from concordant_langgraph.texts import checked_index
from concordant_langgraph.view import StoreView

from ..langgraph.vectors.support import NS, Embedder, config, fresh, ranking
from ..langgraph.vectors.test_kept import left_behind, overtaken
from ..langgraph.vectors.test_ranking import check_history
from .breaking import passes, swap

Patch = pytest.MonkeyPatch
Mutant = tuple[Callable[[], None], Callable[[Patch], None]]
MUTANTS: dict[str, Mutant] = {}


def mutant(check: Callable[[], None]) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Registers a mutant with the check that must notice it."""

    def register(function: Callable[[Patch], None]) -> Callable[[Patch], None]:
        MUTANTS[function.__name__] = (check, function)
        return function

    return register


def histories() -> None:
    for number in range(6):
        check_history(f"mutants/{number}", ("title", "tags[*]"), 40)


def other_ways_of_writing() -> None:
    store = MergeStore(index=config())
    store.put(NS, "a", {"text": "apple"})
    store.search(NS, query="apple")
    other = Workspace()
    other.agent("eve").write(NS, "b", {"text": "banana"})
    store.workspace.import_(other.export())
    assert ranking(store, "banana") == ranking(fresh(store), "banana")


def failures() -> None:
    embedder = Embedder()
    store = MergeStore(index=config(embedder))
    embedder.failing = ConnectionError
    store.put(NS, "a", {"text": "apple"})
    embedder.failing = None
    assert [item.score is not None for item in store.search(NS, query="apple")] == [True]


def merged_values() -> None:
    embedder = Embedder()
    store = MergeStore(index=config(embedder))
    store.put(NS, "a", {"text": "secret", "title": "apple"}, index=["title"])
    store.workspace.agent("bob").write(NS, "a", {"title": "banana"})
    store.search(NS, query="x")
    assert not any("secret" in text for text in embedder.asked)


def kept_beside_a_file() -> None:
    with tempfile.TemporaryDirectory() as folder:
        overtaken(f"sqlite:///{folder}/a.db")
        left_behind(f"sqlite:///{folder}/b.db")


@mutant(kept_beside_a_file)
def an_older_value_stays(patch: Patch) -> None:
    """Nobody looks whether another process wrote to the view meanwhile."""
    swap(patch, Backlog.again, lambda self, places: {})


@mutant(kept_beside_a_file)
def a_view_is_believed(patch: Patch) -> None:
    """What a view holds when it is opened counts as newest."""
    begin = Backlog.begin
    swap(patch, Backlog.begin, lambda self, _, places: begin(self, self._workspace.changes()[0], places))


@mutant(histories)
def stale_vectors_stay(patch: Patch) -> None:
    """A document is put over what the view holds, whatever it has lost."""
    swap(patch, StoreView._leaves_behind, lambda *_: False)


@mutant(histories)
def deletions_stay_in_the_view(patch: Patch) -> None:
    """What is gone is not taken out, and found by whoever asks the view; a new life begins with old vectors."""
    made = StoreView._entry

    def kept(self: StoreView, place: Any) -> Any:
        entry = made(self, place)
        return entry if entry.value is not None else entry._replace(value={"text": "ghost"}, paths=False)

    swap(patch, StoreView._entry, kept)
    swap(patch, StoreView._seen, lambda self, candidates, accepts: _unchecked(self, candidates))


def _unchecked(self: StoreView, candidates: Any) -> Any:
    for place, score in candidates:
        document = self.workspace.get(*place)
        assert document is not None, "a deleted document was found"
        yield document, score


@mutant(other_ways_of_writing)
def only_puts_are_followed(patch: Patch) -> None:
    """What is not put through the store is not noticed."""
    swap(patch, Backlog.due, lambda self, **_: {})


@mutant(failures)
def failures_are_forgotten(patch: Patch) -> None:
    """What could not be embedded counts as done."""
    end = Backlog.end

    def forgetful(self: Backlog, share: Any, failed: Any = ()) -> None:
        share.done.update(failed)
        end(self, share)

    swap(patch, Backlog.end, forgetful)


@mutant(merged_values)
def what_a_put_said_is_forgotten(patch: Patch) -> None:
    """index= holds for the put's own text alone."""
    swap(patch, checked_index, lambda *_: None)


@mutant(histories)
def the_newest_state_is_not_read(patch: Patch) -> None:
    """The view is given what a document was when it was first looked at."""
    seen: dict[Any, Any] = {}
    made = StoreView._entry
    swap(patch, StoreView._entry, lambda self, place: seen.setdefault((id(self), place), made(self, place)))


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_view_is_noticed(name: str, monkeypatch: Patch) -> None:
    """The check of the promise that a mutant breaks fails under that mutant, and holds without it."""
    check, apply_patch = MUTANTS[name]
    passes(check)
    apply_patch(monkeypatch)
    with pytest.raises(AssertionError):
        check()
