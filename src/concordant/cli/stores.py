"""Stores and schemas that a command line names."""

from __future__ import annotations

import importlib
import os
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from concordant.errors import ConcordantError
from concordant.storage.urls import without_password
from concordant.workspace import Workspace

__all__ = ["SCHEMAS", "STORE", "opened", "plain", "say"]

STORE = Annotated[str, typer.Argument(help="A SQLite file, or a url: sqlite:///team.db, postgresql://host/team.")]
SCHEMAS = Annotated[
    str | None,
    typer.Option(
        help="Where the schemas are, as module:NAME: what a Workspace takes as schemas=. Looked for in this folder too."
    ),
]


@contextmanager
def opened(
    store: str, schemas: str | None = None, *, key: bytes | None = None, new: bool = False
) -> Iterator[Workspace]:
    """Opens the store that a command names; errors of ours end the command with a line instead of a traceback.

    Args:
        schemas: where its schemas are (``module:NAME``).
        key: authenticates frames.
        new: whether a file that is not there is made.
    """
    try:
        url = store if "://" in store or store.startswith("sqlite:") else f"sqlite:///{store}"
        if url.startswith("sqlite:///") and not new and not Path(url.removeprefix("sqlite:///")).exists():
            raise ConcordantError(f"there is no file {without_password(url.removeprefix('sqlite:///'))}")
        with Workspace(url, schemas=_schemas(schemas), frame_key=key) as workspace:
            yield workspace
    except ConcordantError as error:
        say(f"concordant: {error}", err=True)
        raise typer.Exit(1) from error


def plain(text: object) -> str:
    """Text from a store as one line that a terminal only shows: what could move its cursor, change its colours, turn
    the direction of writing or pose as another line is escaped."""
    return "".join(c if c.isprintable() or unicodedata.category(c) == "Zs" else _escaped(c) for c in str(text))


def say(text: object, *, err: bool = False) -> None:
    """Prints text that may come from a store; of an error the lines stay lines."""
    lines = str(text).split("\n") if err else [str(text)]
    typer.echo("\n".join(map(plain, lines)), err=err)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _schemas(name: str | None) -> Mapping[tuple[str, ...], Any] | None:
    if name is None:
        return None
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise ConcordantError(f"--schemas {name}: write it as module:NAME, such as app.state:SCHEMAS")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Mapping[tuple[str, ...], Any] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConcordantError(f"--schemas {name}: {error}") from error
    return found
