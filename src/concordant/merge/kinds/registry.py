"""The kinds that there are, by the name that stands in the tags of what they store."""

from __future__ import annotations

from typing import TypeVar

from concordant.errors import ConcordantError, MisshapenError
from concordant.merge.kinds.base import Kind

__all__ = ["kind_called", "register"]

K = TypeVar("K", bound=type[Kind])

_kinds: dict[str, type[Kind]] = {}


def register(kind: K) -> K:
    """Makes a kind known, so that what it stored can be read where no model declares it. A decorator of its class.

    Args:
        kind: a subclass of ``Kind``; its ``name`` is in all that it stores, so it stays for ever.

    Returns:
        The kind.

    Raises:
        ConcordantError: another kind has that name, or it is none that a tag can hold.
    """
    name = getattr(kind, "name", "")
    if not isinstance(name, str) or not name.isidentifier():
        raise ConcordantError(f"{kind.__name__}.name is a word such as 'counter', not {name!r}")
    known = _kinds.setdefault(name, kind)
    if known is not kind and (known.__module__, known.__qualname__) != (kind.__module__, kind.__qualname__):
        raise ConcordantError(f"the name {name!r} of {kind.__name__} is that of {known.__name__} already")
    _kinds[name] = kind
    return kind


def kind_called(name: str) -> Kind:
    """Returns a kind by its name, to read what it has stored.

    Raises:
        MisshapenError: there is none.
    """
    found = _kinds.get(name)
    if found is None:
        raise MisshapenError(f"a field of an unknown kind, {name[:80]!r} (is the module imported that registers it?)")
    return found.as_stored()
