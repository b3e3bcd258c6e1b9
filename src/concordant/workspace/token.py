"""Reads as text: what a document showed, or a moment of a store, in a few letters that any process understands.

A token is a reference into the store's own history, so that the store keeps nothing for it: the number of a commit,
and digests by which a token of another store, of another document or of a lost history is recognised. It is signed by
nothing: whoever can make one up can say that they have read something, and no more.
"""

from __future__ import annotations

import binascii
import json
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, NamedTuple, TypeAlias

from concordant.errors import InvalidTokenError, StorageError
from concordant.storage.cut import Cut, is_cut, joined, numbers_of
from concordant.values import JSON, decode

__all__ = ["Shown", "ShownAt", "digest_of", "document_token", "moment_token", "parse_tokens"]

_DOCUMENT = struct.Struct(">c6s6s6s4s")  # kind, store, number of the commit, document, what it showed
_MOMENT = struct.Struct(">c6s6sd2x")  # kind, store, number of the commit, time
_CLOCKS = ">c6s{}sd2x"  # the same, of a store with several clocks: the number of each
_DIGITS = 6
_SUM = 4
_LONGEST = 4096


class Shown(NamedTuple):
    """What a document's token says: the document was read at a version, and showed something with this digest."""

    version: int
    digest: bytes


class ShownAt(NamedTuple):
    """What a moment's token says: how far the store had come, and the time."""

    n: Cut
    time: float


Documents: TypeAlias = dict[bytes, Shown]
"""By the digest of namespace and key."""


def _number(n: int) -> bytes:
    try:
        return n.to_bytes(_DIGITS, "big")
    except OverflowError as error:
        raise StorageError("the store", f"{n} is no number of a commit", "Restore it from a back-up") from error


def document_token(replica: str, namespace: tuple[str, ...], key: str, version: int, body: JSON) -> str:
    """Makes the token of a document of the store ``replica`` that was read at a version and showed ``body``."""
    name = digest_of(namespace, key)
    return _text(_DOCUMENT.pack(b"D", _digest(replica, 6), _number(version), name, shown_digest(body)))


def moment_token(replica: str, n: Cut, time: float) -> str:
    """Makes the token of a moment of the store ``replica``."""
    numbers = b"".join(_number(number) for number in numbers_of(n))
    if isinstance(n, int):
        return _text(_MOMENT.pack(b"M", _digest(replica, 6), numbers, time))
    return _text(struct.pack(_CLOCKS.format(len(numbers)), b"C", _digest(replica, 6), numbers, time))


def parse_tokens(tokens: Any, replica: str, clocks: int = 1) -> tuple[Documents, ShownAt | None]:
    """Reads one token or several; of several of one document the newest counts, of several moments all.

    Args:
        clocks: how many clocks the store has.

    Raises:
        InvalidTokenError: one of them is no token, or is not of the store ``replica``.
    """
    try:
        given = [tokens] if isinstance(tokens, (str, bytes)) or not isinstance(tokens, Iterable) else list(tokens)
    except Exception as error:
        raise InvalidTokenError(tokens, "it cannot be read", "Give document.token, or a list of tokens") from error
    if not given:
        raise InvalidTokenError(tokens, "no token was given", "Leave seen= out, or give document.token")
    documents: Documents = {}
    moment: ShownAt | None = None
    for token in given:
        data = _bytes(token)
        store, n = data[1:7], int.from_bytes(data[7:13], "big")
        found = None if data[:1] == b"D" else _moment(data)
        if store != _digest(replica, 6) or (found is not None and not is_cut(found.n, clocks)):
            mend = "Read the document here, and give the token of that"
            raise InvalidTokenError(token, "it is a token of another store", mend)
        if found is None:
            name = data[13:19]
            if name not in documents or documents[name].version < n:
                documents[name] = Shown(n, data[19:])
        elif moment is None:
            moment = found
        else:
            moment = ShownAt(joined(moment.n, found.n), max(moment.time, found.time))
    return documents, moment


def _moment(data: bytes) -> ShownAt:
    """What the token of a moment says."""
    if data[:1] == b"M":
        _, _, number, time = _MOMENT.unpack(data)
        return ShownAt(int.from_bytes(number, "big"), time)
    _, _, numbers, time = struct.unpack(_CLOCKS.format(len(data) - 17), data)
    parts = [numbers[at : at + _DIGITS] for at in range(0, len(numbers), _DIGITS)]
    return ShownAt(tuple(int.from_bytes(one, "big") for one in parts), time)


def digest_of(namespace: tuple[str, ...], key: str) -> bytes:
    """Returns the digest that stands for a document in its tokens."""
    return _digest([namespace, key], 6)


def shown_digest(body: JSON) -> bytes:
    """Returns the digest of what a document showed: the same for equal values, whatever the order of their keys."""
    return _digest(decode(body), 4)


def _digest(value: Any, size: int) -> bytes:
    return blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=size).digest()


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data + blake2b(data, digest_size=_SUM).digest()).decode()


def _bytes(token: Any) -> bytes:
    problem = f"a {type(token).__name__} is no token"
    if isinstance(token, str):
        problem = "it is no token, or a damaged one"
        if token.isascii() and len(token) <= _LONGEST:
            try:
                data = urlsafe_b64decode(token)
            except (binascii.Error, ValueError):
                data = b""
            body, total = data[:-_SUM], data[-_SUM:]
            size = {b"D": _DOCUMENT.size, b"M": _MOMENT.size, b"C": max(len(body), 17)}.get(body[:1])
            if len(body) == size and blake2b(body, digest_size=_SUM).digest() == total and _text(body) == token:
                return body
    raise InvalidTokenError(token, problem, "Give document.token or moment.token as it was handed out")
