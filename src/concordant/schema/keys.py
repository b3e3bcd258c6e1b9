"""Keys of a map that are no plain text: numbers, members of an enum, literals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any

from pydantic import TypeAdapter

from concordant.errors import Fault
from concordant.schema.annotations import adapter_of, members_of
from concordant.schema.equality import LENIENT, is_uuid
from concordant.values import Unstorable, check_exponents, decode

__all__ = ["Keys", "is_key_type"]

_TYPES = (str, int, date)


def is_key_type(annotation: Any) -> bool:
    """Whether values of a type can be keys: equal ones have the same text, and different ones do not."""
    members = members_of(annotation)
    if len({_sort(member) for member in members}) != 1:
        return False
    return all(
        isinstance(member, type)
        and not issubclass(member, datetime)
        and (issubclass(member, _TYPES) or is_uuid(member) or (issubclass(member, Enum) and _has_texts(member)))
        for member in members
    )


def _sort(member: Any) -> Any:
    kinds = (Enum, bool, *_TYPES)
    return next((kind for kind in kinds if isinstance(member, type) and issubclass(member, kind)), member)


def _has_texts(members: type[Enum]) -> bool:
    values = [member.value for member in members]
    texts = {str(value) for value in values}
    return all(type(value) in (str, int) for value in values) and len(texts) == len(values)


class Keys:
    """Reads and writes the keys of one type."""

    def __init__(self, annotation: Any) -> None:
        self._reads = adapter_of(annotation).validate_python
        self._writes: TypeAdapter[Any] = TypeAdapter(dict[annotation, None])  # pyright: ignore[reportInvalidTypeForm]

    def value(self, key: Any) -> Any:
        """The key that a text stands for.

        Raises:
            ValueError: it is none.
        """
        try:
            return self._reads(key, **LENIENT)
        except ValueError:
            if not isinstance(key, str):
                raise
        return self._reads(decode(key.encode()), **LENIENT)

    def text(self, key: Any) -> str:
        """The text under which a key is stored.

        Raises:
            ValueError: it is no such key.
        """
        check_exponents(key)
        [text] = self._writes.dump_python({self.value(key): None}, mode="json")
        return str(text)

    def as_text(self, value: Mapping[Any, Any]) -> dict[Any, Any]:
        """A dict with its keys as text; what is no key stays as it is.

        Raises:
            Unstorable: two of its keys are one as text.
        """
        found: dict[Any, Any] = {}
        for key, item in value.items():
            try:
                text: Any = self.text(key)
            except ValueError:
                text = key
            if text in found:
                raise Unstorable(Fault((text,), "several of its keys become one as text", "Give each key once", value))
            found[text] = item
        return found

    def as_values(self, value: Mapping[str, Any]) -> dict[Any, Any]:
        """The dict as the model has it."""
        return {self.value(key): item for key, item in value.items()}

    def as_values_if_keys(self, value: Any) -> Any:
        """The same for what may be no such dict: then it stays as it is."""
        try:
            return self.as_values(value) if isinstance(value, Mapping) else value
        except ValueError:
            return value
