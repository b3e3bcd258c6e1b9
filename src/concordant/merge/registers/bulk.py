"""What one write gave of a container at once: parts that are made when somebody looks at them.

A write that gives 100,000 elements would make as many registers, each of them of one entry of its own. Hardly any of
them is ever looked at by itself: a reader wants all elements, and a writer those that it changes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, ItemsView, Iterable, Iterator, KeysView, ValuesView
from itertools import chain, count
from typing import Any

from concordant.merge.causality import Stamp

__all__ = ["Bulk", "GivenAtOnce"]

MOST_LOOKED_FOR = 16
"""How many places in a list are looked for one by one, until all are noted."""

_NOTHING: Any = object()


class GivenAtOnce:
    """What a write gave of a container at once, a list or dict of JSON values. It never changes.

    Args:
        stamp: of the write.
        field: how that merges.
        value: that.
        keys: of a list the keys in the container of what is in it.
        made: makes what stands in the container of a key, what was given for it, and of a list its place there.

    Attributes:
        keys: the keys in the container of what was given, in order.
        known: the same, for whoever asks for one.
    """

    __slots__ = ("_asked", "_made", "_places", "field", "keys", "known", "stamp", "value")

    def __init__(
        self, stamp: Stamp, field: Any, value: Any, keys: Iterable[str], made: Callable[[str, Any, int], Any]
    ) -> None:
        self.stamp = stamp
        self.field = field
        self.value = value
        self.keys: Any = value if isinstance(value, dict) else tuple(keys)
        self.known: Collection[str] = value if isinstance(value, dict) else frozenset(self.keys)
        self._made = made
        self._places: dict[str, int] | None = None
        self._asked = 0

    def by_key(self, value: Any) -> dict[str, Any]:
        """Returns by key what is in a list or dict that has the same parts as the one given."""
        return dict(value) if isinstance(value, dict) else dict(zip(self.keys, value, strict=True))

    def place(self, key: str) -> int:
        """Returns the place of a key in the list that was given. To look for one costs less than to note all of them;
        for a few that is done."""
        if self._places is None and self._asked < MOST_LOOKED_FOR:
            self._asked += 1
            return self.keys.index(key)  # type: ignore[no-any-return]
        return self.places()[key]

    def places(self) -> dict[str, int]:
        """Returns the places of all keys in the list that was given; nobody may change that."""
        if self._places is None:
            self._places = self.known = dict(zip(self.keys, count()))
        return self._places

    def made(self, key: str) -> Any:
        """Makes what stands at a key."""
        if self.keys is self.value:
            return self._made(key, self.value[key], 0)
        place = self.place(key)
        return self._made(key, self.value[place], place)


class Bulk(dict[str | None, Any]):
    """A container that one write filled, and what became of it since: for whoever looks at it the dict of all parts.

    What it holds as a dict are the parts that somebody has looked at, or changed. A part is made once, so that it
    stays the same object; readers may make parts side by side.

    Attributes:
        given: what the write gave.
    """

    __slots__ = ("_changed", "_gone", "_more", "given")

    def __init__(self, given: GivenAtOnce) -> None:
        super().__init__()
        self.given = given
        self._gone: dict[str, None] = {}
        self._changed: dict[str, None] = {}
        self._more: dict[str | None, None] = {}  # those that were not given, or came anew

    # -- what became of it -------------------------------------------------------------------------------------------

    @property
    def gone(self) -> Iterable[str]:
        """The keys given whose parts went."""
        return self._gone

    @property
    def changed(self) -> Iterable[str]:
        """The keys given whose parts are there, and may not be as they were given."""
        return self._changed

    @property
    def apart(self) -> list[str | None]:
        """The keys of all parts that are not as the write gave them, in order."""
        changed = self._changed
        return [*(key for key in self.given.keys if key in changed), *self._more] if changed else [*self._more]

    @property
    def has_rest(self) -> bool:
        """Whether any part given is as it was."""
        return len(self.given.known) > len(self._gone) + len(self._changed)

    def change(self, part: str | None) -> None:
        """Notes that what is in a part may be changed."""
        if self._is_given(part):
            self._changed[part] = None  # type: ignore[index]

    def begin(self, part: str) -> None:
        """Empties a part given, which keeps its place: what is in it follows."""
        if self._is_given(part):
            self._changed[part] = None
            dict.__setitem__(self, part, {})

    def twin(self, copied: Callable[[Any], Any], *, made: bool) -> Bulk:
        """Returns a container of its own with the same parts.

        Args:
            copied: copies a container in it.
            made: whether parts that were looked at stay the same objects; else those that were not changed are made
                anew when somebody looks at them.
        """
        twin = Bulk(self.given)
        twin._gone, twin._changed, twin._more = self._gone.copy(), self._changed.copy(), self._more.copy()
        for part in [*dict.keys(self)] if made else [*self._changed, *self._more]:
            node = dict.__getitem__(self, part)
            dict.__setitem__(twin, part, copied(node) if isinstance(node, dict) else node)
        return twin

    def _is_given(self, part: object) -> bool:
        """Whether a part that was given is there, changed or not."""
        return part in self.given.known and part not in self._gone

    # -- as a dict ---------------------------------------------------------------------------------------------------

    def __missing__(self, part: str | None) -> Any:
        if not self._is_given(part):
            raise KeyError(part)
        return dict.setdefault(self, part, self.given.made(part))  # type: ignore[arg-type]

    def __contains__(self, part: object) -> bool:
        return dict.__contains__(self, part) or self._is_given(part)

    def __len__(self) -> int:
        return len(self.given.known) - len(self._gone) + len(self._more)

    def __iter__(self) -> Iterator[str | None]:
        gone = self._gone
        given = [part for part in self.given.keys if part not in gone] if gone else self.given.keys
        return chain(given, [*self._more])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dict) and dict(self.items()) == dict(other.items())

    def __repr__(self) -> str:
        return f"Bulk({dict(self.items())!r})"

    def keys(self) -> Any:
        return KeysView(self)

    def values(self) -> Any:
        return ValuesView(self)

    def items(self) -> Any:
        return ItemsView(self)

    def get(self, part: Any, default: Any = None) -> Any:
        found = dict.get(self, part, _NOTHING)
        if found is not _NOTHING:
            return found
        return self[part] if self._is_given(part) else default

    def __setitem__(self, part: str | None, leaf: Any) -> None:
        if self._is_given(part):
            self._changed[part] = None  # type: ignore[index]
        else:
            self._more[part] = None
        dict.__setitem__(self, part, leaf)

    def __delitem__(self, part: str | None) -> None:
        if part not in self:
            raise KeyError(part)
        self.pop(part)

    def setdefault(self, part: str | None, default: Any = None) -> Any:
        if part not in self:
            self[part] = default
            return default
        self.change(part)
        return self[part]

    def pop(self, part: Any, *default: Any) -> Any:
        if part not in self:
            if default:
                return default[0]
            raise KeyError(part)
        found = self[part]
        dict.pop(self, part, None)
        if part in self._more:
            del self._more[part]
        else:
            self._changed.pop(part, None)
            self._gone[part] = None
        return found

    def copy(self) -> Any:
        raise NotImplementedError

    def clear(self) -> None:
        raise NotImplementedError

    def popitem(self) -> Any:
        raise NotImplementedError

    def update(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError
