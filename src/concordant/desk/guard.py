"""Who may come in: by host, address, token and login; and what pages tell browsers not to do."""

from __future__ import annotations

import inspect
import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Collection
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard", "User", "policy"]

User = Callable[[Request], "str | Awaitable[str | None] | None"]

HERE = ("127.0.0.1", "localhost", "::1")
SAFE = ("GET", "HEAD", "OPTIONS")
LONGEST = 16 * 1024 * 1024
"""The longest body of a request, in bytes."""
COOKIE = "concordant_desk"
CSRF = "concordant_csrf"
LOGGED_OUT = "Log in first. If you were: log in again in another tab, then go back and send it again."


def policy(scripts: str = "", styles: str = "") -> str:
    """Returns the content security policy of a page: nothing from elsewhere, nothing inline.

    Args:
        scripts, styles: what is allowed besides.
    """
    return (
        f"default-src 'none'; script-src {' '.join(filter(None, [OWN, scripts]))}; "
        f"style-src {' '.join(filter(None, [OWN, styles]))}; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


OWN = "'self'"
HEADERS = {
    "Content-Security-Policy": policy(),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """Lets a request through to the application, with the name of its user, or answers it.

    Args:
        user: maps a request to a name, or to ``None`` for somebody who may not come in.
        name: who uses it, where there is no ``user``: then only this machine may come in.
        token: what the link must have, where there is no ``user``.
        hosts: names under which it may be asked for; by default any with ``user``, those of this machine without.
    """

    def __init__(
        self, app: ASGIApp, user: User | None, name: str, token: str | None, hosts: Collection[str] | None
    ) -> None:
        self._app = app
        self._user = user
        self._name = name
        self._token = token
        self._hosts = hosts if hosts is not None else None if user is not None else HERE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._connect(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        csrf = _cookies(request).get(CSRF, "")
        fresh = "" if len(csrf) == 43 else secrets.token_urlsafe(32)
        answer = self._refused(request) or await self._user_refused(request)
        if answer is not None:
            await answer(scope, receive, _heading(send, {}))
            return
        scope["csrf"] = fresh or csrf
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        path = scope.get("root_path", "") or "/"
        cookie = f"{CSRF}={fresh}; Path={path}; HttpOnly; SameSite=Strict{secure}"
        await self._app(scope, receive, _heading(send, {"Set-Cookie": cookie} if fresh else {}))

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a websocket through, or refuses it: browsers open them to any site, so each counts as a change."""
        asked = {**scope, "type": "http", "method": "POST", "scheme": _PLAIN.get(scope.get("scheme", ""), "http")}
        request = Request(asked, receive)
        if self._refused(request) is None and await self._user_refused(request) is None:
            await self._app({**scope, "who": asked["who"]}, receive, send)
        elif (await receive())["type"] == "websocket.connect":
            await send({"type": "websocket.close", "code": 1008, "reason": ""})

    def _refused(self, request: Request) -> Response | None:
        """The answer to a request that comes from where it should not."""
        if self._hosts is not None and _host(request.headers.get("host", "")) not in self._hosts:
            return PlainTextResponse("This desk is not known under that name.", 421)
        if self._user is None and not _is_local(request):
            return PlainTextResponse("Without user= this desk is for its own machine alone.", 403)
        if request.method not in SAFE and not _is_own(request):
            return PlainTextResponse("Another site sent this.", 403)
        return None

    async def _user_refused(self, request: Request) -> Response | None:
        """Notes who the user is; the answer to somebody who is none."""
        if self._user is not None:
            found = self._user(request)
            name = await found if inspect.isawaitable(found) else found
            if not name:
                return PlainTextResponse(LOGGED_OUT, 403)
            request.scope["who"] = name
            return None
        request.scope["who"] = self._name
        return self._token_refused(request) if self._token is not None else None

    def _token_refused(self, request: Request) -> Response | None:
        assert self._token is not None
        given = parse_qs(request.scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        if request.method in SAFE and "token" in given:
            if not _is_same(given["token"][-1], self._token):
                return _LOCKED()
            rest = urlencode([(name, one) for name, all_ in given.items() if name != "token" for one in all_])
            root = request.scope.get("root_path", "")
            path = request.url.path if request.url.path.startswith(f"{root}/") else f"{root}/"
            answer = RedirectResponse(f"/{path.lstrip('/')}" + (f"?{rest}" if rest else ""), 303)
            answer.set_cookie(self._cookie(request), self._token, httponly=True, samesite="lax", path=root or "/")
            answer.headers["Cache-Control"] = "no-store"
            return answer
        sort, _, bearer = request.headers.get("authorization", "").partition(" ")
        known = _cookies(request).get(self._cookie(request), "")
        if _is_same(known, self._token) or (sort.lower() == "bearer" and _is_same(bearer, self._token)):
            return None
        return _LOCKED()

    def _cookie(self, request: Request) -> str:
        """A name of its own for each port: browsers share cookies among the ports of a host."""
        return f"{COOKIE}_{request.url.port or 0}"


_PLAIN = {"ws": "http", "wss": "https"}


def _LOCKED() -> Response:
    return PlainTextResponse("Open the desk by the link that `concordant desk` printed: it has a token.", 401)


def _is_same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())


def _cookies(request: Request) -> dict[str, str]:
    found: SimpleCookie = SimpleCookie()
    try:
        found.load(request.headers.get("cookie", ""))
    except CookieError:
        return {}
    return {name: one.value for name, one in found.items()}


def _host(header: str) -> str:
    """The name in a ``Host`` header, without its port; empty if it is none."""
    try:
        return (urlsplit(f"//{header}").hostname or "") if not set("/?#@\\") & set(header) else ""
    except ValueError:
        return ""


def _is_local(request: Request) -> bool:
    """Whether a request was made on this machine, and not for somebody else by a proxy on it."""
    if request.client is None or any(name in request.headers for name in ("x-forwarded-for", "forwarded")):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _is_own(request: Request) -> bool:
    """Whether a request that may change something was made by a page of the desk, or by no browser."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()


def _heading(send: Send, more: dict[str, str]) -> Callable[[Message], Awaitable[None]]:
    """Adds the headers that every answer has."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: list[Any] = list(message.get("headers", ()))
            known = {name.lower() for name, _ in headers}
            for name, value in [*HEADERS.items(), ("Cache-Control", "no-store"), *more.items()]:
                if name == "Set-Cookie" or name.lower().encode() not in known:
                    headers.append((name.lower().encode(), value.encode()))
            message = {**message, "headers": headers}
        await send(message)

    return sending
