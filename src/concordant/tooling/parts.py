"""What a tool-calling model may say about a field, kind by kind, and what that does to a document.

An additive kind has an argument for what to add, and beside it ``remove_...`` and ``replace_...`` where its kind knows
removals and changes in place. Every argument may be left out or null: that leaves the field alone.
"""

from __future__ import annotations

from types import GenericAlias
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field as Argument

from concordant.errors import Fault
from concordant.merge.kinds import Field
from concordant.tooling.portable import Portable, untitled
from concordant.tooling.quoting import dotted, quoted
from concordant.values import ABSENT

__all__ = [
    "SETTINGS",
    "ArgumentPart",
    "CounterPart",
    "Difference",
    "Names",
    "Remarks",
    "RequiredPart",
    "ScalarPart",
    "TextPart",
    "list_of",
    "optional",
    "shown",
]

Difference = tuple[Any, Any]
"""A part of what was seen, and what becomes of it."""


class Names(set[str]):
    """The names of arguments that are taken."""

    def free(self, name: str) -> str:
        """Returns the name, with underscores behind it if it is taken; it is taken from now on."""
        while name in self:
            name += "_"
        self.add(name)
        return name


class Remarks:
    """What is to be said about a call: faults, which forbid it, and notes."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.notes: list[str] = []

    def fault(self, path: tuple[Any, ...], problem: str, mend: str, value: Any = None) -> None:
        """Tells of something that the caller has to mend."""
        self.faults.append(Fault(path, problem, mend, value))

    def missing(self, path: tuple[Any, ...], name: str, what: str, value: Any) -> None:
        """Tells of something that was to be removed and is not there."""
        self.notes.append(f"{dotted((*path, name), '')}: {shown(value)} is not among the {what} you have seen")


SETTINGS = ConfigDict(extra="forbid", protected_namespaces=(), json_schema_extra=untitled, arbitrary_types_allowed=True)
"""The settings of all models of arguments: nothing unknown is let pass."""


def list_of(item: Any) -> Any:
    """Returns the type of lists of an item's type, where that is known at run time only."""
    return GenericAlias(list, (item,))


def _nothing() -> None:
    return None


def optional(annotation: Any, description: str) -> tuple[Any, Any]:
    """Returns an argument that may be left out or null. It has a factory in place of a default, because some providers
    refuse a schema with the word ``default``."""
    return annotation | None, Argument(default_factory=_nothing, description=description)


class ArgumentPart:
    """One field of a record, or the values of a map, as arguments.

    Attributes:
        name: the field's name.
        label: what it is called in descriptions.
        title: a name for the models of its arguments.
        gives: the name of its first argument.
        annotation: its type, without kind and checks.
        checks: what its type is to satisfy.
        says: what the model's author says about it.
    """

    adds: ClassVar[str] = ""
    shrinks = False
    edits = False

    def __init__(
        self,
        name: str,
        gives: str,
        field: Field,
        annotation: Any,
        taken: Names,
        title: str,
        checks: tuple[Any, ...] = (),
        says: str = "",
    ) -> None:
        self.name = self.label = name
        self.title = title
        self.field = field
        self.kind: Any = field.kind
        self.annotation = annotation
        self.checks = checks
        self.says = says
        self.gives = gives
        lasting = self.kind.grow_only
        self.removes = taken.free(f"remove_{name}") if self.shrinks and not lasting else None
        self.replaces = taken.free(f"replace_{name}") if self.edits and not lasting else None

    # -- what may be said ------------------------------------------------------------------------------------------

    def arguments(self) -> dict[str, tuple[Any, Any]]:
        """Returns the arguments by name, as ``create_model`` takes them."""
        found = {self.gives: self.given()}
        if self.removes is not None:
            found[self.removes] = optional(list_of(self.removed()), self.says_removes())
        if self.replaces is not None:
            found[self.replaces] = optional(list_of(self.replacement()), self.says_replaces())
        return found

    def given(self) -> tuple[Any, Any]:
        """Returns the argument for what to add, or the new value."""
        return optional(self.value(), " ".join(filter(None, (self.says, self.says_gives()))))

    def value(self) -> Any:
        """Returns the type of that argument."""
        raise NotImplementedError

    def removed(self) -> Any:
        """Returns the type of what is named to be removed."""
        raise NotImplementedError

    def replacement(self) -> type[BaseModel]:
        """Returns the model of a change in place."""
        raise NotImplementedError

    def says_gives(self) -> str:
        """Tells what the argument is for."""
        return self.adds

    def says_removes(self) -> str:
        """Tells what the argument for removals is for."""
        raise NotImplementedError

    def says_replaces(self) -> str:
        """Tells what the argument for changes in place is for."""
        raise NotImplementedError

    # -- what it does --------------------------------------------------------------------------------------------

    def contribution(self, given: Any) -> Any:
        """Tells what the arguments contribute to the field; ``ABSENT`` if nothing."""
        value = getattr(given, self.gives)
        return value if value else ABSENT

    def difference(self, given: Any, seen: Any, path: tuple[Any, ...], remarks: Remarks) -> Difference | None:
        """Tells what the arguments change in the field as it was seen (``ABSENT``: it was not).

        Args:
            path: of what holds the field.
        """
        return None

    def asked(self, given: Any, argument: str | None) -> list[Any]:
        """Tells what stands in an argument that is a list."""
        return getattr(given, argument, None) or [] if argument is not None else []


