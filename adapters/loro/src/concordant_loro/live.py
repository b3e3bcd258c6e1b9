"""Live documents: people in editors and agents in code work on one document at once.

Concordant's record is the truth. The editors share a Loro document, the *hub*, which always shows what Concordant does:
each change of an editor becomes an edit of whoever made it, with exactly what they had seen, and then the hub is made
to show what came of it. So of two rewrites of one sentence, which Loro mixes, editors see the base again, and both as
sides of an open question.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from concordant import (
    DELETED,
    ConcordantError,
    Contender,
    Credit,
    Document,
    Escalation,
    HistoryEntry,
    Receipt,
    StaleWriteError,
    Workspace,
)
from concordant.spi import Hunk, committed_since, compile_schema, edit_as_seen, empty_model
from concordant_loro.child import Child
from concordant_loro.errors import LoroError, LostReplicaError, RefusedUpdateError
from concordant_loro.hub import is_servers, servers_peer
from concordant_loro.replica import EMPTY, kind_of
from concordant_loro.shape import (
    META,
    OPEN,
    Roots,
    dumps,
    layout_of,
    path_of,
    path_text,
    roots_of,
    sides_of,
    value_of,
    with_places_of,
)

__all__ = ["LiveDocument", "Session"]

MOST_UPDATE = 4 * 1024 * 1024
"""How many bytes an editor may send at once."""

MOST_PEERS = 256
"""As how many peers one person may write to a hub; an editor that is opened again is another."""

MOST_SIDES = 8
"""How many sides of an open question editors are told."""

MOST_SHOWN = 1_000
"""How many letters of each."""

_ORIGIN = "loro/"
"""What the origins of editors' writes begin with; behind it the peer, its counter at the end of the change, and the
version up to which it counted as having seen all."""


class _Written(NamedTuple):
    """A commit of an editor's change.

    Attributes:
        end: the peer's counter at the end of the change.
        upto: the version up to which it counted as having seen all.
        is_asked: whether it has a part in a question.
    """

    version: int
    origin: str
    end: int
    upto: int
    is_asked: bool


class _OvertakenError(LoroError):
    """Another server has committed a change up to a counter."""

    def __init__(self, counter: int) -> None:
        self.counter = counter
        super().__init__("Another server takes in the same")


class LiveDocument:
    """One document, open to editors.

    Args:
        workspace: whose document it is. The namespace needs a model.
        namespace, key: which document; it need not exist yet.

    Raises:
        ConcordantError: the namespace has no model.

    >>> from typing import Annotated
    >>> from loro import ExportMode, LoroDoc
    >>> from pydantic import create_model
    >>> from concordant import Text
    >>> ws = Workspace(schemas={("pages",): create_model("Page", body=(Annotated[str, Text()], ""))})
    >>> _ = ws.agent("ada").write(("pages",), "home", {"body": "Twelve sources."})
    >>> with LiveDocument(ws, ("pages",), "home") as live:
    ...     session = live.connect("maria")
    ...     doc = LoroDoc()  # in her editor
    ...     doc.peer_id = session.peer
    ...     _ = doc.import_(session.outgoing())
    ...     before = doc.oplog_vv
    ...     doc.get_text("text:body").insert(15, " Two are new.")
    ...     doc.commit()
    ...     _ = session.receive(doc.export(ExportMode.Updates(before)))
    >>> [(credit.value, credit.agent) for credit in ws.blame(("pages",), "home")[("body",)]]
    [('Twelve sources.', 'ada'), (' Two are new.', 'maria')]
    """

    def __init__(self, workspace: Workspace, namespace: tuple[str, ...], key: str) -> None:
        self.workspace, self.namespace, self.key = workspace, namespace, key
        self._field = compile_schema(type(empty_model(workspace, namespace))).root
        self._layout = layout_of(self._field)
        self._lock = threading.RLock()
        self._child, self._reader = Child.shared("keep"), Child.shared("read")
        self._begin()

    def _begin(self) -> None:
        """Begins with an empty hub that shows what was committed."""
        self.epoch = secrets.token_hex(8)
        self._peer = servers_peer(secrets.randbits(40))
        self._given: dict[int, str] = {}  # peers that were given out
        self._owners: dict[int, str] = {}  # and those that have written
        self._now: Roots = {}
        self.version = -1
        self._now_at: dict[str, int] = {}  # the hub's version when something was shown last
        self._news: tuple[dict[str, int], bytes] = {}, b""  # what came since the time before, which most editors lack
        self._written: dict[int, list[_Written]] = {}  # by peer, what its editor may not have been shown yet
        self._upto: dict[int, int] = {}  # by peer, up to which version it is known what was committed of it
        self._child.ask("begin", hub=self.epoch, peer=self._peer, layout=self._layout)
        self.refresh()
        self._begun = self.version

    # -- to editors ----------------------------------------------------------------------------------------------

    def connect(self, name: str) -> Session:
        """Lets a person in.

        Args:
            name: whom their changes are credited to. Whoever calls this has made sure that it is them.

        Returns:
            Their session: it gives their editor its peer, all there is, and what comes.
        """
        with self._lock:
            peer = secrets.randbits(53) + 1
            self._given[peer] = name
            return Session(self, name, peer, self.epoch)

    def forget(self, session: Session) -> None:
        """Lets a person out; what the editor has written stays hers."""
        with self._lock:
            self._given.pop(session.peer, None)

    def refresh(self) -> bool:
        """Shows editors what was committed since; tells whether there was anything.

        What comes in from editors is shown at once. For what agents and other processes write, call this after it, or
        now and then.

        Raises:
            LostReplicaError: the hub is gone, and a new one was begun; editors have to ``rejoin``.
        """
        with self._lock:
            document, version = self._stored()
            if version == self.version:
                return False
            self._show(document, version)
            return True

    def _stored(self) -> tuple[Document | None, int]:
        """The document and its version; without one that at which it was deleted, 0 if there was none."""
        document, version = self.workspace.get(self.namespace, self.key), 0
        if document is None:
            entries = self.workspace.history(self.namespace, self.key)
            version = entries[0].version if entries else 0
            document = self.workspace.get(self.namespace, self.key)  # that may be of who wrote it meanwhile
        return document, document.version if document is not None else version

    def _show(self, document: Document | None, version: int) -> None:
        """Makes the hub show a version."""
        roots = roots_of(document.value if document is not None else {}, self._field)
        meta: Any = roots.setdefault(META, {})
        meta["version"] = dumps(version)
        meta["peers"] = dumps({str(peer): name for peer, name in sorted(self._owners.items())})
        questions = document.contested.values() if document is not None else ()
        roots[OPEN] = {one.id: dumps(_told(one)) for one in questions}
        wanted = {name: EMPTY[kind_of(name)] for name in self._now}
        wanted.update(with_places_of(self._now, roots))
        changed = {name: content for name, content in wanted.items() if self._now.get(name) != content}
        before = self._now_at
        self._now_at, news = self._ask("show", roots=changed)
        self._news = (before, news)
        self._now = {**self._now, **changed}
        self.version = version

    # -- from editors --------------------------------------------------------------------------------------------

    def take(self, session: Session, data: bytes) -> Sequence[Receipt]:
        """Commits what an editor sent (``Session.receive``)."""
        self._check_size(data)
        with self._lock:
            self.check(session)
            peers = {**self._given, **self._owners}
            others = [peer for peer, name in peers.items() if name != session.name]
            room = max(0, MOST_PEERS - [*self._owners.values()].count(session.name))
            own, fresh = session.allowed({peer for peer, name in peers.items() if name == session.name}, room)
            self._taste(data)
            found, _ = self._ask("receive", data, own=sorted(own), others=others, fresh=fresh)
            session.wrote_as(found["peers"])
            for peer in found["peers"]:
                self._owners.setdefault(peer, session.name)
            before, self._now = self._now, {**self._now, **found["now"]}
            sides = sides_of(before, self._now)  # of a change whose writer had seen just that
            changes = [{**sides, **change} for change in found["changes"]]
            receipts, refused = self._commit(session.name, changes, is_shared=True)
            self._show(*self._stored())
        if refused:
            raise refused[0]
        return receipts

    def _taste(self, data: bytes) -> None:
        """Refuses bytes that cannot be read, or end the process that reads them, before the one reads them that all
        editors need."""
        try:
            self._reader.ask("taste", data)
        except LoroError as error:
            raise RefusedUpdateError(str(error), "Send what the editor's Loro document exports") from error

    def _commit(
        self, name: str, changes: Sequence[Any], *, is_shared: bool
    ) -> tuple[list[Receipt], list[ConcordantError]]:
        """Commits changes of an editor, which the hub has or not: what came of each, and what was refused of them."""
        receipts: list[Receipt] = []
        refused: list[ConcordantError] = []
        waiting = deque(changes)
        while waiting:
            change = waiting.popleft()
            try:
                receipts.append(self._edit(name, change))
            except _OvertakenError as error:
                if not is_shared:
                    raise
                rest, _ = self._ask("rest", peer=change["peer"], start=error.counter, end=change["end"])
                waiting.appendleft(rest)
            except ConcordantError as error:  # of this change alone; the editor is shown what stands
                refused.append(error)
        return receipts, refused

    def _edit(self, name: str, change: Any) -> Receipt:
        """Commits one change by whoever made it, with what they had seen; once, though its editor may have given it to
        another server, too."""
        peer = change["peer"]
        while True:
            try:
                return self._edit_as_known(name, change)
            except StaleWriteError:
                done = self._catch_up(peer)
                if done is not None and done.end >= change["end"]:
                    return Receipt(done.version)
                if done is not None and done.end > change["seen"].get(str(peer), 0):
                    raise _OvertakenError(done.end) from None

    def _edit_as_known(self, name: str, change: Any) -> Receipt:
        """Commits one change, if nobody has committed of its peer what is not known here."""
        peer, end, upto = change["peer"], change["end"], change["version"]
        before, after = value_of(change["before"], self._field), value_of(change["after"], self._field)
        after = {field: value for field, value in after.items() if field not in before or before[field] != value}
        if not after:
            return Receipt(self.version)
        written = [*self._written.get(peer, ()), *self._unshown(name, peer, change["seen"], upto)]
        asked = [one.upto for one in written if one.version > upto and one.is_asked]
        if asked:  # of what it met then, the writer knows the words by now, but not that there is a question
            upto = min(upto, *asked)
        origin = f"{_ORIGIN}{peer}/{end}/{upto}"
        receipt = edit_as_seen(
            self.workspace,
            self.namespace,
            self.key,
            before,
            after,
            agent=name,
            origin=origin,
            upto=upto,
            own=frozenset([one.origin for one in written if one.version > upto]),
            once=(f"{_ORIGIN}{peer}/", self._upto.get(peer, self._begun)),
            places=dict(_places_in(change["places"], before, after)),
        )
        self._upto[peer] = receipt.version
        kept = [one for one in self._written.get(peer, ()) if one.version > upto]
        self._written[peer] = [*kept, _Written(receipt.version, origin, end, upto, bool(receipt.escalations))]
        return receipt

    def _catch_up(self, peer: int) -> _Written | None:
        """Learns what other processes have committed of a peer; the last of it."""
        known = self._upto.get(peer, self._begun)
        self._upto[peer], entries = committed_since(self.workspace, self.namespace, self.key, known)
        found = [_written_in(entry) for entry in entries if entry.origin.startswith(f"{_ORIGIN}{peer}/")]
        self._written.setdefault(peer, []).extend(found)
        return found[-1] if found else None

    def _unshown(self, name: str, peer: int, seen: dict[str, int], upto: int) -> Iterator[_Written]:
        """What a writer had made as other peers, and had seen although it was not shown: her editor had it before."""
        for other, counter in seen.items():
            if int(other) != peer and self._owners.get(int(other)) == name:
                for one in self._written.get(int(other), ()):
                    if one.version > upto and one.end <= counter:
                        yield one

    def rejoin(self, name: str, data: bytes, *more: bytes) -> Session:
        """Lets a person in whose editor has a replica of an earlier hub: its server was restarted, or its hub is gone.

        What the editor has that was not committed comes in, each change with what its writer had been shown then.

        Args:
            name: as for ``connect``.
            data: all that the editor has, as a snapshot.
            more: updates that it has made since.

        Returns:
            The session, for a new Loro document in the editor: the old one is of no use any more.

        Raises:
            RefusedUpdateError: that is no replica of a live document, or it writes what it may not.
            InvalidWriteError: a change does not fit the model; the others were taken.
        """
        parts = [data, *more]
        self._check_size(data)
        self._check_size(b"".join(parts))
        with self._lock:
            while (refused := self._take_missed(name, parts)) is None:
                pass  # another server takes in the same: what is left of it is less by now
            self.refresh()
            if refused:
                raise refused[0]
            return self.connect(name)

    def _take_missed(self, name: str, parts: Sequence[bytes]) -> list[ConcordantError] | None:
        """Commits what an editor of an earlier hub has done that was not committed; what was refused of it, or ``None``
        if another server has committed a part of a change."""
        known = self.workspace.get(self.namespace, self.key)
        own, others = self._written_by(name)
        starts = {str(peer): max(one.end for one in written) for peer, written in own.items()}
        peers = {*others, *(peer for peer, owner in {**self._given, **self._owners}.items() if owner != name)}
        given = {"layout": self._layout, "name": name, "starts": starts, "others": sorted(peers)}
        changes, _ = self._reader.ask("missed", b"".join(parts), sizes=[*map(len, parts)], **given)
        seen = {int(peer) for change in changes for peer in change["seen"]} & {*own}
        for peer in seen.union(change["peer"] for change in changes):
            self._written[peer] = own.get(peer, [])
            self._upto[peer] = known.version if known is not None else 0
        try:
            return self._commit(name, changes, is_shared=False)[1]
        except _OvertakenError:
            return None

    def _written_by(self, name: str) -> tuple[dict[int, list[_Written]], set[int]]:
        """What a person's editors have written, oldest first, and the peers of others, as the journal tells."""
        own: dict[int, list[_Written]] = {}
        others: set[int] = set()
        for entry in reversed(self.workspace.history(self.namespace, self.key)):
            if not entry.origin.startswith(_ORIGIN):
                continue
            peer = int(entry.origin.split("/")[1])
            if entry.agent == name:
                own.setdefault(peer, []).append(_written_in(entry))
            else:
                others.add(peer)
        return own, others

    def _check_size(self, data: bytes) -> None:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise RefusedUpdateError(f"a {type(data).__name__} is no update", "Give bytes")
        if len(data) > MOST_UPDATE:
            raise RefusedUpdateError(f"it has {len(data):,} bytes", f"Send at most {MOST_UPDATE:,} at once")

    # -- the hub -------------------------------------------------------------------------------------------------

    def check(self, session: Session) -> None:
        """Refuses a session of an earlier hub."""
        if session.epoch != self.epoch:
            raise LostReplicaError("What this editor shares with others is gone. Let it rejoin with all that it has")

    def updates(self, known: dict[str, int] | None) -> tuple[dict[str, int], bytes]:
        """Returns the hub's version, and what a replica of a version lacks."""
        if known is not None and known in (self._now_at, self._news[0]):
            return self._now_at, self._news[1] if known == self._news[0] else b""
        now, found = self._ask("updates", known=known)
        return now, found

    def version_known(self, version: bytes) -> dict[str, int]:
        """Reads a version vector that an editor sent.

        Raises:
            LostReplicaError: it is of an earlier hub.
        """
        found, _ = self._ask("known", version)
        if found["stale"]:
            raise LostReplicaError("What this editor shares with others is gone. Let it rejoin with all that it has")
        known: dict[str, int] = found["known"]
        for peer in map(int, known):
            if peer not in self._owners and not is_servers(peer):
                self._upto.setdefault(peer, -1)  # an earlier hub may have taken what it has written
        return known

    def version_vector(self) -> bytes:
        """Returns the version of what editors share, as ``VersionVector.decode`` reads it."""
        return self._ask("version")[1]

    def _ask(self, what: str, data: bytes = b"", **given: Any) -> tuple[Any, bytes]:
        """Asks about the hub; one that is gone is begun anew."""
        try:
            return self._child.ask(what, data, hub=self.epoch, **given)
        except LostReplicaError:
            self._begin()
            raise

    def credits(self) -> tuple[bytes, dict[str, list[tuple[int, tuple[str, ...]]]]]:
        """Tells who wrote what editors are shown.

        Returns:
            The version of what they are shown, as ``VersionVector.decode`` reads it; and by root, such as
            ``text:body``, the parts of the text in order: how many UTF-16 units each has, which is how browsers count,
            and who stands for it. A text that was written meanwhile is left out, until it is shown.
        """
        with self._lock:
            version, now = self.version_vector(), self._now
        found: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
        for path, parts in self.workspace.blame(self.namespace, self.key).items():  # whoever types does not wait for it
            shown = now.get(root := f"text:{path_text(path)}")
            if shown and shown == "".join(part.value for part in parts if isinstance(part.value, str)):
                found[root] = [*_runs(parts)]
        return version, found

    def close(self) -> None:
        """Ends the hub; its sessions are over."""
        with self._lock:
            epoch, self.epoch = self.epoch, ""
            self._child.ask("end", hub=epoch)

    def __enter__(self) -> LiveDocument:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Session:
    """One editor of a live document (``LiveDocument.connect``).

    Attributes:
        name: whom its changes are credited to.
        peer: the peer id for its Loro document (``LoroDoc.peer_id``), which is no other's.
        epoch: of which hub it is.
    """

    def __init__(self, live: LiveDocument, name: str, peer: int, epoch: str) -> None:
        self.live, self.name, self.peer, self.epoch = live, name, peer, epoch
        self._known: dict[str, int] | None = None
        self._peers = {peer}
        self._has_written = self._is_bound = False

    def allowed(self, persons: set[int], room: int) -> tuple[set[int], int]:
        """Returns as which peers its editor may write, and how many may be new.

        A client that brings a peer of its own is bound to it. Its first update may also bring what it wrote as earlier
        peers of its person, and could not send; then it may take one more, and no other.

        Args:
            persons: the peers that are its person's.
            room: how many more her peers may become.
        """
        if not self._has_written:
            return persons, room
        return self._peers, min(room, 0 if self._is_bound else 1)

    def wrote_as(self, peers: Collection[int]) -> None:
        """Notes of which peers an update was."""
        if peers:
            self._is_bound = self._is_bound or self.peer in peers or (self._has_written and not self._peers >= {*peers})
            self._has_written = True
            self._peers.update(peers)

    def outgoing(self) -> bytes | None:
        """Returns what the editor has not been sent yet, for ``LoroDoc.import_``; ``None`` if there is nothing.

        Raises:
            LostReplicaError: the editor has to rejoin.
        """
        with self.live._lock:
            self.live.check(self)
            self._known, found = self.live.updates(self._known)
            return found or None

    def has(self, version: bytes) -> None:
        """Notes which version the editor says it has (``VersionVector.encode``): it is sent the rest.

        Raises:
            LostReplicaError: the editor has to rejoin: what it has is of an earlier hub.
        """
        with self.live._lock:
            self.live.check(self)
            self._known = self.live.version_known(version)

    def receive(self, data: bytes) -> Sequence[Receipt]:
        """Commits what the editor sent: updates that its Loro document has exported.

        Returns:
            A receipt for each change of it; the questions in which it has a part are in them, and in ``meta``.

        Raises:
            RefusedUpdateError: it writes what it may not, or depends on what is not here; nothing of it was taken.
            InvalidWriteError: a change does not fit the model; the others stand, and the editor is shown what stands.
            LostReplicaError: the editor has to rejoin.
        """
        return self.live.take(self, data)

    def close(self) -> None:
        """Ends the session; what the editor has written stays its person's."""
        self.live.forget(self)


