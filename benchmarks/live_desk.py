"""The desk on a document in a SQLite file, with two agents at work, in a process of its own; prints its address."""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import uvicorn

from benchmarks.live import AGENTS, PLACE, Draft, begin, thought
from concordant import Workspace
from concordant.desk import app


def work(ws: Workspace, name: str) -> None:
    """What an agent does: it writes in a sentence of its own, each time by what it has read."""
    handle, number = ws.agent(name), 0
    while True:
        number += 1
        with handle.edit(*PLACE) as draft:
            time.sleep(0.1)
            draft.body = thought(draft.body, name, number)
            draft.edits += 1
        time.sleep(0.1)


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
            threading.Thread(target=work, args=(ws, name), daemon=True).start()
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        server.run(sockets=[listener])


if __name__ == "__main__":
    main(int(sys.argv[1]))
