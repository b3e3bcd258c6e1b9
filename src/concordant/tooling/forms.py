"""The arguments of an update, made from a state model: one form for each record, nested as the records are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field as Argument,
    PlainValidator,
    TypeAdapter,
    WrapValidator,
    create_model,
)
from pydantic_core import to_jsonable_python

from concordant.merge.kinds import Field, Kind
from concordant.merge.kinds.base import Holds
from concordant.schema.annotations import without_none
from concordant.schema.models import fields_in
from concordant.tooling.elements import ListPart, SetPart
from concordant.tooling.parts import (
    SETTINGS,
    ArgumentPart,
    CounterPart,
    Difference,
    Names,
    Remarks,
    RequiredPart,
    ScalarPart,
    TextPart,
    list_of,
    optional,
)
from concordant.tooling.portable import Portable
from concordant.values import ABSENT

__all__ = ["ArgumentForm"]


class ArgumentForm:
    """What may be said about a record, and what that does to it.

    Args:
        model: the state model of the record.
        field: the record's compiled field.
        title: the name of the arguments' model; those inside have names that begin with it.
        reserved: names that no argument may have.
        by: for a record in a set, the field that identifies it.
        extra: more arguments, to stand before those of the fields.

    Attributes:
        arguments: the Pydantic model of the arguments.
    """

    def __init__(
        self,
        model: Any,
        field: Field,
        title: str,
        *,
        reserved: Iterable[str] = (),
        by: str | None = None,
        extra: dict[str, tuple[Any, Any]] | None = None,
    ) -> None:
        taken = Names(reserved)
        gives = {name: taken.free(name) for name in field.fields}
        self.parts: list[ArgumentPart] = []
        for name, inner in field.fields.items():
            info = fields_in(model)[name]
            make = RequiredPart if name == by else part_class(inner)
            says = (info.description or "") if name != by else "Tells which record."
            inside = title + name.title().replace("_", "")
            self.parts.append(
                make(name, gives[name], inner, info.annotation, taken, inside, declared(info.metadata), says)
            )
        self.clearable = [part.gives for part in self.parts if type(part) is ScalarPart and part.field.accepts(None)]
        self.clears = taken.free("clear") if self.clearable else None
        definitions: dict[str, Any] = {**(extra or {})}
        for part in self.parts:
            definitions.update(part.arguments())
        if self.clears is not None:
            choice = Literal[tuple(self.clearable)]  # type: ignore[valid-type]
            definitions[self.clears] = optional(list_of(choice), "Fields to empty: to set to null.")
        self.arguments = create_model(
            title,
            __config__=SETTINGS,
            **definitions,
        )

    def contribution(self, given: Any) -> dict[str, Any]:
        """Tells what the arguments contribute, by field."""
        found = {part.name: value for part in self.parts if (value := part.contribution(given)) is not ABSENT}
        cleared = getattr(given, self.clears) or () if self.clears is not None else ()
        return {**found, **{part.name: None for part in self.parts if part.gives in cleared}}

    def difference(self, given: Any, seen: Any, path: tuple[Any, ...], remarks: Remarks) -> Difference | None:
        """Tells what the arguments change in what was seen: the fields before and after."""
        values = seen if isinstance(seen, dict) else {}
        before, after = {}, {}
        for part in self.parts:
            found = part.difference(given, values.get(part.name, ABSENT), path, remarks)
            if found is not None:
                before[part.name], after[part.name] = found
        if self.clears is not None:
            for name in getattr(given, self.clears) or ():
                if getattr(given, name) is not None:
                    remarks.fault((*path, self.clears), f"{name} is given a value as well", "Do the one or the other")
        return (before, after) if before else None


def _as_entries(value: Any) -> Any:
    """An object as the list of entries that stands for it."""
    if isinstance(value, Mapping):
        return [{"key": key, "value": item} for key, item in value.items()]
    return value


class RecordPart(ArgumentPart):
    """A nested record: changes of its fields."""

    adds = "Changes of its parts; parts that you leave out stay as they are."

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.form = ArgumentForm(without_none(self.annotation), self.field, self.title)

    def value(self) -> Any:
        return self.form.arguments

    def contribution(self, given: Any) -> Any:
        value = getattr(given, self.gives)
        if value is None:
            return ABSENT
        return self.form.contribution(value) or ABSENT

    def difference(self, given: Any, seen: Any, path: tuple[Any, ...], remarks: Remarks) -> Difference | None:
        value = getattr(given, self.gives)
        return None if value is None else self.form.difference(value, seen, (*path, self.name), remarks)


class RecordsPart(ArgumentPart):
    """Records in a set, each told by one of its fields."""

    shrinks = True

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.by: str = self.kind.by
        self.element, self.checks_of_each = taken_apart(get_args(self.annotation)[0])

    @cached_property
    def form(self) -> ArgumentForm:
        """What may be said about one of them."""
        assert self.field.child is not None
        return ArgumentForm(self.element, self.field.child, self.title, by=self.by)

    def value(self) -> Any:
        return list_of(self.form.arguments)

    def removed(self) -> Any:
        info = fields_in(self.element)[self.by]
        return Annotated[(info.annotation, *declared(info.metadata), Portable())]

    @cached_property
    def _dumping(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.removed())

    def as_json(self, identity: Any) -> Any:
        """Returns a record's identity as the JSON value that is stored."""
        return self._dumping.dump_python(identity, mode="json")

    def says_gives(self) -> str:
        return f"Records to add or to change, each told by its {self.by}; what you leave out of a record stays."

    def says_removes(self) -> str:
        return f"The {self.by} of each record to remove from {self.label}."

    def contribution(self, given: Any) -> Any:
        return [self.form.contribution(record) for record in self.asked(given, self.gives)] or ABSENT

    def difference(self, given: Any, seen: Any, path: tuple[Any, ...], remarks: Remarks) -> Difference | None:
        known = {record[self.by]: record for record in seen or ()}
        gone = [self.as_json(identity) for identity in self.asked(given, self.removes)]
        before, after = self.changes(given, gone, known, path, remarks)
        for identity in gone:
            if identity in known:
                before.append(known[identity])
            else:
                remarks.missing(path, self.name, "records", identity)
        return (before, after) if before else None

    def changes(
        self, given: Any, gone: list[Any], known: dict[Any, Any], path: tuple[Any, ...], remarks: Remarks
    ) -> tuple[list[Any], list[Any]]:
        """Tells what the call changes in records that stay: they before and after."""
        before, after = list[Any](), list[Any]()
        for record in self.asked(given, self.gives):
            identity = self.as_json(getattr(record, self.by))
            if identity in gone:
                continue
            found = self.form.difference(record, known.get(identity, ABSENT), (*path, self.name, identity), remarks)
            if found is not None:
                before.append({self.by: identity, **found[0]})
                after.append({self.by: identity, **found[1]})
        return before, after