def _written_in(entry: HistoryEntry) -> _Written:
    """An entry of the journal that is of an editor's change."""
    _, end, upto = map(int, entry.origin.split("/")[1:])
    return _Written(entry.version, entry.origin, end, upto, "escalated" in entry.met.values())


def _places_in(
    places: Mapping[str, Iterable[tuple[int, int, int]]], before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], list[Hunk]]]:
    """Where a change was made in the texts and lists that are there before and after it."""
    for root, parts in places.items():
        path = path_of(root.partition(":")[2])
        old, new = (_part(value, path) for value in (before, after))
        if old is not None and new is not None:
            hunks: list[Hunk] = []
            drift = 0
            for start, end, length in parts:
                hunks.append(Hunk(start, end, new[start + drift : start + drift + length]))
                drift += length - (end - start)
            yield path, hunks


def _part(value: Any, path: Iterable[str]) -> Any:
    """What is in a value at a path, if anything."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _runs(parts: Iterable[Credit]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The parts of a text, those beside each other together that the same stand for: their lengths, and who."""
    for agents, run in groupby(parts, key=lambda part: part.agents):
        yield sum(len(part.value.encode("utf-16-le")) // 2 for part in run), agents


def _told(question: Escalation) -> dict[str, Any]:
    """An open question as editors are told of it: what they need to mark it and to offer its sides."""
    return {
        "id": question.id,
        "version": question.version,
        "path": list(question.path),
        "reason": question.reason,
        "base": _cut(json.loads(dumps(question.base), parse_constant=str)),  # browsers read no NaN
        "has_base": question.has_base,
        "contenders": [_side(one) for one in question.contenders[:MOST_SIDES]],
        "more": question.more + max(0, len(question.contenders) - MOST_SIDES),
    }


def _side(contender: Contender) -> dict[str, Any]:
    value = contender.to_dict()["value"]
    told = {"value": _cut(value), "agents": list(contender.agents), "deleted": contender.value is DELETED}
    return told if told["value"] == value else {**told, "cut": True}


def _cut(value: Any) -> Any:
    """A value as far as editors are told it: it is told anew whenever its question changes."""
    text = value if isinstance(value, str) else dumps(value)
    return value if len(text) <= MOST_SHOWN else text[:MOST_SHOWN]
