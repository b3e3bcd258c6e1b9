"""Editors over a websocket, by the Loro protocol: the client of npm's ``loro-websocket`` connects as it is.

A room is a document. Each message of an editor is taken in turn; what the document shows goes out from one task for
each editor, so that a slow one holds up nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias
from urllib.parse import unquote

from concordant import ConcordantError, Workspace
from concordant.spi import Address, told
from concordant_loro import protocol
from concordant_loro.errors import IncompleteUpdateError, LoroError, LostReplicaError, RefusedUpdateError
from concordant_loro.live import MOST_UPDATE, LiveDocument, Session
from concordant_loro.protocol import DOCUMENT, PRESENCE, JoinErrorCode, Message, MessageKind, RoomErrorCode, Status

__all__ = ["Access", "LiveServer", "Rate"]

MOST_BATCHES = 8
"""How many updates one editor may have under way in fragments."""

MOST_ROOMS = 64
"""In how many rooms one connection may be."""

MOST_PRESENCE = 64 * 1024
"""How many bytes are kept of what one editor says of its cursor and name."""


class Access(NamedTuple):
    """Who somebody is, and what they may do in a room.

    Args:
        name: whom their changes are credited to.
        may_write: whether they may change the document.
    """

    name: str
    may_write: bool = True


class Rate(NamedTuple):
    """How fast the messages of one connection are taken in; what comes faster waits, and nothing is lost.

    Args:
        messages: how many a second.
        size: how many bytes a second.
        burst: for how many seconds without messages that is saved up.
    """

    messages: float = 200.0
    size: float = float(1 << 20)
    burst: float = 10.0


RATE = Rate()
_SNAPSHOT = b"\0\3"
"""What Loro writes, behind its name and a sum, for a whole document."""

Authenticate: TypeAlias = Callable[[str, bytes], "Access | str | Awaitable[Access | str | None] | None"]
Send: TypeAlias = Callable[[bytes | str], Awaitable[Any]]


class Socket(Protocol):
    """A connection of the ``websockets`` library, as far as it is used here."""

    state: Any

    def __aiter__(self) -> Any: ...

    async def send(self, message: bytes | str) -> Any: ...


def place_of(room: str) -> Address:
    """Returns the document that a room is, written as on the command line.

    Raises:
        LoroError: it is no document's name.

    >>> place_of("plans/europe:launch")
    (('plans', 'europe'), 'launch')
    >>> place_of("users/a%2Fb:x")
    (('users', 'a/b'), 'x')
    """
    namespace, colon, key = room.partition(":")
    if not colon or not key or not all(namespace.split("/")):
        raise LoroError(f"{told(room)} names no document. Write namespace/parts:key")
    return tuple(map(unquote, namespace.split("/"))), unquote(key)


@dataclass(eq=False)
class _Member:
    """An editor in a room."""

    send: Send
    room: str
    access: Access
    session: Session
    is_stale: bool = False  # it has a replica of an earlier hub, and is to give all of it:
    had: list[bytes] = field(default_factory=list)  # a snapshot first, and what it does until it begins anew
    is_settled: bool = False  # it has sent what it had when it joined
    is_due: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class _Room:
    """A document that is open to editors."""

    def __init__(self, live: LiveDocument) -> None:
        self.live = live
        self.members: set[_Member] = set()
        self.polling: asyncio.Task[None] | None = None
        self.idle_since = 0.0

    def wake(self) -> None:
        for member in self.members:
            member.is_due.set()


class _GoneError(Exception):
    """The other end of a connection is not there any more."""


class _Connection:
    """One websocket, with the rooms that it is in."""

    def __init__(self, authenticate: Authenticate, send: Send) -> None:
        self.authenticate, self._send = authenticate, send
        self.members: dict[str, _Member] = {}
        self.present: dict[str, str] = {}  # by room, under which name
        self.batches: dict[tuple[bytes, str, bytes], _Batch] = {}
        self._sending = asyncio.Lock()

    async def send(self, data: bytes | str) -> None:
        async with self._sending:
            try:
                await self._send(data)
            except Exception as error:
                raise _GoneError from error


class _Pace:
    """What a connection may still send: by messages and by bytes, a bucket that fills with time."""

    def __init__(self, rate: Rate, now: float) -> None:
        self.rates, self.burst, self.at = (rate.messages, rate.size), rate.burst, now
        self.left = [rate.burst * each for each in self.rates]

    def owed(self, size: int, now: float) -> float:
        """Takes a message in; for how many seconds the next one has to wait."""
        passed, self.at = now - self.at, now
        for number, (rate, used) in enumerate(zip(self.rates, (1, size), strict=True)):
            self.left[number] = min(self.burst * rate, self.left[number] + passed * rate) - used
        return max(0.0, *(-left / rate for left, rate in zip(self.left, self.rates, strict=True)))


class _Batch(NamedTuple):
    number: int
    size: int
    parts: dict[int, bytes]


class LiveServer:
    """Serves the documents of a workspace to editors.

    Args:
        workspace: whose documents they are.
        authenticate: told the room and what the client gave to join it (``auth``), says who that is: ``Access``, a
            name, or ``None`` for nobody. It may be a coroutine.
        place_of: gives the namespace and key of a room's document; by default a room is named as on the command line,
            ``plans/europe:launch``.
        poll: how often, in seconds, editors are shown what agents and other processes have written.
        linger: for how many seconds what editors share is kept when the last one has left.
        rate: how fast the messages of one connection are taken in.

    It serves what an asyncio ``websockets`` server gives it (``serve``), or within an application (``app``).
    """

    def __init__(
        self,
        workspace: Workspace,
        authenticate: Authenticate,
        *,
        place_of: Callable[[str], Address] = place_of,
        poll: float = 0.03,
        linger: float = 600.0,
        rate: Rate = RATE,
    ) -> None:
        self.workspace, self.authenticate, self.place_of = workspace, authenticate, place_of
        self.poll, self.linger, self.rate = poll, linger, rate
        self.rooms: dict[Address, _Room] = {}
        self._opening = asyncio.Lock()
        self._is_closed = False
        self._present: dict[str, dict[_Connection, list[bytes]]] = {}

    def live(self, namespace: tuple[str, ...], key: str) -> LiveDocument | None:
        """Returns a document that is open to editors here, or ``None``."""
        room = self.rooms.get((namespace, key))
        return room.live if room is not None else None

    # -- connections ---------------------------------------------------------------------------------------------

    async def serve(self, socket: Socket) -> None:
        """Serves one connection of the ``websockets`` library until it ends.

        It is a handler: ``websockets.serve(server.serve, host, port, max_size=2**20)``.
        """

        async def send(data: bytes | str) -> None:
            if socket.state.name != "OPEN":  # its own send would wait for the end, and nobody would read until then
                raise ConnectionError("the connection is closing")
            await socket.send(data)

        async def messages() -> AsyncIterator[bytes | str]:
            try:
                async for message in socket:
                    yield message
            except Exception:
                if socket.state.name == "OPEN":
                    raise  # it did not end: this is something else

        await self.talk(messages(), send)

    def app(self) -> Any:
        """Returns a Starlette application with a websocket at its root, to be mounted where you like."""
        from starlette.applications import Starlette
        from starlette.routing import WebSocketRoute

        return Starlette(routes=[WebSocketRoute("/", self.endpoint())])

    def endpoint(self, authenticate_for: Callable[[Any], Authenticate] | None = None) -> Callable[[Any], Any]:
        """Returns an endpoint for a ``WebSocketRoute`` of Starlette's.

        Args:
            authenticate_for: where the connection tells who comes, such as by a cookie: given Starlette's websocket,
                what is asked instead of ``authenticate``.
        """
        from starlette.websockets import WebSocket, WebSocketDisconnect

        async def endpoint(socket: WebSocket) -> None:
            await socket.accept()

            async def messages() -> AsyncIterator[bytes | str]:
                while True:
                    got = await socket.receive()
                    if got["type"] == "websocket.disconnect":
                        return
                    yield got["text"] if got.get("text") is not None else got["bytes"]

            async def send(data: bytes | str) -> None:
                await (socket.send_text(data) if isinstance(data, str) else socket.send_bytes(data))

            authenticate = authenticate_for(socket) if authenticate_for is not None else None
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await self.talk(messages(), send, authenticate)

        return endpoint

    async def talk(
        self, messages: AsyncIterable[bytes | str], send: Send, authenticate: Authenticate | None = None
    ) -> None:
        """Serves one connection, whatever carries it: takes its messages in turn, and sends what there is to send.

        Args:
            authenticate: what is asked, instead of the server's, who comes by this connection.
        """
        connection = _Connection(authenticate or self.authenticate, send)
        clock = asyncio.get_running_loop().time
        pace = _Pace(self.rate, clock())
        try:
            with contextlib.suppress(_GoneError):
                async for data in messages:
                    if self._is_closed:
                        break
                    await self._hear(connection, data)
                    if owed := pace.owed(len(data), clock()):
                        await asyncio.sleep(owed)  # its socket fills meanwhile, and its client waits
        finally:
            for room in list(connection.members):
                await self._leave(connection, DOCUMENT, room)
            for room in list(connection.present):
                await self._leave(connection, PRESENCE, room)

    async def close(self) -> None:
        """Ends all rooms. End the connections, too: their clients then come again, and give what they have."""
        self._is_closed = True
        for address, room in list(self.rooms.items()):
            for member in list(room.members):
                await self._let_go(member)
            await self._close(address, room)

    async def _hear(self, connection: _Connection, data: bytes | str) -> None:
        if isinstance(data, str):
            if data == "ping":
                await connection.send("pong")
            return
        try:
            message = protocol.decode(data)
        except LoroError:
            return  # of a later version of the protocol, or of no client of ours
        await self._take(connection, message)

    async def _take(self, connection: _Connection, message: Message) -> None:
        if message.crdt not in (DOCUMENT, PRESENCE):
            if message.kind is MessageKind.JOIN:
                said = f"{message.crdt!r} is not served here"
                await connection.send(protocol.join_failed(message.crdt, message.room, JoinErrorCode.UNKNOWN, said))
        elif message.kind is MessageKind.JOIN:
            await self._join(connection, message)
        elif message.kind is MessageKind.LEAVE:
            await self._leave(connection, message.crdt, message.room)
        elif message.kind is MessageKind.UPDATE:
            await self._update(connection, message, b"".join(message.parts) if len(message.parts) == 1 else None)
        elif message.kind is MessageKind.FRAGMENT_HEADER:
            await self._begin_batch(connection, message)
        elif message.kind is MessageKind.FRAGMENT:
            await self._fragment(connection, message)

    # -- joining and leaving -------------------------------------------------------------------------------------

    async def _join(self, connection: _Connection, message: Message) -> None:
        found = connection.authenticate(message.room, message.auth)
        access = await found if isinstance(found, Awaitable) else found
        if isinstance(access, str):
            access = Access(access)
        if access is None:
            said = "you may not join this room"
            await connection.send(protocol.join_failed(message.crdt, message.room, JoinErrorCode.AUTH_FAILED, said))
        elif message.crdt == PRESENCE:
            await self._appear(connection, message.room, access)
        else:
            await self._enter(connection, message, access)

    async def _enter(self, connection: _Connection, message: Message, access: Access) -> None:
        await self._leave(connection, DOCUMENT, message.room)
        try:
            if len(connection.members) >= MOST_ROOMS:
                raise LoroError(f"One connection can be in {MOST_ROOMS} rooms. Leave one")
            room = await self._room(self.place_of(message.room))
            member = await self.workspace.acall(self._admit, room.live, connection, message, access)
            version = b"" if member.is_stale else await self.workspace.acall(room.live.version_vector)
        except ConcordantError as error:
            answer = protocol.join_failed(DOCUMENT, message.room, JoinErrorCode.UNKNOWN, str(error)[:1_000])
            await connection.send(answer)
            return
        connection.members[message.room] = member
        extra = json.dumps({"peer": str(member.session.peer), "name": access.name}).encode()
        await connection.send(
            protocol.joined(DOCUMENT, message.room, may_write=access.may_write, version=version, extra=extra)
        )
        room.members.add(member)
        if not member.is_stale:
            member.is_due.set()
            member.task = asyncio.create_task(self._bring(member))
        if room.polling is None:
            room.polling = asyncio.create_task(self._poll(room))

    def _admit(self, live: LiveDocument, connection: _Connection, message: Message, access: Access) -> _Member:
        session = live.connect(access.name)
        member = _Member(connection.send, message.room, access, session)
        try:
            session.has(message.version)
        except LostReplicaError:
            member.is_stale = True
        return member

    async def _room(self, address: Address) -> _Room:
        async with self._opening:
            room = self.rooms.get(address)
            if room is None:
                live = await self.workspace.acall(LiveDocument, self.workspace, *address)
                room = self.rooms[address] = _Room(live)
            return room

    async def _leave(self, connection: _Connection, crdt: bytes, name: str) -> None:
        if crdt == PRESENCE:
            connection.present.pop(name, None)
            self._present.get(name, {}).pop(connection, None)
            return
        member = connection.members.pop(name, None)
        if member is not None:
            await self._let_go(member)

    async def _let_go(self, member: _Member) -> None:
        room = self.rooms.get(self.place_of(member.room))
        if room is not None:
            room.members.discard(member)
            room.idle_since = asyncio.get_running_loop().time()
        if member.task is not None and member.task is not asyncio.current_task():
            member.task.cancel()
        await self.workspace.acall(member.session.close)

    async def _suggest_rejoin(self, member: _Member) -> None:
        """Lets an editor join anew: what it shared is gone."""
        said = "what editors shared is gone"
        with contextlib.suppress(_GoneError):
            await member.send(protocol.room_failed(DOCUMENT, member.room, RoomErrorCode.REJOIN_SUGGESTED, said))
        await self._let_go(member)

    async def _close(self, address: Address, room: _Room) -> None:
        self.rooms.pop(address, None)
        if room.polling is not None and room.polling is not asyncio.current_task():
            room.polling.cancel()
        with contextlib.suppress(LostReplicaError):
            await self.workspace.acall(room.live.close)

    # -- to editors ----------------------------------------------------------------------------------------------

    async def _poll(self, room: _Room) -> None:
        """Shows what others have written, as long as somebody is there to see it."""
        clock = asyncio.get_running_loop().time
        while room.members or clock() - room.idle_since < self.linger:
            await asyncio.sleep(self.poll if room.members else min(1.0, self.linger))
            if not room.members:
                continue
            try:
                is_news = await self.workspace.acall(room.live.refresh)
            except LostReplicaError:
                is_news = True
            except ConcordantError:  # the database is away, or busy: what was written is shown when it is back
                is_news = False
            if is_news:
                room.wake()
        for address, known in list(self.rooms.items()):
            if known is room:
                await self._close(address, room)

    async def _bring(self, member: _Member) -> None:
        """Sends an editor what it lacks, whenever there is something."""
        while True:
            await member.is_due.wait()
            member.is_due.clear()
            try:
                found = await self.workspace.acall(member.session.outgoing)
            except LoroError:  # it is gone, or is going now
                await self._suggest_rejoin(member)
                return
            try:
                for part in protocol.updates(DOCUMENT, member.room, found, os.urandom(8)) if found else ():
                    await member.send(part)
            except _GoneError:
                return

    # -- from editors --------------------------------------------------------------------------------------------

    async def _begin_batch(self, connection: _Connection, message: Message) -> None:
        key = (message.crdt, message.room, message.batch)
        if message.size > MOST_UPDATE or message.number > message.size:
            await self._answer(connection, message, Status.PAYLOAD_TOO_LARGE)
            if message.crdt == DOCUMENT and (member := connection.members.get(message.room)) is not None:
                await self._exclude(connection, member)
        elif len(connection.batches) >= MOST_BATCHES:
            connection.batches.clear()  # whoever lets so many lie about gets none of them
            await self._answer(connection, message, Status.FRAGMENT_TIMEOUT)
        else:
            connection.batches[key] = _Batch(message.number, message.size, {})

    async def _fragment(self, connection: _Connection, message: Message) -> None:
        key = (message.crdt, message.room, message.batch)
        batch = connection.batches.get(key)
        if batch is None or not message.number < batch.number:
            return
        batch.parts[message.number] = message.parts[0]
        if sum(map(len, batch.parts.values())) > batch.size:
            del connection.batches[key]
            await self._answer(connection, message, Status.INVALID_UPDATE)
        elif len(batch.parts) == batch.number:
            del connection.batches[key]
            await self._update(connection, message, b"".join(batch.parts[number] for number in range(batch.number)))

    async def _update(self, connection: _Connection, message: Message, data: bytes | None) -> None:
        parts = message.parts if data is None else (data,)
        if message.crdt == PRESENCE:
            await self._say(connection, message.room, parts)
            return
        member = connection.members.get(message.room)
        if member is None:
            await self._answer(connection, message, Status.UNKNOWN)
            return
        status: Status | None = Status.OK
        for part in parts:
            status = await self._commit(member, part)
            if status is not Status.OK:
                break
        if self._is_closed:
            return  # nothing is heard any more: its client gives all that it has to another server, this too
        await self._answer(connection, message, Status.UNKNOWN if status is None else status)
        room = self.rooms.get(self.place_of(member.room))
        if room is not None:
            room.wake()
        if status is Status.UNKNOWN:
            await self._suggest_rejoin(member)
        elif status is Status.INVALID_UPDATE:
            await self._exclude(connection, member)

    async def _exclude(self, connection: _Connection, member: _Member) -> None:
        """Ends the membership of an editor that has what nobody shares, and is to begin anew."""
        await self._let_go(member)
        if not member.had:  # whoever has given all it had may still send what it did before it heard of that
            connection.members.pop(member.room, None)

    async def _commit(self, member: _Member, data: bytes) -> Status | None:
        """Commits an update; ``None`` where that was passed over, because it comes again. After ``INVALID_UPDATE`` the
        editor has what nobody shares, and is to begin anew."""
        if not member.access.may_write:
            return Status.PERMISSION_DENIED
        try:
            return await self.workspace.acall(self._rejoin if member.is_stale else self._receive, member, data)
        except LostReplicaError:
            return Status.UNKNOWN
        except IncompleteUpdateError:
            return Status.UNKNOWN if member.is_settled else None  # then it comes again, with what it depends on
        except RefusedUpdateError:
            return Status.INVALID_UPDATE
        except ConcordantError:
            return Status.APP_ERROR  # the editor is shown what stands

    def _receive(self, member: _Member, data: bytes) -> Status | None:
        member.session.receive(data)
        member.is_settled = True
        return Status.OK

    def _rejoin(self, member: _Member, data: bytes) -> Status | None:
        if not member.had and data[20:22] != _SNAPSHOT:
            return None  # done before it heard that all is wanted: it comes again, in that
        member.session.live.rejoin(member.access.name, *member.had, data).close()
        member.had.append(data)
        return Status.INVALID_UPDATE

    async def _answer(self, connection: _Connection, message: Message, status: Status) -> None:
        await connection.send(protocol.acknowledged(message.crdt, message.room, message.batch, status))

    # -- presence ------------------------------------------------------------------------------------------------

    async def _appear(self, connection: _Connection, room: str, access: Access) -> None:
        """Lets somebody say where they are, and hear where others are."""
        connection.present[room] = access.name
        here = self._present.setdefault(room, {})
        here.setdefault(connection, [])
        await connection.send(protocol.joined(PRESENCE, room, may_write=True, version=b""))
        for other, said in list(here.items()):
            if other is not connection:
                for part in said:
                    await self._pass_on(connection, room, part)

    async def _say(self, connection: _Connection, room: str, parts: tuple[bytes, ...]) -> None:
        here = self._present.get(room, {})
        said = here.get(connection)
        if said is None or sum(map(len, parts)) > MOST_PRESENCE:
            return
        said.extend(parts)
        while sum(map(len, said)) > MOST_PRESENCE or len(said) > 64:
            del said[0]
        for other in list(here):
            if other is not connection:
                for part in parts:
                    with contextlib.suppress(_GoneError):
                        await self._pass_on(other, room, part)

    async def _pass_on(self, connection: _Connection, room: str, part: bytes) -> None:
        for message in protocol.updates(PRESENCE, room, part, os.urandom(8)):
            await connection.send(message)
