"""A receiver of webhooks: a real server that verifies what comes with the reference library."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook as Verifier, WebhookVerificationError

PATH = "/services/T0/B0/pathtoken?key=querytoken"
"""Where it is asked: an address that is a secret itself, as Slack's is."""

Answer = int | tuple[int, Mapping[str, str]] | None


class Receiver:
    """What came, each as headers and body, and how it is answered.

    Attributes:
        answer: gives the status for what comes, with headers or without; ``None`` breaks the connection.
        unsigned: what came that could not be verified.
    """

    def __init__(self, secret: str) -> None:
        self.came: list[tuple[Mapping[str, str], bytes]] = []
        self.unsigned: list[bytes] = []
        self.paths: list[str] = []
        self.answer: Callable[[int], Answer] = lambda number: 204
        self._verifier = Verifier(secret)
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    @property
    def messages(self) -> list[Any]:
        """What it has received for good, doubles included."""
        return [json.loads(body) for _, body in self.came]

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        with self._lock:
            self.paths.append(path)
            number = len(self.paths)
        try:
            self._verifier.verify(body, dict(headers))
        except WebhookVerificationError:
            self.unsigned.append(body)
            return 401
        answer = self.answer(number)
        if answer is not None and (answer if isinstance(answer, int) else answer[0]) < 300:
            self.came.append((headers, body))
        return answer

    def open(self) -> None:
        """Begins to listen, where it did before."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = receiver.take(self.path, headers, body)
                if answer is None:
                    self.connection.close()
                    return
                status, more = (answer, {}) if isinstance(answer, int) else answer
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                pass

            def finish(self) -> None:
                if not self.wfile.closed:
                    try:
                        self.wfile.flush()
                    except (OSError, ValueError):
                        return
                self.rfile.close()

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        """Listens no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@contextmanager
def receiving(secret: str) -> Iterator[Receiver]:
    """A receiver that listens."""
    receiver = Receiver(secret)
    receiver.open()
    try:
        yield receiver
    finally:
        receiver.close()
