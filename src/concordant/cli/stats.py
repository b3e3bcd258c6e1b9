"""``concordant stats``: what became of the writes in a store."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from concordant.cli.stores import STORE, opened

__all__ = ["stats"]


def stats(store: STORE) -> None:
    """Count documents, writes by sort, conflicts that policies settled, and escalations by state."""
    with opened(store) as workspace:
        found = workspace.stats()
    table = Table("what", "which", "how many")
    table.columns[2].justify = "right"
    table.add_row("documents", "", f"{found.documents:,}")
    for what, counts in (
        ("writes", found.writes),
        ("settled by policy", found.settled),
        ("escalations", found.escalations),
    ):
        for which, count in sorted(counts.items()):
            table.add_row(what, which, f"{count:,}")
    Console().print(table)
