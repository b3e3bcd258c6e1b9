"""``concordant check``: is a store whole?"""

from __future__ import annotations

from typing import Annotated

import typer

from concordant.cli.stores import AS_JSON, SCHEMAS, STORE, opened, say, say_json
from concordant.workspace.checking import Checked

__all__ = ["check"]


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
