"""What was deleted, or stands again, and nobody else has touched since: it stands to the letter as it stood before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from itertools import count
from typing import NamedTuple, Protocol

from concordant.merge.causality import Agreed, Entry, Register, SeenBy, Stamp, order_of
from concordant.merge.record.past import Identity, author_of, identity_of
from concordant.merge.registers import Change, Leaf, Path, leaf_at, leaves
from concordant.merge.registers.leaf import as_register, as_sequence, is_sequence, stamps_of
from concordant.merge.sequence.order import united
from concordant.merge.sequence.overlap import Rules
from concordant.merge.sequence.pieces import RunId, Sequence, run_of
from concordant.merge.sequence.undo import reinstated

__all__ = ["Reinstating", "kept_in", "part_of", "runs_of"]


class Again(Protocol):
    """Gives an entry that does not stand any more a dot of the write that puts it back."""

    def __call__(self, path: Path, entry: Entry, *, under: tuple[Path, int]) -> Entry: ...


class _Text(NamedTuple):
    """A text or list, with what deletions keep of it.

    Attributes:
        made: all of it.
        origins: of runs and strikes that were made again which these are.
        shown: the runs and strikes that are live.
    """

    made: Sequence | None
    origins: Mapping[RunId, RunId]
    shown: set[RunId]

    def part(self, leaf: Leaf | None) -> Sequence | None:
        """The part that is what stood in a leaf; without one what is live."""
        if self.made is None:
            return None
        runs = self.shown | self.made.marks() | self.made.seals() if leaf is None else runs_of([leaf])
        made = part_of(self.made, {run for run in runs_of([self.made]) if self.origins.get(run, run) in runs})
        return made if made.is_alive() else None


class Reinstating:
    """Has places of a record stand as they stood, whether live or kept by deletions.

    What stands now where it stood keeps its dot. What a deletion keeps and was live gets a new one, for its own is
    known elsewhere as gone from there; and so does a deletion that is to keep more than it does now. What one write
    wrote has one dot wherever deletions keep a part of it: by that it is told which writes they had not seen.

    Args:
        part: where all of these places are.
        change: of the write that puts it back.
        gone: which writes are taken back.
        again: gives entries new dots.
        rules: tells how changes of the text or list at a place are weighed.
    """

    def __init__(self, part: Path, change: Change, gone: SeenBy, again: Again, rules: Callable[[Path], Rules]) -> None:
        self.part = part
        self.change = change
        self.gone = gone
        self.again = again
        self.rules = rules
        self._live: dict[Path, Leaf | None] = {}
        self._kept: dict[Path, list[Leaf]] = {}
        self._made: dict[tuple[object, ...], Entry] = {}
        self._texts: dict[Path, _Text] = {}
        self._moved: set[Stamp] = set()
        self._numbers: dict[Stamp, int] = {}

    def run(self, found: Mapping[Path, Leaf | None]) -> None:
        """Collects the change.

        Args:
            found: what stood at each place.
        """
        then = kept_in(found)
        self._live = {path: self.change.live(path) for path in {**found, **then}}
        self._kept = kept_in({path: self._live[path] for path in found})
        self._moved = self._to_be_moved(found, then)
        found = {**found, **self._moved_with(found)}
        self._number(found, then)
        for path in {**found, **then}:
            live = found[path] if path in found else self._live[path]
            if any(map(is_sequence, (live, *then.get(path, ())))):
                self._texts[path] = self._text(path, live, then.get(path, []))
        for path, leaf in found.items():
            if path in self._texts:
                made: Leaf | None = self._texts[path].part(None)
            else:
                made = self._register(path, as_register(leaf), kept=False)
            self.change.covering = self.change.covering or any(entry.covered for entry in as_register(made))
            self.change.after[path] = made

    # -- dots ------------------------------------------------------------------------------------------------------

    def _to_be_moved(self, found: Mapping[Path, Leaf | None], then: Mapping[Path, list[Leaf]]) -> set[Stamp]:
        """The writes of which a deletion kept a part, and which do not stand under one dot wherever they stood."""
        kept = {entry.stamp for _, entry in _entries(then)}
        now: dict[Stamp, set[Stamp | None]] = {}
        for entries, is_kept in ((_entries_at(found), False), (_entries(then), True)):
            for path, entry in entries:
                if entry.stamp in kept:
                    twin = self._twin(path, entry, kept=is_kept)
                    now.setdefault(entry.stamp, set()).add(None if twin is None else twin.stamp)
        return {stamp for stamp, twins in now.items() if len(twins) > 1 or None in twins}

    def _moved_with(self, found: Mapping[Path, Leaf | None]) -> dict[Path, Leaf]:
        """What nobody has touched of the same writes."""
        cell = leaf_at(self.change.tree, self.part) if self._moved and self.part else self.change.tree
        inside = leaves(cell, self.part) if self._moved and isinstance(cell, dict) else ()
        return {
            path: leaf
            for path, leaf in inside
            if path not in found and path[-1] is not None and any(e.stamp in self._moved for e in as_register(leaf))
        }

    def _number(self, found: Mapping[Path, Leaf | None], then: Mapping[Path, list[Leaf]]) -> None:
        """Numbers the dots under which each write may stand again: two at one place have different ones."""
        places: dict[Stamp, dict[object, None]] = {}
        for path, entry in (*_entries_at(found), *_entries(then)):
            places.setdefault(entry.stamp, {_identity(entry.stamp): None})[path] = None
        taken: dict[object, set[int]] = {}
        texts, own = _of_texts(found)
        for stamp, there in places.items():
            known = set[int]().union(*(taken.get(place, ()) for place in there))
            known |= {0} if _identity(stamp) in own and stamp not in texts else set()
            number = self._numbers[stamp] = next(n for n in count() if n not in known)
            for place in there:
                taken.setdefault(place, set()).add(number)

    # -- what stands -----------------------------------------------------------------------------------------------

    def _text(self, path: Path, live: Leaf | None, kept: list[Leaf]) -> _Text:
        """A text or list, made of what stands of it now."""
        change = self.change
        standing, hidden = _sequences([self._live[path]]), _sequences(self._kept.get(path, ()))
        now, then = _united([*standing, *hidden]), _united(_sequences([live, *kept]))
        shown = runs_of([live])
        now = part_of(now, runs_of(standing) | (runs_of(hidden) - shown))
        made, origins = reinstated(now, change.stamp, then, self.gone, self.rules(path), change.next_run)
        return _Text(made, origins, shown)

    def _register(self, path: Path, then: Register, *, kept: bool) -> Register:
        made = [self._entry(path, entry, kept=kept) for entry in then]
        return tuple(sorted(made, key=lambda entry: order_of(entry.stamp)))

    def _entry(self, path: Path, entry: Entry, *, kept: bool) -> Entry:
        known = (path, kept, identity_of(entry))
        if known not in self._made:
            self._made[known] = self._entry_of(path, entry, kept=kept)
        return self._made[known]

    def _entry_of(self, path: Path, entry: Entry, *, kept: bool) -> Entry:
        twin = None if entry.stamp in self._moved else self._twin(path, entry, kept=kept)
        if not entry.covered:
            return twin._replace(covered=()) if twin is not None else self._again(path, entry)
        parts = ((below, self._part((*path[:-1], *below), leaf)) for below, leaf in entry.covered)  # type: ignore[arg-type]
        covered = tuple((below, leaf) for below, leaf in parts if leaf)
        if twin is None or not _is_within(covered, dict(twin.covered)):
            twin = self._again(path, entry)
        return twin._replace(covered=covered)

    def _twin(self, path: Path, entry: Entry, *, kept: bool) -> Entry | None:
        """What stands of an entry, under whatever dot."""
        here = [self._live.get(path), *(self._kept.get(path, ()) if kept else ())]
        return next((one for leaf in here for one in as_register(leaf) if _says_the_same(one, entry)), None)

    def _again(self, path: Path, entry: Entry) -> Entry:
        return self.again(path, entry, under=(self.part, self._numbers[entry.stamp]))

    def _part(self, path: Path, leaf: Leaf) -> Leaf | None:
        """What a deletion keeps of a place."""
        if not is_sequence(leaf):
            return self._register(path, as_register(leaf), kept=True)
        return self._texts[path].part(leaf)


def _of_texts(found: Mapping[Path, Leaf | None]) -> tuple[set[Stamp], set[Identity]]:
    """Whose parts of texts stand among some leaves: what stands again of one has the write's own dot."""
    texts = {stamp for one in _sequences(found.values()) for stamp in one.stamps()}
    return texts, set(map(_identity, texts))


