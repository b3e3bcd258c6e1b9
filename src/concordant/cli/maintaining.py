"""``concordant check``, ``vacuum`` and ``rename``: a store is kept whole, small, and under a name of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from concordant.cli.stores import AS_JSON, SCHEMAS, STORE, opened, say, say_json
from concordant.errors import ConcordantError
from concordant.storage.urls import without_password
from concordant.workspace.checking import Checked

__all__ = ["check", "rename", "vacuum"]


def check(
    store: STORE,
    schemas: SCHEMAS = None,
    quarantine: Annotated[
        bool, typer.Option(help="Set aside each document that cannot be read or trusted; all others go on.")
    ] = False,
    as_json: AS_JSON = False,
) -> None:
    """Verify a store: documents readable, each value what its record gives, questions counted, journal without gaps."""
    with opened(store, schemas) as workspace:
        found = workspace.check(quarantine=quarantine)
    if as_json:
        say_json(
            {
                "documents": found.documents,
                "rows": found.rows,
                "unverified": found.unverified,
                "problems": [problem._asdict() for problem in found.problems],
                "quarantined": [{"namespace": namespace, "key": key} for namespace, key in found.quarantined],
            }
        )
    else:
        _say(found)
    if not found.ok:
        raise typer.Exit(1)


def _say(found: Checked) -> None:
    for problem in found.problems:
        say(problem)
    for namespace, key in found.quarantined:
        say(f"{'/'.join(namespace)}:{key}: set aside (table concordant_quarantine)")
    unverified = f", {found.unverified} saved under other schemas (give --schemas)" if found.unverified else ""
    problems = f"{len(found.problems)} problems" if found.problems else "all is well"
    say(f"{found.documents} documents, {found.rows} rows of the journal{unverified}: {problems}")


FOR = {
    "agents": "whoever may go on from what was read lately",
    "others": "stores that may have been given them and never answered",
    "deletions": "whoever may want back what was deleted with them",
    "rewrites": "questions and rewrites of one place by several at once",
    "order": "the order of what stands behind them",
}
"""For whom removed pieces are kept, in words."""


def vacuum(
    store: STORE,
    journal: Annotated[float, typer.Option(help="For how many days history and closed questions stay.", min=0)] = 90,
    deleted: Annotated[float, typer.Option(help="For how many days it is known what was deleted.", min=0)] = 90,
    removed: Annotated[float, typer.Option(help="For how many days removed words stay known.", min=0)] = 1,
    unsubscribe: Annotated[
        list[str] | None, typer.Option(help="A subscription that nobody uses any more; may be given several times.")
    ] = None,
    schemas: SCHEMAS = None,
    as_json: AS_JSON = False,
) -> None:
    """Forget what is old, so that the store grows with what is in it. Run it once a day."""
    with opened(store, schemas) as workspace:
        unknown = {*(unsubscribe or ())} - {one.name for one in workspace.subscriptions()}
        if unknown:
            raise ConcordantError(f"there is no subscription {', '.join(sorted(unknown))}: concordant stats lists them")
        for name in unsubscribe or ():
            workspace.unsubscribe(name)
        done = workspace.vacuum(
            journal=timedelta(days=journal), deleted=timedelta(days=deleted), removed=timedelta(days=removed)
        )
    if as_json:
        say_json({**done._asdict(), "kept": [kept._asdict() for kept in done.kept]})
        return
    say(f"{done.documents} deleted documents and {done.rows} rows of the journal forgotten")
    say(f"{done.pieces} removed pieces of texts and lists forgotten, in {done.compacted} documents")
    for kept in done.kept:
        say(f"  {kept.pieces} kept in {kept.documents} documents for {FOR.get(kept.whom, f'the store {kept.whom!r}')}")


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
