"""Records and changes as the bytes that a database holds: compressed, with what stands beside them as a dictionary.

What a record says of a value repeats the value, and its form is the same in all records; both need no room.
"""

from __future__ import annotations

import zlib

__all__ = ["pack", "unpack"]

_FORM = (
    b'","priority":null,"counter:","list:","map[scalar]:","text:","scalar:","set:","\\u0000,{"leaf":[[0,"\\",null,[],[],'
    b'0]]},{"leaf":[[1,"\\"[[0,"[1,1]",null,[0],[],0]]}],null,"anonymous","","edit"],"write"],"put"]"arrivals":[],"lives"'
    b':[[1,true]],"leaves":[[["{"p":[[1,1,0,"\\n,null,3,[]]],"s":[]}],"leases":[],"swept":false,"touched":0,"reborn":0.0,'
    b'"settings":{},"stamps":[[{"format":1,"vector":{"'
)
"""What most of them have in common. Never change it: what was packed with it is unpacked with it."""

_PACKED = b"\x01"  # no JSON text begins so
_WINDOW = 30_000
_LARGE = 1 << 18  # what is larger is written as it is: a write is not to wait for it
_RAW = -15  # deflate without a header


def pack(data: bytes, beside: bytes | None) -> bytes:
    """Bytes to store.

    Args:
        data: JSON text.
        beside: what will be there when it is read again.
    """
    if len(data) > _LARGE:
        return data
    packer = zlib.compressobj(3, zlib.DEFLATED, _RAW, zdict=(beside or b"")[:_WINDOW] + _FORM)
    return _PACKED + packer.compress(data) + packer.flush()


def unpack(data: bytes, beside: bytes | None) -> bytes:
    """The JSON text that was stored.

    Raises:
        zlib.error: it was not packed beside this.
    """
    if data[:1] != _PACKED:
        return data
    unpacker = zlib.decompressobj(_RAW, zdict=(beside or b"")[:_WINDOW] + _FORM)
    return unpacker.decompress(data[1:]) + unpacker.flush()
