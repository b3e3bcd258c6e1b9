"""The desk on a document in a SQLite file, with two agents at work, in a process of its own; prints its address."""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
import threading
from pathlib import Path

import uvicorn

from benchmarks.live import AGENTS, PLACE, Draft, agent, begin
from concordant import Workspace
from concordant.desk import app


def main(size: int) -> None:
    """Serves until it is ended; a cookie says who comes."""
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket() as listener,
        Workspace(f"sqlite:///{Path(folder) / 'team.db'}", schemas={PLACE[0]: Draft}) as ws,
    ):
        begin(ws, size)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        desk = app(ws, user=lambda request: request.cookies.get("who"))
        server = uvicorn.Server(uvicorn.Config(desk, access_log=False, log_level="warning"))
        for name in AGENTS:
            threading.Thread(target=asyncio.run, args=(agent(ws, name),), daemon=True).start()
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        server.run(sockets=[listener])


if __name__ == "__main__":
    main(int(sys.argv[1]))
