"""What one write gave of a container at once: parts that are made when somebody looks at them.

A write that gives 100,000 elements would make as many registers, each of them of one entry of its own. Hardly any of
them is ever looked at by itself: a reader wants all elements, and a writer those that it changes.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from itertools import chain, count
from typing import Any

from concordant.merge.causality import Stamp

__all__ = ["Bulk", "GivenAtOnce"]

_NOTHING: Any = object()


class GivenAtOnce:
    """What a write gave of a container at once, a list or dict of JSON values. It never changes.

    Args:
        stamp: of the write.
        field: how that merges.
        value: that.
        keys: of a list the keys in the container of what is in it, no two of them equal.
        made: makes what stands in the container of a key, what was given for it, and of a list its place there.

    Attributes:
        parts: by key in the container what was given, of a list its place there; in order.
    """

    __slots__ = ("_made", "field", "parts", "stamp", "value")

    def __init__(
        self, stamp: Stamp, field: Any, value: Any, keys: Iterable[str], made: Callable[[str, Any, int], Any]
    ) -> None:
        self.stamp = stamp
        self.field = field
        self.value = value
        self.parts: Mapping[str, Any] = value if isinstance(value, dict) else dict(zip(keys, count()))
        self._made = made

    def by_key(self, value: Any) -> dict[str, Any]:
        """Returns by key what is in a list or dict that has the same parts as the one given."""
        return dict(value) if isinstance(value, dict) else dict(zip(self.parts, value, strict=True))

    def made(self, key: str) -> Any:
        """Makes what stands at a key."""
        part = self.parts[key]
        if self.parts is self.value:
            return self._made(key, part, 0)
        return self._made(key, self.value[part], part)


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
        return [*(key for key in self.given.parts if key in changed), *self._more] if changed else [*self._more]

    @property
    def has_rest(self) -> bool:
        """Whether any part given is as it was."""
        return len(self.given.parts) > len(self._gone) + len(self._changed)

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
        return part in self.given.parts and part not in self._gone

    # -- as a dict ---------------------------------------------------------------------------------------------------

    def __missing__(self, part: str | None) -> Any:
        if not self._is_given(part):
            raise KeyError(part)
        return dict.setdefault(self, part, self.given.made(part))  # type: ignore[arg-type]

    def __contains__(self, part: object) -> bool:
        return dict.__contains__(self, part) or self._is_given(part)

    def __len__(self) -> int:
        return len(self.given.parts) - len(self._gone) + len(self._more)

    def __iter__(self) -> Iterator[str | None]:
        gone = self._gone
        given = [part for part in self.given.parts if part not in gone] if gone else self.given.parts
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
