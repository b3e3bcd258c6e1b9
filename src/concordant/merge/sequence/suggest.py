"""The merge by words of what several made of one text, for a person to take or leave."""

from __future__ import annotations

from collections.abc import Sequence as Items
from functools import partial

from concordant.merge.causality import Stamp
from concordant.merge.sequence.edit import append, splice
from concordant.merge.sequence.layout import layout
from concordant.merge.sequence.overlap import Rules, analyse
from concordant.merge.sequence.pieces import Sequence
from concordant.merge.sequence.units import unit_hunks

__all__ = ["merged_by_words"]

_RULES = Rules("word")


def merged_by_words(base: str, sides: Items[str]) -> str | None:
    """Merges changes of one text word by word.

    Args:
        base: the text before.
        sides: what each writer made of it.

    Returns:
        The text with all changes, or ``None`` where two of them touch a common word.

    >>> merged_by_words("The fox jumps.", ["The red fox jumps.", "The fox jumps high."])
    'The red fox jumps high.'
    >>> merged_by_words("In May.", ["In June.", "In July."]) is None
    True
    """

    if not base or base.isspace():
        return None  # there are no words of which each could have changed its own

    def stamp(n: int) -> Stamp:
        return Stamp(float(n), "", n, "", str(n), "")

    merged = append(Sequence([], {}), stamp(1), 1, base)
    for n, side in enumerate(sides, 2):
        merged = splice(
            merged,
            stamp(n),
            base,
            side,
            unit_hunks(base, side, "word"),
            seen=lambda other: other.n == 1,
            rules=_RULES,
            drift_of=partial(unit_hunks, unit="word"),
        )
    analysis = analyse(merged, _RULES)
    if analysis.overlaps:
        return None
    shown: str = layout(merged, analysis, "", "word").content("")
    return shown
