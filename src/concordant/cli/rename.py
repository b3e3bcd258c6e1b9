"""``concordant rename``: another name for a store that was restored or copied."""

from __future__ import annotations

from typing import Annotated

import typer

from concordant.cli.stores import STORE, opened, say
from concordant.storage.urls import without_password

__all__ = ["rename"]


def rename(
    store: STORE, name: Annotated[str | None, typer.Argument(help="The new name; made up if not given.")] = None
) -> None:
    """Give a store that was restored from a back-up, or copied, a name of its own, before it is written to."""
    with opened(store) as workspace:
        say(f"{without_password(store)} is now {workspace.rename(name)}")
