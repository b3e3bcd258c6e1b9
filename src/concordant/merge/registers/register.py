"""Registers: entries that no writer has replaced who had seen them, and what they say together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from concordant.merge.causality import Agreed, Entry, Register, Seen, SeenBy, Stamp, order_of
from concordant.values import JSON, Canon, canonical, same

__all__ = [
    "PRESENT",
    "agreed",
    "alternatives",
    "are_different",
    "confirmed",
    "known_of",
    "oldest_of_each_agent",
    "parted_by",
]

PRESENT: JSON = b"{}"
"""The value of an entry which says that a container exists."""

MOST_NAMED = 256
"""How many agents an entry names that said the same before its own; who came later is in the journal."""


def alternatives(register: Register, canon: Canon) -> list[list[Entry]]:
    """Returns the entries grouped by equal value; groups and entries in (time, dot) order of their oldest writes."""
    groups: dict[bytes | None, list[Entry]] = {}
    for entry in sorted(register, key=lambda entry: order_of(entry.stamps[0])):
        groups.setdefault(None if entry.value is None else canon(entry.value), []).append(entry)
    return list(groups.values())


def are_different(register: Register, canon: Canon = canonical) -> bool:
    """Tells whether a register holds different values."""
    if len(register) < 2:
        return False
    first, *others = {entry.value for entry in register}
    return not all(same(first, other, canon) for other in others)


def agreed(register: Register) -> Agreed | None:
    """Returns the newest of the values that the live entries carry from before they disagreed."""
    return max((entry.base for entry in register if entry.base), key=lambda base: base[:3], default=None)


def parted_by(register: Register, seen: SeenBy) -> tuple[list[Entry], Register]:
    """Returns the entries of a register that a writer has seen, and the rest."""
    mine = seen.among(register) if isinstance(seen, Seen) else [entry for entry in register if seen(entry.stamp)]
    if not mine:
        return mine, register
    known = set(map(id, mine))
    return mine, tuple([entry for entry in register if id(entry) not in known])


def known_of(entry: Entry, seen: SeenBy) -> Entry | None:
    """Returns an entry as a writer knows it: what it confirmed, or what it replaced, where the entry itself was not
    seen."""
    stamp = next((stamp for stamp in entry.stamps if seen(stamp)), None)
    if stamp is not None:
        return entry._replace(stamp=stamp, confirms=())
    base = entry.base
    if base is None or not base.replica:
        return None
    stamp = Stamp(base.time, base.replica, base.n, "", "", "")
    return Entry(stamp, base.value) if seen(stamp) else None


def confirmed(entries: Sequence[Entry]) -> tuple[Stamp, ...]:
    """Tells what an entry confirms that replaces these, which are equal to it."""
    if len(entries) == 1:
        known, last = entries[0].confirms, entries[0].stamp
        if len(known) >= MOST_NAMED or last.agent in [stamp.agent for stamp in known]:
            return known
        return (*known, last)
    return oldest_of_each_agent([stamp for entry in entries for stamp in entry.stamps])


def oldest_of_each_agent(stamps: Iterable[Stamp]) -> tuple[Stamp, ...]:
    """Returns the first of each agent's writes, in order, of the first agents."""
    oldest: dict[str, Stamp] = {}
    for stamp in sorted(stamps, key=order_of):
        oldest.setdefault(stamp.agent, stamp)
    return tuple(oldest.values())[:MOST_NAMED]
