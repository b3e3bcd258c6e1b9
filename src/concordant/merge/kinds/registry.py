"""The kinds that there are, by the name that stands in the tags of what they store."""

from __future__ import annotations

from typing import TypeVar

from concordant.errors import ConcordantError, MisshapenError
from concordant.merge.kinds.base import Kind

__all__ = ["is_registered", "kind_called", "register"]

K = TypeVar("K", bound=type[Kind])

NEEDED = ("contribute", "edit", "read", "check")

_kinds: dict[str, type[Kind]] = {}


def register(kind: K) -> K:
    """Makes a kind known, so that what it stored can be read where no model declares it. A decorator of its class.

    Args:
        kind: a subclass of ``Kind``; its ``name`` is in all that it stores, so it stays for ever.

    Returns:
        The kind.

    Raises:
        ConcordantError: another kind has that name, it is none that a tag can hold, or the kind lacks a method.
    """
    name = getattr(kind, "name", "")
    if not isinstance(name, str) or not name.isidentifier():
        raise ConcordantError(f"{kind.__name__}.name is a word such as 'counter', and a ClassVar, not {name!r}")
    known = _kinds.get(name, kind)
    if known is not kind and (known.__module__, known.__qualname__) != (kind.__module__, kind.__qualname__):
        raise ConcordantError(f"the name {name!r} of {kind.__name__} is that of {known.__name__} already")
    missing = [method for method in NEEDED if getattr(kind, method) is getattr(Kind, method)]
    if missing:
        raise ConcordantError(f"{kind.__name__} does not say {', '.join(missing)}: a kind has {', '.join(NEEDED)}")
    _kinds[name] = kind
    return kind


def is_registered(kind: Kind) -> bool:
    """Tells whether what a kind stores can be read where no model declares it."""
    return getattr(kind, "name", None) in _kinds


def kind_called(name: str) -> Kind:
    """Returns a kind by its name, to read what it has stored.

    Raises:
        MisshapenError: there is none.
    """
    found = _kinds.get(name)
    if found is None:
        raise MisshapenError(f"a field of an unknown kind, {name[:80]!r} (is the module imported that registers it?)")
    return found.as_stored()
