"""A receiver of webhooks, with nothing but the standard library: it verifies what comes, and takes each event once.

export CONCORDANT_WEBHOOK_SECRET="whsec_$(openssl rand -base64 32)"
python examples/webhook_receiver.py &
concordant notify team.db --webhook http://localhost:8500/
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

TOLERANCE = 300
"""How old what comes may be, in seconds: what somebody recorded and sends again later is refused."""


def verified(headers: Mapping[str, str], body: bytes, secret: str) -> dict[str, Any]:
    """Returns what was sent, if it came from whoever knows the secret, and lately.

    Raises:
        ValueError: it did not.
    """
    id_, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (stamp.isdecimal() and abs(time.time() - int(stamp)) <= TOLERANCE):
        raise ValueError("the webhook is too old, or has no time")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{id_}.{stamp}.".encode() + body, hashlib.sha256).digest()
    wanted = f"v1,{base64.b64encode(digest).decode()}"
    given = headers.get("webhook-signature", "").split()
    if not any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given):
        raise ValueError("the webhook's signature is wrong")
    event: dict[str, Any] = json.loads(body)
    return event


class Handler(BaseHTTPRequestHandler):
    """Prints each event once, also if it is sent twice because an answer was lost."""

    dealt_with: set[str] = set()  # a real receiver keeps them where a restart finds them

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        try:
            event = verified(self.headers, body, os.environ["CONCORDANT_WEBHOOK_SECRET"])
        except ValueError as error:
            self.send_error(401, str(error))
            return
        if event["id"] not in self.dealt_with:
            question = event["data"]
            sides = ", ".join(f"{side['value']!r} by {side['agent']}" for side in question["contenders"])
            print(f"{event['type']}: {'/'.join(question['namespace'])}:{question['key']} {sides}", flush=True)
            self.dealt_with.add(event["id"])
        self.send_response(204)  # only now: whatever fails before, the event comes again
        self.end_headers()


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8500
    HTTPServer(("127.0.0.1", port), Handler).serve_forever()
