"""A server of live documents, in a process of its own, which prints its address."""

from __future__ import annotations

import asyncio
import sys

import websockets

from concordant import Workspace
from concordant_loro import LiveServer
from tests.live.simulation import PLACE, Brief


async def main(url: str) -> None:
    """Serves until it is ended; whoever says a name is it."""
    with Workspace(url, schemas={PLACE[0]: Brief}) as ws:
        server = LiveServer(ws, lambda room, auth: auth.decode())
        async with websockets.serve(server.serve, "127.0.0.1", 0) as sockets:
            print(f"ws://127.0.0.1:{next(iter(sockets.sockets)).getsockname()[1]}", flush=True)
            await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
