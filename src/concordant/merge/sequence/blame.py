"""Who wrote which part of a text: word by word, also in a unit that others have rewritten since."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TypeAlias

from concordant.merge.causality import Stamp, order_of
from concordant.merge.sequence.layout import Layout
from concordant.merge.sequence.overlap import NOTHING, Analysis
from concordant.merge.sequence.pieces import Credit, Piece, RunId, Sequence, run_of
from concordant.merge.sequence.units import unit_hunks

__all__ = ["Told", "remembered", "spans"]

Credits: TypeAlias = list[tuple[Stamp, ...]]
"""For each character the writes that stand for it."""

Told: TypeAlias = dict[RunId, tuple[int, Credits]]
"""Who wrote what of the runs that a text has shown, each with a hash of what was written there and in its place
before."""

_NOTHING: tuple[int | None, Credits] = None, []


def spans(sequence: Sequence, analysis: Analysis, shown: Layout, told: Told) -> Iterator[tuple[str, tuple[Stamp, ...]]]:
    """Splits a text by who wrote it.

    A unit that somebody rewrote is compared, word by word, with what it replaced: the words that stayed are still
    those of who wrote them, as long as what was replaced is remembered.

    Args:
        told: of the same text as it was before, or nothing; becomes that of this one. So whoever asks again while a
            sentence grows letter by letter does not have all its earlier forms compared again.

    Returns:
        The parts of the text in order, each with the writes that stand for it, oldest first.
    """
    credits = _Credits(sequence, analysis, {} if sequence.overlapping else told)
    text: list[str] = []  # joined at the end of each part: to add to a text costs its length
    writers = None
    for piece, content, skip, gap in zip(shown.pieces, shown.contents, shown.skips, shown.gaps, strict=True):
        first = piece.offset + skip
        mine = credits.of(run_of(piece))[first : first + len(content) - gap]
        for character, stamps in zip(content, [*mine[:1] * gap, *mine], strict=True):
            if stamps != writers and writers is not None:
                yield "".join(text), writers
                text = []
            text.append(character)
            writers = stamps
    if writers is not None:
        yield "".join(text), writers
    if not sequence.overlapping:
        found = {run: (credits.written(run), credits.of(run)) for run in map(run_of, shown.pieces)}
        told.clear()
        told.update(found)


def remembered(pieces: Iterable[Piece], runs: Iterable[RunId]) -> dict[RunId, tuple[Credit, ...]]:
    """Tells who wrote what of some runs, for when what these have replaced is forgotten, or a part of them.

    Args:
        pieces: all of these runs, of what they have replaced, of what that has, and so on.
    """
    credits = _Credits(pieces, NOTHING, {})
    found: dict[RunId, tuple[Credit, ...]] = {}
    for run in runs:
        told: list[Credit] = []
        for at, stamps in enumerate(credits.of(run)):
            if told and told[-1][2] == stamps:
                told[-1] = (told[-1][0], at + 1, stamps)
            else:
                told.append((at, at + 1, stamps))
        found[run] = tuple(told)
    return found


class _Credits:
    def __init__(self, pieces: Iterable[Piece], analysis: Analysis, told: Told) -> None:
        self.analysis = analysis
        self.told = told
        self.parts: dict[RunId, list[Piece]] = {}
        self.replaced: dict[RunId, list[Piece]] = {}
        for piece in pieces:
            self.parts.setdefault(run_of(piece), []).append(piece)
            for run in piece.struck:
                self.replaced.setdefault(run, []).append(piece)
        self.known: dict[RunId, Credits] = {}
        self._hashes: dict[RunId, int] = {}

    def of(self, run: RunId) -> Credits:
        """The credits of a run's characters, by their offset."""
        for one in self._oldest_first(run, lambda one: one in self.known or self._is_told(one)):
            self.known[one] = self._own(one)
        return self.known[run]

    def written(self, run: RunId) -> int:
        """A hash of what a run is, of what it has replaced, of what that has, and so on: of these some may be
        forgotten, or come later from another store."""
        for one in self._oldest_first(run, self._hashes.__contains__):
            pieces = chain(self.parts[one], self.replaced.get(one, ()))
            own = tuple([(piece.stamp, piece.offset, piece.content, piece.credits) for piece in pieces])
            self._hashes[one] = hash((own, *map(self._hashes.get, self._below(one))))
        return self._hashes[run]

    def _below(self, run: RunId) -> list[RunId]:
        """What a run was put in the place of."""
        return sorted({run_of(piece) for piece in self.replaced.get(run, ())})

    def _oldest_first(self, run: RunId, is_known: Callable[[RunId], bool]) -> Iterator[RunId]:
        """A run after what it was put in the place of, that after what it was, and so on, but for what is known and
        what is below that. Of runs that replaced each other, as they may in a frame that was made up, one comes
        first."""
        waiting, entered, done = [run], set[RunId](), set[RunId]()
        while waiting:  # a chain of rewrites may be long
            top = waiting[-1]
            if top not in entered and not is_known(top):
                entered.add(top)
                waiting += [one for one in self._below(top) if one not in entered]
                continue
            waiting.pop()
            if top in entered and top not in done:
                done.add(top)
                yield top

    def _is_told(self, run: RunId) -> bool:
        """Takes over what was told of a run, if it is the same still."""
        written, credits = self.told.get(run, _NOTHING)
        if written is None or written != self.written(run):
            return False
        self.known[run] = credits
        return True

    def _own(self, run: RunId) -> Credits:
        parts = self.parts[run]
        also = self.analysis.also.get(run, ())
        stamps = _in_order((parts[0].stamp, *also))
        length = max(piece.offset + len(piece.content) for piece in parts)
        credits: Credits = [stamps] * length
        for start, end, whose in parts[0].credits:
            credits[start:end] = [_in_order((*whose, *also))] * (min(end, length) - start)
        # In a frame that was made up runs may have replaced each other: of one of them that is not known yet.
        before = [piece for piece in self.replaced.get(run, ()) if run_of(piece) in self.known]
        if before and not parts[0].credits:
            old = "".join(str(piece.content) for piece in before)
            known = [w for p in before for w in self.known[run_of(p)][p.offset : p.offset + len(p.content)]]
            new = [" "] * length  # of what is forgotten nobody asks
            for piece in parts:
                new[piece.offset : piece.offset + len(piece.content)] = str(piece.content)
            at = there = 0
            for hunk in unit_hunks(old, "".join(new), "word"):
                kept = hunk.start - at
                credits[there : there + kept] = known[at : hunk.start]
                at, there = hunk.end, there + kept + len(hunk.content)
            credits[there:] = known[at:]
        for start, end, stamp in self.analysis.echoes.get(run, ()):
            credits[start:end] = [_in_order((*stamps, stamp)) for stamps in credits[start:end]]
        return credits


def _in_order(stamps: Iterable[Stamp]) -> tuple[Stamp, ...]:
    return tuple(sorted(dict.fromkeys(stamps), key=order_of))
