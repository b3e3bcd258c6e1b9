"""``concordant stats``: what became of the writes in a store."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from concordant.cli.showing import shown
from concordant.cli.stores import AS_JSON, STORE, opened, say_json
from concordant.desk.wording import age
from concordant.storage.base import Lag
from concordant.workspace.statistics import Shares, Stats

__all__ = ["stats"]


def stats(store: STORE, as_json: AS_JSON = False) -> None:
    """Count documents, writes, escalations; what became of values by namespace and field; who waits for events."""
    with opened(store) as workspace:
        found, lags = workspace.stats(), workspace.subscriptions()
    if as_json:
        say_json({**found.to_dict(), "subscriptions": [lag.to_dict() for lag in lags]})
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
    if lags:
        console.print(_subscriptions(lags))


def _subscriptions(lags: Sequence[Lag]) -> Table:
    table = Table("subscription", "waiting", "since", "", box=box.SIMPLE_HEAD, pad_edge=False)
    table.columns[1].justify = "right"
    for lag in lags:
        since = "" if lag.since is None else age(lag.since)
        table.add_row(shown(lag.name), f"{lag.waiting:,}", since, "receiving" if lag.receiving else "away")
    return table


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