class WholeRecordsPart(RecordsPart):
    """Records in a set that have no kinds: each is one value, told by one of its fields."""

    def value(self) -> Any:
        return list_of(Annotated[(self.element, *self.checks_of_each, Portable())])

    def says_gives(self) -> str:
        return f"Records to add or to replace as a whole, each told by its {self.by}."

    def contribution(self, given: Any) -> Any:
        return self.asked(given, self.gives) or ABSENT

    def changes(
        self, given: Any, gone: list[Any], known: dict[Any, Any], path: tuple[Any, ...], remarks: Remarks
    ) -> tuple[list[Any], list[Any]]:
        return [], []


class MapPart(ArgumentPart):
    """A map: entries to set or change, keys to remove. Its argument is a list of entries, because not every provider
    takes an object with arbitrary keys; an object is understood as well."""

    adds = "Entries to set or to change, each by its key; other keys stay as they are."
    shrinks = True

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        child = self.field.child
        assert child is not None
        annotation, checks = taken_apart((get_args(self.annotation) or (str, Any))[1])
        make = RequiredPart if child.kind.is_leaf else part_class(child)
        self.values = make("value", "value", child, annotation, Names({"key"}), f"{self.title}Value", checks)
        self.values.label = "it"
        self.entry = create_model(
            f"{self.title}Entry",
            __config__=SETTINGS,
            key=(str, Argument(description="The entry's key.")),
            **self.values.arguments(),  # type: ignore[call-overload]
        )

    def value(self) -> Any:
        return Annotated[list_of(self.entry), BeforeValidator(_as_entries)]

    def removed(self) -> Any:
        return str

    def says_removes(self) -> str:
        return f"Keys to remove from {self.label}."

    def contribution(self, given: Any) -> Any:
        found = {}
        for entry in self.asked(given, self.gives):
            value = self.values.contribution(entry)
            if value is not ABSENT:
                found[entry.key] = value
            elif not any(getattr(entry, name) for name in self.values.arguments()):
                found[entry.key] = self.values.kind.natural()
        return found or ABSENT

    def difference(self, given: Any, seen: Any, path: tuple[Any, ...], remarks: Remarks) -> Difference | None:
        known = seen if isinstance(seen, dict) else {}
        before, after = {}, {}
        for entry in self.asked(given, self.gives):
            found = self.values.difference(entry, known.get(entry.key, ABSENT), (*path, self.name, entry.key), remarks)
            if found is not None:
                before[entry.key], after[entry.key] = found
        for key in self.asked(given, self.removes):
            if key in known:
                before[key] = known[key]
                after.pop(key, None)
            else:
                remarks.missing(path, self.name, "keys", key)
        return (before, after) if before else None


