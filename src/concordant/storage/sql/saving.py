"""What a transaction saves: documents, journal rows, escalations and events, all of them or none."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from concordant.escalation import Escalation
from concordant.record import Record
from concordant.storage.base import ALIEN, Beside, Knowledge, Place, Projection, State, Update
from concordant.storage.encoding import (
    DOCUMENT,
    JOURNAL,
    dump_escalation,
    dump_key,
    dump_namespace,
    dump_row,
    dump_state,
    load_escalation,
)
from concordant.storage.sql import maintenance
from concordant.storage.sql.database import Columns, Writing

__all__ = ["Saving"]

_FIELDS = DOCUMENT.split(", ")
_INSERT = f"INSERT INTO concordant_documents ({DOCUMENT}) VALUES ({', '.join('?' * len(_FIELDS))})"
_UPDATE = f"UPDATE concordant_documents SET {', '.join(f'{name} = ?' for name in _FIELDS[3:])} WHERE id = ?"
_ROW = f"INSERT INTO concordant_journal ({JOURNAL}) VALUES ({', '.join('?' * len(JOURNAL.split(', ')))})"
_OPEN = "SELECT id, body FROM concordant_escalations WHERE namespace = ? AND key = ? AND state IN ('open', 'claimed')"
_CLOSED = "SELECT body FROM concordant_escalations WHERE id = ? AND state NOT IN ('open', 'claimed')"
_OPENED = (
    "INSERT INTO concordant_escalations (id, namespace, key, state, n, place, body, changed) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state, n = excluded.n, "
    "place = excluded.place, body = excluded.body, changed = excluded.changed"
)
_CHANGED = "UPDATE concordant_escalations SET state = ?, body = ?, changed = ? WHERE id = ?"
_EVENT = "INSERT INTO concordant_events (n, place, document, source, time, kind, body) VALUES (?, ?, ?, ?, ?, ?, ?)"

_MODEL = "INSERT INTO concordant_models (fingerprint, shape) VALUES (?, ?) ON CONFLICT (fingerprint) DO NOTHING"

_NONE: Mapping[str, Escalation] = {}


class _Held:
    """A document in a transaction."""

    __slots__ = ("id", "open", "open_count", "state")

    def __init__(self, id_: int | None, state: State | None, open_count: int) -> None:
        self.id = id_
        self.state = state
        self.open_count = open_count
        self.open: Mapping[str, Escalation] | None = None


class Saving:
    """The work of one transaction; the desk of its updates.

    Args:
        source: whose events these are.
        models: the models whose shapes are surely stored, by fingerprint.

    Attributes:
        n: the number of the last commit.
        models: those whose shapes this transaction stores.
        clock: its time.
    """

    def __init__(self, tx: Writing, projection: Projection, source: str, models: Container[str]) -> None:
        self._models = models
        self.models: set[str] = set()
        self._tx = tx
        self._projection = projection
        self._source = source
        self._held: dict[Place, _Held] = {}
        self._made: dict[Place, tuple[Record, int, int]] = {}
        self._tells = False
        self.n, self.clock = tx.n, tx.clock

    def has(self, place: Place) -> bool:
        """Whether the document has been loaded."""
        return place in self._held

    def begin(self, place: Place, columns: Columns, state: State | None) -> None:
        """Takes a document that was loaded."""
        self._held[place] = _Held(columns[0], state, columns[9] or 0)

    def apply(self, place: Place, update: Update) -> None:
        """Runs an update and saves what comes of it."""
        held, n = self._held[place], self.n + 1
        now = self._tx.now
        if now <= self.clock:  # the clock never stands still or goes back: the order of times is that of commits
            now = self.clock + 1e-6
        result = update(held.state, n, now, self)
        if result is None:
            return
        state, row, beside = result
        self.n, self.clock = n, now
        if beside is not None and beside.erases:
            self._erase(place, held)
        if state is not None and (row is not None or (beside is not None and beside.lasts)):
            self._save(place, held, state, beside)
            if row is not None and (beside is None or not beside.erases):
                columns = dump_row(row, held.id or n)
                self._tx.run(_ROW, columns)
                self._tx.witness = (columns[0], columns[2])
        if beside is not None:
            self._save_beside(place, held, beside, now)

    def end(self) -> list[tuple[Place, Record, int, int]]:
        """Saves the number and time of the last commit; returns the records that were made, with the numbers of the
        commits that made them, and their sizes."""
        if self.n != self._tx.n:
            self._tx.run("UPDATE concordant_store SET n = ?, clock = ?", (self.n, self.clock))
        if self._tells:
            self._tx.announce()
        return [(place, *made) for place, made in self._made.items()]

    # -- the desk ------------------------------------------------------------------------------------------------

    def open_of(self, place: Place) -> Mapping[str, Escalation]:
        held = self._held[place]
        if held.open is None:
            held.open = _NONE
            if held.open_count:
                found = self._tx.rows(_OPEN + " ORDER BY n, place", (dump_namespace(place[0]), dump_key(place[1])))
                held.open = {id_: load_escalation(body) for id_, body in found}
        return held.open

    def find_closed(self, id_: str) -> Escalation | None:
        found = self._tx.rows(_CLOSED, (id_,))
        return load_escalation(found[0][0]) if found else None

    def knowledge(self) -> Knowledge:
        return maintenance.knowledge(self._tx.rows)

    # -- saving --------------------------------------------------------------------------------------------------

    def _save(self, place: Place, held: _Held, state: State, beside: Beside | None) -> None:
        open_ = held.open_count if beside is None or beside.open is None else len(beside.open)
        if beside is not None and beside.erases:
            open_ = 0
        shown, fingerprint = None, self._projection.fingerprint(place[0])
        self._note_model(fingerprint, place)
        if isinstance(state, Record):
            shown = self._projection.shown(place[0], state)
            fingerprint += ALIEN if state.alien else ""
        columns = dump_state(held.id or self.n, state, *place, open_, shown, fingerprint, self.n)
        if held.id is None:
            held.id = self.n
            self._tx.run(_INSERT, columns)
        else:
            self._tx.run(_UPDATE, (*columns[3:], held.id))
        held.state, held.open_count = state, open_
        if isinstance(state, Record):
            self._made[place] = (state, self.n, len(columns[12]))

    def _note_model(self, fingerprint: str, place: Place) -> None:
        """Notes the shape of a model under which something is written for the first time."""
        model = fingerprint.partition("?")[0]
        if model not in self._models and model not in self.models:
            self._tx.run(_MODEL, (model, self._projection.shape(place[0])))
            self.models.add(model)

    def _save_beside(self, place: Place, held: _Held, beside: Beside, now: float) -> None:
        run, name = self._tx.run, (dump_namespace(place[0]), dump_key(place[1]))
        if beside.open is not None:
            before = self.open_of(place) if not beside.erases else _NONE
            for number, (id_, escalation) in enumerate(beside.open.items()):
                known = before.get(id_)
                if known is None:
                    body = dump_escalation(escalation)
                    run(_OPENED, (id_, *name, escalation.state, self.n, number, body, now))
                elif known != escalation:
                    run(_CHANGED, (escalation.state, dump_escalation(escalation), now, id_))
            held.open = dict(beside.open)
        for escalation in beside.closed:
            run(_CHANGED, (escalation.state, dump_escalation(escalation), now, escalation.id))
        for number, event in enumerate(beside.events):
            body = dump_escalation(event.escalation)
            run(_EVENT, (self.n, number, held.id, self._source, now, event.kind, body))
            self._tells = True

    def _erase(self, place: Place, held: _Held) -> None:
        name: tuple[Any, ...] = (dump_namespace(place[0]), dump_key(place[1]))
        self._tx.run("DELETE FROM concordant_journal WHERE document = ?", (held.id,))
        self._tx.run("DELETE FROM concordant_events WHERE document = ?", (held.id,))
        self._tx.run("DELETE FROM concordant_escalations WHERE namespace = ? AND key = ?", name)
        held.open = _NONE
