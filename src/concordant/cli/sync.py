"""``concordant sync``: two stores exchange what is new."""

from __future__ import annotations

from typing import Annotated

import typer

from concordant.cli.moving import KEY_ENV, secret_of
from concordant.cli.stores import AS_JSON, NEW, SCHEMAS, STORE, declared, opened, say, say_json
from concordant.errors import ConcordantError
from concordant.storage.urls import without_password

__all__ = ["sync"]


def sync(
    one: STORE,
    other: STORE,
    schemas: SCHEMAS = None,
    undeclared: Annotated[bool, typer.Option(help="The stores have no schemas.")] = False,
    key_env: KEY_ENV = None,
    new: NEW = False,
    as_json: AS_JSON = False,
) -> None:
    """Bring two stores to the same state: each gets what is new to it, conflicts included."""
    if (schemas is not None) == undeclared and (undeclared or declared() is None):
        typer.echo(
            "concordant: say where the schemas are (--schemas module:NAME), or that there are none (--undeclared)",
            err=True,
        )
        raise typer.Exit(2)
    secret = secret_of(key_env)
    with (
        opened(one, schemas, key=secret, new=new, undeclared=undeclared) as here,
        opened(other, schemas, key=secret, new=new, undeclared=undeclared) as there,
    ):
        if here.storage.replica == there.storage.replica:
            raise ConcordantError("both are the same store, or one is a copy of the other: rename the copy first")
        before = {workspace: len(workspace.escalations()) for workspace in (here, there)}
        changed = here.exchange(there)
        if as_json:
            waiting = (len(here.escalations()), len(there.escalations()))
            say_json([{"changed": count, "open": open_} for count, open_ in zip(changed, waiting, strict=True)])
            return
        for store, workspace, count in zip((one, other), (here, there), changed, strict=True):
            open_ = len(workspace.escalations())
            more = f" ({open_ - before[workspace]:+d})" if open_ != before[workspace] else ""
            say(f"{without_password(store)}: {count} documents changed, {open_} escalations open{more}")
