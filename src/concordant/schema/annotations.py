"""What a type annotation says: its members, how its values compare and order, which kind would fit it."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import fields
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import ConfigDict, JsonValue, TypeAdapter
from pydantic.errors import PydanticUserError
from pydantic_core import CoreConfig, SchemaSerializer

from concordant.merge.kinds import Kind
from concordant.values import JSON, decode

__all__ = [
    "adapter_of",
    "annotated",
    "element_of",
    "forms_of",
    "hint",
    "is_ranked",
    "is_shallow",
    "kinds_inside",
    "members_of",
    "rank_of",
    "split_annotation",
    "stands_for",
    "type_name",
    "unnamed",
    "without_none",
]

_RANKED = (int, float, Decimal, str, date, datetime, time, timedelta)


def adapter_of(*spellings: Any) -> TypeAdapter[Any]:
    """Makes an adapter of a type, given in several spellings: of the first that Pydantic knows.

    What a model allows is known here (``arbitrary_types_allowed``), and what stands beside a class may make a type of
    it.

    Raises:
        PydanticUserError: it knows none.
    """
    for spelling in spellings:
        try:
            return TypeAdapter(spelling)
        except PydanticUserError:
            continue
    return TypeAdapter(spellings[-1], config=ConfigDict(arbitrary_types_allowed=True))


def forms_of(adapter: TypeAdapter[Any]) -> Callable[[Any], Any]:
    """Returns a function from a value to its JSON form, in which NaN and infinity stay what they are.

    Of those in a ``Sequence`` Pydantic makes ``None`` otherwise, which is another value.
    """
    serializer = SchemaSerializer(adapter.core_schema, CoreConfig(ser_json_inf_nan="constants"))
    return partial(serializer.to_python, mode="json", round_trip=True, by_alias=False, warnings=False)


def element_of(annotation: Any, containers: tuple[Any, ...]) -> Any:
    """Returns the element type of a container, ``None`` if the annotation is no such container."""
    origin = get_origin(annotation) or annotation
    if origin not in containers:
        return None
    arguments = get_args(annotation)
    if origin is tuple and (len(arguments) != 2 or arguments[1] is not Ellipsis):
        return None  # each place has a meaning of its own
    return arguments[0] if arguments else Any


def unnamed(annotation: Any) -> Any:
    """Returns the type for which a name stands that is a container, or declares a kind (``type Tags =
    Annotated[set[str], Set()]``); any other type itself."""
    named = _named(annotation)
    if named is None:
        return annotation
    meant = unnamed(named)
    bare, metadata = (get_args(meant)[0], get_args(meant)[1:]) if get_origin(meant) is Annotated else (meant, ())
    says = get_origin(bare) in _HOLDERS or any(isinstance(item, Kind) for item in metadata)
    return meant if says and _ends(meant, (annotation,)) else annotation


_HOLDERS = (list, set, frozenset, tuple, dict)


def _named(annotation: Any) -> Any:
    """What a name stands for that ``type`` made; ``None`` if it is none."""
    named = getattr(get_origin(annotation) or annotation, "__value__", None)
    arguments = get_args(annotation)
    return named[arguments] if named is not None and arguments else named


def _ends(annotation: Any, inside: tuple[Any, ...]) -> bool:
    """Whether a type is known to its end: neither a reference nor a name in it leads back into it."""
    if annotation in inside or isinstance(annotation, (str, typing.ForwardRef)):
        return False
    if get_origin(annotation) is typing.Literal:
        return True
    named = _named(annotation)
    if named is not None:
        return _ends(named, (*inside, annotation))
    parts = get_args(annotation)
    return all(_ends(part, inside) for part in (parts[:1] if get_origin(annotation) is Annotated else parts))


def split_annotation(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    annotation = unnamed(annotation)
    if get_origin(annotation) is Annotated:
        return get_args(annotation)[0], get_args(annotation)[1:]
    return annotation, ()


def annotated(annotation: Any, metadata: Iterable[Any]) -> Any:
    """Returns a type with what is declared beside it: what ``split_annotation`` takes apart."""
    parts = (annotation, *metadata)
    return Annotated[parts] if len(parts) > 1 else annotation


def stands_for(annotation: Any) -> Any:
    """Returns the type for which a name stands that ``NewType`` or ``type`` made; ``None`` if it is none."""
    return getattr(annotation, "__supertype__", None) or getattr(annotation, "__value__", None)


def without_none(annotation: Any) -> Any:
    """Returns the type that may be ``None`` otherwise; any other type itself."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation
    rest = [member for member in get_args(annotation) if member is not type(None)]
    return rest[0] if len(rest) == 1 else annotation


