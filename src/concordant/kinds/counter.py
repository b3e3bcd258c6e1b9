"""``Counter``: a number that many add to; the value is the sum."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from typing import Any, ClassVar

from concordant.causal import Entry, Register, Stamp
from concordant.errors import MisshapenError
from concordant.kinds.base import Field, Look
from concordant.kinds.nodes import node_is_shown
from concordant.kinds.reducer import Reducer
from concordant.kinds.shape import check_node, check_register
from concordant.tree import Change, Path
from concordant.values import ABSENT, decode, encode

__all__ = ["Counter"]

_EXACT = Context(prec=4096)


@dataclass(frozen=True, slots=True)
class Counter(Reducer):
    """A sum: ``write`` adds the amount given, an edit adds the difference; nothing ever escalates.

    For ``int`` and ``Decimal`` the sum is exact; ``float`` amounts are summed in the same order everywhere.

    >>> Counter().name
    'counter'
    >>> Counter()(40, 2)
    42
    """

    name: ClassVar[str] = "counter"

    def __call__(self, left: Any, right: Any) -> Any:
        for amount in (left, right):
            if not isinstance(amount, (int, float, Decimal)) or not math.isfinite(amount):
                raise self._refused(amount, "a finite number")
        if not isinstance(left, Decimal) and not isinstance(right, Decimal):
            return left + right
        for amount in (left, right):
            if isinstance(amount, float) and amount:
                raise self._refused(amount, "a Decimal")
        return _EXACT.add(Decimal(left), Decimal(right))

    def contribute(self, change: Change, field: Field, path: Path, value: Any) -> None:
        """Adds to the agent's own sum, so that a counter costs one entry an agent, however often it is written.

        The entry's value is ``[sum, n]``: all the agent's amounts since its write ``n`` are in the sum, so that a
        write that is executed again can tell whether its earlier amount still stands. Constrained counters keep every
        amount by itself (``field.child`` is unset and ``folds`` is false), for each may have to be held back.
        """
        stamp = change.stamp
        if not self.folds(field):
            change.set(
                (*path, f"{stamp.replica}\x00{stamp.n}"), (Entry(stamp, encode([value, stamp.n], (field.name,))),)
            )
            return
        place = (*path, f"{stamp.replica}\x00{stamp.agent}")
        entries = change.register(place)
        total, since = value, stamp.n
        for entry in entries:
            amount, first = decode(entry.value or b"[0,0]")
            total, since = add(total, amount), min(since, first)
        change.set(place, (Entry(stamp, encode([total, since], (field.name,)), None, _first(entries)),))

    def edit(self, change: Change, field: Field, path: Path, base: Any, value: Any) -> None:
        difference = add(value, negative(base))
        if difference != 0 and difference != "0":
            self.contribute(change, field, path, difference)

    def read(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        def shown(look: Look, cell: Any) -> Any:
            total: Any = ABSENT
            for key in sorted(key for key in cell if key is not None):
                for entry in look.entries(cell[key]):
                    amount = decode(entry.value)[0]  # type: ignore[arg-type]
                    total = amount if total is ABSENT else add(total, amount)
            return total

        if not node_is_shown(look, field, path, public, cell, shown):
            return ABSENT
        return shown(look, cell)

    def check(self, field: Field, cell: Any) -> None:
        def amounts(cell: Any) -> None:
            for register in cell.values():
                for value in check_register(register, deletable=False):
                    if not isinstance(value, list) or len(value) != 2 or type(value[1]) is not int:
                        raise MisshapenError("a counter's amount is not [amount, number of its first write]")
                    if not _is_amount(value[0]):
                        raise MisshapenError(f"{value[0]!r} is no number to count with")

        check_node(cell, amounts)

    def taken_back(self, current: Any, before: Any, after: Any, dot: tuple[str, int], stamp: Stamp) -> Register:
        """The entries at a place without the amount that the write with this dot added, where it still stands."""
        if not current or not after:
            return current or ()
        amount, since = decode(after[0].value)
        if before:
            amount = add(amount, negative(decode(before[0].value)[0]))
        entry = current[0]
        total, first = decode(entry.value)
        if first > dot[1] or first < since:
            return current  # type: ignore[no-any-return]
        if entry.stamp[1:3] == dot and not before:
            return ()
        rest = add(total, negative(amount))
        return (entry._replace(stamp=entry.stamp._replace(n=stamp.n), value=encode([rest, first])),)

    @staticmethod
    def folds(field: Field) -> bool:
        """Whether amounts of one agent are added up in one entry."""
        return not field.checked


def add(one: Any, other: Any) -> Any:
    """The exact sum of two amounts in JSON form (a ``Decimal`` is a string)."""
    if isinstance(one, str) or isinstance(other, str):
        return format(_EXACT.add(Decimal(one), Decimal(other)), "f")
    return one + other


def _is_amount(amount: Any) -> bool:
    if not isinstance(amount, str):
        return type(amount) in (int, float)
    try:
        return Decimal(amount).is_finite()
    except InvalidOperation:
        return False


def negative(amount: Any) -> Any:
    """The amount that takes this one back."""
    return format(_EXACT.minus(Decimal(amount)), "f") if isinstance(amount, str) else -amount


def _first(entries: Register) -> tuple[Any, ...]:
    return tuple(entry.stamps[0] for entry in entries)[:1]
