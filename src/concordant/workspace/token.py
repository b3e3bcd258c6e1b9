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

from concordant.errors import InvalidTokenError
from concordant.values import JSON, decode

__all__ = ["Shown", "ShownAt", "digest_of", "document_token", "moment_token", "parse_tokens"]

_DOCUMENT = struct.Struct(">c6s6s6s4s")  # kind, store, number of the commit, document, what it showed
_MOMENT = struct.Struct(">c6s6sd2x")  # kind, store, number of the commit, time
_SUM = 4
_LONGEST = 64


class Shown(NamedTuple):
    """What a document's token says: the document was read at a version, and showed something with this digest."""

    version: int
    digest: bytes


class ShownAt(NamedTuple):
    """What a moment's token says: the number of the last commit before it, and the time."""

    n: int
    time: float


Documents: TypeAlias = dict[bytes, Shown]
"""By the digest of namespace and key."""


def document_token(replica: str, namespace: tuple[str, ...], key: str, version: int, body: JSON) -> str:
    """Makes the token of a document of the store ``replica`` that was read at a version and showed ``body``."""
    name = digest_of(namespace, key)
    return _text(_DOCUMENT.pack(b"D", _digest(replica, 6), version.to_bytes(6, "big"), name, shown_digest(body)))


def moment_token(replica: str, n: int, time: float) -> str:
    """Makes the token of a moment of the store ``replica``."""
    return _text(_MOMENT.pack(b"M", _digest(replica, 6), n.to_bytes(6, "big"), time))


def parse_tokens(tokens: Any, replica: str) -> tuple[Documents, ShownAt | None]:
    """Reads one token or several; of several of one document, or of several moments, the newest counts.

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
        if store != _digest(replica, 6):
            mend = "Read the document here, and give the token of that"
            raise InvalidTokenError(token, "it is a token of another store", mend)
        if data[:1] == b"D":
            name = data[13:19]
            if name not in documents or documents[name].version < n:
                documents[name] = Shown(n, data[19:])
        elif moment is None or moment.n < n:
            moment = ShownAt(n, _MOMENT.unpack(data)[3])
    return documents, moment


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
            size = {b"D": _DOCUMENT.size, b"M": _MOMENT.size}.get(body[:1])
            if len(body) == size and blake2b(body, digest_size=_SUM).digest() == total and _text(body) == token:
                return body
    raise InvalidTokenError(token, problem, "Give document.token or moment.token as it was handed out")