class ScalarPart(ArgumentPart):
    """A scalar: the new value."""

    adds = "The new value."

    def value(self) -> Any:
        return Annotated[(self.annotation, *self.checks, Portable())]

    def contribution(self, given: Any) -> Any:
        value = getattr(given, self.gives)
        return ABSENT if value is None else value


class RequiredPart(ScalarPart):
    """A scalar that has to be given, so that null is a value like others: a map's value, or a record's identity."""

    def given(self) -> tuple[Any, Any]:
        return self.value(), Argument(description=self.says or "The value.")

    def contribution(self, given: Any) -> Any:
        return getattr(given, self.gives)


class CounterPart(ArgumentPart):
    """A counter: the amount."""

    adds = "The amount to add to the number (negative to subtract), not the new total."

    def value(self) -> Any:
        return Annotated[self.annotation, Portable()]


class Passage(BaseModel):
    """A passage of a text to change."""

    model_config = SETTINGS

    find: str = Argument(description="Words that stand there once, exactly as you read them.")
    replace: str = Argument(description="What to put in their place; empty to remove them.")


class TextPart(ArgumentPart):
    """A text: what to append, passages to change."""

    edits = True

    def value(self) -> Any:
        return str

    def replacement(self) -> type[BaseModel]:
        return Passage

    def says_gives(self) -> str:
        behind = "on a new line" if self.kind.separator == "\n" else f"behind {self.kind.separator!r}"
        return f"Text to append, {behind}; do not repeat what is there."

    def says_replaces(self) -> str:
        return f"Passages of {self.label} to change: words to find, and what to put in their place."

    def difference(self, given: Any, seen: Any, path: tuple[Any, ...], remarks: Remarks) -> Difference | None:
        before: str = seen or ""
        after = before
        for change in self.asked(given, self.replaces):
            count = after.count(change.find) if change.find else 0
            if count == 1:
                after = after.replace(change.find, change.replace)
                continue
            place = (*path, self.replaces)
            if not change.find:
                remarks.fault(place, "`find` is empty", f"Give words to find, or append with {self.gives}")
            elif count:
                remarks.fault(place, f"{shown(change.find)} is there {count} times", "Give more of the words around it")
            else:
                problem = f"{shown(change.find)} is not in the text that you have seen"
                remarks.fault(place, problem, "Read it again and copy the words exactly as they stand", change.find)
        return (before, after) if before != after else None


def shown(value: Any) -> str:
    """Returns a JSON value in a message, cut where it is long."""
    text = quoted(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
