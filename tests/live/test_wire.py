"""Editors over a websocket: the published client of the Loro protocol connects as it is."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from loro import EphemeralStore, ExportMode, LoroDoc, VersionVector

from concordant import StorageError, Workspace
from concordant_loro import Access, LiveServer, LoroError, Rate, protocol
from concordant_loro.live import LiveDocument
from concordant_loro.protocol import DOCUMENT, PRESENCE, MessageKind, RoomErrorCode, Status
from concordant_loro.server import _Pace
from tests.patience import PATIENCE

from .simulation import PLACE, Brief, said

ROOM = "briefs:launch"


def authenticate(room: str, auth: bytes) -> Access | str | None:
    """Whoever says a name is it, for a test."""
    name = auth.decode()
    return Access(name[7:], may_write=False) if name.startswith("reader ") else name or None


@asynccontextmanager
async def serving(ws: Workspace, port: int = 0, **settings: Any) -> AsyncIterator[tuple[LiveServer, str]]:
    server = LiveServer(ws, authenticate, **settings)
    async with websockets.serve(server.serve, "127.0.0.1", port, max_size=2**20, close_timeout=0.5) as sockets:
        port = next(iter(sockets.sockets)).getsockname()[1]
        yield server, f"ws://127.0.0.1:{port}"
        await server.close()
        # A client may come at this moment, and up to some Python asyncio loses whom it accepts as it ends.
        for listening in sockets.sockets:
            asyncio.get_running_loop().remove_reader(listening.fileno())
        for _ in range(2):
            await asyncio.sleep(0)


class Client:
    """An editor that speaks the protocol, as little of it as there is need for."""

    def __init__(self, socket: Any, name: str) -> None:
        self.socket, self.name, self.doc = socket, name, LoroDoc()
        self.acknowledged: list[int] = []
        self.said: list[bytes] = []
        self.error: tuple[int, str] | None = None
        self.parts: dict[bytes, list[bytes]] = {}
        self.extra: Any = None

    async def join(self, crdt: bytes = DOCUMENT, version: bytes = b"", room: str = ROOM) -> int:
        head = crdt + protocol._block(room.encode()) + bytes([MessageKind.JOIN])
        await self.socket.send(head + protocol._block(self.name.encode()) + protocol._block(version))
        while True:
            kind = await self.take()
            if kind in (MessageKind.JOINED, MessageKind.JOIN_ERROR):
                return kind

    async def send(self, data: bytes, crdt: bytes = DOCUMENT) -> None:
        for message in protocol.updates(crdt, ROOM, data, random.randbytes(8)):
            await self.socket.send(message)

    async def take(self) -> int:
        """Takes one message in."""
        data = await asyncio.wait_for(self.socket.recv(), PATIENCE)
        crdt, at = data[:4], 5 + data[4]
        kind, rest = data[at], protocol._Reader(data[at + 1 :])
        if kind == MessageKind.JOINED:
            self.permission, self.version, extra = rest.block(), rest.block(), rest.block()
            self.extra = json.loads(extra) if extra else None
        elif kind == MessageKind.UPDATE:
            found = [rest.block() for _ in range(rest.number())]
            self.said += found
            for part in found if crdt == DOCUMENT else ():
                self.doc.import_(part)
        elif kind == MessageKind.FRAGMENT_HEADER:
            self.parts[rest.take(8)] = []
        elif kind == MessageKind.FRAGMENT:
            batch, _, part = rest.take(8), rest.number(), rest.block()
            self.parts[batch].append(part)
            with_all = b"".join(self.parts[batch])
            self.doc.import_(with_all) if len(part) < protocol._FRAGMENT else None
        elif kind == MessageKind.ACKNOWLEDGED:
            rest.take(8)
            self.acknowledged.append(rest.take(1)[0])
        elif kind in (MessageKind.ROOM_ERROR, MessageKind.JOIN_ERROR):
            self.error = rest.take(1)[0], rest.block().decode()
        return kind

    async def until(self, holds: Any) -> None:
        while not holds():
            await self.take()

    def write(self, text: str) -> bytes:
        known = self.doc.oplog_vv
        body = self.doc.get_text("text:body")
        body.insert(body.len_unicode, text)
        self.doc.commit()
        return self.doc.export(ExportMode.Updates(known))

    @property
    def body(self) -> str:
        return self.doc.get_text("text:body").to_string()


async def test_editors_and_agents_see_each_other() -> None:
    """What an editor sends is acknowledged, committed as its person's, and shown to others; agents' writes come by."""
    with Workspace(schemas={PLACE[0]: Brief}) as ws:
        ws.agent("ada").write(*PLACE, {"body": "One."})
        async with serving(ws) as (_, url), websockets.connect(url) as one, websockets.connect(url) as other:
            maria, john = Client(one, "maria"), Client(other, "john")
            assert await maria.join() == await john.join() == MessageKind.JOINED
            assert maria.permission == b"write" and maria.extra["name"] == "maria"
            await maria.until(lambda: maria.body == "One.")
            await john.until(lambda: john.body == "One.")
            await maria.send(maria.write(" Two."))
            await john.until(lambda: john.body == "One. Two.")
            await maria.until(lambda: maria.acknowledged == [0])
            ws.agent("bob").write(*PLACE, {"body": "Three."})
            await maria.until(lambda: maria.body == "One. Two.\nThree.")
            assert [c.agent for c in ws.blame(*PLACE)["body",]] == ["ada", "maria", "bob"]
            await maria.socket.send("ping")
            assert await maria.socket.recv() == "pong"


async def test_a_database_that_was_away_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it cannot be read nothing is shown; what was written is shown when it is back."""
    with Workspace(schemas={PLACE[0]: Brief}) as ws:
        async with serving(ws) as (_, url), websockets.connect(url) as socket:
            maria = Client(socket, "maria")
            assert await maria.join() == MessageKind.JOINED
            get, tried = ws.get, []

            def away(*place: Any, **options: Any) -> Any:
                tried.append(place)
                if len(tried) < 4:
                    raise StorageError("postgres://host/db", "the server is away", "Start it")
                return get(*place, **options)

            monkeypatch.setattr(ws, "get", away)
            ws.agent("ada").write(*PLACE, {"body": "One."})
            await maria.until(lambda: maria.body == "One.")
            assert len(tried) >= 4


