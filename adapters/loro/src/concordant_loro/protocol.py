"""The messages of the Loro protocol, version 1, as npm's ``loro-protocol`` and ``loro-websocket`` speak it.

A message is the sort of data, the room (with its length), its kind, and what the kind holds. Numbers are LEB128.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from concordant_loro.errors import LoroError

__all__ = [
    "DOCUMENT",
    "MOST_MESSAGE",
    "PRESENCE",
    "JoinErrorCode",
    "Message",
    "MessageKind",
    "RoomErrorCode",
    "Status",
    "acknowledged",
    "decode",
    "join_failed",
    "joined",
    "room_failed",
    "updates",
]

MOST_MESSAGE = 256 * 1024
"""How many bytes one message has at most; what is larger travels in fragments."""

DOCUMENT = b"%LOR"
PRESENCE = b"%EPH"

_MOST_ROOM = 128
_FRAGMENT = MOST_MESSAGE - 4 * 1024
_MOST_NUMBER = 35  # bits


class MessageKind(IntEnum):
    """What a message is."""

    JOIN = 0
    JOINED = 1
    JOIN_ERROR = 2
    UPDATE = 3
    FRAGMENT_HEADER = 4
    FRAGMENT = 5
    ROOM_ERROR = 6
    LEAVE = 7
    ACKNOWLEDGED = 8


class JoinErrorCode(IntEnum):
    """Why somebody may not join."""

    UNKNOWN = 0
    AUTH_FAILED = 2


class RoomErrorCode(IntEnum):
    """Why somebody is no longer in a room."""

    REJOIN_SUGGESTED = 1


class Status(IntEnum):
    """What became of an update."""

    OK = 0
    UNKNOWN = 1
    PERMISSION_DENIED = 3
    INVALID_UPDATE = 4
    PAYLOAD_TOO_LARGE = 5
    FRAGMENT_TIMEOUT = 7
    APP_ERROR = 127


class Message(NamedTuple):
    """A message of a client.

    Attributes:
        crdt: the sort of data: ``DOCUMENT``, ``PRESENCE``, or another that is not served here.
        auth, version: of a ``JOIN``.
        parts: the updates of an ``UPDATE``; the bytes of a ``FRAGMENT``.
        batch: which update it is about.
        number, size: how many fragments there are, and how large they are together; of a ``FRAGMENT`` its place.
    """

    crdt: bytes
    room: str
    kind: MessageKind
    auth: bytes = b""
    version: bytes = b""
    parts: tuple[bytes, ...] = ()
    batch: bytes = b""
    number: int = 0
    size: int = 0


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, length: int) -> bytes:
        found = self.data[self.at : self.at + length]
        if len(found) < length:
            raise LoroError("The message ends too early")
        self.at += length
        return found

    def number(self) -> int:
        found = shift = 0
        while shift < _MOST_NUMBER:
            byte = self.take(1)[0]
            found |= (byte & 127) << shift
            if not byte & 128:
                return found
            shift += 7
        raise LoroError("The message has a number that is too large")

    def block(self) -> bytes:
        return self.take(self.number())


def decode(data: bytes) -> Message:
    """Reads a message of a client.

    Raises:
        LoroError: it is none.
    """
    if len(data) > MOST_MESSAGE:
        raise LoroError(f"The message has {len(data):,} bytes; {MOST_MESSAGE:,} are read")
    reader = _Reader(bytes(data))
    crdt, room = reader.take(4), reader.block()
    if len(room) > _MOST_ROOM:
        raise LoroError(f"The name of the room has {len(room):,} bytes; {_MOST_ROOM} are read")
    try:
        start = Message(crdt, room.decode(), MessageKind(reader.take(1)[0]))
    except ValueError as error:
        raise LoroError(f"The message is none of the Loro protocol: {error}") from error
    if start.kind is MessageKind.JOIN:
        return start._replace(auth=reader.block(), version=reader.block())
    if start.kind is MessageKind.UPDATE:
        parts = tuple(reader.block() for _ in range(min(reader.number(), len(data))))
        return start._replace(parts=parts, batch=reader.take(8))
    if start.kind is MessageKind.FRAGMENT_HEADER:
        return start._replace(batch=reader.take(8), number=reader.number(), size=reader.number())
    if start.kind is MessageKind.FRAGMENT:
        return start._replace(batch=reader.take(8), number=reader.number(), parts=(reader.block(),))
    return start


def _number(number: int) -> bytes:
    found = bytearray()
    while True:
        found.append(number & 127 | (128 if number > 127 else 0))
        number >>= 7
        if not number:
            return bytes(found)


def _block(data: bytes) -> bytes:
    return _number(len(data)) + data


def _head(crdt: bytes, room: str, kind: MessageKind) -> bytes:
    return crdt + _block(room.encode()) + bytes([kind])


def joined(crdt: bytes, room: str, *, may_write: bool, version: bytes, extra: bytes = b"") -> bytes:
    """Answers that somebody is in a room."""
    permission = b"write" if may_write else b"read"
    return _head(crdt, room, MessageKind.JOINED) + _block(permission) + _block(version) + _block(extra)


def join_failed(crdt: bytes, room: str, code: JoinErrorCode, said: str) -> bytes:
    """Answers that somebody may not join."""
    return _head(crdt, room, MessageKind.JOIN_ERROR) + bytes([code]) + _block(said.encode())


def room_failed(crdt: bytes, room: str, code: RoomErrorCode, said: str) -> bytes:
    """Says that somebody is no longer in a room."""
    return _head(crdt, room, MessageKind.ROOM_ERROR) + bytes([code]) + _block(said[:1_000].encode())


def acknowledged(crdt: bytes, room: str, batch: bytes, status: Status) -> bytes:
    """Says what became of an update."""
    return _head(crdt, room, MessageKind.ACKNOWLEDGED) + batch + bytes([status])


def updates(crdt: bytes, room: str, data: bytes, batch: bytes) -> list[bytes]:
    """Makes an update: one message, or a header and fragments where it is large."""
    if len(data) <= _FRAGMENT:
        return [_head(crdt, room, MessageKind.UPDATE) + _number(1) + _block(data) + batch]
    parts = [data[at : at + _FRAGMENT] for at in range(0, len(data), _FRAGMENT)]
    header = _head(crdt, room, MessageKind.FRAGMENT_HEADER) + batch + _number(len(parts)) + _number(len(data))
    fragment = _head(crdt, room, MessageKind.FRAGMENT) + batch
    return [header, *(fragment + _number(place) + _block(part) for place, part in enumerate(parts))]