class TreePart(ArgumentPart):
    """Free JSON: values to set at their paths, paths to remove."""

    adds = "Values to set, each at its path of keys from the top down; all else stays as it is."
    shrinks = True

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.entry = create_model(
            f"{self.title}Entry",
            __config__=SETTINGS,
            path=(list[str], Argument(description="The keys from the top down.", min_length=1)),
            value=(
                Annotated[Any, Portable()],
                Argument(description="Any JSON value; an object is all there is."),
            ),
        )

    def value(self) -> Any:
        return list_of(self.entry)

    def removed(self) -> Any:
        return list[str]

    def says_removes(self) -> str:
        return f"Paths to remove from {self.label}, each as the keys from the top down."

    def contribution(self, given: Any) -> Any:
        return ABSENT

    def difference(self, given: Any, seen: Any, path: tuple[Any, ...], remarks: Remarks) -> Difference | None:
        known = seen if isinstance(seen, dict) else {}
        before, after = {}, dict(known)
        for entry in self.asked(given, self.gives):
            after = _with(after, entry.path, to_jsonable_python(entry.value))
            before[entry.path[0]] = known.get(entry.path[0], ABSENT)
        for gone in self.asked(given, self.removes):
            rest = _without(after, gone)
            if rest is ABSENT:
                remarks.missing(path, self.name, "paths", gone)
                continue
            after = rest
            before[gone[0]] = known[gone[0]]
        if not before:
            return None
        changed = {name: after[name] for name in before if name in after}
        return {name: item for name, item in before.items() if item is not ABSENT}, changed


def _with(value: Any, path: list[str], part: Any) -> Any:
    """Nested dicts with another value at a path."""
    if not path:
        return part
    holder = value if isinstance(value, dict) else {}
    return {**holder, path[0]: _with(holder.get(path[0], ABSENT), path[1:], part)}


def _without(value: Any, path: list[str]) -> Any:
    """Nested dicts without a path; ``ABSENT`` if there is none."""
    if not isinstance(value, dict) or not path or path[0] not in value:
        return ABSENT
    rest = {name: item for name, item in value.items() if name != path[0]}
    if len(path) == 1:
        return rest
    below = _without(value[path[0]], path[1:])
    return ABSENT if below is ABSENT else {**value, path[0]: below}


def taken_apart(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Returns a type, and what is declared about it."""
    if get_origin(annotation) is not Annotated:
        return annotation, ()
    bare, *metadata = get_args(annotation)
    return bare, declared(metadata)


def declared(metadata: Iterable[Any]) -> tuple[Any, ...]:
    """Returns the constraints among an annotation's metadata. Functions are left out: they run when the value is
    written."""
    functions = (AfterValidator, BeforeValidator, PlainValidator, WrapValidator)
    return tuple(item for item in metadata if not isinstance(item, (Kind, *functions)))


def part_class(field: Field) -> type[ArgumentPart]:
    """Returns the part for a field, by what its values are."""
    if field.kind.holds == "records" and field.child is not None and field.child.kind.is_leaf:
        return WholeRecordsPart
    return _PARTS[field.kind.holds]


_PARTS: dict[Holds, type[ArgumentPart]] = {
    "value": ScalarPart,
    "fields": RecordPart,
    "keys": MapPart,
    "records": RecordsPart,
    "elements": SetPart,
    "items": ListPart,
    "amount": CounterPart,
    "text": TextPart,
    "paths": TreePart,
}
