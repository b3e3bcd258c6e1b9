"""Webhooks: the transitions of questions, sent to an address by HTTP, signed, each until it was received or refused.

What is sent follows Standard Webhooks (https://www.standardwebhooks.com): any of its libraries verifies it.

>>> from concordant import Workspace, webhooks
>>> secret = webhooks.new_secret()  # to be kept by both sides, say in an environment variable
>>> hook = webhooks.Webhook("https://team.example/hooks/concordant", secret)
>>> hook
Webhook('https://team.example', 'raw')
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
import math
import random
import re
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPException
from importlib.metadata import version
from typing import Any, Literal, NamedTuple, TypeAlias, get_args
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from concordant.desk.wording import place, told_path, told_value
from concordant.errors import ConcordantError, StorageError, told
from concordant.escalation import Event, EventKind
from concordant.workspace import Workspace
from concordant.workspace.coroutines import off_loop
from concordant.workspace.subscription import LEASE, Subscription

__all__ = ["Attempt", "Shape", "Webhook", "WebhookGoneError", "adeliver", "deliver", "new_secret"]

Shape: TypeAlias = Literal["raw", "slack"]

LONGEST = 256 * 1024
"""How many bytes a message may have; of a question that makes a longer one the values are left out."""
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 300.0
LONGEST_ASKED = 3_600.0
"""The longest pause that a receiver can ask for (``Retry-After``)."""
MOST_TIMEOUT = 300.0
GIVE_UP = 4 * 3_600.0
"""For how many seconds an event that a receiver refuses is tried again."""
TRANSIENT = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
"""Answers from 400 to 499 that say "later" and not "no"."""
LOOK = 1.0
"""How often, in seconds, it is looked whether to stop."""
MOST_SHOWN = 300
"""How many characters of a value stand in a message for people."""
MOST_SIDES = 10
LOCAL = ("localhost", "127.0.0.1", "::1")
KINDS = get_args(EventKind)
_SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]+")

log = logging.getLogger("concordant")


class WebhookGoneError(ConcordantError):
    """The receiver says that it wants no more (410 Gone). What it did not get waits for it, under its name."""


def new_secret() -> str:
    """Makes a secret for signing: ``whsec_`` and 32 random bytes in base64."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


class Attempt(NamedTuple):
    """One attempt to deliver an event.

    Attributes:
        number: 1 for the first.
        problem: why it failed; ``None``: it was received.
        again: in how many seconds it is tried again.
        passed_over: whether it is not: the receiver has refused it for too long.
    """

    event: Event
    number: int
    problem: str | None = None
    again: float = 0.0
    passed_over: bool = False


class _Answer(NamedTuple):
    """What came of a request: a status, or what prevented one; and how long the receiver asks to be left alone."""

    status: int
    problem: str = ""
    asked: float = 0.0


