"""``Counter``: a number that many add to; the value is the sum."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import Any, ClassVar

from concordant.merge.causality import Entry, Register
from concordant.merge.kinds.base import Declaration, Field, Holds, Look
from concordant.merge.kinds.containers import gathered
from concordant.merge.kinds.folding import EXACT, add, check_amount, fold_settled, negative, shares_of, take_from_folded
from concordant.merge.kinds.nodes import node_value
from concordant.merge.kinds.reducer import Reducer
from concordant.merge.kinds.registry import register
from concordant.merge.kinds.shape import check_node, check_register
from concordant.merge.registers import Change, Path
from concordant.values import ABSENT, JSON, decode, encode

__all__ = ["Counter"]


@register
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
    holds: ClassVar[Holds] = "amount"
    natural: ClassVar[type[Any] | None] = int
    adds_up: ClassVar[bool] = True
    merges_default: ClassVar[bool] = True
    never_asks: ClassVar[bool] = True

    def __call__(self, left: Any, right: Any) -> Any:
        for amount in (left, right):
            if not isinstance(amount, (int, float, Decimal)) or not math.isfinite(amount):
                raise self._refused(amount, "a finite number")
        if not isinstance(left, Decimal) and not isinstance(right, Decimal):
            return left + right
        for amount in (left, right):
            if isinstance(amount, float) and amount:
                raise self._refused(amount, "a Decimal")
        return EXACT.add(Decimal(left), Decimal(right))

    def declared(self, at: Declaration) -> Field | None:
        if at.annotation not in (int, float, Decimal):
            at.misfit(f"Counter() takes int, float or Decimal; what fits: {at.hint()}")
            return None
        return Field(at.name, self, self.tag(), checked=at.checked, counts=at.annotation is Decimal)

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
        if not entries:
            fold_settled(change, path)

    def edit(self, change: Change, field: Field, path: Path, base: Any, value: Any) -> None:
        difference = add(value, negative(base))
        if difference != 0 and difference != "0":
            self.contribute(change, field, path, difference)

    def read(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        def shown(look: Look, cell: Any) -> Any:
            return _total(look, cell)

        return node_value(look, field, path, public, cell, shown)

    def check(self, field: Field, cell: Any) -> None:
        def amounts(cell: Any) -> None:
            for entries in cell.values():
                for value in check_register(entries, deletable=False):
                    check_amount(value)

        check_node(cell, amounts)

    def foreseen(self, field: Field, shown: Any, base: Any, new: Any) -> Any:
        return new if type(base) is type(shown) is type(new) is int and base == shown else ABSENT

    def shares(self, value: Any, agent: str) -> Iterable[tuple[Any, str]]:
        return [(part, whose) for whose, part in shares_of(encode(value), agent)]

    def take_back(self, change: Change, path: Path, before: Any, after: Any, dot: tuple[str, int]) -> bool:
        if path[-1] is None:
            return False
        self._take_back(change, path, before, after, dot)
        return True

    def _take_back(self, change: Change, path: Path, before: Any, after: Any, dot: tuple[str, int]) -> None:
        """Takes back the amount that the write with this dot added to its agent's sum, where it still stands."""
        if not after or "\x00" not in str(path[-1]):  # to fold what others had added is no effect of its own
            return
        amount, since = decode(after[0].value)
        if before:
            amount = add(amount, negative(decode(before[0].value)[0]))
        current = change.register(path)
        if not current:
            take_from_folded(change, path, amount, dot)
            return
        entry = current[0]
        total, first = decode(entry.value or b"[0,0]")
        if first > dot[1] or first < since:
            take_from_folded(change, path, amount, dot)
        elif entry.stamp[1:3] == dot and not before:
            change.set(path, ())
        else:
            stamp = entry.stamp._replace(n=change.stamp.n)
            change.set(path, (entry._replace(stamp=stamp, value=encode([add(total, negative(amount)), first])),))

    @staticmethod
    def folds(field: Field) -> bool:
        """Tells whether amounts of one agent are added up in one entry."""
        return not field.checked


class _Amounts:
    """The amounts of a counter as they were read, by key, and their sum."""

    __slots__ = ("by_key", "total")

    def __init__(self) -> None:
        self.by_key: dict[str, Any] = {}
        self.total: Any = ABSENT

    def put(self, key: str, amount: Any) -> bool:
        """Takes what stands at a key now; tells whether the sum is still right: it is not where a decimal went, whose
        digits the sum has, nor in floating point, where the order counts."""
        before = self.by_key.pop(key, ABSENT)
        if amount is ABSENT:
            return before is ABSENT
        self.by_key[key] = amount
        if type(amount) is float or type(self.total) is float:
            return False
        if before is not ABSENT:
            if type(before) is not int or type(amount) is not int:
                return False
            amount -= before
        self.total = amount if self.total is ABSENT else add(self.total, amount)
        return True

    def add_up(self) -> None:
        """Makes the sum anew."""
        self.total = sum_of([self.by_key[key] for key in sorted(self.by_key)])


def _total(look: Look, cell: Any) -> Any:
    """The sum of a counter's amounts; ``ABSENT`` if there are none."""

    def put(found: _Amounts, key: str) -> bool:
        return found.put(key, _sum(look.entries(cell.get(key, ()))))

    return gathered(look, cell, lambda: (_Amounts(), cell), put, _Amounts.add_up).total


def _sum(register: Register) -> Any:
    return sum_of([amount_of(entry.value) for entry in register])


def sum_of(amounts: Sequence[Any]) -> Any:
    """Returns the sum of amounts in JSON form, in their order; ``ABSENT`` of none."""
    if not amounts or any(type(amount) is str for amount in amounts):
        return reduce(add, amounts) if amounts else ABSENT
    return sum(amounts[1:], amounts[0])


def amount_of(value: JSON | None) -> Any:
    """Returns what an entry of a counter adds to its sum."""
    assert value is not None
    return decode(value[1 : value.index(b",")])


def _first(entries: Register) -> tuple[Any, ...]:
    return tuple(entry.stamps[0] for entry in entries)[:1]
