"""The events of a store in a database, and how far its subscribers have come."""

from __future__ import annotations

import logging

from concordant.escalation import Event, when
from concordant.storage.base import Cursor, Lag, Listener, Told
from concordant.storage.durable import LAST, DurableEvents
from concordant.storage.encoding import load_escalation
from concordant.storage.sql.database import Database, SqlTransaction

__all__ = ["SqlEvents", "forget_events"]

log = logging.getLogger("concordant")

_AFTER = (
    "SELECT n, place, source, time, kind, body FROM concordant_events "
    "WHERE n > ? OR (n = ? AND place > ?) ORDER BY n, place LIMIT ?"
)
_SUBSCRIBER = "SELECT n, place, holder, until FROM concordant_subscribers WHERE name = ?"
_SUBSCRIBERS = "SELECT name, n, place, holder, until FROM concordant_subscribers ORDER BY name"
_WAITING = "SELECT count(*), min(time) FROM concordant_events WHERE n > ? OR (n = ? AND place > ?)"
_NEW = "INSERT INTO concordant_subscribers (name, n, place, holder, until) VALUES (?, ?, ?, ?, ?)"


class SqlEvents(DurableEvents):
    """Events in a table. Their commits are numbered in the order in which they took place, so a cursor misses none."""

    def __init__(self, database: Database, name: str) -> None:
        super().__init__(name)
        self._database = database

    def now(self) -> Cursor:
        ((n,),) = self._database.rows("SELECT n FROM concordant_store")
        return n, LAST

    def first(self) -> Cursor:
        return (-1, LAST)

    def after(self, cursor: Cursor, limit: int) -> list[Told]:
        found = self._database.rows(_AFTER, (cursor[0], *cursor, limit))
        return [
            Told((n, place), source, Event(kind, load_escalation(body), time))
            for n, place, source, time, kind, body in found
        ]

    def listener(self) -> Listener:
        return self._database.listener()

    def take(self, name: str, holder: str, seconds: float, start: Cursor) -> Cursor | None:
        known = self._database.rows(_SUBSCRIBER, (name,))
        if known and known[0][2] == holder and known[0][3] > self._database.time() + seconds / 2:
            return known[0][:2]  # who waits does not write each time it looks

        def run(tx: SqlTransaction) -> Cursor | None:
            found = tx.rows(_SUBSCRIBER, (name,))
            if not found:
                tx.run(_NEW, (name, *start, holder, tx.now + seconds))
                return start
            n, place, other, until = found[0]
            if other not in (None, holder) and until > tx.now:
                return None
            if other != holder or until < tx.now + seconds / 2:
                query = "UPDATE concordant_subscribers SET holder = ?, until = ? WHERE name = ?"
                tx.run(query, (holder, tx.now + seconds, name))
            return n, place

        return self._database.write(run)

    def acknowledge(self, name: str, holder: str, seconds: float, cursor: Cursor) -> bool:
        def run(tx: SqlTransaction) -> bool:
            if not tx.rows("SELECT 1 FROM concordant_subscribers WHERE name = ? AND holder = ?", (name, holder)):
                return False
            query = "UPDATE concordant_subscribers SET n = ?, place = ?, until = ? WHERE name = ?"
            tx.run(query, (*cursor, tx.now + seconds, name))
            return True

        return self._database.write(run)

    def release(self, name: str, holder: str) -> None:
        query = "UPDATE concordant_subscribers SET holder = NULL, until = 0 WHERE name = ? AND holder = ?"
        self._database.write(lambda tx: tx.run(query, (name, holder)))

    def forget(self, name: str) -> None:
        self._database.write(lambda tx: tx.run("DELETE FROM concordant_subscribers WHERE name = ?", (name,)))

    def lags(self) -> list[Lag]:
        now = self._database.time()
        found = []
        for name, n, place, holder, until in self._database.rows(_SUBSCRIBERS):
            ((waiting, since),) = self._database.rows(_WAITING, (n, n, place))
            found.append(Lag(name, waiting, None if since is None else when(since), bool(holder) and until > now))
        return found


def forget_events(tx: SqlTransaction, before: float, most: int) -> None:
    """Deletes old events that every named subscriber has dealt with, those beyond the newest so many, and escalations
    closed before a time."""
    beyond = tx.rows("SELECT n, place FROM concordant_events ORDER BY n DESC, place DESC LIMIT 1 OFFSET ?", (most,))
    if beyond:
        n, place = beyond[0]
        for (name,) in tx.rows(
            "SELECT name FROM concordant_subscribers WHERE n < ? OR (n = ? AND place < ?)", (n, n, place)
        ):
            log.warning("events are dropped that the subscriber %s has not fetched (Limits.backlog)", name)
            tx.run("UPDATE concordant_subscribers SET n = ?, place = ? WHERE name = ?", (n, place, name))
        tx.run("DELETE FROM concordant_events WHERE n < ? OR (n = ? AND place <= ?)", (n, n, place))
    tx.run(
        "DELETE FROM concordant_events WHERE time < ? AND NOT EXISTS (SELECT 1 FROM concordant_subscribers s "
        "WHERE s.n < concordant_events.n OR (s.n = concordant_events.n AND s.place < concordant_events.place))",
        (before,),
    )
    tx.run(
        "DELETE FROM concordant_escalations WHERE state NOT IN ('open', 'claimed') AND changed < ?",
        (before,),
    )
