"""Sets and lists as arguments: elements to add, to remove, to change."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any, get_args

from pydantic import BaseModel, Field as Argument, TypeAdapter, create_model

from concordant.tooling.parts import SETTINGS, ArgumentPart, Difference, Remarks, list_of, shown
from concordant.tooling.portable import Portable
from concordant.values import JSON, encode

__all__ = ["ListPart", "SetPart"]


class _Elements(ArgumentPart):
    """What a set and a list have in common."""

    shrinks = True

    def removed(self) -> Any:
        arguments = get_args(self.annotation)
        return Annotated[arguments[0] if arguments else Any, Portable()]

    def value(self) -> Any:
        return list_of(self.removed())

    @cached_property
    def _dumping(self) -> TypeAdapter[Any]:  # made once: it takes longer than the rest of a call
        return TypeAdapter(self.value())

    def as_json(self, values: Iterable[Any]) -> list[Any]:
        """Elements as the JSON values that are stored."""
        found: list[Any] = self._dumping.dump_python([*values], mode="json")
        return found

    def canon(self, value: Any) -> JSON:
        """The bytes by which an element compares."""
        return self.field.canon(encode(value))


class SetPart(_Elements):
    """A set: elements to add, elements to remove."""

    adds = "Elements to add; those that are there stay."

    def says_removes(self) -> str:
        return f"Elements to remove from {self.label}."

    def difference(self, given: Any, seen: Any, path: tuple[Any, ...], remarks: Remarks) -> Difference | None:
        known = {self.canon(element) for element in seen or ()}
        gone = []
        for element in self.as_json(self.asked(given, self.removes)):
            if self.canon(element) in known:
                gone.append(element)
            else:
                remarks.missing(path, self.name, "elements", element)
        return (gone, []) if gone else None

    def standing(self, given: Any, value: Any) -> list[Any]:
        """Returns elements that were to be removed, and stand all the same, because somebody else added them unseen."""
        stand = {self.canon(element) for element in value or ()}
        stand -= {self.canon(element) for element in self.as_json(self.asked(given, self.gives))}
        return [e for e in self.as_json(self.asked(given, self.removes)) if self.canon(e) in stand]


class ListPart(_Elements):
    """A list: items to append, to remove, to replace."""

    adds = "Items to append at the end; do not repeat those that are there."
    edits = True

    def replacement(self) -> type[BaseModel]:
        item = self.removed()
        return create_model(
            f"{self.title}Exchange",
            __config__=SETTINGS,
            find=(item, Argument(description="The item to change, as it stands there.")),
            replace=(
                list_of(item),
                Argument(description="What to put in its place; with the item itself among it, you insert beside it."),
            ),
        )

    def says_removes(self) -> str:
        return f"Items to remove from {self.label}; one for each time you name it."

    def says_replaces(self) -> str:
        return f"Items of {self.label} to change in their place."

    def difference(self, given: Any, seen: Any, path: tuple[Any, ...], remarks: Remarks) -> Difference | None:
        before = list(seen or ())
        after = list(before)
        for item in self.as_json(self.asked(given, self.removes)):
            at = self._place(after, item)
            if at is None:
                remarks.missing(path, self.name, "items", item)
            else:
                del after[at]
        for change in self.asked(given, self.replaces):
            [item] = self.as_json([change.find])
            at = self._place(after, item)
            if at is None:
                place = (*path, self.replaces)
                remarks.fault(place, f"{shown(item)} is not in it", "Give an item as you read it", item)
            else:
                after[at : at + 1] = self.as_json(change.replace)
        return (before, after) if before != after else None

    def _place(self, items: list[Any], item: Any) -> int | None:
        wanted = self.canon(item)
        return next((at for at, other in enumerate(items) if self.canon(other) == wanted), None)
