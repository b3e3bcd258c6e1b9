"""The desk of one store on this machine: a server, and a link with a token."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from concordant.desk.web import made
from concordant.errors import ConcordantError
from concordant.workspace import Workspace

__all__ = ["serve"]

HOST = "127.0.0.1"


class _Server(uvicorn.Server):
    """A server that does not wait for streams which would not end."""

    def __init__(self, config: uvicorn.Config, end_streams: Callable[[], None]) -> None:
        super().__init__(config)
        self._end_streams = end_streams

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._end_streams()
        super().handle_exit(sig, frame)


def serve(workspace: Workspace, *, name: str, port: int, announce: Callable[[str], None]) -> None:
    """Serves the desk on this machine until it is interrupted.

    Args:
        name: who decides.
        port: 0 takes a free one.
        announce: is given the link once it can be opened.

    Raises:
        ConcordantError: the port is taken.
    """
    token = secrets.token_urlsafe(24)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()  # so that a browser that is quicker than the server waits for it
    except OSError as error:
        listener.close()
        raise ConcordantError(f"port {port} cannot be used ({error.strerror}): give another, or --port 0") from error
    desk = made(workspace, name=name, token=token)
    config = uvicorn.Config(
        desk,
        access_log=False,  # the first address has the token
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    announce(f"http://{HOST}:{listener.getsockname()[1]}/?token={token}")
    try:
        _Server(config, desk.state.feed.end).run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        listener.close()
