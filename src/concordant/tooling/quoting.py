"""How names, keys and values stand in a text for a model: as JSON on one line, so that none can pose as more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

__all__ = ["LONGEST", "dotted", "is_short", "on_one_line", "quoted", "shortened"]

LONGEST = 400
"""Characters of a value in a message, beyond which it is cut; a read gives values whole."""

_is_plain = re.compile(r"[\w-]+", re.ASCII).fullmatch


def quoted(value: Any) -> str:
    """Returns a value as JSON; what breaks lines, or does not show, is escaped."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = json.dumps(repr(value), ensure_ascii=False)
    return on_one_line(text)


def on_one_line(text: str) -> str:
    """Returns a text with what breaks lines, or does not show, escaped."""
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return json.dumps(character)[1:-1] if ord(character) != 0x7F else "\\u007f"


def shortened(value: Any, longest: int = LONGEST) -> str:
    """Returns the same, cut where it is long."""
    text = quoted(value)
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text)} characters)"


def is_short(value: Any) -> bool:
    """Tells whether nothing of a value is cut."""
    return len(quoted(value)) <= LONGEST


def dotted(path: Iterable[Any], whole: str) -> str:
    """Returns a path in a document, ``whole`` where it is empty; names that are no plain words are quoted."""
    return ".".join(text if _is_plain(text := str(part)) else quoted(text) for part in path) or whole
