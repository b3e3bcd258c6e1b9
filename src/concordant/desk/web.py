"""The application: addresses, guard and errors put together."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from concordant.desk.api import is_api, problem, routes as api_routes
from concordant.desk.editing import AT, editor_of
from concordant.desk.feed import Feed
from concordant.desk.guard import Guard, User
from concordant.desk.pages import PAGES, failed
from concordant.desk.visit import STATIC, Visit, answering
from concordant.errors import ConcordantError
from concordant.storage import Told
from concordant.workspace import Workspace

__all__ = ["made"]


def made(
    workspace: Workspace,
    *,
    user: User | None = None,
    name: str | None = None,
    token: str | None = None,
    hosts: Collection[str] | None = None,
) -> Starlette:
    """Returns the ASGI application (``concordant.desk.app``).

    Args:
        name: who decides, where there is no ``user``.
        token: what the link must have, where there is no ``user``.
    """
    feed, editor = Feed(workspace), editor_of(workspace)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        feed.close()
        if editor is not None:
            await editor.close()

    async def on_error(request: Request, error: Exception) -> Response:
        if is_api(request):
            return problem(error)
        return failed(Visit(request, workspace, request.scope.get("who", "")), error)

    routes: list[Any] = [Route(path, answering(workspace, act), methods=[method]) for method, path, act in PAGES]
    routes += api_routes(workspace, feed)
    routes.append(Route("/events", feed.endpoint(_changed)))
    routes.append(Mount("/static", StaticFiles(directory=STATIC)))
    routes.append(Mount(f"/{AT}", routes=editor.routes if editor is not None else []))
    desk = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(Guard, user=user, name=name or _somebody(), token=token, hosts=hosts)],
        exception_handlers={ConcordantError: on_error, HTTPException: on_error, ValidationError: on_error},
    )
    desk.state.feed, desk.state.editor = feed, editor
    return desk


def _changed(told: Told) -> tuple[str, Any]:
    """What a page is told: that it should look again, and at which question."""
    return "change", {"kind": told.event.kind, "id": told.event.escalation.id}


def _somebody() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        return "somebody"
