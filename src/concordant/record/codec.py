"""Records as bytes and back, exactly.

The form is one JSON document with a format number: trees as nested arrays, values as the JSON text they are stored
as, stamps in a table of their own, so that the many entries of one write share one.
"""

from __future__ import annotations

import json
from typing import Any

from concordant.causal import Agreed, Entry, Stamp
from concordant.errors import ConcordantError
from concordant.record.record import Record
from concordant.sequence.order import newest_root
from concordant.sequence.pieces import Piece, Sequence, Strike, run_of
from concordant.tree import Leaf, leaves, place_leaf

__all__ = ["FORMAT", "CodecError", "dump_record", "load_record"]

FORMAT = 1


class CodecError(ConcordantError, ValueError):
    """Bytes that are no record of a known format."""


def dump_record(record: Record, *, local: bool = True) -> bytes:
    """The record's bytes.

    Args:
        local: whether to include what only this replica knows (when writes of others arrived).
    """
    stamps: dict[Stamp, int] = {}

    def number(stamp: Stamp) -> int:
        return stamps.setdefault(stamp, len(stamps))

    body = [[list(path), _dump_leaf(leaf, number)] for path, leaf in leaves(record.tree)]
    document = {
        "format": FORMAT,
        "vector": record.vector,
        "created": record.created_at,
        "updated": record.updated_at,
        "arrivals": list(record.arrivals) if local else [],
        "leaves": body,
        "settings": {
            name: [*setting[:3], setting[3] and setting[3].decode()] for name, setting in record.settings.items()
        },
        "stamps": [list(stamp) for stamp in stamps],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def load_record(data: bytes) -> Record:
    """The record that these bytes were made of.

    Raises:
        CodecError: they are not such bytes.
    """
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise CodecError(f"a record of format {document['format']!r}; this version reads format {FORMAT}")
        stamps = [
            Stamp(float(s[0]), _text(s[1]), int(s[2]), _text(s[3]), _text(s[4]), _text(s[5]))
            for s in document["stamps"]
        ]
        record = Record()
        record.vector = {_text(replica): int(n) for replica, n in document["vector"].items()}
        record.created_at = float(document["created"])
        record.updated_at = float(document["updated"])
        record.arrivals = tuple((int(n), float(t), _text(r), int(u)) for n, t, r, u in document["arrivals"])
        record.settings = {
            _text(name): (float(time), _text(replica), int(n), None if value is None else _text(value).encode())
            for name, (time, replica, n, value) in document["settings"].items()
        }
        for path, leaf in document["leaves"]:
            place_leaf(record.tree, _path(path), _load_leaf(leaf, stamps))
    except CodecError:
        raise
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise CodecError(f"no record ({type(error).__name__}: {error})") from error
    record.recount()
    return record


def _dump_leaf(leaf: Leaf, number: Any) -> Any:
    if isinstance(leaf, Sequence):
        pieces = [
            [
                number(piece.stamp),
                piece.k,
                piece.offset,
                piece.content if isinstance(piece.content, str) else [item.decode() for item in piece.content],
                piece.parent,
                int(piece.line) + 2 * int(piece.live),
                [list(run) for run in piece.struck],
            ]
            for piece in leaf
        ]
        return {"p": pieces, "s": [[number(s.stamp), s.k] for s in leaf.strikes.values()]}
    return [
        [
            number(entry.stamp),
            None if entry.value is None else entry.value.decode(),
            None if entry.base is None else [*entry.base[:3], entry.base.value and entry.base.value.decode()],
            [number(stamp) for stamp in entry.confirms],
            [[list(path), _dump_leaf(part, number)] for path, part in entry.covered],  # type: ignore[arg-type]
            entry.place,
        ]
        for entry in leaf
    ]


def _load_leaf(data: Any, stamps: list[Stamp]) -> Leaf:
    if isinstance(data, dict):
        pieces = [
            Piece(
                stamps[stamp],
                int(k),
                int(offset),
                content if isinstance(content, str) else tuple(_text(item).encode() for item in content),
                None if parent is None else (_text(parent[0]), int(parent[1]), int(parent[2]), int(parent[3])),
                bool(flags & 1),
                tuple((_text(r), int(n), int(number)) for r, n, number in struck),
                bool(flags & 2),
            )
            for stamp, k, offset, content, parent, flags, struck in data["p"]
        ]
        strikes = [Strike(stamps[stamp], int(k)) for stamp, k in data["s"]]
        return Sequence(pieces, {run_of(s): s for s in strikes}, newest_root(pieces))
    return tuple(
        Entry(
            stamps[stamp],
            None if value is None else _text(value).encode(),
            None
            if base is None
            else Agreed(
                float(base[0]), _text(base[1]), int(base[2]), None if base[3] is None else _text(base[3]).encode()
            ),
            tuple(stamps[number] for number in confirms),
            tuple((_path(path), _load_leaf(part, stamps)) for path, part in covered),
            int(place),
        )
        for stamp, value, base, confirms, covered, place in data
    )


def _path(parts: list[Any]) -> tuple[str | None, ...]:
    return tuple(None if part is None else _text(part) for part in parts)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise CodecError(f"{value!r} stands where text is meant")
    return value
