"""Forms made of a model: what a person may type for a field, and the JSON value that it makes."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field as with_
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError, PydanticUserError

from concordant.desk.wording import parsed
from concordant.values import ABSENT, portable

__all__ = ["Control", "Form", "annotation_at", "form_of"]

NONE = ""
"""What a choice of no value sends."""


@dataclass
class Control:
    """One input of a form.

    Attributes:
        name: what it is sent as.
        sort: ``line``, ``area``, ``number``, ``choice``, ``date``, ``datetime-local``, ``time``, ``lines`` (one item a
            line), ``json`` or ``group`` (of ``parts``).
        value: what it shows, as text.
        options: of a choice, (what is sent, what is shown).
        original: the value that it was made for (``ABSENT``: none), and what it showed of that ``untouched``: who
            leaves it so means that value, whatever an input cannot show.
        errors: what is wrong with what was typed.
    """

    name: str
    label: str
    sort: str
    schema: Mapping[str, Any]
    value: str = ""
    nullable: bool = False
    original: Any = ABSENT
    untouched: str = ""
    options: Sequence[tuple[str, str]] = ()
    parts: Sequence[Control] = ()
    errors: list[str] = with_(default_factory=list)

    def all(self) -> Iterator[Control]:
        """Iterates the inputs below it, itself first."""
        yield self
        for part in self.parts:
            yield from part.all()


class Form:
    """A form for one value.

    Args:
        annotation: the type of the value; ``ABSENT`` where there is none: then any JSON.
        plain: whether it is a text whatever its type.
    """

    def __init__(self, annotation: Any, *, plain: bool = False) -> None:
        self._adapter: TypeAdapter[Any] | None = None
        self._schema: Mapping[str, Any] = {"type": "string"} if plain else {}
        if annotation is not ABSENT and not plain:
            try:
                self._adapter = TypeAdapter(annotation)
                self._schema = self._adapter.json_schema(by_alias=False)
            except (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError, PydanticUserError, TypeError):
                self._adapter = None
        self._definitions = self._schema.get("$defs", {})
        self._plain = plain

    def control(self, value: Any) -> Control:
        """Returns the input that shows a value (``ABSENT``: none)."""
        schema = self._schema
        if not schema and isinstance(value, str):
            schema = {"type": "string"}
        return self._control("v", "value", schema, value, deep=4)

    def read(self, control: Control, sent: Mapping[str, str]) -> Any:
        """Returns the value that was typed; what is wrong with it is noted in the input.

        Returns:
            The JSON value; ``ABSENT`` if something is wrong.
        """
        for part in control.all():
            part.value = sent.get(part.name, part.value)
        value = self._read(control)
        if any(part.errors for part in control.all()):
            return ABSENT
        if self._adapter is not None:
            try:
                self._adapter.validate_json(json.dumps(value), by_name=True)
            except ValidationError as error:
                _note(control, error)
                return ABSENT
        return value

    def _resolved(self, schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
        """A schema with its reference followed, and whether null is one of its values."""
        nullable = False
        for _ in range(8):
            if "$ref" in schema:
                schema = self._definitions.get(str(schema["$ref"]).rpartition("/")[2], {})
            elif "anyOf" in schema:
                others = [one for one in schema["anyOf"] if one.get("type") != "null"]
                nullable = nullable or len(others) < len(schema["anyOf"])
                if len(others) != 1:
                    return {}, nullable
                schema = others[0]
            elif len(schema.get("allOf", ())) == 1:
                schema = schema["allOf"][0]
            else:
                break
        return schema, nullable

    def _control(self, name: str, label: str, schema: Mapping[str, Any], value: Any, deep: int) -> Control:
        title = label
        schema, nullable = self._resolved(schema)
        sort, options = _sort(schema, value, deep)
        control = Control(name, title, sort, schema, "", nullable, value, "", options)
        if sort == "group":
            given = value if isinstance(value, dict) else {}
            control.parts = [
                self._control(f"{name}.{key}", key, part, given.get(key, part.get("default", ABSENT)), deep - 1)
                for key, part in schema["properties"].items()
            ]
            if nullable:
                control.parts = [_presence(name, given=isinstance(value, dict) or value is ABSENT), *control.parts]
            return control
        if sort == "choice" and nullable:
            control.options = [(NONE, "(none)"), *options]
        control.value = control.untouched = _shown(sort, value)
        return control

    def _read(self, control: Control) -> Any:
        if control.sort == "group":
            if control.nullable and control.parts[0].value == "false":
                return None
            given = control.original if isinstance(control.original, dict) else {}
            parts = control.parts[1:] if control.nullable else control.parts
            return {**portable(given), **{part.label: self._read(part) for part in parts}}
        text = control.value
        if control.original is not ABSENT and _as_it_is(text) == _as_it_is(control.untouched):
            return portable(control.original)
        if control.nullable and text == NONE:
            return None
        try:
            return (_READERS.get(control.sort) or _as_it_is)(text)
        except ValueError:
            wanted = {"number": "a number", "choice": "one of the choices"}.get(control.sort, "JSON")
            control.errors.append(f"This is not {wanted}.")
            return None


def _presence(name: str, *, given: bool) -> Control:
    """The choice whether a group is given at all."""
    options = (("true", "the fields below"), ("false", "(none)"))
    value = "true" if given else "false"
    return Control(f"{name}!", "Value", "choice", {}, value, False, value == "true", value, options)


def _sort(schema: Mapping[str, Any], value: Any, deep: int) -> tuple[str, Sequence[tuple[str, str]]]:
    """The sort of input for a schema, and its options."""
    choices = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if choices is not None:
        return "choice", [(json.dumps(one), one if isinstance(one, str) else json.dumps(one)) for one in choices]
    return _plain_sort(schema, value, deep), [("true", "yes"), ("false", "no")] if schema.get(
        "type"
    ) == "boolean" else ()


def _plain_sort(schema: Mapping[str, Any], value: Any, deep: int) -> str:
    kind = schema.get("type")
    if kind in _SORTS:
        return _SORTS[kind]
    if kind == "string":
        return _text_sort(schema.get("format"), value)
    if kind == "object" and schema.get("properties") and deep > 0:
        return "group"
    items = schema.get("items", {})
    if kind == "array" and items.get("type") == "string" and not items.get("format"):
        shown = value if isinstance(value, list) else []
        if not any("\n" in str(item) for item in shown):
            return "lines"
    return "json"


_SORTS = {"boolean": "choice", "integer": "number", "number": "number"}


def _text_sort(form: str | None, value: Any) -> str:
    if form in ("date", "time"):
        return form
    is_long = isinstance(value, str) and (len(value) > 60 or "\n" in value)
    return "area" if is_long or form is None else "line"


def _shown(sort: str, value: Any) -> str:
    if value is ABSENT or (value is None and sort != "json"):
        return ""
    if sort == "lines":
        return "\n".join(map(str, value)) if isinstance(value, list) else ""
    if isinstance(value, str) and sort not in ("json", "choice"):
        return value
    return json.dumps(portable(value), ensure_ascii=False, indent=2 if sort == "json" else None)


def _as_it_is(text: str) -> Any:
    return text.replace("\r\n", "\n")  # browsers send line breaks so


def _items(text: str) -> Any:
    return [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]


def _number(text: str) -> Any:
    value = parsed(text)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ValueError
    return value


_READERS: Mapping[str, Callable[[str], Any]] = {
    "lines": _items,
    "json": parsed,
    "choice": parsed,
    "number": _number,
}


def _note(control: Control, error: ValidationError) -> None:
    """Puts each message beside the input that it is about, as near as there is one."""
    inputs = {part.name: part for part in control.all()}
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        name = ".".join(["v", *(str(part) for part in fault["loc"])])
        while name not in inputs and "." in name:
            name = name.rpartition(".")[0]
        where = inputs.get(name, control)
        if fault["msg"] not in where.errors:
            where.errors.append(fault["msg"])


def annotation_at(model: type[BaseModel] | None, path: Sequence[str]) -> Any:
    """Returns the type of what stands at a path of a model's documents; ``ABSENT`` where that cannot be told."""
    if model is None:
        return ABSENT
    found: Any = model
    for part in path:
        found = _below(_bare(found), part)
        if found is ABSENT:
            return ABSENT
    return found


def _below(found: Any, part: str) -> Any:
    if isinstance(found, type) and issubclass(found, BaseModel):
        if part not in found.model_fields:
            return ABSENT
        info = found.model_fields[part]
        return Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
    arguments = get_args(found)
    if get_origin(found) is dict:
        return arguments[1] if len(arguments) == 2 else ABSENT
    if get_origin(found) in (list, set, frozenset):
        return arguments[0] if arguments else ABSENT
    return ABSENT


def _bare(found: Any) -> Any:
    """A type without annotations, and without ``None`` as its other half."""
    while get_origin(found) is Annotated:
        found = get_args(found)[0]
    if get_origin(found) in (Union, types.UnionType):
        others = [one for one in get_args(found) if one is not type(None)]
        return _bare(others[0]) if len(others) == 1 else found
    return found


def form_of(model: type[BaseModel] | None, path: Sequence[str], *, plain: bool = False) -> Form:
    """Returns the form for what stands at a path.

    Args:
        plain: whether it is a part of a text.
    """
    return Form(annotation_at(model, path), plain=plain)
