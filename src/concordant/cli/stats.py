"""``concordant stats``: what became of the writes in a store."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from concordant.cli.showing import shown
from concordant.cli.stores import AS_JSON, STORE, opened, say_json
from concordant.workspace.statistics import Shares, Stats

__all__ = ["stats"]


def stats(store: STORE, as_json: AS_JSON = False) -> None:
    """Count documents, writes, escalations; and by namespace and field what became of the values written."""
    with opened(store) as workspace:
        found = workspace.stats()
    if as_json:
        say_json(found.to_dict())
        return
    table = Table("what", "which", "how many", box=box.SIMPLE_HEAD)
    table.columns[2].justify = "right"
    table.add_row("documents", "", f"{found.documents:,}")
    for what, counts in (
        ("writes", found.writes),
        ("settled by policy", found.settled),
        ("escalations", found.escalations),
    ):
        for which, count in sorted(counts.items()):
            table.add_row(what, shown(which), f"{count:,}")
    console = Console()
    console.print(table)
    if found.fields:
        console.print(_fields(found))


def _fields(found: Stats) -> Table:
    table = Table(
        "namespace", "field", *(name for name in Shares._fields), "unaided", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for column in table.columns[2:]:
        column.justify = "right"
    places = [("/".join(namespace), field, shares) for (namespace, field), shares in found.fields.items()]
    for namespace, field, shares in [*places, ("all", "", found.total)]:
        share = "" if shares.mergeable is None else f"{shares.mergeable:.1%}"
        table.add_row(shown(namespace), shown(field), *(f"{count:,}" for count in shares), share)
    return table
