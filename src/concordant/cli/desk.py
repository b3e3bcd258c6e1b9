"""``concordant desk``: questions decided in a browser."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from concordant.cli.stores import BY, BY_DEFAULT, SCHEMAS, STORE, fail, opened, say

__all__ = ["desk"]


def desk(
    store: STORE,
    port: Annotated[int, typer.Option(help="The port on this machine; 0: a free one.", min=0, max=65535)] = 8737,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Whether a browser is opened.")] = True,
    by: BY = BY_DEFAULT,
    schemas: SCHEMAS = None,
) -> None:
    """Open the desk of a store: web pages, for this machine alone, on which its questions are decided."""
    try:
        from concordant.desk.serving import serve
    except ImportError as error:
        if error.name not in ("starlette", "jinja2", "uvicorn"):
            raise
        fail("the desk needs further libraries: pip install 'concordant[desk]'")

    def announce(link: str) -> None:
        say(f"The desk is open: {link}")
        say("It ends with Ctrl-C. The link is for this machine alone, and a secret.")
        if open_:
            webbrowser.open(link)

    with opened(store, schemas) as workspace:
        serve(workspace, name=by, port=port, announce=announce)