def _entries_at(found: Mapping[Path, Leaf | None]) -> Iterator[tuple[Path, Entry]]:
    return _entries({path: [leaf] for path, leaf in found.items()})


def _entries(found: Mapping[Path, Iterable[Leaf | None]]) -> Iterator[tuple[Path, Entry]]:
    """The entries of all registers among some leaves, with their places."""
    return ((path, entry) for path, there in found.items() for leaf in there for entry in as_register(leaf))


def _sequences(leaves: Iterable[Leaf | None]) -> list[Sequence]:
    return [as_sequence(leaf) for leaf in leaves if is_sequence(leaf)]


def _united(parts: list[Sequence]) -> Sequence:
    return reduce(united, parts) if parts else Sequence([], {})


def runs_of(leaves: Iterable[Leaf | None]) -> set[RunId]:
    """Returns the runs and strikes that stand in texts."""
    parts = _sequences(leaves)
    live = {run_of(piece) for one in parts for piece in one if piece.live}
    return live.union(*(one.strikes for one in parts))


def part_of(sequence: Sequence, runs: set[RunId]) -> Sequence:
    """Returns a text or list with some runs and strikes alone; the others stay as what these are anchored in."""
    pieces = [piece if run_of(piece) in runs else piece._replace(live=False) for piece in sequence]
    strikes = {run: strike for run, strike in sequence.strikes.items() if run in runs}
    return Sequence(pieces, strikes, sequence.newest_root)


