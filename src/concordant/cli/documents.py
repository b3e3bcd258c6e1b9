"""``concordant get``, ``put``, ``blame``, ``history``, ``diff`` and ``log``: documents, and what became of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from concordant.cli.handles import PLACE, handle
from concordant.cli.inbox import NAMESPACE
from concordant.cli.showing import console, say_change, shown, stamped, table
from concordant.cli.stores import AS_JSON, BY, BY_DEFAULT, NEW, SCHEMAS, STORE, opened, say, say_json
from concordant.desk.differences import changes
from concordant.desk.wording import parsed, place, placed, prefix, told_path, told_value
from concordant.errors import ConcordantError, told
from concordant.values import ABSENT, portable
from concordant.workspace import Document, HistoryEntry, Workspace

__all__ = ["blame", "diff", "get", "history", "log", "put"]

SHOWN = 200
LIMIT = Annotated[int, typer.Option(help="How many at most.", min=1)]


def get(
    store: STORE,
    document: PLACE,
    at: Annotated[int | None, typer.Option(help="A version, to read the document as it was then.")] = None,
    schemas: SCHEMAS = None,
    as_json: AS_JSON = False,
) -> None:
    """Print the value of a document as JSON; with --json also its version, token and open questions."""
    with opened(store, schemas) as workspace:
        found = _read(workspace, document, at)
    if as_json:
        say_json(found.to_dict())
        return
    say_json(portable(found.value))
    for path, question in found.contested.items():
        say(f"contested: {told_path(path)} ({handle(question)})", err=True)


def put(
    store: STORE,
    document: PLACE,
    value: Annotated[str, typer.Argument(help="The fields to write, as JSON; - reads it from the standard input.")],
    seen: Annotated[
        str | None,
        typer.Option(help="The token of what was read (`get --json`): the fields given are changed from that."),
    ] = None,
    if_version: Annotated[int | None, typer.Option(help="Refuse unless the document is at this version.")] = None,
    by: BY = BY_DEFAULT,
    new: NEW = False,
    schemas: SCHEMAS = None,
    as_json: AS_JSON = False,
) -> None:
    """Write fields of a document: they are added to what is there; with --seen they change what was read."""
    if seen is not None and if_version is not None:
        raise typer.BadParameter("give one of --seen and --if-version")
    given = _parsed(sys.stdin.read() if value == "-" else value)
    with opened(store, schemas, new=new) as workspace:
        namespace, key = placed(document)
        if seen is None:
            receipt = workspace.agent(by).write(namespace, key, given, if_version=if_version)
        else:
            with workspace.acting_as(by, seen=seen):
                receipt = workspace.put(namespace, key, given)
    if as_json:
        say_json(receipt.to_dict())
        return
    say(f"{document} is at version {receipt.version}")
    for question in receipt.escalations:
        say(f"{handle(question)} {question}")


def blame(store: STORE, document: PLACE, schemas: SCHEMAS = None, as_json: AS_JSON = False) -> None:
    """Tell who stands for each value of a document, each element of a set and each part of a text."""
    with opened(store, schemas) as workspace:
        _read(workspace, document)
        found = workspace.blame(*placed(document))
    if as_json:
        say_json(
            [
                {
                    "path": list(path),
                    "value": portable(credit.value),
                    "agent": credit.agent,
                    "agents": list(credit.agents),
                    "at": credit.at.isoformat(),
                }
                for path, credits in found.items()
                for credit in credits
            ]
        )
        return
    rows = table("field", "who", "when", "value")
    for path, credits in found.items():
        for credit in credits:
            names, value = " and ".join(credit.agents), told_value(credit.value, SHOWN)
            rows.add_row(*map(shown, (told_path(path), names, stamped(credit.at), value)))
    console().print(rows)


def history(store: STORE, document: PLACE, schemas: SCHEMAS = None, as_json: AS_JSON = False) -> None:
    """List the changes of a document, newest first."""
    with opened(store, schemas) as workspace:
        found = workspace.history(*placed(document))
        if not found:
            _read(workspace, document)
    _say_entries(found, as_json, places=False)


def log(
    store: STORE,
    namespace: NAMESPACE = "",
    agent: Annotated[str | None, typer.Option(help="Only what this agent wrote or decided.")] = None,
    limit: LIMIT = 50,
    before: Annotated[int | None, typer.Option(help="Only what is older than this version.")] = None,
    schemas: SCHEMAS = None,
    as_json: AS_JSON = False,
) -> None:
    """List the changes of all documents, newest first."""
    with opened(store, schemas) as workspace:
        found = workspace.log(prefix(namespace), agent=agent, before=before, limit=limit)
    _say_entries(found, as_json, places=True)


def diff(
    store: STORE,
    document: PLACE,
    before: Annotated[int, typer.Argument(help="A version (`history` has them).")],
    after: Annotated[int | None, typer.Argument(help="Another; by default the present one.")] = None,
    schemas: SCHEMAS = None,
    as_json: AS_JSON = False,
) -> None:
    """Tell what differs between two versions of a document, texts word by word."""
    with opened(store, schemas) as workspace:
        found = list(changes(_value_at(workspace, document, before), _value_at(workspace, document, after)))
    if as_json:
        say_json(
            [
                {
                    "path": list(change.path),
                    "added": change.before is ABSENT,
                    "removed": change.after is ABSENT,
                    "before": None if change.before is ABSENT else portable(change.before),
                    "after": None if change.after is ABSENT else portable(change.after),
                }
                for change in found
            ]
        )
        return
    for change in found:
        say_change(console(), *change)
    if not found:
        say("No difference.")


def _read(workspace: Workspace, document: str, at: int | None = None) -> Document:
    found = workspace.get(*placed(document), at=at)
    if found is None:
        when = "" if at is None else f" at version {at}"
        raise ConcordantError(f"there is no document {told(document)}{when}")
    return found


def _value_at(workspace: Workspace, document: str, at: int | None) -> dict[str, Any]:
    """The value of a document at a version, empty before its first and after its deletion."""
    found = workspace.get(*placed(document), at=at)
    if found is None and not workspace.history(*placed(document)):
        _read(workspace, document)
    return {} if found is None else found.value


def _parsed(text: str) -> Any:
    try:
        return parsed(text)
    except ValueError as error:
        raise typer.BadParameter(f"the value is no JSON: {error}") from error


def _say_entries(entries: Iterable[HistoryEntry], as_json: bool, *, places: bool) -> None:
    if as_json:
        say_json([entry.to_dict() for entry in entries])
        return
    where = ("document",) if places else ()
    rows = table("version", "when", "who", "what", *where, "fields")
    rows.columns[0].justify = "right"
    for entry in entries:
        at = (place(entry.namespace, entry.key),) if places else ()
        settled = [f"{told_path(path)} settled by {policy}" for path, policy in entry.settled]
        fields = ", ".join([*dict.fromkeys(map(told_path, entry.paths)), *settled])
        rows.add_row(*map(shown, (entry.version, stamped(entry.at), entry.agent, entry.act, *at, fields)))
    console().print(rows)
