"""What callers name: agents, namespaces, prefixes, keys. Whatever is no name is refused before it goes anywhere."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Any

from concordant.errors import ConcordantError, Fault, InvalidWriteError, told
from concordant.limits import MOST_NAME

__all__ = ["check_key", "check_name", "check_namespace", "checked_prefix", "is_text", "sound_name"]


def is_text(text: str) -> bool:
    """Tells whether a string is valid Unicode: it holds no half of a surrogate pair, which no database takes."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_name(name: Any, what: str, most: int = MOST_NAME) -> None:
    """Refuses what is no name.

    Args:
        what: what it is the name of, for the message: ``"an agent's name"``.
        most: how many bytes it may have.
    """
    if not isinstance(name, str) or not name or not is_text(name):
        raise ConcordantError(f"{what} is a non-empty string of valid Unicode, not {told(name)}")
    if len(name) * 4 > most and len(name.encode()) > most:
        length = len(name.encode())
        raise ConcordantError(f"{what} has at most {most:,} bytes (Limits.name), not {length:,}: {told(name)}")


@lru_cache(maxsize=1024)
def sound_name(name: str, most: int) -> str:
    """Tells what an agent is called whose name a framework made, of its nodes or roles: the same, or where nobody could
    give such a name, one that can be stored. What was too long ends with a digest, so that others stay others.

    Args:
        most: how many bytes it may have.

    >>> sound_name("planner", 1_000)
    'planner'
    >>> sound_name("planner/" * 6, 24)
    'planner/plann…8b080b07'
    """
    if len(name) * 4 <= most and is_text(name):
        return name
    given = name.encode(errors="backslashreplace")
    if len(given) <= most:
        return given.decode()
    end = ("…" + sha256(given).hexdigest()[:8]).encode()
    return (given[: max(most - len(end), 0)].decode(errors="ignore").encode() + end)[-most:].decode(errors="ignore")


_CALL = "The call for"


def check_namespace(namespace: Any) -> None:
    """Refuses what is no namespace, before anything is stored under a name that nobody finds again.

    Raises:
        InvalidWriteError: it is no tuple of names.
    """
    if not isinstance(namespace, tuple) or not namespace or not all(_is_name(part) for part in namespace):
        fault = Fault((), f"the namespace {told(namespace)} is no tuple of names", _mend(namespace))
        raise InvalidWriteError((told(namespace),), "", [fault], _CALL)


def check_key(namespace: tuple[str, ...], key: Any) -> None:
    """Refuses what is no key.

    Raises:
        InvalidWriteError: it is no string, or no valid Unicode.
    """
    if not isinstance(key, str):
        fault = Fault((), f"the key {told(key)} is a {type(key).__name__}", "Use a string")
        raise InvalidWriteError(namespace, told(key), [fault], _CALL)
    if not is_text(key):
        fault = Fault((), "the key is text that is no valid Unicode (a lone surrogate)", "Repair it")
        raise InvalidWriteError(namespace, told(key), [fault], _CALL)


def checked_prefix(prefix: Any) -> tuple[str, ...]:
    """Returns a prefix of namespaces; ``()`` is that of all.

    Raises:
        ConcordantError: it is no tuple of names; above all no string, whose letters would be taken for names.
    """
    parts = tuple(prefix) if isinstance(prefix, (tuple, list)) else None
    if parts is None or not all(isinstance(part, str) and is_text(part) for part in parts):
        raise ConcordantError(f"the namespace prefix {told(prefix)} is no tuple of names. {_mend(prefix)}")
    return parts


def _is_name(part: Any) -> bool:
    return isinstance(part, str) and part != "" and is_text(part)


def _mend(given: Any) -> str:
    example = (given,) if isinstance(given, str) and given and is_text(given) and len(given) < 100 else ("briefs",)
    return f"Write it as a tuple of non-empty strings, such as {example!r}"