@dataclass(frozen=True, repr=False)
class Webhook:
    """Where events are sent, and how. Neither its address beyond the host nor its secret ever stands in a message, a
    log or an error.

    Args:
        url: the address, which may be a secret itself (Slack's is).
        secret: what is signed with, ``whsec_...`` (``new_secret``); several, with blanks between them, while the
            receiver changes from one to the other.
        shape: ``"raw"``: the event as JSON; ``"slack"``: a message for people, as Slack's incoming webhooks take it
            (and Mattermost's).
        desk: the address of a desk; messages for people link to the question there.
        timeout: for how many seconds an answer is waited for.
        allow_http: send unencrypted to another machine than this one.

    Raises:
        ConcordantError: one of these is none.
    """

    url: str
    secret: str
    shape: Shape = "raw"
    desk: str | None = None
    timeout: float = 15.0
    allow_http: bool = False

    def __post_init__(self) -> None:
        if self.shape not in get_args(Shape):
            raise ConcordantError(f"shape= is one of {', '.join(get_args(Shape))}, not {told(self.shape)}")
        timeout = self.timeout
        if not isinstance(timeout, (int, float)) or isinstance(timeout, bool) or not 0 < timeout <= MOST_TIMEOUT:
            raise ConcordantError(f"timeout= is a number of seconds, {MOST_TIMEOUT:g} at most, not {told(timeout)}")
        parts = self._parts
        if parts.username is not None or parts.password is not None:
            raise ConcordantError("a webhook's address has no user and no password: what is sent is signed instead")
        if parts.scheme == "http" and parts.hostname not in LOCAL and not self.allow_http:
            problem = f"{self.host} would be sent what stands in questions unencrypted"
            raise ConcordantError(f"{problem}: use https, or allow_http=True (--allow-http) in a network of your own")
        assert self._keys

    def __repr__(self) -> str:
        return f"Webhook({self.host!r}, {self.shape!r})"

    @property
    def host(self) -> str:
        """The address as far as it may be shown: without path and query."""
        host = self._parts.hostname or ""
        port = f":{self._parts.port}" if self._parts.port else ""
        return f"{self._parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"

    @property
    def name(self) -> str:
        """The name of its subscription, unless another is given: another address has another one."""
        return f"webhook:{self._parts.hostname}-{hashlib.sha256(self.url.encode()).hexdigest()[:6]}"

    @cached_property
    def _parts(self) -> SplitResult:
        problem = "a webhook's address is a url such as https://team.example/hooks/concordant"
        if not isinstance(self.url, str) or not self.url.isascii() or not self.url.isprintable() or " " in self.url:
            raise ConcordantError(problem)
        try:
            parts = urlsplit(self.url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
                raise ValueError
        except ValueError:
            raise ConcordantError(problem) from None  # its text may have a part of the address
        return parts

    @cached_property
    def _keys(self) -> tuple[bytes, ...]:
        problem = (
            "a webhook's secret is whsec_ and 24 to 64 random bytes in base64, such as "
            'echo "whsec_$(openssl rand -base64 32)" makes'
        )
        given = self.secret.split() if isinstance(self.secret, str) else []
        keys = []
        for one in given:
            try:
                keys.append(
                    base64.b64decode(one.removeprefix("whsec_") if _SECRET.fullmatch(one) else "", validate=True)
                )
            except binascii.Error:
                raise ConcordantError(problem) from None
        if not keys or not all(24 <= len(key) <= 64 for key in keys):
            raise ConcordantError(problem)
        return tuple(keys)

    def request(self, event: Event, now: float) -> tuple[dict[str, str], bytes]:
        """Returns the headers and the body with which an event is sent at a time (in seconds since the epoch)."""
        body = self._slack(event) if self.shape == "slack" else _raw(event)
        stamp = str(int(now))
        headers = {
            "content-type": "application/json",
            "user-agent": f"concordant/{version('concordant')}",
            "webhook-id": event.id,
            "webhook-timestamp": stamp,
            "webhook-signature": self._signed(f"{event.id}.{stamp}.".encode() + body),
        }
        return headers, body

    def _signed(self, content: bytes) -> str:
        """The signatures of what is sent, one for each secret."""
        digests = (hmac.new(key, content, hashlib.sha256).digest() for key in self._keys)
        return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)

    def _slack(self, event: Event) -> bytes:
        question = event.escalation
        by = f" by {question.by}" if question.by and event.kind not in ("opened", "grew") else ""
        where = f"{place(question.namespace, question.key)} {told_path(question.path)} ({question.reason})"
        lines = [f"*{event.kind}*{_plain(by)}: {_plain(where)}"]
        for side in question.contenders[:MOST_SIDES]:
            lines.append(f"• {_plain(told_value(side.value, MOST_SHOWN))} by {_plain(' and '.join(side.agents))}")
        further = question.more + len(question.contenders[MOST_SIDES:])
        if further:
            lines.append(f"and {further:,} more")
        if event.kind in ("resolved", "dismissed"):
            lines.append(f"decided: {_plain(told_value(question.decision, MOST_SHOWN))}")
        if self.desk is not None:
            lines.append(f"<{_plain(self.desk.rstrip('/'))}/question/{quote(question.id)}|Open it>")
        return _dumped({"text": "\n".join(lines)})

    def send(self, event: Event, now: float) -> _Answer:
        """Makes one attempt."""
        headers, body = self.request(event, now)
        request = Request(self.url, data=body, headers=headers, method="POST")
        try:
            with build_opener(_NoRedirects).open(request, timeout=self.timeout) as answer:
                return _Answer(answer.status)
        except HTTPError as error:
            with error:
                return _Answer(error.code, f"answered {_named(error.code)}", _asked(error.headers, now))
        except (OSError, HTTPException, ValueError) as error:
            return _Answer(0, _problem(error))


class _NoRedirects(HTTPRedirectHandler):
    """What is signed for one address is sent to no other."""

    def redirect_request(self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: Any) -> None:
        return None


