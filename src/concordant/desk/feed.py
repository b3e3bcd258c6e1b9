"""Transitions of questions as server-sent events, which go on where a client broke off."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from concordant.errors import StorageError
from concordant.storage import Told
from concordant.storage.base import Position, advanced, parsed, written
from concordant.workspace import Workspace

__all__ = ["Feed"]

PAGE = 100
QUIET = 15.0
"""After how many seconds without an event a sign of life is sent."""
LONGEST = 60.0
"""After how many seconds a stream ends, so that it holds up no server that wants to stop; its client begins another."""

log = logging.getLogger("concordant")


class Feed:
    """The events of a workspace for any number of clients."""

    longest = LONGEST

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._bells: set[Callable[[], None]] = set()
        self._stop: Callable[[], None] | None = None
        self._ended = False

    def open(self) -> None:
        """Begins to listen; once."""
        if self._stop is None:
            self._stop = self._workspace.on_escalation(self._ring)

    def end(self) -> None:
        """Ends every stream, for a server that is about to stop. It takes no lock, so that a signal's handler may call
        it."""
        self._ended = True
        self._ring(None)

    def close(self) -> None:
        """Ends listening, and every stream."""
        self.end()
        if self._stop is not None:
            self._stop()
            self._stop = None

    def _ring(self, event: object) -> None:
        for bell in tuple(self._bells):
            bell()

    def endpoint(self, show: Callable[[Told], tuple[str, Any]]) -> Callable[[Request], Any]:
        """Returns an endpoint of Starlette's.

        Args:
            show: the name of the event that a client is sent, and its data.
        """

        async def stream(request: Request) -> Response:
            await run_in_threadpool(self.open)
            last = request.headers.get("last-event-id") or request.query_params.get("after", "")
            events = self._workspace.storage.events
            position = parsed(last, self._workspace.storage.clocks)
            if position is None:
                position = await run_in_threadpool(events.now)
            return StreamingResponse(
                self._follow(request, position, show),
                media_type="text/event-stream",
                headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
            )

        return stream

    async def _follow(
        self, request: Request, position: Position, show: Callable[[Told], tuple[str, Any]]
    ) -> AsyncIterator[str]:
        loop, rung = asyncio.get_running_loop(), asyncio.Event()

        def bell() -> None:
            try:
                loop.call_soon_threadsafe(rung.set)
            except RuntimeError:  # the loop has ended
                self._bells.discard(bell)

        self._bells.add(bell)
        try:
            yield f"retry: 2000\nid: {written(position)}\n\n"
            end = loop.time() + self.longest
            while not self._ended and loop.time() < end:
                rung.clear()
                found = await run_in_threadpool(self._workspace.storage.events.after, position, PAGE)
                for told in found:
                    position = advanced(position, told.cursor)
                    name, data = show(told)
                    yield f"id: {written(position)}\nevent: {name}\ndata: {json.dumps(data)}\n\n"
                if found:
                    continue
                try:
                    await asyncio.wait_for(rung.wait(), min(QUIET, end - loop.time()))
                except TimeoutError:
                    yield ": still here\n\n"
        except StorageError as error:
            log.warning("a stream of events ended: %s", error)
        finally:
            self._bells.discard(bell)
