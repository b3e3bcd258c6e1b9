"""Frames: documents on their way to another workspace, as bytes with a digest and, with a key, a MAC; and those that
were refused, with the reason."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import threading
import time
import zlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from concordant.errors import CorruptFrameError
from concordant.escalation import when
from concordant.limits import MOST_FRAME
from concordant.merge.causality import VersionVector
from concordant.merge.record import MOST_WRITES, CodecError, Record, dump_record, load_record
from concordant.merge.registers import Path
from concordant.merge.sequence.onward import Onward
from concordant.storage.cut import Address, KnownOfDocuments
from concordant.storage.forking import free_in_child
from concordant.storage.knowledge import MOST, Marks
from concordant.workspace.names import is_text

__all__ = ["Frame", "Quarantine", "RefusedFrame", "opened", "pack", "seal", "unpack"]

_MAGIC = b"CCD3"
_ONWARD = b"CCD4"
"""With texts or lists that are told by what they were, which earlier versions refuse."""
_TRIMMED = b"CCD5"
"""With texts or lists of which something is forgotten: earlier versions, which would join them otherwise, refuse it."""
_PLAIN = b"CCD2"
"""What was not compressed yet: read, no longer written."""

_LEVEL = 4


class Frame(NamedTuple):
    """What travels from one store to another.

    Attributes:
        replica: whose it is.
        vector: what the sender knew: of each store the number of a commit up to which it knew all.
        since: what the frame leaves out for being known already to whom it was made for; empty: nothing.
        forgotten: what the sender knew when it last forgot documents (``Knowledge.forgotten``).
        documents: namespace, key and record of each.
        marks: by which the sender, and others it knows, are told from copies of them.
        onward: of documents the texts and lists that are told by what they were, and that their records lack.
        settled: what the sender and stores that it has heard of have settled (``concordant.workspace.frontier``).
    """

    replica: str
    vector: VersionVector
    since: VersionVector
    forgotten: VersionVector
    documents: list[tuple[tuple[str, ...], str, Record]]
    marks: Mapping[str, Marks] = {}
    onward: Mapping[Address, Mapping[Path, Onward]] = {}
    settled: Mapping[str, tuple[float, VersionVector]] = {}

    @property
    def own(self) -> tuple[str, ...]:
        """Gives the names of the sender's clocks."""
        return KnownOfDocuments(self.vector).names(self.replica)


@dataclass(frozen=True, slots=True)
class RefusedFrame:
    """A frame that ``import_`` refused: when, why, and its bytes."""

    at: datetime
    reason: str
    frame: bytes


class Quarantine:
    """The newest refused frames, as many as there is room for."""

    MOST = 100
    ROOM = 16 * 1024 * 1024
    """How many bytes all of them may have together."""

    def __init__(self) -> None:
        self._kept: deque[RefusedFrame] = deque()
        self._lock = free_in_child(threading.Lock())

    def put(self, frame: object, reason: str) -> None:
        """Keeps a frame; of one that is too large, or no bytes at all, the reason alone."""
        data = bytes(frame) if isinstance(frame, (bytes, bytearray)) and len(frame) <= self.ROOM else b""
        with self._lock:
            self._kept.append(RefusedFrame(when(time.time()), reason, data))
            while len(self._kept) > self.MOST or sum(len(kept.frame) for kept in self._kept) > self.ROOM:
                self._kept.popleft()

    def frames(self) -> list[RefusedFrame]:
        """Tells what is kept, the newest last."""
        with self._lock:
            return list(self._kept)


def pack(frame: Frame, key: bytes | None) -> bytes:
    """Returns a frame as bytes."""
    items = [
        [list(ns), name, dump_record(record, local=False, onward=frame.onward.get((ns, name), {})).decode()]
        for ns, name, record in frame.documents
    ]
    content = {**frame._asdict(), "documents": items}
    del content["onward"]
    magic = _ONWARD if frame.onward else _MAGIC
    if any(record.floor for *_, record in frame.documents):
        magic = _TRIMMED
    return seal(json.dumps(content, ensure_ascii=False).encode(), key, magic)


def seal(text: bytes, key: bytes | None, magic: bytes = _MAGIC) -> bytes:
    """Returns the bytes of a frame with this JSON text."""
    body = zlib.compress(text, _LEVEL)
    return magic + _digest(body, key) + body


