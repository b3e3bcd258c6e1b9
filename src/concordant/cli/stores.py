"""Stores and schemas that a command line names."""

from __future__ import annotations

import getpass
import importlib
import json
import os
import sqlite3
import sys
import tomllib
import traceback
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from concordant.errors import ConcordantError
from concordant.storage.opening import empty_place
from concordant.storage.urls import without_password
from concordant.workspace import Workspace

__all__ = [
    "AS_JSON",
    "BY",
    "NEW",
    "SCHEMAS",
    "STORE",
    "declared",
    "fail",
    "opened",
    "plain",
    "say",
    "say_json",
    "url_of",
]

STORE = Annotated[str, typer.Argument(help="A SQLite file, or a url: sqlite:///team.db, postgresql://host/team.")]
SCHEMAS = Annotated[
    str | None,
    typer.Option(
        help="Where the schemas are, as module:NAME: what a Workspace takes as schemas=. Looked for in this folder "
        "too. By default what pyproject.toml says: schemas, in [tool.concordant]."
    ),
]
AS_JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NEW = Annotated[bool, typer.Option(help="Make the store where there is none yet: the file, or the tables.")]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        return "somebody"


BY = Annotated[
    str, typer.Option("--by", envvar="CONCORDANT_USER", help="Who says so; by default who runs it.", show_default=False)
]
BY_DEFAULT = _user()


@contextmanager
def opened(
    store: str,
    schemas: str | None = None,
    *,
    key: bytes | None = None,
    new: bool | None = None,
    undeclared: bool = False,
) -> Iterator[Workspace]:
    """Opens the store that a command names; errors of ours end the command with a line instead of a traceback.

    Args:
        schemas: where its schemas are (``module:NAME``).
        key: authenticates frames.
        new: whether a store that is not there is made, if the command has the option.
        undeclared: whether it has no schemas, whatever ``pyproject.toml`` says.
    """
    try:
        url = url_of(store)
        if not new:
            _check(url, ", or --new, which makes one" if new is False else "")
        with Workspace(url, schemas=None if undeclared else _schemas(schemas), frame_key=key) as workspace:
            yield workspace
    except ConcordantError as error:
        fail(error)


def _check(url: str, or_new: str) -> None:
    """Refuses a file or database that holds no store: opening it would make one there, whosever it is."""
    path = url.removeprefix("sqlite:///")
    if path != url and path:
        _check_file(Path(path), f"another path{or_new}" if or_new else "the path of a store")
    elif (place := empty_place(url)) is not None:
        mend = f"another url{or_new}" if or_new else "the url of a store"
        raise ConcordantError(f"{place} holds no store of Concordant's: give {mend}")


def _check_file(path: Path, mend: str) -> None:
    name = without_password(str(path))
    if not path.exists():
        raise ConcordantError(f"there is no file {name}: give {mend}")
    if path.is_dir():
        raise ConcordantError(f"{name} is a folder: give the path of a SQLite file")
    where = f"{path.absolute().as_uri()}?mode=ro"
    with suppress(sqlite3.Error, UnicodeDecodeError), closing(sqlite3.connect(where, uri=True)) as file:
        if not file.execute("SELECT 1 FROM sqlite_master WHERE name = 'concordant_schema'").fetchall():
            raise ConcordantError(f"{name} holds no store of Concordant's: give {mend}")


def url_of(store: str) -> str:
    """Returns the url of a store that is named by it, or by the path of a SQLite file."""
    return store if "://" in store or store.startswith("sqlite:") else f"sqlite:///{store}"


def fail(problem: object, code: int = 1) -> NoReturn:
    """Ends the command with what is wrong."""
    say(f"concordant: {problem}", err=True)
    raise typer.Exit(code)


def plain(text: object) -> str:
    """Text from a store as one line that a terminal only shows: what could move its cursor, change its colours, turn
    the direction of writing or pose as another line is escaped."""
    return "".join(c if c.isprintable() or unicodedata.category(c) == "Zs" else _escaped(c) for c in str(text))


def say(text: object, *, err: bool = False) -> None:
    """Prints text that may come from a store; of an error the lines stay lines."""
    lines = str(text).split("\n") if err else [str(text)]
    typer.echo("\n".join(map(plain, lines)), err=err)


def say_json(value: object, *, lines: bool = False) -> None:
    """Prints JSON, on one line if there are others; what a terminal might act on is escaped in it."""
    typer.echo(json.dumps(value, ensure_ascii=True, indent=None if lines else 2))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def declared() -> str | None:
    """Tells where the schemas are by ``[tool.concordant]`` of the nearest ``pyproject.toml`` that has it.

    Raises:
        ConcordantError: the file cannot be read, or does not say it in a way that can be understood.
    """
    for folder in (Path.cwd(), *Path.cwd().parents):
        path = folder / "pyproject.toml"
        if not path.is_file():
            continue
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("concordant")
        except (OSError, ValueError) as error:
            raise ConcordantError(f"{path} cannot be read: {error}") from error
        if settings is not None:
            name = settings.get("schemas") if isinstance(settings, dict) else settings
            if name is not None and not isinstance(name, str):
                raise ConcordantError(f'{path}: [tool.concordant] has schemas = "module:NAME"')
            if name is not None and str(folder) not in sys.path:
                sys.path.insert(0, str(folder))
            return name
    return None


def _schemas(name: str | None) -> Mapping[tuple[str, ...], Any] | None:
    given = "--schemas" if name is not None else "pyproject.toml: schemas ="
    name = declared() if name is None else name
    if name is None:
        return None
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise ConcordantError(f"{given} {name}: write it as module:NAME, such as app.state:SCHEMAS")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Mapping[tuple[str, ...], Any] = getattr(importlib.import_module(module), attribute)
    except ConcordantError:
        raise
    except (ImportError, AttributeError) as error:
        raise ConcordantError(f"{given} {name}: {error}") from error
    except Exception as error:  # whatever a module of theirs does
        at = traceback.extract_tb(error.__traceback__)[-1]
        where = "" if isinstance(error, SyntaxError) else f" ({at.filename}, line {at.lineno})"
        what = f"{type(error).__name__}: {error}{where}".replace("\n", " ")
        raise ConcordantError(f"{given} {name}: it cannot be imported: {what}") from error
    return found
