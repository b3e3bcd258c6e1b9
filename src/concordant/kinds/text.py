"""``Text``: a text that many edit; words merge, two rewrites of the same words escalate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal

from concordant.causal import Stamp
from concordant.kinds.base import Contest, Field, Look, Option
from concordant.kinds.nodes import node_is_shown
from concordant.kinds.reducer import Reducer
from concordant.kinds.shape import check_items
from concordant.sequence.diff import Hunk, text_hunks
from concordant.sequence.edit import append, decide, splice
from concordant.sequence.layout import Layout, layout
from concordant.sequence.overlap import Overlap, analyse
from concordant.sequence.pieces import Piece, Sequence, run_of
from concordant.tree import Change, Path
from concordant.values import ABSENT, check_text, encode

__all__ = ["Text"]

_BODY = ""


@dataclass(frozen=True, slots=True)
class Text(Reducer):
    """A text: ``write`` appends on a new line, an edit is merged word by word (three ways: what was read, what it
    became, what others made of it). Words are never torn; equal rewrites count once; where two rewrote the same
    words differently, that range escalates.

    Args:
        separator: what stands between appended contributions.
        overlap: ``"merge"`` keeps both rewrites of the same words side by side instead of escalating.
        grow_only: whole lines that an edit changed are appended, nothing is removed.

    >>> Text(separator=" | ").separator
    ' | '
    >>> Text(separator=" | ")("read", "wrote")
    'read | wrote'
    """

    separator: str = "\n"
    overlap: Literal["escalate", "merge"] = "escalate"
    grow_only: bool = False

    name: ClassVar[str] = "text"

    def __call__(self, left: Any, right: Any) -> Any:
        for text in (left, right):
            if not isinstance(text, str):
                raise self._refused(text, "text")
        return f"{left}{self.separator}{right}" if left and right else left or right

    def contribute(self, change: Change, field: Field, path: Path, value: Any) -> None:
        place = (*path, _BODY)
        sequence = change.sequence(place)
        if not value:
            if not len(sequence):
                change.touch(path)
            return
        check_text(value, (field.name,))
        if not change.adding and _may_start_with(value, sequence, change, len(self.separator)):
            view = sequence.only(change.seen)
            read = layout(view, analyse(view, escalate=self.escalates), self.separator).content("")
            if read and value.startswith(read):
                rest = value[len(read) :]
                if rest and self.separator and rest.startswith(self.separator) and not read.endswith(self.separator):
                    change.set(place, append(sequence, change.stamp, change.next_run(), rest, line=True))
                elif rest:
                    self.edit(change, field, path, read, value)
                return
        grown = append(sequence, change.stamp, change.next_run(), self.separator + value, line=bool(self.separator))
        change.set(place, grown)

    def edit(self, change: Change, field: Field, path: Path, base: Any, value: Any) -> None:
        if base == value:
            return
        check_text(value, (field.name,))
        place = (*path, _BODY)
        sequence = change.sequence(place)
        if self.grow_only:
            for line in _changed_lines(base, value, self.separator or "\n"):
                sequence = append(sequence, change.stamp, change.next_run(), self.separator + line, line=True)
        else:
            sequence = splice(
                sequence,
                change.stamp,
                base,
                value,
                seen=change.seen,
                hunks_of=phrase_hunks,
                separator=self.separator,
                escalate=self.escalates,
                own=change.own,
            )
        if not sequence.is_alive():
            change.touch(path)  # nothing is left of it, but that it was written
        change.set(place, sequence if sequence.is_alive() else None)

    def check(self, field: Field, cell: Any) -> None:
        check_items(cell, str)

    def read(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        def shown(look: Look, cell: Any) -> Any:
            sequence = cell.get(_BODY)
            if sequence is None:
                return "" if look.entries(cell.get(None, ())) else ABSENT
            if look.included is not None:
                sequence = sequence.only(look.included)
                if not sequence.is_alive():
                    return "" if look.entries(cell.get(None, ())) else ABSENT
            analysis = sequence.analysed(self._analyse)
            for overlap in analysis.overlaps:
                look.contests.append(self._contest(overlap, field, path, public))
            visible = layout(sequence, analysis, self.separator)
            if sequence.overlapping and not self.escalates:
                return _spaced(sequence, visible)
            return visible.content("")

        if not node_is_shown(look, field, path, public, cell, shown):
            return ABSENT
        return shown(look, cell)

    def decide(self, change: Change, contest: Contest, value: Any) -> None:
        place = (*contest.place, _BODY)
        sequence = change.sequence(place)
        for overlap in analyse(sequence).overlaps:
            if anchor_text(overlap) == contest.anchor:
                content = "" if value is ABSENT else value
                change.set(place, decide(sequence, change.stamp, overlap, content))

    @property
    def escalates(self) -> bool:
        """Whether rewrites of the same words are contested."""
        return self.overlap == "escalate"

    def _analyse(self, sequence: Sequence) -> Any:
        return analyse(sequence, escalate=self.escalates)

    def _contest(self, overlap: Overlap, field: Field, path: Path, public: tuple[str, ...]) -> Contest:
        sides: dict[bytes, set[Stamp]] = {}
        for side in overlap.sides:
            sides.setdefault(encode(self._plain(side.shown)), set()).update(side.stamps)
        options = tuple(Option(text, tuple(sorted(stamps))) for text, stamps in sides.items())
        return Contest(public, path, "text", anchor_text(overlap), encode(self._plain(overlap.base)), options, field)

    def _plain(self, pieces: Iterable[Piece]) -> str:
        parts: list[str] = []
        for piece in pieces:
            content = piece.content
            assert isinstance(content, str)
            hidden = not parts and piece.line and piece.offset == 0 and content.startswith(self.separator)
            parts.append(content[len(self.separator) :] if hidden else content)
        return "".join(parts)


def phrase_hunks(base: str, new: str) -> list[Hunk]:
    """The word-level difference, where a run of three or more rewritten words is one rewrite.

    A paragraph written anew would otherwise be as many hunks as it has words, and a conflict about it as many
    escalations.
    """
    hunks: list[Hunk] = []
    run: list[Hunk] = []

    def flush() -> None:
        if len(run) > 2:
            content = run[0].content
            for before, after in pairwise(run):
                content += base[before.end : after.start] + after.content
            hunks.append(Hunk(run[0].start, run[-1].end, content))
        else:
            hunks.extend(run)
        run.clear()

    for hunk in text_hunks(base, new):
        rewrite = hunk.start < hunk.end and bool(hunk.content)
        gap = base[run[-1].end : hunk.start] if run else ""
        if not rewrite or (run and (not gap.isspace() or "\n" in gap)):
            flush()
        if rewrite:
            run.append(hunk)
        else:
            hunks.append(hunk)
    flush()
    return hunks


def _spaced(sequence: Sequence, visible: Layout) -> str:
    """The text, with a space between two rewrites of the same words that stand side by side."""
    parts: list[str] = []
    before: Piece | None = None
    for piece, content in zip(visible.pieces, visible.contents, strict=True):
        runs = [run_of(p) for p in (before, piece) if p is not None]
        if before is not None and runs[0] != runs[1] and all(run in sequence.strikes for run in runs):
            assert isinstance(before.content, str)
            if (before.content[-1:] + content[:1]).isalnum():
                parts.append(" ")
        parts.append(content)
        before = piece
    return "".join(parts)


def anchor_text(overlap: Overlap) -> str:
    """The identity of a contested range: its first character."""
    return ".".join(str(part) for part in overlap.anchor)


def _may_start_with(value: str, sequence: Sequence, change: Change, skip: int) -> bool:
    """A cheap look at the first visible piece, which spares most contributions the reading of the whole text."""
    for piece in sequence:
        if piece.live and not piece.struck and change.seen(piece.stamp):
            content = piece.content
            assert isinstance(content, str)
            first = content[skip:] if piece.line and piece.offset == 0 else content
            return value.startswith(first) or (bool(first) and content.startswith(value))
    return bool(sequence.strikes)


def _changed_lines(base: str, new: str, separator: str) -> list[str]:
    """The lines of ``new`` that a hunk touches with something added."""
    lines = new.split(separator)
    starts, at = [], 0
    for line in lines:
        starts.append(at)
        at += len(line) + len(separator)
    changed: dict[int, None] = {}
    drift = 0
    for hunk in text_hunks(base, new):
        start = hunk.start + drift
        end = start + len(hunk.content)
        drift += len(hunk.content) - (hunk.end - hunk.start)
        for number, line in enumerate(lines):
            if starts[number] < end and start < starts[number] + len(line):
                changed[number] = None
    return [lines[number] for number in sorted(changed) if lines[number]]