async def test_an_editor_of_which_the_child_dies_is_asked_to_rejoin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Loro ends over what an editor would be sent, that editor is not left waiting."""
    with Workspace(schemas={PLACE[0]: Brief}) as ws:
        async with serving(ws) as (_, url), websockets.connect(url) as socket:
            maria = Client(socket, "maria")
            assert await maria.join() == MessageKind.JOINED

            def dies(*_: Any) -> Any:
                raise LoroError("Loro ended its process over 10 bytes")

            monkeypatch.setattr(LiveDocument, "updates", dies)
            ws.agent("ada").write(*PLACE, {"body": "One."})
            await maria.until(lambda: maria.error)
            assert maria.error[0] == RoomErrorCode.REJOIN_SUGGESTED


async def test_large_documents_travel_in_fragments() -> None:
    """An update beyond a message's size goes and comes in fragments."""
    with Workspace(schemas={PLACE[0]: Brief}) as ws:
        async with serving(ws) as (_, url), websockets.connect(url) as one, websockets.connect(url) as other:
            maria, john = Client(one, "maria"), Client(other, "john")
            await maria.join()
            letters = "".join(map(chr, random.Random(1).choices(range(0x4E00, 0x9FFF), k=99_000)))
            await maria.send(maria.write(letters))
            await maria.until(lambda: maria.acknowledged == [0])
            await john.join()
            await john.until(lambda: john.body == letters)
            assert john.parts


async def test_who_may_not_is_told() -> None:
    """Nobody joins without a name, a reader's updates are refused, and so is a room that is no document."""
    with Workspace(schemas={PLACE[0]: Brief}) as ws:
        async with serving(ws) as (_, url), websockets.connect(url) as one, websockets.connect(url) as other:
            nobody, reader = Client(one, ""), Client(other, "reader eve")
            assert await nobody.join() == MessageKind.JOIN_ERROR and nobody.error is not None and nobody.error[0] == 2
            await nobody.send(nobody.write("x"))
            await nobody.until(lambda: nobody.acknowledged == [1])
            assert await reader.join() == MessageKind.JOINED and reader.permission == b"read"
            await reader.send(reader.write("x"))
            await reader.until(lambda: reader.acknowledged == [3])
            for room in (b"nowhere", b"other/:x", b":x", b"undeclared:x"):
                head = DOCUMENT + protocol._block(room) + bytes([MessageKind.JOIN]) + protocol._block(b"eve") + b"\0"
                await reader.socket.send(head)
                await reader.until(lambda: reader.error is not None)
                reader.error = None
            await reader.socket.send(b"%YJS" + protocol._block(ROOM.encode()) + b"\0\0\0")
            await reader.until(lambda: reader.error is not None)
            assert ws.get(*PLACE) is None


