"""What is forgotten of texts and lists while they are edited: a part with every so many edits of a large one."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from concordant.merge.causality import VersionVector, source_of
from concordant.merge.record import Record
from concordant.merge.registers import LeafChange, leaf_at, sequences
from concordant.merge.sequence.trim import trimmed
from concordant.schema import Compiled
from concordant.storage import Address, Knowledge, Result, State, TransactionView
from concordant.storage.cut import Cut
from concordant.workspace import frontier as times
from concordant.workspace.commit import Commit
from concordant.workspace.core import Core
from concordant.workspace.frontier import Frontier, Waiting
from concordant.workspace.states import current_view

__all__ = ["LARGE", "NOTHING_FORGOTTEN", "Forgetting", "forgettable"]

LARGE = 1 << 14
"""From how many bytes on, as it is given, a value is large."""

EVERY = 16
"""With which of the edits of a document a part of it is looked at."""

WINDOW = 64
"""How many pieces such a part has."""

SELDOM = 64
"""How much more seldom it is looked at one that turned out to have no text and no list."""

MOST = 256
"""Of how many documents it is known where to go on."""


class _Window:
    """Some of the pieces of a record's texts and lists, as if these were one.

    Attributes:
        first: the number of the first; becomes that in the text or list at hand.
        pieces: how many there are in all of these.
    """

    def __init__(self, first: int) -> None:
        self.first = first
        self.pieces = 0

    def within(self, size: int) -> range:
        """Gives those of the next text or list, which has so many pieces."""
        first, past = self.first - self.pieces, self.first - self.pieces + WINDOW
        self.pieces += size
        return range(min(max(first, 0), size), min(max(past, 0), size))


class Compacted(NamedTuple):
    """What a record becomes without what is forgotten of it.

    Attributes:
        changes: of its texts and lists.
        floor: of each store up to where writes are of which something is forgotten that others may know.
        pieces: how many are.
    """

    changes: tuple[LeafChange, ...]
    floor: VersionVector
    pieces: int


NOTHING_FORGOTTEN = Compacted((), {}, 0)


class Forgettable(NamedTuple):
    """What is to be forgotten of a document. It is found out before the commit, and others write meanwhile.

    Attributes:
        version: of the document then.
        exported: up to where other stores may know of commits here.
        waiting: who was waited for.
        found: what it becomes.
        left: the record without what is to be forgotten.
    """

    version: int
    exported: Cut
    waiting: Waiting
    found: Compacted
    left: Record

    def holds(self, record: Record, knowledge: Knowledge) -> bool:
        """Tells whether that is still so."""
        return (record.version, knowledge.exported) == (self.version, self.exported)

    def put_into(self, record: Record, address: Address, n: int, time: float) -> Result | None:
        """Makes that of the record of the same version, by a commit; ``None`` if nothing is forgotten."""
        found = self.found
        changes = tuple(LeafChange(path, leaf_at(record.tree, path), after) for path, _, after in found.changes)
        if not changes:
            return None
        record.commit(changes)
        record.forget(found.floor)
        return record, Commit(address, n, time, "compact").close(record, "", changes, record.version), None


def forgettable(
    core: Core, address: Address, record: Record, frontier: Frontier, window: _Window | None = None
) -> Forgettable:
    """Finds out what is to be forgotten of a document: whatever is kept for nobody, unless that would show, or ask,
    anything else.

    Args:
        window: which pieces are looked at; ``None``: all.
    """
    waiting = frontier.of(address, record)
    found, left = _compacted(record, frontier, waiting, window), record
    if found.changes:
        schema, left = core.registry.find(address[0]), record.copy()
        left.commit(found.changes)
        if _shown(left, schema, core) != _shown(record, schema, core):
            found, left = NOTHING_FORGOTTEN, record
    return Forgettable(record.version, frontier.exported, waiting, found, left)


def _compacted(record: Record, frontier: Frontier, waiting: Waiting, window: _Window | None) -> Compacted:
    """What takes out of a record what was removed from its texts and lists and is kept for nobody."""
    changes: list[LeafChange] = []
    floor: VersionVector = {}
    pieces = 0
    # What a deletion keeps refers to what stands in its texts.
    for path, leaf in () if record.covering else sequences(record.tree):
        within = range(len(leaf)) if window is None else window.within(len(leaf))
        rest = trimmed(leaf, waiting.goes, waiting.dropped, within)
        if rest is None:
            continue
        changes.append(LeafChange(path, leaf, rest.sequence))
        pieces += rest.pieces
        for stamp in filter(frontier.is_known_elsewhere, rest.stamps):
            source = source_of(stamp.replica)
            floor[source] = max(floor.get(source, 0), stamp.n)
    if floor and waiting.is_all_settled():  # what was taken out goes too, by whatever write
        floor = {name: n for name, n in record.vector.items() if source_of(name) == name}
    return Compacted(tuple(changes), floor, pieces)


def _shown(record: Record, schema: Compiled, core: Core) -> tuple[object, ...]:
    view = current_view(record, schema, core.storage.replica)
    return view.body, view.contests


class Forgetting:
    """Forgets what was removed from large texts and lists and nobody refers to any more, as ``Workspace.vacuum`` does:
    of one document a part with every so many edits, right before one, so that no edit pays for the history, and none
    for all of the forgetting.

    Args:
        core: the workspace's.
        active: whether it does.
    """

    def __init__(self, core: Core, active: bool) -> None:
        self._core = core
        self._active = active
        self._edits: OrderedDict[Address, tuple[int, int]] = OrderedDict()

    def before(self, address: Address) -> None:
        """Notes that a large document is about to be edited; forgets a part of it, if that is due."""
        if not self._active:
            return
        edits, first = self._edits.pop(address, (0, 0))
        if edits >= 0 and edits % EVERY == EVERY - 1:
            found = self._step(address, first)
            edits, first = (edits, found) if found is not None else (-SELDOM * EVERY, 0)
        self._edits[address] = (edits + 1, first)
        if len(self._edits) > MOST:
            self._edits.popitem(last=False)

    def _step(self, address: Address, first: int) -> int | None:
        """Forgets of the pieces from a number on; returns where to go on, ``None`` if there are no pieces. What goes is
        found out before the commit: others write meanwhile, and if they did to this document, nothing goes."""
        core, storage = self._core, self._core.storage
        with storage.reading():
            state = storage.load(*address)
            if not isinstance(state, Record):
                return 0
            record = state.copy()
            now = storage.now()[1]
            frontier = Frontier(storage, storage.knowledge(), now, times.REMOVED_KEPT, times.DELETED_KEPT)
        window = _Window(first)
        plan = forgettable(core, address, record, frontier, window)

        def update(state: State | None, n: int, time: float, tx: TransactionView) -> Result | None:
            if not isinstance(state, Record) or not plan.holds(state, tx.knowledge()):
                return None
            return plan.put_into(state, address, n, time)

        if plan.found.changes:
            storage.commit(*address, update)
        if not window.pieces:
            return None
        past = first + WINDOW - plan.found.pieces
        return past if past < window.pieces - plan.found.pieces else 0
