"""What several inserted alike between the same neighbours: it counts once, and the first one's is shown."""

from __future__ import annotations

from collections.abc import Set
from typing import NamedTuple, TypeAlias

from concordant.merge.causality import Stamp, order_of
from concordant.merge.sequence.diff import common_runs
from concordant.merge.sequence.pieces import Piece, RunId, Sequence, is_opening
from concordant.merge.sequence.units import units

__all__ = ["Echoes", "Inserted", "Spans", "both", "echoes_of"]

Spans: TypeAlias = list[tuple[int, int]]
Echoes: TypeAlias = list[tuple[int, int, Stamp]]


class Inserted(NamedTuple):
    """A unit of an insertion, and where in its run it stands with the gap beside it."""

    unit: str
    run: RunId
    start: int
    end: int


def echoes_of(sequence: Sequence, unit: str, suspended: Set[RunId]) -> tuple[dict[RunId, Spans], dict[RunId, Echoes]]:
    """Finds what several inserted alike between the same neighbours.

    Args:
        unit: of the text; in lists nothing is the same.
        suspended: the strikes that do not count.

    Returns:
        the parts of runs (by offset) that are there already, in another insertion at their place; and the parts that
        others inserted as well, with their stamps.
    """
    doubled: dict[RunId, Spans] = {}
    echoes: dict[RunId, Echoes] = {}
    for runs in sequence.alike() if unit != "item" else ():
        if unit == "whole" and any(is_opening(parts[0]) for parts in runs.values()):
            continue  # each is a rewrite of nothing
        there: list[Inserted] = []  # the units shown
        wholes: dict[str, Inserted] = {}
        oldest_first = sorted(runs.items(), key=lambda item: (*order_of(item[1][0].stamp), item[0][2]))
        for run, parts in oldest_first:
            seen = _seen(sequence, parts, suspended)
            whole = _whole(run, parts, seen)
            known_whole = wholes.setdefault(whole.unit, whole)
            if known_whole is not whole and whole.unit:
                doubled.setdefault(run, []).append((whole.start, whole.end))
                echoes.setdefault(known_whole.run, []).append((known_whole.start, known_whole.end, parts[0].stamp))
                continue
            mine = _units_of(run, seen, "line" if unit == "line" else "sentence")
            again = both(there, mine)
            for shown, same in again:
                doubled.setdefault(run, []).append((same.start, same.end))
                echoes.setdefault(shown.run, []).append((shown.start, shown.end, parts[0].stamp))
            known = {same for _, same in again}
            there += [one for one in mine if one not in known]
    return doubled, echoes


def _seen(sequence: Sequence, parts: list[Piece], suspended: Set[RunId]) -> list[Piece]:
    strikes = sequence.strikes
    return [part for part in parts if not any(s in strikes and s not in suspended for s in part.struck)]


def _whole(run: RunId, parts: list[Piece], seen: list[Piece]) -> Inserted:
    """An insertion, if all of it is seen."""
    text = "".join([str(part.content) for part in seen])
    start = parts[0].offset
    is_whole = len(text) == parts[-1].offset + len(parts[-1].content) - start
    return Inserted(text if is_whole else "", run, start, start + len(text))


def _units_of(run: RunId, seen: list[Piece], unit: str) -> list[Inserted]:
    """The units of an insertion as far as they are seen, each with its offsets, the gap beside it included."""
    result: list[Inserted] = []
    for offset, text in _stretches(seen):
        spans = [*units(text, unit)]
        leads = bool(spans) and spans[0][0] > 0  # each unit with the gap before it, else with the one behind it
        for number, (start, end) in enumerate(spans):
            if leads:
                low, high = spans[number - 1][1] if number else 0, end
            else:
                low, high = start, spans[number + 1][0] if number + 1 < len(spans) else len(text)
            result.append(Inserted(text[start:end], run, low + offset, high + offset))
    return result


def _stretches(seen: list[Piece]) -> list[tuple[int, str]]:
    """The texts that are seen of a run without anything gone between, each with its offset, however they are cut."""
    found: list[tuple[int, str]] = []
    for part in seen:
        content = str(part.content)
        if found and found[-1][0] + len(found[-1][1]) == part.offset:
            offset, before = found.pop()
            found.append((offset, before + content))
        else:
            found.append((part.offset, content))
    return found


def both(there: list[Inserted], mine: list[Inserted]) -> list[tuple[Inserted, Inserted]]:
    """Returns the units that two insertions at one place have in common, as pairs."""
    pairs: list[tuple[Inserted, Inserted]] = []
    for i, j, length in common_runs([one.unit for one in there], [one.unit for one in mine]):
        if _count_once([one.unit for one in mine[j : j + length]], min(len(there), len(mine))):
            pairs += zip(there[i : i + length], mine[j : j + length], strict=True)
    return pairs


def _count_once(units: list[str], all_there_is: int) -> bool:
    """Whether units in a row that two inserted at one place, among others, are the same ones: if one of them inserted
    nothing else, or if they mean something by themselves, as an indented line or a bracket alone does not."""
    return len(units) == all_there_is or any(not u[0].isspace() and any(map(str.isalnum, u)) for u in units)
