"""``concordant export``, ``import`` and ``sync``: what one store has travels to another, as a file or at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from concordant.cli.stores import AS_JSON, NEW, SCHEMAS, STORE, declared, fail, opened, say, say_json
from concordant.errors import ConcordantError
from concordant.storage.urls import without_password

__all__ = ["export", "import_", "sync"]

KEY_ENV = Annotated[
    str | None, typer.Option(help="The environment variable with the secret that authenticates frames.")
]


def _secret_of(key_env: str | None) -> bytes | None:
    """The secret in an environment variable; ends the command where it has none."""
    key = os.environ.get(key_env) if key_env is not None else None
    if key_env is not None and not key:
        typer.echo(f"concordant: the environment has no {key_env}", err=True)
        raise typer.Exit(2)
    return key.encode() if key else None


def export(
    store: STORE,
    file: Annotated[str, typer.Argument(help="Where to; - is the standard output.")],
    key_env: KEY_ENV = None,
    schemas: SCHEMAS = None,
    as_json: AS_JSON = False,
) -> None:
    """Write all documents of a store to a file, with their history of merging, for `import` elsewhere."""
    with opened(store, schemas, key=_secret_of(key_env)) as workspace:
        frame = workspace.export()
        if file == "-":
            sys.stdout.buffer.write(frame)
            return
        try:
            Path(file).write_bytes(frame)
        except OSError as error:
            raise ConcordantError(f"{file} cannot be written: {error.strerror or error}") from error
    if as_json:
        say_json({"file": file, "bytes": len(frame)})
        return
    say(f"{file}: {len(frame):,} bytes")


def import_(
    store: STORE,
    file: Annotated[str, typer.Argument(help="What `export` wrote; - is the standard input.")],
    key_env: KEY_ENV = None,
    new: NEW = False,
    schemas: SCHEMAS = None,
    as_json: AS_JSON = False,
) -> None:
    """Join what another store exported with what is here. What was imported before changes nothing."""
    key = _secret_of(key_env)
    try:
        frame = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror or error}")
    with opened(store, schemas, key=key, new=new) as workspace:
        changed = workspace.import_(frame)
        waiting = len(workspace.escalations())
    if as_json:
        say_json({"changed": changed, "open": waiting})
        return
    say(f"{changed} documents changed, {waiting} escalations open")


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
    secret = _secret_of(key_env)
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