def opened(data: bytes, key: bytes | None, most: int) -> bytes:
    """Returns the JSON text of a frame.

    Raises:
        CorruptFrameError: too large, no frame, not intact, or made with another key.
    """
    if not isinstance(data, (bytes, bytearray)):
        raise CorruptFrameError(f"it is a {type(data).__name__}, not bytes")
    if len(data) > most:
        raise CorruptFrameError(f"it has {len(data)} bytes, at most {most} are accepted (Limits.frame)")
    if data[:4] not in (_MAGIC, _ONWARD, _TRIMMED, _PLAIN) or len(data) < 36:
        raise CorruptFrameError("it does not begin like a frame, which is what export gave")
    body = bytes(data[36:])
    if not hmac.compare_digest(bytes(data[4:36]), _digest(body, key)):
        raise CorruptFrameError("its digest does not fit (changed on the way, or made with another frame_key)")
    if data[:4] == _PLAIN:
        return body
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(body, most)
    except zlib.error as error:
        raise CorruptFrameError(f"it cannot be unpacked ({error})") from error
    if not unpacker.eof:
        raise CorruptFrameError(f"unpacked it has more than {most} bytes, which is what is accepted (Limits.frame)")
    return text


def unpack(data: bytes, key: bytes | None, most: int = MOST_FRAME) -> Frame:
    """Returns a frame from its bytes.

    Args:
        most: how many bytes it may have, unpacked.

    Raises:
        CorruptFrameError: too large, no frame, not intact, made with another key, or of another format.
    """
    body = opened(data, key, most)
    try:
        content = json.loads(body)
        documents = []
        onward: dict[Address, dict[Path, Onward]] = {}
        for namespace, name, record in content["documents"]:
            if not all(isinstance(part, str) for part in [name, *namespace]):
                raise CorruptFrameError("a namespace or key is not text")
            told: dict[Path, Onward] = {}
            documents.append((tuple(namespace), name, load_record(record.encode(), told)))
            if told:
                onward[tuple(namespace), name] = told
        replica = content["replica"]
        vector, since, forgotten = (dict(content[name].items()) for name in ("vector", "since", "forgotten"))
        settled = _settled(content.get("settled", {}))
        vectors = [vector, since, forgotten, *(told for _, told in settled.values())]
        if not isinstance(replica, str) or not is_text(replica) or not all(map(_is_vector, vectors)):
            raise CorruptFrameError("it does not tell whose it is, or what its sender knew")
        marks = _marks(content.get("marks", {}))
        return Frame(replica, vector, since, forgotten, documents, marks, onward, settled)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, CodecError) as error:
        raise CorruptFrameError(f"it cannot be read ({error})") from error


def _is_vector(told: VersionVector) -> bool:
    """Whether it tells names and numbers as stores have them."""
    return all(is_text(name) and type(n) is int and 0 <= n <= MOST_WRITES for name, n in told.items())


def _settled(given: Any) -> dict[str, tuple[float, VersionVector]]:
    """What stores have settled, by their names; none in the frame of an earlier version."""
    found = {name: (float(time), dict(vector.items())) for name, (time, vector) in given.items()}
    if not all(map(is_text, found)) or not all(0 <= time < math.inf for time, _ in found.values()):
        raise CorruptFrameError("it does not tell what stores have settled")
    return found


def _marks(given: Any) -> dict[str, Marks]:
    """The marks of stores by their names; none in the frame of an earlier version."""
    found: dict[str, Marks] = {name: tuple((n, digest) for n, digest in told) for name, told in given.items()}
    every = [mark for told in found.values() for mark in told]
    sound = all(
        type(n) is int and 0 <= n <= MOST_WRITES and isinstance(digest, str) and is_text(digest) for n, digest in every
    )
    if not sound or not all(is_text(name) and len(told) <= MOST for name, told in found.items()):
        raise CorruptFrameError("the marks of its exports are none")
    return found


def _digest(body: bytes, key: bytes | None) -> bytes:
    if key is None:
        return hashlib.sha256(body).digest()
    return hmac.new(key, body, hashlib.sha256).digest()
