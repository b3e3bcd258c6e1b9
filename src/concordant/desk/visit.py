"""One request as the pages see it: who asks, for what; and how pages are answered."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from concordant.desk.guard import LONGEST, SAFE
from concordant.desk.looks import reasons, visible
from concordant.desk.wording import age, place, placed, told_path
from concordant.errors import (
    ConcordantError,
    HistoryExpiredError,
    InvalidTokenError,
    InvalidWriteError,
    NotAllowedError,
    StaleDecisionError,
    StaleWriteError,
    StorageBusyError,
    UnknownEscalationError,
)
from concordant.storage.base import written
from concordant.workspace import Workspace

__all__ = ["STATIC", "Visit", "answering", "body_of", "status_of"]

STATIC = Path(__file__).parent / "static"
STATUS: Mapping[type[ConcordantError], int] = {
    InvalidTokenError: 400,
    NotAllowedError: 403,
    UnknownEscalationError: 404,
    StaleDecisionError: 409,
    StaleWriteError: 409,
    HistoryExpiredError: 410,
    InvalidWriteError: 422,
    StorageBusyError: 503,
}


def status_of(error: ConcordantError) -> int:
    """Returns the status that tells of an error."""
    return next((status for kind, status in STATUS.items() if isinstance(error, kind)), 400)


@dataclass
class Visit:
    """One request.

    Attributes:
        user: the name of who asks.
        sent: what the form sent, in order.
    """

    request: Request
    workspace: Workspace
    user: str
    sent: Sequence[tuple[str, str]] = ()
    asked: Sequence[tuple[str, str]] = field(default_factory=list)
    _live: str = ""

    def get(self, name: str, default: str = "") -> str:
        """Returns a value of the address."""
        return next((value for key, value in reversed(self.asked) if key == name), default)

    def number(self, name: str, default: int | None = None) -> int | None:
        """Returns a whole number of the address; the default where it has none, or no number."""
        given = self.get(name)
        return int(given) if given.isascii() and given.isdecimal() and len(given) < 16 else default

    def post(self, name: str, default: str = "") -> str:
        """Returns a value of the form."""
        return next((value for key, value in reversed(self.sent) if key == name), default)

    def all(self, name: str) -> list[str]:
        """Returns the values of the form with this name."""
        return [value for key, value in self.sent if key == name]

    def url(self, path: str = "", **query: Any) -> str:
        """Returns an address of the desk, wherever it is mounted."""
        given = {name: value for name, value in query.items() if value not in (None, "")}
        asked = f"?{urlencode(given)}" if given else ""
        return f"{self.request.scope.get('root_path', '')}/{path}{asked}"

    def live(self) -> str:
        """Returns the address of the events from now on; to be asked for before what a page shows is read, so that
        nothing falls between."""
        if not self._live:
            self._live = self.url("events", after=written(self.workspace.storage.events.now()))
        return self._live

    def page(self, template: str, status: int = 200, **data: Any) -> Response:
        """Returns a page made of a template."""
        now = datetime.now(UTC)
        html = (
            _environment()
            .get_template(template)
            .render(
                visit=self,
                url=self.url,
                csrf=self.request.scope["csrf"],
                user=self.user,
                ago=lambda at: age(at, now),
                doc_url=lambda namespace, key, **query: self.url("document", doc=place(namespace, key), **query),
                who_url=lambda name: self.url("who", name=name),
                question_url=lambda id_: self.url(f"question/{quote(id_, safe='')}"),
                static=lambda name: self.url(f"static/{name}", v=_digest(name)),
                **data,
            )
        )
        return HTMLResponse(html, status)

    def redirect(self, path: str, **query: Any) -> Response:
        """Sends the browser to another page after something was done."""
        return RedirectResponse(self.url(path, **query), 303)


def answering(workspace: Workspace, act: Callable[[Visit], Response]) -> Callable[[Request], Any]:
    """Returns an endpoint of Starlette's for a plain function, which may wait for the database: it runs in a thread."""

    async def endpoint(request: Request) -> Response:
        sent: list[tuple[str, str]] = []
        if request.method not in SAFE:
            body = await body_of(request)
            try:
                sent = _form(request.headers.get("content-type", ""), body)
            except ValueError as error:
                raise HTTPException(400, "This is no form.") from error
            known = dict(sent).get("csrf", "")
            if not secrets.compare_digest(known.encode(), request.scope["csrf"].encode()):
                raise HTTPException(
                    403,
                    "This form is not from a page of yours, or that is from before your browser "
                    "was restarted. Go back, load the page again, and send it again.",
                )
        asked = list(request.query_params.multi_items())
        return await run_in_threadpool(act, Visit(request, workspace, request.scope["who"], sent, asked))

    return endpoint


def _form(content_type: str, body: bytes) -> list[tuple[str, str]]:
    """The values that a form sent, those of files included.

    Raises:
        ValueError: it is no form, or not in UTF-8.
    """
    sort, _, options = content_type.partition(";")
    if sort.strip().lower() != "multipart/form-data":
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50_000)
    boundary = re.search(r'boundary="?([^";,\s]+)"?', options)
    if boundary is None:
        raise ValueError("its parts cannot be told apart")
    found = []
    for part in f"\r\n{body.decode()}".split(f"\r\n--{boundary[1]}")[1:-1]:
        head, _, content = part.partition("\r\n\r\n")
        name = re.search(r'\bname="([^"\r\n]*)"', head)
        if name is not None:
            found.append((name[1], content))
    return found


async def body_of(request: Request) -> bytes:
    """Returns the body of a request, up to a length."""
    parts, length = [], 0
    async for part in request.stream():
        length += len(part)
        if length > LONGEST:
            raise HTTPException(413, f"More than {LONGEST // 2**20} MiB cannot be sent here.")
        parts.append(part)
    return b"".join(parts)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("concordant.desk"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        visible=lambda value: visible(str(value)),
        path=lambda value: visible(told_path(value)),
        parts=_parts,
        where=_where,
        names=_names,
        stamp=lambda at: at.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
        place=lambda one: place(one.namespace, one.key),
        reasons=reasons,
    )
    return made


def _parts(path: Iterable[Any]) -> Markup:
    """A path, each part of which has a direction of its own."""
    parts = [Markup("<bdi>{}</bdi>").format(visible(str(part))) for part in path]
    return Markup('<span dir="ltr">{}</span>').format(Markup(".").join(parts)) if parts else Markup("the document")


def _where(text: str) -> Markup:
    """A document's place, each part of which has a direction of its own."""
    namespace, key = placed(text)
    parts = Markup("/").join(Markup("<bdi>{}</bdi>").format(_told(part, "/:%")) for part in namespace)
    return Markup('<span dir="ltr">{}:<bdi>{}</bdi></span>').format(parts, _told(key, "%"))


def _told(part: str, special: str) -> str:
    return visible("".join(quote(c, safe="") if c in special else c for c in part))


def _names(names: Iterable[str]) -> str:
    return " and ".join(map(visible, names))


@cache
def _digest(name: str) -> str:
    """Part of the address of a file, so that browsers keep it until it changes."""
    return sha256((STATIC / name).read_bytes()).hexdigest()[:10]
