"""The commands, one file each."""

from __future__ import annotations

import typer

from concordant.cli.bench import bench
from concordant.cli.check import check
from concordant.cli.inbox import inbox
from concordant.cli.rename import rename
from concordant.cli.stats import stats
from concordant.cli.sync import sync

__all__ = ["app"]

app = typer.Typer(
    name="concordant",
    help="State shared by agents: look into a store, bring two stores together.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(stats)
app.command()(inbox)
app.command()(sync)
app.command()(check)
app.command()(rename)
app.command()(bench)
