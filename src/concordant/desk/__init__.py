"""The desk: web pages on which people see what agents disagree about, and decide (extra ``concordant[desk]``).

>>> from concordant import Workspace
>>> from concordant.desk import app
>>> desk = app(Workspace(), user=lambda request: request.headers.get("x-user"))  # mount it behind your own login
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Any

from concordant.errors import ConcordantError
from concordant.workspace import Workspace

if TYPE_CHECKING:
    from starlette.applications import Starlette

__all__ = ["app"]

NEEDED = ("starlette", "jinja2", "uvicorn")


def app(
    workspace: Workspace,
    *,
    user: Callable[[Any], str | Awaitable[str | None] | None] | None = None,
    token: str | None = None,
    hosts: Collection[str] | None = None,
) -> Starlette:
    """Makes the desk of a workspace: an ASGI application, to serve as it is or to mount into another.

    Args:
        user: maps a request (Starlette's) to the name of who decides, or to ``None`` for somebody who may not; a plain
            or an ``async`` function. Without it only requests from this machine are answered, in the name of who runs
            the process.
        token: a secret that the link must have (``?token=``), where there is no ``user``.
        hosts: the names under which it may be asked for. By default any with ``user``; without, those of this machine.

    Returns:
        The application. Its addresses are relative to where it is mounted.

    Raises:
        ConcordantError: the extra is not installed, or the workspace is none.
    """
    if not isinstance(workspace, Workspace):
        raise ConcordantError(f"the desk is of a Workspace, not of a {type(workspace).__name__}")
    try:
        from concordant.desk.web import made
    except ImportError as error:
        if error.name not in NEEDED:
            raise
        raise ConcordantError("The desk needs further libraries: pip install 'concordant[desk]'") from error
    return made(workspace, user=user, token=token, hosts=hosts)
