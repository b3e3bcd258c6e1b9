"""A key-value store that holds what nobody put there: calls answer with our own errors, and ``check`` sets it aside."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from folder_storage import FolderStore

from concordant import ConcordantError, DamagedDocumentError, StorageError, Workspace
from concordant.storage import KeyValueReader, KeyValueStore, KeyValueWriter
from tests.rounds import rounds as playing

from .calls import SPACE
from .test_check import SCHEMAS, busy
from .test_rot import every_call, filled, odd

Pairs = dict[bytes, Any]


class Held(KeyValueStore):
    """Keys and values as somebody's storage may give them, whatever they are."""

    place = "held"

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def get(self, key: bytes) -> Any:
        return self.pairs.get(key)

    def scan(self, begin: bytes, end: bytes) -> Iterator[tuple[bytes, Any]]:
        yield from sorted((pair for pair in self.pairs.items() if begin <= pair[0] < end), key=lambda pair: pair[0])

    def put(self, key: bytes, value: bytes) -> None:
        self.pairs[key] = value

    def delete(self, key: bytes) -> None:
        self.pairs.pop(key, None)

    def read(self, work: Callable[[KeyValueReader], Any]) -> Any:
        return work(self)

    def write(self, work: Callable[[KeyValueWriter], Any]) -> Any:
        draft = Held(dict(self.pairs))
        result = work(draft)
        self.pairs = draft.pairs
        return result

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    """What a store with all sorts of documents, questions and decisions, and a subscriber, holds."""
    path = tmp_path_factory.mktemp("rot")
    with busy(f"folder://{path}") as ws:
        filled(ws)
    store = FolderStore(path)
    found = store.read(lambda tx: dict(tx.scan(b"", b"\xff" * 9)))
    store.close()
    return found  # type: ignore[no-any-return]


def spoilt(sound: Pairs, chance: random.Random) -> tuple[Pairs, str]:
    """The same with one pair of which something else was made."""
    pairs = dict(sound)
    rooms = sorted({key.partition(b"/")[0] for key in pairs})
    room = chance.choice(rooms)
    key = chance.choice([key for key in pairs if key.startswith(room + b"/")])
    old, way = pairs[key], chance.randrange(6)
    if way == 0:
        pairs[key] = chance.choice([*sound.values()])
    elif way == 1:
        del pairs[key]
    elif way == 2:
        at = chance.randrange(len(key))
        pairs[key[:at] + bytes([chance.randrange(256)]) + key[at + 1 :]] = pairs.pop(key)
    elif way == 3 and old:
        at = chance.randrange(len(old))
        pairs[key] = old[:at] + bytes([old[at] ^ 1 << chance.randrange(8)]) + old[at + 1 :]
    else:
        pairs[key] = odd(chance, old)
    return pairs, f"{key!r}, {way}: {old!r:.60} -> {pairs.get(key)!r:.60}"


@playing(25, 2_000)
def test_whatever_stands_under_a_key_calls_answer_with_our_own_errors(rounds: int, sound: Pairs, seed: str) -> None:
    """A key or value of any sort that is another type, cut short, another's or gone: each public call gives its result
    or a ``ConcordantError``."""
    for number in range(rounds):
        pairs, what = spoilt(sound, random.Random(f"{seed}/{number}"))
        with suppress(ConcordantError), Workspace(storage=Held(pairs), schemas=SCHEMAS) as ws:
            for number_of_call, call in enumerate(every_call(ws)):
                try:
                    with suppress(ConcordantError):
                        call()
                except Exception as error:
                    raise AssertionError(f"round {number}, call {number_of_call}, {what}") from error


PLACES: dict[str, Callable[[bytes], bool]] = {
    "document": lambda key: key == b'document/["briefs"]\0often1\0',
    "journal": lambda key: key.startswith(b"row/"),
    "open question": lambda key: key.startswith(b"open/"),
    "closed question": lambda key: key.startswith(b"closed/"),
}


@pytest.mark.parametrize("rot", [b"", b"null", "text", 1.5, b"\xff" * 30])
@pytest.mark.parametrize("place", PLACES)
def test_rot_is_told_with_its_document_which_can_be_set_aside(place: str, rot: Any, sound: Pairs) -> None:
    """A document, a row of its journal or a question of it that is none is told by ``check``, which sets the document
    aside; all others go on, and the store is whole then."""
    pairs = dict(sound)
    key = next(filter(PLACES[place], sorted(pairs)))
    if "question" in place:
        key = b"question/" + key.split(b"\0")[-2] + b"\0"
    pairs[key] = rot
    with Workspace(storage=Held(pairs), schemas=SCHEMAS) as ws:
        if place == "document":
            with pytest.raises(DamagedDocumentError, match="briefs:often1"):
                ws.export()
        [rotten] = {(found.namespace, found.key) for found in ws.check().problems if found.namespace}
        assert ws.check(quarantine=True).quarantined == (rotten,)
        assert ws.check().ok
        assert len([*ws.list()]) > 8 and [*ws.log()] and ws.escalations(state="all") and ws.export()
        assert ws.stats().documents == sum(key.startswith(b"document/") for key in sound) - 1
        ws.vacuum()


def test_what_is_no_document_s_is_told_with_its_key(sound: Pairs) -> None:
    """What the store notes beside documents is named by its key."""
    peer = next(key for key in sound if key.startswith(b"peer/"))
    with Workspace(storage=Held({**sound, peer: b"null"}), schemas=SCHEMAS) as ws:
        with pytest.raises(StorageError, match="under b'peer/"):
            ws.export()
        assert ws.get(SPACE, "often1") is not None