async def test_what_is_refused_ends_the_membership() -> None:
    """An editor whose update was refused has what nobody else has: it is told to begin anew, and others go on."""
    with Workspace(schemas={PLACE[0]: Brief}) as ws:
        async with serving(ws) as (_, url), websockets.connect(url) as one:
            mallory = Client(one, "mallory")
            await mallory.join()
            known = mallory.doc.oplog_vv
            mallory.doc.get_map("meta").insert("version", "99")
            lacking = mallory.write("x")  # it depends on what is not in it, so it is passed over
            await mallory.send(lacking)
            await mallory.send(mallory.doc.export(ExportMode.Updates(known)))
            await mallory.until(lambda: mallory.acknowledged == [1, 4])
            await mallory.send(mallory.write("y"))
            await mallory.until(lambda: mallory.acknowledged == [1, 4, 1])
            mallory.doc = LoroDoc()
            await mallory.join()
            await mallory.send(mallory.write("One."))
            await mallory.until(lambda: mallory.acknowledged == [1, 4, 1, 0])
            assert said(ws.get(*PLACE).value) == {"body": "One."}


async def test_what_is_too_large_ends_the_membership(monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor that announces an update of more than is taken is told so at once, and to begin anew; others go on."""
    monkeypatch.setattr("concordant_loro.server.MOST_UPDATE", 2**19)
    with Workspace(schemas={PLACE[0]: Brief}) as ws:
        async with serving(ws) as (_, url), websockets.connect(url) as one, websockets.connect(url) as other:
            maria, john = Client(one, "maria"), Client(other, "john")
            for client in (maria, john):
                await client.join()
            await maria.send(maria.write("x" * 600_000))
            await maria.send(maria.write("y"))
            await maria.until(lambda: maria.acknowledged == [Status.PAYLOAD_TOO_LARGE, Status.UNKNOWN])
            maria.doc = LoroDoc()
            await maria.join()
            await maria.send(maria.write("One."))
            await john.until(lambda: john.body == "One.")
            assert said(ws.get(*PLACE).value) == {"body": "One."}


async def test_who_leaves_in_the_middle_of_an_update_harms_nobody() -> None:
    """A connection that ends between the fragments of an update leaves nothing behind; what it lacked comes again."""
    with Workspace(schemas={PLACE[0]: Brief}) as ws:
        async with serving(ws) as (server, url), websockets.connect(url) as other:
            john = Client(other, "john")
            await john.join()
            async with websockets.connect(url) as one:
                maria = Client(one, "maria")
                await maria.join()
                update = maria.write("One. " * 60_000)
                head, part, *_ = protocol.updates(DOCUMENT, ROOM, update, bytes(8))
                await one.send(head)
                await one.send(part)
                await john.send(john.write("Two."))
                await john.until(lambda: john.acknowledged == [Status.OK])
            async with websockets.connect(url) as one:
                maria.socket = one
                await maria.join(version=maria.doc.oplog_vv.encode())
                await maria.until(lambda: "Two." in maria.body)
                assert said(ws.get(*PLACE).value) == {"body": "Two."}
            [room] = server.rooms.values()
            while len(room.members) > 1:
                await asyncio.sleep(0.01)


async def test_noise_harms_nobody(seed: str) -> None:
    """Messages of any bytes are passed over or answered, and the connection goes on."""
    chance = random.Random(seed)
    with Workspace(schemas={PLACE[0]: Brief}) as ws:
        async with serving(ws) as (_, url), websockets.connect(url) as one:
            maria = Client(one, "maria")
            await maria.join()
            update = maria.write("One.")
            head = DOCUMENT + protocol._block(ROOM.encode())
            for _ in range(300):
                kind = chance.choice([3, 3, 4, 5, 6, 7, 8, 9, 200])
                tail = chance.randbytes(chance.randrange(60))
                if kind == 7:
                    tail += b"x"
                    kind = 8
                await maria.socket.send(chance.choice([head + bytes([kind]) + tail, tail, head + tail]))
            maria.doc = LoroDoc()
            await maria.join()
            await maria.until(lambda: maria.version == b"" or True)
            await maria.send(maria.write("Two."))
            before = len(maria.acknowledged)
            await maria.until(lambda: 0 in maria.acknowledged[before:])
            assert "Two." in ws.get(*PLACE).value["body"] and update


async def test_after_a_restart_an_editor_is_asked_for_all_it_has() -> None:
    """An editor of an earlier server gets no version: it sends all it has, which is taken in once, and begins anew."""
    with Workspace(schemas={PLACE[0]: Brief}) as ws:
        ws.agent("ada").write(*PLACE, {"body": "One.", "tokens": 1})
        async with serving(ws) as (_, url), websockets.connect(url) as one:
            maria = Client(one, "maria")
            await maria.join()
            await maria.until(lambda: maria.body == "One.")
            await maria.send(maria.write(" Two."))
            await maria.until(lambda: maria.acknowledged == [0])
        maria.write(" Three.")  # while nobody serves
        async with serving(ws) as (_, url), websockets.connect(url) as one:
            maria.socket = one
            assert await maria.join(version=maria.doc.oplog_vv.encode()) == MessageKind.JOINED
            assert maria.version == b""
            early = maria.write(" Four.")  # sent before it knew of the other server
            await maria.send(early)
            await maria.send(maria.doc.export(ExportMode.Snapshot()))
            await maria.until(lambda: maria.acknowledged == [0, 1, 4])
            await maria.send(maria.write(" Five."))  # and this before it has heard that it is to begin anew
            await maria.until(lambda: maria.acknowledged == [0, 1, 4, 4])
            assert ws.get(*PLACE).value["body"] == "One. Two. Three. Four. Five."
            again = Client(one, "maria")
            await again.join()
            await again.until(lambda: again.body == "One. Two. Three. Four. Five.")
            assert VersionVector.decode(again.version) is not None


async def test_a_server_that_ends_tells_nobody_to_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent to a server that hears nothing any more is not acknowledged, and is given to the next one: once."""
    with Workspace(schemas={PLACE[0]: Brief}) as ws:
        ws.agent("ada").write(*PLACE, {"body": "One."})
        async with serving(ws) as (_, url), websockets.connect(url) as one:
            maria = Client(one, "maria")
            await maria.join()
            await maria.until(lambda: maria.body == "One.")
        maria.write(" Two.")
        async with serving(ws) as (server, url), websockets.connect(url) as maria.socket:
            await maria.join(version=maria.doc.oplog_vv.encode())
            rejoin = LiveDocument.rejoin

            def ends(*given: Any) -> Any:
                session = rejoin(*given)
                server._is_closed = True
                return session

            monkeypatch.setattr(LiveDocument, "rejoin", ends)
            await maria.send(maria.doc.export(ExportMode.Snapshot()))
            await maria.send(maria.write(" Three."))
            with pytest.raises(websockets.ConnectionClosed):
                await maria.take()
            monkeypatch.undo()
        assert maria.acknowledged == []
        async with serving(ws) as (_, url), websockets.connect(url) as maria.socket:
            await maria.join(version=maria.doc.oplog_vv.encode())
            await maria.send(maria.doc.export(ExportMode.Snapshot()))
            await maria.until(lambda: maria.acknowledged == [Status.INVALID_UPDATE])
            assert ws.get(*PLACE).value["body"] == "One. Two. Three."


async def test_presence_is_passed_on() -> None:
    """What an editor says of itself others hear, those who come later too; it is kept no longer than it is there."""
    with Workspace(schemas={PLACE[0]: Brief}) as ws:
        async with serving(ws) as (_, url), websockets.connect(url) as one, websockets.connect(url) as other:
            maria, john = Client(one, "maria"), Client(other, "john")
            store, heard = EphemeralStore(60_000), EphemeralStore(60_000)
            await maria.join(PRESENCE)
            store.set("maria", {"at": 3})
            await maria.send(store.encode_all(), PRESENCE)
            await maria.send(b"x" * 200_000, PRESENCE)
            await asyncio.sleep(0.05)
            await john.join(PRESENCE)
            await john.until(lambda: john.said)
            heard.apply(john.said[0])
            assert heard.get("maria") == {"at": 3}
            await maria.socket.close()
            async with websockets.connect(url) as third:
                eve = Client(third, "eve")
                await eve.join(PRESENCE)
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(eve.socket.recv(), 0.05)


async def test_a_slow_reader_holds_up_nobody() -> None:
    """An editor that takes nothing in keeps others from nothing."""
    with Workspace(schemas={PLACE[0]: Brief}) as ws:
        async with serving(ws) as (_, url), websockets.connect(url) as one, websockets.connect(url) as other:
            maria, deaf = Client(one, "maria"), Client(other, "deaf")
            await deaf.join()
            await maria.join()
            for _ in range(20):
                await maria.send(maria.write("word " * 400))
            await maria.until(lambda: len(maria.acknowledged) == 20)


def test_what_comes_too_fast_waits() -> None:
    """A connection may send what is saved up at once, then as much as its rate lets through, in messages and bytes."""
    pace = _Pace(Rate(messages=10, size=1_000, burst=2), now=0.0)
    assert [pace.owed(1, 0.0) for _ in range(20)] == [0.0] * 20
    assert pace.owed(1, 0.0) == pytest.approx(0.1)
    assert pace.owed(1, 0.1) == pytest.approx(0.1)
    assert pace.owed(4_000, 1_000.0) == pytest.approx(2.0)
    assert pace.owed(1, 1_000_000.0) == 0.0


async def test_who_floods_is_slowed_down_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a flood brings is taken in late, each message of it; nobody else waits for it."""
    waits: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float, *rest: Any) -> Any:
        waits.append(seconds)
        return await sleep(min(seconds, 0.01), *rest)

    with Workspace(schemas={PLACE[0]: Brief}) as ws:
        async with serving(ws, rate=Rate(messages=0.1, burst=100)) as (_, url), websockets.connect(url) as one:
            maria = Client(one, "maria")
            await maria.join()
            monkeypatch.setattr("concordant_loro.server.asyncio.sleep", noted)
            for number in range(15):
                await maria.send(maria.write(f"{number} "))
            await maria.until(lambda: len(maria.acknowledged) == 15)
            assert len([wait for wait in waits if wait > 0.5]) >= 5
            async with websockets.connect(url) as other:
                john = Client(other, "john")
                await john.join()
                await john.until(lambda: john.body == "".join(f"{number} " for number in range(15)))


async def test_one_connection_is_in_so_many_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who joins more is told; what it has goes on."""
    monkeypatch.setattr("concordant_loro.server.MOST_ROOMS", 1)
    with Workspace(schemas={PLACE[0]: Brief}) as ws:
        async with serving(ws) as (_, url), websockets.connect(url) as one:
            maria = Client(one, "maria")
            assert await maria.join() == MessageKind.JOINED
            assert await maria.join() == MessageKind.JOINED  # it leaves first
            assert await maria.join(room="briefs:other") == MessageKind.JOIN_ERROR
            assert "1 rooms" in str(maria.error)
            await maria.send(maria.write("One."))
            await maria.until(lambda: maria.acknowledged == [0])


def test_it_mounts_in_an_application() -> None:
    """The Starlette application serves the same at wherever it is mounted."""
    from starlette.applications import Starlette
    from starlette.routing import Mount
    from starlette.testclient import TestClient

    with Workspace(schemas={PLACE[0]: Brief}) as ws:
        ws.agent("ada").write(*PLACE, {"body": "One."})
        server = LiveServer(ws, authenticate)
        with (
            TestClient(Starlette(routes=[Mount("/live", server.app())])) as client,
            client.websocket_connect("/live/") as socket,
        ):
            head = DOCUMENT + protocol._block(ROOM.encode())
            socket.send_bytes(head + bytes([MessageKind.JOIN]) + protocol._block(b"maria") + b"\0")
            answer = socket.receive_bytes()
            assert answer[len(head)] == MessageKind.JOINED
            update = socket.receive_bytes()
            reader = protocol._Reader(update[len(head) + 1 :])
            assert reader.number() == 1
            doc = LoroDoc()
            doc.import_(reader.block())
            assert doc.get_text("text:body").to_string() == "One."
