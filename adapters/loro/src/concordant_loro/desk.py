"""The desk's editor: CodeMirror at a live document (entry point ``concordant.editors``)."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Iterator
from functools import cache, partial
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from pydantic_core import to_json
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from concordant import ConcordantError, Workspace
from concordant.spi import compile_schema, empty_model, may_write
from concordant_loro.errors import LoroError
from concordant_loro.hub import MOST_OPERATIONS
from concordant_loro.live import LiveDocument
from concordant_loro.server import Access, LiveServer, place_of
from concordant_loro.shape import Layout, layout_of, path_text

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.websockets import WebSocket

    from concordant_loro.server import Authenticate

__all__ = ["DeskEditor"]

STATIC = Path(__file__).parent / "static"

RESTS = 9.0
"""How many times as long as it has taken to tell who wrote what nobody is told anew; what people type comes first."""

MOST_REST = 5.0
"""How many seconds at most."""


class EditorPage(NamedTuple):
    """What the desk's page needs (``concordant.desk.editing.Opened``)."""

    script: str
    style: str
    data: dict[str, str]
    scripts: str


class DeskEditor:
    """Lets the desk's users write in the texts of documents.

    Args:
        workspace: whose documents they are.

    Raises:
        ImportError: there is no library of websockets.
    """

    def __init__(self, workspace: Workspace) -> None:
        if find_spec("websockets") is None and find_spec("wsproto") is None:
            raise ImportError("it needs a library of websockets: pip install 'concordant-loro[desk]'")
        self.workspace = workspace
        self.server = LiveServer(workspace, _nobody)
        self._told: WeakKeyDictionary[LiveDocument, _Shared] = WeakKeyDictionary()
        self.routes: list[BaseRoute] = [
            WebSocketRoute("/live", self.server.endpoint(self._who)),
            Route("/credits", self._credits),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]

    def open(self, namespace: tuple[str, ...], key: str) -> EditorPage:
        """Opens a document.

        Raises:
            ConcordantError: its namespace has no model, or that has no texts.
        """
        layout = layout_of(compile_schema(type(empty_model(self.workspace, namespace))).root)
        if not _has_texts(layout):
            raise LoroError(f"The model of {'/'.join(namespace)} has no texts, which are what can be edited here")
        data = {
            "texts": json.dumps([f"text:{path_text(path)}" for path in _texts(layout)]),
            "wasm": _address("loro.wasm"),
            "most": str(MOST_OPERATIONS),
        }
        return EditorPage(_address("editor.js"), _address("editor.css"), data, "'wasm-unsafe-eval'")

    def _who(self, socket: WebSocket) -> Authenticate:
        """Who comes is whom the desk lets in; they may change what they may write."""
        name: str = socket.scope["who"]

        def access(room: str, auth: bytes) -> Access:
            namespace, key = place_of(room)
            return Access(name, may_write(self.workspace, namespace, key, name))

        return access

    async def _credits(self, request: Request) -> Response:
        """Who wrote what the editors of a document are shown."""
        try:
            live = self.server.live(*place_of(request.query_params.get("doc", "")))
            if live is None:
                return JSONResponse({"detail": "no editor has this document open here"}, 409)
            shared = self._told.setdefault(live, _Shared())
            return Response(await shared.ask(partial(self._tell, live)), media_type="application/json")
        except ConcordantError as error:
            return JSONResponse({"detail": str(error)}, 409)

    async def _tell(self, live: LiveDocument) -> bytes:
        version, found = await self.workspace.acall(live.credits)
        names = dict.fromkeys(name for parts in found.values() for _, agents in parts for name in agents)
        numbers = {name: number for number, name in enumerate(names)}
        texts = {
            root: [[length, *(numbers[name] for name in agents)] for length, agents in parts]
            for root, parts in found.items()
        }
        return to_json({"version": base64.b64encode(version).decode(), "names": [*names], "texts": texts})

    async def close(self) -> None:
        """Ends all rooms."""
        await self.server.close()


class _Shared:
    """What takes long and several ask for: it is found for all who ask before it is begun, with rests between."""

    def __init__(self) -> None:
        self._next: asyncio.Future[bytes] | None = None
        self._turn = asyncio.Lock()
        self._rests_until = 0.0

    async def ask(self, find: Callable[[], Awaitable[bytes]]) -> bytes:
        """Returns what is found from now on."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._found(find))
        return await asyncio.shield(self._next)  # others wait for it, too

    async def _found(self, find: Callable[[], Awaitable[bytes]]) -> bytes:
        clock = asyncio.get_running_loop().time
        async with self._turn:
            await asyncio.sleep(max(0.0, self._rests_until - clock()))
            self._next, began = None, clock()
            try:
                return await find()
            finally:
                self._rests_until = clock() + min(MOST_REST, RESTS * (clock() - began))


def _nobody(room: str, auth: bytes) -> None:
    """Whoever comes by another way than the desk."""


def _texts(layout: Layout, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of the texts that a document has, be they empty."""
    if layout["kind"] == "text":
        yield path
    for name, part in layout.get("below", {}).items():
        yield from _texts(part, (*path, name))


def _has_texts(layout: Layout) -> bool:
    """Whether a document can have texts somewhere."""
    parts: list[Any] = [*layout.get("below", {}).values(), *([layout["each"]] if "each" in layout else [])]
    return layout["kind"] == "text" or any(map(_has_texts, parts))


@cache
def _address(name: str) -> str:
    """The address of a file, which browsers keep until it changes."""
    return f"static/{name}?v={sha256((STATIC / name).read_bytes()).hexdigest()[:10]}"