def deliver(
    workspace: Workspace,
    webhook: Webhook,
    *,
    name: str | None = None,
    prefix: tuple[str, ...] = (),
    kinds: Collection[str] = (),
    from_start: bool = False,
    count: int = 0,
    give_up: float = GIVE_UP,
    stop: threading.Event | None = None,
    heard: Callable[[Attempt], object] | None = None,
) -> int:
    """Sends the transitions of questions to a webhook, in their order, each until the receiver has answered 2xx.

    How far it came is remembered in the store under a name, as of ``Workspace.subscribe``: after a crash it goes on
    there, and what was under way comes again, with the same ``webhook-id``. Several processes may do it under one name:
    one does, and another goes on after it. Pauses between attempts double from a second to five minutes, or are
    what the receiver asks for (``Retry-After``).

    A receiver that is down (it gives no answer, or 5xx, 408, 425, 429, a redirect) is waited for without end. An event
    that it refuses (any other 4xx) is tried again for ``give_up`` seconds, in which times when it is down do not count;
    then a warning names it, and those after it have their turn.

    Args:
        name: by default one that belongs to the address (``Webhook.name``).
        prefix: only of questions below this namespace.
        kinds: only these kinds of events; none given: all.
        from_start: a new name begins with the oldest event that is kept, not with the next.
        count: end after so many were received; 0: never.
        give_up: for how many seconds an event that is refused is tried again; 0: without end.
        stop: ends it once it is set.
        heard: is told of each attempt.

    Returns:
        How many were received.

    Raises:
        WebhookGoneError: the receiver answered 410.
        ConcordantError: an argument is none of what it is to be.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or isinstance(kinds, str):
        raise ConcordantError(f"kinds= are among {', '.join(KINDS)}, not {told(unknown or kinds)}")
    if not isinstance(give_up, (int, float)) or isinstance(give_up, bool) or not give_up >= 0:
        raise ConcordantError(f"give_up= is a number of seconds, 0 for never, not {told(give_up)}")
    stop = stop or threading.Event()
    lease = max(LEASE, 2 * webhook.timeout)
    with workspace.subscribe(name or webhook.name, lease=lease, from_start=from_start) as inbox:
        courier = _Courier(inbox, webhook, give_up or math.inf, stop, heard)
        while not stop.is_set() and not 0 < count <= courier.received:
            courier.step(lambda event: _is_wanted(event, prefix, kinds))
    return courier.received


async def adeliver(workspace: Workspace, webhook: Webhook, **settings: Any) -> int:
    """Runs ``deliver`` for coroutines: it ends when it is cancelled."""
    stop = settings.pop("stop", None) or threading.Event()
    try:
        return await off_loop(lambda: deliver(workspace, webhook, stop=stop, **settings))
    finally:
        stop.set()


class _Courier:
    """Delivers one event after the other.

    Attributes:
        received: how many were.
        passed_over: how many were refused for too long.
    """

    def __init__(
        self,
        inbox: Subscription,
        webhook: Webhook,
        give_up: float,
        stop: threading.Event,
        heard: Callable[[Attempt], object] | None,
    ) -> None:
        self.received = self.passed_over = 0
        self._inbox = inbox
        self._webhook = webhook
        self._give_up = give_up
        self._stop = stop
        self._heard = heard
        self._at: str | None = None  # the event that is being delivered
        self._is_done = False  # which may be tried to be noted several times
        self._failed = 0
        self._refused = 0.0  # for how many seconds it has been refused

    def step(self, is_wanted: Callable[[Event], bool]) -> None:
        """Makes one attempt to deliver what waits; waits for a moment if nothing does."""
        try:
            event = self._inbox.receive(timeout=LOOK)
            if event is None or self._stop.is_set():
                return
            if event.id != self._at:  # also if another process has dealt with the one before
                self._at, self._is_done, self._failed, self._refused = event.id, not is_wanted(event), 0, 0.0
            self._is_done = self._is_done or self._is_dealt_with(event)
            if self._is_done:
                self._inbox.acknowledge()
        except StorageError as error:
            again = self._fail()
            log.warning("%s waits for the store, %.0f s: %s", self._webhook.host, again, error)
            _pause(self._stop, again)

    def _is_dealt_with(self, event: Event) -> bool:
        """Makes one attempt; whether the event after it has its turn."""
        answer = self._webhook.send(event, time.time())
        number = self._failed + 1
        if 200 <= answer.status < 300:
            self._failed = 0
            self.received += 1
            self._tell(Attempt(event, number))
            return True
        if answer.status == HTTPStatus.GONE:
            raise WebhookGoneError(
                f"{self._webhook.host} answered 410 Gone: it wants no more. What waits is kept under the name "
                f"{self._inbox.name!r} until workspace.unsubscribe(name)"
            )
        is_refused = _is_refusal(answer.status)
        if is_refused and self._refused >= self._give_up:
            self.passed_over += 1
            self._tell(Attempt(event, number, answer.problem, passed_over=True))  # first: a crash now says it twice
            return True
        again = max(self._fail(), answer.asked)
        self._refused += again if is_refused else 0.0
        self._tell(Attempt(event, number, answer.problem, again))
        _pause(self._stop, again)
        return False

    def _fail(self) -> float:
        """Counts an attempt that failed; returns how long to wait until the next."""
        self._failed += 1
        pause = min(FIRST_PAUSE * 2.0 ** min(self._failed - 1, 30), LONGEST_PAUSE)
        return pause * random.uniform(0.75, 1.0)  # so that those who failed together do not come back together

    def _tell(self, attempt: Attempt) -> None:
        event, problem = attempt.event, attempt.problem
        outcome = "received" if problem is None else "passed_over" if attempt.passed_over else "failed"
        extra = {
            "concordant_event": f"webhook.{outcome}",
            "concordant_id": event.id,
            "concordant_kind": event.kind,
            "concordant_escalation": event.escalation.id,
            "concordant_attempt": attempt.number,
        }
        host, about = self._webhook.host, f"{event.id} ({event.kind})"
        if problem is None:
            log.info("%s received %s", host, about, extra=extra)
        elif attempt.passed_over:
            refused = (host, problem, about, event.escalation.id, attempt.number, self.passed_over)
            log.warning(
                "%s %s for %s of question %s, in %d attempts: it is passed over (%d so far)", *refused, extra=extra
            )
        else:
            log.warning("%s %s for %s, tried again in %.0f s", host, problem, event.id, attempt.again, extra=extra)
        if self._heard is not None:
            self._heard(attempt)


def _pause(stop: threading.Event, seconds: float) -> None:
    stop.wait(seconds)


def _is_refusal(status: int) -> bool:
    """Whether an answer says that this event will not be taken, and not that the receiver cannot take one now."""
    return 400 <= status < 500 and status not in TRANSIENT


def _is_wanted(event: Event, prefix: tuple[str, ...], kinds: Collection[str]) -> bool:
    return event.escalation.namespace[: len(prefix)] == prefix and (not kinds or event.kind in kinds)


def _raw(event: Event) -> bytes:
    data = event.escalation.to_dict()
    about = {"id": event.id, "type": f"escalation.{event.kind}", "timestamp": event.at.isoformat()}
    message: dict[str, Any] = {**about, "data": data}
    body = _dumped(message)
    if len(body) > LONGEST:
        for one in (data, *data["contenders"]):
            one.update(dict.fromkeys(("base", "suggestion", "decision", "value") & one.keys()))
        message["shortened"] = True
        body = _dumped(message)
    return body


def _dumped(message: Any) -> bytes:
    return json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode()


def _plain(text: str) -> str:
    """Text from a store in which Slack, and what understands its messages, finds no mark-up and nobody to call."""
    for mark, instead in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("@", "@\u200b")):
        text = text.replace(mark, instead)
    return " ".join(text.split())


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _asked(headers: Any, now: float) -> float:
    """For how many seconds a receiver asks to be left alone."""
    asked = str(headers.get("retry-after") or "").strip()
    if asked.isascii() and asked.isdecimal():
        return min(float(asked[:9]), LONGEST_ASKED)
    try:
        return min(max(parsedate_to_datetime(asked).timestamp() - now, 0.0), LONGEST_ASKED)
    except (ValueError, OverflowError):
        return 0.0


def _problem(error: Exception) -> str:
    """Why no answer came, in words of ours: what libraries say may have the address in it."""
    reason = error.reason if isinstance(error, URLError) and isinstance(error.reason, Exception) else error
    if isinstance(reason, TimeoutError):
        return "gave no answer in time"
    if isinstance(reason, ssl.SSLCertVerificationError):
        return "has no certificate that can be trusted"
    if isinstance(reason, ConnectionError):
        return "cannot be reached (connection refused or broken)"
    return f"cannot be reached ({type(reason).__name__})"
