"""``concordant sync``: two stores exchange what is new."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from concordant.cli.stores import SCHEMAS, STORE, opened, say
from concordant.errors import ConcordantError
from concordant.storage.urls import without_password

__all__ = ["sync"]


def sync(
    one: STORE,
    other: STORE,
    schemas: SCHEMAS = None,
    undeclared: Annotated[bool, typer.Option(help="The stores have no schemas.")] = False,
    key_env: Annotated[
        str | None, typer.Option(help="The environment variable with the secret that authenticates frames.")
    ] = None,
    new: Annotated[bool, typer.Option(help="Make a SQLite file that is not there yet.")] = False,
) -> None:
    """Bring two stores to the same state: each gets what is new to it, conflicts included."""
    if (schemas is None) != undeclared:
        typer.echo(
            "concordant: say where the schemas are (--schemas module:NAME), or that there are none (--undeclared)",
            err=True,
        )
        raise typer.Exit(2)
    key = os.environ.get(key_env) if key_env is not None else None
    if key_env is not None and not key:
        typer.echo(f"concordant: the environment has no {key_env}", err=True)
        raise typer.Exit(2)
    secret = key.encode() if key else None
    with opened(one, schemas, key=secret, new=new) as here, opened(other, schemas, key=secret, new=new) as there:
        if here.storage.replica == there.storage.replica:
            raise ConcordantError("both are the same store, or one is a copy of the other: rename the copy first")
        before = {workspace: len(workspace.escalations()) for workspace in (here, there)}
        changed = here.exchange(there)
        for store, workspace, count in zip((one, other), (here, there), changed, strict=True):
            open_ = len(workspace.escalations())
            more = f" ({open_ - before[workspace]:+d})" if open_ != before[workspace] else ""
            say(f"{without_password(store)}: {count} documents changed, {open_} escalations open{more}")
