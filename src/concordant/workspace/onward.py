"""Texts and lists that travel as what became of them since their receiver had them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from concordant.errors import ConcordantError, CorruptFrameError, MissingBaseError
from concordant.merge.record import Record
from concordant.merge.registers import LeafChange, Path, place_leaf, sequences
from concordant.merge.registers.leaf import as_sequence, is_sequence
from concordant.merge.sequence.onward import Onward
from concordant.merge.sequence.pieces import Sequence
from concordant.merge.sequence.splice import Former, Spliced, splice
from concordant.storage import Address
from concordant.workspace.core import Core
from concordant.workspace.frames import Frame
from concordant.workspace.states import changes_of, expanded

__all__ = ["MadeOf", "completed", "prepare", "since"]

MadeOf: TypeAlias = "dict[Address, Mapping[Path, Sequence]]"
"""Of documents of a frame the texts and lists of this store that some of theirs were made of."""

LONG = 64
"""From how many pieces on a text or list travels so."""
SHARE = 3
"""What is told is no more than so many a part of the whole, by estimate."""
PIECE = 50
"""How many bytes a piece or a strike takes, about."""
FURTHER = 8
"""How many versions are told of that are older than what the receiver knows: where others wrote beside, one of them is
what both had."""
MOST_BACK = 1_000
"""Through how many versions the receiver looks for one of those that are told of."""


def prepare(record: Record) -> None:
    """Finds out of the large texts and lists of a document what is asked of them when they are told by what they were:
    once, where the whole of it travels, so that what comes later costs what is new."""
    for _, leaf in sequences(record.tree):
        if len(leaf) >= LONG:
            leaf.prepare()


def since(core: Core, address: Address, record: Record, n: int) -> dict[Path, Onward]:
    """Returns the large texts and lists of a document, as what became of them since a commit; those of which that is
    not much.

    Args:
        record: the document.
        n: the number of the last commit to it that the receiver knows.
    """
    if n <= 0 or record.covering:
        return {}
    told = {path: _Telling(leaf) for path, leaf in sequences(record.tree) if len(leaf) >= LONG}
    further = 0
    for number, changes in _past(core, address, record, told):
        further += number <= n
        if further > FURTHER or not told:
            break
        for change in changes:
            if change.path in told and not told[change.path].go_back(change) and not further:
                del told[change.path]
    return {path: telling.onward() for path, telling in told.items()} if further else {}


class _Telling:
    """A text or list on its way back."""

    def __init__(self, leaf: Sequence) -> None:
        self._now: Sequence | None = leaf
        self._room = leaf.weight() // SHARE
        self._digests = [leaf.digest()]
        self._steps: list[Spliced] = []

    def go_back(self, change: LeafChange) -> bool:
        """Goes back before a change; where the way is too long, no further: tells whether it did."""
        before: Any = change.before
        if self._now is None:
            return False
        if isinstance(before, (Spliced, Former)):
            earlier = before.earlier(self._now)
            step = splice(earlier, self._now)
            told = sum(len(now) + len(was) for _, was, now in step.hunks) + len(step.added) + len(step.removed)
            self._room -= PIECE * told
            if self._room >= 0:
                self._now = earlier
                self._steps.append(step)
                self._digests.append(earlier.digest())
                return True
        self._now = None
        return False

    def onward(self) -> Onward:
        return Onward(self._digests[::-1], self._steps[::-1])


def _past(
    core: Core, address: Address, record: Record, paths: Mapping[Path, object]
) -> Iterator[tuple[int, list[LeafChange]]]:
    """The commits to a document, the newest first: the number of each, and what it changed in some texts and lists."""
    schema, expected = core.registry.find(address[0]), record.version
    for row in core.storage.rows(*address):
        if row.n > expected:
            continue  # committed since
        if row.n != expected or row.changes is None:
            return
        yield row.n, [change for change in changes_of(row, schema, core.storage.replica) if change.path in paths]
        expected = row.previous


def completed(core: Core, frame: Frame) -> MadeOf:
    """Puts the texts and lists into the records of a frame that are told by what they were; returns what these were.

    Raises:
        MissingBaseError: one of them never was here what it was, or that is not kept any more.
        CorruptFrameError: what comes of one is not what is told.
    """
    made_of: MadeOf = {}
    for namespace, name, other in frame.documents:
        told = frame.onward.get((namespace, name))
        if told:
            made_of[namespace, name] = _complete(core, (namespace, name), other, told)
    return made_of


def _complete(core: Core, address: Address, other: Record, told: Mapping[Path, Onward]) -> dict[Path, Sequence]:
    state = core.storage.load(*address)
    if state is None:
        raise MissingBaseError(*address)
    record = expanded(state, core.registry.find(address[0]), core.storage.replica)
    here = {path: leaf for path, leaf in sequences(record.tree) if path in told}
    missing, made_of = dict(told), dict[Path, Sequence]()
    try:
        made_of |= _fill(other, here, missing, told)
        back = _past(core, address, record, told)
        for _, (_, changes) in zip(range(MOST_BACK), back, strict=False):
            if not missing:
                break
            for change in changes:
                _go_back(here, change)
            made_of |= _fill(other, here, missing, {change.path for change in changes})
    except ConcordantError as error:
        raise CorruptFrameError(f"what it tells of {told!r} does not fit ({error})") from error
    if missing:
        raise MissingBaseError(*address)
    other.recount()
    return made_of


def _fill(
    other: Record, here: Mapping[Path, Sequence], missing: dict[Path, Onward], paths: Iterable[Path]
) -> dict[Path, Sequence]:
    """Puts into a record what can be made of what is here at some paths; returns what that was made of."""
    found: dict[Path, Sequence] = {}
    for path in [path for path in paths if path in missing]:
        made = missing[path].after(here[path]) if path in here else None
        if made is not None:
            place_leaf(other.tree, path, made)
            found[path] = here[path]
            del missing[path]
    return found


def _go_back(here: dict[Path, Sequence], change: LeafChange) -> None:
    before: Any = change.before
    earlier = before.earlier(here.get(change.path)) if isinstance(before, (Spliced, Former)) else before
    if is_sequence(earlier):
        here[change.path] = as_sequence(earlier)
    else:
        here.pop(change.path, None)
