"""Kinds as plain reducers: functions of what a field holds and of a contribution to it.

Frameworks that fold updates into a state, one by one, take such a function. A fold knows the value so far and nothing
else: not what the contributor had read, nor whether its neighbours came before it or beside it. So a reducer only ever
adds, and the kinds that replace values (``Scalar``, and what may hold one: ``Map``, ``Set(by=...)``) are no reducers.
"""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from concordant.errors import InvalidContributionError
from concordant.merge.kinds.base import Kind
from concordant.values import Unstorable, canonical, encode

__all__ = ["Interned", "Reducer", "identity"]

_known: dict[Reducer, Reducer] = {}


class Interned(type):
    """Makes equal reducers one object, because frameworks compare reducers by identity."""

    if not TYPE_CHECKING:  # type checkers take the signature from __init__

        def __call__(cls, *args: Any, **options: Any) -> Any:
            made = super().__call__(*args, **options)
            if not isinstance(made, Reducer):
                return made
            try:
                return _known.setdefault(made, made)
            except TypeError:  # an option that cannot be hashed: a fault that the schema will report
                return made


class Reducer(Kind, metaclass=Interned):
    """A kind whose instances are reducers: ``kind(left, right)`` is ``left`` with the contribution ``right``."""

    __slots__ = ()

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, left: Any, right: Any) -> Any:
        """Merges a contribution into what the field holds; neither is changed.

        Raises:
            InvalidContributionError: one of them is no value of this kind.
        """
        raise NotImplementedError

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, part.name) for part in fields(self))  # type: ignore[arg-type]

    def _refused(self, value: Any, wanted: str) -> InvalidContributionError:
        problem = f"a value of type {type(value).__name__} where {wanted} is meant"
        return InvalidContributionError(self.name, value, problem)


def identity(kind: Kind, item: Any) -> bytes:
    """Returns the bytes by which elements compare where no model tells their type: by JSON form, decimals as numbers.

    Raises:
        InvalidContributionError: the element has no JSON form.
    """
    if isinstance(item, Decimal) and item.is_finite():
        item = Decimal(format(item.normalize(), "f"))
    try:
        return canonical(encode(item))
    except Unstorable as error:
        raise InvalidContributionError(
            kind.name, item, f"an element that has no JSON form ({error.fault.problem})"
        ) from error
