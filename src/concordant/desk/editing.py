"""Editors of documents, which other packages bring to the desk, and the page on which one opens."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from typing import NamedTuple, Protocol

from starlette.responses import Response
from starlette.routing import BaseRoute

from concordant.desk.guard import policy
from concordant.desk.visit import Visit
from concordant.desk.wording import place, placed
from concordant.errors import ConcordantError
from concordant.workspace import Workspace

__all__ = ["AT", "GROUP", "Editor", "Opened", "editing", "editor_of"]

GROUP = "concordant.editors"
"""Entry points of packages that bring an editor: each names a function from a workspace to an ``Editor``."""

AT = "editor"
"""Where the addresses of an editor begin."""

log = logging.getLogger("concordant")


class Opened(NamedTuple):
    """What a page needs on which a document is open in an editor.

    Attributes:
        script, style: addresses, below the editor's own, of a JavaScript module and of a style sheet.
        data: what the script finds as attributes ``data-...`` of the element ``#editor``.
        scripts: what scripts may do besides, as a source of a content security policy: ``'wasm-unsafe-eval'``.
    """

    script: str
    style: str
    data: Mapping[str, str]
    scripts: str = ""


class Editor(Protocol):
    """Lets people write in the documents of a workspace.

    The desk lets nobody but its users ask for one of the routes, websockets included; ``scope["who"]`` is their name.

    Attributes:
        routes: what it serves, at addresses below ``/editor`` of the desk.
    """

    routes: Sequence[BaseRoute]

    def open(self, namespace: tuple[str, ...], key: str) -> Opened:
        """Opens a document; raises ``ConcordantError`` where there is nothing that it could edit."""
        ...

    async def close(self) -> None:
        """Ends what it has begun."""
        ...


def editor_of(workspace: Workspace) -> Editor | None:
    """Returns the editor that an installed package brings, if there is one that can be imported."""
    for entry in sorted(entry_points(group=GROUP), key=lambda one: one.name):
        try:
            made: Editor = entry.load()(workspace)
        except (ImportError, AttributeError) as error:
            log.warning("the editor of %s cannot be used: %s", entry.value, error)
            continue
        return made
    return None


def editing(visit: Visit) -> Response:
    """Returns a document, open in an editor."""
    namespace, key = placed(visit.get("doc"))
    editor: Editor | None = visit.request.app.state.editor
    opened, problem = None, ""
    try:
        opened = editor.open(namespace, key) if editor is not None else None
    except ConcordantError as error:
        problem = str(error)
    nonce = secrets.token_urlsafe(16)
    scripts, data = ("", {}) if opened is None else (opened.scripts, opened.data)
    answer = visit.page(
        "editor.html",
        here="documents",
        title=place(namespace, key),
        at=f"{visit.url(AT)}/",
        opened=opened,
        data={
            **data,
            "doc": place(namespace, key),
            "user": visit.user,
            "nonce": nonce,
            "api": f"{visit.url('api')}/",
            "question": f"{visit.url('question')}/",
        },
        problem=problem,
    )
    answer.headers["Content-Security-Policy"] = policy(scripts, f"'nonce-{nonce}'" if opened is not None else "")
    return answer
