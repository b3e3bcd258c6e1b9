"""``Text``: a text that many edit; changes of different units merge, two changes of one unit escalate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, ClassVar, Literal

from concordant.merge.causality import Stamp
from concordant.merge.kinds.base import Contest, Declaration, Field, Holds, Look
from concordant.merge.kinds.nodes import node_value
from concordant.merge.kinds.reducer import Reducer
from concordant.merge.kinds.registry import register
from concordant.merge.kinds.shape import check_items
from concordant.merge.kinds.weighing import Option
from concordant.merge.registers import Change, Path
from concordant.merge.sequence.aside import as_it_stood
from concordant.merge.sequence.carried import carried
from concordant.merge.sequence.diff import Hunk
from concordant.merge.sequence.edit import append, decide, splice
from concordant.merge.sequence.layout import layout, text_of
from concordant.merge.sequence.overlap import Overlap, Rules, analyse
from concordant.merge.sequence.pieces import START, Piece, Sequence
from concordant.merge.sequence.units import UnitName, gap_at_end, gap_at_start, unit_hunks
from concordant.values import ABSENT, check_text, encode

__all__ = ["Text"]

_BODY = ""


@register
@dataclass(frozen=True, slots=True)
class Text(Reducer):
    """A text: ``write`` appends on a new line, an edit is merged unit by unit (three ways: what was read, what it
    became, what others made of it). Equal changes count once; two different changes of one unit escalate, with the
    whole unit as each writer left it. No unit is ever shown that nobody wrote.

    Args:
        separator: what stands between appended contributions.
        unit: what two writers may not change differently. ``"sentence"`` (ends at a line break, or after ``. ! ? …``
            before white space), for prose; ``"line"``, for code, lists and configuration; ``"word"``, where a sentence
            that nobody wrote does no harm; ``"whole"``, for a text that makes sense only as one.
        overlap: ``"merge"`` keeps all changes of one unit, one after the other, instead of escalating.
        provisional: what is shown of a contested unit: ``"agreed"``, the text that all had read, or ``"all"`` sides of
            it one after the other.
        grow_only: whole lines that an edit changed are appended, nothing is removed.

    >>> Text(separator=" | ").separator
    ' | '
    >>> Text(separator=" | ")("read", "wrote")
    'read | wrote'
    """

    separator: str = "\n"
    unit: UnitName = "sentence"
    overlap: Literal["escalate", "merge"] = "escalate"
    provisional: Literal["agreed", "all"] = "agreed"
    grow_only: bool = False

    name: ClassVar[str] = "text"
    holds: ClassVar[Holds] = "text"
    natural: ClassVar[type[Any] | None] = str
    adds_up: ClassVar[bool] = True
    merges_default: ClassVar[bool] = True
    shaped: ClassVar[tuple[str, ...]] = ("separator",)

    def __call__(self, left: Any, right: Any) -> Any:
        for text in (left, right):
            if not isinstance(text, str):
                raise self._refused(text, "text")
        return f"{left}{self.separator}{right}" if left and right else left or right

    def declared(self, at: Declaration) -> Field | None:
        if at.annotation is not str:
            at.misfit(f"Text() takes str; what fits: {at.hint()}")
            return None
        if self.overlap not in ("escalate", "merge"):
            at.refuse(f"unknown overlap={self.overlap!r}", 'Use "escalate" or "merge"')
        separator: Any = self.separator
        if not isinstance(separator, str):
            at.refuse(f"separator={separator!r} is no text", "Give a string")
        return Field(at.name, self, self.tag(), checked=at.checked)

    def contribute(self, change: Change, field: Field, path: Path, value: Any) -> None:
        place = (*path, _BODY)
        sequence = change.sequence(place)
        if not value:
            if not len(sequence):
                change.touch(path)
            return
        if change.editing and self.unit == "whole" and not self.grow_only:
            self.edit(change, field, path, "", value)
            return
        check_text(value, (field.name,))
        if not change.adding and sequence.may_open_with(change.seen, partial(self._may_open, value)):
            read = self._shown(as_it_stood(sequence, sequence.shown_to(change.seen), change.seen))
            if read and value.startswith(read):
                rest = value[len(read) :]
                if rest and self.separator and rest.startswith(self.separator) and not read.endswith(self.separator):
                    change.set(place, append(sequence, change.stamp, change.next_run(), rest, line=True))
                elif rest:
                    self.edit(change, field, path, read, value)
                return
        change.set(place, self._grown(change, sequence, value))

    def _grown(self, change: Change, sequence: Sequence, value: str) -> Sequence:
        """A text with one more contribution; of who has read that there is none it is all that is there."""
        beside = START if change.editing and not self.grow_only else None
        content, line = self.separator + value, bool(self.separator)
        return append(sequence, change.stamp, change.next_run(), content, line=line, beside=beside)

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
            done = change.places.get(path, ())
            sequence = splice(
                sequence,
                change.stamp,
                base,
                value,
                unit_hunks(base, value, self.unit, done),
                seen=change.seen,
                rules=self.rules,
                drift_of=self._drift,
                separator=self.separator,
                own=change.own,
                onto=partial(self._carried, base, done) if done else None,
            )
        if not sequence.is_alive():
            change.touch(path)  # nothing is left of it, but that it was written
        change.set(place, sequence if sequence.is_alive() else None)

    def check(self, field: Field, cell: Any) -> None:
        check_items(cell, str)

    def foreseen(self, field: Field, shown: Any, base: Any, new: Any) -> Any:
        begins = self.separator and new.startswith(self.separator)  # then the merge drops it
        return new if base == shown and not begins else ABSENT

    def read(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        def shown(look: Look, cell: Any) -> Any:
            sequence = cell.get(_BODY)
            if sequence is None:
                return "" if look.entries(cell.get(None, ())) else ABSENT
            if look.included is not None:
                sequence = sequence.only(look.included)
                if not sequence.is_alive():
                    return "" if look.entries(cell.get(None, ())) else ABSENT
            analysis = sequence.analysed(self.rules, analyse)
            for overlap in analysis.overlaps:
                look.contests.append(self._contest(overlap, field, path, public))
            return layout(sequence, analysis, self.separator, self.unit).content("")

        return node_value(look, field, path, public, cell, shown)

    def decide(self, change: Change, contest: Contest, value: Any) -> None:
        place = (*contest.place, _BODY)
        sequence = change.sequence(place)
        for overlap in analyse(sequence, self.rules).overlaps:
            if anchor_text(overlap) == contest.anchor:
                content = "" if value is ABSENT else value
                change.set(place, decide(sequence, change.stamp, overlap, content, self.separator))

    def _drift(self, base: str, shown: str) -> list[Hunk]:
        """How a text differs from what was shown: word by word, where whole units are not the same."""
        return [
            Hunk(start + hunk.start, start + hunk.end, hunk.content)
            for start, end, content in unit_hunks(base, shown, self.unit)
            for hunk in unit_hunks(base[start:end], content, "word")
        ]

    def _may_open(self, value: str, piece: Piece) -> bool | None:
        content = piece.content
        assert isinstance(content, str)
        first = content[len(self.separator) :] if piece.line and piece.offset == 0 else content
        return value.startswith(first) or content.startswith(value) if first else None

    def _carried(self, base: str, done: Iterable[Hunk], shown: str, settled: bool) -> tuple[str, str, list[Hunk]]:
        base, new, done = carried(base, [*done], shown, settled=settled)
        return base, new, unit_hunks(base, new, self.unit, done)

    @property
    def rules(self) -> Rules:
        """How changes of a text of this kind are weighed against each other."""
        return _rules(self.unit, self.overlap == "escalate", self.provisional == "all", self.separator)

    def _shown(self, sequence: Sequence) -> str:
        analysis = sequence.analysed(self.rules, analyse)
        shown: str = layout(sequence, analysis, self.separator, self.unit).content("")
        return shown

    def _contest(self, overlap: Overlap, field: Field, path: Path, public: tuple[str, ...]) -> Contest:
        sides: dict[bytes, set[Stamp]] = {}
        for side in overlap.sides:
            sides.setdefault(encode(self._plain(side.shown, overlap)), set()).update(side.stamps)
        options = tuple(Option(text, tuple(sorted(stamps))) for text, stamps in sides.items())
        base = encode(self._plain(overlap.base, overlap))
        return Contest(public, path, "text", anchor_text(overlap), base, options, field)

    def _plain(self, pieces: Iterable[Piece], overlap: Overlap) -> str:
        """The text of a range, without the gaps around it."""
        text = text_of(pieces, self.separator, self.unit)
        text = text[gap_at_start(text, after_break=not overlap.inline) :]
        return text[: len(text) - gap_at_end(text)]


_rules = lru_cache(Rules)


def anchor_text(overlap: Overlap) -> str:
    """Returns the identity of a contested range: its first character."""
    return ".".join(str(part) for part in overlap.anchor)


def _changed_lines(base: str, new: str, separator: str) -> list[str]:
    """The lines of ``new`` that a hunk touches with something added."""
    lines = new.split(separator)
    starts, at = [], 0
    for line in lines:
        starts.append(at)
        at += len(line) + len(separator)
    changed: dict[int, None] = {}
    drift = 0
    for hunk in unit_hunks(base, new, "word"):
        start = hunk.start + drift
        end = start + len(hunk.content)
        drift += len(hunk.content) - (hunk.end - hunk.start)
        for number, line in enumerate(lines):
            if starts[number] < end and start < starts[number] + len(line):
                changed[number] = None
    return [lines[number] for number in sorted(changed) if lines[number]]
