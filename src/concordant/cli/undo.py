"""``concordant undo``: taking back what an agent did, after a look at what that would do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from concordant.cli.handles import SHORTEST
from concordant.cli.inbox import NAMESPACE
from concordant.cli.showing import MOST, console, say_change, say_question, shown
from concordant.cli.stores import AS_JSON, BY, BY_DEFAULT, SCHEMAS, STORE, opened, say, say_json
from concordant.desk.differences import changes
from concordant.desk.wording import place, prefix, told_path, told_value
from concordant.storage.urls import without_password
from concordant.values import portable
from concordant.workspace import Undone, UndoneDocument

__all__ = ["undo"]

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def undo(
    store: STORE,
    agent: Annotated[str, typer.Argument(help="Whose contributions are taken back.", show_default=False)],
    namespace: NAMESPACE = "",
    since: Annotated[
        str | None,
        typer.Option(
            help="A time (2026-05-01T12:00; of this machine's zone if it names none) or how long ago (90m, 2h, 3d): "
            "what came then or later; a version (a number of `log`): what came after it. By default all that is known.",
            show_default=False,
        ),
    ] = None,
    do: Annotated[bool, typer.Option("--do", help="Do it. Without, it is only shown what would happen.")] = False,
    by: BY = BY_DEFAULT,
    schemas: SCHEMAS = None,
    as_json: AS_JSON = False,
) -> None:
    """Show what taking back an agent's contributions would do; with --do, take them back. Others' work stays; what they
    built on it becomes a question. It can be undone like anything else."""
    began = _since(since)
    with opened(store, schemas) as workspace:
        found = workspace.undo(agent=agent, since=began, prefix=prefix(namespace), by=by, dry_run=not do)
    if as_json:
        say_json(found.to_dict())
        return
    for document in found.documents:
        _say(document, done=found.applied)
    for one in found.skipped:
        say(f"{place(one.namespace, one.key)}: left as it is: {one.reason}")
    say(_summary(found, store))


def _say(document: UndoneDocument, *, done: bool) -> None:
    out = console()
    out.print(shown(place(document.namespace, document.key), "bold"))
    for path, before, after in changes(_values(document.before), _values(document.after)):
        out.print("  ", end="")
        say_change(out, path, before, after)
    if document.after is None:
        out.print(shown("  there is no such document any more", "dim"))
    for question in document.questions:
        if done:
            say_question(out, question, SHORTEST)
        else:  # it has no name yet
            sides = ", ".join(f"{told_value(c.value, MOST)!r} by {' and '.join(c.agents)}" for c in question.contenders)
            out.print(shown(f"  a question about {told_path(question.path)}: {sides}", "yellow"))


def _values(value: Mapping[str, Any] | None) -> Any:
    return portable(dict(value or {}))


def _summary(found: Undone, store: str) -> str:
    if not found.documents and not found.skipped:
        names = f" Those who have: {', '.join(found.writers)}." if found.writers else ""
        return f"Nothing of {found.agent!r} stands.{names}"
    what = f"{_many(len(found.documents), 'document')}, {_many(len(found.questions), 'new question')}"
    if found.applied:
        again = f"concordant undo {without_password(store)} {found.by} --since {found.before} --do"
        return f"Taken back: {what}. To undo that: {again}"
    return f"This would be taken back: {what}. Nothing was changed; --do does it."


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _since(text: str | None) -> int | datetime | None:
    """Reads a version, a time, or how long ago.

    Raises:
        BadParameter: it is none of these.
    """
    if text is None:
        return None
    if text.isdigit():
        return int(text)
    ago = re.fullmatch(r"(\d+)([mhdw])", text)
    try:
        if ago is not None:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        problem = "give a version (17), a time (2026-05-01T12:00) or how long ago (90m, 2h, 3d)"
        raise typer.BadParameter(f"--since {text}: {problem}") from error
    return at if at.tzinfo is not None else at.astimezone()
