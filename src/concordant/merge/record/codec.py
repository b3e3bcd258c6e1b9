"""Records as bytes and back, exactly.

The form is one JSON document with a format number: trees as nested arrays, values as the JSON text they are stored
as, stamps in a table of their own, so that the many entries of one write share one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence as Items
from itertools import islice
from typing import Any

from pydantic_core import to_json

from concordant.errors import ConcordantError
from concordant.merge.causality import Agreed, Entry, Stamp
from concordant.merge.kinds.at_once import bulk_of
from concordant.merge.kinds.forms import field_of, form_of
from concordant.merge.record.leases import Lease
from concordant.merge.record.record import Record
from concordant.merge.registers import Leaf, Path, Tree, leaves, place_leaf
from concordant.merge.registers.bulk import Bulk
from concordant.merge.registers.tree import leaves_apart
from concordant.merge.sequence.onward import Onward
from concordant.merge.sequence.pieces import Anchor, Content, Piece, Sequence, Strike, newest_root, run_of, struck_by
from concordant.merge.sequence.splice import Contents, Spliced, Swap, content_in, contents_of
from concordant.values import decode_whole

__all__ = [
    "FORMAT",
    "CodecError",
    "Numbers",
    "dump_by_portions",
    "dump_content",
    "dump_leaf",
    "dump_piece",
    "dump_record",
    "dump_spliced",
    "load_leaf",
    "load_path",
    "load_piece",
    "load_pieces",
    "load_record",
    "load_spliced",
    "load_stamps",
    "load_strikes",
    "load_text",
]

FORMAT = 3
"""Format 1 lacks what tells where a run of a sequence was inserted, and whether it replaces what stood there; format 2
what one write gave at once. A record without that is of format 2, for others to read."""

PORTION = 128
"""How many pieces, strikes or stamps of a large record are told in one go."""

Number = Callable[[Stamp], int]

_NONE: Mapping[Path, Onward] = {}


class Numbers(dict[Stamp, int]):
    """The places of stamps in a table of their own: a new one takes the next."""

    def __missing__(self, stamp: Stamp) -> int:
        self[stamp] = number = len(self)
        return number

    def table(self) -> list[tuple[object, ...]]:
        """Returns the table, as plain tuples: what has a class of its own takes long to write."""
        return [stamp[:] for stamp in self]


class CodecError(ConcordantError, ValueError):
    """Bytes that are no record of a known format."""


def dump_record(
    record: Record, *, local: bool = True, whole: bool = True, onward: Mapping[Path, Onward] = _NONE
) -> bytes:
    """Returns the record's bytes.

    Args:
        local: whether to include what only this replica knows (when writes of others arrived, when the document was
            made and deleted).
        whole: whether to include the tree.
        onward: texts and lists that are told by what they were.
    """
    stamps = Numbers()
    number = stamps.__getitem__
    tree = record.tree if whole else {}
    body = [
        [list(path), _dump_onward(onward[path], number) if path in onward else _dump_told(leaf, number)]
        for path, leaf in (_told(tree) if local else leaves(tree))
    ]
    format_ = _format_of(tree) if local else 2
    return to_json({**_dump_beside(record, number, body, format_, local=local), "stamps": stamps.table()})


def _told(tree: Tree) -> Iterator[tuple[Path, Leaf | Bulk]]:
    """The leaves by which a tree is told; of what one write gave at once that, and what became of it since."""
    for part, node in tree.items():
        if isinstance(node, Bulk):
            yield (part,), node
            yield from leaves_apart(node, (part,))
        elif isinstance(node, dict):
            yield from leaves(node, (part,))
        else:
            yield (part,), node


def _dump_told(leaf: Leaf | Bulk, number: Number) -> Any:
    if not isinstance(leaf, Bulk):
        return dump_leaf(leaf, number)
    return {"given": leaf.given.value, **_dump_given(leaf, number)}


def _dump_given(bulk: Bulk, number: Number) -> dict[str, Any]:
    """What is told of what one write gave at once, beside the value."""
    given = bulk.given
    names = {"gone": [*bulk.gone], "changed": [*bulk.changed]}
    return {"name": given.field.name, "form": form_of(given.field), "stamp": number(given.stamp), **names}


def _format_of(tree: Tree) -> int:
    return FORMAT if any(isinstance(node, Bulk) for node in tree.values()) else 2


def _dump_beside(record: Record, number: Number, body: list[Any], format_: int, *, local: bool) -> dict[str, Any]:
    """What is told of a record, but for the table of stamps.

    Args:
        body: what its tree is told by.
    """
    leases = [[number(one.stamp), one.since, None if one.ttl is None else one.until, one.ttl] for one in record.leases]
    document = {
        "format": format_,
        "vector": record.vector,
        "created": record.created_at,
        "updated": record.updated_at,
        "arrivals": list(record.arrivals) if local else [],
        "lives": [[number(stamp), alive] for stamp, alive in record.lives] if local else [],
        "leaves": body,
        "leases": leases,
        "swept": local and record.swept,
        "touched": record.touched if local else 0,
        "reborn": record.reborn if local else 0,
        "settings": {
            name: [*setting[:3], setting[3] and setting[3].decode()] for name, setting in record.settings.items()
        },
    }
    return {**document, "floor": record.floor} if record.floor else document


def dump_by_portions(record: Record) -> Iterator[bytes]:
    """Iterates the record's bytes as ``load_record`` reads them, a portion at a time: the next is made when it is asked
    for."""
    stamps = Numbers()
    number = stamps.__getitem__
    beside = _dump_beside(record, number, [], _format_of(record.tree), local=True)
    del beside["leaves"]
    yield to_json(beside)[:-1] + b',"leaves":['
    between = b""
    for path, leaf in _told(record.tree):
        yield between + b"[" + to_json(list(path)) + b","
        if isinstance(leaf, Sequence):
            strikes = iter(leaf.strikes.all())
            yield b'{"p":['
            yield from _listed(dump_piece(piece, number) for piece in leaf)
            yield b'],"s":['
            yield from _listed([number(stamp), k] for stamp, k in strikes)
            yield b"]}]"
        elif isinstance(leaf, Bulk):
            yield b'{"given":'
            yield from _value_listed(leaf.given.value)
            yield b"," + to_json(_dump_given(leaf, number))[1:] + b"]"
        else:
            yield to_json(dump_leaf(leaf, number)) + b"]"
        between = b","
    yield b'],"stamps":['
    yield from _listed(iter(stamps.table()))
    yield b"]}"


def _value_listed(value: Any) -> Iterator[bytes]:
    """The JSON of a list or dict, by portions."""
    if isinstance(value, dict):
        yield b"{"
        yield from _listed(iter(value.items()), dict)
        yield b"}"
    else:
        yield b"["
        yield from _listed(iter(value))
        yield b"]"


def _listed(items: Iterator[Any], made: Callable[[Iterable[Any]], Any] = list) -> Iterator[bytes]:
    """What stands between the brackets of a list, by portions; of a dict where ``made`` makes one of its items."""
    between = b""
    while portion := made(islice(items, PORTION)):
        yield between + to_json(portion)[1:-1]
        between = b","


def _dump_onward(told: Onward, number: Number) -> Any:
    return {"from": told.digests, "steps": [dump_spliced(step, number) for step in told.steps]}


def load_record(data: bytes, onward: dict[Path, Onward] | None = None) -> Record:
    """Returns the record that these bytes were made of.

    Args:
        onward: takes up the texts and lists that are told by what they were, which the record lacks then.

    Raises:
        CodecError: they are not such bytes.
    """
    try:
        document = decode_whole(data)
        if document["format"] not in range(1, FORMAT + 1):
            raise CodecError(f"a record of format {document['format']!r}; this version reads formats 1 to {FORMAT}")
        stamps = load_stamps(document["stamps"])
        record = Record()
        record.vector = {load_text(replica): int(n) for replica, n in document["vector"].items()}
        record.forget({load_text(replica): int(n) for replica, n in document.get("floor", {}).items()})
        record.created_at = float(document["created"])
        record.updated_at = float(document["updated"])
        record.arrivals = tuple((int(n), float(t), load_text(r), int(u)) for n, t, r, u in document["arrivals"])
        record.lives = tuple((stamps[stamp], bool(alive)) for stamp, alive in document["lives"])
        record.settings = {
            load_text(name): (
                float(time),
                load_text(replica),
                int(n),
                None if value is None else load_text(value).encode(),
            )
            for name, (time, replica, n, value) in document["settings"].items()
        }
        record.leases = tuple(
            Lease(
                stamps[stamp],
                float(since),
                math.inf if until is None else float(until),
                None if ttl is None else float(ttl),
            )
            for stamp, since, until, ttl in document["leases"]
        )
        record.swept, record.touched = bool(document["swept"]), int(document["touched"])
        record.reborn = float(document["reborn"])
        _load_leaves(record.tree, document["leaves"], stamps, onward)
    except CodecError:
        raise
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise CodecError(f"no record ({type(error).__name__}: {error})") from error
    record.recount()
    record.untold = None
    return record


def _load_given(told: Any, stamps: list[Stamp]) -> Bulk:
    bulk = bulk_of(field_of(load_text(told["name"]), told["form"]), told["given"], stamps[told["stamp"]])
    if bulk is None:
        raise CodecError(f"what is given at once for {told['name']!r} has no parts")
    for key in told["gone"]:
        del bulk[key]
    for key in told["changed"]:
        bulk.begin(key)
    return bulk


def _load_leaves(tree: Tree, data: Any, stamps: list[Stamp], onward: dict[Path, Onward] | None) -> None:
    for names, leaf in data:
        path = load_path(names)
        if onward is not None and isinstance(leaf, dict) and "from" in leaf:
            steps = [load_spliced(step, stamps) for step in leaf["steps"]]
            onward[path] = Onward([load_text(digest) for digest in leaf["from"]], steps)
        else:
            is_given = onward is None and isinstance(leaf, dict) and "given" in leaf  # never in what comes from outside
            made: Any = _load_given(leaf, stamps) if is_given else load_leaf(leaf, stamps)
            place_leaf(tree, path, made)


def load_stamps(data: Any) -> list[Stamp]:
    """Returns the table of stamps that the numbers in leaves refer to."""
    return [
        Stamp(float(s[0]), load_text(s[1]), int(s[2]), load_text(s[3]), load_text(s[4]), load_text(s[5])) for s in data
    ]


def dump_piece(piece: Piece, number: Number) -> Any:
    """Returns a piece of a sequence as nested lists."""
    stamp, k, offset, content, parent, line, struck, live, replaces, beside, credits = piece
    flags = line + 2 * live + 4 * replaces
    told = [number(stamp), k, offset, dump_content(content), parent, flags, struck]
    if credits:
        told += beside, [[start, end, [*map(number, stamps)]] for start, end, stamps in credits]
    elif beside is not None:
        told.append(beside)
    return told


def dump_content(content: Content) -> Any:
    """Returns the content of a piece: text, or a list of JSON texts."""
    return content if isinstance(content, str) else [item.decode() for item in content]


def load_piece(data: Any, stamps: list[Stamp]) -> Piece:
    """Returns the piece that ``dump_piece`` was given."""
    stamp, k, offset, content, parent, flags, struck, *more = data
    beside, credits = [*more, None, None][:2]
    return Piece(
        stamps[stamp],
        int(k),
        int(offset),
        content if isinstance(content, str) else tuple(load_text(item).encode() for item in content),
        None if parent is None else _load_anchor(parent),
        bool(flags & 1),
        struck_by((), ((load_text(r), int(n), int(number)) for r, n, number in struck)) if struck else (),
        bool(flags & 2),
        bool(flags & 4),
        None if beside is None else _load_anchor(beside),
        tuple((int(s), int(e), tuple(stamps[n] for n in numbers)) for s, e, numbers in credits or ()),
    )


def _load_anchor(data: Any) -> Anchor:
    return load_text(data[0]), int(data[1]), int(data[2]), int(data[3])


def dump_leaf(leaf: Leaf, number: Number) -> Any:
    """Returns a leaf as nested lists.

    Args:
        number: gives each stamp its place in the table of stamps.
    """
    if isinstance(leaf, Sequence):
        strikes = [[number(stamp), k] for stamp, k in leaf.strikes.all()]
        return {"p": [dump_piece(piece, number) for piece in leaf], "s": strikes}
    return [
        [
            number(entry.stamp),
            None if entry.value is None else entry.value.decode(),
            None if entry.base is None else [*entry.base[:3], entry.base.value and entry.base.value.decode()],
            [number(stamp) for stamp in entry.confirms],
            [[list(path), dump_leaf(part, number)] for path, part in entry.covered],  # type: ignore[arg-type]
            entry.place,
        ]
        for entry in leaf
    ]


def load_leaf(data: Any, stamps: list[Stamp]) -> Leaf:
    """Returns the leaf that ``dump_leaf`` was given."""
    if isinstance(data, dict):
        pieces = [load_piece(piece, stamps) for piece in data["p"]]
        strikes = [Strike(stamps[stamp], int(k)) for stamp, k in data["s"]]
        return Sequence(pieces, {run_of(s): s for s in strikes}, newest_root(pieces))
    return tuple(
        Entry(
            stamps[stamp],
            None if value is None else load_text(value).encode(),
            None
            if base is None
            else Agreed(
                float(base[0]),
                load_text(base[1]),
                int(base[2]),
                None if base[3] is None else load_text(base[3]).encode(),
            ),
            tuple(stamps[number] for number in confirms),
            tuple((load_path(path), load_leaf(part, stamps)) for path, part in covered),
            int(place),
        )
        for stamp, value, base, confirms, covered, place in data
    )


def dump_spliced(cut: Spliced, number: Number, onward: bool = True) -> Any:
    """Returns the difference between two contents. Of what both have, the length alone stands on either side.

    Args:
        onward: whether it tells the later content; else it tells the earlier one alone.
    """
    was = contents_of(piece for hunk in cut.hunks for piece in hunk.was)
    now = contents_of(piece for hunk in cut.hunks for piece in hunk.now)

    def told(piece: Piece, other: Contents) -> Any:
        dumped = dump_piece(piece._replace(content=""), number)
        length = len(piece.content)
        known = content_in(other, piece, length) is not None
        dumped[3] = length if known else dump_content(piece.content)
        return dumped

    hunks = [
        [at, [told(p, now) for p in earlier], [told(p, was) for p in later] if onward else len(later)]
        for at, earlier, later in cut.hunks
    ]
    strikes = [[[number(strike.stamp), strike.k] for strike in side] for side in (cut.added, cut.removed)]
    return {"hunks": hunks, "strikes": strikes}


_UNTOLD = Piece(Stamp(0.0, "", 0, "", "", ""), 0, 0, -1, None)  # type: ignore[arg-type]
"""A piece of which no more is known than that it is there."""


def load_spliced(data: Any, stamps: list[Stamp]) -> Spliced:
    """Returns the difference that ``dump_spliced`` was given."""
    hunks = [Swap(int(at), load_pieces(was, stamps), load_pieces(now, stamps)) for at, was, now in data["hunks"]]
    added, removed = data["strikes"]
    return Spliced(hunks, load_strikes(added, stamps), load_strikes(removed, stamps))


def load_pieces(data: Any, stamps: list[Stamp]) -> Items[Piece]:
    """Returns the pieces of one side of a hunk; where only their number was kept, as many that say nothing."""
    if isinstance(data, int):
        return [_UNTOLD] * data
    return [_piece(piece, stamps) for piece in data]


def _piece(data: Any, stamps: list[Stamp]) -> Piece:
    content: Any = data[3]
    if not isinstance(content, int):
        return load_piece(data, stamps)
    return load_piece([*data[:3], "", *data[4:]], stamps)._replace(content=content)  # type: ignore[arg-type]


def load_strikes(data: Any, stamps: list[Stamp]) -> list[Strike]:
    return [Strike(stamps[stamp], int(k)) for stamp, k in data]


def load_path(parts: list[Any]) -> tuple[str | None, ...]:
    return tuple(None if part is None else load_text(part) for part in parts)


def load_text(value: Any) -> str:
    if not isinstance(value, str):
        raise CodecError(f"{value!r} stands where text is meant")
    return value
