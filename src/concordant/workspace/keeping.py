"""The calls of a workspace about the store as a whole: what changed, other stores, what is forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from concordant.causal import VersionVector, may_name_replica
from concordant.errors import ConcordantError, told
from concordant.record import MOST_WRITES
from concordant.workspace import replication, upkeep
from concordant.workspace.adoption import adopt
from concordant.workspace.checking import Checked, check
from concordant.workspace.engine import Engine
from concordant.workspace.names import check_name
from concordant.workspace.quarantine import Refused
from concordant.workspace.scope import Moment
from concordant.workspace.upkeep import DELETED_KEPT, JOURNAL_KEPT, REMOVED_KEPT, Vacuumed

__all__ = ["Keeping"]


class Keeping(Engine):
    """What can be asked of the store as a whole."""

    _frame_key: bytes | None = None

    def version_vector(self) -> VersionVector:
        """What is known here: of each store the number of a commit up to which all that it had is known.

        Another store's ``export`` takes it, so that only what is new to this one travels.
        """
        return self.storage.knowledge().vector

    def export(self, since: VersionVector | Moment | None = None) -> bytes:
        """A frame for ``import_`` in a workspace without a common database.

        Args:
            since: the ``version_vector()`` of the workspace that will import it, or a moment of this one whose
                documents it has; without, all documents travel.

        >>> from concordant import Workspace
        >>> office, train = Workspace(), Workspace()
        >>> _ = office.agent("ada").write(("notes",), "n1", {"title": "Dots"})
        >>> train.import_(office.export(train.version_vector()))
        1
        >>> train.get(("notes",), "n1").value
        {'title': 'Dots'}
        """
        return replication.export(self, since, self._frame_key)

    def changes(self, after: Any = None) -> tuple[Any, list[tuple[tuple[str, ...], str]]]:
        """The documents that were written, by whatever way, since an earlier call: what a view has to catch up with.

        Args:
            after: the cursor that the earlier call gave; without one all documents there are.

        Returns:
            A cursor for the next call, and the (namespace, key) of each document, deleted ones included.

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> cursor, _ = ws.changes()
        >>> _ = ws.agent("ada").write(("notes",), "n1", {"title": "Dots"})
        >>> ws.changes(cursor)[1]
        [(('notes',), 'n1')]
        """
        if after is not None and (not isinstance(after, int) or abs(after) > MOST_WRITES):
            raise ConcordantError(f"after= is the cursor that an earlier call gave, not {told(after)}")
        cursor, found = self.storage.changes(after)
        return cursor, [*found]

    def import_(self, frame: bytes) -> int:
        """Joins a frame's documents with those here; returns how many changed.

        Raises:
            CorruptFrameError: the frame is not intact, not authentic, or holds what cannot be joined here.
            StaleReplicaError: its sender, or this workspace, was away for longer than deleted documents are
                remembered (``vacuum``), or was restored from a back-up. In either case nothing was applied, and
                ``refused`` keeps the frame.
        """
        return replication.import_(self, frame, self._frame_key)

    def exchange(self, other: Keeping) -> tuple[int, int]:
        """Brings this workspace and another one to the same state: each imports what is new to it.

        Both must have the same ``frame_key``.

        Returns:
            How many documents changed here, and how many there.

        >>> from concordant import Workspace
        >>> office, train = Workspace(), Workspace()
        >>> _ = office.agent("ada").write(("notes",), "n1", {"title": "Dots"})
        >>> _ = train.agent("bob").write(("notes",), "n1", {"topic": "Merging"})
        >>> office.exchange(train)
        (1, 1)
        >>> office.get(("notes",), "n1").value == train.get(("notes",), "n1").value
        True
        """
        if not isinstance(other, Keeping):
            raise ConcordantError(f"exchange takes another workspace, not {told(other)}")
        here = self.import_(other.export(self.version_vector()))
        return here, other.import_(self.export(other.version_vector()))

    def refused(self) -> list[Refused]:
        """The newest frames that ``import_`` refused, with the reasons (in this process's memory)."""
        return self.quarantine.frames()

    def adopt(
        self,
        namespace: tuple[str, ...],
        key: str,
        value: Any,
        *,
        by: str,
        created_at: datetime | None = None,
        updated_at: datetime | None = None,
    ) -> int:
        """Makes a document of what another store held: every scope has seen it, and it keeps its times.

        Args:
            value: a dict of fields, all of which must fit the model.
            by: whom the values are credited to.
            created_at: when it was first written, by default as ``updated_at``.
            updated_at: when it was last written, by default now.

        Returns:
            The document's version; 0 if there was one already, deleted ones included: nothing was changed then.

        Raises:
            InvalidWriteError: it does not fit the model; nothing was adopted.

        >>> from datetime import UTC, datetime
        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> ada = ws.agent("ada")
        >>> ws.adopt(("notes",), "n1", {"title": "Dots"}, by="archive", updated_at=datetime(2020, 5, 1, tzinfo=UTC))
        1
        >>> _ = ada.write(("notes",), "n1", {"title": "Lines"})  # ada has seen what was there before
        >>> ws.get(("notes",), "n1").value, ws.escalations()
        ({'title': 'Lines'}, [])
        """
        check_name(by, "by=", self.storage.limits.name)
        _check_time(created_at, "created_at")
        _check_time(updated_at, "updated_at")
        updated = updated_at.timestamp() if updated_at is not None else self.storage.now()[1]
        created = created_at.timestamp() if created_at is not None else updated
        return adopt(self, namespace, key, value, by, created, updated)

    def purge(self, namespace: tuple[str, ...], key: str) -> None:
        """Erases a document's content and journal for good; a bare tombstone remains, so that it does not come back
        from a replica."""
        replication.purge(self, namespace, key)

    def vacuum(
        self,
        *,
        journal: timedelta = JOURNAL_KEPT,
        deleted: timedelta = DELETED_KEPT,
        removed: timedelta = REMOVED_KEPT,
    ) -> Vacuumed:
        """Forgets what is old, so that the store grows with what is in it and not with its history. Run it now and
        then, say once a day, from any one process.

        Args:
            journal: how long journal rows, closed escalations and events are kept (90 days): so far back reach
                ``history``, ``get(at=...)`` and ``escalations(state=...)``. Open escalations stay, and so do events
                that a named subscriber has not dealt with.
            deleted: how long it is remembered of a document that it was deleted (90 days). A store that was apart for
                longer cannot ``exchange`` any more: it might bring back what it did not hear was deleted.
            removed: how long words and items stay known after an edit removed them (a day), so that what somebody
                writes who still read them finds its place; longer than any agent works on what it has read. What was
                exported to another store is kept.

        Returns:
            How many deleted documents and journal rows were forgotten, and how many documents became smaller.

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> _ = ws.agent("ada").write(("notes",), "n1", {"title": "Dots"})
        >>> ws.vacuum()
        Vacuumed(documents=0, rows=0, compacted=0)
        """
        for name, age in (("journal", journal), ("deleted", deleted), ("removed", removed)):
            if not isinstance(age, timedelta) or age < timedelta(0):
                raise ConcordantError(f"{name}= is how long to keep it, as a timedelta, not {told(age)}")
        return upkeep.vacuum(self, journal.total_seconds(), deleted.total_seconds(), removed.total_seconds())

    def check(self, *, quarantine: bool = False) -> Checked:
        """Verifies the store: whether each document can be read, shows what its record gives, has the questions that
        it is said to have, and a journal without gaps. Others may read and write meanwhile.

        Args:
            quarantine: sets aside each document that cannot be read or trusted: it is as if there never had been one,
                all others go on, and what was stored of it is kept (``concordant_quarantine``). It comes back from
                another store that has it (``import_``).

        Returns:
            What is wrong, and how much was looked at.

        >>> from concordant import Workspace
        >>> ws = Workspace()
        >>> _ = ws.agent("ada").write(("notes",), "n1", {"title": "Dots"})
        >>> ws.check()
        Checked(documents=1, rows=1, unverified=0, problems=(), quarantined=())
        >>> ws.check().ok
        True
        """
        if not isinstance(quarantine, bool):
            raise ConcordantError(f"quarantine= is True or False, not {told(quarantine)}")
        return check(self, quarantine)

    def rename(self, name: str | None = None) -> str:
        """Gives this store another name in its writes; to be done, by the only process that has it open, after it was
        restored from a back-up or copied: two stores that write under one name cannot be told apart.

        Args:
            name: the new one, by default made up.

        Returns:
            The new name. What was written under the old one keeps its place and its authors.
        """
        if name is not None:
            check_name(name, "a store's name")
            if not may_name_replica(name):
                raise ConcordantError("a store's name has no NUL character")
        return upkeep.rename(self, name)


def _check_time(time: Any, what: str) -> None:
    if time is None:
        return
    try:
        fits = isinstance(time, datetime) and 0 <= time.timestamp() < 1e11
    except (OverflowError, ValueError, OSError):  # too far away for a number of seconds
        fits = False
    if not fits:
        raise ConcordantError(f"{what}= is a datetime since 1970, not {told(time)}")
