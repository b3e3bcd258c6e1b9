"""``concordant rename``: another name for a store that was restored or copied."""

from __future__ import annotations

from typing import Annotated

import typer

from concordant.cli.stores import AS_JSON, STORE, opened, say, say_json
from concordant.storage.urls import without_password

__all__ = ["rename"]


def rename(
    store: STORE,
    name: Annotated[str | None, typer.Argument(help="The new name; made up if not given.")] = None,
    as_json: AS_JSON = False,
) -> None:
    """Give a store that was restored from a back-up, or copied, a name of its own, before it is written to."""
    with opened(store) as workspace:
        given = workspace.rename(name)
    if as_json:
        say_json({"replica": given})
        return
    say(f"{without_password(store)} is now {given}")
