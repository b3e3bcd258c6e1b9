"""What deletions keep, and the names that lead to places, while a write is in the making."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence as Items
from typing import Any

from concordant.merge.causality import Entry, Register
from concordant.merge.registers.leaf import Leaf, Path, parted
from concordant.merge.registers.tree import distinct

__all__ = ["Keeping", "NamesBelow"]

_NO_NAMES: Mapping[str | None, None] = {}
_NOTHING: Mapping[Path, Any] = {}


class NamesBelow:
    """The names below containers that lead to some places, in the order in which these came.

    Attributes:
        count: how many places have come.
    """

    def __init__(self) -> None:
        self.count = 0
        self._below: dict[Path, dict[str | None, None]] = {}

    def add_all(self, places: Items[Path]) -> None:
        """Takes more places."""
        self.count += len(places)
        for place in places:
            for depth in range(len(place) - 1, -1, -1):
                names = self._below.setdefault(place[:depth], {})
                if place[depth] in names:
                    break  # another place has led there
                names[place[depth]] = None

    def below(self, path: Path) -> Mapping[str | None, None]:
        """Returns the names below a container."""
        return self._below.get(path, _NO_NAMES)

    def places(self, path: Path) -> Iterator[Path]:
        """Iterates the places in a container."""
        ahead = [(*path, name) for name in self.below(path)]
        while ahead:
            place = ahead.pop()
            inner = self.below(place)
            ahead += [(*place, name) for name in inner]
            if not inner:
                yield place


class Keeping:
    """What the deletions in a container's register keep, in the making: of each place a leaf may be parted from it.

    Attributes:
        parts: what single deletions keep, by place; what several share once.
    """

    def __init__(self, register: Register) -> None:
        known = {id(covered): dict(covered) for covered in distinct(register)}
        self.parts: list[dict[Path, Any]] = [*known.values()]
        self._parts_of = [known.get(id(entry.covered)) for entry in register]
        self._register = register
        self._changed: set[int] = set()
        self._names: NamesBelow | None = None

    def part_from(self, below: Path, leaf: Leaf | None) -> Leaf | None:
        """Keeps of a leaf what was kept and is still there; returns the rest."""
        for parts in self.parts:
            kept = parts.get(below)
            if kept is not None:
                leaf, rest = parted(leaf, kept)
                if rest is None:
                    del parts[below]
                else:
                    parts[below] = rest
                self._changed.add(id(parts))
        return leaf

    def register(self) -> Register:
        """Returns the register, with what its deletions keep by now."""
        if self._changed:
            told = {one: tuple(parts.items()) for parts in self.parts if (one := id(parts)) in self._changed}
            pairs = zip(self._register, self._parts_of, strict=True)
            self._register = tuple(e._replace(covered=told[id(p)]) if id(p) in told else e for e, p in pairs)
            self._changed.clear()
        return self._register

    def marks(self) -> Iterator[tuple[Entry, Mapping[Path, Any]]]:
        """Iterates the entries of the register, each with what it keeps by now, by place."""
        return (
            (entry, _NOTHING if kept is None else kept)
            for entry, kept in zip(self._register, self._parts_of, strict=True)
        )

    def is_of(self, register: Register) -> bool:
        """Tells whether that is the register that was told last."""
        return self._register is register

    def names(self) -> NamesBelow:
        """Returns the names that lead to what is kept, or was kept until a leaf was parted from it."""
        if self._names is None:
            self._names = NamesBelow()
            for parts in self.parts:
                self._names.add_all([*parts])
        return self._names
