"""Records and changes as the bytes that a database holds: compressed, with what stands beside them as a dictionary.

What a record says of a value repeats the value, and its form is the same in all records; both need no room.
"""

from __future__ import annotations

import zlib

from concordant.errors import ConcordantError

__all__ = ["RottenError", "pack", "unpack"]

_FORM = (
    b'","priority":null,"counter:","list:","map[scalar]:","text:","scalar:","set:","\\u0000,{"leaf":[[0,"\\",null,[],[],'
    b'0]]},{"leaf":[[1,"\\"[[0,"[1,1]",null,[0],[],0]]}],null,"anonymous","","edit"],"write"],"put"]"arrivals":[],"lives"'
    b':[[1,true]],"leaves":[[["{"p":[[1,1,0,"\\n,null,3,[]]],"s":[]}],"leases":[],"swept":false,"touched":0,"reborn":0.0,'
    b'"settings":{},"stamps":[[{"format":1,"vector":{"'
)
"""What most of them have in common. Never change it: what was packed with it is unpacked with it."""

_PACKED = b"\x01"  # no JSON text begins so; without a checksum: packed by an earlier version
_CHECKED = b"\x02"  # four bytes of a checksum follow
_WHOLE = b"\x03"  # the same, and what follows them is the text itself
_WINDOW = 30_000
_LARGE = 1 << 18  # what is larger is written as it is: a write is not to wait for it
_RAW = -15  # deflate without a header


class RottenError(ConcordantError, ValueError):
    """Stored bytes changed since they were stored."""


def pack(data: bytes, beside: bytes | None) -> bytes:
    """Bytes to store.

    Args:
        data: JSON text.
        beside: what will be there when it is read again.
    """
    sum_ = zlib.crc32(data).to_bytes(4, "big")
    if len(data) > _LARGE:
        return _WHOLE + sum_ + data
    packer = zlib.compressobj(3, zlib.DEFLATED, _RAW, zdict=(beside or b"")[:_WINDOW] + _FORM)
    return _CHECKED + sum_ + packer.compress(data) + packer.flush()


def unpack(data: bytes, beside: bytes | None) -> bytes:
    """The JSON text that was stored.

    Raises:
        RottenError: these are not the bytes that were stored, or it was not packed beside this.
    """
    form, text = data[:1], data
    if form in (_PACKED, _CHECKED):
        unpacker = zlib.decompressobj(_RAW, zdict=(beside or b"")[:_WINDOW] + _FORM)
        try:
            text = unpacker.decompress(data[1 if form == _PACKED else 5 :]) + unpacker.flush()
        except zlib.error as error:
            raise RottenError(f"the bytes are not those that were stored ({error})") from error
    elif form == _WHOLE:
        text = data[5:]
    if form in (_CHECKED, _WHOLE) and zlib.crc32(text).to_bytes(4, "big") != data[1:5]:
        raise RottenError("the bytes are not those that were stored (their checksum differs)")
    return text
