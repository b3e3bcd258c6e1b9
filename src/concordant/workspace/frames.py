"""Frames: documents on their way to another workspace, as bytes with a digest and, with a key, a MAC."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable

from concordant.errors import CorruptFrameError
from concordant.record import CodecError, Record, dump_record, load_record

__all__ = ["MAX_FRAME", "pack", "unpack"]

MAX_FRAME = 256 * 1024 * 1024
"""Largest frame accepted, in bytes."""

_MAGIC = b"CCD1"


def pack(replica: str, documents: Iterable[tuple[tuple[str, ...], str, Record]], key: bytes | None) -> bytes:
    """One frame of the given records."""
    items = [[list(ns), name, dump_record(record, local=False).decode()] for ns, name, record in documents]
    body = json.dumps({"replica": replica, "documents": items}, ensure_ascii=False).encode()
    return _MAGIC + _digest(body, key) + body


def unpack(data: bytes, key: bytes | None) -> tuple[str, list[tuple[tuple[str, ...], str, Record]]]:
    """The replica and the records of a frame.

    Raises:
        CorruptFrameError: too large, no frame, not intact, made with another key, or of another format.
    """
    if not isinstance(data, (bytes, bytearray)):
        raise CorruptFrameError(f"it is a {type(data).__name__}, not bytes")
    if len(data) > MAX_FRAME:
        raise CorruptFrameError(f"it has {len(data)} bytes, at most {MAX_FRAME} are accepted")
    if data[:4] != _MAGIC or len(data) < 36:
        raise CorruptFrameError("it does not begin like a frame")
    body = bytes(data[36:])
    if not hmac.compare_digest(bytes(data[4:36]), _digest(body, key)):
        raise CorruptFrameError("its digest does not fit (changed on the way, or made with another frame_key)")
    try:
        content = json.loads(body)
        documents = []
        for namespace, name, record in content["documents"]:
            if not all(isinstance(part, str) for part in [name, *namespace]):
                raise CorruptFrameError("a namespace or key is not text")
            documents.append((tuple(namespace), name, load_record(record.encode())))
        return str(content["replica"]), documents
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, CodecError) as error:
        raise CorruptFrameError(f"it cannot be read ({error})") from error


def _digest(body: bytes, key: bytes | None) -> bytes:
    if key is None:
        return hashlib.sha256(body).digest()
    return hmac.new(key, body, hashlib.sha256).digest()
