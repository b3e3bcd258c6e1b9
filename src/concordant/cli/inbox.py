"""``concordant inbox``: the open escalations of a store."""

from __future__ import annotations

from typing import Annotated

import typer

from concordant.cli.stores import SCHEMAS, STORE, opened, say

__all__ = ["inbox"]


def inbox(
    store: STORE,
    namespace: Annotated[str, typer.Option(help="Only below this namespace, its parts joined by /.")] = "",
    schemas: SCHEMAS = None,
) -> None:
    """List what waits for a decision, with all contenders."""
    with opened(store, schemas) as workspace:
        for escalation in workspace.escalations(tuple(part for part in namespace.split("/") if part)):
            say(escalation)
