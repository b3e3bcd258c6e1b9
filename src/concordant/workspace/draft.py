"""An edit under way."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from concordant.schema import Compiled
from concordant.values import decode, encode
from concordant.workspace.scope import Document, Mark

__all__ = ["Draft"]


class Draft:
    """An edit under way: the object in the user's hands, and what it was when it was read."""

    __slots__ = ("base", "before", "key", "mark", "namespace", "object", "schema")

    def __init__(self, document: Document, schema: Compiled, base: dict[str, Any], mark: Mark) -> None:
        self.namespace, self.key = document
        self.schema = schema
        self.base = base
        self.mark = mark
        if schema.declared:
            # Of a copy: a model shares what it does not look into, and that is changed in place.
            self.object: Any = schema.build(decode(encode(base)))
            self.before: Any = schema.build(base) if schema.steady else _copied(self.object, schema, base)
        else:
            self.object = decode(encode(base))
            self.before = base

    def touched(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The fields of the model that may have changed: (before, after), as they would be written."""
        before = self.schema.values_of(self.before, self.before)
        after = self.schema.values_of(self.object, self.before)
        names = [name for name in after if name not in before or not _is_same(before[name], after[name])]
        return {name: before[name] for name in names if name in before}, {name: after[name] for name in names}


def _copied(document: Any, schema: Compiled, base: dict[str, Any]) -> Any:
    """What an edit begins with, defaults that were made for it included."""
    try:
        return deepcopy(document)
    except Exception:  # something in it, such as a lock, cannot be copied
        return schema.build(base)


def _is_same(one: Any, other: Any) -> bool:
    """Whether two values are surely the same; values that hold others are looked at more closely elsewhere."""
    return one is other or (type(one) is type(other) and isinstance(one, (str, int, float)) and one == other)
