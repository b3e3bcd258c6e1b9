"""Keys of a map that are no plain text: numbers, members of an enum, literals."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from enum import Enum
from typing import Any, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError, to_jsonable_python

from concordant.errors import Fault
from concordant.schema.annotations import adapter_of, members_of, split_annotation, stands_for
from concordant.schema.equality import LENIENT, is_uuid
from concordant.schema.models import fields_in, is_model
from concordant.values import Unstorable, check_exponents, decode

__all__ = ["Keys", "has_other_keys", "is_key_type", "key_text", "with_text_keys"]

_TYPES = (str, int, date)


def is_key_type(annotation: Any) -> bool:
    """Tells whether values of a type can be keys: equal ones have the same text, and different ones do not."""
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


def has_other_keys(annotation: Any, inside: tuple[Any, ...] = ()) -> bool:
    """Tells whether a type has dicts somewhere, with keys that are no text."""
    bare, _ = split_annotation(annotation)
    if bare in inside:
        return False
    parts = get_args(bare)
    if get_origin(bare) is dict and parts[0] not in (str, Any) and is_key_type(parts[0]):
        return True
    if is_model(bare):
        parts = tuple(info.annotation for info in fields_in(bare).values())
    return any(
        has_other_keys(part, (*inside, bare)) for part in (*parts, stands_for(bare)) if part not in (None, Ellipsis)
    )


def key_text(key: Any) -> Any:
    """Returns the text of a key that is a date, a number, an id or a member of an enum; any other stays."""
    if isinstance(key, str) and not isinstance(key, Enum):
        return key
    if not (isinstance(key, (Enum, *_TYPES)) or is_uuid(type(key))):
        return key
    try:
        return next(iter(to_jsonable_python({key: None})))
    except ValueError:  # of an enum of something else
        return key


def with_text_keys(value: Any) -> Any:
    """Returns a value with the keys of its dicts as text.

    Raises:
        Unstorable: two of its keys are one as text.
    """
    if isinstance(value, (list, tuple)):
        return [with_text_keys(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key_text(key): with_text_keys(item) for key, item in value.items()}
    if len(found) < len(value):
        raise Unstorable(Fault((), "several of its keys become one as text", "Give each key once", value))
    return found


class Keys:
    """Reads and writes the keys of one type."""

    def __init__(self, annotation: Any) -> None:
        self._reads = adapter_of(annotation).validate_python
        self._writes: TypeAdapter[Any] = TypeAdapter(dict[annotation, None])  # pyright: ignore[reportInvalidTypeForm]

    def value(self, key: Any) -> Any:
        """Returns the key that a text stands for.

        Raises:
            ValueError: it is none.
        """
        try:
            return self._reads(key, **LENIENT)
        except ValidationError as error:
            with suppress(ValueError):
                if isinstance(key, str):
                    return self._reads(decode(key.encode()), **LENIENT)
            told = error.errors(include_url=False, include_context=False)[0]["msg"]
            raise PydanticCustomError("key", "{told}", {"told": told}) from error

    def text(self, key: Any) -> str:
        """Returns the text under which a key is stored.

        Raises:
            ValueError: it is no such key.
        """
        check_exponents(key)
        [text] = self._writes.dump_python({self.value(key): None}, mode="json")
        return str(text)

    def as_text(self, value: Mapping[Any, Any]) -> dict[Any, Any]:
        """Returns a dict with its keys as text; what is no key stays as it is.

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
        """Returns the dict as the model has it."""
        return {self.value(key): item for key, item in value.items()}

    def as_values_if_keys(self, value: Any) -> Any:
        """Returns the same for what may be no such dict: then it stays as it is.

        Raises:
            Unstorable: two of its keys are one.
        """
        try:
            found = self.as_values(value) if isinstance(value, Mapping) else value
        except ValueError:
            return value
        if found is not value and len(found) < len(value):
            raise Unstorable(Fault((), "several of its keys are one", "Give each key once", value))
        return found
