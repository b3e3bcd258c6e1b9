"""The events of a store in a database, and how far its subscribers have come."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from concordant.escalation import Escalation, Event, when
from concordant.storage.base import Cursor, Lag, Listener, Position, Told, together
from concordant.storage.durable import LAST, DurableEvents
from concordant.storage.encoding import RottenError, load_escalation
from concordant.storage.sql.database import Database, SqlTransaction, of_clocks
from concordant.storage.sql.tables import HEADS

__all__ = ["SqlEvents", "forget_events"]

log = logging.getLogger("concordant")

_AFTER = (
    "SELECT n, place, source, time, kind, body FROM concordant_events "
    "WHERE clock = ? AND (n > ? OR (n = ? AND place > ?)) ORDER BY n, place LIMIT ?"
)
_SUBSCRIBER = "SELECT n, place, holder, until FROM concordant_subscribers WHERE name = ? ORDER BY clock"
_SUBSCRIBERS = "SELECT name, clock, n, place, holder, until FROM concordant_subscribers"
_WAITING = "SELECT count(*), min(time) FROM concordant_events WHERE clock = ? AND (n > ? OR (n = ? AND place > ?))"
_NEW = "INSERT INTO concordant_subscribers (clock, name, n, place, holder, until) VALUES (?, ?, ?, ?, ?, ?)"
_FIRST = (0,)
"""Under this clock whoever takes a subscriber, or lets it go, comes after whoever does beside it."""


class SqlEvents(DurableEvents):
    """Events in a table. The commits of a clock are numbered in the order in which they took place, so a position
    misses none. Among clocks events are told in the order of their times."""

    def __init__(self, database: Database, name: str) -> None:
        super().__init__(name)
        self._database = database

    def now(self) -> Position:
        return tuple((n, LAST) for n, _ in self._database.rows(HEADS))

    def first(self) -> Position:
        return ((0, 0),) * len(self._database.heads)

    def after(self, position: Position, limit: int) -> list[Told]:
        given = [(clock, cursor[0], *cursor, limit) for clock, cursor in enumerate(position)]
        found = self._database.rows(*of_clocks(_AFTER, given, "time, n, place", limit))
        return [
            Told((n, place), source, Event(kind, _question(n, place, body), time))
            for n, place, source, time, kind, body in found
        ]

    def listener(self) -> Listener:
        return self._database.listener()

    def take(self, name: str, holder: str, seconds: float, start: Position) -> Position | None:
        known = self._database.rows(_SUBSCRIBER, (name,))
        if known and known[0][2] == holder and known[0][3] > self._database.time() + seconds / 2:
            return tuple(row[:2] for row in known)  # who waits does not write each time it looks

        def run(tx: SqlTransaction) -> Position | None:
            found = tx.rows(_SUBSCRIBER, (name,))
            if not found:
                for clock, cursor in enumerate(start):
                    tx.run(_NEW, (clock, name, *cursor, holder, tx.now + seconds))
                return start
            other, until = found[0][2:]
            if other not in (None, holder) and until > tx.now:
                return None
            if other != holder or until < tx.now + seconds / 2:
                query = "UPDATE concordant_subscribers SET holder = ?, until = ? WHERE name = ?"
                tx.run(query, (holder, tx.now + seconds, name))
            return tuple(row[:2] for row in found)

        return self._database.write(run, _FIRST)

    def acknowledge(self, name: str, holder: str, seconds: float, cursor: Cursor) -> bool:
        def run(tx: SqlTransaction) -> bool:
            if not tx.rows("SELECT 1 FROM concordant_subscribers WHERE name = ? AND holder = ?", (name, holder)):
                return False
            clock = cursor[0] % len(self._database.heads)
            query = "UPDATE concordant_subscribers SET n = ?, place = ? WHERE clock = ? AND name = ?"
            tx.run(query, (*cursor, clock, name))
            tx.run("UPDATE concordant_subscribers SET until = ? WHERE name = ?", (tx.now + seconds, name))
            return True

        return self._database.write(run, _FIRST)

    def release(self, name: str, holder: str) -> None:
        query = "UPDATE concordant_subscribers SET holder = NULL, until = 0 WHERE name = ? AND holder = ?"
        self._database.write(lambda tx: tx.run(query, (name, holder)), _FIRST)

    def forget(self, name: str) -> None:
        query = "DELETE FROM concordant_subscribers WHERE name = ?"
        self._database.write(lambda tx: tx.run(query, (name,)), _FIRST)

    def lags(self) -> list[Lag]:
        return together(self._lags())

    def _lags(self) -> Iterator[Lag]:
        """How far each subscriber is behind under each clock."""
        now = self._database.time()
        for name, clock, n, place, holder, until in self._database.rows(_SUBSCRIBERS):
            ((waiting, since),) = self._database.rows(_WAITING, (clock, n, n, place))
            yield Lag(name, waiting, None if since is None else when(since), bool(holder) and until > now)


def forget_events(tx: SqlTransaction, before: float, most: int) -> None:
    """Deletes old events that every named subscriber has dealt with, those beyond the newest so many, and escalations
    closed before a time."""
    beyond = tx.rows("SELECT n, place FROM concordant_events ORDER BY n DESC, place DESC LIMIT 1 OFFSET ?", (most,))
    if beyond:
        n, place = beyond[0]
        late = "(n < ? OR (n = ? AND place < ?))"
        missed = (
            "SELECT DISTINCT s.name FROM concordant_subscribers s JOIN concordant_events e ON e.clock = s.clock "
            "AND (e.n > s.n OR (e.n = s.n AND e.place > s.place)) AND (e.n < ? OR (e.n = ? AND e.place <= ?))"
        )
        for (name,) in tx.rows(missed, (n, n, place)):
            log.warning("events are dropped that the subscriber %s has not fetched (Limits.backlog)", name)
        tx.run(f"UPDATE concordant_subscribers SET n = ?, place = ? WHERE {late}", (n, place, n, n, place))
        tx.run("DELETE FROM concordant_events WHERE n < ? OR (n = ? AND place <= ?)", (n, n, place))
    tx.run(
        "DELETE FROM concordant_events WHERE time < ? AND NOT EXISTS (SELECT 1 FROM concordant_subscribers s "
        "WHERE s.clock = concordant_events.clock AND (s.n < concordant_events.n OR "
        "(s.n = concordant_events.n AND s.place < concordant_events.place)))",
        (before,),
    )
    tx.run(
        "DELETE FROM concordant_escalations WHERE state NOT IN ('open', 'claimed') AND changed < ?",
        (before,),
    )


def _question(n: int, place: int, body: bytes) -> Escalation:
    """What an event is about; where its bytes have changed, the error names the event."""
    try:
        return load_escalation(body)
    except Exception as error:  # whatever rot makes of it
        what = f"event {place} of commit {n} is rotten ({type(error).__name__}: {error})"
        raise RottenError(f"{what}: restore the database from a back-up, or subscribe anew") from error
