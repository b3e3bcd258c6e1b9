"""What a write may be at most: its size, its depth, the digits of its numbers, the length of names and keys."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from concordant.errors import Fault, InvalidWriteError
from concordant.limits import MOST_DEPTH, Limits
from concordant.merge.kinds import Field
from concordant.schema import Compiled
from concordant.values import JSON, MAX_DIGITS, decode, has_long_run

__all__ = ["check_body", "check_place", "plain_size"]

_SPLIT = "Split it into several documents, or store it elsewhere and keep a reference to it here"


def check_place(namespace: tuple[str, ...], key: str, limits: Limits) -> None:
    """Refuses a namespace or key that is too long.

    Raises:
        InvalidWriteError: it is.
    """
    for what, length in (("namespace", sum(map(_length, namespace))), ("key", _length(key))):
        if length > limits.key:
            problem = f"the {what} has {length:,} bytes, at most {limits.key:,} are taken (Limits.key)"
            fault = Fault((), problem, "Use a shorter one, such as a hash of it")
            raise InvalidWriteError(tuple(part[:80] for part in namespace), key[:80], [fault])


def plain_size(limits: Limits) -> int:
    """Tells up to how many bytes no JSON is beyond the limits, but for a counter's amount with an exponent."""
    return min(limits.value, limits.digits, limits.depth if limits.depth < MOST_DEPTH else limits.value)


def check_body(schema: Compiled, namespace: tuple[str, ...], key: str, body: JSON, limits: Limits) -> None:
    """Refuses a write that is too large, nested too deeply, or has a number with too many digits.

    Raises:
        InvalidWriteError: it is; says where.
    """
    if len(body) > limits.value:
        problem = f"its JSON has {len(body):,} bytes, at most {limits.value:,} are taken (Limits.value)"
        raise InvalidWriteError(namespace, key, [Fault((), problem, _SPLIT)])
    if limits.depth < MOST_DEPTH and body.count(b"[") + body.count(b"{") > limits.depth:
        _check_depth(namespace, key, decode(body), (), limits.depth)
    # Of other numbers that are longer than any limit validation has told already.
    if (limits.digits < MAX_DIGITS or schema.root.counts) and (has_long_run(body, limits.digits) or b"E" in body):
        _check_numbers(schema.root, namespace, key, body, limits.digits)


def _check_depth(namespace: tuple[str, ...], key: str, value: Any, path: tuple[Any, ...], left: int) -> None:
    if not isinstance(value, (dict, list)):
        return
    if left == 0:
        problem = f"nested deeper than {len(path)} levels (Limits.depth)"
        raise InvalidWriteError(namespace, key, [Fault(path[:3], problem, "Flatten the value or store it as text")])
    for name, part in value.items() if isinstance(value, dict) else enumerate(value):
        _check_depth(namespace, key, part, (*path, name), left - 1)


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _check_numbers(root: Field, namespace: tuple[str, ...], key: str, body: JSON, digits: int) -> None:
    try:
        found: tuple[Any, ...] | None = next(_too_long(root, decode(body), (), digits), None)
    except ValueError:  # Python itself does not read so long a number
        found = ()
    if found is not None:
        problem = f"a number of more than {digits:,} digits (Limits.digits)"
        raise InvalidWriteError(namespace, key, [Fault(found, problem, "Round it, or store it as text")])


def _too_long(field: Field | None, value: Any, path: tuple[Any, ...], digits: int) -> Iterator[tuple[Any, ...]]:
    """The paths of numbers with more digits."""
    if isinstance(value, dict):
        for name, part in value.items():
            inner = None if field is None else field.fields.get(name, field.child)
            yield from _too_long(inner, part, (*path, name), digits)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _too_long(field.child if field is not None else None, part, (*path, number), digits)
    elif isinstance(value, int):
        if value.bit_length() > 3.33 * digits and abs(value) >= 10**digits:
            yield path
    elif isinstance(value, str) and field is not None and field.kind.holds == "amount" and _digits(value) > digits:
        yield path


def _digits(text: str) -> int:
    """How many digits a decimal has when it is written out."""
    try:
        _, digits, exponent = Decimal(text).as_tuple()
    except InvalidOperation:
        return 0
    if not isinstance(exponent, int):
        return 0
    return max(len(digits) + exponent, 1) + max(-exponent, 0)
