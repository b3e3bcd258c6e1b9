"""What is in a container, read key by key: after a change, at the keys that have changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from concordant.merge.kinds.base import Field, Look
from concordant.merge.registers import Path
from concordant.values import ABSENT

__all__ = ["gathered", "read_parts"]

P = TypeVar("P")


def gathered(
    look: Look,
    cell: Any,
    begin: Callable[[], tuple[P, Iterable[str | None]]],
    put: Callable[[P, str], bool],
    anew: Callable[[P], None],
) -> P:
    """Tells what a kind makes of all keys of the place under way: after a change, of those that have changed.

    Args:
        begin: makes it of some keys, or none, and tells the others.
        put: takes what stands at a key now; tells whether what was made of all is still right.
        anew: makes that of all keys again.
    """
    here = look.here
    if here is None or here.parts is None or here.changed is None:
        found, changed = begin()
    else:
        found, changed = here.parts, here.changed
    right = [put(found, key) for key in changed if key is not None]
    if not all(right):
        anew(found)
    if here is not None:
        here.parts = found
    return found


def read_parts(
    look: Look,
    path: Path,
    public: tuple[str, ...],
    cell: Any,
    keys: Callable[[], Iterable[str]],
    part_of: Callable[[str], tuple[str, Field] | None],
    *,
    by_field: bool = False,
    at_once: Callable[[], tuple[dict[str, Any], Iterable[str]] | None] = lambda: None,
) -> dict[str, Any]:
    """Returns the values in a container by name, as far as there are any.

    Args:
        at_once: where much of it can be read at once, gives the values by key, and the keys that are still to be read.
        by_field: whether the order of keys is that of a model's fields, not that in which they came.
        keys: gives the keys to read, in order.
        part_of: gives a key's name and field; ``None`` if it is not to be read.
    """
    here = look.here
    if here is None or here.parts is None or here.changed is None:
        parts = _read_whole(look, path, public, cell, keys, part_of, at_once())
        look.read_all(path, cell, parts)
    else:
        parts = here.parts.own()
        changed = [key for key in here.changed if key is not None]
        new = sum([_read_part(look, path, public, cell, key, part_of, parts) for key in changed])
        if new > (0 if by_field or look.sorts(path) else 1):
            parts.put_in_order([part[0] for part in map(part_of, keys()) if part is not None])
    return parts.present()


def _read_whole(
    look: Look,
    path: Path,
    public: tuple[str, ...],
    cell: Any,
    keys: Callable[[], Iterable[str]],
    part_of: Callable[[str], tuple[str, Field] | None],
    found: tuple[dict[str, Any], Iterable[str]] | None,
) -> _Parts:
    """The values in a container, of which some may have been found by key; then keys are names."""
    parts = _Parts() if found is None else _Parts(found[0])
    for key in keys() if found is None else found[1]:
        _read_part(look, path, public, cell, key, part_of, parts)
    if found is not None and look.sorts(path):
        parts.put_in_order(keys())
    return parts


class _Parts:
    """The values in a container by name, and the names at which there is none."""

    __slots__ = ("absent", "values")

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        self.values = {} if values is None else values
        self.absent: set[str] = set()

    def own(self) -> _Parts:
        """The same with a dict of its own: what was shown before stays as it was."""
        self.values = self.values.copy()
        return self

    def put(self, name: str, value: Any) -> bool:
        """Takes the value at a name; tells whether the name is new."""
        is_new = name not in self.values
        self.values[name] = value
        if value is ABSENT:
            self.absent.add(name)
        else:
            self.absent.discard(name)
        return is_new

    def drop(self, name: str) -> None:
        """Forgets a name."""
        self.values.pop(name, None)
        self.absent.discard(name)

    def put_in_order(self, names: Iterable[str]) -> None:
        """Puts the names in order."""
        self.values = {name: self.values[name] for name in names}

    def present(self) -> dict[str, Any]:
        """The values that there are."""
        if not self.absent:
            return self.values
        if len(self.absent) == len(self.values):
            return {}
        if 2 * len(self.absent) > len(self.values):
            return {name: value for name, value in self.values.items() if value is not ABSENT}
        found = self.values.copy()
        for name in self.absent:
            del found[name]
        return found


def _read_part(
    look: Look,
    path: Path,
    public: tuple[str, ...],
    cell: Any,
    key: str,
    part_of: Callable[[str], tuple[str, Field] | None],
    parts: _Parts,
) -> bool:
    """Reads one part of a container; tells whether it is new there."""
    part = part_of(key)
    if part is None:
        return False
    name, field = part
    if key not in cell:
        look.forget((*path, key))
        parts.drop(name)
        return False
    return parts.put(name, look.part(field, (*path, key), (*public, name), cell[key]))
