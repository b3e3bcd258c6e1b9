"""``concordant vacuum``: forgetting what is old."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from concordant.cli.stores import AS_JSON, SCHEMAS, STORE, opened, say, say_json
from concordant.errors import ConcordantError

__all__ = ["vacuum"]


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
        say_json(done._asdict())
        return
    say(f"{done.documents} deleted documents and {done.rows} rows of the journal forgotten, {done.compacted} smaller")
