"""The Loro side of a live document: what all its editors share. It runs in a child process (``child``).

Three Loro documents hold the same. What comes from outside is read by the *gate*, since bytes can damage a document
that takes them. As JSON it is then looked at, and tried in the *trial*, and only then taken by the *hub* itself. What
is refused costs the gate, or both of the first two, which are made anew, and not what the editors share. What brings
the three in step again nobody waits for: it is done when the answer is on its way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from loro import ID, CounterSpan, ExportMode, Frontiers, IdSpan, LoroDoc, VersionVector

from concordant_loro.errors import IncompleteUpdateError, LoroError, RefusedUpdateError, guarded
from concordant_loro.replica import Places, changes_in, new_doc, read, read_root, write
from concordant_loro.shape import FIELDS, META, Layout, Roots, is_writable, loads, sides_of

__all__ = ["Hub", "is_servers", "servers_peer"]

MOST_OPERATIONS = 100_000
"""How many letters, items and entries one update may write; it may remove what there is."""

MOST_CHANGES = 1_000
"""In how many changes."""

MOST_REMOVED = 1 << 22
"""How many letters or items one operation may remove."""

_SERVERS = 0xC0C0DE
"""What a server's peer begins with, so that an editor's version tells whether it is of an earlier hub."""

_CONTAINER = re.compile(r"cid:root-(.*):([A-Za-z]+)", re.DOTALL)
_ROOT_TYPES = {"text": "Text", "list": "List"}

_JSON_UPDATES = {"schema_version": 1, "start_version": {}, "peers": None}
"""Changes as JSON in which peers are not numbered."""

Version = dict[int, int]


class _Change(NamedTuple):
    """One change of an editor: its peer, its counters, and what its writer had seen."""

    lamport: int
    peer: int
    start: int
    end: int
    seen: Version


class Hub:
    """What the editors of one document share.

    Args:
        peer: the server's peer in it; no other has ever been it.
        layout: what editors may write.
    """

    is_lost = False
    """Whether something has failed that leaves it damaged."""

    def __init__(self, peer: int, layout: Layout) -> None:
        self.peer, self.layout = peer, layout
        with guarded("To begin a live document"):
            self.doc = new_doc()
            self.doc.peer_id = peer
            self.gate, self.trial = _new_gate(), new_doc()
        self.now: Roots = {}
        self.shown: Version = {}
        self.at: Version = {}
        self._behind: Callable[[], None] | None = None

    # -- to the editors ------------------------------------------------------------------------------------------

    def show(self, roots: Roots) -> tuple[Version, bytes]:
        """Makes some roots show what is given, by operations of the server's.

        Returns:
            The version after them, and what a replica lacks that has what was shown before.
        """
        with self._lasting("To show what was written"):
            self.keep_up()
            before = {name: self.now[name] for name in roots if name in self.now}
            if write(self.doc, before, roots):
                self.doc.commit()
                self.now.update(roots)
                self.at = _version(self.doc.oplog_vv)
            known, self.shown = self.shown, self.at
            news = self._lacking(known, self.shown)
            if news:
                self._behind = partial(self._follow, news)
            return self.shown, news

    def updates(self, known: Version | None) -> tuple[Version, bytes]:
        """Returns the version of what there is, and as bytes what a replica of a version lacks; nothing: no bytes."""
        with self._lasting("To read what there is for an editor"):
            self.keep_up()
            if known is None:
                return self.at, self.doc.export(ExportMode.Snapshot())
            return self.at, self._lacking(known, self.at)

    def _lacking(self, known: Version, now: Version) -> bytes:
        """What lies between two versions; nothing: no bytes."""
        spans = _spans(known, now)
        return self.doc.export(ExportMode.UpdatesInRange(spans)) if spans else b""

    def known_of(self, version: bytes) -> tuple[Version, bool]:
        """Reads a version that an editor says it has; tells whether it is of an earlier hub."""
        with guarded("To read an editor's version"):
            known = _version(VersionVector.decode(version)) if version else {}
            return known, any(is_servers(peer) and peer != self.peer for peer in known)

    def version(self) -> bytes:
        """Returns the version of what there is, as an editor reads it."""
        with self._lasting("To tell the version"):
            self.keep_up()
            return self.doc.oplog_vv.encode()

    # -- in step -------------------------------------------------------------------------------------------------

    def keep_up(self) -> None:
        """Does what the last answer has left to do; call it when that is on its way."""
        behind, self._behind = self._behind, None
        if behind is not None:
            with self._lasting("To bring what editors share in step"):
                behind()

    def _follow(self, news: bytes) -> None:
        """Gate and trial get what the hub has shown."""
        self.gate.import_(news)
        self.trial.import_(news)

    def _take(self, text: str, gates: Version) -> None:
        """The hub gets what was tried."""
        self.doc.import_json_updates(text)
        self.at = _version(self.doc.oplog_vv)
        if gates != self.at:
            self._begin_anew(is_tried=False)

    def _begin_anew(self, *, is_tried: bool) -> None:
        """The gate has what is refused, and the trial if it was tried: others take their place."""
        with self._lasting("To begin anew after an update that was refused"):
            self.gate = self.doc.fork()
            self.gate.detach()
            if is_tried:
                self.trial = self.doc.fork()

    # -- from the editors ----------------------------------------------------------------------------------------

    def receive(self, data: bytes, own: Iterable[int], others: Iterable[int], fresh: int) -> dict[str, Any]:
        """Takes what an editor sent.

        Args:
            own: the peers that are the editor's.
            others: those that are of others.
            fresh: how many peers may be new; they are the editor's from now on.

        Returns:
            ``changes``, oldest first: of each the ``peer``, its counter at the ``end``, what of which peers its writer
            had ``seen``, the ``version`` that was shown, and the ``places`` of texts and lists where it was made; the
            ``peers`` it is of; and ``now``, the roots that differ from what was shown last. If its writer had seen just
            that, then ``now`` is what came of it; of others it has the fields that it changed, ``before`` and
            ``after``.

        Raises:
            RefusedUpdateError: nothing of it was taken.
        """
        self.keep_up()
        try:
            text, found, gates = self._read(data, own, others, fresh)
        except RefusedUpdateError:
            raise
        except LoroError:  # perhaps of something that the gate took before
            text, found, gates = self._read(data, own, others, fresh)
        if not found:
            return {"changes": [], "peers": [], "now": {}}
        changes, now = self._tried(text, found)
        self._behind = partial(self._take, text, gates)
        return {"changes": changes, "peers": sorted({change.peer for change in found}), "now": now}

    def _read(
        self, data: bytes, own: Iterable[int], others: Iterable[int], fresh: int
    ) -> tuple[str, list[_Change], Version]:
        """What is new in an update, as JSON, and its changes; refused if it is not all right. And what the gate has."""
        try:
            with guarded("To read an update"):
                status = self.gate.import_(data)
                if status.pending is not None:
                    raise IncompleteUpdateError("it depends on what is not here", "Send all that the editor has")
                gates = _version(self.gate.oplog_vv)
                changes = self._changes_since(self.at, gates)
                found = self._checked(changes, gates)
                peers = {change.peer for change in found}
                foreign = peers & {self.peer, *others}
                if foreign:
                    raise RefusedUpdateError(f"it is of peer {min(foreign)}", "Write as the peer that connect() gave")
                if len(peers.difference(own)) > fresh:
                    raise RefusedUpdateError("it is of another peer than before", "Let an editor keep its peer")
                return json.dumps({**_JSON_UPDATES, "changes": changes}), found, gates
        except LoroError:
            self._begin_anew(is_tried=False)
            raise

    def _changes_since(self, known: Version, now: Version) -> list[Any]:
        """As JSON the changes that the gate, which is at a version, has behind another, oldest first. What Loro itself
        exports so is found by a way through all of the history."""
        found: list[Any] = []
        for span in _spans(known, now):
            found += json.loads(self.gate.export_json_in_id_span(span))
        return sorted(found, key=lambda change: change["lamport"])

    def _tried(self, text: str, found: list[_Change]) -> tuple[list[dict[str, Any]], Roots]:
        """What the changes of an update do, each in the eyes of its writer; and the roots that show something else by
        them, which are what is shown from now on."""
        try:
            with guarded("To try an update"):
                with changes_in(self.trial) as step:
                    self.trial.import_json_updates(text)
                if len(found) == 1 and found[0].seen == self.at:
                    changes = [_told(found[0], self.now, step.places)]  # of one who had seen all there was
                else:
                    changes = [self._as_seen(change) for change in found]
                    self.trial.checkout_to_latest()
                shown = {name: read_root(self.trial, name) for name in step.roots}
                now = {name: content for name, content in shown.items() if content != self.now.get(name)}
                self.now.update(now)
                return changes, now
        except LoroError:
            self._begin_anew(is_tried=True)
            raise

    def rest(self, peer: int, start: int, end: int) -> dict[str, Any]:
        """Reads what is behind some counter in a change that was taken, as ``receive`` tells of it."""
        with self._lasting("To read a part of a change"):
            self.keep_up()
            seen = self.trial.frontiers_to_vv(Frontiers.from_ids([ID(peer, start - 1)]))
            assert seen is not None
            told = self._as_seen(_Change(0, peer, start, end, _version(seen)))
            self.trial.checkout_to_latest()
            return told

    def missed(self, data: Iterable[bytes], name: str, starts: Version, others: Iterable[int]) -> list[dict[str, Any]]:
        """Reads what an editor of an earlier hub has done that was not committed.

        Args:
            data: all that the editor has: a snapshot, and perhaps updates that came after it.
            name: whose it is.
            starts: by peer the first counter that is not committed.
            others: peers that are of others.

        Returns:
            The changes, as ``receive`` tells of them.
        """
        with guarded("To read what an editor has"):
            self.gate = self.trial
            for part in data:
                if self.gate.import_(part).pending is not None:
                    raise IncompleteUpdateError("it is a part", "Give all that the editor has, as a snapshot")
            roots = read(self.gate)
            if _shown_in(roots) < 0:
                raise RefusedUpdateError("it is no replica of a live document", "Use connect()")
            owners = _owners_in(roots)
            gates = _version(self.gate.oplog_vv)
            since = dict(gates)
            for peer in since:
                if not is_servers(peer) and peer not in others and owners.get(str(peer), name) == name:
                    since[peer] = starts.get(peer, 0)
            found = self._checked(self._changes_since(since, gates), gates)
            return [self._as_seen(change) for change in found]

    @contextmanager
    def _lasting(self, doing: str) -> Iterator[None]:
        """Whatever fails here leaves the document damaged."""
        try:
            with guarded(doing):
                yield
        except LoroError:
            self.is_lost = True
            raise

    def _checked(self, said: list[Any], gates: Version) -> list[_Change]:
        """The changes of an update, oldest first, if they are such as an editor may make."""
        changes: list[_Change] = []
        operations = 0
        for one in said:
            peer, first = _place(one["id"])
            last = first
            for operation in one["ops"]:
                content = operation["content"]
                self._check(operation["container"], content)
                if "start_id" in content:
                    _check_removed(gates, *_place(content["start_id"]), content["len"])
                length = _length(content)
                last = operation["counter"] + length
                operations += length if content["type"] == "insert" else 1
            changes.append(_Change(one["lamport"], peer, first, last, self._seen_by(one, peer, first)))
        for what, number, most in (
            ("operations", operations, MOST_OPERATIONS),
            ("changes", len(changes), MOST_CHANGES),
        ):
            if number > most:
                raise RefusedUpdateError(f"it has {number:,} {what}", f"Send at most {most:,} at once")
        return sorted(changes)

    def _seen_by(self, change: Any, peer: int, first: int) -> Version:
        """What the writer of a change had seen. It follows on what the writer did before, and is numbered behind all of
        it: else Loro could not read again what it takes."""
        deps = [ID(*_place(dep)) for dep in change["deps"]]
        vector = self.gate.frontiers_to_vv(Frontiers.from_ids(deps)) if deps else None
        seen = _version(vector) if vector is not None else {}
        if seen.get(peer, 0) != first or change["lamport"] != 1 + max(map(self._lamport, deps), default=-1):
            raise RefusedUpdateError(
                "its parts do not follow each other", "Send what the editor's Loro document exports"
            )
        return seen

    def _lamport(self, place: ID) -> int:
        change = self.gate.get_change(place)
        assert change is not None
        return change.lamport + place.counter - change.id.counter

    def _check(self, container: str, content: Any) -> None:
        """Refuses an operation that an editor may not do."""
        named = _CONTAINER.fullmatch(container)
        name, sort = named.groups() if named is not None else ("", "")
        kind, _, path = name.partition(":")
        does = content["type"]
        fits = sort == _ROOT_TYPES.get(kind, "Map") and does in ("insert", "delete")
        if name == FIELDS:
            kind, path = FIELDS, content.get("key", "")
        if not fits or not is_writable(self.layout, kind, path):
            raise RefusedUpdateError(f"{does} in {container[:200]!r}", "Write to the fields that the model has")
        if does == "insert" and kind != "text":
            value = content["value"]
            for item in value if kind == "list" else [value]:
                if kind != "keys":
                    loads(item, container)
                elif not isinstance(item, str):
                    raise RefusedUpdateError(f"a {type(item).__name__} in {container[:200]!r}", "Give a kind of root")

    def _as_seen(self, change: _Change) -> dict[str, Any]:
        """A change as its writer saw it."""
        before = self._at(change.seen)
        with changes_in(self.trial) as step:
            after = self._at({**change.seen, change.peer: change.end})
        return {**_told(change, before, step.places), **sides_of(before, after)}

    def _at(self, version: Version) -> Roots:
        vector = VersionVector()  # type: ignore[no-untyped-call]
        for peer, counter in version.items():
            vector.set_end(ID(peer, counter))
        self.trial.checkout(self.trial.vv_to_frontiers(vector))
        return read(self.trial)


def _new_gate() -> LoroDoc:
    """A document that only takes note of what was done: it computes no text of it."""
    doc = new_doc()
    doc.detach()
    return doc


def _length(content: Any) -> int:
    """How many counters an operation takes."""
    if content["type"] == "delete":
        return abs(content["len"]) if "len" in content else 1
    inserted = content.get("text", content["value"] if isinstance(content.get("value"), list) else None)
    return len(inserted) if inserted is not None else 1


def _check_removed(gates: Version, peer: int, counter: int, length: int) -> None:
    """Refuses to remove what is not there."""
    if not (0 <= counter < gates.get(peer, 0) and 0 < abs(length) <= MOST_REMOVED):
        raise RefusedUpdateError("it removes what is not there", "Send what the editor's Loro document exports")


def _told(change: _Change, before: Roots, places: Places) -> dict[str, Any]:
    """A change whose writer was shown something, and where in texts and lists it was made."""
    return {
        "peer": change.peer,
        "end": change.end,
        "seen": {str(peer): counter for peer, counter in change.seen.items() if not is_servers(peer)},
        "version": max(_shown_in(before), 0),
        "places": places,
    }


def _shown_in(roots: Roots) -> int:
    """The version that a replica shows; -1 if it is none of a hub."""
    meta = roots.get(META)
    text = meta.get("version") if isinstance(meta, dict) else None
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 20 else -1


def _owners_in(roots: Roots) -> dict[str, Any]:
    """Who has written as which peer, as a replica tells it."""
    meta = roots.get(META)
    found = loads(meta.get("peers", "{}"), META) if isinstance(meta, dict) else {}
    return found if isinstance(found, dict) else {}


def is_servers(peer: int) -> bool:
    """Tells whether a peer is a server's, of whichever hub."""
    return peer >> 40 == _SERVERS


def servers_peer(number: int) -> int:
    """Returns a server's peer by its number, of 40 bits."""
    return _SERVERS << 40 | number


def _place(text: str) -> tuple[int, int]:
    """The peer and the counter of an identity as JSON has it."""
    counter, _, peer = text.partition("@")
    return int(peer), int(counter)


def _spans(known: Version, now: Version) -> list[IdSpan]:
    """What lies between two versions."""
    return [IdSpan(peer, CounterSpan(known.get(peer, 0), n)) for peer, n in now.items() if n > known.get(peer, 0)]


def _version(vector: VersionVector) -> Version:
    return {peer: counter for peer, (_, counter) in vector.to_spans().inner().items()}