def members_of(annotation: Any, inside: tuple[Any, ...] = ()) -> list[Any]:
    """Returns the types that an annotation is made of, unions, containers and names of types taken apart."""
    bare, _ = split_annotation(annotation)
    if bare is JsonValue or bare in inside:
        return [Any]
    if isinstance(bare, typing.TypeVar):
        bare = bare.__bound__ or (Union[bare.__constraints__] if bare.__constraints__ else Any)  # noqa: UP007
    named = stands_for(bare)
    if named is not None:
        return members_of(named, (*inside, bare))
    origin, arguments = get_origin(bare), get_args(bare)
    if origin is typing.Literal:
        return [type(argument) for argument in arguments]
    inner = [m for argument in arguments if argument is not Ellipsis for m in members_of(argument, inside)]
    return inner if origin in (Union, types.UnionType) else [origin or bare, *inner]


def kinds_inside(annotation: Any) -> list[Kind]:
    """Returns the kinds that stand somewhere inside a type, where they say nothing."""
    bare, metadata = split_annotation(annotation)
    found = [item for item in metadata if isinstance(item, Kind)]
    return found + [kind for argument in get_args(bare) for kind in kinds_inside(argument)]


def is_shallow(annotation: Any) -> bool:
    """Tells whether values of the type are surely storable but for their text: plain values and sequences of them."""
    flat = (str, int, float, bool, bytes, date, datetime, time, timedelta, Decimal, type(None), Enum)
    holders = (set, frozenset, list, tuple)
    members = members_of(annotation)
    return all(isinstance(member, type) and issubclass(member, flat + holders) for member in members) and (
        annotation not in holders
    )


def is_ranked(annotation: Any) -> bool:
    bare, _ = split_annotation(annotation)
    if get_origin(bare) in (Union, types.UnionType):
        members = [m for m in get_args(bare) if m is not type(None)]
        groups = {("number" if _is(m, (int, float, Decimal)) else m) for m in members}
        return len(groups) == 1 and all(is_ranked(m) for m in members)
    if get_origin(bare) is typing.Literal:
        return len({type(argument) for argument in get_args(bare)}) == 1
    return _is(bare, _RANKED)


def _is(annotation: Any, classes: tuple[type, ...]) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, classes) and not issubclass(annotation, Enum)


def rank_of(annotation: Any) -> Callable[[JSON], Any]:
    adapter = adapter_of(annotation)

    def rank(text: JSON) -> tuple[Any, ...]:
        value = adapter.validate_python(decode(text), strict=False)
        if value is None or value != value:
            return (0,)
        return (1, value)

    return rank


def type_name(annotation: Any) -> str:
    """Returns a type as people write it: names without modules, unions with bars, and of what stands beside it kinds
    alone."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is types.NoneType:
        return "None"
    if origin in (Union, types.UnionType):
        return " | ".join(map(type_name, arguments))
    if origin is Annotated:
        return f"Annotated[{', '.join([type_name(arguments[0]), *map(_beside, arguments[1:])])}]"
    if arguments and origin not in (typing.Literal, Callable):
        inside = ["..." if one is ... else type_name(one) for one in arguments]
        return f"{str(annotation).partition('[')[0].rpartition('.')[2]}[{', '.join(inside)}]"
    if not arguments and isinstance(annotation, (type, typing.NewType)):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def _beside(one: Any) -> str:
    if not isinstance(one, Kind):
        return "..."
    given = ((option.name, getattr(one, option.name), option.default) for option in fields(one))  # type: ignore[arg-type]
    options = [f"{name}={value!r}" for name, value, default in given if value != default]
    return f"{type(one).__qualname__}({', '.join(options)})"


def hint(annotation: Any) -> str:
    """Returns the kind that would fit a type: a hint in a message, never an inference."""
    origin = get_origin(annotation) or annotation
    names = {
        str: "Text() to merge edits sentence by sentence, or Scalar() for one value",
        int: "Counter() for a sum, or Scalar() for one value",
    }
    if origin in (float, Decimal):
        fit = names[int]
    elif origin in (set, frozenset):
        fit = "Set()"
    elif origin is list:
        fit = "List() where order counts, or Set() where it does not"
    elif origin is dict:
        fit = "Map() to merge key by key, or Scalar() for one value"
    else:
        fit = names.get(origin, "Scalar()")
    return fit