def kept_in(leaves: Mapping[Path, Leaf | None]) -> dict[Path, list[Leaf]]:
    """Tells what the deletions among some leaves keep, by place."""
    kept: dict[Path, list[Leaf]] = {}
    waiting = [*leaves.items()]
    while waiting:
        path, leaf = waiting.pop()
        for entry in as_register(leaf) if path[-1] is None else ():
            for below, part in entry.covered:
                place = (*path[:-1], *below)
                kept.setdefault(place, []).append(part)  # type: ignore[arg-type]
                waiting.append((place, part))  # type: ignore[arg-type]
    return kept


def _says_the_same(one: Entry, other: Entry) -> bool:
    """Whether two entries are one, under whatever dots."""
    if author_of(one) != author_of(other) or one.place != other.place:
        return False
    return _told(one.base) == _told(other.base) and _supporters(one) == _supporters(other)


def _told(base: Agreed | None) -> tuple[object, ...]:
    return (base.time, base.value) if base is not None else ()


def _supporters(entry: Entry) -> set[Identity]:
    return set(map(_identity, entry.stamps))


def _identity(stamp: Stamp) -> Identity:
    return (stamp.time, stamp.agent)


def _is_within(covered: tuple[tuple[Path, Leaf], ...], other: Mapping[Path, object]) -> bool:
    """Whether a deletion keeps no more than another."""
    return all(
        below in other and set(stamps_of(leaf)) <= set(stamps_of(other[below]))  # type: ignore[arg-type]
        for below, leaf in covered
    )
