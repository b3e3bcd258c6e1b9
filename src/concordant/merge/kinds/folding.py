"""The settled amounts of a counter, folded: what many agents added, in few entries.

Each agent's sum is an entry of its own while somebody may not have seen it. Who writes to a counter with many of them
folds those that it has seen into one entry, ``[sum, n, shares]``: all amounts since the write ``n`` are in the sum, and
each share, ``[agent, amount, first, more]``, tells what of it an agent added by its writes from ``first`` to
``first + more``. So a sum of many names takes a few bytes a name, all of them are named, and a write that is executed
again can still take its earlier amount back. An entry takes ``MOST_SHARES``, then the next one begins.
"""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation
from typing import Any

from concordant.errors import MisshapenError
from concordant.merge.causality import Entry, Register, Stamp, order_of
from concordant.merge.registers import Change, Path, Tree, leaf_at
from concordant.values import decode, encode

__all__ = ["EXACT", "add", "check_amount", "fold_settled", "negative", "shares_of", "take_from_folded"]

MOST_APART = 64
"""How many entries a counter has until those that are settled are folded."""

MOST_SHARES = 256

_SOME = 3

EXACT = Context(prec=4096)


def add(one: Any, other: Any) -> Any:
    """Returns the exact sum of two amounts in JSON form (a ``Decimal`` is a string)."""
    if isinstance(one, str) or isinstance(other, str):
        return format(EXACT.add(Decimal(one), Decimal(other)), "f")
    return one + other


def _is_amount(amount: Any) -> bool:
    if not isinstance(amount, str):
        return type(amount) in (int, float)
    try:
        return Decimal(amount).is_finite()
    except InvalidOperation:
        return False


def negative(amount: Any) -> Any:
    """Returns the amount that takes this one back."""
    return format(EXACT.minus(Decimal(amount)), "f") if isinstance(amount, str) else -amount


def check_amount(value: Any) -> None:
    """Makes sure that an entry's value is one of a counter.

    Raises:
        MisshapenError: it is not.
    """
    if not isinstance(value, list) or len(value) not in (2, 3) or type(value[1]) is not int:
        raise MisshapenError("a counter's amount is not [amount, number of its first write]")
    shares = value[2] if len(value) == 3 else []
    if not isinstance(shares, list) or not all(map(_is_share, shares)):
        raise MisshapenError("a counter's folded amount does not tell whose it is")
    for amount in (value[0], *(share[1] for share in shares)):
        if not _is_amount(amount):
            raise MisshapenError(f"{amount!r} is no number to count with")


def _is_share(share: Any) -> bool:
    if not isinstance(share, list) or len(share) != 4:
        return False
    return isinstance(share[0], str) and type(share[2]) is type(share[3]) is int and share[3] >= 0


def shares_of(value: bytes, agent: str) -> list[tuple[str, Any]]:
    """Tells who added what of an entry's sum.

    Args:
        agent: whose entry it is, if it is not folded.
    """
    amount, _, *folded = decode(value)
    return [(share[0], share[1]) for share in folded[0]] if folded else [(agent, amount)]


def fold_settled(change: Change, path: Path) -> None:
    """Folds the sums of a counter that the writer has seen, where there are many of its replica."""
    cell: Any = leaf_at(change.tree, path)
    if not isinstance(cell, dict) or len(cell) < MOST_APART:
        return
    if len(cell) % (1 << (len(cell).bit_length() - 2)) and not _are_mostly_settled(change, path, cell):
        return  # where many are not settled, that is not found out for each that comes
    begin = f"{change.stamp.replica}\x00"
    own = begin + change.stamp.agent
    keys = [key for key in cell if key is not None and key != own and key.startswith(begin)]
    settled = sorted((entry, key) for key in keys for entry in _if_seen(change, (*path, key)))
    if len(settled) >= MOST_APART // 2:
        oldest = min((entry.stamps[0] for entry, _ in settled), key=order_of)
        _fold(change, path, [_share(entry, key[len(begin) :]) for entry, key in settled], oldest)
        for _, key in settled:
            change.set((*path, key), ())


def _are_mostly_settled(change: Change, path: Path, cell: Tree) -> bool:
    """Whether the writer has seen most of a counter's entries, by some of them."""
    keys = [key for key in cell if key is not None]
    some = (keys[part * len(keys) // (_SOME + 1)] for part in range(1, _SOME + 1))
    return all(_if_seen(change, (*path, key)) for key in some)


def _share(entry: Entry, agent: str) -> list[Any]:
    amount, first = decode(entry.value or b"[0,0]")
    return [agent, amount, first, max(entry.stamp.n - first, 0)]


def _fold(change: Change, path: Path, shares: list[list[Any]], oldest: Stamp) -> None:
    """Adds shares to the last folded entry, or makes the next one if that is full."""
    place, last = _last_folded(change, path)
    known = decode(last.value or b"[0,0,[]]")[2] if last is not None else []
    if last is not None and len(known) < MOST_SHARES:
        change.set(place, (_folded(change.stamp, _joined(known, shares), last.confirms),))
    else:
        place = (*path, f"{change.stamp.replica}\x01{change.stamp.n}")
        change.set(place, (_folded(change.stamp, shares, (oldest,)),))


def _if_seen(change: Change, place: Path) -> Register:
    """The entries at a place, if the writer has seen all of them."""
    register = change.register(place)
    return register if all(change.seen(entry.stamp) for entry in register) else ()


def _joined(known: list[list[Any]], shares: list[list[Any]]) -> list[list[Any]]:
    """Shares with others added, those of one agent as one."""
    by_agent = {share[0]: share for share in known}
    for share in shares:
        mine = by_agent.setdefault(share[0], share)
        if mine is not share:
            upto = max(mine[2] + mine[3], share[2] + share[3])
            first = min(mine[2], share[2])
            mine[1:] = add(mine[1], share[1]), first, upto - first
    return list(by_agent.values())


def _folded(stamp: Stamp, shares: list[list[Any]], confirms: tuple[Stamp, ...]) -> Entry:
    total: Any = shares[0][1]
    for share in shares[1:]:
        total = add(total, share[1])
    return Entry(stamp, encode([total, min(share[2] for share in shares), shares]), None, confirms)


def _last_folded(change: Change, path: Path) -> tuple[Path, Entry | None]:
    begin = f"{change.stamp.replica}\x01"
    keys = [key for key in change.keys(path) if key.startswith(begin)]
    for key in sorted(keys, key=lambda key: int(key[len(begin) :]), reverse=True):
        for entry in _if_seen(change, (*path, key)):
            return (*path, key), entry
    return (), None


def take_from_folded(change: Change, path: Path, amount: Any, dot: tuple[str, int]) -> None:
    """Takes back the amount that a write added to the sum at a place, if that is in a folded entry by now."""
    *holder, key = path
    begin, agent = f"{dot[0]}\x01", str(key).partition("\x00")[2]
    for name in change.keys(tuple(holder)):
        place = (*holder, name)
        register = change.register(place) if name.startswith(begin) else ()
        for entry in register:
            shares = decode(entry.value or b"[0,0,[]]")[2]
            mine = next((s for s in shares if s[0] == agent and s[2] <= dot[1] <= s[2] + s[3]), None)
            if mine is None:
                continue
            if mine[3]:
                mine[1] = add(mine[1], negative(amount))
            else:
                shares.remove(mine)
            stamp = entry.stamp._replace(n=change.stamp.n)
            change.set(place, (_folded(stamp, shares, entry.confirms),) if shares else ())
            return
